/* SPDX-License-Identifier: Apache-2.0 */

#include "parts/order-rules.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "dealers/assessment.h"
#include "loop/engine.h"
#include "masters/part.h"
#include "parts/core.h"
#include "parts/stock.h"

static Order *order_of(Step *step) {
        return (Order *)step->item;
}

static Store *store_of(const Step *step) {
        return change_store(step->change);
}

static const Field *lines_field(void) {
        return record_field(order_table.type, "lines", NULL);
}

static bool has_lines(const Step *step) {
        size_t i;

        return record_field(order_table.type, "lines", &i) && field_mask_has(step->given, i);
}

/* ---- who orders where ---- */

static int refuse_source(Step *step) {
        return refuse(step->refusal, REFUSED_INVALID_VALUE,
                      "source: parts come from headquarters or the dealer's sub-centre; those of "
                      "headquarters from supplier:CODE");
}

/* The unit that orders: a dealer, a sub-centre, or headquarters with a supplier as source. */
static int find_unit(Step *step, bool from_supplier) {
        Case *c = step->item;
        char headquarters[CODE_MAX_BYTES + 1] = "";
        Unit unit;
        int r;

        if (!c->dealer && step->actor->scope == SCOPE_DEALER)
                r = text_set(&c->dealer, step->actor->unit);
        else if (!c->dealer && !c->subcentre && step->actor->scope == SCOPE_SUBCENTRE)
                r = text_set(&c->subcentre, step->actor->unit);
        else
                r = 0;
        if (r == 0 && from_supplier) {
                r = unit_of_kind(store_of(step), UNIT_HEADQUARTERS, headquarters);
                if (r == 0 && (c->dealer || (c->subcentre && !STREQ(c->subcentre, headquarters))))
                        return refuse_source(step);
                return r == 0         ? text_set(&c->subcentre, headquarters)
                       : r == -ENOENT ? refuse(step->refusal, REFUSED_RULE,
                                               "there is no active headquarters that could order")
                                      : r;
        }
        if (r != 0)
                return r;
        if (!c->dealer && !c->subcentre)
                return refuse(step->refusal, REFUSED_MISSING_FIELD,
                              "create needs the field dealer or subcentre (who orders), or a "
                              "supplier as source for headquarters");
        r = unit_require(store_of(step), c->dealer ? "dealer" : "subcentre",
                         c->dealer ? c->dealer : c->subcentre,
                         c->dealer ? UNIT_DEALER : UNIT_SUBCENTRE, &unit, step->refusal);
        if (r != 0)
                return r;
        if (c->dealer && c->subcentre && !STREQ(c->subcentre, unit.parent))
                r = refuse(step->refusal, REFUSED_INVALID_VALUE,
                           "subcentre: %s belongs to sub-centre %s; leave subcentre out", c->dealer,
                           unit.parent);
        else if (c->dealer)
                r = text_set(&c->subcentre, unit.parent);
        unit_done(&unit);
        return r;
}

static int find_source(Step *step, bool from_supplier) {
        Order *order = order_of(step);
        char headquarters[CODE_MAX_BYTES + 1];
        Place source;
        int r = 0;

        if (!order->source) {
                r = unit_of_kind(store_of(step), UNIT_HEADQUARTERS, headquarters);
                if (r == -ENOENT)
                        return refuse(step->refusal, REFUSED_MISSING_FIELD,
                                      "source: there is no active headquarters; name the place "
                                      "that parts come from");
                if (r == 0)
                        r = text_set(&order->source, headquarters);
        }
        if (r == 0)
                r = place_find(store_of(step), "source", order->source, &source, step->refusal);
        if (r != 0)
                return r;
        if (!from_supplier && source.sort != PLACE_HEADQUARTERS &&
            !(order->head.dealer && source.sort == PLACE_SUBCENTRE &&
              STREQ(source.unit, order->head.subcentre)))
                return refuse_source(step);
        return text_set(&order->source, source.text);
}

/* ---- lines ---- */

static int refuse_line(Step *step, size_t i, int r) {
        return list_refuse_item(lines_field(), i + 1, r, step->refusal);
}

