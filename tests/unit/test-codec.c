/* SPDX-License-Identifier: Apache-2.0 */

#include "record/codec.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "base/digest.h"
#include "base/macro.h"
#include "loop/case.h"
#include "tickets/ticket.h"

#include "records.c"

#define RANDOM_RECORDS 300 /* of each type */
#define RANDOM_BYTES   100000

static const RecordType *const *types;
static size_t n_types;

static int setup(_unused_ void **state) {
        types = all_types(&n_types);
        return 0;
}

static bool same_slice(Slice a, Slice b) {
        return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

/* ---- the codec ------------------------------------------------------------------------------ */

static void test_round_trip(_unused_ void **state) {
        Rng rng = { 1 };

        for (size_t i = 0; i < n_types * RANDOM_RECORDS; i++) {
                const RecordType *type = types[i % n_types];
                _cleanup_(buffer_done) Buffer stored = {}, again = {};
                RecordSpace record, decoded;

                random_record(&rng, type, &record);
                buffer_put_u8(&stored, 0x5a); /* it is appended to whatever there is */
                assert_int_equal(record_encode(type, &record, &stored), 0);
                assert_int_equal(stored.data[0], 0x5a);
                memset(&decoded, 0xff, sizeof(decoded));
                assert_int_equal(
                        record_decode(type, (Slice){ stored.data + 1, stored.size - 1 }, &decoded),
                        0);
                assert_true(same_record(type, &record, &decoded));
                assert_int_equal(record_encode(type, &decoded, &again), 0);
                assert_true(same_slice(buffer_slice(&again),
                                       (Slice){ stored.data + 1, stored.size - 1 }));
                record_done(type, &record);
                record_done(type, &decoded);
        }
}

#define LISTS_MAX 4

typedef struct OlderType {
        RecordType type;
        Field fields[RECORD_FIELDS_MAX];
} OlderType;

/* The type as an older program has it: some fields are not there yet. The items of its lists are of
 * these types, one after the other; NULL: as they are. */
static void make_older(Rng *rng, const RecordType *type, const OlderType *items, OlderType *ret) {
        ret->type = *type;
        ret->type.fields = ret->fields;
        ret->type.n_fields = 0;
        for (size_t i = 0; i < type->n_fields; i++) {
                const OlderType *of_list =
                        items && type->fields[i].type == FIELD_LIST ? items++ : NULL;
                Field *field = &ret->fields[ret->type.n_fields];

                if (rng_one_in(rng, 3))
                        continue;
                *field = type->fields[i];
                if (of_list)
                        field->items = &of_list->type;
                ret->type.n_fields++;
        }
}

/* An older program reads what a newer one stored, in lists too, and writes the very same. */
static void test_unknown_kept(_unused_ void **state) {
        Rng rng = { 2 };
        size_t n_unknown = 0;

        for (size_t i = 0; i < n_types * RANDOM_RECORDS; i++) {
                static OlderType older, items[LISTS_MAX];
                const RecordType *type = types[i % n_types];
                _cleanup_(buffer_done) Buffer stored = {}, again = {};
                RecordSpace record, decoded, copy;
                size_t n_lists = 0;

                for (size_t k = 0; k < type->n_fields; k++)
                        if (type->fields[k].type == FIELD_LIST)
                                make_older(&rng, type->fields[k].items, NULL, &items[n_lists++]);
                make_older(&rng, type, items, &older);

                random_record(&rng, type, &record);
                assert_int_equal(record_encode(type, &record, &stored), 0);
                assert_int_equal(record_decode(&older.type, buffer_slice(&stored), &decoded), 0);
                n_unknown += ((Record *)&decoded)->unknown_size > 0;
                assert_int_equal(record_copy(&older.type, &copy, &decoded), 0);
                assert_true(same_record(&older.type, &copy, &decoded));
                record_done(&older.type, &decoded);
                assert_int_equal(record_encode(&older.type, &copy, &again), 0);
                assert_true(same_slice(buffer_slice(&again), buffer_slice(&stored)));
                record_done(&older.type, &copy);
                record_done(type, &record);
        }
        assert_true(n_unknown > n_types * RANDOM_RECORDS / 2);
}

static void assert_refused(const RecordType *type, Slice stored, int error) {
        RecordSpace decoded, empty = {};

        memset(&decoded, 0xff, sizeof(decoded));
        assert_int_equal(record_decode(type, stored, &decoded), error);
        assert_memory_equal(&decoded, &empty, type->size);
}

static void test_damage(_unused_ void **state) {
        Rng rng = { 3 };

        for (size_t i = 0; i < n_types * 4; i++) {
                const RecordType *type = types[i % n_types];
                _cleanup_(buffer_done) Buffer stored = {};
                RecordSpace record;

                random_record(&rng, type, &record);
                assert_int_equal(record_encode(type, &record, &stored), 0);
                record_done(type, &record);
                for (size_t bit = 0; bit < stored.size * 8; bit++) {
                        stored.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
                        assert_refused(type, buffer_slice(&stored), -EBADMSG);
                        stored.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
                }
                for (size_t size = 0; size < stored.size; size++) {
                        /* at the end of an allocation, so that the sanitizers see a byte beyond */
                        _cleanup_free_ uint8_t *cut = malloc(size ?: 1);

                        assert_non_null(cut);
                        memcpy(cut, stored.data, size);
                        assert_refused(type, (Slice){ cut, size }, -EBADMSG);
                }
                buffer_put_u8(&stored, 0);
                assert_refused(type, buffer_slice(&stored), -EBADMSG);
        }
}

static void put_stored(Buffer *buffer, uint8_t number, uint8_t version, Slice body) {
        uint8_t header[RECORD_HEADER_SIZE] = { number, version };

        store_be16(header + 2, (uint16_t)body.size);
        store_be32(header + 4, crc32c(crc32c(0, header, 4), body.data, body.size));
        buffer_put(buffer, header, sizeof(header));
        buffer_put(buffer, body.data, body.size);
}

/* Whole, but of another number or version. */
static void test_other_header(_unused_ void **state) {
        const RecordType *type = ticket_table.type;
        const struct {
                int number, version, result;
        } cases[] = {
                { type->number, type->version, 0 },
                { type->number, 0, 0 }, /* older ones are read */
                { type->number, type->version + 1, -EBADMSG },
                { type->number, 255, -EBADMSG },
                { type->number + 1, type->version, -EBADMSG },
                { 0, type->version, -EBADMSG },
        };

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                _cleanup_(buffer_done) Buffer stored = {};
                RecordSpace record;

                put_stored(&stored, (uint8_t)cases[i].number, (uint8_t)cases[i].version,
                           (Slice){ "\1\1\7", 3 });
                assert_int_equal(record_decode(type, buffer_slice(&stored), &record),
                                 cases[i].result);
                assert_int_equal(((Case *)&record)->id, cases[i].result == 0 ? 7 : 0);
                record_done(type, &record);
        }
}

