# SPDX-License-Identifier: Apache-2.0
"""A working day of the whole company as a script of tests/replay: five million tickets a year, 1.2
parts on each, 8,000 dealers; old parts come back, and dealers order new ones. Drawn from a seed."""

import pathlib
import random
import sys

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1] / "replay"))

from script import USEC, write_event  # noqa: E402

TICKETS = 5_000_000 // 365
ORDERS = 400  # of the dealers, in a day
SUBCENTRES, AREAS, DEALERS = 40, 25, 8  # of each sub-centre, of each area
FIRST_REGION = 21  # those before are of tests/bench/fill.c
PARTS = 200
HELD = 10  # parts that a dealer has in stock
STOCK = 100
MANY = 1_000_000
LINES = (0, 1, 2, 3)
LINE_WEIGHTS = (25, 40, 25, 10)  # 1.2 of them
ORDERED = 5
DAY, HOUR, MINUTE = 86400, 3600, 60
MONDAY = 1767571200  # 2026-01-05 08:00 in Shanghai
# Minutes until the next step.
STEPS = (("Dispatch", 5), ("Accept", 30, {"technician": "000"}), ("Visit", 60),
         ("Resolve", 30, {"result": "repaired", "by": "dealer"}),
         ("FollowUp", 60, {"outcome": "satisfied", "satisfaction": 5, "by": "clerk"}), ("Close", 5))
RETURN = (("Ship", 20), ("Receive", 40), ("Accept", 30))
ORDER = (("Submit", 10), ("Approve", 60), ("Ship", 90), ("Receive", 240))


def part(n):
    return f"D-{n % PARTS:03}"


def is_returnable(code):
    return int(code[-3:]) % 2 == 0


def parts_of(area):
    """What the dealers of an area have."""
    return [part(area * HELD + n) for n in range(HELD)]


def areas():
    """(sub-centre, region, dealers), each with a number of its own."""
    for centre in range(SUBCENTRES):
        for area in range(AREAS):
            region = f"{FIRST_REGION + centre}{area + 1:02}"
            yield f"C{centre:02}", region, [f"C{centre:02}-{area:02}{n}" for n in range(DEALERS)]


def company():
    """(interface, fields) of what must be there before the first day."""
    for n in range(5):
        yield "Suppliers", {"code": f"DS-{n}", "name": "000"}
    yield "Products", {"code": "D-AC", "name": "000", "line": "AC", "warranty_months": 60}
    for n in range(PARTS):
        yield "Parts", {"code": part(n), "name": "000", "line": "AC", "supplier": f"DS-{n % 5}",
                        "returnable": is_returnable(part(n)), "price": 1000}
        yield "Moves", {"part": part(n), "quantity": MANY, "from": f"supplier:DS-{n % 5}", "to": "HQ",
                        "reason": "received"}
    for centre in range(SUBCENTRES):
        yield "Units", {"code": f"C{centre:02}", "kind": "subcentre", "name": "000", "parent": "HQ",
                        "regions": str(FIRST_REGION + centre)}
    for number, (centre, region, dealers) in enumerate(areas()):
        for dealer in dealers:
            yield "Units", {"code": dealer, "kind": "dealer", "name": "000", "parent": centre,
                            "regions": region}
            for code in parts_of(number):
                yield "Moves", {"part": code, "quantity": STOCK, "from": "HQ", "to": dealer,
                                "reason": "transferred"}


class Day:
    def __init__(self, number):
        self.rng = random.Random(number)
        self.number, self.begin = number, MONDAY + number * DAY
        self.areas = list(areas())

    def draw_area(self):
        n = self.rng.randrange(len(self.areas))
        return n, *self.areas[n]

    def steps(self, interface, reference, at, steps):
        for method, minutes, *fields in steps:
            at += self.rng.randint(1, 2 * minutes * MINUTE)
            yield at, reference, f"{interface}.{method}", fields[0] if fields else {}

    def ticket(self, i):
        area, _, region, _ = self.draw_area()
        reference, at = f"W{self.number}-{i:06}", self.begin + self.rng.randrange(7 * HOUR)
        parts = self.rng.sample(parts_of(area), self.rng.choices(LINES, LINE_WEIGHTS)[0])
        yield at, reference, "Tickets.Create", {
            "reference": reference, "type": "repair", "region": f"{region}05", "product": "D-AC",
            "purchase_date": "2025-06-01", "phone": f"000-{self.number}{i:06}", "customer_name": "用户"}
        for event in self.steps("Tickets", reference, at, STEPS):
            if event[2] == "Tickets.Visit" and parts:
                event = (*event[:3], {"parts": "; ".join(f"part={code}" for code in parts)})
                if any(map(is_returnable, parts)):
                    yield from self.steps("Cores", reference, event[0], RETURN)
            yield event

    def order(self, i):
        area, _, _, dealers = self.draw_area()
        reference, at = f"WO{self.number}-{i:04}", self.begin + self.rng.randrange(3 * HOUR)
        yield at, reference, "Orders.Create", {
            "reference": reference, "dealer": self.rng.choice(dealers),
            "lines": "; ".join(f"part={code} quantity={ORDERED}" for code in parts_of(area))}
        yield from self.steps("Orders", reference, at, ORDER)

    def events(self):
        found = [event for i in range(TICKETS) for event in self.ticket(i)]
        found += [event for i in range(ORDERS) for event in self.order(i)]
        found.sort(key=lambda event: event[0])
        return found


def write_company(output):
    for interface, fields in company():
        write_event(output, (MONDAY - HOUR) * USEC, None, f"{interface}.Create", fields)


def write_day(output, number):
    """How many calls it has."""
    events = Day(number).events()
    for at, reference, method, fields in events:
        write_event(output, at * USEC, reference, method, fields)
    return len(events)
