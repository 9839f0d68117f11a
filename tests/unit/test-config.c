/* SPDX-License-Identifier: Apache-2.0 */

/* What a configuration is refused for, and how that is said. */

#include "config-case.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "base/macro.h"

#include "config-case.c"

/* ---- errors -------------------------------------------------------------------------------- */

/* Reads the next case of the list; false at its end. */
static bool read_case(FILE *list, char **yaml, char **errors) {
        _cleanup_free_ char *line = NULL;
        FILE *to = NULL, *to_yaml, *to_errors;
        size_t allocated = 0, yaml_size, errors_size;
        bool found = false;

        to_yaml = open_memstream(yaml, &yaml_size);
        to_errors = open_memstream(errors, &errors_size);
        assert_true(to_yaml && to_errors);
        while (getline(&line, &allocated, list) > 0 && !(to && STREQ(line, "\n"))) {
                if (strncmp(line, "==== ", 5) == 0)
                        to = to_yaml;
                else if (STREQ(line, "----\n"))
                        to = to_errors;
                else if (to)
                        fprintf(to, "%s%s", to == to_errors ? AT : "", line);
                found = to != NULL;
        }
        fclose(to_yaml);
        fclose(to_errors);
        return found;
}

static void test_errors(_unused_ void **state) {
        char path[DATA_PATH_SIZE];
        FILE *list = fopen(data_path("errors.txt", path), "r");
        size_t n = 0;

        assert_non_null(list);
        for (bool more = true; more;) {
                _cleanup_free_ char *yaml = NULL, *errors = NULL;

                more = read_case(list, &yaml, &errors);
                if (more)
                        assert_refused(yaml, strlen(yaml), errors);
                n += more;
        }
        fclose(list);
        assert_true(n >= 70);
}

/* What cannot be written into a list of texts. */
static void test_bytes(_unused_ void **state) {
        static const struct {
                const char *yaml, *errors;
        } cases[] = {
                { "", AT "1:1: the file is empty; write the configuration into it\n" },
                { "log:\n\tlevel: inf\n",
                  AT "2:1: a tab is not allowed; indent and separate with spaces\n" AT
                     "2:9: log.level: 'inf' is unknown; did you mean 'info'?\n" },
                { "site: 1 #\ta\tb\nzone: UTC\t\n",
                  AT "1:10: a tab is not allowed; indent and separate with spaces\n" AT
                     "2:10: a tab is not allowed; indent and separate with spaces\n" },
                { "site: 1\r\n",
                  AT "1:8: a carriage return is not allowed; save the file with Unix line ends\n" },
                { "\xef\xbb\xbfsite: 1\n", AT
                  "1:1: a byte order mark is not allowed; save the file as UTF-8 without one\n" },
                { "site: 1\nzone: 名\xff\n",
                  AT "2:8: this is not UTF-8; save the file as UTF-8\n" },
                { "site: 1\nzone: \x1b[1m\n",
                  AT "2:7: an invisible control character is not allowed; remove it\n" },
                { "site: \xef\xbf\xbe\n",
                  AT "1:7: an invisible control character is not allowed; remove it\n" },
                /* YAML counts a line separator as the end of a line. */
                { "site: 1 # \xe2\x80\xa8zone: x\n",
                  AT "2:7: zone: 'x' is no time zone of this machine; write an IANA name such as "
                     "Asia/Shanghai\n" },
        };

        for (size_t i = 0; i < ELEMENTS(cases); i++)
                assert_refused(cases[i].yaml, strlen(cases[i].yaml), cases[i].errors);
        assert_refused("site: 1\0", 8,
                       AT "1:8: an invisible control character is not allowed; remove it\n");
}

/* ---- limits -------------------------------------------------------------------------------- */

static char *repeat(const char *before, const char *each, size_t n, const char *after) {
        size_t size, each_size = strlen(each);
        char *text = NULL;
        FILE *stream = open_memstream(&text, &size);

        fputs(before, stream);
        for (size_t i = 0; i < n; i++)
                fwrite(each, 1, each_size, stream);
        fputs(after, stream);
        fclose(stream);
        return text;
}

#define UNKNOWN AT "1:1: sit: this key is unknown; did you mean 'site'?\n"

static void test_limits(_unused_ void **state) {
        _cleanup_free_ char *largest = repeat("site: 1\n", "#", CONFIG_BYTES_MAX - 8, "");
        _cleanup_free_ char *larger = repeat("site: 1\n", "#", CONFIG_BYTES_MAX - 7, "");
        _cleanup_free_ char *deepest =
                repeat("sit: ", "[", CONFIG_DEPTH_MAX - 1, "]]]]]]]]]]]]]]]");
        _cleanup_free_ char *deeper = repeat("sit: ", "[", 500000, "");
        _cleanup_free_ char *most = repeat("sit:\n", "- 1\n", CONFIG_EVENTS_MAX - 9, "");
        _cleanup_free_ char *more = repeat("sit:\n", "- 1\n", CONFIG_EVENTS_MAX - 3, "");

        policy_free(load_text(largest));
        assert_refused(larger, strlen(larger),
                       "policy.yaml: the file cannot be read: it is larger than 1 MiB\n");
        assert_refused(deepest, strlen(deepest), UNKNOWN);
        assert_refused(deeper, strlen(deeper),
                       UNKNOWN AT
                       "1:21: lists and maps are nested too deeply; nothing in this file "
                       "needs that\n");
        assert_refused(most, strlen(most), UNKNOWN);
        assert_refused(more, strlen(more),
                       UNKNOWN AT
                       "199997:3: the configuration has too many keys and values; shorten it\n");
}

