/* SPDX-License-Identifier: Apache-2.0 */

#include "base/zone.h"

#include <ctype.h>
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "aftersales/limits.h"
#include "base/macro.h"

#define ZONE_DIRECTORY      "/usr/share/zoneinfo"
#define ZONE_FILE_BYTES_MAX (64 * 1024) /* the largest file of the IANA database has 4 KiB */
#define DAY_SECONDS         86400

/* RFC 8536 bounds the offsets by 26 hours, and the instants in practice by 2^59. */
#define OFFSET_MAX         (26 * 3600)
#define INSTANT_MAX        (INT64_C(1) << 59)
#define INSTANT_BEFORE_ALL (-(INT64_C(1) << 62))

/* The years for which the rule of the footer is turned into changes. */
#define RULE_YEAR_MIN    1900
#define RULE_YEAR_MAX    (CALENDAR_YEAR_MAX + 1)
#define RULE_CHANGES_MAX ((RULE_YEAR_MAX - RULE_YEAR_MIN + 1) * 2)

#define HEADER_BYTES     44
#define TYPE_BYTES       6
#define TYPES_MAX        256

/* From this instant on the offset holds. */
typedef struct Change {
        int64_t at;
        int32_t offset;
} Change;

struct Zone {
        char *name;
        Change *changes; /* ascending; the first lies before everything */
        size_t n_changes;
};

/* One of the data blocks of a file: 32-bit times in the first, 64-bit times in the second. */
typedef struct Block {
        uint8_t version;
        size_t time_size;
        uint32_t n_utc, n_standard, n_leaps, n_times, n_types, n_letters;
        const uint8_t *times, *kinds, *types, *end;
} Block;

/* When a year's change happens: the day as in the POSIX TZ variable, and the wall-clock time. */
typedef struct RuleDate {
        char form; /* 'J': day 1..365 without 29 February, 'N': day 0..365, 'M': month.week.day */
        int month, week, day;
        int32_t time;
} RuleDate;

typedef struct Rule {
        int32_t standard, daylight; /* offsets */
        RuleDate start, end;        /* of daylight saving */
} Rule;

/* ---- civil dates ----------------------------------------------------------------------------- */

/* Days from 0000-03-01, where the years of the arithmetic below begin, to the epoch. */
#define EPOCH_DAYS        719468
#define DAYS_IN_400_YEARS 146097

static int64_t floor_div(int64_t a, int64_t b) {
        return a / b - (a % b < 0);
}

/* Counting years from March puts the leap day last, and the months into the regular pattern of
 * 153 days in five. */
int32_t days_from_civil(int year, int month, int day) {
        int64_t y = month > 2 ? year : (int64_t)year - 1;
        int m = month > 2 ? month - 3 : month + 9;

        return (int32_t)(365 * y + floor_div(y, 4) - floor_div(y, 100) + floor_div(y, 400) +
                         (153 * m + 2) / 5 + day - 1 - EPOCH_DAYS);
}

void civil_from_days(int32_t days, int *ret_year, int *ret_month, int *ret_day) {
        int64_t shifted = (int64_t)days + EPOCH_DAYS;
        int64_t cycle = floor_div(shifted, DAYS_IN_400_YEARS);
        int day = (int)(shifted - cycle * DAYS_IN_400_YEARS);
        /* Leave out the leap days before this one; what remains are years of 365 days. */
        int year = (day - day / 1460 + day / 36524 - day / 146096) / 365, m;

        day -= 365 * year + year / 4 - year / 100;
        m = (5 * day + 2) / 153;
        *ret_day = day - (153 * m + 2) / 5 + 1;
        *ret_month = m < 10 ? m + 3 : m - 9;
        *ret_year = (int)(cycle * 400) + year + (m >= 10);
}

int weekday_from_days(int32_t days) {
        return (days % 7 + 7 + 3) % 7; /* 1970-01-01 was a Thursday */
}

/* ---- the rule of the footer ------------------------------------------------------------------ */

static bool parse_char(const char **p, char c) {
        if (**p != c)
                return false;
        (*p)++;
        return true;
}

static bool parse_number(const char **p, int min, int max, int *ret) {
        int n = 0;

        if (!isdigit((unsigned char)**p))
                return false;
        for (; isdigit((unsigned char)**p) && n <= max; (*p)++)
                n = n * 10 + (**p - '0');
        if (n < min || n > max)
                return false;
        *ret = n;
        return true;
}

