/* SPDX-License-Identifier: Apache-2.0 */

/* Another policy for open cases: nothing is lost, nothing happens twice, and it does not matter
 * when a case is computed anew. And what is foreseen is what happens. */

#include "loop/engine.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "aftersales/kinds.h"
#include "base/macro.h"
#include "loop/history.h"
#include "loop/preview.h"
#include "loop/simulate.h"
#include "masters/unit.h"
#include "record/codec.h"

#include "kv-memory.c"
#include "life.c"
#include "world.c"

#define HISTORIES 200
#define TICKETS   8
#define RAISED    2000

static MemoryDisk *disk;

/* ---- policies ------------------------------------------------------------------------------- */

/* The world's policy with one thing put for another; NULL: as it is. */
typedef struct Variant {
        const char *from, *to;
} Variant;

static const Variant variants[] = {
        { NULL, NULL },
        { "response: 2h, visit: 8h, resolve: 24h", "response: 6h, visit: 20h, resolve: 60h" },
        { "response: 2h, visit: 8h, resolve: 24h", "response: 1h, visit: 2h, resolve: 5h" },
        { "calendar: service, ladder: slow", "calendar: office, ladder: slow" },
        { "calendar: service, ladder: slow", "calendar: always, ladder: fast" },
        { "warn_at: 80%", "warn_at: 0%" },
        { "- {to: business, after: 4h}\n      - {to: president, after: 8h}",
          "- {to: president, after: 30m}" },
        { "saturday: [08:00-20:00]\n      sunday: [08:00-20:00]", "saturday: [08:00-12:00]" },
        { "repeat: 4h", "repeat: 1h" },
};

static char *variant_yaml(const Variant *variant) {
        const char *at = variant->from ? strstr(world_yaml, variant->from) : NULL;
        char *yaml;

        assert_true(!variant->from || at);
        if (!at)
                return strdup(world_yaml);
        assert_true(asprintf(&yaml, "%.*s%s%s", (int)(at - world_yaml), world_yaml, variant->to,
                             at + strlen(variant->from)) >= 0);
        return yaml;
}

static void build(const Variant *variant, Policy **ret_policy, Engine **ret_engine) {
        _cleanup_(config_errors_done) ConfigErrors errors = {};
        _cleanup_free_ char *yaml = variant_yaml(variant);

        assert_int_equal(world_load(yaml, &errors, ret_policy), 0);
        assert_int_equal(
                engine_new(*ret_policy, world_kinds, unit_find_recipient, &errors, ret_engine), 0);
}

/* As a reload does it. */
static void reload(World *world, const Variant *variant) {
        Policy *policy;
        Engine *engine;

        build(variant, &policy, &engine);
        world_commit(world);
        assert_int_equal(engine_enter(engine, world->store, "uid:0", world->now), 0);
        engine_swap(world->engine, engine);
        engine_free(engine);
        policy_free(world->policy);
        world->policy = policy;
}

/* As the walk after it does: every open case, or only some of them. */
static unsigned recompute(World *world, Rng *rng) {
        Key position = {};
        unsigned n = 0;
        DueCase due;

        while (engine_next_due(world->store, &position, &due) == 0) {
                int r = rng && rng_one_in(rng, 2) ? -ENOENT
                                                  : engine_recompute(world->engine, world->store,
                                                                     due.kind, due.id, world->now);

                assert_true(r == 0 || r == -ENOENT);
                n += r == 0;
        }
        return n;
}

static void begin(World *world) {
        disk = memory_disk_new();
        assert_non_null(disk);
        world_init(world, memory_disk_open(disk), NULL);
        world_commit(world);
        assert_int_equal(engine_enter(world->engine, world->store, "daemon", world->now), 0);
}

static void end(World *world) {
        _cleanup_free_ char *faults = NULL;

        world_commit(world);
        faults = world_check(world);
        assert_string_equal(faults, "");
        world_done(world);
        disk = memory_disk_free(disk);
}

