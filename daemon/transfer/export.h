/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* An export: the records of a table, in the order of their keys, as rows of a file, as of one
 * snapshot. */

#include "loop/actor.h"
#include "loop/kind.h"
#include "loop/register.h"
#include "transfer/row.h"

#define EXPORT_COLUMNS_MAX RECORD_FIELDS_MAX

typedef struct ExportOptions {
        Store *store;
        const Kind *kind;    /* what is exported: */
        const Register *reg; /* one of the two */
        RowFormat format;
        RowEncoding encoding;
        bool mark; /* a byte order mark, for programs that want one before UTF-8 */
        const Actor
                *actor; /* whose scope bounds it; without personal.read personal data is masked */
        const void *filter; /* a record with the values that must be equal */
        FieldMask given;
        const char *columns; /* names separated by commas; NULL: all */
        /* Takes bytes of the file, all or none: 0 or negative errno, which ends it. */
        int (*write)(void *userdata, const void *data, size_t size);
        void (*progress)(void *userdata, uint64_t done, uint64_t total); /* in records */
        void *userdata;
} ExportOptions;

/* 0 and the number of rows, > 0 refused, negative errno; -EILSEQ: a text that the encoding cannot
 * express. */
int export_run(const ExportOptions *options, uint64_t *ret_rows, Refusal *refusal);
