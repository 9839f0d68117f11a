# SPDX-License-Identifier: Apache-2.0
"""For every method of the daemon a call that succeeds, as often as it is asked for, and what has to
be there before. A method without a recipe fails tests/sweep."""

import os

from files import as_csv, memory_file
from harness import HOUR, REGION, at, variants
from test_reports import DUTIES

DAY = "2026-03-02"
MONTH, NEXT_MONTH = "2026-03", "2026-04"
TICKET = {"type": "repair", "region": REGION, "dealer": "BJ-1", "phone": "000-1",
          "description": "000-1"}
BATCH = 200  # escalations made at a time
STOCK = 1_000_000  # of each part, so that there is always enough
GOODS = 10_000_000  # in a shipment
# K-1 must come back, K-2 need not.
PARTS = ({"code": "K-1", "returnable": True}, {"code": "K-2"})
USED = {"parts": "part=K-1 quantity=2; part=K-2"}
LINES = {"lines": "part=K-1 quantity=4; part=K-2 quantity=4"}

WORKED = [("Dispatch", {}), ("Accept", {})]
RESOLVED = [*WORKED, ("Visit", {}), ("Resolve", {"result": "repaired", "by": "worker"})]
UNREACHABLE = ("FollowUp", {"outcome": "unreachable", "by": "clerk"})
FOLLOWED_UP = [*RESOLVED, ("FollowUp", {"outcome": "satisfied", "by": "clerk"})]
SHIPPED = [("Ship", {})]
RECEIVED = [*SHIPPED, ("Receive", {})]
SUBMITTED = [("Submit", {})]
APPROVED = [*SUBMITTED, ("Approve", {})]
SENT = [*APPROVED, ("Ship", {})]
# Each transition: what comes before it, and its own fields.
TRANSITIONS = {
    "Tickets": {
        "Transfer": ([], {"subcentre": "SH", "note": "000"}),
        "Dispatch": ([], {}),
        "Decline": (WORKED[:1], {"note": "000"}),
        "Accept": (WORKED[:1], {"technician": "000"}),
        "Appoint": (WORKED, {"technician": "000"}),
        "Promise": ([], {}),
        "Visit": (WORKED, USED | {"technician": "000", "serial": "S-1", "fault_code": "AC01"}),
        "Unuse": ([*WORKED, ("Visit", USED)], USED | {"note": "000"}),
        "WaitPart": (WORKED, {"wait_reason": "000"}),
        "WaitCustomer": ([], {"wait_reason": "000"}),
        "Resume": ([("WaitCustomer", {"wait_reason": "000"})], {}),
        "Resolve": (RESOLVED[:3], {"result": "repaired", "technician": "000"}),
        "FollowUp": (RESOLVED, {"outcome": "satisfied", "satisfaction": 5, "by": "clerk"}),
        "Decide": (RESOLVED, {"decision": "accept", "note": "000"}),
        "Close": (FOLLOWED_UP, {}),
        "Reopen": (RESOLVED, {"reopen_reason": "late_visit"}),
        "Void": ([], {"void_reason": "wrong_number"}),
        "OverrideWarranty": ([], {"warranty": "in", "note": "000"}),
        "Update": ([], {"description": "000-2"}),
        "Comment": ([], {"note": "000"}),
    },
    "Reports": {
        "Nothing": ([], {"note": "000"}),
        "Excuse": ([], {"note": "000"}),
    },
    "Cores": {
        "Ship": ([], {"quantity": 1, "waybill": "000"}),
        "Receive": (SHIPPED, {"quantity": 1}),
        "Accept": (RECEIVED, {"quantity": 1}),
        "Reject": (SHIPPED, {"quantity": 1, "reject_reason": "missing"}),
        "Charge": ([], {"quantity": 1, "charge": 100, "note": "000"}),
    },
    "Orders": {
        "Edit": ([], LINES),
        "Submit": ([], {}),
        "Approve": (SUBMITTED, {"lines": "part=K-1 approved=3 cut_reason=000"}),
        "SendBack": (SUBMITTED, {"note": "000"}),
        "Ship": (APPROVED, {"lines": "part=K-1 quantity=2"}),
        "Receive": (SENT, {"lines": "part=K-1 quantity=1 missing=1"}),
        "CloseShort": (APPROVED, {"note": "000"}),
        "Cancel": (SUBMITTED, {"note": "000"}),
    },
    "Obligations": {
        "Deliver": ([], {"quantity": 1}),
        "Waive": ([], {"note": "000"}),
    },
}
# What a new record has, and what is changed in it.
MASTERS = {
    "Units": ({"kind": "dealer", "name": "000", "parent": "BJ", "regions": "1101"},
              {"name": "001"}),
    "Products": ({"name": "000", "line": "AC", "origin": "own", "warranty_months": 12},
                 {"name": "001"}),
    "Serials": ({"product": "AC-1"}, {"sold_on": "2026-01-15"}),
    "Faults": ({"symptom": "000"}, {"symptom": "001"}),
    "Suppliers": ({"name": "000"}, {"name": "001"}),
    "Parts": ({"name": "000", "line": "AC", "models": "AC-1 WM-1"}, {"name": "001"}),
    "Contracts": ({"supplier": "S1", "parts": "K-1 K-2", "rate": 1, "share": 1}, {"rate": 2}),
}


