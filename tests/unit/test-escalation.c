/* SPDX-License-Identifier: Apache-2.0 */

/* What happens when an instant has passed, who hears of it, and how it is proved. */

#include "loop/escalation.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "aftersales/kinds.h"
#include "base/macro.h"

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

static int teardown(void **state) {
        world_done(*state);
        disk = memory_disk_free(disk);
        return 0;
}

static uint64_t create(World *world, const char *priority) {
        uint64_t id;

        assert_int_equal(world_create(world, &id, "type", "consultation", "priority", priority,
                                      "region", "1101", NULL),
                         0);
        return id;
}

static void assert_clean(World *world) {
        _cleanup_free_ char *faults = world_check(world);

        assert_string_equal(faults, "");
}

static unsigned count(World *world, const Table *table) {
        uint64_t n;

        assert_int_equal(store_count(world->store, table, &n), 0);
        return (unsigned)n;
}

/* ---- the ladder ----------------------------------------------------------------------------- */

static const struct {
        const char *priority, *clock;
        int64_t due; /* minutes after receipt, Monday 09:00 */
        int level;
        EscalationCause cause;
        Recipient role;
        const char *recipient;
} ladder_cases[] = {
        /* two hours, every day from 08:00 to 20:00; then 2 h, 4 h, 8 h, and every 4 h */
        { "normal", "response", 96, 0, CAUSE_WARNING, RECIPIENT_OWNER, "BJ" },
        { "normal", "response", 120, 1, CAUSE_RUNG, RECIPIENT_OWNER, "BJ" },
        { "normal", "response", 240, 2, CAUSE_RUNG, RECIPIENT_SUBCENTRE, "BJ" },
        { "normal", "response", 480, 3, CAUSE_RUNG, RECIPIENT_BUSINESS, "BIZ" },
        { "normal", "response", 1440 + 240, 4, CAUSE_RUNG, RECIPIENT_PRESIDENT, "PRES" },
        { "normal", "resolve", 1440 + 432, 0, CAUSE_WARNING, RECIPIENT_OWNER, "BJ" },
        { "normal", "response", 1440 + 480, 5, CAUSE_REPEAT, RECIPIENT_PRESIDENT, "PRES" },
        { "normal", "response", 2 * 1440, 6, CAUSE_REPEAT, RECIPIENT_PRESIDENT, "PRES" },
        /* one hour, round the clock; there is no general department: headquarters hears of it */
        { "urgent", "response", 30, 0, CAUSE_WARNING, RECIPIENT_OWNER, "BJ" },
        { "urgent", "response", 60, 1, CAUSE_RUNG, RECIPIENT_OWNER, "BJ" },
        { "urgent", "response", 120, 2, CAUSE_RUNG, RECIPIENT_GENERAL, "HQ" },
        { "urgent", "response", 240, 3, CAUSE_REPEAT, RECIPIENT_GENERAL, "HQ" },
        { "urgent", "response", 360, 4, CAUSE_REPEAT, RECIPIENT_GENERAL, "HQ" },
        { "urgent", "resolve", 360, 0, CAUSE_WARNING, RECIPIENT_OWNER, "BJ" },
        { "urgent", "response", 480, 5, CAUSE_REPEAT, RECIPIENT_GENERAL, "HQ" },
        /* one hour within office hours */
        { "special", "response", 30, 0, CAUSE_WARNING, RECIPIENT_OWNER, "BJ" },
        { "special", "response", 60, 1, CAUSE_RUNG, RECIPIENT_OWNER, "BJ" },
        { "special", "response", 120, 2, CAUSE_RUNG, RECIPIENT_GENERAL, "HQ" },
        { "special", "response", 300, 3, CAUSE_REPEAT, RECIPIENT_GENERAL, "HQ" },
};

