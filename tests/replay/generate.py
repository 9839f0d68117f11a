#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Invents a month of the company in company.py, from a seed: an event script on standard output.

    generate.py [--tickets N] [--seed N]

Customers are numbers. Most people work well, some slowly, some forget; some calls are wrong and must
be refused. What must come of all that is not known here: reference.py says."""

import argparse
import collections
import heapq
import itertools
import math
import random
import sys

import company
from script import USEC, Reference, write_event

DAY = 86400
HOUR = 3600
ZONE = 8 * HOUR  # Asia/Shanghai
START = 1789401600  # 2026-09-15 00:00 in Shanghai
DAYS = 30
END = START + DAYS * DAY
TICKETS = 10_000
SEED = 2026

# Median hours until the next step and how evenly, hours late for an appointment (mean, deviation),
# and what goes wrong how often.
Diligence = collections.namedtuple(
    "Diligence", "accept visit spread late declines forgets dissatisfies")
QUICK = Diligence(0.2, 3, 0.5, (-0.6, 0.3), 0.01, 0.001, 0.03)
SLOW = Diligence(0.5, 8, 0.6, (-0.6, 0.5), 0.03, 0.004, 0.05)
NEGLIGENT = Diligence(1.5, 16, 0.9, (0.2, 1.2), 0.08, 0.03, 0.12)

TYPES = {"repair": 34, "installation": 26, "consultation": 14, "cleaning": 7, "complaint": 6,
         "recycling": 5, "return_exchange": 5, "technical_question": 3}
PRIORITIES = {"normal": 84, "urgent": 12, "special": 4}
CHANNELS = {"phone": 55, "web": 20, "shop": 12, "dealer": 8, "fax": 2, "import": 3}
VISITED_TYPES = {"repair", "installation", "cleaning", "recycling", "return_exchange"}
RESULTS = {"repair": {"repaired": 85, "no_fault_found": 6, "not_repairable": 5, "other": 4},
           "installation": {"installed": 97, "customer_declined": 3},
           "consultation": {"answered": 1}, "technical_question": {"answered": 1},
           "complaint": {"answered": 70, "other": 30}, "cleaning": {"cleaned": 1},
           "recycling": {"recycled": 1}, "return_exchange": {"exchanged": 70, "refunded": 30}}
REOPEN_REASONS = {"late_visit": 40, "poor_service": 25, "not_repaired": 30, "other": 5}

SERIALS = 3000
BLUNDERS = 0.03  # of the steps
RETRIES = 0.005  # of the calls that are made twice, as after a lost answer
REFUSED_CREATES = 12

# Wrong calls, by the state they are made in.
BLUNDERS_IN = {
    "received": (("Visit", {}), ("Close", {}), ("Resume", {}), ("Dispatch", {"dealer": "XX-99"})),
    "dispatched": (("Visit", {}), ("FollowUp", {"outcome": "satisfied"}), ("Decline", {})),
    "accepted": (("Accept", {}), ("WaitPart", {}), ("Close", {})),
    "visited": (("Decline", {"note": "忙不过来"}), ("Resolve", {}), ("Resume", {})),
    "waiting": (("Visit", {}), ("Resolve", {"result": "repaired"}), ("Accept", {})),
    "resolved": (("Close", {}), ("Decide", {"decision": "accept", "note": "联系不上"}), ("Visit", {}),
                 ("FollowUp", {"outcome": "dissatisfied"})),
    "followed_up": (("Resolve", {"result": "other"}), ("Visit", {})),
}
BLUNDERS_ANYWHERE = (("Comment", {}), ("Comment", {"note": "催单", "colour": "红"}),
                     ("Comment", {"note": "催单", "revision": 999}))


def opening(at, opens=8, closes=20):
    """The instant itself when it lies in the opening hours, else when they begin next."""
    day, second = divmod(at + ZONE, DAY)
    if second < opens * HOUR:
        return day * DAY + opens * HOUR - ZONE
    return at if second < closes * HOUR else (day + 1) * DAY + opens * HOUR - ZONE


def worked(at, seconds, opens=8, closes=20):
    """So much time within the opening hours later."""
    at = opening(at, opens, closes)
    while True:
        rest = closes * HOUR - (at + ZONE) % DAY
        if seconds < rest:
            return at + seconds
        seconds -= rest
        at = opening(at + rest, opens, closes)


def at_hour(at, days, hour):
    return (at + ZONE) // DAY * DAY - ZONE + days * DAY + int(hour * HOUR)


class Fleet:
    """The dealers, and how many tickets each has at a time: the daemon gives a ticket to the one
    who serves the region and has the fewest."""

    def __init__(self, rng):
        habits = [QUICK] * 5 + [SLOW] * 4 + [NEGLIGENT] * 2
        self.dealers = company.dealers(iter(lambda: rng.choice(habits), None))
        self.of = {dealer.code: dealer for dealer in self.dealers}
        self.open = collections.Counter()
        self.changes = []

    def hold(self, code, since, until):
        heapq.heappush(self.changes, (since, code, 1))
        heapq.heappush(self.changes, (until, code, -1))

    def choose(self, subcentre, region, at):
        while self.changes and self.changes[0][0] <= at:
            _, code, step = heapq.heappop(self.changes)
            self.open[code] += step
        for digits in range(len(region), 1, -1):
            found = [d for d in self.dealers
                     if d.subcentre == subcentre and region[:digits] in d.regions.split()]
            if found:
                return min(found, key=lambda d: (self.open[d.code], d.code))
        raise LookupError(f"nobody of {subcentre} serves {region}")

    def another(self, rng, dealer):
        return rng.choice([d for d in self.dealers
                           if d.subcentre == dealer.subcentre and d is not dealer])


class Life:
    """One ticket from its creation on: its calls in time order."""

    def __init__(self, month, number, at):
        self.month, self.rng = month, month.rng
        self.reference = f"A{number:06}"
        self.number = number
        self.at = at
        self.events = []
        self.state = "received"
        self.created_at = self.held_since = at
        self.dealer = self.appointed = None

    # ---- making calls ----

    def call(self, method, state=None, by=None, **fields):
        """Makes a call now, at times a wrong one before it."""
        if method != "Create" and self.rng.random() < BLUNDERS:
            self.blunder()
        fields["by"] = by or self.operator()
        if self.rng.random() < RETRIES:
            fields["request_id"] = f"{self.reference}-{len(self.events)}"
            self.record(method, fields)
        self.record(method, fields)
        self.state = state or self.state
        self.at += self.rng.randint(5, 90)

    def record(self, method, fields):
        """Most note the minute, some the second."""
        at = self.at if self.number % 4 == 0 else self.at - self.at % 60
        self.events.append((at, self.reference, method, fields))

    def blunder(self):
        method, fields = self.rng.choice(BLUNDERS_IN[self.state] + BLUNDERS_ANYWHERE)
        self.record(method, {"by": "novice"} | fields)
        self.at += self.rng.randint(5, 90)

    def operator(self):
        return f"操作员{self.number % 20 + 1:02}"

    def technician(self):
        return f"{self.dealer.code if self.dealer else self.subcentre}-T{self.number % 4 + 1}"

    # ---- time ----

    def duration(self, median, spread=0.7):
        return int(median * HOUR * math.exp(self.rng.gauss(0, spread)))

    def wait(self, median, spread=0.7):
        self.at = worked(self.at, self.duration(median, spread))

    def next_day(self):
        self.at = at_hour(self.at, 1, self.rng.uniform(9, 18))

    # ---- the loop ----

    def live(self):
        self.create()
        if self.chance(0.025):
            self.void()
        else:
            self.early_changes()
            if self.work():
                self.ask()
        if self.dealer:
            ended = self.state in ("closed", "voided")
            self.month.fleet.hold(self.dealer.code, self.held_since, self.at if ended else END)
        return self.events

    def chance(self, probability):
        return self.rng.random() < probability

    def pick(self, weights):
        return self.rng.choices(list(weights), weights.values())[0]

    def customer(self, fields):
        repeated = self.month.earlier_repair(self.at) if self.chance(0.06) else None
        if repeated:
            self.type = "repair"
            self.subcentre = self.home = repeated["subcentre"]
            self.region = repeated["region"]
            fields |= {key: repeated[key] for key in ("customer_name", "phone", "serial", "product")
                       if key in repeated}
            return
        self.type = self.pick(TYPES)
        self.subcentre = self.home = self.rng.choice(list(company.PLACES))
        places = company.PLACES[self.subcentre]
        self.region = self.rng.choices(places, [weight for _, _, weight in places])[0][0]
        fields |= {"customer_name": f"用户{self.number:06}", "phone": f"000-{self.number:08}",
                   "address": f"某路{self.number % 999 + 1}号"}
        if self.chance(0.6):
            serial, product = self.rng.choice(self.month.serials)
            fields |= {"serial": serial, "product": product}
        else:
            fields["product"] = self.rng.choice(company.PRODUCTS)[0]
            if self.chance(0.5):
                fields["purchase_date"] = self.month.date()

    def create(self):
        fields = {}
        self.customer(fields)
        self.priority = self.pick(PRIORITIES)
        fields |= {"reference": self.reference, "type": self.type, "region": self.region,
                   "channel": self.pick(CHANNELS)}
        if self.priority != "normal":
            fields["priority"] = self.priority
        if self.type == "repair":
            line = next(p[2] for p in company.PRODUCTS if p[0] == fields["product"])
            fault = self.rng.choice(company.FAULTS[line])
            fields |= {"fault_code": fault[0], "description": fault[1]}
        if self.chance(0.07):
            fields["promised_at"] = at_hour(self.at, self.rng.randint(1, 4), 18) * USEC
        if self.type == "installation" and self.chance(0.2):
            fields["appointment"] = at_hour(self.at, self.rng.randint(1, 3), 12) * USEC
        self.habits = SLOW
        if self.priority != "special":
            self.choose_dealer(fields)
        self.created = fields
        self.call("Create", **fields)
        if self.chance(0.005):  # somebody enters it a second time
            self.call("Create", **fields)

    def choose_dealer(self, fields):
        self.dealer = self.month.fleet.choose(self.subcentre, self.region, self.at)
        if self.chance(0.15):
            self.dealer = self.month.fleet.another(self.rng, self.dealer)
            fields["dealer"] = self.dealer.code
        self.habits = self.dealer.diligence

    def void(self):
        self.wait(0.5)
        earlier = self.month.any_earlier(self.at)
        if self.chance(0.5) and earlier:
            self.call("Void", "voided", void_reason="duplicate", duplicate_of=Reference(earlier))
        else:
            self.call("Void", "voided", void_reason="wrong_number")

    def early_changes(self):
        if self.type == "consultation" and self.chance(0.05):
            self.type = "repair"
            self.call("Update", type="repair", description="咨询后要求上门")
        if self.chance(0.03):
            self.call("Update", phone=f"000-{self.number + 10**7:08}")
        if self.chance(0.02):
            self.call("WaitCustomer", "waiting", wait_reason="等用户确认型号")
            self.wait(6)
            self.call("Resume", "received")

    def transfer(self):
        """It was taken for another sub-centre's."""
        subcentre = self.rng.choice([s for s in company.PLACES if s != self.subcentre])
        self.let_go()
        self.subcentre = subcentre
        self.call("Transfer", "received", subcentre=subcentre, note="用户在外地")
        self.take(self.rng.choice([d for d in self.month.fleet.dealers
                                   if d.subcentre == subcentre]))

    def let_go(self):
        self.month.fleet.hold(self.dealer.code, self.held_since, self.at)

    def take(self, dealer):
        self.dealer, self.habits, self.held_since = dealer, dealer.diligence, self.at
        self.wait(0.2)
        self.call("Dispatch", "dispatched", dealer=dealer.code)

    def accept(self):
        """False when nobody does, ever."""
        self.wait(0.1)
        self.call("Dispatch", "dispatched")
        if self.dealer and self.chance(0.012):
            self.wait(1)
            self.transfer()
        while self.dealer and self.chance(self.habits.declines):
            self.wait(self.habits.accept)
            self.let_go()
            self.call("Decline", "received", by=self.technician(), note="人手不够")
            self.take(self.month.fleet.another(self.rng, self.dealer))
        if self.chance(self.habits.forgets):
            return False
        self.urge()
        self.wait(self.habits.accept, self.habits.spread)
        self.call_accept()
        return True

    def urge(self):
        """The customer calls again."""
        if self.chance(0.04):
            self.wait(1)
            self.call("Comment", note="用户来电催促")
        if self.priority == "normal" and self.chance(0.03):
            self.priority = "urgent"
            self.call("Update", priority="urgent")
        if self.chance(0.05):
            self.call("Promise", promised_at=at_hour(self.at, self.rng.randint(1, 3), 18) * USEC)

    def call_accept(self):
        fields = {"technician": self.technician()}
        self.appointed = None
        if self.type in VISITED_TYPES and self.chance(0.35):
            self.appoint(fields)
        self.call("Accept", "accepted", by=self.technician(), **fields)

    def appoint(self, fields):
        """Mornings and afternoons, soon."""
        soon = max(self.duration(self.habits.visit), 2 * HOUR)
        self.appointed = worked(self.at, soon) // HOUR * HOUR + HOUR
        fields["appointment"] = self.appointed * USEC

    def go_there(self):
        if self.appointed is None:
            self.wait(self.habits.visit, self.habits.spread)
            return
        # Some are there on the second.
        late = 0 if self.chance(0.1) else self.rng.gauss(*self.habits.late)
        self.at = max(self.at, self.appointed + int(late * HOUR))

    def pause(self, method, reasons, median):
        self.call(method, "waiting", by=self.technician(), wait_reason=self.rng.choice(reasons))
        if self.chance(0.1):
            self.wait(1)
            self.call("Promise", promised_at=at_hour(self.at, self.rng.randint(3, 8), 18) * USEC)
        self.wait(median, 0.9)

    def before_visit(self):
        if self.chance(0.06):
            self.wait(2)
            self.pause("WaitCustomer", ("用户出差", "用户装修"), 16)
            self.call("Resume", "accepted", by=self.technician())
        if self.chance(0.08):
            self.wait(1)
            fields = {}
            self.appoint(fields)
            self.call("Appoint", by=self.technician(), **fields)

    def visit(self):
        """False when it stays there."""
        self.before_visit()
        self.go_there()
        fields = {"technician": self.technician()}
        if self.type == "repair" and self.chance(0.4):
            fields["parts_used"] = "旧件换新件一件"
        reported = self.late_report(fields)
        self.call("Visit", "visited", by=self.technician(), **fields)
        if reported:
            return True
        if self.type == "repair" and self.chance(0.12):
            self.wait(0.5)
            self.pause("WaitPart", ("等压缩机", "等主板", "等加热管"), 24)
            if self.chance(self.habits.forgets):
                return False
            self.call("Resume", "visited", by=self.technician())
            self.wait(self.habits.visit / 2)
            self.call("Visit", by=self.technician())
        return True

    def late_report(self, fields):
        """Some visits are reported in the evening only."""
        evening = at_hour(self.at, 0, 19.5)
        if not self.chance(0.06) or self.at > evening - HOUR:
            return False
        fields["at"] = self.at * USEC
        self.at = evening + self.rng.randint(0, 1800)
        return True

    def work(self):
        """Up to the result; False when there is never one."""
        if not self.accept():
            return False
        if self.type in VISITED_TYPES or (self.type == "complaint" and self.chance(0.5)):
            if not self.visit():
                return False
        self.wait(0.7)
        if self.chance(0.004):
            self.call("OverrideWarranty", warranty="in", note="领导特批")
        fields = {"result": self.pick(RESULTS[self.type])}
        self.call("Resolve", "resolved", by=self.technician(), **fields)
        if self.type == "repair":
            self.month.repaired(self)
        return True

    def ask(self):
        """Follows up until the customer is satisfied; reopens what is not."""
        reopened = 0
        while True:
            if self.chance(0.005):
                return  # nobody does
            self.wait(4)
            if self.chance(0.01):  # the repairer may not ask
                self.call("FollowUp", by=self.technician(), outcome="satisfied")
            if self.unreachable():
                return
            if reopened == 2 or not self.chance(self.habits.dissatisfies):
                break
            reopened += 1
            reason = self.pick(REOPEN_REASONS)
            self.call("FollowUp", "dispatched", outcome="dissatisfied", satisfaction=1,
                      reopen_reason=reason)
            if not self.again():
                return
        self.call("FollowUp", "followed_up", outcome="satisfied",
                  satisfaction=self.rng.randint(3, 5))
        self.close()

    def again(self):
        """It is dispatched already, or the sub-centre's own."""
        self.wait(self.habits.accept)
        self.call_accept()
        if self.type in VISITED_TYPES and not self.visit():
            return False
        self.wait(0.5)
        self.call("Resolve", "resolved", by=self.technician(), result=self.pick(RESULTS[self.type]))
        return True

    def unreachable(self):
        """True when the sub-centre had to decide, which ends it."""
        days = self.rng.choices((0, 1, 2, 3), (88, 5, 3, 4))[0]
        for _ in range(days):
            self.call("FollowUp", outcome="unreachable")
            if self.chance(0.2):  # twice on a day counts once
                self.wait(0.5)
                self.call("FollowUp", outcome="unreachable")
            self.next_day()
        if days < 3:
            return False
        self.call("Decide", "followed_up", by=f"{self.subcentre}-M1", decision="accept",
                  note="三次联系不上")
        self.close()
        return True

    def close(self):
        self.wait(0.5)
        self.call("Close", "closed")
        if self.chance(0.008):
            self.next_day()
            self.call_reopen()

    def call_reopen(self):
        self.state = "dispatched"
        self.record("Reopen", {"by": self.operator(), "reopen_reason": "not_repaired"})
        self.at += 60
        if self.again():
            self.wait(8)
            self.call("FollowUp", "followed_up", outcome="satisfied", satisfaction=4)
            self.wait(0.5)
            self.call("Close", "closed")


