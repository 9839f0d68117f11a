/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* One page of a list: the records behind a stretch of an index or a table, in its order. A page
 * reads one snapshot; a cursor names the last key it has looked at, so that the next page neither
 * skips nor repeats a record that did not change. */

#include "store/store.h"

#define LIST_CURSOR_SIZE (2 * (4 + KEY_MAX) + 1)

typedef enum ListVerdict {
        LIST_SKIP,
        LIST_TAKE,
        LIST_END, /* nothing behind this one is wanted either */
} ListVerdict;

typedef struct ListQuery {
        const Table *table;
        const Index *index; /* NULL: the table itself */
        Key prefix;         /* of the index' keys */
        uint32_t identity;  /* a checksum of all that the query asks for */
        const char *cursor; /* "" for the first page */
        size_t limit;
        /* Whether an entry of an index that tables share is one of this table's; NULL: all are. */
        bool (*ours)(void *userdata, const Key *entry);
        ListVerdict (*want)(void *userdata, const void *record);
        /* 0, > 0: this page is full, < 0. */
        int (*row)(void *userdata, const void *record);
        void *userdata;
} ListQuery;

/* Hands the rows of a page over and writes the cursor for the next one, "" after the last. A page
 * ends after PAGE_SCAN_MAX records looked at even if it is not full. 0, REFUSED_INVALID_CURSOR,
 * negative errno. */
int store_list(Store *store, const ListQuery *query, char ret_cursor[static LIST_CURSOR_SIZE],
               Refusal *refusal);

/* What a cursor is made of, for lists that are put together otherwise: it belongs to what the
 * identity stands for. 0 or REFUSED_INVALID_CURSOR. */
void list_cursor_write(uint32_t identity, const Key *position, char ret[static LIST_CURSOR_SIZE]);
int list_cursor_read(const char *cursor, uint32_t identity, Key *ret, Refusal *refusal);

/* What a tally has, in the order of its keys. */
typedef struct TallyQuery {
        const Index *tally;
        Key prefix;
        uint32_t identity; /* a checksum of all else that the query asks for */
        const char *cursor;
        size_t limit;
        /* 0, > 0: this page is full, < 0. The key is whole, as the tally's function made it. */
        int (*row)(void *userdata, const Key *key, int64_t amount);
        void *userdata;
} TallyQuery;

/* Likewise. */
int store_list_tally(Store *store, const TallyQuery *query,
                     char ret_cursor[static LIST_CURSOR_SIZE], Refusal *refusal);
