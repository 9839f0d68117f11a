/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Proves the store: every record intact and at its key, every index and tally exactly what the
 * records say, the journal gapless and chained. */

#include "store/store.h"

/* One line for each fault. */
typedef void (*ReportFault)(void *userdata, const char *line);

/* 0 or a negative errno that stopped it; counts what was looked at and what was wrong. */
int store_check(Store *store, ReportFault report, void *userdata, uint64_t *ret_records,
                uint64_t *ret_faults);
