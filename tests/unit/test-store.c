/* SPDX-License-Identifier: Apache-2.0 */

/* The store while all is well: changes, batches, indices and tallies, held against a model. */

#include "store/store.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/macro.h"
#include "rng.h"

#include "kv-memory.c"
#include "shelf.c"

#define ITEM(number) ((uint64_t)SHELF_SITE << ID_SITE_SHIFT | (number))

/* ---- one thing at a time -------------------------------------------------------------------- */

static void assert_clean(Shelf *shelf) {
        _cleanup_free_ char *faults = shelf_check(shelf);

        assert_string_equal(faults, "");
}

static void assert_tally(Shelf *shelf, const Index *tally, const char *word, uint64_t expected) {
        Key key = {};
        int64_t n;

        key_text(&key, word);
        assert_int_equal(store_tally(shelf->store, tally, &key, &n), 0);
        assert_int_equal(n, expected);
}

static void test_put_get_remove(void **state) {
        Shelf *shelf = *state;
        uint64_t id, n;
        Key key;

        id = shelf_add(shelf, "a name", 1, "red");
        assert_int_equal(id, ITEM(1));
        assert_int_equal(shelf_group(shelf, id), 1); /* seen before it is durable */
        shelf_commit(shelf);
        shelf_reopen(shelf);
        assert_int_equal(shelf_group(shelf, id), 1);
        assert_tally(shelf, &tally_word, "red", 1);
        assert_int_equal(store_count(shelf->store, &item_table, &n), 0);
        assert_int_equal(n, 1);
        shelf_remove(shelf, id);
        assert_int_equal(shelf_group(shelf, id), -1);
        shelf_commit(shelf);
        shelf_reopen(shelf);
        key = key_of_id(id);
        assert_false(store_has(shelf->store, &item_table, &key));
        assert_tally(shelf, &tally_word, "red", 0);
        assert_clean(shelf);
}

static int64_t group_in(Change *change, uint64_t id) {
        Key key = key_of_id(id);
        int64_t group;
        Item item;
        int r = change_get(change, &item_table, &key, &item);

        if (r < 0)
                return r;
        group = item.head.group;
        record_done(&item_type, &item);
        return group;
}

static void assert_moved(Change *change, int64_t group, int64_t expected) {
        Key key = key_of_id((uint64_t)group);
        int64_t found;

        assert_int_equal(change_tally(change, &sum_moved, &key, &found), 0);
        assert_int_equal(found, expected);
}

/* A balance is asked for before the change that would overdraw it is made. */
static void test_change_sees_its_sums(void **state) {
        Shelf *shelf = *state;
        uint64_t first = shelf_add(shelf, "first", 4, NULL), second, third;
        Change *change = shelf_begin(shelf);
        Key key = key_of_id(first);

        assert_moved(change, 4, 2);
        assert_moved(change, 5, -1);
        second = shelf_put(change, 0, "second", 4, NULL, false);
        assert_moved(change, 4, 2 + 3);
        assert_moved(change, 5, -3);
        third = shelf_put(change, 0, "third", 3, NULL, false);
        assert_int_equal(id_number(third), 3);
        assert_moved(change, 4, 2 + 3 - 3);
        shelf_put(change, second, "second", 7, NULL, false); /* another one than it was */
        assert_moved(change, 4, 2 - 3);
        assert_moved(change, 7, 3);
        assert_int_equal(change_remove(change, &item_table, &key), 0);
        assert_moved(change, 4, -3);
        assert_moved(change, 5, 0);
        shelf_apply(shelf, change);
        change = shelf_begin(shelf);
        assert_moved(change, 4, -3);
        change_drop(change);
        shelf_commit(shelf);
        assert_clean(shelf);
}

static void test_change_sees_itself(void **state) {
        Shelf *shelf = *state;
        uint64_t id = shelf_add(shelf, "old", 1, NULL), fresh;
        Change *change = shelf_begin(shelf);
        Key key = key_of_id(id);

        assert_int_equal(group_in(change, id), 1);
        shelf_put(change, id, "new", 2, NULL, false);
        shelf_put(change, id, "newer", 3, NULL, false);
        assert_int_equal(group_in(change, id), 3);
        assert_int_equal(shelf_group(shelf, id), 1);
        assert_int_equal(change_remove(change, &item_table, &key), 0);
        assert_int_equal(group_in(change, id), -ENOENT);
        assert_int_equal(shelf_group(shelf, id), 1);
        shelf_put(change, id, "again", 4, NULL, false);
        fresh = shelf_put(change, 0, "fresh", 5, NULL, false);
        assert_int_equal(group_in(change, id), 4);
        assert_int_equal(group_in(change, fresh), 5);
        assert_false(change_is_empty(change));
        shelf_apply(shelf, change);
        assert_int_equal(shelf_group(shelf, id), 4);
        assert_int_equal(shelf_group(shelf, fresh), 5);
        shelf_commit(shelf);
        assert_clean(shelf);
}

