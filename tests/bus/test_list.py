# SPDX-License-Identifier: Apache-2.0
"""Pages of List: nothing left out, nothing twice, in the promised order."""

import unittest

from harness import BusError, HOUR, REGION, ServiceTest, USEC, at, variants

N = 2500
TYPES = ("consultation", "repair", "complaint", "technical_question")
PRIORITIES = ("normal", "urgent", "special")


def fields_of(i):
    """The i-th ticket, so that every filter has something to choose from."""
    fields = {"type": TYPES[i % 4], "priority": PRIORITIES[i // 4 % 3],
              "region": (REGION, "110108", "310115")[i % 3], "phone": f"1390000{i % 50:04}",
              "product": ("AC-1", "WM-1")[i % 2], "reference": f"REF-{i}"}
    if i % 10 == 0:
        fields["serial"] = f"S-{i // 100}"
    if i % 7 == 0:
        fields["promised_at"] = at("2026-03-02 10:00") + i * 60 * USEC
    return fields


class Pages(ServiceTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        client = cls.client
        answers = client.calls([client.message("Tickets", "Create", "a{sv}",
                                               variants(fields_of(i))) for i in range(N)])
        cls.numbers = [answer[0] for answer in answers]
        # Every 20th is void.
        cls.ended = set(cls.numbers[::20])
        client.calls([client.message("Tickets", "Void", "ta{sv}", number,
                                     variants({"void_reason": "wrong_number"})) for number in cls.ended])
        cls.rows = {}
        for number, answer in zip(cls.numbers, client.calls(
                [client.message("Tickets", "Get", "t", number) for number in cls.numbers])):
            cls.rows[number] = answer

    def expected(self, matches, ended=False):
        return {number for number, row in self.rows.items()
                if (ended or number not in self.ended) and matches(row)}

    def pages(self, filters, limit):
        """All rows, and that no page is larger than asked for."""
        rows, cursor, n = [], "", 0
        while True:
            page, cursor = self.client.list_page("Tickets", filters, cursor, limit)
            self.assertLessEqual(len(page), limit)
            rows += page
            n += 1
            self.assertLess(n, 3 * N)
            if not cursor:
                return rows

    def test_every_page_size(self):
        expected = self.expected(lambda row: True)
        for limit in (1, 7, 1000):
            with self.subTest(limit=limit):
                rows = self.pages({}, limit)
                numbers = [row["id"] for row in rows]
                self.assertEqual(len(numbers), len(set(numbers)), "a row came twice")
                self.assertEqual(set(numbers), expected)
                armed = [row["armed_at"] for row in rows]
                self.assertEqual(armed, sorted(armed), "the most urgent first")
                for row in rows:
                    self.assertEqual(row, self.rows[row["id"]])

    def test_filters(self):
        for filters, matches, ended in (
                ({"type": "repair"}, lambda r: r["type"] == "repair", False),
                ({"priority": "urgent"}, lambda r: r["priority"] == "urgent", False),
                ({"subcentre": "SH"}, lambda r: r["subcentre"] == "SH", False),
                ({"dealer": "BJ-2"}, lambda r: r.get("dealer") == "BJ-2", False),
                ({"owner": "BJ"}, lambda r: r["owner"] == "BJ", False),
                ({"region": "110108"}, lambda r: r["region"] == "110108", False),
                ({"product": "WM-1"}, lambda r: r["product"] == "WM-1", False),
                ({"phone": "13900000010"}, lambda r: r["phone"] == "13900000010", True),
                ({"serial": "S-3"}, lambda r: r.get("serial") == "S-3", True),
                ({"reference": "REF-20"}, lambda r: r["reference"] == "REF-20", True),
                ({"reference": "REF-2"}, lambda r: r["reference"] == "REF-2", True),
                ({"state": "received"}, lambda r: r["state"] == "received", False),
                ({"state": "voided"}, lambda r: r["state"] == "voided", True),
                ({"state": "closed"}, lambda r: False, True),
                ({"state": "voided", "dealer": "BJ-1"},
                 lambda r: (r["state"], r.get("dealer")) == ("voided", "BJ-1"), True),
                ({"ended": True}, lambda r: True, True),
                ({"ended": True, "dealer": "BJ-1"}, lambda r: r.get("dealer") == "BJ-1", True),
                ({"ended": True, "subcentre": "BJ"}, lambda r: r["subcentre"] == "BJ", True),
                ({"type": "repair", "subcentre": "BJ", "priority": "normal", "product": "WM-1"},
                 lambda r: (r["type"], r["subcentre"], r["priority"], r["product"]) ==
                 ("repair", "BJ", "normal", "WM-1"), False),
                ({"overdue": True}, lambda r: False, False),
                ({"overdue": False}, lambda r: True, False),
                ({"dealer": "BJ-9"}, lambda r: False, False)):
            with self.subTest(**filters):
                rows = self.pages(filters, 100)
                numbers = [row["id"] for row in rows]
                self.assertEqual(len(numbers), len(set(numbers)))
                self.assertEqual(set(numbers), self.expected(matches, ended))

    def test_status_counts_the_same(self):
        status = self.client.status()
        self.assertEqual((status["open"], status["states"]["voided"], status["states"]["received"],
                          status["unarmed"], status["waiting"]),
                         (N - len(self.ended), len(self.ended), N - len(self.ended), 0, 0))

    def test_urgency_within_a_filter(self):
        for filters in ({"subcentre": "BJ"}, {"dealer": "SH-1"}, {"state": "received"},
                        {"priority": "urgent"}):
            with self.subTest(**filters):
                armed = [row["armed_at"] for row in self.pages(filters, 33)]
                self.assertEqual(armed, sorted(armed))
                self.assertGreater(len(armed), 50)

    def test_a_cursor_survives_a_restart(self):
        first, cursor = self.client.list_page("Tickets", limit=700)
        self.service.restart(self.client.now(), kill=True)
        rest = []
        while cursor:
            page, cursor = self.client.list_page("Tickets", cursor=cursor, limit=700)
            rest += page
        numbers = [row["id"] for row in first + rest]
        self.assertEqual(len(numbers), len(set(numbers)))
        self.assertEqual(set(numbers), self.expected(lambda row: True))

    def test_other_interfaces(self):
        for interface, limit in (("Units", 1), ("Units", 5), ("Products", 2), ("Faults", 1)):
            whole = [row["code"] for row in self.client.list_all(interface)]
            paged = [row["code"] for row in self.client.list_all(interface, limit=limit)]
            self.assertEqual(paged, whole)
            self.assertEqual(whole, sorted(whole))
            self.assertGreater(len(whole), 1)
        codes = {row["code"] for row in self.client.list_all("Units", {"kind": "dealer"})}
        self.assertEqual(codes, {"BJ-1", "BJ-2", "SH-1", "SH-2"})
        for filters, expected in (({"parent": "SH"}, {"SH-1", "SH-2"}),
                                  ({"supply": "planned"}, {"BJ-1"}),
                                  ({"kind": "dealer", "parent": "BJ", "supply": "emergency"},
                                   {"BJ-2"}),
                                  ({"active": False}, set())):
            rows = self.client.list_all("Units", filters)
            self.assertEqual({row["code"] for row in rows}, expected)
        self.assertEqual([row["code"] for row in
                          self.client.list_all("Serials", {"product": "AC-1"})], ["S-1", "S-2"])


class WhileItChanges(ServiceTest):
    # What a ticket of revision 1, 2, 3, 4 (as 1) ... is, when it is dispatched, accepted, declined.
    ROUND = (("received", "BJ", {"response", "resolve"}, ("Dispatch", {"dealer": "BJ-1"})),
             ("dispatched", "BJ-1", {"response", "resolve"}, ("Accept", {})),
             ("accepted", "BJ-1", {"visit", "resolve"}, ("Decline", {"note": "忙"})))

    def test_a_page_never_sees_half_a_change(self):
        """Pages asked for while fifty tickets are moved: each has every ticket once, whole."""
        tickets = {self.ticket() for _ in range(50)}
        reader = self.service.client()
        page = reader.message("Tickets", "List", "a{sv}su", {}, "", 1000)
        for turn in range(30):
            name, fields = self.ROUND[turn % 3][3]
            moves = [self.client.message("Tickets", name, "ta{sv}", ticket, variants(fields))
                     for ticket in tickets]
            for message in moves[:25]:
                self.client.post(message)
            rows, _ = reader.calls([page])[0]
            self.client.calls(moves[25:])
            self.check_page(rows, tickets)

    def check_page(self, rows, tickets):
        rows = [row for row in rows if row["id"] in tickets]
        self.assertEqual(len(rows), len(tickets))
        self.assertEqual({row["id"] for row in rows}, tickets)
        armed = [row["armed_at"] for row in rows]
        self.assertEqual(armed, sorted(armed))
        for row in rows:
            state, owner, running, _ = self.ROUND[(row["revision"] - 1) % 3]
            clocks = {clock["clock"] for clock in row["clocks"] if "stopped_at" not in clock}
            self.assertEqual((row["state"], row["owner"], clocks), (state, owner, running))
            self.assertEqual(row["armed_at"], min(clock["next_at"] for clock in row["clocks"]
                                                  if "next_at" in clock))

    def test_rows_that_stay_are_neither_skipped_nor_repeated(self):
        """While others around the cursor are closed, created and rearmed."""
        stay = [self.ticket(promised_at=self.client.now() + (i + 2) * HOUR, priority="special")
                for i in range(40)]
        go = [self.ticket(promised_at=self.client.now() + (i + 2) * HOUR + 1) for i in range(40)]
        seen, cursor = [], ""
        for turn in range(1000):
            page, cursor = self.client.list_page("Tickets", cursor=cursor, limit=3)
            seen += [row["id"] for row in page]
            if go:
                self.client.move("Void", go.pop(turn % len(go)), void_reason="wrong_number")
            self.ticket(type="repair")
            if not cursor:
                break
        self.assertFalse(cursor)
        stayed = [number for number in seen if number in stay]
        self.assertCountEqual(stayed, stay)

    def test_highest_rung_first(self):
        low = self.ticket(priority="normal")
        high = self.ticket(priority="special")
        self.client.advance(self.client.now() + 4 * HOUR + 1)
        rows = self.client.list_all("Tickets", {"rung": 1})
        rungs = [row["rung"] for row in rows]
        self.assertEqual(rungs, sorted(rungs, reverse=True))
        numbers = [row["id"] for row in rows]
        self.assertLess(numbers.index(high), numbers.index(low))
        top = self.client.get(high)["rung"]
        self.assertGreater(top, self.client.get(low)["rung"])
        self.assertEqual([row["id"] for row in self.client.list_all("Tickets", {"rung": top})
                          if row["id"] in (low, high)], [high])
        with self.assertRaises(BusError):
            self.client.list_page("Tickets", {"rung": "high"})


if __name__ == "__main__":
    unittest.main()
