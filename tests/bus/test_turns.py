# SPDX-License-Identifier: Apache-2.0
"""Whose turn it is, counted in calls that were done meanwhile and not in time, so that a busy machine changes nothing.
How long others wait, tests/floods measures."""

import contextlib
import pathlib
import signal
import subprocess
import sys
import unittest

import jeepney

from files import as_csv, import_file
from harness import POLICY, REGION, Client, ServiceTest, end_process, needs_root, variants, wait_for

FLOODER = pathlib.Path(__file__).resolve().parents[1] / "floods" / "flooder.py"
TICKETS, ROWS = 1000, 500
GET_ID = jeepney.new_method_call(jeepney.DBusAddress("/org/freedesktop/DBus", "org.freedesktop.DBus",
                                                     "org.freedesktop.DBus"), "GetId")
GET = Client.message("Tickets", "Get", "t", 1)
STATUS = Client.message("Manager", "Status")
SLOW = Client.message("Tickets", "List", "a{sv}su", variants({"type": "repair"}), "", 1000)  # there are none
LARGE = 16384  # CALL_BYTES_MAX
WINDOW, CONNECTIONS = 128, 4  # calls that a bus lets one have under way, and of how many


@needs_root
class Turns(ServiceTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        message = Client.message("Tickets", "Create", "a{sv}", variants({"type": "consultation", "region": REGION}))
        cls.client.calls([message] * TICKETS)

    def calls_done(self, client):
        return client.status()["calls"]

    @contextlib.contextmanager
    def flooded(self, kind, address):
        """By another user, and under way."""
        before = self.calls_done(self.client)
        flooder = subprocess.Popen([sys.executable, FLOODER, kind, address], user="games", group="games",
                                   extra_groups=[], stdin=subprocess.DEVNULL)
        try:
            wait_for(lambda: self.calls_done(self.client) > before + 200, "the flood")
            yield
            self.assertIsNone(flooder.poll(), "the flood has ended by itself")
        finally:
            end_process(flooder, signal.SIGKILL)

    def test_bus_beside_direct(self):
        """Who floods past the bus does not keep others from being read on the bus, where everybody is behind
        everybody."""
        many = [self.service.client(direct=False) for _ in range(CONNECTIONS)]
        other = self.service.client("daemon", direct=False)
        self.calls_done(other)
        with self.flooded("calls", self.service.direct):
            before = self.calls_done(self.client)
            for client in many:
                for _ in range(WINDOW):
                    client.post(SLOW)
                client.calls([GET_ID])  # the bus has them all
            done = self.calls_done(other) - before
        self.assertLess(done, CONNECTIONS * WINDOW)

    @contextlib.contextmanager
    def frozen(self):
        """What is sent meanwhile comes all at once."""
        self.service.daemon.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self.service.daemon.send_signal(signal.SIGCONT)

    def test_direct_beside_bus(self):
        """Nor the other way round: who calls past the bus has as many turns as another on the bus."""
        many = [self.service.client(direct=False) for _ in range(2 * CONNECTIONS)]
        direct = self.service.client("daemon", direct=True)
        with self.frozen():
            for message in (SLOW, *[GET] * (2 * CONNECTIONS - 1)):
                for client in many:
                    for _ in range(WINDOW // (2 * CONNECTIONS)):
                        client.post(message)
            for client in many:
                client.calls([GET_ID])
        for _ in range(WINDOW // (2 * CONNECTIONS) - 2):  # some of the slow ones are done, and all others have been read
            many[0].next_answer()
        before = self.calls_done(direct)
        with self.frozen():
            for _ in range(WINDOW):
                direct.post(GET)
            serial = direct.post(STATUS)
        while (answer := direct.next_answer())[0] != serial:
            pass
        done = answer[1]["calls"] - before
        self.assertLess(done, 4 * WINDOW)

    def test_large(self):
        """A large call is refused: done at once it would go before others of its user, and many that wait would fill
        the memory. As large a one as may be waits for its turn."""
        for size, name in ((LARGE - 100, "NotFound"), (LARGE, "LimitReached")):
            serials = [self.client.post(SLOW) for _ in range(8)]
            large = self.client.post(Client.message("Manager", "Schema", "s", "x" * size))
            answers = [self.client.next_answer() for _ in range(len(serials) + 1)]
            self.assert_error(dict(answers)[large], name)
            if name != "LimitReached":
                self.assertEqual([serial for serial, _ in answers], [*serials, large])

    def test_work_goes_on(self):
        """Callers come first, but not for ever: what helpers tell is heard, a file is imported, the open cases are
        computed anew."""
        rows = as_csv([{"type": "consultation", "region": REGION, "reference": f"row {i}"} for i in range(ROWS)])
        self.service.configure(POLICY.read_text("utf-8").replace("response: 4h", "response: 5h"))
        with self.flooded("calls", self.service.direct):
            result, problems, _ = import_file(self.client, "ticket", rows)
            self.assertEqual((result["state"], result["rows"], problems), ("done", ROWS, []))
            self.client.call("Policy", "Reload")
            wait_for(lambda: "recomputed_at" in self.client.call("Policy", "List")[0], "computing anew")


if __name__ == "__main__":
    unittest.main()
