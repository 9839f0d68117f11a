# SPDX-License-Identifier: Apache-2.0
"""The installed service under a real systemd and on its system bus."""

import csv
import io
import json
import os
import re
import signal
import unittest

import guest
from guest import Guest, make, own_mounts, wait_for

UNIT = "aftersalesd.service"
TIMER = "aftersalesd-backup.timer"
DROP_IN = "/run/systemd/system/aftersalesd.service.d/test.conf"
KILLS = int(os.environ.get("KILLS", "7"))
CONFIG = "/etc/aftersalesd/aftersalesd.yaml"
OBJECT = ("org.aftersales1", "/org/aftersales1")
COMPANY = (
    "unit new code=HQ name=总部 kind=headquarters",
    "unit new code=BJ name=北京 kind=subcentre parent=HQ regions=11",
    "unit new code=BJ-1 name=朝阳 kind=dealer parent=BJ regions=110105",
)


def setUpModule():
    own_mounts()


def install(machine, *variables):
    """As an administrator does, with two people who may use it."""
    make("install", f"DESTDIR={machine.root}", *variables)


def prepare(machine):
    machine.run("systemd-sysusers")
    machine.run("useradd", "--no-create-home", "-G", "aftersales,aftersales-info", "clerk")
    machine.run("useradd", "--no-create-home", "-G", "aftersales,aftersales-admin", "admin")
    machine.run("systemctl", "daemon-reload")
    machine.run("systemctl", "start", "dbus.service")


class GuestTest(unittest.TestCase):
    VARIABLES = ()

    @classmethod
    def setUpClass(cls):
        cls.machine = Guest()
        cls.addClassCleanup(cls.machine.close)
        install(cls.machine, *cls.VARIABLES)
        cls.machine.boot()
        prepare(cls.machine)

    def run_in(self, *command, **options):
        return self.machine.run(*command, **options)

    def say(self, *command, **options):
        return self.machine.say(*command, **options)

    def ctl(self, words, **options):
        return self.say("aftersalesctl", *words.split(), **options)

    def pid(self):
        return int(self.machine.property("MainPID"))

    def send(self, number):
        """A signal to the daemon, by the service manager of the guest."""
        self.run_in("systemctl", "kill", f"--signal={number.name}", "--kill-whom=main", UNIT)

    def await_restart(self, before):
        """Until systemd has started it anew by itself."""
        def is_new():
            return (self.machine.property("ActiveState") == "active" and
                    self.pid() not in (0, before))
        wait_for(is_new, "a new start")
        self.assertGreaterEqual(int(self.machine.property("NRestarts")), 1)

    def await_logged(self, *texts):
        """The journal of this test is written a moment later."""
        def journal_has_all():
            journal = self.machine.journal("-u", UNIT, *self.since)
            return all(text in journal for text in texts)
        wait_for(journal_has_all, f"{texts} in the journal")

    def assert_healthy(self):
        self.assertIn("0 faults", self.ctl("check"))


