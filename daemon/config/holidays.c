/* SPDX-License-Identifier: Apache-2.0 */

/* Holiday files, in the JSON form of holiday-cn, which YAML contains: each adds its days to those
 * of the calendar that lists it. */

#include "base/macro.h"
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

/* What we have no use for: the year, which the dates tell, and sources. */
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
                     KEY("year", 0, .schema = &unused_schema, REQUIRED),
                     KEY("papers", 0,
                         IS(.what = "a list of texts", .items = &unused_schema,
                            .array = { .max = CALENDAR_DAYS_MAX })),
                     KEY("days", 0,
                         IS(.what = "a list of days", .items = &json_day_schema,
                            ARRAY(CALENDAR_DAYS_MAX, CalendarSpec, days, )),
                         REQUIRED)),
};

static int scan_holiday_file(Walker *w, const Schema *s, const char *text, void *target) {
        CalendarSpec *calendar = target;

        calendar->n_files++;
        return config_include(w, s, text, &holiday_file_schema, calendar);
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
