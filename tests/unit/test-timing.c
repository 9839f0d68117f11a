/* SPDX-License-Identifier: Apache-2.0 */

#include "loop/timing.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "base/macro.h"
#include "base/zone.h"
#include "rng.h"

#define H(hours)   ((hours)*3600)
#define MINUTE     (60 * USEC_PER_SEC)
#define PAUSES_MAX 6

DEFINE_CLEANUP(Calendar *, calendar_free);

/* ---- by hand -------------------------------------------------------------------------------- */

/* 09:00-12:00 and 13:00-18:00 from Monday to Friday, in Shanghai. */
static const CalendarSpec office = {
        .name = (char *)"office",
        .zone = (char *)"Asia/Shanghai",
        .week = { { 2, { { H(9), H(12) }, { H(13), H(18) } } },
                  { 2, { { H(9), H(12) }, { H(13), H(18) } } },
                  { 2, { { H(9), H(12) }, { H(13), H(18) } } },
                  { 2, { { H(9), H(12) }, { H(13), H(18) } } },
                  { 2, { { H(9), H(12) }, { H(13), H(18) } } } },
};

/* The first rung at the deadline, the second 2 h later, the third 4 h after that. */
static const LadderSpec ladder = {
        .name = (char *)"ladder",
        .warn_percent = 80,
        .rungs = { { RECIPIENT_OWNER, 0 },
                   { RECIPIENT_SUBCENTRE, H(2) },
                   { RECIPIENT_PRESIDENT, H(4) } },
        .n_rungs = 3,
        .repeat = H(3),
};

/* "23 09:00" of November 2026, local; the 23rd is a Monday. "" is 0. */
static int64_t instant(const char *text) {
        int day, hour, minute;

        if (!text || !*text)
                return 0;
        assert_int_equal(sscanf(text, "%d %d:%d", &day, &hour, &minute), 3);
        return ((int64_t)days_from_civil(2026, 11, 1) * 86400 + (day - 1) * H(24) + H(hour) +
                minute * 60 - H(8)) *
               USEC_PER_SEC;
}

static Clock make_clock(const char *started, int hours, const char *fixed,
                        const char *const *pauses, Pause list[static PAUSES_MAX]) {
        Clock clock = { .clock = 1,
                        .cycle = 1,
                        .started_at = instant(started),
                        .target = fixed ? 0 : H(hours),
                        .fixed_at = instant(fixed),
                        .pauses.items = list };

        for (; pauses && *pauses; pauses += 2) {
                list[clock.pauses.n++] =
                        (Pause){ .since = instant(pauses[0]), .until = instant(pauses[1]) };
                clock.paused = !*pauses[1];
        }
        return clock;
}

