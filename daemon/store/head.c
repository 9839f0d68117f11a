/* SPDX-License-Identifier: Apache-2.0 */

/* What the store knows of itself, in its database "meta":
 *
 *      "head"              sequence u64 | first u64 | hash 32 bytes | epoch u32 | time u64 |
 *                          time seen u64 | published u64 | checkpoint u64 (see store/wal.h) |
 *                          CRC-32C u32 of all before
 *      "next" | table u8   the next number to give out, u64
 */

#include <errno.h>
#include <string.h>

#include "base/digest.h"
#include "store/internal.h"

static const char head_key[] = "head", next_key[] = "next";

static int get_number(Store *store, const Key *key, uint64_t *ret) {
        Slice value;
        int r = store->kv->ops->get(store->kv, DB_META, key_slice(key), &value);

        if (r < 0)
                return r;
        if (value.size != 8)
                return -EBADMSG;
        *ret = load_be64(value.data);
        return 0;
}

static Key key_of_next(const Table *table) {
        Key key = key_of_code(next_key);

        key_u8(&key, table->number);
        return key;
}

int store_load_head(Store *store) {
        StoreHead head = { .first = 1 };
        uint64_t checkpoint = 0;
        Slice value;
        Cursor cursor;
        const uint8_t *hash;
        int r;

        r = store->kv->ops->get(store->kv, DB_META, (Slice){ head_key, sizeof(head_key) - 1 },
                                &value);
        if (r < 0)
                return r == -ENOENT ? -EBADMSG : r;
        cursor = cursor_over(value);
        head.sequence = cursor_u64(&cursor);
        head.first = cursor_u64(&cursor);
        hash = cursor_take(&cursor, DIGEST_SIZE);
        head.epoch = cursor_u32(&cursor);
        head.time = (int64_t)cursor_u64(&cursor);
        head.time_seen = (int64_t)cursor_u64(&cursor);
        head.published = cursor_u64(&cursor);
        if (cursor_left(&cursor) > sizeof(uint32_t)) /* else of a time without log */
                checkpoint = cursor_u64(&cursor);
        if (cursor.failed || cursor_u32(&cursor) != crc32c(0, value.data, value.size - 4))
                return -EBADMSG;
        memcpy(head.hash.bytes, hash, DIGEST_SIZE);
        for (unsigned i = 0; i < store->n_tables; i++) {
                Key key = key_of_next(store->tables[i]);

                store->now.next[i] = 1;
                r = get_number(store, &key, &store->now.next[i]);
                if (r < 0 && r != -ENOENT)
                        return r;
        }
        store->now.head = head;
        store->checkpoint = checkpoint;
        return 0;
}

int store_save_head(Store *store, uint64_t checkpoint) {
        _cleanup_(buffer_done) Buffer buffer = {};
        const StoreHead *head = &store->now.head;
        int r;

        buffer_put_u64(&buffer, head->sequence);
        buffer_put_u64(&buffer, head->first);
        buffer_put(&buffer, head->hash.bytes, DIGEST_SIZE);
        buffer_put_u32(&buffer, head->epoch);
        buffer_put_u64(&buffer, (uint64_t)head->time);
        buffer_put_u64(&buffer, (uint64_t)head->time_seen);
        buffer_put_u64(&buffer, head->published);
        buffer_put_u64(&buffer, checkpoint);
        buffer_put_u32(&buffer, crc32c(0, buffer.data, buffer.size));
        if (buffer.error < 0)
                return buffer.error;
        r = store->kv->ops->put(store->kv, DB_META, (Slice){ head_key, sizeof(head_key) - 1 },
                                buffer_slice(&buffer));
        for (unsigned i = 0; r == 0 && i < store->n_tables; i++) {
                Key key = key_of_next(store->tables[i]);
                uint8_t bytes[8];
                uint64_t stored = 1; /* where there is none */

                r = get_number(store, &key, &stored);
                if (r < 0 && r != -ENOENT)
                        return r;
                r = 0;
                if (stored == store->now.next[i])
                        continue;
                store_be64(bytes, store->now.next[i]);
                r = store->kv->ops->put(store->kv, DB_META, key_slice(&key), (Slice){ bytes, 8 });
        }
        return r;
}