/* A call says of a line only what it is about. */
static int check_said(Step *step, const OrderLine *line, const char *takes) {
        for (size_t i = 0; i < order_line_type.n_fields; i++) {
                const Field *field = &order_line_type.fields[i];

                if (field_is_set(field, line) && !names_have(takes, field->name))
                        return refuse(step->refusal, REFUSED_INVALID_VALUE,
                                      "%s: cannot be given here; what can be: %s", field->name,
                                      takes);
        }
        return 0;
}

static OrderLine *find_line(const List *lines, const char *part, size_t until) {
        OrderLine *items = lines->items;

        for (size_t i = 0; i < until; i++)
                if (STREQ(items[i].part, part))
                        return &items[i];
        return NULL;
}

static int check_new_line(Step *step, size_t i) {
        Order *order = order_of(step);
        OrderLine *line = (OrderLine *)order->lines.items + i;
        Part part;
        int r = step->within ? 0 : check_said(step, line, "part quantity credit");

        if (r == 0)
                r = part_require(store_of(step), "part", line->part, &part, step->refusal);
        if (r != 0)
                return r;
        part_done(&part);
        line->line = (int64_t)i + 1;
        if (find_line(&order->lines, line->part, i))
                return refuse(step->refusal, REFUSED_INVALID_VALUE,
                              "part: %s has a line already; make one of the two", line->part);
        if (line->quantity == 0)
                return refuse(step->refusal, REFUSED_MISSING_FIELD, "quantity: must be given");
        if (line->credit > 0 && !order->head.dealer)
                return refuse(step->refusal, REFUSED_RULE, "credit: only dealers have any");
        if (line->credit > line->quantity)
                return refuse(step->refusal, REFUSED_INVALID_VALUE,
                              "credit: is part of the quantity, %" PRId64 " at most",
                              line->quantity);
        return 0;
}

static int check_new_lines(Step *step) {
        int r = 0;

        for (size_t i = 0; r == 0 && i < order_of(step)->lines.n; i++)
                r = refuse_line(step, i, check_new_line(step, i));
        return r;
}

int order_create(Step *step) {
        Order *order = order_of(step);
        const char *code;
        bool from_supplier = order->source && place_split(order->source, &code) == PLACE_SUPPLIER;
        int r = step->within ? 0 : find_unit(step, from_supplier);

        if (r == 0)
                r = find_source(step, from_supplier || step->within);
        if (r == 0 && !order->unit)
                r = text_set(&order->unit,
                             order->head.dealer ? order->head.dealer : order->head.subcentre);
        if (r == 0 && !order->month && order->head.type == ORDER_PLANNED)
                r = refuse(step->refusal, REFUSED_RULE,
                           "type: planned orders are made by the month's plan; order what is "
                           "needed besides as emergency");
        return r == 0 ? check_new_lines(step) : r;
}

int order_edit(Step *step) {
        return check_new_lines(step);
}

/* ---- whose turn ---- */

static int find_supply(Step *step, char ret[static CODE_MAX_BYTES + 1]) {
        const char *code = "";
        PlaceSort sort = place_split(order_of(step)->source, &code);
        int r = -ENOENT;

        if (sort != PLACE_SUBCENTRE)
                r = unit_of_kind(store_of(step), UNIT_PARTS, ret);
        if (r != -ENOENT)
                return r;
        snprintf(ret, CODE_MAX_BYTES + 1, "%s",
                 sort == PLACE_SUPPLIER ? order_of(step)->unit : code);
        return 0;
}

int order_assign_owner(Step *step) {
        Order *order = order_of(step);
        char code[CODE_MAX_BYTES + 1];
        int r;

        if (step->to == ORDER_DRAFT || step->to == ORDER_SHIPPED || step->to >= ORDER_RECEIVED)
                return text_set(&order->head.owner, order->unit);
        r = find_supply(step, code);
        return r == 0 ? text_set(&order->head.owner, code) : r;
}

/* A plan that comes late counts against the dealer. */
int order_overdue(const Engine *engine, Change *change, const Case *c, int clock, int64_t due_at,
                  int64_t now _unused_) {
        return clock == ORDER_CLOCK_SUBMIT && c->type == ORDER_PLANNED
                       ? assess(engine, change, c, ASSESSMENT_PLAN_LATE, due_at)
                       : 0;
}

/* ---- handing in ---- */

