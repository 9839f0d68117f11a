/* SPDX-License-Identifier: Apache-2.0 */

#include "loop/calendar.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "base/macro.h"
#include "base/zone.h"

#define H(hours)    ((hours)*3600)
#define M(minutes)  ((minutes)*60)
#define MINUTE_USEC (60 * USEC_PER_SEC)

#define HOURS(...)                                                                                 \
        {                                                                                          \
                sizeof((DayStretch[]){ __VA_ARGS__ }) / sizeof(DayStretch), {                      \
                        __VA_ARGS__                                                                \
                }                                                                                  \
        }
#define EVERY_DAY(...)                                                                             \
        {                                                                                          \
                HOURS(__VA_ARGS__), HOURS(__VA_ARGS__), HOURS(__VA_ARGS__), HOURS(__VA_ARGS__),    \
                        HOURS(__VA_ARGS__), HOURS(__VA_ARGS__), HOURS(__VA_ARGS__)                 \
        }
#define MORNING                                                                                    \
        { H(9), H(12) }
#define AFTERNOON                                                                                  \
        { H(13), H(18) }
#define OFFICE_DAY HOURS(MORNING, AFTERNOON)

typedef struct Week {
        DayHours days[7];
} Week;

static const Week office = { { OFFICE_DAY, OFFICE_DAY, OFFICE_DAY, OFFICE_DAY, OFFICE_DAY } };
static const Week always = { EVERY_DAY({ 0, H(24) }) };
static const Week nights = { EVERY_DAY({ 0, H(6) }, { H(22), H(24) }) };
static const Week saturdays = { { [5] = HOURS({ H(22), H(24) }) } };
static const Week first_hour = { EVERY_DAY({ 0, H(1) }) };
static const Week second_hour = { EVERY_DAY({ H(1), H(2) }) };
static const Week third_hour = { EVERY_DAY({ H(2), H(3) }) };
static const Week from_half_past_two = { EVERY_DAY({ H(2) + M(30), H(4) }) };
static const Week broken_hour = { EVERY_DAY({ H(1), H(1) + M(30) }, { H(1) + M(45), H(3) }) };
static const Week mondays_minute = { { HOURS({ H(9), H(9) + M(1) }) } };

/* The National Day of 2026, its make-up days, and a short New Year's Eve. */
static SpecialDay special_days[10] = { 0 };

static int setup_special_days(_unused_ void **state) {
        char *national = (char *)"国庆节", *eve = (char *)"年会";
        SpecialDay makeup = { .hours = HOURS({ H(10), H(16) }), .name = national };
        size_t n = 0;

        makeup.day = days_from_civil(2026, 9, 20);
        special_days[n++] = makeup;
        for (int day = 1; day <= 7; day++)
                special_days[n++] =
                        (SpecialDay){ .day = days_from_civil(2026, 10, day), .name = national };
        makeup.day = days_from_civil(2026, 10, 10);
        special_days[n++] = makeup;
        special_days[n++] = (SpecialDay){
                .day = days_from_civil(2026, 12, 31),
                .hours = HOURS(MORNING),
                .name = eve,
        };
        return n == ELEMENTS(special_days) ? 0 : -1;
}

static CalendarSpec spec_make(const Week *week, const char *zone) {
        CalendarSpec spec = {
                .name = (char *)"test",
                .zone = (char *)zone,
                .days = special_days,
                .n_days = STREQ(zone, "Asia/Shanghai") ? ELEMENTS(special_days) : 0,
        };

        memcpy(spec.week, week->days, sizeof(spec.week));
        return spec;
}

DEFINE_CLEANUP(Calendar *, calendar_free);

/* "2026-10-08 09:00 +0800" */
static int64_t instant(const char *text) {
        struct tm tm = { 0 };
        int east;

        assert_int_equal(sscanf(text, "%d-%d-%d %d:%d %d", &tm.tm_year, &tm.tm_mon, &tm.tm_mday,
                                &tm.tm_hour, &tm.tm_min, &east),
                         6);
        tm.tm_year -= 1900;
        tm.tm_mon -= 1;
        return (timegm(&tm) - H(east / 100) - M(east % 100)) * USEC_PER_SEC;
}

