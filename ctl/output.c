/* SPDX-License-Identifier: Apache-2.0 */

#include "output.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <libsmartcols.h>
#include <stdarg.h>
#include <string.h>
#include <sysexits.h>

#include "aftersales/kinds.h"
#include "aftersales/limits.h"
#include "json.h"
#include "times.h"

#define ABSENT "-"

/* ---- columns ---- */

static const Field *column_find(const Field *fields, size_t n_fields, const char *name) {
        for (size_t i = 0; i < n_fields; i++)
                if (STREQ(fields[i].name, name))
                        return &fields[i];
        return NULL;
}

static int report_column(const Report *to, const Field *fields, size_t n_fields, const char *name) {
        _cleanup_free_ char *names = NULL;
        size_t size;
        FILE *f = open_memstream(&names, &size);

        if (!f)
                return -ENOMEM;
        for (size_t i = 0; i < n_fields; i++)
                fprintf(f, "%s%s", i > 0 ? ", " : "", fields[i].name);
        if (!text_take(f, &names))
                return -ENOMEM;
        return report(to, EX_USAGE, "there is no column '%s'; there are %s", name, names);
}

int columns_select(const Report *report_to, const Field *fields, size_t n_fields, const char *names,
                   Columns *ret) {
        _cleanup_free_ char *copy = NULL;
        Columns columns = {};
        char *state;

        if (!names) {
                for (size_t i = 0; i < n_fields && columns.n < COLUMNS_MAX; i++)
                        columns.field[columns.n++] = &fields[i];
                *ret = columns;
                return 0;
        }
        copy = strdup(names);
        if (!copy)
                return -ENOMEM;
        for (char *name = strtok_r(copy, ",", &state); name; name = strtok_r(NULL, ",", &state)) {
                const Field *field = column_find(fields, n_fields, name);

                if (!field)
                        return report_column(report_to, fields, n_fields, name);
                if (columns.n == COLUMNS_MAX)
                        return report(report_to, EX_USAGE, "more than %d columns", COLUMNS_MAX);
                columns.field[columns.n++] = field;
        }
        if (columns.n == 0)
                return report_column(report_to, fields, n_fields, names);
        *ret = columns;
        return 0;
}

/* ---- values ---- */

static const char *text_of(json_object *value) {
        return json_object_is_type(value, json_type_string) ? json_object_get_string(value) : NULL;
}

/* "dealer: - → D1; technician: - → 王" */
static char *show_changes(json_object *changes) {
        char *text = NULL;
        size_t size, n = json_object_array_length(changes);
        FILE *f = open_memstream(&text, &size);

        if (!f)
                return NULL;
        for (size_t i = 0; i < n; i++) {
                json_object *change = json_object_array_get_idx(changes, i);
                const char *field = text_of(json_object_object_get(change, "field"));
                const char *before = text_of(json_object_object_get(change, "before"));
                const char *after = text_of(json_object_object_get(change, "after"));

                fprintf(f, "%s%s: %s → %s", i > 0 ? "; " : "", field ? field : ABSENT,
                        before ? before : ABSENT, after ? after : ABSENT);
        }
        return text_take(f, &text);
}

static char *show_words(json_object *words, char separator) {
        char *text = NULL;
        size_t size, n = json_object_array_length(words);
        FILE *f = open_memstream(&text, &size);

        if (!f)
                return NULL;
        for (size_t i = 0; i < n; i++) {
                const char *word = text_of(json_object_array_get_idx(words, i));

                if (!word)
                        word = json_object_to_json_string(json_object_array_get_idx(words, i));
                if (i > 0)
                        fputc(separator, f);
                fputs(word ? word : ABSENT, f);
        }
        return text_take(f, &text);
}

static char *show_bytes(int64_t bytes) {
        static const char unit[] = "BKMGTPE";
        size_t i = 0;
        double size = (double)bytes;
        char *text;

        for (; size >= 1024 && unit[i + 1]; i++)
                size /= 1024;
        return asprintf(&text, "%.*f %c%s", i > 0, size, unit[i], i > 0 ? "iB" : "") < 0 ? NULL
                                                                                         : text;
}

