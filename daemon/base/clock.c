/* SPDX-License-Identifier: Apache-2.0 */

#include "base/clock.h"

#include <sys/timex.h>
#include <time.h>

static int64_t read_clock(clockid_t id) {
        struct timespec ts;

        clock_gettime(id, &ts);
        return ts.tv_sec * INT64_C(1000000) + ts.tv_nsec / 1000;
}

int64_t wall_clock_now(const WallClock *clock) {
        return clock->manual ? clock->now : read_clock(CLOCK_REALTIME);
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
