/* SPDX-License-Identifier: Apache-2.0 */

/* Escalations for people, and the outbox for the program that delivers them. */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "aftersales/kinds.h"
#include "aftersales/limits.h"
#include "bus/areas.h"
#include "loop/escalation.h"

static int escalation_get(BusCall *call) {
        char number[CASE_NUMBER_SIZE];
        Escalation e;
        uint64_t id;
        Key key;
        int r;

        r = sd_bus_message_read(call->m, "t", &id);
        if (r < 0)
                return r;
        key = key_of_id(id);
        r = store_get(call->bus->options.store, &escalation_table, &key, &e);
        if (r == -ENOENT)
                return refuse(&call->refusal, REFUSED_NOT_FOUND, "there is no escalation %s",
                              case_number(LETTER_ESCALATION, id, number));
        if (r < 0)
                return r;
        if (!actor_in_scope(&call->actor, e.subcentre, e.dealer))
                r = refuse(&call->refusal, REFUSED_SCOPE, "it is outside of your scope (%s)",
                           call->actor.unit);
        else
                r = MIN(fields_append(call->reply, &escalation_type, &e, true), 0);
        record_done(&escalation_type, &e);
        return r;
}

static int list_page(BusCall *call, const Page *page, RowSink *sink,
                     char next[static LIST_CURSOR_SIZE]) {
        Escalation *filter = page->record;

        /* A number alone means the first kind: tickets. */
        if (filter->case_id && !filter->kind)
                filter->kind = KIND_TICKET;
        return list_escalations(call->bus->options.store, &page->filter, page->cursor, page->limit,
                                row_append, sink, next, &call->refusal);
}

static int escalation_list(BusCall *call) {
        return page_answer(call, &escalation_type, "acknowledged", list_page);
}

typedef struct Acknowledge {
        uint64_t id;
        Escalation *escalation; /* filled when it was done now */
} Acknowledge;

static int act_acknowledge(BusCall *call, Change *change, const Input *input, const void *subject,
                           Request *answer) {
        const Acknowledge *acknowledge = subject;

        answer->id = acknowledge->id;
        return escalation_acknowledge(change, acknowledge->id, input->call.revision, &call->actor,
                                      call->now, acknowledge->escalation, &call->refusal);
}

/* Options only: no field of an escalation is the caller's. */
static const RecordType no_fields = { .name = "options", .size = sizeof(Record) };

static int append_acknowledged(BusCall *call, uint64_t id) {
        Key key = key_of_id(id);
        Escalation e;
        int r = store_get(call->bus->options.store, &escalation_table, &key, &e);

        if (r < 0)
                return r;
        r = fields_append(call->reply, &escalation_type, &e, true);
        record_done(&escalation_type, &e);
        return MIN(r, 0);
}

static int escalation_acknowledge_call(BusCall *call) {
        Escalation escalation = {};
        Acknowledge acknowledge = { .escalation = &escalation };
        char key[CASE_NUMBER_SIZE];
        Request answer = {};
        Input input = {};
        int r;

        r = MIN(sd_bus_message_read(call->m, "t", &acknowledge.id), 0);
        if (r == 0)
                r = input_read(call, &no_fields, &input);
        if (r == 0)
                r = input_refuse_at(call, &input);
        if (r == 0) {
                snprintf(key, sizeof(key), "%" PRIu64, acknowledge.id);
                r = input_run(call, &input, key, act_acknowledge, &acknowledge, &answer);
        }
        if (r == 0)
                r = append_acknowledged(call, acknowledge.id);
        record_done(&escalation_type, &escalation);
        record_done(&request_type, &answer);
        input_done(&input);
        return r;
}

static const BusMethod escalation_methods[] = {
        { "Get", "t", "id", "a{sv}", "escalation", PERMISSION_ESCALATION_READ, escalation_get,
          "One escalation." },
        { "List", "a{sv}su", "filter cursor limit", "aa{sv}s", "rows cursor",
          PERMISSION_ESCALATION_READ, escalation_list,
          "A page of escalations nobody has acknowledged, the highest level first; acknowledged (b) includes "
          "the others. Filters: kind, case_id, cause, role, recipient, subcentre, dealer. Pages as those of cases." },
        { "Acknowledge", "ta{sv}", "id options", "a{sv}", "escalation",
          PERMISSION_ESCALATION_ACKNOWLEDGE, escalation_acknowledge_call,
          "Records who took the escalation on. The clock runs on: only a transition stops it." },
        {},
};

