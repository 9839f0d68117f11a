/* SPDX-License-Identifier: Apache-2.0 */

#include "loop/calendar.h"

#include <errno.h>

#include "aftersales/limits.h"
#include "base/macro.h"
#include "base/zone.h"

#define YEARS       (CALENDAR_YEAR_MAX - CALENDAR_YEAR_MIN + 1)
#define DAY_SECONDS 86400

/* How many of the indices below n meet a condition that none does after the first that does not. */
#define COUNT_WHERE(n, i, condition)                                                               \
        ({                                                                                         \
                size_t _low = 0, _high = (n);                                                      \
                while (_low < _high) {                                                             \
                        size_t i = _low + (_high - _low) / 2;                                      \
                        if (condition)                                                             \
                                _low = i + 1;                                                      \
                        else                                                                       \
                                _high = i;                                                         \
                }                                                                                  \
                _low;                                                                              \
        })

/* Uninterrupted working time. */
typedef struct Stretch {
        int64_t from, until;
        int64_t before; /* working time of the year before it */
} Stretch;

/* What W(t) is made of: the stretches of a local year, apart, ascending, none of them empty. */
typedef struct Year {
        int64_t total; /* its working time */
        size_t n;
        Stretch stretches[];
} Year;

struct Calendar {
        const CalendarSpec *spec;
        Zone *zone;
        int64_t starts[YEARS + 1]; /* of the years; the last is the end of the range */
        Year *years[YEARS];        /* NULL: not asked for yet */
};

/* ---- days ------------------------------------------------------------------------------------ */

static const SpecialDay *calendar_special(const Calendar *calendar, int32_t day) {
        const CalendarSpec *spec = calendar->spec;
        size_t i = COUNT_WHERE(spec->n_days, k, spec->days[k].day < day);

        return i < spec->n_days && spec->days[i].day == day ? &spec->days[i] : NULL;
}

static const DayHours *calendar_hours(const Calendar *calendar, int32_t day) {
        const SpecialDay *special = calendar_special(calendar, day);

        return special ? &special->hours : &calendar->spec->week[weekday_from_days(day)];
}

static int64_t calendar_start(const Calendar *calendar, int32_t day, int32_t second) {
        int64_t local = (int64_t)day * DAY_SECONDS + second;

        return zone_instant(calendar->zone, local, ZONE_FIRST) * USEC_PER_SEC;
}

/* The last local date that had begun by an instant of the range. */
static int32_t calendar_date(const Calendar *calendar, int64_t at) {
        int64_t start = calendar->starts[0]; /* never after at: the division rounds down */
        int64_t utc = start / USEC_PER_SEC + (at - start) / USEC_PER_SEC;
        int32_t date, second;

        zone_local(calendar->zone, utc, &date, &second);
        /* Zones that go back over midnight show the date before once more. */
        return calendar_start(calendar, date + 1, 0) <= at ? date + 1 : date;
}

/* The end itself is no part of the stretch: when it occurs twice but the second before it does not,
 * the stretch ends where the end comes first. */
static int64_t calendar_end(const Calendar *calendar, int32_t day, int32_t second) {
        int64_t local = (int64_t)day * DAY_SECONDS + second;
        int64_t end = zone_instant(calendar->zone, local, ZONE_LAST);
        int64_t last_second = zone_instant(calendar->zone, local - 1, ZONE_LAST);

        return MIN(end, last_second + 1) * USEC_PER_SEC;
}

int calendar_day(const Calendar *calendar, int32_t day, CalendarDay *ret) {
        const SpecialDay *special;

        if (day < days_from_civil(CALENDAR_YEAR_MIN, 1, 1) ||
            day >= days_from_civil(CALENDAR_YEAR_MAX + 1, 1, 1))
                return -ERANGE;
        special = calendar_special(calendar, day);
        *ret = (CalendarDay){
                .day = day,
                .special = special != NULL,
                .name = special ? special->name : NULL,
                .hours = *calendar_hours(calendar, day),
        };
        return 0;
}

/* ---- years ----------------------------------------------------------------------------------- */

