#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The long proofs of docs/promises.md, piece by piece, for as long as there is time.

    prove.py run [MINUTES]   goes on with what has had the least time and is not at its goal
    prove.py report          what was shown so far, as docs/proof.md has it

What measures how long others wait runs alone, and first, for a quarter of the time; of all else
there are as many pieces at a time as there are processors. Every piece that draws lots has another
seed, so that no work is done twice; what a piece has shown is kept in build/prove and counts as
long as what it is about (its paths in the sources) has not changed. A piece that fails ends the
run: its output is kept beside.
"""

import dataclasses
import datetime
import json
import os
import pathlib
import platform
import re
import subprocess
import sys
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
KEPT = ROOT / "build/prove"
PYTHON = "/usr/bin/python3"
PIECE_LIMIT = 3600  # seconds
ALONE_SHARE = 0.25  # of the time, for what runs alone

STORE = ("daemon/store", "daemon/record", "daemon/base", "include", "tests/crash")
DAEMON = ("daemon", "include", "conf", "tests/bus")  # which has what starts it
FAULTS = DAEMON + ("tests/faults",)
INSIDE = ("daemon", "include", "tests/unit")


@dataclasses.dataclass(frozen=True)
class Proof:
    name: str
    promise: str
    goal: int
    unit: str  # of which the goal is a number
    command: str  # {seed}: of the piece
    shows: str  # finds how many units a piece has shown
    paths: tuple  # whose change makes what was shown before worthless
    others: str = ""  # finds figures that are told besides, by name
    alone: bool = False  # nothing else may run beside it


def unittest(suite, test, *settings):
    return f"{' '.join(settings)} {PYTHON} -m unittest discover -s tests/{suite} {test}".strip()


def floods(bus):
    return Proof(f"floods over {bus}", "P10", 14_400, "seconds of flood", unittest("floods", "", f"BUS={bus}", "FLOOD=600"),
                 r"(\d+) seconds of flood", DAEMON + ("tests/floods",),
                 r"p99 at most (?P<ms_p99_at_most>\d+) ms, the slowest call (?P<ms_at_most>\d+) ms, "
                 r"the daemon at most (?P<MiB_at_most>\d+) MiB", alone=True)


def fuzz(target, runs, *paths, goal=100_000_000):
    seeds = f"tests/fuzz/seeds/{target}" if (ROOT / "tests/fuzz/seeds" / target).is_dir() else ""
    return Proof(f"fuzzing: {target}", "P7", goal, "executions",
                 f"mkdir -p build/fuzz/corpus/{target} && build/fuzz/tests/{target} -seed={{seed}} "
                 f"-runs={runs} -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 "
                 f"-artifact_prefix=build/prove/{target}- build/fuzz/corpus/{target} {seeds}".strip(),
                 r"number_of_executed_units: (\d+)", paths + ("daemon/base", "include", "tests/fuzz"))


PROOFS = (
    Proof("power cuts", "P1", 1_000_000, "different states",
          unittest("crash", "-k test_all_is_there", "SEED={seed}", "LIMIT=3000",
                   "HISTORIES='long beside-long'"),
          r"(\d+) different, 0 lost, 0 torn, 0 that cannot be opened", STORE),
    Proof("power cuts: a store that does not wait", "P1", 4, "mutants found",
          unittest("crash", "-v -k test_a_store_that_does_not_wait"),
          r"mutant found: (\w+)", STORE),
    Proof("power cuts under the program", "P1", 20_000, "states judged",
          unittest("crash", "-p test_programs.py", "SEED={seed}", "STATES=0"),
          r"(\d+) of them judged, 0 at fault", DAEMON + ("tests/crash",)),
    Proof("SIGKILL under load", "P2", 10_000, "kills",
          unittest("faults", "-p test_kill.py -k under_load", "SEED={seed}", "KILLS=150"),
          r"(\d+) kills under load", FAULTS,
          r"(?P<acknowledged>\d+) acknowledged changes, (?P<lost>\d+) lost; (?P<unknown>\d+) calls of unknown outcome"),
    Proof("SIGKILL under the unit", "P2", 100, "kills",
          unittest("service", "-k killed_again", "KILLS=100"),
          r"(\d+) kills under the unit, 0 lost", DAEMON + ("systemd", "tests/service")),
    Proof("a disk filled and freed", "P9", 100, "times",
          unittest("faults", "-p test_disk.py -k filled_and_freed", "FILLS=100"),
          r"(\d+) times filled and freed", FAULTS),
    Proof("the engine, simulated", "P3", 100_000_000, "histories",
          "SEED={seed}00000 SEEDS=5000 build/release/tests/test-simulation",
          r"(\d+) histories", INSIDE,
          r"(?P<events>\d+) events; \d+ commits, (?P<failed_commits>\d+) failed; (?P<crashes>\d+) crashes; (?P<jumps>\d+) jumps"),
    Proof("days", "P5", 5000, "days",
          unittest("days", "-k test_days", "SEED={seed}", "DAYS=500"),
          r"(\d+) days:", DAEMON + ("tests/days", "tests/test_calendar.py"),
          r"(?P<escalations>\d+) escalations, (?P<clocks_set>\d+) jumps, (?P<kills>\d+) kills, "
          r"(?P<policies>\d+) policies, (?P<restarts>\d+) restarts, (?P<sleeps>\d+) sleeps"),
    Proof("failing allocations and system calls", "P8", 30_000, "injections",
          f"{PYTHON} tests/sweep/sweep.py {{seed}}",
          r"(\d+) failures in", DAEMON + ("tests/sweep",),
          r"(?P<refused>\d+) were refused, (?P<orderly_ends>\d+) orderly ends"),
    Proof("the model", "P12", 100_000, "steps",
          unittest("model", "", "SEED={seed}", "EXAMPLES=100"),
          r"(\d+) steps in", DAEMON + ("tests/model",)),
    Proof("flipped bits", "P13", 10_000, "flips",
          unittest("faults", "-p test_store_files.py -k flip", "SEED={seed}", "FLIPS=1000"),
          r"(\d+) flipped bits", FAULTS),
    Proof("flipped bits, in process", "P13", 1_000_000, "flips",
          "SEED={seed}00000 FLIPS=20000 build/release/tests/test-flip",
          r"(\d+) flips in a store", INSIDE,
          r"(?:structure|key): (?P<signals_of_LMDB>\d+) ended by a signal"),
    floods("dbus-daemon"),
    floods("dbus-broker"),
    fuzz("fuzz-bus", 50_000, "daemon", "conf", goal=1_000_000),
    fuzz("fuzz-records", 4_000_000, "daemon/record", "daemon/transfer"),
    fuzz("fuzz-journal", 2_000_000, "daemon/store", "daemon/record"),
    fuzz("fuzz-rows", 1_000_000, "daemon/transfer", "daemon/record"),
    fuzz("fuzz-config", 500_000, "daemon/config", "daemon/loop", "daemon/bus"),
    fuzz("fuzz-log", 300_000, "daemon/store", "daemon/record"),
    fuzz("fuzz-dump", 200_000, "daemon/transfer", "daemon/store", "daemon/record"),
    fuzz("fuzz-calendar", 200_000, "daemon/loop"),
)


# ---- what is kept ----

def state_of(paths):
    """Of the sources: what is committed there."""
    trees = [subprocess.run(["git", "-C", ROOT, "rev-parse", f"HEAD:{path}"], check=True,
                            capture_output=True, text=True).stdout.strip() for path in paths]
    return " ".join(tree[:10] for tree in trees)


def read_pieces():
    path = KEPT / "pieces.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def keep(piece):
    KEPT.mkdir(parents=True, exist_ok=True)
    with open(KEPT / "pieces.jsonl", "a", encoding="utf-8") as file:
        file.write(json.dumps(piece) + "\n")


def valid_pieces(proof, pieces):
    state = state_of(proof.paths)
    return [piece for piece in pieces if piece["proof"] == proof.name and piece["state"] == state]


def shown(pieces):
    return sum(piece["shown"] for piece in pieces)


# ---- running ----

def add_up(name, values):
    return max(values, default=0) if name.endswith("_at_most") else sum(values)


def figures(proof, text):
    found = [match.groupdict() for match in re.finditer(proof.others, text)] if proof.others else []
    return {name: add_up(name, [int(one[name]) for one in found]) for name in (found[0] if found else ())}


def count(proof, text):
    found = re.findall(proof.shows, text)
    return sum(int(one) for one in found) if all(one.isdigit() for one in found) else len(set(found))


def run_piece(proof, seed):
    """Whether it went well."""
    began, state = time.monotonic(), state_of(proof.paths)
    done = subprocess.run(["nice", "-n", "19", "timeout", str(PIECE_LIMIT), "sh", "-c",
                           proof.command.format(seed=seed)], cwd=ROOT, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, errors="replace", check=False)
    n = count(proof, done.stdout)
    if done.returncode != 0 or n == 0:
        path = KEPT / f"failed-{proof.name.replace(' ', '-')}-{seed}"
        path.write_text(done.stdout)
        print(f"{proof.name}: seed {seed} ended with {done.returncode} and showed {n}: see {path}")
        return False
    if state_of(proof.paths) != state:
        print(f"{proof.name}: seed {seed} is for nothing, the sources have changed meanwhile")
        return True
    piece = {"proof": proof.name, "state": state, "seed": seed, "shown": n,
             "seconds": round(time.monotonic() - began),
             "at": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
             **figures(proof, done.stdout)}
    keep(piece)
    print(f"{proof.name}: seed {seed}, {n} {proof.unit} in {piece['seconds']} s", flush=True)
    return True


class Run:
    """Pieces of some proofs, several at a time, until the end or the first that fails."""

    def __init__(self, proofs, end):
        self.proofs, self.end = proofs, end
        self.lock = threading.Lock()
        self.running = set()  # names
        self.failed = False

    def choose(self):
        """What is not at its goal and has had the least time, and a seed that it has not had; or None."""
        pieces = read_pieces()
        valid = {proof: valid_pieces(proof, pieces) for proof in self.proofs}
        left = [proof for proof in self.proofs
                if proof.name not in self.running and shown(valid[proof]) < proof.goal]
        if not left:
            return None
        proof = min(left, key=lambda proof: sum(piece["seconds"] for piece in valid[proof]))
        return proof, 1 + max((piece["seed"] for piece in pieces if piece["proof"] == proof.name), default=0)

    def work(self):
        while not self.failed and time.monotonic() < self.end:
            with self.lock:
                chosen = self.choose()
                if not chosen:
                    return
                self.running.add(chosen[0].name)
            went_well = run_piece(*chosen)
            with self.lock:
                self.running.remove(chosen[0].name)
            self.failed = self.failed or not went_well

    def run(self, workers):
        threads = [threading.Thread(target=self.work) for _ in range(workers)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return not self.failed


def run(minutes):
    KEPT.mkdir(parents=True, exist_ok=True)
    began = time.monotonic()
    alone, others = ([proof for proof in PROOFS if proof.alone == wanted] for wanted in (True, False))
    return 0 if (Run(alone, began + minutes * 60 * ALONE_SHARE).run(1) and
                 Run(others, began + minutes * 60).run(os.cpu_count())) else 1


# ---- the report ----

def machine():
    model = re.search(r"model name\s*: (.*)", pathlib.Path("/proc/cpuinfo").read_text())
    return f"{os.cpu_count()} cores of {model.group(1) if model else platform.machine()}, Linux {platform.release()}"


def together(name, pieces):
    return (max if name.endswith("at_most") else sum)(piece.get(name, 0) for piece in pieces)


def report():
    pieces = read_pieces()
    print("# Proof\n")
    print("What the long proofs of [promises.md](promises.md) have shown, by `make prove`, on "
          f"{machine()}.\nWritten by `python3 tests/prove/prove.py report`. The goals are those of a "
          "release, hours of work; one that is not reached is a goal still.\n")
    print("| promise | what | shown | goal | in | last | besides |")
    print("| --- | --- | ---: | ---: | ---: | --- | --- |")
    for proof in PROOFS:
        mine = valid_pieces(proof, pieces)
        n = shown(mine)
        names = sorted({name for piece in mine for name in piece} -
                       {"proof", "state", "seed", "shown", "seconds", "at"})
        others = ", ".join(f"{add_up(name, [piece.get(name, 0) for piece in mine]):,} {name.replace('_', ' ')}"
                           for name in names)
        last = max((piece["at"] for piece in mine), default="never")[:10]
        print(f"| {proof.promise} | {proof.name} | {n:,} | {proof.goal:,} {proof.unit} | "
              f"{sum(piece['seconds'] for piece in mine) / 60:.0f} min | {last} | {others} |")
    print("\nThe commands, {seed} counting up from 1:\n")
    for proof in PROOFS:
        print(f"- {proof.name}: `{proof.command}`")


def main(arguments):
    if arguments[:1] == ["report"]:
        report()
        return 0
    if arguments[:1] == ["run"]:
        return run(float(arguments[1]) if len(arguments) > 1 else 60)
    print(__doc__)
    return 64


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
