/* SPDX-License-Identifier: Apache-2.0 */

/* The only way into the store. A change is staged in memory, so that a call refused half-way leaves
 * nothing behind; store/apply.c then writes it with its indices and tallies, and store/commit.c
 * makes it durable. */

#include <errno.h>
#include <string.h>

#include "record/codec.h"
#include "store/internal.h"

/* ---- staging ---- */

int change_begin(Store *store, Change **ret) {
        Change *change = &store->change;
        int r;

        assert(!change->open);
        r = store_begin_batch(store);
        if (r < 0)
                return r;
        change->store = store;
        change->n_staged = 0;
        buffer_reset(&change->values);
        memset(change->numbers, 0, sizeof(change->numbers));
        change->open = true;
        *ret = change;
        return 0;
}

Store *change_store(Change *change) {
        return change->store;
}

static Staged *find_staged(Change *change, const Table *table, const Key *key) {
        for (size_t i = 0; i < change->n_staged; i++) {
                Staged *staged = &change->staged[i];

                if (staged->table == table && staged->key.size == key->size &&
                    memcmp(staged->key.bytes, key->bytes, key->size) == 0)
                        return staged;
        }
        return NULL;
}

static Staged *stage(Change *change, const Table *table, const Key *key) {
        Staged *staged = find_staged(change, table, key);

        if (staged)
                return staged;
        if (change->n_staged == change->allocated) {
                size_t want = change->allocated ? change->allocated * 2 : 16;
                Staged *grown = reallocarray(change->staged, want, sizeof(*grown));

                if (!grown)
                        return NULL;
                change->staged = grown;
                change->allocated = want;
        }
        staged = &change->staged[change->n_staged++];
        *staged = (Staged){ .table = table, .key = *key };
        return staged;
}

static Slice staged_value(const Change *change, const Staged *staged) {
        return staged->size > 0 ? (Slice){ change->values.data + staged->from, staged->size }
                                : (Slice){};
}

int change_get(Change *change, const Table *table, const Key *key, void *record) {
        const Staged *staged = find_staged(change, table, key);

        if (!staged)
                return store_get(change->store, table, key, record);
        if (staged->size == 0)
                return -ENOENT;
        return record_decode(table->type, staged_value(change, staged), record);
}

int change_put(Change *change, const Table *table, const void *record) {
        size_t from = change->values.size;
        Staged *staged;
        Key key = {};
        int r;

        assert(!table->fault || !table->fault(record));
        table->key(record, &key);
        r = record_encode(table->type, record, &change->values);
        if (r < 0)
                return r;
        staged = stage(change, table, &key);
        if (!staged)
                return -ENOMEM;
        staged->from = from;
        staged->size = change->values.size - from;
        return 0;
}

int change_remove(Change *change, const Table *table, const Key *key) {
        Staged *staged = stage(change, table, key);

        if (!staged)
                return -ENOMEM;
        staged->size = 0;
        return 0;
}

int change_number(Change *change, const Table *table, uint64_t *ret) {
        Store *store = change->store;
        unsigned i = table_position(store, table);
        uint64_t number = store->now.next[i] + change->numbers[i];

        assert(table->numbered);
        if (number >> ID_SITE_SHIFT)
                return -EOVERFLOW;
        change->numbers[i]++;
        *ret = (uint64_t)store->site << ID_SITE_SHIFT | number;
        return 0;
}

int change_tally(Change *change, const Index *tally, const Key *key, int64_t *ret) {
        int r = store_tally(change->store, tally, key, ret);

        for (size_t i = 0; r == 0 && i < change->n_staged; i++) {
                const Staged *staged = &change->staged[i];
                int64_t more = 0;

                if (!table_has_tally(staged->table, tally))
                        continue;
                r = apply_tally_change(change->store, staged->table, &staged->key,
                                       staged_value(change, staged), tally, key, &more);
                *ret += more;
        }
        return r;
}

bool change_is_empty(const Change *change) {
        return change->n_staged == 0;
}

void change_drop(Change *change) {
        if (change)
                change->open = false;
}

/* ---- applying ---- */

static uint64_t next_sequence(const StoreHead *head) {
        return sequence_epoch(head->sequence) == head->epoch ? head->sequence + 1
                                                             : sequence_first(head->epoch);
}

static int append_journal(Store *store, const Origin *origin) {
        JournalRecord record = {
                .site = store->site,
                .epoch = store->now.head.epoch,
                .sequence = next_sequence(&store->now.head),
                .time = origin->time,
                .policy = { origin->policy, 8 },
                .actor = { origin->actor, strlen(origin->actor) },
                .verb = { origin->verb, strlen(origin->verb) },
                .request_id = { origin->request_id,
                                origin->request_id ? strlen(origin->request_id) : 0 },
                .effects = buffer_slice(&store->effects),
        };

        buffer_reset(&store->journal);
        journal_encode(&store->journal, &record, &store->now.head.hash);
        if (store->journal.error < 0)
                return store->journal.error;
        return store_put_journal(store, &record, buffer_slice(&store->journal));
}

static int build_effects(Change *change) {
        Buffer *effects = &change->store->effects;

        buffer_reset(effects);
        for (size_t i = 0; i < change->n_staged; i++) {
                const Staged *staged = &change->staged[i];

                buffer_put_u8(effects, staged->table->number);
                buffer_put_slice(effects, key_slice(&staged->key));
                buffer_put_slice(effects, staged_value(change, staged));
        }
        return effects->error < 0                   ? effects->error
               : effects->size > JOURNAL_RECORD_MAX ? -E2BIG
                                                    : 0;
}

int change_apply(Change *change, const Origin *origin) {
        Store *store = change->store;
        int r;

        assert(change->open && change->n_staged > 0);
        change->open = false;
        r = build_effects(change);
        if (r < 0)
                return r;
        if (store->batch_error < 0)
                return store->batch_error;
        r = apply_plan(store, buffer_slice(&store->effects));
        if (r < 0) {
                /* Only looked at so far: what is damaged, or no memory, concerns this change alone.
                 */
                store->batch_error = r == -EBADMSG || r == -ENOMEM ? 0 : r;
                return r;
        }
        r = apply_write(store);
        if (r == 0)
                r = append_journal(store, origin);
        store->batch_error = r;
        return r;
}
