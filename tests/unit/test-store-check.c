/* SPDX-License-Identifier: Apache-2.0 */

/* What is wrong in a store is found, and nothing that is damaged is ever read as if it were whole.
 * Each case changes the file behind the store's back. */

#include "store/check.h"

#include <errno.h>
#include <lmdb.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/macro.h"
#include "record/codec.h"

#include "kv-memory.c"
#include "shelf.c"

#define ITEM(number) ((uint64_t)SHELF_SITE << ID_SITE_SHIFT | (number))

/* ---- rows ----------------------------------------------------------------------------------- */

#define ROW_MAX 4096

typedef struct Row {
        uint8_t bytes[ROW_MAX];
        size_t size;
} Row;

static MDB_val val_of(const Key *key) {
        return (MDB_val){ key->size, (void *)key->bytes };
}

static Row row_get(MDB_txn *txn, unsigned dbi, const Key *key) {
        MDB_val k = val_of(key), v;
        Row row;

        assert_int_equal(mdb_get(txn, dbi, &k, &v), 0);
        assert_true(v.mv_size <= sizeof(row.bytes));
        memcpy(row.bytes, v.mv_data, v.mv_size);
        row.size = v.mv_size;
        return row;
}

static void row_put(MDB_txn *txn, unsigned dbi, const Key *key, const void *data, size_t size) {
        MDB_val k = val_of(key), v = { size, (void *)data };

        assert_int_equal(mdb_put(txn, dbi, &k, &v, 0), 0);
}

static void row_remove(MDB_txn *txn, unsigned dbi, const Key *key) {
        MDB_val k = val_of(key);

        assert_int_equal(mdb_del(txn, dbi, &k, NULL), 0);
}

static Key key_of_group(int64_t group, uint64_t id) {
        Key key = {};

        key_u64(&key, (uint64_t)group);
        key_u64(&key, id);
        return key;
}

static Key key_of_tally(const char *tally, uint64_t group) {
        Key key = {};

        key_text(&key, tally);
        key_u64(&key, group);
        return key;
}

/* ---- damage --------------------------------------------------------------------------------- */

/* The store holds items 1..5, groups 1..5, words "red" and "w<n>", and note "N" of group 5; five
 * journal records for the items, the sixth for the note. */

static void flip_a_bit(MDB_txn *txn, unsigned dbi) {
        Key key = key_of_id(ITEM(3));
        Row row = row_get(txn, dbi, &key);

        row.bytes[row.size - 1] ^= 0x10;
        row_put(txn, dbi, &key, row.bytes, row.size);
}

static void cut_record(MDB_txn *txn, unsigned dbi) {
        Key key = key_of_id(ITEM(3));
        Row row = row_get(txn, dbi, &key);

        row_put(txn, dbi, &key, row.bytes, row.size - 1);
}

static void swap_records(MDB_txn *txn, unsigned dbi) {
        Key three = key_of_id(ITEM(3)), four = key_of_id(ITEM(4));
        Row a = row_get(txn, dbi, &three), b = row_get(txn, dbi, &four);

        row_put(txn, dbi, &three, b.bytes, b.size);
        row_put(txn, dbi, &four, a.bytes, a.size);
}

static void break_rule(MDB_txn *txn, unsigned dbi) {
        Item item = { .head = { .group = 1313, .hidden = true }, .id = ITEM(9) };
        _cleanup_(buffer_done) Buffer buffer = {};
        Key key = key_of_id(ITEM(9));

        assert_int_equal(record_encode(&item_type, &item, &buffer), 0);
        row_put(txn, dbi, &key, buffer.data, buffer.size);
}

static void lose_entry(MDB_txn *txn, unsigned dbi) {
        Key key = key_of_group(3, ITEM(3));

        row_remove(txn, dbi, &key);
}

static void add_entry(MDB_txn *txn, unsigned dbi) {
        Key key = key_of_group(7, ITEM(3));

        row_put(txn, dbi, &key, "\10", 1);
}

