/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* YAML by table. A Schema says what may stand at one place of a file and which part of a struct it
 * fills; schema_walk() reads a tree along it and notes every deviation as an error with its place.
 * After an error it passes over that node and goes on, so all errors of a file are found at
 * once. Of how many files the tree was made it need not know. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/macro.h"
#include "config/walker.h"

typedef struct Schema Schema;

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
         * 0, CONFIG_REFUSED (the value is skipped), -ENOMEM. */
        int (*begin)(Walker *walker, void *element, const char *key);
} SchemaArray;

#define SCHEMA_NAMES_MAX 32

/* What may stand at a place: a scalar, a list, a map, or several of these. */
struct Schema {
        const char *what; /* what would be right, after "write": "a date such as 2026-10-01" */

        /* Reads a scalar into target. 0, CONFIG_REFUSED, -ENOMEM. */
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

/* Reads a tree, made from sources of these errors, into target. 0, CONFIG_REFUSED, -ENOMEM. */
int schema_walk(const Schema *schema, void *target, ConfigErrors *errors, const struct Tree *tree,
                void *context) _warn_unused_;

/* An error in the common form: 'text' problem; write what-would-be-right. CONFIG_REFUSED. */
int schema_refuse_value(Walker *walker, const Schema *schema, const char *text,
                        const char *problem);
