/* SPDX-License-Identifier: Apache-2.0 */

#include "reading.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "record/codec.h"
#include "store/journal.h"
#include "world.h"

static Row *add_row(Rows *rows, unsigned section, const Key *key, Slice what, Slice more) {
        Row *row;

        if (rows->n == rows->allocated) {
                rows->allocated = MAX(rows->allocated * 2, (size_t)256);
                rows->list = realloc(rows->list, rows->allocated * sizeof(Row));
                assert_non_null(rows->list);
        }
        row = &rows->list[rows->n++];
        *row = (Row){ .section = section, .key = *key };
        digest_pieces(&row->what, what.data, what.size, more.data, more.size, NULL, 0);
        return row;
}

bool same_key(const Key *a, const Key *b) {
        return a->size == b->size && memcmp(a->bytes, b->bytes, a->size) == 0;
}

static bool has_asked(const Reader *reader, const Index *tally, const Key *key) {
        for (size_t i = 0; i < reader->n_asked; i++)
                if (reader->asked[i].tally == tally && same_key(&reader->asked[i].key, key))
                        return true;
        return false;
}

/* Of what an undamaged store has. */
static void ask_for_tallies(Reader *reader, const Table *table, const void *record) {
        static Keys keys;

        for (const Index *const *t = table->tallies; t && *t; t++) {
                keys.n = 0;
                (*t)->keys(record, &keys);
                for (size_t i = 0; i < keys.n; i++) {
                        if (has_asked(reader, *t, &keys.keys[i]))
                                continue;
                        reader->asked = realloc(reader->asked,
                                                (reader->n_asked + 1) * sizeof(*reader->asked));
                        assert_non_null(reader->asked);
                        reader->asked[reader->n_asked++] = (Asked){ *t, keys.keys[i] };
                }
        }
}

static void read_table(Reader *reader, unsigned section, const Table *table, bool ask) {
        union {
                max_align_t align;
                uint8_t bytes[2048];
        } record = {};
        Key position = {}, key;
        int r;

        assert_true(table->type->size <= sizeof(record));
        while ((r = store_next(reader->store, table, &position, &record)) == 0) {
                _cleanup_(buffer_done) Buffer stored = {};

                assert_int_equal(record_encode(table->type, &record, &stored), 0);
                key = (Key){};
                table->key(&record, &key);
                add_row(&reader->rows, section, &key, buffer_slice(&stored), (Slice){})->at =
                        position;
                if (ask)
                        ask_for_tallies(reader, table, &record);
                record_done(table->type, &record);
        }
        reader->told = reader->told || r != -ENOENT;
}

static void read_index(Reader *reader, unsigned section, const Index *index) {
        Key prefix = {}, position = {}, key;
        int r;

        while ((r = store_index_next(reader->store, index, &prefix, &position, &key)) == 0)
                add_row(&reader->rows, section, &position, key_slice(&key), (Slice){});
        reader->told = reader->told || r != -ENOENT;
}

static void read_tallies(Reader *reader) {
        for (size_t i = 0; i < reader->n_asked; i++) {
                const Asked *asked = &reader->asked[i];
                int64_t count = 0;
                Key key = key_of_id(i);
                int r = store_tally(reader->store, asked->tally, &asked->key, &count);

                if (r == 0)
                        add_row(&reader->rows, SECTION_TALLY, &key,
                                (Slice){ &count, sizeof(count) }, (Slice){});
                else
                        reader->told = true;
        }
}

/* As Changes does: what is damaged is passed over, and said. */
static void read_journal(Reader *reader) {
        uint64_t sequence = 0;
        JournalRecord record;
        int r;

        while ((r = store_journal_next(reader->store, &sequence, &record)) == 0 || r == -EBADMSG) {
                Key key = key_of_id(sequence);

                if (r == 0 && store_journal_proves(reader->store, sequence, &record))
                        add_row(&reader->rows, SECTION_JOURNAL, &key, record.head, record.effects);
                else
                        reader->told = true;
        }
        reader->told = reader->told || r != -ENOENT;
}

static void read_head(Reader *reader) {
        const StoreHead *head = store_head(reader->store);
        Key key = key_of_id(head->epoch);

        key_u64(&key, head->sequence);
        key_u64(&key, head->first);
        key_u64(&key, (uint64_t)head->time);
        key_u64(&key, (uint64_t)head->time_seen);
        key_u64(&key, head->published);
        add_row(&reader->rows, SECTION_HEAD, &key, (Slice){ head->hash.bytes, DIGEST_SIZE },
                (Slice){});
}

static void read_indices(Reader *reader) {
        const Index *seen[STORE_INDICES_MAX];
        unsigned n = 0;

        for (const Table *const *t = world_tables; *t; t++)
                for (const Index *const *i = (*t)->indices; i && *i; i++) {
                        bool known = false;

                        for (unsigned k = 0; k < n; k++)
                                known = known || seen[k] == *i;
                        if (known)
                                continue;
                        read_index(reader, SECTION_INDEX + n, *i);
                        seen[n++] = *i;
                }
}

void reading_all(Reader *reader, bool ask) {
        for (unsigned i = 0; world_tables[i]; i++)
                read_table(reader, i, world_tables[i], ask);
        read_indices(reader);
        read_tallies(reader);
        read_journal(reader);
        read_head(reader);
        reader->told = reader->told || store_damaged(reader->store) > 0;
}

/* ---- what was read ---- */

static int compare_rows(const Row *a, const Row *b) {
        size_t n = MIN(a->key.size, b->key.size);
        int r = a->section != b->section ? (a->section > b->section ? 1 : -1)
                                         : memcmp(a->key.bytes, b->key.bytes, n);

        return r != 0 ? r : (a->key.size > b->key.size) - (a->key.size < b->key.size);
}

const Row *rows_find(const Rows *rows, const Row *wanted) {
        size_t low = 0, high = rows->n;

        while (low < high) {
                size_t middle = low + (high - low) / 2;
                int r = compare_rows(&rows->list[middle], wanted);

                if (r == 0)
                        return &rows->list[middle];
                if (r < 0)
                        low = middle + 1;
                else
                        high = middle;
        }
        return NULL;
}
