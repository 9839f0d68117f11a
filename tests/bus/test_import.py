# SPDX-License-Identifier: Apache-2.0
"""Files in: every row a call, by the same rules."""

import json
import os
import time
import unittest

from files import as_csv, import_file, memory_file
from harness import REGION, at, BusError, FreshServiceTest, ServiceTest, needs_root

OUTCOMES = ("created", "updated", "moved", "unchanged", "refused")


def counts(job, **expected):
    """(what the job counted, what was expected): for one assertion."""
    return ({name: job[name] for name in OUTCOMES if job[name]}, expected)


def ticket_rows(n, start=0):
    return [{"reference": f"R-{i}", "type": "consultation", "region": REGION,
             "customer_name": f"用户 {i}", "phone": f"000-{i}"} for i in range(start, start + n)]


class MasterData(ServiceTest):
    def test_rows_create_and_change_what_differs(self):
        rows = [{"code": "P-1", "name": "冰箱", "line": "RF", "origin": "own", "warranty_months": 12},
                {"code": "P-2", "name": "+号, \"引号\"", "line": "RF", "origin": "own"}]
        job, problems, _ = import_file(self.client, "product", as_csv(rows))
        self.assertEqual((job["state"], job["rows"], problems), ("done", 2, []))
        self.assertEqual(*counts(job, created=2))
        before = self.client.call("Products", "Get", "s", "P-1")
        rows[1]["warranty_months"] = 24
        job, problems, _ = import_file(self.client, "product", as_csv(rows))
        self.assertEqual(*counts(job, updated=1, unchanged=1))
        self.assertEqual(self.client.call("Products", "Get", "s", "P-1"), before)
        told = self.client.call("Products", "Get", "s", "P-2")
        self.assertEqual((told["warranty_months"], told["name"]), (24, rows[1]["name"]))

    def test_every_register(self):
        files = {
            "unit": [{"code": "BJ-9", "kind": "dealer", "name": "新店", "parent": "BJ",
                      "regions": "1101"}],
            "serial": [{"code": "S-9", "product": "AC-1", "sold_on": "2026-01-15"}],
            "fault": [{"code": "F-9", "symptom": "=1+1"}],
        }
        for what, rows in files.items():
            with self.subTest(what):
                job, problems, _ = import_file(self.client, what, as_csv(rows))
                self.assertEqual(problems, [])
                self.assertEqual(*counts(job, created=1))
                job, _, _ = import_file(self.client, what, as_csv(rows))
                self.assertEqual(*counts(job, unchanged=1))
        self.assertEqual(self.client.call("Faults", "Get", "s", "F-9")["symptom"], "=1+1")

    def test_what_is_exported_besides_is_passed_over(self):
        told = self.client.call("Units", "Get", "s", "SH-1")
        line = json.dumps(told, ensure_ascii=False).encode("utf-8")
        job, problems, _ = import_file(self.client, "unit", line, format="json")
        self.assertEqual(problems, [])
        self.assertEqual(*counts(job, unchanged=1))

    def test_what_masks_personal_data_is_no_value(self):
        """As an export has it for those who may not read such data."""
        self.client.call("Units", "Update", "sa{sv}", "BJ-1", {"contact": ("s", "李经理")})
        row = {"code": "BJ-1", "name": "另名", "contact": "***"}
        job, problems, _ = import_file(self.client, "unit", as_csv([row]))
        self.assertEqual(self.client.call("Units", "Get", "s", "BJ-1")["contact"], "李经理")
        self.assertEqual(*counts(job, refused=1))
        self.assertEqual(problems[0][:4], ["2", "3", "contact", "InvalidValue"])
        self.assertIn("leave the column out", problems[0][4])
        del row["contact"]
        job, _, _ = import_file(self.client, "unit", as_csv([row]))
        self.assertEqual(*counts(job, updated=1))
        self.assertEqual(self.client.call("Units", "Get", "s", "BJ-1")["contact"], "李经理")
        ticket = ticket_rows(1)[0] | {"phone": "***"}
        job, problems, _ = import_file(self.client, "ticket", json.dumps(ticket).encode(), format="json")
        self.assertEqual(problems[0][2:4], ["phone", "InvalidValue"])

    def test_problems_are_told_with_their_place(self):
        data = ("\ufeffcode,name,line,origin,warranty_months\r\n"
                "Q-1,\"two\r\nlines\",X,own,1\r\n"
                "Q-2,good,X,own,\r\n"
                "Q-3,bad number,X,own,many\r\n"
                "Q-4,bad origin,X,stolen,\r\n"
                "Q-5,too,many,own,1,cells\r\n"
                ",no code,X,own,1\r\n").encode("utf-8")
        job, problems, rejects = import_file(self.client, "product", data)
        self.assertEqual(*counts(job, created=1, refused=5))
        self.assertEqual([(int(line), int(column), field, error)
                          for line, column, field, error, _ in problems],
                         [(2, 2, "name", "InvalidValue"), (5, 5, "warranty_months", "InvalidValue"),
                          (6, 4, "origin", "InvalidValue"), (7, 0, "", "InvalidValue"),
                          (8, 1, "code", "MissingField")])
        self.assertIn("own", problems[2][4])  # says what would be right
        header, *rest = rejects.split("\r\n")
        self.assertEqual(header, "code,name,line,origin,warranty_months,error")
        self.assertTrue(any(line.startswith("Q-4,bad origin,X,stolen,,") for line in rest), rest)

    def test_mended_rejects_can_be_imported(self):
        rows = [{"code": "M-1", "name": "=名", "line": "X", "origin": "own"},
                {"code": "M-2", "name": "'-名", "line": "X", "origin": "nowhere"}]
        job, _, rejects = import_file(self.client, "product", as_csv(rows))
        self.assertEqual(*counts(job, created=1, refused=1))
        mended = rejects.replace(",nowhere,", ",oem,")
        job, problems, _ = import_file(self.client, "product", mended.encode("utf-8"))
        self.assertEqual(problems, [])
        self.assertEqual(*counts(job, created=1))
        self.assertEqual(self.client.call("Products", "Get", "s", "M-2")["name"], "-名")

    def test_an_unknown_column_names_the_nearest(self):
        job, problems, _ = import_file(self.client, "fault", b"code,symtom\nF-1,x\n")
        self.assertEqual(*counts(job, refused=1))
        self.assertEqual(problems[0][:4], ["2", "2", "symtom", "UnknownField"])
        self.assertIn("symptom", problems[0][4])

    def test_gb18030(self):
        data = "code,symptom\r\nG-1,不制冷\r\nG-2,㐀\U00020000\r\n".encode("gb18030")
        job, problems, _ = import_file(self.client, "fault", data, encoding="gb18030")
        self.assertEqual(problems, [])
        self.assertEqual(*counts(job, created=2))
        self.assertEqual(self.client.call("Faults", "Get", "s", "G-2")["symptom"], "㐀\U00020000")
        job, problems, _ = import_file(self.client, "fault", data)
        self.assertEqual(*counts(job, refused=2))  # it is no UTF-8
        self.assertIn("UTF-8", problems[0][4])

    def test_files_that_cannot_be_read_on(self):
        for data, words in ((b"", "empty"), (b"code,code\nx,y\n", "twice"),
                            (b"code,symptom\nA,\"x\nB,y\n", "quotation mark"),
                            (b"code,symptom\nA,x\"y\n", "quotation mark"),
                            (b"code,symptom\nA," + b"x" * 70000 + b"\n", "64 KiB")):
            with self.subTest(words):
                job, problems, _ = import_file(self.client, "fault", data)
                self.assertEqual(job["state"], "failed")
                self.assertIn(words, problems[-1][4])

    def test_what_no_bus_takes_as_text(self):
        """There are code points that Unicode keeps from being characters: U+FDD0, U+FFFF ..."""
        for i, text in enumerate("\ufdd0 \ufffe \uffff \U0001ffff \U0010fffe".split()):
            row = {"code": f"U-{i}", "symptom": f"a{text}b"}
            job, problems, _ = import_file(self.client, "fault", as_csv([row]))
            self.assertEqual(*counts(job, refused=1))
            self.assertEqual(problems[0][2:4], ["symptom", "InvalidValue"])
            job, problems, _ = import_file(self.client, "fault", as_csv([{"code": "U", text: "x"}]))
            self.assertEqual(*counts(job, refused=1))
        self.client.list_all("Faults")

    def test_json_lines(self):
        data = (b'{"code":"J-1","symptom":"a"}\n\n{"code":"J-2","symptom":null}\nnonsense\n'
                b'[1]\n{"code":"J-3","symptom":1.5}\n{"code":"J-4","symptom":"\xff"}\n')
        job, problems, rejects = import_file(self.client, "fault", data, format="json")
        self.assertEqual([line for line, *_ in problems if line], ["3", "4", "5", "6", "7"])
        self.assertEqual(*counts(job, created=1, refused=5))
        self.assertIn("nonsense", rejects)

    def test_json_that_is_not_strict(self):
        """Whole lines were lost after a zero byte, and what was told of others was no text of ours."""
        data = (b'{"code":"K-1"}\0{"code":"K-2"}\n' + b"{'code':\"K-3\"}\n"
                b'{"code":"K-4"}\0{"x":1,"y":2}\n')
        job, problems, _ = import_file(self.client, "fault", data, format="json")
        self.assertEqual(*counts(job, refused=3))
        self.assertEqual([(line, column, error) for line, column, _, error, _ in problems],
                         [(str(line), "0", "InvalidValue") for line in (1, 2, 3)])
        self.assertEqual([text for *_, text in problems],
                         ["the line has a zero byte", "names stand in double quotation marks and have no zero bytes",
                          "the line has a zero byte"])


