/* SPDX-License-Identifier: Apache-2.0 */

/* Taking in, giving to somebody, working on it. */

#include <errno.h>
#include <string.h>

#include "aftersales/kinds.h"
#include "masters/product.h"
#include "masters/unit.h"
#include "tickets/rules-internal.h"

/* ---- taking in ---- */

int ticket_find(const Engine *engine _unused_, Store *store, const Call *call, uint64_t *ret) {
        const Ticket *ticket = call->fields;
        Key prefix = {}, position = {}, key;
        int r;

        if (!ticket->reference)
                return -ENOENT;
        key_text(&prefix, ticket->reference);
        r = store_index_next(store, &index_ticket_reference, &prefix, &position, &key);
        if (r == 0)
                *ret = load_be64(key.bytes);
        return r;
}

static int find_subcentre(Step *step) {
        Case *c = step->item;
        char code[CODE_MAX_BYTES + 1];
        Unit unit;
        int r;

        if (c->subcentre) {
                r = unit_require(store_of(step), "subcentre", c->subcentre, UNIT_SUBCENTRE, &unit,
                                 step->refusal);
                if (r == 0)
                        unit_done(&unit);
                return r;
        }
        r = unit_of_region(store_of(step), UNIT_SUBCENTRE, ticket_of(step)->region, code);
        if (r == -ENOENT)
                return refuse(
                        step->refusal, REFUSED_RULE,
                        "no active sub-centre serves region %s: name the subcentre, or give one "
                        "of them this region",
                        ticket_of(step)->region);
        return r < 0 ? r : text_set(&c->subcentre, code);
}

/* A dealer who is named must be one of the ticket's sub-centre. */
static int check_dealer(Step *step, Refusal *refusal) {
        const Case *c = step->item;
        Unit unit;
        int r;

        r = unit_require(store_of(step), "dealer", c->dealer, UNIT_DEALER, &unit, refusal);
        if (r != 0)
                return r;
        if (!STREQ(unit.parent, c->subcentre))
                r = refuse(refusal, REFUSED_INVALID_VALUE,
                           "dealer: %s belongs to sub-centre %s, the ticket to %s", c->dealer,
                           unit.parent, c->subcentre);
        unit_done(&unit);
        return r;
}

static int assign_dealer(Step *step) {
        Case *c = step->item;
        char code[CODE_MAX_BYTES + 1];
        int r;

        r = dealer_of_region(store_of(step), c->subcentre, ticket_of(step)->region, KIND_TICKET,
                             code);
        return r < 0 ? r : text_set(&c->dealer, code);
}

static int check_product(Step *step) {
        const Ticket *ticket = ticket_of(step);
        Key key;

        if (!ticket->product)
                return 0;
        key = key_of_code(ticket->product);
        if (!store_has(store_of(step), &product_table, &key))
                return refuse(step->refusal, REFUSED_INVALID_VALUE,
                              "product: there is no product %s", ticket->product);
        return 0;
}

static int check_fault(Step *step) {
        const Ticket *ticket = ticket_of(step);
        Key key;

        if (!ticket->fault_code || !is_given(step, "fault_code"))
                return 0;
        key = key_of_code(ticket->fault_code);
        if (!store_has(store_of(step), &fault_table, &key))
                return refuse(step->refusal, REFUSED_INVALID_VALUE,
                              "fault_code: there is no fault %s", ticket->fault_code);
        return 0;
}

/* A serial number that is known says which product it is. */
static int fill_product(Step *step) {
        Ticket *ticket = ticket_of(step);
        Serial serial;
        int r;

        if (!ticket->serial || ticket->product)
                return 0;
        r = serial_get(store_of(step), ticket->serial, &serial);
        if (r == -ENOENT)
                return 0;
        if (r < 0)
                return r;
        r = text_set(&ticket->product, serial.product);
        serial_done(&serial);
        return r;
}

static int check_future(Step *step, const char *name, int64_t instant) {
        char text[TIME_TEXT_SIZE];

        if (!is_given(step, name) || instant > step->now)
                return 0;
        return refuse(step->refusal, REFUSED_INVALID_VALUE,
                      "%s: must lie in the future; now it is %s", name,
                      time_format(step->now, text));
}

