/* SPDX-License-Identifier: Apache-2.0 */

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "record/codec.h"
#include "store/internal.h"
#include "store/kv-overlay.h"

/* Database "meta":
 *
 *      "schema"     "aftersalesd" | version u32 | site u16
 *      "head"       sequence u64 | first u64 | hash 32 bytes | epoch u32 | time u64 | time seen u64
 * | published u64 | CRC-32C u32 of all before "next" | table u8     the next number to give out,
 * u64 */
static const char schema_magic[] = "aftersalesd";
static const char schema_key[] = "schema", head_key[] = "head", next_key[] = "next";

static Slice slice_of_text(const char *text) {
        return (Slice){ text, strlen(text) };
}

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

/* ---- head ---- */

static int get_number(Store *store, const Key *key, uint64_t *ret) {
        Slice value;
        int r = store->kv->ops->get(store->kv, DB_META, key_slice(key), &value);

        if (r < 0)
                return r;
        if (value.size != 8)
                return -EBADMSG;
        *ret = load_be64(value.data);
        return 0;
}

static Key key_of_next(const Table *table) {
        Key key = key_of_code(next_key);

        key_u8(&key, table->number);
        return key;
}

int store_load_head(Store *store) {
        StoreHead head = { .first = 1 };
        Slice value;
        Cursor cursor;
        const uint8_t *hash;
        int r;

        r = store->kv->ops->get(store->kv, DB_META, slice_of_text(head_key), &value);
        if (r < 0)
                return r == -ENOENT ? -EBADMSG : r;
        cursor = cursor_over(value);
        head.sequence = cursor_u64(&cursor);
        head.first = cursor_u64(&cursor);
        hash = cursor_take(&cursor, DIGEST_SIZE);
        head.epoch = cursor_u32(&cursor);
        head.time = (int64_t)cursor_u64(&cursor);
        head.time_seen = (int64_t)cursor_u64(&cursor);
        head.published = cursor_u64(&cursor);
        if (cursor.failed || cursor_u32(&cursor) != crc32c(0, value.data, value.size - 4))
                return -EBADMSG;
        memcpy(head.hash.bytes, hash, DIGEST_SIZE);
        for (unsigned i = 0; i < store->n_tables; i++) {
                Key key = key_of_next(store->tables[i]);

                store->next[i] = 1;
                r = get_number(store, &key, &store->next[i]);
                if (r < 0 && r != -ENOENT)
                        return r;
        }
        store->head = head;
        return 0;
}

int store_save_head(Store *store) {
        _cleanup_(buffer_done) Buffer buffer = {};
        const StoreHead *head = &store->head;
        int r;

        buffer_put_u64(&buffer, head->sequence);
        buffer_put_u64(&buffer, head->first);
        buffer_put(&buffer, head->hash.bytes, DIGEST_SIZE);
        buffer_put_u32(&buffer, head->epoch);
        buffer_put_u64(&buffer, (uint64_t)head->time);
        buffer_put_u64(&buffer, (uint64_t)head->time_seen);
        buffer_put_u64(&buffer, head->published);
        buffer_put_u32(&buffer, crc32c(0, buffer.data, buffer.size));
        if (buffer.error < 0)
                return buffer.error;
        r = store->kv->ops->put(store->kv, DB_META, slice_of_text(head_key), buffer_slice(&buffer));
        for (unsigned i = 0; r == 0 && i < store->n_tables; i++) {
                Key key = key_of_next(store->tables[i]);
                uint8_t bytes[8];
                uint64_t stored = 1;

                r = get_number(store, &key, &stored);
                if ((r < 0 && r != -ENOENT) || stored == store->next[i]) {
                        r = r == -ENOENT ? 0 : r;
                        continue;
                }
                store_be64(bytes, store->next[i]);
                r = store->kv->ops->put(store->kv, DB_META, key_slice(&key), (Slice){ bytes, 8 });
        }
        return r;
}

/* ---- opening ---- */

static int put_schema(Kv *kv, uint32_t version, uint16_t site) {
        _cleanup_(buffer_done) Buffer buffer = {};

        buffer_put(&buffer, schema_magic, sizeof(schema_magic));
        buffer_put_u32(&buffer, version);
        buffer_put_u16(&buffer, site);
        return buffer.error < 0 ? buffer.error
                                : kv->ops->put(kv, DB_META, slice_of_text(schema_key),
                                               buffer_slice(&buffer));
}