static void move_entry(MDB_txn *txn, unsigned dbi) {
        lose_entry(txn, dbi);
        add_entry(txn, dbi);
}

static void misread_entry(MDB_txn *txn, unsigned dbi) {
        Key key = key_of_group(3, ITEM(3));

        row_put(txn, dbi, &key, "\7", 1);
}

static void empty_entry(MDB_txn *txn, unsigned dbi) {
        Key key = key_of_group(3, ITEM(3));

        row_put(txn, dbi, &key, "", 0);
}

static void count_wrong(MDB_txn *txn, unsigned dbi) {
        Key key = key_of_tally("group", 5);

        row_put(txn, dbi, &key, "\0\0\0\0\0\0\0\1", 8);
}

static void count_short(MDB_txn *txn, unsigned dbi) {
        Key key = key_of_tally("group", 5);

        row_put(txn, dbi, &key, "\2", 1);
}

static void sum_wrong(MDB_txn *txn, unsigned dbi) {
        Key key = key_of_tally("moved", 6);

        row_put(txn, dbi, &key, "\xff\xff\xff\xff\xff\xff\xff\xfa", 8);
}

static void lose_tally(MDB_txn *txn, unsigned dbi) {
        Key key = key_of_tally("group", 5);

        row_remove(txn, dbi, &key);
}

static void add_tally(MDB_txn *txn, unsigned dbi) {
        Key key = key_of_tally("group", 9);

        row_put(txn, dbi, &key, "\0\0\0\0\0\0\0\1", 8);
}

static void add_odd_tally(MDB_txn *txn, unsigned dbi) {
        Key key = {};

        key_bytes(&key, "\xff\xff", 2); /* not even a name */
        row_put(txn, dbi, &key, "\0\0\0\0\0\0\0\1", 8);
}

static void lose_journal(MDB_txn *txn, unsigned dbi, uint64_t sequence) {
        Key key = key_of_id(sequence);

        row_remove(txn, dbi, &key);
}

static void lose_first_journal(MDB_txn *txn, unsigned dbi) {
        lose_journal(txn, dbi, 1);
}

static void lose_middle_journal(MDB_txn *txn, unsigned dbi) {
        lose_journal(txn, dbi, 3);
}

static void lose_last_journal(MDB_txn *txn, unsigned dbi) {
        lose_journal(txn, dbi, 6);
}

static void change_journal(MDB_txn *txn, unsigned dbi, uint64_t sequence, size_t at) {
        Key key = key_of_id(sequence);
        Row row = row_get(txn, dbi, &key);

        row.bytes[at < row.size ? at : row.size - 1] ^= 1;
        row_put(txn, dbi, &key, row.bytes, row.size);
}

static void change_effect(MDB_txn *txn, unsigned dbi) {
        change_journal(txn, dbi, 3, SIZE_MAX);
}

static void change_time(MDB_txn *txn, unsigned dbi) {
        change_journal(txn, dbi, 3, 23);
}

static void change_format(MDB_txn *txn, unsigned dbi) {
        change_journal(txn, dbi, 3, 0);
}

static void change_last_time(MDB_txn *txn, unsigned dbi) {
        change_journal(txn, dbi, 6, 23);
}

static void swap_journal(MDB_txn *txn, unsigned dbi) {
        Key three = key_of_id(3), four = key_of_id(4);
        Row a = row_get(txn, dbi, &three), b = row_get(txn, dbi, &four);

        row_put(txn, dbi, &three, b.bytes, b.size);
        row_put(txn, dbi, &four, a.bytes, a.size);
}

static void add_journal(MDB_txn *txn, unsigned dbi) {
        Key six = key_of_id(6), seven = key_of_id(7);
        Row row = row_get(txn, dbi, &six);

        row_put(txn, dbi, &seven, row.bytes, row.size);
}

/* Then the next new item would take the place of one that is there. */
static void turn_back_ids(MDB_txn *txn, unsigned dbi) {
        Key key = {};

        key_bytes(&key, "next", 4);
        key_u8(&key, item_table.number);
        row_put(txn, dbi, &key, "\0\0\0\0\0\0\0\4", 8);
}

