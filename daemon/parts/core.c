/* SPDX-License-Identifier: Apache-2.0 */

#include "parts/core.h"

#include "aftersales/kinds.h"
#include "aftersales/limits.h"
#include "parts/core-rules.h"

enum { TYPE_REPLACED = 1 };
enum { PRIORITY_NORMAL = 1 };

NAMES(state_names, [CORE_DUE] = "due", [CORE_SHIPPED] = "shipped", [CORE_RECEIVED] = "received",
      [CORE_REJECTED] = "rejected", [CORE_ACCEPTED] = "accepted", [CORE_CHARGED] = "charged",
      [CORE_VOIDED] = "voided");
NAMES(type_names, [TYPE_REPLACED] = "replaced");
NAMES(priority_names, [PRIORITY_NORMAL] = "normal");
NAMES(clock_names, [CORE_CLOCK_RETURN] = "return", [CORE_CLOCK_TRANSIT] = "transit",
      [CORE_CLOCK_INSPECT] = "inspect");
NAMES(reject_names, NULL, "wrong_part", "missing", "damaged", "other");

static const Field clock_fields[] = { CLOCK_FIELDS(&clock_names) };
static const RecordType core_clock_type = CLOCK_TYPE(clock_fields);

/* ---- fields ---- */

static const Field core_fields[] = {
        CASE_FIELDS(&state_names, &type_names, 0, &priority_names, &core_clock_type),
        ID(32, Core, ticket, FIELD_FILTER, .doc = "the ticket on which the part was replaced"),
        COUNT(33, Core, line, 0, .doc = "line of that ticket's parts"),
        TEXT(34, Core, part, FIELD_FILTER | FIELD_CODE, CODE_MAX_BYTES, .doc = "part number"),
        COUNT(35, Core, quantity, 0, .limit = MOVE_QUANTITY_MAX, .doc = "how many"),
        TEXT(36, Core, serial, FIELD_CODE, CODE_MAX_BYTES, .doc = "serial number of the old part"),
        TIME(37, Core, used_at, 0, .doc = "when the part was replaced"),
        TEXT(38, Core, receiver, FIELD_CODE, CODE_MAX_BYTES,
             .doc = "code of the unit that it goes back to"),
        ID(39, Core, split_from, 0, .doc = "the core of which this is a part that went ahead"),
        ENUM(40, Core, reject_reason, 0, &reject_names, .doc = "why it was rejected last"),
        COUNT(41, Core, rejected, 0, .doc = "times it was rejected"),
        TIME(42, Core, shipped_at, 0, .doc = "when the dealer sent it"),
        TIME(43, Core, received_at, 0, .doc = "when it arrived"),
        TIME(44, Core, accepted_at, 0, .doc = "when it was accepted"),
        TEXT(45, Core, waybill, 0, 64, .doc = "number of the consignment"),
        MONEY(46, Core, charge, FIELD_TRACKED,
              .doc = "what the dealer pays for it instead, in fen"),
        TEXT(47, Core, product, FIELD_CODE | FIELD_FILTER, CODE_MAX_BYTES,
             .doc = "model in which it was"),
        DATE(48, Core, used_on, 0, .doc = "day on which the part was replaced"),
};

static const RecordType core_type = {
        .name = "core",
        .number = 18,
        .version = 1,
        .size = sizeof(Core),
        .fields = core_fields,
        .n_fields = ELEMENTS(core_fields),
};

/* ---- table ---- */

static void keys_ticket(const void *record, Keys *keys) {
        key_u64(keys_add(keys), ((const Core *)record)->ticket);
}
const Index index_core_ticket = { .name = "core_by_ticket", .keys = keys_ticket };

static void keys_credit(const void *record, Keys *keys) {
        const Core *core = record;
        Key *key;

        if (core->head.state != CORE_ACCEPTED || !core->head.dealer)
                return;
        key = keys_add_amount(keys, core->quantity);
        key_text(key, core->head.dealer);
        key_text(key, core->part);
}
const Index sum_credit = { .name = "core_credit", .keys = keys_credit, .sum = true };

static void keys_duty(const void *record, Keys *keys) {
        const Core *core = record;
        Key *key;

        if (core->head.state == CORE_VOIDED)
                return;
        key = keys_add_amount(keys, -core->quantity);
        key_u64(key, core->ticket);
        key_u64(key, (uint64_t)core->line);
}
const Index sum_core_duty = { .name = "core_duty", .keys = keys_duty, .sum = true };

static void keys_owed(const void *record, Keys *keys) {
        const Core *core = record;
        Key *key;

        if (!core->head.open)
                return;
        key = keys_add_amount(keys, core->quantity);
        key_text(key, core->head.subcentre);
        key_text(key, core->head.dealer);
        key_text(key, core->part);
        key_u32(key, (uint32_t)core->used_on);
}
const Index sum_owed = { .name = "core_owed", .keys = keys_owed, .sum = true };

Key failure_key(const char *product, const char *part, int64_t day) {
        Key key = {};

        key_text(&key, product);
        key_text(&key, part);
        key_u32(&key, (uint32_t)day);
        return key;
}

