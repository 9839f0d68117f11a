/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What was written since the last checkpoint, in memory over a database that is only read in
 * between: reads see both as one. A transaction costs no system call and is taken back by what it
 * has noted; a checkpoint then writes everything in the order of the keys, and each entry once
 * however often it has changed, in one transaction of the database.
 *
 *      begin, put, remove, ... commit   in memory: whoever wants it durable sees to that
 *      kv_gather_seal()                 the same, while it may still be taken back
 *      kv_gather_write()                into the database, durably, at once
 *      kv_gather_freeze()               the same in a thread beside, while all goes on
 */

#include "store/kv.h"

/* The base becomes its own, unless this fails. */
int kv_gather_new(Kv *base, unsigned n_databases, Kv **ret);

/* As a commit, but what it has written can be taken back, by itself or together with what a
 * transaction after it has written, until it is kept. One at a time. */
void kv_gather_seal(Kv *kv);
void kv_gather_keep(Kv *kv);
/* No transaction that writes is open. */
void kv_gather_take_back(Kv *kv);

/* Writes all of it, what an open transaction has written included, which then cannot be taken back
 * any more, nor can what is sealed; the memory is free again. Waits for what is being written
 * beside. On failure nothing more has happened. 0, -ENOSPC, -EIO, other negative errno of the base.
 */
int kv_gather_write(Kv *kv);

/* Begins to write, beside, all that has gathered, or again what could not be written the last time;
 * no transaction is open, nothing is being written. kv_gather_thaw() tells the result. -EOPNOTSUPP:
 * the base cannot be written by a thread; other negative errno. */
int kv_gather_freeze(Kv *kv);
/* -EAGAIN: it is still being written, unless one waits. 0: it is done, or there was nothing. What
 * could not be written stays, and its error is told: -ENOSPC, -EIO, others. Slices that came out
 * hold no longer. */
int kv_gather_thaw(Kv *kv, bool wait);
/* Whether something is being written beside, or could not be. */
bool kv_gather_is_frozen(const Kv *kv);
/* Becomes readable when there is a result; -1: never. */
int kv_gather_fd(const Kv *kv);
