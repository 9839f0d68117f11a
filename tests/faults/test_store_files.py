#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Files that are not what they should be: the daemon refuses them, says why and leaves them as they
are; and of a damaged store nothing wrong is told without --check telling of it.

SEED=n repeats a run, FLIPS=n makes it longer.
"""

import errno
import os
import random
import struct
import time
import unittest

from support import HOUR, START, FaultTest, can_inject, create_message, policy
import harness
from harness import BusError, Ended, figure, variants

SEED = int(os.environ.get("SEED", random.SystemRandom().randrange(1 << 32)))
FLIPS = int(os.environ.get("FLIPS", 150))
PAGE = 4096


class Files(FaultTest):
    def setUp(self):
        self.open()
        self.path = os.path.join(self.service.state, "state.mdb")

    def make_store(self, tickets=5):
        self.begin()
        for i in range(tickets):
            self.ticket(description=f"ticket {i}", reference=f"R{i}")

    def contents(self, path=None):
        with open(path or self.path, "rb") as file:
            return file.read()

    def write(self, contents):
        os.makedirs(self.service.state, exist_ok=True)
        with open(self.path, "wb") as file:
            file.write(contents)

    def assert_refused(self, *words):
        """A message with these words, a failure, the same file."""
        before = self.contents()
        status, text = self.service.refuse(self.now)
        self.assertGreater(status, 0, text)
        for word in words:
            self.assertIn(word, text)
        self.assertEqual(self.contents(), before, "the file was changed")
        self.assertGreater(len(self.service.check()), 0)
        self.assertEqual(self.contents(), before, "--check changed the file")


class Refused(Files):
    def test_random_bytes(self):
        self.write(random.Random(1).randbytes(10 * PAGE))
        self.assert_refused("state.mdb", "not a database of aftersalesd")

    def test_text(self):
        self.write(b"site: 0\n")
        self.assert_refused("state.mdb", "not a database of aftersalesd")

    def test_empty_file(self):
        self.write(b"")
        self.assert_refused("state.mdb", "empty")

    def test_other_database(self):
        """LMDB, but of another program: a good one with all names changed."""
        self.make_store()
        self.service.stop()
        contents = self.contents()
        for name in ("meta", "ticket", "journal", "tally", "unit", "aftersalesd"):
            contents = contents.replace(name.encode(), name.upper().encode())
        self.write(contents)
        self.assert_refused("not made by aftersalesd")

    def test_truncated(self):
        self.make_store()
        self.service.stop()
        whole = self.contents()
        for size in (len(whole) // 2, len(whole) - PAGE, 3 * PAGE, 2 * PAGE):
            with self.subTest(size=size):
                self.write(whole[:size])
                self.assert_refused("state.mdb", "cut short", "backup")
        for size in (2 * PAGE - 1, PAGE + 1, PAGE, 100, 1):
            with self.subTest(size=size):
                self.write(whole[:size])
                self.assert_refused("state.mdb")
        self.write(whole)
        self.start()
        self.assertEqual(len(self.client.list_all("Tickets")), 5)

    def test_other_site(self):
        self.make_store()
        self.service.stop()
        self.service.configure(policy(site=7))
        self.assert_refused("site 0", "site 7")
        self.service.configure(policy())
        self.start()

    def test_newer_schema(self):
        self.make_store()
        self.service.stop()
        mark = b"aftersalesd\0"
        contents = self.contents()
        at = contents.rindex(mark) + len(mark)
        version, = struct.unpack(">I", contents[at:at + 4])
        newer = contents.replace(mark + contents[at:at + 4],
                                 mark + struct.pack(">I", version + 1))
        self.write(newer)
        self.assert_refused(f"schema version {version + 1}", "newer")

    def test_not_writable(self):
        """A directory in the file's place."""
        os.makedirs(self.path)
        status, text = self.service.refuse(self.now)
        self.assertGreater(status, 0)
        self.assertIn("state.mdb", text)

    @unittest.skipUnless(can_inject(), "needs strace")
    def test_cannot_look(self):
        """Whether a store is there, or whether it is empty: nothing is begun in its place."""
        for error in ("EIO", "EACCES", "ENOMEM"):
            with self.subTest(error=error):
                self.refuse_to_look(error, 1)
                self.assertFalse(os.path.exists(self.path))
        self.write(b"")
        self.refuse_to_look("EIO", 2)
        self.assertEqual(self.contents(), b"")
        os.unlink(self.path)
        self.start()
        self.service.stop()

    def refuse_to_look(self, error, when):
        self.service.wrapper = ["strace", "-qqq", "-o", "/dev/null", "-P", self.path, "-e",
                                "trace=newfstatat", "-e",
                                f"inject=newfstatat:error={error}:when={when}"]
        status, text = self.service.refuse(self.now)
        self.service.wrapper = []
        self.assertGreater(status, 0, text)
        self.assertIn("state.mdb: " + os.strerror(getattr(errno, error)), text)

    def test_no_store_to_check(self):
        self.assertGreater(len(self.service.check()), 0)
        self.assertFalse(os.path.exists(self.service.state))

    def test_second_daemon(self):
        """On the same state, even from another bus."""
        self.make_store()
        other = self.make_service()
        state, other.state = other.state, self.service.state
        status, text = other.refuse(self.now)
        self.assertGreater(status, 0)
        self.assertIn("in use by another aftersalesd", text)
        self.assertEqual(len(self.client.list_all("Tickets")), 5)
        # On the same bus, with a state of its own.
        other.state, other.address = state, self.service.address
        status, text = other.refuse(self.now)
        self.assertGreater(status, 0)
        self.assertIn("another aftersalesd is running", text)
        self.assertEqual(self.client.status()["open"], 5)
        self.assert_clean()


