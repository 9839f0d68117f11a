# SPDX-License-Identifier: Apache-2.0
"""Dealers' daily reports: who owes one, who has heard of those that are missing, what is one.

The working day is that of the policy, 09:00 to 17:00; the cut-off is 16:00. A report that is
expected from midnight on has seven hours of working time, three quarters of which end at 14:15."""

import collections
import os
import signal
import subprocess
import tempfile
import time
import unittest

from files import as_csv, import_file, memory_file
from harness import (BUILD, DAEMON, POLICY, REGION, USEC, BusError, FreshServiceTest, at, figure,
                     needs_root, shown, variants, wait_for)

LADDER = """ladders:
  reports:
    warn_at: 75%
    rungs:
      - {to: subcentre, after: 0s}
      - {to: business,  after: 8h}
    repeat: 8h
"""
TARGET = """targets:
  report:
    default:
      normal: {calendar: office, ladder: reports}
"""
REPORTS = """reports:
  calendar: office
  cutoff: "16:00"
  bonus: 500

"""
PLAIN = POLICY.read_text("utf-8")
USED = PLAIN.replace("ladders:\n", LADDER, 1).replace("targets:\n", TARGET, 1)
DUTIES = USED.replace("roles:\n", REPORTS + "roles:\n", 1).replace(
    "report.submit, escalation.read,", "report.submit, data.import, escalation.read,")

TUESDAY, WEDNESDAY = "2026-03-03", "2026-03-04"


class ReportTest(FreshServiceTest):
    POLICY = DUTIES

    def reports(self, client=None, **filters):
        return (client or self.client).list_all("Reports", filters)

    def expect(self, client=None, **fields):
        """The number of a report, and whether it was not expected before."""
        return (client or self.client).call("Reports", "Create", "a{sv}", variants(fields))

    def report(self, number):
        return self.client.call("Reports", "Get", "t", number)

    def move(self, member, number, client=None, **fields):
        return (client or self.client).call("Reports", member, "ta{sv}", number, variants(fields))

    def duty(self, dealer="BJ-1", day=TUESDAY):
        """A ticket of the dealer, and the duty of that day right after it was opened."""
        self.ticket(dealer=dealer)
        self.client.advance(at(f"{day} 00:00") + 1)
        row, = [row for row in self.reports(day=day) if row["dealer"] == dealer]
        return row["id"]

    def heard(self, number):
        """(local time, cause, who) of each escalation of a report."""
        rows = self.client.list_all("Escalations", {"kind": "report", "case_id": number,
                                                    "acknowledged": True})
        return [(shown(row["due_at"]), row["cause"], row["recipient"])
                for row in sorted(rows, key=lambda row: row["id"])]

    def submit(self, number, rows, client=None, **options):
        """The job of a file that is handed in as the report, and its problems."""
        client = client or self.client
        fd = memory_file(as_csv(rows))
        try:
            job = client.call("Transfer", "Import", "sha{sv}", "ticket", fd,
                              {"report": ("t", number)} |
                              {name: ("b", value) for name, value in options.items()})
        finally:
            os.close(fd)
        result = client.call("Jobs", "Wait", "t", job)
        problems = client.call("Jobs", "Problems", "t", job).to_raw_fd()
        with os.fdopen(problems, "rb") as file:
            file.seek(0)
            return result, [line.split("\t") for line in file.read().decode().splitlines()]

    def refuse_submit(self, error, *words, client=None, what="ticket", number=0, unchanged=None):
        fd = memory_file(b"reference\n")
        self.addCleanup(os.close, fd)
        with self.refused(error, *words):
            (client or self.client).call("Transfer", "Import", "sha{sv}", what, fd,
                                         {"report": ("t", number)})


