/* SPDX-License-Identifier: Apache-2.0 */

/* The journal: what it says of every change, and that it says everything. */

#include "store/journal.h"

#include <errno.h>
#include <lmdb.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/macro.h"
#include "record/codec.h"
#include "rng.h"

#include "kv-memory.c"
#include "life.c"
#include "shelf.c"
#include "world.c"

/* ---- what a record says --------------------------------------------------------------------- */

static void assert_text(Slice slice, const char *text) {
        assert_int_equal(slice.size, strlen(text));
        assert_memory_equal(slice.data, text, slice.size);
}

static void assert_effect(Cursor *cursor, const Table *table, const void *record, const Key *key) {
        _cleanup_(buffer_done) Buffer stored = {};
        JournalEffect effect;
        Key own = {};

        if (record) {
                assert_int_equal(record_encode(table->type, record, &stored), 0);
                table->key(record, &own);
                key = &own;
        }
        assert_int_equal(journal_next_effect(cursor, &effect), 0);
        assert_int_equal(effect.table, table->number);
        assert_int_equal(effect.key.size, key->size);
        assert_memory_equal(effect.key.data, key->bytes, key->size);
        assert_int_equal(effect.value.size, stored.size);
        if (record)
                assert_memory_equal(effect.value.data, stored.data, stored.size);
}

static void test_record(void **state) {
        static const uint8_t policy[8] = { 1, 2, 3, 4, 5, 6, 7, 8 };
        Origin origin = { .time = -5, .actor = "uid:7", .verb = "item.put", .policy = policy };
        Shelf *shelf = *state;
        Item item = { .name = (char *)"second" };
        Note note = { .code = (char *)"N", .head.group = 4 };
        Key first = key_of_id(shelf_add(shelf, "first", 1, NULL));
        Change *change = shelf_begin(shelf);
        JournalRecord record;
        JournalEffect effect;
        Digest before;
        Cursor cursor;

        assert_int_equal(change_number(change, &item_table, &item.id), 0);
        assert_int_equal(change_put(change, &item_table, &item), 0);
        assert_int_equal(change_put(change, &note_table, &note), 0);
        assert_int_equal(change_remove(change, &item_table, &first), 0);
        item.head.group = 3;
        assert_int_equal(change_put(change, &item_table, &item), 0); /* once more */
        assert_int_equal(change_apply(change, &origin), 0);
        shelf_commit(shelf);

        assert_int_equal(store_journal_get(shelf->store, 1, &record), 0);
        before = record.hash;
        assert_int_equal(store_journal_get(shelf->store, 2, &record), 0);
        assert_int_equal(record.site, SHELF_SITE);
        assert_int_equal(record.epoch, store_head(shelf->store)->epoch);
        assert_int_equal(record.sequence, 2);
        assert_int_equal(record.time, -5);
        assert_memory_equal(record.policy.data, policy, sizeof(policy));
        assert_text(record.actor, "uid:7");
        assert_text(record.verb, "item.put");
        assert_text(record.request_id, "");
        assert_true(journal_is_intact(&record, &before));
        assert_false(journal_is_intact(&record, &record.hash));
        assert_memory_equal(&store_head(shelf->store)->hash, &record.hash, DIGEST_SIZE);
        assert_int_equal(store_head(shelf->store)->time, -5);
        cursor = cursor_over(record.effects); /* in the order of the first write of each */
        assert_effect(&cursor, &item_table, &item, NULL);
        assert_effect(&cursor, &note_table, &note, NULL);
        assert_effect(&cursor, &item_table, NULL, &first);
        assert_int_equal(journal_next_effect(&cursor, &effect), -ENOENT);
        assert_int_equal(store_journal_get(shelf->store, 3, &record), -ENOENT);
        assert_int_equal(store_journal_get(shelf->store, 0, &record), -ENOENT);
}

