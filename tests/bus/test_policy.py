# SPDX-License-Identifier: Apache-2.0
"""Another policy for a daemon that runs, and a look at what would escalate."""

import os
import re
import shutil
import signal
import subprocess
import threading
import time
import unittest

from harness import (BUILD, DAY, HOUR, POLICY, REGION, USEC, BusError, FreshServiceTest, at, figure,
                     iso, needs_root, shown, variants, wait_for)

LONGER = ("response: 4h, visit: 8h, resolve: 16h,\n                followup: 8h, waiting: 24h}\n"
          "      urgent", "response: 6h, visit: 8h, resolve: 20h,\n                followup: 8h, "
          "waiting: 24h}\n      urgent")
HOLIDAY = ("2026-03-12: {hours: off", "2026-03-03: {hours: off}\n      2026-03-12: {hours: off")
SHORT_LADDER = ("      - {to: business,  after: 4h}\n      - {to: president, after: 8h}\n", "")
PATIENT = ("followup_attempts: 3", "followup_attempts: 4")
LOAD = 20_000
# What a caller may wait while all of them are at work: seconds, or a share of the whole where the
# machine is so busy that everything takes long. Where others keep the machine busy for a moment, it
# is looked at again: whoever makes callers wait does so each time.
UNHURRIED, SHARE, LOOKS = 0.1, 0.25, 5


def changed(*changes):
    text = POLICY.read_text("utf-8")
    for before, after in changes:
        assert before in text, before
        text = text.replace(before, after, 1)
    return text


class PolicyTest(FreshServiceTest):
    def reload(self, *changes):
        self.service.configure(changed(*changes))
        return self.client.call("Policy", "Reload")

    def policies(self):
        return self.client.call("Policy", "List")

    def computed(self):
        wait_for(lambda: self.policies()[0].get("recomputed_at"), "the open cases computed anew")


