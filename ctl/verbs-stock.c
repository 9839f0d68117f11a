/* SPDX-License-Identifier: Apache-2.0 */

/* Parts: what lists and transitions do not do. */

#include "verbs.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "aftersales/bus.h"
#include "json.h"

#define PLAN_ROWS 100 /* a page */

int verb_stock_totals(Context *context) {
        static const Field fields[] = {
                FIELD("place", ENUM),
                FIELD("condition", ENUM),
                FIELD("quantity", COUNT),
        };
        _cleanup_json_ json_object *rows = NULL;
        int r = client_get(&context->client, context->noun->interface, "Totals", "aa{sv}", &rows,
                           "");

        return r != 0 ? r : context_write_rows(context, fields, ELEMENTS(fields), rows);
}

int verb_stock_moves(Context *context) {
        context->noun = noun_find("move");
        context->output.letter = context->noun->letter;
        return verb_list(context);
}

int verb_stock_check(Context *context) {
        context->noun = noun_find("check");
        return verb_check(context);
}

/* ---- plans ---- */

static int64_t number_of(json_object *row, const char *name) {
        return json_object_get_int64(json_object_object_get(row, name));
}

/* A sheet a call, until the plan is complete. */
static int make_sheet(Context *context, uint64_t *ret_order, bool *ret_complete) {
        _cleanup_message_ sd_bus_message *m = NULL;
        _cleanup_json_ json_object *values = NULL;
        int r = client_new_call(&context->client, context->noun->interface, "Run", &m);

        if (r == 0)
                r = client_append(m, "ss", context->arguments[0], context->arguments[1]);
        if (r == 0)
                r = client_call(&context->client, m, "tb", &values);
        if (r != 0)
                return r;
        *ret_order = json_object_get_uint64(json_object_array_get_idx(values, 0));
        *ret_complete = json_object_get_boolean(json_object_array_get_idx(values, 1));
        return 0;
}

/* As JSON. */
static int write_number(Context *context, const char *name, uint64_t number) {
        _cleanup_json_ json_object *row = json_object_new_object();
        int r = row ? json_put(row, name, json_object_new_uint64(number)) : -ENOMEM;

        return r != 0 ? r : context_write_json(context, NULL, row);
}

static int write_sheet(Context *context, uint64_t order) {
        char number[ID_SIZE];

        if (context_is_json(context))
                return write_number(context, "id", order);
        return output_line(&context->output, "%s", id_show(order, kind_letter("order"), number));
}

int verb_plan_run(Context *context) {
        bool complete = false;
        int r = 0;

        while (r == 0 && !complete) {
                uint64_t order = 0;

                r = make_sheet(context, &order, &complete);
                if (r == 0)
                        r = write_sheet(context, order);
        }
        return r;
}

static int plan_page(Context *context, char **cursor, json_object **ret) {
        _cleanup_message_ sd_bus_message *m = NULL;
        _cleanup_json_ json_object *values = NULL;
        int r = client_new_call(&context->client, context->noun->interface, "Show", &m);

        if (r == 0)
                r = client_append(m, "sssu", context->arguments[0], context->arguments[1], *cursor,
                                  PLAN_ROWS);
        if (r == 0)
                r = client_call(&context->client, m, "aa{sv}s", &values);
        return r == 0 ? page_take(values, cursor, ret) : r;
}

/* The methods' numbers are thousandths; people read them with a point. */
static int show_thousandths(json_object *rows) {
        static const char *const names[] = { "average", "croston", "sba", "tsb" };
        int r = 0;

        for (size_t i = 0; r == 0 && i < json_object_array_length(rows); i++) {
                json_object *row = json_object_array_get_idx(rows, i);

                for (size_t k = 0; r == 0 && k < ELEMENTS(names); k++) {
                        char text[32];

                        snprintf(text, sizeof(text), "%.3f",
                                 (double)number_of(row, names[k]) / 1000);
                        r = json_put(row, names[k], json_object_new_string(text));
                }
        }
        return r;
}