static void test_drop(void **state) {
        Shelf *shelf = *state;
        uint64_t id = shelf_add(shelf, "kept", 1, "red"), lost;
        StoreHead head = *store_head(shelf->store);
        Change *change = shelf_begin(shelf);
        Key key = key_of_id(id);

        lost = shelf_put(change, 0, "lost", 2, "red", false);
        shelf_put_note(change, "lost", 2);
        assert_int_equal(change_remove(change, &item_table, &key), 0);
        change_drop(change);
        change_drop(NULL);
        assert_int_equal(store_batch_changes(shelf->store), 1);
        assert_memory_equal(store_head(shelf->store), &head, sizeof(head));
        shelf_commit(shelf);
        assert_int_equal(shelf_group(shelf, id), 1);
        assert_int_equal(shelf_group(shelf, lost), -1);
        assert_tally(shelf, &tally_word, "red", 1);
        assert_int_equal(store_head(shelf->store)->sequence, 1);
        assert_clean(shelf);
        /* what was never stored was never given out */
        assert_int_equal(shelf_add(shelf, "next", 1, NULL), lost);
}

static void test_ids(void **state) {
        Shelf *shelf = *state;
        uint64_t first = shelf_add(shelf, "a", 1, NULL), second = shelf_add(shelf, "b", 1, NULL);

        assert_int_equal(id_site(first), SHELF_SITE);
        assert_int_equal(id_number(first), 1);
        assert_int_equal(second, ITEM(2));
        shelf_remove(shelf, second);
        assert_int_equal(shelf_add(shelf, "c", 1, NULL), ITEM(3));
        shelf_commit(shelf);
        shelf_remove(shelf, ITEM(3));
        shelf_commit(shelf);
        shelf_reopen(shelf);
        assert_int_equal(shelf_add(shelf, "d", 1, NULL), ITEM(4)); /* 3 is never given again */
        shelf_commit(shelf);
        shelf_add(shelf, "lost", 1, NULL);
        store_abort(shelf->store);
        assert_int_equal(shelf_add(shelf, "e", 1, NULL),
                         ITEM(5)); /* nobody has seen the other one */
        /* an item of another site does not disturb */
        {
                Change *change = shelf_begin(shelf);

                shelf_put(change, UINT64_C(7) << ID_SITE_SHIFT | 1000, "foreign", 1, NULL, false);
                shelf_apply(shelf, change);
        }
        assert_int_equal(shelf_add(shelf, "f", 1, NULL), ITEM(6));
        shelf_commit(shelf);
        assert_clean(shelf);
}

/* A word that a record has twice is one entry and counts once. */
static void test_same_key_twice(void **state) {
        Shelf *shelf = *state;
        uint64_t id = shelf_add(shelf, "x", 1, "red red blue red");
        Key prefix = {}, position = {}, key;
        Change *change;

        shelf_commit(shelf);
        assert_clean(shelf);
        assert_tally(shelf, &tally_word, "red", 1);
        key_text(&prefix, "red");
        assert_int_equal(store_index_next(shelf->store, &index_word, &prefix, &position, &key), 0);
        assert_true(load_be64(key.bytes) == id);
        assert_int_equal(store_index_next(shelf->store, &index_word, &prefix, &position, &key),
                         -ENOENT);
        change = shelf_begin(shelf);
        shelf_put(change, id, "x", 1, "red", false);
        shelf_apply(shelf, change);
        assert_tally(shelf, &tally_word, "red", 1);
        change = shelf_begin(shelf);
        shelf_put(change, id, "x", 1, "blue blue", false);
        shelf_apply(shelf, change);
        shelf_commit(shelf);
        assert_tally(shelf, &tally_word, "red", 0);
        assert_tally(shelf, &tally_word, "blue", 1);
        assert_clean(shelf);
}

