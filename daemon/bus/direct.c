/* SPDX-License-Identifier: Apache-2.0 */

#include "bus/direct.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "aftersales/bus.h"
#include "base/log.h"

#define PEERS_MAX      64
#define PEERS_OF_ONE   16  /* of a user */
#define STRANGERS_MAX  8   /* who may do nothing, besides those */
#define UNREAD_MAX     128 /* answers; as many calls as a bus lets be under way */
#define CALLERS_QUEUED 64  /* that wait to be let in */
#define EAGER_MAX      8   /* messages that may have been read along */

#define LOCAL_NAME     "org.freedesktop.DBus.Local"
#define LOCAL_PATH     "/org/freedesktop/DBus/Local"

typedef struct Direct {
        Bus *bus;
        char *path;
        int fd;
        sd_event_source *source;
        Peer *peers;
        uint64_t last; /* number of a peer */
} Direct;

/* ---- peers ---- */

static Peer *peer_free(Peer *peer) {
        if (!peer)
                return NULL;
        credentials_done(&peer->credentials);
        sd_event_source_disable_unref(peer->eager);
        sd_bus_close_unref(peer->connection); /* without waiting for anybody to read */
        free(peer);
        return NULL;
}

static void remove_peer(Peer *peer) {
        Direct *direct = peer->owner;

        for (Peer **at = &direct->peers; *at; at = &(*at)->next)
                if (*at == peer) {
                        *at = peer->next;
                        break;
                }
        subscriber_gone(direct->bus, peer->name);
        peer_free(peer);
}

const Peer *direct_find(const Direct *direct, sd_bus_message *m) {
        sd_bus *connection = sd_bus_message_get_bus(m);

        for (const Peer *peer = direct ? direct->peers : NULL; peer; peer = peer->next)
                if (peer->connection == connection)
                        return peer;
        return NULL;
}

const Peer *direct_find_name(const Direct *direct, const char *name) {
        for (const Peer *peer = direct ? direct->peers : NULL; peer; peer = peer->next)
                if (STREQ(peer->name, name))
                        return peer;
        return NULL;
}

void direct_hang_up(Direct *direct, const sd_bus *connection) {
        for (Peer *peer = direct->peers; peer; peer = peer->next)
                if (peer->connection == connection) {
                        remove_peer(peer);
                        break;
                }
}

bool direct_drop_deaf(Direct *direct, const Peer *peer) {
        uint64_t queued = 0;

        if (sd_bus_get_n_queued_write(peer->connection, &queued) < 0 || queued <= UNREAD_MAX)
                return false;
        log_info("hung up on uid %u, who reads no answers", (unsigned)peer->credentials.uid);
        direct_hang_up(direct, peer->connection);
        return true;
}

/* Much is answered by sd-bus itself, to anybody, and never comes to us: they must read that, too.
 */
static int on_any(sd_bus_message *m _unused_, void *userdata, sd_bus_error *error _unused_) {
        Peer *peer = userdata;

        return direct_drop_deaf(peer->owner, peer);
}

static int on_gone(sd_bus_message *m _unused_, void *userdata, sd_bus_error *error _unused_) {
        remove_peer(userdata);
        return 0;
}

/* ---- who it is ---- */

static void set_actor(Peer *peer) {
        const Credentials *c = &peer->credentials;

        access_find(peer->owner->bus->options.access, c->uid, c->gids, c->n_gids, &peer->actor);
}

void direct_access_changed(Direct *direct) {
        for (Peer *peer = direct ? direct->peers : NULL; peer; peer = peer->next)
                set_actor(peer);
}

