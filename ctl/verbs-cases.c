/* SPDX-License-Identifier: Apache-2.0 */

/* What cases have: transitions, the reckoning of their clocks, escalations. */

#include "verbs.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "aftersales/bus.h"
#include "aftersales/limits.h"
#include "json.h"
#include "times.h"

static int64_t number_at(json_object *row, const char *key) {
        return json_object_get_int64(json_object_object_get(row, key));
}

/* ---- transitions ---- */

/* "wait-part" -> "WaitPart" */
static void method_name(const char *verb, char ret[static NAME_MAX_BYTES]) {
        bool begins = true;
        size_t n = 0;

        for (; *verb && n < NAME_MAX_BYTES - 1; verb++) {
                if (*verb != '-')
                        ret[n++] = begins ? (char)toupper((unsigned char)*verb) : *verb;
                begins = *verb == '-';
        }
        ret[n] = '\0';
}

/* Whether the transition (a row of Manager.Transitions) takes the field. */
static bool takes_field(const Field *field, const void *transition) {
        json_object *takes = json_object_object_get(transition, "takes");

        for (size_t i = 0;
             json_object_is_type(takes, json_type_array) && i < json_object_array_length(takes);
             i++)
                if (STREQ(json_object_get_string(json_object_array_get_idx(takes, i)), field->name))
                        return true;
        return false;
}

/* Asks for what the transition takes of personal data. */
static int ask_fields(Context *context, const char *method, Input *input) {
        _cleanup_json_ json_object *rows = NULL;
        int r;

        if (!context->options->value[OPTION_ASK])
                return 0;
        r = client_get(&context->client, AFTERSALES_MANAGER, "Transitions", "aa{sv}", &rows, "s",
                       context->noun->schema);
        for (size_t i = 0; r == 0 && i < json_object_array_length(rows); i++) {
                json_object *row = json_object_array_get_idx(rows, i);
                const char *name = json_object_get_string(json_object_object_get(row, "method"));

                if (name && STREQ(name, method))
                        r = input_ask_all(context, input, takes_field, row);
        }
        return r;
}

/* "T17 dispatched, revision 3; next warning or escalation 2026-11-23 18:05:00" */
static int write_head(Context *context, json_object *head) {
        uint64_t id = json_object_get_uint64(json_object_object_get(head, "id"));
        const char *state = json_object_get_string(json_object_object_get(head, "state"));
        int64_t armed = number_at(head, "armed_at");
        uint64_t revision = json_object_get_uint64(json_object_object_get(head, "revision"));
        char number[ID_SIZE], time[TIME_SIZE];

        if (context_is_json(context))
                return context_write_json(context, NULL, head);
        if (context->options->value[OPTION_QUIET])
                return 0;
        return output_line(&context->output, "%s %s, revision %" PRIu64 "%s%s",
                           id_show(id, context->noun->letter, number), state ? state : "", revision,
                           armed > 0 ? "; next warning or escalation " : "",
                           armed > 0 ? time_show(armed, false, time) : "");
}

int verb_transition(Context *context) {
        _cleanup_schema_ Schema *schema = NULL;
        _cleanup_input_ Input input = {};
        _cleanup_json_ json_object *values = NULL;
        char method[NAME_MAX_BYTES];
        int r = context_schema(context, &schema);

        method_name(context->command->verb, method);
        if (r == 0)
                r = input_begin(context, schema, &input);
        if (r == 0)
                r = ask_fields(context, method, &input);
        if (r == 0)
                r = context_change(context, method, true, input.fields, "a{sv}", &values);
        return r != 0 ? r : write_head(context, json_object_array_get_idx(values, 0));
}

/* ---- escalations ---- */

int verb_acknowledge(Context *context) {
        _cleanup_schema_ Schema *schema = NULL;
        _cleanup_input_ Input input = {};
        _cleanup_json_ json_object *values = NULL;
        json_object *escalation, *by;
        char number[ID_SIZE];
        int r = context_schema(context, &schema);

        if (r == 0)
                r = input_begin(context, schema, &input);
        if (r == 0)
                r = context_change(context, "Acknowledge", true, input.fields, "a{sv}", &values);
        if (r != 0)
                return r;
        escalation = json_object_array_get_idx(values, 0);
        if (context_is_json(context))
                return context_write_json(context, NULL, escalation);
        if (context->options->value[OPTION_QUIET])
                return 0;
        by = json_object_object_get(escalation, "acknowledged_by");
        return output_line(&context->output, "%s acknowledged by %s",
                           id_show(json_object_get_uint64(json_object_object_get(escalation, "id")),
                                   context->noun->letter, number),
                           by ? json_object_get_string(by) : "-");
}

/* ---- explain ---- */

