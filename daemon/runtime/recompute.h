/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* After a change of policy: walks over the open cases and computes their clocks anew, in bounded
 * slices between the calls. A case that is needed before its turn is computed then, so nothing
 * depends on how far this has got; it is resumed at the next start until it has come to its end. */

#include <systemd/sd-event.h>

#include "base/clock.h"
#include "loop/engine.h"
#include "runtime/commit.h"
#include "runtime/due.h"

/* A slice ends with the first of these. */
#define RECOMPUTE_SLICE_CASES 64
#define RECOMPUTE_SLICE_TIME  5000 /* microseconds */

typedef struct Recompute Recompute;

int recompute_new(sd_event *event, const Engine *engine, Store *store, const WallClock *clock,
                  Committer *committer, DueTimer *due, Recompute **ret);
Recompute *recompute_free(Recompute *recompute);
/* Another policy is in force, or a start may have found the work unfinished. */
void recompute_begin(Recompute *recompute);
/* Whether it is still under way. */
bool recompute_is_running(const Recompute *recompute);
