/* SPDX-License-Identifier: Apache-2.0 */

#include "kv-memory.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>

#include "base/macro.h"

#define KEY_BYTES_MAX 511 /* as LMDB has it */

typedef struct MemoryEntry {
        size_t key_size, value_size;
        uint8_t bytes[]; /* the key, then the value */
} MemoryEntry;

typedef struct Database {
        MemoryEntry **entries; /* ascending */
        size_t n, allocated;
} Database;

/* What takes a write back: the entry that was there before, or the one that was not. */
typedef struct Undo {
        struct Undo *next;
        unsigned db;
        MemoryEntry *before; /* to put back; NULL: take `added` out */
        MemoryEntry *added;
} Undo;

/* A copy that somebody may be looking at. */
typedef struct Lent {
        struct Lent *next;
        uint8_t bytes[];
} Lent;

typedef struct Planned {
        unsigned nth;
        int error;
} Planned;

/* What a writer has put, or removed: the entry has only the key then. */
typedef struct Written {
        struct Written *next;
        unsigned db;
        bool removed;
        MemoryEntry *entry;
} Written;

struct MemoryDisk {
        Database databases[MEMORY_DATABASES];
        bool open;
        pthread_mutex_t lock; /* of what follows, which a writer's thread knows too */
        Planned failures[_MEMORY_CALL_MAX];
        bool dead;                       /* the medium failed */
        Written *written, **written_end; /* committed by a writer, seen by nobody yet */
};

typedef struct MemoryKv {
        Kv kv;
        MemoryDisk *disk;
        enum { MEMORY_IDLE, MEMORY_READING, MEMORY_WRITING } mode;
        Undo *undo; /* newest first */
        Lent *lent;
        bool spoiled; /* a write of the transaction failed */
} MemoryKv;

typedef struct MemoryWriter {
        Kv kv;
        MemoryDisk *disk;
        Written *written, **written_end; /* in its transaction */
} MemoryWriter;

void memory_disk_fail(MemoryDisk *disk, MemoryCall call, unsigned nth, int error) {
        pthread_mutex_lock(&disk->lock);
        disk->failures[call] = (Planned){ nth, error };
        pthread_mutex_unlock(&disk->lock);
}

static int failure_locked(MemoryDisk *disk, MemoryCall call) {
        Planned *planned = &disk->failures[call];

        if (disk->dead)
                return -EIO;
        if (planned->nth == 0 || --planned->nth > 0)
                return 0;
        disk->dead = planned->error == -EIO;
        return planned->error;
}

static int failure_now(MemoryDisk *disk, MemoryCall call) {
        int r;

        pthread_mutex_lock(&disk->lock);
        r = failure_locked(disk, call);
        pthread_mutex_unlock(&disk->lock);
        return r;
}

/* ---- entries ---- */

static int compare(const MemoryEntry *entry, Slice key) {
        size_t n = MIN(entry->key_size, key.size);
        int order = n > 0 ? memcmp(entry->bytes, key.data, n) : 0;

        return order != 0 ? order : (entry->key_size > key.size) - (entry->key_size < key.size);
}

/* Where the first entry with a key >= the given one is, or would be. */
static size_t find_entry(const Database *database, Slice key, bool *ret_equal) {
        size_t low = 0, high = database->n;

        while (low < high) {
                size_t middle = low + (high - low) / 2;

                if (compare(database->entries[middle], key) < 0)
                        low = middle + 1;
                else
                        high = middle;
        }
        *ret_equal = low < database->n && compare(database->entries[low], key) == 0;
        return low;
}

static MemoryEntry *entry_new(Slice key, Slice value) {
        MemoryEntry *entry = malloc(sizeof(*entry) + key.size + value.size);

        if (!entry)
                return NULL;
        *entry = (MemoryEntry){ .key_size = key.size, .value_size = value.size };
        memcpy(entry->bytes, key.data, key.size);
        if (value.size > 0)
                memcpy(entry->bytes + key.size, value.data, value.size);
        return entry;
}

static Slice memory_key(const MemoryEntry *entry) {
        return (Slice){ entry->bytes, entry->key_size };
}

