/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What is sold: products by model, the serial numbers that are known, and the codes of faults. */

#include "loop/register.h"

typedef enum ProductOrigin { ORIGIN_OWN = 1, ORIGIN_OEM } ProductOrigin;
extern const EnumNames origin_names;

typedef struct Product {
        Master master; /* code: the model */
        char *name;
        char *line; /* product line */
        int origin; /* own or oem */
        int64_t warranty_months;
        char *fee_class;
} Product;

typedef struct Serial {
        Master master; /* code: the serial number */
        char *product; /* model */
        int64_t sold_on;
        char *sold_by;
} Serial;

typedef struct Fault {
        Master master; /* code: the fault code */
        char *symptom;
        char *cause;
        char *part;
} Fault;

extern const Table product_table, serial_table, fault_table;
extern const Register product_register, serial_register, fault_register;

/* 0, -ENOENT, other negative errno. */
int product_get(Store *store, const char *code, Product *ret);
void product_done(Product *product);
int serial_get(Store *store, const char *code, Serial *ret);
void serial_done(Serial *serial);
