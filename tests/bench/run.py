#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Figures: the daemon against the physical limit and against its alternatives, side by side. See docs/performance.md.

    run.py [SECTION ...]        all of them unless given

In the environment: SIZE (tickets in the store), SMALL (those of a small one), STORM (tickets of a storm), ROUNDS,
BENCH_DIR (where bases and report-SIZE.json are kept)."""

import os
import pathlib
import sys

import sections
from report import Report


def setting(name, default):
    return int(os.environ.get(name) or default)


def main():
    directory = pathlib.Path(os.environ.get("BENCH_DIR") or "/var/tmp/aftersales-bench").resolve()
    directory.mkdir(parents=True, exist_ok=True)
    size = setting("SIZE", 1000000)
    settings = {"size": size, "small": setting("SMALL", min(size, 10000)), "storm": setting("STORM", min(size, 400000)),
                "rounds": setting("ROUNDS", 5)}
    names = sys.argv[1:] or list(sections.SECTIONS)
    unknown = [name for name in names if name not in sections.SECTIONS]
    if unknown:
        sys.exit(f"run.py: no section {unknown[0]}; there are {', '.join(sections.SECTIONS)}")
    report = Report(directory / f"report-{size}.json", settings)
    for name in names:
        report.section(name)
        sections.SECTIONS[name](sections.Bench(directory, report, **settings))
    print(f"\n{report.path}; `make figures` writes it to docs/figures.md")


if __name__ == "__main__":
    main()
