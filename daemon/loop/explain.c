/* SPDX-License-Identifier: Apache-2.0 */

#include "loop/explain.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "aftersales/limits.h"
#include "loop/engine-internal.h"

#define WHY_SIZE    200
#define DIGEST_SHOW 16 /* digits of a policy's digest */

static const Field explain_fields[] = {
        TEXT(1, ExplainRow, clock, 0, NAME_MAX_BYTES, .doc = "which clock"),
        COUNT(2, ExplainRow, cycle, 0, .doc = "which of its cycles"),
        TIME(3, ExplainRow, since, 0, .doc = "of a stretch: its beginning"),
        TIME(4, ExplainRow, until, 0, .doc = "of a stretch: its end"),
        FLAG(5, ExplainRow, counted, 0, .doc = "of a stretch: whether it counts"),
        COUNT(6, ExplainRow, seconds, 0, .doc = "of a stretch: seconds that count"),
        TEXT(7, ExplainRow, why, 0, WHY_SIZE, .doc = "why it counts or does not"),
        TEXT(8, ExplainRow, event, 0, NAME_MAX_BYTES, .doc = "of an event: what"),
        TIME(9, ExplainRow, at, 0, .doc = "of an event: when"),
        COUNT(10, ExplainRow, policy, 0,
              .doc = "of the event policy: number of the one that applied"),
        TEXT(11, ExplainRow, digest, 0, NAME_MAX_BYTES, .doc = "the beginning of its digest"),
        TEXT(12, ExplainRow, calendar, 0, NAME_MAX_BYTES, .doc = "the calendar that counted"),
        TEXT(13, ExplainRow, ladder, 0, NAME_MAX_BYTES, .doc = "the ladder that is climbed"),
};

const RecordType explain_type = {
        .name = "explain",
        .size = sizeof(ExplainRow),
        .fields = explain_fields,
        .n_fields = ELEMENTS(explain_fields),
};

/* Started, stopped, next, deadline, the warning and the rungs. */
#define EVENTS_MAX (5 + LADDER_RUNGS_MAX)

typedef struct ExplainEvent {
        char name[NAME_MAX_BYTES];
        int64_t at;
} ExplainEvent;

typedef struct Explaining {
        const Engine *engine;
        Store *store;
        const Kind *kind;
        const Case *c;
        const Timing *timing;
        const Clock *clock;
        ExplainSink sink;
        void *userdata;
        size_t stretches; /* of the clock so far */
        int64_t counted;  /* their microseconds that count */
        ExplainEvent events[EVENTS_MAX];
        size_t n_events;
} Explaining;

static int put_row(Explaining *x, ExplainRow row) {
        row.clock = (char *)x->kind->clock_names->names[x->clock->clock];
        row.cycle = x->clock->cycle;
        return x->sink(x->userdata, &row);
}

/* Kept in the order of time; of equal ones the first added comes first. */
static void add_event(Explaining *x, const char *name, int64_t at) {
        size_t i = x->n_events;

        if (!at)
                return;
        assert(x->n_events < EVENTS_MAX);
        for (; i > 0 && x->events[i - 1].at > at; i--)
                x->events[i] = x->events[i - 1];
        snprintf(x->events[i].name, NAME_MAX_BYTES, "%s", name);
        x->events[i].at = at;
        x->n_events++;
}

static int put_events(Explaining *x) {
        int r = 0;

        for (size_t i = 0; r == 0 && i < x->n_events; i++)
                r = put_row(x, (ExplainRow){ .event = x->events[i].name, .at = x->events[i].at });
        return r;
}

/* Rounded as a running sum, so that the rows add up to the target. */
static int put_stretch(Explaining *x, int64_t since, int64_t until, bool counted, const char *why) {
        int64_t before = x->counted / USEC_PER_SEC;

        if (x->stretches >= EXPLAIN_STRETCHES_MAX)
                return 0;
        x->stretches++;
        x->counted += counted ? until - since : 0;
        return put_row(x, (ExplainRow){
                                  .since = since,
                                  .until = until,
                                  .counted = counted,
                                  .seconds = x->counted / USEC_PER_SEC - before,
                                  .why = (char *)why,
                          });
}

static int put_running(Explaining *x, int64_t since, int64_t until) {
        while (since < until && x->stretches < EXPLAIN_STRETCHES_MAX) {
                CalendarPiece piece;
                char why[WHY_SIZE];
                int64_t end;
                int r = calendar_piece(x->timing->calendar, since, &piece);

                if (r < 0)
                        return r;
                end = MIN(piece.until, until);
                snprintf(why, sizeof(why), "%s%s%s", piece.why, piece.day_name ? " " : "",
                         piece.day_name ? piece.day_name : "");
                r = put_stretch(x, since, end, piece.working, why);
                if (r != 0)
                        return r;
                since = end;
        }
        return 0;
}

static int put_stretches(Explaining *x, int64_t until) {
        const Pause *pauses = x->clock->pauses.items;
        int64_t since = x->clock->started_at;

        for (size_t i = 0; i < x->clock->pauses.n; i++) {
                int64_t end = pauses[i].until ? pauses[i].until : MAX(until, pauses[i].since);
                char why[WHY_SIZE];
                int r = put_running(x, since, pauses[i].since);

                if (r != 0)
                        return r;
                snprintf(why, sizeof(why), "paused: %s", pauses[i].reason);
                r = put_stretch(x, pauses[i].since, end, false, why);
                if (r != 0)
                        return r;
                since = end;
        }
        return put_running(x, since, until);
}

