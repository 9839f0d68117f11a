/* SPDX-License-Identifier: Apache-2.0 */

/* Everything on the bus: a further kind of case or register is one entry here. */

#include <stdio.h>

#include "bus/areas.h"
#include "dealers/assessment.h"
#include "dealers/report.h"
#include "masters/part.h"
#include "masters/product.h"
#include "masters/unit.h"
#include "parts/contract.h"
#include "parts/core.h"
#include "parts/move.h"
#include "parts/order.h"
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

static const BusInterface cores_interface = {
        .name = AFTERSALES_CORES,
        .kind = &core_kind,
        .methods = case_methods,
        .signals = case_signals,
        .doc = "Cores: old parts that were replaced under warranty and must come back. Tickets make them; of "
               "what is shipped, received or judged in parts, the part that goes ahead becomes a core "
               "of its own (split_from).",
};

static const BusInterface orders_interface = {
        .name = AFTERSALES_ORDERS,
        .kind = &order_kind,
        .methods = case_methods,
        .signals = case_signals,
        .doc = "Orders of parts by dealers, sub-centres and headquarters, each step with its deadline.",
};

static const BusInterface contracts_interface = {
        .name = AFTERSALES_CONTRACTS,
        .reg = &contract_register,
        .methods = master_methods,
        .doc = "Contracts with suppliers of finished goods.",
};

static const BusInterface shipments_interface = {
        .name = AFTERSALES_SHIPMENTS,
        .reg = &shipment_register,
        .methods = entry_methods,
        .doc = "Goods that suppliers have sent. Each obliges them to parts and units besides, as their contract says.",
};

static const BusInterface obligations_interface = {
        .name = AFTERSALES_OBLIGATIONS,
        .kind = &obligation_kind,
        .methods = case_methods,
        .signals = case_signals,
        .doc = "What suppliers owe: parts and units with a shipment, and what was claimed because more has failed than "
               "was declared. They follow from shipments and claims.",
};

static const BusInterface assessments_interface = {
        .name = AFTERSALES_ASSESSMENTS,
        .reg = &assessment_register,
        .methods = entry_methods,
        .doc = "What counts for or against dealers, an entry for each event.",
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

static const BusInterface parts_interface = {
        .name = AFTERSALES_PARTS,
        .reg = &part_register,
        .methods = master_methods,
        .doc = "Spare parts.",
};

static const BusInterface suppliers_interface = {
        .name = AFTERSALES_SUPPLIERS,
        .reg = &supplier_register,
        .methods = master_methods,
        .doc = "Suppliers of parts.",
};

static const BusInterface moves_interface = {
        .name = AFTERSALES_MOVES,
        .reg = &move_register,
        .methods = entry_methods,
        .doc = "The stock ledger: moves of parts between places. What is where follows from them (Stock).",
};

const BusInterface *const bus_interfaces[] = {
        &manager_interface,
        &jobs_interface,
        &transfer_interface,
        &tickets_interface,
        &reports_interface,
        &escalations_interface,
        &notifications_interface,
        &units_interface,
        &products_interface,
        &serials_interface,
        &faults_interface,
        &parts_interface,
        &suppliers_interface,
        &moves_interface,
        &stock_interface,
        &cores_interface,
        &owed_interface,
        &orders_interface,
        &contracts_interface,
        &shipments_interface,
        &obligations_interface,
        &accounts_interface,
        &planning_interface,
        &assessments_interface,
        &calendars_interface,
        &policy_interface,
        &backups_interface,
        &clock_interface,
        NULL,
};

const Register *const bus_registers[] = {
        &unit_register,
        &product_register,
        &serial_register,
        &fault_register,
        &part_register,
        &supplier_register,
        &move_register,
        &assessment_register,
        &contract_register,
        &shipment_register,
        NULL,
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
