/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What libFuzzer calls; see https://llvm.org/docs/LibFuzzer.html. */

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