/* As the bus tells them: the user, its group, and those that it has besides. */
static int read_credentials(int fd, Credentials *ret) {
        gid_t gids[GROUPS_MAX + 1];
        socklen_t size = sizeof(struct ucred), groups_size = GROUPS_MAX * sizeof(gid_t);
        struct ucred ucred;

        if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &ucred, &size) < 0)
                return -errno;
        gids[0] = ucred.gid;
        if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, gids + 1, &groups_size) < 0) {
                if (errno != ERANGE)
                        return -errno;
                groups_size = 0; /* too many to look at: as whoever has none */
        }
        return credentials_copy(ret,
                                &(Credentials){ ucred.uid, gids, 1 + groups_size / sizeof(gid_t) });
}

/* Whoever may do nothing hears so, but takes nobody's place. */
static bool is_welcome(const Direct *direct, const Peer *peer) {
        bool stranger = peer->actor.permissions == 0;
        unsigned of_one = 0, of_kind = 0; /* strangers have places of their own */

        for (const Peer *other = direct->peers; other; other = other->next) {
                of_one += other->credentials.uid == peer->credentials.uid;
                of_kind += (other->actor.permissions == 0) == stranger;
        }
        return of_one < PEERS_OF_ONE && of_kind < (stranger ? STRANGERS_MAX : PEERS_MAX);
}

/* ---- what a bus would answer ----
 * Most libraries speak to a bus only: they greet it and say what they want to hear. */

static int hello(sd_bus_message *m, void *userdata, sd_bus_error *error _unused_) {
        const Peer *peer = userdata;

        return sd_bus_reply_method_return(m, "s", peer->name);
}

static int agree(sd_bus_message *m, void *userdata _unused_, sd_bus_error *error _unused_) {
        return sd_bus_reply_method_return(m, "");
}

static int name_owner(sd_bus_message *m, void *userdata _unused_, sd_bus_error *error) {
        const char *name;
        int r = sd_bus_message_read(m, "s", &name);

        if (r < 0)
                return r;
        if (!STREQ(name, AFTERSALES_BUS_NAME))
                return sd_bus_error_set(error, SD_BUS_ERROR_NAME_HAS_NO_OWNER,
                                        "this is no bus: " AFTERSALES_BUS_NAME " alone is here");
        return sd_bus_reply_method_return(m, "s", AFTERSALES_BUS_NAME);
}

