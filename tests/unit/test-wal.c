/* SPDX-License-Identifier: Apache-2.0 */

/* The write-ahead log: its frames alone, and the store over it while everything fails. */

#include <errno.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
/* after its prerequisites */
#include <cmocka.h>

#include "kv-memory.c"
#include "shelf.c"
#include "store/internal.h"
#include "store/kv-gather.h"
#include "wal-memory.c"
#ifndef __SANITIZE_THREAD__ /* to which the real one is shown */
#include "worker-memory.c"
#define THREADS 0
#else
#include "worker-memory.h"
Rng worker_chance;
unsigned workers_busy;
#define THREADS 1
#endif

#define SEEDS     400
#define STEPS     120
#define ITEMS_MAX 64

/* ---- frames --------------------------------------------------------------------------------- */

typedef struct Frames {
        WalDisk disk;
        Wal *wal;
} Frames;

static int setup(void **state) {
        Frames *frames = calloc(1, sizeof(*frames));

        assert_non_null(frames);
        wal_disk_init(&frames->disk, 1);
        assert_int_equal(wal_new(wal_disk_open(&frames->disk), false, &frames->wal), 0);
        *state = frames;
        return 0;
}

static int teardown(void **state) {
        Frames *frames = *state;

        wal_free(frames->wal);
        wal_disk_done(&frames->disk);
        free(frames);
        return 0;
}

static void append(Frames *frames, size_t size, uint32_t changes) {
        _cleanup_free_ uint8_t *record = malloc(size);
        _cleanup_(buffer_done) Buffer frame = {};

        memset(record, (int)changes, size);
        wal_begin_frame(&frame);
        wal_add_record(&frame, (Slice){ record, size });
        assert_int_equal(wal_append(frames->wal, &frame, changes, 7, 8), 0);
}

typedef struct Read {
        uint32_t frames, last;
} Read;

static int see_frame(void *userdata, const WalFrame *frame) {
        Cursor cursor = cursor_over(frame->records);
        Slice record = cursor_slice(&cursor);
        Read *read = userdata;

        assert_int_equal(cursor_left(&cursor), 0);
        assert_false(cursor.failed);
        assert_int_equal(frame->time_seen, 7);
        assert_int_equal(frame->published, 8);
        for (size_t i = 0; i < record.size; i++)
                assert_int_equal(((const uint8_t *)record.data)[i], (uint8_t)frame->changes);
        read->frames++;
        read->last = frame->changes;
        return 0;
}

static int read_back(Frames *frames, uint64_t checkpoint, Read *ret) {
        *ret = (Read){};
        return wal_read(frames->wal, checkpoint, see_frame, ret);
}

/* Written, read back, appended to, begun anew; of every size around the sectors. */
static void test_frames(void **state) {
        static const size_t sizes[] = { 1, 100, 461, 462, 463, 464, 511, 512, 513, 5000, 200000 };
        Frames *frames = *state;
        uint64_t newest;
        Read read;

        assert_int_equal(wal_newest(frames->wal->medium, &newest), -ENOENT);
        assert_int_equal(read_back(frames, 5, &read), 0);
        assert_int_equal(read.frames, 0);
        for (uint32_t i = 0; i < ELEMENTS(sizes); i++) {
                uint64_t end;

                append(frames, sizes[i], i + 1);
                end = frames->wal->end;
                assert_int_equal(end % WAL_SECTOR, 0);
                assert_int_equal(read_back(frames, 5, &read), 0);
                assert_int_equal(read.frames, i + 1);
                assert_int_equal(read.last, i + 1);
                assert_int_equal(frames->wal->end, end);
        }
        assert_int_equal(wal_newest(frames->wal->medium, &newest), 0);
        assert_int_equal(newest, 5);
        /* Those of another checkpoint are none. */
        assert_int_equal(read_back(frames, 7, &read), 0);
        assert_int_equal(read.frames, 0);
        assert_int_equal(frames->wal->end, WAL_AREA);
        /* Those of the next one are in the other area: they come behind. */
        wal_restart(frames->wal, 6);
        append(frames, 1, 99);
        append(frames, 1, 100);
        assert_int_equal(wal_newest(frames->wal->medium, &newest), 0);
        assert_int_equal(newest, 6);
        assert_int_equal(read_back(frames, 5, &read), 0);
        assert_int_equal(read.frames, ELEMENTS(sizes) + 2);
        assert_int_equal(read.last, 100);
        assert_int_equal(frames->wal->checkpoint, 6);
        assert_int_equal(read_back(frames, 6, &read), 0);
        assert_int_equal(read.frames, 2);
        assert_int_equal(wal_prove(frames->wal->medium), 0);
        frames->disk.bytes[WAL_AREA + 100] ^= 1;
        assert_int_equal(wal_prove(frames->wal->medium), 0); /* the first of it might be torn */
        wal_restart(frames->wal, 7);
        append(frames, 1, 101);
        assert_int_equal(read_back(frames, 6, &read), 0);
        assert_int_equal(read_back(frames, 7, &read), 0);
        assert_int_equal(read.frames, 1);
}

