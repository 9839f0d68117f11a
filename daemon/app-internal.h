/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What the files of the daemon as a whole share. */

#include <systemd/sd-event.h>

#include "app.h"
#include "bus/bus.h"
#include "loop/engine.h"
#include "runtime/commit.h"
#include "runtime/due.h"
#include "runtime/publish.h"
#include "runtime/recompute.h"
#include "runtime/watchdog.h"

typedef struct App {
        const AppOptions *options;
        WallClock clock;
        Policy *policy;
        char *directory; /* of the store: what it was at the start, whatever policy comes */
        Engine *engine;
        Access *access;
        sd_event *event;
        Store *store;
        Committer *committer;
        Publisher *publisher;
        DueTimer *due;
        StatusLine *status;
        Watchdog *watchdog;
        Recompute *recompute;
        Bus *bus;
} App;

void app_done(App *app);
/* Policy, engine and access, from the configuration file: all or nothing is usable. 0,
 * CONFIG_REFUSED (see errors), negative errno. */
int app_load_policy(App *app, ConfigErrors *errors);
/* Likewise, while nobody is served by this process: it ends when that takes too long, since a name
 * service may hang for ever and others wait for the end. */
int app_load_alone(App *app, ConfigErrors *errors);
/* How a program beside the daemon begins: what is logged goes to standard error, the policy is
 * there; --check-config says why it is not. 0, CONFIG_REFUSED, negative errno. */
int app_begin_beside(App *app);
int app_open_store(App *app, bool read_only);
/* A new one, in a directory of its own. */
int app_open_new(App *app, const char *directory);
/* See store_retire(). */
int app_retire_store(const App *app, const char *file, uint32_t *ret_epoch);
/* One that nobody else has open. */
int app_open_file(App *app, const char *file, bool read_only);
/* What is written is seen by nobody else and gone at the end. */
int app_open_trial(App *app);

void app_log_warnings(const ConfigMessages *messages);
int app_warn_missing_year(void *userdata, const char *calendar, int year);

/* For the bus: the configuration, which a preview has found to be good, comes into force whole or
 * not at all. */
int app_reload(void *app, const NewPolicy *policy, Refusal *refusal);

/* Says what the configuration would do to the open cases of the store. 0, CONFIG_REFUSED (it
 * contradicts some of them), negative errno. */
int app_check_cases(App *app);
/* Notes that the policy is in force now, unless it contradicts open cases: then says which. 0,
 * CONFIG_REFUSED, negative errno. */
int app_enter_policy(App *app);

/* Brings the store of an older program to the present schema; it is kept beside as it was. */
int app_migrate(App *app);

/* ---- files of stores ---- */

/* 0, or negative errno when there is no answer. */
typedef int (*ApartWork)(App *app, const char *file, void *answer);

/* Does it in a process of its own, whose answer (of that size) is copied, and waits for its end; to
 * the service manager it says every few seconds that it goes on. No store is open in this process,
 * so that the child has none of it. 0, the negative number of a signal, or EX_*. */
int app_run_apart(App *app, ApartWork work, const char *file, void *ret, size_t size);

typedef struct StoreFacts {
        uint64_t records, bytes, sequence;
        uint32_t epoch;
} StoreFacts;

/* Proves all of the file of a store that nobody else has open, in a process of its own, which a
 * damaged one may end. Faults are told on standard output as problems. 0 or REFUSED_INTERNAL. */
int app_prove_file(App *app, const char *file, StoreFacts *ret, Refusal *why);
/* Its head alone. False if it cannot be read. */
bool app_read_facts(App *app, const char *file, StoreFacts *ret);
