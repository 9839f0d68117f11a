/* SPDX-License-Identifier: Apache-2.0 */

/* The engine as an object: the policy's names resolved once into what the other files compute with.
 */

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "aftersales/limits.h"
#include "loop/engine-internal.h"

#define DEFAULT_TYPE "default"

typedef struct KindTargets {
        const Kind *kind;
        bool used;       /* the policy names the kind */
        Target *targets; /* [type][priority], from 1 */
} KindTargets;

struct Engine {
        const Policy *policy;
        PolicyVersion version;
        const Kind *const *kinds;
        FindUnit find_unit;
        Zone *zone;
        Calendar **calendars; /* as in the policy */
        KindTargets *targets; /* as kinds */
        size_t n_kinds;
};

const Policy *engine_policy(const Engine *engine) {
        return engine->policy;
}

void engine_set_version(Engine *engine, const PolicyVersion *version) {
        /* Its texts are not ours. */
        engine->version = (PolicyVersion){ .number = version->number,
                                           .since = version->since,
                                           .timing_version = version->timing_version,
                                           .timing_since = version->timing_since };
}

int engine_enter(Engine *engine, Store *store, const char *by, int64_t now) {
        Origin origin = engine_origin(engine, now, "policy");
        PolicyVersion version = {};
        Key position = {};
        DueCase due;
        Change *change;
        bool any_open;
        int r;

        assert(!store_has_batch(store));
        r = change_begin(store, &change);
        if (r < 0)
                return r;
        any_open = engine_next_due(store, &position, &due) != -ENOENT;
        r = version_enter(change, engine->policy, by, now, any_open, &version);
        if (r == 0 && !change_is_empty(change))
                r = change_apply(change, &origin);
        else
                change_drop(change);
        if (r == 0)
                r = store_commit(store);
        else
                store_abort(store);
        if (r == 0)
                engine_set_version(engine, &version);
        version_done(&version);
        return r;
}

void engine_suppose(Engine *engine, int64_t now) {
        engine->version = (PolicyVersion){
                .number = INT64_MAX, .since = now, .timing_version = INT64_MAX, .timing_since = now
        };
}

void engine_swap(Engine *a, Engine *b) {
        Engine kept = *a;

        *a = *b;
        *b = kept;
}

const PolicyVersion *engine_version(const Engine *engine) {
        return &engine->version;
}

const Kind *const *engine_kinds(const Engine *engine) {
        return engine->kinds;
}

const Zone *engine_zone(const Engine *engine) {
        return engine->zone;
}

const Kind *engine_kind(const Engine *engine, int number) {
        for (size_t i = 0; i < engine->n_kinds; i++)
                if (engine->kinds[i]->number == number)
                        return engine->kinds[i];
        return NULL;
}

Calendar *engine_calendar(const Engine *engine, const char *name) {
        for (size_t i = 0; i < engine->policy->n_calendars; i++)
                if (STREQ(engine->policy->calendars[i].name, name))
                        return engine->calendars[i];
        return NULL;
}

static int local_year(const Engine *engine, int64_t seconds) {
        int32_t date, second;
        int year, month, day;

        zone_local(engine->zone, seconds, &date, &second);
        civil_from_days(date, &year, &month, &day);
        return year;
}

int engine_missing_years(const Engine *engine, int64_t now, MissingYear found, void *userdata) {
        int64_t seconds = now / USEC_PER_SEC;
        int year = local_year(engine, seconds);
        int coming = local_year(engine, seconds + engine->policy->holiday_warning);

        for (size_t i = 0; i < engine->policy->n_calendars; i++) {
                int missing = calendar_missing_year(engine->calendars[i], year, coming - year);
                int r = missing ? found(userdata, engine->policy->calendars[i].name, missing) : 0;

                if (r < 0)
                        return r;
        }
        return 0;
}

static const LadderSpec *find_ladder(const Policy *policy, const char *name) {
        for (size_t i = 0; i < policy->n_ladders; i++)
                if (STREQ(policy->ladders[i].name, name))
                        return &policy->ladders[i];
        return NULL;
}

static Target *target_at(const KindTargets *targets, int type, int priority) {
        return &targets->targets[type * targets->kind->priority_names->n + priority];
}

