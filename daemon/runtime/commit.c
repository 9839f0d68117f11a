/* SPDX-License-Identifier: Apache-2.0 */

#include "runtime/commit.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>

#include "base/log.h"

#define WATCHERS_MAX    8
#define SETTLE_AFTER    1000000 /* microseconds */
#define SETTLE_ACCURACY 100000

struct Committer {
        Store *store;
        sd_event *event;
        sd_event_source *source;  /* runs once the bus has nothing more to hand over */
        sd_event_source *late;    /* ends a batch, whatever the bus has to hand over */
        sd_event_source *settle;  /* armed while the log has what the database has not */
        sd_event_source *written; /* a checkpoint that was written beside */
        sd_event_source *logged;  /* a batch, likewise */
        bool writing;             /* that */
        size_t changes_writing;   /* in it */
        bool timed;               /* `late` runs for the open batch */
        CommitterCounts counts;
        bool failing;
        size_t n_watchers;
        struct {
                CommitWatcher watcher;
                void *userdata;
        } watchers[WATCHERS_MAX];
};

/* A full disk fails every commit until there is room: it is said once, and once that it is over. */
static void say_state(Committer *c, size_t changes, int result) {
        if (result < 0 && !c->failing)
                log_at(result == -ENOSPC ? LOG_ERR : LOG_CRIT, "cannot commit %zu changes: %s",
                       changes, strerror(-result));
        else if (result == 0 && c->failing && changes > 0)
                log_notice("changes can be committed again");
        else
                return;
        c->failing = result < 0;
}

static void end_process(Committer *c, int result) {
        log_at(LOG_CRIT,
               "the store's medium failed; ending, so that a restart begins from what is safe "
               "on it");
        sd_event_exit(c->event, result);
}

/* Damage is in what was to be changed, not in the medium: a new start would find it again. */
static void judge(Committer *c, int result) {
        if (result < 0 && result != -ENOSPC && result != -ENOMEM && result != -EBADMSG)
                end_process(c, result);
}

static int arm_settling(Committer *c) {
        int r, on;

        r = sd_event_source_get_enabled(c->settle, &on);
        if (r < 0 || on != SD_EVENT_OFF || store_is_settled(c->store))
                return r;
        r = sd_event_source_set_time_relative(c->settle, SETTLE_AFTER);
        return r < 0 ? r : sd_event_source_set_enabled(c->settle, SD_EVENT_ONESHOT);
}

static void take_result(Committer *c, int r) {
        if (r == -EAGAIN) /* there will be one */
                return;
        say_state(c, 1, r);
        judge(c, r);
        arm_settling(c); /* again later, if there was no room */
}

static int on_settle(sd_event_source *source _unused_, uint64_t usec _unused_, void *userdata) {
        Committer *c = userdata;

        if (committer_commit(c) == 0)
                take_result(c, store_begin_checkpoint(c->store));
        return 0;
}

static int on_written(sd_event_source *source _unused_, int fd _unused_, uint32_t events _unused_,
                      void *userdata) {
        Committer *c = userdata;

        take_result(c, store_end_checkpoint(c->store));
        return 0;
}

/* A batch has ended. */
static void tell(Committer *c, size_t changes, int result) {
        if (result == 0 && changes > 0) {
                c->counts.commits++;
                c->counts.changes += changes;
        }
        if (result < 0) {
                c->counts.failures++;
                c->counts.error = result;
        }
        say_state(c, changes, result);
        for (size_t i = 0; i < c->n_watchers; i++)
                c->watchers[i].watcher(c->watchers[i].userdata, result);
        store_release(c->store);
        judge(c, result);
        arm_settling(c);
}

/* Of the batch whose frame is written beside, the result; 0 also while there is none yet. */
static int collect(Committer *c, bool wait) {
        int r;

        if (!c->writing)
                return 0;
        r = store_end_commit(c->store, wait);
        if (r == -EAGAIN)
                return 0;
        c->writing = false;
        if (r < 0) { /* the next has failed with it, and who is told should find none */
                assert(store_batch_changes(c->store) == 0);
                store_commit(c->store);
                c->timed = false;
        }
        tell(c, c->changes_writing, r);
        if (store_has_batch(c->store)) /* its turn */
                sd_event_source_set_enabled(c->source, SD_EVENT_ONESHOT);
        return r;
}

int committer_commit(Committer *c) {
        int collected = collect(c, true), r;
        size_t changes = store_batch_changes(c->store);

        if (!store_has_batch(c->store) && !store_is_dead(c->store))
                return collected;
        r = store_commit(c->store);
        c->timed = false;
        tell(c, changes, r);
        assert(!store_has_batch(c->store));
        return collected < 0 ? collected : r;
}

