/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The handlers of the commands, and what they share. */

#include "commands.h"

/* records */
int verb_list(Context *context);
int verb_show(Context *context);
int verb_new(Context *context);
int verb_update(Context *context);
int verb_history(Context *context);
int verb_fields(Context *context);

/* stock */
int verb_stock_totals(Context *context);
int verb_stock_moves(Context *context);
int verb_stock_check(Context *context);
int verb_plan_run(Context *context);
int verb_plan_show(Context *context);
int verb_plan_explain(Context *context);
int verb_contract_account(Context *context);
int verb_contract_claim(Context *context);

/* following */
int verb_monitor(Context *context);
/* Shows a list again whenever it has changed, until stopped. */
int watch_list(Context *context, const Columns *columns, json_object *filter, uint64_t limit);

/* cases */
int verb_transition(Context *context);
int verb_explain(Context *context);
int verb_acknowledge(Context *context);

/* the policy */
int verb_reload(Context *context);
int verb_config_history(Context *context);
int verb_config_show(Context *context);
int verb_simulate(Context *context);

/* the daemon and its calendars */
int verb_status(Context *context);
int verb_check(Context *context);
int verb_calendar_list(Context *context);
int verb_calendar_show(Context *context);
int verb_calendar_check(Context *context);
int verb_clock_accept(Context *context);
int verb_help(Context *context);

/* backups */
int verb_backup(Context *context);
int verb_backup_list(Context *context);

/* files */
int verb_import(Context *context);
int verb_submit(Context *context);
int verb_export(Context *context);

/* ---- shared (context.c): 0, an exit code, negative errno ---- */

#define _cleanup_schema_ _cleanup_(cleanup_schema)
#define _cleanup_input_  _cleanup_(input_done)

static inline void cleanup_schema(Schema **p) {
        schema_free(*p);
}

/* The fields of the noun's records, from the daemon. */
int context_schema(Context *context, Schema **ret);

/* Calls a method of the noun's interface for the record that the first argument names; the answer
 * is one value. */
int context_get(Context *context, const char *method, const char *signature, json_object **ret);
/* The same for an answer in pages: the rows of the one at *cursor ("", to free, for the first),
 * which becomes the next one's: "" after the last one. */
int context_page(Context *context, const char *method, char **cursor, json_object **ret);
/* Calls one with a dictionary, keyed: for that record; all values of the answer. */
int context_change(Context *context, const char *method, bool keyed, json_object *fields,
                   const char *signature, json_object **ret);

/* Up to `limit` (0: all) rows of List of the noun, from as many pages as that takes. */
int list_rows(Context *context, json_object *filter, uint64_t limit, json_object **ret);

/* Gathers what a call's dictionary is made of: the words, the options of a change, --stdin. What
 * --ask is about comes with input_ask_all(). */
int input_begin(Context *context, const Schema *schema, Input *ret);
void input_done(Input *input);

/* With --ask: asks for those personal fields not given yet that are wanted. */
typedef bool (*AskFor)(const Field *field, const void *userdata);
int input_ask_all(Context *context, Input *input, AskFor wanted, const void *userdata);

static inline bool context_is_json(const Context *context) {
        return context->output.format != OUTPUT_PEOPLE;
}

/* A page from the values that it was answered with. */
int page_take(json_object *values, char **cursor, json_object **ret);

/* Writes the rows of an answer that has no more pages, in columns of these fields. */
int context_write_rows(Context *context, const Field *fields, size_t n_fields, json_object *rows);
/* Writes one row as JSON; columns: those to keep, NULL: all. */
int context_write_json(Context *context, const Columns *columns, json_object *row);
