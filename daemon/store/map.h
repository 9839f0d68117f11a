/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Entries in the order of their keys, in memory: a skip list, after W. Pugh, "Skip lists: a
 * probabilistic alternative to balanced trees", CACM 33 (6), 1990. It needs no balancing, what is
 * added at the end is added at once, and nothing ever moves. */

#include "base/buffer.h"
#include "store/kv.h"

#define MAP_HEIGHT_MAX                                                                             \
        12 /* with a quarter of the entries of each level in the next: 16 million                  \
            */

/* Memory that is given back all at once, or all that was taken since some moment. */
typedef struct ArenaMark {
        struct ArenaChunk *newest;
        size_t used; /* of that chunk */
} ArenaMark;

typedef struct Arena {
        ArenaMark at;
} Arena;

/* Aligned for anything; NULL without memory. */
void *arena_take(Arena *arena, size_t size);
/* Back to where Arena.at was; {} gives back everything. */
void arena_rewind(Arena *arena, ArenaMark mark);

typedef struct Entry {
        Slice key, value;
        size_t room;    /* bytes that the value may have where it is */
        uint64_t batch; /* that has changed it last; 0: it is new */
        bool removed;
        struct Entry *next[]; /* by level */
} Entry;

typedef struct Map {
        Entry *first[MAP_HEIGHT_MAX];
        Entry **end[MAP_HEIGHT_MAX]; /* where the next one at the end of each level goes */
        Entry *last;
        uint32_t random;
} Map;

void map_init(Map *map);
Entry *map_find(const Map *map, Slice key);
/* The entry that the walk comes to, or NULL; an empty key stands before the first. */
Entry *map_seek(const Map *map, KvSeek how, Slice key);
/* The entry with this key, which is made if there is none. NULL without memory. */
Entry *map_add(Map *map, Arena *arena, Slice key);
void map_take_out(Map *map, Entry *entry);
