/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The values that a configuration is made of. */

#include <stdint.h>

#include "config/schema.h"

/* Seconds. */
#define MINUTE 60
#define HOUR   (60 * MINUTE)
#define DAY    (24 * HOUR)
#define YEAR   (366 * DAY)

/* Bytes. */
#define KIB (INT64_C(1) << 10)
#define MIB (INT64_C(1) << 20)
#define GIB (INT64_C(1) << 30)
#define TIB (INT64_C(1) << 40)

/* For the scalar of a Schema. What each fills is named behind it. */
int scalar_text(Walker *, const Schema *, const char *, void *);     /* char * */
int scalar_zone(Walker *, const Schema *, const char *, void *);     /* char *, a name that loads */
int scalar_enum(Walker *, const Schema *, const char *, void *);     /* int */
int scalar_bit(Walker *, const Schema *, const char *, void *);      /* uint32_t |= 1 << value */
int scalar_bool(Walker *, const Schema *, const char *, void *);     /* bool */
int scalar_integer(Walker *, const Schema *, const char *, void *);  /* int64_t */
int scalar_percent(Walker *, const Schema *, const char *, void *);  /* int64_t */
int scalar_duration(Walker *, const Schema *, const char *, void *); /* int64_t seconds */
int scalar_working(Walker *, const Schema *, const char *, void *);  /* int64_t seconds, no days */
int scalar_size(Walker *, const Schema *, const char *, void *);     /* int64_t bytes */
int scalar_date(Walker *, const Schema *, const char *, void *);     /* int32_t days since 1970 */
int scalar_clock(Walker *, const Schema *, const char *, void *);    /* int64_t s since midnight */
/* DayStretch, in a list: it must begin after the one before it in the array. */
int scalar_stretch(Walker *, const Schema *, const char *, void *);

/* A name of the configuration: a-z, 0-9, _ and -, beginning with a letter. 0 or CONFIG_REFUSED. */
int scalar_check_name(Walker *walker, const char *name);

/* Notes that the text is in the list already. CONFIG_REFUSED. */
int scalar_refuse_repeated(Walker *walker, const char *text);
