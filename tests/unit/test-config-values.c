/* SPDX-License-Identifier: Apache-2.0 */

/* What a configuration means: values, calendars, and the delivered file. */

#include "config-case.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <syslog.h>

#include <cmocka.h>

#include "aftersales/ticket.h"
#include "base/macro.h"
#include "base/zone.h"
#include "config-case.c"

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

/* December before and January after may have days that were announced with the year. */
static void test_holiday_file_of_another_year(_unused_ void **state) {
        static const char yaml[] = "calendars:\n  c: {" WEEK ", holidays: [year.json]}\n";
        static const char form[] = "{\"year\": 2026, \"days\": [{\"name\": \"a\", \"date\": "
                                   "\"2025-12-31\", \"isOffDay\": true},\n{\"name\": \"b\", "
                                   "\"date\": \"%s\", \"isOffDay\": true}]}\n";
        static const char *const right[] = { "2026-02-17", "2025-12-30", "2027-01-01" };
        static const char *const wrong[] = { "2025-11-30", "2027-02-17" };
        char text[sizeof(form) + 10], expected[200];

        for (size_t i = 0; i < ELEMENTS(right); i++) {
                snprintf(text, sizeof(text), form, right[i]);
                write_file("year.json", text, strlen(text));
                policy_free(load_text(yaml));
        }
        for (size_t i = 0; i < ELEMENTS(wrong); i++) {
                snprintf(text, sizeof(text), form, wrong[i]);
                write_file("year.json", text, strlen(text));
                snprintf(expected, sizeof(expected),
                         AT "2:%zu: calendars.c.holidays[0]: 'year.json' says that it is of 2026, "
                            "and has a day of %.4s; take the file of the year\n",
                         strlen("  c: {" WEEK ", holidays: [") + 1, wrong[i]);
                assert_refused(yaml, strlen(yaml), expected);
        }
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
        static const struct {
                const char *kind;
                size_t n_clocks;
        } others[] = {
                { "report", 0 }, { "core", 3 }, { "order", 4 }, { "order", 4 }, { "obligation", 1 },
        };
        Policy *p = load(shipped_path);

        for (size_t i = 0; i < ELEMENTS(types); i++)
                for (size_t j = TICKET_NORMAL; j < ELEMENTS(priorities); j++) {
                        const TargetSpec *target = find_target(p, types[i], priorities[j]);

                        assert_non_null(target);
                        assert_int_equal(target->n_clocks, ELEMENTS(clocks));
                        for (size_t k = 0; k < ELEMENTS(clocks); k++)
                                assert_string_equal(target->clocks[k].clock, clocks[k]);
                }
        assert_int_equal(p->n_targets,
                         ELEMENTS(types) * (ELEMENTS(priorities) - 1) + ELEMENTS(others));
        for (size_t i = 0; i < ELEMENTS(others); i++) {
                const TargetSpec *target = &p->targets[p->n_targets - ELEMENTS(others) + i];

                assert_string_equal(target->kind, others[i].kind);
                assert_int_equal(target->n_clocks, others[i].n_clocks);
        }
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

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_defaults),
                cmocka_unit_test(test_values),
                cmocka_unit_test(test_calendar),
                cmocka_unit_test(test_holiday_files),
                cmocka_unit_test(test_holiday_file_errors),
                cmocka_unit_test(test_holiday_file_of_another_year),
                cmocka_unit_test(test_published_holidays),
                cmocka_unit_test(test_shipped_targets),
                cmocka_unit_test(test_shipped_file),
                cmocka_unit_test(test_shipped_holidays),
        };

        return cmocka_run_group_tests_name("config-values", tests, enter_directory,
                                           leave_directory);
}
