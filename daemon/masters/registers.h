/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "loop/register.h"

/* Every sort of master data; NULL-terminated. */
extern const Register *const master_registers[];
