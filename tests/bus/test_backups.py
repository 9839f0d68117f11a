# SPDX-License-Identifier: Apache-2.0
"""Backups over the bus: made as jobs, listed, the oldest removed when a new one is good."""

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import time
import unittest

from files import as_csv, import_file
from harness import BUILD, DAEMON, FreshServiceTest, POLICY, Service, TIME_LIMIT, wait_for

NAME = r"backup-\d{8}T\d{6}Z\.mdb"


class Backups(FreshServiceTest):
    def create(self):
        return self.client.call("Jobs", "Wait", "t", self.client.call("Backups", "Create"))

    def ctl(self, *arguments):
        return subprocess.run([BUILD / "aftersalesctl", "backup", *arguments], text=True,
                              capture_output=True, env=self.service.environment(),
                              timeout=TIME_LIMIT, check=False)

    def test_create_and_list(self):
        self.assertEqual(self.client.call("Backups", "List"), [])
        self.ticket()
        sequence = self.client.status()["sequence"]
        job = self.create()
        self.assertEqual((job["state"], job["work"]), ("done", "backup"), job)
        self.assertRegex(job["name"], NAME)
        self.assertEqual(job["sequence"], sequence)
        path = self.service.state / "backup" / job["name"]
        self.assertEqual(path.stat().st_mode & 0o777, 0o600)
        self.assertEqual(path.parent.stat().st_mode & 0o777, 0o700)
        row, = self.client.call("Backups", "List")
        self.assertEqual((row["name"], row["bytes"]), (job["name"], path.stat().st_size))
        self.assertEqual(job["bytes"], row["bytes"])
        self.assertLess(abs(row["time"] / 1e6 - path.stat().st_mtime), 5)

    def test_the_oldest_go(self):
        directory = self.service.directory / "kept"
        self.service.configure(POLICY.read_text("utf-8") +
                               f"backup: {{directory: {directory}, keep: 3}}\n")
        directory.mkdir()
        old = [f"backup-2020010{day}T000000Z.mdb" for day in range(1, 6)]
        for name in (*old, "backup-20200109T000000Z.mdb.new", "backup-20200101", "notes"):
            (directory / name).write_bytes(b"x")
        self.client.call("Policy", "Reload")
        job = self.create()
        self.assertEqual(job["state"], "done", job)
        self.assertEqual(set(os.listdir(directory)),
                         {job["name"], *old[-2:], "backup-20200101", "notes"})
        self.assertEqual([row["name"] for row in self.client.call("Backups", "List")],
                         [job["name"], old[-1], old[-2]])

    def overwrite(self, path, old, new):
        """In place: the daemon has it open."""
        # Once the last checkpoint is made nobody else writes to it.
        wait_for(lambda: time.time() - path.stat().st_mtime > 1.5, "the last checkpoint")
        data = path.read_bytes()
        self.assertIn(old, data)
        with path.open("r+b") as file:
            file.write(data.replace(old, new))

    def test_nothing_goes_for_one_that_failed(self):
        directory = self.service.state / "backup"
        directory.mkdir()
        old = [f"backup-202001{day:02}T000000Z.mdb" for day in range(1, 10)]
        for name in old:
            (directory / name).write_bytes(b"x")
        store = self.service.state / "state.mdb"
        for _ in range(100):
            self.ticket(description="x" * 1000)
        self.overwrite(store, b"x" * 1000, b"y" * 1000)
        job = self.create()
        self.overwrite(store, b"y" * 1000, b"x" * 1000)
        self.assertEqual(job["state"], "failed", job)
        self.assertIn("faults were found", job["error"])
        self.assertGreater(job["problems"], 0)
        self.assertEqual(set(os.listdir(directory)), set(old))

    def test_two_at_once(self):
        jobs = [self.client.call("Backups", "Create") for _ in range(2)]
        ended = [self.client.call("Jobs", "Wait", "t", job) for job in jobs]
        self.assertIn("done", [job["state"] for job in ended])
        names = {job["name"] for job in ended if job["state"] == "done"}
        self.assertEqual({row["name"] for row in self.client.call("Backups", "List")}, names)

    def child_of(self, pid):
        with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as children:
            return next(iter(children.read().split()), None)

    def test_a_proof_ends_with_its_backup(self):
        rows = [{"code": f"X-{i}", "symptom": "x" * 100} for i in range(20000)]
        self.assertEqual(import_file(self.client, "fault", as_csv(rows))[1], [])
        job = self.client.call("Backups", "Create")
        helper = wait_for(lambda: self.child_of(self.service.daemon.pid), "the helper")
        prover = wait_for(lambda: self.child_of(helper), "the proof")
        os.kill(int(prover), signal.SIGSTOP)  # it takes longer than the test can wait
        self.client.call("Jobs", "Cancel", "t", job)
        try:
            self.assertEqual(self.client.call("Jobs", "Wait", "t", job)["state"], "cancelled")
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(prover), signal.SIGCONT)

    @unittest.skipUnless(shutil.which("strace"), "needs strace")
    @unittest.skipIf(BUILD.name == "asan", "a helper that is traced cannot look for leaks")
    def test_a_directory_that_does_not_answer(self):
        """It may lie on a machine that is away: whoever asks waits, and nobody else."""
        made = self.create()["name"]
        tracer = subprocess.Popen(["strace", "-f", "-o", "/dev/null", "-e", "trace=getdents64", "-e",
                                   "inject=getdents64:delay_enter=2s", "-p",
                                   str(self.service.daemon.pid)], stderr=subprocess.PIPE)
        try:
            tracer.stderr.readline()  # "Process ... attached"
            askers = [self.service.client() for _ in range(2)]
            serials = [asker.post(asker.message("Backups", "List")) for asker in askers]
            began = time.monotonic()
            for _ in range(20):
                self.client.status()
            took = time.monotonic() - began
            answers = [asker.next_answer() for asker in askers]
            self.assertGreater(time.monotonic() - began, 1.5)
        finally:
            tracer.terminate()
            tracer.wait()
            tracer.stderr.close()
        self.assertLess(took, 1.5)
        for serial, (answered, rows) in zip(serials, answers):
            self.assertEqual((serial, [row["name"] for row in rows]), (answered, [made]))
        # Once more, by a helper of its own.
        self.assertEqual(len(self.client.call("Backups", "List")), 1)

    def test_a_directory_that_cannot_be_read(self):
        broken = self.service.directory / "file"
        broken.write_text("")
        self.service.configure(POLICY.read_text("utf-8") + f"backup: {{directory: {broken}}}\n")
        self.client.call("Policy", "Reload")
        with self.refused("Internal", str(broken), "Not a directory"):
            self.client.call("Backups", "List")

    def test_long_names(self):
        """What is too long to be told is cut between two characters."""
        for offset in range(3):
            directory = self.service.directory / ("x" * offset + "备" * 60)
            directory.write_text("")
            long = f"{directory}/{'份' * 200}/{'份' * 60}"
            self.service.configure(POLICY.read_text("utf-8") + f"backup: {{directory: {long}}}\n")
            self.client.call("Policy", "Reload")
            job = self.create()
            self.assertEqual(job["state"], "failed")
            self.assertIn("备备", job["error"])
            self.assertEqual(self.client.call("Jobs", "List")[0], job)
            with self.refused("Internal", "份份"):
                self.client.call("Backups", "List")

    def test_command(self):
        made = self.ctl()
        self.assertEqual(made.returncode, 0, made.stderr)
        name = re.match(rf"({NAME}): \d+ records in \d+ bytes, up to change \d+, proved\n$",
                        made.stdout)
        self.assertTrue(name, made.stdout)
        listed = self.ctl("list", "--json")
        self.assertEqual(listed.returncode, 0, listed.stderr)
        self.assertIn(name[1], json.dumps(json.loads(listed.stdout)))
        self.assertIn(name[1], self.ctl("list").stdout)
        (self.service.state / "backup").chmod(0o700)
        broken = self.service.directory / "file"
        broken.write_text("")
        self.service.configure(POLICY.read_text("utf-8") + f"backup: {{directory: {broken}}}\n")
        self.client.call("Policy", "Reload")
        failed = self.ctl()
        self.assertNotEqual(failed.returncode, 0)
        self.assertIn("Not a directory", failed.stderr)


