# SPDX-License-Identifier: Apache-2.0
"""What the benchmark and its short form in the tests share: a private bus, a daemon on a filled store, figures."""

import functools
import hashlib
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("BUILD", ROOT / "build/release")).resolve()
CONFIG = ROOT / "conf/aftersalesd.yaml"
START_LIMIT = 60  # seconds
FIRST_TIME = 1767225600  # of tests/bench/fill.c


def run(command, **options):
    """What a program prints; what it complains about is shown."""
    return subprocess.run([str(x) for x in command], check=True, stdout=subprocess.PIPE, text=True, **options).stdout


def figures_of(line):
    """Figures of a line like "rate 12.3 p50_ms 4.5", by name."""
    return {k: float(v) for k, v in re.findall(r"(\w+) ([0-9.]+)", line)}


def private_memory(pid):
    """Bytes of a process and its children that no file backs (RssAnon); what a fork shares counts twice."""
    total = 0
    try:
        status = pathlib.Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace")
        total += 1024 * int(re.search(r"RssAnon:\s+(\d+)", status).group(1))
        for child in pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split():
            total += private_memory(int(child))
    except (OSError, AttributeError):
        pass  # it has ended
    return total


@functools.cache
def has_socket():
    """Whether the daemon serves connections past the bus."""
    return "--socket=" in run([BUILD / "aftersalesd", "--help"])


