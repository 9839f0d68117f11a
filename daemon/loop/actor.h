/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Who acts, as the bus has established it, or the daemon itself. */

#include <stdbool.h>

#include "config/policy.h"

/* Names of permissions; each method and transition names one. X(symbol, name, meaning) */
#define PERMISSIONS(X)                                                                             \
        X(PERMISSION_TICKET_READ, "ticket.read", "see tickets within the scope")                   \
        X(PERMISSION_TICKET_CREATE, "ticket.create", "take tickets in")                            \
        X(PERMISSION_TICKET_UPDATE, "ticket.update", "change what is known about a ticket")        \
        X(PERMISSION_TICKET_DISPATCH, "ticket.dispatch", "give tickets to dealers")                \
        X(PERMISSION_TICKET_WORK, "ticket.work", "accept, visit, wait, resolve")                   \
        X(PERMISSION_TICKET_PROMISE, "ticket.promise", "promise the customer a time")              \
        X(PERMISSION_TICKET_FOLLOWUP, "ticket.followup", "call customers back, close, reopen")     \
        X(PERMISSION_TICKET_DECIDE, "ticket.decide", "decide on unreachable customers")            \
        X(PERMISSION_TICKET_VOID, "ticket.void", "void wrong or duplicate tickets")                \
        X(PERMISSION_TICKET_WARRANTY, "ticket.warranty", "override the computed warranty")         \
        X(PERMISSION_REPORT_READ, "report.read", "see dealers' daily reports within the scope")    \
        X(PERMISSION_REPORT_SUBMIT, "report.submit", "report for a dealer")                        \
        X(PERMISSION_REPORT_EXCUSE, "report.excuse", "excuse dealers who have not reported")       \
        X(PERMISSION_ESCALATION_READ, "escalation.read", "see escalations within the scope")       \
        X(PERMISSION_ESCALATION_ACKNOWLEDGE, "escalation.acknowledge", "take an escalation on")    \
        X(PERMISSION_NOTIFICATION_TAKE, "notification.take", "take notifications to deliver them") \
        X(PERMISSION_UNIT_READ, "unit.read", "see units")                                          \
        X(PERMISSION_UNIT_WRITE, "unit.write", "create and change units")                          \
        X(PERMISSION_PRODUCT_READ, "product.read", "see products")                                 \
        X(PERMISSION_PRODUCT_WRITE, "product.write", "create and change products")                 \
        X(PERMISSION_SERIAL_READ, "serial.read", "see serial numbers")                             \
        X(PERMISSION_SERIAL_WRITE, "serial.write", "create and change serial numbers")             \
        X(PERMISSION_FAULT_READ, "fault.read", "see fault codes")                                  \
        X(PERMISSION_FAULT_WRITE, "fault.write", "create and change fault codes")                  \
        X(PERMISSION_PART_READ, "part.read", "see parts")                                          \
        X(PERMISSION_PART_WRITE, "part.write", "create and change parts")                          \
        X(PERMISSION_SUPPLIER_READ, "supplier.read", "see suppliers")                              \
        X(PERMISSION_SUPPLIER_WRITE, "supplier.write", "create and change suppliers")              \
        X(PERMISSION_STOCK_READ, "stock.read", "see stock and its moves within the scope")         \
        X(PERMISSION_STOCK_MOVE, "stock.move", "move stock by hand, count it, scrap it")           \
        X(PERMISSION_CORE_READ, "core.read", "see cores within the scope")                         \
        X(PERMISSION_CORE_SHIP, "core.ship", "send cores back")                                    \
        X(PERMISSION_CORE_RECEIVE, "core.receive", "record that cores have arrived")               \
        X(PERMISSION_CORE_INSPECT, "core.inspect", "accept and reject cores")                      \
        X(PERMISSION_CORE_DECIDE, "core.decide", "charge dealers for cores that do not come back") \
        X(PERMISSION_ORDER_READ, "order.read", "see orders of parts within the scope")             \
        X(PERMISSION_ORDER_CREATE, "order.create", "order parts")                                  \
        X(PERMISSION_ORDER_APPROVE, "order.approve", "approve, cut and cancel orders")             \
        X(PERMISSION_ORDER_SHIP, "order.ship", "send what is ordered")                             \
        X(PERMISSION_ORDER_RECEIVE, "order.receive", "receive what was ordered")                   \
        X(PERMISSION_CONTRACT_READ, "contract.read",                                               \
          "see contracts with suppliers and what they owe")                                        \
        X(PERMISSION_CONTRACT_WRITE, "contract.write", "create and change contracts")              \
        X(PERMISSION_CONTRACT_SHIP, "contract.ship", "record what suppliers have sent, claim")     \
        X(PERMISSION_CONTRACT_WAIVE, "contract.waive", "waive what suppliers owe")                 \
        X(PERMISSION_ASSESSMENT_READ, "assessment.read",                                           \
          "see what counts for and against dealers within the scope")                              \
        X(PERMISSION_PERSONAL_READ, "personal.read", "see personal data unmasked")                 \
        X(PERMISSION_ACT_FOR, "act_for", "name the person for whom a program acts")                \
        X(PERMISSION_DATA_IMPORT, "data.import", "import files, within all other permissions")     \
        X(PERMISSION_DATA_EXPORT, "data.export", "export files, within all other permissions")     \
        X(PERMISSION_STATUS_READ, "status.read", "see the state of the service")                   \
        X(PERMISSION_ADMIN_CHECK, "admin.check", "check the whole store")                          \
        X(PERMISSION_ADMIN_RELOAD, "admin.reload",                                                 \
          "reload the configuration, or look what that would do")                                  \
        X(PERMISSION_ADMIN_BACKUP, "admin.backup", "make backups and see which there are")         \
        X(PERMISSION_ADMIN_JOB, "admin.job", "see and cancel everybody's jobs")                    \
        X(PERMISSION_ADMIN_CLOCK, "admin.clock", "accept or set the clock")                        \
        X(PERMISSION_ADMIN_LOG, "admin.log", "set the log level")

typedef enum Permission {
#define X(symbol, name, meaning) symbol,
        PERMISSIONS(X)
#undef X
                _PERMISSION_MAX,
} Permission;

const char *permission_name(Permission permission);
/* The permission of a name, or _PERMISSION_MAX. */
Permission permission_from_name(const char *name);

typedef struct Actor {
        const char
                *name; /* "uid:1000", "uid:990/A1023" for the person behind a program, "daemon" */
        const char *role;
        uint64_t permissions; /* bit mask over Permission */
        ScopeKind scope;
        const char *unit; /* the unit's code unless the scope is headquarters */
} Actor;

/* What the daemon does by itself, at a time that has come. */
extern const Actor daemon_actor;

static inline bool actor_may(const Actor *actor, Permission permission) {
        return actor->permissions >> permission & 1;
}

/* Whether what belongs to this sub-centre and dealer (either may be NULL) is the actor's to see. */
bool actor_in_scope(const Actor *actor, const char *subcentre, const char *dealer);
