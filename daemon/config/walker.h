/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The way through a configuration: knows at every node its place and the path from the root to it,
 * with which errors are noted. After an error a node is passed over and the way goes on. */

#include <stddef.h>

#include "aftersales/limits.h"
#include "base/macro.h"
#include "config/errors.h"

/* A step from the root to a node: a key, or (key NULL) the position in a list, from 0. */
typedef struct WalkerStep {
        const char *key;
        size_t index;
} WalkerStep;

typedef struct Walker {
        ConfigErrors *errors;
        void *context;           /* what schema_walk() was given */
        ConfigPlace place;       /* of what is being read: a scalar, or the key of a map or list */
        const struct Tree *node; /* which is being read */
        WalkerStep steps[CONFIG_DEPTH_MAX + 1];
        size_t n_steps;
} Walker;

/* Notes an error at the current place. CONFIG_REFUSED. */
int walker_refuse(Walker *walker, const char *format, ...) _printf_(2, 3);
/* Notes a warning there. */
void walker_warn(Walker *walker, const char *format, ...) _printf_(2, 3);

#define WALKER_PATH_SIZE 1024
/* Writes the current path, e.g. "ladders.service.rungs[1].after"; returns buffer. */
char *walker_path(const Walker *walker, char buffer[static WALKER_PATH_SIZE]);

#define SHOWN_SIZE 80 /* bytes of somebody's text in a message */

/* Lengthens the path; the key must live until the step is popped. */
void walker_push(Walker *walker, const char *key, size_t index);
void walker_pop(Walker *walker);
