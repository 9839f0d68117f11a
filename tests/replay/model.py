# SPDX-License-Identifier: Apache-2.0
"""What a ticket must become, from the events of a script and the policy alone: states, clocks,
deadlines and escalations. It follows docs/tickets.md and shares no code with the daemon."""

import collections
import datetime

import parts
from case import Case, ClockRule, Refused
from script import USEC

RECEIVED, DISPATCHED, ACCEPTED, VISITED = "received", "dispatched", "accepted", "visited"
WAITING_PART, WAITING_CUSTOMER = "waiting_part", "waiting_customer"
RESOLVED, FOLLOWED_UP, CLOSED, VOIDED = "resolved", "followed_up", "closed", "voided"
WAITING = {WAITING_PART, WAITING_CUSTOMER}
ACTIVE = {RECEIVED, DISPATCHED, ACCEPTED, VISITED}
WORK = ACTIVE | WAITING
ENDED = {CLOSED, VOIDED}
ALL = WORK | ENDED | {RESOLVED, FOLLOWED_UP}

CLOCKS = {
    "response": ClockRule({RECEIVED, DISPATCHED}, WAITING),
    "visit": ClockRule({ACCEPTED}, WAITING, "appointment", {VISITED}),
    "resolve": ClockRule(ACTIVE, WAITING, "promised_at"),
    "followup": ClockRule({RESOLVED, FOLLOWED_UP}),
    "waiting": ClockRule(WAITING),
}

# What a transition does to the state: a state, None (it stays) or "?" (its effect says).
Move = collections.namedtuple("Move", "states to takes needs", defaults=("", ""))
WORKING = "technician parts parts_used fault_code serial"
MOVES = {
    "Transfer": Move({RECEIVED, DISPATCHED, ACCEPTED}, RECEIVED, "subcentre", "subcentre note"),
    "Dispatch": Move(ACTIVE, DISPATCHED, "dealer"),
    "Decline": Move({DISPATCHED, ACCEPTED}, RECEIVED, "", "note"),
    "Accept": Move({RECEIVED, DISPATCHED}, ACCEPTED, "technician appointment"),
    "Appoint": Move({ACCEPTED, VISITED} | WAITING, None, "appointment technician", "appointment"),
    "Promise": Move(WORK, None, "promised_at", "promised_at"),
    "Visit": Move({ACCEPTED, VISITED}, VISITED, WORKING),
    "WaitPart": Move({ACCEPTED, VISITED}, WAITING_PART, "wait_reason", "wait_reason"),
    "WaitCustomer": Move(ACTIVE, WAITING_CUSTOMER, "wait_reason", "wait_reason"),
    "Resume": Move(WAITING, "?"),
    "Resolve": Move(ACTIVE, RESOLVED, "result " + WORKING, "result"),
    "FollowUp": Move({RESOLVED}, "?", "outcome satisfaction reopen_reason", "outcome"),
    "Decide": Move({RESOLVED}, "?", "decision reopen_reason", "decision note"),
    "Close": Move({FOLLOWED_UP}, CLOSED),
    "Reopen": Move({RESOLVED, FOLLOWED_UP, CLOSED}, "?", "reopen_reason", "reopen_reason"),
    "Void": Move(WORK, VOIDED, "void_reason duplicate_of", "void_reason"),
    "OverrideWarranty": Move(WORK | {RESOLVED}, None, "warranty", "warranty note"),
    "Update": Move(WORK | {RESOLVED, FOLLOWED_UP}, None,
                   "type priority customer_name phone address product serial purchase_date"
                   " description fault_code"),
    "Comment": Move(ALL, None, "", "note"),
}
OPTIONS = {"note", "by", "at", "revision", "request_id"}
FUTURE = ("promised_at", "appointment")
MASTERS = ("Units", "Products", "Serials", "Faults")


