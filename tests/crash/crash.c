/* SPDX-License-Identifier: Apache-2.0 */

/* What a power cut leaves behind. A store is kept under the recorder; then for each moment the
 * files are put together as they may be on the disk: what was made durable, and any of the sectors
 * that were only written. Each such state is opened as a start of the daemon does, and must have
 * all that was acknowledged, whole, and nothing that was not begun.
 *
 *      crash work DIRECTORY HISTORY
 *              lives that history, and tells how many changes there are then
 *      crash judge BASE CHANGES LOG HISTORY [MUTANT]
 *              BASE: the directory as it was before, with so many changes; MUTANT: sync or dsync,
 *              as if the store did not wait for it
 *
 * Not modelled: the journal of the file system, and writes through mappings (there are none). */

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/digest.h"
#include "base/log.h"
#include "log.h"
#include "record/codec.h"
#include "store/check.h"
#include "store/store.h"
#include "store/wal.h"

#define SECTOR      512
#define FILES_MAX   16
#define HALF        WAL_AREA
#define FILE_MAX    (2 * HALF)
#define PIECES_MAX  16384
#define ALL_OF      9  /* with so few pieces every subset is looked at */
#define SAMPLES     24 /* else so many at random, besides all but one and the like */
#define EDGES       24 /* and of those at most so many */
#define KEPT        40 /* entries that there are at a time */
#define CHECK_EVERY 8  /* states of which one is proved entirely */
#define SEEN_BITS   22
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
static const Index index_value = { "by_value", keys_value };
static const Index tally_value = { "tally_value", keys_value };
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
        bool beside;           /* the thread of the daemon writes the checkpoints */
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
                if (store_commit(store) < 0)
                        return 1;
                if (crash_mark)
                        crash_mark(n);
                if (scramble(commits + 3 + seed) % history->settle_every == 0 &&
                    checkpoint(store, history) < 0)
                        return 1;
        }
        store_free(store);
        printf("%" PRIu64 "\n", n);
        return 0;
}

/* ---- the disk ---- */

typedef struct Piece {
        unsigned file;
        uint64_t sector;
        uint8_t bytes[SECTOR];
} Piece;

typedef struct File {
        char name[CRASH_NAME_SIZE];
        uint8_t *durable, *seen; /* what is durable; what the program sees */
        uint64_t size;
        uint64_t used[2]; /* of each half; behind it are zeros only */
        bool there, durable_there;
} File;

typedef struct Disk {
        File files[FILES_MAX];
        unsigned n_files;
        Piece *pieces; /* written and not durable, in the order of writing */
        size_t n_pieces;
        const char *forget; /* a mutant: this kind of waiting is none */
        uint64_t acknowledged;
        uint64_t *marks;
        size_t n_marks;
        uint8_t *seen; /* a bit for each hash of a state */
        uint64_t states, unique, lost, torn, unopenable;
        const char *scratch;
} Disk;

static File *find_file(Disk *disk, const char *name, bool make) {
        File *file;

        for (unsigned i = 0; i < disk->n_files; i++)
                if (STREQ(disk->files[i].name, name) && disk->files[i].there)
                        return &disk->files[i];
        if (!make)
                return NULL;
        assert(disk->n_files < FILES_MAX);
        file = &disk->files[disk->n_files++];
        *file = (File){ .durable = calloc(1, FILE_MAX),
                        .seen = calloc(1, FILE_MAX),
                        .there = true };
        assert(file->durable && file->seen);
        snprintf(file->name, sizeof(file->name), "%s", name);
        return file;
}

/* Something that may not be zero ends here. */
static void note_used(File *file, uint64_t end) {
        unsigned half = end > HALF;

        file->used[half] = MAX(file->used[half], end - half * HALF);
}

static void copy_used(uint8_t *to, const uint8_t *from, const File *file) {
        memcpy(to, from, file->used[0]);
        memcpy(to + HALF, from + HALF, file->used[1]);
}

static uint32_t checksum_used(uint32_t crc, const uint8_t *bytes, const File *file) {
        crc = crc32c(crc, bytes, file->used[0]);
        return crc32c(crc, bytes + HALF, file->used[1]);
}

