/* SPDX-License-Identifier: Apache-2.0 */

#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/text.h"

#define LOG_LINE_MAX 1024

/* The one mutable state of the process: where it logs to. */
static LogTarget log_target = LOG_TO_STDERR;
static int log_level = LOG_INFO;

void log_open(LogTarget target, int facility, int level) {
        log_target = target;
        log_level = level;
        if (target == LOG_TO_SYSLOG)
                openlog(LOG_IDENTIFIER, LOG_PID, facility);
}

void log_set_level(int level) {
        log_level = level;
}

int log_get_level(void) {
        return log_level;
}

LogTarget log_get_target(void) {
        return log_target;
}

void log_at(int level, const char *format, ...) {
        char line[LOG_LINE_MAX], clean[LOG_LINE_MAX];
        va_list arguments;

        if (level > log_level)
                return;
        va_start(arguments, format);
        vsnprintf(line, sizeof(line), format, arguments);
        va_end(arguments);
        text_escape(line, clean, sizeof(clean));
        if (log_target == LOG_TO_SYSLOG)
                syslog(level, "%s", clean);
        else /* the prefix is what journald reads as the priority */
                fprintf(stderr, "<%d>%s\n", level, clean);
}
