/* SPDX-License-Identifier: Apache-2.0 */

#include "config/schema.h"

#include <errno.h>
#include <string.h>

#include "base/text.h"

int schema_refuse_value(Walker *w, const Schema *s, const char *text, const char *problem) {
        char shown[SHOWN_SIZE];

        return walker_refuse(w, "'%s' %s; write %s", text_escape(text, shown, sizeof(shown)),
                             problem, s->what);
}

/* ---- nodes ---------------------------------------------------------------------------------
 *
 * walk_node() and all it calls begin at the first event of a node and end at its last. They answer
 * 0, CONFIG_REFUSED (something in the node was wrong and is noted) or negative (the walk ends). */

static int walk_node(Walker *w, const Schema *s, void *target);
static int walk_fallback(Walker *w, const SchemaKey *key, void *target);

static int walk_scalar(Walker *w, const Schema *s, void *target) {
        const char *text = (const char *)w->event.data.scalar.value;
        size_t size = w->event.data.scalar.length, position;
        bool plain = w->event.data.scalar.style == YAML_PLAIN_SCALAR_STYLE;

        walker_locate(w);
        if (plain && (size == 0 || STREQ(text, "~") || strcasecmp(text, "null") == 0))
                return walker_refuse(w, "there is no value; write %s", s->what);
        if (text_check(text, size, false, &position) != TEXT_OK)
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
        if (r < 0)
                return r;
        return r > 0 ? walker_skip(w) : walk_node(w, of, (char *)element + s->array.value);
}

/* Whether the element at that position is one too many; says so once. */
static bool refuse_too_many(Walker *w, const Schema *s, size_t position) {
        if (position == s->array.max)
                walker_refuse(w, "this is one too many; write at most %zu", s->array.max);
        return position >= s->array.max;
}

static int walk_list(Walker *w, const Schema *s, void *target) {
        ConfigPlace place = w->place;
        int r, result = 0;

        for (size_t i = 0;; i++) {
                walker_push(w, NULL, i);
                r = walker_next(w);
                if (r < 0)
                        return r;
                if (w->event.type == YAML_SEQUENCE_END_EVENT)
                        break;
                walker_locate(w);
                r = refuse_too_many(w, s, i) ? walker_skip(w)
                                             : walk_element(w, s, s->items, target, NULL);
                walker_pop(w);
                if (r < 0)
                        return r;
                result |= r;
        }
        walker_pop(w);
        w->place = place;
        return result == 0 && s->check ? s->check(w, target) : result;
}

/* The keys that a map has had so far. */
typedef struct GivenKey {
        char *key;
        int line;
        bool meant; /* was written wrong, so that its absence need not be told */
} GivenKey;

typedef struct GivenKeys {
        GivenKey *list;
        size_t n;
        size_t n_free; /* of them not in the schema's table */
} GivenKeys;

static void given_keys_done(GivenKeys *given) {
        for (size_t i = 0; i < given->n; i++)
                free(given->list[i].key);
        free(given->list);
}

static GivenKey *given_key(const GivenKeys *given, const char *key) {
        for (size_t i = 0; i < given->n; i++)
                if (STREQ(given->list[i].key, key))
                        return &given->list[i];
        return NULL;
}

static int given_keys_add(GivenKeys *given, const char *key, int line, bool meant) {
        GivenKey *list = realloc(given->list, (given->n + 1) * sizeof(*list));

        if (!list)
                return -ENOMEM;
        given->list = list;
        list[given->n] = (GivenKey){ strdup(key), line, meant };
        if (!list[given->n].key)
                return -ENOMEM;
        given->n++;
        return 0;
}

static const SchemaKey *schema_find(const Schema *s, const char *key) {
        for (const SchemaKey *k = s->keys; k && k->key; k++)
                if (STREQ(k->key, key))
                        return k;
        return NULL;
}

static int refuse_unknown_key(Walker *w, const Schema *s, const char *key, GivenKeys *given) {
        const char *names[SCHEMA_NAMES_MAX + 1] = {}, *nearest;
        char advice[CONFIG_ADVICE_SIZE];
        size_t n = 0;
        int r;

        if (STREQ(key, "<<"))
                return walker_refuse(w, "a merge key is not allowed; write the keys out");
        for (const SchemaKey *k = s->keys; k->key; k++) {
                assert(n < SCHEMA_NAMES_MAX);
                names[n++] = k->key;
        }
        walker_refuse(w, "this key is unknown; %s", config_advise(key, names, advice));
        nearest = text_nearest(key, names);
        r = nearest ? given_keys_add(given, nearest, w->place.line, true) : 0;
        return r < 0 ? r : CONFIG_REFUSED;
}

/* Whether the key may stand here, noting that it did. */
static int accept_key(Walker *w, const Schema *s, const char *key, bool known, GivenKeys *given) {
        GivenKey *before;

        if (!known && (!s->others || STREQ(key, "<<")))
                return refuse_unknown_key(w, s, key, given);
        if (!known && refuse_too_many(w, s, given->n_free++))
                return CONFIG_REFUSED;
        before = given_key(given, key);
        if (!before)
                return given_keys_add(given, key, w->place.line, false);
        if (!before->meant)
                return walker_refuse(w, "this key is already in line %d; remove one of the two",
                                     before->line);
        *before = (GivenKey){ before->key, w->place.line, false };
        return 0;
}

