/* SPDX-License-Identifier: Apache-2.0 */

/* Asking the customer, and what ends a ticket: closing, voiding; and opening it again. */

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "tickets/rules-internal.h"

/* ---- asking the customer ---- */

/* A program that does not say whom it acts for, then or now, may have acted for the person that it
 * names the other time. */
static bool may_be_same_person(const char *then, const char *now) {
        size_t n = MIN(strlen(then), strlen(now));

        return strncmp(then, now, n) == 0 && (then[n] == '\0' || then[n] == '/') &&
               (now[n] == '\0' || now[n] == '/');
}

int ticket_may_follow_up(Step *step) {
        const Ticket *ticket = ticket_of(step);
        bool dissatisfied = ticket->outcome == OUTCOME_DISSATISFIED;

        if (step->actor->scope == SCOPE_DEALER ||
            (ticket->resolved_by && may_be_same_person(ticket->resolved_by, step->actor->name)))
                return refuse(
                        step->refusal, REFUSED_RULE,
                        "whoever resolved a ticket does not follow it up: another person asks the "
                        "customer (a program names its person with the option by)");
        if (dissatisfied && !is_given(step, "reopen_reason"))
                return refuse(step->refusal, REFUSED_MISSING_FIELD,
                              "follow_up needs the field reopen_reason when the customer is "
                              "dissatisfied");
        if (!dissatisfied && is_given(step, "reopen_reason"))
                return refuse(step->refusal, REFUSED_INVALID_VALUE,
                              "reopen_reason: only for a dissatisfied customer");
        if (ticket->outcome == OUTCOME_UNREACHABLE && is_given(step, "satisfaction"))
                return refuse(step->refusal, REFUSED_INVALID_VALUE,
                              "satisfaction: nobody was asked");
        return 0;
}

/* Open again: what the earlier round brought is undone, its history stays. Who has become a special
 * customer since then is the sub-centre's now. */
int ticket_reopen(Step *step) {
        Ticket *ticket = ticket_of(step);

        if (step->item->priority == TICKET_SPECIAL)
                text_set(&step->item->dealer, NULL);
        step->to = step->item->dealer ? TICKET_DISPATCHED : TICKET_RECEIVED;
        step->item->lift++;
        step->raise = true;
        ticket->reopened++;
        ticket->promised_at = ticket->appointment = ticket->closed_at = 0;
        ticket->attempts = ticket->attempt_day = 0;
        ticket->result = ticket->decision = 0;
        return 0;
}

int ticket_follow_up(Step *step) {
        Ticket *ticket = ticket_of(step);
        int64_t day = local_day(step);

        ticket->followed_up_at = step->now;
        switch (ticket->outcome) {
        case OUTCOME_SATISFIED:
                step->to = TICKET_FOLLOWED_UP;
                break;
        case OUTCOME_UNREACHABLE:
                if (ticket->attempt_day != day)
                        ticket->attempts++;
                ticket->attempt_day = day;
                break;
        default:
                ticket_reopen(step);
        }
        return text_set(&ticket->followed_up_by, step->actor->name);
}

int ticket_may_decide(Step *step) {
        const Ticket *ticket = ticket_of(step);
        int64_t needed = policy_of(step)->followup_attempts;

        if (ticket->attempts < needed)
                return refuse(step->refusal, REFUSED_RULE,
                              "the customer was unreachable on %" PRId64 " of %" PRId64
                              " different days: follow up again on another day",
                              ticket->attempts, needed);
        if (ticket->decision == DECISION_REOPEN && !is_given(step, "reopen_reason"))
                return refuse(step->refusal, REFUSED_MISSING_FIELD,
                              "decide needs the field reopen_reason to reopen");
        return 0;
}

int ticket_decide(Step *step) {
        if (ticket_of(step)->decision == DECISION_REOPEN)
                return ticket_reopen(step);
        step->to = TICKET_FOLLOWED_UP;
        return 0;
}

int ticket_close(Step *step) {
        ticket_of(step)->closed_at = step->now;
        return 0;
}

/* ---- corrections ---- */

/* What the duplicate is about must still be known by the other one: two that were voided as
 * duplicates of each other would be nobody's. */
static int check_original(Step *step) {
        uint64_t id = ticket_of(step)->duplicate_of;
        char number[CASE_NUMBER_SIZE];
        Key key = key_of_id(id);
        Ticket original;
        int r, state;

        case_number(step->kind->letter, id, number);
        r = id == step->item->id ? -ENOENT
                                 : store_get(store_of(step), &ticket_table, &key, &original);
        if (r == -ENOENT)
                return refuse(step->refusal, REFUSED_INVALID_VALUE,
                              "duplicate_of: %s is no other ticket", number);
        if (r < 0)
                return r;
        state = original.head.state;
        ticket_done(&original);
        if (state == TICKET_VOIDED)
                return refuse(step->refusal, REFUSED_INVALID_VALUE,
                              "duplicate_of: %s is voided itself; name the ticket that goes on",
                              number);
        return 0;
}

int ticket_may_void(Step *step) {
        const Ticket *ticket = ticket_of(step);

        if (ticket->void_reason == VOID_DUPLICATE) {
                if (ticket->duplicate_of)
                        return check_original(step);
                return refuse(step->refusal, REFUSED_MISSING_FIELD,
                              "void needs the field duplicate_of for a duplicate");
        }
        if (is_given(step, "duplicate_of"))
                return refuse(step->refusal, REFUSED_INVALID_VALUE,
                              "duplicate_of: only with void_reason duplicate");
        if (ticket->void_reason == VOID_OTHER && !step->note)
                return refuse(step->refusal, REFUSED_MISSING_FIELD,
                              "void needs a note that says why, for void_reason other");
        return 0;
}

int ticket_void(Step *step) {
        return ticket_close(step);
}

int ticket_may_override(Step *step) {
        if (ticket_of(step)->warranty == WARRANTY_UNKNOWN)
                return refuse(step->refusal, REFUSED_INVALID_VALUE,
                              "warranty: decide on in or out");
        return 0;
}

int ticket_override(Step *step) {
        ticket_of(step)->warranty_basis = BASIS_OVERRIDE;
        return 0;
}