/* ---- batches -------------------------------------------------------------------------------- */

static void test_batch(void **state) {
        Shelf *shelf = *state;
        uint64_t id;

        assert_false(store_has_batch(shelf->store));
        assert_int_equal(store_commit(shelf->store), 0); /* of nothing */
        store_abort(shelf->store);
        change_drop(shelf_begin(shelf));
        assert_true(store_has_batch(shelf->store));
        assert_int_equal(store_batch_changes(shelf->store), 0);
        shelf_commit(shelf); /* every call was refused */
        assert_false(store_has_batch(shelf->store));
        assert_int_equal(store_head(shelf->store)->sequence, 0);

        id = shelf_add(shelf, "a", 1, NULL);
        shelf_add(shelf, "b", 1, NULL);
        assert_int_equal(store_batch_changes(shelf->store), 2);
        assert_in_range(store_batch_bytes(shelf->store), 200, 1000);
        assert_int_equal(store_head(shelf->store)->sequence, 2);
        shelf_commit(shelf);
        assert_int_equal(store_batch_changes(shelf->store), 0);
        assert_int_equal(store_batch_bytes(shelf->store), 0);
        assert_int_equal(shelf_group(shelf, id), 1);
        assert_int_equal(store_site(shelf->store), SHELF_SITE);
}

static void test_abort(void **state) {
        Shelf *shelf = *state;
        uint64_t kept = shelf_add(shelf, "kept", 1, "red"), lost;
        StoreHead head;

        shelf_commit(shelf);
        head = *store_head(shelf->store);
        lost = shelf_add(shelf, "lost", 2, "red");
        shelf_remove(shelf, kept);
        store_note_time(shelf->store, 77);
        store_note_published(shelf->store, 1);
        assert_int_equal(store_head(shelf->store)->sequence, head.sequence + 2);
        store_abort(shelf->store);
        head.time_seen = 77; /* are known all the same */
        head.published = 1;
        assert_memory_equal(store_head(shelf->store), &head, sizeof(head));
        assert_false(store_has_batch(shelf->store));
        assert_int_equal(shelf_group(shelf, kept), 1);
        assert_int_equal(shelf_group(shelf, lost), -1);
        assert_tally(shelf, &tally_word, "red", 1);
        assert_int_equal(shelf_add(shelf, "next", 1, NULL), lost);
        shelf_commit(shelf);
        assert_clean(shelf);
}

/* Whichever step of a batch fails, and however: nothing of it has happened, and what comes after it
 * is gapless. */
static void test_failures(void **state) {
        static const struct {
                MemoryCall call;
                unsigned nth;
                int error;
        } cases[] = {
                { MEMORY_COMMIT, 1, -ENOSPC }, { MEMORY_COMMIT, 1, -EIO },
                { MEMORY_WRITE, 1, -ENOSPC },  { MEMORY_WRITE, 2, -ENOSPC },
                { MEMORY_WRITE, 3, -ENOSPC },  { MEMORY_WRITE, 4, -EIO },
                { MEMORY_WRITE, 5, -ENOSPC },  { MEMORY_WRITE, 6, -ENOSPC },
                { MEMORY_WRITE, 7, -EIO },     { MEMORY_WRITE, 8, -ENOSPC },
                { MEMORY_WRITE, 9, -ENOSPC },
        };
        Shelf *shelf = *state;
        uint64_t kept = shelf_add(shelf, "kept", 1, "red");

        shelf_commit(shelf);
        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                StoreHead head = *store_head(shelf->store);
                int applied[2], r;

                memory_disk_fail(shelf->disk, cases[i].call, cases[i].nth, cases[i].error);
                for (size_t k = 0; k < ELEMENTS(applied); k++) {
                        Change *change = shelf_begin(shelf);

                        shelf_put(change, 0, "lost", 2, "red", false);
                        applied[k] = shelf_try_apply(shelf, change);
                        /* the first failure is the batch's, and every read says so */
                        if (applied[k] < 0) {
                                Key key = key_of_id(kept);
                                Item item;

                                assert_int_equal(applied[k], cases[i].error);
                                assert_int_equal(store_get(shelf->store, &item_table, &key, &item),
                                                 cases[i].error);
                        }
                }
                assert_true(applied[0] == 0 || applied[1] == applied[0]);
                r = store_commit(shelf->store);
                if (r != cases[i].error)
                        fail_msg("case %zu: %d", i, r);
                assert_false(store_has_batch(shelf->store));
                if (cases[i].error == -EIO)
                        shelf_reopen(shelf);
                assert_int_equal(store_head(shelf->store)->sequence, head.sequence);
                assert_memory_equal(&store_head(shelf->store)->hash, &head.hash, DIGEST_SIZE);
                assert_int_equal(shelf_group(shelf, kept), 1);
                assert_tally(shelf, &tally_word, "red", 1 + i);
                assert_int_equal(shelf_add(shelf, "next", 1, "red"), ITEM(2 + i));
                shelf_commit(shelf);
                assert_clean(shelf);
        }
}