/* After a checkpoint that was being written: the first frame is as much as any other. */
static void test_damaged_first(void **state) {
        Frames *frames = *state;
        uint64_t end;
        Read read;

        wal_restart(frames->wal, 6);
        append(frames, 1, 1);
        end = frames->wal->end;
        wal_restart(frames->wal, 7);
        append(frames, 1, 2);
        frames->disk.bytes[WAL_AREA + WAL_HEADER] ^= 1;
        assert_int_equal(read_back(frames, 6, &read), 0); /* it was never finished */
        assert_int_equal(read.frames, 1);
        assert_int_equal(frames->wal->checkpoint, 6);
        assert_int_equal(frames->wal->end, end);
        frames->disk.bytes[WAL_AREA + WAL_HEADER] ^= 1;
        assert_int_equal(read_back(frames, 6, &read), 0);
        append(frames, 1, 3);
        frames->disk.bytes[WAL_AREA + WAL_HEADER] ^= 1;
        assert_int_equal(read_back(frames, 6, &read), -EUCLEAN);
        assert_int_equal(read.frames, 1);
}

static void test_full(void **state) {
        _cleanup_(buffer_done) Buffer frame = {};
        _cleanup_free_ uint8_t *record = calloc(1, WAL_RECORD_MAX);
        Frames *frames = *state;
        unsigned n = 0;
        Read read;

        wal_restart(frames->wal, 1);
        wal_begin_frame(&frame);
        wal_add_record(&frame, (Slice){ record, WAL_RECORD_MAX });
        assert_false(wal_has_room(frames->wal, &frame)); /* with its length it is too long */
        wal_begin_frame(&frame);
        wal_add_record(&frame, (Slice){ record, WAL_RECORD_MAX - 10 });
        for (; wal_has_room(frames->wal, &frame); n++) {
                _cleanup_(buffer_done) Buffer one = {};

                wal_begin_frame(&one);
                wal_add_record(&one, (Slice){ record, WAL_RECORD_MAX - 10 });
                assert_int_equal(wal_append(frames->wal, &one, 0, 7, 8), 0);
        }
        assert_int_equal(n, WAL_AREA / WAL_RECORD_MAX - 1); /* the headers take room too */
        assert_int_equal(read_back(frames, 1, &read), 0);
        assert_int_equal(read.frames, n);
}

/* Whatever becomes of the last frame, it is there whole or not at all; damage to one before it is
 * told. Every bit of the headers and some of the rest. */
static void test_damage(void **state) {
        Frames *frames = *state;
        uint64_t at[4];
        Read read;

        wal_restart(frames->wal, 1);
        for (uint32_t i = 0; i < 4; i++) {
                at[i] = frames->wal->end;
                append(frames, 700, i + 1);
        }
        for (uint32_t i = 0; i < 4; i++)
                for (size_t bit = 0; bit < (WAL_HEADER + 700) * 8; bit += bit < 400 ? 1 : 61) {
                        uint8_t *byte = frames->disk.bytes + at[i] + bit / 8;
                        int r;

                        *byte ^= (uint8_t)(1 << bit % 8);
                        r = read_back(frames, 1, &read);
                        *byte ^= (uint8_t)(1 << bit % 8);
                        if (r != (i < 3 ? -EUCLEAN : 0) || read.frames != i)
                                fail_msg("frame %u, bit %zu: %d after %u frames", i, bit, r,
                                         read.frames);
                }
        assert_int_equal(read_back(frames, 1, &read), 0);
        assert_int_equal(read.frames, 4);
}

/* ---- the store over it ---------------------------------------------------------------------- */

/* What there is: the groups of the items by their number, 0: none. */
typedef struct Ledger {
        int64_t groups[ITEMS_MAX + 1];
} Ledger;

/* How it stands with the checkpoint that was begun last. */
typedef enum Standing {
        CHECKPOINT_DONE,
        CHECKPOINT_UNDER_WAY,
        CHECKPOINT_FAILED, /* beside: the log has two areas */
        CHECKPOINT_BEHIND, /* not since the last opening, which had no room for it */
        _STANDINGS,
} Standing;

