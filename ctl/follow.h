/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* For commands that go on until they are stopped: waits for signals of the daemon, which only say
 * that it is worth looking again, and comes back when daemon or bus were away. */

#include "commands.h"

typedef struct Follower {
        Client *client;
        const char *host; /* NULL: this machine */
        int signals;      /* descriptor on which SIGINT and SIGTERM arrive */
        bool woken;       /* something may have changed */
        bool moved;       /* the daemon has gone or come */
        bool ended;       /* stopped, or nobody reads the output any more */
        bool waiting;     /* it was said that the daemon is away */
        uint64_t pause;   /* microseconds before the next attempt */
} Follower;

/* Subscribes. From here on a call fails with -EAGAIN and without a word when the daemon is away.
 * 0, an exit code or negative errno. */
int follower_open(Follower *follower, Context *context);
void follower_done(Follower *follower);

/* Waits until something may have changed or so much time is over. 0, -EAGAIN: away. */
int follower_wait(Follower *follower, uint64_t usec);
/* After -EAGAIN: comes back, however long that takes. 0 (or it has ended), an exit code, negative
 * errno. */
int follower_return(Follower *follower);
/* Only lets time pass; a signal that ends the command ends this, too. */
void follower_pause(Follower *follower, uint64_t usec);
/* Hands over to the reader what was written; notices when there is none any more. */
void follower_flush(Follower *follower, FILE *f);
