/* SPDX-License-Identifier: Apache-2.0 */

#include "transfer/record-json.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "aftersales/limits.h"
#include "base/text.h"
#include "transfer/value.h"

static const char unknown_name[] = "_unknown";

/* ---- bytes ---- */

json_object *bytes_to_json(const void *data, size_t size) {
        static const char digits[] = "0123456789abcdef";
        _cleanup_free_ char *text = malloc(2 * size + 1);
        const uint8_t *bytes = data;

        if (!text)
                return NULL;
        for (size_t i = 0; i < size; i++) {
                text[2 * i] = digits[bytes[i] >> 4];
                text[2 * i + 1] = digits[bytes[i] & 15];
        }
        return json_object_new_string_len(text, (int)(2 * size));
}

static int digit(char c) {
        return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int bytes_from_json(json_object *value, Buffer *ret) {
        const char *text = json_object_get_string(value);
        size_t size = text ? strlen(text) : 1;

        if (!json_object_is_type(value, json_type_string) || size % 2 != 0)
                return -EINVAL;
        for (size_t i = 0; i < size; i += 2) {
                int high = digit(text[i]), low = digit(text[i + 1]);

                if (high < 0 || low < 0)
                        return -EINVAL;
                buffer_put_u8(ret, (uint8_t)(high << 4 | low));
        }
        return ret->error;
}

/* ---- out ---- */

static json_object *list_to_json(const Field *field, const void *record) {
        const List *list = field_at(field, record);
        json_object *array = json_object_new_array();

        for (size_t i = 0; array && i < list->n; i++) {
                const char *items = list->items;
                json_object *item = record_to_json(field->items, items + i * field->items->size);

                if (!item || json_object_array_add(array, item) < 0) {
                        json_object_put(item);
                        json_object_put(array);
                        return NULL;
                }
        }
        return array;
}

static int read_instant(const Field *field, const char *text, int64_t *ret) {
        Refusal refusal;

        return field->type == FIELD_DATE ? field_parse_date(field, text, ret, &refusal)
                                         : value_read_time(text, ret);
}

/* One that no calendar has is its number. */
static json_object *instant_to_json(const Field *field, int64_t number, const char *text) {
        int64_t again = 0;

        return read_instant(field, text, &again) == 0 && again == number
                       ? json_object_new_string(text)
                       : json_object_new_int64(number);
}

static json_object *field_to_json(const Field *field, const void *record) {
        int64_t number = field->type == FIELD_TEXT || field->type == FIELD_LIST
                                 ? 0
                                 : field_number(field, record);
        char buffer[VALUE_SIZE];

        switch (field->type) {
        case FIELD_ID:
                return json_object_new_uint64((uint64_t)number);
        case FIELD_MONEY:
        case FIELD_COUNT:
                return json_object_new_int64(number);
        case FIELD_FLAG:
                return json_object_new_boolean(true);
        case FIELD_ENUM:
                if (number < 0 || number >= field->names->n || !field->names->names[number])
                        return json_object_new_int64(number);
                return json_object_new_string(field->names->names[number]);
        case FIELD_LIST:
                return list_to_json(field, record);
        case FIELD_TIME:
        case FIELD_DATE:
                return instant_to_json(field, number, value_text(field, record, buffer));
        case FIELD_TEXT:
                break;
        }
        return json_object_new_string(field_text(field, record));
}

static bool add_member(json_object *object, const char *name, json_object *value) {
        if (value && json_object_object_add(object, name, value) == 0)
                return true;
        json_object_put(value);
        return false;
}

json_object *record_to_json(const RecordType *type, const void *record) {
        json_object *object = json_object_new_object();
        const Record *base = record;
        bool fits = object;

        for (size_t i = 0; fits && i < type->n_fields; i++)
                if (field_is_set(&type->fields[i], record))
                        fits = add_member(object, type->fields[i].name,
                                          field_to_json(&type->fields[i], record));
        if (fits && base->unknown_size > 0)
                fits = add_member(object, unknown_name,
                                  bytes_to_json(base->unknown, base->unknown_size));
        if (fits)
                return object;
        json_object_put(object);
        return NULL;
}

/* ---- in ---- */

static const char *form_of(const Field *field) {
        switch (field->type) {
        case FIELD_LIST:
                return "an array";
        case FIELD_FLAG:
                return "true";
        case FIELD_ID:
        case FIELD_MONEY:
        case FIELD_COUNT:
                return "a whole number";
        case FIELD_ENUM:
                return "one of its names, or a whole number";
        case FIELD_TIME:
                return "a time such as \"2026-11-23T18:05:00Z\"";
        case FIELD_DATE:
                return "a date such as \"2026-11-23\"";
        case FIELD_TEXT:
                break;
        }
        return "a text";
}

/* Never the value: it may be somebody's phone number. */
static int refuse_value(const Field *field, Refusal *refusal) {
        return refuse(refusal, REFUSED_INVALID_VALUE, "%s: here belongs %s", field->name,
                      form_of(field));
}

static int read_list(const Field *field, json_object *value, void *record, Refusal *refusal) {
        List *list = field_at(field, record);

        if (!json_object_is_type(value, json_type_array))
                return refuse_value(field, refusal);
        for (size_t i = 0; i < json_object_array_length(value); i++) {
                void *item = list_add(list, field->items);
                int r = item ? record_from_json(field->items, json_object_array_get_idx(value, i),
                                                item, refusal)
                             : -ENOMEM;

                if (r != 0)
                        return r;
        }
        return 0;
}

static int read_text(const Field *field, json_object *value, void *record, Refusal *refusal) {
        const char *text = json_object_get_string(value);
        int64_t number = 0;
        int r = 0;

        if (!json_object_is_type(value, json_type_string) ||
            strlen(text) != (size_t)json_object_get_string_len(value) || !*text)
                return refuse_value(field, refusal);
        switch (field->type) {
        case FIELD_TEXT: /* a longer one would not fit into keys */
                return field->limit > 0 && strlen(text) > (size_t)field->limit
                               ? field_check_text(field, text, refusal)
                               : field_set_text(field, record, text);
        case FIELD_ENUM:
                number = enum_value(field->names, text);
                break;
        default:
                r = read_instant(field, text, &number);
        }
        if (r != 0 || number == 0)
                return refuse_value(field, refusal);
        field_set_number(field, record, number);
        return 0;
}

static int read_number(const Field *field, json_object *value, void *record, Refusal *refusal) {
        int64_t number = field->type == FIELD_ID ? (int64_t)json_object_get_uint64(value)
                                                 : json_object_get_int64(value);

        if (field->type == FIELD_FLAG) {
                if (!json_object_is_type(value, json_type_boolean) || !number)
                        return refuse_value(field, refusal);
        } else if (!json_object_is_type(value, json_type_int) || number == 0)
                return refuse_value(field, refusal);
        field_set_number(field, record, number);
        return 0;
}

static int read_field(const Field *field, json_object *value, void *record, Refusal *refusal) {
        switch (field->type) {
        case FIELD_LIST:
                return read_list(field, value, record, refusal);
        case FIELD_ID:
        case FIELD_MONEY:
        case FIELD_COUNT:
        case FIELD_FLAG:
                return read_number(field, value, record, refusal);
        case FIELD_ENUM:
        case FIELD_TIME:
        case FIELD_DATE:
                if (json_object_is_type(value, json_type_int))
                        return read_number(field, value, record, refusal);
                break;
        case FIELD_TEXT:
                break;
        }
        return read_text(field, value, record, refusal);
}

static int read_unknown(json_object *value, Record *record, Refusal *refusal) {
        _cleanup_(buffer_done) Buffer bytes = {};
        int r = bytes_from_json(value, &bytes);

        if (r == -EINVAL || (r == 0 && bytes.size == 0))
                return refuse(refusal, REFUSED_INVALID_VALUE, "%s: here belong bytes, as 00ff",
                              unknown_name);
        if (r < 0)
                return r;
        record->unknown_size = bytes.size;
        record->unknown = TAKE_PTR(bytes.data);
        return 0;
}

static int refuse_name(const RecordType *type, const char *name, Refusal *refusal) {
        char clean[NAME_MAX_BYTES];

        return refuse(refusal, REFUSED_INVALID_VALUE, "%s: a %s has no such field",
                      text_escape(name, clean, sizeof(clean)), type->name);
}

int record_from_json(const RecordType *type, json_object *object, void *record, Refusal *refusal) {
        if (!json_object_is_type(object, json_type_object))
                return refuse(refusal, REFUSED_INVALID_VALUE, "here belongs an object, a %s",
                              type->name);
        json_object_object_foreach(object, name, value) {
                const Field *field = record_field(type, name, NULL);
                int r = field                       ? read_field(field, value, record, refusal)
                        : STREQ(name, unknown_name) ? read_unknown(value, record, refusal)
                                                    : refuse_name(type, name, refusal);

                if (r != 0)
                        return r;
        }
        return 0;
}