/* ---- elapsed --------------------------------------------------------------------------------- */

static const struct {
        const Week *week;
        const char *zone, *from, *until;
        int minutes;
} elapsed_cases[] = {
        /* a day, lunch, night, weekend */
        { &office, "Asia/Shanghai", "2026-11-02 09:00 +0800", "2026-11-02 18:00 +0800", 480 },
        { &office, "Asia/Shanghai", "2026-11-02 11:30 +0800", "2026-11-02 13:30 +0800", 60 },
        { &office, "Asia/Shanghai", "2026-11-02 12:00 +0800", "2026-11-02 13:00 +0800", 0 },
        { &office, "Asia/Shanghai", "2026-11-02 17:00 +0800", "2026-11-03 10:00 +0800", 120 },
        { &office, "Asia/Shanghai", "2026-11-06 17:00 +0800", "2026-11-09 10:00 +0800", 120 },
        { &office, "Asia/Shanghai", "2026-11-07 00:00 +0800", "2026-11-09 09:00 +0800", 0 },
        /* a Sunday to make up for it, the holiday, a Saturday likewise, a short day */
        { &office, "Asia/Shanghai", "2026-09-20 00:00 +0800", "2026-09-21 00:00 +0800", 360 },
        { &office, "Asia/Shanghai", "2026-09-30 17:00 +0800", "2026-10-08 10:00 +0800", 120 },
        { &office, "Asia/Shanghai", "2026-10-09 18:00 +0800", "2026-10-12 09:00 +0800", 360 },
        { &office, "Asia/Shanghai", "2026-12-31 00:00 +0800", "2027-01-01 00:00 +0800", 180 },
        /* every minute of a year, and of all years */
        { &always, "UTC", "2026-01-01 00:00 +0000", "2027-01-01 00:00 +0000", 365 * 1440 },
        { &always, "UTC", "1970-01-01 00:00 +0000", "2171-01-01 00:00 +0000", 73414 * 1440 },
        /* China's daylight saving */
        { &always, "Asia/Shanghai", "1986-05-04 00:00 +0800", "1986-05-05 00:00 +0900", 1380 },
        { &always, "Asia/Shanghai", "1986-09-14 00:00 +0900", "1986-09-15 00:00 +0800", 1500 },
        { &office, "Asia/Shanghai", "1988-07-04 09:00 +0900", "1988-07-04 18:00 +0900", 480 },
        /* skipped 02:00-03:00 */
        { &always, "America/New_York", "2024-03-10 00:00 -0500", "2024-03-11 00:00 -0400", 1380 },
        { &third_hour, "America/New_York", "2024-03-10 00:00 -0500", "2024-03-11 00:00 -0400", 0 },
        { &from_half_past_two, "America/New_York", "2024-03-10 00:00 -0500",
          "2024-03-11 00:00 -0400", 60 },
        /* repeated 01:00-02:00 */
        { &always, "America/New_York", "2024-11-03 00:00 -0400", "2024-11-04 00:00 -0500", 1500 },
        { &first_hour, "America/New_York", "2024-11-03 00:00 -0400", "2024-11-04 00:00 -0500", 60 },
        { &second_hour, "America/New_York", "2024-11-03 00:00 -0400", "2024-11-04 00:00 -0500",
          120 },
        { &third_hour, "America/New_York", "2024-11-03 00:00 -0400", "2024-11-04 00:00 -0500", 60 },
        { &broken_hour, "America/New_York", "2024-11-03 00:00 -0400", "2024-11-04 00:00 -0500",
          180 },
        /* by half an hour, and with midnight repeated: Sunday's hour is not Saturday's */
        { &always, "Australia/Lord_Howe", "2024-10-06 00:00 +1030", "2024-10-07 00:00 +1100",
          1410 },
        { &always, "Australia/Lord_Howe", "2024-04-07 00:00 +1100", "2024-04-08 00:00 +1030",
          1470 },
        { &saturdays, "America/Havana", "2024-11-02 00:00 -0400", "2024-11-04 00:00 -0500", 120 },
        { &nights, "America/Havana", "2024-11-02 12:00 -0400", "2024-11-03 12:00 -0500", 540 },
        /* a day that was not */
        { &always, "Pacific/Apia", "2011-12-29 00:00 -1000", "2012-01-01 00:00 +1400", 2880 },
        { &office, "Pacific/Apia", "2011-12-29 18:00 -1000", "2012-01-02 09:00 +1400", 0 },
};

