/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* An ordered key-value store with transactions: all that the rest of store/ needs of LMDB, and a
 * seam: tests run the same store over memory with failing commits. One transaction at a time.
 *
 * Slices that come out point into the store: they hold until the next write or the end of the
 * transaction and are decoded at once, never kept. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/refusal.h"

typedef struct Kv Kv;

typedef enum KvSeek {
        KV_FROM,   /* the first entry with a key >= the given one */
        KV_AFTER,  /* the first with a key > */
        KV_BEFORE, /* the last with a key < */
} KvSeek;

typedef struct KvStats {
        uint64_t bytes_used; /* of the map: pages in use */
        uint64_t bytes_max;  /* the map's size */
        uint64_t bytes_file; /* on disk */
} KvStats;

/* Whether there is room, in the map and on the disk. */
typedef enum KvRoom {
        KV_ROOM_ENOUGH,
        KV_ROOM_SCARCE,  /* somebody should see to it */
        KV_ROOM_RESERVE, /* what is left is for what must go on: nothing new should be taken in */
} KvRoom;

/* Databases are numbered 0 .. n-1 as they were named when the store was opened. All functions give
 * 0 or a negative errno: -ENOENT no such key or no further one, -ENOSPC no room (disk or map), -EIO
 * the store is damaged or its medium failed and nothing more may be done with it. */
typedef struct KvOps {
        int (*begin)(Kv *kv, bool write);
        int (*commit)(Kv *kv);
        void (*end)(Kv *kv); /* ends a read, aborts a write */
        int (*get)(Kv *kv, unsigned db, Slice key, Slice *ret);
        int (*put)(Kv *kv, unsigned db, Slice key, Slice value);
        int (*remove)(Kv *kv, unsigned db, Slice key);
        int (*seek)(Kv *kv, unsigned db, KvSeek how, Slice key, Slice *ret_key, Slice *ret_value);
        int (*count)(Kv *kv, unsigned db, uint64_t *ret);
        int (*stats)(Kv *kv, KvStats *ret);
        /* Writes all of it, as of its newest commit, into an empty file, as small as it can be;
         * beside whoever else writes the store. NULL: cannot. */
        int (*copy)(Kv *kv, int fd);
        /* Another one on the same database, to be written by a thread while this one is read; freed
         * before this one. NULL: cannot. */
        int (*writer)(Kv *kv, Kv **ret);
        KvRoom (*room)(
                Kv *kv); /* as it was some commits ago at most; NULL: there is always enough */
        Kv *(*free)(Kv *kv);
} KvOps;

struct Kv {
        const KvOps *ops;
};

typedef struct KvLmdbOptions {
        const char *directory;
        const char *const *databases;
        unsigned n_databases;
        uint64_t map_size;
        /* Another process' look at a live store: at one state of it, that in which it is first
         * read. It must exist. */
        bool read_only;
        /* Path of one that nobody else has open, such as a backup, instead of the one in the
         * directory; it must exist. */
        const char *file;
        bool scratch; /* a new one that nobody else sees and that is gone with the process */
        /* Fills a store that is created, in its first transaction. */
        int (*create)(Kv *kv, void *userdata);
        /* Whether a store that is there is one of ours, before anything is written to it; NULL: any
         * is. */
        int (*accept)(Kv *kv, void *userdata, Refusal *why);
        void *userdata;
} KvLmdbOptions;

/* Opens the environment state.mdb in a directory, creating it crash-safely where there is none. On
 * failure the text says what is wrong and what to do. */
int kv_lmdb_open(const KvLmdbOptions *options, Kv **ret, Refusal *why);

/* ---- replacing a store that nobody has open ---- */

/* Keeps every daemon from the store of a directory for as long as the descriptor is open. -EBUSY
 * (which the text tells) when one has it. */
int kv_lmdb_lock(const char *directory, int *ret, Refusal *why);
/* Path of the store in a directory, and of the file that is to replace it. */
int kv_lmdb_paths(const char *directory, char *ret, char *ret_new, size_t size);
/* Puts the new file in place of the store, which is kept under another name unless that is NULL.
 * Whenever it is cut short there is the old one or the new one. The directory must be locked. 0 or
 * negative errno. */
int kv_lmdb_replace(const char *directory, const char *keep);
