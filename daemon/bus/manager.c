/* SPDX-License-Identifier: Apache-2.0 */

/* The service as a whole, and the clock of a manual one. */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "aftersales/limits.h"
#include "bus/areas.h"
#include "bus/vtable.h"
#include "parts/contract.h"
#include "parts/owed.h"
#include "parts/planning.h"
#include "parts/stock.h"

/* ---- what there is ---- */

static const RecordType *find_type(const char *name) {
        if (STREQ(name, escalation_type.name))
                return &escalation_type;
        if (STREQ(name, balance_type.name))
                return &balance_type;
        if (STREQ(name, plan_row_type.name))
                return &plan_row_type;
        if (STREQ(name, owed_row_type.name))
                return &owed_row_type;
        if (STREQ(name, account_row_type.name))
                return &account_row_type;
        for (size_t i = 0; bus_interfaces[i]; i++) {
                const Kind *kind = bus_interfaces[i]->kind;
                const Register *reg = bus_interfaces[i]->reg;

                if (kind && STREQ(kind->name, name))
                        return kind->table->type;
                if (reg && STREQ(reg->name, name))
                        return reg->table->type;
        }
        return NULL;
}

static int append_names(sd_bus_message *m, const char *key, const char *const *names, int n) {
        int r = sd_bus_message_open_container(m, 'e', "sv");

        if (r >= 0)
                r = sd_bus_message_append_basic(m, 's', key);
        if (r >= 0)
                r = sd_bus_message_open_container(m, 'v', "as");
        if (r >= 0)
                r = sd_bus_message_open_container(m, 'a', "s");
        for (int i = 0; r >= 0 && i < n; i++)
                if (names[i])
                        r = sd_bus_message_append_basic(m, 's', names[i]);
        for (int i = 0; r >= 0 && i < 3; i++)
                r = sd_bus_message_close_container(m);
        return r;
}

static int append_field(BusCall *call, const Field *field) {
        static const char *const types[] = {
                [FIELD_ID] = "id",       [FIELD_TIME] = "time",   [FIELD_DATE] = "date",
                [FIELD_MONEY] = "money", [FIELD_COUNT] = "count", [FIELD_ENUM] = "enum",
                [FIELD_TEXT] = "text",   [FIELD_FLAG] = "flag",   [FIELD_LIST] = "list",
        };
        static const struct {
                const char *key;
                unsigned mark;
        } marks[] = {
                { "required", FIELD_REQUIRED },   { "settable", FIELD_SETTABLE },
                { "updatable", FIELD_UPDATABLE }, { "filter", FIELD_FILTER },
                { "personal", FIELD_PERSONAL },   { "multiline", FIELD_MULTILINE },
        };
        int r = sd_bus_message_open_container(call->reply, 'a', "{sv}");

        if (r >= 0)
                r = entry_append_text(call->reply, "name", field->name);
        if (r >= 0)
                r = entry_append_text(call->reply, "type", types[field->type]);
        for (size_t i = 0; r >= 0 && i < ELEMENTS(marks); i++)
                r = entry_append_number(call->reply, marks[i].key, 'b',
                                        (field->marks & marks[i].mark) != 0);
        if (r >= 0 && field->limit > 0)
                r = entry_append_number(call->reply, "limit", 'x', field->limit);
        if (r >= 0 && field->type == FIELD_ENUM)
                r = append_names(call->reply, "values", field->names->names, field->names->n);
        if (r >= 0)
                r = entry_append_text(call->reply, "doc", field->doc);
        return r < 0 ? r : sd_bus_message_close_container(call->reply);
}

static int manager_schema(BusCall *call) {
        char names[REFUSAL_TEXT_MAX / 2] = "";
        const RecordType *type;
        const char *what;
        int r;

        r = sd_bus_message_read(call->m, "s", &what);
        if (r < 0)
                return r;
        type = find_type(what);
        if (!type) {
                bus_list_names(true, names, sizeof(names));
                return refuse(&call->refusal, REFUSED_NOT_FOUND,
                              "what: there is no such record; there are %s, %s", names,
                              escalation_type.name);
        }
        r = rows_open(call->reply);
        for (size_t i = 0; r >= 0 && i < type->n_fields; i++)
                if (!(type->fields[i].marks & FIELD_HIDDEN))
                        r = append_field(call, &type->fields[i]);
        return r < 0 ? r : rows_close(call->reply);
}

