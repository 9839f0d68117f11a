#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Power cuts under the program itself: while a backup or a dump takes a store's place, and while one
is made. See disk.h for what a cut can leave."""

import shutil
import unittest

from programs import STATES, Judged, Recorded
from support import HOUR, START, TICKET, found_company
from harness import figure

START_EVERY = 3  # states of which one is first opened by a daemon, which brings in what the log has
MANY = 100_000  # states: all


class ProgramTest(unittest.TestCase):
    MAP_SIZE = "1GiB"

    def setUp(self):
        self.service = Recorded(self.MAP_SIZE)
        self.addCleanup(self.service.close)
        self.state = self.service.state

    def live(self):
        """A company with some tickets: some are in a backup and in a dump, others came after, and
        the last are only in the log of a daemon that was killed."""
        service = self.service
        service.start(START)
        client = service.client()
        found_company(client)
        for _ in range(8):
            client.create(**TICKET)
        client.advance(START + 3 * HOUR)
        self.backup, self.text = service.directory / "backup", service.directory / "dump"
        service.run(self.state, f"--backup={self.backup}")
        service.run(self.state, f"--dump={self.text}")
        self.old_backup = service.dump(self.state)
        for _ in range(4):
            client.create(**TICKET)
        service.kill()
        self.before = service.look(self.state)
        self.assertNotEqual(self.before.digest, self.old_backup.digest)

    def judge(self, what, judge, mutants, limit=4 * STATES):
        """None of the states is at fault, and each mutant is found by one that is."""
        judged = Judged(self.service.log, judge, limit=limit)
        self.assertIsNone(judged.fault)
        self.assertGreater(judged.judged, 10)
        figure(f"power cuts, {what}: {judged.different} different, {judged.judged} of them judged, "
               "0 at fault")
        for mutant in mutants:
            found = Judged(self.service.log, judge, mutant, limit=MANY)
            self.assertIsNotNone(found.fault, mutant)
            print(f"mutant found: {what}-{mutant}")


class InPlace(ProgramTest):
    """There is the old store or the new one, whole, and the old one beside as soon as the new one
    has its place."""

    def see_store(self, state, number):
        if number % START_EVERY == 0:
            self.service.begin(state, START + 3 * HOUR)
        return self.service.look(state)

    def see_kept(self, state):
        kept = list(state.glob("state.mdb.before-*"))
        self.assertEqual(len(kept), 1, "the store that was replaced is not there")
        alone = state / "alone"
        alone.mkdir()
        kept[0].rename(alone / "state.mdb")
        self.assertEqual(self.service.look(alone).digest, self.before.digest)

    def judge_replaced(self, disk, acknowledged, number):
        found = self.see_store(disk / "state", number)
        if found.digest == self.before.digest:
            self.assertFalse(acknowledged, "it is still the old store")
            return
        self.assertEqual(found.digest, self.old_backup.digest, "it is neither store")
        self.assertGreater(found.head["epoch"], self.before.head["epoch"])
        self.see_kept(disk / "state")

    def judge_placed(self, disk, acknowledged, number):
        if not (disk / "state" / "state.mdb").exists():
            self.assertFalse(acknowledged, "there is no store")
            return
        found = self.see_store(disk / "state", number)
        self.assertEqual(found.digest, self.old_backup.digest)
        self.assertGreater(found.head["epoch"], self.old_backup.head["epoch"])

    def test_restore(self):
        self.live()
        self.service.record(f"--restore={self.backup}", "--force")
        self.judge("restore", self.judge_replaced, ("directory", "sync:state.mdb.new"))

    def test_load(self):
        self.live()
        self.service.record(f"--load={self.text}", "--force")
        self.judge("load", self.judge_replaced, ("directory", "sync"))

    def test_where_there_is_none(self):
        self.live()
        shutil.rmtree(self.state)
        self.service.record(f"--restore={self.backup}")
        self.judge("restore into nothing", self.judge_placed, ("directory", "sync:state.mdb.new"))


class Files(ProgramTest):
    """A file has its name when it is whole, and keeps it once that was said."""

    def judge_file(self, disk, acknowledged, number):
        found = [path for path in disk.glob("kept/*") if path.suffix != ".new"]
        self.assertTrue(found or not acknowledged, "it is not there")
        for path in found:
            self.assertEqual(path.read_bytes() == self.whole, True, "it is not whole")

    def judge_made(self, what, mutant):
        made, = self.service.disk.glob("kept/*")
        self.whole = made.read_bytes()
        self.judge(what, self.judge_file, ("directory", mutant), limit=MANY)

    def test_backup(self):
        self.live()
        self.service.record(f"--backup={self.service.disk / 'kept'}/")
        self.judge_made("backup", "sync:.mdb.new")

    def test_dump(self):
        self.live()
        (self.service.disk / "kept").mkdir()
        self.service.record(f"--dump={self.service.disk / 'kept' / 'dump'}")
        self.judge_made("dump", "sync:dump.new")


if __name__ == "__main__":
    unittest.main()
