/* SPDX-License-Identifier: Apache-2.0 */

/* How the service is, in figures. */

#include <inttypes.h>
#include <stdio.h>

#include "aftersales/kinds.h"
#include "aftersales/version.h"
#include "bus/internal.h"
#include "loop/escalation.h"

static int64_t tally_of_kind(BusCall *call, const Index *tally, const Kind *kind) {
        int64_t n = 0;
        Key key = {};

        key_u8(&key, kind->number);
        store_tally(call->bus->options.store, tally, &key, &n);
        return n;
}

static int64_t tally_of_state(BusCall *call, const Kind *kind, int state) {
        int64_t n = 0;
        Key key = {};

        key_u8(&key, kind->number);
        key_u8(&key, (uint8_t)state);
        store_tally(call->bus->options.store, &tally_state, &key, &n);
        return n;
}

/* ---- cases ---- */

static int dictionary_open(sd_bus_message *m, const char *key) {
        int r = sd_bus_message_open_container(m, 'e', "sv");

        if (r >= 0)
                r = sd_bus_message_append_basic(m, 's', key);
        if (r >= 0)
                r = sd_bus_message_open_container(m, 'v', "a{sv}");
        if (r >= 0)
                r = sd_bus_message_open_container(m, 'a', "{sv}");
        return r;
}

/* After a dictionary or a list. */
static int entry_close(sd_bus_message *m) {
        int r = 0;

        for (int i = 0; r >= 0 && i < 3; i++)
                r = sd_bus_message_close_container(m);
        return r;
}

/* As an entry of that name: kinds may share the names of states. */
static int append_states(BusCall *call, const char *key, const Kind *kind) {
        int r = dictionary_open(call->reply, key);

        for (int state = 1; r >= 0 && state < kind->state_names->n; state++)
                r = entry_append_number(call->reply, kind->state_names->names[state], 't',
                                        tally_of_state(call, kind, state));
        return r < 0 ? r : entry_close(call->reply);
}

typedef struct Sums {
        int64_t open, waiting, overdue, unarmed, escalations;
} Sums;

static void add_kind(BusCall *call, const Kind *kind, Sums *sums) {
        for (int state = 1; state < kind->state_names->n; state++) {
                int64_t n = tally_of_state(call, kind, state);

                if (state_class(kind, state) != STATE_ENDED)
                        sums->open += n;
                if (state_class(kind, state) == STATE_WAITING)
                        sums->waiting += n;
        }
        sums->overdue += tally_of_kind(call, &tally_overdue, kind);
        sums->unarmed += tally_of_kind(call, &tally_unarmed, kind);
        sums->escalations += tally_of_kind(call, &tally_escalation_open, kind);
}

static int append_sums(BusCall *call, const Sums *sums) {
        const struct {
                const char *key;
                int64_t value;
        } entries[] = {
                { "open", sums->open },
                { "overdue", sums->overdue },
                { "waiting", sums->waiting },
                { "unarmed", sums->unarmed },
                { "escalations_open", sums->escalations },
        };
        int r = 0;

        for (size_t i = 0; r >= 0 && i < ELEMENTS(entries); i++)
                r = entry_append_number(call->reply, entries[i].key, 't', entries[i].value);
        return r;
}

static int append_cases(BusCall *call) {
        const Kind *const *kind, *tickets = NULL;
        Sums sums = {};
        int r = dictionary_open(call->reply, "cases");

        for (kind = engine_kinds(call->bus->options.engine); r >= 0 && *kind; kind++) {
                r = append_states(call, (*kind)->name, *kind);
                add_kind(call, *kind, &sums);
                if ((*kind)->number == KIND_TICKET)
                        tickets = *kind;
        }
        if (r >= 0)
                r = entry_close(call->reply);
        /* Those of tickets also stand where they stood when there was no other kind. */
        if (r >= 0 && tickets)
                r = append_states(call, "states", tickets);
        return r < 0 ? r : append_sums(call, &sums);
}

/* ---- the rest ---- */

static int append_health(BusCall *call) {
        DueHealth health = due_health(call->bus->due);
        const WallClock *clock = call->bus->options.clock;
        int r;

        r = entry_append_text(call->reply, "clock", clock->manual ? "manual" : "real");
        if (r >= 0)
                r = entry_append_number(call->reply, "clock_suspect", 'b', health.suspect);
        if (r >= 0 && health.next)
                r = entry_append_number(call->reply, "next_due", 'x', health.next);
        if (r >= 0)
                r = entry_append_number(call->reply, "lag", 'x', health.lag);
        return r;
}

