#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Holds the calendar against a slow reference of its own, over random calendars, and against the
State Council's notices. The real code answers through $BUILD/tests/calendar-oracle."""

import bisect
import csv
import datetime
import json
import os
import pathlib
import random
import struct
import subprocess
import tempfile
import time
import unittest
import unittest.mock
import zoneinfo

ROOT = pathlib.Path(__file__).resolve().parent.parent
ORACLE = ROOT / os.environ.get("BUILD", "build/release") / "tests" / "calendar-oracle"
HOLIDAYS = pathlib.Path(os.environ.get("AFTERSALES_DATA", ROOT / "../shared/data")) / "cn_holidays"
SEED = int(os.environ.get("SEED", "20260101"))

EPOCH = datetime.date(1970, 1, 1)
NAIVE_EPOCH = datetime.datetime(1970, 1, 1)
UTC_EPOCH = NAIVE_EPOCH.replace(tzinfo=datetime.timezone.utc)
DAY = 86400
USEC = 1_000_000
ALWAYS = [((0, DAY),)] * 7
OFFICE = ((9 * 3600, 12 * 3600), (13 * 3600, 18 * 3600))

# A year of interest each: of a change that is not like the others, or of ordinary ones.
ZONES = (
    ("UTC", 2024),
    ("Asia/Shanghai", 1986),
    ("Asia/Shanghai", 1991),
    ("Asia/Shanghai", 2026),
    ("America/New_York", 2024),
    ("America/New_York", 2100),
    ("Australia/Lord_Howe", 2024),
    ("Pacific/Apia", 2011),
    ("America/Havana", 2024),  # repeats the hour after midnight
    ("America/Sao_Paulo", 2018),  # skips it, repeats the one before
    ("America/St_Johns", 2006),  # goes back over midnight at 00:01
    ("Europe/Dublin", 2050),
    ("Asia/Gaza", 2010),
    ("Africa/Casablanca", 2023),  # twice a year for Ramadan
    ("America/Nuuk", 2060),
    ("Pacific/Chatham", 2024),
    ("Antarctica/Troll", 2024),  # two hours
)


def day_number(date):
    return (date - EPOCH).days


def at(text):
    """Microseconds of an ISO time with its offset."""
    return (datetime.datetime.fromisoformat(text) - UTC_EPOCH) // datetime.timedelta(microseconds=1)


def changes(offset, utc, days):
    """The instants within these days from which on another offset holds."""
    for day in range(utc, utc + days * DAY, DAY):
        before = offset(day)
        if before != offset(day + DAY):
            seconds = range(day, day + DAY + 1)
            yield day + bisect.bisect_left(seconds, True, key=lambda u: offset(u) != before)


class Oracle:
    """The real code."""

    def __init__(self, **environment):
        self.process = subprocess.Popen(
            [ORACLE],
            env=os.environ | environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            encoding="utf-8",
        )

    def close(self):
        self.process.stdin.close()
        self.process.stdout.close()
        if self.process.wait() != 0:
            raise AssertionError(f"{ORACLE} ended with {self.process.returncode}")

    def tell(self, *words):
        print(*words, file=self.process.stdin)

    def ask(self, *words):
        self.tell(*words)
        self.process.stdin.flush()
        return self.process.stdout.readline().rstrip("\n")

    def number(self, *words):
        answer = self.ask(*words)
        try:
            return int(answer)
        except ValueError:
            raise AssertionError(f"{words}: {answer}") from None

    def elapsed(self, start, end):
        return self.number("elapsed", start, end)

    def add(self, start, usec):
        return self.number("add", start, usec)

    def define(self, zone, week, special):
        """week: seven tuples of stretches; special: {day: (stretches, name)}"""
        self.tell("calendar", zone)
        for weekday, hours in enumerate(week):
            self.tell("week", weekday, hours_text(hours))
        for day, (hours, name) in sorted(special.items()):
            self.tell("special", day, hours_text(hours), name)
        answer = self.ask("build")
        if answer != "ok":
            raise AssertionError(f"{zone}: {answer}")


def hours_text(hours):
    return ",".join(f"{start}-{end}" for start, end in hours) or "-"


