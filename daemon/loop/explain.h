/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Why a deadline is when it is: every stretch of time of every clock of a case, counted or not and
 * why, and the instants of the clock's events. */

#include "loop/engine.h"

typedef struct ExplainRow {
        Record record;
        char *clock;
        int64_t cycle;
        int64_t since, until; /* of a stretch */
        bool counted;
        int64_t seconds; /* counted in it */
        char *why;
        char *event;    /* of an event: what */
        int64_t at;     /* and when */
        int64_t policy; /* of the event "policy": its number, and since when it is in force in at */
        char *digest;   /* the beginning of its digest */
        char *calendar, *ladder;
} ExplainRow;

extern const RecordType explain_type;

/* 0, > 0: no more of them, negative errno. */
typedef int (*ExplainSink)(void *userdata, const ExplainRow *row);

/* Of each clock the policy that applied, its first EXPLAIN_STRETCHES_MAX stretches and all its
 * events. A case that was computed by an earlier policy is explained, and changed, as it is by the
 * one in force. 0, what the sink ended it with, negative errno. */
int explain_case(const Engine *engine, Store *store, const Kind *kind, Case *c, int64_t now,
                 ExplainSink sink, void *userdata);