class Reload(PolicyTest):
    def test_deadlines_move(self):
        """Those of open cases, without a revision of theirs; explain names the policy."""
        ticket = self.ticket()
        before = self.client.get(ticket)
        self.assertEqual(before["policy"], 1)
        self.assertEqual(self.deadline(ticket, "response"), "2026-03-02 13:00")
        answer = self.reload(LONGER)
        self.assertEqual((answer["policy"], answer["cases"], answer["moved"]), (2, 1, 1))
        self.computed()
        after = self.client.get(ticket)
        self.assertEqual(self.deadline(ticket, "response"), "2026-03-02 15:00")
        self.assertEqual((after["policy"], after["revision"], after["changed_at"]),
                         (2, before["revision"], before["changed_at"]))
        self.client.move("Comment", ticket, note="x", revision=before["revision"])
        newest, first = self.policies()
        self.assertEqual((newest["number"], first["number"]), (2, 1))
        self.assertEqual(newest["digest"], answer["digest"])
        self.assertEqual((newest["by"], first["by"]), (f"uid:{os.geteuid()}", "daemon"))
        rows = [row for row in self.client.explain(ticket)
                if row["clock"] == "response" and row.get("event") == "policy"]
        self.assertEqual([(row["policy"], row["digest"], row["calendar"], row["ladder"],
                           row["seconds"], row["at"]) for row in rows],
                         [(2, newest["digest"][:16], "office", "service", 6 * 3600,
                           newest["since"])])

    def test_nothing_is_raised_twice(self):
        ticket = self.ticket()
        self.until("2026-03-02 13:20")  # warned, and on the first rung
        raised = self.client.escalations(ticket)
        self.assertEqual([row["cause"] for row in raised if row["clock"] == "response"],
                         ["warning", "rung"])
        for changes in ((LONGER,), (), (LONGER,), ()):
            self.reload(*changes)
            self.computed()
            self.client.advance(self.client.now() + 1)
        self.assertEqual(self.client.escalations(ticket), raised)
        self.assertTrue(self.client.get(ticket)["overdue"])

    def test_calendar(self):
        ticket = self.ticket()
        self.assertEqual(self.deadline(ticket, "resolve"), "2026-03-03 17:00")
        self.reload(HOLIDAY)
        self.computed()
        self.assertEqual(self.deadline(ticket, "resolve"), "2026-03-04 17:00")

    def test_rejected(self):
        """With the place, and all is as before."""
        ticket = self.ticket()
        for change, words in (
                (("ladder: service, response: 4h", "ladder: servce, response: 4h"),
                 [f"{self.service.config}:", "there is no ladder 'servce'"]),
                (("repeat: 8h", "repeat: 8"), ["ladders.service.repeat", "'8' has no unit"]),
                (("[ticket.read, report.read,", "[ticket.raed, report.read,"),
                 ["there is no permission 'ticket.raed'; did you mean ticket.read"]),
                (("site: 0", "site: 5"), ["site: takes effect with a restart only"]),
                (("map_size: 1GiB", "map_size: 2GiB"), ["store.map_size", "restart"])):
            self.service.configure(changed(change, LONGER))
            for method, signature, arguments in (("Reload", None, ()), ("Preview", "u", (10,))):
                with self.subTest(words=words, method=method), \
                        self.refused("PolicyRejected", *words, unchanged=ticket) as caught:
                    self.client.call("Policy", method, signature, *arguments)
                if "site" not in words[0] and "map_size" not in words[0]:
                    self.assertRegex(caught.exception.text, r"policy\.yaml:\d+:\d+: ")
        self.assertEqual(len(self.policies()), 1)
        self.service.config.unlink()
        with self.refused("PolicyRejected", "policy.yaml", unchanged=ticket):
            self.client.call("Policy", "Preview", "u", 0)
        self.service.configure(changed())
        self.assertEqual(self.reload()["policy"], 1)

    def test_contradiction(self):
        """Cases that stand on a rung which is no more are named, ten of them."""
        tickets = [self.ticket() for _ in range(12)]
        self.until("2026-03-04 17:01")  # the response is 20 hours late: on the fourth rung
        self.service.configure(changed(SHORT_LADDER))
        with self.refused("PolicyRejected", "contradicts 12 open cases", f"T{tickets[0]}: its clock",
                          "stands on rung 4, and the ladder service has 2", "and 2 more"):
            self.client.call("Policy", "Reload")
        for ticket in tickets:
            self.client.move("Void", ticket, void_reason="wrong_number")
        self.assertEqual(self.reload(SHORT_LADDER)["policy"], 2)

    def test_preview(self):
        """Which deadlines would move, the first of them as rows; nothing is changed."""
        tickets = [self.ticket(), self.ticket(priority="urgent"), self.ticket()]
        self.service.configure(changed(LONGER))
        sequence = self.client.status()["sequence"]
        cases, moved, rows = self.client.call("Policy", "Preview", "u", 3)
        self.assertEqual((cases, moved), (3, 2))
        self.assertEqual([(row["case_id"], row["clock"], shown(row["before"]), shown(row["after"]))
                          for row in rows],
                         [(tickets[0], "response", "2026-03-02 13:00", "2026-03-02 15:00"),
                          (tickets[0], "resolve", "2026-03-03 17:00", "2026-03-04 13:00"),
                          (tickets[2], "response", "2026-03-02 13:00", "2026-03-02 15:00")])
        self.assertEqual(self.client.status()["sequence"], sequence)
        self.assertEqual(self.deadline(tickets[0], "response"), "2026-03-02 13:00")
        with self.refused("InvalidValue", "limit"):
            self.client.call("Policy", "Preview", "u", 1001)

    def test_what_is_not_about_time(self):
        """moves nothing: nothing is looked at and nothing computed."""
        ticket = self.ticket()
        answer = self.reload(PATIENT)
        self.assertEqual((answer["policy"], answer["cases"]), (2, 0))
        self.assertTrue(self.policies()[0]["recomputed_at"])
        self.assertEqual(self.policies()[0]["timing_version"], 1)
        self.assertEqual(self.client.get(ticket)["policy"], 1)
        self.assertEqual(self.client.get(self.ticket())["policy"], 2)

    def test_hangup(self):
        """SIGHUP does the same, and the log says how it went."""
        ticket = self.ticket()
        self.service.configure(changed(LONGER))
        self.service.daemon.send_signal(signal.SIGHUP)
        wait_for(lambda: len(self.policies()) == 2, "the reload")
        self.computed()
        self.assertEqual(self.deadline(ticket, "response"), "2026-03-02 15:00")
        self.service.configure(changed(("repeat: 8h", "repeat: 8")))
        self.service.daemon.send_signal(signal.SIGHUP)
        wait_for(lambda: [text for priority, text in self.service.log()
                          if priority == 3 and "reload refused" in text and "policy.yaml:" in text],
                 "the refusal in the log")
        self.assertEqual(len(self.policies()), 2)
        self.service.configure(changed(LONGER))

    def test_log_level(self):
        self.reload(("level: debug", "level: warning"))
        lines = len(self.service.log())
        self.ticket()
        self.assertEqual(len(self.service.log()), lines)
        self.reload()
        self.ticket()
        self.assertGreater(len(self.service.log()), lines)

    @unittest.skipUnless(os.geteuid() == 0, "other users' connections need root")
    def test_access(self):
        """What connections may do changes at once, also what they hear."""
        ticket = self.ticket()
        clerk, other = self.service.client("games"), self.service.client("news")
        clerk.get(ticket)
        other.get(ticket)
        clerk.call("Manager", "Subscribe")
        other.call("Manager", "Subscribe")
        self.reload(("{user: games,    role: subcentre,          scope: {subcentre: BJ}}",
                     "{user: games,    role: subcentre,          scope: {subcentre: SH}}"))
        with self.assertRaises(BusError) as caught:
            clerk.get(ticket)
        self.assertEqual(caught.exception.name, "OutOfScope")
        self.client.move("Comment", ticket, note="x")
        other.call("Manager", "Unsubscribe")  # answered after the signals
        self.assertTrue(any(other.signals()))
        clerk.call("Manager", "Unsubscribe")
        self.assertFalse(any(clerk.signals()))
        self.reload(("  - {user: games,    role: subcentre,          scope: {subcentre: BJ}}\n", ""))
        with self.assertRaises(BusError) as caught:
            clerk.call("Tickets", "Get", "t", ticket)
        self.assertEqual(caught.exception.name, "NotPermitted")

    @unittest.skipUnless(shutil.which("strace"), "needs strace")
    def test_name_services_are_asked_beside_the_loop(self):
        """They may hang; the daemon itself looks nobody up."""
        trace = self.service.directory / "trace"
        tracer = subprocess.Popen(["strace", "-o", trace, "-e", "trace=openat,connect", "-p",
                                   str(self.service.daemon.pid)], stderr=subprocess.PIPE)
        try:
            tracer.stderr.readline()  # "Process ... attached"
            rule = "{user: games,    role: subcentre,          scope: {subcentre: BJ}}"
            for other in (rule.replace("games", "tty").replace("user: ", "group: "),
                          rule.replace("games", "sync"), rule):
                self.reload((rule, other))
        finally:
            tracer.terminate()
            tracer.wait()
            tracer.stderr.close()
        self.assertIn("policy.yaml", trace.read_text())
        for name in ("passwd", "group", "nscd", "nsswitch", ".so"):
            self.assertNotIn(name, trace.read_text())

    @needs_root
    def test_users_as_the_helper_has_found_them(self):
        """In the order of the rules, with some of them that nobody knows."""
        rules = "access:\n" + "".join(
            f"  - {{{who}, role: {role}, scope: {scope}}}\n" for who, role, scope in (
                ("user: nobody-of-that-name", "everything", "headquarters"),
                ("user: games", "subcentre", "{subcentre: SH}"),
                ("group: none-of-that-name", "everything", "headquarters"),
                ("user: news", "auditor", "headquarters"),
                ("group: lp", "dealer", "{dealer: SH-1}")))
        plain = POLICY.read_text("utf-8")
        ticket = self.ticket(region="310115", dealer="SH-1")
        self.service.configure(plain[:plain.index("access:\n")] + rules)
        self.client.call("Policy", "Reload")
        for user, groups, may in (("games", (), True), ("news", (), True), ("man", ("lp",), True),
                                  ("mail", (), False), ("www-data", (), False)):
            with self.subTest(user=user):
                client = self.service.client(user, groups)
                if may:
                    self.assertEqual(client.get(ticket)["id"], ticket)
                else:
                    with self.assertRaises(BusError) as caught:
                        client.get(ticket)
                    self.assertEqual(caught.exception.name, "NotPermitted")
        warned = [text for _, text in self.service.log() if "this machine knows no" in text]
        self.assertTrue(any("access[2].group: " in text and "none-of-that-name" in text
                            for text in warned), warned)

    def test_one_at_a_time(self):
        """Whoever comes while another one is at it is told so; there is always an answer."""
        self.service.configure(changed(LONGER))
        messages = [self.client.message("Policy", "Reload") for _ in range(8)]
        answers = self.client.calls(messages)
        done = [answer for answer in answers if not isinstance(answer, BusError)]
        self.assertTrue(done)
        self.assertEqual({answer.name for answer in answers if isinstance(answer, BusError)} |
                         {"TryAgain"}, {"TryAgain"})
        self.assertEqual(len(self.policies()), 2)

    def test_at_the_start(self):
        """A configuration that was changed while nobody served."""
        ticket = self.ticket()
        self.service.stop()
        self.service.configure(changed(LONGER))
        self.service.start(self.CLOCK + HOUR)
        self.computed()
        self.assertEqual(self.deadline(ticket, "response"), "2026-03-02 15:00")
        self.assertEqual([row["by"] for row in self.policies()], ["daemon", "daemon"])


