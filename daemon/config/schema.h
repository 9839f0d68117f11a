/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* YAML by table. A Schema says what may stand at one place of a file and which part of a struct it
 * fills; schema_walk() reads a file's events along it and notes every deviation as an error with
 * its place. After an error it skips that node and goes on, so all errors of a file are found at
 * once.
 *
 * Of YAML only plain trees are taken: no anchors, aliases, tags, merge keys or second documents. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <yaml.h>

#include "aftersales/limits.h"
#include "base/macro.h"
#include "config/config.h"

/* What hooks and the walker answer when they have noted an error. */
#define SCHEMA_REFUSED 1

typedef struct Schema Schema;
typedef struct Walker Walker;

/* A key that a map may have. */
typedef struct SchemaKey {
        const char *key;
        size_t offset; /* of what its value fills, in the struct that the map fills */
        const Schema *schema;
        bool required;
        const char *fallback; /* the value, in YAML, of a missing key; NULL: left as it is */
        const char *doc;      /* one line: meaning */
} SchemaKey;

/* Where the elements of a list, or of a map with free keys, go: into an array with its count beside
 * it, both in the struct that the list or map fills. */
typedef struct SchemaArray {
        size_t max;   /* elements */
        size_t size;  /* of an element; 0: no array, each element fills the struct itself */
        size_t array; /* offset of the pointer to the array, which grows and always has one zeroed
                       * element more than counted; if fixed, of the array itself */
        size_t n;     /* offset of the size_t count */
        size_t value; /* offset in the element of what its value fills */
        bool fixed;
        /* Prepares the zeroed element before its value is read; key is NULL in a list.
         * 0, SCHEMA_REFUSED (the value is skipped), -ENOMEM. */
        int (*begin)(Walker *walker, void *element, const char *key);
} SchemaArray;

/* What may stand at a place: a scalar, a list, a map, or several of these. */
struct Schema {
        const char *what; /* what would be right, after "write": "a date such as 2026-10-01" */

        /* Reads a scalar into target. 0, SCHEMA_REFUSED, -ENOMEM. */
        int (*scalar)(Walker *walker, const Schema *schema, const char *text, void *target);
        int64_t min, max;         /* of the scalar; for texts max is in bytes */
        const char *const *names; /* of an enumeration, by value; NULL where there is none */
        size_t n_names;           /* at most SCHEMA_NAMES_MAX */

        const SchemaKey *keys; /* of a map, up to one without a key */
        const Schema *others;  /* of a map: the values under free keys */
        const Schema *items;   /* of a list */
        SchemaArray array;     /* of others or items */

        /* Looks at the whole once all of a list or map was read without an error. */
        int (*check)(Walker *walker, void *target);
};

#define SCHEMA_NAMES_MAX 32

/* A step from the root to a node: a key, or (key NULL) the position in a list, from 0. */
typedef struct SchemaStep {
        const char *key;
        size_t index;
} SchemaStep;

/* The state of a walk. Hooks read the first part. */
struct Walker {
        ConfigErrors *errors;
        void *context;     /* what schema_walk() was given */
        ConfigPlace place; /* of what is being read: a scalar, or the key of a map or list */
        SchemaStep steps[CONFIG_DEPTH_MAX + 1];
        size_t n_steps;

        bool fallback; /* reading one, which has no place of its own */
        yaml_parser_t parser;
        yaml_event_t event; /* the current one */
        size_t nesting, n_events;
};

/* Reads the errors' source of that index into target. 0, SCHEMA_REFUSED, -EBADMSG (errors were
 * noted, and the walk could not go on to the end), -ENOMEM. */
int schema_walk(const Schema *schema, void *target, ConfigErrors *errors, size_t file,
                void *context) _warn_unused_;

/* Notes an error at the current place. SCHEMA_REFUSED. */
int schema_refuse(Walker *walker, const char *format, ...) _printf_(2, 3);
/* Notes a warning there. */
void schema_warn(Walker *walker, const char *format, ...) _printf_(2, 3);
/* An error in the common form: 'text' problem; write what-would-be-right. */
int schema_refuse_value(Walker *walker, const Schema *schema, const char *text,
                        const char *problem);
/* The same of what is in a list already. */
int schema_refuse_repeated(Walker *walker, const char *text);

#define SCHEMA_PATH_SIZE 1024
/* Writes the current path, e.g. "ladders.service.rungs[1].after"; returns buffer. */
char *schema_path(const Walker *walker, char buffer[static SCHEMA_PATH_SIZE]);

#define SCHEMA_ADVICE_SIZE 512
/* Writes "did you mean 'x'?" or, with nothing near, "write one of x, y, z"; returns buffer. There
 * is at least one name, and NULL after the last. */
char *schema_advise(const char *text, const char *const *names,
                    char buffer[static SCHEMA_ADVICE_SIZE]);

/* ---- scalars ---- */

/* What a scalar function fills is named behind it. */
int schema_text(Walker *, const Schema *, const char *, void *);     /* char * */
int schema_enum(Walker *, const Schema *, const char *, void *);     /* int */
int schema_bit(Walker *, const Schema *, const char *, void *);      /* uint32_t |= 1 << value */
int schema_bool(Walker *, const Schema *, const char *, void *);     /* bool */
int schema_integer(Walker *, const Schema *, const char *, void *);  /* int64_t */
int schema_percent(Walker *, const Schema *, const char *, void *);  /* int64_t */
int schema_duration(Walker *, const Schema *, const char *, void *); /* int64_t seconds */
int schema_working(Walker *, const Schema *, const char *, void *);  /* int64_t seconds, no days */
int schema_size(Walker *, const Schema *, const char *, void *);     /* int64_t bytes */
int schema_date(Walker *, const Schema *, const char *, void *);     /* int32_t days since 1970 */

/* A name of the configuration: a-z, 0-9, _ and -, beginning with a letter. 0 or SCHEMA_REFUSED. */
int schema_check_name(Walker *walker, const char *name);

/* ---- what the table of the configuration (policy.c) and its loader (config.c) share ---- */

/* Fills a Policy. */
extern const Schema policy_schema;

/* What the configuration defines in one place and names in others. */
typedef enum ConfigDefinition { CONFIG_CALENDAR, CONFIG_LADDER, CONFIG_ROLE } ConfigDefinition;

/* Like schema_text(), for the name of something that must be defined, perhaps further down. */
int config_refer(Walker *walker, const Schema *schema, const char *text, void *target,
                 ConfigDefinition definition);

/* Reads a whole file into target, its name relative to the configuration file. As a scalar function
 * does. */
int config_include(Walker *walker, const Schema *schema, const char *name, const Schema *of_file,
                   void *target);