/* One more element than allowed is refused once, however many follow. */
static void test_too_many(_unused_ void **state) {
        char *text = NULL;
        size_t size;
        FILE *stream = open_memstream(&text, &size);

        fprintf(stream, "roles:\n");
        for (int i = 0; i < ROLES_MAX + 50; i++)
                fprintf(stream, "  r%d: []\n", i);
        fprintf(stream, LADDER "targets:\n  k:\n");
        for (int i = 0; i < TARGETS_MAX + 1; i++) {
                if (i % 64 == 0)
                        fprintf(stream, "    t%d:\n", i);
                fprintf(stream, "      p%d: {calendar: always, ladder: l}\n", i);
        }
        fclose(stream);
        assert_refused(text, size,
                       AT "66:3: roles.r64: this is one too many; write at most 64\n" AT
                          "1160:7: targets: there are 1025 targets; write at most 1024\n");
        free(text);
}

static void test_many_errors(_unused_ void **state) {
        _cleanup_(config_errors_done) ConfigErrors errors = {};
        _cleanup_free_ char *text = repeat("access:\n", "  - 1\n", 250, "");

        refuse(text, strlen(text), &errors);
        assert_int_equal(errors.errors.n, CONFIG_MESSAGES_MAX);
        assert_int_equal(errors.errors.n_more, 150);
        for (size_t i = 0; i < errors.errors.n; i++) {
                assert_int_equal(errors.errors.list[i].place.line, i + 2);
                assert_int_equal(errors.errors.list[i].place.column, 5);
        }
}

static void test_unreadable(_unused_ void **state) {
        static const struct {
                const char *path, *error;
        } cases[] = {
                { "missing.yaml",
                  "missing.yaml: the file cannot be read: No such file or directory" },
                { ".", ".: the file cannot be read: it is not a regular file" },
                { "pipe", "pipe: the file cannot be read: it is not a regular file" },
        };

        assert_int_equal(mkfifo("pipe", 0600), 0);
        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                _cleanup_(config_errors_done) ConfigErrors errors = {};
                Policy *policy = NULL;

                assert_int_equal(config_load(cases[i].path, &errors, &policy), CONFIG_REFUSED);
                assert_string_equal(errors.errors.list[0].text, cases[i].error);
        }
}

/* ---- messages ------------------------------------------------------------------------------ */

static void test_excerpts(_unused_ void **state) {
        static const struct {
                const char *yaml, *excerpt;
        } cases[] = {
                { "site: x\n", "site: x\n      ^" },
                /* Chinese characters are two columns wide, combining ones none. */
                { "calendars: {c: {" WEEK ", days: {2026-10-01: {name: 国庆节, hours: x}}}}\n",
                  "calendars: {c: {" WEEK ", days: {2026-10-01: {name: 国庆节, hours: x}}}}\n"
                  "                                                                      "
                  "                  ^" },
                { "roles: {\"e\xcc\x81\": []}\n", "roles: {\"e\xcc\x81\": []}\n        ^" },
                { "a: \"e\xcc\x81\"\xff\n", "a: \"e\xcc\x81\"?\n      ^" },
                { "site:\tx\n", "site: x\n     ^" },
                /* Nothing to show. */
                { "", NULL },
                { "site: 'x\n", NULL },
        };

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                _cleanup_(config_errors_done) ConfigErrors errors = {};

                refuse(cases[i].yaml, strlen(cases[i].yaml), &errors);
                if (cases[i].excerpt)
                        assert_string_equal(errors.errors.list[0].excerpt, cases[i].excerpt);
                else
                        assert_null(errors.errors.list[0].excerpt);
        }
}

