/* SPDX-License-Identifier: Apache-2.0 */

#include "output.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>

#include <cmocka.h>

#include "aftersales/errors.h"
#include "client.h"
#include "commands.h"

static const Field fields[] = {
        FIELD("id", ID),         FIELD("state", ENUM),      FIELD("owner", TEXT),
        FIELD("armed_at", TIME), FIELD("rung", COUNT),      FIELD("overdue", FLAG),
        FIELD("fee", MONEY),     FIELD("changes", CHANGES), FIELD("description", TEXT),
};

/* An Output that writes into memory. */
typedef struct Fixture {
        Output output;
        Report report;
        Columns columns;
        char *text;
        size_t size;
} Fixture;

static int setup(void **state) {
        Fixture *f = calloc(1, sizeof(Fixture));

        text_use_locale();
        setenv("TZ", "Asia/Shanghai", 1);
        tzset();
        if (!f)
                return -1;
        f->output =
                (Output){ .to = open_memstream(&f->text, &f->size), .legend = true, .letter = 'T' };
        f->report.to = f->output.to;
        *state = f;
        return f->output.to ? 0 : -1;
}

static int teardown(void **state) {
        Fixture *f = *state;

        fclose(f->output.to);
        free(f->text);
        free(f);
        return 0;
}

static void choose(Fixture *f, const char *names) {
        assert_int_equal(columns_select(&f->report, fields, ELEMENTS(fields), names, &f->columns),
                         0);
}

static void write_rows(Fixture *f, const char *json, bool all) {
        _cleanup_json_ json_object *rows = json_tokener_parse(json);

        assert_non_null(rows);
        assert_int_equal(output_rows(&f->output, all ? NULL : &f->columns, rows), 0);
}

static void assert_written(Fixture *f, const char *text) {
        fflush(f->output.to);
        assert_string_equal(f->text, text);
}

/* ---- tables ---- */

static void test_table(void **state) {
        Fixture *f = *state;

        choose(f, "id,owner,rung,overdue,armed_at,fee");
        write_rows(f,
                   "[{\"id\":17,\"owner\":\"北京分中心\",\"rung\":12,\"overdue\":true,"
                   "\"armed_at\":1795392000000000,\"fee\":-1205},"
                   " {\"id\":844424930131985,\"owner\":\"BJ\",\"overdue\":false,\"fee\":7}]",
                   false);
        assert_int_equal(output_end(&f->output), 0);
        assert_written(f, "ID    OWNER      RUNG OVERDUE ARMED_AT               FEE\n"
                          "T17   北京分中心   12 overdue 2026-11-23 08:00:00 -12.05\n"
                          "T3.17 BJ            - -       -                     0.07\n");
}

/* A narrower second page keeps to the columns of the first and has no headings. */
static void test_pages(void **state) {
        Fixture *f = *state;

        choose(f, "owner,state");
        write_rows(f, "[{\"owner\":\"北京分中心\",\"state\":\"a\"}]", false);
        write_rows(f, "[]", false);
        write_rows(f, "[{\"owner\":\"x\",\"state\":\"b\"}]", false);
        assert_written(f, "OWNER      STATE\n"
                          "北京分中心 a\n"
                          "x          b\n");
}

static void test_colour(void **state) {
        Fixture *f = *state;

        f->output.colour = true;
        f->output.legend = false;
        choose(f, "state,overdue");
        write_rows(f, "[{\"state\":\"waiting_part\",\"overdue\":true}]", false);
        write_rows(f, "[{\"state\":\"accepted\",\"overdue\":false}]", false);
        assert_written(f, "\033[33mwaiting_part\033[0m \033[31moverdue\033[0m\n"
                          "accepted     -\n");
}

/* Nothing that the daemon sends reaches the terminal as a control. */
static void test_controls(void **state) {
        static const char row[] = "[{\"owner\":\"a\\u001b[5m\\u009b\\u202e\\u007f\\n\\tb\"}]";
        Fixture *f = *state;

        f->output.legend = false;
        choose(f, "owner");
        write_rows(f, row, false);
        f->output.format = OUTPUT_JSON;
        f->output.n_pages = f->output.n_rows = 0;
        write_rows(f, row, true);
        f->output.format = OUTPUT_PEOPLE;
        assert_int_equal(output_line(&f->output, "%s", "\033]0;x\a"), 0);
        assert_written(
                f,
                "a\\u001b[5m\\u009b\\u202e\\u007f  b\n"
                "{\"version\":1,\"rows\":[{\"owner\":\"a\\u001b[5m\\u009b\\u202e\\u007f\\n\\tb\"}"
                "\\u001b]0;x\\u0007\n");
}

