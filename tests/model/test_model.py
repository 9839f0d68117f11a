# SPDX-License-Identifier: Apache-2.0
"""Random lives of the company, lived by the real daemon and by world.py, which must agree.

Several callers of different roles and scopes create and move tickets, rightly and wrongly, repeat
requests, come with stale revisions, take escalations on, deliver notifications and follow the changes;
time passes, the clock jumps and is not believed; the daemon ends, or is killed, and starts again; other
policies are loaded or refused. After every step the answer, the tickets concerned, their escalations and
the status are compared, every so often everything.

    EXAMPLES=n   lives (default 40)          SEED=n     of the generator (default 2026)
    STEPS=n      of each (default 100)       SHRINK=1   look for the shortest life that shows a fault
"""

import atexit
import collections
import os
import pathlib
import pwd
import shutil
import sys
import unittest

import hypothesis
from hypothesis import stateful, strategies as st

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1] / "bus"))

import harness  # noqa: E402
from harness import BusError, Service, am_root, figure, variants, wait_for  # noqa: E402
from world import (ACCEPTED, CLOSED, DISPATCHED, FOLLOWED_UP, PERMISSIONS, RECEIVED,  # noqa: E402
                   RESOLVED, USEC, VISITED, VOIDED, Caller, Policy, Refused, World, model)

EXAMPLES = int(os.environ.get("EXAMPLES", 40))
STEPS = int(os.environ.get("STEPS", 100))
SEED = int(os.environ.get("SEED", 2026))
SHRINK = "SHRINK" in os.environ
# The generator begins with some short lives; the others must make up for them.
ENOUGH, LEAST_STEPS = 4000, 2000

HOUR = 3600 * USEC
DAY = 24 * HOUR
START = harness.at("2026-03-02 09:00")
FIRST_YEAR = 2025

# A page of changes that has fewer rows, and fewer changes behind it, goes to the end.
ROWS_SURE, CHANGES_SURE = 100, 2000

# Everything is compared so often.
EVERY = 20

READERS = {"ticket.read", "escalation.read", "unit.read"}
CENTRE = READERS | {
    "ticket.create", "ticket.update", "ticket.dispatch", "ticket.promise", "ticket.followup",
    "ticket.void", "escalation.acknowledge", "personal.read", "act_for"}
SUBCENTRE = READERS | {
    "ticket.create", "ticket.update", "ticket.dispatch", "ticket.work", "ticket.promise",
    "ticket.decide", "ticket.void", "escalation.acknowledge", "personal.read"}
DEALER = READERS - {"unit.read"} | {
    "ticket.create", "ticket.work", "ticket.promise", "ticket.followup", "escalation.acknowledge",
    "personal.read"}
NOTIFIER = {"notification.take", "escalation.read"}

# As the policy of the bus tests has them: Unix user, groups, role, scope.
OTHERS = (
    ("daemon", (), CENTRE, "headquarters", None),
    ("games", (), SUBCENTRE, "subcentre", "BJ"),
    ("man", (), SUBCENTRE, "subcentre", "SH"),
    ("mail", (), DEALER, "dealer", "BJ-1"),
    ("irc", ("lp",), DEALER, "dealer", "SH-1"),
    ("news", (), READERS, "headquarters", None),
    ("www-data", (), NOTIFIER, "headquarters", None),
    ("nobody", (), set(), "dealer", ""),
)
PEOPLE = ("A", "B", "C")

# Where dealers of BJ, of SH, nobody but the sub-centre, and nobody at all are near.
REGIONS = ("110105", "110108", "310104", "320506", "120101", "440106")
TYPES = ("consultation", "installation", "repair", "complaint", "technical_question")
PRIORITIES = ("normal", "normal", "urgent", "special")
OUTCOMES = ("satisfied", "dissatisfied", "unreachable")
DEALERS = ("BJ-1", "BJ-2", "SH-1", "SH-2", "BJ", "none")

