/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The connection to the daemon, and what its refusals mean for the exit code. */

#include <stdbool.h>
#include <stdint.h>

#include "macro.h"
#include "text.h"

typedef struct Client {
        sd_bus *bus;
        const Report *report;
        uint64_t timeout; /* microseconds a call may take; 0: the library's own */
        bool quick;       /* neither starts the daemon nor waits for its return */
        bool follows;     /* that the daemon is away is no failure: -EAGAIN, without a word */
} Client;

/* The system bus of this machine or, through ssh, of [USER@]HOST. 0 or an exit code; all of these
 * have reported what was wrong. */
int client_open(Client *client, const Report *report, const char *host);
void client_done(Client *client);

/* A call to be completed with arguments. 0 or negative errno. */
int client_new_call(Client *client, const char *interface, const char *method,
                    sd_bus_message **ret);

/* Appends arguments as sd_bus_message_append() does. 0 or negative errno. */
int client_append(sd_bus_message *m, const char *types, ...);

/* Sends it and takes what was answered, which must have that signature, as an array of the values.
 * A call in which the daemon went away is sent once more: every change has a request id, so that it
 * is made only once. 0, an exit code or negative errno. */
int client_call(Client *client, sd_bus_message *m, const char *signature, json_object **ret);

/* The same for an answer with a file, which no JSON can hold. */
int client_call_message(Client *client, sd_bus_message *m, const char *signature,
                        sd_bus_message **ret);

/* All of that for arguments of basic types and an answer of one value. */
int client_get(Client *client, const char *interface, const char *method, const char *signature,
               json_object **ret, const char *types, ...);

/* The daemon's time, or this machine's where it does not tell. userdata: the Client. */
int64_t client_now(void *userdata);

/* The exit code for an error's name on the bus. */
int exit_code_of(const char *error_name);
