/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* IANA time zones, read from the TZif files of the system (RFC 8536) without touching the process'
 * own zone: no TZ, no tzset(), any number of zones at once. Daylight saving is followed up to the
 * year after CALENDAR_YEAR_MAX; later instants have the offset of the last change before. A zone
 * never changes once it is loaded. */

#include <stdint.h>

#include "base/buffer.h"

typedef struct Zone Zone;

/* Loads a zone by its IANA name ("Asia/Shanghai"; "UTC" needs no file). Directory: $TZDIR or
 * /usr/share/zoneinfo. 0, -ENOENT, -EINVAL (no zone name: empty, absolute, too long, or with other
 * characters than letters, digits, "_", "+", "-" and "/"), -EBADMSG (damaged file, or one that
 * counts leap seconds), -ENOMEM, or what reading the file gave. */
int zone_load(const char *name, Zone **ret);
Zone *zone_free(Zone *zone);

const char *zone_name(const Zone *zone);
/* All that it knows, for a digest. */
void zone_put(const Zone *zone, Buffer *buffer);

/* Seconds east of UTC at an instant (seconds since the epoch). */
int32_t zone_offset(const Zone *zone, int64_t utc);

/* Which instant of a local time that occurs twice is meant. */
typedef enum ZoneFold { ZONE_FIRST, ZONE_LAST } ZoneFold;

/* The instant of a local wall-clock time, given as seconds since 1970-01-01 00:00 local. A time
 * that is skipped gives the instant of the change; one that occurs twice the one that fold names. A
 * later local time never gives an earlier instant. */
int64_t zone_instant(const Zone *zone, int64_t local, ZoneFold fold);

/* Civil dates of the proleptic Gregorian calendar; days count from 1970-01-01. */
int32_t days_from_civil(int year, int month, int day);
void civil_from_days(int32_t days, int *ret_year, int *ret_month, int *ret_day);
/* Monday 0 .. Sunday 6. */
int weekday_from_days(int32_t days);

/* The local date and second of the day of an instant. */
void zone_local(const Zone *zone, int64_t utc, int32_t *ret_days, int32_t *ret_second);
