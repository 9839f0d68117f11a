/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The rules of the stock ledger, and what is where. */

#include "parts/move.h"
#include "store/list.h"

/* Whether somebody may make such a move by hand, and what follows from what was given. */
int stock_check_move(const RegisterStep *step);

/* The day on which a part with that serial number was used last. 0, -ENOENT, negative errno. */
int stock_used_on(Store *store, const char *part, const char *serial, int64_t *ret);

/* So many of a part at a place. */
typedef struct Balance {
        Record record;
        char *place;
        char *part; /* NULL: all of them together */
        int condition;
        int64_t quantity; /* less than 0 where stock came from there */
} Balance;

extern const RecordType balance_type;

typedef struct StockQuery {
        const Actor *actor;
        const Balance *filter; /* place and part, or NULL in there */
        const char *cursor;
        size_t limit;
        /* 0, > 0: this page is full, < 0. */
        int (*row)(void *userdata, const void *balance);
        void *userdata;
} StockQuery;

/* A page of balances: those of a place, of a part, of the actor's own unit, or all. 0, refused, <
 * 0.
 */
int stock_list(Store *store, const StockQuery *query, char ret_cursor[static LIST_CURSOR_SIZE],
               Refusal *refusal);
/* All parts together by sort of place: what has entered is what is somewhere, so that they add up
 * to nothing. */
int stock_totals(Store *store, int (*row)(void *userdata, const void *balance), void *userdata);
