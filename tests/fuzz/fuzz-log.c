/* SPDX-License-Identifier: Apache-2.0 */

/* A program of frames for the write-ahead log, written as the store does, and then of damage to
 * what it has written. Read are the frames that are whole, each as it was, in their order and up to
 * the first that is not; and where a whole one stands behind that, it is said that the log is
 * damaged. */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bytes.h"
#include "fuzz.h"
#include "store/wal.h"

#define FRAMES_MAX   24
#define RECORD_SCALE 23 /* bytes of a record for each of the byte that says how large it is */
#define DAMAGE_MAX   4
#define EPOCH        (UINT64_C(3) << 40)

typedef struct Written {
        uint64_t checkpoint;
        size_t at, size;
        uint8_t *bytes; /* as they were */
} Written;

typedef struct Disk {
        WalMedium medium;
        size_t size; /* what is behind it is cut off */
        Written frames[FRAMES_MAX];
        size_t n;
        size_t visited, next; /* next: after the one that was visited last */
        size_t used[2];       /* of each area */
} Disk;

static uint8_t bytes_of_disk[WAL_SIZE];

static int disk_read(WalMedium *medium, uint64_t at, void *buffer, size_t size) {
        const Disk *disk = (const Disk *)medium;

        if (at > disk->size || size > disk->size - at)
                return -ENODATA;
        memcpy(buffer, bytes_of_disk + at, size);
        return 0;
}

/* The frames whose place it takes are no more. */
static void forget(Disk *disk, size_t at, size_t size) {
        size_t kept = 0;

        for (size_t i = 0; i < disk->n; i++) {
                Written *frame = &disk->frames[i];

                if (frame->at < at + size && at < frame->at + frame->size)
                        free(frame->bytes);
                else
                        disk->frames[kept++] = *frame;
        }
        disk->n = kept;
}

static int disk_write(WalMedium *medium, uint64_t at, const void *data, size_t size) {
        size_t *used = &((Disk *)medium)->used[at / WAL_AREA];

        assert(at <= WAL_SIZE && size <= WAL_SIZE - at);
        forget((Disk *)medium, at, size);
        *used = MAX(*used, at % WAL_AREA + size);
        memcpy(bytes_of_disk + at, data, size);
        return 0;
}

static WalMedium *disk_free(WalMedium *medium) {
        return medium;
}

static const WalMediumOps disk_ops = { .read = disk_read, .write = disk_write, .free = disk_free };

/* ---- writing ---- */

static void append(Disk *disk, Wal *wal, Bytes *bytes) {
        size_t size = (size_t)take_byte(bytes) * RECORD_SCALE;
        uint8_t *record = malloc(size + 1);
        uint64_t at = wal->end;
        size_t whole; /* without what fills the last sector */
        Written *written;
        Buffer frame = {};

        assert(record);
        memset(record, take_byte(bytes), size);
        wal_begin_frame(&frame);
        wal_add_record(&frame, (Slice){ record, size });
        assert(wal_has_room(wal, &frame));
        whole = frame.size;
        assert(wal_append(wal, &frame, 1, INT64_MAX, 1) == 0);
        assert(wal->end % WAL_SECTOR == 0 && wal->end >= at + whole);
        written = &disk->frames[disk->n++];
        *written = (Written){ .checkpoint = wal->checkpoint, .at = at, .size = whole };
        written->bytes = malloc(whole);
        assert(written->bytes);
        memcpy(written->bytes, bytes_of_disk + at, whole);
        buffer_done(&frame);
        free(record);
}

/* The last checkpoint. */
static uint64_t write_all(Disk *disk, Wal *wal, Bytes *bytes) {
        uint64_t checkpoint = EPOCH + take_byte(bytes) % 4;

        wal_restart(wal, checkpoint);
        for (size_t n = take_below(bytes, FRAMES_MAX); n > 0 && disk->n < FRAMES_MAX; n--) {
                if (take_byte(bytes) >= 208)
                        wal_restart(wal, ++checkpoint);
                append(disk, wal, bytes);
        }
        return checkpoint;
}

