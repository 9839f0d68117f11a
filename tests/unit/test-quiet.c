/* SPDX-License-Identifier: Apache-2.0 */

/* History that is taken over with its own times tells nobody of what is past, and comes out as if
 * it had been recorded when it happened. */

#include "loop/engine.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "aftersales/kinds.h"
#include "base/macro.h"

#include "kv-memory.c"
#include "life.c"
#include "world.c"

#define HISTORIES 300
#define STEPS     30
#define TICKETS   6

static MemoryDisk *disk;

static void begin(World *world) {
        disk = memory_disk_new();
        assert_non_null(disk);
        world_init(world, memory_disk_open(disk), NULL);
}

static void end(World *world) {
        _cleanup_free_ char *faults = NULL;

        world_commit(world);
        faults = world_check(world);
        assert_string_equal(faults, "");
        world_done(world);
        disk = memory_disk_free(disk);
}

static unsigned count_rows(World *world, const Table *table) {
        uint64_t n;

        assert_int_equal(store_count(world->store, table, &n), 0);
        return (unsigned)n;
}

/* ---- single cases --------------------------------------------------------------------------- */

typedef struct Row {
        const char *transition; /* NULL: creation */
        int64_t after;          /* the beginning */
} Row;

/* Takes rows over, all of them at `now`. */
static uint64_t take_over(World *world, const Row *rows, size_t n, int64_t now) {
        uint64_t id = 0;

        world->taken_over_at = now;
        for (size_t i = 0; i < n; i++) {
                world->now = WORLD_BEGIN + rows[i].after;
                assert_int_equal(rows[i].transition
                                         ? world_move(world, rows[i].transition, id, NULL)
                                         : world_create(world, &id, "type", "consultation",
                                                        "region", "1101", NULL),
                                 0);
        }
        world->taken_over_at = 0;
        world->now = now;
        return id;
}

/* The response is due two hours after receipt, its warning 24 minutes before that. */
static void test_lateness(void **state _unused_) {
        static const struct {
                Row rows[4];
                size_t n;
                bool overdue, late;
        } cases[] = {
                { { { NULL, 0 } }, 1, true, false },
                { { { NULL, 0 }, { "dispatch", MINUTES(10) }, { "accept", HOURS(2) } },
                  3,
                  false,
                  false },
                { { { NULL, 0 }, { "dispatch", HOURS(9) }, { "accept", HOURS(2) + 1 } },
                  2,
                  true,
                  false },
                { { { NULL, 0 }, { "dispatch", MINUTES(10) }, { "accept", HOURS(2) + 1 } },
                  3,
                  true,
                  true },
        };

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                World world;
                Ticket ticket;
                uint64_t id;

                begin(&world);
                id = take_over(&world, cases[i].rows, cases[i].n, WORLD_BEGIN + HOURS(10));
                ticket = world_ticket(&world, id);
                if (ticket.head.overdue != cases[i].overdue || ticket.head.late != cases[i].late)
                        fail_msg("case %zu: overdue %d, late %d", i, ticket.head.overdue,
                                 ticket.head.late);
                assert_true(ticket.head.armed_at >= world.now);
                ticket_done(&ticket);
                assert_int_equal(count_rows(&world, &escalation_table), 0);
                assert_int_equal(count_rows(&world, &notification_table), 0);
                end(&world);
        }
}

/* After a year of silence it goes on as ever: with the next repetition, at its time. */
static void test_goes_on(void **state _unused_) {
        static const Row rows[] = { { NULL, 0 } };
        Key position = {};
        World world;
        Escalation e;
        Ticket ticket;
        uint64_t id;

        begin(&world);
        id = take_over(&world, rows, 1, WORLD_BEGIN + DAYS(365));
        ticket = world_ticket(&world, id);
        assert_true(case_clock(&ticket.head, 1)->quiet > 365);
        assert_int_equal(ticket.head.rung, 4);
        world_pass(&world, ticket.head.armed_at + 1);
        assert_true(world_escalation(&world, &position, &e));
        assert_int_equal(e.due_at, ticket.head.armed_at);
        assert_int_equal(e.fired_at, e.due_at + 1);
        assert_int_equal(e.quiet, e.level);
        assert_int_equal(e.cause, CAUSE_REPEAT);
        assert_int_equal(e.role, RECIPIENT_PRESIDENT);
        record_done(&escalation_type, &e);
        ticket_done(&ticket);
        ticket = world_ticket(&world, id);
        assert_true(ticket.head.late);
        ticket_done(&ticket);
        end(&world);
}

/* A quiet call about a ticket that lives lets happen what was due before what it reports, and
 * nothing of what was due after. */
static void test_living(void **state _unused_) {
        char at[32];
        World world;
        uint64_t id;

        begin(&world);
        assert_int_equal(world_create(&world, &id, "type", "consultation", "region", "1101", NULL),
                         0);
        snprintf(at, sizeof(at), "%lld", (long long)(WORLD_BEGIN + HOURS(2)));
        world.now += HOURS(3);
        assert_int_equal(world_move(&world, "dispatch", id, "at", at, "quiet", "true", NULL), 0);
        assert_int_equal(world_move(&world, "accept", id, "at", at, "quiet", "true", NULL), 0);
        assert_int_equal(count_rows(&world, &escalation_table), 1); /* the warning */
        end(&world);
}

