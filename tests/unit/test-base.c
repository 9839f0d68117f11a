/* SPDX-License-Identifier: Apache-2.0 */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/buffer.h"
#include "base/digest.h"
#include "base/macro.h"
#include "base/text.h"
#include "rng.h"

/* ---- buffers -------------------------------------------------------------------------------- */

static void test_buffer_bytes(_unused_ void **state) {
        static const uint8_t expected[] = {
                0xab, 0x12, 0x34, 0x89, 0xab, 0xcd, 0xef, 0x01, 0x23, 0x45, 0x67,
                0x89, 0xab, 0xcd, 0xef, 0xac, 0x02, 3,    'a',  'b',  'c',  0,
        };
        _cleanup_(buffer_done) Buffer buffer = {};

        buffer_put_u8(&buffer, 0xab);
        buffer_put_u16(&buffer, 0x1234);
        buffer_put_u32(&buffer, 0x89abcdef);
        buffer_put_u64(&buffer, UINT64_C(0x0123456789abcdef));
        buffer_put_varint(&buffer, 300);
        buffer_put_slice(&buffer, (Slice){ "abc", 3 });
        buffer_put_slice(&buffer, (Slice){ NULL, 0 });
        buffer_put(&buffer, NULL, 0);
        assert_int_equal(buffer.error, 0);
        assert_int_equal(buffer.size, sizeof(expected));
        assert_memory_equal(buffer.data, expected, sizeof(expected));
        buffer_reset(&buffer);
        assert_int_equal(buffer_slice(&buffer).size, 0);
        buffer_put_u8(&buffer, 1);
        assert_int_equal(buffer.size, 1);
        assert_int_equal(buffer.data[0], 1);
}

static void test_buffer_grows(_unused_ void **state) {
        _cleanup_(buffer_done) Buffer buffer = {};
        uint8_t piece[1000];
        size_t size = 0;
        Rng rng = { 1 };

        for (unsigned i = 0; i < 400; i++) {
                size_t n = rng_below(&rng, sizeof(piece));

                memset(piece, (int)(i & 0xff), n);
                buffer_put(&buffer, piece, n);
                size += n;
                assert_int_equal(buffer.size, size);
                assert_true(buffer.allocated >= size);
                if (n > 0) {
                        assert_memory_equal(buffer.data + size - n, piece, n);
                        assert_int_equal(buffer.data[size - 1], i & 0xff);
                }
        }
}

/* What cannot be had is refused once and for all until it is reset; nothing is lost meanwhile. */
static void test_buffer_error(_unused_ void **state) {
        static const size_t sizes[] = { SIZE_MAX, SIZE_MAX / 2 + 2, SIZE_MAX / 2 };

        for (size_t i = 0; i < ELEMENTS(sizes); i++) {
                _cleanup_(buffer_done) Buffer buffer = {};

                for (unsigned pass = 0; pass < 2; pass++) {
                        buffer_put_u8(&buffer, 7);
                        buffer_put(&buffer, buffer.data, sizes[i]);
                        assert_int_equal(buffer.error, -ENOMEM);
                        buffer_put_u64(&buffer, 1);
                        assert_int_equal(buffer.error, -ENOMEM);
                        assert_int_equal(buffer.size, 1);
                        assert_int_equal(buffer.data[0], 7);
                        buffer_reset(&buffer);
                        assert_int_equal(buffer.error, 0);
                }
        }
}

/* ---- cursors -------------------------------------------------------------------------------- */

