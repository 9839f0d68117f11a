/* SPDX-License-Identifier: Apache-2.0 */

#include "simulation.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "aftersales/kinds.h"
#include "base/macro.h"
#include "life.h"
#include "loop/history.h"

#define STEPS          80
#define TICKETS_MAX    12
#define REVISIONS_MAX  64
#define CLOCKS_MAX     5
#define RAISED_MAX     1000
#define SLICE_MAX      20
#define MUTANT_FAR     (DAYS(365) * 20)
#define OLDEST_JOURNAL DAYS(2)

const char *const mutant_names[] = {
        [MUTANT_NONE] = "none",
        [MUTANT_NOT_SAVED] = "raises an event without saving that it has",
        [MUTANT_TWICE] = "raises an event twice",
        [MUTANT_NOT_REARMED] = "forgets to arm the next event",
        [MUTANT_EARLY] = "raises events that are not due yet",
        [MUTANT_UNSETTLED] = "moves a case before what is due on it has happened",
        [MUTANT_UNTOLD] = "forgets the notification of an event",
        [MUTANT_ANSWERS_SOON] = "acknowledges before the commit",
};

/* ---- the ledger ----------------------------------------------------------------------------- */

/* The next event of a clock, as the case has it. */
typedef struct ClockSeen {
        int clock;
        int64_t cycle, level, next_at;
} ClockSeen;

typedef struct TicketSeen {
        uint64_t id, revision;
        const char *verbs[REVISIONS_MAX + 1]; /* what made each revision */
        ClockSeen clocks[CLOCKS_MAX];
        size_t n_clocks;
} TicketSeen;

typedef struct RaisedSeen {
        uint64_t id, case_id;
        int clock; /* 0: reopened */
        int64_t cycle, level, missed, due_at;
        bool acknowledged;
} RaisedSeen;

/* Everything that was answered. */
typedef struct Ledger {
        TicketSeen tickets[TICKETS_MAX];
        size_t n_tickets;
        RaisedSeen raised[RAISED_MAX];
        size_t n_raised;
        uint64_t delivered; /* escalations whose notification was reported delivered */
} Ledger;

typedef struct Simulation {
        World *world;
        MemoryDisk *disk;
        Rng rng;
        Mutant mutant;
        Ledger ledger, durable; /* as far as it was applied, and committed */
        SimulationCounts *counts;
        char *fault; /* the first that was found */
} Simulation;

static void fault(Simulation *sim, const char *format, ...) _printf_(2, 3);

static void fault(Simulation *sim, const char *format, ...) {
        va_list arguments;

        if (sim->fault)
                return;
        va_start(arguments, format);
        assert_true(vasprintf(&sim->fault, format, arguments) >= 0);
        va_end(arguments);
}

static TicketSeen *ticket_seen(Ledger *ledger, uint64_t id) {
        for (size_t i = 0; i < ledger->n_tickets; i++)
                if (ledger->tickets[i].id == id)
                        return &ledger->tickets[i];
        return NULL;
}

static ClockSeen *clock_seen(TicketSeen *seen, int clock, int64_t cycle) {
        for (size_t i = 0; i < seen->n_clocks; i++)
                if (seen->clocks[i].clock == clock && seen->clocks[i].cycle == cycle)
                        return &seen->clocks[i];
        return NULL;
}

static bool was_raised(const Ledger *ledger, uint64_t id, const ClockSeen *clock) {
        for (size_t i = 0; i < ledger->n_raised; i++) {
                const RaisedSeen *raised = &ledger->raised[i];

                if (raised->case_id == id && raised->clock == clock->clock &&
                    raised->cycle == clock->cycle && raised->level <= clock->level &&
                    clock->level <= raised->level + raised->missed)
                        return true;
        }
        return false;
}

/* An escalation that is new: it must be the very next event of its clock, and its time past. */
static void see_escalation(Simulation *sim, const Escalation *e) {
        Ledger *ledger = &sim->ledger;
        int clock = enum_value(ticket_kind.clock_names, e->clock);
        TicketSeen *seen = ticket_seen(ledger, e->case_id);
        ClockSeen *next = seen && clock ? clock_seen(seen, clock, e->cycle) : NULL;

        if (clock && e->fired_at != sim->world->now)
                fault(sim, "E%llu was raised at another time than now",
                      (unsigned long long)id_number(e->id));
        if (e->fired_at < e->due_at || (clock && e->fired_at == e->due_at))
                fault(sim, "E%llu was raised early", (unsigned long long)id_number(e->id));
        if (next && e->level != next->level)
                fault(sim, "E%llu: level %lld of %s in place of %lld",
                      (unsigned long long)id_number(e->id), (long long)e->level, e->clock,
                      (long long)next->level);
        if (next && next->next_at && next->next_at != e->due_at)
                fault(sim, "E%llu was due at another time", (unsigned long long)id_number(e->id));
        if (next) {
                next->level = e->level + 1 + e->missed;
                next->next_at = 0; /* not known before the case is looked at */
        }
        assert_true(ledger->n_raised < RAISED_MAX);
        ledger->raised[ledger->n_raised++] = (RaisedSeen){ .id = e->id,
                                                           .case_id = e->case_id,
                                                           .clock = clock,
                                                           .cycle = e->cycle,
                                                           .level = e->level,
                                                           .missed = e->missed,
                                                           .due_at = e->due_at };
        sim->counts->raised++;
}

