/* SPDX-License-Identifier: Apache-2.0 */

/* The clocks of a case: which run in a state, what they have armed, what becomes of them when the
 * policy changes or when history is taken over. */

#include <errno.h>
#include <string.h>

#include "aftersales/limits.h"
#include "loop/engine-internal.h"

/* ---- modes ---- */

static void restart_clock(Clock *clock, const Target *target, int64_t fixed_at) {
        clock->cycle++;
        clock->fixed_at = fixed_at;
        clock->target = fixed_at ? 0 : target->seconds[clock->clock];
        clock->level = clock->quiet = clock->told = clock->last_at = 0;
}

/* A clock that starts from nothing, whether for the first time or again. */
static int start_clock(Case *c, const Kind *kind, int which, const Target *target, int64_t fixed_at,
                       int64_t now) {
        Clock *clock = case_clock(c, which);
        int64_t cycle = 0;

        if (!clock) {
                clock = list_add(&c->clocks, kind->clock_type);
                if (!clock)
                        return -ENOMEM;
        } else {
                cycle = clock->cycle;
                record_done(kind->clock_type, clock);
        }
        clock->clock = which;
        clock->cycle = cycle;
        clock->started_at = now;
        restart_clock(clock, target, fixed_at);
        return 0;
}

static void end_pause(Clock *clock, int64_t now) {
        Pause *pauses = clock->pauses.items;

        if (!clock->paused)
                return;
        clock->paused = false;
        pauses[clock->pauses.n - 1].until = MAX(now, pauses[clock->pauses.n - 1].since);
}

static int begin_pause(Clock *clock, const char *reason, int64_t now, Refusal *refusal) {
        Pause *pause;

        if (clock->paused)
                return 0;
        if (clock->pauses.n >= CASE_STRETCHES_MAX)
                return refuse(refusal, REFUSED_LIMIT,
                              "the case has waited %d times already: it cannot wait again",
                              CASE_STRETCHES_MAX);
        pause = list_add(&clock->pauses, &pause_type);
        if (!pause)
                return -ENOMEM;
        pause->since = now;
        pause->reason = strdup(reason);
        if (!pause->reason)
                return -ENOMEM;
        clock->paused = true;
        return 0;
}

/* Until when a clock has run: what comes after its stop or in its pause cannot make it late. */
static int64_t ran_until(const Clock *clock, int64_t now) {
        const Pause *pauses = clock->pauses.items;

        return clock->stopped_at ? clock->stopped_at
               : clock->paused   ? pauses[clock->pauses.n - 1].since
                                 : now;
}

static bool is_late(const Clock *clock, int64_t now) {
        return clock->deadline && clock->deadline < ran_until(clock, now);
}

/* What it has been so far counts no more from now on; that it was late stays. */
static void judge_clock(Case *c, const Clock *clock, int64_t now) {
        if (is_late(clock, now))
                c->late = true;
}

static void stop_clock(Case *c, Clock *clock, int64_t now) {
        if (!clock || clock->stopped_at)
                return;
        judge_clock(c, clock, now);
        end_pause(clock, now);
        clock->stopped_at = now;
        clock->next_at = 0;
}

/* Whether another target, calendar or ladder holds than before the call. */
static bool is_retargeted(const Step *step, const Target *target, int which) {
        const Target *before =
                step->before ? engine_target(step->engine, step->kind, step->before) : target;

        return before != target && (before->timing.calendar != target->timing.calendar ||
                                    before->timing.ladder != target->timing.ladder ||
                                    before->seconds[which] != target->seconds[which]);
}

/* Of a deadline that was just agreed on nobody is warned for an earlier time. 0, -ERANGE. */
static int pass_warning(Clock *clock, const Timing *timing, int64_t now) {
        int64_t level;
        int r = clock_level_at(clock, timing, ladder_first_level(timing->ladder), 1, now, &level);

        if (r == 0 && ladder_first_level(timing->ladder) == 0)
                clock->level = clock->quiet = level;
        return r;
}

/* By when whatever was due has happened: what is reported later comes after that, and history that
 * is taken over before. */
static int64_t known_at(const Step *step) {
        return step->quiet_until ? step->now : MAX(step->now, step->told_at);
}

/* Whether the call says of a time what was not known when things happened in it. */
static bool has_happened_since(const Step *step, const Clock *clock) {
        return MAX(known_at(step), clock->last_at) > step->now;
}

/* Brings one clock into the mode that the state asks for. A state that pauses it does not start one
 * that does not run; a deadline given as an instant does not wait. */