static char *show_id(const Output *output, const Field *field, uint64_t id, json_object *row) {
        const char *kind = text_of(json_object_object_get(row, "kind"));
        const char *cause = text_of(json_object_object_get(row, "cause"));
        char letter = output->letter, buffer[ID_SIZE], *text;

        /* What it is the number of: named beside it, or by the field itself. */
        if (STREQ(field->name, "case_id") && kind)
                letter = kind_letter(kind);
        else if (STREQ(field->name, "cause_id") && cause)
                letter = kind_letter(cause);
        else if (kind_letter(field->name))
                letter = kind_letter(field->name);
        else if (STREQ(field->name, "shipment"))
                letter = LETTER_SHIPMENT;
        if (letter)
                return strdup(id_show(id, letter, buffer));
        return asprintf(&text, "%" PRIu64, id) < 0 ? NULL : text;
}

/* What the JSON value says by itself; numbers in the form of the type. */
static char *show_number(const Field *field, int64_t value, bool exact) {
        char buffer[TIME_SIZE], *text;

        switch (field->type) {
        case FIELD_TIME:
                return strdup(time_show(value, exact, buffer));
        case FIELD_SECONDS:
                return strdup(duration_show(value, buffer));
        case FIELD_MICROSECONDS:
                return strdup(duration_show(value / USEC_PER_SEC, buffer));
        case FIELD_BYTES:
                return show_bytes(value);
        case FIELD_MONEY:
                return asprintf(&text, "%s%" PRId64 ".%02" PRId64, value < 0 ? "-" : "",
                                value < 0 ? -(value / 100) : value / 100,
                                value < 0 ? -(value % 100) : value % 100) < 0
                               ? NULL
                               : text;
        default:
                return asprintf(&text, "%" PRId64, value) < 0 ? NULL : text;
        }
}

static char *show_array(const Field *field, json_object *array, bool exact) {
        _cleanup_free_ char *text = NULL;

        if (json_object_array_length(array) == 0)
                return strdup(ABSENT);
        text = field->type == FIELD_CHANGES ? show_changes(array)
                                            : show_words(array, exact ? '\n' : ' ');
        return text ? text_safe(text, exact) : NULL;
}

char *field_show(const Output *output, const Field *field, json_object *row, bool exact) {
        json_object *value = json_object_object_get(row, field->name);

        switch (json_object_get_type(value)) {
        case json_type_null:
                return strdup(ABSENT);
        case json_type_boolean:
                /* In a table the word is that of the column: "overdue". */
                if (exact)
                        return strdup(json_object_get_boolean(value) ? "yes" : "no");
                return strdup(json_object_get_boolean(value) ? field->name : ABSENT);
        case json_type_string:
                if (!*json_object_get_string(value))
                        return strdup(ABSENT);
                return text_safe(json_object_get_string(value), exact);
        case json_type_int:
                if (field->type == FIELD_ID)
                        return show_id(output, field, json_object_get_uint64(value), row);
                return show_number(field, json_object_get_int64(value), exact);
        case json_type_array:
                return show_array(field, value, exact);
        default:
                return strdup(json_object_to_json_string(value));
        }
}

/* Only what somebody should look at has a colour; each has its word as well. */
static const char *value_colour(const Field *field, json_object *row) {
        json_object *value = json_object_object_get(row, field->name);
        const char *text = text_of(value);

        if (STREQ(field->name, "overdue") && json_object_get_int64(value) != 0)
                return "\033[31m"; /* red */
        if (STREQ(field->name, "state") && text && strncmp(text, "waiting", 7) == 0)
                return "\033[33m"; /* yellow */
        return NULL;
}

int output_line(Output *output, const char *format, ...) {
        _cleanup_free_ char *text = NULL, *safe = NULL;
        va_list arguments;
        int n;

        va_start(arguments, format);
        n = vasprintf(&text, format, arguments);
        va_end(arguments);
        if (n < 0)
                text = NULL; /* not defined then */
        else
                safe = text_safe(text, false);
        if (!safe)
                return -ENOMEM;
        fprintf(output->to, "%s\n", safe);
        return 0;
}

/* ---- tables ---- */

static bool aligned_right(FieldType type) {
        return type == FIELD_COUNT || type == FIELD_MONEY || type == FIELD_BYTES;
}

