/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What another policy would do to the open cases: which deadlines it would move, and which cases it
 * contradicts. Nothing is changed. */

#include "loop/engine.h"

typedef struct MovedDeadline {
        Record record;
        char *kind;
        uint64_t case_id;
        char *clock;
        int64_t before, after; /* 0: none, the clock is paused */
} MovedDeadline;
extern const RecordType moved_type;

typedef struct Preview {
        /* Each deadline that would move. */
        int (*moved)(void *userdata, const MovedDeadline *row);
        /* Each open case that the policy cannot hold for, and why. */
        int (*contradicts)(void *userdata, const Kind *kind, uint64_t id, const char *why);
        void (*goes_on)(void *userdata); /* now and then; or NULL */
        void *userdata;
        uint64_t cases, n_moved, n_contradictions; /* looked at; of these */
} Preview;

/* Looks at every open case with an engine that came into force at this instant, and that must not
 * be used for anything else afterwards. 0, or what a sink or the store gave. */
int preview_cases(Engine *engine, Store *store, int64_t now, Preview *preview);
