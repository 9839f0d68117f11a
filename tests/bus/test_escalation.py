# SPDX-License-Identifier: Apache-2.0
"""What happens late: downtime, clocks that jump or are not believed, outbox, signals, syslog."""

import collections
import re
import threading
import unittest

import jeepney

from harness import (BusError, DAY, FreshServiceTest, HOUR, IN_FLIGHT, REGION, ServiceTest,
                     TIME_LIMIT, USEC, at, needs_root, of_the_bus, shown, variants, wait_for)

SECOND = USEC


class CatchUp(FreshServiceTest):
    def settled(self):
        return wait_for(self.status_without_lag, "the backlog")

    def status_without_lag(self):
        status = self.client.status()
        return status if status["lag"] == 0 else None

    def rungs(self, ticket, clock):
        return [(shown(e["due_at"]), e["cause"], e.get("level", 0), e.get("missed", 0),
                 e["recipient"]) for e in self.client.escalations(ticket) if e["clock"] == clock]

    def check_catch_up(self, ticket, now):
        """Down from Monday 09:00 to the next Monday 16:00."""
        self.settled()
        self.assertEqual(self.rungs(ticket, "response"), [
            ("2026-03-02 12:00", "warning", 0, 0, "BJ"),
            ("2026-03-02 13:00", "rung", 1, 0, "BJ"),
            ("2026-03-02 15:00", "rung", 2, 0, "BJ"),
            ("2026-03-03 11:00", "rung", 3, 0, "BIZ"),
            ("2026-03-04 11:00", "rung", 4, 0, "PRES"),
            # One for Thursday stands for Friday and Monday as well.
            ("2026-03-05 11:00", "repeat", 5, 2, "PRES"),
        ])
        events = self.client.escalations(ticket)
        self.assertTrue(all(e["fired_at"] == now for e in events))
        dues = [e["due_at"] for e in events]
        self.assertEqual(dues, sorted(dues), "raised in the order in which they were due")
        after = self.client.get(ticket)
        self.assertEqual((after["rung"], after["overdue"]), (4, True))
        self.assertEqual(shown(after["armed_at"]), "2026-03-10 11:00")

    def test_after_a_downtime(self):
        ticket = self.ticket()
        now = at("2026-03-09 16:00")
        self.service.restart(now)
        self.check_catch_up(ticket, now)
        # A second restart, this time by force, finds nothing to do again.
        before = self.client.escalations(ticket)
        self.service.restart(now, kill=True)
        self.settled()
        self.assertEqual(self.client.escalations(ticket), before)
        # The next repetition comes at its own time.
        self.until("2026-03-10 12:00")
        self.assertEqual(self.rungs(ticket, "response")[-1],
                         ("2026-03-10 11:00", "repeat", 8, 0, "PRES"))

    def test_after_a_jump(self):
        ticket = self.ticket()
        now = at("2026-03-09 16:00")
        self.client.jump(now)
        self.check_catch_up(ticket, now)

    def test_a_jump_to_the_very_instant(self):
        ticket = self.ticket()
        self.client.jump(at("2026-03-02 12:00"))
        self.ticket()  # looks again at what is due
        self.assertEqual(self.client.status()["lag"], 0)
        self.assertEqual(self.client.escalations(ticket), [])
        self.client.jump(at("2026-03-02 12:00") + 1)
        self.settled()
        self.assertEqual(len(self.client.escalations(ticket)), 1)
        self.assertEqual([text for priority, text in self.service.log()
                          if priority < 5 and "no-such-user" not in text], [])

    def test_a_call_right_after_the_jump(self):
        """A transition finds recorded what was due before it."""
        ticket = self.ticket()
        self.client.call("Clock", "Jump", "x", at("2026-03-02 15:30"))
        self.client.move("Resolve", ticket, result="answered")
        events = [(e["clock"], e["cause"], e.get("level", 0))
                  for e in self.client.escalations(ticket)]
        self.assertEqual(events, [("response", "warning", 0), ("response", "rung", 1),
                                  ("response", "rung", 2)])

    def test_back_and_forth(self):
        """Nothing twice and nothing early."""
        ticket = self.ticket()
        self.until("2026-03-02 13:30")
        before = self.client.escalations(ticket)
        self.client.jump(at("2026-03-02 09:30"))
        self.client.advance(at("2026-03-02 14:59"))
        self.assertEqual(self.client.escalations(ticket), before)
        self.client.jump(at("2026-02-20 09:00"))
        self.assertEqual(self.client.status()["lag"], 0)
        # The ticket's own time does not run backwards, nor does that of a new one.
        head = self.client.move("Dispatch", ticket)
        after = self.client.get(ticket)
        self.assertGreaterEqual(after["changed_at"], after["created_at"])
        self.assertEqual(head["revision"], 2)
        self.client.advance(at("2026-03-02 15:00") + 1)
        self.assertEqual(len(self.client.escalations(ticket)), len(before) + 1)

    def test_lag(self):
        ticket = self.ticket()
        self.until("2026-03-02 12:00")
        self.assertEqual(self.client.status()["lag"], 0)
        self.assertEqual(self.client.status()["next_due"], at("2026-03-02 12:00"))
        self.client.call("Clock", "SetSynchronised", "b", False)
        self.client.jump(at("2026-03-02 12:00") + 40 * DAY)
        self.assertEqual(self.client.status()["lag"], 0, "by the time that is believed")
        self.client.call("Manager", "AcceptClock")
        self.assertEqual(self.settled()["lag"], 0)
        self.assertTrue(self.client.escalations(ticket))

    def test_ten_thousand_overdue(self):
        """As many notifications as recipients, and every rung recorded."""
        n = 10_000
        create = self.client.message("Tickets", "Create", "a{sv}",
                                     variants({"type": "consultation", "region": REGION}))
        self.client.calls([create] * n)
        self.assertEqual(self.client.status()["open"], n)
        self.service.stop()
        now = at("2026-03-02 16:00")
        self.service.start(now)
        status = self.settled()
        self.assertEqual((status["overdue"], status["escalations_open"]), (n, 3 * n))
        taken = wait_for(lambda: self.client.call("Notifications", "Take", "uu", 100, 60),
                         "the summaries")
        self.assertEqual([row["recipient"] for row in taken], ["BJ"])
        summary = taken[0]
        self.assertEqual((summary["count"], summary["level"], summary["cause"],
                          shown(summary["first_due"]), shown(summary["last_due"]),
                          summary["fired_at"], summary.get("escalation")),
                         (3 * n, 2, "rung", "2026-03-02 12:00", "2026-03-02 15:00", now, None))
        self.assertEqual(self.client.status()["notifications"], 1)
        sample = self.client.list_page("Tickets", limit=20)[0]
        for row in sample:
            self.assertEqual([e.get("level", 0) for e in self.client.escalations(row["id"])],
                             [0, 1, 2])
        # One line a recipient in syslog.
        lines = [text for _, text in self.service.log() if " summary: " in text]
        self.assertEqual(len(lines), 1)
        self.assertIn(f"{3 * n} escalations", lines[0])

    def test_one_summary_a_recipient(self):
        tickets = [self.ticket(), self.ticket(region="310115"), self.ticket(priority="urgent")]
        self.service.restart(at("2026-03-09 16:00"))
        self.settled()
        expected = collections.Counter(
            e["recipient"] for ticket in tickets for e in self.client.escalations(ticket))
        self.assertEqual(set(expected), {"BJ", "SH", "BIZ", "PRES"})
        rows = wait_for(lambda: self.client.call("Notifications", "Take", "uu", 100, 60), "them")
        self.assertEqual({row["recipient"]: row["count"] for row in rows}, dict(expected))
        self.assertEqual(len(rows), len(expected))

    def test_late_and_early(self):
        """What comes within five minutes is told by itself, what comes later in a summary."""
        ticket = self.ticket()
        for text, late, single in (("2026-03-02 12:00", 5 * 60 * SECOND, True),
                                   ("2026-03-02 13:00", 5 * 60 * SECOND + 1, False)):
            self.client.jump(at(text) + late)
            self.settled()
            last = self.client.escalations(ticket)[-1]
            self.assertEqual((shown(last["due_at"]), last["fired_at"]), (text, at(text) + late))
            row, = wait_for(lambda: self.client.call("Notifications", "Take", "uu", 100, 60), text)
            self.assertEqual(row.get("escalation"), last["id"] if single else None)
            self.client.call("Notifications", "Acknowledge", "at", [row["id"]])