# What moves a ticket on: the generator prefers these, so that lives get somewhere.
USUAL = {
    RECEIVED: ("Dispatch", "Dispatch", "Accept", "WaitCustomer", "Resolve"),
    DISPATCHED: ("Accept", "Accept", "Decline", "Resolve", "Transfer", "WaitCustomer"),
    ACCEPTED: ("Visit", "Visit", "Appoint", "WaitPart", "WaitCustomer", "Dispatch", "Resolve"),
    VISITED: ("Resolve", "Resolve", "Visit", "WaitPart", "Appoint"),
    RESOLVED: ("FollowUp", "FollowUp", "FollowUp", "Decide", "Reopen"),
    FOLLOWED_UP: ("Close", "Close", "Reopen"),
    CLOSED: ("Reopen", "Comment"),
}
# And these do it for sure.
RIGHT = {
    RECEIVED: ("Dispatch",),
    DISPATCHED: ("Accept", "Accept", "Decline"),
    ACCEPTED: ("Visit", "Visit", "Visit", "Appoint", "WaitPart"),
    VISITED: ("Resolve", "Resolve", "Promise", "WaitCustomer"),
    RESOLVED: ("FollowUp",),
    FOLLOWED_UP: ("Close",),
    CLOSED: ("Comment", "Comment", "Reopen"),
    VOIDED: ("Comment",),
}
ALWAYS = ("Promise", "Update", "Comment", "Void", "OverrideWarranty", "Resume")
FLAWS = ("none",) * 10 + ("missing", "unknown", "stale", "early", "future", "past")


def pick(values, number):
    return values[number % len(values)]


