/* SPDX-License-Identifier: Apache-2.0 */

/* Damage to the files of a real store, some of it each time: a bit, a byte, a sector, an end that
 * is missing. Then it is opened as the daemon does, all of it is read, and it is checked. What is
 * read must be what was written, or somebody must say so: the start, whoever reads, or the check.
 *
 * LMDB has no checksums for what leads to the records, its pages and the order of keys in them.
 * What it makes of damage there is counted beside, also the signals that it ends with and the
 * circles that it goes in; but it must not pass unnoticed either. And the last frame of the log,
 * damaged, cannot be told from one that was never finished: then the store is as it was before
 * that.
 *
 * FLIPS=n makes that many, from SEED. */

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/wait.h>
/* after its prerequisites */
#include <cmocka.h>

#include "base/log.h"
#include "store/check.h"
#include "store/wal.h"

#include "image.c"
#include "kv-memory.c"
#include "life.c"
#include "reading.c"
#include "shelf.c"
#include "world.c"

#ifdef __SANITIZE_ADDRESS__
#define FLIPS 300
#else
#define FLIPS 2000
#endif
#define STEPS        260 /* of the life that fills the store */
#define SETTLED_AT   200 /* then all is in the database; what comes after is in the log */
#define FRAMES_MAX   100 /* in the log */
#define SECTOR       ((size_t)512)
#define PATIENCE     2 /* seconds of work for one, which takes a few milliseconds */
#define MESSAGE_SIZE 200

#ifdef __SANITIZE_ADDRESS__
/* What LMDB does ends with a signal, as without. */
const char *__asan_default_options(void);
const char *__asan_default_options(void) {
        return "handle_segv=0:handle_sigbus=0:handle_abort=0:abort_on_error=1";
}
#endif

/* ---- a store -------------------------------------------------------------------------------- */

static void live(World *world, Rng *rng, uint64_t *ids, size_t *n) {
        const Transition *transition;
        uint64_t id, delivered = 0;

        switch (rng_below(rng, 10)) {
        case 0:
        case 1:
                if (life_create(world, rng, &ids[*n]) == 0)
                        ++*n;
                break;
        case 2:
                life_acknowledge(world, rng, &id);
                break;
        case 3:
                life_deliver(world, rng, &delivered);
                break;
        case 4:
                life_administer(world, rng);
                break;
        default:
                if (*n > 0)
                        life_move(world, rng, ids[rng_below(rng, *n)], &transition);
        }
        world_pass(world, world->now + rng_between(rng, 0, HOURS(1)));
        if (rng_one_in(rng, 3))
                world_commit(world);
}

static void fill_store(const char *directory, uint64_t seed) {
        uint64_t ids[STEPS];
        Rng rng = { seed };
        size_t n = 0;
        World world;

        world_init(&world, NULL, directory);
        for (int i = 0; i < STEPS; i++) {
                live(&world, &rng, ids, &n);
                if (i != SETTLED_AT)
                        continue;
                world_commit(&world);
                assert_int_equal(store_settle(world.store), 0);
        }
        world_commit(&world);
        world_done(&world);
}

/* ---- the log -------------------------------------------------------------------------------- */

typedef struct Log {
        WalMedium medium;
        uint8_t *bytes;
        size_t size;
        bool written;
} Log;

static int log_read(WalMedium *medium, uint64_t at, void *buffer, size_t size) {
        const Log *log = (const Log *)medium;

        if (at > log->size || size > log->size - at)
                return -ENODATA;
        memcpy(buffer, log->bytes + at, size);
        return 0;
}

static int log_write(WalMedium *medium, uint64_t at, const void *data, size_t size) {
        Log *log = (Log *)medium;

        if (at > log->size || size > log->size - at)
                return -ENOSPC;
        memcpy(log->bytes + at, data, size);
        log->written = true;
        return 0;
}

static WalMedium *log_free(WalMedium *medium _unused_) {
        return NULL;
}

static const WalMediumOps log_ops = { .read = log_read, .write = log_write, .free = log_free };

