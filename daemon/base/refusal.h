/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Why a call is refused: one of the codes of aftersales/errors.h and a text for the caller that
 * says what was wrong, where, and what would be right. Functions that can refuse take a Refusal,
 * fill it and return its code (> 0); the bus turns it into a D-Bus error, nobody in between looks
 * inside. Texts never contain personal data. */

#include "aftersales/errors.h"
#include "base/macro.h"

typedef struct Refusal {
        int code;
        char text[REFUSAL_TEXT_MAX];
} Refusal;

/* Fills the refusal and returns code. What is too long is cut, and names of files that are no text
 * are told as well as can be: the text is one that the bus takes. */
int refuse(Refusal *refusal, int code, const char *format, ...) _printf_(3, 4);
