#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The report of a run: rows of figures as text, as JSON, and as the table in the documentation.

    report.py REPORT.json ...   writes those tables to standard output
"""

import json
import os
import pathlib
import platform
import statistics
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]


def number(value):
    for limit, form in ((100, "{:.0f}"), (10, "{:.1f}"), (0.1, "{:.2f}")):
        if abs(value) >= limit:
            return form.format(value)
    return f"{value:.3f}" if value else "0"


def spread(values, unit=""):
    """Median with the least and the greatest."""
    if not values:
        return ""
    text = number(statistics.median(values))
    if len(values) > 1:
        text += f" [{number(min(values))}..{number(max(values))}]"
    return f"{text} {unit}".rstrip()


def first_line(path, word):
    with open(path, encoding="utf-8") as file:
        return next((line.split(":", 1)[1].strip() for line in file if line.startswith(word)), "unknown")


def busy_elsewhere(seconds=2):
    """The share of all processors that others use while the benchmark waits."""
    def sample():
        with open("/proc/stat", encoding="ascii") as file:
            times = [int(x) for x in file.readline().split()[1:9]]
        return sum(times), times[3] + times[4]
    total, idle = sample()
    time.sleep(seconds)
    total_after, idle_after = sample()
    return 1 - (idle_after - idle) / max(1, total_after - total)


class Report:
    def __init__(self, path, settings):
        self.path = pathlib.Path(path)
        revision = subprocess.run(["git", "-C", ROOT, "describe", "--always", "--dirty"], check=False,
                                  capture_output=True, text=True).stdout.strip()
        self.data = {
            "date": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "revision": revision or "unknown",
            "machine": f"{os.cpu_count()} × {first_line('/proc/cpuinfo', 'model name')}, "
                       f"{int(first_line('/proc/meminfo', 'MemTotal').split()[0]) // 1048576} GiB, "
                       f"Linux {platform.release()}",
            "settings": settings,
            "busy_elsewhere": {},
            "rows": [],
            "left_out": [],
        }

    def section(self, name):
        share = busy_elsewhere()
        self.data["busy_elsewhere"][name] = round(share, 3)
        print(f"\n{name} (others use {share:.0%} of the processors)", flush=True)

    def add(self, row, what, ours, unit, goal="", peer=None, peer_name="", ratio=None):
        """One comparison: figures of each round, those of the peer in the same rounds, and their ratios."""
        if ratio is None and peer:
            ratio = [a / b for a, b in zip(ours, peer)]
        self.data["rows"].append({"row": row, "what": what, "unit": unit, "ours": ours, "peer_name": peer_name,
                                  "peer": peer or [], "ratio": ratio or [], "goal": goal})
        against = f"; {peer_name}: {spread(peer)}" if peer else ""
        print(f"  {row:>2}  {what}: {spread(ours, unit)}{against}"
              + (f"; ratio {spread(ratio)}" if ratio else "") + (f"; goal {goal}" if goal else ""), flush=True)
        self.write()

    def leave_out(self, row, why):
        self.data["left_out"].append({"row": row, "why": why})
        print(f"  {row:>2}  left out: {why}", flush=True)
        self.write()

    def write(self):
        new = self.path.with_suffix(".new")
        new.write_text(json.dumps(self.data, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
        os.replace(new, self.path)


def table(data):
    """Markdown, of a run with so many tickets."""
    settings = ", ".join(f"{k} {v}" for k, v in data["settings"].items())
    busy = max(data["busy_elsewhere"].values(), default=0)
    lines = [f"## {data['settings']['size']:,} tickets", "",
             f"{data['date']}, revision {data['revision']}, {data['machine']}. {settings}. "
             f"Others used at most {busy:.0%} of the processors before a section.", "",
             "| # | what | figure | against | ratio | goal |", "| --- | --- | --- | --- | --- | --- |"]
    for row in sorted(data["rows"], key=lambda row: row["row"]):
        against = f"{row['peer_name']}: {spread(row['peer'])}" if row["peer"] else ""
        lines.append(f"| {row['row']} | {row['what']} | {spread(row['ours'], row['unit'])} | {against} | "
                     f"{spread(row['ratio'])} | {row['goal']} |")
    if data["left_out"]:
        lines += ["", "Left out:", ""] + [f"- {x['row']}: {x['why']}" for x in data["left_out"]]
    return "\n".join(lines)


def main(paths):
    reports = [json.loads(pathlib.Path(path).read_text(encoding="utf-8")) for path in paths]
    print("# Figures\n\nWritten by `make figures` from the last run of `make bench` with each size; "
          "performance.md tells how to read them.")
    for data in sorted(reports, key=lambda data: data["settings"]["size"]):
        print("\n" + table(data))


if __name__ == "__main__":
    main(sys.argv[1:])
