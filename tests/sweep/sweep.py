#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Every allocation fails once, and every later one with it; every system call fails once, with each
error that it may have: what is said to the caller is true, nobody waits for ever, nothing
acknowledged is lost, and no signal ends the daemon.

    sweep.py [METHOD...]    all methods and the start, or those named (Tickets.Create, start.first)
    sweep.py NUMBER         the one of that number, from 1, and round again

A failure leaves the place of the failing allocation in the report (addr2line finds the line).
"""

import contextlib
import errno
import hashlib
import json
import mmap
import os
import pathlib
import re
import select
import shutil
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
import typing
import xml.etree.ElementTree

from jeepney import DBusErrorResponse
from jeepney.auth import AuthenticationError

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "bus")]

from harness import (BUILD, BusError, Client, Ended, Service, at, end_process,  # noqa: E402
                     found_company, wait_for)
from recipes import TICKET, Recipes  # noqa: E402

LIBRARY = BUILD / "tests/failing.so"
CLOCK = at("2026-03-02 09:00")
LIMIT = 10  # seconds within which a call is answered, or the daemon has ended
SHORTAGE = 0.25  # seconds that memory stays short when nobody answers
NEVER = 1 << 40
LAYOUT = struct.Struct("=6Q")  # tests/sweep/failing.c


class Mode(typing.NamedTuple):
    sticky: bool = False  # all later ones fail, too
    error: int = 0  # of a system call; 0: of an allocation


ALLOCATIONS = {"once": Mode(), "sticky": Mode(sticky=True)}
CALLS = {name: Mode(error=getattr(errno, name))
         for name in ("EIO", "ENOSPC", "EMFILE", "ENOMEM", "EACCES")}
MODES = ALLOCATIONS | CALLS
# What a caller may hear: the daemon's own, libsystemd's for it, and the bus's when the daemon ends.
ERRORS = {"TryAgain", "org.freedesktop.DBus.Error.NoMemory", "org.freedesktop.DBus.Error.NoReply"}
CALL_ERRORS = ERRORS | {"StorageFull", "Internal"}
ENDED = "org.freedesktop.DBus.Error.NoReply"
GONE = "org.freedesktop.DBus.Error.ServiceUnknown"  # had ended before the call came
# After whose error the journal may have grown: by what the daemon does beside.
BESIDE = {("Policy", "Reload"), ("Clock", "Advance"), ("Clock", "Jump"), ("Transfer", "Import"),
          ("Planning", "Run"),  # whose recipe tells of a ticket that is late by then
          ("Tickets", "Decide")}  # whose recipe lets days pass
# Whose work goes on after the answer.
JOBS = {("Transfer", "Import"), ("Transfer", "Export"), ("Backups", "Create")}


# What is swept beside the methods.
STARTS = (("start", "first"), ("start", "again"), ("start", "stop"))
NEW_CALLER = ("caller", "new")
DIRECT_CALLER = ("caller", "direct")


# Libraries that end the process themselves, at its start, when nothing is served yet; the service
# manager starts it again. glibc 2.36, when it reads nsswitch.conf for the first time; libgcrypt
# 1.10, when it is initialised.
LOADER_GAVE_UP = 127  # an exit status
KNOWN_ABORTS = (r"nss_database\.c:\d+: nss_database_reload_1: Assertion",
                r"libc\.so\.6\(__nss_database_get",
                # An assertion that has no memory for its own text.
                r"(?s)libc\.so\.6\(__nss_\w+_lookup2.*\nUnexpected error\.",
                r"FATAL: error reading .*fips_enabled' in libgcrypt",
                r"Fatal error: Cannot allocate memory",
                r"cannot allocate memory for thread-local data: ABORT")


class Failure(Exception):
    """A promise that was not kept."""


class Control:
    """What failing.so is to do, in memory that it maps."""

    def __init__(self, path):
        path.write_bytes(bytes(LAYOUT.size))
        with path.open("r+b") as file:
            self.map = mmap.mmap(file.fileno(), LAYOUT.size)

    def arm(self, n, mode):
        self.map[:] = LAYOUT.pack(0, mode.sticky, 0, 0, 1, mode.error)
        self.map[:8] = struct.pack("=Q", n)

    def disarm(self):
        self.map[:8] = bytes(8)

    def seen(self):
        return LAYOUT.unpack(self.map[:])[2]

    def failed(self):
        return LAYOUT.unpack(self.map[:])[3]

    def settle(self, quiet):
        """Waits until nothing has been allocated for so long."""
        last, since = self.seen(), time.monotonic()
        end = since + LIMIT
        while time.monotonic() < min(since + quiet, end):
            time.sleep(quiet / 8)
            if self.seen() != last:
                last, since = self.seen(), time.monotonic()


class SweptService(Service):
    """A service whose allocations fail by what is in its control file."""

    def __init__(self, *arguments, **options):
        self.control = None
        super().__init__(*arguments, started=False, **options)
        self.control_path = self.directory / "control"
        self.control = Control(self.control_path)

    def environment(self):
        return super().environment() | {"LD_PRELOAD": str(LIBRARY),
                                        "SWEEP_CONTROL": str(self.control_path)}

    def start(self, clock):
        """As there, but it is known at once that the daemon has ended."""
        notify = self.directory / "notify"
        notify.unlink(missing_ok=True)
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ready:
            ready.bind(str(notify))
            self.launch(clock, notify)
            end = os.pidfd_open(self.daemon.pid)
            try:
                self.wait_until_ready(ready, end)
            finally:
                os.close(end)

    def wait_until_ready(self, ready, end):
        deadline = time.monotonic() + LIMIT
        while time.monotonic() < deadline:
            readable = select.select([ready, end], [], [], 1)[0]
            if ready in readable and b"READY=1" in ready.recv(4096):
                return
            if end in readable:
                self.daemon.wait()
                raise Ended(f"the daemon has ended with {self.daemon.returncode}")
        raise Failure("the daemon neither serves nor ends")

    def log_since(self, offset):
        return self.log_path.read_bytes()[offset:].decode(errors="replace")


def place(log):
    """Where the first allocation failed, as functions and lines."""
    addresses = re.findall(r"aftersalesd\(\+(0x[0-9a-f]+)\)", log)
    libraries = re.findall(r"/(lib[a-z]+)[-.0-9so]*\(", log)
    found = subprocess.run(["addr2line", "-sfpe", BUILD / "aftersalesd", *addresses[:8]],
                           capture_output=True, text=True, check=False).stdout.splitlines()
    return f"{'/'.join(dict.fromkeys(libraries))}: {' < '.join(found)}"


def failure(text, service, offset):
    log = service.log_since(offset)
    said = "\n".join(line for line in log.splitlines() if re.match(r"<\d>|error: ", line))
    return Failure(f"{text}\n  failed in {place(log)}\n{said[-1500:]}")


def is_known_abort(service, log):
    """Of one that has not served yet."""
    return (service.daemon.returncode in (-signal.SIGABRT, -signal.SIGSEGV, LOADER_GAVE_UP) and
            "serving" not in log and any(re.search(text, log) for text in KNOWN_ABORTS))


def end_of(service, offset, starting=False):
    """A daemon that has ended must have done so with a status, and have said why."""
    status = service.daemon.wait(LIMIT)
    log = service.log_since(offset)
    if starting and is_known_abort(service, log):
        return
    if status <= 0:
        raise Failure(f"the daemon has ended with {status}")
    if not re.search(r"^(<[0-3]>|error: ).+", log, re.M):
        raise Failure(f"the daemon has ended with {status} and has not said why")


class StartSweep:
    """The start of the daemon (without a store, "first"; with one after a kill, "again"), and its
    orderly end ("stop")."""

    def __init__(self, what):
        self.what = what
        self.injected = self.answered = self.refused = self.ended = self.acknowledged = 0
        self.service = SweptService(CLOCK, Recipes.POLICY)

    def __enter__(self):
        self.service.start(CLOCK)
        self.client = self.service.client()
        found_company(self.client)
        self.note()
        self.service.kill()
        return self

    def __exit__(self, *_):
        self.service.control.disarm()
        self.service.close()

    def note(self):
        """Something is acknowledged, in the log alone."""
        self.client.create(**TICKET)
        self.acknowledged = self.client.status()["sequence"]

    def start_armed(self, n, mode, offset):
        """Whether it serves."""
        if self.what == "first":
            shutil.rmtree(self.service.state, ignore_errors=True)
            self.acknowledged = 0
        self.service.control.arm(n, mode)
        try:
            self.service.start(CLOCK)
            self.service.control.settle(0.005)
        except Ended:
            pass
        self.service.control.disarm()
        if self.service.daemon.poll() is not None:
            end_of(self.service, offset, starting=True)
            return False
        return True

    def stop_armed(self, n, mode, offset):
        self.service.start(CLOCK)
        self.note()
        self.service.control.arm(n, mode)
        status = end_process(self.service.daemon, signal.SIGTERM)
        self.service.control.disarm()
        if status:
            end_of(self.service, offset)
        return False

    def judge(self, serves):
        """What was acknowledged is there, if need be after another start."""
        if serves:
            self.answered += 1
        else:
            self.ended += 1
            if self.ended % 64 == 1 and self.service.state.exists() and self.what != "first":
                self.assert_clean()
            self.service.start(CLOCK)
        if self.client.status()["sequence"] < self.acknowledged:
            raise Failure("something acknowledged is lost")
        self.service.kill()

    def assert_clean(self):
        faults = self.service.check()
        if faults:
            raise Failure("faults in the store: " + "; ".join(faults[:5]))

    def inject(self, n, mode):
        offset = self.service.log_path.stat().st_size
        try:
            run = self.stop_armed if self.what == "stop" else self.start_armed
            serves = run(n, MODES[mode], offset)
            failed = self.service.control.failed() > 0
            self.judge(serves)
        except (Failure, AssertionError, BusError, subprocess.TimeoutExpired) as e:
            self.service.kill()
            raise failure(f"start {self.what} {mode} {n}: {e}", self.service, offset) from e
        self.injected += failed
        return failed

    def sweep(self, mode, step=1):
        n = 1
        while self.inject(n, mode):
            n += step


class MethodSweep:
    """One method over all of its allocations, in a daemon of its own."""

    def __init__(self, interface, member):
        self.name = interface, member
        self.now = CLOCK
        self.starts = 0
        self.injected = self.answered = self.refused = self.ended = 0
        self.acknowledged = self.job = 0
        self.service = SweptService(CLOCK, Recipes.POLICY)

    def __enter__(self):
        self.start()
        found_company(self.client)
        self.recipes = Recipes(self.client, self)
        self.recipe = self.recipes.table()[self.name]
        return self

    def __exit__(self, *_):
        self.service.control.disarm()
        self.service.close()

    # -- the clock and the life of the daemon --

    def jump(self, by):
        self.now = self.client.now() + by
        self.client.jump(self.now)

    def advance(self, by):
        self.now = self.client.now() + by
        self.client.advance(self.now)

    def start(self):
        self.service.start(self.now)
        self.starts += 1
        self.connect()

    def connect(self):
        if not self.service.clients:
            self.service.client()
        self.client = self.service.clients[0]

    def sequence(self):
        return self.client.status()["sequence"]

    def begin_again(self, offset):
        """After the daemon's end: all that was acknowledged is there."""
        end_of(self.service, offset)
        self.ended += 1
        if self.ended % 16 == 1:
            self.assert_clean()
        self.start()
        if self.sequence() < self.acknowledged:
            raise Failure(f"acknowledged up to {self.acknowledged}, there up to {self.sequence()}")

    def assert_clean(self):
        faults = self.service.check()
        if faults:
            raise Failure("faults in the store: " + "; ".join(faults[:5]))

    # -- one call --

    def caller(self):
        """Who makes the call."""
        return self.client

    def message(self):
        return self.client.message(*self.name, *self.arguments)

    @staticmethod
    def receive(client, serial, limit):
        """The answer, or None; whatever else comes is passed over."""
        deadline = time.monotonic() + limit
        while True:
            try:
                message = client.connection.receive(timeout=max(deadline - time.monotonic(), 0))
            except TimeoutError:
                return None
            if client.take(message) == serial:
                answer = client.answer(message)
                return [] if answer is None else answer

    def call_armed(self, n, mode):
        control = self.service.control
        message = self.message()
        client = self.caller()
        control.arm(n, mode)
        serial = client.post(message)
        answer = self.receive(client, serial, SHORTAGE if mode.sticky else LIMIT)
        if answer is None and mode.sticky:
            control.disarm()
            answer = self.receive(client, serial, LIMIT)
        elif not isinstance(answer, BusError) or answer.name != ENDED:
            control.settle(0.03 if self.name in JOBS else 0.002)
        control.disarm()
        if answer is None:
            raise Failure("the call was not answered, and the daemon has not ended")
        if isinstance(answer, BusError) and answer.name == GONE:  # it was still busy with what came before, and met it
            answer.name = ENDED
        return answer

    def judge(self, answer, mode, before, offset):
        """Whether the daemon has ended."""
        if isinstance(answer, BusError):
            if answer.name not in (CALL_ERRORS if mode.error else ERRORS):
                raise Failure(f"the caller heard {answer}")
            self.refused += 1
        else:
            self.answered += 1
        ended = self.has_ended(answer)
        if ended:
            self.begin_again(offset)
        after = self.sequence()
        refused = isinstance(answer, BusError) and not ended
        if refused and after != before and self.name not in BESIDE:
            raise Failure(f"refused ({answer}), but the journal went from {before} to {after}")
        if refused and self.newest_job() != self.job:
            raise Failure(f"refused ({answer}), but the job was begun")
        self.acknowledged = max(self.acknowledged, after)

    def newest_job(self):
        """Of a method that starts one."""
        jobs = self.client.call("Jobs", "List") if self.name in JOBS else ()
        return jobs[0]["id"] if jobs else 0

    def has_ended(self, answer):
        if self.tells_of_the_end(answer):
            self.service.daemon.wait(LIMIT)
        try:  # it answers, or it is about to end
            self.client.call("org.freedesktop.DBus.Peer", "Ping")
        except BusError:
            self.service.daemon.wait(LIMIT)
        return self.service.daemon.poll() is not None

    def tells_of_the_end(self, answer):
        return isinstance(answer, BusError) and answer.name == ENDED

    def wait_for_jobs(self):
        """None goes on for ever."""
        wait_for(lambda: all(job["state"] != "running" for job in self.client.call("Jobs", "List")),
                 "the end of the jobs", LIMIT)

    def again(self, answer):
        """The same call succeeds now that there is memory."""
        self.wait_for_jobs()
        self.arguments = self.recipe() if self.name == ("Clock", "Advance") or self.name[0] in (
            "Jobs", "Transfer") else self.arguments
        if not isinstance(answer, BusError) or answer.name == ENDED:
            return
        second = self.caller().calls([self.message()])[0]
        if isinstance(second, BusError):
            raise Failure(f"after {answer}, the same call was refused: {second}")
        self.wait_for_jobs()
        self.acknowledged = self.sequence()

    def inject(self, n, mode):
        """Whether there was an n-th allocation."""
        self.arguments = self.recipe()
        before, self.job = self.sequence(), self.newest_job()
        self.acknowledged = max(self.acknowledged, before)
        offset = self.service.log_path.stat().st_size
        try:
            answer = self.call_armed(n, MODES[mode])
            failed = self.service.control.failed() > 0
            self.judge(answer, MODES[mode], before, offset)
            self.again(answer)
        except (Failure, AssertionError, BusError, subprocess.TimeoutExpired) as e:
            raise failure(f"{'.'.join(self.name)} {mode} {n}: {e}", self.service, offset) from e
        finally:
            self.recipes.close()
        self.injected += failed
        return failed

    def sweep(self, mode, step=1, first=1):
        n = first
        while self.inject(n, mode):
            n += step
        return n


