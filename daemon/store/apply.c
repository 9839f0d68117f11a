/* SPDX-License-Identifier: Apache-2.0 */

/* The one place where records, their indices and their tallies are written, for a live change and
 * for a replayed one alike. Many changes share a transaction, in which nothing can be taken back:
 * so a change is worked out first, and refused alone if the store is not as it should be for it. */

#include <errno.h>
#include <string.h>

#include "record/codec.h"
#include "store/internal.h"
#include "store/journal.h"

/* The greatest record struct of any table must fit. */
typedef union RecordSpace {
        max_align_t align;
        uint8_t bytes[2048];
} RecordSpace;

/* ---- working out ---- */

/* The position of a key, or the number of keys. */
static size_t keys_find(const Keys *keys, const Key *key) {
        size_t i = 0;

        while (i < keys->n && (keys->keys[i].size != key->size ||
                               memcmp(keys->keys[i].bytes, key->bytes, key->size) != 0))
                i++;
        return i;
}

static int64_t keys_amount(const Keys *keys, const Key *key) {
        size_t i = keys_find(keys, key);

        return i < keys->n ? keys->amounts[i] : 0;
}

static void keys_keep(Keys *keys, size_t i) {
        if (i != keys->n) {
                keys->keys[keys->n] = keys->keys[i];
                keys->amounts[keys->n] = keys->amounts[i];
        }
        keys->n++;
}

/* Leaves one of each. */
static void keys_unite(Keys *keys, bool sum) {
        size_t n = keys->n;

        keys->n = 0;
        for (size_t i = 0; i < n; i++) {
                size_t at = keys_find(keys, &keys->keys[i]);

                if (at == keys->n)
                        keys_keep(keys, i);
                else if (sum)
                        keys->amounts[at] += keys->amounts[i];
        }
}

static void keys_drop_nothing(Keys *keys) {
        size_t n = keys->n;

        keys->n = 0;
        for (size_t i = 0; i < n; i++)
                if (keys->amounts[i] != 0)
                        keys_keep(keys, i);
}

void index_keys(const Table *table, const Index *index, uint32_t schema, const void *record,
                Keys *ret) {
        void (*keys)(const void *record, Keys *keys) = index->keys;

        for (const Former *former = table->former; former && former->index; former++)
                if (former->index == index && schema <= former->until)
                        keys = former->keys;
        ret->n = 0;
        keys(record, ret);
        keys_unite(ret, index->sum);
        if (index->sum)
                keys_drop_nothing(ret);
}

static int plan_add(Plan *plan, const Write *write) {
        if (plan->n == plan->allocated) {
                size_t want = plan->allocated ? plan->allocated * 2 : 64;
                Write *grown = reallocarray(plan->writes, want, sizeof(*grown));

                if (!grown)
                        return -ENOMEM;
                plan->writes = grown;
                plan->allocated = want;
        }
        plan->writes[plan->n++] = *write;
        return 0;
}

/* One record of a change, while it is worked out. */
typedef struct Effect {
        Store *store;
        const Table *table;
        Key key;
        Slice value; /* empty: it is removed */
} Effect;

static int damaged(const Effect *effect, const char *what) {
        store_note_damage(effect->store, effect->table->name, key_slice(&effect->key), what);
        return -EBADMSG;
}

static int plan_index_entry(const Effect *effect, const Index *index, const Key *key,
                            int64_t amount) {
        bool present = amount > 0;
        Store *store = effect->store;
        Write write = { .what = present ? WRITE_PUT : WRITE_REMOVE, .db = index_db(store, index) };
        Slice value;
        int r = 0;

        index_entry_key(key, &effect->key, &write.key);
        if (present)
                write.key_size = (uint8_t)effect->key.size;
        else
                r = store->kv->ops->get(store->kv, write.db, key_slice(&write.key), &value);
        if (r == -ENOENT)
                return damaged(effect, "its entry in an index is missing");
        return r < 0 ? r : plan_add(&store->plan, &write);
}

