/* SPDX-License-Identifier: Apache-2.0 */

#include "disk.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/digest.h"
#include "base/macro.h"
#include "log.h"

#define SECTOR     512
#define PIECES_MAX 20000
#define STEPS_MAX  64
#define NAMES_MAX  128
#define ALL_OF     9  /* with so few things pending every subset is looked at */
#define SAMPLES    24 /* else so many at random, besides all but one and the like */
#define EDGES      24 /* and of those at most so many */
#define SEEN_BITS  22
#define NOTHING    (-1)

/* Of a file or a directory. */
typedef struct Inode {
        uint64_t number;
        bool is_directory;
        uint8_t *durable, *seen, *state; /* what is durable; what the program sees; of one state */
        uint64_t durable_size, size, state_size;
        uint64_t used[2];
} Inode;

/* Something written to a file and not durable: a sector, or, without bytes, a size. */
typedef struct Piece {
        int inode;
        bool is_size;
        uint64_t sector;
        uint64_t end; /* as far as the file reaches with it; that is the size */
        uint8_t bytes[SECTOR];
} Piece;

typedef struct Name {
        int directory, inode; /* NOTHING: there is no such one */
        char name[CRASH_NAME_SIZE];
} Name;

typedef struct Names {
        Name list[NAMES_MAX];
        unsigned n;
} Names;

/* Something done to names and not durable, which happens whole. */
typedef struct Step {
        Name sets[2];
        unsigned n;
} Step;

typedef struct Disk {
        const DiskOptions *options;
        Inode inodes[DISK_FILES_MAX];
        int n_inodes;
        Names seen, durable;
        Piece *pieces; /* in the order of writing */
        size_t n_pieces;
        Step steps[STEPS_MAX];
        size_t n_steps;
        bool begun, enough;
        uint64_t acknowledged, *marks;
        size_t n_marks;
        uint8_t *met; /* a bit for each hash of a state */
        size_t moment;
        DiskCounts counts;
} Disk;