static void test_cursor_numbers(_unused_ void **state) {
        static const uint8_t bytes[] = { 1, 2,    3,    4,    5,    6,    7,    8,   9,
                                         1, 0xff, 0xee, 0xdd, 0xcc, 0xbb, 0xaa, 0x99 };
        Cursor cursor = cursor_over((Slice){ bytes, sizeof(bytes) });

        assert_int_equal(cursor_u8(&cursor), 1);
        assert_int_equal(cursor_u16(&cursor), 0x0203);
        assert_int_equal(cursor_u32(&cursor), 0x04050607);
        assert_int_equal(cursor_left(&cursor), 10);
        assert_true(cursor_u64(&cursor) == UINT64_C(0x080901ffeeddccbb));
        assert_ptr_equal(cursor_take(&cursor, 2), bytes + 15);
        assert_int_equal(cursor_left(&cursor), 0);
        assert_false(cursor.failed);
        assert_non_null(cursor_take(&cursor, 0)); /* nothing is always left */
        assert_false(cursor.failed);
}

/* Whatever asks for more than is left fails, and so does everything after it. */
static void test_cursor_sticks(_unused_ void **state) {
        static const uint8_t bytes[8] = { 1, 2, 3, 4, 5, 6, 7, 8 };

        for (size_t size = 0; size < sizeof(bytes); size++) {
                Cursor cursor = cursor_over((Slice){ bytes, size });

                assert_int_equal(cursor_u64(&cursor), 0);
                assert_true(cursor.failed);
                assert_int_equal(cursor_left(&cursor), 0);
                assert_int_equal(cursor_u8(&cursor), 0);
                assert_int_equal(cursor_varint(&cursor), 0);
                assert_null(cursor_take(&cursor, 0));
                assert_int_equal(cursor_slice(&cursor).size, 0);
                assert_true(cursor.failed);
        }
        for (size_t size = 0; size <= 1; size++) {
                Cursor cursor = cursor_over((Slice){ size ? bytes : NULL, size });

                assert_null(cursor_take(&cursor, SIZE_MAX));
                assert_true(cursor.failed);
        }
}

static void test_varints(_unused_ void **state) {
        static const struct {
                uint8_t bytes[12];
                size_t size, used; /* used 0: refused */
                uint64_t value;
        } cases[] = {
                { { 0x00 }, 1, 1, 0 },
                { { 0x7f }, 1, 1, 127 },
                { { 0x80, 0x01 }, 2, 2, 128 },
                { { 0xff, 0x7f, 0xaa }, 3, 2, 16383 },
                { { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01 },
                  10,
                  10,
                  UINT64_MAX },
                { { 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01 },
                  10,
                  10,
                  UINT64_C(1) << 63 },
                /* longer than need be, but within ten bytes */
                { { 0x80, 0x00 }, 2, 2, 0 },
                { { 0x85, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x00 }, 10, 10, 5 },
                /* more than 64 bits, more than ten bytes, cut off, nothing */
                { { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02 }, 10, 0, 0 },
                { { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f }, 10, 0, 0 },
                { { 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x00 }, 11, 0, 0 },
                { { 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x81, 0x00 }, 11, 0, 0 },
                { { 0x80 }, 1, 0, 0 },
                { { 0xff, 0xff }, 2, 0, 0 },
                { { 0 }, 0, 0, 0 },
        };

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                Cursor cursor = cursor_over((Slice){ cases[i].bytes, cases[i].size });
                uint64_t value = cursor_varint(&cursor);

                if (cursor.failed != (cases[i].used == 0) || value != cases[i].value)
                        fail_msg("case %zu: %s, %llu", i, cursor.failed ? "refused" : "read",
                                 (unsigned long long)value);
                if (cases[i].used)
                        assert_int_equal(cursor.p - cases[i].bytes, cases[i].used);
        }
}

static void test_varint_round_trip(_unused_ void **state) {
        Rng rng = { 2 };

        for (unsigned i = 0; i < 10000; i++) {
                _cleanup_(buffer_done) Buffer buffer = {};
                uint64_t value = rng_next(&rng) >> rng_below(&rng, 64);
                Cursor cursor;

                buffer_put_varint(&buffer, value);
                assert_int_equal(buffer.size, value ? (70 - __builtin_clzll(value)) / 7 : 1);
                cursor = cursor_over(buffer_slice(&buffer));
                assert_true(cursor_varint(&cursor) == value);
                assert_int_equal(cursor_left(&cursor), 0);
                assert_false(cursor.failed);
        }
}

