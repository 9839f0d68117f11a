/* SPDX-License-Identifier: Apache-2.0 */

#include "config/scalar.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "base/zone.h"
#include "config/policy.h"
#include "config/tree.h"

/* ---- names, texts and words ----------------------------------------------------------------- */

int scalar_check_name(Walker *w, const char *name) {
        size_t n = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_-");

        if (name[n] || !islower((unsigned char)name[0]) || n > NAME_MAX_BYTES)
                return walker_refuse(w,
                                     "this cannot be a name; write at most %d of a-z, 0-9, _ "
                                     "and -, beginning with a letter",
                                     NAME_MAX_BYTES);
        return 0;
}

int scalar_refuse_repeated(Walker *w, const char *text) {
        return walker_refuse(w, "'%s' is already in this list; remove one of the two", text);
}

int scalar_text(Walker *w, const Schema *s, const char *text, void *target) {
        char **field = target;

        if (!*text)
                return schema_refuse_value(w, s, text, "is empty");
        if (strlen(text) > (size_t)s->max)
                return walker_refuse(w, "the text has %zu bytes; write at most %" PRId64,
                                     strlen(text), s->max);
        *field = strdup(text);
        return *field ? 0 : -ENOMEM;
}

int scalar_zone(Walker *w, const Schema *s, const char *text, void *target) {
        Zone *zone = NULL;
        int r;

        r = zone_load(text, &zone);
        zone_free(zone);
        if (r == -ENOENT || r == -EINVAL)
                return schema_refuse_value(w, s, text, "is no time zone of this machine");
        if (r == -EBADMSG)
                return schema_refuse_value(w, s, text, "has a damaged file on this machine");
        return r < 0 ? r : scalar_text(w, s, text, target);
}

/* The value of an enumeration's name, or -1 with the error noted. */
static int enum_value(Walker *w, const Schema *s, const char *text) {
        const char *names[SCHEMA_NAMES_MAX + 1] = {};
        char advice[CONFIG_ADVICE_SIZE], shown[SHOWN_SIZE];
        size_t n = 0;

        assert(s->n_names <= SCHEMA_NAMES_MAX);
        for (size_t i = 0; i < s->n_names; i++) {
                if (!s->names[i])
                        continue;
                if (STREQ(s->names[i], text))
                        return (int)i;
                names[n++] = s->names[i];
        }
        walker_refuse(w, "'%s' is unknown; %s", text_escape(text, shown, sizeof(shown)),
                      config_advise(text, names, advice));
        return -1;
}

int scalar_enum(Walker *w, const Schema *s, const char *text, void *target) {
        int value = enum_value(w, s, text);

        if (value < 0)
                return CONFIG_REFUSED;
        *(int *)target = value;
        return 0;
}

int scalar_bit(Walker *w, const Schema *s, const char *text, void *target) {
        uint32_t *mask = target;
        int value = enum_value(w, s, text);

        if (value < 0)
                return CONFIG_REFUSED;
        if (*mask & UINT32_C(1) << value)
                return scalar_refuse_repeated(w, text);
        *mask |= UINT32_C(1) << value;
        return 0;
}

/* ---- numbers -------------------------------------------------------------------------------- */

/* What YAML takes for a text because of its quotes. */
static bool is_quoted(const Walker *w) {
        return !w->node->plain;
}

int scalar_bool(Walker *w, const Schema *s, const char *text, void *target) {
        bool value = STREQ(text, "true");

        if (is_quoted(w))
                return schema_refuse_value(w, s, text, "has quotes");
        if (!value && !STREQ(text, "false"))
                return schema_refuse_value(w, s, text, "is neither true nor false");
        *(bool *)target = value;
        return 0;
}

/* Reads digits without sign or leading zeros up to the first other character, to which *text then
 * points. False if there are none or too many. */
