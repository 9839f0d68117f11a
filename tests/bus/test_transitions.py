# SPDX-License-Identifier: Apache-2.0
"""Every transition from every state of every type of ticket, and all that each of them does. The
table below says what is expected; it is not read from the daemon."""

import collections
import itertools
import unittest

from harness import BusError, DAY, HOUR, REGION, ServiceTest, USEC, am_root, at, shown, variants

TYPES = ("consultation", "installation", "repair", "complaint", "return_exchange", "recycling",
         "cleaning", "technical_question")
VISIT_REQUIRED = ("installation", "repair", "return_exchange", "recycling", "cleaning")

WAITING = ("waiting_part", "waiting_customer")
WORK = ("received", "dispatched", "accepted", "visited") + WAITING
STATES = WORK + ("resolved", "followed_up", "closed", "voided")

# From where each of them leads.
FROM = {
    "transfer": ("received", "dispatched", "accepted"),
    "dispatch": ("received", "dispatched", "accepted", "visited"),
    "decline": ("dispatched", "accepted"),
    "accept": ("received", "dispatched"),
    "appoint": ("accepted", "visited") + WAITING,
    "promise": WORK,
    "visit": ("accepted", "visited"),
    "unuse": ("visited", "resolved") + WAITING,
    "wait_part": ("accepted", "visited"),
    "wait_customer": ("received", "dispatched", "accepted", "visited"),
    "resume": WAITING,
    "resolve": ("received", "dispatched", "accepted", "visited"),
    "follow_up": ("resolved",),
    "decide": ("resolved",),
    "close": ("followed_up",),
    "reopen": ("resolved", "followed_up", "closed"),
    "void": WORK,
    "override_warranty": WORK + ("resolved",),
    "update": WORK + ("resolved", "followed_up"),
    "comment": STATES,
}

LATER = at("2026-12-31 12:00")
SAME, BEFORE_WAITING, AGAIN = "same", "before waiting", "again"

# Each transition with what it takes, once for every way it can go, and where that leads.
Attempt = collections.namedtuple("Attempt", "transition fields to")
ATTEMPTS = (
    Attempt("transfer", {"subcentre": "SH", "note": "搬家"}, "received"),
    Attempt("dispatch", {}, "dispatched"),
    Attempt("decline", {"note": "人手不足"}, "received"),
    Attempt("accept", {"technician": "张师傅", "appointment": LATER}, "accepted"),
    Attempt("appoint", {"appointment": LATER, "technician": "李师傅"}, SAME),
    Attempt("promise", {"promised_at": LATER}, SAME),
    Attempt("visit", {"technician": "张师傅", "parts_used": "AC-P01 1", "fault_code": "AC01",
                      "serial": "S-1"}, "visited"),
    Attempt("unuse", {"parts": "part=AC-P01", "note": "没用上"}, SAME),
    Attempt("wait_part", {"wait_reason": "缺压缩机"}, "waiting_part"),
    Attempt("wait_customer", {"wait_reason": "客户出差"}, "waiting_customer"),
    Attempt("resume", {}, BEFORE_WAITING),
    Attempt("resolve", {"result": "repaired", "technician": "张师傅", "fault_code": "AC01"},
            "resolved"),
    Attempt("follow_up", {"outcome": "satisfied", "satisfaction": 5, "by": "clerk"}, "followed_up"),
    Attempt("follow_up", {"outcome": "dissatisfied", "satisfaction": 1, "by": "clerk",
                          "reopen_reason": "not_repaired"}, AGAIN),
    Attempt("follow_up", {"outcome": "unreachable", "by": "clerk"}, "resolved"),
    Attempt("decide", {"decision": "accept", "note": "三天未接"}, "followed_up"),
    Attempt("decide", {"decision": "reopen", "note": "三天未接", "reopen_reason": "other"}, AGAIN),
    Attempt("close", {}, "closed"),
    Attempt("reopen", {"reopen_reason": "late_visit"}, AGAIN),
    Attempt("void", {"void_reason": "wrong_number"}, "voided"),
    Attempt("override_warranty", {"warranty": "in", "note": "厂长批准"}, SAME),
    Attempt("update", {"description": "改后"}, SAME),
    Attempt("comment", {"note": "客户来电"}, SAME),
)

# How a ticket gets into a state.
WORKED = [("Dispatch", {}), ("Accept", {})]
RESOLVED = [*WORKED, ("Visit", {}), ("Resolve", {"result": "repaired", "by": "worker"})]
UNREACHABLE = ("FollowUp", {"outcome": "unreachable", "by": "clerk"})
PATHS = {
    "received": [],
    "dispatched": WORKED[:1],
    "accepted": WORKED,
    "visited": [*WORKED, ("Visit", {})],
    "waiting_part": [*WORKED, ("WaitPart", {"wait_reason": "缺件"})],
    "waiting_customer": [("WaitCustomer", {"wait_reason": "不在家"})],
    "resolved": RESOLVED,
    "followed_up": [*RESOLVED, ("FollowUp", {"outcome": "satisfied", "by": "clerk"})],
    "closed": [*RESOLVED, ("FollowUp", {"outcome": "satisfied", "by": "clerk"}), ("Close", {})],
    "voided": [("Void", {"void_reason": "wrong_number"})],
}
STATE_BEFORE_WAITING = {"waiting_part": "accepted", "waiting_customer": "received"}


def member(transition):
    return "".join(word.capitalize() for word in transition.split("_"))


def expected(kind, priority, state, attempt, attempts=0):
    """The state that it leads to, or the error and words of its text."""
    transition = attempt.transition
    if state not in FROM[transition]:
        return "InvalidState", (state, transition)
    if transition == "accept" and state == "received" and priority != "special":
        return "InvalidState", ("received", "dispatch")
    if transition == "resolve" and kind in VISIT_REQUIRED and state != "visited":
        return "RuleViolated", (kind, "visit")
    if transition == "decide" and attempts < 3:
        return "RuleViolated", (f"{attempts} of 3",)
    if transition == "unuse":
        return "RuleViolated", ("1 more than were used of part AC-P01",)
    if attempt.to == SAME:
        return state
    if attempt.to == BEFORE_WAITING:
        return STATE_BEFORE_WAITING[state]
    if attempt.to == AGAIN:
        return "received" if priority == "special" else "dispatched"
    return attempt.to


