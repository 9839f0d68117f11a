# SPDX-License-Identifier: Apache-2.0
"""Completion in a real bash, with a daemon and without one."""

import os
import subprocess
import time
import unittest

from harness import BUILD, ROOT, ServiceTest

FILE = ROOT / "ctl" / "completion" / "aftersalesctl"
SCRIPT = r"""
source "$1"
COMP_LINE=$2 COMP_POINT=${#2} COMP_WORDS=(aftersalesctl)
compopt() { :; }
_aftersalesctl
printf '%s\n' "${COMPREPLY[@]}"
"""


def complete(line, environment):
    done = subprocess.run(["bash", "-c", SCRIPT, "bash", FILE, line], capture_output=True, text=True, timeout=20,
                          env=environment | {"PATH": f"{BUILD}:{os.environ['PATH']}"}, check=True)
    return [word for word in done.stdout.splitlines() if word]


class Completion(ServiceTest):
    def words(self, line):
        return complete(line, self.service.environment())

    def test_nouns_verbs_and_options(self):
        nouns = self.words("aftersalesctl ")
        self.assertTrue({"ticket", "unit", "status", "import", "help"} <= set(nouns), nouns)
        self.assertEqual(self.words("aftersalesctl tick"), ["ticket"])
        self.assertTrue({"follow-up", "wait-part", "list"} <= set(self.words("aftersalesctl ticket ")))
        self.assertEqual(self.words("aftersalesctl ticket disp"), ["dispatch"])
        self.assertEqual(self.words("aftersalesctl backup "), ["list"])
        self.assertEqual(self.words("aftersalesctl ticket list --wa"), ["--watch"])
        self.assertIn("--note=", self.words("aftersalesctl ticket close T1 --"))
        self.assertNotIn("--watch", self.words("aftersalesctl ticket close T1 --"))
        self.assertEqual(self.words("aftersalesctl nothing "), [])

    def test_fields_and_values(self):
        self.assertIn("region=", self.words("aftersalesctl ticket new "))
        for name in ("phone=", "description="):  # not for arguments
            self.assertNotIn(name, self.words("aftersalesctl ticket new "))
        self.assertIn("phone=", self.words("aftersalesctl ticket list "))
        self.assertEqual(self.words("aftersalesctl ticket new type=rep"), ["repair"])
        self.assertEqual(set(self.words("aftersalesctl ticket resolve T1 ")),
                         {"result=", "technician=", "parts=", "parts_used=", "fault_code=",
                          "serial="})
        self.assertEqual(self.words("aftersalesctl ticket follow-up T1 outcome=sat"), ["satisfied"])
        self.assertEqual(set(self.words("aftersalesctl unit list active=")), {"true", "false"})

    def test_records(self):
        number = self.ticket()
        self.assertIn(f"T{number}", self.words("aftersalesctl ticket show "))
        self.assertEqual(self.words("aftersalesctl unit show BJ-"), ["BJ-1", "BJ-2"])

    def test_files(self):
        self.assertEqual(set(self.words("aftersalesctl import ")),
                         {"ticket", "report", "core", "unit", "product", "serial", "fault", "part",
                          "supplier", "contract", "order", "obligation", "move", "shipment",
                          "assessment"})
        self.assertEqual(self.words("aftersalesctl export unit kin"), ["kind="])
        self.assertEqual(self.words("aftersalesctl import unit "), [])  # bash names files

    def test_nobody_waits_for_a_daemon_that_is_away(self):
        environment = self.service.environment() | {"DBUS_SYSTEM_BUS_ADDRESS": "unix:path=/nowhere"}
        began = time.monotonic()
        self.assertEqual(complete("aftersalesctl ticket show ", environment), [])
        self.assertEqual(complete("aftersalesctl ticket sho", environment), ["show"])
        self.assertLess(time.monotonic() - began, 5)


if __name__ == "__main__":
    unittest.main()
