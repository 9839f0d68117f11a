/* SPDX-License-Identifier: Apache-2.0 */

/* Files that are handed in for a report. */

#include <errno.h>
#include <stdio.h>

#include "dealers/report.h"
#include "loop/engine.h"

#define DELIVER "deliver"

static int refuse_state(const Report *report, Refusal *refusal) {
        char number[CASE_NUMBER_SIZE], allowed[200];

        return refuse(refusal, REFUSED_STATE,
                      "report: %s is %s, which takes no file any more; now: %s",
                      case_number(report_kind.letter, report->head.id, number),
                      enum_name(report_kind.state_names, report->head.state),
                      engine_allowed(&report_kind, report->head.state, allowed, sizeof(allowed)));
}

int report_check(Store *store, uint64_t id, const Actor *actor,
                 char ret_dealer[static CODE_MAX_BYTES + 1], Refusal *refusal) {
        const Transition *deliver = kind_transition(&report_kind, DELIVER);
        char number[CASE_NUMBER_SIZE];
        Key key = key_of_id(id);
        Report report;
        int r;

        if (!actor_may(actor, deliver->permission))
                return refuse(refusal, REFUSED_PERMISSION,
                              "report: your role (%s) does not have the permission %s", actor->role,
                              permission_name(deliver->permission));
        r = store_get(store, &report_table, &key, &report);
        if (r == -ENOENT)
                return refuse(refusal, REFUSED_NOT_FOUND, "report: there is no report %s",
                              case_number(report_kind.letter, id, number));
        if (r < 0)
                return r;
        if (!actor_in_scope(actor, report.head.subcentre, report.head.dealer))
                r = refuse(refusal, REFUSED_SCOPE, "report: it is outside of your scope (%s)",
                           actor->unit);
        else if (!(deliver->from & STATE(report.head.state)))
                r = refuse_state(&report, refusal);
        else
                snprintf(ret_dealer, CODE_MAX_BYTES + 1, "%s", report.head.dealer);
        report_done(&report);
        return r;
}

static void give(Call *call, Report *fields, const char *name, int64_t value) {
        size_t position;
        const Field *field = record_field(report_table.type, name, &position);

        field_set_number(field, fields, value);
        field_mask_set(&call->given, position);
}

int report_deliver(const Engine *engine, Store *store, uint64_t id, const Call *caller,
                   const ReportCounts *counts, bool settle, Refusal *refusal) {
        const Transition *deliver = kind_transition(&report_kind, DELIVER);
        Report fields = {};
        Call call = { .actor = caller->actor, .now = caller->now, .fields = &fields };
        Origin origin = { .time = call.now,
                          .actor = call.actor->name,
                          .verb = "import.report." DELIVER,
                          .policy = engine_policy(engine)->digest };
        Head head = {};
        Change *change;
        int r;

        give(&call, &fields, "rows", (int64_t)counts->rows);
        give(&call, &fields, "created", (int64_t)counts->created);
        give(&call, &fields, "moved", (int64_t)counts->moved);
        give(&call, &fields, "unchanged", (int64_t)counts->unchanged);
        give(&call, &fields, "refused", (int64_t)counts->refused);
        r = settle ? engine_settle(engine, store, report_kind.number, id, &call) : 0;
        if (r == 0)
                r = change_begin(store, &change);
        if (r != 0)
                return r;
        r = engine_move(engine, change, &report_kind, deliver, id, &call, &head, refusal);
        if (r == 0)
                r = change_apply(change, &origin);
        else
                change_drop(change);
        record_done(&head_type, &head);
        return r;
}
