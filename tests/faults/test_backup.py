#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A backup is whole or not there, holds what was acknowledged before it began, and disturbs nobody.

SEED=n repeats a run.
"""

import os
import random
import re
import shutil
import signal
import subprocess
import threading
import time
import unittest

from support import START, FaultTest, can_inject, create_message, run
from harness import IN_FLIGHT, figure, needs_root, variants

SEED = int(os.environ.get("SEED", random.SystemRandom().randrange(1 << 32)))
TEXT = "x" * 1000


class BackupTest(FaultTest):
    def setUp(self):
        self.open()
        self.begin()
        self.directory = self.service.directory
        self.made = 0

    def new_path(self):
        self.made += 1
        return self.directory / f"backup-{self.made}"

    def back_up(self, path=None, **options):
        path = path or self.new_path()
        return path, run(self.service, f"--backup={path}", **options)

    def tickets_in(self, path):
        """Restores it elsewhere; the ids of the tickets there."""
        other = self.make_service()
        restored = run(other, f"--restore={path}")
        self.assertEqual(restored.status, 0, restored.said)
        self.assertEqual(other.check(), [])
        other.start(START)
        rows = other.client().list_all("Tickets", {"ended": True})
        other.close()
        return {row["id"] for row in rows}

    def assert_absent(self, path):
        self.assertFalse(path.exists())
        self.assertFalse(path.with_name(path.name + ".new").exists())


class Backup(BackupTest):
    def test_beside_and_alone(self):
        tickets = {self.ticket() for _ in range(20)}
        path, beside = self.back_up()
        self.assertEqual(beside.status, 0, beside.said)
        self.assertEqual(beside.counts["sequence"], self.client.status()["sequence"])
        self.assertEqual(beside.counts["bytes"], path.stat().st_size)
        self.assertGreater(beside.counts["records"], len(tickets))
        self.assertEqual(path.stat().st_mode & 0o777, 0o600)
        self.assertEqual(self.tickets_in(path), tickets)
        self.service.stop()
        again, alone = self.back_up()
        self.assertEqual(alone.status, 0, alone.said)
        self.assertEqual(self.tickets_in(again), tickets)

    def test_what_is_there_stays(self):
        path, _ = self.back_up()
        before = path.read_bytes()
        _, second = self.back_up(path)
        self.assertEqual(second.status, 73)
        self.assertIn("failed", second.out)
        self.assertIn("there is such a file already", second.out)
        self.assertEqual(path.read_bytes(), before)
        _, nowhere = self.back_up(self.directory / "none" / "backup")
        self.assertEqual(nowhere.status, 73)
        self.assertIn("No such file or directory", nowhere.out)

    def test_under_load(self):
        """Ids come in order and a snapshot is of one moment: there is no gap in it, and all that
        was acknowledged before."""
        acknowledged, stop = set(), threading.Event()

        def load():
            client = self.service.client()
            flying = 0
            while not stop.is_set() or flying:
                while not stop.is_set() and flying < IN_FLIGHT:
                    client.post(create_message(client, description=TEXT))
                    flying += 1
                _, answer = client.next_answer()
                acknowledged.add(answer[0])
                flying -= 1

        thread = threading.Thread(target=load)
        thread.start()
        try:
            backups = []
            for _ in range(4):
                time.sleep(0.2)
                before = set(acknowledged)
                path, made = self.back_up()
                self.assertEqual(made.status, 0, made.said)
                backups.append((path, before))
        finally:
            stop.set()
            thread.join()
        for path, before in backups:
            held = self.tickets_in(path)
            self.assertEqual(before - held, set())
            self.assertEqual(held, set(range(min(held), min(held) + len(held))))
        figure(f"4 backups beside {len(acknowledged)} creations: each of one moment")
        self.assert_clean()


@unittest.skipUnless(can_inject(), "needs strace")
class CutShort(BackupTest):
    def setUp(self):
        super().setUp()
        self.tickets = {self.ticket(description=TEXT) for _ in range(300)}
        self.service.stop()

    def test_killed_at_every_call(self):
        killed = 0
        for call in ("write", "fsync", "ftruncate", "fchmod", "renameat2", "unlink"):
            for when in range(1, 50):
                path, made = self.back_up(inject=f"{call}:signal=SIGKILL:when={when}")
                if made.status == 0 or path.exists():
                    self.assertEqual(self.tickets_in(path), self.tickets)
                if made.status == 0:
                    break
                killed += 1
        self.assertGreater(killed, 5)
        self.assert_clean()
        figure(f"killed at {killed} system calls: no backup or a whole one")

    def test_killed_at_any_time(self):
        rng = random.Random(SEED)
        for _ in range(30):
            path = self.new_path()
            process = subprocess.Popen(self.service.command(f"--backup={path}"),
                                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            time.sleep(rng.random() * 0.03)
            process.send_signal(signal.SIGKILL)
            process.wait()
            if path.exists():
                self.assertEqual(self.tickets_in(path), self.tickets)
        path, made = self.back_up()
        self.assertEqual(made.status, 0, made.said)

    def test_no_room(self):
        failed = 0
        for call in ("write", "fsync"):
            for when in range(1, 50):
                path = self.new_path()
                _, made = self.back_up(path, only=f"{path}.new",
                                       inject=f"{call}:error=ENOSPC:when={when}")
                if made.status == 0:
                    break
                self.assertEqual(made.status, 73, made.said)
                self.assertIn("No space left on device", made.out)
                self.assert_absent(path)
                failed += 1
        self.assertGreater(failed, 1)
        self.assert_clean()


@needs_root
@unittest.skipUnless(shutil.which("setpriv"), "needs util-linux")
class LeftByRoot(BackupTest):
    def test_it_goes(self):
        """The service cannot open what a backup by root has left, nor ask whether that still runs."""
        self.service.stop()
        directory = self.directory / "backups"
        directory.mkdir()
        old, young = (directory / f"backup-20200{n}01T000000Z.mdb.new" for n in (1, 2))
        for path in (old, young):
            path.touch(0o600)
        os.utime(old, (0, 0))
        for path in (directory, self.service.state, *self.service.state.iterdir()):
            os.chown(path, 1, 1)
        self.service.wrapper = ["setpriv", "--reuid=1", "--regid=1", "--clear-groups"]
        made = run(self.service, f"--backup={directory}/", "--keep=3")
        self.service.wrapper = []
        self.assertEqual(made.status, 0, made.said)
        self.assertEqual((old.exists(), young.exists()), (False, True))


class Damaged(BackupTest):
    def test_many_faults(self):
        """Those for which an answer has no room are counted in its last line."""
        n = 2000
        fault = {"symptom": "before the damage"}
        self.client.calls([self.client.message("Faults", "Create", "a{sv}", variants(fault | {"code": f"F-{i}"}))
                           for i in range(n)])
        self.service.stop()
        data = (self.service.state / "state.mdb").read_bytes()
        (self.service.state / "state.mdb").write_bytes(data.replace(b"before the damage", b"behind the damage"))
        self.start()
        found = self.service.client().call("Manager", "Check")[1]
        self.service.kill()
        told = run(self.service, "--check")
        more, = re.fullmatch(r"and (\d+) more, which aftersalesd --check tells", found[-1]).groups()
        self.assertEqual(len(found) - 1 + int(more), len(told.out.splitlines()) - 1)
        self.assertGreaterEqual(len(found) - 1 + int(more), n)

    def test_no_backup_of_a_damaged_store(self):
        """Damage is found or did not matter; what has the name of a backup is good."""
        tickets = {self.ticket(description=TEXT) for _ in range(200)}
        self.service.stop()
        store = self.service.state / "state.mdb"
        good = store.read_bytes()
        rng = random.Random(SEED)
        refused = 0
        for _ in range(60):
            bad = bytearray(good)
            bad[rng.randrange(8192, len(bad))] ^= 1 << rng.randrange(8)
            store.write_bytes(bad)
            path, made = self.back_up()
            if made.status == 0:
                self.assertEqual(self.tickets_in(path), tickets)
                path.unlink()
            else:
                refused += 1
                self.assertFalse(path.exists())
                path.with_name(path.name + ".new").unlink(missing_ok=True)
        self.assertGreater(refused, 0)
        figure(f"60 flipped bits in the store, SEED={SEED}: {refused} backups refused")


if __name__ == "__main__":
    unittest.main()
