# SPDX-License-Identifier: Apache-2.0
"""The real daemon on a private bus, seen from outside.

A Service is a bus of its own (BUS names its program: dbus-daemon, or dbus-broker), aftersalesd with a manual clock and a store in a temporary
directory. Clients speak over jeepney, each under the uid it was opened with. Every wait has a limit
on CLOCK_MONOTONIC; only children that were started here are ended, by their pid. BUILD names the
build directory (default build/release).

Tests of other folders use it, too: tests/faults, tests/model.
"""

import collections
import contextlib
import datetime
import functools
import grp
import os
import pathlib
import pwd
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import unittest

import jeepney
import jeepney.io.blocking

import broker

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = ROOT / os.environ.get("BUILD", "build/release")
DAEMON = BUILD / "aftersalesd"
POLICY = pathlib.Path(__file__).with_name("policy.yaml")
BUS_NAME = "org.aftersales1"
PATH = "/org/aftersales1"
ERROR_PREFIX = BUS_NAME + ".Error."

TIME_LIMIT = 30  # seconds that anything may take
IN_FLIGHT = 64  # calls that wait for an answer; a bus allows 128
BUS = os.environ.get("BUS", "dbus-daemon")
DIRECT = bool(os.environ.get("DIRECT"))  # whether clients connect past the bus
USEC = 1_000_000
HOUR = 3600 * USEC
DAY = 24 * HOUR

SHANGHAI = datetime.timezone(datetime.timedelta(hours=8))
EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)

BUS_CONFIG = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
  "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>system</type>
  <listen>unix:path={socket}</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow user="*"/>
    <deny own="*"/>
    <deny send_type="method_call"/>
    <allow send_type="signal"/>
    <allow send_requested_reply="true" send_type="method_return"/>
    <allow send_requested_reply="true" send_type="error"/>
    <allow receive_type="method_call"/>
    <allow receive_type="method_return"/>
    <allow receive_type="error"/>
    <allow receive_type="signal"/>
    <allow send_destination="org.freedesktop.DBus"/>
    <allow send_destination="org.aftersales1"/>
    <allow send_destination="org.freedesktop.timedate1"/>
  </policy>
  <policy user="{uid}">
    <allow own="org.aftersales1"/>
    <allow own="org.freedesktop.timedate1"/>
  </policy>
  <limit name="max_replies_per_connection">128</limit>
</busconfig>
"""


# ---- values ----


def at(text):
    """Microseconds of a local time in Shanghai, like "2026-03-02 09:00[:00[.000001]]"."""
    local = datetime.datetime.fromisoformat(text).replace(tzinfo=SHANGHAI)
    return (local - EPOCH) // datetime.timedelta(microseconds=1)


def shown(usec):
    """The other way round, for messages of failed assertions."""
    if not usec:
        return None
    text = (EPOCH + datetime.timedelta(microseconds=usec)).astimezone(SHANGHAI).isoformat(" ")
    return text.removesuffix("+08:00").removesuffix(":00")


def iso(usec):
    """As --clock=manual= wants it."""
    return (EPOCH + datetime.timedelta(microseconds=usec)).strftime("%Y-%m-%dT%H:%M:%SZ")


def variant(value):
    """A Python value as what the daemon's fields take; a pair is a signature and a value."""
    if isinstance(value, tuple):
        return value
    if isinstance(value, bool):
        return "b", value
    if isinstance(value, int):
        return "x", value
    return "s", value


def variants(values):
    """A dictionary, or a list of pairs where a key is to come twice, as an a{sv}."""
    if isinstance(values, dict):
        return {key: variant(value) for key, value in values.items()}
    return [(key, variant(value)) for key, value in values]


def plain(value):
    """Without the signatures of variants."""
    if isinstance(value, tuple):
        return plain(value[1])
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    return value


class BusError(Exception):
    """An error reply. The name is short for those of the daemon."""

    def __init__(self, name, text):
        super().__init__(f"{name}: {text}")
        self.name = name.removeprefix(ERROR_PREFIX)
        self.text = text


class Ended(AssertionError):
    """The daemon has ended when it was to serve."""


Signal = collections.namedtuple("Signal", "member values")


# ---- clients ----


def am_root():
    return os.geteuid() == 0


needs_root = unittest.skipUnless(am_root(), "other users can only be taken on by root")


def of_the_bus(test):
    """Is no test for clients who connect past the bus."""
    return None if DIRECT else test


