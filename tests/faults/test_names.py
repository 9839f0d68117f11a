#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A name service that hangs: whoever waits for it hears so, and what comes later works again."""

import os
import shutil
import subprocess
import time
import unittest

from support import FaultTest
from harness import BusError, needs_root

LIMIT = 60  # seconds, of loading a configuration


@needs_root
@unittest.skipUnless(shutil.which("nsenter"), "needs util-linux")
class Names(FaultTest):
    def setUp(self):
        self.open()
        self.service.wrapper = ["unshare", "--mount"]
        try:
            self.begin()
        except AssertionError:
            self.skipTest("needs mount namespaces")

    def mount(self, *arguments):
        subprocess.run(["nsenter", f"--target={self.service.daemon.pid}", "--mount", *arguments],
                       check=True, timeout=10)

    def test_a_name_service_that_hangs(self):
        """A file that never gives anything in the place of the one that names the users."""
        fifo = self.service.directory / "passwd"
        os.mkfifo(fifo)
        self.mount("mount", "--bind", fifo, "/etc/passwd")
        began = time.monotonic()
        waiting = [self.service.client() for _ in range(3)]
        for client, call in zip(waiting, (("Policy", "Reload"), ("Manager", "Check"),
                                          ("Policy", "Simulate", "xa{sv}u", self.now, {}, 1))):
            client.post(client.message(*call))
        time.sleep(LIMIT - 15)
        for client in waiting:
            self.assertIsInstance(client.next_answer()[1], BusError)
        self.assertGreater(time.monotonic() - began, LIMIT - 2)
        self.assertIn("does a name service hang", self.service.log_path.read_text("utf-8"))
        self.mount("umount", "/etc/passwd")
        self.client.call("Policy", "Reload")


if __name__ == "__main__":
    unittest.main()
