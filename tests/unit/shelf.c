/* SPDX-License-Identifier: Apache-2.0 */

#include "shelf.h"

#include <errno.h>
#include <ftw.h>
#include <lmdb.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/macro.h"

#define DATABASES_MAX 32

/* ---- tables --------------------------------------------------------------------------------- */

#define SHELVED_FIELDS                                                                             \
        COUNT(1, Shelved, group, 0, .doc = "any"), FLAG(2, Shelved, hidden, 0, .doc = "in no index")

static const Field item_fields[] = {
        SHELVED_FIELDS,
        ID(3, Item, id, 0, .doc = "number"),
        TEXT(4, Item, name, 0, 60000, .doc = "any"),
        TEXT(5, Item, words, 0, 100, .doc = "any"),
};
const RecordType item_type = {
        .name = "item",
        .number = 210,
        .version = 1,
        .size = sizeof(Item),
        .fields = item_fields,
        .n_fields = ELEMENTS(item_fields),
};

static const Field note_fields[] = {
        SHELVED_FIELDS,
        TEXT(3, Note, code, 0, 32, .doc = "key"),
};
const RecordType note_type = {
        .name = "note",
        .number = 211,
        .version = 1,
        .size = sizeof(Note),
        .fields = note_fields,
        .n_fields = ELEMENTS(note_fields),
};

static void item_key(const void *record, Key *key) {
        key_u64(key, ((const Item *)record)->id);
}

static void note_key(const void *record, Key *key) {
        const Note *note = record;

        key_bytes(key, note->code, strlen(note->code));
}

static void keys_group(const void *record, Keys *keys) {
        const Shelved *shelved = record;

        if (!shelved->hidden)
                key_u64(keys_add(keys), (uint64_t)shelved->group);
}
const Index index_group = { .name = "by_group", .keys = keys_group };
const Index tally_group = { .name = "group", .keys = keys_group };

static void keys_word(const void *record, Keys *keys) {
        const Item *item = record;

        for (const char *p = item->head.hidden ? NULL : item->words; p && *p;) {
                size_t n = strcspn(p, " ");
                Key *key = keys_add(keys);

                key_bytes(key, p, n);
                key_u8(key, 0);
                p += n;
                p += strspn(p, " ");
        }
}
const Index index_word = { .name = "item_by_word", .keys = keys_word };
const Index tally_word = { .name = "word", .keys = keys_word };

static void keys_moved(const void *record, Keys *keys) {
        const Item *item = record;
        int64_t n = (int64_t)id_number(item->id);

        if (item->head.hidden)
                return;
        key_u64(keys_add_amount(keys, n), (uint64_t)item->head.group);
        key_u64(keys_add_amount(keys, -n), (uint64_t)item->head.group + 1);
        key_u64(keys_add(keys), (uint64_t)item->head.group);
        key_text(keys_add_amount(keys, n), "through");
        key_text(keys_add_amount(keys, -n), "through");
}
const Index sum_moved = { .name = "moved", .keys = keys_moved, .sum = true };

static const char *shelved_fault(const void *record) {
        return ((const Shelved *)record)->group == 1313 ? "there is no group 1313" : NULL;
}

const Table item_table = {
        .number = 210,
        .name = "item",
        .type = &item_type,
        .key = item_key,
        .numbered = true,
        .indices = (const Index *const[]){ &index_group, &index_word, NULL },
        .tallies = (const Index *const[]){ &tally_group, &tally_word, &sum_moved, NULL },
        .fault = shelved_fault,
};

const Table note_table = {
        .number = 211,
        .name = "note",
        .type = &note_type,
        .key = note_key,
        .indices = (const Index *const[]){ &index_group, NULL },
        .tallies = (const Index *const[]){ &tally_group, NULL },
        .fault = shelved_fault,
};

const Table *const shelf_tables[] = { &item_table, &note_table, NULL };

/* ---- opening -------------------------------------------------------------------------------- */

void make_directory(char *template) {
        assert_non_null(mkdtemp(template));
}

static int remove_one(const char *path, _unused_ const struct stat *st, _unused_ int type,
                      _unused_ struct FTW *ftw) {
        return remove(path);
}

void remove_directory(const char *path) {
        assert_int_equal(nftw(path, remove_one, 8, FTW_DEPTH | FTW_PHYS), 0);
}

char *shelf_path(const Shelf *shelf, const char *name, char buffer[static 128]) {
        snprintf(buffer, 128, "%s/%s", shelf->directory, name);
        return buffer;
}

int shelf_try_open(Shelf *shelf, Refusal *why) {
        assert_null(shelf->store);
        *why = (Refusal){};
        shelf->options.kv = shelf->disk ? memory_disk_open(shelf->disk) : NULL;
        assert_true(!shelf->disk || shelf->options.kv);
        return store_open(&shelf->options, &shelf->store, why);
}

void shelf_open(Shelf *shelf) {
        Refusal why;

        if (shelf_try_open(shelf, &why) < 0)
                fail_msg("%s", why.text);
}

void shelf_close(Shelf *shelf) {
        if (shelf->store && !store_is_dead(shelf->store)) {
                store_abort(shelf->store);
                assert_int_equal(store_settle(shelf->store), 0);
        }
        shelf->store = store_free(shelf->store);
}

void shelf_reopen(Shelf *shelf) {
        shelf_close(shelf);
        shelf_open(shelf);
}