class Flipped(Files):
    """Single bits, all over the file."""

    TICKETS = 60
    LISTS = [("Tickets", {"ended": True}), ("Tickets", {"state": "received"}),
             ("Tickets", {"subcentre": "BJ"}), ("Escalations", {"acknowledged": True}),
             ("Escalations", {}), ("Units", {})]

    def ask(self, client, *call):
        """The answer, or None: an error that tells of a fault of the daemon or its store."""
        try:
            return client.call(*call)
        except BusError as error:
            # A record whose key is damaged is not found: --check has to tell.
            return ("missing",) if error.name == "NotFound" else None

    def read_all(self, client):
        answers = [self.ask(client, "Tickets", "Get", "t", id)
                   for id in range(1, self.TICKETS + 1)]
        answers += [self.ask(client, "Tickets", "History", "t", id)
                    for id in range(1, self.TICKETS + 1, 5)]
        answers += [self.ask(client, interface, "List", "a{sv}su", variants(filters), "", 1000)
                    for interface, filters in self.LISTS]
        status = self.ask(client, "Manager", "Status")
        answers.append(status and {k: status[k] for k in ("states", "open", "overdue", "sequence")})
        return answers

    def prepare(self):
        self.make_store(self.TICKETS)
        for id in range(1, self.TICKETS, 3):
            self.client.move("Dispatch", id)
        self.now = START + 3 * HOUR
        self.client.advance(self.now)
        self.truth = self.read_all(self.client)
        self.service.stop()
        self.whole = self.contents()

    def live_pages(self):
        """Places in the pages that hold records, and in those that hold the rest."""
        return [n for n in range(len(self.whole) // PAGE)
                if any(self.whole[n * PAGE:(n + 1) * PAGE])]

    def try_flipped(self, offset, bit):
        """What came of it: refused, harmless, reported, checked or crashed."""
        contents = bytearray(self.whole)
        contents[offset] ^= 1 << bit
        self.write(contents)
        faults = self.service.check()
        said = self.service.log_path.stat().st_size
        try:
            self.start()
            answers = self.read_all(self.client)
        except Ended:
            refused = self.service.daemon.returncode > 0 and \
                self.service.log_path.stat().st_size > said
            return "refused" if refused else "crashed", faults
        except BusError:
            return "crashed", faults
        finally:
            self.service.kill()
        if self.service.daemon.returncode not in (-9, 0):
            return "crashed", faults
        if answers == self.truth:
            return "harmless", faults
        wrong = [i for i, (a, b) in enumerate(zip(answers, self.truth)) if a not in (None, b)]
        return ("wrong" if wrong else "reported"), faults

    def test_flipped_bits(self):
        print(f"SEED={SEED}", flush=True)
        rng = random.Random(SEED)
        self.prepare()
        counts = {}
        silent = []
        pages = self.live_pages()
        for _ in range(FLIPS):
            offset = rng.choice(pages) * PAGE + rng.randrange(PAGE)
            bit = rng.randrange(8)
            result, faults = self.try_flipped(offset, bit)
            result += ", --check tells" if faults else ""
            counts[result] = counts.get(result, 0) + 1
            if result in ("wrong", "crashed", "reported"):
                print(offset, bit, result, self.service.log_tail(300))
            if result == "wrong":
                silent.append((offset, bit))
        text = ", ".join(f"{n} {what}" for what, n in sorted(counts.items()))
        figure(f"{FLIPS} flipped bits in {len(self.whole)} bytes: {text}")
        self.assertEqual(silent, [], "wrong answers, and --check says nothing")

    def test_flipped_records(self):
        """In the records themselves: every one is found by whoever reads it, and by --check."""
        rng = random.Random(SEED)
        self.prepare()
        n = found = 0
        for id in range(1, self.TICKETS + 1, 4):
            text = f"ticket {id - 1}".encode()
            contents = bytearray(self.whole)
            at = contents.find(text)
            while at >= 0:  # also in the journal
                contents[at + rng.randrange(len(text))] ^= 1 << rng.randrange(8)
                at = contents.find(text, at + 1)
            self.write(contents)
            n += 1
            self.assertNotEqual(self.service.check(), [])
            self.start()
            with self.assertRaises(BusError) as caught:
                self.client.get(id)
            self.assertEqual(caught.exception.name, "RecordDamaged")
            # All others are as they were.
            for other in range(1, self.TICKETS + 1):
                if self.ask(self.client, "Tickets", "Get", "t", other) is None:
                    found += 1
                else:
                    self.assertEqual(self.ask(self.client, "Tickets", "Get", "t", other),
                                     self.truth[other - 1])
            self.service.kill()
        figure(f"{n} damaged tickets: each refused by Get and told by --check")


class Damaged(Files):
    """One piece of damage concerns what it is in, and nothing else, however often it is met."""

    def damage(self, old, new):
        """Every place that has these bytes gets those."""
        self.service.stop()
        contents = self.contents()
        self.assertIn(old, contents)
        self.write(contents.replace(old, new))
        self.start()

    def assert_counted(self, n, where):
        self.assertEqual(self.client.status()["damaged"], n)
        lines = [text for _, text in self.service.log() if "is damaged" in text]
        self.assertEqual(len(lines), n, lines)
        self.assertTrue(lines[0].startswith(where), lines)
        self.assertIn("restore a backup", " ".join(self.client.status()["warnings"]))

    def test_a_list_goes_on(self):
        """A damaged record is passed over on every page, by every way of listing."""
        self.make_store(9)
        self.damage(b"ticket 4", b"tickeT 4")
        for filters in ({}, {"ended": True}, {"subcentre": "BJ"}, {"state": "received"}):
            for limit in (1, 3, 1000):
                with self.subTest(filters=filters, limit=limit):
                    rows = self.client.list_all("Tickets", filters, limit)
                    self.assertEqual(sorted(row["id"] for row in rows), [1, 2, 3, 4, 6, 7, 8, 9])
        self.assert_counted(1, "ticket 5 is damaged")
        self.assertTrue(any("ticket 0000000000000005" in x for x in self.service.check()))

    def test_a_damaged_change(self):
        """Who made it and when is proved as well as what it has done."""
        self.make_store(3)
        changes, _ = self.client.call("Manager", "Changes", "tu", 0, 1000)
        last = changes[-1]["sequence"]
        self.client.move("Dispatch", 2)
        self.damage(b"Tickets.Dispatch", b"Tickets.DispatcH")
        self.assertEqual(self.client.call("Manager", "Changes", "tu", 0, 1000), [changes, last])
        with self.assertRaises(BusError) as caught:
            self.client.call("Manager", "Changes", "tu", last, 1000)
        self.assertEqual(caught.exception.name, "ChangesGone")
        self.assertIn(f"change {last + 1} is damaged", caught.exception.text)

    def test_a_damaged_department(self):
        """Its escalations go to headquarters; tickets can be moved and all others escalate."""
        self.make_store(3)
        self.damage(b"business", b"businesS")
        self.client.jump(self.now + 4 * HOUR + 1)  # the third rung, to it, has passed
        self.client.move("Void", 2, void_reason="wrong_number")
        for ticket in 1, 2, 3:
            events = harness.wait_for(
                lambda ticket=ticket: [e["recipient"] for e in self.client.escalations(ticket)
                                       if e["clock"] == "response" and e.get("level") == 3],
                "the third rung")
            self.assertEqual(events, ["HQ"])
        self.assert_counted(1, "unit BIZ is damaged")

    def test_a_damaged_dealer(self):
        """Tickets of its region go to the others that serve it."""
        self.begin()
        self.client.call("Units", "Create", "a{sv}", variants(
            {"code": "BJ-0", "name": "doomed", "kind": "dealer", "parent": "BJ",
             "regions": "1101"}))
        self.damage(b"doomed", b"doomeD")
        dealers = []
        for _ in range(2):
            ticket = self.ticket()
            self.client.move("Dispatch", ticket)
            dealers.append(self.client.get(ticket)["dealer"])
        self.assertEqual(dealers, ["BJ-1", "BJ-2"])

    def test_many_damaged_tickets(self):
        """However many are passed over, those behind them come."""
        self.begin()
        self.client.calls([create_message(self.client, description="doomed", type="repair")] * 700)
        self.client.advance(self.now + HOUR // 2)
        whole = self.ticket()
        self.damage(b"doomed", b"doomeD")
        self.client.jump(self.now + 4 * HOUR)
        harness.wait_for(lambda: self.client.escalations(whole), "what is due behind them")
        # Late, so in a summary, which comes when nothing else is left to be done.
        harness.wait_for(lambda: self.client.call("Notifications", "Take", "uu", 100, 60), "it")

    def take(self, limit=100):
        return [row["recipient"] for row in
                self.client.call("Notifications", "Take", "uu", limit, 60)]

    def test_damaged_notifications(self):
        """Those behind them are handed out."""
        self.make_store(2)
        self.client.advance(self.now + 4 * HOUR + 1)
        self.damage(b"\x03\x02BJ", b"\x03\x02BX")
        self.assertEqual(self.take(1), ["BIZ"])
        self.assertEqual(self.take(), ["BIZ"])

    def test_a_damaged_summary(self):
        """The others are released, and the next one of the same recipient is."""
        self.make_store(1)
        reopened = [2, 3, 4]
        for region in "110105", "310105", "110105":
            ticket = self.ticket(type="consultation", region=region)
            self.client.move("Resolve", ticket, result="answered")
        self.now += HOUR
        self.client.advance(self.now)
        # What is late gathers, and is not released as long as the clock is suspected.
        self.client.call("Clock", "SetSynchronised", "b", False)
        self.client.jump(self.now + 40 * 24 * HOUR)
        reopen = {"reopen_reason": "other", "at": self.now - HOUR // 2}
        for ticket in reopened[:2]:
            self.client.move("Reopen", ticket, **reopen)
        self.damage(b"\x03\x02BJ", b"\x03\x02BX")
        self.assertEqual(harness.wait_for(self.take, "that of Shanghai"), ["SH"])
        self.client.move("Reopen", reopened[2], **reopen)
        self.assertEqual(harness.wait_for(self.take, "that of Beijing"), ["BJ"])
        with open(f"/proc/{self.service.daemon.pid}/stat", encoding="ascii") as file:
            first = file.read().split()
        time.sleep(1)
        with open(f"/proc/{self.service.daemon.pid}/stat", encoding="ascii") as file:
            last = file.read().split()
        self.assertLess(int(last[13]) - int(first[13]), 50, "ticks in a second without work")

    def test_a_damaged_index_entry(self):
        """The case that it is of cannot be moved; all others can, also in one batch with it."""
        self.make_store(9)
        armed = self.client.get(5)["armed_at"]
        self.damage(struct.pack(">BBQQ", 1, 1, armed, 5), struct.pack(">BBQQ", 1, 1, armed, 9 << 40))
        for _ in range(3):
            answers = self.client.calls([
                self.client.message("Tickets", "Dispatch", "ta{sv}", id, {})
                for id in (1, 5, 2, 5, 3)])
            for id, answer in zip((1, 5, 2, 5, 3), answers):
                if id == 5:
                    self.assertEqual(answer.name, "RecordDamaged")
                    self.assertIn("backup", answer.text)
                elif isinstance(answer, BusError):  # it was dispatched the first time
                    self.assertEqual(answer.name, "InvalidState")
        self.assertEqual([self.client.get(id)["state"] for id in (1, 2, 3)], ["dispatched"] * 3)
        self.assertEqual(self.client.get(5)["state"], "received")
        self.assert_counted(1, "ticket 5 is damaged")
        # What is due on it cannot happen, which keeps nobody else waiting.
        self.client.jump(self.now + 3 * HOUR)
        harness.wait_for(lambda: {4, 6, 7, 8, 9} <= {
            row["case_id"] for row in self.client.list_all("Escalations")}, "escalations")
        self.assertIsNone(self.service.daemon.poll())
        found = self.service.check()
        self.assertTrue(any("missing in index by_state" in x for x in found), found)


if __name__ == "__main__":
    unittest.main()
