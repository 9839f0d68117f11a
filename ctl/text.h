/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Text between people, the daemon and the terminal. */

#include <stdbool.h>
#include <stdio.h>

#include "macro.h"

/* Who speaks to the user, and where. */
typedef struct Report {
        FILE *to;            /* standard error */
        const char *command; /* "ticket dispatch"; NULL before it is known */
} Report;

/* Writes "aftersalesctl: COMMAND: message", with nothing in it that would disturb a terminal.
 * Returns exit_code, for return report(...). */
int report(const Report *report, int exit_code, const char *format, ...) _printf_(3, 4);

/* Takes the user's locale, or C.UTF-8 where that has no UTF-8: the widths of Chinese text depend on
 * it. */
void text_use_locale(void);

/* Whether the text is well-formed UTF-8. */
bool text_is_utf8(const char *text);

/* How many bytes at p make up a character that must not reach a terminal: controls (C0, DEL, C1),
 * line separators and the marks that turn the writing direction. 0: none there. */
size_t text_unsafe(const char *p, unsigned *ret);

/* A copy in which such characters are written as in JSON ("\u001b"), but line breaks and tabs as a
 * blank, or left alone in multi-line text. NULL without memory. */
char *text_safe(const char *text, bool multiline);

/* Ends writing to a stream of open_memstream(): its text, or NULL (and nothing to free) when there
 * was no memory for all of it. */
char *text_take(FILE *f, char **text);

/* Finds the name that a mistyped text may mean: offer all, then look at best (NULL: none is near).
 */
typedef struct Nearest {
        const char *text;
        const char *best;
        size_t distance;
} Nearest;

void nearest_offer(Nearest *nearest, const char *name);

/* Writes "; did you mean 'PREFIXname'?", or nothing when none is near. Returns buffer. */
#define NEAREST_HINT_SIZE 80
char *nearest_hint(const Nearest *nearest, const char *prefix,
                   char buffer[static NEAREST_HINT_SIZE]);
