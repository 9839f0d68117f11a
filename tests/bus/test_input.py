# SPDX-License-Identifier: Apache-2.0
"""Bad input: each is refused with the error that is documented for it and a text that helps, and
has changed nothing."""

import unittest

from harness import (BusError, DAY, FreshServiceTest, HOUR, REGION, ServiceTest, USEC, at,
                     needs_root, variants)

TICKET = {"type": "consultation", "region": REGION}


class Input(ServiceTest):
    def create(self, pairs=(), **fields):
        """With whatever is given besides what a ticket needs."""
        values = TICKET | fields
        return self.client.call("Tickets", "Create", "a{sv}",
                                variants([*values.items(), *pairs]))

    def check_create(self, error, words, **fields):
        with self.subTest(**fields), self.refused(error, *words):
            self.create(**fields)

    # -- names of fields --

    def test_unknown_fields(self):
        self.check_create("UnknownField", ("'custmer_name'", "did you mean 'customer_name'"),
                          custmer_name="李四")
        self.check_create("UnknownField", ("'requestid'", "did you mean 'request_id'"),
                          requestid="x")
        self.check_create("UnknownField", ("there is no field 'nonsense'",), nonsense="x")
        self.check_create("UnknownField", (r"'a\x01\x0ab'",), **{"a\x01\nb": "x"})
        self.check_create("UnknownField", ("''",), **{"": "x"})
        self.check_create("UnknownField", ("...",), **{"x" * 500: "x"})
        # Hidden ones are nobody's business.
        self.check_create("UnknownField", ("'attempt_day'",), attempt_day="2026-03-02")
        with self.refused("UnknownField") as caught:
            self.create(attempt_dax="2026-03-02")
        self.assertNotIn("attempt_day", caught.exception.text.replace("'attempt_dax'", ""))

    def test_fields_that_are_not_the_callers(self):
        for field, value in (("id", 5), ("state", "closed"), ("owner", "BJ"), ("open", False),
                             ("created_at", at("2026-03-01 09:00")), ("armed_at", USEC * 10**9),
                             ("visits", 3), ("warranty", "in"), ("resolved_by", "x"), ("lift", 1),
                             ("result", "repaired"), ("repeat_of", 1)):
            self.check_create("UnknownField", (field, "not the caller's to set"), **{field: value})
        self.check_create("UnknownField", ("clocks",), clocks=("aa{sv}", []))

    def test_fields_that_a_transition_does_not_take(self):
        ticket = self.ticket()
        for member, fields, words in (
                ("Dispatch", {"technician": "张"}, ("dispatch", "technician", "takes: dealer")),
                ("Comment", {"note": "注", "priority": "urgent"}, ("comment", "priority")),
                ("Resolve", {"result": "answered", "state": "closed"}, ("resolve", "state")),
                ("Update", {"region": "310115"}, ("update", "region"))):
            with self.subTest(member=member):
                with self.refused("UnknownField", *words, unchanged=ticket):
                    self.client.move(member, ticket, **fields)

    def test_missing_fields(self):
        for fields, missing in (({"type": "repair"}, "region"), ({"region": REGION}, "type"),
                                ({}, "type")):
            with self.subTest(**fields), self.refused("MissingField", "create needs", missing):
                self.client.call("Tickets", "Create", "a{sv}", variants(fields))
        for interface, fields, missing in (
                ("Units", {"code": "X", "kind": "dealer"}, "name"),
                ("Units", {"code": "X", "kind": "dealer", "name": "x"}, "parent"),
                ("Units", {"name": "x", "kind": "dealer"}, "code"),
                ("Products", {"code": "X", "name": "x"}, "line"),
                ("Serials", {"code": "X"}, "product"),
                ("Faults", {"code": "X"}, "symptom")):
            with self.subTest(interface=interface, missing=missing):
                with self.refused("MissingField", missing):
                    self.client.call(interface, "Create", "a{sv}", variants(fields))

    def test_keys_given_twice(self):
        ticket = self.ticket()
        for key, value in (("phone", "1"), ("note", "注"), ("request_id", "r"), ("by", "x"),
                           ("at", self.client.now()), ("revision", 1)):
            with self.subTest(key=key), self.refused("InvalidValue", key, "twice"):
                self.create(pairs=[(key, value), (key, value)])
        with self.refused("InvalidValue", "note", "twice", unchanged=ticket):
            self.client.call("Tickets", "Comment", "ta{sv}", ticket,
                             variants([("note", "a"), ("note", "b")]))
        for key, value in (("ended", True), ("rung", 1), ("dealer", "BJ-1")):
            with self.subTest(key=key), self.refused("InvalidValue", key, "twice"):
                self.client.call("Tickets", "List", "a{sv}su",
                                 variants([(key, value), (key, value)]), "", 10)

    # -- types --

    def test_wrong_types(self):
        """Of every type of field; any integer type is taken for integers."""
        text = (("x", 5), ("b", True), ("d", 1.5), ("as", ["x"]), ("o", "/x"), ("v", ("s", "x")),
                ("ay", b"x"))
        number = (("s", "5"), ("d", 5.0), ("b", True), ("ax", [5]), ("v", ("x", 5)))
        for field, wrong in (("customer_name", text), ("product", text), ("description", text),
                             ("priority", text), ("purchase_date", text), ("region", text),
                             ("promised_at", number), ("at", number), ("revision", number),
                             ("note", text), ("request_id", text), ("by", text)):
            for value in wrong:
                with self.subTest(field=field, value=value):
                    with self.refused("InvalidValue", f"{field}: is of type {value[0]}", "must be"):
                        self.create(**{field: value})
        flag = (("s", "true"), ("x", 1), ("u", 1))
        for value in flag:
            with self.subTest(value=value), self.refused("InvalidValue", "active", "boolean (b)"):
                self.client.call("Units", "Update", "sa{sv}", "BJ-1", variants({"active": value}))
        ticket = self.ticket()
        for value in number:
            with self.subTest(value=value):
                with self.refused("InvalidValue", "duplicate_of", unchanged=ticket):
                    self.client.move("Void", ticket, void_reason="duplicate", duplicate_of=value)

    def test_any_integer_type(self):
        promise = self.client.now() + HOUR
        for kind in "xt":
            self.assertTrue(self.create(promised_at=(kind, promise))[1])
        for kind in "ynqiuxt":
            self.client.call("Units", "Update", "sa{sv}", "BJ-1",
                             variants({"head_count": (kind, 9)}))
            self.assertEqual(self.client.call("Units", "Get", "s", "BJ-1")["head_count"], 9)
            ticket = self.ticket()
            self.client.move("Comment", ticket, note="注", revision=(kind, 1))

    def test_numbers_out_of_range(self):
        for value in (("x", -1), ("i", -1), ("n", -1), ("x", 100001), ("t", 2**63),
                      ("t", 2**64 - 1), ("u", 2**32 - 1)):
            with self.subTest(value=value), self.refused("InvalidValue", "head_count", "range"):
                self.client.call("Units", "Update", "sa{sv}", "BJ-1",
                                 variants({"head_count": value}))
        ticket = self.ticket()
        for value in (("x", -1), ("n", -5)):
            with self.subTest(value=value):
                with self.refused("InvalidValue", "duplicate_of", "range", unchanged=ticket):
                    self.client.move("Void", ticket, void_reason="duplicate", duplicate_of=value)
            with self.refused("InvalidValue", "revision", unchanged=ticket):
                self.client.move("Comment", ticket, note="注", revision=value)
        with self.refused("InvalidValue", "revision", unchanged=ticket):
            self.client.move("Comment", ticket, note="注", revision=0)

    def test_signatures(self):
        """What sd-bus refuses for us, with its own error names."""
        for member, signature, arguments in (("Get", "s", ("1",)), ("Get", "u", (1,)),
                                             ("Get", None, ()), ("Create", "a{ss}", ({"a": "b"},)),
                                             ("List", "a{sv}s", ({}, ""))):
            with self.subTest(member=member, signature=signature):
                with self.refused("org.freedesktop.DBus.Error.InvalidArgs"):
                    self.client.call("Tickets", member, signature, *arguments)
        with self.refused("org.freedesktop.DBus.Error.UnknownMethod"):
            self.client.call("Tickets", "Destroy", "t", 1)
        with self.refused("org.freedesktop.DBus.Error.UnknownMethod"):
            self.client.call("Nothing", "Get", "t", 1)

    # -- texts --

    def test_long_texts(self):
        """At the limit and a byte over it; a limit counts bytes of UTF-8."""
        for field, limit in (("customer_name", 200), ("phone", 40), ("address", 400),
                             ("reference", 64), ("description", 2000), ("serial", 32),
                             ("note", 2000), ("request_id", 64), ("by", 64)):
            with self.subTest(field=field):
                self.assertTrue(self.create(**{field: "x" * limit})[1])
                self.check_create("InvalidValue", (field, str(limit + 1), f"at most {limit}"),
                                  **{field: "x" * (limit + 1)})
        self.assertTrue(self.create(customer_name="李" * 66)[1])
        self.check_create("InvalidValue", ("customer_name", "201", "200"), customer_name="李" * 67)
        name = "x" * 64
        ticket = self.create(by=name)[0]
        self.assertTrue(self.client.history(ticket)[0]["actor"].endswith("/" + name))

    def test_control_characters(self):
        for value, position in (("a\nb", 2), ("\tx", 1), ("x\x1b[31m", 2), ("x\x7f", 2),
                                ("李\x85x", 4), ("ab\u2028", 3)):
            if value == "ab\u2028":  # a separator, no control character
                self.assertTrue(self.create(customer_name=value)[1])
                continue
            self.check_create("InvalidValue", ("customer_name", f"control character at byte "
                                                                f"{position}"), customer_name=value)
        self.assertTrue(self.create(description="第一行\n\t第二行")[1])
        self.check_create("InvalidValue", ("description", "only line breaks and tabs"),
                          description="x\x07")
        self.check_create("InvalidValue", ("note", "control character"), note="x\x01")
        self.check_create("InvalidValue", ("by", "control character"), by="a\nb")
        self.check_create("InvalidValue", ("request_id", "control character"), request_id="a\nb")

    def test_codes(self):
        for value in ("A B", "A;B", "Ä", "A'B", "型号", "A\\B"):
            self.check_create("InvalidValue", ("product", "letters A-Z"), product=value)
        for code in ("", "x" * 33):
            with self.subTest(code=code), self.refused("InvalidValue", "code", "1 to 32 bytes"):
                self.client.call("Units", "Get", "s", code)

    def test_empty_texts(self):
        for fields in ({"region": ""}, {"note": ""}, {"by": ""}, {"request_id": ""}):
            self.check_create("InvalidValue", (*fields, "must not be empty"), **fields)
        cleared = self.client.get(self.create(customer_name="", phone="")[0])
        self.assertNotIn("customer_name", cleared)
        for interface, code, fields in (("Units", "BJ-1", {"name": ""}),
                                        ("Products", "AC-1", {"line": ""})):
            with self.refused("InvalidValue", *fields, "must not be empty"):
                self.client.call(interface, "Update", "sa{sv}", code, variants(fields))

    # -- values --

    def test_enumerations(self):
        for field, value, one_of in (("type", "Repair", "repair"), ("type", "", "repair"),
                                     ("priority", "high", "urgent"), ("channel", "?", "phone"),
                                     ("type", "default", "recycling")):
            self.check_create("InvalidValue", (field, "no such value", one_of), **{field: value})
        ticket = self.ticket()
        self.client.move("Resolve", ticket, result="answered", by="worker")
        for field, fields in (("outcome", {"outcome": "happy"}),
                              ("reopen_reason", {"outcome": "dissatisfied",
                                                 "reopen_reason": "because"})):
            with self.refused("InvalidValue", field, unchanged=ticket):
                self.client.move("FollowUp", ticket, by="clerk", **fields)

    def test_dates(self):
        for value in ("2026-02-29", "2026-13-01", "2026-00-10", "2026-1-1", "26-01-01", "",
                      "2026-01-01 ", " 2026-01-01", "2026/01/01", "2026-01-32", "1970-01-01",
                      "1969-12-31", "2170-01-01", "9999-12-31", "2026-01-1x", "+026-01-01",
                      "2026- 1-01", "２０２６-01-01"):
            self.check_create("InvalidValue", ("purchase_date", "2026-01-31"), purchase_date=value)
        for value in ("2024-02-29", "1970-01-02", "2026-03-02"):
            self.assertTrue(self.create(purchase_date=value)[1])

    def test_times(self):
        for value in (0, -1, -2**63, 86400 * USEC - 1, 2**63 - 1, 6311347200 * USEC + 1):
            self.check_create("InvalidValue", ("promised_at", "microseconds", "2170"),
                              promised_at=value)
        self.check_create("InvalidValue", ("promised_at", "range"), promised_at=("t", 2**63))
        for value in (0, -1, 2**63 - 1):
            with self.subTest(value=value), self.refused("InvalidValue", "range"):
                self.client.call("Clock", "Advance", "x", value)

    def test_the_far_future(self):
        """A promise at the end of time works, or is refused; nothing breaks."""
        far = at("2169-12-30 12:00")
        ticket = self.create(promised_at=far)[0]
        self.assertEqual(self.client.get(ticket)["promised_at"], far)
        self.client.explain(ticket)
        self.client.move("Void", ticket, void_reason="wrong_number")

    def test_waiting_is_bounded(self):
        ticket = self.ticket()
        wait = self.client.message("Tickets", "WaitCustomer", "ta{sv}", ticket,
                                   variants({"wait_reason": "不在"}))
        resume = self.client.message("Tickets", "Resume", "ta{sv}", ticket, {})
        for answer in self.client.calls([wait, resume] * 64):
            self.assertNotIsInstance(answer, BusError)
        with self.refused("LimitReached", "64 times", unchanged=ticket):
            self.client.move("WaitCustomer", ticket, wait_reason="不在")

    def test_regions(self):
        for value in ("1", "11010a", "北京", "11 12", "-11", "１１"):
            self.check_create("InvalidValue", ("region", "110105"), region=value)
        self.check_create("InvalidValue", ("region", "at most 12"), region="1" * 13)
        for value in ("11", "1101", "110105003001"):
            self.assertTrue(self.create(region=value)[1])
        for value in ("11 x", "1", "11,12", "1" * 13):
            with self.subTest(regions=value), self.refused("InvalidValue", "regions"):
                self.client.call("Units", "Update", "sa{sv}", "BJ", variants({"regions": value}))
        many = " ".join(f"{n:02}" for n in range(10, 75))
        with self.refused("LimitReached", "regions", "64"):
            self.client.call("Units", "Update", "sa{sv}", "BJ", variants({"regions": many}))

    def test_units(self):
        for fields, words in (({"dealer": "SH-1"}, ("dealer", "SH-1", "sub-centre SH", "BJ")),
                              ({"dealer": "NONE"}, ("dealer", "NONE")),
                              ({"dealer": "BJ"}, ("dealer", "BJ is a subcentre")),
                              ({"subcentre": "NONE"}, ("subcentre", "NONE")),
                              ({"subcentre": "BJ-1"}, ("subcentre", "BJ-1 is a dealer")),
                              ({"product": "NONE"}, ("product", "NONE")),
                              ({"fault_code": "NONE"}, ("fault_code", "NONE"))):
            self.check_create("InvalidValue", words, **fields)

    def test_inactive_units(self):
        for code, fields in (("BJ-2", {"dealer": "BJ-2"}), ("SH", {"subcentre": "SH"})):
            self.client.call("Units", "Update", "sa{sv}", code, variants({"active": False}))
            self.check_create("InvalidValue", (code, "not active"), **fields)
            if code == "SH":
                self.check_create("RuleViolated", ("310115",), region="310115")
            self.client.call("Units", "Update", "sa{sv}", code, variants({"active": True}))

    def test_unknown_numbers(self):
        for number, name in ((0, "T0"), (10**9, "T1000000000"), (3 << 48 | 17, "T3.17"),
                             (2**64 - 1, "T65535.")):
            for member in ("Get", "History", "Explain"):
                with self.subTest(number=number, member=member), self.refused("NotFound", name):
                    self.client.call("Tickets", member, "t", number)
            for member in ("HistoryPage", "ExplainPage"):
                with self.subTest(number=number, member=member), self.refused("NotFound", name):
                    self.client.call("Tickets", member, "tsu", number, "", 1)
            with self.subTest(number=number), self.refused("NotFound", name):
                self.client.move("Comment", number, note="注")
        for interface in ("Units", "Products", "Serials", "Faults"):
            with self.subTest(interface=interface):
                with self.refused("NotFound", "NONE"):
                    self.client.call(interface, "Get", "s", "NONE")
                with self.refused("NotFound", "NONE"):
                    self.client.call(interface, "History", "s", "NONE")
                with self.refused("NotFound", "NONE"):
                    self.client.call(interface, "HistoryPage", "ssu", "NONE", "", 1)
                with self.refused("NotFound", "NONE"):
                    self.client.call(interface, "Update", "sa{sv}", "NONE", {})
        with self.refused("NotFound", "ticket, report, unit, product"):
            self.client.call("Manager", "Schema", "s", "nothing")
        with self.refused("NotFound", "ticket"):
            self.client.call("Manager", "Transitions", "s", "nothing")

    def test_master_data(self):
        with self.refused("AlreadyExists", "BJ"):
            self.client.call("Units", "Create", "a{sv}", variants(
                {"code": "BJ", "kind": "subcentre", "name": "又一个"}))
        for fields, words in (
                ({"code": "X", "kind": "dealer", "name": "x", "parent": "NONE"},
                 ("parent", "NONE")),
                ({"code": "X", "kind": "dealer", "name": "x", "parent": "HQ"},
                 ("parent", "HQ is no sub-centre")),
                ({"code": "X Y", "kind": "dealer", "name": "x", "parent": "BJ"}, ("code",))):
            with self.subTest(**fields), self.refused("InvalidValue", *words):
                self.client.call("Units", "Create", "a{sv}", variants(fields))
        with self.refused("InvalidValue", "product", "NONE"):
            self.client.call("Serials", "Create", "a{sv}", variants({"code": "X",
                                                                     "product": "NONE"}))
        with self.refused("InvalidValue", "warranty_months", "600"):
            self.client.call("Products", "Update", "sa{sv}", "AC-1",
                             variants({"warranty_months": 601}))
        with self.refused("UnknownField", "unit update", "kind"):
            self.client.call("Units", "Update", "sa{sv}", "BJ", variants({"kind": "dealer"}))
        with self.refused("UnknownField", "code"):
            self.client.call("Units", "Update", "sa{sv}", "BJ", variants({"code": "BK"}))

    def test_units_in_a_circle(self):
        """Nobody is above himself, directly or through others."""
        def unit(member, *arguments, **fields):
            self.client.call("Units", member, ("s" if arguments else "") + "a{sv}", *arguments, variants(fields))

        for code, parent in (("L1", None), ("L2", "L1"), ("L3", "L2")):
            unit("Create", code=code, kind="subcentre", name=code, **({"parent": parent} if parent else {}))
        with self.refused("InvalidValue", "parent", "O1"):
            unit("Create", code="O1", kind="subcentre", name="x", parent="O1")
        for parent in ("L1", "L2", "L3"):
            with self.refused("InvalidValue", "parent", "L1 would be above itself"):
                unit("Update", "L1", parent=parent)
        unit("Update", "L3", parent="L1")
        with self.refused("InvalidValue", "parent", "L1 would be above itself"):
            unit("Update", "L1", parent="L3")
        for i in range(4, 34):
            unit("Create", code=f"L{i}", kind="subcentre", name="x", parent=f"L{i - 1}")
        unit("Create", code="L34", kind="subcentre", name="x", parent="L33")
        with self.refused("LimitReached", "parent", "32"):
            unit("Create", code="L35", kind="subcentre", name="x", parent="L34")

    def test_at_is_for_cases(self):
        """What has no time of its own is not silently given one."""
        at_time = self.client.now() - 3600 * USEC
        with self.refused("InvalidValue", "at:", "leave at out"):
            self.client.call("Units", "Create", "a{sv}", variants(
                {"code": "A-T", "kind": "subcentre", "name": "x", "at": at_time}))
        with self.refused("InvalidValue", "at:", "leave at out"):
            self.client.call("Units", "Update", "sa{sv}", "BJ", variants({"name": "x", "at": at_time}))
        with self.refused("InvalidValue", "at:", "leave at out"):
            self.client.call("Escalations", "Acknowledge", "ta{sv}", 1, variants({"at": at_time}))

    def test_bought_in_the_future(self):
        """Today is the last day that can be."""
        ticket = self.ticket(purchase_date="2026-03-02")
        self.check_create("InvalidValue", ("purchase_date", "future"), purchase_date="2026-03-03")
        with self.refused("InvalidValue", "purchase_date", "future", unchanged=ticket):
            self.client.move("Update", ticket, purchase_date="2026-03-03")

    def test_sold_in_the_future(self):
        def create(code, day):
            self.client.call("Serials", "Create", "a{sv}", variants(
                {"code": code, "product": "AC-1", "sold_on": day}))
        create("S-T", "2026-03-02")
        with self.refused("InvalidValue", "sold_on", "future"):
            create("S-F", "2026-03-03")
        for code in ("S-T", "S-2"):
            with self.refused("InvalidValue", "sold_on", "future"):
                self.client.call("Serials", "Update", "sa{sv}", code,
                                 variants({"sold_on": "2026-03-03"}))
        self.client.call("Serials", "Update", "sa{sv}", "S-T", variants({"sold_by": "BJ-1"}))

    # -- pages --

    def test_limits(self):
        for interface in ("Tickets", "Units", "Escalations"):
            for limit in (0, 1001, 2**32 - 1):
                with self.subTest(interface=interface, limit=limit):
                    with self.refused("InvalidValue", "limit", "1 to 1000"):
                        self.client.list_page(interface, limit=limit)

    def test_cursors(self):
        for _ in range(3):
            self.create()
        good = self.client.list_page("Tickets", limit=1)[1]
        other_filter = self.client.list_page("Tickets", {"subcentre": "BJ"}, limit=1)[1]
        no_index = self.client.list_page("Tickets", {"type": "consultation"}, limit=1)[1]
        units = self.client.list_page("Units", limit=1)[1]
        mangled = good[:-1] + ("0" if good[-1] != "0" else "1")
        self.assertNotEqual(good.upper(), good)
        for cursor in (other_filter, no_index, units, mangled, good[:-2], good + "00",
                       good.upper(), "x", "zz", "00" * 6, "0" * 8, good[:8], good * 100, "gg" * 20,
                       good[:-1]):
            with self.subTest(cursor=cursor[:60]), self.refused("InvalidCursor", "empty one"):
                self.client.list_page("Tickets", cursor=cursor, limit=1)
        self.assertEqual(len(self.client.list_page("Tickets", cursor=good, limit=1)[0]), 1)

    def test_filters(self):
        for filters, error, words in (
                ({"address": "x"}, "UnknownField", ("address",)),
                ({"created_at": at("2026-03-02 09:00")}, "UnknownField", ("created_at",)),
                ({"nonsense": 1}, "UnknownField", ("nonsense",)),
                ({"state": "open"}, "InvalidValue", ("state", "received")),
                ({"overdue": "yes"}, "InvalidValue", ("overdue", "boolean")),
                ({"ended": 1}, "InvalidValue", ("ended", "boolean")),
                ({"rung": "1"}, "InvalidValue", ("rung",)),
                ({"rung": -1}, "InvalidValue", ("rung",)),
                ({"note": "x"}, "UnknownField", ("note",)),
                ({"acknowledged": True}, "UnknownField", ("acknowledged",))):
            with self.subTest(**filters), self.refused(error, *words):
                self.client.list_page("Tickets", filters)
        with self.refused("UnknownField", "ended"):
            self.client.list_page("Units", {"ended": True})

    def test_empty_filters(self):
        """An empty text is what is not given; no daemon dies of it."""
        ticket = self.ticket(priority="special")
        for field in ("phone", "dealer", "serial", "reference", "product", "fault_code"):
            with self.subTest(field=field):
                self.assertIn(ticket, [row["id"] for row in
                                       self.client.list_all("Tickets", {field: ""})])
        self.assertEqual(self.client.list_all("Tickets", {"subcentre": ""}), [])
        self.client.list_all("Units", {"parent": ""})
        self.client.list_all("Escalations", {"recipient": ""})
        for zero in ({"case_id": 0}, {"repeat_of": 0}):
            interface = "Escalations" if "case_id" in zero else "Tickets"
            self.client.list_all(interface, zero)

    # -- revisions and repetitions --

    def test_stale_revision(self):
        ticket = self.ticket()
        head = self.client.move("Comment", ticket, note="注", revision=1)
        self.assertEqual(head["revision"], 2)
        for seen in (1, 3, 2**40):
            with self.refused("StaleRevision", "revision 2", str(seen), unchanged=ticket):
                self.client.move("Comment", ticket, note="注", revision=seen)
        self.client.move("Comment", ticket, note="注", revision=2)
        unit = self.client.call("Units", "Get", "s", "BJ-2")["revision"]
        changed = self.client.call("Units", "Update", "sa{sv}", "BJ-2",
                                   variants({"head_count": 3, "revision": unit}))
        self.assertEqual(changed, unit + 1)
        with self.refused("StaleRevision", f"revision {changed}"):
            self.client.call("Units", "Update", "sa{sv}", "BJ-2",
                             variants({"head_count": 4, "revision": unit}))

    def test_at(self):
        ticket = self.ticket()
        self.client.advance(self.client.now() + HOUR)
        now = self.client.now()
        with self.refused("InvalidValue", "at: lies in the future", unchanged=ticket):
            self.client.move("Comment", ticket, note="注", at=now + 1)
        self.check_create("InvalidValue", ("at: lies in the future",), at=now + 1)
        self.client.move("Comment", ticket, note="注", at=now - 10)
        with self.refused("InvalidValue", "before the last change", f"T{ticket}",
                          unchanged=ticket):
            self.client.move("Comment", ticket, note="注", at=now - 11)
        self.client.move("Comment", ticket, note="注", at=now - 10)
        self.client.move("Comment", ticket, note="注", at=now)

    def repeated(self, interface, member, signature, *arguments):
        """The call made twice, and once more after a restart: one change, one answer."""
        first = self.client.call(interface, member, signature, *arguments)
        sequence = self.client.status()["sequence"]
        self.assertEqual(self.client.call(interface, member, signature, *arguments), first)
        self.service.restart(self.client.now(), kill=True)
        self.assertEqual(self.client.call(interface, member, signature, *arguments), first)
        self.assertEqual(self.client.status()["sequence"], sequence)
        return first

    def test_request_id(self):
        fields = TICKET | {"request_id": "r-1", "customer_name": "李四"}
        ticket, created = self.repeated("Tickets", "Create", "a{sv}", variants(fields))
        self.assertTrue(created)
        head = self.repeated("Tickets", "Dispatch", "ta{sv}", ticket,
                             variants({"request_id": "r-2", "dealer": "BJ-1"}))
        self.assertEqual(head["state"], "dispatched")
        # Its answer is that of then, whatever has happened since.
        self.client.move("Accept", ticket)
        again = self.client.call("Tickets", "Dispatch", "ta{sv}", ticket,
                                 variants({"request_id": "r-2", "dealer": "BJ-1"}))
        self.assertEqual(again, head)
        self.assertEqual(self.repeated("Units", "Update", "sa{sv}", "BJ-2", variants(
            {"request_id": "r-3", "head_count": 5})),
            self.client.call("Units", "Get", "s", "BJ-2")["revision"])
        self.repeated("Faults", "Create", "a{sv}", variants(
            {"request_id": "r-4", "code": "NEW1", "symptom": "x"}))

    def test_request_id_of_another_call(self):
        fields = TICKET | {"request_id": "s-1", "note": "注"}
        ticket, _ = self.client.call("Tickets", "Create", "a{sv}", variants(fields))
        for changed in ({"type": "repair"}, {"note": "改"}, {"customer_name": "李四"},
                        {"at": self.client.now()}):
            with self.subTest(**changed), self.refused("RequestIdReused", "new one"):
                self.client.call("Tickets", "Create", "a{sv}", variants(fields | changed))
        with self.refused("RequestIdReused", unchanged=ticket):
            self.client.move("Comment", ticket, note="注", request_id="s-1")
        # Another caller's are another's.
        self.assertTrue(self.client.call("Tickets", "Create", "a{sv}",
                                         variants(fields | {"by": "clerk"}))[1])

    def test_request_id_of_a_refused_call(self):
        """A refused call has not used its request id up."""
        ticket = self.ticket()
        with self.refused("InvalidState", unchanged=ticket):
            self.client.move("Close", ticket, request_id="t-1")
        self.assertEqual(self.client.move("Comment", ticket, note="注",
                                          request_id="t-1")["revision"], 2)

    @needs_root
    def test_by_without_permission(self):
        ticket = self.ticket(dealer="BJ-1")
        dealer = self.service.client("mail")
        with self.refused("NotPermitted", "by", "act_for", "dealer", unchanged=ticket):
            dealer.call("Tickets", "Promise", "ta{sv}", ticket, variants(
                {"promised_at": self.client.now() + HOUR, "by": "老板"}))

    def test_a_flood_of_bad_calls(self):
        """Pipelined among good ones: each gets its own answer."""
        good = self.client.message("Tickets", "Create", "a{sv}", variants(TICKET))
        bad = self.client.message("Tickets", "Create", "a{sv}", variants({"type": "repair"}))
        worse = self.client.message("Tickets", "Create", "s", "x")
        answers = self.client.calls([good, bad, worse] * 100)
        self.assertEqual(len({answer[0] for answer in answers[0::3]}), 100)
        self.assertEqual({answer.name for answer in answers[1::3]}, {"MissingField"})
        self.assertEqual({answer.name for answer in answers[2::3]},
                         {"org.freedesktop.DBus.Error.InvalidArgs"})
        self.assertTrue(all(isinstance(answer, BusError) for answer in answers[1::3]))


class Forgetting(FreshServiceTest):
    def create(self, request_id):
        return self.client.call("Tickets", "Create", "a{sv}",
                                variants(TICKET | {"request_id": request_id}))

    def test_request_ids_are_kept_for_a_week(self):
        """By the policy: then the same one is a new call."""
        first = self.create("u-1")
        self.client.jump(self.client.now() + 7 * DAY)
        self.create("u-2")
        self.assertEqual(self.create("u-1"), first)
        self.client.jump(self.client.now() + 1)
        self.create("u-3")
        again, created = self.create("u-1")
        self.assertTrue(created)
        self.assertNotEqual(again, first[0])


if __name__ == "__main__":
    unittest.main()
