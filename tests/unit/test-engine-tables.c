/* SPDX-License-Identifier: Apache-2.0 */

/* The engine's tables: targets from the policy, states, clocks and transitions from the kinds. */

#include "loop/engine.h"

#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "aftersales/kinds.h"
#include "base/macro.h"
#include "dealers/report.h"
#include "masters/unit.h"

#include "kv-memory.c"
#include "world.c"

static MemoryDisk *disk;

/* ---- the policy ----------------------------------------------------------------------------- */

#define POLICY                                                                                     \
        "calendars: {office: {week: {monday: [09:00-17:00]}}}\n"                                   \
        "ladders: {slow: {rungs: [{to: owner, after: 0s}]}}\n"                                     \
        "targets:\n"
#define CLOCKS   "response: 1h, visit: 1h, resolve: 1h, followup: 1h, waiting: 1h"
#define COMPLETE "{calendar: office, ladder: slow, " CLOCKS "}\n"
#define REST     "      urgent: " COMPLETE "      special: " COMPLETE
#define TYPES                                                                                      \
        "consultation, installation, repair, complaint, return_exchange, recycling, cleaning, "    \
        "technical_question"
#define CLOCK_NAMES "response, visit, resolve, followup, waiting"

static const struct {
        const char *targets, *errors;
} policies[] = {
        { "  ticket:\n    default:\n      normal: " COMPLETE REST, "" },
        { "  ticket:\n    default:\n      normal: " COMPLETE REST
          "    repairs:\n      normal: {response: 2h}\n",
          "10:7: targets: there is no type 'repairs'; there are: " TYPES "\n" },
        { "  ticket:\n    default:\n      normal: " COMPLETE REST "      slow: " COMPLETE,
          "9:7: targets: there is no priority 'slow'; there are: normal, urgent, special\n" },
        { "  ticket:\n    default:\n      normal: " COMPLETE REST
          "    repair:\n      normal: {response: 2h, reply: 2h}\n",
          "10:30: targets: there is no clock 'reply'; there are: " CLOCK_NAMES "\n" },
        { "  ticket:\n    default:\n      normal: " COMPLETE REST
          "  order:\n    default:\n      normal: " COMPLETE,
          "11:7: targets: there is no kind of case 'order'\n" },
        { "  ticket:\n    default:\n      normal: " COMPLETE REST
          "    repair:\n      urgent: {reply: 2h}\n    repairs:\n      normal: {response: 2h}\n",
          "10:16: targets: there is no clock 'reply'; there are: " CLOCK_NAMES "\n"
          "12:7: targets: there is no type 'repairs'; there are: " TYPES "\n" },
        /* names within the file are the business of the file's table */
        { "  ticket:\n    default:\n      normal: " COMPLETE REST
          "    repair:\n      normal: {calendar: offices}\n",
          "10:26: targets.ticket.repair.normal.calendar: there is no calendar 'offices'; did you "
          "mean 'office'?\n" },
        { "  ticket:\n    default:\n      normal: " COMPLETE REST
          "    repair:\n      normal: {ladder: fast}\n",
          "10:24: targets.ticket.repair.normal.ladder: there is no ladder 'fast'; write one of "
          "slow\n" },
        /* a kind without any targets is not used; one with some must have all it needs */
        { "  report:\n    default:\n      normal: {calendar: office, ladder: slow}\n", "" },
        { "  report:\n    default:\n      normal: {calendar: office, ladder: slow, report: 2h}\n",
          "6:48: targets: the deadline of the clock 'report' is not a time from the beginning; write "
          "calendar and ladder only\n" },
        { "  report:\n    default:\n      normal: {calendar: office}\n",
          "6:7: targets.report.default.normal: no ladder is given; write one here or for the type "
          "default\n" },
        { "  report:\n    weekly:\n      normal: {calendar: office, ladder: slow}\n",
          "6:7: targets: there is no type 'weekly'; there are: daily\n" },
};

/* What is wrong with a policy, without the name of its file. */
static char *errors_of(const char *yaml) {
        _cleanup_(config_errors_done) ConfigErrors errors = {};
        Policy *policy = NULL;
        Engine *engine = NULL;
        char *text = NULL;
        size_t size;
        FILE *stream = open_memstream(&text, &size);
        int r = world_load(yaml, &errors, &policy);

        assert_non_null(stream);
        if (r == 0)
                r = engine_new(policy, world_kinds, unit_find_recipient, &errors, &engine);
        assert_int_equal(r, errors.errors.n > 0 ? CONFIG_REFUSED : 0);
        assert_int_equal(engine == NULL, r != 0);
        for (size_t i = 0; i < errors.errors.n; i++) {
                const char *message = errors.errors.list[i].text;

                fprintf(stream, "%s\n", message + strcspn(message, ":") + 1);
        }
        assert_int_equal(fclose(stream), 0);
        engine_free(engine);
        policy_free(policy);
        return text;
}

