/* SPDX-License-Identifier: Apache-2.0 */

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "record/codec.h"
#include "store/internal.h"

unsigned table_position(const Store *store, const Table *table) {
        for (unsigned i = 0; i < store->n_tables; i++)
                if (store->tables[i] == table)
                        return i;
        assert(false);
        return 0;
}

unsigned table_db(const Store *store, const Table *table) {
        return DB_FIRST_TABLE + table_position(store, table);
}

unsigned index_db(const Store *store, const Index *index) {
        for (unsigned i = 0; i < store->n_indices; i++)
                if (store->indices[i] == index)
                        return DB_FIRST_TABLE + store->n_tables + i;
        assert(false);
        return 0;
}

const Table *table_by_number(const Store *store, uint8_t number) {
        for (unsigned i = 0; i < store->n_tables; i++)
                if (store->tables[i]->number == number)
                        return store->tables[i];
        return NULL;
}

void tally_key(const Index *tally, const Key *key, Key *ret) {
        *ret = (Key){};
        key_text(ret, tally->name);
        key_bytes(ret, key->bytes, key->size);
}

void index_entry_key(const Key *index_key, const Key *record_key, Key *ret) {
        *ret = *index_key;
        key_bytes(ret, record_key->bytes, record_key->size);
}

/* ---- reading ---- */

int store_begin_view(Store *store) {
        int r;

        if (store->dead)
                return -EIO;
        if (store->mode == STORE_WRITING) /* a spoiled one reads nothing any more */
                return store->batch_error;
        if (store->mode == STORE_READING)
                return 0;
        r = store->kv->ops->begin(store->kv, false);
        if (r == 0)
                store->mode = STORE_READING;
        store->dead = store->dead || r == -EIO;
        return r;
}

void store_release(Store *store) {
        if (store->mode != STORE_READING)
                return;
        store->kv->ops->end(store->kv);
        store->mode = STORE_IDLE;
}

static int get_slice(Store *store, const Table *table, const Key *key, Slice *ret) {
        int r = store_begin_view(store);

        return r < 0 ? r
                     : store->kv->ops->get(store->kv, table_db(store, table), key_slice(key), ret);
}

/* Where the key of a record is damaged, it stands at the place of another, perhaps as it was long
 * ago: what has happened to it since went past it. */
static int decode_at(Store *store, const Table *table, Slice key, Slice value, void *record) {
        int r = record_decode(table->type, value, record);
        const char *what = "its bytes are not intact";
        Key own = {};

        if (r == 0)
                table->key(record, &own);
        if (r == 0 && slice_compare(key_slice(&own), key) != 0) {
                record_done(table->type, record);
                what = "another stands at its place";
                r = -EBADMSG;
        }
        if (r == -EBADMSG)
                store_note_damage(store, table->name, key, what);
        return r;
}

int store_get(Store *store, const Table *table, const Key *key, void *record) {
        Slice value;
        int r = get_slice(store, table, key, &value);

        return r < 0 ? r : decode_at(store, table, key_slice(key), value, record);
}

bool store_has(Store *store, const Table *table, const Key *key) {
        Slice value;

        return get_slice(store, table, key, &value) == 0;
}

/* The entry after *position; what has a key that is too long to be ours is damaged order. */
static int next_entry(Store *store, unsigned db, const Key *position, const Key *from,
                      Slice *ret_key, Slice *ret_value) {
        int r = store_begin_view(store);

        if (r == 0)
                r = store->kv->ops->seek(store->kv, db, position->size > 0 ? KV_AFTER : KV_FROM,
                                         key_slice(from), ret_key, ret_value);
        return r == 0 && ret_key->size > KEY_MAX ? -EBADMSG : r;
}

int store_next(Store *store, const Table *table, Key *position, void *record) {
        Key at = *position;

        for (;;) {
                Slice key = {}, value = {};
                int r = next_entry(store, table_db(store, table), &at, &at, &key, &value);

                if (r < 0)
                        return r;
                at = key_from(key);
                r = decode_at(store, table, key, value, record);
                if (r == -EBADMSG)
                        continue;
                if (r == 0)
                        *position = at;
                return r;
        }
}

int store_index_next(Store *store, const Index *index, const Key *prefix, Key *position,
                     Key *ret_record) {
        Key at = *position;

        for (;;) {
                const Key *from = at.size > 0 ? &at : prefix;
                Slice key = {}, value = {};
                uint8_t size;
                int r = next_entry(store, index_db(store, index), &at, from, &key, &value);

                if (r < 0)
                        return r;
                if (!slice_begins(key, key_slice(prefix)))
                        return -ENOENT;
                at = key_from(key);
                size = value.size == 1 ? *(const uint8_t *)value.data : 0;
                if (size == 0 || size > key.size) {
                        /* Without its key, which may be somebody's phone number. */
                        store_note_damage(store, index->name, (Slice){}, "an entry of this index");
                        continue;
                }
                *position = at;
                *ret_record =
                        key_from((Slice){ (const uint8_t *)key.data + key.size - size, size });
                return 0;
        }
}

int store_tally(Store *store, const Index *tally, const Key *key, int64_t *ret) {
        Slice value;
        Key full;
        int r = store_begin_view(store);

        tally_key(tally, key, &full);
        if (r == 0)
                r = store->kv->ops->get(store->kv, DB_TALLY, key_slice(&full), &value);
        if (r < 0 && r != -ENOENT)
                return r;
        if (r == 0 && value.size != 8)
                return -EBADMSG;
        *ret = r == 0 ? (int64_t)load_be64(value.data) : 0;
        return 0;
}

