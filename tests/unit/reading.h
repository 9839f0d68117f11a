/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Everything that can be read of a store, to be held against what was read of another. */

#include "base/digest.h"
#include "store/store.h"

enum {
        SECTION_INDEX = STORE_TABLES_MAX,
        SECTION_TALLY = SECTION_INDEX + STORE_INDICES_MAX,
        SECTION_JOURNAL,
        SECTION_HEAD,
};

/* Something that was read: in which section, by which key, what, and of a record where it stood. */
typedef struct Row {
        unsigned section;
        Key key, at;
        Digest what;
} Row;

typedef struct Rows {
        Row *list;
        size_t n, allocated;
} Rows;

typedef struct Asked {
        const Index *tally;
        Key key;
} Asked;

/* What there is to read, and what came of it. */
typedef struct Reader {
        Store *store;
        Rows rows;
        Asked *asked; /* tallies that are asked for */
        size_t n_asked;
        bool told; /* some read has said that something is wrong */
} Reader;

/* `ask`: notes which tallies there are to be read. */
void reading_all(Reader *reader, bool ask);

/* The one of that section and key, or NULL. The rows of an undamaged store are in order. */
const Row *rows_find(const Rows *rows, const Row *wanted);
bool same_key(const Key *a, const Key *b);
