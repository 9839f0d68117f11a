/* SPDX-License-Identifier: Apache-2.0 */

/* What callers do not read. The bus keeps an answer until it is read, on the account of its sender;
 * past its limit (127 MiB unless configured) it takes nothing from us any more, and one caller who
 * never reads would silence the service for everybody. So every few answers the bus is asked how
 * much of ours it keeps, and once that is much, for whom: those get nothing, not even a refusal,
 * until they have read. Where the bus does not tell (its policy must let us ask, a bus that counts
 * by user needs none of this) everybody is trusted. */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "aftersales/bus.h"
#include "aftersales/limits.h"
#include "base/log.h"
#include "bus/internal.h"

#define STATS_INTERFACE      "org.freedesktop.DBus.Debug.Stats"

#define ANSWERS_PER_QUESTION 32
#define KEPT_MAX             (16U * 1024 * 1024) /* by the bus for all; below, nobody is suspected */
#define KEPT_FOR_ONE_MAX     (4U * 1024 * 1024)  /* who has many calls under way may have as much */
#define KEPT_OF_USER_MAX     (16U * 1024 * 1024) /* on all connections: tighter for each of them */
#define KEPT_TIGHT           (64U * 1024 * 1024) /* for all: from here on it is tighter for each */
#define KEPT_FOR_ONE_TIGHT   (512U * 1024)
#define ASK_AGAIN            USEC_PER_SEC /* whether one who gets nothing has read by now */
#define PEERS_MAX            1024
#define NOBODY_KNOWN         ((uid_t)-1)

typedef struct Peer {
        struct Peer *next;
        Backlog *backlog;
        sd_bus_slot *question;
        int64_t asked_at;
        uid_t uid;     /* NOBODY_KNOWN: of whom only sd-bus has answered calls */
        uint32_t kept; /* for it, when the bus was asked last */
        bool deaf;     /* gets nothing */
        char name[];
} Peer;

struct Backlog {
        sd_bus *bus;
        sd_bus_slot *question;
        unsigned answers; /* since the last question */
        bool silent;      /* the bus does not tell */
        bool tight;
        Peer *peers; /* those answered lately, and the deaf */
        size_t n_peers;
};

/* ---- asking ---- */

/* The number of that name in an a{sv}. */
static int read_stat(sd_bus_message *m, const char *wanted, uint32_t *ret) {
        const char *key;
        int r = sd_bus_message_enter_container(m, 'a', "{sv}");

        while (r >= 0 && (r = sd_bus_message_enter_container(m, 'e', "sv")) > 0) {
                r = sd_bus_message_read_basic(m, 's', &key);
                if (r >= 0 && STREQ(key, wanted))
                        return sd_bus_message_read(m, "v", "u", ret);
                if (r >= 0)
                        r = sd_bus_message_skip(m, "v");
                if (r >= 0)
                        r = sd_bus_message_exit_container(m);
        }
        return r < 0 ? r : -ENOENT;
}

static int ask(Backlog *backlog, const char *name, sd_bus_slot **slot,
               sd_bus_message_handler_t handler, void *userdata) {
        return sd_bus_call_method_async(backlog->bus, slot, "org.freedesktop.DBus",
                                        "/org/freedesktop/DBus", STATS_INTERFACE,
                                        "GetConnectionStats", handler, userdata, "s", name);
}

static void remove_peer(Backlog *backlog, Peer *peer) {
        for (Peer **p = &backlog->peers; *p; p = &(*p)->next)
                if (*p == peer) {
                        *p = peer->next;
                        backlog->n_peers--;
                        break;
                }
        sd_bus_slot_unref(peer->question);
        free(peer);
}

/* One user's many connections must not make it tight for all others. */
static bool is_tight_for(const Peer *peer) {
        uint64_t kept = 0;

        for (const Peer *other = peer->backlog->peers; other; other = other->next)
                if (other->uid == peer->uid)
                        kept += other->kept;
        return peer->backlog->tight || kept > KEPT_OF_USER_MAX;
}