static int check_purchase(Step *step) {
        if (!is_given(step, "purchase_date") || ticket_of(step)->purchase_date <= local_day(step))
                return 0;
        return refuse(
                step->refusal, REFUSED_INVALID_VALUE,
                "purchase_date: lies in the future; give the day on which the customer bought "
                "it");
}

static int check_given_values(Step *step) {
        const Ticket *ticket = ticket_of(step);
        int r;

        r = region_check("region", ticket->region, step->refusal);
        if (r == 0)
                r = check_product(step);
        if (r == 0)
                r = check_purchase(step);
        if (r == 0)
                r = check_fault(step);
        if (r == 0)
                r = check_future(step, "promised_at", ticket->promised_at);
        if (r == 0)
                r = check_future(step, "appointment", ticket->appointment);
        return r;
}

static int place(Step *step) {
        Case *c = step->item;
        int r;

        r = find_subcentre(step);
        if (r != 0)
                return r;
        /* What a dealer reports is that dealer's own. */
        if (!c->dealer && step->actor->scope == SCOPE_DEALER) {
                r = text_set(&c->dealer, step->actor->unit);
                if (r < 0)
                        return r;
        }
        if (c->dealer && c->priority == TICKET_SPECIAL)
                return refuse(step->refusal, REFUSED_RULE,
                              "dealer: a special customer is handled by the sub-centre itself");
        if (c->dealer)
                return check_dealer(step, step->refusal);
        if (!policy_of(step)->assign_dealer || c->priority == TICKET_SPECIAL)
                return 0;
        r = assign_dealer(step);
        return r == -ENOENT ? 0 : r;
}

int ticket_create(Step *step) {
        Ticket *ticket = ticket_of(step);
        int r;

        if (!ticket->channel)
                ticket->channel = CHANNEL_PHONE;
        r = check_given_values(step);
        if (r == 0)
                r = place(step);
        if (r == 0)
                r = fill_product(step);
        if (r == 0)
                r = ticket_compute_warranty(step);
        return r == 0 ? ticket_find_repeat(step) : r;
}

int ticket_assign_owner(Step *step) {
        Case *c = step->item;
        char business[CODE_MAX_BYTES + 1];
        const char *owner = c->subcentre;
        int r;

        switch (step->to) {
        case TICKET_DISPATCHED:
        case TICKET_ACCEPTED:
        case TICKET_VISITED:
        case TICKET_WAITING_PART:
        case TICKET_WAITING_CUSTOMER:
                if (c->dealer)
                        owner = c->dealer;
                break;
        case TICKET_RESOLVED:
        case TICKET_FOLLOWED_UP:
                r = unit_of_kind(store_of(step), UNIT_BUSINESS, business);
                if (r == 0)
                        owner = business;
                else if (r != -ENOENT)
                        return r;
                break;
        default:
                break;
        }
        return text_set(&c->owner, owner);
}

/* ---- giving to somebody ---- */

/* What was agreed with one dealer does not bind the next one. */
static void forget_appointment(Step *step) {
        const Ticket *before = (const Ticket *)step->before;
        int state = before->resume_state ? before->resume_state : before->head.state;

        if (STATE(state) & (STATE(TICKET_ACCEPTED) | STATE(TICKET_VISITED)))
                ticket_of(step)->appointment = 0;
}

int ticket_transfer(Step *step) {
        const char *subcentre = step->item->subcentre;
        int r = find_subcentre(step);

        if (r == 0 && STREQ(subcentre, step->before->subcentre))
                r = refuse(step->refusal, REFUSED_INVALID_VALUE,
                           "subcentre: the ticket is with %s already; name another one", subcentre);
        forget_appointment(step);
        return r != 0 ? r : text_set(&step->item->dealer, NULL);
}