static const BusSignal escalation_signals[] = {
        { "Escalated", "tststst", "id kind case_id cause level recipient sequence",
          "An escalation was raised; sent to subscribers whose scope it is in." },
        {},
};

const BusInterface escalations_interface = {
        .name = AFTERSALES_ESCALATIONS,
        .methods = escalation_methods,
        .signals = escalation_signals,
        .doc = "What the ladder has done: warnings, rungs and repetitions, kept for ever.",
};

/* ---- notifications ---- */

#define ACKNOWLEDGE_MAX 1000

static int append_notification(void *userdata, const Notification *notification) {
        BusCall *call = userdata;

        return MIN(fields_append(call->reply, &notification_type, notification, true), 0);
}

static int run_unnamed(BusCall *call, Change *change, const char *verb) {
        Origin origin = { .time = call->now,
                          .actor = call->actor_name,
                          .verb = verb,
                          .policy = engine_policy(call->bus->options.engine)->digest };

        if (!change_is_empty(change))
                return change_apply(change, &origin);
        change_drop(change);
        return 0;
}

static int notification_take_call(BusCall *call) {
        uint32_t limit, lease;
        Change *change = NULL;
        int r;

        r = sd_bus_message_read(call->m, "uu", &limit, &lease);
        if (r < 0)
                return r;
        if (limit < 1 || limit > NOTIFICATIONS_TAKE_MAX || lease < 1 || lease > LEASE_MAX)
                return refuse(&call->refusal, REFUSED_INVALID_VALUE,
                              "limit: 1 to %d notifications; lease_seconds: 1 to %d",
                              NOTIFICATIONS_TAKE_MAX, LEASE_MAX);
        r = rows_open(call->reply);
        if (r == 0)
                r = change_begin(call->bus->options.store, &change);
        if (r < 0)
                return r;
        r = notification_take(change, call->now, call->now + lease * USEC_PER_SEC, limit,
                              append_notification, call);
        if (r == 0)
                r = run_unnamed(call, change, "Notifications.Take");
        else
                change_drop(change);
        return r < 0 ? r : rows_close(call->reply);
}

static int remove_all(Change *change, const uint64_t *ids, size_t n, uint32_t *ret) {
        uint32_t removed = 0;

        for (size_t i = 0; i < n; i++) {
                int r = notification_done(change, ids[i]);

                if (r < 0 && r != -ENOENT)
                        return r;
                removed += r == 0;
        }
        *ret = removed;
        return 0;
}

static int notification_acknowledge_call(BusCall *call) {
        const void *ids;
        size_t size;
        uint32_t removed = 0;
        Change *change;
        int r;

        r = sd_bus_message_read_array(call->m, 't', &ids, &size);
        if (r < 0)
                return r;
        if (size / sizeof(uint64_t) > ACKNOWLEDGE_MAX)
                return refuse(&call->refusal, REFUSED_LIMIT, "ids: at most %d at once",
                              ACKNOWLEDGE_MAX);
        r = change_begin(call->bus->options.store, &change);
        if (r < 0)
                return r;
        r = remove_all(change, ids, size / sizeof(uint64_t), &removed);
        if (r == 0)
                r = run_unnamed(call, change, "Notifications.Acknowledge");
        else
                change_drop(change);
        return r < 0 ? r : MIN(sd_bus_message_append(call->reply, "u", removed), 0);
}

static const BusMethod notification_methods[] = {
        { "Take", "uu", "limit lease_seconds", "aa{sv}", "notifications",
          PERMISSION_NOTIFICATION_TAKE, notification_take_call,
          "The oldest notifications that nobody is delivering, whether they were taken before or not, which are the caller's for so long: whatever is "
          "not acknowledged by then is handed out again, under the same id. limit is 1 to 100, lease_seconds "
          "1 to 3600." },
        { "Acknowledge", "at", "ids", "u", "removed", PERMISSION_NOTIFICATION_TAKE,
          notification_acknowledge_call,
          "These were delivered. Ids that are gone already do not count and are no error." },
        {},
};

const BusInterface notifications_interface = {
        .name = AFTERSALES_NOTIFICATIONS,
        .methods = notification_methods,
        .doc = "The outbox: what somebody still has to be told, at least once, under a number that stays the "
               "same. One notification for each escalation, or after a downtime one summary for each recipient.",
};