/* Whether a tally has room for it. */
static bool tally_takes(bool sum, int64_t has, int64_t amount, int64_t *ret) {
        return !__builtin_add_overflow(has, amount, ret) && (sum || *ret >= 0);
}

static int plan_tally(const Effect *effect, const Index *tally, const Key *key, int64_t amount) {
        Store *store = effect->store;
        Write write = { .what = tally->sum ? WRITE_SUM : WRITE_COUNT,
                        .db = DB_TALLY,
                        .amount = amount };
        int64_t has;
        int r = store_tally(store, tally, key, &has);

        tally_key(tally, key, &write.key);
        if (r == -EBADMSG || (r == 0 && !tally_takes(tally->sum, has, amount, &has)))
                return damaged(effect, "a tally that counts it");
        return r < 0 ? r : plan_add(&store->plan, &write);
}

/* What there is under the key becomes more by the amount, or less. */
typedef int (*PlanKey)(const Effect *effect, const Index *index, const Key *key, int64_t amount);

/* From the keys_before of the store to its keys_after. */
static int plan_difference(const Effect *effect, const Index *index, PlanKey plan) {
        const Keys *old = &effect->store->keys_before, *new = &effect->store->keys_after;
        int r = 0;

        for (size_t i = 0; r == 0 && i < old->n; i++) {
                int64_t more = keys_amount(new, &old->keys[i]) - old->amounts[i];

                r = more != 0 ? plan(effect, index, &old->keys[i], more) : 0;
        }
        for (size_t i = 0; r == 0 && i < new->n; i++)
                if (keys_find(old, &new->keys[i]) == old->n)
                        r = plan(effect, index, &new->keys[i], new->amounts[i]);
        return r;
}

/* The difference between the keys that the record had and those that it has now. */
static int plan_keys(const Effect *effect, const Index *index, PlanKey plan, const void *before,
                     const void *after) {
        Store *store = effect->store;

        store->keys_before.n = store->keys_after.n = 0;
        if (before)
                index_keys(effect->table, index, store->schema, before, &store->keys_before);
        if (after)
                index_keys(effect->table, index, store->schema, after, &store->keys_after);
        return plan_difference(effect, index, plan);
}

static int plan_derived(const Effect *effect, const void *before, const void *after) {
        int r = 0;

        for (const Index *const *i = effect->table->indices; r == 0 && i && *i; i++)
                r = plan_keys(effect, *i, plan_index_entry, before, after);
        for (const Index *const *i = effect->table->tallies; r == 0 && i && *i; i++)
                r = plan_keys(effect, *i, plan_tally, before, after);
        return r;
}

static int decode_pair(const Effect *effect, RecordSpace *before, bool *ret_had,
                       RecordSpace *after) {
        int r = store_get(effect->store, effect->table, &effect->key, before);

        if (r < 0 && r != -ENOENT)
                return r;
        *ret_had = r == 0;
        memset(after, 0, effect->table->type->size);
        if (effect->value.size == 0)
                return 0;
        r = record_decode(effect->table->type, effect->value, after);
        if (r < 0 && *ret_had)
                record_done(effect->table->type, before);
        return r;
}

static int64_t amount_of(const Effect *effect, const Index *tally, const Key *key,
                         const void *record) {
        Keys *keys = &effect->store->keys_before;

        index_keys(effect->table, tally, effect->store->schema, record, keys);
        return keys_amount(keys, key);
}

int apply_tally_change(Store *store, const Table *table, const Key *record_key, Slice value,
                       const Index *tally, const Key *key, int64_t *ret) {
        Effect effect = { store, table, *record_key, value };
        RecordSpace before, after;
        bool had;
        int r = decode_pair(&effect, &before, &had, &after);

        if (r < 0)
                return r;
        *ret = (value.size > 0 ? amount_of(&effect, tally, key, &after) : 0) -
               (had ? amount_of(&effect, tally, key, &before) : 0);
        if (had)
                record_done(table->type, &before);
        record_done(table->type, &after);
        return 0;
}

