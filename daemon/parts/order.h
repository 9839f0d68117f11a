/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Orders of parts, planned and emergency: draft, submitted, approved, shipped, received, each step
 * with its deadline. An order is one sheet: it has at most ORDER_LINES_MAX lines, and what needs
 * more is several orders. */

#include "loop/kind.h"

#define ORDER_LINES_MAX 60 /* each has an entry in every sum: see KEYS_MAX */

typedef enum OrderType { ORDER_PLANNED = 1, ORDER_EMERGENCY } OrderType;

typedef enum OrderState {
        ORDER_DRAFT = 1,
        ORDER_SUBMITTED,
        ORDER_APPROVED,
        ORDER_PARTLY_SHIPPED,
        ORDER_SHIPPED,
        ORDER_RECEIVED,
        ORDER_CANCELLED,
        _ORDER_STATE_MAX,
} OrderState;

typedef enum OrderClock {
        ORDER_CLOCK_SUBMIT = 1,
        ORDER_CLOCK_APPROVE,
        ORDER_CLOCK_SHIP,
        ORDER_CLOCK_DELIVER,
} OrderClock;

typedef struct OrderLine {
        Record record;
        int64_t line;
        char *part;
        int64_t quantity; /* that is asked for */
        int64_t credit;   /* of them, new ones for cores that were accepted */
        int64_t approved;
        char *cut_reason;
        int64_t shipped, received;
        int64_t missing; /* lost on their way, and claimed */
        /* Of a plan: what the quantity was computed from, see plan.h. */
        int64_t use, months, factor, season, stock, on_order, in_transit;
} OrderLine;

typedef struct Order {
        Case head;
        char *reference;
        char *unit;   /* who orders */
        char *source; /* place that it comes from */
        int64_t month;
        int64_t sheet;
        List lines;
        char *planned_until; /* of a plan: the last part that it and the sheets before have looked
                                at */
        bool complete;       /* of a plan: its last sheet */
        int64_t submit_by;
        int64_t submitted_at, approved_at, shipped_at, received_at;
} Order;

extern const RecordType order_line_type;
extern const Table order_table;
extern const Kind order_kind;
extern const Index index_order_plan; /* unit, month, sheet */

/* Ordered and not on its way yet: unit, part. */
extern const Index sum_on_order;

void order_done(Order *order);

/* Of a line that is approved. */
static inline int64_t line_to_ship(const OrderLine *line) {
        return line->approved - line->shipped;
}
static inline int64_t line_in_transit(const OrderLine *line) {
        return line->shipped - line->received;
}
