#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Compares what the daemon made of an event script with what must have come of it.

    reference.py SCRIPT POLICY DAEMON [VERDICTS]
    reference.py --pick DAEMON

DAEMON is what the replay driver wrote. Every ticket is held against model.py, every core against
parts.py: its state, each clock with its deadline to the microsecond, each escalation with its
instant; and what is where. Whether a ticket is overdue comes
from VERDICTS where somebody else has said so ("REFERENCE ONTIME|OVERDUE|impossible", the last kind
must have been refused), else from the model too. --pick prints the id of an eventful ticket."""

import collections
import datetime
import json
import sys

import model
import policy
import script

DIFFERENCES_SHOWN = 20
PICKED_DAYS = 8
CLOCK_FIELDS = ("cycle", "started_at", "stopped_at", "target", "fixed_at", "deadline", "level",
                "next_at", "paused")


class Daemon:
    """What the daemon says: tickets by reference, cores by that of their ticket, escalations by
    case, what is where, refused calls by line."""

    def __init__(self, path):
        self.tickets, self.cores, self.refused = {}, {}, {}
        self.stock = {}
        references = {}
        self.escalations = collections.defaultdict(list)
        with open(path, encoding="utf-8") as lines:
            for line in lines:
                kind, _, text = line.partition(" ")
                row = json.loads(text)
                if kind == "ticket":
                    self.tickets[row["reference"]] = row
                    references[row["id"]] = row["reference"]
                elif kind == "core":
                    self.cores[references[row["ticket"]]] = row
                elif kind == "stock":
                    self.stock[row["place"], row["part"], row["condition"]] = row["quantity"]
                elif kind == "escalation":
                    self.escalations[row["kind"], row["case_id"]].append(row)
                else:
                    self.refused[row["line"]] = row


def given(mapping):
    """Without what is nothing: the bus leaves it out."""
    return {key: value for key, value in mapping.items() if value}


def clock_seen(clock):
    return given({name: clock.get(name) for name in CLOCK_FIELDS} |
                 {"pauses": len(clock.get("pauses", ()))})


def clock_expected(clock):
    return given({
        "cycle": clock.cycle,
        "started_at": clock.started,
        "stopped_at": clock.stopped,
        "target": clock.target,
        "fixed_at": clock.fixed,
        "deadline": clock.deadline,
        "level": clock.level,
        "next_at": clock.next,
        "paused": clock.paused(),
        "pauses": len(clock.pauses),
    })


def case_seen(row, escalations):
    names = ("state", "revision", "owner", "subcentre", "dealer", "armed_at", "rung", "lift",
             "open", "overdue")
    seen = {name: row.get(name) for name in names}
    for clock in row.get("clocks", ()):
        for name, value in clock_seen(clock).items():
            seen[f"{clock['clock']}.{name}"] = value
    for e in escalations:
        key = (f"escalation {e['clock']}.{e.get('cycle', 0)} level {e.get('level', 0)} "
               f"{e['cause']} {e['role']} {e['recipient']}")
        seen[key] = e["due_at"]
        if e.get("missed"):
            seen[f"{key} missed"] = e["missed"]
    return given(seen)


def case_expected(case):
    expected = {
        "state": case.state,
        "revision": case.revision,
        "owner": case.owner,
        "subcentre": case.subcentre,
        "dealer": case.dealer,
        "armed_at": case.next,
        "rung": case.rung(),
        "lift": case.lift,
        "open": case.is_open(),
        "overdue": case.overdue,
    }
    for clock in case.clocks.values():
        for name, value in clock_expected(clock).items():
            expected[f"{clock.name}.{name}"] = value
    for e in case.escalations:
        key = f"escalation {e.clock}.{e.cycle} level {e.level} {e.cause} {e.role} {e.recipient}"
        expected[key] = e.due_at
    return given(expected)


def shown(value):
    """Instants are long numbers."""
    if isinstance(value, int) and value > 10**14:
        moment = datetime.datetime.fromtimestamp(value / script.USEC, datetime.timezone.utc)
        return f"{moment:%Y-%m-%dT%H:%M:%S.%f}Z"
    return "nothing" if value is None else str(value)


class Comparison:
    def __init__(self, expected, daemon, verdicts):
        self.expected, self.daemon, self.verdicts = expected, daemon, verdicts
        self.differing = set()
        self.shown = 0
        self.compared = self.refused = self.by_source = self.by_daemon = 0

    def differ(self, reference, what, expected, seen):
        self.differing.add(reference)
        self.shown += 1
        if self.shown <= DIFFERENCES_SHOWN:
            print(f"differs: {reference}: {what}: expected {shown(expected)}, "
                  f"the daemon has {shown(seen)}")

    def compare_values(self, reference, expected, seen):
        for what in sorted(expected.keys() | seen.keys()):
            if expected.get(what) != seen.get(what):
                self.differ(reference, what, expected.get(what), seen.get(what))

    def compare_ticket(self, reference, ticket):
        row = self.daemon.tickets.get(reference)
        if row is None:
            self.differ(reference, "ticket", "one", None)
            return
        seen = case_seen(row, self.daemon.escalations["ticket", row["id"]])
        self.compare_values(reference, case_expected(ticket), seen)
        if self.verdicts.get(reference) == "impossible":
            return  # refused, and voided since
        overdue = ticket.overdue
        if reference in self.verdicts:
            overdue = self.verdicts[reference] == "OVERDUE"
            if overdue != seen.get("overdue", False):
                self.differ(reference, "overdue by the source", overdue, not overdue)
        self.compared += 1
        self.by_source += overdue
        self.by_daemon += seen.get("overdue", False)

    def compare_parts(self):
        cores = self.expected.parts.cores
        for reference in cores.keys() | self.daemon.cores.keys():
            core, row = cores.get(reference), self.daemon.cores.get(reference)
            if core is None or row is None:
                self.differ(reference, "core", core and "one", row and "one")
                continue
            self.compare_values(f"core of {reference}",
                                case_expected(core) | {"part": core.part},
                                case_seen(row, self.daemon.escalations["core", row["id"]]) |
                                {"part": row["part"]})
        self.compare_values("stock", given({" ".join(key): quantity for key, quantity
                                             in self.expected.parts.stock.items()}),
                            {" ".join(key): n for key, n in self.daemon.stock.items()})

    def compare_refusals(self, events):
        """The same calls are refused, for the same reason; which tickets that leaves out."""
        lines = self.expected.refused.keys() | self.daemon.refused.keys()
        for event in events:
            if event.line not in lines:
                continue
            seen = self.daemon.refused.get(event.line, {})
            expected = self.expected.refused.get(event.line)
            if seen.get("error") != expected:
                self.differ(event.reference, f"{event.method} in line {event.line}",
                            expected or "done", seen.get("text", "done"))
            if self.verdicts.get(event.reference) == "impossible":
                print(f"refused: ticket {event.reference}: {seen.get('text')}")
        left_out = set(self.expected.refused_tickets)
        left_out |= {r for r, verdict in self.verdicts.items() if verdict == "impossible"}
        self.refused = len(left_out)

    def run(self, events):
        for reference, ticket in self.expected.tickets.items():
            self.compare_ticket(reference, ticket)
        for reference in self.daemon.tickets.keys() - self.expected.tickets.keys():
            self.differ(reference, "ticket", None, "one")
        self.compare_parts()
        self.compare_refusals(events)

    def report(self):
        if self.shown > DIFFERENCES_SHOWN:
            print(f"... and {self.shown - DIFFERENCES_SHOWN} more differences")
        tickets, parts = self.expected.tickets, self.expected.parts
        cases = (*tickets.values(), *parts.cores.values())
        clocks = sum(len(case.clocks) for case in cases)
        escalations = sum(len(case.escalations) for case in cases)
        print(f"held against the reference: {len(tickets)} tickets, {len(parts.cores)} cores, "
              f"{clocks} clocks, {escalations} escalations, {len(given(parts.stock))} balances of "
              f"stock, {len(self.expected.refused)} refused calls")
        print(f"compared {self.compared}, refused {self.refused}, "
              f"overdue by the source {self.by_source}, by the daemon {self.by_daemon}, "
              f"differing {len(self.differing)}")


def read_verdicts(path):
    with open(path, encoding="utf-8") as lines:
        return dict(line.rstrip("\n").split("\t") for line in lines)


def compare(script_path, policy_path, daemon_path, verdicts_path=None):
    events = list(script.read_events(script_path))
    start = datetime.datetime.fromtimestamp(events[0].at / script.USEC, datetime.timezone.utc)
    expected = model.Model(policy.Policy(policy_path, start.year - 1))
    for event in events:
        expected.play(event)
    expected.finish()
    comparison = Comparison(expected, Daemon(daemon_path),
                            read_verdicts(verdicts_path) if verdicts_path else {})
    comparison.run(events)
    comparison.report()
    return 1 if comparison.differing else 0


def pick(daemon_path):
    """One that was late, waited and was reopened, and yet did not take long."""
    daemon = Daemon(daemon_path)

    def eventful(row):
        lasted = row.get("closed_at", sys.maxsize) - row["created_at"]
        waited = any(clock.get("pauses") for clock in row["clocks"])
        return (lasted < PICKED_DAYS * 86400 * script.USEC, row["overdue"],
                waited + ("reopened" in row), len(daemon.escalations["ticket", row["id"]]))

    print(max(daemon.tickets.values(), key=eventful)["id"])
    return 0


def main(arguments):
    if arguments[:1] == ["--pick"] and len(arguments) == 2:
        return pick(arguments[1])
    if 3 <= len(arguments) <= 4:
        return compare(*arguments)
    print(__doc__, file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
