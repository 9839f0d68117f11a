# SPDX-License-Identifier: Apache-2.0
"""The change feed: everything that happened, once, in order, to those whose it is; and that nobody
who does not read keeps the others waiting."""

import shutil
import subprocess
import time
import unittest

import jeepney

from harness import (BUILD, BUS, BusError, FreshServiceTest, POLICY, REGION, ServiceTest, figure,
                     needs_root, of_the_bus, variants, wait_for)

CASE_KEYS = {"sequence", "time", "actor", "verb", "what", "id", "state", "revision", "subcentre",
             "dealer", "left", "removed"}
ESCALATION_KEYS = {"sequence", "time", "actor", "verb", "what", "id", "revision", "subcentre",
                   "dealer", "kind", "case_id", "cause", "level", "recipient", "left", "removed"}
MASTER_KEYS = {"sequence", "time", "actor", "verb", "what", "code", "revision", "left", "removed"}


def changes(client, since=0, limit=1000):
    """One page."""
    return client.call("Manager", "Changes", "tu", since, limit)


def newest(client):
    rows, sequence = changes(client, 0, 0)
    assert rows == []
    return sequence


def follow(client, since=0, limit=1000):
    """All pages from there on: (rows, next)."""
    everything = []
    while True:
        rows, after = changes(client, since, limit)
        everything += rows
        if after == since:
            assert rows == []
            return everything, since
        assert after > since
        since = after


def is_settled(client):
    rows = client.call("Policy", "List")
    return bool(rows) and all("recomputed_at" in row for row in rows)


class FeedTest(FreshServiceTest):
    """Each begins when the daemon has noted for itself what it does after its first start."""

    def setUp(self):
        super().setUp()
        wait_for(lambda: is_settled(self.client), "the policy to be in force")


def brief(rows):
    return [(row["verb"], row["what"], row.get("id", row.get("code")), row.get("state"),
             row["revision"]) for row in rows]


