#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Invents a month of the company in company.py, from a seed: an event script on standard output.

    generate.py [--tickets N] [--seed N]

Customers are numbers. Most people work well, some slowly, some forget; some calls are wrong and
must be refused. What must come of all that is not known here: reference.py says."""

import argparse
import collections
import heapq
import itertools
import random
import sys

import company
import life
from life import DAY, HOUR
from script import USEC, write_event

START = 1789401600  # 2026-09-15 00:00 in Shanghai
DAYS = 30
END = START + DAYS * DAY
TICKETS = 10_000
SEED = 2026
SERIALS = 3000
REFUSED_CREATES = 12
STOCK = 20  # of each part at each unit


class Fleet:
    """The dealers, and how many tickets each has at a time: the daemon gives a ticket to the one
    who serves the region and has the fewest."""

    def __init__(self, rng):
        habits = [life.QUICK] * 5 + [life.SLOW] * 4 + [life.NEGLIGENT] * 2
        self.dealers = company.dealers(iter(lambda: rng.choice(habits), None))
        self.open = collections.Counter()
        self.changes = []

    def hold(self, code, since, until=END):
        heapq.heappush(self.changes, (since, code, 1))
        heapq.heappush(self.changes, (until, code, -1))

    def choose(self, subcentre, region, at):
        while self.changes and self.changes[0][0] <= at:
            _, code, step = heapq.heappop(self.changes)
            self.open[code] += step
        for digits in range(len(region), 1, -1):
            found = [d for d in self.dealers
                     if d.subcentre == subcentre and region[:digits] in d.regions.split()]
            if found:
                return min(found, key=lambda d: (self.open[d.code], d.code))
        raise LookupError(f"nobody of {subcentre} serves {region}")

    def another(self, rng, dealer):
        return rng.choice([d for d in self.dealers
                           if d.subcentre == dealer.subcentre and d is not dealer])


class Month:
    def __init__(self, seed, tickets):
        self.rng = random.Random(seed)
        self.tickets = tickets
        self.fleet = Fleet(self.rng)
        self.serials = [(f"{product}{number:06}", product) for number, (product, *_) in
                        zip(range(1, SERIALS + 1), itertools.cycle(company.PRODUCTS))]
        self.repairs = collections.deque(maxlen=400)
        self.lives = []

    def date(self):
        return f"{self.rng.randint(2020, 2026)}-{self.rng.randint(1, 8):02}-" \
               f"{self.rng.randint(1, 28):02}"

    def repaired(self, ticket):
        if "serial" in ticket.created:
            self.repairs.append((ticket.at, ticket))

    def earlier_repair(self, at):
        found = [ticket for resolved, ticket in self.repairs if resolved < at]
        if not found:
            return None
        ticket = self.rng.choice(found)
        return ticket.created | {"subcentre": ticket.home}

    def any_earlier(self, at):
        found = [t.reference for t in self.lives[-50:] if t.created_at < at]
        return self.rng.choice(found) if found else None

    # ---- what the script begins with ----

    def masters(self):
        for code, kind, name in company.DEPARTMENTS:
            yield "Units", {"code": code, "kind": kind, "name": name}
        for code, name, regions in company.SUBCENTRES:
            yield "Units", {"code": code, "kind": "subcentre", "name": name, "parent": "HQ",
                            "regions": regions, "head_count": self.rng.randint(2, 9)}
        for dealer in self.fleet.dealers:
            yield "Units", {"code": dealer.code, "kind": "dealer", "name": dealer.name,
                            "parent": dealer.subcentre, "regions": dealer.regions,
                            "supply": self.rng.choice(("planned", "emergency")),
                            "head_count": self.rng.randint(1, 20)}
        # One that has given up: the best match for its region, but it must get nothing.
        yield "Units", {"code": "BJ-00", "kind": "dealer", "name": "已停业服务站", "parent": "BJ",
                        "regions": "110105", "active": False}
        for code, name, line, origin, months in company.PRODUCTS:
            yield "Products", {"code": code, "name": name, "line": line, "origin": origin,
                               "warranty_months": months}
        for faults in company.FAULTS.values():
            for code, symptom, cause, part in faults:
                yield "Faults", {"code": code, "symptom": symptom, "cause": cause, "part": part}
        for serial, product in self.serials:
            yield "Serials", {"code": serial, "product": product, "sold_on": self.date()}
        yield from self.stock()

    def stock(self):
        for code, name in company.SUPPLIERS:
            yield "Suppliers", {"code": code, "name": name}
        units = [code for code, *_ in company.SUBCENTRES] + [d.code for d in self.fleet.dealers]
        for code, name, line, supplier, returnable, price in company.PARTS:
            yield "Parts", {"code": code, "name": name, "line": line, "supplier": supplier,
                            "returnable": returnable, "price": price}
            for unit in ("HQ", *units):
                yield "Moves", {"part": code, "quantity": STOCK * (20 if unit == "HQ" else 1),
                                "from": f"supplier:{supplier}", "to": unit, "reason": "received",
                                "reference": f"{code}-{unit}"}

    # ---- tickets ----

    def arrivals(self):
        """Most in the day, few at night; more on the holiday, when people are at home."""
        for _ in range(self.tickets):
            day = self.rng.choices(range(DAYS), [130 if 16 <= d <= 22 else 100
                                                 for d in range(DAYS)])[0]
            by_day = self.rng.random() < 0.97
            hour = self.rng.triangular(7.5, 21, 10) if by_day else self.rng.uniform(0, 24)
            yield START + day * DAY + int(hour * HOUR)

    def wrong_creates(self):
        """They are refused, so these tickets never exist."""
        wrong = (
            {"type": "repair", "region": "999999"},
            {"type": "repair"},
            {"type": "repair", "region": "110105", "product": "XX-00"},
            {"type": "repair", "region": "110105", "promised_at": (START - DAY) * USEC},
        )
        for number, fields in zip(range(min(REFUSED_CREATES, self.tickets)),
                                  itertools.cycle(wrong)):
            reference = f"B{number:06}"
            at = START + self.rng.randrange(DAYS * DAY)
            yield at, reference, "Tickets.Create", {"reference": reference, "by": "novice"} | fields

    def events(self):
        events = list(self.wrong_creates())
        self.tickets -= len(events)
        for number, at in enumerate(sorted(self.arrivals()), 1):
            ticket = life.Life(self, number, at)
            events += ticket.live()
            self.lives.append(ticket)
        events.sort(key=lambda event: event[0])
        return (event for event in events if event[0] < END)


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--tickets", type=int, default=TICKETS)
    parser.add_argument("--seed", type=int, default=SEED)
    arguments = parser.parse_args()
    month = Month(arguments.seed, arguments.tickets)
    for interface, fields in month.masters():
        write_event(sys.stdout, START * USEC, None, f"{interface}.Create", fields)
    for at, reference, method, fields in month.events():
        write_event(sys.stdout, at * USEC, reference, method, fields)
    write_event(sys.stdout, END * USEC, None, None, {})


if __name__ == "__main__":
    main()
