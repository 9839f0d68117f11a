/* SPDX-License-Identifier: Apache-2.0 */

#include "loop/feed.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "loop/escalation.h"
#include "loop/history.h"
#include "record/codec.h"

static const Field feed_row_fields[] = {
        ID(1, FeedRow, sequence, 0, .doc = "number of the change; several rows may have the same"),
        TIME(2, FeedRow, time, 0, .doc = "when it was made"),
        TEXT(3, FeedRow, actor, 0, 0, .doc = "who made it, as in histories; or daemon"),
        TEXT(4, FeedRow, verb, 0, 0, .doc = "what for: the method, or what fell due"),
        TEXT(5, FeedRow, what, 0, 0, .doc = "what was changed: ticket, escalation, unit, ..."),
        ID(6, FeedRow, id, 0, .doc = "number of the case or escalation"),
        TEXT(7, FeedRow, code, 0, 0, .doc = "of master data"),
        TEXT(8, FeedRow, state, 0, 0, .doc = "of a case, after the change"),
        ID(9, FeedRow, revision, 0, .doc = "that the change made"),
        TEXT(10, FeedRow, subcentre, 0, 0, .doc = "whose it is"),
        TEXT(11, FeedRow, dealer, 0, 0, .doc = "likewise"),
        TEXT(12, FeedRow, kind, 0, 0, .doc = "of an escalation: the kind of its case"),
        ID(13, FeedRow, case_id, 0, .doc = "of an escalation: its case"),
        TEXT(14, FeedRow, cause, 0, 0, .doc = "of an escalation: warning, rung, repeat, reopened"),
        COUNT(15, FeedRow, level, 0, .doc = "of an escalation: how high it went"),
        TEXT(16, FeedRow, recipient, 0, 0, .doc = "of an escalation: code of the unit told"),
        FLAG(17, FeedRow, left, 0, .doc = "it has left the caller's scope with this change"),
        FLAG(18, FeedRow, removed, 0, .doc = "it is not there any more"),
};

const RecordType feed_row_type = {
        .name = "change",
        .size = sizeof(FeedRow),
        .fields = feed_row_fields,
        .n_fields = ELEMENTS(feed_row_fields),
};

#define ACTOR_SIZE 160
#define VERB_SIZE  64

/* One record while its rows are handed over. */
typedef struct Telling {
        const Feed *feed;
        const JournalRecord *record;
        char actor[ACTOR_SIZE], verb[VERB_SIZE];
} Telling;

static int tell(const Telling *telling, FeedRow *row) {
        row->sequence = telling->record->sequence;
        row->time = telling->record->time;
        row->actor = (char *)telling->actor;
        row->verb = (char *)telling->verb;
        return telling->feed->row(telling->feed->userdata, row);
}

/* ---- cases ---- */

/* The event that the same change has added to the history of a case. -ENOENT: none. */
static int find_event(const JournalRecord *record, const Kind *kind, uint64_t id, Event *ret) {
        Key prefix = history_prefix(kind->number, id, NULL);
        Cursor cursor = cursor_over(record->effects);
        JournalEffect effect;
        int r;

        while ((r = journal_next_effect(&cursor, &effect)) == 0)
                if (effect.table == history_table.number && effect.value.size > 0 &&
                    slice_begins(effect.key, key_slice(&prefix)))
                        return record_decode(&event_type, effect.value, ret);
        return r;
}

/* Effects are after-images: whose a case was before, its history tells. */
static void note_left(const Event *event, const Case *c, FeedRow *row) {
        const FieldChange *changes = event->changes.items;
        bool moved = false;

        row->left_subcentre = c->subcentre;
        row->left_dealer = c->dealer;
        for (size_t i = 0; i < event->changes.n; i++) {
                const char **left = STREQ(changes[i].field, "subcentre") ? &row->left_subcentre
                                    : STREQ(changes[i].field, "dealer")  ? &row->left_dealer
                                                                         : NULL;

                if (!left)
                        continue;
                *left = changes[i].before;
                moved = true;
        }
        if (!moved)
                row->left_subcentre = row->left_dealer = NULL;
}

static int tell_case(const Telling *telling, const Kind *kind, const JournalEffect *effect) {
        _cleanup_free_ Case *c = calloc(1, kind->table->type->size);
        FeedRow row = { .what = (char *)kind->name, .read = kind->read, .scoped = true };
        Event event = {};
        int r;

        if (!c)
                return -ENOMEM;
        r = record_decode(kind->table->type, effect->value, c);
        if (r < 0)
                return r == -EBADMSG ? 0 : r; /* of a newer program, or damaged: check tells */
        r = find_event(telling->record, kind, c->id, &event);
        if (r == 0)
                note_left(&event, c, &row);
        row.id = c->id;
        row.state = (char *)enum_name(kind->state_names, c->state);
        row.revision = c->revision;
        row.subcentre = c->subcentre;
        row.dealer = c->dealer;
        r = r == -ENOMEM ? r : tell(telling, &row);
        record_done(&event_type, &event);
        record_done(kind->table->type, c);
        return r;
}

