/* SPDX-License-Identifier: Apache-2.0 */

#include "loop/register.h"

#include <errno.h>
#include <inttypes.h>

#include "base/text.h"
#include "loop/history.h"

void entry_key(const void *record, Key *key) {
        key_u64(key, ((const Entry *)record)->id);
}

void entry_keys_reference(const void *record, Keys *keys) {
        const Entry *entry = record;

        if (entry->reference)
                key_text(keys_add(keys), entry->reference);
}

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

static int finish(const Register *reg, Change *change, const RegisterStep *step,
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
        r = reg->check ? reg->check(step) : 0;
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
        RegisterStep step = { .engine = engine,
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
        RegisterStep step = { .engine = engine,
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

/* ---- entries ---- */

int register_enter(const Register *reg, Change *change, void *entry) {
        int r = change_number(change, reg->table, &((Entry *)entry)->id);

        return r < 0 ? r : change_put(change, reg->table, entry);
}

/* That of the reference, if it is in use. 0, -ENOENT, negative errno. */
static int find_entry(const Register *reg, Store *store, const char *reference, uint64_t *ret) {
        Key prefix = {}, position = {}, key;
        int r;

        if (!reference || !reg->references)
                return -ENOENT;
        key_text(&prefix, reference);
        r = store_index_next(store, reg->references, &prefix, &position, &key);
        if (r == 0)
                *ret = load_be64(key.bytes);
        return r;
}

static int check_seen(const Register *reg, Change *change, uint64_t id, const Actor *actor,
                      Refusal *refusal) {
        _cleanup_free_ Entry *entry = calloc(1, reg->table->type->size);
        Key key = key_of_id(id);
        int r = entry ? change_get(change, reg->table, &key, entry) : -ENOMEM;

        if (r < 0)
                return r;
        if (!register_shows(reg, actor, entry))
                r = refuse(refusal, REFUSED_SCOPE,
                           "the reference is in use by a %s outside of your scope", reg->name);
        record_done(reg->table->type, entry);
        return r;
}

static int check_at(const Call *call, Refusal *refusal) {
        char text[TIME_TEXT_SIZE];

        if (call->at <= call->now)
                return 0;
        return refuse(refusal, REFUSED_INVALID_VALUE, "at: lies in the future; now it is %s",
                      time_format(call->now, text));
}

static int make_entry(const Register *reg, Change *change, const RegisterStep *step) {
        const Call *call = step->call;
        Entry *entry = step->record;
        int r = record_merge(reg->table->type, entry, call->fields, &call->given);

        entry->at = call->at ? call->at : call->now;
        if (r == 0)
                r = text_set(&entry->actor, call->actor->name);
        if (r == 0)
                r = text_set(&entry->note, call->note);
        if (r == 0)
                r = reg->check ? reg->check(step) : 0;
        if (r == 0)
                r = register_enter(reg, change, entry);
        return r == 0 && reg->made ? reg->made(step, change) : r;
}

int register_add(const Register *reg, const Engine *engine, Change *change, const Call *call,
                 uint64_t *ret_id, bool *ret_created, Refusal *refusal) {
        const Entry *fields = call->fields;
        _cleanup_free_ Entry *entry = calloc(1, reg->table->type->size);
        RegisterStep step = { .engine = engine,
                              .store = change_store(change),
                              .record = entry,
                              .call = call,
                              .refusal = refusal };
        int r;

        if (!entry)
                return -ENOMEM;
        r = reg->made_by ? refuse(refusal, REFUSED_RULE, "%s", reg->made_by)
                         : check_given(reg, call, FIELD_SETTABLE, "create", refusal);
        if (r == 0)
                r = check_at(call, refusal);
        if (r != 0)
                return r;
        r = find_entry(reg, change_store(change), fields->reference, ret_id);
        *ret_created = r == -ENOENT;
        if (r != -ENOENT)
                return r == 0 ? check_seen(reg, change, *ret_id, call->actor, refusal) : r;
        r = store_check_reserve(change_store(change), refusal);
        if (r == 0)
                r = make_entry(reg, change, &step);
        if (r == 0)
                *ret_id = entry->id;
        record_done(reg->table->type, entry);
        return r;
}
