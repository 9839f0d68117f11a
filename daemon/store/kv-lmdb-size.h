/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* A part of kv-lmdb.c: files that are shorter than LMDB says. */

#include <stdbool.h>
#include <stdint.h>

/* Whether no page in use is missing from a file that has only so many pages of those that it says
 * it has: pages that a large transaction took last and gave back are counted and never written.
 * Looks in a process of its own, which the touch of a missing page would end. */
bool kv_lmdb_misses_free_pages_only(const char *path, uint64_t has, uint64_t says);
