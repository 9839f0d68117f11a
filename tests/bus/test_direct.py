# SPDX-License-Identifier: Apache-2.0
"""Connections past the bus. That the API is the same there, DIRECT=1 shows: then all of these tests
run over the daemon's own socket. Here is what is about the socket itself."""

import os
import pathlib
import socket
import stat
import time
import unittest

import jeepney.io.blocking

from harness import (BUILD, BUS, BusError, Client, DIRECT, FreshServiceTest, POLICY, REGION, am_root, needs_root, variants,
                     wait_for)

PEERS_OF_ONE, STRANGERS_MAX, UNREAD_MAX = 16, 8, 128  # daemon/bus/direct.c


class Direct(FreshServiceTest):
    def setUp(self):
        super().setUp()
        self.path = pathlib.Path(self.service.direct.removeprefix("unix:path="))

    def connect(self, user=None, groups=()):
        return self.service.client(user, groups, direct=True)

    def refused_connection(self, user=None):
        with self.assertRaises((ConnectionResetError, BrokenPipeError, EOFError)):
            self.connect(user)

    def test_beside_the_bus(self):
        """Both see the same, and hear of it."""
        direct, bus = self.connect(), self.service.client(direct=False)
        for one, other in ((direct, bus), (bus, direct)):
            other.call("Manager", "Subscribe")
            number = one.create(type="repair", region=REGION)
            self.assertEqual(other.get(number)["state"], "received")
            self.assertEqual([signal.values[0] for signal in other.signals()
                              if signal.member == "Changed"], [number])
            other.call("Manager", "Unsubscribe")
            one.create(type="repair", region=REGION)
            self.assertEqual(other.signals(), [])

    def test_repeated_on_the_other(self):
        """A request is the same one, whichever way it comes."""
        fields = variants({"type": "repair", "region": REGION, "request_id": "one"})
        first = self.connect().call("Tickets", "Create", "a{sv}", fields)
        self.assertEqual(self.service.client(direct=False).call("Tickets", "Create", "a{sv}", fields),
                         first)

    def test_names(self):
        """What libraries ask of a bus."""
        client = self.connect()
        self.assertTrue(client.name.startswith(":direct."))
        self.assertNotEqual(self.connect().name, client.name)
        bus = jeepney.DBusAddress("/org/freedesktop/DBus", "org.freedesktop.DBus",
                                  "org.freedesktop.DBus")
        for name, expected in (("org.aftersales1", "org.aftersales1"), ("org.other", None)):
            answer = client.calls([jeepney.new_method_call(bus, "GetNameOwner", "s", (name,))])[0]
            if expected:
                self.assertEqual(answer, expected)
            else:
                self.assertIsInstance(answer, BusError)

    def test_the_socket(self):
        """Open to all, gone with the daemon; one that a killed daemon has left is in nobody's way."""
        self.assertEqual(stat.S_IMODE(self.path.stat().st_mode), 0o666)
        self.service.kill()
        self.assertTrue(self.path.exists())
        self.service.start(self.CLOCK)
        self.assertTrue(self.connect().status())
        self.service.stop()
        self.assertFalse(self.path.exists())
        self.service.start(self.CLOCK)

    def test_so_many(self):
        """One user does not take all places; a place is free when its holder has gone."""
        # The test's own client may be one of them.
        clients = [self.connect() for _ in range(PEERS_OF_ONE - DIRECT)]
        self.refused_connection()
        self.assertTrue(clients[0].status())
        clients[1].close()
        wait_for(self.can_connect, "a free place")

    def can_connect(self):
        try:
            return self.connect()
        except (ConnectionResetError, BrokenPipeError, EOFError):
            return None

    @needs_root
    def test_strangers(self):
        """Whoever may do nothing hears so, and takes nobody's place."""
        strangers = [self.connect("nobody") for _ in range(STRANGERS_MAX)]
        with self.assertRaises(BusError) as caught:
            strangers[0].status()
        self.assertEqual(caught.exception.name, "NotPermitted")
        self.refused_connection("nobody")
        clients = [self.connect(user) for user in (None, "daemon", "games", "news")
                   for _ in range(PEERS_OF_ONE - (DIRECT and user is None))]
        for client in clients:
            self.assertTrue(client.status())
        self.refused_connection("man")
        self.refused_connection("nobody")

    @needs_root
    def test_a_role_that_changes(self):
        """It holds for those who are connected, too."""
        client = self.connect("nobody")
        with self.assertRaises(BusError):
            client.status()
        self.service.configure(POLICY.read_text("utf-8") +
                               "  - {user: nobody, role: everything, scope: headquarters}\n")
        self.client.call("Policy", "Reload")
        self.assertTrue(client.status())
        self.service.configure(POLICY.read_text("utf-8"))
        self.client.call("Policy", "Reload")
        with self.assertRaises(BusError):
            client.status()

    def test_who_does_not_read(self):
        """It is hung up on, and others do not wait for it."""
        for _ in range(200):
            self.client.create(type="repair", region=REGION, reference=f"r{_}")
        deaf, other = self.connect(), self.connect()
        question = Client.message("Tickets", "List", "a{sv}su", {}, "", 1000)
        slowest = 0
        with self.assertRaises((ConnectionResetError, BrokenPipeError)):
            for _ in range(100 * UNREAD_MAX):
                deaf.post(question)
                began = time.monotonic()
                other.status()
                slowest = max(slowest, time.monotonic() - began)
        self.assertLess(slowest, 1)
        self.assertIn("who reads no answers", self.service.log_tail())
        self.assertTrue(other.status())

    def test_many_who_do_not_read(self):
        """What they have asked for is not made before they read; and nobody waits for them, who reads gets it all."""
        ticket = self.client.create(type="consultation", region=REGION)
        self.client.calls([Client.message("Tickets", "Comment", "ta{sv}", ticket, variants({"note": "不" * 500}))] * 140)
        question = Client.message("Tickets", "History", "t", ticket)
        deaf = [self.connect() for _ in range(7)]  # of a user 1,024 calls may wait
        for client in deaf:
            for _ in range(UNREAD_MAX):  # 28 MB for each, of which the sockets take up to 16
                client.post(question)
        other = self.connect()
        for _ in range(100):
            other.status()
        time.sleep(1)
        self.assertLess(self.anonymous(), (512 if BUILD.name == "asan" else 64) << 20)
        for _ in range(UNREAD_MAX):
            self.assertIsInstance(deaf[0].next_answer()[1], list)

    def anonymous(self):
        with open(f"/proc/{self.service.daemon.pid}/status", encoding="ascii") as status:
            return next(int(line.split()[1]) * 1024 for line in status if line.startswith("RssAnon:"))

    @needs_root
    def test_who_does_not_read_what_the_library_answers(self):
        """That never comes to the daemon's own methods, and anybody may ask for it."""
        other = self.connect()
        for interface, member in (("org.freedesktop.DBus.Introspectable", "Introspect"),
                                  ("org.freedesktop.DBus.Peer", "Ping"), ("Nothing", "Get"), ("Tickets", "Nothing")):
            question = Client.message(interface, member)
            with self.subTest(member=member):
                deaf = self.connect("nobody")
                with self.assertRaises((ConnectionResetError, BrokenPipeError)):
                    for _ in range(1000 * UNREAD_MAX):
                        deaf.post(question)
                self.assertTrue(other.status())

    def test_not_dbus(self):
        """Whatever comes instead of it, others are served."""
        for data in (b"", b"GET / HTTP/1.1\r\n\r\n", b"\0AUTH ANONYMOUS\r\nBEGIN\r\n", os.urandom(4096),
                     b"\0AUTH EXTERNAL 7b\r\nBEGIN\r\n", b"\0" * 100000):
            with self.subTest(data=data[:20]), socket.socket(socket.AF_UNIX) as raw:
                raw.connect(str(self.path))
                try:
                    raw.sendall(data)
                    raw.shutdown(socket.SHUT_WR)
                    raw.settimeout(5)
                    while raw.recv(4096):
                        pass
                except (BrokenPipeError, ConnectionResetError):
                    pass
            self.assertTrue(self.connect().status())
            self.service.clients.pop().close()

    def test_lying(self):
        """A call that is not what its signature says is refused; no bus lets one through. Nothing stored is held to be
        damaged."""
        client = self.connect()
        text = self.client.message("Tickets", "List", "a{sv}su", variants({"reference": "abcd"}), "", 1)
        flag = self.client.message("Tickets", "List", "a{sv}su", variants({"ended": True}), "", 1)
        file = self.client.message("Transfer", "Import", "sua{sv}", "ticket", 0, {})
        for message, before, after in ((text, b"\4\0\0\0abcd", b"\xff\xff\0\0abcd"),
                                       (text, b"abcd", b"ab\xffd"), (text, b"abcd", b"ab\0d"),
                                       (flag, b"\1b\0", b"\1(\0"),
                                       (file, b"sua{sv}", b"sha{sv}")):  # and no file
            serial = next(client.connection.outgoing_serial)
            data = message.serialise(serial)
            self.assertIn(before, data)
            client.connection.sock.sendall(data.replace(before, after))
            answered, answer = client.next_answer()
            self.assertEqual(answered, serial)
            self.assert_error(answer, "InvalidValue", "malformed")
        self.assertEqual(client.status()["damaged"], 0)

    def test_a_slow_subscriber(self):
        """Is not hung up on for signals that it has not read yet; it misses some."""
        slow, other = self.connect(), self.connect()
        slow.call("Manager", "Subscribe")
        creates = [Client.message("Tickets", "Create", "a{sv}", variants(
            {"type": "consultation", "region": REGION}))] * 3000
        asked = []
        for _ in range(8):  # more signals than the sockets hold
            other.calls(creates)
            asked.append(slow.post(Client.message("Manager", "Changes", "tu", 0, 0)))
        answers = [slow.next_answer() for _ in asked]
        self.assertEqual([serial for serial, _ in answers], asked)
        self.assertEqual(answers[-1][1][1], other.status()["sequence"])
        self.assertLess(len(slow.received), 8 * len(creates))
        other.calls(creates[:1])
        slow.received.clear()
        self.assertEqual([signal.member for signal in slow.signals()], ["Changed"])

    @unittest.skipUnless(BUS == "dbus-daemon", "another bus is not asked")
    def test_names_of_others(self):
        """What a direct message says of its sender counts for nothing: the bus is asked about its own alone."""
        for _ in range(40):
            self.client.create(type="consultation", region=REGION, description="不" * 600)
        reader, direct, bus = self.service.client(direct=False), self.connect(), self.service.client(direct=False)
        monitor = self.service.client(direct=False)
        monitor.calls([jeepney.new_method_call(
            jeepney.DBusAddress("/org/freedesktop/DBus", "org.freedesktop.DBus", "org.freedesktop.DBus.Monitoring"),
            "BecomeMonitor", "asu", (["member='GetConnectionStats'"], 0))])
        for _ in range(6):  # 25 MB: the bus is asked for each
            for _ in range(64):
                reader.post(Client.message("Tickets", "List", "a{sv}su", {}, "", 1000))
            for _ in range(20):
                invented = Client.message("Manager", "Status")
                invented.header.fields[jeepney.HeaderFields.sender] = ":7.7"
                direct.calls([invented])
                bus.status()
        asked = set()
        with self.assertRaises(AssertionError):
            while True:
                asked.add(monitor.receive(time.monotonic() + 1).body[0])
        self.assertIn(reader.name, asked)
        self.assertNotIn(":7.7", asked)

    def test_pretending(self):
        """Who somebody is, the kernel says."""
        uid = b"30" if not am_root() else b"3635353334"  # 0, or 65534
        with socket.socket(socket.AF_UNIX) as raw:
            raw.connect(str(self.path))
            raw.sendall(b"\0AUTH EXTERNAL " + uid + b"\r\n")
            raw.settimeout(5)
            self.assertNotIn(b"OK", raw.recv(4096))


if __name__ == "__main__":
    unittest.main()
