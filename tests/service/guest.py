# SPDX-License-Identifier: Apache-2.0
"""A machine of its own with a real systemd as PID 1, over this machine's files.

The guest's root is an overlay over this machine's root: it has whatever is installed here, and
nothing that happens in it is kept. The mounts are in a mount namespace of this process, so that
they are gone with it. Whatever is run in the guest has no capability to set the clock or to touch
the kernel: both are shared with this machine.
"""

import contextlib
import ctypes
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "bus"))
sys.dont_write_bytecode = True

BOOT_LIMIT = 60  # seconds
TIME_LIMIT = 30
CLONE_NEWNS = 0x20000
TOOLS = pathlib.Path("opt/aftersales-tests")  # in the guest
WITHHELD = "-sys_time,-sys_boot,-sys_module,-sys_rawio,-mknod,-syslog,-wake_alarm"
ENVIRONMENT = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
               "LANG": "C.UTF-8", "SYSTEMD_PAGER": "", "SYSTEMD_COLORS": "0"}


def wait_for(condition, what, limit=TIME_LIMIT):
    """Asks again and again until it is so, with a limit."""
    deadline = time.monotonic() + limit
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"{what}: not within {limit} s")
        time.sleep(0.05)


def own_mounts():
    """From now on mounts of this process are its own. Skips the tests where that is not allowed."""
    if os.geteuid() != 0:
        raise unittest.SkipTest("a machine of its own takes root")
    for program in ("systemd-nspawn", "nsenter", "setpriv"):
        if not shutil.which(program):
            raise unittest.SkipTest(f"there is no {program} here")
    if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNS) < 0:
        raise unittest.SkipTest(f"no mounts of its own: {os.strerror(ctypes.get_errno())}")
    subprocess.run(["mount", "--make-rprivate", "/"], check=True)


def make(*arguments):
    """make of this project, with the build that is tested."""
    variant = os.environ.get("BUILD", "build/release").rsplit("/", 1)[-1]
    environment = {key: value for key, value in os.environ.items()
                   if key not in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS")}
    subprocess.run(["make", "-s", f"VARIANT={variant}", *arguments], cwd=ROOT, check=True,
                   env=environment, stdout=subprocess.DEVNULL)


class Guest:
    def __init__(self):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="aftersales-guest-"))
        self.root = self.directory / "root"
        self.console = self.directory / "console"
        self.machine = self.leader = None
        try:
            self.mount()
            self.furnish()
        except BaseException:
            self.close()
            raise

    def mount(self):
        """Skips where an overlay cannot be had."""
        directory = self.directory
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", directory],
                              stderr=subprocess.PIPE, text=True)
        if done.returncode == 0:
            for name in ("upper", "work", "root"):
                (directory / name).mkdir()
            done = subprocess.run(
                ["mount", "-t", "overlay", "overlay", "-o",
                 f"lowerdir=/,upperdir={directory}/upper,workdir={directory}/work", self.root],
                stderr=subprocess.PIPE, text=True)
        if done.returncode != 0:
            raise unittest.SkipTest(f"no overlay for a machine of its own: {done.stderr.strip()}")

    def furnish(self):
        """An identity of its own, no timers of this machine, our programs of the inside."""
        (self.root / "etc/machine-id").write_text("")
        for link in (self.root / "etc/systemd/system").glob("timers.target.wants/*"):
            link.unlink()
        tools = self.root / TOOLS
        tools.mkdir(parents=True)
        for name in ("bus/harness.py", "bus/broker.py", "service/inside.py"):
            shutil.copy(ROOT / "tests" / name, tools)

    def boot(self):
        with self.console.open("wb") as console:
            self.machine = subprocess.Popen(
                ["setpriv", "--pdeathsig", "TERM", "systemd-nspawn", "-q", "--register=no",
                 "--keep-unit", "--console=pipe", "--private-network", "--link-journal=no",
                 "-D", self.root, "--boot", "systemd.unit=basic.target"],
                stdin=subprocess.DEVNULL, stdout=console, stderr=subprocess.STDOUT)
        self.leader = wait_for(self.find_leader, "a process of the guest", BOOT_LIMIT)
        wait_for(lambda: self.run("systemctl", "is-active", "basic.target",
                                  check=False).returncode == 0, "the guest's start", BOOT_LIMIT)

    def find_leader(self):
        if self.machine.poll() is not None:  # before anything of ours ran in it
            raise unittest.SkipTest("no machine of its own: systemd-nspawn says: "
                                    + self.console.read_text("utf-8")[-400:])
        pids = subprocess.run(["pgrep", "-P", str(self.machine.pid)], stdout=subprocess.PIPE,
                              text=True).stdout.split()
        # Not before it has become the guest's systemd.
        with contextlib.suppress(OSError):
            if pids and pathlib.Path(f"/proc/{pids[0]}/comm").read_text() == "systemd\n":
                return pids[0]
        return None

    def close(self):
        if self.machine and self.machine.poll() is None:
            if self.leader:
                os.kill(int(self.leader), signal.SIGRTMIN + 4)  # power off
            else:
                self.machine.terminate()
            try:
                self.machine.wait(TIME_LIMIT)
            except subprocess.TimeoutExpired:
                self.machine.kill()
                self.machine.wait()
        for path in (self.root, self.directory):
            subprocess.run(["umount", "-l", path], stderr=subprocess.DEVNULL)
        with contextlib.suppress(OSError):
            self.directory.rmdir()

    # -- what is done in it --

    def command(self, command, user=None):
        identity = []
        if user:
            group = self.say("id", "-g", user)
            identity = ["--reuid", user, "--regid", group, "--init-groups"]
        return ["nsenter", "-t", self.leader, "-m", "-u", "-i", "-n", "-p", "-C", "--", "setpriv",
                f"--bounding-set={WITHHELD}", f"--inh-caps={WITHHELD}", *identity, "--", *command]

    def run(self, *command, user=None, check=True, text=None):
        """What it printed on both outputs is in stdout; raises with that when it should not fail
        and did."""
        done = subprocess.run(self.command(command, user), input=text, text=True,
                              errors="replace", env=ENVIRONMENT, cwd="/", timeout=2 * TIME_LIMIT,
                              stdin=None if text is not None else subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        if check and done.returncode != 0:
            raise AssertionError(f"{' '.join(command)}: exit status {done.returncode}\n"
                                 f"{done.stdout}")
        return done

    def say(self, *command, **options):
        return self.run(*command, **options).stdout.strip()

    def launch(self, *command, user=None):
        """Runs on; its output can be read, its input be ended."""
        return subprocess.Popen(self.command(command, user), text=True, env=ENVIRONMENT, cwd="/",
                                stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                stderr=subprocess.STDOUT)

    def inside(self, *arguments):
        return ("/usr/bin/python3", f"/{TOOLS}/inside.py", *arguments)

    def property(self, name, unit="aftersalesd.service"):
        return self.say("systemctl", "show", "--value", "-p", name, unit)

    def path(self, path):
        """Where a path of the guest is for this process."""
        return pathlib.Path(f"/proc/{self.leader}/root") / str(path).lstrip("/")

    def journal(self, *arguments):
        return self.say("journalctl", "-o", "cat", "--no-pager", *arguments)