class NewCallerSweep(MethodSweep):
    """The first call of a connection: the bus is asked who that is."""

    def __init__(self):
        super().__init__("Manager", "Status")
        self.callers = {}

    def caller(self):
        """A new one for each place, and the same for the call that follows."""
        place = self.injected, self.starts
        if place not in self.callers:
            for client in self.callers.values():
                client.close()
            self.callers = {place: Client(self.service.address)}
        return self.callers[place]

    def again(self, answer):
        super().again(answer)
        if isinstance(self.caller().calls([self.message()])[0], BusError):
            raise Failure("the caller has lost its rights")


class DirectCallerSweep(MethodSweep):
    """Who connects past the bus, and the first call there."""

    def __init__(self):
        super().__init__("Manager", "Status")

    def call_armed(self, n, mode):
        control = self.service.control
        end = threading.Timer(SHORTAGE if mode.sticky else LIMIT, control.disarm)
        control.arm(n, mode)
        end.start()
        try:
            answer = self.call_once()
        finally:
            end.cancel()
        control.settle(0.002)
        control.disarm()
        return answer

    def tells_of_the_end(self, _):
        """It may have hung up on this caller alone."""
        return False

    def call_once(self):
        """The answer; who is not let in, or loses the connection, has none."""
        try:
            with contextlib.closing(Client(self.service.direct)) as client:
                return client.calls([self.message()])[0]
        except (ConnectionError, EOFError, AuthenticationError, DBusErrorResponse) as e:
            return BusError("org.freedesktop.DBus.Error.NoReply", str(e))

    def again(self, _):
        second = self.call_once()
        if isinstance(second, BusError):
            raise Failure(f"a later connection was refused: {second}")


