# SPDX-License-Identifier: Apache-2.0
"""What suppliers of goods owe: with each shipment, and for what fails above the declared rate."""

import unittest

from harness import DAY, variants
from test_cores import PartsTest


class Contracts(PartsTest):
    def setUp(self):
        super().setUp()
        self.client.call("Contracts", "Create", "a{sv}", variants(
            {"code": "K-1", "supplier": "S2", "product": "AC-1", "parts": "P-1 P-2", "rate": 15000,
             "share": 2500}))

    def ship(self, quantity, **more):
        return self.client.call("Shipments", "Create", "a{sv}", variants(
            {"contract": "K-1", "quantity": quantity} | more))[0]

    def obligations(self, **filters):
        return self.client.list_all("Obligations", {"ended": True} | filters)

    def account(self):
        return {row["item"]: row for row in self.client.call("Accounts", "Show", "s", "K-1")}

    def go(self, member, obligation, **fields):
        return self.client.call("Obligations", member, "ta{sv}", obligation, variants(fields))["state"]

    def test_a_shipment_obliges(self):
        number = self.ship(101)
        told = sorted((row["type"], row["item"], row["quantity"], row["units"], row["rate"],
                       row["owner"], row["shipment"]) for row in self.obligations())
        # ceil(101 × 1.5 %) of each part, ceil(101 × 0.25 %) units
        self.assertEqual(told, [("parts", "P-1", 2, 101, 15000, "PARTS", number),
                                ("parts", "P-2", 2, 101, 15000, "PARTS", number),
                                ("units", "AC-1", 1, 101, 2500, "PARTS", number)])

    def test_delivering(self):
        self.ship(1000)
        part, units = (next(row["id"] for row in self.obligations() if row["item"] == item)
                       for item in ("P-1", "AC-1"))
        with self.refused("InvalidValue", "quantity: 16 of 1 to 15"):
            self.go("Deliver", part, quantity=16)
        self.assertEqual(self.go("Deliver", part, quantity=6), "owed")
        self.assertEqual(self.stock("HQ"), {("P-1", "good"): 6})
        self.assertEqual(self.go("Deliver", part), "fulfilled")
        self.assertEqual(self.stock("HQ"), {("P-1", "good"): 15})
        self.assertEqual(self.go("Deliver", units), "fulfilled")
        self.assertEqual(self.account()["P-1"]["delivered"], 15)

    def test_whoever_owes_is_watched(self):
        self.ship(10)
        self.client.advance(self.client.now() + 33 * DAY)
        told = {(row["item"], row["overdue"]) for row in self.obligations()}
        self.assertEqual(told, {("P-1", True), ("P-2", True), ("AC-1", True)})
        heard = {row["recipient"] for row in self.client.list_all("Escalations", {"kind": "obligation"})}
        self.assertEqual(heard, {"PARTS"})

    def test_what_fails_above_the_rate_is_claimed(self):
        self.ship(100)  # 2 of each
        self.repair("part=P-1 quantity=3")  # not returnable: the ticket verifies it
        self.repair("part=P-2 quantity=5")  # a core does
        self.repair("part=P-1 quantity=4", purchase_date="2020-01-01")  # out of warranty
        row = self.account()["P-1"]
        self.assertEqual((row["units"], row["declared"], row["failures"], row["excess"]), (100, 2, 3, 1))
        self.assertEqual(self.account()["P-2"].get("failures", 0), 0)
        core = self.cores()[0]["id"]
        for member in ("Ship", "Receive", "Accept"):
            self.client.call("Cores", member, "ta{sv}", core, {})
        self.assertEqual(self.account()["P-2"]["excess"], 3)
        self.assertEqual(self.client.call("Accounts", "Claim", "s", "K-1"), 2)
        claims = sorted((row["item"], row["quantity"], row["failures"])
                        for row in self.obligations() if row["type"] == "replenishment")
        self.assertEqual(claims, [("P-1", 1, 3), ("P-2", 3, 5)])
        self.assertEqual(self.client.call("Accounts", "Claim", "s", "K-1"), 0)
        self.ship(100)  # declares more, of which nothing is taken back
        self.assertEqual(self.account()["P-2"].get("excess", 0), 0)
        self.repair("part=P-1 quantity=4")
        self.assertEqual(self.account()["P-1"]["excess"], 2)  # 7 failures, 4 declared, 1 claimed

    def test_one_contract_after_the_other(self):
        """A failure is held against the one of its day."""
        self.ship(10)  # 1 of each is declared
        self.client.call("Contracts", "Update", "sa{sv}", "K-1", variants({"until": "2026-03-02"}))
        self.client.call("Contracts", "Create", "a{sv}", variants(
            {"code": "K-2", "supplier": "S1", "product": "AC-1", "parts": "P-1", "rate": 15000,
             "from": "2026-03-03"}))
        self.repair("part=P-1 quantity=3")
        self.client.advance(self.client.now() + 2 * DAY)
        self.repair("part=P-1 quantity=2")
        self.assertEqual(self.account()["P-1"]["failures"], 3)
        new = {row["item"]: row for row in self.client.call("Accounts", "Show", "s", "K-2")}
        self.assertEqual((new["P-1"]["failures"], new["P-1"]["excess"]), (2, 2))

    def test_what_is_wrong_is_said(self):
        good = {"code": "K-2", "supplier": "S1", "product": "WM-1", "parts": "P-2", "rate": 1}
        for change, name, *words in (
                ({"supplier": "S9"}, "InvalidValue", "supplier"),
                ({"product": "X"}, "InvalidValue", "product"),
                ({"parts": "P-2 P-9"}, "InvalidValue", "parts", "P-9"),
                ({"parts": "P-2  P-1 P-2"}, "InvalidValue", "P-2 is named twice"),
                ({"rate": 1000001}, "InvalidValue", "rate"),
                ({"from": "2026-02-01", "until": "2026-01-01"}, "InvalidValue", "until"),
                ({"product": "AC-1"}, "RuleViolated", "K-1")):
            with self.subTest(**change), self.refused(name, *words):
                self.client.call("Contracts", "Create", "a{sv}", variants(good | change))
        for fields in ({"contract": "K-9", "quantity": 1}, {"contract": "K-1", "quantity": 0}):
            with self.refused("InvalidValue"):
                self.client.call("Shipments", "Create", "a{sv}", variants(fields))


if __name__ == "__main__":
    unittest.main()
