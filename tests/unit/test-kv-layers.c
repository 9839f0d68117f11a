/* SPDX-License-Identifier: Apache-2.0 */

/* A store over another one, an overlay or what gathers in memory, against a plain one that was
 * given the same: whatever is asked of both, they answer alike. Below an overlay all stays as it
 * was; below what gathers all stands in the end. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kv-memory.c"
#include "store/kv-gather.h"
#include "store/kv-overlay.h"

#define DATABASES 2
#define KEYS      60
#define STEPS     60000
#define ROUNDS    20

typedef struct Pair {
        Kv *layered, *plain;
} Pair;

static Slice text_slice(const char *text) {
        return (Slice){ text, strlen(text) };
}

static const char *random_key(char buffer[static 8]) {
        snprintf(buffer, 8, "k%ld", random() % KEYS);
        return buffer;
}

/* A store over memory with some content; the disk is leaked to the end of the test by its Kv. */
static Kv *open_filled(MemoryDisk *disk, unsigned seed) {
        Kv *kv = memory_disk_open(disk);
        char key[8];

        assert_non_null(kv);
        srandom(seed);
        assert_int_equal(kv->ops->begin(kv, true), 0);
        for (unsigned db = 0; db < DATABASES; db++)
                for (unsigned i = 0; i < KEYS / 2; i++)
                        assert_int_equal(kv->ops->put(kv, db, text_slice(random_key(key)),
                                                      text_slice("below")),
                                         0);
        assert_int_equal(kv->ops->commit(kv), 0);
        return kv;
}

static void assert_same_slice(Slice a, Slice b) {
        assert_int_equal(a.size, b.size);
        if (a.size > 0)
                assert_memory_equal(a.data, b.data, a.size);
}

static void same_get(Pair *pair, unsigned db, const char *key) {
        Slice a = {}, b = {};
        int r = pair->layered->ops->get(pair->layered, db, text_slice(key), &a);

        assert_int_equal(pair->plain->ops->get(pair->plain, db, text_slice(key), &b), r);
        if (r == 0)
                assert_same_slice(a, b);
}

static void same_seek(Pair *pair, unsigned db, KvSeek how, const char *key) {
        Slice key_a = {}, value_a = {}, key_b = {}, value_b = {};
        int r = pair->layered->ops->seek(pair->layered, db, how, text_slice(key), &key_a, &value_a);

        assert_int_equal(
                pair->plain->ops->seek(pair->plain, db, how, text_slice(key), &key_b, &value_b), r);
        if (r < 0)
                return;
        assert_same_slice(key_a, key_b);
        assert_same_slice(value_a, value_b);
}

static void same_count(Pair *pair, unsigned db) {
        uint64_t a = 1, b = 2;

        assert_int_equal(pair->layered->ops->count(pair->layered, db, &a), 0);
        assert_int_equal(pair->plain->ops->count(pair->plain, db, &b), 0);
        assert_int_equal(a, b);
}

static void same_write(Pair *pair, unsigned db, const char *key) {
        char value[16];
        Slice slice;

        if (random() % 2) {
                snprintf(value, sizeof(value), "%ld", random() % 1000);
                slice = text_slice(value);
                if (random() % 10 == 0)
                        slice.size = 0;
                assert_int_equal(pair->layered->ops->put(pair->layered, db, text_slice(key), slice),
                                 0);
                assert_int_equal(pair->plain->ops->put(pair->plain, db, text_slice(key), slice), 0);
        } else {
                int r = pair->layered->ops->remove(pair->layered, db, text_slice(key));

                assert_int_equal(pair->plain->ops->remove(pair->plain, db, text_slice(key)), r);
        }
}

static void begin(Pair *pair, bool write) {
        assert_int_equal(pair->layered->ops->begin(pair->layered, write), 0);
        assert_int_equal(pair->plain->ops->begin(pair->plain, write), 0);
}

static void finish(Pair *pair, bool write) {
        if (write && random() % 3) {
                assert_int_equal(pair->layered->ops->commit(pair->layered), 0);
                assert_int_equal(pair->plain->ops->commit(pair->plain), 0);
                return;
        }
        pair->layered->ops->end(pair->layered);
        pair->plain->ops->end(pair->plain);
}

