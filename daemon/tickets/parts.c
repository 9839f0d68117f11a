/* SPDX-License-Identifier: Apache-2.0 */

/* Parts that are used on a ticket. */

#include <inttypes.h>

#include "masters/part.h"
#include "parts/core.h"
#include "parts/stock.h"
#include "tickets/rules-internal.h"

/* ---- warranty ---- */

/* The part that is replaced was new itself not long ago. 1, 0, negative errno. */
static int part_is_new(Step *step, const Part *part, const TicketPart *line) {
        int64_t used_on;
        int r;

        if (!line->old_serial || part->warranty_months == 0)
                return 0;
        r = stock_used_on(store_of(step), line->part, line->old_serial, &used_on);
        if (r < 0)
                return r == -ENOENT ? 0 : r;
        return local_day(step) <= ticket_add_months(used_on, part->warranty_months);
}

/* A part is under warranty with the unit, or by itself. 0 or negative errno. */
static int decide_warranty(Step *step, const Part *part, TicketPart *line) {
        int r = 0;

        line->warranty = ticket_of(step)->warranty;
        line->warranty_basis = PART_BASIS_UNIT;
        if (line->warranty == WARRANTY_IN)
                return 0;
        r = part_is_new(step, part, line);
        if (r > 0) {
                line->warranty = WARRANTY_IN;
                line->warranty_basis = PART_BASIS_PART;
        }
        return MIN(r, 0);
}

/* ---- using ---- */

/* Whose stock it comes from. */
static int find_holder(Step *step, Place *ret) {
        const Case *c = step->item;
        int r = place_of_unit(store_of(step), c->dealer ? c->dealer : c->subcentre, false, ret);

        return r == -ENOENT ? -EBADMSG : r;
}

static int take_core(Step *step, const Place *holder, const Part *part, TicketPart *line) {
        static const char given[] =
                "subcentre dealer ticket line part product quantity serial used_at used_on";
        Move move = {
                .part = line->part,
                .quantity = line->quantity,
                .from = (char[]){ "customer" },
                .to = (char *)holder->text,
                .condition = CONDITION_BAD,
                .serial = line->old_serial,
                .reason = MOVE_TAKEN,
        };
        Core core = {
                .head = { .subcentre = step->item->subcentre, .dealer = step->item->dealer },
                .ticket = step->item->id,
                .line = line->line,
                .part = line->part,
                .product = ticket_of(step)->product,
                .quantity = line->quantity,
                .serial = line->old_serial,
                .used_at = step->now,
                .used_on = line->used_on,
        };
        uint64_t id;
        int r;

        if (!part->returnable || line->warranty != WARRANTY_IN)
                return 0;
        line->core_quantity = line->quantity;
        r = stock_move(step, &move);
        return r == 0 ? step_create(step, &core_kind, &core, given, &id) : r;
}

static int use_line(Step *step, TicketPart *line) {
        Move move = {
                .part = line->part,
                .quantity = line->quantity,
                .to = (char[]){ "customer" },
                .serial = line->serial,
                .reason = MOVE_USED,
        };
        Place holder;
        Part part;
        int r;

        r = part_require(store_of(step), "part", line->part, &part, step->refusal);
        if (r != 0)
                return r;
        line->used_at = step->now;
        line->used_on = local_day(step);
        r = decide_warranty(step, &part, line);
        if (r == 0)
                r = find_holder(step, &holder);
        if (r == 0) {
                move.from = holder.text;
                r = stock_move(step, &move);
        }
        if (r == 0)
                r = take_core(step, &holder, &part, line);
        part_done(&part);
        return r;
}

/* A copy of what was given, behind what there was before. 0 or -ENOMEM. */
static int add_line(Ticket *ticket, const TicketPart *given, TicketPart **ret) {
        TicketPart *line = list_add(&ticket->parts, &ticket_part_type);
        int r = line ? record_copy(&ticket_part_type, line, given) : -ENOMEM;

        if (r < 0)
                return r;
        line->line = (int64_t)ticket->parts.n;
        if (!line->quantity)
                line->quantity = 1;
        *ret = line;
        return 0;
}

