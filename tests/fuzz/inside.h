/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The whole daemon inside this process, and the bus that it is connected to: the shipped
 * configuration, a store over memory with a small company in it, and a socket at whose other end
 * the bus is played. All of it begins anew with each input, so that an input does the same
 * whatever came before it. */

#include <systemd/sd-bus.h>

#include "app-internal.h"

/* Who calls, as the bus tells it: root, then one for each of the rules of access written in
 * inside.c, then somebody without any. Names are ":1.0" and so on. */
#define CALLERS 8

/* Monday, 2026-11-23 09:00 in Shanghai. */
#define INSIDE_BEGIN (INT64_C(1795395600) * USEC_PER_SEC)

typedef struct Inside {
        App app;
        AppOptions options;
        sd_bus *far;       /* the bus */
        uint64_t uncalled; /* answers that answer nothing */
} Inside;

/* Once: reads the configuration. Ends the process if it cannot. */
void inside_prepare(void);
void inside_begin(Inside *inside);
void inside_end(Inside *inside);

/* One turn of the loop: waits at most so long. Whether anything happened. */
bool inside_turn(Inside *inside, uint64_t usec);
/* The faults that store and engine find in it are none. */
void inside_check(Inside *inside);