static void test_elapsed(_unused_ void **state) {
        for (size_t i = 0; i < ELEMENTS(elapsed_cases); i++) {
                CalendarSpec spec = spec_make(elapsed_cases[i].week, elapsed_cases[i].zone);
                int64_t from = instant(elapsed_cases[i].from);
                int64_t until = instant(elapsed_cases[i].until), usec;
                _cleanup_(cleanup_calendar_free) Calendar *calendar = NULL;

                assert_int_equal(calendar_new(&spec, &calendar), 0);
                assert_string_equal(calendar_name(calendar), "test");
                assert_int_equal(calendar_elapsed(calendar, from, until, &usec), 0);
                if (usec != elapsed_cases[i].minutes * MINUTE_USEC)
                        fail_msg("%s, %s to %s: %lld us, not %d minutes", elapsed_cases[i].zone,
                                 elapsed_cases[i].from, elapsed_cases[i].until, (long long)usec,
                                 elapsed_cases[i].minutes);
                assert_int_equal(calendar_elapsed(calendar, until, from, &usec), 0);
                assert_int_equal(usec, -elapsed_cases[i].minutes * MINUTE_USEC);
        }
}

/* A zone that no legislator made yet: at half past midnight of New Year the clock goes back an
 * hour. The last evening's stretch reaches into the new year then, and belongs to both. */
static void test_new_year_repeated(_unused_ void **state) {
        static const Week evenings = { EVERY_DAY({ H(22), H(24) }) };
        static const char image[] = "TZif\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0" /* version 1 */
                                    "\0\0\0\0\0\0\0\0\0\0\0\0"
                                    "\0\0\0\1\0\0\0\2\0\0\0\4"     /* a change, two types */
                                    "\x4b\x3d\x35\xa8\1"           /* 2009-12-31 23:30 UTC */
                                    "\0\0\x0e\x10\0\0\0\0\0\0\0\0" /* +1 h, 0 */
                                    "AAA";
        char directory[] = "/tmp/test-calendar-XXXXXX", path[sizeof(directory) + 8];
        int64_t noon = instant("2009-12-31 12:00 +0100");
        int64_t evening = instant("2009-12-31 22:00 +0100");
        int64_t midnight = instant("2010-01-01 00:00 +0000"), t;
        CalendarSpec spec = spec_make(&evenings, "Zone");
        _cleanup_(cleanup_calendar_free) Calendar *calendar = NULL;
        FILE *file;

        assert_non_null(mkdtemp(directory));
        snprintf(path, sizeof(path), "%s/Zone", directory);
        file = fopen(path, "we");
        assert_non_null(file);
        assert_int_equal(fwrite(image, sizeof(image), 1, file), 1);
        assert_int_equal(fclose(file), 0);
        assert_int_equal(setenv("TZDIR", directory, 1), 0);
        assert_int_equal(calendar_new(&spec, &calendar), 0);
        assert_int_equal(unsetenv("TZDIR"), 0);
        assert_int_equal(unlink(path), 0);
        assert_int_equal(rmdir(directory), 0);

        assert_int_equal(calendar_elapsed(calendar, noon, midnight + 12 * 60 * MINUTE_USEC, &t), 0);
        assert_int_equal(t, 180 * MINUTE_USEC);
        assert_int_equal(calendar_add(calendar, noon, 180 * MINUTE_USEC, &t), 0);
        assert_int_equal(t, midnight);
        assert_int_equal(calendar_add(calendar, midnight, -180 * MINUTE_USEC, &t), 0);
        assert_int_equal(t, evening);
}

