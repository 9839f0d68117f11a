/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What a supplier owes, as a case; see contract.h. */

#include "parts/contract.h"

/* Of a contract and an item: what shipments oblige to, what was claimed, what has come. What was
 * waived stays counted: it is not claimed again. */
extern const Index sum_obliged, sum_claimed, sum_delivered;

int obligation_assign_owner(Step *step);
int obligation_deliver(Step *step);