/* Layers above add what they find, in its place among the others. */
static void test_added_error(_unused_ void **state) {
        static const char yaml[] =
                LADDER "targets:\n  ticket:\n    default:\n"
                       "      normal: {calendar: always, ladder: l, respnse: 1h}\n";
        _cleanup_(config_errors_done) ConfigErrors errors = {}, unread = {};
        _cleanup_free_ char *found = NULL;
        const TargetClock *clock;
        Policy *policy = NULL;

        write_file("policy.yaml", yaml, strlen(yaml));
        assert_int_equal(config_load("policy.yaml", &errors, &policy), 0);
        assert_false(config_errors_any(&errors));
        assert_int_equal(policy->targets[0].place.line, 5);
        assert_int_equal(policy->targets[0].place.column, 7);
        clock = &policy->targets[0].clocks[0];
        config_error_add(&errors, clock->place, "targets.ticket.default.normal.respnse",
                         "there is no clock '%s'; did you mean '%s'?", clock->clock, "response");
        config_error_add(&errors, (ConfigPlace){ 0, 2, 1 }, "targets", "something");
        config_error_add(&errors, (ConfigPlace){ 0, 2, 1 }, "targets", "something");
        config_error_add(&errors, config_nowhere, "roles", "anything");
        config_error_add(&unread, config_nowhere, "", "anything");
        assert_string_equal(unread.errors.list[0].text, "configuration: anything");
        assert_true(config_errors_any(&errors));
        found = join(&errors.errors);
        assert_string_equal(found,
                            AT " roles: anything\n" AT "2:1: targets: something\n" AT
                               "5:45: targets.ticket.default.normal.respnse: there is no clock "
                               "'respnse'; did you mean 'response'?\n");
        assert_string_equal(errors.errors.list[2].excerpt,
                            "      normal: {calendar: always, ladder: l, respnse: 1h}\n"
                            "                                            ^");
        policy_free(policy);
}

static void test_identities(_unused_ void **state) {
        _cleanup_(config_errors_done) ConfigErrors errors = {};
        const ConfigMessages *warnings = &errors.warnings;
        const AccessRule *access;
        char path[DATA_PATH_SIZE];
        Policy *policy = NULL;

        assert_int_equal(config_load(data_path("access.yaml", path), &errors, &policy), 0);
        assert_int_equal(warnings->n, 3);
        assert_non_null(strstr(warnings->list[0].text,
                               "access.yaml:4:12: access[0].user: root may do everything in any "
                               "case; remove the rule"));
        assert_non_null(strstr(warnings->list[1].text,
                               "access.yaml:6:12: access[2].user: this machine knows no user "
                               "'no-such-user'; create it and reload, or remove the rule"));
        assert_non_null(strstr(warnings->list[2].text,
                               "access.yaml:7:13: access[3].group: this machine knows no group "
                               "'no-such-group'; create it and reload, or remove the rule"));
        assert_int_equal(policy->n_access, 4);
        access = policy->access;
        for (size_t i = 0; i < 4; i++) {
                static const ScopeKind scopes[] = { SCOPE_HEADQUARTERS, SCOPE_SUBCENTRE,
                                                    SCOPE_DEALER, SCOPE_HEADQUARTERS };

                assert_int_equal(access[i].id, i < 2 ? 0 : (id_t)-1);
                assert_int_equal(access[i].is_group, i % 2);
                assert_int_equal(access[i].scope, scopes[i]);
                assert_string_equal(access[i].role, "r");
        }
        assert_null(access[0].unit);
        assert_string_equal(access[1].unit, "BJ");
        assert_string_equal(access[2].name, "no-such-user");
        policy_free(policy);
}

/* ---- damage -------------------------------------------------------------------------------- */

/* Whatever a file looks like, a load ends with a policy or with errors. */
static void load_anything(const char *text, size_t size) {
        _cleanup_(config_errors_done) ConfigErrors errors = {};
        Policy *policy = NULL;
        int r;

        write_file("policy.yaml", text, size);
        r = config_load("policy.yaml", &errors, &policy);
        assert_true(r == 0 || r == CONFIG_REFUSED);
        assert_int_equal(r == 0, policy != NULL);
        assert_int_equal(r == CONFIG_REFUSED, config_errors_any(&errors));
        policy_free(policy);
}

static void test_damaged_files(_unused_ void **state) {
        static const char insertions[] = "[]{}:,-&*!|>'\"%@`#?~ \n\t\r\xff\xe5"
                                         "0aZ";
        _cleanup_free_ char *text = NULL;
        uint32_t random = 20260101;
        size_t size = 0;

        text = append_file(NULL, &size, shipped_path);
        for (size_t i = 0; i < 300; i++)
                load_anything(text, size * i / 300);
        for (size_t i = 0; i < 700; i++) {
                size_t at;
                char before;

                random = random * 1664525 + 1013904223;
                at = (random >> 8) % size;
                before = text[at];
                text[at] = insertions[random % (sizeof(insertions) - 1)];
                load_anything(text, size);
                text[at] = before;
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_errors),      cmocka_unit_test(test_bytes),
                cmocka_unit_test(test_limits),      cmocka_unit_test(test_too_many),
                cmocka_unit_test(test_many_errors), cmocka_unit_test(test_unreadable),
                cmocka_unit_test(test_excerpts),    cmocka_unit_test(test_added_error),
                cmocka_unit_test(test_identities),  cmocka_unit_test(test_damaged_files),
        };

        return cmocka_run_group_tests_name("config", tests, enter_directory, leave_directory);
}
