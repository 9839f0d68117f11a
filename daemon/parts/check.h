/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What must hold across moves, tickets, cores and orders, which the store's sums show at once. */

#include "store/check.h"

/* One line to the reporter for each fault, added to *ret_faults. 0 or negative errno. */
int parts_check(Store *store, ReportFault report, void *userdata, uint64_t *ret_faults);