/* Nothing happens at an instant itself; right after it one event does, and the next is armed. */
static void test_ladder(void **state) {
        World *world = *state;
        uint64_t id = 0;

        for (size_t i = 0; i < ELEMENTS(ladder_cases); i++) {
                int64_t due = WORLD_BEGIN + MINUTES(ladder_cases[i].due);
                Key position = {};
                Escalation e;

                if (i == 0 || !STREQ(ladder_cases[i].priority, ladder_cases[i - 1].priority)) {
                        store_abort(world->store);
                        world->now = WORLD_BEGIN;
                        id = create(world, ladder_cases[i].priority);
                }
                position = key_of_id((uint64_t)WORLD_SITE << ID_SITE_SHIFT |
                                     count(world, &escalation_table));
                assert_int_equal(engine_fire(world->engine, world->store, KIND_TICKET, id, due),
                                 -ENOENT);
                world->now = due + 1;
                assert_int_equal(engine_fire(world->engine, world->store, KIND_TICKET, id, due + 1),
                                 0);
                assert_true(world_escalation(world, &position, &e));
                if (e.due_at != due || e.level != ladder_cases[i].level)
                        fail_msg("case %zu: level %d, %+d minutes", i, (int)e.level,
                                 (int)((e.due_at - due) / MINUTES(1)));
                assert_int_equal(e.case_id, id);
                assert_string_equal(e.clock, ladder_cases[i].clock);
                assert_int_equal(e.cause, ladder_cases[i].cause);
                assert_int_equal(e.role, ladder_cases[i].role);
                assert_string_equal(e.recipient, ladder_cases[i].recipient);
                assert_int_equal(e.fired_at, due + 1);
                assert_int_equal(e.missed, 0);
                assert_string_equal(e.subcentre, "BJ");
                record_done(&escalation_type, &e);
        }
        assert_clean(world);
}

static void test_next_due(void **state) {
        World *world = *state;
        uint64_t normal = create(world, "normal"), urgent = create(world, "urgent");
        Key position = {};
        DueCase due;

        assert_int_equal(engine_next_due(world->store, &position, &due), 0);
        assert_int_equal(due.id, urgent);
        assert_int_equal(due.kind, KIND_TICKET);
        assert_int_equal(due.at, WORLD_BEGIN + MINUTES(30));
        assert_int_equal(engine_next_due(world->store, &position, &due), 0);
        assert_int_equal(due.id, normal);
        assert_int_equal(due.at, WORLD_BEGIN + MINUTES(96));
        assert_int_equal(engine_next_due(world->store, &position, &due), -ENOENT);
        assert_int_equal(engine_fire(world->engine, world->store, KIND_TICKET, 99, world->now),
                         -ENOENT);
}

/* The rung of a case is how high the highest of its running clocks stands. */
static void test_rung(void **state) {
        static const struct {
                int64_t until;
                int64_t rung;
                bool overdue;
        } cases[] = {
                { MINUTES(96) + 1, 0, false }, { HOURS(2) + 1, 1, true }, { HOURS(4) + 1, 2, true },
                { HOURS(8) + 1, 3, true },     { DAYS(2), 4, true },      { DAYS(9), 4, true },
        };
        World *world = *state;
        uint64_t id = create(world, "normal");
        Key key = {};
        int64_t n;

        key_u8(&key, KIND_TICKET);
        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                Ticket ticket;

                world_pass(world, WORLD_BEGIN + cases[i].until);
                ticket = world_ticket(world, id);
                assert_int_equal(ticket.head.rung, cases[i].rung);
                assert_int_equal(ticket.head.overdue, cases[i].overdue);
                ticket_done(&ticket);
                assert_int_equal(store_tally(world->store, &tally_overdue, &key, &n), 0);
                assert_int_equal(n, cases[i].rung > 0);
                assert_int_equal(store_tally(world->store, &tally_unarmed, &key, &n), 0);
                assert_int_equal(n, 0);
        }
        assert_clean(world);
}

/* ---- after a downtime ----------------------------------------------------------------------- */

/* Rungs are raised one by one, each late; of the repetitions one stands for all. Each recipient
 * hears of it in one summary, when all has been worked off. */
