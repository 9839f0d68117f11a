# SPDX-License-Identifier: Apache-2.0
"""Who may do what, and over whose tickets. What the roles may is written down here a second time;
every method that the daemon offers must have its line."""

import unittest
import xml.etree.ElementTree

from harness import BusError, HOUR, REGION, ServiceTest, needs_root, variants

READERS = {"ticket.read", "report.read", "escalation.read", "product.read", "serial.read",
           "fault.read", "part.read", "stock.read", "core.read",
           "assessment.read", "order.read"}
ROLES = {
    "root": None,  # everything
    "information centre": READERS | {
        "ticket.create", "ticket.update", "ticket.dispatch", "ticket.promise", "ticket.followup",
        "ticket.void", "escalation.acknowledge", "unit.read", "serial.write", "personal.read",
        "act_for", "data.import", "data.export", "status.read"},
    "sub-centre": READERS | {
        "ticket.create", "ticket.update", "ticket.dispatch", "ticket.work", "ticket.promise",
        "ticket.decide", "ticket.void", "report.submit", "report.excuse", "stock.move",
        "order.create", "order.ship", "order.receive",
        "core.receive", "core.inspect",
        "escalation.acknowledge", "unit.read", "personal.read", "data.import", "data.export", "status.read"},
    "dealer": READERS | {
        "ticket.create", "ticket.work", "ticket.promise", "ticket.followup", "report.submit", "core.ship",
        "order.create", "order.receive",
        "escalation.acknowledge", "personal.read"},
    "auditor": READERS | {"unit.read", "supplier.read", "contract.read",
                                "status.read"},
    "notifier": {"notification.take", "escalation.read", "status.read"},
    "nobody": set(),
}
USERS = {"root": None, "information centre": "daemon", "sub-centre": "games", "dealer": "mail",
         "auditor": "news", "notifier": "www-data", "nobody": "nobody"}

ANYBODY = None
ANY_READER = (*sorted(READERS), "unit.read", "supplier.read", "contract.read")
CASE = {"Create": "ticket.create", "Get": "ticket.read", "List": "ticket.read",
        "History": "ticket.read", "HistoryPage": "ticket.read", "Explain": "ticket.read",
        "ExplainPage": "ticket.read"}
TRANSITIONS = {
    "Transfer": "ticket.dispatch", "Dispatch": "ticket.dispatch", "Decline": "ticket.work",
    "Accept": "ticket.work", "Appoint": "ticket.work", "Promise": "ticket.promise",
    "Visit": "ticket.work", "Unuse": "ticket.work", "WaitPart": "ticket.work", "WaitCustomer": "ticket.work",
    "Resume": "ticket.work", "Resolve": "ticket.work", "FollowUp": "ticket.followup",
    "Decide": "ticket.decide", "Close": "ticket.followup", "Reopen": "ticket.followup",
    "Void": "ticket.void", "OverrideWarranty": "ticket.warranty", "Update": "ticket.update",
    "Comment": "ticket.update"}
REPORT = {"Create": "report.submit", "Get": "report.read", "List": "report.read",
          "History": "report.read", "HistoryPage": "report.read", "Explain": "report.read",
          "ExplainPage": "report.read"}
REPORT_TRANSITIONS = {"Nothing": "report.submit", "Excuse": "report.excuse"}


CORE_TRANSITIONS = {"Ship": "core.ship", "Receive": "core.receive", "Accept": "core.inspect",
                    "Reject": "core.inspect", "Charge": "core.decide"}
ORDER_TRANSITIONS = {"Edit": "order.create", "Submit": "order.create", "Approve": "order.approve",
                     "SendBack": "order.approve", "Ship": "order.ship", "Receive": "order.receive",
                     "CloseShort": "order.approve", "Cancel": "order.approve"}
OBLIGATION_TRANSITIONS = {"Deliver": "contract.ship", "Waive": "contract.waive"}


def master(name):
    return {"Create": f"{name}.write", "Update": f"{name}.write", "Get": f"{name}.read",
            "List": f"{name}.read", "History": f"{name}.read", "HistoryPage": f"{name}.read"}


