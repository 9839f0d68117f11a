/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Names on the bus. The 1 is a promise: within it things are only added. */

#define AFTERSALES_BUS_NAME      "org.aftersales1"
#define AFTERSALES_PATH          "/org/aftersales1"

#define AFTERSALES_MANAGER       "org.aftersales1.Manager"
#define AFTERSALES_TRANSFER      "org.aftersales1.Transfer"
#define AFTERSALES_JOBS          "org.aftersales1.Jobs"
#define AFTERSALES_CLOCK         "org.aftersales1.Clock"
#define AFTERSALES_TICKETS       "org.aftersales1.Tickets"
#define AFTERSALES_REPORTS       "org.aftersales1.Reports"
#define AFTERSALES_UNITS         "org.aftersales1.Units"
#define AFTERSALES_PRODUCTS      "org.aftersales1.Products"
#define AFTERSALES_SERIALS       "org.aftersales1.Serials"
#define AFTERSALES_FAULTS        "org.aftersales1.Faults"
#define AFTERSALES_PARTS         "org.aftersales1.Parts"
#define AFTERSALES_SUPPLIERS     "org.aftersales1.Suppliers"
#define AFTERSALES_MOVES         "org.aftersales1.Moves"
#define AFTERSALES_CORES         "org.aftersales1.Cores"
#define AFTERSALES_ASSESSMENTS   "org.aftersales1.Assessments"
#define AFTERSALES_ORDERS        "org.aftersales1.Orders"
#define AFTERSALES_PLANNING      "org.aftersales1.Planning"
#define AFTERSALES_CONTRACTS     "org.aftersales1.Contracts"
#define AFTERSALES_SHIPMENTS     "org.aftersales1.Shipments"
#define AFTERSALES_OBLIGATIONS   "org.aftersales1.Obligations"
#define AFTERSALES_ACCOUNTS      "org.aftersales1.Accounts"
#define AFTERSALES_OWED          "org.aftersales1.Owed"
#define AFTERSALES_STOCK         "org.aftersales1.Stock"
#define AFTERSALES_ESCALATIONS   "org.aftersales1.Escalations"
#define AFTERSALES_NOTIFICATIONS "org.aftersales1.Notifications"
#define AFTERSALES_CALENDARS     "org.aftersales1.Calendars"
#define AFTERSALES_POLICY        "org.aftersales1.Policy"
#define AFTERSALES_BACKUPS       "org.aftersales1.Backups"

/* What a call's dictionary may carry besides the fields of the record:
 *
 *      request_id  s  the caller's own name for this call: a repetition within a week gets the same
 * answer revision    t  the revision the caller has seen: refused when the record has changed since
 *      note        s  a remark for the history
 *      by          s  the person for whom a program acts, e.g. an employee number
 *      at          x  when it happened, if it is reported later */
#define AFTERSALES_OPTION_REQUEST_ID "request_id"
#define AFTERSALES_OPTION_REVISION   "revision"
#define AFTERSALES_OPTION_NOTE       "note"
#define AFTERSALES_OPTION_BY         "by"
#define AFTERSALES_OPTION_AT         "at"
