#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Shows that the random lives of tests/model and of tests/days can fail: faults are planted in a copy of the
daemon, one at a time, and each must be found.

    mutants.py [WORD...]    those whose name has one of the words; all of them without

The copy is a work tree of its own of what is committed, in $TMPDIR, and goes at the end. Takes about a
minute, and half a minute more for each fault."""

import os
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]

# What is wrong then, where, and the text that is replaced.
OF_MODEL = (
    ("a rung is raised twice after a restart", "daemon/loop/fire.c",
     "        clock->level = event->level + 1 + event->missed;\n        clock->quiet = 0;",
     "        static bool again;\n\n        clock->level = event->level + (again ? 1 + event->missed : 0);\n"
     "        again = true;\n        clock->quiet = 0;"),
    ("repetitions that were missed are told one by one", "daemon/loop/timing.c",
     "        *ret = gone / (timing->ladder->repeat * USEC_PER_SEC);",
     "        *ret = gone / (timing->ladder->repeat * USEC_PER_SEC) > 2;"),
    ("a deadline is off by a microsecond", "daemon/loop/timing.c",
     "        clock->deadline = deadline;", "        clock->deadline = deadline + 1;"),
    ("a clock pauses a microsecond late", "daemon/loop/clocks.c",
     "        pause->since = now;", "        pause->since = now + 1;"),
    ("whoever is reopened is not lifted", "daemon/loop/fire.c",
     "MIN(rung + lift, (int64_t)ladder->n_rungs - 1)", "MIN(rung, (int64_t)ladder->n_rungs - 1)"),
    ("a clock that is not believed is asked", "daemon/base/clock.c",
     "clock->suspect ? carried_on(clock) : wall_clock_reading(clock)", "wall_clock_reading(clock)"),
    ("other sub-centres' tickets can be moved", "daemon/loop/engine.c",
     "        if (actor_in_scope(call->actor, c->subcentre, c->dealer))\n                return 0;",
     "        if (actor_in_scope(call->actor, c->subcentre, c->dealer) || c->id)\n"
     "                return 0;"),
    ("other sub-centres' tickets are listed", "daemon/loop/listing.c",
     "            (filter->actor && !actor_in_scope(filter->actor, c->subcentre, c->dealer)))",
     "            false)"),
    ("personal data is not masked", "daemon/bus/fields.c",
     "(field->marks & FIELD_PERSONAL) && !personal", "false && !personal"),
    ("the repairer follows up", "daemon/tickets/followup.c",
     "strncmp(then, now, n) == 0 && (then[n] == '\\0' || then[n] == '/')",
     "strncmp(then, now, n) == 0 && then[n] == '/'"),
    ("a repeated request is done again", "daemon/bus/input.c",
     "                if (r != -ENOENT)\n                        return r;\n        }\n",
     "                if (r > 0)\n                        return r;\n        }\n"),
    ("a stale revision is accepted", "daemon/loop/engine.c",
     "call->revision != c->revision", "call->revision > c->revision"),
    ("the busiest dealer gets it", "daemon/masters/unit.c",
     "if (open < fewest)", "if (open < fewest || open > 1)"),
    ("a leased notification is handed out", "daemon/loop/escalation.c",
     "if (leased_until > now && ", "if (leased_until > now + 59 * USEC_PER_SEC && "),
    ("warnings are missing in the change feed", "daemon/loop/feed.c",
     "        row.level = e.level;\n", "        row.level = e.level;\n        if (e.level == 0)\n"
     "                return 0;\n"),
    ("who has lost a ticket is not told", "daemon/loop/feed.c",
     "                moved = true;", "                moved = false;"),
    ("a reload leaves one open case in ten out", "daemon/runtime/recompute.c",
     "        r = engine_recompute(rc->engine, rc->store, due.kind, due.id, now);",
     "        r = due.id % 10 == 3 ? -ENOENT\n"
     "                             : engine_recompute(rc->engine, rc->store, due.kind, due.id, now);"),
    ("a reload is refused and holds all the same", "daemon/loop/preview.c",
     "rung_of(c, &clocks[i]) > (int64_t)ladder->n_rungs", "rung_of(c, &clocks[i]) > INT64_MAX - 1"),
)
OF_DAYS = (
    ("an hour that comes twice counts once", "daemon/loop/calendar.c",
     "int64_t end = zone_instant(calendar->zone, local, ZONE_LAST);",
     "int64_t end = zone_instant(calendar->zone, local, ZONE_FIRST);"),
    ("an event happens at the very instant", "daemon/runtime/due.c",
     "if (r == 0 && work.at < now) {", "if (r == 0 && work.at <= now) {"),
    ("what was slept through for a day is lost", "daemon/runtime/due.c",
     "if (r == 0 && work.at < now) {",
     "if (r == 0 && work.at < now && now - work.at < 86400 * USEC_PER_SEC) {"),
    ("a late one is told by itself", "daemon/loop/escalation.c",
     "e->fired_at - e->due_at > late_after ", "e->fired_at - e->due_at > 2 * late_after "),
    ("a ticket's own time runs backwards", "daemon/loop/engine.c",
     "MAX(step->now, step->item->changed_at)", "step->now"),
    ("another policy holds from the last change on", "daemon/loop/clocks.c",
     "MAX(version->timing_since, c->changed_at)", "c->changed_at"),
    ("what was told is told again by another policy", "daemon/loop/timing.c",
     "int64_t happened = MAX(clock->told, clock->level);", "int64_t happened = clock->level;"),
    ("what was told by a clock that was ahead is told again", "daemon/loop/timing.c",
     "MAX(now, clock->last_at + 1)", "now"),
)
MUTANTS = [("tests/model", *mutant) for mutant in OF_MODEL] + [("tests/days", *mutant) for mutant in OF_DAYS]


def find(tree, environment, suite):
    """After how many steps or days, or None, and what was said."""
    done = subprocess.run([sys.executable, "-m", "unittest", "discover", "-s", suite],
                          cwd=tree, env=environment, text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, check=False)
    found = re.search(r"differs after (\d+) \w+, in life \d+: (.*)", done.stdout)
    return (int(found[1]), found[2]) if found and done.returncode else (None, done.stdout[-300:])


def build(tree):
    """What is planted may leave something unused."""
    subprocess.run(["make", "-j2", "all", "CFLAGS=-Wno-error"], cwd=tree, check=True,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def try_one(tree, environment, suite, name, path, before, after):
    file = tree / path
    text = file.read_text("utf-8")
    if text.count(before) != 1:
        print(f"CANNOT BE PLANTED  {name}: {path} has changed", flush=True)
        return False
    file.write_text(text.replace(before, after), "utf-8")
    try:
        build(tree)
        steps, said = find(tree, environment, suite)
    finally:
        file.write_text(text, "utf-8")
    print(f"{'NOT FOUND' if steps is None else f'found after {steps:5}':<20} {name}: {said[:160]}",
          flush=True)
    return steps is not None


def main(words):
    chosen = [mutant for mutant in MUTANTS
              if not words or any(word in mutant[1] for word in words)]
    with tempfile.TemporaryDirectory(prefix="aftersales-mutants-") as directory:
        tree = pathlib.Path(directory) / "tree"
        subprocess.run(["git", "worktree", "add", "--quiet", "--detach", tree], cwd=ROOT, check=True)
        try:
            build(tree)
            environment = os.environ | {"BUILD": "build/release", "PYTHONDONTWRITEBYTECODE": "1"}
            found = [try_one(tree, environment, *mutant) for mutant in chosen]
        finally:
            subprocess.run(["git", "worktree", "remove", "--force", tree], cwd=ROOT, check=True)
    print(f"{sum(found)} of {len(found)} planted faults found")
    return 0 if all(found) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