class Duties(ReportTest):
    def test_for_dealers_with_open_tickets_on_working_days(self):
        self.ticket(dealer="BJ-1")
        self.ticket(dealer="BJ-1")
        self.ticket(region="310115", dealer="SH-1")
        self.ticket(priority="special")  # of the sub-centre alone
        ended = self.ticket(region="310104", dealer="SH-2")
        self.client.move("Void", ended, void_reason="wrong_number")
        self.until("2026-03-03 00:00")
        self.assertEqual(self.reports(ended=True), [])
        self.client.advance(at("2026-03-03 00:00") + 1)
        rows = self.reports()
        self.assertEqual({row["dealer"]: (row["state"], row["day"], shown(row["due_at"]),
                                          row["owner"], row["subcentre"], row["type"],
                                          row["priority"], row["nothing"], row["open"])
                          for row in rows},
                         {dealer: ("expected", TUESDAY, f"{TUESDAY} 16:00", dealer, centre, "daily",
                                   "normal", False, True)
                          for dealer, centre in (("BJ-1", "BJ"), ("SH-1", "SH"))})
        self.assertEqual([event["actor"] for event in
                          self.client.call("Reports", "History", "t", rows[0]["id"])], ["daemon"])
        # The 12th is off, Saturday the 14th makes up for it.
        self.until("2026-03-18 09:00")
        days = [row["day"] for row in self.reports(dealer="BJ-1")]
        self.assertEqual(sorted(days), [f"2026-03-{day:02}" for day in
                                        (3, 4, 5, 6, 9, 10, 11, 13, 14, 16, 17, 18)])

    def test_status_counts_them_apart_from_tickets(self):
        self.duty()
        status = self.client.status()
        counts = {kind: {state: n for state, n in states.items() if n}
                  for kind, states in status["cases"].items()}
        self.assertEqual(counts, {"ticket": {"received": 1}, "report": {"expected": 1}, "core": {}, "order": {},
                                  "obligation": {}})
        self.assertEqual(status["cases"]["report"]["reported"], 0)
        self.assertEqual((status["states"], status["open"]), (status["cases"]["ticket"], 2))

    def test_who_is_not_active_owes_none(self):
        self.ticket(dealer="BJ-1")
        self.ticket(dealer="BJ-2")
        self.client.call("Units", "Update", "sa{sv}", "BJ-2", variants({"active": False}))
        self.client.advance(at("2026-03-03 00:00") + 1)
        self.assertEqual([row["dealer"] for row in self.reports()], ["BJ-1"])
        self.assertEqual([text for _, text in self.service.log() if "can be expected of" in text],
                         [])

    def test_a_sub_centre_that_is_not_active(self):
        """Its dealers' tickets are open all the same."""
        self.ticket(dealer="BJ-1")
        self.ticket(region="310115", dealer="SH-1")
        self.client.call("Units", "Update", "sa{sv}", "BJ", variants({"active": False}))
        self.client.advance(at("2026-03-03 00:00") + 1)
        self.assertEqual({row["dealer"] for row in self.reports()}, {"BJ-1", "SH-1"})

    def test_one_that_is_there_already_stays(self):
        self.ticket(dealer="BJ-1")
        self.client.jump(at("2026-03-03 00:00"))
        number, created = self.expect(dealer="BJ-1")
        self.assertTrue(created)
        self.move("Nothing", number)
        self.until("2026-03-03 09:00")
        rows = self.reports(day=TUESDAY)
        self.assertEqual([(row["id"], row["state"]) for row in rows], [(number, "reported")])

    def test_they_are_told_of_when_they_are_due(self):
        """The timer of the service is armed for them."""
        self.assertEqual(shown(self.client.status()["next_due"]), "2026-03-03 00:00")
        self.client.jump(at("2026-03-03 00:00") + 1)
        wait_for(lambda: self.client.status()["lag"] == 0, "the duties")
        self.assertEqual(shown(self.client.status()["next_due"]), "2026-03-04 00:00")

    def test_downtime_until_before_the_cut_off(self):
        self.ticket(dealer="BJ-1")
        self.service.restart(at("2026-03-03 15:00"))
        row, = wait_for(self.reports, "the duty")
        self.assertEqual((shown(row["created_at"]), shown(row["due_at"])),
                         ("2026-03-03 15:00", "2026-03-03 16:00"))
        self.until("2026-03-03 16:30")
        # It has an hour, of which three quarters are over at a quarter to.
        self.assertEqual(self.heard(row["id"]), [("2026-03-03 15:45", "warning", "BJ-1"),
                                                 ("2026-03-03 16:00", "rung", "BJ")])

    def test_downtime_over_cut_offs(self):
        """Nobody could report: nobody is blamed, and somebody hears of that."""
        self.ticket(dealer="BJ-1")
        self.service.restart(at("2026-03-04 16:00"))
        wait_for(lambda: shown(self.client.status()["next_due"]) > "2026-03-04", "the next day")
        self.assertEqual(self.reports(ended=True), [])
        said = [text for _, text in self.service.log() if "no reports are expected for" in text]
        self.assertEqual([day for day in (TUESDAY, WEDNESDAY)
                          if any(day in text for text in said)], [TUESDAY, WEDNESDAY])
        self.assertEqual(len(said), 2)
        self.until("2026-03-05 09:00")
        self.assertEqual([row["day"] for row in self.reports()], ["2026-03-05"])


