/* SPDX-License-Identifier: Apache-2.0 */

/* JSON lines by json-c: an object a line, its values texts, whole numbers, flags or null. */

#include <errno.h>
#include <inttypes.h>
#include <json-c/json.h>
#include <stdio.h>
#include <string.h>

#include "transfer/reader.h"

#define DEPTH_MAX   8
#define NUMBER_SIZE 24

typedef struct JsonReader {
        RowReader reader;
        json_tokener *tokener;
        json_object *object;          /* of the row last given */
        char (*numbers)[NUMBER_SIZE]; /* by cell */
        bool ended;
} JsonReader;

static bool is_blank(Slice line) {
        const char *p = line.data;

        for (size_t i = 0; i < line.size; i++)
                if (!strchr(" \t\r\n", p[i]) || !p[i])
                        return false;
        return true;
}

/* The object of a line; NULL with a fault. */
static json_object *parse(JsonReader *json, Slice line, RowFault *fault) {
        uint64_t number = line_source_number(json->reader.lines);
        json_object *object;

        if (memchr(line.data, 0, line.size)) { /* json-c takes it for the end of the line */
                row_fault(fault, number, "the line has a zero byte");
                return NULL;
        }
        json_tokener_reset(json->tokener);
        object = json_tokener_parse_ex(json->tokener, line.data, (int)line.size);
        if (!object) {
                enum json_tokener_error error = json_tokener_get_error(json->tokener);

                row_fault(fault, number, "no JSON object: %s",
                          error == json_tokener_continue ? "the line ends within it"
                                                         : json_tokener_error_desc(error));
                fault->column = (unsigned)json_tokener_get_parse_end(json->tokener) + 1;
                return NULL;
        }
        if (!json_object_is_type(object, json_type_object)) {
                json_object_put(object);
                row_fault(fault, number,
                          "the line must be an object such as {\"reference\":\"A-1\"}");
                return NULL;
        }
        return object;
}

/* ---- names ----
 * json-c keeps the last value of a name that comes twice, takes names in single quotes, strict or
 * not, and ends one at a zero byte. But for that the line is known to be an object in strict JSON
 * here, so that its strings end where a quotation mark has no backslash before it, and nothing else
 * has a single quote; what a name is, escapes and all, is for json-c to say. */

typedef struct KeyScan {
        const char *text;
        size_t size, at;
        unsigned depth;
        bool value; /* between a colon and the end of its value */
        bool wrong; /* a name in single quotes, or with a zero byte */
} KeyScan;

/* The string at scan->at, with its quotation marks. */
static Slice scan_string(KeyScan *scan) {
        size_t begin = scan->at++;

        while (scan->at < scan->size && scan->text[scan->at] != '"')
                scan->at += scan->text[scan->at] == '\\' ? 2 : 1;
        scan->at = MIN(scan->at + 1, scan->size);
        return (Slice){ scan->text + begin, scan->at - begin };
}

/* The next name of the object itself. */
static bool scan_key(KeyScan *scan, Slice *ret) {
        while (scan->at < scan->size) {
                char c = scan->text[scan->at];

                if (c == '\'') {
                        scan->wrong = true;
                        return false;
                }

                if (c == '"') {
                        Slice string = scan_string(scan);

                        if (scan->depth > 1 || scan->value)
                                continue;
                        if (memmem(string.data, string.size, "\\u0000", strlen("\\u0000")))
                                scan->wrong = true;
                        *ret = string;
                        return true;
                }
                scan->depth += c == '{' || c == '[';
                scan->depth -= c == '}' || c == ']';
                if (scan->depth == 1 && (c == ':' || c == ','))
                        scan->value = c == ':';
                scan->at++;
        }
        return false;
}

/* What json-c makes of it; NULL without memory. */
static json_object *read_name(JsonReader *json, Slice key) {
        json_tokener_reset(json->tokener);
        return json_tokener_parse_ex(json->tokener, key.data, (int)key.size);
}

/* Tells the first that comes again. 0 or -ENOMEM. */
static int find_twice(JsonReader *json, Slice line, RowFault *fault) {
        json_object *seen = json_object_new_object();
        KeyScan scan = { .text = line.data, .size = line.size };
        unsigned column = 0;
        bool found = false;
        Slice key;
        int r = seen ? 0 : -ENOMEM;

        row_fault(fault, json->reader.row.line, "the names of the object cannot be told apart");
        while (r == 0 && !found && scan_key(&scan, &key)) {
                json_object *name = read_name(json, key);

                column++;
                if (!name) {
                        r = -ENOMEM;
                        break;
                }
                found = json_object_object_get_ex(seen, json_object_get_string(name), NULL);
                if (found) {
                        row_fault(fault, json->reader.row.line,
                                  "%.100s: the object has this name twice; leave one of them out",
                                  json_object_get_string(name));
                        fault->column = column;
                } else if (json_object_object_add(seen, json_object_get_string(name), NULL) < 0)
                        r = -ENOMEM;
                json_object_put(name);
        }
        json_object_put(seen);
        return r;
}

