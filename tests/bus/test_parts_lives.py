# SPDX-License-Identifier: Apache-2.0
"""Random lives of parts, lived by the daemon and by a model of docs/parts.md: use on tickets, cores
and orders. What one refuses the other does, for the same reason, and nothing is made or lost."""

import collections
import os
import random
import unittest

from harness import BusError, figure, variants
from test_cores import PartsTest

SEED = int(os.environ.get("SEED", 1))
STEPS = int(os.environ.get("STEPS", 4000))
PARTS = ("P-1", "P-2", "P-3")
RETURNABLE = "P-2"
UNITS = {"BJ-1": "BJ", "BJ-2": "BJ", "SH-1": "SH", "BJ": "BJ"}  # to their sub-centres
REGIONS = {"BJ": "110105", "SH": "310115"}
PRESENT = ("due", "rejected")
METHODS = ("Ship", "Receive", "Accept", "Reject", "Charge")
USUAL = {"due": ("Ship", "Ship", "Ship", "Charge"), "rejected": ("Ship",), "shipped": ("Receive", "Receive", "Reject"),
         "received": ("Accept", "Accept", "Reject")}
ORDER_METHODS = ("Submit", "Approve", "Ship", "Receive", "CloseShort", "Cancel")
ORDER_USUAL = {"draft": ("Submit",) * 6 + ("Cancel",), "submitted": ("Approve",) * 6 + ("Cancel",),
               "approved": ("Ship",) * 8 + ("CloseShort", "Cancel"),
               "partly_shipped": ("Ship", "Receive", "Receive"), "shipped": ("Receive",)}


class Refused(Exception):
    """Its text is the name of the error."""


def place_of(unit):
    kind = "headquarters" if unit == "HQ" else "subcentre" if unit in REGIONS else "dealer"
    return f"{kind}:{unit}"


def text_of(lines):
    return "; ".join(" ".join(f"{name}={value}" for name, value in line.items()) for line in lines)


class Core:
    def __init__(self, ticket, line, unit, part, quantity, state="due"):
        self.ticket, self.line, self.unit, self.part = ticket, line, unit, part
        self.quantity, self.state = quantity, state

    def receiver(self):
        return "HQ" if self.unit in REGIONS else UNITS[self.unit]

    def told(self):
        return self.ticket, self.line, self.part, self.quantity, self.state


