/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What is stored: a record is a C struct and one table of its fields. From that table come the
 * stored form (record/codec.c), the D-Bus dictionaries, the validation messages and the printed
 * schema. Adding a field is one line.
 *
 * A zero value (0, false, NULL, no items) means "not given" and takes no room. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/refusal.h"

typedef struct RecordType RecordType;

typedef enum FieldType {
        FIELD_ID,    /* uint64_t                                        bus t */
        FIELD_TIME,  /* int64_t, microseconds UTC                       bus x */
        FIELD_DATE,  /* int64_t, days since 1970-01-01                  bus s, YYYY-MM-DD */
        FIELD_MONEY, /* int64_t, fen                                    bus x */
        FIELD_COUNT, /* int64_t, never negative                         bus x */
        FIELD_ENUM,  /* int, 0 is "not given"                           bus s, the name */
        FIELD_TEXT,  /* char *, owned by the record                     bus s */
        FIELD_FLAG,  /* bool                                            bus b */
        FIELD_LIST,  /* List of records of another type                 bus aa{sv} */
} FieldType;

typedef enum FieldMark {
        FIELD_REQUIRED = 1 << 0,  /* must be given on create */
        FIELD_SETTABLE = 1 << 1,  /* a caller may give it on create */
        FIELD_UPDATABLE = 1 << 2, /* and change it by Update later */
        FIELD_PERSONAL = 1 << 3,  /* personal data: masked without the permission, never logged */
        FIELD_MULTILINE = 1 << 4, /* the text may have line breaks */
        FIELD_CODE = 1 << 5,      /* a code: letters, digits and - _ . / only */
        FIELD_FILTER = 1 << 6,    /* List takes it as a filter */
        FIELD_HIDDEN = 1 << 7,    /* stored only, not part of any answer */
        FIELD_TRACKED = 1 << 8,   /* the history tells its changes even where no caller set it */
} FieldMark;

/* The names of an enumeration; names[0] is NULL. */
typedef struct EnumNames {
        const char *const *names;
        int n;
} EnumNames;

