# SPDX-License-Identifier: Apache-2.0
"""A large store costs what a small one costs, and calls share commits: the short form of tests/bench/run.py."""

import pathlib
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "bench"))
from figures import Site, base, end_of_filling  # noqa: E402

SMALL, LARGE = 1000, 1000000
# A page that read all tickets would cost hundreds of times more; noise and deeper trees cost less than this.
WORST_RATIO = 4
WAKE_UP = 0.25  # milliseconds that a call of the large one may have waited for a processor
LEAST_SHARED = 8


class Scale(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.work = tempfile.TemporaryDirectory(prefix="aftersales-scale-")
        cls.addClassCleanup(cls.work.cleanup)
        cls.small, cls.large = base(cls.work.name, SMALL), base(cls.work.name, LARGE)

    def test_large_costs_what_small_costs(self):
        figures = {}
        for n, path in ((SMALL, self.small), (LARGE, self.large)):
            with Site(path, end_of_filling(n)) as site:
                figures[n] = {name: p50 for name, (p50, _) in site.reads(100).items()}
                figures[n]["start"] = site.start_seconds * 1000
                self.assertEqual(site.status()["open"], n)
                self.assertEqual(site.status()["unarmed"], 0)
        for name, small in figures[SMALL].items():
            large = figures[LARGE][name]
            print(f"figure: {name}: {small:.2f} ms with {SMALL} tickets, {large:.2f} ms with {LARGE}")
            with self.subTest(name):
                self.assertLess(large, WORST_RATIO * small + WAKE_UP)

    def test_calls_in_flight_share_commits(self):
        with Site(self.large, end_of_filling(LARGE)) as site:
            before = site.status()
            figures = site.load("create", 5000, 64)
            after = site.status()
        shared = (after["changes"] - before["changes"]) / (after["commits"] - before["commits"])
        print(f"figure: {figures['rate']:.0f} durable creates/s with 64 in flight and {LARGE} tickets, "
              f"{shared:.1f} changes a commit, p99 {figures['p99_ms']:.1f} ms")
        self.assertEqual(after["changes"] - before["changes"], 5000)
        self.assertGreaterEqual(shared, LEAST_SHARED)


if __name__ == "__main__":
    unittest.main()
