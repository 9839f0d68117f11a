/* SPDX-License-Identifier: Apache-2.0 */

/* A calendar from the first bytes, in the zone that the rest is as a file of the system: without a
 * rest in one of those that the system has. A zone tells the same as the C library does, and
 * working time is what a walk over its minutes finds; adding it is monotonic and the inverse of
 * measuring it. */

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "aftersales/limits.h"
#include "base/zone.h"
#include "bytes.h"
#include "fuzz.h"
#include "loop/calendar.h"

#define CALENDAR_BYTES ((size_t)160) /* that say what the calendar is, and what is asked of it */
#define SPECIAL_DAYS   6
#define INSTANTS       6
#define DAY_MINUTES    (24 * 60)
#define WALK_MINUTES   DAY_MINUTES
#define PIECES         16
#define WORK_SHARE     16 /* of time: so that little work does not mean many years */
#define ZONE_FILE      "Zone"
#define DAY            INT64_C(86400)
#define YEAR           (365 * DAY)

/* A year in which the clock changes, or midnight is skipped or comes twice, or none of these. */
static const struct {
        const char *name;
        int year;
} zones[] = {
        { "UTC", 2024 },
        { "Asia/Shanghai", 2026 },
        { "Asia/Shanghai", 1988 },
        { "America/New_York", 2024 },
        { "America/Havana", 2024 },
        { "America/Sao_Paulo", 2018 },
        { "America/St_Johns", 2006 },
        { "Australia/Lord_Howe", 2024 },
        { "Pacific/Apia", 2011 },
        { "Africa/Casablanca", 2023 },
        { "Antarctica/Troll", 2024 },
        { "Europe/Dublin", 2100 },
};

/* ---- the zone ---- */

static char directory[] = "/tmp/fuzz-calendar.XXXXXX";
static char file_path[PATH_MAX];

static void clean_up(void) {
        unlink(file_path);
        rmdir(directory);
}

static void prepare(void) {
        if (*file_path)
                return;
        assert(mkdtemp(directory));
        snprintf(file_path, sizeof(file_path), "%s/" ZONE_FILE, directory);
        atexit(clean_up);
}