/* No change without its record, none of a change that did not happen, each on the one before. */
static void test_chain(void **state) {
        Shelf *shelf = *state;
        Digest before = {};
        Rng rng = { 1 };

        for (unsigned i = 0; i < 200; i++) {
                Change *change;

                shelf_add(shelf, "x", 1, "red");
                change = shelf_begin(shelf);
                shelf_put(change, 0, "dropped", 1, NULL, false);
                change_drop(change);
                if (rng_one_in(&rng, 20))
                        store_abort(shelf->store);
                else if (rng_one_in(&rng, 3))
                        shelf_commit(shelf);
        }
        shelf_commit(shelf);
        assert_true(store_head(shelf->store)->sequence > 50);
        for (uint64_t i = 1; i <= store_head(shelf->store)->sequence; i++) {
                JournalRecord record;

                assert_int_equal(store_journal_get(shelf->store, i, &record), 0);
                assert_int_equal(record.sequence, i);
                assert_true(journal_is_intact(&record, &before));
                before = record.hash;
        }
        assert_memory_equal(&store_head(shelf->store)->hash, &before, DIGEST_SIZE);
}

/* A copy of a stored journal record at the end of an allocation of its own. */
static Slice journal_copy(Store *store, uint64_t sequence) {
        Slice stored;
        void *copy;

        assert_int_equal(store_journal_get_raw(store, sequence, &stored), 0);
        copy = malloc(stored.size);
        assert_non_null(copy);
        memcpy(copy, stored.data, stored.size);
        return (Slice){ copy, stored.size };
}

static void test_decode_anything(void **state) {
        Shelf *shelf = *state;
        Slice whole;
        Rng rng = { 2 };

        shelf_add(shelf, "a name", 1, "some words");
        whole = journal_copy(shelf->store, 1);
        for (unsigned i = 0; i < 20000; i++) {
                size_t size = rng_below(&rng, whole.size + 1);
                _cleanup_free_ uint8_t *bytes = malloc(size ?: 1);
                JournalRecord record;
                JournalEffect effect;
                Cursor cursor;
                int r;

                assert_non_null(bytes);
                memcpy(bytes, whole.data, size);
                for (uint64_t n = rng_below(&rng, 6); size > 0 && n > 0; n--)
                        bytes[rng_below(&rng, size)] = (uint8_t)rng_next(&rng);
                r = journal_decode((Slice){ bytes, size }, &record);
                if (r == 0) {
                        cursor = cursor_over(record.effects);
                        while ((r = journal_next_effect(&cursor, &effect)) == 0)
                                assert_in_range(effect.key.size, 1, KEY_MAX);
                        assert_true(r == -ENOENT || r == -EBADMSG);
                } else
                        assert_int_equal(r, -EBADMSG);
        }
        free((void *)whole.data);
}

/* ---- replay --------------------------------------------------------------------------------- */

static void replay_all(Store *from, Store *to) {
        uint64_t sequence = 0;
        JournalRecord record;
        int r;

        while ((r = store_journal_next(from, &sequence, &record)) == 0) {
                Slice stored = journal_copy(from, sequence);

                assert_int_equal(record.sequence, sequence);
                assert_int_equal(store_replay(to, stored), 0);
                free((void *)stored.data);
                if (sequence % 100 == 0)
                        assert_int_equal(store_commit(to), 0);
        }
        assert_int_equal(r, -ENOENT);
        assert_int_equal(store_commit(to), 0);
        store_release(from);
}

static MDB_env *open_env(const char *directory) {
        char path[128];
        MDB_env *env;

        snprintf(path, sizeof(path), "%s/state.mdb", directory);
        assert_int_equal(mdb_env_create(&env), 0);
        assert_int_equal(mdb_env_set_maxdbs(env, 64), 0);
        assert_int_equal(mdb_env_open(env, path, MDB_NOSUBDIR | MDB_RDONLY, 0600), 0);
        return env;
}

