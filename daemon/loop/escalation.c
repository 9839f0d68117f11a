/* SPDX-License-Identifier: Apache-2.0 */

#include "loop/escalation.h"

#include <errno.h>
#include <inttypes.h>

#include "aftersales/kinds.h"
#include "aftersales/limits.h"
#include "base/text.h"
#include "loop/case.h"

static const char *const cause_name[] = {
        [CAUSE_WARNING] = "warning",
        [CAUSE_RUNG] = "rung",
        [CAUSE_REPEAT] = "repeat",
        [CAUSE_REOPENED] = "reopened",
};
const EnumNames cause_names = { cause_name, ELEMENTS(cause_name) };

static const char *const recipient_name[] = {
        [RECIPIENT_OWNER] = "owner",         [RECIPIENT_SUBCENTRE] = "subcentre",
        [RECIPIENT_BUSINESS] = "business",   [RECIPIENT_PARTS] = "parts",
        [RECIPIENT_TECHNICAL] = "technical", [RECIPIENT_GENERAL] = "general",
        [RECIPIENT_PRESIDENT] = "president",
};
const EnumNames recipient_names = { recipient_name, ELEMENTS(recipient_name) };

static const char *const notification_state_name[] = {
        [NOTIFICATION_GATHERING] = "gathering",
        [NOTIFICATION_READY] = "ready",
};
static const EnumNames notification_state_names = { notification_state_name,
                                                    ELEMENTS(notification_state_name) };

static const Field escalation_fields[] = {
        ID(1, Escalation, id, 0, .doc = "number of the escalation"),
        ENUM(2, Escalation, kind, FIELD_FILTER, &kind_names, .doc = "kind of the case"),
        ID(3, Escalation, case_id, FIELD_FILTER, .doc = "number of the case"),
        TEXT(4, Escalation, clock, 0, NAME_MAX_BYTES, .doc = "the clock that ran over"),
        COUNT(5, Escalation, cycle, 0, .doc = "of the clock"),
        COUNT(6, Escalation, level, 0, .doc = "0 the warning, then the rungs, then repetitions"),
        ENUM(7, Escalation, cause, FIELD_FILTER, &cause_names, .doc = "why"),
        ENUM(8, Escalation, role, FIELD_FILTER, &recipient_names, .doc = "as the ladder names it"),
        TEXT(9, Escalation, recipient, FIELD_FILTER | FIELD_CODE, CODE_MAX_BYTES,
             .doc = "code of the unit that hears of it"),
        TEXT(10, Escalation, subcentre, FIELD_FILTER | FIELD_CODE, CODE_MAX_BYTES,
             .doc = "sub-centre of the case"),
        TEXT(11, Escalation, dealer, FIELD_FILTER | FIELD_CODE, CODE_MAX_BYTES,
             .doc = "dealer of the case"),
        TIME(12, Escalation, due_at, 0, .doc = "when it should have happened"),
        TIME(13, Escalation, fired_at, 0, .doc = "when it did"),
        COUNT(14, Escalation, missed, 0, .doc = "repetitions it stands for besides itself"),
        TIME(15, Escalation, acknowledged_at, 0, .doc = "when somebody took it on"),
        TEXT(16, Escalation, acknowledged_by, 0, NAME_MAX_BYTES, .doc = "who did"),
        ID(17, Escalation, revision, 0, .doc = "counts its changes"),
        COUNT(18, Escalation, quiet, 0, .doc = "levels before it that passed in silence"),
};

const RecordType escalation_type = {
        .name = "escalation",
        .number = 101,
        .version = 1,
        .size = sizeof(Escalation),
        .fields = escalation_fields,
        .n_fields = ELEMENTS(escalation_fields),
};

