/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Filling a new store with what another one had, exactly and past every rule: for the way over a
 * dump. Indices and tallies follow from the records. Nobody else has the store. */

#include "store/store.h"

/* The next number that a table gives out. */
uint64_t store_next_number(const Store *store, const Table *table);

/* 0, -EEXIST: there is such a one already, -EBADMSG: it cannot be, other negative errno. Durable
 * from time to time. */
int store_load_record(Store *store, const Table *table, const void *record);
/* The stored form of a journal record; likewise. */
int store_load_journal(Store *store, Slice stored);
void store_load_number(Store *store, const Table *table, uint64_t next);
/* The last: what the store knows of itself. All is durable then. 0 or negative errno. */
int store_load_end(Store *store, const StoreHead *head);