int ticket_dispatch(Step *step) {
        Case *c = step->item;
        int r;

        forget_appointment(step);
        if (c->priority == TICKET_SPECIAL) {
                if (is_given(step, "dealer"))
                        return refuse(
                                step->refusal, REFUSED_RULE,
                                "dealer: a special customer is handled by the sub-centre itself; "
                                "dispatch without dealer");
                return text_set(&c->dealer, NULL);
        }
        if (is_given(step, "dealer") && c->dealer)
                return check_dealer(step, step->refusal);
        /* The dealer it had from the beginning, unless it comes back from one or he has gone. */
        if (c->dealer && step->before->state == TICKET_RECEIVED) {
                Refusal gone = {};

                r = check_dealer(step, &gone);
                if (r <= 0)
                        return r;
        }
        r = assign_dealer(step);
        if (r == -ENOENT)
                return refuse(step->refusal, REFUSED_RULE,
                              "no active dealer of sub-centre %s serves region %s: name the dealer",
                              c->subcentre, ticket_of(step)->region);
        return r;
}

int ticket_decline(Step *step) {
        ticket_of(step)->appointment = 0;
        return text_set(&step->item->dealer, NULL);
}

int ticket_may_accept(Step *step) {
        if (step->before->state == TICKET_RECEIVED && step->item->priority != TICKET_SPECIAL)
                return refuse(
                        step->refusal, REFUSED_STATE,
                        "the ticket is received and no special customer's: dispatch it first");
        return check_future(step, "appointment", ticket_of(step)->appointment);
}

int ticket_may_appoint(Step *step) {
        return check_future(step, "appointment", ticket_of(step)->appointment);
}

int ticket_may_promise(Step *step) {
        return check_future(step, "promised_at", ticket_of(step)->promised_at);
}

/* ---- working on it ---- */

/* What is known of the unit decides on its warranty, and on what the repair repeats. */
static int learn(Step *step) {
        int r;

        r = check_fault(step);
        if (r == 0)
                r = fill_product(step);
        if (r == 0)
                r = ticket_compute_warranty(step);
        return r == 0 ? ticket_find_repeat_again(step) : r;
}

int ticket_visit(Step *step) {
        Ticket *ticket = ticket_of(step);
        int r;

        ticket->visits++;
        ticket->visited_at = step->now;
        ticket->appointment = 0; /* kept, be it early or late: the next one is of the next visit */
        r = learn(step);
        return r == 0 ? ticket_use_parts(step) : r;
}

int ticket_wait(Step *step) {
        ticket_of(step)->resume_state = step->before->state;
        return 0;
}

int ticket_resume(Step *step) {
        Ticket *ticket = ticket_of(step);

        step->to = ticket->resume_state;
        ticket->resume_state = 0;
        return text_set(&ticket->wait_reason, NULL);
}

int ticket_may_resolve(Step *step) {
        const Case *c = step->item;

        if ((policy_of(step)->visit_required & STATE(c->type)) &&
            step->before->state != TICKET_VISITED)
                return refuse(step->refusal, REFUSED_RULE,
                              "a ticket of type %s is resolved by a visit: record the visit first",
                              step->kind->type_names->names[c->type]);
        return 0;
}

int ticket_resolve(Step *step) {
        Ticket *ticket = ticket_of(step);
        int r = learn(step);

        if (r == 0)
                r = ticket_use_parts(step);
        if (r != 0)
                return r;
        ticket->resolved_at = step->now;
        ticket->outcome = 0; /* the customer is to be asked about this one */
        ticket->satisfaction = 0;
        r = text_set(&ticket->resolved_dealer, step->item->dealer);
        return r == 0 ? text_set(&ticket->resolved_by, step->actor->name) : r;
}

/* A special customer is the sub-centre's own: a dealer who had the ticket has it no more, and the
 * work begins again. Whoever has resolved it has; see ticket_reopen for what is left to do then. */
static int take_back(Step *step) {
        Ticket *ticket = ticket_of(step);

        if (step->item->priority != TICKET_SPECIAL || !step->item->dealer)
                return 0;
        if (step->to == TICKET_RESOLVED || step->to == TICKET_FOLLOWED_UP)
                return 0;
        forget_appointment(step);
        if (ticket->resume_state)
                ticket->resume_state = TICKET_RECEIVED;
        else
                step->to = TICKET_RECEIVED;
        return text_set(&step->item->dealer, NULL);
}

int ticket_update(Step *step) {
        int r;

        r = check_product(step);
        if (r == 0)
                r = check_purchase(step);
        if (r == 0)
                r = learn(step);
        return r == 0 ? take_back(step) : r;
}