class Durability(FreshServiceTest):
    def test_what_was_answered_survives(self):
        """The daemon is killed as soon as an answer is there."""
        reader = self.service.client()
        for turn in range(10):
            ticket = self.client.create(type="consultation", region=REGION, request_id=f"r{turn}")
            self.service.kill()
            self.service.start(self.CLOCK)
            self.assertEqual(reader.get(ticket)["revision"], 1)
            head = self.client.move("Dispatch", ticket)
            self.service.restart(self.CLOCK, kill=True)
            self.assertEqual(reader.get(ticket)["revision"], head["revision"])

    def test_a_request_in_flight(self):
        """Killed before the answer: whether it was done or not, the same request id finds out."""
        for turn in range(10):
            fields = variants({"type": "consultation", "region": REGION,
                               "request_id": f"f{turn}"})
            create = self.client.message("Tickets", "Create", "a{sv}", fields)
            self.client.post(create)
            self.service.restart(self.CLOCK, kill=True)
            ticket, created = self.client.calls([create])[0]
            self.assertTrue(created)
            self.assertEqual(self.client.status()["open"], turn + 1)
            self.assertEqual(self.client.get(ticket)["revision"], 1)


class Suspicion(FreshServiceTest):
    """A clock that jumps by more than 30 days while nothing confirms it."""

    def suspect(self):
        status = self.client.status()
        told = [text for text in status["warnings"] if text.startswith("clock-suspect")]
        self.assertEqual(bool(told), status["clock_suspect"])
        return status["clock_suspect"]

    def escalated(self):
        return wait_for(lambda: self.client.escalations(self.number), "escalations")

    def setUp(self):
        super().setUp()
        self.number = self.ticket()
        self.client.advance(self.CLOCK)  # from here on a jump is one

    def test_held_until_accepted(self):
        self.client.call("Clock", "SetSynchronised", "b", False)
        self.client.jump(at("2026-03-02 09:00") + 30 * DAY + 1)
        self.assertTrue(self.suspect())
        self.assertEqual(self.client.escalations(self.number), [])
        # Work goes on, but escalates nothing either.
        self.client.move("Comment", self.number, note="继续")
        self.ticket()
        self.assertTrue(self.suspect())
        self.assertEqual(self.client.escalations(self.number), [])
        self.assertTrue(any(priority == 2 and text.startswith("clock-suspect")
                            for priority, text in self.service.log()))
        self.client.call("Manager", "AcceptClock")
        self.assertFalse(self.suspect())
        self.assertEqual(self.escalated()[0]["due_at"], at("2026-03-02 12:00"))

    def test_calls_meanwhile(self):
        """They happen at the last time that was believed, and are heard of when it is right again."""
        began = self.client.now()
        self.client.call("Clock", "SetSynchronised", "b", False)
        self.client.jump(began + 3650 * DAY)
        self.assertTrue(self.suspect())
        ticket = self.ticket(promised_at=began + HOUR)
        self.client.move("Comment", self.number, note="继续")
        self.assertEqual(self.client.get(ticket)["created_at"], began)
        self.assertEqual(self.client.get(self.number)["changed_at"], began)
        self.assertEqual(self.client.status()["now"], began)
        self.assertEqual({row["time"] for row in self.client.call("Manager", "Changes", "tu", 0, 1000)[0]},
                         {began})
        self.client.jump(began + HOUR)
        self.assertFalse(self.suspect())
        self.client.advance(at("2026-03-02 12:00") + 1)
        for number in self.number, ticket:
            self.assertEqual([shown(e["due_at"]) for e in self.client.escalations(number)
                              if e["clock"] == "response"], ["2026-03-02 12:00"])

    def test_thirty_days_are_believed(self):
        self.client.call("Clock", "SetSynchronised", "b", False)
        self.client.jump(at("2026-03-02 09:00") + 30 * DAY)
        self.assertFalse(self.suspect())
        self.escalated()

    def test_a_confirmed_clock_is_believed(self):
        self.client.jump(at("2027-03-02 09:00"))
        self.assertFalse(self.suspect())
        self.escalated()

    def test_backwards(self):
        self.client.call("Clock", "SetSynchronised", "b", False)
        self.client.jump(at("2026-03-02 09:00") - 31 * DAY)
        self.assertTrue(self.suspect())
        # It comes back by itself.
        self.client.jump(at("2026-03-02 12:30"))
        self.assertFalse(self.suspect())
        self.escalated()

    def test_it_is_confirmed_after_all(self):
        self.client.call("Clock", "SetSynchronised", "b", False)
        self.client.jump(at("2026-05-02 09:00"))
        self.assertTrue(self.suspect())
        self.client.call("Clock", "SetSynchronised", "b", True)
        self.client.jump(self.client.now() + 1)
        self.assertFalse(self.suspect())
        self.escalated()

    def timedated(self, *answers):
        """A systemd-timedated that gives these answers, one a question; joins after the last."""
        client = self.service.client()
        address = jeepney.DBusAddress("/org/freedesktop/DBus", "org.freedesktop.DBus",
                                      "org.freedesktop.DBus")
        client.calls([jeepney.new_method_call(address, "RequestName", "su",
                                              ("org.freedesktop.timedate1", 0))])

        def serve():
            for answer in answers:
                message = client.connection.receive(timeout=TIME_LIMIT)
                while message.header.message_type != jeepney.MessageType.method_call:
                    message = client.connection.receive(timeout=TIME_LIMIT)
                self.asked.append(message.body)
                client.connection.send(jeepney.new_method_return(message, "v", (("b", answer),)))
        self.asked = []
        thread = threading.Thread(target=serve)
        thread.start()
        return thread

    @of_the_bus
    def test_another_program_confirms_it(self):
        """Where the kernel does not tell us, as in a unit without access to the clock."""
        timedated = self.timedated(True)
        self.client.call("Clock", "SetSynchronised", "b", False)
        self.client.jump(at("2026-05-02 09:00"))
        timedated.join()
        self.assertEqual(self.asked, [("org.freedesktop.timedate1", "NTPSynchronized")])
        wait_for(lambda: not self.suspect(), "the end of the suspicion")
        self.escalated()

    def test_another_program_does_not_confirm_it(self):
        timedated = self.timedated(False)
        self.client.call("Clock", "SetSynchronised", "b", False)
        self.client.jump(at("2026-05-02 09:00"))
        timedated.join()
        self.client.status()
        self.assertTrue(self.suspect())
        self.assertEqual(self.client.escalations(self.number), [])


