/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What the ladder has done: an escalation for each warning, rung and repetition, kept for ever, and
 * a notification that somebody still has to deliver: the outbox. Both are written in the
 * transaction that arms the next event. */

#include "config/policy.h"
#include "loop/actor.h"
#include "record/record.h"
#include "store/store.h"

typedef enum EscalationCause {
        CAUSE_WARNING = 1, /* a share of the time is gone */
        CAUSE_RUNG,        /* the deadline has passed: the first rung, the next ... */
        CAUSE_REPEAT,      /* the top rung again */
        CAUSE_REOPENED,    /* the customer was not satisfied */
        _CAUSE_MAX,
} EscalationCause;

typedef struct Escalation {
        Record record;
        uint64_t id;
        int kind; /* of the case */
        uint64_t case_id;
        char *clock;
        int64_t cycle;
        int64_t level; /* of the clock, see timing.h; with case, clock and cycle it is unique */
        int cause;
        int role;                 /* Recipient */
        char *recipient;          /* the unit that hears of it */
        char *subcentre, *dealer; /* of the case: who may see it */
        int64_t due_at;           /* when it should have happened */
        int64_t fired_at;         /* when it did */
        int64_t missed;           /* repetitions that this one stands for besides itself */
        int64_t quiet;            /* levels right before it that nobody was told of */
        int64_t acknowledged_at;
        char *acknowledged_by;
        uint64_t revision;
} Escalation;

typedef enum NotificationState {
        NOTIFICATION_GATHERING = 1, /* a summary that is still growing */
        NOTIFICATION_READY,         /* waits to be taken; when leased, until the lease ends */
        _NOTIFICATION_STATE_MAX,
} NotificationState;

/* To be delivered at least once, under a number that stays the same however often it is. One
 * escalation, or after a downtime all of one recipient's in one summary. */
typedef struct Notification {
        Record record;
        uint64_t id; /* the sequence number */
        int state;
        char *recipient;     /* unit */
        uint64_t escalation; /* 0: a summary */
        int kind;
        uint64_t case_id;
        int cause;     /* the gravest of a summary */
        int64_t level; /* likewise */
        int64_t count; /* escalations in it */
        int64_t first_due, last_due, fired_at;
        int64_t leased_until;
        int64_t attempts; /* times it was taken */
} Notification;

extern const RecordType escalation_type, notification_type;
extern const Table escalation_table, notification_table;
extern const EnumNames cause_names, recipient_names;

extern const Index index_escalation_case;        /* kind, case, id */
extern const Index index_escalation_open;        /* not acknowledged: highest level first */
extern const Index index_escalation_recipient;   /* recipient, acknowledged?, id */
extern const Index index_notification_recipient; /* gathering: recipient */
extern const Index tally_escalation_open;

/* Stages an escalation (its id is given here) and its notification; one that comes later than
 * `late_after` goes into the recipient's summary. */
int escalation_raise(Change *change, Escalation *escalation, int64_t late_after);
/* Records who took it on; the clock runs on. `revision` is what the caller has seen, or 0. 0 and
 * the escalation (to free), > 0 refused, < 0. */
int escalation_acknowledge(Change *change, uint64_t id, uint64_t revision, const Actor *actor,
                           int64_t now, Escalation *ret, Refusal *refusal);
/* Makes up to `limit` gathered summaries ready: the catch-up is over. *ret: how many were. */
int notification_release(Change *change, size_t limit, size_t *ret);
bool notification_is_gathering(Store *store);

/* Leases up to `limit` (at most NOTIFICATIONS_TAKE_MAX) ready notifications until then, hands each
 * to the callback: those with the lowest numbers of all that nobody has leased now, as long as no
 * more than LAPSED_LOOKED_AT leases have lapsed. */
typedef int (*NotificationTaken)(void *userdata, const Notification *notification);
int notification_take(Change *change, int64_t now, int64_t until, size_t limit,
                      NotificationTaken taken, void *userdata);
/* Removes one that was delivered. 0 or -ENOENT (it was already). */
int notification_done(Change *change, uint64_t id);