static void test_policies(_unused_ void **state) {
        for (size_t i = 0; i < ELEMENTS(policies); i++) {
                _cleanup_free_ char *yaml = NULL, *errors = NULL;

                assert_true(asprintf(&yaml, POLICY "%s", policies[i].targets) > 0);
                errors = errors_of(yaml);
                if (!STREQ(errors, policies[i].errors))
                        fail_msg("case %zu:\n%snot\n%s", i, errors, policies[i].errors);
        }
}

/* Every clock of every type and priority must have a target: what is missing is told once for each
 * of them. */
static void test_incomplete(_unused_ void **state) {
        static const struct {
                const char *normal, *missing;
        } cases[] = {
                { "{calendar: office, ladder: slow, response: 1h, visit: 1h, resolve: 1h, waiting: "
                  "1h}\n",
                  "followup" },
                { "{ladder: slow, " CLOCKS "}\n", "calendar" },
                { "{calendar: office, " CLOCKS "}\n", "ladder" },
        };

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                _cleanup_free_ char *yaml = NULL, *errors = NULL;
                size_t lines = 0;

                assert_true(asprintf(&yaml, POLICY "  ticket:\n    default:\n      normal: %s" REST,
                                     cases[i].normal) > 0);
                errors = errors_of(yaml);
                assert_non_null(strstr(errors, cases[i].missing));
                for (const char *p = errors; *p; p++)
                        lines += *p == '\n';
                assert_true(lines == 1 || lines == 8); /* by the file's table, or by the engine */
        }
}

/* What a type does not name is as in the default of the same priority. */
static void test_targets(_unused_ void **state) {
        static const struct {
                int type, priority;
                const char *calendar, *ladder;
                int minutes[5];
        } cases[] = {
                { TICKET_REPAIR, TICKET_NORMAL, "service", "slow", { 120, 480, 1440, 480, 1440 } },
                { TICKET_COMPLAINT,
                  TICKET_NORMAL,
                  "service",
                  "fast",
                  { 30, 480, 1440, 480, 1440 } },
                { TICKET_COMPLAINT, TICKET_URGENT, "always", "fast", { 60, 240, 720, 240, 720 } },
                { TICKET_REPAIR, TICKET_SPECIAL, "office", "fast", { 60, 240, 720, 240, 720 } },
        };
        _cleanup_(config_errors_done) ConfigErrors errors = {};
        Policy *policy;
        Engine *engine;

        assert_int_equal(world_load(world_yaml, &errors, &policy), 0);
        assert_int_equal(engine_new(policy, world_kinds, unit_find_recipient, &errors, &engine), 0);
        assert_ptr_equal(engine_policy(engine), policy);
        assert_ptr_equal(engine_kind(engine, KIND_TICKET), &ticket_kind);
        assert_null(engine_kind(engine, KIND_TICKET + 99));
        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                Case c = { .type = cases[i].type, .priority = cases[i].priority };
                const Target *target = engine_target(engine, &ticket_kind, &c);

                assert_string_equal(calendar_name(target->timing.calendar), cases[i].calendar);
                assert_string_equal(target->timing.ladder->name, cases[i].ladder);
                for (int clock = 1; clock <= 5; clock++)
                        assert_int_equal(target->seconds[clock], cases[i].minutes[clock - 1] * 60);
        }
        engine_free(engine);
        policy_free(policy);
}

/* Kinds that the policy does not name are not used: nothing can be taken in, and it says why. */
static void test_unused(_unused_ void **state) {
        World world;
        Ticket fields = {};
        Call call = { .actor = &world.actor, .fields = &fields };
        Change *change;
        Head head = {};
        bool created;

        world_init(&world, memory_disk_open(disk), NULL);
        call.now = world.now;
        assert_true(engine_uses(world.engine, &ticket_kind));
        assert_false(engine_uses(world.engine, &report_kind));
        assert_int_equal(change_begin(world.store, &change), 0);
        assert_int_equal(engine_create(world.engine, change, &report_kind, &call, &head, &created,
                                       &world.refusal),
                         REFUSED_RULE);
        assert_non_null(strstr(world.refusal.text, "targets.report.default.normal"));
        assert_int_equal(engine_move(world.engine, change, &report_kind,
                                     &report_kind.transitions[0], 1, &call, &head, &world.refusal),
                         REFUSED_RULE);
        assert_true(change_is_empty(change));
        change_drop(change);
        assert_int_equal(engine_settle(world.engine, world.store, KIND_REPORT, 1, &call), 0);
        world_done(&world);
}

