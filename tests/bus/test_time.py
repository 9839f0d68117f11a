# SPDX-License-Identifier: Apache-2.0
"""Clocks, deadlines and ladders, against instants that were computed by hand: eight hours a working
day, 09:00 to 17:00, Monday to Friday; 2026-03-02 is a Monday, Thursday 2026-03-12 a holiday,
Saturday 2026-03-14 a working day instead."""

import os
import pathlib
import re
import shutil
import tempfile
import unittest
import unittest.mock

from harness import (DAY, FreshServiceTest, HOUR, ServiceTest, USEC, at, shown, variants,
                     wait_for)
from test_transitions import PATHS

MINUTE = HOUR // 60


class Ladders(FreshServiceTest):
    def events(self, ticket, clock, cycle=1):
        """(due, cause, level, recipient) of what that clock has raised. Under Advance each has
        happened right after it was due."""
        rows = [e for e in self.client.escalations(ticket)
                if e["clock"] == clock and e["cycle"] == cycle]
        for row in rows:
            self.assertEqual(row["fired_at"], row["due_at"] + 1)
        return [(shown(e["due_at"]), e["cause"], e.get("level", 0), e["recipient"]) for e in rows]

    def test_rungs_and_repetitions(self):
        """A clock of four hours: a warning at 75 %, rungs after 0, 2, 4, 8, then every 8 hours."""
        ticket = self.ticket()
        self.until("2026-03-09 17:00")
        self.assertEqual(self.events(ticket, "response"), [
            ("2026-03-02 12:00", "warning", 0, "BJ"),
            ("2026-03-02 13:00", "rung", 1, "BJ"),
            ("2026-03-02 15:00", "rung", 2, "BJ"),
            ("2026-03-03 11:00", "rung", 3, "BIZ"),
            ("2026-03-04 11:00", "rung", 4, "PRES"),
            ("2026-03-05 11:00", "repeat", 5, "PRES"),
            ("2026-03-06 11:00", "repeat", 6, "PRES"),
            ("2026-03-09 11:00", "repeat", 7, "PRES"),
        ])
        self.assertEqual(self.events(ticket, "resolve"), [
            ("2026-03-03 13:00", "warning", 0, "BJ"),
            ("2026-03-03 17:00", "rung", 1, "BJ"),
            ("2026-03-04 11:00", "rung", 2, "BJ"),
            ("2026-03-04 15:00", "rung", 3, "BIZ"),
            ("2026-03-05 15:00", "rung", 4, "PRES"),
            ("2026-03-06 15:00", "repeat", 5, "PRES"),
            ("2026-03-09 15:00", "repeat", 6, "PRES"),
        ])
        after = self.client.get(ticket)
        self.assertEqual((after["rung"], after["overdue"]), (4, True))
        roles = [e["role"] for e in self.client.escalations(ticket) if e["clock"] == "response"]
        self.assertEqual(roles, ["owner", "owner", "subcentre", "business"] + ["president"] * 4)

    def test_it_repeats_until_somebody_acts(self):
        ticket = self.ticket()
        self.until("2026-03-04 11:30")
        self.client.move("Dispatch", ticket, dealer="BJ-1")  # the response clock runs on
        self.until("2026-03-05 11:30")
        self.assertEqual(self.events(ticket, "response")[-1],
                         ("2026-03-05 11:00", "repeat", 5, "PRES"))
        self.client.move("Accept", ticket)
        self.until("2026-03-30 09:00")
        self.assertEqual(len(self.events(ticket, "response")), 6)
        self.assertIn(("2026-03-06 09:30", "warning", 0, "BJ-1"), self.events(ticket, "visit"))

    def test_round_the_clock_without_warning(self):
        self.until("2026-03-07 22:00")
        ticket = self.ticket(type="technical_question")
        self.assertEqual(self.deadline(ticket, "response"), "2026-03-08 02:00")
        self.until("2026-03-08 07:00")
        self.assertEqual(self.events(ticket, "response"), [
            ("2026-03-08 02:00", "rung", 1, "BJ"),
            ("2026-03-08 03:00", "rung", 2, "TECH"),
            ("2026-03-08 04:00", "rung", 3, "GEN"),
            ("2026-03-08 06:00", "repeat", 4, "GEN"),
        ])

    def test_the_owner_changes(self):
        ticket = self.ticket()
        self.until("2026-03-02 12:30")
        self.client.move("Dispatch", ticket, dealer="BJ-2")
        self.until("2026-03-02 14:00")
        self.assertEqual(self.events(ticket, "response"), [
            ("2026-03-02 12:00", "warning", 0, "BJ"),
            ("2026-03-02 13:00", "rung", 1, "BJ-2"),
        ])

    def test_a_lifted_ladder(self):
        """After it was reopened twice every rung is that of two higher, up to the top."""
        ticket = self.ticket(priority="urgent")  # owner 0, subcentre 1h, president 2h, again 4h
        for _ in range(2):
            self.client.move("Resolve", ticket, result="answered")
            self.client.move("Reopen", ticket, reopen_reason="other")
        self.assertEqual([(e["cause"], e["recipient"]) for e in self.client.escalations(ticket)],
                         [("reopened", "BJ"), ("reopened", "PRES")])
        owner = self.client.get(ticket)["owner"]
        self.until("2026-03-03 11:00")
        self.assertEqual(self.events(ticket, "response", 3), [
            ("2026-03-02 10:00", "warning", 0, owner),
            ("2026-03-02 11:00", "rung", 1, "PRES"),
            ("2026-03-02 12:00", "rung", 2, "PRES"),
            ("2026-03-02 14:00", "rung", 3, "PRES"),
            ("2026-03-03 10:00", "repeat", 4, "PRES"),
        ])

    def test_somebody_always_hears(self):
        """For a department that does not exist headquarters, for that the sub-centre."""
        for gone, stands_in in (("TECH", "HQ"), ("HQ", "BJ")):
            self.client.call("Units", "Update", "sa{sv}", gone, variants({"active": False}))
            ticket = self.ticket(type="technical_question")
            self.client.advance(self.client.now() + 5 * HOUR + 1)
            self.assertEqual([e[3] for e in self.events(ticket, "response")], ["BJ", stands_in])

    def test_acknowledging_stops_nothing(self):
        ticket = self.ticket()
        self.until("2026-03-02 13:30")
        before = self.client.get(ticket)
        for row in self.client.escalations(ticket):
            taken = self.client.call("Escalations", "Acknowledge", "ta{sv}", row["id"], {})
            self.assertEqual(taken["acknowledged_at"], self.client.now())
        self.assertEqual(self.client.get(ticket), before)
        self.until("2026-03-02 15:30")
        self.assertEqual(self.events(ticket, "response")[-1],
                         ("2026-03-02 15:00", "rung", 2, "BJ"))

    def test_the_end_cancels_everything(self):
        voided, closed, resolved = self.ticket(), self.ticket(), self.ticket()
        self.until("2026-03-02 13:30")
        self.client.move("Void", voided, void_reason="wrong_number")
        self.client.move("Resolve", closed, result="answered", by="worker")
        self.client.move("FollowUp", closed, outcome="satisfied", by="clerk")
        self.client.move("Close", closed)
        self.client.move("Resolve", resolved, result="answered", by="worker")
        before = {ticket: len(self.client.escalations(ticket)) for ticket in (voided, closed)}
        self.until("2026-03-25 09:00")
        for ticket, n in before.items():
            after = self.client.get(ticket)
            self.assertEqual(len(self.client.escalations(ticket)), n)
            self.assertEqual((after.get("armed_at"), after.get("rung"), after["overdue"]),
                             (None, None, True))
            self.assertTrue(all(clock["stopped_at"] == at("2026-03-02 13:30")
                                for clock in after["clocks"]))
        # The other one goes on, but only with the clock that its state runs.
        clocks = {e["clock"] for e in self.client.escalations(resolved)
                  if e["due_at"] > at("2026-03-02 13:30")}
        self.assertEqual(clocks, {"followup"})

    def test_ended_by_the_very_instant(self):
        """What is done at the instant of the deadline is in time; a microsecond later it is not,
        and a rung has been recorded."""
        cases = (
            # The state in which the clock runs, what stops it, the deadline of one begun at 09:00.
            ("response", "dispatched", ("Accept", {}), "2026-03-02 13:00"),
            ("visit", "accepted", ("Visit", {}), "2026-03-02 17:00"),
            ("followup", "followed_up", ("Close", {}), "2026-03-02 17:00"),
            ("resolve", "visited", ("Resolve", {"result": "repaired"}), "2026-03-03 17:00"),
            ("waiting", "waiting_part", ("Resume", {}), "2026-03-04 17:00"),
        )
        tickets = {}
        for clock, state, _, _ in cases:
            for late in (0, 1):
                ticket = tickets[clock, late] = self.ticket()
                for name, fields in PATHS[state]:
                    self.client.move(name, ticket, **fields)
        in_order = sorted((at(deadline) + late, clock, name, fields)
                          for clock, _, (name, fields), deadline in cases for late in (0, 1))
        for instant, clock, name, fields in in_order:
            late = instant % USEC
            with self.subTest(clock=clock, late=late):
                ticket = tickets[clock, late]
                self.assertEqual(self.clock(ticket, clock)["deadline"], instant - late)
                self.client.advance(instant)
                self.client.move(name, ticket, **fields)
                rungs = [e for e in self.events(ticket, clock) if e[1] == "rung"]
                self.assertEqual(len(rungs), late)
                self.assertEqual(self.clock(ticket, clock)["stopped_at"], instant)
                if clock != "waiting":  # until then others have run over as well
                    self.assertEqual(self.client.get(ticket)["overdue"], bool(late))

    def test_overdue_counts(self):
        """Status counts the open ones that stand on a rung, and List finds them."""
        late, early = self.ticket(), self.ticket(type="repair")
        self.client.move("Dispatch", early)
        self.client.move("Accept", early)
        self.until("2026-03-02 13:00")
        self.assertEqual(self.client.status()["overdue"], 0)
        self.assertEqual(self.client.list_all("Tickets", {"overdue": True}), [])
        self.client.advance(at("2026-03-02 13:00") + 1)
        self.assertEqual(self.client.status()["overdue"], 1)
        self.assertEqual([r["id"] for r in self.client.list_all("Tickets", {"overdue": True})],
                         [late])