@contextlib.contextmanager
def taken_on(user, groups):
    """This process is somebody else for so long; a connection keeps who it was made by."""
    if user is None:
        yield
        return
    entry = pwd.getpwnam(user)
    before = os.getgroups()
    os.setgroups([grp.getgrnam(name).gr_gid for name in groups])
    os.setresgid(entry.pw_gid, entry.pw_gid, 0)
    os.setresuid(entry.pw_uid, entry.pw_uid, 0)
    try:
        yield
    finally:
        os.setresuid(0, 0, 0)
        os.setresgid(0, 0, 0)
        os.setgroups(before)


class Client:
    """A connection to the bus. Interfaces are named without "org.aftersales1."."""

    def __init__(self, address, user=None, groups=()):
        self.address, self.user, self.groups = address, user, groups
        self.received = []
        self.connect()

    def connect(self):
        with taken_on(self.user, self.groups):
            self.connection = jeepney.io.blocking.open_dbus_connection(
                self.address, enable_fds=True, auth_timeout=10)
        self.name = self.connection.unique_name

    def close(self):
        self.connection.close()

    @staticmethod
    def message(interface, member, signature=None, *arguments):
        if "." not in interface:
            interface = f"{BUS_NAME}.{interface}"
        address = jeepney.DBusAddress(PATH, BUS_NAME, interface)
        return jeepney.new_method_call(address, member, signature, arguments)

    def receive(self, deadline):
        left = max(deadline - time.monotonic(), 0)
        try:
            return self.connection.receive(timeout=left)
        except TimeoutError:
            raise AssertionError(f"no answer within {TIME_LIMIT} s") from None

    def take(self, message):
        """Keeps a signal; the serial that another message answers."""
        fields = message.header.fields
        if message.header.message_type == jeepney.MessageType.signal:
            if fields.get(jeepney.HeaderFields.interface, "").startswith(BUS_NAME):
                member = fields[jeepney.HeaderFields.member]
                self.received.append(Signal(member, plain(list(message.body))))
            return None
        return fields.get(jeepney.HeaderFields.reply_serial)

    @staticmethod
    def answer(message):
        if message.header.message_type == jeepney.MessageType.error:
            name = message.header.fields[jeepney.HeaderFields.error_name]
            return BusError(name, message.body[0] if message.body else "")
        values = [plain(value) if isinstance(value, (list, dict)) else value
                  for value in message.body]
        return values[0] if len(values) == 1 else values

    def calls(self, messages, in_flight=IN_FLIGHT):
        """Sends them one behind the other without waiting for each; the answers in that order.
        Errors are among them."""
        answers = [None] * len(messages)
        waiting = {}
        deadline = time.monotonic() + TIME_LIMIT
        for i, message in enumerate(messages):
            while len(waiting) >= in_flight:
                self.settle(waiting, answers, deadline)
            serial = next(self.connection.outgoing_serial)
            self.connection.send(message, serial=serial)
            waiting[serial] = i
            deadline = time.monotonic() + TIME_LIMIT
        while waiting:
            self.settle(waiting, answers, deadline)
        return answers

    def settle(self, waiting, answers, deadline):
        message = self.receive(deadline)
        serial = self.take(message)
        if serial in waiting:
            answers[waiting.pop(serial)] = self.answer(message)

    def call(self, interface, member, signature=None, *arguments):
        """The value that is answered, or a list of them; raises BusError."""
        answer = self.calls([self.message(interface, member, signature, *arguments)])[0]
        if isinstance(answer, BusError):
            raise answer
        return answer

    def post(self, message):
        """Sends and does not wait; the serial that the answer will name."""
        serial = next(self.connection.outgoing_serial)
        self.connection.send(message, serial=serial)
        return serial

    def next_answer(self):
        """(serial, answer) of whatever is answered next, for those who post many; errors are
        answers."""
        deadline = time.monotonic() + TIME_LIMIT
        while True:
            message = self.receive(deadline)
            serial = self.take(message)
            if serial is not None:
                return serial, self.answer(message)

    def signals(self):
        """What has been signalled until now: whatever was sent before the answer to a ping."""
        self.call("org.freedesktop.DBus.Peer", "Ping")
        received, self.received = self.received, []
        return received

    # -- what the daemon offers --

    def create(self, **fields):
        """A ticket; its number."""
        number, created = self.call("Tickets", "Create", "a{sv}", variants(fields))
        assert created
        return number

    def move(self, member, ticket, **fields):
        return self.call("Tickets", member, "ta{sv}", ticket, variants(fields))

    def get(self, ticket):
        return self.call("Tickets", "Get", "t", ticket)

    def history(self, ticket):
        return self.call("Tickets", "History", "t", ticket)

    def explain(self, ticket):
        rows, cursor = self.call("Tickets", "ExplainPage", "tsu", ticket, "", 1000)
        while cursor:
            more, cursor = self.call("Tickets", "ExplainPage", "tsu", ticket, cursor, 1000)
            rows += more
        return rows

    def list_page(self, interface, filters=None, cursor="", limit=1000):
        return self.call(interface, "List", "a{sv}su", variants(filters or {}), cursor, limit)

    def list_all(self, interface, filters=None, limit=1000):
        rows, cursor = self.list_page(interface, filters, "", limit)
        while cursor:
            page, cursor = self.list_page(interface, filters, cursor, limit)
            rows += page
        return rows

    def status(self):
        return self.call("Manager", "Status")

    def now(self):
        return self.call("Clock", "Get")

    def advance(self, until):
        return self.call("Clock", "Advance", "x", until)

    def jump(self, to):
        self.call("Clock", "Jump", "x", to)

    def escalations(self, ticket, everything=True):
        """Those of a ticket, in the order in which they happened."""
        rows = self.list_all("Escalations", {"case_id": ticket, "acknowledged": everything})
        return sorted(rows, key=lambda row: row["id"])