class Start(PolicyTest):
    """With a configuration that was changed while nobody was there."""

    def test_a_contradiction(self):
        """What a reload refuses is refused, with the cases; nothing has happened to them."""
        tickets = [self.ticket() for _ in range(12)]
        self.until("2026-03-04 17:01")
        now = self.client.now() // USEC * USEC + USEC
        raised = [self.client.escalations(ticket) for ticket in tickets]
        before = self.policies(), self.client.status()["sequence"]
        for kill in (True, False):
            with self.subTest(kill=kill):
                (self.service.kill if kill else self.service.stop)()
                self.service.configure(changed(SHORT_LADDER))
                status, said = self.service.refuse(now)
                self.assertEqual(status, os.EX_CONFIG)
                for words in ("contradicts open cases and is rejected",
                              f"T{tickets[0]}: its clock", f"T{tickets[9]}: its clock",
                              "stands on rung 4, and the ladder service has 2", "and 2 more",
                              "policy 1 ("):
                    self.assertIn(words, said)
                self.assertNotIn(f"T{tickets[10]}:", said)
                self.assertNotIn("serving", said)
                self.service.configure(changed())
                self.service.start(now)
                self.assertEqual((self.policies(), self.client.status()["sequence"]), before)
        self.assertEqual([self.client.escalations(ticket) for ticket in tickets], raised)

    def check(self, *arguments, status=0):
        """What --check-config says to a file that lies elsewhere."""
        candidate = self.service.directory / "candidate.yaml"
        candidate.write_text(changed(*arguments), "utf-8")
        run = subprocess.run([BUILD / "aftersalesd", "--check-config", "--cases",
                              f"--config={candidate}", f"--state={self.service.state}",
                              f"--clock=manual={iso(self.service_time)}"],
                             capture_output=True, text=True, timeout=30, check=False)
        self.assertEqual(run.returncode, status, run.stdout + run.stderr)
        return run.stdout + run.stderr

    def test_check_without_putting_it_in_place(self):
        """Beside a daemon that runs, and alone."""
        tickets = [self.ticket() for _ in range(3)]
        self.until("2026-03-04 17:01")
        self.service_time = self.client.now() // USEC * USEC + USEC
        before = self.policies(), self.client.status()["sequence"]
        for stopped in (False, True):
            with self.subTest(stopped=stopped):
                if stopped:
                    self.service.stop()
                self.assertIn("3 open cases looked at; 0 of them would get", self.check())
                self.assertIn("3 open cases looked at; 3 of them would get", self.check(LONGER))
                said = self.check(SHORT_LADDER, status=os.EX_CONFIG)
                for ticket in tickets:
                    self.assertIn(f"T{ticket}: its clock", said)
                self.assertIn("unknown", self.check(("zone:", "zoen:"), status=os.EX_CONFIG))
        self.service.start(self.service_time)
        self.assertEqual((self.policies(), self.client.status()["sequence"]), before)

    def test_once_the_cases_are_over(self):
        ticket = self.ticket()
        self.until("2026-03-04 17:01")
        self.client.move("Void", ticket, void_reason="wrong_number")
        self.service.stop()
        self.service.configure(changed(SHORT_LADDER))
        self.service.start(at("2026-03-04 17:02"))
        self.assertEqual(self.policies()[0]["number"], 2)