int store_put_schema(Store *store, uint32_t version) {
        int r = put_schema(store->kv, version, store->site);

        if (r == 0)
                store->schema = version;
        return r;
}

static int create_schema(Kv *kv, void *userdata) {
        Store *store = userdata;
        int r = put_schema(kv, STORE_SCHEMA_VERSION, store->site);

        if (r < 0)
                return r;
        store->kv = kv;
        store->head = (StoreHead){ .first = 1 };
        for (unsigned i = 0; i < store->n_tables; i++)
                store->next[i] = 1;
        r = store_save_head(store);
        store->kv = NULL;
        return r;
}

static int check_schema(Kv *kv, void *userdata, Refusal *why) {
        Store *store = userdata;
        Slice value = {};
        Cursor cursor;
        const char *magic;
        uint32_t version;
        uint16_t site;
        int r = kv->ops->get(kv, DB_META, slice_of_text(schema_key), &value);

        if (r < 0 && r != -ENOENT)
                return r;
        cursor = cursor_over(value);
        magic = (const char *)cursor_take(&cursor, sizeof(schema_magic));
        version = cursor_u32(&cursor);
        site = cursor_u16(&cursor);
        if (cursor.failed || memcmp(magic, schema_magic, sizeof(schema_magic)) != 0) {
                refuse(why, REFUSED_INTERNAL,
                       "the database was not made by aftersalesd; point store.directory elsewhere");
                return -EBADMSG;
        }
        if (version > STORE_SCHEMA_VERSION) {
                refuse(why, REFUSED_INTERNAL,
                       "the database has schema version %u, written by a newer aftersalesd; this "
                       "one understands up to %u: install the newer program again",
                       version, STORE_SCHEMA_VERSION);
                return -EPROTONOSUPPORT;
        }
        if (version < STORE_SCHEMA_VERSION && !store->old) {
                refuse(why, REFUSED_INTERNAL,
                       "the database has schema %u: start aftersalesd once to bring it to %u",
                       version, STORE_SCHEMA_VERSION);
                return -EPROTONOSUPPORT;
        }
        store->schema = version;
        if (site != store->site) {
                refuse(why, REFUSED_INTERNAL,
                       "the database belongs to site %u, the configuration says site %u: mend "
                       "'site' or 'store.directory'",
                       site, store->site);
                return -EREMCHG;
        }
        return 0;
}

static void add_indices(Store *store, const Index *const *indices) {
        for (; indices && *indices; indices++) {
                bool known = false;

                for (unsigned i = 0; i < store->n_indices; i++)
                        known = known || store->indices[i] == *indices;
                assert(store->n_indices < STORE_INDICES_MAX);
                if (!known)
                        store->indices[store->n_indices++] = *indices;
        }
}

static void add_tables(Store *store, const Table *const *tables) {
        for (; *tables; tables++) {
                assert(store->n_tables < STORE_TABLES_MAX);
                assert(!table_by_number(store, (*tables)->number));
                store->tables[store->n_tables++] = *tables;
                add_indices(store, (*tables)->indices);
        }
}

static int open_trial(Store *store, KvLmdbOptions lmdb, Refusal *why) {
        Kv *below = NULL, *above = NULL;
        int r;

        lmdb.read_only = true;
        r = kv_lmdb_open(&lmdb, &below, why);
        lmdb.read_only = false;
        lmdb.scratch = true;
        lmdb.accept = NULL;
        if (r == 0)
                r = kv_lmdb_open(&lmdb, &above, why);
        if (r == 0)
                r = kv_overlay_new(below, above, lmdb.n_databases, &store->kv);
        if (r < 0 && below)
                below->ops->free(below);
        if (r < 0 && above)
                above->ops->free(above);
        return r;
}

