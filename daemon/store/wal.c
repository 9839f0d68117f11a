/* SPDX-License-Identifier: Apache-2.0 */

#include "store/wal.h"

#include <errno.h>
#include <stdlib.h>

#include "base/digest.h"

#define PIECE_SIZE (64 * 1024) /* of the log, read at once */
#define CRC_AT     4
#define CRC_END    8 /* what the checksum covers begins here */

static const uint8_t magic[4] = { 'A', 'f', 'W', 'L' };

int wal_new(WalMedium *medium, bool beside, Wal **ret) {
        Wal *wal = calloc(1, sizeof(*wal));
        int r;

        if (!wal)
                return -ENOMEM;
        r = beside ? worker_new(&wal->worker) : 0;
        if (r < 0) {
                free(wal);
                return r;
        }
        wal->medium = medium;
        *ret = wal;
        return 0;
}

Wal *wal_free(Wal *wal) {
        if (!wal)
                return NULL;
        worker_free(wal->worker);
        wal->medium->ops->free(wal->medium);
        buffer_done(&wal->frame);
        free(wal);
        return NULL;
}

static size_t whole_sectors(size_t size) {
        return (size + WAL_SECTOR - 1) / WAL_SECTOR * WAL_SECTOR;
}

/* ---- reading ---- */

/* Where the frames after a checkpoint begin, and where they end at the latest. */
static uint64_t area_begin(uint64_t checkpoint) {
        return checkpoint % 2 * WAL_AREA;
}

static uint64_t area_end(uint64_t checkpoint) {
        return area_begin(checkpoint) + WAL_AREA;
}

/* The head of a frame, if one may stand there: 0, -ENOENT. */
static int parse_head(const uint8_t head[static WAL_HEADER], uint64_t at, WalFrame *ret) {
        Cursor cursor = cursor_over((Slice){ head + CRC_END, WAL_HEADER - CRC_END });
        uint32_t size = cursor_u32(&cursor);
        WalFrame frame = { .changes = cursor_u32(&cursor), .checkpoint = cursor_u64(&cursor) };
        uint64_t offset = cursor_u64(&cursor);

        frame.time_seen = (int64_t)cursor_u64(&cursor);
        frame.published = cursor_u64(&cursor);
        frame.records.size = size;
        if (memcmp(head, magic, sizeof(magic)) != 0 || offset != at || size > WAL_RECORD_MAX ||
            at < area_begin(frame.checkpoint) ||
            at + WAL_HEADER + size > area_end(frame.checkpoint))
                return -ENOENT;
        *ret = frame;
        return 0;
}

static bool is_intact(const uint8_t *frame, size_t size) {
        Cursor cursor = cursor_over((Slice){ frame + CRC_AT, CRC_END - CRC_AT });

        return cursor_u32(&cursor) == crc32c(0, frame + CRC_END, size - CRC_END);
}

/* The frame at a place; its records hold until the next is read. 0; -ENOENT: no whole one; other
 * negative errno. */
static int read_frame(Wal *wal, uint64_t at, WalFrame *ret) {
        const WalMediumOps *ops = wal->medium->ops;
        uint8_t head[WAL_HEADER];
        WalFrame frame = {};
        size_t size;
        int r;

        if (at + WAL_HEADER > WAL_SIZE)
                return -ENOENT;
        r = ops->read(wal->medium, at, head, sizeof(head));
        if (r == 0)
                r = parse_head(head, at, &frame);
        if (r < 0)
                return r == -ENODATA ? -ENOENT : r;
        size = WAL_HEADER + frame.records.size;
        buffer_reset(&wal->frame);
        if (!buffer_add(&wal->frame, size))
                return -ENOMEM;
        r = ops->read(wal->medium, at, wal->frame.data, size);
        if (r < 0)
                return r == -ENODATA ? -ENOENT : r;
        if (!is_intact(wal->frame.data, size))
                return -ENOENT;
        frame.records.data = wal->frame.data + WAL_HEADER;
        *ret = frame;
        return 0;
}