static void year_append(Year *year, int64_t from, int64_t until) {
        Stretch *last = year->n > 0 ? &year->stretches[year->n - 1] : NULL;

        if (last && from < last->until)
                from = last->until;
        if (from >= until) /* skipped by the zone, counted already, or of the neighbouring year */
                return;
        if (last && from == last->until)
                last->until = until;
        else
                year->stretches[year->n++] = (Stretch){ from, until, year->total };
        year->total += until - from;
}

static int year_build(const Calendar *calendar, size_t index, Year **ret) {
        int64_t start = calendar->starts[index], end = calendar->starts[index + 1];
        /* The evening before reaches over when its last hour is repeated after midnight. */
        int32_t first = days_from_civil(CALENDAR_YEAR_MIN + (int)index, 1, 1) - 1;
        int32_t last = days_from_civil(CALENDAR_YEAR_MIN + (int)index, 12, 31);
        size_t n = 0;
        Year *year;

        for (int32_t day = first; day <= last; day++)
                n += calendar_hours(calendar, day)->n;
        year = malloc(sizeof(*year) + n * sizeof(Stretch));
        if (!year)
                return -ENOMEM;
        *year = (Year){ 0 };
        for (int32_t day = first; day <= last; day++) {
                const DayHours *hours = calendar_hours(calendar, day);

                for (size_t i = 0; i < hours->n; i++) {
                        int64_t from = calendar_start(calendar, day, hours->stretches[i].from);
                        int64_t until = calendar_end(calendar, day, hours->stretches[i].until);

                        year_append(year, MAX(from, start), MIN(until, end));
                }
        }
        *ret = year;
        return 0;
}

static int calendar_year(Calendar *calendar, size_t index, const Year **ret) {
        if (!calendar->years[index]) {
                int r = year_build(calendar, index, &calendar->years[index]);

                if (r < 0)
                        return r;
        }
        *ret = calendar->years[index];
        return 0;
}

/* The year of an instant; the end of the range counts as the last year's. */
static int calendar_find(Calendar *calendar, int64_t at, size_t *ret_index, const Year **ret) {
        size_t index;
        int r;

        if (at < calendar->starts[0] || at > calendar->starts[YEARS])
                return -ERANGE;
        index = COUNT_WHERE(YEARS, i, calendar->starts[i] <= at) - 1;
        r = calendar_year(calendar, index, ret);
        if (r < 0)
                return r;
        *ret_index = index;
        return 0;
}

/* The working time of the year until an instant within it. */
static int64_t year_worked(const Year *year, int64_t at) {
        size_t n = COUNT_WHERE(year->n, i, year->stretches[i].from <= at);
        const Stretch *last;

        if (n == 0)
                return 0;
        last = &year->stretches[n - 1];
        return last->before + MIN(at, last->until) - last->from;
}

/* ---- the calendar ---------------------------------------------------------------------------- */

DEFINE_CLEANUP(Calendar *, calendar_free);

int calendar_new(const CalendarSpec *spec, Calendar **ret) {
        _cleanup_(cleanup_calendar_free) Calendar *calendar = NULL;
        size_t n = 0;
        int r;

        for (size_t i = 0; i < ELEMENTS(spec->week); i++)
                n += spec->week[i].n;
        if (n == 0)
                return -ERANGE;
        calendar = calloc(1, sizeof(*calendar));
        if (!calendar)
                return -ENOMEM;
        calendar->spec = spec;
        r = zone_load(spec->zone, &calendar->zone);
        if (r < 0)
                return r;
        for (int i = 0; i <= YEARS; i++)
                calendar->starts[i] =
                        calendar_start(calendar, days_from_civil(CALENDAR_YEAR_MIN + i, 1, 1), 0);
        *ret = TAKE_PTR(calendar);
        return 0;
}

Calendar *calendar_free(Calendar *calendar) {
        if (!calendar)
                return NULL;
        for (size_t i = 0; i < YEARS; i++)
                free(calendar->years[i]);
        zone_free(calendar->zone);
        free(calendar);
        return NULL;
}

const char *calendar_name(const Calendar *calendar) {
        return calendar->spec->name;
}

