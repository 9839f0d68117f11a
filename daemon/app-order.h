/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The order that a helper for files finds on standard input: a key and its value in each line. */

#include "app-internal.h"
#include "transfer/row.h"

#define ORDER_FILE_FD 3 /* the file */

/* What every such order says. */
typedef struct FileOrder {
        const Kind *kind;    /* what it is about: */
        const Register *reg; /* one of the two */
        RowFormat format;
        RowEncoding encoding;
        Actor actor; /* who has given it */
        char name[2 * NAME_MAX_BYTES], role[NAME_MAX_BYTES + 1], unit[CODE_MAX_BYTES + 1];
} FileOrder;

/* Takes what is common; hands the other lines to the callback. 0, what the callback gave, or
 * -EINVAL: it is not said what it is about. */
int file_order_read(FileOrder *order, int (*other)(void *userdata, const char *key, char *value),
                    void *userdata);
