/* SPDX-License-Identifier: Apache-2.0 */

#include "config/schema.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/text.h"
#include "base/zone.h"

#define SHOWN_SIZE 80 /* bytes of somebody's text in a message */

/* ---- messages ------------------------------------------------------------------------------ */

char *schema_path(const Walker *w, char buffer[static SCHEMA_PATH_SIZE]) {
        size_t used = 0;

        buffer[0] = '\0';
        for (size_t i = 0; i < w->n_steps && used < SCHEMA_PATH_SIZE; i++) {
                const SchemaStep *step = &w->steps[i];
                char shown[SHOWN_SIZE], *p = buffer + used;
                size_t left = SCHEMA_PATH_SIZE - used;

                if (step->key)
                        used += snprintf(p, left, "%s%s", i > 0 ? "." : "",
                                         text_escape(step->key, shown, sizeof(shown)));
                else
                        used += snprintf(p, left, "[%zu]", step->index);
        }
        return buffer;
}

static _printf_(3, 0) void note(Walker *w, ConfigMessages *messages, const char *format,
                                va_list arguments) {
        char path[SCHEMA_PATH_SIZE];

        config_message_add(w->errors, messages, w->place, schema_path(w, path), format, arguments);
}

int schema_refuse(Walker *w, const char *format, ...) {
        va_list arguments;

        va_start(arguments, format);
        note(w, &w->errors->errors, format, arguments);
        va_end(arguments);
        return SCHEMA_REFUSED;
}

void schema_warn(Walker *w, const char *format, ...) {
        va_list arguments;

        va_start(arguments, format);
        note(w, &w->errors->warnings, format, arguments);
        va_end(arguments);
}

char *schema_advise(const char *text, const char *const *names,
                    char buffer[static SCHEMA_ADVICE_SIZE]) {
        const char *nearest = text_nearest(text, names);
        size_t used;

        if (nearest) {
                snprintf(buffer, SCHEMA_ADVICE_SIZE, "did you mean '%s'?", nearest);
                return buffer;
        }
        used = snprintf(buffer, SCHEMA_ADVICE_SIZE, "write one of");
        for (size_t i = 0; names[i] && used < SCHEMA_ADVICE_SIZE; i++)
                used += snprintf(buffer + used, SCHEMA_ADVICE_SIZE - used, "%s %s",
                                 i > 0 ? "," : "", names[i]);
        return buffer;
}

int schema_refuse_value(Walker *w, const Schema *s, const char *text, const char *problem) {
        char shown[SHOWN_SIZE];

        return schema_refuse(w, "'%s' %s; write %s", text_escape(text, shown, sizeof(shown)),
                             problem, s->what);
}

int schema_refuse_repeated(Walker *w, const char *text) {
        return schema_refuse(w, "'%s' is already in this list; remove one of the two", text);
}

/* ---- events -------------------------------------------------------------------------------- */

static void walker_locate(Walker *w, const yaml_mark_t *mark) {
        if (w->fallback)
                return;
        w->place.line = (int)mark->line + 1;
        w->place.column = (int)mark->column + 1;
}

/* The place of an error of the whole file is not that of the key last read. */
static int walker_end(Walker *w, const char *problem) {
        w->n_steps = 0;
        walker_locate(w, &w->event.start_mark);
        schema_refuse(w, "%s", problem);
        return -EBADMSG;
}

static int walker_syntax(Walker *w) {
        const yaml_parser_t *p = &w->parser;

        if (p->error == YAML_MEMORY_ERROR)
                return -ENOMEM;
        w->n_steps = 0;
        walker_locate(w, &p->problem_mark);
        if (p->context)
                schema_refuse(w,
                              "%s %s that begins in line %zu; check indentation, quotes and "
                              "brackets from there on",
                              p->problem, p->context, p->context_mark.line + 1);
        else
                schema_refuse(w, "%s; check indentation, quotes and brackets", p->problem);
        return -EBADMSG;
}

/* Of the node that the current event begins: what YAML allows and we do not. */
static void walker_refuse_extras(Walker *w) {
        const yaml_event_t *e = &w->event;
        const yaml_char_t *anchor = NULL, *tag = NULL;
        ConfigPlace place = w->place;

        if (e->type == YAML_SCALAR_EVENT) {
                anchor = e->data.scalar.anchor;
                tag = e->data.scalar.tag;
        } else if (e->type == YAML_SEQUENCE_START_EVENT) {
                anchor = e->data.sequence_start.anchor;
                tag = e->data.sequence_start.tag;
        } else if (e->type == YAML_MAPPING_START_EVENT) {
                anchor = e->data.mapping_start.anchor;
                tag = e->data.mapping_start.tag;
        }
        walker_locate(w, &e->start_mark);
        if (e->type == YAML_ALIAS_EVENT)
                schema_refuse(w, "an alias (*) is not allowed; write the value out");
        if (anchor)
                schema_refuse(w, "an anchor (&) is not allowed; remove it");
        if (tag)
                schema_refuse(w, "a tag (!) is not allowed; remove it");
        w->place = place;
}

