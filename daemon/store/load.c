/* SPDX-License-Identifier: Apache-2.0 */

#include "store/load.h"

#include <errno.h>

#include "record/codec.h"
#include "store/internal.h"

#define LOADED_TOGETHER 4096 /* records in one transaction */

uint64_t store_next_number(const Store *store, const Table *table) {
        return store->now.next[table_position(store, table)];
}

void store_load_number(Store *store, const Table *table, uint64_t next) {
        store->now.next[table_position(store, table)] = next;
}

/* Past the journal: the log cannot carry it. */
static int count_one(Store *store, int r) {
        store->batch_error = r;
        if (r < 0)
                return r;
        store->batch.changes++;
        return store->batch.changes < LOADED_TOGETHER ? 0 : store_commit_whole(store);
}

static int build_effect(Store *store, const Table *table, const Key *key, const void *record) {
        _cleanup_(buffer_done) Buffer value = {};
        int r = record_encode(table->type, record, &value);

        if (r < 0)
                return r;
        buffer_reset(&store->effects);
        buffer_put_u8(&store->effects, table->number);
        buffer_put_slice(&store->effects, key_slice(key));
        buffer_put_slice(&store->effects, buffer_slice(&value));
        return store->effects.error;
}

int store_load_record(Store *store, const Table *table, const void *record) {
        Key key = {};
        int r = store_begin_batch(store);

        if (r < 0)
                return r;
        if (table->fault && table->fault(record))
                return -EBADMSG;
        table->key(record, &key);
        if (store_has(store, table, &key))
                return -EEXIST;
        r = build_effect(store, table, &key, record);
        if (r == 0)
                r = apply_plan(store, buffer_slice(&store->effects));
        if (r == 0)
                r = apply_write(store);
        return count_one(store, r);
}

int store_load_journal(Store *store, Slice stored) {
        JournalRecord record;
        Slice there;
        Key key;
        int r = journal_decode(stored, &record);

        if (r == 0)
                r = store_begin_batch(store);
        if (r < 0)
                return r;
        key = key_of_id(record.sequence);
        if (store->kv->ops->get(store->kv, DB_JOURNAL, key_slice(&key), &there) == 0)
                return -EEXIST;
        return count_one(store,
                         store->kv->ops->put(store->kv, DB_JOURNAL, key_slice(&key), stored));
}

int store_load_end(Store *store, const StoreHead *head) {
        int r = store_commit_whole(store);

        if (r < 0)
                return r;
        store->now.head = *head;
        return store_flush(store);
}