class Service(GuestTest):
    PROGRAM = "/usr/local/sbin/aftersalesd"

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        for line in COMPANY:
            cls.machine.run("aftersalesctl", *line.split())

    def setUp(self):
        end = self.say("journalctl", "-n", "0", "--show-cursor").partition("-- cursor: ")[2]
        self.since = ("--after-cursor", end) if end else ()
        self.run_in("systemctl", "start", UNIT)

    def restart(self):
        """So that the count of restarts begins anew."""
        self.run_in("systemctl", "restart", UNIT)
        self.assertEqual(self.machine.property("NRestarts"), "0")

    def drop_in(self, *lines):
        path = self.machine.path(DROP_IN)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join(("[Service]", *lines)) + "\n")

        def forget():
            path.unlink()
            self.run_in("systemctl", "daemon-reload")
            self.restart()
        self.addCleanup(forget)
        self.run_in("systemctl", "daemon-reload")

    def configure(self, text):
        """With another configuration until the end of the test."""
        path = self.machine.path(CONFIG)
        before = path.read_text("utf-8")

        def forget():
            path.write_text(before, "utf-8")
            self.run_in("systemctl", "reset-failed", UNIT, check=False)
            self.restart()
        self.addCleanup(forget)
        path.write_text(text, "utf-8")

    # -- what it is --

    # Tenths of points of systemd-analyze; the backup is a client that is root, without any
    # capability.
    EXPOSURE = {UNIT: 4, "aftersalesd-backup.service": 5}

    def test_units_are_sound(self):
        units = sorted(path.name for path in
                       self.machine.path("/usr/lib/systemd/system").glob("aftersalesd*"))
        self.assertIn(UNIT, units)
        for unit in units:
            with self.subTest(unit=unit):
                self.assertEqual(self.say("systemd-analyze", "verify", "--man=no",
                                          "--recursive-errors=no", unit), "")
                if unit in self.EXPOSURE:
                    self.run_in("systemd-analyze", "security", "--offline=true",
                                f"--threshold={self.EXPOSURE[unit]}", "--no-pager",
                                f"/usr/lib/systemd/system/{unit}")

    def test_it_is_confined(self):
        status = self.machine.path(f"/proc/{self.pid()}/status").read_text()
        values = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
        self.assertEqual(int(values["CapEff"], 16), 0)
        self.assertEqual(int(values["CapBnd"], 16), 0)
        self.assertEqual(values["Seccomp"], "2")
        self.assertEqual(values["NoNewPrivs"], "1")
        self.assertEqual(self.say("id", "-un", str(values["Uid"].split()[0])), "aftersalesd")
        for path in ("/var/lib/aftersalesd", "/var/lib/aftersalesd/backup"):
            self.assertEqual(self.say("stat", "-c", "%U %a", path), "aftersalesd 700")
        self.assertEqual(self.say("stat", "-c", "%U %a", "/var/lib/aftersalesd/state.mdb"),
                         "aftersalesd 600")

    def test_it_is_bounded(self):
        told = dict(line.split("=", 1) for line in self.say(
            "systemctl", "show", UNIT, "-p", "MemoryMax,LimitNOFILE,TasksMax").splitlines())
        self.assertEqual((told["LimitNOFILE"], told["TasksMax"]), ("4096", "64"))
        self.assertNotEqual(told["MemoryMax"], "infinity")

    def test_time_source_is_asked(self):
        """Confined, it does not hear from the kernel whether the clock is right; timedated may."""
        self.drop_in("ExecStart=", f"ExecStart={self.PROGRAM} --clock=manual")
        self.restart()
        self.run_in("systemctl", "stop", "systemd-timedated.service")
        clock = ("busctl", "--system", "call", *OBJECT, "org.aftersales1.Clock")
        self.run_in(*clock, "SetSynchronised", "b", "false")
        now = int(self.say(*clock, "Get").split()[1])
        self.run_in(*clock, "Jump", "x", str(now + 40 * 86400 * 1_000_000))
        self.assertIn("clock-suspect", self.ctl("status"))
        wait_for(lambda: self.machine.property("ActiveState", "systemd-timedated.service") ==
                 "active", "a question to timedated")

    def test_status_line(self):
        reference = self.ctl("ticket new type=consultation region=110105", user="clerk")
        self.assertTrue(reference)
        wait_for(lambda: re.fullmatch(r"[1-9]\d* open, 0 overdue, policy \d+ \([0-9a-f]{8}\)",
                                      self.machine.property("StatusText")), "a status line")

    # -- files in and out --

    def test_files_that_only_the_caller_can_reach(self):
        """They are opened by the client; the daemon, that sees neither homes nor /tmp, gets them
        open. Rows, rejects, a dry run, a pipe, both forms."""
        home = "/home/clerk-files"
        self.run_in("install", "-d", "-m", "700", "-o", "clerk", home)
        written = "reference,type,region,description\nF-1,consultation,110105,噪音\n" \
                  "F-2,consultation,1,坏\nF-3,complaint,110105,\"两行\n文字\"\n"
        self.run_in("tee", f"{home}/in.csv", user="clerk", text=written)
        self.assertEqual(self.say("runuser", "-u", "aftersalesd", "--", "cat", f"{home}/in.csv",
                                  check=False), f"cat: {home}/in.csv: Permission denied")
        for dry in ("--dry-run", ""):
            done = self.run_in("aftersalesctl", "import", "ticket", f"{home}/in.csv",
                               f"--rejects={home}/rejects.csv", *dry.split(), user="clerk",
                               check=False)
            self.assertEqual(done.returncode, os.EX_DATAERR, done.stdout)
            self.assertIn("region", done.stdout)
            self.assertEqual(len(self.exported("reference=F-1")), 0 if dry else 1)
        self.assertIn("F-2,", self.machine.path(f"{home}/rejects.csv").read_text("utf-8"))
        self.ctl(f"export ticket reference=F-3 --format=json --output={home}/out.jsonl",
                 user="clerk")
        row = json.loads(self.machine.path(f"{home}/out.jsonl").read_text("utf-8"))
        self.assertEqual((row["reference"], row["description"]), ("F-3", "两行\n文字"))
        self.assertEqual(self.say("stat", "-c", "%U", f"{home}/out.jsonl"), "clerk")
        done = self.run_in("sh", "-c", "aftersalesctl export ticket reference=F-1 | cat",
                           user="clerk")
        self.assertEqual([row["description"] for row in csv.DictReader(io.StringIO(done.stdout))],
                         ["噪音"])
        done = self.run_in("aftersalesctl", "import", "ticket", "-", user="clerk",
                           text="reference,type,region\nF-4,consultation,110105\n")
        self.assertIn("1 rows: 1 created", done.stdout)
        self.assert_healthy()

    def exported(self, *filters):
        text = self.say("aftersalesctl", "export", "ticket", *filters, user="clerk")
        return list(csv.DictReader(io.StringIO(text)))

    # -- who may --

    def test_group_may_and_nobody_may_not(self):
        self.assertRegex(self.ctl("ticket new type=consultation region=110105", user="clerk"),
                         r"T\d+")
        call = ("busctl", "--system", "call", *OBJECT, "org.aftersales1.Manager", "Status")
        self.assertIn("a{sv}", self.say(*call, user="clerk"))
        refused = self.run_in(*call, user="nobody", check=False)
        self.assertNotEqual(refused.returncode, 0)
        self.assertIn("Access denied", refused.stdout)
        for command in ("status", "ticket list"):
            done = self.run_in("aftersalesctl", *command.split(), user="nobody", check=False)
            self.assertEqual(done.returncode, 77, done.stdout)
            self.assertIn("group aftersales", done.stdout)
        for asked in (("Peer", "Ping"), ("Introspectable", "Introspect")):
            call = ("busctl", "--system", "call", *OBJECT, f"org.freedesktop.DBus.{asked[0]}", asked[1])
            self.run_in(*call, user="clerk")
            refused = self.run_in(*call, user="nobody", check=False)
            self.assertIn("Access denied", refused.stdout)

    def test_past_the_bus(self):
        """On the daemon's own socket everybody is who they are there, too, whatever confines it."""
        call = ("busctl", "--address=unix:path=/run/aftersalesd/bus", "call", *OBJECT,
                "org.aftersales1.Manager", "Status")
        for user in (None, "clerk"):
            self.assertIn("a{sv}", self.say(*call, user=user))
        refused = self.run_in(*call, user="nobody", check=False)
        self.assertIn("your role (none)", refused.stdout)
        # The clerk is the clerk, and not root.
        refused = self.run_in(*call[:-2], "org.aftersales1.Manager", "Check", user="clerk",
                              check=False)
        self.assertIn("does not have the permission admin.check", refused.stdout)

    def test_name_is_not_to_be_had(self):
        for user in ("nobody", "clerk", None):
            with self.subTest(user=user):
                self.assertEqual(self.say(*self.machine.inside("own"), user=user),
                                 "org.freedesktop.DBus.Error.AccessDenied")

    def listen(self, listeners, act):
        """Whoever listens and how, while something is done: each hears so many signals."""
        running = {key: self.machine.launch(*self.machine.inside(key[1]), user=key[0])
                   for key in listeners}
        for process in running.values():
            self.assertEqual(process.stdout.readline(), "ready\n")
        act()
        for key, n in listeners.items():
            with self.subTest(listener=key):
                output, _ = running[key].communicate(timeout=guest.TIME_LIMIT)
                self.assertEqual(output.split(), ["Changed"] * n)

    def test_eavesdropping(self):
        """Whoever may not call hears nothing, whatever they listen for; whoever may hears what they
        subscribed to, and nothing else."""
        def act():
            for _ in range(3):
                self.ctl("ticket new type=consultation region=110105", user="clerk")
            self.ctl("status", user="clerk")  # answered behind those signals
        self.listen({("nobody", "listen"): 0, ("clerk", "listen"): 0, ("clerk", "subscribe"): 3},
                    act)

    def test_broadcasts_are_not_for_everybody(self):
        """On the day on which the service broadcasts by mistake, the bus still holds."""
        self.run_in("systemctl", "stop", UNIT)
        self.listen({("nobody", "listen"): 0, ("clerk", "listen"): 3, (None, "listen"): 3},
                    lambda: self.assertEqual(self.say(*self.machine.inside("broadcast"),
                                                      user="aftersalesd"), "1"))

    def test_log_level(self):
        level = ("systemctl", "service-log-level", UNIT)
        self.assertEqual(self.say(*level), "info")
        self.run_in(*level, "debug")
        self.addCleanup(self.run_in, *level, "info")
        self.assertEqual(self.say(*level), "debug")
        self.ctl("ticket list", user="clerk")
        uid = self.say("id", "-u", "clerk")
        self.await_logged(
            f"uid:{uid} (information_centre) calls org.aftersales1.Tickets.List: done")
        refused = self.run_in("busctl", "--system", "set-property", "org.aftersales1",
                              "/org/freedesktop/LogControl1", "org.freedesktop.LogControl1",
                              "LogLevel", "s", "err", user="clerk", check=False)
        self.assertNotEqual(refused.returncode, 0)
        self.assertIn("admin.log", refused.stdout)

    # -- starting, failing, ending --

    def test_activation(self):
        self.run_in("systemctl", "stop", UNIT)
        self.assertEqual(self.machine.property("ActiveState"), "inactive")
        self.ctl("status", user="clerk")
        self.assertEqual(self.machine.property("ActiveState"), "active")

    def test_no_call_fails_during_a_restart(self):
        callers = [self.machine.launch("aftersalesctl", "status", user="clerk")
                   for _ in range(8)]
        self.run_in("systemctl", "restart", UNIT)
        callers += [self.machine.launch("aftersalesctl", "status", user="clerk")
                    for _ in range(8)]
        for process in callers:
            output, _ = process.communicate(timeout=guest.TIME_LIMIT)
            self.assertEqual(process.returncode, 0, output)

    def test_killed(self):
        self.restart()
        ticket = self.ctl("ticket new type=consultation region=110105", user="clerk")
        before = self.pid()
        self.send(signal.SIGKILL)
        # The first call after it waits for the new start instead of failing.
        self.assertIn("received", self.ctl(f"ticket show {re.search('T[0-9]+', ticket)[0]}",
                                           user="clerk"))
        self.await_restart(before)
        self.assert_healthy()

    def test_killed_again_and_again(self):
        """It is never given up, and what was acknowledged is there each time."""
        self.restart()
        for n in range(KILLS):
            before = self.pid()
            ticket = self.ctl("ticket new type=consultation region=110105", user="clerk")
            self.send(signal.SIGKILL)
            self.await_restart(before)
            self.assertIn("received", self.ctl(f"ticket show {re.search('T[0-9]+', ticket)[0]}",
                                               user="clerk"), n)
        self.assertEqual(self.machine.property("NRestarts"), str(KILLS))
        print(f"figure: {KILLS} kills under the unit, 0 lost")

    def test_hanging(self):
        """The watchdog ends what does not turn any more, and systemd starts it anew."""
        self.drop_in("WatchdogSec=5s")  # in which a daemon that turns pings, however busy the disk is
        self.restart()
        self.ctl("ticket new type=consultation region=110105 reference=HANG-1", user="clerk")
        before = self.pid()
        self.send(signal.SIGSTOP)
        self.await_restart(before)
        self.await_logged("Watchdog timeout (limit 5s)!", "status=6/ABRT")
        self.assertRegex(self.ctl("ticket list reference=HANG-1", user="clerk"), r"\bT\d+\b")
        self.assert_healthy()

    def test_bus_restarted(self):
        """It ends with its connection, and a new start has a new one."""
        self.restart()
        before = self.pid()
        self.run_in("systemctl", "restart", "dbus.service")
        self.await_restart(before)
        self.await_logged("the connection to the bus is lost")
        self.ctl("status", user="clerk")

    def policy(self):
        return re.search(r"\bpolicy: (\S+)", self.ctl("status"))[1]

    def test_reloaded(self):
        """The new policy, the same process."""
        self.restart()
        pid, policy = self.pid(), self.policy()
        good = self.machine.path(CONFIG).read_text("utf-8")
        self.configure(good.replace("repeat_within: 30d", "repeat_within: 31d"))
        self.run_in("systemctl", "reload", UNIT)
        self.assertEqual(self.pid(), pid)
        self.assertNotEqual(self.policy(), policy)
        self.ctl("ticket new type=consultation region=110105", user="clerk")

    def test_hangup_reloads(self):
        self.restart()
        pid, policy = self.pid(), self.policy()
        good = self.machine.path(CONFIG).read_text("utf-8")
        self.configure(good.replace("repeat_within: 30d", "repeat_within: 32d"))
        self.send(signal.SIGHUP)
        wait_for(lambda: self.policy() != policy, "another policy")
        self.assertEqual((self.pid(), self.machine.property("ActiveState")), (pid, "active"))

    def test_reload_refused(self):
        """systemctl fails, the reason is to be seen, and the old policy stays."""
        self.restart()
        pid, policy = self.pid(), self.policy()
        good = self.machine.path(CONFIG).read_text("utf-8")
        self.configure(good + "\nzoen: Asia/Shanghai\n")
        done = self.run_in("systemctl", "reload", UNIT, check=False)
        self.assertNotEqual(done.returncode, 0)
        place = f"{CONFIG}:{good.count(chr(10)) + 2}:1"
        wait_for(lambda: place in self.run_in("systemctl", "status", UNIT, check=False).stdout,
                 f"{place} in the status")
        self.assertEqual(self.machine.property("ActiveState"), "active")
        self.assertEqual((self.pid(), self.policy()), (pid, policy))
        self.ctl("ticket new type=consultation region=110105", user="clerk")

    def test_wrong_configuration(self):
        """It is refused with the place of the mistake and not tried again."""
        good = self.machine.path(CONFIG).read_text("utf-8")
        self.configure(good + "\nzoen: Asia/Shanghai\n")
        done = self.run_in("systemctl", "restart", UNIT, check=False)
        self.assertNotEqual(done.returncode, 0)
        self.assertEqual(self.machine.property("ExecMainStatus"), "78")
        self.assertEqual(self.machine.property("ActiveState"), "failed")
        self.assertEqual(self.machine.property("NRestarts"), "0")
        line = good.count("\n") + 2
        self.await_logged(f"{CONFIG}:{line}:1")

    def test_stopped_under_load(self):
        """Whatever was acknowledged is there afterwards."""
        clients = [self.machine.launch(*self.machine.inside("load", f"LOAD{i}", "2"), user="clerk")
                   for i in range(2)]
        first = [process.stdout.readline().strip() for process in clients]
        self.assertTrue(all(first), first)
        # The next call starts it again, and would overtake an ordinary stop.
        self.run_in("systemctl", "stop", "--job-mode=replace-irreversibly", UNIT)
        acknowledged = set(first)
        for process in clients:
            output, _ = process.communicate(timeout=guest.TIME_LIMIT)
            self.assertEqual(process.returncode, 0, output)
            acknowledged |= set(output.split())
        self.await_logged("aftersalesd.service: Deactivated successfully.")
        self.assertGreater(len(acknowledged), 50)
        found = set(re.findall(r"LOAD\d-\d+", self.ctl("ticket list --limit=1000000 --json=short", user="clerk")))
        lost = acknowledged - found
        self.assertFalse(lost, f"{len(lost)} of {len(acknowledged)} are lost")
        self.assert_healthy()

    def test_enabled(self):
        """With the service its timer."""
        self.run_in("systemctl", "enable", UNIT)
        self.addCleanup(self.run_in, "systemctl", "disable", "--now", UNIT, TIMER)
        self.assertEqual(self.say("systemctl", "is-enabled", UNIT), "enabled")
        self.assertEqual(self.say("systemctl", "is-enabled", TIMER), "enabled")
        self.run_in("systemctl", "start", TIMER)
        self.assertRegex(self.say("systemctl", "list-timers"),
                         r"aftersalesd-backup\.timer +aftersalesd-backup\.service")

    def test_backup(self):
        self.run_in("systemctl", "start", "aftersalesd-backup.service")
        files = self.say("find", "/var/lib/aftersalesd/backup", "-type", "f", "-size", "+0",
                         "-printf", "%u %m %p\\n").splitlines()
        self.assertTrue(files)
        for line in files:
            self.assertRegex(line, r"^aftersalesd 600 ")


