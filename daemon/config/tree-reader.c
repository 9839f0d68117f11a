/* SPDX-License-Identifier: Apache-2.0 */

/* The way through a file, event by event. What is refused is noted and passed over. */

#include <errno.h>
#include <string.h>
#include <yaml.h>

#include "aftersales/limits.h"
#include "base/text.h"
#include "config/tree.h"
#include "config/walker.h"

typedef struct Reader {
        Walker walker; /* knows the path for messages */
        bool builtin;  /* what is read has no place of its own */
        yaml_parser_t parser;
        yaml_event_t event; /* the current one */
        size_t nesting, *n_events;
} Reader;

/* ---- events -------------------------------------------------------------------------------- */

static ConfigPlace place_at(const Reader *r, const yaml_mark_t *mark) {
        ConfigPlace place = r->walker.place;

        if (!r->builtin) {
                place.line = (int)mark->line + 1;
                place.column = (int)mark->column + 1;
        }
        return place;
}

/* Notes where the file cannot be read any further; the place of such an error is not that of the
 * key last read. */
static int end(Reader *r, const char *problem) {
        r->walker.n_steps = 0;
        r->walker.place = place_at(r, &r->event.start_mark);
        walker_refuse(&r->walker, "%s", problem);
        return -EBADMSG;
}

static int syntax_error(Reader *r) {
        const yaml_parser_t *p = &r->parser;
        Walker *w = &r->walker;

        if (p->error == YAML_MEMORY_ERROR)
                return -ENOMEM;
        w->n_steps = 0;
        w->place = place_at(r, &p->problem_mark);
        if (p->context)
                walker_refuse(w,
                              "%s %s that begins in line %zu; check indentation, quotes and "
                              "brackets from there on",
                              p->problem, p->context, p->context_mark.line + 1);
        else
                walker_refuse(w, "%s; check indentation, quotes and brackets", p->problem);
        return -EBADMSG;
}

/* Of the node that the current event begins: what YAML allows and we do not. */
static void refuse_extras(Reader *r) {
        const yaml_event_t *e = &r->event;
        const yaml_char_t *anchor = NULL, *tag = NULL;
        Walker *w = &r->walker;

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
        w->place = place_at(r, &e->start_mark);
        if (e->type == YAML_ALIAS_EVENT)
                walker_refuse(w, "an alias (*) is not allowed; write the value out");
        if (anchor)
                walker_refuse(w, "an anchor (&) is not allowed; remove it");
        if (tag)
                walker_refuse(w, "a tag (!) is not allowed; remove it");
}

/* Goes to the next event. 0, -EBADMSG (noted), -ENOMEM. */
static int next(Reader *r) {
        yaml_event_delete(&r->event);
        if (!yaml_parser_parse(&r->parser, &r->event))
                return syntax_error(r);
        if (++*r->n_events > CONFIG_EVENTS_MAX)
                return end(r, "the configuration has too many keys and values; shorten it");
        switch (r->event.type) {
        case YAML_SEQUENCE_START_EVENT:
        case YAML_MAPPING_START_EVENT:
                if (++r->nesting > CONFIG_DEPTH_MAX)
                        return end(r, "lists and maps are nested too deeply; nothing in this "
                                      "file needs that");
                break;
        case YAML_SEQUENCE_END_EVENT:
        case YAML_MAPPING_END_EVENT:
                r->nesting--;
                break;
        default:
                break;
        }
        refuse_extras(r);
        return 0;
}

/* ---- nodes ---------------------------------------------------------------------------------
 *
 * These begin at the first event of a node and end at its last. A list or map has its children as
 * soon as they begin, so that nothing is lost where a file ends too early. 0, -EBADMSG, -ENOMEM. */

static int read_node(Reader *r, Tree *node);

/* Makes a node for what the current event begins. */
static Tree *node_new(const Reader *r) {
        Tree *node = calloc(1, sizeof(*node));

        if (node)
                node->place = place_at(r, &r->event.start_mark);
        return node;
}

static int read_scalar(const Reader *r, Tree *node) {
        node->size = r->event.data.scalar.length;
        node->plain = r->event.data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
        node->text = malloc(node->size + 1);
        if (!node->text)
                return -ENOMEM;
        memcpy(node->text, r->event.data.scalar.value, node->size);
        node->text[node->size] = '\0';
        return 0;
}

static int read_list(Reader *r, Tree *list) {
        int result;

        for (size_t i = 0;; i++) {
                _cleanup_(cleanup_tree_free) Tree *item = NULL;

                walker_push(&r->walker, NULL, i);
                result = next(r);
                if (result < 0)
                        return result;
                if (r->event.type == YAML_SEQUENCE_END_EVENT)
                        break;
                item = node_new(r);
                if (!item)
                        return -ENOMEM;
                result = tree_add(list, item);
                if (result == 0)
                        result = read_node(r, TAKE_PTR(item));
                walker_pop(&r->walker);
                if (result < 0)
                        return result;
        }
        walker_pop(&r->walker);
        return 0;
}

static bool is_word(const yaml_event_t *event) {
        const char *text;
        size_t position;

        if (event->type != YAML_SCALAR_EVENT)
                return false;
        text = (const char *)event->data.scalar.value;
        return *text && text_check(text, event->data.scalar.length, false, &position) == TEXT_OK;
}

