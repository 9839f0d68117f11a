/* SPDX-License-Identifier: Apache-2.0 */

#include "life.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/macro.h"
#include "loop/request.h"
#include "masters/unit.h"

#define REFERENCES      40
#define ACTORS          3
#define PICK(rng, list) ((list)[rng_below((rng), ELEMENTS(list))])

/* ---- fields --------------------------------------------------------------------------------- */

/* Some value that makes sense for a field of a ticket. */
static const char *value_for(Rng *rng, const Field *field, int64_t now, char buffer[static 64]) {
        static const char *const subcentres[] = { "BJ", "SH" };
        static const char *const dealers[] = { "BJ1", "BJ2", "SH1", "nobody" };
        static const char *const regions[] = { "110101", "110200", "310000", "1101", "440000" };
        int64_t least = rng_one_in(rng, 10) ? -DAYS(1) : MINUTES(1);

        if (STREQ(field->name, "subcentre"))
                return PICK(rng, subcentres);
        if (STREQ(field->name, "dealer"))
                return PICK(rng, dealers);
        if (STREQ(field->name, "region"))
                return PICK(rng, regions);
        if (STREQ(field->name, "duplicate_of"))
                snprintf(buffer, 64, "%llu",
                         (unsigned long long)WORLD_SITE << ID_SITE_SHIFT | rng_below(rng, 20));
        else if (field->type == FIELD_ENUM)
                return field->names->names[1 + rng_below(rng, (uint64_t)field->names->n - 1)];
        else if (field->type == FIELD_TIME)
                snprintf(buffer, 64, "%lld", (long long)(now + rng_between(rng, least, DAYS(4))));
        else if (field->type == FIELD_DATE)
                snprintf(buffer, 64, "2026-0%u-1%u", 1 + (unsigned)rng_below(rng, 9),
                         (unsigned)rng_below(rng, 9));
        else if (field->type == FIELD_TEXT)
                snprintf(buffer, 64, "%s%u", STREQ(field->name, "reference") ? "R" : "x",
                         (unsigned)rng_below(rng, REFERENCES));
        else
                snprintf(buffer, 64, "%u", 1 + (unsigned)rng_below(rng, 5));
        return buffer;
}

static void give(World *world, Rng *rng, Call *call, const char *name) {
        const RecordType *type = ticket_table.type;
        char buffer[64];

        world_set(world, type, (void *)call->fields, &call->given, name,
                  value_for(rng, record_field(type, name, NULL), world->now, buffer));
}

static Call call_by_somebody(World *world, Rng *rng, Actor *actor, char name[static 16],
                             Ticket *fields) {
        *actor = world->actor;
        snprintf(name, 16, "uid:%u", 1 + (unsigned)rng_below(rng, ACTORS));
        actor->name = name;
        return (Call){ .actor = actor,
                       .now = world->now,
                       .fields = fields,
                       .note = rng_one_in(rng, 2) ? "a note" : NULL };
}

/* ---- calls ---------------------------------------------------------------------------------- */

int life_create(World *world, Rng *rng, uint64_t *ret_id) {
        static const char *const often[] = { "priority", "phone", "reference" };
        static const char *const seldom[] = { "subcentre",   "dealer",        "appointment",
                                              "promised_at", "purchase_date", "serial" };
        Ticket fields = {};
        char name[16];
        Actor actor;
        Call call = call_by_somebody(world, rng, &actor, name, &fields);
        int r;

        give(world, rng, &call, "type");
        give(world, rng, &call, "region");
        for (size_t i = 0; i < ELEMENTS(often); i++)
                if (rng_one_in(rng, 2))
                        give(world, rng, &call, often[i]);
        for (size_t i = 0; i < ELEMENTS(seldom); i++)
                if (rng_one_in(rng, 8))
                        give(world, rng, &call, seldom[i]);
        if (rng_one_in(rng, 10))
                call.at = world->now - rng_between(rng, -SECONDS(10), HOURS(3));
        r = world_call(world, NULL, 0, &call);
        if (r == 0)
                *ret_id = world->head.id;
        ticket_done(&fields);
        return r;
}

static const Transition *choose(Rng *rng, int state) {
        const Transition *transition = &ticket_kind.transitions[0];

        for (unsigned i = 0; i < 50; i++) {
                transition = &ticket_kind.transitions[rng_below(rng, ticket_kind.n_transitions)];
                if ((transition->from & STATE(state) || rng_one_in(rng, 30)) &&
                    !(STREQ(transition->name, "void") && !rng_one_in(rng, 6)))
                        break;
        }
        return transition;
}

static void give_fields(World *world, Rng *rng, const Transition *transition, Call *call) {
        const RecordType *type = ticket_table.type;

        for (size_t i = 0; i < type->n_fields; i++) {
                const char *name = type->fields[i].name;

                if (type->fields[i].type == FIELD_LIST) /* there are no parts in this world */
                        continue;
                if (names_have(transition->needs, name)
                            ? !rng_one_in(rng, 40)
                            : names_have(transition->takes, name) && rng_one_in(rng, 5))
                        give(world, rng, call, name);
        }
        if (transition->needs_note && !rng_one_in(rng, 20))
                call->note = "because";
}