static void load_base(Disk *disk, const char *path) {
        DIR *dir = opendir(path);

        assert(dir);
        for (struct dirent *entry; (entry = readdir(dir));) {
                char full[4096];
                FILE *from;
                File *file;

                if (*entry->d_name == '.')
                        continue;
                snprintf(full, sizeof(full), "%s/%s", path, entry->d_name);
                from = fopen(full, "re");
                assert(from);
                file = find_file(disk, entry->d_name, true);
                file->size = fread(file->seen, 1, FILE_MAX, from);
                for (uint64_t at = 0; at < file->size; at++)
                        if (file->seen[at] != 0)
                                note_used(file, at + 1);
                memcpy(file->durable, file->seen, file->size);
                file->durable_there = true;
                fclose(from);
        }
        closedir(dir);
}

static void disk_write(Disk *disk, const char *name, uint64_t at, const uint8_t *data,
                       size_t size) {
        File *file = find_file(disk, name, true);

        assert(at + size <= FILE_MAX);
        for (uint64_t sector = at / SECTOR; sector * SECTOR < at + size; sector++) {
                uint64_t from = MAX(sector * SECTOR, at),
                         to = MIN((sector + 1) * SECTOR, at + size);

                if (memcmp(file->seen + from, data + (from - at), to - from) == 0)
                        continue; /* it changes nothing */
                memcpy(file->seen + from, data + (from - at), to - from);
                assert(disk->n_pieces < PIECES_MAX);
                disk->pieces[disk->n_pieces] =
                        (Piece){ .file = (unsigned)(file - disk->files), .sector = sector };
                memcpy(disk->pieces[disk->n_pieces++].bytes, file->seen + sector * SECTOR, SECTOR);
                note_used(file, (sector + 1) * SECTOR);
        }
        file->size = MAX(file->size, at + size);
}

/* What is pending of a file, or of a part of it, becomes durable. */
static void disk_sync(Disk *disk, const char *name, uint64_t from, uint64_t to) {
        File *file = find_file(disk, name, false);
        size_t kept = 0;

        if (!file)
                return;
        for (size_t i = 0; i < disk->n_pieces; i++) {
                const Piece *piece = &disk->pieces[i];

                if (&disk->files[piece->file] == file && piece->sector * SECTOR < to &&
                    (piece->sector + 1) * SECTOR > from)
                        memcpy(file->durable + piece->sector * SECTOR, piece->bytes, SECTOR);
                else
                        disk->pieces[kept++] = *piece;
        }
        disk->n_pieces = kept;
}

/* ---- one state ---- */

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

static bool is_mark(const Disk *disk, uint64_t n) {
        if (n == disk->acknowledged)
                return true;
        for (size_t i = 0; i < disk->n_marks; i++)
                if (disk->marks[i] > disk->acknowledged)
                        return disk->marks[i] == n; /* the one that was under way */
        return false;
}

static void judge_open(Disk *disk, Store *store) {
        uint64_t n = store_head(store)->sequence, faults = 0, records = 0;

        if (n < disk->acknowledged)
                disk->lost++;
        else if (!is_mark(disk, n) || !is_after(store, n))
                disk->torn++;
        else if (disk->unique % CHECK_EVERY == 0 &&
                 (store_check(store, count_fault, &faults, &records, &faults) < 0 || faults > 0))
                disk->torn++;
}

static void write_image(const Disk *disk, const File *file, const uint8_t *bytes) {
        char path[4096];
        FILE *to;

        snprintf(path, sizeof(path), "%s/%s", disk->scratch, file->name);
        to = fopen(path, "we");
        assert(to && fwrite(bytes, 1, file->used[0], to) == file->used[0]);
        if (file->used[1] > 0)
                assert(fseek(to, HALF, SEEK_SET) == 0 &&
                       fwrite(bytes + HALF, 1, file->used[1], to) == file->used[1]);
        fflush(to);
        assert(ftruncate(fileno(to), (off_t)file->size) == 0);
        fclose(to);
}

static void clear_scratch(const Disk *disk) {
        DIR *dir = opendir(disk->scratch);

        assert(dir);
        for (struct dirent *entry; (entry = readdir(dir));) {
                char path[4096];

                snprintf(path, sizeof(path), "%s/%s", disk->scratch, entry->d_name);
                if (*entry->d_name != '.')
                        remove(path);
        }
        closedir(dir);
}

