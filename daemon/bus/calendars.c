/* SPDX-License-Identifier: Apache-2.0 */

#include <errno.h>
#include <stdio.h>

#include "aftersales/limits.h"
#include "base/zone.h"
#include "bus/areas.h"

#define DAYS_MAX   400
#define HOURS_SIZE 160

static const char *const weekdays[] = { "Monday", "Tuesday",  "Wednesday", "Thursday",
                                        "Friday", "Saturday", "Sunday" };

static const Field date_field = { .name = "date", .type = FIELD_DATE };

static int calendar_list(BusCall *call) {
        const Policy *policy = engine_policy(call->bus->options.engine);
        int r = rows_open(call->reply);

        for (size_t i = 0; r >= 0 && i < policy->n_calendars; i++)
                r = sd_bus_message_append(call->reply, "a{sv}", 2, "name", "s",
                                          policy->calendars[i].name, "zone", "s",
                                          policy->calendars[i].zone);
        return r < 0 ? r : rows_close(call->reply);
}

static void hours_text(const DayHours *hours, char text[static HOURS_SIZE]) {
        size_t used = 0;

        text[0] = '\0';
        for (size_t i = 0; i < hours->n; i++) {
                const DayStretch *s = &hours->stretches[i];

                used += (size_t)snprintf(text + used, HOURS_SIZE - used, "%s%02d:%02d-%02d:%02d",
                                         used ? " " : "", s->from / 3600, s->from / 60 % 60,
                                         s->until / 3600, s->until / 60 % 60);
        }
}

static int append_day(BusCall *call, const Calendar *calendar, int32_t date) {
        char text[HOURS_SIZE], name[DATE_TEXT_SIZE];
        CalendarDay day;
        int r = calendar_day(calendar, date, &day);

        if (r < 0)
                return r;
        hours_text(&day.hours, text);
        r = sd_bus_message_open_container(call->reply, 'a', "{sv}");
        if (r >= 0)
                r = entry_append_text(call->reply, "date", date_format(date, name));
        if (r >= 0)
                r = entry_append_text(call->reply, "weekday", weekdays[weekday_from_days(date)]);
        if (r >= 0)
                r = entry_append_number(call->reply, "working", 'b', day.hours.n > 0);
        if (r >= 0)
                r = entry_append_text(call->reply, "hours", text);
        if (r >= 0 && day.special)
                r = entry_append_text(call->reply, "name", day.name ? day.name : "special day");
        return r < 0 ? r : sd_bus_message_close_container(call->reply);
}

static int calendar_days(BusCall *call) {
        const char *name, *since, *until;
        int64_t first, last;
        Calendar *calendar;
        int r;

        r = sd_bus_message_read(call->m, "sss", &name, &since, &until);
        if (r < 0)
                return r;
        calendar = engine_calendar(call->bus->options.engine, name);
        if (!calendar)
                return refuse(&call->refusal, REFUSED_NOT_FOUND,
                              "there is no calendar of this name; List has them");
        r = field_parse_date(&date_field, since, &first, &call->refusal);
        if (r == 0)
                r = field_parse_date(&date_field, until, &last, &call->refusal);
        if (r != 0)
                return r;
        if (last < first || last - first >= DAYS_MAX)
                return refuse(&call->refusal, REFUSED_INVALID_VALUE,
                              "until: must not be before since, nor %d days or more after it",
                              DAYS_MAX);
        r = rows_open(call->reply);
        for (int64_t date = first; r >= 0 && date <= last; date++)
                r = append_day(call, calendar, (int32_t)date);
        return r < 0 ? r : rows_close(call->reply);
}

static int append_missing(void *userdata, const char *calendar, int year) {
        BusCall *call = userdata;

        return sd_bus_message_append(call->reply, "a{sv}", 2, "calendar", "s", calendar,
                                     "missing_year", "x", (int64_t)year);
}

static int calendar_check(BusCall *call) {
        int r = rows_open(call->reply);

        if (r == 0)
                r = engine_missing_years(call->bus->options.engine, call->now, append_missing,
                                         call);
        return r < 0 ? r : rows_close(call->reply);
}

static const BusMethod calendar_methods[] = {
        { "List", "", "", "aa{sv}", "calendars", PERMISSION_STATUS_READ, calendar_list,
          "The calendars of the policy: name, zone." },
        { "Days", "sss", "name since until", "aa{sv}", "days", PERMISSION_STATUS_READ,
          calendar_days,
          "What each date (YYYY-MM-DD, both ends included, at most 400) is: date, weekday, working, hours, and "
          "name where the date is special." },
        { "Check", "", "", "aa{sv}", "missing", PERMISSION_STATUS_READ, calendar_check,
          "Calendars that are meant to know the holidays of a year that is here or near and do not: calendar, "
          "missing_year." },
        {},
};

const BusInterface calendars_interface = {
        .name = AFTERSALES_CALENDARS,
        .methods = calendar_methods,
        .doc = "Working time: the calendars of the policy.",
};