/* Every row of a database, but for the head of "meta", which knows what was announced and when. */
static size_t compare_rows(MDB_txn *a, MDB_txn *b, const char *name) {
        MDB_cursor *x, *y;
        MDB_val k, l, v, w;
        MDB_dbi i, j;
        size_t n = 0;
        int r, s;

        assert_int_equal(mdb_dbi_open(a, name, 0, &i), 0);
        assert_int_equal(mdb_dbi_open(b, name, 0, &j), 0);
        assert_int_equal(mdb_cursor_open(a, i, &x), 0);
        assert_int_equal(mdb_cursor_open(b, j, &y), 0);
        for (;;) {
                r = mdb_cursor_get(x, &k, &v, MDB_NEXT);
                s = mdb_cursor_get(y, &l, &w, MDB_NEXT);
                if (r != s)
                        fail_msg("%s: one has more rows", name);
                if (r != 0)
                        break;
                n++;
                assert_int_equal(k.mv_size, l.mv_size);
                assert_memory_equal(k.mv_data, l.mv_data, k.mv_size);
                if (STREQ(name, "meta") && memcmp(k.mv_data, "head", 4) == 0)
                        continue;
                if (v.mv_size != w.mv_size || memcmp(v.mv_data, w.mv_data, v.mv_size) != 0)
                        fail_msg("%s: row %zu differs", name, n);
        }
        assert_int_equal(r, MDB_NOTFOUND);
        mdb_cursor_close(x);
        mdb_cursor_close(y);
        return n;
}

/* Two directories whose stores are closed: how many rows of all databases are the same. */
static size_t compare_stores(const char *first, const char *second) {
        MDB_env *one = open_env(first), *other = open_env(second);
        MDB_cursor *names;
        MDB_txn *a, *b;
        MDB_val k, v;
        MDB_dbi main_dbi;
        size_t n = 0, databases = 0;

        assert_int_equal(mdb_txn_begin(one, NULL, MDB_RDONLY, &a), 0);
        assert_int_equal(mdb_txn_begin(other, NULL, MDB_RDONLY, &b), 0);
        assert_int_equal(mdb_dbi_open(a, NULL, 0, &main_dbi), 0);
        assert_int_equal(mdb_cursor_open(a, main_dbi, &names), 0);
        while (mdb_cursor_get(names, &k, &v, MDB_NEXT_NODUP) == 0) {
                char name[64];

                snprintf(name, sizeof(name), "%.*s", (int)k.mv_size, (const char *)k.mv_data);
                n += compare_rows(a, b, name);
                databases++;
        }
        assert_true(databases > 5);
        mdb_cursor_close(names);
        mdb_txn_abort(a);
        mdb_txn_abort(b);
        mdb_env_close(one);
        mdb_env_close(other);
        return n;
}

static void live(World *world, Rng *rng, unsigned calls) {
        uint64_t ids[64], delivered = 0, id;
        size_t n = 0;

        for (unsigned i = 0; i < calls; i++) {
                const Transition *transition;
                int r;

                world_pass(world, world->now + rng_between(rng, 0, HOURS(3)));
                if (n < ELEMENTS(ids) && (n == 0 || rng_one_in(rng, 6))) {
                        r = life_create(world, rng, &id);
                        if (r == 0 && world->created)
                                ids[n++] = id;
                } else
                        r = life_move(world, rng, ids[rng_below(rng, n)], &transition);
                assert_true(r >= 0);
                if (rng_one_in(rng, 5))
                        life_acknowledge(world, rng, &id);
                if (rng_one_in(rng, 5))
                        assert_int_equal(life_deliver(world, rng, &delivered), 0);
                if (rng_one_in(rng, 10))
                        assert_int_equal(life_administer(world, rng), 0);
                if (rng_one_in(rng, 30))
                        store_abort(world->store), n = 0;
                else if (rng_one_in(rng, 12))
                        world_commit(world);
        }
        world_commit(world);
}