class Removal(GuestTest):
    VARIABLES = ("prefix=/usr",)

    def test_removed(self):
        """The programs and units are gone; configuration and state are not."""
        self.run_in("systemctl", "enable", "--now", UNIT)
        self.assertEqual(self.say("realpath", self.machine.property("FragmentPath")),
                         f"/usr/lib/systemd/system/{UNIT}")
        self.assertIn("/usr/sbin/aftersalesd", self.machine.property("ExecStart"))
        self.assertIn("HQ", self.ctl(COMPANY[0]) + self.ctl("unit list"))
        self.run_in("systemctl", "disable", "--now", UNIT)
        make("uninstall", f"DESTDIR={self.machine.root}", *self.VARIABLES)
        self.run_in("systemctl", "daemon-reload")
        self.run_in("systemctl", "reload", "dbus.service")
        self.assertEqual(self.machine.property("LoadState"), "not-found")
        left = self.say("find", "/etc", "/usr/lib/systemd", "/usr/lib/sysusers.d", "/usr/share",
                        "/usr/sbin", "/usr/bin", "-xdev", "-name", "*aftersales*", "-not", "-path",
                        "/usr/share/doc/*")
        self.assertEqual(left, "/etc/aftersalesd\n/etc/aftersalesd/aftersalesd.yaml")
        self.run_in("test", "-s", "/var/lib/aftersalesd/state.mdb")
        gone = self.run_in("busctl", "--system", "call", *OBJECT, "org.freedesktop.DBus.Peer",
                           "Ping", check=False)
        self.assertIn("not provided by any .service files", gone.stdout)


if __name__ == "__main__":
    unittest.main()
