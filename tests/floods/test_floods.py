# SPDX-License-Identifier: Apache-2.0
"""One caller cannot keep others waiting: another user floods the daemon in every way of flooder.py, over the bus and
over the daemon's own socket, under both bus daemons, while somebody measures how long Get and Create take. A bus
that is flooded itself answers late, even when it is asked for its own: more than that nobody waits.

    FLOOD=n   seconds of flood in all (default 24), by BUS, as in tests/bus"""

import contextlib
import os
import pathlib
import signal
import subprocess
import sys
import time
import unittest

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1] / "bus"))

import jeepney  # noqa: E402

from flooder import CONNECTIONS, KINDS, LARGE_DIRECT, create  # noqa: E402
from harness import (BUS, HOUR, POLICY, REGION, Service, at, end_process, end_service, figure, found_company,  # noqa: E402
                     needs_root, wait_for)

FLOOD = float(os.environ.get("FLOOD", 24))
WAYS = ("bus", "direct")
GET_ID = jeepney.new_method_call(jeepney.DBusAddress("/org/freedesktop/DBus", "org.freedesktop.DBus",
                                                     "org.freedesktop.DBus"), "GetId")
OF_BUS = "GetId of the bus"
LISTED = 1000  # tickets, so that pages are full
CALM = 0.2  # of a flood's time it is measured without it before
FLOODER, CLERK = "games", "daemon"  # users whom the policy knows

# Seconds: of the 99th percentile and of the slowest call, on a machine that has other things to do as well.
P99_MAX, SLOWEST_MAX = 3, 10
# Of the median to what it is without a flood, and what that takes by itself of processors and of the bus; less when
# the flood keeps to what a bus allows.
RATIO_MAX, SHARE, SHARE_OF_WINDOW = 20, 1, 0.25
ESCALATED_WITHIN, CALM_WITHIN = 10, 120  # seconds
# That the daemon may take for itself. A message stands twice in its memory while it is read.
BYTES_MAX = 64 << 20
LARGE_BYTES_MAX = {"bus": 128 << 20, "direct": 2 * CONNECTIONS * LARGE_DIRECT}
# Floods that come without end drown a bus itself, and what is behind it: there only the other way is held to limits,
# and that all is well again afterwards.
DROWNED = {("calls", "bus"), ("deaf", "bus"), ("deaf_to_library", "bus")}


class Latencies:
    """Seconds that calls took, by name."""

    def __init__(self):
        self.seconds = {}

    def time(self, name, call):
        began = time.monotonic()
        value = call()
        self.seconds.setdefault(name, []).append(time.monotonic() - began)
        return value

    def of(self, name, part):
        sorted_seconds = sorted(self.seconds[name])
        return sorted_seconds[min(int(len(sorted_seconds) * part), len(sorted_seconds) - 1)]

    def slowest(self):
        return max(max(seconds) for seconds in self.seconds.values())

    def worst(self, part):
        return max(self.of(name, part) for name in self.seconds)


@needs_root
class Floods(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        policy = POLICY.read_text("utf-8").replace("map_size: 1GiB", "map_size: 16GiB").replace("debug", "info")
        cls.service = Service(at("2026-03-02 09:00"), policy)
        cls.addClassCleanup(cls.service.close)
        cls.root = cls.service.client(direct=True)
        found_company(cls.root)
        cls.clients = {way: cls.service.client(CLERK, direct=way == "direct") for way in WAYS}
        cls.ticket = cls.root.create(type="consultation", region=REGION)
        cls.root.calls([create(description="不制冷" * 20)] * LISTED)
        cls.p99 = cls.slowest = cls.bytes = cls.seconds = 0

    @classmethod
    def tearDownClass(cls):
        end_service(cls.service)
        figure(f"{BUS}: {cls.seconds:.0f} seconds of flood, p99 at most {cls.p99 * 1000:.0f} ms, the slowest call "
               f"{cls.slowest * 1000:.0f} ms, the daemon at most {cls.bytes >> 20} MiB")

    def anonymous(self):
        with open(f"/proc/{self.service.daemon.pid}/status", encoding="ascii") as status:
            return next(int(line.split()[1]) * 1024 for line in status if line.startswith("RssAnon:"))

    def measure(self, seconds, ways=WAYS):
        """How long calls take for so long, over these ways in turn, and the most memory meanwhile."""
        latencies, most = Latencies(), 0
        end = time.monotonic() + seconds
        while True:
            if "bus" in ways:
                latencies.time(OF_BUS, lambda: self.clients["bus"].calls([GET_ID]))
            for way in ways:
                client = self.clients[way]
                latencies.time(f"Get over {way}", lambda: client.get(self.ticket))
                latencies.time(f"Create over {way}", lambda: client.create(type="consultation", region=REGION))
            most = max(most, self.anonymous())
            if time.monotonic() >= end:
                return latencies, most

    @contextlib.contextmanager
    def flooded(self, kind, way):
        address = self.service.address if way == "bus" else self.service.direct
        program = pathlib.Path(__file__).with_name("flooder.py")
        flooder = subprocess.Popen([sys.executable, program, kind, address], user=FLOODER, group=FLOODER,
                                   extra_groups=[], stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        try:
            time.sleep(0.3)  # until it floods
            yield
            self.assertIsNone(flooder.poll(), "the flood has ended by itself")
        finally:
            end_process(flooder, signal.SIGKILL)
            said = flooder.communicate()[1]
        self.assertEqual(said, "")

    def is_calm(self):
        latencies, _ = self.measure(0)
        return latencies.slowest() < SHARE_OF_WINDOW

    def check(self, kind, way, seconds):
        wait_for(self.is_calm, "the end of the flood before", CALM_WITHIN)
        calm, _ = self.measure(seconds * CALM)
        with self.flooded(kind, way):
            latencies, most = self.measure(seconds, ["direct"] if (kind, way) in DROWNED else WAYS)
        cls = type(self)
        cls.seconds += seconds
        cls.bytes = max(cls.bytes, most)
        told = ", ".join(f"{name} {latencies.of(name, 0.5) * 1000:.1f} ({calm.of(name, 0.5) * 1000:.1f}) "
                         f"p99 {latencies.of(name, 0.99) * 1000:.0f} max {max(latencies.seconds[name]) * 1000:.0f}"
                         for name in latencies.seconds)
        print(f"{kind} over {way}: {told} ms; {most >> 20} MiB", flush=True)
        cls.p99, cls.slowest = max(cls.p99, latencies.worst(0.99)), max(cls.slowest, latencies.slowest())
        for name in latencies.seconds:
            share = SHARE_OF_WINDOW if kind == "window" else SHARE
            self.assertLess(latencies.of(name, 0.5), calm.of(name, 0.5) * RATIO_MAX + share, name)
        self.assertLess(latencies.worst(0.99), P99_MAX)
        self.assertLess(latencies.slowest(), SLOWEST_MAX)
        self.assertLess(most, LARGE_BYTES_MAX[way] if kind == "large" else BYTES_MAX)

    def test_escalation_goes_on(self):
        """Callers come first, but not for ever."""
        for way in WAYS:
            with self.subTest(way=way), self.flooded("calls", way):
                self.root.jump(self.root.now() + 30 * HOUR)
                wait_for(lambda: self.root.status()["lag"] == 0, "what is due", ESCALATED_WITHIN)

    def test_floods(self):
        seconds = FLOOD / len(KINDS) / len(WAYS)
        for kind in KINDS:
            for way in WAYS:
                with self.subTest(kind=kind.__name__, way=way):
                    self.check(kind.__name__, way, seconds)


if __name__ == "__main__":
    unittest.main()