/* Those of one enumeration, by its values. */
#define NAMES(variable, ...)                                                                       \
        static const char *const variable##_[] = { __VA_ARGS__ };                                  \
        static const EnumNames variable = { variable##_, ELEMENTS(variable##_) }

typedef struct Field {
        uint16_t tag; /* stable for ever; ascending in the table */
        FieldType type;
        const char *name; /* snake_case, the same word everywhere */
        size_t offset;
        unsigned marks;
        int64_t limit;           /* text: bytes; numbers: greatest value; 0: the type's own; lists:
                                  * items that a caller may give */
        const EnumNames *names;  /* FIELD_ENUM */
        const RecordType *items; /* FIELD_LIST */
        const char *doc;         /* one line: meaning and unit */
} Field;

#define RECORD_FIELDS_MAX 128

struct RecordType {
        const char *name;
        uint8_t number;  /* in the header of every stored record; stable for ever */
        uint8_t version; /* that is written; every older one can be read */
        size_t size;     /* of the struct */
        const Field *fields;
        size_t n_fields;
};

/* The first member of every record struct: what a newer program stored and this one does not know.
 */
typedef struct Record {
        uint8_t *unknown; /* its tag-length-value elements, ascending */
        size_t unknown_size;
} Record;

typedef struct List {
        void *items; /* n structs of the field's item type, one after the other */
        size_t n;
} List;

/* Which fields of a record, by position in the table. */
typedef struct FieldMask {
        uint64_t bits[RECORD_FIELDS_MAX / 64];
} FieldMask;

static inline void field_mask_set(FieldMask *mask, size_t i) {
        mask->bits[i / 64] |= UINT64_C(1) << (i % 64);
}
static inline void field_mask_clear(FieldMask *mask, size_t i) {
        mask->bits[i / 64] &= ~(UINT64_C(1) << (i % 64));
}
static inline bool field_mask_has(const FieldMask *mask, size_t i) {
        return mask->bits[i / 64] >> (i % 64) & 1;
}

/* Initialisers of a field. The member's C type is checked against the field's at compile time. */
#define FIELD_OFFSET(Struct, member, Type)                                                         \
        (offsetof(Struct, member) +                                                                \
         0 * sizeof(char[__builtin_types_compatible_p(__typeof__(((Struct *)0)->member), Type)     \
                                 ? 1                                                               \
                                 : -1]))
#define FIELD_OF(tag_, Struct, member, Type, type_, marks_, ...)                                   \
        {                                                                                          \
                .tag = (tag_), .type = (type_), .name = #member, .marks = (marks_),                \
                .offset = FIELD_OFFSET(Struct, member, Type), __VA_ARGS__                          \
        }
#define ID(tag, Struct, member, marks, ...)                                                        \
        FIELD_OF(tag, Struct, member, uint64_t, FIELD_ID, marks, __VA_ARGS__)
#define TIME(tag, Struct, member, marks, ...)                                                      \
        FIELD_OF(tag, Struct, member, int64_t, FIELD_TIME, marks, __VA_ARGS__)
#define DATE(tag, Struct, member, marks, ...)                                                      \
        FIELD_OF(tag, Struct, member, int64_t, FIELD_DATE, marks, __VA_ARGS__)
#define MONEY(tag, Struct, member, marks, ...)                                                     \
        FIELD_OF(tag, Struct, member, int64_t, FIELD_MONEY, marks, __VA_ARGS__)
#define COUNT(tag, Struct, member, marks, ...)                                                     \
        FIELD_OF(tag, Struct, member, int64_t, FIELD_COUNT, marks, __VA_ARGS__)
#define ENUM(tag, Struct, member, marks, names_, ...)                                              \
        FIELD_OF(tag, Struct, member, int, FIELD_ENUM, marks, .names = (names_), __VA_ARGS__)
#define TEXT(tag, Struct, member, marks, limit_, ...)                                              \
        FIELD_OF(tag, Struct, member, char *, FIELD_TEXT, marks, .limit = (limit_), __VA_ARGS__)
#define FLAG(tag, Struct, member, marks, ...)                                                      \
        FIELD_OF(tag, Struct, member, bool, FIELD_FLAG, marks, __VA_ARGS__)
#define LIST(tag, Struct, member, marks, items_, ...)                                              \
        FIELD_OF(tag, Struct, member, List, FIELD_LIST, marks, .items = (items_), __VA_ARGS__)

/* ---- one field of one record ---- */

static inline void *field_at(const Field *field, const void *record) {
        return (char *)record + field->offset;
}
bool field_is_set(const Field *field, const void *record);
/* Any field but texts and lists. */
int64_t field_number(const Field *field, const void *record);
void field_set_number(const Field *field, void *record, int64_t value);
const char *field_text(const Field *field, const void *record);
/* Copies text; "" clears. 0 or -ENOMEM. */
int field_set_text(const Field *field, void *record, const char *text);

/* Whether a caller may give this value: 0 or REFUSED_INVALID_VALUE with what would be right. */
int field_check_number(const Field *field, int64_t value, Refusal *refusal);
int field_check_text(const Field *field, const char *text, Refusal *refusal);

/* "YYYY-MM-DD" both ways. field_parse_date: 0 or REFUSED_INVALID_VALUE. */
#define DATE_TEXT_SIZE 12
int field_parse_date(const Field *field, const char *text, int64_t *ret, Refusal *refusal);
char *date_format(int64_t date, char buffer[static DATE_TEXT_SIZE]);

/* "2026-11-23T18:05:00Z", for histories and messages. */
#define TIME_TEXT_SIZE 32
char *time_format(int64_t time, char buffer[static TIME_TEXT_SIZE]);

/* The value of a name, 0 when there is none; the name of a value, "?" for one we do not know. */
int enum_value(const EnumNames *names, const char *name);
const char *enum_name(const EnumNames *names, int value);

/* ---- whole records ---- */

/* The field of that name and its position, or NULL. */
const Field *record_field(const RecordType *type, const char *name, size_t *ret_position);

void record_done(const RecordType *type, void *record);
/* Copies all of source into the empty record. 0 or -ENOMEM (record is empty then). */
int record_copy(const RecordType *type, void *record, const void *source);
/* Sets those fields of record that mask names to source's values. 0 or -ENOMEM. */
int record_merge(const RecordType *type, void *record, const void *source, const FieldMask *mask);
/* Adds one zeroed item and returns it, or NULL without memory. */
void *list_add(List *list, const RecordType *items);
/* The same for one that a caller gives: 0, REFUSED_LIMIT, -ENOMEM. */
int list_add_given(const Field *field, void *record, void **ret_item, Refusal *refusal);
/* Whether a caller may give an item with these fields: 0 or refused. */
int list_check_item(const Field *field, const void *item, const FieldMask *given, Refusal *refusal);
/* Says of a refusal that it is about that item (1, 2, ...). The result is passed on. */
int list_refuse_item(const Field *field, size_t item, int result, Refusal *refusal);
