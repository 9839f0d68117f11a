/* SPDX-License-Identifier: Apache-2.0 */

/* Holiday files, in the JSON form of holiday-cn, which YAML contains: each adds its days to those
 * of the calendar that lists it. */

#include <inttypes.h>

#include "base/macro.h"
#include "base/zone.h"
#include "config/config-internal.h"
#include "config/keys.h"
#include "config/policy.h"

static int scan_off_day(Walker *w, const Schema *s, const char *text, void *target) {
        SpecialDay *day = target;
        bool off = false;
        int r = scalar_bool(w, s, text, &off);

        day->makeup = !off;
        return r;
}

/* What we have no use for: sources. */
static int scan_unused(_unused_ Walker *w, _unused_ const Schema *s, _unused_ const char *text,
                       _unused_ void *target) {
        return 0;
}

static const Schema unused_schema = { .what = "a number or a text", .scalar = scan_unused };
static const Schema json_day_schema = {
        .what = "the keys name, date and isOffDay",
        .keys = KEYS(
                KEY("name", offsetof(SpecialDay, name), .schema = &any_text_schema, REQUIRED),
                KEY("date", offsetof(SpecialDay, day), .schema = &date_schema, REQUIRED),
                KEY("isOffDay", 0, IS(.what = "true or false", .scalar = scan_off_day), REQUIRED)),
};
static const Schema holiday_file_schema = {
        .what = "the keys year and days",
        .keys = KEYS(KEY("$schema", 0, .schema = &unused_schema),
                     KEY("$id", 0, .schema = &unused_schema),
                     KEY("year", offsetof(CalendarSpec, file_year),
                         IS(.what = "a year", .scalar = scalar_integer, .min = CALENDAR_YEAR_MIN,
                            .max = CALENDAR_YEAR_MAX - 1),
                         REQUIRED),
                     KEY("papers", 0,
                         IS(.what = "a list of texts", .items = &unused_schema,
                            .array = { .max = CALENDAR_DAYS_MAX })),
                     KEY("days", 0,
                         IS(.what = "a list of days", .items = &json_day_schema,
                            ARRAY(CALENDAR_DAYS_MAX, CalendarSpec, days, )),
                         REQUIRED)),
};

/* What was announced for a year may reach into the months beside it. */
static int check_days(Walker *w, const CalendarSpec *calendar, size_t first, const char *name) {
        int year, month, day;

        for (size_t i = first; i < calendar->n_days; i++) {
                civil_from_days(calendar->days[i].day, &year, &month, &day);
                if (year != calendar->file_year + (month == 12 ? -1 : 0) &&
                    year != calendar->file_year + (month == 1 ? 1 : 0))
                        return walker_refuse(w,
                                             "'%s' says that it is of %" PRId64
                                             ", and has a day of %d; take the file of the year",
                                             name, calendar->file_year, year);
        }
        return 0;
}

static int scan_holiday_file(Walker *w, const Schema *s, const char *text, void *target) {
        CalendarSpec *calendar = target;
        size_t before = calendar->n_days;
        int r;

        calendar->n_files++;
        r = config_include(w, s, text, &holiday_file_schema, calendar);
        return r != 0 ? r : check_days(w, calendar, before, text);
}

static const Schema holiday_path_schema = {
        .what = "the path of a holiday file",
        .scalar = scan_holiday_file,
};
const Schema holidays_schema = {
        .what = "a list of files in the JSON form of holiday-cn",
        .items = &holiday_path_schema,
        .array = { .max = HOLIDAY_FILES_MAX },
};