static int setup_shelf(void **state, bool memory) {
        Shelf *shelf = calloc(1, sizeof(*shelf));

        assert_non_null(shelf);
        assert_int_equal(digest_init(), 0);
        *shelf = (Shelf){
                .directory = "/tmp/test-store-XXXXXX",
                .options = { .map_size = SHELF_MAP_SIZE,
                             .site = SHELF_SITE,
                             .journal_keep = SHELF_KEEP,
                             .tables = shelf_tables },
                .disk = memory ? memory_disk_new() : NULL,
        };
        shelf->options.directory = shelf->directory;
        if (!memory)
                make_directory(shelf->directory);
        shelf_open(shelf);
        *state = shelf;
        return 0;
}

int shelf_setup(void **state) {
        return setup_shelf(state, false);
}

int shelf_setup_memory(void **state) {
        return setup_shelf(state, true);
}

int shelf_teardown(void **state) {
        Shelf *shelf = *state;

        shelf_close(shelf);
        if (!shelf->disk)
                remove_directory(shelf->directory);
        memory_disk_free(shelf->disk);
        free(shelf);
        return 0;
}

/* ---- changing ------------------------------------------------------------------------------- */

Change *shelf_begin(Shelf *shelf) {
        Change *change;

        assert_int_equal(change_begin(shelf->store, &change), 0);
        assert_true(change_is_empty(change));
        return change;
}

static Origin origin_of(Shelf *shelf) {
        static const uint8_t policy[8] = "policy";

        return (Origin){ .time = ++shelf->now,
                         .actor = "tester",
                         .verb = "test",
                         .request_id = shelf->now % 2 ? "request" : NULL,
                         .policy = policy };
}

int shelf_try_apply(Shelf *shelf, Change *change) {
        Origin origin = origin_of(shelf);

        return change_apply(change, &origin);
}

void shelf_apply(Shelf *shelf, Change *change) {
        assert_int_equal(shelf_try_apply(shelf, change), 0);
}

void shelf_commit(Shelf *shelf) {
        assert_int_equal(store_commit(shelf->store), 0);
}

uint64_t shelf_put(Change *change, uint64_t id, const char *name, int64_t group, const char *words,
                   bool hidden) {
        Item item = { .head = { .group = group, .hidden = hidden },
                      .id = id,
                      .name = (char *)name,
                      .words = (char *)words };

        if (!id)
                assert_int_equal(change_number(change, &item_table, &item.id), 0);
        assert_int_equal(change_put(change, &item_table, &item), 0);
        return item.id;
}

void shelf_put_note(Change *change, const char *code, int64_t group) {
        Note note = { .head.group = group, .code = (char *)code };

        assert_int_equal(change_put(change, &note_table, &note), 0);
}

uint64_t shelf_add(Shelf *shelf, const char *name, int64_t group, const char *words) {
        Change *change = shelf_begin(shelf);
        uint64_t id = shelf_put(change, 0, name, group, words, false);

        shelf_apply(shelf, change);
        return id;
}

void shelf_remove(Shelf *shelf, uint64_t id) {
        Change *change = shelf_begin(shelf);
        Key key = key_of_id(id);

        assert_int_equal(change_remove(change, &item_table, &key), 0);
        shelf_apply(shelf, change);
}

int64_t shelf_group(Shelf *shelf, uint64_t id) {
        Key key = key_of_id(id);
        int64_t group;
        Item item;
        int r = store_get(shelf->store, &item_table, &key, &item);

        if (r == -ENOENT)
                return -1;
        assert_int_equal(r, 0);
        assert_int_equal(item.id, id);
        group = item.head.group;
        record_done(&item_type, &item);
        return group;
}

/* ---- looking behind ------------------------------------------------------------------------- */

static void print_line(void *userdata, const char *line) {
        fprintf(userdata, "%s\n", line);
}

char *shelf_check(Shelf *shelf) {
        uint64_t records, faults, lines = 0;
        char *text = NULL;
        size_t size;
        FILE *stream = open_memstream(&text, &size);

        assert_non_null(stream);
        assert_int_equal(store_check(shelf->store, print_line, stream, &records, &faults), 0);
        store_release(shelf->store);
        assert_int_equal(fclose(stream), 0);
        for (const char *p = text; *p; p++)
                lines += *p == '\n';
        assert_int_equal(faults, lines);
        return text;
}

void shelf_edit(const Shelf *shelf, const char *database, ShelfEdit edit) {
        char path[128];
        MDB_env *env;
        MDB_txn *txn;
        MDB_dbi dbi;

        assert_null(shelf->store);
        assert_int_equal(mdb_env_create(&env), 0);
        assert_int_equal(mdb_env_set_maxdbs(env, DATABASES_MAX), 0);
        assert_int_equal(mdb_env_set_mapsize(env, SHELF_MAP_SIZE), 0);
        assert_int_equal(
                mdb_env_open(env, shelf_path(shelf, "state.mdb", path), MDB_NOSUBDIR, 0600), 0);
        assert_int_equal(mdb_txn_begin(env, NULL, 0, &txn), 0);
        assert_int_equal(mdb_dbi_open(txn, database, 0, &dbi), 0);
        edit(txn, dbi);
        assert_int_equal(mdb_txn_commit(txn), 0);
        mdb_env_close(env);
}
