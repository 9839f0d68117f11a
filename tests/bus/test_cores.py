# SPDX-License-Identifier: Apache-2.0
"""Parts that are used on tickets, and the old ones that must come back."""

import unittest

from files import as_csv, import_file
from harness import DAY, FreshServiceTest, REGION, variant, variants
from test_export import export_file, rows_of
from test_stock import PARTS, SUPPLIERS


class PartsTest(FreshServiceTest):
    def setUp(self):
        super().setUp()
        for fields in SUPPLIERS:
            self.client.call("Suppliers", "Create", "a{sv}", variants(fields))
        for fields in PARTS:
            self.client.call("Parts", "Create", "a{sv}", variants(fields))
        for part in ("P-1", "P-2"):
            self.client.call("Moves", "Create", "a{sv}", variants(
                {"part": part, "quantity": 20, "from": "supplier:S1", "to": "BJ-1",
                 "reason": "received"}))

    def repair(self, parts, **fields):
        """A repair under warranty unless told, on which these parts are used."""
        ticket = self.client.create(**({"type": "repair", "region": REGION, "product": "AC-1",
                                        "purchase_date": "2026-01-10", "dealer": "BJ-1"} | fields))
        self.client.move("Dispatch", ticket)
        self.client.move("Accept", ticket)
        self.client.move("Visit", ticket, parts=parts)
        return ticket

    def stock(self, place):
        return {(row["part"], row["condition"]): row["quantity"]
                for row in self.client.list_all("Stock", {"place": place})}

    def cores(self, **filters):
        return self.client.list_all("Cores", {"ended": True} | filters)