# ---- service ----


def wait_for(condition, what, limit=TIME_LIMIT):
    """Asks again and again until it is so, with a limit."""
    deadline = time.monotonic() + limit
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"{what}: not within {limit} s")
        time.sleep(0.005)


def end_process(process, number):
    """Sends the signal to our own child and waits for its end."""
    if process.poll() is None:
        process.send_signal(number)
    try:
        return process.wait(TIME_LIMIT)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        raise AssertionError(f"pid {process.pid} did not end within {TIME_LIMIT} s") from None


class Service:
    """A bus, a daemon and a store, gone with close()."""

    def __init__(self, clock, policy=None, started=True, bus=BUS):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="aftersales-bus-"))
        self.directory.chmod(0o711)  # others must reach the socket
        self.socket = self.directory / "bus"
        self.address = f"unix:path={self.socket}"
        self.direct = f"unix:path={self.directory}/direct"
        self.state = self.directory / "state"
        self.log_path = self.directory / "log"
        self.config = self.directory / "policy.yaml"
        self.configure(policy or POLICY.read_text("utf-8"))
        self.wrapper = []  # a command that runs the command behind it
        self.bus = self.daemon = None
        self.clients = []
        try:
            self.start_bus(bus)
            if started:
                self.start(clock)
        except BaseException:
            self.close()
            raise

    def configure(self, policy):
        """Writes the policy. Whoever is not root needs a role in it."""
        if not am_root():
            policy += (f"  - {{user: {pwd.getpwuid(os.geteuid()).pw_name}, role: everything, "
                       "scope: headquarters}\n")
        self.config.write_text(policy, "utf-8")

    def start_bus(self, bus=BUS):
        path = self.directory / "bus.conf"
        path.write_text(BUS_CONFIG.format(socket=self.socket, uid=os.geteuid()))
        if bus == "dbus-broker":
            if broker.missing():
                raise unittest.SkipTest(broker.missing())
            command = broker.command(self.directory, self.socket, path)
        else:
            command = ["dbus-daemon", f"--config-file={path}", "--nofork", "--nopidfile"]
        with self.log_path.open("ab") as log:
            self.bus = subprocess.Popen(command, stderr=log, stdin=subprocess.DEVNULL)
        wait_for(lambda: self.can_connect() or self.bus.poll() is not None, bus)
        if self.bus.poll() is not None:
            raise AssertionError(f"{bus} has ended: {self.log_path.read_text()}")
        self.socket.chmod(0o666)

    def can_connect(self):
        with socket.socket(socket.AF_UNIX) as probe:
            try:
                probe.connect(str(self.socket))
            except OSError:
                return False
        return True

    def environment(self):
        environment = {key: value for key, value in os.environ.items()
                       if key not in ("STATE_DIRECTORY", "RUNTIME_DIRECTORY", "NOTIFY_SOCKET",
                                      "WATCHDOG_USEC")}
        return environment | {"DBUS_SYSTEM_BUS_ADDRESS": self.address}

    def command(self, *arguments):
        return [*self.wrapper, DAEMON, "--config", self.config, "--state", self.state, *arguments]

    def launch(self, clock, notify=""):
        """Starts the daemon at that time (microseconds; None: a real clock) and does not wait."""
        clock = "real" if clock is None else f"manual={iso(clock)}"
        with self.log_path.open("ab") as log:
            self.daemon = subprocess.Popen(
                self.command("--foreground", f"--clock={clock}",
                             f"--socket={self.directory}/direct"), stderr=log,
                stdin=subprocess.DEVNULL,
                env=self.environment() | ({"NOTIFY_SOCKET": str(notify)} if notify else {}))

    def start(self, clock):
        """Launches it and waits until it says that it serves."""
        notify = self.directory / "notify"
        notify.unlink(missing_ok=True)
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ready:
            ready.bind(str(notify))
            ready.settimeout(0.05)
            self.launch(clock, notify)
            wait_for(functools.partial(self.is_ready, ready), "aftersalesd")
        for client in self.clients:
            if client.address == self.direct:  # which lasts no longer than the daemon
                client.close()
                client.connect()

    def is_ready(self, ready):
        if self.daemon.poll() is not None:
            raise Ended(f"aftersalesd has ended with {self.daemon.returncode}:\n"
                        f"{self.log_tail()}")
        try:
            return b"READY=1" in ready.recv(4096)
        except TimeoutError:
            return False

    def refuse(self, clock):
        """Launches a daemon that is to refuse: its exit status and what it says."""
        before = self.log_path.stat().st_size
        self.launch(clock)
        status = self.daemon.wait(TIME_LIMIT)
        return status, self.log_path.read_bytes()[before:].decode(errors="replace")

    def stop(self):
        """Asks it to end; all must be well then."""
        status = end_process(self.daemon, signal.SIGTERM)
        if status != 0:
            raise AssertionError(f"aftersalesd has ended with {status}:\n{self.log_tail()}")

    def kill(self):
        end_process(self.daemon, signal.SIGKILL)

    def restart(self, clock, kill=False):
        """Ends the daemon and starts it again at that time; clients stay connected to the bus."""
        if kill:
            self.kill()
        else:
            self.stop()
        self.start(clock)

    def client(self, user=None, groups=(), direct=DIRECT):
        """On the bus, or on the daemon's own socket."""
        client = Client(self.direct if direct else self.address, user, groups)
        self.clients.append(client)
        return client

    def log(self):
        """(priority, text) of each line that the daemon has logged."""
        lines = re.findall(r"^<(\d)>(.*)$", self.log_path.read_text("utf-8"), re.MULTILINE)
        return [(int(priority), text) for priority, text in lines]

    def log_tail(self, size=4000):
        return self.log_path.read_bytes()[-size:].decode(errors="replace")

    def check(self):
        """The faults that --check finds in the store."""
        run = subprocess.run(self.command("--check"), capture_output=True, text=True,
                             errors="replace", timeout=TIME_LIMIT, check=False)
        faults = run.stdout.splitlines()[:-1]  # the last line counts what was walked
        if run.returncode != 0 and not faults:
            return [f"exit status {run.returncode}: {run.stdout}{run.stderr}"]
        return faults

    def close(self):
        for client in self.clients:
            client.close()
        for process in (self.daemon, self.bus):
            if process and process.poll() is None:
                end_process(process, signal.SIGKILL)
        shutil.rmtree(self.directory, ignore_errors=True)


