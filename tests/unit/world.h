/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* A small company for tests of the engine: a policy, units, and calls as the bus makes them: what
 * is due on the case happens first, and what is refused leaves nothing behind. */

#include "loop/engine.h"
#include "tickets/ticket.h"

/* Everything that is stored, and every kind, as the daemon has them; NULL-terminated. */
extern const Table *const world_tables[];
extern const Kind *const world_kinds[];

/* Site 2, Asia/Shanghai. Calendars: service, 08:00-20:00 every day (normal tickets), always (urgent
 * ones), office, 09:00-12:00 and 13:00-18:00 on weekdays (special ones). Ladders: slow (normal)
 * warns at 80%, rungs at the deadline to the owner, 2h later to the sub-centre, 4h later to
 * business, 8h later to the president, who hears of it every 4h; fast (all others) warns at 50%,
 * rungs at the deadline to the owner and 1h later to the general department (which there is not:
 * headquarters hears of it), repeated every 2h. Targets of normal tickets: response 2h, visit 8h,
 * resolve 24h, followup 8h, waiting 24h; of all others half of it. A normal complaint has the fast
 * ladder, and 30m for the response. Types that need a visit:
 * installation and repair. */
extern const char world_yaml[];
#define WORLD_SITE 2

/* Monday, 2026-11-23 09:00 in Shanghai. */
#define WORLD_BEGIN (INT64_C(1795395600) * USEC_PER_SEC)
#define SECONDS(n)  ((int64_t)(n)*USEC_PER_SEC)
#define MINUTES(n)  SECONDS((n)*60)
#define HOURS(n)    SECONDS((n)*3600)
#define DAYS(n)     SECONDS((n)*86400)

typedef struct World {
        Policy *policy;
        Engine *engine;
        StoreOptions options;
        Store *store;
        int64_t now;
        Actor actor;     /* may do everything, at headquarters */
        Head head;       /* what the last call answered, if it was not refused */
        bool created;    /* likewise */
        Refusal refusal; /* else why */
        bool unsettled;  /* a mutant: calls do not let happen first what is due */
        bool punctual;   /* nothing is reported later */
        /* Calls take history over: what they report happened at `now`, and is reported then. */
        int64_t taken_over_at;
} World;

/* Loads a policy from text: 0 or CONFIG_REFUSED, see errors. */
int world_load(const char *yaml, ConfigErrors *errors, Policy **ret);
/* Builds policy and engine, and opens a store over memory or, with a directory, LMDB; then
 * world_found(). options may be NULL: memory without a name. */
void world_init(World *world, Kv *kv, const char *directory);
void world_done(World *world);
/* Closes the store, losing what is not committed, and opens it again on kv or its directory. */
void world_reopen(World *world, Kv *kv);

/* Creates the units: headquarters HQ, departments BIZ and PRES; sub-centres BJ (region 11) with
 * dealers BJ1 (1101) and BJ2 (1101, 1102), and SH (31) with SH1 (31). Not committed. */
void world_found(World *world);
/* One unit; fields may be NULL. */
void world_unit(World *world, const char *code, const char *kind, const char *parent,
                const char *regions);

/* Sets a field from text: enums by name, times also as "+90" (seconds from now). */
void world_set(World *world, const RecordType *type, void *record, FieldMask *given,
               const char *name, const char *value);

/* Calls: names and values of fields and of the options note, at, revision, in turn, then NULL. 0,
 * > 0 refused, < 0. */
int world_create(World *world, uint64_t *ret_id, ...) __attribute__((sentinel));
int world_move(World *world, const char *transition, uint64_t id, ...) __attribute__((sentinel));
int world_call(World *world, const Transition *transition, uint64_t id, const Call *call);

/* Lets everything happen that is due before this instant, each right after its own; and the clock
 * stands there. How many did. */
unsigned world_pass(World *world, int64_t until);
void world_commit(World *world);

/* A copy of a ticket, to be freed with ticket_done(). */
Ticket world_ticket(World *world, uint64_t id);
/* The next escalation after *position (empty: the first); false at the end. */
bool world_escalation(World *world, Key *position, Escalation *ret);

/* The faults that store_check() and engine_check() report, one a line; to be freed. */
char *world_check(World *world);