int committer_end_batch(Committer *c) {
        size_t changes = store_batch_changes(c->store);
        int r;

        if (!store_has_batch(c->store))
                return collect(c, false);
        if (changes < BATCH_CHANGES_MAX) /* whoever waits for it has nothing else to say */
                return committer_commit(c);
        r = collect(c, true);
        if (r < 0)
                return r;
        r = store_begin_commit(c->store);
        c->timed = false;
        c->writing = r == -EAGAIN;
        c->changes_writing = changes;
        if (c->writing)
                return 0;
        tell(c, changes, r);
        return r;
}

static int on_idle(sd_event_source *source _unused_, void *userdata) {
        Committer *c = userdata;

        collect(c, false);
        if (!c->writing) /* else its end comes back here */
                committer_end_batch(c);
        return 0;
}

static int arm_late(Committer *c) {
        int r = sd_event_source_set_time_relative(c->late, BATCH_AGE_MAX);

        return r < 0 ? r : sd_event_source_set_enabled(c->late, SD_EVENT_ONESHOT);
}

/* Much is answered without coming to a handler, and would keep the loop from being idle. */
static int on_late(sd_event_source *source _unused_, uint64_t usec _unused_, void *userdata) {
        Committer *c = userdata;

        if (c->timed && c->writing) /* nobody waits for the medium here */
                c->timed = arm_late(c) >= 0;
        else if (c->timed)
                committer_end_batch(c);
        return 0;
}

static int on_logged(sd_event_source *source _unused_, int fd _unused_, uint32_t events _unused_,
                     void *userdata) {
        collect(userdata, false);
        return 0;
}

int committer_touch(Committer *c) {
        int r;

        if (store_is_dead(c->store))
                return committer_commit(c);
        r = collect(c, false);
        if (r < 0)
                return r;
        if (!store_has_batch(c->store)) {
                store_release(c->store);
                return 0;
        }
        if (!c->timed)
                c->timed = arm_late(c) >= 0;
        if (store_batch_changes(c->store) >= BATCH_CHANGES_MAX ||
            store_batch_bytes(c->store) >= BATCH_BYTES_MAX)
                return committer_end_batch(c);
        sd_event_source_set_enabled(c->source, SD_EVENT_ONESHOT);
        return 0;
}

void committer_watch(Committer *c, CommitWatcher watcher, void *userdata) {
        assert(c->n_watchers < WATCHERS_MAX);
        c->watchers[c->n_watchers].watcher = watcher;
        c->watchers[c->n_watchers++].userdata = userdata;
}

CommitterCounts committer_counts(const Committer *c) {
        return c->counts;
}

int committer_new(sd_event *event, Store *store, Committer **ret) {
        Committer *c = calloc(1, sizeof(*c));
        int r;

        if (!c)
                return -ENOMEM;
        c->store = store;
        c->event = event;
        r = sd_event_add_time_relative(event, &c->settle, CLOCK_MONOTONIC, 0, SETTLE_ACCURACY,
                                       on_settle, c);
        if (r >= 0)
                r = sd_event_source_set_enabled(c->settle, SD_EVENT_OFF);
        if (r >= 0)
                r = sd_event_add_time(event, &c->late, CLOCK_MONOTONIC, UINT64_MAX, 1, on_late, c);
        if (r >= 0)
                r = sd_event_source_set_priority(c->late, PRIORITY_HEALTH);
        if (r >= 0)
                r = sd_event_source_set_enabled(c->late, SD_EVENT_OFF);
        if (r >= 0 && store_checkpoint_fd(store) >= 0)
                r = sd_event_add_io(event, &c->written, store_checkpoint_fd(store), EPOLLIN,
                                    on_written, c);
        if (r >= 0 && store_commit_fd(store) >= 0) {
                r = sd_event_add_io(event, &c->logged, store_commit_fd(store), EPOLLIN, on_logged,
                                    c);
                if (r >= 0)
                        r = sd_event_source_set_priority(c->logged, PRIORITY_LOGGED);
        }
        if (r >= 0)
                r = sd_event_add_defer(event, &c->source, on_idle, c);
        if (r >= 0)
                r = sd_event_source_set_priority(c->source, PRIORITY_COMMIT);
        if (r >= 0)
                r = sd_event_source_set_enabled(c->source, SD_EVENT_OFF);
        if (r < 0) {
                committer_free(c);
                return r;
        }
        *ret = c;
        return 0;
}

Committer *committer_free(Committer *c) {
        if (!c)
                return NULL;
        sd_event_source_disable_unref(c->source);
        sd_event_source_disable_unref(c->late);
        sd_event_source_disable_unref(c->settle);
        sd_event_source_disable_unref(c->written);
        sd_event_source_disable_unref(c->logged);
        free(c);
        return NULL;
}
