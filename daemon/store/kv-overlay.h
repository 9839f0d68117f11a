/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* A store over another one that it does not touch: reads see what was written above, else what lies
 * below, as of when it was opened; writes go above only. With something disposable above, the whole
 * program can be run on a real store for trial. */

#include "store/kv.h"

/* Both have the same databases and become the overlay's, unless this fails; below is only read, and
 * keeps one snapshot. Above, a value is preceded by a byte: 1 it is there, 0 it was removed. */
int kv_overlay_new(Kv *below, Kv *above, unsigned n_databases, Kv **ret);
