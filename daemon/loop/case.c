/* SPDX-License-Identifier: Apache-2.0 */

#include "loop/case.h"

#include <inttypes.h>
#include <stdio.h>

#include "aftersales/kinds.h"
#include "aftersales/limits.h"

static const char *const kind_name[] = {
#define X(symbol, number, name, letter) [number] = name,
        AFTERSALES_KINDS(X)
#undef X
};
const EnumNames kind_names = { kind_name, ELEMENTS(kind_name) };

static const Field pause_fields[] = {
        TIME(1, Pause, since, 0, .doc = "when it began"),
        TIME(2, Pause, until, 0, .doc = "when it ended"),
        TEXT(3, Pause, reason, 0, CODE_MAX_BYTES, .doc = "the state that paused the clock"),
};

const RecordType pause_type = {
        .name = "pause",
        .size = sizeof(Pause),
        .fields = pause_fields,
        .n_fields = ELEMENTS(pause_fields),
};

/* Ended cases sort behind all open ones. */
static uint64_t urgency(const Case *c) {
        return c->open ? (uint64_t)c->armed_at : UINT64_MAX;
}

static void keys_due(const void *record, Keys *keys) {
        const Case *c = record;
        Key *key;

        if (!c->open)
                return;
        key = keys_add(keys);
        key_u64(key, (uint64_t)c->armed_at);
        key_u8(key, (uint8_t)c->kind);
}
const Index index_due = { .name = "due", .keys = keys_due };

int64_t due_entry_at(const Key *entry) {
        return (int64_t)load_be64(entry->bytes);
}

uint8_t due_entry_kind(const Key *entry) {
        return entry->bytes[8];
}

static void keys_rung(const void *record, Keys *keys) {
        const Case *c = record;
        Key *key;

        if (!c->open || c->rung == 0)
                return;
        key = keys_add(keys);
        key_u8(key, (uint8_t)c->kind);
        key_u8(key, (uint8_t)(UINT8_MAX - MIN(c->rung, UINT8_MAX)));
}
const Index index_rung = { .name = "by_rung", .keys = keys_rung };

static void keys_state(const void *record, Keys *keys) {
        const Case *c = record;
        Key *key = keys_add(keys);

        key_u8(key, (uint8_t)c->kind);
        key_u8(key, (uint8_t)c->state);
        key_u64(key, urgency(c));
}
const Index index_state = { .name = "by_state", .keys = keys_state };

static void keys_of_unit(const Case *c, const char *unit, Keys *keys) {
        Key *key;

        if (!unit)
                return;
        key = keys_add(keys);
        key_u8(key, (uint8_t)c->kind);
        key_text(key, unit);
        key_u64(key, urgency(c));
}

static void keys_subcentre(const void *record, Keys *keys) {
        const Case *c = record;

        keys_of_unit(c, c->subcentre, keys);
}
const Index index_subcentre = { .name = "by_subcentre", .keys = keys_subcentre };

static void keys_dealer(const void *record, Keys *keys) {
        const Case *c = record;

        keys_of_unit(c, c->dealer, keys);
}
const Index index_dealer = { .name = "by_dealer", .keys = keys_dealer };

static void keys_tally_state(const void *record, Keys *keys) {
        const Case *c = record;
        Key *key = keys_add(keys);

        key_u8(key, (uint8_t)c->kind);
        key_u8(key, (uint8_t)c->state);
}
const Index tally_state = { .name = "state", .keys = keys_tally_state };

static void keys_tally_overdue(const void *record, Keys *keys) {
        const Case *c = record;

        if (c->open && c->overdue)
                key_u8(keys_add(keys), (uint8_t)c->kind);
}

void case_keys_on_a_rung(const void *record, Keys *keys) {
        const Case *c = record;

        if (c->open && c->rung > 0)
                key_u8(keys_add(keys), (uint8_t)c->kind);
}
const Index tally_overdue = { .name = "overdue", .keys = keys_tally_overdue };

static void keys_tally_unarmed(const void *record, Keys *keys) {
        const Case *c = record;

        if (c->open && c->armed_at == 0)
                key_u8(keys_add(keys), (uint8_t)c->kind);
}
const Index tally_unarmed = { .name = "unarmed", .keys = keys_tally_unarmed };