static void test_cursor_slices(_unused_ void **state) {
        static const struct {
                uint8_t bytes[12];
                size_t size;
                bool good;
                size_t length;
        } cases[] = {
                { { 0 }, 1, true, 0 },
                { { 2, 'a', 'b' }, 3, true, 2 },
                { { 2, 'a' }, 2, false, 0 },
                { { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01, 'a' },
                  11,
                  false,
                  0 },
                { { 0xff }, 1, false, 0 },
        };

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                Cursor cursor = cursor_over((Slice){ cases[i].bytes, cases[i].size });
                Slice slice = cursor_slice(&cursor);

                assert_int_equal(cursor.failed, !cases[i].good);
                assert_int_equal(slice.size, cases[i].length);
                if (slice.size > 0)
                        assert_ptr_equal(slice.data, cases[i].bytes + 1);
        }
}

static void test_big_endian(_unused_ void **state) {
        uint8_t bytes[9] = {};

        store_be16(bytes + 1, 0x0102);
        assert_memory_equal(bytes, "\0\1\2\0", 4);
        store_be32(bytes + 1, 0x01020304);
        assert_memory_equal(bytes, "\0\1\2\3\4\0", 6);
        store_be64(bytes + 1, UINT64_C(0x0102030405060708));
        assert_memory_equal(bytes, "\0\1\2\3\4\5\6\7\10", 9);
        assert_true(load_be64(bytes + 1) == UINT64_C(0x0102030405060708));
}

/* ---- checksums ------------------------------------------------------------------------------ */

static uint32_t crc32c_by_bits(uint32_t crc, const uint8_t *p, size_t size) {
        crc = ~crc;
        for (; size > 0; size--) {
                crc ^= *p++;
                for (int bit = 0; bit < 8; bit++)
                        crc = crc & 1 ? crc >> 1 ^ UINT32_C(0x82f63b78) : crc >> 1;
        }
        return ~crc;
}

/* RFC 3720, B.4, and the check value of the catalogues. */
static void test_crc_vectors(_unused_ void **state) {
        static const uint8_t read_pdu[48] = {
                0x01,        0xc0,        [16] = 0x14, [22] = 0x04, [26] = 0x00,
                [27] = 0x14, [31] = 0x18, [32] = 0x28, [40] = 0x02,
        };
        uint8_t bytes[32];

        assert_int_equal(crc32c(0, NULL, 0), 0);
        assert_int_equal(crc32c(0, "123456789", 9), 0xe3069283);
        memset(bytes, 0, sizeof(bytes));
        assert_int_equal(crc32c(0, bytes, sizeof(bytes)), 0x8a9136aa);
        memset(bytes, 0xff, sizeof(bytes));
        assert_int_equal(crc32c(0, bytes, sizeof(bytes)), 0x62a8ab43);
        for (size_t i = 0; i < sizeof(bytes); i++)
                bytes[i] = (uint8_t)i;
        assert_int_equal(crc32c(0, bytes, sizeof(bytes)), 0x46dd794e);
        for (size_t i = 0; i < sizeof(bytes); i++)
                bytes[i] = (uint8_t)(31 - i);
        assert_int_equal(crc32c(0, bytes, sizeof(bytes)), 0x113fdb5c);
        assert_int_equal(crc32c(0, read_pdu, sizeof(read_pdu)), 0xd9963a56);
}

