# SPDX-License-Identifier: Apache-2.0
"""For every method of the daemon a call that succeeds, as often as it is asked for, and what has to
be there before. A method without a recipe fails tests/sweep."""

import os

from files import as_csv, memory_file
from harness import HOUR, REGION, variants
from test_reports import DUTIES

DAY = "2026-03-02"
TICKET = {"type": "repair", "region": REGION, "dealer": "BJ-1", "phone": "000-1",
          "description": "000-1"}
BATCH = 200  # escalations made at a time

WORKED = [("Dispatch", {}), ("Accept", {})]
RESOLVED = [*WORKED, ("Visit", {}), ("Resolve", {"result": "repaired", "by": "worker"})]
UNREACHABLE = ("FollowUp", {"outcome": "unreachable", "by": "clerk"})
FOLLOWED_UP = [*RESOLVED, ("FollowUp", {"outcome": "satisfied", "by": "clerk"})]
# Each transition: what comes before it, and its own fields.
TRANSITIONS = {
    "Transfer": ([], {"subcentre": "SH", "note": "000"}),
    "Dispatch": ([], {}),
    "Decline": (WORKED[:1], {"note": "000"}),
    "Accept": (WORKED[:1], {"technician": "000"}),
    "Appoint": (WORKED, {"technician": "000"}),
    "Promise": ([], {}),
    "Visit": (WORKED, {"technician": "000", "serial": "S-1", "fault_code": "AC01"}),
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
}
MASTERS = {
    "Units": ({"kind": "dealer", "name": "000", "parent": "BJ", "regions": "1101"},
              {"name": "001"}),
    "Products": ({"name": "000", "line": "AC", "origin": "own"}, {"name": "001"}),
    "Serials": ({"product": "AC-1"}, {"sold_on": "2026-01-15"}),
    "Faults": ({"symptom": "000"}, {"symptom": "001"}),
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
        for name in TRANSITIONS:
            table["Tickets", name] = lambda name=name: self.transition(name)
        for kind in ("Tickets", "Reports"):
            case = self.ticket if kind == "Tickets" else self.report
            for name in ("Get", "History", "Explain"):
                table[kind, name] = lambda case=case: ("t", self.once(case))
            for name in ("HistoryPage", "ExplainPage"):
                table[kind, name] = lambda case=case: ("tsu", self.once(case), "", 100)
            table[kind, "List"] = lambda case=case: (self.once(case), self.page())[1]
        table["Tickets", "Create"] = lambda: ("a{sv}", variants(TICKET))
        table["Reports", "Create"] = lambda: ("a{sv}", variants({"dealer": self.unit()}))
        for name in ("Nothing", "Excuse"):
            table["Reports", name] = lambda: ("ta{sv}", self.report(), variants({"note": "000"}))
        for kind in MASTERS:
            self.add_master(table, kind)
        for name in dir(self):
            interface, _, method = name.partition("_")
            if interface[:1].isupper() and method:
                table[interface, method] = getattr(self, name)
        return table

    def add_master(self, table, kind):
        code = lambda: self.once(lambda: self.master(kind), kind)  # noqa: E731
        table[kind, "Create"] = lambda: ("a{sv}", variants(
            {"code": self.fresh()} | MASTERS[kind][0]))
        table[kind, "Update"] = lambda: ("sa{sv}", self.master(kind), variants(MASTERS[kind][1]))
        table[kind, "Get"] = lambda: ("s", code())
        table[kind, "History"] = lambda: ("s", code())
        table[kind, "HistoryPage"] = lambda: ("ssu", code(), "", 100)
        table[kind, "List"] = self.page

    # -- what is prepared --

    def fresh(self):
        self.n += 1
        return f"X-{os.urandom(4).hex()}-{self.n}".upper()

    def once(self, make, name=None):
        name = name or make.__name__
        if name not in self.kept:
            self.kept[name] = make()
        return self.kept[name]

    def ticket(self):
        return self.client.create(**TICKET)

    def transition(self, name):
        before, fields = TRANSITIONS[name]
        ticket = self.ticket()
        for member, values in before:
            self.client.move(member, ticket, **values)
        if name == "Decide":
            self.be_unreachable(ticket)
        if name in ("Appoint", "Promise"):
            field = {"Appoint": "appointment", "Promise": "promised_at"}[name]
            fields = {**fields, field: self.clock.now + 30 * HOUR}
        return "ta{sv}", ticket, variants(fields)

    def be_unreachable(self, ticket):
        """On three days."""
        for _ in range(3):
            self.client.move(UNREACHABLE[0], ticket, **UNREACHABLE[1])
            self.clock.jump(24 * HOUR)

    def master(self, kind):
        code = self.fresh()
        self.client.call(kind, "Create", "a{sv}", variants({"code": code} | MASTERS[kind][0]))
        return code

    def unit(self):
        return self.master("Units")

    def report(self):
        return self.client.call("Reports", "Create", "a{sv}", variants({"dealer": self.unit()}))[0]

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

    def import_job(self):
        """The number of an import that has ended."""
        job = self.client.call("Transfer", "Import", *self.import_arguments())
        self.client.call("Jobs", "Wait", "t", job)
        return job

    def job(self):
        """One of this daemon: they are forgotten at its end."""
        return self.once(self.import_job, f"job of {self.clock.starts}")

    # -- the rest --

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


