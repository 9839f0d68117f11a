/* SPDX-License-Identifier: Apache-2.0 */

#include "config/walker.h"

#include <stdio.h>

#include "base/text.h"

/* ---- messages ------------------------------------------------------------------------------ */

char *walker_path(const Walker *w, char buffer[static WALKER_PATH_SIZE]) {
        size_t used = 0;

        buffer[0] = '\0';
        for (size_t i = 0; i < w->n_steps && used < WALKER_PATH_SIZE; i++) {
                const WalkerStep *step = &w->steps[i];
                char shown[SHOWN_SIZE], *p = buffer + used;
                size_t left = WALKER_PATH_SIZE - used;

                if (step->key)
                        used += snprintf(p, left, "%s%s", i > 0 ? "." : "",
                                         text_escape(step->key, shown, sizeof(shown)));
                else
                        used += snprintf(p, left, "[%zu]", step->index);
        }
        return buffer;
}

static _printf_(3, 0) void note(Walker *w, ConfigMessages *messages, const char *format,
                                va_list arguments) {
        char path[WALKER_PATH_SIZE];

        config_message_add(w->errors, messages, w->place, walker_path(w, path), format, arguments);
}

int walker_refuse(Walker *w, const char *format, ...) {
        va_list arguments;

        va_start(arguments, format);
        note(w, &w->errors->errors, format, arguments);
        va_end(arguments);
        return CONFIG_REFUSED;
}

void walker_warn(Walker *w, const char *format, ...) {
        va_list arguments;

        va_start(arguments, format);
        note(w, &w->errors->warnings, format, arguments);
        va_end(arguments);
}

/* ---- the path ------------------------------------------------------------------------------- */

void walker_push(Walker *w, const char *key, size_t index) {
        assert(w->n_steps < ELEMENTS(w->steps));
        w->steps[w->n_steps++] = (WalkerStep){ key, index };
}

void walker_pop(Walker *w) {
        if (w->n_steps > 0) /* an error that ends a file has left all */
                w->n_steps--;
}