static void test_crc_any_place(_unused_ void **state) {
        uint8_t bytes[128];
        Rng rng = { 3 };

        for (size_t i = 0; i < sizeof(bytes); i++)
                bytes[i] = (uint8_t)rng_next(&rng);
        for (size_t from = 0; from < 16; from++)
                for (size_t size = 0; size <= 96; size++) {
                        uint32_t start = (uint32_t)rng_next(&rng);
                        size_t half = rng_below(&rng, size + 1);
                        uint32_t crc = crc32c(start, bytes + from, size);

                        assert_int_equal(crc, crc32c_by_bits(start, bytes + from, size));
                        assert_int_equal(crc, crc32c(crc32c(start, bytes + from, half),
                                                     bytes + from + half, size - half));
                }
}

static void test_digest(_unused_ void **state) {
        static const uint8_t of_abc[DIGEST_SIZE] = {
                0xba, 0x78, 0x16, 0xbf, 0x8f, 0x01, 0xcf, 0xea, 0x41, 0x41, 0x40,
                0xde, 0x5d, 0xae, 0x22, 0x23, 0xb0, 0x03, 0x61, 0xa3, 0x96, 0x17,
                0x7a, 0x9c, 0xb4, 0x10, 0xff, 0x61, 0xf2, 0x00, 0x15, 0xad,
        };
        static const struct {
                const char *a, *b, *c;
        } cases[] = {
                { "abc", NULL, NULL }, { "a", "b", "c" }, { NULL, "abc", NULL }, { "", "", "abc" }
        };

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                const char *a = cases[i].a, *b = cases[i].b, *c = cases[i].c;
                Digest digest;

                digest_pieces(&digest, a, a ? strlen(a) : 0, b, b ? strlen(b) : 0, c,
                              c ? strlen(c) : 0);
                assert_memory_equal(digest.bytes, of_abc, DIGEST_SIZE);
        }
}

/* ---- texts ---------------------------------------------------------------------------------- */

/* RFC 3629, section 4: the well-formed sequences by ranges of their bytes. */
static bool is_utf8_by_table(const uint8_t *s, size_t size) {
        static const struct {
                size_t n;
                uint8_t low[4], high[4];
        } rows[] = {
                { 1, { 0x00 }, { 0x7f } },
                { 2, { 0xc2, 0x80 }, { 0xdf, 0xbf } },
                { 3, { 0xe0, 0xa0, 0x80 }, { 0xe0, 0xbf, 0xbf } },
                { 3, { 0xe1, 0x80, 0x80 }, { 0xec, 0xbf, 0xbf } },
                { 3, { 0xed, 0x80, 0x80 }, { 0xed, 0x9f, 0xbf } },
                { 3, { 0xee, 0x80, 0x80 }, { 0xef, 0xbf, 0xbf } },
                { 4, { 0xf0, 0x90, 0x80, 0x80 }, { 0xf0, 0xbf, 0xbf, 0xbf } },
                { 4, { 0xf1, 0x80, 0x80, 0x80 }, { 0xf3, 0xbf, 0xbf, 0xbf } },
                { 4, { 0xf4, 0x80, 0x80, 0x80 }, { 0xf4, 0x8f, 0xbf, 0xbf } },
        };

        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                bool fits = size >= rows[i].n;

                for (size_t k = 0; fits && k < rows[i].n; k++)
                        fits = s[k] >= rows[i].low[k] && s[k] <= rows[i].high[k];
                if (fits)
                        return true;
        }
        return false;
}

/* Every pair of first bytes with continuations at, and right beside, their bounds. */
static void test_utf8_bounds(_unused_ void **state) {
        static const uint8_t edges[] = {
                0x00, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xff
        };
        uint8_t s[4];

        for (unsigned first = 0; first < 0x10000; first++)
                for (size_t i = 0; i < ELEMENTS(edges) * ELEMENTS(edges); i++) {
                        s[0] = (uint8_t)(first >> 8);
                        s[1] = (uint8_t)first;
                        s[2] = edges[i / ELEMENTS(edges)];
                        s[3] = edges[i % ELEMENTS(edges)];
                        for (size_t size = 0; size <= sizeof(s); size++) {
                                uint32_t c = 0;
                                size_t n = utf8_character((const char *)s, size, &c);

                                if ((n > 0) != is_utf8_by_table(s, size) || n > size)
                                        fail_msg("%02x %02x %02x %02x, %zu bytes: %zu", s[0], s[1],
                                                 s[2], s[3], size, n);
                        }
                }
}

