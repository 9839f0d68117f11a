#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A restore leaves the old store or the new one, whatever happens; what was due meanwhile happens
then, and no number of the change feed comes twice.

SEED=n repeats a run.
"""

import os
import random
import unittest

from support import HOUR, START, FaultTest, can_inject, run
from harness import BusError, figure, wait_for
from test_kill import check_escalations

SEED = int(os.environ.get("SEED", random.SystemRandom().randrange(1 << 32)))
EPOCH = 40  # bits below it in a sequence number


class RestoreTest(FaultTest):
    def setUp(self):
        self.open()
        self.begin()
        self.store = self.service.state / "state.mdb"
        self.backup = self.service.directory / "backup"
        self.kept = {self.ticket() for _ in range(30)}
        made = run(self.service, f"--backup={self.backup}")
        self.assertEqual(made.status, 0, made.said)
        self.lost = {self.ticket(description="later") for _ in range(5)}

    def restore(self, *more, path=None, **options):
        return run(self.service, f"--restore={path or self.backup}", *more, **options)

    def tickets(self):
        self.start()
        rows = self.service.client().list_all("Tickets", {"ended": True})
        self.service.stop()
        return {row["id"] for row in rows}

    def assert_untouched(self, before):
        self.assertEqual(self.store.read_bytes(), before)
        self.assertFalse((self.service.state / "state.mdb.new").exists())
        self.assertEqual(list(self.service.state.glob("*.before-*")), [])


class Refused(RestoreTest):
    def test_beside_a_daemon(self):
        refused = self.restore("--force")
        self.assertEqual(refused.status, 75)
        self.assertIn("in use by another aftersalesd; stop it first", refused.said)
        self.assertEqual(self.client.status()["open"], len(self.kept | self.lost))

    def test_over_a_store(self):
        self.service.stop()
        before = self.store.read_bytes()
        refused = self.restore()
        self.assertEqual(refused.status, 73)
        self.assertIn("with --force it is kept beside", refused.said)
        self.assert_untouched(before)

    def test_what_is_no_backup(self):
        self.service.stop()
        before = self.store.read_bytes()
        good = self.backup.read_bytes()
        path = self.service.directory / "bad"
        for data, text in ((b"", "is empty"), (b"x" * 20000, "not a database"),
                           (good[:-4096], "cut short"), (good[:8192], "cut short"),
                           (good[:5000], "")):
            path.write_bytes(data)
            refused = self.restore("--force", path=path)
            self.assertEqual(refused.status, 65, refused.said)
            self.assertIn("is no good backup", refused.said)
            self.assertIn(text, refused.said)
            self.assert_untouched(before)
        for path in (self.service.state, self.service.directory / "none"):
            self.assertEqual(self.restore("--force", path=path).status, 66)
            self.assert_untouched(before)
        other = self.make_service(site=7)
        refused = run(other, f"--restore={self.backup}")
        self.assertEqual(refused.status, 65)
        self.assertIn("belongs to site 0", refused.said)

    def test_flipped_bits(self):
        self.service.stop()
        before = self.store.read_bytes()
        good = self.backup.read_bytes()
        path = self.service.directory / "bad"
        rng = random.Random(SEED)
        refused = 0
        for _ in range(60):
            bad = bytearray(good)
            bad[rng.randrange(len(bad))] ^= 1 << rng.randrange(8)
            path.write_bytes(bad)
            outcome = self.restore("--force", path=path)
            if outcome.status == 0:
                self.assertEqual(self.service.check(), [])
                self.assertEqual(self.tickets(), self.kept)
                for kept in self.service.state.glob("*.before-*"):
                    kept.unlink()
                self.store.write_bytes(before)
                continue
            refused += 1
            self.assertEqual(outcome.status, 65, outcome.said)
            self.assert_untouched(before)
        self.assertGreater(refused, 0)
        figure(f"60 flipped bits in a backup, SEED={SEED}: {refused} refused, the others harmless")


class Restored(RestoreTest):
    def test_the_old_one_is_kept(self):
        self.service.stop()
        before = self.store.read_bytes()
        done = self.restore("--force")
        self.assertEqual(done.status, 0, done.said)
        kept, = self.service.state.glob("state.mdb.before-*")
        self.assertIn(f"kept {kept}", done.out)
        self.assertEqual(kept.read_bytes(), before)
        self.assertEqual(self.store.stat().st_mode & 0o777, 0o600)
        self.assertEqual(self.tickets(), self.kept)
        self.assert_clean()

    def test_after_a_kill(self):
        """What is only in the log belongs to the old store, and not to the new one."""
        later = {self.ticket(description="last") for _ in range(5)}
        self.service.kill()
        done = self.restore("--force")
        self.assertEqual(done.status, 0, done.said)
        kept, = self.service.state.glob("state.mdb.before-*")
        self.assertEqual(self.tickets(), self.kept)
        aside = kept.rename(self.service.directory / "kept")
        back = self.restore("--force", path=aside)
        self.assertEqual(back.status, 0, back.said)
        self.assertEqual(self.tickets(), self.kept | self.lost | later)
        self.assert_clean()

    def test_where_only_its_log_is_left(self):
        """Of a store that was itself restored from this backup: its log is not this one's."""
        self.service.stop()
        self.assertEqual(self.restore("--force").status, 0)
        self.start()
        self.service.client().create(type="repair", region="110105")
        self.service.kill()
        self.store.unlink()
        done = self.restore()
        self.assertEqual(done.status, 0, done.said)
        self.start()
        client = self.service.client()
        self.assertEqual({row["id"] for row in client.list_all("Tickets", {"ended": True})},
                         self.kept)
        client.create(type="repair", region="110105")
        self.assertEqual(client.status()["sequence"] >> EPOCH, 2)
        self.service.stop()
        self.assert_clean()

    def test_over_a_damaged_store(self):
        self.service.stop()
        for data in (b"", b"x" * 100000, self.store.read_bytes()[:9000]):
            self.store.write_bytes(data)
            done = self.restore("--force")
            self.assertEqual(done.status, 0, done.said)
            self.assertIn("cannot be read", done.said)
            self.assertEqual(self.tickets(), self.kept)
            for kept in self.service.state.glob("*.before-*"):
                kept.unlink()

    def test_then_it_catches_up(self):
        """What fell due since is told now, once; readers of changes learn that some are lost."""
        last = self.client.status()["sequence"]
        self.service.stop()
        for epoch in (1, 2, 3):
            done = self.restore("--force")
            self.assertEqual(done.status, 0, done.said)
            self.now = START + 3 * HOUR
            self.start()
            client = self.service.client()
            self.assertEqual({row["id"] for row in client.list_all("Tickets", {"ended": True})},
                             self.kept)
            with self.assertRaises(BusError) as caught:
                client.call("Manager", "Changes", "tu", last, 1000)
            self.assertEqual(caught.exception.name, "ChangesGone")
            client.create(type="repair", region="110105")
            newest = client.status()["sequence"]
            self.assertEqual(newest >> EPOCH, epoch)
            self.assertGreater(newest, last)
            last = newest
            wait_for(lambda: {row["case_id"] for row in client.list_all("Escalations")} ==
                     self.kept, "escalations of what was restored")
            self.assertEqual(check_escalations(client.list_all("Escalations")), len(self.kept))
            self.service.stop()
            for kept in self.service.state.glob("*.before-*"):
                kept.unlink()
        self.assert_clean()


