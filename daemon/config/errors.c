/* SPDX-License-Identifier: Apache-2.0 */

#include "config/errors.h"

#include <locale.h>
#include <stdio.h>
#include <string.h>
#include <wchar.h>

#include "base/text.h"
#include "config/source.h"

#define EXCERPT_BYTES_MAX 200 /* a longer line is not shown */

void config_errors_done(ConfigErrors *errors) {
        ConfigMessages *both[] = { &errors->errors, &errors->warnings };

        for (size_t i = 0; i < ELEMENTS(both); i++)
                for (size_t j = 0; j < both[i]->n; j++) {
                        free(both[i]->list[j].text);
                        free(both[i]->list[j].excerpt);
                }
        for (size_t i = 0; i < errors->n_sources; i++) {
                free(errors->sources[i].name);
                free(errors->sources[i].text);
        }
        free(errors->sources);
        *errors = (ConfigErrors){};
}

/* The line of a place and below it a caret; NULL if there is nothing to show, or no memory. */
static char *excerpt_format(const ConfigSource *source, ConfigPlace place) {
        char shown[EXCERPT_BYTES_MAX], *excerpt;
        size_t size, used = 0, position;
        const char *line = source_line(source, place.line, &size);
        int column = 1, indent = 0;

        if (!line || size == 0 || size > sizeof(shown))
                return NULL;
        for (size_t i = 0, n; i < size; i += n, column++) {
                uint32_t c = 0;
                bool harmless;

                n = MAX(utf8_character(line + i, size - i, &c), (size_t)1);
                harmless = text_check(line + i, n, false, &position) == TEXT_OK;
                memcpy(shown + used, harmless ? line + i : "?", harmless ? n : 1);
                used += harmless ? n : 1;
                if (column < place.column)
                        indent += harmless ? MAX(wcwidth((wchar_t)c), 0) : 1;
        }
        indent += MAX(place.column - column, 0);
        if (asprintf(&excerpt, "%.*s\n%*s^", (int)used, shown, indent, "") < 0)
                return NULL;
        return excerpt;
}

/* wcwidth() knows the width of a Chinese character only in a locale that has any. */
static char *excerpt_new(const ConfigSource *source, ConfigPlace place) {
        locale_t utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", NULL), before;
        char *excerpt;

        if (!utf8)
                return NULL;
        before = uselocale(utf8);
        excerpt = excerpt_format(source, place);
        uselocale(before);
        freelocale(utf8);
        return excerpt;
}

static bool place_before(ConfigPlace a, ConfigPlace b) {
        if (a.file != b.file)
                return a.file < b.file;
        return a.line != b.line ? a.line < b.line : a.column < b.column;
}

static _printf_(4, 0) char *message_text(const char *file, ConfigPlace place, const char *path,
                                         const char *format, va_list arguments) {
        _cleanup_free_ char *what = NULL;
        char *text, position[32] = "";

        if (vasprintf(&what, format, arguments) < 0) {
                what = NULL;
                return NULL;
        }
        if (place.line > 0)
                snprintf(position, sizeof(position), "%d:%d:", place.line, place.column);
        if (asprintf(&text, "%s:%s %s%s%s", file, position, path, *path ? ": " : "", what) < 0)
                return NULL;
        return text;
}

void config_message_add(ConfigErrors *errors, ConfigMessages *messages, ConfigPlace place,
                        const char *path, const char *format, va_list arguments) {
        static const ConfigSource unread = { .name = (char *)"configuration" };
        const ConfigSource *source = errors->n_sources > 0 ? &errors->sources[place.file] : &unread;
        _cleanup_free_ char *text = NULL;
        size_t at = messages->n;

        text = message_text(source->name, place, path, format, arguments);
        /* A holiday file that two calendars name is read twice, and its errors are told once. */
        for (size_t i = 0; text && i < messages->n; i++)
                if (STREQ(messages->list[i].text, text))
                        return;
        if (!text || messages->n == CONFIG_MESSAGES_MAX) {
                messages->n_more++;
                return;
        }
        while (at > 0 && place_before(place, messages->list[at - 1].place))
                at--;
        memmove(&messages->list[at + 1], &messages->list[at],
                (messages->n++ - at) * sizeof(messages->list[0]));
        messages->list[at] = (ConfigMessage){ place, TAKE_PTR(text), excerpt_new(source, place) };
}

void config_error_add(ConfigErrors *errors, ConfigPlace place, const char *path, const char *format,
                      ...) {
        va_list arguments;

        va_start(arguments, format);
        config_message_add(errors, &errors->errors, place, path, format, arguments);
        va_end(arguments);
}

char *config_advise(const char *text, const char *const *names,
                    char buffer[static CONFIG_ADVICE_SIZE]) {
        const char *nearest = text_nearest(text, names);
        size_t used;

        if (nearest) {
                snprintf(buffer, CONFIG_ADVICE_SIZE, "did you mean '%s'?", nearest);
                return buffer;
        }
        used = snprintf(buffer, CONFIG_ADVICE_SIZE, "write one of");
        for (size_t i = 0; names[i] && used < CONFIG_ADVICE_SIZE; i++)
                used += snprintf(buffer + used, CONFIG_ADVICE_SIZE - used, "%s %s",
                                 i > 0 ? "," : "", names[i]);
        return buffer;
}