static void see_escalations(Simulation *sim) {
        Ledger *ledger = &sim->ledger;
        Key position = {};
        Escalation e;

        if (ledger->n_raised > 0)
                position = key_of_id(ledger->raised[ledger->n_raised - 1].id);
        while (!sim->fault && world_escalation(sim->world, &position, &e)) {
                see_escalation(sim, &e);
                record_done(&escalation_type, &e);
        }
}

static void see_clocks(TicketSeen *seen, const Case *c) {
        const Clock *clocks = c->clocks.items;

        seen->n_clocks = c->clocks.n;
        assert_true(seen->n_clocks <= CLOCKS_MAX);
        for (size_t i = 0; i < seen->n_clocks; i++)
                seen->clocks[i] = (ClockSeen){ .clock = clocks[i].clock,
                                               .cycle = clocks[i].cycle,
                                               .level = clocks[i].level,
                                               .next_at = clocks[i].next_at };
}

/* Whether what was acknowledged is still there. */
static bool is_there(Simulation *sim, uint64_t id) {
        Key key = key_of_id(id);

        if (store_has(sim->world->store, &ticket_table, &key))
                return true;
        fault(sim, "T%llu was lost", (unsigned long long)id_number(id));
        return false;
}

/* Looks at a ticket after something was done with it: what was due before must have happened. */
static void see_ticket(Simulation *sim, uint64_t id) {
        TicketSeen *seen = ticket_seen(&sim->ledger, id), before = *seen;
        Ticket ticket = world_ticket(sim->world, id);

        see_escalations(sim);
        for (size_t i = 0; i < before.n_clocks; i++)
                if (before.clocks[i].next_at && before.clocks[i].next_at < sim->world->now &&
                    !was_raised(&sim->ledger, id, &before.clocks[i]) &&
                    before.revision != ticket.head.revision)
                        fault(sim, "T%llu: level %lld of clock %d was lost",
                              (unsigned long long)id_number(id), (long long)before.clocks[i].level,
                              before.clocks[i].clock);
        see_clocks(seen, &ticket.head);
        seen->revision = ticket.head.revision;
        ticket_done(&ticket);
}

/* ---- the end of a batch --------------------------------------------------------------------- */

static void restart(Simulation *sim) {
        memory_disk_fail(sim->disk, MEMORY_WRITE, 0, 0);
        memory_disk_fail(sim->disk, MEMORY_COMMIT, 0, 0);
        sim->world->store = store_free(sim->world->store);
        world_reopen(sim->world, memory_disk_open(sim->disk));
        sim->ledger = sim->durable;
}

static void commit(Simulation *sim) {
        int r;

        if (rng_one_in(&sim->rng, 3))
                store_note_published(sim->world->store, store_head(sim->world->store)->sequence);
        store_note_time(sim->world->store, sim->world->now);
        r = store_commit(sim->world->store);
        sim->counts->commits++;
        if (r == 0) {
                sim->durable = sim->ledger;
                return;
        }
        sim->counts->failures++;
        sim->ledger = sim->durable;
        if (r == -EIO)
                restart(sim);
        else if (r != -ENOSPC)
                fault(sim, "a commit failed: %s", strerror(-r));
}

/* After a call: < 0 spoils the batch. */
static void settle_result(Simulation *sim, int r) {
        if (sim->mutant == MUTANT_ANSWERS_SOON && r == 0)
                sim->durable = sim->ledger;
        if (r < 0 && r != -ENOSPC && r != -EIO)
                fault(sim, "a call failed: %s", strerror(-r));
        if (r < 0 || rng_one_in(&sim->rng, 8))
                commit(sim);
        store_release(sim->world->store);
}

/* ---- what happens --------------------------------------------------------------------------- */

