/* SPDX-License-Identifier: Apache-2.0 */

#include "loop/request.h"

#include <errno.h>
#include <lmdb.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/macro.h"

#include "kv-memory.c"
#include "shelf.c"
#include "world.c"

#define KEEP DAYS(7)

static char directory[] = "/tmp/test-request-XXXXXX";

static int setup(void **state) {
        static World world;

        snprintf(directory, sizeof(directory), "/tmp/test-request-XXXXXX");
        make_directory(directory);
        world_init(&world, NULL, directory);
        world_commit(&world);
        *state = &world;
        return 0;
}

static int teardown(void **state) {
        world_done(*state);
        remove_directory(directory);
        return 0;
}

/* Stores an answer to the nth request of somebody. */
static int put(World *world, unsigned nth) {
        Origin origin = engine_origin(world->engine, world->now, "answer");
        char name[16], token[REQUEST_TOKEN_SIZE], body[REQUEST_TOKEN_SIZE];
        Request request = { .token = token, .body = body, .at = world->now, .id = nth };
        Change *change;
        int r;

        snprintf(name, sizeof(name), "r%u", nth);
        request_token("uid:1", name, token);
        request_body("Create", (Slice){ name, strlen(name) }, body);
        assert_int_equal(change_begin(world->store, &change), 0);
        r = request_put(change, &request, KEEP);
        if (r < 0)
                change_drop(change);
        else
                r = change_apply(change, &origin);
        return r < 0 ? r : store_commit(world->store);
}

static int find(World *world, const char *actor, unsigned nth, const char *member) {
        char name[16], token[REQUEST_TOKEN_SIZE], body[REQUEST_TOKEN_SIZE];
        Request request = {};
        int r;

        snprintf(name, sizeof(name), "r%u", nth);
        request_token(actor, name, token);
        request_body(member, (Slice){ name, strlen(name) }, body);
        r = request_find(world->store, token, body, &request, &world->refusal);
        if (r == 0)
                assert_int_equal(request.id, nth);
        record_done(&request_type, &request);
        return r;
}

/* The same request of the same caller, and nothing else, is the same. */
static void test_find(void **state) {
        World *world = *state;

        assert_int_equal(find(world, "uid:1", 1, "Create"), -ENOENT);
        assert_int_equal(put(world, 1), 0);
        assert_int_equal(find(world, "uid:1", 1, "Create"), 0);
        assert_int_equal(find(world, "uid:1", 1, "Accept"), REFUSED_REQUEST_ID);
        assert_int_equal(find(world, "uid:2", 1, "Create"), -ENOENT);
        assert_int_equal(find(world, "uid:1", 2, "Create"), -ENOENT);
}

/* What separates who and what is part of the digest: "ab" + "c" is not "a" + "bc". */
static void test_tokens(_unused_ void **state) {
        char a[REQUEST_TOKEN_SIZE], b[REQUEST_TOKEN_SIZE];

        request_token("ab", "c", a);
        request_token("a", "bc", b);
        assert_string_not_equal(a, b);
        assert_int_equal(strlen(a), REQUEST_TOKEN_SIZE - 1);
        request_body("ab", (Slice){ "c", 1 }, a);
        request_body("a", (Slice){ "bc", 2 }, b);
        assert_string_not_equal(a, b);
}

static unsigned count(World *world) {
        uint64_t n;

        assert_int_equal(store_count(world->store, &request_table, &n), 0);
        return (unsigned)n;
}

/* Kept for a week, then each new answer takes the place of two. */
static void test_forgotten(void **state) {
        World *world = *state;

        for (unsigned i = 1; i <= 6; i++) {
                assert_int_equal(put(world, i), 0);
                world->now++;
        }
        world->now += KEEP - 6;
        assert_int_equal(put(world, 7), 0); /* the first is exactly a week old: it stays */
        assert_int_equal(count(world), 7);
        world->now++;
        assert_int_equal(put(world, 8), 0);
        assert_int_equal(count(world), 7);
        assert_int_equal(find(world, "uid:1", 1, "Create"), -ENOENT);
        assert_int_equal(find(world, "uid:1", 2, "Create"), 0);
        world->now += DAYS(1);
        assert_int_equal(put(world, 9), 0);
        assert_int_equal(count(world), 6);
}

/* A clock that is not believed makes no answer old. */
static void test_wrong_clock(void **state) {
        World *world = *state;

        assert_int_equal(put(world, 1), 0);
        store_note_time(world->store, world->now);
        world->now += KEEP * 100;
        assert_int_equal(put(world, 2), 0);
        assert_int_equal(find(world, "uid:1", 1, "Create"), 0);
        store_note_time(world->store, world->now);
        assert_int_equal(put(world, 3), 0);
        assert_int_equal(find(world, "uid:1", 1, "Create"), -ENOENT);
}

/* Two of the oldest. */
static void damage(MDB_txn *txn, unsigned dbi) {
        for (unsigned i = 1; i <= 2; i++) {
                char name[16], token[REQUEST_TOKEN_SIZE];
                MDB_val k = { REQUEST_TOKEN_SIZE - 1, token }, v = { 5, (void *)"bytes" };

                snprintf(name, sizeof(name), "r%u", i);
                request_token("uid:1", name, token);
                assert_int_equal(mdb_put(txn, dbi, &k, &v, 0), 0);
        }
}

/* An old answer that nobody can read any more must not keep new ones from being stored. */
static void test_damaged(void **state) {
        World *world = *state;
        Shelf shelf = {};

        for (unsigned i = 1; i <= 6; i++)
                assert_int_equal(put(world, i), 0);
        assert_int_equal(store_settle(world->store), 0);
        world->store = store_free(world->store);
        snprintf(shelf.directory, sizeof(shelf.directory), "%s", directory);
        shelf_edit(&shelf, "request", damage);
        world_reopen(world, NULL);
        world->now += KEEP + 1;
        assert_int_equal(put(world, 7), 0);
        assert_int_equal(count(world), 5);
        assert_int_equal(put(world, 8), 0);
        assert_int_equal(count(world), 4);
        assert_int_equal(find(world, "uid:1", 1, "Create"), -EBADMSG);
        assert_int_equal(find(world, "uid:1", 8, "Create"), 0);
}

#define IN_WORLD(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                IN_WORLD(test_find),        cmocka_unit_test(test_tokens), IN_WORLD(test_forgotten),
                IN_WORLD(test_wrong_clock), IN_WORLD(test_damaged),
        };

        return cmocka_run_group_tests_name("request", tests, NULL, NULL);
}
