/* SPDX-License-Identifier: Apache-2.0 */

#include "record/record.h"

#include <ctype.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "aftersales/limits.h"
#include "base/macro.h"
#include "record/codec.h"

#include "records.c"

static const RecordType *const *types;
static size_t n_types;

static int setup(_unused_ void **state) {
        types = all_types(&n_types);
        assert_true(n_types >= 14); /* clocks, pauses and changes among them */
        return 0;
}

/* ---- the tables ----------------------------------------------------------------------------- */

static bool is_snake_case(const char *name) {
        if (!islower((unsigned char)*name))
                return false;
        for (const char *p = name; *p; p++)
                if (!islower((unsigned char)*p) && !isdigit((unsigned char)*p) &&
                    !(*p == '_' && p[1] && p[1] != '_'))
                        return false;
        return true;
}

static size_t field_size(const Field *field) {
        switch (field->type) {
        case FIELD_ENUM:
                return sizeof(int);
        case FIELD_FLAG:
                return sizeof(bool);
        case FIELD_LIST:
                return sizeof(List);
        default:
                return 8;
        }
}

static void check_names(const Field *field) {
        const EnumNames *names = field->names;

        assert_non_null(names);
        assert_true(names->n > 1);
        assert_null(names->names[0]);
        assert_int_equal(enum_value(names, "no such name"), 0);
        assert_int_equal(enum_value(names, ""), 0);
        assert_string_equal(enum_name(names, 0), "?");
        assert_string_equal(enum_name(names, -1), "?");
        assert_string_equal(enum_name(names, names->n), "?");
        for (int i = 1; i < names->n; i++) {
                assert_non_null(names->names[i]);
                assert_true(is_snake_case(names->names[i]));
                assert_int_equal(enum_value(names, enum_name(names, i)), i); /* so it is unique */
        }
}

static void check_field(const RecordType *type, size_t i) {
        const Field *field = &type->fields[i];
        size_t position, end = field->offset + field_size(field);

        if (!is_snake_case(field->name) || !field->doc || !*field->doc)
                fail_msg("%s.%s: no snake case, or no doc", type->name, field->name);
        assert_true(field->tag > (i > 0 ? type->fields[i - 1].tag : 0));
        assert_ptr_equal(record_field(type, field->name, &position), field); /* a unique name */
        assert_int_equal(position, i);
        assert_true(field->offset >= sizeof(Record) && end <= type->size);
        for (size_t k = 0; k < i; k++)
                assert_true(end <= type->fields[k].offset ||
                            field->offset >= type->fields[k].offset + field_size(&type->fields[k]));
        if (field->type == FIELD_ENUM)
                check_names(field);
        if (field->type == FIELD_TEXT)
                assert_in_range(field->limit, 1, TEXT_MAX_BYTES);
        if (field->marks & FIELD_CODE)
                assert_int_equal(field->limit, CODE_MAX_BYTES);
        if (field->marks & (FIELD_CODE | FIELD_MULTILINE))
                assert_int_equal(field->type, FIELD_TEXT);
        if (field->type == FIELD_LIST) /* nobody can give one */
                assert_int_equal(field->marks & (FIELD_SETTABLE | FIELD_UPDATABLE), 0);
}

static void test_tables(_unused_ void **state) {
        for (size_t i = 0; i < n_types; i++) {
                assert_true(is_snake_case(types[i]->name));
                assert_in_range(types[i]->n_fields, 1, RECORD_FIELDS_MAX);
                assert_in_range(types[i]->size, sizeof(Record), sizeof(RecordSpace));
                for (size_t k = 0; k < types[i]->n_fields; k++)
                        check_field(types[i], k);
                assert_null(record_field(types[i], "no_such_field", NULL));
                for (size_t k = 0; k < i; k++) /* stored ones are told apart by their number */
                        assert_true(!types[i]->number || types[i]->number != types[k]->number);
        }
}

/* ---- copying -------------------------------------------------------------------------------- */

static void test_copy(_unused_ void **state) {
        Rng rng = { 6 };

        for (size_t i = 0; i < n_types * 50; i++) {
                const RecordType *type = types[i % n_types];
                RecordSpace record, copy;

                random_record(&rng, type, &record);
                memset(&copy, 0xff, sizeof(copy));
                assert_int_equal(record_copy(type, &copy, &record), 0);
                assert_true(same_record(type, &record, &copy)); /* and no text shared */
                record_done(type, &record);
                record_done(type, &copy);
                assert_memory_equal(&copy, &(RecordSpace){}, type->size);
                record_done(type, &copy); /* of an empty one */
        }
}