/* "a b" as an array of two. */
static int append_words(sd_bus_message *m, const char *key, const char *words) {
        char copy[TEXT_MAX_BYTES];
        const char *names[RECORD_FIELDS_MAX];
        char *rest = copy, *word;
        int n = 0;

        snprintf(copy, sizeof(copy), "%s", words ? words : "");
        while ((word = strsep(&rest, " ")) && n < RECORD_FIELDS_MAX)
                if (*word)
                        names[n++] = word;
        return append_names(m, key, names, n);
}

static int append_from(sd_bus_message *m, const Kind *kind, uint32_t from) {
        const char *names[STATES_MAX] = {};

        for (int state = 1; state < kind->state_names->n; state++)
                names[state] = from & STATE(state) ? kind->state_names->names[state] : NULL;
        return append_names(m, "from", names, kind->state_names->n);
}

static int append_transition(BusCall *call, const Kind *kind, const Transition *transition) {
        char member[MEMBER_SIZE];
        int r = sd_bus_message_open_container(call->reply, 'a', "{sv}");

        member_from_name(transition->name, member);
        if (r >= 0)
                r = entry_append_text(call->reply, "name", transition->name);
        if (r >= 0)
                r = entry_append_text(call->reply, "method", member);
        if (r >= 0)
                r = append_from(call->reply, kind, transition->from);
        if (r >= 0 && transition->to)
                r = entry_append_text(call->reply, "to", kind->state_names->names[transition->to]);
        if (r >= 0)
                r = append_words(call->reply, "takes", transition->takes);
        if (r >= 0)
                r = append_words(call->reply, "needs", transition->needs);
        if (r >= 0)
                r = entry_append_number(call->reply, "needs_note", 'b', transition->needs_note);
        if (r >= 0)
                r = entry_append_text(call->reply, "permission",
                                      permission_name(transition->permission));
        if (r >= 0)
                r = entry_append_text(call->reply, "doc", transition->doc);
        return r < 0 ? r : sd_bus_message_close_container(call->reply);
}

static int manager_transitions(BusCall *call) {
        char names[REFUSAL_TEXT_MAX / 2] = "";
        const Kind *kind = NULL;
        const char *name;
        int r;

        r = sd_bus_message_read(call->m, "s", &name);
        if (r < 0)
                return r;
        for (const Kind *const *k = engine_kinds(call->bus->options.engine); *k; k++)
                if (STREQ((*k)->name, name))
                        kind = *k;
        if (!kind) {
                bus_list_names(false, names, sizeof(names));
                return refuse(&call->refusal, REFUSED_NOT_FOUND,
                              "kind: there is no such kind of case; there are %s", names);
        }
        r = rows_open(call->reply);
        for (size_t i = 0; r >= 0 && i < kind->n_transitions; i++)
                if (!kind->transitions[i].internal)
                        r = append_transition(call, kind, &kind->transitions[i]);
        return r < 0 ? r : rows_close(call->reply);
}

/* ---- the rest ---- */

static int manager_accept_clock(BusCall *call) {
        due_accept_clock(call->bus->due);
        return 0;
}

static const BusMethod manager_methods[] = {
        { "Status", "", "", "a{sv}", "status", PERMISSION_STATUS_READ, bus_status,
          "How the service is: version, policy (digest), started_at, now, clock (real or manual), clock_suspect, "
          "next_due, lag (microseconds that the oldest due event is late), cases (for each kind the number in each "
          "state), states (that of tickets), over all kinds open, overdue, waiting, unarmed (always 0) and "
          "escalations_open, notifications, sequence (of the journal), "
          "store_used and store_size (bytes), damaged (records and entries found so since the start), calls, changes, commits (since the start), warnings." },
        { "Subscribe", "", "", "", "", MAY_READ_ANYTHING, bus_subscribe,
          "Signals about what is in the caller's scope are sent to the caller from now on. They are hints, sent "
          "after the commit: whoever must miss nothing reads with Changes. After 4096 signals without any call of "
          "the subscriber none is sent to it until it calls again. There are 64 subscribers at most, 16 of a user." },
        { "Unsubscribe", "", "", "", "", ANYBODY, bus_unsubscribe, "Ends that." },
        { "Changes", "tu", "since limit", "aa{sv}t", "changes next", MAY_READ_ANYTHING, bus_changes,
          "The changes after the one with the number since, oldest first, as far as they are in the caller's scope: "
          "a row for each case, escalation or piece of master data changed, with sequence, time, actor, verb, what "
          "(ticket, escalation, unit, ...), id or code, state, revision, subcentre, dealer; of an escalation also "
          "kind, case_id, cause, level, recipient; left (b): the change has taken it out of the caller's scope; "
          "removed (b): it is gone. No personal data. since 0 begins with the oldest change that is kept. next is "
          "where to go on: it moves on past what is not the caller's, and equals since only when there is nothing "
          "new. A page has whole changes: it ends with the change that reaches limit rows (at most 1000) or about "
          "64 KiB, or after 2000 changes looked at, so it may be empty with more to come. limit 0 answers only "
          "next: the newest number, to begin from. ChangesGone: the changes after since are not kept any more, or "
          "since was lost by a restore; then read the lists anew and go on from the newest number. Numbers only "
          "grow; they have gaps where changes are not the caller's, and where a restore has begun a new epoch "
          "(the upper 24 bits)." },
        { "Check", "", "", "tas", "records faults", PERMISSION_ADMIN_CHECK, bus_check,
          "Proves the whole store: every record intact, every index and tally right, the journal gapless and "
          "chained, every open case armed, every rung once and in order. Runs beside the service." },
        { "AcceptClock", "", "", "", "", PERMISSION_ADMIN_CLOCK, manager_accept_clock,
          "The wall clock is right, whatever was suspected: escalation goes on." },
        { "Schema", "s", "what", "aa{sv}", "fields", ANYBODY, manager_schema,
          "The fields of a record (of a kind of case, a sort of master data, an escalation): name, type, required, "
          "settable, updatable, filter, personal, multiline, limit, values, doc." },
        { "Transitions", "s", "kind", "aa{sv}", "transitions", ANYBODY, manager_transitions,
          "The transitions of a kind of case: name, method, from, to, takes, needs, needs_note, permission, doc." },
        {},
};