static const struct {
        const char *started;
        int hours;
        const char *fixed;
        const char *pauses[2 * PAUSES_MAX];
        int level;
        const char *expected; /* NULL: not known while it is paused */
} event_cases[] = {
        /* Four hours from Monday morning: the warning after 3 h 12 min, the deadline, the rungs. */
        { "23 09:00", 4, NULL, { NULL }, 0, "23 13:12" },
        { "23 09:00", 4, NULL, { NULL }, 1, "23 14:00" },
        { "23 09:00", 4, NULL, { NULL }, 2, "23 16:00" },
        { "23 09:00", 4, NULL, { NULL }, 3, "24 11:00" },
        /* repetitions of the top one */
        { "23 09:00", 4, NULL, { NULL }, 4, "24 15:00" },
        { "23 09:00", 4, NULL, { NULL }, 5, "24 18:00" },
        { "23 09:00", 4, NULL, { NULL }, 6, "25 12:00" },
        { "23 09:00", 4, NULL, { NULL }, 14, "30 12:00" },
        /* closing time, not the next opening */
        { "23 09:00", 3, NULL, { NULL }, 1, "23 12:00" },
        { "23 09:00", 8, NULL, { NULL }, 1, "23 18:00" },
        /* begun outside hours, and over a weekend */
        { "22 03:00", 4, NULL, { NULL }, 1, "23 14:00" },
        { "27 17:00", 2, NULL, { NULL }, 1, "30 10:00" },
        /* a pause inside hours; in the night; at lunch; around lunch; over the weekend */
        { "23 09:00", 4, NULL, { "23 10:00", "23 11:00" }, 1, "23 15:00" },
        { "23 09:00", 4, NULL, { "23 10:00", "23 11:00" }, 0, "23 14:12" },
        { "23 09:00", 10, NULL, { "23 18:00", "24 09:00" }, 1, "24 11:00" },
        { "23 09:00", 10, NULL, { "23 19:00", "24 07:00" }, 1, "24 11:00" },
        { "23 09:00", 4, NULL, { "23 12:00", "23 13:00" }, 1, "23 14:00" },
        { "23 09:00", 4, NULL, { "23 11:30", "23 13:30" }, 1, "23 15:00" },
        { "27 16:00", 4, NULL, { "27 17:00", "30 10:00" }, 1, "30 14:00" },
        /* after the warning, after the deadline, between rungs */
        { "23 09:00", 4, NULL, { "23 13:30", "23 14:30" }, 0, "23 13:12" },
        { "23 09:00", 4, NULL, { "23 13:30", "23 14:30" }, 1, "23 15:00" },
        { "23 09:00", 4, NULL, { "23 15:00", "23 16:00" }, 1, "23 14:00" },
        { "23 09:00", 4, NULL, { "23 15:00", "23 16:00" }, 2, "23 17:00" },
        /* two; two that touch; one of no length; one from the very start */
        { "23 09:00", 4, NULL, { "23 09:30", "23 10:00", "23 11:00", "23 11:30" }, 1, "23 15:00" },
        { "23 09:00", 4, NULL, { "23 10:00", "23 10:30", "23 10:30", "23 11:00" }, 1, "23 15:00" },
        { "23 09:00", 4, NULL, { "23 10:00", "23 10:00" }, 1, "23 14:00" },
        { "23 09:00", 4, NULL, { "23 09:00", "23 10:00" }, 1, "23 15:00" },
        /* still paused: what was reached before is known, nothing else */
        { "23 09:00", 4, NULL, { "23 10:00", "" }, 1, NULL },
        { "23 09:00", 4, NULL, { "23 13:30", "" }, 0, "23 13:12" },
        { "23 09:00", 4, NULL, { "23 13:30", "" }, 1, NULL },
        { "23 09:00", 4, NULL, { "23 14:00", "" }, 1, "23 14:00" },
        { "23 09:00", 4, NULL, { "23 14:00", "" }, 2, NULL },
        { "23 09:00", 3, NULL, { "23 12:30", "" }, 1, "23 12:00" },
        { "23 09:00", 4, NULL, { "23 10:00", "23 11:00", "23 14:00", "" }, 1, NULL },
        { "23 09:00", 4, NULL, { "23 10:00", "23 11:00", "23 15:00", "" }, 1, "23 15:00" },
        /* given as an instant: no pause moves it; the warning is measured back in working time */
        { "23 09:00", 0, "24 09:00", { NULL }, 1, "24 09:00" },
        { "23 09:00", 0, "24 10:00", { "23 10:00", "23 17:00" }, 1, "24 10:00" },
        { "23 08:00", 0, "23 14:00", { NULL }, 0, "23 13:12" },
        { "23 09:00", 0, "24 11:00", { NULL }, 0, "24 09:00" }, /* 2 h of 10 h before it */
        { "23 09:00", 0, "24 10:00", { NULL }, 0, "23 17:12" },
        { "23 09:00", 0, "24 10:00", { NULL }, 2, "24 12:00" },
        { "23 09:00", 0, "24 10:00", { NULL }, 3, "24 17:00" },
        { "23 09:00", 0, "24 10:00", { NULL }, 4, "25 11:00" },
        /* outside of hours: the deadline is that very instant */
        { "23 09:00", 0, "23 20:00", { NULL }, 1, "23 20:00" },
        { "23 09:00", 0, "23 20:00", { NULL }, 2, "24 11:00" },
        { "23 09:00", 0, "23 20:00", { NULL }, 0, "23 16:24" },
        { "23 09:00", 0, "23 03:00", { NULL }, 0, "23 03:00" }, /* before it began */
        { "23 09:00", 0, "23 03:00", { NULL }, 1, "23 03:00" },
};

