/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Spare parts, and the suppliers of those that are not made by ourselves. */

#include "loop/register.h"

typedef struct Part {
        Master master; /* code: the part number */
        char *name;
        char *line;   /* product line, whose season it follows */
        char *models; /* that it fits, separated by blanks */
        int origin;   /* own or oem */
        char *supplier;
        bool returnable;
        int64_t price;
        int64_t warranty_months;
        int64_t pack, minimum;
        int64_t discontinued_on;
} Part;

typedef struct Supplier {
        Master master;
        char *name;
        char *contact;
} Supplier;

extern const Table part_table, supplier_table;
extern const Index index_part_supplier; /* supplier ("": none), part */
extern const Register part_register, supplier_register;

/* 0, -ENOENT, other negative errno. */
int part_get(Store *store, const char *code, Part *ret);
/* 0, refused with the field's name, < 0. */
int part_require(Store *store, const char *field, const char *code, Part *ret, Refusal *refusal);
void part_done(Part *part);
void supplier_done(Supplier *supplier);
