/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Instead of base/worker.c: no thread, the work is done when it is asked for, if chance wants it.
 * So what is under way may stay so for as long as anything, the process can end before it is done,
 * and the same seed gives the same history. */

#include "base/worker.h"
#include "rng.h"

extern Rng worker_chance;
extern unsigned workers_busy;
