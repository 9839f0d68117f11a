# SPDX-License-Identifier: Apache-2.0
"""Days of the real daemon on its manual clock, in which time does what it can: it passes, is set forward and back by
minutes to years, goes on while the machine sleeps, while the daemon is down or killed, in zones with summer time of
which another policy puts one in place of the other. After each day the escalations must be those of oracle.py.

    DAYS=n   that pass (default 100), without what a clock that was set has left out
    SEED=n   where the lives begin; a failure names the seed of its own"""

import collections
import datetime
import itertools
import os
import pathlib
import random
import sys
import time
import unittest

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1] / "bus"))

from harness import (EPOCH, POLICY, REGION, UNITS, BusError, Service, end_service, figure, variants,  # noqa: E402
                     wait_for)
from oracle import MOVES, RUNS, Escalation, Ladder, Oracle, Policy  # noqa: E402

DAYS = int(os.environ.get("DAYS", 100))
SEED = int(os.environ.get("SEED", 1))
LIFE = 25  # days of one

USEC = 1_000_000
MINUTE, HOUR, DAY = 60, 3600, 86400
YEAR = 366 * DAY
# What the daemon takes as a time, less what a ladder may reach beyond.
FIRST, LAST = 2 * DAY, 180 * YEAR
OPEN_MAX = 12
LATE_AFTER, SUSPECT_JUMP = 5 * MINUTE, 30 * DAY  # of tests/bus/policy.yaml
TAKEN_AT_ONCE, LEASE = 100, 60

# Where a life begins, and its first zone: some days before something that is not like the rest.
ERAS = (
    ("1970-01-03", "Europe/London"),  # which had summer time all the year
    ("1986-04-25", "Asia/Shanghai"),  # its first summer time
    ("1999-12-20", "America/New_York"),
    ("2000-02-20", "Australia/Lord_Howe"),  # half an hour
    ("2011-12-20", "Pacific/Apia"),  # a day is missing
    ("2024-02-20", "Asia/Kathmandu"),
    ("2026-02-10", "Africa/Casablanca"),  # back for Ramadan
    ("2026-03-01", "America/New_York"),
    ("2026-03-20", "Europe/Berlin"),
    ("2026-03-25", "Australia/Lord_Howe"),
    ("2026-10-15", "Europe/Berlin"),
    ("2026-10-25", "America/New_York"),
    ("2026-12-25", "Asia/Shanghai"),
    ("2038-01-08", "Africa/Casablanca"),  # the end of 32 bits
    ("2038-01-18", "Asia/Shanghai"),
    ("2052-02-20", "America/Havana"),  # repeats the hour after midnight
    ("2100-02-20", "Europe/Berlin"),  # no leap year
)
ZONES = ("UTC", "Asia/Shanghai", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Africa/Casablanca",
         "America/Sao_Paulo", "Pacific/Chatham")
ROLES = ("owner", "subcentre", "business", "president", "technical")
WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")

FIELDS = {
    "WaitCustomer": {"wait_reason": "不在"},
    "Comment": {"note": "注"},
    "Resolve": {"result": "answered", "by": "worker"},
    "FollowUp": {"outcome": "satisfied", "by": "clerk"},
    "Void": {"void_reason": "wrong_number"},
}


# ---- policies ----

def random_hours(draw):
    """Stretches of a day in seconds, some of them over the hours in which clocks change."""
    kind = draw.random()
    if kind < 0.4:
        return ((9 * HOUR, 17 * HOUR),)
    if kind < 0.5:
        return ((0, DAY),)
    edges = sorted(draw.sample(range(0, DAY + 1, 15 * MINUTE), 2 * draw.randint(1, 3)))
    return tuple(zip(edges[::2], edges[1::2]))


def random_ladder(draw):
    afters = [0, *(draw.choice((0, 15 * MINUTE, HOUR, 2 * HOUR, 5 * HOUR)) for _ in range(draw.randint(1, 3)))]
    rungs = [(draw.choice(ROLES), after) for after in afters]
    return Ladder(draw.choice((0, 50, 75, 90)), rungs, draw.choice((HOUR, 3 * HOUR, 8 * HOUR)))


def random_policy(draw, zone, now, ladder):
    """The ladder stays one for a life: a policy that has fewer rungs than somebody stands on is refused."""
    week = [random_hours(draw) if draw.random() < 0.8 else () for _ in WEEKDAYS]
    week[draw.randrange(7)] = ((9 * HOUR, 17 * HOUR),)
    today = now // (DAY * USEC)
    special = {max(today + draw.randint(-10, 40), 0): (random_hours(draw) if draw.random() < 0.5 else (), "节")
               for _ in range(6)}
    targets = {clock: draw.choice((30 * MINUTE, 2 * HOUR, 4 * HOUR, 9 * HOUR, 20 * HOUR)) for clock in RUNS}
    return Policy(zone, week, special, ladder, targets)