/* What a company did for months, read again from its journal, is the same to the last byte. */
static void test_replay(_unused_ void **state) {
        char directory[] = "/tmp/test-journal-XXXXXX", other[] = "/tmp/test-journal-XXXXXX";
        StoreOptions options;
        Refusal why;
        World world;
        Store *copy;
        Rng rng = { 3 };

        make_directory(directory);
        make_directory(other);
        world_init(&world, NULL, directory);
        world_commit(&world);
        live(&world, &rng, 400);
        assert_int_equal(store_begin_epoch(world.store, 0), 0); /* as after a restore */
        live(&world, &rng, 200);
        assert_int_equal(sequence_epoch(store_head(world.store)->sequence), 1);
        {
                _cleanup_free_ char *faults = world_check(&world);

                assert_string_equal(faults, "");
        }
        /* Once more from the database and the log before it, as after a crash. */
        assert_false(store_is_settled(world.store));
        world.store = store_free(world.store);
        world_reopen(&world, NULL);
        options = world.options;
        options.directory = other;
        assert_int_equal(store_open(&options, &copy, &why), 0);
        replay_all(world.store, copy);
        assert_int_equal(store_head(copy)->sequence, store_head(world.store)->sequence);
        assert_int_equal(store_head(copy)->time, store_head(world.store)->time);
        assert_memory_equal(&store_head(copy)->hash, &store_head(world.store)->hash, DIGEST_SIZE);
        assert_int_equal(store_settle(copy), 0);
        store_free(copy);
        world_done(&world);
        assert_true(compare_stores(directory, other) > 5000);
        remove_directory(directory);
        remove_directory(other);
}

/* ---- replay refused ------------------------------------------------------------------------- */

typedef struct Pair {
        Shelf *from, *to;
} Pair;

static int setup_pair(void **state) {
        Pair *pair = calloc(1, sizeof(*pair));

        assert_non_null(pair);
        shelf_setup((void **)&pair->from);
        shelf_setup_memory((void **)&pair->to);
        for (int i = 0; i < 6; i++)
                shelf_add(pair->from, "name", i, "red green");
        shelf_remove(pair->from, (uint64_t)SHELF_SITE << ID_SITE_SHIFT | 1);
        shelf_commit(pair->from);
        *state = pair;
        return 0;
}

static int teardown_pair(void **state) {
        Pair *pair = *state;

        shelf_teardown((void **)&pair->from);
        shelf_teardown((void **)&pair->to);
        free(pair);
        return 0;
}

static void replay_one(Pair *pair, uint64_t sequence, int expected) {
        Slice stored = journal_copy(pair->from->store, sequence);

        assert_int_equal(store_replay(pair->to->store, stored), expected);
        free((void *)stored.data);
}

static void assert_clean(Shelf *shelf) {
        _cleanup_free_ char *faults = shelf_check(shelf);

        assert_string_equal(faults, "");
}

static void test_out_of_order(void **state) {
        Pair *pair = *state;

        replay_one(pair, 2, -EBADMSG);
        replay_one(pair, 1, 0);
        replay_one(pair, 1, -EBADMSG);
        replay_one(pair, 3, -EBADMSG);
        replay_one(pair, 2, 0);
        shelf_commit(pair->to);
        replay_one(pair, 2, -EBADMSG);
        replay_one(pair, 4, -EBADMSG);
        replay_one(pair, 3, 0);
        shelf_commit(pair->to);
        assert_int_equal(store_head(pair->to->store)->sequence, 3);
        assert_clean(pair->to);
        /* a store that has gone its own way takes nothing from another one */
        shelf_add(pair->to, "own", 1, NULL);
        shelf_commit(pair->to);
        replay_one(pair, 5, -EBADMSG);
        assert_int_equal(store_head(pair->to->store)->sequence, 4);
}

static void test_tampered(void **state) {
        Pair *pair = *state;
        Slice stored;
        uint8_t *bytes;

        replay_one(pair, 1, 0);
        stored = journal_copy(pair->from->store, 2);
        bytes = (uint8_t *)stored.data;
        for (size_t bit = 0; bit < stored.size * 8; bit++) {
                bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
                if (store_replay(pair->to->store, stored) != -EBADMSG)
                        fail_msg("bit %zu makes no difference", bit);
                bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
        }
        for (size_t size = 0; size < stored.size; size++)
                assert_int_equal(store_replay(pair->to->store, (Slice){ stored.data, size }),
                                 -EBADMSG);
        assert_int_equal(store_replay(pair->to->store, stored), 0);
        free((void *)stored.data);
        shelf_commit(pair->to);
        assert_int_equal(store_head(pair->to->store)->sequence, 2);
        assert_clean(pair->to);
}