/* Codes and the like keep to one line. */
static bool can_be_long(const Field *field) {
        return (field->type == FIELD_TEXT &&
                (field->limit == 0 || field->limit > NAME_MAX_BYTES)) ||
               field->type == FIELD_CHANGES || field->type == FIELD_LIST;
}

static int add_columns(struct libscols_table *table, const Output *output, const Columns *columns) {
        for (size_t i = 0; i < columns->n; i++) {
                const Field *field = columns->field[i];
                int flags = (aligned_right(field->type) ? SCOLS_FL_RIGHT : 0) |
                            (can_be_long(field) ? SCOLS_FL_WRAP : 0) |
                            (output->widths[i] > 0 ? SCOLS_FL_STRICTWIDTH : 0);
                char heading[NAME_MAX_BYTES + 1];
                size_t n = 0;

                for (; n < NAME_MAX_BYTES && field->name[n]; n++)
                        heading[n] = (char)toupper((unsigned char)field->name[n]);
                heading[n] = '\0';
                if (!scols_table_new_column(table, heading, (double)output->widths[i], flags))
                        return -ENOMEM;
        }
        return 0;
}

static int add_line(struct libscols_table *table, const Output *output, const Columns *columns,
                    json_object *row) {
        struct libscols_line *line = scols_table_new_line(table, NULL);
        int r = line ? 0 : -ENOMEM;

        for (size_t i = 0; r == 0 && i < columns->n; i++) {
                const char *colour = value_colour(columns->field[i], row);
                char *text = field_show(output, columns->field[i], row, false);

                if (!text)
                        return -ENOMEM;
                r = scols_line_refer_data(line, i, text); /* owns it from here */
                if (r < 0)
                        free(text);
                else if (colour && output->colour)
                        r = scols_cell_set_color(scols_line_get_cell(line, i), colour);
        }
        return r;
}

static int print_table(Output *output, const Columns *columns, json_object *rows, bool legend) {
        struct libscols_table *table;
        int r;

        if (json_object_array_length(rows) == 0)
                return 0;
        table = scols_new_table();
        if (!table)
                return -ENOMEM;
        scols_table_set_stream(table, output->to);
        scols_table_enable_colors(table, output->colour);
        scols_table_enable_noheadings(table, !legend);
        r = add_columns(table, output, columns);
        for (size_t i = 0; r == 0 && i < json_object_array_length(rows); i++)
                r = add_line(table, output, columns, json_object_array_get_idx(rows, i));
        if (r == 0)
                r = scols_print_table(table);
        for (size_t i = 0; i < columns->n && r == 0; i++)
                output->widths[i] = scols_column_get_width(scols_table_get_column(table, i));
        scols_unref_table(table);
        return r;
}

int output_table(Output *output, const char *title, const Columns *columns, json_object *rows) {
        memset(output->widths, 0, sizeof(output->widths));
        fprintf(output->to, "\n%s%s", title ? title : "", title ? "\n" : "");
        return print_table(output, columns, rows, output->legend);
}

/* ---- JSON ---- */

static int project(const Columns *columns, json_object *row, json_object **ret) {
        _cleanup_json_ json_object *kept = json_object_new_object();

        if (!kept)
                return -ENOMEM;
        for (size_t i = 0; i < columns->n; i++) {
                const char *name = columns->field[i]->name;
                json_object *value = json_object_object_get(row, name);

                if (value && json_put(kept, name, json_object_get(value)) < 0)
                        return -ENOMEM;
        }
        *ret = TAKE_PTR(kept);
        return 0;
}

static bool is_pretty(const Output *output) {
        return output->format == OUTPUT_JSON_PRETTY;
}

static void begin_json(Output *output) {
        fputs(is_pretty(output) ? "{\n  \"version\": 1,\n  \"rows\": ["
                                : "{\"version\":1,\"rows\":[",
              output->to);
}

