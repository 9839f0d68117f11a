# SPDX-License-Identifier: Apache-2.0
"""Orders of parts: from the draft to what has arrived, and credit for cores."""

import unittest

from harness import DAY, HOUR, variants
from test_cores import PartsTest


class OrderTest(PartsTest):
    def setUp(self):
        super().setUp()
        for part in ("P-1", "P-2", "P-3"):
            self.client.call("Moves", "Create", "a{sv}", variants(
                {"part": part, "quantity": 100, "from": "supplier:S1", "to": "HQ",
                 "reason": "received"}))

    def order(self, lines="part=P-1 quantity=10; part=P-2 quantity=4", **fields):
        return self.client.call("Orders", "Create", "a{sv}", variants(
            {"dealer": "BJ-1", "lines": lines} | fields))[0]

    def go(self, member, order, **fields):
        return self.client.call("Orders", member, "ta{sv}", order, variants(fields))["state"]

    def get(self, order):
        return self.client.call("Orders", "Get", "t", order)

    def lines(self, order, *names):
        return [tuple(line.get(name, 0) for name in ("part", *names))
                for line in self.get(order)["lines"]]

    def approved(self, **fields):
        order = self.order(**fields)
        self.go("Submit", order)
        self.go("Approve", order)
        return order


class Orders(OrderTest):
    def test_all_the_way(self):
        order = self.order()
        told = self.get(order)
        self.assertEqual((told["state"], told["type"], told["unit"], told["source"], told["owner"],
                          told["subcentre"]),
                         ("draft", "emergency", "BJ-1", "headquarters:HQ", "BJ-1", "BJ"))
        self.assertEqual(self.go("Submit", order), "submitted")
        self.assertEqual(self.get(order)["owner"], "PARTS")
        self.assertEqual(self.go("Approve", order), "approved")
        self.assertEqual(self.go("Ship", order), "shipped")
        self.assertEqual(self.stock("transit:BJ-1"), {("P-1", "good"): 10, ("P-2", "good"): 4})
        self.assertEqual(self.get(order)["owner"], "BJ-1")
        self.assertEqual(self.go("Receive", order), "received")
        self.assertEqual(self.stock("BJ-1"), {("P-1", "good"): 30, ("P-2", "good"): 24})
        self.assertEqual(self.stock("HQ"),
                         {("P-1", "good"): 90, ("P-2", "good"): 96, ("P-3", "good"): 100})
        moves = self.client.list_all("Moves", {"cause": "order", "cause_id": order})
        self.assertEqual([row["reason"] for row in moves], ["shipped"] * 2 + ["arrived"] * 2)

    def test_in_parts(self):
        order = self.order("part=P-1 quantity=10; part=P-2 quantity=4; part=P-3 quantity=20")
        self.go("Submit", order)
        for lines, name, *words in (
                ("part=P-1 approved=5", "MissingField", "item 1", "cut_reason"),
                ("part=P-1 approved=11", "InvalidValue", "approved"),
                ("part=P-9 approved=1", "InvalidValue", "P-9 is not in this order"),
                ("part=P-1 quantity=3", "InvalidValue", "quantity: cannot be given here"),
                ("part=P-1 approved=10; part=P-1 approved=10", "InvalidValue", "twice")):
            with self.subTest(lines=lines), self.refused(name, *words):
                self.go("Approve", order, lines=lines)
        self.go("Approve", order, lines="part=P-3 cut_reason=停产; part=P-1 approved=6 cut_reason=缺货")
        self.assertEqual(self.lines(order, "quantity", "approved", "cut_reason"),
                         [("P-1", 10, 6, "缺货"), ("P-2", 4, 4, 0), ("P-3", 20, 0, "停产")])
        self.assertEqual(self.go("Ship", order, lines="part=P-1 quantity=4"), "partly_shipped")
        with self.refused("RuleViolated", "2 left, not 3"):
            self.go("Ship", order, lines="part=P-1 quantity=3")
        self.assertEqual(self.go("Receive", order, lines="part=P-1 quantity=3 missing=1"), "approved")
        self.assertEqual(self.lines(order, "approved", "shipped", "received", "missing"),
                         [("P-1", 6, 3, 3, 1), ("P-2", 4, 0, 0, 0), ("P-3", 0, 0, 0, 0)])
        self.assertEqual(self.go("Ship", order), "shipped")
        self.assertEqual(self.stock("transit:BJ-1"), {("P-1", "good"): 3, ("P-2", "good"): 4})
        self.assertEqual(self.go("Receive", order), "received")
        self.assertEqual(self.stock("BJ-1"), {("P-1", "good"): 26, ("P-2", "good"): 24})
        self.assertEqual(self.stock("count"), {("P-1", "good"): 1})

    def test_ways_to_end(self):
        order = self.order()
        with self.refused("InvalidState"):
            self.go("Approve", order)
        self.go("Submit", order)
        self.assertEqual(self.go("SendBack", order, note="重报"), "draft")
        self.go("Edit", order, lines="part=P-3 quantity=7")
        self.assertEqual(self.lines(order, "quantity"), [("P-3", 7)])
        self.assertEqual(self.go("Cancel", order, note="不要了"), "cancelled")
        order = self.approved()
        self.go("Ship", order, lines="part=P-2 quantity=1")
        self.go("Receive", order)
        with self.refused("RuleViolated", "close it short"):
            self.go("Cancel", order, note="不要了")
        self.assertEqual(self.go("CloseShort", order, note="停产"), "received")
        order = self.order()
        self.go("Submit", order)
        self.assertEqual(self.go("Approve", order, lines="part=P-1 cut_reason=x; part=P-2 cut_reason=x"),
                         "cancelled")

    def test_what_is_wrong_is_said(self):
        for fields, name, *words in (
                ({"lines": "part=P-1 quantity=1; part=P-1 quantity=2"}, "InvalidValue", "item 2"),
                ({"lines": "part=P-1"}, "MissingField", "item 1", "quantity"),
                ({"lines": "part=P-9 quantity=1"}, "InvalidValue", "P-9"),
                ({"lines": "part=P-1 quantity=1 credit=2"}, "InvalidValue", "credit"),
                ({"lines": "part=P-1 quantity=1 approved=1"}, "InvalidValue", "approved"),
                ({"source": "SH"}, "InvalidValue", "source"),
                ({"source": "supplier:S1"}, "InvalidValue", "source"),
                ({"type": "planned"}, "RuleViolated", "plan"),
                ({"dealer": "BJ"}, "InvalidValue", "dealer")):
            with self.subTest(**fields), self.refused(name, *words):
                self.order(**fields)
        order = self.approved(lines="part=P-1 quantity=101")
        with self.refused("RuleViolated", "headquarters:HQ has 100 of part P-1"):
            self.go("Ship", order)

    def test_headquarters_orders_from_a_supplier(self):
        order, _ = self.client.call("Orders", "Create", "a{sv}", variants(
            {"source": "supplier:S2", "lines": "part=P-3 quantity=50", "reference": "Q-1"}))
        self.assertEqual(self.get(order)["unit"], "HQ")
        for member in ("Submit", "Approve", "Ship", "Receive"):
            self.go(member, order)
        self.assertEqual(self.stock("HQ")["P-3", "good"], 150)
        again = self.client.call("Orders", "Create", "a{sv}", variants(
            {"source": "supplier:S2", "lines": "part=P-3 quantity=50", "reference": "Q-1"}))
        self.assertEqual(again, [order, False])

    def test_each_step_has_its_deadline(self):
        order = self.order()
        for member, clock, hours in (("Submit", "submit", 48), ("Approve", "approve", 24),
                                     ("Ship", "ship", 48), ("Receive", "deliver", 120)):
            self.client.advance(self.client.now() + hours * HOUR + 1)
            told = {row["clock"] for row in
                    self.client.list_all("Escalations", {"kind": "order", "case_id": order})
                    if row.get("level") == 1}
            self.assertIn(clock, told)
            self.go(member, order)
        self.assertEqual(self.service.check(), [])


class Credit(OrderTest):
    def test_an_accepted_core_is_drawn_once(self):
        self.repair("part=P-2 quantity=3")
        core = self.cores()[0]["id"]
        first, second = (self.order("part=P-2 quantity=5 credit=2") for _ in range(2))
        with self.refused("RuleViolated", "has 0 for accepted cores of part P-2, not 2"):
            self.go("Submit", first)
        for member in ("Ship", "Receive", "Accept"):
            self.client.call("Cores", member, "ta{sv}", core, {})
        self.go("Submit", first)
        with self.refused("RuleViolated", "has 1 for"):
            self.go("Submit", second)
        self.go("Edit", second, lines="part=P-2 quantity=5 credit=1")
        self.go("Submit", second)
        third = self.order("part=P-2 quantity=1 credit=1")
        with self.refused("RuleViolated", "has 0"):
            self.go("Submit", third)
        self.go("Cancel", first, note="不要了")  # gives back what it has drawn
        self.go("Submit", third)
        self.go("Approve", second, lines="part=P-2 approved=0 cut_reason=无货")
        self.assertEqual(self.get(second)["state"], "cancelled")
        self.assertEqual(self.service.check(), [])


if __name__ == "__main__":
    unittest.main()
