/* SPDX-License-Identifier: Apache-2.0 */

#include "base/digest.h"

#include <errno.h>
#include <gcrypt.h>
#include <pthread.h>

#include "base/macro.h"

/* Reflected polynomial of CRC-32C. */
#define CRC32C_POLYNOMIAL UINT32_C(0x82f63b78)

static uint32_t crc_table[8][256];
static pthread_once_t crc_once = PTHREAD_ONCE_INIT;

static void crc_build(void) {
        for (uint32_t i = 0; i < 256; i++) {
                uint32_t c = i;
                for (int bit = 0; bit < 8; bit++)
                        c = c & 1 ? (c >> 1) ^ CRC32C_POLYNOMIAL : c >> 1;
                crc_table[0][i] = c;
        }
        for (uint32_t i = 0; i < 256; i++)
                for (int slice = 1; slice < 8; slice++) {
                        uint32_t c = crc_table[slice - 1][i];
                        crc_table[slice][i] = (c >> 8) ^ crc_table[0][c & 0xff];
                }
}

static uint32_t load_le32(const uint8_t *p) {
        return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

/* Slicing by eight: eight table look-ups retire eight bytes at once. */
uint32_t crc32c(uint32_t crc, const void *data, size_t size) {
        const uint8_t *p = data;

        pthread_once(&crc_once, crc_build);
        crc = ~crc;
        for (; size >= 8; p += 8, size -= 8) {
                uint32_t low = load_le32(p) ^ crc, high = load_le32(p + 4);

                crc = crc_table[7][low & 0xff] ^ crc_table[6][low >> 8 & 0xff] ^
                      crc_table[5][low >> 16 & 0xff] ^ crc_table[4][low >> 24] ^
                      crc_table[3][high & 0xff] ^ crc_table[2][high >> 8 & 0xff] ^
                      crc_table[1][high >> 16 & 0xff] ^ crc_table[0][high >> 24];
        }
        for (; size > 0; p++, size--)
                crc = (crc >> 8) ^ crc_table[0][(crc ^ *p) & 0xff];
        return ~crc;
}

int digest_init(void) {
        if (gcry_control(GCRYCTL_INITIALIZATION_FINISHED_P))
                return 0;
        if (!gcry_check_version(GCRYPT_VERSION))
                return -EOPNOTSUPP;
        gcry_control(GCRYCTL_DISABLE_SECMEM, 0);
        gcry_control(GCRYCTL_INITIALIZATION_FINISHED, 0);
        return 0;
}

void digest_pieces(Digest *ret, const void *a, size_t a_size, const void *b, size_t b_size,
                   const void *c, size_t c_size) {
        gcry_buffer_t pieces[] = {
                { .data = (void *)a, .len = a_size },
                { .data = (void *)b, .len = b_size },
                { .data = (void *)c, .len = c_size },
        };

        if (gcry_md_hash_buffers(GCRY_MD_SHA256, 0, ret->bytes, pieces, ELEMENTS(pieces)) != 0)
                abort(); /* only without memory for a digest: nothing can be stored any more */
}