class Missing(ReportTest):
    def test_reminder_flag_and_escalation(self):
        number = self.duty()
        self.until("2026-03-03 14:15")
        self.assertEqual(self.heard(number), [])
        self.until("2026-03-03 16:00")
        told = [("2026-03-03 14:15", "warning", "BJ-1")]
        self.assertEqual(self.heard(number), told)
        self.assertEqual(self.reports(overdue=True), [])
        self.client.advance(at("2026-03-03 16:00") + 1)
        told += [("2026-03-03 16:00", "rung", "BJ")]
        self.assertEqual(self.heard(number), told)
        self.assertEqual([row["id"] for row in self.reports(overdue=True)], [number])
        self.until("2026-03-04 16:00")
        self.assertEqual(self.heard(number), told)
        self.client.advance(at("2026-03-04 16:00") + 1)
        told += [("2026-03-04 16:00", "rung", "BIZ")]
        self.assertEqual(self.heard(number), told)
        self.until("2026-03-06 16:30")
        told += [("2026-03-05 16:00", "repeat", "BIZ"), ("2026-03-06 16:00", "repeat", "BIZ")]
        self.assertEqual(self.heard(number), told)
        self.assertEqual(self.service.check(), [])
        explained = self.client.call("Reports", "Explain", "t", number)
        events = {row["event"]: shown(row["at"]) for row in explained if row.get("event")}
        self.assertEqual((events["deadline (fixed)"], events["warning"], events["rung 2 business"]),
                         ("2026-03-03 16:00", "2026-03-03 14:15", "2026-03-04 16:00"))

    def test_the_sub_centre_is_notified_once(self):
        self.duty()
        self.until("2026-03-03 17:00")
        self.service.restart(at("2026-03-03 17:00"))
        rows = self.client.call("Notifications", "Take", "uu", 100, 60)
        told = collections.Counter((row["recipient"], row["cause"]) for row in rows
                                   if row["kind"] == "report")
        self.assertEqual(told, {("BJ-1", "warning"): 1, ("BJ", "rung"): 1})

    def test_who_has_not_reported(self):
        first = self.duty()
        self.ticket(dealer="BJ-2")
        self.ticket(region="310115", dealer="SH-1")
        self.until("2026-03-04 10:00")
        second, = [row["id"] for row in self.reports(dealer="BJ-1", day=WEDNESDAY)]
        self.move("Nothing", second)
        missing = self.reports(state="expected", day=WEDNESDAY)
        self.assertEqual([row["dealer"] for row in missing], ["BJ-2", "SH-1"])
        self.assertEqual([row["dealer"] for row in self.reports(day=WEDNESDAY)],
                         ["BJ-1", "BJ-2", "SH-1"])
        self.assertEqual([row["id"] for row in self.reports(overdue=True)], [first])

    def test_foreseen(self):
        number = self.duty()
        rows, *_ = self.client.call("Policy", "Simulate", "xa{sv}u", at("2026-03-04 17:00"),
                                    variants({"kind": "report"}), 100)
        self.assertEqual([(shown(row["due_at"]), row["recipient"]) for row in rows],
                         [("2026-03-03 14:15", "BJ-1"), ("2026-03-03 16:00", "BJ"),
                          ("2026-03-04 16:00", "BIZ")])
        self.assertEqual(self.heard(number), [])


class Nothing(ReportTest):
    def test_in_time_to_the_very_instant(self):
        number = self.duty()
        self.until("2026-03-03 16:00")
        head = self.move("Nothing", number)
        self.assertEqual((head["id"], head["state"], head["rung"] if "rung" in head else 0),
                         (number, "reported", 0))
        report = self.report(number)
        self.assertEqual((report["nothing"], shown(report["reported_at"]), report["bonus"],
                          report["owner"], report["open"], report["overdue"]),
                         (True, "2026-03-03 16:00", 500, "BJ", False, False))
        self.until("2026-03-10 09:00")
        self.assertEqual(self.heard(number), [("2026-03-03 14:15", "warning", "BJ-1")])
        self.assertEqual(self.report(number), report)

    def test_late_by_the_least(self):
        number = self.duty()
        self.client.advance(at("2026-03-03 16:00") + 1)
        self.move("Nothing", number)
        report = self.report(number)
        self.assertEqual((report["state"], report.get("bonus"), report["overdue"]),
                         ("reported", None, True))
        self.assertEqual(self.heard(number)[-1], ("2026-03-03 16:00", "rung", "BJ"))

    def test_nobody_says_that_it_came_earlier(self):
        number = self.duty()
        self.until("2026-03-03 17:00")
        with self.refused("InvalidValue", "at:"):
            self.move("Nothing", number, at=at("2026-03-03 15:00"))
        with self.refused("InvalidValue", "at:"):
            self.expect(dealer="BJ-2", at=at("2026-03-03 15:00"))
        _, problems, _ = import_file(self.client, "report", as_csv([
            {"verb": "nothing", "id": f"R{number}", "at": "2026-03-03T15:00:00+08:00"}]))
        self.assertEqual(problems[0][3], "InvalidValue")

    def test_once(self):
        number = self.duty()
        self.move("Nothing", number)
        with self.refused("InvalidState", "is reported", "now: nothing"):
            self.move("Nothing", number)

    def test_excused(self):
        number = self.duty()
        self.until("2026-03-03 17:00")
        with self.refused("MissingField", "note"):
            self.move("Excuse", number)
        with self.refused("InvalidValue", "at"):
            self.move("Excuse", number, note="停电", at=at("2026-03-03 15:00"))
        self.move("Excuse", number, note="停电")
        report = self.report(number)
        self.assertEqual((report["state"], report.get("reported_at"), report.get("bonus"),
                          report["owner"]), ("excused", None, None, "BJ"))
        before = self.heard(number)
        self.until("2026-03-10 09:00")
        self.assertEqual(self.heard(number), before)
        self.refuse_submit("InvalidState", f"R{number} is excused", number=number)
        with self.refused("InvalidState"):
            self.move("Nothing", number)

    def test_by_rows_of_a_file(self):
        """Reports are known by dealer and day, too."""
        self.ticket(dealer="BJ-2")
        first = self.duty()
        self.until("2026-03-03 10:00")
        rows = [{"verb": "nothing", "dealer": "BJ-1", "day": TUESDAY},
                {"verb": "excuse", "dealer": "BJ-2", "note": "休假"},
                {"verb": "nothing", "dealer": "SH-1", "day": TUESDAY},
                {"verb": "nothing"}, {"verb": "deliver", "id": f"R{first}"}]
        job, problems, _ = import_file(self.client, "report", as_csv(rows))
        self.assertEqual((job["moved"], job["refused"]), (2, 3))
        self.assertEqual([row[3] for row in problems], ["NotFound", "MissingField", "InvalidValue"])
        self.assertEqual([row["state"] for row in self.reports(day=TUESDAY)],
                         ["reported", "excused"])


