/* SPDX-License-Identifier: Apache-2.0 */

#include "store/map.h"

#include <stdlib.h>
#include <string.h>

#define CHUNK_SIZE (64 * 1024)

/* ---- memory ---- */

typedef struct ArenaChunk {
        struct ArenaChunk *older;
        size_t size;
        max_align_t bytes[];
} ArenaChunk;

static size_t aligned(size_t size) {
        return (size + sizeof(max_align_t) - 1) / sizeof(max_align_t) * sizeof(max_align_t);
}

void *arena_take(Arena *arena, size_t size) {
        ArenaChunk *chunk = arena->at.newest;
        void *taken;

        size = aligned(size);
        if (!chunk || size > chunk->size - arena->at.used) {
                size_t room = MAX(size, CHUNK_SIZE - sizeof(*chunk));

                chunk = malloc(sizeof(*chunk) + room);
                if (!chunk)
                        return NULL;
                *chunk = (ArenaChunk){ .older = arena->at.newest, .size = room };
                arena->at = (ArenaMark){ .newest = chunk };
        }
        taken = (uint8_t *)chunk->bytes + arena->at.used;
        arena->at.used += size;
        return taken;
}

void arena_rewind(Arena *arena, ArenaMark mark) {
        while (arena->at.newest != mark.newest) {
                ArenaChunk *chunk = arena->at.newest;

                arena->at.newest = chunk->older;
                free(chunk);
        }
        arena->at.used = mark.used;
}

/* ---- entries ---- */

void map_init(Map *map) {
        *map = (Map){ .random = 1 };
        for (unsigned level = 0; level < MAP_HEIGHT_MAX; level++)
                map->end[level] = &map->first[level];
}

/* The last entry with a lesser key, NULL before the first; at each level the link behind which the
 * key belongs. */
static Entry *search(Map *map, Slice key, Entry **links[static MAP_HEIGHT_MAX]) {
        Entry **from = map->first, *before = NULL;

        if (map->last && slice_compare(map->last->key, key) < 0) {
                memcpy(links, map->end, sizeof(map->end));
                return map->last;
        }
        for (unsigned level = MAP_HEIGHT_MAX; level-- > 0;) {
                Entry *entry;

                while ((entry = from[level]) && slice_compare(entry->key, key) < 0) {
                        before = entry;
                        from = entry->next;
                }
                links[level] = &from[level];
        }
        return before;
}

Entry *map_seek(const Map *map, KvSeek how, Slice key) {
        Entry **links[MAP_HEIGHT_MAX], *before, *entry;

        if (!map->last)
                return NULL;
        before = search((Map *)map, key, links);
        if (how == KV_BEFORE)
                return before;
        entry = *links[0];
        return entry && how == KV_AFTER && slice_compare(entry->key, key) == 0 ? entry->next[0]
                                                                               : entry;
}

Entry *map_find(const Map *map, Slice key) {
        Entry *entry = map_seek(map, KV_FROM, key);

        return entry && slice_compare(entry->key, key) == 0 ? entry : NULL;
}

/* A quarter of the entries stand at each level of those at the one below. */
static unsigned choose_height(Map *map) {
        unsigned height = 1;
        uint32_t x = map->random;

        x ^= x << 13;
        x ^= x >> 17;
        x ^= x << 5;
        map->random = x;
        while (height < MAP_HEIGHT_MAX && (x & 3) == 0) {
                height++;
                x >>= 2;
        }
        return height;
}

Entry *map_add(Map *map, Arena *arena, Slice key) {
        Entry **links[MAP_HEIGHT_MAX], *entry;
        unsigned height;
        size_t size;

        search(map, key, links);
        entry = *links[0];
        if (entry && slice_compare(entry->key, key) == 0)
                return entry;
        height = choose_height(map);
        size = sizeof(*entry) + height * sizeof(Entry *);
        entry = arena_take(arena, size + key.size);
        if (!entry)
                return NULL;
        *entry = (Entry){ .key = { (uint8_t *)entry + size, key.size } };
        memcpy((uint8_t *)entry + size, key.data, key.size);
        for (unsigned level = 0; level < height; level++) {
                entry->next[level] = *links[level];
                *links[level] = entry;
                if (!entry->next[level])
                        map->end[level] = &entry->next[level];
        }
        if (!entry->next[0])
                map->last = entry;
        return entry;
}

void map_take_out(Map *map, Entry *entry) {
        Entry **links[MAP_HEIGHT_MAX], *before = search(map, entry->key, links);

        for (unsigned level = 0; level < MAP_HEIGHT_MAX && *links[level] == entry; level++) {
                *links[level] = entry->next[level];
                if (!entry->next[level])
                        map->end[level] = links[level];
        }
        if (map->last == entry)
                map->last = before;
}