METHODS = {
    "Tickets": CASE | TRANSITIONS,
    "Reports": REPORT | REPORT_TRANSITIONS,
    "Units": master("unit"),
    "Products": master("product"),
    "Serials": master("serial"),
    "Faults": master("fault"),
    "Parts": master("part"),
    "Suppliers": master("supplier"),
    "Cores": {"Get": "core.read", "List": "core.read",
              "History": "core.read", "HistoryPage": "core.read", "Explain": "core.read",
              "ExplainPage": "core.read"} | CORE_TRANSITIONS,
    "Orders": {"Create": "order.create", "Get": "order.read", "List": "order.read",
               "History": "order.read", "HistoryPage": "order.read", "Explain": "order.read",
               "ExplainPage": "order.read"} | ORDER_TRANSITIONS,
    "Owed": {"List": "core.read"},
    "Planning": {"Run": "order.create", "Show": "order.read", "Explain": "order.read"},
    "Contracts": master("contract"),
    "Shipments": {"Create": "contract.ship", "Get": "contract.read", "List": "contract.read"},
    "Obligations": {"Get": "contract.read", "List": "contract.read",
                    "History": "contract.read", "HistoryPage": "contract.read",
                    "Explain": "contract.read",
                    "ExplainPage": "contract.read"} | OBLIGATION_TRANSITIONS,
    "Accounts": {"Show": "contract.read", "Claim": "contract.ship"},
    "Moves": {"Create": "stock.move", "Get": "stock.read", "List": "stock.read"},
    "Assessments": {"Get": "assessment.read", "List": "assessment.read"},
    "Stock": {"List": "stock.read", "Totals": "stock.read"},
    "Escalations": {"Get": "escalation.read", "List": "escalation.read",
                    "Acknowledge": "escalation.acknowledge"},
    "Notifications": {"Take": "notification.take", "Acknowledge": "notification.take"},
    "Calendars": {"List": "status.read", "Days": "status.read", "Check": "status.read"},
    "Manager": {"Status": "status.read", "Subscribe": ANY_READER, "Unsubscribe": ANYBODY,
                "Changes": ANY_READER,
                "Check": "admin.check", "AcceptClock": "admin.clock", "Schema": ANYBODY,
                "Transitions": ANYBODY},
    "Transfer": {"Import": "data.import", "Export": "data.export"},
    "Jobs": {"List": ANYBODY, "Get": ANYBODY, "Wait": ANYBODY, "Cancel": ANYBODY,
             "Problems": ANYBODY, "Rejects": ANYBODY},
    "Policy": {"Reload": "admin.reload", "Preview": "admin.reload", "List": "status.read",
               "Show": "status.read",
               "Simulate": "escalation.read"},
    "Backups": {"Create": "admin.backup", "List": "admin.backup"},
    "Clock": {"Get": "admin.clock", "Advance": "admin.clock", "Jump": "admin.clock",
              "SetSynchronised": "admin.clock"},
}

# Arguments that no call gets anywhere with, so that nothing changes whoever may.
HARMLESS = {"t": 0, "s": "", "u": 0, "x": 0, "b": True, "a{sv}": {}, "at": [],
            "h": 0}


def split_signature(signature):
    """Into complete types."""
    types = []
    while signature:
        length = next(n for n in range(1, 6) if signature[:n] in HARMLESS)
        types.append(signature[:length])
        signature = signature[length:]
    return types