def fields_of(method, n, now):
    """What a call gives; n chooses."""
    later = now + 1 + (n % 97) * HOUR // 2 + n % 1009
    note = {"note": pick(("why", "so\nit is"), n)}
    technician = {"technician": pick(PEOPLE, n)} if n % 3 == 0 else {}
    return {
        "Transfer": note | {"subcentre": pick(("BJ", "SH", "SH", "BJ-1"), n)},
        "Dispatch": {"dealer": pick(DEALERS, n // 2)} if n % 2 else {},
        "Decline": note,
        "Accept": technician | ({"appointment": later} if n % 4 == 1 else {}),
        "Appoint": technician | {"appointment": later},
        "Promise": {"promised_at": later},
        "Visit": technician | ({"parts_used": f"part {n}"} if n % 2 else {}),
        "WaitPart": {"wait_reason": f"part {n}"},
        "WaitCustomer": {"wait_reason": "away"},
        "Resume": {},
        "Resolve": technician | {"result": pick(("repaired", "answered", "other"), n)},
        "FollowUp": follow_up_fields(n),
        "Decide": note | ({"decision": "accept"} if n % 2 else
                          {"decision": "reopen"} | reason(n, n % 5 != 0)),
        "Close": {},
        "Reopen": reason(n, True),
        "Void": {"void_reason": pick(("wrong_number", "other", "duplicate"), n)} |
                ({"duplicate_of": n % 7} if n % 3 == 2 or n % 11 == 0 else {}) |
                (note if n % 5 else {}),
        "OverrideWarranty": note | {"warranty": pick(("in", "out", "unknown"), n)},
        "Update": {"description": f"text {n}"} if n % 3 else
                  {"type": pick(TYPES, n // 3), "priority": pick(PRIORITIES, n // 5)},
        "Comment": note,
    }[method]


def reason(n, wanted):
    return {"reopen_reason": pick(("late_visit", "poor_service", "other"), n)} if wanted else {}


def follow_up_fields(n):
    outcome = pick(OUTCOMES, n)
    return {"outcome": outcome} | reason(n, (outcome == "dissatisfied") != (n % 11 == 0)) | \
        ({"satisfaction": n % 5 + 1} if n % 4 == 0 else {})


def spoil(fields, flaw, n, now, revision):
    """A call that is wrong in one way, or comes late or with the revision seen."""
    names = sorted(fields)
    if flaw == "missing" and names:
        del fields[pick(names, n)]
    elif flaw == "unknown":
        fields["region"] = "11"
    elif flaw == "stale":
        fields["revision"] = max(revision - n % 2, 1)
    elif flaw == "early":
        fields["at"] = now - (n % 50) * HOUR // 4
    elif flaw == "future":
        fields["at"] = now + 1 + n
    elif flaw == "past":
        for name in model.FUTURE:
            if name in fields:
                fields[name] = now - n
    return fields


# What the policies differ in: nothing; targets; calendars and ladders, one of them shorter; nothing
# that moves a deadline.
POLICIES = (
    (),
    (("resolve: 16h", "resolve: 20h"), ("response: 2h", "response: 90m"),
     ("waiting: 24h", "waiting: 10h"), ("calendar: always", "calendar: office")),
    (("[09:00-17:00]", "[08:30-12:00, 13:00-18:00]"), ("warn_at: 0%", "warn_at: 60%"),
     ("2026-03-12: {hours: off", "2026-03-11: {hours: off"), ("warn_at: 75%", "warn_at: 0%"),
     ("      - {to: business,  after: 4h}\n", "")),
    (("late_after: 5m", "late_after: 3h"), ("followup_attempts: 3", "followup_attempts: 2")),
)


def policy_text(changes):
    text = harness.POLICY.read_text("utf-8").replace("level: debug", "level: info")
    text = text.replace("submit_day: 5", "submit_day: 0")  # tickets alone, no plans of parts
    text = text.replace("requests:", "journal:\n  keep: 3650d\n\nrequests:")
    for before, after in changes:
        assert before in text, before
        text = text.replace(before, after)
    return text


numbers = st.integers(0, 1023)


class Lives(stateful.RuleBasedStateMachine):
    service = None
    policies = None
    steps = examples = refused = restarts = reloads = 0
    seen_states = collections.Counter()

    @classmethod
    def prepare(cls):
        cls.texts = [policy_text(changes) for changes in POLICIES]
        cls.service = Service(START, cls.texts[0], started=False)
        atexit.register(cls.service.close)
        cls.policies = []
        for text in cls.texts:
            cls.service.configure(text)
            cls.policies.append(Policy(cls.service.config, FIRST_YEAR))
        # The last one counts time as the first.
        for name in ("calendars", "ladders", "targets"):
            setattr(cls.policies[-1], name, getattr(cls.policies[0], name))
        cls.callers = [Caller(os.geteuid())]
        cls.clients = [cls.service.client()]
        for user, groups, permissions, scope, unit in OTHERS if am_root() else ():
            cls.callers.append(Caller(pwd.getpwnam(user).pw_uid, permissions, scope, unit))
            cls.clients.append(cls.service.client(user, groups))

    def __init__(self):
        super().__init__()
        type(self).examples += 1
        service = self.service
        if service.daemon is not None:
            service.kill()
        shutil.rmtree(service.state, ignore_errors=True)
        service.configure(self.texts[0])
        service.start(START)
        self.root = self.clients[0]
        harness.found_company(self.root)
        wait_for(self.is_computed, "the first policy")
        sequence = self.root.status()["sequence"]
        self.world = World(self.policies[0], harness.UNITS, START, sequence)
        self.since = [sequence] * len(self.callers)  # how far each has followed
        self.sent = []  # calls with a request id
        self.names = 0  # of requests
        self.since_all = 0

    def is_computed(self):
        """Whether every open case has been computed by the policy in force."""
        return "recomputed_at" in self.root.call("Policy", "List")[0]

    # ---- saying the same to both ----

    def ask(self, who, call):
        """(value, None) or (None, name of the error), of the daemon."""
        try:
            return call(self.clients[who]), None
        except BusError as error:
            return None, error.name

    def both(self, who, real, ideal, what):
        seen, error = self.ask(who, real)
        try:
            expected, refusal = ideal(self.callers[who]), None
        except Refused as refused:
            expected, refusal = None, str(refused)
            type(self).refused += 1
        assert error == refusal, \
            f"{what} by {self.callers[who].name}: {error or seen}, expected {refusal or expected}"
        if refusal is None:
            self.same(seen, expected, what)
        return seen

    @staticmethod
    def same(seen, expected, what):
        if seen == expected:
            return
        if isinstance(seen, dict) and isinstance(expected, dict):
            for name in sorted(seen.keys() | expected.keys()):
                Lives.same(seen.get(name), expected.get(name), f"{what}: {name}")
        if isinstance(seen, list) and isinstance(expected, list) and len(seen) == len(expected):
            for i, (a, b) in enumerate(zip(seen, expected)):
                Lives.same(a, b, f"{what}[{i}]")
        raise AssertionError(f"{what}: {told(seen)}, expected {told(expected)}")

    def settle(self):
        """Both have done what is due."""
        self.world.work_off()
        wanted = self.world.sequence
        wait_for(lambda: self.root.status()["sequence"] >= wanted, f"change {wanted}", 10)

    def settle_by_another_policy(self):
        """What the daemon does by itself then, in an order of its own, which must make sense."""
        wait_for(self.is_computed, "the computing of open cases")
        wait_for(self.is_quiet, "quiet")
        since, world = self.world.sequence, self.world
        until = self.root.status()["sequence"]
        rows = collections.defaultdict(list)
        while since < until:
            page, since = self.root.call("Manager", "Changes", "tu", since, 1000)
            for row in page:
                rows[row["sequence"]].append(row)
        while world.sequence < until:
            world.follow(rows[world.sequence + 1])
        assert all(ticket.is_current() for ticket in world.open_tickets()), "one is left out"
        world.work_off()  # nothing, or the sequence is another one

    def is_quiet(self):
        """Several looks one after the other find nothing due and nothing done."""
        seen = [self.root.status() for _ in range(4)]
        return seen[0]["lag"] == 0 and seen[0]["sequence"] == seen[-1]["sequence"]

    def step(self, another_policy=False):
        """After each rule."""
        type(self).steps += 1
        if another_policy:
            self.settle_by_another_policy()
        else:
            self.settle()
        self.compare_status()
        for number in sorted(self.world.touched):
            ticket = self.world.tickets[number]
            self.same(self.root.get(number), ticket.record(), f"T{number}")
            self.compare_escalations({"case_id": number, "acknowledged": True})
        self.world.touched.clear()
        self.since_all += 1
        if self.since_all == EVERY:
            self.compare_all()

    def compare_status(self):
        seen, expected = self.root.status(), self.world.status()
        expected["states"] = {name: expected["states"].get(name, 0) for name in seen["states"]}
        self.same({name: seen[name] for name in expected}, expected, "status")

    def compare_escalations(self, filters, who=0, limit=1000):
        rows = self.clients[who].list_all("Escalations", filters, limit)
        expected = self.world.list_escalations(self.callers[who], filters)
        self.same([row["id"] for row in rows], [e["id"] for e in expected],
                  f"escalations {filters}")
        self.same(rows, [self.world.escalation_record(e) for e in expected],
                  f"escalations {filters}")

    def compare_list(self, who, filters, limit):
        caller = self.callers[who]
        rows, error = self.ask(who, lambda c: c.list_all("Tickets", filters, limit))
        try:
            expected = self.world.list(caller, filters)
        except Refused as refused:
            assert error == str(refused), f"list {filters} by {caller.name}: {error or 'rows'}"
            return
        assert error is None, f"list {filters} by {caller.name}: {error}"
        personal = caller.may("personal.read")
        self.same([row["id"] for row in rows], [ticket.number for ticket in expected],
                  f"list {filters} by {caller.name}")
        self.same(rows, [ticket.record(personal) for ticket in expected], f"list {filters}")

    def compare_all(self):
        self.since_all = 0
        self.compare_list(0, {"ended": True}, 1000)
        self.compare_list(0, {}, 50)
        self.compare_escalations({"acknowledged": True})
        for number, ticket in self.world.tickets.items():
            if number % 5 == self.steps % 5:
                seen = [{name: event[name] for name in
                         ("revision", "at", "actor", "verb", "from", "to", "note") if name in event}
                        for event in self.root.history(number)]
                self.same(seen, ticket.history, f"history of T{number}")

    def follow(self, who, limit):
        """A page of changes: nothing is left out, nothing comes twice."""
        since, world = self.since[who], self.world
        rows, after = self.clients[who].call("Manager", "Changes", "tu", since, limit)
        expected = world.feed.told(self.callers[who], since, after)
        self.same(in_order(rows), in_order(expected), f"changes {since} to {after}")
        assert len({row["sequence"] for row in rows}) <= limit
        if after == since or (len(rows) < limit and len(rows) <= ROWS_SURE
                              and after - since < CHANGES_SURE):
            assert after == world.sequence, f"changes end at {after}, not at {world.sequence}"
        self.since[who] = after
        return after > since

    def compare_at_the_end(self):
        self.compare_all()
        for who, caller in enumerate(self.callers):
            while caller.may_follow() and self.follow(who, 1000):
                pass
        self.same(self.service.check(), [], "faults in the store")
        self.seen_states.update(ticket.state for ticket in self.world.tickets.values())

    def say(self, error):
        print(f"differs after {self.steps} steps, in life {self.examples}: {error}", flush=True)

    def teardown(self):
        error = sys.exc_info()[1]
        if isinstance(error, (AssertionError, BusError)):
            self.say(error)
        elif error is None:
            try:
                self.compare_at_the_end()
            except (AssertionError, BusError) as fault:
                self.say(fault)
                raise

    # ---- tickets ----

    def call(self, who, member, signature, arguments, fields, ideal, what):
        """A call with fields, remembered when it can be repeated."""
        def real(client):
            return client.call("Tickets", member, signature, *arguments, variants(fields))

        if "request_id" in fields:
            token = self.callers[who].actor(fields), fields["request_id"]
            self.sent.append((who, real, ideal, what, token))
        return self.both(who, real, ideal, what)

    def options(self, who, n):
        """Of any call: for whom, and under which name."""
        options = {"by": pick(PEOPLE, n)} if n % 3 == 0 and \
            self.callers[who].may("act_for") or n % 61 == 0 else {}
        if n % 4 == 1:
            self.forget()
            self.names += 1
            options["request_id"] = f"r{self.names}"
            if self.sent and n % 13 == 1:  # one that was used for another call
                _, options["request_id"] = self.sent[-1][-1]
        return options

    def forget(self):
        """Answers are kept for so long; whether older ones still are is not known."""
        known = self.world.forget(7 * DAY)
        self.sent = [call for call in self.sent if call[-1] in known]

    callers_index = st.integers(0, len(OTHERS) if am_root() else 0)

    @stateful.rule(who=callers_index, n=numbers, m=numbers, flaw=st.sampled_from(FLAWS))
    def create(self, who, n, m, flaw):
        fields = {"type": pick(TYPES, n), "region": pick(REGIONS, n // 5),
                  "priority": pick(PRIORITIES, m)} | self.options(who, m)
        if n % 3 == 0:
            fields |= {"customer_name": "somebody", "phone": f"000-{m % 5}"}
        if m % 6 == 1:
            fields["reference"] = f"ref {n % 40}"
        if m % 7 == 2:
            fields["promised_at"] = self.world.now + (n % 60 + 1) * HOUR + 1
        if m % 9 == 3:
            fields["dealer"] = pick(DEALERS, n)
        if m % 11 == 4:
            fields["subcentre"] = pick(("BJ", "SH"), n)
        if flaw in ("missing", "early", "future"):
            fields = spoil(fields, flaw, n, self.world.now, 1)
        if flaw == "missing":
            fields.pop("request_id", None)
        self.call(who, "Create", "a{sv}", (), fields,
                  lambda caller: self.world.create(caller, fields), f"create {fields}")
        self.step()

    @stateful.rule(who=callers_index, which=numbers, how=st.integers(0, 15), n=numbers, m=numbers,
                   flaw=st.sampled_from(FLAWS))
    def move(self, who, which, how, n, m, flaw):
        self.make_move(who, which, how, n, m, flaw)

    @stateful.rule(ns=st.lists(numbers, min_size=1, max_size=2))
    def arrive(self, ns):
        for n in ns:
            fields = {"type": pick(TYPES, n), "region": pick(REGIONS[:5], n // 5),
                      "priority": pick(PRIORITIES, n // 32)}
            self.call(0, "Create", "a{sv}", (), fields,
                      lambda caller, fields=fields: self.world.create(caller, fields),
                      f"create {fields}")
            self.step()

    @stateful.precondition(lambda self: self.world.tickets)
    @stateful.rule(which=numbers, ways=st.lists(numbers, min_size=2, max_size=9))
    def carry_through(self, which, ways):
        """Headquarters, which may everything, does what is right, and then what is right next."""
        number = which % len(self.world.tickets) + 1
        for i, n in enumerate(ways):
            ticket = self.world.tickets[number]
            method = pick(RIGHT.get(ticket.state, ("Resume",)), n)
            if ticket.state == RECEIVED and ticket.fields["priority"] == "special":
                method = "Accept"
            fields = fields_of(method, n, self.world.now) | {"by": pick(PEOPLE, i)}
            if method == "Dispatch":
                fields.pop("dealer", None)
            self.call_move(0, method, number, fields)

    def call_move(self, who, method, number, fields):
        self.call(who, method, "ta{sv}", (number,), fields,
                  lambda caller: self.world.move(caller, method, number, fields),
                  f"{method} T{number} {fields}")
        self.step()

    def make_move(self, who, which, how, n, m, flaw):
        world = self.world
        number = which % (len(world.tickets) + 1) + (which % 37 == 0)
        if number == 0 and world.tickets:
            number = len(world.tickets)
        ticket = world.tickets.get(number)
        state = ticket.state if ticket else RECEIVED
        usual = ("Resume", "Resume", "Void") if state in model.WAITING else \
            USUAL.get(state, ALWAYS)
        method = pick(usual, n) if how < 8 else pick(ALWAYS, n) if how < 12 else \
            pick(sorted(PERMISSIONS), n)
        fields = spoil(fields_of(method, m, world.now), flaw, m, world.now,
                       ticket.revision if ticket else 1)
        if ticket and m % 4 == 0:  # seen before it decided, as it is or was
            fields["revision"] = max(ticket.revision - n % 2, 1)
        fields |= self.options(who, n * 7 + m)
        self.call_move(who, method, number, fields)

    @stateful.precondition(lambda self: self.sent)
    @stateful.rule(which=numbers)
    def repeat(self, which):
        """Whatever was answered is answered again, and nothing happens twice."""
        self.forget()
        if self.sent:
            who, real, ideal, what, _ = pick(self.sent, which)
            self.both(who, real, ideal, f"again {what}")
        self.step()

    # ---- escalations and notifications ----

    @stateful.precondition(lambda self: self.world.escalations)
    @stateful.rule(who=callers_index, which=numbers, n=numbers)
    def acknowledge(self, who, which, n):
        number = len(self.world.escalations) - which % (len(self.world.escalations) + 1)
        number += (which % 29 == 0)
        options = self.options(who, n) | ({"revision": n % 2 + 1} if n % 5 == 0 else {})
        options.pop("request_id", None)
        self.both(who, lambda c: c.call("Escalations", "Acknowledge", "ta{sv}", number,
                                        variants(options)),
                  lambda caller: self.world.acknowledge(caller, number, options),
                  f"acknowledge E{number} {options}")
        self.step()

    @stateful.rule(who=st.sampled_from((0, 0, 7, 1)), limit=st.sampled_from((1, 3, 100)),
                   lease=st.sampled_from((1, 60, 3600)), deliver=st.integers(0, 3))
    def take(self, who, limit, lease, deliver):
        who = who if am_root() else 0
        world, caller = self.world, self.callers[who]
        rows, error = self.ask(who, lambda c: c.call("Notifications", "Take", "uu", limit, lease))
        try:
            oldest = world.take(caller, limit, lease)
        except Refused as refused:
            assert error == str(refused), f"take: {error}"
            self.step()
            return
        assert error is None and len(rows) == len(oldest), f"took {rows}, expected {oldest}"
        for row, expected in zip(rows, oldest):
            world.leased(expected, lease)
            self.same(row, {k: v for k, v in expected.items() if v}, f"N{row['id']}")
        if deliver and rows:
            ids = [row["id"] for row in rows[:deliver]] + [rows[0]["id"], 10**6]
            self.both(who, lambda c: c.call("Notifications", "Acknowledge", "at", ids),
                      lambda _caller: world.deliver(caller, ids), "deliver")
        self.step()

    # ---- time ----

    @stateful.precondition(lambda self: not self.world.suspect)
    @stateful.rule(minutes=st.integers(0, 600), odd=st.integers(0, 2000))
    def advance(self, minutes, odd):
        until = self.world.now + minutes * 60 * USEC + odd - (1 if odd == 2000 else 0)
        self.both(0, lambda c: c.advance(until), lambda _: self.world.advance(until), "advance")
        self.step()

    @stateful.precondition(lambda self: not self.world.suspect and self.world.next_ticket())
    @stateful.rule(odd=st.integers(-1, 2))
    def advance_to_the_instant(self, odd):
        """Just before, at, or just after something is due."""
        until = max(self.world.next_ticket().next + odd, self.world.now)
        self.both(0, lambda c: c.advance(until), lambda _: self.world.advance(until), "advance")
        self.step()

    @stateful.rule(hours=st.integers(-30, 120))
    def jump(self, hours):
        to = max(self.world.now + hours * HOUR - 7, START)
        self.root.jump(to)
        self.world.jump(to)
        self.step()

    @stateful.precondition(lambda self: not self.world.suspect)
    @stateful.rule(days=st.sampled_from((31, 40, 400)))
    def wrong_year(self, days):
        """Nobody confirms it: it is not believed, and nobody hears of anything."""
        self.root.call("Clock", "SetSynchronised", "b", False)
        self.world.synchronised = False
        self.before = self.world.now
        self.root.jump(self.world.now + days * DAY)
        self.world.jump(self.world.now + days * DAY)
        self.step()

    @stateful.precondition(lambda self: self.world.suspect)
    @stateful.rule(accept=st.booleans(), hours=st.integers(0, 5))
    def right_year(self, accept, hours):
        """Somebody accepts it (what is far off is not worth accepting), or it comes back."""
        if accept and self.world.reading - self.before < 100 * DAY:
            self.root.call("Manager", "AcceptClock")
            self.world.believe(True)
        else:
            self.root.jump(self.before + hours * HOUR)
            self.world.jump(self.before + hours * HOUR)
        self.step()

    # ---- the service ----

    @stateful.rule(kill=st.booleans(), hours=st.sampled_from((0, 0, 0, 1, 20, 100, -3)),
                   which=st.integers(0, 2 * len(POLICIES)))
    def restart(self, kill, hours, which):
        """At times with another policy."""
        world = self.world
        now = max((world.now + hours * HOUR) // USEC * USEC, START)
        if world.suspect:
            now = self.before // USEC * USEC
        policy = self.policies[which] if which < len(POLICIES) else world.policy
        if any(ticket.contradicts(policy) for ticket in world.open_tickets()):
            policy = world.policy  # with the other it would not start
        self.service.configure(self.texts[self.policies.index(policy)])
        type(self).restarts += 1
        self.service.restart(now, kill=kill)
        world.restart(now)
        another = policy is not world.policy
        world.enter_policy(policy)
        self.step(another)

    @stateful.precondition(lambda self: not self.world.suspect)
    @stateful.rule(which=st.integers(0, len(POLICIES) - 1), wrong=st.booleans())
    def reload(self, which, wrong):
        """Whole or not at all; at times with a mistake in it."""
        world, policy = self.world, self.policies[which]
        in_force = self.texts[self.policies.index(world.policy)]
        self.service.configure(self.texts[which] + "wrong: key\n" * wrong)
        before = {ticket.number: ticket.deadlines() for ticket in world.open_tickets()}
        seen, error = self.ask(0, lambda c: c.call("Policy", "Reload"))
        try:
            if wrong:
                raise Refused("PolicyRejected")
            number, looked_at = world.reload(policy)
        except Refused as refused:
            assert error == str(refused), f"reload of policy {which}: {error or seen}"
            self.service.configure(in_force)
            self.step()
            return
        assert error is None, f"reload of policy {which}: {error}"
        type(self).reloads += 1
        self.same([seen["policy"], seen["cases"]], [number, looked_at], f"policy {which}")
        self.step(another_policy=True)
        moved = sum(world.tickets[number].deadlines() != deadlines
                    for number, deadlines in before.items()) if looked_at else 0
        self.same(seen["moved"], moved, f"moved by policy {which}")

    @stateful.rule(dealer=st.sampled_from(("BJ-2", "SH-1")))
    def rest(self, dealer):
        """A dealer gives up, or comes back."""
        active = not self.world.company.units[dealer].get("active", True)
        self.root.call("Units", "Update", "sa{sv}", dealer, variants({"active": active}))
        self.world.set_active(self.callers[0], dealer, active)
        self.step()

    # ---- lists and changes ----

    @stateful.rule(who=callers_index, limit=st.sampled_from((1, 4, 100)))
    def changes(self, who, limit):
        if self.callers[who].may_follow():
            self.follow(who, limit)
        else:
            self.both(who, lambda c: c.call("Manager", "Changes", "tu", 0, limit),
                      lambda caller: caller.need("ticket.read"), "changes")
        self.step()

    @stateful.rule(who=callers_index, n=numbers, limit=st.sampled_from((1, 3, 7, 1000)))
    def list(self, who, n, limit):
        filters = pick((
            {}, {"ended": True}, {"state": pick(sorted(model.ALL), n // 16)},
            {"subcentre": pick(("BJ", "SH"), n // 16)}, {"dealer": pick(DEALERS[:4], n // 16)},
            {"dealer": pick(DEALERS[:4], n // 16), "ended": True},
            {"owner": pick(("BIZ", "BJ", "SH", "BJ-1"), n // 16)}, {"overdue": n % 32 < 16},
            {"rung": n // 16 % 4 + 1}, {"rung": n // 16 % 3, "subcentre": "BJ"},
            {"priority": pick(PRIORITIES[1:], n // 16)}, {"phone": f"000-{n // 16 % 5}"},
            {"reference": f"ref {n // 16 % 40}"}, {"type": pick(TYPES, n // 16), "ended": True},
            {"dealer": pick(DEALERS[:4], n // 32), "state": pick((CLOSED, RESOLVED), n // 16)},
            {"subcentre": "BJ", "state": pick((CLOSED, ACCEPTED), n // 16)},
        ), n)
        self.compare_list(who, filters, limit)
        if self.callers[who].may("escalation.read"):
            self.compare_escalations(pick((
                {}, {"recipient": pick(("BJ", "BIZ", "PRES", "BJ-1"), n // 5)},
                {"cause": "rung"}, {"subcentre": "SH", "acknowledged": True},
                {"role": "owner"}), n), who, limit)
        self.step()


def in_order(rows):
    """Within one change, in any."""
    return sorted(rows, key=lambda row: (row["sequence"], row["what"], row.get("id", 0)))


def told(value):
    """Instants are long numbers."""
    if isinstance(value, int) and value > 10**14:
        return f"{value} ({harness.shown(value)})"
    return repr(value)


class Model(unittest.TestCase):
    def test_model(self):
        print(f"SEED={SEED}", flush=True)
        hypothesis.core.global_force_seed = SEED
        Lives.prepare()
        phases = [hypothesis.Phase.generate] + [hypothesis.Phase.shrink] * SHRINK
        settings = hypothesis.settings(
            max_examples=EXAMPLES, stateful_step_count=STEPS, deadline=None, database=None,
            phases=phases, print_blob=False,
            suppress_health_check=list(hypothesis.HealthCheck))
        try:
            stateful.run_state_machine_as_test(Lives, settings=settings)
        finally:
            figure(f"{Lives.steps} steps in {Lives.examples} lives, {Lives.refused} calls refused "
                   f"as they must be, {Lives.restarts} restarts, {Lives.reloads} reloads; at the end " +
                   ", ".join(f"{n} {state}" for state, n in Lives.seen_states.most_common()))
        if EXAMPLES * STEPS >= ENOUGH:
            self.assertGreaterEqual(Lives.steps, LEAST_STEPS)


if __name__ == "__main__":
    unittest.main()
