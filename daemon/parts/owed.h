/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Who owes how many cores of which part, and for how long: from sums, without looking at a core. */

#include "loop/actor.h"
#include "parts/core.h"
#include "store/list.h"

typedef struct OwedRow {
        Record record;
        char *subcentre, *dealer, *part;
        int64_t quantity;
        int64_t days_15, days_30, days_60, older; /* of them, by days since the part was replaced */
        int64_t oldest;                           /* day on which the first was */
} OwedRow;

extern const RecordType owed_row_type;

typedef struct OwedQuery {
        const Actor *actor;
        const OwedRow *filter; /* sub-centre, dealer and part, or NULL in there */
        int64_t today;
        const char *cursor;
        size_t limit;
        /* 0, > 0: this page is full, < 0. */
        int (*row)(void *userdata, const void *row);
        void *userdata;
} OwedQuery;

/* A page of rows, by sub-centre, dealer and part. 0, refused, < 0. */
int owed_list(Store *store, const OwedQuery *query, char ret_cursor[static LIST_CURSOR_SIZE],
              Refusal *refusal);