@needs_root
class Matrix(ServiceTest):
    def offered(self):
        """{interface: {method: signature}} as the daemon tells it."""
        document = self.client.call("org.freedesktop.DBus.Introspectable", "Introspect")
        interfaces = {}
        for interface in xml.etree.ElementTree.fromstring(document).findall("interface"):
            name = interface.get("name")
            if name.startswith("org.aftersales1."):
                interfaces[name.removeprefix("org.aftersales1.")] = {
                    method.get("name"): "".join(arg.get("type") for arg in method.findall("arg")
                                                if arg.get("direction") == "in")
                    for method in interface.findall("method")}
        return interfaces

    def test_every_method_has_its_line(self):
        offered = self.offered()
        self.assertEqual({name: set(methods) for name, methods in offered.items()},
                         {name: set(methods) for name, methods in METHODS.items()})
        for kind, transitions in (("ticket", TRANSITIONS), ("report", REPORT_TRANSITIONS),
                                  ("core", CORE_TRANSITIONS), ("order", ORDER_TRANSITIONS),
                                  ("obligation", OBLIGATION_TRANSITIONS)):
            told = {row["method"]: row["permission"]
                    for row in self.client.call("Manager", "Transitions", "s", kind)}
            self.assertEqual(told, transitions)

    def outcome(self, client, interface, member, signature):
        arguments = [HARMLESS[part] for part in split_signature(signature)]
        try:
            client.call(interface, member, signature or None, *arguments)
        except BusError as error:
            return error
        return None

    def test_every_role(self):
        offered = self.offered()
        for role, user in USERS.items():
            client = self.service.client(user)
            for interface, methods in METHODS.items():
                for member, permission in methods.items():
                    with self.subTest(role=role, method=f"{interface}.{member}"):
                        outcome = self.outcome(client, interface, member,
                                               offered[interface][member])
                        wanted = permission if isinstance(permission, tuple) else (permission,)
                        allowed = (permission is ANYBODY or ROLES[role] is None or
                                   not ROLES[role].isdisjoint(wanted))
                        if allowed:
                            self.assertNotEqual(getattr(outcome, "name", None), "NotPermitted")
                        else:
                            self.assert_error(outcome, "NotPermitted",
                                              *wanted if len(wanted) == 1 else ())
                        self.assertNotIn("freedesktop", getattr(outcome, "name", ""))

    def test_nothing_was_changed_by_that(self):
        """Whoever may not do a thing has not done it either."""
        nobody = self.service.client("nobody")
        ticket = self.ticket(customer_name="李四")
        for member in TRANSITIONS:
            with self.refused("NotPermitted", "role (none)", unchanged=ticket):
                nobody.move(member, ticket, note="注")

    def test_the_rule_of_a_user_comes_before_that_of_a_group(self):
        bj, sh = self.ticket(dealer="BJ-1"), self.ticket(region="310115", dealer="SH-1")
        both = self.service.client("mail", ["lp"])
        self.assertEqual(both.get(bj)["id"], bj)
        with self.refused("OutOfScope"):
            both.get(sh)
        group_only = self.service.client("irc", ["lp", "games"])
        self.assertEqual(group_only.get(sh)["id"], sh)