static uint64_t create(World *world, const char *priority) {
        uint64_t id;

        assert_int_equal(world_create(world, &id, "type", "consultation", "priority", priority,
                                      "region", "1101", NULL),
                         0);
        return id;
}

static unsigned count_escalations(World *world) {
        uint64_t n;

        assert_int_equal(store_count(world->store, &escalation_table, &n), 0);
        return (unsigned)n;
}

static Clock clock_of(World *world, uint64_t id, int which) {
        Ticket ticket = world_ticket(world, id);
        Clock clock = *case_clock(&ticket.head, which);

        clock.pauses = (List){};
        clock.record = (Record){};
        ticket_done(&ticket);
        return clock;
}

/* With so much time between two calls at the most. */
static void live(World *world, Rng *rng, uint64_t ids[static TICKETS], size_t *n, unsigned steps,
                 int64_t pace) {
        for (size_t i = 0; i < steps; i++) {
                const Transition *transition;

                if (pace > 0)
                        world_pass(world, world->now + rng_between(rng, 1, pace));
                if (*n == 0 || (*n < TICKETS && rng_one_in(rng, 4))) {
                        if (life_create(world, rng, &ids[*n]) == 0 && world->created)
                                ++*n;
                } else
                        assert_true(life_move(world, rng, ids[rng_below(rng, *n)], &transition) >=
                                    0);
        }
}

/* Each event of a clock names its cycle and level: no two are the same. */
static void assert_unique(World *world, uint64_t seed) {
        static struct {
                uint64_t id;
                char clock[32];
                int64_t cycle, level;
        } raised[RAISED];
        Key position = {};
        size_t n = 0;
        Escalation e;

        while (world_escalation(world, &position, &e)) {
                for (size_t i = 0; i < n; i++)
                        if (raised[i].id == e.case_id && raised[i].cycle == e.cycle &&
                            raised[i].level == e.level && STREQ(raised[i].clock, e.clock))
                                fail_msg("seed %llu: T%llu: %s level %lld twice",
                                         (unsigned long long)seed,
                                         (unsigned long long)id_number(e.case_id), e.clock,
                                         (long long)e.level);
                assert_true(n < RAISED);
                raised[n].id = e.case_id;
                raised[n].cycle = e.cycle;
                raised[n].level = e.level;
                snprintf(raised[n++].clock, sizeof(raised[0].clock), "%s", e.clock);
                record_done(&escalation_type, &e);
        }
}

/* ---- versions ------------------------------------------------------------------------------- */

static void test_versions(void **state _unused_) {
        static const Variant access = { "followup_attempts: 2", "followup_attempts: 3" };
        Key position = {};
        PolicyVersion version;
        World world;

        begin(&world);
        assert_int_equal(engine_version(world.engine)->number, 1);
        reload(&world, &variants[0]); /* the same */
        assert_int_equal(engine_version(world.engine)->number, 1);
        world.now += HOURS(1);
        reload(&world, &variants[1]);
        assert_int_equal(engine_version(world.engine)->timing_version, 2);
        reload(&world, &access); /* time is counted as by the first again, but not by the second */
        assert_int_equal(engine_version(world.engine)->timing_version, 3);
        reload(&world, &variants[0]); /* ... and as by the third */
        assert_int_equal(engine_version(world.engine)->number, 4);
        assert_int_equal(engine_version(world.engine)->timing_version, 3);
        for (int64_t number = 4; number > 0; number--) {
                assert_int_equal(version_next(world.store, &position, &version), 0);
                assert_int_equal(version.number, number);
                assert_string_equal(version.by, number == 1 ? "daemon" : "uid:0");
                assert_int_equal(version.recomputed_at, version.since); /* there is no case */
                version_done(&version);
        }
        assert_int_equal(version_next(world.store, &position, &version), -ENOENT);
        end(&world);
}

