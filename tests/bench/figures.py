# SPDX-License-Identifier: Apache-2.0
"""What the benchmark and its short form in the tests share: a private bus, a daemon on a filled store, figures."""

import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("BUILD", ROOT / "build/release")).resolve()
CONFIG = ROOT / "conf/aftersalesd.yaml"
START_LIMIT = 60  # seconds
FIRST_TIME = 1767225600  # of tests/bench/fill.c


class Site:
    """A bus and a daemon of their own in a temporary directory; use with `with`."""

    def __init__(self, base, now):
        """base: a directory with a filled store that is copied; now: the daemon's clock, like 2026-01-01T00:00:00Z."""
        self.base, self.now = base, now
        self.processes = []

    def __enter__(self):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="aftersales-bench-"))
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
        began = time.monotonic()
        self.daemon = self.spawn(BUILD / "aftersalesd", "--foreground", f"--config={CONFIG}",
                                 f"--state={self.state}", f"--clock=manual={self.now}")
        self.wait(lambda: b"serving" in (self.dir / "log").read_bytes())
        self.start_seconds = time.monotonic() - began

    def restart(self):
        self.daemon.terminate()
        self.daemon.wait(timeout=START_LIMIT)
        self.processes.remove(self.daemon)
        self.start()

    def run(self, *command):
        return subprocess.run(command, env=self.env, check=True, capture_output=True, text=True).stdout

    def load(self, *arguments):
        """Figures of one run of the load program, by name."""
        line = self.run(BUILD / "tests/load", *map(str, arguments))
        return {k: float(v) for k, v in re.findall(r"(\w+) ([0-9.]+)", line)}

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

    def storm(self, until):
        """Everything until then is due at once: (events, seconds, figures of other calls meanwhile)."""
        before = self.status()
        self.clock("Jump", until)
        text = self.run(BUILD / "tests/load", "storm", str(before["open"]))
        seconds, figures = float(re.match(r"seconds ([0-9.]+)", text).group(1)), {}
        for line in text.splitlines()[1:]:
            figures[line.split()[0]] = {k: float(v) for k, v in re.findall(r"(\w+_ms) ([0-9.]+)", line)}
        return self.status()["escalations_open"] - before["escalations_open"], seconds, figures


def base(directory, n):
    """A store with n open tickets, filled when it is not there yet."""
    directory = pathlib.Path(directory)
    # Another program may store another form: a base belongs to the program that filled it.
    stamp = (BUILD / "tests/fill").stat()
    path = directory / f"open-{n}-{stamp.st_size}-{int(stamp.st_mtime)}"
    if not path.exists():
        directory.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=directory) as work:
            subprocess.run([BUILD / "tests/fill", CONFIG, f"{work}/state", str(n)], check=True,
                           stdout=sys.stderr)
            os.rename(f"{work}/state", path)
    return path


def end_of_filling(n):
    """The instant after the last ticket of a base, as the daemon's clock takes it."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(FIRST_TIME + n // 1000 + 1))
