/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Text as people and programs hand it to us: UTF-8, and nothing that would disturb a terminal, a
 * log line or a table. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bytes of the UTF-8 character at p (1..4), 0 when it is not well formed (RFC 3629: no surrogates,
 * nothing over U+10FFFF, no overlong form). */
size_t utf8_character(const char *p, size_t size, uint32_t *ret);

typedef enum TextFault {
        TEXT_OK = 0,
        TEXT_NOT_UTF8,
        TEXT_CONTROL, /* C0 (but for line breaks and tabs where allowed), DEL, C1, bidi overrides,
                       * and what Unicode keeps from being characters */
} TextFault;

/* The first fault of a text and its byte position (untouched when there is none). */
TextFault text_check(const char *text, size_t size, bool multiline, size_t *ret_position);

/* Writes text to buffer with everything unprintable as \xNN, cut with "..." when it is too long;
 * for log lines and error messages. Always terminates; returns buffer. */
char *text_escape(const char *text, char *buffer, size_t size);

/* Makes text of what was cut, or is none (the name of a file), so that it can be told over the bus,
 * which takes nothing else: what the end has of a character goes, '?' takes the place of every byte
 * of what is no character. */
void text_mend(char *text);

/* Cuts text at the separators into n words. Those that are not there are "", the last has the rest.
 */
void text_split(char *text, char separator, char *words[], size_t n);

/* Puts a copy of a value in the place of an allocated text; NULL: nothing. 0 or -ENOMEM, and the
 * text is as it was. */
int text_set(char **text, const char *value);

/* How many single-character edits turn a into b (Levenshtein), for "did you mean". At most limit.
 */
unsigned text_distance(const char *a, const char *b, unsigned limit);

/* The nearest of the names (NULL-terminated) within two edits, or NULL. */
const char *text_nearest(const char *text, const char *const *names);