static void test_downtime(void **state) {
        World *world = *state;
        uint64_t ids[] = { create(world, "normal"), create(world, "normal") };
        Key position = {};
        int64_t levels[2] = {}, told = 0;
        unsigned notifications = 0;
        Notification n;
        Escalation e;

        world->now += DAYS(10);
        for (size_t i = 0; i < ELEMENTS(ids); i++)
                assert_int_equal(engine_settle(world->engine, world->store, KIND_TICKET, ids[i],
                                               &(Call){ .now = world->now }),
                                 0);
        while (world_escalation(world, &position, &e)) {
                assert_int_equal(e.fired_at, world->now);
                if (STREQ(e.clock, "response"))
                        levels[e.case_id == ids[1]] = e.level + e.missed;
                assert_true(e.missed == 0 || e.cause == CAUSE_REPEAT);
                record_done(&escalation_type, &e);
        }
        /* 120 h of work: the deadline after 2, the top rung 14 later, then one every 4; the 26th
         * repetition is due at this very instant */
        assert_int_equal(levels[0], levels[1]);
        assert_int_equal(levels[0], 4 + 25);
        assert_true(notification_is_gathering(world->store));
        position = (Key){};
        while (store_next(world->store, &notification_table, &position, &n) == 0) {
                assert_int_equal(n.state, NOTIFICATION_GATHERING);
                assert_int_equal(n.escalation, 0);
                told += n.count;
                notifications++;
                record_done(&notification_type, &n);
        }
        assert_int_equal(told, count(world, &escalation_table));
        assert_int_equal(notifications, 3); /* BJ, BIZ and PRES */
        assert_clean(world);
}

/* A summary says when the first of all was due, in whichever order they come. */
static void test_summary_of_any_order(void **state) {
        World *world = *state;
        uint64_t ids[] = { create(world, "normal"), create(world, "urgent") };
        Key position = {};
        Notification n;

        world->now += DAYS(1);
        for (size_t i = 0; i < ELEMENTS(ids); i++)
                assert_int_equal(engine_settle(world->engine, world->store, KIND_TICKET, ids[i],
                                               &(Call){ .now = world->now }),
                                 0);
        assert_int_equal(store_next(world->store, &notification_table, &position, &n), 0);
        assert_string_equal(n.recipient, "BJ");
        assert_int_equal(n.first_due, WORLD_BEGIN + MINUTES(30));
        record_done(&notification_type, &n);
        assert_clean(world);
}

/* ---- the outbox ----------------------------------------------------------------------------- */

typedef struct Outbox {
        uint64_t ids[64];
        int64_t attempts[64];
        size_t n;
} Outbox;

static int keep(void *userdata, const Notification *notification) {
        Outbox *outbox = userdata;

        outbox->attempts[outbox->n] = notification->attempts;
        outbox->ids[outbox->n++] = notification->id;
        return 0;
}

static size_t take(World *world, size_t limit, Outbox *outbox) {
        Origin origin = engine_origin(world->engine, world->now, "take");
        Change *change;

        outbox->n = 0;
        assert_int_equal(change_begin(world->store, &change), 0);
        assert_int_equal(notification_take(change, world->now, world->now + MINUTES(10), limit,
                                           keep, outbox),
                         0);
        if (change_is_empty(change))
                change_drop(change);
        else
                assert_int_equal(change_apply(change, &origin), 0);
        return outbox->n;
}

static int done(World *world, uint64_t id) {
        Origin origin = engine_origin(world->engine, world->now, "done");
        Change *change;
        int r;

        assert_int_equal(change_begin(world->store, &change), 0);
        r = notification_done(change, id);
        if (r < 0)
                change_drop(change);
        else
                assert_int_equal(change_apply(change, &origin), 0);
        return r;
}

static size_t release(World *world, size_t limit) {
        Origin origin = engine_origin(world->engine, world->now, "summarise");
        Change *change;
        size_t n;

        assert_int_equal(change_begin(world->store, &change), 0);
        assert_int_equal(notification_release(change, limit, &n), 0);
        if (n == 0)
                change_drop(change);
        else
                assert_int_equal(change_apply(change, &origin), 0);
        return n;
}

/* Each is handed out once for the time of a lease, and again when nobody has delivered it. */
static void test_outbox(void **state) {
        World *world = *state;
        Outbox first, second, again;

        create(world, "normal");
        create(world, "normal");
        create(world, "normal");
        world_pass(world, WORLD_BEGIN + HOURS(2)); /* three warnings, on time: one by one */
        assert_false(notification_is_gathering(world->store));
        assert_int_equal(take(world, 2, &first), 2);
        assert_int_equal(take(world, 8, &second), 1);
        assert_int_equal(take(world, 8, &again), 0);
        assert_int_equal(done(world, first.ids[0]), 0);
        assert_int_equal(done(world, first.ids[0]), -ENOENT);
        world->now += MINUTES(10);
        assert_int_equal(first.attempts[0], 1);
        assert_int_equal(take(world, 8, &again), 2);
        assert_int_equal(again.attempts[0], 2);
        assert_int_equal(done(world, first.ids[1]), 0);
        assert_int_equal(done(world, second.ids[0]), 0); /* late, but delivered */
        world->now += MINUTES(10);
        assert_int_equal(take(world, 8, &again), 0);
        assert_int_equal(count(world, &notification_table), 0);
        assert_clean(world);
}

