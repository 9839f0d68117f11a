/* SPDX-License-Identifier: Apache-2.0 */

/* Signals go to those who have subscribed, one by one, and only about what their scope lets them
 * see; a broadcast would reach every user of the machine. A subscriber that misses one sees the gap
 * in the sequence numbers. */

#include <errno.h>
#include <string.h>

#include "aftersales/bus.h"
#include "base/log.h"
#include "bus/areas.h"
#include "runtime/publish.h"

/* Above this the bus does not keep up, and signals are left out rather than piled up. */
#define QUEUED_MAX 4096

struct Subscriber {
        sd_bus_track *track; /* holds the one name; gone when it leaves the bus */
        char *name;
        Actor actor;
};

static void subscriber_done(Subscriber *subscriber) {
        sd_bus_track_unref(subscriber->track);
        free(subscriber->name);
        free((char *)subscriber->actor.unit);
}

static void remove_at(Bus *bus, size_t i) {
        subscriber_done(&bus->subscribers[i]);
        bus->subscribers[i] = bus->subscribers[--bus->n_subscribers];
}

static void remove_name(Bus *bus, const char *name) {
        for (size_t i = 0; i < bus->n_subscribers; i++)
                if (STREQ(bus->subscribers[i].name, name)) {
                        remove_at(bus, i);
                        return;
                }
}

static int on_gone(sd_bus_track *track, void *userdata) {
        Bus *bus = userdata;

        for (size_t i = 0; i < bus->n_subscribers; i++)
                if (bus->subscribers[i].track == track) {
                        remove_at(bus, i);
                        break;
                }
        return 0;
}

static int subscriber_init(Subscriber *subscriber, Bus *bus, const BusCall *call,
                           const char *name) {
        int r;

        *subscriber = (Subscriber){ .actor = call->actor, .name = strdup(name) };
        subscriber->actor.name = subscriber->actor.role = NULL;
        subscriber->actor.unit = call->actor.unit ? strdup(call->actor.unit) : NULL;
        if (!subscriber->name || (call->actor.unit && !subscriber->actor.unit))
                return -ENOMEM;
        r = sd_bus_track_new(bus->bus, &subscriber->track, on_gone, bus);
        return r < 0 ? r : sd_bus_track_add_name(subscriber->track, name);
}

int bus_subscribe(BusCall *call) {
        Bus *bus = call->bus;
        const char *name = sd_bus_message_get_sender(call->m);
        Subscriber *grown;
        int r;

        remove_name(bus, name);
        if (bus->n_subscribers == SUBSCRIBERS_MAX)
                return refuse(&call->refusal, REFUSED_LIMIT, "there are %d subscribers already",
                              SUBSCRIBERS_MAX);
        grown = reallocarray(bus->subscribers, bus->n_subscribers + 1, sizeof(Subscriber));
        if (!grown)
                return -ENOMEM;
        bus->subscribers = grown;
        r = subscriber_init(&grown[bus->n_subscribers], bus, call, name);
        if (r < 0) {
                subscriber_done(&grown[bus->n_subscribers]);
                return r;
        }
        bus->n_subscribers++;
        return 0;
}

int bus_unsubscribe(BusCall *call) {
        remove_name(call->bus, sd_bus_message_get_sender(call->m));
        return 0;
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

static const char *interface_of(const Kind *kind) {
        for (size_t i = 0; bus_interfaces[i]; i++)
                if (bus_interfaces[i]->kind == kind)
                        return bus_interfaces[i]->name;
        return NULL;
}

static int make_changed(Bus *bus, const Announcement *a, sd_bus_message **ret) {
        int r = sd_bus_message_new_signal(bus->bus, ret, AFTERSALES_PATH, interface_of(a->kind),
                                          "Changed");

        return r < 0 ? r
                     : sd_bus_message_append(*ret, "tstt", a->item->id,
                                             enum_name(a->kind->state_names, a->item->state),
                                             a->item->revision, a->sequence);
}

static int make_escalated(Bus *bus, const Announcement *a, sd_bus_message **ret) {
        const Escalation *e = a->escalation;
        int r = sd_bus_message_new_signal(bus->bus, ret, AFTERSALES_PATH, AFTERSALES_ESCALATIONS,
                                          "Escalated");

        return r < 0 ? r
                     : sd_bus_message_append(*ret, "tststst", e->id, a->kind->name, e->case_id,
                                             enum_name(&cause_names, e->cause), (uint64_t)e->level,
                                             e->recipient, a->sequence);
}

static bool may_hear(const Subscriber *subscriber, const Announcement *a) {
        const Actor *actor = &subscriber->actor;

        if (a->item)
                return actor_may(actor, a->kind->read) &&
                       actor_in_scope(actor, a->item->subcentre, a->item->dealer);
        return actor_may(actor, PERMISSION_ESCALATION_READ) &&
               actor_in_scope(actor, a->escalation->subcentre, a->escalation->dealer);
}

void bus_announce(void *userdata, const Announcement *announcement) {
        Bus *bus = userdata;

        for (size_t i = 0; i < bus->n_subscribers; i++) {
                _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
                uint64_t queued = 0;
                int r;

                if (!may_hear(&bus->subscribers[i], announcement))
                        continue;
                sd_bus_get_n_queued_write(bus->bus, &queued);
                if (queued > QUEUED_MAX)
                        return;
                r = announcement->item ? make_changed(bus, announcement, &m)
                                       : make_escalated(bus, announcement, &m);
                if (r >= 0)
                        r = sd_bus_message_set_destination(m, bus->subscribers[i].name);
                if (r >= 0)
                        r = sd_bus_send(bus->bus, m, NULL);
                if (r < 0)
                        log_warning("a signal could not be sent: %s", strerror(-r));
        }
}
