/* SPDX-License-Identifier: Apache-2.0 */

#include "runtime/due.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/timerfd.h>

#include "aftersales/limits.h"
#include "base/log.h"
#include "runtime/background.h"

/* Summaries made ready in one change, within what a journal record holds. */
#define RELEASE_AT_ONCE 64
/* An event is due once its instant has passed. */
#define AFTER 1
/* After a failure, so long until the next try. */
#define RETRY_AFTER (1 * USEC_PER_SEC)
/* While the clock is suspected, so long between two questions. */
#define ASK_AFTER (60 * USEC_PER_SEC)

/* What is passed over, because it could not be done. */
typedef struct DuePast {
        Key position; /* cases up to it */
        bool periodics;
} DuePast;

struct DueTimer {
        const Engine *engine;
        Store *store;
        WallClock *clock;
        Committer *committer;
        const Periodic *const *periodics;
        sd_event_source *timer; /* armed at the next instant */
        Background *slices;     /* work while there is a backlog */
        sd_event_source *watch; /* the wall clock was set */
        sd_event_source *again; /* asks once more whether the clock is right */
        AskTimeSource ask;      /* or NULL */
        void *ask_userdata;
        int watch_fd;
        DuePast past;     /* in the walk over what is due, which may take several slices */
        bool planned;     /* the periodic work, by this policy and clock */
        int64_t retry_at; /* by the boot clock, what could not be done or read; 0: all went well */
        bool said;        /* and was logged, until all goes well again */
        bool behind;      /* the oldest event is late */
        uint64_t turns;   /* see DueHealth */
};

/* ---- is the clock to be believed? ---- */

static void ask_time_source(DueTimer *due) {
        if (due->ask)
                due->ask(due->ask_userdata);
        sd_event_source_set_time_relative(due->again, ASK_AFTER);
        sd_event_source_set_enabled(due->again, SD_EVENT_ONESHOT);
}

static int on_again(sd_event_source *source _unused_, uint64_t usec _unused_, void *userdata) {
        DueTimer *due = userdata;

        due_rearm(due); /* it may have come back by itself */
        if (due->clock->suspect)
                ask_time_source(due);
        return 0;
}

static int64_t suspect_jump(const DueTimer *due) {
        return engine_policy(due->engine)->suspect_jump * USEC_PER_SEC;
}

static void suspect_clock(DueTimer *due) {
        due->clock->suspect = true;
        log_at(LOG_CRIT,
               "clock-suspect: the clock jumped by %" PRId64
               " s and no time source confirms it; what is called happens as if it had not, and "
               "nothing is escalated until 'aftersalesctl clock accept' or a correct clock",
               wall_clock_jump(due->clock) / USEC_PER_SEC);
        ask_time_source(due);
}

static void believe_clock(DueTimer *due) {
        wall_clock_believe(due->clock);
        store_note_time(due->store, due->clock->seen_wall);
}

static void judge_clock(DueTimer *due) {
        if (due->clock->suspect)
                return;
        if (wall_clock_is_plausible(due->clock, suspect_jump(due)))
                believe_clock(due);
        else
                suspect_clock(due);
}

/* While it is not believed, the clock may come back by itself. */
static void judge_again(DueTimer *due) {
        if (!due->clock->suspect || !wall_clock_is_plausible(due->clock, suspect_jump(due)))
                return;
        log_notice("clock-suspect is over: the clock is believed again");
        due_accept_clock(due);
}

/* ---- working off ---- */

static int release_summaries(DueTimer *due, int64_t now) {
        Origin origin = engine_origin(due->engine, now, "summarise");
        Change *change;
        size_t n;
        int r;

        if (!notification_is_gathering(due->store))
                return -ENOENT;
        r = change_begin(due->store, &change);
        if (r < 0)
                return r;
        r = notification_release(change, RELEASE_AT_ONCE, &n);
        if (r < 0 || n == 0) {
                change_drop(change);
                return r < 0 ? r : -ENOENT;
        }
        return change_apply(change, &origin);
}