static int add_lines(Step *step, const List *given) {
        const Field *field = record_field(ticket_table.type, "parts", NULL);
        const TicketPart *parts = given->items;
        Ticket *ticket = ticket_of(step);
        int r = 0;

        if (ticket->parts.n + given->n > TICKET_PARTS_MAX)
                return refuse(step->refusal, REFUSED_LIMIT,
                              "parts: a ticket has at most %d lines of them", TICKET_PARTS_MAX);
        for (size_t i = 0; r == 0 && i < given->n; i++) {
                TicketPart *line;

                r = add_line(ticket, &parts[i], &line);
                if (r == 0)
                        r = list_refuse_item(field, i + 1, use_line(step, line), step->refusal);
        }
        return r;
}

/* The lines that a call gives, while the ticket has its own again. The caller frees what is given.
 */
static int take_given(Step *step, Ticket *given) {
        Ticket *ticket = ticket_of(step);
        FieldMask parts = fields_named(ticket_table.type, "parts");

        given->parts = ticket->parts;
        ticket->parts = (List){};
        return record_merge(ticket_table.type, ticket, step->before, &parts);
}

int ticket_use_parts(Step *step) {
        Ticket given = {};
        int r;

        if (!is_given(step, "parts"))
                return 0;
        r = take_given(step, &given);
        if (r == 0)
                r = add_lines(step, &given.parts);
        ticket_done(&given);
        return r;
}

/* ---- not using ---- */

/* Cores that lie at the dealer are as good as none; what is on its way must be dealt with first. */
static int drop_core(Step *step, TicketPart *line, int64_t quantity) {
        int64_t dropped = MIN(quantity, line->core_quantity);
        Core fields = { .quantity = dropped };
        uint64_t id;
        int r;

        if (dropped == 0)
                return 0;
        r = core_find_due(store_of(step), step->item->id, line->line, dropped, &id);
        if (r == -ENOENT)
                return refuse(step->refusal, REFUSED_RULE,
                              "part: not so many cores of %s lie at %s any more: reject what was "
                              "sent back first",
                              line->part,
                              step->item->dealer ? step->item->dealer : step->item->subcentre);
        line->core_quantity -= dropped;
        return r < 0 ? r : step_move(step, &core_kind, id, "void", &fields, "quantity");
}

static int put_back(Step *step, TicketPart *line, int64_t quantity) {
        Place holder;
        Move move = {
                .part = line->part,
                .quantity = quantity,
                .from = (char[]){ "customer" },
                .to = holder.text,
                .serial = line->serial,
                .reason = MOVE_UNUSED,
        };
        int r = find_holder(step, &holder);

        if (r == 0)
                r = stock_move(step, &move);
        line->quantity -= quantity;
        return r == 0 ? drop_core(step, line, quantity) : r;
}

static bool is_of(const TicketPart *line, const TicketPart *said) {
        return STREQ(line->part, said->part) &&
               (!said->serial || (line->serial && STREQ(line->serial, said->serial)));
}

/* From the lines used last. */
static int unuse_line(Step *step, const TicketPart *said) {
        List *lines = &ticket_of(step)->parts;
        TicketPart *items = lines->items;
        int64_t left = MAX(said->quantity, INT64_C(1));
        int r = 0;

        for (size_t i = lines->n; r == 0 && i > 0 && left > 0; i--) {
                int64_t quantity = MIN(left, items[i - 1].quantity);

                if (quantity == 0 || !is_of(&items[i - 1], said))
                        continue;
                r = put_back(step, &items[i - 1], quantity);
                left -= quantity;
        }
        if (r == 0 && left > 0)
                return refuse(step->refusal, REFUSED_RULE,
                              "quantity: %" PRId64 " more than were used of part %s", left,
                              said->part);
        return r;
}

int ticket_unuse(Step *step) {
        const Field *field = record_field(ticket_table.type, "parts", NULL);
        const TicketPart *said;
        Ticket given = {};
        int r = take_given(step, &given);

        said = given.parts.items;
        for (size_t i = 0; r == 0 && i < given.parts.n; i++)
                r = list_refuse_item(field, i + 1, unuse_line(step, &said[i]), step->refusal);
        ticket_done(&given);
        return r;
}