/* The state in which these pieces have got to the disk; `names`: with the names as seen. */
static void judge(Disk *disk, const uint8_t *chosen, bool names) {
        static uint8_t *bytes[FILES_MAX], wal[WAL_SIZE];
        static uint64_t wal_used[2];
        Image image = { .medium.ops = &image_ops, .bytes = wal };
        uint32_t low = names, high = 0;
        Refusal why = {};
        Store *store;
        uint64_t bit;

        disk->states++;
        for (unsigned half = 0; half < 2; half++) { /* the store may have written */
                memset(wal + half * HALF, 0, MIN(wal_used[half] + HALF / 64, (uint64_t)HALF));
                wal_used[half] = 0;
        }
        for (unsigned i = 0; i < disk->n_files; i++) {
                if (!bytes[i])
                        bytes[i] = calloc(1, FILE_MAX);
                assert(bytes[i]);
                copy_used(bytes[i], disk->files[i].durable, &disk->files[i]);
        }
        for (size_t i = 0; i < disk->n_pieces; i++)
                if (chosen[i])
                        memcpy(bytes[disk->pieces[i].file] + disk->pieces[i].sector * SECTOR,
                               disk->pieces[i].bytes, SECTOR);
        for (unsigned i = 0; i < disk->n_files; i++)
                if (names ? disk->files[i].there : disk->files[i].durable_there) {
                        low = checksum_used(low, bytes[i], &disk->files[i]);
                        high = crc32c(high ^ low, disk->files[i].name, CRASH_NAME_SIZE);
                }
        low ^= (uint32_t)disk->acknowledged * UINT32_C(2654435761);
        bit = ((uint64_t)high << 32 | low) % ((uint64_t)1 << (SEEN_BITS + 3));
        if (disk->seen[bit / 8] >> bit % 8 & 1)
                return;
        disk->seen[bit / 8] |= (uint8_t)(1 << bit % 8);
        disk->unique++;
        clear_scratch(disk);
        for (unsigned i = 0; i < disk->n_files; i++) {
                const File *file = &disk->files[i];

                if (!(names ? file->there : file->durable_there) || strstr(file->name, "lock"))
                        continue;
                if (STREQ(file->name, WAL_NAME)) {
                        memcpy(wal_used, file->used, sizeof(wal_used));
                        copy_used(wal, bytes[i], file);
                } else
                        write_image(disk, file, bytes[i]);
        }
        store = open_store(disk->scratch, &image.medium, false, &why);
        if (store)
                judge_open(disk, store);
        else {
                disk->unopenable++;
                if (!disk->forget)
                        fprintf(stderr, "after %" PRIu64 " changes: %s\n", disk->acknowledged,
                                why.text);
        }
        store_free(store);
}

static void judge_names(Disk *disk, const uint8_t *chosen) {
        judge(disk, chosen, true);
        judge(disk, chosen, false);
}

/* All that a cut at this moment can leave, or a sample of it. */
static void cut(Disk *disk) {
        static uint8_t chosen[PIECES_MAX];
        size_t n = disk->n_pieces;

        if (n <= ALL_OF) {
                for (uint64_t set = 0; set < UINT64_C(1) << n; set++) {
                        for (size_t i = 0; i < n; i++)
                                chosen[i] = set >> i & 1;
                        judge_names(disk, chosen);
                }
                return;
        }
        memset(chosen, 0, n);
        judge_names(disk, chosen);
        memset(chosen, 1, n);
        judge_names(disk, chosen);
        for (size_t k = 0; k < MIN(n, (size_t)EDGES); k++) {
                size_t at = n * k / MIN(n, (size_t)EDGES);

                memset(chosen, 1, n); /* all but one */
                chosen[at] = 0;
                judge_names(disk, chosen);
                memset(chosen, 0, n); /* one alone */
                chosen[at] = 1;
                judge_names(disk, chosen);
                memset(chosen, 1, at); /* those before */
                memset(chosen + at, 0, n - at);
                judge_names(disk, chosen);
        }
        for (uint64_t k = 0; k < SAMPLES; k++) {
                for (size_t i = 0; i < n; i++)
                        chosen[i] = scramble(disk->states * 131 + i + seed) >> (k % 3) & 1;
                judge_names(disk, chosen);
        }
}

/* ---- the log ---- */

static void rename_file(Disk *disk, const char *from, const char *to) {
        File *file = find_file(disk, from, false), *other = find_file(disk, to, false);

        if (other)
                other->there = false;
        if (file)
                snprintf(file->name, sizeof(file->name), "%s", to);
}