class Outbox(FreshServiceTest):
    def take(self, limit=100, lease=60):
        return self.client.call("Notifications", "Take", "uu", limit, lease)

    def acknowledge(self, *ids):
        return self.client.call("Notifications", "Acknowledge", "at", list(ids))

    def overdue(self, n=1):
        """Tickets whose warning and first rung have been raised, each by itself."""
        tickets = [self.ticket() for _ in range(n)]
        self.client.advance(self.client.now() + 4 * HOUR + 1)
        return tickets

    def test_one_for_each_escalation(self):
        ticket, = self.overdue()
        events = self.client.escalations(ticket)
        rows = self.take()
        self.assertEqual([row["escalation"] for row in rows], [e["id"] for e in events])
        for row, e in zip(rows, events):
            self.assertEqual({key: row.get(key) for key in ("recipient", "kind", "case_id", "cause",
                                                            "level", "first_due", "last_due",
                                                            "fired_at")},
                             {"recipient": e["recipient"], "kind": "ticket", "case_id": ticket,
                              "cause": e["cause"], "level": e.get("level"),
                              "first_due": e["due_at"], "last_due": e["due_at"],
                              "fired_at": e["fired_at"]})
            self.assertEqual((row["count"], row["attempts"], row["leased_until"]),
                             (1, 1, self.client.now() + 60 * SECOND))

    def test_lease(self):
        self.overdue()
        first = self.take(1, 60)
        second = self.take(100, 60)
        self.assertEqual(len(first) + len(second), 2)
        self.assertNotEqual(first[0]["id"], second[0]["id"])
        self.assertEqual(self.take(), [])
        self.client.jump(self.client.now() + 60 * SECOND - 1)
        self.assertEqual(self.take(), [], "they are still somebody's")
        self.client.jump(self.client.now() + 1)
        again = self.take()
        self.assertEqual([row["id"] for row in again], [first[0]["id"], second[0]["id"]],
                         "under the same number, the oldest first")
        self.assertEqual([row["attempts"] for row in again], [2, 2])

    def test_a_lease_by_a_clock_that_was_ahead(self):
        """Nobody can have it that long."""
        self.overdue()
        now = self.client.now()
        self.client.jump(now + 2 * HOUR)
        taken = self.take(1, 60)
        self.client.jump(now + 1)
        ids = [row["id"] for row in self.take(100, 3600)]
        self.assertIn(taken[0]["id"], ids)
        self.assertEqual(len(ids), self.client.status()["notifications"])
        self.assertEqual(self.take(), [], "now they are somebody's")

    def test_the_oldest_first_whoever_had_them(self):
        """One whose delivery failed comes before those that came up in the meantime."""
        self.overdue(3)
        old = [row["id"] for row in self.take(6, 60)]
        self.client.jump(self.client.now() + 30 * SECOND)
        self.overdue(3)
        middle = [row["id"] for row in self.take(3, 1)]
        self.client.jump(self.client.now() + 2 * SECOND)
        # Over are the leases of the first six, given first, and of the next three, given last.
        everything = [row["id"] for row in self.take(100, 1)]
        self.assertEqual(everything, sorted(everything))
        self.assertGreater(len(everything), len(old) + len(middle))
        # Whatever order leases end in, and however few are asked for.
        self.client.jump(self.client.now() + 2 * SECOND)
        for lease in (50, 40, 30):
            self.take(3, lease)
        self.client.jump(self.client.now() + 35 * SECOND)
        self.assertEqual([row["id"] for row in self.take(4, 60)],
                         everything[6:10], "the third three, and the next after them")
        self.client.jump(self.client.now() + 60 * SECOND)
        for first in range(0, len(everything), 4):
            self.assertEqual([row["id"] for row in self.take(4, 60)], everything[first:first + 4])

    def test_acknowledge(self):
        self.overdue()
        one, two = (row["id"] for row in self.take())
        self.assertEqual(self.acknowledge(one, one, 10**9), 1)
        self.assertEqual(self.client.status()["notifications"], 1)
        self.assertEqual(self.acknowledge(one, two), 1)
        self.assertEqual(self.acknowledge(two), 0)
        self.assertEqual(self.acknowledge(), 0)
        self.client.jump(self.client.now() + HOUR)
        self.assertEqual(self.take(), [])
        self.assertEqual(self.client.status()["notifications"], 0)

    def test_not_lost_by_kill(self):
        """Between Take and Acknowledge the daemon dies; the lease holds, then they come again."""
        self.overdue()
        taken = self.take(100, 60)
        now = self.client.now()
        self.service.restart(now - now % SECOND + SECOND, kill=True)
        self.assertEqual(self.take(), [])
        self.client.jump(now + 60 * SECOND)
        again = self.take()
        self.assertEqual([row["id"] for row in again], [row["id"] for row in taken])
        self.assertEqual([row["attempts"] for row in again], [2, 2])
        self.assertEqual(self.acknowledge(*(row["id"] for row in again)), 2)
        self.service.restart(now + HOUR - now % SECOND, kill=True)
        self.assertEqual(self.take(), [])

    def test_acknowledged_by_a_call_that_is_answered(self):
        """What was answered before the kill is done."""
        self.overdue()
        ids = [row["id"] for row in self.take(100, 1)]
        self.acknowledge(ids[0])
        now = self.client.now()
        self.service.restart(now + HOUR - now % SECOND, kill=True)
        self.assertEqual([row["id"] for row in self.take()], ids[1:])

    def test_bounds(self):
        for limit, lease in ((0, 60), (101, 60), (10, 0), (10, 3601)):
            with self.subTest(limit=limit, lease=lease):
                with self.refused("InvalidValue", "1 to 100", "1 to 3600"):
                    self.take(limit, lease)
        with self.refused("LimitReached", "1000"):
            self.acknowledge(*range(1001))
        self.assertEqual(self.take(100, 3600), [])

    def test_many(self):
        """More than one answer holds; nobody gets one twice."""
        self.overdue(120)
        seen = []
        while rows := self.take(7):
            seen += [row["id"] for row in rows]
        self.assertEqual(len(seen), 240)
        self.assertEqual(len(set(seen)), 240)