static Calendar *office_calendar(void) {
        Calendar *calendar = NULL;

        assert_int_equal(calendar_new(&office, &calendar), 0);
        return calendar;
}

static void test_events(_unused_ void **state) {
        _cleanup_(cleanup_calendar_free) Calendar *calendar = office_calendar();
        const Timing timing = { calendar, &ladder };

        for (size_t i = 0; i < ELEMENTS(event_cases); i++) {
                Pause list[PAUSES_MAX] = {};
                Clock clock = make_clock(event_cases[i].started, event_cases[i].hours,
                                         event_cases[i].fixed, event_cases[i].pauses, list);
                int64_t at = 0;
                int r = clock_event(&clock, &timing, event_cases[i].level, &at);

                assert_int_equal(r, event_cases[i].expected ? 0 : -EAGAIN);
                if (at != instant(event_cases[i].expected))
                        fail_msg("case %zu: %+lld minutes", i,
                                 (long long)(at - instant(event_cases[i].expected)) / MINUTE);
        }
}

static void test_running(_unused_ void **state) {
        static const struct {
                const char *pauses[2 * PAUSES_MAX], *stopped, *until;
                int minutes;
        } cases[] = {
                { { NULL }, NULL, "23 09:00", 0 },
                { { NULL }, NULL, "23 08:00", 0 }, /* before it began */
                { { NULL }, NULL, "23 10:30", 90 },
                { { NULL }, NULL, "23 12:30", 180 },
                { { NULL }, NULL, "24 10:00", 540 },
                { { NULL }, "23 11:00", "24 10:00", 120 },
                { { "23 10:00", "23 11:00" }, NULL, "23 10:30", 60 },
                { { "23 10:00", "23 11:00" }, NULL, "23 11:00", 60 },
                { { "23 10:00", "23 11:00" }, NULL, "23 12:00", 120 },
                { { "23 10:00", "" }, NULL, "23 12:00", 60 },
                { { "23 10:00", "" }, NULL, "23 09:30", 30 },
                { { "23 10:00", "23 11:00" }, "23 10:30", "23 12:00", 60 },
                { { "23 10:00", "23 11:00", "23 11:00", "" }, NULL, "23 15:00", 60 },
        };
        _cleanup_(cleanup_calendar_free) Calendar *calendar = office_calendar();
        const Timing timing = { calendar, &ladder };

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                Pause list[PAUSES_MAX] = {};
                Clock clock = make_clock("23 09:00", 4, NULL, cases[i].pauses, list);
                int64_t ran = -1;

                clock.stopped_at = instant(cases[i].stopped);
                assert_int_equal(clock_running(&clock, &timing, instant(cases[i].until), &ran), 0);
                if (ran != cases[i].minutes * MINUTE)
                        fail_msg("case %zu: %lld minutes", i, (long long)(ran / MINUTE));
        }
}

static void assert_schedule(Clock *clock, const Timing *timing, const char *deadline,
                            const char *next) {
        clock->deadline = clock->next_at = -1;
        assert_int_equal(clock_schedule(clock, timing), 0);
        assert_int_equal(clock->deadline, instant(deadline));
        assert_int_equal(clock->next_at, instant(next));
}

/* Whoever comes from a ladder without warning has not been warned, however often the ladder and the
 * target change. */
