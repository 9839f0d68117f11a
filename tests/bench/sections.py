# SPDX-License-Identifier: Apache-2.0
"""What is measured. Every round of a section has all that it compares, one right after the other."""

import contextlib
import csv
import dataclasses
import pathlib
import re
import shutil
import subprocess
import tempfile
import time

import day
import peers
from figures import BUILD, FIRST_TIME, Site, base, end_of_filling, has_socket, run
from report import Report

WINDOW = 64
CALLS = 20000       # with a window: many checkpoints of the daemon
SINGLE_CALLS = 1000
STORM_AFTER = 9 * 3600    # seconds: every ticket has had its warning then, and most their deadline
OVERDUE_AFTER = 91 * 60   # work begins at nine, and what has half an hour is late then: an eighth
EMBEDDED = ("lmdb", "sqlite")
CLIENTS = (4, 8, 16, 32)
RT_CALLS = 200
RT_LATE = "Status = '__Active__' AND Due < 'now' AND Priority < 100"
RT_STORM = 50000
PAUSE = 1           # seconds, for what one has put off before another is measured
READS = 200
PAGE = 4096           # of LMDB
IDLE_SECONDS = 30
FEW = 1000            # tickets, for others to get


@dataclasses.dataclass
class Bench:
    directory: pathlib.Path
    report: Report
    size: int
    small: int
    storm: int
    rounds: int

    def site(self, n):
        return Site(base(self.directory, n), end_of_filling(n))


class Rounds:
    """Figures by name, one a round."""

    def __init__(self):
        self.values = {}

    def take(self, name, figure):
        self.values.setdefault(name, []).append(figure)
        time.sleep(PAUSE)

    def __getitem__(self, name):
        return self.values[name]

    def ratio(self, a, b):
        return [x / y for x, y in zip(self[a], self[b])]


