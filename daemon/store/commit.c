/* SPDX-License-Identifier: Apache-2.0 */

/* Making changes durable. A batch is applied in memory, over the database, and committed to the
 * write-ahead log; from time to time a checkpoint brings what has gathered into the database, and
 * the log begins anew. After a crash the database as of the last checkpoint and the log over it
 * give what was committed.
 *
 *      apply -> apply -> commit (log) -> apply -> commit (log) -> ... -> checkpoint (database)
 *
 * A thread can write the checkpoint beside (store/kv-gather.h), while what comes after it gathers
 * and is logged already. It knows nothing but the entries that it writes; all else happens in the
 * loop. */

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/log.h"
#include "store/internal.h"
#include "store/kv-gather.h"

/* After so many changes, or bytes, in the log there is a checkpoint: more would hold up the call
 * that meets it longer and win nothing. */
#define CHECKPOINT_CHANGES 1024
#define CHECKPOINT_BYTES   (WAL_AREA / 2)
#define CHECKPOINT_SHARE   64 /* of the map: so small a part of it */
/* While one is being written beside, so many more changes may wait for the next. */
#define BACKLOG_CHANGES (2 * CHECKPOINT_CHANGES)
/* For each change committed, so many journal records past their time are removed: the journal
 * shrinks faster than it grows, and no commit takes long. */
#define PRUNE_PER_CHANGE 2

/* ---- transactions ---- */

static int open_batch(Store *store) {
        int r;

        if (store->dead)
                return -EIO;
        store_release(store);
        r = store->kv->ops->begin(store->kv, true);
        store->dead = r == -EIO;
        if (r < 0)
                return r;
        store->mode = STORE_WRITING;
        store->batch = (Amount){};
        store->batch_error = 0;
        store->before = store->now;
        wal_begin_frame(&store->frame);
        return 0;
}

static void close_batch(Store *store) {
        store->kv->ops->commit(store->kv);
        store->mode = STORE_IDLE;
        store->batch = (Amount){};
}

/* Back to where it began, but for what is noted besides. */
static void drop_batch(Store *store) {
        int64_t time_seen = store->now.head.time_seen;
        uint64_t published = store->now.head.published;

        store->dead = store->dead || store->batch_error == -EIO;
        store->kv->ops->end(store->kv);
        store->mode = STORE_IDLE;
        store->batch = (Amount){};
        store->now = store->before;
        store->now.head.time_seen = time_seen;
        store->now.head.published = published;
}

/* ---- journal records ---- */

int store_put_journal(Store *store, const JournalRecord *record, Slice stored) {
        StoreHead *head = &store->now.head;
        Key key = key_of_id(record->sequence);
        int r = store->kv->ops->put(store->kv, DB_JOURNAL, key_slice(&key), stored);

        if (r < 0)
                return r;
        if (head->first > head->sequence)
                head->first = record->sequence; /* the only one */
        head->sequence = record->sequence;
        head->hash = record->hash;
        head->epoch = record->epoch;
        head->time = record->time;
        store->batch.changes++;
        store->batch.bytes += stored.size;
        if (store->wal && store->frame.size <= WAL_HEADER + WAL_RECORD_MAX) /* else it never fits */
                wal_add_record(&store->frame, stored);
        return 0;
}

/* The next record of the journal. -EBADMSG: it is not, or not intact. */
static int read_record(const Store *store, Slice stored, JournalRecord *ret) {
        const StoreHead *head = &store->now.head;
        int r = journal_decode(stored, ret);

        if (r == 0 &&
            (!sequence_follows(ret->sequence, head->sequence) || ret->epoch < head->epoch ||
             ret->epoch != sequence_epoch(ret->sequence) || !journal_is_intact(ret, &head->hash)))
                r = -EBADMSG;
        return r;
}

static int write_record(Store *store, const JournalRecord *record, Slice stored) {
        int r = apply_plan(store, record->effects);

        if (r == 0)
                r = apply_write(store);
        return r < 0 ? r : store_put_journal(store, record, stored);
}

int store_replay(Store *store, Slice stored) {
        JournalRecord record;
        int r = read_record(store, stored, &record);

        if (r == 0)
                r = store_begin_batch(store);
        if (r == 0)
                r = store->batch_error;
        if (r < 0)
                return r;
        r = write_record(store, &record, stored);
        store->batch_error = r;
        return r;
}

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
        store->logged = (Amount){};
        store->retry_at = 0;
        if (store->wal)
                wal_restart(store->wal, number);
}

