/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What the readers of both forms share: text in UTF-8, line by line. */

#include "transfer/row.h"

/* Lines of a file, converted to UTF-8, without a byte order mark, their ends kept. */
typedef struct LineSource LineSource;

int line_source_new(RowEncoding encoding, ReadBytes read, void *userdata, LineSource **ret);
LineSource *line_source_free(LineSource *source);

/* The next line with its end (LF, CRLF or CR; the last one may have none); it holds until the next
 * call. 1, 0 at the end, -EBADMSG (see *fault), other negative errno. */
int line_source_next(LineSource *source, Slice *ret, RowFault *fault);
uint64_t line_source_number(const LineSource *source); /* of the line last given, from 1 */
uint64_t line_source_bytes(const LineSource *source);

_printf_(3, 4) void row_fault(RowFault *fault, uint64_t line, const char *format, ...);

typedef struct RowReaderOps {
        int (*next)(RowReader *reader, const Row **ret, RowFault *fault);
        void (*free)(RowReader *reader);
} RowReaderOps;

struct RowReader {
        const RowReaderOps *ops;
        LineSource *lines;
        Row row;
};

int csv_reader_new(RowReader **ret);
int json_reader_new(RowReader **ret);
