/* SPDX-License-Identifier: Apache-2.0 */

/* What all records have: list, show, new, update, history. */

#include "verbs.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sysexits.h>

#include "aftersales/limits.h"
#include "json.h"
#include "times.h"

/* ---- list ---- */

#define LIST_ROWS_DEFAULT PAGE_ROWS_MAX

static bool can_filter(const Field *field, const void *userdata) {
        (void)userdata;
        return field->filter;
}

/* 0: no limit. */
static int list_limit(const Context *context, uint64_t *ret) {
        const char *text = context->options->value[OPTION_LIMIT];

        *ret = LIST_ROWS_DEFAULT;
        if (text && number_parse(text, UINT64_MAX, ret) < 0)
                return report(&context->report, EX_USAGE, "--limit: '%s' is no number of rows",
                              text);
        return 0;
}

/* Asks for the page at the cursor; *cursor becomes the next page's, "" after the last one. */
static int list_page(Context *context, json_object *filter, uint32_t limit, char **cursor,
                     json_object **ret) {
        _cleanup_message_ sd_bus_message *m = NULL;
        _cleanup_json_ json_object *values = NULL;
        int r = client_new_call(&context->client, context->noun->interface, "List", &m);

        if (r == 0)
                r = json_to_message(m, filter);
        if (r == 0)
                r = client_append(m, "su", *cursor, limit);
        if (r == 0)
                r = client_call(&context->client, m, "aa{sv}s", &values);
        return r == 0 ? page_take(values, cursor, ret) : r;
}

static int list_pages(Context *context, const Columns *columns, json_object *filter,
                      uint64_t limit) {
        _cleanup_free_ char *cursor = strdup("");
        uint64_t left = limit;

        if (!cursor)
                return -ENOMEM;
        do {
                uint32_t page = limit == 0 || left > PAGE_ROWS_MAX ? PAGE_ROWS_MAX : (uint32_t)left;
                _cleanup_json_ json_object *rows = NULL;
                int r = list_page(context, filter, page, &cursor, &rows);

                if (r == 0)
                        r = output_rows(&context->output, columns, rows);
                if (r != 0)
                        return r;
                left -= limit == 0 ? 0 : json_object_array_length(rows);
        } while (*cursor && (limit == 0 || left > 0));
        if (*cursor && !context->options->value[OPTION_LIMIT])
                report(&context->report, 0, "these are the first %" PRIu64 "; --limit=0 shows all",
                       limit);
        return output_end(&context->output);
}

int list_rows(Context *context, json_object *filter, uint64_t limit, json_object **ret) {
        _cleanup_json_ json_object *all = json_object_new_array();
        _cleanup_free_ char *cursor = strdup("");

        if (!all || !cursor)
                return -ENOMEM;
        do {
                uint64_t left = limit - json_object_array_length(all);
                uint32_t page = limit == 0 || left > PAGE_ROWS_MAX ? PAGE_ROWS_MAX : (uint32_t)left;
                _cleanup_json_ json_object *rows = NULL;
                int r = list_page(context, filter, page, &cursor, &rows);

                for (size_t i = 0; r == 0 && i < json_object_array_length(rows); i++)
                        r = json_append(all, json_object_get(json_object_array_get_idx(rows, i)));
                if (r != 0)
                        return r;
        } while (*cursor && (limit == 0 || json_object_array_length(all) < limit));
        *ret = TAKE_PTR(all);
        return 0;
}

int verb_list(Context *context) {
        const char *names = context->options->value[OPTION_COLUMNS];
        _cleanup_schema_ Schema *schema = NULL;
        _cleanup_input_ Input input = {};
        const Columns *shown;
        Columns columns;
        uint64_t limit;
        int r = list_limit(context, &limit);

        if (r == 0)
                r = context_schema(context, &schema);
        if (r == 0)
                r = columns_select(&context->report, schema->fields, schema->n_fields,
                                   names ? names : context->noun->columns, &columns);
        if (r == 0)
                r = input_begin(context, schema, &input);
        if (r == 0)
                r = input_ask_all(context, &input, can_filter, NULL);
        if (r != 0)
                return r;
        shown = context_is_json(context) && !names ? NULL : &columns;
        return context->options->value[OPTION_WATCH]
                       ? watch_list(context, shown, input.fields, limit)
                       : list_pages(context, shown, input.fields, limit);
}

/* ---- show, history, fields ---- */

int verb_show(Context *context) {
        const char *names = context->options->value[OPTION_COLUMNS];
        _cleanup_schema_ Schema *schema = NULL;
        _cleanup_json_ json_object *record = NULL;
        Columns columns;
        int r = context_schema(context, &schema);

        if (r == 0)
                r = columns_select(&context->report, schema->fields, schema->n_fields, names,
                                   &columns);
        if (r == 0)
                r = context_get(context, "Get", "a{sv}", &record);
        if (r != 0)
                return r;
        if (context_is_json(context))
                return context_write_json(context, names ? &columns : NULL, record);
        return output_record(&context->output, &columns, !names, record);
}

/* A history tells values as text: times in UTC, numbers of cases bare. People read them in their
 * own zone, with the letter. */
static int localise(const Schema *schema, json_object *change, const char *key) {
        const char *name = json_object_get_string(json_object_object_get(change, "field"));
        const char *text = json_object_get_string(json_object_object_get(change, key));
        const Field *field = name ? schema_find(schema, name) : NULL;
        char time_text[TIME_SIZE], id_text[ID_SIZE];
        uint64_t id;
        int64_t time;

        if (!text || !field)
                return 0;
        if (field->type == FIELD_TIME && time_parse(text, 0, &time) == 0)
                text = time_show(time, false, time_text);
        else if (field->type == FIELD_ID && number_parse(text, UINT64_MAX, &id) == 0)
                text = id_show(id, schema->letter, id_text);
        else
                return 0;
        return json_put(change, key, json_object_new_string(text));
}

