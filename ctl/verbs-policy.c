/* SPDX-License-Identifier: Apache-2.0 */

/* The policy: bringing another one into force, what it would do, what would escalate. */

#include "verbs.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sysexits.h>

#include "aftersales/limits.h"
#include "json.h"
#include "times.h"

/* The daemon's helper looks at every open case. */
#define LOOK_TIMEOUT (600 * USEC_PER_SEC)
#define DIGEST_SHOWN 16
#define ROWS_DEFAULT 1000

static uint64_t number_at(json_object *row, const char *key) {
        return json_object_get_uint64(json_object_object_get(row, key));
}

/* ---- reload --------------------------------------------------------------------------------- */

static int preview(Context *context) {
        static const Field fields[] = {
                FIELD("case_id", ID),
                FIELD("clock", TEXT),
                FIELD("before", TIME),
                FIELD("after", TIME),
        };
        _cleanup_message_ sd_bus_message *m = NULL;
        _cleanup_json_ json_object *values = NULL;
        int r = client_new_call(&context->client, context->noun->interface, "Preview", &m);

        if (r == 0)
                r = client_append(m, "u", PAGE_ROWS_MAX);
        if (r == 0)
                r = client_call(&context->client, m, "ttaa{sv}", &values);
        if (r == 0 && !context_is_json(context))
                r = output_line(&context->output,
                                "%" PRIu64 " open cases looked at; %" PRIu64
                                " of them would get another deadline; nothing was changed",
                                json_object_get_uint64(json_object_array_get_idx(values, 0)),
                                json_object_get_uint64(json_object_array_get_idx(values, 1)));
        return r != 0 ? r
                      : context_write_rows(context, fields, ELEMENTS(fields),
                                           json_object_array_get_idx(values, 2));
}

static int reload(Context *context) {
        _cleanup_json_ json_object *answer = NULL;
        int r = client_get(&context->client, context->noun->interface, "Reload", "a{sv}", &answer,
                           "");

        if (r == 0 && context_is_json(context))
                return context_write_json(context, NULL, answer);
        if (r != 0)
                return r;
        return output_line(&context->output,
                           "policy %" PRIu64 " (%.*s) is in force; %" PRIu64 " of %" PRIu64
                           " open cases looked at get another deadline",
                           number_at(answer, "policy"), DIGEST_SHOWN,
                           json_object_get_string(json_object_object_get(answer, "digest")),
                           number_at(answer, "moved"), number_at(answer, "cases"));
}

int verb_reload(Context *context) {
        context->client.timeout = LOOK_TIMEOUT;
        return context->options->value[OPTION_DRY_RUN] ? preview(context) : reload(context);
}

/* ---- what has been in force ----------------------------------------------------------------- */

int verb_config_history(Context *context) {
        static const Field fields[] = {
                FIELD("number", COUNT),
                FIELD("since", TIME),
                FIELD("by", TEXT),
                FIELD("digest", TEXT),
                FIELD("timing_version", COUNT),
                FIELD("recomputed_at", TIME),
        };
        _cleanup_json_ json_object *rows = NULL;
        int r = client_get(&context->client, context->noun->interface, "List", "aa{sv}", &rows, "");

        return r != 0 ? r : context_write_rows(context, fields, ELEMENTS(fields), rows);
}

/* ---- what is in force ----------------------------------------------------------------------- */

/* It comes as YAML, and can be written into a file as it is. */
int verb_config_show(Context *context) {
        _cleanup_json_ json_object *yaml = NULL;
        int r = client_get(&context->client, context->noun->interface, "Show", "s", &yaml, "b",
                           context->options->value[OPTION_ORIGIN] != NULL);

        if (r == 0 && context_is_json(context))
                return context_write_json(context, NULL, yaml);
        if (r != 0)
                return r;
        return fputs(json_object_get_string(yaml), context->output.to) < 0 ? -EIO : 0;
}

/* ---- simulate ------------------------------------------------------------------------------- */

static int read_until(Context *context, int64_t *ret) {
        const char *text = context->options->value[OPTION_UNTIL];

        if (!text)
                return report(&context->report, EX_USAGE,
                              "until when? Write --until=TIME, such as --until=+48h");
        if (time_parse(text, client_now(&context->client), ret) < 0)
                return report(&context->report, EX_DATAERR, "--until: '%s' is no time; " TIME_FORMS,
                              text);
        return 0;
}

static int read_limit(Context *context, uint64_t *ret) {
        const char *text = context->options->value[OPTION_LIMIT];

        *ret = ROWS_DEFAULT;
        if (text && (number_parse(text, SIMULATE_ROWS_MAX, ret) < 0))
                return report(&context->report, EX_USAGE, "--limit: '%s' is no number up to %d",
                              text, SIMULATE_ROWS_MAX);
        if (*ret == 0)
                *ret = SIMULATE_ROWS_MAX;
        return 0;
}

static int ask(Context *context, const Input *input, json_object **ret) {
        _cleanup_message_ sd_bus_message *m = NULL;
        bool summary = context->options->value[OPTION_SUMMARY] != NULL;
        uint64_t limit = 0;
        int64_t until = 0;
        int r;

        r = read_until(context, &until);
        if (r == 0)
                r = read_limit(context, &limit);
        if (r == 0)
                r = client_new_call(&context->client, context->noun->interface, "Simulate", &m);
        if (r == 0)
                r = client_append(m, "x", until);
        if (r == 0)
                r = json_to_message(m, input->fields);
        if (r == 0)
                r = client_append(m, "u", summary ? 0 : (uint32_t)limit);
        return r != 0 ? r : client_call(&context->client, m, "aa{sv}aa{sv}t", ret);
}

static int write_rows(Context *context, json_object *values) {
        static const Field fields[] = {
                FIELD("due_at", TIME),    FIELD("case_id", ID),  FIELD("clock", TEXT),
                FIELD("cause", ENUM),     FIELD("level", COUNT), FIELD("role", ENUM),
                FIELD("recipient", TEXT),
        };
        json_object *rows = json_object_array_get_idx(values, 0);
        uint64_t events = json_object_get_uint64(json_object_array_get_idx(values, 2));
        size_t shown = json_object_array_length(rows);
        int r = context_write_rows(context, fields, ELEMENTS(fields), rows);

        if (r == 0 && !context_is_json(context) && shown < events)
                r = output_line(&context->output,
                                "the first %zu of %" PRIu64 " are shown; --limit shows more, "
                                "--summary counts them",
                                shown, events);
        return r;
}

static int write_totals(Context *context, json_object *values) {
        static const Field fields[] = {
                FIELD("recipient", TEXT),
                FIELD("warning", COUNT),
                FIELD("rung", COUNT),
                FIELD("repeat", COUNT),
        };

        return context_write_rows(context, fields, ELEMENTS(fields),
                                  json_object_array_get_idx(values, 1));
}

int verb_simulate(Context *context) {
        _cleanup_json_ json_object *values = NULL;
        _cleanup_schema_ Schema *schema = NULL;
        _cleanup_input_ Input input = {};
        int r;

        context->client.timeout = LOOK_TIMEOUT;
        r = context_schema(context, &schema);
        if (r == 0)
                r = input_begin(context, schema, &input);
        if (r == 0)
                r = ask(context, &input, &values);
        if (r != 0)
                return r;
        return context->options->value[OPTION_SUMMARY] ? write_totals(context, values)
                                                       : write_rows(context, values);
}
