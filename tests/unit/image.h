/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* A file of a store as it is in memory, and what each byte of the database is to LMDB. */

#include <stddef.h>
#include <stdint.h>

/* What a byte of the database is. */
typedef enum Part {
        PART_CONTENT,   /* values, and what is unused */
        PART_KEY,       /* LMDB finds its way by their order, too */
        PART_STRUCTURE, /* by which it finds its way */
        _PART_MAX,
} Part;

extern const char *const part_names[_PART_MAX];

typedef struct Image {
        uint8_t *bytes;
        size_t size;
        uint8_t *parts; /* of the database */
} Image;

Image image_read(const char *directory, const char *name);
/* Of the database alone. */
void image_mark_parts(Image *image);
