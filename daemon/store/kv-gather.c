/* SPDX-License-Identifier: Apache-2.0 */

#include "store/kv-gather.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "store/map.h"

/* How an entry was before the open transaction. */
typedef struct Undo {
        unsigned db;
        Entry *entry;
        bool made; /* it was not there */
        bool removed;
        Slice value;
        size_t room;
} Undo;

typedef struct GatherKv {
        Kv kv;
        Kv *base;
        unsigned n_databases;
        Map *maps;
        Arena arena;
        bool open, writing; /* a transaction, one that writes */
        uint64_t batch;     /* counts those that write */
        Undo *undo;
        size_t n_undo, allocated;
        ArenaMark before; /* the open transaction */
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
        g->before = g->arena.at;
        return 0;
}

static void close_transaction(GatherKv *g) {
        if (g->open)
                g->base->ops->end(g->base);
        g->open = g->writing = false;
        g->n_undo = 0;
}

static int gather_commit(Kv *kv) {
        GatherKv *g = (GatherKv *)kv;

        assert(g->writing);
        close_transaction(g);
        return 0;
}

static void take_back(GatherKv *g, const Undo *undo) {
        Entry *entry = undo->entry;

        if (undo->made) {
                map_take_out(&g->maps[undo->db], entry);
                return;
        }
        entry->value = undo->value;
        entry->room = undo->room;
        entry->removed = undo->removed;
}

static void gather_end(Kv *kv) {
        GatherKv *g = (GatherKv *)kv;

        if (g->writing) {
                while (g->n_undo > 0)
                        take_back(g, &g->undo[--g->n_undo]);
                arena_rewind(&g->arena, g->before);
        }
        close_transaction(g);
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
        entry = map_add(&g->maps[db], &g->arena, key);
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

static int gather_get(Kv *kv, unsigned db, Slice key, Slice *ret) {
        GatherKv *g = (GatherKv *)kv;
        const Entry *entry = map_find(&g->maps[db], key);

        if (!entry)
                return g->base->ops->get(g->base, db, key, ret);
        if (entry->removed)
                return -ENOENT;
        *ret = entry->value;
        return 0;
}

static int set_value(GatherKv *g, Entry *entry, Slice value) {
        uint8_t *place = (uint8_t *)entry->value.data;

        if (value.size > entry->room || !place) {
                place = arena_take(&g->arena, MAX(value.size, (size_t)1));
                if (!place)
                        return -ENOMEM;
                entry->room = value.size;
        }
        if (value.size > 0)
                memcpy(place, value.data, value.size);
        entry->value = (Slice){ place, value.size };
        return 0;
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

static int compare(Slice a, Slice b) {
        size_t n = MIN(a.size, b.size);
        int order = n > 0 ? memcmp(a.data, b.data, n) : 0;

        return order != 0 ? order : (a.size > b.size) - (a.size < b.size);
}

static int gather_seek(Kv *kv, unsigned db, KvSeek how, Slice key, Slice *ret_key,
                       Slice *ret_value) {
        GatherKv *g = (GatherKv *)kv;

        for (;;) {
                const Entry *above = map_seek(&g->maps[db], how, key);
                Slice below_key = {}, below_value = {};
                int r = g->base->ops->seek(g->base, db, how, key, &below_key, &below_value), order;

                if (r < 0 && r != -ENOENT)
                        return r;
                if (r < 0 && !above)
                        return -ENOENT;
                /* Of the same key what is above hides what is below. */
                order = r < 0 ? -1 : !above ? 1 : compare(above->key, below_key);
                if (how == KV_BEFORE && above && r == 0)
                        order = -order;
                if (order > 0) {
                        *ret_key = below_key;
                        *ret_value = below_value;
                        return 0;
                }
                if (!above->removed) {
                        *ret_key = above->key;
                        *ret_value = above->value;
                        return 0;
                }
                key = above->key; /* removed: on from there */
                how = how == KV_BEFORE ? KV_BEFORE : KV_AFTER;
        }
}

static int gather_count(Kv *kv, unsigned db, uint64_t *ret) {
        GatherKv *g = (GatherKv *)kv;
        uint64_t count;
        int r = g->base->ops->count(g->base, db, &count);

        for (const Entry *entry = g->maps[db].first[0]; r == 0 && entry; entry = entry->next[0]) {
                Slice value;
                bool is_below;

                r = g->base->ops->get(g->base, db, entry->key, &value);
                is_below = r == 0;
                if (r == -ENOENT)
                        r = 0;
                count += !entry->removed - is_below;
        }
        if (r == 0)
                *ret = count;
        return r;
}

/* ---- checkpoints ---- */

static void forget(GatherKv *g) {
        for (unsigned db = 0; db < g->n_databases; db++)
                map_init(&g->maps[db]);
        arena_rewind(&g->arena, (ArenaMark){});
        g->before = g->arena.at;
        g->n_undo = 0;
}

static int write_map(GatherKv *g, unsigned db) {
        const KvOps *ops = g->base->ops;
        int r = 0;

        for (const Entry *entry = g->maps[db].first[0]; r == 0 && entry; entry = entry->next[0]) {
                r = entry->removed ? ops->remove(g->base, db, entry->key)
                                   : ops->put(g->base, db, entry->key, entry->value);
                if (r == -ENOENT && entry->removed)
                        r = 0; /* it came and went in between */
        }
        return r;
}

int kv_gather_write(Kv *kv) {
        GatherKv *g = (GatherKv *)kv;
        const KvOps *ops = g->base->ops;
        int r;

        if (g->open)
                ops->end(g->base);
        r = ops->begin(g->base, true);
        if (r == 0) {
                for (unsigned db = 0; r == 0 && db < g->n_databases; db++)
                        r = write_map(g, db);
                if (r == 0)
                        r = ops->commit(g->base);
                else
                        ops->end(g->base);
        }
        if (r == 0)
                forget(g);
        if (g->open) {
                /* That a commit has spoiled the base for good shows only now. */
                int again = ops->begin(g->base, false);

                g->open = again == 0;
                r = r == 0 || again == -EIO ? again : r;
        }
        return r;
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
        close_transaction(g);
        g->base->ops->free(g->base);
        arena_rewind(&g->arena, (ArenaMark){});
        free(g->undo);
        free(g->maps);
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

int kv_gather_new(Kv *base, unsigned n_databases, Kv **ret) {
        GatherKv *g = calloc(1, sizeof(*g));
        Map *maps = calloc(n_databases, sizeof(*maps));

        if (!g || !maps) {
                free(g);
                free(maps);
                return -ENOMEM;
        }
        *g = (GatherKv){
                .kv.ops = &gather_ops, .base = base, .n_databases = n_databases, .maps = maps
        };
        forget(g);
        *ret = &g->kv;
        return 0;
}