/* What is due first: periodic work, or a case. */
typedef struct DueWork {
        int64_t at;
        const Periodic *periodic; /* or NULL */
        DueCase first;
} DueWork;

static int find_work(DueTimer *due, DuePast *past, DueWork *ret) {
        const Periodic *periodic = NULL;
        DueWork work = {};
        int64_t at = 0;
        int r;

        r = engine_next_due(due->store, &past->position, &work.first);
        if (r < 0 && r != -ENOENT)
                return r;
        work.at = r == 0 ? work.first.at : 0;
        r = past->periodics ? -ENOENT
                            : periodic_next_due(due->store, due->periodics, &periodic, &at);
        if (r < 0 && r != -ENOENT)
                return r;
        if (r == 0 && (!work.at || at <= work.at)) {
                work.at = at;
                work.periodic = periodic;
        }
        *ret = work;
        return work.at ? 0 : -ENOENT;
}

static int do_work(DueTimer *due, const DueWork *work, int64_t now) {
        return work->periodic ? periodic_step(due->engine, due->store, work->periodic, now)
                              : engine_fire(due->engine, due->store, work->first.kind,
                                            work->first.id, now);
}

/* However often somebody looks meanwhile. */
static void try_again(DueTimer *due) {
        if (!due->retry_at)
                due->retry_at = boot_clock_now() + RETRY_AFTER;
}

/* What cannot be handled must not hold up all else: it is said once, passed over and tried again
 * when all else has been done. */
static void say_failure(DueTimer *due, const DueWork *at_fault, int r) {
        const Kind *kind = at_fault ? engine_kind(due->engine, at_fault->first.kind) : NULL;
        char number[CASE_NUMBER_SIZE];

        if (!due->said && at_fault && at_fault->periodic)
                log_at(LOG_CRIT, "the periodic work %s cannot be done: %s; trying again",
                       at_fault->periodic->name, strerror(-r));
        else if (!due->said && at_fault)
                log_at(LOG_CRIT, "what is due on %s %s cannot happen: %s; trying again",
                       kind ? kind->name : "case", case_number('#', at_fault->first.id, number),
                       strerror(-r));
        else if (!due->said)
                log_error("what is due cannot be worked off: %s; trying again", strerror(-r));
        due->said = true;
}

/* Nothing that can be done is left: what could not is tried again, after a while. */
static void end_walk(DueTimer *due) {
        if (due->past.periodics || due->past.position.size > 0)
                try_again(due);
        else
                due->said = false;
        due->past = (DuePast){};
}

/* What was done may have been lost. */
static void break_walk(DueTimer *due, int r) {
        say_failure(due, NULL, r);
        try_again(due);
        due->past = (DuePast){};
}

/* The next event, or when none is due the summaries of those that came late. -ENOENT: nothing to
 * do. */
static int work_once(DueTimer *due, int64_t now) {
        DuePast next = due->past;
        DueWork work;
        int r;

        r = find_work(due, &next, &work);
        if (r == 0 && work.at < now) {
                r = do_work(due, &work, now);
                if (r != -EBADMSG && r != -ENOENT && r != -ERANGE && r != -EAGAIN)
                        return MIN(r, 0);
                say_failure(due, &work, r);
                if (work.periodic)
                        due->past.periodics = true;
                else
                        due->past.position = next.position;
                return 0;
        }
        return r < 0 && r != -ENOENT ? r : release_summaries(due, now);
}

/* The earliest instant that is armed, or 0. */
static int next_instant(DueTimer *due, int64_t *ret) {
        DuePast past = {};
        DueWork work = {};
        int r = find_work(due, &past, &work);

        if (r < 0 && r != -ENOENT)
                return r;
        *ret = work.at;
        return 0;
}

static int plan(DueTimer *due) {
        int r = due->planned ? 0
                             : periodic_plan(due->engine, due->store, due->periodics,
                                             wall_clock_now(due->clock));

        due->planned = r == 0;
        return r;
}

