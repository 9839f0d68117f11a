# SPDX-License-Identifier: Apache-2.0
"""Jobs: what a caller hears whose job is gone, and which of them are kept."""

import contextlib
import os
import unittest

import harness
from files import as_csv, import_file

KEPT = 32
KEPT_BYTES = 256 << 20
FILE_BYTES = 16 << 20


class NoJobs(harness.ServiceTest):
    def test_none_are_listed(self):
        self.assertEqual(self.client.call("Jobs", "List"), [])

    def test_unknown_ones_are_not_found(self):
        for member in ("Get", "Wait", "Cancel", "Problems"):
            with self.subTest(member), self.refused("NotFound", "no job 7", "start the work again"):
                self.client.call("Jobs", member, "t", 7)

    def test_numbers_do_not_come_again(self):
        """Whoever follows a job over a restart hears that it is gone, not how another one is."""
        old, _, _ = import_file(self.client, "fault", b"code\nF-1\n")
        self.service.stop()
        self.service.start(self.CLOCK)
        for _ in range(3):
            import_file(self.client, "fault", b"code\nF-2\n")
        with self.refused("NotFound", "start the work again"):
            self.client.call("Jobs", "Get", "t", old["id"])


class Kept(harness.FreshServiceTest):
    def ids(self, client):
        return [job["id"] for job in client.call("Jobs", "List")]

    @harness.needs_root
    def test_nobody_is_forgotten_for_another(self):
        file = as_csv([{"code": "X", "symptom": "x"}])
        mine = [import_file(self.client, "fault", file)[0]["id"] for _ in range(3)]
        other = self.service.client("daemon")
        theirs = [import_file(other, "fault", file)[0]["id"] for _ in range(KEPT + 3)]
        self.assertEqual(self.ids(other), theirs[:5:-1])
        self.assertEqual(self.ids(self.client), theirs[:5:-1] + mine[::-1])

    def memory(self):
        """What the daemon holds of files in memory."""
        directory = f"/proc/{self.service.daemon.pid}/fd"
        total = 0
        for name in os.listdir(directory):
            with contextlib.suppress(FileNotFoundError):  # closed since
                if "memfd:job" in os.readlink(f"{directory}/{name}"):
                    total += os.stat(f"{directory}/{name}").st_size
        return total

    def test_files_have_a_bound(self):
        file = b"code,symptom\n" + (b"X," + b"x" * 60000 + b"\n") * 290
        for _ in range(KEPT_BYTES // FILE_BYTES + 3):
            job, problems, rejects = import_file(self.client, "fault", file)
            self.assertEqual((job["refused"], len(problems)), (290, 290))
            self.assertGreater(len(rejects), FILE_BYTES - 70000)
            # It is told that one has ended before another one goes.
            harness.wait_for(lambda: self.memory() <= KEPT_BYTES, "what is kept to be bounded")
        self.assertGreaterEqual(len(self.ids(self.client)), KEPT_BYTES // FILE_BYTES - 1)


if __name__ == "__main__":
    unittest.main()
