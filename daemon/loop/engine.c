/* SPDX-License-Identifier: Apache-2.0 */

#include "loop/engine.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "aftersales/limits.h"
#include "loop/engine-internal.h"
#include "loop/history.h"

static const Field head_fields[] = {
        ID(1, Head, id, 0, .doc = "number of the case"),
        TEXT(2, Head, state, 0, NAME_MAX_BYTES, .doc = "the state it is in now"),
        ID(3, Head, revision, 0, .doc = "its revision now"),
        TIME(4, Head, armed_at, 0, .doc = "when its next warning or escalation is due"),
        COUNT(5, Head, rung, 0, .doc = "how high it stands on the ladder"),
};

const RecordType head_type = {
        .name = "head",
        .number = 103,
        .version = 1,
        .size = sizeof(Head),
        .fields = head_fields,
        .n_fields = ELEMENTS(head_fields),
};

bool names_have(const char *names, const char *name) {
        size_t size = strlen(name);

        for (const char *p = names; p && *p; p += strcspn(p, " "), p += *p == ' ')
                if (strcspn(p, " ") == size && strncmp(p, name, size) == 0)
                        return true;
        return false;
}

const Transition *kind_transition(const Kind *kind, const char *name) {
        for (size_t i = 0; i < kind->n_transitions; i++)
                if (STREQ(kind->transitions[i].name, name))
                        return &kind->transitions[i];
        return NULL;
}

char *engine_allowed(const Kind *kind, int state, char *buffer, size_t size) {
        size_t used = 0;

        snprintf(buffer, size, "nothing");
        for (size_t i = 0; i < kind->n_transitions && used < size; i++)
                if ((kind->transitions[i].from & STATE(state)) && !kind->transitions[i].internal)
                        used += (size_t)snprintf(buffer + used, size - used, "%s%s",
                                                 used ? ", " : "", kind->transitions[i].name);
        return buffer;
}

/* ---- writing ---- */

static int put_event(Step *step, const char *verb) {
        Event event = {};
        int r;

        event = (Event){
                .kind = step->kind->number,
                .id = step->item->id,
                .revision = step->item->revision,
                .at = step->now,
                .actor = (char *)step->actor->name,
                .verb = (char *)verb,
                .from = step->before ? (char *)step->kind->state_names->names[step->before->state]
                                     : NULL,
                .to = (char *)step->kind->state_names->names[step->item->state],
                .note = (char *)step->note,
        };
        r = step->before ? history_add_changes(&event, step->kind->table->type, step->before,
                                               step->item, step->given)
                         : 0;
        if (r == 0)
                r = change_put(step->change, &history_table, &event);
        event.actor = event.verb = event.from = event.to = event.note = NULL; /* borrowed */
        record_done(&event_type, &event);
        return r;
}

/* Enters step->to and writes what has become of the case. */
static int finish(Step *step, const char *verb, Head *ret) {
        Case *c = step->item;
        int r;

        c->state = step->to;
        c->open = state_class(step->kind, step->to) != STATE_ENDED;
        c->changed_at = step->now;
        c->revision++;
        c->taken_over = step->quiet_until != 0;
        r = step->kind->assign_owner(step);
        if (r != 0)
                return r;
        r = engine_set_clocks(step);
        if (r == 0 && step->quiet_until)
                r = case_pass_in_silence(step->engine, step->kind, c, step->quiet_until);
        if (r != 0)
                return r;
        if (step->raise && !step->quiet_until) {
                r = engine_raise_reopened(step);
                if (r != 0)
                        return r;
        }
        r = put_event(step, verb);
        if (r == 0)
                r = change_put(step->change, step->kind->table, c);
        if (r < 0)
                return r;
        *ret = (Head){
                .id = c->id,
                .state = strdup(step->kind->state_names->names[c->state]),
                .revision = c->revision,
                .armed_at = c->armed_at,
                .rung = c->rung,
        };
        return ret->state ? 0 : -ENOMEM;
}

/* ---- calls ---- */

