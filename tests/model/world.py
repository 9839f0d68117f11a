# SPDX-License-Identifier: Apache-2.0
"""What the daemon must be and answer: a reference written from docs/tickets.md, the documented bus
interface and the policy. It shares no code with the daemon; working time, clocks and the company are
those of tests/replay, which other tests hold against real data."""

import collections
import pathlib
import re
import sys
import types

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1] / "replay"))

import model  # noqa: E402
from model import (ACCEPTED, CLOSED, DISPATCHED, ENDED, FOLLOWED_UP, RECEIVED,  # noqa: E402
                   RESOLVED, VISITED, VOIDED, WAITING, Refused)
from policy import Policy  # noqa: E402, F401

USEC = 1_000_000
TICKET_KIND = "ticket"
PERSONAL = ("customer_name", "phone", "address", "description", "wait_reason")
FLAGS = ("open", "overdue")
LEVELS_TOLD_APART = 255
LEASE_MAX = 3600 * USEC
# Of the ladder's way up, the gravest last.
CAUSES = ("warning", "rung", "repeat", "reopened")

PERMISSIONS = {
    "Transfer": "ticket.dispatch", "Dispatch": "ticket.dispatch", "Decline": "ticket.work",
    "Accept": "ticket.work", "Appoint": "ticket.work", "Promise": "ticket.promise",
    "Visit": "ticket.work", "WaitPart": "ticket.work", "WaitCustomer": "ticket.work",
    "Resume": "ticket.work", "Resolve": "ticket.work", "FollowUp": "ticket.followup",
    "Decide": "ticket.decide", "Close": "ticket.followup", "Reopen": "ticket.followup",
    "Void": "ticket.void", "OverrideWarranty": "ticket.warranty", "Update": "ticket.update",
    "Comment": "ticket.update"}


def given(row, flags=()):
    """Without what is nothing: the bus leaves it out, but for flags."""
    return {key: value for key, value in row.items() if value or key in flags}


def verb_of(method):
    return re.sub(r"(?<!^)([A-Z])", r"_\1", method).lower()


class Caller:
    """Somebody with a role and a scope. `permissions` None: everything."""

    def __init__(self, uid, permissions=None, scope="headquarters", unit=None):
        self.name = f"uid:{uid}"
        self.permissions = permissions
        self.scope = scope
        self.unit = unit

    def actor(self, fields):
        """A program acts for the person it names."""
        return f"{self.name}/{fields['by']}" if "by" in fields else self.name

    def may(self, permission):
        return self.permissions is None or permission in self.permissions

    def need(self, permission):
        if not self.may(permission):
            raise Refused("NotPermitted")

    def may_follow(self):
        """Who may read anything at all hears of changes."""
        return self.permissions is None or \
            any(name.endswith(".read") for name in self.permissions)

    def sees(self, subcentre, dealer):
        return self.scope == "headquarters" or \
            self.unit == (subcentre if self.scope == "subcentre" else dealer)


# One call about a ticket: when it takes place, and what it sets.
Step = collections.namedtuple("Step", "at actor caller fields before")


