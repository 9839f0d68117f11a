/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The interfaces, a file an area; their order is that of the introspection. */

#include "aftersales/bus.h"
#include "bus/internal.h"

extern const BusInterface escalations_interface, notifications_interface, calendars_interface,
        manager_interface, jobs_interface, transfer_interface, clock_interface, policy_interface,
        backups_interface, stock_interface, planning_interface, accounts_interface, owed_interface;

/* Policy.Simulate. */
int policy_simulate(BusCall *call);