int calendar_elapsed(Calendar *calendar, int64_t from, int64_t until, int64_t *ret) {
        const Year *first, *last;
        size_t i, end;
        int64_t sum;
        int r;

        if (until < from) {
                r = calendar_elapsed(calendar, until, from, &sum);
                if (r < 0)
                        return r;
                *ret = -sum;
                return 0;
        }
        r = calendar_find(calendar, from, &i, &first);
        if (r < 0)
                return r;
        r = calendar_find(calendar, until, &end, &last);
        if (r < 0)
                return r;
        sum = year_worked(last, until) - year_worked(first, from);
        for (; i < end; i++) {
                const Year *year;

                r = calendar_year(calendar, i, &year);
                if (r < 0)
                        return r;
                sum += year->total;
        }
        *ret = sum;
        return 0;
}

int calendar_add(Calendar *calendar, int64_t from, int64_t usec, int64_t *ret) {
        const Stretch *stretch;
        const Year *year;
        int64_t wanted;
        size_t i;
        int r;

        r = calendar_find(calendar, from, &i, &year);
        if (r < 0)
                return r;
        if (usec == 0) {
                *ret = from;
                return 0;
        }
        if (usec < calendar->starts[0] - from || usec > calendar->starts[YEARS] - from)
                return -ERANGE; /* working time is never more than time: spares the search */

        /* The working time of the year at the answer; while it is not of this year, go on. */
        wanted = year_worked(year, from) + usec;
        while (wanted < 0 || wanted > year->total) {
                bool forward = wanted > 0;

                if (i == (forward ? YEARS - 1 : 0))
                        return -ERANGE;
                if (forward)
                        wanted -= year->total;
                r = calendar_year(calendar, forward ? ++i : --i, &year);
                if (r < 0)
                        return r;
                if (!forward)
                        wanted += year->total;
        }
        /* Between two stretches forward means the end of the former, back the start of the latter.
         */
        i = COUNT_WHERE(year->n, k, year->stretches[k].before <= wanted - (usec > 0)) - 1;
        stretch = &year->stretches[i];
        *ret = stretch->from + wanted - stretch->before;
        return 0;
}

static const char *calendar_why(const Calendar *calendar, const CalendarDay *day, bool working) {
        if (working && day->special)
                return calendar->spec->week[weekday_from_days(day->day)].n == 0 ? "make-up day"
                                                                                : "special hours";
        if (working)
                return "working hours";
        if (day->hours.n > 0)
                return "outside hours";
        return day->special ? "holiday" : "day off";
}

int calendar_piece(Calendar *calendar, int64_t at, CalendarPiece *ret) {
        CalendarPiece piece;
        CalendarDay day;
        const Year *year;
        int32_t date;
        size_t i;
        int r;

        r = calendar_find(calendar, at, &i, &year);
        if (r < 0)
                return r;
        date = calendar_date(calendar, at);
        r = calendar_day(calendar, date, &day);
        if (r < 0)
                return r;
        piece = (CalendarPiece){
                .from = calendar_start(calendar, date, 0),
                .until = calendar_start(calendar, date + 1, 0),
                .day_name = day.name,
        };
        i = COUNT_WHERE(year->n, k, year->stretches[k].from <= at);
        if (i > 0 && at < year->stretches[i - 1].until) {
                piece.working = true;
                piece.from = MAX(piece.from, year->stretches[i - 1].from);
                piece.until = MIN(piece.until, year->stretches[i - 1].until);
        } else {
                if (i > 0)
                        piece.from = MAX(piece.from, year->stretches[i - 1].until);
                if (i < year->n)
                        piece.until = MIN(piece.until, year->stretches[i].from);
        }
        piece.why = calendar_why(calendar, &day, piece.working);
        *ret = piece;
        return 0;
}

int calendar_missing_year(const Calendar *calendar, int year, int years) {
        const CalendarSpec *spec = calendar->spec;

        if (!spec->needs_holidays)
                return 0;
        for (int last = year + years; year <= last; year++) {
                bool found = false;

                for (size_t i = 0; i < spec->n_years && !found; i++)
                        found = spec->years[i] == year;
                if (!found)
                        return year;
        }
        return 0;
}
