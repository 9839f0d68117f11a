# SPDX-License-Identifier: Apache-2.0
"""What every kind of case has in the reference: clocks with their deadlines, and the ladder."""

import collections

from script import USEC

ClockRule = collections.namedtuple("ClockRule", "runs pauses fixed runs_fixed", defaults=((), None, frozenset()))
Escalation = collections.namedtuple("Escalation", "clock cycle level cause role recipient due_at")


class Refused(Exception):
    """Its text is the name of the error."""


class Clock:
    def __init__(self, name, cycle, at):
        self.name = name
        self.cycle = cycle
        self.started = at
        self.stopped = None
        self.fixed = None
        self.target = 0
        self.level = self.told = self.last = 0
        self.quiet = 0  # of the levels, those that nobody was told of
        self.pauses = []  # [since, until, the state], until None while it lasts
        self.deadline = self.next = self.planned_by = None

    def paused(self):
        return bool(self.pauses) and self.pauses[-1][1] is None

    def running(self):
        return self.stopped is None and not self.paused()

    def is_late(self, at):
        ran_until = self.stopped or (self.pauses[-1][0] if self.paused() else at)
        return self.deadline is not None and self.deadline < ran_until

    def restart(self, fixed, target):
        """A new cycle over the same times."""
        self.cycle += 1
        self.fixed = fixed
        self.target = 0 if fixed else target.seconds[self.name]
        self.level = self.quiet = self.told = self.last = 0

    def is_other(self, target):
        """Whether it counts time otherwise than what it was planned by."""
        old = self.planned_by
        return (old.calendar is not target.calendar or old.ladder is not target.ladder or
                old.seconds[self.name] != target.seconds[self.name])

    def retarget(self, target, now):
        """What has happened does not happen again; what would now only come does, in a new cycle."""
        self.target = 0 if self.fixed else target.seconds[self.name]
        now = max(now, self.last + 1)
        first = target.ladder.first_level()
        if self.level > first and not self.has_happened(target, self.level - 1, now):
            self.cycle += 1
            self.told = max(self.told, self.level)
            self.level, self.quiet = first, 0
        self.skip(target, now, self.told)

    def skip(self, target, now, level):
        """What has been told of before is not again."""
        while self.level < level and self.has_happened(target, self.level, now):
            self.level += 1
            self.quiet += 1

    def next_level(self, target):
        return max(self.level, target.ladder.first_level())

    def has_happened(self, target, level, now):
        instant = self.event(target, level)
        return instant is not None and instant < now

    def instant_after(self, calendar, duration):
        """When it has run so long; None when it does not before its pause."""
        since = self.started
        for pause, resume, _state in self.pauses:
            ran = calendar.elapsed(since, pause)
            if ran >= duration:
                break
            if resume is None:
                return None
            duration -= ran
            since = resume
        return calendar.add(since, duration)

    def instant(self, target, offset):
        if self.fixed:
            return target.calendar.add(self.fixed, offset)
        return self.instant_after(target.calendar, self.target * USEC + offset)

    def event(self, target, level):
        """When an event happens: the warning, then the rungs and repetitions."""
        if level > 0:
            return self.instant(target, target.ladder.offset(level))
        if self.fixed:
            allowed = max(target.calendar.elapsed(self.started, self.fixed), 0)
        else:
            allowed = self.target * USEC
        return self.instant(target, -(allowed // 100 * (100 - target.ladder.warn_percent)))

    def plan(self, target):
        self.deadline = self.instant(target, 0)
        self.next = self.event(target, self.next_level(target)) if self.running() else None
        self.planned_by = target


class Case:
    RULES = {}  # its clocks, by name
    ENDED = frozenset()  # states

    def __init__(self, model):
        self.model = model
        self.fields = {}
        self.subcentre = self.dealer = self.owner = self.state = None
        self.clocks = {}
        self.escalations = []
        self.revision = self.lift = self.changed_at = 0
        self.overdue = False
        self.next = None
        self.known_at = 0  # until when whatever was due has happened, if later than a call says

    def is_open(self):
        return self.state not in self.ENDED

    def set_clock(self, name, at):
        rule, target, clock = self.RULES[name], self.target(), self.clocks.get(name)
        fixed = self.fields[rule.fixed] if rule.fixed else None
        alive = clock is not None and clock.stopped is None
        runs = rule.runs | rule.runs_fixed if fixed else rule.runs
        if self.state not in runs and not (alive and self.state in rule.pauses):
            if alive:
                self.stop(clock, at)
            return
        if not alive:
            clock = self.clocks[name] = Clock(name, clock.cycle if clock else 0, at)
            clock.restart(fixed, target)
        elif clock.fixed != fixed:
            self.judge(clock, at)
            clock.restart(fixed, target)
            if target.ladder.first_level() == 0 and clock.has_happened(target, 0, at):
                clock.level = clock.quiet = 1
        elif clock.is_other(target):
            self.judge(clock, at)
        was_paused = clock.paused()
        if self.state in rule.pauses and not fixed:
            if not was_paused:
                clock.pauses.append([at, None, self.state])
        elif was_paused:
            clock.pauses[-1][1] = at
        if clock.planned_by and (clock.is_other(target) or clock.paused() != was_paused):
            known = max(at, self.known_at)
            if clock.is_other(target) or max(known, clock.last) > at:
                clock.retarget(target, known)
        clock.plan(target)

    def stop(self, clock, at):
        """Its deadline stays what it was; one that is paused has none unless it had passed."""
        self.judge(clock, at)
        if clock.paused():
            clock.pauses[-1][1] = at
        clock.stopped, clock.next = at, None

    def judge(self, clock, at):
        self.overdue |= clock.is_late(at)

    def set_clocks(self, at):
        for name in self.RULES:
            self.set_clock(name, at)
        self.arm()

    def arm(self):
        self.next = min((c.next for c in self.clocks.values() if c.next is not None), default=None)

    def pass_time(self, now):
        """Everything that was due before now happens."""
        while self.next is not None and self.next < now:
            clock = next(c for c in self.clocks.values() if c.next == self.next)
            self.fire(clock)
            clock.plan(self.target())
            self.arm()

    def fire(self, clock):
        ladder, level = self.target().ladder, clock.next_level(self.target())
        if level == 0:
            cause, role = "warning", "owner"
        else:
            cause = "rung" if level <= len(ladder.recipients) else "repeat"
            role = ladder.recipients[min(level - 1 + self.lift, len(ladder.recipients) - 1)]
            self.overdue = True
        self.escalate(clock.name, clock.cycle, level, cause, role, clock.next)
        clock.level, clock.last = level + 1, clock.next

    def escalate(self, clock, cycle, level, cause, role, due_at):
        recipient = self.model.recipient(role, self)
        self.escalations.append(Escalation(clock, cycle, level, cause, role, recipient, due_at))

    def rung(self):
        rungs = len(self.target().ladder.recipients)
        return max((min(clock.level - 1, rungs) for clock in self.clocks.values()
                    if clock.stopped is None and clock.level > 0), default=0)
