/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What a write-ahead log is written on, over memory: it fails when it is told to, and then any part
 * of what was to be written is there, by whole sectors, and of that some in the cache only: a power
 * cut takes it away. */

#include "rng.h"
#include "store/wal.h"

typedef struct WalDisk {
        uint8_t *bytes;              /* WAL_SIZE; what survives the process */
        uint8_t *safe;               /* what survives the power */
        uint64_t cached, cached_end; /* where they may differ */
        Rng rng;                     /* what lands of a write that fails */
        unsigned writes;
        unsigned fail_at; /* the nth write from now on, 1 being the next; 0: none */
        int error;
} WalDisk;

void wal_disk_init(WalDisk *disk, uint64_t seed);
void wal_disk_done(WalDisk *disk);
WalMedium *wal_disk_open(WalDisk *disk);
/* The power fails, while nobody has it open. */
void wal_disk_cut(WalDisk *disk);
