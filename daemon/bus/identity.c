/* SPDX-License-Identifier: Apache-2.0 */

#include "bus/identity.h"

#include <errno.h>
#include <string.h>

#define IDENTITIES_MAX 1024 /* connections remembered; the one longest unused goes first */
#define WAITING_MAX    128  /* calls of one connection that wait until it is known */
#define NAME_SIZE      64

typedef struct Waiting Waiting;
struct Waiting {
        sd_bus_message *m;
        const void *subject;
        Waiting *next;
};

typedef struct Identity {
        char name[NAME_SIZE];
        bool known;
        Credentials credentials;
        Actor actor;
        uint64_t used;
        sd_bus_slot *query;
        Waiting *first, *last; /* in order of arrival */
        size_t n_waiting;
        Identities *owner;
} Identity;

struct Identities {
        sd_bus *bus;
        const Access *access;
        IdentifiedCall handle;
        void *userdata;
        uint64_t clock; /* counts uses */
        Identity *list[IDENTITIES_MAX];
        size_t n;
};

static Waiting *waiting_free(Waiting *waiting) {
        sd_bus_message_unref(waiting->m);
        free(waiting);
        return NULL;
}

static int add_waiting(Identity *identity, sd_bus_message *m, const void *subject) {
        Waiting *waiting;

        if (identity->n_waiting >= WAITING_MAX)
                return -EBUSY;
        waiting = malloc(sizeof(*waiting));
        if (!waiting)
                return -ENOMEM;
        *waiting = (Waiting){ .m = sd_bus_message_ref(m), .subject = subject };
        if (identity->last)
                identity->last->next = waiting;
        else
                identity->first = waiting;
        identity->last = waiting;
        identity->n_waiting++;
        return 0;
}

static Identity *identity_free(Identity *identity) {
        if (!identity)
                return NULL;
        sd_bus_slot_unref(identity->query);
        credentials_done(&identity->credentials);
        for (Waiting *waiting = identity->first, *next; waiting; waiting = next) {
                next = waiting->next;
                waiting_free(waiting);
        }
        free(identity);
        return NULL;
}

static Identity *find(Identities *ids, const char *name) {
        for (size_t i = 0; i < ids->n; i++)
                if (STREQ(ids->list[i]->name, name)) {
                        Identity *identity = ids->list[i];

                        /* The busy ones to the front. */
                        ids->list[i] = ids->list[i / 2];
                        ids->list[i / 2] = identity;
                        return identity;
                }
        return NULL;
}

/* A place for a new one: the one longest unused makes room, unless its answer is still to come. */
static size_t make_room(Identities *ids) {
        size_t oldest = SIZE_MAX;

        if (ids->n < IDENTITIES_MAX)
                return ids->n++;
        for (size_t i = 0; i < ids->n; i++)
                if (ids->list[i]->known &&
                    (oldest == SIZE_MAX || ids->list[i]->used < ids->list[oldest]->used))
                        oldest = i;
        if (oldest != SIZE_MAX)
                ids->list[oldest] = identity_free(ids->list[oldest]);
        return oldest;
}

static int read_credentials(sd_bus_message *m, uid_t *ret_uid, gid_t gids[static GROUPS_MAX],
                            size_t *ret_n) {
        bool has_uid = false;
        int r;

        r = sd_bus_message_enter_container(m, 'a', "{sv}");
        while (r >= 0 && (r = sd_bus_message_enter_container(m, 'e', "sv")) > 0) {
                const char *key;
                const void *array;
                size_t size;
                uint32_t uid;

                r = sd_bus_message_read_basic(m, 's', &key);
                if (r >= 0 && STREQ(key, "UnixUserID")) {
                        r = sd_bus_message_read(m, "v", "u", &uid);
                        *ret_uid = uid;
                        has_uid = true;
                } else if (r >= 0 && STREQ(key, "UnixGroupIDs")) {
                        r = sd_bus_message_enter_container(m, 'v', "au");
                        if (r >= 0)
                                r = sd_bus_message_read_array(m, 'u', &array, &size);
                        if (r >= 0) {
                                *ret_n = MIN(size / sizeof(uint32_t), (size_t)GROUPS_MAX);
                                memcpy(gids, array, *ret_n * sizeof(uint32_t));
                                r = sd_bus_message_exit_container(m);
                        }
                } else if (r >= 0)
                        r = sd_bus_message_skip(m, "v");
                if (r >= 0)
                        r = sd_bus_message_exit_container(m);
        }
        return r < 0 ? r : has_uid ? 0 : -ENXIO;
}

static void set_actor(Identities *ids, Identity *identity) {
        const Credentials *c = &identity->credentials;

        access_find(ids->access, c->uid, c->gids, c->n_gids, &identity->actor);
}

/* Whoever has gone or whom the bus does not know is nobody: no error of the answer may give rights.
 * Only without memory nothing is known, not even that. */
