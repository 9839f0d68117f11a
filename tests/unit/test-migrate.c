/* SPDX-License-Identifier: Apache-2.0 */

/* Changing the schema in pieces: wherever it is cut short, each record is changed once. */

#include "store/migrate.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "store/internal.h"

#include "kv-memory.c"
#include "shelf.c"

#define ITEMS      20
#define IN_A_PIECE 3
#define PIECES_ALL (ITEMS / IN_A_PIECE + 1)

static int pieces_left; /* until it is cut short */
static int pieces_told;

static int raise_groups(Change *change, Key *position) {
        if (pieces_left-- == 0)
                return -EINTR;
        for (int n = 0; n < IN_A_PIECE; n++) {
                Item item;
                int r = store_next(change_store(change), &item_table, position, &item);

                if (r < 0)
                        return r;
                item.head.group++;
                r = change_put(change, &item_table, &item);
                record_done(&item_type, &item);
                if (r < 0)
                        return r;
        }
        return 0;
}

#define SCHEMA_BEFORE (STORE_SCHEMA_VERSION - 1)

static const Migration migrations[] = { { SCHEMA_BEFORE, "migrate.group", raise_groups }, {} };

static void tell_piece(void *userdata, const Migration *migration) {
        assert_null(userdata);
        assert_ptr_equal(migration, &migrations[0]);
        pieces_told++;
}

/* A store as an older program would have left it. */
static void make_old(Shelf *shelf) {
        Store *store = shelf->store;

        for (int i = 0; i < ITEMS; i++)
                shelf_add(shelf, "a name", 1, "red");
        shelf_commit(shelf);
        assert_int_equal(store_settle(store), 0);
        assert_int_equal(store_begin_batch(store), 0);
        assert_int_equal(store_put_schema(store, SCHEMA_BEFORE), 0);
        store->batch.changes++;
        assert_int_equal(store_commit_whole(store), 0);
        shelf_close(shelf);
}

static void assert_refused(Shelf *shelf) {
        Refusal why = {};
        char told[100];

        snprintf(told, sizeof(told), "has schema %d: start aftersalesd once to bring it to %d",
                 SCHEMA_BEFORE, STORE_SCHEMA_VERSION);
        shelf->options.old = false;
        assert_int_equal(shelf_try_open(shelf, &why), -EPROTONOSUPPORT);
        assert_non_null(strstr(why.text, told));
        shelf->options.old = true;
}

static int migrate(Shelf *shelf, int pieces) {
        pieces_left = pieces;
        return store_migrate(shelf->store, migrations, shelf->now, tell_piece, NULL);
}

/* Cut short after so many pieces, time and again. */
static void test_cut_short(void **state) {
        Shelf *shelf = *state;
        int done = 0;

        make_old(shelf);
        for (int pieces = 0;; pieces = pieces % 3 + 1) {
                int r;

                assert_refused(shelf);
                shelf_open(shelf);
                assert_int_equal(store_schema(shelf->store), SCHEMA_BEFORE);
                assert_int_equal(store_is_migrating(shelf->store), done > 0);
                r = migrate(shelf, pieces);
                if (r == 0)
                        break;
                assert_int_equal(r, -EINTR);
                done += pieces;
                assert_int_equal(pieces_told, done);
                for (uint64_t i = 1; i <= ITEMS; i++)
                        assert_int_equal(
                                shelf_group(shelf, (uint64_t)SHELF_SITE << ID_SITE_SHIFT | i),
                                i <= (uint64_t)done * IN_A_PIECE ? 2 : 1);
                shelf_close(shelf);
        }
        assert_int_equal(pieces_told, PIECES_ALL);
        shelf->options.old = false;
        shelf_reopen(shelf);
        assert_int_equal(store_schema(shelf->store), STORE_SCHEMA_VERSION);
        assert_false(store_is_migrating(shelf->store));
        for (uint64_t i = 1; i <= ITEMS; i++)
                assert_int_equal(shelf_group(shelf, (uint64_t)SHELF_SITE << ID_SITE_SHIFT | i), 2);
        /* Nothing is done twice. */
        assert_int_equal(migrate(shelf, PIECES_ALL), 0);
        assert_int_equal(pieces_told, PIECES_ALL);
}

static int reset(void **state) {
        pieces_told = 0;
        return shelf_setup(state);
}

static int reset_memory(void **state) {
        pieces_told = 0;
        return shelf_setup_memory(state);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_cut_short, reset, shelf_teardown),
                cmocka_unit_test_setup_teardown(test_cut_short, reset_memory, shelf_teardown),
        };

        return cmocka_run_group_tests_name("migrate", tests, NULL, NULL);
}