/* Without room for it nothing of it has happened, and it can be replayed again. */
static void test_replay_fails(void **state) {
        Pair *pair = *state;

        replay_one(pair, 1, 0);
        shelf_commit(pair->to);
        for (unsigned nth = 1; nth <= 6; nth++) {
                memory_disk_fail(pair->to->disk, MEMORY_WRITE, nth, -ENOSPC);
                replay_one(pair, 2, 0);
                replay_one(pair, 2, -EBADMSG); /* that one is there */
                assert_int_equal(store_commit(pair->to->store), -ENOSPC);
                assert_int_equal(store_head(pair->to->store)->sequence, 1);
                memory_disk_fail(pair->to->disk, MEMORY_WRITE, 0, 0);
        }
        replay_one(pair, 2, 0);
        shelf_commit(pair->to);
        assert_clean(pair->to);
}

/* After a restore the sequence goes on in another epoch, from 1, on the same chain. */
static void test_epoch(void **state) {
        Pair *pair = *state;
        uint64_t old = store_head(pair->from->store)->sequence;
        Digest before = store_head(pair->from->store)->hash;
        JournalRecord record;
        uint64_t sequence;

        assert_int_equal(store_begin_epoch(pair->from->store, 0), 0);
        assert_int_equal(store_begin_epoch(pair->from->store, 5), 0);
        shelf_reopen(pair->from); /* durable without any commit */
        assert_int_equal(store_head(pair->from->store)->epoch, 6);
        assert_int_equal(store_head(pair->from->store)->sequence, old);
        assert_clean(pair->from);
        shelf_add(pair->from, "own", 1, NULL);
        shelf_add(pair->from, "own", 1, NULL);
        shelf_commit(pair->from);
        sequence = old;
        assert_int_equal(store_journal_next(pair->from->store, &sequence, &record), 0);
        assert_int_equal(sequence, UINT64_C(6) << SEQUENCE_EPOCH_SHIFT | 1);
        assert_int_equal(record.epoch, 6);
        assert_true(journal_is_intact(&record, &before));
        assert_int_equal(store_journal_next(pair->from->store, &sequence, &record), 0);
        assert_int_equal(sequence, sequence_first(6) + 1);
        assert_int_equal(store_journal_next(pair->from->store, &sequence, &record), -ENOENT);
        assert_int_equal(sequence, sequence_first(6) + 1);
        assert_clean(pair->from);

        replay_all(pair->from->store, pair->to->store);
        shelf_reopen(pair->to);
        assert_int_equal(store_head(pair->to->store)->epoch, 6);
        assert_int_equal(store_head(pair->to->store)->sequence, sequence);
        assert_clean(pair->to);
        assert_int_equal(store_begin_epoch(pair->to->store, EPOCH_MAX), -EOVERFLOW);
        assert_int_equal(store_head(pair->to->store)->epoch, 6);
}

/* The very first record may be of a later epoch. */
static void test_epoch_of_empty(void **state) {
        Pair *pair = *state;
        Shelf *shelf;

        shelf_setup((void **)&shelf);
        assert_int_equal(store_begin_epoch(shelf->store, 2), 0);
        assert_int_equal(store_head(shelf->store)->first, sequence_first(3));
        assert_clean(shelf);
        shelf_add(shelf, "x", 1, NULL);
        shelf_add(shelf, "x", 1, NULL);
        shelf_commit(shelf);
        assert_int_equal(store_head(shelf->store)->first, sequence_first(3));
        assert_int_equal(store_head(shelf->store)->sequence, sequence_first(3) + 1);
        assert_clean(shelf);
        replay_all(shelf->store, pair->to->store);
        assert_int_equal(store_head(pair->to->store)->first, sequence_first(3));
        assert_clean(pair->to);
        shelf_teardown((void **)&shelf);
}

