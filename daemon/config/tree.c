/* SPDX-License-Identifier: Apache-2.0 */

#include "config/tree.h"

#include <errno.h>
#include <search.h>
#include <string.h>

/* ---- nodes --------------------------------------------------------------------------------- */

static int compare_keys(const void *a, const void *b) {
        return strcmp(((const Tree *)a)->key, ((const Tree *)b)->key);
}

static void leave(_unused_ void *node) {
}

Tree *tree_free(Tree *tree) {
        if (!tree)
                return NULL;
        tdestroy(tree->index, leave);
        for (size_t i = 0; i < tree->n; i++)
                tree_free(tree->children[i]);
        free(tree->children);
        free(tree->key);
        free(tree->text);
        free(tree);
        return NULL;
}

static Tree *find(const Tree *map, const char *key) {
        Tree **found = tfind(&(const Tree){ .key = (char *)key }, &map->index, compare_keys);

        return found ? *found : NULL;
}

const Tree *tree_find(const Tree *map, const char *key) {
        return find(map, key);
}

int tree_add(Tree *parent, Tree *child) {
        if ((parent->n & (parent->n - 1)) == 0) { /* every power of two fills the array */
                Tree **children =
                        realloc(parent->children, MAX(2 * parent->n, (size_t)1) * sizeof(Tree *));

                if (!children)
                        return -ENOMEM;
                parent->children = children;
        }
        if (child->key && !tsearch(child, &parent->index, compare_keys))
                return -ENOMEM;
        parent->children[parent->n++] = child;
        return 0;
}

/* ---- several files -------------------------------------------------------------------------- */

/* Consumes the child. */
static int merge_child(Tree *base, Tree *child) {
        Tree *found = child->key ? find(base, child->key) : NULL, before;
        int r;

        if (!found) {
                r = tree_add(base, child);
                if (r < 0)
                        tree_free(child);
                return r;
        }
        if (found->type == TREE_MAP && child->type == TREE_MAP)
                return tree_merge(found, child);
        before = *found;
        *found = *child;
        *child = before;
        tree_free(child);
        return 0;
}

int tree_merge(Tree *base, Tree *over) {
        int r = 0;

        base->cut |= over->cut;
        for (size_t i = 0; r == 0 && i < over->n; i++)
                r = merge_child(base, TAKE_PTR(over->children[i]));
        tree_free(over);
        return r;
}