/* Anything at all, with a checksum that fits, is refused or read, and what is read is written. */
static void try_body(const RecordType *type, Slice body) {
        _cleanup_(buffer_done) Buffer stored = {}, again = {}, once_more = {};
        RecordSpace record;
        int r;

        put_stored(&stored, type->number, type->version, body);
        r = record_decode(type, buffer_slice(&stored), &record);
        if (r < 0) {
                assert_int_equal(r, -EBADMSG);
                return;
        }
        assert_int_equal(record_encode(type, &record, &again), 0);
        record_done(type, &record);
        assert_int_equal(record_decode(type, buffer_slice(&again), &record), 0);
        assert_int_equal(record_encode(type, &record, &once_more), 0);
        assert_true(same_slice(buffer_slice(&again), buffer_slice(&once_more)));
        record_done(type, &record);
}

static void test_random_bytes(_unused_ void **state) {
        Rng rng = { 4 };

        for (unsigned i = 0; i < RANDOM_BYTES; i++) {
                const RecordType *type = types[i % n_types];
                uint8_t bytes[48];
                size_t size = rng_below(&rng, sizeof(bytes));

                for (size_t k = 0; k < size; k++) /* small ones look like tags and lengths */
                        bytes[k] = (uint8_t)(rng_next(&rng) >> rng_below(&rng, 8) & 0xff);
                try_body(type, (Slice){ bytes, size });
                assert_refused(type, (Slice){ bytes, size }, -EBADMSG);
        }
}