/* What is drawn must be there: nothing is drawn twice. */
static int check_credit(Step *step, const OrderLine *line) {
        int64_t has = 0;
        Key key = {};
        int r;

        if (line->credit == 0)
                return 0;
        key_text(&key, order_of(step)->unit);
        key_text(&key, line->part);
        r = change_tally(step->change, &sum_credit, &key, &has);
        if (r == 0 && has < line->credit)
                return refuse(step->refusal, REFUSED_RULE,
                              "credit: %s has %" PRId64 " for accepted cores of part %s, not "
                              "%" PRId64,
                              order_of(step)->unit, has, line->part, line->credit);
        return r;
}

int order_submit(Step *step) {
        Order *order = order_of(step);
        const OrderLine *lines = order->lines.items;
        int r = 0;

        if (order->lines.n == 0 && order->head.type != ORDER_PLANNED)
                return refuse(step->refusal, REFUSED_RULE, "lines: there is nothing ordered");
        for (size_t i = 0; r == 0 && i < order->lines.n; i++)
                r = refuse_line(step, i, check_credit(step, &lines[i]));
        order->submitted_at = step->now;
        if (order->lines.n == 0)
                step->to = ORDER_RECEIVED;
        return r;
}

/* ---- what a call says of the lines that there are ---- */

/* One line of the order, and what the call says of it (NULL: nothing). 0, > 0 refused, < 0. */
typedef int (*LineEffect)(Step *step, OrderLine *line, const OrderLine *said);

/* The list given has taken the place of the order's own: puts that back. */
static int take_said(Step *step, List *ret) {
        Order *order = order_of(step);
        FieldMask mask = {};
        size_t position;

        *ret = (List){};
        if (!has_lines(step))
                return 0;
        record_field(order_table.type, "lines", &position);
        field_mask_set(&mask, position);
        *ret = order->lines;
        order->lines = (List){};
        return record_merge(order_table.type, order, step->before, &mask);
}

static int each_said(Step *step, const List *said, const char *takes, LineEffect effect) {
        OrderLine *items = said->items;
        List *lines = &order_of(step)->lines;
        int r = 0;

        for (size_t i = 0; r == 0 && i < said->n; i++) {
                OrderLine *line = find_line(lines, items[i].part, lines->n);

                r = check_said(step, &items[i], takes);
                if (r == 0 && find_line(said, items[i].part, i))
                        r = refuse(step->refusal, REFUSED_INVALID_VALUE, "part: %s is given twice",
                                   items[i].part);
                if (r == 0)
                        r = line ? effect(step, line, &items[i])
                                 : refuse(step->refusal, REFUSED_INVALID_VALUE,
                                          "part: %s is not in this order", items[i].part);
                r = refuse_line(step, i, r);
        }
        return r;
}

/* Lines of which a call says nothing have the effect as well if it says nothing of any, or always.
 */
static int each_line(Step *step, const char *takes, bool always, LineEffect effect) {
        Order order = {};
        List *lines = &order_of(step)->lines;
        OrderLine *items;
        int r = take_said(step, &order.lines);

        items = lines->items;
        if (r == 0)
                r = each_said(step, &order.lines, takes, effect);
        for (size_t i = 0; r == 0 && i < lines->n; i++)
                if (order.lines.n == 0 ||
                    (always && !find_line(&order.lines, items[i].part, order.lines.n)))
                        r = effect(step, &items[i], NULL);
        order_done(&order);
        return r;
}

typedef struct Totals {
        int64_t approved, to_ship, in_transit, received;
} Totals;

static Totals add_up(const Case *c) {
        const List *lines = &((const Order *)c)->lines;
        const OrderLine *items = lines->items;
        Totals totals = {};

        for (size_t i = 0; i < lines->n; i++) {
                totals.approved += items[i].approved;
                totals.to_ship += line_to_ship(&items[i]);
                totals.in_transit += line_in_transit(&items[i]);
                totals.received += items[i].received;
        }
        return totals;
}

/* ---- approving ---- */

static int approve_line(Step *step, OrderLine *line, const OrderLine *said) {
        line->approved = said ? said->approved : line->quantity;
        if (line->approved > line->quantity)
                return refuse(step->refusal, REFUSED_INVALID_VALUE,
                              "approved: %" PRId64 " are asked for, no more can be approved",
                              line->quantity);
        if (line->approved < line->quantity && (!said || !said->cut_reason))
                return refuse(step->refusal, REFUSED_MISSING_FIELD,
                              "cut_reason: whoever approves fewer than were asked for says why");
        line->credit = MIN(line->credit, line->approved);
        return text_set(&line->cut_reason, said ? said->cut_reason : NULL);
}

