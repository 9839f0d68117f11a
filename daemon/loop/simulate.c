/* SPDX-License-Identifier: Apache-2.0 */

#include "loop/simulate.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "loop/engine-internal.h"

typedef struct Simulating {
        const Engine *engine;
        Store *store;
        const SimulateOptions *options;
        Simulated *result;
} Simulating;

/* ---- the first rows ------------------------------------------------------------------------- */

static int compare_events(const void *a, const void *b) {
        const SimulatedEvent *x = a, *y = b;

#define BY(what)                                                                                   \
        if (x->what != y->what)                                                                    \
        return x->what < y->what ? -1 : 1
        BY(due_at);
        BY(kind->number);
        BY(case_id);
        BY(order);
#undef BY
        return 0;
}

static void swap_rows(SimulatedEvent *a, SimulatedEvent *b) {
        SimulatedEvent kept = *a;

        *a = *b;
        *b = kept;
}

static void sink_last(SimulatedEvent *rows, size_t n) {
        for (size_t i = 0, child; (child = 2 * i + 1) < n; i = child) {
                if (child + 1 < n && compare_events(&rows[child + 1], &rows[child]) > 0)
                        child++;
                if (compare_events(&rows[child], &rows[i]) <= 0)
                        return;
                swap_rows(&rows[i], &rows[child]);
        }
}

/* The rows are a heap with the last one on top, which makes room for an earlier one. */
static void keep_row(Simulating *s, const SimulatedEvent *event) {
        SimulatedEvent *rows = s->result->rows;
        size_t i = s->result->n_rows;

        if (s->options->rows_max == 0)
                return;
        if (i == s->options->rows_max) {
                if (compare_events(event, &rows[0]) >= 0)
                        return;
                rows[0] = *event;
                sink_last(rows, i);
                return;
        }
        s->result->n_rows++;
        rows[i] = *event;
        for (; i > 0 && compare_events(&rows[i], &rows[(i - 1) / 2]) > 0; i = (i - 1) / 2)
                swap_rows(&rows[i], &rows[(i - 1) / 2]);
}

/* ---- totals --------------------------------------------------------------------------------- */

/* Sorted by recipient. */
static int count(Simulated *result, const SimulatedEvent *event) {
        size_t low = 0, high = result->n_totals;
        SimulatedTotal *grown;

        while (low < high) {
                size_t middle = (low + high) / 2;
                int order = strcmp(result->totals[middle].recipient, event->recipient);

                if (order == 0) {
                        result->totals[middle].n[event->cause]++;
                        return 0;
                }
                if (order < 0)
                        low = middle + 1;
                else
                        high = middle;
        }
        grown = reallocarray(result->totals, result->n_totals + 1, sizeof(*grown));
        if (!grown)
                return -ENOMEM;
        result->totals = grown;
        memmove(&grown[low + 1], &grown[low], (result->n_totals++ - low) * sizeof(*grown));
        grown[low] = (SimulatedTotal){};
        grown[low].n[event->cause] = 1;
        memcpy(grown[low].recipient, event->recipient, sizeof(event->recipient));
        return 0;
}

/* ---- cases ---------------------------------------------------------------------------------- */

static int add_event(Simulating *s, SimulatedEvent *event) {
        const char *recipient = s->options->recipient;

        if (recipient && !STREQ(recipient, event->recipient))
                return 0;
        if (s->result->events == s->options->events_max)
                return -E2BIG;
        event->order = s->result->events++;
        keep_row(s, event);
        return count(s->result, event);
}

static int play(Simulating *s, const Kind *kind, Case *c) {
        CaseEvent next;
        int r;

        if (!case_is_current(s->engine, c)) {
                r = case_recompute(s->engine, kind, c);
                if (r < 0)
                        return r;
        }
        for (;;) {
                int64_t now = MAX(s->options->now, c->armed_at + 1);
                SimulatedEvent event;

                r = case_next_event(s->engine, kind, c, s->options->until, now, &next);
                if (r < 0)
                        return r == -ENOENT ? 0 : r;
                event = (SimulatedEvent){ .due_at = next.due_at,
                                          .fired_at = now,
                                          .kind = kind,
                                          .case_id = c->id,
                                          .clock = enum_name(kind->clock_names, next.clock->clock),
                                          .cycle = next.clock->cycle,
                                          .level = next.level,
                                          .missed = next.missed,
                                          .cause = next.cause,
                                          .role = next.role };
                r = engine_find_unit(s->engine, s->store, next.role, c, event.recipient);
                if (r == 0)
                        r = add_event(s, &event);
                if (r == 0)
                        r = case_pass_event(s->engine, kind, c, &next, now);
                if (r < 0)
                        return r;
        }
}

static bool is_wanted(const char *wanted, const char *code) {
        return !wanted || (code && STREQ(wanted, code));
}

static int play_due(Simulating *s, const DueCase *due) {
        const Kind *kind = engine_kind(s->engine, due->kind);
        _cleanup_free_ Case *c = kind ? calloc(1, kind->table->type->size) : NULL;
        Key key = key_of_id(due->id);
        int r;

        if (!kind || !is_wanted(s->options->kind, kind->name))
                return 0;
        if (!c)
                return -ENOMEM;
        r = store_get(s->store, kind->table, &key, c);
        if (r < 0)
                return r == -EBADMSG ? 0 : r; /* damage is for the check to tell */
        if (is_wanted(s->options->subcentre, c->subcentre) &&
            is_wanted(s->options->dealer, c->dealer)) {
                s->result->cases++;
                r = play(s, kind, c);
        }
        record_done(kind->table->type, c);
        return r == -ERANGE ? 0 : r; /* no such time: nothing happens any more */
}

int simulate_cases(const Engine *engine, Store *store, const SimulateOptions *options,
                   Simulated *ret) {
        Simulated result = { .rows = calloc(options->rows_max + 1, sizeof(*result.rows)) };
        Simulating s = { engine, store, options, &result };
        Key position = {};
        DueCase due;
        int r = result.rows ? 0 : -ENOMEM;

        while (r == 0 && (r = engine_next_due(store, &position, &due)) == 0)
                r = play_due(&s, &due);
        if (r < 0 && r != -ENOENT) {
                simulated_done(&result);
                return r;
        }
        qsort(result.rows, result.n_rows, sizeof(*result.rows), compare_events);
        *ret = result;
        return 0;
}

void simulated_done(Simulated *simulated) {
        free(simulated->rows);
        free(simulated->totals);
        *simulated = (Simulated){};
}
