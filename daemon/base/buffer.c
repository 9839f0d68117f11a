/* SPDX-License-Identifier: Apache-2.0 */

#include "base/buffer.h"

#include <endian.h>
#include <errno.h>
#include <string.h>

#define BUFFER_FIRST_SIZE 256

void store_be16(uint8_t *p, uint16_t value) {
        value = htobe16(value);
        memcpy(p, &value, sizeof(value));
}

void store_be32(uint8_t *p, uint32_t value) {
        value = htobe32(value);
        memcpy(p, &value, sizeof(value));
}

void store_be64(uint8_t *p, uint64_t value) {
        value = htobe64(value);
        memcpy(p, &value, sizeof(value));
}

uint32_t load_be32(const uint8_t *p) {
        uint32_t value;

        memcpy(&value, p, sizeof(value));
        return be32toh(value);
}

uint64_t load_be64(const uint8_t *p) {
        uint64_t value;

        memcpy(&value, p, sizeof(value));
        return be64toh(value);
}

void buffer_done(Buffer *buffer) {
        free(buffer->data);
        *buffer = (Buffer){};
}

void buffer_reset(Buffer *buffer) {
        buffer->size = 0;
        buffer->error = 0;
}

static bool buffer_reserve(Buffer *buffer, size_t more) {
        size_t want = buffer->allocated ? buffer->allocated : BUFFER_FIRST_SIZE;
        uint8_t *data;

        if (buffer->error < 0)
                return false;
        if (buffer->allocated - buffer->size >= more)
                return true;
        while (want - buffer->size < more && want <= PTRDIFF_MAX / 2)
                want *= 2;
        data = want - buffer->size < more ? NULL : realloc(buffer->data, want);
        if (!data) {
                buffer->error = -ENOMEM;
                return false;
        }
        buffer->data = data;
        buffer->allocated = want;
        return true;
}

uint8_t *buffer_add(Buffer *buffer, size_t size) {
        if (!buffer_reserve(buffer, size))
                return NULL;
        buffer->size += size;
        return buffer->data + buffer->size - size;
}

void buffer_put(Buffer *buffer, const void *data, size_t size) {
        if (size == 0 || !buffer_reserve(buffer, size))
                return;
        memcpy(buffer->data + buffer->size, data, size);
        buffer->size += size;
}

void buffer_put_u8(Buffer *buffer, uint8_t value) {
        buffer_put(buffer, &value, 1);
}

void buffer_put_u16(Buffer *buffer, uint16_t value) {
        uint8_t bytes[2];

        store_be16(bytes, value);
        buffer_put(buffer, bytes, sizeof(bytes));
}

void buffer_put_u32(Buffer *buffer, uint32_t value) {
        uint8_t bytes[4];

        store_be32(bytes, value);
        buffer_put(buffer, bytes, sizeof(bytes));
}

void buffer_put_u64(Buffer *buffer, uint64_t value) {
        uint8_t bytes[8];

        store_be64(bytes, value);
        buffer_put(buffer, bytes, sizeof(bytes));
}

void buffer_put_varint(Buffer *buffer, uint64_t value) {
        uint8_t bytes[10];
        size_t n = 0;

        do {
                bytes[n] = (uint8_t)(value & 0x7f);
                value >>= 7;
                if (value)
                        bytes[n] |= 0x80;
                n++;
        } while (value);
        buffer_put(buffer, bytes, n);
}

void buffer_put_slice(Buffer *buffer, Slice slice) {
        buffer_put_varint(buffer, slice.size);
        buffer_put(buffer, slice.data, slice.size);
}

const uint8_t *cursor_take(Cursor *cursor, size_t size) {
        const uint8_t *p = cursor->p;

        if (cursor->failed || (size_t)(cursor->end - p) < size) {
                cursor->failed = true;
                return NULL;
        }
        cursor->p += size;
        return p;
}

static uint64_t cursor_number(Cursor *cursor, size_t size) {
        const uint8_t *p = cursor_take(cursor, size);
        uint64_t value = 0;

        for (size_t i = 0; p && i < size; i++)
                value = value << 8 | p[i];
        return value;
}

uint8_t cursor_u8(Cursor *cursor) {
        return (uint8_t)cursor_number(cursor, 1);
}

uint16_t cursor_u16(Cursor *cursor) {
        return (uint16_t)cursor_number(cursor, 2);
}

uint32_t cursor_u32(Cursor *cursor) {
        return (uint32_t)cursor_number(cursor, 4);
}

uint64_t cursor_u64(Cursor *cursor) {
        return cursor_number(cursor, 8);
}

uint64_t cursor_varint(Cursor *cursor) {
        uint64_t value = 0;

        for (unsigned shift = 0; shift < 64; shift += 7) {
                uint8_t byte = cursor_u8(cursor);
                uint64_t bits = byte & 0x7f;

                if (cursor->failed || (shift == 63 && bits > 1))
                        break;
                value |= bits << shift;
                if (!(byte & 0x80))
                        return value;
        }
        cursor->failed = true;
        return 0;
}

Slice cursor_slice(Cursor *cursor) {
        uint64_t size = cursor_varint(cursor);
        const uint8_t *p;

        if (size > cursor_left(cursor)) {
                cursor->failed = true;
                return (Slice){};
        }
        p = cursor_take(cursor, (size_t)size);
        return p ? (Slice){ p, (size_t)size } : (Slice){};
}
