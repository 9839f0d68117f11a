/* SPDX-License-Identifier: Apache-2.0 */

#include "wal-memory.h"

#include <errno.h>
#include <string.h>

#include "base/macro.h"

typedef struct WalMemory {
        WalMedium medium;
        WalDisk *disk;
} WalMemory;

static int disk_read(WalMedium *medium, uint64_t at, void *buffer, size_t size) {
        const WalDisk *disk = ((WalMemory *)medium)->disk;

        if (at + size > WAL_SIZE)
                return -ENODATA;
        memcpy(buffer, disk->bytes + at, size);
        return 0;
}

static int disk_write(WalMedium *medium, uint64_t at, const void *data, size_t size) {
        WalDisk *disk = ((WalMemory *)medium)->disk;
        bool fails = disk->fail_at > 0 && --disk->fail_at == 0;

        assert(at + size <= WAL_SIZE && at % WAL_SECTOR == 0 && size % WAL_SECTOR == 0);
        disk->writes++;
        for (size_t i = 0; i < size; i += WAL_SECTOR) {
                if (!fails || rng_one_in(&disk->rng, 2))
                        memcpy(disk->bytes + at + i, (const uint8_t *)data + i, WAL_SECTOR);
                if (!fails || rng_one_in(&disk->rng, 2))
                        memcpy(disk->safe + at + i, disk->bytes + at + i, WAL_SECTOR);
        }
        if (!fails)
                return 0;
        disk->cached = MIN(disk->cached, at);
        disk->cached_end = MAX(disk->cached_end, at + size);
        return disk->error;
}

static WalMedium *disk_free(WalMedium *medium) {
        free(medium);
        return NULL;
}

static const WalMediumOps disk_ops = {
        .read = disk_read,
        .write = disk_write,
        .free = disk_free,
};

void wal_disk_init(WalDisk *disk, uint64_t seed) {
        *disk = (WalDisk){ .bytes = calloc(1, WAL_SIZE),
                           .safe = calloc(1, WAL_SIZE),
                           .cached = WAL_SIZE,
                           .rng = { seed } };
        assert(disk->bytes && disk->safe);
}

void wal_disk_done(WalDisk *disk) {
        free(disk->bytes);
        free(disk->safe);
        *disk = (WalDisk){};
}

WalMedium *wal_disk_open(WalDisk *disk) {
        WalMemory *medium = malloc(sizeof(*medium));

        assert(medium);
        *medium = (WalMemory){ .medium.ops = &disk_ops, .disk = disk };
        return &medium->medium;
}

void wal_disk_cut(WalDisk *disk) {
        if (disk->cached < disk->cached_end)
                memcpy(disk->bytes + disk->cached, disk->safe + disk->cached,
                       disk->cached_end - disk->cached);
        disk->cached = WAL_SIZE;
        disk->cached_end = 0;
}