def throughput(bench):
    """Creates and reads: over the bus with and without a store, and the databases alone."""
    rounds = Rounds()
    with contextlib.ExitStack() as stack:
        site = stack.enter_context(bench.site(bench.size))
        site.watch_memory()
        site.echo()
        databases = {name: stack.enter_context(peers.Embedded(name, bench.directory, bench.size))
                     for name in EMBEDDED if peers.there(name)}
        postgres = stack.enter_context(peers.Postgres(bench.directory, bench.size)) if peers.there("postgres") else None
        clients = best_clients(postgres) if postgres else 0
        for _ in range(bench.rounds):
            creates_round(bench, rounds, site)
            for name, database in databases.items():
                for per, n in ((1, SINGLE_CALLS // 2), (WINDOW, CALLS // 4), (4000, CALLS)):
                    rounds.take(f"{name} {per}", database.create(n, per)["rate"])
            if postgres:
                rounds.take("postgres", postgres.create(CALLS // 4, clients)["rate"])
                rounds.take("postgres 1", postgres.create(SINGLE_CALLS, 1))
        rounds.take("memory", site.peak_memory / 2**20)
    report_throughput(bench, rounds)
    report_databases(bench, rounds, clients)


def best_clients(postgres):
    """The number of clients with which it creates the most."""
    return max(CLIENTS, key=lambda clients: postgres.create(CALLS // 4, clients)["rate"])


def creates_round(bench, rounds, site):
    rounds.take("fdatasync", peers.disk(bench.directory, "fdatasync", 1000)["p50_ms"])
    rounds.take("dsync", peers.disk(bench.directory, "dsync", 1000)["p50_ms"])
    rounds.take("echo", site.load("echo", CALLS, WINDOW)["rate"])
    rounds.take("create", site.load("create", CALLS, WINDOW)["rate"])
    rounds.take("echo 1", site.load("echo", SINGLE_CALLS, 1)["p50_ms"])
    rounds.take("create 1", site.load("create", SINGLE_CALLS, 1))
    rounds.take("echo get", site.load("echo-get", CALLS, WINDOW)["rate"])
    rounds.take("get", site.load("get", CALLS, WINDOW)["rate"])
    if has_socket():
        rounds.take("direct", site.direct("create", CALLS, WINDOW)["rate"])
        rounds.take("direct get", site.direct("get", CALLS, WINDOW)["rate"])
    rounds.take("four", site.together(4, "create", CALLS // 4, WINDOW))


def report_throughput(bench, rounds):
    add = bench.report.add
    singles = rounds["create 1"]
    medians, rates = ([x[k] for x in singles] for k in ("p50_ms", "rate"))
    barriers = [(ours - echo) / disk for ours, echo, disk in zip(medians, rounds["echo 1"], rounds["fdatasync"])]
    add(1, "durable creates, 64 in flight", rounds["create"], "/s", "≥ 0.6 (1 M), ≥ 0.5 (5 M)",
        rounds["echo"], "echo")
    add(2, "the same", rounds["create"], "/s", "≥ 3 (5 M)", rounds["lmdb 64"], "LMDB, 64 a transaction")
    add(2, "the same", rounds["create"], "/s", "", rounds["lmdb 4000"], "LMDB, 4,000 a transaction")
    add(5, "one durable create, median; the ratio is k of echo + k × fdatasync", medians, "ms", "k ≤ 1.5",
        rounds["fdatasync"], "fdatasync, ms", barriers)
    add(5, "the same", medians, "ms", "", rounds["dsync"], "O_DSYNC write, ms")
    add(5, "durable creates, one at a time", rates, "/s", "", rounds["lmdb 1"], "LMDB, 1 a transaction")
    if has_socket():
        add(6, "durable creates past the bus, 64 in flight", rounds["direct"], "/s", "≥ 1.4", rounds["create"],
            "over the bus")
        add(6, "Get past the bus, 64 in flight", rounds["direct get"], "/s", "", rounds["get"], "over the bus")
    else:
        bench.report.leave_out(6, "this daemon serves the bus alone")
    add(9, "four clients with 64 in flight: p99", [x["p99_ms"] for x in rounds["four"]], "ms", "≤ 50 ms")
    add(9, "four clients with 64 in flight: creates", [x["rate"] for x in rounds["four"]], "/s", "",
        rounds["create"], "one client")
    add(12, "Get, 64 in flight", rounds["get"], "/s", "≥ 0.85", rounds["echo get"], "echo of the same reply")
    add(14, "private memory, the most seen: load", rounds["memory"], "MiB", "≤ 24 MiB (10 M)")


def report_databases(bench, rounds, clients):
    add = bench.report.add
    singles = rounds["create 1"]
    medians, rates = ([x[k] for x in singles] for k in ("p50_ms", "rate"))
    if clients:
        add(3, "durable creates, 64 in flight", rounds["create"], "/s", "≥ 4 (5 M)", rounds["postgres"],
            f"PostgreSQL, {clients} clients, the best of {', '.join(map(str, CLIENTS))}")
        theirs = [x["rate"] for x in rounds["postgres 1"]]
        add(5, "durable creates, one at a time", rates, "/s", "≥ 1.2 (5 M)", theirs, "PostgreSQL, one client")
        add(5, "one durable create, median", medians, "ms", "", [x["p50_ms"] for x in rounds["postgres 1"]],
            "PostgreSQL, one client")
    else:
        bench.report.leave_out(3, "PostgreSQL is not installed")
    if "sqlite 64" in rounds.values:
        add(3, "durable creates, 64 in flight", rounds["create"], "/s", "≥ 2.5 (5 M)", rounds["sqlite 64"],
            "SQLite, 64 a transaction")
        add(3, "the same", rounds["create"], "/s", "", rounds["sqlite 4000"], "SQLite, 4,000 a transaction")
        add(5, "durable creates, one at a time", rates, "/s", "", rounds["sqlite 1"], "SQLite, 1 a transaction")
    else:
        bench.report.leave_out(3, "SQLite is not installed")


def storm(bench):
    """Many deadlines at once: alone, then with another caller."""
    rounds = Rounds()
    until, n = (FIRST_TIME + STORM_AFTER) * 1000000, bench.storm
    for _ in range(bench.rounds):
        with bench.site(n) as site:
            site.watch_memory()
            events, seconds, _ = site.storm(until, others=False)
            rounds.take("storm", events / seconds)
            rounds.take("memory", site.peak_memory / 2**20)
        with bench.site(n) as site:
            beside = site.storm(until)[2]
        rounds.take("get", beside["get"])
        rounds.take("create", beside["create"])
        for name in filter(peers.there, EMBEDDED):
            for per in (1000, 4000):
                with peers.Embedded(name, bench.directory, n) as database:
                    rounds.take(f"{name} {per}", database.storm(n, per)["rate"])
        if peers.there("postgres"):
            for name, per in (("1000", 1000), ("all", n)):
                with peers.Postgres(bench.directory, n) as database:
                    rounds.take(f"postgres {name}", database.storm(per)["rate"])
    add, what = bench.report.add, f"storm: {events} escalations of {n} tickets due at once"
    add(7, what, rounds["storm"], "/s", "≥ 0.9 (1 M events)", rounds["lmdb 4000"], "LMDB, 4,000 a transaction")
    for peer, name, goal in (("lmdb 1000", "LMDB, 1,000 a transaction", ""),
                             ("sqlite 1000", "SQLite, 1,000 a transaction", ""),
                             ("postgres 1000", "PostgreSQL, 1,000 a statement", "≥ 2.2 (1 M events)"),
                             ("postgres all", "PostgreSQL, all in one statement", "")):
        if peer in rounds.values:
            add(7, "the same", rounds["storm"], "/s", goal, rounds[peer], name)
    if not peers.there("postgres"):
        bench.report.leave_out(7, "PostgreSQL is not installed")
    for name, goal in (("get", "≤ 20 ms"), ("create", "≤ 40 ms")):
        add(8, f"another caller during the storm: {name}, p99", [x["p99_ms"] for x in rounds[name]], "ms", goal)
        add(8, f"the same: {name}, worst", [x["worst_ms"] for x in rounds[name]], "ms")
    add(14, "private memory, the most seen: storm", rounds["memory"], "MiB", "≤ 24 MiB (10 M)")


def tracker(bench):
    """Request Tracker, which is slow enough for a section of its own."""
    if not peers.RequestTracker.there():
        for row in (4, 7):
            bench.report.leave_out(row, "Request Tracker 5 or PostgreSQL is not installed, or this is not root")
        return
    rounds = Rounds()
    n = min(bench.storm, RT_STORM)
    with bench.site(bench.size) as site, peers.RequestTracker(bench.directory) as rt:
        for _ in range(bench.rounds):
            rounds.take("create", site.load("create", CALLS, WINDOW)["rate"])
            rounds.take("rt create", rt.create(RT_CALLS)["rate"])
            with bench.site(n) as other:
                events, seconds, _ = other.storm((FIRST_TIME + STORM_AFTER) * 1000000, others=False)
            rounds.take("storm", events / seconds)
            start_up = rt.escalate("id < 0")
            rounds.take("rt storm", RT_CALLS / (rt.escalate(RT_LATE) - start_up))
    add = bench.report.add
    add(4, "durable creates, 64 in flight", rounds["create"], "/s", "≥ 2,500", rounds["rt create"],
        "Request Tracker 5, one worker")
    add(7, f"storm: {events} escalations of {n} tickets due at once", rounds["storm"], "/s", "≥ 1,000 (1 M events)",
        rounds["rt storm"], "rt-crontool, its start taken off")


def scale(bench):
    """A large store against a small one."""
    sizes = sorted({bench.small, min(bench.size, 1000000), bench.size})
    rounds, reads = {n: Rounds() for n in sizes}, {}
    with contextlib.ExitStack() as stack:
        sites = {n: stack.enter_context(bench.site(n)) for n in sizes}
        for n, site in sites.items():
            # So far that there are overdue tickets and escalations to list.
            site.clock("Advance", (FIRST_TIME + OVERDUE_AFTER) * 1000000)
        for _ in range(bench.rounds):
            for n, site in sites.items():
                reads[n] = scale_round(rounds[n], site)
    small, large = rounds[sizes[0]], rounds[sizes[-1]]
    report_scale(bench, sizes, rounds)
    for name in sorted(reads[sizes[-1]]):
        bench.report.add(10, f"{name}, median: {sizes[-1]} tickets", large[name], "ms", "≤ 1.2 (10 M)",
                         small[name], f"{sizes[0]} tickets")


def scale_round(rounds, site):
    site.restart()
    rounds.take("start", site.start_seconds * 1000)
    reads = site.reads(READS)
    for name, (median, _) in reads.items():
        rounds.values.setdefault(name, []).append(median)
    rounds.take("cost", 1e6 / site.load("create", CALLS, WINDOW)["rate"])
    site.load("create", 450, WINDOW)  # left in the log for the next start
    site.restart(kill=True)
    rounds.take("start after SIGKILL", site.start_seconds * 1000)
    return reads


def report_scale(bench, sizes, rounds):
    small, large = rounds[sizes[0]], rounds[sizes[-1]]
    for name, goal in (("start", "≤ 1.2, 100 ms (10 M)"), ("start after SIGKILL", "200 ms (10 M)")):
        bench.report.add(10, f"{name}: {sizes[-1]} tickets", large[name], "ms", goal, small[name], f"{sizes[0]} tickets")
    for n, goal in zip(sizes[:-1], ("≤ 1.5 (10 M against 10 k)", "≤ 1.2 (10 M against 1 M)")):
        bench.report.add(11, f"cost of a create, 64 in flight: {sizes[-1]} tickets", large["cost"], "µs", goal,
                         rounds[n]["cost"], f"{n} tickets")


def files(bench):
    """Import of history against a bare load, calls meanwhile; export; memory; the size on the disk."""
    rounds = Rounds()
    report_disk(bench)
    lmdb = peers.Embedded("lmdb", bench.directory, bench.small)
    with tempfile.NamedTemporaryFile("w", suffix=".csv", dir=bench.directory, encoding="utf-8", newline="") as file:
        write_history(file, bench.size)
        for _ in range(bench.rounds):
            import_round(bench, rounds, file.name)
            rounds.take("load", lmdb.load(bench.size)["rate"])
    add = bench.report.add
    add(13, f"import of {bench.size} historical tickets", rounds["import"], "/s", "≥ 0.4 (5 M)", rounds["load"],
        "LMDB, sorted load")
    for name in ("get", "create"):
        add(13, f"calls during the import: {name}, worst", rounds[name], "ms", "≤ 100 ms")
    add(14, "private memory, the most seen: import", rounds["import memory"], "MiB", "≤ 24 MiB (10 M)")
    add(14, "private memory, the most seen: export", rounds["export memory"], "MiB", "≤ 24 MiB (10 M)")


def report_disk(bench):
    path = base(bench.directory, bench.size)
    whole = sum(f.stat().st_blocks * 512 for f in path.iterdir())
    bench.report.add(15, f"bytes on the disk a ticket with one event, {bench.size} tickets", [whole / bench.size],
                     "bytes", "≤ 500")
    if shutil.which("mdb_stat"):
        text = run(["mdb_stat", "-n", "-s", "journal", path / "state.mdb"])
        pages = sum(int(n) for n in re.findall(r"(?:Branch|Leaf|Overflow) pages: (\d+)", text))
        bench.report.add(15, "of them the journal, which is kept for 30 days", [pages * PAGE / bench.size], "bytes")


def write_history(file, n):
    """One row a ticket, as an older system would hand them over; a year's, none of them open for long."""
    writer = csv.writer(file)
    writer.writerow(["reference", "at", "type", "region", "phone", "customer_name"])
    for i in range(n):
        at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(FIRST_TIME - 31536000 + i * 31536000 // n))
        writer.writerow([f"H{i}", at, "repair", f"{11 + i % 10}{1 + i // 10 % 10:02d}05",
                         f"000-{i * 2654435761 % 100000000:08d}", "用户"])
    file.flush()


def import_round(bench, rounds, name):
    with bench.site(bench.small) as site:
        site.watch_memory()
        worst = {"get": 0.0, "create": 0.0}
        began = time.monotonic()
        process = subprocess.Popen([BUILD / "aftersalesctl", "import", "ticket", name], env=site.env,
                                   stdout=subprocess.PIPE, text=True)
        while process.poll() is None:
            for call, n in (("get", 50), ("create", 10)):
                worst[call] = max(worst[call], site.load(call, n, 1)["worst_ms"])
        seconds = time.monotonic() - began
        text = process.stdout.read()
        if f"{bench.size} created" not in text:
            raise ValueError(f"import: {text}")
        rounds.take("import", bench.size / seconds)
        rounds.take("import memory", site.peak_memory / 2**20)
        for call, value in worst.items():
            rounds.take(call, value)
        site.peak_memory = 0
        with tempfile.NamedTemporaryFile(dir=bench.directory) as out:
            site.run(BUILD / "aftersalesctl", "export", "ticket", f"--output={out.name}")
        rounds.take("export memory", site.peak_memory / 2**20)


def company_day(bench):
    """A day of all that a large company does, after another, and others meanwhile."""
    rounds = Rounds()
    site = Site(base(bench.directory, FEW), time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(day.MONDAY - day.HOUR)))
    with site, tempfile.NamedTemporaryFile("w", suffix=".script", dir=bench.directory, encoding="utf-8") as file:
        day.write_company(file)
        file.flush()
        site.run(BUILD / "tests/replay", file.name)
        site.echo()
        site.watch_memory()
        for number in range(bench.rounds):
            file.seek(0)
            file.truncate()
            calls = day.write_day(file, number)
            file.flush()
            rounds.take("echo", site.load("echo", CALLS, WINDOW)["rate"])
            day_round(rounds, site, file.name, calls)
        rounds.take("memory", site.peak_memory / 2**20)
        faults = site.run(BUILD / "aftersalesctl", "check")
    add = bench.report.add
    what = f"a day: {calls} calls for {day.TICKETS} tickets, 1.2 parts each, and {day.ORDERS} orders of 8,000 dealers"
    add(17, what, rounds["seconds"], "s", "≤ 864 s: 1 % of the day")
    add(17, "calls of the day", rounds["rate"], "/s", "", rounds["echo"], "echo, 64 in flight")
    for name in ("get", "create"):
        add(17, f"another caller meanwhile: {name}, worst", rounds[name], "ms", "≤ 100 ms")
    add(17, "private memory, the most seen", rounds["memory"], "MiB", "≤ 24 MiB")
    print(faults.strip())


def day_round(rounds, site, name, calls):
    worst = {"get": 0.0, "create": 0.0}
    began = time.monotonic()
    process = subprocess.Popen([BUILD / "tests/replay", name], env=site.env, stdout=subprocess.PIPE, text=True)
    while process.poll() is None:
        for call, n in (("get", 50), ("create", 10)):
            worst[call] = max(worst[call], site.load(call, n, 1)["worst_ms"])
    seconds = time.monotonic() - began
    text = process.stdout.read()
    if process.returncode or "\n0 calls were refused, 0 left out" not in text:
        raise ValueError(f"a day: {text}")
    rounds.take("seconds", seconds)
    rounds.take("rate", calls / seconds)
    for call, value in worst.items():
        rounds.take(call, value)


def idle(bench):
    """Nothing to do: what wakes the daemon."""
    with Site(base(bench.directory, 0), None) as site:
        time.sleep(IDLE_SECONDS / 3)
        before = site.wake_ups()
        time.sleep(IDLE_SECONDS)
        bench.report.add(16, f"idle for {IDLE_SECONDS} s: wake-ups (no watchdog is asked for here)",
                         [site.wake_ups() - before], "", "0")


SECTIONS = {"throughput": throughput, "storm": storm, "tracker": tracker, "scale": scale, "files": files,
            "day": company_day, "idle": idle}
