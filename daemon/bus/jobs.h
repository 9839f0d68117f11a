/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Long work that a call has started: it answers at once with the number of a job, which can be
 * followed, waited for and cancelled. Jobs live as long as the daemon: whoever finds its job gone
 * after a restart starts the work again.
 *
 * The work itself is a JobWork: either it is done in the loop, a slice at a time (import), or by a
 * helper process that tells how it goes in lines (backup, export):
 *
 *      progress DONE TOTAL               of whatever units there are; TOTAL 0: unknown
 *      count NAME NUMBER                 a result, shown by Get
 *      text NAME TEXT                    likewise
 *      problem LINE COLUMN FIELD ERROR TEXT    separated by tabs
 *      failed TEXT                       why it will end with a status other than 0
 */

#include "bus/internal.h"
#include "runtime/helper.h"

#define JOBS_RUNNING_MAX    8                   /* of all callers */
#define JOBS_RUNNING_OF_ONE 2                   /* of one caller */
#define JOBS_KEPT_MAX       32                  /* ended ones */
#define JOBS_KEPT_BYTES_MAX (256 * 1024 * 1024) /* of their files */
#define JOB_RESULTS_MAX     16
#define JOB_TEXT_SIZE       200
#define JOB_FILE_BYTES_MAX  (16 * 1024 * 1024) /* of its problems, and of its rejects */

typedef enum JobState {
        JOB_RUNNING = 1,
        JOB_DONE,
        JOB_FAILED, /* `error` says why */
        JOB_CANCELLED,
        _JOB_STATE_MAX,
} JobState;

typedef struct JobWork {
        const char *name; /* "import" */
        /* Asks the work to end: it will, with job_end(), now or later. */
        void (*cancel)(void *userdata);
        /* Frees the work; it ends with that if it has not yet. */
        void (*free)(void *userdata);
} JobWork;

/* One thing that was wrong with the input. Texts never repeat personal data. */
typedef struct JobProblem {
        uint64_t line, column; /* from 1; 0: the whole file, the whole line */
        const char *field;     /* or NULL */
        const char *error;     /* name of the error on the bus, without its prefix */
        const char *text;
} JobProblem;

/* A job for the caller, and its number as the answer: with that nothing can fail any more that
 * would make a lie of it. `userdata` is the work's, which is freed by the job from now on, unless
 * this fails. 0, > 0 refused, negative errno. */
int job_new(BusCall *call, const JobWork *work, void *userdata, Job **ret);
/* Of one that has just been made and whose work could not begin: it never was. */
void job_abandon(Job *job);
/* The same as job_new() for work that a helper does: with these arguments besides the configuration
 * and the state directory, which are added. */
int job_new_helper(BusCall *call, const char *name, const HelperOptions *options);

void job_progress(Job *job, uint64_t done, uint64_t total);
void job_count(Job *job, const char *name, uint64_t value);
void job_text(Job *job, const char *name, const char *value);
void job_problem(Job *job, const JobProblem *problem);
/* Appends to what was not taken of the input. */
void job_reject(Job *job, Slice text);
/* text: why it failed, or NULL. The work is freed before this returns. */
void job_end(Job *job, JobState state, const char *text);

void jobs_done(Bus *bus);