static int create(Simulation *sim) {
        Ledger *ledger = &sim->ledger;
        TicketSeen *seen;
        uint64_t id;
        int r;

        if (ledger->n_tickets == TICKETS_MAX)
                return 0;
        sim->counts->calls++;
        r = life_create(sim->world, &sim->rng, &id);
        sim->counts->refused += r > 0;
        if (r != 0)
                return r;
        seen = ticket_seen(ledger, id);
        if (sim->world->created == (seen != NULL))
                fault(sim, "T%llu was created twice, or not at all",
                      (unsigned long long)id_number(id));
        if (!sim->world->created)
                return 0;
        seen = &ledger->tickets[ledger->n_tickets++];
        *seen = (TicketSeen){ .id = id, .verbs[1] = "create" };
        see_ticket(sim, id);
        return 0;
}

static int move(Simulation *sim) {
        Ledger *ledger = &sim->ledger;
        const Transition *transition;
        TicketSeen *seen;
        int r;

        if (ledger->n_tickets == 0)
                return 0;
        seen = &ledger->tickets[rng_below(&sim->rng, ledger->n_tickets)];
        if (seen->revision == REVISIONS_MAX || !is_there(sim, seen->id))
                return 0;
        sim->counts->calls++;
        r = life_move(sim->world, &sim->rng, seen->id, &transition);
        if (r < 0)
                return r;
        sim->counts->refused += r > 0;
        if (r == 0)
                seen->verbs[sim->world->head.revision] = transition->name;
        see_ticket(sim, seen->id);
        return 0;
}

static int put_ticket(Simulation *sim, const Ticket *ticket) {
        Origin origin = engine_origin(sim->world->engine, sim->world->now, "mutant");
        Change *change;
        int r = change_begin(sim->world->store, &change);

        if (r == 0)
                r = change_put(change, &ticket_table, ticket);
        return r < 0 ? r : change_apply(change, &origin);
}

static int raise_again(Simulation *sim) {
        Origin origin = engine_origin(sim->world->engine, sim->world->now, "mutant");
        Key position = {};
        Escalation e = {}, next;
        Change *change;
        int r;

        while (world_escalation(sim->world, &position, &next)) {
                record_done(&escalation_type, &e);
                e = next;
        }
        r = change_begin(sim->world->store, &change);
        if (r == 0)
                r = escalation_raise(change, &e, HOURS(1));
        record_done(&escalation_type, &e);
        return r < 0 ? r : change_apply(change, &origin);
}

static int forget_notification(Simulation *sim) {
        Origin origin = engine_origin(sim->world->engine, sim->world->now, "mutant");
        Key position = {};
        Notification n;
        Change *change;
        uint64_t last = 0;
        int r;

        while (store_next(sim->world->store, &notification_table, &position, &n) == 0) {
                last = n.id;
                record_done(&notification_type, &n);
        }
        r = change_begin(sim->world->store, &change);
        if (r == 0)
                r = notification_done(change, last);
        return r < 0 ? r : change_apply(change, &origin);
}

/* What the mutants do to a case on which an event was raised. */
static int mutate(Simulation *sim, const Ticket *before) {
        Ticket ticket = world_ticket(sim->world, before->head.id);
        Clock *clocks = ticket.head.clocks.items;
        int r = 0;

        if (sim->mutant == MUTANT_NOT_SAVED)
                r = put_ticket(sim, before);
        else if (sim->mutant == MUTANT_TWICE)
                r = raise_again(sim);
        else if (sim->mutant == MUTANT_UNTOLD)
                r = forget_notification(sim);
        else if (sim->mutant == MUTANT_NOT_REARMED) {
                for (size_t i = 0; i < ticket.head.clocks.n; i++)
                        if (clocks[i].next_at)
                                clocks[i].next_at = sim->world->now + MUTANT_FAR;
                ticket.head.armed_at = sim->world->now + MUTANT_FAR;
                r = put_ticket(sim, &ticket);
        }
        ticket_done(&ticket);
        return r;
}

static int fire_one(Simulation *sim, const DueCase *due) {
        Ticket before = world_ticket(sim->world, due->id);
        int64_t now = MAX(sim->world->now, sim->mutant == MUTANT_EARLY ? due->at + 1 : 0);
        int r = engine_fire(sim->world->engine, sim->world->store, due->kind, due->id, now);

        if (r == 0 && rng_one_in(&sim->rng, 4))
                r = mutate(sim, &before);
        ticket_done(&before);
        return r;
}