class Command(PolicyTest):
    """aftersalesctl, whose exit code a service manager goes by."""

    def ctl(self, *arguments, status=0):
        run = subprocess.run([BUILD / "aftersalesctl", *arguments], capture_output=True, text=True,
                             env=self.service.environment() | {"TZ": "Asia/Shanghai"}, timeout=30,
                             check=False)
        self.assertEqual(run.returncode, status, run.stderr)
        return run.stdout if status == 0 else run.stderr

    def test_reload(self):
        ticket = self.ticket()
        self.service.configure(changed(LONGER))
        for command in (["reload", "--dry-run"], ["config", "reload", "--dry-run"]):
            said = self.ctl(*command)
            self.assertIn("1 open cases looked at; 1 of them would get another deadline", said)
            self.assertRegex(said, rf"T{ticket} +response +2026-03-02 13:00\S* +2026-03-02 15:00")
        self.assertEqual(self.deadline(ticket, "response"), "2026-03-02 13:00")
        self.assertIn("policy 2 (", self.ctl("reload"))
        self.computed()
        self.assertEqual(self.deadline(ticket, "response"), "2026-03-02 15:00")
        self.assertRegex(self.ctl("config", "history"), r"(?s)2 +2026-03-02 .*1 +2026-03-02 ")
        self.assertIn("number 2 (", self.ctl("ticket", "explain", f"T{ticket}"))
        self.service.configure(changed(("repeat: 8h", "repeat: 8")))
        said = self.ctl("reload", status=78)
        self.assertRegex(said, r"policy\.yaml:\d+:\d+: ladders\.service\.repeat: '8' has no unit")
        self.service.configure(changed(LONGER))

    def test_dropin(self):
        """A drop-in comes into force, is shown with its place, and goes again; a wrong one is refused with its own."""
        ticket = self.ticket()
        directory = self.service.config.parent / "conf.d"
        directory.mkdir()
        self.addCleanup(shutil.rmtree, directory)
        dropin = directory / "10-slow.yaml"
        dropin.write_text("targets:\n  ticket:\n    default:\n      normal: {response: 6h}\n", "utf-8")
        digest = self.policies()[0]["digest"]
        self.assertIn("1 of them would get another deadline", self.ctl("reload", "--dry-run"))
        self.assertIn("response: 4h", self.ctl("config", "show"))
        self.ctl("reload")
        self.computed()
        self.assertEqual(self.deadline(ticket, "response"), "2026-03-02 15:00")
        self.assertNotEqual(self.policies()[0]["digest"], digest)
        shown = self.ctl("config", "show", "--origin")
        self.assertIn(f"response: 6h  # {dropin}:4\n", shown)
        self.assertRegex(shown, rf"site: \d+  # (default|{self.service.config}:\d+)\n")
        self.assertIn("  keep: 30d  # default\n", shown)
        self.assertEqual(re.sub("  # .*", "", shown), self.ctl("config", "show"))

        # What runs is shown, not what the files say now.
        dropin.write_text("targets:\n  ticket:\n    default:\n      normal: {response: 6}\n", "utf-8")
        self.assertIn(f"{dropin}:4:26: targets.ticket.default.normal.response: '6' has no unit",
                      self.ctl("reload", status=78))
        self.assertEqual(self.ctl("config", "show", "--origin"), shown)

        # What is shown is a configuration that says the same.
        self.service.config.write_text(self.ctl("config", "show"), "utf-8")
        dropin.unlink()
        self.assertIn("; 0 of them would get another deadline", self.ctl("reload", "--dry-run"))
        self.ctl("reload")
        self.assertEqual(self.ctl("config", "show"), re.sub("  # .*", "", shown))
        self.service.configure(changed())
        self.assertIn("policy 4 (", self.ctl("reload"))
        self.computed()
        self.assertEqual(self.deadline(ticket, "response"), "2026-03-02 13:00")

    def test_simulate(self):
        ticket = self.ticket()
        said = self.ctl("simulate", "--until=2026-03-02 16:00")
        self.assertRegex(said, rf"2026-03-02 12:00\S* +T{ticket} +response +warning")
        self.assertRegex(said, rf"2026-03-02 13:00\S* +T{ticket} +response +rung +1 +owner +BJ")
        self.assertRegex(self.ctl("simulate", "--until=+7h", "--summary"), r"BJ +1 +2 +0")
        self.assertNotIn("BJ", self.ctl("simulate", "--until=+7h", "subcentre=SH"))
        self.assertIn("the first 1 of 3 are shown",
                      self.ctl("simulate", "--until=+7h", "--limit=1"))
        self.assertIn("until when?", self.ctl("simulate", status=64))
        self.assertIn("lies in the past", self.ctl("simulate", "--until=2020-01-01 0:00",
                                                   status=65))


