/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The fields of a kind of record, as the daemon describes them (Manager.Schema), and what people
 * give for them: words such as type=repair, a JSON object on standard input, answers to questions.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "macro.h"
#include "text.h"

typedef enum FieldType {
        FIELD_ANY, /* as the JSON value is; the types of the daemon follow in the order of type_name
                    */
        FIELD_ID,
        FIELD_TIME,
        FIELD_DATE,
        FIELD_MONEY,
        FIELD_COUNT,
        FIELD_ENUM,
        FIELD_TEXT,
        FIELD_FLAG,
        FIELD_LIST,
        _FIELD_SCHEMA_MAX,
        /* Only shown: */
        FIELD_CHANGES = _FIELD_SCHEMA_MAX, /* list of { field, before, after } */
        FIELD_SECONDS,                     /* duration */
        FIELD_MICROSECONDS,                /* duration */
        FIELD_BYTES,
} FieldType;

typedef struct Field {
        const char *name;
        FieldType type;
        bool settable, updatable, filter; /* where it may be given */
        bool personal;                    /* never in arguments */
        int64_t limit;                    /* of a text: bytes; 0: not known */
} Field;

/* One that is only shown. */
#define FIELD(name_, type_)                                                                        \
        { .name = (name_), .type = FIELD_##type_ }

typedef struct Schema {
        json_object *rows; /* the daemon's answer; owns the names */
        char letter;       /* before the numbers of such records; 0: they have codes */
        Field *fields;
        size_t n_fields;
} Schema;

/* Takes the rows over in any case. 0, -ENOMEM, -EBADMSG. */
int schema_new(json_object *rows, char letter, Schema **ret);
Schema *schema_free(Schema *schema);

/* The field of that name, or NULL. */
const Field *schema_find(const Schema *schema, const char *name);

/* Reads digits only. 0 or -EINVAL. */
int number_parse(const char *text, uint64_t max, uint64_t *ret);

/* Reads "T17", "T3.17" (site 3) or the number as it is on the bus; the letter, given or not, must
 * be that one. 0 or -EINVAL. */
int id_parse(const char *text, char letter, uint64_t *ret);
/* The letter before the numbers of a kind of case; 0: there is no such kind. */
char kind_letter(const char *kind);
#define ID_SIZE 32
char *id_show(uint64_t id, char letter, char buffer[static ID_SIZE]);

/* What a call's dictionary is made of. */
typedef struct Input {
        const Schema *schema;
        const Report *report;
        int64_t (*now)(void *userdata); /* asked only where a time needs it */
        void *userdata;
        json_object *fields; /* what was given, in the types of the bus */
} Input;

#define INPUT_BYTES_MAX (1024 * 1024) /* on standard input */

/* These return 0, an exit code (what was wrong has been reported), or negative errno. */

/* key=value from the arguments, where personal data has no place. */
int input_add_word(Input *input, const char *word);
/* One field, or one of the options that every change takes (see aftersales/bus.h). */
int input_add(Input *input, const char *name, const char *text);
/* A JSON object; its texts are read as arguments are, its numbers and flags are those of the bus.
 */
int input_add_json(Input *input, FILE *from);
/* Asks for one field; an empty answer leaves it out. */
int input_ask(Input *input, const Field *field, FILE *from, FILE *to);