static void test_not_warned(_unused_ void **state) {
        _cleanup_(cleanup_calendar_free) Calendar *calendar = office_calendar();
        LadderSpec silent = ladder;
        const Timing warned = { calendar, &ladder }, unwarned = { calendar, &silent };
        Pause list[PAUSES_MAX] = {};
        Clock clock = make_clock("23 09:00", 4, NULL, NULL, list);

        silent.warn_percent = 0;
        assert_schedule(&clock, &unwarned, "23 14:00", "23 14:00");
        assert_int_equal(clock_retarget(&clock, &warned, H(8), instant("23 10:00")), 0);
        assert_int_equal(clock.next_at, instant("23 16:24"));
        assert_int_equal(clock.cycle, 1);
        assert_int_equal(clock_retarget(&clock, &warned, H(4), instant("23 13:30")), 0);
        assert_int_equal(clock.next_at, instant("23 13:12"));
        assert_int_equal(clock.quiet, 0);
}

/* What lies behind the end of the calendar lies in the future. */
static void test_retarget_out_of_range(_unused_ void **state) {
        _cleanup_(cleanup_calendar_free) Calendar *calendar = office_calendar();
        LadderSpec slower = ladder;
        const Timing timing = { calendar, &slower };
        Pause list[PAUSES_MAX] = {};
        Clock clock = make_clock("23 09:00", 4, NULL, NULL, list);
        int64_t next;

        slower.repeat = H(8 * 30);
        clock.level = 50000;
        assert_int_equal(clock_event(&clock, &timing, clock.level - 1, &next), -ERANGE);
        assert_int_equal(clock_retarget(&clock, &timing, H(4), instant("24 12:00")), 0);
        assert_int_equal(clock.level, 4);
        assert_int_equal(clock.cycle, 2);
        assert_int_equal(clock.quiet, 4);
}

/* A life of a clock: warned, paused, given another target meanwhile, resumed, stopped. */
static void test_schedule(_unused_ void **state) {
        _cleanup_(cleanup_calendar_free) Calendar *calendar = office_calendar();
        const Timing timing = { calendar, &ladder };
        Pause list[PAUSES_MAX] = {};
        Clock clock = make_clock("23 09:00", 4, NULL, NULL, list);

        assert_schedule(&clock, &timing, "23 14:00", "23 13:12");
        clock.level = 1;
        assert_schedule(&clock, &timing, "23 14:00", "23 14:00");
        clock.pauses.n = 1;
        clock.paused = true;
        list[0].since = instant("23 13:30");
        assert_schedule(&clock, &timing, "", "");
        clock.target = H(2); /* less than it has run: it was overrun before the pause */
        assert_schedule(&clock, &timing, "23 11:00", "");
        clock.target = H(6);
        assert_schedule(&clock, &timing, "", "");
        list[0].until = instant("23 14:30");
        clock.paused = false;
        assert_schedule(&clock, &timing, "23 17:00", "23 17:00");
        clock.level = 2;
        assert_schedule(&clock, &timing, "23 17:00", "24 10:00");
        clock.level = 5;
        assert_schedule(&clock, &timing, "23 17:00", "25 12:00");
        clock.stopped_at = instant("23 17:30");
        assert_schedule(&clock, &timing, "23 17:00", "");
}

static void test_first_level(_unused_ void **state) {
        LadderSpec other = ladder;

        assert_int_equal(ladder_first_level(&other), 0);
        other.warn_percent = 0;
        assert_int_equal(ladder_first_level(&other), 1);
}

