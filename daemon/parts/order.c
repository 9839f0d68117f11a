/* SPDX-License-Identifier: Apache-2.0 */

#include "parts/order.h"

#include <errno.h>

#include "aftersales/kinds.h"
#include "aftersales/limits.h"
#include "parts/order-rules.h"
#include "parts/place.h"

enum { PRIORITY_NORMAL = 1 };

NAMES(state_names, [ORDER_DRAFT] = "draft", [ORDER_SUBMITTED] = "submitted",
      [ORDER_APPROVED] = "approved", [ORDER_PARTLY_SHIPPED] = "partly_shipped",
      [ORDER_SHIPPED] = "shipped", [ORDER_RECEIVED] = "received", [ORDER_CANCELLED] = "cancelled");
NAMES(type_names, [ORDER_PLANNED] = "planned", [ORDER_EMERGENCY] = "emergency");
NAMES(priority_names, [PRIORITY_NORMAL] = "normal");
NAMES(clock_names, [ORDER_CLOCK_SUBMIT] = "submit", [ORDER_CLOCK_APPROVE] = "approve",
      [ORDER_CLOCK_SHIP] = "ship", [ORDER_CLOCK_DELIVER] = "deliver");

static const Field clock_fields[] = { CLOCK_FIELDS(&clock_names) };
static const RecordType order_clock_type = CLOCK_TYPE(clock_fields);

/* ---- fields ---- */

#define CREATE FIELD_SETTABLE

static const Field order_line_fields[] = {
        COUNT(1, OrderLine, line, 0, .doc = "number of the line"),
        TEXT(2, OrderLine, part, FIELD_REQUIRED | CREATE | FIELD_CODE, CODE_MAX_BYTES,
             .doc = "part number"),
        COUNT(3, OrderLine, quantity, CREATE, .limit = MOVE_QUANTITY_MAX,
              .doc = "how many are asked for, shipped or received, as the call says"),
        COUNT(4, OrderLine, credit, CREATE, .limit = MOVE_QUANTITY_MAX,
              .doc = "of them, new ones for cores that were accepted"),
        COUNT(5, OrderLine, approved, CREATE, .limit = MOVE_QUANTITY_MAX,
              .doc = "how many are approved"),
        TEXT(6, OrderLine, cut_reason, CREATE, 200, .doc = "why fewer than were asked for"),
        COUNT(7, OrderLine, shipped, 0, .doc = "how many were sent"),
        COUNT(8, OrderLine, received, 0, .doc = "how many have arrived"),
        COUNT(9, OrderLine, missing, CREATE, .limit = MOVE_QUANTITY_MAX,
              .doc = "how many of those sent were not there, and are to be sent again"),
        COUNT(10, OrderLine, use, 0, .doc = "of a plan: used in the months looked at"),
        COUNT(11, OrderLine, months, 0, .doc = "of a plan: how many months these were"),
        COUNT(12, OrderLine, factor, 0, .doc = "of a plan: for how many months it shall last"),
        COUNT(13, OrderLine, season, 0, .doc = "of a plan: percent of the average in its month"),
        COUNT(14, OrderLine, stock, 0, .doc = "of a plan: what was there"),
        COUNT(15, OrderLine, on_order, 0, .doc = "of a plan: what was ordered and not sent yet"),
        COUNT(16, OrderLine, in_transit, 0, .doc = "of a plan: what was on its way"),
};
const RecordType order_line_type = {
        .name = "order_line",
        .size = sizeof(OrderLine),
        .fields = order_line_fields,
        .n_fields = ELEMENTS(order_line_fields),
};

static const Field order_fields[] = {
        CASE_FIELDS(&state_names, &type_names, 0, &priority_names, &order_clock_type),
        TEXT(32, Order, reference, CREATE | FIELD_FILTER, 64,
             .doc = "the caller's own: creating it again gives the same order"),
        TEXT(33, Order, unit, FIELD_FILTER | FIELD_CODE, CODE_MAX_BYTES,
             .doc = "code of the unit that orders"),
        TEXT(34, Order, source, CREATE | FIELD_FILTER, PLACE_MAX_BYTES,
             .doc = "place that it comes from: headquarters unless given, the sub-centre, or for "
                    "headquarters itself supplier:CODE"),
        DATE(35, Order, month, FIELD_FILTER, .doc = "of a plan: first day of its month"),
        COUNT(36, Order, sheet, 0, .doc = "of a plan: number of the sheet"),
        LIST(37, Order, lines, CREATE, &order_line_type, .limit = ORDER_LINES_MAX,
             .doc = "what is ordered; each as part, quantity, credit"),
        TIME(38, Order, submit_by, 0, .doc = "of a plan: until when it must be submitted"),
        TIME(39, Order, submitted_at, 0, .doc = "when it was submitted"),
        TIME(40, Order, approved_at, 0, .doc = "when it was approved"),
        TIME(41, Order, shipped_at, 0, .doc = "when something was sent last"),
        TIME(42, Order, received_at, 0, .doc = "when something has arrived last"),
        TEXT(43, Order, planned_until, FIELD_HIDDEN | FIELD_CODE, CODE_MAX_BYTES,
             .doc = "of a plan: the last part that it and the sheets before have looked at"),
        FLAG(44, Order, complete, 0, .doc = "of a plan: its last sheet"),
};

