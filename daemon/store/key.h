/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Keys whose byte order is the order of what they mean: numbers big-endian, texts followed by a
 * zero byte (texts themselves have none). */

#include <stdint.h>
#include <string.h>

#include "base/buffer.h"

#define KEY_MAX  160 /* bytes of a key; LMDB allows 511 */
#define KEYS_MAX 64  /* entries of one record in one index */

typedef struct Key {
        size_t size;
        uint8_t bytes[KEY_MAX];
} Key;

static inline Slice key_slice(const Key *key) {
        return (Slice){ key->bytes, key->size };
}

static inline void key_bytes(Key *key, const void *data, size_t size) {
        assert(size <= KEY_MAX - key->size);
        if (size == 0)
                return;
        memcpy(key->bytes + key->size, data, size);
        key->size += size;
}

static inline void key_u8(Key *key, uint8_t value) {
        key_bytes(key, &value, 1);
}

static inline void key_u32(Key *key, uint32_t value) {
        uint8_t bytes[4];

        store_be32(bytes, value);
        key_bytes(key, bytes, sizeof(bytes));
}

static inline void key_u64(Key *key, uint64_t value) {
        uint8_t bytes[8];

        store_be64(bytes, value);
        key_bytes(key, bytes, sizeof(bytes));
}

static inline void key_text(Key *key, const char *text) {
        key_bytes(key, text ? text : "", text ? strlen(text) + 1 : 1);
}

static inline Key key_of_id(uint64_t id) {
        Key key = {};

        key_u64(&key, id);
        return key;
}

/* A code as a whole key needs no terminator. */
static inline Key key_of_code(const char *code) {
        Key key = {};

        key_bytes(&key, code, strlen(code));
        return key;
}

static inline Key key_from(Slice slice) {
        Key key = {};

        key_bytes(&key, slice.data, slice.size);
        return key;
}

/* What an index function fills. */
typedef struct Keys {
        size_t n;
        Key keys[KEYS_MAX];
        int64_t amounts[KEYS_MAX]; /* that the record adds under each, in a sum */
} Keys;

/* Starts a further entry. */
static inline Key *keys_add_amount(Keys *keys, int64_t amount) {
        assert(keys->n < KEYS_MAX);
        keys->keys[keys->n].size = 0;
        keys->amounts[keys->n] = amount;
        return &keys->keys[keys->n++];
}

static inline Key *keys_add(Keys *keys) {
        return keys_add_amount(keys, 1);
}