static void test_missed(_unused_ void **state) {
        static const struct {
                int level;
                const char *now;
                int64_t extra; /* microseconds after it */
                int missed;
        } cases[] = {
                /* the top rung, level 3, is due on the 24th at 11:00, then every 3 h of work:
                 * 24 15:00, 24 18:00, 25 12:00, 25 16:00, 26 11:00 ... */
                { 2, "30 18:00", 0, 0 }, /* a rung stands for itself */
                { 3, "24 11:00", 1, 0 },
                { 3, "24 14:59", 0, 0 },
                { 3, "24 15:00", 0, 0 }, /* the very instant has not passed */
                { 3, "24 15:00", 1, 1 },
                { 3, "24 18:00", 0, 1 },
                { 3, "24 18:00", 1, 2 },
                { 3, "25 08:00", 0, 2 }, /* a whole night after closing time */
                { 4, "24 18:00", 1, 1 },
                { 4, "25 12:00", 0, 1 },
                { 4, "25 12:30", 0, 2 },
                { 4, "26 11:00", 1, 4 },
                { 5, "24 17:00", 0, 0 }, /* not even due itself */
        };
        _cleanup_(cleanup_calendar_free) Calendar *calendar = office_calendar();
        const Timing timing = { calendar, &ladder };
        Pause list[PAUSES_MAX] = {};
        Clock clock = make_clock("23 09:00", 4, NULL, NULL, list);

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                int64_t missed = -1;

                assert_int_equal(clock_missed(&clock, &timing,
                                              instant(cases[i].now) + cases[i].extra,
                                              cases[i].level, &missed),
                                 0);
                if (missed != cases[i].missed)
                        fail_msg("case %zu: %lld", i, (long long)missed);
        }
}

/* While a clock waits, no repetition comes that could be missed. */
static void test_missed_beside_a_pause(_unused_ void **state) {
        static const char *const pauses[] = { "24 12:00", "26 09:00", NULL };
        _cleanup_(cleanup_calendar_free) Calendar *calendar = office_calendar();
        const Timing timing = { calendar, &ladder };
        Pause list[PAUSES_MAX] = {};
        Clock clock = make_clock("23 09:00", 4, NULL, pauses, list);
        int64_t missed;

        assert_int_equal(clock_missed(&clock, &timing, instant("26 11:00"), 3, &missed), 0);
        assert_int_equal(missed, 0);
        assert_int_equal(clock_missed(&clock, &timing, instant("26 11:00") + 1, 3, &missed), 0);
        assert_int_equal(missed, 1);
}

static void test_out_of_range(_unused_ void **state) {
        _cleanup_(cleanup_calendar_free) Calendar *calendar = office_calendar();
        const Timing timing = { calendar, &ladder };
        Pause list[PAUSES_MAX] = {};
        Clock clock = make_clock("23 09:00", 4, NULL, NULL, list), before;
        int64_t t;

        clock.target = INT64_C(10000000000);
        clock.deadline = clock.next_at = 5;
        before = clock;
        assert_int_equal(clock_event(&clock, &timing, 1, &t), -ERANGE);
        assert_int_equal(clock_schedule(&clock, &timing), -ERANGE);
        assert_memory_equal(&clock, &before, sizeof(clock)); /* untouched */
        clock.target = H(4);
        clock.started_at = -INT64_C(90000) * 86400 * USEC_PER_SEC;
        assert_int_equal(clock_event(&clock, &timing, 1, &t), -ERANGE);
        assert_int_equal(clock_running(&clock, &timing, instant("23 09:00"), &t), -ERANGE);
}

/* ---- against a slow reference --------------------------------------------------------------- */

#define DAYS_AHEAD 400
#define MINUTES    (DAYS_AHEAD * 1440)

/* One bit of truth for every minute from the start of 2026, UTC. */
typedef struct Slow {
        bool working[MINUTES], running[MINUTES];
        int64_t base; /* the instant of minute 0 */
} Slow;

static void random_hours(Rng *rng, DayHours *hours) {
        int32_t from = 0;

        hours->n = 0;
        for (uint64_t n = rng_below(rng, 4); n > 0; n--) {
                from += (int32_t)rng_between(rng, 1, 300) * 60;
                if (from >= H(24))
                        return;
                hours->stretches[hours->n].from = from;
                from = MIN(from + (int32_t)rng_between(rng, 1, 500) * 60, H(24));
                hours->stretches[hours->n++].until = from;
        }
}