/* ---- escalations, registers ---- */

static int tell_escalation(const Telling *telling, const JournalEffect *effect) {
        FeedRow row = { .what = (char *)escalation_type.name,
                        .read = PERMISSION_ESCALATION_READ,
                        .scoped = true };
        Escalation e = {};
        int r = record_decode(&escalation_type, effect->value, &e);

        if (r < 0)
                return r == -EBADMSG ? 0 : r;
        row.id = e.id;
        row.revision = e.revision;
        row.subcentre = e.subcentre;
        row.dealer = e.dealer;
        for (const Kind *const *kind = telling->feed->kinds; *kind; kind++)
                if ((*kind)->number == e.kind)
                        row.kind = (char *)(*kind)->name;
        row.case_id = e.case_id;
        row.cause = (char *)enum_name(&cause_names, e.cause);
        row.level = e.level;
        row.recipient = e.recipient;
        r = tell(telling, &row);
        record_done(&escalation_type, &e);
        return r;
}

static int tell_of_register(const Telling *telling, const Register *reg,
                            const JournalEffect *effect) {
        _cleanup_free_ void *record = calloc(1, reg->table->type->size);
        FeedRow row = { .what = (char *)reg->name, .read = reg->read };
        int r;

        if (!record)
                return -ENOMEM;
        r = record_decode(reg->table->type, effect->value, record);
        if (r < 0)
                return r == -EBADMSG ? 0 : r;
        if (reg->table->numbered) {
                row.id = ((const Entry *)record)->id;
                row.reg = reg;
                row.entry = record;
        } else {
                row.code = ((const Master *)record)->code;
                row.revision = ((const Master *)record)->revision;
        }
        r = tell(telling, &row);
        record_done(reg->table->type, record);
        return r;
}

/* Of what is gone only the key is left. */
static int tell_removed(const Telling *telling, const char *what, Permission read, bool numbered,
                        const JournalEffect *effect) {
        FeedRow row = { .what = (char *)what, .read = read, .scoped = numbered, .removed = true };
        char code[KEY_MAX + 1];

        if (numbered && effect->key.size == sizeof(uint64_t))
                row.id = load_be64(effect->key.data);
        snprintf(code, sizeof(code), "%.*s", (int)effect->key.size, (const char *)effect->key.data);
        if (!numbered)
                row.code = code;
        return tell(telling, &row);
}

/* ---- all of them ---- */

static int tell_effect(const Telling *telling, const JournalEffect *effect) {
        const Feed *feed = telling->feed;
        bool removed = effect->value.size == 0;

        if (effect->table == escalation_table.number)
                return removed ? tell_removed(telling, escalation_type.name,
                                              PERMISSION_ESCALATION_READ, true, effect)
                               : tell_escalation(telling, effect);
        for (const Kind *const *kind = feed->kinds; *kind; kind++)
                if ((*kind)->table->number == effect->table)
                        return removed ? tell_removed(telling, (*kind)->name, (*kind)->read, true,
                                                      effect)
                                       : tell_case(telling, *kind, effect);
        for (const Register *const *reg = feed->registers; *reg; reg++)
                if ((*reg)->table->number == effect->table)
                        return removed ? tell_removed(telling, (*reg)->name, (*reg)->read,
                                                      (*reg)->table->numbered, effect)
                                       : tell_of_register(telling, *reg, effect);
        return 0;
}

int feed_record(const Feed *feed, const JournalRecord *record) {
        Telling telling = { .feed = feed, .record = record };
        Cursor cursor = cursor_over(record->effects);
        JournalEffect effect;
        int r = 0;

        snprintf(telling.actor, sizeof(telling.actor), "%.*s", (int)record->actor.size,
                 (const char *)record->actor.data);
        snprintf(telling.verb, sizeof(telling.verb), "%.*s", (int)record->verb.size,
                 (const char *)record->verb.data);
        while (r == 0 && journal_next_effect(&cursor, &effect) == 0)
                r = tell_effect(&telling, &effect);
        return r;
}

FeedSight feed_sight(const Actor *actor, const FeedRow *row) {
        if (!actor_may(actor, row->read))
                return FEED_HIDDEN;
        if (row->entry)
                return register_shows(row->reg, actor, row->entry) ? FEED_SEEN : FEED_HIDDEN;
        if (!row->scoped || actor_in_scope(actor, row->subcentre, row->dealer))
                return FEED_SEEN;
        return actor_in_scope(actor, row->left_subcentre, row->left_dealer) ? FEED_LEFT
                                                                            : FEED_HIDDEN;
}
