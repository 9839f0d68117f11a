/* SPDX-License-Identifier: Apache-2.0 */

#include "times.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "aftersales/limits.h"
#include "macro.h"

#define MINUTE       INT64_C(60)
#define HOUR         (60 * MINUTE)
#define DAY          (24 * HOUR)

#define DURATION_MAX (100 * 366 * DAY) /* from now */

static time_t seconds_of(int64_t time) {
        int64_t seconds = time / USEC_PER_SEC;

        return seconds - (time % USEC_PER_SEC < 0);
}

/* ---- pieces of text: each moves *p behind what it has read ---- */

static bool take_digits(const char **p, size_t min, size_t max, int *ret) {
        size_t n = 0;
        int value = 0;

        while (n < max && isdigit((unsigned char)(*p)[n]))
                value = 10 * value + ((*p)[n++] - '0');
        if (n < min)
                return false;
        *p += n;
        *ret = value;
        return true;
}

static bool take_char(const char **p, char c) {
        if (**p != c)
                return false;
        (*p)++;
        return true;
}

static bool take_word(const char **p, const char *word) {
        size_t n = strlen(word);

        if (strncmp(*p, word, n) != 0 || isalnum((unsigned char)(*p)[n]))
                return false;
        *p += n;
        return true;
}

static int month_days(int year, int month) {
        static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
        bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

        return days[month - 1] + (month == 2 && leap);
}

/* "2026-11-23" */
static bool take_date(const char **p, struct tm *tm) {
        int year, month, day;

        if (!take_digits(p, 4, 4, &year) || !take_char(p, '-') || !take_digits(p, 2, 2, &month) ||
            !take_char(p, '-') || !take_digits(p, 2, 2, &day))
                return false;
        if (year < CALENDAR_YEAR_MIN || month < 1 || month > 12 || day < 1 ||
            day > month_days(year, month))
                return false;
        tm->tm_year = year - 1900;
        tm->tm_mon = month - 1;
        tm->tm_mday = day;
        return true;
}

/* "today", "tomorrow", "yesterday" */
static bool take_day(const char **p, int64_t now, struct tm *tm) {
        static const struct {
                const char *word;
                int offset;
        } days[] = { { "today", 0 }, { "tomorrow", 1 }, { "yesterday", -1 } };

        for (size_t i = 0; i < ELEMENTS(days); i++)
                if (take_word(p, days[i].word)) {
                        time_t seconds = seconds_of(now);

                        if (!localtime_r(&seconds, tm))
                                return false;
                        tm->tm_mday += days[i].offset;
                        tm->tm_hour = 12; /* exists on every day */
                        tm->tm_isdst = -1;
                        return mktime(tm) != -1;
                }
        return false;
}

/* "18:05", "18:05:30", with fractions of a second */
static bool take_clock(const char **p, struct tm *tm, int *ret_micro) {
        int micro = 0;

        tm->tm_sec = 0;
        if (!take_digits(p, 1, 2, &tm->tm_hour) || !take_char(p, ':') ||
            !take_digits(p, 2, 2, &tm->tm_min))
                return false;
        if (take_char(p, ':')) {
                if (!take_digits(p, 2, 2, &tm->tm_sec))
                        return false;
                if (take_char(p, '.')) {
                        const char *start = *p;

                        if (!take_digits(p, 1, 6, &micro))
                                return false;
                        for (ptrdiff_t n = *p - start; n < 6; n++)
                                micro *= 10;
                }
        }
        *ret_micro = micro;
        return tm->tm_hour < 24 && tm->tm_min < 60 && tm->tm_sec < 60;
}

/* "Z", "UTC", "+08:00", "+0800", "+08" */
static bool take_zone(const char **p, int *ret_offset) {
        int hours, minutes = 0, sign;

        if (take_char(p, 'Z') || take_word(p, "UTC")) {
                *ret_offset = 0;
                return true;
        }
        if (**p != '+' && **p != '-')
                return false;
        sign = *(*p)++ == '-' ? -1 : 1;
        if (!take_digits(p, 2, 2, &hours))
                return false;
        if (take_char(p, ':') ? !take_digits(p, 2, 2, &minutes)
                              : **p && !take_digits(p, 2, 2, &minutes))
                return false;
        *ret_offset = sign * (hours * 60 + minutes) * 60;
        return hours < 24 && minutes < 60;
}

/* ---- times ---- */

/* "2h", "1h30min", "90s" */
static int parse_duration(const char *p, int64_t *ret) {
        static const struct {
                const char *name;
                int64_t seconds;
        } units[] = { { "min", MINUTE }, { "s", 1 }, { "m", MINUTE }, { "h", HOUR }, { "d", DAY } };
        int64_t seconds = 0;

        do {
                size_t i = 0;
                int n;

                if (!take_digits(&p, 1, 6, &n))
                        return -EINVAL;
                while (i < ELEMENTS(units) && strncmp(p, units[i].name, strlen(units[i].name)) != 0)
                        i++;
                if (i == ELEMENTS(units))
                        return -EINVAL;
                p += strlen(units[i].name);
                seconds += n * units[i].seconds;
                if (seconds > DURATION_MAX)
                        return -EINVAL;
        } while (*p);
        *ret = seconds;
        return 0;
}

