# SPDX-License-Identifier: Apache-2.0
"""A bus, a daemon and a client for the tests that break things.

The programs are those in $BUILD (build/release unless set).
"""

import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True

from jeepney import DBusAddress, HeaderFields, MessageType, new_method_call
from jeepney.io.blocking import open_dbus_connection

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.abspath(os.environ.get("BUILD", os.path.join(ROOT, "build", "release")))
DAEMON = os.path.join(BUILD, "aftersalesd")
FILL = os.path.join(BUILD, "tests", "fill")
LOAD = os.path.join(BUILD, "tests", "load")

NAME = "org.aftersales1"
PATH = "/org/aftersales1"
ERROR = "org.aftersales1.Error."
SECOND = 1_000_000
EPOCH = 1_767_571_200 * SECOND  # 2026-01-05T00:00:00Z, where manual clocks begin
IN_FLIGHT = 64

BUS_CONFIG = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
  "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>system</type>
  <listen>unix:path={directory}/bus</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow user="*"/>
    <allow own="*"/>
    <allow send_destination="*"/>
    <allow receive_sender="*"/>
  </policy>
</busconfig>
"""

# Round the clock and with short ladders, so that much happens in little time.
POLICY = """
site: {site}
zone: Asia/Shanghai
store: {{map_size: {map_size}}}
ladders:
  short:
    warn_at: 50%
    rungs:
      - {{to: owner, after: 0s}}
      - {{to: subcentre, after: 1h}}
      - {{to: business, after: 1h}}
    repeat: 4h
targets:
  ticket:
    default:
      normal: {{calendar: always, ladder: short, response: 2h, visit: 4h, resolve: 12h,
                followup: 4h, waiting: 8h}}
      urgent: {{calendar: always, ladder: short, response: 1h, visit: 2h, resolve: 6h,
                followup: 2h, waiting: 4h}}
      special: {{calendar: always, ladder: short, response: 1h, visit: 2h, resolve: 6h,
                 followup: 2h, waiting: 4h}}
tickets: {{visit_required: [], assign_dealer: true, followup_attempts: 3, repeat_within: 30d}}
roles:
  tester: [ticket.read, ticket.create, ticket.update, ticket.dispatch, ticket.work,
           ticket.promise, ticket.followup, ticket.decide, ticket.void, ticket.warranty,
           escalation.read, escalation.acknowledge, notification.take, unit.read, unit.write,
           product.read, product.write, serial.read, serial.write, fault.read, fault.write,
           personal.read, act_for, status.read, admin.check, admin.clock]
access:
  - {{user: {user}, role: tester, scope: headquarters}}
"""

UNITS = [
    {"code": "HQ", "name": "headquarters", "kind": "headquarters"},
    {"code": "BIZ", "name": "business", "kind": "business", "parent": "HQ"},
    {"code": "BJ", "name": "Beijing", "kind": "subcentre", "parent": "HQ", "regions": "11"},
    {"code": "SH", "name": "Shanghai", "kind": "subcentre", "parent": "HQ", "regions": "31"},
    {"code": "BJ-1", "name": "dealer", "kind": "dealer", "parent": "BJ", "regions": "1101"},
    {"code": "BJ-2", "name": "dealer", "kind": "dealer", "parent": "BJ", "regions": "1101"},
    {"code": "SH-1", "name": "dealer", "kind": "dealer", "parent": "SH", "regions": "3101"},
]


class CallError(Exception):
    """An error answer; name is that of D-Bus."""

    def __init__(self, name, text):
        super().__init__(f"{name}: {text}")
        self.name = name
        self.text = text


def variant(value):
    if isinstance(value, bool):
        return ("b", value)
    return ("x", value) if isinstance(value, int) else ("s", value)


def plain(value):
    """An answer's dictionaries without their variants."""
    if isinstance(value, tuple):
        return plain(value[1])
    if isinstance(value, list):
        return [plain(v) for v in value]
    return {k: plain(v) for k, v in value.items()} if isinstance(value, dict) else value


def message(interface, member, signature="", body=()):
    """A call; the fields of an a{sv} are plain values."""
    body = tuple({k: variant(v) for k, v in x.items()} if isinstance(x, dict) else x for x in body)
    address = DBusAddress(PATH, bus_name=NAME, interface=f"{NAME}.{interface}")
    return new_method_call(address, member, signature or None, body)


class Client:
    """A connection: call() waits for the answer, send() and receive() do not belong together."""

    def __init__(self, address):
        self.connection = open_dbus_connection(address, auth_timeout=30)

    def close(self):
        self.connection.close()

    def send(self, *arguments):
        serial = next(self.connection.outgoing_serial)
        self.connection.send(message(*arguments), serial=serial)
        return serial

    def receive(self, timeout=30):
        """(serial of the call, its answer or a CallError) of the next answer."""
        while True:
            m = self.connection.receive(timeout=timeout)
            serial = m.header.fields.get(HeaderFields.reply_serial)
            if m.header.message_type == MessageType.error:
                text = m.body[0] if m.body else ""
                return serial, CallError(m.header.fields[HeaderFields.error_name], text)
            if m.header.message_type == MessageType.method_return:
                body = tuple(plain(x) if isinstance(x, (dict, list)) else x for x in m.body)
                return serial, body[0] if len(body) == 1 else body

    def call(self, *arguments, timeout=60):
        wanted = self.send(*arguments)
        while True:
            serial, answer = self.receive(timeout)
            if serial == wanted:
                if isinstance(answer, CallError):
                    raise answer
                return answer

    def has_owner(self):
        bus = DBusAddress("/org/freedesktop/DBus", bus_name="org.freedesktop.DBus",
                          interface="org.freedesktop.DBus")
        m = new_method_call(bus, "NameHasOwner", "s", (NAME,))
        return self.connection.send_and_get_reply(m, timeout=10).body[0]

    # What most tests do.

    def status(self):
        return self.call("Manager", "Status")

    def get(self, id):
        return self.call("Tickets", "Get", "t", (id,))

    def create(self, **fields):
        fields = {"type": "repair", "region": "110105"} | fields
        return self.call("Tickets", "Create", "a{sv}", (fields,))[0]

    def move(self, id, method, **fields):
        return self.call("Tickets", method, "ta{sv}", (id, fields))

    def list(self, interface="Tickets", limit=1000, **filters):
        rows, cursor = [], ""
        while True:
            page, cursor = self.call(interface, "List", "a{sv}su", (filters, cursor, limit))
            rows += page
            if not cursor:
                return rows

    def advance(self, until):
        return self.call("Clock", "Advance", "x", (until,), timeout=300)

    def jump(self, to):
        return self.call("Clock", "Jump", "x", (to,))

    def create_units(self):
        for unit in UNITS:
            self.call("Units", "Create", "a{sv}", (unit,))


