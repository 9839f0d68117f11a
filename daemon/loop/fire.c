/* SPDX-License-Identifier: Apache-2.0 */

/* What happens when an instant has passed: one event of one clock, recorded once, with the next one
 * armed in the same change. */

#include <errno.h>
#include <string.h>

#include "aftersales/limits.h"
#include "loop/engine-internal.h"

#define REOPENED_CLOCK "reopened"

int engine_next_due(Store *store, Key *position, DueCase *ret) {
        Key prefix = {}, key;
        int r = store_index_next(store, &index_due, &prefix, position, &key);

        if (r < 0)
                return r;
        *ret = (DueCase){ .at = due_entry_at(position),
                          .kind = due_entry_kind(position),
                          .id = load_be64(key.bytes) };
        return 0;
}

static Clock *earliest_clock(const Case *c) {
        Clock *clocks = c->clocks.items;

        for (size_t i = 0; i < c->clocks.n; i++)
                if (clocks[i].next_at == c->armed_at)
                        return &clocks[i];
        return NULL;
}

/* The top of the ladder is as high as it goes, however much a case was lifted. */
static Recipient rung_recipient(const LadderSpec *ladder, int64_t rung, int64_t lift) {
        return ladder->rungs[MIN(rung + lift, (int64_t)ladder->n_rungs - 1)].to;
}

static int raise_event(const Engine *engine, Change *change, const Case *c, Escalation *e) {
        char unit[CODE_MAX_BYTES + 1];
        int r;

        r = engine_find_unit(engine, change_store(change), (Recipient)e->role, c, unit);
        if (r < 0)
                return r;
        e->kind = c->kind;
        e->case_id = c->id;
        e->recipient = unit;
        e->subcentre = c->subcentre;
        e->dealer = c->dealer;
        return escalation_raise(change, e, engine_policy(engine)->late_after * USEC_PER_SEC);
}

int engine_raise_reopened(Step *step) {
        const Target *target = engine_target(step->engine, step->kind, step->item);
        int64_t told_at = MAX(step->now, step->told_at);
        Escalation e = {
                .clock = (char *)REOPENED_CLOCK,
                .cycle = step->item->lift,
                .cause = CAUSE_REOPENED,
                .role = (int)rung_recipient(target->timing.ladder, 0, step->item->lift),
                .due_at = step->now,
                .fired_at = told_at,
        };

        return raise_event(step->engine, step->change, step->item, &e);
}

int case_next_event(const Engine *engine, const Kind *kind, const Case *c, int64_t until,
                    int64_t now, CaseEvent *ret) {
        const Target *target = engine_target(engine, kind, c);
        const LadderSpec *ladder = target->timing.ladder;
        Clock *clock = c->armed_at && c->armed_at < until ? earliest_clock(c) : NULL;
        CaseEvent event;
        int64_t level;
        int r = 0;

        if (!clock)
                return -ENOENT;
        if (!ladder)
                return -ERANGE;
        level = clock_next_level(clock, ladder);
        event = (CaseEvent){
                .clock = clock,
                .due_at = clock->next_at,
                .level = level,
                .cause = level == 0                          ? CAUSE_WARNING
                         : level <= (int64_t)ladder->n_rungs ? CAUSE_RUNG
                                                             : CAUSE_REPEAT,
                .role = level == 0 ? RECIPIENT_OWNER : rung_recipient(ladder, level - 1, c->lift),
        };
        if (event.cause == CAUSE_REPEAT)
                r = clock_missed(clock, &target->timing, now, level, &event.missed);
        if (r == 0)
                *ret = event;
        return r;
}

int case_pass_event(const Engine *engine, const Kind *kind, Case *c, const CaseEvent *event,
                    int64_t now) {
        const Target *target = engine_target(engine, kind, c);
        Clock *clock = event->clock;
        int r;

        r = clock_event(clock, &target->timing, event->level + event->missed, &clock->last_at);
        if (r < 0)
                return r;
        clock->level = event->level + 1 + event->missed;
        clock->quiet = 0;
        if (event->cause != CAUSE_WARNING)
                c->late = true;
        return case_arm(engine, kind, c, now);
}

