/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* When the events of a clock happen. All of it is a pure function of the clock's intervals, its
 * calendar and its ladder; nothing is accumulated, so nothing can drift.
 *
 * Level 0 is the warning, levels 1..n the rungs of the ladder, all above repetitions of the top
 * rung. With R(t) the working time that the clock has run until t, an event of a clock with a
 * target happens when R reaches the target plus the event's offset; a clock with a fixed deadline
 * counts the same offsets in working time from that instant, and does not pause. An event is due as
 * soon as the instant has passed: what is done at the very instant of a deadline is in time. */

#include "loop/calendar.h"
#include "loop/case.h"

typedef struct Timing {
        Calendar *calendar;
        const LadderSpec *ladder;
} Timing;

/* The working microseconds that the clock has run until then. 0 or -ERANGE. */
int clock_running(const Clock *clock, const Timing *timing, int64_t until, int64_t *ret);

/* The instant of the event of a level. 0, -EAGAIN (the clock is paused and has not got there),
 * -ERANGE. */
int clock_event(const Clock *clock, const Timing *timing, int64_t level, int64_t *ret);

/* The level at which the ladder starts: 0, or 1 for a ladder without warning. */
int64_t ladder_first_level(const LadderSpec *ladder);

/* That of the next event. A ladder without warning begins where others have had it. */
int64_t clock_next_level(const Clock *clock, const LadderSpec *ladder);

/* Sets deadline and next_at from everything else. 0 or -ERANGE. */
int clock_schedule(Clock *clock, const Timing *timing);

/* The first level from `level` on, and before `end`, that has not happened at that instant; else
 * `end`. 0 or -ERANGE. */
int clock_level_at(const Clock *clock, const Timing *timing, int64_t level, int64_t end,
                   int64_t instant, int64_t *ret);

/* The events of a clock that runs have moved. What has happened does not happen again: it stays at
 * its level; or, when the last event that has happened would now lie in the future, a new cycle
 * begins, with what would have happened by now passed in silence. When the old times come back, so
 * does what was told by then. What somebody was told of by a clock that was ahead lies in the past
 * as well. 0 or -ERANGE. */
int clock_place(Clock *clock, const Timing *timing, int64_t now);
/* By another target, calendar or ladder; its intervals stay. 0 or -ERANGE. */
int clock_retarget(Clock *clock, const Timing *timing, int64_t target, int64_t now);

/* How many repetitions of the top rung after `level` lie in the past as well: after a downtime one
 * repetition stands for all that were missed. 0 or -ERANGE. */
int clock_missed(const Clock *clock, const Timing *timing, int64_t now, int64_t level,
                 int64_t *ret);
