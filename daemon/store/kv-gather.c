/* SPDX-License-Identifier: Apache-2.0 */

#include "store/kv-gather.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/worker.h"
#include "store/key.h"
#include "store/layer.h"

/* How an entry was before a transaction. */
typedef struct Undo {
        unsigned db;
        Entry *entry;
        bool made; /* it was not there */
        bool removed;
        Slice value;
        size_t room;
} Undo;

/* What is written beside: the loop only reads it meanwhile. */
typedef struct Frozen {
        Layer layer;
        Kv *writer;          /* the base, for the thread; NULL: it cannot be written by one */
        Worker *worker;      /* likewise */
        bool running, holds; /* the thread; something that is not known to be in the base */
} Frozen;

typedef struct GatherKv {
        Kv kv;
        Kv *base;
        unsigned n_databases;
        Layer layer; /* the newest */
        /* By database: no entry that is there has a lesser key. What is due first, or goes out
         * first, is taken away again and again, and a walk from the beginning would have to pass
         * over all that was removed there since the last checkpoint. */
        Key *least;
        Frozen frozen;
        bool open, writing; /* a transaction, one that writes */
        uint64_t batch;     /* counts those that write */
        Undo *undo;         /* first of what is sealed, then of the open transaction */
        size_t n_undo, n_sealed, allocated;
        ArenaMark before, before_sealed; /* the open transaction; what is sealed */
} GatherKv;

/* ---- transactions ---- */

static int gather_begin(Kv *kv, bool write) {
        GatherKv *g = (GatherKv *)kv;
        int r;

        assert(!g->open);
        r = g->base->ops->begin(g->base, false);
        if (r < 0)
                return r;
        g->open = true;
        g->writing = write;
        g->batch += write;
        g->before = g->layer.arena.at;
        return 0;
}

static void close_transaction(GatherKv *g) {
        if (g->open)
                g->base->ops->end(g->base);
        g->open = g->writing = false;
}

static int gather_commit(Kv *kv) {
        GatherKv *g = (GatherKv *)kv;

        assert(g->writing);
        close_transaction(g);
        g->n_undo = g->n_sealed;
        return 0;
}

void kv_gather_seal(Kv *kv) {
        GatherKv *g = (GatherKv *)kv;

        assert(g->writing && g->n_sealed == 0);
        close_transaction(g);
        g->n_sealed = g->n_undo;
        g->before_sealed = g->before;
}

void kv_gather_keep(Kv *kv) {
        GatherKv *g = (GatherKv *)kv;

        g->n_undo -= g->n_sealed;
        memmove(g->undo, g->undo + g->n_sealed, g->n_undo * sizeof(*g->undo));
        g->n_sealed = 0;
}

static void take_back(GatherKv *g, const Undo *undo) {
        Entry *entry = undo->entry;

        if (undo->made) {
                map_take_out(&g->layer.maps[undo->db], entry);
                return;
        }
        entry->value = undo->value;
        entry->room = undo->room;
        entry->removed = undo->removed;
}

static void take_back_to(GatherKv *g, size_t n_undo, ArenaMark mark) {
        /* What was removed is back. */
        for (unsigned db = 0; db < g->n_databases; db++)
                g->least[db].size = 0;
        while (g->n_undo > n_undo)
                take_back(g, &g->undo[--g->n_undo]);
        arena_rewind(&g->layer.arena, mark);
}

static void gather_end(Kv *kv) {
        GatherKv *g = (GatherKv *)kv;

        if (g->writing)
                take_back_to(g, g->n_sealed, g->before);
        close_transaction(g);
}

void kv_gather_take_back(Kv *kv) {
        GatherKv *g = (GatherKv *)kv;

        assert(!g->writing);
        if (g->n_sealed > 0)
                take_back_to(g, 0, g->before_sealed);
        g->n_sealed = 0;
}

static int make_undo(GatherKv *g) {
        if (g->n_undo == g->allocated) {
                size_t want = g->allocated ? g->allocated * 2 : 256;
                Undo *grown = reallocarray(g->undo, want, sizeof(*grown));

                if (!grown)
                        return -ENOMEM;
                g->undo = grown;
                g->allocated = want;
        }
        return 0;
}

