/* SPDX-License-Identifier: Apache-2.0 */

/* Monthly plans of parts. */

#include "parts/planning.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "aftersales/limits.h"
#include "bus/areas.h"
#include "transfer/value.h"

#define PLAN_ROWS_MAX 100 /* a page: each has all of its part's history looked at */

/* The unit and month that a call begins with, if they are the caller's to see. */
static int read_plan(BusCall *call, PlanOf *ret) {
        const char *unit, *month;
        int r = sd_bus_message_read(call->m, "ss", &unit, &month);

        if (r < 0)
                return r;
        if (!*unit || strlen(unit) > CODE_MAX_BYTES)
                return refuse(&call->refusal, REFUSED_INVALID_VALUE,
                              "unit: 1 to %d bytes are allowed", CODE_MAX_BYTES);
        r = plan_find(call->bus->options.store, unit, month, ret, &call->refusal);
        if (r == 0 && !place_in_scope(&call->actor, &ret->unit))
                r = refuse(&call->refusal, REFUSED_SCOPE, "unit: it is outside of your scope (%s)",
                           call->actor.unit);
        return r;
}

/* ---- making ---- */

static int plan_run(BusCall *call) {
        const Engine *engine = call->bus->options.engine;
        Origin origin = { .time = call->now,
                          .actor = call->actor_name,
                          .verb = "Planning.Run",
                          .policy = engine_policy(engine)->digest };
        bool complete = false;
        uint64_t order = 0;
        Change *change;
        PlanOf plan;
        int r = read_plan(call, &plan);

        if (r == 0)
                r = change_begin(call->bus->options.store, &change);
        if (r != 0)
                return r;
        r = plan_make_sheet(engine, change, &plan, &call->actor, call->now, &order, &complete,
                            &call->refusal);
        if (r == 0 && !change_is_empty(change))
                r = change_apply(change, &origin);
        else
                change_drop(change);
        return r == 0 ? MIN(sd_bus_message_append(call->reply, "tb", order, (int)complete), 0) : r;
}

/* ---- showing ---- */

static int append_plan_row(BusCall *call, const PlanOf *plan, const char *part) {
        PlanRow row;
        int r = plan_row(call->bus->options.engine, call->bus->options.store, plan, part, &row);

        if (r == -ENOENT)
                return refuse(&call->refusal, REFUSED_NOT_FOUND, "part: there is no part %s", part);
        return r == 0 ? MIN(fields_append(call->reply, &plan_row_type, &row, true), 0) : r;
}

static int show_rows(BusCall *call, const PlanOf *plan, char part[static CODE_MAX_BYTES + 1],
                     uint32_t limit) {
        int r = 0;

        for (uint32_t i = 0; r == 0 && i < limit; i++) {
                r = plan_next_row(call->bus->options.engine, call->bus->options.store, plan, part);
                if (r == 0)
                        r = append_plan_row(call, plan, part);
        }
        if (r == -ENOENT)
                part[0] = '\0';
        return r == -ENOENT ? 0 : r;
}

static int plan_show(BusCall *call) {
        char part[CODE_MAX_BYTES + 1] = "";
        const char *cursor;
        uint32_t limit;
        PlanOf plan;
        int r = read_plan(call, &plan);

        if (r == 0)
                r = MIN(sd_bus_message_read(call->m, "su", &cursor, &limit), 0);
        if (r != 0)
                return r;
        if (strlen(cursor) > CODE_MAX_BYTES)
                return refuse(&call->refusal, REFUSED_INVALID_CURSOR,
                              "this cursor was not given by Show: begin with an empty one");
        if (limit < 1 || limit > PLAN_ROWS_MAX)
                return refuse(&call->refusal, REFUSED_INVALID_VALUE,
                              "limit: 1 to %d rows a page are allowed", PLAN_ROWS_MAX);
        snprintf(part, sizeof(part), "%s", cursor);
        r = rows_open(call->reply);
        if (r == 0)
                r = show_rows(call, &plan, part, limit);
        if (r == 0)
                r = rows_close(call->reply);
        return r == 0 ? MIN(sd_bus_message_append(call->reply, "s", part), 0) : r;
}

static int plan_explain(BusCall *call) {
        const char *part;
        PlanOf plan;
        int r = read_plan(call, &plan);

        if (r == 0)
                r = MIN(sd_bus_message_read(call->m, "s", &part), 0);
        if (r != 0)
                return r;
        if (!*part || strlen(part) > CODE_MAX_BYTES)
                return refuse(&call->refusal, REFUSED_INVALID_VALUE,
                              "part: 1 to %d bytes are allowed", CODE_MAX_BYTES);
        return append_plan_row(call, &plan, part);
}

static const BusMethod planning_methods[] = {
        { "Run", "ss", "unit month", "tb", "order complete", PERMISSION_ORDER_CREATE, plan_run,
          "Makes the next sheet of the plan of a unit (headquarters, a sub-centre, a dealer) and month (2026-11): an order "
          "with what plan.h comes to for every part. To be called again until complete. A plan that is complete stays as "
          "it is: then order is that of its last sheet. All of them: Orders.List with unit and month." },
        { "Show", "sssu", "unit month cursor limit", "aa{sv}s", "rows cursor",
          PERMISSION_ORDER_READ, plan_show,
          "How the plan would come out now, a row a part: what it is computed from, and what other methods expect with how "
          "far each was off. Begin with an empty cursor; an empty one comes back with the last page. limit is 1 to 100." },
        { "Explain", "sss", "unit month part", "a{sv}", "row", PERMISSION_ORDER_READ, plan_explain,
          "The same of one part." },
        {},
};

const BusInterface planning_interface = {
        .name = AFTERSALES_PLANNING,
        .methods = planning_methods,
        .doc = "Monthly plans of parts. The order lines of a plan keep what they were computed from.",
};
