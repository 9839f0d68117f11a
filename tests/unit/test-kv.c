/* SPDX-License-Identifier: Apache-2.0 */

/* The contract of store/kv.h, held against LMDB and against the memory that stands in for it in
 * other tests. */

#include "store/kv.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/macro.h"
#include "rng.h"

#include "kv-memory.c"

#define DATABASES   3
#define MAP_SIZE    (64 * 1024 * 1024)
#define VALUE_LARGE (100 * 1024)

/* ---- the two of them ------------------------------------------------------------------------ */

typedef struct Fixture {
        bool lmdb;
        char directory[sizeof("/tmp/test-kv-XXXXXX")];
        MemoryDisk *disk;
        Kv *kv;
} Fixture;

static int create_nothing(_unused_ Kv *kv, _unused_ void *userdata) {
        return 0;
}

static void fixture_open(Fixture *f) {
        static const char *const databases[DATABASES] = { "a", "b", "c" };
        KvLmdbOptions options = {
                .directory = f->directory,
                .databases = databases,
                .n_databases = DATABASES,
                .map_size = MAP_SIZE,
                .create = create_nothing,
        };
        Refusal why = {};

        if (f->lmdb)
                assert_int_equal(kv_lmdb_open(&options, &f->kv, &why), 0);
        else
                f->kv = memory_disk_open(f->disk);
        assert_non_null(f->kv);
}

static void fixture_reopen(Fixture *f) {
        f->kv = f->kv->ops->free(f->kv);
        fixture_open(f);
}

static int setup(void **state, bool lmdb) {
        Fixture *f = calloc(1, sizeof(*f));

        assert_non_null(f);
        *f = (Fixture){ .lmdb = lmdb, .directory = "/tmp/test-kv-XXXXXX" };
        if (lmdb)
                assert_non_null(mkdtemp(f->directory));
        else
                assert_non_null(f->disk = memory_disk_new());
        fixture_open(f);
        *state = f;
        return 0;
}

static int setup_lmdb(void **state) {
        return setup(state, true);
}

static int setup_memory(void **state) {
        return setup(state, false);
}

static int teardown(void **state) {
        static const char *const files[] = { "state.mdb", "state.mdb-lock", "state.lock" };
        Fixture *f = *state;

        f->kv = f->kv->ops->free(f->kv);
        memory_disk_free(f->disk);
        for (size_t i = 0; f->lmdb && i < ELEMENTS(files); i++) {
                char path[sizeof(f->directory) + 32];

                snprintf(path, sizeof(path), "%s/%s", f->directory, files[i]);
                assert_int_equal(unlink(path), 0);
        }
        if (f->lmdb)
                assert_int_equal(rmdir(f->directory), 0);
        free(f);
        return 0;
}

/* ---- shorthands ----------------------------------------------------------------------------- */

static Slice slice_of(const char *text) {
        return (Slice){ text, strlen(text) };
}

static void begin(Fixture *f, bool write) {
        assert_int_equal(f->kv->ops->begin(f->kv, write), 0);
}

static void commit(Fixture *f) {
        assert_int_equal(f->kv->ops->commit(f->kv), 0);
}

static void end(Fixture *f) {
        f->kv->ops->end(f->kv);
}

static void put(Fixture *f, unsigned db, const char *key, const char *value) {
        assert_int_equal(f->kv->ops->put(f->kv, db, slice_of(key), slice_of(value)), 0);
}

static void assert_has(Fixture *f, unsigned db, const char *key, const char *value) {
        Slice found = {};
        int r = f->kv->ops->get(f->kv, db, slice_of(key), &found);

        assert_int_equal(r, value ? 0 : -ENOENT);
        if (value) {
                assert_int_equal(found.size, strlen(value));
                assert_memory_equal(found.data, value, found.size);
        }
}

/* ---- one thing at a time -------------------------------------------------------------------- */