/* The checkpoint that the frames of an area come after. */
static int read_first(Wal *wal, uint64_t area, uint64_t *ret) {
        WalFrame frame;
        int r = read_frame(wal, area, &frame);

        if (r == 0)
                *ret = frame.checkpoint;
        return r;
}

int wal_newest(WalMedium *medium, uint64_t *ret) {
        Wal wal = { .medium = medium };
        uint64_t newest = 0, first = 0;
        bool found = false;
        int r = 0;

        for (uint64_t area = 0; r == 0 && area < WAL_SIZE; area += WAL_AREA) {
                r = read_first(&wal, area, &first);
                if (r == 0) {
                        newest = MAX(newest, first);
                        found = true;
                }
                r = r == -ENOENT ? 0 : r;
        }
        buffer_done(&wal.frame);
        if (r < 0 || !found)
                return r < 0 ? r : -ENOENT;
        *ret = newest;
        return 0;
}

/* Whether a whole frame of this checkpoint begins somewhere in a piece of the log. 1, 0, negative
 * errno. */
static int look_in_piece(Wal *wal, uint64_t at, const uint8_t *piece, size_t size) {
        WalFrame frame;

        for (size_t i = 0; i < size; i += WAL_SECTOR) {
                int r;

                if (memcmp(piece + i, magic, sizeof(magic)) != 0)
                        continue;
                r = read_frame(wal, at + i, &frame);
                if (r < 0 && r != -ENOENT)
                        return r;
                if (r == 0 && frame.checkpoint == wal->checkpoint)
                        return 1;
        }
        return 0;
}

/* Each frame was durable before the next was written: one that is whole behind one that is not
 * means that the latter was whole once. */
static int look_behind(Wal *wal, uint64_t at) {
        const WalMediumOps *ops = wal->medium->ops;
        uint64_t end = area_end(wal->checkpoint);
        uint8_t piece[PIECE_SIZE];
        size_t step = sizeof(piece);

        at += WAL_SECTOR;
        while (at < end) {
                size_t size = MIN(step, (size_t)(end - at));
                int r = ops->read(wal->medium, at, piece, size);

                if (r == -ENODATA && step > WAL_SECTOR) {
                        step = WAL_SECTOR; /* a file that is cut short: to its very end */
                        continue;
                }
                if (r == 0)
                        r = look_in_piece(wal, at, piece, size);
                if (r != 0)
                        return r == 1 ? -EUCLEAN : r == -ENODATA ? 0 : r;
                at += size;
        }
        return 0;
}

static int read_area(Wal *wal, uint64_t checkpoint, WalVisit visit, void *userdata) {
        WalFrame frame;
        int r;

        wal_restart(wal, checkpoint);
        while ((r = read_frame(wal, wal->end, &frame)) == 0 && frame.checkpoint == checkpoint) {
                r = visit(userdata, &frame);
                if (r != 0)
                        return r;
                wal->last = wal->end;
                wal->end += whole_sectors(WAL_HEADER + frame.records.size);
        }
        return r < 0 && r != -ENOENT ? r : look_behind(wal, wal->end);
}

/* Also where the first frame after the next checkpoint is damaged, others may stand behind it. */
int wal_read(Wal *wal, uint64_t checkpoint, WalVisit visit, void *userdata) {
        uint64_t end;
        int r = read_area(wal, checkpoint, visit, userdata);

        if (r != 0)
                return r;
        end = wal->end;
        r = read_area(wal, checkpoint + 1, visit, userdata);
        if (wal->end == area_begin(checkpoint + 1)) { /* none, so that they go on where they were */
                wal->checkpoint = checkpoint;
                wal->end = end;
        }
        return r;
}

int wal_confirm(Wal *wal) {
        const WalMediumOps *ops = wal->medium->ops;
        size_t size = wal->end - wal->last;
        int r;

        if (wal->end == area_begin(wal->checkpoint))
                return 0;
        buffer_reset(&wal->frame);
        if (!buffer_add(&wal->frame, size))
                return -ENOMEM;
        r = ops->read(wal->medium, wal->last, wal->frame.data, size);
        return r < 0 ? r : ops->write(wal->medium, wal->last, wal->frame.data, size);
}