static bool same_clock(const struct tm *a, const struct tm *b) {
        return a->tm_mday == b->tm_mday && a->tm_hour == b->tm_hour && a->tm_min == b->tm_min &&
               a->tm_sec == b->tm_sec;
}

/* The first instant at which local clocks show this. mktime() moves times that do not exist and
 * chooses by itself among two, so its answers are looked at. */
static int local_instant(const struct tm *wanted, int64_t *ret) {
        bool found = false;
        time_t first = 0;

        for (int dst = -1; dst <= 1; dst++) {
                struct tm tm = *wanted, shown;
                time_t t;

                tm.tm_isdst = dst;
                t = mktime(&tm);
                if (!localtime_r(&t, &shown) || !same_clock(wanted, &shown))
                        continue;
                if (!found || t < first)
                        first = t;
                found = true;
        }
        if (!found)
                return -ENOENT;
        *ret = first;
        return 0;
}

int time_parse(const char *text, int64_t now, int64_t *ret) {
        struct tm tm = {};
        int64_t seconds;
        int micro, offset, r;
        bool dated;

        if (STREQ(text, "now")) {
                *ret = now;
                return 0;
        }
        if (*text == '+' || *text == '-') {
                r = parse_duration(text + 1, &seconds);
                if (r == 0)
                        *ret = now + (*text == '-' ? -seconds : seconds) * USEC_PER_SEC;
                return r;
        }
        dated = strcspn(text, "-") == 4 && text[4];
        if (dated) {
                if (!take_date(&text, &tm) || (!take_char(&text, ' ') && !take_char(&text, 'T')))
                        return -EINVAL;
        } else if (!take_day(&text, now, &tm) && /* no day: today */
                   !take_day(&(const char *){ "today" }, now, &tm))
                return -EINVAL;
        text += strspn(text, " ");
        if (!take_clock(&text, &tm, &micro))
                return -EINVAL;
        text += strspn(text, " ");
        if (dated && *text) {
                if (!take_zone(&text, &offset) || *text)
                        return -EINVAL;
                seconds = timegm(&tm) - offset;
        } else {
                r = *text ? -EINVAL : local_instant(&tm, &seconds);
                if (r < 0)
                        return r;
        }
        *ret = seconds * USEC_PER_SEC + micro;
        return 0;
}

static int write_date(const struct tm *tm, char ret[static DATE_SIZE]) {
        /* 0: the year has more than four digits. */
        return strftime(ret, DATE_SIZE, "%Y-%m-%d", tm) > 0 ? 0 : -EINVAL;
}

int date_parse(const char *text, int64_t now, char ret[static DATE_SIZE]) {
        struct tm tm = {};

        if ((!take_date(&text, &tm) && !take_day(&text, now, &tm)) || *text)
                return -EINVAL;
        return write_date(&tm, ret);
}

int date_month_end(const char *date, char ret[static DATE_SIZE]) {
        struct tm tm = {};

        if (!take_date(&date, &tm) || *date)
                return -EINVAL;
        tm.tm_mday = month_days(tm.tm_year + 1900, tm.tm_mon + 1);
        return write_date(&tm, ret);
}

int date_parse_edge(const char *text, int64_t now, bool last, char ret[static DATE_SIZE]) {
        char first[DATE_SIZE];

        if (strlen(text) != strlen("2026-11"))
                return date_parse(text, now, ret);
        snprintf(first, sizeof(first), "%s-01", text);
        return last ? date_month_end(first, ret) : date_parse(first, now, ret);
}

char *time_show(int64_t time, bool exact, char buffer[static TIME_SIZE]) {
        time_t seconds = seconds_of(time);
        struct tm tm;
        size_t n;

        if (!localtime_r(&seconds, &tm)) {
                snprintf(buffer, TIME_SIZE, "%" PRId64, time);
                return buffer;
        }
        n = strftime(buffer, TIME_SIZE, "%Y-%m-%d %H:%M:%S", &tm);
        if (exact) {
                long minutes = tm.tm_gmtoff / 60;

                snprintf(buffer + n, TIME_SIZE - n, " %c%02ld:%02ld", minutes < 0 ? '-' : '+',
                         labs(minutes) / 60, labs(minutes) % 60);
        }
        return buffer;
}

char *duration_show(int64_t seconds, char buffer[static DURATION_SIZE]) {
        const char *sign = seconds < 0 ? "-" : "";
        int64_t s = seconds < 0 ? -seconds : seconds;
        int64_t hours = s / HOUR, minutes = s % HOUR / MINUTE;

        if (s < MINUTE)
                snprintf(buffer, DURATION_SIZE, "%s%" PRId64 "s", sign, s);
        else if (hours == 0)
                snprintf(buffer, DURATION_SIZE, "%s%" PRId64 "min", sign, minutes);
        else if (minutes == 0)
                snprintf(buffer, DURATION_SIZE, "%s%" PRId64 "h", sign, hours);
        else
                snprintf(buffer, DURATION_SIZE, "%s%" PRId64 "h %" PRId64 "min", sign, hours,
                         minutes);
        return buffer;
}
