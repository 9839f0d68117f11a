/* SPDX-License-Identifier: Apache-2.0 */

#include "loop/engine.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "aftersales/kinds.h"
#include "aftersales/limits.h"
#include "base/macro.h"
#include "loop/history.h"
#include "masters/unit.h"

#include "kv-memory.c"
#include "world.c"

static MemoryDisk *disk;

static int setup(void **state) {
        static World world;

        disk = memory_disk_new();
        assert_non_null(disk);
        world_init(&world, memory_disk_open(disk), NULL);
        world_commit(&world);
        *state = &world;
        return 0;
}

/* Whatever a test did, the store must be right in the end. */
static int teardown(void **state) {
        World *world = *state;
        _cleanup_free_ char *faults = NULL;

        world_commit(world);
        faults = world_check(world);
        if (*faults)
                print_error("%s", faults);
        world_done(world);
        disk = memory_disk_free(disk);
        return *faults ? -1 : 0;
}

static uint64_t create(World *world, const char *type, const char *priority) {
        uint64_t id;

        assert_int_equal(world_create(world, &id, "type", type, "priority", priority, "region",
                                      "1101", NULL),
                         0);
        return id;
}

static void assert_state(World *world, uint64_t id, int state) {
        Ticket ticket = world_ticket(world, id);

        assert_int_equal(ticket.head.state, state);
        ticket_done(&ticket);
}

/* ---- what is refused ------------------------------------------------------------------------ */

static void assert_refused(World *world, int r, int code, const char *text) {
        if (r != code || !strstr(world->refusal.text, text))
                fail_msg("%d: '%s'", r, world->refusal.text);
}

static void test_creation_refused(void **state) {
        World *world = *state;
        StoreHead head = *store_head(world->store);
        uint64_t id;

        assert_refused(world, world_create(world, &id, "region", "1101", NULL),
                       REFUSED_MISSING_FIELD, "create needs the field type (");
        assert_refused(world, world_create(world, &id, "type", "repair", "region", "", NULL),
                       REFUSED_MISSING_FIELD, "create needs the field region (");
        assert_refused(world,
                       world_create(world, &id, "type", "repair", "region", "1101", "result",
                                    "repaired", NULL),
                       REFUSED_UNKNOWN_FIELD, "the field result is not the caller's to set");
        assert_refused(world, world_create(world, &id, "type", "repair", "region", "4401", NULL),
                       REFUSED_RULE, "no active sub-centre serves region 4401");
        world->actor.scope = SCOPE_SUBCENTRE;
        world->actor.unit = "SH";
        assert_refused(world, world_create(world, &id, "type", "repair", "region", "1101", NULL),
                       REFUSED_SCOPE, "outside of your scope (SH)");
        world->actor.scope = SCOPE_HEADQUARTERS;
        store_commit(world->store);
        assert_memory_equal(store_head(world->store), &head, sizeof(head));
        assert_int_equal(id_number(create(world, "repair", "normal")), 1);
}

static void test_move_refused(void **state) {
        World *world = *state;
        uint64_t id = create(world, "repair", "normal"), n;
        char past[32], future[32];
        StoreHead head;

        world_commit(world);
        head = *store_head(world->store);
        snprintf(past, sizeof(past), "%lld", (long long)world->now - 1);
        snprintf(future, sizeof(future), "%lld", (long long)world->now + 1);
        assert_refused(world, world_move(world, "comment", 12345, "note", "x", NULL),
                       REFUSED_NOT_FOUND, "there is no ticket T12345");
        assert_refused(world, world_move(world, "visit", id, NULL), REFUSED_STATE,
                       "T2.1 is received, which does not allow visit; now: ");
        assert_refused(world, world_move(world, "dispatch", id, "phone", "1", NULL),
                       REFUSED_UNKNOWN_FIELD,
                       "dispatch does not take the field phone; it takes: dealer, note");
        assert_refused(world, world_move(world, "comment", id, NULL), REFUSED_MISSING_FIELD,
                       "comment needs a note");
        assert_refused(world, world_move(world, "promise", id, NULL), REFUSED_MISSING_FIELD,
                       "promise needs the field promised_at (");
        assert_refused(world, world_move(world, "promise", id, "promised_at", "+0", NULL),
                       REFUSED_INVALID_VALUE, "promised_at: must lie in the future");
        assert_refused(world, world_move(world, "comment", id, "note", "x", "revision", "2", NULL),
                       REFUSED_STALE, "T2.1 is at revision 1, you have seen 2");
        assert_refused(world, world_move(world, "comment", id, "note", "x", "at", past, NULL),
                       REFUSED_INVALID_VALUE, "at: lies before the last change of T2.1");
        assert_refused(world, world_move(world, "comment", id, "note", "x", "at", future, NULL),
                       REFUSED_INVALID_VALUE, "at: lies in the future");
        world->actor.scope = SCOPE_DEALER;
        world->actor.unit = "BJ9";
        assert_refused(world, world_move(world, "comment", id, "note", "x", NULL), REFUSED_SCOPE,
                       "outside of your scope (BJ9)");
        world->actor.scope = SCOPE_HEADQUARTERS;
        world_commit(world);
        assert_memory_equal(store_head(world->store), &head, sizeof(head));
        assert_int_equal(store_count(world->store, &history_table, &n), 0);
        assert_int_equal(world_move(world, "comment", id, "note", "x", "revision", "1", NULL), 0);
}

