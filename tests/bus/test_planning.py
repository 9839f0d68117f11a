# SPDX-License-Identifier: Apache-2.0
"""Monthly plans of parts, against the same arithmetic written down a second time."""

import random
import unittest

from harness import at, REGION, variants
from test_orders import OrderTest

SEASON = {"WM": {4: 150, 12: 50}}


def months_before(month, n):
    """The n months before "2026-03", the last one first."""
    year, of_year = map(int, month.split("-"))
    found = []
    for _ in range(n):
        year, of_year = (year - 1, 12) if of_year == 1 else (year, of_year - 1)
        found.append(f"{year}-{of_year:02}")
    return found


def divide_up(a, b):
    return -(-a // b)


def methods(use, months):
    """{method: (next, mean error)} from the use of all months, the oldest first."""
    alpha = beta = 0.1
    size = interval = chance = 0.0
    since, known = 0, False
    errors, last = [0.0] * 4, None
    for i, demand in enumerate(use + [None]):
        window = use[max(0, i - months):i]
        average = sum(window) / len(window) if window else 0.0
        croston = size / interval if known else 0.0
        last = [average, croston, (1 - alpha / 2) * croston, chance * size]
        if demand is None:
            break
        if i > 0:
            errors = [error + abs(demand - one) for error, one in zip(errors, last)]
        since += 1
        if demand > 0 and not known:
            size, interval, chance, since, known = float(demand), float(since), 1 / since, 0, True
        elif known:
            chance += beta * ((demand > 0) - chance)
            if demand > 0:
                size += alpha * (demand - size)
                interval += alpha * (since - interval)
                since = 0
    if len(use) > 1:
        errors = [error / (len(use) - 1) for error in errors]
    return {name: (round(1000 * one), round(1000 * error))
            for name, one, error in zip(("average", "croston", "sba", "tsb"), last, errors)}


class PlanningTest(OrderTest):
    def use(self, part, quantity, month, day=10, dealer="BJ-1", region=REGION):
        when = {"at": at(f"{month}-{day:02} 10:00")}
        client = self.client
        ticket = client.create(type="repair", region=region, dealer=dealer, product="AC-1",
                               purchase_date="2020-01-10", **when)
        client.move("Dispatch", ticket, **when)
        client.move("Accept", ticket, **when)
        client.move("Visit", ticket, parts=f"part={part} quantity={quantity}", **when)

    def give(self, part, quantity, to):
        self.client.call("Moves", "Create", "a{sv}", variants(
            {"part": part, "quantity": quantity, "from": "supplier:S1", "to": to,
             "reason": "received"}))

    def run_plan(self, unit, month):
        orders = []
        while True:
            order, complete = self.client.call("Planning", "Run", "ss", unit, month)
            orders.append(order)
            if complete:
                return orders

    def explain(self, unit, month, part):
        return self.client.call("Planning", "Explain", "sss", unit, month, part)


class Plans(PlanningTest):
    def test_the_formula(self):
        self.give("P-2", 20, "BJ-1")
        self.give("P-3", 100, "BJ-1")
        for part, quantity, month in (("P-1", 7, "2026-01"), ("P-1", 4, "2026-02"),
                                      ("P-2", 30, "2026-02"), ("P-3", 9, "2025-12"),
                                      ("P-3", 2, "2026-01")):
            self.use(part, quantity, month)
        order, = self.run_plan("BJ-1", "2026-03")
        told = self.get(order)
        self.assertEqual((told["type"], told["state"], told["month"], told["sheet"], told["complete"],
                          told["unit"], told["source"], told["owner"]),
                         ("planned", "draft", "2026-03-01", 1, True, "BJ-1", "headquarters:HQ", "BJ-1"))
        self.assertEqual(told["submit_by"], at("2026-03-06 00:00"))
        # P-1: ceil(11 / 2) - 9. P-2: 15 - 10. P-3: ceil(2 / 2) - 89.
        self.assertEqual(self.lines(order, "quantity", "use", "stock"), [("P-2", 5, 30, 10)])

    def test_every_number(self):
        rng, months = random.Random(5), months_before("2026-03", 14)
        used = {}
        for part in ("P-1", "P-2", "P-3"):
            self.give(part, 2000, "BJ-1")
            for month in months:
                quantity = rng.choice((0, 0, 0, 1, 2, 5, 30))
                if quantity:
                    self.use(part, quantity, month)
                    used[part, month] = quantity
        self.move_away()
        for planned in ("2026-03", "2026-04"):
            for unit, n, factor in (("BJ-1", 2, 1), ("BJ", 2, 1), ("HQ", 3, 3)):
                for part, pack, minimum, line in (("P-1", 1, 1, "AC"), ("P-2", 1, 1, "WM"),
                                                  ("P-3", 10, 20, "WM")):
                    with self.subTest(unit=unit, month=planned, part=part):
                        row = self.explain(unit, planned, part)
                        use = sum(used.get((part, m), 0) for m in months_before(planned, n))
                        season = SEASON.get(line, {}).get(int(planned[-2:]), 100)
                        wanted = divide_up(factor * use * season, n * 100)
                        need = max(wanted - row.get("stock", 0), 0)
                        quantity = divide_up(max(need, minimum), pack) * pack if need else 0
                        self.assertEqual(
                            [row.get(name, 0) for name in ("use", "months", "factor", "season",
                                                           "wanted", "need", "quantity")],
                            [use, n, factor, season, wanted, need, quantity])
                        mine = [m for m in sorted(months_before(planned, 15)) if (part, m) in used]
                        series = [used.get((part, m), 0)
                                  for m in sorted(months_before(planned, 15)) if m >= mine[0]]
                        for name, (expected, error) in methods(series, n).items():
                            self.assertEqual((row.get(name, 0), row.get(f"{name}_error", 0)),
                                             (expected, error), name)

    def move_away(self):
        """So that something is needed."""
        for row in self.client.list_all("Stock", {"place": "BJ-1"}):
            self.client.call("Moves", "Create", "a{sv}", variants(
                {"part": row["part"], "quantity": row["quantity"] - 3, "from": "BJ-1", "to": "scrap",
                 "reason": "scrapped", "condition": row["condition"]}))

    def test_the_same_plan_again(self):
        for part in ("P-1", "P-2"):
            self.use(part, 20, "2026-02")
        first = self.run_plan("BJ-1", "2026-03")
        lines = self.lines(first[0], "quantity", "use", "stock")
        self.assertEqual(lines, [("P-1", 10, 20, 0), ("P-2", 10, 20, 0)])
        self.give("P-1", 50, "BJ-1")
        self.assertEqual(self.run_plan("BJ-1", "2026-03"), first)
        self.assertEqual(self.lines(first[0], "quantity", "use", "stock"), lines)

    def test_what_is_ordered_counts_as_there(self):
        self.use("P-1", 20, "2026-02")
        self.approved(lines="part=P-1 quantity=4")
        row = self.explain("BJ-1", "2026-03", "P-1")
        self.assertEqual((row["on_order"], row["need"]), (4, 6))
        self.approved(lines="part=P-1 quantity=3")
        order = self.client.list_all("Orders", {"unit": "BJ-1"})[0]["id"]
        self.go("Ship", order)
        row = self.explain("BJ-1", "2026-03", "P-1")
        self.assertEqual((row["on_order"], row["in_transit"], row["need"]), (3, 4, 3))

    def test_headquarters_a_sheet_for_each_supplier(self):
        for part, supplier in (("P-1", "S2"), ("P-3", "S2")):
            self.client.call("Parts", "Update", "sa{sv}", part, variants({"supplier": supplier}))
        self.give("P-3", 20, "BJ-1")
        for part in ("P-1", "P-2", "P-3"):
            self.use(part, 20, "2026-02")
            self.move(part, 95)
        orders = self.run_plan("HQ", "2026-03")
        told = [(self.get(order)["source"], self.lines(order, "quantity")) for order in orders]
        # 3 × 20 / 3 - 5, and P-3 in packs of 10, at least 20
        self.assertEqual(told, [("supplier:S1", [("P-2", 15)]),
                                ("supplier:S2", [("P-1", 15), ("P-3", 20)])])

    def move(self, part, quantity):
        self.client.call("Moves", "Create", "a{sv}", variants(
            {"part": part, "quantity": quantity, "from": "HQ", "to": "SH", "reason": "transferred"}))

    def test_discontinued(self):
        self.use("P-1", 20, "2026-02")
        self.client.call("Parts", "Update", "sa{sv}", "P-1", variants({"discontinued_on": "2026-03-02"}))
        self.assertEqual(self.explain("BJ-1", "2026-03", "P-1")["quantity"], 10)
        self.assertEqual(self.explain("BJ-1", "2026-04", "P-1").get("quantity", 0), 0)

    def test_by_itself_and_late(self):
        self.use("P-1", 20, "2026-03", day=1)
        self.client.advance(at("2026-04-01 00:01"))
        order, = (row for row in self.client.list_all("Orders", {"month": "2026-04-01"}))
        self.assertEqual((order["unit"], order["state"], order["type"]), ("BJ-1", "draft", "planned"))
        self.client.advance(at("2026-04-06 00:01"))
        late, = self.client.list_all("Assessments", {"dealer": "BJ-1", "item": "plan_late"})
        self.assertEqual((late["cause"], late["cause_id"]), ("order", order["id"]))
        self.assertEqual(self.go("Submit", order["id"]), "submitted")
        self.assertEqual(self.service.check(), [])


if __name__ == "__main__":
    unittest.main()