class Files(ReportTest):
    def life(self, day=TUESDAY):
        """What a dealer has to tell in the evening: a new ticket, one that went on, one done."""
        def when(text):
            return f"{day}T{text}:00+08:00"
        return [
            {"verb": "create", "reference": "N-1", "at": when("09:30"), "type": "repair",
             "region": REGION, "phone": "000-1"},
            {"verb": "accept", "reference": "A-1", "at": when("10:00"), "technician": "甲"},
            {"verb": "resolve", "reference": "A-2", "at": when("11:00"), "result": "answered"},
            {"verb": "resolve", "reference": "A-9", "at": when("11:30"), "result": "answered"},
        ]

    def setUp(self):
        super().setUp()
        for reference in ("A-1", "A-2"):
            ticket = self.ticket(reference=reference, dealer="BJ-1")
            self.client.move("Dispatch", ticket)
        self.client.move("Accept", ticket)
        self.number = self.duty()

    def counts(self, number=None):
        report = self.report(number or self.number)
        return tuple(report.get(name, 0)
                     for name in ("rows", "created", "moved", "unchanged", "refused"))

    def test_new_tickets_progress_and_results(self):
        self.until("2026-03-03 15:00")
        job, problems = self.submit(self.number, self.life())
        self.assertEqual((job["state"], job["rows"], job["refused"]), ("done", 4, 1))
        self.assertEqual([(row[0], row[3]) for row in problems], [("5", "NotFound")])
        self.assertEqual(self.counts(), (4, 1, 2, 0, 1))
        report = self.report(self.number)
        self.assertEqual((report["state"], report["nothing"], shown(report["reported_at"]),
                          report["bonus"]), ("reported", False, "2026-03-03 15:00", 500))
        states = {row["reference"]: row["state"] for row in self.client.list_all("Tickets")
                  if "reference" in row}
        self.assertEqual(states, {"N-1": "received", "A-1": "accepted", "A-2": "resolved"})
        new, = self.client.list_all("Tickets", {"reference": "N-1"})
        self.assertEqual(new["dealer"], "BJ-1")  # although headquarters handed it in
        last = self.client.call("Reports", "History", "t", self.number)[-1]
        self.assertEqual((last["verb"], last["from"], last["to"]),
                         ("deliver", "expected", "reported"))
        self.until("2026-03-09 09:00")
        self.assertEqual(self.heard(self.number), [("2026-03-03 14:15", "warning", "BJ-1")])

    def test_the_same_file_again(self):
        self.until("2026-03-03 15:00")
        self.submit(self.number, self.life())
        before = self.report(self.number)
        self.until("2026-03-03 17:00")
        job, _ = self.submit(self.number, self.life())
        self.assertEqual((job["state"], job["unchanged"], job["refused"]), ("done", 3, 1))
        self.assertEqual(self.counts(), (4, 0, 0, 3, 1))
        after = self.report(self.number)
        same = ("state", "reported_at", "bonus", "overdue", "nothing", "day", "due_at")
        self.assertEqual({name: after[name] for name in same}, {name: before[name] for name in same})
        self.assertEqual(len(self.client.list_all("Tickets", {"reference": "N-1"})), 1)

    def test_late(self):
        self.until("2026-03-03 16:30")
        job, _ = self.submit(self.number, self.life())
        self.assertEqual(job["state"], "done")
        report = self.report(self.number)
        self.assertEqual((report["state"], report.get("bonus"), report["overdue"]),
                         ("reported", None, True))
        # A second file does not earn what the first one has not.
        self.submit(self.number, self.life()[:1])
        self.assertIsNone(self.report(self.number).get("bonus"))

    def test_after_the_word_that_there_was_nothing(self):
        """The file says more; what was earned stays."""
        self.until("2026-03-03 15:00")
        self.move("Nothing", self.number)
        self.until("2026-03-03 17:00")
        self.submit(self.number, self.life())
        report = self.report(self.number)
        self.assertEqual((report["nothing"], shown(report["reported_at"]), report["bonus"],
                          report["rows"]), (False, "2026-03-03 15:00", 500, 4))

    def test_what_is_no_report(self):
        """No rows at all, or none that was taken."""
        self.until("2026-03-03 15:00")
        before = self.report(self.number)
        for rows, word in (([dict.fromkeys(self.life()[0], "")][:0], "no rows"),
                           (self.life()[3:], "all rows")):
            with self.subTest(word):
                fd = memory_file(as_csv(rows) if rows else b"verb,reference\n")
                job = self.client.call("Transfer", "Import", "sha{sv}", "ticket", fd,
                                       {"report": ("t", self.number)})
                os.close(fd)
                result = self.client.call("Jobs", "Wait", "t", job)
                self.assertEqual(result["state"], "failed")
                self.assertIn("not taken as the report: ", result["error"])
                self.assertIn(word, result["error"])
                self.assertEqual(self.report(self.number), before)

    def test_all_or_nothing_with_the_report(self):
        """It was excused while the file waited for its turn: no row is taken either."""
        self.until("2026-03-03 15:00")
        fd = memory_file(as_csv(self.life()[:3]))
        self.service.daemon.send_signal(signal.SIGSTOP)  # so that both calls are there at once
        self.client.post(self.client.message("Transfer", "Import", "sha{sv}", "ticket", fd,
                                             {"report": ("t", self.number), "atomic": ("b", True)}))
        self.client.post(self.client.message("Reports", "Excuse", "ta{sv}", self.number,
                                             {"note": ("s", "n")}))
        time.sleep(0.2)
        self.service.daemon.send_signal(signal.SIGCONT)
        _, job = self.client.next_answer()
        self.client.next_answer()
        os.close(fd)
        result = self.client.call("Jobs", "Wait", "t", job)
        self.assertEqual(result["state"], "failed")
        self.assertIn("not taken as the report: ", result["error"])
        self.assertEqual(self.client.list_all("Tickets", {"reference": "N-1"}), [])

    def test_a_dry_run_reports_nothing(self):
        self.until("2026-03-03 15:00")
        before = self.report(self.number)
        sequence = self.client.status()["sequence"]
        job, problems = self.submit(self.number, self.life(), dry_run=True)
        self.assertEqual((job["created"], job["moved"], job["refused"], len(problems)),
                         (1, 2, 1, 1))
        self.assertEqual(self.report(self.number), before)
        self.assertEqual(self.client.status()["sequence"], sequence)

    def test_cancelled(self):
        self.until("2026-03-03 15:00")
        rows = [{"reference": f"L-{i}", "type": "consultation", "region": REGION}
                for i in range(20000)]
        fd = memory_file(as_csv(rows))
        job = self.client.call("Transfer", "Import", "sha{sv}", "ticket", fd,
                               {"report": ("t", self.number)})
        os.close(fd)
        wait_for(lambda: self.client.call("Jobs", "Get", "t", job).get("created"), "some rows")
        self.client.call("Jobs", "Cancel", "t", job)
        result = self.client.call("Jobs", "Wait", "t", job)
        self.assertEqual(result["state"], "cancelled")
        self.assertLess(result["created"], 20000)
        self.assertEqual(self.report(self.number)["state"], "expected")

    def test_all_or_nothing(self):
        self.until("2026-03-03 15:00")
        job, _ = self.submit(self.number, self.life(), atomic=True)
        self.assertEqual((job["state"], self.report(self.number)["state"]), ("failed", "expected"))
        job, _ = self.submit(self.number, self.life()[:3], atomic=True)
        self.assertEqual(job["state"], "done")
        self.assertEqual(self.counts(), (3, 1, 2, 0, 0))

    def test_rows_are_the_dealers_own(self):
        self.until("2026-03-03 15:00")
        other = self.ticket(reference="B-1", dealer="BJ-2")
        self.client.move("Dispatch", other)
        rows = self.life()[:1] + [{"verb": "accept", "reference": "B-1"},
                                  {"reference": "N-2", "type": "repair", "region": REGION,
                                   "dealer": "BJ-2"}]
        for dry_run in (True, False):
            _, problems = self.submit(self.number, rows, dry_run=dry_run)
            self.assertEqual([row[3] for row in problems], ["OutOfScope", "OutOfScope"])
        self.assertEqual(self.client.get(other)["state"], "dispatched")

    def test_options(self):
        self.refuse_submit("NotFound", "R99", number=99)
        self.refuse_submit("NotFound", number=0)
        self.refuse_submit("InvalidValue", "only a file of tickets", what="unit",
                           number=self.number)
        self.refuse_submit("InvalidValue", "only a file of tickets", what="report",
                           number=self.number)
        with self.assertRaises(BusError) as caught:  # it is no call
            self.move("Deliver", self.number)
        self.assertIn("UnknownMethod", caught.exception.name)


