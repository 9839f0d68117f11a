/* SPDX-License-Identifier: Apache-2.0 */

#include "store/check.h"

#include <errno.h>
#include <inttypes.h>
#include <search.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "record/codec.h"
#include "store/internal.h"

#define LINE_SIZE 300

typedef struct TallyCount {
        Key key;
        int64_t count;
} TallyCount;

typedef struct Checking {
        Store *store;
        ReportFault report;
        void *userdata;
        uint64_t records, faults;
        uint64_t entries[STORE_INDICES_MAX]; /* that the records ask for, by index */
        void *tallies;                       /* tree of TallyCount */
        uint64_t n_tallies;                  /* of them that are not 0 */
        Keys keys;
} Checking;

static void fault(Checking *check, const char *format, ...) _printf_(2, 3);

static void fault(Checking *check, const char *format, ...) {
        char line[LINE_SIZE];
        va_list arguments;

        va_start(arguments, format);
        vsnprintf(line, sizeof(line), format, arguments);
        va_end(arguments);
        check->faults++;
        check->report(check->userdata, line);
}

static const char *key_text_of(Slice key, char buffer[static 2 * KEY_MAX + 1]) {
        for (size_t i = 0; i < key.size && i < KEY_MAX; i++)
                snprintf(buffer + 2 * i, 3, "%02x", ((const uint8_t *)key.data)[i]);
        return buffer;
}

static int compare_tallies(const void *a, const void *b) {
        const TallyCount *x = a, *y = b;

        if (x->key.size != y->key.size)
                return x->key.size < y->key.size ? -1 : 1;
        return memcmp(x->key.bytes, y->key.bytes, x->key.size);
}

static int count_tally(Checking *check, const Index *tally, const Key *key, int64_t amount) {
        TallyCount *count = calloc(1, sizeof(*count)), **found;

        if (!count)
                return -ENOMEM;
        tally_key(tally, key, &count->key);
        found = tsearch(count, &check->tallies, compare_tallies);
        if (!found) {
                free(count);
                return -ENOMEM;
        }
        if (*found != count)
                free(count);
        check->n_tallies -= (*found)->count != 0;
        (*found)->count = (int64_t)((uint64_t)(*found)->count + (uint64_t)amount);
        check->n_tallies += (*found)->count != 0;
        return 0;
}

static int check_index(Checking *check, const Table *table, const Index *index, const Key *key,
                       const void *record) {
        unsigned db = index_db(check->store, index);

        index_keys(table, index, check->store->schema, record, &check->keys);
        for (size_t i = 0; i < check->keys.n; i++) {
                char text[2 * KEY_MAX + 1];
                Slice value;
                Key entry;
                int r;

                index_entry_key(&check->keys.keys[i], key, &entry);
                r = check->store->kv->ops->get(check->store->kv, db, key_slice(&entry), &value);
                if (r == -ENOENT)
                        fault(check, "%s %s: missing in index %s", table->name,
                              key_text_of(key_slice(key), text), index->name);
                else if (r < 0)
                        return r;
                else if (value.size != 1 || *(const uint8_t *)value.data != key->size)
                        fault(check, "%s %s: damaged in index %s", table->name,
                              key_text_of(key_slice(key), text), index->name);
        }
        check->entries[db - DB_FIRST_TABLE - check->store->n_tables] += check->keys.n;
        return 0;
}

static int check_derived(Checking *check, const Table *table, const Key *key, const void *record) {
        int r = 0;

        for (const Index *const *i = table->indices; r == 0 && i && *i; i++)
                r = check_index(check, table, *i, key, record);
        for (const Index *const *i = table->tallies; r == 0 && i && *i; i++) {
                index_keys(table, *i, check->store->schema, record, &check->keys);
                for (size_t k = 0; r == 0 && k < check->keys.n; k++)
                        r = count_tally(check, *i, &check->keys.keys[k], check->keys.amounts[k]);
        }
        return r;
}

static int check_record(Checking *check, const Table *table, const Key *key, Slice value,
                        void *record) {
        char text[2 * KEY_MAX + 1];
        const char *broken;
        Key own = {};
        int r;

        check->records++;
        r = record_decode(table->type, value, record);
        if (r == -EBADMSG) {
                fault(check, "%s %s: the record is damaged", table->name,
                      key_text_of(key_slice(key), text));
                return 0;
        }
        if (r < 0)
                return r;
        table->key(record, &own);
        if (own.size != key->size || memcmp(own.bytes, key->bytes, key->size) != 0)
                fault(check, "%s %s: the record is stored under another's key", table->name,
                      key_text_of(key_slice(key), text));
        broken = table->fault ? table->fault(record) : NULL;
        if (broken)
                fault(check, "%s %s: %s", table->name, key_text_of(key_slice(key), text), broken);
        r = check_derived(check, table, key, record);
        record_done(table->type, record);
        return r;
}