class World:
    """What there is; every method is the one of the bus, and refuses before it changes anything."""

    def __init__(self):
        self.stock = collections.Counter()
        self.tickets = {}  # number -> (unit, whether under warranty, lines)
        self.cores = {}
        self.orders = {}
        self.next = collections.Counter()

    def number(self, kind):
        self.next[kind] += 1
        return self.next[kind]

    def check(self, moves):
        """Whether all of them can be made, one after the other."""
        stock = self.stock.copy()
        for part, quantity, source, target, condition in moves:
            if not source.startswith(("supplier", "customer", "count")) and \
                    stock[source, part, condition] < quantity:
                raise Refused("RuleViolated")
            stock[source, part, condition] -= quantity
            stock[target, part, condition] += quantity
        return stock

    # ---- on tickets ----

    def use(self, ticket, lines):
        unit, warranty, used = self.tickets[ticket]
        moves = []
        for line in lines:
            if line["part"] not in PARTS:
                # What comes before it in the list is looked at before it.
                self.check(moves)
                raise Refused("InvalidValue")
            moves.append((line["part"], line["quantity"], place_of(unit), "customer", "good"))
            if warranty and line["part"] == RETURNABLE:
                moves.append((line["part"], line["quantity"], "customer", place_of(unit), "bad"))
        self.stock = self.check(moves)
        for line in lines:
            core = line["quantity"] if warranty and line["part"] == RETURNABLE else 0
            used.append({**line, "core": core})
            if core:
                self.cores[self.number("core")] = Core(ticket, len(used), unit, line["part"], core)

    def find_due(self, ticket, line, quantity):
        for core in self.cores.values():
            if (core.ticket, core.line, core.state) == (ticket, line, "due") and \
                    core.quantity >= quantity:
                return core
        raise Refused("RuleViolated")

    def unuse(self, ticket, part, quantity):
        unit, _, used = self.tickets[ticket]
        moves, changes, left = [], [], quantity
        for number, line in reversed(list(enumerate(used, 1))):
            here = min(left, line["quantity"])
            if line["part"] != part or here == 0:
                continue
            left -= here
            dropped = min(here, line["core"])
            moves.append((part, here, "customer", place_of(unit), "good"))
            core = None
            if dropped:
                core = self.find_due(ticket, number, dropped)
                moves.append((part, dropped, place_of(unit), "customer", "bad"))
            changes.append((line, here, core, dropped))
        if left:
            raise Refused("RuleViolated")
        self.stock = self.check(moves)
        for line, here, core, dropped in changes:
            line["quantity"] -= here
            line["core"] -= dropped
            if core:
                self.go_ahead(core, dropped, "voided")

    # ---- cores ----

    def go_ahead(self, core, quantity, state):
        """All of it, or so many as a core of their own."""
        if quantity == core.quantity:
            core.state = state
            return
        core.quantity -= quantity
        self.cores[self.number("core")] = Core(core.ticket, core.line, core.unit, core.part,
                                               quantity, state)

    def core(self, number, method, quantity):
        core = self.cores[number]
        holder, there = place_of(core.unit), place_of(core.receiver())
        away = f"transit:{core.receiver()}"
        states, to, source, target = {
            "Ship": (PRESENT, "shipped", holder, away),
            "Receive": (("shipped",), "received", away, there),
            "Accept": (("received",), "accepted", None, None),
            "Reject": (("shipped", "received"), "rejected",
                       away if core.state == "shipped" else there, holder),
            "Charge": (PRESENT, "charged", holder, "count"),
        }[method]
        if core.state not in states:
            raise Refused("InvalidState")
        if not 1 <= quantity <= core.quantity:
            raise Refused("InvalidValue")
        if source:
            self.stock = self.check([(core.part, quantity, source, target, "bad")])
        self.go_ahead(core, quantity, to)

    def credit(self, dealer, part):
        accepted = sum(core.quantity for core in self.cores.values()
                       if (core.unit, core.part, core.state) == (dealer, part, "accepted"))
        return accepted - sum(line["credit"] for order in self.orders.values()
                              for line in order["lines"]
                              if order["unit"] == dealer and line["part"] == part and
                              order["state"] not in ("draft", "cancelled"))

    # ---- orders ----

    def create_order(self, dealer, lines):
        if any(line["credit"] > line["quantity"] for line in lines):
            raise Refused("InvalidValue")
        none = {"approved": 0, "shipped": 0, "received": 0, "missing": 0}
        self.orders[self.number("order")] = {"unit": dealer, "state": "draft",
                                             "lines": [line | none for line in lines]}

    @staticmethod
    def need(order, *states):
        if order["state"] not in states:
            raise Refused("InvalidState")

    def submit(self, order):
        self.need(order, "draft")
        for line in order["lines"]:
            if line["credit"] > max(self.credit(order["unit"], line["part"]), 0):
                raise Refused("RuleViolated")
        order["state"] = "submitted"

    def approve(self, order, cut):
        """Of the first line so many are approved."""
        self.need(order, "submitted")
        first = order["lines"][0]
        if cut > first["quantity"]:
            raise Refused("InvalidValue")
        for line in order["lines"]:
            line["approved"] = cut if line is first else line["quantity"]
            line["credit"] = min(line["credit"], line["approved"])
        any_left = any(line["approved"] for line in order["lines"])
        order["state"] = "approved" if any_left else "cancelled"

    def ship(self, order, index, quantity):
        self.need(order, "approved", "partly_shipped")
        line = order["lines"][index]
        if quantity > line["approved"] - line["shipped"] or quantity == 0:
            raise Refused("RuleViolated")
        self.stock = self.check([(line["part"], quantity, place_of("HQ"),
                                  f"transit:{order['unit']}", "good")])
        line["shipped"] += quantity
        self.settle(order)

    def receive(self, order, index, quantity, missing):
        self.need(order, "partly_shipped", "shipped")
        line = order["lines"][index]
        if quantity + missing > line["shipped"] - line["received"] or quantity + missing == 0:
            raise Refused("RuleViolated")
        away = f"transit:{order['unit']}"
        self.stock = self.check([(line["part"], quantity, away, place_of(order["unit"]), "good"),
                                 (line["part"], missing, away, "count", "good")])
        line["received"] += quantity
        line["shipped"] -= missing
        line["missing"] += missing
        self.settle(order)

    @staticmethod
    def settle(order):
        to_ship = any(line["approved"] > line["shipped"] for line in order["lines"])
        away = any(line["shipped"] > line["received"] for line in order["lines"])
        order["state"] = ("partly_shipped" if to_ship else "shipped") if away else \
            "approved" if to_ship else "received"

    def close_short(self, order):
        self.need(order, "approved")
        for line in order["lines"]:
            line["approved"] = line["shipped"]
            line["credit"] = min(line["credit"], line["approved"])
        any_came = any(line["received"] for line in order["lines"])
        order["state"] = "received" if any_came else "cancelled"

    def cancel(self, order):
        self.need(order, "draft", "submitted", "approved")
        if any(line["received"] for line in order["lines"]):
            raise Refused("RuleViolated")
        order["state"] = "cancelled"