static void test_values(void **state) {
        Fixture *f = *state;
        uint64_t n;

        begin(f, true);
        assert_has(f, 0, "k", NULL);
        assert_int_equal(f->kv->ops->remove(f->kv, 0, slice_of("k")), -ENOENT);
        put(f, 0, "k", "one");
        put(f, 1, "k", "other");
        assert_has(f, 0, "k", "one");
        put(f, 0, "k", "a longer one");
        assert_has(f, 0, "k", "a longer one");
        put(f, 0, "k", ""); /* an empty value is a value */
        assert_has(f, 0, "k", "");
        assert_has(f, 1, "k", "other");
        assert_has(f, 2, "k", NULL);
        put(f, 0, "kk", "longer key");
        assert_int_equal(f->kv->ops->count(f->kv, 0, &n), 0);
        assert_int_equal(n, 2);
        assert_int_equal(f->kv->ops->remove(f->kv, 0, slice_of("k")), 0);
        assert_has(f, 0, "k", NULL);
        assert_has(f, 0, "kk", "longer key");
        assert_int_equal(f->kv->ops->count(f->kv, 0, &n), 0);
        assert_int_equal(n, 1);
        commit(f);
}

static void test_sizes(void **state) {
        static const size_t sizes[] = { 1, 2, 160, 511 };
        static const size_t bad_sizes[] = { 0, 512 };
        Fixture *f = *state;
        uint8_t key[512];
        _cleanup_free_ uint8_t *value = malloc(VALUE_LARGE);
        Slice found;

        assert_non_null(value);
        memset(key, 'k', sizeof(key));
        memset(value, 0xa5, VALUE_LARGE);
        begin(f, true);
        for (size_t i = 0; i < ELEMENTS(sizes); i++)
                assert_int_equal(f->kv->ops->put(f->kv, 0, (Slice){ key, sizes[i] },
                                                 (Slice){ value, VALUE_LARGE - i }),
                                 0);
        for (size_t i = 0; i < ELEMENTS(bad_sizes); i++)
                assert_int_equal(f->kv->ops->put(f->kv, 0, (Slice){ key, bad_sizes[i] },
                                                 (Slice){ value, 1 }),
                                 -E2BIG);
        commit(f);
        fixture_reopen(f);
        begin(f, false);
        for (size_t i = 0; i < ELEMENTS(sizes); i++) {
                assert_int_equal(f->kv->ops->get(f->kv, 0, (Slice){ key, sizes[i] }, &found), 0);
                assert_int_equal(found.size, VALUE_LARGE - i);
                assert_memory_equal(found.data, value, found.size);
        }
        end(f);
}

static void test_transactions(void **state) {
        Fixture *f = *state;

        begin(f, true);
        put(f, 0, "kept", "1");
        put(f, 0, "changed", "1");
        put(f, 0, "removed", "1");
        commit(f);

        begin(f, true);
        put(f, 0, "changed", "2");
        put(f, 0, "changed", "3");
        put(f, 0, "new", "2");
        put(f, 1, "elsewhere", "2");
        assert_int_equal(f->kv->ops->remove(f->kv, 0, slice_of("removed")), 0);
        put(f, 0, "removed", "2");
        assert_int_equal(f->kv->ops->remove(f->kv, 0, slice_of("removed")), 0);
        end(f); /* takes it all back */

        for (unsigned pass = 0; pass < 2; pass++) {
                begin(f, false);
                assert_has(f, 0, "kept", "1");
                assert_has(f, 0, "changed", "1");
                assert_has(f, 0, "removed", "1");
                assert_has(f, 0, "new", NULL);
                assert_has(f, 1, "elsewhere", NULL);
                end(f);
                end(f); /* of nothing: allowed */
                fixture_reopen(f);
        }
}

/* Freed with a transaction open, as when the process dies. */
static void test_crash(void **state) {
        Fixture *f = *state;

        begin(f, true);
        put(f, 0, "k", "durable");
        commit(f);
        begin(f, true);
        put(f, 0, "k", "lost");
        put(f, 1, "k", "lost");
        fixture_reopen(f);
        begin(f, false);
        assert_has(f, 0, "k", "durable");
        assert_has(f, 1, "k", NULL);
        fixture_reopen(f);
        begin(f, true);
        assert_has(f, 0, "k", "durable");
        commit(f);
}

static void test_slices_hold(void **state) {
        Fixture *f = *state;
        Slice a, b, key, value;

        begin(f, true);
        put(f, 0, "a", "first");
        put(f, 0, "b", "second");
        commit(f);
        begin(f, false);
        assert_int_equal(f->kv->ops->get(f->kv, 0, slice_of("a"), &a), 0);
        assert_int_equal(f->kv->ops->get(f->kv, 0, slice_of("b"), &b), 0);
        assert_int_equal(f->kv->ops->seek(f->kv, 0, KV_FROM, slice_of("b"), &key, &value), 0);
        assert_memory_equal(a.data, "first", a.size);
        assert_memory_equal(b.data, "second", b.size);
        assert_memory_equal(key.data, "b", key.size);
        assert_memory_equal(value.data, "second", value.size);
        end(f);
}

