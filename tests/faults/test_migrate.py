#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The store of the first release: brought to the present schema at the first start, kept as it was
beside, and whole wherever that is cut short.

tests/data/schema-1.dump is what mdb_dump wrote of it: seven units, a product, a serial and a fault
code; tickets open, overdue, waiting, closed and voided, with their escalations and notifications.
tests/data/schema-2.dump is of the second one: the company of the tests and two sub-centres that serve
towns; three tickets, one of them late and resolved. tests/data/schema-5.dump is of the last one before
there were parts: the company of the tests; three repairs, two of them visited and one resolved.
"""

import pathlib
import shutil
import socket
import subprocess
import time
import unittest

from support import HOUR, START, FaultTest, can_inject, injected, run
from harness import BusError, at, figure, variants

REACHED = "cannot connect to the bus"
SLOW = 8  # seconds that each opening of the copy takes
DATA = pathlib.Path(__file__).resolve().parents[1] / "data"
STATES = {"received": 12, "accepted": 3, "waiting_part": 1, "closed": 2, "voided": 1}


@unittest.skipUnless(shutil.which("mdb_load"), "needs lmdb-utils")
class MigrateTest(FaultTest):
    schema = 1

    def setUp(self):
        self.open()
        self.now = START + 9 * HOUR
        self.service.state.mkdir(mode=0o700, exist_ok=True)
        self.store = self.service.state / "state.mdb"
        self.load()

    def load(self):
        for path in self.service.state.iterdir():
            path.unlink()
        subprocess.run(["mdb_load", "-n", "-f", DATA / f"schema-{self.schema}.dump", self.store], check=True, timeout=30,
                       stdin=subprocess.DEVNULL)

    def copies(self):
        return list(self.service.state.glob("state.mdb.schema-1-*"))

    def migrate(self, inject=None):
        """A daemon that comes as far as to the bus, where there is none: it ends with 1 then."""
        return run(self.service, "--foreground", "--bus=unix:path=/nonexistent/bus",
                   "--clock=manual=2026-01-05T09:00:00Z", inject=inject)


class Migrate(MigrateTest):
    def test_everything_is_there(self):
        self.start()
        client = self.service.client()
        status = client.status()
        self.assertEqual({name: n for name, n in status["states"].items() if n}, STATES)
        self.assertEqual((status["open"], status["overdue"]), (16, 11))
        self.assertEqual((status["escalations_open"], status["notifications"]), (64, 65))
        rows = client.list_all("Tickets", {"ended": True})
        self.assertEqual(len(rows), 19)
        # What was overdue stays so: of those that have ended too.
        self.assertEqual(sum(row["overdue"] for row in rows), 12)
        self.assertEqual(sum(row["overdue"] and row["open"] for row in rows), status["overdue"])
        # Who has what was resolved is taken for who has resolved it.
        resolved = [row for row in rows if "resolved_at" in row]
        self.assertTrue(resolved)
        self.assertEqual([row.get("resolved_dealer") for row in resolved],
                         [row.get("dealer") for row in resolved])
        self.assertEqual(len(client.list_all("Units")), 7)
        for name in ("Products", "Serials", "Faults"):
            self.assertEqual(len(client.list_all(name)), 1)
        new = self.ticket_of(client)
        self.assertEqual(new, max(row["id"] for row in rows) + 1)
        self.service.stop()
        self.assert_clean()
        copy, = self.copies()
        self.assertEqual(copy.stat().st_mode & 0o777, 0o600)
        self.start()  # nothing is left to do
        self.service.stop()
        self.assertEqual(self.copies(), [copy])

    @staticmethod
    def ticket_of(client):
        return client.create(type="repair", region="110105")

    def test_a_look_changes_nothing(self):
        before = self.store.read_bytes()
        for mode in ("--check", f"--backup={self.service.directory / 'backup'}"):
            looked = run(self.service, mode)
            self.assertNotEqual(looked.status, 0)
            self.assertIn("has schema 1: start aftersalesd once to bring it to 6", looked.said)
        self.assertEqual(self.store.read_bytes(), before)

    def test_the_copy_can_be_restored(self):
        self.migrate()
        copy, = self.copies()
        restored = run(self.service, f"--restore={copy}", "--force")
        self.assertEqual(restored.status, 0, restored.said)
        self.assertIn("has schema 1", run(self.service, "--check").said)
        self.start()
        self.assertEqual(self.service.client().status()["open"], 16)
        self.service.stop()
        self.assert_clean()

    def test_a_damaged_store_is_left_alone(self):
        data = self.store.read_bytes()
        self.store.write_bytes(data.replace(b"headquarters", b"HEADQUARTERS"))
        before = self.store.read_bytes()
        self.assertNotEqual(before, data)
        ended = self.migrate()
        self.assertEqual(ended.status, 1)
        self.assertIn("so its schema is not changed", ended.said)
        self.assertEqual(self.copies(), [])
        self.assertIn("has schema 1", run(self.service, "--check").said)


class SecondRelease(MigrateTest):
    schema = 2

    def test_what_is_derived_comes_along(self):
        """Codes of towns were cut in pairs; who had resolved a ticket was not kept."""
        self.now = at("2026-03-08 09:00")
        self.start()
        client = self.service.client()
        for region in ("450105100201", "450105001201"):
            number = client.create(type="repair", region=region)
            self.assertEqual(client.get(number)["subcentre"], "T-1")
        with self.assertRaises(BusError):
            client.create(type="repair", region="450105105201")
        client.call("Units", "Update", "sa{sv}", "T-2", variants({"regions": "46"}))
        self.assertEqual(client.get(2)["resolved_dealer"], client.get(2)["dealer"])
        self.assertEqual(client.status()["overdue"],
                         len(client.list_all("Tickets", {"overdue": True})))
        self.service.stop()
        self.assert_clean()


class BeforeParts(MigrateTest):
    schema = 5

    def test_parts_can_be_used(self):
        self.assertIn("has schema 5: start aftersalesd once", run(self.service, "--check").said)
        self.now = at("2026-03-03 13:00")
        self.start()
        client = self.service.client()
        self.assertEqual([(row["id"], row["state"], row.get("parts_used")) for row in
                          sorted(client.list_all("Tickets", {}), key=lambda row: row["id"])],
                         [(1, "resolved", "000"), (2, "visited", "000"), (3, "received", None)])
        for interface, fields in (
                ("Suppliers", {"code": "S1", "name": "000"}),
                ("Parts", {"code": "P-1", "name": "000", "line": "AC", "returnable": True}),
                ("Moves", {"part": "P-1", "quantity": 5, "from": "supplier:S1", "to": "BJ-1",
                           "reason": "received"})):
            client.call(interface, "Create", "a{sv}", variants(fields))
        client.move("Visit", 2, parts="part=P-1")
        core, = client.list_all("Cores", {"ticket": 2})
        self.assertEqual((core["dealer"], core["quantity"]), ("BJ-1", 1))
        self.service.stop()
        self.assert_clean()


@unittest.skipUnless(can_inject(), "needs strace")
class Slow(MigrateTest):
    def test_it_says_that_it_goes_on(self):
        """A large store is copied and proved for longer than a start may take."""
        notify = self.service.directory / "notify"
        command = injected(self.service.command("--foreground", "--bus=unix:path=/nonexistent/bus"),
                         f"openat:delay_enter={SLOW * 1_000_000}", f"{self.store}.schema.new")
        times = []
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
            manager.bind(str(notify))
            manager.settimeout(0.1)
            began = time.monotonic()
            with subprocess.Popen(command, stderr=subprocess.DEVNULL,
                                  env=self.service.environment() | {"NOTIFY_SOCKET": str(notify)}) as daemon:
                while daemon.poll() is None:
                    try:
                        if manager.recv(4096).startswith(b"EXTEND_TIMEOUT_USEC="):
                            times.append(time.monotonic())
                    except TimeoutError:
                        pass
        self.assertEqual(len(self.copies()), 1)
        self.assertGreater(time.monotonic() - began, 2 * SLOW)
        pauses = [after - before for before, after in zip(times, times[1:])]
        self.assertLess(max(pauses), SLOW - 1, pauses)


@unittest.skipUnless(can_inject(), "needs strace")
class CutShort(MigrateTest):
    def test_killed_at_every_call(self):
        killed = 0
        for call in ("write", "pwrite64", "fsync", "fdatasync", "renameat2", "ftruncate", "unlink"):
            for when in range(1, 60):
                self.load()
                ended = self.migrate(f"{call}:signal=SIGKILL:when={when}")
                if REACHED in ended.said:
                    break
                killed += 1
                again = self.migrate()
                self.assertEqual(again.status, 1, again.said)
                self.assertEqual(self.service.check(), [])
                self.assertGreaterEqual(len(self.copies()), 1)
        self.assertGreater(killed, 10)
        self.start()
        self.assertEqual(self.service.client().status()["open"], 16)
        self.service.stop()
        figure(f"killed at {killed} system calls of a migration: each finished by the next start")

    def test_no_room(self):
        """Told, and nothing is lost: the next start finishes it once there is room."""
        refused = 0
        for when in range(1, 20):
            self.load()
            ended = self.migrate(f"pwrite64:error=ENOSPC:when={when}")
            if "No space left on device" not in ended.said:
                continue
            refused += 1
            self.assertNotEqual(ended.status, 0)
            again = self.migrate()
            self.assertEqual(again.status, 1, again.said)
            self.assertEqual(self.service.check(), [])
        self.assertGreater(refused, 2)
        self.start()
        self.assertEqual(self.service.client().status()["open"], 16)
        self.service.stop()
        figure(f"no room at {refused} writes of a migration: each finished by the next start")


if __name__ == "__main__":
    unittest.main()
