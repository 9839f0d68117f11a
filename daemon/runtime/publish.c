/* SPDX-License-Identifier: Apache-2.0 */

#include "runtime/publish.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "aftersales/kinds.h"
#include "aftersales/limits.h"
#include "base/log.h"
#include "record/codec.h"
#include "store/journal.h"

struct Publisher {
        PublisherOptions options;
};

/* The higher the rung, the louder the line. */
static int log_priority(const Escalation *e) {
        static const int priorities[] = { LOG_NOTICE, LOG_WARNING, LOG_ERR, LOG_CRIT, LOG_ALERT };

        return e->cause == CAUSE_REOPENED
                       ? LOG_WARNING
                       : priorities[MIN(e->level, (int64_t)ELEMENTS(priorities) - 1)];
}

static void log_escalation(const Kind *kind, const Escalation *e) {
        char number[CASE_NUMBER_SIZE], case_no[CASE_NUMBER_SIZE], due[TIME_TEXT_SIZE];

        log_at(log_priority(e),
               "%s %s: %s level %" PRId64 " of %s, due %s, to %s %s (cycle %" PRId64
               ", missed %" PRId64 ")",
               case_number(LETTER_ESCALATION, e->id, number),
               case_number(kind->letter, e->case_id, case_no), enum_name(&cause_names, e->cause),
               e->level, e->clock, time_format(e->due_at, due),
               enum_name(&recipient_names, e->role), e->recipient, e->cycle, e->missed);
}

static void log_summary(const Notification *n) {
        char number[CASE_NUMBER_SIZE], first[TIME_TEXT_SIZE], last[TIME_TEXT_SIZE];

        log_at(LOG_ERR,
               "%s summary: %" PRId64 " escalations, due %s to %s, up to level %" PRId64 ", to %s",
               case_number(LETTER_NOTIFICATION, n->id, number), n->count,
               time_format(n->first_due, first), time_format(n->last_due, last), n->level,
               n->recipient);
}

static void log_raised(Publisher *p, Slice value) {
        int64_t late_after = engine_policy(p->options.engine)->late_after * USEC_PER_SEC;
        const Kind *kind;
        Escalation e;

        if (record_decode(&escalation_type, value, &e) < 0)
                return;
        kind = engine_kind(p->options.engine, e.kind);
        /* What comes late is logged in one line for each recipient, when the summary is ready. */
        if (e.revision == 1 && kind && e.fired_at - e.due_at <= late_after)
                log_escalation(kind, &e);
        record_done(&escalation_type, &e);
}

static void log_ready(Slice value) {
        Notification n;

        if (record_decode(&notification_type, value, &n) < 0)
                return;
        if (n.state == NOTIFICATION_READY && !n.escalation && !n.attempts)
                log_summary(&n);
        record_done(&notification_type, &n);
}

static void log_record(Publisher *p, const JournalRecord *record) {
        Cursor cursor = cursor_over(record->effects);
        JournalEffect effect;

        while (journal_next_effect(&cursor, &effect) == 0) {
                if (effect.value.size == 0)
                        continue;
                if (effect.table == escalation_table.number)
                        log_raised(p, effect.value);
                else if (effect.table == notification_table.number)
                        log_ready(effect.value);
        }
}

static void publish_record(Publisher *p, const JournalRecord *record) {
        Feed feed = {
                .kinds = engine_kinds(p->options.engine),
                .registers = p->options.registers,
                .row = p->options.announce,
                .userdata = p->options.userdata,
        };

        log_record(p, record);
        if (p->options.is_heard(p->options.userdata) && feed_record(&feed, record) < 0)
                log_warning("change %" PRIu64 " could not be announced: out of memory",
                            record->sequence);
}

void publisher_run(Publisher *p) {
        Store *store = p->options.store;
        uint64_t sequence = store_head(store)->published, end = store_durable(store);
        int r = 0;

        if (sequence >= end)
                return;
        while (sequence < end && (r == 0 || r == -EBADMSG)) {
                JournalRecord record;

                r = store_journal_next(store, &sequence, &record);
                if (r == -EBADMSG)
                        log_error("journal record %" PRIu64 " is damaged: it is not announced",
                                  sequence);
                else if (r == 0)
                        publish_record(p, &record);
        }
        if (r == -ENOENT)
                sequence = end;
        else if (r < 0 && r != -EBADMSG)
                log_error("cannot read what comes after journal record %" PRIu64
                          " (%s): it is announced with the next change",
                          sequence, strerror(-r));
        p->options.announced(p->options.userdata, sequence);
        store_note_published(store, sequence);
        store_release(store);
}

static void on_commit(void *userdata, int result) {
        if (result == 0)
                publisher_run(userdata);
}

int publisher_new(const PublisherOptions *options, Publisher **ret) {
        Publisher *p = malloc(sizeof(*p));

        if (!p)
                return -ENOMEM;
        p->options = *options;
        committer_watch(options->committer, on_commit, p);
        *ret = p;
        return 0;
}

Publisher *publisher_free(Publisher *publisher) {
        free(publisher);
        return NULL;
}
