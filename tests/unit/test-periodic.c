/* SPDX-License-Identifier: Apache-2.0 */

/* Work that comes round by itself: planned, run step by step, and neither lost nor done twice
 * wherever the process ends. */

#include "loop/periodic.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/macro.h"
#include "rng.h"

#include "kv-memory.c"
#include "world.c"

#define STEPS 7 /* of a run */
#define RUNS  20
#define LIVES 200

static MemoryDisk *disk;
static World world;

/* ---- a work: each step takes a ticket in --------------------------------------------------- */

static int64_t period;    /* 0: it never runs */
static int step_result;   /* instead of doing it */
static int64_t seen_at;   /* of the last step */
static unsigned refusals; /* steps that gave step_result */

static int work_next(const Engine *engine _unused_, int64_t after, int64_t *ret) {
        if (!period)
                return -ENOENT;
        *ret = WORLD_BEGIN + ((after - WORLD_BEGIN) / period + 1) * period;
        return 0;
}

static int work_step(const Engine *engine, Change *change, int64_t at, int64_t now,
                     char position[static PERIODIC_POSITION_SIZE], bool *ret_done) {
        Ticket fields = {};
        Call call = { .actor = &world.actor, .now = now, .fields = &fields };
        unsigned n = (unsigned)atoi(position) + 1;
        Refusal refusal = {};
        Head head = {};
        bool created;
        int r;

        world_set(&world, ticket_table.type, &fields, &call.given, "type", "consultation");
        world_set(&world, ticket_table.type, &fields, &call.given, "region", "110101");
        r = engine_create(engine, change, &ticket_kind, &call, &head, &created, &refusal);
        assert_int_equal(r, 0);
        record_done(&head_type, &head);
        ticket_done(&fields);
        if (step_result < 0) { /* after it has staged something */
                refusals++;
                return step_result;
        }
        seen_at = at;
        *ret_done = n == STEPS;
        snprintf(position, PERIODIC_POSITION_SIZE, "%u", n);
        return 0;
}

static const Periodic work = { .name = "work", .next = work_next, .step = work_step };
static const Periodic *const works[] = { &work, NULL };

static int set_up(_unused_ void **state) {
        disk = memory_disk_new();
        world_init(&world, memory_disk_open(disk), NULL);
        world_commit(&world);
        period = HOURS(24);
        step_result = 0;
        refusals = 0;
        return 0;
}

static int tear_down(_unused_ void **state) {
        _cleanup_free_ char *faults = world_check(&world);

        assert_string_equal(faults, "");
        world_done(&world);
        memory_disk_free(disk);
        return 0;
}

static void crash(void) {
        world.store = store_free(world.store); /* with whatever is not committed */
        open_store(&world, memory_disk_open(disk));
}

static uint64_t tickets(void) {
        uint64_t n;

        assert_int_equal(store_count(world.store, &ticket_table, &n), 0);
        return n;
}

static void plan(void) {
        assert_int_equal(periodic_plan(world.engine, world.store, works, world.now), 0);
}

/* When it is due; 0: never. */
static int64_t due_at(void) {
        const Periodic *found = NULL;
        int64_t at = -1;
        int r = periodic_next_due(world.store, works, &found, &at);

        assert_true(r == 0 || r == -ENOENT);
        if (r == 0)
                assert_ptr_equal(found, &work);
        return r == 0 ? at : 0;
}

static void step(void) {
        assert_int_equal(periodic_step(world.engine, world.store, &work, world.now), 0);
}

/* ---- planning ------------------------------------------------------------------------------- */

static void test_first_plan(_unused_ void **state) {
        assert_int_equal(due_at(), 0);
        plan();
        assert_int_equal(due_at(), WORLD_BEGIN + HOURS(24));
        world.now += HOURS(5);
        plan();
        assert_int_equal(due_at(), WORLD_BEGIN + HOURS(24));
        world_commit(&world);
}

static void test_nothing_is_written_that_stays(_unused_ void **state) {
        uint64_t sequence;

        plan();
        world_commit(&world);
        sequence = store_head(world.store)->sequence;
        plan();
        period = 0;
        assert_int_equal(store_head(world.store)->sequence, sequence);
        plan();
        assert_int_equal(store_head(world.store)->sequence, sequence + 1);
        plan();
        world_commit(&world);
        assert_int_equal(store_head(world.store)->sequence, sequence + 1);
}

static void test_another_policy(_unused_ void **state) {
        plan();
        period = HOURS(2);
        plan();
        assert_int_equal(due_at(), WORLD_BEGIN + HOURS(2));
        period = 0;
        plan();
        assert_int_equal(due_at(), 0);
        period = HOURS(3);
        plan();
        assert_int_equal(due_at(), WORLD_BEGIN + HOURS(3));
        world_commit(&world);
}

