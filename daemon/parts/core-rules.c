/* SPDX-License-Identifier: Apache-2.0 */

#include "parts/core-rules.h"

#include <errno.h>
#include <inttypes.h>

#include "base/text.h"
#include "dealers/assessment.h"
#include "loop/engine.h"
#include "parts/stock.h"

static Core *core_of(Step *step) {
        return (Core *)step->item;
}

static const Core *before_of(const Step *step) {
        return (const Core *)step->before;
}

/* Who owes it. */
static const char *holder_of(const Case *c) {
        return c->dealer ? c->dealer : c->subcentre;
}

/* ---- making ---- */

/* A dealer's goes back to the sub-centre, a sub-centre's own to headquarters. */
static int find_receiver(Step *step) {
        const Case *c = step->item;
        char code[CODE_MAX_BYTES + 1];
        int r = 0;

        snprintf(code, sizeof(code), "%s", c->subcentre);
        if (!c->dealer)
                r = unit_of_kind(change_store(step->change), UNIT_HEADQUARTERS, code);
        if (r == -ENOENT)
                return refuse(step->refusal, REFUSED_RULE,
                              "there is no active headquarters to which the core could go back");
        return r == 0 ? text_set(&core_of(step)->receiver, code) : r;
}

int core_create(Step *step) {
        Core *core = core_of(step);

        if (!core->split_from)
                return find_receiver(step);
        step->to = core->head.state;
        return 0;
}

int core_assign_owner(Step *step) {
        Core *core = core_of(step);
        bool away = step->to == CORE_SHIPPED || step->to == CORE_RECEIVED;

        return text_set(&core->head.owner, away ? core->receiver : holder_of(&core->head));
}

/* Whoever has not sent it back in time has that counted against them, once for each time that it is
 * owed. */
int core_overdue(const Engine *engine, Change *change, const Case *c, int clock, int64_t due_at,
                 int64_t now _unused_) {
        return clock == CORE_CLOCK_RETURN
                       ? assess(engine, change, c, ASSESSMENT_RETURN_LATE, due_at)
                       : 0;
}

/* ---- in parts ---- */

/* How many of them it is about: all unless said. 0 or refused. */
static int take_quantity(Step *step) {
        Core *core = core_of(step);
        int64_t all = before_of(step)->quantity;

        if (core->quantity >= 1 && core->quantity <= all)
                return 0;
        return refuse(step->refusal, REFUSED_INVALID_VALUE,
                      "quantity: %" PRId64 " of 1 to %" PRId64 " that there are", core->quantity,
                      all);
}

/* The fields that are a core's own. */
static FieldMask own_fields(void) {
        FieldMask mask = {};

        for (size_t i = 0; i < core_table.type->n_fields; i++)
                if (core_table.type->fields[i].tag >= 32)
                        field_mask_set(&mask, i);
        return mask;
}

/* What has been written into the item holds for all of it, or for those that go ahead as a core of
 * their own, while the rest stays where it was. */
static int go_ahead(Step *step) {
        static const char fields[] =
                "state subcentre dealer ticket line part product quantity serial used_at used_on "
                "receiver split_from reject_reason rejected shipped_at "
                "received_at accepted_at waybill charge";
        const Core *before = before_of(step);
        Core *core = core_of(step), ahead = *core;
        FieldMask own = own_fields();
        uint64_t id;
        int r;

        if (core->quantity == before->quantity)
                return 0;
        ahead.head.state = step->to;
        ahead.split_from = core->head.id;
        r = step_create(step, &core_kind, &ahead, fields, &id);
        if (r == 0)
                r = record_merge(core_table.type, core, before, &own);
        core->quantity = before->quantity - ahead.quantity;
        step->to = before->head.state;
        return r;
}

static int move_core(Step *step, const char *from, bool from_transit, const char *to,
                     bool to_transit, MoveReason reason) {
        const Core *core = core_of(step);
        Store *store = change_store(step->change);
        Place a = {}, b = {};
        Move move = {
                .part = core->part,
                .quantity = core->quantity,
                .from = a.text,
                .to = b.text,
                .condition = CONDITION_BAD,
                .serial = core->serial,
                .reason = (int)reason,
        };
        int r = place_of_unit(store, from, from_transit, &a);

        if (r == 0)
                r = place_of_unit(store, to, to_transit, &b);
        if (r == -ENOENT)
                return -EBADMSG;
        return r == 0 ? stock_move(step, &move) : r;
}

/* ---- on its way ---- */

int core_ship(Step *step) {
        Core *core = core_of(step);
        int r = take_quantity(step);

        if (r == 0)
                r = move_core(step, holder_of(&core->head), false, core->receiver, true,
                              MOVE_SHIPPED);
        core->shipped_at = step->now;
        core->reject_reason = 0;
        return r == 0 ? go_ahead(step) : r;
}

int core_receive(Step *step) {
        Core *core = core_of(step);
        int r = take_quantity(step);

        if (r == 0)
                r = move_core(step, core->receiver, true, core->receiver, false, MOVE_ARRIVED);
        core->received_at = step->now;
        return r == 0 ? go_ahead(step) : r;
}

int core_accept(Step *step) {
        int r = take_quantity(step);

        core_of(step)->accepted_at = step->now;
        return r == 0 ? go_ahead(step) : r;
}

int core_reject(Step *step) {
        Core *core = core_of(step);
        bool away = step->before->state == CORE_SHIPPED;
        int r = take_quantity(step);

        if (r == 0)
                r = move_core(step, core->receiver, away, holder_of(&core->head), false,
                              MOVE_REJECTED);
        core->rejected++;
        return r == 0 ? go_ahead(step) : r;
}

/* ---- not at all ---- */

static int give_away(Step *step, const char *to, MoveReason reason) {
        const Core *core = core_of(step);
        Place from;
        Move move = {
                .part = core->part,
                .quantity = core->quantity,
                .from = from.text,
                .to = (char *)to,
                .condition = CONDITION_BAD,
                .serial = core->serial,
                .reason = (int)reason,
        };
        int r = place_of_unit(change_store(step->change), holder_of(&core->head), false, &from);

        return r == -ENOENT ? -EBADMSG : r < 0 ? r : stock_move(step, &move);
}

int core_charge(Step *step) {
        int r = take_quantity(step);

        if (r == 0)
                r = give_away(step, "count", MOVE_LOST);
        return r == 0 ? go_ahead(step) : r;
}

int core_void(Step *step) {
        int r = take_quantity(step);

        if (r == 0)
                r = give_away(step, "customer", MOVE_GIVEN_BACK);
        return r == 0 ? go_ahead(step) : r;
}

int core_find_due(Store *store, uint64_t ticket, int64_t line, int64_t quantity, uint64_t *ret) {
        Key prefix = key_of_id(ticket), position = {}, key;
        int r;

        while ((r = store_index_next(store, &index_core_ticket, &prefix, &position, &key)) == 0) {
                Core core = {};
                bool found;

                r = store_get(store, &core_table, &key, &core);
                if (r < 0)
                        return r;
                found = core.head.state == CORE_DUE && core.line == line &&
                        core.quantity >= quantity;
                *ret = core.head.id;
                core_done(&core);
                if (found)
                        return 0;
        }
        return r;
}