class Deadlines(FreshServiceTest):
    def test_working_time(self):
        """Four hours to respond, sixteen to resolve, begun at all sorts of times."""
        for begun, response, resolve, warning in (
                ("2026-03-02 09:00", "2026-03-02 13:00", "2026-03-03 17:00", "2026-03-02 12:00"),
                ("2026-03-02 15:30", "2026-03-03 11:30", "2026-03-04 15:30", "2026-03-03 10:30"),
                ("2026-03-02 17:00", "2026-03-03 13:00", "2026-03-04 17:00", "2026-03-03 12:00"),
                ("2026-03-03 03:00", "2026-03-03 13:00", "2026-03-04 17:00", "2026-03-03 12:00"),
                ("2026-03-06 16:00", "2026-03-09 12:00", "2026-03-10 16:00", "2026-03-09 11:00"),
                ("2026-03-07 10:00", "2026-03-09 13:00", "2026-03-10 17:00", "2026-03-09 12:00"),
                # Before, in and after the holiday and the day that makes up for it.
                ("2026-03-11 15:00", "2026-03-13 11:00", "2026-03-14 15:00", "2026-03-13 10:00"),
                ("2026-03-12 12:00", "2026-03-13 13:00", "2026-03-14 17:00", "2026-03-13 12:00"),
                ("2026-03-13 14:00", "2026-03-14 10:00", "2026-03-16 14:00", "2026-03-13 17:00"),
                ("2026-03-14 16:00", "2026-03-16 12:00", "2026-03-17 16:00", "2026-03-16 11:00"),
                ("2026-03-15 16:00", "2026-03-16 13:00", "2026-03-17 17:00", "2026-03-16 12:00")):
            with self.subTest(begun=begun):
                self.until(begun)
                ticket = self.ticket()
                self.assertEqual(self.deadline(ticket, "response"), response)
                self.assertEqual(self.deadline(ticket, "resolve"), resolve)
                self.assertEqual(shown(self.client.get(ticket)["armed_at"]), warning)
                self.client.move("Void", ticket, void_reason="wrong_number")

    def test_targets(self):
        for kind, priority, response, resolve in (
                ("repair", "normal", "2026-03-02 13:00", "2026-03-03 17:00"),
                ("repair", "urgent", "2026-03-02 11:00", "2026-03-02 17:00"),
                ("complaint", "special", "2026-03-02 10:00", "2026-03-02 13:00"),
                ("technical_question", "normal", "2026-03-02 13:00", "2026-03-03 01:00"),
                ("technical_question", "urgent", "2026-03-02 11:00", "2026-03-02 17:00")):
            with self.subTest(type=kind, priority=priority):
                ticket = self.ticket(type=kind, priority=priority)
                self.assertEqual(self.deadline(ticket, "response"), response)
                self.assertEqual(self.deadline(ticket, "resolve"), resolve)

    def test_every_clock(self):
        ticket = self.ticket(type="repair")
        self.until("2026-03-02 10:00")
        for name, fields in PATHS["accepted"]:
            self.client.move(name, ticket, **fields)
        self.assertEqual(self.deadline(ticket, "visit"), "2026-03-03 10:00")
        self.until("2026-03-02 11:00")
        self.client.move("WaitPart", ticket, wait_reason="缺件")
        self.assertEqual(self.deadline(ticket, "waiting"), "2026-03-05 11:00")
        self.client.move("Resume", ticket)
        self.client.move("Visit", ticket)
        self.client.move("Resolve", ticket, result="repaired")
        self.assertEqual(self.deadline(ticket, "followup"), "2026-03-03 11:00")

    def test_update_of_the_priority(self):
        """Other targets, counted from the same beginning; nothing is raised twice."""
        ticket = self.ticket()
        self.until("2026-03-02 09:30")
        self.client.move("Update", ticket, description="无关")
        self.assertEqual(self.clock(ticket, "response")["cycle"], 1)
        self.client.move("Update", ticket, priority="urgent")
        clock = self.clock(ticket, "response")
        self.assertEqual((clock["cycle"], clock["target"], shown(clock["started_at"]),
                          shown(clock["deadline"]), shown(clock["next_at"])),
                         (1, 7200, "2026-03-02 09:00", "2026-03-02 11:00", "2026-03-02 10:00"))
        self.assertEqual(self.deadline(ticket, "resolve"), "2026-03-02 17:00")
        self.client.move("Update", ticket, priority="normal")
        clock = self.clock(ticket, "response")
        self.assertEqual((clock["cycle"], shown(clock["deadline"]), shown(clock["next_at"])),
                         (1, "2026-03-02 13:00", "2026-03-02 12:00"))
        self.client.move("Update", ticket, type="technical_question")
        self.assertEqual(self.deadline(ticket, "resolve"), "2026-03-03 01:00")

    def test_update_after_waiting(self):
        """What was waited stays waited."""
        ticket = self.ticket()
        self.until("2026-03-02 10:00")
        self.client.move("WaitCustomer", ticket, wait_reason="不在")
        self.client.move("Update", ticket, priority="urgent")
        self.assertEqual(self.deadline(ticket, "waiting"), "2026-03-03 14:00")
        self.until("2026-03-02 11:00")
        self.client.move("Resume", ticket)
        self.assertEqual(self.deadline(ticket, "resolve"), "2026-03-03 10:00")
        self.assertEqual(self.deadline(ticket, "response"), "2026-03-02 12:00")

    def test_update_to_a_target_that_is_over(self):
        ticket = self.ticket()
        self.until("2026-03-02 11:30")
        self.client.move("Update", ticket, priority="special")  # an hour: until ten
        self.client.advance(self.client.now() + 1)
        rungs = [(e["cause"], shown(e["due_at"])) for e in self.client.escalations(ticket)
                 if e["clock"] == "response"]
        self.assertEqual(rungs, [("warning", "2026-03-02 09:30"), ("rung", "2026-03-02 10:00"),
                                 ("rung", "2026-03-02 11:00")])
        self.assertTrue(self.client.get(ticket)["overdue"])

    def test_update_to_a_ladder_without_warning(self):
        """The deadline was promised and stays; a warning that this ladder does not have is not
        made up."""
        promise = at("2026-03-02 15:00")
        ticket = self.ticket(type="technical_question", priority="urgent", promised_at=promise)
        self.client.move("Update", ticket, priority="normal")
        self.until("2026-03-02 12:00")
        self.assertEqual([e for e in self.client.escalations(ticket) if e["clock"] == "resolve"],
                         [])
        self.assertEqual(self.clock(ticket, "resolve")["next_at"], promise)

    # -- waiting --

    def in_state(self, state, **fields):
        ticket = self.ticket(**fields)
        for name, values in PATHS[state]:
            self.client.move(name, ticket, **values)
        return ticket

    def test_pause_and_resume(self):
        ticket = self.in_state("accepted", type="repair")
        self.until("2026-03-02 11:00")
        self.client.move("WaitPart", ticket, wait_reason="缺件")
        for name in ("visit", "resolve"):
            clock = self.clock(ticket, name)
            self.assertTrue(clock["paused"])
            self.assertNotIn("deadline", clock)
            self.assertNotIn("next_at", clock)
        self.assertEqual(self.deadline(ticket, "waiting"), "2026-03-05 11:00")
        self.until("2026-03-02 15:00")
        self.client.move("Resume", ticket)
        self.assertEqual(self.deadline(ticket, "visit"), "2026-03-03 13:00")
        self.assertEqual(self.deadline(ticket, "resolve"), "2026-03-04 13:00")
        self.assertEqual(self.clock(ticket, "resolve")["pauses"],
                         [{"since": at("2026-03-02 11:00"), "until": at("2026-03-02 15:00"),
                           "reason": "waiting_part"}])
        self.assertEqual(self.clock(ticket, "waiting")["stopped_at"], at("2026-03-02 15:00"))
        # Once more, over the night only: nothing moves.
        self.until("2026-03-02 17:00")
        self.client.move("WaitCustomer", ticket, wait_reason="不在")
        self.assertEqual(self.clock(ticket, "waiting")["cycle"], 2)
        self.until("2026-03-03 09:00")
        self.client.move("Resume", ticket)
        self.assertEqual(self.deadline(ticket, "visit"), "2026-03-03 13:00")
        self.assertEqual(self.deadline(ticket, "resolve"), "2026-03-04 13:00")

    def test_pause_over_a_weekend(self):
        self.until("2026-03-06 09:00")
        ticket = self.in_state("dispatched")
        self.until("2026-03-06 16:30")
        self.client.move("WaitCustomer", ticket, wait_reason="不在")
        self.until("2026-03-09 09:30")  # an hour of working time
        self.client.move("Resume", ticket)
        self.assertEqual(self.deadline(ticket, "resolve"), "2026-03-10 10:00")

    def test_nothing_happens_while_paused(self):
        ticket = self.in_state("accepted", type="repair")
        self.until("2026-03-02 12:00")
        self.client.move("WaitPart", ticket, wait_reason="缺件")
        self.until("2026-03-04 17:00")
        self.assertEqual({e["clock"] for e in self.client.escalations(ticket)}, {"waiting"})
        self.client.move("Resume", ticket)
        # Three of eight hours were over on Monday.
        self.assertEqual(self.deadline(ticket, "visit"), "2026-03-05 14:00")
        self.assertFalse(self.client.get(ticket)["overdue"])

    def test_waiting_stops_no_response_time(self):
        """To wait before anybody has accepted does not give the response time anew."""
        ticket = self.in_state("dispatched")
        self.until("2026-03-02 12:30")
        self.client.move("WaitCustomer", ticket, wait_reason="不在")
        self.until("2026-03-02 16:00")
        self.client.move("Resume", ticket)
        clock = self.clock(ticket, "response")
        self.assertEqual((clock["cycle"], shown(clock["deadline"])), (1, "2026-03-02 16:30"))

    def test_double_wait(self):
        ticket = self.in_state("waiting_part", type="repair")
        with self.refused("InvalidState", "waiting_part", "resume", unchanged=ticket):
            self.client.move("WaitCustomer", ticket, wait_reason="不在")

    # -- deadlines that were agreed --

    def test_promise(self):
        """The instant itself, wherever it lies; rungs from there in working time; the warning
        when three quarters of the working time until then are gone."""
        ticket = self.ticket()
        self.client.move("Promise", ticket, promised_at=at("2026-03-07 12:00"))
        clock = self.clock(ticket, "resolve")
        self.assertEqual((clock["cycle"], shown(clock["fixed_at"]), shown(clock["deadline"]),
                          clock.get("target"), shown(clock["next_at"])),
                         (2, "2026-03-07 12:00", "2026-03-07 12:00", None, "2026-03-05 15:00"))
        self.until("2026-03-09 16:00")
        rungs = [(e["cause"], shown(e["due_at"]), e["recipient"])
                 for e in self.client.escalations(ticket) if e["clock"] == "resolve"]
        self.assertEqual(rungs, [("warning", "2026-03-05 15:00", "BJ"),
                                 ("rung", "2026-03-07 12:00", "BJ"),
                                 ("rung", "2026-03-09 11:00", "BJ"),
                                 ("rung", "2026-03-09 15:00", "BIZ")])

    def test_waiting_does_not_move_a_promise(self):
        ticket = self.in_state("accepted", type="repair")
        self.client.move("Promise", ticket, promised_at=at("2026-03-03 10:00"))
        self.client.move("WaitPart", ticket, wait_reason="缺件")
        clock = self.clock(ticket, "resolve")
        self.assertEqual((clock["paused"], shown(clock["deadline"])), (False, "2026-03-03 10:00"))
        self.until("2026-03-03 10:30")
        self.assertIn(("resolve", "rung"), [(e["clock"], e["cause"])
                                            for e in self.client.escalations(ticket)])
        self.client.move("Resume", ticket)
        self.assertEqual(self.deadline(ticket, "resolve"), "2026-03-03 10:00")

    def test_promise_while_waiting(self):
        ticket = self.in_state("waiting_part", type="repair")
        self.client.move("Promise", ticket, promised_at=at("2026-03-03 10:00"))
        clock = self.clock(ticket, "resolve")
        self.assertEqual((clock["paused"], shown(clock["deadline"])), (False, "2026-03-03 10:00"))

    def test_appointment(self):
        ticket = self.in_state("dispatched", type="repair")
        self.client.move("Accept", ticket, appointment=at("2026-03-04 19:00"))
        clock = self.clock(ticket, "visit")
        self.assertEqual((clock["cycle"], shown(clock["deadline"])), (1, "2026-03-04 19:00"))
        self.client.move("WaitPart", ticket, wait_reason="缺件")
        self.assertEqual(self.deadline(ticket, "visit"), "2026-03-04 19:00")
        self.client.move("Appoint", ticket, appointment=at("2026-03-05 20:00"))
        self.client.move("Resume", ticket)
        clock = self.clock(ticket, "visit")
        self.assertEqual((clock["cycle"], shown(clock["deadline"])), (2, "2026-03-05 20:00"))
        self.client.advance(at("2026-03-05 20:00"))
        self.assertFalse(self.clock(ticket, "visit").get("stopped_at"))
        self.client.move("Visit", ticket)
        self.assertNotIn("rung", [e["cause"] for e in self.client.escalations(ticket)
                                  if e["clock"] == "visit"])

    def test_reopening_forgets_the_promise(self):
        ticket = self.ticket(promised_at=at("2026-03-02 10:00"))
        self.client.move("Resolve", ticket, result="answered")
        self.until("2026-03-02 11:00")
        self.client.move("Reopen", ticket, reopen_reason="other")
        clock = self.clock(ticket, "resolve")
        self.assertEqual((clock["cycle"], shown(clock["started_at"]), shown(clock["deadline"])),
                         (2, "2026-03-02 11:00", "2026-03-04 11:00"))

    def test_reported_later(self):
        """It is in time if it happened in time."""
        ticket = self.ticket()
        self.until("2026-03-02 12:55")
        self.client.move("Dispatch", ticket)
        self.until("2026-03-02 16:00")
        self.client.move("Accept", ticket, at=at("2026-03-02 12:59"))
        clock = self.clock(ticket, "response")
        self.assertLessEqual(clock["stopped_at"], clock["deadline"])
        self.assertEqual(self.deadline(ticket, "visit"), "2026-03-03 12:59")

    def response(self, ticket):
        return [(shown(e["due_at"]), e.get("level", 0), e["cycle"])
                for e in self.client.escalations(ticket) if e["clock"] == "response"]

    def test_update_reported_later(self):
        """Whoever was told meanwhile is not told again."""
        ticket = self.ticket()
        self.until("2026-03-02 13:30")
        self.client.move("Update", ticket, priority="urgent", at=at("2026-03-02 09:30"))
        self.until("2026-03-02 14:30")
        self.assertEqual(self.response(ticket), [
            ("2026-03-02 12:00", 0, 1), ("2026-03-02 13:00", 1, 1),
            ("2026-03-02 12:00", 2, 1), ("2026-03-02 14:00", 3, 1)])

    def test_waiting_reported_later(self):
        """Nobody was late then, and the true deadline is heard of."""
        ticket = self.ticket()
        self.until("2026-03-02 13:30")
        self.client.move("WaitCustomer", ticket, wait_reason="不在", at=at("2026-03-02 11:00"))
        self.assertEqual(self.client.get(ticket).get("rung", 0), 0)
        self.assertEqual(self.client.list_all("Tickets", {"rung": 1}), [])
        self.until("2026-03-03 09:00")
        self.client.move("Resume", ticket)
        self.assertEqual(self.deadline(ticket, "response"), "2026-03-03 11:00")
        self.until("2026-03-03 11:30")
        self.assertEqual(self.response(ticket), [
            ("2026-03-02 12:00", 0, 1), ("2026-03-02 13:00", 1, 1),
            ("2026-03-03 10:00", 0, 2), ("2026-03-03 11:00", 1, 2)])

    def test_reopening_reported_later(self):
        """Whoever hears of it hears when it is reported, and that this is late."""
        ticket = self.ticket()
        self.client.move("Resolve", ticket, result="answered")
        self.until("2026-03-02 13:30")
        self.client.move("Reopen", ticket, reopen_reason="other", at=at("2026-03-02 09:30"))
        told = [e for e in self.client.escalations(ticket) if e["cause"] == "reopened"]
        self.assertEqual([(shown(e["due_at"]), shown(e["fired_at"])) for e in told],
                         [("2026-03-02 09:30", "2026-03-02 13:30")])

    def test_a_late_promise(self):
        """Nobody is warned of what was past when it was given."""
        ticket = self.ticket()
        self.until("2026-03-06 12:30")
        self.client.move("Promise", ticket, promised_at=at("2026-03-06 16:00"))
        self.until("2026-03-06 17:00")
        told = [(e["cause"], shown(e["due_at"]), e.get("quiet", 0))
                for e in self.client.escalations(ticket)
                if e["clock"] == "resolve" and e["cycle"] == 2]
        self.assertEqual(told, [("rung", "2026-03-06 16:00", 1)])

    def test_a_past_wait_is_over(self):
        """Of a wait that was over before anybody heard of it nothing is told twice."""
        ticket = self.ticket()
        self.until("2026-03-02 13:30")
        self.client.move("WaitCustomer", ticket, wait_reason="不在", at=at("2026-03-02 11:00"))
        self.client.move("Resume", ticket, at=at("2026-03-02 11:15"))
        self.until("2026-03-02 15:14")
        self.assertEqual(self.response(ticket), [
            ("2026-03-02 12:00", 0, 1), ("2026-03-02 13:00", 1, 1)])
        self.until("2026-03-02 15:16")
        self.assertEqual(self.response(ticket)[2:], [("2026-03-02 15:15", 2, 2)])


