/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Bringing the store of an older program to the present schema: step by step, each in bounded
 * pieces. A piece, and how far it has come, are one transaction: wherever it is cut short, the next
 * start goes on from there. */

#include "store/store.h"

#define MIGRATION_PIECE 256 /* records that a piece looks at, about */

typedef struct Migration {
        uint32_t from;    /* to the next version */
        const char *name; /* what it does */
        /* Stages the piece behind *position (empty: the first) and moves it. 0: there is more;
         * -ENOENT: that was the last one; other negative errno. */
        int (*piece)(Change *change, Key *position);
} Migration;

/* A piece of the step from the schema up to which the table has a Former for an index or a tally,
 * that brings it along. As Migration.piece. */
int store_rederive(Change *change, const Table *table, const Index *index, Key *position);

/* Whether the store is in the middle of it. */
bool store_is_migrating(Store *store);

/* Runs all that is to be done; migrations: from the oldest version on, ended by an empty one.
 * on_piece is called after each that is durable. 0 or negative errno. */
int store_migrate(Store *store, const Migration *migrations, int64_t now,
                  void (*on_piece)(void *userdata, const Migration *migration), void *userdata);
