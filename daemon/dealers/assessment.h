/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What counts for or against a dealer: an entry for each event, never changed. */

#include "loop/engine.h"
#include "loop/register.h"

typedef enum AssessmentItem {
        ASSESSMENT_PLAN_LATE = 1, /* the month's plan of parts came late */
        ASSESSMENT_RETURN_LATE,   /* a core was not sent back in time */
        _ASSESSMENT_ITEM_MAX,
} AssessmentItem;

typedef struct Assessment {
        Entry entry;
        char *dealer, *subcentre;
        int item;
        int64_t day; /* where dates are cut */
} Assessment;

extern const Table assessment_table;
extern const Register assessment_register;

/* Stages one that a case has brought about by what was due at an instant. 0 or negative errno. */
int assess(const Engine *engine, Change *change, const Case *c, AssessmentItem item,
           int64_t due_at);
