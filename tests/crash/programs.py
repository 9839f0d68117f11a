# SPDX-License-Identifier: Apache-2.0
"""Programs under the recorder, and the states that a power cut can leave of what they did.

A Recorded is a service whose files are all below one directory, `disk`, that the recorder looks at.
About STATES of each moment are judged, SEED says which where there are more; 0 are all.
"""

import concurrent.futures
import hashlib
import json
import os
import pathlib
import shutil
import struct
import subprocess
import sys
import tempfile
import threading

sys.path += [str(pathlib.Path(__file__).resolve().parents[1] / folder) for folder in ("bus", "faults")]

from harness import BUILD, DAEMON, TIME_LIMIT, Service, iso  # noqa: E402
from support import START, policy  # noqa: E402

STATES = int(os.environ.get("STATES", "2"))  # judged of each moment, about; 0: all
SEED = os.environ.get("SEED", "0")
MARK = 11  # CRASH_MARK of log.h
PARTS = 2  # processes that judge at a time


def write_mark(log, number):
    """All that was acknowledged until now is in what the log has before."""
    entry = struct.pack("<4Q40s40s2Q", MARK, 0, 0, 0, b"", b"", number, 0)
    with open(log, "ab", buffering=0) as file:
        file.write(entry)


def as_far_as_the_bus(now):
    return "--foreground", "--bus=unix:path=/nonexistent/bus", f"--clock=manual={iso(now)}"


class Look:
    """What a store has, by --check and --dump."""

    def __init__(self, rows):
        self.head = rows[0]
        self.records = [row for row in rows if "table" in row]
        self.journal = [row for row in rows if "journal" in row]
        text = json.dumps([self.records, self.journal, self.head["next"]], sort_keys=True)
        self.digest = hashlib.sha256(text.encode()).hexdigest()

    def of(self, table):
        return [row["record"] for row in self.records if row["table"] == table]


class Recorded(Service):
    def __init__(self, map_size):
        super().__init__(START, policy(map_size=map_size), started=False)
        self.disk = self.directory / "disk"
        self.disk.mkdir()
        self.state = self.disk / "state"
        self.log = self.directory / "recorded"
        self.is_recording = False

    def environment(self):
        more = {"LD_PRELOAD": str((BUILD / "tests/recorder.so").resolve()),
                "CRASH_DIRECTORY": str(self.disk), "CRASH_LOG": str(self.log)}
        return super().environment() | (more if self.is_recording else {})

    def record(self, *arguments, status=0):
        """Runs the program; that it ended well is what is acknowledged, as 1."""
        self.is_recording = True
        self.run(self.state, *arguments, status=status)
        self.is_recording = False
        write_mark(self.log, 1)

    def run(self, state, *arguments, status=0):
        done = subprocess.run([DAEMON, "--config", self.config, "--state", state, *arguments],
                              env=self.environment(), capture_output=True, text=True,
                              errors="replace", timeout=TIME_LIMIT, check=False)
        if done.returncode != status:
            raise AssertionError(f"{arguments} ended with {done.returncode}:\n"
                                 f"{done.stdout}{done.stderr}")
        return done.stdout

    def begin(self, state, now):
        """A daemon that comes as far as to the bus, where there is none."""
        self.run(state, *as_far_as_the_bus(now), status=1)

    def record_begin(self, now):
        self.record(*as_far_as_the_bus(now), status=1)

    def dump(self, state):
        return Look([json.loads(line) for line in self.run(state, "--dump=-").splitlines()])

    def look(self, state):
        self.run(state, "--check")
        return self.dump(state)


class Judged:
    """The states of a log, each given to judge(directory, acknowledged, number), which raises
    AssertionError; after the first of those no more are looked at."""

    def __init__(self, log, judge, mutant=None, limit=STATES):
        self.log, self.judge, self.mutant, self.limit = log, judge, mutant, limit
        self.judged = self.states = self.different = 0
        self.lock = threading.Lock()
        self.fault = None
        with concurrent.futures.ThreadPoolExecutor(PARTS) as pool:
            for _ in pool.map(self.judge_part, range(PARTS)):
                pass

    def judge_part(self, part):
        scratch = pathlib.Path(tempfile.mkdtemp(prefix="crash-", dir="/dev/shm"))
        command = [BUILD / "tests/crash", "states", scratch, str(self.limit), str(part), self.log]
        try:
            with subprocess.Popen([*command, *([self.mutant] if self.mutant else [])], text=True,
                                  stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
                self.judge_states(process, scratch)
            if process.returncode != 0:
                raise AssertionError(f"{command} ended with {process.returncode}")
        finally:
            shutil.rmtree(scratch)

    def judge_states(self, process, scratch):
        for line in process.stdout:
            number, value = line.split()[:2]
            if value == "states,":
                self.states, self.different = int(number), int(line.split()[2])
                return
            self.judge_state(scratch, int(value), int(number))
            if self.fault:
                break
            process.stdin.write("\n")
            process.stdin.flush()
        process.stdin.close()
        process.stdout.read()

    def judge_state(self, scratch, acknowledged, number):
        try:
            self.judge(scratch, acknowledged, number)
        except AssertionError as error:
            self.fault = f"state {number}, {acknowledged} acknowledged: {error}"
        with self.lock:
            self.judged += 1
