/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Work for which callers need not wait, and which need not wait for ever: a bounded slice of it is
 * done when nothing that goes before it is left to do, or once it has waited for
 * BACKGROUND_PATIENCE. Who calls without end slows it down and cannot stop it. */

#include <systemd/sd-event.h>

#define BACKGROUND_PATIENCE 100000 /* microseconds */

typedef struct Background Background;

/* Does a slice, and wakes it again if there is more. It may be freed in there. */
typedef void (*BackgroundWork)(void *userdata);

int background_new(sd_event *event, int64_t priority, BackgroundWork work, void *userdata,
                   Background **ret);
Background *background_free(Background *background);
/* There is something to do. */
void background_wake(Background *background);
/* There is not any more. */
void background_rest(Background *background);