static void damage(Disk *disk, Bytes *bytes) {
        const Written *frame = &disk->frames[take_below(bytes, disk->n)];
        uint16_t offset = (uint16_t)(take_byte(bytes) << 8 | take_byte(bytes));
        size_t at = frame->at + offset % frame->size;

        switch (take_below(bytes, 4)) {
        case 0:
                memset(bytes_of_disk + at / WAL_SECTOR * WAL_SECTOR, take_byte(bytes), WAL_SECTOR);
                break;
        case 1: /* another frame, whole, where it does not belong */
                memcpy(bytes_of_disk + frame->at, disk->frames[0].bytes,
                       disk->frames[0].size < frame->size ? disk->frames[0].size : frame->size);
                break;
        default:
                bytes_of_disk[at] ^= take_byte(bytes);
        }
}

/* ---- reading ---- */

static bool is_whole(const Disk *disk, const Written *frame) {
        return frame->at + frame->size <= disk->size &&
               memcmp(bytes_of_disk + frame->at, frame->bytes, frame->size) == 0;
}

static int visit(void *userdata, const WalFrame *frame) {
        Disk *disk = userdata;

        for (size_t i = disk->next; i < disk->n; i++) {
                const Written *written = &disk->frames[i];

                if (written->checkpoint != frame->checkpoint || !is_whole(disk, written) ||
                    written->size != WAL_HEADER + frame->records.size ||
                    memcmp(written->bytes + WAL_HEADER, frame->records.data, frame->records.size) !=
                            0)
                        continue;
                disk->next = i + 1;
                disk->visited++;
                return 0;
        }
        abort(); /* nobody has written this one, or it is not whole */
}

/* Those of a checkpoint up to the first that is not whole; whether a whole one stands behind. */
static size_t count_whole(const Disk *disk, uint64_t checkpoint, bool *ret_behind) {
        size_t whole = 0;
        bool broken = false;

        *ret_behind = false;
        for (size_t i = 0; i < disk->n; i++) {
                if (disk->frames[i].checkpoint != checkpoint)
                        continue;
                if (!is_whole(disk, &disk->frames[i]))
                        broken = true;
                else if (broken)
                        *ret_behind = true;
                else
                        whole++;
        }
        return whole;
}

static void check_read(Disk *disk, Wal *wal, uint64_t checkpoint) {
        bool behind, behind_next;
        size_t n = count_whole(disk, checkpoint, &behind);
        size_t next = count_whole(disk, checkpoint + 1, &behind_next);
        int r = wal_read(wal, checkpoint, visit, disk);

        assert(r == (behind || behind_next ? -EUCLEAN : 0));
        assert(disk->visited == n + (behind ? 0 : next));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        Disk disk = { .medium.ops = &disk_ops, .size = WAL_SIZE };
        Bytes bytes = { data, size };
        uint64_t newest = 0, last;
        Wal *wal;

        assert(wal_new(&disk.medium, false, &wal) == 0);
        last = write_all(&disk, wal, &bytes);
        for (size_t n = take_below(&bytes, DAMAGE_MAX); n > 0 && disk.n > 0; n--)
                damage(&disk, &bytes);
        if (take_byte(&bytes) >= 240 && disk.n > 0)
                disk.size = disk.frames[disk.n - 1].at + take_below(&bytes, 16) * WAL_SECTOR;
        if (wal_newest(&disk.medium, &newest) == 0)
                assert(newest <= last);
        /* What the database is as of: the last checkpoint, or that was being written. */
        check_read(&disk, wal, last - take_byte(&bytes) % 2);
        wal_prove(&disk.medium);
        wal_free(wal);
        for (size_t i = 0; i < disk.n; i++)
                free(disk.frames[i].bytes);
        for (size_t i = 0; i < 2; i++)
                memset(bytes_of_disk + i * WAL_AREA, 0, disk.used[i]);
        return 0;
}
