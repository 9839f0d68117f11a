# SPDX-License-Identifier: Apache-2.0
"""The same service through other programs' eyes: busctl, python3-dbus, and a process that really
is another user."""

import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import textwrap
import unittest

from harness import BUILD, BUS_NAME, PATH, REGION, ROOT, ServiceTest, TIME_LIMIT, needs_root

DBUS_PROGRAM = """
import dbus
bus = dbus.SystemBus()
tickets = dbus.Interface(bus.get_object("org.aftersales1", "/org/aftersales1"),
                         "org.aftersales1.Tickets")
number, created = tickets.Create({"type": "repair", "region": "110105", "customer_name": "李四"})
assert created
head = tickets.Dispatch(number, {"dealer": "BJ-1"})
assert head["state"] == "dispatched", head
ticket = tickets.Get(number)
assert ticket["customer_name"] == "李四" and ticket["owner"] == "BJ-1", ticket
rows, cursor = tickets.List({"dealer": "BJ-1"}, "", dbus.UInt32(10))
assert number in [row["id"] for row in rows] and cursor == ""
try:
    tickets.Close(number, {})
except dbus.DBusException as error:
    assert error.get_dbus_name() == "org.aftersales1.Error.InvalidState", error
else:
    raise SystemExit("it was closed")
print(int(number))
"""


class OtherClients(ServiceTest):
    def run_program(self, *command):
        return subprocess.run(command, env=self.service.environment(), capture_output=True,
                              text=True, timeout=TIME_LIMIT, check=False)

    def busctl(self, *arguments, before=()):
        return self.run_program(*before, "busctl", f"--address={self.service.address}",
                                *arguments)

    def test_what_a_customer_says_is_no_argument(self):
        ticket = self.ticket()
        refused = self.run_program(BUILD / "aftersalesctl", "ticket", "update", f"T{ticket}",
                                   "description=老欧阳")
        self.assertEqual(refused.returncode, os.EX_USAGE)
        self.assertIn("description is personal data", refused.stderr)
        self.assertNotIn("欧阳", refused.stderr)
        said = {"description": "找老欧阳\n门牌 0012", "note": "老欧阳来电"}
        done = subprocess.run([BUILD / "aftersalesctl", "ticket", "update", f"T{ticket}", "--stdin"],
                              env=self.service.environment(), input=json.dumps(said), text=True,
                              capture_output=True, timeout=TIME_LIMIT, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual((self.client.get(ticket)["description"],
                          self.client.history(ticket)[-1]["note"]),
                         (said["description"], said["note"]))
        self.assertNotIn("欧阳", self.service.log_path.read_text("utf-8"))

    @unittest.skipUnless(shutil.which("busctl"), "busctl is not installed")
    def test_busctl(self):
        create = self.busctl("call", BUS_NAME, PATH, f"{BUS_NAME}.Tickets", "Create", "a{sv}", "3",
                             "type", "s", "repair", "region", "s", REGION,
                             "description", "s", "不制冷")
        self.assertEqual(create.returncode, 0, create.stderr)
        signature, number, created = create.stdout.split()
        self.assertEqual((signature, created), ("tb", "true"))
        got = self.busctl("--json=short", "call", BUS_NAME, PATH, f"{BUS_NAME}.Tickets", "Get", "t",
                          number)
        record = json.loads(got.stdout)["data"][0]
        self.assertEqual((record["state"]["data"], record["description"]["data"]),
                         ("received", "不制冷"))
        refused = self.busctl("call", BUS_NAME, PATH, f"{BUS_NAME}.Tickets", "Close", "ta{sv}",
                              number, "0")
        self.assertEqual(refused.returncode, 1)
        self.assertIn("which does not allow close", refused.stderr)
        shown = self.busctl("introspect", BUS_NAME, PATH, f"{BUS_NAME}.Tickets")
        self.assertRegex(shown.stdout, r"\.WaitPart +method +ta\{sv\} +a\{sv\}")

    @needs_root
    @unittest.skipUnless(shutil.which("busctl") and shutil.which("setpriv"),
                         "busctl or setpriv is not installed")
    def test_a_process_of_another_user(self):
        ticket = str(self.ticket(dealer="SH-1", region="310115", customer_name="欧阳修"))
        get = ("call", BUS_NAME, PATH, f"{BUS_NAME}.Tickets", "Get", "t", ticket)

        def as_user(user, *groups):
            return self.busctl(*get, before=(
                "setpriv", f"--reuid={user}", f"--regid={user}",
                f"--groups={','.join(groups)}" if groups else "--clear-groups"))

        dealer = as_user("irc", "lp")
        self.assertEqual(dealer.returncode, 0, dealer.stderr)
        self.assertNotIn('"***"', dealer.stdout)
        self.assertIn("outside of your scope", as_user("games").stderr)
        self.assertIn("does not have the permission ticket.read", as_user("irc").stderr)
        masked = as_user("news")
        self.assertIn('"***"', masked.stdout)

    @unittest.skipUnless(importlib.util.find_spec("dbus"), "python3-dbus is not installed")
    def test_python_dbus(self):
        run = self.run_program(sys.executable, "-c", DBUS_PROGRAM)
        self.assertEqual(run.returncode, 0, run.stderr)
        self.assertEqual(self.client.get(int(run.stdout))["state"], "dispatched")

    @unittest.skipUnless(importlib.util.find_spec("dbus"), "python3-dbus is not installed")
    def test_following_as_the_readme_says(self):
        """The program of the README tells each change once, whatever number it begins with."""
        text = (ROOT / "README.md").read_text("utf-8")
        lines = re.search(r"^    import time\n(?:    .*\n)+", text, re.MULTILINE).group()
        program = "import dbus\nbus = dbus.SystemBus()\n" + textwrap.dedent(lines).replace(
            "time.sleep(1)", "break    ")
        ticket = self.ticket()
        self.client.move("Comment", ticket, note="注")
        end = self.client.status()["sequence"]
        for since, expected in ((end - 2, [f"{end - 1} ticket {ticket} Tickets.Create",
                                           f"{end} ticket {ticket} Tickets.Comment"]),
                                (end, []), (end + 1000, [])):
            run = self.run_program(sys.executable, "-c",
                                   re.sub(r"since = 0\b", f"since = {since}", program, count=1))
            self.assertEqual(run.returncode, 0, run.stderr)
            self.assertEqual(run.stdout.splitlines(), expected)
        whole = self.run_program(sys.executable, "-c", program).stdout.splitlines()
        self.assertIn("unit HQ Units.Create", whole[0])
        self.assertEqual(len(set(whole)), len(whole))


if __name__ == "__main__":
    unittest.main()
