/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The tables of our interfaces as sd-bus wants them. The entries of a kind's transitions are made
 * here, so that a new kind or transition needs no line of bus code. */

#include "bus/internal.h"

/* The method that every transition of every kind is called by. */
extern const BusMethod transition_method;

typedef struct Vtable Vtable;

int vtable_new(const BusInterface *interface, sd_bus_message_handler_t handler, Vtable **ret);
Vtable *vtable_free(Vtable *vtable);
const sd_bus_vtable *vtable_entries(const Vtable *vtable);
