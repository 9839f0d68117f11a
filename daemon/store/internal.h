/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What the files of store/ share and nobody else sees. */

#include "store/journal.h"
#include "store/store.h"
#include "store/wal.h"

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

/* Batches of so many changes are the database's own: there the log would only be written besides.
 */
#define STORE_BATCH_LOGGED 512

#define STORE_DAMAGE_MAX   256 /* pieces of damage that are told one from the other */

/* One step of writing a change. */
typedef struct Write {
        enum {
                WRITE_PUT,
                WRITE_REMOVE,
                WRITE_COUNT, /* a tally, never below 0 */
                WRITE_SUM,
                WRITE_NOTHING, /* a record that was made and removed has taken a number */
        } what;
        unsigned db;
        Key key;
        Slice value;      /* points into the effects */
        uint8_t key_size; /* of an index entry: its value, the length of the record's key */
        int64_t amount;   /* that is added to a tally */
} Write;

typedef struct Plan {
        Write *writes;
        size_t n, allocated;
} Plan;

struct Change {
        Store *store;
        Staged *staged;
        size_t n_staged, allocated;
        Buffer values;
        uint64_t numbers[STORE_TABLES_MAX]; /* ids taken, by position of the table */
        bool open;
};

/* What changes with every change. */
typedef struct Position {
        StoreHead head;
        uint64_t next[STORE_TABLES_MAX]; /* the next number to give out, by position of the table */
} Position;

/* Changes, and bytes of their journal records. */
typedef struct Amount {
        size_t changes, bytes;
} Amount;

/* A batch whose frame is being written beside. */
typedef struct Sealed {
        enum { SEALED_NONE, SEALED_WRITING, SEALED_ENDED } state; /* the latter: not told yet */
        Buffer frame;
        Position before; /* as it found it */
        Amount amount;
        uint64_t number;
        int result; /* once it has ended */
} Sealed;

struct Store {
        StoreOptions options;
        Kv *kv;
        Wal *wal; /* NULL: every commit is a checkpoint */
        const Table *tables[STORE_TABLES_MAX];
        unsigned n_tables;
        const Index *indices[STORE_INDICES_MAX];
        unsigned n_indices;
        uint16_t site;
        uint32_t schema;
        bool old; /* an older schema is welcome */
        int64_t journal_keep;
        enum { STORE_IDLE, STORE_READING, STORE_WRITING } mode; /* a view, or a batch, is open */
        Position now;
        Position before;     /* as the open batch found it */
        uint64_t checkpoint; /* the newest that was begun */
        /* The database does not have it although nothing is frozen: what both areas of the log had
         * has gathered as one at the opening. */
        bool behind;
        Amount logged;   /* what the log has since the last checkpoint */
        size_t retry_at; /* after a checkpoint that failed: so many changes, and the next try */
        bool dead;       /* a transaction could not even begin, or the log is lost */
        uint64_t batches, ended; /* the number of the newest batch, and of the newest told of */
        Amount batch;
        int batch_error;  /* why the batch cannot be committed any more */
        Buffer frame;     /* the batch, for the log */
        Sealed sealed;    /* the batch before it, on its way there */
        bool without_log; /* a looker's: there is one, which could not be brought over it */
        Change change;
        Buffer effects, journal;
        Plan plan;
        Keys keys_before, keys_after;
        uint64_t damaged[STORE_DAMAGE_MAX]; /* checksums of where and what */
        uint64_t n_damaged;
};

int store_begin_view(Store *store);
/* Opens a batch when none is open. */
int store_begin_batch(Store *store);
/* The transaction of a batch: opened, closed with what it has done, closed without. */
int batch_open(Store *store);
void batch_close(Store *store);
void batch_drop(Store *store);
/* Brings all that has gathered into the database, the open batch included, and ends that, if it
 * succeeds. */
int checkpoint_make(Store *store);
/* The same in between two batches. */
int checkpoint_flush(Store *store);
bool checkpoint_is_due(const Store *store);
/* Puts the journal record of a change that was written: it is the newest now. */
int store_put_journal(Store *store, const JournalRecord *record, Slice stored);
/* As store_commit(), for what was written past the journal: the log cannot carry it. */
int store_commit_whole(Store *store);
/* After the database was opened: brings what the log has over it. On failure the text says what to
 * do; -EBADMSG: the log cannot be brought. */
int store_open_wal(Store *store, const StoreOptions *options, Refusal *why);
/* Says once that what stands at this key of a table or index is damaged, and counts it. */
void store_note_damage(Store *store, const char *where, Slice key, const char *what);
/* The head row of the meta database, within a transaction. */
int store_load_head(Store *store);
int store_save_head(Store *store, uint64_t checkpoint);
/* Notes the version of the schema there. */
int store_put_schema(Store *store, uint32_t version);
unsigned table_position(const Store *store, const Table *table);
/* The number of the database of a table and of an index. */
unsigned table_db(const Store *store, const Table *table);
unsigned index_db(const Store *store, const Index *index);
const Table *table_by_number(const Store *store, uint8_t number);
/* Works out what the effects of a change (see store/journal.h) mean for records, indices and
 * tallies, and whether the store is as it should be for it; writes nothing. -EBADMSG: something
 * that the change touches is damaged. The effects must outlive apply_write(), which does it. */
int apply_plan(Store *store, Slice effects);
int apply_write(Store *store);
/* What an index lists a record under: each key once, however often its function names it; a sum
 * with what these add up to, unless that is 0. */
void index_keys(const Table *table, const Index *index, uint32_t schema, const void *record,
                Keys *ret);
/* Brings what an index or a tally has of a stored record to the next schema. */
int apply_rederived(Store *store, const Table *table, const Index *index, const Key *key,
                    const void *record);
bool table_has_tally(const Table *table, const Index *index);
/* By how much a tally of the table becomes more under a key if the record becomes that value
 * (empty: is removed). 0 or negative errno. */
int apply_tally_change(Store *store, const Table *table, const Key *record_key, Slice value,
                       const Index *tally, const Key *key, int64_t *ret);
void tally_key(const Index *tally, const Key *key, Key *ret);
/* An index entry: its key, the record's key behind it, and as value the length of the latter. */
void index_entry_key(const Key *index_key, const Key *record_key, Key *ret);
