/* SPDX-License-Identifier: Apache-2.0 */

#include "runtime/background.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "base/macro.h"
#include "runtime/commit.h"

#define PATIENCE_ACCURACY 1000 /* microseconds */

struct Background {
        BackgroundWork work;
        void *userdata;
        sd_event_source *slice; /* runs when it is its turn */
        sd_event_source *waits; /* runs it when others have gone first for too long */
};

void background_wake(Background *background) {
        int on;

        sd_event_source_set_enabled(background->slice, SD_EVENT_ONESHOT);
        if (sd_event_source_get_enabled(background->waits, &on) >= 0 && on == SD_EVENT_OFF &&
            sd_event_source_set_time_relative(background->waits, BACKGROUND_PATIENCE) >= 0)
                sd_event_source_set_enabled(background->waits, SD_EVENT_ONESHOT);
}

void background_rest(Background *background) {
        sd_event_source_set_enabled(background->slice, SD_EVENT_OFF);
        sd_event_source_set_enabled(background->waits, SD_EVENT_OFF);
}

static void run(Background *background) {
        background_rest(background);
        background->work(background->userdata);
}

static int on_slice(sd_event_source *source _unused_, void *userdata) {
        run(userdata);
        return 0;
}

static int on_waited(sd_event_source *source _unused_, uint64_t usec _unused_, void *userdata) {
        run(userdata);
        return 0;
}

int background_new(sd_event *event, int64_t priority, BackgroundWork work, void *userdata,
                   Background **ret) {
        Background *background = calloc(1, sizeof(*background));
        int r;

        if (!background)
                return -ENOMEM;
        *background = (Background){ .work = work, .userdata = userdata };
        r = sd_event_add_defer(event, &background->slice, on_slice, background);
        if (r >= 0)
                r = sd_event_source_set_priority(background->slice, priority);
        if (r >= 0)
                r = sd_event_source_set_enabled(background->slice, SD_EVENT_OFF);
        if (r >= 0)
                r = sd_event_add_time(event, &background->waits, CLOCK_MONOTONIC, UINT64_MAX,
                                      PATIENCE_ACCURACY, on_waited, background);
        if (r >= 0)
                r = sd_event_source_set_priority(background->waits, PRIORITY_HEALTH);
        if (r >= 0)
                r = sd_event_source_set_enabled(background->waits, SD_EVENT_OFF);
        if (r < 0) {
                background_free(background);
                return r;
        }
        *ret = background;
        return 0;
}

Background *background_free(Background *background) {
        if (!background)
                return NULL;
        sd_event_source_disable_unref(background->slice);
        sd_event_source_disable_unref(background->waits);
        free(background);
        return NULL;
}
