/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What stands in a file, as a tree that knows the place of each of its nodes; and how the trees of
 * several files become one.
 *
 * Of YAML only plain trees are taken: no anchors, aliases, tags or second documents, and no key
 * twice in one map. */

#include <stdbool.h>
#include <stddef.h>

#include "base/macro.h"
#include "config/errors.h"

typedef enum TreeType {
        TREE_SCALAR,
        TREE_LIST,
        TREE_MAP,
        TREE_ALIAS, /* refused: there is nothing to read */
} TreeType;

typedef struct Tree Tree;
struct Tree {
        TreeType type;
        ConfigPlace place;     /* where it begins */
        char *key;             /* of a node in a map; NULL: refused as a key, nothing is below */
        ConfigPlace key_place; /* where that begins */
        bool key_plain;        /* without quotes */
        char *text;            /* of a scalar, terminated */
        size_t size;
        bool plain;      /* without quotes */
        bool cut;        /* the file could not be read to its end */
        Tree **children; /* of a list or map, in order */
        size_t n;
        void *index; /* of a map: its children by key */
};

/* Reads the errors' source of that index. All its errors are noted. Counts in *n_events what
 * it reads, which may be CONFIG_EVENTS_MAX with the files before it. 0; -EBADMSG (noted; *ret has
 * what stands before the place where the file cannot be read any further, perhaps NULL); -ENOMEM.
 */
int tree_read(ConfigErrors *errors, size_t file, size_t *n_events, Tree **ret) _warn_unused_;

/* Reads a text of the program itself; every node is at the given place. 0 or -ENOMEM. */
int tree_read_builtin(const char *text, ConfigErrors *errors, ConfigPlace place,
                      Tree **ret) _warn_unused_;

/* Hangs a node under a list or map, which then frees it. 0 or -ENOMEM. */
int tree_add(Tree *parent, Tree *child) _warn_unused_;

/* Lays the second map, which is consumed, over the first: maps are merged key by key, anything else
 * replaces what was there. 0 or -ENOMEM. */
int tree_merge(Tree *base, Tree *over) _warn_unused_;

/* The value of a key; NULL if the map has none. */
const Tree *tree_find(const Tree *map, const char *key);

Tree *tree_free(Tree *tree);
DEFINE_CLEANUP(Tree *, tree_free);
