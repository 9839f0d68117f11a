/* SPDX-License-Identifier: Apache-2.0 */

/* Making changes durable. A batch is applied in memory, over the database, and committed to the
 * write-ahead log; from time to time a checkpoint brings what has gathered into the database, and
 * the log begins anew. After a crash the database as of the last checkpoint and the log over it
 * give what was committed.
 *
 *      apply -> apply -> commit (log) -> apply -> commit (log) -> ... -> checkpoint (database)
 *
 * A thread can write to the log beside: the batch is sealed, and the next one is applied over it
 * while it gets durable. If it does not, both are taken back. */

#include <errno.h>

#include "base/log.h"
#include "store/internal.h"
#include "store/kv-gather.h"

/* ---- transactions ---- */

int batch_open(Store *store) {
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

void batch_close(Store *store) {
        store->kv->ops->commit(store->kv);
        store->mode = STORE_IDLE;
        store->batch = (Amount){};
}

/* Back to where it was, but for what is noted besides. */
static void go_back(Store *store, const Position *position) {
        int64_t time_seen = store->now.head.time_seen;
        uint64_t published = store->now.head.published;

        store->now = *position;
        store->now.head.time_seen = time_seen;
        store->now.head.published = published;
}

void batch_drop(Store *store) {
        store->dead = store->dead || store->batch_error == -EIO;
        store->kv->ops->end(store->kv);
        store->mode = STORE_IDLE;
        store->batch = (Amount){};
        go_back(store, &store->before);
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

/* After its write failed a frame may be there all the same, and then the batch has happened:
 * without room nothing must be left of it, else only the next start finds out. */
static int forget_frame(Store *store, int r) {
        if (r == -ENOSPC && wal_forget(store->wal) == 0)
                return r;
        store->dead = true;
        return -EIO;
}

/* ---- beside ---- */

/* What was applied over it is lost with it: only an error is left in its place. */
static int take_back_sealed(Store *store, int r) {
        bool has_batch = store->mode == STORE_WRITING;

        if (has_batch)
                batch_drop(store);
        r = forget_frame(store, r);
        if (!store->dead) {
                kv_gather_take_back(store->kv);
                go_back(store, &store->sealed.before);
        }
        if (has_batch && batch_open(store) == 0)
                store->batch_error = r;
        return r;
}

/* -EAGAIN: it is still being written, unless one waits. */
static int end_writing(Store *store, bool wait) {
        Sealed *sealed = &store->sealed;
        int r;

        if (sealed->state != SEALED_WRITING)
                return 0;
        r = wal_end_append(store->wal, wait);
        if (r == -EAGAIN)
                return r;
        sealed->state = SEALED_ENDED;
        if (r == 0) {
                kv_gather_keep(store->kv);
                store->logged.changes += sealed->amount.changes;
                store->logged.bytes += sealed->amount.bytes;
        } else
                r = take_back_sealed(store, r);
        sealed->result = r;
        return 0;
}

/* ---- batches ---- */

int store_begin_batch(Store *store) {
        const Sealed *sealed = &store->sealed;
        int r;

        if (store->mode == STORE_WRITING)
                return 0;
        if (checkpoint_is_due(store))
                end_writing(store, true);
        if (sealed->state == SEALED_ENDED && sealed->result < 0)
                return sealed->result; /* is told first: nothing may be applied before */
        if (checkpoint_is_due(store) && store_begin_checkpoint(store) == -EIO)
                return -EIO; /* without room for a checkpoint the log goes on as it can */
        r = batch_open(store);
        store->batches += r == 0;
        return r;
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

bool store_is_pending(const Store *store) {
        return store->batches > store->ended;
}

uint64_t store_newest_batch(const Store *store) {
        return store->batches;
}

uint64_t store_ended_batch(const Store *store) {
        return store->ended;
}

void store_abort(Store *store) {
        assert(!store->change.open && store->sealed.state == SEALED_NONE);
        if (store->mode == STORE_WRITING)
                batch_drop(store);
        store->ended = store->batches;
}

/* Large batches are the database's own: there the log would only be written in addition. Where room
 * is scarce, how much there is must be known after every commit. */
static bool can_log(Store *store) {
        return store->wal && store->frame.error == 0 && store->batch.changes < STORE_BATCH_LOGGED &&
               wal_has_room(store->wal, &store->frame) && store_room(store) == KV_ROOM_ENOUGH;
}

static int append_to_log(Store *store) {
        const StoreHead *head = &store->now.head;
        int r = wal_append(store->wal, &store->frame, (uint32_t)store->batch.changes,
                           head->time_seen, head->published);

        if (r == -ENOMEM)
                return checkpoint_make(store);
        if (r == 0) {
                store->logged.changes += store->batch.changes;
                store->logged.bytes += store->batch.bytes;
                batch_close(store);
                return 0;
        }
        return forget_frame(store, r);
}

static int commit(Store *store, bool whole) {
        int r;

        assert(!store->change.open && store->sealed.state == SEALED_NONE);
        store->ended = store->batches;
        if (store->mode != STORE_WRITING)
                return store->dead ? -EIO : 0;
        r = store->batch_error;
        if (r == 0 && store->batch.changes > 0) /* else every call was refused */
                r = whole || !can_log(store) ? checkpoint_make(store) : append_to_log(store);
        if (store->mode == STORE_WRITING)
                batch_drop(store);
        return store->dead ? -EIO : r;
}

int store_commit(Store *store) {
        return commit(store, false);
}

int store_commit_whole(Store *store) {
        return commit(store, true);
}

int store_begin_commit(Store *store) {
        const StoreHead *head = &store->now.head;
        Sealed *sealed = &store->sealed;
        Buffer frame = sealed->frame;

        assert(!store->change.open && sealed->state == SEALED_NONE);
        if (store->mode != STORE_WRITING || !store->options.background ||
            store->batch.changes == 0 || store->batch_error < 0 || !can_log(store) ||
            wal_begin_append(store->wal, &store->frame, (uint32_t)store->batch.changes,
                             head->time_seen, head->published) < 0)
                return commit(store, false);
        *sealed = (Sealed){ .state = SEALED_WRITING,
                            .frame = store->frame,
                            .before = store->before,
                            .amount = store->batch,
                            .number = store->batches };
        store->frame = frame;
        kv_gather_seal(store->kv);
        store->mode = STORE_IDLE;
        store->batch = (Amount){};
        return -EAGAIN;
}

int store_end_commit(Store *store, bool wait) {
        Sealed *sealed = &store->sealed;

        assert(sealed->state != SEALED_NONE);
        if (end_writing(store, wait) == -EAGAIN)
                return -EAGAIN;
        sealed->state = SEALED_NONE;
        store->ended = sealed->number;
        return sealed->result;
}

int store_commit_fd(const Store *store) {
        return store->options.background && store->wal ? wal_fd(store->wal) : -1;
}

uint64_t store_durable(const Store *store) {
        return store->sealed.state == SEALED_WRITING ? store->sealed.before.head.sequence
               : store->mode == STORE_WRITING        ? store->before.head.sequence
                                                     : store->now.head.sequence;
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
        int r = batch_open(store);

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
                batch_drop(store);
                return r;
        }
        store->logged.changes += store->batch.changes;
        store->logged.bytes += store->batch.bytes;
        store->now.head.time_seen = frame->time_seen;
        store->now.head.published = frame->published;
        batch_close(store);
        return 0;
}

/* For it the database is as it is. */
static bool is_looking(const Store *store) {
        return store->options.read_only && !store->options.trial;
}

/* Others bring it over the database, and have none from then on. */
static bool keeps_log(const Store *store) {
        return !store->options.read_only && !store->options.trial && !store->options.file;
}

static int bring_log(Store *store, const char *directory, Refusal *why) {
        int r = wal_read(store->wal, store->checkpoint, replay_frame, store);

        store->behind = store->wal->checkpoint != store->checkpoint;
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
        return checkpoint_flush(store);
}

/* Without room to fill one that is too short, what it has must not be passed over all the same. */
static int open_short(const char *directory, WalMedium **ret) {
        int r = wal_file_freeze(directory, ret);

        log_warning("there is no room for the write-ahead log: every commit is a checkpoint now, "
                    "which takes longer");
        return r;
}

static int bring_checked(Store *store, const char *directory, Refusal *why) {
        uint64_t newest = 0;
        int r = wal_newest(store->wal->medium, &newest);

        if (r < 0 && r != -ENOENT)
                return r;
        if (newest > store->checkpoint + 1) /* that one may have been begun */
                return refuse_wal(why, directory,
                                  "belongs to a newer state of the database than there is");
        return bring_log(store, directory, why);
}

int store_open_wal(Store *store, const StoreOptions *options, Refusal *why) {
        WalMedium *medium = options->wal;
        int r = medium ? 0 : wal_file_open(options->directory, &medium);
        bool is_short = r == -ENOSPC;

        if (is_short)
                r = open_short(options->directory, &medium);
        if (r < 0)
                return is_short && r == -ENOENT ? 0 : r;
        r = wal_new(medium, options->background, &store->wal);
        if (r < 0) {
                medium->ops->free(medium);
                return r;
        }
        r = bring_checked(store, options->directory, why);
        if (r == -ENOSPC && is_short)
                refuse(why, REFUSED_INTERNAL,
                       "the write-ahead log %s/" WAL_NAME
                       " is too short, and there is no room to bring what it has into the "
                       "database: free disk space",
                       options->directory);
        if (is_short || !keeps_log(store))
                store->wal = wal_free(store->wal);
        else if (r == -ENOSPC) /* it stays there until there is room */
                r = wal_confirm(store->wal);
        return r;
}
