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
        Escalation e = {
                .clock = (char *)REOPENED_CLOCK,
                .cycle = step->item->lift,
                .cause = CAUSE_REOPENED,
                .role = (int)rung_recipient(target->timing.ladder, 0, step->item->lift),
                .due_at = step->now,
                .fired_at = step->now,
        };

        return raise_event(step->engine, step->change, step->item, &e);
}

static int fire_clock(const Engine *engine, Change *change, const Kind *kind, Case *c, Clock *clock,
                      int64_t now) {
        const Target *target = engine_target(engine, kind, c);
        const LadderSpec *ladder = target->timing.ladder;
        int64_t level = clock->level, missed = 0;
        Escalation e = {
                .clock = (char *)kind->clock_names->names[clock->clock],
                .cycle = clock->cycle,
                .level = level,
                .cause = level == 0                          ? CAUSE_WARNING
                         : level <= (int64_t)ladder->n_rungs ? CAUSE_RUNG
                                                             : CAUSE_REPEAT,
                .role = (int)(level == 0 ? RECIPIENT_OWNER
                                         : rung_recipient(ladder, level - 1, c->lift)),
                .due_at = clock->next_at,
                .fired_at = now,
        };
        int r;

        if (e.cause == CAUSE_REPEAT) {
                r = clock_missed(clock, &target->timing, now, level, &missed);
                if (r < 0)
                        return r;
        }
        e.missed = missed;
        r = raise_event(engine, change, c, &e);
        if (r < 0)
                return r;
        clock->level = level + 1 + missed;
        return case_arm(engine, kind, c, now);
}

static int fire_in(const Engine *engine, Change *change, int kind_number, uint64_t id,
                   int64_t now) {
        const Kind *kind = engine_kind(engine, kind_number);
        _cleanup_free_ Case *c = kind ? calloc(1, kind->table->type->size) : NULL;
        Key key = key_of_id(id);
        Clock *clock;
        int r;

        if (!kind)
                return -EBADMSG;
        if (!c)
                return -ENOMEM;
        r = change_get(change, kind->table, &key, c);
        if (r < 0)
                return r;
        clock = c->armed_at && c->armed_at < now ? earliest_clock(c) : NULL;
        if (clock)
                r = fire_clock(engine, change, kind, c, clock, now);
        else
                r = -ENOENT;
        if (r == 0)
                r = change_put(change, kind->table, c);
        record_done(kind->table->type, c);
        return r;
}

int engine_fire(const Engine *engine, Store *store, int kind, uint64_t id, int64_t now) {
        Origin origin = engine_origin(engine, now, "escalate");
        Change *change;
        int r;

        r = change_begin(store, &change);
        if (r < 0)
                return r;
        r = fire_in(engine, change, kind, id, now);
        if (r == 0)
                return change_apply(change, &origin);
        change_drop(change);
        return r;
}

int engine_settle(const Engine *engine, Store *store, int kind, uint64_t id, int64_t now) {
        int r;

        do
                r = engine_fire(engine, store, kind, id, now);
        while (r == 0);
        return r == -ENOENT ? 0 : r;
}