/* Brings all that has gathered into the database, the open batch included, and ends that, if it
 * succeeds. */
static int make_checkpoint(Store *store) {
        uint64_t number = next_checkpoint(store);
        int r = note_checkpoint(store, number);

        if (r == 0)
                r = kv_gather_write(store->kv);
        if (r < 0) {
                store->dead = store->dead || r == -EIO;
                return r;
        }
        close_batch(store);
        start_anew(store, number);
        return 0;
}

static int after_failure(Store *store, int r) {
        store->dead = store->dead || r == -EIO;
        store->retry_at = store->logged.changes + CHECKPOINT_CHANGES;
        return store->dead ? -EIO : r;
}

/* In between two batches. */
static int flush(Store *store) {
        int r = open_batch(store);

        if (r < 0)
                return r;
        r = make_checkpoint(store);
        if (r == 0)
                return 0;
        drop_batch(store);
        return after_failure(store, r);
}

static int write_beside(Store *store) {
        int r = kv_gather_freeze(store->kv);

        return r < 0 ? after_failure(store, r) : -EAGAIN;
}

/* The same, but what has gathered is written beside. */
static int freeze(Store *store) {
        uint64_t number = next_checkpoint(store);
        int r = open_batch(store);

        if (r < 0)
                return r;
        r = note_checkpoint(store, number);
        if (r < 0) {
                drop_batch(store);
                return after_failure(store, r);
        }
        close_batch(store);
        start_anew(store, number);
        return write_beside(store);
}

int store_begin_checkpoint(Store *store) {
        bool is_full = store->logged.changes >= BACKLOG_CHANGES;
        int r;

        assert(store->mode != STORE_WRITING);
        store_release(store);
        if (!store->options.background || !store->wal || kv_gather_fd(store->kv) < 0)
                return flush(store);
        r = kv_gather_thaw(store->kv, is_full);
        if (r < 0)
                return r == -EAGAIN ? r : after_failure(store, r);
        /* What could not be written is first. */
        return kv_gather_is_frozen(store->kv) ? write_beside(store) : freeze(store);
}

int store_end_checkpoint(Store *store) {
        int r = kv_gather_thaw(store->kv, false);

        return r < 0 && r != -EAGAIN ? after_failure(store, r) : r;
}

int store_checkpoint_fd(const Store *store) {
        return store->options.background ? kv_gather_fd(store->kv) : -1;
}

bool store_is_settled(const Store *store) {
        return store->logged.changes == 0 && !kv_gather_is_frozen(store->kv);
}

int store_settle(Store *store) {
        assert(store->mode != STORE_WRITING);
        return store_is_settled(store) ? 0 : flush(store);
}

