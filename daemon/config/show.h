/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What is in force, as YAML that can be read again: every key with its value, also those that were
 * left to their defaults. */

#include "config/schema.h"
#include "config/tree.h"

/* Writes a tree that a schema_walk() without errors has read; with origin each value is followed by
 * where it stands, "# file:line" or "# default". 0 with *ret, to be freed; -ENOMEM. */
int show_config(const Schema *schema, const Tree *tree, ConfigErrors *errors, bool origin,
                char **ret) _warn_unused_;
