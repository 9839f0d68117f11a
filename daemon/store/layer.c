/* SPDX-License-Identifier: Apache-2.0 */

#include "store/layer.h"

#include <errno.h>
#include <stdlib.h>

int layer_init(Layer *layer, unsigned n_databases) {
        *layer = (Layer){ .maps = calloc(n_databases, sizeof(Map)), .n_databases = n_databases };
        if (!layer->maps)
                return -ENOMEM;
        layer_empty(layer);
        return 0;
}

void layer_done(Layer *layer) {
        arena_rewind(&layer->arena, (ArenaMark){});
        free(layer->maps);
        *layer = (Layer){};
}

void layer_empty(Layer *layer) {
        for (unsigned db = 0; db < layer->n_databases; db++)
                map_init(&layer->maps[db]);
        arena_rewind(&layer->arena, (ArenaMark){});
}

static int write_map(const Map *map, unsigned db, Kv *base) {
        int r = 0;

        for (const Entry *entry = map->first[0]; r == 0 && entry; entry = entry->next[0]) {
                r = entry->removed ? base->ops->remove(base, db, entry->key)
                                   : base->ops->put(base, db, entry->key, entry->value);
                if (r == -ENOENT && entry->removed)
                        r = 0; /* it came and went in between */
        }
        return r;
}

int layer_write(const Layer *older, const Layer *newer, Kv *base) {
        int r = base->ops->begin(base, true);

        if (r < 0)
                return r;
        for (unsigned db = 0; r == 0 && db < newer->n_databases; db++) {
                if (older)
                        r = write_map(&older->maps[db], db, base);
                if (r == 0)
                        r = write_map(&newer->maps[db], db, base);
        }
        if (r == 0)
                return base->ops->commit(base);
        base->ops->end(base);
        return r;
}
