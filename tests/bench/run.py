#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Figures: what a large store costs against a small one, how calls share commits, what a storm costs.

    run.py [SMALL LARGE]    1000 and 1000000 open tickets unless given; stores are kept in $BENCH_DIR
"""

import os
import statistics
import sys
import time

from figures import Site, base, end_of_filling

ROUNDS = 5
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
        for _ in range(ROUNDS):
            with Site(path, end_of_filling(n)) as site:
                figures.setdefault("start", {}).setdefault(n, []).append(site.start_seconds * 1000)
                for name, (p50, _p99) in site.reads(200).items():
                    figures.setdefault(name, {}).setdefault(n, []).append(p50)
    print(f"\n{'milliseconds (median, spread)':<34} {small:>24} {large:>24}   ratio")
    for name, by_size in figures.items():
        ratio = statistics.median(by_size[large]) / statistics.median(by_size[small])
        print(f"{name:<34} {spread(by_size[small]):>24} {spread(by_size[large]):>24} {ratio:7.2f}")


def throughput(n):
    rates, ratios, shares = [], [], []
    with Site(base(DIRECTORY, n), end_of_filling(n)) as site:
        echo = site.spawn(*[str(p) for p in (site_program("load"), "serve")])
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


def site_program(name):
    from figures import BUILD
    return BUILD / "tests" / name


def storm(n):
    with Site(base(DIRECTORY, n), end_of_filling(n)) as site:
        fired, seconds = site.advance((1767225600 + 10 * 86400) * 1000000)
    print(f"\n{fired} events in {seconds:.1f} s: {fired / seconds:.0f} events/s")


def main():
    small, large = (int(a) for a in sys.argv[1:3]) if len(sys.argv) > 2 else (1000, 1000000)
    scale(small, large)
    throughput(large)
    storm(min(large, 50000))


if __name__ == "__main__":
    main()