@unittest.skipUnless(can_inject(), "needs strace")
class CutShort(RestoreTest):
    def test_killed_at_every_call(self):
        self.service.stop()
        before = self.store.read_bytes()
        killed = old = 0
        for call in ("write", "pwrite64", "fsync", "fdatasync", "unlink", "fchownat", "link",
                     "rename", "openat"):
            for when in range(1, 200):
                for kept in self.service.state.glob("*.before-*"):
                    kept.unlink()
                self.store.write_bytes(before)
                outcome = self.restore("--force", inject=f"{call}:signal=SIGKILL:when={when}")
                if outcome.status == 0:
                    break
                killed += 1
                now = self.store.read_bytes()
                if now == before:
                    old += 1
                elif call != "openat" or when % 5 == 0:
                    self.assertEqual(self.tickets(), self.kept)
                    self.assertEqual(self.service.check(), [])
        self.assertEqual(self.tickets(), self.kept)
        self.assertGreater(old, 5)
        self.assertGreater(killed, old)
        figure(f"killed at {killed} system calls: {old} times the old store, else the new")

    def test_no_room(self):
        self.service.stop()
        before = self.store.read_bytes()
        failed = 0
        new = self.service.state / "state.mdb.new"
        for call in ("write", "fsync", "pwrite64", "fdatasync"):
            for when in range(1, 50):
                outcome = self.restore("--force", only=new,
                                       inject=f"{call}:error=ENOSPC:when={when}")
                if outcome.status == 0:
                    for kept in self.service.state.glob("*.before-*"):
                        kept.unlink()
                    self.store.write_bytes(before)
                    break
                self.assertIn("nothing was changed", outcome.said)
                self.assert_untouched(before)
                failed += 1
        self.assertGreater(failed, 1)


if __name__ == "__main__":
    unittest.main()