class ReferenceZone:
    def __init__(self, name):
        self.info = zoneinfo.ZoneInfo(name)

    def offset(self, utc):
        moment = UTC_EPOCH + datetime.timedelta(seconds=utc)
        return int(moment.astimezone(self.info).utcoffset().total_seconds())

    def occurrences(self, local):
        """The instants at which the wall clock shows this, and if there are none the change."""
        naive = (NAIVE_EPOCH + datetime.timedelta(seconds=local)).replace(tzinfo=self.info)
        candidates = sorted(
            {local - int(naive.replace(fold=fold).utcoffset().total_seconds()) for fold in (0, 1)}
        )
        found = [utc for utc in candidates if utc + self.offset(utc) == local]
        if found:
            return found, True
        return [next(changes(self.offset, candidates[0], 2))], False

    def first(self, local):
        return self.occurrences(local)[0][0]

    def last(self, local):
        return self.occurrences(local)[0][-1]

    def end(self, local):
        """After the last occurrence of the second before."""
        found, exists = self.occurrences(local - 1)
        return found[-1] + exists


class Reference:
    """Working time day by day, in the most simple-minded way."""

    def __init__(self, zone, week, special):
        self.zone = ReferenceZone(zone)
        self.week = week
        self.special = special
        self.known = {}

    def hours(self, day):
        if day in self.special:
            return self.special[day][0]
        return self.week[(day + 3) % 7]

    def stretches(self, day):
        if day not in self.known:
            self.known[day] = [
                (self.zone.first(day * DAY + start) * USEC, self.zone.end(day * DAY + end) * USEC)
                for start, end in self.hours(day)
            ]
        return self.known[day]

    @staticmethod
    def nearby_day(instant):
        return instant // (DAY * USEC)

    def elapsed(self, start, end):
        if end < start:
            return -self.elapsed(end, start)
        total = 0
        for day in range(self.nearby_day(start) - 2, self.nearby_day(end) + 3):
            for begin, until in self.stretches(day):
                begin = max(begin, start)
                until = min(until, end)
                if begin < until:
                    total += until - begin
                    start = until
        return total

    def add(self, start, usec):
        if usec == 0:
            return start
        day = self.nearby_day(start) - (2 if usec > 0 else -2)
        while True:
            for begin, until in self.stretches(day)[:: 1 if usec > 0 else -1]:
                if usec > 0:
                    begin = max(begin, start)
                    if begin < until:
                        if usec <= until - begin:
                            return begin + usec
                        usec -= until - begin
                        start = until
                else:
                    until = min(until, start)
                    if begin < until:
                        if -usec <= until - begin:
                            return until + usec
                        usec += until - begin
                        start = begin
            day += 1 if usec > 0 else -1

    def piece(self, instant):
        day = self.nearby_day(instant) + 2
        while self.zone.first(day * DAY) * USEC > instant:
            day -= 1
        begin = self.zone.first(day * DAY) * USEC
        end = self.zone.first((day + 1) * DAY) * USEC
        around = [s for near in range(day - 3, day + 4) for s in self.stretches(near)]
        working = any(start <= instant < until for start, until in around)
        # Walk from edge to edge while nothing changes, as far as the day goes.
        edges = sorted({begin, end, *(e for s in around for e in s if begin < e < end)})
        slices = [
            (a, b, any(start <= a < until for start, until in around))
            for a, b in zip(edges, edges[1:])
        ]
        middle = next(i for i, (a, b, _) in enumerate(slices) if a <= instant < b)
        low = high = middle
        while low > 0 and slices[low - 1][2] == working:
            low -= 1
        while high + 1 < len(slices) and slices[high + 1][2] == working:
            high += 1
        special = day in self.special
        if working and special:
            why = "special hours" if self.week[(day + 3) % 7] else "make-up day"
        elif working:
            why = "working hours"
        elif self.hours(day):
            why = "outside hours"
        else:
            why = "holiday" if special else "day off"
        name = self.special[day][1] if special else ""
        return f"{slices[low][0]} {slices[high][1]} {working:d} {why}|{name}"


