/* SPDX-License-Identifier: Apache-2.0 */

/* What becomes of a row once it is read. */

#include <errno.h>
#include <string.h>

#include "aftersales/limits.h"
#include "loop/history.h"
#include "transfer/import-internal.h"
#include "transfer/value.h"

static int check_permission(ImportRow *row, Permission permission) {
        if (actor_may(&row->actor, permission))
                return 0;
        return refuse(&row->refusal, REFUSED_PERMISSION,
                      "your role (%s) does not have the permission %s", row->actor.role,
                      permission_name(permission));
}

/* ---- master data ---- */

static bool differs(const Field *field, const void *a, const void *b) {
        char text_a[VALUE_SIZE], text_b[VALUE_SIZE];
        bool set = field_is_set(field, a);

        if (set != field_is_set(field, b))
                return true;
        return set && !STREQ(value_text(field, a, text_a), value_text(field, b, text_b));
}

/* Leaves in the call what differs from the record that there is. */
static int keep_differences(ImportRow *row, const void *record, bool *ret_any) {
        const RecordType *type = row->session->options.reg->table->type;
        FieldMask mask = {};

        *ret_any = false;
        for (size_t i = 0; i < type->n_fields; i++) {
                const Field *field = &type->fields[i];

                if (!field_mask_has(&row->call.given, i) || !differs(field, row->fields, record))
                        continue;
                if (!(field->marks & FIELD_UPDATABLE))
                        return refuse(&row->refusal, REFUSED_RULE,
                                      "%s: it is different in the %s that there is, and cannot be "
                                      "changed",
                                      field->name, row->session->options.reg->name);
                field_mask_set(&mask, i);
                *ret_any = true;
        }
        row->call.given = mask;
        return 0;
}

static int write_master(ImportRow *row, bool exists) {
        const ImportOptions *options = &row->session->options;
        const char *code = ((const Master *)row->fields)->code;
        uint64_t revision;
        Change *change;
        int r = change_begin(options->store, &change);

        if (r < 0)
                return r;
        r = exists ? register_update(options->reg, row->engine, change, code, &row->call, &revision,
                                     &row->refusal)
                   : register_create(options->reg, row->engine, change, &row->call, &revision,
                                     &row->refusal);
        if (r == 0)
                return import_apply(row, change, exists ? "update" : "create");
        change_drop(change);
        return r;
}

int import_master(ImportRow *row, ImportOutcome *ret) {
        const ImportOptions *options = &row->session->options;
        const RecordType *type = options->reg->table->type;
        const char *code = ((const Master *)row->fields)->code;
        _cleanup_free_ void *record = calloc(1, type->size);
        bool any = true, exists;
        Key key;
        int r;

        if (!record)
                return -ENOMEM;
        r = check_permission(row, options->reg->write);
        if (r != 0)
                return r;
        if (!code)
                return refuse(&row->refusal, REFUSED_MISSING_FIELD, "code: every row needs one");
        key = key_of_code(code);
        r = store_get(options->store, options->reg->table, &key, record);
        if (r < 0 && r != -ENOENT)
                return r;
        exists = r == 0;
        r = exists ? keep_differences(row, record, &any) : 0;
        record_done(type, record);
        if (r == 0 && any)
                r = write_master(row, exists);
        if (r == 0)
                *ret = !exists ? IMPORT_CREATED : any ? IMPORT_UPDATED : IMPORT_UNCHANGED;
        return r;
}

/* ---- entries ---- */

int import_entry(ImportRow *row, ImportOutcome *ret) {
        const ImportOptions *options = &row->session->options;
        bool created = false;
        Change *change;
        uint64_t id;
        int r;

        r = options->reg->made_by ? 0 : check_permission(row, options->reg->write);
        if (r == 0 && !row->reference)
                r = refuse(&row->refusal, REFUSED_MISSING_FIELD,
                           "reference: every row needs one, so that importing the file again does "
                           "not make it twice");
        if (r == 0)
                r = change_begin(options->store, &change);
        if (r != 0)
                return r;
        r = register_add(options->reg, row->engine, change, &row->call, &id, &created,
                         &row->refusal);
        if (r == 0)
                r = import_apply(row, change, "create");
        else
                change_drop(change);
        if (r == 0)
                *ret = created ? IMPORT_CREATED : IMPORT_UNCHANGED;
        return r;
}