static void test_noted(void **state) {
        Shelf *shelf = *state;

        shelf_add(shelf, "a", 1, NULL);
        shelf_commit(shelf);
        assert_int_equal(store_settle(shelf->store), 0);
        store_note_time(shelf->store, 5);
        store_note_published(shelf->store, 1);
        assert_int_equal(store_head(shelf->store)->time_seen, 5);
        shelf_reopen(shelf);
        assert_int_equal(store_head(shelf->store)->time_seen, 0);
        store_note_time(shelf->store, 6);
        store_note_published(shelf->store, 1);
        assert_int_equal(store_flush(shelf->store), 0);
        shelf_reopen(shelf);
        assert_int_equal(store_head(shelf->store)->time_seen, 6);
        assert_int_equal(store_head(shelf->store)->published, 1);
        store_note_time(shelf->store, 7);
        shelf_add(shelf, "b", 1, NULL);
        shelf_commit(shelf);
        shelf_reopen(shelf);
        assert_int_equal(store_head(shelf->store)->time_seen, 7);
        assert_clean(shelf);
}

static void test_too_large(void **state) {
        Shelf *shelf = *state;
        _cleanup_free_ char *name = malloc(70000);
        Item item = { .id = ITEM(1), .name = name };
        Change *change;

        assert_non_null(name);
        memset(name, 'x', 70000);
        name[69999] = '\0';
        change = shelf_begin(shelf);
        assert_int_equal(change_put(change, &item_table, &item), -E2BIG); /* than a record */
        assert_true(change_is_empty(change));
        name[40000] = '\0';
        for (unsigned i = 0; i < 3; i++)
                shelf_put(change, 0, name, 1, "red", false);
        assert_int_equal(shelf_try_apply(shelf, change), -E2BIG); /* than a journal record */
        assert_int_equal(store_batch_changes(shelf->store), 0);
        assert_int_equal(shelf_add(shelf, "small", 1, "red"), ITEM(1));
        shelf_commit(shelf);
        assert_tally(shelf, &tally_word, "red", 1);
        assert_int_equal(store_head(shelf->store)->sequence, 1);
        assert_clean(shelf);
}

/* ---- against a model ------------------------------------------------------------------------ */

#define MODEL_ITEMS  1200
#define MODEL_NOTES  30
#define MODEL_WORDS  8
#define MODEL_GROUPS 10
#define ROUNDS       400

typedef struct ModelItem {
        bool alive, hidden;
        int64_t group;
        uint8_t words; /* bit mask */
        unsigned version;
} ModelItem;

typedef struct Model {
        ModelItem items[MODEL_ITEMS]; /* by number */
        int64_t notes[MODEL_NOTES];   /* their groups; -1: not there */
        size_t next;
        uint64_t changes;
} Model;

static void words_text(Rng *rng, uint8_t words, char text[static 64]) {
        size_t used = 0;

        text[0] = '\0';
        for (unsigned i = 0; i < MODEL_WORDS; i++)
                if (words >> i & 1)
                        for (uint64_t n = 1 + rng_one_in(rng, 4); n > 0; n--)
                                used += (size_t)snprintf(text + used, 64 - used, "%sw%u",
                                                         used ? " " : "", i);
}

static void note_code(unsigned i, char code[static 8]) {
        snprintf(code, 8, "%.*s%u", (int)(i % 3), "NN", i);
}

