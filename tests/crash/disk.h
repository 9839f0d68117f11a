/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What a power cut can leave on the disk, of a log of the recorder: for each moment at which
 * something is waited for or acknowledged, the states that the files and their names may have.
 *
 * The model is weaker than ext4, xfs and btrfs are, so that what holds in it holds on them:
 *   - Of what was written to a file and not made durable (fsync, fdatasync, O_DSYNC), any of the
 *     sectors has got there, in any order. A file reaches as far as what has; between, it is zeros.
 *   - Of what was done to names (create, mkdir, link, rename, unlink) and not made durable by an
 *     fsync of the directory, any has got there, in any order, each whole: a rename never leaves
 *     both names or none. Names and contents know nothing of each other: neither does an fsync of
 *     a file make its name durable, nor the other way round.
 * Not modelled: the journal of the file system itself, and lock files, which are empty or new after
 * a cut. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "store/wal.h"

#define DISK_HALF      WAL_AREA
#define DISK_FILE_MAX  (2 * DISK_HALF)
#define DISK_FILES_MAX 64
#define DISK_PATH_MAX  160
#define DISK_CUTS_MAX  100000

typedef struct DiskFile {
        char path[DISK_PATH_MAX]; /* from the directory that all is in */
        bool is_directory;
        const uint8_t *bytes;
        uint64_t size;
        uint64_t used[2]; /* of each half; behind it are zeros only */
} DiskFile;

typedef struct DiskState {
        const DiskFile *files; /* directories before what is in them */
        unsigned n_files;
        uint64_t acknowledged; /* the last mark */
        uint64_t under_way;    /* the next one */
        uint64_t number;       /* of the state, from 0 on */
        size_t moment;         /* of the cut, likewise */
} DiskState;

typedef struct DiskOptions {
        const char *log;
        uint64_t seed; /* of the states that are chosen where there are too many */
        /* As if there were no waiting: "sync" for any file, "sync:NAME" for those whose name ends
         * so, "dsync" for single writes, "directory" for names. NULL: as it was. */
        const char *mutant;
        /* Of each different state; false: that is enough. */
        bool (*judge)(void *userdata, const DiskState *state);
        void *userdata;
} DiskOptions;

typedef struct DiskCounts {
        uint64_t states, different;
} DiskCounts;

void disk_replay(const DiskOptions *options, DiskCounts *ret);

/* Puts a state into a directory that is empty. Not the lock files, nor `without` (a path, or NULL).
 */
void disk_put(const DiskState *state, const char *directory, const char *without);