class Command(ReportTest):
    def ctl(self, *arguments, status=0, said=""):
        run = subprocess.run([BUILD / "aftersalesctl", *arguments], capture_output=True, text=True,
                             env=self.service.environment() | {"TZ": "Asia/Shanghai"}, timeout=30,
                             input=said, check=False)
        self.assertEqual(run.returncode, status, run.stdout + run.stderr)
        return run.stdout if status == 0 else run.stdout + run.stderr

    def test_a_day(self):
        number = self.duty()
        self.until("2026-03-03 10:00")
        listed = self.ctl("report", "list", "state=expected", f"day={TUESDAY}")
        self.assertRegex(listed, rf"R{number} +expected +BJ-1 +{TUESDAY}")
        with tempfile.TemporaryDirectory() as work:
            path = os.path.join(work, "day.csv")
            with open(path, "wb") as file:
                file.write(as_csv([{"reference": "C-1", "type": "consultation", "region": REGION},
                                   {"reference": "C-2", "type": "nothing", "region": REGION}]))
            said = self.ctl("report", "submit", path, "dealer=BJ-1", status=65)
            self.assertIn("2 rows: 1 created, 1 refused", said)
            self.assertIn("day.csv:3:", said)
        self.assertEqual(self.report(number)["state"], "reported")
        said = self.ctl("report", "submit", "-", "dealer=BJ-2", f"day={TUESDAY}",
                        said="reference,type,region\nC-3,consultation,110105\n")
        self.assertIn("1 rows: 1 created", said)
        second, = [row for row in self.reports(day=TUESDAY) if row["dealer"] == "BJ-2"]
        self.assertEqual((second["state"], second["rows"], second["bonus"]), ("reported", 1, 500))
        said = self.ctl("report", "submit", "-", "dealer=SH-1", status=1, said="reference\n")
        self.assertIn("nothing to report", said)
        third, = [row for row in self.reports(day=TUESDAY) if row["dealer"] == "SH-1"]
        self.assertIn("reported", self.ctl("report", "nothing", f"R{third['id']}"))
        self.assertEqual(self.ctl("report", "list", "state=expected").count("expected"), 0)
        self.assertRegex(self.ctl("report", "show", f"R{third['id']}"), r"bonus: +5\.00")
        self.assertIn("exists already", self.ctl("report", "new", "dealer=SH-1"))
        self.assertIn("deliver", self.ctl("report", "history", f"R{number}"))
        self.assertIn("16:00", self.ctl("report", "explain", f"R{number}"))
        self.assertRegex(self.ctl("report", "fields"), r"day +date")

    def test_excuse_and_wrong_words(self):
        number = self.duty()
        self.ctl("report", "excuse", f"R{number}", status=65)
        self.assertIn("excused", self.ctl("report", "excuse", f"R{number}", "--note=停电"))
        self.assertIn("R", self.ctl("report", "show", "T1", status=65))
        self.ctl("report", "submit", "/nowhere", "dealer=BJ-1", status=66)
        self.assertIn("dealer", self.ctl("report", "submit", "-", status=65, said="reference\n"))
        self.assertEqual(len(self.reports(day=TUESDAY)), 1)

    def test_completion(self):
        self.assertIn("submit", self.ctl("__complete", "aftersalesctl report s"))
        self.assertIn("dealer=", self.ctl("__complete", "aftersalesctl report submit x.csv d"))