class Ticket(model.Ticket):
    def __init__(self, world, number, fields):
        super().__init__(world, types.SimpleNamespace(fields=fields,
                                                      reference=fields.get("reference")))
        self.number = number
        self.created_at = 0
        self.visits = self.reopened = 0
        self.fields |= {"warranty": "unknown"}
        self.fields.setdefault("channel", "phone")
        self.history = []
        self.raised = self.late_now = False
        self.policy = 0
        self.found = None  # the dealer to dispatch to

    # ---- calls ----

    def check_call(self, step, method, fields, now):
        move = model.MOVES[method]
        if not step.caller.sees(self.subcentre, self.dealer):
            raise Refused("OutOfScope")
        if fields.get("revision", self.revision) != self.revision:
            raise Refused("StaleRevision")
        if "at" in fields and not self.changed_at <= fields["at"] <= now:
            raise Refused("InvalidValue")
        if self.state not in move.states:
            raise Refused("InvalidState")
        if step.fields.keys() - {"note"} - set(move.takes.split()):
            raise Refused("UnknownField")
        if set(move.needs.split()) - step.fields.keys():
            raise Refused("MissingField")
        getattr(self, f"may_{method}", lambda _step: None)(step)
        if any(step.fields.get(name, step.at + 1) <= step.at for name in model.FUTURE):
            raise Refused("InvalidValue")

    def move(self, caller, actor, method, fields, now):
        """A clock that was set back does not let the ticket's own time run backwards."""
        at = fields.get("at", max(now, self.changed_at))
        kept = {name: value for name, value in fields.items()
                if name not in model.OPTIONS or name == "note"}
        step = Step(at, actor, caller, kept, self.state)
        self.check_call(step, method, fields, now)
        self.fields |= {name: value for name, value in kept.items() if name != "note"}
        to = model.MOVES[method].to
        self.state = to if to and to != "?" else self.state
        self.raised = False
        self.known_at = now
        getattr(self, f"do_{method}", lambda _step: None)(step)
        self.enter(at)
        if self.raised:
            self.escalate("reopened", self.lift, 0, "reopened", self.role(1), at, max(at, now))
        self.tell(step, verb_of(method))

    def tell(self, step, verb):
        self.history.append(given({
            "revision": self.revision, "at": step.at, "actor": step.actor, "verb": verb,
            "from": step.before, "to": self.state, "note": step.fields.get("note")}))

    def set_clocks(self, at):
        super().set_clocks(at)
        self.policy = self.model.version
        self.look(at)

    def look(self, now):
        """Late by now; that it was stays where somebody was told or the clock ended so."""
        self.late_now = any(clock.is_late(now) for clock in self.clocks.values()
                            if clock.stopped is None)

    # ---- another policy ----

    def is_current(self):
        return not self.is_open() or self.policy >= self.model.timing_version

    def compute(self):
        """Its clocks by the policy in force, as of when that came into force."""
        at, target = max(self.model.timing_since, self.changed_at), self.target()
        for clock in self.clocks.values():
            if clock.stopped is None:
                clock.retarget(target, at)
                clock.plan(target)
        self.arm()
        self.policy = self.model.version
        self.look(at)

    def contradicts(self, policy):
        """A clock stands on a rung that the ladder would not have."""
        ladder = policy.target(self.fields["type"], self.fields["priority"]).ladder
        return any(min(clock.level - 1, self.rung()) > len(ladder.recipients)
                   for clock in self.clocks.values() if clock.stopped is None)

    def deadlines(self):
        return [clock.deadline for clock in self.clocks.values()]

    # ---- the ladder ----

    def role(self, level):
        ladder = self.target().ladder
        return ladder.recipients[min(level - 1 + self.lift, len(ladder.recipients) - 1)]

    def first_due(self):
        return next(c for c in self.clocks.values() if c.next == self.next)

    def fire_next(self, now):
        """The earliest event happens, at last."""
        clock, target = self.first_due(), self.target()
        level, due, missed = clock.next_level(target), clock.next, 0
        if level == 0:
            cause, role = "warning", "owner"
        else:
            cause = "rung" if level <= len(target.ladder.recipients) else "repeat"
            role = self.role(level)
        if cause == "repeat":  # those that have passed as well are told of with this one
            while clock.instant(target, target.ladder.offset(level + missed + 1)) < now:
                missed += 1
        self.escalate(clock.name, clock.cycle, level, cause, role, due, now, missed, clock.quiet)
        clock.level, clock.quiet = level + 1 + missed, 0
        clock.last = clock.event(target, level + missed)
        clock.plan(target)
        self.arm()
        self.overdue |= level > 0
        self.look(now)

    def escalate(self, clock, cycle, level, cause, role, due, fired, missed=0, quiet=0):
        self.model.escalate(self, {
            "clock": clock, "cycle": cycle, "level": level, "cause": cause, "role": role,
            "due_at": due, "fired_at": fired, "missed": missed, "quiet": quiet})

    # ---- rules ----

    def may_Transfer(self, step):
        self.model.company.check_unit(step.fields["subcentre"], "subcentre")
        if step.fields["subcentre"] == self.subcentre:
            raise Refused("InvalidValue")

    def do_Transfer(self, step):
        self.subcentre, self.dealer = step.fields["subcentre"], None
        self.forget_appointment(step.before)

    def found_dealer(self, step):
        """Who gets it: the one named, the one it has from the beginning, the least busy one."""
        if "dealer" in step.fields:
            self.model.check_dealer(step.fields["dealer"], self.subcentre)
            return step.fields["dealer"]
        if self.state == RECEIVED and self.dealer:
            try:
                self.model.check_dealer(self.dealer, self.subcentre)
                return self.dealer
            except Refused:
                pass  # he has gone
        return self.model.choose_dealer(self.subcentre, self.fields["region"])

    def may_Dispatch(self, step):
        if self.fields["priority"] == "special":
            if "dealer" in step.fields:
                raise Refused("RuleViolated")
            self.found = None
        else:
            self.found = self.found_dealer(step)

    def do_Dispatch(self, step):
        self.forget_appointment(step.before)
        self.dealer = self.found

    def do_Decline(self, _step):
        self.dealer = self.fields["appointment"] = None

    def may_Accept(self, _step):
        if self.state == RECEIVED and self.fields["priority"] != "special":
            raise Refused("InvalidState")

    def may_Visit(self, _step):
        """There are no parts to be used in this world."""

    def do_Visit(self, step):
        self.visits += 1
        self.fields |= {"visited_at": step.at, "appointment": None}

    def do_WaitPart(self, step):
        self.resume_state = step.before

    do_WaitCustomer = do_WaitPart

    def do_Resume(self, _step):
        self.state = self.resume_state
        self.fields["wait_reason"] = None

    def may_Resolve(self, _step):
        if self.fields["type"] in self.model.policy.tickets["visit_required"] and \
                self.state != VISITED:
            raise Refused("RuleViolated")

    def do_Resolve(self, step):
        self.fields |= {"resolved_at": step.at, "resolved_by": step.actor,
                        "resolved_dealer": self.dealer, "outcome": None, "satisfaction": None}

    def may_FollowUp(self, step):
        resolver = self.fields["resolved_by"]
        if step.caller.scope == "dealer" or resolver == step.actor or \
                resolver.startswith(step.actor + "/") or step.actor.startswith(resolver + "/"):
            raise Refused("RuleViolated")
        outcome = step.fields["outcome"]
        if outcome == "dissatisfied" and "reopen_reason" not in step.fields:
            raise Refused("MissingField")
        if outcome != "dissatisfied" and "reopen_reason" in step.fields:
            raise Refused("InvalidValue")
        if outcome == "unreachable" and "satisfaction" in step.fields:
            raise Refused("InvalidValue")

    def do_FollowUp(self, step):
        self.fields |= {"followed_up_at": step.at, "followed_up_by": step.actor}
        if step.fields["outcome"] == "satisfied":
            self.state = FOLLOWED_UP
        elif step.fields["outcome"] == "dissatisfied":
            self.do_Reopen(step)
        else:
            day = self.model.local_day(step.at)
            self.attempts += day != self.attempt_day
            self.attempt_day = day

    def may_Decide(self, step):
        super().may_Decide(step.fields)
        if step.fields["decision"] == "reopen" and "reopen_reason" not in step.fields:
            raise Refused("MissingField")

    def do_Decide(self, step):
        if step.fields["decision"] == "accept":
            self.state = FOLLOWED_UP
        else:
            self.do_Reopen(step)

    def do_Close(self, step):
        self.fields["closed_at"] = step.at

    def do_Reopen(self, _step):
        super().do_Reopen(None, None, None)
        self.reopened += 1
        self.raised = True
        self.fields |= dict.fromkeys(("result", "decision", "closed_at"))

    def may_Void(self, step):
        duplicate_of = step.fields.get("duplicate_of")
        if step.fields["void_reason"] != "duplicate":
            if "duplicate_of" in step.fields:
                raise Refused("InvalidValue")
            if step.fields["void_reason"] == "other" and not step.fields.get("note"):
                raise Refused("MissingField")
        elif not duplicate_of:
            raise Refused("MissingField")
        elif duplicate_of == self.number or duplicate_of not in self.model.tickets or \
                self.model.tickets[duplicate_of].state == VOIDED:
            raise Refused("InvalidValue")

    do_Void = do_Close

    def may_OverrideWarranty(self, step):
        if step.fields["warranty"] == "unknown":
            raise Refused("InvalidValue")

    def do_OverrideWarranty(self, _step):
        self.fields["warranty_basis"] = "override"

    def do_Update(self, step):
        self.take_back(step.before)

    # ---- as it is told ----

    def head(self):
        return given({"id": self.number, "state": self.state, "revision": self.revision,
                      "armed_at": self.next, "rung": self.rung()})

    def record(self, personal=True):
        row = {name: value for name, value in self.fields.items() if name != "note"}
        for name in PERSONAL:
            if row.get(name) and not personal:
                row[name] = "***"
        row |= {
            "id": self.number, "state": self.state, "owner": self.owner,
            "subcentre": self.subcentre, "dealer": self.dealer, "created_at": self.created_at,
            "changed_at": self.changed_at, "revision": self.revision, "armed_at": self.next,
            "rung": self.rung(), "lift": self.lift, "open": self.is_open(),
            "overdue": self.is_overdue(), "policy": self.policy, "visits": self.visits, "reopened": self.reopened,
            "attempts": self.attempts,
            "clocks": [clock_record(clock) for clock in self.clocks.values()]}
        return given(row, FLAGS)

    def is_open(self):
        return self.state not in ENDED

    def is_overdue(self):
        return self.overdue or self.late_now


