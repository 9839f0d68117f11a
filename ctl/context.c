/* SPDX-License-Identifier: Apache-2.0 */

#include "verbs.h"

#include <errno.h>
#include <string.h>
#include <sysexits.h>
#include <systemd/sd-id128.h>
#include <unistd.h>

#include "aftersales/bus.h"
#include "aftersales/limits.h"
#include "json.h"

int context_schema(Context *context, Schema **ret) {
        json_object *rows = NULL;
        int r = client_get(&context->client, AFTERSALES_MANAGER, "Schema", "aa{sv}", &rows, "s",
                           context->noun->schema);

        return r != 0 ? r : schema_new(rows, context->noun->letter, ret);
}

static int key_number(const Context *context, uint64_t *ret) {
        char letter = context->noun->letter;

        if (id_parse(context->arguments[0], letter, ret) == 0)
                return 0;
        return report(&context->report, EX_DATAERR,
                      "'%s' is no number of a record here; write %c17, %c3.17 (of site 3) or 17",
                      context->arguments[0], letter, letter);
}

/* Appends the number or code that the first argument is. */
static int append_key(const Context *context, sd_bus_message *m) {
        uint64_t number;
        int r;

        if (!context->noun->letter)
                return client_append(m, "s", context->arguments[0]);
        r = key_number(context, &number);
        return r != 0 ? r : client_append(m, "t", number);
}

int context_get(Context *context, const char *method, const char *signature, json_object **ret) {
        _cleanup_message_ sd_bus_message *m = NULL;
        _cleanup_json_ json_object *values = NULL;
        int r = client_new_call(&context->client, context->noun->interface, method, &m);

        if (r == 0)
                r = append_key(context, m);
        if (r == 0)
                r = client_call(&context->client, m, signature, &values);
        if (r == 0)
                *ret = json_object_get(json_object_array_get_idx(values, 0));
        return r;
}

int page_take(json_object *values, char **cursor, json_object **ret) {
        const char *next = json_object_get_string(json_object_array_get_idx(values, 1));
        char *copy = strdup(next ? next : "");

        if (!copy)
                return -ENOMEM;
        free(*cursor);
        *cursor = copy;
        *ret = json_object_get(json_object_array_get_idx(values, 0));
        return 0;
}

int context_page(Context *context, const char *method, char **cursor, json_object **ret) {
        _cleanup_message_ sd_bus_message *m = NULL;
        _cleanup_json_ json_object *values = NULL;
        int r = client_new_call(&context->client, context->noun->interface, method, &m);

        if (r == 0)
                r = append_key(context, m);
        if (r == 0)
                r = client_append(m, "su", *cursor, (uint32_t)PAGE_ROWS_MAX);
        if (r == 0)
                r = client_call(&context->client, m, "aa{sv}s", &values);
        return r == 0 ? page_take(values, cursor, ret) : r;
}

int context_change(Context *context, const char *method, bool keyed, json_object *fields,
                   const char *signature, json_object **ret) {
        _cleanup_message_ sd_bus_message *m = NULL;
        int r = client_new_call(&context->client, context->noun->interface, method, &m);

        if (r == 0 && keyed)
                r = append_key(context, m);
        if (r == 0)
                r = json_to_message(m, fields);
        return r != 0 ? r : client_call(&context->client, m, signature, ret);
}

/* ---- what is given ---- */

/* The options of a change, by their names on the bus. */
static int add_options(Context *context, Input *input) {
        static const struct {
                OptionId option;
                const char *name;
        } changes[] = {
                { OPTION_NOTE, AFTERSALES_OPTION_NOTE },
                { OPTION_REVISION, AFTERSALES_OPTION_REVISION },
                { OPTION_BY, AFTERSALES_OPTION_BY },
                { OPTION_AT, AFTERSALES_OPTION_AT },
                { OPTION_REQUEST_ID, AFTERSALES_OPTION_REQUEST_ID },
        };
        int r = 0;

        for (size_t i = 0; r == 0 && i < ELEMENTS(changes); i++) {
                const char *value = context->options->value[changes[i].option];

                if (value)
                        r = input_add(input, changes[i].name, value);
        }
        return r;
}

/* A name of its own for each command, so that the call can be sent again. */
static int add_request_id(Input *input) {
        char text[SD_ID128_STRING_MAX];
        sd_id128_t id;
        int r;

        if (json_object_object_get_ex(input->fields, AFTERSALES_OPTION_REQUEST_ID, NULL))
                return 0;
        r = sd_id128_randomize(&id);
        return r < 0 ? r
                     : input_add(input, AFTERSALES_OPTION_REQUEST_ID, sd_id128_to_string(id, text));
}

int input_begin(Context *context, const Schema *schema, Input *ret) {
        int r = 0;

        *ret = (Input){
                .schema = schema,
                .report = &context->report,
                .now = client_now,
                .userdata = &context->client,
                .fields = json_object_new_object(),
        };
        if (!ret->fields)
                return -ENOMEM;
        for (size_t i = 0; r == 0 && i < context->n_words; i++)
                r = input_add_word(ret, context->words[i]);
        if (r == 0)
                r = add_options(context, ret);
        if (r == 0 && context->options->value[OPTION_STDIN])
                r = input_add_json(ret, stdin);
        if (r == 0 && context->command->groups & FOR_CHANGES)
                r = add_request_id(ret);
        return r;
}

void input_done(Input *input) {
        json_object_put(input->fields);
        input->fields = NULL;
}

int input_ask_all(Context *context, Input *input, AskFor wanted, const void *userdata) {
        if (!context->options->value[OPTION_ASK])
                return 0;
        if (!isatty(STDIN_FILENO))
                return report(&context->report, EX_USAGE,
                              "--ask needs a terminal; programs use --stdin");
        for (size_t i = 0; i < input->schema->n_fields; i++) {
                const Field *field = &input->schema->fields[i];
                int r;

                if (!field->personal || !wanted(field, userdata) ||
                    json_object_object_get_ex(input->fields, field->name, NULL))
                        continue;
                r = input_ask(input, field, stdin, stderr);
                if (r != 0)
                        return r;
        }
        return 0;
}

/* ---- what is answered ---- */

int context_write_rows(Context *context, const Field *fields, size_t n_fields, json_object *rows) {
        const char *names = context->options->value[OPTION_COLUMNS];
        Columns columns;
        int r = columns_select(&context->report, fields, n_fields, names, &columns);

        if (r == 0)
                r = output_rows(&context->output,
                                names || context->output.format == OUTPUT_PEOPLE ? &columns : NULL,
                                rows);
        return r != 0 ? r : output_end(&context->output);
}

int context_write_json(Context *context, const Columns *columns, json_object *row) {
        _cleanup_json_ json_object *rows = json_object_new_array();
        int r;

        if (!rows || json_append(rows, json_object_get(row)) < 0)
                return -ENOMEM;
        r = output_rows(&context->output, columns, rows);
        return r != 0 ? r : output_end(&context->output);
}