/* The same reference again is the same ticket, whatever else is said. */
static void test_same_reference(void **state) {
        World *world = *state;
        uint64_t id, again;

        assert_int_equal(world_create(world, &id, "type", "repair", "region", "1101", "reference",
                                      "R1", NULL),
                         0);
        assert_true(world->created);
        assert_int_equal(world_create(world, &again, "type", "cleaning", "region", "31",
                                      "reference", "R1", NULL),
                         0);
        assert_false(world->created);
        assert_int_equal(again, id);
        assert_string_equal(world->head.state, "received");
        assert_int_equal(world->head.revision, 1);
        world->actor.scope = SCOPE_SUBCENTRE;
        world->actor.unit = "SH";
        assert_refused(world,
                       world_create(world, &again, "type", "repair", "region", "31", "reference",
                                    "R1", NULL),
                       REFUSED_SCOPE, "outside of your scope");
        world->actor.scope = SCOPE_HEADQUARTERS;
}

/* ---- every state ---------------------------------------------------------------------------- */

static const char *const way_to[_TICKET_STATE_MAX][8] = {
        [TICKET_RECEIVED] = { NULL },
        [TICKET_DISPATCHED] = { "dispatch", NULL },
        [TICKET_ACCEPTED] = { "dispatch", "accept", NULL },
        [TICKET_VISITED] = { "dispatch", "accept", "visit", NULL },
        [TICKET_WAITING_PART] = { "dispatch", "accept", "wait_part", NULL },
        [TICKET_WAITING_CUSTOMER] = { "wait_customer", NULL },
        [TICKET_RESOLVED] = { "dispatch", "accept", "visit", "resolve", NULL },
        [TICKET_FOLLOWED_UP] = { "dispatch", "accept", "visit", "resolve", "follow_up", NULL },
        [TICKET_CLOSED] = { "dispatch", "accept", "visit", "resolve", "follow_up", "close", NULL },
        [TICKET_VOIDED] = { "void", NULL },
};

/* A transition with what it needs in the ordinary case. */
static int go(World *world, const char *name, uint64_t id) {
        const Transition *transition = kind_transition(&ticket_kind, name);
        const char *needed = transition->needs, *value = STREQ(name, "resolve") ? "repaired" : "x";

        world->actor.name = STREQ(name, "follow_up") ? "uid:2" : "uid:1";
        if (!needed)
                return world_move(world, name, id, "note", "x", NULL);
        if (STREQ(name, "follow_up"))
                value = "satisfied";
        else if (STREQ(name, "void") || STREQ(name, "reopen"))
                value = "other";
        else if (STREQ(name, "promise") || STREQ(name, "appoint"))
                value = "+36000";
        else if (STREQ(name, "transfer"))
                value = "SH";
        else if (STREQ(name, "decide"))
                value = "accept";
        else if (STREQ(name, "override_warranty"))
                value = "in";
        else if (STREQ(name, "unuse"))
                value = "part=P1 quantity=1";
        return world_move(world, name, id, needed, value, "note", "x", NULL);
}

