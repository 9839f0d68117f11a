/* SPDX-License-Identifier: Apache-2.0 */

/* What a power cut leaves behind (disk.h), judged. A state of a store is opened as a start of the
 * daemon does, and must have all that was acknowledged, whole, and nothing that was not begun; what
 * whole programs leave is judged by who asks for it (test_programs.py).
 *
 *      crash work DIRECTORY HISTORY
 *              lives that history of a store, and tells how many changes there are then
 *      crash judge DIRECTORY CHANGES LOG HISTORY [MUTANT]
 *              CHANGES: so many there were before it was recorded; the directory is to work in
 *      crash states DIRECTORY LIMIT PART LOG [MUTANT]
 *              puts states into the directory, one after the other, and tells "NUMBER ACKNOWLEDGED"
 *              of each; goes on when a line is read, ends when none comes. About LIMIT of each
 *              moment, 0: all. Of a mutant only those in which something is acknowledged, where it
 *              must show. PART is one half of all: 0, 1 */

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/digest.h"
#include "base/log.h"
#include "disk.h"
#include "log.h"
#include "record/codec.h"
#include "store/check.h"
#include "store/store.h"
#include "store/wal.h"

#define KEPT        40 /* entries that there are at a time */
#define CHECK_EVERY 8  /* states of which one is proved entirely */
#define MAP_SIZE    (64 * 1024 * 1024)

/* ---- the store: entry 0 counts the changes, the last KEPT changes have one each ---- */

typedef struct Entry {
        Record record;
        char *code;
        int64_t value;
        char *text;
} Entry;

static const Field entry_fields[] = {
        TEXT(1, Entry, code, FIELD_CODE, 16, .doc = "which"),
        COUNT(2, Entry, value, 0, .doc = "its number"),
        TEXT(3, Entry, text, 0, 2000, .doc = "much or little"),
};
static const RecordType entry_type = { .name = "entry",
                                       .number = 240,
                                       .version = 1,
                                       .size = sizeof(Entry),
                                       .fields = entry_fields,
                                       .n_fields = ELEMENTS(entry_fields) };

static void entry_key(const void *record, Key *key) {
        *key = key_of_code(((const Entry *)record)->code);
}
static void keys_value(const void *record, Keys *keys) {
        key_u64(keys_add(keys), (uint64_t)((const Entry *)record)->value * 7919 % 1000);
}
static const Index index_value = { .name = "by_value", .keys = keys_value };
static const Index tally_value = { .name = "tally_value", .keys = keys_value };
static const Table entry_table = { .number = 240,
                                   .name = "entry",
                                   .type = &entry_type,
                                   .key = entry_key,
                                   .indices = (const Index *const[]){ &index_value, NULL },
                                   .tallies = (const Index *const[]){ &tally_value, NULL } };
static const Table *const tables[] = { &entry_table, NULL };