/* A summary is not handed out while it grows, and grows no more once it is ready. */
static void test_summaries(void **state) {
        World *world = *state;
        uint64_t id = create(world, "normal");
        Outbox outbox;

        world->now += HOURS(5);
        assert_int_equal(engine_settle(world->engine, world->store, KIND_TICKET, id,
                                       &(Call){ .now = world->now }),
                         0);
        assert_int_equal(count(world, &notification_table), 1); /* all to BJ */
        assert_int_equal(take(world, 8, &outbox), 0);
        assert_int_equal(release(world, 0), 0);
        assert_int_equal(release(world, 8), 1);
        assert_int_equal(release(world, 8), 0);
        assert_int_equal(take(world, 8, &outbox), 1);
        id = create(world, "normal");
        world->now += HOURS(5);
        assert_int_equal(engine_settle(world->engine, world->store, KIND_TICKET, id,
                                       &(Call){ .now = world->now }),
                         0);
        assert_int_equal(count(world, &notification_table), 2);
        assert_int_equal(release(world, 8), 1);
        assert_int_equal(take(world, 8, &outbox), 2); /* the first one's lease is over */
        assert_clean(world);
}

static void test_acknowledge(void **state) {
        World *world = *state;
        Key kind = {};
        int64_t n;
        Escalation e;
        Change *change;

        create(world, "normal");
        world_pass(world, WORLD_BEGIN + HOURS(2));
        key_u8(&kind, KIND_TICKET);
        for (int round = 0; round < 2; round++) {
                Origin origin = engine_origin(world->engine, world->now, "acknowledge");
                uint64_t id = (uint64_t)WORLD_SITE << ID_SITE_SHIFT | 1;
                int r;

                assert_int_equal(store_tally(world->store, &tally_escalation_open, &kind, &n), 0);
                assert_int_equal(n, !round);
                assert_int_equal(change_begin(world->store, &change), 0);
                r = escalation_acknowledge(change, id, 0, &world->actor, world->now, &e,
                                           &world->refusal);
                assert_int_equal(r, round ? REFUSED_STATE : 0);
                if (r > 0) {
                        assert_string_equal(world->refusal.text,
                                            "E2.1 was acknowledged already, by uid:1");
                        change_drop(change);
                        continue;
                }
                assert_int_equal(e.acknowledged_at, world->now);
                assert_string_equal(e.acknowledged_by, "uid:1");
                record_done(&escalation_type, &e);
                assert_int_equal(change_apply(change, &origin), 0);
        }
        /* the ladder goes on all the same */
        assert_int_equal(world_pass(world, WORLD_BEGIN + HOURS(4) + 1), 2);
        assert_clean(world);
}

/* ---- the proof ------------------------------------------------------------------------------ */

static void put(World *world, const Table *table, const void *record) {
        Origin origin = engine_origin(world->engine, world->now, "tamper");
        Change *change;

        assert_int_equal(change_begin(world->store, &change), 0);
        assert_int_equal(change_put(change, table, record), 0);
        assert_int_equal(change_apply(change, &origin), 0);
}

static void remove_escalation(World *world, uint64_t number) {
        Origin origin = engine_origin(world->engine, world->now, "tamper");
        Key key = key_of_id((uint64_t)WORLD_SITE << ID_SITE_SHIFT | number);
        Change *change;

        assert_int_equal(change_begin(world->store, &change), 0);
        assert_int_equal(change_remove(change, &escalation_table, &key), 0);
        assert_int_equal(change_apply(change, &origin), 0);
}

static void repeat_one(World *world, uint64_t number, uint64_t as) {
        Key key = key_of_id((uint64_t)WORLD_SITE << ID_SITE_SHIFT | number);
        Escalation e;

        assert_int_equal(store_get(world->store, &escalation_table, &key, &e), 0);
        e.id = (uint64_t)WORLD_SITE << ID_SITE_SHIFT | as;
        put(world, &escalation_table, &e);
        record_done(&escalation_type, &e);
}