class ZoneData(FreshServiceTest):
    def setUp(self):
        self.zones = tempfile.TemporaryDirectory(prefix="aftersales-zones-")
        self.addCleanup(self.zones.cleanup)
        (pathlib.Path(self.zones.name) / "Asia").mkdir()
        self.use("Shanghai")
        patched = unittest.mock.patch.dict(os.environ, TZDIR=self.zones.name)
        patched.start()
        self.addCleanup(patched.stop)
        super().setUp()

    def use(self, name):
        """Its rules hold where those of Shanghai held."""
        shutil.copy(f"/usr/share/zoneinfo/Asia/{name}", f"{self.zones.name}/Asia/Shanghai")

    def test_other_rules(self):
        """Open tickets are computed by them after a restart, as by another policy."""
        ticket = self.ticket()
        self.assertEqual(self.deadline(ticket, "response"), "2026-03-02 13:00")
        policy = self.client.get(ticket)["policy"]
        self.service.restart(at("2026-03-02 09:10"))
        self.assertEqual(self.client.get(ticket)["policy"], policy)
        self.use("Tokyo")  # where the working day ends an hour earlier
        self.service.restart(at("2026-03-02 16:10"))
        wait_for(lambda: self.client.get(ticket)["policy"] > policy, "other times")
        self.assertEqual(self.deadline(ticket, "resolve"), "2026-03-04 09:00")


