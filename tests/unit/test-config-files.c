/* SPDX-License-Identifier: Apache-2.0 */

/* A configuration from several files, and how it is shown. Every case writes policy.yaml and conf.d
 * into a directory of its own and loads them from there. */

#include <errno.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "base/digest.h"
#include "base/macro.h"
#include "config-case.h"

#include "config-case.c"

#define FILES_MAX 4
#define NAME_SIZE 64

typedef struct TextFile {
        const char *name, *text;
} TextFile;

/* ---- helpers ------------------------------------------------------------------------------- */

static void write_text(const char *name, const char *text) {
        write_file(name, text, strlen(text));
}

static char *dropin_path(const char *name, char buffer[static NAME_SIZE]) {
        snprintf(buffer, NAME_SIZE, "conf.d/%s", name);
        return buffer;
}

static void write_all(const char *main, const TextFile *dropins, size_t n) {
        char path[NAME_SIZE];

        write_text("policy.yaml", main);
        for (size_t i = 0; i < n && dropins[i].name; i++)
                write_text(dropin_path(dropins[i].name, path), dropins[i].text);
}

static void remove_all(const TextFile *dropins, size_t n) {
        char path[NAME_SIZE];

        for (size_t i = 0; i < n && dropins[i].name; i++)
                assert_int_equal(unlink(dropin_path(dropins[i].name, path)), 0);
}

static void assert_refusal(const char *expected) {
        _cleanup_(config_errors_done) ConfigErrors errors = {};
        _cleanup_free_ char *found = NULL;
        Policy *policy = NULL;

        assert_int_equal(config_load("policy.yaml", &errors, &policy), CONFIG_REFUSED);
        assert_null(policy);
        found = join(&errors.errors);
        assert_string_equal(found, expected);
}

/* ---- merging ------------------------------------------------------------------------------- */

#define RUNGS "{rungs: [{to: owner, after: 0s}]"

/* What a merged configuration shows, with a part of it that no other outcome has. */
static void test_merge(_unused_ void **state) {
        static const struct {
                const char *main;
                TextFile dropins[FILES_MAX];
                const char *shown;
        } cases[] = {
                { "{}\n", { { "a.yaml", "site: 7\n" } }, "site: 7  # conf.d/a.yaml:1\n" },
                { "site: 1\nzone: UTC\n",
                  { { "a.yaml", "\nsite: 2\n" } },
                  "site: 2  # conf.d/a.yaml:2\nzone: UTC  # policy.yaml:2\n" },
                /* The last name wins, whatever was written first. */
                { "site: 1\n",
                  { { "b.yaml", "site: 3\n" },
                    { "a.yaml", "site: 2\n" },
                    { "B.yaml", "site: 4\n" } },
                  "site: 3  # conf.d/b.yaml:1\n" },
                /* Maps merge, at any depth. */
                { "log: {level: err}\n",
                  { { "a.yaml", "log:\n  facility: user\n" } },
                  "log:\n  level: err  # policy.yaml:1\n  facility: user  # conf.d/a.yaml:2\n" },
                { "ladders: {l: " RUNGS ", warn_at: 10%}}\n",
                  { { "a.yaml", "ladders: {l: {warn_at: 20%}, m: " RUNGS "}}\n" } },
                  "ladders:\n  l:\n    warn_at: 20%  # conf.d/a.yaml:1\n    rungs:\n      -\n"
                  "        to: owner  # policy.yaml:1\n        after: 0s  # policy.yaml:1\n"
                  "    repeat: 8h  # default\n  m:\n" },
                /* Lists and values replace. */
                { "roles: {r: [a, b]}\naccess: []\n",
                  { { "a.yaml", "roles: {r: [c]}\n" } },
                  "  r:\n    - c  # conf.d/a.yaml:1\naccess: []  # policy.yaml:2\n" },
                { "roles: {r: [a, b]}\n",
                  { { "a.yaml", "roles: {r: []}\n" } },
                  "  r: []  # conf.d/a.yaml:1\n" },
                { "calendars: {c: {week: {monday: [09:00-17:00]}, days: {2026-10-01: {hours: off, "
                  "name: x}}}}\n",
                  { { "a.yaml", "calendars: {c: {days: {2026-10-01: working}}}\n" } },
                  "      2026-10-01: working  # conf.d/a.yaml:1\n" },
                { "calendars: {c: {week: {monday: [09:00-17:00]}, days: {2026-10-01: working}}}\n",
                  { { "a.yaml", "calendars: {c: {days: {2026-10-01: {hours: off, name: x}}}}\n" } },
                  "      2026-10-01:\n        hours: off  # conf.d/a.yaml:1\n" },
                /* What is no drop-in. */
                { "site: 1\n",
                  { { "a.yml", "site: 2\n" }, { ".b.yaml", "site: 3\n" }, { "c.yaml~", "x" } },
                  "site: 1  # policy.yaml:1\n" },
        };

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                Policy *policy;

                write_all(cases[i].main, cases[i].dropins, FILES_MAX);
                policy = load("policy.yaml");
                if (!strstr(policy->shown[1], cases[i].shown))
                        fail_msg("case %zu shows\n%s", i, policy->shown[1]);
                policy_free(policy);
                remove_all(cases[i].dropins, FILES_MAX);
        }
}

