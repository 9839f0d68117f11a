/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What the files of the engine share. */

#include "loop/engine.h"

/* Recomputes the clocks' next events, the armed time, the rung and whether the case is overdue. */
int case_arm(const Engine *engine, const Kind *kind, Case *c, int64_t now);

/* Tells whoever stands one rung higher that a case was reopened. */
int engine_raise_reopened(Step *step);

int engine_find_unit(const Engine *engine, Store *store, Recipient recipient, const Case *c,
                     char ret[static CODE_MAX_BYTES + 1]);