static void keys_failure(const void *record, Keys *keys) {
        const Core *core = record;

        if (core->head.state == CORE_ACCEPTED && core->product)
                *keys_add_amount(keys, core->quantity) =
                        failure_key(core->product, core->part, core->used_on);
}
const Index sum_failure = { .name = "failure", .keys = keys_failure, .sum = true };

static const char *core_fault(const void *record) {
        const Core *core = record;

        if (!core->ticket || !core->part || core->quantity <= 0 || !core->receiver)
                return "a core has no ticket, part, quantity or receiver";
        return case_fault(record);
}

const Table core_table = {
        .number = 18,
        .name = "core",
        .type = &core_type,
        .key = case_key,
        .numbered = true,
        .indices = (const Index *const[]){ CASE_INDICES, &index_core_ticket, NULL },
        .tallies = (const Index *const[]){ CASE_TALLIES, &sum_credit, &sum_core_duty, &sum_failure,
                                           &sum_owed, NULL },
        .fault = core_fault,
};

void core_done(Core *core) {
        record_done(&core_type, core);
}

/* ---- states, clocks, transitions ---- */

static const StateDef states[] = {
        [CORE_DUE] = { STATE_OPEN, "it is where it was replaced, and must come back" },
        [CORE_SHIPPED] = { STATE_OPEN, "on its way back" },
        [CORE_RECEIVED] = { STATE_OPEN, "arrived, to be inspected" },
        [CORE_REJECTED] = { STATE_OPEN, "not what it should be: the right one must come back" },
        [CORE_ACCEPTED] = { STATE_ENDED, "back: it entitles to a new part" },
        [CORE_CHARGED] = { STATE_ENDED, "it does not come back, and is paid for" },
        [CORE_VOIDED] = { STATE_ENDED, "there is none: the part was not used after all" },
};

#define S(name) STATE(CORE_##name)

static const ClockDef clocks[] = {
        [CORE_CLOCK_RETURN] = { .runs = S(DUE) | S(REJECTED), .doc = "until it is on its way" },
        [CORE_CLOCK_TRANSIT] = { .runs = S(SHIPPED), .doc = "until it has arrived" },
        [CORE_CLOCK_INSPECT] = { .runs = S(RECEIVED), .doc = "until it is accepted or rejected" },
};

static const Transition transitions[] = {
        { .name = "ship",
          .from = S(DUE) | S(REJECTED),
          .to = CORE_SHIPPED,
          .permission = PERMISSION_CORE_SHIP,
          .takes = "quantity waybill",
          .effect = core_ship,
          .doc = "The dealer sends it back, all of it unless quantity is given: those that are sent become a "
                 "core of their own." },
        { .name = "receive",
          .from = S(SHIPPED),
          .to = CORE_RECEIVED,
          .permission = PERMISSION_CORE_RECEIVE,
          .takes = "quantity",
          .effect = core_receive,
          .doc = "It has arrived, all of it unless quantity is given." },
        { .name = "accept",
          .from = S(RECEIVED),
          .to = CORE_ACCEPTED,
          .permission = PERMISSION_CORE_INSPECT,
          .takes = "quantity",
          .effect = core_accept,
          .doc = "It is the part, all of it unless quantity is given: the dealer may draw as many new ones." },
        { .name = "reject",
          .from = S(SHIPPED) | S(RECEIVED),
          .to = CORE_REJECTED,
          .permission = PERMISSION_CORE_INSPECT,
          .takes = "quantity reject_reason",
          .needs = "reject_reason",
          .effect = core_reject,
          .doc = "It is another part, damaged on purpose, or missing in what arrived: the dealer owes it again." },
        { .name = "charge",
          .from = S(DUE) | S(REJECTED),
          .to = CORE_CHARGED,
          .permission = PERMISSION_CORE_DECIDE,
          .takes = "quantity charge",
          .needs = "charge",
          .needs_note = true,
          .effect = core_charge,
          .doc = "It does not come back: the dealer pays for it." },
        { .name = "void",
          .from = S(DUE),
          .to = CORE_VOIDED,
          .permission = PERMISSION_CORE_DECIDE,
          .takes = "quantity",
          .internal = true,
          .effect = core_void,
          .doc = "The part was not used after all." },
};

static void prefix_ticket(const void *filter, Key *key) {
        key_u64(key, ((const Core *)filter)->ticket);
}

static const ListPath paths[] = {
        { .field = "ticket", .index = &index_core_ticket, .prefix = prefix_ticket },
        CASE_PATHS,
};

const Kind core_kind = {
        .number = KIND_CORE,
        .name = "core",
        .letter = 'C',
        .table = &core_table,
        .clock_type = &core_clock_type,
        .state_names = &state_names,
        .type_names = &type_names,
        .priority_names = &priority_names,
        .clock_names = &clock_names,
        .states = states,
        .clocks = clocks,
        .transitions = transitions,
        .n_transitions = ELEMENTS(transitions),
        .paths = paths,
        .n_paths = ELEMENTS(paths),
        .initial = CORE_DUE,
        .default_type = TYPE_REPLACED,
        .default_priority = PRIORITY_NORMAL,
        .read = PERMISSION_CORE_READ,
        .made_by =
                "a core is owed when a returnable part is replaced under warranty: record the part on "
                "its ticket",
        .create = core_create,
        .overdue = core_overdue,
        .known_by = "",
        .assign_owner = core_assign_owner,
        .doc = "old parts that must come back",
};