/* The entry with a key, to be changed; how it was is noted. */
static int touch(GatherKv *g, unsigned db, Slice key, Entry **ret) {
        Entry *entry;
        int r = make_undo(g);

        if (r < 0)
                return r;
        entry = map_add(&g->layer.maps[db], &g->layer.arena, key);
        if (!entry)
                return -ENOMEM;
        if (entry->batch != g->batch) {
                g->undo[g->n_undo++] = (Undo){ .db = db,
                                               .entry = entry,
                                               .made = entry->batch == 0,
                                               .removed = entry->removed,
                                               .value = entry->value,
                                               .room = entry->room };
                entry->batch = g->batch;
                entry->room = 0; /* its value must stay as it is */
        }
        *ret = entry;
        return 0;
}

/* ---- entries ---- */

/* What lies below the newest layer. */
static int get_below(GatherKv *g, unsigned db, Slice key, Slice *ret) {
        const Entry *entry = g->frozen.holds ? map_find(&g->frozen.layer.maps[db], key) : NULL;

        if (!entry)
                return g->base->ops->get(g->base, db, key, ret);
        if (entry->removed)
                return -ENOENT;
        *ret = entry->value;
        return 0;
}

static int gather_get(Kv *kv, unsigned db, Slice key, Slice *ret) {
        GatherKv *g = (GatherKv *)kv;
        const Entry *entry = map_find(&g->layer.maps[db], key);

        if (!entry)
                return get_below(g, db, key, ret);
        if (entry->removed)
                return -ENOENT;
        *ret = entry->value;
        return 0;
}

static int set_value(GatherKv *g, Entry *entry, Slice value) {
        uint8_t *place = (uint8_t *)entry->value.data;

        if (value.size > entry->room || !place) {
                place = arena_take(&g->layer.arena, MAX(value.size, (size_t)1));
                if (!place)
                        return -ENOMEM;
                entry->room = value.size;
        }
        if (value.size > 0)
                memcpy(place, value.data, value.size);
        entry->value = (Slice){ place, value.size };
        return 0;
}

/* Without room for a key the beginning is what is known. */
static void set_least(GatherKv *g, unsigned db, Slice key) {
        Key *least = &g->least[db];

        least->size = 0;
        if (key.size <= sizeof(least->bytes))
                key_bytes(least, key.data, key.size);
}

static int gather_put(Kv *kv, unsigned db, Slice key, Slice value) {
        GatherKv *g = (GatherKv *)kv;
        Entry *entry;
        int r;

        assert(g->writing);
        r = touch(g, db, key, &entry);
        if (r == 0)
                r = set_value(g, entry, value);
        if (r == 0)
                entry->removed = false;
        if (r == 0 && slice_compare(key, key_slice(&g->least[db])) < 0)
                set_least(g, db, key);
        return r;
}

static int gather_remove(Kv *kv, unsigned db, Slice key) {
        GatherKv *g = (GatherKv *)kv;
        Entry *entry;
        Slice value;
        int r;

        assert(g->writing);
        r = gather_get(kv, db, key, &value);
        if (r < 0)
                return r;
        r = touch(g, db, key, &entry);
        if (r == 0)
                entry->removed = true;
        return r;
}

/* ---- walking ---- */

/* What a walk comes to next. */
typedef struct Found {
        bool found, removed;
        Slice key, value;
} Found;

/* Takes another find if it comes first; of the same key that above hides the one below. */
static void take_first(Found *first, KvSeek how, const Found *below) {
        int order = !below->found ? -1 : !first->found ? 1 : slice_compare(first->key, below->key);

        if (how == KV_BEFORE && below->found && first->found)
                order = -order;
        if (order > 0)
                *first = *below;
}

static Found seek_layer(const Layer *layer, unsigned db, KvSeek how, Slice key) {
        const Entry *entry = map_seek(&layer->maps[db], how, key);

        return entry ? (Found){ true, entry->removed, entry->key, entry->value } : (Found){};
}