class Feed(FeedTest):
    def test_rows(self):
        since = newest(self.client)
        self.assertEqual(since, self.client.status()["sequence"])
        ticket = self.ticket(customer_name="李四", phone="000-1", address="长安街 1 号",
                             description="不制冷")
        self.client.move("Dispatch", ticket, dealer="BJ-1")
        self.client.call("Units", "Update", "sa{sv}", "BJ-1", variants({"contact": "000-2"}))
        rows, after = changes(self.client, since)
        self.assertEqual(brief(rows), [
            ("Tickets.Create", "ticket", ticket, "received", 1),
            ("Tickets.Dispatch", "ticket", ticket, "dispatched", 2),
            ("Units.Update", "unit", "BJ-1", None, 2)])
        self.assertEqual([row["sequence"] for row in rows], [since + 1, since + 2, since + 3])
        self.assertEqual(after, since + 3)
        self.assertEqual(set(rows[0]) | {"dealer"}, CASE_KEYS)
        self.assertEqual(set(rows[1]), CASE_KEYS)
        self.assertEqual(set(rows[2]), MASTER_KEYS)
        self.assertEqual((rows[1]["subcentre"], rows[1]["dealer"], rows[1]["time"]),
                         ("BJ", "BJ-1", self.client.now()))
        self.assertRegex(rows[1]["actor"], r"^uid:\d+$")
        for value in ("李四", "000-1", "000-2", "长安街", "不制冷"):
            self.assertNotIn(value, repr(rows))
        self.assertEqual(changes(self.client, after), [[], after])

    def test_escalations(self):
        ticket = self.ticket(dealer="BJ-1")
        since = newest(self.client)
        self.until("2026-03-02 12:30")
        warning, = self.client.escalations(ticket)
        self.client.call("Escalations", "Acknowledge", "ta{sv}", warning["id"], {})
        rows, _ = follow(self.client, since)
        raised, taken = (row for row in rows if row["what"] == "escalation")
        self.assertEqual(set(raised), ESCALATION_KEYS - {"level"})  # a warning has level 0
        self.assertEqual((raised["id"], raised["case_id"], raised["kind"], raised["cause"],
                          raised["recipient"], raised["revision"], raised["actor"]),
                         (warning["id"], ticket, "ticket", "warning", warning["recipient"], 1,
                          "daemon"))
        self.assertEqual((taken["id"], taken["revision"], taken["verb"]),
                         (warning["id"], 2, "Escalations.Acknowledge"))

    def test_refused_calls_are_no_changes(self):
        since = newest(self.client)
        with self.refused("UnknownField"):
            self.ticket(nonsense=1)
        self.assertEqual(changes(self.client, since), [[], since])

    def test_from_the_beginning(self):
        """The first change of all is told; every number comes once, in order."""
        rows, after = follow(self.client)
        first = rows[0]["sequence"]  # what the daemon notes for itself is not told
        self.assertLess(first, 5)
        self.assertEqual([row["code"] for row in rows[:3]], ["HQ", "TECH", "PARTS"])
        self.assertEqual([row["sequence"] for row in rows], list(range(first, after + 1)))

    def test_pages(self):
        for _ in range(40):
            self.ticket()
        self.until("2026-03-02 12:30")  # one change for each, of two rows
        whole, end = follow(self.client)
        self.assertEqual(end, newest(self.client))
        self.assertGreater(len(whole), 120)
        for limit in (1, 2, 3, 7, len(whole) - 1, len(whole), 1000):
            with self.subTest(limit=limit):
                self.assertEqual(follow(self.client, 0, limit), (whole, end))
        for since in range(1, end + 1):
            rows, after = changes(self.client, since, 1)
            # What the daemon notes for itself has no rows and is passed over.
            behind = min((row["sequence"] for row in whole if row["sequence"] > since),
                         default=end)
            expected = [row for row in whole if row["sequence"] == behind > since]
            self.assertEqual((rows, after), (expected, behind))
        with self.refused("InvalidValue", "1000"):
            changes(self.client, 0, 1001)

    def test_beyond_the_end(self):
        end = newest(self.client)
        for since in (end + 1, end + 1000, 1 << 40 | 1, 2**64 - 1):
            with self.refused("ChangesGone", f"no change {since}", f"1 to {end}"):
                changes(self.client, since)

    def test_kept_over_a_restart(self):
        since = newest(self.client)
        ticket = self.ticket()
        before = changes(self.client, since)
        self.service.restart(self.client.now(), kill=True)
        self.assertEqual(changes(self.client, since), before)
        self.client.move("Comment", ticket, note="注")
        rows, _ = changes(self.client, before[1])
        self.assertEqual([row["sequence"] for row in rows], [since + 2])

    def test_a_page_is_bounded_in_bytes(self):
        since = newest(self.client)
        for _ in range(600):
            self.ticket()
        rows, after = changes(self.client, since)
        self.assertLess(len(rows), 600)
        self.assertLess(after, newest(self.client))
        self.assertEqual([row["sequence"] for row in follow(self.client, since)[0]],
                         list(range(since + 1, since + 601)))

    def test_speed(self):
        for _ in range(20):
            self.client.calls([self.client.message("Tickets", "Create", "a{sv}", variants(
                {"type": "repair", "region": REGION, "description": "不制冷" * 20}))] * 250)
        begun = time.monotonic()
        rows, _ = follow(self.client)
        seconds = time.monotonic() - begun
        self.assertGreater(len(rows), 5000)
        figure(f"Changes tells {len(rows) / seconds:,.0f} rows a second, in pages of 1000")


class Keep(FeedTest):
    POLICY = POLICY.read_text("utf-8").replace("requests:", "journal: {keep: 2h}\n\nrequests:")

    def test_too_late(self):
        early = newest(self.client)
        oldest = follow(self.client)[0][0]["sequence"]
        ticket = self.ticket()
        self.until("2026-03-02 11:30")
        # Nothing is removed while nothing is written.
        self.assertEqual(follow(self.client)[0][0]["sequence"], oldest)
        for i in range(early):  # each removes up to two
            self.client.move("Comment", ticket, note=f"注 {i}")
        # With the next checkpoint; the comments are not old yet.
        wait_for(lambda: follow(self.client)[0][0]["sequence"] == early + 2, "the old ones to go")
        rows, end = follow(self.client)
        first = rows[0]["sequence"]
        self.assertEqual([row["sequence"] for row in rows], list(range(first, end + 1)))
        for since in (1, early, first - 2):
            with self.refused("ChangesGone", f"oldest kept is {first}", "journal.keep",
                              "limit 0"):
                changes(self.client, since)
        # Whoever has seen the last one removed has missed nothing.
        self.assertEqual(follow(self.client, first - 1), (rows, end))
        self.service.restart(self.client.now())
        self.assertEqual(follow(self.client, first - 1), (rows, end))
        with self.refused("ChangesGone"):
            changes(self.client, first - 2)


