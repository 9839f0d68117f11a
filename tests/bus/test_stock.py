# SPDX-License-Identifier: Apache-2.0
"""The stock ledger: what may be moved by hand, what is where then, and who sees it."""

import collections
import os
import random
import unittest

from files import as_csv, import_file
from harness import BusError, HOUR, ServiceTest, needs_root, variants

SUPPLIERS = ({"code": "S1", "name": "电机厂"}, {"code": "S2", "name": "压缩机厂"})
PARTS = (
    {"code": "P-1", "name": "遥控器", "line": "AC", "models": "AC-1", "origin": "own"},
    {"code": "P-2", "name": "电机", "line": "WM", "models": "WM-1 AC-1", "origin": "oem",
     "supplier": "S1", "returnable": True, "price": 12050},
    {"code": "P-3", "name": "皮带", "line": "WM", "pack": 10, "minimum": 20},
)
OWN = ("headquarters:HQ", "subcentre:BJ", "dealer:BJ-1", "dealer:BJ-2", "subcentre:SH", "dealer:SH-1")
OTHERS = ("supplier:S1", "supplier:S2", "count", "scrap", "customer", "transit:BJ-1")
BOUNDED = {*OWN, "scrap", "transit:BJ-1"}
# Between which places a move may be made by hand.
BY_HAND = {
    "received": lambda a, b: a.startswith("supplier") and b in OWN,
    "transferred": lambda a, b: a in OWN and b in OWN and a != b,
    "counted": lambda a, b: (a in OWN and b == "count") or (a == "count" and b in OWN),
    "scrapped": lambda a, b: a in OWN and b == "scrap",
    "sent_back": lambda a, b: a in OWN and b.startswith("supplier"),
    "graded": lambda a, b: a in OWN and a == b,
}


