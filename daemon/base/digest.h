/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Checksums: CRC-32C against damage (every stored record), SHA-256 against change (the journal's
 * chain, request bodies, the policy version). SHA-256 is libgcrypt's. */

#include <stddef.h>
#include <stdint.h>

#define DIGEST_SIZE 32

typedef struct Digest {
        uint8_t bytes[DIGEST_SIZE];
} Digest;

/* CRC-32C (Castagnoli, RFC 3720 appendix B.4) of `size` bytes, continuing from `crc` (0 to start).
 */
uint32_t crc32c(uint32_t crc, const void *data, size_t size);

/* SHA-256 of up to three pieces one after the other; a piece of size 0 may be NULL. */
void digest_pieces(Digest *ret, const void *a, size_t a_size, const void *b, size_t b_size,
                   const void *c, size_t c_size);

/* Makes the library usable; once, before the first digest. 0 or -EOPNOTSUPP. */
int digest_init(void);
