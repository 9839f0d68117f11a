#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Dump and load: all of a store as text and back, exactly, whole or not at all."""

import fcntl
import hashlib
import json
import os
import resource
import subprocess
import unittest

from support import HOUR, START, FaultTest, can_inject, run
from harness import BusError, figure, needs_root, variants


def rows_of(path):
    with open(path, encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def rows_stored(text):
    """All but how far changes were announced, which is noted a little later, and the sum over all."""
    rows = [json.loads(line) for line in text.splitlines()]
    del rows[0]["published"]
    return rows[:-1]


def write_rows(path, rows):
    """As the format asks for, with the last line made anew."""
    digest, before = hashlib.sha256(), b""
    with open(path, "wb") as file:
        for row in rows:
            line = json.dumps(row, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
            digest = hashlib.sha256(before + line)
            before = digest.digest()
            file.write(line)
        file.write(json.dumps({"end": len(rows), "digest": digest.hexdigest()}).encode() + b"\n")


class DumpTest(FaultTest):
    def setUp(self):
        self.open()
        self.begin()
        self.store = self.service.state / "state.mdb"
        self.path = self.service.directory / "dump"

    def live(self):
        """Something in every table."""
        client = self.client
        tickets = [self.ticket(description=f"说 \"{i}\"\n\\ {i}", phone=f"000-{i}",
                               request_id=f"r{i}") for i in range(40)]
        for id in tickets[::2]:
            client.move("Dispatch", id, dealer=self.dealer())
        for id in tickets[::4]:
            client.move("Accept", id, appointment=START + 5 * HOUR)
        client.move("Comment", tickets[0], note="注")
        self.now = START + 30 * HOUR
        client.advance(self.now)
        first = client.list_all("Escalations")[0]["id"]
        client.call("Escalations", "Acknowledge", "ta{sv}", first, {})
        return set(tickets)

    def dealer(self):
        return next(row["code"] for row in self.client.list_all("Units")
                    if row["kind"] == "dealer")

    def dump(self, path=None, **options):
        return run(self.service, f"--dump={path or self.path}", **options)

    def load(self, *more, path=None, service=None, **options):
        return run(service or self.service, f"--load={path or self.path}", *more, **options)

    def everything(self):
        client = self.service.client()
        tickets = client.list_all("Tickets", {"ended": True})
        return {"tickets": tickets, "units": client.list_all("Units"),
                "escalations": client.list_all("Escalations"),
                "histories": [client.history(row["id"]) for row in tickets],
                "changes": client.call("Manager", "Changes", "tu", 0, 1000)[0]}


class Whole(DumpTest):
    def test_there_and_back(self):
        tickets = self.live()
        before = self.everything()
        made = self.dump()
        self.assertEqual(made.status, 0, made.said)
        self.assertEqual(self.path.stat().st_mode & 0o777, 0o600)
        rows = rows_of(self.path)
        self.assertEqual({row["record"]["id"] for row in rows if row.get("table") == "ticket"},
                         tickets)
        self.assertLessEqual({"unit", "ticket", "event", "escalation", "notification", "request",
                              "policy"} - {row.get("table") for row in rows}, {"event", "policy"})
        self.service.stop()
        other = self.make_service(map_size="512MiB")
        done = self.load(service=other)
        self.assertEqual(done.status, 0, done.said)
        self.assertEqual(sorted(path.name for path in other.state.iterdir()
                                if path.name.startswith("load")), [])
        again = run(other, f"--dump={other.directory}/dump")
        self.assertEqual(again.status, 0, again.said)
        back = rows_of(other.directory / "dump")
        # A new epoch, as after any restore; all else is the same, line by line.
        self.assertEqual(back[0].pop("epoch"), rows[0].pop("epoch") + 1)
        self.assertEqual(rows[0], back[0])
        self.assertTrue(rows[1:-1] == back[1:-1])
        self.service = other
        self.start()
        after = self.everything()
        for name, value in before.items():
            self.assertTrue(after[name] == value, name)
        self.assertNotIn(self.service.client().create(type="repair", region="110105"), tickets)
        self.assert_clean()

    def test_beside_a_daemon_and_to_a_pipe(self):
        tickets = self.live()
        made = self.dump()
        piped = run(self.service, "--dump=-")
        self.assertEqual(piped.status, 0, piped.said)
        self.assertEqual(rows_stored(piped.out), rows_stored(self.path.read_text("utf-8")))
        records = [row for row in rows_of(self.path) if "record" in row]
        self.assertIn(f"{len(records)} records", made.said)
        self.service.kill()  # with something in the log alone
        alone = run(self.service, "--dump=-")
        self.assertEqual(rows_stored(alone.out), rows_stored(piped.out))
        self.assertEqual(len(tickets), 40)
        there = self.dump()
        self.assertEqual(there.status, 73)
        self.assertIn("there is such a file already", there.said)

    def test_two_at_once(self):
        """Two do not write into one file."""
        self.live()
        new = self.path.with_name(self.path.name + ".new")
        with open(new, "w") as first:
            first.write("of another")
            first.flush()
            fcntl.flock(first, fcntl.LOCK_EX)
            second = self.dump()
            self.assertEqual(second.status, 75, second.said)
            self.assertIn("another dump is being written", second.said)
            self.assertEqual(new.read_text(), "of another")
            self.assertFalse(self.path.exists())
        third = self.dump()  # what was left behind is in nobody's way
        self.assertEqual(third.status, 0, third.said)
        self.assertEqual(rows_of(self.path)[-1]["end"], len(rows_of(self.path)) - 1)
        self.assertFalse(new.exists())

    @needs_root
    def test_a_file_of_somebody_else(self):
        """Who made it in a directory for all, and has it open, does not get to read the customers."""
        self.live()
        self.path = self.service.directory / "for-all" / "dump"
        self.path.parent.mkdir()
        self.path.parent.chmod(0o777)
        new = self.path.with_name(self.path.name + ".new")
        new.touch()
        os.chown(new, 1, 1)
        with open(new, encoding="utf-8") as theirs:
            refused = self.dump()
            self.assertEqual(theirs.read(), "")
        self.assertEqual(refused.status, 73, refused.said)
        self.assertIn("dump.new: Operation not permitted", refused.said)
        new.unlink()
        own = self.path.with_name("own")
        own.write_text("kept")
        new.hardlink_to(own)
        self.assertEqual(self.dump().status, 73)
        self.assertEqual(own.read_text(), "kept")

    def test_over_a_store(self):
        self.live()
        self.assertEqual(self.dump().status, 0)
        self.assertEqual(self.load("--force").status, 75)  # the daemon runs
        later = self.ticket()
        self.service.stop()
        refused = self.load()
        self.assertEqual(refused.status, 73)
        self.assertIn("with --force it is kept beside", refused.said)
        done = self.load("--force")
        self.assertEqual(done.status, 0, done.said)
        self.assertEqual(len(list(self.service.state.glob("state.mdb.before-*"))), 1)
        self.start()
        with self.assertRaises(BusError):
            self.service.client().get(later)
        self.assert_clean()

    def test_what_a_newer_program_stored(self):
        """Fields and values that this one does not know go there and back."""
        self.live()
        self.assertEqual(self.dump().status, 0)
        self.service.stop()
        rows = rows_of(self.path)[:-1]
        at, row = next((i, row) for i, row in enumerate(rows) if row.get("table") == "unit")
        row["record"]["_unknown"] = "ff010161"  # tag 255, one byte
        write_rows(self.path, rows)
        self.assertEqual(self.load("--force").status, 0)
        self.path.unlink()
        self.assertEqual(self.dump().status, 0)
        self.assertEqual(rows_of(self.path)[at], row)

    def test_damage(self):
        """What can be read is written, and that it is not all is told."""
        self.live()
        self.service.stop()
        data = self.store.read_bytes()
        damaged = data.replace("说 \"7\"".encode(), "说 \"8\"".encode())
        self.assertNotEqual(damaged, data)
        self.store.write_bytes(damaged)
        made = self.dump()
        self.assertEqual(made.status, 1, made.said)
        self.assertIn("pieces of damage were met", made.said)
        self.assertEqual(len([row for row in rows_of(self.path) if row.get("table") == "ticket"]),
                         39)


class Refused(DumpTest):
    def setUp(self):
        super().setUp()
        self.live()
        self.assertEqual(self.dump().status, 0)
        self.service.stop()
        self.before = self.store.read_bytes()
        self.good = self.path.read_bytes()

    def assert_refused(self, text, line=None):
        refused = self.load("--force")
        self.assertEqual(refused.status, 65, refused.said)
        self.assertIn(text, refused.said)
        if line:
            self.assertIn(f"line {line}:", refused.said)
        self.assertEqual(self.store.read_bytes(), self.before)
        self.assertFalse((self.service.state / "load.new").exists())
        self.assertFalse((self.service.state / "state.mdb.new").exists())

    def test_bytes(self):
        lines = self.good.splitlines(keepends=True)
        for data, text, line in (
                (b"", "cut short", 1),
                (self.good[:-10], "no whole line", len(lines)),
                (b"".join(lines[:-1]), "cut short", len(lines)),
                (b"".join(lines[:50] + lines[51:]), "not those that were written", len(lines) - 1),
                (self.good.replace("000-7".encode(), "000-8".encode(), 1),
                 "not those that were written", len(lines)),
                (self.good + lines[1], "behind the last line", len(lines) + 1),
                (lines[0] + b"x\n", "no whole line of JSON", 2),
                (lines[0] + b"[]\n", "an object of JSON", 2),
                (lines[0] + b"{}\n", "table, journal or end", 2),
                (lines[0] + b"x" * 2000000, "no whole line", 2),
                (lines[1], "dump: here belongs a number", 1)):
            self.path.write_bytes(data)
            with self.subTest(text=text, line=line):
                self.assert_refused(text, line)

    def test_values(self):
        rows = rows_of(self.path)[:-1]
        at, ticket = next((i, row) for i, row in enumerate(rows) if row.get("table") == "ticket")
        for change, text in (
                ({"state": "lost"}, "state: here belongs one of its names"),
                ({"priority": None}, "priority: "),
                ({"created_at": "yesterday"}, "created_at: here belongs a time"),
                ({"created_at": 1.7}, "created_at: here belongs a time"),
                ({"phone": 17}, "phone: here belongs a text"),
                ({"clocks": {}}, "clocks: here belongs an array"),
                ({"clocks": [{"clock": "x"}]}, "clock: here belongs one of its names"),
                ({"revision": "3"}, "revision: here belongs a whole number"),
                ({"overdue": 1}, "overdue: here belongs true"),
                ({"_unknown": "0g"}, "_unknown: here belong bytes"),
                ({"shoe_size": 41}, "shoe_size: a ticket has no such field"),
                ({"\x1b[2J": 41}, r"\x1b[2J: a ticket has no such field")):
            changed = [dict(row) for row in rows]
            changed[at] = {"table": "ticket", "record": {**ticket["record"], **change}}
            write_rows(self.path, changed)
            with self.subTest(text=text):
                self.assert_refused(text, at + 1)
        write_rows(self.path, rows[:at + 1] + rows[at:])
        self.assert_refused("there was one with this key before", at + 2)
        write_rows(self.path, rows[:at] + [{"table": "shoes", "record": {}}] + rows[at:])
        self.assert_refused("there is none named shoes", at + 1)
        rows[0]["site"] = 9
        write_rows(self.path, rows)
        self.assert_refused("it is of site 9", 1)

    def test_what_contradicts_itself(self):
        """Every line is right, and yet it was no store: the check before it takes its place."""
        rows = rows_of(self.path)[:-1]
        journal = [i for i, row in enumerate(rows) if "journal" in row]
        del rows[journal[3]]
        write_rows(self.path, rows)
        refused = self.load("--force")
        self.assertEqual(refused.status, 65, refused.said)
        self.assertIn("is no good dump", refused.said)
        self.assertEqual(self.store.read_bytes(), self.before)


class Large(DumpTest):
    def test_bounded(self):
        """However much it is, neither takes more than a few MiB."""
        ids = [self.ticket() for _ in range(20)]
        for _ in range(250):
            answers = self.client.calls([self.client.message(
                "Tickets", "Comment", "ta{sv}", id, variants({"note": "x" * 1900}))
                for id in ids])
            self.assertFalse([answer for answer in answers if isinstance(answer, BusError)])
        self.assertEqual(self.dump().status, 0)
        size = self.path.stat().st_size
        self.assertGreater(size, 20 << 20)
        peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
        self.service.stop()
        self.assertEqual(self.load("--force").status, 0)
        figure(f"a dump of {size >> 20} MiB: written and loaded; no child took more than "
               f"{peak >> 10} MiB, the pages of the store included")


@unittest.skipUnless(can_inject(), "needs strace")
class CutShort(DumpTest):
    def test_killed_at_every_call(self):
        self.live()
        old = {row["id"] for row in self.everything()["tickets"]}
        self.assertEqual(self.dump().status, 0)
        later = self.ticket()
        self.service.stop()
        killed = kept = 0
        for call in ("pwrite64", "fsync", "fdatasync", "rename", "unlink", "link", "mkdir", "rmdir"):
            for when in range(1, 30):
                done = self.load("--force", inject=f"{call}:signal=SIGKILL:when={when}")
                if done.status == 0:
                    break
                self.assertIn(done.status, (-9, 137), done.said)
                killed += 1
                self.start()
                found = {row["id"] for row in self.everything()["tickets"]}
                self.assertIn(found, (old, old | {later}))
                self.service.stop()
                self.assert_clean()
                if found != old:
                    kept += 1
                for path in self.service.state.glob("*.before-*"):
                    path.unlink()
        self.assertGreater(killed, 20)
        figure(f"killed at {killed} system calls of a load: {kept} times the old store, else the new")

    def test_killed_dump(self):
        self.live()
        for call in ("write", "fsync", "renameat2"):
            for when in range(1, 10):
                made = self.dump(inject=f"{call}:signal=SIGKILL:when={when}")
                if os.path.exists(self.path):  # then whole
                    self.assertIn("end", rows_of(self.path)[-1])
                    self.path.unlink()
                if made.status == 0:
                    break


if __name__ == "__main__":
    unittest.main()
