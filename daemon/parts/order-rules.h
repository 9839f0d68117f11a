/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Guards and effects of orders. 0, > 0 refused, < 0. */

#include "parts/order.h"

int order_create(Step *step);
int order_find(const Engine *engine, Store *store, const Call *call, uint64_t *ret);
int order_assign_owner(Step *step);
int order_overdue(const Engine *engine, Change *change, const Case *c, int clock, int64_t due_at,
                  int64_t now);
int order_edit(Step *step);
int order_submit(Step *step);
int order_approve(Step *step);
int order_ship(Step *step);
int order_receive(Step *step);
int order_close_short(Step *step);
int order_may_cancel(Step *step);