/* As the loop does it, with what is due now, or only with some of it. */
static int fire(Simulation *sim, unsigned limit) {
        for (unsigned i = 0; i < limit && !sim->fault; i++) {
                Key position = {};
                DueCase due;
                int r = engine_next_due(sim->world->store, &position, &due);

                if (r < 0)
                        return r == -ENOENT ? 0 : r;
                if (due.at >= sim->world->now && sim->mutant != MUTANT_EARLY)
                        return 0;
                r = fire_one(sim, &due);
                if (r < 0)
                        return r;
                see_ticket(sim, due.id);
        }
        return 0;
}

static int pass_time(Simulation *sim) {
        int64_t most = rng_one_in(&sim->rng, 12) ? DAYS(40) : HOURS(8);

        sim->world->now += rng_between(&sim->rng, 1, most);
        return rng_one_in(&sim->rng, 4) ? 0 : fire(sim, (unsigned)rng_below(&sim->rng, SLICE_MAX));
}

/* The wall clock is set, and mostly comes back some time. */
static int jump(Simulation *sim) {
        sim->counts->jumps++;
        sim->world->now += rng_between(&sim->rng, -DAYS(3), DAYS(3));
        return 0;
}

static int break_disk(Simulation *sim) {
        MemoryCall call = rng_one_in(&sim->rng, 3) ? MEMORY_COMMIT : MEMORY_WRITE;
        unsigned nth = (unsigned)(1 + rng_below(&sim->rng, call == MEMORY_COMMIT ? 2 : 60));

        memory_disk_fail(sim->disk, call, nth, rng_one_in(&sim->rng, 3) ? -EIO : -ENOSPC);
        return 0;
}

static int crash(Simulation *sim) {
        sim->counts->crashes++;
        restart(sim);
        return 0;
}

static int acknowledge(Simulation *sim) {
        uint64_t id;
        int r = life_acknowledge(sim->world, &sim->rng, &id);

        for (size_t i = 0; r == 0 && i < sim->ledger.n_raised; i++)
                if (sim->ledger.raised[i].id == id)
                        sim->ledger.raised[i].acknowledged = true;
        return r == -ENOENT ? 0 : r;
}

static int deliver(Simulation *sim) {
        return life_deliver(sim->world, &sim->rng, &sim->ledger.delivered);
}

static int administer(Simulation *sim) {
        return life_administer(sim->world, &sim->rng);
}

static int happen(Simulation *sim) {
        static const struct {
                unsigned weight;
                int (*what)(Simulation *sim);
        } things[] = {
                { 12, create }, { 50, move }, { 18, pass_time }, { 5, acknowledge }, { 5, deliver },
                { 2, crash },   { 2, jump },  { 3, break_disk }, { 3, administer },
        };
        uint64_t n = rng_below(&sim->rng, 100);
        size_t i = 0;

        for (; n >= things[i].weight; i++)
                n -= things[i].weight;
        return things[i].what(sim);
}

/* ---- afterwards ----------------------------------------------------------------------------- */

static void check_history(Simulation *sim, const TicketSeen *seen) {
        Key prefix = history_prefix(KIND_TICKET, seen->id, NULL), position = {};
        uint64_t n = 0;
        Event event;

        while (history_next(sim->world->store, &prefix, &position, &event) == 0) {
                n++;
                if (event.revision != n || n > seen->revision || !STREQ(event.verb, seen->verbs[n]))
                        fault(sim, "T%llu: revision %llu was made by %s",
                              (unsigned long long)id_number(seen->id),
                              (unsigned long long)event.revision, event.verb);
                record_done(&event_type, &event);
        }
        if (n != seen->revision)
                fault(sim, "T%llu: its history ends with revision %llu",
                      (unsigned long long)id_number(seen->id), (unsigned long long)n);
}

/* What a case has armed must follow from the intervals of its clocks, and from nothing else. */
static void check_ticket(Simulation *sim, const TicketSeen *seen) {
        Ticket ticket = world_ticket(sim->world, seen->id);
        const Case *c = &ticket.head;
        const Target *target = engine_target(sim->world->engine, &ticket_kind, c);
        const Clock *clocks = c->clocks.items;

        if (c->revision != seen->revision)
                fault(sim, "T%llu is at revision %llu, not %llu",
                      (unsigned long long)id_number(c->id), (unsigned long long)c->revision,
                      (unsigned long long)seen->revision);
        if (c->open && (!c->armed_at || c->armed_at < sim->world->now))
                fault(sim, "T%llu is open and not armed", (unsigned long long)id_number(c->id));
        for (size_t i = 0; i < c->clocks.n; i++) {
                Clock clock = clocks[i];

                if (clock.stopped_at)
                        continue;
                if (clock_schedule(&clock, &target->timing) < 0 ||
                    clock.next_at != clocks[i].next_at || clock.deadline != clocks[i].deadline)
                        fault(sim, "T%llu: clock %d is armed for another time than it should be",
                              (unsigned long long)id_number(c->id), clock.clock);
        }
        ticket_done(&ticket);
        check_history(sim, seen);
}

