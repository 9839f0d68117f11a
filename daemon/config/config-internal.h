/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What the hooks of the table ask of the load they run in, the context of their walker. */

#include "config/schema.h"

/* What the configuration defines in one place and names in others. */
typedef enum ConfigDefinition { CONFIG_CALENDAR, CONFIG_LADDER, CONFIG_ROLE } ConfigDefinition;

/* Like scalar_text(), for the name of something that must be defined, perhaps further down. */
int config_refer(Walker *walker, const Schema *schema, const char *text, void *target,
                 ConfigDefinition definition);

/* Reads a whole file into target, its name relative to the configuration file. As a scalar function
 * does. */
int config_include(Walker *walker, const Schema *schema, const char *name, const Schema *of_file,
                   void *target);
