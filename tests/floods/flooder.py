# SPDX-License-Identifier: Apache-2.0
"""One who means no good, until somebody ends it: flooder.py KIND ADDRESS. What is sent is made beforehand, so that
the sender costs little."""

import pathlib
import random
import select
import socket
import struct
import sys

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1] / "bus"))

import jeepney  # noqa: E402
import jeepney.io.blocking  # noqa: E402

from harness import Client, REGION, variants  # noqa: E402

TIME_LIMIT = 10  # seconds for a connection
CONNECTIONS, IDLE_CONNECTIONS, SUBSCRIBERS = 4, 12, 8
WINDOW = 128  # calls that may wait for an answer
BURST = 64 * 1024  # bytes that are sent at once
LARGE, LARGE_DIRECT = 31 << 20, 127 << 20  # a bus takes 32 MiB, libsystemd 128


def create(**fields):
    return Client.message("Tickets", "Create", "a{sv}", variants({"type": "consultation", "region": REGION} | fields))


INTROSPECT = Client.message("org.freedesktop.DBus.Introspectable", "Introspect")
PING = Client.message("org.freedesktop.DBus.Peer", "Ping")
LIST = Client.message("Tickets", "List", "a{sv}su", {}, "", 1000)
STATUS = Client.message("Manager", "Status")
WRONG = (
    Client.message("Tickets", "Create", "s", "x"),
    Client.message("Tickets", "Nothing"),
    Client.message("Nothing", "Get"),
    Client.message("Tickets", "Get", "t", 2**63),
    create(nonsense=1),
    create(region="x" * 3000),
    Client.message("Manager", "Changes", "tu", 2**64 - 1, 1000),
    Client.message("Clock", "Advance", "x", 0),
)


def connect(address):
    """None when there is no place."""
    try:
        return jeepney.io.blocking.open_dbus_connection(address, auth_timeout=TIME_LIMIT).sock
    except (OSError, EOFError, TimeoutError, jeepney.DBusErrorResponse):
        return None


def receive(sock):
    """One message, and nothing of what is in it."""
    head = sock.recv(16, socket.MSG_WAITALL)
    body, fields = struct.unpack_from("<I4xI", head, 4)
    left = (fields + 7) // 8 * 8 + body
    while left > 0:
        left -= len(sock.recv(left, socket.MSG_WAITALL))


def burst(messages, size=BURST):
    """So many bytes of them, one behind the other."""
    data, serial = b"", 1 << 20
    while len(data) < size:
        for message in messages:
            serial += 1
            data += message.serialise(serial)
    return data


class Sender:
    """Sends the same bytes again and again over some connections, each of which is opened anew when it ends."""

    def __init__(self, address, data, reads, connections=CONNECTIONS):
        self.address, self.data, self.reads = address, memoryview(data), reads
        self.left = {}  # by socket: what has to go yet
        self.connections = connections
        self.poll = select.poll()
        self.sockets = {}

    def open(self):
        sock = connect(self.address)
        if sock:
            sock.setblocking(False)
            self.sockets[sock.fileno()] = sock
            self.left[sock.fileno()] = self.data
            self.poll.register(sock, select.POLLOUT | (select.POLLIN if self.reads else 0))

    def close(self, fd):
        self.poll.unregister(fd)
        self.sockets.pop(fd).close()
        del self.left[fd]

    def turn(self, fd, events):
        try:
            if events & select.POLLIN and not self.sockets[fd].recv(1 << 20):
                raise ConnectionResetError
            if events & select.POLLOUT:
                left = self.left[fd]
                left = left[self.sockets[fd].send(left):]
                self.left[fd] = left or self.data
            elif events & (select.POLLHUP | select.POLLERR):
                raise ConnectionResetError
        except BlockingIOError:
            pass
        except OSError:
            self.close(fd)

    def run(self):
        while True:
            if len(self.sockets) < self.connections:
                self.open()
            for fd, events in self.poll.poll(100):
                self.turn(fd, events)


def window(address):
    """As many at once as a bus allows, over and over, and reads the answers."""
    socks = [sock for _ in range(CONNECTIONS) if (sock := connect(address))]
    data = b"".join(LIST.serialise((1 << 20) + i) for i in range(WINDOW))
    while True:
        for sock in socks:
            sock.sendall(data)
        for sock in socks:
            for _ in range(WINDOW):
                receive(sock)


def calls(address):
    """As many as go, and reads the answers."""
    Sender(address, burst([STATUS, LIST, STATUS]), True).run()


def creates(address):
    Sender(address, burst([create(description="不制冷" * 20)]), True, 1).run()


def repeats(address):
    """Calls that come to the engine and change nothing."""
    Sender(address, burst([create(reference="flood")]), True).run()


def wrong(address):
    Sender(address, burst(WRONG), True).run()


def deaf(address):
    """Asks for much and reads nothing."""
    Sender(address, burst([LIST]), False).run()


def library(address):
    """Calls that the daemon's library answers by itself, as many as go, and reads the answers."""
    Sender(address, burst([PING, *WRONG[1:3]]), True).run()


def deaf_to_library(address):
    """The same, and reads nothing."""
    Sender(address, burst([INTROSPECT, *WRONG[1:3]]), False).run()


def connections(address):
    """Comes and goes, and holds what places there are."""
    held = []
    while True:
        sock = connect(address)
        if sock and len(held) < IDLE_CONNECTIONS:
            held.append(sock)
        elif sock:
            sock.sendall(STATUS.serialise(1))
            sock.close()


def large(address):
    """The largest messages that are let through."""
    size = LARGE_DIRECT if address.endswith("/direct") else LARGE
    Sender(address, Client.message("Manager", "Schema", "s", "x" * size).serialise(1 << 20), True).run()


def malformed(address):
    """Messages that end in the middle of their values, lie about lengths, or are none."""
    draw = random.Random(1)
    message = create(description="不制冷").serialise(1 << 20)
    while True:
        sock = connect(address)
        if not sock:
            continue
        sock.settimeout(TIME_LIMIT)
        data = bytearray(message)
        kind = draw.randrange(3)
        if kind == 0:
            for _ in range(draw.randint(1, 8)):
                data[draw.randrange(len(data))] = draw.randrange(256)
        elif kind == 1:
            data = data[:draw.randrange(len(data))]
        else:
            data = draw.randbytes(draw.randint(1, 5000))
        try:
            sock.sendall(data * draw.choice((1, 1, 20)))
        except OSError:
            pass
        sock.close()


def subscribers(address):
    """Hear of everything and read none of it, while another makes it happen."""
    kept = []
    while len(kept) < SUBSCRIBERS and (sock := connect(address)):
        sock.sendall(Client.message("Manager", "Subscribe").serialise(1 << 20))
        kept.append(sock)
    creates(address)


KINDS = (window, calls, creates, repeats, wrong, deaf, library, deaf_to_library, connections, large, malformed,
         subscribers)

if __name__ == "__main__":
    {kind.__name__: kind for kind in KINDS}[sys.argv[1]](sys.argv[2])
