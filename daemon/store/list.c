/* SPDX-License-Identifier: Apache-2.0 */

#include "store/list.h"

#include <errno.h>
#include <stdio.h>

#include "aftersales/limits.h"
#include "store/internal.h"

#define NOT_OURS 1

/* A cursor is hexadecimal: CRC-32C of (identity, position), position. The checksum tells a cursor
 * of another query or of nobody from one of ours. */
static uint32_t cursor_crc(uint32_t identity, const Key *position) {
        uint8_t bytes[4];

        store_be32(bytes, identity);
        return crc32c(crc32c(0, bytes, sizeof(bytes)), position->bytes, position->size);
}

void list_cursor_write(uint32_t identity, const Key *position, char ret[static LIST_CURSOR_SIZE]) {
        size_t used =
                (size_t)snprintf(ret, LIST_CURSOR_SIZE, "%08x", cursor_crc(identity, position));

        for (size_t i = 0; i < position->size; i++)
                used += (size_t)snprintf(ret + used, LIST_CURSOR_SIZE - used, "%02x",
                                         position->bytes[i]);
}

static int hex_digit(char c) {
        return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int list_cursor_read(const char *cursor, uint32_t identity, Key *ret, Refusal *refusal) {
        uint8_t bytes[4 + KEY_MAX] = {};
        size_t n = strlen(cursor);
        Key position = {};
        uint32_t crc = 0;

        for (size_t i = 0; i < n && n < LIST_CURSOR_SIZE && n % 2 == 0; i += 2) {
                int high = hex_digit(cursor[i]), low = hex_digit(cursor[i + 1]);

                if (high < 0 || low < 0)
                        break;
                bytes[i / 2] = (uint8_t)(high << 4 | low);
                if (i + 2 < n)
                        continue;
                for (size_t k = 0; k < 4; k++)
                        crc = crc << 8 | bytes[k];
                if (n / 2 <= 4)
                        break;
                key_bytes(&position, bytes + 4, n / 2 - 4);
                if (crc != cursor_crc(identity, &position))
                        break;
                *ret = position;
                return 0;
        }
        return refuse(refusal, REFUSED_INVALID_CURSOR,
                      "this cursor was not given by List for this filter: begin with an empty one");
}

static int next_record(Store *store, const ListQuery *query, Key *position, void *record) {
        Key key;
        int r;

        if (!query->index)
                return store_next(store, query->table, position, record);
        r = store_index_next(store, query->index, &query->prefix, position, &key);
        if (r < 0)
                return r;
        if (query->ours && !query->ours(query->userdata, position))
                return NOT_OURS;
        r = store_get(store, query->table, &key, record);
        /* Damaged, which is logged: the others are listed all the same. */
        return r == -ENOENT || r == -EBADMSG ? NOT_OURS : r;
}

int store_list(Store *store, const ListQuery *query, char ret_cursor[static LIST_CURSOR_SIZE],
               Refusal *refusal) {
        _cleanup_free_ void *record = calloc(1, query->table->type->size);
        size_t rows = 0, scanned = 0;
        Key position = {};
        int r = 0;

        if (!record)
                return -ENOMEM;
        if (*query->cursor) {
                r = list_cursor_read(query->cursor, query->identity, &position, refusal);
                if (r != 0)
                        return r;
        }
        while (rows < query->limit && scanned++ < PAGE_SCAN_MAX) {
                ListVerdict verdict;

                r = next_record(store, query, &position, record);
                if (r < 0)
                        break;
                if (r == NOT_OURS)
                        continue;
                verdict = query->want(query->userdata, record);
                r = verdict == LIST_TAKE  ? query->row(query->userdata, record)
                    : verdict == LIST_END ? -ENOENT
                                          : 0;
                record_done(query->table->type, record);
                if (r < 0)
                        break;
                rows = r > 0 ? query->limit : rows + (verdict == LIST_TAKE);
        }
        if (r < 0 && r != -ENOENT)
                return r;
        ret_cursor[0] = '\0';
        if (r != -ENOENT)
                list_cursor_write(query->identity, &position, ret_cursor);
        return 0;
}

int store_list_tally(Store *store, const TallyQuery *query,
                     char ret_cursor[static LIST_CURSOR_SIZE], Refusal *refusal) {
        uint32_t identity = crc32c(query->identity, query->prefix.bytes, query->prefix.size);
        Key position = {};
        int64_t amount;
        int r = 0;

        if (*query->cursor) {
                r = list_cursor_read(query->cursor, identity, &position, refusal);
                if (r != 0)
                        return r;
        }
        for (size_t rows = 0; r == 0 && rows < query->limit; rows++) {
                r = store_tally_next(store, query->tally, &query->prefix, &position, &amount);
                if (r == 0)
                        r = query->row(query->userdata, &position, amount);
        }
        if (r < 0 && r != -ENOENT)
                return r;
        ret_cursor[0] = '\0';
        if (r != -ENOENT)
                list_cursor_write(identity, &position, ret_cursor);
        return 0;
}
