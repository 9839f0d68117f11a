/* SPDX-License-Identifier: Apache-2.0 */

/* RFC 4180 by libcsv. It is fed line by line, so that every row is known by the line in which it
 * begins, whatever line breaks its cells have. */

#include <csv.h>
#include <errno.h>
#include <string.h>

#include "transfer/reader.h"
#include "transfer/value.h"

typedef struct CsvReader {
        RowReader reader;
        struct csv_parser parser;
        Buffer cells;                 /* of the row that is being read, each ended by a zero byte */
        size_t starts[ROW_CELLS_MAX]; /* of each in there */
        size_t n;                     /* cells of that row, also those that have no place */
        bool zero;                    /* one has a zero byte */
        bool whole;                   /* the row has ended */
        uint64_t line;                /* where it began */
        Buffer raw;
        Buffer names; /* of the columns, likewise */
        size_t name_starts[ROW_CELLS_MAX];
        size_t n_names;
        bool ended;
} CsvReader;

static void on_cell(void *data, size_t size, void *userdata) {
        CsvReader *csv = userdata;

        if (csv->n < ROW_CELLS_MAX) {
                csv->starts[csv->n] = csv->cells.size;
                csv->zero = csv->zero || (size > 0 && memchr(data, 0, size));
                buffer_put(&csv->cells, data, size);
                buffer_put_u8(&csv->cells, 0);
        }
        csv->n++;
}

static void on_row(int end _unused_, void *userdata) {
        ((CsvReader *)userdata)->whole = true;
}

static void begin_row(CsvReader *csv) {
        buffer_reset(&csv->cells);
        buffer_reset(&csv->raw);
        csv->n = 0;
        csv->zero = csv->whole = false;
        csv->line = 0;
}

static int give_up(CsvReader *csv, RowFault *fault) {
        csv->ended = fault->fatal = true;
        return ROW_FAULT;
}

/* The line has no cell at all. */
static bool is_blank(Slice line) {
        const char *p = line.data;

        return line.size == 0 || *p == '\n' || *p == '\r';
}

static int feed(CsvReader *csv, Slice line, RowFault *fault) {
        buffer_put(&csv->raw, line.data, line.size);
        if (csv_parse(&csv->parser, line.data, line.size, on_cell, on_row, csv) != line.size) {
                if (csv_error(&csv->parser) == CSV_ENOMEM)
                        return -ENOMEM;
                row_fault(fault, line_source_number(csv->reader.lines),
                          "a quotation mark stands where none may: a cell with one is put in "
                          "quotation marks and its own are doubled");
                return give_up(csv, fault);
        }
        if (csv->raw.size <= ROW_BYTES_MAX)
                return csv->raw.error < 0 ? csv->raw.error : csv->cells.error;
        row_fault(fault, csv->line, "the row is longer than %d KiB: is a quotation mark missing?",
                  ROW_BYTES_MAX / 1024);
        return give_up(csv, fault);
}

static int finish_file(CsvReader *csv, RowFault *fault) {
        csv->ended = true;
        if (csv_fini(&csv->parser, on_cell, on_row, csv) == 0)
                return csv->whole ? ROW_READ : ROW_END;
        row_fault(fault, csv->line,
                  "the file ends within a cell that began in this row: is a "
                  "quotation mark missing?");
        return give_up(csv, fault);
}

/* Reads cells up to the end of a row, or passes over a line without any. RowResult or negative
 * errno. */
static int read_row(CsvReader *csv, RowFault *fault) {
        begin_row(csv);
        while (!csv->ended && !csv->whole) {
                Slice line;
                int r = line_source_next(csv->reader.lines, &line, fault);

                if (r == -EBADMSG)
                        return give_up(csv, fault);
                if (r < 0)
                        return r;
                if (r == 0)
                        return finish_file(csv, fault);
                if (csv->line == 0 && is_blank(line))
                        return ROW_NONE;
                if (csv->line == 0)
                        csv->line = line_source_number(csv->reader.lines);
                r = feed(csv, line, fault);
                if (r != 0)
                        return r;
        }
        return csv->whole ? ROW_READ : ROW_END;
}

