/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Lets what is due happen: one timer, armed at the earliest instant in the store, and after it
 * bounded slices of work between the calls, however much is due at once. Watches the wall clock
 * being set. */

#include <systemd/sd-event.h>

#include "base/clock.h"
#include "loop/periodic.h"
#include "runtime/commit.h"

/* A slice ends with the first of these. */
#define DUE_SLICE_EVENTS 256
#define DUE_SLICE_TIME   10000 /* microseconds */

typedef struct DueTimer DueTimer;

/* The periodic work (NULL-terminated) must outlive the timer. */
int due_new(sd_event *event, const Engine *engine, Store *store, WallClock *clock,
            Committer *committer, const Periodic *const *periodics, DueTimer **ret);
DueTimer *due_free(DueTimer *due);
/* Looks at what is due and begins; at the start and after anything that the committer does not see.
 */
void due_rearm(DueTimer *due);
/* Another policy: plans the periodic work anew, and looks at what is due. */
void due_replan(DueTimer *due);

typedef struct DueHealth {
        int64_t next; /* the earliest armed instant; 0: none */
        int64_t lag;  /* how long it has been waiting, microseconds */
        bool suspect; /* the wall clock is not believed: nothing happens until it is accepted */
        bool behind;  /* the oldest event is later than the policy's late_after */
        int error;    /* why the next instant could not be read; negative errno, or 0 */
        /* Slices that found nothing due, got something done, or could not for want of room: those
         * after which a new start would not do better. */
        uint64_t turns;
} DueHealth;
DueHealth due_health(DueTimer *due);

/* Somebody says that the clock is right. */
void due_accept_clock(DueTimer *due);
/* Who asks others whether a time source keeps the clock right, as long as it is suspected. A yes
 * comes by due_confirm_clock(), now or later. */
typedef void (*AskTimeSource)(void *userdata);
void due_set_time_source(DueTimer *due, AskTimeSource ask, void *userdata);
void due_confirm_clock(DueTimer *due);

/* Of a manual clock: lets time pass until then, each event happening right after its own instant;
 * or sets the clock, as after a downtime. 0 and the number of events, or negative errno. */
int due_advance(DueTimer *due, int64_t until, uint64_t *ret_fired);
void due_jump(DueTimer *due, int64_t to);