static uint64_t scramble(uint64_t n) {
        n = (n ^ n >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
        n = (n ^ n >> 27) * UINT64_C(0x94d049bb133111eb);
        return n ^ n >> 31;
}

/* ---- files and names ---- */

static int find_inode(const Disk *disk, uint64_t number) {
        for (int i = disk->n_inodes - 1; i >= 0; i--) /* a number may be given again */
                if (disk->inodes[i].number == number)
                        return i;
        return NOTHING;
}

static int add_inode(Disk *disk, uint64_t number, bool is_directory) {
        Inode *inode = &disk->inodes[disk->n_inodes];

        assert(disk->n_inodes < DISK_FILES_MAX);
        *inode = (Inode){ .number = number, .is_directory = is_directory };
        if (!is_directory) {
                inode->durable = calloc(1, DISK_FILE_MAX);
                inode->seen = calloc(1, DISK_FILE_MAX);
                inode->state = calloc(1, DISK_FILE_MAX);
                assert(inode->durable && inode->seen && inode->state);
        }
        return disk->n_inodes++;
}

static int directory_of(const Disk *disk, uint64_t number) {
        int i = find_inode(disk, number);

        assert(i >= 0 && disk->inodes[i].is_directory);
        return i;
}

static Name *find_name(Names *names, int directory, const char *name) {
        for (unsigned i = 0; i < names->n; i++)
                if (names->list[i].directory == directory && STREQ(names->list[i].name, name))
                        return &names->list[i];
        return NULL;
}

static void set_name(Names *names, const Name *set) {
        Name *there = find_name(names, set->directory, set->name);

        assert(there || names->n < NAMES_MAX);
        *(there ? there : &names->list[names->n++]) = *set;
}

static void set_names(Names *names, const Step *step) {
        for (unsigned i = 0; i < step->n; i++)
                set_name(names, &step->sets[i]);
}

static Name make_name(const Disk *disk, uint64_t directory, const char *name, int inode) {
        Name made = { .directory = directory_of(disk, directory), .inode = inode };

        snprintf(made.name, sizeof(made.name), "%s", name);
        return made;
}

static bool is_lock(const char *name) {
        return strstr(name, "lock") != NULL;
}

static void add_step(Disk *disk, Step step) {
        set_names(&disk->seen, &step);
        if (!disk->begun)
                set_names(&disk->durable, &step);
        else if (!is_lock(step.sets[0].name)) {
                assert(disk->n_steps < STEPS_MAX);
                disk->steps[disk->n_steps++] = step;
        }
}

static void give_name(Disk *disk, const CrashEntry *entry, int inode) {
        add_step(disk, (Step){ { make_name(disk, entry->directory, entry->name, inode) }, 1 });
}

static void rename_file(Disk *disk, const CrashEntry *entry) {
        Name from = make_name(disk, entry->from_directory, entry->from, NOTHING);
        const Name *there = find_name(&disk->seen, from.directory, from.name);

        assert(there && there->inode >= 0);
        add_step(disk,
                 (Step){ { make_name(disk, entry->directory, entry->name, there->inode), from },
                         2 });
}

static void make_names_durable(Disk *disk, int directory) {
        size_t kept = 0;

        for (size_t i = 0; i < disk->n_steps; i++) {
                const Step *step = &disk->steps[i];

                if (step->sets[0].directory == directory ||
                    (step->n > 1 && step->sets[1].directory == directory))
                        set_names(&disk->durable, step);
                else
                        disk->steps[kept++] = *step;
        }
        disk->n_steps = kept;
}

/* ---- contents ---- */

/* Something that may not be zero ends here. */
static void note_used(Inode *inode, uint64_t end) {
        unsigned half = end > DISK_HALF;

        inode->used[half] = MAX(inode->used[half], end - half * DISK_HALF);
}

static void copy_used(uint8_t *to, const uint8_t *from, const uint64_t used[2]) {
        memcpy(to, from, used[0]);
        memcpy(to + DISK_HALF, from + DISK_HALF, used[1]);
}

static void clear_behind(uint8_t *bytes, uint64_t size, const Inode *inode) {
        for (unsigned half = 0; half < 2; half++) {
                uint64_t end = half * DISK_HALF + inode->used[half];
                uint64_t from = MAX(size, (uint64_t)half * DISK_HALF);

                if (from < end)
                        memset(bytes + from, 0, end - from);
        }
}

static void apply(const Piece *piece, uint8_t *bytes, uint64_t *size, const Inode *inode) {
        if (!piece->is_size)
                memcpy(bytes + piece->sector * SECTOR, piece->bytes, SECTOR);
        else if (piece->end < *size)
                clear_behind(bytes, piece->end, inode);
        *size = piece->is_size ? piece->end : MAX(*size, piece->end);
}

static void add_piece(Disk *disk, const Piece *piece) {
        Inode *inode = &disk->inodes[piece->inode];

        if (!disk->begun) {
                apply(piece, inode->durable, &inode->durable_size, inode);
                return;
        }
        assert(disk->n_pieces < PIECES_MAX);
        disk->pieces[disk->n_pieces++] = *piece;
}

static void resize(Disk *disk, int i, uint64_t size) {
        Inode *inode = &disk->inodes[i];

        if (size == inode->size)
                return;
        clear_behind(inode->seen, size, inode);
        inode->size = size;
        add_piece(disk, &(Piece){ .inode = i, .is_size = true, .end = size });
}

static void write_sector(Disk *disk, int i, uint64_t sector, uint64_t end) {
        Piece piece = { .inode = i, .sector = sector, .end = MIN((sector + 1) * SECTOR, end) };

        memcpy(piece.bytes, disk->inodes[i].seen + sector * SECTOR, SECTOR);
        note_used(&disk->inodes[i], (sector + 1) * SECTOR);
        add_piece(disk, &piece);
}

static void write_file(Disk *disk, int i, uint64_t at, const uint8_t *data, uint64_t size) {
        Inode *inode = &disk->inodes[i];
        uint64_t end = at + size;

        assert(i >= 0 && end <= DISK_FILE_MAX);
        for (uint64_t sector = at / SECTOR; sector * SECTOR < end; sector++) {
                uint64_t from = MAX(sector * SECTOR, at), to = MIN((sector + 1) * SECTOR, end);

                if (memcmp(inode->seen + from, data + (from - at), to - from) == 0)
                        continue; /* it changes nothing */
                memcpy(inode->seen + from, data + (from - at), to - from);
                write_sector(disk, i, sector, end);
                inode->size = MAX(inode->size, to);
        }
        if (end > inode->size) /* with zeros */
                resize(disk, i, end);
}

/* What is pending of a file, or of a part of it, becomes durable; of its sizes all. */
static void make_durable(Disk *disk, int i, uint64_t from, uint64_t to) {
        Inode *inode = &disk->inodes[i];
        size_t kept = 0;

        for (size_t k = 0; k < disk->n_pieces; k++) {
                const Piece *piece = &disk->pieces[k];

                if (piece->inode == i && (piece->is_size || (piece->sector * SECTOR < to &&
                                                             (piece->sector + 1) * SECTOR > from)))
                        apply(piece, inode->durable, &inode->durable_size, inode);
                else
                        disk->pieces[kept++] = *piece;
        }
        disk->n_pieces = kept;
}

/* ---- one state ---- */

static void list_files(const Disk *disk, const Names *names, int directory, const char *path,
                       DiskFile *files, unsigned *n) {
        for (unsigned i = 0; i < names->n; i++) {
                const Name *name = &names->list[i];
                const Inode *inode = &disk->inodes[MAX(name->inode, 0)];
                DiskFile *file = &files[*n];

                if (name->directory != directory || name->inode < 0 || is_lock(name->name))
                        continue;
                assert(*n < DISK_FILES_MAX);
                *file = (DiskFile){ .is_directory = inode->is_directory,
                                    .bytes = inode->state,
                                    .size = inode->state_size };
                memcpy(file->used, inode->used, sizeof(file->used));
                snprintf(file->path, sizeof(file->path), "%s%s%s", path, *path ? "/" : "",
                         name->name);
                ++*n;
                if (inode->is_directory)
                        list_files(disk, names, name->inode, file->path, files, n);
        }
}

/* In whatever order the files are. */
static uint64_t hash_of(const DiskState *state) {
        uint64_t hash = state->acknowledged * UINT64_C(0x9e3779b97f4a7c15);

        for (unsigned i = 0; i < state->n_files; i++) {
                const DiskFile *file = &state->files[i];
                uint32_t contents = (uint32_t)file->size, path;

                path = crc32c(0, file->path, strlen(file->path));
                if (!file->is_directory) {
                        contents = crc32c(contents, file->bytes, file->used[0]);
                        contents = crc32c(contents, file->bytes + DISK_HALF, file->used[1]);
                }
                hash += scramble((uint64_t)path << 32 | contents);
        }
        return scramble(hash);
}

static uint64_t mark_under_way(const Disk *disk) {
        for (size_t i = 0; i < disk->n_marks; i++)
                if (disk->marks[i] > disk->acknowledged)
                        return disk->marks[i];
        return disk->acknowledged;
}

static void look_at(Disk *disk, const Names *names) {
        static DiskFile files[DISK_FILES_MAX];
        DiskState state = { .files = files,
                            .acknowledged = disk->acknowledged,
                            .under_way = mark_under_way(disk),
                            .number = disk->counts.different,
                            .moment = disk->moment };
        uint64_t bit;

        list_files(disk, names, 0, "", files, &state.n_files);
        disk->counts.states++;
        bit = hash_of(&state) % ((uint64_t)1 << (SEEN_BITS + 3));
        if (disk->enough || (disk->met[bit / 8] >> bit % 8 & 1))
                return;
        disk->met[bit / 8] |= (uint8_t)(1 << bit % 8);
        disk->counts.different++;
        disk->enough = !disk->options->judge(disk->options->userdata, &state);
}

/* In which these pieces and these steps have got to the disk. */
static void cut_with(Disk *disk, const bool *pieces, const bool *steps) {
        static Names names;

        for (int i = 0; i < disk->n_inodes; i++) {
                Inode *inode = &disk->inodes[i];

                if (inode->is_directory)
                        continue;
                copy_used(inode->state, inode->durable, inode->used);
                inode->state_size = inode->durable_size;
        }
        for (size_t i = 0; i < disk->n_pieces; i++) {
                Inode *inode = &disk->inodes[disk->pieces[i].inode];

                if (pieces[i])
                        apply(&disk->pieces[i], inode->state, &inode->state_size, inode);
        }
        names = disk->durable;
        for (size_t i = 0; i < disk->n_steps; i++)
                if (steps[i])
                        set_names(&names, &disk->steps[i]);
        look_at(disk, &names);
}

/* ---- which states ---- */

static void fill(bool *chosen, bool value, size_t from, size_t to) {
        for (size_t i = from; i < to; i++)
                chosen[i] = value;
}

static void fill_at_random(const Disk *disk, bool *chosen, size_t n) {
        uint64_t seed = scramble(disk->counts.states * 131 + disk->options->seed);

        for (size_t i = 0; i < n; i++)
                chosen[i] = scramble(seed + i) & 1;
}

static void cut_with_pieces(Disk *disk, const bool *pieces) {
        bool steps[STEPS_MAX];

        fill(steps, true, 0, disk->n_steps);
        cut_with(disk, pieces, steps);
        if (disk->n_steps == 0)
                return;
        fill(steps, false, 0, disk->n_steps);
        cut_with(disk, pieces, steps);
        fill_at_random(disk, steps, disk->n_steps);
        cut_with(disk, pieces, steps);
}

static void cut_with_steps(Disk *disk, const bool *steps) {
        static bool pieces[PIECES_MAX];

        fill(pieces, true, 0, disk->n_pieces);
        cut_with(disk, pieces, steps);
        fill(pieces, false, 0, disk->n_pieces);
        cut_with(disk, pieces, steps);
        fill_at_random(disk, pieces, disk->n_pieces);
        cut_with(disk, pieces, steps);
}

/* None, all, all but one, one alone, those before it, some at random. */
static void choose(Disk *disk, size_t n, void (*cut_with_chosen)(Disk *disk, const bool *chosen)) {
        static bool chosen[PIECES_MAX];
        size_t edges = MIN(n, (size_t)EDGES);

        fill(chosen, false, 0, n);
        cut_with_chosen(disk, chosen);
        fill(chosen, true, 0, n);
        cut_with_chosen(disk, chosen);
        for (size_t k = 0; k < edges; k++) {
                size_t at = n * k / edges;

                fill(chosen, true, 0, n);
                chosen[at] = false;
                cut_with_chosen(disk, chosen);
                fill(chosen, false, 0, n);
                chosen[at] = true;
                cut_with_chosen(disk, chosen);
                fill(chosen, true, 0, at);
                fill(chosen, false, at, n);
                cut_with_chosen(disk, chosen);
        }
        for (unsigned k = 0; k < SAMPLES; k++) {
                fill_at_random(disk, chosen, n);
                cut_with_chosen(disk, chosen);
        }
}

static void cut_with_every_subset(Disk *disk) {
        size_t n = disk->n_pieces + disk->n_steps;
        bool chosen[ALL_OF];

        for (unsigned set = 0; set < 1U << n; set++) {
                for (size_t i = 0; i < n; i++)
                        chosen[i] = set >> i & 1;
                cut_with(disk, chosen, chosen + disk->n_pieces);
        }
}

/* All that a cut at this moment can leave, or a sample of it. */
static void cut(Disk *disk) {
        assert(disk->moment < DISK_CUTS_MAX);
        disk->moment++;
        if (disk->n_pieces + disk->n_steps <= ALL_OF) {
                cut_with_every_subset(disk);
                return;
        }
        choose(disk, disk->n_pieces, cut_with_pieces);
        if (disk->n_steps > 0)
                choose(disk, disk->n_steps, cut_with_steps);
}

/* ---- the log ---- */

static bool ends_with(const char *text, const char *end) {
        size_t length = strlen(text), n = strlen(end);

        return length >= n && STREQ(text + length - n, end);
}

static bool is_named(const Disk *disk, int inode, const char *end) {
        for (unsigned i = 0; i < disk->seen.n; i++)
                if (disk->seen.list[i].inode == inode && ends_with(disk->seen.list[i].name, end))
                        return true;
        return false;
}

static bool forgets(const Disk *disk, const char *kind, int inode) {
        const char *mutant = disk->options->mutant;

        if (mutant && strncmp(mutant, "sync:", 5) == 0)
                return !STREQ(kind, "directory") && is_named(disk, inode, mutant + 5);
        return mutant && STREQ(mutant, kind);
}

static void sync_inode(Disk *disk, int i) {
        bool is_directory;

        assert(i >= 0);
        is_directory = disk->inodes[i].is_directory;
        cut(disk);
        if (forgets(disk, is_directory ? "directory" : "sync", i))
                return;
        if (is_directory)
                make_names_durable(disk, i);
        else
                make_durable(disk, i, 0, DISK_FILE_MAX);
}

static void take(Disk *disk, const CrashEntry *entry, const uint8_t *data) {
        int i = find_inode(disk, entry->file);

        switch ((CrashOp)entry->op) {
        case CRASH_WRITE:
                write_file(disk, i, entry->at, data, entry->size);
                break;
        case CRASH_DSYNC:
                if (!disk->begun)
                        break;
                cut(disk);
                if (!forgets(disk, "dsync", i))
                        make_durable(disk, i, entry->at, entry->at + entry->size);
                break;
        case CRASH_SYNC:
                sync_inode(disk, i);
                break;
        case CRASH_TRUNCATE:
                resize(disk, i, entry->at);
                break;
        case CRASH_ROOT:
                add_inode(disk, entry->file, true);
                break;
        case CRASH_CREATE:
        case CRASH_MKDIR:
                give_name(disk, entry, add_inode(disk, entry->file, entry->op == CRASH_MKDIR));
                break;
        case CRASH_LINK:
                give_name(disk, entry, i);
                break;
        case CRASH_RENAME:
                rename_file(disk, entry);
                break;
        case CRASH_UNLINK:
                give_name(disk, entry, NOTHING);
                break;
        case CRASH_BEGIN:
                disk->begun = true;
                break;
        case CRASH_MARK:
                disk->acknowledged = entry->at;
                cut(disk);
                break;
        }
}

static void note_mark(Disk *disk, const CrashEntry *entry, const uint8_t *data _unused_) {
        if (entry->op != CRASH_MARK)
                return;
        disk->marks = reallocarray(disk->marks, disk->n_marks + 1, sizeof(*disk->marks));
        assert(disk->marks);
        disk->marks[disk->n_marks++] = entry->at;
}

static void for_each(Disk *disk,
                     void (*function)(Disk *disk, const CrashEntry *entry, const uint8_t *data)) {
        FILE *log = fopen(disk->options->log, "re");
        static uint8_t data[DISK_FILE_MAX];
        CrashEntry entry;

        assert(log);
        while (!disk->enough && fread(&entry, sizeof(entry), 1, log) == 1) {
                if (entry.op == CRASH_WRITE)
                        assert(entry.size <= sizeof(data) &&
                               fread(data, 1, entry.size, log) == entry.size);
                function(disk, &entry, data);
        }
        fclose(log);
}

void disk_replay(const DiskOptions *options, DiskCounts *ret) {
        Disk *disk = calloc(1, sizeof(*disk));

        assert(disk);
        disk->options = options;
        disk->pieces = malloc(PIECES_MAX * sizeof(Piece));
        disk->met = calloc(1, (size_t)1 << SEEN_BITS);
        assert(disk->pieces && disk->met);
        for_each(disk, note_mark);
        for_each(disk, take);
        *ret = disk->counts;
        for (int i = 0; i < disk->n_inodes; i++) {
                free(disk->inodes[i].durable);
                free(disk->inodes[i].seen);
                free(disk->inodes[i].state);
        }
        free(disk->pieces);
        free(disk->marks);
        free(disk->met);
        free(disk);
}

/* ---- in a directory ---- */

static void put_file(const DiskFile *file, const char *path) {
        FILE *to = fopen(path, "we");
        uint64_t first = MIN(file->used[0], file->size);

        assert(to && fwrite(file->bytes, 1, first, to) == first);
        if (file->used[1] > 0 && file->size > DISK_HALF) {
                uint64_t second = MIN(file->used[1], file->size - DISK_HALF);

                assert(fseek(to, DISK_HALF, SEEK_SET) == 0 &&
                       fwrite(file->bytes + DISK_HALF, 1, second, to) == second);
        }
        fflush(to);
        assert(ftruncate(fileno(to), (off_t)file->size) == 0);
        fclose(to);
}

void disk_put(const DiskState *state, const char *directory, const char *without) {
        for (unsigned i = 0; i < state->n_files; i++) {
                const DiskFile *file = &state->files[i];
                char path[4096];

                if (without && STREQ(file->path, without))
                        continue;
                snprintf(path, sizeof(path), "%s/%s", directory, file->path);
                if (file->is_directory)
                        assert(mkdir(path, 0700) == 0);
                else
                        put_file(file, path);
        }
}