/* Whoever looks for a key goes another way than a walk does: down from the root, by the keys that
 * stand in between. */
static int check_found(Checking *check, const char *where, unsigned db, const Key *key,
                       Slice value) {
        char text[2 * KEY_MAX + 1];
        Slice found;
        int r = check->store->kv->ops->get(check->store->kv, db, key_slice(key), &found);

        if (r == -ENOENT || r == -EBADMSG ||
            (r == 0 &&
             (found.size != value.size || memcmp(found.data, value.data, value.size) != 0))) {
                fault(check, "%s %s: it is not found by its key", where,
                      key_text_of(key_slice(key), text));
                return 0;
        }
        return r;
}

/* A number that is taken must never be given out again. */
static void check_number(Checking *check, const Table *table, const Key *last) {
        uint64_t next = check->store->now.next[table_position(check->store, table)];
        uint64_t id = last->size == 8 ? load_be64(last->bytes) : 0;

        if (table->numbered && id_site(id) == check->store->site && id_number(id) >= next)
                fault(check,
                      "table %s has number %" PRIu64 ", but %" PRIu64 " would be given out next",
                      table->name, id_number(id), next);
}

/* Where a page has lost entries, no walk and, without an index, nobody else meets them. */
static int check_count(Checking *check, const Table *table, unsigned db, uint64_t found) {
        uint64_t n;
        int r = check->store->kv->ops->count(check->store->kv, db, &n);

        if (r == 0 && n != found)
                fault(check, "%s: %" PRIu64 " records are counted, %" PRIu64 " are found",
                      table->name, n, found);
        return r;
}

static int check_table(Checking *check, const Table *table) {
        _cleanup_free_ void *record = calloc(1, table->type->size);
        unsigned db = DB_FIRST_TABLE + table_position(check->store, table);
        const KvOps *ops = check->store->kv->ops;
        Slice at = {}, key, value;
        Key position = {};
        uint64_t found = 0;
        int r;

        if (!record)
                return -ENOMEM;
        while ((r = ops->seek(check->store->kv, db, position.size ? KV_AFTER : KV_FROM, at, &key,
                              &value)) == 0) {
                if (key.size > KEY_MAX) {
                        fault(check, "%s: a key of %zu bytes", table->name, key.size);
                        return 0;
                }
                position = key_from(key);
                at = key_slice(&position);
                r = check_record(check, table, &position, value, record);
                if (r == 0)
                        r = check_found(check, table->name, db, &position, value);
                if (r < 0)
                        return r;
                found++;
        }
        check_number(check, table, &position);
        if (r == -EBADMSG)
                fault(check, "%s: the order of its keys is damaged", table->name);
        return r == -ENOENT ? check_count(check, table, db, found) : r == -EBADMSG ? 0 : r;
}

/* Every entry that a record asks for is there, so equal numbers mean that there is none besides. */
static int check_index_counts(Checking *check) {
        Store *store = check->store;

        for (unsigned i = 0; i < store->n_indices; i++) {
                uint64_t n;
                int r = store->kv->ops->count(store->kv, DB_FIRST_TABLE + store->n_tables + i, &n);

                if (r < 0)
                        return r;
                if (n != check->entries[i])
                        fault(check,
                              "index %s has %" PRIu64 " entries, the records ask for %" PRIu64,
                              store->indices[i]->name, n, check->entries[i]);
        }
        return 0;
}

static void fault_of_tally(Checking *check, Slice key, int64_t stored, int64_t wanted) {
        char name[KEY_MAX + 1], clean[LINE_SIZE];

        snprintf(name, sizeof(name), "%.*s", (int)key.size, (const char *)key.data);
        fault(check, "tally %s says %" PRId64 ", the records %" PRId64,
              text_escape(name, clean, sizeof(clean)), stored, wanted);
}

static int check_tallies(Checking *check) {
        const KvOps *ops = check->store->kv->ops;
        Slice at = {}, key, value;
        Key position = {};
        uint64_t n = 0;
        int r;

        while ((r = ops->seek(check->store->kv, DB_TALLY, position.size ? KV_AFTER : KV_FROM, at,
                              &key, &value)) == 0) {
                TallyCount wanted = { .key = key_from(key) }, **found;
                int64_t stored = value.size == 8 ? (int64_t)load_be64(value.data) : 0;

                found = tfind(&wanted, &check->tallies, compare_tallies);
                if (!found || (*found)->count != stored)
                        fault_of_tally(check, key, stored, found ? (*found)->count : 0);
                position = key_from(key);
                at = key_slice(&position);
                r = check_found(check, "tally", DB_TALLY, &position, value);
                if (r < 0)
                        return r;
                n++;
        }
        if (r == -EBADMSG)
                fault(check, "the order of the tallies is damaged");
        else if (n != check->n_tallies)
                fault(check, "there are %" PRIu64 " tallies, the records ask for %" PRIu64, n,
                      check->n_tallies);
        return r == -ENOENT || r == -EBADMSG ? 0 : r;
}