def clock_record(clock):
    pauses = [given({"since": since, "until": until, "reason": reason})
              for since, until, reason in clock.pauses]
    return given({
        "clock": clock.name, "cycle": clock.cycle, "started_at": clock.started,
        "stopped_at": clock.stopped, "target": clock.target, "fixed_at": clock.fixed,
        "deadline": clock.deadline, "level": clock.level, "next_at": clock.next,
        "paused": clock.paused(), "quiet": clock.quiet, "told": clock.told,
        "last_at": clock.last, "pauses": pauses}, ("paused",))


# What a change has done to one thing. Those who may see it have the permission and, of what belongs
# to somebody, the scope: that of now, or that of before, for them it has left.
Row = collections.namedtuple("Row", "values permission scoped before", defaults=(False, None))


class Feed:
    """Every change, as it is told to those who follow."""

    def __init__(self, sequence):
        self.first = sequence
        self.changes = []  # rows of each, from first + 1 on
        self.rows = []  # of the next one

    def add(self, *row):
        self.rows.append(Row(*row))

    def close(self, **stamp):
        stamp["sequence"] = self.first + len(self.changes) + 1
        self.changes.append([row._replace(values=row.values | stamp) for row in self.rows])
        self.rows = []

    def told(self, caller, since, until):
        rows = []
        for change in self.changes[since - self.first:until - self.first]:
            rows += [values for row in change if (values := self.told_row(caller, row))]
        return rows

    @staticmethod
    def told_row(caller, row):
        values, flags = row.values, {"left": False, "removed": False}
        if not caller.may(row.permission):
            return None
        if not row.scoped or caller.sees(values["subcentre"], values["dealer"]):
            return given(values | flags, flags)
        if row.before and caller.sees(*row.before):
            return given(values | flags | {"left": True, "subcentre": None, "dealer": None}, flags)
        return None


