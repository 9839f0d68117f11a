/* SPDX-License-Identifier: Apache-2.0 */

#include "transfer/row.h"

#include <errno.h>

#include "transfer/reader.h"

const char *const row_format_names[_ROW_FORMAT_MAX] = { [ROW_CSV] = "csv", [ROW_JSON] = "json" };
const char *const row_encoding_names[_ROW_ENCODING_MAX] = {
        [ROW_UTF8] = "utf-8", [ROW_GB18030] = "gb18030"
};

int row_reader_new(RowFormat format, RowEncoding encoding, ReadBytes read, void *userdata,
                   RowReader **ret) {
        RowReader *reader;
        int r = format == ROW_CSV ? csv_reader_new(&reader) : json_reader_new(&reader);

        if (r < 0)
                return r;
        r = line_source_new(encoding, read, userdata, &reader->lines);
        if (r < 0) {
                row_reader_free(reader);
                return r;
        }
        *ret = reader;
        return 0;
}

RowReader *row_reader_free(RowReader *reader) {
        if (!reader)
                return NULL;
        line_source_free(reader->lines);
        reader->ops->free(reader);
        return NULL;
}

int row_reader_next(RowReader *reader, const Row **ret, RowFault *fault) {
        return reader->ops->next(reader, ret, fault);
}

uint64_t row_reader_bytes(const RowReader *reader) {
        return line_source_bytes(reader->lines);
}
