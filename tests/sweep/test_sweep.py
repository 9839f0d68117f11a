#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The short form of tests/sweep/sweep.py: the start, three methods over all of their allocations and
system calls, and a sample of the others. SAMPLE chooses which ones (0 to 7)."""

import contextlib
import os
import unittest

import sweep
from harness import figure
from recipes import Recipes

THOROUGH = (("Tickets", "Accept"), ("Clock", "Advance"), ("Units", "Create"))
STRANGE = (("caller", "new"), ("start", "stop"))
EVERY = 8  # methods, of which one is in the sample
SAMPLE = int(os.environ.get("SAMPLE", "0")) % EVERY


class Sweep(unittest.TestCase):
    def test_every_method_has_a_recipe(self):
        self.assertEqual(set(sweep.all_methods()), Recipes(None, None).names())

    def check(self, name, **options):
        with self.subTest(".".join(name)):
            done = sweep.sweep_all(name, **options)
            self.total += done.injected
            self.assertGreater(done.injected, 2)
            self.assertGreater(done.answered + done.ended, 0)

    @contextlib.contextmanager
    def counted(self, what):
        self.total = 0
        yield
        figure(f"{self.total} failures {what}: answered, refused or ended in good order")

    def test_start(self):
        with self.counted("from the start to serving"):
            self.check(("start", "first"), modes=sweep.ALLOCATIONS, step=23)
            self.check(("start", "again"), modes=sweep.ALLOCATIONS, step=29)

    def test_start_system_calls(self):
        with self.counted("of system calls from the start to serving"):
            self.check(("start", "first"), modes=sweep.CALLS, step=5)
            self.check(("start", "again"), modes=sweep.CALLS, step=7)

    def test_methods(self):
        with self.counted("in three methods, of new callers, subscribers and at the end"):
            for name in THOROUGH + STRANGE:
                self.check(name)
            self.check(sweep.DIRECT_CALLER, step=3)
            self.check(("Manager", "Subscribe"))

    def test_sample(self):
        methods = [name for name in sorted(sweep.all_methods()) if name not in THOROUGH]
        with self.counted(f"in the sample {SAMPLE} of the other methods"):
            for name in methods[SAMPLE::EVERY]:
                self.check(name, modes=sweep.ALLOCATIONS, step=8)
                self.check(name, modes=sweep.CALLS)


if __name__ == "__main__":
    unittest.main()
