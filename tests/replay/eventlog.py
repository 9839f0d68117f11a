# SPDX-License-Identifier: Apache-2.0
"""What the replays of other companies' event logs have in common: bpi2013.py and helpdesk.py say what
each line of theirs means, this makes an event script of it.

A line of a log is an event of a case, and becomes one or more calls about one ticket, all at the
time of the line: first what it takes to come to where the line says that the case is (it is resumed,
reopened, transferred, dispatched, whatever applies), then that itself. A line that changes nothing of
ours is recorded as a comment. Cases are interleaved by time, lines of one instant stay in the order of
the file.

Beside the script, a list of the events is written for judge.py, one a line, separated by tabs: the
case, the first line of the script and the number of lines, the transitions in words, the state before
it, and the error that the event must meet ("-": none)."""

import collections
import sys

from script import USEC, Codes, write_event

RECEIVED, DISPATCHED, ACCEPTED = "received", "dispatched", "accepted"
WAIT_PART, WAIT_CUSTOMER = "waiting_part", "waiting_customer"
RESOLVED, FOLLOWED_UP, CLOSED, VOIDED = "resolved", "followed_up", "closed", "voided"
WAITING = {"WaitPart": WAIT_PART, "WaitCustomer": WAIT_CUSTOMER}
DONE = {RESOLVED, FOLLOWED_UP, CLOSED}
ENDED = DONE | {VOIDED}

DEPARTMENTS = (
    ("HQ", "headquarters", "Headquarters"),
    ("BIZ", "business", "Service management"),
    ("PRES", "president", "Board"),
)

Event = collections.namedtuple("Event", "at reference calls before refused")
Unit = collections.namedtuple("Unit", "subcentre dealer")


class Desk:
    """One ticket as the events so far have brought it, with the calls of the event that is told."""

    def __init__(self, reference):
        self.reference = reference
        self.state = self.resumes = None
        self.subcentre = self.dealer = self.technician = self.resolver = None
        self.calls, self.refused = [], None

    def event(self, at, before):
        """What has been told since the last one."""
        event = Event(at, self.reference, self.calls, before, self.refused)
        self.calls, self.refused = [], None
        return event

    def call(self, method, to, **fields):
        self.calls.append((method, {name: value for name, value in fields.items() if value}))
        self.state = to

    def comment(self, by, note):
        self.call("Comment", self.state, note=note, by=by)

    def create(self, subcentre, **fields):
        self.subcentre = subcentre
        self.call("Create", RECEIVED, reference=self.reference, **fields)

    def wake(self, by):
        """Back to work, from waiting or from what was thought to be the end."""
        if self.state in WAITING.values():
            self.call("Resume", self.resumes, by=by)
        elif self.state in DONE:
            self.call("Reopen", DISPATCHED if self.dealer else RECEIVED, reopen_reason="other",
                      by=by)
            self.technician = self.resolver = None

    def dispatch(self, unit, by):
        if unit.subcentre != self.subcentre:
            self.call("Transfer", RECEIVED, subcentre=unit.subcentre, note="handed on", by=by)
        self.call("Dispatch", DISPATCHED, dealer=unit.dealer, by=by)
        self.subcentre, self.dealer = unit
        self.technician = None

    def bring(self, unit, by):
        """To that unit, whatever state it is in there."""
        self.wake(by)
        if self.dealer != unit.dealer:
            self.dispatch(unit, by)

    def queue(self, unit, by):
        """It waits for somebody of that unit to take it on."""
        self.bring(unit, by)
        if self.state != DISPATCHED:
            self.dispatch(unit, by)

    def take(self, unit, by, technician=None):
        """Somebody of that unit works on it; of whom we know who it is, that one."""
        self.bring(unit, by)
        if self.state == RECEIVED or (self.state == ACCEPTED and technician != self.technician):
            self.dispatch(unit, by)
        if self.state == DISPATCHED:
            self.call("Accept", ACCEPTED, technician=technician, by=by)
            self.technician = technician

    def wait(self, method, by, reason):
        self.resumes = self.state
        self.call(method, WAITING[method], wait_reason=reason, by=by)

    def resolve(self, by, result):
        self.call("Resolve", RESOLVED, result=result, by=by)
        self.resolver = by

    def follow_up(self, by):
        """The customer was asked, which whoever resolved it must not do."""
        if by == self.resolver:
            self.call("FollowUp", RESOLVED, outcome="satisfied", by=by)
            self.refused = "RuleViolated"
        else:
            self.call("FollowUp", FOLLOWED_UP, outcome="satisfied", by=by)

    def close(self, by):
        if self.state == RESOLVED:
            self.follow_up(by)
        if self.state == FOLLOWED_UP:
            self.call("Close", CLOSED, by=by)

    def void(self, by, note):
        self.call("Void", VOIDED, void_reason="other", note=note, by=by)


class Log:
    """The cases of a file, and the company that they take place in. A subclass says in read() what a
    line has, and in tell() what it means."""

    def __init__(self):
        self.subcentres = Codes("90{:02}")  # by region
        self.dealers = Codes("D{:03}")
        self.products = Codes("P{:03}")
        self.events = []

    def unit(self, *names):
        """Of the names, the first is the sub-centre's."""
        return Unit(f"S{self.subcentres.of(names[0])}", self.dealers.of(*names))

    def add_case(self, reference, rows):
        desk = Desk(reference)
        for row in rows:
            before = desk.state
            if before is None:
                self.create(desk, row)
            self.tell(desk, row)
            if not desk.calls:
                desk.comment(self.by(row), self.words(row))
            self.events.append(desk.event(self.instant(row), before))

    def masters(self):
        for code, kind, name in DEPARTMENTS:
            yield "Units", {"code": code, "kind": kind, "name": name}
        for (name,), region in self.subcentres.known.items():
            yield "Units", {"code": f"S{region}", "kind": "subcentre", "name": name,
                            "parent": "HQ", "regions": region}
        for names, code in self.dealers.known.items():
            yield "Units", {"code": code, "kind": "dealer", "name": names[-1],
                            "parent": f"S{self.subcentres.of(names[0])}"}
        for (name,), code in self.products.known.items():
            yield "Products", {"code": code, "name": name, "line": "software", "origin": "own"}

    def write(self, script_path, events_path):
        self.events.sort(key=lambda event: event.at)
        line = 0
        with open(script_path, "w", encoding="utf-8") as script, \
                open(events_path, "w", encoding="utf-8") as events:
            for line, (interface, fields) in enumerate(self.masters(), 1):
                write_event(script, self.events[0].at, None, f"{interface}.Create", fields)
            for event in self.events:
                for method, fields in event.calls:
                    write_event(script, event.at, event.reference, f"Tickets.{method}", fields)
                print(event.reference, line + 1, len(event.calls),
                      " ".join(method for method, _ in event.calls), event.before or "-",
                      event.refused or "-", sep="\t", file=events)
                line += len(event.calls)
            write_event(script, self.events[-1].at + USEC, None, None, {})

    def report(self):
        """How often which words of the log became which calls is for judge.py to tell."""
        days = (self.events[-1].at - self.events[0].at) // (86400 * USEC)
        print(f"{len({event.reference for event in self.events})} cases, {len(self.events)} events "
              f"in {days} days; {len(self.subcentres.known)} sub-centres, "
              f"{len(self.dealers.known)} dealers")


def run(log_class):
    if len(sys.argv) != 4:
        sys.exit(f"usage: {sys.argv[0]} LOG.csv SCRIPT EVENTS")
    log = log_class()
    log.read(sys.argv[1])
    log.write(sys.argv[2], sys.argv[3])
    log.report()