static void test_stats(void **state) {
        Fixture *f = *state;
        KvStats stats;

        assert_int_equal(f->kv->ops->stats(f->kv, &stats), 0);
        assert_true(stats.bytes_used <= stats.bytes_max);
        assert_true(stats.bytes_file >= stats.bytes_used);
        assert_true(!f->lmdb || stats.bytes_max == MAP_SIZE);
}

/* ---- seeking -------------------------------------------------------------------------------- */

static void test_seek(void **state) {
        static const struct {
                KvSeek how;
                const char *key, *found;
        } cases[] = {
                { KV_FROM, "", "b" },     { KV_FROM, "a", "b" },    { KV_FROM, "b", "b" },
                { KV_FROM, "b0", "bb" },  { KV_FROM, "bb", "bb" },  { KV_FROM, "bbb", "d" },
                { KV_FROM, "d", "d" },    { KV_FROM, "d0", NULL },  { KV_AFTER, "", "b" },
                { KV_AFTER, "a", "b" },   { KV_AFTER, "b", "bb" },  { KV_AFTER, "bb", "d" },
                { KV_AFTER, "c", "d" },   { KV_AFTER, "d", NULL },  { KV_AFTER, "e", NULL },
                { KV_BEFORE, "", NULL },  { KV_BEFORE, "a", NULL }, { KV_BEFORE, "b", NULL },
                { KV_BEFORE, "bb", "b" }, { KV_BEFORE, "c", "bb" }, { KV_BEFORE, "d", "bb" },
                { KV_BEFORE, "e", "d" },  { KV_BEFORE, "b0", "b" },
        };
        Fixture *f = *state;

        begin(f, true);
        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                Slice key, value;

                assert_int_equal(f->kv->ops->seek(f->kv, 0, cases[i].how, slice_of(cases[i].key),
                                                  &key, &value),
                                 -ENOENT); /* nothing there */
        }
        put(f, 0, "d", "d");
        put(f, 0, "bb", "bb");
        put(f, 0, "b", "b");
        put(f, 1, "c", "of another");
        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                Slice key = {}, value = {};
                int r = f->kv->ops->seek(f->kv, 0, cases[i].how, slice_of(cases[i].key), &key,
                                         &value);

                assert_int_equal(r, cases[i].found ? 0 : -ENOENT);
                if (cases[i].found && (key.size != strlen(cases[i].found) ||
                                       memcmp(key.data, cases[i].found, key.size) != 0))
                        fail_msg("case %zu: found '%.*s'", i, (int)key.size,
                                 (const char *)key.data);
                if (cases[i].found)
                        assert_memory_equal(value.data, cases[i].found, value.size);
        }
        end(f);
}

/* ---- everything, at random ------------------------------------------------------------------ */

#define MODEL_KEYS 200

/* Keys are numbers of two digits' bytes; what is there is a version, 0: nothing. */
typedef struct Model {
        uint32_t versions[DATABASES][MODEL_KEYS];
} Model;

static Slice model_key(unsigned i, uint8_t buffer[static 4]) {
        store_be16(buffer, (uint16_t)(i / 2));
        buffer[2] = 'x'; /* of each pair one key is the beginning of the other */
        return (Slice){ buffer, 2 + i % 2 };
}

static void assert_same(Fixture *f, const Model *model) {
        for (unsigned db = 0; db < DATABASES; db++) {
                Slice at = {}, key, value;
                uint64_t n, expected = 0;
                uint8_t position[4];

                for (unsigned i = 0; i < MODEL_KEYS; i++) {
                        uint8_t buffer[4];
                        Slice wanted = model_key(i, buffer);

                        if (!model->versions[db][i])
                                continue;
                        expected++;
                        assert_int_equal(f->kv->ops->seek(f->kv, db, KV_AFTER, at, &key, &value),
                                         0);
                        assert_int_equal(key.size, wanted.size);
                        assert_memory_equal(key.data, wanted.data, key.size);
                        assert_int_equal(value.size, 4 + model->versions[db][i] % 300);
                        assert_memory_equal(value.data, &model->versions[db][i], 4);
                        memcpy(position, key.data, key.size);
                        at = (Slice){ position, key.size };
                }
                assert_int_equal(f->kv->ops->seek(f->kv, db, KV_AFTER, at, &key, &value), -ENOENT);
                assert_int_equal(f->kv->ops->count(f->kv, db, &n), 0);
                assert_int_equal(n, expected);
        }
}

