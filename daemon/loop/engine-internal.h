/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What the files of the engine share. */

#include "loop/engine.h"

/* ---- clocks.c ---- */

/* Recomputes the clocks' next events, the armed time, the rung and whether the case is overdue. */
int case_arm(const Engine *engine, const Kind *kind, Case *c, int64_t now);
/* Brings every clock into the mode that the state entered asks for, and arms the case. */
int engine_set_clocks(Step *step);
/* Whether its clocks were computed by the policy in force, or by one that counts time alike. */
bool case_is_current(const Engine *engine, const Case *c);
/* Computes them by the policy in force, as of the instant at which it came into force: whenever
 * that is done, the same comes of it. 0, -ERANGE. */
int case_recompute(const Engine *engine, const Kind *kind, Case *c);
/* Takes back what passed in silence at or after an instant that is reported only now. 0, -ERANGE.
 */
int case_rewind(const Engine *engine, const Kind *kind, Case *c, int64_t at);
/* Whatever lies before passes without telling anybody. 0, -ERANGE. */
int case_pass_in_silence(const Engine *engine, const Kind *kind, Case *c, int64_t until);

/* ---- fire.c ---- */

/* The next event of a case, as far as it follows from the case alone. */
typedef struct CaseEvent {
        Clock *clock; /* of the case */
        int64_t due_at, level;
        int64_t missed; /* repetitions of it that lie in the past as well */
        EscalationCause cause;
        Recipient role;
} CaseEvent;

/* It, if its instant lies before `until`; `now` is when it happens. 0, -ENOENT, -ERANGE. */
int case_next_event(const Engine *engine, const Kind *kind, const Case *c, int64_t until,
                    int64_t now, CaseEvent *ret);
/* It has happened, and the next one is armed. 0, -ERANGE. */
int case_pass_event(const Engine *engine, const Kind *kind, Case *c, const CaseEvent *event,
                    int64_t now);

/* As engine_settle(), within a change. */
int engine_settle_within(const Engine *engine, Change *change, const Kind *kind, uint64_t id,
                         const Call *call);

/* Tells whoever stands one rung higher that a case was reopened. */
int engine_raise_reopened(Step *step);

int engine_find_unit(const Engine *engine, Store *store, Recipient recipient, const Case *c,
                     char ret[static CODE_MAX_BYTES + 1]);