/* As many names as the object has members: none comes twice. */
static int check_names(JsonReader *json, Slice line, RowFault *fault) {
        KeyScan scan = { .text = line.data, .size = line.size };
        int names = 0, r;
        Slice key;

        while (scan_key(&scan, &key))
                names++;
        if (scan.wrong) {
                row_fault(fault, json->reader.row.line,
                          "names stand in double quotation marks and have no zero bytes");
                return ROW_FAULT;
        }
        if (names == json_object_object_length(json->object))
                return ROW_READ;
        r = find_twice(json, line, fault);
        return r < 0 ? r : ROW_FAULT;
}

/* ---- rows ---- */

/* The text of a value. 0 or -EINVAL. */
static int text_of(json_object *value, char number[static NUMBER_SIZE], const char **ret) {
        switch (json_object_get_type(value)) {
        case json_type_null:
                *ret = NULL;
                return 0;
        case json_type_string:
                *ret = json_object_get_string(value);
                if (strlen(*ret) != (size_t)json_object_get_string_len(value))
                        return -EINVAL; /* a zero byte */
                *ret = **ret ? *ret : NULL;
                return 0;
        case json_type_boolean:
                *ret = json_object_get_boolean(value) ? "true" : "false";
                return 0;
        case json_type_int:
                snprintf(number, NUMBER_SIZE, "%" PRId64, json_object_get_int64(value));
                if (json_object_get_uint64(value) > INT64_MAX && json_object_get_int64(value) > 0)
                        snprintf(number, NUMBER_SIZE, "%" PRIu64, json_object_get_uint64(value));
                *ret = number;
                return 0;
        case json_type_double:
        case json_type_object:
        case json_type_array:
                break;
        }
        return -EINVAL;
}

static int fill_row(JsonReader *json, RowFault *fault) {
        Row *row = &json->reader.row;

        row->n = 0;
        json_object_object_foreach(json->object, name, value) {
                RowCell *cell = &row->cells[row->n];

                if (row->n == ROW_CELLS_MAX) {
                        row_fault(fault, row->line, "the object has more than %d members",
                                  ROW_CELLS_MAX);
                        return ROW_FAULT;
                }
                *cell = (RowCell){ .name = name, .column = (unsigned)row->n + 1 };
                if (text_of(value, json->numbers[row->n], &cell->text) < 0) {
                        row_fault(
                                fault, row->line,
                                "%.100s: must be a text without zero bytes, a whole number, true, "
                                "false or null",
                                name);
                        fault->column = cell->column;
                        return ROW_FAULT;
                }
                row->n++;
        }
        return ROW_READ;
}

static Slice without_end(Slice line) {
        const char *p = line.data;

        while (line.size > 0 && (p[line.size - 1] == '\n' || p[line.size - 1] == '\r'))
                line.size--;
        return line;
}

static int json_next(RowReader *reader, const Row **ret, RowFault *fault) {
        JsonReader *json = (JsonReader *)reader;
        Slice line;
        int r;

        if (json->ended)
                return ROW_END;
        r = line_source_next(reader->lines, &line, fault);
        if (r == -EBADMSG) {
                json->ended = fault->fatal = true;
                return ROW_FAULT;
        }
        if (r <= 0)
                return r < 0 ? r : ROW_END;
        if (is_blank(line))
                return ROW_NONE;
        reader->row.line = line_source_number(reader->lines);
        reader->row.raw = without_end(line);
        *ret = &reader->row;
        reader->row.n = 0; /* its cells go with the object */
        json_object_put(json->object);
        json->object = parse(json, reader->row.raw, fault);
        r = json->object ? check_names(json, reader->row.raw, fault) : ROW_FAULT;
        return r == ROW_READ ? fill_row(json, fault) : r;
}

static void json_reader_free(RowReader *reader) {
        JsonReader *json = (JsonReader *)reader;

        json_object_put(json->object);
        if (json->tokener)
                json_tokener_free(json->tokener);
        free(json->numbers);
        free(json);
}

int json_reader_new(RowReader **ret) {
        static const RowReaderOps ops = { json_next, json_reader_free };
        JsonReader *json = calloc(1, sizeof(*json));

        if (!json)
                return -ENOMEM;
        json->reader.ops = &ops;
        json->tokener = json_tokener_new_ex(DEPTH_MAX);
        json->numbers = calloc(ROW_CELLS_MAX, NUMBER_SIZE);
        if (!json->tokener || !json->numbers) {
                json_reader_free(&json->reader);
                return -ENOMEM;
        }
        json_tokener_set_flags(json->tokener, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
        *ret = &json->reader;
        return 0;
}
