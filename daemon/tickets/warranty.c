/* SPDX-License-Identifier: Apache-2.0 */

/* Whether a unit is under warranty, and whether a repair repeats an earlier one: found, never typed
 * in. */

#include <errno.h>
#include <string.h>

#include "aftersales/limits.h"
#include "base/zone.h"
#include "loop/engine.h"
#include "masters/product.h"
#include "tickets/rules.h"
#include "tickets/ticket.h"

/* The same day of the month so many months later, or the month's last day where there is none. */
static int64_t add_months(int64_t date, int64_t months) {
        int year, month, day;
        int32_t next;

        civil_from_days((int32_t)date, &year, &month, &day);
        month += (int)months - 1;
        year += month / 12;
        month = month % 12 + 1;
        next = days_from_civil(month == 12 ? year + 1 : year, month == 12 ? 1 : month + 1, 1);
        return MIN((int64_t)days_from_civil(year, month, 1) + day, (int64_t)next) - 1;
}

/* The day of the sale as the serial number has it, else as the customer says. */
static int find_sale(Step *step, int64_t *ret_date, int *ret_basis) {
        const Ticket *ticket = (const Ticket *)step->item;
        Serial serial;
        int r;

        *ret_date = ticket->purchase_date;
        *ret_basis = ticket->purchase_date ? BASIS_PURCHASE_DATE : 0;
        if (!ticket->serial)
                return 0;
        r = serial_get(change_store(step->change), ticket->serial, &serial);
        if (r == -ENOENT)
                return 0;
        if (r < 0)
                return r;
        if (serial.sold_on) {
                *ret_date = serial.sold_on;
                *ret_basis = BASIS_SERIAL;
        }
        serial_done(&serial);
        return 0;
}

static int find_months(Step *step, int64_t *ret) {
        const Ticket *ticket = (const Ticket *)step->item;
        Product product;
        int r;

        *ret = 0;
        if (!ticket->product)
                return 0;
        r = product_get(change_store(step->change), ticket->product, &product);
        if (r < 0)
                return r == -ENOENT ? 0 : r;
        *ret = product.warranty_months;
        product_done(&product);
        return 0;
}

int ticket_compute_warranty(Step *step) {
        Ticket *ticket = (Ticket *)step->item;
        int64_t sold, months;
        int32_t received, second;
        int basis, r;

        if (ticket->warranty_basis == BASIS_OVERRIDE)
                return 0;
        r = find_sale(step, &sold, &basis);
        if (r == 0)
                r = find_months(step, &months);
        if (r < 0)
                return r;
        if (!sold || !months) {
                ticket->warranty = WARRANTY_UNKNOWN;
                ticket->warranty_until = 0;
                ticket->warranty_basis = 0;
                return 0;
        }
        zone_local(engine_zone(step->engine), step->item->created_at / USEC_PER_SEC, &received,
                   &second);
        ticket->warranty_until = add_months(sold, months);
        ticket->warranty = received <= ticket->warranty_until ? WARRANTY_IN : WARRANTY_OUT;
        ticket->warranty_basis = basis;
        return 0;
}

/* ---- repeat repairs ---- */

static bool is_earlier_repair(const Ticket *earlier, const Ticket *ticket, int64_t since) {
        if (earlier->head.type != TICKET_REPAIR || !earlier->resolved_at ||
            earlier->resolved_at < since || earlier->head.state == TICKET_VOIDED)
                return false;
        if (ticket->serial)
                return true; /* found by it */
        return earlier->phone && STREQ(earlier->phone, ticket->phone) && earlier->product &&
               ticket->product && STREQ(earlier->product, ticket->product);
}

static int link_to(Ticket *ticket, const Ticket *earlier) {
        char *dealer = NULL;

        if (earlier->head.dealer) {
                dealer = strdup(earlier->head.dealer);
                if (!dealer)
                        return -ENOMEM;
        }
        free(ticket->repeat_dealer);
        ticket->repeat_dealer = dealer;
        ticket->repeat_of = earlier->head.id;
        return 0;
}

/* A unit or a customer has few earlier tickets; the newest that fits is the one repeated. */
int ticket_find_repeat(Step *step) {
        Ticket *ticket = (Ticket *)step->item;
        const Index *index = ticket->serial ? &index_ticket_serial : &index_ticket_phone;
        int64_t since =
                step->now - engine_policy(step->engine)->tickets.repeat_within * USEC_PER_SEC;
        Key prefix = {}, position = {}, key;
        int r = 0;

        if (step->item->type != TICKET_REPAIR || (!ticket->serial && !ticket->phone))
                return 0;
        if (ticket->serial)
                key_text(&prefix, ticket->serial);
        else
                prefix = ticket_phone_key(ticket->phone);
        for (unsigned i = 0; r == 0 && i < REPEATS_LOOKED_AT; i++) {
                Ticket earlier = {};

                r = store_index_next(change_store(step->change), index, &prefix, &position, &key);
                if (r == 0)
                        r = store_get(change_store(step->change), &ticket_table, &key, &earlier);
                if (r < 0)
                        break;
                if (is_earlier_repair(&earlier, ticket, since))
                        r = link_to(ticket, &earlier);
                ticket_done(&earlier);
        }
        return r == -ENOENT ? 0 : r;
}