class Days(ReportTest):
    def test_the_same_dealer_and_day(self):
        self.until("2026-03-03 10:00")
        number, created = self.expect(dealer="BJ-1")
        self.assertTrue(created)
        for fields in ({}, {"day": TUESDAY}, {"type": "daily", "subcentre": "BJ"}):
            self.assertEqual(self.expect(dealer="BJ-1", **fields), [number, False])
        self.assertTrue(self.expect(dealer="BJ-2")[1])
        self.assertTrue(self.expect(dealer="BJ-1", day="2026-03-02")[1])

    def test_which(self):
        self.until("2026-03-10 10:00")
        with self.refused("InvalidValue", "day:", "2026-03-10"):
            self.expect(dealer="BJ-1", day="2026-03-11")
        with self.refused("InvalidValue", "day:", "7 days"):
            self.expect(dealer="BJ-1", day="2026-03-02")
        self.assertTrue(self.expect(dealer="BJ-1", day="2026-03-03")[1])
        # Today begins at midnight in Shanghai, which is 16:00 in Greenwich.
        self.client.jump(at("2026-03-10 23:59"))
        self.assertEqual(self.report(self.expect(dealer="BJ-2")[0])["day"], "2026-03-10")
        self.client.jump(at("2026-03-11 00:00"))
        self.assertEqual(self.report(self.expect(dealer="BJ-2")[0])["day"], "2026-03-11")

    def test_whose(self):
        for fields, error, word in (({}, "MissingField", "dealer"),
                                    ({"dealer": "XX"}, "InvalidValue", "XX"),
                                    ({"dealer": "BJ"}, "InvalidValue", "subcentre"),
                                    ({"dealer": "BJ-1", "subcentre": "SH"}, "InvalidValue", "BJ"),
                                    ({"dealer": "BJ-1", "bonus": 5}, "UnknownField", "bonus"),
                                    ({"dealer": "BJ-1", "type": "weekly"}, "InvalidValue", "daily")):
            with self.subTest(fields), self.refused(error, word):
                self.expect(**fields)

    def test_a_day_that_is_over_blames_nobody(self):
        """Nobody waited for it; but who begins it owes it."""
        self.until("2026-03-03 17:00")
        number, _ = self.expect(dealer="BJ-1", day="2026-03-02")
        self.client.advance(self.client.now() + USEC)
        self.assertEqual(self.heard(number), [])
        self.assertTrue(self.report(number)["overdue"])
        self.until("2026-03-04 16:30")
        self.assertEqual(self.heard(number), [("2026-03-04 16:00", "repeat", "BIZ")])
        self.move("Nothing", number)
        self.assertIsNone(self.report(number).get("bonus"))


