/* SPDX-License-Identifier: Apache-2.0 */

#include "loop/register.h"

#include <errno.h>
#include <inttypes.h>

#include "loop/history.h"

void master_key(const void *record, Key *key) {
        const Master *master = record;

        key_bytes(key, master->code, strlen(master->code));
}

static int put_event(Change *change, const Register *reg, const Call *call, const Master *master,
                     const Master *before) {
        Event event = {
                .kind = HISTORY_KIND_OF_MASTER + reg->table->number,
                .code = master->code,
                .revision = master->revision,
                .at = call->now,
                .actor = (char *)call->actor->name,
                .verb = (char *)(before ? "update" : "create"),
                .note = (char *)call->note,
        };
        int r;

        r = history_add_changes(&event, reg->table->type, before, master, &call->given);
        if (r == 0)
                r = change_put(change, &history_table, &event);
        event.code = event.actor = event.verb = event.note = NULL; /* borrowed */
        record_done(&event_type, &event);
        return r;
}

static int check_given(const Register *reg, const Call *call, unsigned mark, const char *verb,
                       Refusal *refusal) {
        const RecordType *type = reg->table->type;

        for (size_t i = 0; i < type->n_fields; i++) {
                const Field *field = &type->fields[i];
                bool given = field_mask_has(&call->given, i);

                if (given && !(field->marks & mark))
                        return refuse(refusal, REFUSED_UNKNOWN_FIELD,
                                      "%s %s does not take the field %s", reg->name, verb,
                                      field->name);
                if (!given && mark == FIELD_SETTABLE && (field->marks & FIELD_REQUIRED))
                        return refuse(refusal, REFUSED_MISSING_FIELD,
                                      "%s %s needs the field %s (%s)", reg->name, verb, field->name,
                                      field->doc);
        }
        return 0;
}

static int finish(const Register *reg, Change *change, const MasterStep *step,
                  uint64_t *ret_revision) {
        const Master *before = step->before;
        const Call *call = step->call;
        Master *master = step->record;
        int r;

        r = record_merge(reg->table->type, master, call->fields, &call->given);
        if (r < 0)
                return r;
        master->revision++;
        master->changed_at = call->now;
        if (!before)
                master->created_at = call->now;
        r = reg->check(step);
        if (r != 0)
                return r;
        r = put_event(change, reg, call, master, before);
        if (r == 0)
                r = change_put(change, reg->table, master);
        if (r == 0)
                *ret_revision = master->revision;
        return r;
}

int register_create(const Register *reg, const Engine *engine, Change *change, const Call *call,
                    uint64_t *ret_revision, Refusal *refusal) {
        const Master *fields = call->fields;
        _cleanup_free_ Master *master = calloc(1, reg->table->type->size);
        MasterStep step = { .engine = engine,
                            .store = change_store(change),
                            .record = master,
                            .call = call,
                            .refusal = refusal };
        Key key;
        int r;

        if (!master)
                return -ENOMEM;
        r = check_given(reg, call, FIELD_SETTABLE, "create", refusal);
        if (r != 0)
                return r;
        key = key_of_code(fields->code);
        if (store_has(change_store(change), reg->table, &key))
                return refuse(refusal, REFUSED_EXISTS,
                              "there is a %s %s already: update it instead", reg->name,
                              fields->code);
        r = store_check_reserve(change_store(change), refusal);
        if (r == 0)
                r = finish(reg, change, &step, ret_revision);
        record_done(reg->table->type, master);
        return r;
}

int register_update(const Register *reg, const Engine *engine, Change *change, const char *code,
                    const Call *call, uint64_t *ret_revision, Refusal *refusal) {
        const RecordType *type = reg->table->type;
        _cleanup_free_ Master *before = calloc(1, type->size), *master = calloc(1, type->size);
        MasterStep step = { .engine = engine,
                            .store = change_store(change),
                            .record = master,
                            .before = before,
                            .call = call,
                            .refusal = refusal };
        Key key;
        int r;

        if (!before || !master)
                return -ENOMEM;
        r = check_given(reg, call, FIELD_UPDATABLE, "update", refusal);
        if (r != 0)
                return r;
        key = key_of_code(code);
        r = change_get(change, reg->table, &key, before);
        if (r == -ENOENT)
                return refuse(refusal, REFUSED_NOT_FOUND, "there is no %s %s", reg->name, code);
        if (r < 0)
                return r;
        if (call->revision && call->revision != before->revision)
                r = refuse(refusal, REFUSED_STALE,
                           "%s %s is at revision %" PRIu64 ", you have seen %" PRIu64
                           ": read it again and decide anew",
                           reg->name, code, before->revision, call->revision);
        else
                r = record_copy(type, master, before);
        if (r == 0) {
                r = finish(reg, change, &step, ret_revision);
                record_done(type, master);
        }
        record_done(type, before);
        return r;
}