static void test_mutated_bodies(_unused_ void **state) {
        Rng rng = { 5 };

        for (size_t i = 0; i < n_types * RANDOM_RECORDS; i++) {
                const RecordType *type = types[i % n_types];
                _cleanup_(buffer_done) Buffer body = {};
                RecordSpace record;

                random_record(&rng, type, &record);
                assert_int_equal(record_encode_body(type, &record, NULL, &body), 0);
                record_done(type, &record);
                for (uint64_t n = rng_below(&rng, 4); body.size > 0 && n > 0; n--)
                        body.data[rng_below(&rng, body.size)] ^= (uint8_t)(1 << rng_below(&rng, 8));
                try_body(type,
                         (Slice){ body.data, body.size - rng_below(&rng, 2) * (body.size > 0) });
        }
}

/* ---- by hand -------------------------------------------------------------------------------- */

/* The stored form as the header of the codec describes it. */
static void test_stored_form(_unused_ void **state) {
        static const char expected[] =
                "\310\3\0\55????" /* number 200, version 3, 45 bytes, checksum: see below */
                "\1\2\1\0"        /* id 256 */
                "\2\1\1"          /* time -1 */
                "\3\1\2"          /* date 1 */
                "\4\10\377\377\377\377\377\377\377\377" /* the least money */
                "\5\2xy"                                /* unknown */
                "\7\1\2"                                /* green */
                "\10\2hi"                               /* text */
                "\254\2\0"                              /* the flag, 300 */
                "\255\2\10"                             /* the list, 301, of two: */
                "\3\1\1\11"                             /* id 9 */
                "\3\2\1\4";                             /* time 2 */
        static const size_t size = sizeof(expected) - 1;
        uint8_t unknown[] = { 5, 2, 'x', 'y' }, crc[4];
        Thing inner[2] = { { .id = 9 }, { .time = 2 } };
        Thing thing = {
                .record = { unknown, sizeof(unknown) },
                .id = 256,
                .time = -1,
                .date = 1,
                .money = INT64_MIN,
                .colour = 2,
                .text = (char *)"hi",
                .flag = true,
                .things = { inner, 2 },
        };
        _cleanup_(buffer_done) Buffer stored = {};

        assert_int_equal(record_encode(&thing_type, &thing, &stored), 0);
        assert_int_equal(stored.size, size);
        assert_memory_equal(stored.data, expected, 4);
        assert_memory_equal(stored.data + 8, expected + 8, size - 8);
        store_be32(crc, crc32c(crc32c(0, expected, 4), expected + 8, size - 8));
        assert_memory_equal(stored.data + 4, crc, 4);
}

/* An empty text, like every zero, is not given: it takes no room and comes back as NULL. */
static void test_empty(_unused_ void **state) {
        Thing thing = { .text = (char *)"", .code = (char *)"", .lines = (char *)"" }, decoded;
        _cleanup_(buffer_done) Buffer stored = {};

        assert_int_equal(record_encode(&thing_type, &thing, &stored), 0);
        assert_int_equal(stored.size, RECORD_HEADER_SIZE);
        assert_int_equal(record_decode(&thing_type, buffer_slice(&stored), &decoded), 0);
        assert_memory_equal(&decoded, &(Thing){}, sizeof(decoded));
}