static void step(Pair *pair, bool write) {
        static const KvSeek hows[] = { KV_FROM, KV_AFTER, KV_BEFORE };
        unsigned db = (unsigned)(random() % DATABASES);
        char key[8];

        random_key(key);
        if (write && random() % 3 == 0)
                same_write(pair, db, key);
        same_get(pair, db, key);
        same_seek(pair, db, hows[random() % 3], random() % 20 ? key : "");
        same_count(pair, db);
}

/* Sometimes there is no room for all of it: then nothing has happened. */
static void write_in_memory(Pair *pair, MemoryDisk *below) {
        bool fails = random() % 3 == 0;
        int r;

        if (fails)
                memory_disk_fail(below, random() % 2 ? MEMORY_WRITE : MEMORY_COMMIT, 1, -ENOSPC);
        r = kv_gather_write(pair->layered);
        memory_disk_fail(below, MEMORY_WRITE, 0, 0);
        memory_disk_fail(below, MEMORY_COMMIT, 0, 0);
        assert_true(r == 0 || (fails && r == -ENOSPC));
}

/* What nobody else hears of. */
static void write_besides(Kv *kv) {
        char key[8];

        for (long n = random() % 10; n > 0; n--)
                assert_int_equal(kv->ops->put(kv, (unsigned)(random() % DATABASES),
                                              text_slice(random_key(key)), text_slice("lost")),
                                 0);
}

/* One transaction is sealed and the next goes on over it; then each of them is kept or lost, the
 * former not without the latter. For the plain one they are one. */
static void run_sealed(Pair *pair) {
        bool keep_first = random() % 2, keep_next = keep_first && random() % 2;

        begin(pair, true);
        for (long n = random() % 20; n > 0; n--)
                step(pair, true);
        kv_gather_seal(pair->layered);
        assert_int_equal(pair->layered->ops->begin(pair->layered, true), 0);
        if (keep_next) {
                for (long n = random() % 20; n > 0; n--)
                        step(pair, true);
                if (random() % 2)
                        kv_gather_keep(pair->layered); /* while it is open */
                assert_int_equal(pair->layered->ops->commit(pair->layered), 0);
        } else {
                write_besides(pair->layered);
                pair->layered->ops->end(pair->layered);
        }
        if (keep_first) {
                kv_gather_keep(pair->layered);
                assert_int_equal(pair->plain->ops->commit(pair->plain), 0);
        } else {
                kv_gather_take_back(pair->layered);
                pair->plain->ops->end(pair->plain);
        }
}

/* `gathers`: on that disk. */
static void run_steps(Pair *pair, MemoryDisk *gathers) {
        for (unsigned i = 0; i < STEPS / ROUNDS;) {
                bool write = random() % 2;

                begin(pair, write);
                for (long n = random() % 40; n >= 0; n--, i++)
                        step(pair, write);
                finish(pair, write);
                if (gathers && random() % 3 == 0)
                        run_sealed(pair);
                if (gathers && random() % 8 == 0)
                        write_in_memory(pair, gathers);
        }
}

static void same_everywhere(Pair *pair) {
        begin(pair, false);
        for (unsigned db = 0; db < DATABASES; db++) {
                same_count(pair, db);
                for (unsigned i = 0; i < KEYS; i++) {
                        char key[8];

                        snprintf(key, sizeof(key), "k%u", i);
                        same_get(pair, db, key);
                }
        }
        finish(pair, false);
}

static void free_pair(Pair *pair) {
        pair->layered->ops->free(pair->layered);
        pair->plain->ops->free(pair->plain);
}

static void overlay_round(unsigned seed) {
        MemoryDisk *below = memory_disk_new(), *above = memory_disk_new(),
                   *plain = memory_disk_new();
        Pair pair = { .plain = open_filled(plain, seed) };

        assert_int_equal(kv_overlay_new(open_filled(below, seed), memory_disk_open(above),
                                        DATABASES, &pair.layered),
                         0);
        run_steps(&pair, NULL);
        free_pair(&pair);
        memory_disk_free(plain);
        plain = memory_disk_new();
        pair = (Pair){ .layered = memory_disk_open(below), .plain = open_filled(plain, seed) };
        same_everywhere(&pair);
        free_pair(&pair);
        memory_disk_free(below);
        memory_disk_free(above);
        memory_disk_free(plain);
}

