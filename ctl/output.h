/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Records as tables, as lists of their fields, or as JSON. In JSON a value is what it is on the bus
 * (numbers are numbers, times microseconds since 1970 UTC, money hundredths), and every answer has
 * the form {"version":1,"rows":[...]}. */

#include "fields.h"

typedef enum OutputFormat { OUTPUT_PEOPLE, OUTPUT_JSON, OUTPUT_JSON_PRETTY } OutputFormat;

/* The fields to show, in this order. */
#define COLUMNS_MAX 128
typedef struct Columns {
        const Field *field[COLUMNS_MAX];
        size_t n;
} Columns;

typedef struct Output {
        OutputFormat format;
        bool legend; /* headings over tables */
        bool colour;
        char letter; /* before the numbers of these records */
        FILE *to;
        size_t n_pages, n_rows;     /* written so far */
        size_t widths[COLUMNS_MAX]; /* of the columns on the last page, so that the next one fits */
} Output;

/* Chooses the columns named in names, separated by commas; NULL: all. 0 or an exit code. */
int columns_select(const Report *report, const Field *fields, size_t n_fields, const char *names,
                   Columns *ret);

/* Writes rows: a table, or elements of the JSON answer, of which columns (NULL: all) are kept.
 * Called once a page. All of these: 0 or negative errno. */
int output_rows(Output *output, const Columns *columns, json_object *rows);
/* Ends the answer; needed after the last page, also when there was none. */
int output_end(Output *output);

/* One table of an answer for people that has several, with a title over it or NULL. */
int output_table(Output *output, const char *title, const Columns *columns, json_object *rows);

/* Writes one record for people: a line for each field there is, tables below. all: also the fields,
 * last, that the columns do not have because the daemon is newer. */
int output_record(Output *output, const Columns *columns, bool all, json_object *row);

/* Writes one line for people, safe for the terminal. */
int output_line(Output *output, const char *format, ...) _printf_(2, 3);

/* The value as people read it, or "-". NULL without memory. */
char *field_show(const Output *output, const Field *field, json_object *row, bool exact);