/* ---- cases ---- */

static int create_case(ImportRow *row, ImportOutcome *ret) {
        const ImportOptions *options = &row->session->options;
        Head head = {};
        Change *change;
        bool created;
        int r;

        row->call.quiet = row->at && !options->escalates;
        r = options->kind->made_by ? 0 : check_permission(row, options->kind->create_permission);
        if (r == 0 && row->id)
                r = refuse(&row->refusal, REFUSED_INVALID_VALUE,
                           "id: numbers are given by the daemon; leave it empty in a row that "
                           "creates, or name the verb");
        if (r == 0 && !row->reference &&
            record_field(options->kind->table->type, "reference", NULL))
                r = refuse(&row->refusal, REFUSED_MISSING_FIELD,
                           "reference: a row that creates needs one, so that importing the file "
                           "again does not create it twice");
        if (r == 0)
                r = change_begin(options->store, &change);
        if (r != 0)
                return r;
        r = engine_create(row->engine, change, options->kind, &row->call, &head, &created,
                          &row->refusal);
        if (r == 0)
                r = import_apply(row, change, "create");
        else
                change_drop(change);
        record_done(&head_type, &head);
        if (r == 0)
                *ret = created ? IMPORT_CREATED : IMPORT_UNCHANGED;
        return r;
}

/* Takes from the fields given those by which cases are known; whether there were any. */
static bool take_known(const Kind *kind, FieldMask *given) {
        const RecordType *type = kind->table->type;
        bool any = false;

        for (size_t i = 0; i < type->n_fields; i++) {
                if (!field_mask_has(given, i) || !names_have(kind->known_by, type->fields[i].name))
                        continue;
                field_mask_clear(given, i);
                any = true;
        }
        return any;
}

/* The case that a row is about, by its number or what else it is known by, which is no field of
 * the transition then. */
static int find_case(ImportRow *row, uint64_t *ret) {
        const ImportOptions *options = &row->session->options;
        bool known;
        int r;

        if (row->id) {
                take_known(options->kind, &row->call.given);
                if (value_read_id(row->id, ret) == 0)
                        return 0;
                return refuse(&row->refusal, REFUSED_INVALID_VALUE, "id: no number such as %c17",
                              options->kind->letter);
        }
        r = options->kind->find ? options->kind->find(row->engine, options->store, &row->call, ret)
                                : -ENOENT;
        known = take_known(options->kind, &row->call.given);
        if (r != -ENOENT)
                return r;
        if (known)
                return refuse(&row->refusal, REFUSED_NOT_FOUND, "%s: there is no %s with this one",
                              options->kind->known_by, options->kind->name);
        return refuse(&row->refusal, REFUSED_MISSING_FIELD,
                      "id: the row names no %s: give its id or its %s", options->kind->name,
                      options->kind->known_by);
}

/* Whether the history has this verb at this instant. 1, 0, negative errno. */
static int is_known(ImportRow *row, uint64_t id) {
        const ImportOptions *options = &row->session->options;
        Key prefix = history_prefix(options->kind->number, id, NULL), position = {};
        Event event;
        int r;

        while ((r = history_next(options->store, &prefix, &position, &event)) == 0) {
                bool same = event.at == row->call.at && STREQ(event.verb, row->verb);

                record_done(&event_type, &event);
                if (same)
                        return 1;
        }
        return r == -ENOENT ? 0 : r;
}

/* Whether all that is known of the case is history. 1, 0 (also when there is none), negative errno.
 */
static int is_taken_over(ImportRow *row, uint64_t id) {
        const ImportOptions *options = &row->session->options;
        const RecordType *type = options->kind->table->type;
        _cleanup_free_ Case *c = calloc(1, type->size);
        Key key = key_of_id(id);
        int r;

        if (!c)
                return -ENOMEM;
        r = store_get(options->store, options->kind->table, &key, c);
        if (r < 0)
                return r == -ENOENT ? 0 : r;
        r = c->taken_over;
        record_done(type, c);
        return r;
}