static void test_merge(_unused_ void **state) {
        Rng rng = { 7 };

        for (size_t i = 0; i < n_types * 50; i++) {
                const RecordType *type = types[i % n_types];
                _cleanup_(buffer_done) Buffer masked = {};
                RecordSpace record, before, source, only;
                FieldMask mask = { { rng_next(&rng), rng_next(&rng) } };

                random_record(&rng, type, &record);
                random_record(&rng, type, &source);
                assert_int_equal(record_copy(type, &before, &record), 0);
                assert_int_equal(record_merge(type, &record, &source, &mask), 0);
                assert_int_equal(record_encode_body(type, &source, &mask, &masked), 0);
                assert_int_equal(record_decode_body(type, buffer_slice(&masked), &only), 0);
                for (size_t k = 0; k < type->n_fields; k++) {
                        RecordType one = { .fields = &type->fields[k], .n_fields = 1 };
                        bool given = field_mask_has(&mask, k);

                        assert_true(same_record(&one, &record, given ? &source : &before));
                        if (given)
                                assert_true(same_record(&one, &only, &source));
                        else
                                assert_false(field_is_set(&type->fields[k], &only));
                }
                record_done(type, &record);
                record_done(type, &before);
                record_done(type, &source);
                record_done(type, &only);
        }
}

/* What was unknown stays with the record it came with. */
static void test_merge_unknown(_unused_ void **state) {
        uint8_t *unknown = malloc(3);
        Thing thing = { .record = { unknown, 3 } }, source = { .id = 1 }, copy;
        FieldMask all = { { UINT64_MAX, UINT64_MAX } };
        _cleanup_(buffer_done) Buffer body = {};

        assert_non_null(unknown);
        memcpy(unknown, "\5\1x", 3);
        assert_int_equal(record_merge(&thing_type, &thing, &source, &all), 0);
        assert_int_equal(thing.record.unknown_size, 3);
        assert_int_equal(thing.id, 1);
        assert_int_equal(record_encode_body(&thing_type, &thing, &all, &body), 0);
        assert_int_equal(body.size, 3); /* a body by mask has only what was asked for */
        assert_int_equal(record_copy(&thing_type, &copy, &thing), 0);
        assert_int_equal(copy.record.unknown_size, 3);
        assert_memory_equal(copy.record.unknown, "\5\1x", 3);
        record_done(&thing_type, &thing);
        record_done(&thing_type, &copy);
}

static void test_fields(_unused_ void **state) {
        const Field *text = record_field(&thing_type, "text", NULL);
        const Field *flag = record_field(&thing_type, "flag", NULL);
        Thing thing = {};

        assert_false(field_is_set(text, &thing));
        assert_int_equal(field_set_text(text, &thing, "a"), 0);
        assert_int_equal(field_set_text(text, &thing, thing.text), 0); /* its own */
        assert_string_equal(field_text(text, &thing), "a");
        assert_true(field_is_set(text, &thing));
        assert_int_equal(field_set_text(text, &thing, ""), 0);
        assert_null(thing.text);
        field_set_number(flag, &thing, 256);
        assert_true(thing.flag);
        for (size_t i = 0; i < 100; i++) {
                Thing *item = list_add(&thing.things, &thing_type);

                assert_non_null(item);
                assert_memory_equal(item, &(Thing){}, sizeof(*item));
                item->id = i + 1;
                assert_int_equal(thing.things.n, i + 1);
        }
        for (size_t i = 0; i < 100; i++)
                assert_int_equal(((Thing *)thing.things.items)[i].id, i + 1);
        record_done(&thing_type, &thing);
}

/* ---- what callers may give ------------------------------------------------------------------ */

#define OUT_OF_TIME                                                                                \
        " is out of range: a time is in microseconds since 1970-01-01 UTC and lies before 2170"

static void test_numbers(_unused_ void **state) {
        static const struct {
                const char *field;
                int64_t value;
                const char *why;
        } cases[] = {
                { "count", 0, NULL },
                { "count", 5, NULL },
                { "count", 6, "count: 6 is out of range: 0 to 5 is allowed" },
                { "count", -1, "count: -1 is out of range: 0 to 5 is allowed" },
                { "time", 86400 * USEC_PER_SEC, NULL },
                { "time", 86400 * USEC_PER_SEC - 1, "time: 86399999999" OUT_OF_TIME },
                { "time", 0, "time: 0" OUT_OF_TIME },
                { "time", -1, "time: -1" OUT_OF_TIME },
                { "time", 6311347200 * USEC_PER_SEC, NULL },
                { "time", INT64_MAX, "time: 9223372036854775807" OUT_OF_TIME },
                { "money", INT64_MIN, NULL },
                { "money", INT64_MAX, NULL },
        };

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                Refusal refusal = {};
                int r = field_check_number(record_field(&thing_type, cases[i].field, NULL),
                                           cases[i].value, &refusal);

                assert_int_equal(r, cases[i].why ? REFUSED_INVALID_VALUE : 0);
                assert_int_equal(refusal.code, r);
                assert_string_equal(refusal.text, cases[i].why ?: "");
        }
}

