# SPDX-License-Identifier: Apache-2.0
"""What the daemon is measured against: each with a base that is built once, and a copy of it for every run."""

import os
import pathlib
import shutil
import tempfile

from figures import BUILD, figures_of, kept, run


def there(name):
    return (BUILD / f"tests/peer-{name}").exists()


def disk(directory, how, n):
    """Figures of a barrier, "fdatasync" or "dsync", on the file system of the bases."""
    return figures_of(run([BUILD / "tests/peer-disk", how, directory, n]))


class Embedded:
    """LMDB or SQLite in a process of its own; use with `with`."""

    def __init__(self, name, directory, n):
        self.program, self.directory = BUILD / f"tests/peer-{name}", directory
        self.base = kept(directory, f"{name}-{n}", self.program,
                         lambda path: run([self.program, "fill", path, n]))

    def __enter__(self):
        self.work = tempfile.TemporaryDirectory(prefix="peer-", dir=self.directory)
        self.state = pathlib.Path(self.work.name) / "state"
        shutil.copytree(self.base, self.state)
        os.sync()
        return self

    def __exit__(self, *_):
        self.work.cleanup()

    def create(self, n, per):
        return figures_of(run([self.program, "create", self.state, n, per]))

    def storm(self, n, per):
        return figures_of(run([self.program, "storm", self.state, n, per]))

    def load(self, n):
        """Figures of a load into an empty directory."""
        with tempfile.TemporaryDirectory(prefix="peer-", dir=self.directory) as path:
            return figures_of(run([self.program, "load", path, n]))