def hours_text(hours):
    def clock(seconds):
        return f"{seconds // HOUR:02}:{seconds % HOUR // MINUTE:02}"

    return ", ".join(f"{clock(begin)}-{clock(end)}" for begin, end in hours)


def date_text(day):
    return str((EPOCH + datetime.timedelta(days=day)).date())


def policy_text(policy):
    """What tests/bus/policy.yaml has about time is replaced, and all else stays."""
    text = POLICY.read_text("utf-8")
    lines = ["calendars:", "  place:", f"    zone: {policy.zone}", "    week:"]
    lines += [f"      {name}: [{hours_text(hours)}]" for name, hours in zip(WEEKDAYS, policy.week) if hours]
    lines += ["    days:"]
    lines += [f"      {date_text(day)}: {{hours: {f'[{hours_text(hours)}]' if hours else 'off'}, name: {name}}}"
              for day, (hours, name) in sorted(policy.special.items())]
    ladder = policy.ladder
    lines += ["ladders:", "  up:", f"    warn_at: {ladder.warn_percent}%", "    rungs:"]
    lines += [f"      - {{to: {role}, after: {after}s}}" for role, after in ladder.rungs]
    lines += [f"    repeat: {ladder.repeat}s", "targets:", "  ticket:", "    default:"]
    clocks = ", ".join(f"{clock}: {seconds}s" for clock, seconds in policy.targets.items())
    lines += [f"      {name}: {{calendar: place, ladder: up, {clocks}}}" for name in ("normal", "urgent", "special")]
    lines += [""]
    return text[:text.index("calendars:")] + "\n".join(lines) + text[text.index("tickets:"):]


# ---- a life ----