static void fault_of_missing(Checking *check, uint64_t from, uint64_t until) {
        if (from == until)
                fault(check, "journal: record %" PRIu64 " is missing", from);
        else
                fault(check, "journal: records %" PRIu64 " to %" PRIu64 " are missing", from,
                      until);
}

/* How far the walk through the journal has come. */
typedef struct JournalWalk {
        uint64_t sequence, found;
        Digest hash;
        bool chained; /* the hash is known */
} JournalWalk;

/* What should stand between the last record found and this one, which is there or should be. */
static void check_gap(Checking *check, const JournalWalk *walk, uint64_t sequence) {
        uint64_t wanted = walk->found > 0 ? walk->sequence + 1 : check->store->now.head.first;

        if (sequence_epoch(wanted) != sequence_epoch(sequence)) {
                if (walk->found == 0)
                        fault_of_missing(check, wanted, wanted);
                wanted = sequence_first(sequence_epoch(sequence));
        }
        if (wanted < sequence)
                fault_of_missing(check, wanted, sequence - 1);
}

/* As check_found(): who follows the changes names their numbers. */
static int check_named(Checking *check, uint64_t sequence, const JournalRecord *record) {
        JournalRecord named;
        int r = store_journal_get(check->store, sequence, &named);

        if (r == -ENOENT || r == -EBADMSG ||
            (r == 0 && memcmp(named.hash.bytes, record->hash.bytes, DIGEST_SIZE) != 0)) {
                fault(check, "journal: record %" PRIu64 " is not found by its number", sequence);
                return 0;
        }
        return r;
}

static int check_next_record(Checking *check, JournalWalk *walk) {
        uint64_t sequence = MAX(walk->sequence, check->store->now.head.first - 1);
        JournalRecord record;
        int r = store_journal_next(check->store, &sequence, &record);

        if (r < 0 && r != -EBADMSG)
                return r;
        if (sequence > check->store->now.head.sequence)
                return -ENOENT;
        check_gap(check, walk, sequence);
        walk->chained =
                walk->chained &&
                (walk->found == 0 ? sequence == 1 : sequence_follows(sequence, walk->sequence));
        if (r < 0 || record.sequence != sequence || record.epoch != sequence_epoch(sequence) ||
            !journal_is_intact(&record, walk->chained ? &walk->hash : NULL))
                fault(check, "journal: record %" PRIu64 " is damaged or out of the chain",
                      sequence);
        walk->chained = r == 0;
        if (r == 0) {
                walk->hash = record.hash;
                r = check_named(check, sequence, &record);
                if (r < 0)
                        return r;
        }
        walk->sequence = sequence;
        walk->found++;
        check->records++;
        return 0;
}

static int check_journal(Checking *check) {
        const StoreHead *head = &check->store->now.head;
        JournalWalk walk = { .chained = true };
        uint64_t n;
        int r;

        while ((r = check_next_record(check, &walk)) == 0)
                ;
        if (r != -ENOENT)
                return r;
        if (walk.sequence != head->sequence && head->sequence >= head->first) {
                check_gap(check, &walk, head->sequence);
                fault_of_missing(check, head->sequence, head->sequence);
        }
        if (head->sequence >= head->first &&
            memcmp(walk.hash.bytes, head->hash.bytes, DIGEST_SIZE) != 0)
                fault(check, "journal: its end is not the end of the chain");
        if (head->epoch < sequence_epoch(head->sequence))
                fault(check,
                      "journal: the next record would be of epoch %" PRIu32 ", which is over",
                      head->epoch);
        r = check->store->kv->ops->count(check->store->kv, DB_JOURNAL, &n);
        if (r == 0 && n > walk.found)
                fault(check, "journal: there are %" PRIu64 " records, not %" PRIu64, n, walk.found);
        return r;
}

int store_check(Store *store, ReportFault report, void *userdata, uint64_t *ret_records,
                uint64_t *ret_faults) {
        Checking check = { .store = store, .report = report, .userdata = userdata };
        int r = store_begin_view(store);

        if (store->without_log)
                fault(&check, "log: it cannot be brought over the database, which is as of the "
                              "last checkpoint");
        for (unsigned i = 0; r == 0 && i < store->n_tables; i++)
                r = check_table(&check, store->tables[i]);
        if (r == 0)
                r = check_index_counts(&check);
        if (r == 0)
                r = check_tallies(&check);
        if (r == 0)
                r = check_journal(&check);
        tdestroy(check.tallies, free);
        if (r < 0)
                return r;
        *ret_records = check.records;
        *ret_faults = check.faults;
        return 0;
}