static void gather_round(unsigned seed) {
        MemoryDisk *below = memory_disk_new(), *plain = memory_disk_new();
        Pair pair = { .plain = open_filled(plain, seed) };

        assert_int_equal(kv_gather_new(open_filled(below, seed), DATABASES, &pair.layered), 0);
        run_steps(&pair, below);
        same_everywhere(&pair);
        /* What an open transaction has written goes along. */
        begin(&pair, true);
        for (unsigned i = 0; i < 20; i++)
                step(&pair, true);
        assert_int_equal(kv_gather_write(pair.layered), 0);
        assert_int_equal(pair.plain->ops->commit(pair.plain), 0);
        pair.layered->ops->end(pair.layered);
        free_pair(&pair);
        pair = (Pair){ .layered = memory_disk_open(below), .plain = memory_disk_open(plain) };
        same_everywhere(&pair);
        free_pair(&pair);
        memory_disk_free(below);
        memory_disk_free(plain);
}

static int create_nothing(Kv *kv _unused_, void *userdata _unused_) {
        return 0;
}

static void remove_directory(const char *directory) {
        static const char *const names[] = { "state.mdb", "state.mdb-lock", "state.lock" };
        char path[64];

        for (size_t i = 0; i < ELEMENTS(names); i++) {
                snprintf(path, sizeof(path), "%s/%s", directory, names[i]);
                remove(path);
        }
        assert_int_equal(remove(directory), 0);
}

/* On LMDB, whose thread writes while the steps go on. */
static void beside_round(unsigned seed, unsigned *frozen, unsigned *meanwhile) {
        static const char *const databases[DATABASES] = { "a", "b" };
        char directory[] = "/tmp/test-kv-layers-XXXXXX";
        KvLmdbOptions options = { .directory = mkdtemp(directory),
                                  .databases = databases,
                                  .n_databases = DATABASES,
                                  .map_size = 16 * 1024 * 1024,
                                  .create = create_nothing };
        MemoryDisk *plain = memory_disk_new();
        Pair pair = { .plain = memory_disk_open(plain) };
        Refusal why = {};
        Kv *base = NULL;

        srandom(seed);
        assert_int_equal(kv_lmdb_open(&options, &base, &why), 0);
        assert_int_equal(kv_gather_new(base, DATABASES, &pair.layered), 0);
        for (unsigned i = 0; i < STEPS / ROUNDS;) {
                bool write = random() % 2;
                int r;

                begin(&pair, write);
                for (long n = random() % 40; n >= 0; n--, i++)
                        step(&pair, write);
                r = kv_gather_thaw(pair.layered, false); /* also within a transaction */
                assert_true(r == 0 || r == -EAGAIN);
                same_get(&pair, 0, "k1");
                finish(&pair, write);
                *meanwhile += r == -EAGAIN;
                if (r == 0 && random() % 3 == 0) {
                        assert_int_equal(kv_gather_freeze(pair.layered), 0);
                        (*frozen)++;
                } else if (random() % 50 == 0)
                        assert_int_equal(kv_gather_write(pair.layered), 0);
        }
        assert_int_equal(kv_gather_thaw(pair.layered, true), 0);
        assert_false(kv_gather_is_frozen(pair.layered));
        same_everywhere(&pair);
        assert_int_equal(kv_gather_write(pair.layered), 0);
        pair.layered->ops->free(pair.layered);
        assert_int_equal(kv_lmdb_open(&options, &pair.layered, &why), 0);
        same_everywhere(&pair);
        free_pair(&pair);
        memory_disk_free(plain);
        remove_directory(directory);
}

static void test_overlay(void **state _unused_) {
        for (unsigned round = 0; round < ROUNDS; round++)
                overlay_round(20261126 + round);
}

static void test_gather(void **state _unused_) {
        for (unsigned round = 0; round < ROUNDS; round++)
                gather_round(20261127 + round);
}

static void test_beside(void **state _unused_) {
        unsigned frozen = 0, meanwhile = 0;

        for (unsigned round = 0; round < ROUNDS; round++)
                beside_round(20261128 + round, &frozen, &meanwhile);
        assert_true(frozen > ROUNDS / 2 && meanwhile > 0);
}

