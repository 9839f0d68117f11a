/* SPDX-License-Identifier: Apache-2.0 */

#include "fields.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>

#include <cmocka.h>

static const char rows[] =
        "[{\"name\":\"id\",\"type\":\"id\"},"
        " {\"name\":\"type\",\"type\":\"enum\",\"settable\":true},"
        " {\"name\":\"phone\",\"type\":\"text\",\"settable\":true,\"personal\":true,\"limit\":40},"
        " {\"name\":\"product\",\"type\":\"text\",\"settable\":true,\"filter\":true},"
        " {\"name\":\"appointment\",\"type\":\"time\"}, {\"name\":\"sold_on\",\"type\":\"date\"},"
        " {\"name\":\"fee\",\"type\":\"money\"}, {\"name\":\"visits\",\"type\":\"count\"},"
        " {\"name\":\"active\",\"type\":\"flag\"}, {\"name\":\"case_id\",\"type\":\"id\"},"
        " {\"name\":\"clocks\",\"type\":\"list\"}, {\"name\":\"revision\",\"type\":\"id\"},"
        " {\"name\":\"novel\",\"type\":\"hologram\"}]";

/* What a test works with: an Input, and the messages it has given. */
typedef struct Fixture {
        Schema *schema;
        Report report;
        Input input;
        char *messages;
        size_t size;
        int asked_for_now;
} Fixture;

static int64_t now(void *userdata) {
        ((Fixture *)userdata)->asked_for_now++;
        return 1795392000000000; /* 2026-11-23 00:00:00 UTC */
}

static int setup(void **state) {
        Fixture *f = calloc(1, sizeof(Fixture));

        text_use_locale();
        setenv("TZ", "Asia/Shanghai", 1);
        tzset();
        if (!f || schema_new(json_tokener_parse(rows), 'T', &f->schema) < 0)
                return -1;
        f->report.to = open_memstream(&f->messages, &f->size);
        f->input = (Input){ .schema = f->schema,
                            .report = &f->report,
                            .now = now,
                            .userdata = f,
                            .fields = json_object_new_object() };
        *state = f;
        return 0;
}

static int teardown(void **state) {
        Fixture *f = *state;

        json_object_put(f->input.fields);
        schema_free(f->schema);
        fclose(f->report.to);
        free(f->messages);
        free(f);
        return 0;
}

static void assert_fields(const Fixture *f, const char *json) {
        assert_string_equal(json_object_to_json_string_ext(f->input.fields, JSON_C_TO_STRING_PLAIN),
                            json);
}

static void assert_message(const Fixture *f, const char *part) {
        fflush(f->report.to);
        if (!strstr(f->messages, part))
                fail_msg("'%s' is not in: %s", part, f->messages);
}

static int add_json(Fixture *f, const char *text, size_t size) {
        FILE *from = fmemopen((char *)text, size, "r");
        int r;

        assert_non_null(from);
        r = input_add_json(&f->input, from);
        fclose(from);
        return r;
}

/* ---- schema ---- */

static void test_schema(void **state) {
        const Fixture *f = *state;
        static const char *const bad[] = { "{}", "[{}]", "[{\"name\":1,\"type\":\"id\"}]", "[7]" };

        assert_int_equal(schema_find(f->schema, "appointment")->type, FIELD_TIME);
        assert_int_equal(schema_find(f->schema, "revision")->type, FIELD_COUNT);
        assert_int_equal(schema_find(f->schema, "novel")->type, FIELD_ANY);
        assert_true(schema_find(f->schema, "phone")->personal);
        assert_false(schema_find(f->schema, "product")->personal);
        assert_true(schema_find(f->schema, "product")->filter);
        assert_int_equal(schema_find(f->schema, "phone")->limit, 40);
        assert_null(schema_find(f->schema, "fax"));
        for (size_t i = 0; i < ELEMENTS(bad); i++) {
                Schema *schema = NULL;

                assert_int_equal(schema_new(json_tokener_parse(bad[i]), 'T', &schema), -EBADMSG);
                assert_null(schema);
        }
}

/* ---- numbers ---- */

