/* SPDX-License-Identifier: Apache-2.0 */

#include "parts/move.h"

#include <errno.h>

#include "aftersales/kinds.h"
#include "aftersales/limits.h"
#include "base/zone.h"
#include "parts/stock.h"

static const char *const condition_name[] = { [CONDITION_GOOD] = "good", [CONDITION_BAD] = "bad" };
const EnumNames condition_names = { condition_name, ELEMENTS(condition_name) };

static const char *const reason_name[] = {
        [MOVE_RECEIVED] = "received", [MOVE_TRANSFERRED] = "transferred",
        [MOVE_GRADED] = "graded",     [MOVE_COUNTED] = "counted",
        [MOVE_SCRAPPED] = "scrapped", [MOVE_SENT_BACK] = "sent_back",
        [MOVE_USED] = "used",         [MOVE_UNUSED] = "unused",
        [MOVE_TAKEN] = "taken",       [MOVE_SHIPPED] = "shipped",
        [MOVE_ARRIVED] = "arrived",   [MOVE_REJECTED] = "rejected",
        [MOVE_LOST] = "lost",         [MOVE_GIVEN_BACK] = "given_back",
};
static const EnumNames reason_names = { reason_name, ELEMENTS(reason_name) };

#define CREATE FIELD_SETTABLE

static const Field move_fields[] = {
        ENTRY_FIELDS,
        TEXT(16, Move, part, FIELD_REQUIRED | CREATE | FIELD_CODE | FIELD_FILTER, CODE_MAX_BYTES,
             .doc = "part number"),
        COUNT(17, Move, quantity, FIELD_REQUIRED | CREATE, .limit = MOVE_QUANTITY_MAX,
              .doc = "how many"),
        TEXT(18, Move, from, FIELD_REQUIRED | CREATE | FIELD_FILTER, PLACE_MAX_BYTES,
             .doc = "place: the code of a unit, supplier:CODE, customer, count or scrap"),
        TEXT(19, Move, to, FIELD_REQUIRED | CREATE | FIELD_FILTER, PLACE_MAX_BYTES,
             .doc = "place, likewise"),
        ENUM(20, Move, condition, CREATE | FIELD_FILTER, &condition_names,
             .doc = "good unless given"),
        ENUM(21, Move, becomes, CREATE, &condition_names,
             .doc = "what it is found to be, if that is another"),
        TEXT(22, Move, serial, CREATE | FIELD_CODE | FIELD_FILTER, CODE_MAX_BYTES,
             .doc = "serial number of the one that is moved"),
        ENUM(23, Move, reason, FIELD_REQUIRED | CREATE | FIELD_FILTER, &reason_names, .doc = "why"),
        DATE(24, Move, day, 0, .doc = "day on which it happened"),
        TEXT(25, Move, from_subcentre, FIELD_HIDDEN, CODE_MAX_BYTES,
             .doc = "that controls the unit it comes from"),
        TEXT(26, Move, to_subcentre, FIELD_HIDDEN, CODE_MAX_BYTES, .doc = "that it goes to"),
};

static const RecordType move_type = {
        .name = "move",
        .number = 32,
        .version = 1,
        .size = sizeof(Move),
        .fields = move_fields,
        .n_fields = ELEMENTS(move_fields),
};

/* ---- indices ---- */

static void keys_part(const void *record, Keys *keys) {
        key_text(keys_add(keys), ((const Move *)record)->part);
}
static const Index index_move_part = { .name = "move_by_part", .keys = keys_part };

static void keys_places(const void *record, Keys *keys) {
        const Move *move = record;

        key_text(keys_add(keys), move->from);
        key_text(keys_add(keys), move->to);
}
const Index index_move_place = { .name = "move_by_place", .keys = keys_places };

/* Newest first: where it is now. */
static void keys_serial(const void *record, Keys *keys) {
        const Move *move = record;
        Key *key;

        if (!move->serial)
                return;
        key = keys_add(keys);
        key_text(key, move->part);
        key_text(key, move->serial);
        key_u64(key, ~move->entry.id);
}
const Index index_move_serial = { .name = "move_by_serial", .keys = keys_serial };

static void keys_cause(const void *record, Keys *keys) {
        const Entry *entry = record;
        Key *key;

        if (!entry->cause)
                return;
        key = keys_add(keys);
        key_u8(key, (uint8_t)entry->cause);
        key_u64(key, entry->cause_id);
}
static const Index index_move_cause = { .name = "move_by_cause", .keys = keys_cause };

static const Index index_move_reference = { .name = "move_by_reference",
                                            .keys = entry_keys_reference };

/* ---- sums ---- */

Key stock_key(const char *place, const char *part, Condition condition) {
        Key key = {};

        key_text(&key, place);
        key_text(&key, part);
        key_u8(&key, (uint8_t)condition);
        return key;
}

static void keys_sum_place(const void *record, Keys *keys) {
        const Move *move = record;

        *keys_add_amount(keys, -move->quantity) =
                stock_key(move->from, move->part, (Condition)move->condition);
        *keys_add_amount(keys, move->quantity) =
                stock_key(move->to, move->part, (Condition)move->becomes);
}
const Index sum_place = { .name = "stock_of_place", .keys = keys_sum_place, .sum = true };

static void keys_sum_part(const void *record, Keys *keys) {
        const Move *move = record;

        *keys_add_amount(keys, -move->quantity) =
                stock_key(move->part, move->from, (Condition)move->condition);
        *keys_add_amount(keys, move->quantity) =
                stock_key(move->part, move->to, (Condition)move->becomes);
}
const Index sum_part = { .name = "stock_of_part", .keys = keys_sum_part, .sum = true };