class AllOrNothing(ServiceTest):
    def test_a_refused_row_leaves_nothing(self):
        sequence = self.client.status()["sequence"]
        rows = ticket_rows(50) + [{"reference": "R-x", "type": "none", "region": REGION}]
        job, problems, _ = import_file(self.client, "ticket", as_csv(rows), atomic=True)
        self.assertEqual((job["state"], len(problems)), ("failed", 1))
        self.assertEqual(self.client.status()["sequence"], sequence)
        self.assertEqual(self.client.list_all("Tickets"), [])
        job, problems, _ = import_file(self.client, "ticket", as_csv(rows[:-1]), atomic=True)
        self.assertEqual(problems, [])
        self.assertEqual(*counts(job, created=50))

    def test_too_many_rows(self):
        sequence = self.client.status()["sequence"]
        rows = [{"code": f"X-{i}", "symptom": "x"} for i in range(10001)]
        job, _, _ = import_file(self.client, "fault", as_csv(rows), atomic=True)
        self.assertEqual(job["state"], "failed")
        self.assertIn("10000", job["error"])
        self.assertEqual(self.client.status()["sequence"], sequence)


    def test_too_many_bytes(self):
        fd = memory_file(b"code,symptom\n" + b"\n" * (16 << 20))
        self.addCleanup(os.close, fd)
        with self.refused("LimitReached", "16 MiB"):
            self.client.call("Transfer", "Import", "sha{sv}", "fault", fd, {"atomic": ("b", True)})


