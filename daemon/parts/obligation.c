/* SPDX-License-Identifier: Apache-2.0 */

#include "parts/obligation.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "aftersales/kinds.h"
#include "aftersales/limits.h"
#include "base/text.h"
#include "loop/engine.h"
#include "parts/stock.h"

enum { PRIORITY_NORMAL = 1 };
enum { CLOCK_DELIVER = 1 };

NAMES(state_names, [OBLIGATION_OWED] = "owed", [OBLIGATION_FULFILLED] = "fulfilled",
      [OBLIGATION_WAIVED] = "waived");
NAMES(type_names, [OBLIGATION_PARTS] = "parts", [OBLIGATION_UNITS] = "units",
      [OBLIGATION_REPLENISHMENT] = "replenishment");
NAMES(priority_names, [PRIORITY_NORMAL] = "normal");
NAMES(clock_names, [CLOCK_DELIVER] = "deliver");

static const Field clock_fields[] = { CLOCK_FIELDS(&clock_names) };
static const RecordType obligation_clock_type = CLOCK_TYPE(clock_fields);

/* ---- fields ---- */

static const Field obligation_fields[] = {
        CASE_FIELDS(&state_names, &type_names, 0, &priority_names, &obligation_clock_type),
        TEXT(32, Obligation, contract, FIELD_FILTER | FIELD_CODE, CODE_MAX_BYTES,
             .doc = "number of the contract"),
        TEXT(33, Obligation, supplier, FIELD_FILTER | FIELD_CODE, CODE_MAX_BYTES,
             .doc = "code of the supplier, who owes it"),
        TEXT(34, Obligation, item, FIELD_FILTER | FIELD_CODE, CODE_MAX_BYTES,
             .doc = "part number, or the model of units"),
        COUNT(35, Obligation, quantity, 0, .limit = MOVE_QUANTITY_MAX,
              .doc = "how many are owed; have come, where it is given"),
        COUNT(36, Obligation, delivered, 0, .doc = "how many have come"),
        ID(37, Obligation, shipment, 0, .doc = "number of the shipment that obliges to it"),
        COUNT(38, Obligation, units, 0, .doc = "units of that shipment; of a claim all shipped"),
        COUNT(39, Obligation, rate, 0, .doc = "declared per million units"),
        COUNT(40, Obligation, failures, 0,
              .doc = "of a claim: failures by then, verified and in warranty"),
};

static const RecordType obligation_type = {
        .name = "obligation",
        .number = 20,
        .version = 1,
        .size = sizeof(Obligation),
        .fields = obligation_fields,
        .n_fields = ELEMENTS(obligation_fields),
};

/* ---- table ---- */

static void keys_contract(const void *record, Keys *keys) {
        key_text(keys_add(keys), ((const Obligation *)record)->contract);
}
static const Index index_obligation_contract = { .name = "obligation_by_contract",
                                                 .keys = keys_contract };

static void add_amount(const Obligation *obligation, int64_t amount, Keys *keys) {
        Key *key = keys_add_amount(keys, amount);

        key_text(key, obligation->contract);
        key_text(key, obligation->item);
}

static void keys_obliged(const void *record, Keys *keys) {
        const Obligation *obligation = record;

        if (obligation->head.type != OBLIGATION_REPLENISHMENT)
                add_amount(obligation, obligation->quantity, keys);
}
const Index sum_obliged = { .name = "obliged", .keys = keys_obliged, .sum = true };

static void keys_claimed(const void *record, Keys *keys) {
        const Obligation *obligation = record;

        if (obligation->head.type == OBLIGATION_REPLENISHMENT)
                add_amount(obligation, obligation->quantity, keys);
}
const Index sum_claimed = { .name = "claimed", .keys = keys_claimed, .sum = true };

static void keys_delivered(const void *record, Keys *keys) {
        const Obligation *obligation = record;

        add_amount(obligation, obligation->delivered, keys);
}
const Index sum_delivered = { .name = "delivered", .keys = keys_delivered, .sum = true };

static const char *obligation_fault(const void *record) {
        const Obligation *obligation = record;

        if (!obligation->contract || !obligation->item || obligation->quantity <= 0 ||
            obligation->delivered > obligation->quantity)
                return "an obligation has no contract, item or quantity, or more has come";
        return case_fault(record);
}

