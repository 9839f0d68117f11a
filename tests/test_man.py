# SPDX-License-Identifier: Apache-2.0
"""The manual pages are what the programs say today, and good mdoc."""

import os
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[1]
BUILD = ROOT / os.environ.get("BUILD", "build/release")
MAN = ROOT / "docs" / "man"
PAGES = sorted(path for path in MAN.iterdir() if path.suffix in (".1", ".5", ".8"))


class Pages(unittest.TestCase):
    def test_they_are_up_to_date(self):
        with tempfile.TemporaryDirectory() as work:
            subprocess.run([sys.executable, MAN / "generate.py", BUILD, work], check=True)
            written = sorted(pathlib.Path(work).iterdir())
            self.assertEqual([path.name for path in written], [path.name for path in PAGES])
            for path in written:
                self.assertEqual((MAN / path.name).read_text("utf-8"), path.read_text("utf-8"),
                                 f"{path.name}: run make man")

    def test_they_are_good_mdoc(self):
        self.assertEqual(len(PAGES), 4)
        for path in PAGES:
            done = subprocess.run(["mandoc", "-Tlint", "-Wwarning", path], capture_output=True, text=True, check=False)
            self.assertEqual((done.returncode, done.stdout), (0, ""), path.name)

    def test_every_option_is_told(self):
        for program, page in (("aftersalesd", "aftersalesd.8"), ("aftersalesctl", "aftersalesctl.1")):
            text = (MAN / page).read_text("utf-8").replace("\\", "")
            told = subprocess.run([BUILD / program, "--help"], capture_output=True, text=True, check=True).stdout
            for option in re.findall(r"--[a-z-]+", told):
                self.assertIn(option, text, page)


if __name__ == "__main__":
    unittest.main()