/* Where they stand; the last of these is the end. */
typedef struct Frames {
        size_t n, begins[FRAMES_MAX + 1];
} Frames;

static int see_frame(void *userdata, const WalFrame *frame) {
        size_t size = WAL_HEADER + frame->records.size;
        Frames *frames = userdata;

        assert_true(frames->n < FRAMES_MAX);
        frames->begins[frames->n + 1] =
                frames->begins[frames->n] + (size + WAL_SECTOR - 1) / WAL_SECTOR * WAL_SECTOR;
        frames->n++;
        return 0;
}

/* ---- outcomes -------------------------------------------------------------------------------- */

typedef enum Outcome {
        HARMLESS,
        UNFINISHED, /* the last frame was taken for one that was never finished */
        REFUSED,    /* by the start */
        TOLD,       /* to whoever reads */
        CHECKED,    /* by the check alone */
        SIGNAL,     /* LMDB ended the process */
        ENDLESS,    /* LMDB went in circles */
        SILENT,     /* nobody tells that something is missing */
        FORGED,     /* a record that was never written */
        _OUTCOME_MAX,
} Outcome;

static const char *const outcome_names[] = {
        [HARMLESS] = "harmless",
        [UNFINISHED] = "taken for an unfinished commit",
        [REFUSED] = "refused by the start",
        [TOLD] = "told to whoever reads",
        [CHECKED] = "told by the check",
        [SIGNAL] = "ended by a signal",
        [ENDLESS] = "never ended",
        [SILENT] = "told by nobody",
        [FORGED] = "read as another record",
};

/* What the children tell. */
typedef struct Shared {
        uint64_t at; /* which one is at work */
        Part part;   /* the one of all that it has met that LMDB depends on most */
        bool last_frame;
        char what[MESSAGE_SIZE];
        uint64_t outcomes[_OUTCOME_MAX][_PART_MAX];
        char wrong[2 * MESSAGE_SIZE]; /* the first that must not be */
        uint64_t n_wrong;
} Shared;

typedef struct Flips {
        char directory[32], file[64];
        Image database, log;
        Log medium; /* the log in use */
        Frames frames;
        bool alone;                     /* one is looked at: let LMDB say what it has to */
        Reader truth, once[FRAMES_MAX]; /* once: before that frame of the log */
        Shared *shared;
} Flips;

/* ---- what is held against what -------------------------------------------------------------- */

typedef enum Likeness {
        ALIKE,
        OTHERS, /* something is missing, or as it was once, or is found where it is not */
        WRONG,  /* a record that was never written */
} Likeness;

/* As it was at some time since the database was settled. */
static bool was_once(const Flips *flips, const Row *row) {
        for (size_t i = 0; i < flips->frames.n; i++) {
                const Row *found = rows_find(&flips->once[i].rows, row);

                if (found && memcmp(&found->what, &row->what, sizeof(row->what)) == 0)
                        return true;
        }
        return false;
}

/* The truth is in the order of its keys, which is that in which it was read. */
static Likeness compare_readings(const Flips *flips, const Rows *truth, const Rows *rows) {
        Likeness likeness = truth->n == rows->n ? ALIKE : OTHERS;

        for (size_t i = 0; i < rows->n; i++) {
                const Row *row = &rows->list[i], *found = rows_find(truth, row);
                bool is_record = row->section < SECTION_INDEX || row->section == SECTION_JOURNAL;

                if (!found || memcmp(&found->what, &row->what, sizeof(row->what)) != 0) {
                        if (is_record && !was_once(flips, row))
                                return WRONG;
                        likeness = OTHERS;
                } else if (!same_key(&found->at, &row->at))
                        likeness = OTHERS;
        }
        return likeness;
}

/* ---- damage --------------------------------------------------------------------------------- */

