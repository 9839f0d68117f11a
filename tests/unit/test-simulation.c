/* SPDX-License-Identifier: Apache-2.0 */

/* SEEDS=n makes that many histories, SEED=n the one that failed. */

#include "simulation.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/macro.h"

#include "kv-memory.c"
#include "life.c"
#include "simulation.c"
#include "world.c"

#ifdef __SANITIZE_ADDRESS__
#define SEEDS 300
#else
#define SEEDS 1500
#endif
#define MUTANT_SEEDS 100

/* The company lives on; each history has a store of its own. */
static int setup(void **state) {
        static World world;
        MemoryDisk *disk = memory_disk_new();

        assert_non_null(disk);
        world_init(&world, memory_disk_open(disk), NULL);
        world.store = store_free(world.store);
        memory_disk_free(disk);
        *state = &world;
        return 0;
}

static int teardown(void **state) {
        world_done(*state);
        return 0;
}

static void test_histories(void **state) {
        uint64_t seed = getenv("SEED") ? strtoull(getenv("SEED"), NULL, 10) : 1;
        uint64_t seeds = getenv("SEEDS")  ? strtoull(getenv("SEEDS"), NULL, 10)
                         : getenv("SEED") ? 1
                                          : SEEDS;
        SimulationCounts counts = {};

        for (uint64_t end = seed + seeds; seed < end; seed++) {
                char *fault = simulate(*state, seed, MUTANT_NONE, &counts);

                if (fault)
                        fail_msg("SEED=%llu: %s", (unsigned long long)seed, fault);
        }
        print_message("%llu histories: %llu calls, %llu refused; %llu events; %llu commits, %llu "
                      "failed; %llu crashes; %llu jumps\n",
                      (unsigned long long)seeds, (unsigned long long)counts.calls,
                      (unsigned long long)counts.refused, (unsigned long long)counts.raised,
                      (unsigned long long)counts.commits, (unsigned long long)counts.failures,
                      (unsigned long long)counts.crashes, (unsigned long long)counts.jumps);
        /* a simulation in which nothing goes wrong proves nothing */
        if (seeds >= 100) {
                assert_true(counts.refused > seeds && counts.refused < counts.calls / 2);
                assert_true(counts.raised > 10 * seeds);
                assert_true(counts.failures > seeds / 2 && counts.crashes > seeds / 2);
        }
}

/* The same seed is the same history. */
static void test_deterministic(void **state) {
        SimulationCounts first = {}, second = {};

        for (uint64_t seed = 1; seed < 5; seed++) {
                assert_null(simulate(*state, seed, MUTANT_NONE, &first));
                assert_null(simulate(*state, seed, MUTANT_NONE, &second));
        }
        assert_memory_equal(&first, &second, sizeof(first));
}

static void test_mutants(void **state) {
        for (Mutant mutant = MUTANT_NONE + 1; mutant < _MUTANT_MAX; mutant++) {
                _cleanup_free_ char *fault = NULL;
                SimulationCounts counts = {};
                uint64_t seed = 0;

                while (!fault && seed < MUTANT_SEEDS)
                        fault = simulate(*state, ++seed, mutant, &counts);
                if (!fault)
                        fail_msg("nobody notices a daemon that %s", mutant_names[mutant]);
                print_message("it %s: seed %llu, %s\n", mutant_names[mutant],
                              (unsigned long long)seed, fault);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_histories),
                cmocka_unit_test(test_deterministic),
                cmocka_unit_test(test_mutants),
        };

        return cmocka_run_group_tests_name("simulation", tests, setup, teardown);
}