static const RecordType order_type = {
        .name = "order",
        .number = 19,
        .version = 1,
        .size = sizeof(Order),
        .fields = order_fields,
        .n_fields = ELEMENTS(order_fields),
};

/* ---- table ---- */

static void keys_plan(const void *record, Keys *keys) {
        const Order *order = record;
        Key *key;

        if (!order->month)
                return;
        key = keys_add(keys);
        key_text(key, order->unit);
        key_u64(key, (uint64_t)order->month);
        key_u64(key, (uint64_t)order->sheet);
}
const Index index_order_plan = { .name = "order_by_plan", .keys = keys_plan };

static void keys_unit(const void *record, Keys *keys) {
        key_text(keys_add(keys), ((const Order *)record)->unit);
}
static const Index index_order_unit = { .name = "order_by_unit", .keys = keys_unit };

static void keys_reference(const void *record, Keys *keys) {
        const Order *order = record;

        if (order->reference)
                key_text(keys_add(keys), order->reference);
}
static const Index index_order_reference = { .name = "order_by_reference", .keys = keys_reference };

static void key_unit_part(Key *key, const char *unit, const char *part) {
        key_text(key, unit);
        key_text(key, part);
}

static void keys_on_order(const void *record, Keys *keys) {
        const Order *order = record;
        const OrderLine *lines = order->lines.items;

        for (size_t i = 0; i < order->lines.n; i++) {
                int64_t amount = order->head.state == ORDER_SUBMITTED ? lines[i].quantity
                                 : order->head.state == ORDER_APPROVED ||
                                                 order->head.state == ORDER_PARTLY_SHIPPED
                                         ? line_to_ship(&lines[i])
                                         : 0;

                key_unit_part(keys_add_amount(keys, amount), order->unit, lines[i].part);
        }
}
const Index sum_on_order = { .name = "on_order", .keys = keys_on_order, .sum = true };

static void keys_credit(const void *record, Keys *keys) {
        const Order *order = record;
        const OrderLine *lines = order->lines.items;

        if (order->head.state == ORDER_DRAFT || order->head.state == ORDER_CANCELLED)
                return;
        for (size_t i = 0; i < order->lines.n; i++)
                key_unit_part(keys_add_amount(keys, -lines[i].credit), order->unit, lines[i].part);
}
static const Index sum_drawn = { .name = "core_credit", .keys = keys_credit, .sum = true };

static const char *order_fault(const void *record) {
        const Order *order = record;
        const OrderLine *lines = order->lines.items;

        if (!order->unit || !order->source)
                return "an order has no unit or source";
        for (size_t i = 0; i < order->lines.n; i++)
                if (!lines[i].part || lines[i].quantity <= 0 ||
                    lines[i].credit > lines[i].quantity || lines[i].approved > lines[i].quantity ||
                    line_to_ship(&lines[i]) < 0 || line_in_transit(&lines[i]) < 0)
                        return "a line of an order has quantities that cannot be";
        return case_fault(record);
}

const Table order_table = {
        .number = 19,
        .name = "order",
        .type = &order_type,
        .key = case_key,
        .numbered = true,
        .indices = (const Index *const[]){ CASE_INDICES, &index_order_plan, &index_order_unit,
                                           &index_order_reference, NULL },
        .tallies = (const Index *const[]){ CASE_TALLIES, &sum_on_order, &sum_drawn, NULL },
        .fault = order_fault,
};

void order_done(Order *order) {
        record_done(&order_type, order);
}

/* ---- states, clocks, transitions ---- */

static const StateDef states[] = {
        [ORDER_DRAFT] = { STATE_OPEN, "not handed in yet" },
        [ORDER_SUBMITTED] = { STATE_OPEN, "handed in, to be approved" },
        [ORDER_APPROVED] = { STATE_OPEN, "approved, to be sent" },
        [ORDER_PARTLY_SHIPPED] = { STATE_OPEN, "a part is on its way, the rest is to be sent" },
        [ORDER_SHIPPED] = { STATE_OPEN, "all that is left to come is on its way" },
        [ORDER_RECEIVED] = { STATE_ENDED, "all has arrived" },
        [ORDER_CANCELLED] = { STATE_ENDED, "nothing comes of it" },
};

#define S(name) STATE(ORDER_##name)

static int64_t fixed_submit(const Case *c) {
        return ((const Order *)c)->submit_by;
}