static bool is_repeated(const CsvReader *csv, size_t i) {
        const char *names = (const char *)csv->names.data;

        for (size_t k = 0; k < i; k++)
                if (STREQ(names + csv->name_starts[k], names + csv->name_starts[i]))
                        return true;
        return false;
}

/* The first row names the columns. 0, ROW_FAULT, ROW_NONE, negative errno. */
static int read_names(CsvReader *csv, RowFault *fault) {
        int r = read_row(csv, fault);

        if (r == ROW_END) {
                row_fault(fault, 1, "the file is empty: the first row must name the columns");
                return give_up(csv, fault);
        }
        if (r != ROW_READ)
                return r;
        if (csv->n > ROW_CELLS_MAX || csv->zero) {
                row_fault(fault, csv->line, "the row of names has %s",
                          csv->zero ? "a zero byte" : "too many columns");
                return give_up(csv, fault);
        }
        buffer_put(&csv->names, csv->cells.data, csv->cells.size);
        if (csv->names.error < 0)
                return -ENOMEM;
        memcpy(csv->name_starts, csv->starts, csv->n * sizeof(csv->starts[0]));
        csv->n_names = csv->n;
        for (size_t i = 0; i < csv->n_names; i++)
                if (is_repeated(csv, i)) {
                        row_fault(fault, csv->line, "the column '%.100s' stands there twice",
                                  (const char *)csv->names.data + csv->name_starts[i]);
                        fault->column = (unsigned)i + 1;
                        return give_up(csv, fault);
                }
        return 0;
}

/* Without `cells` only the names are known. */
static void fill_row(CsvReader *csv, bool cells) {
        Row *row = &csv->reader.row;

        row->line = csv->line;
        row->n = csv->n_names;
        row->raw = buffer_slice(&csv->raw);
        for (size_t i = 0; i < row->n; i++) {
                const char *text = cells ? (const char *)csv->cells.data + csv->starts[i] : "";

                row->cells[i] = (RowCell){
                        .name = (const char *)csv->names.data + csv->name_starts[i],
                        .text = *text ? cell_unguard(text) : NULL,
                        .column = (unsigned)i + 1,
                };
        }
}

static int csv_next(RowReader *reader, const Row **ret, RowFault *fault) {
        CsvReader *csv = (CsvReader *)reader;
        int r;

        if (csv->n_names == 0 && !csv->ended) {
                r = read_names(csv, fault);
                if (r != 0)
                        return r;
        }
        r = read_row(csv, fault);
        if (r != ROW_READ)
                return r;
        *ret = &reader->row;
        fill_row(csv, csv->n == csv->n_names && !csv->zero);
        if (csv->n == csv->n_names && !csv->zero)
                return ROW_READ;
        if (csv->zero)
                row_fault(fault, csv->line, "a cell has a zero byte");
        else
                row_fault(fault, csv->line, "the row has %zu cells, there are %zu columns", csv->n,
                          csv->n_names);
        return ROW_FAULT;
}

static void csv_reader_free(RowReader *reader) {
        CsvReader *csv = (CsvReader *)reader;

        csv_free(&csv->parser);
        buffer_done(&csv->cells);
        buffer_done(&csv->raw);
        buffer_done(&csv->names);
        free(csv);
}

/* Blanks around a cell belong to it. */
static int is_space(unsigned char c _unused_) {
        return 0;
}

int csv_reader_new(RowReader **ret) {
        static const RowReaderOps ops = { csv_next, csv_reader_free };
        CsvReader *csv = calloc(1, sizeof(*csv));

        if (!csv)
                return -ENOMEM;
        csv->reader.ops = &ops;
        if (csv_init(&csv->parser, CSV_STRICT | CSV_STRICT_FINI) != 0) {
                free(csv);
                return -ENOMEM;
        }
        csv_set_space_func(&csv->parser, is_space);
        *ret = &csv->reader;
        return 0;
}