/* No room, or a medium that fails: the policy in force stays, and so does its number. */
static void test_not_noted(void **state _unused_) {
        static const int errors[] = { -ENOSPC, -EIO };

        for (size_t i = 0; i < ELEMENTS(errors); i++) {
                World world;
                PolicyVersion version;
                Policy *policy;
                Engine *engine;
                uint64_t id;

                begin(&world);
                id = create(&world, "normal");
                world_commit(&world);
                build(&variants[1], &policy, &engine);
                memory_disk_fail(disk, MEMORY_COMMIT, 1, errors[i]);
                assert_int_equal(engine_enter(engine, world.store, "uid:0", world.now), errors[i]);
                assert_int_equal(engine_version(engine)->number, 0);
                assert_false(store_has_batch(world.store));
                memory_disk_fail(disk, MEMORY_COMMIT, 0, 0);
                world.store = store_free(world.store);
                world_reopen(&world, memory_disk_open(disk));
                assert_int_equal(version_newest(world.store, &version), 0);
                assert_int_equal(version.number, 1);
                version_done(&version);
                assert_int_equal(clock_of(&world, id, 1).deadline, WORLD_BEGIN + HOURS(2));
                engine_free(engine);
                policy_free(policy);
                end(&world);
        }
}

/* ---- single cases --------------------------------------------------------------------------- */

/* What was told while the clock was ahead is not told again because of a policy by which it would
 * be due at the same instant; what would be due later is. */
static void test_clock_was_ahead(void **state _unused_) {
        static const struct {
                size_t variant;
                int64_t level, cycle;
                unsigned raised; /* in all, by what the clock showed then */
        } cases[] = { { 7, 2, 1, 2 }, { 1, 0, 2, 2 } };

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                World world;
                Clock clock;
                uint64_t id;

                begin(&world);
                id = create(&world, "normal");
                world_pass(&world, WORLD_BEGIN + MINUTES(125));
                world.now = WORLD_BEGIN + MINUTES(5);
                reload(&world, &variants[cases[i].variant]);
                assert_int_equal(recompute(&world, NULL), 1);
                clock = clock_of(&world, id, 1);
                assert_int_equal(clock.level, cases[i].level);
                assert_int_equal(clock.cycle, cases[i].cycle);
                world_pass(&world, WORLD_BEGIN + MINUTES(125));
                assert_int_equal(count_escalations(&world), cases[i].raised);
                end(&world);
        }
}

/* The response of a normal ticket: 2h of service, or another variant's; reloaded after some time.
 */
static void test_response(void **state _unused_) {
        static const struct {
                int64_t after;
                size_t variant;
                int64_t deadline;
                int64_t cycle, level, quiet;
                bool overdue;
                unsigned raised; /* an hour later */
        } cases[] = {
                /* longer, before anything happened, after the warning, and after the deadline */
                { MINUTES(30), 1, HOURS(6), 1, 0, 0, false, 0 },
                { MINUTES(100), 1, HOURS(6), 2, 0, 0, false, 1 },
                { MINUTES(130), 1, HOURS(6), 2, 0, 0, true, 2 },
                /* shorter: what is past by then happens */
                { MINUTES(30), 2, HOURS(1), 1, 0, 0, false, 2 },
                { MINUTES(100), 2, HOURS(1), 1, 1, 0, true, 2 },
                { MINUTES(130), 2, HOURS(1), 1, 2, 0, true, 3 },
                /* another ladder */
                { MINUTES(130), 4, HOURS(2), 1, 2, 0, true, 3 },
                { MINUTES(100), 5, HOURS(2), 1, 1, 0, false, 2 },
        };

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                World world;
                Ticket ticket;
                Clock clock;
                uint64_t id, revision;

                begin(&world);
                id = create(&world, "normal");
                revision = world.head.revision;
                world_pass(&world, WORLD_BEGIN + cases[i].after);
                reload(&world, &variants[cases[i].variant]);
                assert_int_equal(recompute(&world, NULL), 1);
                assert_int_equal(recompute(&world, NULL), 0);
                clock = clock_of(&world, id, 1);
                if (clock.deadline != WORLD_BEGIN + cases[i].deadline ||
                    clock.cycle != cases[i].cycle || clock.level != cases[i].level ||
                    clock.quiet != cases[i].quiet)
                        fail_msg("case %zu: +%lld min, cycle %lld, level %lld, quiet %lld", i,
                                 (long long)((clock.deadline - WORLD_BEGIN) / MINUTES(1)),
                                 (long long)clock.cycle, (long long)clock.level,
                                 (long long)clock.quiet);
                ticket = world_ticket(&world, id);
                if (ticket.head.overdue != cases[i].overdue)
                        fail_msg("case %zu: overdue", i);
                assert_int_equal(ticket.head.revision, revision);
                assert_int_equal(ticket.head.changed_at, WORLD_BEGIN);
                assert_int_equal(ticket.head.policy, 2);
                ticket_done(&ticket);
                world_pass(&world, world.now + HOURS(1));
                if (count_escalations(&world) != cases[i].raised)
                        fail_msg("case %zu: %u escalations", i, count_escalations(&world));
                end(&world);
        }
}

