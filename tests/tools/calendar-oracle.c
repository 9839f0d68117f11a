/* SPDX-License-Identifier: Apache-2.0 */

/* Answers questions about calendars, so that tests/test_calendar.py can hold the real code against
 * its own reference. Requests come on standard input, one a line; answers go to standard output.
 * Instants are microseconds, days count from 1970-01-01, HOURS are "FROM-UNTIL,FROM-UNTIL" in
 * seconds or "-".
 *
 *         calendar ZONE              begins a calendar (no answer)
 *         week WEEKDAY HOURS         Monday 0 (no answer)
 *         special DAY HOURS [NAME]   ascending (no answer)
 *         build                      "ok"
 *         elapsed FROM UNTIL         microseconds
 *         add FROM MICROSECONDS      instant
 *         piece AT                   FROM UNTIL WORKING WHY|NAME
 *         day DAY                    SPECIAL HOURS|NAME
 *         offset SECONDS             seconds east of UTC
 *         instant LOCAL 0|1          seconds; the first or the last one
 *
 * Whatever fails is answered by "error ERRNO". */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/macro.h"
#include "base/zone.h"
#include "loop/calendar.h"

#define LINE_BYTES_MAX 4096

typedef struct Oracle {
        CalendarSpec spec;
        Calendar *calendar;
        Zone *zone;
} Oracle;

static void oracle_done(Oracle *oracle) {
        calendar_free(oracle->calendar);
        zone_free(oracle->zone);
        for (size_t i = 0; i < oracle->spec.n_days; i++)
                free(oracle->spec.days[i].name);
        free(oracle->spec.days);
        free(oracle->spec.zone);
        *oracle = (Oracle){ 0 };
}

static int hours_read(const char *text, DayHours *ret) {
        DayHours hours = { 0 };

        while (*text && *text != '-') {
                DayStretch *stretch = &hours.stretches[hours.n];
                int size = 0;

                if (hours.n == CALENDAR_STRETCHES_MAX ||
                    sscanf(text, "%" SCNd32 "-%" SCNd32 "%n", &stretch->from, &stretch->until,
                           &size) != 2)
                        return -EINVAL;
                hours.n++;
                text += size;
                text += *text == ',';
        }
        *ret = hours;
        return 0;
}

static void hours_print(const DayHours *hours) {
        if (hours->n == 0)
                putchar('-');
        for (size_t i = 0; i < hours->n; i++)
                printf("%s%" PRId32 "-%" PRId32, i > 0 ? "," : "", hours->stretches[i].from,
                       hours->stretches[i].until);
}

static int do_calendar(Oracle *oracle, const char *arguments) {
        oracle_done(oracle);
        oracle->spec.zone = strdup(arguments);
        return oracle->spec.zone ? 0 : -ENOMEM;
}

static int do_week(Oracle *oracle, const char *arguments) {
        unsigned weekday;
        int size;

        if (sscanf(arguments, "%u %n", &weekday, &size) != 1 || weekday > 6)
                return -EINVAL;
        return hours_read(arguments + size, &oracle->spec.week[weekday]);
}

static int do_special(Oracle *oracle, const char *arguments) {
        char hours[LINE_BYTES_MAX], name[LINE_BYTES_MAX];
        SpecialDay *days, day = { 0 };
        int n;

        n = sscanf(arguments, "%" SCNd32 " %4095s %4095[^\n]", &day.day, hours, name);
        if (n < 2 || hours_read(hours, &day.hours) < 0)
                return -EINVAL;
        days = realloc(oracle->spec.days, (oracle->spec.n_days + 1) * sizeof(*days));
        if (!days)
                return -ENOMEM;
        oracle->spec.days = days;
        if (n == 3) {
                day.name = strdup(name);
                if (!day.name)
                        return -ENOMEM;
        }
        days[oracle->spec.n_days++] = day;
        return 0;
}

static int do_build(Oracle *oracle, _unused_ const char *arguments) {
        int r;

        r = zone_load(oracle->spec.zone, &oracle->zone);
        if (r < 0)
                return r;
        r = calendar_new(&oracle->spec, &oracle->calendar);
        if (r < 0)
                return r;
        puts("ok");
        return 0;
}

