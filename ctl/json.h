/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What goes over the bus is held as JSON values here: a dictionary is an object, an array or a
 * struct an array, integers are integers. */

#include <stdbool.h>
#include <stdio.h>

#include "macro.h"

/* Adds to an object or array, which takes the value over even on failure; NULL stands for a value
 * for which there was no memory. 0 or -ENOMEM. */
int json_put(json_object *object, const char *key, json_object *value);
int json_append(json_object *array, json_object *value);

/* Reads all that is left of a message into an array. 0, -ENOMEM, -EBADMSG (a type without JSON). */
int json_from_message(sd_bus_message *m, json_object **ret);

/* Appends an object of flags, integers and texts as a{sv}; integers go as x, above its range as t.
 * 0 or negative errno. */
int json_to_message(sd_bus_message *m, json_object *fields);

/* Prints a value with each line indented; no character of it disturbs a terminal. 0 or -ENOMEM. */
int json_print(FILE *f, json_object *value, bool pretty, const char *indent);
