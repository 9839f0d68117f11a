/* SPDX-License-Identifier: Apache-2.0 */

#include "config/schema.h"

#include <errno.h>
#include <string.h>

#include "base/text.h"
#include "config/tree.h"

int schema_refuse_value(Walker *w, const Schema *s, const char *text, const char *problem) {
        char shown[SHOWN_SIZE];

        return walker_refuse(w, "'%s' %s; write %s", text_escape(text, shown, sizeof(shown)),
                             problem, s->what);
}

/* ---- nodes ---------------------------------------------------------------------------------
 *
 * walk_node() and all it calls read w->node. They answer 0, CONFIG_REFUSED (something in the node
 * was wrong and is noted) or -ENOMEM. */

static int walk_node(Walker *w, const Schema *s, void *target);
static int walk_fallback(Walker *w, const SchemaKey *key, void *target);

static int walk_scalar(Walker *w, const Schema *s, void *target) {
        const char *text = w->node->text;
        size_t position;

        w->place = w->node->place;
        if (w->node->plain && (!*text || STREQ(text, "~") || strcasecmp(text, "null") == 0))
                return walker_refuse(w, "there is no value; write %s", s->what);
        if (text_check(text, w->node->size, false, &position) != TEXT_OK)
                return walker_refuse(w,
                                     "there is a line break or another control character in the "
                                     "value; write %s",
                                     s->what);
        if (!s->scalar)
                return schema_refuse_value(w, s, text, "cannot stand here");
        return s->scalar(w, s, text, target);
}

static void *array_add(const SchemaArray *a, void *parent) {
        size_t *n = (size_t *)((char *)parent + a->n);
        char *place = (char *)parent + a->array, *before, *elements;

        if (a->fixed)
                return place + (*n)++ * a->size;
        memcpy(&before, place, sizeof(before));
        elements = realloc(before, (*n + 2) * a->size);
        if (!elements)
                return NULL;
        memset(elements + *n * a->size, 0, 2 * a->size);
        memcpy(place, &elements, sizeof(elements));
        return elements + (*n)++ * a->size;
}

static int walk_element(Walker *w, const Schema *s, const Schema *of, void *parent,
                        const char *key) {
        void *element = parent;
        int r = 0;

        if (s->array.size > 0) {
                element = array_add(&s->array, parent);
                if (!element)
                        return -ENOMEM;
        }
        if (s->array.begin)
                r = s->array.begin(w, element, key);
        return r != 0 ? r : walk_node(w, of, (char *)element + s->array.value);
}

/* Whether the element at that position is one too many; says so once. */
static bool refuse_too_many(Walker *w, const Schema *s, size_t position) {
        if (position == s->array.max)
                walker_refuse(w, "this is one too many; write at most %zu", s->array.max);
        return position >= s->array.max;
}

static int walk_list(Walker *w, const Schema *s, void *target) {
        const Tree *list = w->node;
        ConfigPlace place = w->place;
        int r, result = 0;

        for (size_t i = 0; i < list->n; i++) {
                walker_push(w, NULL, i);
                w->node = list->children[i];
                w->place = w->node->place;
                r = refuse_too_many(w, s, i) ? CONFIG_REFUSED
                                             : walk_element(w, s, s->items, target, NULL);
                walker_pop(w);
                if (r < 0)
                        return r;
                result |= r;
        }
        w->place = place;
        return result == 0 && s->check ? s->check(w, target) : result;
}

/* A map on the way. */
typedef struct MapWalk {
        const Tree *map;
        const Schema *schema;
        const char *meant[SCHEMA_NAMES_MAX]; /* keys that were written wrong, so that their absence
                                              * need not be told */
        size_t n_meant;
        size_t n_free; /* keys that are not in the schema's table */
} MapWalk;

static bool is_meant(const MapWalk *m, const char *key) {
        for (size_t i = 0; i < m->n_meant; i++)
                if (STREQ(m->meant[i], key))
                        return true;
        return false;
}

static const SchemaKey *schema_find(const Schema *s, const char *key) {
        for (const SchemaKey *k = s->keys; k && k->key; k++)
                if (STREQ(k->key, key))
                        return k;
        return NULL;
}