static void tally_of_unit(const Case *c, const char *unit, Keys *keys) {
        Key *key;

        if (!c->open || !unit)
                return;
        key = keys_add(keys);
        key_u8(key, (uint8_t)c->kind);
        key_text(key, unit);
}

static void keys_tally_dealer(const void *record, Keys *keys) {
        const Case *c = record;

        tally_of_unit(c, c->dealer, keys);
}
const Index tally_dealer_open = { .name = "dealer", .keys = keys_tally_dealer };

static void keys_tally_subcentre(const void *record, Keys *keys) {
        const Case *c = record;

        tally_of_unit(c, c->subcentre, keys);
}
const Index tally_subcentre_open = { .name = "subcentre", .keys = keys_tally_subcentre };

/* The record of a filter carries its kind's number. */
static void prefix_of_unit(const Case *c, const char *unit, Key *key) {
        key_u8(key, (uint8_t)c->kind);
        key_text(key, unit);
}

void case_prefix_dealer(const void *filter, Key *key) {
        const Case *c = filter;

        prefix_of_unit(c, c->dealer, key);
}

void case_prefix_subcentre(const void *filter, Key *key) {
        const Case *c = filter;

        prefix_of_unit(c, c->subcentre, key);
}

void case_prefix_state(const void *filter, Key *key) {
        const Case *c = filter;

        key_u8(key, (uint8_t)c->kind);
        key_u8(key, (uint8_t)c->state);
}

void case_key(const void *record, Key *key) {
        key_u64(key, ((const Case *)record)->id);
}

static const char *clock_fault(const Clock *clock) {
        const Pause *pauses = clock->pauses.items;
        int64_t last = clock->started_at;

        if (clock->started_at == 0 || clock->cycle == 0)
                return "a clock was never started";
        if (clock->quiet > clock->level)
                return "a clock has passed more levels in silence than it has passed";
        if (clock->stopped_at && (clock->stopped_at < clock->started_at || clock->next_at))
                return "a stopped clock still runs";
        if (!clock->stopped_at && !clock->paused && (!clock->deadline || !clock->next_at))
                return "a running clock has no next event";
        for (size_t i = 0; i < clock->pauses.n; i++) {
                if (pauses[i].since < last ||
                    (pauses[i].until && pauses[i].until < pauses[i].since))
                        return "a clock's pauses are out of order";
                if (!pauses[i].until && i + 1 < clock->pauses.n)
                        return "a clock has two open pauses";
                last = pauses[i].until;
        }
        return NULL;
}

const char *case_fault(const void *record) {
        const Case *c = record;
        const Clock *clocks = c->clocks.items;
        int64_t earliest = 0;

        for (size_t i = 0; i < c->clocks.n; i++) {
                const char *fault = clock_fault(&clocks[i]);

                if (fault)
                        return fault;
                if (clocks[i].next_at && (!earliest || clocks[i].next_at < earliest))
                        earliest = clocks[i].next_at;
        }
        if (c->open && c->armed_at == 0)
                return "an open case has no armed time";
        if (c->armed_at != earliest)
                return "the armed time is not that of the earliest clock";
        if (!c->open && c->armed_at)
                return "an ended case is still armed";
        if (c->late && !c->overdue)
                return "a case that was late is not overdue";
        if (!c->subcentre || !c->owner)
                return "a case has no sub-centre or no owner";
        return NULL;
}

Clock *case_clock(const Case *c, int clock) {
        Clock *clocks = c->clocks.items;

        for (size_t i = 0; i < c->clocks.n; i++)
                if (clocks[i].clock == clock)
                        return &clocks[i];
        return NULL;
}

char *case_number(char letter, uint64_t id, char buffer[static CASE_NUMBER_SIZE]) {
        if (id_site(id) == 0)
                snprintf(buffer, CASE_NUMBER_SIZE, "%c%" PRIu64, letter, id_number(id));
        else
                snprintf(buffer, CASE_NUMBER_SIZE, "%c%u.%" PRIu64, letter, id_site(id),
                         id_number(id));
        return buffer;
}
