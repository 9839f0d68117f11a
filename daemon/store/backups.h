/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* A directory of backups: the name of each says when it was made, only so many are kept. Files with
 * other names are nobody's business here. */

#include <stddef.h>
#include <stdint.h>

#define BACKUP_NAME_SIZE 32 /* "backup-20261126T183000Z.mdb" */
#define BACKUPS_MAX      1000

typedef struct Backup {
        char name[BACKUP_NAME_SIZE];
        int64_t time; /* when it was begun, microseconds UTC */
        uint64_t bytes;
} Backup;

/* The newest first, at most BACKUPS_MAX; none when there is no such directory. 0 or negative errno;
 * the list is the caller's. */
int backups_list(const char *directory, Backup **ret, size_t *ret_n);
/* A path in the directory that is free, named by the time; waits a second for it if need be. The
 * directory is made if it is missing. 0 or negative errno. */
int backups_new_path(const char *directory, char *ret, size_t size);
/* Removes all but the newest of the others, so that `keep` are left with that of this path, and
 * what backups that were cut short have left. 0 or negative errno. */
int backups_prune(const char *directory, const char *path, size_t keep);
