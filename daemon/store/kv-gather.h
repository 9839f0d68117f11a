/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What was written since the last checkpoint, in memory over a database that is only read in
 * between: reads see both as one. A transaction costs no system call and is taken back by what it
 * has noted; a checkpoint then writes everything in the order of the keys, and each entry once
 * however often it has changed, in one transaction of the database.
 *
 *      begin, put, remove, ... commit   in memory: whoever wants it durable sees to that
 *      kv_gather_write()                into the database, durably
 */

#include "store/kv.h"

/* The base becomes its own, unless this fails. */
int kv_gather_new(Kv *base, unsigned n_databases, Kv **ret);

/* Writes all of it, what an open transaction has written included, which then cannot be taken back
 * any more; the memory is free again. On failure nothing has happened. 0, -ENOSPC, -EIO, other
 * negative errno of the base. */
int kv_gather_write(Kv *kv);
