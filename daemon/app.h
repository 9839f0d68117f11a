/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The daemon as a whole: builds its parts from the bottom up and runs the loop. */

#include "base/clock.h"
#include "base/log.h"
#include "config/config.h"
#include "loop/periodic.h"
#include "store/store.h"

/* Everything that is stored, and every kind of case; NULL-terminated. */
extern const Table *const app_tables[];
extern const Kind *const app_kinds[];
/* What comes round by itself; likewise. */
extern const Periodic *const app_periodics[];

typedef struct AppOptions {
        const char *program; /* path of this program */
        const char *config_path;
        const char *state;       /* directory that overrides the configuration's, or NULL */
        bool unit_state;         /* which systemd has chosen */
        const char *file;        /* to write a backup or dump to, to restore or load from */
        uint32_t keep;           /* backups in its directory; 0: all */
        bool force;              /* a restore may replace a store */
        const char *bus_address; /* NULL: the system bus */
        const char *socket;      /* for direct connections; NULL: none */
        WallClock clock;
        LogTarget log_target;
        bool origin; /* show where each value of the configuration stands */
        bool cases;  /* hold the configuration against the open cases, too */
} AppOptions;

/* Each returns the exit status of the process. */
int app_run(const AppOptions *options);            /* until it is told to end */
int app_check_config(const AppOptions *options);   /* says what is wrong with the configuration */
int app_show_config(const AppOptions *options);    /* prints what it says */
int app_preview_policy(const AppOptions *options); /* helper: what this configuration would do */
int app_simulate(const AppOptions *options);       /* helper: what would escalate */
int app_export(const AppOptions *options);         /* helper: records into a file */
int app_try_import(const AppOptions *options);     /* helper: what an import would do */
int app_backup(const AppOptions *options);         /* a copy, beside a running daemon or alone */
int app_list_backups(const AppOptions *options);   /* helper: what is in their directory */
int app_restore(const AppOptions *options);        /* puts such a copy in place of the store */
int app_dump(const AppOptions *options);           /* all of the store as text, likewise */
int app_load(const AppOptions *options);           /* puts a store with that in its place */
int app_check_store(
        const AppOptions *options); /* proves the store, beside a running daemon or alone */