#define D "conf.d/a.yaml:"
#define M "policy.yaml:"

/* Every error has its file. */
static void test_errors(_unused_ void **state) {
        static const struct {
                const char *main;
                TextFile dropins[FILES_MAX];
                const char *errors;
        } cases[] = {
                { "site: x\n",
                  { { "a.yaml", "\nzone: y\n" } },
                  M "1:7: site: 'x' is not a whole number; write a whole number from 0 to 65535\n" D
                    "2:7: zone: 'y' is no time zone of this machine; write an IANA name such as "
                    "Asia/Shanghai\n" },
                /* A wrong value that is overridden does no harm; an override that is wrong does. */
                { "site: 1\n",
                  { { "a.yaml", "site: x\n" } },
                  D
                  "1:7: site: 'x' is not a whole number; write a whole number from 0 to 65535\n" },
                { "site: 1\n",
                  { { "a.yaml", "log: {level: info}\nlog: {}\n" } },
                  D "2:1: log: this key is already in line 1; remove one of the two\n" },
                { "site: 1\n",
                  { { "a.yaml", "siet: 1\n" } },
                  D "1:1: siet: this key is unknown; did you mean 'site'?\n" },
                { "site: 1\n",
                  { { "a.yaml", "# nothing\n" } },
                  D "2:1: the file is empty; write the configuration into it\n" },
                { "site: 1\n",
                  { { "a.yaml", "- site\n" } },
                  D "1:1: a list cannot stand here; write keys such as calendars, ladders and "
                    "targets with their values\n" },
                { "just words\n",
                  { { "a.yaml", "site: x\n" } },
                  M
                  "1:1: 'just words' cannot stand here; write keys such as calendars, ladders "
                  "and targets with their values\n" D
                  "1:7: site: 'x' is not a whole number; write a whole number from 0 to 65535\n" },
                { "site: 1\n",
                  { { "a.yaml", "log: [\n" }, { "b.yaml", "site: x\n" } },
                  D "1:6: log: a list cannot stand here; write the keys level and facility\n" D
                    "2:1: did not find expected node content while parsing a flow node that begins "
                    "in line 2; check indentation, quotes and brackets from there on\n"
                    "conf.d/b.yaml:1:7: site: 'x' is not a whole number; write a whole number from "
                    "0 to 65535\n" },
                /* An anchor of another file means nothing here. */
                { "journal: &j {keep: 30d}\n",
                  { { "a.yaml", "journal: *j\n" } },
                  M "1:10: journal: an anchor (&) is not allowed; remove it\n" D
                    "1:10: journal: an alias (*) is not allowed; write the value out\n" },
                { "site: 1\n",
                  { { "a.yaml", "site: 2\n---\nsite: 3\n" } },
                  D "2:1: a second document begins here; write one file for each\n" },
                { "site: 1\n",
                  { { "a.yaml", "log:\n\tlevel: info\n" } },
                  D "2:1: a tab is not allowed; indent and separate with spaces\n" },
                { "ladders: {l: {warn_at: 5%}}\n",
                  { { "a.yaml", "ladders: {l: {repeat: 8}}\n" } },
                  M
                  "1:11: ladders.l.rungs: this key is missing; write a list of rungs such as {to: "
                  "owner, after: 0s}\n" D "1:23: ladders.l.repeat: '8' has no unit; write working "
                  "time such as 90s, 30m, 36h or 1h30m\n" },
                /* Defined in one file, named in another. */
                { "roles: {r: []}\n",
                  { { "a.yaml", "access: [{user: root, role: q, scope: headquarters}]\n" } },
                  D "1:29: access[0].role: there is no role 'q'; write one of r\n" },
                { "ladders: {l: " RUNGS "}}\n",
                  { { "a.yaml",
                      "targets: {ticket: {repair: {normal: {ladder: l, visit: 1h}}}}\n" } },
                  D "1:29: targets.ticket.repair.normal: no calendar is given; write one here or "
                    "for the type default\n" },
        };

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                write_all(cases[i].main, cases[i].dropins, FILES_MAX);
                assert_refusal(cases[i].errors);
                remove_all(cases[i].dropins, FILES_MAX);
        }
}

