/* SPDX-License-Identifier: Apache-2.0 */

/* Checkpoints: what has gathered in memory and stands in the log goes into the database, and the
 * log begins anew. A thread can write one beside (store/kv-gather.h), while what comes after it
 * gathers and is logged already. It knows nothing but the entries that it writes; all else happens
 * in the loop. */

#include <errno.h>

#include "store/internal.h"
#include "store/kv-gather.h"

/* After so many changes, or bytes, in the log there is a checkpoint; while one is being written
 * beside, no more may gather for the next. LMDB keeps the memory of its largest transaction, three
 * to seven pages a change in an import: twice as many changes would bring a twentieth of the
 * creates' rate and take 12 MiB more. */
#define CHECKPOINT_CHANGES STORE_BATCH_LOGGED
#define CHECKPOINT_BYTES   (WAL_AREA / 2)
#define CHECKPOINT_SHARE   64 /* of the map: so small a part of it */
/* For each change committed, so many journal records past their time are removed: the journal
 * shrinks faster than it grows, and no commit takes long. */
#define PRUNE_PER_CHANGE 2

/* ---- the journal ---- */

/* What is to be removed next, or 0. */
static int next_to_prune(Store *store, uint64_t *ret) {
        const StoreHead *head = &store->now.head;
        JournalRecord record;
        int r;

        *ret = 0;
        if (head->first >= head->sequence || head->first > head->published)
                return 0;
        r = store_journal_get(store, head->first, &record);
        if (r == -EBADMSG || r == -ENOENT)
                return 0; /* stays, for check to tell of it; that is no reason to stop */
        if (r == 0 && record.time <= store_credible_time(store, head->time) - store->journal_keep)
                *ret = head->first;
        return r;
}

static int prune_journal(Store *store) {
        size_t budget = (store->logged.changes + store->batch.changes) * PRUNE_PER_CHANGE;
        StoreHead *head = &store->now.head;

        while (budget-- > 0) {
                JournalRecord next;
                uint64_t oldest;
                Key key;
                int r = next_to_prune(store, &oldest);

                if (r < 0 || oldest == 0)
                        return r;
                key = key_of_id(oldest);
                r = store->kv->ops->remove(store->kv, DB_JOURNAL, key_slice(&key));
                if (r == 0)
                        r = store_journal_next(store, &oldest, &next);
                if (r < 0 && r != -EBADMSG && r != -ENOENT)
                        return r;
                head->first = r == -ENOENT ? head->sequence : oldest;
        }
        return 0;
}

/* ---- checkpoints ---- */

/* Below the epoch a count, as of sequence numbers. */
static uint64_t next_checkpoint(const Store *store) {
        uint32_t epoch = store->now.head.epoch;

        return sequence_epoch(store->checkpoint) == epoch ? store->checkpoint + 1
                                                          : sequence_first(epoch);
}

static int note_checkpoint(Store *store, uint64_t number) {
        int r = prune_journal(store);

        return r < 0 ? r : store_save_head(store, number);
}

/* What is logged from now on comes after it. */
static void start_anew(Store *store, uint64_t number) {
        store->checkpoint = number;
        store->behind = false;
        store->logged = (Amount){};
        store->retry_at = 0;
        if (store->wal)
                wal_restart(store->wal, number);
}

int checkpoint_make(Store *store) {
        uint64_t number = next_checkpoint(store);
        int r = note_checkpoint(store, number);

        if (r == 0)
                r = kv_gather_write(store->kv);
        if (r < 0) {
                store->dead = store->dead || r == -EIO;
                return r;
        }
        batch_close(store);
        start_anew(store, number);
        return 0;
}

static int after_failure(Store *store, int r) {
        store->dead = store->dead || r == -EIO;
        store->retry_at = store->logged.changes + CHECKPOINT_CHANGES;
        return store->dead ? -EIO : r;
}