/* The abbreviation: three letters or more, or anything in angle brackets. */
static bool parse_abbreviation(const char **p) {
        const char *start = *p;

        if (parse_char(p, '<')) {
                while (isalnum((unsigned char)**p) || **p == '+' || **p == '-')
                        (*p)++;
                return parse_char(p, '>');
        }
        while (isalpha((unsigned char)**p))
                (*p)++;
        return *p - start >= 3;
}

/* [+-]hh[:mm[:ss]] */
static bool parse_time(const char **p, int hours_max, int32_t *ret) {
        bool negative = parse_char(p, '-');
        int hours, minutes = 0, seconds = 0;

        if (!negative)
                parse_char(p, '+');
        if (!parse_number(p, 0, hours_max, &hours))
                return false;
        if (parse_char(p, ':')) {
                if (!parse_number(p, 0, 59, &minutes))
                        return false;
                if (parse_char(p, ':') && !parse_number(p, 0, 59, &seconds))
                        return false;
        }
        *ret = (hours * 60 + minutes) * 60 + seconds;
        if (negative)
                *ret = -*ret;
        return true;
}

/* ,date[/time] */
static bool parse_date(const char **p, RuleDate *ret) {
        *ret = (RuleDate){ .form = 'N', .time = 2 * 3600 };
        if (!parse_char(p, ','))
                return false;
        if (parse_char(p, 'M')) {
                ret->form = 'M';
                if (!parse_number(p, 1, 12, &ret->month) || !parse_char(p, '.') ||
                    !parse_number(p, 1, 5, &ret->week) || !parse_char(p, '.') ||
                    !parse_number(p, 0, 6, &ret->day))
                        return false;
        } else {
                if (parse_char(p, 'J'))
                        ret->form = 'J';
                if (!parse_number(p, ret->form == 'J', 365, &ret->day))
                        return false;
        }
        return !parse_char(p, '/') || parse_time(p, 7 * 24 - 1, &ret->time);
}

/* Reads the footer: 1 with a rule, 0 when the zone has no daylight saving any more, -EBADMSG. */
static int rule_parse(const char *p, Rule *ret) {
        int32_t west;

        if (!parse_char(&p, '\n'))
                return -EBADMSG;
        if (*p == '\n')
                return 0;
        if (!parse_abbreviation(&p) || !parse_time(&p, 24, &west))
                return -EBADMSG;
        ret->standard = -west;
        if (*p == '\n')
                return 0;
        if (!parse_abbreviation(&p))
                return -EBADMSG;
        ret->daylight = ret->standard + 3600;
        if (*p != ',') {
                if (!parse_time(&p, 24, &west))
                        return -EBADMSG;
                ret->daylight = -west;
        }
        return parse_date(&p, &ret->start) && parse_date(&p, &ret->end) && *p == '\n' ? 1
                                                                                      : -EBADMSG;
}

static int32_t rule_day(const RuleDate *date, int year) {
        int32_t first, next, day;

        if (date->form == 'J')
                /* The same date every year: count in one without a leap day, from either end. */
                return date->day <= 59 ? days_from_civil(year, 1, 1) + date->day - 1
                                       : days_from_civil(year + 1, 1, 1) + date->day - 366;
        if (date->form == 'N')
                return days_from_civil(year, 1, 1) + date->day;

        first = days_from_civil(year, date->month, 1);
        next = days_from_civil(year + date->month / 12, date->month % 12 + 1, 1);
        /* Sunday is 0 here; week 5 is the last one. */
        day = first + (date->day + 6 - weekday_from_days(first)) % 7 + (date->week - 1) * 7;
        return day < next ? day : day - 7;
}

static void zone_append_rule_change(Zone *zone, Change change) {
        Change *last = &zone->changes[zone->n_changes - 1];

        if (change.at > last->at)
                zone->changes[zone->n_changes++] = change;
        else if (change.at == last->at) /* daylight saving all year: it ends when it starts again */
                last->offset = change.offset;
}