static bool forgets(const Disk *disk, const char *kind) {
        return disk->forget && STREQ(disk->forget, kind);
}

static void take(Disk *disk, const CrashEntry *entry, const uint8_t *data) {
        switch ((CrashOp)entry->op) {
        case CRASH_WRITE:
                disk_write(disk, entry->name, entry->at, data, entry->size);
                break;
        case CRASH_DSYNC:
                cut(disk);
                if (!forgets(disk, "dsync"))
                        disk_sync(disk, entry->name, entry->at, entry->at + entry->size);
                break;
        case CRASH_SYNC:
                cut(disk);
                if (forgets(disk, "sync"))
                        break;
                if (*entry->name)
                        disk_sync(disk, entry->name, 0, FILE_MAX);
                for (unsigned i = 0; !*entry->name && i < disk->n_files; i++)
                        disk->files[i].durable_there = disk->files[i].there;
                break;
        case CRASH_TRUNCATE:
                break; /* only where a file is new */
        case CRASH_RENAME:
                rename_file(disk, entry->name, entry->other);
                break;
        case CRASH_UNLINK:
                if (find_file(disk, entry->name, false))
                        find_file(disk, entry->name, false)->there = false;
                break;
        case CRASH_MARK:
                disk->acknowledged = entry->at;
                cut(disk);
                break;
        }
}

static void for_each(const char *path,
                     void (*function)(Disk *disk, const CrashEntry *entry, const uint8_t *data),
                     Disk *disk) {
        FILE *log = fopen(path, "re");
        static uint8_t data[FILE_MAX];
        CrashEntry entry;

        assert(log);
        while (fread(&entry, sizeof(entry), 1, log) == 1) {
                if (entry.op == CRASH_WRITE)
                        assert(entry.size <= sizeof(data) &&
                               fread(data, 1, entry.size, log) == entry.size);
                function(disk, &entry, data);
        }
        fclose(log);
}

static void note_mark(Disk *disk, const CrashEntry *entry, const uint8_t *data _unused_) {
        if (entry->op != CRASH_MARK)
                return;
        disk->marks = reallocarray(disk->marks, disk->n_marks + 1, sizeof(*disk->marks));
        assert(disk->marks);
        disk->marks[disk->n_marks++] = entry->at;
}

static int judge_log(const char *base, const char *changes, const char *log, const char *name,
                     const char *forget) {
        char scratch[] = "/dev/shm/crash-XXXXXX";
        Disk disk = { .pieces = malloc(PIECES_MAX * sizeof(Piece)),
                      .seen = calloc(1, (size_t)1 << SEEN_BITS),
                      .forget = forget,
                      .scratch = mkdtemp(scratch),
                      .acknowledged = strtoull(changes, NULL, 10) };
        uint64_t bad;

        assert(disk.pieces && disk.seen && disk.scratch);
        load_base(&disk, base);
        for_each(log, note_mark, &disk);
        for_each(log, take, &disk);
        clear_scratch(&disk);
        rmdir(disk.scratch);
        bad = disk.lost + disk.torn + disk.unopenable;
        printf("%s%s%s: %" PRIu64 " states, %" PRIu64 " different, %" PRIu64 " lost, %" PRIu64
               " torn, %" PRIu64 " that cannot be opened\n",
               name, forget ? " without waiting for " : "", forget ? forget : "", disk.states,
               disk.unique, disk.lost, disk.torn, disk.unopenable);
        return bad > 0;
}

int main(int argc, char *argv[]) {
        log_open(LOG_TO_STDERR, 0, LOG_ERR);
        if (digest_init() < 0)
                return 1;
        seed = getenv("SEED") ? strtoull(getenv("SEED"), NULL, 10) : 0;
        if (argc == 4 && STREQ(argv[1], "work"))
                return work(argv[2], argv[3]);
        if (argc >= 6 && argc <= 7 && STREQ(argv[1], "judge"))
                return judge_log(argv[2], argv[3], argv[4], argv[5], argc > 6 ? argv[6] : NULL);
        fprintf(stderr,
                "usage: crash work DIRECTORY HISTORY | crash judge BASE CHANGES LOG HISTORY "
                "[MUTANT]\n");
        return 64;
}