static uint64_t bring_to(World *world, int state) {
        uint64_t id = create(world, "repair", "normal");

        for (const char *const *name = way_to[state]; *name; name++) {
                world->now += MINUTES(1);
                if (go(world, *name, id) != 0)
                        fail_msg("%s: %s", *name, world->refusal.text);
        }
        world->now += MINUTES(1);
        assert_state(world, id, state);
        return id;
}

/* What the table does not allow in a state is refused with what it does allow. */
static void test_matrix(void **state) {
        World *world = *state;

        for (int from = 1; from < _TICKET_STATE_MAX; from++)
                for (size_t i = 0; i < ticket_kind.n_transitions; i++) {
                        const Transition *transition = &ticket_kind.transitions[i];
                        uint64_t id = bring_to(world, from);
                        char allowed[400];
                        int r = go(world, transition->name, id);

                        engine_allowed(&ticket_kind, from, allowed, sizeof(allowed));
                        if ((r == REFUSED_STATE) == ((transition->from & STATE(from)) != 0) &&
                            !(from == TICKET_RECEIVED && STREQ(transition->name, "accept")))
                                fail_msg("%s in state %d: %d, %s", transition->name, from, r,
                                         world->refusal.text);
                        if (r == REFUSED_STATE && !(transition->from & STATE(from)))
                                assert_non_null(strstr(world->refusal.text, allowed));
                        if (r == 0 && transition->to)
                                assert_state(world, id, transition->to);
                        if (r > 0)
                                assert_state(world, id, from);
                        assert_true(r >= 0);
                        store_abort(world->store);
                        world->now = WORLD_BEGIN;
                }
}

/* Which clocks run, pause and are stopped in each state: letters for response, visit, resolve,
 * followup, waiting; '.' was never started. */
static void test_clock_modes(void **state) {
        static const char *const modes[_TICKET_STATE_MAX] = {
                [TICKET_RECEIVED] = "r.r..",     [TICKET_DISPATCHED] = "r.r..",
                [TICKET_ACCEPTED] = "srr..",     [TICKET_VISITED] = "ssr..",
                [TICKET_WAITING_PART] = "spp.r", [TICKET_WAITING_CUSTOMER] = "p.p.r",
                [TICKET_RESOLVED] = "sssr.",     [TICKET_FOLLOWED_UP] = "sssr.",
                [TICKET_CLOSED] = "ssss.",       [TICKET_VOIDED] = "s.s..",
        };
        World *world = *state;

        for (int i = 1; i < _TICKET_STATE_MAX; i++) {
                uint64_t id = bring_to(world, i);
                Ticket ticket = world_ticket(world, id);
                char found[6] = ".....";

                for (int clock = 1; clock <= 5; clock++) {
                        const Clock *c = case_clock(&ticket.head, clock);

                        if (c)
                                found[clock - 1] = c->stopped_at ? 's' : c->paused ? 'p' : 'r';
                }
                if (!STREQ(found, modes[i]))
                        fail_msg("state %d: %s", i, found);
                assert_int_equal(ticket.head.open, state_class(&ticket_kind, i) != STATE_ENDED);
                assert_int_equal(ticket.head.armed_at != 0, ticket.head.open);
                ticket_done(&ticket);
        }
}

/* ---- time ----------------------------------------------------------------------------------- */

static unsigned count_escalations(World *world) {
        Key position = {};
        unsigned n = 0;
        Escalation e;

        while (world_escalation(world, &position, &e)) {
                record_done(&escalation_type, &e);
                n++;
        }
        return n;
}

/* A call that comes after an instant but before the timer does not make a rung be lost, and what is
 * done at the very instant of the deadline is in time. */
