/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The service on D-Bus. All sd-bus code is in this folder. */

#include <stdio.h>
#include <systemd/sd-event.h>

#include "base/clock.h"
#include "bus/access.h"
#include "loop/engine.h"
#include "loop/register.h"
#include "runtime/commit.h"
#include "runtime/due.h"
#include "runtime/notify.h"

typedef struct Bus Bus;

/* A configuration that a helper has found to be good. */
typedef struct NewPolicy {
        const char *digest;
        const char *by;  /* for whom it comes into force */
        const id_t *ids; /* of the users and groups of its rules of access, in their order */
        size_t n_ids;
} NewPolicy;

typedef struct BusOptions {
        sd_event *event;
        const char *address; /* NULL: the system bus */
        const char *socket;  /* for direct connections; NULL: none */
        const Engine *engine;
        const Access *access;
        Store *store;
        Committer *committer;
        WallClock *clock;
        const char *program;                       /* path of this program, for helpers */
        const char *config_path, *state_directory; /* likewise */
        /* Brings it into force, if it is still there. 0, > 0 refused. */
        int (*reload)(void *userdata, const NewPolicy *policy, Refusal *refusal);
        void *reload_userdata;
} BusOptions;

/* Everything that is stored besides cases; NULL-terminated. */
extern const Register *const bus_registers[];

/* Connects and registers everything; nothing is handled and no name is owned yet. */
int bus_new(const BusOptions *options, Bus **ret);
Bus *bus_free(Bus *bus);
/* What Status and the Clock interface ask; who tells the service manager that a reload is over. */
void bus_set_runtime(Bus *bus, DueTimer *due, StatusLine *status);
/* Takes the name and begins to serve. -EEXIST: another one has it. */
int bus_start(Bus *bus);
/* Before the end: gives up the name, and the bus has all answers then. Waits for it. */
void bus_stop(Bus *bus);

/* Reloads the configuration, as Policy.Reload does; the log tells how it went. */
void bus_reload(Bus *bus);
/* Others may do other things from now on: also those who are connected, and who listen. */
void bus_access_changed(Bus *bus);

/* For the publisher. */
struct FeedRow;
bool bus_is_heard(void *bus);
int bus_announce(void *bus, const struct FeedRow *row);
void bus_announced(void *bus, uint64_t sequence);

/* The error of a code, after AFTERSALES_ERROR_PREFIX. */
const char *bus_refusal_name(int code);

/* Writes the documented introspection XML of the whole service, from the tables it is built from.
 */
void bus_print_introspection(FILE *file);