/* A priority that is changed back and forth on an overdue ticket raises nothing again, however
 * often: between the changes only time brings further rungs. */
static void test_back_and_forth(void **state _unused_) {
        World world;
        uint64_t id;
        unsigned raised;

        begin(&world);
        id = create(&world, "normal");
        world_pass(&world, WORLD_BEGIN + HOURS(5));
        for (unsigned i = 0; i < 3; i++) {
                assert_int_equal(world_move(&world, "update", id, "priority", "urgent", NULL), 0);
                world_pass(&world, world.now + 1);
                raised = count_escalations(&world);
                for (unsigned k = 0; k < 4; k++) {
                        assert_int_equal(world_move(&world, "update", id, "priority",
                                                    k % 2 ? "urgent" : "normal", NULL),
                                         0);
                        world_pass(&world, world.now + 1);
                }
                assert_int_equal(count_escalations(&world), raised);
                assert_int_equal(world_move(&world, "update", id, "priority", "normal", NULL), 0);
        }
        end(&world);
}

/* Whatever happened before: once every policy has been in force, going round them again at the same
 * instant raises nothing. */
static void test_round_and_round(void **state _unused_) {
        for (uint64_t seed = 1; seed <= HISTORIES; seed++) {
                uint64_t ids[TICKETS];
                Rng rng = { seed };
                unsigned raised;
                size_t n = 0;
                World world;

                begin(&world);
                live(&world, &rng, ids, &n, 20, MINUTES(150));
                for (size_t i = 0; i < ELEMENTS(variants); i++) {
                        reload(&world, &variants[i]);
                        recompute(&world, NULL);
                        world_pass(&world, world.now);
                }
                raised = count_escalations(&world);
                for (size_t i = 0; i < 3 * ELEMENTS(variants); i++) {
                        reload(&world, &variants[rng_below(&rng, ELEMENTS(variants))]);
                        recompute(&world, NULL);
                        world_pass(&world, world.now);
                }
                if (count_escalations(&world) != raised)
                        fail_msg("seed %llu: %u escalations became %u", (unsigned long long)seed,
                                 raised, count_escalations(&world));
                assert_unique(&world, seed);
                end(&world);
        }
}

/* A reload does not wait for the walk: what is touched first is computed first. */
static void test_lazy(void **state _unused_) {
        World world;
        uint64_t fired, moved;
        Clock clock;

        begin(&world);
        fired = create(&world, "normal");
        moved = create(&world, "normal");
        world_pass(&world, WORLD_BEGIN + HOURS(1));
        reload(&world, &variants[1]);
        world.now = WORLD_BEGIN + HOURS(3); /* both would be overdue by the first policy */
        assert_int_equal(engine_fire(world.engine, world.store, KIND_TICKET, fired, world.now),
                         ENGINE_RECOMPUTED);
        assert_int_equal(engine_fire(world.engine, world.store, KIND_TICKET, fired, world.now),
                         -ENOENT);
        assert_int_equal(world_move(&world, "comment", moved, "note", "x", NULL), 0);
        clock = clock_of(&world, moved, 1);
        assert_int_equal(clock.deadline, WORLD_BEGIN + HOURS(6));
        clock = clock_of(&world, fired, 1);
        assert_int_equal(clock.deadline, WORLD_BEGIN + HOURS(6));
        assert_int_equal(count_escalations(&world), 0);
        end(&world);
}

