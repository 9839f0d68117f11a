/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* A Kv over memory: ordered and transactional as LMDB is, but it fails when it is told to, and it
 * can be crashed. The disk is what survives: freeing a Kv with a transaction open loses what that
 * wrote, and the next Kv on the same disk finds what was committed.
 *
 * It is stricter than LMDB where the contract allows it: slices that come out are copies that are
 * gone with the next write or the end of the transaction, so that the sanitizers see whoever keeps
 * one. Like LMDB it spoils a transaction in which a write failed, and is dead after -EIO. What its
 * writer has committed is seen by the transactions that begin afterwards. */

#include "store/kv.h"

#define MEMORY_DATABASES 64

typedef struct MemoryDisk MemoryDisk;

typedef enum MemoryCall {
        MEMORY_BEGIN,
        MEMORY_WRITE, /* put and remove */
        MEMORY_COMMIT,
        MEMORY_BESIDE, /* the commit of a writer */
        MEMORY_TOLD,   /* either, when it is done already: only its answer is wrong */
        _MEMORY_CALL_MAX,
} MemoryCall;

MemoryDisk *memory_disk_new(void);
MemoryDisk *memory_disk_free(MemoryDisk *disk);

/* One Kv at a time; NULL without memory. */
Kv *memory_disk_open(MemoryDisk *disk);

/* The nth of these calls from now on, 1 being the next, fails with this error; 0: none does. */
void memory_disk_fail(MemoryDisk *disk, MemoryCall call, unsigned nth, int error);