/* What a dissatisfied customer, or a decision, asks for besides. */
static void give_reason(World *world, Rng *rng, Call *call) {
        const Ticket *fields = call->fields;

        if ((fields->outcome == OUTCOME_DISSATISFIED || fields->decision == DECISION_REOPEN) &&
            !fields->reopen_reason)
                give(world, rng, call, "reopen_reason");
}

int life_move(World *world, Rng *rng, uint64_t id, const Transition **ret) {
        Ticket ticket = world_ticket(world, id), fields = {};
        const Transition *transition = choose(rng, ticket.head.state);
        char name[16];
        Actor actor;
        Call call = call_by_somebody(world, rng, &actor, name, &fields);
        int r;

        give_fields(world, rng, transition, &call);
        give_reason(world, rng, &call);
        if (rng_one_in(rng, 12))
                call.at = world->now - rng_between(rng, -SECONDS(10), HOURS(3));
        if (rng_one_in(rng, 10))
                call.revision = ticket.head.revision - rng_one_in(rng, 3);
        r = world_call(world, transition, id, &call);
        *ret = transition;
        ticket_done(&ticket);
        ticket_done(&fields);
        return r;
}

/* ---- everything else ------------------------------------------------------------------------ */

static int apply(World *world, Change *change, const char *verb, int r) {
        Origin origin = engine_origin(world->engine, world->now, verb);

        if (r != 0 || change_is_empty(change)) {
                change_drop(change);
                return r;
        }
        return change_apply(change, &origin);
}

int life_acknowledge(World *world, Rng *rng, uint64_t *ret_id) {
        Key prefix = {}, position = {}, key;
        Escalation e;
        Change *change;
        int r;

        do
                r = store_index_next(world->store, &index_escalation_open, &prefix, &position,
                                     &key);
        while (r == 0 && rng_one_in(rng, 2));
        if (r < 0)
                return r;
        *ret_id = load_be64(key.bytes);
        r = change_begin(world->store, &change);
        if (r < 0)
                return r;
        r = escalation_acknowledge(change, *ret_id, 0, &world->actor, world->now, &e,
                                   &world->refusal);
        if (r == 0)
                record_done(&escalation_type, &e);
        return apply(world, change, "acknowledge", r);
}

typedef struct Taken {
        uint64_t ids[8];
        int64_t counts[8];
        size_t n;
} Taken;

static int note_taken(void *userdata, const Notification *notification) {
        Taken *taken = userdata;

        taken->ids[taken->n] = notification->id;
        taken->counts[taken->n++] = notification->count;
        return 0;
}

static int release(World *world) {
        Change *change;
        size_t n;
        int r = change_begin(world->store, &change);

        return r < 0 ? r : apply(world, change, "summarise", notification_release(change, 4, &n));
}

static int take(World *world, Taken *taken) {
        Change *change;
        int r = change_begin(world->store, &change);

        if (r < 0)
                return r;
        r = notification_take(change, world->now, world->now + MINUTES(10), ELEMENTS(taken->ids),
                              note_taken, taken);
        return apply(world, change, "take", r);
}

int life_deliver(World *world, Rng *rng, uint64_t *delivered) {
        Taken taken = {};
        int r = 0;

        if (rng_one_in(rng, 2))
                r = release(world);
        if (r == 0)
                r = take(world, &taken);
        for (size_t i = 0; r == 0 && i < taken.n; i++) {
                Change *change;

                if (rng_one_in(rng, 3))
                        continue; /* whoever took it died */
                r = change_begin(world->store, &change);
                if (r == 0)
                        r = apply(world, change, "done", notification_done(change, taken.ids[i]));
                if (r == 0)
                        *delivered += (uint64_t)taken.counts[i];
        }
        return r;
}

static int update_unit(World *world, Rng *rng) {
        static const char *const codes[] = { "BJ1", "BJ2", "SH1" };
        static const char *const regions[] = { "1101", "1101 1102 110100", "31 3101", "11 31" };
        Unit unit = {};
        Call call = { .actor = &world->actor, .now = world->now, .fields = &unit };
        uint64_t revision;
        Change *change;
        int r;

        world_set(world, unit_table.type, &unit, &call.given, "regions", PICK(rng, regions));
        r = change_begin(world->store, &change);
        if (r == 0)
                r = apply(world, change, "update",
                          register_update(&unit_register, world->engine, change, PICK(rng, codes),
                                          &call, &revision, &world->refusal));
        unit_done(&unit);
        return r;
}

static int answer_request(World *world, Rng *rng) {
        char token[REQUEST_TOKEN_SIZE], name[24];
        Request request = { .token = token, .body = token, .at = world->now, .id = 1 };
        Change *change;
        int r;

        snprintf(name, sizeof(name), "%llu", (unsigned long long)rng_next(rng));
        request_token("uid:1", name, token);
        r = change_begin(world->store, &change);
        return r < 0 ? r : apply(world, change, "answer", request_put(change, &request, DAYS(1)));
}

int life_administer(World *world, Rng *rng) {
        int r = update_unit(world, rng);

        return r < 0 ? r : answer_request(world, rng);
}