/* A week at random, and some days that are different. */
static void random_calendar(Rng *rng, CalendarSpec *spec, SpecialDay *days, size_t n_days) {
        *spec = (CalendarSpec){ .name = (char *)"random", .zone = (char *)"UTC", .days = days };
        for (size_t i = 0; i < ELEMENTS(spec->week); i++)
                random_hours(rng, &spec->week[i]);
        spec->week[rng_below(rng, 7)] = (DayHours){ 1, { { H(9), H(17) } } };
        for (int32_t day = days_from_civil(2026, 1, 1); spec->n_days < n_days;) {
                day += (int32_t)rng_between(rng, 1, 20);
                days[spec->n_days] = (SpecialDay){ .day = day };
                random_hours(rng, &days[spec->n_days++].hours);
        }
}

static void slow_calendar(Slow *slow, const CalendarSpec *spec) {
        int32_t first = days_from_civil(2026, 1, 1);

        memset(slow->working, 0, sizeof(slow->working));
        slow->base = (int64_t)first * 86400 * USEC_PER_SEC;
        for (int32_t day = 0; day < DAYS_AHEAD; day++) {
                const DayHours *hours =
                        &spec->week[(first + day + 3) % 7]; /* 1970 began on Thursday */

                for (size_t i = 0; i < spec->n_days; i++)
                        if (spec->days[i].day == first + day)
                                hours = &spec->days[i].hours;
                for (size_t i = 0; i < hours->n; i++)
                        for (int32_t m = hours->stretches[i].from / 60;
                             m < hours->stretches[i].until / 60; m++)
                                slow->working[day * 1440 + m] = true;
        }
}

static int64_t at_minute(const Slow *slow, int64_t minute) {
        return slow->base + minute * MINUTE;
}

static int64_t minute_of(const Slow *slow, int64_t at) {
        return (at - slow->base) / MINUTE;
}

static void slow_clock(Slow *slow, const Clock *clock) {
        const Pause *pauses = clock->pauses.items;

        for (int64_t m = 0; m < MINUTES; m++) {
                int64_t at = at_minute(slow, m);

                slow->running[m] = slow->working[m] && at >= clock->started_at;
                for (size_t i = 0; i < clock->pauses.n; i++)
                        if (at >= pauses[i].since && (!pauses[i].until || at < pauses[i].until))
                                slow->running[m] = false;
        }
}

/* When so much has passed of the minutes that count; INT64_MAX when it never does. */
static int64_t slow_forward(const Slow *slow, const bool *counts, int64_t from, int64_t usec) {
        if (usec == 0)
                return from;
        for (int64_t m = minute_of(slow, from); m < MINUTES; m++) {
                if (!counts[m])
                        continue;
                if (usec <= MINUTE)
                        return at_minute(slow, m) + usec;
                usec -= MINUTE;
        }
        return INT64_MAX;
}

static int64_t slow_back(const Slow *slow, int64_t from, int64_t usec) {
        if (usec == 0)
                return from;
        for (int64_t m = minute_of(slow, from) - 1; m >= 0; m--) {
                if (!slow->working[m])
                        continue;
                if (usec <= MINUTE)
                        return at_minute(slow, m + 1) - usec;
                usec -= MINUTE;
        }
        return INT64_MIN;
}

static int64_t slow_count(const Slow *slow, const bool *counts, int64_t from, int64_t until) {
        int64_t n = 0;

        for (int64_t m = minute_of(slow, from); m < minute_of(slow, until); m++)
                n += counts[m];
        return n * MINUTE;
}

