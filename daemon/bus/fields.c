/* SPDX-License-Identifier: Apache-2.0 */

#include "bus/fields.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "aftersales/bus.h"
#include "aftersales/limits.h"
#include "base/text.h"
#include "transfer/value.h"

#define MASKED "***"

/* ---- reading ---- */

static int refuse_type(const char *key, const char *wanted, const char *got, Refusal *refusal) {
        return refuse(refusal, REFUSED_INVALID_VALUE, "%s: is of type %s, must be %s", key, got,
                      wanted);
}

/* Any integer type will do as long as the value fits: programs differ in what they send for a 5. */
static int read_integer(sd_bus_message *m, const char *key, const char *contents, bool is_signed,
                        int64_t *ret, Refusal *refusal) {
        union {
                uint8_t y;
                int16_t n;
                uint16_t q;
                int32_t i;
                uint32_t u;
                int64_t x;
                uint64_t t;
        } v = {};
        int r;

        if (strlen(contents) != 1 || !strchr("ynqiuxt", *contents))
                return refuse_type(key, is_signed ? "an integer (x)" : "an integer (t)", contents,
                                   refusal);
        r = sd_bus_message_read_basic(m, *contents, &v);
        if (r < 0)
                return r;
        *ret = *contents == 'y'   ? v.y
               : *contents == 'n' ? v.n
               : *contents == 'q' ? v.q
               : *contents == 'i' ? v.i
               : *contents == 'u' ? (int64_t)v.u
                                  : v.x;
        if ((*contents == 't' && is_signed && v.t > INT64_MAX) ||
            (*contents != 't' && !is_signed && *ret < 0))
                return refuse(refusal, REFUSED_INVALID_VALUE, "%s: the number is out of range",
                              key);
        return 0;
}

static int read_text(sd_bus_message *m, const char *key, const char *contents, const char **ret,
                     Refusal *refusal) {
        int r;

        if (!STREQ(contents, "s"))
                return refuse_type(key, "a string (s)", contents, refusal);
        r = sd_bus_message_read_basic(m, 's', ret);
        assert(r < 0 || *ret);
        return r < 0 ? r : 0;
}

static int read_flag(sd_bus_message *m, const char *key, const char *contents, bool *ret,
                     Refusal *refusal) {
        int value, r;

        if (!STREQ(contents, "b"))
                return refuse_type(key, "a boolean (b)", contents, refusal);
        r = sd_bus_message_read_basic(m, 'b', &value);
        if (r < 0)
                return r;
        *ret = value;
        return 0;
}

static int refuse_enum(const Field *field, Refusal *refusal) {
        char values[400] = "";
        size_t used = 0;

        for (int i = 1; i < field->names->n && used < sizeof(values); i++)
                used += (size_t)snprintf(values + used, sizeof(values) - used, "%s%s",
                                         used ? ", " : "", field->names->names[i]);
        return refuse(refusal, REFUSED_INVALID_VALUE, "%s: no such value; there are: %s",
                      field->name, values);
}

static int read_string_field(sd_bus_message *m, const Field *field, const char *contents,
                             void *record, Refusal *refusal) {
        const char *text = "";
        int64_t date = 0;
        int value, r;

        r = read_text(m, field->name, contents, &text, refusal);
        if (r != 0)
                return r;
        switch (field->type) {
        case FIELD_ENUM:
                value = enum_value(field->names, text);
                if (value == 0)
                        return refuse_enum(field, refusal);
                field_set_number(field, record, value);
                return 0;
        case FIELD_DATE:
                r = field_parse_date(field, text, &date, refusal);
                if (r == 0)
                        field_set_number(field, record, date);
                return r;
        default:
                r = field_check_text(field, text, refusal);
                if (r == 0 && !*text && (field->marks & FIELD_REQUIRED))
                        r = refuse(refusal, REFUSED_INVALID_VALUE, "%s: must not be empty",
                                   field->name);
                return r != 0 ? r : field_set_text(field, record, text);
        }
}