typedef struct Trial {
        Shelf *shelf;
        WalDisk disk;
        Rng rng;
        bool beside; /* a thread writes */
        bool sealed; /* a batch, which it is writing */
        bool behind;
        Ledger open, sealing, durable;
        unsigned commits[_STANDINGS], crashes[_STANDINGS], checkpoints[_STANDINGS];
        unsigned failures, sealings, lost_with, crashes_sealed, cuts, refused;
} Trial;

static Standing standing(Trial *trial) {
        Store *store = trial->shelf->store;

        if (kv_gather_is_frozen(store->kv))
                return workers_busy > (store->sealed.state == SEALED_WRITING) ? CHECKPOINT_UNDER_WAY
                                                                              : CHECKPOINT_FAILED;
        trial->behind = trial->behind && !store_is_settled(store);
        return trial->behind ? CHECKPOINT_BEHIND : CHECKPOINT_DONE;
}

static uint64_t id_of(size_t number) {
        return (uint64_t)SHELF_SITE << ID_SITE_SHIFT | number;
}

static void assert_ledger(Trial *trial, const Ledger *ledger) {
        for (size_t i = 1; i <= ITEMS_MAX; i++) {
                int64_t group = shelf_group(trial->shelf, id_of(i));

                if ((group < 0 ? 0 : group) != ledger->groups[i])
                        fail_msg("item %zu is in group %lld, not in %lld", i, (long long)group,
                                 (long long)ledger->groups[i]);
        }
}

/* What is written beside fails later, or not at all. */
static void fail_nothing(Trial *trial) {
        for (int call = 0; call < _MEMORY_CALL_MAX; call++)
                if (call != MEMORY_BESIDE)
                        memory_disk_fail(trial->shelf->disk, (MemoryCall)call, 0, 0);
        trial->disk.fail_at = 0;
}

/* A thread would meet a medium that fails for good at some moment, also while something is read. */
static void plan_failure(Trial *trial) {
        int error = rng_one_in(&trial->rng, 2) ? -ENOSPC : -EIO;
        unsigned nth = 1 + (unsigned)rng_below(&trial->rng, 12);
        MemoryDisk *disk = trial->shelf->disk;

        if (THREADS && trial->sealed) /* it looks at them just now */
                return;
        switch (rng_below(&trial->rng, 7)) {
        case 0:
                memory_disk_fail(disk, MEMORY_WRITE, nth, error);
                break;
        case 1:
                memory_disk_fail(disk, MEMORY_COMMIT, 1, error);
                break;
        case 2:
                memory_disk_fail(disk, MEMORY_BESIDE, 1, THREADS ? -ENOSPC : error);
                break;
        case 3:
                if (!THREADS)
                        memory_disk_fail(disk, MEMORY_TOLD, 1, -EIO);
                break;
        case 4: /* no room here nor there */
                memory_disk_fail(disk, MEMORY_COMMIT, 1, -ENOSPC);
                trial->disk.fail_at = 1;
                trial->disk.error = -ENOSPC;
                break;
        default:
                trial->disk.fail_at = 1 + nth % 2;
                trial->disk.error = error;
        }
}

static void try_open(Trial *trial) {
        Shelf *shelf = trial->shelf;
        Refusal why;
        int r;

        shelf->options.wal = wal_disk_open(&trial->disk);
        r = shelf_try_open(shelf, &why);
        fail_nothing(trial);
        memory_disk_fail(shelf->disk, MEMORY_BESIDE, 0, 0);
        if (r == 0)
                return;
        if (r != -ENOSPC && r != -EIO)
                fail_msg("%s", why.text);
        trial->refused++;
        shelf->options.wal = wal_disk_open(&trial->disk);
        shelf_open(shelf);
}

static bool has_ledger(Trial *trial, const Ledger *ledger) {
        for (size_t i = 1; i <= ITEMS_MAX; i++)
                if (MAX(shelf_group(trial->shelf, id_of(i)), INT64_C(0)) != ledger->groups[i])
                        return false;
        return true;
}

/* The process ends, and starts again. What was being written then is there or not: if something was
 * being committed, perhaps it is. */