static const ClockDef clocks[] = {
        [ORDER_CLOCK_SUBMIT] = { .runs = S(DRAFT),
                                 .fixed = fixed_submit,
                                 .doc = "until it is handed in; of a plan its day of the month" },
        [ORDER_CLOCK_APPROVE] = { .runs = S(SUBMITTED), .doc = "until it is approved" },
        [ORDER_CLOCK_SHIP] = { .runs = S(APPROVED) | S(PARTLY_SHIPPED),
                               .doc = "until all of it is on its way" },
        [ORDER_CLOCK_DELIVER] = { .runs = S(PARTLY_SHIPPED) | S(SHIPPED),
                                  .doc = "until what is on its way has arrived" },
};

static const Transition transitions[] = {
        { .name = "edit",
          .from = S(DRAFT),
          .permission = PERMISSION_ORDER_CREATE,
          .takes = "lines",
          .needs = "lines",
          .effect = order_edit,
          .doc = "Other lines in the place of those that it has (part, quantity, credit)." },
        { .name = "submit",
          .from = S(DRAFT),
          .to = ORDER_SUBMITTED,
          .permission = PERMISSION_ORDER_CREATE,
          .effect = order_submit,
          .doc = "Hands it in. A plan may be empty: then it is over. Draws on the credit for cores." },
        { .name = "approve",
          .from = S(SUBMITTED),
          .to = ORDER_APPROVED,
          .permission = PERMISSION_ORDER_APPROVE,
          .takes = "lines",
          .effect = order_approve,
          .doc = "Approves it, all that is asked for unless lines say less (part, approved, cut_reason)." },
        { .name = "send_back",
          .from = S(SUBMITTED),
          .to = ORDER_DRAFT,
          .permission = PERMISSION_ORDER_APPROVE,
          .needs_note = true,
          .doc = "Gives it back to be changed." },
        { .name = "ship",
          .from = S(APPROVED) | S(PARTLY_SHIPPED),
          .to = ORDER_SHIPPED,
          .permission = PERMISSION_ORDER_SHIP,
          .takes = "lines",
          .effect = order_ship,
          .doc = "Sends all that is left, or what lines say (part, quantity)." },
        { .name = "receive",
          .from = S(PARTLY_SHIPPED) | S(SHIPPED),
          .to = ORDER_RECEIVED,
          .permission = PERMISSION_ORDER_RECEIVE,
          .takes = "lines",
          .effect = order_receive,
          .doc = "All that is on its way has arrived, or what lines say (part, quantity, missing). What is missing is "
                 "claimed: it is to be sent again." },
        { .name = "close_short",
          .from = S(APPROVED),
          .to = ORDER_RECEIVED,
          .permission = PERMISSION_ORDER_APPROVE,
          .needs_note = true,
          .effect = order_close_short,
          .doc = "What has not been sent will not be." },
        { .name = "cancel",
          .from = S(DRAFT) | S(SUBMITTED) | S(APPROVED),
          .to = ORDER_CANCELLED,
          .permission = PERMISSION_ORDER_APPROVE,
          .needs_note = true,
          .guard = order_may_cancel,
          .doc = "Nothing comes of it; nothing has been sent." },
};

static void prefix_reference(const void *filter, Key *key) {
        key_text(key, ((const Order *)filter)->reference);
}

static void prefix_unit(const void *filter, Key *key) {
        key_text(key, ((const Order *)filter)->unit);
}

static const ListPath paths[] = {
        { .field = "reference", .index = &index_order_reference, .prefix = prefix_reference },
        { .field = "unit", .index = &index_order_unit, .prefix = prefix_unit },
        CASE_PATHS,
};

int order_find(const Engine *engine _unused_, Store *store, const Call *call, uint64_t *ret) {
        const Order *order = call->fields;
        Key prefix = {}, position = {}, key;
        const Index *index = order->reference ? &index_order_reference : &index_order_plan;
        int r;

        if (!order->reference && !order->month)
                return -ENOENT;
        if (order->reference)
                prefix_reference(order, &prefix);
        else {
                key_text(&prefix, order->unit);
                key_u64(&prefix, (uint64_t)order->month);
                key_u64(&prefix, (uint64_t)order->sheet);
        }
        r = store_index_next(store, index, &prefix, &position, &key);
        if (r == 0)
                *ret = load_be64(key.bytes);
        return r;
}

const Kind order_kind = {
        .number = KIND_ORDER,
        .name = "order",
        .letter = 'O',
        .table = &order_table,
        .clock_type = &order_clock_type,
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
        .initial = ORDER_DRAFT,
        .default_type = ORDER_EMERGENCY,
        .default_priority = PRIORITY_NORMAL,
        .read = PERMISSION_ORDER_READ,
        .create_permission = PERMISSION_ORDER_CREATE,
        .create = order_create,
        .overdue = order_overdue,
        .known_by = "reference",
        .find = order_find,
        .assign_owner = order_assign_owner,
        .doc = "orders of parts",
};