/* The events of the ladder as far as they can be known: none lies in a pause that has not ended. */
static int add_ladder(Explaining *x) {
        const LadderSpec *ladder = x->timing->ladder;

        if (!ladder) /* an ended case of a kind that is used no more */
                return 0;
        for (int64_t level = ladder_first_level(ladder); level <= (int64_t)ladder->n_rungs;
             level++) {
                char name[NAME_MAX_BYTES];
                int64_t at;
                int r = clock_event(x->clock, x->timing, level, &at);

                if (r == -EAGAIN || (r == 0 && x->clock->stopped_at && at >= x->clock->stopped_at))
                        return 0;
                if (r < 0)
                        return r;
                if (level == 0)
                        snprintf(name, sizeof(name), "warning");
                else
                        snprintf(name, sizeof(name), "rung %" PRId64 " %s", level,
                                 recipient_names.names[ladder->rungs[level - 1].to]);
                add_event(x, name, at);
        }
        return 0;
}

/* The version by which a clock was computed: a stopped one by that of its time. -ENOENT: none that
 * is known. */
static int find_version(const Explaining *x, PolicyVersion *ret) {
        Key position = {};
        int r;

        if (!x->clock->stopped_at)
                return version_get(x->store, x->c->policy, ret);
        while ((r = version_next(x->store, &position, ret)) == 0) {
                if (ret->since <= x->clock->stopped_at && ret->number <= x->c->policy)
                        return 0;
                version_done(ret);
        }
        return r;
}

/* "4h", "30m", "1h30m", "90s", as it stands in the configuration. */
static void target_text(const Clock *clock, char text[static NAME_MAX_BYTES]) {
        int64_t hours = clock->target / 3600, minutes = clock->target / 60 % 60;

        if (clock->fixed_at)
                snprintf(text, NAME_MAX_BYTES, "a fixed time");
        else if (clock->target % 60)
                snprintf(text, NAME_MAX_BYTES, "target %" PRId64 "s", clock->target);
        else if (hours == 0)
                snprintf(text, NAME_MAX_BYTES, "target %" PRId64 "m", minutes);
        else if (minutes == 0)
                snprintf(text, NAME_MAX_BYTES, "target %" PRId64 "h", hours);
        else
                snprintf(text, NAME_MAX_BYTES, "target %" PRId64 "h%" PRId64 "m", hours, minutes);
}

/* Calendar and ladder are known of a policy that counts time as the one in force. */
static int put_policy(Explaining *x) {
        const LadderSpec *ladder = x->timing->ladder;
        ExplainRow row = { .event = (char *)"policy", .seconds = x->clock->target };
        char digest[DIGEST_SHOW + 1] = "", why[WHY_SIZE], target[NAME_MAX_BYTES];
        PolicyVersion version = {};
        int r = find_version(x, &version);

        if (r < 0)
                return r == -ENOENT ? 0 : r;
        snprintf(digest, sizeof(digest), "%s", version.digest);
        target_text(x->clock, target);
        row.at = version.since;
        row.policy = version.number;
        row.digest = digest;
        row.why = why;
        if (ladder && version.number >= engine_version(x->engine)->timing_version) {
                row.calendar = (char *)calendar_name(x->timing->calendar);
                row.ladder = ladder->name;
                snprintf(why, sizeof(why), "number %" PRId64 " (%s): calendar %s, ladder %s, %s",
                         version.number, digest, row.calendar, row.ladder, target);
        } else
                snprintf(why, sizeof(why), "number %" PRId64 " (%s): %s", version.number, digest,
                         target);
        version_done(&version);
        return put_row(x, row);
}

static int explain_clock(Explaining *x, int64_t now) {
        const Clock *clock = x->clock;
        int64_t until = clock->stopped_at ? clock->stopped_at : MAX(now, clock->deadline);
        int r = 0;

        r = put_policy(x);
        if (r != 0)
                return r;
        x->n_events = x->stretches = 0;
        x->counted = 0;
        add_event(x, "started", clock->started_at);
        add_event(x, clock->fixed_at ? "deadline (fixed)" : "deadline", clock->deadline);
        r = add_ladder(x);
        add_event(x, "next", clock->next_at);
        add_event(x, "stopped", clock->stopped_at);
        /* The events first: of a clock that runs for years there are more stretches than rows. */
        if (r == 0)
                r = put_events(x);
        if (r == 0 && !clock->fixed_at && x->timing->calendar)
                r = put_stretches(x, clock->paused ? now : until);
        return r;
}

int explain_case(const Engine *engine, Store *store, const Kind *kind, Case *c, int64_t now,
                 ExplainSink sink, void *userdata) {
        const Clock *clocks = c->clocks.items;
        Explaining x = {
                .engine = engine,
                .store = store,
                .kind = kind,
                .c = c,
                .timing = &engine_target(engine, kind, c)->timing,
                .sink = sink,
                .userdata = userdata,
        };

        if (!case_is_current(engine, c)) {
                int r = case_recompute(engine, kind, c);

                if (r < 0)
                        return r;
        }
        for (size_t i = 0; i < c->clocks.n; i++) {
                int r;

                x.clock = &clocks[i];
                r = explain_clock(&x, now);
                if (r != 0)
                        return r;
        }
        return 0;
}