class BlankLines(ServiceTest):
    """They are passed over, and are work all the same."""

    def test_others_do_not_wait(self):
        for form, head, line in (("csv", b"code,symptom\n", b"\n"), ("json", b"", b"\r"),
                                 ("json", b"", b" " * 999 + b"\n")):
            data = head + line * ((256 << 20) // len(line))
            with self.subTest(form, line=len(line)):
                job = import_file(self.client, "fault", data, wait=False, format=form)
                waits = []
                for _ in range(20):
                    began = time.monotonic()
                    self.client.status()
                    waits.append(time.monotonic() - began)
                self.client.call("Jobs", "Cancel", "t", job)
                self.client.call("Jobs", "Wait", "t", job)
                self.assertLess(max(waits), 0.3)

    def test_between_rows(self):
        data = b"\n" * 5000 + b"code,symptom\n" + b"\r\n" * 5000 + b"B-1,x\n" + b"\n" * 5000
        for options in ({"dry_run": True}, {"atomic": True}, {}):
            job, problems, _ = import_file(self.client, "fault", data, **options)
            self.assertEqual((job["state"], problems, job["rows"]), ("done", [], 1))
            self.assertEqual(job["refused"], 0)


class DryRun(FreshServiceTest):
    def test_it_is_what_the_import_does(self):
        self.until("2026-03-03 10:00")
        rows = [row for i in range(40) for row in Tickets.life(self, f"D-{i}")]
        rows += [{"reference": "D-1", "verb": "close"}, {"reference": "D-x", "type": "nothing"},
                 {"verb": "comment", "reference": "D-2", "note": "once"},
                 {"verb": "comment", "reference": "D-2", "note": "once"}]
        sequence = self.client.status()["sequence"]
        import_file(self.client, "ticket", as_csv(rows), dry_run=True)
        self.assertEqual(self.client.status()["sequence"], sequence)
        self.assertEqual(self.client.list_all("Tickets", {"ended": True}), [])
        for options in ({"escalate": True}, {}):
            tried, problems, _ = import_file(self.client, "ticket", as_csv(rows), dry_run=True,
                                             **options)
            done, same, _ = import_file(self.client, "ticket", as_csv(rows), **options)
            self.assertEqual({name: tried[name] for name in OUTCOMES},
                             {name: done[name] for name in OUTCOMES})
            self.assertEqual(problems, same)
            self.assertEqual(tried["refused"], 2)
        self.assertEqual([name for name in os.listdir(self.service.state) if "scratch" in name], [])

    def test_rows_that_need_earlier_ones(self):
        rows = [{"code": "N", "kind": "subcentre", "name": "n", "parent": "HQ", "regions": "23"},
                {"code": "N-1", "kind": "dealer", "name": "d", "parent": "N", "regions": "2301"}]
        for dry_run in (True, False):
            job, problems, _ = import_file(self.client, "unit", as_csv(rows), dry_run=dry_run)
            self.assertEqual(problems, [])
            self.assertEqual(*counts(job, created=2))

    def test_more_than_can_be_all_or_nothing(self):
        rows = [{"code": f"X-{i}", "symptom": "x"} for i in range(30000)]
        job, _, _ = import_file(self.client, "fault", as_csv(rows), dry_run=True)
        self.assertEqual(*counts(job, created=30000))
        self.assertEqual(len(self.client.list_all("Faults")), 2)


class Tickets(FreshServiceTest):
    def life(self, reference="R-1", day="2026-03-02"):
        def when(text):
            return f"{day}T{text}:00+08:00"
        return [
            {"verb": "create", "reference": reference, "at": when("09:00"), "type": "repair",
             "region": REGION, "product": "AC-1", "phone": "000-1"},
            {"verb": "dispatch", "reference": reference, "at": when("09:30"), "dealer": "BJ-1"},
            {"verb": "accept", "reference": reference, "at": when("10:00"), "technician": "李"},
            {"verb": "visit", "reference": reference, "at": when("13:00")},
            {"verb": "resolve", "reference": reference, "at": when("14:00"), "result": "repaired"},
        ]

    def test_a_life_in_rows(self):
        self.until("2026-03-03 10:00")
        rows = self.life()
        job, problems, _ = import_file(self.client, "ticket", as_csv(rows))
        self.assertEqual(problems, [])
        self.assertEqual(*counts(job, created=1, moved=4))
        ticket = self.client.list_all("Tickets", {"reference": "R-1"})[0]
        self.assertEqual((ticket["state"], ticket["dealer"], ticket["overdue"]),
                         ("resolved", "BJ-1", False))
        self.assertEqual([event["verb"] for event in self.client.history(ticket["id"])],
                         [row["verb"] for row in rows])
        # The same file again.
        sequence = self.client.status()["sequence"]
        job, problems, _ = import_file(self.client, "ticket", as_csv(rows))
        self.assertEqual(problems, [])
        self.assertEqual(*counts(job, unchanged=5))
        self.assertEqual(self.client.status()["sequence"], sequence)

    def test_instants_that_cannot_be_meant(self):
        """0 was taken as now and again with every import, seconds and milliseconds as 1970."""
        ticket = self.ticket(reference="R-1")
        before = self.client.history(ticket)
        instants = (0, -1, "1970-01-01T00:00:00Z", 1772413200, 1772413200000)
        rows = [{"verb": "comment", "reference": "R-1", "note": "x", "at": instant} for instant in instants]
        rows += [{"verb": "create", "reference": f"S-{i}", "type": "repair", "region": REGION, "at": instant}
                 for i, instant in enumerate(instants)]
        job, problems, _ = import_file(self.client, "ticket", as_csv(rows))
        self.assertEqual(*counts(job, refused=len(rows)))
        for problem in problems:
            self.assertEqual(problem[2:4], ["at", "InvalidValue"])
            self.assertIn("before 2000", problem[4])
        self.assertEqual(self.client.history(ticket), before)

    def test_history_escalates_nobody_unless_asked(self):
        self.until("2026-03-20 09:00")
        rows = self.life()[:2]
        import_file(self.client, "ticket", as_csv(rows))
        ticket = self.client.list_all("Tickets", {"reference": "R-1"})[0]
        self.assertEqual(self.client.escalations(ticket["id"]), [])
        self.assertTrue(ticket["overdue"])
        self.assertGreater(ticket["armed_at"], self.client.now())
        self.assertEqual(self.client.call("Notifications", "Take", "uu", 100, 60), [])
        rows = self.life("R-2")[:2]
        import_file(self.client, "ticket", as_csv(rows), escalate=True)
        self.client.advance(self.client.now() + 1)
        loud = self.client.list_all("Tickets", {"reference": "R-2"})[0]
        self.assertNotEqual(self.client.escalations(loud["id"]), [])

    def test_a_late_report_on_a_live_ticket_takes_nothing_back(self):
        live = self.ticket(reference="R-1", type="repair")
        self.client.move("Dispatch", live, dealer="BJ-1")
        self.until("2026-03-02 14:00")  # the response was due at 13:00
        rows = [{"verb": "accept", "reference": "R-1", "at": "2026-03-02T12:00:00+08:00"}]
        before = self.client.escalations(live)
        self.assertEqual([row["cause"] for row in before], ["warning", "rung"])
        job, problems, _ = import_file(self.client, "ticket", as_csv(rows))
        self.assertEqual(problems, [])
        self.assertEqual(*counts(job, moved=1))
        self.assertEqual(self.client.escalations(live), before)
        self.assertTrue(self.client.get(live)["overdue"])

    def test_history_ends_with_the_first_call(self):
        """From then on a late row is a late report like any other: nothing is passed in silence."""
        self.until("2026-03-03 10:00")
        import_file(self.client, "ticket", as_csv(self.life()[:2]))
        ticket = self.client.list_all("Tickets", {"reference": "R-1"})[0]["id"]
        self.client.move("Comment", ticket, note="x")
        self.service.stop()
        self.service.start(at("2026-03-06 16:00"))
        row = {"verb": "comment", "reference": "R-1", "note": "y", "at": "2026-03-03T11:00:00+08:00"}
        import_file(self.client, "ticket", as_csv([row]))
        self.client.advance(self.client.now() + 1)
        self.assertGreater(len(self.client.escalations(ticket)), 2)

    def test_rows_without_instant_are_known_by_their_content(self):
        rows = [{"verb": "create", "reference": "R-1", "type": "consultation", "region": REGION},
                {"verb": "comment", "reference": "R-1", "note": "zum Ersten"},
                {"verb": "comment", "reference": "R-1", "note": "zum Zweiten"}]
        job, problems, _ = import_file(self.client, "ticket", as_csv(rows))
        self.assertEqual(problems, [])
        self.assertEqual(*counts(job, created=1, moved=2))
        job, problems, _ = import_file(self.client, "ticket", as_csv(rows))
        self.assertEqual(*counts(job, unchanged=3))

    def test_rules_hold(self):
        rows = self.life()
        del rows[3]  # a repair cannot be resolved without a visit
        rows += [{"verb": "fly", "reference": "R-1"}, {"verb": "accept"},
                 {"verb": "accept", "id": "T99"},
                 {"type": "repair", "region": REGION}]
        self.until("2026-03-02 18:00")
        job, problems, _ = import_file(self.client, "ticket", as_csv(rows))
        self.assertEqual([error for _, _, _, error, _ in problems],
                         ["RuleViolated", "InvalidValue", "MissingField", "NotFound",
                          "MissingField"])
        self.assertEqual(*counts(job, created=1, moved=2, refused=5))

    @needs_root
    def test_scope_and_permissions_hold(self):
        clerk = self.service.client("games")  # sub-centre BJ
        rows = [{"reference": "B-1", "type": "consultation", "region": REGION},
                {"reference": "S-1", "type": "consultation", "region": "310104"}]
        job, problems, _ = import_file(clerk, "ticket", as_csv(rows))
        self.assertEqual([(line, error) for line, _, _, error, _ in problems],
                         [("3", "OutOfScope")])
        self.assertEqual(*counts(job, created=1, refused=1))
        job, problems, _ = import_file(clerk, "unit", b"code,name,kind\nX,x,dealer\n")
        self.assertEqual(problems[0][3], "NotPermitted")
        with self.assertRaises(BusError) as caught:  # somebody else's job
            self.service.client("daemon").call("Jobs", "Get", "t", job["id"])
        self.assertEqual(caught.exception.name, "NotFound")

    def test_a_cancelled_import_keeps_what_is_done(self):
        job = import_file(self.client, "ticket", as_csv(ticket_rows(20000)), wait=False)
        while self.client.call("Jobs", "Get", "t", job).get("created", 0) < 100:
            time.sleep(0.01)
        self.client.call("Jobs", "Cancel", "t", job)
        result = self.client.call("Jobs", "Wait", "t", job)
        self.assertEqual(result["state"], "cancelled")
        self.assertLess(result["created"], 20000)
        self.assertEqual(self.client.status()["open"], result["created"])

    def test_others_wait_no_longer_than_a_slice(self):
        job = import_file(self.client, "ticket", as_csv(ticket_rows(40000)), wait=False)
        other = self.service.client()
        waits = []
        while self.client.call("Jobs", "Get", "t", job)["state"] == "running":
            began = time.monotonic()
            other.create(type="consultation", region=REGION)
            waits.append(time.monotonic() - began)
        waits.sort()
        result = self.client.call("Jobs", "Get", "t", job)
        took = (result["done"], result["total"])
        self.assertEqual(took[0], took[1])
        self.assertEqual(*counts(result, created=40000))
        self.assertGreater(len(waits), 20)
        print(f"figure: a create during an import of 40000 tickets: median "
              f"{waits[len(waits) // 2] * 1000:.1f} ms, 99 % {waits[-len(waits) // 100 - 1] * 1000:.1f} ms")

    def test_a_killed_import_is_begun_again(self):
        data = as_csv(ticket_rows(8000))
        job = import_file(self.client, "ticket", data, wait=False)
        while self.client.call("Jobs", "Get", "t", job).get("created", 0) < 500:
            time.sleep(0.005)
        self.service.restart(self.CLOCK, kill=True)
        kept = self.client.status()["open"]
        self.assertTrue(500 <= kept < 8000, kept)
        job, problems, _ = import_file(self.client, "ticket", data)
        self.assertEqual(problems, [])
        self.assertEqual(*counts(job, created=8000 - kept, unchanged=kept))
        self.assertEqual(self.client.status()["open"], 8000)


class Files(ServiceTest):
    def refuse_file(self, fd, word):
        with self.refused("InvalidValue", word):
            self.client.call("Transfer", "Import", "sha{sv}", "unit", fd, {})
        os.close(fd)

    def test_only_sealed_memory_files_are_read(self):
        reading, writing = os.pipe()
        self.addCleanup(os.close, writing)
        self.refuse_file(reading, "memfd")
        self.refuse_file(memory_file(b"code\n", seals=0), "seals")
        self.refuse_file(os.open(__file__, os.O_RDONLY), "memfd")

    def test_options_are_checked(self):
        fd = memory_file(b"code\n")
        self.addCleanup(os.close, fd)
        for what, options, error, word in (
                ("nothing", {}, "NotFound", "ticket"),
                ("unit", {"format": ("s", "xls")}, "InvalidValue", "csv or json"),
                ("unit", {"encoding": ("s", "latin1")}, "InvalidValue", "gb18030"),
                ("unit", {"atomic": ("s", "yes")}, "InvalidValue", "atomic"),
                ("unit", {"speed": ("b", True)}, "UnknownField", "speed")):
            with self.subTest(what, options=options), self.refused(error, word):
                self.client.call("Transfer", "Import", "sha{sv}", what, fd, options)

    def test_no_personal_data_in_the_log(self):
        canary = "Canary-Kanarienvogel"
        rows = [{"reference": "K-1", "type": "bad", "region": REGION, "customer_name": canary},
                {"reference": "K-2", "type": "repair", "region": REGION, "phone": canary * 9}]
        _, problems, rejects = import_file(self.client, "ticket", as_csv(rows))
        self.assertEqual(len(problems), 2)
        self.assertNotIn(canary, str(problems))
        self.assertIn(canary, rejects)  # the caller's own
        self.assertNotIn(canary, self.service.log_path.read_text("utf-8"))


if __name__ == "__main__":
    unittest.main()