/* ---- add ------------------------------------------------------------------------------------- */

static const struct {
        const Week *week;
        const char *zone, *from;
        int minutes;
        const char *expected;
} add_cases[] = {
        { &office, "Asia/Shanghai", "2026-11-02 10:00 +0800", 60, "2026-11-02 11:00 +0800" },
        { &office, "Asia/Shanghai", "2026-11-07 10:00 +0800", 0, "2026-11-07 10:00 +0800" },
        /* exactly at the end of a stretch stays there, going back at its start */
        { &office, "Asia/Shanghai", "2026-11-02 10:00 +0800", 120, "2026-11-02 12:00 +0800" },
        { &office, "Asia/Shanghai", "2026-11-02 10:00 +0800", 121, "2026-11-02 13:01 +0800" },
        { &office, "Asia/Shanghai", "2026-11-02 13:00 +0800", 300, "2026-11-02 18:00 +0800" },
        { &office, "Asia/Shanghai", "2026-11-02 15:00 +0800", -120, "2026-11-02 13:00 +0800" },
        { &office, "Asia/Shanghai", "2026-11-02 15:00 +0800", -121, "2026-11-02 11:59 +0800" },
        { &office, "Asia/Shanghai", "2026-11-02 12:00 +0800", 60, "2026-11-02 14:00 +0800" },
        { &office, "Asia/Shanghai", "2026-11-02 13:00 +0800", -60, "2026-11-02 11:00 +0800" },
        /* from outside of hours, over the weekend, over the holiday */
        { &office, "Asia/Shanghai", "2026-11-07 10:00 +0800", 60, "2026-11-09 10:00 +0800" },
        { &office, "Asia/Shanghai", "2026-11-07 10:00 +0800", -60, "2026-11-06 17:00 +0800" },
        { &office, "Asia/Shanghai", "2026-09-30 17:00 +0800", 60 + 480 * 2 + 60,
          "2026-10-10 11:00 +0800" },
        { &office, "Asia/Shanghai", "2026-10-08 10:00 +0800", -120, "2026-09-30 17:00 +0800" },
        { &office, "Asia/Shanghai", "2026-12-31 11:00 +0800", 120, "2027-01-01 10:00 +0800" },
        { &office, "Asia/Shanghai", "2027-01-01 10:00 +0800", -120, "2026-12-31 11:00 +0800" },
        /* midnight and New Year within a stretch */
        { &always, "UTC", "2026-12-31 23:00 +0000", 60, "2027-01-01 00:00 +0000" },
        { &always, "UTC", "2027-01-01 01:00 +0000", -60, "2027-01-01 00:00 +0000" },
        { &always, "UTC", "2024-12-31 23:00 +0000", 366 * 1440, "2026-01-01 23:00 +0000" },
        { &nights, "Asia/Shanghai", "2025-12-31 22:00 +0800", 480, "2026-01-01 06:00 +0800" },
        { &nights, "Asia/Shanghai", "2025-12-31 22:00 +0800", 481, "2026-01-01 22:01 +0800" },
        /* what really passed in a night of the change */
        { &nights, "America/New_York", "2024-03-09 22:00 -0500", 420, "2024-03-10 06:00 -0400" },
        { &nights, "America/New_York", "2024-11-02 22:00 -0400", 540, "2024-11-03 06:00 -0500" },
        { &second_hour, "America/New_York", "2024-11-03 00:00 -0400", 90,
          "2024-11-03 01:30 -0500" },
        { &third_hour, "America/New_York", "2024-03-09 02:00 -0500", 61, "2024-03-11 02:01 -0400" },
        { &always, "Pacific/Apia", "2011-12-29 23:00 -1000", 120, "2011-12-31 01:00 +1400" },
};