@needs_root
class Scope(ServiceTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.clients = {
            "centre": cls.service.client("daemon"), "auditor": cls.service.client("news"),
            "BJ": cls.service.client("games"), "SH": cls.service.client("man"),
            "BJ-1": cls.service.client("mail"), "SH-1": cls.service.client("irc", ["lp"]),
        }
        create = cls.client.create
        cls.tickets = {
            "BJ-1": create(type="consultation", region=REGION, dealer="BJ-1"),
            "BJ-2": create(type="consultation", region=REGION, dealer="BJ-2"),
            "BJ": create(type="consultation", region=REGION, priority="special"),
            "SH-1": create(type="consultation", region="310115", dealer="SH-1", reference="SH-REF"),
        }
        cls.client.advance(cls.client.now() + 4 * HOUR + 1)  # a warning and a rung for each

    SEES = {"centre": {"BJ-1", "BJ-2", "BJ", "SH-1"}, "auditor": {"BJ-1", "BJ-2", "BJ", "SH-1"},
            "BJ": {"BJ-1", "BJ-2", "BJ"}, "SH": {"SH-1"}, "BJ-1": {"BJ-1"}, "SH-1": {"SH-1"}}

    def check(self, name, whose, call):
        """The call works on what the client sees and is out of scope on everything else."""
        with self.subTest(client=name, ticket=whose):
            if whose in self.SEES[name]:
                call()
            else:
                with self.refused("OutOfScope", name, unchanged=self.tickets[whose]):
                    call()

    def test_reading(self):
        for name, client in self.clients.items():
            for whose, ticket in self.tickets.items():
                for member in ("Get", "History", "Explain"):
                    self.check(name, whose,
                               lambda: client.call("Tickets", member, "t", ticket))
                for member in ("HistoryPage", "ExplainPage"):
                    self.check(name, whose,
                               lambda: client.call("Tickets", member, "tsu", ticket, "", 1000))

    def test_listing(self):
        number = {ticket: whose for whose, ticket in self.tickets.items()}
        for name, client in self.clients.items():
            sees = {self.tickets[whose] for whose in self.SEES[name]}
            for filters in ({}, {"ended": True}, {"type": "consultation"}, {"rung": 1},
                            {"state": "received"}, {"subcentre": "BJ"}, {"dealer": "SH-1"},
                            {"dealer": "BJ-2"}, {"reference": "SH-REF"}, {"region": REGION},
                            {"overdue": True}):
                with self.subTest(client=name, **filters):
                    everything = {row["id"] for row in self.client.list_all("Tickets", filters)}
                    rows = [row["id"] for row in client.list_all("Tickets", filters)]
                    self.assertEqual(len(rows), len(set(rows)))
                    self.assertEqual({number[row] for row in rows if row in number},
                                     {number[row] for row in everything & sees})
                    self.assertLessEqual({client.get(row)["id"] for row in rows}, everything)

    def test_escalations(self):
        for name, client in self.clients.items():
            for whose, ticket in self.tickets.items():
                for e in self.client.escalations(ticket):
                    self.check(name, whose, lambda: client.call("Escalations", "Get", "t", e["id"]))
                self.assertEqual(bool(client.escalations(ticket)), whose in self.SEES[name])
        foreign = self.client.escalations(self.tickets["SH-1"])[0]["id"]
        with self.refused("OutOfScope", "BJ"):
            self.clients["BJ"].call("Escalations", "Acknowledge", "ta{sv}", foreign, {})

    def test_moving(self):
        for name, member, fields in (("BJ", "Comment", {"note": "注"}),
                                     ("SH", "Comment", {"note": "注"}),
                                     ("BJ-1", "Accept", {}), ("SH-1", "Accept", {})):
            for whose, ticket in self.tickets.items():
                if whose in self.SEES[name]:
                    continue
                self.check(name, whose, lambda: self.clients[name].move(member, ticket, **fields))
        own = self.clients["BJ"].move("Comment", self.tickets["BJ-2"], note="注")
        self.assertEqual(own["id"], self.tickets["BJ-2"])

    def test_creating(self):
        bj, dealer = self.clients["BJ"], self.clients["BJ-1"]
        self.assertEqual(self.client.get(bj.create(type="repair", region=REGION))["subcentre"],
                         "BJ")
        with self.refused("OutOfScope"):
            bj.create(type="repair", region="310115")
        with self.refused("OutOfScope"):
            bj.create(type="repair", region=REGION, subcentre="SH")
        with self.refused("OutOfScope", "reference"):
            bj.create(type="repair", region=REGION, reference="SH-REF")
        # What a dealer reports is that dealer's own.
        own = self.client.get(dealer.create(type="repair", region=REGION))
        self.assertEqual((own["dealer"], own["subcentre"]), ("BJ-1", "BJ"))
        with self.refused("OutOfScope"):
            dealer.create(type="repair", region=REGION, dealer="BJ-2")
        with self.refused("InvalidValue", "dealer"):
            dealer.create(type="repair", region="310115")

    def test_transferred_away(self):
        """It is no longer theirs, and is the other one's."""
        ticket = self.ticket(dealer="BJ-1")
        self.clients["BJ"].move("Transfer", ticket, subcentre="SH", note="搬家")
        for name in ("BJ", "BJ-1"):
            with self.refused("OutOfScope", unchanged=ticket):
                self.clients[name].get(ticket)
            self.assertNotIn(ticket, [r["id"] for r in self.clients[name].list_all("Tickets")])
        self.assertEqual(self.clients["SH"].get(ticket)["subcentre"], "SH")
        self.assertEqual(len(self.clients["SH"].history(ticket)), 2)

    def test_dealers_do_not_follow_up(self):
        """Not even one whose role has the permission."""
        ticket = self.ticket(dealer="BJ-1")
        self.client.move("Resolve", ticket, result="answered", by="worker")
        with self.refused("RuleViolated", "another person", unchanged=ticket):
            self.clients["BJ-1"].move("FollowUp", ticket, outcome="satisfied")
        head = self.clients["centre"].move("FollowUp", ticket, outcome="satisfied", by="clerk")
        self.assertEqual(head["state"], "followed_up")

    def test_same_uid_is_the_same_person(self):
        """Who resolves and follows up under one uid without naming a person is one."""
        ticket = self.ticket()
        self.client.move("Resolve", ticket, result="answered")
        with self.refused("RuleViolated", unchanged=ticket):
            self.client.move("FollowUp", ticket, outcome="satisfied")
        history = self.client.history(ticket)
        self.assertEqual(history[-1]["actor"], "uid:0")
        self.clients["centre"].move("FollowUp", ticket, outcome="satisfied")
        self.assertEqual(self.client.history(ticket)[-1]["actor"], "uid:1")

    # -- personal data --

    PERSONAL = {"customer_name": "欧阳修", "phone": "13912345678", "address": "建国路一号",
                "description": "请找老欧阳,\n门牌 0012"}

    def personal_in(self, value):
        return [text for text in (*self.PERSONAL.values(), "13999999999", "13900000001", "老欧阳",
                                   "0012")
                if text in repr(value)]

    def test_masked(self):
        ticket = self.ticket(**self.PERSONAL)
        self.client.move("Update", ticket, phone="13999999999", customer_name="欧",
                         description="门牌改为 0012-1")
        self.client.move("Update", ticket, customer_name="")
        auditor, centre = self.clients["auditor"], self.clients["centre"]
        for member in ("Get", "History"):
            self.assertEqual(self.personal_in(auditor.call("Tickets", member, "t", ticket)), [])
            self.assertTrue(self.personal_in(centre.call("Tickets", member, "t", ticket)))
        masked = auditor.get(ticket)
        self.assertEqual((masked["phone"], masked["address"], masked["description"],
                          masked.get("customer_name")), ("***", "***", "***", None))
        rows = auditor.list_all("Tickets")
        self.assertEqual(self.personal_in(rows), [])
        self.assertTrue(self.personal_in(centre.list_all("Tickets")))
        changes = [change for event in auditor.history(ticket)
                   for change in event.get("changes", ()) if change["field"] == "phone"]
        self.assertEqual(changes, [{"field": "phone", "before": "***", "after": "***"}])
        for filters in ({"phone": "13999999999"}, {"phone": ""}):
            with self.refused("NotPermitted", "phone", "personal"):
                auditor.list_page("Tickets", filters)
        self.assertEqual(len(centre.list_all("Tickets", {"phone": "13999999999"})), 1)

    def test_masked_notes(self):
        """A remark is free text, in which anything may stand."""
        ticket = self.ticket()
        self.client.move("Comment", ticket, note="欧阳修来电")
        for who, expected in (("auditor", "***"), ("centre", "欧阳修来电")):
            with self.subTest(who=who):
                history = self.clients[who].call("Tickets", "History", "t", ticket)
                self.assertEqual(history[-1]["note"], expected)
                page, _ = self.clients[who].call("Tickets", "HistoryPage", "tsu", ticket, "1", 1)
                self.assertEqual(page, history[-1:])

    def test_masked_units(self):
        self.client.call("Units", "Update", "sa{sv}", "BJ-1",
                         variants({"contact": "李经理 13999999999"}))
        auditor = self.clients["auditor"]
        for value in (auditor.call("Units", "Get", "s", "BJ-1"), auditor.list_all("Units"),
                      auditor.call("Units", "History", "s", "BJ-1")):
            self.assertEqual(self.personal_in(value), [])
        self.assertEqual(auditor.call("Units", "Get", "s", "BJ-1")["contact"], "***")
        self.assertIn("13999999999", self.clients["centre"].call("Units", "Get", "s",
                                                                 "BJ-1")["contact"])

    def test_not_in_the_log(self):
        self.ticket(**self.PERSONAL)
        self.assertEqual(self.personal_in(self.service.log_path.read_text("utf-8")), [])


if __name__ == "__main__":
    unittest.main()
