/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Deterministic simulation of the engine: a seed makes a history of calls, of time that passes, of
 * clocks that jump, of batches that fail and processes that die, and a ledger knows what was
 * acknowledged. In the end everything in the ledger is in the store, nothing else is, and every
 * event of every clock has been raised once, in order, and never early. */

#include "kv-memory.h"
#include "rng.h"
#include "world.h"

/* Wrong programs, each of which the simulation must find out. */
typedef enum Mutant {
        MUTANT_NONE,
        MUTANT_NOT_SAVED,    /* raises an event, but forgets that it has */
        MUTANT_TWICE,        /* raises an event twice */
        MUTANT_NOT_REARMED,  /* never gets round to the next one */
        MUTANT_EARLY,        /* raises events that are not due yet */
        MUTANT_UNSETTLED,    /* moves a case without letting happen first what is due */
        MUTANT_UNTOLD,       /* raises an event, but nobody is notified */
        MUTANT_ANSWERS_SOON, /* acknowledges before the commit */
        _MUTANT_MAX,
} Mutant;

extern const char *const mutant_names[];

typedef struct SimulationCounts {
        uint64_t calls, refused, raised, commits, failures, crashes, jumps;
} SimulationCounts;

/* Lives the history of a seed: NULL, or what was found wrong, to be freed. The world has no store;
 * the counts are added to. */
char *simulate(World *world, uint64_t seed, Mutant mutant, SimulationCounts *counts);
