/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What the recorder writes down: entries one after the other, each write followed by its bytes.
 * Files and directories go by their inode numbers, names by the directory that they are in. First
 * comes all that is there when the first program begins, then CRASH_BEGIN. Tests append marks. */

#include <stdbool.h>
#include <stdint.h>

#define CRASH_NAME_SIZE 40

typedef enum CrashOp {
        CRASH_WRITE,
        CRASH_DSYNC,    /* the write before it waited until it was durable */
        CRASH_SYNC,     /* all before it in this file is durable, or the names in this directory */
        CRASH_TRUNCATE, /* to at */
        CRASH_ROOT,     /* the directory that all is in */
        CRASH_CREATE,   /* a new file with its name */
        CRASH_MKDIR,
        CRASH_LINK,
        CRASH_RENAME, /* from (from_directory, from) */
        CRASH_UNLINK,
        CRASH_BEGIN,
        CRASH_MARK, /* all that was done up to its number, at, has been acknowledged */
} CrashOp;

typedef struct CrashEntry {
        uint64_t op, file, directory, from_directory;
        char name[CRASH_NAME_SIZE], from[CRASH_NAME_SIZE];
        uint64_t at, size;
} CrashEntry;

/* Of the recorder, where it is preloaded. */
void crash_mark(uint64_t n) __attribute__((weak));