# Transition, state before: what it does to the clocks that there are.
EFFECTS = """
transfer received: response on, resolve on
transfer dispatched: response on, resolve on
transfer accepted: response starts, visit stops, resolve on
dispatch received: response on, resolve on
dispatch dispatched: response on, resolve on
dispatch accepted: response starts, visit stops, resolve on
dispatch visited: response starts, resolve on
decline dispatched: response on, resolve on
decline accepted: response starts, visit stops, resolve on
accept dispatched: response stops, visit starts, resolve on
appoint accepted: visit new, resolve on
appoint visited: visit starts, resolve on
appoint waiting_part: visit new, resolve paused, waiting on
appoint waiting_customer: response paused, resolve paused, waiting on
promise received: response on, resolve new
promise dispatched: response on, resolve new
promise accepted: visit on, resolve new
promise visited: resolve new
promise waiting_part: visit paused, resolve new, waiting on
promise waiting_customer: response paused, resolve new, waiting on
visit accepted: visit stops, resolve on
visit visited: resolve on
wait_part accepted: visit pauses, resolve pauses, waiting starts
wait_part visited: resolve pauses, waiting starts
wait_customer received: response pauses, resolve pauses, waiting starts
wait_customer dispatched: response pauses, resolve pauses, waiting starts
wait_customer accepted: visit pauses, resolve pauses, waiting starts
wait_customer visited: resolve pauses, waiting starts
resume waiting_part: visit resumes, resolve resumes, waiting stops
resume waiting_customer: response resumes, resolve resumes, waiting stops
resolve received: response stops, resolve stops, followup starts
resolve dispatched: response stops, resolve stops, followup starts
resolve accepted: visit stops, resolve stops, followup starts
resolve visited: resolve stops, followup starts
satisfied resolved: followup on
unreachable resolved: followup on
dissatisfied resolved: followup stops, response starts, resolve starts
close followed_up: followup stops
reopen resolved: followup stops, response starts, resolve starts
reopen followed_up: followup stops, response starts, resolve starts
reopen closed: response starts, resolve starts
void received: response stops, resolve stops
void dispatched: response stops, resolve stops
void accepted: visit stops, resolve stops
void visited: resolve stops
void waiting_part: visit stops, resolve stops, waiting stops
void waiting_customer: response stops, resolve stops, waiting stops
override_warranty accepted: visit on, resolve on
urgent received: response on, resolve on
urgent accepted: visit on, resolve on
urgent waiting_part: visit paused, resolve paused, waiting on
urgent resolved: followup on
update accepted: visit on, resolve on
comment waiting_part: visit paused, resolve paused, waiting on
comment closed:
"""

