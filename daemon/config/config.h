/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The configuration file: YAML into a Policy, strictly. Whatever the file's table (config.c) does
 * not foresee is an error, all errors of a file are found at once, and each says where it is, what
 * is wrong and what would be right:
 *
 *         aftersalesd.yaml:12:18: ladders.service.repeat: '8' has no unit; write working time such
 *         as 90s, 30m, 36h or 1h30m
 *
 * Nothing here prints or logs. */

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include "base/macro.h"
#include "config/policy.h"

#define CONFIG_MESSAGES_MAX 100 /* messages kept of each severity; more are only counted */
#define HOLIDAY_FILES_MAX   256 /* of one calendar */

/* Where something stands: the file as an index into the sources, line and column from 1, the column
 * counted in characters. Line 0 means the file as a whole. */
typedef struct ConfigPlace {
        size_t file;
        int line, column;
} ConfigPlace;

typedef struct ConfigMessage {
        ConfigPlace place;
        char *text;    /* "file:line:column: path.to.key: what is wrong; what would be right" */
        char *excerpt; /* the line it stands in and, in a second line, a caret; NULL: none */
} ConfigMessage;

/* In the order of files, lines and columns. */
typedef struct ConfigMessages {
        ConfigMessage list[CONFIG_MESSAGES_MAX];
        size_t n;
        size_t n_more; /* found besides and not kept */
} ConfigMessages;

typedef struct ConfigSource {
        char *name;
        char *text;
        size_t size;
} ConfigSource;

/* What a load found. Start with an empty one ({}) for every load. */
typedef struct ConfigErrors {
        ConfigMessages errors;   /* any of these, and the file is refused */
        ConfigMessages warnings; /* e.g. a user this machine does not know */
        ConfigSource *sources;   /* what was read: the configuration file, then holiday files */
        size_t n_sources;
} ConfigErrors;

#define CONFIG_REFUSED 1

/* Reads a configuration file and the holiday files it names. Users and groups are looked up, so
 * this may ask the network. 0 with *ret; CONFIG_REFUSED (the file cannot be used, and errors say
 * why); -ENOMEM. */
int config_load(const char *path, ConfigErrors *errors, Policy **ret) _warn_unused_;

/* Adds what somebody above found wrong in the configuration file of the load, for example at the
 * line and column that a TargetSpec carries; line 0 when it is about no line. Without a load (a
 * policy made by hand) the file is called "configuration". */
void config_error_add(ConfigErrors *errors, int line, int column, const char *path,
                      const char *format, ...) _printf_(5, 6);

/* Adds a message to one of the two lists; path "" when it is about no key. Never fails: a message
 * for which there is no room or memory counts in n_more. */
void config_message_add(ConfigErrors *errors, ConfigMessages *messages, ConfigPlace place,
                        const char *path, const char *format, va_list arguments)
        __attribute__((format(printf, 5, 0)));

static inline bool config_errors_any(const ConfigErrors *errors) {
        return errors->errors.n + errors->errors.n_more > 0;
}

void config_errors_done(ConfigErrors *errors);

/* Writes every key the file can have with its type, default and meaning. */
void config_print_keys(FILE *file);