class Ticket(Case):
    RULES = CLOCKS
    ENDED = ENDED

    def __init__(self, model, event):
        super().__init__(model)
        self.fields = dict.fromkeys(("appointment", "promised_at"))
        self.fields |= {"priority": "normal"} | event.fields
        self.reference = event.reference
        self.subcentre = self.fields.get("subcentre")
        self.dealer = self.fields.get("dealer")
        self.state = RECEIVED
        self.attempts = 0
        self.attempt_day = self.resolver = self.resume_state = None
        self.warranty = "unknown"

    def target(self):
        return self.model.policy.target(self.fields["type"], self.fields["priority"])

    def busy_dealer(self):
        return None if self.state in ENDED else self.dealer

    # ---- transitions ----

    def check(self, method, fields, at):
        """Refuses what is wrong with a call, whatever it would do."""
        move = MOVES[method]
        if fields.get("revision", self.revision) != self.revision:
            raise Refused("StaleRevision")
        if at < self.changed_at:
            raise Refused("InvalidValue")
        if self.state not in move.states:
            raise Refused("InvalidState")
        if fields.keys() - OPTIONS - set(move.takes.split()):
            raise Refused("UnknownField")
        if set(move.needs.split()) - fields.keys():
            raise Refused("MissingField")
        if any(fields.get(name, at + 1) <= at for name in FUTURE):
            raise Refused("InvalidValue")

    def move(self, method, fields, now):
        at = fields.get("at", now)
        self.check(method, fields, at)
        refuse = getattr(self, f"may_{method}", None)
        if refuse:
            refuse(fields)
        self.fields |= {key: value for key, value in fields.items() if key not in OPTIONS}
        to = MOVES[method].to
        before = self.state
        self.state = to if to and to != "?" else before
        effect = getattr(self, f"do_{method}", None)
        if effect:
            effect(fields, at, before)
        self.enter(at)
        if to == "?" and self.state in (RECEIVED, DISPATCHED) and before not in WAITING:
            ladder = self.target().ladder
            role = ladder.recipients[min(self.lift, len(ladder.recipients) - 1)]
            self.escalate("reopened", self.lift, 0, "reopened", role, at)

    def enter(self, at):
        self.revision += 1
        self.changed_at = at
        if self.state in WORK - {RECEIVED}:
            self.owner = self.dealer or self.subcentre
        elif self.state in (RESOLVED, FOLLOWED_UP):
            self.owner = self.model.department("business") or self.subcentre
        else:
            self.owner = self.subcentre
        self.set_clocks(at)

    def may_Transfer(self, fields):
        self.model.company.check_unit(fields["subcentre"], "subcentre")
        if fields["subcentre"] == self.subcentre:
            raise Refused("InvalidValue")

    def do_Transfer(self, fields, _at, before):
        self.subcentre, self.dealer = fields["subcentre"], None
        self.forget_appointment(before)

    def forget_appointment(self, before):
        """What was agreed with one dealer does not bind the next one."""
        if before in (ACCEPTED, VISITED):
            self.fields["appointment"] = None

    def may_Dispatch(self, fields):
        named = fields.get("dealer")
        if self.fields["priority"] == "special":
            if named:
                raise Refused("RuleViolated")
        elif named or (self.state == RECEIVED and self.dealer):
            self.model.check_dealer(named or self.dealer, self.subcentre)
        else:
            self.model.choose_dealer(self.subcentre, self.fields["region"])

    def do_Dispatch(self, fields, _at, before):
        self.forget_appointment(before)
        if self.fields["priority"] == "special":
            self.dealer = None
        elif "dealer" in fields:
            self.dealer = fields["dealer"]
        elif before != RECEIVED or not self.dealer:
            self.dealer = self.model.choose_dealer(self.subcentre, self.fields["region"])

    def do_OverrideWarranty(self, fields, _at, _before):
        self.warranty = fields["warranty"]

    def do_Decline(self, _fields, _at, _before):
        self.dealer = self.fields["appointment"] = None

    def may_Accept(self, _fields):
        if self.state == RECEIVED and self.fields["priority"] != "special":
            raise Refused("InvalidState")

    def may_Visit(self, fields):
        self.model.parts.may_use(self, fields.get("parts"))

    def do_Visit(self, fields, at, _before):
        self.fields["appointment"] = None
        self.model.parts.use(self, fields.get("parts"), at)

    def do_WaitPart(self, _fields, _at, before):
        self.resume_state = before

    do_WaitCustomer = do_WaitPart

    def do_Resume(self, _fields, _at, _before):
        self.state = self.resume_state

    def may_Resolve(self, _fields):
        if self.fields["type"] in self.model.policy.tickets["visit_required"]:
            if self.state != VISITED:
                raise Refused("RuleViolated")

    def do_Resolve(self, fields, _at, _before):
        self.resolver = fields.get("by")

    def may_FollowUp(self, fields):
        if fields.get("by") == self.resolver or not (fields.get("by") and self.resolver):
            raise Refused("RuleViolated")
        if fields["outcome"] == "dissatisfied" and "reopen_reason" not in fields:
            raise Refused("MissingField")

    def do_FollowUp(self, fields, at, _before):
        if fields["outcome"] == "satisfied":
            self.state = FOLLOWED_UP
        elif fields["outcome"] == "dissatisfied":
            self.do_Reopen(fields, at, RESOLVED)
        else:
            day = self.model.local_day(at)
            self.attempts += day != self.attempt_day
            self.attempt_day = day

    def may_Decide(self, _fields):
        if self.attempts < int(self.model.policy.tickets["followup_attempts"]):
            raise Refused("RuleViolated")

    def do_Decide(self, fields, at, _before):
        if fields["decision"] == "accept":
            self.state = FOLLOWED_UP
        else:
            self.do_Reopen(fields, at, RESOLVED)

    def may_Void(self, fields):
        if fields["void_reason"] == "duplicate" and "duplicate_of" not in fields:
            raise Refused("MissingField")
        original = self.model.tickets.get(fields.get("duplicate_of"))
        if original and original.state == VOIDED:
            raise Refused("InvalidValue")

    def do_Update(self, _fields, _at, before):
        self.take_back(before)

    def take_back(self, before):
        """A special customer is the sub-centre's own, and so is what is still to be done for it."""
        if self.fields["priority"] != "special" or not self.dealer or before not in WORK:
            return
        self.dealer = None
        if before in WAITING:
            self.forget_appointment(self.resume_state)
            self.resume_state = RECEIVED
        else:
            self.forget_appointment(before)
            self.state = RECEIVED

    def do_Reopen(self, _fields, _at, _before):
        if self.fields["priority"] == "special":
            self.dealer = None
        self.state = DISPATCHED if self.dealer else RECEIVED
        self.lift += 1
        self.attempts, self.attempt_day = 0, None
        self.fields |= dict.fromkeys(FUTURE)


