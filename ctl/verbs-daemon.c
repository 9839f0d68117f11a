/* SPDX-License-Identifier: Apache-2.0 */

/* The daemon as a whole, its calendars, and the help. */

#include "verbs.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sysexits.h>

#include "aftersales/limits.h"
#include "json.h"
#include "times.h"

/* ---- status, check ---- */

int verb_status(Context *context) {
        static const Field fields[] = {
                FIELD("version", TEXT),
                FIELD("policy", TEXT),
                FIELD("started_at", TIME),
                FIELD("now", TIME),
                FIELD("clock", ENUM),
                FIELD("clock_suspect", FLAG),
                FIELD("open", COUNT),
                FIELD("overdue", COUNT),
                FIELD("waiting", COUNT),
                FIELD("unarmed", COUNT),
                FIELD("escalations_open", COUNT),
                FIELD("notifications", COUNT),
                FIELD("next_due", TIME),
                FIELD("lag", MICROSECONDS),
                FIELD("sequence", COUNT),
                FIELD("store_used", BYTES),
                FIELD("store_size", BYTES),
                FIELD("warnings", LIST),
                FIELD("cases", LIST),
        };
        _cleanup_json_ json_object *status = NULL;
        Columns columns;
        int r = client_get(&context->client, context->noun->interface, "Status", "a{sv}", &status,
                           "");

        if (r == 0 && context_is_json(context))
                return context_write_json(context, NULL, status);
        /* Of tickets alone; they are among the cases. */
        if (r == 0)
                json_object_object_del(status, "states");
        if (r == 0)
                r = columns_select(&context->report, fields, ELEMENTS(fields), NULL, &columns);
        return r != 0 ? r : output_record(&context->output, &columns, true, status);
}

#define CHECK_TIMEOUT (3600 * USEC_PER_SEC) /* of a large store on a slow disk */

/* { "records": ..., "faults": [...] } */
static int check_row(json_object *values, json_object **ret) {
        _cleanup_json_ json_object *row = json_object_new_object();
        int r = row ? 0 : -ENOMEM;

        if (r == 0)
                r = json_put(row, "records", json_object_get(json_object_array_get_idx(values, 0)));
        if (r == 0)
                r = json_put(row, "faults", json_object_get(json_object_array_get_idx(values, 1)));
        if (r == 0)
                *ret = TAKE_PTR(row);
        return r;
}

static int write_faults(Context *context, json_object *records, json_object *faults) {
        size_t n = json_object_array_length(faults);
        int r = 0;

        for (size_t i = 0; r == 0 && i < n; i++)
                r = output_line(&context->output, "%s",
                                json_object_get_string(json_object_array_get_idx(faults, i)));
        return r != 0 ? r
                      : output_line(&context->output, "%" PRIu64 " records, %zu faults",
                                    json_object_get_uint64(records), n);
}

int verb_check(Context *context) {
        _cleanup_message_ sd_bus_message *m = NULL;
        _cleanup_json_ json_object *values = NULL, *row = NULL;
        json_object *faults;
        int r = client_new_call(&context->client, context->noun->interface, "Check", &m);

        context->client.timeout = CHECK_TIMEOUT;
        if (r == 0)
                r = client_call(&context->client, m, "tas", &values);
        if (r == 0)
                r = check_row(values, &row);
        if (r != 0)
                return r;
        faults = json_object_object_get(row, "faults");
        if (context_is_json(context))
                r = context_write_json(context, NULL, row);
        else
                r = write_faults(context, json_object_object_get(row, "records"), faults);
        return r == 0 && json_object_array_length(faults) > 0 ? EXIT_FAILURE : r;
}

int verb_clock_accept(Context *context) {
        _cleanup_message_ sd_bus_message *m = NULL;
        _cleanup_json_ json_object *values = NULL;
        int r = client_new_call(&context->client, context->noun->interface, "AcceptClock", &m);

        return r == 0 ? client_call(&context->client, m, "", &values) : r;
}

/* ---- calendars ---- */

int verb_calendar_list(Context *context) {
        static const Field fields[] = { FIELD("name", TEXT), FIELD("zone", TEXT) };
        _cleanup_json_ json_object *rows = NULL;
        int r = client_get(&context->client, context->noun->interface, "List", "aa{sv}", &rows, "");

        return r != 0 ? r : context_write_rows(context, fields, ELEMENTS(fields), rows);
}

static int report_date(const Context *context, const char *text) {
        return report(&context->report, EX_DATAERR,
                      "'%s' is no date; %s, or a month such as 2026-11", text, DATE_FORMS);
}

/* The days to show: from the first of this month, to the end of the month. */
static int calendar_range(Context *context, char from[static DATE_SIZE],
                          char until[static DATE_SIZE]) {
        const char *first = context->n_arguments > 1 ? context->arguments[1] : NULL;
        const char *last = context->n_arguments > 2 ? context->arguments[2] : NULL;
        int64_t now = client_now(&context->client);

        if (date_parse_edge(first ? first : "today", now, false, from) < 0)
                return report_date(context, first);
        if (!first)
                memcpy(from + strlen("2026-11-"), "01", 2);
        if (last ? date_parse_edge(last, now, true, until) < 0 : date_month_end(from, until) < 0)
                return report_date(context, last);
        return 0;
}

int verb_calendar_show(Context *context) {
        static const Field fields[] = {
                FIELD("date", DATE),  FIELD("weekday", ENUM), FIELD("working", FLAG),
                FIELD("hours", TEXT), FIELD("name", TEXT),
        };
        _cleanup_json_ json_object *rows = NULL;
        char from[DATE_SIZE], until[DATE_SIZE];
        int r = calendar_range(context, from, until);

        if (r == 0)
                r = client_get(&context->client, context->noun->interface, "Days", "aa{sv}", &rows,
                               "sss", context->arguments[0], from, until);
        return r != 0 ? r : context_write_rows(context, fields, ELEMENTS(fields), rows);
}

int verb_calendar_check(Context *context) {
        static const Field fields[] = { FIELD("calendar", TEXT), FIELD("missing_year", ANY) };
        _cleanup_json_ json_object *rows = NULL;
        int r = client_get(&context->client, context->noun->interface, "Check", "aa{sv}", &rows,
                           "");

        if (r == 0)
                r = context_write_rows(context, fields, ELEMENTS(fields), rows);
        return r == 0 && json_object_array_length(rows) > 0 ? EXIT_FAILURE : r;
}

/* ---- help ---- */

int verb_help(Context *context) {
        const Noun *noun = NULL;
        const Command *command = NULL;

        if (context->n_arguments > 0) {
                noun = noun_find(context->arguments[0]);
                if (!noun)
                        return noun_report(&context->report, context->arguments[0]);
        }
        if (context->n_arguments > 1) {
                command = command_find(noun, context->arguments[1]);
                if (!command)
                        return verb_report(&context->report, noun, context->arguments[1]);
        }
        help_write(context->output.to, noun, command);
        return 0;
}