/* A record that says another epoch than its number, or one that is over, is none. */
static void test_wrong_epoch(void **state) {
        static const struct {
                uint32_t epoch;
                uint64_t sequence;
                int result;
        } cases[] = {
                { 7, 2, -EBADMSG },
                { 0, (UINT64_C(7) << SEQUENCE_EPOCH_SHIFT) | 1, -EBADMSG },
                { 7, (UINT64_C(7) << SEQUENCE_EPOCH_SHIFT) | 2, -EBADMSG },
                { 4, (UINT64_C(4) << SEQUENCE_EPOCH_SHIFT) | 1, -EBADMSG },
                { 7, (UINT64_C(7) << SEQUENCE_EPOCH_SHIFT) | 1, 0 },
        };
        Pair *pair = *state;

        replay_one(pair, 1, 0);
        shelf_commit(pair->to);
        assert_int_equal(store_begin_epoch(pair->to->store, 4), 0);
        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                _cleanup_(buffer_done) Buffer stored = {};
                JournalRecord record;

                assert_int_equal(store_journal_get(pair->from->store, 2, &record), 0);
                record.epoch = cases[i].epoch;
                record.sequence = cases[i].sequence;
                journal_encode(&stored, &record, &store_head(pair->to->store)->hash);
                assert_int_equal(store_replay(pair->to->store, buffer_slice(&stored)),
                                 cases[i].result);
        }
        shelf_commit(pair->to);
        assert_int_equal(store_head(pair->to->store)->epoch, 7);
        assert_clean(pair->to);
}

/* An older program that does not know one of the tables keeps what it is told of it. */
static void test_unknown_table(void **state) {
        static const Table *const only_notes[] = { &note_table, NULL };
        Pair *pair = *state;
        Change *change = shelf_begin(pair->from);
        uint64_t n;

        shelf_put_note(change, "N", 7);
        shelf_put(change, 0, "with it", 1, NULL, false);
        shelf_apply(pair->from, change);
        shelf_commit(pair->from);

        shelf_close(pair->to);
        pair->to->disk = memory_disk_free(pair->to->disk);
        pair->to->disk = memory_disk_new();
        pair->to->options.tables = only_notes;
        shelf_open(pair->to);
        replay_all(pair->from->store, pair->to->store);
        assert_int_equal(store_count(pair->to->store, &note_table, &n), 0);
        assert_int_equal(n, 1);
        for (uint64_t i = 1; i <= store_head(pair->from->store)->sequence; i++) {
                Slice theirs = journal_copy(pair->from->store, i), ours;

                assert_int_equal(store_journal_get_raw(pair->to->store, i, &ours), 0);
                assert_int_equal(ours.size, theirs.size);
                assert_memory_equal(ours.data, theirs.data, ours.size);
                free((void *)theirs.data);
        }
        assert_clean(pair->to);
}

/* ---- pruning -------------------------------------------------------------------------------- */

static void assert_kept(Shelf *shelf, uint64_t first) {
        const StoreHead *head = store_head(shelf->store);
        uint64_t sequence = 0, n = 0;
        JournalRecord record;
        Digest before;

        assert_int_equal(head->first, first);
        while (store_journal_next(shelf->store, &sequence, &record) == 0) {
                assert_true(n > 0 || sequence == first);
                assert_true(journal_is_intact(&record, n > 0 ? &before : NULL));
                before = record.hash;
                n++;
        }
        assert_int_equal(sequence, head->sequence);
        assert_clean(shelf);
}

static void add_at(Shelf *shelf, int64_t time) {
        shelf->now = time - 1;
        shelf_add(shelf, "x", 1, NULL);
        shelf_commit(shelf);
}

