/* SPDX-License-Identifier: Apache-2.0 */

/* What every kind of case offers on the bus. */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "aftersales/limits.h"
#include "bus/internal.h"
#include "loop/history.h"

/* ---- changing ---- */

static void answer_head(const Head *head, Request *answer) {
        answer->id = head->id;
        answer->state = head->state;
        answer->revision = head->revision;
        answer->armed_at = head->armed_at;
        answer->rung = head->rung;
}

static int act_create(BusCall *call, Change *change, const Input *input,
                      const void *subject _unused_, Request *answer) {
        Head head = {};
        int r;

        r = engine_create(call->bus->options.engine, change, call->interface->kind, &input->call,
                          &head, &answer->created, &call->refusal);
        if (r == 0)
                answer_head(&head, answer);
        return r;
}

static int case_create(BusCall *call) {
        Request answer = {};
        Input input;
        int r;

        r = input_read(call, call->interface->kind->table->type, &input);
        if (r == 0)
                r = input_run(call, &input, NULL, act_create, NULL, &answer);
        if (r == 0)
                r = MIN(sd_bus_message_append(call->reply, "tb", answer.id, (int)answer.created),
                        0);
        record_done(&request_type, &answer);
        input_done(&input);
        return r;
}

typedef struct Move {
        const Transition *transition;
        uint64_t id;
} Move;

static int act_move(BusCall *call, Change *change, const Input *input, const void *subject,
                    Request *answer) {
        const Move *move = subject;
        Head head = {};
        int r;

        r = engine_move(call->bus->options.engine, change, call->interface->kind, move->transition,
                        move->id, &input->call, &head, &call->refusal);
        if (r == 0)
                answer_head(&head, answer);
        return r;
}

static int append_head(BusCall *call, const Request *answer) {
        Head head = { .id = answer->id,
                      .state = answer->state,
                      .revision = answer->revision,
                      .armed_at = answer->armed_at,
                      .rung = answer->rung };
        int r = fields_append(call->reply, &head_type, &head, true);

        return MIN(r, 0);
}

int bus_case_move(BusCall *call, const Transition *transition) {
        Move move = { .transition = transition };
        Request answer = {};
        char key[CASE_NUMBER_SIZE];
        Input input = {};
        int r;

        r = sd_bus_message_read(call->m, "t", &move.id);
        if (r < 0)
                return r;
        r = input_read(call, call->interface->kind->table->type, &input);
        if (r == 0 && !due_health(call->bus->due).suspect)
                r = engine_settle(call->bus->options.engine, call->bus->options.store,
                                  call->interface->kind->number, move.id, &input.call);
        if (r == 0) {
                snprintf(key, sizeof(key), "%" PRIu64, move.id);
                r = input_run(call, &input, key, act_move, &move, &answer);
        }
        if (r == 0)
                r = append_head(call, &answer);
        record_done(&request_type, &answer);
        input_done(&input);
        return r;
}

/* ---- reading ---- */

static int refuse_unknown(BusCall *call, uint64_t id) {
        char number[CASE_NUMBER_SIZE];

        return refuse(&call->refusal, REFUSED_NOT_FOUND, "there is no %s %s",
                      call->interface->kind->name,
                      case_number(call->interface->kind->letter, id, number));
}

/* Reads the case that the call names, if it is the caller's to see. To free with case_free(). */
static int case_read(BusCall *call, Case **ret) {
        const Kind *kind = call->interface->kind;
        Case *c = calloc(1, kind->table->type->size);
        uint64_t id;
        Key key;
        int r;

        if (!c)
                return -ENOMEM;
        r = sd_bus_message_read(call->m, "t", &id);
        if (r >= 0) {
                key = key_of_id(id);
                r = store_get(call->bus->options.store, kind->table, &key, c);
                if (r == -ENOENT)
                        r = refuse_unknown(call, id);
        }
        if (r == 0 && !actor_in_scope(&call->actor, c->subcentre, c->dealer)) {
                record_done(kind->table->type, c);
                r = refuse(&call->refusal, REFUSED_SCOPE, "it is outside of your scope (%s)",
                           call->actor.unit);
        }
        if (r != 0) {
                free(c);
                return r;
        }
        *ret = c;
        return 0;
}