static const struct {
        const char *database;
        ShelfEdit edit;
        const char *faults; /* all of them */
} damages[] = {
        /* A damaged record cannot say what it wants of the indices. */
        { "item", flip_a_bit,
          "item 0003000000000003: the record is damaged\n"
          "index by_group has 6 entries, the records ask for 5\n"
          "index item_by_word has 10 entries, the records ask for 8\n"
          "tally group says 1, the records 0\n"
          "tally moved says 2, the records -2\n"
          "tally moved says 2, the records 5\n"
          "tally word says 5, the records 4\n"
          "tally word says 1, the records 0\n"
          "there are 17 tallies, the records ask for 15\n" },
        { "item", cut_record,
          "item 0003000000000003: the record is damaged\n"
          "index by_group has 6 entries, the records ask for 5\n"
          "index item_by_word has 10 entries, the records ask for 8\n"
          "tally group says 1, the records 0\n"
          "tally moved says 2, the records -2\n"
          "tally moved says 2, the records 5\n"
          "tally word says 5, the records 4\n"
          "tally word says 1, the records 0\n"
          "there are 17 tallies, the records ask for 15\n" },
        { "item", swap_records,
          "item 0003000000000003: the record is stored under another's key\n"
          "item 0003000000000003: missing in index by_group\n"
          "item 0003000000000003: missing in index item_by_word\n"
          "item 0003000000000004: the record is stored under another's key\n"
          "item 0003000000000004: missing in index by_group\n"
          "item 0003000000000004: missing in index item_by_word\n" },
        { "item", break_rule,
          "item 0003000000000009: there is no group 1313\n"
          "table item has number 9, but 6 would be given out next\n" },
        { "by_group", lose_entry,
          "item 0003000000000003: missing in index by_group\n"
          "index by_group has 5 entries, the records ask for 6\n" },
        { "by_group", add_entry, "index by_group has 7 entries, the records ask for 6\n" },
        { "by_group", move_entry, "item 0003000000000003: missing in index by_group\n" },
        { "by_group", misread_entry, "item 0003000000000003: damaged in index by_group\n" },
        { "by_group", empty_entry, "item 0003000000000003: damaged in index by_group\n" },
        { "tally", count_wrong, "tally group says 1, the records 2\n" },
        { "tally", count_short, "tally group says 0, the records 2\n" },
        { "tally", sum_wrong, "tally moved says -6, the records -5\n" },
        { "tally", lose_tally, "there are 16 tallies, the records ask for 17\n" },
        { "tally", add_tally,
          "tally group says 1, the records 0\n"
          "there are 18 tallies, the records ask for 17\n" },
        { "tally", add_odd_tally,
          "tally \\xff\\xff says 1, the records 0\n"
          "there are 18 tallies, the records ask for 17\n" },
        { "journal", lose_first_journal, "journal: record 1 is missing\n" },
        { "journal", lose_middle_journal, "journal: record 3 is missing\n" },
        { "journal", lose_last_journal,
          "journal: record 6 is missing\n"
          "journal: its end is not the end of the chain\n" },
        { "journal", change_effect, "journal: record 3 is damaged or out of the chain\n" },
        { "journal", change_time, "journal: record 3 is damaged or out of the chain\n" },
        { "journal", change_format, "journal: record 3 is damaged or out of the chain\n" },
        { "journal", change_last_time, "journal: record 6 is damaged or out of the chain\n" },
        { "journal", swap_journal,
          "journal: record 3 is damaged or out of the chain\n"
          "journal: record 4 is damaged or out of the chain\n"
          "journal: record 5 is damaged or out of the chain\n" },
        { "journal", add_journal, "journal: there are 7 records, not 6\n" },
        { "meta", turn_back_ids, "table item has number 5, but 4 would be given out next\n" },
};

static void fill(Shelf *shelf) {
        Change *change;

        for (int i = 1; i <= 5; i++) {
                char words[32];

                snprintf(words, sizeof(words), "red w%d", i);
                shelf_add(shelf, "name", i, words);
        }
        change = shelf_begin(shelf);
        shelf_put_note(change, "N", 5);
        shelf_apply(shelf, change);
        shelf_commit(shelf);
}