static void write_file(const uint8_t *data, size_t size) {
        int fd = open(file_path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

        assert(fd >= 0 && write(fd, data, size) == (ssize_t)size);
        close(fd);
}

/* The library reads a file again only when another zone was asked for between. */
static void set_library_zone(const char *name) {
        setenv("TZ", name, 1);
        tzset();
}

static long library_offset(int64_t utc) {
        const time_t at = utc;
        struct tm tm;

        assert(localtime_r(&at, &tm));
        return tm.tm_gmtoff;
}

static int64_t time_at(const uint8_t *bytes) {
        int64_t time;

        memcpy(&time, bytes, sizeof(time));
        return (int64_t)be64toh((uint64_t)time);
}

/* Between the first and the last change that a file lists (in its second block: 44 bytes, how many
 * at 32, then the times). Outside of that the library goes by what the file says once more, which
 * only in a file of the system is the same. */
static bool is_listed(const uint8_t *file, size_t size, int64_t utc) {
        const uint8_t *block = size > 44 ? memmem(file + 4, size - 4, "TZif", 4) : NULL;
        size_t left = block ? size - (size_t)(block - file) : 0;
        uint32_t n;

        if (left < 44)
                return false;
        memcpy(&n, block + 32, sizeof(n));
        n = be32toh(n);
        return n > 0 && n <= (left - 44) / 8 && utc >= time_at(block + 44) &&
               utc < time_at(block + 44 + (n - 1) * 8);
}

static void check_library(const Zone *zone, const int64_t *instants, size_t n, const uint8_t *file,
                          size_t size) {
        char name[NAME_MAX_BYTES + 2];

        snprintf(name, sizeof(name), ":%s", zone_name(zone));
        set_library_zone("UTC0");
        set_library_zone(name);
        for (size_t i = 0; i < n; i++)
                if (!file || is_listed(file, size, instants[i])) {
                        long offset = library_offset(instants[i]);

                        /* what the library refuses is UTC for it */
                        assert(offset == 0 || offset == zone_offset(zone, instants[i]));
                }
}

/* What is said of instants and local times holds together. */
static void check_zone(const Zone *zone, const int64_t *instants, size_t n) {
        for (size_t i = 0; i < n; i++) {
                int64_t utc = instants[i], local = utc + zone_offset(zone, utc);
                int64_t first = zone_instant(zone, local, ZONE_FIRST);
                int64_t last = zone_instant(zone, local, ZONE_LAST);
                int32_t days, second;

                assert(first <= utc && utc <= last);
                assert(zone_instant(zone, local - 1, ZONE_FIRST) <= first);
                assert(zone_instant(zone, local - 1, ZONE_LAST) <= last);
                zone_local(zone, utc, &days, &second);
                assert(second >= 0 && second < DAY && days * DAY + second == local);
        }
}

/* ---- the calendar ---- */

typedef struct Question {
        CalendarSpec spec;
        SpecialDay days[SPECIAL_DAYS];
        int64_t instants[INSTANTS]; /* seconds */
} Question;

/* Whole minutes, ascending and apart. */
static DayHours take_hours(Bytes *bytes) {
        DayHours hours = {};
        size_t n = take_below(bytes, 4);
        int minute = (int)take_below(bytes, 250);

        while (hours.n < n && minute < DAY_MINUTES) {
                DayStretch *stretch = &hours.stretches[hours.n++];

                stretch->from = minute * 60;
                minute = MIN(minute + 1 + (int)take_byte(bytes) * 6, DAY_MINUTES);
                stretch->until = minute * 60;
                minute += 1 + (int)take_byte(bytes) * 2;
        }
        return hours;
}

static void take_spec(Bytes *bytes, int32_t day, Question *ret) {
        size_t kinds = 1 + take_below(bytes, 7);
        DayHours hours[7];

        for (size_t i = 0; i < kinds; i++)
                hours[i] = take_hours(bytes);
        for (size_t i = 0; i < ELEMENTS(ret->spec.week); i++)
                ret->spec.week[i] = hours[i % kinds];
        for (size_t i = 0; i < take_below(bytes, SPECIAL_DAYS + 1); i++) {
                day += 1 + (int32_t)take_below(bytes, 5);
                ret->days[ret->spec.n_days++] =
                        (SpecialDay){ .day = day, .hours = take_hours(bytes) };
        }
        ret->spec.days = ret->days;
}

/* Days around one, to the second. */
static int64_t take_instant(Bytes *bytes, int64_t middle) {
        int64_t minutes = (int16_t)(take_byte(bytes) << 8 | take_byte(bytes));
        uint8_t second = take_byte(bytes);

        return middle + minutes * 60 + (second < 60 ? second : 0);
}

static int compare_instants(const void *a, const void *b) {
        int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

        return (x > y) - (x < y);
}

static void take_question(Bytes *bytes, Question *ret) {
        size_t zone = take_below(bytes, ELEMENTS(zones));
        bool within = take_byte(bytes) < 250; /* else over all years */
        int32_t day = days_from_civil(zones[zone].year, 1, 1) +
                      (int32_t)(take_byte(bytes) << 8 | take_byte(bytes)) % 366;
        int64_t middle = day * DAY;

        *ret = (Question){};
        ret->spec.name = (char *)"fuzz";
        ret->spec.zone = (char *)zones[zone].name;
        take_spec(bytes, day - 10, ret);
        for (size_t i = 0; i < INSTANTS; i++) {
                if (!within)
                        middle = (int64_t)take_below(bytes, 199) * YEAR + 50 * DAY;
                ret->instants[i] = take_instant(bytes, middle);
        }
        qsort(ret->instants, INSTANTS, sizeof(ret->instants[0]), compare_instants);
}

static int64_t elapsed(Calendar *calendar, int64_t from, int64_t until) {
        int64_t worked;

        assert(calendar_elapsed(calendar, from, until, &worked) == 0);
        return worked;
}

/* False: beyond the years that a calendar has. */
static bool add(Calendar *calendar, int64_t from, int64_t usec, int64_t *ret) {
        int r = calendar_add(calendar, from, usec, ret);

        assert(r == 0 || r == -ERANGE);
        return r == 0;
}

static void check_add(Calendar *calendar, int64_t from, int64_t usec) {
        int64_t at, further, back;

        if (usec > 0 && add(calendar, from, usec, &at)) {
                assert(at > from && elapsed(calendar, from, at) == usec);
                assert(elapsed(calendar, from, at - 1) == usec - 1); /* the earliest */
                if (add(calendar, from, 2 * usec, &further))
                        assert(add(calendar, at, usec, &back) && back == further);
        }
        if (usec > 0 && add(calendar, from, -usec, &at)) {
                assert(at < from && elapsed(calendar, at, from) == usec);
                assert(elapsed(calendar, at + 1, from) == usec - 1); /* the latest */
        }
        assert(add(calendar, from, 0, &at) && at == from);
}

/* a <= b <= c */
static void check_elapsed(Calendar *calendar, int64_t a, int64_t b, int64_t c) {
        int64_t worked = elapsed(calendar, a, c), from_a, from_b;

        assert(worked >= 0 && worked <= c - a);
        assert(elapsed(calendar, c, a) == -worked);
        assert(elapsed(calendar, a, b) + elapsed(calendar, b, c) == worked);
        if (add(calendar, a, worked, &from_a))
                assert(from_a <= c);
        if (add(calendar, a, worked + 1, &from_a))
                assert(from_a > c);
        if (add(calendar, a, worked, &from_a) && add(calendar, b, worked, &from_b))
                assert(from_a <= from_b);
}

static void check_pieces(Calendar *calendar, int64_t from) {
        int64_t at = from, worked = 0;

        for (size_t i = 0; i < PIECES; i++) {
                CalendarPiece piece;
                int r = calendar_piece(calendar, at, &piece);

                if (r == -ERANGE)
                        return;
                assert(r == 0 && piece.from <= at && at < piece.until);
                if (piece.working)
                        worked += piece.until - at;
                at = piece.until;
                if (calendar_elapsed(calendar, from, at, &(int64_t){ 0 }) == 0)
                        assert(elapsed(calendar, from, at) == worked);
        }
}

/* Where the clock does not change, as the wall clock shows it. */
static void check_walk(Calendar *calendar, const CalendarSpec *spec, const Zone *zone,
                       int64_t from) {
        int64_t worked = 0;
        int32_t offset = zone_offset(zone, from), day, second;

        from -= from % 60;
        if (offset % 60 != 0)
                return;
        for (int64_t at = from - 2 * DAY; at < from + WALK_MINUTES * 60 + 2 * DAY; at += 3600)
                if (zone_offset(zone, at) != offset)
                        return;
        for (int64_t at = from; at < from + INT64_C(60) * WALK_MINUTES; at += 60) {
                const DayHours *hours;

                zone_local(zone, at, &day, &second);
                hours = &spec->week[weekday_from_days(day)];
                for (size_t i = 0; i < spec->n_days; i++)
                        if (spec->days[i].day == day)
                                hours = &spec->days[i].hours;
                for (size_t i = 0; i < hours->n; i++)
                        if (hours->stretches[i].from <= second &&
                            second < hours->stretches[i].until)
                                worked += 60;
        }
        assert(elapsed(calendar, from * USEC_PER_SEC,
                       (from + INT64_C(60) * WALK_MINUTES) * USEC_PER_SEC) ==
               worked * USEC_PER_SEC);
}

static void check_calendar(const Question *q, const Zone *zone) {
        int64_t at[INSTANTS];
        Calendar *calendar;
        int r = calendar_new(&q->spec, &calendar);

        if (r == -ERANGE) /* a week without work */
                return;
        assert(r == 0);
        for (size_t i = 0; i < INSTANTS; i++)
                at[i] = q->instants[i] * USEC_PER_SEC;
        for (size_t i = 0; i < INSTANTS; i++) {
                check_add(calendar, at[i], (at[i] - at[0]) / WORK_SHARE);
                check_add(calendar, at[i], USEC_PER_SEC);
        }
        check_elapsed(calendar, at[0], at[1], at[2]);
        check_elapsed(calendar, at[0], at[INSTANTS - 2], at[INSTANTS - 1]);
        check_pieces(calendar, at[0]);
        check_walk(calendar, &q->spec, zone, q->instants[0]);
        calendar_free(calendar);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        Bytes bytes = { data, MIN(size, CALENDAR_BYTES) };
        const uint8_t *file = size > CALENDAR_BYTES ? data + CALENDAR_BYTES : NULL;
        Question q;
        Zone *zone;

        prepare();
        take_question(&bytes, &q);
        size -= MIN(size, CALENDAR_BYTES);
        if (file) {
                write_file(file, size);
                setenv("TZDIR", directory, 1);
                q.spec.zone = (char *)ZONE_FILE;
        } else
                unsetenv("TZDIR");
        if (zone_load(q.spec.zone, &zone) < 0)
                return 0;
        check_zone(zone, q.instants, INSTANTS);
        check_library(zone, q.instants, INSTANTS, file, size);
        check_calendar(&q, zone);
        zone_free(zone);
        return 0;
}