class Use(PartsTest):
    def test_it_leaves_the_dealers_stock(self):
        ticket = self.repair("part=P-1 quantity=2; part=P-2 serial=N-1 old_serial=O-1")
        lines = self.client.get(ticket)["parts"]
        self.assertEqual([(line["line"], line["part"], line["quantity"], line["warranty"],
                           line["warranty_basis"]) for line in lines],
                         [(1, "P-1", 2, "in", "unit"), (2, "P-2", 1, "in", "unit")])
        self.assertEqual(self.stock("BJ-1"),
                         {("P-1", "good"): 18, ("P-2", "good"): 19, ("P-2", "bad"): 1})
        moves = self.client.list_all("Moves", {"cause": "ticket", "cause_id": ticket})
        self.assertEqual([(row["reason"], row["part"], row["quantity"], row.get("serial"))
                          for row in moves],
                         [("used", "P-1", 2, None), ("used", "P-2", 1, "N-1"),
                          ("taken", "P-2", 1, "O-1")])
        core, = self.cores(ticket=ticket)
        self.assertEqual((core["part"], core["quantity"], core["serial"], core["owner"],
                          core["receiver"], core["state"], core["line"]),
                         ("P-2", 1, "O-1", "BJ-1", "BJ", "due", 2))

    def test_more_of_it_later(self):
        ticket = self.repair("part=P-1")
        self.client.move("Visit", ticket, parts=("aa{sv}", [variants({"part": "P-2", "quantity": 3})]))
        self.client.move("Resolve", ticket, result="repaired", parts="part=P-1 quantity=4")
        self.assertEqual([(line["line"], line["part"], line["quantity"])
                          for line in self.client.get(ticket)["parts"]],
                         [(1, "P-1", 1), (2, "P-2", 3), (3, "P-1", 4)])
        self.assertEqual(self.stock("BJ-1"),
                         {("P-1", "good"): 15, ("P-2", "good"): 17, ("P-2", "bad"): 3})

    def test_what_is_wrong_is_said(self):
        ticket = self.repair("part=P-1")
        for parts, name, *words in (
                ("part=NONE", "InvalidValue", "parts: item 1", "NONE"),
                ("part=P-1; part=P-2 quantity=21", "RuleViolated", "item 2", "has 20"),
                ("part=P-1 quantity=12; part=P-1 quantity=12", "RuleViolated", "item 2", "has 7"),
                ("quantity=1", "MissingField", "item 1", "part is missing"),
                ("part=P-1 warranty=in", "UnknownField", "warranty"),
                ("part=P-1 colour=red", "UnknownField", "colour"),
                ("part=P-1 part=P-2", "InvalidValue", "twice"),
                ("part P-1", "InvalidValue", "name=value"),
                ('part="P-1', "InvalidValue", "name=value"),
                ("part=P-1 quantity=x", "InvalidValue", "quantity"),
                ("; ".join(["part=P-1"] * 17), "LimitReached", "16"),
                (("aa{sv}", [variants({"part": "P-1", "quantity": "1"})]), "InvalidValue", "item 1: quantity"),
                (3, "InvalidValue", "aa{sv}")):
            with self.subTest(parts=parts), self.refused(name, *words, unchanged=ticket):
                self.client.move("Visit", ticket, parts=parts)

    def test_out_of_warranty_nothing_comes_back(self):
        ticket = self.repair("part=P-2", purchase_date="2024-01-10")
        self.assertEqual([line["warranty"] for line in self.client.get(ticket)["parts"]], ["out"])
        self.assertEqual(self.cores(), [])
        self.assertEqual(self.stock("BJ-1"), {("P-1", "good"): 20, ("P-2", "good"): 19})

    def test_a_part_has_a_warranty_of_its_own(self):
        self.client.call("Parts", "Update", "sa{sv}", "P-2", variants({"warranty_months": 3}))
        self.repair("part=P-2 serial=N-1", purchase_date="2024-01-10")
        ticket = self.repair("part=P-2 serial=N-2 old_serial=N-1", purchase_date="2024-01-10")
        line, = self.client.get(ticket)["parts"]
        self.assertEqual((line["warranty"], line["warranty_basis"]), ("in", "part"))
        self.assertEqual([(core["serial"], core["quantity"]) for core in self.cores()], [("N-1", 1)])

    def test_what_was_not_used_after_all(self):
        ticket = self.repair("part=P-2 quantity=3; part=P-1 quantity=2 ")
        self.client.move("Visit", ticket, parts="part=P-2 quantity=2")
        with self.refused("RuleViolated", "1 more than were used of part P-1", unchanged=ticket):
            self.client.move("Unuse", ticket, parts="part=P-1 quantity=3", note="记错了")
        with self.refused("MissingField", "note"):
            self.client.move("Unuse", ticket, parts="part=P-1")
        self.client.move("Unuse", ticket, parts="part=P-2 quantity=4; part=P-1", note="记错了")
        self.assertEqual([(line["part"], line.get("quantity", 0), line.get("core_quantity", 0))
                          for line in self.client.get(ticket)["parts"]],
                         [("P-2", 1, 1), ("P-1", 1, 0), ("P-2", 0, 0)])
        self.assertEqual(self.stock("BJ-1"),
                         {("P-1", "good"): 19, ("P-2", "good"): 19, ("P-2", "bad"): 1})
        self.assertEqual(sorted((core["state"], core["quantity"]) for core in self.cores()),
                         [("due", 1), ("voided", 2), ("voided", 2)])
        core = self.client.list_all("Cores", {})[0]["id"]
        self.client.call("Cores", "Ship", "ta{sv}", core, {})
        with self.refused("RuleViolated", "reject what was sent back first", unchanged=ticket):
            self.client.move("Unuse", ticket, parts="part=P-2", note="记错了")
        self.assertEqual(self.service.check(), [])

    def test_files(self):
        ticket = self.repair("part=P-2 old_serial=A-1; part=P-1 quantity=2")
        _, data = export_file(self.client, "ticket", columns="id,parts")
        self.assertEqual(rows_of(data), [{"id": str(ticket), "parts":
                         "part=P-2 quantity=1 old_serial=A-1; part=P-1 quantity=2"}])
        _, problems, _ = import_file(self.client, "ticket", as_csv(
            [{"verb": "visit", "id": ticket, "parts": "part=P-1 quantity=3; part=P-2"},
             {"verb": "visit", "id": ticket, "parts": "part=P-1 quantity=300"}]))
        self.assertEqual(len(problems), 1)
        self.assertIn("parts: item 1: ", problems[0][4])
        self.assertEqual([line["quantity"] for line in self.client.get(ticket)["parts"]], [1, 2, 3, 1])

    def test_a_core_is_not_made_by_hand(self):
        with self.refused("org.freedesktop.DBus.Error.UnknownMethod"):
            self.client.call("Cores", "Create", "a{sv}", {})
        _, problems, _ = import_file(self.client, "core", as_csv([{"verb": "create"}]))
        self.assertIn("record the part on its ticket", problems[0][4])


