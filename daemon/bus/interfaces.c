/* SPDX-License-Identifier: Apache-2.0 */

/* Everything on the bus: a further kind of case or register is one entry here. */

#include <stdio.h>

#include "bus/areas.h"
#include "dealers/report.h"
#include "masters/product.h"
#include "masters/unit.h"
#include "tickets/ticket.h"

static const BusInterface tickets_interface = {
        .name = AFTERSALES_TICKETS,
        .kind = &ticket_kind,
        .methods = case_methods,
        .signals = case_signals,
        .doc = "Customer tickets, each in a closed loop: it ends only with a customer who was asked and is satisfied.",
};

static const BusInterface reports_interface = {
        .name = AFTERSALES_REPORTS,
        .kind = &report_kind,
        .methods = case_methods,
        .signals = case_signals,
        .doc = "Dealers' daily reports, one a dealer and day: a file of tickets that is imported for it "
               "(Transfer.Import with the option report), or the word that there is nothing to report. Creating "
               "the report of the same dealer and day again gives the same one.",
};

static const BusInterface units_interface = {
        .name = AFTERSALES_UNITS,
        .reg = &unit_register,
        .methods = master_methods,
        .doc = "Headquarters, its departments, sub-centres and dealers.",
};

static const BusInterface products_interface = {
        .name = AFTERSALES_PRODUCTS,
        .reg = &product_register,
        .methods = master_methods,
        .doc = "Models that are sold.",
};

static const BusInterface serials_interface = {
        .name = AFTERSALES_SERIALS,
        .reg = &serial_register,
        .methods = master_methods,
        .doc = "Serial numbers that are known, with the day of their sale.",
};

static const BusInterface faults_interface = {
        .name = AFTERSALES_FAULTS,
        .reg = &fault_register,
        .methods = master_methods,
        .doc = "Codes of faults.",
};

const BusInterface *const bus_interfaces[] = {
        &manager_interface,  &jobs_interface,        &transfer_interface,      &tickets_interface,
        &reports_interface,  &escalations_interface, &notifications_interface, &units_interface,
        &products_interface, &serials_interface,     &faults_interface,        &calendars_interface,
        &policy_interface,   &backups_interface,     &clock_interface,         NULL,
};

const Register *const bus_registers[] = {
        &unit_register, &product_register, &serial_register, &fault_register, NULL,
};

void bus_list_names(bool registers, char *buffer, size_t size) {
        size_t used = 0;

        for (size_t i = 0; bus_interfaces[i] && used < size; i++) {
                const Kind *kind = bus_interfaces[i]->kind;
                const Register *reg = registers ? bus_interfaces[i]->reg : NULL;

                if (kind || reg)
                        used += (size_t)snprintf(buffer + used, size - used, "%s%s",
                                                 used ? ", " : "", kind ? kind->name : reg->name);
        }
}
