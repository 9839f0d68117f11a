#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Feeds the YAML test suite to the configuration reader, as the file and as a drop-in.

None of its documents is a configuration, so each must be refused, quickly, and with the place of
what is wrong. The suite is looked for in $AFTERSALES_DATA or ../shared/data; BUILD names the build
directory (default build/release).
"""

import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
DATA = pathlib.Path(os.environ.get("AFTERSALES_DATA", ROOT.parent / "shared" / "data"))
BUILD = ROOT / os.environ.get("BUILD", "build/release")
SECONDS = 10


def problem(tool, main, case):
    """What is wrong with the way the document in the file case, which the configuration main consists of or has beside
    it, is refused; or None."""
    try:
        run = subprocess.run([tool, main], capture_output=True, timeout=SECONDS, check=False)
    except subprocess.TimeoutExpired:
        return f"still busy after {SECONDS} s"
    complaint = run.stderr.decode("utf-8", "replace")
    if run.returncode != 1:
        return f"exit status {run.returncode} instead of 1: {complaint}"
    found = re.match(re.escape(str(case)) + r":([1-9]\d*):([1-9]\d*): \S", complaint)
    if not found:
        return f"no place in the first error: {complaint}"
    # As YAML and the reader count: the place must be in the file, or just behind its end.
    lines = re.split("\n|\u2028|\u2029", case.read_text(encoding="utf-8"))
    line, column = int(found[1]), int(found[2])
    if line > len(lines) + 1 or column > len((lines + [""])[line - 1]) + 1:
        return f"{line}:{column} is not in the file: {complaint}"
    return None


def main():
    cases_path = DATA / "yaml_test_suite" / "cases.json"
    if not cases_path.exists():
        print(f"skipped: there is no {cases_path}")
        return 0
    cases = json.loads(cases_path.read_text(encoding="utf-8"))
    failed = 0
    with tempfile.TemporaryDirectory() as name:
        directory = pathlib.Path(name)
        alone, both, dropin = (directory / path for path in ("case.yaml", "a/main.yaml", "a/conf.d/case.yaml"))
        dropin.parent.mkdir(parents=True)
        both.write_text("site: 1\n", encoding="utf-8")
        for case in cases:
            for form, path, file in (("file", alone, alone), ("drop-in", both, dropin)):
                file.write_text(case["yaml"], encoding="utf-8", newline="")
                what = problem(BUILD / "tests" / "config-check", path, file)
                if what:
                    print(f"yaml_suite: {case['id']} ({case['name']}) as {form}: {what}")
                    failed += 1
    print(f"yaml_suite: {len(cases)} documents, each as file and as drop-in, {failed} not refused as they should be")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