@needs_root
class Scope(ReportTest):
    def test_a_dealer_sees_and_reports_its_own(self):
        self.ticket(dealer="BJ-2")
        number = self.duty()
        other, = [row["id"] for row in self.reports(dealer="BJ-2")]
        dealer = self.service.client("mail")  # BJ-1
        self.assertEqual([row["id"] for row in self.reports(dealer)], [number])
        self.assertEqual([row["id"] for row in self.reports(dealer, day=TUESDAY)], [number])
        self.assertEqual(self.reports(dealer, dealer="BJ-2"), [])
        self.assertEqual(self.expect(dealer), [number, False])
        for call in (lambda: dealer.call("Reports", "Get", "t", other),
                     lambda: self.move("Nothing", other, dealer),
                     lambda: self.expect(dealer, dealer="BJ-2"),
                     lambda: self.expect(dealer, dealer="SH-1")):
            with self.refused("OutOfScope"):
                call()
        self.refuse_submit("OutOfScope", client=dealer, number=other)
        with self.refused("NotPermitted", "report.excuse"):
            self.move("Excuse", number, dealer, note="x")
        job, problems = self.submit(number, [{"reference": "D-1", "type": "repair",
                                              "region": REGION}], dealer)
        self.assertEqual((job["state"], problems), ("done", []))
        self.assertEqual(self.report(number)["state"], "reported")
        last = self.client.call("Reports", "History", "t", number)[-1]
        self.assertRegex(last["actor"], r"^uid:\d+$")

    def test_a_sub_centre_sees_and_excuses_its_own(self):
        self.ticket(region="310115", dealer="SH-1")
        number = self.duty()
        centre = self.service.client("games")  # BJ
        self.assertEqual([row["id"] for row in self.reports(centre, day=TUESDAY)], [number])
        foreign, = [row["id"] for row in self.reports(dealer="SH-1")]
        with self.refused("OutOfScope"):
            self.move("Excuse", foreign, centre, note="x")
        self.move("Excuse", number, centre, note="x")

    def test_whoever_may_not_report(self):
        number = self.duty()
        clerk = self.service.client("daemon")  # reads, imports, but does not report
        self.assertEqual(len(self.reports(clerk)), 1)
        self.refuse_submit("NotPermitted", "report.submit", client=clerk, number=number)
        with self.refused("NotPermitted", "report.submit"):
            self.expect(clerk, dealer="BJ-2")