static void write_one(Fixture *f, Rng *rng, Model *model, uint32_t version) {
        unsigned db = (unsigned)rng_below(rng, DATABASES), i = (unsigned)rng_below(rng, MODEL_KEYS);
        uint8_t buffer[4], bytes[304] = {};
        Slice key = model_key(i, buffer);

        if (rng_one_in(rng, 3)) {
                assert_int_equal(f->kv->ops->remove(f->kv, db, key),
                                 model->versions[db][i] ? 0 : -ENOENT);
                model->versions[db][i] = 0;
                return;
        }
        memcpy(bytes, &version, 4);
        assert_int_equal(f->kv->ops->put(f->kv, db, key, (Slice){ bytes, 4 + version % 300 }), 0);
        model->versions[db][i] = version;
}

static void test_random(void **state) {
        Fixture *f = *state;
        Model durable = {}, model;
        Rng rng = { 1 };
        uint32_t version = 0;

        for (unsigned round = 0; round < 150; round++) {
                model = durable;
                begin(f, true);
                for (uint64_t n = rng_below(&rng, 60); n > 0; n--)
                        write_one(f, &rng, &model, ++version);
                assert_same(f, &model);
                if (rng_one_in(&rng, 4))
                        end(f);
                else if (rng_one_in(&rng, 6))
                        fixture_reopen(f);
                else {
                        commit(f);
                        durable = model;
                }
                if (rng_one_in(&rng, 10))
                        fixture_reopen(f);
                begin(f, false);
                assert_same(f, &durable);
                end(f);
        }
}

/* ---- what only the memory does -------------------------------------------------------------- */

static void test_told_to_fail(void **state) {
        static const int errors[] = { -ENOSPC, -EIO };
        Fixture *f = *state;
        Slice value;

        begin(f, true);
        put(f, 0, "k", "durable");
        commit(f);
        for (size_t i = 0; i < ELEMENTS(errors); i++) {
                memory_disk_fail(f->disk, MEMORY_COMMIT, 2, errors[i]);
                begin(f, true);
                commit(f);
                begin(f, true);
                put(f, 0, "k", "never there");
                assert_int_equal(f->kv->ops->commit(f->kv), errors[i]);
                assert_int_equal(f->kv->ops->begin(f->kv, false), errors[i] == -EIO ? -EIO : 0);
                fixture_reopen(f);

                memory_disk_fail(f->disk, MEMORY_WRITE, 2, errors[i]);
                begin(f, true);
                put(f, 0, "k", "never there");
                assert_int_equal(f->kv->ops->put(f->kv, 1, slice_of("k"), slice_of("x")),
                                 errors[i]);
                /* what is left of the transaction is good for nothing */
                assert_int_equal(f->kv->ops->get(f->kv, 0, slice_of("k"), &value), -EIO);
                assert_int_equal(f->kv->ops->commit(f->kv), -EIO);
                fixture_reopen(f);

                memory_disk_fail(f->disk, MEMORY_BEGIN, 1, errors[i]);
                assert_int_equal(f->kv->ops->begin(f->kv, true), errors[i]);
                fixture_reopen(f);
                begin(f, false);
                assert_has(f, 0, "k", "durable");
                assert_has(f, 1, "k", NULL);
                end(f);
        }
}

#define TEST_BOTH(test)                                                                            \
        { #test ": lmdb", test, setup_lmdb, teardown, NULL }, {                                    \
#test ": memory", test, setup_memory, teardown, NULL                               \
        }

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST_BOTH(test_values),
                TEST_BOTH(test_sizes),
                TEST_BOTH(test_transactions),
                TEST_BOTH(test_crash),
                TEST_BOTH(test_slices_hold),
                TEST_BOTH(test_stats),
                TEST_BOTH(test_seek),
                TEST_BOTH(test_random),
                { "test_told_to_fail: memory", test_told_to_fail, setup_memory, teardown, NULL },
        };

        return cmocka_run_group_tests_name("kv", tests, NULL, NULL);
}