static int check_used(const Engine *engine, const Kind *kind, Refusal *refusal) {
        if (engine_uses(engine, kind))
                return 0;
        return refuse(refusal, REFUSED_RULE,
                      "the configuration has no targets for %s: write targets.%s.default.%s to use "
                      "them",
                      kind->doc, kind->name, kind->priority_names->names[kind->default_priority]);
}

static int check_scope(const Call *call, const Kind *kind, const Case *c, Refusal *refusal) {
        char number[CASE_NUMBER_SIZE];

        if (actor_in_scope(call->actor, c->subcentre, c->dealer))
                return 0;
        return refuse(refusal, REFUSED_SCOPE, "%s of sub-centre %s is outside of your scope (%s)",
                      c->id ? case_number(kind->letter, c->id, number) : kind->name, c->subcentre,
                      call->actor->unit ? call->actor->unit : "none");
}

/* An empty text is as good as none. */
static int check_missing(const RecordType *type, const Call *call, unsigned mark, const char *needs,
                         const char *verb, Refusal *refusal) {
        for (size_t i = 0; i < type->n_fields; i++) {
                const Field *field = &type->fields[i];

                if (!(field_mask_has(&call->given, i) && field_is_set(field, call->fields)) &&
                    ((field->marks & mark) || names_have(needs, field->name)))
                        return refuse(refusal, REFUSED_MISSING_FIELD, "%s needs the field %s (%s)",
                                      verb, field->name, field->doc);
        }
        return 0;
}

static int check_taken(const RecordType *type, const FieldMask *given, const char *takes,
                       const char *verb, Refusal *refusal) {
        for (size_t i = 0; i < type->n_fields; i++)
                if (field_mask_has(given, i) && !names_have(takes, type->fields[i].name))
                        return refuse(refusal, REFUSED_UNKNOWN_FIELD,
                                      "%s does not take the field %s; it takes: %s, note", verb,
                                      type->fields[i].name, takes && *takes ? takes : "none");
        return 0;
}

static int check_settable(const RecordType *type, const FieldMask *given, Refusal *refusal) {
        for (size_t i = 0; i < type->n_fields; i++)
                if (field_mask_has(given, i) && !(type->fields[i].marks & FIELD_SETTABLE))
                        return refuse(refusal, REFUSED_UNKNOWN_FIELD,
                                      "the field %s is not the caller's to set",
                                      type->fields[i].name);
        return 0;
}

static int answer_existing(Change *change, const Kind *kind, const Call *call, uint64_t id,
                           Head *ret, Refusal *refusal) {
        _cleanup_free_ Case *c = malloc(kind->table->type->size);
        Key key = key_of_id(id);
        int r;

        if (!c)
                return -ENOMEM;
        r = change_get(change, kind->table, &key, c);
        if (r < 0)
                return r;
        if (actor_in_scope(call->actor, c->subcentre, c->dealer)) {
                *ret = (Head){ .id = id,
                               .state = strdup(kind->state_names->names[c->state]),
                               .revision = c->revision,
                               .armed_at = c->armed_at,
                               .rung = c->rung };
                r = ret->state ? 0 : -ENOMEM;
        } else
                r = refuse(refusal, REFUSED_SCOPE,
                           "the reference is in use by a %s outside of your scope", kind->name);
        record_done(kind->table->type, c);
        return r;
}

/* What is reported later happened after what is known already, and not in the future. */
static int check_at(const Call *call, int64_t earliest, const char *number, Refusal *refusal) {
        char text[TIME_TEXT_SIZE];

        if (!call->at)
                return 0;
        if (call->at > call->now)
                return refuse(refusal, REFUSED_INVALID_VALUE,
                              "at: lies in the future; now it is %s", time_format(call->now, text));
        if (call->at < earliest)
                return refuse(refusal, REFUSED_INVALID_VALUE,
                              "at: lies before the last change of %s, which was at %s", number,
                              time_format(earliest, text));
        return 0;
}

