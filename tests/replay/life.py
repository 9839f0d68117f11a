# SPDX-License-Identifier: Apache-2.0
"""What becomes of one ticket of the demonstration: who does what about it, and when. Everything is
drawn by lot; times are seconds since the epoch."""

import collections
import math

import company
from script import USEC, Reference

DAY = 86400
HOUR = 3600
ZONE = 8 * HOUR  # Asia/Shanghai
OPENS, CLOSES = 8, 20  # when people work

# Median hours until the next step and how evenly, hours late for an appointment (mean, deviation),
# and what goes wrong how often; median days until old parts are sent back, and how often none is.
Diligence = collections.namedtuple(
    "Diligence", "accept visit spread late declines forgets dissatisfies returns keeps")
QUICK = Diligence(0.2, 3, 0.5, (-0.6, 0.3), 0.01, 0.001, 0.03, 4, 0.01)
SLOW = Diligence(0.5, 8, 0.6, (-0.6, 0.5), 0.03, 0.004, 0.05, 8, 0.05)
NEGLIGENT = Diligence(1.5, 16, 0.9, (0.2, 1.2), 0.08, 0.03, 0.12, 14, 0.2)

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

BLUNDERS = 0.03  # of the steps
LOCKED = 0.02  # of the calls that say which revision they have seen
RETRIES = 0.005  # of the calls that are made twice, as after a lost answer

# Wrong calls, by the state they are made in.
BLUNDERS_IN = {
    "received": (("Visit", {}), ("Close", {}), ("Resume", {}), ("Dispatch", {"dealer": "XX-99"})),
    "dispatched": (("Visit", {}), ("FollowUp", {"outcome": "satisfied"}), ("Decline", {})),
    "accepted": (("Accept", {}), ("WaitPart", {}), ("Close", {}),
                 ("Transfer", {"subcentre": "XX", "note": "不归我管"})),
    "visited": (("Decline", {"note": "忙不过来"}), ("Resolve", {}), ("Resume", {})),
    "waiting": (("Visit", {}), ("Resolve", {"result": "repaired"}), ("Accept", {})),
    "resolved": (("Close", {}), ("Decide", {"decision": "accept", "note": "联系不上"}), ("Visit", {}),
                 ("FollowUp", {"outcome": "dissatisfied"})),
    "followed_up": (("Resolve", {"result": "other"}), ("Visit", {})),
}
BLUNDERS_ANYWHERE = (("Comment", {}), ("Comment", {"note": "催单", "colour": "红"}),
                     ("Comment", {"note": "催单", "revision": 999}))


def opening(at):
    """The instant itself when people are at work, else when they begin next."""
    day, second = divmod(at + ZONE, DAY)
    if second < OPENS * HOUR:
        return day * DAY + OPENS * HOUR - ZONE
    return at if second < CLOSES * HOUR else (day + 1) * DAY + OPENS * HOUR - ZONE


def worked(at, seconds):
    """So much time at work later."""
    at = opening(at)
    while True:
        rest = CLOSES * HOUR - (at + ZONE) % DAY
        if seconds < rest:
            return at + seconds
        seconds -= rest
        at = opening(at + rest)


def at_hour(at, days, hour):
    """That hour of the same day or so many days later."""
    return (at + ZONE) // DAY * DAY - ZONE + days * DAY + int(hour * HOUR)


class Life:
    """One ticket from its creation on: its calls in time order."""

    def __init__(self, month, number, at):
        self.month, self.rng = month, month.rng
        self.reference = f"A{number:06}"
        self.number = number
        self.at = at
        self.events = []
        self.state = "received"
        self.revision = 1
        self.created_at = self.held_since = at
        self.dealer = self.appointed = self.part = None

    # ---- making calls ----

    def call(self, method, state=None, by=None, **fields):
        """Makes a call now, at times a wrong one before it."""
        if method != "Create" and self.rng.random() < BLUNDERS:
            self.blunder()
        fields["by"] = by or self.operator()
        if method != "Create":
            if self.rng.random() < LOCKED:
                fields["revision"] = self.revision
            self.revision += 1
        if self.rng.random() < RETRIES:
            fields["request_id"] = f"{self.reference}-{len(self.events)}"
            self.record(method, fields)
        self.record(method, fields)
        self.state = state or self.state
        self.at += self.rng.randint(5, 90)

    def record(self, method, fields):
        """Most note the minute, some the second."""
        at = self.at if self.number % 4 == 0 else self.at - self.at % 60
        self.events.append((at, self.reference, f"Tickets.{method}", fields))

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
        if self.dealer and self.state in ("closed", "voided"):
            self.let_go()
        elif self.dealer:
            self.month.fleet.hold(self.dealer.code, self.held_since)
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
            self.part = fault[3]
        if self.chance(0.07):
            fields["promised_at"] = at_hour(self.at, self.rng.randint(1, 4), 18) * USEC
        if self.type == "installation" and self.chance(0.2):
            fields["appointment"] = at_hour(self.at, self.rng.randint(1, 3), 12) * USEC
        self.habits = SLOW
        if self.priority != "special":
            self.choose_dealer(fields)
        if fields["channel"] == "dealer" and self.chance(0.2):
            self.late_report(fields)
        self.created_at = self.at
        self.created = {key: fields[key] for key in fields if key != "at"}
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
        if self.dealer and self.chance(0.015):  # nobody came, or nothing was done
            if self.chance(0.5):
                self.call("Visit", "visited", by=self.technician())
            self.reassign()
            self.go_there()
        fields = {"technician": self.technician()}
        if self.part and self.chance(0.4):
            fields["parts"] = f"part={self.part}"
            self.part = None
        reported = self.chance(0.06) and self.late_report(fields)
        self.call("Visit", "visited", by=self.technician(), **fields)
        if "parts" in fields:
            self.send_back()
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

    def send_back(self):
        """What must come back of the part, if anything: the calls are passed over where there is no core."""
        at = self.at
        while not self.chance(self.habits.keeps):
            at = worked(at, self.duration(self.habits.returns * (CLOSES - OPENS)))
            self.of_core(at, "Ship", self.technician())
            at = worked(at, self.duration(20, 0.4))
            self.of_core(at, "Receive")
            at = worked(at, self.duration(6))
            if not self.chance(0.05):
                self.of_core(at, "Accept")
                break
            self.of_core(at, "Reject", reject_reason="wrong_part")

    def of_core(self, at, method, by=None, **fields):
        self.events.append((at, self.reference, f"Cores.{method}", {"by": by or self.operator()} | fields))

    def reassign(self):
        """Another dealer has to see to it."""
        self.wait(4)
        self.let_go()
        self.take(self.month.fleet.another(self.rng, self.dealer))
        self.wait(self.habits.accept)
        self.call_accept()

    def late_report(self, fields):
        """What happened in the day is reported in the evening."""
        evening = at_hour(self.at, 0, 19.5)
        if self.at > evening - HOUR:
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
