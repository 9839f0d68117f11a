# SPDX-License-Identifier: Apache-2.0
"""Which escalations there must be: a reference of the clocks and ladders of docs/tickets.md, in working time of
the reference calendar of tests/test_calendar.py. It shares no code with the daemon."""

import bisect
import collections
import pathlib
import sys

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1]))

from test_calendar import DAY, Reference, USEC  # noqa: E402

AFTER = 1  # an event is due once its instant has passed: a microsecond
RUNS = {  # the states in which a clock runs, and those in which it pauses
    "response": ({"received", "dispatched"}, {"waiting_customer"}),
    "visit": ({"accepted"}, {"waiting_customer"}),
    "resolve": ({"received", "dispatched", "accepted", "visited"}, {"waiting_customer"}),
    "followup": ({"resolved", "followed_up"}, set()),
    "waiting": ({"waiting_customer"}, set()),
}
MOVES = {  # what may happen to a ticket, where, and the state after it
    "Dispatch": ({"received", "dispatched", "accepted", "visited"}, "dispatched"),
    "Accept": ({"dispatched"}, "accepted"),
    "Visit": ({"accepted", "visited"}, "visited"),
    "WaitCustomer": ({"received", "dispatched", "accepted", "visited"}, "waiting_customer"),
    "Resume": ({"waiting_customer"}, None),
    "Promise": ({"received", "dispatched", "accepted", "visited", "waiting_customer"}, None),
    "Comment": (set.union(*(states for pair in RUNS.values() for states in pair)), None),
    "Resolve": ({"received", "dispatched", "accepted", "visited"}, "resolved"),
    "FollowUp": ({"resolved"}, "followed_up"),
    "Close": ({"followed_up"}, "closed"),
    "Void": ({"received", "dispatched", "accepted", "visited", "waiting_customer"}, "voided"),
}

# A row of the daemon's list, without what has nothing to do with time.
Escalation = collections.namedtuple("Escalation", "case_id clock cycle level cause role due_at fired_at missed quiet")


class Ladder:
    def __init__(self, warn_percent, rungs, repeat):
        """rungs: pairs of a role and the seconds after the rung before."""
        self.warn_percent, self.rungs, self.repeat = warn_percent, rungs, repeat
        self.first_level = 0 if warn_percent else 1

    def seconds(self, level):
        """After the deadline."""
        return sum(after for _, after in self.rungs[:level]) + max(level - len(self.rungs), 0) * self.repeat

    def cause(self, level):
        return "warning" if level == 0 else "rung" if level <= len(self.rungs) else "repeat"

    def role(self, level):
        return "owner" if level == 0 else self.rungs[min(level, len(self.rungs)) - 1][0]


