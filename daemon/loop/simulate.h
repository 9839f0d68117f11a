/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What would escalate to whom until an instant if nobody did anything: computed from the open cases
 * by the very steps that let it happen. Nothing is changed. */

#include "loop/engine.h"

typedef struct SimulateOptions {
        int64_t now, until;    /* events due before `until` */
        const char *kind;      /* only cases of this kind; NULL: all */
        const char *subcentre; /* only those of it; NULL: all */
        const char *dealer;    /* likewise */
        const char *recipient; /* only what this unit would hear of; NULL: all */
        size_t rows_max;       /* rows kept: the first ones */
        uint64_t events_max;   /* counted at most */
} SimulateOptions;

typedef struct SimulatedEvent {
        int64_t due_at, fired_at;
        const Kind *kind;
        uint64_t case_id;
        const char *clock;
        int64_t cycle, level, missed;
        EscalationCause cause;
        Recipient role;
        char recipient[CODE_MAX_BYTES + 1];
        uint64_t order; /* of what is due at the same instant */
} SimulatedEvent;

typedef struct SimulatedTotal {
        char recipient[CODE_MAX_BYTES + 1];
        uint64_t n[_CAUSE_MAX]; /* by cause */
} SimulatedTotal;

typedef struct Simulated {
        SimulatedEvent *rows; /* in the order in which they would happen */
        size_t n_rows;
        SimulatedTotal *totals; /* by recipient */
        size_t n_totals;
        uint64_t events; /* all of them, also those without a row */
        uint64_t cases;
} Simulated;

/* 0 and what to free with simulated_done(); -E2BIG: more than events_max; other negative errno. */
int simulate_cases(const Engine *engine, Store *store, const SimulateOptions *options,
                   Simulated *ret);
void simulated_done(Simulated *simulated);