const Target *engine_target(const Engine *engine, const Kind *kind, const Case *c) {
        for (size_t i = 0; i < engine->n_kinds; i++)
                if (engine->kinds[i] == kind)
                        return target_at(&engine->targets[i], c->type, c->priority);
        assert(false);
        return NULL;
}

bool engine_uses(const Engine *engine, const Kind *kind) {
        for (size_t i = 0; i < engine->n_kinds; i++)
                if (engine->kinds[i] == kind)
                        return engine->targets[i].used;
        return false;
}

int engine_find_unit(const Engine *engine, Store *store, Recipient recipient, const Case *c,
                     char ret[static CODE_MAX_BYTES + 1]) {
        return engine->find_unit(store, recipient, c, ret);
}

Origin engine_origin(const Engine *engine, int64_t now, const char *verb) {
        return (Origin){
                .time = now, .actor = "daemon", .verb = verb, .policy = engine->policy->digest
        };
}

/* ---- resolving ---- */

static void put_spec(const Engine *engine, const Kind *kind, Target *target,
                     const TargetSpec *spec) {
        if (spec->calendar)
                target->timing.calendar = engine_calendar(engine, spec->calendar);
        if (spec->ladder)
                target->timing.ladder = find_ladder(engine->policy, spec->ladder);
        for (size_t i = 0; i < spec->n_clocks; i++)
                target->seconds[enum_value(kind->clock_names, spec->clocks[i].clock)] =
                        spec->clocks[i].seconds;
}

static void names_joined(const EnumNames *names, char *buffer, size_t size) {
        size_t used = 0;

        *buffer = '\0';
        for (int i = 1; i < names->n && used < size; i++)
                used += (size_t)snprintf(buffer + used, size - used, "%s%s", used ? ", " : "",
                                         names->names[i]);
}

static bool known_name(const EnumNames *names, const char *name, ConfigPlace place,
                       const char *what, ConfigErrors *errors) {
        char joined[400];

        if (enum_value(names, name) > 0)
                return true;
        names_joined(names, joined, sizeof(joined));
        config_error_add(errors, place, "targets", "there is no %s '%s'; there are: %s", what, name,
                         joined);
        return false;
}

static void check_clock(const Kind *kind, const TargetClock *clock, ConfigErrors *errors) {
        if (known_name(kind->clock_names, clock->clock, clock->place, "clock", errors) &&
            kind->clocks[enum_value(kind->clock_names, clock->clock)].fixed_only)
                config_error_add(errors, clock->place, "targets",
                                 "the deadline of the clock '%s' is not a time from the beginning; "
                                 "write calendar and ladder only",
                                 clock->clock);
}

static void check_spec(const Kind *kind, const TargetSpec *spec, ConfigErrors *errors) {
        if (!STREQ(spec->type, DEFAULT_TYPE))
                known_name(kind->type_names, spec->type, spec->place, "type", errors);
        known_name(kind->priority_names, spec->priority, spec->place, "priority", errors);
        for (size_t i = 0; i < spec->n_clocks; i++)
                check_clock(kind, &spec->clocks[i], errors);
}

static void check_specs(const Engine *engine, ConfigErrors *errors) {
        for (size_t i = 0; i < engine->policy->n_targets; i++) {
                const TargetSpec *spec = &engine->policy->targets[i];
                const Kind *kind = NULL;

                for (size_t k = 0; k < engine->n_kinds; k++)
                        if (STREQ(engine->kinds[k]->name, spec->kind))
                                kind = engine->kinds[k];
                if (kind)
                        check_spec(kind, spec, errors);
                else
                        config_error_add(errors, spec->place, "targets",
                                         "there is no kind of case '%s'", spec->kind);
        }
}

/* The entries that hold for a type and priority, the general one first. */
static void put_specs(const Engine *engine, const KindTargets *targets, int type, int priority) {
        const Kind *kind = targets->kind;
        const char *names[] = { DEFAULT_TYPE, kind->type_names->names[type] };

        for (size_t pass = 0; pass < ELEMENTS(names); pass++)
                for (size_t i = 0; i < engine->policy->n_targets; i++) {
                        const TargetSpec *spec = &engine->policy->targets[i];

                        if (STREQ(spec->kind, kind->name) && STREQ(spec->type, names[pass]) &&
                            STREQ(spec->priority, kind->priority_names->names[priority]))
                                put_spec(engine, kind, target_at(targets, type, priority), spec);
                }
}