static void test_utf8_values(_unused_ void **state) {
        for (uint32_t c = 0; c <= 0x10ffff; c++) {
                uint32_t found = UINT32_MAX;
                char s[4];
                size_t n;

                if (c >= 0xd800 && c <= 0xdfff)
                        continue;
                if (c < 0x80) {
                        n = 1;
                        s[0] = (char)c;
                } else {
                        n = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
                        s[0] = (char)((0xf00 >> n & 0xff) | c >> (6 * (n - 1)));
                        for (size_t i = 1; i < n; i++)
                                s[i] = (char)(0x80 | (c >> (6 * (n - 1 - i)) & 0x3f));
                }
                if (utf8_character(s, n, &found) != n || found != c)
                        fail_msg("U+%04X is read as U+%04X", c, found);
                if (n > 1)
                        assert_int_equal(utf8_character(s, n - 1, &found), 0);
        }
}

static void test_text_check(_unused_ void **state) {
        static const struct {
                const char *text;
                TextFault one_line, multiline;
                size_t position;
        } cases[] = {
                { "", TEXT_OK, TEXT_OK, 0 },
                { "a b", TEXT_OK, TEXT_OK, 0 },
                { "空调不制冷", TEXT_OK, TEXT_OK, 0 },
                { "𠮷", TEXT_OK, TEXT_OK, 0 },
                { "a\nb", TEXT_CONTROL, TEXT_OK, 1 },
                { "a\tb", TEXT_CONTROL, TEXT_OK, 1 },
                { "a\rb", TEXT_CONTROL, TEXT_CONTROL, 1 },
                { "\x1f", TEXT_CONTROL, TEXT_CONTROL, 0 },
                { "ab\x1b[31m", TEXT_CONTROL, TEXT_CONTROL, 2 },
                { "\x7f", TEXT_CONTROL, TEXT_CONTROL, 0 },
                { "a\xc2\x80", TEXT_CONTROL, TEXT_CONTROL, 1 },
                { "a\xc2\x9f", TEXT_CONTROL, TEXT_CONTROL, 1 },
                { "a\xc2\xa0", TEXT_OK, TEXT_OK, 0 },
                { "\xe2\x80\xa9", TEXT_OK, TEXT_OK, 0 },           /* U+2029 */
                { "\xe2\x80\xaa", TEXT_CONTROL, TEXT_CONTROL, 0 }, /* U+202A */
                { "\xe2\x80\xae", TEXT_CONTROL, TEXT_CONTROL, 0 }, /* U+202E */
                { "\xe2\x80\xaf", TEXT_OK, TEXT_OK, 0 },           /* U+202F */
                { "\xe2\x81\xa5", TEXT_OK, TEXT_OK, 0 },           /* U+2065 */
                { "\xe2\x81\xa6", TEXT_CONTROL, TEXT_CONTROL, 0 }, /* U+2066 */
                { "\xe2\x81\xa9", TEXT_CONTROL, TEXT_CONTROL, 0 }, /* U+2069 */
                { "\xe2\x81\xaa", TEXT_OK, TEXT_OK, 0 },           /* U+206A */
                { "\xc0\x80", TEXT_NOT_UTF8, TEXT_NOT_UTF8, 0 },
                { "中\xe4\xb8", TEXT_NOT_UTF8, TEXT_NOT_UTF8, 3 },
                { "ab\xff", TEXT_NOT_UTF8, TEXT_NOT_UTF8, 2 },
                { "\n\xff", TEXT_CONTROL, TEXT_NOT_UTF8, SIZE_MAX },
        };

        for (size_t i = 0; i < ELEMENTS(cases); i++)
                for (int multiline = 0; multiline < 2; multiline++) {
                        size_t size = strlen(cases[i].text), position = 42;
                        TextFault expected = multiline ? cases[i].multiline : cases[i].one_line;
                        size_t wanted = expected == TEXT_OK             ? 42
                                        : cases[i].position == SIZE_MAX ? (size_t)multiline
                                                                        : cases[i].position;

                        assert_int_equal(text_check(cases[i].text, size, multiline, &position),
                                         expected);
                        assert_int_equal(position, wanted);
                }
        assert_int_equal(text_check("\0", 1, true, &(size_t){ 0 }), TEXT_CONTROL);
}

