/* SPDX-License-Identifier: Apache-2.0 */

/* The only way into the store. A change is staged in memory, so that a call refused half-way leaves
 * nothing behind; store/apply.c then writes it with its indices and tallies. */

#include <errno.h>
#include <string.h>

#include "record/codec.h"
#include "store/internal.h"

/* For each change committed, so many journal records past their time are removed: the journal
 * shrinks faster than it grows, and no commit takes long. */
#define PRUNE_PER_CHANGE 2

/* ---- staging ---- */

static int begin_batch(Store *store) {
        int r;

        if (store->mode == STORE_WRITING)
                return 0;
        store_release(store);
        r = store->kv->ops->begin(store->kv, true);
        store->dead = store->dead || r == -EIO;
        if (r < 0)
                return r;
        store->mode = STORE_WRITING;
        store->batch_changes = store->batch_bytes = 0;
        store->batch_error = 0;
        store->head_before = store->head;
        memcpy(store->next_before, store->next, sizeof(store->next));
        return 0;
}

int change_begin(Store *store, Change **ret) {
        Change *change = &store->change;
        int r;

        assert(!change->open);
        r = begin_batch(store);
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
        uint64_t number = store->next[i] + change->numbers[i];

        assert(table->numbered);
        if (number >> ID_SITE_SHIFT)
                return -EOVERFLOW;
        change->numbers[i]++;
        *ret = (uint64_t)store->site << ID_SITE_SHIFT | number;
        return 0;
}

bool change_is_empty(const Change *change) {
        return change->n_staged == 0;
}

void change_drop(Change *change) {
        if (change)
                change->open = false;
}

/* ---- applying ---- */

static int put_journal(Store *store, uint64_t sequence, Slice stored) {
        Key key = key_of_id(sequence);

        return store->kv->ops->put(store->kv, DB_JOURNAL, key_slice(&key), stored);
}

static uint64_t next_sequence(const StoreHead *head) {
        return sequence_epoch(head->sequence) == head->epoch ? head->sequence + 1
                                                             : sequence_first(head->epoch);
}

/* The record is written: it is the newest now. */
static void note_record(Store *store, const JournalRecord *record, size_t size) {
        StoreHead *head = &store->head;

        if (head->first > head->sequence)
                head->first = record->sequence; /* the only one */
        head->sequence = record->sequence;
        head->hash = record->hash;
        head->epoch = record->epoch;
        head->time = record->time;
        store->batch_changes++;
        store->batch_bytes += size;
}