static void test_columns(void **state) {
        Fixture *f = *state;

        assert_int_equal(
                columns_select(&f->report, fields, ELEMENTS(fields), "id,ownr", &f->columns),
                EX_USAGE);
        assert_int_equal(columns_select(&f->report, fields, ELEMENTS(fields), ",", &f->columns),
                         EX_USAGE);
        fflush(f->output.to);
        assert_non_null(strstr(f->text, "there is no column 'ownr'; there are id, state, owner,"));
        choose(f, NULL);
        assert_int_equal(f->columns.n, ELEMENTS(fields));
}

/* ---- records ---- */

static void test_record(void **state) {
        _cleanup_json_ json_object *row = json_tokener_parse(
                "{\"novel\":[\"x\",\"y\"],\"id\":17,\"armed_at\":1795392000000000,\"owner\":\"\","
                "\"overdue\":false,\"description\":\"空调\\n不制冷\\u0007\","
                "\"states\":{\"received\":2}}");
        Fixture *f = *state;

        choose(f, NULL);
        assert_int_equal(output_record(&f->output, &f->columns, true, row), 0);
        assert_written(f, "         id: T17\n"
                          "      owner: -\n"
                          "   armed_at: 2026-11-23 08:00:00 +08:00\n"
                          "    overdue: no\n"
                          "description: 空调\n"
                          "             不制冷\\u0007\n"
                          "      novel: x\n"
                          "             y\n"
                          "\n"
                          "states\n"
                          "NAME     VALUE\n"
                          "received     2\n");
}

static void test_dictionaries_of_dictionaries(void **state) {
        _cleanup_json_ json_object *row = json_tokener_parse(
                "{\"cases\":{\"ticket\":{\"received\":2},\"report\":{\"expected\":1}},"
                "\"mixed\":{\"a\":{\"b\":1},\"c\":2},\"empty\":{}}");
        Fixture *f = *state;

        choose(f, NULL);
        assert_int_equal(output_record(&f->output, &f->columns, true, row), 0);
        assert_written(f, "\ncases: ticket\n"
                          "NAME     VALUE\n"
                          "received     2\n"
                          "\ncases: report\n"
                          "NAME     VALUE\n"
                          "expected     1\n"
                          "\nmixed\n"
                          "NAME      VALUE\n"
                          "a    { \"b\": 1 }\n"
                          "c             2\n"
                          "\nempty\n");
}

static void test_changes(void **state) {
        Fixture *f = *state;

        f->output.legend = false;
        choose(f, "changes");
        write_rows(f,
                   "[{\"changes\":[{\"field\":\"dealer\",\"after\":\"D1\"},"
                   "{\"field\":\"fee\",\"before\":\"1\"}]},{\"changes\":[]}]",
                   false);
        assert_written(f, "dealer: - → D1; fee: 1 → -\n-\n");
}

/* ---- JSON ---- */

static void test_json(void **state) {
        Fixture *f = *state;

        f->output.format = OUTPUT_JSON;
        choose(f, "id,owner");
        write_rows(f, "[{\"id\":1,\"owner\":\"北京\",\"x\":1}]", true);
        write_rows(f, "[]", true);
        write_rows(f, "[{\"id\":2,\"owner\":\"a/b\",\"x\":1}]", false);
        assert_int_equal(output_end(&f->output), 0);
        assert_written(f, "{\"version\":1,\"rows\":[{\"id\":1,\"owner\":\"北京\",\"x\":1},"
                          "{\"id\":2,\"owner\":\"a/b\"}]}\n");
}