class Recipes:
    """Of one sweep: knows what was prepared. Every recipe answers (signature, *arguments)."""

    POLICY = DUTIES.replace("level: debug", "level: info") if "level: debug" in DUTIES else DUTIES

    def __init__(self, client, clock):
        self.client = client
        self.clock = clock
        self.n = 0
        self.kept = {}  # made once
        self.pool = []  # numbers to be used once
        self.descriptors = []

    def close(self):
        for fd in self.descriptors:
            os.close(fd)
        self.descriptors.clear()

    def names(self):
        return set(self.table())

    def table(self):
        table = {}
        for kind in TRANSITIONS:
            self.add_kind(table, kind)
        for kind in MASTERS:
            self.add_master(table, kind)
        for kind in ("Moves", "Shipments", "Assessments"):
            table[kind, "Get"] = lambda kind=kind: ("t", self.once(self.entry, kind))
            table[kind, "List"] = lambda kind=kind: (self.once(self.entry, kind), self.page())[1]
        for name in dir(self):
            interface, _, method = name.partition("_")
            if interface[:1].isupper() and method:
                table[interface, method] = getattr(self, name)
        return table

    def add_kind(self, table, kind):
        case = lambda: self.once(self.case, kind)  # noqa: E731
        for name in TRANSITIONS[kind]:
            table[kind, name] = lambda name=name: self.transition(kind, name)
        for name in ("Get", "History", "Explain"):
            table[kind, name] = lambda: ("t", case())
        for name in ("HistoryPage", "ExplainPage"):
            table[kind, name] = lambda: ("tsu", case(), "", 100)
        table[kind, "List"] = lambda: (case(), self.page())[1]

    def add_master(self, table, kind):
        code = lambda: self.once(self.master, kind)  # noqa: E731
        table[kind, "Create"] = lambda: ("a{sv}", variants(self.new_master(kind)))
        table[kind, "Update"] = lambda: ("sa{sv}", self.master(kind), variants(MASTERS[kind][1]))
        table[kind, "Get"] = lambda: ("s", code())
        table[kind, "History"] = lambda: ("s", code())
        table[kind, "HistoryPage"] = lambda: ("ssu", code(), "", 100)
        table[kind, "List"] = self.page

    # -- what is prepared --

    def fresh(self):
        self.n += 1
        return f"X-{os.urandom(4).hex()}-{self.n}".upper()

    def once(self, make, *arguments):
        key = (make.__name__, *arguments)
        if key not in self.kept:
            self.kept[key] = make(*arguments)
        return self.kept[key]

    def create(self, interface, **fields):
        return self.client.call(interface, "Create", "a{sv}", variants(fields))[0]

    def case(self, kind):
        return {"Tickets": self.ticket, "Reports": self.report, "Cores": self.core,
                "Orders": self.order, "Obligations": self.obligation}[kind]()

    def entry(self, kind):
        return {"Moves": self.move, "Shipments": self.shipment, "Assessments": self.assessment}[kind]()

    def ticket(self, **fields):
        """With parts to be used on it."""
        self.once(self.stock)
        return self.client.create(**(TICKET | {"product": "AC-1", "purchase_date": "2026-01-10"} |
                                     fields))

    def stock(self):
        """At headquarters and the dealer's."""
        self.create("Suppliers", code="S1", name="000")
        for part in PARTS:
            self.create("Parts", name="000", line="AC", supplier="S1", **part)
            for unit in ("HQ", "BJ-1"):
                self.receive(part["code"], unit)

    def receive(self, part, to):
        return self.create("Moves", part=part, quantity=STOCK, reason="received", to=to,
                           **{"from": "supplier:S1"})

    def move(self):
        self.once(self.stock)
        return self.receive("K-2", "HQ")

    def use(self, **fields):
        """A ticket on which parts were used."""
        ticket = self.ticket(**fields)
        when = {"at": fields["at"]} if "at" in fields else {}
        for member, values in (*WORKED, ("Visit", USED)):
            self.client.move(member, ticket, **values, **when)
        return ticket

    def core(self):
        ticket = self.use()
        return self.client.list_all("Cores", {"ticket": ticket})[0]["id"]

    def order(self):
        self.once(self.stock)
        return self.create("Orders", dealer="BJ-1", **LINES)

    def shipment(self, contract=None):
        return self.create("Shipments", contract=contract or self.master("Contracts"), quantity=GOODS)

    def obligation(self):
        contract = self.master("Contracts")
        self.shipment(contract)
        return self.client.list_all("Obligations", {"contract": contract})[0]["id"]

    def assessment(self):
        """Of a core that has not been sent back."""
        self.core()
        self.clock.advance(400 * HOUR)
        return self.client.list_all("Assessments", {"dealer": "BJ-1"})[0]["id"]

    def transition(self, kind, name):
        before, fields = TRANSITIONS[kind][name]
        number = self.case(kind)
        for member, values in before:
            self.client.call(kind, member, "ta{sv}", number, variants(values))
        if name == "Decline":
            self.be_unreachable(number)
        if name in ("Appoint", "Promise"):
            field = {"Appoint": "appointment", "Promise": "promised_at"}[name]
            fields = {**fields, field: self.clock.now + 30 * HOUR}
        return "ta{sv}", number, variants(fields)

    def be_unreachable(self, ticket):
        """On three days."""
        for _ in range(3):
            self.client.move(UNREACHABLE[0], ticket, **UNREACHABLE[1])
            self.clock.jump(24 * HOUR)

    def new_master(self, kind):
        fields = {"code": self.fresh()} | MASTERS[kind][0]
        if kind == "Contracts":  # there is one for a product
            self.once(self.stock)
            fields["product"] = self.master("Products")
        return fields

    def master(self, kind):
        fields = self.new_master(kind)
        self.create(kind, **fields)
        return fields["code"]

    def unit(self):
        return self.master("Units")

    def report(self):
        return self.create("Reports", dealer=self.unit())

    def page(self):
        return "a{sv}su", {}, "", 5

    def late_ticket(self):
        """That escalates in four hours, and then again and again."""
        return self.client.create(type="technical_question", region=REGION)

    def escalation(self):
        """The number of one that nobody has acknowledged."""
        if not self.pool:
            for _ in range(BATCH):
                self.late_ticket()
            self.clock.advance(4 * HOUR + 1)
            rows = self.client.list_all("Escalations")
            self.pool = [row["id"] for row in rows]
        return self.pool.pop()

    def memory(self, data):
        fd = memory_file(data)
        self.descriptors.append(fd)
        return fd

    def import_arguments(self):
        rows = [{"type": "repair", "region": REGION, "reference": self.fresh()} for _ in range(3)]
        rows.append({"type": "nonsense", "region": REGION, "reference": self.fresh()})
        return "sha{sv}", "ticket", self.memory(as_csv(rows)), {}

    def export_arguments(self):
        self.once(self.ticket)
        fd = os.memfd_create("export")
        self.descriptors.append(fd)
        return "sa{sv}ha{sv}", "ticket", {}, fd, {}

    def import_job(self, _starts):
        """The number of an import that has ended."""
        job = self.client.call("Transfer", "Import", *self.import_arguments())
        self.client.call("Jobs", "Wait", "t", job)
        return job

    def job(self):
        """One of this daemon: they are forgotten at its end."""
        return self.once(self.import_job, self.clock.starts)

    # -- the rest --

    def Tickets_Create(self):
        return "a{sv}", variants(TICKET)

    def Reports_Create(self):
        return "a{sv}", variants({"dealer": self.unit()})

    def Orders_Create(self):
        self.once(self.stock)
        return "a{sv}", variants({"dealer": "BJ-1", "reference": self.fresh()} | LINES)

    def Moves_Create(self):
        self.once(self.stock)
        return "a{sv}", variants({"part": "K-1", "quantity": 1, "from": "HQ", "to": "BJ",
                                  "reason": "transferred"})

    def Shipments_Create(self):
        return "a{sv}", variants({"contract": self.master("Contracts"), "quantity": 1000})

    def Stock_List(self):
        self.once(self.stock)
        return self.page()

    def Stock_Totals(self):
        self.once(self.stock)
        return (None,)

    def Owed_List(self):
        self.once(self.core)
        return self.page()

    def Accounts_Show(self):
        self.once(self.obligation)
        return "s", self.once(self.master, "Contracts")

    def Accounts_Claim(self):
        """More has failed than was declared, which was nothing."""
        fields = self.new_master("Contracts")
        self.create("Contracts", **fields)
        self.use(product=fields["product"])
        return "s", fields["code"]

    def Planning_Run(self):
        """Of a dealer that has none yet."""
        self.once(self.stock)
        dealer = self.unit()
        for part in PARTS:
            self.receive(part["code"], dealer)
        self.use(dealer=dealer, at=at("2026-02-10 10:00"))
        return "ss", dealer, MONTH

    def Planning_Show(self):
        self.once(self.use)
        return "sssu", "BJ-1", NEXT_MONTH, "", 100

    def Planning_Explain(self):
        self.once(self.use)
        return "sss", "BJ-1", NEXT_MONTH, "K-1"

    def Manager_Status(self):
        return (None,)

    Manager_Subscribe = Manager_Unsubscribe = Manager_Check = Manager_AcceptClock = Manager_Status
    Jobs_List = Calendars_List = Calendars_Check = Policy_Reload = Policy_List = Manager_Status
    Backups_Create = Backups_List = Clock_Get = Manager_Status

    def Manager_Changes(self):
        return "tu", 0, 100

    def Manager_Schema(self):
        return "s", "ticket"

    def Manager_Transitions(self):
        return "s", "ticket"

    def Jobs_Get(self):
        return "t", self.job()

    Jobs_Cancel = Jobs_Problems = Jobs_Rejects = Jobs_Get

    def Jobs_Wait(self):
        return "t", self.client.call("Transfer", "Export", *self.export_arguments())

    def Transfer_Import(self):
        return self.import_arguments()

    def Transfer_Export(self):
        return self.export_arguments()

    def Escalations_Get(self):
        return "t", self.once(self.escalation)

    def Escalations_List(self):
        self.once(self.escalation)
        return self.page()

    def Escalations_Acknowledge(self):
        return "ta{sv}", self.escalation(), {}

    def Notifications_Take(self):
        self.escalation()
        return "uu", 1, 60

    def Notifications_Acknowledge(self):
        self.escalation()
        rows = self.client.call("Notifications", "Take", "uu", 1, 60)
        return "at", [row["id"] for row in rows]

    def Calendars_Days(self):
        return "sss", "office", DAY, "2026-03-20"

    def Policy_Preview(self):
        self.once(self.ticket)
        return "u", 10

    def Policy_Show(self):
        return "b", True

    def Policy_Simulate(self):
        self.once(self.ticket)
        return "xa{sv}u", self.clock.now + 100 * HOUR, {}, 10

    def Clock_Advance(self):
        """A step in which something falls due; the ticket of the one before is out of the way."""
        last = self.kept.pop("late", None)
        if last:
            self.client.move("Void", last, void_reason="wrong_number")
        self.kept["late"] = self.late_ticket()
        self.clock.now = self.client.now() + 4 * HOUR + 1
        return "x", self.clock.now

    def Clock_Jump(self):
        self.clock.now = self.client.now() + HOUR
        return "x", self.clock.now

    def Clock_SetSynchronised(self):
        return "b", True


