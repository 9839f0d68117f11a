/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Guards and effects of cores. 0, > 0 refused, < 0. */

#include "parts/core.h"

int core_create(Step *step);
int core_assign_owner(Step *step);
int core_ship(Step *step);
int core_receive(Step *step);
int core_accept(Step *step);
int core_reject(Step *step);
int core_charge(Step *step);
int core_void(Step *step);
int core_overdue(const Engine *engine, Change *change, const Case *c, int clock, int64_t due_at,
                 int64_t now);
