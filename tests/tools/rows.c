/* SPDX-License-Identifier: Apache-2.0 */

/* Reads a file of rows on standard input as an import would and writes what it found as JSON lines:
 * {"line":2,"row":{"name":"text",...}} or {"line":3,"column":0,"fault":"..."}. Cells that are not
 * given are left out. With a third argument the rows are written again in that form instead: their
 * way out.
 *
 *      rows csv|json utf-8|gb18030 [csv|json] */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "transfer/row.h"
#include "transfer/writer.h"

static int64_t read_stdin(void *userdata _unused_, void *buffer, size_t size) {
        ssize_t n = read(STDIN_FILENO, buffer, size);

        return n < 0 ? -errno : n;
}

static int choice(const char *name, const char *const *names, int n) {
        for (int i = 1; i < n; i++)
                if (STREQ(names[i], name))
                        return i;
        return 0;
}

static size_t cells_of(const Row *row, OutCell *cells) {
        for (size_t i = 0; i < row->n; i++)
                cells[i] = (OutCell){ row->cells[i].name, row->cells[i].text, false };
        return row->n;
}

static void show(Buffer *out, const Row *row) {
        OutCell cells[ROW_CELLS_MAX];
        size_t n = cells_of(row, cells);

        printf("{\"line\":%" PRIu64 ",\"row\":", row->line);
        out_append(out, ROW_JSON, cells, n);
        out->size--; /* the end of the line */
}

static void write_again(Buffer *out, const Row *row, RowFormat format, bool first) {
        OutCell cells[ROW_CELLS_MAX];
        size_t n = cells_of(row, cells);

        if (first)
                out_append_names(out, format, cells, n);
        out_append(out, format, cells, n);
}

static void show_fault(Buffer *out, const RowFault *fault) {
        printf("{\"line\":%" PRIu64 ",\"column\":%u,\"fault\":", fault->line, fault->column);
        json_append_text(out, fault->text);
}

int main(int argc, char *argv[]) {
        _cleanup_(buffer_done) Buffer out = {};
        int format = argc > 2 ? choice(argv[1], row_format_names, _ROW_FORMAT_MAX) : 0;
        int encoding = argc > 2 ? choice(argv[2], row_encoding_names, _ROW_ENCODING_MAX) : 0;
        int again = argc > 3 ? choice(argv[3], row_format_names, _ROW_FORMAT_MAX) : 0;
        bool first = true;
        RowReader *reader;
        const Row *row;
        RowFault fault = {};
        int r;

        if (!format || !encoding || (argc > 3 && !again)) {
                fputs("usage: rows csv|json utf-8|gb18030 [csv|json]\n", stderr);
                return 2;
        }
        if (row_reader_new((RowFormat)format, (RowEncoding)encoding, read_stdin, NULL, &reader) < 0)
                return 1;
        while ((r = row_reader_next(reader, &row, &fault)) > 0) {
                if (r == ROW_NONE)
                        continue;
                buffer_reset(&out);
                if (r == ROW_FAULT)
                        show_fault(&out, &fault);
                else if (again)
                        write_again(&out, row, (RowFormat)again, first);
                else
                        show(&out, row);
                first = false;
                fwrite(out.data, 1, out.size, stdout);
                if (!again || r == ROW_FAULT)
                        puts("}");
        }
        row_reader_free(reader);
        return r < 0;
}
