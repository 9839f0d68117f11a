/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The table of all keys of the configuration file: the notation in which it is written, and its
 * areas, which have files of their own where they need much code. */

#include <stddef.h>

#include "config/scalar.h"
#include "config/schema.h"

/* ---- notation ------------------------------------------------------------------------------ */

#define KEY(key_, offset_, ...)                                                                    \
        { .key = (key_), .offset = (offset_), __VA_ARGS__ }
#define KEYS(...)                                                                                  \
        (const SchemaKey[]) {                                                                      \
                __VA_ARGS__, {                                                                     \
                }                                                                                  \
        }
#define IS(...)                                                                                    \
        .schema = &(const Schema) {                                                                \
                __VA_ARGS__                                                                        \
        }
#define REQUIRED .required = true

/* The elements of an array with its count beside it. */
#define ARRAY(max_, Struct, member, ...)                                                           \
        .array = { .max = (max_),                                                                  \
                   .size = sizeof(*((Struct *)0)->member),                                         \
                   .array = offsetof(Struct, member),                                              \
                   .n = offsetof(Struct, n_##member),                                              \
                   __VA_ARGS__ }

#define NAME_OF(what_, scan) .what = (what_), .scalar = (scan), .max = NAME_MAX_BYTES
#define INTEGER(min_, max_)                                                                        \
        .what = "a whole number from " #min_ " to " #max_, .scalar = scalar_integer,               \
        .min = (min_), .max = (max_)
#define DURATION(min_, max_)                                                                       \
        .what = "a duration such as 90s, 30m, 36h, 30d or 1h30m", .scalar = scalar_duration,       \
        .min = (min_), .max = (max_)
#define WORKING(min_) WORKING_OF(scalar_working, min_)
#define WORKING_OF(scan, min_)                                                                     \
        .what = "working time such as 90s, 30m, 36h or 1h30m", .scalar = (scan), .min = (min_),    \
        .max = YEAR

/* Begins what has its name as its first member, a char *: the name is the key. */
int keys_begin_named(Walker *walker, void *element, const char *key);

/* ---- tables -------------------------------------------------------------------------------- */

/* The whole file, and those of its areas that have a file of their own; they fill a Policy. */
extern const Schema policy_schema, calendars_schema, roles_schema, access_schema;

/* The holiday files of a calendar; fills a CalendarSpec. */
extern const Schema holidays_schema;

/* Values in several areas. */
extern const Schema any_text_schema, flag_schema, date_schema, zone_schema;