class Configuration(ReportTest):
    POLICY = DUTIES

    def reload(self, policy):
        self.service.configure(policy)
        self.client.call("Policy", "Reload")

    def say(self, policy):
        with tempfile.NamedTemporaryFile("w", suffix=".yaml", encoding="utf-8") as file:
            file.write(policy)
            file.flush()
            run = subprocess.run([DAEMON, "--config", file.name, "--check-config"], text=True,
                                 capture_output=True, timeout=30, check=False)
        return run.returncode, run.stderr

    def test_what_it_needs(self):
        for policy, word in (
                (DUTIES.replace("  calendar: office\n  cutoff", "  cutoff"), "reports.calendar"),
                (PLAIN.replace("roles:\n", REPORTS + "roles:\n", 1), "targets.report.default"),
                (DUTIES.replace('"16:00"', '"4pm"'), "such as 18:00"),
                (DUTIES.replace('"16:00"', '"00:00"'), "out of range"),
                (DUTIES.replace('"16:00"', '"24:01"'), "no time that a clock shows"),
                (DUTIES.replace("bonus: 500", "bonus: -1"), "reports.bonus"),
                (DUTIES.replace("  calendar: office\n  cutoff", "  calendar: none\n  cutoff"),
                 "no calendar 'none'"),
                (DUTIES.replace("{calendar: office, ladder: reports}",
                                "{calendar: office, ladder: reports, report: 2h}"),
                 "write calendar and ladder only")):
            with self.subTest(word):
                status, said = self.say(policy)
                self.assertEqual(status, 78, said)
                self.assertIn(word, said)
        self.assertEqual(self.say(DUTIES)[0], 0)
        self.assertEqual(self.say(PLAIN)[0], 0)
        self.assertEqual(self.say(DUTIES.replace('"16:00"', "24:00"))[0], 0)

    def test_a_kind_that_is_not_used(self):
        self.reload(PLAIN.replace("submit_day: 5", "submit_day: 0"))
        with self.refused("RuleViolated", "targets.report.default.normal"):
            self.expect(dealer="BJ-1")
        self.assertNotIn("next_due", self.client.status())
        self.ticket(dealer="BJ-1")
        self.until("2026-03-04 09:00")
        self.assertEqual(self.reports(ended=True), [])
        self.reload(USED)
        with self.refused("RuleViolated", "reports.cutoff"):
            self.expect(dealer="BJ-1")

    def test_begun_and_ended_by_a_reload(self):
        self.reload(USED)
        self.ticket(dealer="BJ-1")
        self.until("2026-03-03 09:00")
        self.assertEqual(self.reports(ended=True), [])
        self.reload(DUTIES)
        self.until("2026-03-04 09:00")
        number, = [row["id"] for row in self.reports()]
        self.assertEqual(self.report(number)["day"], WEDNESDAY)
        self.reload(USED)
        self.until("2026-03-05 09:00")
        self.assertEqual([row["id"] for row in self.reports(ended=True)], [number])
        self.assertEqual(self.heard(number)[-1], ("2026-03-04 16:00", "rung", "BJ"))

    def test_another_cut_off(self):
        """It holds for the days to come, another bonus at once."""
        number = self.duty()
        self.reload(DUTIES.replace('"16:00"', '"12:00"').replace("bonus: 500", "bonus: 700"))
        self.assertEqual(shown(self.report(number)["due_at"]), "2026-03-03 16:00")
        self.move("Nothing", number)
        self.assertEqual(self.report(number)["bonus"], 700)
        self.until("2026-03-04 09:00")
        row, = self.reports(day=WEDNESDAY)
        self.assertEqual(shown(row["due_at"]), "2026-03-04 12:00")
        self.move("Nothing", row["id"])
        self.assertEqual(self.report(row["id"])["bonus"], 700)

    def test_open_ones_hold_their_targets(self):
        number = self.duty()
        self.service.configure(PLAIN)
        with self.refused("PolicyRejected", f"R{number}"):
            self.client.call("Policy", "Reload")
        self.service.configure(DUTIES)
        self.move("Nothing", number)
        self.reload(PLAIN)
        # What is ended can be looked at without targets.
        self.assertEqual(self.report(number)["state"], "reported")
        self.assertTrue(self.client.call("Reports", "Explain", "t", number))
        self.assertEqual(len(self.client.call("Reports", "History", "t", number)), 2)
        self.assertEqual(self.service.check(), [])

    def test_a_start_without_the_targets_of_open_ones(self):
        """As a reload: served without them, nobody would hear that it is missing."""
        number = self.duty()
        self.service.stop()
        self.service.configure(PLAIN)
        status, said = self.service.refuse(at("2026-03-03 15:00"))
        self.assertEqual(status, os.EX_CONFIG)
        self.assertIn(f"R{number}: there is no target for its type and priority", said)
        self.service.configure(DUTIES)
        self.service.start(at("2026-03-03 15:30"))
        self.assertEqual(self.report(number)["state"], "expected")
        self.move("Nothing", number)
        self.assertEqual(self.report(number)["bonus"], 500)


class Killed(ReportTest):
    DEALERS = 5000  # which takes several slices, so that some are durable before others
    DAYS = (TUESDAY, WEDNESDAY)
    KILLS = 60  # at most, a day

    def found(self):
        units = [self.client.message("Units", "Create", "a{sv}", variants(
            {"code": f"K-{i:04}", "kind": "dealer", "name": f"店 {i}", "parent": "BJ",
             "regions": "1101"})) for i in range(self.DEALERS)]
        tickets = [self.client.message("Tickets", "Create", "a{sv}", variants(
            {"type": "consultation", "region": REGION, "dealer": f"K-{i:04}"}))
            for i in range(self.DEALERS)]
        for answer in self.client.calls(units) + self.client.calls(tickets):
            self.assertNotIsInstance(answer, BusError)

    def opened(self, day):
        return collections.Counter(row["dealer"] for row in self.reports(day=day))

    def kill_after(self, seconds, day):
        """Kills a daemon that began so long ago, at midnight; how many duties are durable."""
        midnight = at(f"{day} 00:00")
        self.service.launch(midnight + USEC)
        time.sleep(seconds)
        self.service.kill()
        self.service.start(midnight - USEC)  # when none is due: nothing goes on
        opened = len(self.opened(day))
        self.service.stop()
        return opened

    def test_in_the_middle_of_opening_duties(self):
        """Whenever the daemon is killed while it opens them: each once in the end."""
        self.found()
        states = []
        for day in self.DAYS:
            # What else is due before is out of the way then.
            self.service.restart(at(f"{day} 00:00") - USEC)
            wait_for(lambda: self.client.status()["lag"] == 0, "what is due before")
            self.service.stop()
            kills = opened = 0
            while opened < self.DEALERS and kills < self.KILLS:
                kills += 1
                states.append(opened := self.kill_after(kills * 0.003, day))
            self.service.start(at(f"{day} 00:00") + USEC)
            wait_for(lambda: len(self.opened(day)) >= self.DEALERS and
                     self.client.status()["lag"] == 0, day)
            self.assertEqual(self.opened(day),
                             {f"K-{i:04}": 1 for i in range(self.DEALERS)})
        partial = [opened for opened in states if 0 < opened < self.DEALERS]
        self.assertTrue(partial, states)
        figure(f"{len(states)} kills while {self.DEALERS} duties a day were opened, "
               f"{len(partial)} of them in the middle: each once")


if __name__ == "__main__":
    unittest.main()
