# SPDX-License-Identifier: Apache-2.0
"""What the tests that break things share: a company with little policy and short ladders, so that
much happens in little time, on the harness of tests/bus."""

import pathlib
import shutil
import subprocess
import sys
import unittest

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1] / "bus"))

from harness import Service, variants  # noqa: E402

SECOND = 1_000_000
HOUR = 3600 * SECOND
START = 1_767_571_200 * SECOND  # 2026-01-05T00:00:00Z, where the clock begins

# Round the clock. Whoever runs the tests, when that is not root, is added at the end.
POLICY = """
site: {site}
zone: Asia/Shanghai
store: {{map_size: {map_size}}}
ladders:
  short:
    warn_at: 50%
    rungs:
      - {{to: owner, after: 0s}}
      - {{to: subcentre, after: 1h}}
      - {{to: business, after: 1h}}
    repeat: 4h
targets:
  ticket:
    default:
      normal: {{calendar: always, ladder: short, response: 2h, visit: 4h, resolve: 12h,
                followup: 4h, waiting: 8h}}
      urgent: {{calendar: always, ladder: short, response: 1h, visit: 2h, resolve: 6h,
                followup: 2h, waiting: 4h}}
      special: {{calendar: always, ladder: short, response: 1h, visit: 2h, resolve: 6h,
                 followup: 2h, waiting: 4h}}
  core:
    default:
      normal: {{calendar: always, ladder: short, return: 6h, transit: 4h, inspect: 4h}}
  order:
    default:
      normal: {{calendar: always, ladder: short, submit: 2h, approve: 2h, ship: 4h, deliver: 8h}}
  obligation:
    default:
      normal: {{calendar: always, ladder: short, deliver: 12h}}
tickets: {{visit_required: [], assign_dealer: true, followup_attempts: 3, repeat_within: 30d}}
roles:
  everything: [ticket.read, ticket.create, ticket.update, ticket.dispatch, ticket.work,
               ticket.promise, ticket.followup, ticket.decide, ticket.void, ticket.warranty,
               escalation.read, escalation.acknowledge, notification.take, unit.read, unit.write,
               product.read, product.write, serial.read, serial.write, fault.read, fault.write,
               part.read, part.write, supplier.read, supplier.write, stock.read, stock.move,
               core.read, core.ship, core.receive, core.inspect, order.read, order.create,
               order.approve, order.ship, order.receive, contract.read, contract.write,
               contract.ship, personal.read, act_for, status.read, admin.check, admin.backup,
               admin.clock]
access:
  - {{user: root, role: everything, scope: headquarters}}
"""

UNITS = (
    {"code": "HQ", "name": "headquarters", "kind": "headquarters"},
    {"code": "BIZ", "name": "business", "kind": "business", "parent": "HQ"},
    {"code": "BJ", "name": "Beijing", "kind": "subcentre", "parent": "HQ", "regions": "11"},
    {"code": "SH", "name": "Shanghai", "kind": "subcentre", "parent": "HQ", "regions": "31"},
    {"code": "BJ-1", "name": "dealer", "kind": "dealer", "parent": "BJ", "regions": "1101"},
    {"code": "BJ-2", "name": "dealer", "kind": "dealer", "parent": "BJ", "regions": "1101"},
    {"code": "SH-1", "name": "dealer", "kind": "dealer", "parent": "SH", "regions": "3101"},
)
TICKET = {"type": "repair", "region": "110105"}


def policy(site=0, map_size="1GiB"):
    return POLICY.format(site=site, map_size=map_size)


def found_company(client):
    for unit in UNITS:
        client.call("Units", "Create", "a{sv}", variants(unit))


def create_message(client, **fields):
    return client.message("Tickets", "Create", "a{sv}", variants(TICKET | fields))


class FaultTest(unittest.TestCase):
    """Each test has a service of its own, which it starts, ends and starts again at `now`."""

    def make_service(self, **options):
        service = Service(START, policy(**options), started=False)
        self.addCleanup(service.close)
        return service

    def open(self, **options):
        self.service = self.make_service(**options)
        self.now = START

    def start(self):
        self.service.start(self.now)

    def begin(self):
        """Starts it, with the company in it."""
        self.start()
        self.client = self.service.client()
        found_company(self.client)

    def ticket(self, **fields):
        return self.client.create(**TICKET | fields)

    def assert_clean(self):
        self.assertEqual(self.service.check(), [])


# ---- backup and restore, as commands ----

class Outcome:
    """How a command ended: its status (negative: the signal) and what it wrote."""

    def __init__(self, run):
        self.status = run.returncode
        self.out = run.stdout
        self.said = run.stdout + run.stderr
        self.counts = {words[1]: int(words[2]) for words in map(str.split, run.stdout.splitlines())
                       if len(words) == 3 and words[0] == "count"}


def injected(command, inject, only=None):
    path = ["-P", only] if only else []
    return ["strace", "-f", "-qqq", "-o", "/dev/null", *path, "-e",
            "trace=" + inject.partition(":")[0], "-e", f"inject={inject}", *command]


def run(service, *arguments, inject=None, only=None):
    """Runs the daemon's program; `inject` is what strace is to do to it, in calls about the path
    `only` if that is given."""
    command = service.command(*arguments)
    if inject:
        command = injected(command, inject, only)
    return Outcome(subprocess.run(command, capture_output=True, text=True, errors="replace",
                                  timeout=60, check=False))


def can_inject():
    return shutil.which("strace") is not None
