#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Figures: what a large store costs against a small one, how calls share commits, what a storm costs.

    run.py [SMALL LARGE]    1000 and 1000000 open tickets unless given; stores are kept in $BENCH_DIR
"""

import os
import statistics
import sys
import time

from figures import BUILD, FIRST_TIME, Site, base, end_of_filling

ROUNDS = 5
OVERDUE_AFTER = 91 * 60  # work begins at nine, and what has half an hour is late then: an eighth
STORM = 50000
STORM_AFTER = 9 * 3600  # every ticket has had its warning then, and most their deadline
DIRECTORY = os.environ.get("BENCH_DIR", "/tmp/aftersales-bench")


def spread(values, form="{:.2f}"):
    return f"{form.format(statistics.median(values))} [{form.format(min(values))}..{form.format(max(values))}]"


def scale(small, large):
    figures = {}
    for n in (small, large):
        began = time.monotonic()
        path = base(DIRECTORY, n)
        print(f"{n} open tickets: filled in {time.monotonic() - began:.1f} s "
              f"({sum(f.stat().st_size for f in path.iterdir()) / n:.0f} bytes each)")
        with Site(path, end_of_filling(n)) as site:
            for _ in range(ROUNDS):
                site.restart()
                figures.setdefault("start", {}).setdefault(n, []).append(site.start_seconds * 1000)
            # So far that there are overdue tickets and escalations to list.
            site.clock("Advance", (FIRST_TIME + OVERDUE_AFTER) * 1000000)
            for _ in range(ROUNDS):
                for name, (p50, p99) in site.reads(200).items():
                    figures.setdefault(name, {}).setdefault(n, []).append(p50)
                    figures.setdefault(name + " (p99)", {}).setdefault(n, []).append(p99)
    print(f"\n{'milliseconds (median, spread)':<34} {small:>24} {large:>24}   ratio")
    for name, by_size in figures.items():
        ratio = statistics.median(by_size[large]) / statistics.median(by_size[small])
        print(f"{name:<34} {spread(by_size[small]):>24} {spread(by_size[large]):>24} {ratio:7.2f}")


def throughput(n):
    rates, ratios, shares = [], [], []
    with Site(base(DIRECTORY, n), end_of_filling(n)) as site:
        echo = site.spawn(BUILD / "tests/load", "serve")
        time.sleep(0.3)
        for _ in range(ROUNDS):
            peer = site.load("echo", 10000, 64)
            before = site.status()
            ours = site.load("create", 10000, 64)
            after = site.status()
            rates.append(ours["rate"])
            ratios.append(ours["rate"] / peer["rate"])
            shares.append((after["changes"] - before["changes"]) / (after["commits"] - before["commits"]))
        single = site.load("create", 1000, 1)
        echo.terminate()
    print(f"\ndurable creates, 64 in flight, {n} tickets in the store: {spread(rates, '{:.0f}')} calls/s, "
          f"{spread(ratios)} of the same calls answered without storing, {spread(shares, '{:.1f}')} changes a commit")
    print(f"one at a time: p50 {single['p50_ms']:.2f} ms, p99 {single['p99_ms']:.2f} ms")


def storm(n):
    rates, gets, creates = [], [], []
    for _ in range(ROUNDS):
        with Site(base(DIRECTORY, n), end_of_filling(n)) as site:
            events, seconds, others = site.storm((FIRST_TIME + STORM_AFTER) * 1000000)
        rates.append(events / seconds)
        gets.append(others["get"])
        creates.append(others["create"])
    print(f"\n{n} tickets due at once, {events} events: {spread(rates, '{:.0f}')} events/s; meanwhile, of another caller")
    for name, figures in (("Get", gets), ("Create", creates)):
        print(f"  {name}: " + ", ".join(f"{k} {spread([x[k + '_ms'] for x in figures])} ms"
                                        for k in ("p50", "p99", "worst")))


def main():
    small, large = (int(a) for a in sys.argv[1:3]) if len(sys.argv) > 2 else (1000, 1000000)
    scale(small, large)
    throughput(large)
    storm(min(large, STORM))


if __name__ == "__main__":
    main()