class Lives(PartsTest):
    def setUp(self):
        super().setUp()
        self.rng, self.world = random.Random(SEED), World()
        self.counts = collections.Counter()
        for part in ("P-1", "P-2"):  # what PartsTest has given
            self.world.stock["supplier:S1", part, "good"] -= 20
            self.world.stock["dealer:BJ-1", part, "good"] += 20
        for part in PARTS:
            for unit in ("HQ", *UNITS):
                self.give(part, unit, 60)

    def give(self, part, unit, quantity):
        self.client.call("Moves", "Create", "a{sv}", variants(
            {"part": part, "quantity": quantity, "from": "supplier:S1", "to": unit,
             "reason": "received"}))
        self.world.stock["supplier:S1", part, "good"] -= quantity
        self.world.stock[place_of(unit), part, "good"] += quantity

    def both(self, what, call, step):
        """The daemon's answer; None when both refuse."""
        answer = error = expected = None
        try:
            answer = call()
        except BusError as e:
            error = e
        try:
            step()
        except Refused as e:
            expected = str(e)
        self.assertEqual(error and error.name, expected, f"seed {SEED}: {what}: {error or answer}")
        self.counts[what.split()[0], "refused" if error else "done"] += 1
        return answer

    def go(self, interface, method, number, step, **fields):
        return self.both(f"{interface}.{method} {number} {fields}",
                         lambda: self.client.call(interface, method, "ta{sv}", number,
                                                  variants(fields)), step)

    # ---- one step each ----

    def begin(self):
        unit, warranty = self.rng.choice(list(UNITS)), self.rng.random() < 0.8
        own = unit in REGIONS
        ticket = self.client.create(
            type="repair", region=REGIONS[UNITS[unit]], product="AC-1",
            purchase_date="2026-01-10" if warranty else "2020-01-10",
            **({"priority": "special"} if own else {"dealer": unit}))
        if not own:
            self.client.move("Dispatch", ticket)
        self.client.move("Accept", ticket)
        self.client.move("Visit", ticket)
        self.world.tickets[ticket] = unit, warranty, []

    def use(self):
        ticket = self.rng.choice(list(self.world.tickets))
        if len(self.world.tickets[ticket][2]) > 15:
            return
        parts = self.rng.sample((*PARTS, "P-9") if self.rng.random() < 0.1 else PARTS,
                                self.rng.randint(1, 3))
        lines = [{"part": part, "quantity": self.rng.randint(1, 6)} for part in parts]
        self.go("Tickets", "Visit", ticket, lambda: self.world.use(ticket, lines),
                parts=text_of(lines))

    def unuse(self):
        ticket, part = self.rng.choice(list(self.world.tickets)), self.rng.choice(PARTS)
        quantity = self.rng.randint(1, 4)
        self.go("Tickets", "Unuse", ticket, lambda: self.world.unuse(ticket, part, quantity),
                parts=f"part={part} quantity={quantity}", note="000")

    def core(self):
        if not self.world.cores:
            return
        open_ones = [number for number, core in self.world.cores.items() if core.state in USUAL]
        number = self.rng.choice(open_ones if open_ones and self.rng.random() < 0.9
                                 else list(self.world.cores))
        core = self.world.cores[number]
        method = self.rng.choice(USUAL[core.state] if core.state in USUAL and self.rng.random() < 0.8
                                 else METHODS)
        quantity = self.rng.randint(0, core.quantity + 1)
        more = {"Reject": {"reject_reason": "wrong_part"}, "Charge": {"charge": 100, "note": "000"}}
        self.go("Cores", method, number, lambda: self.world.core(number, method, quantity),
                quantity=quantity, **more.get(method, {}))

    def order(self):
        dealer = self.rng.choice(("BJ-1", "BJ-2", "SH-1"))
        lines = [{"part": part, "quantity": self.rng.randint(1, 9),
                  "credit": self.rng.choice((0, 0, 0, 1, 2))}
                 for part in self.rng.sample(PARTS, self.rng.randint(1, 3))]
        self.both("Orders.Create", lambda: self.client.call(
            "Orders", "Create", "a{sv}", variants({"dealer": dealer, "lines": text_of(lines)})),
            lambda: self.world.create_order(dealer, lines))

    def order_step(self):
        if not self.world.orders:
            return
        open_ones = [n for n, order in self.world.orders.items() if order["state"] in ORDER_USUAL]
        number = self.rng.choice(open_ones if open_ones and self.rng.random() < 0.9
                                 else list(self.world.orders))
        order = self.world.orders[number]
        usual = ORDER_USUAL.get(order["state"], ORDER_METHODS)
        method = self.rng.choice(usual if self.rng.random() < 0.8 else ORDER_METHODS)
        getattr(self, f"order_{method}")(number, order)

    def go_order(self, method, number, step, **fields):
        self.go("Orders", method, number, step, **fields)

    def order_Submit(self, number, order):
        self.go_order("Submit", number, lambda: self.world.submit(order))

    def order_Approve(self, number, order):
        part, n = order["lines"][0]["part"], self.rng.randint(0, 9)
        self.go_order("Approve", number, lambda: self.world.approve(order, n),
                      lines=f"part={part} approved={n} cut_reason=000")

    def order_Ship(self, number, order):
        index = self.rng.randrange(len(order["lines"]))
        part, n = order["lines"][index]["part"], self.rng.randint(0, 6)
        self.go_order("Ship", number, lambda: self.world.ship(order, index, n),
                      lines=f"part={part} quantity={n}")

    def order_Receive(self, number, order):
        index = self.rng.randrange(len(order["lines"]))
        part, n, lost = order["lines"][index]["part"], self.rng.randint(0, 4), self.rng.choice((0, 0, 1))
        self.go_order("Receive", number, lambda: self.world.receive(order, index, n, lost),
                      lines=f"part={part} quantity={n} missing={lost}")

    def order_CloseShort(self, number, order):
        self.go_order("CloseShort", number, lambda: self.world.close_short(order), note="000")

    def order_Cancel(self, number, order):
        self.go_order("Cancel", number, lambda: self.world.cancel(order), note="000")

    # ---- all of it ----

    def compare(self):
        world = self.world
        seen = {(row["place"], row["part"], row["condition"]): row["quantity"]
                for row in self.client.list_all("Stock", {})}
        self.assertEqual(seen, {key: n for key, n in world.stock.items() if n})
        cores = {row["id"]: (row["ticket"], row["line"], row["part"], row["quantity"], row["state"])
                 for row in self.cores()}
        self.assertEqual(cores, {number: core.told() for number, core in world.cores.items()})
        for number, order in world.orders.items():
            row = self.client.call("Orders", "Get", "t", number)
            self.assertEqual(row["state"], order["state"], f"order {number}")
            names = ("part", "quantity", "credit", "approved", "shipped", "received", "missing")
            self.assertEqual([[line.get(name, 0) for name in names] for line in row["lines"]],
                             [[line[name] for name in names] for line in order["lines"]])
        owed = collections.Counter()
        for core in world.cores.values():
            if core.state in (*PRESENT, "shipped", "received"):
                owed[UNITS[core.unit], "" if core.unit in REGIONS else core.unit, core.part] += \
                    core.quantity
        self.assertEqual({(row["subcentre"], row.get("dealer", ""), row["part"]): row["quantity"]
                          for row in self.client.list_all("Owed", {})}, owed)

    def test_never_differ(self):
        steps = ((self.begin, 1), (self.use, 4), (self.unuse, 1), (self.core, 6), (self.order, 1),
                 (self.order_step, 8))
        self.begin()
        for n in range(STEPS):
            self.rng.choices([step for step, _ in steps], [often for _, often in steps])[0]()
            if n % 200 == 0:
                self.compare()
                self.give(self.rng.choice(PARTS), self.rng.choice(("HQ", *UNITS)), 30)
        self.compare()
        self.assertEqual(self.service.check(), [])
        for method in ("Tickets.Visit", "Tickets.Unuse", "Cores.Accept", "Orders.Receive"):
            self.assertGreater(self.counts[method, "done"], STEPS // 200, method)
        refused = sum(n for (_, how), n in self.counts.items() if how == "refused")
        figure(f"{STEPS} steps of parts, {refused} refused as they must be, "
               f"{len(self.world.cores)} cores, {len(self.world.orders)} orders")


if __name__ == "__main__":
    unittest.main()