static int insert_at(Database *database, size_t i, MemoryEntry *entry) {
        if (database->n == database->allocated) {
                size_t want = database->allocated ? database->allocated * 2 : 16;
                MemoryEntry **grown = reallocarray(database->entries, want, sizeof(MemoryEntry *));

                if (!grown)
                        return -ENOMEM;
                database->entries = grown;
                database->allocated = want;
        }
        memmove(database->entries + i + 1, database->entries + i,
                (database->n - i) * sizeof(MemoryEntry *));
        database->entries[i] = entry;
        database->n++;
        return 0;
}

static void remove_at(Database *database, size_t i) {
        memmove(database->entries + i, database->entries + i + 1,
                (--database->n - i) * sizeof(MemoryEntry *));
}

/* ---- transactions ---- */

static void take_back(MemoryKv *m) {
        Undo *undo = m->undo;
        Database *database = &m->disk->databases[undo->db];
        bool equal;
        size_t i = find_entry(database, memory_key(undo->before ?: undo->added), &equal);

        if (undo->before && equal)
                database->entries[i] = undo->before;
        else if (undo->before) {
                int r = insert_at(database, i, undo->before);

                assert(r == 0); /* it was there before: there is room */
        } else
                remove_at(database, i);
        free(undo->added);
        m->undo = undo->next;
        free(undo);
}

static void forget_lent(MemoryKv *m) {
        while (m->lent) {
                Lent *next = m->lent->next;

                free(m->lent);
                m->lent = next;
        }
}

static void memory_end(Kv *kv) {
        MemoryKv *m = (MemoryKv *)kv;

        forget_lent(m);
        while (m->undo)
                take_back(m);
        m->mode = MEMORY_IDLE;
        m->spoiled = false;
}

/* What the transaction has written stays. */
static void keep_written(MemoryKv *m) {
        while (m->undo) {
                Undo *next = m->undo->next;

                free(m->undo->before);
                free(m->undo);
                m->undo = next;
        }
}

static int memory_commit(Kv *kv) {
        MemoryKv *m = (MemoryKv *)kv;
        int r = m->spoiled ? -EIO : failure_now(m->disk, MEMORY_COMMIT);

        assert(m->mode == MEMORY_WRITING);
        if (r == 0) {
                keep_written(m);
                r = failure_now(m->disk, MEMORY_TOLD);
        }
        memory_end(kv);
        return r;
}

static int lend(MemoryKv *m, const MemoryEntry *entry, Slice *ret_key, Slice *ret_value) {
        size_t size = entry->key_size + entry->value_size;
        Lent *lent = malloc(sizeof(*lent) + size);

        if (!lent)
                return -ENOMEM;
        memcpy(lent->bytes, entry->bytes, size);
        lent->next = m->lent;
        m->lent = lent;
        *ret_key = (Slice){ lent->bytes, entry->key_size };
        *ret_value = (Slice){ lent->bytes + entry->key_size, entry->value_size };
        return 0;
}

static int memory_get(Kv *kv, unsigned db, Slice key, Slice *ret) {
        MemoryKv *m = (MemoryKv *)kv;
        const Database *database = &m->disk->databases[db];
        bool equal;
        size_t i = find_entry(database, key, &equal);
        Slice own_key;

        assert(m->mode != MEMORY_IDLE && db < MEMORY_DATABASES);
        if (m->spoiled)
                return -EIO;
        return equal ? lend(m, database->entries[i], &own_key, ret) : -ENOENT;
}

/* Puts an entry in the place of what is there (NULL: nothing in it), so that it can be undone. */
static int replace(MemoryKv *m, unsigned db, Slice key, MemoryEntry *entry) {
        Database *database = &m->disk->databases[db];
        bool equal;
        size_t i = find_entry(database, key, &equal);
        Undo *undo;
        int r = 0;

        if (!entry && !equal)
                return -ENOENT;
        undo = malloc(sizeof(*undo));
        if (!undo)
                return -ENOMEM;
        *undo = (Undo){ .next = m->undo,
                        .db = db,
                        .before = equal ? database->entries[i] : NULL,
                        .added = entry };
        if (entry && equal)
                database->entries[i] = entry;
        else if (entry)
                r = insert_at(database, i, entry);
        else
                remove_at(database, i);
        if (r < 0) {
                free(undo);
                return r;
        }
        m->undo = undo;
        return 0;
}