LATER = at("2026-12-31 12:00")
MOVES = {
    "transfer": ("Transfer", {"subcentre": "SH", "note": "搬家"}),
    "decline": ("Decline", {"note": "忙"}),
    "appoint": ("Appoint", {"appointment": LATER}),
    "promise": ("Promise", {"promised_at": LATER}),
    "wait_part": ("WaitPart", {"wait_reason": "缺件"}),
    "wait_customer": ("WaitCustomer", {"wait_reason": "不在"}),
    "resolve": ("Resolve", {"result": "repaired"}),
    "satisfied": ("FollowUp", {"outcome": "satisfied", "by": "clerk"}),
    "unreachable": ("FollowUp", {"outcome": "unreachable", "by": "clerk"}),
    "dissatisfied": ("FollowUp", {"outcome": "dissatisfied", "by": "clerk",
                                  "reopen_reason": "other"}),
    "reopen": ("Reopen", {"reopen_reason": "other"}),
    "void": ("Void", {"void_reason": "wrong_number"}),
    "override_warranty": ("OverrideWarranty", {"warranty": "in", "note": "批准"}),
    "urgent": ("Update", {"priority": "urgent"}),
    "update": ("Update", {"description": "改"}),
    "comment": ("Comment", {"note": "注"}),
}


class EventsAndClocks(ServiceTest):
    """The table of what each transition does to each clock."""

    @staticmethod
    def mode(clock):
        if not clock or clock.get("stopped_at"):
            return "off"
        return "paused" if clock["paused"] else "running"

    def effect(self, before, after, now):
        """In a word."""
        was, is_now = self.mode(before), self.mode(after)
        if is_now == "off":
            if was != "off":
                self.assertEqual(after["stopped_at"], now)
            return "stops" if was != "off" else ""
        if was == "off":
            self.assertEqual((after["started_at"], after["cycle"]),
                             (now, before["cycle"] + 1 if before else 1))
            return "starts"
        self.assertEqual(after["started_at"], before["started_at"])
        new = after["cycle"] - before["cycle"]
        self.assertIn(new, (0, 1))
        if is_now == "paused":
            return ("paused" if was == "paused" else "pauses") + (" new" if new else "")
        return "new" if new else "on" if was == "running" else "resumes"

    def observe(self, transition, state):
        name, fields = MOVES.get(transition, (transition.capitalize(), {}))
        ticket = self.ticket()
        for step, values in PATHS[state]:
            self.client.move(step, ticket, **values)
        self.client.advance(self.client.now() + MINUTE)
        before = {clock["clock"]: clock for clock in self.client.get(ticket)["clocks"]}
        self.client.move(name, ticket, **fields)
        after = {clock["clock"]: clock for clock in self.client.get(ticket)["clocks"]}
        effects = {clock: self.effect(before.get(clock), after[clock], self.client.now())
                   for clock in after}
        return {clock: effect for clock, effect in effects.items() if effect}

    def test_table(self):
        for line in EFFECTS.strip().splitlines():
            transition, state, rest = re.match(r"(\w+) (\w+):(.*)", line).groups()
            expected = dict(cell.split(maxsplit=1) for cell in rest.split(",") if cell.strip())
            with self.subTest(transition=transition, state=state):
                self.assertEqual(self.observe(transition, state), expected)


