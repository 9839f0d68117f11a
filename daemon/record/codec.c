/* SPDX-License-Identifier: Apache-2.0 */

#include "record/codec.h"

#include <errno.h>
#include <string.h>

#include "base/digest.h"

/* Lists nest no deeper in any table, and no deeper in anything that claims to be a record. */
#define NESTING_MAX 4

static uint64_t fold_sign(int64_t value) {
        return (uint64_t)value << 1 ^ (value < 0 ? UINT64_MAX : 0);
}

static int64_t unfold_sign(uint64_t folded) {
        return (int64_t)(folded >> 1) ^ -(int64_t)(folded & 1);
}

static bool has_sign(FieldType type) {
        return type != FIELD_ID && type != FIELD_ENUM;
}

static void put_element(Buffer *buffer, uint64_t tag, Slice value) {
        buffer_put_varint(buffer, tag);
        buffer_put_slice(buffer, value);
}

static void put_number(Buffer *buffer, const Field *field, const void *record) {
        int64_t value = field_number(field, record);
        uint64_t bits = has_sign(field->type) ? fold_sign(value) : (uint64_t)value;
        uint8_t bytes[8];
        size_t skip = bits ? (size_t)__builtin_clzll(bits) / 8 : 8;

        store_be64(bytes, bits);
        put_element(buffer, field->tag, (Slice){ bytes + skip, 8 - skip });
}

static int put_list(Buffer *buffer, const Field *field, const void *record) {
        const List *list = field_at(field, record);
        _cleanup_(buffer_done) Buffer items = {}, item = {};

        for (size_t i = 0; i < list->n; i++) {
                int r;

                buffer_reset(&item);
                r = record_encode_body(field->items,
                                       (const char *)list->items + i * field->items->size, NULL,
                                       &item);
                if (r < 0)
                        return r;
                buffer_put_slice(&items, buffer_slice(&item));
        }
        if (items.error < 0)
                return items.error;
        put_element(buffer, field->tag, buffer_slice(&items));
        return 0;
}

static int put_field(Buffer *buffer, const Field *field, const void *record) {
        const char *text;

        switch (field->type) {
        case FIELD_TEXT:
                text = field_text(field, record);
                put_element(buffer, field->tag, (Slice){ text, strlen(text) });
                return 0;
        case FIELD_FLAG:
                put_element(buffer, field->tag, (Slice){});
                return 0;
        case FIELD_LIST:
                return put_list(buffer, field, record);
        case FIELD_ID:
        case FIELD_ENUM:
        case FIELD_TIME:
        case FIELD_DATE:
        case FIELD_MONEY:
        case FIELD_COUNT:
                break;
        }
        put_number(buffer, field, record);
        return 0;
}

/* Copies the unknown elements with tags below the given one. */
static void put_unknown(Buffer *buffer, Cursor *unknown, uint64_t below) {
        while (cursor_left(unknown) > 0) {
                Cursor peek = *unknown;
                uint64_t tag = cursor_varint(&peek);
                Slice value;

                if (tag >= below)
                        return;
                value = cursor_slice(&peek);
                put_element(buffer, tag, value);
                *unknown = peek;
        }
}

int record_encode_body(const RecordType *type, const void *record, const FieldMask *mask,
                       Buffer *buffer) {
        const Record *head = record;
        Cursor unknown = cursor_over((Slice){ head->unknown, mask ? 0 : head->unknown_size });

        for (size_t i = 0; i < type->n_fields; i++) {
                const Field *field = &type->fields[i];
                int r;

                if ((mask && !field_mask_has(mask, i)) || !field_is_set(field, record))
                        continue;
                put_unknown(buffer, &unknown, field->tag);
                r = put_field(buffer, field, record);
                if (r < 0)
                        return r;
        }
        put_unknown(buffer, &unknown, UINT64_MAX);
        return buffer->error;
}

int record_encode(const RecordType *type, const void *record, Buffer *buffer) {
        size_t start = buffer->size, body;
        uint32_t crc;
        int r;

        buffer_put_u8(buffer, type->number);
        buffer_put_u8(buffer, type->version);
        buffer_put_u16(buffer, 0);
        buffer_put_u32(buffer, 0);
        r = record_encode_body(type, record, NULL, buffer);
        if (r < 0)
                return r;
        body = buffer->size - start - RECORD_HEADER_SIZE;
        if (body > RECORD_BODY_MAX) {
                buffer->size = start;
                return -E2BIG;
        }
        store_be16(buffer->data + start + 2, (uint16_t)body);
        crc = crc32c(0, buffer->data + start, 4);
        crc = crc32c(crc, buffer->data + start + RECORD_HEADER_SIZE, body);
        store_be32(buffer->data + start + 4, crc);
        return 0;
}

