/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The case engine: the one writer of state, clocks, rungs and history. It is pure: given the store,
 * the instant and a call it stages writes into a Change; it knows no bus, no timer and no clock. */

#include "base/zone.h"
#include "config/config.h"
#include "loop/escalation.h"
#include "loop/kind.h"
#include "loop/version.h"
#include "store/check.h"

/* Which unit hears of an escalation; knows the organisation, which the engine does not. Writes the
 * unit's code. 0, -ENOENT when there is no such active unit, other negative errno. */
typedef int (*FindUnit)(Store *store, Recipient recipient, const Case *c,
                        char ret[static CODE_MAX_BYTES + 1]);

/* What holds for one type and priority of a kind. */
typedef struct Target {
        Timing timing;
        int64_t seconds[CASE_CLOCKS_MAX]; /* by clock */
} Target;

/* Resolves the policy for the kinds (NULL-terminated); both must outlive the engine. Faults of the
 * targets are added to the errors with their place. 0, CONFIG_REFUSED (see errors), -ENOMEM. */
int engine_new(const Policy *policy, const Kind *const *kinds, FindUnit find_unit,
               ConfigErrors *errors, Engine **ret);
Engine *engine_free(Engine *engine);

const Policy *engine_policy(const Engine *engine);
/* Makes the store note that its policy is in force from now on, as a commit of its own: there is no
 * open batch. 0 or negative errno. */
int engine_enter(Engine *engine, Store *store, const char *by, int64_t now);
/* Which version it is, for an engine that only looks at the store. */
void engine_set_version(Engine *engine, const PolicyVersion *version);
/* For a look ahead: as if its policy, another than that of the store, had just come into force. */
void engine_suppose(Engine *engine, int64_t now);
/* Each becomes what the other was: whoever holds one of them has another policy from now on. */
void engine_swap(Engine *a, Engine *b);
/* Which version that is, without texts; zeros until it is noted. */
const PolicyVersion *engine_version(const Engine *engine);
const Kind *engine_kind(const Engine *engine, int number);
const Kind *const *engine_kinds(const Engine *engine);
Calendar *engine_calendar(const Engine *engine, const char *name);
/* Tells each calendar that lacks the holidays of this or a coming year. Ends with the first
 * negative result. */
typedef int (*MissingYear)(void *userdata, const char *calendar, int year);
int engine_missing_years(const Engine *engine, int64_t now, MissingYear found, void *userdata);
/* The business zone: in which dates are cut. */
const Zone *engine_zone(const Engine *engine);
const Target *engine_target(const Engine *engine, const Kind *kind, const Case *c);
/* Whether the policy has targets for a kind; without any there are no such cases. Those that were
 * left open by an earlier policy have no times: -ERANGE. */
bool engine_uses(const Engine *engine, const Kind *kind);

/* What every call that changes a case answers. */
typedef struct Head {
        Record record;
        uint64_t id;
        char *state;
        uint64_t revision;
        int64_t armed_at;
        int64_t rung;
} Head;
extern const RecordType head_type;

/* Takes a case in. 0: created; *ret_created is false when it existed already. > 0: refused. */
int engine_create(const Engine *engine, Change *change, const Kind *kind, const Call *call,
                  Head *ret, bool *ret_created, Refusal *refusal);

/* Moves a case. */
int engine_move(const Engine *engine, Change *change, const Kind *kind,
                const Transition *transition, uint64_t id, const Call *call, Head *ret,
                Refusal *refusal);

/* The mask of fields whose names stand in a text, separated by blanks. */
FieldMask fields_named(const RecordType *type, const char *names);

/* What a transition of one case brings about with others, within its change and in the name of who
 * moves it, whose scope need not have them. `given` names the fields that are given, separated by
 * blanks. 0, > 0 refused, < 0. */
int step_create(Step *step, const Kind *kind, const void *fields, const char *given,
                uint64_t *ret_id);
int step_move(Step *step, const Kind *kind, uint64_t id, const char *transition, const void *fields,
              const char *given);

/* The earliest armed instant over all cases, and whose it is; the one after *position unless that
 * is empty, which is moved. 0 or -ENOENT. */
typedef struct DueCase {
        int64_t at;
        int kind;
        uint64_t id;
} DueCase;
int engine_next_due(Store *store, Key *position, DueCase *ret);
/* Lets the next event of a case happen if it is due (its instant has passed), as a change of its
 * own. A case whose clocks were computed by an earlier policy is computed anew first. 0,
 * ENGINE_RECOMPUTED: that was done, look again what is due, -ENOENT: nothing is due. */
#define ENGINE_RECOMPUTED 1
int engine_fire(const Engine *engine, Store *store, int kind, uint64_t id, int64_t now);
/* Before a call moves a case, whatever is due on it happens: a call can come between an instant and
 * the timer, and must not make a rung be lost. Before a quiet call, whatever was due before what it
 * reports. 0 or negative errno. */
int engine_settle(const Engine *engine, Store *store, int kind, uint64_t id, const Call *call);
/* Computes the clocks of a case by the policy in force, as a change of its own that is no revision
 * of the case. 0, -ENOENT: they are already, -ERANGE: a time cannot be computed. */
int engine_recompute(const Engine *engine, Store *store, int kind, uint64_t id, int64_t now);
/* As whom the daemon acts by itself. */
Origin engine_origin(const Engine *engine, int64_t now, const char *verb);

/* The transitions that a state allows, as "accept, void"; for error texts. */
char *engine_allowed(const Kind *kind, int state, char *buffer, size_t size);

/* Faults across records, one line each to the reporter, added to *ret_faults; for check. 0 or
 * negative errno. */
int engine_check(const Kind *const *kinds, Store *store, ReportFault report, void *userdata,
                 uint64_t *ret_faults);