static int learn(Identities *ids, Identity *identity, sd_bus_message *m) {
        gid_t gids[GROUPS_MAX];
        uid_t uid = (uid_t)-1;
        size_t n_gids = 0;
        int r = -ENXIO;

        if (!sd_bus_message_is_method_error(m, NULL))
                r = read_credentials(m, &uid, gids, &n_gids);
        if (r < 0 && r != -ENOMEM) {
                uid = (uid_t)-1;
                n_gids = 0;
                r = 0;
        }
        if (r == 0)
                r = credentials_copy(&identity->credentials, &(Credentials){ uid, gids, n_gids });
        if (r < 0)
                return r;
        set_actor(ids, identity);
        identity->known = true;
        return 0;
}

static void forget(Identities *ids, Identity *identity) {
        for (size_t i = 0; i < ids->n; i++)
                if (ids->list[i] == identity) {
                        ids->list[i] = ids->list[--ids->n];
                        identity_free(identity);
                        return;
                }
}

static int on_credentials(sd_bus_message *m, void *userdata, sd_bus_error *error _unused_) {
        Identity *identity = userdata;
        Identities *ids = identity->owner;
        Waiting *waiting, *next;
        int r = learn(ids, identity, m);

        identity->query = sd_bus_slot_unref(identity->query);
        /* Handling may put the identity itself out of the list. */
        waiting = identity->first;
        identity->first = identity->last = NULL;
        identity->n_waiting = 0;
        if (r < 0) /* the calls that wait ask anew */
                forget(ids, identity);
        for (; waiting; waiting = next) {
                next = waiting->next;
                ids->handle(ids->userdata, waiting->m, waiting->subject);
                waiting_free(waiting);
        }
        return 0;
}

/* However long it takes: the bus always answers, but behind all that it has for us already. */
static int ask_bus(Identities *ids, Identity *identity) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        int r;

        r = sd_bus_message_new_method_call(ids->bus, &m, "org.freedesktop.DBus",
                                           "/org/freedesktop/DBus", "org.freedesktop.DBus",
                                           "GetConnectionCredentials");
        if (r >= 0)
                r = sd_bus_message_append(m, "s", identity->name);
        return r < 0 ? r
                     : sd_bus_call_async(ids->bus, &identity->query, m, on_credentials, identity,
                                         UINT64_MAX);
}

static int ask(Identities *ids, const char *name, Identity **ret) {
        Identity *identity;
        size_t place;
        int r;

        place = make_room(ids);
        if (place == SIZE_MAX)
                return -EBUSY;
        identity = calloc(1, sizeof(*identity));
        ids->list[place] = identity;
        if (!identity) {
                ids->list[place] = ids->list[--ids->n];
                return -ENOMEM;
        }
        snprintf(identity->name, sizeof(identity->name), "%s", name);
        identity->owner = ids;
        r = ask_bus(ids, identity);
        if (r < 0) {
                identity_free(identity);
                ids->list[place] = ids->list[--ids->n];
                return r;
        }
        *ret = identity;
        return 0;
}

int identities_find(Identities *ids, sd_bus_message *m, const void *subject, Actor *ret_actor,
                    uid_t *ret_uid) {
        const char *name = sd_bus_message_get_sender(m);
        Identity *identity;
        int r;

        if (!name || strlen(name) >= NAME_SIZE)
                return -ENXIO;
        identity = find(ids, name);
        if (identity && identity->known) {
                identity->used = ++ids->clock;
                *ret_actor = identity->actor;
                *ret_uid = identity->credentials.uid;
                return 0;
        }
        r = identity ? 0 : ask(ids, name, &identity);
        if (r == 0)
                r = add_waiting(identity, m, subject);
        return r < 0 ? r : 1;
}

const Credentials *identities_credentials(Identities *ids, const char *name) {
        const Identity *identity = find(ids, name);

        return identity && identity->known ? &identity->credentials : NULL;
}

void identities_access_changed(Identities *ids) {
        for (size_t i = 0; i < ids->n; i++)
                if (ids->list[i]->known)
                        set_actor(ids, ids->list[i]);
}

int credentials_copy(Credentials *credentials, const Credentials *source) {
        gid_t *gids = calloc(source->n_gids + 1, sizeof(*gids));

        if (!gids)
                return -ENOMEM;
        if (source->n_gids > 0)
                memcpy(gids, source->gids, source->n_gids * sizeof(*gids));
        *credentials = (Credentials){ source->uid, gids, source->n_gids };
        return 0;
}

void credentials_done(Credentials *credentials) {
        free(credentials->gids);
        *credentials = (Credentials){};
}

int identities_new(sd_bus *bus, const Access *access, IdentifiedCall handle, void *userdata,
                   Identities **ret) {
        Identities *ids = calloc(1, sizeof(*ids));

        if (!ids)
                return -ENOMEM;
        ids->bus = bus;
        ids->access = access;
        ids->handle = handle;
        ids->userdata = userdata;
        *ret = ids;
        return 0;
}

Identities *identities_free(Identities *ids) {
        if (!ids)
                return NULL;
        for (size_t i = 0; i < ids->n; i++)
                identity_free(ids->list[i]);
        free(ids);
        return NULL;
}
