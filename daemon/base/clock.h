/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What time it is, as an object: the system's clock, or one that stands still until it is set, so
 * that tests, demonstrations and what-if questions run the same program. Microseconds. */

#include <stdbool.h>
#include <stdint.h>

typedef struct WallClock {
        bool manual;
        int64_t now;         /* of a manual one */
        bool unsynchronised; /* of a manual one: what it says of itself */
} WallClock;

int64_t wall_clock_now(const WallClock *clock);
/* Since the machine started: never set, goes on while it sleeps. */
int64_t boot_clock_now(void);
/* Whether a time source keeps it right, as the kernel knows; false also if it does not tell us. */
bool wall_clock_is_synchronised(const WallClock *clock);
