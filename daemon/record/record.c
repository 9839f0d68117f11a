/* SPDX-License-Identifier: Apache-2.0 */

#include "record/record.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "aftersales/limits.h"
#include "base/text.h"
#include "base/zone.h"

/* Instants a caller may name: 1970-01-02 .. 2169-12-31, inside of what calendars can compute. */
#define TIME_FIRST (INT64_C(86400) * USEC_PER_SEC)
#define TIME_LAST  (INT64_C(6311347200) * USEC_PER_SEC)

bool field_is_set(const Field *field, const void *record) {
        if (field->type == FIELD_TEXT)
                return field_text(field, record) && *field_text(field, record);
        if (field->type == FIELD_LIST)
                return ((const List *)field_at(field, record))->n > 0;
        return field_number(field, record) != 0;
}

int64_t field_number(const Field *field, const void *record) {
        const void *p = field_at(field, record);

        switch (field->type) {
        case FIELD_ID:
                return (int64_t) * (const uint64_t *)p;
        case FIELD_ENUM:
                return *(const int *)p;
        case FIELD_FLAG:
                return *(const bool *)p;
        case FIELD_TIME:
        case FIELD_DATE:
        case FIELD_MONEY:
        case FIELD_COUNT:
                return *(const int64_t *)p;
        case FIELD_TEXT:
        case FIELD_LIST:
                break;
        }
        assert(false);
        return 0;
}

void field_set_number(const Field *field, void *record, int64_t value) {
        void *p = field_at(field, record);

        switch (field->type) {
        case FIELD_ID:
                *(uint64_t *)p = (uint64_t)value;
                return;
        case FIELD_ENUM:
                *(int *)p = (int)value;
                return;
        case FIELD_FLAG:
                *(bool *)p = value != 0;
                return;
        case FIELD_TIME:
        case FIELD_DATE:
        case FIELD_MONEY:
        case FIELD_COUNT:
                *(int64_t *)p = value;
                return;
        case FIELD_TEXT:
        case FIELD_LIST:
                break;
        }
        assert(false);
}

const char *field_text(const Field *field, const void *record) {
        assert(field->type == FIELD_TEXT);
        return *(char *const *)field_at(field, record);
}

int field_set_text(const Field *field, void *record, const char *text) {
        char **p = field_at(field, record), *copy = NULL;

        assert(field->type == FIELD_TEXT);
        if (text && *text) {
                copy = strdup(text);
                if (!copy)
                        return -ENOMEM;
        }
        free(*p);
        *p = copy;
        return 0;
}

int field_check_number(const Field *field, int64_t value, Refusal *refusal) {
        int64_t limit = field->limit > 0 ? field->limit : INT64_MAX;

        if (field->type == FIELD_TIME && (value < TIME_FIRST || value > TIME_LAST))
                return refuse(refusal, REFUSED_INVALID_VALUE,
                              "%s: %" PRId64 " is out of range: a time is in microseconds since "
                              "1970-01-01 UTC and lies before 2170",
                              field->name, value);
        if (field->type == FIELD_COUNT && (value < 0 || value > limit))
                return refuse(refusal, REFUSED_INVALID_VALUE,
                              "%s: %" PRId64 " is out of range: 0 to %" PRId64 " is allowed",
                              field->name, value, limit);
        return 0;
}

static int refuse_code(const Field *field, const char *text, Refusal *refusal) {
        for (const char *p = text; *p; p++)
                if (!isalnum((unsigned char)*p) && !strchr("-_./", *p))
                        return refuse(refusal, REFUSED_INVALID_VALUE,
                                      "%s: a code has only the letters A-Z a-z, digits and - _ . /",
                                      field->name);
        return 0;
}

