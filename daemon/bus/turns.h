/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Whose turn it is. The bus hands over calls one behind the other, whoever sent them: in that order
 * one who sends many would keep all others waiting. So what has come is read ahead, kept by user,
 * and done in turn, a call of each. A user's own calls stay in order. The same holds for those who
 * call past the bus. */

#include <sys/types.h>
#include <systemd/sd-bus.h>

typedef struct Turns Turns;

/* Does a call whose turn has come. */
typedef void (*TurnCome)(void *userdata, const void *subject, sd_bus_message *m);

/* A connection cannot be read on: what it has sent stays without an answer. */
typedef void (*TurnLost)(void *userdata, sd_bus *connection, int r);

int turns_new(sd_bus *bus, sd_event *event, TurnCome come, TurnLost lost, void *userdata,
              Turns **ret);
Turns *turns_free(Turns *turns);

/* Keeps the call until it is its turn; never does it by itself. 0, -ENOMEM, -EBUSY: too many of
 * that user wait already, -EMSGSIZE: it is larger than CALL_BYTES_MAX, or -EBADMSG: it is not what
 * its signature says. */
int turns_take(Turns *turns, uid_t uid, const void *subject, sd_bus_message *m);

/* For calls that were taken when the loop had no event: after one it looks by itself. */
void turns_look(Turns *turns);