int store_flush(Store *store) {
        assert(store->mode != STORE_WRITING);
        return flush(store);
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

/* ---- batches ---- */

/* How much room there is in a small map must be known before it is gone. */
static size_t bytes_between(const Store *store) {
        uint64_t map_size = store->options.map_size;

        return map_size > 0 ? MIN((uint64_t)CHECKPOINT_BYTES, map_size / CHECKPOINT_SHARE)
                            : CHECKPOINT_BYTES;
}

static bool is_checkpoint_due(const Store *store) {
        const Amount *logged = &store->logged;

        return (logged->changes >= CHECKPOINT_CHANGES || logged->bytes >= bytes_between(store)) &&
               logged->changes >= store->retry_at;
}

int store_begin_batch(Store *store) {
        int r;

        if (store->mode == STORE_WRITING)
                return 0;
        r = is_checkpoint_due(store) ? store_begin_checkpoint(store) : 0;
        /* Without room for a checkpoint the log goes on as it can. */
        return r == -EIO ? r : open_batch(store);
}

bool store_has_batch(const Store *store) {
        return store->mode == STORE_WRITING;
}

size_t store_batch_changes(const Store *store) {
        return store->batch.changes;
}

size_t store_batch_bytes(const Store *store) {
        return store->batch.bytes;
}

void store_abort(Store *store) {
        assert(!store->change.open);
        if (store->mode == STORE_WRITING)
                drop_batch(store);
}

/* Large batches are the database's own: there the log would only be written in addition. Where room
 * is scarce, how much there is must be known after every commit. */
static bool can_log(Store *store) {
        return store->wal && store->frame.error == 0 && store->batch.changes < CHECKPOINT_CHANGES &&
               wal_has_room(store->wal, &store->frame) && store_room(store) == KV_ROOM_ENOUGH;
}

static int append_to_log(Store *store) {
        const StoreHead *head = &store->now.head;
        int r = wal_append(store->wal, &store->frame, (uint32_t)store->batch.changes,
                           head->time_seen, head->published);

        if (r == -ENOMEM)
                return make_checkpoint(store);
        if (r == 0) {
                store->logged.changes += store->batch.changes;
                store->logged.bytes += store->batch.bytes;
                close_batch(store);
                return 0;
        }
        /* Perhaps the frame is there all the same, and then the batch has happened. A checkpoint
         * decides it, or nothing must be left of the frame. */
        if (r == -ENOSPC)
                r = make_checkpoint(store);
        if (r == -ENOSPC && wal_forget(store->wal) == 0)
                return r;
        store->dead = store->dead || r < 0;
        return r;
}

static int commit(Store *store, bool whole) {
        int r;

        assert(!store->change.open);
        if (store->mode != STORE_WRITING)
                return store->dead ? -EIO : 0;
        r = store->batch_error;
        if (r == 0 && store->batch.changes > 0) /* else every call was refused */
                r = whole || !can_log(store) ? make_checkpoint(store) : append_to_log(store);
        if (store->mode == STORE_WRITING)
                drop_batch(store);
        return store->dead ? -EIO : r;
}

int store_commit(Store *store) {
        return commit(store, false);
}

int store_commit_whole(Store *store) {
        return commit(store, true);
}

/* ---- opening ---- */

static int refuse_wal(Refusal *why, const char *directory, const char *what) {
        refuse(why, REFUSED_INTERNAL,
               "the write-ahead log %s/" WAL_NAME
               " %s: restore a backup, or put that file aside to "
               "go on without what it has",
               directory, what);
        return -EBADMSG;
}

static int replay_frame(void *userdata, const WalFrame *frame) {
        Cursor cursor = cursor_over(frame->records);
        Store *store = userdata;
        int r = open_batch(store);

        if (r < 0)
                return r;
        while (r == 0 && cursor_left(&cursor) > 0) {
                Slice stored = cursor_slice(&cursor);
                JournalRecord record;

                r = cursor.failed ? -EBADMSG : read_record(store, stored, &record);
                if (r == 0)
                        r = write_record(store, &record, stored);
        }
        if (r < 0) {
                drop_batch(store);
                return r;
        }
        store->logged.changes += store->batch.changes;
        store->logged.bytes += store->batch.bytes;
        store->now.head.time_seen = frame->time_seen;
        store->now.head.published = frame->published;
        close_batch(store);
        return 0;
}

/* For it the database is as it is. */
static bool is_looking(const Store *store) {
        return store->options.read_only && !store->options.trial;
}

static int bring_log(Store *store, const char *directory, Refusal *why) {
        int r = wal_read(store->wal, store->checkpoint, replay_frame, store);

        store->checkpoint = store->wal->checkpoint;
        if (r == -EUCLEAN)
                return refuse_wal(why, directory,
                                  "is damaged, and with it changes that were acknowledged");
        if (r == -EBADMSG)
                return refuse_wal(why, directory,
                                  "has changes of something that is damaged in the database");
        if (r < 0 || store_is_settled(store) || is_looking(store))
                return r;
        if (!store->options.read_only)
                log_notice("%zu changes since the last checkpoint were brought from the "
                           "write-ahead log",
                           store->logged.changes);
        r = flush(store);
        return r == -ENOSPC ? 0 : r; /* they stay in the log until there is room */
}

int store_open_wal(Store *store, const StoreOptions *options, Refusal *why) {
        WalMedium *medium = options->wal;
        uint64_t newest = 0;
        int r = medium ? 0 : wal_file_open(options->directory, &medium);

        if (r == -ENOSPC) {
                log_warning("there is no room for the write-ahead log: every commit is a "
                            "checkpoint now, which takes longer");
                return 0;
        }
        if (r < 0)
                return r;
        r = wal_new(medium, &store->wal);
        if (r < 0) {
                medium->ops->free(medium);
                return r;
        }
        r = wal_newest(medium, &newest);
        if (r < 0 && r != -ENOENT)
                return r;
        if (newest > store->checkpoint + 1) /* that one may have been begun */
                return refuse_wal(why, options->directory,
                                  "belongs to a newer state of the database than there is");
        r = bring_log(store, options->directory, why);
        if (is_looking(store) || options->trial || options->file) /* from now on it has no log */
                store->wal = wal_free(store->wal);
        return r;
}
