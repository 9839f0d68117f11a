/* SPDX-License-Identifier: Apache-2.0 */

#include "store/list.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "aftersales/limits.h"
#include "base/macro.h"
#include "rng.h"

#include "kv-memory.c"
#include "shelf.c"

#define IDENTITY  0x12345678
#define FOUND_MAX 2000

/* ---- asking --------------------------------------------------------------------------------- */

typedef struct Found {
        uint64_t ids[FOUND_MAX];
        size_t n;
        int64_t skip_group, end_group; /* 0: none */
        int row_result;
} Found;

static ListVerdict want(void *userdata, const void *record) {
        const Found *found = userdata;
        const Item *item = record;

        if (found->end_group && item->head.group >= found->end_group)
                return LIST_END;
        return found->skip_group && item->head.group == found->skip_group ? LIST_SKIP : LIST_TAKE;
}

static int row(void *userdata, const void *record) {
        Found *found = userdata;

        assert_true(found->n < FOUND_MAX);
        found->ids[found->n++] = ((const Item *)record)->id;
        return found->row_result;
}

static int ask(Shelf *shelf, const Index *index, Found *found, const char *cursor, size_t limit,
               char next[static LIST_CURSOR_SIZE]) {
        ListQuery query = {
                .table = &item_table,
                .index = index,
                .identity = IDENTITY,
                .cursor = cursor,
                .limit = limit,
                .want = want,
                .row = row,
                .userdata = found,
        };
        Refusal refusal = {};
        int r = store_list(shelf->store, &query, next, &refusal);

        store_release(shelf->store);
        assert_int_equal(refusal.code, r > 0 ? r : 0);
        return r;
}

/* All pages one after the other: how many there were. */
static unsigned ask_all(Shelf *shelf, const Index *index, Found *found, size_t limit) {
        char cursor[LIST_CURSOR_SIZE] = "", next[LIST_CURSOR_SIZE];
        unsigned pages = 0;

        do {
                size_t before = found->n;

                assert_int_equal(ask(shelf, index, found, cursor, limit, next), 0);
                assert_true(found->n - before <= limit);
                memcpy(cursor, next, sizeof(cursor));
                pages++;
        } while (*cursor);
        return pages;
}

/* ---- pages ---------------------------------------------------------------------------------- */

/* Items 1..n, item i in group n - i + 1: by group they come the other way round. */
static void fill(Shelf *shelf, unsigned n) {
        for (unsigned i = 1; i <= n; i++)
                shelf_add(shelf, "x", n - i + 1, NULL);
        shelf_commit(shelf);
}

static void test_pages(void **state) {
        Shelf *shelf = *state;

        fill(shelf, 30);
        for (size_t limit = 1; limit <= 40; limit++) {
                Found by_id = {}, by_group = {};
                unsigned pages = ask_all(shelf, NULL, &by_id, limit);

                assert_int_equal(pages, 30 / limit + 1);
                ask_all(shelf, &index_group, &by_group, limit);
                assert_int_equal(by_id.n, 30);
                assert_int_equal(by_group.n, 30);
                for (size_t i = 0; i < 30; i++) {
                        assert_int_equal(id_number(by_id.ids[i]), i + 1);
                        assert_int_equal(by_group.ids[i], by_id.ids[29 - i]);
                }
        }
}

static void test_verdicts(void **state) {
        Shelf *shelf = *state;
        Found skipping = { .skip_group = 4 }, ending = { .end_group = 8 };
        Found failing = { .row_result = -ENOBUFS };
        char next[LIST_CURSOR_SIZE] = "untouched";

        fill(shelf, 10);
        ask_all(shelf, &index_group, &skipping, 3);
        assert_int_equal(skipping.n, 9);
        ask_all(shelf, &index_group, &ending, 3);
        assert_int_equal(ending.n, 7);
        assert_int_equal(ask(shelf, NULL, &failing, "", 3, next), -ENOBUFS);
        assert_int_equal(failing.n, 1);
        assert_string_equal(next, "untouched");
}

static void test_empty(void **state) {
        Shelf *shelf = *state;
        Found found = {};

        assert_int_equal(ask_all(shelf, NULL, &found, 5), 1);
        assert_int_equal(ask_all(shelf, &index_group, &found, 5), 1);
        assert_int_equal(found.n, 0);
}

/* While others come, go and move: whoever stays as he is is seen once. */
static void test_changing(void **state) {
        Shelf *shelf = *state;
        Rng rng = { 1 };

        fill(shelf, 60);
        for (unsigned round = 0; round < 200; round++) {
                char cursor[LIST_CURSOR_SIZE] = "", next[LIST_CURSOR_SIZE];
                bool touched[FOUND_MAX] = {};
                unsigned seen[FOUND_MAX] = {};
                Found found = {};
                Key position = {};
                Item item;

                do {
                        Change *change;
                        uint64_t number = 1 + rng_below(&rng, 60);

                        assert_int_equal(ask(shelf, &index_group, &found, cursor, 4, next), 0);
                        memcpy(cursor, next, sizeof(cursor));
                        touched[number] = true;
                        change = shelf_begin(shelf);
                        shelf_put(change, (uint64_t)SHELF_SITE << ID_SITE_SHIFT | number, "x",
                                  rng_between(&rng, 1, 90), NULL, rng_one_in(&rng, 9));
                        shelf_apply(shelf, change);
                        shelf_commit(shelf);
                } while (*cursor);
                for (size_t i = 0; i < found.n; i++)
                        seen[id_number(found.ids[i])]++;
                while (store_next(shelf->store, &item_table, &position, &item) == 0) {
                        uint64_t number = id_number(item.id);

                        if (!touched[number] && seen[number] != !item.head.hidden)
                                fail_msg("item %u was seen %u times", (unsigned)number,
                                         seen[number]);
                        record_done(&item_type, &item);
                }
        }
}

