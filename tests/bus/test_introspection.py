# SPDX-License-Identifier: Apache-2.0
"""The interface as it is written down, printed and answered: three times the same."""

import re
import subprocess
import unittest
from xml.etree import ElementTree

from harness import BUILD, DAEMON, PATH, ROOT, ServiceTest, TIME_LIMIT

CHECKED_IN = ROOT / "conf" / "org.aftersales1.xml"


def printed():
    run = subprocess.run([DAEMON, "--introspect"], capture_output=True, text=True, check=True,
                         timeout=TIME_LIMIT)
    return run.stdout


def members(document):
    """{(interface, kind, member): [(name, type, direction) of each argument]} of ours."""
    found = {}
    for interface in ElementTree.fromstring(document).findall("interface"):
        if not interface.get("name").startswith("org.aftersales1."):
            continue
        for member in interface:
            if member.tag in ("method", "signal", "property"):
                arguments = [(arg.get("name"), arg.get("type"),
                              arg.get("direction") if member.tag == "method" else "out")
                             for arg in member.findall("arg")]
                found[interface.get("name"), member.tag, member.get("name")] = arguments
    return found


def comments(document):
    """For each interface and each (interface, member) the comment that stands right before it."""
    builder = ElementTree.TreeBuilder(insert_comments=True)
    root = ElementTree.fromstring(document, ElementTree.XMLParser(target=builder))
    found = {}
    for interface, comment in zip(root[1:], root):
        if interface.tag == "interface":
            found[interface.get("name")] = comment.text
            for member, before in zip(interface[1:], interface):
                found[interface.get("name"), member.get("name")] = before.text
    return found


class Written(unittest.TestCase):
    def test_checked_in(self):
        self.assertTrue(CHECKED_IN.exists(), f"write it with: {BUILD}/aftersalesd --introspect")
        self.assertEqual(CHECKED_IN.read_text("utf-8"), printed(),
                         f"write it again with: {BUILD}/aftersalesd --introspect >{CHECKED_IN}")

    def test_every_member_is_documented(self):
        document = printed()
        told = comments(document)
        for interface, _, member in members(document):
            with self.subTest(interface=interface, member=member):
                self.assertGreater(len((told[interface] or "").strip()), 10)
                self.assertGreater(len((told[interface, member] or "").strip()), 5)

    def test_arguments_have_names(self):
        for member, arguments in members(printed()).items():
            self.assertTrue(all(name for name, _, _ in arguments), member)
            self.assertEqual(len({(name, direction) for name, _, direction in arguments}),
                             len(arguments), member)

    def test_errors_are_documented(self):
        header = (ROOT / "include" / "aftersales" / "errors.h").read_text("utf-8")
        names = re.findall(r'X\(REFUSED_\w+, "(\w+)"', header)
        self.assertGreater(len(names), 10)
        for name in names:
            self.assertRegex(printed(), rf"\b{name}: \w+")


class Answered(ServiceTest):
    def introspect(self):
        return self.client.call("org.freedesktop.DBus.Introspectable", "Introspect")

    def test_the_daemon_answers_the_same(self):
        self.assertEqual(members(self.introspect()), members(printed()))

    def test_node(self):
        self.assertEqual(ElementTree.fromstring(printed()).get("name"), PATH)

    def test_no_clock_to_set_on_a_real_one(self):
        """The interface Clock is only there with a manual clock."""
        interfaces = {interface for interface, _, _ in members(self.introspect())}
        self.assertIn("org.aftersales1.Clock", interfaces)
        self.service.stop()
        self.service.start(None)
        interfaces = {interface for interface, _, _ in members(self.introspect())}
        self.assertNotIn("org.aftersales1.Clock", interfaces)
        self.assertIn("org.aftersales1.Manager", interfaces)
        self.assertEqual(self.client.status()["clock"], "real")
        self.service.restart(self.CLOCK)


class Schema(ServiceTest):
    def rows(self, what):
        return {row["name"]: row for row in self.client.call("Manager", "Schema", "s", what)}

    def test_what_is_told_holds(self):
        """Fields of a ticket that are there, and none that is not told."""
        told = self.rows("ticket")
        ticket = self.client.get(self.ticket(customer_name="李四", phone="139", address="路",
                                             serial="S-1", description="坏了", reference="R"))
        self.assertLessEqual(set(ticket), set(told))
        types = {"id": int, "time": int, "count": int, "money": int, "date": str, "enum": str,
                 "text": str, "flag": bool, "list": list}
        for name, value in ticket.items():
            self.assertIs(type(value), types[told[name]["type"]], name)
        self.assertEqual({name for name, row in told.items() if row["required"]},
                         {"type", "region"})
        self.assertEqual({name for name, row in told.items() if row["personal"]},
                         {"customer_name", "phone", "address", "description", "wait_reason"})
        self.assertEqual({name for name, row in told.items() if row["settable"]},
                         {"type", "region", "priority", "subcentre", "dealer", "channel",
                          "reference", "customer_name", "phone", "address", "product", "serial",
                          "purchase_date", "description", "fault_code", "promised_at",
                          "appointment"})
        self.assertEqual(told["priority"]["values"], ["normal", "urgent", "special"])
        self.assertEqual(told["phone"]["limit"], 40)
        self.assertTrue(all(row["doc"] for row in told.values()))
        self.assertFalse({"attempt_day", "resume_state", "kind"} & set(told))

    def test_everything_has_a_schema(self):
        for what, field in (("unit", "parent"), ("product", "warranty_months"),
                            ("serial", "sold_on"), ("fault", "symptom"), ("escalation", "level")):
            self.assertIn(field, self.rows(what))

    def test_status(self):
        status = self.client.status()
        self.assertLessEqual(
            {"version", "started_at", "now", "clock", "clock_suspect", "open", "overdue", "waiting",
             "unarmed", "cases", "states", "escalations_open", "notifications", "lag",
             "sequence", "store_used", "store_size", "policy", "warnings", "calls", "changes",
             "commits"},
            set(status))
        self.assertEqual((status["clock"], status["clock_suspect"], status["now"],
                          status["started_at"]), ("manual", False, self.client.now(), self.CLOCK))
        self.assertEqual(status["store_size"], 2**30)
        self.assertGreater(status["store_used"], 0)
        before = status["sequence"], status["changes"], status["commits"], status["calls"]
        self.client.move("Comment", self.ticket(), note="注")
        after = self.client.status()
        self.assertEqual((after["sequence"] - before[0], after["changes"] - before[1]), (2, 2))
        self.assertGreater(after["commits"], before[2])
        self.assertGreater(after["calls"], before[3])

    def test_check(self):
        """Beside the running daemon."""
        self.ticket()
        records, faults = self.client.call("Manager", "Check")
        self.assertEqual(faults, [])
        self.assertGreater(records, 20)


if __name__ == "__main__":
    unittest.main()
