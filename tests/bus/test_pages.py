# SPDX-License-Identifier: Apache-2.0
"""What is told of one record, a history or an explanation: whole while that is not much, in pages
of a bounded size otherwise, and nothing left out or told twice."""

import json
import subprocess
import unittest

from harness import BUILD, BusError, DAY, FreshServiceTest, TIME_LIMIT, USEC, variants

PAGE = 64 * 1024
LONGEST = 2000 + 500  # bytes of the row that ends a page: a note, and what else an event says


class Portions(FreshServiceTest):
    def pages(self, method, key, limit=1000, interface="Tickets"):
        signature = "tsu" if isinstance(key, int) else "ssu"
        pages, cursor = [], ""
        while True:
            rows, cursor = self.client.call(interface, method, signature, key, cursor, limit)
            pages.append(rows)
            if not cursor:
                return pages

    def comment(self, ticket, n, size=2000):
        answers = self.client.calls([
            self.client.message("Tickets", "Comment", "ta{sv}", ticket,
                                variants({"note": f"{i:05}".ljust(size, ".")})) for i in range(n)])
        self.assertEqual([answer for answer in answers if isinstance(answer, BusError)], [])

    def ctl(self, *arguments):
        return subprocess.run([BUILD / "aftersalesctl", *arguments], text=True, check=True,
                              capture_output=True, env=self.service.environment(),
                              timeout=TIME_LIMIT).stdout

    def test_history(self):
        ticket = self.ticket()
        self.comment(ticket, 100)
        whole = self.client.history(ticket)
        self.assertEqual([event["revision"] for event in whole], list(range(1, 102)))
        for limit in (1, 7, 101, 1000):
            with self.subTest(limit=limit):
                pages = self.pages("HistoryPage", ticket, limit)
                self.assertEqual(sum(pages, []), whole)
                self.assertTrue(all(0 < len(page) <= limit for page in pages))
        # An event that comes in between is on the last page.
        rows, cursor = self.client.call("Tickets", "HistoryPage", "tsu", ticket, "", 1000)
        self.comment(ticket, 1)
        while cursor:
            page, cursor = self.client.call("Tickets", "HistoryPage", "tsu", ticket, cursor, 1000)
            rows += page
        self.assertEqual([event["revision"] for event in rows], list(range(1, 103)))

    def test_a_long_history(self):
        ticket = self.ticket()
        self.comment(ticket, 300)
        with self.refused("LimitReached", "256 KiB", "HistoryPage"):
            self.client.history(ticket)
        pages = self.pages("HistoryPage", ticket)
        self.assertEqual([event["revision"] for page in pages for event in page],
                         list(range(1, 302)))
        self.assertGreater(len(pages), 8)
        for page in pages:
            self.assertLess(len(json.dumps(page)), PAGE + LONGEST)
        told = json.loads(self.ctl("ticket", "history", f"T{ticket}", "--json"))["rows"]
        self.assertEqual(told, sum(pages, []))
        lines = self.ctl("ticket", "history", f"T{ticket}", "--no-legend").splitlines()
        self.assertGreaterEqual(len(lines), 301)

    def test_master_data(self):
        for i in range(150):
            self.client.call("Products", "Update", "sa{sv}", "AC-1",
                             variants({"warranty_months": 1 + i % 2, "note": "." * 1900}))
        whole = self.pages("HistoryPage", "AC-1", interface="Products")
        self.assertEqual([event["revision"] for page in whole for event in page],
                         list(range(1, 152)))
        self.assertGreater(len(whole), 1)
        told = json.loads(self.ctl("product", "history", "AC-1", "--json"))["rows"]
        self.assertEqual(told, sum(whole, []))

    def test_explanation(self):
        ticket = self.ticket()
        self.client.advance(self.CLOCK + 200 * DAY)
        whole = self.client.explain(ticket)
        self.assertGreater(len(whole), 900)
        for limit in (13, 1000):
            with self.subTest(limit=limit):
                self.assertEqual(sum(self.pages("ExplainPage", ticket, limit), []), whole)
        for page in self.pages("ExplainPage", ticket):
            self.assertLess(len(json.dumps(page)), 2 * PAGE)  # JSON writes more than the bus
        self.assertEqual(json.loads(self.ctl("ticket", "explain", f"T{ticket}",
                                             "--json"))["rows"], whole)
        self.assertEqual(self.ctl("ticket", "explain", f"T{ticket}").count(" clock, cycle "), 2)

    def test_an_explanation_is_of_one_instant(self):
        ticket = self.ticket()
        self.client.advance(self.CLOCK + 30 * DAY)
        before = self.client.explain(ticket)
        rows, cursor = self.client.call("Tickets", "ExplainPage", "tsu", ticket, "", 20)
        self.client.advance(self.client.now() + 60 * USEC)
        self.assertNotEqual(self.client.explain(ticket), before)
        while cursor:
            page, cursor = self.client.call("Tickets", "ExplainPage", "tsu", ticket, cursor, 20)
            rows += page
        self.assertEqual(rows, before)
        # Of a case that has changed there is no rest.
        _, cursor = self.client.call("Tickets", "ExplainPage", "tsu", ticket, "", 20)
        self.client.move("Comment", ticket, note="注")
        with self.refused("InvalidCursor", "ExplainPage", "begin"):
            self.client.call("Tickets", "ExplainPage", "tsu", ticket, cursor, 20)

    def test_cursors_of_nobody(self):
        ticket, other = self.ticket(), self.ticket()
        self.client.advance(self.CLOCK + 30 * DAY)
        _, cursor = self.client.call("Tickets", "ExplainPage", "tsu", ticket, "", 5)
        for wrong in (" " + cursor, cursor + "0", cursor.replace("-5-", "-6-"), "1-2-3", "x",
                      "99999999999999999999-1-00000000"):
            with self.subTest(cursor=wrong), self.refused("InvalidCursor"):
                self.client.call("Tickets", "ExplainPage", "tsu", ticket, wrong, 5)
        with self.refused("InvalidCursor"):
            self.client.call("Tickets", "ExplainPage", "tsu", other, cursor, 5)
        for wrong in ("x", "-1", "+1", " 1", "0", "1x", "99999999999999999999"):
            with self.subTest(cursor=wrong), self.refused("InvalidCursor"):
                self.client.call("Tickets", "HistoryPage", "tsu", ticket, wrong, 5)
        for method in ("HistoryPage", "ExplainPage"):
            for limit in (0, 1001):
                with self.subTest(limit=limit), self.refused("InvalidValue", "limit", "1000"):
                    self.client.call("Tickets", method, "tsu", ticket, "", limit)


if __name__ == "__main__":
    unittest.main()
