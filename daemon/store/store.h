/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The store: tables of records with their indices and tallies, changed only through a Change, which
 * is journalled; changes are gathered in a batch that one commit makes durable.
 *
 *      change_begin -> change_get / change_put / ... -> change_apply   one call's writes, all or
 * none store_commit                                                     everything applied, durable
 *
 * Reads go through the open batch, so that a caller sees what was applied before it; the loop holds
 * back every answer until the commit has returned. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/digest.h"
#include "base/refusal.h"
#include "record/record.h"
#include "store/key.h"
#include "store/kv.h"

#define STORE_SCHEMA_VERSION 6
#define STORE_TABLES_MAX     32
#define STORE_INDICES_MAX    64

/* An index lists its records under the keys that its function derives from each; a tally counts the
 * records under each key instead of listing them, or, if it is a sum, adds up what each says
 * (keys_add_amount), which may be less than nothing: so a balance follows from the records and
 * cannot be written otherwise. The function adds nothing for a record that is not to be found
 * there. Several tables may share one. */
typedef struct Index {
        const char *name;
        void (*keys)(const void *record, Keys *keys);
        bool sum;
} Index;

/* What an index or a tally of a table derived up to an older schema, where that was something else:
 * so it is looked at and written until a migration has brought it along (see migrate.h). */
typedef struct Former {
        const Index *index;
        uint32_t until; /* the last schema of which it was */
        void (*keys)(const void *record, Keys *keys);
} Former;

typedef struct Table {
        uint8_t number;   /* in the journal; stable for ever */
        const char *name; /* of its database */
        const RecordType *type;
        void (*key)(const void *record, Key *key);
        bool numbered;               /* keys are ids given out by change_number() */
        const Index *const *indices; /* NULL-terminated, or NULL */
        const Index *const *tallies; /* likewise */
        const Former *former;        /* ended by an empty one, or NULL */
        /* What is wrong with a record that no correct program could have written, or NULL. Asserted
         * at every write, reported by check. */
        const char *(*fault)(const void *record);
} Table;

typedef struct StoreOptions {
        const char *directory;
        const char *file; /* of one that nobody else has open, instead; or NULL */
        uint64_t map_size;
        uint16_t site;
        int64_t journal_keep;       /* microseconds */
        const Table *const *tables; /* NULL-terminated */
        bool read_only;
        bool old;   /* an older schema is welcome: for store_migrate(), or to look at it whole */
        bool trial; /* what is written is seen by nobody else and gone at the end */
        bool background; /* checkpoints are written beside the work, see store_begin_checkpoint() */
        Kv *kv;          /* to stand on instead of LMDB in directory; owned afterwards */
        /* For the log instead of the file in directory; owned afterwards. A kv without it has none.
         */
        struct WalMedium *wal;
} StoreOptions;

typedef struct Store Store;

/* On failure the text says what is wrong and what to do. */
int store_open(const StoreOptions *options, Store **ret, Refusal *why);
Store *store_free(Store *store);

/* ---- reading ----
 * The first read opens a view; it lasts until store_release(), which the loop calls after every
 * event, or until a batch begins. 0, -ENOENT, -EBADMSG (a damaged record), other negative errno.
 * Damage is logged and counted when it is met. */

int store_get(Store *store, const Table *table, const Key *key, void *record);
bool store_has(Store *store, const Table *table, const Key *key);
/* The next intact record in key order after *position (empty: the first); moves position. -EBADMSG:
 * the order of the keys is damaged, there is no way on. */
int store_next(Store *store, const Table *table, Key *position, void *record);
/* The next intact entry of an index that starts with prefix after *position (empty: the first), and
 * the key of its record; moves position. -EBADMSG as above. */
int store_index_next(Store *store, const Index *index, const Key *prefix, Key *position,
                     Key *ret_record);
/* How many records have this key in the tally, or what their amounts add up to. */
int store_tally(Store *store, const Index *tally, const Key *key, int64_t *ret);
/* The next key of a tally that starts with prefix, after *position (empty: the first), which is
 * moved to it, and what it has, which is not 0. 0, -ENOENT, other negative errno. */
