/* SPDX-License-Identifier: Apache-2.0 */

#include "runtime/watchdog.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <systemd/sd-daemon.h>

#include "base/log.h"

#define TROUBLE_SIZE 128

struct Watchdog {
        Store *store;
        DueTimer *due;
        StatusLine *status;
        sd_event_source *timer; /* NULL: no pings are wanted */
        int64_t period;
        uint64_t turns; /* of the due timer when it was last seen to get on */
        int64_t since;  /* and when that was */
        bool said;      /* that the pings have stopped */
};

/* Whether a new start could help against an error of the store. */
static bool may_mend(int error) {
        return error < 0 && error != -ENOSPC && error != -EDQUOT && error != -ENOMEM &&
               error != -EBADMSG;
}

/* Whether all is well; else what is not. */
static bool is_well(Watchdog *w, int64_t now, char trouble[static TROUBLE_SIZE]) {
        DueHealth health = due_health(w->due);

        if (!store_has_batch(w->store))
                store_release(w->store);
        if (store_is_dead(w->store) || may_mend(health.error)) {
                snprintf(trouble, TROUBLE_SIZE, "the store cannot be read: %s",
                         health.error ? strerror(-health.error) : "its medium failed");
                return false;
        }
        if (health.suspect || health.lag == 0 || health.turns != w->turns) {
                w->turns = health.turns;
                w->since = now;
        }
        if (now - w->since <= w->period)
                return true;
        snprintf(trouble, TROUBLE_SIZE,
                 "something has been due for %" PRId64 " s and nothing happens",
                 health.lag / USEC_PER_SEC);
        return false;
}

static int on_timer(sd_event_source *source, uint64_t usec _unused_, void *userdata) {
        char trouble[TROUBLE_SIZE];
        Watchdog *w = userdata;
        uint64_t now;
        int r;

        r = sd_event_now(sd_event_source_get_event(source), CLOCK_MONOTONIC, &now);
        if (r < 0)
                return r;
        if (is_well(w, (int64_t)now, trouble)) {
                sd_notify(false, "WATCHDOG=1");
                if (w->said)
                        log_notice("watchdog: all is well again");
                w->said = false;
        } else if (!w->said) {
                log_at(LOG_CRIT, "watchdog: %s; no more pings, the service manager restarts us",
                       trouble);
                w->said = true;
        }
        if (w->status)
                status_line_refresh(w->status);
        r = sd_event_source_set_time_relative(source, (uint64_t)w->period / WATCHDOG_TURNS);
        return r < 0 ? r : sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

int watchdog_new(sd_event *event, Store *store, DueTimer *due, StatusLine *status, Watchdog **ret) {
        uint64_t period, now;
        Watchdog *w;
        int r;

        w = calloc(1, sizeof(*w));
        if (!w)
                return -ENOMEM;
        *w = (Watchdog){ .store = store, .due = due, .status = status };
        r = sd_watchdog_enabled(false, &period);
        if (r > 0) {
                w->period = (int64_t)period;
                r = sd_event_now(event, CLOCK_MONOTONIC, &now);
                w->since = (int64_t)now;
                /* The first look is at once: an early ping does no harm. */
                if (r >= 0)
                        r = sd_event_add_time(event, &w->timer, CLOCK_MONOTONIC, now,
                                              period / WATCHDOG_TURNS / 4, on_timer, w);
                if (r >= 0)
                        r = sd_event_source_set_priority(w->timer, PRIORITY_HEALTH);
        }
        if (r < 0) {
                watchdog_free(w);
                return r;
        }
        *ret = w;
        return 0;
}

Watchdog *watchdog_free(Watchdog *w) {
        if (!w)
                return NULL;
        sd_event_source_disable_unref(w->timer);
        free(w);
        return NULL;
}