static void test_add(_unused_ void **state) {
        for (size_t i = 0; i < ELEMENTS(add_cases); i++) {
                CalendarSpec spec = spec_make(add_cases[i].week, add_cases[i].zone);
                _cleanup_(cleanup_calendar_free) Calendar *calendar = NULL;
                int64_t at;

                assert_int_equal(calendar_new(&spec, &calendar), 0);
                assert_int_equal(calendar_add(calendar, instant(add_cases[i].from),
                                              add_cases[i].minutes * MINUTE_USEC, &at),
                                 0);
                if (at != instant(add_cases[i].expected))
                        fail_msg("%s %s + %d minutes: %lld us after %s", add_cases[i].zone,
                                 add_cases[i].from, add_cases[i].minutes,
                                 (long long)(at - instant(add_cases[i].expected)),
                                 add_cases[i].expected);
        }
}

static void test_microseconds(_unused_ void **state) {
        CalendarSpec spec = spec_make(&office, "Asia/Shanghai");
        _cleanup_(cleanup_calendar_free) Calendar *calendar = NULL;
        int64_t noon = instant("2026-11-02 12:00 +0800"), one = instant("2026-11-02 13:00 +0800"),
                t;

        assert_int_equal(calendar_new(&spec, &calendar), 0);
        assert_int_equal(calendar_elapsed(calendar, noon - 1, one + 1, &t), 0);
        assert_int_equal(t, 2);
        assert_int_equal(calendar_add(calendar, noon - 1, 1, &t), 0);
        assert_int_equal(t, noon);
        assert_int_equal(calendar_add(calendar, noon - 1, 2, &t), 0);
        assert_int_equal(t, one + 1);
        assert_int_equal(calendar_add(calendar, one + 1, -1, &t), 0);
        assert_int_equal(t, one);
        assert_int_equal(calendar_add(calendar, one + 1, -2, &t), 0);
        assert_int_equal(t, noon - 1);
}

/* ---- the range ------------------------------------------------------------------------------- */

static void test_range(_unused_ void **state) {
        CalendarSpec spec = spec_make(&mondays_minute, "Asia/Shanghai");
        int64_t start = instant("1970-01-01 00:00 +0800"), end = instant("2171-01-01 00:00 +0800");
        _cleanup_(cleanup_calendar_free) Calendar *calendar = NULL;
        CalendarPiece piece;
        CalendarDay day;
        int64_t t = 42;

        spec.n_days = 0;
        assert_int_equal(calendar_new(&spec, &calendar), 0);
        assert_int_equal(calendar_elapsed(calendar, start - 1, end, &t), -ERANGE);
        assert_int_equal(calendar_elapsed(calendar, start, end + 1, &t), -ERANGE);
        assert_int_equal(calendar_elapsed(calendar, INT64_MAX, INT64_MIN, &t), -ERANGE);
        assert_int_equal(calendar_add(calendar, start - 1, 0, &t), -ERANGE);
        assert_int_equal(calendar_add(calendar, start, INT64_MAX, &t), -ERANGE);
        assert_int_equal(calendar_add(calendar, start, INT64_MIN, &t), -ERANGE);
        assert_int_equal(calendar_add(calendar, end, INT64_MAX, &t), -ERANGE);
        assert_int_equal(calendar_add(calendar, end, INT64_MIN, &t), -ERANGE);
        assert_int_equal(calendar_add(calendar, start, 8 * 60 * 60 * MINUTE_USEC, &t), -ERANGE);
        assert_int_equal(calendar_add(calendar, end, -8 * 60 * 60 * MINUTE_USEC, &t), -ERANGE);
        assert_int_equal(calendar_piece(calendar, start - 1, &piece), -ERANGE);
        assert_int_equal(calendar_piece(calendar, end, &piece), -ERANGE);
        assert_int_equal(calendar_day(calendar, -1, &day), -ERANGE);
        assert_int_equal(calendar_day(calendar, days_from_civil(2171, 1, 1), &day), -ERANGE);
        assert_int_equal(t, 42);

        assert_int_equal(calendar_elapsed(calendar, start, end, &t), 0);
        assert_int_equal(t, 10488 * MINUTE_USEC);
        assert_int_equal(calendar_add(calendar, start, t, &t), 0);
        assert_int_equal(t, instant("2170-12-31 09:01 +0800"));
        assert_int_equal(calendar_add(calendar, start, 10488 * MINUTE_USEC + 1, &t), -ERANGE);
        assert_int_equal(calendar_add(calendar, end, -10488 * MINUTE_USEC, &t), 0);
        assert_int_equal(t, instant("1970-01-05 09:00 +0800"));
        assert_int_equal(calendar_add(calendar, end, -10488 * MINUTE_USEC - 1, &t), -ERANGE);
        assert_int_equal(calendar_piece(calendar, start, &piece), 0);
        assert_int_equal(calendar_piece(calendar, end - 1, &piece), 0);
        assert_int_equal(piece.until, end);
}