class Load(FreshServiceTest):
    """Twenty thousand open tickets."""

    def fill(self, n):
        fields = {"type": "consultation", "region": REGION}
        message = ("Tickets", "Create", "a{sv}", variants(fields))
        for answer in self.client.calls([self.client.message(*message) for _ in range(n)]):
            self.assertNotIsInstance(answer, BusError)

    def policies(self):
        return self.client.call("Policy", "List")

    def test_under_load(self):
        """While everything is computed anew nobody waits more than a slice, and what is done in
        between is right."""
        self.fill(LOAD)
        for look in range(LOOKS):
            longest, limit = self.look_at_reload(look % 2 == 0)
            if longest < limit:
                break
        self.assertLess(longest, limit)
        self.assertEqual(self.client.status()["unarmed"], 0)

    def look_at_reload(self, longer):
        """What callers have waited at most, and may."""
        self.service.configure(changed(*[LONGER] * longer))
        began = time.monotonic()
        answer = self.client.call("Policy", "Reload")
        reloaded = time.monotonic()
        self.assertGreaterEqual(answer["cases"], LOAD)
        self.assertEqual(answer["cases"], answer["moved"])
        longest, calls = 0, 0
        while not self.policies()[0].get("recomputed_at"):
            before = time.monotonic()
            ticket = self.ticket()
            self.assertEqual(shown({c["clock"]: c["deadline"] for c in
                                    self.client.get(ticket)["clocks"]}["response"]),
                             "2026-03-02 15:00" if longer else "2026-03-02 13:00")
            longest = max(longest, time.monotonic() - before)
            calls += 1
        took = time.monotonic() - reloaded
        figure(f"reload with {LOAD} open tickets: {reloaded - began:.2f} s to look at them, "
               f"{took:.2f} s to compute them anew; meanwhile {calls} times "
               f"two calls, the longest {longest * 1000:.1f} ms")
        self.assertGreater(calls, 3)
        return longest, max(UNHURRIED, took * SHARE)

    def test_simulate(self):
        """A week of all of them, and nobody waits for it."""
        self.fill(LOAD)
        for _ in range(LOOKS):
            longest, limit = self.look_at_simulate()
            if longest < limit:
                break
        self.assertLess(longest, limit)

    def look_at_simulate(self):
        simulate = self.client.message("Policy", "Simulate", "xa{sv}u", self.CLOCK + 7 * DAY,
                                       variants({}), 1000)
        began = time.monotonic()
        self.client.post(simulate)
        other, longest, calls = self.service.client(), 0, 0
        answers = []
        collector = threading.Thread(target=lambda: answers.append(self.client.next_answer()))
        collector.start()
        while collector.is_alive():
            before = time.monotonic()
            other.status()
            longest = max(longest, time.monotonic() - before)
            calls += 1
        collector.join()
        took = time.monotonic() - began
        figure(f"simulate a week of {LOAD} tickets: {took:.2f} s, meanwhile "
               f"{calls} calls, the longest {longest * 1000:.1f} ms")
        self.assertEqual([answer for _, answer in answers if isinstance(answer, BusError)], [])
        return longest, max(UNHURRIED, took * SHARE)

    def test_killed_in_the_middle(self):
        """The walk goes on where it can at the next start; all is computed in the end."""
        self.fill(3000)
        for kills in range(3):
            self.service.configure(changed(("resolve: 16h", f"resolve: 16h{kills + 1}m")))
            self.client.call("Policy", "Reload")
            self.service.kill()
            self.service.start(self.CLOCK)
        wait_for(lambda: self.policies()[0].get("recomputed_at"), "the end of the walk")
        rows = self.client.list_all("Tickets")
        self.assertEqual(len(rows), 3000)
        resolve = {clock["deadline"] for row in rows[::100]
                   for clock in self.client.get(row["id"])["clocks"] if clock["clock"] == "resolve"}
        # what is over at 17:00 goes on in the morning
        self.assertEqual({shown(deadline) for deadline in resolve}, {"2026-03-04 09:03"})


