/* SPDX-License-Identifier: Apache-2.0 */

#include "transfer/writer.h"

#include <stdio.h>
#include <string.h>

#include "transfer/value.h"

#define ERROR_COLUMN "error"

static void put_text(Buffer *buffer, const char *text) {
        buffer_put(buffer, text, strlen(text));
}

void json_append_text(Buffer *buffer, const char *text) {
        buffer_put_u8(buffer, '"');
        for (; *text; text++) {
                unsigned char c = (unsigned char)*text;
                char escaped[8];

                if (c == '"' || c == '\\') {
                        buffer_put_u8(buffer, '\\');
                        buffer_put_u8(buffer, c);
                } else if (c == '\n')
                        put_text(buffer, "\\n");
                else if (c < 0x20) {
                        snprintf(escaped, sizeof(escaped), "\\u%04x", c);
                        put_text(buffer, escaped);
                } else
                        buffer_put_u8(buffer, c);
        }
        buffer_put_u8(buffer, '"');
}

void out_append_names(Buffer *buffer, RowFormat format, const OutCell *cells, size_t n) {
        if (format != ROW_CSV)
                return;
        for (size_t i = 0; i < n; i++) {
                if (i > 0)
                        buffer_put_u8(buffer, ',');
                cell_append(buffer, cells[i].name);
        }
        put_text(buffer, "\r\n");
}

static void append_csv(Buffer *buffer, const OutCell *cells, size_t n) {
        for (size_t i = 0; i < n; i++) {
                if (i > 0)
                        buffer_put_u8(buffer, ',');
                if (cells[i].text)
                        cell_append(buffer, cells[i].text);
                else if (n == 1)
                        put_text(buffer, "\"\""); /* else the row would be a blank line */
        }
        put_text(buffer, "\r\n");
}

static void append_json(Buffer *buffer, const OutCell *cells, size_t n) {
        bool first = true;

        buffer_put_u8(buffer, '{');
        for (size_t i = 0; i < n; i++) {
                if (!cells[i].text)
                        continue;
                if (!first)
                        buffer_put_u8(buffer, ',');
                first = false;
                json_append_text(buffer, cells[i].name);
                buffer_put_u8(buffer, ':');
                if (cells[i].bare)
                        put_text(buffer, cells[i].text);
                else
                        json_append_text(buffer, cells[i].text);
        }
        put_text(buffer, "}\n");
}

void out_append(Buffer *buffer, RowFormat format, const OutCell *cells, size_t n) {
        if (format == ROW_CSV)
                append_csv(buffer, cells, n);
        else
                append_json(buffer, cells, n);
}

static void append_raw(Buffer *buffer, Slice raw) {
        const char *p = raw.data;

        while (raw.size > 0 && (p[raw.size - 1] == '\n' || p[raw.size - 1] == '\r'))
                raw.size--;
        buffer_put(buffer, raw.data, raw.size);
        put_text(buffer, "\r\n");
}

void reject_append(Buffer *buffer, RowFormat format, const Row *row, bool parsed, bool first,
                   const char *error) {
        OutCell cells[ROW_CELLS_MAX + 1];
        size_t n = 0;

        for (size_t i = 0; i < row->n; i++)
                if (!STREQ(row->cells[i].name, ERROR_COLUMN))
                        cells[n++] = (OutCell){ row->cells[i].name, row->cells[i].text, false };
        cells[n++] = (OutCell){ ERROR_COLUMN, error, false };
        if (first && row->n > 0)
                out_append_names(buffer, format, cells, n);
        if (parsed)
                out_append(buffer, format, cells, n);
        else
                append_raw(buffer, row->raw);
}