/* ---- the preview ---------------------------------------------------------------------------- */

typedef struct Seen {
        uint64_t id;
        int64_t before, after;
        char why[300];
        size_t n;
} Seen;

static int see_moved(void *userdata, const MovedDeadline *row) {
        Seen *seen = userdata;

        assert_string_equal(row->kind, "ticket");
        if (STREQ(row->clock, "response")) {
                seen->id = row->case_id;
                seen->before = row->before;
                seen->after = row->after;
        }
        seen->n++;
        return 0;
}

static int see_contradiction(void *userdata, const Kind *kind, uint64_t id, const char *why) {
        Seen *seen = userdata;

        assert_ptr_equal(kind, &ticket_kind);
        seen->id = id;
        snprintf(seen->why, sizeof(seen->why), "%s", why);
        return 0;
}

static Preview look_at(World *world, const Variant *variant, Seen *seen) {
        Preview preview = { .moved = see_moved,
                            .contradicts = see_contradiction,
                            .userdata = seen };
        StoreHead head = *store_head(world->store);
        Policy *policy;
        Engine *engine;

        build(variant, &policy, &engine);
        assert_int_equal(preview_cases(engine, world->store, world->now, &preview), 0);
        engine_free(engine);
        policy_free(policy);
        assert_memory_equal(store_head(world->store), &head, sizeof(head));
        return preview;
}

static void test_preview(void **state _unused_) {
        World world;
        Preview preview;
        Seen seen = {};
        uint64_t normal;

        begin(&world);
        normal = create(&world, "normal");
        create(&world, "urgent");
        preview = look_at(&world, &variants[0], &seen);
        assert_int_equal(preview.cases, 2);
        assert_int_equal(preview.n_moved, 0);
        preview = look_at(&world, &variants[1], &seen);
        assert_int_equal(preview.n_moved, 1);
        assert_int_equal(seen.n, 2); /* response, resolve */
        assert_int_equal(seen.id, normal);
        assert_int_equal(seen.before, WORLD_BEGIN + HOURS(2));
        assert_int_equal(seen.after, WORLD_BEGIN + HOURS(6));
        assert_int_equal(preview.n_contradictions, 0);
        /* on the fourth rung, of three */
        world_pass(&world, WORLD_BEGIN + DAYS(3));
        preview = look_at(&world, &variants[6], &seen);
        assert_int_equal(preview.n_contradictions, 1);
        assert_int_equal(seen.id, normal);
        assert_string_equal(seen.why,
                            "its clock response stands on rung 4, and the ladder slow has 3");
        end(&world);
}

/* ---- any history ---------------------------------------------------------------------------- */

/* By whatever way the clocks came there: what they have armed follows from their intervals. */
static void assert_from_scratch(World *world, uint64_t seed) {
        Key position = {};
        Ticket ticket;

        while (store_next(world->store, &ticket_table, &position, &ticket) == 0) {
                const Target *target = engine_target(world->engine, &ticket_kind, &ticket.head);
                const Clock *clocks = ticket.head.clocks.items;

                for (size_t i = 0; i < ticket.head.clocks.n; i++) {
                        Clock clock = clocks[i];

                        if (clock.stopped_at)
                                continue;
                        clock.target = clock.fixed_at ? 0 : target->seconds[clock.clock];
                        clock.deadline = clock.next_at = 0;
                        assert_int_equal(clock_schedule(&clock, &target->timing), 0);
                        if (clock.target != clocks[i].target ||
                            clock.deadline != clocks[i].deadline ||
                            clock.next_at != clocks[i].next_at)
                                fail_msg("seed %llu: T%llu: clock %d", (unsigned long long)seed,
                                         (unsigned long long)id_number(ticket.head.id),
                                         clock.clock);
                }
                ticket_done(&ticket);
        }
}