class Bus:
    """A private system bus."""

    def __init__(self, directory):
        path = os.path.join(directory, "bus.conf")
        with open(path, "w") as file:
            file.write(BUS_CONFIG.format(directory=directory))
        self.socket = os.path.join(directory, "bus")
        self.address = "unix:path=" + self.socket
        self.process = subprocess.Popen(["dbus-daemon", "--config-file=" + path, "--nofork",
                                         "--nopidfile", "--nosyslog"], stderr=subprocess.DEVNULL)
        wait_until(lambda: os.path.exists(self.socket), "the bus", self.process)

    def stop(self):
        self.process.terminate()
        self.process.wait()


class Daemon:
    """aftersalesd on a state directory that outlives it."""

    def __init__(self, bus, directory, site=0, map_size="1GiB", wrapper=(), now=EPOCH):
        self.bus = bus
        self.directory = directory
        self.state = os.path.join(directory, "state")
        self.config = os.path.join(directory, "policy.yaml")
        self.log = os.path.join(directory, "log")
        self.wrapper = list(wrapper)  # a command that runs the command behind it
        self.now = now
        self.process = None
        self.configure(site, map_size)

    def configure(self, site=0, map_size="1GiB"):
        with open(self.config, "w") as file:
            file.write(POLICY.format(site=site, map_size=map_size, user=pwd.getpwuid(os.geteuid()).pw_name))

    def command(self, *arguments):
        return [DAEMON, "--config", self.config, "--state", self.state, *arguments]

    def launch(self, wrapper=None):
        """Starts it and does not wait until it serves."""
        now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(self.now // SECOND))
        wrapper = self.wrapper if wrapper is None else wrapper
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                wrapper + self.command("--foreground", f"--clock=manual={now}",
                                       f"--bus={self.bus.address}"), stderr=log)

    def start(self, client=None, wrapper=None):
        self.launch(wrapper)
        probe = client or Client(self.bus.address)
        wait_until(probe.has_owner, "the daemon", self.process, lambda: self.log_tail())
        if not client:
            probe.close()

    def kill(self):
        self.process.kill()
        self.process.wait()

    def stop(self):
        """Orderly; the exit status."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(60)

    def run(self):
        """For a daemon that is to refuse: (exit status, what it says)."""
        with open(self.log, "wb"):
            pass
        self.launch()
        status = self.process.wait(30)
        return status, self.log_tail()

    def check(self, wrapper=None):
        """The faults that --check finds."""
        wrapper = self.wrapper if wrapper is None else wrapper
        done = subprocess.run(wrapper + self.command("--check"), text=True, errors="replace",
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        faults = [x for x in done.stdout.splitlines() if not x.startswith("records ")]
        if done.returncode != 0 and not faults:
            faults = [f"--check ended with {done.returncode}"]
        return faults

    def log_tail(self, size=4000):
        with open(self.log, errors="replace") as file:
            return file.read()[-size:]


def wait_until(condition, what, process=None, details=lambda: "", seconds=30):
    end = time.monotonic() + seconds
    while not condition():
        if process and process.poll() is not None:
            raise RuntimeError(f"{what} ended with {process.returncode}: {details()}")
        if time.monotonic() > end:
            raise RuntimeError(f"{what}: nothing for {seconds} s: {details()}")
        time.sleep(0.002)


class Place:
    """A directory, a bus and a daemon in it for one test; ends whatever runs."""

    def __init__(self, **options):
        self.directory = tempfile.mkdtemp(prefix="aftersales-")
        self.bus = Bus(self.directory)
        self.daemon = Daemon(self.bus, self.directory, **options)
        self.clients = []

    def client(self):
        self.clients.append(Client(self.bus.address))
        return self.clients[-1]

    def close(self):
        for client in self.clients:
            client.close()
        if self.daemon.process and self.daemon.process.poll() is None:
            self.daemon.kill()
        self.bus.stop()
        shutil.rmtree(self.directory, ignore_errors=True)


def resident(pid, name="VmRSS"):
    """KiB of a process' memory."""
    with open(f"/proc/{pid}/status") as file:
        for line in file:
            if line.startswith(name + ":"):
                return int(line.split()[1])
    return 0


def percentile(values, p):
    values = sorted(values)
    return values[min(len(values) - 1, int(len(values) * p / 100))] if values else 0


def figure(text):
    """A figure for the report; tests/run.py shows such lines."""
    print("figure: " + text, flush=True)
