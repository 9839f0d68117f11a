/* SPDX-License-Identifier: Apache-2.0 */

#include "times.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "aftersales/limits.h"
#include "macro.h"

static void use_zone(const char *zone) {
        setenv("TZ", zone, 1);
        tzset();
}

/* An instant written in UTC, as the C library reads it. */
static int64_t utc(const char *text) {
        struct tm tm = {};

        assert_non_null(strptime(text, "%Y-%m-%d %H:%M:%S", &tm));
        return timegm(&tm) * USEC_PER_SEC;
}

/* ---- times ---- */

static void test_forms(void **state) {
        (void)state;
        /* Now it is Monday 2026-11-23 08:00 in Shanghai. */
        static const struct {
                const char *text, *utc;
        } cases[] = {
                { "now", "2026-11-23 00:00:00" },
                { "2026-11-23 18:05", "2026-11-23 10:05:00" },
                { "2026-11-23 9:05", "2026-11-23 01:05:00" },
                { "2026-11-23T18:05:07", "2026-11-23 10:05:07" },
                { "2026-11-23T18:05:00Z", "2026-11-23 18:05:00" },
                { "2026-11-23 18:05 UTC", "2026-11-23 18:05:00" },
                { "2026-11-23T18:05:00+05:30", "2026-11-23 12:35:00" },
                { "2026-11-23T18:05:00-0130", "2026-11-23 19:35:00" },
                { "2026-11-23 18:05:00 +08", "2026-11-23 10:05:00" },
                { "18:05", "2026-11-23 10:05:00" },
                { "00:00:01", "2026-11-22 16:00:01" },
                { "today 18:05", "2026-11-23 10:05:00" },
                { "tomorrow 9:00", "2026-11-24 01:00:00" },
                { "yesterday 23:59", "2026-11-22 15:59:00" },
                { "+2h", "2026-11-23 02:00:00" },
                { "+1h30min", "2026-11-23 01:30:00" },
                { "+90s", "2026-11-23 00:01:30" },
                { "+5m", "2026-11-23 00:05:00" },
                { "-1d", "2026-11-22 00:00:00" },
                { "2028-02-29 00:00", "2028-02-28 16:00:00" },
        };

        use_zone("Asia/Shanghai");
        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                int64_t time = -1;

                if (time_parse(cases[i].text, utc("2026-11-23 00:00:00"), &time) != 0)
                        fail_msg("'%s' is refused", cases[i].text);
                if (time != utc(cases[i].utc))
                        fail_msg("'%s' is %lld", cases[i].text, (long long)time);
        }
}

static void test_no_times(void **state) {
        static const char *const cases[] = {
                "",
                "noon",
                "2026-11-23",
                "2026-11-23 ",
                "2026-11-23x18:05",
                "2026-11-23 18",
                "2026-11-23 24:00",
                "2026-11-23 18:60",
                "2026-11-23 18:05:60",
                "2026-11-23 18:05 CET",
                "2026-11-23 18:05+25:00",
                "2026-11-23 18:05:00.",
                "2026-11-23 18:05:00.1234567",
                "2026-02-29 18:05",
                "2026-13-01 18:05",
                "2026-00-01 18:05",
                "2026-1-1 18:05",
                "1969-12-31 18:05",
                "18:05Z",
                "18:05 tomorrow",
                "tomorrow",
                "tomorrow9:00",
                "tomorrows 9:00",
                "+",
                "+2",
                "+2x",
                "+2h30",
                "++2h",
                "+2 h",
                "+9999999d",
                "+999999d",
                "1795392000000000",
                "now ",
        };

        (void)state;
        use_zone("Asia/Shanghai");
        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                int64_t time = -7;

                if (time_parse(cases[i], utc("2026-11-23 00:00:00"), &time) != -EINVAL)
                        fail_msg("'%s' is taken", cases[i]);
                assert_int_equal(time, -7);
        }
}

static void test_fractions(void **state) {
        int64_t time;

        (void)state;
        assert_int_equal(time_parse("1970-01-01T00:00:01.5Z", 0, &time), 0);
        assert_int_equal(time, 1500000);
        assert_int_equal(time_parse("1970-01-01T00:00:01.000007Z", 0, &time), 0);
        assert_int_equal(time, 1000007);
}

