/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The way through a file: event by event, knowing at every one the place in the file and the path
 * from its root, with which errors are noted. After an error a node is skipped and the way goes on.
 *
 * Of YAML only plain trees are taken: no anchors, aliases, tags, merge keys or second documents. */

#include <stdbool.h>
#include <stddef.h>
#include <yaml.h>

#include "aftersales/limits.h"
#include "base/macro.h"
#include "config/errors.h"

/* A step from the root to a node: a key, or (key NULL) the position in a list, from 0. */
typedef struct WalkerStep {
        const char *key;
        size_t index;
} WalkerStep;

/* Hooks of a schema read the first part. */
typedef struct Walker {
        ConfigErrors *errors;
        void *context;     /* what schema_walk() was given */
        ConfigPlace place; /* of what is being read: a scalar, or the key of a map or list */
        WalkerStep steps[CONFIG_DEPTH_MAX + 1];
        size_t n_steps;

        bool fallback; /* reading one, which has no place of its own */
        yaml_parser_t parser;
        yaml_event_t event; /* the current one */
        size_t nesting, n_events;
} Walker;

/* Notes an error at the current place. CONFIG_REFUSED. */
int walker_refuse(Walker *walker, const char *format, ...) _printf_(2, 3);
/* Notes a warning there. */
void walker_warn(Walker *walker, const char *format, ...) _printf_(2, 3);

#define WALKER_PATH_SIZE 1024
/* Writes the current path, e.g. "ladders.service.rungs[1].after"; returns buffer. */
char *walker_path(const Walker *walker, char buffer[static WALKER_PATH_SIZE]);

#define SHOWN_SIZE 80 /* bytes of somebody's text in a message */

/* ---- for schema_walk() alone --------------------------------------------------------------- */

/* Goes to the next event. 0, -EBADMSG (noted), -ENOMEM. */
int walker_next(Walker *walker);

/* From the first event of a node, which has been refused, to its last. CONFIG_REFUSED, -EBADMSG
 * (noted), -ENOMEM. */
int walker_skip(Walker *walker);

/* Moves the place to where the current event begins. */
void walker_locate(Walker *walker);

/* Notes that the current event is where the file cannot be read any further. -EBADMSG. */
int walker_end(Walker *walker, const char *problem);

/* Lengthens the path; the key must live until the step is popped. */
void walker_push(Walker *walker, const char *key, size_t index);
void walker_pop(Walker *walker);
