#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The write-ahead log after a crash: what is whole in it comes back, what was never acknowledged
does not, and what was acknowledged and is damaged is told of and not passed over."""

import json
import struct
import time
import unittest

from support import START, FaultTest, run

HEAD = struct.Struct(">4sIIIQQqQ")  # daemon/store/wal.h
SECTOR = 512
SETTLED = 1.3  # seconds; by then a checkpoint has taken in what the log has


class LogTest(FaultTest):
    def setUp(self):
        self.open()
        self.begin()
        self.store = self.service.state / "state.mdb"
        self.log = self.service.state / "state.wal"
        self.settled = {self.ticket() for _ in range(3)}
        for _ in range(10):
            time.sleep(SETTLED)
            self.before = self.store.read_bytes()
            self.logged = [self.ticket() for _ in range(5)]
            self.service.kill()
            self.frames = self.find_frames()
            if len(self.frames) == len(self.logged):
                break
            self.start()  # so slow that a checkpoint came in between
            self.client = self.service.client()
            self.settled |= set(self.logged)
        self.assertEqual(len(self.frames), len(self.logged))

    def find_frames(self):
        """Where those of the first one's checkpoint stand, and how long they are."""
        data, at, found, first = self.log.read_bytes(), 0, [], None
        while data[at:at + 4] == b"AfWL":
            _, _, length, _, checkpoint, offset, _, _ = HEAD.unpack_from(data, at)
            first = checkpoint if first is None else first
            if checkpoint != first or offset != at:
                break
            found.append((at, HEAD.size + length))
            at += -(-found[-1][1] // SECTOR) * SECTOR
        return found

    def damage(self, number, part=0.5):
        at, size = self.frames[number]
        with open(self.log, "r+b") as file:
            file.seek(at + int(size * part))
            byte = file.read(1)[0]
            file.seek(-1, 1)
            file.write(bytes([byte ^ 0x10]))

    def tickets(self):
        self.start()
        rows = self.service.client().list_all("Tickets", {"ended": True})
        self.service.stop()
        return {row["id"] for row in rows}

    def assert_refused(self, *words):
        before, log = self.store.read_bytes(), self.log.read_bytes()
        status, said = self.service.refuse(self.now)
        self.assertNotEqual(status, 0)
        for word in (str(self.log), *words, "restore a backup, or put that file aside"):
            self.assertIn(word, said)
        self.assertEqual(self.store.read_bytes(), before)
        self.assertEqual(self.log.read_bytes(), log)


class Whole(LogTest):
    def test_beside(self):
        """Whoever looks while no daemon runs sees what the log has, and leaves it where it is."""
        log = self.log.read_bytes()
        path = self.service.directory / "backup"
        made = run(self.service, f"--backup={path}")
        self.assertEqual(made.status, 0, made.said)
        self.assertEqual(self.service.check(), [])
        self.assertEqual(self.log.read_bytes(), log)
        self.assertEqual(self.tickets(), self.settled | set(self.logged))
        restored = run(self.service, f"--restore={path}", "--force")
        self.assertEqual(restored.status, 0, restored.said)
        self.assertEqual(self.tickets(), self.settled | set(self.logged))

    def test_torn(self):
        """The last frame is the one that a power cut may have left in pieces."""
        self.damage(-1)
        self.assertEqual(self.tickets(), self.settled | set(self.logged[:-1]))
        self.assert_clean()

    def test_of_another_time(self):
        """A database that was put back by hand is older than what the log comes after; frames of
        an older database are none of its own."""
        self.assertEqual(self.tickets(), self.settled | set(self.logged))
        taken_in = self.log.read_bytes()
        newer = self.store.read_bytes()
        self.store.write_bytes(self.before)
        self.assertEqual(self.tickets(), self.settled | set(self.logged))  # the frames are there
        self.store.write_bytes(newer)
        self.log.write_bytes(taken_in)
        self.assertEqual(self.tickets(), self.settled | set(self.logged))
        self.assert_clean()


class Damaged(LogTest):
    def test_told(self):
        for number, part in ((0, 0.0), (1, 0.5), (2, 0.99), (3, 0.05)):
            with self.subTest(frame=number, part=part):
                log = self.log.read_bytes()
                self.damage(number, part)
                self.assert_refused("is damaged, and with it changes that were acknowledged")
                self.log.write_bytes(log)

    def test_looking_on(self):
        """Check and dump tell, and go on with what there is; a backup is not made of less."""
        self.damage(1)
        checked = run(self.service, "--check")
        self.assertEqual(checked.status, 1, checked.said)
        self.assertIn("log: it cannot be brought over the database", checked.out)
        dump = self.service.directory / "dump"
        dumped = run(self.service, f"--dump={dump}")
        self.assertEqual(dumped.status, 1, dumped.said)
        self.assertIn("1 pieces of damage", dumped.said)
        rows = [json.loads(line) for line in dump.read_text("utf-8").splitlines()]
        tickets = [row for row in rows if row.get("table") == "ticket"]
        self.assertEqual(len(tickets), len(self.settled))
        path = self.service.directory / "backup"
        made = run(self.service, f"--backup={path}")
        self.assertNotEqual(made.status, 0)
        self.assertIn("is damaged, and with it changes", made.said)
        self.assertFalse(path.exists())

    def test_put_aside(self):
        """As the message says: the store is as of the last checkpoint then."""
        self.damage(1)
        self.log.rename(self.log.with_name("aside"))
        self.assertEqual(self.tickets(), self.settled)
        self.assert_clean()

    def test_newer_than_the_database(self):
        first = self.store.read_bytes()
        self.tickets()  # at the next checkpoints
        self.start()
        self.service.client().create(type="repair", region="110105")
        self.service.kill()
        self.store.write_bytes(first)
        self.assert_refused("belongs to a newer state of the database than there is")


if __name__ == "__main__":
    unittest.main()
