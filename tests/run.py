#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Runs suites of tests and adds them up; the last line is "N passed, N failed, N skipped".

Each argument is a suite: a name, "=", and a command. A suite says itself how many tests it ran, in the words of
cmocka or of unittest; a command that says neither is one test, passed when it exits with 0. JOBS of them run at a time
(default: as many as there are processors), but one whose name begins with "!" has the machine for itself: it takes all
processors anyway, or measures time.
"""

import concurrent.futures
import itertools
import os
import re
import shlex
import subprocess
import sys
import time

TAIL = 60  # lines shown of a suite that failed
AGAIN = 8  # lines told again at the end, which may be all that is kept of a run

# What a test that failed is called, and what it said of it.
FAILURE = re.compile(r"(FAIL|ERROR): |[\w.]*(Error|Exception|Expired|Failed)\b: |\[  (ERROR   \] --- |FAILED  \] )"
                     r"|==\d+==ERROR|.*runtime error: ")

told_again = []


def count(output, status):
    """(passed, failed, skipped) of what a suite printed."""
    passed = failed = skipped = 0
    ran = re.findall(r"^Ran (\d+) tests? in", output, re.M)
    if ran:
        total = sum(map(int, ran))
        for words in re.findall(r"^(?:OK|FAILED)(?: \((.*)\))?$", output, re.M):
            numbers = dict(re.findall(r"(\w+)=(\d+)", words))
            failed += int(numbers.get("failures", 0)) + int(numbers.get("errors", 0))
            failed += int(numbers.get("successes", 0))  # of tests expected to fail
            skipped += int(numbers.get("skipped", 0))
        passed = max(total - failed - skipped, 0)
    elif "[==========]" in output:
        passed = sum(map(int, re.findall(r"\[  PASSED  \] (\d+) test", output)))
        failed = sum(map(int, re.findall(r"\[  FAILED  \] \w+: *(\d+) test", output)))
        skipped = sum(map(int, re.findall(r"\[  SKIPPED \] \w+: *(\d+) test", output)))
    elif status == 0 and re.search(r"^skipped: ", output, re.M):
        skipped = 1
    else:
        passed, failed = (1, 0) if status == 0 else (0, 1)
    if status != 0 and failed == 0:
        failed = 1  # it died, or was killed by a sanitizer
    return passed, failed, skipped


def report(name, counts, seconds, output):
    lines = output.splitlines()
    passed, failed, skipped = counts
    text = [f"  {name:<34} {passed:6} passed {failed:4} failed {skipped:4} skipped {seconds:7.1f} s"]
    if failed:
        text += ["    | " + line for line in lines[-TAIL:]]
        told_again.append(f"failed: {name}")
        told_again.extend("    | " + line for line in [line for line in lines if FAILURE.match(line)][-AGAIN:])
    else:
        text += ["    " + line for line in lines
                 if re.match(r"(skipped: |figure: |compared \d|replay-\w+: )", line) or "skipped '" in line]
    sys.stdout.write("\n".join(text) + "\n")  # at once: others report, too
    sys.stdout.flush()


def run(suite):
    name, _, command = suite.partition("=")
    began = time.monotonic()
    done = subprocess.run(shlex.split(command), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, errors="replace")
    counts = count(done.stdout, done.returncode)
    report(name.removeprefix("!"), counts, time.monotonic() - began, done.stdout)
    return counts


def main():
    os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
    jobs = int(os.environ.get("JOBS", os.cpu_count()))
    began = time.monotonic()
    results = []
    for alone, suites in itertools.groupby(sys.argv[1:], lambda suite: suite.startswith("!")):
        with concurrent.futures.ThreadPoolExecutor(1 if alone else jobs) as pool:
            results += pool.map(run, suites)
    passed, failed, skipped = map(sum, zip(*results))
    print("\n".join(told_again) + "\n" if told_again else "", end="")
    print(f"{time.monotonic() - began:.0f} s with {jobs} suites at a time")
    print(f"{passed} passed, {failed} failed" + (f", {skipped} skipped" if skipped else ""))
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
