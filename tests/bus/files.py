# SPDX-License-Identifier: Apache-2.0
"""Files for imports and out of exports, as callers of the bus hand them over."""

import csv
import fcntl
import io
import os

SEALS = fcntl.F_SEAL_WRITE | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SHRINK


def memory_file(data, seals=SEALS):
    """A memory file with these bytes."""
    fd = os.memfd_create("test", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    with open(fd, "wb", closefd=False) as file:
        file.write(data)
    if seals:
        fcntl.fcntl(fd, fcntl.F_ADD_SEALS, seals)
    return fd


def as_csv(rows):
    """Rows, dictionaries, as CSV; the columns are all their keys in the order of appearance."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, names)
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue().encode("utf-8")


def read_file(file):
    """What a file descriptor that came over the bus holds."""
    fd = file.to_raw_fd()
    try:
        size = os.fstat(fd).st_size
        return os.pread(fd, size, 0)
    finally:
        os.close(fd)


def import_file(client, what, data, wait=True, **options):
    """The job of an import as Get tells it, its problems as lists of texts, and the rejects."""
    fd = memory_file(data)
    try:
        job = client.call("Transfer", "Import", "sha{sv}", what, fd,
                          {name: ("b", value) if isinstance(value, bool) else ("s", value)
                           for name, value in options.items()})
    finally:
        os.close(fd)
    if not wait:
        return job
    result = client.call("Jobs", "Wait", "t", job)
    problems = read_file(client.call("Jobs", "Problems", "t", job)).decode("utf-8", "replace")
    rejects = read_file(client.call("Jobs", "Rejects", "t", job)).decode("utf-8", "replace")
    return result, [line.split("\t") for line in problems.splitlines()], rejects