static void test_faults(_unused_ void **state) {
        for (size_t i = 0; i < ELEMENTS(damages); i++) {
                _cleanup_free_ char *before = NULL, *after = NULL;
                Shelf *shelf;

                assert_int_equal(shelf_setup((void **)&shelf), 0);
                fill(shelf);
                before = shelf_check(shelf);
                assert_string_equal(before, "");
                shelf_close(shelf);
                shelf_edit(shelf, damages[i].database, damages[i].edit);
                shelf_open(shelf);
                after = shelf_check(shelf);
                if (!STREQ(after, damages[i].faults))
                        fail_msg("case %zu:\n%snot\n%s", i, after, damages[i].faults);
                shelf_teardown((void **)&shelf);
        }
}

/* ---- reading what is damaged ---------------------------------------------------------------- */

static void test_damaged_record(void **state) {
        Shelf *shelf = *state;
        Key key = key_of_id(ITEM(3)), position = {};
        Change *change;
        Item item;

        fill(shelf);
        shelf_close(shelf);
        shelf_edit(shelf, "item", flip_a_bit);
        shelf_open(shelf);
        assert_int_equal(store_get(shelf->store, &item_table, &key, &item), -EBADMSG);
        assert_true(store_has(shelf->store, &item_table, &key));
        for (int i = 1; i <= 2; i++) {
                assert_int_equal(store_next(shelf->store, &item_table, &position, &item), 0);
                assert_int_equal(item.id, ITEM(i));
                record_done(&item_type, &item);
        }
        assert_int_equal(store_damaged(shelf->store), 1);
        assert_int_equal(store_next(shelf->store, &item_table, &position, &item), 0);
        assert_int_equal(item.id, ITEM(4)); /* the damaged one is passed over, and counted once */
        record_done(&item_type, &item);
        assert_int_equal(store_damaged(shelf->store), 1);
        change = shelf_begin(shelf);
        assert_int_equal(change_get(change, &item_table, &key, &item), -EBADMSG);
        change_drop(change);
        assert_int_equal(shelf_group(shelf, ITEM(4)), 4); /* the others are not concerned */
        shelf_add(shelf, "new", 1, NULL);
        shelf_commit(shelf);
}

/* Intact, but not what was asked for. */
static void test_misplaced_record(void **state) {
        Shelf *shelf = *state;
        Key three = key_of_id(ITEM(3)), position = {};
        Item item = {};

        fill(shelf);
        shelf_close(shelf);
        shelf_edit(shelf, "item", swap_records);
        shelf_open(shelf);
        assert_int_equal(store_get(shelf->store, &item_table, &three, &item), -EBADMSG);
        assert_null(item.name);
        for (int i = 1; i <= 5; i += i == 2 ? 3 : 1) {
                assert_int_equal(store_next(shelf->store, &item_table, &position, &item), 0);
                assert_int_equal(item.id, ITEM(i));
                record_done(&item_type, &item);
        }
        assert_int_equal(store_next(shelf->store, &item_table, &position, &item), -ENOENT);
        assert_int_equal(store_damaged(shelf->store), 2);
}

static void test_misread_entry(void **state) {
        Shelf *shelf = *state;
        Key prefix = {}, position = {}, key;

        fill(shelf);
        shelf_close(shelf);
        shelf_edit(shelf, "by_group", empty_entry);
        shelf_open(shelf);
        for (int i = 1; i <= 2; i++)
                assert_int_equal(
                        store_index_next(shelf->store, &index_group, &prefix, &position, &key), 0);
        assert_int_equal(store_index_next(shelf->store, &index_group, &prefix, &position, &key), 0);
        assert_int_equal(key.size, 8);
        assert_int_equal(load_be64(key.bytes), ITEM(4));
        assert_int_equal(store_damaged(shelf->store), 1);
}

