# SPDX-License-Identifier: Apache-2.0
"""aftersalesctl monitor and watched lists: nothing missed and nothing twice, whoever is killed."""

import contextlib
import json
import os
import pty
import random
import select
import shutil
import signal
import subprocess
import threading
import time

from harness import (BUILD, BusError, REGION, TIME_LIMIT, am_root, end_process,
                     figure, of_the_bus, variants, wait_for)
from test_changes import FeedTest, follow, newest

CONTROL = BUILD / "aftersalesctl"


class Monitor:
    """A reader that goes on from where its last complete page ended, however it was ended."""

    def __init__(self, service, since, user=None):
        self.service, self.since, self.user = service, since, user
        self.rows, self.starts = [], 0
        self.process = self.reader = None
        self.program = service.directory / "aftersalesctl"  # where others can reach it
        if not self.program.exists():
            shutil.copy(CONTROL, self.program)

    def start(self):
        identity = {"user": self.user, "extra_groups": []} if self.user else {}
        self.process = subprocess.Popen(
            [self.program, "monitor", "--json", f"--since={self.since}"], text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=self.service.environment(),
            **identity)
        self.starts += 1
        self.reader = threading.Thread(target=self.read, args=(self.process.stdout,), daemon=True)
        self.reader.start()

    def read(self, stream):
        page = []
        for line in stream:
            with contextlib.suppress(json.JSONDecodeError):  # the last one, cut off
                row = json.loads(line)
                if "next" in row:
                    self.rows += page
                    self.since, page = row["next"], []
                else:
                    page.append(row)

    def abandon(self):
        """After a failed test nothing stays behind."""
        if self.process and self.process.poll() is None:
            end_process(self.process, signal.SIGKILL)

    def end(self, number):
        status = end_process(self.process, number)
        self.reader.join(TIME_LIMIT)
        said = self.process.stderr.read()
        self.process.stdout.close()
        self.process.stderr.close()
        return status, said


class Caller(threading.Thread):
    """Writes until it is told to stop; what was acknowledged must be told by the feed."""

    def __init__(self, service, seed):
        super().__init__(daemon=True)
        self.client = service.client()
        self.random = random.Random(seed)
        self.stopped = threading.Event()
        self.acknowledged = set()
        self.tickets = []
        self.failure = None

    def step(self):
        if not self.tickets or self.random.random() < 0.4:
            region, dealer = self.random.choice([(REGION, "BJ-1"), (REGION, "BJ-2"),
                                                 ("310115", "SH-1")])
            ticket = self.client.create(type="consultation", region=region, dealer=dealer)
            self.tickets.append(ticket)
            self.acknowledged.add((ticket, 1))
            return
        ticket = self.random.choice(self.tickets[-8:])
        member, fields = self.random.choice([
            ("Comment", {"note": "注"}), ("Dispatch", {}),
            ("Transfer", {"subcentre": self.random.choice(["BJ", "SH"]), "note": "搬家"})])
        head = self.client.move(member, ticket, **fields)
        self.acknowledged.add((ticket, head["revision"]))

    def run(self):
        try:
            while not self.stopped.is_set():
                try:
                    self.step()
                except BusError as error:  # refused, or the daemon has just been killed
                    if "freedesktop" in error.name:
                        time.sleep(0.01)
        except BaseException as error:
            self.failure = error

    def finish(self):
        self.stopped.set()
        self.join(TIME_LIMIT)
        if self.failure:
            raise self.failure


