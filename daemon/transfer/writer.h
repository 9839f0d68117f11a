/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Rows going out, in the forms in which they can come in again. */

#include "transfer/row.h"

typedef struct OutCell {
        const char *name;
        const char *text; /* NULL: not given: an empty cell, no member */
        bool bare;        /* a number or flag: without quotation marks in JSON */
} OutCell;

/* CSV: the row of names; JSON lines: nothing. */
void out_append_names(Buffer *buffer, RowFormat format, const OutCell *cells, size_t n);
void out_append(Buffer *buffer, RowFormat format, const OutCell *cells, size_t n);
/* Appends UTF-8 as a text of JSON, with its quotation marks. */
void json_append_text(Buffer *buffer, const char *text);

/* What was refused, with a last cell `error` that says why; first: the row of names before it. A
 * row that could not be taken apart is repeated as it came. */
void reject_append(Buffer *buffer, RowFormat format, const Row *row, bool parsed, bool first,
                   const char *error);
