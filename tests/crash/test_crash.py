#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Power cuts: whatever part of what was written has got to the disk, all that was acknowledged is there and whole."""

import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("BUILD", ROOT / "build/release")).resolve()
SHORT = ("first", "log", "checkpoints", "beside", "large")
HISTORIES = os.environ.get("HISTORIES", " ".join(SHORT)).split()
LIMIT = int(os.environ.get("LIMIT", "300"))  # seconds that one history may take
FIGURES = re.compile(r"(\d+) states, (\d+) different, (\d+) lost, (\d+) torn, (\d+) that cannot be opened")


class Crash(unittest.TestCase):
    def setUp(self):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="crash-"))
        self.addCleanup(shutil.rmtree, self.directory)
        self.state = self.directory / "state"
        self.state.mkdir()

    def work(self, history, **env):
        done = subprocess.run([BUILD / "tests/crash", "work", self.state, history],
                              env={**os.environ, **env}, stdout=subprocess.PIPE, text=True,
                              timeout=LIMIT, check=True)
        return done.stdout.strip()

    def judge(self, history, *mutant):
        """The exit status, and what is said of the states."""
        changes = "0"
        if history != "first":
            changes = self.work("log")
        log = self.directory / "log"
        self.work(history, LD_PRELOAD=str(BUILD / "tests/recorder.so"),
                  CRASH_DIRECTORY=str(self.state), CRASH_LOG=str(log))
        with tempfile.TemporaryDirectory(prefix="crash-", dir="/dev/shm") as scratch:
            done = subprocess.run([BUILD / "tests/crash", "judge", scratch, changes, log, history,
                                   *mutant], capture_output=True, text=True, timeout=LIMIT,
                                  check=False)
        return done.returncode, done.stdout, done.stderr

    def test_all_is_there(self):
        for history in HISTORIES:
            with self.subTest(history=history):
                self.setUp()
                status, out, err = self.judge(history)
                self.assertEqual(status, 0, out + err[-2000:])
                states, different, *bad = map(int, FIGURES.search(out).groups())
                self.assertEqual(bad, [0, 0, 0])
                self.assertGreater(different, 300)
                print(f"figure: power cuts, {out.strip()}")

    def test_a_store_that_does_not_wait(self):
        """What would come of it is seen: otherwise the others prove nothing."""
        for history, mutant in (("first", "directory"), ("log", "dsync"), ("checkpoints", "sync"),
                                ("beside", "sync")):
            with self.subTest(mutant=mutant):
                self.setUp()
                status, out, _ = self.judge(history, mutant)
                self.assertNotEqual(status, 0, out)
                print(f"mutant found: {history}-{mutant}")
                if status > 0:  # else LMDB has ended the process over a page that is none
                    self.assertGreater(sum(map(int, FIGURES.search(out).groups()[2:])), 0)


if __name__ == "__main__":
    unittest.main()
