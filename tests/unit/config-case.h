/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Configurations for tests, each written as policy.yaml into a directory of its own and loaded from
 * there. Run from the top of the source tree. */

#include <limits.h>
#include <stddef.h>

#include "config/config.h"

#define LADDER         "ladders: {l: {rungs: [{to: owner, after: 0s}]}}\n"
#define WEEK           "week: {monday: [09:00-17:00]}"
#define AT             "policy.yaml:"
#define DATA_PATH_SIZE (PATH_MAX + 32)

/* The delivered file; tests/unit/config; the published holidays, which may not be there. */
extern char shipped_path[PATH_MAX], data_directory[PATH_MAX], holiday_directory[PATH_MAX];

/* For cmocka. */
int enter_directory(void **state);
int leave_directory(void **state);

void write_file(const char *name, const void *data, size_t size);
/* Appends what is in the file and a NUL, which is not counted. */
char *append_file(char *text, size_t *size, const char *name);
/* The path of a file in data_directory. */
char *data_path(const char *name, char buffer[static DATA_PATH_SIZE]);
/* The texts, a line each; to be freed. */
char *join(const ConfigMessages *messages);

/* Loads a text that is to be refused. */
void refuse(const char *yaml, size_t size, ConfigErrors *errors);
/* With these errors. */
void assert_refused(const char *yaml, size_t size, const char *expected);
/* One that is to be good. */
Policy *load(const char *path);
Policy *load_data(const char *name);
Policy *load_text(const char *yaml);
