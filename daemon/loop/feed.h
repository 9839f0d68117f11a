/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The change feed: what a journal record tells those who follow, a row for each case, escalation or
 * record of a register that it changed. Ids, codes and states only: no personal data. */

#include "loop/kind.h"
#include "loop/register.h"
#include "store/journal.h"

/* As told; what is not of the sort that changed is not given. All of it is borrowed: it holds while
 * the row is handed over. */
typedef struct FeedRow {
        Record record;
        uint64_t sequence;
        int64_t time;
        char *actor, *verb;
        char *what; /* the kind of case, "escalation", or the sort of master data */
        uint64_t id;
        char *code;
        char *state;
        uint64_t revision;
        char *subcentre, *dealer;
        char *kind; /* from here: of an escalation */
        uint64_t case_id;
        char *cause;
        int64_t level;
        char *recipient;
        bool left;    /* it was the caller's to see until now */
        bool removed; /* it is not there any more */

        /* Not told: what decides who may see it. */
        Permission read;
        const Register *reg; /* of an entry: it says itself who may see it */
        const void *entry;
        bool scoped;                              /* it belongs to a sub-centre and a dealer */
        const char *left_subcentre, *left_dealer; /* whose it was before, where that has changed */
} FeedRow;

extern const RecordType feed_row_type;

typedef struct Feed {
        const Kind *const *kinds; /* NULL-terminated, both */
        const Register *const *registers;
        /* 0 to go on. */
        int (*row)(void *userdata, const FeedRow *row);
        void *userdata;
} Feed;

/* Hands over the rows of one record, in the order of its effects. 0, -ENOMEM, or what row() gave.
 */
int feed_record(const Feed *feed, const JournalRecord *record);

typedef enum FeedSight {
        FEED_HIDDEN,
        FEED_SEEN,
        FEED_LEFT, /* the change has taken it out of the actor's scope */
} FeedSight;

FeedSight feed_sight(const Actor *actor, const FeedRow *row);