class Simulate(FreshServiceTest):
    def simulate(self, until, limit=10000, client=None, **filters):
        return (client or self.client).call("Policy", "Simulate", "xa{sv}u", at(until),
                                            variants(filters), limit)

    def company(self):
        """Tickets in all states, with promises, appointments, waiting ones, several ladders."""
        tickets = []
        for i in range(150):
            fields = [{}, {"priority": "urgent"}, {"type": "technical_question"},
                      {"type": "repair", "promised_at": self.CLOCK + DAY + i * HOUR}][i % 4]
            tickets.append(self.ticket(**fields))
            if i % 3 == 1:
                self.client.move("Dispatch", tickets[-1], dealer="BJ-1")
            if i % 9 == 1:
                self.client.move("Accept", tickets[-1], appointment=self.CLOCK + i * HOUR)
            if i % 5 == 2:
                self.client.move("WaitCustomer", tickets[-1], wait_reason="不在")
        return tickets

    @needs_root
    def test_one_user_has_one(self):
        """There are two places, and one user does not hold both."""
        question = self.client.message("Policy", "Simulate", "xa{sv}u", at("2026-03-06 12:00"), {}, 10)
        other = self.service.client("games")
        for _ in range(2):
            self.client.post(question)
        other.post(question)
        answers = [client.next_answer()[1] for client in (self.client, self.client, other)]
        self.assert_error(answers[0], "TryAgain", "of yours")
        self.assertIsInstance(answers[1], list)
        self.assertIsInstance(answers[2], list)

    def test_what_is_foreseen_happens(self):
        """The very escalations, and the look leaves no trace."""
        self.company()
        self.until("2026-03-02 12:00")
        sequence = self.client.status()["sequence"]
        store = self.service.state / "state.mdb"
        # The daemon itself writes no more once the last checkpoint is made.
        wait_for(lambda: time.time() - store.stat().st_mtime > 1.5, "the last checkpoint")
        stored = store.read_bytes()
        rows, totals, events = self.simulate("2026-03-06 12:00")
        self.assertEqual(self.client.status()["sequence"], sequence)
        self.assertTrue(store.read_bytes() == stored)
        self.assertEqual(events, len(rows))
        self.assertEqual(sum(row[cause] for row in totals for cause in ("warning", "rung", "repeat")),
                         events)
        known = {row["id"] for row in self.client.list_all("Escalations")}
        self.until("2026-03-06 12:00")
        happened = sorted((row for row in self.client.list_all("Escalations")
                           if row["id"] not in known), key=lambda row: row["id"])
        names = ("due_at", "fired_at", "case_id", "clock", "cycle", "level", "cause", "role",
                 "recipient", "missed")
        self.assertEqual([[row.get(name) for name in names] for row in rows],
                         [[row.get(name) for name in names] for row in happened])
        self.assertGreater(events, 300)

    def test_bounds(self):
        self.company()
        everything, totals, events = self.simulate("2026-03-04 12:00")
        rows, the_same, counted = self.simulate("2026-03-04 12:00", limit=7)
        self.assertEqual((rows, the_same, counted), (everything[:7], totals, events))
        rows, totals, _ = self.simulate("2026-03-04 12:00", recipient="BJ-1")
        self.assertEqual({row["recipient"] for row in rows}, {"BJ-1"})
        self.assertEqual([row["recipient"] for row in totals], ["BJ-1"])
        self.assertEqual(self.simulate("2026-03-04 12:00", subcentre="SH")[2], 0)
        for until, limit, words in (("2026-03-01 12:00", 1, "past"), ("2026-03-04 12:00", 10001,
                                                                      "at most 10000")):
            with self.refused("InvalidValue", words):
                self.simulate(until, limit=limit)
        with self.refused("UnknownField", "phone"):
            self.simulate("2026-03-04 12:00", phone="000-1")

    @unittest.skipUnless(os.geteuid() == 0, "other users' connections need root")
    def test_scope(self):
        self.company()
        self.assertEqual(self.simulate("2026-03-04 12:00", client=self.service.client("man"))[2], 0)
        events = self.simulate("2026-03-04 12:00", client=self.service.client("games"))[2]
        self.assertEqual(events, self.simulate("2026-03-04 12:00")[2])
        dealer = self.simulate("2026-03-04 12:00", client=self.service.client("mail"))[2]
        self.assertEqual(dealer, self.simulate("2026-03-04 12:00", dealer="BJ-1")[2])
        self.assertTrue(0 < dealer < events)
        with self.refused("OutOfScope", "BJ"):
            self.simulate("2026-03-04 12:00", client=self.service.client("man"), subcentre="BJ")

    def test_not_in_force(self):
        """By the policy in force, and no other."""
        self.service.configure(changed(LONGER))
        with self.refused("RuleViolated", "reload"):
            self.simulate("2026-03-04 12:00")


if __name__ == "__main__":
    unittest.main()
