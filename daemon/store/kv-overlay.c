/* SPDX-License-Identifier: Apache-2.0 */

#include "store/kv-overlay.h"

#include <errno.h>
#include <string.h>

#include "store/key.h"

enum { REMOVED, PRESENT };

typedef struct OverlayKv {
        Kv kv;
        Kv *below, *above;
        unsigned n_databases;
        bool writing;
        /* By database: entries more than below has; as the open transaction found them. */
        int64_t *more, *more_before;
        Buffer value; /* the last one written, with its byte */
} OverlayKv;

static int overlay_begin(Kv *kv, bool write) {
        OverlayKv *o = (OverlayKv *)kv;
        int r = o->above->ops->begin(o->above, write);

        if (r < 0)
                return r;
        o->writing = write;
        memcpy(o->more_before, o->more, o->n_databases * sizeof(int64_t));
        return 0;
}

static int overlay_commit(Kv *kv) {
        OverlayKv *o = (OverlayKv *)kv;
        int r = o->above->ops->commit(o->above);

        if (r < 0)
                memcpy(o->more, o->more_before, o->n_databases * sizeof(int64_t));
        o->writing = false;
        return r;
}

static void overlay_end(Kv *kv) {
        OverlayKv *o = (OverlayKv *)kv;

        if (o->writing)
                memcpy(o->more, o->more_before, o->n_databases * sizeof(int64_t));
        o->writing = false;
        o->above->ops->end(o->above);
}

/* What a value above says: 1 it is there, 0 removed, -EBADMSG. */
static int take_mark(Slice *value) {
        uint8_t mark = value->size > 0 ? *(const uint8_t *)value->data : UINT8_MAX;

        if (mark != REMOVED && mark != PRESENT)
                return -EBADMSG;
        value->data = (const uint8_t *)value->data + 1;
        value->size--;
        return mark == PRESENT;
}

static int overlay_get(Kv *kv, unsigned db, Slice key, Slice *ret) {
        OverlayKv *o = (OverlayKv *)kv;
        Slice value;
        int r = o->above->ops->get(o->above, db, key, &value);

        if (r == -ENOENT)
                return o->below->ops->get(o->below, db, key, ret);
        if (r == 0)
                r = take_mark(&value);
        if (r == 1)
                *ret = value;
        return r == 1 ? 0 : r == 0 ? -ENOENT : r;
}

/* Whether the overlay has the key. 1, 0, negative errno. */
static int has_key(Kv *kv, unsigned db, Slice key) {
        Slice value;
        int r = overlay_get(kv, db, key, &value);

        return r == 0 ? 1 : r == -ENOENT ? 0 : r;
}

static int put_above(OverlayKv *o, unsigned db, Slice key, uint8_t mark, Slice value) {
        buffer_reset(&o->value);
        buffer_put_u8(&o->value, mark);
        buffer_put(&o->value, value.data, value.size);
        if (o->value.error < 0)
                return o->value.error;
        return o->above->ops->put(o->above, db, key, buffer_slice(&o->value));
}

static int overlay_put(Kv *kv, unsigned db, Slice key, Slice value) {
        OverlayKv *o = (OverlayKv *)kv;
        int had = has_key(kv, db, key), r;

        if (had < 0)
                return had;
        r = put_above(o, db, key, PRESENT, value);
        if (r == 0 && !had)
                o->more[db]++;
        return r;
}

static int overlay_remove(Kv *kv, unsigned db, Slice key) {
        OverlayKv *o = (OverlayKv *)kv;
        int had = has_key(kv, db, key), r;

        if (had <= 0)
                return had < 0 ? had : -ENOENT;
        r = put_above(o, db, key, REMOVED, (Slice){});
        if (r == 0)
                o->more[db]--;
        return r;
}

typedef struct Found {
        Slice key, value;
        int r; /* 0 or -ENOENT */
} Found;

/* Whether what was found above comes first in the direction of the walk; of the same key that above
 * hides the one below. */
static bool above_is_first(KvSeek how, const Found *above, const Found *below) {
        int order;

        if (above->r < 0 || below->r < 0)
                return above->r == 0;
        order = slice_compare(above->key, below->key);
        return how == KV_BEFORE ? order >= 0 : order <= 0;
}

static int overlay_seek(Kv *kv, unsigned db, KvSeek how, Slice key, Slice *ret_key,
                        Slice *ret_value) {
        OverlayKv *o = (OverlayKv *)kv;
        Slice from = key;

        for (;;) {
                Found above = {}, below = {};
                int r;

                above.r = o->above->ops->seek(o->above, db, how, from, &above.key, &above.value);
                below.r = o->below->ops->seek(o->below, db, how, from, &below.key, &below.value);
                if (above.r < 0 && above.r != -ENOENT)
                        return above.r;
                if (below.r < 0 && below.r != -ENOENT)
                        return below.r;
                if (above.r < 0 && below.r < 0)
                        return -ENOENT;
                if (!above_is_first(how, &above, &below)) {
                        *ret_key = below.key;
                        *ret_value = below.value;
                        return 0;
                }
                r = take_mark(&above.value);
                if (r < 0)
                        return r;
                if (r == 1) {
                        *ret_key = above.key;
                        *ret_value = above.value;
                        return 0;
                }
                from = above.key; /* removed: on from there */
                how = how == KV_BEFORE ? KV_BEFORE : KV_AFTER;
        }
}

static int overlay_count(Kv *kv, unsigned db, uint64_t *ret) {
        OverlayKv *o = (OverlayKv *)kv;
        int r = o->below->ops->count(o->below, db, ret);

        if (r == 0)
                *ret = (uint64_t)((int64_t)*ret + o->more[db]);
        return r;
}

static int overlay_stats(Kv *kv, KvStats *ret) {
        OverlayKv *o = (OverlayKv *)kv;

        return o->below->ops->stats(o->below, ret);
}

static int overlay_copy(Kv *kv, int fd) {
        OverlayKv *o = (OverlayKv *)kv;

        return o->below->ops->copy ? o->below->ops->copy(o->below, fd) : -EOPNOTSUPP;
}

static Kv *overlay_free(Kv *kv) {
        OverlayKv *o = (OverlayKv *)kv;

        if (!o)
                return NULL;
        o->below->ops->end(o->below);
        o->below->ops->free(o->below);
        o->above->ops->free(o->above);
        buffer_done(&o->value);
        free(o->more);
        free(o->more_before);
        free(o);
        return NULL;
}

static const KvOps overlay_ops = {
        .begin = overlay_begin,
        .commit = overlay_commit,
        .end = overlay_end,
        .get = overlay_get,
        .put = overlay_put,
        .remove = overlay_remove,
        .seek = overlay_seek,
        .count = overlay_count,
        .stats = overlay_stats,
        .copy = overlay_copy,
        .free = overlay_free,
};

int kv_overlay_new(Kv *below, Kv *above, unsigned n_databases, Kv **ret) {
        OverlayKv *o = calloc(1, sizeof(*o));
        int r;

        if (!o)
                return -ENOMEM;
        *o = (OverlayKv){ .kv.ops = &overlay_ops,
                          .below = below,
                          .above = above,
                          .n_databases = n_databases,
                          .more = calloc(n_databases, sizeof(int64_t)),
                          .more_before = calloc(n_databases, sizeof(int64_t)) };
        r = o->more && o->more_before ? below->ops->begin(below, false) : -ENOMEM;
        if (r < 0) {
                free(o->more);
                free(o->more_before);
                free(o);
                return r;
        }
        *ret = &o->kv;
        return 0;
}