/* ---- files --------------------------------------------------------------------------------- */

/* What is in the directory and not read is told, but for what an editor hides there. */
static void test_passed_over(_unused_ void **state) {
        _cleanup_(config_errors_done) ConfigErrors errors = {};
        Policy *policy = NULL;

        write_text("policy.yaml", "site: 1\n");
        write_text("conf.d/a.yml", "site: 2\n");
        write_text("conf.d/.a.yaml.swp", "site: 3\n");
        assert_int_equal(config_load("policy.yaml", &errors, &policy), 0);
        assert_int_equal(policy->site, 1);
        assert_int_equal(errors.warnings.n, 1);
        assert_string_equal(errors.warnings.list[0].text,
                            "policy.yaml: conf.d/a.yml is not read: only files whose names end in "
                            ".yaml are; rename or remove it");
        policy_free(policy);
        assert_int_equal(unlink("conf.d/a.yml"), 0);
        assert_int_equal(unlink("conf.d/.a.yaml.swp"), 0);
}

/* What is no regular file is refused, and nobody waits for the other end of a pipe. */
static void test_other_files(_unused_ void **state) {
        write_text("policy.yaml", "site: 1\n");
        write_text("elsewhere.yaml", "site: 2\n");
        assert_int_equal(mkfifo("conf.d/a.yaml", 0600), 0);
        assert_int_equal(symlink("../elsewhere.yaml", "conf.d/b.yaml"), 0);
        assert_int_equal(mkdir("conf.d/c.yaml", 0700), 0);
        write_text("conf.d/d\n.yaml", "site: 3\n");
        assert_refusal("policy.yaml: the directory conf.d beside it cannot be read: the name of a "
                       "file in it is no plain text; rename that file\n");
        assert_int_equal(unlink("conf.d/d\n.yaml"), 0);
        assert_refusal("conf.d/a.yaml: the file cannot be read: it is not a regular file\n"
                       "conf.d/b.yaml: the file cannot be read: it is a symbolic link; write the "
                       "file itself here\n"
                       "conf.d/c.yaml: the file cannot be read: it is not a regular file\n");
        assert_int_equal(unlink("conf.d/a.yaml") + unlink("conf.d/b.yaml"), 0);
        assert_int_equal(rmdir("conf.d/c.yaml"), 0);
}

static void test_directory(_unused_ void **state) {
        char path[NAME_SIZE], name[32];

        write_text("policy.yaml", "site: 1\n");
        for (int i = 0; i <= CONFIG_DROPINS_MAX; i++) {
                snprintf(name, sizeof(name), "%03d.yaml", i);
                write_text(dropin_path(name, path), "site: 2\n");
                if (i == CONFIG_DROPINS_MAX - 1)
                        policy_free(load("policy.yaml"));
        }
        assert_refusal(
                "policy.yaml: the directory conf.d beside it cannot be read: it has too many "
                "files; write at most 64\n");
        for (int i = 0; i <= CONFIG_DROPINS_MAX; i++) {
                snprintf(name, sizeof(name), "%03d.yaml", i);
                assert_int_equal(unlink(dropin_path(name, path)), 0);
        }
        assert_int_equal(rmdir("conf.d"), 0);
        policy_free(load("policy.yaml"));
        write_text("conf.d", "site: 2\n");
        assert_refusal(
                "policy.yaml: the directory conf.d beside it cannot be read: Not a directory\n");
        assert_int_equal(unlink("conf.d") + mkdir("conf.d", 0700), 0);
}

/* Another drop-in is another policy, also where the texts one after the other are the same. */
static void test_digest(_unused_ void **state) {
        static const char *const texts[][2] = {
                { "site: 1\nzone: UTC\n", NULL },
                { "site: 1\n", "zone: UTC\n" },
                { "site: 1\n", "zone: UTC\n\n" },
                { "site: 1\n", NULL },
        };
        uint8_t digests[ELEMENTS(texts)][DIGEST_SIZE];
        Digest digest;

        for (size_t i = 0; i < ELEMENTS(texts); i++) {
                Policy *policy;

                write_text("policy.yaml", texts[i][0]);
                if (texts[i][1])
                        write_text("conf.d/a.yaml", texts[i][1]);
                policy = load("policy.yaml");
                memcpy(digests[i], policy->digest, DIGEST_SIZE);
                for (size_t j = 0; j < i; j++)
                        assert_memory_not_equal(digests[i], digests[j], DIGEST_SIZE);
                policy_free(policy);
                if (texts[i][1])
                        assert_int_equal(unlink("conf.d/a.yaml"), 0);
        }
        digest_pieces(&digest, texts[3][0], strlen(texts[3][0]), NULL, 0, NULL, 0);
        assert_memory_equal(digests[3], digest.bytes, DIGEST_SIZE);
}

