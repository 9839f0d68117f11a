/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Dealers' daily reports: a file of new tickets, progress and results, or the word that there is
 * nothing to report. One case a dealer and day. */

#include "loop/kind.h"
#include "loop/periodic.h"

typedef enum ReportState {
        REPORT_EXPECTED = 1,
        REPORT_REPORTED,
        REPORT_EXCUSED,
        _REPORT_STATE_MAX,
} ReportState;

typedef struct Report {
        Case head;
        int64_t day;
        int64_t due_at;
        bool nothing;
        int64_t reported_at;
        int64_t rows, created, moved, unchanged, refused; /* of the last file */
        int64_t bonus;
} Report;

extern const Table report_table;
extern const Kind report_kind;
extern const Index index_report_day; /* day, dealer */

void report_done(Report *report);

/* At the beginning of each working day every dealer with open tickets owes a report. */
extern const Periodic report_duties;

/* Until when the report of a day must be there, by the policy in force, which expects some. */
int64_t report_cutoff(const Engine *engine, int64_t day);
/* The day of an instant, where dates are cut. */
int64_t report_day(const Engine *engine, int64_t instant);

/* What an import has counted. */
typedef struct ReportCounts {
        uint64_t rows, created, moved, unchanged, refused;
} ReportCounts;

/* Whether this caller may hand a file in for the report, and whose it is. 0, > 0 refused, < 0. */
int report_check(Store *store, uint64_t id, const Actor *actor,
                 char ret_dealer[static CODE_MAX_BYTES + 1], Refusal *refusal);
/* The file was taken in: the report is there, as a change of its own. settle: what is due on it
 * happens before (not while the clock is not believed). 0, > 0 refused, < 0. */
int report_deliver(const Engine *engine, Store *store, uint64_t id, const Call *call,
                   const ReportCounts *counts, bool settle, Refusal *refusal);
