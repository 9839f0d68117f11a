/* SPDX-License-Identifier: Apache-2.0 */

#include "base/text.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/macro.h"

#define DISTANCE_LENGTH_MAX 64

size_t utf8_character(const char *p, size_t size, uint32_t *ret) {
        static const uint32_t smallest[] = { 0, 0, 0x80, 0x800, 0x10000 };
        const uint8_t *s = (const uint8_t *)p;
        size_t n;
        uint32_t c;

        if (size == 0)
                return 0;
        if (s[0] < 0x80) {
                *ret = s[0];
                return 1;
        }
        n = s[0] >= 0xf0 ? 4 : s[0] >= 0xe0 ? 3 : 2;
        if (s[0] < 0xc2 || s[0] > 0xf4 || n > size)
                return 0;
        c = s[0] & (0xff >> (n + 1));
        for (size_t i = 1; i < n; i++) {
                if ((s[i] & 0xc0) != 0x80)
                        return 0;
                c = c << 6 | (s[i] & 0x3f);
        }
        if (c < smallest[n] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
                return 0;
        *ret = c;
        return n;
}

/* Over the bus nobody can send or get them. */
static bool is_noncharacter(uint32_t c) {
        return (c >= 0xfdd0 && c <= 0xfdef) || (c & 0xfffe) == 0xfffe;
}

static bool is_control(uint32_t c, bool multiline) {
        if (c < 0x20)
                return !(multiline && (c == '\n' || c == '\t'));
        if ((c >= 0x7f && c < 0xa0) || is_noncharacter(c))
                return true;
        /* Bidirectional overrides and isolates let text show what it does not say. */
        return (c >= 0x202a && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069);
}

TextFault text_check(const char *text, size_t size, bool multiline, size_t *ret_position) {
        for (size_t i = 0, n; i < size; i += n) {
                uint32_t c;

                n = utf8_character(text + i, size - i, &c);
                if (n == 0 || is_control(c, multiline)) {
                        *ret_position = i;
                        return n == 0 ? TEXT_NOT_UTF8 : TEXT_CONTROL;
                }
        }
        return TEXT_OK;
}

char *text_escape(const char *text, char *buffer, size_t size) {
        size_t left = strlen(text), used = 0;

        assert(size >= 8);
        while (left > 0) {
                uint32_t c = 0;
                size_t n = utf8_character(text, left, &c);
                bool plain = n > 0 && !is_control(c, false);
                size_t take = n > 0 ? n : 1, need = plain ? n : take * 4;

                if (used + need + 4 > size) { /* "..." and the terminator must still fit */
                        memcpy(buffer + used, "...", 3);
                        used += 3;
                        break;
                }
                if (plain)
                        memcpy(buffer + used, text, n);
                else
                        for (size_t i = 0; i < take; i++)
                                snprintf(buffer + used + i * 4, 5, "\\x%02x", (uint8_t)text[i]);
                used += need;
                text += take;
                left -= take;
        }
        buffer[used] = '\0';
        return buffer;
}

/* Whether only the end of the character is missing. */
static bool is_begun(const char *p, size_t size) {
        uint8_t first = (uint8_t)p[0];
        size_t n = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2, i = 1;

        while (i < size && ((uint8_t)p[i] & 0xc0) == 0x80)
                i++;
        return first >= 0xc2 && first <= 0xf4 && i == size && size < n;
}

void text_mend(char *text) {
        size_t size = strlen(text), n;

        for (size_t i = 0; i < size; i += n) {
                uint32_t c = 0;

                n = utf8_character(text + i, size - i, &c);
                if (n > 0 && !is_noncharacter(c))
                        continue;
                if (n == 0 && is_begun(text + i, size - i)) {
                        text[i] = '\0';
                        return;
                }
                n = MAX(n, (size_t)1);
                memset(text + i, '?', n);
        }
}

void text_split(char *text, char separator, char *words[], size_t n) {
        for (size_t i = 0; i < n; i++) {
                char *end = i + 1 < n ? strchr(text, separator) : NULL;

                words[i] = text;
                text = end ? end + 1 : text + strlen(text);
                if (end)
                        *end = '\0';
        }
}

unsigned text_distance(const char *a, const char *b, unsigned limit) {
        unsigned row[DISTANCE_LENGTH_MAX + 1];
        size_t a_size = strlen(a), b_size = strlen(b);

        if (a_size > DISTANCE_LENGTH_MAX || b_size > DISTANCE_LENGTH_MAX)
                return limit;
        for (unsigned j = 0; j <= b_size; j++)
                row[j] = j;
        for (unsigned i = 1; i <= a_size; i++) {
                unsigned diagonal = row[0];

                row[0] = i;
                for (unsigned j = 1; j <= b_size; j++) {
                        unsigned substitute = diagonal + (a[i - 1] != b[j - 1]);
                        unsigned insert = MIN(row[j], row[j - 1]) + 1;

                        diagonal = row[j];
                        row[j] = MIN(substitute, insert);
                }
        }
        return MIN(row[b_size], limit);
}

const char *text_nearest(const char *text, const char *const *names) {
        const char *best = NULL;
        unsigned nearest = 3;

        for (; *names; names++) {
                unsigned distance = text_distance(text, *names, nearest);

                if (distance < nearest && distance < strlen(*names)) {
                        nearest = distance;
                        best = *names;
                }
        }
        return best;
}

int text_set(char **text, const char *value) {
        char *copy = NULL;

        if (value) {
                copy = strdup(value);
                if (!copy)
                        return -ENOMEM;
        }
        free(*text);
        *text = copy;
        return 0;
}
