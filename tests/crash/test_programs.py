#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Power cuts under the program itself: while a backup or a dump takes a store's place, while an
older store is brought to the present schema, while a backup or a dump is made, and while the daemon
serves. See disk.h for what a cut can leave.
"""

import collections
import random
import re
import shutil
import subprocess
import threading
import unittest

from programs import SEED, STATES, Judged, Recorded, write_mark
from support import HOUR, START, TICKET, create_message, found_company
from files import as_csv, import_file
from harness import ROOT, TIME_LIMIT, figure, variants
from test_kill import check_escalations

OLD_DUMP = ROOT / "tests/data/schema-1.dump"
SCHEMA = b"aftersalesd\0\0\0\0".hex().encode() + b"0"  # then its version, as mdb_dump writes it
PIECE = 256  # records that a migration looks at in one transaction
START_EVERY = 3  # states of which one is first opened by a daemon, which brings in what the log has
GO_ON_EVERY = 40  # of which the daemon goes on from one
TIMES = ("due_at", "fired_at")  # which are in order as texts without their zone
ALL = 0  # states


class ProgramTest(unittest.TestCase):
    MAP_SIZE = "1GiB"

    def setUp(self):
        self.service = Recorded(self.MAP_SIZE)
        self.addCleanup(self.service.close)
        self.state = self.service.state

    def live(self):
        """A company with some tickets: some are in a backup and in a dump, others came after, and
        the last are only in the log of a daemon that was killed."""
        service = self.service
        service.start(START)
        client = service.client()
        found_company(client)
        for _ in range(8):
            client.create(**TICKET)
        client.advance(START + 3 * HOUR)
        self.backup, self.text = service.directory / "backup", service.directory / "dump"
        service.run(self.state, f"--backup={self.backup}")
        service.run(self.state, f"--dump={self.text}")
        self.old_backup = service.dump(self.state)
        for _ in range(4):
            client.create(**TICKET)
        service.kill()
        self.before = service.look(self.state)
        self.assertNotEqual(self.before.digest, self.old_backup.digest)

    def judge(self, what, judge, mutants, limit=4 * STATES):
        """None of the states is at fault, and each mutant is found by one that is."""
        judged = Judged(self.service.log, judge, limit=limit)
        self.assertIsNone(judged.fault)
        self.assertGreater(judged.judged, 5)
        figure(f"power cuts, {what}: {judged.different} different, {judged.judged} of them judged, "
               "0 at fault")
        for mutant in mutants:
            found = Judged(self.service.log, judge, mutant, limit=ALL)
            self.assertIsNotNone(found.fault, mutant)
            print(f"mutant found: {what}-{mutant}")


class InPlace(ProgramTest):
    """There is the old store or the new one, whole, and the old one beside as soon as the new one
    has its place."""

    def see_store(self, state, number):
        if number % START_EVERY == 0:
            self.service.begin(state, START + 3 * HOUR)
        return self.service.look(state)

    def see_kept(self, state):
        kept = list(state.glob("state.mdb.before-*"))
        self.assertEqual(len(kept), 1, "the store that was replaced is not there")
        alone = state / "alone"
        alone.mkdir()
        kept[0].rename(alone / "state.mdb")
        self.assertEqual(self.service.look(alone).digest, self.before.digest)

    def judge_replaced(self, disk, acknowledged, number):
        found = self.see_store(disk / "state", number)
        if found.digest == self.before.digest:
            self.assertFalse(acknowledged, "it is still the old store")
            return
        self.assertEqual(found.digest, self.old_backup.digest, "it is neither store")
        self.assertGreater(found.head["epoch"], self.before.head["epoch"])
        self.see_kept(disk / "state")

    def judge_placed(self, disk, acknowledged, number):
        if not (disk / "state" / "state.mdb").exists():
            self.assertFalse(acknowledged, "there is no store")
            return
        found = self.see_store(disk / "state", number)
        self.assertEqual(found.digest, self.old_backup.digest)
        self.assertGreater(found.head["epoch"], self.old_backup.head["epoch"])

    def test_restore(self):
        self.live()
        self.service.record(f"--restore={self.backup}", "--force")
        self.judge("restore", self.judge_replaced, ("directory", "sync:state.mdb.new"))

    def test_load(self):
        self.live()
        self.service.record(f"--load={self.text}", "--force")
        self.judge("load", self.judge_replaced, ("directory", "sync"))

    def test_where_there_is_none(self):
        self.live()
        shutil.rmtree(self.state)
        self.service.record(f"--restore={self.backup}")
        self.judge("restore into nothing", self.judge_placed, ("directory", "sync:state.mdb.new"))


@unittest.skipUnless(shutil.which("mdb_load"), "needs lmdb-utils")
class Migrate(ProgramTest):
    def begin(self, state):
        self.service.begin(state, START + 9 * HOUR)

    def judge_migrated(self, disk, acknowledged, number):
        state = disk / "state"
        whole = [path.read_bytes() == self.kept for path in state.glob("state.mdb.schema-1-*")]
        self.assertTrue(all(whole), "a copy that is not whole")
        if acknowledged:
            self.assertIn(True, whole)
        self.begin(state)
        self.assertEqual(self.service.look(state).records, self.after.records)
        self.assertNotEqual(list(state.glob("state.mdb.schema-1-*")), [], "no copy is kept")

    def load(self, text):
        shutil.rmtree(self.state, ignore_errors=True)
        self.state.mkdir(mode=0o700)
        subprocess.run(["mdb_load", "-n", self.state / "state.mdb"], input=text, check=True,
                       stderr=subprocess.DEVNULL, timeout=TIME_LIMIT)

    def migrate(self, what):
        self.service.record_begin(START + 9 * HOUR)
        self.after = self.service.look(self.state)
        copy, = self.state.glob("state.mdb.schema-1-*")
        self.kept = copy.read_bytes()
        self.judge(what, self.judge_migrated, ("directory", "sync:state.mdb.schema.new"))

    def test_schema_1(self):
        self.load(OLD_DUMP.read_bytes())
        self.migrate("migration")

    def test_in_pieces(self):
        """Of so many tickets that it is cut short in the midst of them, where another start makes no
        second copy."""
        self.live()
        self.service.start(START + 3 * HOUR)
        client = self.service.client()
        client.calls([create_message(client)] * (2 * PIECE))
        self.service.stop()
        text = subprocess.run(["mdb_dump", "-a", "-n", self.state / "state.mdb"], check=True,
                              stdout=subprocess.PIPE, timeout=TIME_LIMIT).stdout
        text, n = re.subn(re.escape(SCHEMA) + rb"\d", SCHEMA + b"1", text)
        self.assertEqual(n, 1)
        self.load(text)
        self.migrate("migration in pieces")


class Recovery(ProgramTest):
    """The power is cut again while a start brings in what the log has."""

    def judge_recovered(self, disk, acknowledged, number):
        if number % START_EVERY == 0:
            self.service.begin(disk / "state", START + 3 * HOUR)
        self.assertEqual(self.service.look(disk / "state").digest, self.before.digest)

    def test_after_a_kill(self):
        self.live()
        self.service.record_begin(START + 3 * HOUR)
        self.judge("recovery", self.judge_recovered, ("sync",))


class Files(ProgramTest):
    """A file has its name when it is whole, and keeps it once that was said."""

    def judge_file(self, disk, acknowledged, number):
        found = [path for path in disk.glob("kept/*") if path.suffix != ".new"]
        self.assertTrue(found or not acknowledged, "it is not there")
        for path in found:
            self.assertEqual(path.read_bytes() == self.whole, True, "it is not whole")

    def judge_made(self, what, mutant):
        made, = self.service.disk.glob("kept/*")
        self.whole = made.read_bytes()
        self.judge(what, self.judge_file, ("directory", mutant), limit=ALL)

    def test_backup(self):
        self.live()
        self.service.record(f"--backup={self.service.disk / 'kept'}/")
        self.judge_made("backup", "sync:.mdb.new")

    def test_dump(self):
        self.live()
        (self.service.disk / "kept").mkdir()
        self.service.record(f"--dump={self.service.disk / 'kept' / 'dump'}")
        self.judge_made("dump", "sync:dump.new")


class Serve(ProgramTest):
    """The daemon itself, from its first start: what it has answered is there, what it has not has
    happened whole or not at all, and each rung of each ladder once."""

    MAP_SIZE = "8MiB"  # small, so that there are checkpoints in between
    ROWS = 60  # of an import that is taken whole or not at all

    def setUp(self):
        super().setUp()
        self.known = {}  # sequence -> digest of all that the store has then
        self.told = [{}]  # by mark: what had been answered then, "sequence" or a ticket -> revision
        self.lock = threading.Lock()
        self.end = START
        self.received = []
        self.delivered = set()  # escalations of which somebody has told
        self.rng = random.Random(SEED)

    def acknowledge(self, **facts):
        self.told.append(self.told[-1] | facts)
        write_mark(self.service.log, len(self.told) - 1)

    def look_now(self):
        self.acknowledge(sequence=self.client.status()["sequence"])
        look = self.service.dump(self.state)
        self.known[look.head["sequence"]] = look.digest

    def create(self):
        ticket = self.client.create(**TICKET)
        self.acknowledge(**{f"T{ticket}": 1})
        self.received.append(ticket)

    def dispatch(self):
        if self.received:
            ticket = self.received.pop()
            head = self.client.move("Dispatch", ticket)
            self.acknowledge(**{f"T{ticket}": head["revision"]})

    def found_parts(self):
        """What a repair under warranty needs: a product, a part that must come back, and stock."""
        for interface, fields in (
                ("Products", {"code": "W", "name": "product", "line": "AC", "warranty_months": 60}),
                ("Suppliers", {"code": "S1", "name": "supplier"}),
                ("Parts", {"code": "K", "name": "part", "line": "AC", "returnable": True}),
                ("Contracts", {"code": "A", "supplier": "S1", "product": "W", "parts": "K",
                               "rate": 100000, "share": 50000}),
                *(("Moves", {"part": "K", "quantity": 1000, "from": "supplier:S1", "to": unit,
                             "reason": "received"}) for unit in ("HQ", "BJ-1", "BJ-2"))):
            self.client.call(interface, "Create", "a{sv}", variants(fields))
        self.look_now()

    def go(self, interface, letter, member, number, **fields):
        head = self.client.call(interface, member, "ta{sv}", number, variants(fields))
        self.acknowledge(**{f"{letter}{number}": head["revision"]})

    def use(self):
        """A repair with parts, whose core is made in the same change."""
        ticket = self.client.create(**TICKET, product="W", purchase_date="2026-01-01")
        for member in ("Dispatch", "Accept"):
            self.go("Tickets", "T", member, ticket)
        self.go("Tickets", "T", "Visit", ticket, parts=f"part=K quantity={self.rng.randint(1, 4)}")

    def bring_back(self):
        """Some of a core goes one step further, and becomes a core of its own."""
        steps = {"due": "Ship", "shipped": "Receive", "received": "Accept"}
        rows = self.client.list_all("Cores", {})
        if rows:
            core = self.rng.choice(rows)
            self.go("Cores", "C", steps[core["state"]], core["id"],
                    quantity=self.rng.randint(1, core["quantity"]))

    def order(self):
        number, _ = self.client.call("Orders", "Create", "a{sv}", variants(
            {"dealer": "BJ-1", "lines": f"part=K quantity={self.rng.randint(1, 9)}"}))
        for member in ("Submit", "Approve", "Ship", "Receive")[:self.rng.randint(1, 4)]:
            self.go("Orders", "O", member, number)

    def ship_goods(self):
        """With what their supplier owes besides, in the same change."""
        self.client.call("Shipments", "Create", "a{sv}", variants(
            {"contract": "A", "quantity": self.rng.randint(1, 40)}))
        self.client.call("Accounts", "Claim", "s", "A")
        self.look_now()

    def deliver_owed(self):
        rows = self.client.list_all("Obligations", {})
        if rows:
            row = self.rng.choice(rows)
            left = row["quantity"] - row.get("delivered", 0)
            self.go("Obligations", "B", "Deliver", row["id"], quantity=self.rng.randint(1, left))

    def pass_time(self):
        self.end += self.rng.randrange(1, 4) * HOUR
        self.client.advance(self.end)
        self.look_now()

    def deliver(self):
        taken = self.client.call("Notifications", "Take", "uu", 20, 60)
        self.client.call("Notifications", "Acknowledge", "at", [row["id"] for row in taken])
        self.delivered |= {row["escalation"] for row in taken}
        self.look_now()

    def bring_in(self, what, rows, **options):
        job, problems, _ = import_file(self.client, what, as_csv(rows), **options)
        self.assertEqual((job["created"], problems), (self.ROWS, []))
        self.look_now()

    def do(self, steps):
        for _ in range(steps):
            self.rng.choice((self.create, self.create, self.dispatch, self.pass_time,
                             self.deliver, self.use, self.bring_back, self.order,
                             self.ship_goods, self.deliver_owed))()

    def work(self):
        self.found_parts()
        self.do(20)
        self.bring_in("product", [{"code": f"P-{i}", "name": "product", "line": "AC",
                                   "origin": "own"} for i in range(self.ROWS)])
        self.bring_in("ticket", [{"reference": f"R-{i}", "type": "repair", "region": "110105"}
                                 for i in range(self.ROWS)], atomic=True)
        self.do(20)
        self.pass_time()

    def record(self):
        service = self.service
        service.is_recording = True
        service.start(START)
        service.is_recording = False
        self.client = service.client()
        found_company(self.client)
        self.look_now()
        self.work()
        service.stop()
        self.last = service.look(self.state)
        self.acknowledge(sequence=self.last.head["sequence"])

    def see_rungs(self, look):
        """Each once, and told of once; those of which nobody is to be told any more."""
        escalations = look.of("escalation")
        check_escalations([row | {name: row[name].removesuffix("Z") for name in TIMES}
                           for row in escalations])
        ids = {row["id"] for row in escalations}
        told = [row["escalation"] for row in look.of("notification") if "escalation" in row]
        self.assertEqual(len(told), len(set(told)), "an escalation is told of twice")
        self.assertLessEqual(set(told), ids)
        return ids - set(told)

    def see_acknowledged(self, look, told):
        found = {"sequence": look.head["sequence"]}
        for letter, kind in (("T", "ticket"), ("C", "core"), ("O", "order"),
                             ("B", "obligation")):
            found |= {f"{letter}{row['id']}": row["revision"] for row in look.of(kind)}
        for fact, value in told.items():
            self.assertGreaterEqual(found.get(fact, 0), value, f"{fact} has got lost")

    def see_parts(self, look):
        """None is made or lost: no place has less than nothing, and there is a core for each part
        that must come back."""
        balances = collections.Counter()
        for move in look.of("move"):
            balances[move["from"], move["condition"]] -= move["quantity"]
            balances[move["to"], move["becomes"]] += move["quantity"]
        for (place, condition), quantity in balances.items():
            if place.partition(":")[0] not in ("supplier", "customer", "count"):
                self.assertGreaterEqual(quantity, 0, f"{place} ({condition})")
        self.assertEqual(sum(balances.values()), 0)
        due = collections.Counter()
        for ticket in look.of("ticket"):
            for line in ticket.get("parts", ()):
                due[ticket["id"], line["line"]] += line.get("core_quantity", 0)
        for core in look.of("core"):
            due[core["ticket"], core["line"]] -= core["quantity"]
        self.assertEqual({key: n for key, n in due.items() if n}, {})
        self.see_obligations(look)

    def see_obligations(self, look):
        """Each shipment obliges to all that it does, and what was delivered is in the ledger."""
        owed = collections.defaultdict(list)
        came = collections.Counter()
        for move in look.of("move"):
            if move.get("cause") == "obligation":
                came[move["cause_id"]] += move["quantity"]
        for row in look.of("obligation"):
            owed[row.get("shipment")].append(row["item"])
            if row["type"] != "units":
                self.assertEqual(row.get("delivered", 0), came[row["id"]])
        for shipment in look.of("shipment"):
            self.assertEqual(sorted(owed[shipment["id"]]), ["K", "W"])

    def see_contents(self, look):
        """After a change there is one state, the one that was seen of the daemon when it was."""
        sequence = look.head["sequence"]
        with self.lock:
            digest = self.known.setdefault(sequence, look.digest)
        self.assertEqual(look.digest, digest, f"there are two states after change {sequence}")
        self.assertEqual(look.journal,
                         [row for row in self.last.journal if row["journal"] <= sequence])
        imported = sum("reference" in row for row in look.of("ticket"))
        self.assertIn(imported, (0, self.ROWS))

    def go_on(self, state, before):
        """The daemon starts on it much later: what is due by then happens, once."""
        service = Recorded(self.MAP_SIZE)
        try:
            service.state = state
            service.start(self.end + 24 * HOUR)
            client = service.client()
            client.advance(self.end + 30 * HOUR)
            if before.of("ticket"):
                number = client.create(**TICKET)
                self.assertEqual(number, before.head["next"]["ticket"])
            service.stop()
            after = service.look(state)
        finally:
            service.close()
        self.see_rungs(after)
        had = {row["id"]: row for row in after.of("escalation")}
        for row in before.of("escalation"):
            self.assertEqual(had[row["id"]], row)
        self.assertEqual(after.journal[:len(before.journal)], before.journal)

    def judge_served(self, disk, acknowledged, number):
        if not (disk / "state" / "state.mdb").exists():
            self.assertEqual(self.told[acknowledged], {}, "there is no store")
            self.service.begin(disk / "state", START)
        look = self.service.look(disk / "state")
        self.see_acknowledged(look, self.told[acknowledged])
        self.see_contents(look)
        self.see_parts(look)
        self.assertLessEqual(self.see_rungs(look), self.delivered, "nobody is told of them")
        if number % GO_ON_EVERY == 0:
            self.go_on(disk / "state", look)

    def test_daemon(self):
        self.record()
        self.judge("daemon", self.judge_served, ("directory", "dsync", "sync"), limit=STATES)


if __name__ == "__main__":
    unittest.main()