static bool parse_number(const char **text, int64_t *ret) {
        const char *p = *text;
        int64_t value = 0;

        if (!isdigit((unsigned char)*p) || (*p == '0' && isdigit((unsigned char)p[1])))
                return false;
        for (; isdigit((unsigned char)*p); p++)
                if (__builtin_mul_overflow(value, 10, &value) ||
                    __builtin_add_overflow(value, *p - '0', &value))
                        return false;
        *text = p;
        *ret = value;
        return true;
}

static int scan_number(Walker *w, const Schema *s, const char *text, const char *unit,
                       const char *problem, void *target) {
        const char *p = text;
        int64_t value;

        if (!parse_number(&p, &value) || !STREQ(p, unit))
                return schema_refuse_value(w, s, text, problem);
        if (value < s->min || value > s->max)
                return schema_refuse_value(w, s, text, "is out of range");
        *(int64_t *)target = value;
        return 0;
}

int scalar_integer(Walker *w, const Schema *s, const char *text, void *target) {
        if (is_quoted(w))
                return schema_refuse_value(w, s, text, "has quotes");
        return scan_number(w, s, text, "", "is not a whole number", target);
}

int scalar_percent(Walker *w, const Schema *s, const char *text, void *target) {
        return scan_number(w, s, text, "%", "is not a whole number with %", target);
}

/* ---- amounts with units --------------------------------------------------------------------- */

typedef struct Unit {
        const char *name;
        int64_t factor;
} Unit;

/* From the greatest to the least, the end has no name. */
static const Unit time_units[] = {
        { "d", DAY }, { "h", HOUR }, { "m", MINUTE }, { "s", 1 }, {},
};
static const Unit size_units[] = {
        { "TiB", TIB }, { "GiB", GIB }, { "MiB", MIB }, { "KiB", KIB }, {},
};

static const Unit *unit_find(const Unit *units, const char *text, size_t size) {
        for (; units->name; units++)
                if (strlen(units->name) == size && memcmp(units->name, text, size) == 0)
                        return units;
        return NULL;
}

/* Reads numbers with units, the units falling: "1h30m". NULL, or what is wrong. */
static const char *parse_amount(const char *text, const Unit *units, int64_t *ret) {
        const Unit *unit, *least = NULL;
        int64_t total = 0, number;

        do {
                size_t n = 0;

                if (!parse_number(&text, &number))
                        return "is not a whole number with a unit";
                while (isalpha((unsigned char)text[n]))
                        n++;
                if (n == 0)
                        return *text ? "is not a whole number with a unit" : "has no unit";
                unit = unit_find(units, text, n);
                if (!unit)
                        return "has an unknown unit";
                if (least && unit <= least)
                        return "has its units in the wrong order";
                if (__builtin_mul_overflow(number, unit->factor, &number) ||
                    __builtin_add_overflow(total, number, &total))
                        return "is too large";
                least = unit;
                text += n;
        } while (*text);
        *ret = total;
        return NULL;
}

static void format_amount(int64_t amount, const Unit *units, char *buffer, size_t size) {
        while (units[1].name && (amount < units->factor || amount % units->factor != 0))
                units++;
        snprintf(buffer, size, "%" PRId64 "%s", amount / units->factor, units->name);
}

static int scan_amount(Walker *w, const Schema *s, const char *text, const Unit *units,
                       void *target) {
        char shown[SHOWN_SIZE], least[SHOWN_SIZE], most[SHOWN_SIZE];
        const char *problem;
        int64_t value;

        problem = parse_amount(text, units, &value);
        if (problem)
                return schema_refuse_value(w, s, text, problem);
        if (value < s->min || value > s->max) {
                format_amount(s->min, units, least, sizeof(least));
                format_amount(s->max, units, most, sizeof(most));
                return walker_refuse(w, "'%s' is out of range; write %s to %s",
                                     text_escape(text, shown, sizeof(shown)), least, most);
        }
        *(int64_t *)target = value;
        return 0;
}