static int fire_event(const Engine *engine, Change *change, const Kind *kind, Case *c,
                      const CaseEvent *event, int64_t now) {
        Escalation e = {
                .clock = (char *)kind->clock_names->names[event->clock->clock],
                .cycle = event->clock->cycle,
                .level = event->level,
                .cause = (int)event->cause,
                .role = (int)event->role,
                .due_at = event->due_at,
                .fired_at = now,
                .missed = event->missed,
                .quiet = event->clock->quiet,
        };
        bool passed = event->cause == CAUSE_RUNG && event->level == 1;
        int clock = event->clock->clock, r;

        r = raise_event(engine, change, c, &e);
        if (r == 0)
                r = case_pass_event(engine, kind, c, event, now);
        if (r == 0 && passed && kind->overdue)
                r = kind->overdue(engine, change, c, clock, e.due_at, now);
        return r;
}

/* What a change of its own does with a case. 0, -ENOENT: nothing. */
typedef int (*Work)(const Engine *engine, Change *change, const Kind *kind, Case *c, int64_t until,
                    int64_t now);

static int fire_next(const Engine *engine, Change *change, const Kind *kind, Case *c, int64_t until,
                     int64_t now) {
        CaseEvent event;
        int r;

        if (!case_is_current(engine, c))
                return -ESTALE;
        r = case_next_event(engine, kind, c, until, now, &event);
        return r < 0 ? r : fire_event(engine, change, kind, c, &event, now);
}

static int recompute(const Engine *engine, Change *change _unused_, const Kind *kind, Case *c,
                     int64_t until _unused_, int64_t now _unused_) {
        return case_is_current(engine, c) ? -ENOENT : case_recompute(engine, kind, c);
}

static int work_in(const Engine *engine, Change *change, int kind_number, uint64_t id, Work work,
                   int64_t until, int64_t now) {
        const Kind *kind = engine_kind(engine, kind_number);
        _cleanup_free_ Case *c = kind ? calloc(1, kind->table->type->size) : NULL;
        Key key = key_of_id(id);
        int r;

        if (!kind)
                return -EBADMSG;
        if (!c)
                return -ENOMEM;
        r = change_get(change, kind->table, &key, c);
        if (r < 0)
                return r;
        r = work(engine, change, kind, c, until, now);
        if (r == 0)
                r = change_put(change, kind->table, c);
        record_done(kind->table->type, c);
        return r;
}

static int work_on(const Engine *engine, Store *store, int kind, uint64_t id, Work work,
                   const char *verb, int64_t until, int64_t now) {
        Origin origin = engine_origin(engine, now, verb);
        Change *change;
        int r;

        r = change_begin(store, &change);
        if (r < 0)
                return r;
        r = work_in(engine, change, kind, id, work, until, now);
        if (r == 0)
                return change_apply(change, &origin);
        change_drop(change);
        return r;
}

int engine_recompute(const Engine *engine, Store *store, int kind, uint64_t id, int64_t now) {
        return work_on(engine, store, kind, id, recompute, "recompute", 0, now);
}

static int fire_before(const Engine *engine, Store *store, int kind, uint64_t id, int64_t until,
                       int64_t now) {
        int r = work_on(engine, store, kind, id, fire_next, "escalate", until, now);

        if (r != -ESTALE)
                return r;
        r = engine_recompute(engine, store, kind, id, now);
        return r < 0 ? r : ENGINE_RECOMPUTED;
}

int engine_fire(const Engine *engine, Store *store, int kind, uint64_t id, int64_t now) {
        return fire_before(engine, store, kind, id, now, now);
}

int engine_settle_within(const Engine *engine, Change *change, const Kind *kind, uint64_t id,
                         const Call *call) {
        int64_t until = call->quiet && call->at ? MIN(call->at, call->now) : call->now;
        int r;

        do {
                r = work_in(engine, change, kind->number, id, fire_next, until, call->now);
                if (r == -ESTALE)
                        r = work_in(engine, change, kind->number, id, recompute, 0, call->now);
        } while (r == 0);
        return r == -ENOENT ? 0 : r;
}

int engine_settle(const Engine *engine, Store *store, int kind, uint64_t id, const Call *call) {
        int64_t until = call->quiet && call->at ? MIN(call->at, call->now) : call->now;
        const Kind *of = engine_kind(engine, kind);
        int r;

        if (!of || !engine_uses(engine, of)) /* the move is refused, which says why */
                return 0;
        do
                r = fire_before(engine, store, kind, id, until, call->now);
        while (r >= 0);
        return r == -ENOENT ? 0 : r;
}