# ---- the company ----

UNITS = (
    {"code": "HQ", "kind": "headquarters", "name": "总部"},
    {"code": "TECH", "kind": "technical", "name": "技术部", "parent": "HQ"},
    {"code": "PARTS", "kind": "parts", "name": "备件部", "parent": "HQ"},
    {"code": "BIZ", "kind": "business", "name": "业务部", "parent": "HQ"},
    {"code": "GEN", "kind": "general", "name": "综合部", "parent": "HQ"},
    {"code": "PRES", "kind": "president", "name": "总裁办", "parent": "HQ"},
    {"code": "BJ", "kind": "subcentre", "name": "北京分中心", "parent": "HQ", "regions": "11 12"},
    {"code": "SH", "kind": "subcentre", "name": "上海分中心", "parent": "HQ", "regions": "31 3205"},
    {"code": "BJ-1", "kind": "dealer", "name": "朝阳一店", "parent": "BJ", "regions": "1101",
     "contact": "王经理 13900000001", "supply": "planned", "head_count": 12},
    {"code": "BJ-2", "kind": "dealer", "name": "海淀店", "parent": "BJ", "regions": "1101 110108",
     "supply": "emergency"},
    {"code": "SH-1", "kind": "dealer", "name": "浦东店", "parent": "SH", "regions": "31"},
    {"code": "SH-2", "kind": "dealer", "name": "徐汇店", "parent": "SH", "regions": "310104"},
)
PRODUCTS = (
    {"code": "AC-1", "name": "壁挂空调", "line": "AC", "origin": "own", "warranty_months": 12},
    {"code": "WM-1", "name": "洗衣机", "line": "WM", "origin": "own", "warranty_months": 1},
    {"code": "MO-1", "name": "微波炉", "line": "MO", "origin": "oem"},
)
SERIALS = (
    {"code": "S-1", "product": "AC-1", "sold_on": "2026-01-15", "sold_by": "BJ-1"},
    {"code": "S-2", "product": "AC-1"},
)
FAULTS = (
    {"code": "AC01", "symptom": "不制冷", "cause": "缺氟", "part": "AC-P01"},
    {"code": "WM01", "symptom": "不脱水", "cause": "皮带断裂"},
)
# A place of BJ that both of its dealers serve alike.
REGION = "110105"