class Restored(FeedTest):
    """An older state of the store takes the place of the present one."""

    def restore(self):
        """Back to the copy, as a restore does it."""
        self.service.stop()
        shutil.rmtree(self.service.state)
        shutil.copytree(self.service.directory / "copy", self.service.state)
        subprocess.run([BUILD / "tests/new-epoch", self.service.state], check=True)
        self.service.start(self.CLOCK)

    def test_numbers_never_repeat(self):
        first = self.ticket()
        self.service.stop()
        shutil.copytree(self.service.state, self.service.directory / "copy")
        self.service.start(self.CLOCK)
        old = newest(self.client)
        before = follow(self.client)[0]
        lost = [self.ticket(), self.ticket()]
        ahead = newest(self.client)
        self.restore()
        # Before anything new: the lost ones are gone, nothing else. (The daemon may have noted
        # something for itself, which has no rows.)
        self.assert_gone(ahead, f"no change {ahead}", "restored")
        self.assertEqual(follow(self.client, old)[0], [])
        again = self.ticket()
        self.assertEqual(again, lost[0])  # the number of a ticket that never was
        self.client.move("Comment", again, note="注")
        self.assertEqual(newest(self.client) >> 40, 1)
        for since in (ahead, ahead - 1, ahead + 7, 1 << 40, newest(self.client) + 1, 2 << 40 | 1):
            self.assert_gone(since)
        # Whoever had not seen what was lost goes on as if nothing had been.
        rows, end = follow(self.client, old, 1)
        self.assertEqual([(row["sequence"] >> 40, row["id"], row["revision"]) for row in rows],
                         [(1, again, 1), (1, again, 2)])
        self.assertLess((rows[0]["sequence"] & (1 << 40) - 1), 5)
        self.assertEqual(rows[1]["sequence"], rows[0]["sequence"] + 1)
        self.assertEqual(follow(self.client), (before + rows, end))
        self.service.restart(self.CLOCK, kill=True)
        self.assertEqual(follow(self.client)[0], before + rows)
        self.client.move("Comment", first, note="注")
        self.assertEqual(newest(self.client) >> 40, 1)
        self.assertGreater(newest(self.client), end)

    def assert_gone(self, since, *words):
        with self.assertRaises(BusError) as caught:
            changes(self.client, since)
        self.assert_error(caught.exception, "ChangesGone", *words)


