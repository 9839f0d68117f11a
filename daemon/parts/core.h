/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Cores: old parts that were replaced under warranty and must come back. A case is so many of one
 * part that lie at one place: of what is shipped, received or judged in parts, the part that goes
 * ahead becomes a case of its own. */

#include "loop/kind.h"

typedef enum CoreClock { CORE_CLOCK_RETURN = 1, CORE_CLOCK_TRANSIT, CORE_CLOCK_INSPECT } CoreClock;

typedef enum CoreState {
        CORE_DUE = 1,
        CORE_SHIPPED,
        CORE_RECEIVED,
        CORE_REJECTED,
        CORE_ACCEPTED,
        CORE_CHARGED,
        CORE_VOIDED,
        _CORE_STATE_MAX,
} CoreState;

typedef struct Core {
        Case head;
        uint64_t ticket;
        int64_t line; /* of the ticket's parts */
        char *part;
        char *product; /* model in which it was */
        int64_t quantity;
        char *serial;             /* of the old part */
        int64_t used_at, used_on; /* the instant, and its day */
        char *receiver;           /* the unit that it goes back to */
        uint64_t split_from;
        int reject_reason;
        int64_t rejected; /* times it was */
        int64_t shipped_at, received_at, accepted_at;
        char *waybill;
        int64_t charge; /* fen, of what does not come back */
} Core;

extern const Table core_table;
extern const Kind core_kind;
extern const Index index_core_ticket;

/* What dealers may draw for accepted cores: dealer, part. Order lines take from it. */
extern const Index sum_credit;
/* What a ticket line asks back less what cores there are for it: ticket u64, line u64. Nothing, or
 * the store is wrong. */
extern const Index sum_core_duty;
/* What is owed, with what is on its way or being looked at: sub-centre, dealer, part, day on which
 * it was replaced u32. */
extern const Index sum_owed;
/* Failures that are verified and in warranty: product, part, day on which it was replaced u32.
 * Cores that were accepted, and on tickets parts of which no core must come back. */
extern const Index sum_failure;
Key failure_key(const char *product, const char *part, int64_t day);

void core_done(Core *core);

/* The core of a ticket's line that lies where the part was replaced, with at least so many. 0 and
 * its number, -ENOENT, negative errno. */
int core_find_due(Store *store, uint64_t ticket, int64_t line, int64_t quantity, uint64_t *ret);