static void put_random_item(Rng *rng, Change *change, Model *model, size_t number) {
        ModelItem *item = &model->items[number ?: model->next];
        char name[16], words[64];
        uint64_t id;

        *item = (ModelItem){ .alive = true,
                             .hidden = rng_one_in(rng, 5),
                             .group = rng_between(rng, 0, MODEL_GROUPS - 1),
                             .words = (uint8_t)(rng_next(rng) & rng_next(rng)),
                             .version = (unsigned)rng_below(rng, 1000) };
        words_text(rng, item->words, words);
        snprintf(name, sizeof(name), "v%u", item->version);
        id = shelf_put(change, number ? ITEM(number) : 0, name, item->group, words, item->hidden);
        assert_int_equal(id, ITEM(number ?: model->next));
        if (!number)
                model->next++;
}

static void random_write(Rng *rng, Change *change, Model *model) {
        size_t number = (size_t)rng_below(rng, model->next);
        unsigned i = (unsigned)rng_below(rng, MODEL_NOTES);
        Key key = key_of_id(ITEM(number));
        char code[8];

        note_code(i, code);
        if (rng_one_in(rng, 4)) {
                model->notes[i] = rng_between(rng, 0, MODEL_GROUPS - 1);
                shelf_put_note(change, code, model->notes[i]);
        } else if (rng_one_in(rng, 6)) {
                key = key_of_code(code);
                assert_int_equal(change_remove(change, &note_table, &key), 0);
                model->notes[i] = -1; /* whether it was there or not */
        } else if (number > 0 && rng_one_in(rng, 3)) {
                assert_int_equal(change_remove(change, &item_table, &key), 0);
                model->items[number].alive = false;
        } else if (number > 0 && rng_one_in(rng, 2))
                put_random_item(rng, change, model, number);
        else if (model->next < MODEL_ITEMS)
                put_random_item(rng, change, model, 0);
}

static void random_change(Rng *rng, Shelf *shelf, Model *model) {
        Change *change = shelf_begin(shelf);
        Model before = *model;

        for (uint64_t n = rng_between(rng, 1, 5); n > 0; n--)
                random_write(rng, change, model);
        if (rng_one_in(rng, 5)) {
                change_drop(change);
                *model = before;
        } else if (change_is_empty(change))
                change_drop(change);
        else {
                shelf_apply(shelf, change);
                model->changes++;
        }
}

static void compare_records(Shelf *shelf, const Model *model) {
        Key position = {};
        uint64_t n = 0, count;
        Item item;
        int r;

        for (size_t i = 1; i < model->next; i++) {
                const ModelItem *wanted = &model->items[i];
                char name[16];

                if (!wanted->alive)
                        continue;
                n++;
                assert_int_equal(store_next(shelf->store, &item_table, &position, &item), 0);
                snprintf(name, sizeof(name), "v%u", wanted->version);
                assert_int_equal(item.id, ITEM(i));
                assert_string_equal(item.name, name);
                assert_int_equal(item.head.group, wanted->group);
                record_done(&item_type, &item);
        }
        r = store_next(shelf->store, &item_table, &position, &item);
        assert_int_equal(r, -ENOENT);
        assert_int_equal(store_count(shelf->store, &item_table, &count), 0);
        assert_int_equal(count, n);
}

/* The entries of one key: items by number, then notes by code. */
static void compare_group(Shelf *shelf, const Model *model, int64_t group) {
        Key prefix = {}, position = {}, key, whole = {};
        uint64_t n = 0, found = 0;
        bool seen[MODEL_NOTES] = {};
        int64_t tally;

        key_u64(&prefix, (uint64_t)group);
        for (size_t i = 1; i < model->next; i++) {
                const ModelItem *wanted = &model->items[i];

                if (!wanted->alive || wanted->hidden || wanted->group != group)
                        continue;
                n++;
                assert_int_equal(
                        store_index_next(shelf->store, &index_group, &prefix, &position, &key), 0);
                assert_int_equal(key.size, 8);
                assert_true(load_be64(key.bytes) == ITEM(i));
        }
        while (store_index_next(shelf->store, &index_group, &prefix, &position, &key) == 0) {
                for (unsigned i = 0; i < MODEL_NOTES; i++) {
                        char code[8];

                        note_code(i, code);
                        whole = key_of_code(code);
                        if (whole.size == key.size && !memcmp(whole.bytes, key.bytes, key.size)) {
                                assert_true(model->notes[i] == group && !seen[i]);
                                seen[i] = true;
                        }
                }
                found++;
        }
        for (unsigned i = 0; i < MODEL_NOTES; i++)
                assert_int_equal(seen[i], model->notes[i] == group);
        assert_int_equal(store_tally(shelf->store, &tally_group, &prefix, &tally), 0);
        assert_int_equal(tally, n + found);
}