static const BusSignal manager_signals[] = {
        { "Advanced", "t", "sequence",
          "There are changes up to this one for the subscriber of which no other signal tells: in master data, in "
          "escalations that somebody took on. Changes tells them." },
        {},
};

const BusInterface manager_interface = {
        .name = AFTERSALES_MANAGER,
        .methods = manager_methods,
        .signals = manager_signals,
        .doc = "The service as a whole.",
};

static int clock_get(BusCall *call) {
        return MIN(sd_bus_message_append(call->reply, "x",
                                         wall_clock_reading(call->bus->options.clock)),
                   0);
}

static int read_instant(BusCall *call, int64_t *ret) {
        static const Field field = { .name = "time", .type = FIELD_TIME };
        int r = sd_bus_message_read(call->m, "x", ret);

        return r < 0 ? r : field_check_number(&field, *ret, &call->refusal);
}

static int clock_advance(BusCall *call) {
        int64_t now = wall_clock_reading(call->bus->options.clock), until;
        char text[TIME_TEXT_SIZE];
        uint64_t fired;
        int r;

        r = read_instant(call, &until);
        if (r != 0)
                return r;
        if (until < now)
                return refuse(&call->refusal, REFUSED_INVALID_VALUE,
                              "until: time passes forwards only; now it is %s (Jump sets it back)",
                              time_format(now, text));
        r = due_advance(call->bus->due, until, &fired);
        return r < 0 ? r : MIN(sd_bus_message_append(call->reply, "t", fired), 0);
}

static int clock_jump(BusCall *call) {
        int64_t to;
        int r = read_instant(call, &to);

        if (r == 0)
                due_jump(call->bus->due, to);
        return r;
}

static int clock_set_synchronised(BusCall *call) {
        int synchronised, r;

        r = sd_bus_message_read(call->m, "b", &synchronised);
        if (r < 0)
                return r;
        call->bus->options.clock->unsynchronised = !synchronised;
        return 0;
}

static const BusMethod clock_methods[] = {
        { "Get", "", "", "x", "now", PERMISSION_ADMIN_CLOCK, clock_get, "What time it is." },
        { "Advance", "x", "until", "t", "fired", PERMISSION_ADMIN_CLOCK, clock_advance,
          "Lets time pass until then: every event happens right after its own instant, in order. Answers how many." },
        { "Jump", "x", "to", "", "", PERMISSION_ADMIN_CLOCK, clock_jump,
          "Sets the clock, as after a downtime or by mistake: what is due is caught up late." },
        { "SetSynchronised", "b", "synchronised", "", "", PERMISSION_ADMIN_CLOCK,
          clock_set_synchronised, "Whether the clock claims that a time source keeps it right." },
        {},
};

const BusInterface clock_interface = {
        .name = AFTERSALES_CLOCK,
        .methods = clock_methods,
        .manual_clock = true,
        .doc = "The clock of a service whose option clock is manual: it stands still until it is set.",
};