class Month:
    def __init__(self, seed, tickets):
        self.rng = random.Random(seed)
        self.tickets = tickets
        self.fleet = Fleet(self.rng)
        self.serials = [(f"{product}{number:06}", product) for number, (product, *_) in
                        zip(range(1, SERIALS + 1), itertools.cycle(company.PRODUCTS))]
        self.repairs = collections.deque(maxlen=400)
        self.lives = []

    def date(self):
        return f"{self.rng.randint(2020, 2026)}-{self.rng.randint(1, 8):02}-" \
               f"{self.rng.randint(1, 28):02}"

    def repaired(self, life):
        if "serial" in life.created:
            self.repairs.append((life.at, life))

    def earlier_repair(self, at):
        found = [life for resolved, life in self.repairs if resolved < at]
        if not found:
            return None
        life = self.rng.choice(found)
        return life.created | {"subcentre": life.home}

    def any_earlier(self, at):
        found = [life.reference for life in self.lives[-50:] if life.created_at < at]
        return self.rng.choice(found) if found else None

    # ---- what the script begins with ----

    def masters(self):
        for code, kind, name in company.DEPARTMENTS:
            yield "Units", {"code": code, "kind": kind, "name": name}
        for code, name, regions in company.SUBCENTRES:
            yield "Units", {"code": code, "kind": "subcentre", "name": name, "parent": "HQ",
                            "regions": regions, "head_count": self.rng.randint(2, 9)}
        for dealer in self.fleet.dealers:
            yield "Units", {"code": dealer.code, "kind": "dealer", "name": dealer.name,
                            "parent": dealer.subcentre, "regions": dealer.regions,
                            "supply": self.rng.choice(("planned", "emergency")),
                            "head_count": self.rng.randint(1, 20)}
        # One that has given up: the best match for its region, but it must get nothing.
        yield "Units", {"code": "BJ-00", "kind": "dealer", "name": "已停业服务站", "parent": "BJ",
                        "regions": "110105", "active": False}
        for code, name, line, origin, months in company.PRODUCTS:
            yield "Products", {"code": code, "name": name, "line": line, "origin": origin,
                               "warranty_months": months}
        for faults in company.FAULTS.values():
            for code, symptom, cause, part in faults:
                yield "Faults", {"code": code, "symptom": symptom, "cause": cause, "part": part}
        for serial, product in self.serials:
            yield "Serials", {"code": serial, "product": product, "sold_on": self.date()}

    # ---- tickets ----

    def arrivals(self):
        """Most in the day, few at night; more on the holiday, when people are at home."""
        for _ in range(self.tickets):
            day = self.rng.choices(range(DAYS), [130 if 16 <= d <= 22 else 100
                                                 for d in range(DAYS)])[0]
            hour = self.rng.triangular(7.5, 21, 10) if self.chance_of_day() else \
                self.rng.uniform(0, 24)
            yield START + day * DAY + int(hour * HOUR)

    def chance_of_day(self):
        return self.rng.random() < 0.97

    def wrong_creates(self):
        """They are refused, so these tickets never exist."""
        wrong = (
            {"type": "repair", "region": "999999"},
            {"type": "repair"},
            {"type": "repair", "region": "110105", "product": "XX-00"},
            {"type": "repair", "region": "110105", "promised_at": (START - DAY) * USEC},
        )
        for number, fields in zip(range(min(REFUSED_CREATES, self.tickets)),
                                  itertools.cycle(wrong)):
            reference = f"B{number:06}"
            at = START + self.rng.randrange(DAYS * DAY)
            yield at, reference, "Create", {"reference": reference, "by": "novice"} | fields

    def events(self):
        events = list(self.wrong_creates())
        self.tickets -= len(events)
        for number, at in enumerate(sorted(self.arrivals()), 1):
            life = Life(self, number, at)
            events += life.live()
            self.lives.append(life)
        events.sort(key=lambda event: event[0])
        return (event for event in events if event[0] < END)


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--tickets", type=int, default=TICKETS)
    parser.add_argument("--seed", type=int, default=SEED)
    arguments = parser.parse_args()
    month = Month(arguments.seed, arguments.tickets)
    for interface, fields in month.masters():
        write_event(sys.stdout, START * USEC, None, f"{interface}.Create", fields)
    for at, reference, method, fields in month.events():
        write_event(sys.stdout, at * USEC, reference, f"Tickets.{method}", fields)
    write_event(sys.stdout, END * USEC, None, None, {})


if __name__ == "__main__":
    main()