int store_tally_next(Store *store, const Index *tally, const Key *prefix, Key *position,
                     int64_t *ret);
int store_count(Store *store, const Table *table, uint64_t *ret);
void store_release(Store *store);
/* How many records and entries were found damaged since it was opened; each is counted once. */
uint64_t store_damaged(const Store *store);

/* ---- changing ---- */

/* Who made a change and why; kept in the journal. */
typedef struct Origin {
        int64_t time;           /* microseconds UTC */
        const char *actor;      /* who: never personal data */
        const char *verb;       /* what for, e.g. "ticket.dispatch" */
        const char *request_id; /* or NULL */
        const uint8_t *policy;  /* eight bytes: the policy version */
} Origin;

typedef struct Change Change;

/* Starts a change, and a batch when none is open. One change at a time. */
int change_begin(Store *store, Change **ret);
Store *change_store(Change *change);
/* Reads what this change has put, else what the store has. (Indices do not show this change yet.)
 */
int change_get(Change *change, const Table *table, const Key *key, void *record);
/* As store_tally(), with what this change adds to it. */
int change_tally(Change *change, const Index *tally, const Key *key, int64_t *ret);
int change_put(Change *change, const Table *table, const void *record);
int change_remove(Change *change, const Table *table, const Key *key);
/* The next id of a table: the site in the upper 16 bits, a number that is never given out again. */
int change_number(Change *change, const Table *table, uint64_t *ret);
bool change_is_empty(const Change *change);
/* Writes all of it and its journal record, and ends the change. -E2BIG: more than a journal record
 * holds; -EBADMSG: a record or index entry that it touches is damaged (which was logged): nothing
 * was written, the batch is as before. So it is after -ENOMEM, unless that came while it was being
 * written: any failure there spoils the whole batch, see store_commit(). */
int change_apply(Change *change, const Origin *origin);
/* Forgets the change; the batch is as before. NULL is allowed. */
void change_drop(Change *change);

/* Whether there is anything to commit, how many changes, how many bytes of them. */
bool store_has_batch(const Store *store);
size_t store_batch_changes(const Store *store);
size_t store_batch_bytes(const Store *store);
/* Makes the batch durable. On failure nothing of it has happened, but after -EIO: then the medium
 * failed, the process must end, and only the next start finds out. */
int store_commit(Store *store);
void store_abort(Store *store);
/* The same beside the work, if the options want that: -EAGAIN, then there will be a result when the
 * descriptor (-1: never) becomes readable; meanwhile changes go on over it, in the next batch, and
 * nothing but these may be asked for: store_end_commit(), what reads, what changes. Else the
 * result. One at a time. If it fails, the next batch cannot be committed either. */
int store_begin_commit(Store *store);
/* After -EAGAIN, until it gives something else; -EAGAIN: not yet, unless one waits. */
int store_end_commit(Store *store, bool wait);
int store_commit_fd(const Store *store);
/* Batches have numbers: the newest that was opened, and the newest whose end was told. What was
 * read in between may come from any but the latter. */
uint64_t store_newest_batch(const Store *store);
uint64_t store_ended_batch(const Store *store);
bool store_is_pending(const Store *store); /* these differ */
/* The newest journal record that is durable. */
uint64_t store_durable(const Store *store);
/* The open batch cannot be committed any more: that will fail with this error. */
void store_spoil(Store *store, int error);
/* Whether the medium has failed: nothing can be read or written any more, only a new start helps.
 */
bool store_is_dead(const Store *store);
/* Makes durable what was noted since the last commit; before an orderly end. */
int store_flush(Store *store);
/* Whether the database has all that was committed, not only the log before it; seeing to it that it
 * does, at once. Not within a batch. */
bool store_is_settled(const Store *store);
int store_settle(Store *store);
/* Seeing to it before long, by a thread beside the work, if the options want that; else at once.
 * -EAGAIN: there will be a result when the descriptor (-1: never) becomes readable. 0 or other
 * negative errno: then it is tried again with one of the next batches. Not within a batch. */