/* Everything of all tickets and escalations, in a word. */
static Digest digest_of(World *world) {
        static const Table *const tables[] = { &ticket_table, &escalation_table,
                                               &notification_table };
        _cleanup_(buffer_done) Buffer buffer = {};
        Digest digest;

        for (size_t i = 0; i < ELEMENTS(tables); i++) {
                _cleanup_free_ void *record = calloc(1, tables[i]->type->size);
                Key position = {};

                while (store_next(world->store, tables[i], &position, record) == 0) {
                        assert_int_equal(record_encode(tables[i]->type, record, &buffer), 0);
                        record_done(tables[i]->type, record);
                }
        }
        digest_pieces(&digest, buffer.data, buffer.size, NULL, 0, NULL, 0);
        return digest;
}

typedef enum Walk { WALK_AT_ONCE, WALK_PARTLY, WALK_AFTER, WALK_AFTER_CRASH, _WALKS } Walk;

/* Policies come and go while people work. Whichever cases the walk or a call comes to first, and
 * whatever crashes on the way: in the end it is all the same. */
static Digest play(uint64_t seed, Walk walk) {
        Rng rng = { seed }, other = { seed + 1000 };
        uint64_t ids[TICKETS];
        size_t n = 0;
        Digest digest;
        World world;

        begin(&world);
        for (unsigned round = 0; round < 5; round++) {
                live(&world, &rng, ids, &n, 8, MINUTES(150));
                reload(&world, &variants[rng_below(&rng, ELEMENTS(variants))]);
                if (walk != WALK_AFTER)
                        recompute(&world, walk == WALK_AT_ONCE ? NULL : &other);
                if (walk == WALK_AFTER_CRASH) { /* what was not committed is lost */
                        world.store = store_free(world.store);
                        world_reopen(&world, memory_disk_open(disk));
                }
                live(&world, &rng, ids, &n, 3, 0);
                recompute(&world, NULL);
        }
        world_pass(&world, world.now + DAYS(1));
        assert_from_scratch(&world, seed);
        assert_unique(&world, seed);
        digest = digest_of(&world);
        end(&world);
        return digest;
}

static void test_whenever(void **state _unused_) {
        for (uint64_t seed = 1; seed <= HISTORIES; seed++) {
                Digest first = play(seed, WALK_AT_ONCE);

                for (Walk walk = WALK_AT_ONCE + 1; walk < _WALKS; walk++) {
                        Digest digest = play(seed, walk);

                        if (memcmp(&digest, &first, sizeof(digest)) != 0)
                                fail_msg("seed %llu: another end by way %d",
                                         (unsigned long long)seed, walk);
                }
        }
}

/* ---- foreseen ------------------------------------------------------------------------------- */

static void assert_foreseen(World *world, const Simulated *s, uint64_t after, uint64_t seed) {
        Key position = key_of_id(after);
        size_t i = 0;
        Escalation e;

        while (world_escalation(world, &position, &e)) {
                const SimulatedEvent *row = &s->rows[i];

                if (i == s->n_rows)
                        fail_msg("seed %llu: more happened than was foreseen",
                                 (unsigned long long)seed);
                if (row->due_at != e.due_at || row->case_id != e.case_id || row->level != e.level ||
                    row->cycle != e.cycle || row->missed != e.missed ||
                    (int)row->cause != e.cause || (int)row->role != e.role ||
                    !STREQ(row->clock, e.clock) || !STREQ(row->recipient, e.recipient) ||
                    row->fired_at != e.fired_at)
                        fail_msg("seed %llu: event %zu: foreseen T%llu %s level %lld to %s, "
                                 "happened T%llu %s level %lld to %s",
                                 (unsigned long long)seed, i,
                                 (unsigned long long)id_number(row->case_id), row->clock,
                                 (long long)row->level, row->recipient,
                                 (unsigned long long)id_number(e.case_id), e.clock,
                                 (long long)e.level, e.recipient);
                record_done(&escalation_type, &e);
                i++;
        }
        assert_int_equal(i, s->n_rows);
}

