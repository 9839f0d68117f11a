#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Feeds the YAML test suite to the configuration reader.

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


def problem(tool, path, text):
    """What is wrong with the way the document is refused, or None."""
    path.write_text(text, encoding="utf-8", newline="")
    try:
        run = subprocess.run([tool, path], capture_output=True, timeout=SECONDS, check=False)
    except subprocess.TimeoutExpired:
        return f"still busy after {SECONDS} s"
    complaint = run.stderr.decode("utf-8", "replace")
    if run.returncode != 1:
        return f"exit status {run.returncode} instead of 1: {complaint}"
    if not re.match(re.escape(str(path)) + r":[1-9]\d*:[1-9]\d*: \S", complaint):
        return f"no place in the first error: {complaint}"
    return None


def main():
    cases_path = DATA / "yaml_test_suite" / "cases.json"
    if not cases_path.exists():
        print(f"skipped: there is no {cases_path}")
        return 0
    cases = json.loads(cases_path.read_text(encoding="utf-8"))
    failed = 0
    with tempfile.TemporaryDirectory() as directory:
        path = pathlib.Path(directory) / "case.yaml"
        for case in cases:
            what = problem(BUILD / "tests" / "config-check", path, case["yaml"])
            if what:
                print(f"yaml_suite: {case['id']} ({case['name']}): {what}")
                failed += 1
    print(f"yaml_suite: {len(cases)} documents, {failed} not refused as they should be")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
