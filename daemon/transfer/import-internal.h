/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What the files of the import share. */

#include "loop/request.h"
#include "transfer/import.h"

#define ACTOR_NAME_SIZE (2 * NAME_MAX_BYTES)

struct ImportSession {
        ImportOptions options;
        RowReader *reader;
        ImportCounts counts;
        bool ended;
};

/* One row while it is worked on. */
typedef struct ImportRow {
        ImportSession *session;
        const Engine *engine;
        const Row *row;
        int64_t now;
        bool settle;
        void *fields; /* a record of the type, with the cells' values */
        Call call;
        Actor actor;
        char actor_name[ACTOR_NAME_SIZE];
        /* Columns that are no fields, or not only. */
        const char *verb, *id, *reference, *at, *note, *by;
        Refusal refusal;
} ImportRow;

/* Each: 0 and the outcome, > 0 refused, negative errno. */
int import_master(ImportRow *row, ImportOutcome *ret);
int import_entry(ImportRow *row, ImportOutcome *ret);
int import_case(ImportRow *row, ImportOutcome *ret);

/* Applies the change or drops it when it has nothing in it. */
int import_apply(ImportRow *row, Change *change, const char *verb);
