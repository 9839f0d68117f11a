# SPDX-License-Identifier: Apache-2.0
"""A file on a file system that a program serves (FUSE), and that program never answers a write.

As a program: mounts itself over the file that is named, and serves until it is killed.
"""

import contextlib
import ctypes
import errno
import os
import struct
import subprocess
import sys

INIT, GETATTR, OPEN, WRITE, FLUSH, RELEASE, FORGET, INTERRUPT = 26, 3, 14, 16, 25, 18, 2, 36
IN_HEADER = struct.Struct("<IIQQIIII")
OUT_HEADER = struct.Struct("<IiQ")
VERSION = (7, 31)
REQUEST_MAX = 1 << 20


def attributes():
    return struct.pack("<QII", 0, 0, 0) + struct.pack(
        "<QQQQQQIIIIIIIIII", 1, 0, 0, 0, 0, 0, 0, 0, 0, 0o100666, 1, 0, 0, 0, 4096, 0)


def answers():
    return {INIT: struct.pack("<IIIIHHIIHH8I", *VERSION, 0, 0, 0, 0, 4096, 1, 0, 0, *[0] * 8),
            GETATTR: attributes(), OPEN: struct.pack("<QII", 1, 0, 0), FLUSH: b"", RELEASE: b""}


def serve(path):
    fuse = os.open("/dev/fuse", os.O_RDWR)
    options = f"fd={fuse},rootmode=100000,user_id=0,group_id=0,allow_other"
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mount(b"stuck", os.fsencode(path), b"fuse", 0, options.encode()) != 0:
        sys.exit(os.strerror(ctypes.get_errno()))
    print("mounted", flush=True)
    answer_all(fuse)


def answer_all(fuse):
    known = answers()
    while True:
        request = os.read(fuse, REQUEST_MAX)
        _, operation, unique, *_ = IN_HEADER.unpack_from(request)
        if operation == WRITE:
            print("stuck", flush=True)
        elif operation not in (FORGET, INTERRUPT):
            body = known.get(operation)
            error = 0 if body is not None else -errno.ENOSYS
            body = body or b""
            os.write(fuse, OUT_HEADER.pack(OUT_HEADER.size + len(body), error, unique) + body)


@contextlib.contextmanager
def stuck_file(path):
    """The server of one; None where there cannot be one."""
    with subprocess.Popen([sys.executable, __file__, path], stdout=subprocess.PIPE,
                          text=True) as server:
        try:
            yield server if server.stdout.readline() == "mounted\n" else None
        finally:
            server.kill()  # all who wait are let go
            server.wait()
            subprocess.run(["umount", "-l", path], check=False, stderr=subprocess.DEVNULL)


if __name__ == "__main__":
    serve(sys.argv[1])
