/* SPDX-License-Identifier: Apache-2.0 */

#include "runtime/recompute.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "aftersales/limits.h"
#include "base/log.h"
#include "runtime/background.h"

/* Without room, or while the clock is not believed, so long until the next try. */
#define RETRY_AFTER (5 * USEC_PER_SEC)

struct Recompute {
        const Engine *engine;
        Store *store;
        const WallClock *clock;
        Committer *committer;
        DueTimer *due;
        Background *slices;
        sd_event_source *again;
        int64_t version; /* being walked for; 0: no walk is under way */
        Key position;    /* in the index of due times */
        uint64_t done, failed;
};

/* One that cannot be computed keeps the times it has, and is said when it is due. */
static void say_failure(Recompute *rc, const DueCase *due, int r) {
        const Kind *kind = engine_kind(rc->engine, due->kind);
        char number[CASE_NUMBER_SIZE];

        if (rc->failed++ == 0)
                log_at(LOG_CRIT, "%s %s cannot be computed by policy %" PRId64 ": %s",
                       kind ? kind->name : "case",
                       case_number(kind ? kind->letter : '#', due->id, number), rc->version,
                       strerror(-r));
}

/* 0 to go on, -ENOENT at the end, other negative errno. */
static int work_once(Recompute *rc, int64_t now) {
        DueCase due;
        int r;

        r = engine_next_due(rc->store, &rc->position, &due);
        if (r < 0)
                return r;
        r = engine_recompute(rc->engine, rc->store, due.kind, due.id, now);
        if (r == 0)
                rc->done++;
        else if (r == -ERANGE || r == -EBADMSG)
                say_failure(rc, &due, r);
        else if (r != -ENOENT)
                return r;
        return 0;
}

static int note_end(Recompute *rc, int64_t now) {
        Origin origin = engine_origin(rc->engine, now, "recompute");
        Change *change;
        int r = change_begin(rc->store, &change);

        if (r < 0)
                return r;
        r = version_recomputed(change, rc->version, now);
        if (r == 0)
                return change_apply(change, &origin);
        change_drop(change);
        return r;
}

static void finish(Recompute *rc, int64_t now) {
        int r = rc->failed > 0 ? 0 : note_end(rc, now);

        if (r < 0)
                log_error("the end of computing the open cases cannot be noted: %s", strerror(-r));
        log_at(rc->done + rc->failed > 0 ? LOG_NOTICE : LOG_DEBUG,
               "policy %" PRId64 ": computed %" PRIu64 " open cases anew, %" PRIu64 " could not be",
               rc->version, rc->done, rc->failed);
        rc->version = 0;
}

static void wait_a_while(Recompute *rc) {
        sd_event_source_set_time_relative(rc->again, RETRY_AFTER);
        sd_event_source_set_enabled(rc->again, SD_EVENT_ONESHOT);
}

static void work_slice(void *userdata) {
        Recompute *rc = userdata;
        int64_t now = wall_clock_now(rc->clock), began = boot_clock_now();
        unsigned done = 0;
        int r = 0;

        if (due_health(rc->due).suspect) {
                wait_a_while(rc);
                return;
        }
        while (r == 0 && done++ < RECOMPUTE_SLICE_CASES &&
               boot_clock_now() - began < RECOMPUTE_SLICE_TIME)
                r = work_once(rc, now);
        if (r == 0)
                background_wake(rc->slices);
        else if (r == -ENOENT)
                finish(rc, now);
        else {
                /* The batch is lost, and with it what this walk has done since the last one. */
                log_error("the open cases cannot be computed anew: %s; trying again", strerror(-r));
                rc->position = (Key){};
                wait_a_while(rc);
        }
        committer_touch(rc->committer);
}

static int on_again(sd_event_source *source _unused_, uint64_t usec _unused_, void *userdata) {
        Recompute *rc = userdata;

        background_wake(rc->slices);
        return 0;
}

/* A batch that failed took along what this walk did in it. */
static void on_commit(void *userdata, int result) {
        Recompute *rc = userdata;

        if (result < 0)
                rc->position = (Key){};
}

void recompute_begin(Recompute *rc) {
        int64_t number = engine_version(rc->engine)->number;
        PolicyVersion version = {};
        int r = version_get(rc->store, number, &version);

        if (r < 0 && r != -ENOENT)
                log_error("the policy in force cannot be read: %s", strerror(-r));
        rc->version = r == 0 && !version.recomputed_at ? number : 0;
        rc->position = (Key){};
        rc->done = rc->failed = 0;
        version_done(&version);
        if (rc->version)
                background_wake(rc->slices);
        else
                background_rest(rc->slices);
        sd_event_source_set_enabled(rc->again, SD_EVENT_OFF);
}

bool recompute_is_running(const Recompute *rc) {
        return rc->version != 0;
}

int recompute_new(sd_event *event, const Engine *engine, Store *store, const WallClock *clock,
                  Committer *committer, DueTimer *due, Recompute **ret) {
        Recompute *rc = calloc(1, sizeof(*rc));
        int r;

        if (!rc)
                return -ENOMEM;
        *rc = (Recompute){
                .engine = engine, .store = store, .clock = clock, .committer = committer, .due = due
        };
        r = background_new(event, PRIORITY_JOB, work_slice, rc, &rc->slices);
        if (r >= 0)
                r = sd_event_add_time(event, &rc->again, CLOCK_MONOTONIC, UINT64_MAX, USEC_PER_SEC,
                                      on_again, rc);
        if (r >= 0)
                r = sd_event_source_set_enabled(rc->again, SD_EVENT_OFF);
        if (r < 0) {
                recompute_free(rc);
                return r;
        }
        committer_watch(committer, on_commit, rc);
        *ret = rc;
        return 0;
}

Recompute *recompute_free(Recompute *rc) {
        if (!rc)
                return NULL;
        background_free(rc->slices);
        sd_event_source_disable_unref(rc->again);
        free(rc);
        return NULL;
}