static int set_clock(Step *step, int which, const Target *target) {
        const ClockDef *def = &step->kind->clocks[which];
        uint32_t state = STATE(step->to);
        int64_t fixed_at = def->fixed ? def->fixed(step->item) : 0;
        Clock *clock = case_clock(step->item, which);
        uint32_t runs = def->runs | (fixed_at ? def->runs_fixed : 0);
        bool running = clock && !clock->stopped_at, moved = false, was_paused;
        int r;

        if (!(runs & state) && !(running && (def->pauses & state))) {
                stop_clock(step->item, clock, step->now);
                return 0;
        }
        if (!running) {
                r = start_clock(step->item, step->kind, which, target, fixed_at, step->now);
                if (r < 0)
                        return r;
                clock = case_clock(step->item, which);
        } else if (clock->fixed_at != fixed_at) {
                judge_clock(step->item, clock, step->now);
                restart_clock(clock, target, fixed_at); /* the same intervals, a new ladder */
                r = pass_warning(clock, &target->timing, step->now);
                if (r < 0)
                        return r;
        } else if (is_retargeted(step, target, which)) {
                judge_clock(step->item, clock, step->now);
                moved = true;
        }
        was_paused = clock->paused;
        r = 0;
        if ((def->pauses & state) && !fixed_at)
                r = begin_pause(clock, step->kind->state_names->names[step->to], step->now,
                                step->refusal);
        else
                end_pause(clock, step->now);
        if (r == 0 && (moved || (clock->paused != was_paused && has_happened_since(step, clock))))
                r = clock_retarget(clock, &target->timing, target->seconds[which], known_at(step));
        return r;
}

/* ---- arming ---- */

/* Rungs that have happened before the event of that level. */
static int64_t rung_of_level(const LadderSpec *ladder, int64_t level) {
        return MIN(level - 1, (int64_t)ladder->n_rungs);
}

int case_arm(const Engine *engine, const Kind *kind, Case *c, int64_t now) {
        const Target *target = engine_target(engine, kind, c);
        Clock *clocks = c->clocks.items;

        if (!target->timing.ladder)
                return -ERANGE;
        c->armed_at = c->rung = 0;
        c->overdue = c->late;
        for (size_t i = 0; i < c->clocks.n; i++) {
                Clock *clock = &clocks[i];
                int r;

                if (clock->stopped_at) /* judged by the deadline of that time */
                        continue;
                r = clock_schedule(clock, &target->timing);
                if (r < 0)
                        return r;
                c->overdue |= is_late(clock, now);
                if (clock->next_at && (!c->armed_at || clock->next_at < c->armed_at))
                        c->armed_at = clock->next_at;
                c->rung = MAX(c->rung, rung_of_level(target->timing.ladder, clock->level));
        }
        return 0;
}

int engine_set_clocks(Step *step) {
        const Target *target = engine_target(step->engine, step->kind, step->item);

        for (int i = 1; i < step->kind->clock_names->n; i++) {
                int r = set_clock(step, i, target);

                if (r != 0)
                        return r;
        }
        step->item->policy = engine_version(step->engine)->number;
        return case_arm(step->engine, step->kind, step->item, step->now);
}

/* ---- another policy ---- */

bool case_is_current(const Engine *engine, const Case *c) {
        return !c->open || c->policy >= engine_version(engine)->timing_version;
}

int case_recompute(const Engine *engine, const Kind *kind, Case *c) {
        const PolicyVersion *version = engine_version(engine);
        const Target *target = engine_target(engine, kind, c);
        int64_t now = MAX(version->timing_since, c->changed_at);
        Clock *clocks = c->clocks.items;

        if (!target->timing.ladder)
                return -ERANGE;
        for (size_t i = 0; i < c->clocks.n; i++) {
                Clock *clock = &clocks[i];
                int r = clock->stopped_at ? 0
                                          : clock_retarget(clock, &target->timing,
                                                           target->seconds[clock->clock], now);

                if (r < 0)
                        return r;
        }
        c->policy = version->number;
        return case_arm(engine, kind, c, now);
}

/* ---- history taken over ---- */

int case_rewind(const Engine *engine, const Kind *kind, Case *c, int64_t at) {
        const Target *target = engine_target(engine, kind, c);
        Clock *clocks = c->clocks.items;

        for (size_t i = 0; i < c->clocks.n; i++) {
                Clock *clock = &clocks[i];
                int64_t level;
                int r;

                if (clock->stopped_at || clock->quiet == 0)
                        continue;
                r = clock_level_at(clock, &target->timing, clock->level - clock->quiet,
                                   clock->level, at, &level);
                if (r < 0)
                        return r;
                clock->quiet -= clock->level - level;
                clock->level = level;
        }
        return 0;
}

int case_pass_in_silence(const Engine *engine, const Kind *kind, Case *c, int64_t until) {
        CaseEvent event;
        int r;

        while ((r = case_next_event(engine, kind, c, until, until, &event)) == 0) {
                event.clock->level = event.level + 1 + event.missed;
                event.clock->quiet += 1 + event.missed;
                r = case_arm(engine, kind, c, until);
                if (r < 0)
                        return r;
        }
        return r == -ENOENT ? case_arm(engine, kind, c, until) : r;
}