static int create_step(Step *step, const Call *call, Head *ret) {
        const RecordType *type = step->kind->table->type;
        Case *c = step->item;
        int r;

        r = record_merge(type, c, call->fields, &call->given);
        if (r < 0)
                return r;
        c->kind = step->kind->number;
        c->created_at = step->now;
        if (!c->type)
                c->type = step->kind->default_type;
        if (!c->priority)
                c->priority = step->kind->default_priority;
        r = step->kind->create ? step->kind->create(step) : 0;
        if (r != 0)
                return r;
        r = check_scope(call, step->kind, c, step->refusal);
        if (r != 0)
                return r;
        r = change_number(step->change, step->kind->table, &c->id);
        return r < 0 ? r : finish(step, "create", ret);
}

int engine_create(const Engine *engine, Change *change, const Kind *kind, const Call *call,
                  Head *ret, bool *ret_created, Refusal *refusal) {
        const RecordType *type = kind->table->type;
        _cleanup_free_ Case *c = calloc(1, type->size);
        Step step = {
                .engine = engine,
                .change = change,
                .kind = kind,
                .actor = call->actor,
                .now = call->at ? call->at : call->now,
                .told_at = call->now,
                .item = c,
                .given = &call->given,
                .note = call->note,
                .quiet_until = call->quiet ? call->now : 0,
                .within = call->within,
                .to = kind->initial,
                .refusal = refusal,
        };
        uint64_t id;
        int r;

        if (!c)
                return -ENOMEM;
        r = check_used(engine, kind, refusal);
        if (r == 0 && !call->within && kind->made_by)
                r = refuse(refusal, REFUSED_RULE, "%s", kind->made_by);
        if (r == 0 && !call->within)
                r = check_settable(type, &call->given, refusal);
        if (r == 0)
                r = check_missing(type, call, FIELD_REQUIRED, NULL, "create", refusal);
        if (r == 0)
                r = check_at(call, 0, kind->name, refusal);
        if (r != 0)
                return r;
        r = kind->find ? kind->find(engine, change_store(change), call, &id) : -ENOENT;
        if (r == 0) {
                *ret_created = false;
                return answer_existing(change, kind, call, id, ret, refusal);
        }
        if (r != -ENOENT)
                return r;
        r = store_check_reserve(change_store(change), refusal);
        if (r != 0)
                return r;
        r = create_step(&step, call, ret);
        record_done(type, c);
        if (r == 0)
                *ret_created = true;
        return r;
}

static int check_move(const Kind *kind, const Transition *transition, const Case *c,
                      const Call *call, Refusal *refusal) {
        char number[CASE_NUMBER_SIZE], allowed[400];
        int r;

        r = check_scope(call, kind, c, refusal);
        if (r != 0)
                return r;
        case_number(kind->letter, c->id, number);
        if (call->revision && call->revision != c->revision)
                return refuse(refusal, REFUSED_STALE,
                              "%s is at revision %" PRIu64 ", you have seen %" PRIu64
                              ": read it again and decide anew",
                              number, c->revision, call->revision);
        r = check_at(call, c->changed_at, number, refusal);
        if (r != 0)
                return r;
        if (!(transition->from & STATE(c->state)))
                return refuse(refusal, REFUSED_STATE, "%s is %s, which does not allow %s; now: %s",
                              number, kind->state_names->names[c->state], transition->name,
                              engine_allowed(kind, c->state, allowed, sizeof(allowed)));
        r = check_taken(kind->table->type, &call->given, transition->takes, transition->name,
                        refusal);
        if (r != 0)
                return r;
        r = check_missing(kind->table->type, call, 0, transition->needs, transition->name, refusal);
        if (r != 0)
                return r;
        if (transition->needs_note && !call->note)
                return refuse(refusal, REFUSED_MISSING_FIELD,
                              "%s needs a note that says why, for the record", transition->name);
        return 0;
}