static int64_t slow_event(const Slow *slow, const Clock *clock, const LadderSpec *spec,
                          int64_t level) {
        int64_t late = 0, allowed;

        for (int64_t i = 1; i <= level; i++)
                late += i <= (int64_t)spec->n_rungs ? spec->rungs[i - 1].after : spec->repeat;
        late *= USEC_PER_SEC;
        if (!clock->fixed_at) {
                allowed = clock->target * USEC_PER_SEC;
                return slow_forward(slow, slow->running, clock->started_at,
                                    level == 0 ? allowed * spec->warn_percent / 100
                                               : allowed + late);
        }
        allowed = slow_count(slow, slow->working, clock->started_at, clock->fixed_at);
        return level == 0 ? slow_back(slow, clock->fixed_at,
                                      allowed * (100 - spec->warn_percent) / 100)
                          : slow_forward(slow, slow->working, clock->fixed_at, late);
}

static Clock random_clock(Rng *rng, const Slow *slow, Pause list[static PAUSES_MAX]) {
        int64_t minute = rng_between(rng, 1440, 30 * 1440);
        Clock clock = { .clock = 1,
                        .cycle = 1,
                        .started_at = at_minute(slow, minute),
                        .target = rng_between(rng, 1, 60) * 6000,
                        .pauses.items = list };

        if (rng_one_in(rng, 4)) {
                clock.target = 0;
                clock.fixed_at = at_minute(slow, minute + rng_between(rng, -1000, 20000));
                return clock; /* it does not wait */
        }
        for (uint64_t n = rng_below(rng, PAUSES_MAX); n > 0; n--) {
                Pause *pause = &list[clock.pauses.n++];

                minute += rng_between(rng, 0, rng_one_in(rng, 2) ? 60 : 3000);
                pause->since = at_minute(slow, minute);
                minute += rng_between(rng, 0, rng_one_in(rng, 2) ? 60 : 3000);
                pause->until = at_minute(slow, minute);
        }
        if (clock.pauses.n > 0 && rng_one_in(rng, 4)) {
                list[clock.pauses.n - 1].until = 0;
                clock.paused = true;
        }
        return clock;
}

static LadderSpec random_ladder(Rng *rng) {
        LadderSpec spec = { .warn_percent = rng_between(rng, 0, 99),
                            .n_rungs = (size_t)rng_between(rng, 1, LADDER_RUNGS_MAX),
                            .repeat = rng_between(rng, 1, 1000) * 60 };

        for (size_t i = 0; i < spec.n_rungs; i++)
                spec.rungs[i] = (LadderRung){ RECIPIENT_OWNER, rng_between(rng, 0, 500) * 60 };
        return spec;
}

static void compare_clock(Rng *rng, const Slow *slow, Clock *clock, const Timing *timing) {
        int64_t rungs = (int64_t)timing->ladder->n_rungs, deadline, at, ran, missed = 0, found, now;

        for (int64_t level = 0; level <= rungs + 3; level++) {
                int64_t expected = slow_event(slow, clock, timing->ladder, level);
                int r = clock_event(clock, timing, level, &at);

                if (r != (expected == INT64_MAX ? -EAGAIN : 0) || (r == 0 && at != expected))
                        fail_msg("level %lld: %d, %+lld us", (long long)level, r,
                                 (long long)(at - expected));
        }
        now = at_minute(slow, rng_between(rng, 0, 60 * 1440));
        assert_int_equal(clock_running(clock, timing, now, &ran), 0);
        assert_int_equal(ran, slow_count(slow, slow->running, clock->started_at, now));

        clock->level = rng_between(rng, ladder_first_level(timing->ladder), rungs + 2);
        assert_int_equal(clock_schedule(clock, timing), 0);
        deadline = clock->fixed_at ? clock->fixed_at
                                   : slow_forward(slow, slow->running, clock->started_at,
                                                  clock->target * USEC_PER_SEC);
        assert_int_equal(clock->deadline, deadline == INT64_MAX ? 0 : deadline);
        assert_int_equal(clock->next_at,
                         clock->paused ? 0 : slow_event(slow, clock, timing->ladder, clock->level));
        if (clock->paused || clock->level < rungs || now < clock->next_at)
                return;
        /* Nothing waits after the event: whoever pauses a clock settles what is due before. */
        if (clock->pauses.n > 0 &&
            ((Pause *)clock->pauses.items)[clock->pauses.n - 1].until > clock->next_at)
                return;
        while (slow_event(slow, clock, timing->ladder, clock->level + missed + 1) < now)
                missed++;
        assert_int_equal(clock_missed(clock, timing, now, clock->level, &found), 0);
        assert_int_equal(found, missed);
}