static void test_ids(void **state) {
        static const struct {
                const char *text;
                uint64_t id;
                const char *shown;
        } good[] = {
                { "17", 17, "T17" },
                { "T17", 17, "T17" },
                { "t17", 17, "T17" },
                { "T3.17", 3ULL << 48 | 17, "T3.17" },
                { "844424930131985", 3ULL << 48 | 17, "T3.17" },
                { "T65535.281474976710655", UINT64_MAX, "T65535.281474976710655" },
                { "18446744073709551615", UINT64_MAX, "T65535.281474976710655" },
        };
        static const char *const bad[] = { "",
                                           "T",
                                           "E17",
                                           "T-1",
                                           "T1 ",
                                           " 17",
                                           "T3.",
                                           "T.3",
                                           "T3.1.2",
                                           "T65536.1",
                                           "0x11",
                                           "T1e3",
                                           "17T",
                                           "TT1",
                                           "18446744073709551616",
                                           "T281474976710656" };
        char text[ID_SIZE];

        (void)state;
        for (size_t i = 0; i < ELEMENTS(good); i++) {
                uint64_t id = 0;

                assert_int_equal(id_parse(good[i].text, 'T', &id), 0);
                assert_true(id == good[i].id);
                assert_string_equal(id_show(id, 'T', text), good[i].shown);
        }
        for (size_t i = 0; i < ELEMENTS(bad); i++) {
                uint64_t id = 5;

                if (id_parse(bad[i], 'T', &id) != -EINVAL)
                        fail_msg("'%s' is taken", bad[i]);
                assert_true(id == 5);
        }
        assert_int_equal(id_parse("", '\0', &(uint64_t){ 0 }), -EINVAL);
        assert_int_equal(kind_letter("ticket"), 'T');
        assert_int_equal(kind_letter("teapot"), '\0');
}

/* ---- words ---- */

static void test_words(void **state) {
        static const struct {
                const char *word, *json;
        } cases[] = {
                { "type=repair", "{\"type\":\"repair\"}" },
                { "product=", "{\"product\":\"\"}" },
                { "product=a=b", "{\"product\":\"a=b\"}" },
                { "product=空调", "{\"product\":\"空调\"}" },
                { "id=T3.17", "{\"id\":844424930131985}" },
                { "case_id=t4", "{\"case_id\":4}" },
                { "appointment=2026-11-23T18:05:00Z", "{\"appointment\":1795457100000000}" },
                { "appointment=+2h", "{\"appointment\":1795399200000000}" },
                { "sold_on=2026-01-31", "{\"sold_on\":\"2026-01-31\"}" },
                { "sold_on=tomorrow", "{\"sold_on\":\"2026-11-24\"}" },
                { "fee=12", "{\"fee\":1200}" },
                { "fee=12.5", "{\"fee\":1250}" },
                { "fee=0.05", "{\"fee\":5}" },
                { "visits=3", "{\"visits\":3}" },
                { "visits=9223372036854775807", "{\"visits\":9223372036854775807}" },
                { "active=yes", "{\"active\":true}" },
                { "active=false", "{\"active\":false}" },
                { "novel=x", "{\"novel\":\"x\"}" },
                { "revision=7", "{\"revision\":7}" },
                { "note=a b", "{\"note\":\"a b\"}" },
                { "ended=true", "{\"ended\":true}" },
        };
        Fixture *f = *state;

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                assert_int_equal(input_add_word(&f->input, cases[i].word), 0);
                assert_fields(f, cases[i].json);
                json_object_put(f->input.fields);
                f->input.fields = json_object_new_object();
        }
        /* Only what is relative to it needs the time: +2h and tomorrow. */
        assert_int_equal(f->asked_for_now, 2);
}

static void test_bad_words(void **state) {
        static const struct {
                const char *word;
                int exit_code;
                const char *message;
        } cases[] = {
                { "repair", EX_USAGE, "write FIELD=VALUE" },
                { "tpye=repair", EX_DATAERR, "did you mean 'type'?" },
                { "fax=1", EX_DATAERR, "there is no field 'fax'" },
                { "=1", EX_DATAERR, "there is no field ''" },
                { "phone=139", EX_USAGE, "--stdin" },
                { "id=E4", EX_DATAERR, "T17" },
                { "case_id=Z4", EX_DATAERR, "T17" },
                { "case_id=", EX_DATAERR, "T17" },
                { "visits=-1", EX_DATAERR, "whole number" },
                { "visits=1.0", EX_DATAERR, "whole number" },
                { "visits=", EX_DATAERR, "whole number" },
                { "visits=9223372036854775808", EX_DATAERR, "whole number" },
                { "fee=1.234", EX_DATAERR, "12.50" },
                { "fee=.5", EX_DATAERR, "12.50" },
                { "fee=1.", EX_DATAERR, "12.50" },
                { "fee=92233720368547758.07", EX_DATAERR, "12.50" },
                { "active=1", EX_DATAERR, "true or false" },
                { "sold_on=2026-02-30", EX_DATAERR, "2026-11-23" },
                { "appointment=soon", EX_DATAERR, "tomorrow" },
                { "clocks=x", EX_DATAERR, "cannot be given" },
                { "product=\xff", EX_DATAERR, "not valid UTF-8" },
                { "product=\xf4\x90\x80\x80", EX_DATAERR, "not valid UTF-8" },
        };
        Fixture *f = *state;

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                rewind(f->report.to);
                if (input_add_word(&f->input, cases[i].word) != cases[i].exit_code)
                        fail_msg("'%s' gives another exit code", cases[i].word);
                fputc('\0', f->report.to);
                assert_message(f, cases[i].message);
        }
        assert_fields(f, "{}");
}