static void test_settle_before_move(void **state) {
        static const struct {
                int64_t after; /* the deadline of the response, two hours after receipt */
                unsigned raised;
                bool overdue;
        } cases[] = {
                { -MINUTES(30), 0, false },
                { -MINUTES(24), 0, false },
                { -MINUTES(24) + 1, 1, false },
                { 0, 1, false },
                { 1, 2, true },
                { HOURS(2), 2, true },
                { HOURS(2) + 1, 3, true },
        };
        World *world = *state;

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                uint64_t id = create(world, "consultation", "normal");
                Key position = {};
                Ticket ticket;
                Escalation e;

                world->now += HOURS(2) + cases[i].after;
                assert_int_equal(go(world, "dispatch", id), 0);
                assert_int_equal(go(world, "accept", id), 0);
                if (count_escalations(world) != cases[i].raised)
                        fail_msg("case %zu: %u escalations", i, count_escalations(world));
                ticket = world_ticket(world, id);
                assert_int_equal(ticket.head.overdue, cases[i].overdue);
                assert_int_equal(ticket.head.rung, 0); /* that clock has stopped */
                ticket_done(&ticket);
                /* told to whom it belonged to then, and at once */
                while (world_escalation(world, &position, &e)) {
                        assert_string_equal(e.recipient, "BJ");
                        assert_int_equal(e.fired_at, world->now);
                        assert_true(e.due_at < e.fired_at);
                        record_done(&escalation_type, &e);
                }
                store_abort(world->store);
                world->now = WORLD_BEGIN;
        }
}

/* Without settling it would be lost: the test above can fail. */
static void test_unsettled_loses(void **state) {
        World *world = *state;
        uint64_t id = create(world, "consultation", "normal");

        world->unsettled = true;
        world->now += HOURS(3);
        assert_int_equal(go(world, "dispatch", id), 0);
        assert_int_equal(go(world, "accept", id), 0);
        assert_int_equal(count_escalations(world), 0);
        world->unsettled = false;
}

static void test_wait_limit(void **state) {
        World *world = *state;
        uint64_t id = create(world, "repair", "normal");
        Ticket ticket;

        for (int i = 0; i < CASE_STRETCHES_MAX; i++) {
                world->now += MINUTES(1);
                assert_int_equal(go(world, "wait_customer", id), 0);
                world->now += MINUTES(1);
                assert_int_equal(go(world, "resume", id), 0);
        }
        assert_refused(world, go(world, "wait_customer", id), REFUSED_LIMIT,
                       "the case has waited 64 times already: it cannot wait again");
        ticket = world_ticket(world, id);
        assert_int_equal(ticket.head.state, TICKET_RECEIVED);
        assert_int_equal(ticket.head.revision, 1 + 2 * CASE_STRETCHES_MAX);
        assert_int_equal(case_clock(&ticket.head, 3)->pauses.n, CASE_STRETCHES_MAX);
        ticket_done(&ticket);
        assert_int_equal(go(world, "dispatch", id), 0); /* anything else it can */
}

/* Set back, the clock stands still for a case until it has caught up. */
static void test_clock_set_back(void **state) {
        static const char *const moves[] = { "dispatch", "accept",  "wait_part", "resume",
                                             "visit",    "resolve", "follow_up", "close" };
        World *world = *state;
        uint64_t id = create(world, "repair", "normal");
        int64_t latest = world->now, before = 0;
        Key prefix = history_prefix(KIND_TICKET, id, NULL), position = {};
        Event event;

        for (size_t i = 0; i < ELEMENTS(moves); i++) {
                Ticket ticket;

                world->now += i % 2 ? HOURS(1) : -HOURS(3);
                latest = MAX(latest, world->now);
                assert_int_equal(go(world, moves[i], id), 0);
                ticket = world_ticket(world, id);
                assert_int_equal(ticket.head.changed_at, latest);
                for (size_t k = 0; k < ticket.head.clocks.n; k++) {
                        const Clock *clock = &((Clock *)ticket.head.clocks.items)[k];

                        assert_true(clock->started_at >= ticket.head.created_at);
                        assert_true(!clock->stopped_at || clock->stopped_at >= clock->started_at);
                }
                ticket_done(&ticket);
        }
        while (history_next(world->store, &prefix, &position, &event) == 0) {
                assert_true(event.at >= before);
                before = event.at;
                record_done(&event_type, &event);
        }
        assert_int_equal(before, latest);
}