int field_check_text(const Field *field, const char *text, Refusal *refusal) {
        size_t size = strlen(text), limit = (size_t)field->limit, position;

        if (size > limit)
                return refuse(refusal, REFUSED_INVALID_VALUE,
                              "%s: %zu bytes are too long: at most %zu are allowed", field->name,
                              size, limit);
        switch (text_check(text, size, field->marks & FIELD_MULTILINE, &position)) {
        case TEXT_NOT_UTF8:
                return refuse(refusal, REFUSED_INVALID_VALUE,
                              "%s: not UTF-8 at byte %zu: send text as UTF-8", field->name,
                              position + 1);
        case TEXT_CONTROL:
                return refuse(refusal, REFUSED_INVALID_VALUE,
                              "%s: a control character at byte %zu: %s", field->name, position + 1,
                              field->marks & FIELD_MULTILINE
                                      ? "only line breaks and tabs are allowed"
                                      : "this text has one line and no control characters");
        case TEXT_OK:
                break;
        }
        return field->marks & FIELD_CODE ? refuse_code(field, text, refusal) : 0;
}

/* Ten characters in their places: sscanf() alone would take blanks and signs as well. */
static bool has_date_form(const char *text) {
        static const char form[] = "0000-00-00";
        size_t i = 0;

        while (form[i] && (form[i] == '-' ? text[i] == '-' : isdigit((unsigned char)text[i])))
                i++;
        return !form[i] && !text[i];
}

int field_parse_date(const Field *field, const char *text, int64_t *ret, Refusal *refusal) {
        int year, month, day, y, m, d;
        int32_t date;

        if (has_date_form(text) && sscanf(text, "%4d-%2d-%2d", &year, &month, &day) == 3 &&
            year >= CALENDAR_YEAR_MIN && year < CALENDAR_YEAR_MAX && month >= 1 && month <= 12 &&
            day >= 1 && day <= 31) {
                date = days_from_civil(year, month, day);
                civil_from_days(date, &y, &m, &d);
                if (date > 0 && y == year && m == month && d == day) {
                        *ret = date;
                        return 0;
                }
        }
        return refuse(refusal, REFUSED_INVALID_VALUE,
                      "%s: no such date: write it as 2026-01-31, between %d-01-02 and %d-12-31",
                      field->name, CALENDAR_YEAR_MIN, CALENDAR_YEAR_MAX - 1);
}

char *date_format(int64_t date, char buffer[static DATE_TEXT_SIZE]) {
        int year, month, day;

        civil_from_days((int32_t)date, &year, &month, &day);
        snprintf(buffer, DATE_TEXT_SIZE, "%04u-%02u-%02u", (unsigned)year % 10000,
                 (unsigned)month % 100, (unsigned)day % 100);
        return buffer;
}

char *time_format(int64_t time, char buffer[static TIME_TEXT_SIZE]) {
        time_t seconds = time / USEC_PER_SEC;
        struct tm tm;

        buffer[0] = '\0';
        if (gmtime_r(&seconds, &tm))
                strftime(buffer, TIME_TEXT_SIZE, "%Y-%m-%dT%H:%M:%SZ", &tm);
        return buffer;
}

int enum_value(const EnumNames *names, const char *name) {
        for (int i = 1; i < names->n; i++)
                if (STREQ(names->names[i], name))
                        return i;
        return 0;
}

const char *enum_name(const EnumNames *names, int value) {
        return value > 0 && value < names->n ? names->names[value] : "?";
}

const Field *record_field(const RecordType *type, const char *name, size_t *ret_position) {
        for (size_t i = 0; i < type->n_fields; i++)
                if (STREQ(type->fields[i].name, name)) {
                        if (ret_position)
                                *ret_position = i;
                        return &type->fields[i];
                }
        return NULL;
}

static void list_done(List *list, const RecordType *items) {
        for (size_t i = 0; i < list->n; i++)
                record_done(items, (char *)list->items + i * items->size);
        free(list->items);
        *list = (List){};
}