static void test_prune(void **state) {
        Shelf *shelf = *state;

        for (int64_t i = 1; i <= 10; i++)
                add_at(shelf, i);
        add_at(shelf, SHELF_KEEP * 10); /* all are old now, but nobody has heard of them */
        assert_kept(shelf, 1);
        store_note_published(shelf->store, 3);
        add_at(shelf, SHELF_KEEP * 10 + 1);
        assert_kept(shelf, 3); /* two for each change */
        add_at(shelf, SHELF_KEEP * 10 + 2);
        assert_kept(shelf, 4); /* and none that was not announced */
        add_at(shelf, SHELF_KEEP * 10 + 3);
        assert_kept(shelf, 4);
        store_note_published(shelf->store, store_head(shelf->store)->sequence);
        shelf_reopen(shelf);
        store_note_published(shelf->store, store_head(shelf->store)->sequence);
        for (int64_t i = 4; i <= 10; i++)
                add_at(shelf, SHELF_KEEP * 10 + i);
        assert_kept(shelf, 11); /* those that are not old stay */
        store_note_published(shelf->store, 11);
        add_at(shelf, SHELF_KEEP * 11 - 1);
        assert_kept(shelf, 11);
        add_at(shelf, SHELF_KEEP * 11); /* now the eleventh has been kept for so long */
        assert_kept(shelf, 12);
        store_note_published(shelf->store, store_head(shelf->store)->sequence);
        shelf->now = SHELF_KEEP * 30;
        for (unsigned i = 0; i < 8; i++)
                shelf_add(shelf, "x", 1, NULL);
        shelf_commit(shelf); /* several at once */
        assert_kept(shelf, 24);
        shelf_reopen(shelf);
        assert_kept(shelf, 24);
}

/* What is past its time goes in the order in which it was made, whatever the epoch. */
static void test_prune_epochs(void **state) {
        Shelf *shelf = *state;

        for (int64_t i = 1; i <= 3; i++)
                add_at(shelf, i);
        assert_int_equal(store_begin_epoch(shelf->store, 0), 0);
        add_at(shelf, 4);
        add_at(shelf, 5);
        store_note_published(shelf->store, store_head(shelf->store)->sequence);
        add_at(shelf, SHELF_KEEP * 2);
        assert_kept(shelf, 3);
        add_at(shelf, SHELF_KEEP * 2 + 1);
        assert_kept(shelf, sequence_first(1) + 1);
        shelf_reopen(shelf);
        assert_kept(shelf, sequence_first(1) + 1);
}

/* An aborted batch has pruned nothing. */
static void test_prune_aborted(void **state) {
        Shelf *shelf = *state;

        for (int64_t i = 1; i <= 10; i++)
                add_at(shelf, i);
        store_note_published(shelf->store, 10);
        shelf->now = SHELF_KEEP * 2;
        shelf_add(shelf, "x", 1, NULL);
        memory_disk_fail(shelf->disk, MEMORY_COMMIT, 1, -ENOSPC);
        assert_int_equal(store_commit(shelf->store), -ENOSPC);
        assert_kept(shelf, 1);
        shelf_add(shelf, "x", 1, NULL);
        shelf_commit(shelf);
        assert_kept(shelf, 3);
}

/* A clock that is not believed makes nothing old. */
static void test_prune_by_a_wrong_clock(void **state) {
        Shelf *shelf = *state;

        for (int64_t i = 1; i <= 10; i++)
                add_at(shelf, i);
        store_note_time(shelf->store, 10);
        store_note_published(shelf->store, 11);
        add_at(shelf, SHELF_KEEP * 100);
        assert_kept(shelf, 1);
        add_at(shelf, 11); /* the clock is right again */
        store_note_time(shelf->store, SHELF_KEEP * 2);
        add_at(shelf, SHELF_KEEP * 2);
        assert_kept(shelf, 3);
}

static void damage_first(MDB_txn *txn, unsigned dbi) {
        Key key = key_of_id(1);
        MDB_val k = { key.size, key.bytes }, v = { 3, (void *)"bad" };

        assert_int_equal(mdb_put(txn, dbi, &k, &v, 0), 0);
}