static void test_random(_unused_ void **state) {
        _cleanup_free_ Slow *slow = malloc(sizeof(*slow));
        Rng rng = { 1 };

        assert_non_null(slow);
        for (unsigned i = 0; i < 20; i++) {
                _cleanup_(cleanup_calendar_free) Calendar *calendar = NULL;
                SpecialDay days[12];
                CalendarSpec spec;

                random_calendar(&rng, &spec, days, ELEMENTS(days));
                slow_calendar(slow, &spec);
                assert_int_equal(calendar_new(&spec, &calendar), 0);
                for (unsigned k = 0; k < 15; k++) {
                        LadderSpec steps = random_ladder(&rng);
                        Pause list[PAUSES_MAX] = {};
                        Clock clock = random_clock(&rng, slow, list);

                        slow_clock(slow, &clock);
                        compare_clock(&rng, slow, &clock, &(Timing){ calendar, &steps });
                }
        }
}

static void compare_pause(Rng *rng, Calendar *calendar) {
        LadderSpec steps = random_ladder(rng);
        const Timing timing = { calendar, &steps };
        int64_t level = rng_between(rng, 0, (int64_t)steps.n_rungs + 2);
        int64_t started = instant("23 09:00") + rng_between(rng, 0, 1440 * MINUTE);
        int64_t span, from, before, after, lost;
        Pause list[1] = {};
        Clock clock = { .started_at = started,
                        .target = rng_between(rng, 60, 100000),
                        .pauses.items = list };

        assert_int_equal(clock_event(&clock, &timing, level, &before), 0);
        span = MAX(before - started, INT64_C(1));
        from = started + rng_between(rng, 0, span + span / 4);
        list[0] = (Pause){ .since = from, .until = from + rng_between(rng, 0, 3000 * MINUTE) };
        clock.pauses.n = 1;
        assert_int_equal(clock_event(&clock, &timing, level, &after), 0);
        assert_int_equal(calendar_elapsed(calendar, from, list[0].until, &lost), 0);
        if (from >= before)
                lost = 0;
        assert_int_equal(calendar_add(calendar, before, lost, &before), 0);
        assert_int_equal(after, before);
}

/* A pause moves every event that comes after its beginning by its own working time, to the
 * microsecond; an event before it stays. */
static void test_pause_shifts(_unused_ void **state) {
        Rng rng = { 2 };

        for (unsigned i = 0; i < 100; i++) {
                _cleanup_(cleanup_calendar_free) Calendar *calendar = NULL;
                SpecialDay days[12];
                CalendarSpec spec;

                random_calendar(&rng, &spec, days, ELEMENTS(days));
                assert_int_equal(calendar_new(&spec, &calendar), 0);
                for (unsigned k = 0; k < 40; k++)
                        compare_pause(&rng, calendar);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_events),
                cmocka_unit_test(test_running),
                cmocka_unit_test(test_schedule),
                cmocka_unit_test(test_first_level),
                cmocka_unit_test(test_missed),
                cmocka_unit_test(test_missed_beside_a_pause),
                cmocka_unit_test(test_out_of_range),
                cmocka_unit_test(test_random),
                cmocka_unit_test(test_pause_shifts),
                cmocka_unit_test(test_not_warned),
                cmocka_unit_test(test_retarget_out_of_range),
        };

        return cmocka_run_group_tests_name("timing", tests, NULL, NULL);
}
