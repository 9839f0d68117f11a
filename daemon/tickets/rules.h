/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The guards and effects of the transitions of a ticket, named for them; see the table in ticket.c.
 */

#include "loop/kind.h"

int ticket_create(Step *step);
int ticket_find(const Engine *engine, Store *store, const Call *call, uint64_t *ret);
int ticket_assign_owner(Step *step);

int ticket_transfer(Step *step);
int ticket_dispatch(Step *step);
int ticket_decline(Step *step);
int ticket_may_accept(Step *step);
int ticket_may_promise(Step *step);
int ticket_may_appoint(Step *step);
int ticket_visit(Step *step);
int ticket_wait(Step *step);
int ticket_resume(Step *step);
int ticket_may_resolve(Step *step);
int ticket_resolve(Step *step);
int ticket_may_follow_up(Step *step);
int ticket_follow_up(Step *step);
int ticket_may_decide(Step *step);
int ticket_decide(Step *step);
int ticket_close(Step *step);
int ticket_reopen(Step *step);
int ticket_may_void(Step *step);
int ticket_void(Step *step);
int ticket_may_override(Step *step);
int ticket_override(Step *step);
int ticket_update(Step *step);

/* Takes the parts that a call names out of the stock of whoever does the work, decides for each
 * whether it is under warranty, and makes the cores that must come back. */
int ticket_use_parts(Step *step);
/* Puts parts back that were not used after all, with the cores that were to come back for them. */
int ticket_unuse(Step *step);

/* Sets warranty, warranty_until and warranty_basis from the sale date and the model. 0 or negative
 * errno. */
int ticket_compute_warranty(Step *step);
/* The same day of the month so many months later, or the month's last day where there is none. */
int64_t ticket_add_months(int64_t date, int64_t months);
/* Links a repair that comes in to an earlier one of the same unit that was resolved not long
 * before.
 */
int ticket_find_repeat(Step *step);
/* The same once more is known of the unit than when it came in, or something else. */
int ticket_find_repeat_again(Step *step);