/* What a writer has committed since. */
static void take_written(MemoryKv *m) {
        Written *written;

        pthread_mutex_lock(&m->disk->lock);
        written = m->disk->written;
        m->disk->written = NULL;
        m->disk->written_end = &m->disk->written;
        pthread_mutex_unlock(&m->disk->lock);
        while (written) {
                Written *next = written->next;
                int r;

                r = replace(m, written->db, memory_key(written->entry),
                            written->removed ? NULL : written->entry);
                assert(r == 0 || (r == -ENOENT && written->removed));
                if (written->removed)
                        free(written->entry);
                free(written);
                written = next;
        }
        keep_written(m);
}

static int memory_begin(Kv *kv, bool write) {
        MemoryKv *m = (MemoryKv *)kv;
        int r;

        assert(m->mode == MEMORY_IDLE);
        r = failure_now(m->disk, MEMORY_BEGIN);
        if (r < 0)
                return r;
        take_written(m);
        m->mode = write ? MEMORY_WRITING : MEMORY_READING;
        return 0;
}

static int memory_write(MemoryKv *m, unsigned db, Slice key, MemoryEntry *entry) {
        int r;

        assert(m->mode == MEMORY_WRITING && db < MEMORY_DATABASES);
        r = m->spoiled ? -EIO : failure_now(m->disk, MEMORY_WRITE);
        if (r == 0)
                r = replace(m, db, key, entry);
        m->spoiled = m->spoiled || (r < 0 && r != -ENOENT);
        forget_lent(m);
        if (r < 0)
                free(entry);
        return r;
}

static int memory_put(Kv *kv, unsigned db, Slice key, Slice value) {
        MemoryEntry *entry;

        if (key.size == 0 || key.size > KEY_BYTES_MAX)
                return -E2BIG;
        entry = entry_new(key, value);
        return entry ? memory_write((MemoryKv *)kv, db, key, entry) : -ENOMEM;
}

static int memory_remove(Kv *kv, unsigned db, Slice key) {
        return memory_write((MemoryKv *)kv, db, key, NULL);
}

static int memory_seek(Kv *kv, unsigned db, KvSeek how, Slice key, Slice *ret_key,
                       Slice *ret_value) {
        MemoryKv *m = (MemoryKv *)kv;
        const Database *database = &m->disk->databases[db];
        bool equal;
        size_t i = find_entry(database, key, &equal);

        assert(m->mode != MEMORY_IDLE && db < MEMORY_DATABASES);
        if (m->spoiled)
                return -EIO;
        if (how == KV_AFTER)
                i += equal;
        else if (how == KV_BEFORE)
                i = i > 0 ? i - 1 : database->n;
        return i < database->n ? lend(m, database->entries[i], ret_key, ret_value) : -ENOENT;
}

static int memory_count(Kv *kv, unsigned db, uint64_t *ret) {
        const MemoryKv *m = (const MemoryKv *)kv;

        *ret = m->disk->databases[db].n;
        return 0;
}

static int memory_stats(Kv *kv, KvStats *ret) {
        const MemoryKv *m = (const MemoryKv *)kv;

        *ret = (KvStats){ .bytes_max = UINT64_MAX };
        for (unsigned db = 0; db < MEMORY_DATABASES; db++)
                for (size_t i = 0; i < m->disk->databases[db].n; i++) {
                        const MemoryEntry *entry = m->disk->databases[db].entries[i];

                        ret->bytes_used += entry->key_size + entry->value_size;
                }
        ret->bytes_file = ret->bytes_used;
        return 0;
}

static Kv *memory_free(Kv *kv) {
        MemoryKv *m = (MemoryKv *)kv;

        if (!m)
                return NULL;
        memory_end(kv);
        m->disk->open = false;
        free(m);
        return NULL;
}

/* ---- writers: only what a checkpoint needs of them ---- */