/* What is due at this very instant, overdue or under way is not lost by planning. */
static void test_what_is_due_stays(_unused_ void **state) {
        plan();
        world.now = WORLD_BEGIN + HOURS(24);
        period = HOURS(7);
        plan();
        assert_int_equal(due_at(), WORLD_BEGIN + HOURS(24));
        world.now += HOURS(1);
        plan();
        assert_int_equal(due_at(), WORLD_BEGIN + HOURS(24));
        step();
        world.now -= HOURS(12); /* the clock was set back in the middle */
        period = 0;
        plan();
        assert_int_equal(due_at(), WORLD_BEGIN + HOURS(24));
        world.now += HOURS(12);
        for (unsigned i = 1; i < STEPS; i++)
                step();
        assert_int_equal(due_at(), 0); /* by this policy never again */
        assert_int_equal(tickets(), STEPS);
        world_commit(&world);
}

static void test_the_clock_set_back(_unused_ void **state) {
        world.now += DAYS(1000); /* by mistake */
        plan();
        assert_int_equal(due_at(), WORLD_BEGIN + DAYS(1001));
        world.now -= DAYS(1000);
        plan();
        assert_int_equal(due_at(), WORLD_BEGIN + DAYS(1));
        world_commit(&world);
}

/* ---- running -------------------------------------------------------------------------------- */

static void test_a_run(_unused_ void **state) {
        plan();
        world.now = WORLD_BEGIN + HOURS(24) + 1;
        for (unsigned i = 1; i <= STEPS; i++) {
                assert_int_equal(due_at(), WORLD_BEGIN + HOURS(24));
                step();
                assert_int_equal(tickets(), i);
                assert_int_equal(seen_at, WORLD_BEGIN + HOURS(24));
        }
        assert_int_equal(due_at(), WORLD_BEGIN + HOURS(48));
        world_commit(&world);
}

/* After a downtime every run is made, in order, each for its own instant. */
static void test_a_downtime(_unused_ void **state) {
        plan();
        world.now = WORLD_BEGIN + DAYS(3) + HOURS(1);
        for (unsigned run = 1; run <= 3; run++)
                for (unsigned i = 0; i < STEPS; i++) {
                        step();
                        assert_int_equal(seen_at, WORLD_BEGIN + DAYS(run));
                }
        assert_int_equal(due_at(), WORLD_BEGIN + DAYS(4));
        world_commit(&world);
}

static void test_a_step_that_cannot_be_done(_unused_ void **state) {
        uint64_t sequence;

        plan();
        world.now = WORLD_BEGIN + HOURS(24) + 1;
        step();
        world_commit(&world);
        sequence = store_head(world.store)->sequence;
        step_result = -EAGAIN;
        assert_int_equal(periodic_step(world.engine, world.store, &work, world.now), -EAGAIN);
        assert_int_equal(refusals, 1);
        assert_int_equal(tickets(), 1); /* what it had staged is gone */
        assert_int_equal(store_head(world.store)->sequence, sequence);
        step_result = 0;
        for (unsigned i = 1; i < STEPS; i++)
                step();
        assert_int_equal(tickets(), STEPS);
        assert_int_equal(due_at(), WORLD_BEGIN + HOURS(48));
        world_commit(&world);
}

/* One life: runs with the process ending, or a commit failing, at any point between the steps. */
static void live(Rng *rng) {
        for (;;) {
                int64_t at = due_at();
                uint64_t dice = rng_below(rng, 8);

                if (at > WORLD_BEGIN + RUNS * period)
                        break;
                world.now = MAX(world.now, at + 1);
                if (dice == 0) {
                        crash();
                        plan();
                } else if (dice == 1)
                        world_commit(&world);
                else if (dice == 2 && store_batch_changes(world.store) > 0) {
                        memory_disk_fail(disk, MEMORY_COMMIT, 1, -ENOSPC);
                        assert_int_equal(store_commit(world.store), -ENOSPC);
                        memory_disk_fail(disk, MEMORY_COMMIT, 0, 0);
                        plan();
                } else if (due_at() && due_at() < world.now)
                        step();
                else
                        plan();
        }
        world_commit(&world);
        crash();
        assert_int_equal(tickets(), RUNS * STEPS);
        assert_int_equal(due_at(), WORLD_BEGIN + (RUNS + 1) * period);
}

static void test_lives(_unused_ void **state) {
        for (uint64_t seed = 1; seed <= LIVES; seed++) {
                Rng rng = { seed };

                if (seed > 1) {
                        tear_down(NULL);
                        set_up(NULL);
                }
                plan();
                world_commit(&world);
                live(&rng);
        }
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(test_##name, set_up, tear_down)
        const struct CMUnitTest tests[] = {
                TEST(first_plan),
                TEST(nothing_is_written_that_stays),
                TEST(another_policy),
                TEST(what_is_due_stays),
                TEST(the_clock_set_back),
                TEST(a_run),
                TEST(a_downtime),
                TEST(a_step_that_cannot_be_done),
                TEST(lives),
        };

        return cmocka_run_group_tests_name("periodic", tests, NULL, NULL);
}