class NothingMissed(FeedTest):
    def chaos(self, dice, monitors, seconds):
        """Kills daemon and monitors at random."""
        until = time.monotonic() + seconds
        kills = 0
        while time.monotonic() < until:
            time.sleep(dice.uniform(0.02, 0.4))
            if dice.random() < 0.3:
                self.service.restart(self.CLOCK, kill=True)
                kills += 1
                continue
            monitor = dice.choice(monitors)
            monitor.end(signal.SIGKILL if dice.random() < 0.7 else signal.SIGTERM)
            time.sleep(dice.uniform(0, 0.2))
            monitor.start()
        return kills

    @of_the_bus
    def test_killed_at_random(self):
        since = newest(self.client)
        users = [None, "games", "man"] if am_root() else [None, None]
        monitors = [Monitor(self.service, since, user) for user in users]
        callers = [Caller(self.service, seed) for seed in range(3)]
        for monitor in monitors:
            self.addCleanup(monitor.abandon)
        for caller in callers:
            self.addCleanup(caller.stopped.set)
        for thing in (*monitors, *callers):
            thing.start()
        kills = self.chaos(random.Random(1), monitors, 10)
        for caller in callers:
            caller.finish()
        end = newest(self.client)
        truths = {user: follow(self.service.client(user), since)[0] for user in set(users)}
        for monitor, user in zip(monitors, users):
            truth = truths[user]
            last = truth[-1]["sequence"]
            wait_for(lambda m=monitor, n=last: m.since >= n, f"the monitor of {user}")
            monitor.end(signal.SIGTERM)
            self.assertEqual(len(monitor.rows), len(truth))
            self.assertEqual(monitor.rows, truth, f"what {user} saw is not what happened")
            self.assertGreater(monitor.starts, 2)
        told = {(row["id"], row["revision"]) for row in truths[None] if row["what"] == "ticket"}
        acknowledged = set().union(*(caller.acknowledged for caller in callers))
        self.assertEqual(acknowledged - told, set())
        self.assertEqual({row["sequence"] for row in truths[None]}, set(range(since + 1, end + 1)))
        self.assertGreater(kills, 2)
        if am_root():
            for user, centre in (("games", "BJ"), ("man", "SH")):
                self.assertTrue(truths[user])
                self.assertEqual(truths[user], self.scoped(truths[None], centre))
        figure(f"monitor: {len(told)} changes while daemon and readers were killed "
               f"{kills + sum(m.starts - 1 for m in monitors)} times; none missed, none twice")

    @staticmethod
    def scoped(rows, centre):
        """What a sub-centre is to see of everything, by another way: following each ticket."""
        at_home, seen = {}, []
        for row in rows:
            was, now = at_home.get(row["id"]), row["subcentre"]
            at_home[row["id"]] = now
            if now == centre:
                seen.append(row)
            elif was == centre:
                seen.append({key: value for key, value in row.items()
                             if key not in ("subcentre", "dealer")} | {"left": True})
        return seen

    def test_a_bus_that_goes(self):
        since = newest(self.client)
        monitor = Monitor(self.service, since)
        self.addCleanup(monitor.abandon)
        monitor.start()
        first = self.ticket()
        wait_for(lambda: monitor.rows, "the first change")
        self.service.kill()
        end_process(self.service.bus, signal.SIGKILL)
        self.service.socket.unlink()
        self.service.start_bus()
        self.service.start(self.CLOCK)
        self.client = self.service.client()
        second = self.ticket()
        wait_for(lambda: len(monitor.rows) > 1, "the second change")
        self.assertEqual([row["id"] for row in monitor.rows], [first, second])
        status, said = monitor.end(signal.SIGINT)
        self.assertEqual(status, 0)
        self.assertIn("away", said)
        self.assertIn("there again", said)