static void check_raised(Simulation *sim) {
        const Ledger *ledger = &sim->ledger;
        Key position = {};
        size_t n = 0;
        Escalation e;

        while (world_escalation(sim->world, &position, &e)) {
                const RaisedSeen *raised = &ledger->raised[n];

                if (n == ledger->n_raised || raised->id != e.id || raised->level != e.level ||
                    raised->due_at != e.due_at || raised->acknowledged != (e.acknowledged_at != 0))
                        fault(sim, "E%llu is not in the ledger, or not as it is",
                              (unsigned long long)id_number(e.id));
                record_done(&escalation_type, &e);
                n++;
        }
        if (n != ledger->n_raised)
                fault(sim, "there are %zu escalations of %zu", n, ledger->n_raised);
        for (size_t i = 0; i < ledger->n_raised; i++)
                for (size_t k = 0; k < i; k++) {
                        const RaisedSeen *a = &ledger->raised[i], *b = &ledger->raised[k];

                        if (a->case_id == b->case_id && a->clock == b->clock &&
                            a->cycle == b->cycle && a->level <= b->level + b->missed)
                                fault(sim, "a level was raised twice or out of order");
                }
}

/* Each escalation is in one notification, until that is delivered. */
static void check_notifications(Simulation *sim) {
        uint64_t n = sim->ledger.delivered;
        Key position = {};
        Notification notification;

        while (store_next(sim->world->store, &notification_table, &position, &notification) == 0) {
                n += (uint64_t)notification.count;
                record_done(&notification_type, &notification);
        }
        if (n != sim->ledger.n_raised)
                fault(sim, "%llu of %zu escalations were told to somebody", (unsigned long long)n,
                      sim->ledger.n_raised);
}

static void check_all(Simulation *sim) {
        _cleanup_free_ char *faults = world_check(sim->world);
        uint64_t n;

        if (*faults)
                fault(sim, "%s", faults);
        assert_int_equal(store_count(sim->world->store, &ticket_table, &n), 0);
        if (n != sim->ledger.n_tickets)
                fault(sim, "there are %llu tickets of %zu", (unsigned long long)n,
                      sim->ledger.n_tickets);
        for (size_t i = 0; i < sim->ledger.n_tickets; i++)
                if (!sim->fault && is_there(sim, sim->ledger.tickets[i].id))
                        check_ticket(sim, &sim->ledger.tickets[i]);
        check_raised(sim);
        check_notifications(sim);
}

static bool is_anything_due(Simulation *sim) {
        Key position = {};
        DueCase due;

        return engine_next_due(sim->world->store, &position, &due) == 0 && due.at < sim->world->now;
}

/* Peace returns: the disk works, and everything that is due happens. */
static void come_to_rest(Simulation *sim) {
        int r = 0;

        restart(sim);
        sim->world->now += DAYS(4); /* past whatever was done while the clock was wrong */
        while (r == 0 && !sim->fault && is_anything_due(sim))
                r = fire(sim, SLICE_MAX);
        if (r < 0)
                fault(sim, "what is due does not happen: %s", strerror(-r));
        commit(sim);
        restart(sim);
}

char *simulate(World *world, uint64_t seed, Mutant mutant, SimulationCounts *counts) {
        Simulation *sim = calloc(1, sizeof(*sim));
        char *found;

        assert_non_null(sim);
        *sim = (Simulation){ .world = world,
                             .disk = memory_disk_new(),
                             .rng = { seed },
                             .mutant = mutant,
                             .counts = counts };
        assert_non_null(sim->disk);
        world->now = WORLD_BEGIN + rng_between(&sim->rng, 0, DAYS(7));
        world->unsettled = mutant == MUTANT_UNSETTLED;
        world->options.journal_keep = OLDEST_JOURNAL;
        world_reopen(world, memory_disk_open(sim->disk));
        world_found(world);
        world_commit(world);
        for (unsigned i = 0; i < STEPS && !sim->fault; i++)
                settle_result(sim, happen(sim));
        if (!sim->fault)
                come_to_rest(sim);
        if (!sim->fault)
                check_all(sim);
        world->store = store_free(world->store);
        memory_disk_free(sim->disk);
        found = sim->fault;
        free(sim);
        return found;
}