/* What stands where a key should, and its value: neither is kept, only that they were there. */
static int read_no_entry(Reader *r, Tree *map) {
        _cleanup_(cleanup_tree_free) Tree *mark = node_new(r), *key = node_new(r), *value = NULL;
        int result;

        if (!mark || !key)
                return -ENOMEM;
        mark->key_place = mark->place;
        result = tree_add(map, mark);
        if (result < 0)
                return result;
        TAKE_PTR(mark);
        result = read_node(r, key);
        if (result == 0)
                result = next(r);
        if (result < 0)
                return result;
        value = node_new(r);
        return value ? read_node(r, value) : -ENOMEM;
}

/* The value of a key that its map has already is read and forgotten. */
static int read_again(Reader *r, Tree *value, const Tree *before) {
        r->walker.place = value->key_place;
        walker_refuse(&r->walker, "this key is already in line %d; remove one of the two",
                      before->key_place.line);
        return read_node(r, value);
}

static int read_value(Reader *r, Tree *map, Tree *key) {
        _cleanup_(cleanup_tree_free) Tree *value = node_new(r);
        const Tree *before = tree_find(map, key->text);
        int result;

        if (!value)
                return -ENOMEM;
        value->key = strdup(key->text);
        value->key_place = key->place;
        value->key_plain = key->plain;
        if (!value->key)
                return -ENOMEM;
        if (before)
                return read_again(r, value, before);
        result = tree_add(map, value);
        return result < 0 ? result : read_node(r, TAKE_PTR(value));
}

static int read_entry(Reader *r, Tree *map) {
        _cleanup_(cleanup_tree_free) Tree *key = NULL;
        int result;

        if (!is_word(&r->event))
                return read_no_entry(r, map);
        key = node_new(r);
        if (!key)
                return -ENOMEM;
        result = read_scalar(r, key);
        if (result < 0)
                return result;
        walker_push(&r->walker, key->text, 0);
        result = next(r);
        if (result == 0)
                result = read_value(r, map, key);
        walker_pop(&r->walker);
        return result;
}

static int read_map(Reader *r, Tree *map) {
        int result;

        for (;;) {
                result = next(r);
                if (result < 0)
                        return result;
                if (r->event.type == YAML_MAPPING_END_EVENT)
                        return 0;
                result = read_entry(r, map);
                if (result < 0)
                        return result;
        }
}

static int read_node(Reader *r, Tree *node) {
        int result;

        switch (r->event.type) {
        case YAML_SCALAR_EVENT:
                node->type = TREE_SCALAR;
                return read_scalar(r, node);
        case YAML_SEQUENCE_START_EVENT:
                node->type = TREE_LIST;
                break;
        case YAML_MAPPING_START_EVENT:
                node->type = TREE_MAP;
                break;
        default: /* an alias, which is noted */
                node->type = TREE_ALIAS;
                return 0;
        }
        node->cut = true;
        result = node->type == TREE_LIST ? read_list(r, node) : read_map(r, node);
        node->cut = result < 0;
        return result;
}

/* ---- files --------------------------------------------------------------------------------- */

static int read_document(Reader *r, Tree **ret) {
        int result;

        result = next(r); /* the start of the stream */
        if (result == 0)
                result = next(r);
        if (result < 0)
                return result;
        if (r->event.type == YAML_STREAM_END_EVENT)
                return end(r, "the file is empty; write the configuration into it");
        result = next(r);
        if (result < 0)
                return result;
        *ret = node_new(r);
        if (!*ret)
                return -ENOMEM;
        result = read_node(r, *ret);
        if (result == 0)
                result = next(r); /* the end of the document */
        if (result == 0)
                result = next(r);
        if (result < 0)
                return result;
        if (r->event.type != YAML_STREAM_END_EVENT)
                return end(r, "a second document begins here; write one file for each");
        return 0;
}

static int read_text(Reader *r, const char *text, size_t size, Tree **ret) {
        int result;

        if (!yaml_parser_initialize(&r->parser))
                return -ENOMEM;
        yaml_parser_set_encoding(&r->parser, YAML_UTF8_ENCODING);
        yaml_parser_set_input_string(&r->parser, (const yaml_char_t *)text, size);
        result = read_document(r, ret);
        yaml_event_delete(&r->event);
        yaml_parser_delete(&r->parser);
        return result;
}

int tree_read(ConfigErrors *errors, size_t file, size_t *n_events, Tree **ret) {
        const ConfigSource *source = &errors->sources[file];
        Reader reader = {
                .walker = { .errors = errors, .place = { file, 1, 1 } },
                .n_events = n_events,
        };

        *ret = NULL;
        return read_text(&reader, source->text, source->size, ret);
}

int tree_read_builtin(const char *text, ConfigErrors *errors, ConfigPlace place, Tree **ret) {
        size_t n_events = 0;
        Reader reader = {
                .walker = { .errors = errors, .place = place },
                .builtin = true,
                .n_events = &n_events,
        };

        *ret = NULL;
        return read_text(&reader, text, strlen(text), ret);
}