static int seek_base(GatherKv *g, unsigned db, KvSeek how, Slice key, Found *ret) {
        int r = g->base->ops->seek(g->base, db, how, key, &ret->key, &ret->value);

        ret->found = r == 0;
        return r == -ENOENT ? 0 : r;
}

/* Passes over what is removed. */
static int seek_first(GatherKv *g, unsigned db, KvSeek how, Slice key, Found *ret) {
        for (;;) {
                Found first = seek_layer(&g->layer, db, how, key), below = {};
                int r = seek_base(g, db, how, key, &below);

                if (r < 0)
                        return r;
                if (g->frozen.holds) {
                        Found frozen = seek_layer(&g->frozen.layer, db, how, key);

                        take_first(&first, how, &frozen);
                }
                take_first(&first, how, &below);
                if (!first.found)
                        return -ENOENT;
                if (!first.removed) {
                        *ret = first;
                        return 0;
                }
                key = first.key; /* on from there */
                how = how == KV_BEFORE ? KV_BEFORE : KV_AFTER;
        }
}

static int gather_seek(Kv *kv, unsigned db, KvSeek how, Slice key, Slice *ret_key,
                       Slice *ret_value) {
        GatherKv *g = (GatherKv *)kv;
        Slice least = key_slice(&g->least[db]);
        int order = slice_compare(key, least), r;
        /* An empty key stands before the first. */
        bool head = how != KV_BEFORE &&
                    (order < 0 || (order == 0 && (how == KV_FROM || key.size == 0)));
        Found first;

        r = head ? seek_first(g, db, KV_FROM, least, &first) : seek_first(g, db, how, key, &first);
        if (r < 0)
                return r;
        if (head)
                set_least(g, db, first.key);
        *ret_key = first.key;
        *ret_value = first.value;
        return 0;
}

typedef int (*GetBelow)(GatherKv *g, unsigned db, Slice key, Slice *ret);

static int get_base(GatherKv *g, unsigned db, Slice key, Slice *ret) {
        return g->base->ops->get(g->base, db, key, ret);
}

/* How many entries more than there are below. */
static int count_layer(GatherKv *g, const Layer *layer, unsigned db, GetBelow get,
                       uint64_t *count) {
        int r = 0;

        for (const Entry *entry = layer->maps[db].first[0]; r == 0 && entry;
             entry = entry->next[0]) {
                Slice value;

                r = get(g, db, entry->key, &value);
                if (r == 0 && entry->removed)
                        (*count)--;
                if (r == -ENOENT) {
                        *count += !entry->removed;
                        r = 0;
                }
        }
        return r;
}

static int gather_count(Kv *kv, unsigned db, uint64_t *ret) {
        GatherKv *g = (GatherKv *)kv;
        uint64_t count;
        int r = g->base->ops->count(g->base, db, &count);

        if (r == 0 && g->frozen.holds)
                r = count_layer(g, &g->frozen.layer, db, get_base, &count);
        if (r == 0)
                r = count_layer(g, &g->layer, db, get_below, &count);
        if (r == 0)
                *ret = count;
        return r;
}

/* ---- checkpoints ---- */

/* That a commit has spoiled the base for good shows only when it is read. Without reading it there
 * is no going on: what was written cannot be taken back. */
static int read_again(GatherKv *g, int r) {
        int again = g->base->ops->begin(g->base, false);

        if (again == 0 && !g->open)
                g->base->ops->end(g->base);
        g->open = g->open && again == 0;
        return again < 0 ? -EIO : r;
}

int kv_gather_write(Kv *kv) {
        GatherKv *g = (GatherKv *)kv;
        int r;

        kv_gather_thaw(kv, true); /* what that could not write is written here */
        if (g->open)
                g->base->ops->end(g->base);
        r = layer_write(g->frozen.holds ? &g->frozen.layer : NULL, &g->layer, g->base);
        if (r == 0) {
                layer_empty(&g->frozen.layer);
                layer_empty(&g->layer);
                g->frozen.holds = false;
                g->before = g->layer.arena.at;
                g->n_undo = g->n_sealed = 0;
        }
        return r == 0 && !g->open ? 0 : read_again(g, r);
}

