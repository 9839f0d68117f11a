/* SPDX-License-Identifier: Apache-2.0 */

/* Any bytes as the body of a stored record of each table. What is decoded must be encoded as it
 * came, and go through text and back. */

#include <string.h>

#include "app.h"
#include "fuzz.h"
#include "record/codec.h"
#include "transfer/record-json.h"

typedef union RecordSpace {
        max_align_t align;
        uint8_t bytes[2048];
} RecordSpace;

static void check_again(const RecordType *type, const Buffer *stored) {
        RecordSpace record = {};
        Buffer again = {};

        assert(record_decode_body(type, buffer_slice(stored), &record) == 0);
        assert(record_encode_body(type, &record, NULL, &again) == 0);
        assert(again.size == stored->size);
        assert(again.size == 0 || memcmp(again.data, stored->data, again.size) == 0);
        record_done(type, &record);
        buffer_done(&again);
}

static void check_text(const RecordType *type, const void *record, const Buffer *stored) {
        json_object *object = record_to_json(type, record);
        Buffer again = {};
        RecordSpace copy = {};
        Refusal refusal = {};

        assert(object);
        if (record_from_json(type, object, &copy, &refusal) == 0) {
                assert(record_encode_body(type, &copy, NULL, &again) == 0);
                assert(again.size == stored->size);
                assert(again.size == 0 || memcmp(again.data, stored->data, again.size) == 0);
        }
        record_done(type, &copy);
        buffer_done(&again);
        json_object_put(object);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        const Table *const *table = app_tables;
        size_t n = 0;

        while (app_tables[n])
                n++;
        if (size == 0)
                return 0;
        table += data[0] % n;
        {
                const RecordType *type = (*table)->type;
                RecordSpace record = {};
                Buffer stored = {};

                if (record_decode_body(type, (Slice){ data + 1, size - 1 }, &record) == 0) {
                        assert(record_encode_body(type, &record, NULL, &stored) == 0);
                        check_again(type, &stored);
                        check_text(type, &record, &stored);
                        record_done(type, &record);
                }
                buffer_done(&stored);
        }
        return 0;
}
