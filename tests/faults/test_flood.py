#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Callers that behave badly: another caller is still answered, and the daemon does not grow."""

import multiprocessing
import os
import sys
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from jeepney import MessageFlag

from support import EPOCH, SECOND, CallError, Client, Place, figure, message, percentile, resident

TICKETS = 500
PROBES = 150
# What a person still takes for an answer, on a busy machine; and KiB.
SLOWEST_MS = 2000
GROWTH = 64 * 1024
LIST = ("Tickets", "List", "a{sv}su", ({}, "", 1000))
CREATE = ("Tickets", "Create", "a{sv}", ({"type": "repair", "region": "110105"},))


def send_all(client, calls, no_reply=False):
    """In one stream, as fast as the bus takes it."""
    for call in calls:
        m = message(*call)
        if no_reply:
            m.header.flags = MessageFlag.no_reply_expected
        serial = next(client.connection.outgoing_serial)
        client.connection.sock.sendall(m.serialise(serial=serial))


# Each runs in a process of its own and says when it is in full swing.

def never_read(address, ready, calls, no_reply):
    client = Client(address)
    send_all(client, [calls[0]])
    ready.release()
    send_all(client, calls, no_reply)
    time.sleep(60)


def pipeline(address, ready, calls, counts):
    """Reads, but never waits."""
    client = Client(address)
    ready.release()
    while True:
        send_all(client, calls)
        for _ in calls:
            answer = client.receive()[1]
            name = answer.name if isinstance(answer, CallError) else "answered"
            counts[name] = counts.get(name, 0) + 1


def connect_often(address, ready, n, each):
    clients = [Client(address) for _ in range(n)]
    for client in clients:
        send_all(client, [LIST] * each)
    ready.release()
    while True:
        for client in clients:
            send_all(client, [LIST])
        for client in clients:
            client.receive()


def subscribe(address, ready, n):
    clients = [Client(address) for _ in range(n)]
    for client in clients:
        client.call("Manager", "Subscribe")
    ready.release()
    time.sleep(60)


class Flood(unittest.TestCase):
    def setUp(self):
        self.place = Place()
        self.addCleanup(self.place.close)
        self.place.daemon.start()
        self.client = self.place.client()
        self.client.create_units()
        for _ in range(TICKETS):
            self.client.create(description="x" * 500)
        self.pid = self.place.daemon.process.pid
        self.before = resident(self.pid)
        self.flooders = []
        self.addCleanup(self.stop)

    def flood(self, target, *arguments):
        ready = multiprocessing.Semaphore(0)
        flooder = multiprocessing.Process(target=target, daemon=True,
                                          args=(self.place.bus.address, ready, *arguments))
        flooder.start()
        self.flooders.append(flooder)
        self.assertTrue(ready.acquire(timeout=60), "the flood does not begin")

    def stop(self):
        for flooder in self.flooders:
            flooder.kill()
            flooder.join()
        self.flooders.clear()

    def measure(self, what):
        """Of another caller, whom the daemon has not heard of before."""
        latencies = []
        most = self.before
        client = self.place.client()
        for _ in range(PROBES):
            began = time.monotonic()
            client.status()
            latencies.append((time.monotonic() - began) * 1000)
            most = max(most, resident(self.pid))
        text = (f"{what}: another caller's Status p50 {percentile(latencies, 50):.1f} ms, "
                f"p99 {percentile(latencies, 99):.1f} ms, first {latencies[0]:.1f} ms; "
                f"memory {self.before} KiB before, {most} KiB then")
        figure(text)
        self.assertLess(percentile(latencies, 99), SLOWEST_MS, text)
        self.assertLess(most - self.before, GROWTH, text)
        self.stop()
        # Nothing is left of it.
        self.assertEqual(self.place.client().status()["open"] >= TICKETS, True)

    def test_quiet(self):
        self.measure("nobody else")

    def test_never_reading(self):
        for _ in range(4):
            self.flood(never_read, [LIST] * 2000, False)
        self.measure("4 callers that send 2000 List calls each and read no answer")

    def test_wanting_no_answer(self):
        """The bus limits calls that wait for an answer, but not these."""
        for _ in range(2):
            self.flood(never_read, [LIST] * 5000, True)
        self.measure("2 callers that send 5000 List calls each and want no answer")

    def test_pipelining(self):
        with multiprocessing.Manager() as manager:
            counts = manager.dict()
            self.flood(pipeline, [CREATE] * 2000, counts)
            self.measure("a caller with 2000 Create calls in flight")
            figure("which got: " + ", ".join(f"{n} {name}" for name, n in counts.items()))
            self.assertGreater(counts.get("answered", 0), 0)

    def test_many_connections(self):
        self.flood(connect_often, 200, 3)
        self.measure("200 connections with 3 List calls each and more to come")

    def test_deaf_subscribers(self):
        """Signals for connections that never read, while much happens."""
        self.flood(subscribe, 20)
        self.client.jump(EPOCH + 24 * 3600 * SECOND)
        self.measure(f"20 deaf subscribers, {TICKETS} tickets escalating")


if __name__ == "__main__":
    unittest.main()