static const Field notification_fields[] = {
        ID(1, Notification, id, 0, .doc = "sequence number, stable over repeated delivery"),
        ENUM(2, Notification, state, 0, &notification_state_names, .doc = "ready or gathering"),
        TEXT(3, Notification, recipient, 0, CODE_MAX_BYTES, .doc = "code of the unit to tell"),
        ID(4, Notification, escalation, 0, .doc = "the escalation; absent for a summary"),
        ENUM(5, Notification, kind, 0, &kind_names, .doc = "kind of the (first) case"),
        ID(6, Notification, case_id, 0, .doc = "number of the (first) case"),
        ENUM(7, Notification, cause, 0, &cause_names, .doc = "the gravest cause"),
        COUNT(8, Notification, level, 0, .doc = "the highest level"),
        COUNT(9, Notification, count, 0, .doc = "escalations in it"),
        TIME(10, Notification, first_due, 0, .doc = "when the first was due"),
        TIME(11, Notification, last_due, 0, .doc = "when the last was due"),
        TIME(12, Notification, fired_at, 0, .doc = "when the last happened"),
        TIME(13, Notification, leased_until, 0, .doc = "until when it is somebody's to deliver"),
        COUNT(14, Notification, attempts, 0, .doc = "times it was taken"),
};

const RecordType notification_type = {
        .name = "notification",
        .number = 102,
        .version = 1,
        .size = sizeof(Notification),
        .fields = notification_fields,
        .n_fields = ELEMENTS(notification_fields),
};

static void escalation_key(const void *record, Key *key) {
        key_u64(key, ((const Escalation *)record)->id);
}

static void keys_case(const void *record, Keys *keys) {
        const Escalation *e = record;
        Key *key = keys_add(keys);

        key_u8(key, (uint8_t)e->kind);
        key_u64(key, e->case_id);
}
const Index index_escalation_case = { .name = "escalation_by_case", .keys = keys_case };

static void keys_open(const void *record, Keys *keys) {
        const Escalation *e = record;

        if (!e->acknowledged_at)
                key_u8(keys_add(keys), (uint8_t)(UINT8_MAX - MIN(e->level, UINT8_MAX)));
}
const Index index_escalation_open = { .name = "escalation_open", .keys = keys_open };

static void keys_recipient(const void *record, Keys *keys) {
        const Escalation *e = record;
        Key *key = keys_add(keys);

        key_text(key, e->recipient);
        key_u8(key, e->acknowledged_at != 0);
}
const Index index_escalation_recipient = { .name = "escalation_by_recipient",
                                           .keys = keys_recipient };

static void keys_tally_open(const void *record, Keys *keys) {
        const Escalation *e = record;

        if (!e->acknowledged_at)
                key_u8(keys_add(keys), (uint8_t)e->kind);
}
const Index tally_escalation_open = { .name = "escalation", .keys = keys_tally_open };

static const char *escalation_fault(const void *record) {
        const Escalation *e = record;

        return e->fired_at <= e->due_at && e->cause != CAUSE_REOPENED
                       ? "an escalation happened before it was due"
                       : NULL;
}

const Table escalation_table = {
        .number = 101,
        .name = "escalation",
        .type = &escalation_type,
        .key = escalation_key,
        .numbered = true,
        .indices = (const Index *const[]){ &index_escalation_case, &index_escalation_open,
                                           &index_escalation_recipient, NULL },
        .tallies = (const Index *const[]){ &tally_escalation_open, NULL },
        .fault = escalation_fault,
};

static void notification_key(const void *record, Key *key) {
        key_u64(key, ((const Notification *)record)->id);
}

static void keys_gathering(const void *record, Keys *keys) {
        const Notification *n = record;

        if (n->state == NOTIFICATION_GATHERING)
                key_text(keys_add(keys), n->recipient);
}
const Index index_notification_recipient = { .name = "notification_gathering",
                                             .keys = keys_gathering };

/* By the end of the lease, which is 0 for those that were never leased. */
static void keys_ready(const void *record, Keys *keys) {
        const Notification *n = record;

        if (n->state == NOTIFICATION_READY)
                key_u64(keys_add(keys), (uint64_t)n->leased_until);
}
static const Index index_notification_ready = { .name = "notification_ready", .keys = keys_ready };

