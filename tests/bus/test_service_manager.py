# SPDX-License-Identifier: Apache-2.0
"""What a service manager and its tools get from the daemon: readiness, the status line, the pings of
the watchdog, the log level. The service manager is a datagram socket of this process."""

import contextlib
import pathlib
import signal
import socket
import time
import unittest

import jeepney

from files import as_csv, import_file
from harness import (IN_FLIGHT, POLICY, REGION, BusError, Service, ServiceTest, end_service, found_company,
                     needs_root, variants, wait_for)

LOG_CONTROL = "org.freedesktop.LogControl1"
PERIOD = 0.6  # seconds, of the watchdog
ENDS = 40


class End(ServiceTest):
    def answered(self):
        """Of the calls in flight, how many were done."""
        done = 0
        with contextlib.suppress(ConnectionError):  # past the bus it is the end of the connection that tells
            for _ in range(IN_FLIGHT):
                done += not isinstance(self.client.next_answer()[1], BusError)
        return done

    def test_what_was_done_is_answered(self):
        """Calls that have happened before an orderly end have their answers."""
        done = 0
        for n in range(ENDS):
            for _ in range(IN_FLIGHT):
                self.client.post(self.client.message("Tickets", "Create", "a{sv}",
                                                     variants({"type": "repair", "region": REGION})))
            time.sleep(n / ENDS * 0.004)
            self.service.stop()
            done += self.answered()
            self.service.start(self.CLOCK)
            self.assertEqual(self.client.status()["open"], done, n)
        self.assertGreater(done, 0)


class Managed(Service):
    """With a service manager that listens, and wants pings if told a period."""

    def __init__(self, clock, period=PERIOD):
        self.period = period
        self.notified = []
        self.socket_of_manager = None
        super().__init__(clock)

    def environment(self):
        period = {"WATCHDOG_USEC": str(int(self.period * 1_000_000))} if self.period else {}
        return super().environment() | period

    def start(self, clock):
        self.listen(clock)
        self.await_word("READY=1")

    def listen(self, clock):
        path = self.directory / "manager"
        if self.socket_of_manager:
            self.socket_of_manager.close()
            path.unlink()
        self.socket_of_manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket_of_manager.bind(str(path))
        self.socket_of_manager.settimeout(0.02)
        self.launch(clock, path)

    def close(self):
        super().close()
        if self.socket_of_manager:
            self.socket_of_manager.close()

    def hear(self):
        """All that was said since, a list of lines."""
        lines = []
        while True:
            try:
                lines += self.socket_of_manager.recv(4096).decode().splitlines()
            except TimeoutError:
                return lines

    def await_word(self, word):
        return wait_for(lambda: [line for line in self.hear() if line.startswith(word)], word)

    def hear_for(self, seconds):
        time.sleep(seconds)
        return self.hear()

    def switches(self):
        """How often the daemon has given up the processor of its own will: once a wake-up."""
        status = pathlib.Path(f"/proc/{self.daemon.pid}/status").read_text()
        return int(status.split("voluntary_ctxt_switches:")[1].split()[0])


