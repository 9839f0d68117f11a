/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What was written to all databases in some time, and the memory that it is in. */

#include "store/map.h"

typedef struct Layer {
        Map *maps; /* by database */
        unsigned n_databases;
        Arena arena;
} Layer;

/* 0 or -ENOMEM. */
int layer_init(Layer *layer, unsigned n_databases);
void layer_done(Layer *layer);
void layer_empty(Layer *layer);

/* Writes the older, which may be NULL, and then the newer one over a database that nobody else
 * writes, in one transaction. 0 or negative errno; then nothing was written. */
int layer_write(const Layer *older, const Layer *newer, Kv *base);