static int get_number(const Field *field, Slice value, void *record) {
        uint64_t bits = 0;

        if (value.size == 0 || value.size > 8)
                return -EBADMSG;
        for (size_t i = 0; i < value.size; i++)
                bits = bits << 8 | ((const uint8_t *)value.data)[i];
        if (field->type == FIELD_ENUM && bits > INT32_MAX)
                return -EBADMSG;
        field_set_number(field, record, has_sign(field->type) ? unfold_sign(bits) : (int64_t)bits);
        return 0;
}

static int get_text(const Field *field, Slice value, void *record) {
        char *copy;

        if (value.size == 0 || memchr(value.data, 0, value.size))
                return -EBADMSG;
        copy = strndup(value.data, value.size);
        if (!copy)
                return -ENOMEM;
        *(char **)field_at(field, record) = copy;
        return 0;
}

static int decode_body(const RecordType *type, Slice body, void *record, unsigned depth);

static int get_list(const Field *field, Slice value, void *record, unsigned depth) {
        Cursor cursor = cursor_over(value);

        if (depth >= NESTING_MAX)
                return -EBADMSG;
        while (cursor_left(&cursor) > 0) {
                Slice body = cursor_slice(&cursor);
                void *item;
                int r;

                if (cursor.failed)
                        return -EBADMSG;
                item = list_add(field_at(field, record), field->items);
                if (!item)
                        return -ENOMEM;
                r = decode_body(field->items, body, item, depth + 1);
                if (r < 0)
                        return r;
        }
        return 0;
}

static int get_field(const Field *field, Slice value, void *record, unsigned depth) {
        switch (field->type) {
        case FIELD_TEXT:
                return get_text(field, value, record);
        case FIELD_FLAG:
                if (value.size > 0)
                        return -EBADMSG;
                field_set_number(field, record, 1);
                return 0;
        case FIELD_LIST:
                return get_list(field, value, record, depth);
        case FIELD_ID:
        case FIELD_ENUM:
        case FIELD_TIME:
        case FIELD_DATE:
        case FIELD_MONEY:
        case FIELD_COUNT:
                break;
        }
        return get_number(field, value, record);
}

static int keep_unknown(Record *head, const uint8_t *element, size_t size) {
        uint8_t *grown = realloc(head->unknown, head->unknown_size + size);

        if (!grown)
                return -ENOMEM;
        memcpy(grown + head->unknown_size, element, size);
        head->unknown = grown;
        head->unknown_size += size;
        return 0;
}

/* One pass over both: the elements and the table are ascending by tag. */
static int decode_body(const RecordType *type, Slice body, void *record, unsigned depth) {
        Cursor cursor = cursor_over(body);
        uint64_t last = 0;
        size_t i = 0;

        while (cursor_left(&cursor) > 0) {
                const uint8_t *element = cursor.p;
                uint64_t tag = cursor_varint(&cursor);
                Slice value = cursor_slice(&cursor);
                int r;

                if (cursor.failed || tag <= last)
                        return -EBADMSG;
                last = tag;
                while (i < type->n_fields && type->fields[i].tag < tag)
                        i++;
                if (i < type->n_fields && type->fields[i].tag == tag)
                        r = get_field(&type->fields[i], value, record, depth);
                else
                        r = keep_unknown(record, element, (size_t)(cursor.p - element));
                if (r < 0)
                        return r;
        }
        return 0;
}

int record_decode_body(const RecordType *type, Slice body, void *record) {
        int r;

        memset(record, 0, type->size);
        r = decode_body(type, body, record, 0);
        if (r < 0)
                record_done(type, record);
        return r;
}

int record_decode(const RecordType *type, Slice stored, void *record) {
        Cursor cursor = cursor_over(stored);
        const uint8_t *header = stored.data;
        uint8_t number = cursor_u8(&cursor), version = cursor_u8(&cursor);
        uint16_t size = cursor_u16(&cursor);
        uint32_t crc = cursor_u32(&cursor);

        memset(record, 0, type->size);
        if (cursor.failed || number != type->number || version > type->version ||
            cursor_left(&cursor) != size)
                return -EBADMSG;
        if (crc != crc32c(crc32c(0, header, 4), cursor.p, size))
                return -EBADMSG;
        return record_decode_body(type, (Slice){ cursor.p, size }, record);
}