class Manager(unittest.TestCase):
    def manage(self, period=PERIOD):
        service = Managed(None, period)
        self.addCleanup(service.close)
        return service

    def test_pings_while_it_runs(self):
        service = self.manage()
        pings = service.hear_for(3 * PERIOD).count("WATCHDOG=1")
        self.assertGreaterEqual(pings, 3)
        self.assertLessEqual(pings, 12)
        service.daemon.send_signal(signal.SIGSTOP)
        service.hear()
        self.assertNotIn("WATCHDOG=1", service.hear_for(2 * PERIOD))
        service.daemon.send_signal(signal.SIGCONT)
        service.await_word("WATCHDOG=1")
        end_service(service)

    def test_a_look_at_many_cases_goes_on(self):
        """A start by a policy that is new looks at all open cases, and says meanwhile that it does."""
        service = self.manage(None)
        client = service.client()
        found_company(client)
        job, problems, _ = import_file(client, "ticket", as_csv(
            [{"reference": f"R-{i}", "type": "consultation", "region": REGION} for i in range(2500)]))
        self.assertEqual((job["created"], problems), (2500, []))
        service.stop()
        service.configure(POLICY.read_text("utf-8").replace("warn_at: 75%", "warn_at: 70%"))
        service.listen(None)
        heard = []
        wait_for(lambda: heard.extend(service.hear()) or any("READY=1" in line for line in heard), "READY=1")
        self.assertGreaterEqual(sum(line.startswith("EXTEND_TIMEOUT_USEC=") for line in heard), 3)
        end_service(service)

    def test_pings_go_on_under_load(self):
        """Calls without a pause do not keep the watchdog waiting, nor what is due."""
        service = self.manage()
        client = service.client()
        found_company(client)
        message = client.message("Tickets", "List", "a{sv}su", {}, "", 100)
        service.hear()
        deadline = time.monotonic() + 3 * PERIOD
        n = 0
        while time.monotonic() < deadline:
            n += len(client.calls([message] * 64))
        self.assertGreaterEqual(service.hear().count("WATCHDOG=1"), 3)
        self.assertGreater(n, 64)
        end_service(service)

    def test_status_line_follows(self):
        service = self.manage(None)
        client = service.client()
        found_company(client)
        for _ in range(3):
            client.create(type="consultation", region="110105")
        self.assertTrue(service.await_word("STATUS=3 open, 0 overdue, policy "))
        service.daemon.send_signal(signal.SIGTERM)
        service.await_word("STOPPING=1")
        end_service(service)

    def test_idle_is_idle(self):
        """Without a watchdog nothing wakes it up; with one, only that."""
        service = self.manage(None)
        time.sleep(1.5)  # until the last word of the start
        before = service.switches()
        time.sleep(2)
        self.assertEqual(service.switches(), before)
        self.assertEqual(service.hear(), [])
        end_service(service)

        service = self.manage(PERIOD)
        time.sleep(1.5)
        service.hear()
        before = service.switches()
        time.sleep(2)
        wakes, heard = service.switches() - before, service.hear()
        self.assertEqual(set(heard), {"WATCHDOG=1"})
        self.assertLessEqual(wakes, len(heard) + 1)
        end_service(service)


class LogControl(ServiceTest):
    """As systemctl service-log-level does it."""

    def properties(self, client, member, signature, *arguments):
        address = jeepney.DBusAddress("/org/freedesktop/LogControl1", "org.aftersales1",
                                      "org.freedesktop.DBus.Properties")
        answer = client.calls([jeepney.new_method_call(address, member, signature, arguments)])[0]
        if isinstance(answer, BusError):
            raise answer
        return answer

    def level(self, client=None):
        return self.properties(client or self.client, "Get", "ss", LOG_CONTROL, "LogLevel")[1]

    def set_level(self, value, client=None, name="LogLevel"):
        self.properties(client or self.client, "Set", "ssv", LOG_CONTROL, name,
                        value if isinstance(value, tuple) else ("s", value))

    def setUp(self):
        self.set_level("info")

    def test_read(self):
        self.assertEqual(self.properties(self.client, "GetAll", "s", LOG_CONTROL),
                         {"LogLevel": "info", "LogTarget": "console",
                          "SyslogIdentifier": "aftersalesd"})

    def test_set(self):
        self.client.status()
        self.assertNotIn("Manager.Status", self.service.log_path.read_text())
        self.set_level("debug")
        self.assertEqual(self.level(), "debug")
        self.client.status()
        self.assertIn("<7>uid:0 (administrator) calls org.aftersales1.Manager.Status: done",
                      self.service.log_path.read_text())
        self.set_level("crit")
        self.assertEqual(self.level(), "crit")
        self.assertIn("uid:0 sets the log level from debug to crit",
                      self.service.log_path.read_text())

    def test_refused(self):
        for value, word in (("debgu", "did you mean debug"), ("", "must be emerg"),
                            (("i", 7), "must be a string")):
            with self.subTest(value=value), self.refused("InvalidValue", word):
                self.set_level(value)
        with self.refused("InvalidValue", "only LogLevel"):
            self.set_level("console", name="LogTarget")
        self.assertEqual(self.level(), "info")

    @needs_root
    def test_who_may(self):
        nobody = self.service.client("nobody")
        with self.refused("NotPermitted", "admin.log"):
            self.set_level("debug", nobody)
        self.assertEqual(self.level(nobody), "info")


if __name__ == "__main__":
    unittest.main()