const Table obligation_table = {
        .number = 20,
        .name = "obligation",
        .type = &obligation_type,
        .key = case_key,
        .numbered = true,
        .indices = (const Index *const[]){ CASE_INDICES, &index_obligation_contract, NULL },
        .tallies = (const Index *const[]){ CASE_TALLIES, &sum_obliged, &sum_claimed, &sum_delivered,
                                           NULL },
        .fault = obligation_fault,
};

/* ---- states, clocks, transitions ---- */

static const StateDef states[] = {
        [OBLIGATION_OWED] = { STATE_OPEN, "the supplier owes it" },
        [OBLIGATION_FULFILLED] = { STATE_ENDED, "all of it has come" },
        [OBLIGATION_WAIVED] = { STATE_ENDED, "the rest is not asked for any more" },
};

static const ClockDef clocks[] = {
        [CLOCK_DELIVER] = { .runs = STATE(OBLIGATION_OWED), .doc = "until all of it has come" },
};

static const Transition transitions[] = {
        { .name = "deliver",
          .from = STATE(OBLIGATION_OWED),
          .to = OBLIGATION_FULFILLED,
          .permission = PERMISSION_CONTRACT_SHIP,
          .takes = "quantity",
          .effect = obligation_deliver,
          .doc = "It has come, all that is left unless quantity is given: parts go into the stock of headquarters." },
        { .name = "waive",
          .from = STATE(OBLIGATION_OWED),
          .to = OBLIGATION_WAIVED,
          .permission = PERMISSION_CONTRACT_WAIVE,
          .needs_note = true,
          .doc = "What is left is not asked for any more." },
};

static void prefix_contract(const void *filter, Key *key) {
        key_text(key, ((const Obligation *)filter)->contract);
}

static const ListPath paths[] = {
        { .field = "contract", .index = &index_obligation_contract, .prefix = prefix_contract },
        CASE_PATHS,
};

const Kind obligation_kind = {
        .number = KIND_OBLIGATION,
        .name = "obligation",
        .letter = 'B',
        .table = &obligation_table,
        .clock_type = &obligation_clock_type,
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
        .initial = OBLIGATION_OWED,
        .default_type = OBLIGATION_PARTS,
        .default_priority = PRIORITY_NORMAL,
        .read = PERMISSION_CONTRACT_READ,
        .made_by =
                "an obligation follows from a shipment of goods, a claim from failures: record the "
                "shipment, or claim by the contract",
        .known_by = "",
        .assign_owner = obligation_assign_owner,
        .doc = "what suppliers owe",
};

/* ---- rules ---- */

static Obligation *obligation_of(Step *step) {
        return (Obligation *)step->item;
}

/* The parts department sees to it. */
int obligation_assign_owner(Step *step) {
        char code[CODE_MAX_BYTES + 1];
        int r = unit_of_kind(change_store(step->change), UNIT_PARTS, code);

        if (r == -ENOENT)
                return text_set(&step->item->owner, step->item->subcentre);
        return r == 0 ? text_set(&step->item->owner, code) : r;
}

static int take_in(Step *step, int64_t quantity) {
        const Obligation *obligation = obligation_of(step);
        char supplier[PLACE_SIZE];
        Place headquarters;
        Move move = {
                .part = obligation->item,
                .quantity = quantity,
                .from = supplier,
                .to = headquarters.text,
                .reason = MOVE_RECEIVED,
        };
        int r = place_of_unit(change_store(step->change), step->item->subcentre, false,
                              &headquarters);

        place_format(PLACE_SUPPLIER, obligation->supplier, supplier);
        return r == -ENOENT ? -EBADMSG : r < 0 ? r : stock_move(step, &move);
}

int obligation_deliver(Step *step) {
        const Obligation *before = (const Obligation *)step->before;
        Obligation *obligation = obligation_of(step);
        int64_t left = before->quantity - before->delivered;
        size_t i;
        bool given =
                record_field(&obligation_type, "quantity", &i) && field_mask_has(step->given, i);
        int64_t quantity = given ? obligation->quantity : left;

        obligation->quantity = before->quantity;
        if (quantity < 1 || quantity > left)
                return refuse(step->refusal, REFUSED_INVALID_VALUE,
                              "quantity: %" PRId64 " of 1 to %" PRId64 " that are left", quantity,
                              left);
        obligation->delivered += quantity;
        if (obligation->delivered < obligation->quantity)
                step->to = OBLIGATION_OWED;
        return obligation->head.type == OBLIGATION_UNITS ? 0 : take_in(step, quantity);
}