/* Reopened: lifted, but nobody is told. */
static void test_reopened(void **state _unused_) {
        static const Row rows[] = {
                { NULL, 0 },
                { "dispatch", MINUTES(1) },
                { "accept", MINUTES(2) },
        };
        World world;
        uint64_t id;

        begin(&world);
        id = take_over(&world, rows, ELEMENTS(rows), WORLD_BEGIN + DAYS(2));
        world.taken_over_at = world.now;
        world.now = WORLD_BEGIN + HOURS(1);
        assert_int_equal(world_move(&world, "resolve", id, "result", "answered", NULL), 0);
        world.actor.name = "uid:2";
        assert_int_equal(world_move(&world, "follow_up", id, "outcome", "dissatisfied",
                                    "reopen_reason", "other", NULL),
                         0);
        world.now = world.taken_over_at;
        assert_string_equal(world.head.state, "dispatched");
        assert_int_equal(count_rows(&world, &escalation_table), 0);
        end(&world);
}

/* ---- any history ---------------------------------------------------------------------------- */

static void live(World *world, Rng *rng) {
        uint64_t ids[TICKETS];
        size_t n = 0;

        for (size_t i = 0; i < STEPS; i++) {
                const Transition *transition;
                int64_t then = world->now + rng_between(rng, 1, MINUTES(100));

                if (world->taken_over_at)
                        world->now = then;
                else
                        world_pass(world, then);
                if (n == 0 || (n < TICKETS && rng_one_in(rng, 5))) {
                        if (life_create(world, rng, &ids[n]) == 0 && world->created)
                                n++;
                } else
                        assert_true(life_move(world, rng, ids[rng_below(rng, n)], &transition) >=
                                    0);
        }
}

static void assert_same_clock(uint64_t seed, const Clock *a, const Clock *b) {
        const int64_t lived[] = { a->clock,   a->cycle,    a->started_at,       a->stopped_at,
                                  a->target,  a->fixed_at, a->deadline,         a->level,
                                  a->next_at, a->paused,   (int64_t)a->pauses.n };
        const int64_t taken[] = { b->clock,   b->cycle,    b->started_at,       b->stopped_at,
                                  b->target,  b->fixed_at, b->deadline,         b->level,
                                  b->next_at, b->paused,   (int64_t)b->pauses.n };

        for (size_t i = 0; i < ELEMENTS(lived); i++)
                if (lived[i] != taken[i])
                        fail_msg("seed %llu: clock %d, value %zu: lived %lld, taken over %lld",
                                 (unsigned long long)seed, a->clock, i, (long long)lived[i],
                                 (long long)taken[i]);
}

static void assert_same_ticket(uint64_t seed, const Case *a, const Case *b) {
        const Clock *clocks = a->clocks.items, *others = b->clocks.items;

        assert_int_equal(a->clocks.n, b->clocks.n);
        for (size_t i = 0; i < a->clocks.n; i++)
                assert_same_clock(seed, &clocks[i], &others[i]);
        if (a->state != b->state || a->armed_at != b->armed_at || a->rung != b->rung ||
            a->lift != b->lift || a->overdue != b->overdue || a->revision != b->revision)
                fail_msg("seed %llu: T%llu: overdue %d and %d", (unsigned long long)seed,
                         (unsigned long long)id_number(a->id), a->overdue, b->overdue);
}

static void test_as_if_lived(void **state _unused_) {
        unsigned tickets = 0, overdue = 0;

        for (uint64_t seed = 1; seed <= HISTORIES; seed++) {
                Rng rng = { seed }, again = { seed };
                MemoryDisk *other;
                World lived, taken;
                Key position = {};
                Ticket a, b;

                begin(&taken);
                other = disk;
                begin(&lived);
                lived.punctual = taken.punctual = true;
                live(&lived, &rng);
                world_pass(&lived, lived.now + HOURS(1));
                taken.taken_over_at = lived.now;
                live(&taken, &again);
                taken.now = lived.now;
                while (store_next(lived.store, &ticket_table, &position, &a) == 0) {
                        b = world_ticket(&taken, a.head.id);
                        assert_same_ticket(seed, &a.head, &b.head);
                        tickets++;
                        overdue += b.head.overdue;
                        ticket_done(&a);
                        ticket_done(&b);
                }
                assert_int_equal(count_rows(&taken, &escalation_table), 0);
                assert_int_equal(count_rows(&taken, &ticket_table),
                                 count_rows(&lived, &ticket_table));
                /* and on */
                taken.taken_over_at = 0;
                world_pass(&taken, taken.now + DAYS(3));
                end(&lived);
                disk = other;
                end(&taken);
        }
        print_message("%u tickets, %u of them overdue\n", tickets, overdue);
        assert_true(tickets > HISTORIES && overdue > tickets / 10 && overdue < tickets * 9 / 10);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_lateness),    cmocka_unit_test(test_goes_on),
                cmocka_unit_test(test_living),      cmocka_unit_test(test_reopened),
                cmocka_unit_test(test_as_if_lived),
        };

        return cmocka_run_group_tests_name("quiet", tests, NULL, NULL);
}
