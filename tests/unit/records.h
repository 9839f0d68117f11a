/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Records for tests: every type that the daemon has, random ones of each, and a type with a field
 * of every sort. */

#include "record/record.h"
#include "rng.h"

/* All types that are stored or answered, and those of their lists; NULL-terminated. */
const RecordType *const *all_types(size_t *ret_n);

/* Room for a record of any type: as much as the store has. */
typedef union RecordSpace {
        max_align_t align;
        uint8_t bytes[2048];
} RecordSpace;

/* Fills a record that is empty or not one yet. */
void random_record(Rng *rng, const RecordType *type, void *record);
/* Equal in every field and in what is unknown, without sharing memory. */
bool same_record(const RecordType *type, const void *a, const void *b);

typedef struct Thing {
        Record record;
        uint64_t id;
        int64_t time, date, money, count;
        int colour; /* red, green */
        char *text; /* at most 10 bytes */
        char *code; /* at most 6 */
        char *lines;
        bool flag;
        List things; /* of things */
} Thing;

extern const RecordType thing_type; /* number 200, version 3; tag 5 is free */