static void case_free(const Kind *kind, Case *c) {
        if (c)
                record_done(kind->table->type, c);
        free(c);
}

static int case_get(BusCall *call) {
        const Kind *kind = call->interface->kind;
        Case *c = NULL;
        int r = case_read(call, &c);

        if (r == 0)
                r = MIN(fields_append(call->reply, kind->table->type, c,
                                      actor_may(&call->actor, PERMISSION_PERSONAL_READ)),
                        0);
        case_free(kind, c);
        return r;
}

static int list_page(BusCall *call, const Page *page, RowSink *sink,
                     char next[static LIST_CURSOR_SIZE]) {
        ((Case *)page->record)->kind = call->interface->kind->number;
        return list_cases(call->bus->options.store, call->interface->kind, &page->filter,
                          page->cursor, page->limit, row_append, sink, next, &call->refusal);
}

static int case_list(BusCall *call) {
        return page_answer(call, call->interface->kind->table->type, "ended", list_page);
}

static int read_history(BusCall *call, bool paged) {
        const Kind *kind = call->interface->kind;
        Case *c = NULL;
        int r = case_read(call, &c);

        if (r == 0) {
                Key prefix = history_prefix(kind->number, c->id, NULL);

                r = history_answer(call, &prefix, kind->table->type, paged);
        }
        case_free(kind, c);
        return r;
}

static int case_history(BusCall *call) {
        return read_history(call, false);
}

static int case_history_page(BusCall *call) {
        return read_history(call, true);
}

static int read_explanation(BusCall *call, bool paged) {
        Case *c = NULL;
        int r = case_read(call, &c);

        if (r == 0)
                r = explain_answer(call, c, paged);
        case_free(call->interface->kind, c);
        return r;
}

static int case_explain(BusCall *call) {
        return read_explanation(call, false);
}

static int case_explain_page(BusCall *call) {
        return read_explanation(call, true);
}

const BusMethod case_methods[] = {
        { "Create", "a{sv}", "fields", "tb", "id created", MAY_CREATE, case_create,
          "Takes a case in. The same reference again gives the same case, and created is false." },
        { "Get", "t", "id", "a{sv}", "record", MAY_READ, case_get,
          "Everything that is known of a case." },
        { "List", "a{sv}su", "filter cursor limit", "aa{sv}s", "rows cursor", MAY_READ, case_list,
          "A page of cases, the most urgent first. Fields must be equal to those of the filter; ended (b) "
          "includes cases in a final state, as naming a state, a reference, a serial number or a phone does; by "
          "number where one of the last three is named, or ended ones of no dealer, sub-centre or state; "
          "rung (x) lists those at least so high on the ladder, the highest first. Begin with an empty "
          "cursor; an empty one comes back after the last page. limit is 1 to 1000; a page also ends at about "
          "64 KiB, so it may have fewer rows with more to come." },
        { "History", "t", "id", "aa{sv}", "events", MAY_READ, case_history,
          "Every change that somebody made, oldest first: revision, at, actor, verb, from, to, note, changes "
          "(field, before, after). All of them, up to 256 KiB; LimitReached if there are more." },
        { "HistoryPage", "tsu", "id cursor limit", "aa{sv}s", "events cursor", MAY_READ,
          case_history_page,
          "The same in pages. Begin with an empty cursor; an empty one comes back with the last page. limit is 1 "
          "to 1000; a page also ends at about 64 KiB." },
        { "Explain", "t", "id", "aa{sv}", "rows", MAY_READ, case_explain,
          "Why each deadline is when it is: for each clock the policy that applied (event policy, at: in force since, "
          "policy, digest, calendar, ladder, seconds: its target), its stretches of time (since, until, counted, "
          "seconds, why) and its events (event, at). All of them, up to 256 KiB; LimitReached if there are more." },
        { "ExplainPage", "tsu", "id cursor limit", "aa{sv}s", "rows cursor", MAY_READ,
          case_explain_page,
          "The same in pages, all as of the instant of the first one. Cursor and limit are as those of "
          "HistoryPage; InvalidCursor: the case or the policy has changed since, begin anew." },
        {},
};

const BusSignal case_signals[] = {
        { "Changed", "tstt", "id state revision sequence",
          "A case was changed; sent to subscribers whose scope it is in. sequence is that of the journal." },
        {},
};