class Explained(FreshServiceTest):
    def rows(self, ticket, clock):
        return [row for row in self.client.explain(ticket) if row["clock"] == clock]

    def check_sums(self, ticket):
        """What counts until the deadline is the target; the stretches join."""
        for clock in self.client.get(ticket)["clocks"]:
            rows = self.rows(ticket, clock["clock"])
            stretches = [row for row in rows if "since" in row]
            if clock.get("fixed_at") or clock.get("stopped_at") == clock["started_at"]:
                self.assertEqual(stretches, [])
                continue
            self.assertEqual(stretches[0]["since"], clock["started_at"])
            for one, next_one in zip(stretches, stretches[1:]):
                self.assertEqual(one["until"], next_one["since"])
            self.assertTrue(all(row["counted"] for row in stretches if "seconds" in row))
            if "deadline" in clock and not clock.get("stopped_at"):
                self.assertEqual(stretches[-1]["until"], clock["deadline"])
                self.assertEqual(sum(row.get("seconds", 0) for row in stretches), clock["target"])

    def test_holiday_and_make_up_day(self):
        self.until("2026-03-11 15:00")
        ticket = self.ticket()
        stretches = [(shown(row["since"]), shown(row["until"]), row.get("seconds", 0), row["why"])
                     for row in self.rows(ticket, "resolve") if "since" in row]
        self.assertEqual(stretches, [
            ("2026-03-11 15:00", "2026-03-11 17:00", 7200, "working hours"),
            ("2026-03-11 17:00", "2026-03-12 00:00", 0, "outside hours"),
            ("2026-03-12 00:00", "2026-03-13 00:00", 0, "holiday 厂庆"),
            ("2026-03-13 00:00", "2026-03-13 09:00", 0, "outside hours"),
            ("2026-03-13 09:00", "2026-03-13 17:00", 28800, "working hours"),
            ("2026-03-13 17:00", "2026-03-14 00:00", 0, "outside hours"),
            ("2026-03-14 00:00", "2026-03-14 09:00", 0, "outside hours 厂庆"),
            ("2026-03-14 09:00", "2026-03-14 15:00", 21600, "make-up day 厂庆"),
        ])
        self.check_sums(ticket)

    def test_events(self):
        ticket = self.ticket()
        events = [(row["event"], shown(row["at"])) for row in self.rows(ticket, "response")
                  if "event" in row]
        self.assertEqual([e for e in events if e[0] not in ("next", "policy")], [
            ("started", "2026-03-02 09:00"),
            ("warning", "2026-03-02 12:00"),
            ("deadline", "2026-03-02 13:00"),
            ("rung 1 owner", "2026-03-02 13:00"),
            ("rung 2 subcentre", "2026-03-02 15:00"),
            ("rung 3 business", "2026-03-03 11:00"),
            ("rung 4 president", "2026-03-04 11:00"),
        ])
        self.assertIn(("next", "2026-03-02 12:00"), events)

    def test_pauses(self):
        ticket = self.ticket(type="repair")
        for name, fields in PATHS["accepted"]:
            self.client.move(name, ticket, **fields)
        self.until("2026-03-02 11:00")
        self.client.move("WaitPart", ticket, wait_reason="缺件")
        self.until("2026-03-02 12:00")
        last = [row for row in self.rows(ticket, "resolve") if "since" in row][-1]
        self.assertEqual((last["why"], shown(last["since"]), shown(last["until"])),
                         ("paused: waiting_part", "2026-03-02 11:00", "2026-03-02 12:00"))
        self.client.move("Resume", ticket)
        self.check_sums(ticket)
        # A clock that was stopped ends there: no rung after it.
        self.assertEqual([(row["event"], shown(row["at"]))
                          for row in self.rows(ticket, "waiting") if "event" in row
                          and row["event"] not in ("deadline", "policy")],
                         [("started", "2026-03-02 11:00"), ("stopped", "2026-03-02 12:00")])

    def test_sums(self):
        """At all sorts of times, of which most lie within a second."""
        for begun in (at("2026-03-02 15:30") + 500_000, at("2026-03-04 18:00") + 1,
                      at("2026-03-06 16:59:59") + 999_999, at("2026-03-08 10:00") + 333_333):
            self.client.advance(begun)
            ticket = self.ticket()
            self.client.advance(begun + HOUR + 123_457)
            self.client.move("WaitCustomer", ticket, wait_reason="不在")
            self.client.advance(begun + DAY + 7)
            self.client.move("Resume", ticket)
            with self.subTest(begun=shown(begun)):
                self.check_sums(ticket)

    def test_a_very_old_ticket(self):
        """However long it is overdue, each of its clocks is explained."""
        ticket = self.ticket()
        self.until("2027-06-02 09:00")
        for clock, deadline in (("response", "2026-03-02 13:00"), ("resolve", "2026-03-03 17:00")):
            rows = self.rows(ticket, clock)
            self.assertIn(("deadline", at(deadline)),
                          [(row["event"], row["at"]) for row in rows if "event" in row])
            self.assertEqual(shown(next(row["since"] for row in rows if "since" in row)),
                             "2026-03-02 09:00")

    def test_rows_are_in_order(self):
        ticket = self.ticket(type="repair")
        self.until("2026-03-03 10:00")
        for name, fields in PATHS["waiting_part"]:
            self.client.move(name, ticket, **fields)
        for clock in ("response", "visit", "resolve", "waiting"):
            rows = self.rows(ticket, clock)
            for key in ("since", "at"):
                times = [row[key] for row in rows if key in row]
                self.assertEqual(times, sorted(times), (clock, key))


