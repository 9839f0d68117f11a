/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Working time: a calendar turns instants into working seconds and back.
 *
 * Everything rests on one function, W(t): the working microseconds between the start of the
 * calendar's range and the instant t. It never falls and grows by real (UTC) elapsed time inside
 * working stretches, so a daylight-saving change inside a stretch counts what really passed. Then
 *
 *         elapsed(a, b) = W(b) - W(a)        add(a, s) = the earliest t with W(t) = W(a) + s
 *
 * Local times that a zone skips are taken as the instant of the change; of local times that occur
 * twice a stretch starts at the first and ends at the last. The times of a stretch are those from
 * its start up to but without its end: a stretch until 24:00 never reaches into an hour that the
 * zone repeats after midnight. Where stretches meet they are one; where a repeated hour makes them
 * overlap it counts once.
 *
 * The range is the local years CALENDAR_YEAR_MIN..CALENDAR_YEAR_MAX. Instants are microseconds
 * since the epoch. Years are computed when they are first asked for and then kept, so one thread
 * uses a calendar at a time. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/policy.h"

typedef struct Calendar Calendar;

/* Builds a calendar from its specification, which must live as long as the calendar.
 * 0, -ENOMEM, -ERANGE (no working time in a whole ordinary week: nothing could ever fall due), or
 * what zone_load() gives: -ENOENT and -EINVAL (no such zone), -EBADMSG (damaged zone file). */
int calendar_new(const CalendarSpec *spec, Calendar **ret);
Calendar *calendar_free(Calendar *calendar);

const char *calendar_name(const Calendar *calendar);

/* Working microseconds in [from, until]; negative when until is before from.
 * 0, -ERANGE (an instant outside of the range), -ENOMEM. */
int calendar_elapsed(Calendar *calendar, int64_t from, int64_t until, int64_t *ret);

/* The earliest instant by which `usec` of working time have passed since `from`: at closing time
 * the end of the stretch, not the next morning. A negative `usec` goes back: the latest instant
 * since which |usec| have passed until `from`. usec 0 gives `from`. 0, -ERANGE (`from` or the
 * answer outside of the range), -ENOMEM. */
int calendar_add(Calendar *calendar, int64_t from, int64_t usec, int64_t *ret);

/* One uniform piece of time within a local day: working or not, and why. */
typedef struct CalendarPiece {
        int64_t from, until; /* instants, microseconds UTC */
        bool working;
        /* "working hours", "make-up day" (special, but off by the week), "special hours" (special,
         * and working by the week); "outside hours", "day off" (by the week), "holiday" (special)
         */
        const char *why;
        const char *day_name; /* the special day's name, e.g. "国庆节", or NULL */
} CalendarPiece;

/* Writes the piece that contains `at` (its until is exclusive); the next one starts where it ends.
 * 0, -ERANGE, -ENOMEM. */
int calendar_piece(Calendar *calendar, int64_t at, CalendarPiece *ret);

/* What a local date is. 0 or -ERANGE. */
typedef struct CalendarDay {
        int32_t day; /* days since 1970-01-01 */
        bool special;
        const char *name; /* of the special day, or NULL */
        DayHours hours;   /* none: a day off */
} CalendarDay;
int calendar_day(const Calendar *calendar, int32_t day, CalendarDay *ret);

/* The first year from `year` on, at most `years` further, for which holiday data is missing
 * although the calendar is meant to have it; 0 when all are covered. */
int calendar_missing_year(const Calendar *calendar, int year, int years);
