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
        char *event; /* of an event: what */
        int64_t at;  /* and when */
} ExplainRow;

extern const RecordType explain_type;

typedef int (*ExplainSink)(void *userdata, const ExplainRow *row);

/* Of each clock its first EXPLAIN_STRETCHES_MAX stretches and all its events. 0 or negative errno.
 */
int explain_case(const Engine *engine, const Kind *kind, const Case *c, int64_t now,
                 ExplainSink sink, void *userdata);