static void arm_timer(DueTimer *due, int64_t at) {
        if (due->retry_at)
                sd_event_source_set_time_relative(
                        due->timer, (uint64_t)MAX(due->retry_at - boot_clock_now(), INT64_C(0)));
        else if (at && !due->clock->manual && !due->clock->suspect)
                sd_event_source_set_time(due->timer, (uint64_t)(at + AFTER));
        else {
                sd_event_source_set_enabled(due->timer, SD_EVENT_OFF);
                return;
        }
        sd_event_source_set_enabled(due->timer, SD_EVENT_ONESHOT);
}

/* Falling behind is said once, and once that it is over. */
static void judge_lag(DueTimer *due, int64_t now) {
        int64_t at, limit = engine_policy(due->engine)->late_after * USEC_PER_SEC;
        bool behind;

        if (next_instant(due, &at) < 0)
                return;
        behind = at && now - at > limit;
        if (behind && !due->behind)
                log_warning("catching up: the oldest event is %" PRId64 " s late",
                            (now - at) / USEC_PER_SEC);
        else if (!behind && due->behind)
                log_notice("caught up with what was due");
        due->behind = behind;
}

static void work_slice(void *userdata) {
        DueTimer *due = userdata;
        int64_t now, began = boot_clock_now();
        unsigned done = 0;
        int r;

        judge_clock(due);
        if (due->clock->suspect)
                return;
        due->retry_at = 0;
        now = wall_clock_now(due->clock);
        r = plan(due);
        judge_lag(due, now);
        while (r == 0 && done < DUE_SLICE_EVENTS) {
                r = work_once(due, now);
                done += r == 0;
                if (boot_clock_now() - began > DUE_SLICE_TIME)
                        break;
        }
        if (done > 0 || r == -ENOENT || r == -ENOSPC || r == -EDQUOT)
                due->turns++;
        if (r == -ENOENT)
                end_walk(due);
        else if (r < 0) {
                break_walk(due, r);
                committer_touch(due->committer);
        }
        /* A further slice need not wait for the disk. */
        committer_end_batch(due->committer);
        due_rearm(due);
}

static int on_timer(sd_event_source *source _unused_, uint64_t usec _unused_, void *userdata) {
        DueTimer *due = userdata;

        background_wake(due->slices);
        return 0;
}

void due_rearm(DueTimer *due) {
        int64_t at = 0;
        int r;

        judge_again(due);
        r = next_instant(due, &at);
        if (r < 0) /* it is not known what comes next */
                try_again(due);
        if (!due->clock->suspect && !due->retry_at &&
            ((at && at < wall_clock_now(due->clock)) || notification_is_gathering(due->store)))
                background_wake(due->slices);
        store_release(due->store);
        arm_timer(due, at);
}

void due_replan(DueTimer *due) {
        due->planned = false;
        if (!due->clock->suspect) {
                plan(due); /* else the next slice tries again */
                committer_touch(due->committer);
        }
        due_rearm(due);
        background_wake(due->slices);
}

static void on_commit(void *userdata, int result) {
        DueTimer *due = userdata;

        if (result < 0) {
                due->planned = false; /* which may have been lost with the batch */
                break_walk(due, result);
        }
        due_rearm(due);
}

/* ---- the clock being set ---- */

static int arm_watch(DueTimer *due) {
        struct itimerspec never = { .it_value.tv_sec = INT32_MAX * INT64_C(100) };

        if (timerfd_settime(due->watch_fd, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &never,
                            NULL) < 0)
                return -errno;
        return 0;
}

static int on_clock_set(sd_event_source *source _unused_, int fd, uint32_t events _unused_,
                        void *userdata) {
        DueTimer *due = userdata;
        uint64_t expirations;

        if (read(fd, &expirations, sizeof(expirations)) < 0 && errno == ECANCELED)
                log_notice("the wall clock was set; looking again at what is due");
        judge_clock(due);
        due_replan(due);
        return arm_watch(due);
}

static int watch_clock(DueTimer *due, sd_event *event) {
        int r;

        due->watch_fd = timerfd_create(CLOCK_REALTIME, TFD_NONBLOCK | TFD_CLOEXEC);
        if (due->watch_fd < 0)
                return -errno;
        r = arm_watch(due);
        if (r < 0)
                return r;
        return sd_event_add_io(event, &due->watch, due->watch_fd, EPOLLIN, on_clock_set, due);
}

