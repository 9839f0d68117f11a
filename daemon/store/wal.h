/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The write-ahead log: what was committed since the last checkpoint, the point up to which the
 * database itself is durable. A commit appends its journal records as one frame and waits for the
 * disk once, for a short sequential write instead of many scattered pages; a checkpoint makes the
 * database durable, and the log begins anew. After a crash the frames are replayed.
 *
 * The file state.wal has WAL_SIZE bytes, all of them written when it is made, so that no commit
 * changes more than its contents. They are two areas: frames that come after a checkpoint with an
 * even number stand in the first, those after an odd one in the second. So a checkpoint can be
 * written beside the work: what comes after it is logged already, and what it takes in is not
 * written over before it is durable. Frames stand one after the other from the beginning of their
 * area, each at a multiple of WAL_SECTOR, so that none is written over a sector of another; zeros
 * fill the last:
 *
 *      byte  0         4          8        12        16           24       32          40
 *          +---------+----------+--------+---------+------------+--------+-----------+-----------+
 *          | "AfWL"  |  CRC-32C | length | changes | checkpoint | offset | time seen | published |
 *          +---------+----------+--------+---------+------------+--------+-----------+-----------+
 *          | length bytes: the journal records of the commit, as slices (varint length, bytes)   |
 *          +-------------------------------------------------------------------------------------+
 *
 * Numbers are big-endian. The CRC covers everything behind it. checkpoint is the number of the one
 * that the frame comes after: the database knows it too (below "checkpoint" in meta), so that the
 * frames of an earlier one, or of another database, are never replayed. Like sequence numbers it
 * has the epoch above and a count below. offset is where the frame stands; time seen and published
 * are those of the StoreHead. */

#include "base/buffer.h"
#include "base/worker.h"

#define WAL_NAME       "state.wal"
#define WAL_AREA       (4 * 1024 * 1024)
#define WAL_SIZE       (2 * WAL_AREA)
#define WAL_SECTOR     512
#define WAL_HEADER     48
#define WAL_RECORD_MAX (WAL_AREA / 4) /* bytes of records in a frame */

/* What the log is written on: bytes that have a place. A seam: tests run it over memory that fails
 * and forgets. */
typedef struct WalMedium WalMedium;
typedef struct WalMediumOps {
        /* 0; -ENODATA: there are not so many bytes; other negative errno. */
        int (*read)(WalMedium *medium, uint64_t at, void *buffer, size_t size);
        /* Writes and waits until it is durable. On failure any part of it may be there; -ENOSPC: no
         * room; others: the medium failed. */
        int (*write)(WalMedium *medium, uint64_t at, const void *data, size_t size);
        WalMedium *(*free)(WalMedium *medium);
} WalMediumOps;
struct WalMedium {
        const WalMediumOps *ops;
};

/* The file in a directory, made when it is missing or too short: -ENOSPC without room for it. */
int wal_file_open(const char *directory, WalMedium **ret);
/* What it has at this moment, while somebody else may be writing it: in order, unless it is in
 * disorder for good. -ENOENT: there is none. */
int wal_file_freeze(const char *directory, WalMedium **ret);

typedef struct WalFrame {
        uint32_t changes;
        uint64_t checkpoint;
        int64_t time_seen;
        uint64_t published;
        Slice records;
} WalFrame;

typedef struct Wal {
        WalMedium *medium;
        uint64_t checkpoint; /* that the next frame comes after */
        uint64_t end;        /* where it goes */
        uint64_t last;       /* where the last one that was read stands, if end is behind it */
        Buffer frame;        /* the one that is being read */
        Worker *worker;      /* NULL: nothing is written beside */
        Slice pending;       /* what it writes */
} Wal;

/* Owns the medium from now on. Beside: it can be appended to by a thread. */
int wal_new(WalMedium *medium, bool beside, Wal **ret);
Wal *wal_free(Wal *wal);

/* The newest checkpoint that there are frames after. -ENOENT: there are none; other negative errno.
 */
int wal_newest(WalMedium *medium, uint64_t *ret);
/* Whether all frames are whole: 0, -EUCLEAN as wal_read(), other negative errno. */
int wal_prove(WalMedium *medium);

/* Hands over, in their order, the frames that come after a checkpoint, and after the next one if
 * that was being written; afterwards another one goes behind them. Ends with what the function
 * gives if that is not 0. A frame that is not whole ends its area: it was never acknowledged. But
 * when a whole one stands behind it, acknowledged changes are damaged: -EUCLEAN. */
typedef int (*WalVisit)(void *userdata, const WalFrame *frame);
int wal_read(Wal *wal, uint64_t checkpoint, WalVisit visit, void *userdata);

/* After wal_read(): makes durable what was read. The medium may have failed at the last frame and
 * have it in a cache only, where a power cut would leave a hole in front of the next. 0 or negative
 * errno. */
int wal_confirm(Wal *wal);

/* The next frame comes after that checkpoint: it goes to the beginning of its area, where frames
 * have ceased to be. */
void wal_restart(Wal *wal, uint64_t checkpoint);

/* A frame is gathered in a buffer: begun, records added, appended. */
void wal_begin_frame(Buffer *frame);
void wal_add_record(Buffer *frame, Slice record);
bool wal_has_room(const Wal *wal, const Buffer *frame);
/* Once it gives 0 the frame is durable. Fills in the header. -ENOSPC, or the medium failed. */
int wal_append(Wal *wal, Buffer *frame, uint32_t changes, int64_t time_seen, uint64_t published);
/* The same beside the work; the frame must stay as it is until the end is told. 0 or negative
 * errno: then nothing has begun, and the frame is as it was. */
int wal_begin_append(Wal *wal, Buffer *frame, uint32_t changes, int64_t time_seen,
                     uint64_t published);
/* -EAGAIN: it is still being written, unless one waits; else as wal_append(). */
int wal_end_append(Wal *wal, bool wait);
/* Becomes readable when there is an end to be told; -1: nothing is written beside. */
int wal_fd(const Wal *wal);
/* After one that failed: nothing of it is there any more. 0 or negative errno. */
int wal_forget(Wal *wal);