/* Appends what follows from the rule after the last change that the file lists. */
static void zone_append_rule(Zone *zone, const Rule *rule) {
        for (int year = RULE_YEAR_MIN; year <= RULE_YEAR_MAX; year++) {
                Change start = {
                        .at = (int64_t)rule_day(&rule->start, year) * DAY_SECONDS +
                              rule->start.time - rule->standard,
                        .offset = rule->daylight,
                };
                Change end = {
                        .at = (int64_t)rule_day(&rule->end, year) * DAY_SECONDS + rule->end.time -
                              rule->daylight,
                        .offset = rule->standard,
                };
                bool north = start.at < end.at;

                zone_append_rule_change(zone, north ? start : end);
                zone_append_rule_change(zone, north ? end : start);
        }
}

/* ---- the file -------------------------------------------------------------------------------- */

static int64_t load_time(const uint8_t *p, size_t size) {
        uint64_t n;

        if (size == 4)
                return (int32_t)load_be32(p);
        memcpy(&n, p, sizeof(n));
        return (int64_t)be64toh(n);
}

static int block_read(const uint8_t *p, const uint8_t *end, size_t time_size, Block *ret) {
        Block block = { .time_size = time_size };
        uint64_t size;

        if (end - p < HEADER_BYTES || memcmp(p, "TZif", 4) != 0)
                return -EBADMSG;
        block.version = p[4];
        block.n_utc = load_be32(p + 20);
        block.n_standard = load_be32(p + 24);
        block.n_leaps = load_be32(p + 28);
        block.n_times = load_be32(p + 32);
        block.n_types = load_be32(p + 36);
        block.n_letters = load_be32(p + 40);
        p += HEADER_BYTES;
        size = block.n_times * (uint64_t)(time_size + 1) + block.n_types * (uint64_t)TYPE_BYTES +
               block.n_letters + block.n_leaps * (uint64_t)(time_size + 4) + block.n_standard +
               block.n_utc;
        if (size > (uint64_t)(end - p))
                return -EBADMSG;
        block.times = p;
        block.kinds = block.times + block.n_times * time_size;
        block.types = block.kinds + block.n_times;
        block.end = p + size;
        *ret = block;
        return 0;
}

static int zone_reserve(Zone *zone, size_t n) {
        zone->changes = calloc(n, sizeof(Change));
        if (!zone->changes)
                return -ENOMEM;
        zone->changes[0].at = INSTANT_BEFORE_ALL;
        zone->n_changes = 1;
        return 0;
}

static int block_offset(const Block *block, uint32_t type, int32_t *ret) {
        int32_t offset;

        if (type >= block->n_types)
                return -EBADMSG;
        offset = (int32_t)load_be32(block->types + type * TYPE_BYTES);
        if (offset <= -OFFSET_MAX || offset >= OFFSET_MAX)
                return -EBADMSG;
        *ret = offset;
        return 0;
}

static int zone_append_block(Zone *zone, const Block *block) {
        int r;

        if (block->n_leaps > 0 || block->n_types > TYPES_MAX)
                return -EBADMSG;
        r = zone_reserve(zone, (size_t)block->n_times + 1 + RULE_CHANGES_MAX);
        if (r < 0)
                return r;
        r = block_offset(block, 0, &zone->changes[0].offset);
        if (r < 0)
                return r;
        for (uint32_t i = 0; i < block->n_times; i++) {
                Change change = { .at = load_time(block->times + i * block->time_size,
                                                  block->time_size) };

                r = block_offset(block, block->kinds[i], &change.offset);
                if (r < 0)
                        return r;
                if (change.at < -INSTANT_MAX || change.at > INSTANT_MAX ||
                    change.at <= zone->changes[zone->n_changes - 1].at)
                        return -EBADMSG;
                zone->changes[zone->n_changes++] = change;
        }
        return 0;
}

/* The text must be terminated: there is a NUL at data[size]. */
static int zone_parse(Zone *zone, const uint8_t *data, size_t size) {
        const uint8_t *end = data + size;
        Block block;
        Rule rule;
        int r;

        r = block_read(data, end, 4, &block);
        if (r < 0)
                return r;
        if (block.version == 0)
                return zone_append_block(zone, &block);
        r = block_read(block.end, end, 8, &block);
        if (r < 0)
                return r;
        r = zone_append_block(zone, &block);
        if (r < 0)
                return r;
        r = rule_parse((const char *)block.end, &rule);
        if (r > 0)
                zone_append_rule(zone, &rule);
        return MIN(r, 0);
}

/* Reads a file to its end, but at most size bytes. How many, or -errno. Without stdio, whose own
 * allocation can fail and leave errno at what happened before. */