/* ---- as an object ---- */

DueHealth due_health(DueTimer *due) {
        DueHealth health = { .suspect = due->clock->suspect,
                             .behind = due->behind,
                             .turns = due->turns };
        DuePast past = {};
        DueWork work;
        int r = find_work(due, &past, &work);

        if (r == 0) {
                health.next = work.at;
                health.lag = MAX(wall_clock_now(due->clock) - work.at, INT64_C(0));
        } else if (r != -ENOENT)
                health.error = r;
        return health;
}

void due_set_time_source(DueTimer *due, AskTimeSource ask, void *userdata) {
        due->ask = ask;
        due->ask_userdata = userdata;
        if (due->clock->suspect)
                ask_time_source(due);
}

void due_confirm_clock(DueTimer *due) {
        if (!due->clock->suspect)
                return;
        log_notice("clock-suspect is over: a time source keeps the clock right");
        due_accept_clock(due);
}

void due_accept_clock(DueTimer *due) {
        believe_clock(due);
        due->planned = false;
        background_wake(due->slices);
}

int due_advance(DueTimer *due, int64_t until, uint64_t *ret_fired) {
        uint64_t fired = 0;
        int r = plan(due);

        while (r >= 0) {
                DuePast past = {};
                DueWork work;

                r = find_work(due, &past, &work);
                if (r < 0 || work.at >= until)
                        break;
                due->clock->now = MAX(due->clock->now, work.at + AFTER);
                r = do_work(due, &work, due->clock->now);
                if (r < 0)
                        return r;
                fired += r == 0 && !work.periodic;
                r = committer_touch(due->committer);
                if (r < 0)
                        return r;
        }
        if (r < 0 && r != -ENOENT)
                return r;
        due->clock->now = MAX(due->clock->now, until);
        believe_clock(due);
        *ret_fired = fired;
        return 0;
}

void due_jump(DueTimer *due, int64_t to) {
        due->clock->now = to;
        judge_clock(due);
        due_replan(due);
}

int due_new(sd_event *event, const Engine *engine, Store *store, WallClock *clock,
            Committer *committer, const Periodic *const *periodics, DueTimer **ret) {
        DueTimer *due = calloc(1, sizeof(*due));
        int r;

        if (!due)
                return -ENOMEM;
        *due = (DueTimer){ .engine = engine,
                           .store = store,
                           .clock = clock,
                           .committer = committer,
                           .periodics = periodics,
                           .watch_fd = -1 };
        r = sd_event_add_time(event, &due->timer, CLOCK_REALTIME, UINT64_MAX, 1, on_timer, due);
        if (r >= 0)
                r = sd_event_source_set_priority(due->timer, PRIORITY_HEALTH); /* wakes only */
        if (r >= 0)
                r = background_new(event, PRIORITY_DUE, work_slice, due, &due->slices);
        if (r >= 0)
                r = sd_event_add_time(event, &due->again, CLOCK_MONOTONIC, UINT64_MAX, USEC_PER_SEC,
                                      on_again, due);
        if (r >= 0)
                r = sd_event_source_set_enabled(due->again, SD_EVENT_OFF);
        if (r >= 0 && !clock->manual)
                r = watch_clock(due, event);
        if (r < 0) {
                due_free(due);
                return r;
        }
        committer_watch(committer, on_commit, due);
        /* Before the first call, which may have started us, or the last. */
        if (clock->suspect)
                suspect_clock(due);
        judge_clock(due);
        if (!due->clock->suspect && plan(due) == 0)
                committer_commit(committer);
        background_wake(due->slices);
        *ret = due;
        return 0;
}

DueTimer *due_free(DueTimer *due) {
        if (!due)
                return NULL;
        sd_event_source_disable_unref(due->timer);
        background_free(due->slices);
        sd_event_source_disable_unref(due->watch);
        sd_event_source_disable_unref(due->again);
        if (due->watch_fd >= 0)
                close(due->watch_fd);
        free(due);
        return NULL;
}
