/* SPDX-License-Identifier: Apache-2.0 */

#include "text.h"

#include <langinfo.h>
#include <locale.h>
#include <stdarg.h>
#include <string.h>
#include <wchar.h>

int report(const Report *report, int exit_code, const char *format, ...) {
        _cleanup_free_ char *message = NULL, *safe = NULL;
        va_list arguments;
        int n;

        va_start(arguments, format);
        n = vasprintf(&message, format, arguments);
        va_end(arguments);
        if (n < 0)
                message = NULL;
        else
                safe = text_safe(message, true);
        fprintf(report->to, "aftersalesctl: %s%s%s\n", report->command ? report->command : "",
                report->command ? ": " : "", safe ? safe : "out of memory");
        return exit_code;
}

void text_use_locale(void) {
        setlocale(LC_ALL, "");
        if (!STREQ(nl_langinfo(CODESET), "UTF-8"))
                setlocale(LC_CTYPE, "C.UTF-8");
}

bool text_is_utf8(const char *text) {
        mbstate_t state = {};
        size_t left = strlen(text);

        while (left > 0) {
                wchar_t c;
                size_t n = mbrtowc(&c, text, left, &state);

                /* The C library takes what is beyond Unicode. */
                if (n > left || c > 0x10ffff)
                        return false;
                text += n;
                left -= n;
        }
        return true;
}

size_t text_unsafe(const char *p, unsigned *ret) {
        const unsigned char *u = (const unsigned char *)p;

        if (u[0] < 0x20 || u[0] == 0x7f) {
                *ret = u[0];
                return u[0] ? 1 : 0;
        }
        if (u[0] == 0xc2 && u[1] >= 0x80 && u[1] < 0xa0) {
                *ret = u[1];
                return 2;
        }
        if (u[0] == 0xe2 && (u[1] == 0x80 || u[1] == 0x81) && (u[2] & 0xc0) == 0x80) {
                unsigned c = 0x2000U | (u[1] & 0x3fU) << 6 | (u[2] & 0x3fU);

                *ret = c;
                if (c == 0x200e || c == 0x200f || (c >= 0x2028 && c <= 0x202e) ||
                    (c >= 0x2066 && c <= 0x2069))
                        return 3;
        }
        return 0;
}

char *text_safe(const char *text, bool multiline) {
        char *safe = NULL;
        size_t size;
        FILE *f = open_memstream(&safe, &size);

        if (!f)
                return NULL;
        for (const char *p = text; *p;) {
                unsigned c = 0;
                size_t n = text_unsafe(p, &c);

                if (c == '\n' || c == '\t')
                        fputc(multiline ? *p : ' ', f);
                else if (n > 0)
                        fprintf(f, "\\u%04x", c);
                else
                        fputc(*p, f);
                p += n > 0 ? n : 1;
        }
        return text_take(f, &safe);
}

char *text_take(FILE *f, char **text) {
        bool failed = ferror(f);

        if (fclose(f) != 0 || failed) {
                free(*text);
                *text = NULL;
        }
        return *text;
}

/* ---- did you mean ---- */

#define NEAREST_EDITS 2
#define NEAREST_BYTES 32

/* Levenshtein. Both texts have at most NEAREST_BYTES. */
static size_t distance(const char *a, const char *b) {
        size_t row[NEAREST_BYTES + 1], n = strlen(b);

        for (size_t j = 0; j <= n; j++)
                row[j] = j;
        for (size_t i = 1; a[i - 1]; i++) {
                size_t diagonal = row[0];

                row[0] = i;
                for (size_t j = 1; j <= n; j++) {
                        size_t best = diagonal + (a[i - 1] != b[j - 1]);

                        diagonal = row[j];
                        if (row[j] + 1 < best)
                                best = row[j] + 1;
                        if (row[j - 1] + 1 < best)
                                best = row[j - 1] + 1;
                        row[j] = best;
                }
        }
        return row[n];
}

void nearest_offer(Nearest *nearest, const char *name) {
        size_t d;

        if (strlen(nearest->text) > NEAREST_BYTES || strlen(name) > NEAREST_BYTES)
                return;
        d = distance(nearest->text, name);
        /* Two edits turn any short word into any other. */
        if (d > NEAREST_EDITS || d >= strlen(name) || (nearest->best && d >= nearest->distance))
                return;
        nearest->best = name;
        nearest->distance = d;
}

char *nearest_hint(const Nearest *nearest, const char *prefix,
                   char buffer[static NEAREST_HINT_SIZE]) {
        *buffer = '\0';
        if (nearest->best)
                snprintf(buffer, NEAREST_HINT_SIZE, "; did you mean '%s%s'?", prefix,
                         nearest->best);
        return buffer;
}
