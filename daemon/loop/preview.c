/* SPDX-License-Identifier: Apache-2.0 */

#include "loop/preview.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "aftersales/limits.h"
#include "loop/engine-internal.h"

#define WHY_SIZE      200
#define GOES_ON_EVERY 1000 /* cases */

static const Field moved_fields[] = {
        TEXT(1, MovedDeadline, kind, 0, NAME_MAX_BYTES, .doc = "kind of the case"),
        ID(2, MovedDeadline, case_id, 0, .doc = "number of the case"),
        TEXT(3, MovedDeadline, clock, 0, NAME_MAX_BYTES, .doc = "which of its clocks"),
        TIME(4, MovedDeadline, before, 0, .doc = "its deadline now"),
        TIME(5, MovedDeadline, after, 0, .doc = "its deadline by the other policy"),
};

const RecordType moved_type = {
        .name = "moved",
        .size = sizeof(MovedDeadline),
        .fields = moved_fields,
        .n_fields = ELEMENTS(moved_fields),
};

/* The rung on which a clock stands by the policy it was computed by. */
static int64_t rung_of(const Case *c, const Clock *clock) {
        return MIN(clock->level - 1, c->rung);
}

/* Whether the policy cannot hold for a case, and why. */
static bool is_contradicted(const Engine *engine, const Kind *kind, const Case *c,
                            char why[static WHY_SIZE]) {
        const Clock *clocks = c->clocks.items;
        const LadderSpec *ladder;

        if (!engine_uses(engine, kind) || c->type <= 0 || c->type >= kind->type_names->n ||
            c->priority <= 0 || c->priority >= kind->priority_names->n) {
                snprintf(why, WHY_SIZE, "there is no target for its type and priority");
                return true;
        }
        ladder = engine_target(engine, kind, c)->timing.ladder;
        for (size_t i = 0; i < c->clocks.n; i++)
                if (!clocks[i].stopped_at && rung_of(c, &clocks[i]) > (int64_t)ladder->n_rungs) {
                        snprintf(why, WHY_SIZE,
                                 "its clock %s stands on rung %" PRId64
                                 ", and the ladder %s has %zu",
                                 enum_name(kind->clock_names, clocks[i].clock),
                                 rung_of(c, &clocks[i]), ladder->name, ladder->n_rungs);
                        return true;
                }
        return false;
}

static int compare(Preview *preview, const Kind *kind, const Case *before, const Case *after) {
        const Clock *old = before->clocks.items, *new = after->clocks.items;
        bool any = false;

        for (size_t i = 0; i < before->clocks.n; i++) {
                MovedDeadline row = { .kind = (char *)kind->name,
                                      .case_id = before->id,
                                      .clock = (char *)enum_name(kind->clock_names, old[i].clock),
                                      .before = old[i].deadline,
                                      .after = new[i].deadline };
                int r;

                if (row.before == row.after)
                        continue;
                any = true;
                r = preview->moved(preview->userdata, &row);
                if (r < 0)
                        return r;
        }
        preview->n_moved += any;
        return 0;
}

static int preview_case(const Engine *engine, const Kind *kind, const Case *before, Case *after,
                        Preview *preview) {
        char why[WHY_SIZE];
        int r;

        if (!is_contradicted(engine, kind, before, why)) {
                r = case_recompute(engine, kind, after);
                if (r != -ERANGE)
                        return r < 0 ? r : compare(preview, kind, before, after);
                snprintf(why, sizeof(why),
                         "a deadline cannot be computed: calendar %s has no time "
                         "left for it",
                         calendar_name(engine_target(engine, kind, before)->timing.calendar));
        }
        preview->n_contradictions++;
        return preview->contradicts(preview->userdata, kind, before->id, why);
}

static int preview_due(const Engine *engine, Store *store, const DueCase *due, Preview *preview) {
        const Kind *kind = engine_kind(engine, due->kind);
        const RecordType *type = kind ? kind->table->type : NULL;
        _cleanup_free_ Case *before = kind ? calloc(1, type->size) : NULL;
        _cleanup_free_ Case *after = kind ? calloc(1, type->size) : NULL;
        Key key = key_of_id(due->id);
        int r;

        if (!kind)
                return 0;
        if (!before || !after)
                return -ENOMEM;
        r = store_get(store, kind->table, &key, before);
        if (r == -EBADMSG) /* for the check to tell */
                return 0;
        if (r == 0)
                r = record_copy(type, after, before);
        if (r == 0)
                r = preview_case(engine, kind, before, after, preview);
        record_done(type, before);
        record_done(type, after);
        return r;
}

int preview_cases(Engine *engine, Store *store, int64_t now, Preview *preview) {
        Key position = {};
        DueCase due;
        int r;

        engine_suppose(engine, now);
        while ((r = engine_next_due(store, &position, &due)) == 0) {
                preview->cases++;
                r = preview_due(engine, store, &due, preview);
                if (r < 0)
                        return r;
                if (preview->goes_on && preview->cases % GOES_ON_EVERY == 0)
                        preview->goes_on(preview->userdata);
        }
        return r == -ENOENT ? 0 : r;
}
