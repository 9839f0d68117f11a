/* SPDX-License-Identifier: Apache-2.0 */

#include "parts/owed.h"

#include <errno.h>
#include <string.h>

#include "aftersales/limits.h"

static const Field owed_row_fields[] = {
        TEXT(1, OwedRow, subcentre, FIELD_FILTER | FIELD_CODE, CODE_MAX_BYTES,
             .doc = "that controls who owes"),
        TEXT(2, OwedRow, dealer, FIELD_FILTER | FIELD_CODE, CODE_MAX_BYTES,
             .doc = "who owes; absent: the sub-centre itself"),
        TEXT(3, OwedRow, part, FIELD_FILTER | FIELD_CODE, CODE_MAX_BYTES, .doc = "part number"),
        COUNT(4, OwedRow, quantity, 0, .doc = "cores that are not accepted yet"),
        COUNT(5, OwedRow, days_15, 0, .doc = "of them, replaced at most 15 days ago"),
        COUNT(6, OwedRow, days_30, 0, .doc = "16 to 30 days ago"),
        COUNT(7, OwedRow, days_60, 0, .doc = "31 to 60 days ago"),
        COUNT(8, OwedRow, older, 0, .doc = "before that"),
        DATE(9, OwedRow, oldest, 0, .doc = "day on which the first was replaced"),
};

const RecordType owed_row_type = {
        .name = "owed",
        .size = sizeof(OwedRow),
        .fields = owed_row_fields,
        .n_fields = ELEMENTS(owed_row_fields),
};

/* What a key of the sum says. */
typedef struct OwedKey {
        const char *subcentre, *dealer, *part;
        int64_t day;
} OwedKey;

static OwedKey read_key(const Key *key) {
        const char *p = (const char *)key->bytes;
        OwedKey owed = { .subcentre = p };

        owed.dealer = p += strlen(p) + 1;
        owed.part = p += strlen(p) + 1;
        owed.day = load_be32((const uint8_t *)p + strlen(p) + 1);
        return owed;
}

static bool is_wanted(const OwedQuery *query, const OwedKey *owed) {
        const OwedRow *filter = query->filter;

        return actor_in_scope(query->actor, owed->subcentre, owed->dealer) &&
               (!filter->subcentre || STREQ(filter->subcentre, owed->subcentre)) &&
               (!filter->dealer || STREQ(filter->dealer, owed->dealer)) &&
               (!filter->part || STREQ(filter->part, owed->part));
}

static bool is_same(const OwedRow *row, const OwedKey *owed) {
        return STREQ(row->subcentre, owed->subcentre) && STREQ(row->dealer, owed->dealer) &&
               STREQ(row->part, owed->part);
}

static void add(OwedRow *row, const OwedKey *owed, int64_t amount, int64_t today) {
        int64_t age = today - owed->day;
        int64_t *bucket = age <= 15   ? &row->days_15
                          : age <= 30 ? &row->days_30
                          : age <= 60 ? &row->days_60
                                      : &row->older;

        if (row->quantity == 0)
                row->oldest = owed->day;
        row->quantity += amount;
        *bucket += amount;
}

/* A page while it is read. The row borrows its texts from `first`. */
typedef struct Reading {
        Store *store;
        const OwedQuery *query;
        Key prefix, position, first;
        OwedRow row;
        size_t rows, looked;
        bool full;
} Reading;

static void begin_row(Reading *reading, const Key *key) {
        OwedKey owed;

        reading->first = *key;
        owed = read_key(&reading->first);
        reading->row = (OwedRow){ .subcentre = (char *)owed.subcentre,
                                  .dealer = (char *)owed.dealer,
                                  .part = (char *)owed.part };
}

static int end_row(Reading *reading) {
        int r = 0;

        if (reading->row.quantity > 0) {
                r = reading->query->row(reading->query->userdata, &reading->row);
                reading->rows++;
        }
        reading->row = (OwedRow){};
        reading->full =
                r > 0 || reading->rows >= reading->query->limit || reading->looked >= PAGE_SCAN_MAX;
        return MIN(r, 0);
}

/* The position stays before the key with which another page begins. */
static int read_rows(Reading *reading) {
        Key next = reading->position;
        int64_t amount = 0;
        int r;

        while ((r = store_tally_next(reading->store, &sum_owed, &reading->prefix, &next,
                                     &amount)) == 0) {
                OwedKey owed = read_key(&next);

                if (reading->row.part && !is_same(&reading->row, &owed)) {
                        r = end_row(reading);
                        if (r < 0 || reading->full)
                                return r;
                }
                if (!reading->row.part)
                        begin_row(reading, &next);
                if (is_wanted(reading->query, &owed))
                        add(&reading->row, &owed, amount, reading->query->today);
                reading->position = next;
                reading->looked++;
        }
        if (r != -ENOENT)
                return r;
        r = reading->row.part ? end_row(reading) : 0;
        reading->full = false;
        return r;
}

static void bound(const OwedQuery *query, Key *prefix) {
        const Actor *actor = query->actor;
        const char *subcentre = query->filter->subcentre
                                        ?: actor->scope == SCOPE_SUBCENTRE ? actor->unit
                                                                           : NULL;

        if (!subcentre)
                return;
        key_text(prefix, subcentre);
        if (query->filter->dealer)
                key_text(prefix, query->filter->dealer);
}

int owed_list(Store *store, const OwedQuery *query, char ret_cursor[static LIST_CURSOR_SIZE],
              Refusal *refusal) {
        Reading reading = { .store = store, .query = query };
        uint32_t identity;
        int r = 0;

        bound(query, &reading.prefix);
        identity = crc32c(0, reading.prefix.bytes, reading.prefix.size);
        if (*query->cursor)
                r = list_cursor_read(query->cursor, identity, &reading.position, refusal);
        if (r == 0)
                r = read_rows(&reading);
        ret_cursor[0] = '\0';
        if (r == 0 && reading.full)
                list_cursor_write(identity, &reading.position, ret_cursor);
        return r;
}
