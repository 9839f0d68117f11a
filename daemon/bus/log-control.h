/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* org.freedesktop.LogControl1, by which "systemctl service-log-level" reads and sets the log level
 * of a running service. */

#include "bus/internal.h"

int log_control_register(Bus *bus, sd_bus *connection);