static void test_escape(_unused_ void **state) {
        static const struct {
                size_t size;
                const char *text, *escaped;
        } cases[] = {
                { 64, "", "" },
                { 64, "plain 中文", "plain 中文" },
                { 64, "a\nb\x7f", "a\\x0ab\\x7f" },
                { 64, "\xc2\x9b", "\\xc2\\x9b" }, /* a control character in full */
                { 64, "\xe2\x80\xae x", "\\xe2\\x80\\xae x" },
                { 64, "\xff\xe4\xb8", "\\xff\\xe4\\xb8" },
                { 8, "abcd", "abcd" },
                { 8, "abcdefgh", "abcd..." },
                { 9, "中文字", "中..." }, /* never half a character */
                { 10, "中文字", "中文..." },
                { 8, "\n\n", "\\x0a..." },
        };

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                char buffer[64];

                memset(buffer, 0x55, sizeof(buffer));
                assert_ptr_equal(text_escape(cases[i].text, buffer, cases[i].size), buffer);
                assert_string_equal(buffer, cases[i].escaped);
                for (size_t k = cases[i].size; k < sizeof(buffer); k++)
                        assert_int_equal(buffer[k], 0x55);
        }
}

/* Whatever comes in, what goes out is clean and fits. */
static void test_escape_random(_unused_ void **state) {
        Rng rng = { 4 };

        for (unsigned i = 0; i < 20000; i++) {
                char text[40], buffer[200];
                size_t n = rng_below(&rng, sizeof(text)), size = 8 + rng_below(&rng, 60), at;

                for (size_t k = 0; k < n; k++)
                        text[k] = (char)(1 + rng_below(&rng, 255));
                text[n] = '\0';
                memset(buffer, 0x55, sizeof(buffer));
                text_escape(text, buffer, size);
                assert_true(strlen(buffer) < size);
                assert_int_equal(text_check(buffer, strlen(buffer), false, &at), TEXT_OK);
                for (size_t k = size; k < sizeof(buffer); k++)
                        assert_int_equal(buffer[k], 0x55);
        }
}

static void test_mend(_unused_ void **state) {
        static const struct {
                const char *text, *mended;
        } cases[] = {
                { "", "" },
                { "a\n备份\x01", "a\n备份\x01" },
                { "备\xe4\xbb", "备" },
                { "x\xf0\x9f\x92", "x" },
                { "x\xe4", "x" },
                { "\xff\xe5\xa4/b\xff", "?\?\?/b?" },
                { "\xed\xa0\x80\xc0\x80", "?????" },
                { "a\xef\xbf\xbf\xef\xb7\x90z", "a??????z" },
        };

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                char text[32];

                snprintf(text, sizeof(text), "%s", cases[i].text);
                text_mend(text);
                assert_string_equal(text, cases[i].mended);
        }
}

static void test_split(_unused_ void **state) {
        static const struct {
                const char *text, *words[3];
        } cases[] = {
                { "", { "", "", "" } },
                { "a", { "a", "", "" } },
                { "a\tb", { "a", "b", "" } },
                { "\t\t", { "", "", "" } },
                { "a\t\tc d\te", { "a", "", "c d\te" } },
        };

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                char text[16], *words[3];

                snprintf(text, sizeof(text), "%s", cases[i].text);
                text_split(text, '\t', words, ELEMENTS(words));
                for (size_t k = 0; k < ELEMENTS(words); k++)
                        assert_string_equal(words[k], cases[i].words[k]);
        }
}

