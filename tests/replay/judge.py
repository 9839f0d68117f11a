#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Says what the daemon made of an event log, and holds it against the log.

    judge.py bpi2013|helpdesk LOG.csv EVENTS RESULT

EVENTS is what eventlog.py wrote, RESULT what the replay driver wrote. The counts of the last line are
the daemon's; those that the log itself tells are computed from it once more here, in another way."""

import collections
import csv
import json
import sys


def read_cases(path, case, columns):
    cases = collections.defaultdict(list)
    with open(path, encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            cases[row[case]].append(tuple(row[name] for name in columns))
    return cases


def goes(rows, before, after):
    """Whether a row that is `after` follows one that is `before`, at once."""
    return any(before(a) and after(b) for a, b in zip(rows, rows[1:]))


def count_bpi2013(path):
    cases = read_cases(path, "SR Number", ("Status", "Sub Status"))
    return {
        "cases": len(cases),
        "events": sum(map(len, cases.values())),
        "reopened": sum(goes(rows, lambda r: r[0] == "Completed", lambda r: r[0] != "Completed")
                        for rows in cases.values()),
        "went on after closing": sum(any(r[1] in ("Closed", "In Call") for r in rows[:-1])
                                     for rows in cases.values()),
        "open at the end": sum(not ends_closed(rows) for rows in cases.values()),
    }


def ends_closed(rows):
    """Of the rows behind its last work, one closes it."""
    while rows and rows[-1][0] == "Completed":
        if rows[-1][1] in ("Closed", "In Call", "Cancelled"):
            return True
        rows = rows[:-1]
    return False


def closed_by_another(rows):
    """Closed, and not by whoever had resolved it."""
    resolver = None
    for activity, person in rows:
        if activity == "Resolve ticket" and resolver is None:
            resolver = person
        elif activity in ("Take in charge ticket", "Wait"):
            resolver = None
        elif activity == "Closed" and person != resolver:
            return True
    return False


def count_helpdesk(path):
    cases = read_cases(path, "Case ID", ("Activity", "Resource"))
    return {
        "cases": len(cases),
        "events": sum(map(len, cases.values())),
        "reopened": sum(goes(rows, lambda r: r[0] in ("Resolve ticket", "Closed"),
                             lambda r: r[0] in ("Take in charge ticket", "Wait"))
                        for rows in cases.values()),
        "went on after closing": sum(any(r[0] == "Closed" for r in rows[:-1])
                                     for rows in cases.values()),
        "open at the end": sum(not closed_by_another(rows) for rows in cases.values()),
    }


COUNTS = {"bpi2013": count_bpi2013, "helpdesk": count_helpdesk}

Event = collections.namedtuple("Event", "reference line n methods before refused")


def read_events(path):
    with open(path, encoding="utf-8") as lines:
        for text in lines:
            reference, line, n, *rest = text.rstrip("\n").split("\t")
            yield Event(reference, int(line), int(n), *rest)


def read_result(path):
    tickets, refused = [], {}
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            kind, _, text = line.partition(" ")
            row = json.loads(text)
            if kind == "ticket":
                tickets.append(row)
            elif kind == "refused":
                refused[row["line"]] = row
    return tickets, refused


class Verdict:
    def __init__(self, events, tickets, refused):
        self.mistakes = []
        self.meanings = collections.Counter()
        self.refusals = collections.Counter()
        self.examples = {}
        self.applied = 0
        continued = set()
        for event in events:
            self.judge(event, [refused[line] for line in range(event.line, event.line + event.n)
                               if line in refused])
            if event.before == "closed":
                continued.add(event.reference)
        self.counts = {
            "cases": len(tickets),
            "events": self.applied + sum(self.refusals.values()),
            "reopened": sum(ticket.get("reopened", 0) > 0 for ticket in tickets),
            "went on after closing": len(continued),
            "open at the end": sum(ticket["open"] for ticket in tickets),
        }

    def judge(self, event, refused):
        self.meanings[event.methods] += 1
        names = [row["error"] for row in refused]
        if names != ([] if event.refused == "-" else [event.refused]):
            self.mistakes.append(f"{event.reference}: {event.methods} in line {event.line} of the "
                                 f"script: {refused[0]['text'] if refused else 'was applied'}")
        if not refused:
            self.applied += 1
            return
        self.refusals[names[0]] += 1
        self.examples[names[0]] = refused[0]["text"]

    def hold_against(self, expected):
        for what, value in expected.items():
            if self.counts[what] != value:
                self.mistakes.append(f"{what}: {self.counts[what]}, by the log {value}")

    def report(self, name):
        for methods, n in self.meanings.most_common():
            print(f"{n:7} {methods}")
        for error, n in self.refusals.items():
            print(f"refused {n}: {error}: {self.examples[error]}")
        for mistake in self.mistakes[:20]:
            print(f"differs: {mistake}")
        by_reason = ", ".join(f"{n} {error}" for error, n in self.refusals.items())
        counts = self.counts
        print(f"replay-{name}: {counts['cases']} cases, {counts['events']} events: "
              f"{self.applied} applied ({self.meanings['Comment']} as comments), "
              f"{sum(self.refusals.values())} refused{f' ({by_reason})' if by_reason else ''}; "
              f"{counts['reopened']} reopened, {counts['went on after closing']} went on after "
              f"closing, {counts['open at the end']} open at the end")


def main(name, log_path, events_path, result_path):
    verdict = Verdict(read_events(events_path), *read_result(result_path))
    verdict.hold_against(COUNTS[name](log_path))
    verdict.report(name)
    return 1 if verdict.mistakes else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