/* Goes to the next event. 0, -EBADMSG (noted), -ENOMEM. */
static int walker_next(Walker *w) {
        yaml_event_delete(&w->event);
        if (!yaml_parser_parse(&w->parser, &w->event))
                return walker_syntax(w);
        if (++w->n_events > CONFIG_EVENTS_MAX)
                return walker_end(w, "the file has too many keys and values; shorten it");
        switch (w->event.type) {
        case YAML_SEQUENCE_START_EVENT:
        case YAML_MAPPING_START_EVENT:
                if (++w->nesting > CONFIG_DEPTH_MAX)
                        return walker_end(w, "lists and maps are nested too deeply; nothing in "
                                             "this file needs that");
                break;
        case YAML_SEQUENCE_END_EVENT:
        case YAML_MAPPING_END_EVENT:
                w->nesting--;
                break;
        default:
                break;
        }
        walker_refuse_extras(w);
        return 0;
}

/* From the first event of a node, which has been refused, to its last. SCHEMA_REFUSED, -EBADMSG
 * (noted), -ENOMEM. */
static int walker_skip(Walker *w) {
        size_t outside = w->nesting;
        int r;

        if (w->event.type != YAML_SEQUENCE_START_EVENT && w->event.type != YAML_MAPPING_START_EVENT)
                return SCHEMA_REFUSED;
        do {
                r = walker_next(w);
                if (r < 0)
                        return r;
        } while (w->nesting >= outside);
        return SCHEMA_REFUSED;
}

/* ---- nodes ---------------------------------------------------------------------------------
 *
 * walk_node() and all it calls begin at the first event of a node and end at its last. They answer
 * 0, SCHEMA_REFUSED (something in the node was wrong and is noted) or negative (the walk ends). */

static int walk_node(Walker *w, const Schema *s, void *target);
static int walk_fallback(Walker *w, const SchemaKey *key, void *target);

static void walker_push(Walker *w, const char *key, size_t index) {
        assert(w->n_steps < ELEMENTS(w->steps));
        w->steps[w->n_steps++] = (SchemaStep){ key, index };
}

static void walker_pop(Walker *w) {
        if (w->n_steps > 0) /* an error that ends the walk has left all */
                w->n_steps--;
}

