/* SPDX-License-Identifier: Apache-2.0 */

#include "config/walker.h"

#include <errno.h>
#include <stdio.h>

#include "base/text.h"

/* ---- messages ------------------------------------------------------------------------------ */

char *walker_path(const Walker *w, char buffer[static WALKER_PATH_SIZE]) {
        size_t used = 0;

        buffer[0] = '\0';
        for (size_t i = 0; i < w->n_steps && used < WALKER_PATH_SIZE; i++) {
                const WalkerStep *step = &w->steps[i];
                char shown[SHOWN_SIZE], *p = buffer + used;
                size_t left = WALKER_PATH_SIZE - used;

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
        char path[WALKER_PATH_SIZE];

        config_message_add(w->errors, messages, w->place, walker_path(w, path), format, arguments);
}

int walker_refuse(Walker *w, const char *format, ...) {
        va_list arguments;

        va_start(arguments, format);
        note(w, &w->errors->errors, format, arguments);
        va_end(arguments);
        return CONFIG_REFUSED;
}

void walker_warn(Walker *w, const char *format, ...) {
        va_list arguments;

        va_start(arguments, format);
        note(w, &w->errors->warnings, format, arguments);
        va_end(arguments);
}

/* ---- events -------------------------------------------------------------------------------- */

static void locate(Walker *w, const yaml_mark_t *mark) {
        if (w->fallback)
                return;
        w->place.line = (int)mark->line + 1;
        w->place.column = (int)mark->column + 1;
}

void walker_locate(Walker *w) {
        locate(w, &w->event.start_mark);
}

/* The place of an error of the whole file is not that of the key last read. */
int walker_end(Walker *w, const char *problem) {
        w->n_steps = 0;
        walker_locate(w);
        walker_refuse(w, "%s", problem);
        return -EBADMSG;
}

static int syntax_error(Walker *w) {
        const yaml_parser_t *p = &w->parser;

        if (p->error == YAML_MEMORY_ERROR)
                return -ENOMEM;
        w->n_steps = 0;
        locate(w, &p->problem_mark);
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
static void refuse_extras(Walker *w) {
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
        walker_locate(w);
        if (e->type == YAML_ALIAS_EVENT)
                walker_refuse(w, "an alias (*) is not allowed; write the value out");
        if (anchor)
                walker_refuse(w, "an anchor (&) is not allowed; remove it");
        if (tag)
                walker_refuse(w, "a tag (!) is not allowed; remove it");
        w->place = place;
}

int walker_next(Walker *w) {
        yaml_event_delete(&w->event);
        if (!yaml_parser_parse(&w->parser, &w->event))
                return syntax_error(w);
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
        refuse_extras(w);
        return 0;
}

int walker_skip(Walker *w) {
        size_t outside = w->nesting;
        int r;

        if (w->event.type != YAML_SEQUENCE_START_EVENT && w->event.type != YAML_MAPPING_START_EVENT)
                return CONFIG_REFUSED;
        do {
                r = walker_next(w);
                if (r < 0)
                        return r;
        } while (w->nesting >= outside);
        return CONFIG_REFUSED;
}

void walker_push(Walker *w, const char *key, size_t index) {
        assert(w->n_steps < ELEMENTS(w->steps));
        w->steps[w->n_steps++] = (WalkerStep){ key, index };
}

void walker_pop(Walker *w) {
        if (w->n_steps > 0) /* an error that ends the walk has left all */
                w->n_steps--;
}
