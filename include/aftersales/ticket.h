/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The closed lists of a ticket. On the bus, in YAML, JSON and CSV each value is its name below, in
 * lower case; the numbers are those stored and never change. 0 always means "not given". */

typedef enum TicketType {
        TICKET_CONSULTATION = 1,   /* consultation */
        TICKET_INSTALLATION,       /* installation */
        TICKET_REPAIR,             /* repair */
        TICKET_COMPLAINT,          /* complaint */
        TICKET_RETURN_EXCHANGE,    /* return_exchange */
        TICKET_RECYCLING,          /* recycling: the old appliance is taken back */
        TICKET_CLEANING,           /* cleaning */
        TICKET_TECHNICAL_QUESTION, /* technical_question: asked by a dealer */
        _TICKET_TYPE_MAX,
} TicketType;

typedef enum TicketPriority {
        TICKET_NORMAL = 1, /* normal */
        TICKET_URGENT,     /* urgent */
        TICKET_SPECIAL,    /* special: a special customer, handled by the sub-centre itself */
        _TICKET_PRIORITY_MAX,
} TicketPriority;

#define TICKET_TYPE_NAMES                                                                          \
        [TICKET_CONSULTATION] = "consultation", [TICKET_INSTALLATION] = "installation",            \
        [TICKET_REPAIR] = "repair", [TICKET_COMPLAINT] = "complaint",                              \
        [TICKET_RETURN_EXCHANGE] = "return_exchange", [TICKET_RECYCLING] = "recycling",            \
        [TICKET_CLEANING] = "cleaning", [TICKET_TECHNICAL_QUESTION] = "technical_question"

#define TICKET_PRIORITY_NAMES                                                                      \
        [TICKET_NORMAL] = "normal", [TICKET_URGENT] = "urgent", [TICKET_SPECIAL] = "special"