static void test_twice(void **state) {
        Fixture *f = *state;

        assert_int_equal(input_add_word(&f->input, "type=repair"), 0);
        assert_int_equal(input_add_word(&f->input, "type=repair"), EX_DATAERR);
        assert_message(f, "type is given twice");
        assert_int_equal(add_json(f, "{\"type\":\"x\"}", 12), EX_DATAERR);
        assert_fields(f, "{\"type\":\"repair\"}");
}

/* Neither the value nor a control character gets from the arguments into a message. */
static void test_messages(void **state) {
        Fixture *f = *state;

        assert_int_equal(input_add_word(&f->input, "phone=13912345678"), EX_USAGE);
        assert_int_equal(input_add_word(&f->input, "visits=\033[31m"), EX_DATAERR);
        fflush(f->report.to);
        assert_null(strstr(f->messages, "13912345678"));
        assert_null(strchr(f->messages, '\033'));
        assert_message(f, "\\u001b[31m");
}

/* ---- standard input, questions ---- */

static void test_json(void **state) {
        static const char text[] = "{\"phone\":\"139\", \"visits\":3, \"fee\":\"1.5\",\n"
                                   " \"active\":true, \"appointment\":5, \"id\":\"T9\"}\n";
        Fixture *f = *state;

        assert_int_equal(add_json(f, text, strlen(text)), 0);
        assert_fields(f, "{\"phone\":\"139\",\"visits\":3,\"fee\":150,\"active\":true,"
                         "\"appointment\":5,\"id\":9}");
}

static void test_bad_json(void **state) {
        static const struct {
                const char *text, *message;
        } cases[] = {
                { " ", "ends before" },
                { "{\"phone\":", "ends before" },
                { "{\"phone\":\"1\",}", "at byte 13" },
                { "[1]", "must be a JSON object" },
                { "null\n", "must be a JSON object" },
                { "{\"phone\":\"1\"} {}", "goes on after" },
                { "{\"phone\":1}", "phone: its JSON type int" },
                { "{\"visits\":1.5}", "visits: its JSON type double" },
                { "{\"active\":1}", "active: its JSON type int" },
                { "{\"phone\":null}", "phone: its JSON type null" },
                { "{\"phone\":[\"1\"]}", "phone: its JSON type array" },
                { "{\"clocks\":[]}", "cannot be given" },
                { "{\"phone\":\"a\\u0000b\"}", "zero byte" },
                { "{\"phone\":\"\xff\"}", "utf-8" },
                { "{\"phnoe\":\"1\"}", "did you mean 'phone'?" },
        };
        Fixture *f = *state;

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                rewind(f->report.to);
                if (add_json(f, cases[i].text, strlen(cases[i].text)) != EX_DATAERR)
                        fail_msg("%s is taken", cases[i].text);
                fputc('\0', f->report.to);
                assert_message(f, cases[i].message);
        }
        assert_fields(f, "{}");
}

static void test_large_json(void **state) {
        Fixture *f = *state;
        char *text = malloc(INPUT_BYTES_MAX + 1);

        assert_non_null(text);
        memset(text, ' ', INPUT_BYTES_MAX + 1);
        memcpy(text, "{}", 2);
        assert_int_equal(add_json(f, text, INPUT_BYTES_MAX), 0);
        assert_int_equal(add_json(f, text, INPUT_BYTES_MAX + 1), EX_DATAERR);
        assert_message(f, "more than 1048576 bytes");
        free(text);
}

static void test_ask(void **state) {
        Fixture *f = *state;
        char answers[] = "139\n\n", prompt[64] = "";
        FILE *from = fmemopen(answers, strlen(answers), "r");
        FILE *to = fmemopen(prompt, sizeof(prompt), "w");

        assert_int_equal(input_ask(&f->input, schema_find(f->schema, "phone"), from, to), 0);
        assert_int_equal(input_ask(&f->input, schema_find(f->schema, "product"), from, to), 0);
        assert_int_equal(input_ask(&f->input, schema_find(f->schema, "type"), from, to),
                         EX_NOINPUT);
        fclose(from);
        fclose(to);
        assert_string_equal(prompt, "phone: product: type: ");
        assert_fields(f, "{\"phone\":\"139\"}");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_schema, setup, teardown),
                cmocka_unit_test_setup_teardown(test_ids, setup, teardown),
                cmocka_unit_test_setup_teardown(test_words, setup, teardown),
                cmocka_unit_test_setup_teardown(test_bad_words, setup, teardown),
                cmocka_unit_test_setup_teardown(test_twice, setup, teardown),
                cmocka_unit_test_setup_teardown(test_messages, setup, teardown),
                cmocka_unit_test_setup_teardown(test_json, setup, teardown),
                cmocka_unit_test_setup_teardown(test_bad_json, setup, teardown),
                cmocka_unit_test_setup_teardown(test_large_json, setup, teardown),
                cmocka_unit_test_setup_teardown(test_ask, setup, teardown),
        };

        return cmocka_run_group_tests_name("ctl-fields", tests, NULL, NULL);
}
