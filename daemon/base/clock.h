/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What time it is, as an object: the system's clock, or one that stands still until it is set, so
 * that tests, demonstrations and what-if questions run the same program. One that is suspected is
 * not asked: the last time that was believed goes on, as the boot clock does. Microseconds. */

#include <stdbool.h>
#include <stdint.h>

typedef struct WallClock {
        bool manual;
        int64_t now;         /* of a manual one */
        bool unsynchronised; /* of a manual one: what it says of itself */
        bool suspect;
        int64_t seen_wall, seen_boot; /* the two clocks when it was last believed; 0: never */
} WallClock;

int64_t wall_clock_now(const WallClock *clock);
/* What it shows, suspected or not. */
int64_t wall_clock_reading(const WallClock *clock);
/* How far that is from where the last time believed has got to; 0 when there is none. */
int64_t wall_clock_jump(const WallClock *clock);
/* Whether it has not jumped further, either way, or a time source confirms it. */
bool wall_clock_is_plausible(const WallClock *clock, int64_t limit);
/* It is right as it is. */
void wall_clock_believe(WallClock *clock);
/* Of a program that starts: the last time believed was this one, or 0; suspects it if need be. */
void wall_clock_begin(WallClock *clock, int64_t seen, int64_t limit);
/* Since the machine started: never set, goes on while it sleeps. */
int64_t boot_clock_now(void);
/* Whether a time source keeps it right, as the kernel knows; false also if it does not tell us. */
bool wall_clock_is_synchronised(const WallClock *clock);