/* ---- the kind ------------------------------------------------------------------------------- */

static void assert_names(const RecordType *type, const char *names, const char *within) {
        char copy[400], *rest = copy, *name;

        snprintf(copy, sizeof(copy), "%s", names ?: "");
        while ((name = strsep(&rest, " "))) {
                if (!*name)
                        continue;
                if (!record_field(type, name, NULL) || !names_have(within, name))
                        fail_msg("there is no field %s", name);
        }
}

static int first_state(uint32_t states) {
        return __builtin_ctz(states);
}

static void check_transition(const Kind *kind, const Transition *transition) {
        const RecordType *type = kind->table->type;
        char allowed[400];

        assert_ptr_equal(kind_transition(kind, transition->name), transition); /* a unique name */
        assert_true(transition->from != 0);
        assert_int_equal(transition->from & ~((STATE(kind->state_names->n - 1) << 1) - 2), 0);
        assert_in_range(transition->to, 0, kind->state_names->n - 1);
        assert_true(transition->doc && *transition->doc);
        if (transition->internal) /* no error text offers it */
                assert_null(strstr(engine_allowed(kind, first_state(transition->from), allowed,
                                                  sizeof(allowed)),
                                   transition->name));
        for (const char *p = transition->name; *p; p++)
                assert_true(islower((unsigned char)*p) || *p == '_');
        assert_names(type, transition->takes, transition->takes);
        assert_names(type, transition->needs, transition->takes);
}

/* In every state that is not final some clock runs: no open case can be without an armed time. */
static void check_clocks(const Kind *kind) {
        assert_in_range(kind->clock_names->n, 2, CASE_CLOCKS_MAX);
        for (int state = 1; state < kind->state_names->n; state++) {
                unsigned running = 0;

                for (int clock = 1; clock < kind->clock_names->n; clock++) {
                        assert_int_equal(kind->clocks[clock].runs & kind->clocks[clock].pauses, 0);
                        assert_non_null(kind->clocks[clock].doc);
                        running += (kind->clocks[clock].runs & STATE(state)) != 0;
                }
                assert_int_equal(running > 0, state_class(kind, state) != STATE_ENDED);
        }
}

/* The type must be given unless there is one for all. */
static void check_type(const Kind *kind) {
        const Field *type = record_field(kind->table->type, "type", NULL);

        assert_int_equal((type->marks & FIELD_REQUIRED) != 0, kind->default_type == 0);
        assert_in_range(kind->default_type, 0, kind->type_names->n - 1);
        for (int clock = 1; clock < kind->clock_names->n; clock++)
                assert_true(!kind->clocks[clock].fixed_only || kind->clocks[clock].fixed);
}

static void test_kinds(_unused_ void **state) {
        for (const Kind *const *kind = world_kinds; *kind; kind++) {
                assert_in_range((*kind)->state_names->n, 2, STATES_MAX);
                assert_true((*kind)->table->numbered && (*kind)->table->fault);
                for (size_t i = 0; i < (*kind)->n_transitions; i++)
                        check_transition(*kind, &(*kind)->transitions[i]);
                check_clocks(*kind);
                check_type(*kind);
                assert_names((*kind)->table->type, (*kind)->known_by, (*kind)->known_by);
                for (size_t i = 0; i < (*kind)->n_paths; i++)
                        assert_names((*kind)->table->type, (*kind)->paths[i].field,
                                     (*kind)->paths[i].field);
                assert_null(kind_transition(*kind, "no such transition"));
        }
}

static void test_names_have(_unused_ void **state) {
        static const struct {
                const char *names, *name;
                bool has;
        } cases[] = {
                { "a bc d", "a", true },    { "a bc d", "bc", true }, { "a bc d", "d", true },
                { "a bc d", "b", false },   { "a bc d", "c", false }, { "a bc d", "bcd", false },
                { "a bc d", "a b", false }, { "", "a", false },       { NULL, "a", false },
        };

        for (size_t i = 0; i < ELEMENTS(cases); i++)
                assert_int_equal(names_have(cases[i].names, cases[i].name), cases[i].has);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_policies),   cmocka_unit_test(test_incomplete),
                cmocka_unit_test(test_targets),    cmocka_unit_test(test_kinds),
                cmocka_unit_test(test_names_have), cmocka_unit_test(test_unused),
        };

        int r;

        disk = memory_disk_new();
        r = cmocka_run_group_tests_name("engine-tables", tests, NULL, NULL);
        memory_disk_free(disk);
        return r;
}