/* Of an index that tables share only those entries count that are this table's, even when another
 * table has a record under the very same key. */
static bool group_is_five(_unused_ void *userdata, const Key *entry) {
        return load_be64(entry->bytes) == 5;
}

static void test_shared_index(void **state) {
        Shelf *shelf = *state;
        Change *change = shelf_begin(shelf);
        char next[LIST_CURSOR_SIZE];
        Found found = {};
        ListQuery query = { .table = &item_table,
                            .index = &index_group,
                            .cursor = "",
                            .limit = 10,
                            .ours = group_is_five,
                            .want = want,
                            .row = row,
                            .userdata = &found };
        Refusal refusal = {};

        shelf_put(change, UINT64_C(0x4142434445464748), "item", 5, NULL, false);
        shelf_put_note(change, "ABCDEFGH", 7);
        shelf_put_note(change, "another", 4);
        shelf_apply(shelf, change);
        shelf_commit(shelf);
        assert_int_equal(store_list(shelf->store, &query, next, &refusal), 0);
        assert_int_equal(found.n, 1);
}

/* However little there is to take, a page comes to an end. */
static void test_scan_limit(void **state) {
        Shelf *shelf = *state;
        Found found = { .skip_group = 1 };
        unsigned n = PAGE_SCAN_MAX + 10;

        for (unsigned i = 0; i < n; i++)
                shelf_add(shelf, NULL, i < n - 1, NULL);
        shelf_commit(shelf);
        assert_int_equal(ask_all(shelf, NULL, &found, 5), 2);
        assert_int_equal(found.n, 1);
}

/* ---- cursors -------------------------------------------------------------------------------- */

static void test_cursors_refused(void **state) {
        Shelf *shelf = *state;
        char cursor[LIST_CURSOR_SIZE], next[LIST_CURSOR_SIZE], bad[2 * LIST_CURSOR_SIZE];
        Found found = {};
        size_t n;

        fill(shelf, 10);
        assert_int_equal(ask(shelf, NULL, &found, "", 3, cursor), 0);
        n = strlen(cursor);
        assert_int_equal(n, 2 * (4 + 8));
        assert_int_equal(ask(shelf, NULL, &found, cursor, 3, next), 0);
        for (size_t i = 0; i < n; i++) { /* each digit changed, cut before it, and one too many */
                snprintf(bad, sizeof(bad), "%s", cursor);
                bad[i] = bad[i] == '0' ? '1' : '0';
                assert_int_equal(ask(shelf, NULL, &found, bad, 3, next), REFUSED_INVALID_CURSOR);
                snprintf(bad, sizeof(bad), "%.*s", (int)i, cursor);
                if (i > 0)
                        assert_int_equal(ask(shelf, NULL, &found, bad, 3, next),
                                         REFUSED_INVALID_CURSOR);
        }
        snprintf(bad, sizeof(bad), "%s0", cursor);
        assert_int_equal(ask(shelf, NULL, &found, bad, 3, next), REFUSED_INVALID_CURSOR);
        snprintf(bad, sizeof(bad), "%s00", cursor);
        assert_int_equal(ask(shelf, NULL, &found, bad, 3, next), REFUSED_INVALID_CURSOR);
        memset(bad, '0', sizeof(bad));
        bad[sizeof(bad) - 1] = '\0';
        for (size_t size = sizeof(bad) - 1; size > 0; size--) {
                bad[size] = '\0';
                assert_int_equal(ask(shelf, NULL, &found, bad, 3, next), REFUSED_INVALID_CURSOR);
        }
        assert_int_equal(ask(shelf, NULL, &found, "zz", 3, next), REFUSED_INVALID_CURSOR);
        assert_int_equal(ask(shelf, NULL, &found, "中文", 3, next), REFUSED_INVALID_CURSOR);
}

/* A cursor belongs to what was asked for. */
static void test_cursor_of_another(void **state) {
        Shelf *shelf = *state;
        char cursor[LIST_CURSOR_SIZE], next[LIST_CURSOR_SIZE];
        Found found = {};
        Refusal refusal = {};
        ListQuery query = { .table = &item_table,
                            .identity = IDENTITY + 1,
                            .cursor = cursor,
                            .limit = 3,
                            .want = want,
                            .row = row,
                            .userdata = &found };

        fill(shelf, 10);
        assert_int_equal(ask(shelf, NULL, &found, "", 3, cursor), 0);
        assert_int_equal(store_list(shelf->store, &query, next, &refusal), REFUSED_INVALID_CURSOR);
        assert_non_null(strstr(refusal.text, "begin with an empty one"));
}

#define ON_MEMORY(test) cmocka_unit_test_setup_teardown(test, shelf_setup_memory, shelf_teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                ON_MEMORY(test_pages),           ON_MEMORY(test_verdicts),
                ON_MEMORY(test_empty),           ON_MEMORY(test_changing),
                ON_MEMORY(test_shared_index),    ON_MEMORY(test_scan_limit),
                ON_MEMORY(test_cursors_refused), ON_MEMORY(test_cursor_of_another),
        };

        return cmocka_run_group_tests_name("list", tests, NULL, NULL);
}
