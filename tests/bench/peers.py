# SPDX-License-Identifier: Apache-2.0
"""What the daemon is measured against: each with a base that is built once, and a copy of it for every run."""

import contextlib
import os
import pathlib
import shutil
import subprocess
import tempfile
import time

from figures import BUILD, figures_of, kept, run


def there(name):
    """Whether a peer was built, and has what it needs to run."""
    if name == "postgres" and not POSTGRES_PROGRAMS:
        return False
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


POSTGRES_PROGRAMS = sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin"))
POSTGRES_MEMORY = "2GB"


class Cluster:
    """A PostgreSQL server of one's own in a directory, over a Unix socket in it, never as root; all that makes it
    durable is as it comes. Use with `with`."""

    def __init__(self, path):
        self.path = pathlib.Path(path)
        self.data = self.path / "data"
        self.conninfo = f"host={self.path} user=postgres dbname=postgres"

    def command(self, program, *arguments):
        drop = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"] if os.geteuid() == 0 else []
        run([*drop, POSTGRES_PROGRAMS[-1] / program, *arguments], cwd="/")

    def make(self):
        self.data.mkdir()
        if os.geteuid() == 0:
            shutil.chown(self.path, "postgres", "postgres")
            shutil.chown(self.data, "postgres", "postgres")
        self.command("initdb", "--pgdata", self.data, "--username=postgres", "--auth=trust", "--encoding=UTF8",
                     "--locale=C.UTF-8")
        with open(self.data / "postgresql.conf", "a", encoding="utf-8") as file:
            file.write(f"listen_addresses = ''\nshared_buffers = {POSTGRES_MEMORY}\n")
        return self

    def __enter__(self):
        self.command("pg_ctl", "--pgdata", self.data, "--silent", "--wait", "--timeout=300",
                     f"--log={self.path}/log", "-o", f"-k {self.path}", "start")
        return self

    def __exit__(self, *_):
        self.command("pg_ctl", "--pgdata", self.data, "--silent", "--wait", "--timeout=300", "--mode=fast", "stop")


@contextlib.contextmanager
def copied_cluster(directory, source):
    """A server on a copy."""
    with tempfile.TemporaryDirectory(prefix="peer-", dir=directory) as work:
        os.chmod(work, 0o755)
        run(["cp", "-a", source, f"{work}/state"])
        os.sync()
        with Cluster(f"{work}/state") as cluster:
            yield cluster


class Postgres:
    """PostgreSQL with the equivalent tables; use with `with`."""

    program = BUILD / "tests/peer-postgres"

    def __init__(self, directory, n):
        def make(path):
            with Cluster(path).make() as cluster:
                run([self.program, "fill", cluster.conninfo, n])
        self.copy = copied_cluster(directory, kept(directory, f"postgres-{n}", self.program, make))

    def __enter__(self):
        self.cluster = self.copy.__enter__()
        return self

    def __exit__(self, *error):
        return self.copy.__exit__(*error)

    def create(self, n, clients):
        return figures_of(run([self.program, "create", self.cluster.conninfo, n, clients]))

    def storm(self, per):
        return figures_of(run([self.program, "storm", self.cluster.conninfo, per]))


RT_SETUP = pathlib.Path("/usr/sbin/rt-setup-database-5")
RT_CONFIG = """Set($rtname, 'bench');
Set($Organization, 'example.invalid');
Set($WebDomain, 'example.invalid');
Set($DatabaseType, 'Pg');
Set($DatabaseHost, '{path}');
Set($DatabaseUser, 'rt_user');
Set($DatabasePassword, 'bench');
Set($DatabaseName, 'rt5');
Set($SendmailPath, '/bin/true');
Set($LogToSyslog, undef);
Set($LogToSTDERR, 'error');
1;
"""


class RequestTracker:
    """Request Tracker 5 as Debian has it, on a PostgreSQL server of its own; use with `with`. Its tools go by the login
    of the caller, which has to be root."""

    program = pathlib.Path(__file__).with_name("peer-rt.pl")

    def __init__(self, directory):
        def make(path):
            with Cluster(path).make() as cluster:
                run([RT_SETUP, "--action=init", "--dba=postgres", "--dba-password=bench"], env=self.environment(cluster),
                    stderr=subprocess.STDOUT)
        self.copy = copied_cluster(directory, kept(directory, "rt", RT_SETUP, make))

    @staticmethod
    def there():
        return os.geteuid() == 0 and RT_SETUP.exists() and bool(POSTGRES_PROGRAMS)

    @staticmethod
    def environment(cluster):
        config, snippets = cluster.path / "RT_SiteConfig.pm", cluster.path / "none.d"
        config.write_text(RT_CONFIG.format(path=cluster.path), encoding="utf-8")
        snippets.mkdir(exist_ok=True)
        return dict(os.environ, RT_SITE_CONFIG=str(config), RT_SITE_CONFIG_DIR=str(snippets))

    def __enter__(self):
        self.env = self.environment(self.copy.__enter__())
        return self

    def __exit__(self, *error):
        return self.copy.__exit__(*error)

    def create(self, n):
        return figures_of(run(["perl", self.program, n], env=self.env))

    def escalate(self, query):
        """Seconds that rt-crontool takes to give every late ticket of a query its highest priority."""
        began = time.monotonic()
        run(["rt-crontool-5", "--search=RT::Search::FromSQL", f"--search-arg={query}",
             "--action=RT::Action::EscalatePriority"], env=self.env)
        return time.monotonic() - began
