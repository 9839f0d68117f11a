/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Tickets: every piece of customer information, in a closed loop. */

#include "aftersales/ticket.h"
#include "loop/case.h"
#include "loop/kind.h"

typedef enum TicketState {
        TICKET_RECEIVED = 1,
        TICKET_DISPATCHED,
        TICKET_ACCEPTED,
        TICKET_VISITED,
        TICKET_WAITING_PART,
        TICKET_WAITING_CUSTOMER,
        TICKET_RESOLVED,
        TICKET_FOLLOWED_UP,
        TICKET_CLOSED,
        TICKET_VOIDED,
        _TICKET_STATE_MAX,
} TicketState;

typedef enum TicketChannel {
        CHANNEL_PHONE = 1,
        CHANNEL_DEALER,
        CHANNEL_SHOP,
        CHANNEL_WEB,
        CHANNEL_FAX,
        CHANNEL_IMPORT
} TicketChannel;
typedef enum TicketOutcome {
        OUTCOME_SATISFIED = 1,
        OUTCOME_DISSATISFIED,
        OUTCOME_UNREACHABLE
} TicketOutcome;
typedef enum TicketDecision { DECISION_ACCEPT = 1, DECISION_REOPEN } TicketDecision;
typedef enum TicketVoidReason {
        VOID_WRONG_NUMBER = 1,
        VOID_DUPLICATE,
        VOID_OTHER
} TicketVoidReason;
typedef enum TicketWarranty { WARRANTY_UNKNOWN = 1, WARRANTY_IN, WARRANTY_OUT } TicketWarranty;
typedef enum WarrantyBasis { BASIS_SERIAL = 1, BASIS_PURCHASE_DATE, BASIS_OVERRIDE } WarrantyBasis;

/* Why a part is under warranty or not. */
typedef enum PartBasis {
        PART_BASIS_UNIT = 1, /* as the whole unit */
        PART_BASIS_PART,     /* the part itself: it was new not long ago */
} PartBasis;

#define TICKET_PARTS_MAX       32 /* lines of a ticket */
#define TICKET_PARTS_GIVEN_MAX 16 /* of one call */

/* A part that was used. */
typedef struct TicketPart {
        Record record;
        int64_t line;
        char *part;
        int64_t quantity;
        char *serial, *old_serial;
        int64_t used_at, used_on; /* the instant, and its day */
        int warranty;
        int warranty_basis;
        int64_t core_quantity; /* that must come back */
} TicketPart;

typedef struct Ticket {
        Case head;
        int channel;
        char *reference;
        char *customer_name, *phone, *address;
        char *region;
        char *product, *serial;
        int64_t purchase_date;
        char *description;
        char *fault_code;
        char *technician;
        int64_t appointment;
        int64_t promised_at;
        int64_t visits;
        int64_t visited_at;
        char *parts_used;
        List parts; /* of TicketPart */
        int result;
        int64_t resolved_at;
        char *resolved_by, *resolved_dealer;
        int outcome;
        int64_t satisfaction;
        int reopen_reason;
        int64_t reopened;
        int64_t attempts;
        int64_t attempt_day;
        int64_t followed_up_at;
        char *followed_up_by;
        char *wait_reason;
        int resume_state;
        int void_reason;
        uint64_t duplicate_of;
        int warranty;
        int64_t warranty_until;
        int warranty_basis;
        uint64_t repeat_of;
        char *repeat_dealer;
        int decision;
        int64_t closed_at;
} Ticket;

extern const RecordType ticket_part_type;
extern const Kind ticket_kind;
extern const Table ticket_table;

/* Earlier tickets of the same serial number, or of the same customer's phone. */
extern const Index index_ticket_serial, index_ticket_phone, index_ticket_reference;
void ticket_done(Ticket *ticket);
Key ticket_phone_key(const char *phone);
