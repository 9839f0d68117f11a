/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Times as people write and read them: in the zone of the process. On the bus they are microseconds
 * since 1970 UTC, dates are YYYY-MM-DD. */

#include <stdbool.h>
#include <stdint.h>

#define TIME_FORMS                                                                                 \
        "write 2026-11-23 18:05, 18:05, today|tomorrow|yesterday 18:05, now, +2h, -30min, "        \
        "2026-11-23T18:05:00Z or 2026-11-23T18:05:00+08:00"
#define DATE_FORMS "write a date such as 2026-11-23, or today, tomorrow or yesterday"

/* Reads a time; without a zone it is local, and of a local time that occurs twice the first is
 * meant. 0, -EINVAL (none of the forms), -ENOENT (the clocks skip that local time). */
int time_parse(const char *text, int64_t now, int64_t *ret);

/* Reads a date. 0 or -EINVAL. */
#define DATE_SIZE sizeof("2026-11-23")
int date_parse(const char *text, int64_t now, char ret[static DATE_SIZE]);
/* Also reads a month such as 2026-11, of which the first or the last day is meant. */
int date_parse_edge(const char *text, int64_t now, bool last, char ret[static DATE_SIZE]);
/* The last day of the date's month. */
int date_month_end(const char *date, char ret[static DATE_SIZE]);

/* "2026-11-23 18:05:00", exact: "2026-11-23 18:05:00 +08:00". Returns buffer. */
#define TIME_SIZE 48
char *time_show(int64_t time, bool exact, char buffer[static TIME_SIZE]);

/* "26h 30min"; hours are never made days, because a working day has no fixed length. */
#define DURATION_SIZE 48
char *duration_show(int64_t seconds, char buffer[static DURATION_SIZE]);