static int on_peer(sd_bus_message *m, void *userdata, sd_bus_error *error _unused_) {
        Peer *peer = userdata;
        uint32_t limit, kept = 0;

        peer->question = sd_bus_slot_unref(peer->question);
        if (sd_bus_message_is_method_error(m, NULL) || read_stat(m, "OutgoingBytes", &kept) < 0) {
                remove_peer(peer->backlog, peer); /* it has gone */
                return 0;
        }
        peer->kept = kept;
        limit = is_tight_for(peer) ? KEPT_FOR_ONE_TIGHT : KEPT_FOR_ONE_MAX;
        if (kept > limit && !peer->deaf)
                log_warning("%s does not read its answers (%u KiB wait): it gets none until it has",
                            peer->name, kept / 1024);
        else if (kept <= limit && peer->deaf)
                log_notice("%s reads its answers again", peer->name);
        peer->deaf = kept > limit;
        return 0;
}

static void ask_for(Peer *peer) {
        if (peer->question)
                return;
        peer->asked_at = boot_clock_now();
        ask(peer->backlog, peer->name, &peer->question, on_peer, peer);
}

static void forget_peers(Backlog *backlog) {
        for (Peer *peer = backlog->peers, *next; peer; peer = next) {
                next = peer->next;
                if (!peer->deaf && !peer->question)
                        remove_peer(backlog, peer);
        }
}

static int on_ours(sd_bus_message *m, void *userdata, sd_bus_error *error _unused_) {
        Backlog *backlog = userdata;
        uint32_t kept = 0;

        backlog->question = sd_bus_slot_unref(backlog->question);
        if (sd_bus_message_is_method_error(m, SD_BUS_ERROR_ACCESS_DENIED) ||
            sd_bus_message_is_method_error(m, SD_BUS_ERROR_UNKNOWN_METHOD) ||
            sd_bus_message_is_method_error(m, SD_BUS_ERROR_UNKNOWN_INTERFACE)) {
                log_info("the bus does not tell who reads no answers: %s",
                         sd_bus_message_get_error(m)->message);
                backlog->silent = true;
                return 0;
        }
        if (sd_bus_message_is_method_error(m, NULL) || read_stat(m, "IncomingBytes", &kept) < 0)
                return 0;
        backlog->tight = kept > KEPT_TIGHT;
        if (kept <= KEPT_MAX) {
                forget_peers(backlog);
                return 0;
        }
        for (Peer *peer = backlog->peers; peer; peer = peer->next)
                ask_for(peer);
        return 0;
}

/* ---- for the bus ---- */

static Peer *find_peer(Backlog *backlog, const char *name) {
        for (Peer *peer = backlog->peers; peer; peer = peer->next)
                if (STREQ(peer->name, name))
                        return peer;
        return NULL;
}

static Peer *add_peer(Backlog *backlog, const char *name) {
        size_t size = strlen(name) + 1;
        Peer *peer;

        if (backlog->n_peers >= PEERS_MAX)
                return NULL;
        peer = calloc(1, sizeof(*peer) + size);
        if (!peer)
                return NULL;
        memcpy(peer->name, name, size);
        peer->backlog = backlog;
        peer->uid = NOBODY_KNOWN;
        peer->next = backlog->peers;
        backlog->peers = peer;
        backlog->n_peers++;
        return peer;
}

void backlog_note(Backlog *backlog, const char *name, const Credentials *credentials) {
        Peer *peer;

        if (backlog->silent)
                return;
        peer = find_peer(backlog, name);
        if (!peer)
                peer = add_peer(backlog, name);
        if (peer && credentials)
                peer->uid = credentials->uid;
        if (++backlog->answers < ANSWERS_PER_QUESTION || backlog->question)
                return;
        backlog->answers = 0;
        if (ask(backlog, AFTERSALES_BUS_NAME, &backlog->question, on_ours, backlog) < 0)
                backlog->question = NULL;
}

bool backlog_is_deaf(Backlog *backlog, const char *name) {
        Peer *peer = name ? find_peer(backlog, name) : NULL;

        if (!peer || !peer->deaf)
                return false;
        if (boot_clock_now() - peer->asked_at >= ASK_AGAIN)
                ask_for(peer);
        return true;
}

int backlog_new(sd_bus *bus, Backlog **ret) {
        Backlog *backlog = calloc(1, sizeof(*backlog));

        if (!backlog)
                return -ENOMEM;
        backlog->bus = bus;
        *ret = backlog;
        return 0;
}

Backlog *backlog_free(Backlog *backlog) {
        if (!backlog)
                return NULL;
        while (backlog->peers)
                remove_peer(backlog, backlog->peers);
        sd_bus_slot_unref(backlog->question);
        free(backlog);
        return NULL;
}