/* Reported later: the clocks stop and pause when it happened, not when it was said. */
static void test_reported_later(void **state) {
        World *world = *state;
        uint64_t id = create(world, "repair", "normal");
        int64_t received = world->now;
        char at[32];
        Ticket ticket;

        world->now += HOURS(5); /* nobody has said anything yet: two rungs and the warning */
        snprintf(at, sizeof(at), "%lld", (long long)(received + HOURS(1)));
        assert_int_equal(world_move(world, "dispatch", id, "at", at, NULL), 0);
        assert_int_equal(count_escalations(world), 3);
        snprintf(at, sizeof(at), "%lld", (long long)(received + MINUTES(90)));
        assert_int_equal(world_move(world, "accept", id, "at", at, NULL), 0);
        ticket = world_ticket(world, id);
        assert_int_equal(ticket.head.changed_at, received + MINUTES(90));
        assert_int_equal(case_clock(&ticket.head, 1)->stopped_at, received + MINUTES(90));
        assert_int_equal(case_clock(&ticket.head, 1)->deadline, received + HOURS(2));
        assert_int_equal(case_clock(&ticket.head, 2)->started_at, received + MINUTES(90));
        ticket_done(&ticket);
}

/* ---- changed deadlines ---------------------------------------------------------------------- */

/* Another priority means another target for the time that has run already, and a ladder from the
 * bottom; a clock that has stopped was judged by the rules of its time. */
static void test_other_priority(void **state) {
        World *world = *state;
        uint64_t id = create(world, "consultation", "normal");
        int64_t received = world->now;
        Ticket ticket;

        world->now += HOURS(1);
        assert_int_equal(go(world, "dispatch", id), 0);
        assert_int_equal(go(world, "accept", id), 0);
        world->now += HOURS(1);
        assert_int_equal(world_move(world, "update", id, "priority", "urgent", NULL), 0);
        ticket = world_ticket(world, id);
        assert_int_equal(case_clock(&ticket.head, 1)->deadline,
                         received + HOURS(2)); /* as before */
        assert_int_equal(case_clock(&ticket.head, 1)->stopped_at, received + HOURS(1));
        assert_false(ticket.head.overdue);
        assert_int_equal(case_clock(&ticket.head, 3)->cycle, 1);
        assert_int_equal(case_clock(&ticket.head, 3)->started_at, received);
        assert_int_equal(case_clock(&ticket.head, 3)->deadline, received + HOURS(12));
        assert_int_equal(case_clock(&ticket.head, 3)->level, 0);
        assert_int_equal(case_clock(&ticket.head, 2)->deadline, received + HOURS(5));
        ticket_done(&ticket);
}

/* Accepted before its deadline in the hours of service, a ticket is not late when it later becomes
 * urgent, for which the night would have counted. */
static void test_stopped_is_judged(void **state) {
        World *world = *state;
        Ticket ticket;
        uint64_t id;

        world->now = WORLD_BEGIN + HOURS(10); /* 19:00 */
        id = create(world, "consultation", "normal");
        world->now += HOURS(13) + MINUTES(30); /* 08:30; the deadline is at 09:00 */
        assert_int_equal(go(world, "dispatch", id), 0);
        assert_int_equal(go(world, "accept", id), 0);
        assert_int_equal(world_move(world, "update", id, "priority", "urgent", NULL), 0);
        ticket = world_ticket(world, id);
        assert_int_equal(case_clock(&ticket.head, 1)->deadline, WORLD_BEGIN + DAYS(1));
        assert_int_equal(ticket.head.overdue, case_clock(&ticket.head, 3)->deadline < world->now);
        ticket_done(&ticket);
}

/* At the very instant of the deadline it begins to wait: it is in time, however long it waits. */
static void test_waits_from_deadline(void **state) {
        World *world = *state;
        uint64_t id = create(world, "consultation", "normal");
        Ticket ticket;

        world->now += HOURS(2);
        assert_int_equal(go(world, "wait_customer", id), 0);
        world->now += HOURS(5);
        assert_int_equal(go(world, "comment", id), 0);
        ticket = world_ticket(world, id);
        assert_int_equal(case_clock(&ticket.head, 1)->deadline, WORLD_BEGIN + HOURS(2));
        assert_false(ticket.head.overdue);
        assert_int_equal(ticket.head.rung, 0);
        ticket_done(&ticket);
}