class OfTheConfiguration(FreshServiceTest):
    """A daemon that nobody but its configuration tells where its store is."""

    def setUp(self):
        self.service = Service(self.CLOCK, started=False)
        self.addCleanup(self.service.close)
        self.service.configure(POLICY.read_text("utf-8").replace(
            "store:\n", f"store:\n  directory: {self.service.state}\n", 1))
        self.service.command = lambda *arguments: [DAEMON, "--config", self.service.config,
                                                   *arguments]
        self.service.start(self.CLOCK)
        self.client = self.service.client()

    def test_a_name_that_is_no_text(self):
        self.service.stop()
        self.service.state = os.fsencode(self.service.directory) + b"/\xff\xe5\xa4"
        del self.service.command
        self.service.start(self.CLOCK)
        with open(self.service.state + b"/backup", "wb"):
            pass
        with self.refused("Internal", "/???/backup", "Not a directory"):
            self.client.call("Backups", "List")
        self.assertIn("/???/backup", self.client.call("Jobs", "Wait", "t", self.client.call(
            "Backups", "Create"))["error"])

    def test_after_reloads(self):
        for day in (8, 9, 10):
            text = self.service.config.read_text("utf-8")
            self.service.config.write_text(re.sub(r"keep: \d+d", f"keep: {day}d", text), "utf-8")
            self.client.call("Policy", "Reload")
            job = self.client.call("Jobs", "Wait", "t", self.client.call("Backups", "Create"))
            self.assertEqual(job["state"], "done", job)
            self.assertTrue((self.service.state / "backup" / job["name"]).exists())
        self.assertEqual(self.client.call("Manager", "Check")[1], [])


if __name__ == "__main__":
    unittest.main()
