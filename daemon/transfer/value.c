/* SPDX-License-Identifier: Apache-2.0 */

#include "transfer/value.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "aftersales/limits.h"
#include "base/text.h"
#include "base/zone.h"
#include "store/store.h"

/* Digits alone, up to max. 0 or -EINVAL. */
static int read_digits(const char *text, size_t n, uint64_t max, uint64_t *ret) {
        uint64_t value = 0;

        if (n == 0)
                return -EINVAL;
        for (size_t i = 0; i < n; i++) {
                if (!isdigit((unsigned char)text[i]))
                        return -EINVAL;
                if (__builtin_mul_overflow(value, UINT64_C(10), &value) ||
                    __builtin_add_overflow(value, (uint64_t)(text[i] - '0'), &value))
                        return -EINVAL;
        }
        if (value > max)
                return -EINVAL;
        *ret = value;
        return 0;
}

static int read_signed(const char *text, int64_t *ret) {
        bool negative = *text == '-';
        uint64_t value;

        if (read_digits(text + negative, strlen(text + negative), INT64_MAX, &value) < 0)
                return -EINVAL;
        *ret = negative ? -(int64_t)value : (int64_t)value;
        return 0;
}

int value_read_id(const char *text, uint64_t *ret) {
        const char *digits = isupper((unsigned char)*text) ? text + 1 : text;
        const char *dot = digits > text ? strchr(digits, '.') : NULL;
        uint64_t site = 0, number;

        if (dot && read_digits(digits, (size_t)(dot - digits), UINT16_MAX, &site) < 0)
                return -EINVAL;
        if (dot)
                digits = dot + 1;
        if (read_digits(digits, strlen(digits), UINT64_MAX, &number) < 0 ||
            (digits > text && number >> ID_SITE_SHIFT))
                return -EINVAL;
        *ret = site << ID_SITE_SHIFT | number;
        return 0;
}

/* ---- times ---- */

/* ".250000" after the seconds. *text moves behind it. */
static int read_fraction(const char **text, int64_t *ret) {
        int64_t unit = USEC_PER_SEC, value = 0;
        const char *p = *text;

        if (*p == '.') {
                for (p++; isdigit((unsigned char)*p) && unit > 1; p++) {
                        unit /= 10;
                        value += (*p - '0') * unit;
                }
                if (p == *text + 1 || isdigit((unsigned char)*p))
                        return -EINVAL;
        }
        *text = p;
        *ret = value;
        return 0;
}

/* "Z" or "+08:00": seconds east. */
static int read_offset(const char *text, int64_t *ret) {
        static const char form[] = "+00:00";

        if (STREQ(text, "Z")) {
                *ret = 0;
                return 0;
        }
        if (strlen(text) != strlen(form) || (*text != '+' && *text != '-'))
                return -EINVAL;
        for (size_t i = 1; form[i]; i++)
                if (form[i] == ':' ? text[i] != ':' : !isdigit((unsigned char)text[i]))
                        return -EINVAL;
        *ret = ((text[1] - '0') * 10 + (text[2] - '0')) * 3600 +
               ((text[4] - '0') * 10 + (text[5] - '0')) * 60;
        if (*ret >= 86400)
                return -EINVAL;
        *ret = *text == '-' ? -*ret : *ret;
        return 0;
}

static bool has_form(const char *text, const char *form) {
        for (; *form; text++, form++)
                if (*form == '0' ? !isdigit((unsigned char)*text) : *text != *form)
                        return false;
        return true;
}

int value_read_time(const char *text, int64_t *ret) {
        static const char form[] = "0000-00-00T00:00:00";
        int year, month, day, hour, minute, second, y, m, d;
        int64_t fraction, offset;
        const char *rest;
        int32_t date;

        if (read_signed(text, ret) == 0)
                return 0;
        if (!has_form(text, form) || sscanf(text, "%4d-%2d-%2dT%2d:%2d:%2d", &year, &month, &day,
                                            &hour, &minute, &second) != 6)
                return -EINVAL;
        rest = text + strlen(form);
        if (read_fraction(&rest, &fraction) < 0 || read_offset(rest, &offset) < 0)
                return -EINVAL;
        if (year < CALENDAR_YEAR_MIN || month < 1 || month > 12 || day < 1 || day > 31 ||
            hour > 23 || minute > 59 || second > 59)
                return -EINVAL;
        date = days_from_civil(year, month, day);
        civil_from_days(date, &y, &m, &d);
        if (m != month || d != day)
                return -EINVAL;
        *ret = ((int64_t)date * 86400 + hour * 3600 + minute * 60 + second - offset) *
                       USEC_PER_SEC +
               fraction;
        return 0;
}

