/* SPDX-License-Identifier: Apache-2.0 */

#include "base/clock.h"

#include <sys/timex.h>
#include <time.h>

static int64_t read_clock(clockid_t id) {
        struct timespec ts;

        clock_gettime(id, &ts);
        return ts.tv_sec * INT64_C(1000000) + ts.tv_nsec / 1000;
}

int64_t wall_clock_reading(const WallClock *clock) {
        return clock->manual ? clock->now : read_clock(CLOCK_REALTIME);
}

static int64_t carried_on(const WallClock *clock) {
        return clock->seen_wall + (clock->manual ? 0 : boot_clock_now() - clock->seen_boot);
}

int64_t wall_clock_now(const WallClock *clock) {
        return clock->suspect ? carried_on(clock) : wall_clock_reading(clock);
}

int64_t wall_clock_jump(const WallClock *clock) {
        return clock->seen_wall ? wall_clock_reading(clock) - carried_on(clock) : 0;
}

bool wall_clock_is_plausible(const WallClock *clock, int64_t limit) {
        int64_t jump = wall_clock_jump(clock);

        return (jump <= limit && jump >= -limit) || wall_clock_is_synchronised(clock);
}

void wall_clock_believe(WallClock *clock) {
        clock->suspect = false;
        clock->seen_wall = wall_clock_reading(clock);
        clock->seen_boot = boot_clock_now();
}

void wall_clock_begin(WallClock *clock, int64_t seen, int64_t limit) {
        clock->seen_wall = seen;
        clock->seen_boot = boot_clock_now();
        clock->suspect = !wall_clock_is_plausible(clock, limit);
}

int64_t boot_clock_now(void) {
        return read_clock(CLOCK_BOOTTIME);
}

bool wall_clock_is_synchronised(const WallClock *clock) {
        struct timex timex = {};
        int state;

        if (clock->manual)
                return !clock->unsynchronised;
        state = adjtimex(&timex);
        return state >= 0 && state != TIME_ERROR && !(timex.status & STA_UNSYNC);
}