static const sd_bus_vtable bus_vtable[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_METHOD("Hello", "", "s", hello, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD("AddMatch", "s", "", agree, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD("RemoveMatch", "s", "", agree, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD("GetNameOwner", "s", "s", name_owner, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_VTABLE_END,
};

/* ---- letting them in ---- */

static int set_up(sd_bus *connection, int fd) {
        sd_id128_t id;
        int r = sd_bus_set_fd(connection, fd, fd);

        if (r < 0) {
                close(fd);
                return r;
        }
        r = sd_id128_randomize(&id);
        if (r >= 0)
                r = sd_bus_set_server(connection, true, id);
        if (r >= 0)
                r = sd_bus_negotiate_fds(connection, true);
        if (r >= 0) /* as with the bus */
                r = sd_bus_set_close_on_exit(connection, false);
        return r < 0 ? r : sd_bus_set_sender(connection, AFTERSALES_BUS_NAME);
}

/* What a caller sends along with the end of its introduction, sd-bus has read already and does not
 * look at before more comes. What it fails at would get no answer: it hangs up, as it does itself
 * on what comes later. */
static int on_ready(sd_event_source *source, void *userdata) {
        const Peer *peer = userdata;
        Direct *direct = peer->owner;
        _cleanup_(sd_bus_unrefp) sd_bus *connection = sd_bus_ref(peer->connection);
        int r = 1;

        if (sd_bus_is_ready(connection) == 0)
                return 0;
        sd_event_source_set_enabled(source, SD_EVENT_OFF);
        for (unsigned n = 0; n < EAGER_MAX && r > 0; n++)
                r = sd_bus_process(connection, NULL);
        if (r < 0)
                direct_hang_up(direct, connection); /* unless that has happened meanwhile */
        turns_look(direct->bus->turns);
        return 0;
}

static int serve(Direct *direct, Peer *peer) {
        int r = bus_register_all(direct->bus, peer->connection);

        if (r >= 0)
                r = sd_bus_add_object_vtable(peer->connection, NULL, "/org/freedesktop/DBus",
                                             "org.freedesktop.DBus", bus_vtable, peer);
        if (r >= 0)
                r = sd_bus_add_filter(peer->connection, NULL, on_any, peer);
        if (r >= 0)
                r = sd_bus_match_signal(peer->connection, NULL, LOCAL_NAME, LOCAL_PATH, LOCAL_NAME,
                                        "Disconnected", on_gone, peer);
        if (r >= 0)
                r = sd_event_add_post(direct->bus->options.event, &peer->eager, on_ready, peer);
        if (r < 0) {
                bus_leave(peer->connection);
                return r;
        }
        r = sd_bus_start(peer->connection);
        return r < 0 ? r
                     : sd_bus_attach_event(peer->connection, direct->bus->options.event,
                                           PRIORITY_BUS);
}

/* The descriptor is the connection's. */
static int let_in(Direct *direct, int fd) {
        Peer *peer = calloc(1, sizeof(*peer));
        int r;

        if (!peer) {
                close(fd);
                return -ENOMEM;
        }
        peer->owner = direct;
        snprintf(peer->name, sizeof(peer->name), DIRECT_PREFIX "%" PRIu64, ++direct->last);
        r = read_credentials(fd, &peer->credentials);
        if (r == 0) {
                set_actor(peer);
                r = is_welcome(direct, peer) ? sd_bus_new(&peer->connection) : -EACCES;
        }
        if (r < 0)
                close(fd);
        else
                r = set_up(peer->connection, fd);
        if (r >= 0)
                r = serve(direct, peer);
        if (r < 0) {
                peer_free(peer);
                return r;
        }
        peer->next = direct->peers;
        direct->peers = peer;
        return 0;
}

static int on_caller(sd_event_source *source _unused_, int fd, uint32_t events _unused_,
                     void *userdata) {
        int caller = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK), r;

        if (caller < 0)
                return 0; /* it has gone, or there is no descriptor left: it tries again */
        r = let_in(userdata, caller);
        if (r < 0)
                log_debug("a direct connection was not taken: %s", strerror(-r));
        return 0;
}

/* ---- the socket ---- */

/* Everybody may knock. */
static int listen_at(const char *path, int *ret) {
        _cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        struct sockaddr_un address = { .sun_family = AF_UNIX };

        if (fd < 0)
                return -errno;
        if (strlen(path) >= sizeof(address.sun_path))
                return -ENAMETOOLONG;
        memcpy(address.sun_path, path, strlen(path));
        if (unlink(path) < 0 && errno != ENOENT)
                return -errno;
        if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 || chmod(path, 0666) < 0 ||
            listen(fd, CALLERS_QUEUED) < 0)
                return -errno;
        *ret = TAKE_FD(fd);
        return 0;
}

int direct_new(Bus *bus, const char *path, Direct **ret) {
        Direct *direct = calloc(1, sizeof(*direct));
        int r;

        if (!direct)
                return -ENOMEM;
        *direct = (Direct){ .bus = bus, .fd = -1, .path = strdup(path) };
        r = direct->path ? listen_at(path, &direct->fd) : -ENOMEM;
        if (r == 0)
                r = sd_event_add_io(bus->options.event, &direct->source, direct->fd, EPOLLIN,
                                    on_caller, direct);
        if (r < 0) {
                direct_free(direct);
                return r;
        }
        *ret = direct;
        return 0;
}

Direct *direct_free(Direct *direct) {
        if (!direct)
                return NULL;
        sd_event_source_disable_unref(direct->source);
        while (direct->peers)
                remove_peer(direct->peers);
        if (direct->fd >= 0) {
                close(direct->fd);
                unlink(direct->path);
        }
        free(direct->path);
        free(direct);
        return NULL;
}