static void test_summer_time(void **state) {
        int64_t time;

        (void)state;
        use_zone("Europe/Berlin");
        /* 02:00 becomes 03:00. */
        assert_int_equal(time_parse("2026-03-29 02:30", 0, &time), -ENOENT);
        assert_int_equal(time_parse("2026-03-29 03:30", 0, &time), 0);
        assert_int_equal(time, utc("2026-03-29 01:30:00"));
        /* 03:00 becomes 02:00: the first is meant, an offset names the second. */
        assert_int_equal(time_parse("2026-10-25 02:30", 0, &time), 0);
        assert_int_equal(time, utc("2026-10-25 00:30:00"));
        assert_int_equal(time_parse("2026-10-25 02:30+01:00", 0, &time), 0);
        assert_int_equal(time, utc("2026-10-25 01:30:00"));
        /* A day of 23 hours lies between. */
        assert_int_equal(time_parse("tomorrow 12:00", utc("2026-03-28 11:00:00"), &time), 0);
        assert_int_equal(time, utc("2026-03-29 10:00:00"));
}

/* What is shown exactly can be given again. */
static void test_show(void **state) {
        static const char *const zones[] = { "UTC", "Asia/Shanghai", "Asia/Kolkata",
                                             "America/St_Johns" };
        char text[TIME_SIZE];

        (void)state;
        for (size_t i = 0; i < ELEMENTS(zones); i++) {
                use_zone(zones[i]);
                for (int64_t time = 86400 * USEC_PER_SEC; time < 4000000000 * USEC_PER_SEC;
                     time += 9999991 * USEC_PER_SEC) {
                        int64_t again;

                        assert_int_equal(time_parse(time_show(time, true, text), 0, &again), 0);
                        assert_int_equal(again, time);
                }
        }
        use_zone("Asia/Shanghai");
        assert_string_equal(time_show(1795392000999999, false, text), "2026-11-23 08:00:00");
        assert_string_equal(time_show(1795392000000000, true, text), "2026-11-23 08:00:00 +08:00");
        assert_string_equal(time_show(-1, false, text), "1970-01-01 07:59:59");
        time_show(INT64_MIN, true, text);
        time_show(INT64_MAX, true, text);
}

/* ---- dates, durations ---- */

static void test_dates(void **state) {
        static const struct {
                const char *text, *date;
        } cases[] = {
                { "2026-11-30", "2026-11-30" },
                { "today", "2026-12-31" },
                { "tomorrow", "2027-01-01" },
                { "yesterday", "2026-12-30" },
                { "2026-11-31", NULL },
                { "2026-11-3", NULL },
                { "2026-11-30 ", NULL },
                { "20261130", NULL },
                { "", NULL },
                { "todays", NULL },
        };
        int64_t now;

        (void)state;
        use_zone("Asia/Shanghai");
        now = utc("2026-12-31 15:59:59");
        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                char date[DATE_SIZE] = "";
                int r = date_parse(cases[i].text, now, date);

                if (r != (cases[i].date ? 0 : -EINVAL))
                        fail_msg("'%s' gives %d", cases[i].text, r);
                assert_string_equal(date, cases[i].date ? cases[i].date : "");
        }
}

static void test_months(void **state) {
        char date[DATE_SIZE];

        (void)state;
        assert_int_equal(date_month_end("2028-02-10", date), 0);
        assert_string_equal(date, "2028-02-29");
        assert_int_equal(date_month_end("2026-12-31", date), 0);
        assert_string_equal(date, "2026-12-31");
        assert_int_equal(date_parse_edge("2026-11", 0, false, date), 0);
        assert_string_equal(date, "2026-11-01");
        assert_int_equal(date_parse_edge("2026-11", 0, true, date), 0);
        assert_string_equal(date, "2026-11-30");
        assert_int_equal(date_parse_edge("2026-11-05", 0, true, date), 0);
        assert_string_equal(date, "2026-11-05");
        assert_int_equal(date_parse_edge("2026-13", 0, false, date), -EINVAL);
        assert_int_equal(date_parse_edge("2026/11", 0, true, date), -EINVAL);
}

static void test_durations(void **state) {
        static const struct {
                int64_t seconds;
                const char *text;
        } cases[] = {
                { 0, "0s" },    { 59, "59s" },          { 60, "1min" },         { 3599, "59min" },
                { 3600, "1h" }, { 95400, "26h 30min" }, { -5400, "-1h 30min" }, { 172800, "48h" },
        };
        char text[DURATION_SIZE];

        (void)state;
        for (size_t i = 0; i < ELEMENTS(cases); i++)
                assert_string_equal(duration_show(cases[i].seconds, text), cases[i].text);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_forms),     cmocka_unit_test(test_no_times),
                cmocka_unit_test(test_fractions), cmocka_unit_test(test_summer_time),
                cmocka_unit_test(test_show),      cmocka_unit_test(test_dates),
                cmocka_unit_test(test_months),    cmocka_unit_test(test_durations),
        };

        return cmocka_run_group_tests_name("ctl-times", tests, NULL, NULL);
}
