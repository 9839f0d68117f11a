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

static void publish_escalation(Publisher *p, uint64_t sequence, Slice value) {
        int64_t late_after = engine_policy(p->options.engine)->late_after * USEC_PER_SEC;
        const Kind *kind;
        Escalation e;

        if (record_decode(&escalation_type, value, &e) < 0)
                return;
        kind = engine_kind(p->options.engine, e.kind);
        if (e.revision == 1 && kind) {
                Announcement announcement = { .sequence = sequence,
                                              .kind = kind,
                                              .escalation = &e };

                /* What comes late is logged in one line for each recipient, when the summary is
                 * ready. */
                if (e.fired_at - e.due_at <= late_after)
                        log_escalation(kind, &e);
                p->options.announce(p->options.userdata, &announcement);
        }
        record_done(&escalation_type, &e);
}

static void publish_summary(Slice value) {
        Notification n;

        if (record_decode(&notification_type, value, &n) < 0)
                return;
        if (n.state == NOTIFICATION_READY && !n.escalation && !n.attempts)
                log_summary(&n);
        record_done(&notification_type, &n);
}

static void publish_case(Publisher *p, const Kind *kind, uint64_t sequence, Slice value) {
        _cleanup_free_ Case *c = calloc(1, kind->table->type->size);

        if (!c || record_decode(kind->table->type, value, c) < 0)
                return;
        p->options.announce(p->options.userdata,
                            &(Announcement){ .sequence = sequence, .kind = kind, .item = c });
        record_done(kind->table->type, c);
}

static void publish_effect(Publisher *p, uint64_t sequence, const JournalEffect *effect,
                           bool heard) {
        if (effect->value.size == 0)
                return;
        if (effect->table == escalation_table.number)
                publish_escalation(p, sequence, effect->value);
        else if (effect->table == notification_table.number)
                publish_summary(effect->value);
        else if (heard)
                for (const Kind *const *kind = engine_kinds(p->options.engine); *kind; kind++)
                        if ((*kind)->table->number == effect->table)
                                publish_case(p, *kind, sequence, effect->value);
}

void publisher_run(Publisher *p) {
        Store *store = p->options.store;
        bool heard = p->options.is_heard(p->options.userdata);
        uint64_t sequence = store_head(store)->published;

        while (sequence < store_head(store)->sequence) {
                JournalEffect effect;
                JournalRecord record;
                Cursor cursor;
                int r;

                r = store_journal_next(store, &sequence, &record);
                if (r == -ENOENT) {
                        sequence = store_head(store)->sequence;
                        break;
                }
                if (r < 0) {
                        log_error("cannot read journal record %" PRIu64 ": %s", sequence,
                                  strerror(-r));
                        continue;
                }
                cursor = cursor_over(record.effects);
                while (journal_next_effect(&cursor, &effect) == 0)
                        publish_effect(p, sequence, &effect, heard);
        }
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