static void change_level(World *world, uint64_t id, int64_t more) {
        Ticket ticket = world_ticket(world, id);

        case_clock(&ticket.head, 1)->level += more;
        put(world, &ticket_table, &ticket);
        ticket_done(&ticket);
}

/* The response clock of T1 has had its warning (E1) and three rungs (E2..E4). */
static void tamper_nothing(_unused_ World *world, _unused_ uint64_t id) {
}

static void tamper_lose_middle(World *world, _unused_ uint64_t id) {
        remove_escalation(world, 2);
}

static void tamper_lose_warning(World *world, _unused_ uint64_t id) {
        remove_escalation(world, 1);
}

static void tamper_lose_first(World *world, _unused_ uint64_t id) {
        remove_escalation(world, 1);
        remove_escalation(world, 2);
}

static void tamper_lose_last(World *world, _unused_ uint64_t id) {
        remove_escalation(world, 4);
}

static void tamper_twice(World *world, _unused_ uint64_t id) {
        repeat_one(world, 4, 9);
}

static void tamper_order(World *world, _unused_ uint64_t id) {
        repeat_one(world, 2, 9);
        remove_escalation(world, 2);
}

static void tamper_level_up(World *world, uint64_t id) {
        change_level(world, id, 1);
}

static void tamper_level_down(World *world, uint64_t id) {
        change_level(world, id, -1);
}

static void tamper_all_gone(World *world, _unused_ uint64_t id) {
        for (uint64_t i = 1; i <= 4; i++)
                remove_escalation(world, i);
}

static const struct {
        void (*tamper)(World *world, uint64_t id);
        const char *faults;
} tampered[] = {
        { tamper_nothing, "" },
        { tamper_lose_middle, "T2.1: E2.3: response a level was left out\n" },
        { tamper_lose_warning, "" }, /* a ladder need not warn: nothing tells that this one did */
        { tamper_lose_first, "T2.1: E2.3: response the first levels are missing\n" },
        { tamper_lose_last,
          "T2.1: E0: response the clock's level is not that of its escalations\n" },
        { tamper_twice, "T2.1: E2.9: response a level was raised twice or out of order\n" },
        { tamper_order, "T2.1: E2.3: response a level was left out\n"
                        "T2.1: E2.9: response a level was raised twice or out of order\n"
                        "T2.1: E0: response the clock's level is not that of its escalations\n" },
        { tamper_level_up,
          "T2.1: E0: response the clock's level is not that of its escalations\n" },
        { tamper_level_down,
          "T2.1: E0: response the clock's level is not that of its escalations\n" },
        { tamper_all_gone,
          "T2.1: E0: response the clock's level is not that of its escalations\n" },
};

static void report_to(void *userdata, const char *line) {
        fprintf(userdata, "%s\n", line);
}

static void test_check(void **state) {
        World *world = *state;

        for (size_t i = 0; i < ELEMENTS(tampered); i++) {
                _cleanup_free_ char *text = NULL;
                uint64_t id = create(world, "normal"), faults = 0;
                size_t size;
                FILE *stream;

                world_pass(world, WORLD_BEGIN + HOURS(9));
                assert_int_equal(count(world, &escalation_table), 4);
                tampered[i].tamper(world, id);
                stream = open_memstream(&text, &size);
                assert_non_null(stream);
                assert_int_equal(
                        engine_check(world_kinds, world->store, report_to, stream, &faults), 0);
                assert_int_equal(fclose(stream), 0);
                if (!STREQ(text, tampered[i].faults))
                        fail_msg("case %zu:\n%snot\n%s", i, text, tampered[i].faults);
                store_abort(world->store);
                world->now = WORLD_BEGIN;
        }
}

#define IN_WORLD(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                IN_WORLD(test_ladder),
                IN_WORLD(test_next_due),
                IN_WORLD(test_rung),
                IN_WORLD(test_downtime),
                IN_WORLD(test_outbox),
                IN_WORLD(test_summaries),
                IN_WORLD(test_acknowledge),
                IN_WORLD(test_check),
                IN_WORLD(test_summary_of_any_order),
        };

        return cmocka_run_group_tests_name("escalation", tests, NULL, NULL);
}
