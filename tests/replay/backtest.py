#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The same as backtest.c, written down a second time: planning month by month over the demand of many
parts, by the formula and by each method. Runs both and compares them to the unit.

    backtest.py PROGRAM FILE FIRST MONTHS FACTOR
"""

import csv
import math
import subprocess
import sys

ALPHA = BETA = 0.1


class Average:
    def __init__(self, months):
        self.months, self.seen = months, []

    def learn(self, demand):
        self.seen.append(demand)

    def wanted(self, factor):
        return -(-factor * sum(self.seen[-self.months:]) // self.months)


class Croston:
    debias = 1.0

    def __init__(self, _):
        self.size = self.interval = 0.0
        self.since = 0

    def learn(self, demand):
        self.since += 1
        if demand == 0:
            return
        if self.interval == 0:
            self.size, self.interval = float(demand), float(self.since)
        else:
            self.size += ALPHA * (demand - self.size)
            self.interval += ALPHA * (self.since - self.interval)
        self.since = 0

    def wanted(self, factor):
        return math.ceil(factor * (self.debias * (self.size / self.interval))) if self.interval else 0


class Sba(Croston):
    debias = 1 - ALPHA / 2


class Tsb:
    def __init__(self, _):
        self.size = self.chance = 0.0
        self.since = 0

    def learn(self, demand):
        self.since += 1
        if self.size == 0:
            if demand:
                self.size, self.chance = float(demand), 1 / self.since
            return
        self.chance += BETA * ((1.0 if demand else 0.0) - self.chance)
        if demand:
            self.size += ALPHA * (demand - self.size)

    def wanted(self, factor):
        return math.ceil(factor * (self.chance * self.size))


METHODS = {"average": Average, "croston": Croston, "sba": Sba, "tsb": Tsb}


def series(path, first):
    """The months of each part, up to the first empty cell behind one that is not."""
    with open(path, encoding="utf-8", newline="") as file:
        rows = csv.reader(file)
        next(rows)
        for row in rows:
            cells = row[first:]
            while cells and not cells[0]:
                cells.pop(0)
            yield [round(float(cell)) for cell in
                   cells[:cells.index("") if "" in cells else len(cells)]]


def live(method, demand, months, factor):
    stock, total = 0, [0] * 6
    for i, wanted in enumerate(demand):
        if i >= months:
            quantity = max(method.wanted(factor) - stock, 0)
            stock += quantity
            filled = min(stock, wanted)
            stock -= filled
            total = [a + b for a, b in zip(total, (wanted, filled, quantity > 0, quantity,
                                                   filled < wanted, stock))]
        method.learn(wanted)
    return total


def main(program, path, first, months, factor):
    first, months, factor = int(first), int(months), int(factor)
    parts = list(series(path, first))
    differing = 0
    told = subprocess.run([program, path, str(first), str(months), str(factor)], check=True,
                          capture_output=True, text=True).stdout.splitlines()
    for line, (name, kind) in zip(told, METHODS.items(), strict=True):
        totals = [sum(column) for column in
                  zip(*(live(kind(months), demand, months, factor) for demand in parts))]
        expected = [name, len(parts), *totals]
        if line.split() != [str(one) for one in expected]:
            differing += 1
            print(f"  {name}: {line}\n  here: {' '.join(map(str, expected))}")
        demand, filled, orders, _, emergencies, stock = totals
        print(f"figure: {name}: {100 * filled / demand:.1f} % of {demand} were there, stock "
              f"{stock} part-months, {orders} orders, {emergencies} emergencies")
    print(f"compared {len(METHODS)}, differing {differing}")
    return 1 if differing else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