class CalendarsOverTheBus(ServiceTest):
    def days(self, name, since, until):
        return self.client.call("Calendars", "Days", "sss", name, since, until)

    def test_list(self):
        rows = self.client.call("Calendars", "List")
        self.assertEqual({row["name"]: row["zone"] for row in rows if row["name"] != "always"},
                         {"office": "Asia/Shanghai", "shop": "Asia/Shanghai"})
        self.assertIn("always", [row["name"] for row in rows])

    def test_days(self):
        self.assertEqual(self.days("office", "2026-03-11", "2026-03-15"), [
            {"date": "2026-03-11", "weekday": "Wednesday", "working": True, "hours": "09:00-17:00"},
            {"date": "2026-03-12", "weekday": "Thursday", "working": False, "hours": "",
             "name": "厂庆"},
            {"date": "2026-03-13", "weekday": "Friday", "working": True, "hours": "09:00-17:00"},
            {"date": "2026-03-14", "weekday": "Saturday", "working": True, "hours": "09:00-17:00",
             "name": "厂庆"},
            {"date": "2026-03-15", "weekday": "Sunday", "working": False, "hours": ""},
        ])
        monday, = self.days("shop", "2026-03-09", "2026-03-09")
        self.assertEqual(monday["hours"], "09:00-12:00 13:00-18:00")
        special, = self.days("shop", "2026-03-16", "2026-03-16")
        self.assertEqual((special["hours"], special["name"]), ("10:00-11:00", "盘点"))
        always, = self.days("always", "2026-03-16", "2026-03-16")
        self.assertEqual(always["hours"], "00:00-24:00")

    def test_bounds(self):
        self.assertEqual(len(self.days("office", "2026-01-01", "2027-02-04")), 400)
        for name, since, until, error in (("office", "2026-01-01", "2027-02-05", "InvalidValue"),
                                          ("office", "2026-01-02", "2026-01-01", "InvalidValue"),
                                          ("office", "2026-02-30", "2026-03-01", "InvalidValue"),
                                          ("office", "2026-3-1", "2026-03-02", "InvalidValue"),
                                          ("none", "2026-03-01", "2026-03-02", "NotFound")):
            with self.subTest(name=name, since=since, until=until), self.refused(error):
                self.days(name, since, until)

    def test_missing_years(self):
        """Near the end of the year that the calendar knows."""
        self.assertEqual(self.client.call("Calendars", "Check"), [])
        now = self.client.now()
        self.client.jump(at("2026-11-10 09:00"))
        self.assertEqual(self.client.call("Calendars", "Check"),
                         [{"calendar": "shop", "missing_year": 2027}])
        self.assertIn("calendar shop has no holiday data for 2027",
                      self.client.status()["warnings"])
        self.client.jump(now)

    def test_days_that_are_none(self):
        with self.refused("InvalidValue", "2026-01-31"):
            self.days("office", "gestern", "2026-03-02")


if __name__ == "__main__":
    unittest.main()