static void test_refused(_unused_ void **state) {
        static const Week never = { 0 };
        static const struct {
                const Week *week;
                const char *zone;
                int r;
        } cases[] = {
                { &never, "Asia/Shanghai", -ERANGE }, /* whose special days do have hours */
                { &office, "Asia/Peking", -ENOENT },
                { &office, "../Shanghai", -EINVAL },
        };

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                CalendarSpec spec = spec_make(cases[i].week, cases[i].zone);
                Calendar *calendar = NULL;

                assert_int_equal(calendar_new(&spec, &calendar), cases[i].r);
                assert_null(calendar);
        }
}

/* ---- explaining ------------------------------------------------------------------------------ */

static void test_pieces(_unused_ void **state) {
        static const struct {
                const Week *week;
                const char *zone, *at, *from, *until;
                bool working;
                const char *why, *name;
        } cases[] = {
                { &office, "Asia/Shanghai", "2026-11-02 09:00 +0800", "2026-11-02 09:00 +0800",
                  "2026-11-02 12:00 +0800", true, "working hours", NULL },
                { &office, "Asia/Shanghai", "2026-11-02 12:00 +0800", "2026-11-02 12:00 +0800",
                  "2026-11-02 13:00 +0800", false, "outside hours", NULL },
                { &office, "Asia/Shanghai", "2026-11-02 23:00 +0800", "2026-11-02 18:00 +0800",
                  "2026-11-03 00:00 +0800", false, "outside hours", NULL },
                { &office, "Asia/Shanghai", "2026-11-07 12:00 +0800", "2026-11-07 00:00 +0800",
                  "2026-11-08 00:00 +0800", false, "day off", NULL },
                { &office, "Asia/Shanghai", "2026-10-01 12:00 +0800", "2026-10-01 00:00 +0800",
                  "2026-10-02 00:00 +0800", false, "holiday", "国庆节" },
                { &office, "Asia/Shanghai", "2026-10-10 12:00 +0800", "2026-10-10 10:00 +0800",
                  "2026-10-10 16:00 +0800", true, "make-up day", "国庆节" },
                { &office, "Asia/Shanghai", "2026-10-10 17:00 +0800", "2026-10-10 16:00 +0800",
                  "2026-10-11 00:00 +0800", false, "outside hours", "国庆节" },
                { &office, "Asia/Shanghai", "2026-12-31 10:00 +0800", "2026-12-31 09:00 +0800",
                  "2026-12-31 12:00 +0800", true, "special hours", "年会" },
                /* cut at midnight, whatever its length */
                { &always, "America/New_York", "2024-11-03 12:00 -0500", "2024-11-03 00:00 -0400",
                  "2024-11-04 00:00 -0500", true, "working hours", NULL },
                { &nights, "UTC", "2025-12-31 23:00 +0000", "2025-12-31 22:00 +0000",
                  "2026-01-01 00:00 +0000", true, "working hours", NULL },
                { &broken_hour, "America/New_York", "2024-11-03 02:00 -0500",
                  "2024-11-03 01:00 -0400", "2024-11-03 03:00 -0500", true, "working hours", NULL },
                /* back over midnight at 00:01: Sunday has begun, Saturday does not come again */
                { &office, "America/St_Johns", "2006-10-28 23:30 -0330", "2006-10-29 00:00 -0230",
                  "2006-10-30 00:00 -0330", false, "day off", NULL },
                { &always, "Pacific/Apia", "2011-12-29 23:59 -1000", "2011-12-29 00:00 -1000",
                  "2011-12-31 00:00 +1400", true, "working hours", NULL },
        };

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                CalendarSpec spec = spec_make(cases[i].week, cases[i].zone);
                _cleanup_(cleanup_calendar_free) Calendar *calendar = NULL;
                CalendarPiece piece;

                assert_int_equal(calendar_new(&spec, &calendar), 0);
                assert_int_equal(calendar_piece(calendar, instant(cases[i].at), &piece), 0);
                assert_int_equal(piece.from, instant(cases[i].from));
                assert_int_equal(piece.until, instant(cases[i].until));
                assert_int_equal(piece.working, cases[i].working);
                assert_string_equal(piece.why, cases[i].why);
                assert_string_equal(piece.day_name ?: "", cases[i].name ?: "");
        }
}