static int do_elapsed(Oracle *oracle, const char *arguments) {
        int64_t from, until, worked;
        int r;

        if (sscanf(arguments, "%" SCNd64 " %" SCNd64, &from, &until) != 2)
                return -EINVAL;
        r = calendar_elapsed(oracle->calendar, from, until, &worked);
        if (r < 0)
                return r;
        printf("%" PRId64 "\n", worked);
        return 0;
}

static int do_add(Oracle *oracle, const char *arguments) {
        int64_t from, usec, at;
        int r;

        if (sscanf(arguments, "%" SCNd64 " %" SCNd64, &from, &usec) != 2)
                return -EINVAL;
        r = calendar_add(oracle->calendar, from, usec, &at);
        if (r < 0)
                return r;
        printf("%" PRId64 "\n", at);
        return 0;
}

static int do_piece(Oracle *oracle, const char *arguments) {
        CalendarPiece piece;
        int64_t at;
        int r;

        if (sscanf(arguments, "%" SCNd64, &at) != 1)
                return -EINVAL;
        r = calendar_piece(oracle->calendar, at, &piece);
        if (r < 0)
                return r;
        printf("%" PRId64 " %" PRId64 " %d %s|%s\n", piece.from, piece.until, piece.working,
               piece.why, piece.day_name ?: "");
        return 0;
}

static int do_day(Oracle *oracle, const char *arguments) {
        CalendarDay day;
        int32_t date;
        int r;

        if (sscanf(arguments, "%" SCNd32, &date) != 1)
                return -EINVAL;
        r = calendar_day(oracle->calendar, date, &day);
        if (r < 0)
                return r;
        printf("%d ", day.special);
        hours_print(&day.hours);
        printf("|%s\n", day.name ?: "");
        return 0;
}

static int do_offset(Oracle *oracle, const char *arguments) {
        int64_t utc;

        if (sscanf(arguments, "%" SCNd64, &utc) != 1)
                return -EINVAL;
        printf("%" PRId32 "\n", zone_offset(oracle->zone, utc));
        return 0;
}

static int do_instant(Oracle *oracle, const char *arguments) {
        int64_t local;
        int last;

        if (sscanf(arguments, "%" SCNd64 " %d", &local, &last) != 2)
                return -EINVAL;
        printf("%" PRId64 "\n", zone_instant(oracle->zone, local, last ? ZONE_LAST : ZONE_FIRST));
        return 0;
}

typedef struct Request {
        const char *name;
        bool needs_calendar;
        int (*serve)(Oracle *oracle, const char *arguments);
} Request;

static const Request requests[] = {
        { "calendar", false, do_calendar }, { "week", false, do_week },
        { "special", false, do_special },   { "build", false, do_build },
        { "elapsed", true, do_elapsed },    { "add", true, do_add },
        { "piece", true, do_piece },        { "day", true, do_day },
        { "offset", true, do_offset },      { "instant", true, do_instant },
};

static int oracle_serve(Oracle *oracle, char *line) {
        char *arguments;

        line[strcspn(line, "\n")] = '\0';
        arguments = line + strcspn(line, " ");
        if (*arguments)
                *arguments++ = '\0';
        for (size_t i = 0; i < ELEMENTS(requests); i++)
                if (STREQ(requests[i].name, line)) {
                        if (requests[i].needs_calendar && !oracle->calendar)
                                return -ENODATA;
                        return requests[i].serve(oracle, arguments);
                }
        return -EOPNOTSUPP;
}

int main(void) {
        _cleanup_(oracle_done) Oracle oracle = { 0 };
        char line[LINE_BYTES_MAX];

        setvbuf(stdout, NULL, _IOLBF, 0);
        while (fgets(line, sizeof(line), stdin)) {
                int r = oracle_serve(&oracle, line);

                if (r < 0)
                        printf("error %d\n", -r);
        }
        return 0;
}