class Signals(FreshServiceTest):
    def subscriber(self, user=None, groups=()):
        client = self.service.client(user, groups)
        client.call("Manager", "Subscribe")
        return client

    def test_changed_and_escalated(self):
        listener = self.subscriber()
        deaf = self.service.client()
        ticket = self.ticket()
        self.client.move("Dispatch", ticket, dealer="BJ-1")
        sequence = self.client.status()["sequence"]
        signals = listener.signals()
        self.assertEqual([(s.member, s.values[:3]) for s in signals],
                         [("Changed", [ticket, "received", 1]),
                          ("Changed", [ticket, "dispatched", 2])])
        self.assertEqual(signals[-1].values[3], sequence)
        self.assertLess(signals[0].values[3], sequence)
        self.until("2026-03-02 12:30")
        warning, = self.client.escalations(ticket)
        escalated = [s for s in listener.signals() if s.member == "Escalated"]
        self.assertEqual([s.values[:6] for s in escalated],
                         [[warning["id"], "ticket", ticket, "warning", 0, "BJ-1"]])
        self.assertEqual(deaf.signals(), [])
        listener.call("Manager", "Unsubscribe")
        self.client.move("Comment", ticket, note="注")
        self.assertEqual(listener.signals(), [])

    def test_once_for_a_subscriber(self):
        listener = self.subscriber()
        listener.call("Manager", "Subscribe")
        self.ticket()
        self.assertEqual(len(listener.signals()), 1)

    def test_a_refused_call_is_not_signalled(self):
        listener = self.subscriber()
        with self.refused("UnknownField"):
            self.ticket(nonsense=1)
        self.assertEqual(listener.signals(), [])

    @needs_root
    def test_scope(self):
        """Everybody hears of what they may see, and of nothing else."""
        listeners = {
            "root": self.subscriber(),
            "centre": self.subscriber("daemon"),
            "auditor": self.subscriber("news"),
            "BJ": self.subscriber("games"),
            "SH": self.subscriber("man"),
            "BJ-1": self.subscriber("mail"),
            "SH-1": self.subscriber("irc", ["lp"]),
            "notifier": self.subscriber("www-data"),
        }
        bj_1 = self.ticket(dealer="BJ-1")
        bj_2 = self.ticket(dealer="BJ-2")
        sh_1 = self.ticket(region="310115", dealer="SH-1")
        self.until("2026-03-02 12:30")  # a warning for each
        everything = {bj_1, bj_2, sh_1}
        expected = {"root": everything, "centre": everything, "auditor": everything,
                    "BJ": {bj_1, bj_2}, "SH": {sh_1}, "BJ-1": {bj_1}, "SH-1": {sh_1},
                    "notifier": everything}
        for name, listener in listeners.items():
            with self.subTest(listener=name):
                signals = listener.signals()
                changed = {s.values[0] for s in signals if s.member == "Changed"}
                escalated = {s.values[2] for s in signals if s.member == "Escalated"}
                self.assertEqual(changed, set() if name == "notifier" else expected[name])
                self.assertEqual(escalated, expected[name])

    def test_a_subscriber_that_goes(self):
        for _ in range(3):
            self.subscriber().close()
        stays = self.subscriber()
        self.ticket()
        self.assertEqual(len(stays.signals()), 1)

    @needs_root
    def test_who_may_read_nothing(self):
        """Has nothing to hear, and takes nobody's place."""
        with self.refused("NotPermitted", "nothing"):
            self.subscriber("nobody")

    @needs_root
    @of_the_bus
    def test_bound(self):
        subscribers = [self.subscriber(user) for user in (None, "daemon", "games", "man") for _ in range(16)]
        extra = self.service.client()
        with self.refused("LimitReached", "16", "of yours"):
            extra.call("Manager", "Subscribe")
        with self.refused("LimitReached", "64"):
            self.subscriber("mail")
        subscribers[0].call("Manager", "Unsubscribe")
        extra.call("Manager", "Subscribe")
        subscribers[1].close()
        another = self.service.client()
        wait_for(lambda: self.subscribed(another), "room for another one")

    @staticmethod
    def subscribed(client):
        try:
            client.call("Manager", "Subscribe")
        except BusError:
            return False
        return True

    def test_no_gap(self):
        """Sequence numbers rise, and every ticket's revisions come without a gap."""
        listener = self.subscriber()
        tickets = [self.ticket() for _ in range(5)]
        comment = [self.client.message("Tickets", "Comment", "ta{sv}", ticket,
                                       variants({"note": "注"}))
                   for _ in range(20) for ticket in tickets]
        self.client.calls(comment)
        signals = listener.signals()
        sequences = [s.values[3] for s in signals]
        self.assertEqual(sequences, sorted(set(sequences)))
        for ticket in tickets:
            self.assertEqual([s.values[2] for s in signals if s.values[0] == ticket],
                             list(range(1, 22)))


