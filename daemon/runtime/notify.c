/* SPDX-License-Identifier: Apache-2.0 */

#include "runtime/notify.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <systemd/sd-daemon.h>
#include <time.h>

#include "aftersales/limits.h"

#define LINE_MAX_BYTES 256

struct StatusLine {
        const Engine *engine;
        Store *store;
        DueTimer *due;
        sd_event_source *timer; /* NULL: nobody listens */
        char said[LINE_MAX_BYTES];
        bool unheard; /* that it serves could not be said */
};

void notify_stopping(void) {
        sd_notify(false, "STOPPING=1\nSTATUS=ending: committing what is open");
}

void notify_extend(uint64_t usec) {
        sd_notifyf(false, "EXTEND_TIMEOUT_USEC=%" PRIu64, usec);
}

/* ---- the line ---- */

static int64_t count_overdue(StatusLine *line, const Kind *kind) {
        int64_t n = 0;
        Key key = {};

        key_u8(&key, kind->number);
        store_tally(line->store, &tally_overdue, &key, &n);
        return n;
}

static int64_t count_open(StatusLine *line, const Kind *kind) {
        int64_t sum = 0;

        for (int state = 1; state < kind->state_names->n; state++) {
                int64_t n = 0;
                Key key = {};

                if (state_class(kind, state) == STATE_ENDED)
                        continue;
                key_u8(&key, kind->number);
                key_u8(&key, (uint8_t)state);
                store_tally(line->store, &tally_state, &key, &n);
                sum += n;
        }
        return sum;
}

static void compose(StatusLine *line, char ret[static LINE_MAX_BYTES]) {
        const uint8_t *digest = engine_policy(line->engine)->digest;
        DueHealth health = due_health(line->due);
        int64_t open = 0, overdue = 0;

        for (const Kind *const *kind = engine_kinds(line->engine); *kind; kind++) {
                open += count_open(line, *kind);
                overdue += count_overdue(line, *kind);
        }
        snprintf(ret, LINE_MAX_BYTES,
                 "%" PRId64 " open, %" PRId64 " overdue, policy %" PRId64 " (%02x%02x%02x%02x)%s%s",
                 open, overdue, engine_version(line->engine)->number, digest[0], digest[1],
                 digest[2], digest[3],
                 health.suspect ? "; clock-suspect: nothing is escalated" : "",
                 health.behind ? "; catching up with what was due" : "");
        if (!store_has_batch(line->store))
                store_release(line->store);
}

/* Takes no memory: without READY=1 the start would be held to have failed. */
static int say(const char *what, const char *text) {
        char message[LINE_MAX_BYTES + 32];

        snprintf(message, sizeof(message), "%s%s", what, text);
        return MIN(sd_notify(false, message), 0);
}

static void refresh(StatusLine *line) {
        char text[LINE_MAX_BYTES];

        compose(line, text);
        if (!STREQ(text, line->said))
                say("STATUS=", text);
        memcpy(line->said, text, sizeof(text));
}

static int on_timer(sd_event_source *source _unused_, uint64_t usec _unused_, void *userdata) {
        StatusLine *line = userdata;

        if (line->unheard)
                status_line_ready(line);
        else
                refresh(line);
        return 0;
}

static bool is_armed(const StatusLine *line) {
        int enabled;

        return sd_event_source_get_enabled(line->timer, &enabled) >= 0 && enabled != SD_EVENT_OFF;
}

static void arm(StatusLine *line) {
        sd_event_source_set_time_relative(line->timer, STATUS_INTERVAL);
        sd_event_source_set_enabled(line->timer, SD_EVENT_ONESHOT);
}

/* Not at once: a busy service says it once for many commits. */
static void on_commit(void *userdata, int result _unused_) {
        StatusLine *line = userdata;

        if (!is_armed(line))
                arm(line);
}

void status_line_ready(StatusLine *line) {
        if (!line->timer)
                return;
        compose(line, line->said);
        line->unheard = say("READY=1\nSTATUS=", line->said) < 0;
        if (line->unheard)
                arm(line);
}

void status_line_reloading(StatusLine *line) {
        struct timespec now;

        line->unheard = false;
        clock_gettime(CLOCK_MONOTONIC, &now);
        sd_notifyf(false, "RELOADING=1\nMONOTONIC_USEC=%" PRId64,
                   now.tv_sec * USEC_PER_SEC + now.tv_nsec / 1000);
}

void status_line_refresh(StatusLine *line) {
        if (line->timer && !is_armed(line))
                refresh(line);
}

int status_line_new(sd_event *event, const Engine *engine, Store *store, DueTimer *due,
                    Committer *committer, StatusLine **ret) {
        StatusLine *line = calloc(1, sizeof(*line));
        int r = 0;

        if (!line)
                return -ENOMEM;
        *line = (StatusLine){ .engine = engine, .store = store, .due = due };
        if (getenv("NOTIFY_SOCKET")) {
                r = sd_event_add_time(event, &line->timer, CLOCK_MONOTONIC, UINT64_MAX, 0, on_timer,
                                      line);
                if (r >= 0)
                        r = sd_event_source_set_priority(line->timer, PRIORITY_HEALTH);
                if (r >= 0)
                        r = sd_event_source_set_enabled(line->timer, SD_EVENT_OFF);
                if (r < 0) {
                        status_line_free(line);
                        return r;
                }
                committer_watch(committer, on_commit, line);
        }
        *ret = line;
        return 0;
}

StatusLine *status_line_free(StatusLine *line) {
        if (!line)
                return NULL;
        sd_event_source_disable_unref(line->timer);
        free(line);
        return NULL;
}