static const Field stretch_fields[] = {
        FIELD("since", TIME),      FIELD("until", TIME), FIELD("counted", FLAG),
        FIELD("seconds", SECONDS), FIELD("why", TEXT),
};

static const Field event_fields[] = { FIELD("at", TIME), FIELD("event", TEXT), FIELD("why", TEXT) };

/* Adds a stretch; one that only goes on from the last one, as over midnight, makes that longer. */
static int add_stretch(json_object *stretches, json_object *row) {
        size_t n = json_object_array_length(stretches);
        json_object *last = n > 0 ? json_object_array_get_idx(stretches, n - 1) : NULL;
        int64_t seconds = number_at(last, "seconds") + number_at(row, "seconds");
        int r;

        if (!last || number_at(last, "until") != number_at(row, "since") ||
            !json_object_equal(json_object_object_get(last, "counted"),
                               json_object_object_get(row, "counted")) ||
            !json_object_equal(json_object_object_get(last, "why"),
                               json_object_object_get(row, "why")))
                return json_append(stretches, json_object_get(row));
        r = json_put(last, "until", json_object_get(json_object_object_get(row, "until")));
        if (r == 0 && seconds > 0)
                r = json_put(last, "seconds", json_object_new_int64(seconds));
        return r;
}

/* One clock: its stretches of time, what they add up to, its events. */
static int write_clock(Context *context, json_object *first, json_object *stretches,
                       json_object *events) {
        const char *clock = json_object_get_string(json_object_object_get(first, "clock"));
        int64_t cycle = json_object_get_int64(json_object_object_get(first, "cycle")), sum = 0;
        char title[3 * NAME_MAX_BYTES], counted[DURATION_SIZE];
        _cleanup_free_ char *safe = text_safe(clock ? clock : "", false);
        Columns columns;
        int r;

        if (!safe)
                return -ENOMEM;
        for (size_t i = 0; i < json_object_array_length(stretches); i++)
                sum += json_object_get_int64(
                        json_object_object_get(json_object_array_get_idx(stretches, i), "seconds"));
        snprintf(title, sizeof(title), "%.*s clock, cycle %" PRId64 ": %s counted", NAME_MAX_BYTES,
                 safe, cycle, duration_show(sum, counted));
        r = columns_select(&context->report, stretch_fields, ELEMENTS(stretch_fields), NULL,
                           &columns);
        if (r == 0)
                r = output_table(&context->output, title, &columns, stretches);
        if (r == 0)
                r = columns_select(&context->report, event_fields, ELEMENTS(event_fields), NULL,
                                   &columns);
        return r != 0 ? r : output_table(&context->output, NULL, &columns, events);
}

/* The rows of the clock and cycle that begins at *position; moves that behind them. */
static int write_next_clock(Context *context, json_object *rows, size_t *position) {
        _cleanup_json_ json_object *stretches = json_object_new_array();
        _cleanup_json_ json_object *events = json_object_new_array();
        json_object *first = json_object_array_get_idx(rows, *position);
        int r;

        if (!stretches || !events)
                return -ENOMEM;
        for (; *position < json_object_array_length(rows); ++*position) {
                json_object *row = json_object_array_get_idx(rows, *position);

                if (!json_object_equal(json_object_object_get(row, "clock"),
                                       json_object_object_get(first, "clock")) ||
                    !json_object_equal(json_object_object_get(row, "cycle"),
                                       json_object_object_get(first, "cycle")))
                        break;
                r = json_object_object_get_ex(row, "event", NULL)
                            ? json_append(events, json_object_get(row))
                            : add_stretch(stretches, row);
                if (r < 0)
                        return r;
        }
        return write_clock(context, first, stretches, events);
}

/* All rows: those of one clock may be on several pages. */
static int explain_rows(Context *context, json_object **ret) {
        _cleanup_json_ json_object *all = json_object_new_array();
        _cleanup_free_ char *cursor = strdup("");

        if (!all || !cursor)
                return -ENOMEM;
        do {
                _cleanup_json_ json_object *rows = NULL;
                int r = context_page(context, "ExplainPage", &cursor, &rows);

                for (size_t i = 0; r == 0 && i < json_object_array_length(rows); i++)
                        r = json_append(all, json_object_get(json_object_array_get_idx(rows, i)));
                if (r != 0)
                        return r;
        } while (*cursor);
        *ret = TAKE_PTR(all);
        return 0;
}

int verb_explain(Context *context) {
        _cleanup_json_ json_object *rows = NULL;
        size_t position = 0;
        int r = explain_rows(context, &rows);

        if (r == 0 && context_is_json(context))
                return context_write_rows(context, NULL, 0, rows);
        while (r == 0 && position < json_object_array_length(rows))
                r = write_next_clock(context, rows, &position);
        return r;
}