void *list_add(List *list, const RecordType *items) {
        void *grown = reallocarray(list->items, list->n + 1, items->size);

        if (!grown)
                return NULL;
        list->items = grown;
        return memset((char *)grown + list->n++ * items->size, 0, items->size);
}

int list_add_given(const Field *field, void *record, void **ret_item, Refusal *refusal) {
        List *list = field_at(field, record);

        if (field->limit == 0)
                return refuse(refusal, REFUSED_UNKNOWN_FIELD,
                              "the field %s is not the caller's to set", field->name);
        if (list->n >= (size_t)field->limit)
                return refuse(refusal, REFUSED_LIMIT, "%s: at most %" PRId64 " are allowed at once",
                              field->name, field->limit);
        *ret_item = list_add(list, field->items);
        return *ret_item ? 0 : -ENOMEM;
}

int list_check_item(const Field *field, const void *item, const FieldMask *given,
                    Refusal *refusal) {
        for (size_t i = 0; i < field->items->n_fields; i++) {
                const Field *part = &field->items->fields[i];

                if (field_mask_has(given, i) && !(part->marks & FIELD_SETTABLE))
                        return refuse(refusal, REFUSED_UNKNOWN_FIELD,
                                      "%s: is not the caller's to set", part->name);
                if (!field_is_set(part, item) && (part->marks & FIELD_REQUIRED))
                        return refuse(refusal, REFUSED_MISSING_FIELD, "%s is missing (%s)",
                                      part->name, part->doc);
        }
        return 0;
}

int list_refuse_item(const Field *field, size_t item, int result, Refusal *refusal) {
        Refusal of_item = *refusal;

        if (result > 0)
                refuse(refusal, result, "%s: item %zu: %s", field->name, item, of_item.text);
        return result;
}

void record_done(const RecordType *type, void *record) {
        Record *head = record;

        for (size_t i = 0; i < type->n_fields; i++) {
                const Field *field = &type->fields[i];

                if (field->type == FIELD_TEXT)
                        free(*(char **)field_at(field, record));
                else if (field->type == FIELD_LIST)
                        list_done(field_at(field, record), field->items);
        }
        free(head->unknown);
        memset(record, 0, type->size);
}

static int list_copy(List *list, const List *source, const RecordType *items) {
        List copy = {};

        for (size_t i = 0; i < source->n; i++) {
                void *item = list_add(&copy, items);

                if (!item ||
                    record_copy(items, item, (const char *)source->items + i * items->size) < 0) {
                        list_done(&copy, items);
                        return -ENOMEM;
                }
        }
        list_done(list, items);
        *list = copy;
        return 0;
}

static int field_copy(const Field *field, void *record, const void *source) {
        if (field->type == FIELD_TEXT)
                return field_set_text(field, record, field_text(field, source));
        if (field->type == FIELD_LIST)
                return list_copy(field_at(field, record), field_at(field, source), field->items);
        field_set_number(field, record, field_number(field, source));
        return 0;
}

int record_copy(const RecordType *type, void *record, const void *source) {
        const Record *from = source;
        Record *to = record;
        int r = 0;

        memset(record, 0, type->size);
        for (size_t i = 0; i < type->n_fields && r == 0; i++)
                r = field_copy(&type->fields[i], record, source);
        if (r == 0 && from->unknown_size > 0) {
                to->unknown = malloc(from->unknown_size);
                if (to->unknown) {
                        memcpy(to->unknown, from->unknown, from->unknown_size);
                        to->unknown_size = from->unknown_size;
                } else
                        r = -ENOMEM;
        }
        if (r < 0)
                record_done(type, record);
        return r;
}

int record_merge(const RecordType *type, void *record, const void *source, const FieldMask *mask) {
        for (size_t i = 0; i < type->n_fields; i++) {
                int r;

                if (!field_mask_has(mask, i))
                        continue;
                r = field_copy(&type->fields[i], record, source);
                if (r < 0)
                        return r;
        }
        return 0;
}