@needs_root
class Scope(FeedTest):
    def setUp(self):
        super().setUp()
        self.clients = {
            "centre": self.service.client("daemon"),
            "BJ": self.service.client("games"), "SH": self.service.client("man"),
            "BJ-1": self.service.client("mail"), "SH-1": self.service.client("irc", ["lp"]),
            "auditor": self.service.client("news"), "notifier": self.service.client("www-data"),
        }

    def seen(self, name, since):
        """What somebody sees, without master data."""
        return [row for row in follow(self.clients[name], since)[0] if "id" in row]

    def test_everybody_sees_their_own(self):
        since = newest(self.client)
        tickets = {dealer: self.ticket(dealer=dealer, region=region) for dealer, region in (
            ("BJ-1", REGION), ("BJ-2", REGION), ("SH-1", "310115"), ("SH-2", "310104"))}
        self.until("2026-03-02 12:30")  # a warning for each
        for ticket in tickets.values():
            self.client.move("Dispatch", ticket)
        whole, end = follow(self.client, since)
        self.assertEqual(len([row for row in whole if row["what"] == "escalation"]), 4)
        for name, dealers in (("centre", set(tickets)), ("auditor", set(tickets)),
                              ("BJ", {"BJ-1", "BJ-2"}), ("SH", {"SH-1", "SH-2"}),
                              ("BJ-1", {"BJ-1"}), ("SH-1", {"SH-1"})):
            with self.subTest(who=name):
                rows, after = follow(self.clients[name], since)
                self.assertEqual(rows, [row for row in whole if row["dealer"] in dealers])
                self.assertEqual(after, end)
                self.assertEqual(follow(self.clients[name], since, 1)[0], rows)
        self.assertEqual(self.seen("notifier", since),
                         [row for row in whole if row["what"] == "escalation"])

    def test_master_data_by_permission(self):
        since = newest(self.client)
        self.client.call("Units", "Update", "sa{sv}", "BJ-1", variants({"contact": "000-2"}))
        self.client.call("Products", "Update", "sa{sv}", "AC-1", variants({"name": "空调"}))
        both = [("unit", "BJ-1"), ("product", "AC-1")]
        for name, expected in (("SH", both), ("SH-1", both[1:]), ("notifier", [])):
            rows, after = follow(self.clients[name], since)
            self.assertEqual([(row["what"], row["code"]) for row in rows], expected, name)
            self.assertEqual(after, since + 2)

    def test_who_may_read_nothing(self):
        with self.refused("NotPermitted", "nothing"):
            changes(self.service.client("nobody"))

    def test_a_transfer(self):
        """Whoever loses a ticket sees that, and nothing of what comes after it."""
        ticket = self.ticket(dealer="BJ-1")
        self.client.move("Dispatch", ticket)
        since = newest(self.client)
        self.clients["BJ"].move("Transfer", ticket, subcentre="SH", note="搬家")
        self.client.move("Comment", ticket, note="注")
        for name in ("BJ", "BJ-1"):
            row, = self.seen(name, since)
            self.assertEqual((row["verb"], row["id"], row["left"], row["sequence"]),
                             ("Tickets.Transfer", ticket, True, since + 1), name)
            self.assertNotIn("subcentre", row)
            self.assertNotIn("dealer", row)
        rows = self.seen("SH", since)
        self.assertEqual([(row["verb"], row["left"], row["subcentre"]) for row in rows],
                         [("Tickets.Transfer", False, "SH"), ("Tickets.Comment", False, "SH")])
        self.assertEqual([row["left"] for row in self.seen("centre", since)], [False, False])

    def test_another_dealer(self):
        ticket = self.ticket(dealer="BJ-1")
        self.client.move("Dispatch", ticket)
        since = newest(self.client)
        self.client.move("Decline", ticket, note="忙")
        self.client.move("Dispatch", ticket, dealer="BJ-2")
        row, = self.seen("BJ-1", since)
        self.assertEqual((row["verb"], row["left"], row["id"], row["revision"]),
                         ("Tickets.Decline", True, ticket, 3))
        rows = self.seen("BJ", since)
        self.assertEqual([(row["left"], row.get("dealer")) for row in rows],
                         [(False, None), (False, "BJ-2")])

    def test_signals(self):
        """Of every change that a subscriber can read it hears, by one signal or another."""
        listeners = {name: self.clients[name] for name in ("BJ", "SH", "BJ-1", "notifier")}
        for listener in listeners.values():
            listener.call("Manager", "Subscribe")

        def heard(name):
            return [(s.member, s.values[-1]) for s in listeners[name].signals()]

        since = newest(self.client)
        ticket = self.ticket(dealer="BJ-1")
        self.client.move("Transfer", ticket, subcentre="SH", note="搬家")
        self.assertEqual(heard("BJ"), [("Changed", since + 1), ("Changed", since + 2)])
        self.assertEqual(heard("BJ-1"), [("Changed", since + 1), ("Changed", since + 2)])
        self.assertEqual(heard("SH"), [("Changed", since + 2)])
        self.client.call("Units", "Update", "sa{sv}", "BJ-1", variants({"contact": "000-2"}))
        for name in ("BJ", "SH"):
            self.assertEqual(heard(name), [("Advanced", since + 3)])
        self.assertEqual(heard("BJ-1"), [])  # a dealer does not see units
        self.assertEqual(heard("notifier"), [])


class Bytes(ServiceTest):
    def test_list(self):
        """Long rows make short pages; whoever goes on while there is a cursor gets all of them."""
        text = "不" * 600
        numbers = [self.ticket(description=text) for _ in range(120)]
        rows, cursor = self.client.list_page("Tickets")
        self.assertTrue(cursor)
        self.assertLess(len(rows), 60)
        self.assertGreater(len(rows), 20)
        everything = [row["id"] for row in self.client.list_all("Tickets")]
        self.assertEqual(sorted(everything), numbers)
        small, _ = self.client.list_page("Tickets", limit=3)
        self.assertEqual([row["id"] for row in small], everything[:3])


