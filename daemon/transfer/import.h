/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* An import: the rows of a file become changes, each as a call of its own would have made it, with
 * the same rules, permissions and scope.
 *
 * Master data: a row creates a record, or changes what differs in the one that has its code; fields
 * that nobody can set are passed over. Cases: a row is a call. Its columns besides fields:
 *
 *      verb         create (unless given) or a transition
 *      id           of the case that is moved; or its reference
 *      at           when it happened
 *      note, by     as with every call
 *
 * Rows with times of their own are history: nobody hears of what is past already when they come in
 * (unless that is asked for), as long as all that is known of a case is such rows. A case that was
 * taken in otherwise has missed its deadlines for good.
 *
 * The same file again changes nothing: a case is created once for each reference, what happened at
 * an instant that the history has is known already, and a row without an instant is known by its
 * content for as long as requests are. A column `error` is passed over: rejected rows, mended, can
 * be imported as they are. */

#include <errno.h>

#include "loop/engine.h"
#include "loop/register.h"
#include "transfer/row.h"

typedef enum ImportOutcome {
        IMPORT_CREATED,
        IMPORT_UPDATED, /* master data */
        IMPORT_MOVED,   /* a case */
        IMPORT_UNCHANGED,
        IMPORT_REFUSED,
        _IMPORT_OUTCOME_MAX,
} ImportOutcome;
extern const char *const import_outcome_names[_IMPORT_OUTCOME_MAX];

typedef struct ImportProblem {
        uint64_t line;
        unsigned column;   /* 0: the whole row */
        const char *field; /* name of the column, or NULL */
        int code;          /* REFUSED_... */
        const char *text;
        const Row *row; /* NULL: what could not be read at all */
        bool parsed;    /* its cells are known */
} ImportProblem;

typedef struct ImportOptions {
        Store *store;
        const Kind *kind;    /* what the rows are about: */
        const Register *reg; /* one of the two */
        Actor actor;         /* its texts must outlive the import */
        bool escalates;      /* rows with times of their own escalate what is past already */
        void (*problem)(void *userdata, const ImportProblem *problem);
        void *userdata;
} ImportOptions;

typedef struct ImportCounts {
        uint64_t rows, outcomes[_IMPORT_OUTCOME_MAX];
} ImportCounts;

typedef struct ImportSession ImportSession;

/* The reader is the session's from now on, unless this fails. */
int import_new(const ImportOptions *options, RowReader *reader, ImportSession **ret);
ImportSession *import_free(ImportSession *session);

/* The file cannot be read on. */
#define IMPORT_BROKEN (-EILSEQ)

/* Takes one row, or passes over a blank line: as a change of its own in the open batch, by the
 * policy of the engine. settle: what is due on a case happens before it is moved (not while the
 * clock is not believed). 1, 0 at the end; refused rows are told and counted. IMPORT_BROKEN once
 * that is told; another negative errno: the import cannot go on. */
int import_next(ImportSession *session, const Engine *engine, int64_t now, bool settle);

const ImportCounts *import_counts(const ImportSession *session);
uint64_t import_bytes(const ImportSession *session);
