/* SPDX-License-Identifier: Apache-2.0 */

/* Signals go to those who have subscribed, one by one, and only about what their scope lets them
 * see; a broadcast would reach every user of the machine. They are hints: what a subscriber has
 * missed, Changes tells. */

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "aftersales/bus.h"
#include "base/log.h"
#include "bus/areas.h"
#include "bus/direct.h"
#include "loop/feed.h"

/* Above this the bus does not keep up, and signals are left out rather than piled up. A direct
 * connection is hung up on for 128 that it has not read: signals alone must not come to that. */
#define QUEUED_MAX        4096
#define QUEUED_DIRECT_MAX 64

struct Subscriber {
        char *name;
        /* For those on the bus: hears when the name leaves it; and asks whether it has left before
         * that was heard. Both without waiting, as sd_bus_track would: the answer comes behind all
         * that the bus has for us already. */
        sd_bus_slot *watch, *question;
        Credentials credentials;
        Actor actor;
        unsigned ahead; /* signals sent since it last called */
        bool hears;     /* of the commit being announced something that no signal has told */
        bool heard;     /* one has told something of it */
};

static void subscriber_done(Subscriber *subscriber) {
        sd_bus_slot_unref(subscriber->watch);
        sd_bus_slot_unref(subscriber->question);
        credentials_done(&subscriber->credentials);
        free(subscriber->name);
        free((char *)subscriber->actor.unit);
}

static void remove_at(Bus *bus, size_t i) {
        subscriber_done(&bus->subscribers[i]);
        bus->subscribers[i] = bus->subscribers[--bus->n_subscribers];
}

void subscriber_gone(Bus *bus, const char *name) {
        for (size_t i = 0; i < bus->n_subscribers; i++)
                if (STREQ(bus->subscribers[i].name, name)) {
                        remove_at(bus, i);
                        return;
                }
}

/* It has left the bus, or would not be heard leaving it. */
static int drop_current(Bus *bus) {
        sd_bus_slot *slot = sd_bus_get_current_slot(bus->bus);

        for (size_t i = 0; i < bus->n_subscribers; i++)
                if (bus->subscribers[i].watch == slot || bus->subscribers[i].question == slot) {
                        remove_at(bus, i);
                        break;
                }
        return 0;
}

static int on_gone(sd_bus_message *m _unused_, void *userdata, sd_bus_error *error _unused_) {
        return drop_current(userdata);
}

static int on_answer(sd_bus_message *m, void *userdata, sd_bus_error *error _unused_) {
        return sd_bus_message_is_method_error(m, NULL) ? drop_current(userdata) : 0;
}

static int watch(Subscriber *subscriber, Bus *bus) {
        char match[256];
        int r;

        snprintf(match, sizeof(match),
                 "type='signal',sender='org.freedesktop.DBus',interface='org.freedesktop.DBus',"
                 "member='NameOwnerChanged',arg0='%s',arg2=''",
                 subscriber->name);
        r = sd_bus_add_match_async(bus->bus, &subscriber->watch, match, on_gone, on_answer, bus);
        if (r < 0) { /* libsystemd 252 keeps half of the match and aborts at the next message */
                log_at(LOG_CRIT, "a subscriber cannot be watched (%s); ending", strerror(-r));
                sd_event_exit(bus->options.event, r);
        }
        return r < 0 ? r
                     : sd_bus_call_method_async(bus->bus, &subscriber->question,
                                                "org.freedesktop.DBus", "/org/freedesktop/DBus",
                                                "org.freedesktop.DBus", "GetNameOwner", on_answer,
                                                bus, "s", subscriber->name);
}

/* The access's texts do not outlive it. */
static int set_actor(Subscriber *subscriber, const Access *access) {
        const Credentials *c = &subscriber->credentials;
        char *unit = NULL;
        Actor actor;

        access_find(access, c->uid, c->gids, c->n_gids, &actor);
        if (actor.unit) {
                unit = strdup(actor.unit);
                if (!unit)
                        return -ENOMEM;
        }
        free((char *)subscriber->actor.unit);
        actor.name = actor.role = NULL;
        actor.unit = unit;
        subscriber->actor = actor;
        return 0;
}

static int subscriber_init(Subscriber *subscriber, Bus *bus, const char *name) {
        const Peer *peer = direct_find_name(bus->direct, name);
        const Credentials *credentials =
                peer ? &peer->credentials : identities_credentials(bus->identities, name);
        int r;

        *subscriber = (Subscriber){ .name = strdup(name) };
        if (!subscriber->name)
                return -ENOMEM;
        r = credentials ? credentials_copy(&subscriber->credentials, credentials) : -ENXIO;
        if (r == 0)
                r = set_actor(subscriber, bus->options.access);
        if (r < 0 || peer)
                return r;
        return watch(subscriber, bus);
}

static size_t n_of(const Bus *bus, uid_t uid) {
        size_t n = 0;

        for (size_t i = 0; i < bus->n_subscribers; i++)
                n += bus->subscribers[i].credentials.uid == uid;
        return n;
}