static int open_lmdb(Store *store, const StoreOptions *options, Refusal *why) {
        const char *names[DB_FIRST_TABLE + STORE_TABLES_MAX + STORE_INDICES_MAX] = {
                [DB_META] = "meta",
                [DB_JOURNAL] = "journal",
                [DB_TALLY] = "tally",
        };
        unsigned n = DB_FIRST_TABLE;
        KvLmdbOptions lmdb = {
                .directory = options->directory,
                .file = options->file,
                .databases = names,
                .map_size = options->map_size,
                .read_only = options->read_only,
                .create = create_schema,
                .accept = check_schema,
                .userdata = store,
        };

        for (unsigned i = 0; i < store->n_tables; i++)
                names[n++] = store->tables[i]->name;
        for (unsigned i = 0; i < store->n_indices; i++)
                names[n++] = store->indices[i]->name;
        lmdb.n_databases = n;
        return options->trial ? open_trial(store, lmdb, why) : kv_lmdb_open(&lmdb, &store->kv, why);
}

/* A store on a given Kv: filled on first use, in one transaction. */
static int open_given(Store *store, Kv *kv, Refusal *why) {
        Slice value;
        int r;

        r = kv->ops->begin(kv, true);
        if (r == 0)
                r = kv->ops->get(kv, DB_META, slice_of_text(schema_key), &value);
        if (r == -ENOENT) {
                r = create_schema(kv, store);
                if (r == 0)
                        r = kv->ops->commit(kv);
        } else if (r == 0)
                r = check_schema(kv, store, why);
        kv->ops->end(kv);
        store->kv = kv;
        return r;
}

int store_open(const StoreOptions *options, Store **ret, Refusal *why) {
        Store *store = calloc(1, sizeof(*store));
        int r;

        if (!store)
                return -ENOMEM;
        store->site = options->site;
        store->schema = STORE_SCHEMA_VERSION;
        store->old = options->old;
        store->journal_keep = options->journal_keep;
        add_tables(store, options->tables);
        why->code = 0;
        r = options->kv ? open_given(store, options->kv, why) : open_lmdb(store, options, why);
        if (r == 0)
                r = store_begin_view(store);
        if (r == 0)
                r = store_load_head(store);
        if (r < 0) {
                if (why->code == 0)
                        refuse(why, REFUSED_INTERNAL, "cannot open the database: %s", strerror(-r));
                store_free(store);
                return r;
        }
        store_release(store);
        *ret = store;
        return 0;
}

Store *store_free(Store *store) {
        if (!store)
                return NULL;
        if (store->kv)
                store->kv->ops->free(store->kv);
        free(store->change.staged);
        buffer_done(&store->change.values);
        buffer_done(&store->effects);
        buffer_done(&store->journal);
        free(store->plan.writes);
        free(store);
        return NULL;
}

/* ---- reading ---- */

int store_begin_view(Store *store) {
        int r;

        if (store->mode == STORE_WRITING)
                return store->batch_error; /* a spoiled transaction reads nothing any more */
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

int store_get(Store *store, const Table *table, const Key *key, void *record) {
        Slice value;
        int r = get_slice(store, table, key, &value);

        if (r < 0)
                return r;
        r = record_decode(table->type, value, record);
        if (r == -EBADMSG)
                store_note_damage(store, table->name, key_slice(key), "its bytes are not intact");
        return r;
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
                r = record_decode(table->type, value, record);
                if (r == -EBADMSG) {
                        store_note_damage(store, table->name, key, "its bytes are not intact");
                        continue;
                }
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

int store_tally(Store *store, const Index *tally, const Key *key, uint64_t *ret) {
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
        *ret = r == 0 ? load_be64(value.data) : 0;
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

        if (*sequence >= store->head.sequence)
                return -ENOENT;
        r = store_journal_get(store, *sequence + 1, ret);
        if (r < 0 && r != -ENOENT && r != -EBADMSG)
                return r;
        *sequence = r == -ENOENT ? store->head.sequence : *sequence + 1;
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

/* ---- what the store knows of itself ---- */

bool store_is_dead(const Store *store) {
        return store->dead;
}

const StoreHead *store_head(const Store *store) {
        return &store->head;
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

int store_copy(Store *store, int fd) {
        const KvOps *ops = store->kv->ops;

        return ops->copy ? ops->copy(store->kv, fd) : -EOPNOTSUPP;
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
        store->head.time_seen = now;
}

int64_t store_credible_time(const Store *store, int64_t now) {
        return store->head.time_seen ? MIN(now, store->head.time_seen) : now;
}

void store_note_published(Store *store, uint64_t sequence) {
        store->head.published = sequence;
}