def offered(service):
    """(interface, method) of all that the daemon offers."""
    client = service.client()
    document = client.call("org.freedesktop.DBus.Introspectable", "Introspect")
    return [(interface.get("name").removeprefix("org.aftersales1."), method.get("name"))
            for interface in xml.etree.ElementTree.fromstring(document).findall("interface")
            if interface.get("name").startswith("org.aftersales1.")
            for method in interface.findall("method")]


def all_methods():
    with contextlib.closing(Service(CLOCK, Recipes.POLICY)) as service:
        return offered(service)


def sweep_all(name, modes=tuple(MODES), step=1):
    """The sweep, ended, with its counts."""
    # Without any memory libsystemd cannot even close a connection: it stays, and has no answers.
    without = {"sticky"} if name == DIRECT_CALLER else set()
    with make_sweep(name) as sweep:
        for mode in [mode for mode in modes if mode not in without]:
            sweep.sweep(mode, step)
        sweep.assert_clean()
        return sweep


def make_sweep(name):
    if name[0] == "start":
        return StartSweep(name[1])
    callers = {NEW_CALLER: NewCallerSweep, DIRECT_CALLER: DirectCallerSweep}
    return callers[name]() if name in callers else MethodSweep(*name)


COUNTS = ("injected", "answered", "refused", "ended")