static void free_written(Written *written) {
        while (written) {
                Written *next = written->next;

                free(written->entry);
                free(written);
                written = next;
        }
}

static void writer_end(Kv *kv) {
        MemoryWriter *w = (MemoryWriter *)kv;

        free_written(w->written);
        w->written = NULL;
        w->written_end = &w->written;
}

static int writer_begin(Kv *kv, bool write) {
        const MemoryWriter *w = (const MemoryWriter *)kv;

        assert(write && !w->written);
        return 0;
}

static int writer_commit(Kv *kv) {
        MemoryWriter *w = (MemoryWriter *)kv;
        int r;

        pthread_mutex_lock(&w->disk->lock);
        r = failure_locked(w->disk, MEMORY_BESIDE);
        if (r == 0 && w->written) {
                *w->disk->written_end = w->written;
                w->disk->written_end = w->written_end;
                w->written = NULL;
                r = failure_locked(w->disk, MEMORY_TOLD);
        }
        pthread_mutex_unlock(&w->disk->lock);
        writer_end(kv);
        return r;
}

static int writer_write(Kv *kv, unsigned db, Slice key, Slice value, bool removed) {
        MemoryWriter *w = (MemoryWriter *)kv;
        Written *written = malloc(sizeof(*written));
        MemoryEntry *entry = entry_new(key, value);

        assert(db < MEMORY_DATABASES);
        if (!written || !entry) {
                free(written);
                free(entry);
                return -ENOMEM;
        }
        *written = (Written){ .db = db, .removed = removed, .entry = entry };
        *w->written_end = written;
        w->written_end = &written->next;
        return 0;
}

static int writer_put(Kv *kv, unsigned db, Slice key, Slice value) {
        return writer_write(kv, db, key, value, false);
}

static int writer_remove(Kv *kv, unsigned db, Slice key) {
        return writer_write(kv, db, key, (Slice){}, true);
}

static Kv *writer_free(Kv *kv) {
        if (kv)
                writer_end(kv);
        free(kv);
        return NULL;
}

static const KvOps writer_ops = {
        .begin = writer_begin,
        .commit = writer_commit,
        .end = writer_end,
        .put = writer_put,
        .remove = writer_remove,
        .free = writer_free,
};

static int memory_writer(Kv *kv, Kv **ret) {
        MemoryWriter *w = malloc(sizeof(*w));

        if (!w)
                return -ENOMEM;
        *w = (MemoryWriter){ .kv.ops = &writer_ops,
                             .disk = ((MemoryKv *)kv)->disk,
                             .written_end = &w->written };
        *ret = &w->kv;
        return 0;
}

static const KvOps memory_ops = {
        .begin = memory_begin,
        .commit = memory_commit,
        .end = memory_end,
        .get = memory_get,
        .put = memory_put,
        .remove = memory_remove,
        .seek = memory_seek,
        .count = memory_count,
        .stats = memory_stats,
        .writer = memory_writer,
        .free = memory_free,
};

/* ---- disks ---- */

MemoryDisk *memory_disk_new(void) {
        MemoryDisk *disk = calloc(1, sizeof(*disk));

        if (!disk)
                return NULL;
        pthread_mutex_init(&disk->lock, NULL);
        disk->written_end = &disk->written;
        return disk;
}

Kv *memory_disk_open(MemoryDisk *disk) {
        MemoryKv *m = calloc(1, sizeof(*m));

        assert(!disk->open);
        if (!m)
                return NULL;
        *m = (MemoryKv){ .kv.ops = &memory_ops, .disk = disk };
        disk->open = true;
        disk->dead = false;
        return &m->kv;
}

MemoryDisk *memory_disk_free(MemoryDisk *disk) {
        if (!disk)
                return NULL;
        assert(!disk->open);
        for (unsigned db = 0; db < MEMORY_DATABASES; db++) {
                for (size_t i = 0; i < disk->databases[db].n; i++)
                        free(disk->databases[db].entries[i]);
                free(disk->databases[db].entries);
        }
        free_written(disk->written);
        pthread_mutex_destroy(&disk->lock);
        free(disk);
        return NULL;
}