/* A record whose index entry is gone cannot be changed, and nothing else is drawn into that. */
static void test_change_of_damaged(void **state) {
        Shelf *shelf = *state;
        uint64_t sequence, before;
        Change *change;

        fill(shelf);
        before = store_head(shelf->store)->sequence;
        shelf_close(shelf);
        shelf_edit(shelf, "by_group", lose_entry);
        shelf_open(shelf);
        shelf_add(shelf, "before", 1, NULL);
        for (unsigned i = 0; i < 3; i++) {
                change = shelf_begin(shelf);
                shelf_put(change, ITEM(3), "changed", 9, "red", false);
                shelf_put(change, 0, "with it", 9, "red", false);
                assert_int_equal(shelf_try_apply(shelf, change), -EBADMSG);
        }
        assert_int_equal(store_damaged(shelf->store), 1);
        shelf_add(shelf, "after", 1, NULL);
        shelf_commit(shelf);
        sequence = store_head(shelf->store)->sequence;
        assert_int_equal(sequence, before + 2);
        assert_int_equal(shelf_group(shelf, ITEM(3)), 3);
        shelf_reopen(shelf);
        assert_int_equal(store_head(shelf->store)->sequence, sequence);
        assert_int_equal(shelf_group(shelf, ITEM(3)), 3);
}

/* A page that tells of one entry less than it has: no walk meets that. LMDB's pages begin with
 * their number, then flags at 10 and at 12 the end of the offsets of its entries, two bytes each.
 */
static void forget_entry(uint8_t *page) {
        uint16_t flags, lower;

        memcpy(&flags, page + 10, sizeof(flags));
        memcpy(&lower, page + 12, sizeof(lower));
        if (flags & 0x02) /* a leaf */
                lower = (uint16_t)(lower - sizeof(lower));
        memcpy(page + 12, &lower, sizeof(lower));
}

static void test_lost_entry(void **state) {
        uint8_t page[4096];
        char path[128], *faults;
        Shelf *shelf = *state;
        FILE *file;

        fill(shelf);
        shelf_close(shelf);
        file = fopen(shelf_path(shelf, "state.mdb", path), "r+e");
        assert_non_null(file);
        while (fread(page, sizeof(page), 1, file) == 1) {
                if (!memmem(page, sizeof(page), "red w3", 6))
                        continue;
                forget_entry(page);
                assert_int_equal(fseek(file, -(long)sizeof(page), SEEK_CUR), 0);
                assert_int_equal(fwrite(page, sizeof(page), 1, file), 1);
                assert_int_equal(fflush(file), 0);
        }
        assert_int_equal(fclose(file), 0);
        shelf_open(shelf);
        faults = shelf_check(shelf);
        assert_non_null(strstr(faults, "item: 5 records are counted, 4 are found\n"));
        free(faults);
}

/* Every bit of every record in the file, one at a time: never another record, never a crash. */
static void test_any_bit(void **state) {
        Shelf *shelf = *state;
        _cleanup_(buffer_done) Buffer buffer = {};
        Key key = key_of_id(ITEM(3));
        uint64_t bits;

        fill(shelf);
        {
                Item item;

                assert_int_equal(store_get(shelf->store, &item_table, &key, &item), 0);
                assert_int_equal(record_encode(&item_type, &item, &buffer), 0);
                record_done(&item_type, &item);
        }
        bits = buffer.size * 8;
        for (uint64_t bit = 0; bit < bits; bit++) {
                Item item;

                buffer.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
                assert_int_equal(record_decode(&item_type, buffer_slice(&buffer), &item), -EBADMSG);
                buffer.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
        }
}

#define ON_LMDB(test) cmocka_unit_test_setup_teardown(test, shelf_setup, shelf_teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_faults),  ON_LMDB(test_damaged_record),
                ON_LMDB(test_misplaced_record), ON_LMDB(test_lost_entry),
                ON_LMDB(test_misread_entry),    ON_LMDB(test_change_of_damaged),
                ON_LMDB(test_any_bit),
        };

        return cmocka_run_group_tests_name("store-check", tests, NULL, NULL);
}