const Table notification_table = {
        .number = 102,
        .name = "notification",
        .type = &notification_type,
        .key = notification_key,
        .numbered = true,
        .indices = (const Index *const[]){ &index_notification_recipient, &index_notification_ready,
                                           NULL },
};

static int notify_single(Change *change, const Escalation *e) {
        Notification n = {
                .state = NOTIFICATION_READY,
                .recipient = e->recipient,
                .escalation = e->id,
                .kind = e->kind,
                .case_id = e->case_id,
                .cause = e->cause,
                .level = e->level,
                .count = 1,
                .first_due = e->due_at,
                .last_due = e->due_at,
                .fired_at = e->fired_at,
        };
        int r = change_number(change, &notification_table, &n.id);

        return r < 0 ? r : change_put(change, &notification_table, &n);
}

/* The next one under the prefix that is intact; damage is passed over, the store tells of it. */
static int next_gathering(Store *store, const Key *prefix, Key *position, Notification *ret) {
        Key key;
        int r;

        do {
                r = store_index_next(store, &index_notification_recipient, prefix, position, &key);
                if (r < 0)
                        return r;
                r = store_get(store, &notification_table, &key, ret);
        } while (r == -EBADMSG || r == -ENOENT);
        return r;
}

static int notify_summary(Change *change, const Escalation *e) {
        Key prefix = {}, position = {};
        Notification n;
        int r;

        key_text(&prefix, e->recipient);
        r = next_gathering(change_store(change), &prefix, &position, &n);
        if (r == -ENOENT) {
                n = (Notification){ .state = NOTIFICATION_GATHERING,
                                    .kind = e->kind,
                                    .case_id = e->case_id,
                                    .first_due = e->due_at };
                r = change_number(change, &notification_table, &n.id);
                if (r == 0)
                        r = text_set(&n.recipient, e->recipient);
        }
        if (r < 0)
                return r;
        n.count++;
        n.cause = MAX(n.cause, e->cause);
        n.level = MAX(n.level, e->level);
        n.first_due = MIN(n.first_due, e->due_at);
        n.last_due = MAX(n.last_due, e->due_at);
        n.fired_at = e->fired_at;
        r = change_put(change, &notification_table, &n);
        record_done(&notification_type, &n);
        return r;
}

int escalation_raise(Change *change, Escalation *e, int64_t late_after) {
        int r;

        r = change_number(change, &escalation_table, &e->id);
        if (r < 0)
                return r;
        e->revision = 1;
        r = change_put(change, &escalation_table, e);
        if (r < 0)
                return r;
        return e->fired_at - e->due_at > late_after ? notify_summary(change, e)
                                                    : notify_single(change, e);
}

int escalation_acknowledge(Change *change, uint64_t id, uint64_t revision, const Actor *actor,
                           int64_t now, Escalation *ret, Refusal *refusal) {
        char number[CASE_NUMBER_SIZE];
        Key key = key_of_id(id);
        Escalation e;
        int r;

        case_number(LETTER_ESCALATION, id, number);
        r = change_get(change, &escalation_table, &key, &e);
        if (r == -ENOENT)
                return refuse(refusal, REFUSED_NOT_FOUND, "there is no escalation %s", number);
        if (r < 0)
                return r;
        if (!actor_in_scope(actor, e.subcentre, e.dealer))
                r = refuse(refusal, REFUSED_SCOPE, "%s is outside of your scope (%s)", number,
                           actor->unit);
        else if (revision && revision != e.revision)
                r = refuse(refusal, REFUSED_STALE,
                           "%s is at revision %" PRIu64 ", you have seen %" PRIu64
                           ": read it again and decide anew",
                           number, e.revision, revision);
        else if (e.acknowledged_at)
                r = refuse(refusal, REFUSED_STATE, "%s was acknowledged already, by %s", number,
                           e.acknowledged_by);
        else {
                e.acknowledged_at = now;
                e.revision++;
                r = text_set(&e.acknowledged_by, actor->name);
                if (r == 0)
                        r = change_put(change, &escalation_table, &e);
        }
        if (r == 0)
                *ret = e;
        else
                record_done(&escalation_type, &e);
        return r;
}