class Flood(FeedTest):
    """One who asks or subscribes and never reads; the others must not feel it."""

    # That the daemon may grow to; a sanitizer keeps what was freed for a while.
    BYTES_MAX = (512 if "asan" in BUILD.name else 64) << 20

    def resident(self):
        with open(f"/proc/{self.service.daemon.pid}/status", encoding="ascii") as status:
            for line in status:
                if line.startswith("VmRSS:"):
                    return int(line.split()[1]) * 1024
        raise AssertionError("no VmRSS")

    def latencies(self, calls):
        other = self.service.client()
        seconds = []
        for _ in range(calls):
            begun = time.monotonic()
            self.ticket()
            other.status()
            seconds.append(time.monotonic() - begun)
        return sorted(seconds)

    def test_a_subscriber_that_never_reads(self):
        deaf = self.service.client()
        deaf.call("Manager", "Subscribe")
        before = self.latencies(200)
        creates = [self.client.message("Tickets", "Create", "a{sv}", variants(
            {"type": "consultation", "region": REGION}))] * 1000
        for _ in range(8):
            self.client.calls(creates)
        after = self.latencies(200)
        figure(f"beside a subscriber that reads nothing: half of the calls within "
               f"{after[100] * 1000:.1f} ms (before: {before[100] * 1000:.1f} ms), the slowest "
               f"within {after[-1] * 1000:.0f} ms")
        self.assertLess(after[-2], 1)
        self.assertLess(self.resident(), self.BYTES_MAX)
        # No more signals than the bound wait for it; once it calls, they go on.
        signals = deaf.signals()
        self.assertEqual(len(signals), 4096)
        self.ticket()
        self.assertEqual(deaf.signals(), [])
        deaf.call("Manager", "Schema", "s", "unit")
        self.ticket()
        self.assertEqual([s.member for s in deaf.signals()], ["Changed"])

    @of_the_bus
    def test_a_reader_that_never_reads(self):
        self.client.calls([self.client.message("Tickets", "Create", "a{sv}", variants(
            {"type": "consultation", "region": REGION, "description": "不" * 600}))] * 1000)
        before = self.latencies(100)
        deaf = self.service.client()
        question = self.client.message("Tickets", "List", "a{sv}su", {}, "", 1000)
        asked = 1000  # unbounded pages would be 2 GB together, and the bus stops at 128 MB
        for _ in range(asked):
            deaf.post(question)
        after = self.latencies(100)
        figure(f"beside a caller who asked for {asked} lists and reads none: half of the calls "
               f"within {after[50] * 1000:.1f} ms (before: {before[50] * 1000:.1f} ms), the "
               f"slowest within {after[-1] * 1000:.0f} ms")
        self.assertLess(self.resident(), self.BYTES_MAX)

    @of_the_bus
    @unittest.skipUnless(BUS == "dbus-daemon", "another bus does not let them")
    def test_readers_that_ask_slowly(self):
        """They stay below every limit of the bus but one: what it keeps of the daemon's answers."""
        for _ in range(40):
            self.ticket(description="不" * 600)
        self.check_slow_readers(self.client.message("Tickets", "List", "a{sv}su", {}, "", 1000), 1200)

    @of_the_bus
    @unittest.skipUnless(BUS == "dbus-daemon", "another bus does not let them")
    def test_readers_of_what_the_library_answers(self):
        """Likewise, what never comes to a method of the daemon's own."""
        self.check_slow_readers(self.client.message("org.freedesktop.DBus.Introspectable", "Introspect"), 4000)

    @needs_root
    @of_the_bus
    @unittest.skipUnless(BUS == "dbus-daemon", "another bus does not let them")
    def test_one_user_does_not_make_it_tight_for_others(self):
        """However many connections of theirs read nothing, each a little less than it may."""
        for _ in range(40):
            self.ticket(description="不" * 600)
        question = self.client.message("Tickets", "List", "a{sv}su", {}, "", 1000)
        deaf = [self.service.client("games") for _ in range(24)]
        other = self.service.client("daemon")
        for _ in range(11):
            for client in deaf:
                for _ in range(5):  # 84 MB in the end
                    client.post(question)
                self.client.status()
        for _ in range(5):
            for _ in range(4):  # 1.3 MB in the end
                other.post(question)
            for _ in range(40):  # so that the bus is asked
                self.client.status()
        other.post(question)
        for _ in range(21):
            other.next_answer()
        self.assertTrue(any("does not read its answers" in text for _, text in self.service.log()))

    def check_slow_readers(self, question, asked):
        """So many answers for each of three, 230 MB together; the bus keeps 127."""
        deaf = [self.service.client() for _ in range(3)]
        slowest = 0
        for i in range(asked):
            for client in deaf:
                client.post(question)
            if i % 20 == 0:  # all of them are answered
                begun = time.monotonic()
                self.ticket()
                slowest = max(slowest, time.monotonic() - begun)
        figure(f"beside callers who asked for {3 * asked} answers of {question.header.fields[jeepney.HeaderFields.member]} one by one and read "
               f"none: the slowest call took {slowest * 1000:.0f} ms")
        self.assertLess(self.resident(), self.BYTES_MAX)
        self.assertTrue(any("does not read its answers" in text for _, text in self.service.log()))
        # One that reads what it has asked for is served again.
        answered = 0
        with self.assertRaises(AssertionError):
            while True:
                deaf[0].settle({}, [], time.monotonic() + 1)
                answered += 1
        self.assertGreater(answered, 20)
        self.assertLess(answered, asked)
        wait_for(lambda: self.is_served(deaf[0]), "an answer to one who reads again")

    @staticmethod
    def is_served(client):
        client.post(client.message("Manager", "Status"))
        try:
            client.settle({}, [], time.monotonic() + 1)
        except AssertionError:
            return False
        return True