class Outbox:
    """Notifications that somebody still has to deliver."""

    def __init__(self):
        self.rows = {}
        self.number = 0

    def add(self, **row):
        self.number += 1
        self.rows[self.number] = {"id": self.number} | row
        return self.rows[self.number]

    def put(self, e, late):
        gathering = [row for row in self.rows.values()
                     if row["state"] == "gathering" and row["recipient"] == e["recipient"]]
        single = {"recipient": e["recipient"], "kind": TICKET_KIND, "case_id": e["case_id"],
                  "cause": e["cause"], "level": e["level"], "first_due": e["due_at"],
                  "last_due": e["due_at"], "fired_at": e["fired_at"]}
        if not late:
            self.add(state="ready", escalation=e["id"], count=1, **single)
        elif not gathering:
            self.add(state="gathering", count=1, **single)
        else:
            row, = gathering
            row["count"] += 1
            row["cause"] = max(row["cause"], e["cause"], key=CAUSES.index)
            row["level"] = max(row["level"], e["level"])
            row["first_due"] = min(row["first_due"], e["due_at"])
            row["last_due"] = max(row["last_due"], e["due_at"])
            row["fired_at"] = e["fired_at"]

    def release(self):
        """The catch-up is over. Whether there was a summary."""
        gathering = [row for row in self.rows.values() if row["state"] == "gathering"]
        for row in gathering:
            row["state"] = "ready"
        return bool(gathering)

    def free(self, now):
        return [row for row in self.rows.values()
                if row["state"] == "ready" and not now < row.get("leased_until", 0) <= now + LEASE_MAX]