class Moves(ServiceTest):
    """Brings tickets where they are needed."""

    def messages_to(self, ticket, state):
        return [self.client.message("Tickets", name, "ta{sv}", ticket, variants(fields))
                for name, fields in PATHS[state]]

    def brought_to(self, state, n, **fields):
        """So many new tickets in that state."""
        fields = {"type": "consultation", "region": REGION} | fields
        create = self.client.message("Tickets", "Create", "a{sv}", variants(fields))
        tickets = [answer[0] for answer in self.client.calls([create] * n)]
        messages = [message for ticket in tickets for message in self.messages_to(ticket, state)]
        for answer in self.client.calls(messages):
            self.assertNotIsInstance(answer, BusError)
        return tickets

    def one_in(self, state, **fields):
        return self.brought_to(state, 1, **fields)[0]

    def watched(self, ticket, attempt):
        """The attempt's answer, with the journal's sequence and the ticket before and after."""
        get = self.client.message("Tickets", "Get", "t", ticket)
        status = self.client.message("Manager", "Status")
        move = self.client.message("Tickets", member(attempt.transition), "ta{sv}", ticket,
                                   variants(attempt.fields))
        sequence, before, answer, after, now = self.client.calls([status, get, move, get, status])
        return answer, before, after, now["sequence"] - sequence["sequence"]

    def check_refusal(self, ticket, state, attempt, name, words):
        answer, before, after, written = self.watched(ticket, attempt)
        self.assert_error(answer, name, *words)
        self.assertEqual(before, after)
        self.assertEqual(written, 0, "the journal has grown")
        if name == "InvalidState" and attempt.transition != "accept":
            allowed = answer.text.partition("now: ")[2].split(", ")
            self.assertCountEqual(allowed, [t for t in FROM if state in FROM[t]])

    def check_success(self, ticket, attempt, to):
        answer, before, after, written = self.watched(ticket, attempt)
        self.assertNotIsInstance(answer, BusError, answer)
        self.assertEqual(after["state"], to)
        self.assertEqual(after["revision"], before["revision"] + 1)
        self.assertGreater(written, 0)
        for key in ("id", "state", "revision", "armed_at", "rung"):
            self.assertEqual(answer.get(key), after.get(key), key)
        self.assertEqual(after["open"], to not in ("closed", "voided"))
        self.assertEqual("armed_at" in after, after["open"], "an open ticket is armed, no other is")
        last = self.client.history(ticket)[-1]
        self.assertEqual((last["verb"], last["from"], last["to"], last["revision"]),
                         (attempt.transition, before["state"], to, after["revision"]))
        self.assertEqual(last.get("note"), attempt.fields.get("note"))

    def check_state(self, kind, priority, state, prepare, attempts=0):
        """All attempts from one state; `prepare` makes so many tickets that are in it."""
        expectations = [(attempt, expected(kind, priority, state, attempt, attempts))
                        for attempt in ATTEMPTS]
        refusals = [pair for pair in expectations if isinstance(pair[1], tuple)]
        successes = [pair for pair in expectations if not isinstance(pair[1], tuple)]
        tickets = prepare(1 + len(successes))
        for attempt, (name, words) in refusals:
            with self.subTest(type=kind, state=state, refused=attempt.transition):
                self.check_refusal(tickets[0], state, attempt, name, words)
        for ticket, (attempt, to) in zip(tickets[1:], successes):
            with self.subTest(type=kind, state=state, transition=attempt.transition, to=to):
                self.check_success(ticket, attempt, to)


class EveryTransition(Moves):
    def check_type(self, kind, priority="normal"):
        for state in STATES:
            self.check_state(kind, priority, state,
                             lambda n, state=state: self.brought_to(state, n, type=kind,
                                                                    priority=priority))

    def test_the_daemon_declares_this_table(self):
        rows = self.client.call("Manager", "Transitions", "s", "ticket")
        self.assertEqual({row["name"]: set(row["from"]) for row in rows},
                         {name: set(states) for name, states in FROM.items()})
        for row in rows:
            self.assertEqual(row["method"], member(row["name"]))
            taken = {name for attempt in ATTEMPTS if attempt.transition == row["name"]
                     for name in attempt.fields} - {"note", "by"}
            self.assertLessEqual(taken, set(row["takes"]), row["name"])
            self.assertTrue(row["doc"])

    def test_special_customers(self):
        self.check_type("repair", "special")
        self.check_type("complaint", "special")

    def test_urgent(self):
        self.check_type("repair", "urgent")


def add_type(kind):
    def test(self):
        self.check_type(kind)

    setattr(EveryTransition, f"test_{kind}", test)


for _kind in TYPES:
    add_type(_kind)


