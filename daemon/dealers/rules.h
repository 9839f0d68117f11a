/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The guards and effects of the transitions of a report, named for them; see the table in report.c.
 */

#include "loop/kind.h"

int report_create(Step *step);
int report_find(const Engine *engine, Store *store, const Call *call, uint64_t *ret);
int report_assign_owner(Step *step);

int report_may_end(Step *step);
int report_nothing(Step *step);
int report_may_deliver(Step *step);
int report_take_file(Step *step);