static int refuse_unknown_key(Walker *w, MapWalk *m, const char *key) {
        const char *names[SCHEMA_NAMES_MAX + 1] = {}, *nearest;
        char advice[CONFIG_ADVICE_SIZE];
        size_t n = 0;

        if (STREQ(key, "<<"))
                return walker_refuse(w, "a merge key is not allowed; write the keys out");
        for (const SchemaKey *k = m->schema->keys; k && k->key; k++) {
                assert(n < SCHEMA_NAMES_MAX);
                names[n++] = k->key;
        }
        nearest = text_nearest(key, names);
        if (nearest && !is_meant(m, nearest))
                m->meant[m->n_meant++] = nearest;
        return walker_refuse(w, "this key is unknown; %s", config_advise(key, names, advice));
}

static int walk_value(Walker *w, MapWalk *m, void *target) {
        const Schema *s = m->schema;
        const char *key = w->node->key;
        const SchemaKey *known = schema_find(s, key);

        if (known)
                return walk_node(w, known->schema, (char *)target + known->offset);
        if (!s->others || STREQ(key, "<<"))
                return refuse_unknown_key(w, m, key);
        if (refuse_too_many(w, s, m->n_free++))
                return CONFIG_REFUSED;
        return walk_element(w, s, s->others, target, key);
}

static int walk_entry(Walker *w, MapWalk *m, void *target) {
        int r;

        w->place = w->node->key_place;
        if (!w->node->key)
                return walker_refuse(w, "this cannot be a key; write a word and a colon");
        walker_push(w, w->node->key, 0);
        r = walk_value(w, m, target);
        walker_pop(w);
        return r;
}

/* Everything that a map, or a missing one, has not given. */
static int walk_missing(Walker *w, const MapWalk *m, void *target) {
        ConfigPlace place = w->place;
        int r, result = 0;

        for (const SchemaKey *k = m->schema->keys; k && k->key; k++) {
                void *field = (char *)target + k->offset;

                if ((m->map && tree_find(m->map, k->key)) || is_meant(m, k->key))
                        continue;
                walker_push(w, k->key, 0);
                if (k->required)
                        r = walker_refuse(w, "this key is missing; write %s", k->schema->what);
                else if (k->fallback)
                        r = walk_fallback(w, k, field);
                else
                        r = walk_missing(w, &(const MapWalk){ .schema = k->schema }, field);
                walker_pop(w);
                w->place = place;
                if (r < 0)
                        return r;
                result |= r;
        }
        return result;
}

static int walk_map(Walker *w, const Schema *s, void *target) {
        MapWalk m = { .map = w->node, .schema = s };
        ConfigPlace place = w->place;
        int r, result = 0;

        for (size_t i = 0; i < m.map->n; i++) {
                w->node = m.map->children[i];
                r = walk_entry(w, &m, target);
                if (r < 0)
                        return r;
                result |= r;
        }
        w->place = place;
        if (m.map->cut) /* what is missing may stand further down */
                return CONFIG_REFUSED;
        r = walk_missing(w, &m, target);
        if (r < 0)
                return r;
        result |= r;
        return result == 0 && s->check ? s->check(w, target) : result;
}

static int walk_node(Walker *w, const Schema *s, void *target) {
        const char *problem;

        switch (w->node->type) {
        case TREE_SCALAR:
                return walk_scalar(w, s, target);
        case TREE_LIST:
                if (s->items)
                        return walk_list(w, s, target);
                problem = "a list";
                break;
        case TREE_MAP:
                if (s->keys || s->others)
                        return walk_map(w, s, target);
                problem = "a map";
                break;
        case TREE_ALIAS: /* noted */
        default:
                return CONFIG_REFUSED;
        }
        w->place = w->node->place;
        return walker_refuse(w, "%s cannot stand here; write %s", problem, s->what);
}

/* A fallback is read like the file; it stands where the map stands. */
static int walk_fallback(Walker *w, const SchemaKey *key, void *target) {
        _cleanup_(cleanup_tree_free) Tree *tree = NULL;
        int r = tree_read_builtin(key->fallback, w->errors, w->place, &tree);

        if (r < 0)
                return r;
        w->node = tree;
        return walk_node(w, key->schema, target);
}

int schema_walk(const Schema *s, void *target, ConfigErrors *errors, const Tree *tree,
                void *context) {
        Walker w = { .errors = errors, .context = context, .place = tree->place, .node = tree };

        return walk_node(&w, s, target);
}
