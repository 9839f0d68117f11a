/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What is wrong with a configuration: messages with their places, and the sources they are about.
 * Nothing here prints or logs. */

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "aftersales/limits.h"
#include "base/macro.h"

/* The answer of what has noted an error: what it read cannot be used. */
#define CONFIG_REFUSED 1

/* Where something stands: the file as an index into the sources, line and column from 1, the column
 * counted in characters. Line 0 means the file as a whole. */
typedef struct ConfigPlace {
        size_t file;
        int line, column;
} ConfigPlace;

/* The configuration as a whole. */
static const ConfigPlace config_nowhere = {};

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

/* The users and groups of the rules of access, in their order, if somebody has looked them up for
 * the same configuration: -1 for one that the machine does not know. */
typedef struct ConfigIdentities {
        const id_t *ids;
        size_t n, next; /* next: of the rule to come */
} ConfigIdentities;

/* What a load found. Start with an empty one ({}) for every load, but for identities: with them no
 * name service is asked. */
typedef struct ConfigErrors {
        ConfigMessages errors;   /* any of these, and the file is refused */
        ConfigMessages warnings; /* e.g. a user this machine does not know */
        ConfigSource *sources;   /* what was read: the file, drop-ins, holiday files */
        size_t n_sources;
        ConfigIdentities *identities;
} ConfigErrors;

/* Adds what somebody above found wrong in the configuration, for example at the place that a
 * TargetSpec carries; config_nowhere when it is about none. Without a load (a policy made by hand)
 * the file is called "configuration". */
void config_error_add(ConfigErrors *errors, ConfigPlace place, const char *path, const char *format,
                      ...) _printf_(4, 5);

/* Adds a message to one of the two lists; path "" when it is about no key. Never fails: a message
 * for which there is no room or memory counts in n_more. */
void config_message_add(ConfigErrors *errors, ConfigMessages *messages, ConfigPlace place,
                        const char *path, const char *format, va_list arguments) _printf_(5, 0);

static inline bool config_errors_any(const ConfigErrors *errors) {
        return errors->errors.n + errors->errors.n_more > 0;
}

void config_errors_done(ConfigErrors *errors);

#define CONFIG_ADVICE_SIZE 512
/* Writes "did you mean 'x'?" or, with nothing near, "write one of x, y, z"; returns buffer. There
 * is at least one name, and NULL after the last. */
char *config_advise(const char *text, const char *const *names,
                    char buffer[static CONFIG_ADVICE_SIZE]);