static const char *time_text(int64_t time, char buffer[static VALUE_SIZE]) {
        int64_t seconds = time / USEC_PER_SEC, fraction = time % USEC_PER_SEC;
        int year, month, day;
        int32_t date, second;
        int n;

        if (fraction < 0) {
                fraction += USEC_PER_SEC;
                seconds--;
        }
        date = (int32_t)((seconds - (seconds % 86400 + 86400) % 86400) / 86400);
        second = (int32_t)(seconds - (int64_t)date * 86400);
        civil_from_days(date, &year, &month, &day);
        n = snprintf(buffer, VALUE_SIZE, "%04d-%02d-%02dT%02d:%02d:%02d", year, month, day,
                     second / 3600, second / 60 % 60, second % 60);
        if (fraction)
                n += snprintf(buffer + n, VALUE_SIZE - (size_t)n, ".%06" PRId64, fraction);
        snprintf(buffer + n, VALUE_SIZE - (size_t)n, "Z");
        return buffer;
}

/* ---- fields ---- */

static int refuse_form(const Field *field, const char *form, Refusal *refusal) {
        return refuse(refusal, REFUSED_INVALID_VALUE, "%s: %s", field->name, form);
}

static int read_enum(const Field *field, const char *text, int64_t *ret, Refusal *refusal) {
        char names[REFUSAL_TEXT_MAX / 2];
        size_t used = 0;

        *ret = enum_value(field->names, text);
        if (*ret > 0)
                return 0;
        for (int i = 1; i < field->names->n && used < sizeof(names); i++)
                used += (size_t)snprintf(names + used, sizeof(names) - used, "%s%s",
                                         used ? ", " : "", field->names->names[i]);
        return refuse(refusal, REFUSED_INVALID_VALUE, "%s: must be one of %s", field->name, names);
}

static int read_number(const Field *field, const char *text, int64_t *ret, Refusal *refusal) {
        uint64_t id;

        switch (field->type) {
        case FIELD_ID:
                if (value_read_id(text, &id) < 0)
                        return refuse_form(field, "no number such as 17 or T17", refusal);
                *ret = (int64_t)id;
                return 0;
        case FIELD_TIME:
                if (value_read_time(text, ret) < 0)
                        return refuse_form(field, "no time such as 2026-11-23T18:05:00Z", refusal);
                return field_check_number(field, *ret, refusal);
        case FIELD_DATE:
                return field_parse_date(field, text, ret, refusal);
        case FIELD_MONEY:
        case FIELD_COUNT:
                if (read_signed(text, ret) < 0)
                        return refuse_form(field,
                                           field->type == FIELD_MONEY ? "no whole number of fen"
                                                                      : "no whole number",
                                           refusal);
                return field_check_number(field, *ret, refusal);
        case FIELD_ENUM:
                return read_enum(field, text, ret, refusal);
        case FIELD_FLAG:
                *ret = STREQ(text, "true");
                if (*ret || STREQ(text, "false"))
                        return 0;
                return refuse_form(field, "must be true or false", refusal);
        case FIELD_TEXT:
        case FIELD_LIST:
                break;
        }
        return refuse_form(field, "cannot be given in a file", refusal);
}

/* ---- lists ---- */

static const char blanks[] = " \t";

/* The text in quotation marks at *at. 0 or -EINVAL. */
static int take_quoted(const char **at, char *ret) {
        const char *p = *at + 1;

        for (; *p; p++) {
                if (*p == '"' && *++p != '"') {
                        *ret = '\0';
                        *at = p;
                        return *p && *p != ';' && !strchr(blanks, *p) ? -EINVAL : 0;
                }
                *ret++ = *p;
        }
        return -EINVAL;
}

/* What stands at *at up to one of these. */
static void take_until(const char **at, const char *ends, char *ret) {
        size_t n = strcspn(*at, ends);

        memcpy(ret, *at, n);
        ret[n] = '\0';
        *at += n;
}

/* The next field of an item; both have room for the whole text. 1, 0 at the end of the item,
 * -EINVAL. */
static int next_pair(const char **at, char *name, char *value) {
        *at += strspn(*at, blanks);
        if (!**at || **at == ';')
                return 0;
        take_until(at, "= \t;\"", name);
        if (!*name || **at != '=')
                return -EINVAL;
        ++*at;
        if (**at == '"')
                return take_quoted(at, value) < 0 ? -EINVAL : 1;
        take_until(at, " \t;\"", value);
        return **at == '"' ? -EINVAL : 1;
}

static int read_pair(const RecordType *type, const char *name, const char *value, void *item,
                     FieldMask *given, Refusal *refusal) {
        char clean[NAME_MAX_BYTES];
        const Field *field;
        size_t position;

        field = record_field(type, name, &position);
        if (!field || (field->marks & FIELD_HIDDEN))
                return refuse(refusal, REFUSED_UNKNOWN_FIELD, "there is no field '%s'",
                              text_escape(name, clean, sizeof(clean)));
        if (field_mask_has(given, position))
                return refuse(refusal, REFUSED_INVALID_VALUE, "%s: is given twice", field->name);
        field_mask_set(given, position);
        return value_read(field, value, item, refusal);
}

static int read_item(const Field *list, const char **at, void *item, char *name, char *value,
                     Refusal *refusal) {
        FieldMask given = {};
        int r;

        while ((r = next_pair(at, name, value)) > 0) {
                r = read_pair(list->items, name, value, item, &given, refusal);
                if (r != 0)
                        return r;
        }
        if (r < 0)
                return refuse(refusal, REFUSED_INVALID_VALUE,
                              "write its fields as name=value, divided by blanks, and a semicolon "
                              "before the next item");
        return list_check_item(list, item, &given, refusal);
}