class Return(PartsTest):
    def setUp(self):
        super().setUp()
        self.ticket_id = self.repair("part=P-2 quantity=5")
        self.core = self.cores()[0]["id"]

    def go(self, member, core=None, **fields):
        return self.client.call("Cores", member, "ta{sv}", core or self.core, variants(fields))

    def states(self):
        return sorted((core["state"], core["quantity"]) for core in self.cores())

    def test_all_of_it(self):
        self.go("Ship", waybill="SF-1")
        self.assertEqual(self.stock("transit:BJ"), {("P-2", "bad"): 5})
        self.go("Receive")
        self.go("Accept")
        self.assertEqual(self.states(), [("accepted", 5)])
        self.assertEqual(self.stock("BJ"), {("P-2", "bad"): 5})
        self.assertEqual(self.stock("BJ-1"), {("P-1", "good"): 20, ("P-2", "good"): 15})

    def test_in_parts(self):
        self.go("Ship", quantity=3)
        self.assertEqual(self.states(), [("due", 2), ("shipped", 3)])
        away = next(core for core in self.cores() if core["state"] == "shipped")
        self.assertEqual((away["split_from"], away["ticket"]), (self.core, self.ticket_id))
        self.go("Receive", away["id"], quantity=2)
        here = next(core["id"] for core in self.cores() if core["state"] == "received")
        self.go("Accept", here, quantity=1)
        self.go("Reject", here, reject_reason="wrong_part")
        self.go("Reject", away["id"], reject_reason="missing")
        self.assertEqual(self.states(), [("accepted", 1), ("due", 2), ("rejected", 1), ("rejected", 1)])
        self.assertEqual(self.stock("BJ-1")["P-2", "bad"], 4)
        self.go("Charge", self.core, quantity=1, charge=12050, note="丢失")
        self.assertEqual(self.states(), [("accepted", 1), ("charged", 1), ("due", 1),
                                         ("rejected", 1), ("rejected", 1)])
        self.assertEqual(self.stock("BJ-1")["P-2", "bad"], 3)
        self.assertEqual(self.service.check(), [])

    def test_no_more_than_there_are(self):
        for quantity in (0, 6):
            with self.refused("InvalidValue", "quantity"):
                self.go("Ship", quantity=quantity)
        self.go("Ship", quantity=5)
        with self.refused("InvalidState", "shipped"):
            self.go("Ship")

    def test_whoever_sits_on_it_hears_of_it(self):
        self.client.advance(self.client.now() + 15 * DAY + 1)
        told = [(row["clock"], row.get("level", 0), row["recipient"])
                for row in self.client.list_all("Escalations", {"kind": "core", "case_id": self.core})]
        self.assertEqual(sorted(told), [("return", 0, "BJ-1"), ("return", 1, "BJ-1")])
        self.go("Ship", quantity=2)  # the rest is as late as before
        self.client.advance(self.client.now() + 2 * DAY + 1)
        told = {(row["case_id"], row["recipient"]) for row in self.client.list_all("Escalations", {})
                if row["kind"] == "core" and row.get("level") == 2}
        self.assertEqual(told, {(self.core, "PARTS")})
        late, = self.client.list_all("Assessments", {"dealer": "BJ-1"})
        self.assertEqual((late["item"], late["cause"], late["cause_id"], late["day"]),
                         ("return_late", "core", self.core, "2026-03-17"))

    def test_who_owes_what_for_how_long(self):
        def owed(**filters):
            return [(row["subcentre"], row["dealer"], row["part"], row["quantity"],
                     [row.get(name, 0) for name in ("days_15", "days_30", "days_60", "older")],
                     row["oldest"])
                    for row in self.client.list_all("Owed", filters, limit=1)]

        self.assertEqual(owed(), [("BJ", "BJ-1", "P-2", 5, [5, 0, 0, 0], "2026-03-02")])
        self.client.advance(self.client.now() + 20 * DAY)
        self.go("Ship", quantity=2)
        self.repair("part=P-2 quantity=4")
        self.client.call("Moves", "Create", "a{sv}", variants(
            {"part": "P-2", "quantity": 20, "from": "supplier:S1", "to": "SH-1",
             "reason": "received"}))
        self.repair("part=P-2", region="310115", dealer="SH-1")
        self.assertEqual(owed(), [("BJ", "BJ-1", "P-2", 9, [4, 5, 0, 0], "2026-03-02"),
                                  ("SH", "SH-1", "P-2", 1, [1, 0, 0, 0], "2026-03-22")])
        self.assertEqual(len(owed(subcentre="SH")), 1)
        self.assertEqual(owed(part="P-1"), [])
        self.client.advance(self.client.now() + 50 * DAY)
        self.assertEqual(owed(dealer="BJ-1")[0][4], [0, 0, 4, 5])


if __name__ == "__main__":
    unittest.main()