/* An array of dictionaries, or the text that stands for it in files. */
static int read_list(sd_bus_message *m, const Field *field, const char *contents, void *record,
                     Refusal *refusal) {
        const List *list = field_at(field, record);
        const char *text = "";
        int r;

        if (STREQ(contents, "s")) {
                r = sd_bus_message_read_basic(m, 's', &text);
                return r < 0 ? r : value_read(field, text, record, refusal);
        }
        if (!STREQ(contents, "aa{sv}"))
                return refuse_type(field->name, "an array of dictionaries (aa{sv})", contents,
                                   refusal);
        r = sd_bus_message_enter_container(m, 'a', "a{sv}");
        while (r >= 0 && (r = sd_bus_message_at_end(m, false)) == 0) {
                FieldMask given = {};
                void *item;

                r = list_add_given(field, record, &item, refusal);
                if (r == 0)
                        r = fields_read(m, field->items, item, &given, NULL, NULL, refusal);
                if (r == 0)
                        r = list_check_item(field, item, &given, refusal);
                if (r != 0)
                        return list_refuse_item(field, list->n, r, refusal);
        }
        if (r >= 0)
                r = sd_bus_message_exit_container(m);
        return MIN(r, 0);
}

static int read_field(sd_bus_message *m, const Field *field, const char *contents, void *record,
                      Refusal *refusal) {
        int64_t number = 0;
        bool flag = false;
        int r;

        switch (field->type) {
        case FIELD_TEXT:
        case FIELD_ENUM:
        case FIELD_DATE:
                return read_string_field(m, field, contents, record, refusal);
        case FIELD_FLAG:
                r = read_flag(m, field->name, contents, &flag, refusal);
                if (r == 0)
                        field_set_number(field, record, flag);
                return r;
        case FIELD_ID:
        case FIELD_TIME:
        case FIELD_MONEY:
        case FIELD_COUNT:
                r = read_integer(m, field->name, contents, field->type != FIELD_ID, &number,
                                 refusal);
                if (r == 0)
                        r = field_check_number(field, number, refusal);
                if (r == 0)
                        field_set_number(field, record, number);
                return r;
        case FIELD_LIST:
                return read_list(m, field, contents, record, refusal);
        }
        return -EINVAL;
}

static int check_line(const char *key, const char *text, size_t limit, bool multiline,
                      Refusal *refusal) {
        Field field = { .name = key,
                        .type = FIELD_TEXT,
                        .limit = (int64_t)limit,
                        .marks = multiline ? FIELD_MULTILINE : 0 };

        if (!text || !*text)
                return refuse(refusal, REFUSED_INVALID_VALUE, "%s: must not be empty", key);
        return field_check_text(&field, text, refusal);
}

static int refuse_twice(const char *key, Refusal *refusal) {
        return refuse(refusal, REFUSED_INVALID_VALUE, "%s: is given twice", key);
}

/* An option: 0, > 0, < 0, or -ENOENT when the key is none. */
static int read_option(sd_bus_message *m, const char *key, const char *contents,
                       CallOptions *options, Refusal *refusal) {
        int64_t number = 0;
        int r;

        if (STREQ(key, AFTERSALES_OPTION_REQUEST_ID)) {
                if (options->request_id)
                        return refuse_twice(key, refusal);
                r = read_text(m, key, contents, &options->request_id, refusal);
                return r != 0 ? r
                              : check_line(key, options->request_id, REQUEST_ID_MAX_BYTES, false,
                                           refusal);
        }
        if (STREQ(key, AFTERSALES_OPTION_NOTE)) {
                if (options->note)
                        return refuse_twice(key, refusal);
                r = read_text(m, key, contents, &options->note, refusal);
                return r != 0 ? r : check_line(key, options->note, TEXT_MAX_BYTES, true, refusal);
        }
        if (STREQ(key, AFTERSALES_OPTION_BY)) {
                if (options->by)
                        return refuse_twice(key, refusal);
                r = read_text(m, key, contents, &options->by, refusal);
                return r != 0 ? r : check_line(key, options->by, NAME_MAX_BYTES, false, refusal);
        }
        if (STREQ(key, AFTERSALES_OPTION_REVISION)) {
                if (options->revision)
                        return refuse_twice(key, refusal);
                r = read_integer(m, key, contents, false, &number, refusal);
                if (r == 0 && number == 0)
                        r = refuse(refusal, REFUSED_INVALID_VALUE, "%s: the first one is 1", key);
                if (r == 0)
                        options->revision = (uint64_t)number;
                return r;
        }
        if (STREQ(key, AFTERSALES_OPTION_AT)) {
                Field field = { .name = key, .type = FIELD_TIME };

                if (options->at)
                        return refuse_twice(key, refusal);
                r = read_integer(m, key, contents, true, &options->at, refusal);
                return r != 0 ? r : field_check_number(&field, options->at, refusal);
        }
        return -ENOENT;
}