static int walk_value(Walker *w, const Schema *s, void *target, const char *key, GivenKeys *given) {
        const SchemaKey *known = schema_find(s, key);
        int r;

        r = accept_key(w, s, key, known, given);
        if (r < 0)
                return r;
        if (r > 0)
                return walker_skip(w);
        if (!known)
                return walk_element(w, s, s->others, target, key);
        return walk_node(w, known->schema, (char *)target + known->offset);
}

static bool is_word(const yaml_event_t *event) {
        const char *text;
        size_t position;

        if (event->type != YAML_SCALAR_EVENT)
                return false;
        text = (const char *)event->data.scalar.value;
        return *text && text_check(text, event->data.scalar.length, false, &position) == TEXT_OK;
}

/* From the event of a key to the last of its value. */
static int walk_entry(Walker *w, const Schema *s, void *target, GivenKeys *given) {
        _cleanup_free_ char *key = NULL;
        int r;

        walker_locate(w);
        if (!is_word(&w->event)) {
                walker_refuse(w, "this cannot be a key; write a word and a colon");
                r = walker_skip(w);
                if (r > 0)
                        r = walker_next(w);
                return r < 0 ? r : walker_skip(w);
        }
        key = strdup((const char *)w->event.data.scalar.value);
        if (!key)
                return -ENOMEM;
        walker_push(w, key, 0);
        r = walker_next(w);
        if (r == 0)
                r = walk_value(w, s, target, key, given);
        walker_pop(w);
        return r;
}

/* Everything that a map, or a missing one, has not given. */
static int walk_missing(Walker *w, const Schema *s, void *target, const GivenKeys *given) {
        ConfigPlace place = w->place;
        int r, result = 0;

        for (const SchemaKey *k = s->keys; k && k->key; k++) {
                void *field = (char *)target + k->offset;

                if (given_key(given, k->key))
                        continue;
                walker_push(w, k->key, 0);
                if (k->required)
                        r = walker_refuse(w, "this key is missing; write %s", k->schema->what);
                else if (k->fallback)
                        r = walk_fallback(w, k, field);
                else
                        r = walk_missing(w, k->schema, field, &(const GivenKeys){});
                walker_pop(w);
                w->place = place;
                if (r < 0)
                        return r;
                result |= r;
        }
        return result;
}

static int walk_map(Walker *w, const Schema *s, void *target) {
        _cleanup_(given_keys_done) GivenKeys given = {};
        ConfigPlace place = w->place;
        int r, result = 0;

        for (;;) {
                r = walker_next(w);
                if (r < 0)
                        return r;
                if (w->event.type == YAML_MAPPING_END_EVENT)
                        break;
                r = walk_entry(w, s, target, &given);
                if (r < 0)
                        return r;
                result |= r;
        }
        w->place = place;
        r = walk_missing(w, s, target, &given);
        if (r < 0)
                return r;
        result |= r;
        return result == 0 && s->check ? s->check(w, target) : result;
}

static int walk_node(Walker *w, const Schema *s, void *target) {
        const char *problem;

        switch (w->event.type) {
        case YAML_SCALAR_EVENT:
                return walk_scalar(w, s, target);
        case YAML_SEQUENCE_START_EVENT:
                if (s->items)
                        return walk_list(w, s, target);
                problem = "a list";
                break;
        case YAML_MAPPING_START_EVENT:
                if (s->keys || s->others)
                        return walk_map(w, s, target);
                problem = "a map";
                break;
        default: /* an alias, which is noted */
                return CONFIG_REFUSED;
        }
        walker_locate(w);
        walker_refuse(w, "%s cannot stand here; write %s", problem, s->what);
        return walker_skip(w);
}

/* ---- files --------------------------------------------------------------------------------- */

static int walk_document(Walker *w, const Schema *s, void *target) {
        int r, result;

        r = walker_next(w); /* the start of the stream */
        if (r == 0)
                r = walker_next(w);
        if (r < 0)
                return r;
        if (w->event.type == YAML_STREAM_END_EVENT)
                return walker_end(w, "the file is empty; write the configuration into it");
        r = walker_next(w);
        if (r < 0)
                return r;
        walker_locate(w);
        result = walk_node(w, s, target);
        if (result < 0)
                return result;
        r = walker_next(w); /* the end of the document */
        if (r == 0)
                r = walker_next(w);
        if (r < 0)
                return r;
        if (w->event.type != YAML_STREAM_END_EVENT)
                return walker_end(w, "a second document begins here; write one file for each");
        return result;
}

static int walk_text(Walker *w, const Schema *s, void *target, const char *text, size_t size) {
        int r;

        if (!yaml_parser_initialize(&w->parser))
                return -ENOMEM;
        yaml_parser_set_encoding(&w->parser, YAML_UTF8_ENCODING);
        yaml_parser_set_input_string(&w->parser, (const yaml_char_t *)text, size);
        r = walk_document(w, s, target);
        yaml_event_delete(&w->event);
        yaml_parser_delete(&w->parser);
        return r;
}

/* A fallback is read like the file, by a walker of its own that stands where the map stands. */
static int walk_fallback(Walker *w, const SchemaKey *key, void *target) {
        Walker inner = {
                .errors = w->errors,
                .context = w->context,
                .place = w->place,
                .n_steps = w->n_steps,
                .fallback = true,
        };

        memcpy(inner.steps, w->steps, sizeof(inner.steps));
        return walk_text(&inner, key->schema, target, key->fallback, strlen(key->fallback));
}

int schema_walk(const Schema *s, void *target, ConfigErrors *errors, size_t file, void *context) {
        const ConfigSource *source = &errors->sources[file];
        Walker w = { .errors = errors, .context = context, .place = { file, 1, 1 } };

        return walk_text(&w, s, target, source->text, source->size);
}