int scalar_duration(Walker *w, const Schema *s, const char *text, void *target) {
        return scan_amount(w, s, text, time_units, target);
}

int scalar_working(Walker *w, const Schema *s, const char *text, void *target) {
        int64_t value;

        if (!parse_amount(text, time_units, &value) && strchr(text, 'd'))
                return walker_refuse(w,
                                     "'%s' is in days, but working days differ in length; write "
                                     "hours, for days of 8 hours %" PRId64 "h",
                                     text, value / DAY * 8 + (value % DAY + HOUR - 1) / HOUR);
        return scan_amount(w, s, text, time_units + 1, target);
}

int scalar_size(Walker *w, const Schema *s, const char *text, void *target) {
        return scan_amount(w, s, text, size_units, target);
}

/* ---- time ----------------------------------------------------------------------------------- */

int scalar_date(Walker *w, const Schema *s, const char *text, void *target) {
        int year, month, day, y, m, d, end = 0;
        int32_t date;

        if (strlen(text) != 10 || strspn(text, "0123456789-") != 10 ||
            sscanf(text, "%4d-%2d-%2d%n", &year, &month, &day, &end) != 3 || end != 10)
                return schema_refuse_value(w, s, text, "is not a date");
        if (year < CALENDAR_YEAR_MIN || year >= CALENDAR_YEAR_MAX)
                return walker_refuse(w, "'%s' is out of range; write a year from %d to %d", text,
                                     CALENDAR_YEAR_MIN, CALENDAR_YEAR_MAX - 1);
        if (month < 1 || month > 12 || day < 1 || day > 31)
                return schema_refuse_value(w, s, text, "is not in any calendar");
        date = days_from_civil(year, month, day);
        civil_from_days(date, &y, &m, &d);
        if (d != day)
                return schema_refuse_value(w, s, text, "is not in any calendar");
        *(int32_t *)target = date;
        return 0;
}

/* "HH:MM" in seconds, or -1. */
static int32_t parse_clock(const char *text) {
        int hour, minute;

        if (!isdigit((unsigned char)text[0]) || !isdigit((unsigned char)text[1]) ||
            text[2] != ':' || !isdigit((unsigned char)text[3]) || !isdigit((unsigned char)text[4]))
                return -1;
        hour = (text[0] - '0') * 10 + text[1] - '0';
        minute = (text[3] - '0') * 10 + text[4] - '0';
        if (minute > 59 || hour > 24 || (hour == 24 && minute > 0))
                return -1;
        return hour * HOUR + minute * MINUTE;
}

int scalar_clock(Walker *w, const Schema *s, const char *text, void *target) {
        int32_t second = strlen(text) == 5 ? parse_clock(text) : -1;

        if (second < 0)
                return schema_refuse_value(w, s, text, "is no time that a clock shows");
        if (second < s->min || second > s->max)
                return schema_refuse_value(w, s, text, "is out of range");
        *(int64_t *)target = second;
        return 0;
}

int scalar_stretch(Walker *w, const Schema *s, const char *text, void *target) {
        DayStretch *stretch = target;
        int32_t from, until;

        if (strlen(text) != 11 || text[5] != '-')
                return schema_refuse_value(w, s, text, "is not a stretch of time");
        from = parse_clock(text);
        until = parse_clock(text + 6);
        if (from < 0 || until < 0)
                return schema_refuse_value(w, s, text, "has a time that no clock shows");
        if (from >= until)
                return walker_refuse(w,
                                     "'%s' ends before it begins; write what is after midnight "
                                     "into the next day",
                                     text);
        if (w->steps[w->n_steps - 1].index > 0 && from <= stretch[-1].until)
                return walker_refuse(w,
                                     "'%s' does not begin after the stretch before it; write "
                                     "stretches in order and join those that touch",
                                     text);
        *stretch = (DayStretch){ from, until };
        return 0;
}