class Unreachable(Moves):
    """Customers who were not reached, day by day."""

    def follow_up(self, tickets):
        messages = [self.client.message("Tickets", UNREACHABLE[0], "ta{sv}", ticket,
                                        variants(UNREACHABLE[1])) for ticket in tickets]
        for answer in self.client.calls(messages):
            self.assertNotIsInstance(answer, BusError)

    def attempts(self, ticket):
        return self.client.get(ticket).get("attempts", 0)

    def test_decide_after_three_days(self):
        """Every transition once more, from resolved with a customer who cannot be reached."""
        n = 2 + len([a for a in ATTEMPTS if "resolved" in FROM[a.transition]])
        tickets = {kind: self.brought_to("resolved", n, type=kind) for kind in TYPES}
        everything = list(itertools.chain.from_iterable(tickets.values()))
        for day in range(1, 4):
            self.follow_up(everything)
            self.assertEqual(self.attempts(everything[0]), day)
            if day == 2:
                with self.refused("RuleViolated", "2 of 3", unchanged=everything[0]):
                    self.client.move("Decide", everything[0], decision="accept", note="两天")
            self.client.advance(self.client.now() + DAY)
        for kind in TYPES:
            self.check_state(kind, "normal", "resolved",
                             lambda n, kind=kind: tickets[kind][-n:], attempts=3)

    def test_once_a_local_day(self):
        morning = (self.client.now() // DAY + 1) * DAY  # 08:00 in Shanghai
        self.client.advance(morning)
        ticket = self.one_in("resolved")
        self.follow_up([ticket, ticket])
        self.assertEqual(self.attempts(ticket), 1)
        self.client.advance(morning + 16 * HOUR - 1)  # the last microsecond of that day
        self.follow_up([ticket])
        self.assertEqual(self.attempts(ticket), 1)
        self.client.advance(morning + 16 * HOUR)
        self.follow_up([ticket])
        self.assertEqual(self.attempts(ticket), 2)
        self.assertEqual(self.client.get(ticket)["state"], "resolved")

    def test_decision_to_reopen_has_a_reason(self):
        ticket = self.one_in("resolved")
        for _ in range(3):
            self.follow_up([ticket])
            self.client.advance(self.client.now() + DAY)
        with self.refused("MissingField", "reopen_reason", unchanged=ticket):
            self.client.move("Decide", ticket, decision="reopen", note="再上门")
        with self.refused("MissingField", "note", unchanged=ticket):
            self.client.move("Decide", ticket, decision="accept")
        with self.refused("MissingField", "decision", unchanged=ticket):
            self.client.move("Decide", ticket, note="再上门")
        self.client.move("Decide", ticket, decision="reopen", note="再上门", reopen_reason="other")
        after = self.client.get(ticket)
        self.assertEqual((after["state"], after["reopened"], after["lift"]), ("dispatched", 1, 1))
        self.assertNotIn("attempts", after)
        self.assertNotIn("decision", after)

    def test_warranty_is_of_the_local_day(self):
        """A ticket that comes in at midnight in Shanghai, with a warranty that ends there."""
        evening = (self.client.now() // DAY + 1) * DAY + 16 * HOUR
        self.client.advance(evening - 1)
        today = shown(evening - 1)[:10]
        last_day = {"type": "repair", "region": REGION, "product": "AC-1",
                    "purchase_date": f"{int(today[:4]) - 1}{today[4:]}"}
        inside = self.client.create(**last_day)
        self.client.advance(evening)
        outside = self.client.create(**last_day)
        self.assertEqual(self.client.get(inside)["warranty"], "in")
        self.assertEqual(self.client.get(outside)["warranty"], "out")

    def test_repeat_within_thirty_days(self):
        for days_later, repeat in ((30 * DAY, True), (30 * DAY + 1, False)):
            with self.subTest(later=days_later):
                serial = f"R-{days_later}"
                earlier = self.one_in("visited", type="repair", serial=serial)
                self.client.advance(self.client.now() + DAY)
                self.client.move("Resolve", earlier, result="repaired")
                self.client.advance(self.client.now() + days_later)
                later = self.client.get(self.ticket(type="repair", serial=serial))
                self.assertEqual(later.get("repeat_of"), earlier if repeat else None)


class Effects(Moves):
    """What a transition does besides changing the state."""

    def after(self, name, ticket, **fields):
        self.client.move(name, ticket, **fields)
        return self.client.get(ticket)

    # -- giving to somebody --

    def test_owner(self):
        ticket = self.ticket(type="repair", dealer="BJ-1")
        owners = [self.client.get(ticket)["owner"]]
        for name, fields in (("Dispatch", {}), ("Accept", {}), ("Visit", {}),
                             ("WaitPart", {"wait_reason": "缺件"}), ("Resume", {}),
                             ("WaitCustomer", {"wait_reason": "不在"}), ("Resume", {}),
                             ("Resolve", {"result": "repaired", "by": "worker"}),
                             ("FollowUp", {"outcome": "satisfied", "by": "clerk"})):
            owners.append(self.after(name, ticket, **fields)["owner"])
        self.assertEqual(owners, ["BJ"] + ["BJ-1"] * 7 + ["BIZ"] * 2)

    def test_owner_without_business_department(self):
        self.client.call("Units", "Update", "sa{sv}", "BIZ", variants({"active": False}))
        try:
            self.assertEqual(self.client.get(self.one_in("resolved"))["owner"], "BJ")
        finally:
            self.client.call("Units", "Update", "sa{sv}", "BIZ", variants({"active": True}))

    def test_special_customers_stay_with_the_subcentre(self):
        ticket = self.ticket(type="repair", priority="special")
        self.assertNotIn("dealer", self.client.get(ticket))
        with self.refused("RuleViolated", "dealer", "special", unchanged=ticket):
            self.client.move("Dispatch", ticket, dealer="BJ-1")
        after = self.after("Dispatch", ticket)
        self.assertEqual((after["owner"], after.get("dealer")), ("BJ", None))
        after = self.after("Accept", ticket)
        self.assertEqual((after["state"], after["owner"]), ("accepted", "BJ"))
        with self.refused("RuleViolated", "dealer", "special"):
            self.ticket(type="repair", priority="special", dealer="BJ-1")
        direct = self.ticket(type="repair", priority="special")
        self.assertEqual(self.after("Accept", direct)["state"], "accepted")

    def test_a_ticket_that_becomes_special_goes_back(self):
        ticket = self.one_in("dispatched", type="repair")
        self.client.move("Update", ticket, priority="special")
        after = self.after("Dispatch", ticket)
        self.assertEqual((after["owner"], after.get("dealer")), ("BJ", None))

    def test_becoming_special_goes_back(self):
        """From whatever state of the work: the dealer has nothing to do with it any more."""
        for state in ("received", "dispatched", "accepted", "visited"):
            with self.subTest(state=state):
                ticket = self.one_in(state, type="repair")
                if state in ("accepted", "visited"):
                    self.client.move("Appoint", ticket, appointment=LATER)
                after = self.after("Update", ticket, priority="special")
                self.assertEqual((after["state"], after["owner"], after.get("dealer"),
                                  after.get("appointment")), ("received", "BJ", None, None))
                after = self.after("Accept", ticket)
                self.assertEqual((after["owner"], after.get("dealer")), ("BJ", None))

    def test_becoming_special_while_waiting(self):
        ticket = self.one_in("waiting_part", type="repair")
        after = self.after("Update", ticket, priority="special")
        self.assertEqual((after["state"], after["owner"], after.get("dealer")),
                         ("waiting_part", "BJ", None))
        after = self.after("Resume", ticket)
        self.assertEqual((after["state"], after["owner"]), ("received", "BJ"))

    def test_becoming_special_when_done(self):
        """Whoever has done it has; what is left to do is the sub-centre's."""
        ticket = self.one_in("resolved", type="repair", dealer="BJ-1")
        after = self.after("Update", ticket, priority="special")
        self.assertEqual((after["state"], after["dealer"]), ("resolved", "BJ-1"))
        after = self.after("Reopen", ticket, reopen_reason="not_repaired")
        self.assertEqual((after["state"], after["owner"], after.get("dealer")),
                         ("received", "BJ", None))

    def make_region(self):
        """A sub-centre with three dealers, of which GZ-3 has the longest prefix for 440106."""
        for fields in (
                {"code": "GZ", "kind": "subcentre", "name": "广州", "regions": "44"},
                {"code": "GZ-1", "kind": "dealer", "name": "一", "parent": "GZ", "regions": "4401"},
                {"code": "GZ-2", "kind": "dealer", "name": "二", "parent": "GZ",
                 "regions": "440100"},  # the same
                {"code": "GZ-3", "kind": "dealer", "name": "三", "parent": "GZ",
                 "regions": "440106 4402"}):
            self.client.call("Units", "Create", "a{sv}", variants(fields))

    def set_active(self, dealer, active):
        self.client.call("Units", "Update", "sa{sv}", dealer, variants({"active": active}))

    def dealer_in(self, region):
        ticket = self.ticket(region=region)
        return ticket, self.client.get(ticket).get("dealer")

    def test_assignment_of_dealers(self):
        self.make_region()
        first, second = self.dealer_in("440105"), self.dealer_in("440105")
        self.assertCountEqual([first[1], second[1]], ["GZ-1", "GZ-2"])
        # Full again, then one of the two gets room.
        for _ in range(4):
            self.dealer_in("440105")
        self.client.move("Void", second[0], void_reason="wrong_number")
        self.assertEqual(self.dealer_in("440105")[1], second[1])
        # The longest prefix comes before the fewest.
        for _ in range(5):
            self.assertEqual(self.dealer_in("440106")[1], "GZ-3")
        self.assertEqual(self.dealer_in("440106003")[1], "GZ-3")
        self.assertEqual(self.dealer_in("440200")[1], "GZ-3")
        # Only active ones.
        self.set_active("GZ-3", False)
        self.assertIn(self.dealer_in("440106")[1], ("GZ-1", "GZ-2"))
        self.set_active("GZ-1", False)
        self.assertEqual(self.dealer_in("440105")[1], "GZ-2")
        assigned, dealer = self.dealer_in("440105")
        self.assertEqual(dealer, "GZ-2")
        self.set_active("GZ-2", False)
        nobody, dealer = self.dealer_in("440105")
        self.assertIsNone(dealer)
        with self.refused("RuleViolated", "440105", "GZ", unchanged=nobody):
            self.client.move("Dispatch", nobody)
        with self.refused("InvalidValue", "GZ-1", "not active", unchanged=nobody):
            self.client.move("Dispatch", nobody, dealer="GZ-1")
        # Its dealer has gone in the meantime: dispatch finds another one.
        self.set_active("GZ-1", True)
        self.assertEqual(self.after("Dispatch", assigned)["dealer"], "GZ-1")
        self.assertEqual(self.after("Dispatch", nobody, dealer="GZ-1")["owner"], "GZ-1")
        self.set_active("GZ-2", True)
        self.set_active("GZ-3", True)
        self.assertEqual(self.after("Dispatch", nobody, dealer="GZ-3")["dealer"], "GZ-3")

    def test_subcentre_of_a_region(self):
        for region, subcentre in (("110105", "BJ"), ("11", "BJ"), ("120101003", "BJ"),
                                  ("310115", "SH"), ("320506", "SH"), ("320500", "SH")):
            with self.subTest(region=region):
                self.assertEqual(self.client.get(self.ticket(region=region))["subcentre"],
                                 subcentre)
        with self.refused("RuleViolated", "320106", "subcentre"):
            self.ticket(region="320106")
        named = self.client.get(self.ticket(region="320106", subcentre="SH"))
        self.assertEqual(named["subcentre"], "SH")

    def test_regions_below_the_county(self):
        for n, (served, inside, outside) in enumerate((
                ("450105100000", "450105100201", "450105105201"),
                ("450105001000", "450105001201", "450105010201"))):
            with self.subTest(served=served):
                code = f"N-{n}"
                self.client.call("Units", "Create", "a{sv}", variants(
                    {"code": code, "kind": "subcentre", "name": "n", "regions": served}))
                self.assertEqual(self.client.get(self.ticket(region=inside))["subcentre"], code)
                with self.refused("RuleViolated", outside):
                    self.ticket(region=outside)

    def test_transfer(self):
        ticket = self.one_in("accepted", type="repair")
        self.client.move("Appoint", ticket, appointment=LATER)
        with self.refused("MissingField", "note", unchanged=ticket):
            self.client.move("Transfer", ticket, subcentre="SH")
        with self.refused("MissingField", "subcentre", unchanged=ticket):
            self.client.move("Transfer", ticket, note="搬家")
        with self.refused("InvalidValue", "BJ", "another", unchanged=ticket):
            self.client.move("Transfer", ticket, subcentre="BJ", note="搬家")
        after = self.after("Transfer", ticket, subcentre="SH", note="搬家")
        self.assertEqual((after["subcentre"], after["owner"], after.get("dealer")),
                         ("SH", "SH", None))
        self.assertNotIn("appointment", after, "agreed with the dealer who had it")
        with self.refused("InvalidValue", "BJ-1", "SH", unchanged=ticket):
            self.client.move("Dispatch", ticket, dealer="BJ-1")
        self.assertEqual(self.after("Dispatch", ticket, dealer="SH-2")["owner"], "SH-2")

    def test_decline(self):
        ticket = self.one_in("accepted", type="repair")
        self.client.move("Appoint", ticket, appointment=LATER)
        with self.refused("MissingField", "note", unchanged=ticket):
            self.client.move("Decline", ticket)
        after = self.after("Decline", ticket, note="人手不足")
        self.assertEqual((after["state"], after["owner"], after.get("dealer")),
                         ("received", "BJ", None))
        self.assertNotIn("appointment", after)

    def test_another_dealer_after_a_visit(self):
        """The old appointment does not make the new dealer late."""
        ticket = self.ticket(type="repair")
        self.client.move("Dispatch", ticket, dealer="BJ-1")
        self.client.move("Accept", ticket, appointment=LATER)
        self.client.move("Visit", ticket)
        after = self.after("Dispatch", ticket, dealer="BJ-2")
        self.assertNotIn("appointment", after)
        kept = self.ticket(type="repair", appointment=LATER)
        self.assertEqual(self.after("Dispatch", kept)["appointment"], LATER)
        self.assertEqual(self.after("Accept", kept)["appointment"], LATER)

    # -- working on it --

    def test_visits(self):
        ticket = self.one_in("accepted", type="repair")
        now = self.client.now()
        after = self.after("Visit", ticket, technician="张师傅", parts_used="AC-P01 1",
                           fault_code="AC01", serial="S-1")
        self.assertEqual({key: after[key] for key in ("visits", "visited_at", "technician",
                                                      "parts_used", "fault_code", "serial")},
                         {"visits": 1, "visited_at": now, "technician": "张师傅",
                          "parts_used": "AC-P01 1", "fault_code": "AC01", "serial": "S-1"})
        # The serial number tells the model and with it the warranty.
        self.assertEqual((after["product"], after["warranty"], after["warranty_until"],
                          after["warranty_basis"]), ("AC-1", "in", "2027-01-15", "serial"))
        after = self.after("Visit", ticket, technician="李师傅")
        self.assertEqual((after["visits"], after["technician"], after["fault_code"]),
                         (2, "李师傅", "AC01"))
        with self.refused("InvalidValue", "fault_code", "AC99", unchanged=ticket):
            self.client.move("Visit", ticket, fault_code="AC99")

    def test_appointment_of_a_second_visit(self):
        ticket = self.one_in("visited", type="repair")
        self.client.move("WaitPart", ticket, wait_reason="缺件")
        appointment = self.client.now() + HOUR
        self.client.move("Appoint", ticket, appointment=appointment)
        self.client.move("Resume", ticket)
        clock = {c["clock"]: c for c in self.client.get(ticket)["clocks"]}["visit"]
        self.assertEqual((clock.get("deadline"), clock.get("stopped_at")), (appointment, None))
        after = self.after("Visit", ticket)
        clock = {c["clock"]: c for c in after["clocks"]}["visit"]
        self.assertEqual(clock["stopped_at"], self.client.now())

    def test_resolve(self):
        ticket = self.one_in("visited", type="repair")
        with self.refused("MissingField", "result", unchanged=ticket):
            self.client.move("Resolve", ticket)
        after = self.after("Resolve", ticket, result="repaired", by="A17", parts_used="AC-P01 1",
                           serial="S-1", technician="张师傅", fault_code="AC01")
        self.assertEqual(after["result"], "repaired")
        self.assertEqual(after["resolved_at"], self.client.now())
        self.assertRegex(after["resolved_by"], r"^uid:\d+/A17$")
        self.assertEqual(after["warranty"], "in")

    def test_a_visit_before_waiting_counts(self):
        ticket = self.one_in("visited", type="repair")
        self.client.move("WaitPart", ticket, wait_reason="缺件")
        self.client.move("Resume", ticket)
        self.assertEqual(self.after("Resolve", ticket, result="repaired")["state"], "resolved")

    def test_resume_goes_back(self):
        for state in ("received", "dispatched", "accepted", "visited"):
            for wait in ("WaitPart", "WaitCustomer"):
                if wait == "WaitPart" and state in ("received", "dispatched"):
                    continue
                with self.subTest(state=state, wait=wait):
                    ticket = self.one_in(state)
                    owner = self.client.get(ticket).get("dealer", "BJ")
                    waiting = self.after(wait, ticket, wait_reason="等")
                    self.assertEqual((waiting["wait_reason"], waiting["owner"]), ("等", owner))
                    after = self.after("Resume", ticket)
                    self.assertEqual(after["state"], state)
                    self.assertNotIn("wait_reason", after)

    def test_waiting_has_a_reason(self):
        ticket = self.one_in("accepted")
        for fields in ({}, {"wait_reason": ""}):
            with self.refused("MissingField", "wait_reason", unchanged=ticket):
                self.client.move("WaitPart", ticket, **fields)

    @unittest.skipUnless(am_root(), "needs other users")
    def test_what_it_waits_for_is_personal(self):
        ticket = self.one_in("accepted")
        self.client.move("WaitCustomer", ticket, wait_reason="住院")
        self.assertEqual(self.service.client("news").get(ticket)["wait_reason"], "***")

    def test_promise_and_appointment_lie_ahead(self):
        ticket = self.one_in("accepted")
        now = self.client.now()
        for name, field in (("Promise", "promised_at"), ("Appoint", "appointment")):
            with self.refused("MissingField", field, unchanged=ticket):
                self.client.move(name, ticket)
            for instant in (now, now - 1):
                with self.refused("InvalidValue", field, "future", unchanged=ticket):
                    self.client.move(name, ticket, **{field: instant})
            self.assertEqual(self.after(name, ticket, **{field: now + 1})[field], now + 1)
        with self.refused("InvalidValue", "promised_at", "future"):
            self.ticket(promised_at=now)
        dispatched = self.one_in("dispatched")
        with self.refused("InvalidValue", "appointment", "future", unchanged=dispatched):
            self.client.move("Accept", dispatched, appointment=now)

    # -- asking the customer --

    def test_whoever_resolved_does_not_follow_up(self):
        ticket = self.one_in("resolved")
        with self.refused("RuleViolated", "resolved", "by", unchanged=ticket):
            self.client.move("FollowUp", ticket, outcome="satisfied", by="worker")
        with self.refused("RuleViolated", "resolved", "by", unchanged=ticket):
            self.client.move("FollowUp", ticket, outcome="satisfied")  # who knows who this is
        after = self.after("FollowUp", ticket, outcome="satisfied", satisfaction=4, by="clerk")
        self.assertEqual((after["outcome"], after["satisfaction"], after["followed_up_at"]),
                         ("satisfied", 4, self.client.now()))
        self.assertRegex(after["followed_up_by"], r"^uid:\d+/clerk$")

    def test_who_resolved_without_a_name_is_anybody(self):
        ticket = self.one_in("visited", type="repair")
        self.client.move("Resolve", ticket, result="repaired")
        with self.refused("RuleViolated", "resolved", "by", unchanged=ticket):
            self.client.move("FollowUp", ticket, outcome="satisfied", by="clerk")

    def test_follow_up_is_complete(self):
        ticket = self.one_in("resolved")
        for name, words, fields in (
                ("MissingField", "outcome", {}),
                ("MissingField", "reopen_reason", {"outcome": "dissatisfied"}),
                ("InvalidValue", "reopen_reason", {"outcome": "satisfied",
                                                   "reopen_reason": "other"}),
                ("InvalidValue", "satisfaction", {"outcome": "unreachable", "satisfaction": 3}),
                ("InvalidValue", "satisfaction", {"outcome": "satisfied", "satisfaction": 6})):
            with self.subTest(**fields):
                with self.refused(name, words, unchanged=ticket):
                    self.client.move("FollowUp", ticket, by="clerk", **fields)

    def test_reopening(self):
        """One rung up the ladder, and somebody hears of it at once."""
        ticket = self.one_in("resolved", type="repair")
        recipients = ("BJ", "BIZ", "PRES", "PRES")
        for times, recipient in enumerate(recipients, 1):
            self.client.move("Reopen", ticket, reopen_reason="not_repaired")
            after = self.client.get(ticket)
            self.assertEqual((after["state"], after["lift"], after["reopened"],
                              after["reopen_reason"]), ("dispatched", times, times, "not_repaired"))
            for gone in ("result", "promised_at", "appointment", "attempts", "closed_at"):
                self.assertNotIn(gone, after)
            raised = self.client.escalations(ticket)[-1]
            self.assertEqual((raised["cause"], raised["recipient"], raised["due_at"],
                              raised.get("level", 0), raised["clock"], raised["cycle"]),
                             ("reopened", recipient, self.client.now(), 0, "reopened", times))
            self.assertEqual(len(self.client.escalations(ticket)), times)
            for name, fields in RESOLVED[1:]:
                if name == "Accept":
                    fields = {"appointment": LATER}
                self.client.move(name, ticket, **fields)
                if name == "Accept":
                    self.client.move("Promise", ticket, promised_at=LATER)

    def test_dissatisfied(self):
        ticket = self.one_in("resolved", type="repair")
        after = self.after("FollowUp", ticket, outcome="dissatisfied", satisfaction=2, by="clerk",
                           reopen_reason="late_visit")
        self.assertEqual((after["state"], after["outcome"], after["satisfaction"], after["lift"],
                          after["reopen_reason"], after["owner"]),
                         ("dispatched", "dissatisfied", 2, 1, "late_visit", after["dealer"]))
        self.assertEqual([e["cause"] for e in self.client.escalations(ticket)], ["reopened"])

    def test_answers_are_of_one_round(self):
        ticket = self.one_in("resolved", type="repair")
        self.client.move("FollowUp", ticket, outcome="dissatisfied", satisfaction=1, by="clerk",
                         reopen_reason="not_repaired")
        for name, fields in RESOLVED[1:]:
            self.client.move(name, ticket, **fields)
        after = self.client.get(ticket)
        self.assertNotIn("outcome", after)
        self.assertNotIn("satisfaction", after)
        after = self.after("FollowUp", ticket, outcome="satisfied", by="clerk")
        self.assertNotIn("satisfaction", after)

    def test_closing_and_reopening(self):
        ticket = self.one_in("followed_up")
        after = self.after("Close", ticket)
        self.assertEqual((after["open"], after["closed_at"]), (False, self.client.now()))
        self.assertNotIn(ticket, [row["id"] for row in self.client.list_all("Tickets")])
        with self.refused("MissingField", "reopen_reason", unchanged=ticket):
            self.client.move("Reopen", ticket)
        after = self.after("Reopen", ticket, reopen_reason="other")
        self.assertTrue(after["open"])
        self.assertIn(ticket, [row["id"] for row in self.client.list_all("Tickets")])

    # -- corrections --

    def test_void(self):
        ticket, other = self.ticket(), self.ticket()
        with self.refused("MissingField", "void_reason", unchanged=ticket):
            self.client.move("Void", ticket)
        with self.refused("MissingField", "duplicate_of", unchanged=ticket):
            self.client.move("Void", ticket, void_reason="duplicate")
        for wrong in (ticket, 10**6, 5 << 48 | 1):
            with self.refused("InvalidValue", "duplicate_of", unchanged=ticket):
                self.client.move("Void", ticket, void_reason="duplicate", duplicate_of=wrong)
        with self.refused("InvalidValue", "duplicate_of", unchanged=ticket):
            self.client.move("Void", ticket, void_reason="other", duplicate_of=other)
        after = self.after("Void", ticket, void_reason="duplicate", duplicate_of=other)
        self.assertEqual((after["state"], after["open"], after["void_reason"],
                          after["duplicate_of"], after["closed_at"]),
                         ("voided", False, "duplicate", other, self.client.now()))

    def test_no_two_tickets_repeat_each_other(self):
        ticket, other = self.ticket(), self.ticket()
        self.client.move("Void", ticket, void_reason="duplicate", duplicate_of=other)
        with self.refused("InvalidValue", "duplicate_of", "voided", unchanged=other):
            self.client.move("Void", other, void_reason="duplicate", duplicate_of=ticket)

    def test_another_reason_to_void_is_told(self):
        ticket = self.ticket()
        with self.refused("MissingField", "note", unchanged=ticket):
            self.client.move("Void", ticket, void_reason="other")
        self.assertEqual(self.after("Void", ticket, void_reason="other", note="试拨")["state"], "voided")

    def test_warranty(self):
        """Received on 2026-03-02; the last day is inside."""
        self.client.call("Products", "Create", "a{sv}", variants(
            {"code": "W-3", "name": "三月", "line": "AC", "warranty_months": 3}))
        for product, sold, verdict, until in (
                ("AC-1", "2025-03-02", "in", "2026-03-02"),
                ("AC-1", "2025-03-01", "out", "2026-03-01"),
                ("WM-1", "2026-02-02", "in", "2026-03-02"),
                ("WM-1", "2026-02-01", "out", "2026-03-01"),
                ("WM-1", "2026-01-31", "out", "2026-02-28"),
                ("WM-1", "2026-01-28", "out", "2026-02-28"),
                ("WM-1", "2025-12-31", "out", "2026-01-31"),
                ("AC-1", "2024-02-29", "out", "2025-02-28"),
                ("W-3", "2025-11-30", "out", "2026-02-28"),
                ("W-3", "2025-12-02", "in", "2026-03-02"),
                ("MO-1", "2026-02-01", "unknown", None),  # a model without months of warranty
                (None, "2026-02-01", "unknown", None),
                ("AC-1", None, "unknown", None)):
            with self.subTest(product=product, sold=sold):
                fields = {"product": product, "purchase_date": sold}
                ticket = self.client.get(self.ticket(
                    type="repair", **{key: value for key, value in fields.items() if value}))
                self.assertEqual((ticket["warranty"], ticket.get("warranty_until")),
                                 (verdict, until))
                self.assertEqual(ticket.get("warranty_basis"), until and "purchase_date")

    def test_warranty_of_a_serial_number(self):
        """What is known of it comes before what the customer says."""
        known = self.client.get(self.ticket(type="repair", serial="S-1",
                                            purchase_date="2020-01-01"))
        self.assertEqual((known["product"], known["warranty"], known["warranty_until"],
                          known["warranty_basis"]), ("AC-1", "in", "2027-01-15", "serial"))
        for serial in ("S-2", "S-UNKNOWN"):  # without the day of its sale; not known at all
            said = self.client.get(self.ticket(type="repair", serial=serial, product="AC-1",
                                               purchase_date="2025-06-30"))
            self.assertEqual((said["warranty_until"], said["warranty_basis"]),
                             ("2026-06-30", "purchase_date"))

    def test_override_of_the_warranty(self):
        ticket = self.ticket(type="repair", product="AC-1", purchase_date="2020-01-01")
        with self.refused("MissingField", "note", unchanged=ticket):
            self.client.move("OverrideWarranty", ticket, warranty="in")
        with self.refused("MissingField", "warranty", unchanged=ticket):
            self.client.move("OverrideWarranty", ticket, note="批准")
        with self.refused("InvalidValue", "warranty", unchanged=ticket):
            self.client.move("OverrideWarranty", ticket, warranty="unknown", note="批准")
        after = self.after("OverrideWarranty", ticket, warranty="in", note="批准")
        self.assertEqual((after["warranty"], after["warranty_basis"]), ("in", "override"))
        after = self.after("Update", ticket, purchase_date="2019-01-01")
        self.assertEqual((after["warranty"], after["warranty_basis"]), ("in", "override"))

    def test_update(self):
        ticket = self.ticket(type="repair", product="AC-1", purchase_date="2020-01-01")
        changes = {"type": "complaint", "priority": "urgent", "customer_name": "李四",
                   "phone": "13900000002", "address": "朝阳区", "description": "第一行\n第二行",
                   "fault_code": "AC01"}
        after = self.after("Update", ticket, **changes)
        self.assertEqual({key: after[key] for key in changes}, changes)
        self.assertEqual(after["warranty"], "out")
        after = self.after("Update", ticket, purchase_date="2026-01-01")
        self.assertEqual((after["warranty"], after["warranty_until"]), ("in", "2027-01-01"))
        after = self.after("Update", ticket, description="", product="", purchase_date="2026-01-02")
        self.assertNotIn("description", after)
        self.assertEqual(after["warranty"], "unknown")
        with self.refused("InvalidValue", "product", "XX", unchanged=ticket):
            self.client.move("Update", ticket, product="XX")
        changes = self.client.history(ticket)[1]["changes"]
        self.assertIn({"field": "priority", "before": "normal", "after": "urgent"}, changes)

    def test_comment(self):
        ticket = self.one_in("closed")
        with self.refused("MissingField", "note", unchanged=ticket):
            self.client.move("Comment", ticket)
        before = self.client.get(ticket)
        after = self.after("Comment", ticket, note="第一行\n第二行", by="clerk")
        self.assertEqual(after | {"revision": 0}, before | {"revision": 0})
        last = self.client.history(ticket)[-1]
        self.assertEqual((last["verb"], last["note"]), ("comment", "第一行\n第二行"))
        self.assertRegex(last["actor"], r"^uid:\d+/clerk$")

    # -- taking in --

    def test_reference(self):
        fields = {"type": "repair", "region": REGION, "reference": "WEB-1"}
        create = self.client.message("Tickets", "Create", "a{sv}", variants(fields))
        same = self.client.message("Tickets", "Create", "a{sv}",
                                   variants(fields | {"type": "complaint", "priority": "urgent"}))
        other = self.client.message("Tickets", "Create", "a{sv}",
                                    variants(fields | {"reference": "WEB-10"}))
        first, second, third = self.client.calls([create, same, other])
        self.assertEqual((first[1], second), (True, [first[0], False]))
        self.assertNotEqual(third[0], first[0])
        self.assertTrue(third[1])
        self.assertEqual(self.client.get(first[0])["type"], "repair")
        self.client.move("Void", first[0], void_reason="wrong_number")
        self.assertEqual(self.client.calls([create])[0], [first[0], False], "it stays taken")

    def test_defaults(self):
        ticket = self.client.get(self.ticket())
        self.assertEqual((ticket["state"], ticket["priority"], ticket["channel"],
                          ticket["revision"], ticket["created_at"], ticket["open"]),
                         ("received", "normal", "phone", 1, self.client.now(), True))

    def test_reported_later(self):
        """The option at: when it happened, for creation as well."""
        now = self.client.now()
        ticket = self.ticket(at=now - HOUR)
        created = self.client.get(ticket)
        self.assertEqual((created["created_at"], created["changed_at"]), (now - HOUR, now - HOUR))
        after = self.after("Resolve", ticket, result="answered", at=now - USEC)
        self.assertEqual((after["resolved_at"], self.client.history(ticket)[-1]["at"]),
                         (now - USEC, now - USEC))

    # -- repeat repairs --

    def repaired(self, **fields):
        return self.one_in("resolved", type="repair", **fields)

    def repeat_of(self, **fields):
        ticket = self.client.get(self.ticket(**({"type": "repair"} | fields)))
        return ticket.get("repeat_of"), ticket.get("repeat_dealer")

    def test_repeat_by_serial_number(self):
        earlier = self.repaired(serial="R-1", dealer="BJ-2")
        self.assertEqual(self.repeat_of(serial="R-1"), (earlier, "BJ-2"))
        newer = self.repaired(serial="R-1", dealer="BJ-1")
        self.assertEqual(self.repeat_of(serial="R-1"), (newer, "BJ-1"))
        self.assertEqual(self.repeat_of(serial="R-10"), (None, None))
        self.assertEqual(self.repeat_of(serial="R-1", type="complaint"), (None, None))

    def test_repeat_counts_against_who_resolved_it(self):
        earlier = self.repaired(serial="R-8", dealer="BJ-2")
        self.client.move("FollowUp", earlier, outcome="dissatisfied", by="clerk",
                         reopen_reason="not_repaired")
        self.assertEqual(self.client.get(earlier)["resolved_dealer"], "BJ-2")
        self.client.move("Dispatch", earlier, dealer="BJ-1")
        later = self.client.get(self.ticket(type="repair", serial="R-8"))
        self.assertEqual((later["repeat_of"], later["repeat_dealer"]), (earlier, "BJ-2"))
        self.client.move("Transfer", earlier, subcentre="SH", note="搬家")
        later = self.client.get(self.ticket(type="repair", serial="R-8"))
        self.assertEqual((later["repeat_of"], later["repeat_dealer"]), (earlier, "BJ-2"))

    def test_repeat_by_phone_and_model(self):
        phone = "13900000077"
        self.assertEqual(self.repeat_of(phone=phone, product="AC-1"), (None, None))
        # The open one from just now is no earlier repair.
        self.assertEqual(self.repeat_of(phone=phone, product="AC-1"), (None, None))
        earlier = self.repaired(phone=phone, product="AC-1", dealer="BJ-1")
        self.assertEqual(self.repeat_of(phone=phone, product="AC-1"), (earlier, "BJ-1"))
        self.assertEqual(self.repeat_of(phone=phone, product="WM-1"), (None, None))
        self.assertEqual(self.repeat_of(phone=phone), (None, None))
        self.assertEqual(self.repeat_of(phone="13900000078", product="AC-1"), (None, None))
        self.assertEqual(self.repeat_of(phone=phone, product="AC-1", serial="R-2"), (None, None),
                         "with a serial number, the serial number counts")

    def test_repeat_among_many(self):
        """However many tickets there are of a unit or a customer, the newest hundred are looked at."""
        for unit in ({"serial": "R-4"}, {"phone": "13900000079", "product": "AC-1"}):
            with self.subTest(**unit):
                for _ in range(150):
                    self.ticket(**unit)
                first = self.repaired(**unit)
                for _ in range(130):
                    self.ticket(**unit)
                second = self.repaired(**unit)
                self.assertEqual(self.repeat_of(**unit)[0], second)
                self.client.move("Update", second, type="complaint")
                self.assertEqual(self.repeat_of(**unit)[0], None, first)
                third = self.repaired(**unit)
                for _ in range(98):
                    self.ticket(**unit, type="repair")
                self.assertEqual([self.repeat_of(**unit)[0] for _ in range(3)],
                                 [third, third, None])

    def test_repeat_is_found_with_what_is_learnt(self):
        for name, state, fields in (("Visit", "accepted", {}), ("Visit", "visited", {}),
                                    ("Resolve", "visited", {"result": "repaired"}),
                                    ("Update", "received", {}), ("Update", "resolved", {})):
            with self.subTest(transition=name, state=state):
                serial = f"R-5-{name}-{state}"
                earlier = self.repaired(serial=serial, dealer="BJ-2")
                ticket = self.one_in(state, type="repair")
                self.assertNotIn("repeat_of", self.client.get(ticket))
                after = self.after(name, ticket, serial=serial, **fields)
                self.assertEqual((after["repeat_of"], after["repeat_dealer"]), (earlier, "BJ-2"))

    def test_repeat_of_another_unit_is_undone(self):
        unit = {"phone": "13900000080", "product": "AC-1"}
        earlier = self.repaired(**unit)
        ticket = self.one_in("accepted", type="repair", **unit)
        self.assertEqual(self.client.get(ticket)["repeat_of"], earlier)
        self.client.move("Visit", ticket, technician="赵")
        self.assertEqual(self.client.get(ticket)["repeat_of"], earlier)
        after = self.after("Visit", ticket, serial="R-6")
        self.assertNotIn("repeat_of", after)
        self.assertNotIn("repeat_dealer", after)
        after = self.after("Update", self.ticket(type="repair", **unit), type="complaint")
        self.assertNotIn("repeat_of", after)

    def test_a_later_repair_is_not_repeated(self):
        """Neither itself nor one that came in after it, or was resolved only then."""
        other = self.one_in("visited", type="repair", serial="R-7")
        ticket = self.one_in("visited", type="repair")
        self.client.advance(self.client.now() + USEC)
        later = self.repaired(serial="R-7")
        self.client.move("Resolve", other, result="repaired")
        after = self.after("Resolve", ticket, result="repaired", serial="R-7")
        self.assertNotIn("repeat_of", after, later)

    def test_only_repairs_are_repeated(self):
        self.one_in("resolved", type="complaint", serial="R-3")
        self.assertEqual(self.repeat_of(serial="R-3"), (None, None))


class Late(Moves):
    def test_overdue_is_one_word(self):
        ticket = self.one_in("accepted", type="repair")
        self.client.advance(self.client.now() + 30 * DAY)
        self.client.move("Visit", ticket)
        self.client.move("Promise", ticket, promised_at=self.client.now() + DAY)
        rows = self.client.list_all("Tickets", {"overdue": True})
        self.assertEqual([row["rung"] if "rung" in row else 0 for row in rows if row["id"] == ticket], [0])
        self.assertEqual(self.client.status()["overdue"], len(rows))


if __name__ == "__main__":
    unittest.main()