static int read_extra(sd_bus_message *m, const char *key, const char *contents, ExtraKey *extra,
                      Refusal *refusal) {
        for (; extra && extra->name; extra++) {
                if (!STREQ(key, extra->name))
                        continue;
                if (extra->given)
                        return refuse_twice(key, refusal);
                extra->given = true;
                if (extra->type == 'b')
                        return read_flag(m, key, contents, extra->value, refusal);
                if (extra->type == 's')
                        return read_text(m, key, contents, extra->value, refusal);
                return read_integer(m, key, contents, extra->type != 't', extra->value, refusal);
        }
        return -ENOENT;
}

static const char *const option_names[] = { AFTERSALES_OPTION_REQUEST_ID,
                                            AFTERSALES_OPTION_REVISION, AFTERSALES_OPTION_NOTE,
                                            AFTERSALES_OPTION_BY, AFTERSALES_OPTION_AT };

static int refuse_unknown(const RecordType *type, const char *key, bool options, Refusal *refusal) {
        const char *names[RECORD_FIELDS_MAX + ELEMENTS(option_names) + 1] = {}, *nearest;
        char clean[NAME_MAX_BYTES];
        size_t n = 0;

        for (size_t i = 0; i < type->n_fields && i < RECORD_FIELDS_MAX; i++)
                if (!(type->fields[i].marks & FIELD_HIDDEN))
                        names[n++] = type->fields[i].name;
        for (size_t i = 0; options && i < ELEMENTS(option_names); i++)
                names[n++] = option_names[i];
        nearest = text_nearest(key, names);
        return refuse(refusal, REFUSED_UNKNOWN_FIELD, "there is no field '%s'%s%s%s",
                      text_escape(key, clean, sizeof(clean)), nearest ? "; did you mean '" : "",
                      nearest ? nearest : "", nearest ? "'?" : "");
}

static int read_entry(sd_bus_message *m, const RecordType *type, void *record, FieldMask *given,
                      CallOptions *options, ExtraKey *extra, Refusal *refusal) {
        const char *key, *contents;
        const Field *field;
        size_t position;
        char kind;
        int r;

        r = sd_bus_message_read_basic(m, 's', &key);
        if (r >= 0)
                r = sd_bus_message_peek_type(m, &kind, &contents);
        if (r >= 0)
                r = sd_bus_message_enter_container(m, 'v', contents);
        if (r < 0)
                return r;
        /* An option comes before a field of the same name: revision is what the caller has seen. */
        r = options ? read_option(m, key, contents, options, refusal) : -ENOENT;
        if (r == -ENOENT)
                r = read_extra(m, key, contents, extra, refusal);
        field = r == -ENOENT ? record_field(type, key, &position) : NULL;
        if (field && !(field->marks & FIELD_HIDDEN)) {
                if (field_mask_has(given, position))
                        return refuse_twice(key, refusal);
                r = read_field(m, field, contents, record, refusal);
                field_mask_set(given, position);
        } else if (r == -ENOENT)
                r = refuse_unknown(type, key, options, refusal);
        if (r != 0)
                return r;
        r = sd_bus_message_exit_container(m);
        return r < 0 ? r : 0;
}