int verb_plan_show(Context *context) {
        static const char shown[] =
                "part,use,season,wanted,stock,on_order,in_transit,need,quantity,"
                "average,croston,sba,tsb";
        const char *names = context->options->value[OPTION_COLUMNS];
        _cleanup_free_ char *cursor = strdup("");
        _cleanup_schema_ Schema *schema = NULL;
        Columns columns;
        int r = cursor ? context_schema(context, &schema) : -ENOMEM;

        if (r == 0)
                r = columns_select(&context->report, schema->fields, schema->n_fields,
                                   names ? names : shown, &columns);
        if (r != 0)
                return r;
        do {
                _cleanup_json_ json_object *rows = NULL;

                r = plan_page(context, &cursor, &rows);
                if (r == 0 && !context_is_json(context))
                        r = show_thousandths(rows);
                if (r == 0)
                        r = output_rows(&context->output,
                                        context_is_json(context) && !names ? NULL : &columns, rows);
                if (r != 0)
                        return r;
        } while (*cursor);
        return output_end(&context->output);
}

static int explain_row(Context *context, json_object *row) {
        Output *output = &context->output;
        bool net = json_object_get_boolean(json_object_object_get(row, "net"));
        int r = output_line(output, "used in the months before (%" PRId64 " of them): %" PRId64,
                            number_of(row, "months"), number_of(row, "use"));

        if (r == 0)
                r = output_line(
                        output,
                        "to last for %" PRId64 ", in a season of %" PRId64 " %%: %" PRId64
                        " × %" PRId64 " / %" PRId64 " × %" PRId64 " %%, rounded up: %" PRId64,
                        number_of(row, "factor"), number_of(row, "season"),
                        number_of(row, "factor"), number_of(row, "use"), number_of(row, "months"),
                        number_of(row, "season"), number_of(row, "wanted"));
        if (r == 0)
                r = output_line(output,
                                "there are %" PRId64 ", ordered %" PRId64 " and on the way %" PRId64
                                "%s: needed %" PRId64,
                                number_of(row, "stock"), number_of(row, "on_order"),
                                number_of(row, "in_transit"), net ? "" : " (which do not count)",
                                number_of(row, "need"));
        if (r == 0)
                r = output_line(output, "in packs of %" PRId64 ", at least %" PRId64 "%s: %" PRId64,
                                number_of(row, "pack"), number_of(row, "minimum"),
                                json_object_get_boolean(json_object_object_get(row, "discontinued"))
                                        ? ", discontinued"
                                        : "",
                                number_of(row, "quantity"));
        for (size_t i = 0; r == 0 && i < 4; i++) {
                static const char *const methods[] = { "average", "croston", "sba", "tsb" };
                char error[32];

                snprintf(error, sizeof(error), "%s_error", methods[i]);
                r = output_line(output, "%-8s expects %.3f a month, was off by %.3f", methods[i],
                                (double)number_of(row, methods[i]) / 1000,
                                (double)number_of(row, error) / 1000);
        }
        return r;
}

int verb_plan_explain(Context *context) {
        _cleanup_json_ json_object *row = NULL;
        int r = client_get(&context->client, context->noun->interface, "Explain", "a{sv}", &row,
                           "sss", context->arguments[0], context->arguments[1],
                           context->arguments[2]);

        if (r != 0)
                return r;
        return context_is_json(context) ? context_write_json(context, NULL, row)
                                        : explain_row(context, row);
}

/* ---- accounts ---- */

int verb_contract_account(Context *context) {
        static const Field fields[] = {
                FIELD("item", TEXT),      FIELD("units", COUNT),   FIELD("rate", COUNT),
                FIELD("declared", COUNT), FIELD("obliged", COUNT), FIELD("failures", COUNT),
                FIELD("claimed", COUNT),  FIELD("excess", COUNT),  FIELD("delivered", COUNT),
        };
        _cleanup_json_ json_object *rows = NULL;
        int r = client_get(&context->client, AFTERSALES_ACCOUNTS, "Show", "aa{sv}", &rows, "s",
                           context->arguments[0]);

        return r != 0 ? r : context_write_rows(context, fields, ELEMENTS(fields), rows);
}

int verb_contract_claim(Context *context) {
        _cleanup_json_ json_object *claims = NULL;
        int r = client_get(&context->client, AFTERSALES_ACCOUNTS, "Claim", "t", &claims, "s",
                           context->arguments[0]);

        if (r != 0)
                return r;
        if (context_is_json(context))
                return write_number(context, "claims", json_object_get_uint64(claims));
        return output_line(&context->output, "%" PRIu64 " claimed", json_object_get_uint64(claims));
}
