/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What the recorder writes down: entries one after the other, each write followed by its bytes. */

#include <stdbool.h>
#include <stdint.h>

#define CRASH_NAME_SIZE 40

typedef enum CrashOp {
        CRASH_WRITE,
        CRASH_DSYNC, /* the write before it waited until it was durable */
        CRASH_SYNC, /* all before it in this file is durable; name "": the names in the directory */
        CRASH_TRUNCATE,
        CRASH_RENAME,
        CRASH_UNLINK,
        CRASH_MARK, /* so many changes have been acknowledged */
} CrashOp;

typedef struct CrashEntry {
        uint32_t op;
        char name[CRASH_NAME_SIZE], other[CRASH_NAME_SIZE];
        uint64_t at, size;
} CrashEntry;

/* Of the recorder, where it is preloaded. */
void crash_mark(uint64_t n) __attribute__((weak));
