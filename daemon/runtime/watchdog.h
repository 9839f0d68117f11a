/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The service manager's watchdog. A ping proves more than that the loop turns: the store can be
 * read, and what is due is not left lying. When the pings stop, the service manager ends the
 * process and starts it again, which loses nothing.
 *
 * Left lying means: for a whole watchdog period something has been due and no slice of the due
 * timer has ended well. A long catch-up, a suspected clock, a full disk or a damaged record are no
 * reason to stop the pings: they are told elsewhere, and a new start would mend none of them. */

#include <systemd/sd-event.h>

#include "runtime/due.h"
#include "runtime/notify.h"
#include "store/store.h"

/* So often in a period it is looked and pinged; a lost turn or two do no harm. */
#define WATCHDOG_TURNS 3

typedef struct Watchdog Watchdog;

/* Does nothing, wakes nobody, unless the service manager wants pings. status may be NULL; what the
 * commits do not tell it, it hears here. */
int watchdog_new(sd_event *event, Store *store, DueTimer *due, StatusLine *status, Watchdog **ret);
Watchdog *watchdog_free(Watchdog *watchdog);
