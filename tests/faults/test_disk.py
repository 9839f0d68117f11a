#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""No room and broken disks: the call that cannot be stored says so and changes nothing, reads go
on, nothing acknowledged is lost, and whatever is due happens once there is room again.
"""

import os
import shutil
import signal
import subprocess
import time
import unittest

import jeepney

from support import HOUR, START, FaultTest, create_message, found_company, policy
from files import as_csv, import_file
from harness import IN_FLIGHT, BusError, figure, variants, wait_for
from test_kill import check_escalations

FULL = "StorageFull"
FILLS = int(os.environ.get("FILLS", "9"))
IMPORT_ROWS = 1500
IMPORT_COMMITS = 20
LATE = START + 30 * HOUR
TEXT = "x" * 1800


def can_mount():
    return os.geteuid() == 0 and subprocess.run(
        ["unshare", "-m", "--propagation", "private", "mount", "-t", "tmpfs", "tmpfs", "/mnt"],
        stderr=subprocess.DEVNULL, check=False).returncode == 0


def cpu_seconds(pid):
    with open(f"/proc/{pid}/stat") as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Storage(FaultTest):
    def begin(self):
        super().begin()
        self.created = {}  # id -> description

    def create(self, n=1, **fields):
        for _ in range(n):
            text = f"{len(self.created)} {TEXT}"
            self.created[self.ticket(description=text, **fields)] = text

    def create_until_full(self):
        """With calls in flight, as a batch fails or does not as a whole."""
        full = 0
        while not full:
            calls = {}
            for i in range(IN_FLIGHT):
                text = f"{len(self.created)} {i} {TEXT}"
                message = create_message(self.client, description=text)
                calls[self.client.post(message)] = text
            for _ in range(IN_FLIGHT):
                serial, answer = self.client.next_answer()
                if isinstance(answer, BusError):
                    self.assertEqual(answer.name, FULL, answer.text)
                    full += 1
                else:
                    self.created[answer[0]] = calls[serial]
        self.create_one_by_one()

    def create_one_by_one(self):
        """Until there is no room for a single one."""
        while True:
            try:
                self.create()
            except BusError as e:
                self.assertEqual(e.name, FULL, e.text)
                return

    def verify(self):
        """Exactly what was acknowledged is there."""
        rows = {x["id"]: x["description"] for x in self.client.list_all("Tickets", {"ended": True})}
        self.assertEqual(rows, self.created)
        for id, text in list(self.created.items())[-50:]:
            self.assertEqual(self.client.get(id)["description"], text)
        self.assertEqual(self.client.status()["open"], len(self.created))

    def assert_full(self):
        with self.assertRaises(BusError) as caught:
            self.ticket(description=TEXT)
        self.assertEqual(caught.exception.name, FULL)

    def assert_reads_beside_writes(self):
        """A read is answered even in one batch with writes for which there is no room."""
        ids = list(self.created)
        reads = {}
        for i in range(IN_FLIGHT // 2):
            self.client.post(create_message(self.client, description=TEXT))
            reads[self.client.post(self.client.message("Tickets", "Get", "t", ids[i]))] = ids[i]
        for _ in range(IN_FLIGHT):
            serial, answer = self.client.next_answer()
            if serial not in reads:
                self.assertEqual(answer.name, FULL)
                continue
            self.assertIsInstance(answer, dict, f"a Get was answered with: {answer}")
            self.assertEqual(answer["description"], self.created[reads[serial]])

    def assert_moves_go_on(self):
        """Where nothing new is taken in, what is there can still be brought to its end."""
        warnings = " ".join(self.client.status()["warnings"])
        self.assertIn("nothing new is taken in", warnings)
        for id in list(self.created)[:8]:
            self.client.move("Dispatch", id)
            self.client.move("Accept", id)
            self.client.move("Resolve", id, result="repaired", by="dealer")
            self.client.move("FollowUp", id, outcome="satisfied", by="centre")
            self.client.move("Close", id)
        with self.assertRaises(BusError) as caught:
            self.client.call("Units", "Create", "a{sv}", variants(
                {"code": "BJ-9", "name": "dealer", "kind": "dealer", "parent": "BJ"}))
        self.assertEqual(caught.exception.name, FULL)
        self.assertEqual(self.client.status()["states"]["closed"], 8)

    def assert_calm(self):
        """While it cannot do what is due, it does not spin."""
        before = cpu_seconds(self.pid())
        time.sleep(2)
        used = cpu_seconds(self.pid()) - before
        self.assertLess(used, 1, "the daemon spins while there is no room")

    def pid(self):
        return self.service.daemon.pid

    def assert_all_escalated(self, ids):
        wait_for(lambda: self.client.status()["lag"] == 0, "catching up")
        rows = self.client.list_all("Escalations", {"acknowledged": True})
        check_escalations(rows)
        self.assertEqual({x["case_id"] for x in rows}, ids)
        return len(rows)


@unittest.skipUnless(can_mount(), "needs root and a mount namespace of its own")
class FullDisk(Storage):
    SIZE = 3  # MiB

    def setUp(self):
        self.open()
        os.mkdir(self.service.state)
        # The namespace lives as long as its holder, over restarts of the daemon.
        self.holder = subprocess.Popen(
            ["unshare", "-m", "--propagation", "private", "sh", "-c",
             f"mount -t tmpfs -o size={self.SIZE}m tmpfs {self.service.state} && echo && "
             "exec sleep infinity"], stdout=subprocess.PIPE)
        self.holder.stdout.readline()
        self.addCleanup(self.end_holder)
        self.service.wrapper = ["nsenter", "-m", "-t", str(self.holder.pid)]
        self.begin()

    def end_holder(self):
        self.holder.kill()
        self.holder.wait()
        self.holder.stdout.close()

    def make_room(self, size):
        subprocess.run(self.service.wrapper + ["mount", "-o", f"remount,size={size}m",
                                              self.service.state], check=True)

    def test_full_disk(self):
        self.create(20)
        self.create_until_full()
        self.assert_full()
        self.verify()
        self.assert_reads_beside_writes()
        self.assert_clean()

        # What becomes due now cannot be written down.
        late = set(self.created)
        self.client.jump(LATE)
        self.assert_calm()
        self.assertGreater(self.client.status()["lag"], 0)
        self.verify()

        self.make_room(64)
        self.create()
        self.verify()
        n = self.assert_all_escalated(late)
        self.assert_clean()
        self.now = LATE
        self.service.stop()
        self.start()
        self.verify()
        self.assert_clean()
        figure(f"full disk: {len(self.created)} acknowledged tickets, 0 lost; {n} escalations "
               "after there was room")

    def test_reserve(self):
        self.create_one_by_one()
        self.assert_moves_go_on()
        self.assert_full()
        self.make_room(64)
        self.create()
        self.assert_clean()

    def test_bus_takes_nothing(self):
        """Nobody waits for the bus to take answers of a batch that has failed."""
        self.create(200)
        self.service.configure(policy() + "  - {user: daemon, role: everything, scope: headquarters}\n")
        self.client.call("Policy", "Reload")
        direct = self.service.client(direct=True)
        many = [self.service.client("daemon") for _ in range(3)]
        subprocess.run(self.service.wrapper + ["sh", "-c", f"cat /dev/zero >{self.service.state}/filler || :"],
                       stderr=subprocess.DEVNULL, check=True)
        for client in many:  # who are known to the daemon from now on
            client.status()
        self.service.daemon.send_signal(signal.SIGSTOP)
        for client in many:  # together more than the 8 MiB that libsystemd lets a socket keep
            for _ in range(2 * IN_FLIGHT):
                client.post(client.message("Tickets", "List", "a{sv}su", {}, "", 1000))
            client.calls([jeepney.new_method_call(jeepney.message_bus, "GetId")])
        self.service.bus.send_signal(signal.SIGSTOP)
        self.service.daemon.send_signal(signal.SIGCONT)
        try:
            for id in self.created:
                [answer] = direct.calls([direct.message("Tickets", "Dispatch", "ta{sv}", id, {})])
                if isinstance(answer, BusError):
                    self.assertEqual(answer.name, FULL, answer.text)
        finally:
            self.service.bus.send_signal(signal.SIGCONT)
        self.assertIn("cannot commit", self.service.log_tail())
        self.assert_clean()

    def test_time_passes_while_full(self):
        """Advance answers, too."""
        self.create_until_full()
        with self.assertRaises(BusError) as caught:
            self.client.advance(LATE)
        self.assertEqual(caught.exception.name, FULL)
        self.verify()
        self.make_room(64)
        self.client.advance(LATE + HOUR)
        self.assert_all_escalated(set(self.created))
        self.assert_clean()

    def test_filled_and_freed(self):
        for i in range(1, FILLS + 1):
            self.create_until_full()
            self.make_room(self.SIZE + i)
            self.create()
        self.verify()
        self.assert_clean()
        figure(f"{FILLS} times filled and freed, {len(self.created)} tickets, none lost")

    def test_first_start(self):
        """There is not even room for an empty store."""
        self.service.stop()
        subprocess.run(self.service.wrapper + ["sh", "-c", f"rm {self.service.state}/*; cat "
                                              f"/dev/zero >{self.service.state}/filler || :"],
                       stderr=subprocess.DEVNULL, check=True)
        status, text = self.service.refuse(self.now)
        self.assertNotEqual(status, 0)
        self.assertIn("No space left on device", text)
        subprocess.run(self.service.wrapper + ["rm", f"{self.service.state}/filler"], check=True)
        self.start()
        found_company(self.client)
        self.assert_clean()


class FullMap(Storage):
    def setUp(self):
        self.open(map_size="2MiB")
        self.begin()

    def test_reserve(self):
        """The warning comes in time, and what is left is for what was taken in."""
        self.service.configure(policy(map_size="8MiB"))
        self.service.stop()
        self.start()
        self.create(20)
        self.assertEqual(self.client.status()["warnings"], [])
        while not self.client.status()["warnings"]:
            self.create(10)
        self.assertIn("little room", self.client.status()["warnings"][0])
        self.create_one_by_one()
        self.assert_moves_go_on()
        self.assert_full()
        self.assert_clean()

    def test_full_map(self):
        self.create(20)
        self.create_until_full()
        self.assert_full()
        self.verify()
        self.assert_reads_beside_writes()
        late = set(self.created)
        self.client.jump(LATE)
        self.assert_calm()
        self.verify()
        self.assert_clean()
        # A map grows with the configuration.
        self.service.configure(policy(map_size="64MiB"))
        self.now = LATE
        self.service.stop()
        self.start()
        self.create()
        self.verify()
        self.assert_all_escalated(late)
        self.assert_clean()

    def test_time_passes_while_full(self):
        self.create_until_full()
        with self.assertRaises(BusError) as caught:
            self.client.advance(LATE)
        self.assertEqual(caught.exception.name, FULL)
        self.verify()
        self.assert_clean()


@unittest.skipUnless(shutil.which("strace") and os.geteuid() == 0, "needs strace and root")
class BrokenDisk(Storage):
    """System calls of the running daemon fail."""

    # A commit: a frame of the log, durable when it is written. A checkpoint: the pages, a barrier,
    # and the page that makes them valid.
    CALLS = ["pwrite64", "writev", "pwritev", "fdatasync"]

    def setUp(self):
        self.open()
        self.begin()
        self.create(5)
        self.injected = 0

    def inject(self, call, error, when, always=None):
        """From now on that occurrence of the call fails, and each one of another."""
        trace = os.path.join(self.service.directory, "trace")
        faults = {call: f":when={when}", **({always: ""} if always else {})}
        options = [f"--inject={name}:error={error}{where}" for name, where in faults.items()]
        tracer = subprocess.Popen(["strace", "-f", "-o", trace, "--trace=" + ",".join(faults),
                                   *options, "-p", str(self.pid())], stderr=subprocess.PIPE)
        self.addCleanup(tracer.stderr.close)
        self.addCleanup(tracer.wait)
        tracer.stderr.readline()  # "Process ... attached"
        return trace, tracer

    def detach(self, tracer):
        tracer.terminate()
        tracer.wait()

    def was_injected(self, trace):
        with open(trace) as file:
            return "(INJECTED)" in file.read()

    def create_beside_fault(self, request_id):
        """The id; or None, and the name of the error."""
        try:
            id = self.ticket(description=request_id, request_id=request_id)
        except BusError as e:
            return None, e.name
        self.created[id] = request_id
        return id, None

    def retry(self, request_id):
        """Of what may have happened or not: it has happened once then."""
        id, error = self.create_beside_fault(request_id)
        if error:  # leave a daemon for the next one
            self.service.kill()
            self.start()
        self.assertIsNone(error, "the daemon goes on although its store is dead")
        self.verify()
        self.assert_clean()

    def provoke(self, call, error, when):
        """The fault meets a creation or the checkpoint after it: what the caller heard, and the exit
        status if the daemon ended; or None if it met neither."""
        name = f"{call} {error} {when}"
        trace, tracer = self.inject(call, error, when)
        heard = self.create_beside_fault(name)[1]
        try:
            wait_for(lambda: self.was_injected(trace), "the fault", 2)
        except AssertionError:
            self.detach(tracer)
            return None
        self.injected += 1
        try:
            status = self.service.daemon.wait(10 if error == "EIO" else 0.3)
        except subprocess.TimeoutExpired:
            status = None
        self.detach(tracer)
        if status is not None:
            self.start()
        self.retry(name)
        return heard, status

    def test_no_space(self):
        """No room in the log is room in the database, or the other way round; without the page that
        makes a commit valid LMDB cannot go on."""
        for call in self.CALLS:
            for when in (1, 2):
                with self.subTest(call=call, when=when):
                    met = self.provoke(call, "ENOSPC", when)
                    if met and met[1] is None:
                        self.assertIn(met[0], (None, FULL))
                    elif met:
                        self.assertIn(met[0], (None, "TryAgain", "Internal"))
        self.assertGreater(self.injected, 2)
        figure(f"{self.injected} system calls without room: done or an error, nothing lost")

    def test_medium_fails(self):
        """An orderly end with an answer first; a restart begins from what is safe."""
        for call in self.CALLS:
            for when in (1, 2):
                with self.subTest(call=call, when=when):
                    met = self.provoke(call, "EIO", when)
                    if met:
                        self.assertIn(met[0], (None, "TryAgain", "Internal"))
                        self.assertIsNotNone(met[1], "it goes on although its store is dead")
                        self.assertGreater(met[1], 0)
        self.assertGreater(self.injected, 2)
        figure(f"{self.injected} system calls with EIO: error, orderly end, nothing lost")

    def test_medium_fails_under_load(self):
        """Every call is answered: done, or an error."""
        trace, tracer = self.inject("pwrite64", "EIO", 20)
        calls = {}
        errors = set()
        for i in range(2000):
            text = f"load {i}"
            calls[self.client.post(create_message(self.client, description=text))] = text
            if len(calls) < IN_FLIGHT:
                continue
            serial, answer = self.client.next_answer()
            text = calls.pop(serial)
            if isinstance(answer, BusError):
                errors.add(answer.name)
            else:
                self.created[answer[0]] = text
        while calls:
            serial, answer = self.client.next_answer()
            text = calls.pop(serial)
            if not isinstance(answer, BusError):
                self.created[answer[0]] = text
        self.assertTrue(self.was_injected(trace))
        self.assertGreater(self.service.daemon.wait(10), 0)
        self.detach(tracer)
        self.assertIn("TryAgain", errors)
        self.start()
        self.verify()
        self.assert_clean()

    def test_import_without_room(self):
        """What has no room, neither in the log nor in the database, is not said to be imported:
        whichever of its commits fails."""
        failed = 0
        for when in range(1, IMPORT_COMMITS + 1):
            rows = [{"reference": f"R-{when}-{i}", "type": "repair", "region": "110105"}
                    for i in range(IMPORT_ROWS)]
            before = self.client.status()["open"]
            tracer = self.inject("pwrite64", "ENOSPC", when, always="writev")[1]
            try:
                job = import_file(self.client, "ticket", as_csv(rows))[0]
            except BusError:  # it was the page without which LMDB cannot go on
                self.assertGreater(self.service.daemon.wait(10), 0)
                self.detach(tracer)
                self.start()
                continue
            self.detach(tracer)
            if job["state"] == "done":
                self.assertEqual(job["created"], IMPORT_ROWS)
                self.assertEqual(self.client.status()["open"] - before, IMPORT_ROWS, when)
            else:
                self.assertIn("No space", job["error"])
                failed += 1
        self.assertGreater(failed, 0)
        self.assert_clean()

    def test_medium_fails_while_time_passes(self):
        trace, tracer = self.inject("pwrite64", "EIO", 1)
        with self.assertRaises(BusError):
            self.client.advance(LATE)
        self.assertGreater(self.service.daemon.wait(10), 0)
        self.detach(tracer)
        self.now = LATE
        self.start()
        self.assert_all_escalated(set(self.created))
        self.assert_clean()


if __name__ == "__main__":
    unittest.main()