class Generator:
    """Random calendars, and instants where something happens in them."""

    def __init__(self, seed, zone, year):
        self.random = random.Random(f"{seed} {zone} {year}")
        self.zone = zone
        self.year = year
        info = ReferenceZone(zone)
        start = self.first_day() * DAY
        self.changes = list(changes(info.offset, start, 365)) or [start]

    def first_day(self):
        return day_number(datetime.date(self.year, 1, 1))

    def hours(self, off=0.0):
        draw = self.random.random()
        if draw < off:
            return ()
        if draw < off + 0.15:
            return ((0, DAY),)
        if draw < off + 0.3:
            return OFFICE
        unit = self.random.choice((1, 60, 900, 1800, 3600))
        n = self.random.randint(1, 8)
        edges = sorted(self.random.sample(range(0, DAY + 1, unit), 2 * n))
        if self.random.random() < 0.3:
            edges[0] = 0
        if self.random.random() < 0.3:
            edges[-1] = DAY
        return tuple(zip(edges[::2], edges[1::2]))

    def week(self):
        while True:
            same = self.hours() if self.random.random() < 0.3 else None
            week = [same or self.hours(off=0.25) for _ in range(7)]
            if any(week):
                return week

    def focus(self):
        """A day near a change of the clock, or near New Year."""
        if self.random.random() < 0.2:
            return self.first_day() + self.random.choice((0, 365))
        return self.random.choice(self.changes) // DAY

    def special(self):
        days = {self.focus() + self.random.randint(-20, 20) for _ in range(30)}
        return {day: (self.hours(off=0.5), self.random.choice(("", "节", "a b"))) for day in days}

    def instant(self, reference):
        draw = self.random.random()
        if draw < 0.1:
            return self.random.randrange(at("1971-01-01T00:00Z"), at("2169-01-01T00:00Z"))
        day = self.focus() + self.random.choice((-1, 0, 1, self.random.randint(-30, 30)))
        edges = [edge for stretch in reference.stretches(day) for edge in stretch]
        if draw < 0.5 and edges:
            return self.random.choice(edges) + self.random.choice((0, 0, 0, -1, 1))
        return day * DAY * USEC + self.random.randrange(-DAY * USEC, DAY * USEC)

    def other(self, instant, reference):
        """Another one, mostly near, sometimes up to two years away."""
        if self.random.random() < 0.6:
            other = self.instant(reference)
            if abs(other - instant) < 60 * DAY * USEC:
                return other
        days = 750 if self.random.random() < 0.06 else 12
        return instant + self.random.randrange(-days * DAY * USEC, days * DAY * USEC)