static void reopen(Trial *trial, const Ledger *maybe) {
        Shelf *shelf = trial->shelf;

        trial->crashes[standing(trial)]++;
        if (rng_one_in(&trial->rng, 3))
                plan_failure(trial);
        shelf->store = store_free(shelf->store);
        fail_nothing(trial);
        memory_disk_fail(shelf->disk, MEMORY_BESIDE, 0, 0);
        if (rng_one_in(&trial->rng, 3)) {
                wal_disk_cut(&trial->disk);
                trial->cuts++;
        }
        if (rng_one_in(&trial->rng, 3))
                plan_failure(trial);
        if (rng_one_in(&trial->rng, 4))
                memory_disk_fail(shelf->disk, MEMORY_COMMIT, 1, -ENOSPC);
        try_open(trial);
        trial->behind = !store_is_settled(shelf->store);
        if (maybe && has_ledger(trial, maybe))
                trial->durable = *maybe;
        trial->open = trial->durable;
        assert_ledger(trial, &trial->durable);
}

static void crash(Trial *trial) {
        trial->crashes_sealed += trial->sealed;
        reopen(trial, trial->sealed ? &trial->sealing : NULL);
        trial->sealed = false;
}

/* A batch has ended: what is there is what was acknowledged. A frame whose write failed may be
 * there after all, as any call without an answer. */
static void end_batch(Trial *trial, int r, const Ledger *maybe) {
        fail_nothing(trial);
        if (r == 0) {
                trial->durable = *maybe;
                return;
        }
        trial->failures++;
        trial->open = trial->durable;
        if (r == -EIO) { /* after which a process ends */
                reopen(trial, maybe);
                return;
        }
        assert_int_equal(r, -ENOSPC);
        assert_ledger(trial, &trial->durable);
}

static int change_one(Trial *trial) {
        Shelf *shelf = trial->shelf;
        size_t i = 1 + rng_below(&trial->rng, ITEMS_MAX);
        int64_t group = rng_one_in(&trial->rng, 4) ? 0 : 1 + (int64_t)rng_below(&trial->rng, 5);
        char words[3] = { 'a', (char)('b' + group), '\0' };
        Key key = key_of_id(id_of(i));
        Change *change;
        int r = change_begin(shelf->store, &change);

        if (r < 0)
                return r;
        if (group == 0 && trial->open.groups[i] == 0) {
                change_drop(change);
                return 0;
        }
        if (group == 0)
                assert_int_equal(change_remove(change, &item_table, &key), 0);
        else
                shelf_put(change, id_of(i), "name", group, words, false);
        r = shelf_try_apply(shelf, change);
        if (r == 0)
                trial->open.groups[i] = group;
        return r;
}

/* The batch that is being written has ended; with it the next one fails. */
static void collect(Trial *trial) {
        Store *store = trial->shelf->store;
        bool has_batch = store_has_batch(store);
        Ledger next = trial->open;
        int r;

        if (!trial->sealed)
                return;
        assert_true(store_is_pending(store));
        while ((r = store_end_commit(store, rng_one_in(&trial->rng, 2))) == -EAGAIN)
                ;
        trial->sealed = false;
        if (r < 0) {
                assert_int_equal(store_commit(store), !has_batch && !store_is_dead(store) ? 0 : r);
                assert_false(store_is_pending(store));
                trial->lost_with += has_batch;
        }
        end_batch(trial, r, &trial->sealing);
        if (r == 0)
                trial->open = next;
}

static void finish(Trial *trial, int r) {
        Store *store;
        Ledger maybe;
        int commit;

        collect(trial);
        store = trial->shelf->store;
        maybe = trial->open;
        commit = trial->beside && rng_one_in(&trial->rng, 2) ? store_begin_commit(store)
                                                             : store_commit(store);
        trial->commits[standing(trial)] += commit == 0 || commit == -EAGAIN;
        if (commit == -EAGAIN) {
                assert_true(store_durable(store) < store_head(store)->sequence);
                trial->sealed = true;
                trial->sealing = maybe;
                trial->sealings++;
                return;
        }
        assert_false(store_is_pending(store));
        end_batch(trial, r < 0 && commit == 0 ? r : commit, &maybe);
}

static void make_checkpoint(Trial *trial) {
        Store *store = trial->shelf->store;
        bool at_once = rng_one_in(&trial->rng, 3);
        int r;

        trial->checkpoints[standing(trial)]++;
        r = at_once ? store_settle(store) : store_begin_checkpoint(store);
        assert_true(!at_once || r < 0 || !kv_gather_is_frozen(store->kv));
        if (r != -EAGAIN)
                end_batch(trial, r, &trial->durable);
        else if (rng_one_in(&trial->rng, 3))
                memory_disk_fail(trial->shelf->disk, MEMORY_BESIDE, 1, -ENOSPC);
}

/* As it is told at any time. */
static void hear_of_checkpoint(Trial *trial) {
        int r = store_end_checkpoint(trial->shelf->store);

        if (r == -EIO)
                crash(trial);
        else
                assert_true(r == 0 || r == -EAGAIN || r == -ENOSPC);
}

