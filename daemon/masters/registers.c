/* SPDX-License-Identifier: Apache-2.0 */

#include "masters/registers.h"

#include "masters/product.h"
#include "masters/unit.h"

const Register *const master_registers[] = {
        &unit_register, &product_register, &serial_register, &fault_register, NULL,
};