static int append_journal(Store *store, const Origin *origin) {
        JournalRecord record = {
                .site = store->site,
                .epoch = store->head.epoch,
                .sequence = next_sequence(&store->head),
                .time = origin->time,
                .policy = { origin->policy, 8 },
                .actor = { origin->actor, strlen(origin->actor) },
                .verb = { origin->verb, strlen(origin->verb) },
                .request_id = { origin->request_id,
                                origin->request_id ? strlen(origin->request_id) : 0 },
                .effects = buffer_slice(&store->effects),
        };
        int r;

        buffer_reset(&store->journal);
        journal_encode(&store->journal, &record, &store->head.hash);
        if (store->journal.error < 0)
                return store->journal.error;
        r = put_journal(store, record.sequence, buffer_slice(&store->journal));
        if (r < 0)
                return r;
        note_record(store, &record, store->journal.size);
        return 0;
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

int store_replay(Store *store, Slice stored) {
        JournalRecord record;
        int r;

        r = journal_decode(stored, &record);
        if (r < 0)
                return r;
        if (!sequence_follows(record.sequence, store->head.sequence) ||
            record.epoch < store->head.epoch || record.epoch != sequence_epoch(record.sequence) ||
            !journal_is_intact(&record, &store->head.hash))
                return -EBADMSG;
        r = begin_batch(store);
        if (r == 0)
                r = store->batch_error;
        if (r < 0)
                return r;
        r = apply_plan(store, record.effects);
        if (r == 0)
                r = apply_write(store);
        if (r == 0)
                r = put_journal(store, record.sequence, stored);
        if (r == 0)
                note_record(store, &record, stored.size);
        store->batch_error = r;
        return r;
}

/* ---- committing ---- */

bool store_has_batch(const Store *store) {
        return store->mode == STORE_WRITING;
}

size_t store_batch_changes(const Store *store) {
        return store->batch_changes;
}

size_t store_batch_bytes(const Store *store) {
        return store->batch_bytes;
}

/* What is to be removed next, or 0. */
static int next_to_prune(Store *store, uint64_t *ret) {
        JournalRecord record;
        int r;

        *ret = 0;
        if (store->head.first >= store->head.sequence || store->head.first > store->head.published)
                return 0;
        r = store_journal_get(store, store->head.first, &record);
        if (r == -EBADMSG || r == -ENOENT)
                return 0; /* stays, for check to tell of it; that is no reason to stop */
        if (r == 0 &&
            record.time <= store_credible_time(store, store->head.time) - store->journal_keep)
                *ret = store->head.first;
        return r;
}

static int prune_journal(Store *store) {
        size_t budget = store->batch_changes * PRUNE_PER_CHANGE;

        while (budget-- > 0) {
                JournalRecord next;
                uint64_t oldest;
                Key key;
                int r = next_to_prune(store, &oldest);

                if (r < 0 || oldest == 0)
                        return r;
                key = key_of_id(oldest);
                r = store->kv->ops->remove(store->kv, DB_JOURNAL, key_slice(&key));
                if (r == 0)
                        r = store_journal_next(store, &oldest, &next);
                if (r < 0 && r != -EBADMSG && r != -ENOENT)
                        return r;
                store->head.first = r == -ENOENT ? store->head.sequence : oldest;
        }
        return 0;
}

/* Back to what was last committed, but for what only this process knows. */
static void restore_head(Store *store) {
        store->head_before.time_seen = store->head.time_seen;
        store->head_before.published = store->head.published;
        store->head = store->head_before;
        memcpy(store->next, store->next_before, sizeof(store->next));
}

void store_abort(Store *store) {
        assert(!store->change.open);
        if (store->mode != STORE_WRITING)
                return;
        store->kv->ops->end(store->kv);
        store->mode = STORE_IDLE;
        store->batch_changes = store->batch_bytes = 0;
        restore_head(store);
}

int store_commit(Store *store) {
        int r;

        assert(!store->change.open);
        if (store->mode != STORE_WRITING)
                return 0;
        if (store->batch_changes == 0 && store->batch_error == 0) {
                store_abort(store); /* every call of the batch was refused */
                return 0;
        }
        r = store->batch_error;
        if (r == 0)
                r = prune_journal(store);
        if (r == 0)
                r = store_save_head(store);
        if (r < 0) {
                store_abort(store);
                return r;
        }
        r = store->kv->ops->commit(store->kv);
        store->mode = STORE_IDLE;
        store->batch_changes = store->batch_bytes = 0;
        if (r == 0)
                return 0;
        restore_head(store);
        /* Whatever the reason: if it hit the page that makes a commit valid, LMDB is done for. */
        store_begin_view(store);
        store_release(store);
        return store->dead ? -EIO : r;
}

int store_flush(Store *store) {
        int r;

        assert(store->mode != STORE_WRITING);
        r = begin_batch(store);
        if (r < 0)
                return r;
        store->mode = STORE_IDLE;
        r = store_save_head(store);
        if (r == 0)
                return store->kv->ops->commit(store->kv);
        store->kv->ops->end(store->kv);
        return r;
}

int store_begin_epoch(Store *store, uint32_t above) {
        StoreHead before = store->head;
        uint32_t epoch = MAX(store->head.epoch, above);
        int r;

        if (epoch >= EPOCH_MAX)
                return -EOVERFLOW;
        store->head.epoch = epoch + 1;
        if (store->head.sequence == 0)
                store->head.first = sequence_first(epoch + 1);
        r = store_flush(store);
        if (r < 0)
                store->head = before;
        return r;
}