static int print_json(Output *output, const Columns *columns, json_object *rows) {
        size_t n = json_object_array_length(rows);

        if (output->n_pages == 0)
                begin_json(output);
        for (size_t i = 0; i < n; i++) {
                json_object *row = json_object_array_get_idx(rows, i);
                _cleanup_json_ json_object *kept = NULL;
                int r = columns ? project(columns, row, &kept) : 0;

                if (r < 0)
                        return r;
                if (output->n_rows + i > 0)
                        fputc(',', output->to);
                if (is_pretty(output))
                        fputc('\n', output->to);
                r = json_print(output->to, kept ? kept : row, is_pretty(output),
                               is_pretty(output) ? "    " : "");
                if (r < 0)
                        return r;
        }
        return 0;
}

int output_rows(Output *output, const Columns *columns, json_object *rows) {
        int r;

        if (output->format != OUTPUT_PEOPLE)
                r = print_json(output, columns, rows);
        else
                r = print_table(output, columns, rows, output->legend && output->n_rows == 0);
        output->n_pages++;
        output->n_rows += json_object_array_length(rows);
        return r;
}

int output_end(Output *output) {
        if (output->format == OUTPUT_PEOPLE)
                return 0;
        if (output->n_pages == 0)
                begin_json(output);
        fputs(is_pretty(output) && output->n_rows > 0 ? "\n  ]" : "]", output->to);
        fputs(is_pretty(output) ? "\n}\n" : "}\n", output->to);
        return 0;
}

/* ---- records ---- */

static bool any_has(json_object *rows, const char *name) {
        for (size_t i = 0; i < json_object_array_length(rows); i++)
                if (json_object_object_get_ex(json_object_array_get_idx(rows, i), name, NULL))
                        return true;
        return false;
}

static const Field clock_fields[] = {
        FIELD("clock", ENUM),     FIELD("cycle", COUNT),   FIELD("started_at", TIME),
        FIELD("target", SECONDS), FIELD("deadline", TIME), FIELD("level", COUNT),
        FIELD("next_at", TIME),   FIELD("paused", FLAG),   FIELD("stopped_at", TIME),
};

static const Field part_fields[] = {
        FIELD("line", COUNT),          FIELD("part", TEXT),           FIELD("quantity", COUNT),
        FIELD("serial", TEXT),         FIELD("old_serial", TEXT),     FIELD("warranty", ENUM),
        FIELD("warranty_basis", ENUM), FIELD("core_quantity", COUNT), FIELD("used_at", TIME),
};

static const Field line_fields[] = {
        FIELD("line", COUNT),       FIELD("part", TEXT),      FIELD("quantity", COUNT),
        FIELD("credit", COUNT),     FIELD("approved", COUNT), FIELD("cut_reason", TEXT),
        FIELD("shipped", COUNT),    FIELD("received", COUNT), FIELD("missing", COUNT),
        FIELD("use", COUNT),        FIELD("months", COUNT),   FIELD("factor", COUNT),
        FIELD("season", COUNT),     FIELD("stock", COUNT),    FIELD("on_order", COUNT),
        FIELD("in_transit", COUNT),
};

static const Field pair_fields[] = { FIELD("name", ENUM), FIELD("value", COUNT) };

/* Lists of records within a record, which are tables of their own. */
static const struct {
        const char *name;
        const Field *fields;
        size_t n_fields;
} lists[] = {
        { "clocks", clock_fields, ELEMENTS(clock_fields) },
        { "parts", part_fields, ELEMENTS(part_fields) },
        { "lines", line_fields, ELEMENTS(line_fields) },
};

/* Those of a list that any of its rows has; 0: it is no such list. */
static size_t list_columns(const char *name, json_object *rows, Columns *ret) {
        *ret = (Columns){};
        for (size_t i = 0; i < ELEMENTS(lists); i++) {
                if (!STREQ(lists[i].name, name) || !json_object_is_type(rows, json_type_array))
                        continue;
                for (size_t k = 0; k < lists[i].n_fields; k++)
                        if (any_has(rows, lists[i].fields[k].name))
                                ret->field[ret->n++] = &lists[i].fields[k];
        }
        return ret->n;
}

/* Whether it is a table of its own: such a list, or a dictionary. */
static bool is_nested(const char *name, json_object *value) {
        Columns columns;

        return json_object_is_type(value, json_type_object) ||
               list_columns(name, value, &columns) > 0;
}

