/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The monthly plan: how many of a part a unit needs. All of it in whole numbers. */

#include <stdbool.h>
#include <stdint.h>

typedef struct PlanInput {
        int64_t use;    /* in the months looked at, together */
        int64_t months; /* how many these are */
        int64_t factor; /* months that it shall last */
        int64_t season; /* of the month planned for, in percent */
        int64_t stock, on_order, in_transit;
        bool net; /* what is ordered or on its way counts as there */
        int64_t pack, minimum;
        bool discontinued;
} PlanInput;

typedef struct PlanResult {
        int64_t wanted;   /* ceil(factor × use / months × season) */
        int64_t need;     /* that less what is there, never below 0 */
        int64_t quantity; /* in whole packs, at least the minimum */
} PlanResult;

PlanResult plan_compute(const PlanInput *input);