int checkpoint_flush(Store *store) {
        int r = batch_open(store);

        if (r < 0)
                return r;
        r = checkpoint_make(store);
        if (r == 0)
                return 0;
        batch_drop(store);
        return after_failure(store, r);
}

static int write_beside(Store *store) {
        int r = kv_gather_freeze(store->kv);

        return r < 0 ? after_failure(store, r) : -EAGAIN;
}

/* Whether the log can begin anew before a checkpoint is durable: then the area to which that comes
 * must have nothing that the database has not. */
static bool is_area_free(const Store *store) {
        return store->wal && !kv_gather_is_frozen(store->kv) && !store->behind &&
               next_checkpoint(store) == store->checkpoint + 1;
}

/* The same, but what has gathered is written beside. */
static int freeze(Store *store) {
        uint64_t number = next_checkpoint(store);
        int r;

        assert(is_area_free(store));
        r = batch_open(store);
        if (r < 0)
                return r;
        r = note_checkpoint(store, number);
        if (r < 0) {
                batch_drop(store);
                return after_failure(store, r);
        }
        batch_close(store);
        start_anew(store, number);
        return write_beside(store);
}

/* What the one that is written beside has come to, as kv_gather_thaw(). */
static int thaw(Store *store, bool wait) {
        int r = kv_gather_thaw(store->kv, wait);

        if (r < 0)
                return r == -EAGAIN ? r : after_failure(store, r);
        if (!kv_gather_is_frozen(store->kv))
                store->retry_at = 0;
        return 0;
}

int store_begin_checkpoint(Store *store) {
        int r;

        assert(store->mode != STORE_WRITING && store->sealed.state != SEALED_WRITING);
        store_release(store);
        if (!store->options.background || kv_gather_fd(store->kv) < 0)
                return checkpoint_flush(store);
        r = thaw(store, checkpoint_is_due(store));
        if (r < 0)
                return r;
        if (kv_gather_is_frozen(store->kv)) /* what could not be written is first */
                return write_beside(store);
        return is_area_free(store) ? freeze(store) : checkpoint_flush(store);
}

int store_end_checkpoint(Store *store) {
        return thaw(store, false);
}

int store_checkpoint_fd(const Store *store) {
        return store->options.background ? kv_gather_fd(store->kv) : -1;
}

bool store_is_settled(const Store *store) {
        return store->logged.changes == 0 && !kv_gather_is_frozen(store->kv);
}

int store_settle(Store *store) {
        assert(store->mode != STORE_WRITING && store->sealed.state != SEALED_WRITING);
        return store_is_settled(store) ? 0 : checkpoint_flush(store);
}

int store_flush(Store *store) {
        assert(store->mode != STORE_WRITING && store->sealed.state != SEALED_WRITING);
        return checkpoint_flush(store);
}

int store_begin_epoch(Store *store, uint32_t above) {
        StoreHead before = store->now.head;
        uint32_t epoch = MAX(before.epoch, above);
        int r;

        if (epoch >= EPOCH_MAX)
                return -EOVERFLOW;
        r = store_settle(store);
        if (r < 0)
                return r;
        store->now.head.epoch = epoch + 1;
        if (store->now.head.sequence == 0)
                store->now.head.first = sequence_first(epoch + 1);
        r = store_flush(store);
        if (r < 0)
                store->now.head = before;
        return r;
}

/* How much room there is in a small map must be known before it is gone. */
static size_t bytes_between(const Store *store) {
        uint64_t map_size = store->options.map_size;

        return map_size > 0 ? MIN((uint64_t)CHECKPOINT_BYTES, map_size / CHECKPOINT_SHARE)
                            : CHECKPOINT_BYTES;
}

bool checkpoint_is_due(const Store *store) {
        const Amount *logged = &store->logged;

        return (logged->changes >= CHECKPOINT_CHANGES || logged->bytes >= bytes_between(store)) &&
               logged->changes >= store->retry_at;
}
