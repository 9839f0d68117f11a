/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The log: one sink, syslog(3) or standard error. Lines name records by number or code and never
 * carry personal data; whatever is not printable is escaped, so that a line stays one line. */

#include <syslog.h>

#include "base/macro.h"

#define LOG_IDENTIFIER "aftersalesd" /* what our lines begin with in syslog */

typedef enum LogTarget { LOG_TO_STDERR, LOG_TO_SYSLOG } LogTarget;

void log_open(LogTarget target, int facility, int level);
void log_set_level(int level);
int log_get_level(void);
LogTarget log_get_target(void);

void log_at(int level, const char *format, ...) _printf_(2, 3);

#define log_error(...)   log_at(LOG_ERR, __VA_ARGS__)
#define log_warning(...) log_at(LOG_WARNING, __VA_ARGS__)
#define log_notice(...)  log_at(LOG_NOTICE, __VA_ARGS__)
#define log_info(...)    log_at(LOG_INFO, __VA_ARGS__)
#define log_debug(...)   log_at(LOG_DEBUG, __VA_ARGS__)
