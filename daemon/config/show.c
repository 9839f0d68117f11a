/* SPDX-License-Identifier: Apache-2.0 */

#include "config/show.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"

#define INDENT 2

typedef struct Show {
        FILE *file;
        ConfigErrors *errors;
        bool origin;
        bool fallback; /* what is written was not given */
} Show;

static int show_node(Show *show, const Schema *s, const Tree *tree, int depth);
static int show_missing(Show *show, const Schema *s, int depth);

/* What had quotes needs them; nothing that has been read has control characters. */
static void write_text(const Show *show, const char *text, bool plain) {
        if (plain) {
                fputs(text, show->file);
                return;
        }
        fputc('"', show->file);
        for (; *text; text++) {
                if (*text == '"' || *text == '\\')
                        fputc('\\', show->file);
                fputc(*text, show->file);
        }
        fputc('"', show->file);
}

static void end_line(const Show *show, ConfigPlace place) {
        char name[DIRECTORY_MAX_BYTES];

        if (show->origin && show->fallback)
                fputs("  # default", show->file);
        else if (show->origin)
                fprintf(show->file, "  # %s:%d",
                        text_escape(show->errors->sources[place.file].name, name, sizeof(name)),
                        place.line);
        fputc('\n', show->file);
}

static void begin_line(const Show *show, int depth) {
        fprintf(show->file, "%*s", depth * INDENT, "");
}

/* What begins in the line of its key or dash, and goes on below it. */
static int show_value(Show *show, const Schema *s, const Tree *tree, int depth) {
        if (tree->type == TREE_SCALAR) {
                fputc(' ', show->file);
                write_text(show, tree->text, tree->plain);
                end_line(show, tree->place);
                return 0;
        }
        /* A map without keys has at least its defaults, if there are any. */
        if (tree->n == 0 && (tree->type == TREE_LIST || !s->keys)) {
                fputs(tree->type == TREE_LIST ? " []" : " {}", show->file);
                end_line(show, tree->place);
                return 0;
        }
        fputc('\n', show->file);
        return show_node(show, s, tree, depth);
}

static int show_entry(Show *show, const Schema *s, const char *key, bool plain, const Tree *tree,
                      int depth) {
        begin_line(show, depth);
        write_text(show, key, plain);
        fputc(':', show->file);
        return show_value(show, s, tree, depth + 1);
}

static int show_fallback(Show *show, const SchemaKey *key, int depth) {
        _cleanup_(cleanup_tree_free) Tree *tree = NULL;
        int r = tree_read_builtin(key->fallback, show->errors, config_nowhere, &tree);

        if (r < 0)
                return r;
        show->fallback = true;
        r = show_entry(show, key->schema, key->key, true, tree, depth);
        show->fallback = false;
        return r;
}

/* Whether a missing map has values all the same. */
static bool has_fallback(const Schema *s) {
        for (const SchemaKey *k = s->keys; k && k->key; k++)
                if (k->fallback || has_fallback(k->schema))
                        return true;
        return false;
}

static int show_missing_key(Show *show, const SchemaKey *key, int depth) {
        if (key->fallback)
                return show_fallback(show, key, depth);
        if (!has_fallback(key->schema))
                return 0;
        begin_line(show, depth);
        fprintf(show->file, "%s:\n", key->key);
        return show_missing(show, key->schema, depth + 1);
}

static int show_missing(Show *show, const Schema *s, int depth) {
        int r = 0;

        for (const SchemaKey *k = s->keys; r == 0 && k && k->key; k++)
                r = show_missing_key(show, k, depth);
        return r;
}

static const SchemaKey *known_key(const Schema *s, const char *key) {
        for (const SchemaKey *k = s->keys; k && k->key; k++)
                if (STREQ(k->key, key))
                        return k;
        return NULL;
}

/* First the keys of the table in its order, then those that are free. */
static int show_map(Show *show, const Schema *s, const Tree *map, int depth) {
        int r = 0;

        for (const SchemaKey *k = s->keys; r == 0 && k && k->key; k++) {
                const Tree *value = tree_find(map, k->key);

                r = value ? show_entry(show, k->schema, k->key, true, value, depth)
                          : show_missing_key(show, k, depth);
        }
        for (size_t i = 0; r == 0 && i < map->n; i++) {
                const Tree *value = map->children[i];

                if (!known_key(s, value->key))
                        r = show_entry(show, s->others, value->key, value->key_plain, value, depth);
        }
        return r;
}

static int show_list(Show *show, const Schema *s, const Tree *list, int depth) {
        int r = 0;

        for (size_t i = 0; r == 0 && i < list->n; i++) {
                begin_line(show, depth);
                fputc('-', show->file);
                r = show_value(show, s->items, list->children[i], depth + 1);
        }
        return r;
}

static int show_node(Show *show, const Schema *s, const Tree *tree, int depth) {
        return tree->type == TREE_LIST ? show_list(show, s, tree, depth)
                                       : show_map(show, s, tree, depth);
}

int show_config(const Schema *schema, const Tree *tree, ConfigErrors *errors, bool origin,
                char **ret) {
        size_t size;
        char *text = NULL;
        Show show = {
                .file = open_memstream(&text, &size),
                .errors = errors,
                .origin = origin,
        };
        int r;

        if (!show.file)
                return -ENOMEM;
        r = show_node(&show, schema, tree, 0);
        if (ferror(show.file) && r == 0)
                r = -ENOMEM;
        /* Without memory for its last step glibc says that all is well, and there is no text. */
        if ((fclose(show.file) != 0 || !text) && r == 0)
                r = -ENOMEM;
        if (r == 0)
                *ret = TAKE_PTR(text);
        free(text);
        return r;
}