class World(model.Model):
    def __init__(self, policy, units, now, sequence):
        super().__init__(policy)
        for unit in units:
            self.company.create("Units", dict(unit))
        self.now = self.reading = now  # what is believed, and what the clock shows
        self.suspect, self.synchronised = False, True
        self.escalations = {}
        self.outbox = Outbox()
        self.requests = {}  # (actor, request id) to (body, answer, when)
        self.last_request = 0
        self.version = self.timing_version = 1  # of the policy
        self.timing_since = now
        self.feed = Feed(sequence)
        self.touched = set()  # numbers of the tickets that may have changed

    @property
    def sequence(self):
        return self.feed.first + len(self.feed.changes)

    def change(self, actor, verb):
        self.feed.close(time=self.now, actor=actor, verb=verb)

    def tell_ticket(self, ticket, before=None):
        self.feed.add({"what": TICKET_KIND, "id": ticket.number, "state": ticket.state,
                       "revision": ticket.revision, "subcentre": ticket.subcentre,
                       "dealer": ticket.dealer}, "ticket.read", True, before)

    def tell_escalation(self, e):
        names = ("id", "revision", "subcentre", "dealer", "kind", "case_id", "cause", "level",
                 "recipient")
        self.feed.add({"what": "escalation"} | {name: e[name] for name in names},
                      "escalation.read", True)

    # ---- the company ----

    def recipient(self, role, ticket):
        if role == "owner":
            return ticket.owner
        unit = None if role == "subcentre" else \
            self.department(role) or self.department("headquarters")
        return unit or ticket.subcentre

    def choose_dealer(self, subcentre, region):
        units = self.company.units
        dealers = self.company.serving(
            "dealer", region, lambda code: units[code]["parent"] == subcentre and
            units[code].get("active", True))
        return min(dealers, key=lambda code: (self.busy(code), code))

    def busy(self, dealer):
        return sum(t.dealer == dealer and t.is_open() for t in self.tickets.values())

    def set_active(self, caller, dealer, active):
        unit = self.company.units[dealer]
        unit["active"] = active
        unit["revision"] = unit.get("revision", 1) + 1
        self.feed.add({"what": "unit", "code": dealer, "revision": unit["revision"]}, "unit.read")
        self.change(caller.name, "Units.Update")

    # ---- calls that change something ----

    def run(self, caller, permission, verb, body, fields, act):
        """What they have in common: whoever repeats a request gets the same answer."""
        caller.need(permission)
        if "by" in fields:
            caller.need("act_for")
        actor = caller.actor(fields)
        token = actor, fields.get("request_id")
        body = verb, body, sorted((name, value) for name, value in fields.items()
                            if name not in ("by", "request_id"))
        if token in self.requests:
            known, answer, _ = self.requests[token]
            if known != body:
                raise Refused("RequestIdReused")
            return answer
        changed, answer = act(actor)
        if "request_id" in fields:
            self.requests[token] = body, answer, self.now
            self.last_request = max(self.last_request, self.now)
        if changed or "request_id" in fields:
            self.change(actor, verb)
        return answer

    def forget(self, keep):
        """Who used which request ids, as far as their answers are surely still known."""
        self.requests = {token: request for token, request in self.requests.items()
                         if request[2] >= self.last_request - keep}
        return self.requests.keys()

    def create(self, caller, fields):
        return self.run(caller, "ticket.create", "Tickets.Create", None, fields,
                        lambda actor: self.take_in(caller, actor, fields))

    def take_in(self, caller, actor, fields):
        at = fields.get("at", self.now)
        if not {"type", "region"} <= fields.keys():
            raise Refused("MissingField")
        if at > self.now:
            raise Refused("InvalidValue")
        for ticket in self.tickets.values():
            if ticket.reference and ticket.reference == fields.get("reference"):
                if not caller.sees(ticket.subcentre, ticket.dealer):
                    raise Refused("OutOfScope")
                return False, [ticket.number, False]
        if any(fields.get(name, at + 1) <= at for name in model.FUTURE):
            raise Refused("InvalidValue")
        kept = {name: value for name, value in fields.items() if name not in model.OPTIONS}
        ticket = Ticket(self, len(self.tickets) + 1, kept)
        self.place_for(caller, ticket)
        if not caller.sees(ticket.subcentre, ticket.dealer):
            raise Refused("OutOfScope")
        self.tickets[ticket.number] = ticket
        ticket.created_at = at
        ticket.enter(at)
        step = Step(at, actor, caller, {"note": fields.get("note")}, None)
        ticket.tell(step, "create")
        self.tell_ticket(ticket)
        self.touched.add(ticket.number)
        return True, [ticket.number, True]

    def place_for(self, caller, ticket):
        if ticket.subcentre:
            self.company.check_unit(ticket.subcentre, "subcentre")
        else:
            ticket.subcentre = min(self.company.serving("subcentre", ticket.fields["region"]))
        if not ticket.dealer and caller.scope == "dealer":
            ticket.dealer = caller.unit
        if ticket.dealer and ticket.fields["priority"] == "special":
            raise Refused("RuleViolated")
        self.place(ticket)

    def move(self, caller, method, number, fields):
        return self.run(caller, PERMISSIONS[method], f"Tickets.{method}", number, fields,
                        lambda actor: self.move_ticket(caller, actor, method, number, fields))

    def move_ticket(self, caller, actor, method, number, fields):
        ticket = self.tickets.get(number)
        if ticket is None:
            raise Refused("NotFound")
        before = ticket.subcentre, ticket.dealer
        ticket.move(caller, actor, method, fields, self.now)
        self.tell_ticket(ticket, before)
        self.touched.add(number)
        return True, ticket.head()

    def acknowledge(self, caller, number, fields):
        self.run(caller, "escalation.acknowledge", "Escalations.Acknowledge", number, fields,
                 lambda actor: self.take_on(caller, actor, number, fields))
        return self.escalation_record(self.escalations[number])

    def take_on(self, caller, actor, number, fields):
        e = self.escalations.get(number)
        if e is None:
            raise Refused("NotFound")
        if not caller.sees(e["subcentre"], e["dealer"]):
            raise Refused("OutOfScope")
        if fields.get("revision", e["revision"]) != e["revision"]:
            raise Refused("StaleRevision")
        if e.get("acknowledged_at"):
            raise Refused("InvalidState")
        e |= {"acknowledged_at": self.now, "acknowledged_by": actor, "revision": 2}
        self.tell_escalation(e)
        self.touched.add(e["case_id"])
        return True, None

    def take(self, caller, limit, lease):
        """The oldest that are free are the caller's now, whoever has had them before."""
        caller.need("notification.take")
        free = self.outbox.free(self.now)
        if free:
            self.change(caller.name, "Notifications.Take")
        return sorted(free, key=lambda row: row["id"])[:limit]

    def leased(self, row, lease):
        row["leased_until"] = self.now + lease * USEC
        row["attempts"] = row.get("attempts", 0) + 1

    def deliver(self, caller, numbers):
        caller.need("notification.take")
        removed = sum(self.outbox.rows.pop(number, None) is not None for number in set(numbers))
        if removed:
            self.change(caller.name, "Notifications.Acknowledge")
        return removed

    # ---- time ----

    def escalate(self, ticket, e):
        e |= {"id": len(self.escalations) + 1, "kind": TICKET_KIND, "case_id": ticket.number,
              "recipient": self.recipient(e["role"], ticket), "subcentre": ticket.subcentre,
              "dealer": ticket.dealer, "revision": 1}
        self.escalations[e["id"]] = e
        self.tell_escalation(e)
        self.outbox.put(e, e["fired_at"] - e["due_at"] > self.late_after())
        self.touched.add(ticket.number)

    def late_after(self):
        return self.policy.late_after * USEC

    def next_ticket(self):
        armed = [t for t in self.tickets.values() if t.next is not None]
        return min(armed, key=lambda t: (t.next, t.number), default=None)

    def work_off(self):
        """Whatever is due by now happens, in the order in which it was."""
        if self.suspect:
            return
        while (ticket := self.next_ticket()) and ticket.next < self.now:
            self.fire(ticket)
        if self.outbox.release():
            self.change("daemon", "summarise")

    def fire(self, ticket):
        ticket.fire_next(self.now)
        self.tell_ticket(ticket)
        self.change("daemon", "escalate")

    def advance(self, until):
        if until < self.now:
            raise Refused("InvalidValue")
        fired = 0
        while (ticket := self.next_ticket()) and ticket.next < until:
            self.now = max(self.now, ticket.next + 1)
            self.fire(ticket)
            fired += 1
        self.now = self.reading = until
        return fired

    def jump(self, to):
        self.reading = to
        self.believe(abs(to - self.now) <= self.policy.suspect_jump * USEC or self.synchronised)

    def believe(self, believed):
        """Else time stands still."""
        self.suspect = not believed
        if believed:
            self.now = self.reading

    def restart(self, now):
        """Nothing is forgotten but what the clock was told."""
        self.reading = now
        self.synchronised = True
        self.believe(True)

    # ---- another policy ----

    def open_tickets(self):
        return [ticket for ticket in self.tickets.values() if ticket.is_open()]

    def reload(self, policy):
        """The number of it, and how many open tickets it is about."""
        if policy is self.policy:
            return self.version, 0
        looked_at = [] if policy.targets is self.policy.targets else self.open_tickets()
        if any(ticket.contradicts(policy) for ticket in looked_at):
            raise Refused("PolicyRejected")
        self.enter_policy(policy)
        return self.version, len(looked_at)

    def enter_policy(self, policy):
        if policy is self.policy:
            return
        self.version += 1
        if policy.targets is not self.policy.targets:
            self.timing_version, self.timing_since = self.version, self.now
        self.policy = policy
        self.change("daemon", "policy")

    def is_due(self, ticket):
        return ticket.next is not None and ticket.next < self.now

    def follow(self, rows):
        """A change that the daemon has made by itself: another order than ours may be as good, when
        tickets are computed anew beside those that fall due."""
        kinds = {row["what"]: row for row in rows}
        if not kinds:
            if not any(map(self.is_due, self.open_tickets())):
                self.outbox.release()
            self.change("daemon", "recompute")
            return
        ticket, verb = self.tickets[kinds["ticket"]["id"]], kinds["ticket"]["verb"]
        if verb == "recompute":
            assert not ticket.is_current(), f"T{ticket.number} is computed twice"
            ticket.compute()
            self.tell_ticket(ticket)
            self.change("daemon", verb)
            self.touched.add(ticket.number)
            return
        assert verb == "escalate" and ticket.is_current() and self.is_due(ticket), rows
        if all(other.is_current() for other in self.open_tickets()):
            assert ticket is self.next_ticket(), f"T{ticket.number} before its turn"
        self.fire(ticket)

    # ---- reading ----

    def escalation_record(self, e):
        return given(e)

    def status(self):
        tickets = self.tickets.values()
        states = collections.Counter(ticket.state for ticket in tickets)
        first = self.next_ticket()
        return {
            "now": self.now,
            "clock_suspect": self.suspect,
            "sequence": self.sequence,
            "states": dict(states),
            "open": sum(t.is_open() for t in tickets),
            "overdue": sum(t.is_open() and t.is_overdue() for t in tickets),
            "waiting": sum(t.state in WAITING for t in tickets),
            "unarmed": 0,
            "escalations_open": sum("acknowledged_at" not in e for e in self.escalations.values()),
            "notifications": len(self.outbox.rows),
            "lag": max(self.now - first.next, 0) if first else 0,
        }

    def list(self, caller, filters):
        """The tickets of a list, in its order."""
        caller.need("ticket.read")
        filters = dict(filters)
        if "phone" in filters and not caller.may("personal.read"):
            raise Refused("NotPermitted")
        rung = filters.pop("rung", 0)
        by_name = filters.keys() & {"reference", "phone"}
        ended = filters.pop("ended", False)
        ended_too = ended or "state" in filters or by_name
        rows = [t for t in self.tickets.values()
                if caller.sees(t.subcentre, t.dealer) and (t.is_open() or ended_too)
                and t.rung() >= rung and all(self.value(t, n) == v for n, v in filters.items())]
        if rung > 0 and not ended:
            return sorted(rows, key=lambda t: (-t.rung(), t.number))
        if by_name or (ended and caller.scope == "headquarters"
                       and not filters.keys() & {"dealer", "subcentre", "state"}):
            return sorted(rows, key=lambda t: t.number)
        return sorted(rows, key=lambda t: (not t.is_open(), t.next or 0, t.number))

    @staticmethod
    def value(ticket, name):
        return {"state": ticket.state, "owner": ticket.owner, "subcentre": ticket.subcentre,
                "dealer": ticket.dealer, "overdue": ticket.is_overdue()}.get(
                    name, ticket.fields.get(name))

    def list_escalations(self, caller, filters):
        caller.need("escalation.read")
        filters = dict(filters)
        acknowledged = filters.pop("acknowledged", False)
        rows = [e for e in self.escalations.values()
                if caller.sees(e["subcentre"], e["dealer"])
                and (acknowledged or "acknowledged_at" not in e)
                and all(e[name] == value for name, value in filters.items())]
        if "case_id" in filters or (acknowledged and "recipient" not in filters):
            return rows
        if "recipient" in filters:
            return sorted(rows, key=lambda e: ("acknowledged_at" in e, e["id"]))
        # Who was told hundreds of times is not told apart from who was told more often.
        return sorted(rows, key=lambda e: (-min(e["level"], LEVELS_TOLD_APART), e["id"]))