int order_approve(Step *step) {
        int r = each_line(step, "part approved cut_reason", true, approve_line);

        order_of(step)->approved_at = step->now;
        if (r == 0 && add_up(step->item).approved == 0)
                step->to = ORDER_CANCELLED;
        return r;
}

/* ---- on the way ---- */

static int move_line(Step *step, const OrderLine *line, int64_t quantity, const char *from,
                     const char *to, MoveReason reason) {
        Move move = {
                .part = line->part,
                .quantity = quantity,
                .from = (char *)from,
                .to = (char *)to,
                .reason = (int)reason,
        };

        return quantity == 0 ? 0 : stock_move(step, &move);
}

static int check_quantity(Step *step, int64_t said, int64_t most) {
        if (said <= most)
                return 0;
        return refuse(step->refusal, REFUSED_RULE,
                      "quantity: there are %" PRId64 " left, not %" PRId64, most, said);
}

static int ship_line(Step *step, OrderLine *line, const OrderLine *said) {
        int64_t quantity = said ? said->quantity : line_to_ship(line);
        char transit[PLACE_SIZE];
        int r = check_quantity(step, quantity, line_to_ship(line));

        place_format(PLACE_TRANSIT, order_of(step)->unit, transit);
        line->shipped += quantity;
        return r == 0 ? move_line(step, line, quantity, order_of(step)->source, transit,
                                  MOVE_SHIPPED)
                      : r;
}

int order_ship(Step *step) {
        Totals totals;
        int r = each_line(step, "part quantity", false, ship_line);

        if (r != 0)
                return r;
        totals = add_up(step->item);
        if (totals.in_transit == add_up(step->before).in_transit)
                return refuse(step->refusal, REFUSED_RULE, "lines: nothing would be sent");
        order_of(step)->shipped_at = step->now;
        step->to = totals.to_ship > 0 ? ORDER_PARTLY_SHIPPED : ORDER_SHIPPED;
        return 0;
}

static int receive_line(Step *step, OrderLine *line, const OrderLine *said) {
        int64_t quantity = said ? said->quantity : line_in_transit(line);
        int64_t missing = said ? said->missing : 0;
        char transit[PLACE_SIZE];
        Place unit;
        int r = check_quantity(step, quantity + missing, line_in_transit(line));

        if (r == 0)
                r = place_of_unit(store_of(step), order_of(step)->unit, false, &unit);
        place_format(PLACE_TRANSIT, order_of(step)->unit, transit);
        if (r == 0)
                r = move_line(step, line, quantity, transit, unit.text, MOVE_ARRIVED);
        if (r == 0)
                r = move_line(step, line, missing, transit, "count", MOVE_LOST);
        line->received += quantity;
        line->shipped -= missing;
        line->missing += missing;
        return r == -ENOENT ? -EBADMSG : r;
}

int order_receive(Step *step) {
        Totals totals;
        int r = each_line(step, "part quantity missing", false, receive_line);

        if (r != 0)
                return r;
        totals = add_up(step->item);
        if (totals.in_transit == add_up(step->before).in_transit)
                return refuse(step->refusal, REFUSED_RULE, "lines: nothing would arrive");
        order_of(step)->received_at = step->now;
        step->to = totals.in_transit > 0 && totals.to_ship > 0 ? ORDER_PARTLY_SHIPPED
                   : totals.in_transit > 0                     ? ORDER_SHIPPED
                   : totals.to_ship > 0                        ? ORDER_APPROVED
                                                               : ORDER_RECEIVED;
        return 0;
}

/* ---- not all of it ---- */

int order_close_short(Step *step) {
        List *lines = &order_of(step)->lines;
        OrderLine *items = lines->items;

        for (size_t i = 0; i < lines->n; i++) {
                items[i].approved = items[i].shipped;
                items[i].credit = MIN(items[i].credit, items[i].approved);
        }
        if (add_up(step->item).received == 0)
                step->to = ORDER_CANCELLED;
        return 0;
}

int order_may_cancel(Step *step) {
        if (add_up(step->item).received > 0)
                return refuse(step->refusal, REFUSED_RULE,
                              "a part of it has arrived already: close it short");
        return 0;
}