int store_begin_checkpoint(Store *store);
int store_end_checkpoint(Store *store);
int store_checkpoint_fd(const Store *store);

/* ---- what the store knows of itself ---- */

/* Sequence numbers of the journal never repeat, not even when an older state is restored: above are
 * the epoch, which each restore raises, below the number within it, gapless from 1 on. So they only
 * grow, and a number that was given out before a restore names that very record or none. */
#define SEQUENCE_EPOCH_SHIFT 40
#define EPOCH_MAX            ((UINT32_C(1) << (64 - SEQUENCE_EPOCH_SHIFT)) - 1)

static inline uint32_t sequence_epoch(uint64_t sequence) {
        return (uint32_t)(sequence >> SEQUENCE_EPOCH_SHIFT);
}
static inline uint64_t sequence_number(uint64_t sequence) {
        return sequence & ((UINT64_C(1) << SEQUENCE_EPOCH_SHIFT) - 1);
}
/* That of an epoch's first record. */
static inline uint64_t sequence_first(uint32_t epoch) {
        return (uint64_t)epoch << SEQUENCE_EPOCH_SHIFT | 1;
}
/* Whether a record may come right after that one. */
static inline bool sequence_follows(uint64_t sequence, uint64_t before) {
        return sequence_epoch(sequence) == sequence_epoch(before)
                       ? sequence == before + 1
                       : sequence > before && sequence_number(sequence) == 1;
}

typedef struct StoreHead {
        uint64_t sequence;  /* of the newest journal record; 0: none yet */
        uint64_t first;     /* of the oldest one kept; without any, of the one to come */
        Digest hash;        /* of the newest: the end of the chain */
        uint32_t epoch;     /* of the next record: counts restores */
        int64_t time;       /* when the newest change was made */
        int64_t time_seen;  /* the last credible wall-clock time, see store_note_time() */
        uint64_t published; /* everything up to this sequence number has been announced */
} StoreHead;

const StoreHead *store_head(const Store *store);
uint16_t store_site(const Store *store);
/* STORE_SCHEMA_VERSION, but for an old one. */
uint32_t store_schema(const Store *store);
int store_stats(Store *store, KvStats *ret);
/* After a restore: raises the epoch above the present one and above `above` (that of the store
 * which this one replaces, if it is known), durably. No batch may be open. 0 or negative errno. */
int store_begin_epoch(Store *store, uint32_t above);
/* Before a store that nobody has open is replaced: tells the newest epoch that its log knows of, 0
 * for none, and brings what that has into the database, which is kept in this file; NULL: it cannot
 * be read. 0 or negative errno. */
int store_retire(const StoreOptions *options, const char *file, uint32_t *ret_epoch, Refusal *why);
/* Writes all of it, as of its newest commit, durably into an empty file. 0 or negative errno. */
int store_copy(Store *store, int fd);
/* How long journal records are kept from now on, in microseconds. */
void store_set_journal_keep(Store *store, int64_t keep);
KvRoom store_room(Store *store);
/* Before anything new is taken in: 0 or REFUSED_STORAGE_FULL when what room there is is needed to
 * go on with what is there. */
int store_check_reserve(Store *store, Refusal *refusal);
/* Kept with the next commit. */
void store_note_time(Store *store, int64_t now);
/* By what nothing must be thought old that is not: `now`, or what was believed last where a clock
 * that is not believed is ahead of it. */
int64_t store_credible_time(const Store *store, int64_t now);
void store_note_published(Store *store, uint64_t sequence);

/* ---- ids ---- */

#define ID_SITE_SHIFT 48
static inline uint16_t id_site(uint64_t id) {
        return (uint16_t)(id >> ID_SITE_SHIFT);
}
static inline uint64_t id_number(uint64_t id) {
        return id & ((UINT64_C(1) << ID_SITE_SHIFT) - 1);
}
