/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What suppliers of finished goods owe besides them. A contract declares at what rate a product's
 * parts fail, and what share of the units is sent along for exchange; each shipment of goods
 * obliges the supplier to so many of each, and failures above the rate to more, free of charge. */

#include "loop/kind.h"
#include "loop/register.h"

#define CONTRACT_PARTS_MAX 40

typedef struct Contract {
        Master master; /* code: its number */
        char *supplier;
        char *product; /* model */
        char *parts;   /* that it declares, separated by blanks */
        int64_t rate;  /* of each of them, in failures per million units */
        int64_t share; /* units sent along, per million */
        int64_t from, until;
} Contract;

/* Goods that a supplier has sent. */
typedef struct Shipment {
        Entry entry;
        char *contract;
        int64_t quantity;
} Shipment;

typedef enum ObligationType {
        OBLIGATION_PARTS = 1,     /* with a shipment */
        OBLIGATION_UNITS,         /* likewise, for exchange and cannibalising */
        OBLIGATION_REPLENISHMENT, /* claimed: more have failed than was declared */
} ObligationType;

typedef enum ObligationState {
        OBLIGATION_OWED = 1,
        OBLIGATION_FULFILLED,
        OBLIGATION_WAIVED,
        _OBLIGATION_STATE_MAX,
} ObligationState;

typedef struct Obligation {
        Case head;
        char *contract, *supplier;
        char *item; /* part number, or the model of units */
        int64_t quantity, delivered;
        uint64_t shipment;
        int64_t units, rate; /* what the quantity was computed from, see below */
        int64_t failures;
} Obligation;

extern const Table contract_table, shipment_table, obligation_table;
extern const Register contract_register, shipment_register;
extern const Kind obligation_kind;

/* The account of a contract, a row for each part and one for the units. */
typedef struct AccountRow {
        Record record;
        char *contract, *supplier, *product;
        char *item;
        int64_t units; /* shipped in all */
        int64_t rate;
        int64_t declared; /* ceil(units × rate / 1,000,000) */
        int64_t obliged, claimed, delivered;
        int64_t failures; /* verified and in warranty, of the contract's days */
        int64_t excess;   /* of them, above what is declared or owed, and not claimed yet */
} AccountRow;

extern const RecordType account_row_type;

/* Hands over each row. 0, -ENOENT: there is no such contract, or what row() gave. */
int contract_account(Store *store, const char *code,
                     int (*row)(void *userdata, const AccountRow *row), void *userdata);
/* Claims what has failed above what was declared: a case for each part. 0, > 0 refused, < 0. */
int contract_claim(const Engine *engine, Change *change, const char *code, const Actor *actor,
                   int64_t now, int64_t *ret_claims, Refusal *refusal);

void contract_done(Contract *contract);