bool notification_is_gathering(Store *store) {
        Key prefix = {}, position = {};
        Notification n;

        if (next_gathering(store, &prefix, &position, &n) < 0)
                return false;
        record_done(&notification_type, &n);
        return true;
}

int notification_release(Change *change, size_t limit, size_t *ret) {
        Key prefix = {}, position = {};
        size_t n_released = 0;
        int r = 0;

        while (n_released < limit) {
                Notification n;

                r = next_gathering(change_store(change), &prefix, &position, &n);
                if (r < 0)
                        break;
                n.state = NOTIFICATION_READY;
                r = change_put(change, &notification_table, &n);
                record_done(&notification_type, &n);
                if (r < 0)
                        return r;
                n_released++;
        }
        if (r < 0 && r != -ENOENT)
                return r;
        *ret = n_released;
        return 0;
}

/* The lowest numbers that were offered, in order. */
typedef struct Oldest {
        uint64_t ids[NOTIFICATIONS_TAKE_MAX];
        size_t n;
} Oldest;

static void oldest_offer(Oldest *oldest, uint64_t id) {
        size_t i = oldest->n;

        if (i == NOTIFICATIONS_TAKE_MAX && oldest->ids[i - 1] < id)
                return;
        if (i < NOTIFICATIONS_TAKE_MAX)
                oldest->n++;
        else
                i--;
        for (; i > 0 && oldest->ids[i - 1] > id; i--)
                oldest->ids[i] = oldest->ids[i - 1];
        oldest->ids[i] = id;
}

/* The last place in the index of those that are leased until then. */
static Key end_of_lease(int64_t until) {
        Key position = {};

        key_u64(&position, (uint64_t)until);
        key_u64(&position, UINT64_MAX);
        return position;
}

/* Those never leased stand in the order of their numbers, behind them those whose lease is over in
 * the order in which it ended: of the former only so many count, of the latter all. At the end
 * those that were leased by a clock that was ahead, which nobody can have any more. */
static int find_oldest(Store *store, int64_t now, Oldest *ret) {
        Key prefix = {}, position = {}, key;
        int64_t longest = now + LEASE_MAX * USEC_PER_SEC;
        size_t never = 0, lapsed = 0;
        int r = 0;

        while (lapsed < LAPSED_LOOKED_AT && (r = store_index_next(store, &index_notification_ready,
                                                                  &prefix, &position, &key)) == 0) {
                int64_t leased_until = (int64_t)load_be64(position.bytes);

                if (leased_until > now && leased_until <= longest) {
                        position = end_of_lease(longest);
                        continue;
                }
                oldest_offer(ret, load_be64(key.bytes));
                if (leased_until > 0)
                        lapsed++;
                else if (++never == NOTIFICATIONS_TAKE_MAX)
                        position = end_of_lease(0);
        }
        return r == -ENOENT ? 0 : r;
}

int notification_take(Change *change, int64_t now, int64_t until, size_t limit,
                      NotificationTaken taken, void *userdata) {
        Oldest oldest = {};
        int r = find_oldest(change_store(change), now, &oldest);

        for (size_t i = 0; r == 0 && limit > 0 && i < oldest.n; i++) {
                Key key = key_of_id(oldest.ids[i]);
                Notification n;

                r = change_get(change, &notification_table, &key, &n);
                if (r == -EBADMSG) { /* which the store tells; those behind it do not wait */
                        r = 0;
                        continue;
                }
                if (r < 0)
                        break;
                limit--;
                n.leased_until = until;
                n.attempts++;
                r = change_put(change, &notification_table, &n);
                if (r == 0)
                        r = taken(userdata, &n);
                record_done(&notification_type, &n);
        }
        return r;
}

int notification_done(Change *change, uint64_t id) {
        Key key = key_of_id(id);
        Notification n;
        int r = change_get(change, &notification_table, &key, &n);

        if (r < 0)
                return r;
        record_done(&notification_type, &n);
        return change_remove(change, &notification_table, &key);
}
