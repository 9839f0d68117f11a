/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* An input as a row of decisions: at its end all are 0. */

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/macro.h"

typedef struct Bytes {
        const uint8_t *at;
        size_t left;
} Bytes;

static inline uint8_t take_byte(Bytes *bytes) {
        if (bytes->left == 0)
                return 0;
        bytes->left--;
        return *bytes->at++;
}

/* 0 .. n-1; one byte. */
static inline size_t take_below(Bytes *bytes, size_t n) {
        uint8_t byte = take_byte(bytes);

        return n > 0 ? byte % n : 0;
}

static inline uint64_t take_number(Bytes *bytes) {
        uint64_t n = 0;

        for (int i = 0; i < 8; i++)
                n = n << 8 | take_byte(bytes);
        return n;
}

/* A length and so many bytes, ended by a NUL. How many. */
static inline size_t take_text(Bytes *bytes, char *text, size_t size) {
        size_t n = take_byte(bytes);

        n = MIN(n, size - 1);
        n = MIN(n, bytes->left);
        if (n > 0)
                memcpy(text, bytes->at, n);
        text[n] = '\0';
        bytes->at += n;
        bytes->left -= n;
        return n;
}