/* What is written stays written: that it cannot be read afterwards is no failure to write. */
static void test_not_readable(void **state _unused_) {
        MemoryDisk *disk = memory_disk_new();
        Slice value;
        Kv *kv;

        assert_int_equal(kv_gather_new(memory_disk_open(disk), DATABASES, &kv), 0);
        assert_int_equal(kv->ops->begin(kv, true), 0);
        assert_int_equal(kv->ops->put(kv, 0, text_slice("key"), text_slice("value")), 0);
        memory_disk_fail(disk, MEMORY_BEGIN, 2, -ENOMEM);
        assert_int_equal(kv_gather_write(kv), -EIO);
        kv->ops->end(kv);
        kv->ops->free(kv);
        kv = memory_disk_open(disk);
        assert_int_equal(kv->ops->begin(kv, false), 0);
        assert_int_equal(kv->ops->get(kv, 0, text_slice("key"), &value), 0);
        kv->ops->free(kv);
        memory_disk_free(disk);
}

/* ---- a queue ---- */

#define QUEUE 1000

static const KvOps *counted;
static size_t seeks;

static int counting_seek(Kv *kv, unsigned db, KvSeek how, Slice key, Slice *ret_key,
                         Slice *ret_value) {
        seeks++;
        return counted->seek(kv, db, how, key, ret_key, ret_value);
}

static void assert_first(Kv *kv, const char *wanted) {
        Slice key, value;

        assert_int_equal(kv->ops->seek(kv, 0, KV_FROM, (Slice){}, &key, &value), 0);
        assert_same_slice(key, text_slice(wanted));
        assert_int_equal(kv->ops->seek(kv, 0, KV_AFTER, (Slice){}, &key, &value), 0);
        assert_same_slice(key, text_slice(wanted));
}

static void take_all(Kv *kv) {
        for (size_t i = 0; i < QUEUE; i++) {
                Slice key, value;
                char wanted[8];

                snprintf(wanted, sizeof(wanted), "q%04zu", i);
                assert_int_equal(kv->ops->seek(kv, 0, KV_FROM, (Slice){}, &key, &value), 0);
                assert_same_slice(key, text_slice(wanted));
                assert_int_equal(kv->ops->remove(kv, 0, text_slice(wanted)), 0);
        }
}

/* Taking away the first again and again does not pass over all that was there each time. */
static void test_queue(void **state _unused_) {
        MemoryDisk *disk = memory_disk_new();
        Kv *base = memory_disk_open(disk), *kv;
        Slice key, value;
        KvOps counting;
        char name[8];

        assert_int_equal(base->ops->begin(base, true), 0);
        for (size_t i = 0; i < QUEUE; i++) {
                snprintf(name, sizeof(name), "q%04zu", i);
                assert_int_equal(base->ops->put(base, 0, text_slice(name), text_slice("")), 0);
        }
        assert_int_equal(base->ops->commit(base), 0);
        counted = base->ops;
        counting = *base->ops;
        counting.seek = counting_seek;
        base->ops = &counting;
        assert_int_equal(kv_gather_new(base, 1, &kv), 0);

        assert_int_equal(kv->ops->begin(kv, true), 0);
        seeks = 0;
        take_all(kv);
        assert_in_range(seeks, QUEUE, 2 * QUEUE);
        assert_int_equal(kv->ops->seek(kv, 0, KV_FROM, (Slice){}, &key, &value), -ENOENT);
        kv->ops->end(kv);

        /* Taken back, all is there again; what comes in front of the first is the first. */
        assert_int_equal(kv->ops->begin(kv, true), 0);
        assert_first(kv, "q0000");
        take_all(kv);
        assert_int_equal(kv->ops->put(kv, 0, text_slice("q0500"), text_slice("")), 0);
        assert_first(kv, "q0500");
        assert_int_equal(kv->ops->put(kv, 0, text_slice("a"), text_slice("")), 0);
        assert_first(kv, "a");
        assert_int_equal(kv->ops->commit(kv), 0);
        assert_int_equal(kv_gather_write(kv), 0);
        assert_int_equal(kv->ops->begin(kv, false), 0);
        assert_first(kv, "a");
        kv->ops->end(kv);
        kv->ops->free(kv);
        memory_disk_free(disk);
}

int main(void) {
        const struct CMUnitTest tests[] = { cmocka_unit_test(test_overlay),
                                            cmocka_unit_test(test_gather),
                                            cmocka_unit_test(test_beside),
                                            cmocka_unit_test(test_queue),
                                            cmocka_unit_test(test_not_readable) };

        return cmocka_run_group_tests_name("layers", tests, NULL, NULL);
}