static int pass_over(void *userdata _unused_, const WalFrame *frame _unused_) {
        return 0;
}

int wal_prove(WalMedium *medium) {
        Wal wal = { .medium = medium };
        uint64_t first = 0;
        int r = 0;

        for (uint64_t area = 0; r == 0 && area < WAL_SIZE; area += WAL_AREA) {
                r = read_first(&wal, area, &first);
                if (r == 0)
                        r = read_area(&wal, first, pass_over, NULL);
                r = r == -ENOENT ? 0 : r;
        }
        buffer_done(&wal.frame);
        return r;
}

/* ---- writing ---- */

void wal_restart(Wal *wal, uint64_t checkpoint) {
        wal->checkpoint = checkpoint;
        wal->end = area_begin(checkpoint);
}

void wal_begin_frame(Buffer *frame) {
        static const uint8_t head[WAL_HEADER];

        buffer_reset(frame);
        buffer_put(frame, head, sizeof(head));
}

void wal_add_record(Buffer *frame, Slice record) {
        buffer_put_slice(frame, record);
}

bool wal_has_room(const Wal *wal, const Buffer *frame) {
        return frame->size <= WAL_HEADER + WAL_RECORD_MAX &&
               whole_sectors(frame->size) <= area_end(wal->checkpoint) - wal->end;
}

static void fill_head(const Wal *wal, uint8_t *head, size_t size, uint32_t changes,
                      int64_t time_seen, uint64_t published) {
        memcpy(head, magic, sizeof(magic));
        store_be32(head + 8, (uint32_t)(size - WAL_HEADER));
        store_be32(head + 12, changes);
        store_be64(head + 16, wal->checkpoint);
        store_be64(head + 24, wal->end);
        store_be64(head + 32, (uint64_t)time_seen);
        store_be64(head + 40, published);
        store_be32(head + CRC_AT, crc32c(0, head + CRC_END, size - CRC_END));
}

/* Whole sectors of it, with its header. */
static int complete(const Wal *wal, Buffer *frame, uint32_t changes, int64_t time_seen,
                    uint64_t published) {
        static const uint8_t zeros[WAL_SECTOR];
        size_t size = frame->size;

        assert(frame->error == 0 && wal_has_room(wal, frame));
        buffer_put(frame, zeros, whole_sectors(size) - size);
        if (frame->error < 0)
                return frame->error;
        fill_head(wal, frame->data, size, changes, time_seen, published);
        return 0;
}

int wal_append(Wal *wal, Buffer *frame, uint32_t changes, int64_t time_seen, uint64_t published) {
        int r = complete(wal, frame, changes, time_seen, published);

        if (r == 0)
                r = wal->medium->ops->write(wal->medium, wal->end, frame->data, frame->size);
        if (r == 0)
                wal->end += frame->size;
        return r;
}

static int write_pending(void *userdata) {
        const Wal *wal = userdata;

        return wal->medium->ops->write(wal->medium, wal->end, wal->pending.data, wal->pending.size);
}

int wal_begin_append(Wal *wal, Buffer *frame, uint32_t changes, int64_t time_seen,
                     uint64_t published) {
        size_t size = frame->size;
        int r;

        if (!wal->worker)
                return -EOPNOTSUPP;
        r = complete(wal, frame, changes, time_seen, published);
        if (r == 0) {
                wal->pending = buffer_slice(frame);
                r = worker_begin(wal->worker, write_pending, wal);
        }
        if (r < 0) {
                frame->size = size;
                frame->error = 0;
        }
        return r;
}

int wal_end_append(Wal *wal, bool wait) {
        int r = worker_end(wal->worker, wait);

        if (r == 0)
                wal->end += wal->pending.size;
        return r;
}

int wal_fd(const Wal *wal) {
        return wal->worker ? worker_fd(wal->worker) : -1;
}

int wal_forget(Wal *wal) {
        static const uint8_t zeros[WAL_SECTOR];

        return wal->medium->ops->write(wal->medium, wal->end, zeros, sizeof(zeros));
}