static int localise_rows(const Schema *schema, json_object *rows) {
        int r = 0;

        for (size_t i = 0; i < json_object_array_length(rows); i++) {
                json_object *changes =
                        json_object_object_get(json_object_array_get_idx(rows, i), "changes");

                for (size_t j = 0; r == 0 && json_object_is_type(changes, json_type_array) &&
                                   j < json_object_array_length(changes);
                     j++) {
                        json_object *change = json_object_array_get_idx(changes, j);

                        r = localise(schema, change, "before");
                        if (r == 0)
                                r = localise(schema, change, "after");
                }
        }
        return r;
}

int verb_history(Context *context) {
        static const Field fields[] = {
                FIELD("revision", COUNT),  FIELD("at", TIME),   FIELD("actor", TEXT),
                FIELD("verb", ENUM),       FIELD("from", ENUM), FIELD("to", ENUM),
                FIELD("changes", CHANGES), FIELD("note", TEXT),
        };
        const char *names = context->options->value[OPTION_COLUMNS];
        _cleanup_free_ char *cursor = strdup("");
        _cleanup_schema_ Schema *schema = NULL;
        Columns columns;
        int r;

        if (!cursor)
                return -ENOMEM;
        r = columns_select(&context->report, fields, ELEMENTS(fields), names, &columns);
        if (r == 0 && !context_is_json(context))
                r = context_schema(context, &schema);
        if (r != 0)
                return r;
        do {
                _cleanup_json_ json_object *rows = NULL;

                r = context_page(context, "HistoryPage", &cursor, &rows);
                if (r == 0 && schema)
                        r = localise_rows(schema, rows);
                if (r == 0)
                        r = output_rows(&context->output, names || schema ? &columns : NULL, rows);
                if (r != 0)
                        return r;
        } while (*cursor);
        return output_end(&context->output);
}

int verb_fields(Context *context) {
        static const Field fields[] = {
                FIELD("name", ENUM),     FIELD("type", ENUM),      FIELD("required", FLAG),
                FIELD("settable", FLAG), FIELD("updatable", FLAG), FIELD("filter", FLAG),
                FIELD("personal", FLAG), FIELD("doc", TEXT),       FIELD("values", LIST),
        };
        _cleanup_schema_ Schema *schema = NULL;
        int r = context_schema(context, &schema);

        return r != 0 ? r : context_write_rows(context, fields, ELEMENTS(fields), schema->rows);
}

/* ---- new, update ---- */

static bool can_set(const Field *field, const void *userdata) {
        (void)userdata;
        return field->settable;
}

static bool can_update(const Field *field, const void *userdata) {
        (void)userdata;
        return field->updatable;
}

/* Sends a change of this noun's records; keyed: of the one that the first argument names. */
static int change_record(Context *context, const char *method, bool keyed, AskFor asked,
                         const char *signature, json_object **ret) {
        _cleanup_schema_ Schema *schema = NULL;
        _cleanup_input_ Input input = {};
        int r = context_schema(context, &schema);

        if (r == 0)
                r = input_begin(context, schema, &input);
        if (r == 0)
                r = input_ask_all(context, &input, asked, NULL);
        return r != 0 ? r : context_change(context, method, keyed, input.fields, signature, ret);
}

/* Writes the two values that a change was answered with. */
static int write_pair(Context *context, const char *first_name, json_object *first,
                      const char *second_name, json_object *second) {
        _cleanup_json_ json_object *row = json_object_new_object();
        int r = row ? 0 : -ENOMEM;

        if (r == 0)
                r = json_put(row, first_name, json_object_get(first));
        if (r == 0)
                r = json_put(row, second_name, json_object_get(second));
        return r != 0 ? r : context_write_json(context, NULL, row);
}

int verb_new(Context *context) {
        bool numbered = context->noun->letter;
        _cleanup_json_ json_object *values = NULL;
        json_object *key, *second;
        char number[ID_SIZE];
        int r = change_record(context, "Create", false, can_set, numbered ? "tb" : "st", &values);

        if (r != 0)
                return r;
        key = json_object_array_get_idx(values, 0);
        /* Of a case whether it is new, of master data the revision. */
        second = json_object_array_get_idx(values, 1);
        if (context_is_json(context))
                return write_pair(context, numbered ? "id" : "code", key,
                                  numbered ? "created" : "revision", second);
        return output_line(
                &context->output, "%s%s",
                numbered ? id_show(json_object_get_uint64(key), context->noun->letter, number)
                         : json_object_get_string(key),
                context->options->value[OPTION_QUIET]          ? ""
                : numbered && !json_object_get_boolean(second) ? " exists already: it is the same"
                                                               : " created");
}

int verb_update(Context *context) {
        _cleanup_json_ json_object *values = NULL, *code = NULL;
        json_object *revision;
        int r = change_record(context, "Update", true, can_update, "t", &values);

        if (r != 0)
                return r;
        revision = json_object_array_get_idx(values, 0);
        if (context_is_json(context)) {
                code = json_object_new_string(context->arguments[0]);
                return code ? write_pair(context, "code", code, "revision", revision) : -ENOMEM;
        }
        if (context->options->value[OPTION_QUIET])
                return 0;
        return output_line(&context->output, "%s updated, revision %" PRIu64, context->arguments[0],
                           json_object_get_uint64(revision));
}