static void write_database(const Flips *flips, const uint8_t *bytes, size_t size) {
        int fd = open(flips->file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

        assert_true(fd >= 0);
        assert_int_equal(write(fd, bytes, size), size);
        close(fd);
}

/* The log as it was; all of it only if more than its frames may be other now. */
static void restore_log(Flips *flips) {
        const Frames *frames = &flips->frames;
        Log *log = &flips->medium;
        size_t from = log->written ? 0 : frames->begins[0];
        size_t end = log->written ? log->size : frames->begins[frames->n];

        memcpy(log->bytes + from, flips->log.bytes + from, end - from);
        log->written = false;
}

static StoreOptions options_of(Flips *flips) {
        return (StoreOptions){
                .directory = flips->directory,
                .file = flips->file,
                .wal = &flips->medium.medium,
                .map_size = 64 * 1024 * 1024,
                .site = WORLD_SITE,
                .journal_keep = INT64_MAX / 4,
                .tables = world_tables,
        };
}

/* From the database and the log as they were. */
static void damage(const Flips *flips, Rng *rng, uint8_t *bytes, size_t begin, size_t end,
                   size_t *ret_at, size_t *ret_size) {
        size_t at = begin + rng_below(rng, end - begin);

        *ret_at = at;
        *ret_size = 1;
        switch (rng_below(rng, 8)) {
        case 0:
                bytes[at] = (uint8_t)(bytes[at] + 1 + rng_below(rng, 255));
                break;
        case 1:
                *ret_at = at = at / SECTOR * SECTOR;
                *ret_size = MIN(SECTOR, end - at);
                for (size_t i = 0; i < *ret_size; i++)
                        bytes[at + i] = rng_one_in(rng, 2) ? 0 : (uint8_t)rng_next(rng);
                break;
        default:
                bytes[at] ^= (uint8_t)(1 << rng_below(rng, 8));
        }
        snprintf(flips->shared->what, sizeof(flips->shared->what), "%zu bytes at %zu", *ret_size,
                 *ret_at);
}

static void damage_log(Flips *flips, Rng *rng) {
        size_t at, size;

        damage(flips, rng, flips->medium.bytes, flips->frames.begins[0],
               flips->frames.begins[flips->frames.n], &at, &size);
        flips->shared->last_frame = at + size > flips->frames.begins[flips->frames.n - 1];
}

/* How much of the file there is. */
static size_t damage_database(Flips *flips, Rng *rng, uint8_t *bytes) {
        const Image *image = &flips->database;
        Shared *shared = flips->shared;
        size_t at, size;

        if (rng_one_in(rng, 40)) {
                size = rng_below(rng, image->size);
                snprintf(shared->what, sizeof(shared->what), "cut to %zu bytes", size);
                return size;
        }
        damage(flips, rng, bytes, 0, image->size, &at, &size);
        for (size_t i = at; i < at + size; i++)
                shared->part = MAX(shared->part, (Part)image->parts[i]);
        return image->size;
}

static void count_fault(void *userdata, const char *line _unused_) {
        ++*(uint64_t *)userdata;
}

static bool check_tells(Store *store) {
        uint64_t records = 0, faults = 0, lines = 0;

        return store_check(store, count_fault, &lines, &records, &faults) < 0 || faults > 0 ||
               engine_check(world_kinds, store, count_fault, &lines, &faults) < 0 || faults > 0;
}

static Outcome judge(const Flips *flips, Reader *reader) {
        Likeness likeness = compare_readings(flips, &flips->truth.rows, &reader->rows);

        if (likeness == ALIKE)
                return reader->told ? TOLD : HARMLESS;
        if (flips->shared->last_frame &&
            compare_readings(flips, &flips->once[flips->frames.n - 1].rows, &reader->rows) == ALIKE)
                return UNFINISHED;
        if (likeness == WRONG)
                return FORGED;
        if (reader->told)
                return TOLD;
        return check_tells(reader->store) ? CHECKED : SILENT;
}

static Outcome look(Flips *flips) {
        StoreOptions options = options_of(flips);
        Reader reader = { .asked = flips->truth.asked, .n_asked = flips->truth.n_asked };
        Outcome outcome;
        Refusal why = {};
        int r = store_open(&options, &reader.store, &why);

        if (r < 0) {
                assert_true(why.text[0] != '\0');
                return REFUSED;
        }
        reading_all(&reader, false);
        outcome = judge(flips, &reader);
        store_free(reader.store);
        free(reader.rows.list);
        return outcome;
}

static void count(Shared *shared, Outcome outcome) {
        bool lmdb = outcome == SIGNAL || outcome == ENDLESS;
        bool allowed = outcome < SIGNAL || (lmdb && shared->part != PART_CONTENT);

        shared->outcomes[outcome][shared->part]++;
        if (!allowed && shared->n_wrong++ == 0)
                snprintf(shared->wrong, sizeof(shared->wrong), "SEED=%llu: %s: %s",
                         (unsigned long long)shared->at, shared->what, outcome_names[outcome]);
}

/* One bit of damage follows from its number alone. */
static void flip(Flips *flips, uint64_t number) {
        static const struct itimerval patience = { .it_value.tv_sec = PATIENCE };
        static uint8_t *bytes;
        Shared *shared = flips->shared;
        const Image *database = &flips->database;
        size_t size = database->size;
        Rng rng = { number };

        if (!bytes)
                bytes = malloc(database->size);
        assert_non_null(bytes);
        memcpy(bytes, database->bytes, database->size);
        restore_log(flips);
        shared->at = number;
        shared->part = PART_CONTENT;
        shared->last_frame = false;
        if (rng_one_in(&rng, 4))
                damage_log(flips, &rng);
        else
                size = damage_database(flips, &rng, bytes);
        write_database(flips, bytes, size);
        setitimer(ITIMER_VIRTUAL, &patience, NULL);
        count(shared, look(flips));
}

/* cmocka makes failures of signals. */
static void leave_signals(void) {
        static const int signals[] = { SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGILL };

        for (size_t i = 0; i < ELEMENTS(signals); i++)
                signal(signals[i], SIG_DFL);
}

/* Until LMDB has met damage to what it goes by: after that nothing in the process need be sound. */
static void flip_in_child(Flips *flips, uint64_t from, uint64_t end) {
        leave_signals();
        if (!flips->alone)
                assert_non_null(freopen("/dev/null", "w", stderr));
        for (uint64_t i = from; i < end; i++) {
                flip(flips, i);
                if (flips->shared->part != PART_CONTENT)
                        break;
        }
        _exit(EXIT_SUCCESS);
}

/* Some of them: at least one. */
static void flip_some(Flips *flips, uint64_t from, uint64_t end) {
        pid_t child = fork();
        int status;

        assert_true(child >= 0);
        if (child == 0)
                flip_in_child(flips, from, end);
        assert_int_equal(waitpid(child, &status, 0), child);
        if (WIFSIGNALED(status))
                count(flips->shared, WTERMSIG(status) == SIGVTALRM ? ENDLESS : SIGNAL);
        else if (status != 0)
                fail_msg("SEED=%llu: %s: ended with status %x",
                         (unsigned long long)flips->shared->at, flips->shared->what, status);
}

/* ---- the test ------------------------------------------------------------------------------- */

static void read_truth(Flips *flips, Reader *reader, bool ask) {
        StoreOptions options = options_of(flips);
        Refusal why = {};

        write_database(flips, flips->database.bytes, flips->database.size);
        if (store_open(&options, &reader->store, &why) < 0)
                fail_msg("%s", why.text);
        reading_all(reader, ask);
        if (ask) { /* now that it is known which tallies there are */
                reader->rows.n = 0;
                reading_all(reader, false);
        }
        assert_false(reader->told);
        assert_false(check_tells(reader->store));
        reader->store = store_free(reader->store);
}

/* Also what there was before each frame of the log. */
static void read_truths(Flips *flips) {
        const Frames *frames = &flips->frames;

        read_truth(flips, &flips->truth, true);
        for (size_t i = 0; i < frames->n; i++) {
                Reader *once = &flips->once[i];

                once->asked = flips->truth.asked;
                once->n_asked = flips->truth.n_asked;
                restore_log(flips);
                memset(flips->medium.bytes + frames->begins[i], 0,
                       frames->begins[frames->n] - frames->begins[i]);
                read_truth(flips, once, false);
                assert_true(compare_readings(flips, &flips->truth.rows, &once->rows) != ALIKE);
        }
}

static int setup(void **state) {
        Flips *flips = calloc(1, sizeof(*flips));
        uint64_t newest = 0;
        Wal *wal;

        assert_non_null(flips);
        strcpy(flips->directory, "/dev/shm/test-flip.XXXXXX");
        make_directory(flips->directory);
        snprintf(flips->file, sizeof(flips->file), "%s/damaged", flips->directory);
        fill_store(flips->directory, 1);
        flips->database = image_read(flips->directory, "state.mdb");
        flips->log = image_read(flips->directory, WAL_NAME);
        image_mark_parts(&flips->database);
        flips->medium = (Log){ .medium.ops = &log_ops,
                               .bytes = malloc(flips->log.size),
                               .size = flips->log.size };
        flips->shared = mmap(NULL, sizeof(Shared), PROT_READ | PROT_WRITE,
                             MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        assert_true(flips->medium.bytes && flips->shared != MAP_FAILED);

        memcpy(flips->medium.bytes, flips->log.bytes, flips->log.size);
        assert_int_equal(wal_newest(&flips->medium.medium, &newest), 0);
        assert_int_equal(wal_new(&flips->medium.medium, false, &wal), 0);
        flips->frames.begins[0] = newest % 2 * WAL_AREA;
        assert_int_equal(wal_read(wal, newest, see_frame, &flips->frames), 0);
        wal_free(wal);
        *state = flips;
        return 0;
}

static int teardown(void **state) {
        Flips *flips = *state;

        remove_directory(flips->directory);
        free(flips->database.bytes);
        free(flips->database.parts);
        free(flips->log.bytes);
        free(flips->log.parts);
        free(flips->medium.bytes);
        free(flips->truth.asked);
        free(flips->truth.rows.list);
        for (size_t i = 0; i < flips->frames.n; i++)
                free(flips->once[i].rows.list);
        munmap(flips->shared, sizeof(Shared));
        free(flips);
        return 0;
}

static void tell(const Flips *flips, uint64_t flipped) {
        print_message("%llu flips in a store of %zu bytes, %zu rows, and a log of %zu frames\n",
                      (unsigned long long)flipped, flips->database.size, flips->truth.rows.n,
                      flips->frames.n);
        for (int part = 0; part < _PART_MAX; part++)
                for (int o = 0; o < _OUTCOME_MAX; o++)
                        if (flips->shared->outcomes[o][part] > 0)
                                print_message("%s: %llu %s\n", part_names[part],
                                              (unsigned long long)flips->shared->outcomes[o][part],
                                              outcome_names[o]);
}

static void test_flips(void **state) {
        Flips *flips = *state;
        uint64_t seed = getenv("SEED") ? strtoull(getenv("SEED"), NULL, 10) : 1;
        uint64_t n = getenv("FLIPS") ? strtoull(getenv("FLIPS"), NULL, 10) : FLIPS;

        read_truths(flips);
        flips->alone = n == 1;
        for (uint64_t at = seed; at < seed + n; at = flips->shared->at + 1)
                flip_some(flips, at, seed + n);
        tell(flips, n);
        if (flips->shared->n_wrong > 0)
                fail_msg("%llu times, first %s", (unsigned long long)flips->shared->n_wrong,
                         flips->shared->wrong);
        /* damage that nobody meets proves nothing */
        assert_true(n < 100 || flips->shared->outcomes[TOLD][PART_CONTENT] > n / 50);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_flips),
        };

        log_open(LOG_TO_STDERR, 0, LOG_CRIT);
        return cmocka_run_group_tests_name("flip", tests, setup, teardown);
}
