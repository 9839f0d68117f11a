# SPDX-License-Identifier: Apache-2.0
"""Each target a few thousand times, from its kept inputs: always the same ones, from SEED.

RUNS of each (default: as many as take some seconds); what a failed run leaves behind for the target to
repeat is in the directory that the failure names.
"""

import os
import pathlib
import re
import subprocess
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
TARGETS = sorted(path.stem for path in ROOT.glob("tests/fuzz/fuzz-*.c"))
RUNS = {"fuzz-bus": 2000, "fuzz-config": 10000, "fuzz-calendar": 3000, "fuzz-log": 10000, "fuzz-dump": 5000}
RUNS_OF_OTHERS = 20000


class Fuzz(unittest.TestCase):
    def run_target(self, target):
        kept = ROOT / "tests/fuzz/seeds" / target
        artifacts = ROOT / "build/fuzz/failed"
        artifacts.mkdir(parents=True, exist_ok=True)
        runs = os.environ.get("RUNS", RUNS.get(target, RUNS_OF_OTHERS))
        with tempfile.TemporaryDirectory() as corpus:
            done = subprocess.run(
                [ROOT / "build/fuzz/tests" / target, f"-runs={runs}", f"-seed={os.environ.get('SEED', 1)}",
                 "-timeout=20", "-rss_limit_mb=2048", "-print_final_stats=1",
                 f"-artifact_prefix={artifacts}/{target}-", corpus, *([kept] if kept.is_dir() else [])],
                cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                text=True, errors="replace", timeout=300, check=False)
        ran = re.search(r"number_of_executed_units: (\d+)", done.stdout)
        self.assertEqual(done.returncode, 0, f"{target}, kept in {artifacts}:\n{done.stdout[-6000:]}")
        self.assertGreaterEqual(int(ran[1]), int(runs), done.stdout[-2000:])
        print(f"figure: {target}: {ran[1]} executions")


for name in TARGETS:
    setattr(Fuzz, "test_" + name.removeprefix("fuzz-"), lambda self, name=name: self.run_target(name))


if __name__ == "__main__":
    unittest.main()
