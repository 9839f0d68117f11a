/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Who is behind a name on the bus. Asked of the bus once for each connection, without waiting:
 * unique names are never used again, so the answer holds. Calls that come before the answer wait in
 * order. */

#include <systemd/sd-bus.h>

#include "bus/access.h"

/* Who a connection is, as the bus says. */
typedef struct Credentials {
        uid_t uid;
        gid_t *gids;
        size_t n_gids;
} Credentials;

/* Into an empty one. 0 or -ENOMEM. */
int credentials_copy(Credentials *credentials, const Credentials *source);
void credentials_done(Credentials *credentials);

typedef struct Identities Identities;

/* Handles a call whose sender has become known. */
typedef void (*IdentifiedCall)(void *userdata, sd_bus_message *m, const void *subject);

int identities_new(sd_bus *bus, const Access *access, IdentifiedCall handle, void *userdata,
                   Identities **ret);
Identities *identities_free(Identities *identities);

/* 0: *ret_actor and uid are filled; 1: not known yet, the call is kept and handled later; negative
 * errno: -EBUSY too many calls wait already. */
int identities_find(Identities *identities, sd_bus_message *m, const void *subject,
                    Actor *ret_actor, uid_t *ret_uid);
/* Those of a connection that is known, or NULL. */
const Credentials *identities_credentials(Identities *identities, const char *name);
/* The access has become another one: so has what each of them may do. */
void identities_access_changed(Identities *identities);
