/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Work that comes round by itself, such as the duties of a new day. When it is next due, and how
 * far a run has got, is stored with what the run does: each step is one change, so that a crash
 * neither loses one nor does it twice. Like the engine it knows no timer and no clock. */

#include "loop/engine.h"

#define PERIODIC_POSITION_SIZE 64

typedef struct Periodic {
        const char *name; /* of its state in the store; stable for ever */
        /* The first instant after that one at which it is to run. 0, -ENOENT: by this policy never,
         * other negative errno. */
        int (*next)(const Engine *engine, int64_t after, int64_t *ret);
        /* One step of the run of the instant `at`, which is made at `now`. The position is empty at
         * the first one and what the step before has left at the others. 0 and whether that was the
         * last. -EAGAIN, -EBADMSG, -ERANGE: it cannot be done now and is tried again later, which
         * holds nobody else up; other negative errno as of the store. */
        int (*step)(const Engine *engine, Change *change, int64_t at, int64_t now,
                    char position[static PERIODIC_POSITION_SIZE], bool *ret_done);
} Periodic;

typedef struct PeriodicState {
        Record record;
        char *name;
        int64_t at;     /* its next run, or that under way; 0: none by the policy in force */
        char *position; /* of a run under way: how far it has got */
} PeriodicState;

extern const RecordType periodic_type;
extern const Table periodic_table;

/* Plans the next run of each (NULL-terminated), in the open batch: at the first start, by another
 * policy, after the clock was set. A run that is due or under way stays. 0 or negative errno. */
int periodic_plan(const Engine *engine, Store *store, const Periodic *const *list, int64_t now);

/* The one that is due first, and when. 0, -ENOENT: none is planned, other negative errno. */
int periodic_next_due(Store *store, const Periodic *const *list, const Periodic **ret,
                      int64_t *ret_at);

/* Makes a step of one whose instant has passed, as a change of its own. 0 or negative errno. */
int periodic_step(const Engine *engine, Store *store, const Periodic *periodic, int64_t now);
