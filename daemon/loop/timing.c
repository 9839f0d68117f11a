/* SPDX-License-Identifier: Apache-2.0 */

#include "loop/timing.h"

#include <errno.h>

#include "aftersales/limits.h"

/* The instant at which R reaches `usec`: the first running interval that gets there has it. */
static int instant_of_running(const Clock *clock, Calendar *calendar, int64_t usec, int64_t *ret) {
        const Pause *pauses = clock->pauses.items;
        int64_t since = clock->started_at;

        for (size_t i = 0; i < clock->pauses.n; i++) {
                int64_t run;
                int r = calendar_elapsed(calendar, since, pauses[i].since, &run);

                if (r < 0)
                        return r;
                if (run >= usec)
                        return calendar_add(calendar, since, usec, ret);
                if (!pauses[i].until)
                        return -EAGAIN;
                usec -= run;
                since = pauses[i].until;
        }
        return calendar_add(calendar, since, usec, ret);
}

int clock_running(const Clock *clock, const Timing *timing, int64_t until, int64_t *ret) {
        const Pause *pauses = clock->pauses.items;
        int64_t since = clock->started_at, sum = 0, run;
        int r;

        if (clock->stopped_at && until > clock->stopped_at)
                until = clock->stopped_at;
        for (size_t i = 0; i < clock->pauses.n && pauses[i].since < until; i++) {
                r = calendar_elapsed(timing->calendar, since, pauses[i].since, &run);
                if (r < 0)
                        return r;
                sum += run;
                since = pauses[i].until ? pauses[i].until : until;
        }
        if (until > since) {
                r = calendar_elapsed(timing->calendar, since, until, &run);
                if (r < 0)
                        return r;
                sum += run;
        }
        *ret = sum;
        return 0;
}

/* The whole time that the clock allows, of which the warning takes its share. */
static int time_allowed(const Clock *clock, const Timing *timing, int64_t *ret) {
        if (!clock->fixed_at) {
                *ret = clock->target * USEC_PER_SEC;
                return 0;
        }
        if (clock->fixed_at <= clock->started_at) {
                *ret = 0;
                return 0;
        }
        return calendar_elapsed(timing->calendar, clock->started_at, clock->fixed_at, ret);
}

/* How long after the deadline (negative: before) an event happens, in working time. */
static int event_offset(const Clock *clock, const Timing *timing, int64_t level, int64_t *ret) {
        const LadderSpec *ladder = timing->ladder;
        int64_t rungs = (int64_t)ladder->n_rungs, seconds = 0, allowed;
        int r;

        if (level == 0) {
                r = time_allowed(clock, timing, &allowed);
                if (r == 0)
                        *ret = -(allowed / 100 * (100 - ladder->warn_percent));
                return r;
        }
        for (int64_t i = 0; i < MIN(level, rungs); i++)
                seconds += ladder->rungs[i].after;
        if (level > rungs)
                seconds += (level - rungs) * ladder->repeat;
        *ret = seconds * USEC_PER_SEC;
        return 0;
}

static int instant_of_offset(const Clock *clock, const Timing *timing, int64_t offset,
                             int64_t *ret) {
        if (clock->fixed_at)
                return calendar_add(timing->calendar, clock->fixed_at, offset, ret);
        return instant_of_running(clock, timing->calendar, clock->target * USEC_PER_SEC + offset,
                                  ret);
}

int clock_event(const Clock *clock, const Timing *timing, int64_t level, int64_t *ret) {
        int64_t offset = 0;
        int r = event_offset(clock, timing, level, &offset);

        return r < 0 ? r : instant_of_offset(clock, timing, offset, ret);
}

int64_t ladder_first_level(const LadderSpec *ladder) {
        return ladder->warn_percent > 0 ? 0 : 1;
}

int64_t clock_next_level(const Clock *clock, const LadderSpec *ladder) {
        return MAX(clock->level, ladder_first_level(ladder));
}

int clock_schedule(Clock *clock, const Timing *timing) {
        int64_t deadline, next;
        int r;

        r = instant_of_offset(clock, timing, 0, &deadline);
        if (r == -EAGAIN)
                deadline = 0;
        else if (r < 0)
                return r;
        next = 0;
        if (!clock->stopped_at && !clock->paused) {
                r = clock_event(clock, timing, clock_next_level(clock, timing->ladder), &next);
                if (r < 0)
                        return r;
        }
        clock->deadline = deadline;
        clock->next_at = next;
        return 0;
}

/* Events of a clock come in the order of their levels, so the place is found by halving. */
int clock_level_at(const Clock *clock, const Timing *timing, int64_t level, int64_t end,
                   int64_t instant, int64_t *ret) {
        while (level < end) {
                int64_t middle = level + (end - level) / 2, at;
                int r = clock_event(clock, timing, middle, &at);

                if (r < 0 && r != -EAGAIN && r != -ERANGE) /* which is later than any instant */
                        return r;
                if (r == 0 && at < instant)
                        level = middle + 1;
                else
                        end = middle;
        }
        *ret = level;
        return 0;
}

/* Of the levels that have happened, in this cycle or before, those that lie in the past have. */
int clock_place(Clock *clock, const Timing *timing, int64_t now) {
        int64_t first = ladder_first_level(timing->ladder), level = 0;
        int64_t happened = MAX(clock->told, clock->level);
        int r;

        r = happened == 0 ? 0
                          : clock_level_at(clock, timing, first, MAX(happened, first),
                                           MAX(now, clock->last_at + 1), &level);
        if (r < 0)
                return r;
        if (level < clock->level) {
                clock->cycle++;
                clock->told = happened;
                clock->quiet = level - first;
        } else
                clock->quiet += level - clock->level;
        clock->level = level;
        return 0;
}

int clock_retarget(Clock *clock, const Timing *timing, int64_t target, int64_t now) {
        int r;

        clock->target = clock->fixed_at ? 0 : target;
        r = clock_place(clock, timing, now);
        return r < 0 ? r : clock_schedule(clock, timing);
}

/* How long ago an event should have happened, in the time in which the clock runs. */
static int gone_since(const Clock *clock, const Timing *timing, int64_t level, int64_t now,
                      int64_t *ret) {
        int64_t offset = 0, instant, run;
        int r;

        r = event_offset(clock, timing, level, &offset);
        if (r < 0)
                return r;
        if (clock->fixed_at) {
                r = instant_of_offset(clock, timing, offset, &instant);
                return r < 0 ? r : calendar_elapsed(timing->calendar, instant, now, ret);
        }
        r = clock_running(clock, timing, now, &run);
        if (r == 0)
                *ret = run - clock->target * USEC_PER_SEC - offset;
        return r;
}

int clock_missed(const Clock *clock, const Timing *timing, int64_t now, int64_t level,
                 int64_t *ret) {
        int64_t gone = 0, next = 0;
        int r;

        *ret = 0;
        if (level < (int64_t)timing->ladder->n_rungs)
                return 0;
        r = gone_since(clock, timing, level, now, &gone);
        if (r < 0 || gone <= 0)
                return r;
        *ret = gone / (timing->ladder->repeat * USEC_PER_SEC);
        /* The last one counted may be due at this very instant, which has not passed yet. */
        r = *ret > 0 ? clock_event(clock, timing, level + *ret, &next) : 0;
        if (r == 0 && *ret > 0 && next >= now)
                --*ret;
        return r;
}
