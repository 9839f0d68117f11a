/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Rows of a file, whatever its form: CSV (RFC 4180, the first row has the names) or JSON lines (an
 * object a line). A reader turns bytes into rows of named texts and knows where in the file each
 * stands. Nothing is said here of what the names mean. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/refusal.h"

#define ROW_CELLS_MAX 256
#define ROW_BYTES_MAX                                                                              \
        (64 * 1024) /* of a row; a longer one is most likely a quote that is missing */
#define ROW_TEXT_SIZE 300

typedef enum RowFormat { ROW_CSV = 1, ROW_JSON, _ROW_FORMAT_MAX } RowFormat;
extern const char *const row_format_names[_ROW_FORMAT_MAX];

typedef enum RowEncoding { ROW_UTF8 = 1, ROW_GB18030, _ROW_ENCODING_MAX } RowEncoding;
extern const char *const row_encoding_names[_ROW_ENCODING_MAX];

typedef struct RowCell {
        const char *name;
        const char *text; /* NULL: not given */
        unsigned column;  /* from 1 */
} RowCell;

typedef struct Row {
        uint64_t line; /* physical, from 1: where it begins */
        size_t n;
        RowCell cells[ROW_CELLS_MAX];
        Slice raw; /* of CSV and JSON alike: the row as it came, in UTF-8, without its end */
} Row;

/* Why a row, or all that follows, cannot be read. */
typedef struct RowFault {
        uint64_t line;
        unsigned column; /* 0: the whole row */
        bool fatal;      /* nothing behind it can be read either */
        char text[ROW_TEXT_SIZE];
} RowFault;

/* Gives up to size bytes: their number, 0 at the end, negative errno. */
typedef int64_t (*ReadBytes)(void *userdata, void *buffer, size_t size);

typedef struct RowReader RowReader;

int row_reader_new(RowFormat format, RowEncoding encoding, ReadBytes read, void *userdata,
                   RowReader **ret);
RowReader *row_reader_free(RowReader *reader);

typedef enum RowResult {
        ROW_END,
        ROW_READ,
        ROW_FAULT, /* see *fault; unless it is fatal, the next row can be read */
        ROW_NONE,  /* a blank line; there may be billions of them */
} RowResult;

/* The next row; it holds until the following call. RowResult or negative errno. */
int row_reader_next(RowReader *reader, const Row **ret, RowFault *fault);
/* Bytes of the file that have been read, for a progress bar. */
uint64_t row_reader_bytes(const RowReader *reader);
