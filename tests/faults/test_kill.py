#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""kill -9 at any moment: what was acknowledged is there, what was not happened once or not at all,
every rung of every ladder happened exactly once, and --check finds nothing.

SEED=n repeats a run, KILLS=n makes it longer.
"""

import collections
import os
import random
import shutil
import signal
import threading
import time
import unittest

from support import HOUR, SECOND, START, FaultTest, create_message, found_company
from harness import IN_FLIGHT, BusError, Ended, figure, variants, wait_for

SEED = int(os.environ.get("SEED", random.SystemRandom().randrange(1 << 32)))
KILLS = int(os.environ.get("KILLS", 110))
CHECK_EVERY = 10
# The bus' words for: the daemon died before it answered, or was not there.
UNKNOWN = ("org.freedesktop.DBus.Error.NoReply", "org.freedesktop.DBus.Error.ServiceUnknown",
           "org.freedesktop.DBus.Error.NameHasNoOwner")

# What can be done with a ticket in each state; who resolves must not follow up.
MOVES = {
    "received": [("Dispatch", {}), ("WaitCustomer", {"wait_reason": "away"}),
                 ("Void", {"void_reason": "wrong_number"})],
    "dispatched": [("Accept", {}), ("Accept", {}), ("Decline", {"note": "too far"}),
                   ("Resolve", {"result": "repaired", "by": "dealer"})],
    "accepted": [("Visit", {}), ("WaitPart", {"wait_reason": "board"})],
    "visited": [("Resolve", {"result": "repaired", "by": "dealer"}),
                ("WaitPart", {"wait_reason": "board"})],
    "waiting_part": [("Resume", {})],
    "waiting_customer": [("Resume", {})],
    "resolved": [("FollowUp", {"outcome": "satisfied", "by": "centre"}),
                 ("FollowUp", {"outcome": "dissatisfied", "reopen_reason": "other",
                               "by": "centre"})],
    "followed_up": [("Close", {})],
    "closed": [("Reopen", {"reopen_reason": "other"}), ("Comment", {"note": "called"})],
    "voided": [("Comment", {"note": "called"})],
}


class Ticket:
    def __init__(self, fields):
        self.fields = fields  # it was created with
        self.id = None  # not acknowledged yet
        self.state = None
        self.verbs = []  # acknowledged, so its revision is their number
        self.doubt = None  # (method, fields) that was not answered


class Load:
    """What a call centre does all day, with the acknowledgements kept."""

    def __init__(self, service, rng):
        self.service = service
        self.rng = rng
        self.client = service.client()
        found_company(self.client)
        self.now = START  # the latest time the daemon may have seen
        self.tickets = []
        self.calls = {}  # in flight: serial -> (what to do with the answer, subject)
        self.busy = set()  # tickets with a call in flight
        self.touched = set()  # since they were last verified
        self.advancing = False
        self.notifications = {}  # id -> count, of those handed out
        self.delivered = set()  # ids whose removal was acknowledged
        self.acknowledged = self.unknown = self.serial = 0

    def name(self):
        self.serial += 1
        return f"r{self.serial}"

    def post(self, done, subject, message):
        self.calls[self.client.post(message)] = (done, subject)

    def send(self, done, subject, *call):
        self.post(done, subject, self.client.message(*call))

    # One more call.

    def create(self):
        fields = {"type": self.rng.choice(["repair", "complaint", "installation"]),
                  "region": self.rng.choice(["110105", "310104", "440106"][:2]),
                  "priority": self.rng.choice(["normal", "normal", "urgent"]),
                  "description": self.name()}
        # A request id, a reference of the caller's own, or both: each makes a retry safe.
        how = self.rng.randrange(3)
        if how != 1:
            fields["request_id"] = fields["description"]
        if how != 0:
            fields["reference"] = fields["description"]
        ticket = Ticket(fields)
        self.tickets.append(ticket)
        self.send_create(ticket)

    def send_create(self, ticket):
        self.busy.add(ticket)
        self.post(self.created, ticket, create_message(self.client, **ticket.fields))

    def created(self, ticket, answer):
        ticket.id = answer[0]
        ticket.state = "received"
        ticket.verbs = ["create"]

    def move(self):
        ticket = self.rng.choice(self.tickets)
        if ticket in self.busy or not ticket.id:
            return
        if not ticket.doubt:
            method, fields = self.rng.choice(MOVES[ticket.state])
            ticket.doubt = (method, fields | {"request_id": self.name()})
        self.send_move(ticket)

    def send_move(self, ticket):
        self.busy.add(ticket)
        method, fields = ticket.doubt
        self.send(self.moved, ticket, "Tickets", method, "ta{sv}", ticket.id, variants(fields))

    def moved(self, ticket, head):
        method = ticket.doubt[0]
        ticket.verbs.append("".join("_" + c.lower() if c.isupper() else c for c in method)[1:])
        if head["revision"] != len(ticket.verbs):
            raise AssertionError(f"T{ticket.id}: {method} gave revision {head['revision']}, "
                                 f"{len(ticket.verbs)} changes were acknowledged")
        ticket.state = head["state"]
        ticket.doubt = None

    def pass_time(self):
        if self.advancing:
            return
        self.advancing = True
        self.now += self.rng.randrange(1, 3600) * SECOND
        self.send(self.passed, None, "Clock", "Advance", "x", self.now)

    def passed(self, _, answer):
        self.advancing = False

    def take(self):
        self.send(self.taken, None, "Notifications", "Take", "uu", self.rng.randrange(1, 50), 60)

    def taken(self, _, rows):
        for row in rows:
            if row["id"] in self.delivered:
                raise AssertionError(f"N{row['id']} was delivered and is handed out again")
            before = self.notifications.setdefault(row["id"], row["count"])
            if before != row["count"]:
                raise AssertionError(f"N{row['id']} has grown after it was handed out")

    def deliver(self):
        open_ids = [x for x in self.notifications if x not in self.delivered]
        if open_ids:
            ids = self.rng.sample(open_ids, min(len(open_ids), 20))
            self.send(self.was_delivered, ids, "Notifications", "Acknowledge", "at", ids)

    def was_delivered(self, ids, answer):
        self.delivered.update(ids)

    # The stream of calls.

    def fill(self):
        actions = [self.create] * 3 + [self.move] * 10 + [self.pass_time, self.take, self.deliver]
        for _ in range(4 * IN_FLIGHT):
            if len(self.calls) >= IN_FLIGHT:
                return
            action = self.rng.choice(actions)
            if self.tickets or action == self.create:
                action()

    def receive(self):
        serial, answer = self.client.next_answer()
        done, subject = self.calls.pop(serial)
        self.busy.discard(subject) if isinstance(subject, Ticket) else None
        if isinstance(answer, BusError):
            if answer.name in UNKNOWN:
                self.unknown += 1
                if done == self.passed:
                    self.advancing = False
                return
            raise answer
        done(subject, answer)
        self.acknowledged += done != self.taken
        if isinstance(subject, Ticket):
            self.touched.add(subject)

    def drain(self):
        while self.calls:
            self.receive()

    def run_until_dead(self):
        while self.service.daemon.poll() is None:
            self.fill()
            self.receive()
        self.drain()

    # What must hold after a restart.

    def verify(self, ticket, record):
        """The acknowledged changes, and of one in doubt all or nothing."""
        allowed = len(ticket.verbs), len(ticket.verbs) + (ticket.doubt is not None)
        if record["revision"] not in allowed:
            raise AssertionError(f"T{ticket.id} is at revision {record['revision']}; {allowed}")
        if record["revision"] == len(ticket.verbs) and record["state"] != ticket.state:
            raise AssertionError(f"T{ticket.id} is {record['state']}, not {ticket.state}")
        if record["description"] != ticket.fields["description"]:
            raise AssertionError(f"T{ticket.id} is another ticket")

    def verify_touched(self):
        for ticket in self.touched:
            if len(self.calls) >= IN_FLIGHT:
                self.receive()
            self.send(self.verify, ticket, "Tickets", "Get", "t", ticket.id)
        n = self.acknowledged
        self.drain()
        self.acknowledged = n
        self.touched.clear()

    def retry_doubtful(self):
        """Every unanswered call once more, under its own name."""
        for ticket in self.tickets:
            if ticket not in self.busy and (not ticket.id or ticket.doubt):
                if len(self.calls) >= IN_FLIGHT:
                    self.receive()
                self.send_create(ticket) if not ticket.id else self.send_move(ticket)
        self.drain()


def check_escalations(rows):
    """Exactly once, in order, without gaps, never early."""
    last = {}
    for e in sorted(rows, key=lambda e: e["id"]):
        if e["cause"] == "reopened":
            key, level = (e["kind"], e["case_id"], e["clock"], e["cycle"]), 0
            assert e["due_at"] <= e["fired_at"], e
        else:
            key, level = (e["kind"], e["case_id"], e["clock"], e["cycle"]), e.get("level", 0)
            assert e["due_at"] < e["fired_at"], e
        assert level == last.get(key, -1) + 1, (e, last.get(key))
        last[key] = level + e.get("missed", 0)
    return len(last)


class Kill(FaultTest):
    def setUp(self):
        print(f"SEED={SEED}", flush=True)
        self.rng = random.Random(SEED)
        self.open(map_size="16GiB")  # as many kills as are asked for
        self.kills = 0

    def kill_after(self, seconds):
        """Kills the daemon while the test goes on."""
        process = self.service.daemon

        def kill():
            time.sleep(seconds)
            process.kill()

        self.kills += 1
        killer = threading.Thread(target=kill)
        killer.start()
        self.addCleanup(killer.join)

    def restart(self, load, latest_kill):
        """Often it is killed again while it starts and catches up."""
        while self.rng.random() < 0.4:
            self.service.launch(load.now)
            self.kill_after(self.rng.uniform(0, latest_kill))
            self.service.daemon.wait()
        self.service.start(load.now)

    def finish(self, load):
        """Everything ever acknowledged, and every rung."""
        client = load.client
        load.retry_doubtful()
        load.now += 12 * HOUR
        client.advance(load.now)
        rows = client.list_all("Tickets", {"ended": True})
        self.assertEqual(len(rows), len(load.tickets))
        by_id = {row["id"]: row for row in rows}
        for ticket in load.tickets:
            load.verify(ticket, by_id[ticket.id])
            events = client.history(ticket.id)
            self.assertEqual([x["verb"] for x in events], ticket.verbs, f"T{ticket.id}")
            self.assertEqual([x["revision"] for x in events],
                             list(range(1, len(ticket.verbs) + 1)))
        states = collections.Counter(row["state"] for row in rows)
        status = client.status()
        self.assertEqual({k: v for k, v in status["states"].items() if v}, states)
        self.assertEqual(status["lag"], 0)
        self.assertEqual(status["unarmed"], 0)
        escalations = client.list_all("Escalations", {"acknowledged": True})
        check_escalations(escalations)
        self.check_notifications(load, escalations)
        self.assert_clean()
        return len(escalations)

    def check_notifications(self, load, escalations):
        """Each escalation is in exactly one notification, and each of these was handed out."""
        load.now += HOUR  # no lease lasts longer
        load.client.advance(load.now)
        escalations[:] = load.client.list_all("Escalations", {"acknowledged": True})
        while True:
            rows = load.client.call("Notifications", "Take", "uu", 100, 3600)
            if not rows:
                break
            load.taken(None, rows)
        self.assertEqual(sum(load.notifications.values()), len(escalations))

    def test_under_load(self):
        self.start()
        load = Load(self.service, self.rng)
        cycles = 0
        while self.kills < KILLS:
            self.kill_after(self.rng.uniform(0.02, 0.45))
            load.run_until_dead()
            self.restart(load, 0.1)
            load.verify_touched()
            if self.rng.random() < 0.5:
                load.retry_doubtful()
            cycles += 1
            if cycles % CHECK_EVERY == 0:
                self.assert_clean()
        escalations = self.finish(load)
        figure(f"{self.kills} kills under load: {load.acknowledged} acknowledged changes, 0 lost; "
               f"{load.unknown} calls of unknown outcome; {len(load.tickets)} tickets; "
               f"{escalations} escalations, each once")

    def test_catching_up(self):
        """Thousands of events are due at once, and the daemon dies while it works them off."""
        self.start()
        load = Load(self.service, self.rng)
        for _ in range(2000):
            if len(load.calls) >= IN_FLIGHT:
                load.receive()
            load.create()
        load.drain()
        self.service.kill()
        for _ in range(4):
            load.now += self.rng.randrange(3, 40) * HOUR
            for _ in range(5):
                self.service.launch(load.now)
                self.kill_after(self.rng.uniform(0.03, 0.25))
                self.service.daemon.wait()
            self.assert_clean()
        self.service.start(load.now)
        wait_for(lambda: load.client.status()["lag"] == 0, "catching up")
        escalations = self.finish(load)
        figure(f"{self.kills} kills while catching up: {escalations} escalations, each once")

    def usable(self):
        """A store that a killed start has left behind, or has not."""
        self.begin()
        self.assertEqual(self.client.get(self.ticket())["state"], "received")
        self.service.kill()
        self.assert_clean()

    def test_first_start(self):
        for _ in range(40):
            shutil.rmtree(self.service.state, ignore_errors=True)
            self.service.launch(self.now)
            self.kill_after(self.rng.uniform(0, 0.06))
            self.service.daemon.wait()
            self.usable()
        figure(f"{self.kills} kills during the first start: each next start made a good store")

    @unittest.skipUnless(shutil.which("strace"), "strace is not installed")
    def test_first_start_at_every_write(self):
        """Instead of at random: after each system call that creates the store."""
        calls = ["write", "writev", "pwrite64", "pwritev", "fdatasync", "fsync", "ftruncate",
                 "rename", "unlink", "openat", "flock", "mkdir", "mmap"]
        n_killed = 0
        for call in calls:
            for n in range(1, 100):
                shutil.rmtree(self.service.state, ignore_errors=True)
                if not self.killed_at(call, n):
                    break
                self.usable()
                n_killed += 1
        figure(f"killed at each of {n_killed} system calls of the first start: "
               "each next start made a good store")

    def killed_at(self, call, n):
        """Whether the daemon made that call so often before it served."""
        self.service.wrapper = ["strace", "-f", "-o", os.devnull, "-e", "trace=" + call, "-e",
                                f"inject={call}:signal=KILL:when={n}"]
        try:
            self.start()
        except Ended:
            self.assertEqual(self.service.daemon.returncode, -signal.SIGKILL)
            return True
        finally:
            self.service.wrapper = []
        # It can also be met by what it writes soon after it serves.
        met = not self.kill_traced()
        return self.service.daemon.wait() == -signal.SIGKILL and met

    def kill_traced(self):
        """Ends the daemon behind strace; whether there was one."""
        pid = self.service.daemon.pid
        try:
            with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
                children = [int(child) for child in file.read().split()]
        except OSError:
            children = []
        for child in children:
            os.kill(child, signal.SIGKILL)
        return bool(children)


if __name__ == "__main__":
    unittest.main()