static void test_pretty_json(void **state) {
        Fixture *f = *state;

        f->output.format = OUTPUT_JSON_PRETTY;
        write_rows(f, "[{\"id\":1,\"l\":[2]},{}]", true);
        assert_int_equal(output_end(&f->output), 0);
        assert_written(f, "{\n  \"version\": 1,\n  \"rows\": [\n"
                          "    {\n      \"id\": 1,\n      \"l\": [\n        2\n      ]\n    },\n"
                          "    {\n    }\n  ]\n}\n");
}

static void test_empty_json(void **state) {
        Fixture *f = *state;

        f->output.format = OUTPUT_JSON;
        assert_int_equal(output_end(&f->output), 0);
        assert_written(f, "{\"version\":1,\"rows\":[]}\n");
}

/* ---- the tables of commands and errors ---- */

static void test_commands(void **state) {
        Fixture *f = *state;
        const Noun *ticket = noun_find("ticket");

        assert_non_null(ticket);
        assert_null(noun_find("tickets"));
        assert_ptr_equal(command_find(ticket, "follow-up"), command_find(ticket, "follow_up"));
        assert_non_null(command_find(ticket, "override-warranty"));
        assert_null(command_find(ticket, "follow"));
        assert_null(command_find(ticket, "follow-up-"));
        assert_null(command_find(ticket, NULL));
        assert_null(command_find(noun_find("unit"), "dispatch"));
        assert_non_null(command_find(noun_find("status"), NULL));
        assert_int_equal(verb_report(&f->report, ticket, "dispach"), EX_USAGE);
        assert_int_equal(noun_report(&f->report, "unti"), EX_USAGE);
        help_write(f->output.to, ticket, command_find(ticket, "wait_part"));
        fflush(f->output.to);
        assert_non_null(strstr(f->text, "ticket: there is no 'dispach'; did you mean 'dispatch'?"));
        assert_non_null(strstr(f->text, "did you mean 'unit'?"));
        assert_non_null(strstr(f->text, "aftersalesctl ticket wait-part ID --ask\n"));
        assert_null(strstr(f->text, "wait-customer"));
}

static void test_exit_codes(void **state) {
        Fixture *f = *state;
        char line[8];

        help_write(f->output.to, NULL, NULL);
        fflush(f->output.to);
#define X(code, name, exit_code, meaning)                                                          \
        assert_int_equal(exit_code_of("org.aftersales1.Error." name), exit_code);                  \
        snprintf(line, sizeof(line), "\n  %2d  ", exit_code);                                      \
        assert_non_null(strstr(f->text, line)); /* the help tells what it means */
        AFTERSALES_ERRORS(X)
#undef X
        assert_int_equal(exit_code_of("org.freedesktop.DBus.Error.ServiceUnknown"), 69);
        assert_int_equal(exit_code_of("org.freedesktop.DBus.Error.Spawn.ChildExited"), 69);
        assert_int_equal(exit_code_of("org.freedesktop.DBus.Error.NoReply"), 75);
        assert_int_equal(exit_code_of("org.freedesktop.DBus.Error.AccessDenied"), 77);
        assert_int_equal(exit_code_of("org.aftersales1.Error.Novel"), 1);
        assert_int_equal(exit_code_of(""), 1);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_table, setup, teardown),
                cmocka_unit_test_setup_teardown(test_pages, setup, teardown),
                cmocka_unit_test_setup_teardown(test_colour, setup, teardown),
                cmocka_unit_test_setup_teardown(test_controls, setup, teardown),
                cmocka_unit_test_setup_teardown(test_columns, setup, teardown),
                cmocka_unit_test_setup_teardown(test_record, setup, teardown),
                cmocka_unit_test_setup_teardown(test_dictionaries_of_dictionaries, setup, teardown),
                cmocka_unit_test_setup_teardown(test_changes, setup, teardown),
                cmocka_unit_test_setup_teardown(test_json, setup, teardown),
                cmocka_unit_test_setup_teardown(test_pretty_json, setup, teardown),
                cmocka_unit_test_setup_teardown(test_empty_json, setup, teardown),
                cmocka_unit_test_setup_teardown(test_commands, setup, teardown),
                cmocka_unit_test_setup_teardown(test_exit_codes, setup, teardown),
        };

        return cmocka_run_group_tests_name("ctl-output", tests, NULL, NULL);
}
