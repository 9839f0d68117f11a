/* SPDX-License-Identifier: Apache-2.0 */

#include "loop/periodic.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "aftersales/limits.h"

#define VERB_SIZE (NAME_MAX_BYTES + sizeof("periodic."))

static const Field periodic_fields[] = {
        TEXT(1, PeriodicState, name, 0, NAME_MAX_BYTES, .doc = "which periodic work"),
        TIME(2, PeriodicState, at, 0, .doc = "when it runs next, or the run under way"),
        TEXT(3, PeriodicState, position, 0, PERIODIC_POSITION_SIZE - 1,
             .doc = "of a run under way: how far it has got"),
};

const RecordType periodic_type = {
        .name = "periodic",
        .number = 106,
        .version = 1,
        .size = sizeof(PeriodicState),
        .fields = periodic_fields,
        .n_fields = ELEMENTS(periodic_fields),
};

static void periodic_key(const void *record, Key *key) {
        *key = key_of_code(((const PeriodicState *)record)->name);
}

const Table periodic_table = {
        .number = 106,
        .name = "periodic",
        .type = &periodic_type,
        .key = periodic_key,
};

static int read_state(Store *store, const Periodic *periodic, PeriodicState *ret) {
        Key key = key_of_code(periodic->name);

        return store_get(store, &periodic_table, &key, ret);
}

static int put_state(Change *change, const Periodic *periodic, int64_t at, const char *position) {
        const PeriodicState state = { .name = (char *)periodic->name,
                                      .at = at,
                                      .position = *position ? (char *)position : NULL };

        return change_put(change, &periodic_table, &state);
}

/* 0 when it never runs. */
static int find_next(const Engine *engine, const Periodic *periodic, int64_t after, int64_t *ret) {
        int r = periodic->next(engine, after, ret);

        if (r == -ENOENT) {
                *ret = 0;
                return 0;
        }
        assert(r < 0 || *ret > after);
        return r;
}

/* ---- planning ---- */

static int plan_one(const Engine *engine, Store *store, Change *change, const Periodic *periodic,
                    int64_t now) {
        PeriodicState state = {};
        int64_t at = 0;
        bool stays;
        int r = read_state(store, periodic, &state);

        if (r == -EBADMSG) /* damaged: stays, for check to tell of it */
                return 0;
        if (r < 0 && r != -ENOENT)
                return r;
        stays = state.at && (state.at <= now || state.position);
        r = stays ? 0 : find_next(engine, periodic, now, &at);
        if (r == 0 && !stays && at != state.at)
                r = put_state(change, periodic, at, "");
        record_done(&periodic_type, &state);
        return r;
}

int periodic_plan(const Engine *engine, Store *store, const Periodic *const *list, int64_t now) {
        Origin origin = engine_origin(engine, now, "periodic");
        Change *change;
        int r = change_begin(store, &change);

        if (r < 0)
                return r;
        for (; r == 0 && *list; list++)
                r = plan_one(engine, store, change, *list, now);
        if (r == 0 && !change_is_empty(change))
                return change_apply(change, &origin);
        change_drop(change);
        return r;
}

/* ---- running ---- */

int periodic_next_due(Store *store, const Periodic *const *list, const Periodic **ret,
                      int64_t *ret_at) {
        int64_t earliest = 0;

        for (; *list; list++) {
                PeriodicState state = {};
                int r = read_state(store, *list, &state);

                if (r < 0 && r != -ENOENT && r != -EBADMSG)
                        return r;
                if (r == 0 && state.at && (!earliest || state.at < earliest)) {
                        earliest = state.at;
                        *ret = *list;
                }
                record_done(&periodic_type, &state);
        }
        *ret_at = earliest;
        return earliest ? 0 : -ENOENT;
}

static int stage_step(const Engine *engine, Change *change, const Periodic *periodic,
                      const PeriodicState *state, int64_t now) {
        char position[PERIODIC_POSITION_SIZE] = "";
        int64_t at = state->at;
        bool done = false;
        int r;

        if (state->position)
                snprintf(position, sizeof(position), "%s", state->position);
        r = periodic->step(engine, change, at, now, position, &done);
        if (r == 0 && done) {
                *position = '\0';
                r = find_next(engine, periodic, state->at, &at);
        }
        return r < 0 ? r : put_state(change, periodic, at, position);
}

int periodic_step(const Engine *engine, Store *store, const Periodic *periodic, int64_t now) {
        char verb[VERB_SIZE] = "";
        Origin origin = engine_origin(engine, now, verb);
        PeriodicState state = {};
        Change *change;
        int r;

        snprintf(verb, sizeof(verb), "periodic.%s", periodic->name);
        r = read_state(store, periodic, &state);
        if (r < 0)
                return r;
        assert(state.at && state.at < now);
        r = change_begin(store, &change);
        if (r == 0) {
                r = stage_step(engine, change, periodic, &state, now);
                if (r == 0)
                        r = change_apply(change, &origin);
                else
                        change_drop(change);
        }
        record_done(&periodic_type, &state);
        return r;
}
