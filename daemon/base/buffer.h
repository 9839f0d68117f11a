/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Bytes going out and bytes coming in. A Buffer grows; a Cursor walks over somebody else's bytes
 * and never past their end. Both remember the first error and do nothing after it, so that a codec
 * reads like the format and checks once. Numbers are big-endian; a varint has seven bits a byte,
 * least significant first (LEB128), at most ten bytes. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/macro.h"

typedef struct Slice {
        const void *data;
        size_t size;
} Slice;

static inline bool slice_begins(Slice slice, Slice start) {
        return slice.size >= start.size &&
               (start.size == 0 || memcmp(slice.data, start.data, start.size) == 0);
}

/* < 0, 0, > 0: by their bytes, a beginning before what begins with it. */
static inline int slice_compare(Slice a, Slice b) {
        size_t n = MIN(a.size, b.size);
        int order = n > 0 ? memcmp(a.data, b.data, n) : 0;

        return order != 0 ? order : (a.size > b.size) - (a.size < b.size);
}

typedef struct Buffer {
        uint8_t *data;
        size_t size;
        size_t allocated;
        int error; /* 0 or -ENOMEM */
} Buffer;

void buffer_done(Buffer *buffer);
/* Empties it, keeping the memory; clears the error. */
void buffer_reset(Buffer *buffer);
/* Room for so many bytes, which the caller fills in; NULL without memory. */
uint8_t *buffer_add(Buffer *buffer, size_t size);
void buffer_put(Buffer *buffer, const void *data, size_t size);
void buffer_put_u8(Buffer *buffer, uint8_t value);
void buffer_put_u16(Buffer *buffer, uint16_t value);
void buffer_put_u32(Buffer *buffer, uint32_t value);
void buffer_put_u64(Buffer *buffer, uint64_t value);
void buffer_put_varint(Buffer *buffer, uint64_t value);
/* A varint length and the bytes. */
void buffer_put_slice(Buffer *buffer, Slice slice);
static inline Slice buffer_slice(const Buffer *buffer) {
        return (Slice){ buffer->data, buffer->size };
}

typedef struct Cursor {
        const uint8_t *p;
        const uint8_t *end;
        bool failed;
} Cursor;

static inline Cursor cursor_over(Slice slice) {
        const uint8_t *p = slice.data;

        return (Cursor){ .p = p, .end = slice.size > 0 ? p + slice.size : p };
}
static inline size_t cursor_left(const Cursor *cursor) {
        return cursor->failed ? 0 : (size_t)(cursor->end - cursor->p);
}
/* The next size bytes, or NULL. */
const uint8_t *cursor_take(Cursor *cursor, size_t size);
uint8_t cursor_u8(Cursor *cursor);
uint16_t cursor_u16(Cursor *cursor);
uint32_t cursor_u32(Cursor *cursor);
uint64_t cursor_u64(Cursor *cursor);
uint64_t cursor_varint(Cursor *cursor);
Slice cursor_slice(Cursor *cursor);

void store_be16(uint8_t *p, uint16_t value);
void store_be32(uint8_t *p, uint32_t value);
void store_be64(uint8_t *p, uint64_t value);
uint32_t load_be32(const uint8_t *p);
uint64_t load_be64(const uint8_t *p);