class Company:
    """The units, and what they say about who does what."""

    def __init__(self):
        self.units = {}
        self.by_region = collections.defaultdict(list)  # (kind, prefix) to codes
        self.faults = set()
        self.products = {}  # to months of warranty
        self.sold = {}  # serial numbers

    def create(self, interface, fields):
        code = fields["code"]
        if interface == "Products":
            self.products[code] = fields.get("warranty_months", 0)
        elif interface == "Faults":
            self.faults.add(code)
        elif interface == "Serials":
            self.sold[code] = fields.get("sold_on")
        elif interface == "Units":
            self.units[code] = fields
            for region in fields.get("regions", "").split():
                if fields.get("active", True):
                    self.by_region[fields["kind"], region].append(code)

    def department(self, kind):
        return min((code for code, unit in self.units.items() if unit["kind"] == kind),
                   default=None)

    def serving(self, kind, region, wanted=lambda _code: True):
        """The units with the longest prefix of a region."""
        for digits in range(len(region), 1, -1):
            codes = [c for c in self.by_region.get((kind, region[:digits]), ()) if wanted(c)]
            if codes:
                return codes
        raise Refused("RuleViolated")

    def check_unit(self, code, kind):
        unit = self.units.get(code)
        if unit is None or unit["kind"] != kind or not unit.get("active", True):
            raise Refused("InvalidValue")
        return unit