static void remove_first(MDB_txn *txn, unsigned dbi) {
        Key key = key_of_id(1);
        MDB_val k = { key.size, key.bytes };

        assert_int_equal(mdb_del(txn, dbi, &k, NULL), 0);
}

/* One journal record that is damaged, or gone, must not stop everything for ever. */
static void test_prune_damaged(_unused_ void **state) {
        static const ShelfEdit edits[] = { damage_first, remove_first };

        for (size_t i = 0; i < ELEMENTS(edits); i++) {
                Shelf *shelf;

                assert_int_equal(shelf_setup((void **)&shelf), 0);
                add_at(shelf, 1);
                add_at(shelf, 2);
                shelf_close(shelf);
                shelf_edit(shelf, "journal", edits[i]);
                shelf_open(shelf);
                store_note_published(shelf->store, 2);
                shelf->now = SHELF_KEEP * 2;
                shelf_add(shelf, "x", 1, NULL);
                assert_int_equal(store_commit(shelf->store), 0);
                assert_int_equal(store_head(shelf->store)->sequence, 3);
                shelf_teardown((void **)&shelf);
        }
}

static void remove_at_epoch(MDB_txn *txn, unsigned dbi) {
        for (uint64_t i = 0; i < 2; i++) {
                Key key = key_of_id(sequence_first(1) + i);
                MDB_val k = { key.size, key.bytes };

                assert_int_equal(mdb_del(txn, dbi, &k, NULL), 0);
        }
}

static void remove_oldest(MDB_txn *txn, unsigned dbi) {
        for (uint64_t i = 1; i <= 3; i++) {
                Key key = key_of_id(i);
                MDB_val k = { key.size, key.bytes };

                assert_int_equal(mdb_del(txn, dbi, &k, NULL), 0);
        }
}

/* What is missing is told in the numbers of its own epoch; nothing is missing between two. */
static void test_check_epochs(void **state) {
        Shelf *shelf = *state;
        _cleanup_free_ char *middle = NULL, *both = NULL;

        for (int64_t i = 1; i <= 6; i++) {
                if (i == 4)
                        assert_int_equal(store_begin_epoch(shelf->store, 0), 0);
                add_at(shelf, i);
        }
        assert_clean(shelf);
        shelf_close(shelf);
        shelf_edit(shelf, "journal", remove_at_epoch);
        shelf_open(shelf);
        middle = shelf_check(shelf);
        assert_string_equal(middle,
                            "journal: records 1099511627777 to 1099511627778 are missing\n");
        shelf_close(shelf);
        shelf_edit(shelf, "journal", remove_oldest);
        shelf_open(shelf);
        both = shelf_check(shelf);
        assert_string_equal(both, "journal: record 1 is missing\n"
                                  "journal: records 1099511627777 to 1099511627778 are missing\n");
}

#define ON_LMDB(test)   cmocka_unit_test_setup_teardown(test, shelf_setup, shelf_teardown)
#define ON_MEMORY(test) cmocka_unit_test_setup_teardown(test, shelf_setup_memory, shelf_teardown)
#define ON_PAIR(test)   cmocka_unit_test_setup_teardown(test, setup_pair, teardown_pair)

int main(void) {
        const struct CMUnitTest tests[] = {
                ON_LMDB(test_record),
                ON_MEMORY(test_chain),
                ON_MEMORY(test_decode_anything),
                cmocka_unit_test(test_replay),
                ON_PAIR(test_out_of_order),
                ON_PAIR(test_tampered),
                ON_PAIR(test_replay_fails),
                ON_PAIR(test_epoch),
                ON_PAIR(test_epoch_of_empty),
                ON_PAIR(test_wrong_epoch),
                ON_PAIR(test_unknown_table),
                ON_MEMORY(test_prune),
                ON_MEMORY(test_prune_epochs),
                ON_MEMORY(test_prune_aborted),
                ON_MEMORY(test_prune_by_a_wrong_clock),
                cmocka_unit_test(test_prune_damaged),
                ON_LMDB(test_check_epochs),
        };

        return cmocka_run_group_tests_name("journal", tests, NULL, NULL);
}