static uint64_t scramble(uint64_t n) {
        n = (n ^ n >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
        n = (n ^ n >> 27) * UINT64_C(0x94d049bb133111eb);
        return n ^ n >> 31;
}

static void code_of(uint64_t n, char ret[static 16]) {
        snprintf(ret, 16, "%06" PRIx64, n ? scramble(n) & 0xffffff : 0);
}

static size_t text_size(uint64_t n) {
        return scramble(n + 77) % 600 + 1;
}

static int change_put_entry(Change *change, uint64_t n, int64_t value) {
        char code[16], text[1024];

        code_of(n, code);
        memset(text, 'a' + (int)(n % 26), text_size(n));
        text[text_size(n)] = '\0';
        return change_put(change, &entry_table,
                          &(Entry){ .code = code, .value = value, .text = text });
}

static void make_change(Store *store, uint64_t n) {
        static const uint8_t policy[8];
        Origin origin = {
                .time = (int64_t)n, .actor = "crash", .verb = "entry.put", .policy = policy
        };
        char code[16];
        Change *change;
        int r = change_begin(store, &change);

        if (r == 0)
                r = change_put_entry(change, 0, (int64_t)n);
        if (r == 0)
                r = change_put_entry(change, n, (int64_t)n);
        if (r == 0 && n > KEPT) {
                Key key;

                code_of(n - KEPT, code);
                key = key_of_code(code);
                r = change_remove(change, &entry_table, &key);
        }
        if (r == 0)
                r = change_apply(change, &origin);
        if (r < 0) {
                fprintf(stderr, "change %" PRIu64 ": %s\n", n, strerror(-r));
                exit(1);
        }
}

static Store *open_store(const char *directory, WalMedium *wal, bool background, Refusal *why) {
        StoreOptions options = { .directory = directory,
                                 .map_size = MAP_SIZE,
                                 .journal_keep = 20,
                                 .tables = tables,
                                 .background = background,
                                 .wal = wal };
        Store *store = NULL;

        return store_open(&options, &store, why) < 0 ? NULL : store;
}

/* Of how changes are gathered and of the states that are chosen; $SEED. */
static uint64_t seed;

/* ---- histories ---- */

typedef struct History {
        const char *name;
        unsigned changes;
        unsigned batch;        /* changes in a commit, at most */
        unsigned settle_every; /* commits, about */
        bool beside;           /* the threads of the daemon write */
} History;

static const History histories[] = {
        { "first", 12, 2, 5, false },         /* a store comes into being */
        { "log", 60, 4, 1000000, false },     /* commits, each a frame of the log */
        { "checkpoints", 60, 3, 4, false },   /* the database takes over, the log begins anew */
        { "beside", 160, 3, 4, true },        /* likewise, while the log goes on */
        { "large", 2500, 1100, 3, false },    /* batches past the log, growth of the file */
        { "beside-long", 1000, 5, 12, true }, /* for the proof of a release */
        { "long", 2000, 5, 40, false },
};

static const History *find_history(const char *name) {
        for (size_t i = 0; i < ELEMENTS(histories); i++)
                if (STREQ(histories[i].name, name))
                        return &histories[i];
        fprintf(stderr, "there is no history %s\n", name);
        exit(64);
}

/* Up to which change a batch goes that is being written; 0: none. */
static uint64_t sealed;

static void acknowledge(uint64_t n) {
        if (crash_mark)
                crash_mark(n);
}

static int end_commit(Store *store) {
        int r = sealed ? store_end_commit(store, true) : 0;

        if (r == 0 && sealed)
                acknowledge(sealed);
        sealed = 0;
        return r;
}

/* The thread of the daemon writes a batch while the changes of the next are made. */
static int commit(Store *store, const History *history, uint64_t n) {
        int r = end_commit(store);

        if (r == 0)
                r = history->beside ? store_begin_commit(store) : store_commit(store);
        if (r == 0)
                acknowledge(n);
        sealed = r == -EAGAIN ? n : 0;
        return sealed ? 0 : r;
}

static int checkpoint(Store *store, const History *history) {
        int r = history->beside ? store_begin_checkpoint(store) : store_settle(store);

        return r == -EAGAIN ? 0 : r;
}

static int work(const char *directory, const char *name) {
        const History *history = find_history(name);
        Refusal why = {};
        Store *store = open_store(directory, NULL, history->beside, &why);
        uint64_t n, end;

        if (!store) {
                fprintf(stderr, "%s\n", why.text);
                return 1;
        }
        n = store_head(store)->sequence;
        end = n + history->changes;
        for (unsigned commits = 1; n < end; commits++) {
                for (uint64_t k = scramble(n + seed) % history->batch + 1; k > 0 && n < end; k--)
                        make_change(store, ++n);
                store_note_published(store, n);
                if (commit(store, history, n) < 0)
                        return 1;
                if (scramble(commits + 3 + seed) % history->settle_every == 0 &&
                    (end_commit(store) < 0 || checkpoint(store, history) < 0))
                        return 1;
        }
        if (end_commit(store) < 0)
                return 1;
        store_free(store);
        printf("%" PRIu64 "\n", n);
        return 0;
}

/* ---- a state of a store ---- */

typedef struct Image {
        WalMedium medium;
        uint8_t *bytes;
} Image;

static int image_read(WalMedium *medium, uint64_t at, void *buffer, size_t size) {
        if (at + size > WAL_SIZE)
                return -ENODATA;
        memcpy(buffer, ((Image *)medium)->bytes + at, size);
        return 0;
}
static int image_write(WalMedium *medium, uint64_t at, const void *data, size_t size) {
        memcpy(((Image *)medium)->bytes + at, data, size);
        return 0;
}
static WalMedium *image_free(WalMedium *medium) {
        return medium;
}
static const WalMediumOps image_ops = { image_read, image_write, image_free };

static void count_fault(void *userdata, const char *line) {
        fprintf(stderr, "check: %s\n", line);
        (*(uint64_t *)userdata)++;
}

/* Whether the store is as it was after change n. */
static bool is_after(Store *store, uint64_t n) {
        Key position = {};
        uint64_t found = 0, expected = MIN(n, (uint64_t)KEPT) + (n > 0);

        for (;;) {
                Entry entry = {};
                bool good;
                char code[16];
                int r = store_next(store, &entry_table, &position, &entry);

                if (r < 0)
                        return r == -ENOENT && found == expected;
                code_of(STREQ(entry.code, "000000") ? 0 : (uint64_t)entry.value, code);
                good = STREQ(entry.code, code) && entry.value > 0 && (uint64_t)entry.value <= n &&
                       (STREQ(code, "000000")
                                ? (uint64_t)entry.value == n
                                : (uint64_t)entry.value + KEPT > n &&
                                          strlen(entry.text) == text_size((uint64_t)entry.value));
                record_done(&entry_type, &entry);
                if (!good)
                        return false;
                found++;
        }
}

typedef struct Judge {
        const char *scratch;
        uint64_t before; /* changes that there were before the first mark */
        bool is_mutant;
        uint64_t lost, torn, unopenable;
} Judge;

static void judge_open(Judge *judge, const DiskState *state, Store *store) {
        uint64_t n = store_head(store)->sequence, faults = 0, records = 0;
        uint64_t acknowledged = MAX(state->acknowledged, judge->before);

        if (n < acknowledged)
                judge->lost++;
        else if ((n != acknowledged && n != state->under_way) || !is_after(store, n))
                judge->torn++;
        else if (state->number % CHECK_EVERY == 0 &&
                 (store_check(store, count_fault, &faults, &records, &faults) < 0 || faults > 0))
                judge->torn++;
}

static void clear(const char *directory) {
        DIR *dir = opendir(directory);

        assert(dir);
        for (struct dirent *entry; (entry = readdir(dir));) {
                char path[4096];

                snprintf(path, sizeof(path), "%s/%s", directory, entry->d_name);
                if (*entry->d_name == '.')
                        continue;
                if (entry->d_type == DT_DIR)
                        clear(path);
                remove(path);
        }
        closedir(dir);
}

/* The log in memory: a file of its size would cost more than all else. */
static void put_wal(const DiskState *state, uint8_t wal[static WAL_SIZE]) {
        static uint64_t used[2];

        for (unsigned half = 0; half < 2; half++) { /* the store may have written */
                memset(wal + half * WAL_AREA, 0,
                       MIN(used[half] + WAL_AREA / 64, (uint64_t)WAL_AREA));
                used[half] = 0;
        }
        for (unsigned i = 0; i < state->n_files; i++)
                if (STREQ(state->files[i].path, WAL_NAME)) {
                        memcpy(used, state->files[i].used, sizeof(used));
                        memcpy(wal, state->files[i].bytes, used[0]);
                        memcpy(wal + WAL_AREA, state->files[i].bytes + WAL_AREA, used[1]);
                }
}

static bool judge_store(void *userdata, const DiskState *state) {
        static uint8_t wal[WAL_SIZE];
        Image image = { .medium.ops = &image_ops, .bytes = wal };
        Judge *judge = userdata;
        Refusal why = {};
        Store *store;

        put_wal(state, wal);
        clear(judge->scratch);
        disk_put(state, judge->scratch, WAL_NAME);
        store = open_store(judge->scratch, &image.medium, false, &why);
        if (store)
                judge_open(judge, state, store);
        else {
                judge->unopenable++;
                if (!judge->is_mutant)
                        fprintf(stderr, "after %" PRIu64 " changes: %s\n", state->acknowledged,
                                why.text);
        }
        store_free(store);
        return true;
}

static int judge_log(const char *scratch, uint64_t before, const char *log, const char *name,
                     const char *mutant) {
        Judge judge = { .scratch = scratch, .before = before, .is_mutant = mutant };
        DiskCounts counts = {};

        disk_replay(&(DiskOptions){ .log = log,
                                    .seed = seed,
                                    .mutant = mutant,
                                    .judge = judge_store,
                                    .userdata = &judge },
                    &counts);
        printf("%s%s%s: %" PRIu64 " states, %" PRIu64 " different, %" PRIu64 " lost, %" PRIu64
               " torn, %" PRIu64 " that cannot be opened\n",
               name, mutant ? " without waiting for " : "", mutant ? mutant : "", counts.states,
               counts.different, judge.lost, judge.torn, judge.unopenable);
        return judge.lost + judge.torn + judge.unopenable > 0;
}

/* ---- states for others to judge ---- */

typedef struct Offer {
        const char *directory;
        uint64_t limit, part;
        bool is_mutant;
        uint64_t *different; /* at each moment */
} Offer;

static bool count(void *userdata, const DiskState *state) {
        ((const Offer *)userdata)->different[state->moment]++;
        return true;
}

static bool offer(void *userdata, const DiskState *state) {
        const Offer *offered = userdata;
        uint64_t lot = scramble(state->number + seed);
        char line[16];

        if (lot % 2 != offered->part ||
            (offered->limit > 0 && lot / 2 % offered->different[state->moment] >= offered->limit) ||
            (offered->is_mutant && state->acknowledged == 0))
                return true;
        clear(offered->directory);
        disk_put(state, offered->directory, NULL);
        printf("%" PRIu64 " %" PRIu64 "\n", state->number, state->acknowledged);
        fflush(stdout);
        return fgets(line, sizeof(line), stdin) != NULL;
}

static int offer_states(const char *directory, uint64_t limit, uint64_t part, const char *log,
                        const char *mutant) {
        Offer offered = { .directory = directory,
                          .limit = limit,
                          .part = part,
                          .is_mutant = mutant,
                          .different = calloc(DISK_CUTS_MAX + 1, sizeof(uint64_t)) };
        DiskOptions options = {
                .log = log, .seed = seed, .mutant = mutant, .judge = count, .userdata = &offered
        };
        DiskCounts counts = {};

        assert(offered.different);
        if (limit > 0)
                disk_replay(&options, &counts);
        options.judge = offer;
        disk_replay(&options, &counts);
        clear(directory);
        free(offered.different);
        printf("%" PRIu64 " states, %" PRIu64 " different\n", counts.states, counts.different);
        return 0;
}

static uint64_t to_number(const char *text) {
        return strtoull(text, NULL, 10);
}

int main(int argc, char *argv[]) {
        log_open(LOG_TO_STDERR, 0, LOG_ERR);
        if (digest_init() < 0)
                return 1;
        seed = getenv("SEED") ? to_number(getenv("SEED")) : 0;
        if (argc == 4 && STREQ(argv[1], "work"))
                return work(argv[2], argv[3]);
        if (argc >= 6 && argc <= 7 && STREQ(argv[1], "judge"))
                return judge_log(argv[2], to_number(argv[3]), argv[4], argv[5], argv[6]);
        if (argc >= 6 && argc <= 7 && STREQ(argv[1], "states"))
                return offer_states(argv[2], to_number(argv[3]), to_number(argv[4]), argv[5],
                                    argv[6]);
        fprintf(stderr,
                "usage: crash work DIRECTORY HISTORY | judge DIRECTORY CHANGES LOG HISTORY [MUTANT] | "
                "states DIRECTORY LIMIT PART LOG [MUTANT]\n");
        return 64;
}