class OracleTestCase(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.oracle = Oracle()
        cls.addClassCleanup(cls.oracle.close)

    def define(self, zone, week, special=None):
        self.oracle.define(zone, week, special or {})
        return Reference(zone, week, special or {})

    def random_calendars(self, rounds, check):
        for zone, year in ZONES:
            generator = Generator(SEED, zone, year)
            for number in range(rounds):
                week, special = generator.week(), generator.special()
                reference = self.define(zone, week, special)
                with self.subTest(seed=SEED, zone=zone, year=year, number=number, week=week):
                    check(generator, reference)


class AgreementTest(OracleTestCase):
    """The real code and the reference give the same, to the microsecond."""

    def test_elapsed_and_add(self):
        def check(generator, reference):
            for _ in range(60):
                start = generator.instant(reference)
                end = generator.other(start, reference)
                worked = reference.elapsed(start, end)
                self.assertEqual(self.oracle.elapsed(start, end), worked, (start, end))
                # This much ends at an edge often; a little less or more beside it.
                worked += generator.random.choice((0, 0, -1, 1, generator.random.randint(-99, 99)))
                expected = reference.add(start, worked)
                self.assertEqual(self.oracle.add(start, worked), expected, (start, worked))

        self.random_calendars(6, check)

    def test_pieces(self):
        def check(generator, reference):
            for _ in range(20):
                instant = generator.instant(reference)
                self.assertEqual(self.oracle.ask("piece", instant), reference.piece(instant))

        self.random_calendars(6, check)

    def test_days(self):
        def check(_, reference):
            for day in (*reference.special, *range(20000, 20007)):
                special = day in reference.special
                name = reference.special[day][1] if special else ""
                self.assertEqual(
                    self.oracle.ask("day", day),
                    f"{special:d} {hours_text(reference.hours(day))}|{name}",
                )

        self.random_calendars(2, check)


class ZoneTest(unittest.TestCase):
    """Offsets and instants as others have them."""

    def test_all_zones(self):
        """Every zone of the system, as Python's zoneinfo."""
        oracle = Oracle()
        self.addCleanup(oracle.close)
        for name in sorted(zoneinfo.available_timezones() - {"localtime"}):
            zone = ReferenceZone(name)
            draw = random.Random(f"{SEED} {name}")
            oracle.define(name, ALWAYS, {})
            with self.subTest(seed=SEED, zone=name):
                for _ in range(10):
                    utc = draw.randrange(at("1970-01-02T00:00Z"), at("2170-01-01T00:00Z")) // USEC
                    self.assertEqual(oracle.number("offset", utc), zone.offset(utc), utc)
                    # Local times about the next change, if there is one within half a year.
                    change = next(changes(zone.offset, utc, 190), utc)
                    local = change + zone.offset(change - 1) + draw.randrange(-DAY, DAY, 300)
                    for last, expected in enumerate((zone.first(local), zone.last(local))):
                        answer = oracle.number("instant", local, last)
                        self.assertEqual(answer, expected, (local, last))

    @staticmethod
    def random_rule(draw):
        """A footer; its changes keep off New Year, where the C library does not follow them."""

        def date(month):
            number = int(f"{datetime.date(2023, month, draw.randint(1, 28)):%j}")
            week = f"M{month}.{draw.randint(1, 5)}.{draw.randint(0, 6)}"
            hour = f"/{draw.randint(-167, 167)}:{draw.randint(0, 59):02}"
            return draw.choice((week, f"J{number}", f"{number - 1}")) + draw.choice(
                ("", "/0", "/24", "/2:30:15", hour)
            )

        standard = draw.randint(-13, 11)
        names = draw.choice((("AAA", "BBB"), ("<-01>", "<+1230>")))
        daylight = draw.choice(("", f"{standard - 2}:30", f"{standard + 1}"))
        dates = [date(draw.randint(2, 5)), date(draw.randint(7, 10))]
        draw.shuffle(dates)
        return f"{names[0]}{standard}{names[1]}{daylight},{','.join(dates)}", -standard * 3600

    def test_random_rules(self):
        """Rules in files of our own, as the C library; zoneinfo takes day n for the day before."""
        draw = random.Random(SEED)
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        oracle = Oracle(TZDIR=directory.name)
        self.addCleanup(oracle.close)
        self.addCleanup(time.tzset)
        for number in range(300):
            footer, offset = self.random_rule(draw)
            counts = struct.pack(">5s15x6l", b"TZif3", 0, 0, 0, 0, 1, 4)
            block = counts + struct.pack(">lBB4s", offset, 0, 0, b"AAA")
            path = pathlib.Path(directory.name, f"Rule{number}")
            path.write_bytes(block * 2 + f"\n{footer}\n".encode())
            oracle.define(path.name, ALWAYS, {})
            with self.subTest(footer=footer), unittest.mock.patch.dict(os.environ, TZ=footer):
                time.tzset()
                start = at(f"{draw.randrange(1971, 2169)}-01-01T00:00Z") // USEC
                found = list(changes(lambda utc: time.localtime(utc).tm_gmtoff, start, 365))
                self.assertEqual(len(found), 2)
                for utc in (*found, *(change - 1 for change in found)):
                    self.assertEqual(oracle.number("offset", utc), time.localtime(utc).tm_gmtoff)


class PropertyTest(OracleTestCase):
    """What must hold whatever the calendar is."""

    def test_there_and_back(self):
        def check(generator, reference):
            for _ in range(15):
                start = generator.instant(reference)
                usec = self.oracle.elapsed(start, generator.other(start, reference))
                there = self.oracle.add(start, usec)
                back = self.oracle.add(there, -usec)
                self.assertEqual(self.oracle.elapsed(start, there), usec)
                self.assertEqual(self.oracle.elapsed(start, back), 0)

        self.random_calendars(4, check)

    def test_elapsed_is_additive(self):
        def check(generator, reference):
            for _ in range(15):
                a = generator.instant(reference)
                b, c = (generator.other(a, reference) for _ in range(2))
                ab, bc, ac = (self.oracle.elapsed(*pair) for pair in ((a, b), (b, c), (a, c)))
                self.assertEqual(ab + bc, ac)
                self.assertLessEqual(abs(ac), abs(c - a))

        self.random_calendars(4, check)

    def test_pieces_tile_time(self):
        def check(generator, reference):
            start = instant = generator.instant(reference)
            worked = 0
            for _ in range(25):
                begin, end, working, _ = self.oracle.ask("piece", instant).split(" ", 3)
                self.assertTrue(int(begin) <= instant < int(end))
                if instant != start:
                    self.assertEqual(int(begin), instant)
                worked += (int(end) - instant) * int(working)
                instant = int(end)
            self.assertEqual(self.oracle.elapsed(start, instant), worked)

        self.random_calendars(4, check)

    def deadline(self, start, target, pauses):
        """When the time inside the running intervals reaches the target."""
        for begin, end in pauses:
            ran = self.oracle.elapsed(start, begin)
            if ran >= target:
                break
            target -= ran
            start = end
        return self.oracle.add(start, target)

    def test_pauses(self):
        """A pause moves the deadline by its working time: inside of hours by all of it, outside by
        nothing, and several by the sum."""
        seen = {"0": 0, "1": 0}

        def check(generator, reference):
            start = generator.instant(reference)
            target = generator.random.randrange(USEC, 40 * 3600 * USEC)
            deadline = self.deadline(start, target, [])
            moments = sorted(generator.random.randrange(start, deadline) for _ in range(8))
            for moment in moments:
                if self.oracle.elapsed(start, moment) >= target:
                    continue
                begin, end, working, _ = self.oracle.ask("piece", moment).split(" ", 3)
                pause = (max(int(begin), start), min(int(end), deadline))
                seen[working] += 1
                lost = (pause[1] - pause[0]) * int(working)
                self.assertEqual(
                    self.deadline(start, target, [pause]),
                    self.oracle.add(deadline, lost),
                    (start, target, pause),
                )
            pauses = list(zip(moments[::2], moments[1::2]))
            lost = sum(self.oracle.elapsed(*pause) for pause in pauses)
            paused = self.deadline(start, target, pauses)
            self.assertEqual(paused, self.oracle.add(deadline, lost), (start, target, pauses))

        self.random_calendars(6, check)
        self.assertGreater(min(seen.values()), 100)


@unittest.skipUnless(HOLIDAYS.is_dir(), f"no holiday data in {HOLIDAYS}")
class NoticeTest(OracleTestCase):
    """The holidays and make-up days of China, 2020 to 2026."""

    WEEK = [OFFICE] * 5 + [()] * 2

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.notices = {}
        for path in sorted((HOLIDAYS / "holiday-cn").glob("2*.json")):
            for day in json.loads(path.read_text(encoding="utf-8"))["days"]:
                date = datetime.date.fromisoformat(day["date"])
                cls.notices[day_number(date)] = (() if day["isOffDay"] else OFFICE, day["name"])
        # The notice before the extension of 2020-01-27.
        cls.original = dict(cls.notices)
        for day in ("2020-01-31", "2020-02-03"):
            del cls.original[day_number(datetime.date.fromisoformat(day))]
        cls.original[day_number(datetime.date(2020, 2, 1))] = (OFFICE, "春节")

    def worked_hours(self, date):
        start = at(f"{date}T00:00+08:00")
        return self.oracle.elapsed(start, start + DAY * USEC) / (3600 * USEC)

    def test_every_day(self):
        self.define("Asia/Shanghai", self.WEEK, self.notices)
        path = HOLIDAYS / "calendar_2020_2026.csv"
        workdays = dict.fromkeys(range(2020, 2027), 0)
        with path.open(encoding="utf-8", newline="") as table:
            for row in csv.DictReader(table):
                with self.subTest(row=row):
                    date = datetime.date.fromisoformat(row["date"])
                    works = row["is_workday"] == "1"
                    workdays[date.year] += works
                    self.assertEqual(self.worked_hours(date), 8 * works)
                    hours = hours_text(OFFICE if works else ())
                    self.assertEqual(
                        self.oracle.ask("day", day_number(date)),
                        f"{bool(row['mark']):d} {hours}|{row['name']}",
                    )
        self.assertEqual(list(workdays.values()), [249, 250, 249, 249, 251, 248, 248])

    def test_revision(self):
        """Only two days differ, and only deadlines beyond the first of them move."""
        answers = []
        for days in (self.original, self.notices):
            self.define("Asia/Shanghai", self.WEEK, days)
            dates = (datetime.date(2020, 1, 1) + datetime.timedelta(n) for n in range(366))
            worked = {str(date): self.worked_hours(date) for date in dates}
            opened = at("2020-01-23T16:00+08:00")
            targets = (2, 4, 10, 14, 18, 26)
            deadlines = [self.oracle.add(opened, hours * 3600 * USEC) for hours in targets]
            answers.append((worked, deadlines))
        (before, old), (after, new) = answers
        changed = {date: (before[date], after[date]) for date in before
                   if before[date] != after[date]}
        self.assertEqual(changed, {"2020-01-31": (8, 0), "2020-02-01": (8, 0)})
        self.assertEqual(old, [at(t + ":00+08:00") for t in (
            "2020-01-23T18", "2020-01-31T11", "2020-01-31T18", "2020-02-01T14",
            "2020-02-01T18", "2020-02-03T18")])
        self.assertEqual(new, [at(t + ":00+08:00") for t in (
            "2020-01-23T18", "2020-02-03T11", "2020-02-03T18", "2020-02-04T14",
            "2020-02-04T18", "2020-02-05T18")])


if __name__ == "__main__":
    unittest.main()
