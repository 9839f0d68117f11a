/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* A store for tests of the store itself: two small tables with indices and tallies of every sort,
 * on LMDB in a directory of their own or on memory, and ways to change the file behind its back. */

#include "kv-memory.h"
#include "store/check.h"
#include "store/journal.h"
#include "store/store.h"

/* What the records of both tables begin with. */
typedef struct Shelved {
        Record record;
        int64_t group; /* index_group, which both share; tally_group */
        bool hidden;   /* in no index and no tally */
} Shelved;

/* A numbered record; to sum_moved it is a move of as many as its number says from the group after
 * its own into that, where it is one itself. */
typedef struct Item {
        Shelved head;
        uint64_t id;
        char *name;  /* at most 60000 bytes */
        char *words; /* separated by blanks, each once or more often: index_word, tally_word */
} Item;

/* A record under a code. */
typedef struct Note {
        Shelved head;
        char *code;
} Note;

extern const RecordType item_type, note_type;
extern const Table item_table, note_table;
extern const Index index_group, index_word, tally_group, tally_word, sum_moved;
extern const Table *const shelf_tables[]; /* both; NULL-terminated */

#define SHELF_SITE     3
#define SHELF_MAP_SIZE (64 * 1024 * 1024)
#define SHELF_KEEP     INT64_C(1000) /* of the journal: microseconds */

typedef struct Shelf {
        char directory[32];
        StoreOptions options; /* what it is opened with the next time */
        MemoryDisk *disk;     /* instead of the directory, when it is on memory */
        Store *store;
        int64_t now; /* of the next change */
} Shelf;

/* For cmocka: the state is a Shelf with an open store. */
int shelf_setup(void **state);        /* on LMDB */
int shelf_setup_memory(void **state); /* on memory */
int shelf_teardown(void **state);

/* As store_open(): the store is there if it gives 0. */
int shelf_try_open(Shelf *shelf, Refusal *why);
void shelf_open(Shelf *shelf);
/* Closes it, losing what is not committed; all else is in the database, none of it in the log. */
void shelf_close(Shelf *shelf);
void shelf_reopen(Shelf *shelf);
/* The path of a file in the directory. */
char *shelf_path(const Shelf *shelf, const char *name, char buffer[static 128]);

/* What follows fails the test when it does not succeed. */
Change *shelf_begin(Shelf *shelf);
int shelf_try_apply(Shelf *shelf, Change *change); /* as change_apply() */
void shelf_apply(Shelf *shelf, Change *change);
void shelf_commit(Shelf *shelf);
/* Stages an item; id 0: a new one. */
uint64_t shelf_put(Change *change, uint64_t id, const char *name, int64_t group, const char *words,
                   bool hidden);
void shelf_put_note(Change *change, const char *code, int64_t group);
/* One item in a change of its own, not committed. */
uint64_t shelf_add(Shelf *shelf, const char *name, int64_t group, const char *words);
void shelf_remove(Shelf *shelf, uint64_t id);
/* The group of an item, -1 when there is none. */
int64_t shelf_group(Shelf *shelf, uint64_t id);

/* The faults that store_check() reports, one a line; "" when there are none. To be freed. */
char *shelf_check(Shelf *shelf);

/* Lets a function at a database of the closed store, as nobody should. */
typedef struct MDB_txn MDB_txn;
typedef void (*ShelfEdit)(MDB_txn *txn, unsigned dbi);
void shelf_edit(const Shelf *shelf, const char *database, ShelfEdit edit);

/* mkdtemp() and rm -r. */
void make_directory(char *template);
void remove_directory(const char *path);