static int walk_scalar(Walker *w, const Schema *s, void *target) {
        const char *text = (const char *)w->event.data.scalar.value;
        size_t size = w->event.data.scalar.length, position;
        bool plain = w->event.data.scalar.style == YAML_PLAIN_SCALAR_STYLE;

        walker_locate(w, &w->event.start_mark);
        if (plain && (size == 0 || STREQ(text, "~") || strcasecmp(text, "null") == 0))
                return schema_refuse(w, "there is no value; write %s", s->what);
        if (text_check(text, size, false, &position) != TEXT_OK)
                return schema_refuse(w,
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
                schema_refuse(w, "this is one too many; write at most %zu", s->array.max);
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
                walker_locate(w, &w->event.start_mark);
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
        char advice[SCHEMA_ADVICE_SIZE];
        size_t n = 0;
        int r;

        if (STREQ(key, "<<"))
                return schema_refuse(w, "a merge key is not allowed; write the keys out");
        for (const SchemaKey *k = s->keys; k->key; k++) {
                assert(n < SCHEMA_NAMES_MAX);
                names[n++] = k->key;
        }
        schema_refuse(w, "this key is unknown; %s", schema_advise(key, names, advice));
        nearest = text_nearest(key, names);
        r = nearest ? given_keys_add(given, nearest, w->place.line, true) : 0;
        return r < 0 ? r : SCHEMA_REFUSED;
}

/* Whether the key may stand here, noting that it did. */
static int accept_key(Walker *w, const Schema *s, const char *key, bool known, GivenKeys *given) {
        GivenKey *before;

        if (!known && (!s->others || STREQ(key, "<<")))
                return refuse_unknown_key(w, s, key, given);
        if (!known && refuse_too_many(w, s, given->n_free++))
                return SCHEMA_REFUSED;
        before = given_key(given, key);
        if (!before)
                return given_keys_add(given, key, w->place.line, false);
        if (!before->meant)
                return schema_refuse(w, "this key is already in line %d; remove one of the two",
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

        walker_locate(w, &w->event.start_mark);
        if (!is_word(&w->event)) {
                schema_refuse(w, "this cannot be a key; write a word and a colon");
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
                        r = schema_refuse(w, "this key is missing; write %s", k->schema->what);
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
                return SCHEMA_REFUSED;
        }
        walker_locate(w, &w->event.start_mark);
        schema_refuse(w, "%s cannot stand here; write %s", problem, s->what);
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
        walker_locate(w, &w->event.start_mark);
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

/* ---- scalars ------------------------------------------------------------------------------- */

int schema_check_name(Walker *w, const char *name) {
        size_t n = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_-");

        if (name[n] || !islower((unsigned char)name[0]) || n > NAME_MAX_BYTES)
                return schema_refuse(w,
                                     "this cannot be a name; write at most %d of a-z, 0-9, _ "
                                     "and -, beginning with a letter",
                                     NAME_MAX_BYTES);
        return 0;
}

int schema_text(Walker *w, const Schema *s, const char *text, void *target) {
        char **field = target;

        if (!*text)
                return schema_refuse_value(w, s, text, "is empty");
        if (strlen(text) > (size_t)s->max)
                return schema_refuse(w, "the text has %zu bytes; write at most %" PRId64,
                                     strlen(text), s->max);
        *field = strdup(text);
        return *field ? 0 : -ENOMEM;
}

/* The value of an enumeration's name, or -1 with the error noted. */
static int enum_value(Walker *w, const Schema *s, const char *text) {
        const char *names[SCHEMA_NAMES_MAX + 1] = {};
        char advice[SCHEMA_ADVICE_SIZE], shown[SHOWN_SIZE];
        size_t n = 0;

        assert(s->n_names <= SCHEMA_NAMES_MAX);
        for (size_t i = 0; i < s->n_names; i++) {
                if (!s->names[i])
                        continue;
                if (STREQ(s->names[i], text))
                        return (int)i;
                names[n++] = s->names[i];
        }
        schema_refuse(w, "'%s' is unknown; %s", text_escape(text, shown, sizeof(shown)),
                      schema_advise(text, names, advice));
        return -1;
}

int schema_enum(Walker *w, const Schema *s, const char *text, void *target) {
        int value = enum_value(w, s, text);

        if (value < 0)
                return SCHEMA_REFUSED;
        *(int *)target = value;
        return 0;
}

int schema_bit(Walker *w, const Schema *s, const char *text, void *target) {
        uint32_t *mask = target;
        int value = enum_value(w, s, text);

        if (value < 0)
                return SCHEMA_REFUSED;
        if (*mask & UINT32_C(1) << value)
                return schema_refuse_repeated(w, text);
        *mask |= UINT32_C(1) << value;
        return 0;
}

/* What YAML takes for a text because of its quotes. */
static bool is_quoted(const Walker *w) {
        return w->event.data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
}

int schema_bool(Walker *w, const Schema *s, const char *text, void *target) {
        bool value = STREQ(text, "true");

        if (is_quoted(w))
                return schema_refuse_value(w, s, text, "has quotes");
        if (!value && !STREQ(text, "false"))
                return schema_refuse_value(w, s, text, "is neither true nor false");
        *(bool *)target = value;
        return 0;
}

/* Reads digits without sign or leading zeros up to the first other character, to which *text then
 * points. False if there are none or too many. */
static bool parse_number(const char **text, int64_t *ret) {
        const char *p = *text;
        int64_t value = 0;

        if (!isdigit((unsigned char)*p) || (*p == '0' && isdigit((unsigned char)p[1])))
                return false;
        for (; isdigit((unsigned char)*p); p++)
                if (__builtin_mul_overflow(value, 10, &value) ||
                    __builtin_add_overflow(value, *p - '0', &value))
                        return false;
        *text = p;
        *ret = value;
        return true;
}

static int scan_number(Walker *w, const Schema *s, const char *text, const char *unit,
                       const char *problem, void *target) {
        const char *p = text;
        int64_t value;

        if (!parse_number(&p, &value) || !STREQ(p, unit))
                return schema_refuse_value(w, s, text, problem);
        if (value < s->min || value > s->max)
                return schema_refuse_value(w, s, text, "is out of range");
        *(int64_t *)target = value;
        return 0;
}

int schema_integer(Walker *w, const Schema *s, const char *text, void *target) {
        if (is_quoted(w))
                return schema_refuse_value(w, s, text, "has quotes");
        return scan_number(w, s, text, "", "is not a whole number", target);
}

int schema_percent(Walker *w, const Schema *s, const char *text, void *target) {
        return scan_number(w, s, text, "%", "is not a whole number with %", target);
}

typedef struct Unit {
        const char *name;
        int64_t factor;
} Unit;

#define DAY 86400

/* From the greatest to the least, the end has no name. */
static const Unit time_units[] = {
        { "d", DAY }, { "h", 3600 }, { "m", 60 }, { "s", 1 }, {},
};
static const Unit size_units[] = {
        { "TiB", INT64_C(1) << 40 },
        { "GiB", INT64_C(1) << 30 },
        { "MiB", INT64_C(1) << 20 },
        { "KiB", INT64_C(1) << 10 },
        {},
};

static const Unit *unit_find(const Unit *units, const char *text, size_t size) {
        for (; units->name; units++)
                if (strlen(units->name) == size && memcmp(units->name, text, size) == 0)
                        return units;
        return NULL;
}

/* Reads numbers with units, the units falling: "1h30m". NULL, or what is wrong. */
static const char *parse_amount(const char *text, const Unit *units, int64_t *ret) {
        const Unit *unit, *least = NULL;
        int64_t total = 0, number;

        do {
                size_t n = 0;

                if (!parse_number(&text, &number))
                        return "is not a whole number with a unit";
                while (isalpha((unsigned char)text[n]))
                        n++;
                if (n == 0)
                        return *text ? "is not a whole number with a unit" : "has no unit";
                unit = unit_find(units, text, n);
                if (!unit)
                        return "has an unknown unit";
                if (least && unit <= least)
                        return "has its units in the wrong order";
                if (__builtin_mul_overflow(number, unit->factor, &number) ||
                    __builtin_add_overflow(total, number, &total))
                        return "is too large";
                least = unit;
                text += n;
        } while (*text);
        *ret = total;
        return NULL;
}

static void format_amount(int64_t amount, const Unit *units, char *buffer, size_t size) {
        while (units[1].name && (amount < units->factor || amount % units->factor != 0))
                units++;
        snprintf(buffer, size, "%" PRId64 "%s", amount / units->factor, units->name);
}

static int scan_amount(Walker *w, const Schema *s, const char *text, const Unit *units,
                       void *target) {
        char shown[SHOWN_SIZE], least[SHOWN_SIZE], most[SHOWN_SIZE];
        const char *problem;
        int64_t value;

        problem = parse_amount(text, units, &value);
        if (problem)
                return schema_refuse_value(w, s, text, problem);
        if (value < s->min || value > s->max) {
                format_amount(s->min, units, least, sizeof(least));
                format_amount(s->max, units, most, sizeof(most));
                return schema_refuse(w, "'%s' is out of range; write %s to %s",
                                     text_escape(text, shown, sizeof(shown)), least, most);
        }
        *(int64_t *)target = value;
        return 0;
}

int schema_duration(Walker *w, const Schema *s, const char *text, void *target) {
        return scan_amount(w, s, text, time_units, target);
}

int schema_working(Walker *w, const Schema *s, const char *text, void *target) {
        int64_t value;

        if (!parse_amount(text, time_units, &value) && strchr(text, 'd'))
                return schema_refuse(w,
                                     "'%s' is in days, but working days differ in length; write "
                                     "hours, for days of 8 hours %" PRId64 "h",
                                     text, value / DAY * 8 + (value % DAY + 3599) / 3600);
        return scan_amount(w, s, text, time_units + 1, target);
}

int schema_size(Walker *w, const Schema *s, const char *text, void *target) {
        return scan_amount(w, s, text, size_units, target);
}

int schema_date(Walker *w, const Schema *s, const char *text, void *target) {
        int year, month, day, y, m, d, end = 0;
        int32_t date;

        if (strlen(text) != 10 || strspn(text, "0123456789-") != 10 ||
            sscanf(text, "%4d-%2d-%2d%n", &year, &month, &day, &end) != 3 || end != 10)
                return schema_refuse_value(w, s, text, "is not a date");
        if (year < CALENDAR_YEAR_MIN || year >= CALENDAR_YEAR_MAX)
                return schema_refuse(w, "'%s' is out of range; write a year from %d to %d", text,
                                     CALENDAR_YEAR_MIN, CALENDAR_YEAR_MAX - 1);
        if (month < 1 || month > 12 || day < 1 || day > 31)
                return schema_refuse_value(w, s, text, "is not in any calendar");
        date = days_from_civil(year, month, day);
        civil_from_days(date, &y, &m, &d);
        if (d != day)
                return schema_refuse_value(w, s, text, "is not in any calendar");
        *(int32_t *)target = date;
        return 0;
}