class Site:
    """A bus and a daemon of their own in a temporary directory beside the base; use with `with`."""

    def __init__(self, base, now):
        """base: a directory with a filled store that is copied; now: the daemon's clock, like 2026-01-01T00:00:00Z,
        or None for the system's."""
        self.base, self.now = base, now
        self.processes = []

    def __enter__(self):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="site-", dir=self.base.parent))
        self.state = self.dir / "state"
        shutil.copytree(self.base, self.state)
        os.sync()  # or the first commits would wait for the copy
        address = f"unix:path={self.dir}/bus"
        self.env = dict(os.environ, DBUS_SYSTEM_BUS_ADDRESS=address)
        self.spawn("dbus-daemon", f"--config-file={ROOT}/tests/bus.conf", "--nofork", "--nopidfile",
                   f"--address={address}")
        self.wait(lambda: (self.dir / "bus").exists())
        self.start()
        return self

    def __exit__(self, *_):
        for process in reversed(self.processes):
            process.terminate()
            process.wait(timeout=START_LIMIT)
        shutil.rmtree(self.dir)

    def spawn(self, *command):
        with open(self.dir / "log", "ab") as log:
            process = subprocess.Popen(command, env=self.env, stdout=log, stderr=log)
        self.processes.append(process)
        return process

    def wait(self, condition):
        end = time.monotonic() + START_LIMIT
        while not condition():
            if time.monotonic() > end:
                raise TimeoutError((self.dir / "log").read_text(errors="replace")[-2000:])
            time.sleep(0.002)

    def start(self):
        """Starts the daemon; the seconds from exec to owning the name are kept."""
        (self.dir / "log").write_bytes(b"")
        socket = [f"--socket={self.dir}/direct"] if has_socket() else []
        began = time.monotonic()
        self.daemon = self.spawn(BUILD / "aftersalesd", "--foreground", f"--config={CONFIG}",
                                 f"--state={self.state}",
                                 f"--clock=manual={self.now}" if self.now else "--clock=real",
                                 *socket)
        self.wait(lambda: b"serving" in (self.dir / "log").read_bytes())
        self.start_seconds = time.monotonic() - began

    def restart(self, kill=False):
        """Ends the daemon, by SIGKILL if need be, and starts it again."""
        self.daemon.kill() if kill else self.daemon.terminate()
        self.daemon.wait(timeout=START_LIMIT)
        self.processes.remove(self.daemon)
        self.start()

    def run(self, *command):
        return subprocess.run(command, env=self.env, check=True, capture_output=True, text=True).stdout

    def load(self, *arguments):
        """Figures of one run of the load program, by name."""
        return figures_of(self.run(BUILD / "tests/load", *map(str, arguments)))

    def direct(self, *arguments):
        """The same past the bus."""
        return figures_of(run([BUILD / "tests/load", *arguments],
                              env=dict(self.env, LOAD_SOCKET=str(self.dir / "direct"))))

    def together(self, clients, *arguments):
        """The same of several clients at once: all their rates, the worst of the other figures."""
        command = [BUILD / "tests/load", *map(str, arguments)]
        processes = [subprocess.Popen(command, env=self.env, stdout=subprocess.PIPE, text=True) for _ in range(clients)]
        figures = [figures_of(process.communicate()[0]) for process in processes]
        return {k: sum(f[k] for f in figures) if k == "rate" else max(f[k] for f in figures) for k in figures[0]}

    def echo(self):
        """Starts the peer that stores nothing."""
        self.spawn(BUILD / "tests/echo")
        self.wait(lambda: "org.aftersales1.Echo" in self.run("busctl", "--system", "list", "--acquired"))

    def watch_memory(self):
        """From now on peak_memory is the most private memory that was seen."""
        self.peak_memory = 0

        def watch():
            while self.daemon.poll() is None:
                self.peak_memory = max(self.peak_memory, private_memory(self.daemon.pid))
                time.sleep(0.05)
        threading.Thread(target=watch, daemon=True).start()

    def wake_ups(self):
        """How often the daemon has been woken since its start."""
        return sum(int(re.search(r"\nvoluntary_ctxt_switches:\s+(\d+)", path.read_text(encoding="ascii")).group(1))
                   for path in pathlib.Path(f"/proc/{self.daemon.pid}/task").glob("*/status"))

    def reads(self, rounds):
        """{call: (p50, p99)} in milliseconds."""
        lines = self.run(BUILD / "tests/load", "reads", str(rounds)).splitlines()
        return {name: (float(p50), float(p99)) for name, p50, p99 in
                (re.match(r"(.*): p50_ms ([0-9.]+) p99_ms ([0-9.]+)", line).groups() for line in lines)}

    def status(self):
        """The counters of Status."""
        text = self.run("busctl", "--system", "call", "org.aftersales1", "/org/aftersales1",
                        "org.aftersales1.Manager", "Status")
        return {k: int(v) for k, v in re.findall(r'"(\w+)" [tx] (-?\d+)', text)}

    def clock(self, method, until):
        """Lets time pass ("Advance") or sets the clock ("Jump"), until then (microseconds)."""
        self.run("busctl", "--system", "--timeout=600", "call", "org.aftersales1", "/org/aftersales1",
                 "org.aftersales1.Clock", method, "x", str(until))

    def storm(self, until, others=True):
        """Everything until then is due at once: (events, seconds, figures of other calls meanwhile, if any)."""
        before = self.status()
        self.clock("Jump", until)
        text = self.run(BUILD / "tests/load", *(("storm", str(before["open"])) if others else ("wait", "1")))
        seconds, figures = float(re.match(r"seconds ([0-9.]+)", text).group(1)), {}
        for line in text.splitlines()[1:]:
            figures[line.split()[0]] = {k: float(v) for k, v in re.findall(r"(\w+_ms) ([0-9.]+)", line)}
        return self.status()["escalations_open"] - before["escalations_open"], seconds, figures


def kept(directory, name, program, make):
    """A base that is made once, by make(path), into an empty directory. Another program may store another form: a base
    belongs to the program that filled it, and those of others go."""
    directory = pathlib.Path(directory)
    stamp = hashlib.sha256(pathlib.Path(program).read_bytes()).hexdigest()[:12]
    path = directory / f"base-{name}-{stamp}"
    if not path.exists():
        directory.mkdir(parents=True, exist_ok=True)
        for old in directory.glob(f"base-{name}-*"):
            shutil.rmtree(old)
        with tempfile.TemporaryDirectory(prefix="new-", dir=directory) as work:
            os.chmod(work, 0o755)  # some peers do not run as root
            os.mkdir(f"{work}/state")
            make(f"{work}/state")
            os.rename(f"{work}/state", path)
    return path


def base(directory, n):
    """A store with n open tickets, filled when it is not there yet."""
    program = BUILD / "tests/fill"
    return kept(directory, f"open-{n}", program,
                lambda path: subprocess.run([program, CONFIG, path, str(n)], check=True, stdout=sys.stderr))


def end_of_filling(n):
    """The instant after the last ticket of a base, as the daemon's clock takes it."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(FIRST_TIME + n // 1000 + 1))
