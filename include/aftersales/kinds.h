/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Every kind of case: number (stored, never changes), name, the letter before its numbers.
 * X(symbol, number, name, letter) */
#define AFTERSALES_KINDS(X)                                                                        \
        X(KIND_TICKET, 1, "ticket", 'T')                                                           \
        X(KIND_REPORT, 2, "report", 'R')                                                           \
        X(KIND_CORE, 3, "core", 'C')                                                               \
        X(KIND_ORDER, 4, "order", 'O')                                                             \
        X(KIND_OBLIGATION, 5, "obligation", 'B')

enum {
#define X(symbol, number, name, letter) symbol = (number),
        AFTERSALES_KINDS(X)
#undef X
};

/* Letters of numbered records that are no cases. */
#define LETTER_ESCALATION   'E'
#define LETTER_NOTIFICATION 'N'
#define LETTER_MOVE         'M'
#define LETTER_ASSESSMENT   'A'
#define LETTER_SHIPMENT     'G'
