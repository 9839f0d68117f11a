# SPDX-License-Identifier: Apache-2.0
"""Event scripts: what the replay driver plays and the reference judges.

One event a line, in time order, its columns separated by tabs:

    TIME  REFERENCE  INTERFACE.METHOD  TYPE:NAME=VALUE ...

TIME is in microseconds UTC; REFERENCE names the case that a Create with it makes, for another
interface than that one's the first case there which names that ticket (a core), or is "-" for a call
that is not about one; the method "-" only lets time pass. TYPE is a D-Bus type, s, x or b, or r: the
id of the case with this reference."""

import collections

USEC = 1_000_000

Event = collections.namedtuple("Event", "line at reference method fields")


class Codes:
    """Made-up codes for names, in the order in which they are met."""

    def __init__(self, form):
        self.form = form
        self.known = {}

    def of(self, *names):
        return self.known.setdefault(names, self.form.format(len(self.known) + 1))


class Reference(str):
    """A field whose value is the id of the ticket with this reference."""


def field_text(name, value):
    if isinstance(value, bool):
        return f"b:{name}={str(value).lower()}"
    if isinstance(value, int):
        return f"x:{name}={value}"
    kind = "r" if isinstance(value, Reference) else "s"
    if not value or any(c in value for c in "\t\n"):
        raise ValueError(f"{name}: {value!r} cannot stand in a script")
    return f"{kind}:{name}={value}"


def write_event(output, at, reference, method, fields):
    columns = [str(at), reference or "-", method or "-"]
    columns += [field_text(name, value) for name, value in fields.items()]
    print(*columns, sep="\t", file=output)


def field_value(text):
    kind, name, value = text[0], *text[2:].split("=", 1)
    if kind == "b":
        return name, value == "true"
    return name, int(value) if kind == "x" else Reference(value) if kind == "r" else value


def read_events(path):
    with open(path, encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            at, reference, method, *fields = line.rstrip("\n").split("\t")
            yield Event(number, int(at), reference, method, dict(map(field_value, fields)))
