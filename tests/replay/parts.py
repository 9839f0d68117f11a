# SPDX-License-Identifier: Apache-2.0
"""What parts used on tickets must bring about: what is where, and the cores that must come back. As
the scripts have it a line is of one part, and a ticket has one core at most; docs/parts.md."""

import calendar
import collections
import datetime

from case import Case, ClockRule, Refused

DUE, SHIPPED, RECEIVED, REJECTED, ACCEPTED = "due", "shipped", "received", "rejected", "accepted"
PRESENT = {DUE, REJECTED}
# Of each transition: from which states, to which, and between which of its places the core goes.
MOVES = {
    "Ship": (PRESENT, SHIPPED, "holder", "transit"),
    "Receive": ({SHIPPED}, RECEIVED, "transit", "receiver"),
    "Reject": ({SHIPPED, RECEIVED}, REJECTED, "receiver", "holder"),
    "Accept": ({RECEIVED}, ACCEPTED, None, None),
}
UNBOUNDED = ("supplier", "customer", "count")


def months_later(date, months):
    """The same day of the month, or its last one."""
    since = datetime.date.fromisoformat(date)
    years, month = divmod(since.month - 1 + months, 12)
    year, month = since.year + years, month + 1
    return datetime.date(year, month, min(since.day, calendar.monthrange(year, month)[1]))


def read_lines(text):
    return [dict(word.split("=", 1) for word in line.split()) for line in (text or "").split(";")
            if line.strip()]


class Core(Case):
    RULES = {"return": ClockRule(PRESENT), "transit": ClockRule({SHIPPED}),
             "inspect": ClockRule({RECEIVED})}
    ENDED = {ACCEPTED}

    def __init__(self, model, ticket, part):
        super().__init__(model)
        self.part = part
        self.subcentre, self.dealer = ticket.subcentre, ticket.dealer
        self.holder = ticket.dealer or ticket.subcentre
        self.receiver = ticket.subcentre if ticket.dealer else model.department("headquarters")
        self.state = DUE

    def target(self):
        return self.model.policy.target("default", "normal", "core")

    def place(self, what, place_of):
        return f"transit:{self.receiver}" if what == "transit" else place_of(getattr(self, what))

    def enter(self, at):
        self.revision += 1
        self.changed_at = at
        self.owner = self.receiver if self.state in (SHIPPED, RECEIVED) else self.holder
        self.set_clocks(at)


class Parts:
    def __init__(self, model):
        self.model = model
        self.parts = {}
        self.stock = collections.Counter()  # (place, part, condition)
        self.cores = {}  # by their ticket's reference

    def take(self, interface, fields):
        if interface == "Parts":
            self.parts[fields["code"]] = fields
        elif interface == "Moves":
            self.move(fields["part"], fields["from"], self.place_of(fields["to"]), "good",
                      fields["quantity"])

    def place_of(self, unit):
        return f"{self.model.company.units[unit]['kind']}:{unit}"

    def move(self, part, source, target, condition, quantity=1):
        if not source.startswith(UNBOUNDED) and self.stock[source, part, condition] < quantity:
            raise Refused("RuleViolated")
        self.stock[source, part, condition] -= quantity
        self.stock[target, part, condition] += quantity

    def may_use(self, ticket, text):
        wanted = collections.Counter(line["part"] for line in read_lines(text))
        place = self.place_of(ticket.dealer or ticket.subcentre)
        for part, quantity in wanted.items():
            if part not in self.parts:
                raise Refused("InvalidValue")
            if self.stock[place, part, "good"] < quantity:
                raise Refused("RuleViolated")

    def use(self, ticket, text, at):
        place = self.place_of(ticket.dealer or ticket.subcentre)
        for line in read_lines(text):
            self.move(line["part"], place, "customer", "good")
            if ticket.warranty != "in" or not self.parts[line["part"]].get("returnable"):
                continue
            self.move(line["part"], "customer", place, "bad")
            core = self.cores[ticket.reference] = Core(self.model, ticket, line["part"])
            core.enter(at)

    def play(self, reference, method, now):
        """One that is not there is passed over."""
        core = self.cores.get(reference)
        if core is None:
            return
        core.pass_time(now)
        states, to, source, target = MOVES[method]
        if core.state not in states:
            raise Refused("InvalidState")
        if method == "Reject" and core.state == SHIPPED:
            source = "transit"
        if source:
            self.move(core.part, core.place(source, self.place_of),
                      core.place(target, self.place_of), "bad")
        core.state = to
        core.enter(now)
