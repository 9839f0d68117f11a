# SPDX-License-Identifier: Apache-2.0
"""dbus-broker on a socket of its own.

It is made for systemd: its launcher takes a listening socket as systemd hands it over, wants the journal to be
there, and finds the broker in /usr/bin only. So it runs with mounts of its own, in which all of that is so; the
machine has it no more than before. Where it comes from: "make build/dbus-broker"; to install it would make it the
machine's own bus at the next start."""

import os
import pathlib
import shutil
import socket
import threading

PROGRAMS = pathlib.Path(__file__).resolve().parents[2] / "build/dbus-broker/usr/bin"
ENTER = """set -e
mkdir -p /run/systemd
mount --bind "$1" /run/systemd
mount -t overlay overlay -o "lowerdir=$2:/usr/bin" /usr/bin
exec systemd-socket-activate -E "DBUS_SYSTEM_BUS_ADDRESS=unix:path=$3" -l "$3" \
    dbus-broker-launch --scope=system --config-file="$4"
"""


def missing():
    """Why it cannot run here, or None."""
    if os.geteuid() != 0:
        return "mounts of its own take root"
    if not (PROGRAMS / "dbus-broker").exists():
        return "there is no build/dbus-broker"
    return None if shutil.which("systemd-socket-activate") else "there is no systemd-socket-activate"


def swallow(journal):
    """Its log must be read, or it waits. Ends with the process."""
    while True:
        journal.recv(65536)


def command(directory, path, config):
    """What starts one that listens there; `directory` is for what it has of /run."""
    run = directory / "run"
    (run / "journal").mkdir(parents=True, exist_ok=True)
    (run / "journal/socket").unlink(missing_ok=True)  # of one that has gone
    journal = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    journal.bind(str(run / "journal/socket"))
    threading.Thread(target=swallow, args=(journal,), daemon=True).start()
    return ["unshare", "--mount", "sh", "-c", ENTER, "sh", run, PROGRAMS, path, config]