/* ---- what is shown -------------------------------------------------------------------------- */

static void assert_same_text(const char *a, const char *b) {
        assert_int_equal(!a, !b);
        if (a)
                assert_string_equal(a, b);
}

static void assert_same_calendars(const Policy *a, const Policy *b) {
        assert_int_equal(a->n_calendars, b->n_calendars);
        for (size_t i = 0; i < a->n_calendars; i++) {
                const CalendarSpec *c = &a->calendars[i], *d = &b->calendars[i];

                assert_string_equal(c->name, d->name);
                assert_string_equal(c->zone, d->zone);
                assert_memory_equal(c->week, d->week, sizeof(c->week));
                assert_memory_equal(&c->makeup, &d->makeup, sizeof(c->makeup));
                assert_int_equal(c->needs_holidays, d->needs_holidays);
                assert_int_equal(c->n_files, d->n_files);
                assert_int_equal(c->n_days, d->n_days);
                for (size_t j = 0; j < c->n_days; j++) {
                        assert_int_equal(c->days[j].day, d->days[j].day);
                        assert_memory_equal(&c->days[j].hours, &d->days[j].hours, sizeof(DayHours));
                        assert_same_text(c->days[j].name, d->days[j].name);
                        assert_int_equal(c->days[j].makeup, d->days[j].makeup);
                        assert_int_equal(c->days[j].by_hand, d->days[j].by_hand);
                }
        }
}

static void assert_same_targets(const Policy *a, const Policy *b) {
        assert_int_equal(a->n_targets, b->n_targets);
        for (size_t i = 0; i < a->n_targets; i++) {
                const TargetSpec *s = &a->targets[i], *t = &b->targets[i];

                assert_string_equal(s->kind, t->kind);
                assert_string_equal(s->type, t->type);
                assert_string_equal(s->priority, t->priority);
                assert_same_text(s->calendar, t->calendar);
                assert_same_text(s->ladder, t->ladder);
                assert_int_equal(s->n_clocks, t->n_clocks);
                for (size_t j = 0; j < s->n_clocks; j++) {
                        assert_string_equal(s->clocks[j].clock, t->clocks[j].clock);
                        assert_int_equal(s->clocks[j].seconds, t->clocks[j].seconds);
                }
        }
        assert_int_equal(a->n_ladders, b->n_ladders);
        for (size_t i = 0; i < a->n_ladders; i++) {
                const LadderSpec *s = &a->ladders[i], *t = &b->ladders[i];

                assert_string_equal(s->name, t->name);
                assert_int_equal(s->warn_percent, t->warn_percent);
                assert_int_equal(s->repeat, t->repeat);
                assert_int_equal(s->n_rungs, t->n_rungs);
                assert_memory_equal(s->rungs, t->rungs, s->n_rungs * sizeof(LadderRung));
        }
}

static void assert_same_access(const Policy *a, const Policy *b) {
        assert_int_equal(a->n_roles, b->n_roles);
        for (size_t i = 0; i < a->n_roles; i++) {
                assert_string_equal(a->roles[i].name, b->roles[i].name);
                assert_int_equal(a->roles[i].n_permissions, b->roles[i].n_permissions);
                for (size_t j = 0; j < a->roles[i].n_permissions; j++)
                        assert_string_equal(a->roles[i].permissions[j], b->roles[i].permissions[j]);
        }
        assert_int_equal(a->n_access, b->n_access);
        for (size_t i = 0; i < a->n_access; i++) {
                const AccessRule *s = &a->access[i], *t = &b->access[i];

                assert_string_equal(s->name, t->name);
                assert_string_equal(s->role, t->role);
                assert_same_text(s->unit, t->unit);
                assert_int_equal(s->is_group, t->is_group);
                assert_int_equal(s->id, t->id);
                assert_int_equal(s->scope, t->scope);
        }
}