static int read_list(const Field *field, const char *text, void *record, Refusal *refusal) {
        const List *list = field_at(field, record);
        size_t size = strlen(text) + 1;
        _cleanup_free_ char *words = malloc(2 * size);
        int r = words ? 0 : -ENOMEM;

        text += strspn(text, blanks);
        while (r == 0 && *text) {
                void *item;

                r = list_add_given(field, record, &item, refusal);
                if (r == 0)
                        r = read_item(field, &text, item, words, words + size, refusal);
                if (r != 0)
                        return list_refuse_item(field, list->n, r, refusal);
                text += *text == ';';
                text += strspn(text, blanks);
        }
        return r;
}

static void append_pair(const char *name, const char *value, Buffer *buffer) {
        bool quoted = !*value || strpbrk(value, " \t;\"");

        buffer_put(buffer, name, strlen(name));
        buffer_put_u8(buffer, '=');
        if (quoted)
                buffer_put_u8(buffer, '"');
        for (; *value; value++) {
                if (*value == '"')
                        buffer_put_u8(buffer, '"');
                buffer_put_u8(buffer, (uint8_t)*value);
        }
        if (quoted)
                buffer_put_u8(buffer, '"');
}

void value_append_list(const Field *field, const void *record, Buffer *buffer) {
        const List *list = field_at(field, record);

        for (size_t i = 0; i < list->n; i++) {
                const char *item = (const char *)list->items + i * field->items->size;
                const char *before = i > 0 ? "; " : "";

                for (size_t k = 0; k < field->items->n_fields; k++) {
                        const Field *of = &field->items->fields[k];
                        char text[VALUE_SIZE];

                        if (!(of->marks & FIELD_SETTABLE) || !field_is_set(of, item))
                                continue;
                        buffer_put(buffer, before, strlen(before));
                        append_pair(of->name, value_text(of, item, text), buffer);
                        before = " ";
                }
        }
}

/* ---- any of them ---- */

int value_read(const Field *field, const char *text, void *record, Refusal *refusal) {
        int64_t number = 0;
        int r;

        if ((field->marks & FIELD_PERSONAL) && STREQ(text, VALUE_MASKED))
                return refuse(refusal, REFUSED_INVALID_VALUE,
                              "%s: %s stands for what the export was not permitted to tell; leave "
                              "the column out",
                              field->name, VALUE_MASKED);
        if (field->type == FIELD_TEXT) {
                r = field_check_text(field, text, refusal);
                return r != 0 ? r : field_set_text(field, record, text);
        }
        if (field->type == FIELD_LIST)
                return read_list(field, text, record, refusal);
        r = read_number(field, text, &number, refusal);
        if (r == 0)
                field_set_number(field, record, number);
        return r;
}

const char *value_text(const Field *field, const void *record, char buffer[static VALUE_SIZE]) {
        int64_t number;

        if (field->type == FIELD_TEXT)
                return field_text(field, record);
        number = field_number(field, record);
        switch (field->type) {
        case FIELD_TIME:
                return time_text(number, buffer);
        case FIELD_DATE:
                return date_format(number, buffer);
        case FIELD_ENUM:
                return enum_name(field->names, (int)number);
        case FIELD_FLAG:
                return number ? "true" : "false";
        case FIELD_ID:
                snprintf(buffer, VALUE_SIZE, "%" PRIu64, (uint64_t)number);
                return buffer;
        case FIELD_MONEY:
        case FIELD_COUNT:
        case FIELD_TEXT:
        case FIELD_LIST:
                break;
        }
        snprintf(buffer, VALUE_SIZE, "%" PRId64, number);
        return buffer;
}

/* ---- cells ---- */

static bool begins_with_trigger(const char *text) {
        static const char *const triggers[] = { "=",  "+",  "-",  "@",  "\t", "\r",
                                                "＝", "＋", "－", "＠", "'" };

        for (size_t i = 0; i < ELEMENTS(triggers); i++)
                if (strncmp(text, triggers[i], strlen(triggers[i])) == 0)
                        return true;
        return false;
}

const char *cell_unguard(const char *text) {
        return *text == '\'' && begins_with_trigger(text + 1) ? text + 1 : text;
}

void cell_append(Buffer *buffer, const char *text) {
        /* Blanks at the ends are kept by quotes: some readers would cut them off. */
        bool quoted = strpbrk(text, "\",\r\n\t") || *text == ' ' ||
                      (*text && text[strlen(text) - 1] == ' ');

        if (quoted)
                buffer_put_u8(buffer, '"');
        if (begins_with_trigger(text))
                buffer_put_u8(buffer, '\'');
        for (; *text; text++) {
                if (*text == '"')
                        buffer_put_u8(buffer, '"');
                buffer_put_u8(buffer, (uint8_t)*text);
        }
        if (quoted)
                buffer_put_u8(buffer, '"');
}
