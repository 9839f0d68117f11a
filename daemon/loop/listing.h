/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Which stretch of which index answers a list of cases or of what a register has, and which records
 * in it are meant. */

#include "loop/kind.h"
#include "loop/register.h"
#include "store/list.h"

/* What a caller asks for. */
typedef struct ListFilter {
        const void *record; /* of the type listed, with the values that must be equal */
        FieldMask given;
        bool ended;         /* of cases: those in a final state as well */
        int64_t rung;       /* of cases: at least this high on the ladder */
        const Actor *actor; /* whose scope bounds the list; NULL: no scope */
} ListFilter;

/* 0, > 0: the page is full with this one, < 0. */
typedef int (*ListRow)(void *userdata, const void *record);

/* 0, > 0 refused, negative errno; see store_list(). */
int list_cases(Store *store, const Kind *kind, const ListFilter *filter, const char *cursor,
               size_t limit, ListRow row, void *userdata, char ret_cursor[static LIST_CURSOR_SIZE],
               Refusal *refusal);
int list_register(Store *store, const Register *reg, const ListFilter *filter, const char *cursor,
                  size_t limit, ListRow row, void *userdata,
                  char ret_cursor[static LIST_CURSOR_SIZE], Refusal *refusal);

/* Escalations: those nobody has taken on, the highest level first; `ended` means the acknowledged
 * ones as well, in the order in which they were raised. */
int list_escalations(Store *store, const ListFilter *filter, const char *cursor, size_t limit,
                     ListRow row, void *userdata, char ret_cursor[static LIST_CURSOR_SIZE],
                     Refusal *refusal);