class Model:
    def __init__(self, policy):
        self.policy = policy
        self.company = Company()
        self.parts = parts.Parts(self)
        self.tickets = {}
        self.refused = {}  # line of the script to the error's name
        self.refused_tickets = set()
        self.open_of_dealer = collections.Counter()
        self.requests = set()
        self.departments = {}
        self.now = 0

    def local_day(self, at):
        return datetime.datetime.fromtimestamp(at / USEC, self.policy.zone).date()

    def department(self, kind):
        if kind not in self.departments:
            self.departments[kind] = self.company.department(kind)
        return self.departments[kind]

    def recipient(self, role, ticket):
        if role == "owner":
            return ticket.owner
        if role == "subcentre":
            return ticket.subcentre
        return self.department(role)

    def check_dealer(self, dealer, subcentre):
        if self.company.check_unit(dealer, "dealer")["parent"] != subcentre:
            raise Refused("InvalidValue")

    def choose_dealer(self, subcentre, region):
        dealers = self.company.serving(
            "dealer", region, lambda code: self.company.units[code]["parent"] == subcentre)
        return min(dealers, key=lambda code: (self.open_of_dealer[code], code))

    def place(self, ticket):
        fields = ticket.fields
        if not ticket.subcentre:
            ticket.subcentre = min(self.company.serving("subcentre", fields["region"]))
        if ticket.dealer:
            self.check_dealer(ticket.dealer, ticket.subcentre)
        elif self.policy.tickets["assign_dealer"] == "true" and fields["priority"] != "special":
            try:
                ticket.dealer = self.choose_dealer(ticket.subcentre, fields["region"])
            except Refused:
                pass  # it stays with the sub-centre

    def create(self, event):
        if event.reference in self.tickets:
            return
        fields = event.fields
        if not {"type", "region"} <= fields.keys():
            raise Refused("MissingField")
        at = fields.get("at", event.at)
        if (any(fields.get(name, at + 1) <= at for name in FUTURE)
                or fields.get("product", "") not in self.company.products.keys() | {""}
                or fields.get("fault_code", "") not in self.company.faults | {""}):
            raise Refused("InvalidValue")
        ticket = Ticket(self, event)
        self.place(ticket)
        self.tickets[event.reference] = ticket
        self.open_of_dealer[ticket.busy_dealer()] += 1
        ticket.warranty = self.warranty(ticket, at)
        ticket.enter(at)

    def warranty(self, ticket, at):
        sold = self.company.sold.get(ticket.fields.get("serial")) or ticket.fields.get("purchase_date")
        months = self.company.products.get(ticket.fields.get("product"))
        if not sold or not months:
            return "unknown"
        return "in" if self.local_day(at) <= parts.months_later(sold, months) else "out"

    def play_ticket(self, event, method):
        if method == "Create":
            self.create(event)
            return
        ticket = self.tickets[event.reference]
        before = ticket.busy_dealer()
        ticket.pass_time(event.at)
        ticket.move(method, event.fields, event.at)
        self.open_of_dealer[before] -= 1
        self.open_of_dealer[ticket.busy_dealer()] += 1

    def play(self, event):
        self.now = event.at
        interface, _, method = event.method.partition(".")
        request = event.fields.get("request_id")
        if request in self.requests:
            return
        if event.reference == "-":
            take = self.company.create if interface in MASTERS else self.parts.take
            take(interface, event.fields)
            return
        if event.reference in self.refused_tickets:
            return
        try:
            if interface == "Tickets":
                self.play_ticket(event, method)
            else:
                self.parts.play(event.reference, method, event.at)
        except Refused as refused:
            self.refused[event.line] = str(refused)
            if event.reference not in self.tickets:
                self.refused_tickets.add(event.reference)
        else:
            if request:
                self.requests.add(request)

    def finish(self):
        """The end: whatever is due by then has happened."""
        for case in (*self.tickets.values(), *self.parts.cores.values()):
            case.pass_time(self.now)
            for clock in case.clocks.values():
                if clock.stopped is None and clock.deadline is not None and not clock.paused():
                    case.overdue |= clock.deadline < self.now