static void test_bodies(_unused_ void **state) {
        static const struct {
                const char *body;
                size_t size;
                bool good;
        } cases[] = {
                { "", 0, true },
                { "\1\1\5\10\1a", 6, true },
                { "\10\1a\1\1\5", 6, false }, /* descending */
                { "\1\1\5\1\1\5", 6, false }, /* twice */
                { "\0\1\5", 3, false },       /* there is no tag 0 */
                { "\5\1a\5\1b", 6, false },   /* not even unknown ones twice */
                { "\1\2\0\5", 4, true },      /* a zero that need not be */
                { "\1\0", 2, false },
                { "\1\11\0\0\0\0\0\0\0\0\1", 11, false }, /* nine bytes */
                { "\7\4\x7f\xff\xff\xff", 6, true },
                { "\7\4\x80\0\0\0", 6, false }, /* more than an int */
                { "\10\0", 2, false },          /* an empty text is not there */
                { "\10\2a\0", 4, false },       /* a text has no NUL */
                { "\xac\2\0", 3, true },
                { "\xac\2\1\1", 4, false }, /* a flag has no bytes */
                { "\xad\2\0", 3, true },
                { "\xad\2\1\0", 4, true },    /* an empty thing */
                { "\xad\2\2\3\1", 5, false }, /* a thing that ends behind its list */
                { "\xad\2\2\1\1", 5, false }, /* a field that ends behind its thing */
                { "\1", 1, false },
                { "\1\2\1", 3, false },
                { "\x80", 1, false },
                { "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7f\0", 11, false }, /* no such varint */
        };

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                Thing thing;
                int r = record_decode_body(&thing_type, (Slice){ cases[i].body, cases[i].size },
                                           &thing);

                if (r != (cases[i].good ? 0 : -EBADMSG))
                        fail_msg("case %zu: %d", i, r);
                record_done(&thing_type, &thing);
        }
}

static void test_nesting(_unused_ void **state) {
        for (unsigned depth = 0; depth < 40; depth++) {
                _cleanup_(buffer_done) Buffer body = {};
                Thing thing;

                buffer_put(&body, "\1\1\7", 3);
                for (unsigned i = 0; i < depth; i++) {
                        _cleanup_(buffer_done) Buffer item = {}, inner = body;

                        buffer_put_slice(&item, buffer_slice(&inner));
                        body = (Buffer){};
                        buffer_put_varint(&body, 301);
                        buffer_put_slice(&body, buffer_slice(&item));
                }
                assert_int_equal(record_decode_body(&thing_type, buffer_slice(&body), &thing),
                                 depth <= 4 ? 0 : -EBADMSG);
                record_done(&thing_type, &thing);
        }
}

static void test_body_max(_unused_ void **state) {
        static const size_t overhead = 2 + 3; /* tag 200 and a length of three bytes */
        _cleanup_free_ char *text = malloc(RECORD_BODY_MAX + 2);

        assert_non_null(text);
        memset(text, 'x', RECORD_BODY_MAX + 1);
        for (size_t over = 0; over < 2; over++) {
                _cleanup_(buffer_done) Buffer stored = {};
                Thing thing = { .lines = text }, decoded;

                text[RECORD_BODY_MAX - overhead + over] = '\0';
                buffer_put_u8(&stored, 1);
                assert_int_equal(record_encode(&thing_type, &thing, &stored), over ? -E2BIG : 0);
                text[RECORD_BODY_MAX - overhead + over] = 'x';
                assert_int_equal(stored.error, 0);
                assert_int_equal(stored.size, over ? 1 : 1 + RECORD_HEADER_SIZE + RECORD_BODY_MAX);
                if (over)
                        continue;
                assert_int_equal(record_decode(&thing_type,
                                               (Slice){ stored.data + 1, stored.size - 1 },
                                               &decoded),
                                 0);
                assert_int_equal(strlen(decoded.lines), RECORD_BODY_MAX - overhead);
                record_done(&thing_type, &decoded);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_round_trip),   cmocka_unit_test(test_unknown_kept),
                cmocka_unit_test(test_damage),       cmocka_unit_test(test_other_header),
                cmocka_unit_test(test_random_bytes), cmocka_unit_test(test_mutated_bodies),
                cmocka_unit_test(test_stored_form),  cmocka_unit_test(test_bodies),
                cmocka_unit_test(test_empty),        cmocka_unit_test(test_nesting),
                cmocka_unit_test(test_body_max),
        };

        return cmocka_run_group_tests_name("codec", tests, setup, NULL);
}