static void assert_same(const Policy *a, const Policy *b) {
        const TicketPolicy *s = &a->tickets, *t = &b->tickets;

        assert_int_equal(a->site, b->site);
        assert_string_equal(a->state_directory, b->state_directory);
        assert_int_equal(a->map_size, b->map_size);
        assert_int_equal(a->journal_keep, b->journal_keep);
        assert_int_equal(a->request_keep, b->request_keep);
        assert_string_equal(a->zone, b->zone);
        assert_int_equal(a->log_level, b->log_level);
        assert_int_equal(a->log_facility, b->log_facility);
        assert_int_equal(a->late_after, b->late_after);
        assert_int_equal(a->suspect_jump, b->suspect_jump);
        assert_int_equal(a->holiday_warning, b->holiday_warning);
        assert_int_equal(s->visit_required, t->visit_required);
        assert_int_equal(s->assign_dealer, t->assign_dealer);
        assert_int_equal(s->followup_attempts, t->followup_attempts);
        assert_int_equal(s->repeat_within, t->repeat_within);
        assert_same_calendars(a, b);
        assert_same_targets(a, b);
        assert_same_access(a, b);
        assert_string_equal(a->shown[0], b->shown[0]);
}

/* What is shown of a file is a file that says the same, comments or not. */
static void assert_shown(const char *path, const char *again) {
        Policy *policy = load(path);

        for (size_t i = 0; i < ELEMENTS(policy->shown); i++) {
                Policy *read;

                write_text(again, policy->shown[i]);
                read = load(again);
                assert_same(policy, read);
                policy_free(read);
        }
        assert_int_equal(unlink(again), 0);
        policy_free(policy);
}

/* Texts that look like something else without their quotes. */
static const char *const words[] = {
        "a",
        "'true'",
        "\"a: b\"",
        "'# x'",
        "\"it's \\\"x\\\" \\\\ y\"",
        "a b",
        "国庆节",
        "'- a'",
        "'{a}'",
        "x#y",
        "'~'",
        "a:b",
        "'@a'",
        "'%a'",
        "\"'\"",
        "'null'",
        "' a '",
        "a,b",
        "'[a'",
        "|-\n          z: y",
        ">-\n          x\n          y",
};

/* Random calendars, split at random over a file and a drop-in. */
static void test_random(_unused_ void **state) {
        uint32_t random = 20260302;

        for (int round = 0; round < 300; round++) {
                FILE *file = fopen("policy.yaml", "w"), *dropin = fopen("conf.d/a.yaml", "w");

                assert_true(file && dropin);
                fputs("calendars:\n  c:\n    week: {monday: [09:00-17:00]}\n    days:\n", file);
                fputs("calendars:\n  c:\n    expect_holidays: true\n    days:\n", dropin);
                for (int day = 1; day <= 28; day++) {
                        FILE *to;
                        const char *name;

                        random = random * 1664525 + 1013904223;
                        to = day == 1 ? file : day == 2 || random >> 31 ? dropin : file;
                        name = words[(random >> 8) % ELEMENTS(words)];
                        fprintf(to, "      2026-02-%02d:\n        name: %s\n        hours: %s\n",
                                day, name, random >> 29 & 1 ? "working" : "[10:00-11:00]");
                }
                assert_int_equal(fclose(file) + fclose(dropin), 0);
                mkdir("again", 0700);
                assert_shown("policy.yaml", "again/policy.yaml");
        }
        assert_int_equal(unlink("conf.d/a.yaml") + rmdir("again"), 0);
}

static void test_shown_files(_unused_ void **state) {
        static const char *const names[] = { "access.yaml", "calendars.yaml", "holidays.yaml",
                                             "values.yaml" };
        char path[PATH_MAX + NAME_SIZE], again[PATH_MAX + NAME_SIZE];

        assert_shown(shipped_path, "shown.yaml");
        for (size_t i = 0; i < ELEMENTS(names); i++) {
                snprintf(path, sizeof(path), "%s/%s", data_directory, names[i]);
                /* beside it: what it names is relative to it */
                snprintf(again, sizeof(again), "%s/shown-%d.yaml", data_directory, (int)getpid());
                assert_shown(path, again);
        }
}

/* ---- frame --------------------------------------------------------------------------------- */

static int enter_with_dropins(void **state) {
        return enter_directory(state) == 0 ? mkdir("conf.d", 0700) : -1;
}

static int leave_with_dropins(void **state) {
        remove("elsewhere.yaml");
        return rmdir("conf.d") == 0 ? leave_directory(state) : -1;
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_merge),       cmocka_unit_test(test_errors),
                cmocka_unit_test(test_passed_over), cmocka_unit_test(test_other_files),
                cmocka_unit_test(test_directory),   cmocka_unit_test(test_digest),
                cmocka_unit_test(test_random),      cmocka_unit_test(test_shown_files),
        };

        return cmocka_run_group_tests_name("config files", tests, enter_with_dropins,
                                           leave_with_dropins);
}