class Life:
    """The daemon and the oracle, who must agree."""

    def __init__(self, seed, oracle=Oracle):
        self.draw = random.Random(seed)
        date, zone = self.draw.choice(ERAS)
        self.zones = [zone, *self.draw.sample(ZONES, 2)]
        now = int(datetime.datetime.fromisoformat(date + "T00:00:00+00:00").timestamp()) + self.draw.randrange(DAY)
        self.ladder = random_ladder(self.draw)
        policy = random_policy(self.draw, zone, now * USEC, self.ladder)
        self.oracle = oracle(policy, now * USEC)
        self.service = Service(now * USEC, policy_text(policy))
        self.client = self.service.client()
        for unit in UNITS:
            self.client.call("Units", "Create", "a{sv}", variants(unit))
        self.passed = 0  # microseconds
        self.counts = collections.Counter()
        self.told, self.told_late = set(), 0  # by notifications

    def close(self):
        self.service.close()

    def days(self):
        return self.passed // (DAY * USEC)

    # -- waiting --

    def is_settled(self):
        """First by the policy in force, which may bring forward what is due."""
        versions = self.client.call("Policy", "List")
        return all("recomputed_at" in row for row in versions) and self.client.status()["lag"] == 0

    def settle(self):
        self.oracle.catch_up()
        wait_for(self.is_settled, "what is due to be worked off")

    # -- what time does --

    def length(self, longest):
        """Microseconds, seldom whole seconds."""
        return int(10 ** self.draw.uniform(0, 6)) + self.draw.randrange(longest * USEC)

    def within(self, instant):
        return min(max(instant, FIRST * USEC), LAST * USEC)

    def distance(self):
        """That a clock is set by: mostly up to three days, up to ten years."""
        scale = self.draw.choice((MINUTE, HOUR, 6 * HOUR, DAY, 3 * DAY, 40 * DAY, YEAR, 10 * YEAR))
        return self.length(self.draw.choice((scale, min(scale, 3 * DAY))))

    def set_clock(self, to):
        self.client.jump(to)
        self.oracle.now = to
        self.settle()

    def step_pass(self):
        until = self.within(self.oracle.now + self.length(self.draw.choice((MINUTE, HOUR, 8 * HOUR))))
        self.passed += max(until - self.oracle.now, 0)
        self.oracle.advance(max(until, self.oracle.now))
        self.client.advance(self.oracle.now)

    def step_sleep(self):
        """Time passes, and no timer runs."""
        self.counts["sleeps"] += 1
        to = self.within(self.oracle.now + self.length(self.draw.choice((HOUR, DAY))))
        self.passed += to - self.oracle.now
        self.set_clock(to)

    def step_forward(self):
        """Now and then to the very instant at which something is due, which has not passed then."""
        self.counts["jumps"] += 1
        ticket = self.oracle.first()
        to = ticket.next[0] if ticket and self.draw.random() < 0.2 else self.oracle.now + self.distance()
        self.set_clock(self.within(to))

    def step_back(self):
        self.counts["jumps"] += 1
        self.set_clock(self.within(self.oracle.now - self.distance()))

    def step_suspect(self):
        """The clock is set far, and nobody says that it is right."""
        self.counts["suspicions"] += 1
        sure = self.oracle.now
        far = SUSPECT_JUMP * USEC + self.length(YEAR)
        to = sure + far if self.draw.random() < 0.5 else sure - far
        if to != self.within(to):
            to = sure + far
        self.client.call("Clock", "SetSynchronised", "b", False)
        self.client.jump(to)
        assert self.client.status()["clock_suspect"]
        for _ in range(self.draw.randrange(3)):
            self.move()
        if self.draw.random() < 0.5:
            self.client.call("Manager", "AcceptClock")
            self.oracle.now = to
        else:
            self.oracle.now = sure + self.draw.randrange(SUSPECT_JUMP * USEC)
            self.client.jump(self.oracle.now)
        self.client.call("Clock", "SetSynchronised", "b", True)
        assert not self.client.status()["clock_suspect"]
        self.settle()

    def downtime(self):
        """When it starts again: whole seconds, since a command line has no more. A clock may be set meanwhile."""
        kind = self.draw.random()
        if kind < 0.2:
            return self.within(self.oracle.now - self.distance()) // USEC * USEC
        away = self.length(self.draw.choice((MINUTE, HOUR, DAY))) if kind < 0.9 else self.distance()
        to = self.within((self.oracle.now + away) // USEC * USEC + USEC)
        self.passed += to - self.oracle.now if kind < 0.9 else 0
        return to

    def start(self):
        self.oracle.now = self.downtime()
        if self.draw.random() < 0.2:
            policy = self.new_policy()
            self.service.start(self.oracle.now)
            self.oracle.count_by(policy)
        else:
            self.service.start(self.oracle.now)
        self.settle()

    def step_restart(self):
        self.counts["restarts"] += 1
        self.service.stop()
        self.start()

    def step_kill(self):
        self.counts["kills"] += 1
        self.service.kill()
        self.start()

    def step_kill_in_catching_up(self):
        """How far it has come only the daemon knows; the rest comes after the start, and none twice."""
        self.counts["kills"] += 1
        while True:
            to = self.within(self.oracle.now + self.distance())
            if to % USEC:  # told apart from the time of a start
                break
        known = len(self.rows())
        self.client.post(self.client.message("Clock", "Jump", "x", to))
        time.sleep(self.draw.random() * 0.01)
        self.service.kill()
        before = self.oracle.now
        self.oracle.now = to
        back = self.downtime()
        self.service.start(back)
        wait_for(self.is_settled, "what is due to be worked off")
        self.oracle.catch_up(sum(row["fired_at"] == to for row in self.rows()[known:]))
        self.oracle.now = back
        self.passed += max(to - before, 0) if to - before < DAY * USEC else 0
        self.settle()

    # -- what people do --

    def new_policy(self):
        self.counts["policies"] += 1
        policy = random_policy(self.draw, self.draw.choice(self.zones), self.oracle.now, self.ladder)
        self.service.configure(policy_text(policy))
        return policy

    def step_policy(self):
        policy = self.new_policy()
        self.client.call("Policy", "Reload")
        self.oracle.count_by(policy)
        self.settle()

    def step_create(self):
        if len([t for t in self.oracle.tickets.values() if t.clocks]) < OPEN_MAX:
            self.oracle.create(self.client.create(type="consultation", region=REGION))

    def step_move(self):
        self.move()
        self.settle()

    def move(self):
        going = [ticket for ticket in self.oracle.tickets.values() if ticket.clocks]
        if not going:
            return
        ticket = self.draw.choice(going)
        move = self.draw.choice([name for name in MOVES if ticket.may(name) and
                                 (name != "Void" or len(going) > OPEN_MAX // 2)])
        fields = FIELDS.get(move, {})
        if move == "Promise":
            since = max(self.oracle.now, ticket.changed_at)
            fields = {"promised_at": since + 1 + self.length(self.draw.choice((HOUR, 3 * DAY)))}
        self.client.move(move, ticket.number, **fields)
        ticket.move(move, self.oracle.now, **fields)

    STEPS = (("pass", 30), ("sleep", 5), ("forward", 4), ("back", 4), ("suspect", 1), ("restart", 1), ("kill", 2),
             ("kill_in_catching_up", 2), ("policy", 3), ("create", 10), ("move", 30))

    def live(self, days):
        steps, weights = zip(*self.STEPS)
        for day in range(1, days + 1):
            while self.days() < day:
                getattr(self, f"step_{self.draw.choices(steps, weights)[0]}")()
            self.compare()
        self.counts["escalations"] = len(self.oracle.escalations)

    # -- agreement --

    def rows(self):
        return sorted(self.client.list_all("Escalations"), key=lambda row: row["id"])

    def compare(self):
        """Tickets for themselves: a call about one brings up what is due on it before it is any other's turn."""
        rows = self.rows()
        found, expected = collections.defaultdict(list), collections.defaultdict(list)
        for row in rows:
            found[row["case_id"]].append(Escalation(*(row.get(name, 0) for name in Escalation._fields)))
            assert row["fired_at"] > row["due_at"], f"early: {row}"
        for raised in self.oracle.escalations:
            expected[raised.case_id].append(raised)
        for number in found.keys() | expected.keys():
            for one, other in itertools.zip_longest(found[number], expected[number]):
                assert one == other, f"T{number}:\nthe daemon {one}\nthe oracle {other}"
        late = {row["id"] for row in rows if row["fired_at"] - row["due_at"] > LATE_AFTER * USEC}
        wait_for(lambda: self.take() + self.told_late == len(late), "late ones in summaries")
        assert self.told == {row["id"] for row in rows} - late, "told by themselves: not those in time"

    def take(self):
        """Delivers notifications; those in time each for itself, the late ones in summaries."""
        while rows := self.client.call("Notifications", "Take", "uu", TAKEN_AT_ONCE, LEASE):
            for row in rows:
                if "escalation" in row:
                    assert row["escalation"] not in self.told, f"told twice: {row}"
                    self.told.add(row["escalation"])
                else:
                    self.told_late += row["count"]
            self.client.call("Notifications", "Acknowledge", "at", [row["id"] for row in rows])
        return 0


class Days(unittest.TestCase):
    def live(self, seed, days, oracle=Oracle):
        life = Life(seed, oracle)
        try:
            life.live(days)
            end_service(life.service)
        except (AssertionError, BusError) as error:
            raise AssertionError(f"differs after {life.days()} days, in life {seed}: {error}") from error
        finally:
            life.close()
        return life.counts

    def test_days(self):
        counts, first = collections.Counter(), SEED * 1000
        for seed in range(first, first + -(-DAYS // LIFE)):
            counts += self.live(seed, min(LIFE, DAYS - (seed - first) * LIFE))
        figure(f"{DAYS} days: " + ", ".join(f"{n} {name}" for name, n in sorted(counts.items())))

    def test_it_can_fail(self):
        """An oracle that is wrong about one thing is found out."""
        for oracle in (Early, Forgetful, Repeating, OfOnePolicy, Elsewhere, OneByOne):
            with self.subTest(oracle.__name__), self.assertRaisesRegex(AssertionError, "differs after"):
                self.live(SEED * 1000, LIFE, oracle)


# ---- oracles that are wrong ----

class Early(Oracle):
    def advance(self, until):
        n = len(self.escalations)
        super().advance(until)
        self.escalations[n:] = [raised._replace(fired_at=raised.due_at) for raised in self.escalations[n:]]


class Forgetful(Oracle):
    """Of what has been missed."""

    def catch_up(self, most=None):
        n = len(self.escalations)
        super().catch_up(most)
        del self.escalations[n + 1:]


class Repeating(Oracle):
    def catch_up(self, most=None):
        n = len(self.escalations)
        super().catch_up(most)
        self.escalations += self.escalations[n:]


class OfOnePolicy(Oracle):
    def count_by(self, policy):
        pass


class Elsewhere(Oracle):
    """Where it is another time of the day."""

    def __init__(self, policy, now):
        super().__init__(self.moved(policy), now)

    def count_by(self, policy):
        super().count_by(self.moved(policy))

    @staticmethod
    def moved(policy):
        zone = "UTC" if policy.zone != "UTC" else "Asia/Shanghai"
        return Policy(zone, policy.week, policy.special, policy.ladder, policy.targets)


class OneByOne(Oracle):
    """Does not count the repetitions that one stands for."""

    def catch_up(self, most=None):
        super().catch_up(most)
        self.escalations = [raised._replace(missed=0) for raised in self.escalations]


if __name__ == "__main__":
    unittest.main()