static unsigned distance_by_definition(const char *a, const char *b) {
        unsigned skip, both;

        if (!*a || !*b)
                return (unsigned)(strlen(a) + strlen(b));
        if (*a == *b)
                return distance_by_definition(a + 1, b + 1);
        skip = MIN(distance_by_definition(a + 1, b), distance_by_definition(a, b + 1));
        both = distance_by_definition(a + 1, b + 1);
        return 1 + MIN(skip, both);
}

static void test_distance(_unused_ void **state) {
        char long_one[66];
        Rng rng = { 5 };

        for (unsigned i = 0; i < 3000; i++) {
                char a[7], b[7];
                size_t n = rng_below(&rng, sizeof(a)), m = rng_below(&rng, sizeof(b));
                unsigned limit = (unsigned)rng_below(&rng, 8), expected;

                for (size_t k = 0; k < n; k++)
                        a[k] = (char)('a' + rng_below(&rng, 3));
                for (size_t k = 0; k < m; k++)
                        b[k] = (char)('a' + rng_below(&rng, 3));
                a[n] = b[m] = '\0';
                expected = distance_by_definition(a, b);
                if (text_distance(a, b, limit) != MIN(expected, limit))
                        fail_msg("'%s' and '%s', at most %u: %u", a, b, limit,
                                 text_distance(a, b, limit));
        }
        memset(long_one, 'x', 65);
        long_one[64] = '\0';
        assert_int_equal(text_distance(long_one, long_one, 9), 0);
        assert_int_equal(text_distance(long_one, "", 99), 64);
        long_one[64] = 'x';
        long_one[65] = '\0';
        assert_int_equal(text_distance(long_one, long_one, 9), 9); /* too long to look at */
}

static void test_nearest(_unused_ void **state) {
        static const char *const names[] = { "dispatch", "accept", "void", "at", "resume", NULL };
        static const char *const none[] = { NULL };
        static const struct {
                const char *text, *nearest;
        } cases[] = {
                { "dispach", "dispatch" },
                { "acept", "accept" },
                { "voide", "void" },
                { "resolve", NULL },
                { "at", "at" },
                { "a", "at" },
                { "", NULL },
                { "xy", NULL },
                { "dispatchxx", "dispatch" },
                { "dispatchxxx", NULL },
        };

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                const char *found = text_nearest(cases[i].text, names);

                assert_string_equal(found ?: "", cases[i].nearest ?: "");
                assert_null(text_nearest(cases[i].text, none));
        }
}

static int setup_digest(_unused_ void **state) {
        return digest_init();
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_buffer_bytes),
                cmocka_unit_test(test_buffer_grows),
                cmocka_unit_test(test_buffer_error),
                cmocka_unit_test(test_cursor_numbers),
                cmocka_unit_test(test_cursor_sticks),
                cmocka_unit_test(test_varints),
                cmocka_unit_test(test_varint_round_trip),
                cmocka_unit_test(test_cursor_slices),
                cmocka_unit_test(test_big_endian),
                cmocka_unit_test(test_crc_vectors),
                cmocka_unit_test(test_crc_any_place),
                cmocka_unit_test(test_digest),
                cmocka_unit_test(test_utf8_bounds),
                cmocka_unit_test(test_utf8_values),
                cmocka_unit_test(test_text_check),
                cmocka_unit_test(test_escape),
                cmocka_unit_test(test_escape_random),
                cmocka_unit_test(test_distance),
                cmocka_unit_test(test_nearest),
                cmocka_unit_test(test_mend),
                cmocka_unit_test(test_split),
        };

        return cmocka_run_group_tests_name("base", tests, setup_digest, NULL);
}