/* A promise is a deadline that no waiting moves. */
static void test_promise(void **state) {
        World *world = *state;
        uint64_t id = create(world, "repair", "normal");
        Ticket ticket;

        assert_int_equal(world_move(world, "promise", id, "promised_at", "+36000", NULL), 0);
        world->now += HOURS(1);
        assert_int_equal(go(world, "wait_customer", id), 0);
        ticket = world_ticket(world, id);
        assert_int_equal(case_clock(&ticket.head, 3)->deadline, WORLD_BEGIN + HOURS(10));
        assert_false(case_clock(&ticket.head, 3)->paused);
        assert_int_equal(case_clock(&ticket.head, 3)->target, 0);
        assert_int_equal(case_clock(&ticket.head, 3)->cycle, 2);
        assert_true(case_clock(&ticket.head, 1)->paused);
        ticket_done(&ticket);
}

/* ---- reopening ------------------------------------------------------------------------------ */

static Escalation last_escalation(World *world) {
        Key position = {};
        Escalation e = {}, next;

        while (world_escalation(world, &position, &next)) {
                record_done(&escalation_type, &e);
                e = next;
        }
        return e;
}

/* Each time one rung higher: at once, and with every rung of the new round; never over the top. */
static void test_reopened(void **state) {
        static const struct {
                Recipient told, first, second;
                const char *recipient;
        } rounds[] = {
                { RECIPIENT_SUBCENTRE, RECIPIENT_SUBCENTRE, RECIPIENT_BUSINESS, "BJ" },
                { RECIPIENT_BUSINESS, RECIPIENT_BUSINESS, RECIPIENT_PRESIDENT, "BIZ" },
                { RECIPIENT_PRESIDENT, RECIPIENT_PRESIDENT, RECIPIENT_PRESIDENT, "PRES" },
                { RECIPIENT_PRESIDENT, RECIPIENT_PRESIDENT, RECIPIENT_PRESIDENT, "PRES" },
        };
        static const char *const way_back[] = { "accept", "visit", "resolve" };
        World *world = *state;
        uint64_t id = bring_to(world, TICKET_CLOSED);

        for (size_t i = 0; i < ELEMENTS(rounds); i++) {
                Ticket ticket;
                Escalation e;

                assert_int_equal(go(world, "reopen", id), 0);
                assert_string_equal(world->head.state, "dispatched");
                ticket = world_ticket(world, id);
                assert_int_equal(ticket.head.lift, i + 1);
                assert_int_equal(case_clock(&ticket.head, 1)->cycle, i + 2); /* a new round */
                assert_int_equal(case_clock(&ticket.head, 3)->started_at, world->now);
                ticket_done(&ticket);
                e = last_escalation(world);
                assert_int_equal(e.cause, CAUSE_REOPENED);
                assert_int_equal(e.role, rounds[i].told);
                assert_string_equal(e.recipient, rounds[i].recipient);
                assert_int_equal(e.cycle, i + 1);
                record_done(&escalation_type, &e);
                world_pass(world, world->now + HOURS(2) + 1);
                e = last_escalation(world);
                assert_int_equal(e.level, 1);
                assert_int_equal(e.role, rounds[i].first);
                record_done(&escalation_type, &e);
                world_pass(world, world->now + HOURS(2));
                e = last_escalation(world);
                assert_int_equal(e.level, 2);
                assert_int_equal(e.role, rounds[i].second);
                record_done(&escalation_type, &e);
                for (size_t k = 0; k < ELEMENTS(way_back); k++)
                        assert_int_equal(go(world, way_back[k], id), 0);
                world_pass(world, WORLD_BEGIN + DAYS(i + 1));
        }
}

#define IN_WORLD(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                IN_WORLD(test_creation_refused),
                IN_WORLD(test_move_refused),
                IN_WORLD(test_same_reference),
                IN_WORLD(test_matrix),
                IN_WORLD(test_clock_modes),
                IN_WORLD(test_settle_before_move),
                IN_WORLD(test_unsettled_loses),
                IN_WORLD(test_wait_limit),
                IN_WORLD(test_clock_set_back),
                IN_WORLD(test_reported_later),
                IN_WORLD(test_other_priority),
                IN_WORLD(test_stopped_is_judged),
                IN_WORLD(test_waits_from_deadline),
                IN_WORLD(test_promise),
                IN_WORLD(test_reopened),
        };

        return cmocka_run_group_tests_name("engine", tests, NULL, NULL);
}
