/* SPDX-License-Identifier: Apache-2.0 */

/* Whether a time source keeps the wall clock right. Confined as we are, the kernel does not tell us
 * (adjtimex is among the system calls that can set the clock); systemd-timedated may ask it. */

#include <string.h>

#include "base/log.h"
#include "bus/internal.h"

#define TIMEDATE_NAME      "org.freedesktop.timedate1"
#define TIMEDATE_PATH      "/org/freedesktop/timedate1"
#define TIMEDATE_INTERFACE "org.freedesktop.timedate1"

/* No answer is no confirmation. */
static int on_answer(sd_bus_message *m, void *userdata, sd_bus_error *error _unused_) {
        Bus *bus = userdata;
        int synchronised = 0;

        bus->time_source = sd_bus_slot_unref(bus->time_source);
        if (sd_bus_message_is_method_error(m, NULL))
                log_debug("nobody confirms the clock: %s", sd_bus_message_get_error(m)->message);
        else if (sd_bus_message_read(m, "v", "b", &synchronised) < 0)
                return 0;
        if (synchronised)
                due_confirm_clock(bus->due);
        return 0;
}

void time_source_ask(void *userdata) {
        Bus *bus = userdata;
        int r;

        if (bus->time_source)
                return;
        r = sd_bus_call_method_async(bus->bus, &bus->time_source, TIMEDATE_NAME, TIMEDATE_PATH,
                                     "org.freedesktop.DBus.Properties", "Get", on_answer, bus, "ss",
                                     TIMEDATE_INTERFACE, "NTPSynchronized");
        if (r < 0)
                log_warning("cannot ask whether the clock is right: %s", strerror(-r));
}