/* Continuation lines of a text begin under its first. */
static void print_indented(FILE *f, const char *text, int indent) {
        for (; *text; text++) {
                fputc(*text, f);
                if (*text == '\n')
                        fprintf(f, "%*s", indent, "");
        }
}

static int print_field(const Output *output, const Field *field, json_object *row, int width) {
        const char *colour = output->colour ? value_colour(field, row) : NULL;
        _cleanup_free_ char *text = field_show(output, field, row, true);

        if (!text)
                return -ENOMEM;
        fprintf(output->to, "%*s: %s", width, field->name, colour ? colour : "");
        print_indented(output->to, text, width + 2);
        fprintf(output->to, "%s\n", colour ? "\033[0m" : "");
        return 0;
}

/* { "received": 3 } as rows of name and value. */
static int pairs_of(json_object *object, json_object **ret) {
        _cleanup_json_ json_object *rows = json_object_new_array();

        if (!rows)
                return -ENOMEM;
        json_object_object_foreach(object, name, value) {
                json_object *row = json_object_new_object();

                if (json_append(rows, row) < 0 ||
                    json_put(row, "name", json_object_new_string(name)) < 0 ||
                    json_put(row, "value", json_object_get(value)) < 0)
                        return -ENOMEM;
        }
        *ret = TAKE_PTR(rows);
        return 0;
}

static int print_one(Output *output, const char *name, json_object *value) {
        bool pairs = json_object_is_type(value, json_type_object);
        _cleanup_json_ json_object *rows = NULL;
        Columns columns;
        int r = 0;

        if (pairs)
                r = columns_select(NULL, pair_fields, ELEMENTS(pair_fields), NULL, &columns);
        else
                list_columns(name, value, &columns);
        if (r == 0 && pairs)
                r = pairs_of(value, &rows);
        if (r == 0)
                r = output_table(output, name, &columns, rows ? rows : value);
        return r;
}

/* Whether it is a dictionary of nothing but dictionaries. */
static bool is_nested_twice(json_object *value) {
        if (!json_object_is_type(value, json_type_object) || json_object_object_length(value) == 0)
                return false;
        json_object_object_foreach(value, key, inner) {
                (void)key;
                if (!json_object_is_type(inner, json_type_object))
                        return false;
        }
        return true;
}

/* Those as a table each: "cases: ticket". */
static int print_nested(Output *output, const char *name, json_object *value) {
        if (!is_nested_twice(value))
                return print_one(output, name, value);
        json_object_object_foreach(value, key, inner) {
                char title[2 * NAME_MAX_BYTES + 3];
                int r;

                snprintf(title, sizeof(title), "%.*s: %.*s", NAME_MAX_BYTES, name, NAME_MAX_BYTES,
                         key);
                r = print_one(output, title, inner);
                if (r != 0)
                        return r;
        }
        return 0;
}

/* The columns, and after them what else the record has. */
static void add_others(json_object *row, Field *others, Columns *ret) {
        json_object_object_foreach(row, name, value) {
                size_t i = 0;

                while (i < ret->n && !STREQ(ret->field[i]->name, name))
                        i++;
                if (i < ret->n || !value || ret->n == COLUMNS_MAX)
                        continue;
                others[ret->n] = (Field){ .name = name, .type = FIELD_ANY };
                ret->field[ret->n] = &others[ret->n];
                ret->n++;
        }
}

int output_record(Output *output, const Columns *columns, bool all, json_object *row) {
        Field others[COLUMNS_MAX];
        Columns shown = *columns;
        int width = 0, r = 0;

        if (all)
                add_others(row, others, &shown);
        for (size_t i = 0; i < shown.n; i++) {
                const char *name = shown.field[i]->name;
                json_object *value = json_object_object_get(row, name);

                if (value && !is_nested(name, value) && (int)strlen(name) > width)
                        width = (int)strlen(name);
        }
        /* Tables come below the lines. */
        for (int nested = 0; nested <= 1; nested++)
                for (size_t i = 0; r == 0 && i < shown.n; i++) {
                        const char *name = shown.field[i]->name;
                        json_object *value = json_object_object_get(row, name);

                        if (!value || is_nested(name, value) != nested)
                                continue;
                        r = nested ? print_nested(output, name, value)
                                   : print_field(output, shown.field[i], row, width);
                }
        return r;
}
