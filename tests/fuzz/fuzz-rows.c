/* SPDX-License-Identifier: Apache-2.0 */

/* Any bytes as a file to import: the first chooses form and encoding. What is read must be text
 * that is written and read again as it is. */

#include <string.h>

#include "fuzz.h"
#include "transfer/row.h"

typedef struct Input {
        const uint8_t *data;
        size_t size, at;
} Input;

static int64_t read_input(void *userdata, void *buffer, size_t size) {
        Input *input = userdata;
        size_t n = MIN(size, input->size - input->at);

        memcpy(buffer, input->data + input->at, n);
        input->at += n;
        return (int64_t)n;
}

/* Whether it is UTF-8 is for the fields to say: then with the column. */
static void check_cell(const RowCell *cell) {
        assert(cell->name && cell->column > 0);
        assert(strlen(cell->name) <= ROW_BYTES_MAX);
        assert(!cell->text || strlen(cell->text) <= ROW_BYTES_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        Input input = { .data = data + 1, .size = size > 0 ? size - 1 : 0 };
        RowReader *reader;
        const Row *row;
        RowFault fault = {};
        int r;

        if (size == 0 ||
            row_reader_new(data[0] & 1 ? ROW_CSV : ROW_JSON, data[0] & 2 ? ROW_GB18030 : ROW_UTF8,
                           read_input, &input, &reader) < 0)
                return 0;
        while ((r = row_reader_next(reader, &row, &fault)) > 0 &&
               !(r == ROW_FAULT && fault.fatal)) {
                if (r == ROW_READ)
                        for (size_t i = 0; i < row->n; i++)
                                check_cell(&row->cells[i]);
                else if (r == ROW_FAULT)
                        assert(*fault.text);
                fault = (RowFault){};
        }
        row_reader_free(reader);
        return 0;
}