class StockTest(ServiceTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        for fields in SUPPLIERS:
            cls.client.call("Suppliers", "Create", "a{sv}", variants(fields))
        for fields in PARTS:
            cls.client.call("Parts", "Create", "a{sv}", variants(fields))

    def move(self, client=None, **fields):
        fields = {"from" if name == "from_" else name: value for name, value in fields.items()}
        return (client or self.client).call("Moves", "Create", "a{sv}", variants(fields))[0]

    def receive(self, part, quantity, to, **more):
        return self.move(part=part, quantity=quantity, from_="supplier:S1", to=to,
                         reason="received", **more)

    def stock(self, client=None, **filters):
        """{(place, part, condition): quantity}"""
        rows = (client or self.client).list_all("Stock", filters)
        return {(row["place"], row["part"], row["condition"]): row["quantity"] for row in rows}


class Rules(StockTest):
    def test_parts_name_what_there_is(self):
        for fields, words in (
                ({"models": "AC-1 NONE"}, ("models", "NONE")),
                ({"origin": "oem"}, ("supplier",)),
                ({"supplier": "S9"}, ("supplier", "S9"))):
            with self.subTest(**fields), self.refused(
                    "MissingField" if "origin" in fields else "InvalidValue", *words):
                self.client.call("Parts", "Create", "a{sv}", variants(
                    {"code": "P-9", "name": "x", "line": "AC"} | fields))
        part = self.client.call("Parts", "Get", "s", "P-1")
        self.assertEqual((part["pack"], part["minimum"]), (1, 1))

    def test_a_unit_may_be_named_by_its_code(self):
        number = self.move(part="P-1", quantity=2, from_="supplier:S2", to="BJ-2",
                           reason="received", note="到货")
        told = self.client.call("Moves", "Get", "t", number)
        self.assertEqual((told["from"], told["to"], told["condition"], told["becomes"], told["note"]),
                         ("supplier:S2", "dealer:BJ-2", "good", "good", "到货"))
        self.assertEqual(self.stock(place="BJ-2", part="P-1"), {("dealer:BJ-2", "P-1", "good"): 2})

    def test_what_is_wrong_is_said(self):
        self.receive("P-1", 5, "BJ")
        good = {"part": "P-1", "quantity": 1, "from_": "BJ", "to": "BJ-1", "reason": "transferred"}
        before = self.stock()
        for change, name, *words in (
                ({"part": "NONE"}, "InvalidValue", "part", "NONE"),
                ({"quantity": 0}, "InvalidValue", "quantity"),
                ({"quantity": 1000001}, "InvalidValue", "quantity"),
                ({"quantity": 6}, "RuleViolated", "subcentre:BJ has 5", "not 6"),
                ({"from_": "NONE"}, "InvalidValue", "from"),
                ({"from_": "BIZ"}, "InvalidValue", "from"),
                ({"to": "supplier:S9"}, "InvalidValue", "to", "S9"),
                ({"to": "dealer:BJ"}, "InvalidValue", "to"),
                ({"to": "x" * 48}, "InvalidValue", "to"),
                ({"to": "customer", "reason": "used"}, "RuleViolated", "by itself"),
                ({"to": "scrap"}, "RuleViolated", "from a unit to another"),
                ({"to": "count", "reason": "counted"}, "MissingField", "note"),
                ({"becomes": "bad"}, "RuleViolated", "reason"),
                ({"to": "BJ"}, "RuleViolated", "reason"),
                ({"condition": "bad"}, "RuleViolated", "has 0"),
                ({"serial": "X", "quantity": 2}, "InvalidValue", "quantity"),
                ({"cause_id": 3}, "UnknownField", "cause_id"),
                ({"at": self.client.now() + HOUR}, "InvalidValue", "at")):
            with self.subTest(**change), self.refused(name, *words):
                self.move(**good | change)
        self.assertEqual(self.stock(), before)

    def test_where_a_serial_number_is(self):
        self.receive("P-2", 1, "HQ", serial="M-77")
        self.receive("P-2", 3, "SH")
        with self.refused("RuleViolated", "M-77", "headquarters:HQ"):
            self.move(part="P-2", quantity=1, from_="SH", to="SH-1", reason="transferred", serial="M-77")
        self.move(part="P-2", quantity=1, from_="HQ", to="SH", reason="transferred", serial="M-77")
        self.move(part="P-2", quantity=1, from_="SH", to="SH", reason="graded", becomes="bad",
                  serial="M-77")
        with self.refused("RuleViolated", "M-77", "subcentre:SH (bad)"):
            self.move(part="P-2", quantity=1, from_="SH", to="SH-1", reason="transferred", serial="M-77")
        rows = self.client.list_all("Moves", {"part": "P-2", "serial": "M-77"})
        self.assertEqual([row["reason"] for row in rows], ["graded", "transferred", "received"])

    def test_the_same_reference_is_the_same_move(self):
        first = self.receive("P-3", 7, "SH-2", reference="R-1")
        answer = self.client.call("Moves", "Create", "a{sv}", variants(
            {"part": "P-3", "quantity": 7, "from": "supplier:S1", "to": "SH-2",
             "reason": "received", "reference": "R-1"}))
        self.assertEqual(answer, [first, False])
        self.assertEqual(self.stock(place="SH-2"), {("dealer:SH-2", "P-3", "good"): 7})

    def test_files(self):
        rows = [{"reference": f"F-{i}", "part": "P-3", "quantity": 10 + i, "from": "supplier:S2",
                 "to": "HQ", "reason": "received", "at": f"2026-02-0{i + 1}T08:00:00Z"}
                for i in range(3)]
        rows.append({"reference": "F-9", "part": "P-3", "quantity": 100, "from": "HQ", "to": "BJ",
                     "reason": "transferred", "at": ""})
        job, problems, _ = import_file(self.client, "move", as_csv(rows))
        self.assertEqual((job["created"], job["refused"]), (3, 1))
        self.assertIn("has 33 of part P-3", problems[0][4])
        job, _, _ = import_file(self.client, "move", as_csv(rows[:3]))
        self.assertEqual((job["created"], job["unchanged"]), (0, 3))
        told = [row for row in self.client.list_all("Moves", {"part": "P-3"})
                if row.get("reference", "").startswith("F-")]
        self.assertEqual([row["day"] for row in told], ["2026-02-01", "2026-02-02", "2026-02-03"])

    def test_changes_tell_of_moves(self):
        since = self.client.status()["sequence"]
        number = self.receive("P-1", 1, "HQ")
        rows, _ = self.client.call("Manager", "Changes", "tu", since, 100)
        self.assertEqual([(row["what"], row["id"]) for row in rows], [("move", number)])


class Ledger(StockTest):
    """Random moves, by the daemon and by a model: whatever is refused by one is by the other."""

    STEPS = int(os.environ.get("STEPS", 3000))

    def draw(self, rng):
        reason = rng.choice(list(BY_HAND))
        pairs = [(a, b) for a in OWN + OTHERS for b in OWN + OTHERS if BY_HAND[reason](a, b)]
        a, b = (rng.choice(pairs) if rng.random() < 0.9
                else (rng.choice(OWN + OTHERS), rng.choice(OWN + OTHERS)))
        fields = {"part": rng.choice(PARTS)["code"], "quantity": rng.randint(1, 30), "from": a,
                  "to": b, "reason": reason}
        if rng.random() < 0.3:
            fields["condition"] = rng.choice(("good", "bad"))
        if (reason == "graded") != (rng.random() < 0.05):
            fields["becomes"] = rng.choice(("good", "bad"))
        if (reason == "counted") != (rng.random() < 0.05):
            fields["note"] = "盘点"
        return fields

    @staticmethod
    def allowed(balances, fields):
        condition = fields.get("condition", "good")
        becomes = fields.get("becomes", condition)
        key = fields["from"], fields["part"], condition
        return (BY_HAND[fields["reason"]](fields["from"], fields["to"]) and
                (condition != becomes) == (fields["reason"] == "graded") and
                (fields["reason"] != "counted" or "note" in fields) and
                (fields["from"] not in BOUNDED or balances[key] >= fields["quantity"]))

    def test_never_differs(self):
        seed = int(os.environ.get("SEED", 1))
        rng, balances, refused = random.Random(seed), collections.Counter(), 0
        for step in range(self.STEPS):
            fields = self.draw(rng)
            allowed = self.allowed(balances, fields)
            try:
                self.client.call("Moves", "Create", "a{sv}", variants(fields))
                done = True
            except BusError as error:
                self.assertIn(error.name, ("RuleViolated", "MissingField", "InvalidValue"), error)
                done = False
            self.assertEqual(done, allowed, f"seed {seed}, step {step}: {fields}")
            refused += not done
            if done:
                condition = fields.get("condition", "good")
                balances[fields["from"], fields["part"], condition] -= fields["quantity"]
                balances[fields["to"], fields["part"], fields.get("becomes", condition)] += \
                    fields["quantity"]
        balances = {key: quantity for key, quantity in balances.items() if quantity}
        self.assertEqual(self.stock(), balances)
        for part in PARTS:
            self.assertEqual(self.stock(part=part["code"]),
                             {key: n for key, n in balances.items() if key[1] == part["code"]})
        for place in OWN:
            self.assertEqual(self.stock(place=place),
                             {key: n for key, n in balances.items() if key[0] == place})
        totals = collections.Counter()
        for (place, _, condition), quantity in balances.items():
            totals[place.split(":")[0], condition] += quantity
        told = {(row["place"], row["condition"]): row["quantity"]
                for row in self.client.call("Stock", "Totals")}
        self.assertEqual(told, {key: n for key, n in totals.items() if n})
        self.assertEqual(sum(told.values()), 0)
        print(f"figure: {self.STEPS} moves by hand, {refused} refused", flush=True)


@needs_root
class Scope(StockTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.clients = {"auditor": cls.service.client("news"), "BJ": cls.service.client("games"),
                       "SH": cls.service.client("man"), "BJ-1": cls.service.client("mail")}

    def test_who_sees_what(self):
        for place in OWN:
            self.receive("P-1", 10, place)
        self.receive("P-2", 1, "BJ-1")
        self.move(part="P-1", quantity=1, from_="BJ", to="SH", reason="transferred")
        sees = {"auditor": set(OWN) | {"supplier:S1"}, "BJ": {"subcentre:BJ", "dealer:BJ-1", "dealer:BJ-2"},
                "SH": {"subcentre:SH", "dealer:SH-1"}, "BJ-1": {"dealer:BJ-1"}}
        for name, client in self.clients.items():
            with self.subTest(client=name):
                self.assertEqual({place for place, _, _ in self.stock(client, part="P-1")},
                                 sees[name])
                moves = client.list_all("Moves", {"part": "P-1"})
                wanted = [row for row in self.client.list_all("Moves", {"part": "P-1"})
                          if {row["from"], row["to"]} & sees[name]]
                self.assertEqual(moves, wanted)
        self.assertEqual({place for place, _, _ in self.stock(self.clients["BJ-1"])}, {"dealer:BJ-1"})
        for name in ("BJ", "BJ-1"):
            with self.refused("OutOfScope"):
                self.stock(self.clients[name], place="SH")
            with self.refused("OutOfScope"):
                self.stock(self.clients[name], place="supplier:S1")
            with self.refused("OutOfScope"):
                self.clients[name].call("Stock", "Totals")
        hidden = next(row["id"] for row in self.client.list_all("Moves", {"part": "P-1"})
                      if row["to"] == "dealer:SH-1")
        with self.refused("OutOfScope"):
            self.clients["BJ"].call("Moves", "Get", "t", hidden)

    def test_who_moves_what(self):
        self.receive("P-2", 10, "BJ")
        self.move(self.clients["BJ"], part="P-2", quantity=1, from_="BJ", to="BJ-1", reason="transferred")
        for fields in ({"from_": "BJ", "to": "SH"}, {"from_": "SH-1", "to": "BJ"}):
            with self.refused("OutOfScope"):
                self.move(self.clients["BJ"], part="P-2", quantity=1, reason="transferred", **fields)
        self.receive("P-2", 1, "SH", reference="OURS")
        with self.refused("OutOfScope", "reference"):
            self.move(self.clients["BJ"], part="P-2", quantity=1, from_="BJ", to="BJ-1",
                      reason="transferred", reference="OURS")


if __name__ == "__main__":
    unittest.main()