class Calendar(Reference):
    """Adds up working time a block of days at a time, since a clock may have been set by years."""

    BLOCK = 64 * DAY * USEC

    def __init__(self, zone, week, special):
        super().__init__(zone, week, special)
        self.blocks = {}

    def block(self, number):
        if number not in self.blocks:
            self.blocks[number] = super().elapsed(number * self.BLOCK, (number + 1) * self.BLOCK)
        return self.blocks[number]

    def elapsed(self, start, end):
        first, last = -(-start // self.BLOCK), end // self.BLOCK
        if last <= first:
            return super().elapsed(start, end)
        return (super().elapsed(start, first * self.BLOCK) + sum(map(self.block, range(first, last))) +
                super().elapsed(last * self.BLOCK, end))

    def add(self, start, usec):
        number = -(-start // self.BLOCK)
        before = super().elapsed(start, number * self.BLOCK)
        if usec <= before:
            return super().add(start, usec)
        usec -= before
        while self.block(number) < usec:
            usec -= self.block(number)
            number += 1
        return super().add(number * self.BLOCK, usec)


class Policy:
    """One calendar and one ladder for all clocks."""

    def __init__(self, zone, week, special, ladder, targets):
        self.zone, self.week, self.special = zone, week, special
        self.ladder, self.targets = ladder, targets
        self.calendar = Calendar(zone, week, special)


class Clock:
    def __init__(self, name, policy, cycle, started, fixed):
        self.name, self.policy = name, policy
        self.cycle, self.started, self.fixed = cycle, started, fixed
        self.pauses = []  # pairs; the end of the last is None while it lasts
        self.level = self.told = self.quiet = self.last = 0

    def target(self):
        return self.policy.targets[self.name] * USEC

    def paused(self):
        return bool(self.pauses) and self.pauses[-1][1] is None

    def instant_of(self, run):
        """When it has run for so long, or None: not before it goes on."""
        calendar, since = self.policy.calendar, self.started
        for pause, goes_on in self.pauses:
            part = calendar.elapsed(since, pause)
            if part >= run:
                break
            if goes_on is None:
                return None
            run, since = run - part, goes_on
        return calendar.add(since, run)

    def due(self, level):
        ladder, calendar = self.policy.ladder, self.policy.calendar
        if self.fixed:
            allowed = max(calendar.elapsed(self.started, self.fixed), 0) if level == 0 else 0
        else:
            allowed = self.target()
        offset = ladder.seconds(level) * USEC if level else -(allowed // 100 * (100 - ladder.warn_percent))
        return calendar.add(self.fixed, offset) if self.fixed else self.instant_of(self.target() + offset)

    def has_passed(self, level, now):
        due = self.due(level)
        return due is not None and due < now

    def first_to_come(self, level, end, now):
        """The first of these levels that has not passed, or the end. Levels come in order."""
        return level + bisect.bisect_left(range(level, end), True, key=lambda each: not self.has_passed(each, now))

    def next_due(self):
        return None if self.paused() else self.due(self.next_level())

    def next_level(self):
        return max(self.level, self.policy.ladder.first_level)

    def begin_again(self, fixed, now):
        """A new deadline, over the same times. A warning that would have come before it was agreed on does not."""
        self.cycle, self.fixed = self.cycle + 1, fixed
        self.level = self.told = self.quiet = self.last = 0
        if self.policy.ladder.first_level == 0 and self.has_passed(0, now):
            self.level = self.quiet = 1

    def count_by(self, policy, now):
        """What has happened does not happen again; when the last of it would now lie in the future, a new cycle
        begins, and what has passed of it is not told again."""
        self.policy = policy
        self.settle(now)

    def settle(self, now):
        """What was told while the clock was ahead has happened too."""
        now = max(now, self.last + 1)
        first = self.policy.ladder.first_level
        if self.level > first and not self.has_passed(self.level - 1, now):
            self.cycle, self.told = self.cycle + 1, max(self.told, self.level)
            self.level, self.quiet = first, 0
        level = max(self.first_to_come(self.level, self.told, now), self.level)
        self.quiet += level - self.level
        self.level = level


class Ticket:
    def __init__(self, number, policy, now):
        self.number, self.policy = number, policy
        self.state, self.came_from = "received", None
        self.changed_at = now
        self.clocks = {}  # those that go, by name
        self.cycles = collections.Counter()  # of those that have ended, too
        self.promised_at = None
        self.set_clocks()

    def set_clocks(self):
        now = self.changed_at
        for name, (runs, pauses) in RUNS.items():
            clock = self.clocks.get(name)
            fixed = self.promised_at if name == "resolve" else None
            if self.state not in runs and not (clock and self.state in pauses):
                if clock:
                    self.cycles[name] = self.clocks.pop(name).cycle
                continue
            if not clock:
                clock = Clock(name, self.policy, self.cycles[name] + 1, now, fixed)
            elif clock.fixed != fixed:
                clock.begin_again(fixed, now)
            was_paused = clock.paused()
            if self.state in pauses and not fixed:
                if not was_paused:
                    clock.pauses.append([now, None])
            elif was_paused:
                clock.pauses[-1][1] = max(now, clock.pauses[-1][0])
            if clock.paused() != was_paused and clock.last > now:
                clock.settle(now)
            self.clocks[name] = clock
        self.clocks = {name: self.clocks[name] for name in sorted(self.clocks, key=self.order)}
        self.plan()

    def order(self, name):
        """Of two that are due at once the clock that was there first."""
        self.seen = getattr(self, "seen", [])
        if name not in self.seen:
            self.seen.append(name)
        return self.seen.index(name)

    def plan(self):
        """(due, clock) of what comes next, or None."""
        dues = [(due, clock) for clock in self.clocks.values() if (due := clock.next_due()) is not None]
        self.next = min(dues, key=lambda each: each[0]) if dues else None

    def may(self, move):
        return self.state in MOVES[move][0]

    def move(self, move, now, **fields):
        """Its own time does not run backwards."""
        self.changed_at = max(now, self.changed_at)
        to = MOVES[move][1]
        if move == "WaitCustomer":
            self.came_from = self.state
        elif move == "Resume":
            to = self.came_from
        self.promised_at = fields.get("promised_at", self.promised_at)
        self.state = to or self.state
        self.set_clocks()

    def count_by(self, policy, now):
        self.policy = policy
        for clock in self.clocks.values():
            clock.count_by(policy, max(now, self.changed_at))
        self.plan()

    def escalate(self, now):
        due, clock = self.next
        ladder, level, missed = clock.policy.ladder, clock.next_level(), 0
        if ladder.cause(level) == "repeat":  # one stands for all that have passed
            most = 1
            while clock.has_passed(level + most, now):
                most *= 2
            missed = clock.first_to_come(level + 1, level + most, now) - level - 1
        raised = Escalation(self.number, clock.name, clock.cycle, level, ladder.cause(level), ladder.role(level),
                            due, now, missed, clock.quiet)
        clock.level, clock.quiet, clock.last = level + 1 + missed, 0, clock.due(level + missed)
        self.plan()
        return raised


class Oracle:
    def __init__(self, policy, now):
        self.policy, self.now = policy, now
        self.tickets = {}
        self.escalations = []

    def first(self):
        """The ticket with the earliest event, by number where there are several."""
        waiting = [ticket for ticket in self.tickets.values() if ticket.next]
        return min(waiting, key=lambda ticket: (ticket.next[0], ticket.number), default=None)

    def create(self, number):
        self.tickets[number] = Ticket(number, self.policy, self.now)

    def advance(self, until):
        """Time passes while the daemon runs: each event happens as soon as it is due."""
        while (ticket := self.first()) and ticket.next[0] < until:
            self.now = max(self.now, ticket.next[0] + AFTER)
            self.escalations.append(ticket.escalate(self.now))
        self.now = max(self.now, until)

    def catch_up(self, most=None):
        """What is due by now happens now, so many of it at most."""
        done = 0
        while done != most and (ticket := self.first()) and ticket.next[0] < self.now:
            self.escalations.append(ticket.escalate(self.now))
            done += 1

    def count_by(self, policy):
        """From now on by another policy."""
        self.policy = policy
        for ticket in self.tickets.values():
            ticket.count_by(policy, self.now)