int bus_subscribe(BusCall *call) {
        Bus *bus = call->bus;
        const char *name = bus_sender(bus, call->m);
        Subscriber *grown;
        int r;

        subscriber_gone(bus, name);
        if (n_of(bus, call->uid) == SUBSCRIBERS_OF_ONE)
                return refuse(&call->refusal, REFUSED_LIMIT,
                              "there are %d subscribers of yours already", SUBSCRIBERS_OF_ONE);
        if (bus->n_subscribers == SUBSCRIBERS_MAX)
                return refuse(&call->refusal, REFUSED_LIMIT, "there are %d subscribers already",
                              SUBSCRIBERS_MAX);
        grown = reallocarray(bus->subscribers, bus->n_subscribers + 1, sizeof(Subscriber));
        if (!grown)
                return -ENOMEM;
        bus->subscribers = grown;
        r = subscriber_init(&grown[bus->n_subscribers], bus, name);
        if (r < 0) {
                subscriber_done(&grown[bus->n_subscribers]);
                return r;
        }
        bus->n_subscribers++;
        return 0;
}

int bus_unsubscribe(BusCall *call) {
        subscriber_gone(call->bus, bus_sender(call->bus, call->m));
        return 0;
}

void subscriber_called(Bus *bus, const char *name) {
        for (size_t i = 0; i < bus->n_subscribers; i++)
                if (STREQ(bus->subscribers[i].name, name))
                        bus->subscribers[i].ahead = 0;
}

/* Whom we cannot judge hears nothing more. */
void subscribers_access_changed(Bus *bus) {
        for (size_t i = bus->n_subscribers; i > 0; i--)
                if (set_actor(&bus->subscribers[i - 1], bus->options.access) < 0)
                        remove_at(bus, i - 1);
}

void subscribers_done(Bus *bus) {
        while (bus->n_subscribers > 0)
                remove_at(bus, bus->n_subscribers - 1);
        free(bus->subscribers);
        bus->subscribers = NULL;
}

bool bus_is_heard(void *userdata) {
        const Bus *bus = userdata;

        return bus->n_subscribers > 0;
}

/* ---- what they hear ---- */

static const char *interface_of(const char *kind) {
        for (size_t i = 0; bus_interfaces[i]; i++)
                if (bus_interfaces[i]->kind && STREQ(bus_interfaces[i]->kind->name, kind))
                        return bus_interfaces[i]->name;
        return NULL;
}

static int make_changed(Bus *bus, const Subscriber *to, const char *interface, const FeedRow *row,
                        sd_bus_message **ret) {
        int r = bus_new_signal(bus, to->name, interface, "Changed", ret);

        return r < 0 ? r
                     : sd_bus_message_append(*ret, "tstt", row->id, row->state, row->revision,
                                             row->sequence);
}

static int make_escalated(Bus *bus, const Subscriber *to, const FeedRow *row,
                          sd_bus_message **ret) {
        int r = bus_new_signal(bus, to->name, AFTERSALES_ESCALATIONS, "Escalated", ret);

        return r < 0 ? r
                     : sd_bus_message_append(*ret, "tststst", row->id, row->kind, row->case_id,
                                             row->cause, (uint64_t)row->level, row->recipient,
                                             row->sequence);
}

static int make_advanced(Bus *bus, const Subscriber *to, uint64_t sequence, sd_bus_message **ret) {
        int r = bus_new_signal(bus, to->name, AFTERSALES_MANAGER, "Advanced", ret);

        return r < 0 ? r : sd_bus_message_append(*ret, "t", sequence);
}

/* The bus keeps what a subscriber does not read, on our account: whoever has not called for so many
 * signals gets no more of them. */
static void send_to(Subscriber *subscriber, sd_bus_message *m) {
        uint64_t queued = 0, most = subscriber->watch ? QUEUED_MAX : QUEUED_DIRECT_MAX;
        int r;

        sd_bus_get_n_queued_write(sd_bus_message_get_bus(m), &queued);
        if (queued >= most || subscriber->ahead >= SIGNALS_AHEAD_MAX)
                return;
        subscriber->ahead++;
        r = sd_bus_send(NULL, m, NULL);
        if (r < 0)
                log_warning("a signal could not be sent: %s", strerror(-r));
}

/* The signal of its own that a row has, if any. */
static int make_signal(Bus *bus, const Subscriber *to, const FeedRow *row, FeedSight sight,
                       sd_bus_message **ret) {
        const char *interface = interface_of(row->what);

        if (interface && !row->removed)
                return make_changed(bus, to, interface, row, ret);
        if (sight == FEED_SEEN && row->cause && row->kind && row->revision == 1)
                return make_escalated(bus, to, row, ret);
        return 0;
}

int bus_announce(void *userdata, const FeedRow *row) {
        Bus *bus = userdata;

        for (size_t i = 0; i < bus->n_subscribers; i++) {
                _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
                Subscriber *subscriber = &bus->subscribers[i];
                FeedSight sight = feed_sight(&subscriber->actor, row);

                if (sight == FEED_HIDDEN)
                        continue;
                subscriber->hears = true;
                if (make_signal(bus, subscriber, row, sight, &m) >= 0 && m) {
                        subscriber->heard = true;
                        send_to(subscriber, m);
                }
        }
        return 0;
}

void bus_announced(void *userdata, uint64_t sequence) {
        Bus *bus = userdata;

        for (size_t i = 0; i < bus->n_subscribers; i++) {
                _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
                Subscriber *subscriber = &bus->subscribers[i];

                if (subscriber->hears && !subscriber->heard &&
                    make_advanced(bus, subscriber, sequence, &m) >= 0)
                        send_to(subscriber, m);
                subscriber->hears = subscriber->heard = false;
        }
}