class Running(FeedTest):
    def start(self, *arguments, **options):
        options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | options
        process = subprocess.Popen([CONTROL, *arguments], env=self.service.environment() |
                                   {"TZ": "Asia/Shanghai", "LC_ALL": "C.UTF-8"}, **options)
        self.addCleanup(self.away, process)
        return process

    @staticmethod
    def away(process):
        if process.poll() is None:
            end_process(process, signal.SIGKILL)
        for stream in (process.stdout, process.stderr):
            if stream:
                stream.close()

    @staticmethod
    def lines(process, n):
        """The next n lines, each with a limit."""
        found = []
        for _ in range(n):
            ready, _, _ = select.select([process.stdout], [], [], TIME_LIMIT)
            assert ready, f"no further line after {found}"
            found.append(process.stdout.readline().decode())
        return found

    def test_lines(self):
        since = newest(self.client)
        process = self.start("monitor", f"--since={since}", bufsize=0)
        ticket = self.ticket()
        self.client.move("Dispatch", ticket, dealer="BJ-1")
        self.client.call("Units", "Update", "sa{sv}", "BJ-1", variants({"contact": "000-2"}))
        lines = self.lines(process, 3)
        self.assertRegex(lines[0], rf"^2026-03-02 09:00:00 +#{since + 1} +T{ticket} +Tickets.Create "
                                   r".*uid:\d+ +received$")
        self.assertRegex(lines[1], rf"#{since + 2} +T{ticket} +Tickets.Dispatch +BJ-1 .*dispatched$")
        self.assertRegex(lines[2], rf"#{since + 3} +unit BJ-1 +Units.Update")
        self.until("2026-03-02 12:30")
        self.assertIn(f"warning 0 for T{ticket}, to BJ-1", self.lines(process, 1)[0])
        process.send_signal(signal.SIGTERM)
        self.assertEqual(process.wait(TIME_LIMIT), 0)
        self.assertIn(f"go on with --since={newest(self.client)}", process.stderr.read().decode())

    def test_from_now_on(self):
        process = self.start("monitor", "--json", bufsize=0)
        self.assertEqual(json.loads(self.lines(process, 1)[0]), {"next": newest(self.client)})
        ticket = self.ticket()
        row, after = map(json.loads, self.lines(process, 2))
        self.assertEqual((row["id"], row["state"], after["next"]),
                         (ticket, "received", newest(self.client)))

    def test_nobody_reads(self):
        process = self.start("monitor", bufsize=0)
        time.sleep(0.2)
        process.stdout.close()
        process.stdout = None
        self.assertEqual(process.wait(TIME_LIMIT), 0)

    def test_too_late(self):
        process = self.start("monitor", "--since=999999")
        self.assertEqual(process.wait(TIME_LIMIT), 1)
        said = process.stderr.read().decode()
        self.assertIn("ChangesGone", said)
        self.assertNotIn("go on with --since", said)

    def test_wrong_usage(self):
        for arguments in (["monitor", "--since=x"], ["monitor", "--since=-1"],
                          ["ticket", "list", "--watch=0"], ["ticket", "list", "--watch=x"],
                          ["unit", "list", "--watch"], ["ticket", "list", "--since=1"]):
            with self.subTest(arguments=arguments):
                process = self.start(*arguments)
                self.assertEqual(process.wait(TIME_LIMIT), 64, process.stderr.read())

    def test_a_watched_list(self):
        """Drawn again when something in it has changed, and only then."""
        process = self.start("ticket", "list", "subcentre=BJ", "--watch", "--no-legend", bufsize=0)
        self.assertEqual(self.lines(process, 1), ["2026-03-02 09:00:00, 0 shown\n"])
        self.ticket(region="310115", dealer="SH-1")  # not in it
        time.sleep(1.5)
        ticket = self.ticket()
        empty, title, row = self.lines(process, 3)
        self.assertEqual((empty, title), ("\n", "2026-03-02 09:00:00, 1 shown\n"))
        self.assertRegex(row, f"^T{ticket} +received")
        for _ in range(50):  # one after the other, but drawn once a second at most
            self.client.move("Comment", ticket, note="注")
        self.client.move("Dispatch", ticket, dealer="BJ-1")
        row = self.lines(process, 3)[2]
        self.assertRegex(row, f"^T{ticket} +dispatched")
        self.service.restart(self.CLOCK, kill=True)
        self.client.move("Accept", ticket)
        row = self.lines(process, 3)[2]
        self.assertRegex(row, f"^T{ticket} +accepted")
        process.send_signal(signal.SIGINT)
        self.assertEqual(process.wait(TIME_LIMIT), 0)
        self.assertEqual(process.stdout.read(), b"")

    def test_a_watched_list_as_json(self):
        process = self.start("escalation", "list", "--watch", "--json=short", bufsize=0)
        self.assertEqual(json.loads(self.lines(process, 1)[0]), {"version": 1, "rows": []})
        ticket = self.ticket()
        self.until("2026-03-02 12:30")
        answer = json.loads(self.lines(process, 1)[0])
        self.assertEqual([row["case_id"] for row in answer["rows"]], [ticket])

    def test_a_watched_list_on_a_terminal(self):
        self.ticket()
        leader, follower = pty.openpty()
        self.addCleanup(os.close, leader)
        process = self.start("ticket", "list", "--watch", stdout=follower)
        os.close(follower)
        shown = b""
        deadline = time.monotonic() + TIME_LIMIT
        while b"T1 " not in shown and time.monotonic() < deadline:
            if select.select([leader], [], [], 1)[0]:
                shown += os.read(leader, 4096)
        self.assertTrue(shown.startswith(b"\033[H\033[2J"), shown)
        self.assertIn(b"1 shown", shown)
        process.send_signal(signal.SIGTERM)
        self.assertEqual(process.wait(TIME_LIMIT), 0)
