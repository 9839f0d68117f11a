/* SPDX-License-Identifier: Apache-2.0 */

/* The keys of the area calendars. */

#include "base/macro.h"
#include "config/keys.h"
#include "config/policy.h"

static bool has_makeup_day(const CalendarSpec *calendar) {
        for (size_t i = 0; i < calendar->n_days; i++)
                if (calendar->days[i].makeup)
                        return true;
        return false;
}

static int check_calendar(Walker *w, void *target) {
        const CalendarSpec *calendar = target;
        size_t n = 0;

        for (size_t i = 0; i < ELEMENTS(calendar->week); i++)
                n += calendar->week[i].n;
        if (n == 0)
                return walker_refuse(w, "the week has no working time, so that nothing would ever "
                                        "fall due; write stretches under week");
        if (calendar->n_days > CALENDAR_DAYS_MAX)
                return walker_refuse(w, "there are %zu special days; write at most %d",
                                     calendar->n_days, CALENDAR_DAYS_MAX);
        if (has_makeup_day(calendar) && calendar->makeup.n == 0 && calendar->week[0].n == 0)
                return walker_refuse(w, "there are make-up days, but Mondays have no hours; write "
                                        "the make-up days' hours under makeup");
        return 0;
}

static int begin_calendar(Walker *w, void *element, const char *key) {
        if (STREQ(key, CALENDAR_ALWAYS))
                return walker_refuse(w, "this calendar is built in; choose another name");
        return keys_begin_named(w, element, key);
}

static int begin_day(Walker *w, void *element, const char *key) {
        SpecialDay *day = element;

        day->by_hand = true;
        return scalar_date(w, &date_schema, key, &day->day);
}

static int scan_day(Walker *w, const Schema *s, const char *text, void *target) {
        SpecialDay *day = target;

        day->makeup = STREQ(text, "working");
        if (!day->makeup && !STREQ(text, "off"))
                return schema_refuse_value(w, s, text, "is unknown");
        return 0;
}

static const Schema stretch_schema = {
        .what = "a stretch of the day such as 08:30-12:00",
        .scalar = scalar_stretch,
};

#define STRETCHES(Struct, hours)                                                                   \
        .items = &stretch_schema, .array = { .max = CALENDAR_STRETCHES_MAX,                        \
                                             .size = sizeof(DayStretch),                           \
                                             .fixed = true,                                        \
                                             .array = offsetof(Struct, hours stretches),           \
                                             .n = offsetof(Struct, hours n) }

static const Schema day_hours_schema = {
        .what = "a list of stretches such as [08:30-12:00, 13:30-18:00], or [] for a day off",
        STRETCHES(DayHours, ),
};

#define SPECIAL_DAY_WHAT "off, working or a list of stretches such as [09:00-12:00]"
static const Schema special_hours_schema = {
        .what = SPECIAL_DAY_WHAT,
        .scalar = scan_day,
        STRETCHES(SpecialDay, hours.),
};
static const Schema special_day_schema = {
        .what = SPECIAL_DAY_WHAT ", or one of these as hours beside a name",
        .scalar = scan_day,
        STRETCHES(SpecialDay, hours.),
        .keys = KEYS(KEY("hours", 0, .schema = &special_hours_schema, REQUIRED,
                         .doc = "What the day is."),
                     KEY("name", offsetof(SpecialDay, name), .schema = &any_text_schema,
                         .doc = "What an explanation calls the day, such as 国庆节.")),
};

#define WEEKDAY(name, number)                                                                      \
        KEY(name, number * sizeof(DayHours), .schema = &day_hours_schema,                          \
            .doc = "Its working hours; off unless given.")

static const Schema week_schema = {
        .what = "the days monday to sunday with their hours",
        .keys = KEYS(WEEKDAY("monday", 0), WEEKDAY("tuesday", 1), WEEKDAY("wednesday", 2),
                     WEEKDAY("thursday", 3), WEEKDAY("friday", 4), WEEKDAY("saturday", 5),
                     WEEKDAY("sunday", 6)),
};

static const Schema calendar_schema = {
        .what = "the keys of a calendar, such as week and days",
        .check = check_calendar,
        .keys = KEYS(
                KEY("zone", offsetof(CalendarSpec, zone), .schema = &zone_schema,
                    .doc = "The time zone of its hours; unless given, that of the whole file."),
                KEY("week", offsetof(CalendarSpec, week), .schema = &week_schema, REQUIRED,
                    .doc = "The ordinary working hours."),
                KEY("makeup", offsetof(CalendarSpec, makeup), .schema = &day_hours_schema,
                    .doc = "The hours of make-up days; unless given, Monday's."),
                KEY("holidays", 0, .schema = &holidays_schema,
                    .doc = "Holiday files, relative to this file; for a day the last one holds."),
                KEY("days", 0,
                    IS(.what = "dates, each with off, working or a list of stretches",
                       .others = &special_day_schema,
                       ARRAY(CALENDAR_DAYS_MAX, CalendarSpec, days, .begin = begin_day)),
                    .doc = "Special days, which go before the holiday files."),
                KEY("expect_holidays", offsetof(CalendarSpec, needs_holidays),
                    .schema = &flag_schema, .fallback = "false",
                    .doc = "Warn of a coming year without special days; holiday files imply it.")),
};

const Schema calendars_schema = {
        .what = "names of calendars with their keys",
        .others = &calendar_schema,
        ARRAY(CALENDARS_MAX, Policy, calendars, .begin = begin_calendar),
};