int store_tally_next(Store *store, const Index *tally, const Key *prefix, Key *position,
                     int64_t *ret) {
        Key of_tally = {}, from, at;
        Slice key = {}, value = {};
        int r = store_begin_view(store);

        tally_key(tally, &(const Key){}, &of_tally);
        tally_key(tally, prefix, &from);
        tally_key(tally, position, &at);
        if (r == 0)
                r = store->kv->ops->seek(store->kv, DB_TALLY,
                                         position->size > 0 ? KV_AFTER : KV_FROM,
                                         key_slice(position->size > 0 ? &at : &from), &key, &value);
        if (r < 0)
                return r;
        if (!slice_begins(key, key_slice(&from)))
                return -ENOENT;
        if (value.size != 8)
                return -EBADMSG;
        *position = key_from(
                (Slice){ (const uint8_t *)key.data + of_tally.size, key.size - of_tally.size });
        *ret = (int64_t)load_be64(value.data);
        return 0;
}

int store_count(Store *store, const Table *table, uint64_t *ret) {
        int r = store_begin_view(store);

        return r < 0 ? r : store->kv->ops->count(store->kv, table_db(store, table), ret);
}

int store_journal_get_raw(Store *store, uint64_t sequence, Slice *ret) {
        Key key = key_of_id(sequence);
        int r = store_begin_view(store);

        return r < 0 ? r : store->kv->ops->get(store->kv, DB_JOURNAL, key_slice(&key), ret);
}

int store_journal_get(Store *store, uint64_t sequence, JournalRecord *ret) {
        Slice value;
        int r = store_journal_get_raw(store, sequence, &value);

        return r < 0 ? r : journal_decode(value, ret);
}

/* Where the order of the keys is damaged: the next number, or what is behind it is lost. */
static int journal_grope(Store *store, uint64_t *sequence, JournalRecord *ret) {
        int r;

        if (*sequence >= store->now.head.sequence)
                return -ENOENT;
        r = store_journal_get(store, *sequence + 1, ret);
        if (r < 0 && r != -ENOENT && r != -EBADMSG)
                return r;
        *sequence = r == -ENOENT ? store->now.head.sequence : *sequence + 1;
        return r == -ENOENT ? -EBADMSG : r;
}

int store_journal_next(Store *store, uint64_t *sequence, JournalRecord *ret) {
        Key key = key_of_id(*sequence);
        Slice at = {}, value = {};
        int r = store_begin_view(store);

        if (r == 0)
                r = store->kv->ops->seek(store->kv, DB_JOURNAL, KV_AFTER, key_slice(&key), &at,
                                         &value);
        if (r == -EBADMSG || (r == 0 && at.size != sizeof(uint64_t)))
                return journal_grope(store, sequence, ret);
        if (r < 0)
                return r;
        *sequence = load_be64(at.data);
        return journal_decode(value, ret);
}

bool store_journal_proves(Store *store, uint64_t sequence, const JournalRecord *record) {
        static const Digest none;
        const Digest *chain = sequence == 1 ? &none : NULL;
        Key key = key_of_id(sequence);
        Slice before_key, stored;
        JournalRecord before;

        if (record->sequence != sequence || record->epoch != sequence_epoch(sequence))
                return false;
        if (store->kv->ops->seek(store->kv, DB_JOURNAL, KV_BEFORE, key_slice(&key), &before_key,
                                 &stored) == 0 &&
            journal_decode(stored, &before) == 0 && sequence_follows(sequence, before.sequence))
                chain = &before.hash;
        return journal_is_intact(record, chain);
}

/* ---- what the store knows of itself ---- */

bool store_is_dead(const Store *store) {
        return store->dead;
}

const StoreHead *store_head(const Store *store) {
        return &store->now.head;
}

uint32_t store_schema(const Store *store) {
        return store->schema;
}

uint16_t store_site(const Store *store) {
        return store->site;
}

int store_stats(Store *store, KvStats *ret) {
        return store->kv->ops->stats(store->kv, ret);
}

void store_set_journal_keep(Store *store, int64_t keep) {
        store->journal_keep = keep;
}

KvRoom store_room(Store *store) {
        return store->kv->ops->room ? store->kv->ops->room(store->kv) : KV_ROOM_ENOUGH;
}

int store_check_reserve(Store *store, Refusal *refusal) {
        if (store_room(store) != KV_ROOM_RESERVE)
                return 0;
        return refuse(refusal, REFUSED_STORAGE_FULL,
                      "there is hardly any room left, and that is kept for what was taken in "
                      "already; nothing was changed: free disk space or raise store.map_size, then "
                      "call again");
}

void store_note_time(Store *store, int64_t now) {
        store->now.head.time_seen = now;
}

int64_t store_credible_time(const Store *store, int64_t now) {
        return store->now.head.time_seen ? MIN(now, store->now.head.time_seen) : now;
}

void store_note_published(Store *store, uint64_t sequence) {
        store->now.head.published = sequence;
}

/* ---- a batch that must not be ---- */

void store_spoil(Store *store, int error) {
        if (store->mode == STORE_WRITING && store->batch_error == 0)
                store->batch_error = error;
}