static ssize_t file_read(const char *path, uint8_t *data, size_t size) {
        _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
        size_t used = 0;

        if (fd < 0)
                return -errno;
        while (used < size) {
                ssize_t n = read(fd, data + used, size - used);

                if (n < 0)
                        return -errno;
                if (n == 0)
                        break;
                used += (size_t)n;
        }
        return (ssize_t)used;
}

static int zone_read(Zone *zone) {
        const char *directory = getenv("TZDIR");
        _cleanup_free_ uint8_t *data = NULL;
        char path[PATH_MAX];
        ssize_t size;

        if (!directory || !*directory)
                directory = ZONE_DIRECTORY;
        if (snprintf(path, sizeof(path), "%s/%s", directory, zone->name) >= (int)sizeof(path))
                return -ENAMETOOLONG;
        data = malloc(ZONE_FILE_BYTES_MAX + 1);
        if (!data)
                return -ENOMEM;
        size = file_read(path, data, ZONE_FILE_BYTES_MAX + 1);
        if (size == -ENOTDIR || size == -EISDIR)
                return -ENOENT;
        if (size < 0)
                return (int)size;
        if (size > ZONE_FILE_BYTES_MAX)
                return -EBADMSG;
        data[size] = '\0';
        return zone_parse(zone, data, (size_t)size);
}

/* ---- zones ----------------------------------------------------------------------------------- */

/* No dots: nothing but the files of the database can be named. */
static bool name_is_valid(const char *name) {
        size_t n =
                strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_+-/");

        return n > 0 && n <= NAME_MAX_BYTES && name[n] == '\0' && name[0] != '/';
}

DEFINE_CLEANUP(Zone *, zone_free);

int zone_load(const char *name, Zone **ret) {
        _cleanup_(cleanup_zone_free) Zone *zone = NULL;
        int r;

        if (!name_is_valid(name))
                return -EINVAL;
        zone = calloc(1, sizeof(*zone));
        if (!zone)
                return -ENOMEM;
        zone->name = strdup(name);
        if (!zone->name)
                return -ENOMEM;
        r = STREQ(name, "UTC") ? zone_reserve(zone, 1) : zone_read(zone);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(zone);
        return 0;
}

Zone *zone_free(Zone *zone) {
        if (!zone)
                return NULL;
        free(zone->name);
        free(zone->changes);
        free(zone);
        return NULL;
}

const char *zone_name(const Zone *zone) {
        return zone->name;
}

void zone_put(const Zone *zone, Buffer *buffer) {
        for (size_t i = 0; i < zone->n_changes; i++) {
                buffer_put_u64(buffer, (uint64_t)zone->changes[i].at);
                buffer_put_u32(buffer, (uint32_t)zone->changes[i].offset);
        }
}

/* The index of the change that is in force. */
static size_t zone_find(const Zone *zone, int64_t utc) {
        size_t low = 0, high = zone->n_changes;

        while (high - low > 1) {
                size_t middle = low + (high - low) / 2;

                if (zone->changes[middle].at <= utc)
                        low = middle;
                else
                        high = middle;
        }
        return low;
}

int32_t zone_offset(const Zone *zone, int64_t utc) {
        return zone->changes[zone_find(zone, utc)].offset;
}

/* The first instant is where the wall clock first shows the time or a later one, the last where it
 * last shows the time or an earlier one: for skipped times both are the change. */
int64_t zone_instant(const Zone *zone, int64_t local, ZoneFold fold) {
        const Change *changes = zone->changes;
        size_t i, last = zone->n_changes - 1;

        if (fold == ZONE_FIRST) {
                i = zone_find(zone, local - OFFSET_MAX);
                while (i < last && local - changes[i].offset >= changes[i + 1].at)
                        i++;
                return MAX(changes[i].at, local - changes[i].offset);
        }
        i = zone_find(zone, local + OFFSET_MAX);
        while (i > 0 && changes[i].at + changes[i].offset > local)
                i--;
        return i < last ? MIN(changes[i + 1].at, local - changes[i].offset)
                        : local - changes[i].offset;
}

void zone_local(const Zone *zone, int64_t utc, int32_t *ret_days, int32_t *ret_second) {
        int64_t local = utc + zone_offset(zone, utc), days = floor_div(local, DAY_SECONDS);

        *ret_days = (int32_t)days;
        *ret_second = (int32_t)(local - days * DAY_SECONDS);
}
