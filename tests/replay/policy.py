# SPDX-License-Identifier: Apache-2.0
"""The policy as the reference reads it: as much of YAML as the policies here use, and working time
computed from the calendars."""

import bisect
import datetime
import re
import zoneinfo

from script import USEC

DAY = datetime.timedelta(days=1)
WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
UNITS = {"d": 86400, "h": 3600, "m": 60, "s": 1}
FLOW_TOKEN = re.compile(r"[\[\]{},]|:(?=\s)|(?:[^\s\[\]{},:]|:(?!\s))+")


# ---- YAML: block mappings and lists, flow mappings and lists, plain words ----


def logical_lines(text):
    """Lines without comments as (indentation, text); what stands in brackets is one line."""
    pending, depth = "", 0
    for line in text.splitlines():
        line = re.sub(r"(^|\s)#.*", "", line).rstrip()
        if not line:
            continue
        pending = f"{pending} {line.strip()}" if depth else line
        depth = sum(pending.count(c) for c in "{[") - sum(pending.count(c) for c in "}]")
        if depth == 0:
            yield len(pending) - len(pending.lstrip()), pending.strip()


def flow_value(tokens):
    token = next(tokens)
    if token == "[":
        items = []
        while (item := flow_value(tokens)) != "]":
            if item != ",":
                items.append(item)
        return items
    if token == "{":
        mapping = {}
        while (key := next(tokens)) != "}":
            if key != ",":
                next(tokens)  # the colon
                mapping[key] = flow_value(tokens)
        return mapping
    return token


def value_of(text):
    return flow_value(iter(FLOW_TOKEN.findall(text)))


def block(lines, start):
    """The mapping or list whose lines begin at `start`, and where it ends."""
    indent = lines[start][0]
    result = [] if lines[start][1].startswith("- ") else {}
    while start < len(lines) and lines[start][0] == indent:
        text = lines[start][1]
        start += 1
        if isinstance(result, list):
            result.append(value_of(text[2:]))
            continue
        key, _, value = text.partition(":")
        if value:
            result[key] = value_of(value)
        elif start < len(lines) and lines[start][0] > indent:
            result[key], start = block(lines, start)
    return result, start


def read_yaml(path):
    with open(path, encoding="utf-8") as file:
        return block(list(logical_lines(file.read())), 0)[0]


def seconds_of(text):
    return sum(int(n) * UNITS[unit] for n, unit in re.findall(r"(\d+)([dhms])", text))


# ---- working time ----


def stretches_of(hours):
    """["08:30-12:00", ...] as times of the day."""
    return [] if hours == "off" else [
        tuple(datetime.timedelta(hours=int(t[:2]), minutes=int(t[3:])) for t in stretch.split("-"))
        for stretch in hours
    ]


class WorkingTime:
    """The working stretches of a calendar as instants, with the working time before each."""

    def __init__(self, calendar, zone, first_year):
        self.zone = zoneinfo.ZoneInfo(calendar.get("zone", zone))
        week = calendar["week"]
        self.week = [stretches_of(week.get(day, "off")) for day in WEEKDAYS]
        makeup = calendar.get("makeup", week.get("monday"))
        self.special = {
            datetime.date.fromisoformat(day): stretches_of(
                makeup if special["hours"] == "working" else special["hours"])
            for day, special in calendar.get("days", {}).items()
        }
        self.next_day = datetime.date(first_year, 1, 1)
        self.starts, self.ends, self.before, self.after = [], [], [], []

    def append_month(self):
        for _ in range(31):
            day, self.next_day = self.next_day, self.next_day + DAY
            midnight = datetime.datetime.combine(day, datetime.time())
            for edges in self.special.get(day, self.week[day.weekday()]):
                start, end = (int((midnight + edge).replace(tzinfo=self.zone).timestamp()) * USEC
                              for edge in edges)
                self.starts.append(start)
                self.ends.append(end)
                self.before.append(self.after[-1] if self.after else 0)
                self.after.append(self.before[-1] + end - start)

    def worked(self, at):
        """The working time before an instant."""
        while not self.ends or self.ends[-1] < at:
            self.append_month()
        i = bisect.bisect_right(self.starts, at) - 1
        return self.before[i] + min(at, self.ends[i]) - self.starts[i] if i >= 0 else 0

    def elapsed(self, since, until):
        return self.worked(until) - self.worked(since)

    def add(self, at, duration):
        """The first instant so much working time later, or the last one so much earlier."""
        if duration == 0:
            return at
        total = self.worked(at) + duration
        while self.after[-1] < total:
            self.append_month()
        if duration > 0:
            i = bisect.bisect_left(self.after, total)
        else:
            i = bisect.bisect_right(self.before, total) - 1
        return self.starts[i] + total - self.before[i]


ROUND_THE_CLOCK = {"zone": "UTC", "week": dict.fromkeys(WEEKDAYS, ["00:00-24:00"])}


class Ladder:
    def __init__(self, text):
        self.warn_percent = int(text.get("warn_at", "80%").rstrip("%"))
        self.recipients = [rung["to"] for rung in text["rungs"]]
        self.repeat = seconds_of(text.get("repeat", "8h")) * USEC
        self.offsets, total = [], 0  # of each rung after the deadline
        for rung in text["rungs"]:
            total += seconds_of(rung["after"]) * USEC
            self.offsets.append(total)

    def first_level(self):
        """0 is the warning."""
        return 0 if self.warn_percent else 1

    def offset(self, level):
        """How long after the deadline the event of a level from 1 on happens."""
        if level <= len(self.offsets):
            return self.offsets[level - 1]
        return self.offsets[-1] + (level - len(self.offsets)) * self.repeat


class Target:
    def __init__(self, calendar, ladder, clocks):
        self.calendar = calendar
        self.ladder = ladder
        self.seconds = clocks


class Policy:
    def __init__(self, path, first_year):
        text = read_yaml(path)
        calendars = text.get("calendars", {}) | {"always": ROUND_THE_CLOCK}
        self.zone = zoneinfo.ZoneInfo(text["zone"])
        self.tickets = text["tickets"]
        escalation = text.get("escalation", {})
        self.late_after = seconds_of(escalation.get("late_after", "5m"))
        self.suspect_jump = seconds_of(escalation.get("suspect_jump", "30d"))
        self.calendars = {name: WorkingTime(calendar, text["zone"], first_year)
                          for name, calendar in calendars.items()}
        self.ladders = {name: Ladder(ladder) for name, ladder in text["ladders"].items()}
        self.texts = text["targets"]
        self.targets = {}

    def target(self, case_type, priority, kind="ticket"):
        key = kind, case_type, priority
        if key not in self.targets:
            texts = self.texts[kind]
            text = texts["default"][priority] | texts.get(case_type, {}).get(priority, {})
            names = text.keys() - {"calendar", "ladder"}
            self.targets[key] = Target(self.calendars[text["calendar"]],
                                       self.ladders[text["ladder"]],
                                       {name: seconds_of(text[name]) for name in names})
        return self.targets[key]