static void compare_moved(Shelf *shelf, const Model *model) {
        int64_t wanted[MODEL_GROUPS + 1] = {}, found;
        Key prefix = {}, position = {};

        for (size_t i = 1; i < model->next; i++) {
                if (!model->items[i].alive || model->items[i].hidden)
                        continue;
                wanted[model->items[i].group] += (int64_t)i + 1;
                wanted[model->items[i].group + 1] -= (int64_t)i;
        }
        for (unsigned i = 0; i <= MODEL_GROUPS; i++) {
                Key key = key_of_id(i);

                assert_int_equal(store_tally(shelf->store, &sum_moved, &key, &found), 0);
                assert_int_equal(found, wanted[i]);
                if (wanted[i] == 0)
                        continue;
                assert_int_equal(
                        store_tally_next(shelf->store, &sum_moved, &prefix, &position, &found), 0);
                assert_true(position.size == 8 && load_be64(position.bytes) == i);
                assert_int_equal(found, wanted[i]);
        }
        assert_int_equal(store_tally_next(shelf->store, &sum_moved, &prefix, &position, &found),
                         -ENOENT);
}

static void compare_word(Shelf *shelf, const Model *model, unsigned word) {
        Key prefix = {}, position = {}, key;
        uint64_t n = 0;
        char text[8];

        snprintf(text, sizeof(text), "w%u", word);
        key_text(&prefix, text);
        for (size_t i = 1; i < model->next; i++) {
                const ModelItem *wanted = &model->items[i];

                if (!wanted->alive || wanted->hidden || !(wanted->words >> word & 1))
                        continue;
                n++;
                assert_int_equal(
                        store_index_next(shelf->store, &index_word, &prefix, &position, &key), 0);
                assert_true(load_be64(key.bytes) == ITEM(i));
        }
        assert_int_equal(store_index_next(shelf->store, &index_word, &prefix, &position, &key),
                         -ENOENT);
        assert_tally(shelf, &tally_word, text, n);
}

static void compare_all(Shelf *shelf, const Model *model) {
        compare_records(shelf, model);
        for (int64_t group = 0; group < MODEL_GROUPS; group++)
                compare_group(shelf, model, group);
        compare_moved(shelf, model);
        for (unsigned word = 0; word < MODEL_WORDS; word++)
                compare_word(shelf, model, word);
        assert_int_equal(store_head(shelf->store)->sequence, model->changes);
}

static void test_random(void **state) {
        Shelf *shelf = *state;
        Model durable = { .next = 1 }, model;
        Rng rng = { 1 };

        memset(durable.notes, 0xff, sizeof(durable.notes));
        for (unsigned round = 0; round < ROUNDS; round++) {
                model = durable;
                for (uint64_t n = rng_between(&rng, 1, 15); n > 0; n--)
                        random_change(&rng, shelf, &model);
                if (rng_one_in(&rng, 10))
                        compare_all(shelf, &model); /* through the batch */
                if (rng_one_in(&rng, 6))
                        store_abort(shelf->store);
                else if (rng_one_in(&rng, 10))
                        shelf_reopen(shelf);
                else {
                        shelf_commit(shelf);
                        durable = model;
                }
                compare_all(shelf, &durable);
                store_release(shelf->store);
                if (round % 20 == 0)
                        assert_clean(shelf);
        }
        assert_clean(shelf);
        assert_true(durable.changes > 1000);
}

#define ON_LMDB(test)   cmocka_unit_test_setup_teardown(test, shelf_setup, shelf_teardown)
#define ON_MEMORY(test) cmocka_unit_test_setup_teardown(test, shelf_setup_memory, shelf_teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                ON_LMDB(test_put_get_remove),
                ON_LMDB(test_change_sees_itself),
                ON_LMDB(test_change_sees_its_sums),
                ON_LMDB(test_drop),
                ON_LMDB(test_ids),
                ON_LMDB(test_same_key_twice),
                ON_LMDB(test_batch),
                ON_LMDB(test_abort),
                ON_MEMORY(test_failures),
                ON_LMDB(test_noted),
                ON_LMDB(test_too_large),
                ON_LMDB(test_random),
        };

        return cmocka_run_group_tests_name("store", tests, NULL, NULL);
}
