/* SPDX-License-Identifier: Apache-2.0 */

/* Run from the top of the source tree. Every case writes policy.yaml into a directory of its own
 * and loads it from there. */

#include "config/config.h"

#include <errno.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <syslog.h>

#include <cmocka.h>

#include "aftersales/ticket.h"
#include "base/digest.h"
#include "base/macro.h"
#include "base/zone.h"

#define LADDER         "ladders: {l: {rungs: [{to: owner, after: 0s}]}}\n"

#define WEEK           "week: {monday: [09:00-17:00]}"
#define AT             "policy.yaml:"

#define DATA_PATH_SIZE (PATH_MAX + 32)

static char shipped_path[PATH_MAX], data_directory[PATH_MAX], holiday_directory[PATH_MAX];

/* ---- helpers ------------------------------------------------------------------------------- */

static void write_file(const char *name, const void *data, size_t size) {
        FILE *file = fopen(name, "w");

        assert_non_null(file);
        assert_int_equal(fwrite(data, 1, size, file), size);
        assert_int_equal(fclose(file), 0);
}

/* Appends what is in the file and a NUL, which is not counted. */
static char *append_file(char *text, size_t *size, const char *name) {
        FILE *file = fopen(name, "r");
        struct stat st;

        assert_non_null(file);
        assert_int_equal(fstat(fileno(file), &st), 0);
        text = realloc(text, *size + (size_t)st.st_size + 1);
        assert_non_null(text);
        *size += fread(text + *size, 1, (size_t)st.st_size, file);
        text[*size] = '\0';
        fclose(file);
        return text;
}

static char *data_path(const char *name, char buffer[static DATA_PATH_SIZE]) {
        snprintf(buffer, DATA_PATH_SIZE, "%s/%s", data_directory, name);
        return buffer;
}

static char *join(const ConfigMessages *messages) {
        char *text = NULL;
        size_t size;
        FILE *stream = open_memstream(&text, &size);

        for (size_t i = 0; i < messages->n; i++)
                fprintf(stream, "%s\n", messages->list[i].text);
        fclose(stream);
        return text;
}

static void refuse(const char *yaml, size_t size, ConfigErrors *errors) {
        Policy *policy = NULL;

        write_file("policy.yaml", yaml, size);
        assert_int_equal(config_load("policy.yaml", errors, &policy), CONFIG_REFUSED);
        assert_null(policy);
}

static void assert_refused(const char *yaml, size_t size, const char *expected) {
        _cleanup_(config_errors_done) ConfigErrors errors = {};
        _cleanup_free_ char *found = NULL;

        refuse(yaml, size, &errors);
        found = join(&errors.errors);
        if (!STREQ(found, expected))
                print_error("for this file:\n%.*s\n", (int)MIN(size, (size_t)400), yaml);
        assert_string_equal(found, expected);
}

static Policy *load(const char *path) {
        _cleanup_(config_errors_done) ConfigErrors errors = {};
        _cleanup_free_ char *found = NULL;
        Policy *policy = NULL;
        int r;

        r = config_load(path, &errors, &policy);
        found = join(&errors.errors);
        assert_string_equal(found, "");
        assert_int_equal(r, 0);
        assert_non_null(policy);
        return policy;
}

static Policy *load_data(const char *name) {
        char path[DATA_PATH_SIZE];

        return load(data_path(name, path));
}