static void abort_batch(Trial *trial) {
        store_abort(trial->shelf->store);
        fail_nothing(trial);
        trial->open = trial->durable;
        if (store_is_dead(trial->shelf->store))
                crash(trial);
        assert_ledger(trial, &trial->durable);
}

static int change_some(Trial *trial) {
        int r = 0;

        for (uint64_t n = 1 + rng_below(&trial->rng, 4); r == 0 && n > 0; n--)
                r = change_one(trial);
        return r;
}

static void step(Trial *trial) {
        Shelf *shelf = trial->shelf;
        int r;

        if (rng_one_in(&trial->rng, 5))
                plan_failure(trial);
        r = change_some(trial);
        if (rng_one_in(&trial->rng, 2))
                collect(trial);
        if (r == 0 && rng_one_in(&trial->rng, 8))
                crash(trial);
        else if (r == 0 && !trial->sealed && rng_one_in(&trial->rng, 8))
                abort_batch(trial);
        else if (!trial->sealed || rng_one_in(&trial->rng, 2)) {
                if (r < 0 || rng_one_in(&trial->rng, 2))
                        finish(trial, r);
        }
        if (rng_one_in(&trial->rng, 4))
                hear_of_checkpoint(trial);
        if (!store_has_batch(shelf->store) && !trial->sealed && rng_one_in(&trial->rng, 4))
                make_checkpoint(trial);
        store_release(shelf->store);
}

static void run(Trial *trial, uint64_t seed) {
        _cleanup_free_ char *faults = NULL;

        assert_int_equal(shelf_setup_memory((void **)&trial->shelf), 0);
        wal_disk_init(&trial->disk, seed);
        trial->rng = (Rng){ seed };
        trial->beside = trial->shelf->options.background = seed % 2;
        if (seed % 4 == 1) /* checkpoints are due after some changes already */
                trial->shelf->options.map_size = 64 * 1024;
        trial->open = trial->durable = (Ledger){};
        worker_chance = (Rng){ ~seed };
        reopen(trial, NULL);
        for (unsigned i = 0; i < STEPS; i++)
                step(trial);
        collect(trial);
        store_abort(trial->shelf->store);
        crash(trial);
        faults = shelf_check(trial->shelf);
        assert_string_equal(faults, "");
        shelf_teardown((void **)&trial->shelf);
        wal_disk_done(&trial->disk);
        assert_int_equal(workers_busy, 0);
}

static void tell(const char *what, const unsigned counts[static _STANDINGS]) {
        printf("figure: %u %s when all was in the database, %u while a checkpoint was being "
               "written, %u after it had failed, %u after one had at the start\n",
               counts[CHECKPOINT_DONE], what, counts[CHECKPOINT_UNDER_WAY],
               counts[CHECKPOINT_FAILED], counts[CHECKPOINT_BEHIND]);
        for (int i = 0; i < _STANDINGS; i++)
                assert_true(counts[i] > 0 || (i == CHECKPOINT_UNDER_WAY && THREADS));
}

static uint64_t seed; /* of the history that runs */

static int tell_seed(_unused_ void **state) {
        if (seed > 0)
                printf("in the history of SEED=%" PRIu64 "\n", seed);
        return 0;
}

static void test_store(_unused_ void **state) {
        const char *few = getenv("SEEDS"), *first = getenv("SEED");
        uint64_t seeds = few ? strtoull(few, NULL, 10) : first ? 1 : SEEDS;
        uint64_t from = first ? strtoull(first, NULL, 10) : 1;
        Trial trial = {};

        for (seed = from; seed < from + seeds; seed++)
                run(&trial, seed);
        seed = 0;
        printf("figure: %" PRIu64 " histories, %u batches beside, %u failed, %u with the one "
               "before, %u crashes within one, %u power cuts, %u starts that failed\n",
               seeds, trial.sealings, trial.failures, trial.lost_with, trial.crashes_sealed,
               trial.cuts, trial.refused);
        if (seeds < SEEDS)
                return;
        tell("commits", trial.commits);
        tell("crashes", trial.crashes);
        tell("checkpoints", trial.checkpoints);
        assert_true(trial.failures > seeds && trial.lost_with > seeds / 10 && trial.refused > 0);
}

#define WITH_FRAMES(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                WITH_FRAMES(test_frames),
                WITH_FRAMES(test_full),
                WITH_FRAMES(test_damaged_first),
                WITH_FRAMES(test_damage),
                cmocka_unit_test_teardown(test_store, tell_seed),
        };

        return cmocka_run_group_tests_name("wal", tests, NULL, NULL);
}
