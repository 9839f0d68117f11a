# SPDX-License-Identifier: Apache-2.0
"""What the tests run in the guest beside the installed tools. Each ends by itself.

  load NAME SECONDS  creates tickets without a pause, for so long or until a call fails; prints the
                   references of those that were acknowledged, one a line
  listen           prints "ready"; when its input ends, all the service's signals that have come
  subscribe        the same, after having subscribed
  broadcast        takes the service's name and broadcasts three signals, which the service never does
  own              tries to take the service's name on the bus
"""

import sys
import time

import jeepney
import jeepney.io.blocking

from harness import BUS_NAME, BusError, Client, variants

SYSTEM_BUS = "unix:path=/run/dbus/system_bus_socket"
WINDOW = 32
BUS = jeepney.DBusAddress("/org/freedesktop/DBus", "org.freedesktop.DBus", "org.freedesktop.DBus")


def load(name, seconds):
    client = Client(SYSTEM_BUS)
    deadline = time.monotonic() + float(seconds)
    n = 0
    while time.monotonic() < deadline:
        references = [f"{name}-{n + i}" for i in range(WINDOW)]
        n += WINDOW
        answers = client.calls(
            [client.message("Tickets", "Create", "a{sv}",
                            variants({"type": "consultation", "region": "110105", "reference": r}))
             for r in references], WINDOW)
        for reference, answer in zip(references, answers):
            if not isinstance(answer, BusError):
                print(reference, flush=True)
        if any(isinstance(answer, BusError) for answer in answers):
            return


def listen(subscribes):
    client = Client(SYSTEM_BUS)
    for rule in (f"sender='{BUS_NAME}'", f"interface='{BUS_NAME}.Manager'", "type='signal'"):
        client.calls([jeepney.new_method_call(BUS, "AddMatch", "s", (rule,))])
    if subscribes:
        client.call("Manager", "Subscribe")
    print("ready", flush=True)
    sys.stdin.read()
    client.calls([jeepney.new_method_call(BUS, "GetId")])  # behind all that was for us
    for signal in client.received:
        print(signal.member)


def take_name(client):
    return client.calls([jeepney.new_method_call(BUS, "RequestName", "su", (BUS_NAME, 4))])[0]


def own():
    answer = take_name(Client(SYSTEM_BUS))
    print(answer.name if isinstance(answer, BusError) else answer)


def broadcast():
    client = Client(SYSTEM_BUS)
    print(take_name(client), flush=True)
    for _ in range(3):
        client.post(jeepney.new_signal(
            jeepney.DBusAddress("/org/aftersales1", interface=f"{BUS_NAME}.Manager"), "Changed"))
    client.calls([jeepney.new_method_call(BUS, "GetId")])  # they have all been passed on


def main():
    verb = sys.argv[1]
    if verb == "load":
        load(sys.argv[2], sys.argv[3])
    elif verb in ("listen", "subscribe"):
        listen(verb == "subscribe")
    elif verb == "broadcast":
        broadcast()
    elif verb == "own":
        own()


if __name__ == "__main__":
    main()
