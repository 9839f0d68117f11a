# SPDX-License-Identifier: Apache-2.0
"""Jobs that there are not: what a caller hears whose job is gone."""

import unittest

import harness


class NoJobs(harness.ServiceTest):
    def test_none_are_listed(self):
        self.assertEqual(self.client.call("Jobs", "List"), [])

    def test_unknown_ones_are_not_found(self):
        for member in ("Get", "Wait", "Cancel", "Problems"):
            with self.subTest(member), self.refused("NotFound", "no job 7", "start the work again"):
                self.client.call("Jobs", member, "t", 7)


if __name__ == "__main__":
    unittest.main()
