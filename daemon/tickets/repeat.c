/* SPDX-License-Identifier: Apache-2.0 */

/* Whether a repair repeats an earlier one of the same unit: found, never typed in. A unit is known
 * by its serial number; without one, by the phone of its customer and the model. */

#include <errno.h>
#include <string.h>

#include "tickets/rules-internal.h"

/* Earlier tickets of one serial number or phone, by their numbers, in order. */
typedef struct Earlier {
        uint64_t ids[REPEATS_LOOKED_AT + 1];
        size_t n;
} Earlier;

/* Those after one number and before another one, at most one more than are looked at. */
static int find_between(Store *store, const Index *index, const Key *prefix, uint64_t after,
                        uint64_t before, Earlier *ret) {
        Key position = *prefix, key;

        key_u64(&position, after);
        ret->n = 0;
        while (ret->n < ELEMENTS(ret->ids)) {
                int r = store_index_next(store, index, prefix, &position, &key);

                if (r < 0)
                        return r == -ENOENT ? 0 : r;
                if (load_be64(key.bytes) >= before)
                        break;
                ret->ids[ret->n++] = load_be64(key.bytes);
        }
        return 0;
}

/* The newest that are looked at. Most units have so few that all are found at once; of a customer
 * with thousands the number from which there are just as many is searched, which takes no more
 * steps than a number has bits. */
static int find_newest(Store *store, const Index *index, const Key *prefix, uint64_t before,
                       Earlier *ret) {
        uint64_t too_many = 0, too_few = before;
        int r = find_between(store, index, prefix, 0, before, ret);

        if (r < 0 || ret->n <= REPEATS_LOOKED_AT)
                return r;
        while (r == 0 && ret->n != REPEATS_LOOKED_AT) {
                uint64_t middle = too_many + (too_few - too_many) / 2;

                r = find_between(store, index, prefix, middle, before, ret);
                if (ret->n > REPEATS_LOOKED_AT)
                        too_many = middle;
                else
                        too_few = middle;
        }
        return r;
}

static bool is_earlier_repair(const Ticket *earlier, const Ticket *ticket, int64_t since) {
        if (earlier->head.type != TICKET_REPAIR || !earlier->resolved_at ||
            earlier->resolved_at < since || earlier->resolved_at > ticket->head.created_at ||
            earlier->head.state == TICKET_VOIDED)
                return false;
        if (ticket->serial)
                return true; /* found by it */
        return earlier->phone && STREQ(earlier->phone, ticket->phone) && earlier->product &&
               ticket->product && STREQ(earlier->product, ticket->product);
}

/* Whoever has the earlier one by now, after a reopening, has not done the repair that is repeated.
 */
static int link_to(Ticket *ticket, const Ticket *earlier) {
        ticket->repeat_of = earlier->head.id;
        return text_set(&ticket->repeat_dealer, earlier->resolved_dealer);
}

/* The newest that fits is the one repeated. */
static int link_newest(Step *step, const Earlier *found) {
        Ticket *ticket = (Ticket *)step->item;
        int64_t since = step->item->created_at -
                        engine_policy(step->engine)->tickets.repeat_within * USEC_PER_SEC;
        int r = 0;

        for (size_t i = found->n; r == 0 && i > 0 && !ticket->repeat_of; i--) {
                Key key = key_of_id(found->ids[i - 1]);
                Ticket earlier = {};

                r = store_get(change_store(step->change), &ticket_table, &key, &earlier);
                if (r == -ENOENT || r == -EBADMSG) { /* damage, which the check tells */
                        r = 0;
                        continue;
                }
                if (r < 0)
                        break;
                if (is_earlier_repair(&earlier, ticket, since))
                        r = link_to(ticket, &earlier);
                ticket_done(&earlier);
        }
        return r;
}

int ticket_find_repeat(Step *step) {
        Ticket *ticket = (Ticket *)step->item;
        const Index *index = ticket->serial ? &index_ticket_serial : &index_ticket_phone;
        Earlier found;
        Key prefix = {};
        int r;

        if (step->item->type != TICKET_REPAIR || (!ticket->serial && !ticket->phone))
                return 0;
        if (ticket->serial)
                key_text(&prefix, ticket->serial);
        else
                prefix = ticket_phone_key(ticket->phone);
        r = find_newest(change_store(step->change), index, &prefix,
                        step->item->id ? step->item->id : UINT64_MAX, &found);
        return r == 0 ? link_newest(step, &found) : r;
}

static bool is_same(const char *a, const char *b) {
        return a && b ? STREQ(a, b) : a == b;
}

int ticket_find_repeat_again(Step *step) {
        const Ticket *before = (const Ticket *)step->before;
        Ticket *ticket = (Ticket *)step->item;

        if (before->head.type == ticket->head.type && is_same(before->serial, ticket->serial) &&
            is_same(before->phone, ticket->phone) && is_same(before->product, ticket->product))
                return 0;
        ticket->repeat_of = 0;
        text_set(&ticket->repeat_dealer, NULL);
        return ticket_find_repeat(step);
}