def found_company(client):
    messages = [
        client.message(interface, "Create", "a{sv}", variants(fields))
        for interface, records in (("Units", UNITS), ("Products", PRODUCTS), ("Serials", SERIALS),
                                   ("Faults", FAULTS))
        for fields in records
    ]
    for answer in client.calls(messages):
        if isinstance(answer, BusError):
            raise answer


# ---- tests ----

# What a daemon that is well never logs.
COMPLAINT = re.compile(r"^.*(?:runtime error|Sanitizer|Assertion|failed:|cannot ).*$", re.MULTILINE)


def end_service(service):
    """The daemon must end well, have nothing to complain of and leave a store without a fault."""
    if service.daemon.poll() is None:
        service.stop()
    log = service.log_path.read_text("utf-8")
    if service.daemon.returncode != 0:
        raise AssertionError(f"aftersalesd has ended with {service.daemon.returncode}:\n"
                             f"{service.log_tail()}")
    bad = COMPLAINT.findall(log) + service.check()
    if bad:
        raise AssertionError("\n".join(["faults in store or log:", *bad[:20]]))


class ServiceTest(unittest.TestCase):
    """Tests that share one service with the company in it, a class."""

    CLOCK = at("2026-03-02 09:00")
    POLICY = None
    maxDiff = 4000

    @classmethod
    def setUpClass(cls):
        cls.service = Service(cls.CLOCK, cls.POLICY)
        cls.addClassCleanup(cls.service.close)
        cls.client = cls.service.client()
        found_company(cls.client)

    @classmethod
    def tearDownClass(cls):
        end_service(cls.service)

    @contextlib.contextmanager
    def refused(self, name, *words, unchanged=None):
        """The call in the body is refused with that error, a text that has the words, and nothing
        changed: neither a ticket nor the journal."""
        before = self.client.get(unchanged) if unchanged else None
        journal = self.journal()
        with self.assertRaises(BusError) as caught:
            yield caught
        self.assert_error(caught.exception, name, *words)
        self.assertEqual(self.journal(), journal, "the journal has grown")
        if unchanged:
            self.assertEqual(self.client.get(unchanged), before)

    def journal(self):
        """How far it goes, but for what the daemon adds by itself once every open case has been
        computed by the policy in force: that can be at any moment after a start or a reload."""
        while True:
            before = self.client.status()["sequence"]
            policy = self.client.call("Policy", "List")[0]
            if self.client.status()["sequence"] == before:
                return before - ("recomputed_at" in policy), policy["number"]

    def assert_error(self, error, name, *words):
        self.assertIsInstance(error, BusError)
        self.assertEqual(error.name, name, error.text)
        for word in words:
            self.assertIn(word, error.text)

    def ticket(self, **fields):
        return self.client.create(**({"type": "consultation", "region": REGION} | fields))


class FreshServiceTest(ServiceTest):
    """Tests that move the clock: each has a service of its own."""

    @classmethod
    def setUpClass(cls):
        pass

    @classmethod
    def tearDownClass(cls):
        pass

    def setUp(self):
        self.service = Service(self.CLOCK, self.POLICY)
        self.addCleanup(self.service.close)
        self.client = self.service.client()
        found_company(self.client)

    def tearDown(self):
        end_service(self.service)

    def until(self, text):
        """Lets time pass until that local time."""
        return self.client.advance(at(text))

    def clock(self, ticket, name):
        """One clock of a ticket, or None."""
        clocks = {clock["clock"]: clock for clock in self.client.get(ticket)["clocks"]}
        return clocks.get(name)

    def deadline(self, ticket, name):
        return shown(self.clock(ticket, name).get("deadline"))


def figure(text):
    """A figure for the report; tests/run.py shows such lines."""
    print("figure: " + text, flush=True)