class Syslog(FreshServiceTest):
    def test_the_higher_the_louder(self):
        ticket = self.ticket(region="110105", customer_name="欧阳修", phone="13912345678",
                             address="朝阳区建国路")
        self.until("2026-03-05 12:00")
        self.client.move("Reopen", self.resolved(), reopen_reason="other")
        self.client.status()  # answers are sent before lines are logged
        lines = [(priority, text) for priority, text in self.service.log()
                 if re.search(rf"\bT{ticket}: .* of response", text)]
        self.assertEqual([priority for priority, _ in lines], [5, 4, 3, 2, 1, 1])
        self.assertRegex(lines[3][1], rf"^E\d+ T{ticket}: rung level 3 of response, "
                                      r"due 2026-03-03T03:00:00Z, to business BIZ\b")
        reopened = [priority for priority, text in self.service.log() if ": reopened " in text]
        self.assertEqual(reopened, [4])
        everything = self.service.log_path.read_text("utf-8")
        for personal in ("欧阳修", "13912345678", "建国路"):
            self.assertNotIn(personal, everything)

    def resolved(self):
        ticket = self.ticket()
        self.client.move("Resolve", ticket, result="answered")
        return ticket


class AcknowledgeEscalations(ServiceTest):
    def setUp(self):
        self.number = self.ticket()
        self.client.advance(self.client.get(self.number)["armed_at"] + 1)
        self.events = self.client.escalations(self.number)

    def acknowledge(self, number, **options):
        return self.client.call("Escalations", "Acknowledge", "ta{sv}", number, variants(options))

    def test_acknowledge(self):
        number = self.events[0]["id"]
        open_before = self.client.status()["escalations_open"]
        taken = self.acknowledge(number, by="王主任", revision=1)
        self.assertEqual((taken["acknowledged_at"], taken["revision"]), (self.client.now(), 2))
        self.assertRegex(taken["acknowledged_by"], r"^uid:\d+/王主任$")
        self.assertEqual(self.client.call("Escalations", "Get", "t", number), taken)
        self.assertEqual(self.client.status()["escalations_open"], open_before - 1)
        open_ones = self.client.list_all("Escalations", {"case_id": self.number})
        self.assertNotIn(number, [e["id"] for e in open_ones])
        with self.refused("InvalidState", "already", "王主任"):
            self.acknowledge(number)

    def test_stale(self):
        with self.refused("StaleRevision", "revision 1", "7"):
            self.acknowledge(self.events[0]["id"], revision=7)

    def test_repeated(self):
        number = self.events[0]["id"]
        first = self.acknowledge(number, request_id="ack-1")
        sequence = self.client.status()["sequence"]
        self.assertEqual(self.acknowledge(number, request_id="ack-1"), first)
        self.assertEqual(self.client.status()["sequence"], sequence)

    def test_unknown(self):
        for member in ("Get", "Acknowledge"):
            with self.refused("NotFound", "E999999"):
                arguments = ("ta{sv}", 999999, {}) if member == "Acknowledge" else ("t", 999999)
                self.client.call("Escalations", member, *arguments)
        with self.refused("UnknownField", "recipient"):
            self.acknowledge(self.events[0]["id"], recipient="BJ")

    def test_order(self):
        """The highest level first; filters narrow it down."""
        self.client.advance(self.client.now() + 3 * DAY)
        levels = [e.get("level", 0) for e in self.client.list_all("Escalations", limit=IN_FLIGHT)]
        self.assertEqual(levels, sorted(levels, reverse=True))
        self.assertGreater(len(levels), 5)
        for field, value in (("cause", "rung"), ("recipient", "BIZ"), ("role", "president"),
                             ("subcentre", "BJ"), ("kind", "ticket")):
            rows = self.client.list_all("Escalations", {field: value})
            self.assertTrue(rows)
            self.assertEqual({row[field] for row in rows}, {value})
        self.assertEqual(self.client.list_all("Escalations", {"recipient": "SH"}), [])


if __name__ == "__main__":
    unittest.main()