static uint64_t last_escalation(World *world) {
        Key position = {};
        uint64_t last = 0;
        Escalation e;

        while (world_escalation(world, &position, &e)) {
                last = e.id;
                record_done(&escalation_type, &e);
        }
        return last;
}

static void test_foreseen(void **state _unused_) {
        uint64_t events = 0;

        for (uint64_t seed = 1; seed <= HISTORIES; seed++) {
                SimulateOptions options = { .rows_max = 1000, .events_max = 100000 };
                uint64_t ids[TICKETS], last, sum = 0;
                Rng rng = { seed };
                StoreHead head;
                Simulated all, some;
                size_t n = 0;
                World world;

                begin(&world);
                live(&world, &rng, ids, &n, 20, MINUTES(150));
                if (rng_one_in(&rng, 2))
                        reload(&world, &variants[rng_below(&rng, ELEMENTS(variants))]);
                if (rng_one_in(&rng, 3)) /* a backlog */
                        world.now += rng_between(&rng, 1, DAYS(2));
                world_commit(&world);
                head = *store_head(world.store);
                options.now = world.now;
                options.until = world.now + rng_between(&rng, 1, DAYS(2));
                assert_int_equal(simulate_cases(world.engine, world.store, &options, &all), 0);
                options.rows_max = 5;
                assert_int_equal(simulate_cases(world.engine, world.store, &options, &some), 0);
                assert_memory_equal(store_head(world.store), &head, sizeof(head));
                assert_false(store_has_batch(world.store));
                /* the first ones, and the same totals */
                assert_int_equal(some.n_rows, MIN(all.n_rows, 5UL));
                assert_memory_equal(some.rows, all.rows, some.n_rows * sizeof(*some.rows));
                assert_int_equal(some.events, all.n_rows);
                for (size_t i = 0; i < some.n_totals; i++)
                        for (size_t cause = 0; cause < _CAUSE_MAX; cause++)
                                sum += some.totals[i].n[cause];
                assert_int_equal(sum, all.n_rows);
                last = last_escalation(&world);
                recompute(&world, NULL);
                world_pass(&world, options.until);
                assert_foreseen(&world, &all, last, seed);
                events += all.n_rows;
                simulated_done(&all);
                simulated_done(&some);
                end(&world);
        }
        print_message("%llu events foreseen\n", (unsigned long long)events);
        assert_true(events > 10ULL * HISTORIES);
}

static void test_simulation_bounds(void **state _unused_) {
        SimulateOptions options = { .rows_max = 100, .events_max = 3 };
        Simulated s = {};
        World world;

        begin(&world);
        create(&world, "normal");
        options.now = world.now;
        options.until = world.now + DAYS(30);
        assert_int_equal(simulate_cases(world.engine, world.store, &options, &s), -E2BIG);
        options.events_max = 1000;
        options.subcentre = "SH";
        assert_int_equal(simulate_cases(world.engine, world.store, &options, &s), 0);
        assert_int_equal(s.cases, 0);
        simulated_done(&s);
        options.subcentre = "BJ";
        options.recipient = "PRES";
        assert_int_equal(simulate_cases(world.engine, world.store, &options, &s), 0);
        assert_int_equal(s.cases, 1);
        assert_int_equal(s.n_totals, 1);
        assert_string_equal(s.totals[0].recipient, "PRES");
        assert_int_equal(s.totals[0].n[CAUSE_WARNING], 0);
        assert_int_equal(s.totals[0].n[CAUSE_RUNG], 2); /* response, resolve */
        simulated_done(&s);
        end(&world);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_versions),        cmocka_unit_test(test_not_noted),
                cmocka_unit_test(test_response),        cmocka_unit_test(test_back_and_forth),
                cmocka_unit_test(test_round_and_round), cmocka_unit_test(test_lazy),
                cmocka_unit_test(test_preview),         cmocka_unit_test(test_whenever),
                cmocka_unit_test(test_foreseen),        cmocka_unit_test(test_simulation_bounds),
                cmocka_unit_test(test_clock_was_ahead),
        };

        return cmocka_run_group_tests_name("policy", tests, NULL, NULL);
}
