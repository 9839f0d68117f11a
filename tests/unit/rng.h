/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Random numbers for tests: the same seed gives the same test on every machine (SplitMix64). */

#include <stdbool.h>
#include <stdint.h>

typedef struct Rng {
        uint64_t state;
} Rng;

static inline uint64_t rng_next(Rng *rng) {
        uint64_t z = rng->state += UINT64_C(0x9e3779b97f4a7c15);

        z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
        z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
        return z ^ z >> 31;
}

/* 0 .. n-1 */
static inline uint64_t rng_below(Rng *rng, uint64_t n) {
        return rng_next(rng) % n;
}

static inline int64_t rng_between(Rng *rng, int64_t low, int64_t high) {
        return low + (int64_t)rng_below(rng, (uint64_t)(high - low) + 1);
}

static inline bool rng_one_in(Rng *rng, uint64_t n) {
        return rng_below(rng, n) == 0;
}