static void add_sort(Keys *keys, int64_t amount, const char *place, int condition) {
        Key *key = keys_add_amount(keys, amount);
        const char *code;

        key_u8(key, (uint8_t)place_split(place, &code));
        key_u8(key, (uint8_t)condition);
}

static void keys_sum_sort(const void *record, Keys *keys) {
        const Move *move = record;

        add_sort(keys, -move->quantity, move->from, move->condition);
        add_sort(keys, move->quantity, move->to, move->becomes);
}
const Index sum_sort = { .name = "stock_of_sort", .keys = keys_sum_sort, .sum = true };

uint32_t month_of_day(int64_t day) {
        int year, month, of_month;

        civil_from_days((int32_t)day, &year, &month, &of_month);
        return month_of(year, month);
}

/* By whom it was used, as many as the move says: less, if it was not after all. */
static void each_use(const Move *move, Keys *keys,
                     void (*add)(const Move *move, const char *unit, Key *key)) {
        bool used = move->reason == MOVE_USED;
        const char *place = used ? move->from : move->to, *unit = "";
        const char *subcentre = used ? move->from_subcentre : move->to_subcentre;
        int64_t amount = used ? move->quantity : -move->quantity;

        if (!used && move->reason != MOVE_UNUSED)
                return;
        place_split(place, &unit);
        add(move, unit, keys_add_amount(keys, amount));
        if (subcentre && !STREQ(subcentre, unit))
                add(move, subcentre, keys_add_amount(keys, amount));
        add(move, "", keys_add_amount(keys, amount));
}

static void key_month(Key *key, int64_t day) {
        key_u32(key, month_of_day(day));
}

static void add_use_month(const Move *move, const char *unit, Key *key) {
        key_text(key, unit);
        key_month(key, move->day);
        key_text(key, move->part);
}

static void keys_use_month(const void *record, Keys *keys) {
        each_use(record, keys, add_use_month);
}
const Index sum_use_month = { .name = "use_of_month", .keys = keys_use_month, .sum = true };

static void add_use_part(const Move *move, const char *unit, Key *key) {
        key_text(key, move->part);
        key_text(key, unit);
        key_month(key, move->day);
}

static void keys_use_part(const void *record, Keys *keys) {
        each_use(record, keys, add_use_part);
}
const Index sum_use_part = { .name = "use_of_part", .keys = keys_use_part, .sum = true };

/* ---- table ---- */

static const char *move_fault(const void *record) {
        const Move *move = record;
        const char *code;

        if (!move->part || move->quantity <= 0 || !move->day)
                return "a move has no part, quantity or day";
        if (!move->from || !place_split(move->from, &code) || !move->to ||
            !place_split(move->to, &code))
                return "a move has no place to come from or go to";
        if (!move->condition || !move->becomes ||
            (STREQ(move->from, move->to) && move->condition == move->becomes))
                return "a move moves nothing";
        return NULL;
}

const Table move_table = {
        .number = 32,
        .name = "move",
        .type = &move_type,
        .key = entry_key,
        .numbered = true,
        .indices = (const Index *const[]){ &index_move_part, &index_move_place, &index_move_serial,
                                           &index_move_cause, &index_move_reference, NULL },
        .tallies = (const Index *const[]){ &sum_place, &sum_part, &sum_sort, &sum_use_month,
                                           &sum_use_part, NULL },
        .fault = move_fault,
};

void move_done(Move *move) {
        record_done(&move_type, move);
}

/* ---- as callers have it ---- */

static bool may_see(const Actor *actor, const void *record) {
        const Move *move = record;
        const char *from = NULL, *to = NULL;

        place_split(move->from, &from);
        place_split(move->to, &to);
        return actor_in_scope(actor, move->from_subcentre, from) ||
               actor_in_scope(actor, move->to_subcentre, to);
}

static void prefix_serial(const void *filter, Key *key) {
        const Move *move = filter;

        if (!move->part) /* all of them are looked at */
                return;
        key_text(key, move->part);
        key_text(key, move->serial);
}

static void prefix_reference(const void *filter, Key *key) {
        key_text(key, ((const Entry *)filter)->reference);
}

static void prefix_cause(const void *filter, Key *key) {
        const Entry *entry = filter;

        key_u8(key, (uint8_t)entry->cause);
        if (entry->cause_id)
                key_u64(key, entry->cause_id);
}

static void prefix_from(const void *filter, Key *key) {
        key_text(key, ((const Move *)filter)->from);
}

static void prefix_to(const void *filter, Key *key) {
        key_text(key, ((const Move *)filter)->to);
}

static void prefix_part(const void *filter, Key *key) {
        key_text(key, ((const Move *)filter)->part);
}

static const ListPath paths[] = {
        { .field = "reference", .index = &index_move_reference, .prefix = prefix_reference },
        { .field = "serial", .index = &index_move_serial, .prefix = prefix_serial },
        { .field = "cause", .index = &index_move_cause, .prefix = prefix_cause },
        { .field = "from", .index = &index_move_place, .prefix = prefix_from },
        { .field = "to", .index = &index_move_place, .prefix = prefix_to },
        { .field = "part", .index = &index_move_part, .prefix = prefix_part },
};

const Register move_register = {
        .name = "move",
        .letter = LETTER_MOVE,
        .table = &move_table,
        .read = PERMISSION_STOCK_READ,
        .write = PERMISSION_STOCK_MOVE,
        .paths = paths,
        .n_paths = ELEMENTS(paths),
        .check = stock_check_move,
        .may_see = may_see,
        .references = &index_move_reference,
        .doc = "moves of stock between places",
};