#define CODE_LETTERS ": a code has only the letters A-Z a-z, digits and - _ . /"

static void test_texts(_unused_ void **state) {
        static const struct {
                const char *field, *text, *why;
        } cases[] = {
                { "text", "", NULL },
                { "text", "1234567890", NULL },
                { "text", "12345678901", "text: 11 bytes are too long: at most 10 are allowed" },
                { "text", "中文字", NULL },
                { "text", "中文字x", NULL },
                { "text", "中文字中", "text: 12 bytes are too long: at most 10 are allowed" },
                { "text", "a\nb",
                  "text: a control character at byte 2: this text has one line and no control "
                  "characters" },
                { "text", "ab\xff", "text: not UTF-8 at byte 3: send text as UTF-8" },
                { "lines", "a\n\tb", NULL },
                { "lines", "a\rb",
                  "lines: a control character at byte 2: only line breaks and tabs are allowed" },
                { "code", "", NULL },
                { "code", "aZ09-_", NULL },
                { "code", "./", NULL },
                { "code", "a b", "code" CODE_LETTERS },
                { "code", "中", "code" CODE_LETTERS },
                { "code", "a+b", "code" CODE_LETTERS },
        };

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                Refusal refusal = {};
                int r = field_check_text(record_field(&thing_type, cases[i].field, NULL),
                                         cases[i].text, &refusal);

                assert_int_equal(r, cases[i].why ? REFUSED_INVALID_VALUE : 0);
                assert_string_equal(refusal.text, cases[i].why ?: "");
        }
}

static void test_dates(_unused_ void **state) {
        static const struct {
                const char *text;
                int64_t date; /* -1: refused */
        } cases[] = {
                { "1970-01-02", 1 },
                { "1970-01-31", 30 },
                { "2000-02-29", 11016 },
                { "2026-11-23", 20780 },
                { "2169-12-31", 73048 },
                { "1970-01-01", -1 }, /* 0 is "not given" */
                { "1969-12-31", -1 },
                { "2170-01-01", -1 },
                { "2026-02-29", -1 },
                { "2026-02-30", -1 },
                { "2026-13-01", -1 },
                { "2026-00-10", -1 },
                { "2026-04-31", -1 },
                { "2026-1-01", -1 },
                { "2026-01-1", -1 },
                { "2026-01-01 ", -1 },
                { " 2026-1-01", -1 },
                { "2026- 1-01", -1 },
                { "2026-+1-01", -1 },
                { "2026-01-+1", -1 },
                { "+202-01-01", -1 },
                { "2026/01/01", -1 },
                { "20260101", -1 },
                { "2026-01-01T", -1 },
                { "", -1 },
                { "today", -1 },
                { "2026-01-0x", -1 },
        };
        const Field *field = record_field(&thing_type, "date", NULL);

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                char text[DATE_TEXT_SIZE];
                Refusal refusal = {};
                int64_t date = -1;
                int r = field_parse_date(field, cases[i].text, &date, &refusal);

                if (date != cases[i].date)
                        fail_msg("'%s': %lld", cases[i].text, (long long)date);
                assert_int_equal(r, date < 0 ? REFUSED_INVALID_VALUE : 0);
                if (r == 0)
                        assert_string_equal(date_format(date, text), cases[i].text);
                else
                        assert_string_equal(refusal.text,
                                            "date: no such date: write it as 2026-01-31, between "
                                            "1970-01-02 and 2169-12-31");
        }
}

static void test_times(_unused_ void **state) {
        static const struct {
                int64_t time;
                const char *text;
        } cases[] = {
                { 0, "1970-01-01T00:00:00Z" },
                { 1795457100 * USEC_PER_SEC + 999999, "2026-11-23T18:05:00Z" },
                { 6311433599 * USEC_PER_SEC, "2169-12-31T23:59:59Z" },
                { -1 * USEC_PER_SEC, "1969-12-31T23:59:59Z" },
        };

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                char text[TIME_TEXT_SIZE];

                assert_string_equal(time_format(cases[i].time, text), cases[i].text);
        }
        assert_non_null(time_format(INT64_MAX, (char[TIME_TEXT_SIZE]){}));
        assert_non_null(time_format(INT64_MIN, (char[TIME_TEXT_SIZE]){}));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_tables), cmocka_unit_test(test_copy),
                cmocka_unit_test(test_merge),  cmocka_unit_test(test_merge_unknown),
                cmocka_unit_test(test_fields), cmocka_unit_test(test_numbers),
                cmocka_unit_test(test_texts),  cmocka_unit_test(test_dates),
                cmocka_unit_test(test_times),
        };

        return cmocka_run_group_tests_name("record", tests, setup, NULL);
}
