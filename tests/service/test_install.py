# SPDX-License-Identifier: Apache-2.0
"""make install and make uninstall, into a directory of their own."""

import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import unittest

from guest import ROOT, make

CONFIG = "etc/aftersalesd/aftersalesd.yaml"
PROGRAMS = {"sbin/aftersalesd", "bin/aftersalesctl"}
# Where systemd and the bus look, whatever the prefix.
FIXED = {
    "usr/lib/systemd/system/aftersalesd.service",
    "usr/lib/sysusers.d/aftersalesd.conf",
    "usr/share/dbus-1/interfaces/org.aftersales1.xml",
    "usr/share/dbus-1/system-services/org.aftersales1.service",
    "usr/share/dbus-1/system.d/org.aftersales1.conf",
}


def documents(prefix):
    """What the sources have of it, in its place."""
    pages = {f"{prefix}/share/man/man{path.suffix[1:]}/{path.name}"
             for path in (ROOT / "docs/man").glob("*.[158]")}
    texts = {f"{prefix}/share/doc/aftersalesd/{path.name}"
             for path in (ROOT / "README.md", *(ROOT / "docs").glob("*.md"))}
    completions = {f"usr/share/bash-completion/completions/{path.name}"
                   for path in (ROOT / "ctl/completion").glob("*")}
    units = {f"usr/lib/systemd/system/{path.name.removesuffix('.in')}"
             for path in (ROOT / "systemd").iterdir() if ".service" in path.name or
             path.suffix == ".timer"}
    return pages | texts | completions | units


class Install(unittest.TestCase):
    def setUp(self):
        self.destination = pathlib.Path(tempfile.mkdtemp(prefix="aftersales-install-"))
        self.addCleanup(shutil.rmtree, self.destination)

    def make(self, target, *variables):
        make(target, f"DESTDIR={self.destination}", *variables)

    def files(self):
        return {str(path.relative_to(self.destination))
                for path in self.destination.rglob("*") if not path.is_dir()}

    def expected(self, prefix):
        return ({f"{prefix}/{program}" for program in PROGRAMS} | FIXED | documents(prefix) |
                {CONFIG})

    def test_everything_in_its_place(self):
        for prefix in ("usr/local", "usr", "opt/after-sales"):
            with self.subTest(prefix=prefix):
                self.make("install", f"prefix=/{prefix}")
                self.assertEqual(self.files(), self.expected(prefix))
                self.make("uninstall", f"prefix=/{prefix}")
                self.assertEqual(self.files(), {CONFIG})

    def test_what_cannot_be_filled_in_is_not_installed(self):
        with self.assertRaises(subprocess.CalledProcessError):
            self.make("install", "fill=false")
        self.assertEqual([name for name in self.files() if not (self.destination / name).stat().st_size], [])

    def test_every_directory_can_be_chosen(self):
        self.make("install", "bindir=/a", "sbindir=/b", "docdir=/c", "mandir=/d", "sysconfdir=/e",
                  "dbusdatadir=/f", "unitdir=/g", "sysusersdir=/h", "completionsdir=/i")
        self.assertEqual({path.split("/")[0] for path in self.files()} - {"d", "i"},
                         {"a", "b", "c", "e", "f", "g", "h"})
        unit = (self.destination / "g/aftersalesd.service").read_text()
        self.assertIn("ExecStart=/b/aftersalesd --config=/e/aftersalesd/aftersalesd.yaml\n", unit)
        self.assertIn("file:/c/", unit)

    def test_units_name_what_is_there(self):
        for prefix in ("usr", "opt/after-sales"):
            self.make("install", f"prefix=/{prefix}")
            units = [path for path in self.destination.rglob("*.service")] + \
                    [path for path in self.destination.rglob("*.timer")]
            self.assertGreaterEqual(len(units), 2)
            for unit in units:
                text = unit.read_text()
                self.assertNotRegex(text, r"@\w+@", unit)
                for command in re.findall(r"^Exec\w+=[-+!@:]*(\S+)", text, re.M):
                    if command != "/bin/false":
                        self.assertTrue(os.access(self.destination / command[1:], os.X_OK),
                                        f"{unit}: {command}")
                        self.assertTrue(command.startswith(f"/{prefix}/"), command)
                for document in re.findall(r"\bfile:(\S+)", text):
                    self.assertTrue((self.destination / document[1:]).exists(),
                                    f"{unit}: {document}")
                for page, section in re.findall(r"\bman:([\w-]+)\((\d)\)", text):
                    path = f"{prefix}/share/man/man{section}/{page}.{section}"
                    self.assertTrue((self.destination / path).exists(), f"{unit}: {path}")

    def test_modes(self):
        """Whatever the umask: everybody may read, only programs are executable."""
        before = os.umask(0o077)
        self.addCleanup(os.umask, before)
        self.make("install")
        for path in self.destination.rglob("*"):
            is_program = path.name in ("aftersalesd", "aftersalesctl") and path.parent.name in (
                "sbin", "bin")
            self.assertEqual(path.stat().st_mode & 0o7777,
                             0o755 if path.is_dir() or is_program else 0o644, path)

    def test_what_is_the_administrators_stays(self):
        self.make("install")
        config = self.destination / CONFIG
        config.write_text("site: 7\n")
        drop_in = config.parent / "conf.d/10-own.yaml"
        drop_in.parent.mkdir()
        drop_in.write_text("site: 8\n")
        own_unit = self.destination / "usr/lib/systemd/system/other.service"
        own_unit.write_text("[Service]\n")
        note = self.destination / "usr/local/share/doc/aftersalesd/our-notes"
        note.write_text("ours\n")
        self.make("install")
        self.assertEqual(config.read_text(), "site: 7\n")
        self.make("uninstall")
        self.assertEqual(self.files(), {str(path.relative_to(self.destination))
                                        for path in (config, drop_in, own_unit, note)})

    def test_uninstall_twice(self):
        self.make("install")
        self.make("uninstall")
        self.make("uninstall")
        self.assertEqual(self.files(), {CONFIG})
        self.assertFalse((self.destination / "usr/local/share/doc/aftersalesd").exists())


if __name__ == "__main__":
    unittest.main()