static int write_frozen(void *userdata) {
        GatherKv *g = userdata;

        return layer_write(NULL, &g->frozen.layer, g->frozen.writer);
}

int kv_gather_freeze(Kv *kv) {
        GatherKv *g = (GatherKv *)kv;
        int r;

        assert(!g->open && !g->frozen.running && g->n_sealed == 0);
        if (!g->frozen.writer)
                return -EOPNOTSUPP;
        if (!g->frozen.holds) {
                Layer empty = g->frozen.layer;

                g->frozen.layer = g->layer;
                g->layer = empty;
                g->frozen.holds = true;
        }
        r = worker_begin(g->frozen.worker, write_frozen, g);
        g->frozen.running = r == 0;
        return r;
}

int kv_gather_thaw(Kv *kv, bool wait) {
        GatherKv *g = (GatherKv *)kv;
        Frozen *frozen = &g->frozen;
        int r;

        if (!frozen->running)
                return 0;
        r = worker_end(frozen->worker, wait);
        if (r == -EAGAIN)
                return r;
        frozen->running = false;
        if (r == 0) {
                frozen->holds = false;
                layer_empty(&frozen->layer);
        }
        if (g->open) /* see the base as it is now */
                g->base->ops->end(g->base);
        return read_again(g, r);
}

bool kv_gather_is_frozen(const Kv *kv) {
        return ((const GatherKv *)kv)->frozen.holds;
}

int kv_gather_fd(const Kv *kv) {
        const Frozen *frozen = &((const GatherKv *)kv)->frozen;

        return frozen->worker ? worker_fd(frozen->worker) : -1;
}

/* ---- the rest is the base's ---- */

static int gather_stats(Kv *kv, KvStats *ret) {
        Kv *base = ((GatherKv *)kv)->base;

        return base->ops->stats(base, ret);
}

static int gather_copy(Kv *kv, int fd) {
        Kv *base = ((GatherKv *)kv)->base;

        return base->ops->copy ? base->ops->copy(base, fd) : -EOPNOTSUPP;
}

static KvRoom gather_room(Kv *kv) {
        Kv *base = ((GatherKv *)kv)->base;

        return base->ops->room ? base->ops->room(base) : KV_ROOM_ENOUGH;
}

static Kv *gather_free(Kv *kv) {
        GatherKv *g = (GatherKv *)kv;

        if (!g)
                return NULL;
        kv_gather_thaw(kv, true);
        close_transaction(g);
        if (g->frozen.writer)
                g->frozen.writer->ops->free(g->frozen.writer);
        worker_free(g->frozen.worker);
        if (g->base)
                g->base->ops->free(g->base);
        layer_done(&g->layer);
        layer_done(&g->frozen.layer);
        free(g->least);
        free(g->undo);
        free(g);
        return NULL;
}

static const KvOps gather_ops = {
        .begin = gather_begin,
        .commit = gather_commit,
        .end = gather_end,
        .get = gather_get,
        .put = gather_put,
        .remove = gather_remove,
        .seek = gather_seek,
        .count = gather_count,
        .stats = gather_stats,
        .copy = gather_copy,
        .room = gather_room,
        .free = gather_free,
};

/* Without it everything is written at once. */
static int make_writer(GatherKv *g, Kv *base) {
        int r;

        if (!base->ops->writer)
                return 0;
        r = base->ops->writer(base, &g->frozen.writer);
        return r < 0 ? r : worker_new(&g->frozen.worker);
}

int kv_gather_new(Kv *base, unsigned n_databases, Kv **ret) {
        GatherKv *g = calloc(1, sizeof(*g));
        int r;

        if (!g)
                return -ENOMEM;
        *g = (GatherKv){ .kv.ops = &gather_ops,
                         .n_databases = n_databases,
                         .least = calloc(n_databases, sizeof(Key)) };
        r = g->least ? layer_init(&g->layer, n_databases) : -ENOMEM;
        if (r == 0)
                r = layer_init(&g->frozen.layer, n_databases);
        if (r == 0)
                r = make_writer(g, base);
        if (r < 0) {
                gather_free(&g->kv);
                return r;
        }
        g->base = base;
        *ret = &g->kv;
        return 0;
}
