/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What the files of store/ share and nobody else sees. */

#include "store/journal.h"
#include "store/store.h"

enum {
        DB_META,
        DB_JOURNAL,
        DB_TALLY,
        DB_FIRST_TABLE, /* then the tables, then the indices */
};

typedef struct Staged {
        const Table *table;
        Key key;
        size_t from, size; /* the stored form, in Change.values; size 0: removed */
} Staged;

struct Change {
        Store *store;
        Staged *staged;
        size_t n_staged, allocated;
        Buffer values;
        uint64_t numbers[STORE_TABLES_MAX]; /* ids taken, by position of the table */
        bool open;
};

struct Store {
        Kv *kv;
        const Table *tables[STORE_TABLES_MAX];
        unsigned n_tables;
        const Index *indices[STORE_INDICES_MAX];
        unsigned n_indices;
        uint16_t site;
        int64_t journal_keep;
        enum { STORE_IDLE, STORE_READING, STORE_WRITING } mode;
        StoreHead head;
        uint64_t next[STORE_TABLES_MAX]; /* the next number to give out, by position of the table */
        StoreHead head_before;           /* both as the open batch found them */
        uint64_t next_before[STORE_TABLES_MAX];
        size_t batch_changes, batch_bytes;
        bool dead;       /* a transaction could not even begin */
        int batch_error; /* why the batch cannot be committed any more */
        Change change;
        Buffer effects, journal;
        Keys keys_before, keys_after;
};

int store_begin_view(Store *store);
/* The head row of the meta database, within a transaction. */
int store_load_head(Store *store);
int store_save_head(Store *store);
unsigned table_position(const Store *store, const Table *table);
unsigned index_db(const Store *store, const Index *index);
const Table *table_by_number(const Store *store, uint8_t number);
/* What an index lists a record under: each key once, however often its function names it. */
void index_keys(const Index *index, const void *record, Keys *ret);
void tally_key(const Index *tally, const Key *key, Key *ret);
/* An index entry: its key, the record's key behind it, and as value the length of the latter. */
void index_entry_key(const Key *index_key, const Key *record_key, Key *ret);