static int move_step(Step *step, const Call *call, Head *ret) {
        const Transition *transition = step->transition;
        int r;

        r = check_move(step->kind, transition, step->item, call, step->refusal);
        if (r != 0)
                return r;
        /* A clock set back must not let a case's own time run backwards. */
        step->now = call->at ? call->at : MAX(step->now, step->item->changed_at);
        if (!case_is_current(step->engine, step->item))
                r = case_recompute(step->engine, step->kind, step->item);
        if (r == 0 && call->quiet)
                r = case_rewind(step->engine, step->kind, step->item, step->now);
        if (r == 0)
                r = record_merge(step->kind->table->type, step->item, call->fields, &call->given);
        if (r < 0)
                return r;
        step->to = transition->to ? transition->to : step->item->state;
        r = transition->guard ? transition->guard(step) : 0;
        if (r != 0)
                return r;
        r = transition->effect ? transition->effect(step) : 0;
        return r != 0 ? r : finish(step, transition->name, ret);
}

int engine_move(const Engine *engine, Change *change, const Kind *kind,
                const Transition *transition, uint64_t id, const Call *call, Head *ret,
                Refusal *refusal) {
        const RecordType *type = kind->table->type;
        _cleanup_free_ Case *before = calloc(1, type->size), *c = calloc(1, type->size);
        char number[CASE_NUMBER_SIZE];
        Key key = key_of_id(id);
        Step step = {
                .engine = engine,
                .change = change,
                .kind = kind,
                .transition = transition,
                .actor = call->actor,
                .now = call->now,
                .told_at = call->now,
                .before = before,
                .item = c,
                .given = &call->given,
                .note = call->note,
                .quiet_until = call->quiet ? call->now : 0,
                .refusal = refusal,
        };
        int r;

        if (!before || !c)
                return -ENOMEM;
        r = check_used(engine, kind, refusal);
        if (r != 0)
                return r;
        r = change_get(change, kind->table, &key, c);
        if (r == -ENOENT)
                return refuse(refusal, REFUSED_NOT_FOUND, "there is no %s %s", kind->name,
                              case_number(kind->letter, id, number));
        if (r < 0)
                return r;
        r = record_copy(type, before, c);
        if (r == 0)
                r = move_step(&step, call, ret);
        record_done(type, before);
        record_done(type, c);
        return r;
}

/* ---- of one case with others ---- */

FieldMask fields_named(const RecordType *type, const char *names) {
        FieldMask mask = {};

        for (size_t i = 0; i < type->n_fields; i++)
                if (names_have(names, type->fields[i].name))
                        field_mask_set(&mask, i);
        return mask;
}

/* In the name of who moves the case, for all that belongs to the company. */
static Call call_within(const Step *step, const Kind *kind, const void *fields, const char *given,
                        Actor *actor) {
        Call call = {
                .actor = actor,
                .now = step->told_at,
                .at = step->now < step->told_at ? step->now : 0,
                .quiet = step->quiet_until != 0,
                .fields = fields,
                .note = step->note,
                .within = true,
        };

        *actor = *step->actor;
        actor->scope = SCOPE_HEADQUARTERS;
        call.given = fields_named(kind->table->type, given);
        return call;
}

int step_create(Step *step, const Kind *kind, const void *fields, const char *given,
                uint64_t *ret_id) {
        Actor actor;
        Call call = call_within(step, kind, fields, given, &actor);
        Head head = {};
        bool created;
        int r = engine_create(step->engine, step->change, kind, &call, &head, &created,
                              step->refusal);

        if (r == 0)
                *ret_id = head.id;
        record_done(&head_type, &head);
        return r;
}

int step_move(Step *step, const Kind *kind, uint64_t id, const char *transition, const void *fields,
              const char *given) {
        Actor actor;
        Call call = call_within(step, kind, fields, given, &actor);
        const Transition *found = kind_transition(kind, transition);
        Head head = {};
        int r = engine_settle_within(step->engine, step->change, kind, id, &call);

        assert(found);
        if (r == 0)
                r = engine_move(step->engine, step->change, kind, found, id, &call, &head,
                                step->refusal);
        record_done(&head_type, &head);
        return r;
}