static bool is_named(const Engine *engine, const Kind *kind) {
        for (size_t i = 0; i < engine->policy->n_targets; i++)
                if (STREQ(engine->policy->targets[i].kind, kind->name))
                        return true;
        return false;
}

/* Every type and priority must come out complete, unless the kind is not used at all. */
static void check_complete(const KindTargets *targets, int type, int priority,
                           ConfigErrors *errors) {
        const Kind *kind = targets->kind;
        const Target *target = target_at(targets, type, priority);
        const char *missing = !target->timing.calendar ? "calendar"
                              : !target->timing.ladder ? "ladder"
                                                       : NULL;

        for (int i = 1; !missing && i < kind->clock_names->n; i++)
                if (target->seconds[i] == 0 && !kind->clocks[i].fixed_only)
                        missing = kind->clock_names->names[i];
        if (missing)
                config_error_add(errors, config_nowhere, "targets",
                                 "%s: no '%s' for type %s, priority %s; give it there or under "
                                 "%s." DEFAULT_TYPE ".%s",
                                 kind->name, missing, kind->type_names->names[type],
                                 kind->priority_names->names[priority], kind->name,
                                 kind->priority_names->names[priority]);
}

static int build_kind(Engine *engine, KindTargets *targets, const Kind *kind,
                      ConfigErrors *errors) {
        targets->kind = kind;
        targets->used = is_named(engine, kind);
        targets->targets = calloc((size_t)kind->type_names->n * (size_t)kind->priority_names->n,
                                  sizeof(Target));
        if (!targets->targets)
                return -ENOMEM;
        for (int type = 1; type < kind->type_names->n; type++)
                for (int priority = 1; priority < kind->priority_names->n; priority++) {
                        put_specs(engine, targets, type, priority);
                        if (targets->used)
                                check_complete(targets, type, priority, errors);
                }
        return 0;
}

static int build_calendars(Engine *engine, ConfigErrors *errors) {
        const Policy *policy = engine->policy;
        int r;

        r = zone_load(policy->zone, &engine->zone);
        if (r == -ENOMEM)
                return r;
        if (r < 0)
                config_error_add(errors, config_nowhere, "zone", "no usable time zone '%s'",
                                 policy->zone);
        engine->calendars = calloc(policy->n_calendars, sizeof(Calendar *));
        if (!engine->calendars)
                return -ENOMEM;
        for (size_t i = 0; i < policy->n_calendars; i++) {
                const CalendarSpec *spec = &policy->calendars[i];

                r = calendar_new(spec, &engine->calendars[i]);
                if (r == -ENOMEM)
                        return r;
                if (r < 0)
                        config_error_add(errors, config_nowhere, "calendars",
                                         r == -ERANGE ? "%s: the week has no working time"
                                                      : "%s: its time zone cannot be used",
                                         spec->name);
        }
        return 0;
}

int engine_new(const Policy *policy, const Kind *const *kinds, FindUnit find_unit,
               ConfigErrors *errors, Engine **ret) {
        Engine *engine = calloc(1, sizeof(*engine));
        int r;

        if (!engine)
                return -ENOMEM;
        *engine = (Engine){ .policy = policy, .kinds = kinds, .find_unit = find_unit };
        while (kinds[engine->n_kinds])
                engine->n_kinds++;
        engine->targets = calloc(engine->n_kinds + 1, sizeof(KindTargets));
        r = engine->targets ? build_calendars(engine, errors) : -ENOMEM;
        if (r == 0)
                check_specs(engine, errors);
        for (size_t i = 0; r == 0 && !config_errors_any(errors) && i < engine->n_kinds; i++)
                r = build_kind(engine, &engine->targets[i], kinds[i], errors);
        if (r == 0 && config_errors_any(errors))
                r = CONFIG_REFUSED;
        if (r != 0) {
                engine_free(engine);
                return r;
        }
        *ret = engine;
        return 0;
}

Engine *engine_free(Engine *engine) {
        if (!engine)
                return NULL;
        for (size_t i = 0; engine->calendars && i < engine->policy->n_calendars; i++)
                calendar_free(engine->calendars[i]);
        for (size_t i = 0; engine->targets && i < engine->n_kinds; i++)
                free(engine->targets[i].targets);
        free(engine->calendars);
        free(engine->targets);
        zone_free(engine->zone);
        free(engine);
        return NULL;
}