/* What stands for a row without an instant: who brings it, and all its cells. */
static int digest_row(const ImportRow *row, char ret[static REQUEST_TOKEN_SIZE]) {
        _cleanup_(buffer_done) Buffer buffer = {};

        for (size_t i = 0; i < row->row->n; i++) {
                const RowCell *cell = &row->row->cells[i];

                if (!cell->text || STREQ(cell->name, "error"))
                        continue;
                buffer_put_slice(&buffer, (Slice){ cell->name, strlen(cell->name) });
                buffer_put_slice(&buffer, (Slice){ cell->text, strlen(cell->text) });
        }
        if (buffer.error < 0)
                return buffer.error;
        request_body(row->session->options.kind->name, buffer_slice(&buffer), ret);
        return 0;
}

/* 1: the row was taken before, 0, negative errno. */
static int was_taken(ImportRow *row, char token[static REQUEST_TOKEN_SIZE],
                     char body[static REQUEST_TOKEN_SIZE]) {
        Request answer;
        int r = digest_row(row, body);

        if (r < 0)
                return r;
        request_token(row->actor.name, body, token);
        r = request_find(row->session->options.store, token, body, &answer, &row->refusal);
        if (r == -ENOENT)
                return 0;
        if (r == 0)
                record_done(&request_type, &answer);
        return r < 0 ? r : 1;
}

static int stage_move(ImportRow *row, Change *change, const Transition *transition, uint64_t id,
                      char *token, char *body) {
        const ImportOptions *options = &row->session->options;
        Request answer = { .token = token, .body = body, .at = row->now };
        Head head = {};
        int r = engine_move(row->engine, change, options->kind, transition, id, &row->call, &head,
                            &row->refusal);

        if (r == 0 && token) {
                answer.id = head.id;
                answer.revision = head.revision;
                r = request_put(change, &answer,
                                engine_policy(row->engine)->request_keep * USEC_PER_SEC);
        }
        record_done(&head_type, &head);
        return r;
}

static int move_case(ImportRow *row, const Transition *transition, ImportOutcome *ret) {
        const ImportOptions *options = &row->session->options;
        char token[REQUEST_TOKEN_SIZE], body[REQUEST_TOKEN_SIZE];
        Change *change = NULL;
        uint64_t id = 0;
        int r;

        r = check_permission(row, transition->permission);
        if (r == 0)
                r = find_case(row, &id);
        if (r != 0)
                return r;
        r = row->at ? is_known(row, id) : was_taken(row, token, body);
        if (r != 0) {
                *ret = IMPORT_UNCHANGED;
                return MIN(r, 0);
        }
        r = row->at && !options->escalates ? is_taken_over(row, id) : 0;
        if (r < 0)
                return r;
        row->call.quiet = r > 0;
        r = 0;
        if (row->settle)
                r = engine_settle(row->engine, options->store, options->kind->number, id,
                                  &row->call);
        if (r == 0)
                r = change_begin(options->store, &change);
        if (r != 0)
                return r;
        r = stage_move(row, change, transition, id, row->at ? NULL : token, body);
        if (r == 0)
                r = import_apply(row, change, transition->name);
        else
                change_drop(change);
        *ret = IMPORT_MOVED;
        return r;
}

int import_case(ImportRow *row, ImportOutcome *ret) {
        const Kind *kind = row->session->options.kind;
        const Transition *transition;

        if (!row->verb)
                row->verb = "create";
        if (STREQ(row->verb, "create"))
                return create_case(row, ret);
        transition = kind_transition(kind, row->verb);
        if (!transition || transition->internal)
                return refuse(&row->refusal, REFUSED_INVALID_VALUE,
                              "verb: %.64s is none of a %s: write create, or a transition such as "
                              "%s",
                              row->verb, kind->name, kind->transitions[0].name);
        return move_case(row, transition, ret);
}