int fields_read(sd_bus_message *m, const RecordType *type, void *record, FieldMask *given,
                CallOptions *options, ExtraKey *extra, Refusal *refusal) {
        int r;

        r = sd_bus_message_enter_container(m, 'a', "{sv}");
        if (r < 0)
                return r;
        while ((r = sd_bus_message_enter_container(m, 'e', "sv")) > 0) {
                r = read_entry(m, type, record, given, options, extra, refusal);
                if (r != 0)
                        return r;
                r = sd_bus_message_exit_container(m);
                if (r < 0)
                        return r;
        }
        if (r == 0)
                r = sd_bus_message_exit_container(m);
        return r < 0 ? r : 0;
}

/* ---- writing ---- */

int entry_append_text(sd_bus_message *m, const char *key, const char *value) {
        return sd_bus_message_append(m, "{sv}", key, "s", value);
}

int entry_append_number(sd_bus_message *m, const char *key, char type, int64_t value) {
        const char signature[] = { type, '\0' };

        return type == 'b' ? sd_bus_message_append(m, "{sv}", key, signature, (int)value)
                           : sd_bus_message_append(m, "{sv}", key, signature, value);
}

static int append_list(sd_bus_message *m, const Field *field, const void *record, bool personal) {
        const List *list = field_at(field, record);
        int r;

        r = sd_bus_message_open_container(m, 'e', "sv");
        if (r >= 0)
                r = sd_bus_message_append_basic(m, 's', field->name);
        if (r >= 0)
                r = sd_bus_message_open_container(m, 'v', "aa{sv}");
        if (r >= 0)
                r = sd_bus_message_open_container(m, 'a', "a{sv}");
        for (size_t i = 0; r >= 0 && i < list->n; i++)
                r = fields_append(m, field->items,
                                  (const char *)list->items + i * field->items->size, personal);
        for (int i = 0; r >= 0 && i < 3; i++)
                r = sd_bus_message_close_container(m);
        return r;
}

static int append_field(sd_bus_message *m, const Field *field, const void *record, bool personal) {
        char date[DATE_TEXT_SIZE];
        int64_t number;

        if (field->type == FIELD_TEXT)
                return entry_append_text(m, field->name,
                                         (field->marks & FIELD_PERSONAL) && !personal
                                                 ? MASKED
                                                 : field_text(field, record));
        if (field->type == FIELD_LIST)
                return append_list(m, field, record, personal);
        number = field_number(field, record);
        switch (field->type) {
        case FIELD_ENUM:
                return entry_append_text(m, field->name, enum_name(field->names, (int)number));
        case FIELD_DATE:
                return entry_append_text(m, field->name, date_format(number, date));
        case FIELD_FLAG:
                return entry_append_number(m, field->name, 'b', number);
        case FIELD_ID:
                return entry_append_number(m, field->name, 't', number);
        default:
                return entry_append_number(m, field->name, 'x', number);
        }
}

int fields_append(sd_bus_message *m, const RecordType *type, const void *record, bool personal) {
        int r = sd_bus_message_open_container(m, 'a', "{sv}");

        for (size_t i = 0; r >= 0 && i < type->n_fields; i++) {
                const Field *field = &type->fields[i];

                /* A flag says false; anything else that is not given is not there. */
                if (!(field->marks & FIELD_HIDDEN) &&
                    (field->type == FIELD_FLAG || field_is_set(field, record)))
                        r = append_field(m, field, record, personal);
        }
        return r < 0 ? r : sd_bus_message_close_container(m);
}

/* Of an entry besides name and value: lengths, signature, padding to eight bytes. */
#define ENTRY_BYTES 20

size_t fields_bytes(const RecordType *type, const void *record) {
        size_t bytes = ENTRY_BYTES;

        for (size_t i = 0; i < type->n_fields; i++) {
                const Field *field = &type->fields[i];
                const List *list = field_at(field, record);

                if (field->marks & FIELD_HIDDEN || !field_is_set(field, record))
                        continue;
                bytes += ENTRY_BYTES + strlen(field->name) + sizeof(int64_t);
                if (field->type == FIELD_TEXT)
                        bytes += strlen(field_text(field, record));
                for (size_t k = 0; field->type == FIELD_LIST && k < list->n; k++)
                        bytes += fields_bytes(field->items,
                                              (const char *)list->items + k * field->items->size);
        }
        return bytes;
}