static int append_store(BusCall *call) {
        const BusOptions *options = &call->bus->options;
        CommitterCounts counts = committer_counts(options->committer);
        const StoreHead *head = store_head(options->store);
        uint64_t notifications = 0;
        KvStats stats = {};
        const struct {
                const char *key;
                uint64_t value;
        } entries[] = {
                { "notifications",
                  store_count(options->store, &notification_table, &notifications) < 0
                          ? 0
                          : notifications },
                { "sequence", head->sequence },
                { "store_used", store_stats(options->store, &stats) < 0 ? 0 : stats.bytes_used },
                { "store_size", stats.bytes_max },
                { "damaged", store_damaged(options->store) },
                { "calls", call->bus->calls },
                { "changes", counts.changes },
                { "commits", counts.commits },
        };
        int r = 0;

        for (size_t i = 0; r >= 0 && i < ELEMENTS(entries); i++)
                r = entry_append_number(call->reply, entries[i].key, 't',
                                        (int64_t)entries[i].value);
        return r;
}

static int append_warning(void *userdata, const char *calendar, int year) {
        BusCall *call = userdata;
        char text[200];

        snprintf(text, sizeof(text), "calendar %s has no holiday data for %d", calendar, year);
        return sd_bus_message_append_basic(call->reply, 's', text);
}

static int append_store_warnings(BusCall *call) {
        static const char *const texts[] = {
                [KV_ROOM_SCARCE] = "store: there is little room left; free disk space or raise "
                                   "store.map_size",
                [KV_ROOM_RESERVE] = "store: nearly full, nothing new is taken in; free disk space "
                                    "or raise store.map_size",
        };
        Store *store = call->bus->options.store;
        KvRoom room = store_room(store);
        int r = 0;

        if (room != KV_ROOM_ENOUGH)
                r = sd_bus_message_append_basic(call->reply, 's', texts[room]);
        if (r >= 0 && store_damaged(store) > 0)
                r = sd_bus_message_append_basic(
                        call->reply, 's',
                        "store: damaged records were met; run the check and restore a backup");
        return r;
}

static int append_warnings(BusCall *call) {
        DueHealth health = due_health(call->bus->due);
        int r;

        r = sd_bus_message_open_container(call->reply, 'e', "sv");
        if (r >= 0)
                r = sd_bus_message_append_basic(call->reply, 's', "warnings");
        if (r >= 0)
                r = sd_bus_message_open_container(call->reply, 'v', "as");
        if (r >= 0)
                r = sd_bus_message_open_container(call->reply, 'a', "s");
        if (r >= 0)
                r = engine_missing_years(call->bus->options.engine, call->now, append_warning,
                                         call);
        if (r >= 0 && health.suspect)
                r = sd_bus_message_append_basic(
                        call->reply, 's',
                        "clock-suspect: nothing is escalated until the clock is accepted");
        if (r >= 0)
                r = append_store_warnings(call);
        return r < 0 ? r : entry_close(call->reply);
}

int bus_status(BusCall *call) {
        const uint8_t *digest = engine_policy(call->bus->options.engine)->digest;
        char policy[17];
        int r;

        for (size_t i = 0; i < 8; i++)
                snprintf(policy + 2 * i, 3, "%02x", digest[i]);
        r = sd_bus_message_open_container(call->reply, 'a', "{sv}");
        if (r >= 0)
                r = entry_append_text(call->reply, "version", AFTERSALES_VERSION);
        if (r >= 0)
                r = entry_append_text(call->reply, "policy", policy);
        if (r >= 0)
                r = entry_append_number(call->reply, "started_at", 'x', call->bus->started_at);
        if (r >= 0)
                r = entry_append_number(call->reply, "now", 'x', call->now);
        if (r >= 0)
                r = append_health(call);
        if (r >= 0)
                r = append_cases(call);
        if (r >= 0)
                r = append_store(call);
        if (r >= 0)
                r = append_warnings(call);
        return r < 0 ? r : MIN(sd_bus_message_close_container(call->reply), 0);
}