static int plan_effect(const Effect *effect) {
        const RecordType *type = effect->table->type;
        Write write = { .db = table_db(effect->store, effect->table),
                        .key = effect->key,
                        .value = effect->value };
        RecordSpace before, after;
        bool had;
        int r;

        assert(type->size <= sizeof(RecordSpace));
        r = decode_pair(effect, &before, &had, &after);
        if (r < 0)
                return r;
        r = plan_derived(effect, had ? &before : NULL, effect->value.size > 0 ? &after : NULL);
        write.what = effect->value.size > 0 ? WRITE_PUT : had ? WRITE_REMOVE : WRITE_NOTHING;
        if (r == 0)
                r = plan_add(&effect->store->plan, &write);
        if (had)
                record_done(type, &before);
        record_done(type, &after);
        return r;
}

int apply_plan(Store *store, Slice effects) {
        Cursor cursor = cursor_over(effects);
        JournalEffect next;
        int r;

        store->plan.n = 0;
        while ((r = journal_next_effect(&cursor, &next)) == 0) {
                Effect effect = { store, table_by_number(store, next.table), key_from(next.key),
                                  next.value };

                if (!effect.table)
                        continue; /* of a newer program: kept in the journal, of no use here */
                r = plan_effect(&effect);
                if (r < 0)
                        return r;
        }
        return r == -ENOENT ? 0 : r;
}

bool table_has_tally(const Table *table, const Index *index) {
        for (const Index *const *i = table->tallies; i && *i; i++)
                if (*i == index)
                        return true;
        return false;
}

/* ---- writing ---- */

static int write_tally(Store *store, const Write *write) {
        const KvOps *ops = store->kv->ops;
        int64_t has = 0;
        uint8_t bytes[8];
        Slice value, key = key_slice(&write->key);
        int r = ops->get(store->kv, DB_TALLY, key, &value);

        if (r == 0)
                has = (int64_t)load_be64(value.data);
        else if (r != -ENOENT)
                return r;
        if (!tally_takes(write->what == WRITE_SUM, has, write->amount, &has))
                return -EBADMSG; /* counted down twice by one change */
        if (has == 0)
                return r == -ENOENT ? 0 : ops->remove(store->kv, DB_TALLY, key);
        store_be64(bytes, (uint64_t)has);
        return ops->put(store->kv, DB_TALLY, key, (Slice){ bytes, 8 });
}

/* A number that was taken is never given out again. */
static void note_number(Store *store, unsigned db, const Key *key) {
        unsigned i = db - DB_FIRST_TABLE;
        uint64_t id;

        if (i >= store->n_tables || !store->tables[i]->numbered || key->size != 8)
                return;
        id = load_be64(key->bytes);
        if (id_site(id) == store->site && id_number(id) >= store->now.next[i])
                store->now.next[i] = id_number(id) + 1;
}

static int write_one(Store *store, const Write *write) {
        const KvOps *ops = store->kv->ops;
        Slice key = key_slice(&write->key),
              value = write->key_size > 0 ? (Slice){ &write->key_size, 1 } : write->value;

        note_number(store, write->db, &write->key);
        switch (write->what) {
        case WRITE_PUT:
                return ops->put(store->kv, write->db, key, value);
        case WRITE_REMOVE:
                return ops->remove(store->kv, write->db, key);
        case WRITE_COUNT:
        case WRITE_SUM:
                return write_tally(store, write);
        case WRITE_NOTHING:
                break;
        }
        return 0;
}

int apply_write(Store *store) {
        int r = 0;

        for (size_t i = 0; r == 0 && i < store->plan.n; i++)
                r = write_one(store, &store->plan.writes[i]);
        return r;
}

int apply_rederived(Store *store, const Table *table, const Index *index, const Key *key,
                    const void *record) {
        Effect effect = { .store = store, .table = table, .key = *key };
        int r;

        store->plan.n = 0;
        index_keys(table, index, store->schema, record, &store->keys_before);
        index_keys(table, index, store->schema + 1, record, &store->keys_after);
        r = plan_difference(&effect, index,
                            table_has_tally(table, index) ? plan_tally : plan_index_entry);
        return r == 0 ? apply_write(store) : r;
}
