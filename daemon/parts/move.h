/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The stock ledger: moves of parts between places, never changed, never taken back but by another
 * move. What is where follows from them: the balances are sums of the store, which nobody writes,
 * and what enters equals what is somewhere. */

#include "loop/kind.h"
#include "loop/register.h"
#include "parts/place.h"

typedef enum Condition { CONDITION_GOOD = 1, CONDITION_BAD, _CONDITION_MAX } Condition;

typedef enum MoveReason {
        MOVE_RECEIVED = 1, /* from a supplier */
        MOVE_TRANSFERRED,  /* handed over between units */
        MOVE_GRADED,       /* found good or bad where it is */
        MOVE_COUNTED,      /* a count found more or fewer */
        MOVE_SCRAPPED,
        MOVE_SENT_BACK, /* to a supplier */
        MOVE_USED,      /* at a customer's, on a ticket */
        MOVE_UNUSED,    /* it was not used after all */
        MOVE_TAKEN,     /* a core, from the customer */
        MOVE_SHIPPED,   /* on its way to a unit */
        MOVE_ARRIVED,
        MOVE_REJECTED,   /* it is not what it should be: it is where it came from */
        MOVE_LOST,       /* on its way, or a core that does not come back */
        MOVE_GIVEN_BACK, /* a core, to the customer: the part was not replaced after all */
        _MOVE_REASON_MAX,
} MoveReason;

typedef struct Move {
        Entry entry;
        char *part;
        int64_t quantity;
        char *from, *to; /* places */
        int condition;   /* before the move */
        int becomes;     /* after it */
        char *serial;
        int reason;
        int64_t day; /* where dates are cut */
        char *from_subcentre, *to_subcentre;
} Move;

extern const Table move_table;
extern const Register move_register;
extern const EnumNames condition_names;

extern const Index index_move_serial; /* part, serial, newest first */

/* Balances. Places that are not bounded have less than nothing where stock came from them. */
extern const Index sum_place; /* place, part, condition u8 */
extern const Index sum_part;  /* part, place, condition u8 */
extern const Index sum_sort;  /* sort of place u8, condition u8: of all parts together */
/* What was used at customers' by a unit, its sub-centre, and ("") the whole company. */
extern const Index sum_use_month; /* unit, month u32, part */
extern const Index sum_use_part;  /* part, unit, month u32 */

Key stock_key(const char *place, const char *part, Condition condition);

/* Months are counted: 12 × year + month - 1. */
static inline uint32_t month_of(int year, int month) {
        return (uint32_t)(12 * year + month - 1);
}
uint32_t month_of_day(int64_t day);

/* Stages a move that a case brings about at step->now: part, quantity, places, conditions, serial
 * and reason are given. 0, > 0 refused, < 0. */
int stock_move(Step *step, const Move *move);

void move_done(Move *move);