static Policy *load_text(const char *yaml) {
        write_file("policy.yaml", yaml, strlen(yaml));
        return load("policy.yaml");
}

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
        assert_int_equal(warnings->n, 2);
        assert_non_null(strstr(warnings->list[0].text,
                               "access.yaml:6:12: access[2].user: this machine knows no user "
                               "'no-such-user'; create it and reload, or remove the rule"));
        assert_non_null(strstr(warnings->list[1].text,
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

/* ---- values -------------------------------------------------------------------------------- */

static void assert_hours(const DayHours *hours, int from, int until) {
        assert_int_equal(hours->n, 1);
        assert_int_equal(hours->stretches[0].from, from * 3600);
        assert_int_equal(hours->stretches[0].until, until * 3600);
}

static void assert_defaults(const Policy *p) {
        assert_int_equal(p->site, 0);
        assert_string_equal(p->state_directory, "/var/lib/aftersalesd");
        assert_int_equal(p->map_size, INT64_C(64) << 30);
        assert_int_equal(p->journal_keep, 30 * 86400);
        assert_int_equal(p->request_keep, 7 * 86400);
        assert_string_equal(p->zone, "Asia/Shanghai");
        assert_int_equal(p->log_level, LOG_INFO);
        assert_int_equal(p->log_facility, LOG_DAEMON);
        assert_int_equal(p->late_after, 300);
        assert_int_equal(p->suspect_jump, 30 * 86400);
        assert_int_equal(p->holiday_warning, 60 * 86400);
        assert_int_equal(p->tickets.visit_required, 1 << TICKET_INSTALLATION | 1 << TICKET_REPAIR |
                                                            1 << TICKET_RETURN_EXCHANGE |
                                                            1 << TICKET_RECYCLING |
                                                            1 << TICKET_CLEANING);
        assert_true(p->tickets.assign_dealer);
        assert_int_equal(p->tickets.followup_attempts, 3);
        assert_int_equal(p->tickets.repeat_within, 30 * 86400);
}

static void test_defaults(_unused_ void **state) {
        Policy *p = load_text("{}\n");

        assert_defaults(p);
        assert_int_equal(p->n_ladders + p->n_targets + p->n_roles + p->n_access, 0);
        assert_null(p->reports.calendar);
        assert_int_equal(p->reports.cutoff, 0);
        assert_int_equal(p->reports.bonus, 0);
        assert_int_equal(p->n_calendars, 1);
        assert_string_equal(p->calendars[0].name, CALENDAR_ALWAYS);
        assert_string_equal(p->calendars[0].zone, "UTC");
        for (size_t i = 0; i < 7; i++)
                assert_hours(&p->calendars[0].week[i], 0, 24);
        policy_free(p);
}

static void test_values(_unused_ void **state) {
        Policy *p = load_data("values.yaml");

        assert_int_equal(p->site, 65535);
        assert_string_equal(p->zone, "Europe/Berlin");
        assert_string_equal(p->state_directory, "/srv/x");
        assert_int_equal(p->map_size, INT64_C(3) << 29);
        assert_int_equal(p->journal_keep, 86400 + 2 * 3600 + 3 * 60 + 4);
        assert_int_equal(p->request_keep, 36 * 3600);
        assert_int_equal(p->log_level, LOG_DEBUG);
        assert_int_equal(p->log_facility, LOG_LOCAL3);
        assert_int_equal(p->late_after, 90);
        assert_int_equal(p->suspect_jump, 30 * 86400);
        assert_int_equal(p->holiday_warning, 0);
        assert_int_equal(p->tickets.visit_required, 0);
        assert_false(p->tickets.assign_dealer);
        assert_int_equal(p->tickets.repeat_within, 0);
        assert_int_equal(p->n_ladders, 2);
        assert_string_equal(p->ladders[0].name, "l");
        assert_int_equal(p->ladders[0].warn_percent, 80);
        assert_int_equal(p->ladders[0].n_rungs, 2);
        assert_int_equal(p->ladders[0].rungs[0].to, RECIPIENT_OWNER);
        assert_int_equal(p->ladders[0].rungs[1].to, RECIPIENT_PRESIDENT);
        assert_int_equal(p->ladders[0].rungs[1].after, 5400);
        assert_int_equal(p->ladders[0].repeat, 8 * 3600);
        assert_int_equal(p->ladders[1].warn_percent, 0);
        assert_int_equal(p->ladders[1].repeat, 1);
        assert_int_equal(p->n_targets, 2);
        assert_string_equal(p->targets[0].kind, "ticket");
        assert_string_equal(p->targets[0].type, "default");
        assert_string_equal(p->targets[0].priority, "normal");
        assert_string_equal(p->targets[0].calendar, "always");
        assert_string_equal(p->targets[0].ladder, "l");
        assert_int_equal(p->targets[0].n_clocks, 2);
        assert_string_equal(p->targets[0].clocks[1].clock, "visit");
        assert_int_equal(p->targets[0].clocks[1].seconds, 26 * 3600);
        assert_string_equal(p->targets[1].type, "repair");
        assert_null(p->targets[1].calendar);
        assert_null(p->targets[1].ladder);
        assert_int_equal(p->targets[1].clocks[0].seconds, 300);
        assert_int_equal(p->n_roles, 2);
        assert_int_equal(p->roles[0].n_permissions, 2);
        assert_string_equal(p->roles[0].permissions[1], "act_for");
        assert_null(p->roles[0].permissions[2]);
        assert_null(p->roles[1].permissions);
        policy_free(p);
}

/* ---- calendars ----------------------------------------------------------------------------- */

static const SpecialDay *find_day(const CalendarSpec *calendar, int year, int month, int day) {
        for (size_t i = 0; i < calendar->n_days; i++)
                if (calendar->days[i].day == days_from_civil(year, month, day))
                        return &calendar->days[i];
        return NULL;
}

static void test_calendar(_unused_ void **state) {
        Policy *p = load_data("calendars.yaml");
        const CalendarSpec *c = &p->calendars[0], *d = &p->calendars[1];

        assert_int_equal(p->n_calendars, 3);
        assert_string_equal(c->zone, "Asia/Tokyo");
        assert_int_equal(c->week[0].n, 2);
        assert_int_equal(c->week[0].stretches[0].from, 8 * 3600 + 1800);
        assert_int_equal(c->week[0].stretches[1].until, 86400);
        assert_int_equal(c->week[1].n, 0);
        assert_int_equal(c->week[6].stretches[0].until, 60);
        assert_int_equal(c->n_days, 6);
        for (size_t i = 1; i < c->n_days; i++)
                assert_true(c->days[i - 1].day < c->days[i].day);
        assert_int_equal(find_day(c, 2026, 10, 1)->hours.n, 0);
        assert_false(find_day(c, 2026, 10, 1)->makeup);
        assert_string_equal(find_day(c, 2026, 10, 1)->name, "国庆节");
        assert_true(find_day(c, 2026, 10, 10)->makeup);
        assert_int_equal(find_day(c, 2026, 10, 10)->hours.n, 2);
        assert_true(find_day(c, 2026, 10, 11)->makeup);
        assert_null(find_day(c, 2026, 10, 11)->name);
        assert_hours(&find_day(c, 2026, 10, 12)->hours, 10, 11);
        assert_hours(&find_day(c, 2026, 12, 31)->hours, 9, 12);
        assert_false(c->needs_holidays);
        assert_int_equal(c->n_years, 2);
        assert_int_equal(c->years[0], 2026);
        assert_int_equal(c->years[1], 2027);

        assert_string_equal(d->zone, "Europe/Berlin");
        assert_hours(&find_day(d, 2026, 3, 1)->hours, 10, 11);
        assert_true(d->needs_holidays);
        policy_free(p);
}

static void test_holiday_files(_unused_ void **state) {
        static const char *const names[] = { "holidays.yaml", "first.json", "second.json",
                                             "empty.json", "empty.json" };
        _cleanup_free_ char *all = NULL;
        Policy *p = load_data("holidays.yaml");
        const CalendarSpec *c = &p->calendars[0];
        size_t size = 0;
        Digest digest;

        assert_int_equal(c->n_files, 3);
        assert_true(c->needs_holidays);
        assert_int_equal(c->n_days, 5);
        assert_hours(&find_day(c, 2026, 10, 1)->hours, 9, 10);
        assert_true(find_day(c, 2026, 10, 1)->by_hand);
        assert_hours(&find_day(c, 2026, 10, 2)->hours, 8, 17);
        assert_true(find_day(c, 2026, 10, 2)->makeup);
        assert_false(find_day(c, 2026, 10, 2)->by_hand);
        assert_string_equal(find_day(c, 2026, 10, 2)->name, "second");
        assert_hours(&find_day(c, 2026, 10, 10)->hours, 8, 17);
        assert_int_equal(find_day(c, 2026, 9, 30)->hours.n, 0);
        assert_string_equal(find_day(c, 2026, 9, 30)->name, "节");
        assert_int_equal(c->n_years, 2);
        assert_int_equal(c->years[0], 2025);
        assert_true(p->calendars[1].needs_holidays);
        assert_int_equal(p->calendars[1].n_years, 0);

        for (size_t i = 0; i < ELEMENTS(names); i++) {
                char path[DATA_PATH_SIZE];

                all = append_file(all, &size, data_path(names[i], path));
                size++; /* its NUL parts it from the next */
        }
        digest_pieces(&digest, all, size - 1, NULL, 0, NULL, 0);
        assert_memory_equal(p->digest, digest.bytes, DIGEST_SIZE);
        policy_free(p);
}

static void test_holiday_file_errors(_unused_ void **state) {
        static const char yaml[] = "calendars:\n  c: {" WEEK ", holidays: [bad.json]}\n"
                                   "  d: {" WEEK ", holidays: [bad.json, cut.json]}\n  e: {}\n";
        static const char bad[] = "{\"year\": 2026, \"days\": [{\"name\": \"节\", \"date\": "
                                  "\"2026-02-30\",\n  \"isOffDay\": \"true\", \"more\": 1}, 5]}\n";
        static const char cut[] = "{\"year\": 2026,\n";

        write_file("bad.json", bad, strlen(bad));
        write_file("cut.json", cut, strlen(cut));
        /* The same file twice is told once, and after a broken file the rest is still read. */
        assert_refused(
                yaml, strlen(yaml),
                AT
                "4:3: calendars.e.week: this key is missing; write the days monday to sunday with "
                "their hours\n"
                "bad.json:1:47: days[0].date: '2026-02-30' is not in any calendar; write a date "
                "such as 2026-10-01\n"
                "bad.json:2:15: days[0].isOffDay: 'true' has quotes; write true or false\n"
                "bad.json:2:23: days[0].more: this key is unknown; write one of name, date, "
                "isOffDay\n"
                "bad.json:2:35: days[1]: '5' cannot stand here; write the keys name, date and "
                "isOffDay\n"
                "cut.json:2:1: did not find expected node content while parsing a flow node that "
                "begins in line 2; check indentation, quotes and brackets from there on\n");
}

static void skip_without_holidays(void) {
        if (access(holiday_directory, R_OK) == 0)
                return;
        print_message("skipped: there is no %s\n", holiday_directory);
        skip();
}

/* Every file of the published data, in one calendar. */
static void test_published_holidays(_unused_ void **state) {
        _cleanup_free_ char *yaml = NULL;
        const CalendarSpec *c;
        size_t size;
        Policy *p;
        FILE *stream;

        skip_without_holidays();
        stream = open_memstream(&yaml, &size);
        fprintf(stream, "calendars:\n  c:\n    " WEEK "\n    holidays:\n");
        for (int year = 2007; year <= 2027; year++)
                fprintf(stream, "      - %s/%d.json\n", holiday_directory, year);
        fclose(stream);
        p = load_text(yaml);
        c = &p->calendars[0];
        assert_true(c->n_days > 600);
        /* The file of 2007 begins in 2006, and that of 2027 has no days yet. */
        assert_int_equal(c->n_years, 21);
        assert_int_equal(c->years[0], 2006);
        assert_int_equal(c->years[20], 2026);
        assert_int_equal(find_day(c, 2026, 2, 17)->hours.n, 0);
        assert_string_equal(find_day(c, 2026, 2, 17)->name, "春节");
        assert_hours(&find_day(c, 2026, 2, 28)->hours, 9, 17);
        assert_string_equal(find_day(c, 2022, 12, 31)->name, "元旦");
        policy_free(p);
}

/* ---- the shipped file ---------------------------------------------------------------------- */

static const TargetSpec *find_target(const Policy *p, const char *type, const char *priority) {
        for (size_t i = 0; i < p->n_targets; i++)
                if (STREQ(p->targets[i].kind, "ticket") && STREQ(p->targets[i].type, type) &&
                    STREQ(p->targets[i].priority, priority))
                        return &p->targets[i];
        return NULL;
}

static void test_shipped_targets(_unused_ void **state) {
        static const char *const types[] = { "default", TICKET_TYPE_NAMES };
        static const char *const priorities[] = { NULL, TICKET_PRIORITY_NAMES };
        static const char *const clocks[] = { "response", "visit", "resolve", "followup",
                                              "waiting" };
        Policy *p = load(shipped_path);

        for (size_t i = 0; i < ELEMENTS(types); i++)
                for (size_t j = TICKET_NORMAL; j < ELEMENTS(priorities); j++) {
                        const TargetSpec *target = find_target(p, types[i], priorities[j]);

                        assert_non_null(target);
                        assert_int_equal(target->n_clocks, ELEMENTS(clocks));
                        for (size_t k = 0; k < ELEMENTS(clocks); k++)
                                assert_string_equal(target->clocks[k].clock, clocks[k]);
                }
        assert_int_equal(p->n_targets, ELEMENTS(types) * (ELEMENTS(priorities) - 1) + 1);
        assert_string_equal(p->targets[p->n_targets - 1].kind, "report");
        assert_int_equal(p->targets[p->n_targets - 1].n_clocks, 0);
        policy_free(p);
}

/* The example has the same defaults as a file without anything, and names every key. */
static void test_shipped_file(_unused_ void **state) {
        Policy *shipped = load(shipped_path);
        const CalendarSpec *office = &shipped->calendars[0], *service = &shipped->calendars[1];
        _cleanup_free_ char *text = NULL, *keys = NULL;
        size_t size, length = 0;
        FILE *stream;

        assert_defaults(shipped);
        assert_string_equal(office->name, "office");
        assert_true(office->needs_holidays && service->needs_holidays);
        assert_int_equal(office->n_years, 1);
        assert_int_equal(office->years[0], 2026);
        assert_int_equal(office->n_days, 39);
        assert_hours(&service->week[6], 8, 20);
        assert_string_equal(shipped->reports.calendar, "service");
        assert_int_equal(shipped->reports.cutoff, 18 * 3600);
        assert_int_equal(shipped->reports.bonus, 500);

        text = append_file(NULL, &length, shipped_path);
        stream = open_memstream(&keys, &size);
        config_print_keys(stream);
        fclose(stream);
        for (char *line = strtok(keys, "\n"); line; line = strtok(NULL, "\n")) {
                char *end = strstr(line, ": ");
                char key[64];

                if (line[0] == ' ')
                        continue;
                assert_non_null(end);
                *end = '\0';
                snprintf(key, sizeof(key), "%s:", (strrchr(line, '.') ?: line - 1) + 1);
                if (!strstr(text, key) && !STREQ(line, "calendars.<name>.zone"))
                        fail_msg("%s is missing in the shipped file", line);
        }
        policy_free(shipped);
}

/* The holidays written by hand are those published. */
static void test_shipped_holidays(_unused_ void **state) {
        _cleanup_free_ char *yaml = NULL;
        Policy *shipped, *published;
        const CalendarSpec *a, *b;

        skip_without_holidays();
        assert_true(asprintf(&yaml,
                             "calendars:\n  c:\n    " WEEK "\n    holidays: [%s/2026.json]\n",
                             holiday_directory) > 0);
        published = load_text(yaml);
        shipped = load(shipped_path);
        a = &shipped->calendars[0];
        b = &published->calendars[0];
        assert_int_equal(a->n_days, b->n_days);
        for (size_t i = 0; i < a->n_days; i++) {
                assert_int_equal(a->days[i].day, b->days[i].day);
                assert_int_equal(a->days[i].makeup, b->days[i].makeup);
                assert_string_equal(a->days[i].name, b->days[i].name);
        }
        policy_free(shipped);
        policy_free(published);
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

/* ---- frame --------------------------------------------------------------------------------- */

static int enter_directory(_unused_ void **state) {
        char directory[] = "/tmp/test-config.XXXXXX";
        const char *data = getenv("AFTERSALES_DATA") ?: "../shared/data";
        char *known;

        if (!realpath("conf/aftersalesd.yaml", shipped_path) ||
            !realpath("tests/unit/config", data_directory))
                return -1;
        known = realpath(data, NULL);
        snprintf(holiday_directory, sizeof(holiday_directory), "%s/cn_holidays/holiday-cn",
                 known ?: data);
        free(known);
        if (digest_init() < 0 || !mkdtemp(directory) || chdir(directory) < 0)
                return -1;
        return 0;
}

static int leave_directory(_unused_ void **state) {
        static const char *const names[] = { "policy.yaml", "pipe", "bad.json", "cut.json" };
        char directory[PATH_MAX];

        for (size_t i = 0; i < ELEMENTS(names); i++)
                remove(names[i]);
        return getcwd(directory, sizeof(directory)) && chdir("/") == 0 ? rmdir(directory) : -1;
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_errors),
                cmocka_unit_test(test_bytes),
                cmocka_unit_test(test_limits),
                cmocka_unit_test(test_too_many),
                cmocka_unit_test(test_many_errors),
                cmocka_unit_test(test_unreadable),
                cmocka_unit_test(test_excerpts),
                cmocka_unit_test(test_added_error),
                cmocka_unit_test(test_identities),
                cmocka_unit_test(test_defaults),
                cmocka_unit_test(test_values),
                cmocka_unit_test(test_calendar),
                cmocka_unit_test(test_holiday_files),
                cmocka_unit_test(test_holiday_file_errors),
                cmocka_unit_test(test_published_holidays),
                cmocka_unit_test(test_shipped_targets),
                cmocka_unit_test(test_shipped_file),
                cmocka_unit_test(test_shipped_holidays),
                cmocka_unit_test(test_damaged_files),
        };

        return cmocka_run_group_tests_name("config", tests, enter_directory, leave_directory);
}
