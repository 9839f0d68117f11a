/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Connections past the bus, for programs that make many calls: D-Bus without a bus daemon, over a
 * socket of the service. The API is the same and so is what each caller may do; who is at the other
 * end, the kernel says. Whoever may do nothing is not let in, and who does not read is hung up on.
 */

#include "bus/internal.h"

#define DIRECT_PREFIX    ":direct." /* of their names, which no bus gives */
#define DIRECT_NAME_SIZE 32

typedef struct Peer {
        char name[DIRECT_NAME_SIZE]; /* in place of a name on the bus */
        sd_bus *connection;
        sd_event_source *eager; /* see on_ready() */
        Credentials credentials;
        Actor actor;
        struct Direct *owner;
        struct Peer *next;
} Peer;

/* Listens at this path, where an old socket is removed. */
int direct_new(Bus *bus, const char *path, struct Direct **ret);
struct Direct *direct_free(struct Direct *direct);

/* Who has sent the message; NULL: it came over the bus. */
const Peer *direct_find(const struct Direct *direct, sd_bus_message *m);
const Peer *direct_find_name(const struct Direct *direct, const char *name);
/* Nothing, if that has happened already. */
void direct_hang_up(struct Direct *direct, const sd_bus *connection);
/* Hangs up if so many answers are not read. Whether it has. */
bool direct_drop_deaf(struct Direct *direct, const Peer *peer);
void direct_access_changed(struct Direct *direct);
