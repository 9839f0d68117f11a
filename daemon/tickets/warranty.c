/* SPDX-License-Identifier: Apache-2.0 */

/* Whether a unit is under warranty: computed, never typed in. */

#include <errno.h>
#include <string.h>

#include "aftersales/limits.h"
#include "base/zone.h"
#include "loop/engine.h"
#include "masters/product.h"
#include "tickets/rules.h"
#include "tickets/ticket.h"

int64_t ticket_add_months(int64_t date, int64_t months) {
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
        ticket->warranty_until = ticket_add_months(sold, months);
        ticket->warranty = received <= ticket->warranty_until ? WARRANTY_IN : WARRANTY_OUT;
        ticket->warranty_basis = basis;
        return 0;
}