static void test_days(_unused_ void **state) {
        static const struct {
                int month, day;
                bool special;
                const char *name;
                int hours;
        } cases[] = {
                { 9, 20, true, "国庆节", 6 }, { 9, 30, false, "", 8 },
                { 10, 1, true, "国庆节", 0 }, { 10, 10, true, "国庆节", 6 },
                { 10, 11, false, "", 0 },     { 12, 31, true, "年会", 3 },
        };
        CalendarSpec spec = spec_make(&office, "Asia/Shanghai");
        _cleanup_(cleanup_calendar_free) Calendar *calendar = NULL;

        assert_int_equal(calendar_new(&spec, &calendar), 0);
        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                int32_t date = days_from_civil(2026, cases[i].month, cases[i].day), seconds = 0;
                CalendarDay day;

                assert_int_equal(calendar_day(calendar, date, &day), 0);
                for (size_t k = 0; k < day.hours.n; k++)
                        seconds += day.hours.stretches[k].until - day.hours.stretches[k].from;
                assert_int_equal(day.day, date);
                assert_int_equal(day.special, cases[i].special);
                assert_string_equal(day.name ?: "", cases[i].name);
                assert_int_equal(seconds, H(cases[i].hours));
        }
}

static void test_missing_year(_unused_ void **state) {
        static int16_t covered[] = { 2024, 2025, 2027 };
        static const struct {
                bool needed;
                int year, years, missing;
        } cases[] = {
                { true, 2024, 1, 0 },    { true, 2024, 2, 2026 }, { true, 2025, 0, 0 },
                { true, 2026, 0, 2026 }, { true, 2027, 1, 2028 }, { false, 2026, 9, 0 },
        };

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                CalendarSpec spec = spec_make(&office, "Asia/Shanghai");
                _cleanup_(cleanup_calendar_free) Calendar *calendar = NULL;

                spec.needs_holidays = cases[i].needed;
                spec.years = covered;
                spec.n_years = ELEMENTS(covered);
                assert_int_equal(calendar_new(&spec, &calendar), 0);
                assert_int_equal(calendar_missing_year(calendar, cases[i].year, cases[i].years),
                                 cases[i].missing);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_elapsed),      cmocka_unit_test(test_new_year_repeated),
                cmocka_unit_test(test_add),          cmocka_unit_test(test_microseconds),
                cmocka_unit_test(test_range),        cmocka_unit_test(test_refused),
                cmocka_unit_test(test_pieces),       cmocka_unit_test(test_days),
                cmocka_unit_test(test_missing_year),
        };

        return cmocka_run_group_tests_name("calendar", tests, setup_special_days, NULL);
}