def kept():
    """Where what was swept of this very program is kept: a sweep that was cut short goes on."""
    digest = hashlib.sha256()
    for path in (BUILD / "aftersalesd", LIBRARY, HERE / "sweep.py", HERE / "recipes.py"):
        digest.update(path.read_bytes())
    directory = BUILD / "sweep" / digest.hexdigest()[:16]
    directory.mkdir(parents=True, exist_ok=True)
    return directory


def sweep_and_keep(name, path):
    """The counts, or None and what was wrong is said."""
    if path.exists():
        return json.loads(path.read_text())
    began = time.monotonic()
    try:
        done = sweep_all(name)
    except Failure as e:
        print(e, flush=True)
        return None
    counts = {what: getattr(done, what) for what in COUNTS}
    path.write_text(json.dumps(counts))
    print(f"{'.'.join(name)}: {counts} in {time.monotonic() - began:.1f} s", flush=True)
    return counts


def chosen(names, arguments):
    if len(arguments) == 1 and arguments[0].isdigit():
        return [names[(int(arguments[0]) - 1) % len(names)]]
    return [name for name in names if not arguments or ".".join(name) in arguments]


def main(arguments):
    total = dict.fromkeys(COUNTS, 0)
    names = chosen([*STARTS, NEW_CALLER, DIRECT_CALLER, *all_methods()], arguments)
    bad = []
    directory = kept()
    for name in names:
        counts = sweep_and_keep(name, directory / ".".join(name))
        if counts is None:
            bad.append(".".join(name))
            continue
        for what in COUNTS:
            total[what] += counts[what]
    print(f"{total['injected']} failures in {len(names)} sweeps: {total['answered']} calls "
          f"and starts went well, {total['refused']} were refused, {total['ended']} orderly ends; "
          f"{len(bad)} sweeps with a fault {' '.join(bad)}")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
