/* SPDX-License-Identifier: Apache-2.0 */

#include "transfer/dump.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "aftersales/limits.h"
#include "base/digest.h"
#include "base/text.h"
#include "store/journal.h"
#include "store/load.h"
#include "transfer/record-json.h"
#include "transfer/value.h"

DEFINE_CLEANUP(json_object *, json_object_put);
#define _cleanup_json_ _cleanup_(cleanup_json_object_put)

/* The greatest record struct of any table must fit. */
typedef union RecordSpace {
        max_align_t align;
        uint8_t bytes[2048];
} RecordSpace;

/* ---- the digest of all lines ---- */

static void add_line(Digest *digest, uint64_t *lines, const char *line, size_t size) {
        Digest before = *digest;

        digest_pieces(digest, before.bytes, *lines > 0 ? DIGEST_SIZE : 0, line, size, "\n", 1);
        (*lines)++;
}

/* ---- writing ---- */

typedef struct Dump {
        FILE *file;
        DumpCounts counts;
        Digest digest;
} Dump;

static int write_line(Dump *dump, json_object *object) {
        const char *text =
                object ? json_object_to_json_string_ext(
                                 object, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE)
                       : NULL;
        size_t size;

        if (!text)
                return -ENOMEM;
        size = strlen(text);
        add_line(&dump->digest, &dump->counts.lines, text, size);
        return fwrite(text, 1, size, dump->file) == size && fputc('\n', dump->file) != EOF ? 0
                                                                                           : -errno;
}

static bool add(json_object *object, const char *name, json_object *value) {
        if (object && value && json_object_object_add(object, name, value) == 0)
                return true;
        json_object_put(value);
        return false;
}

static json_object *time_to_json(int64_t time) {
        static const Field field = { .type = FIELD_TIME };
        char buffer[VALUE_SIZE];

        return json_object_new_string(value_text(&field, &time, buffer));
}

static json_object *numbers_to_json(const Store *store, const Table *const *tables) {
        json_object *next = json_object_new_object();

        for (; next && *tables; tables++)
                if ((*tables)->numbered &&
                    !add(next, (*tables)->name,
                         json_object_new_uint64(store_next_number(store, *tables)))) {
                        json_object_put(next);
                        return NULL;
                }
        return next;
}

static int write_head(Dump *dump, const Store *store, const Table *const *tables) {
        _cleanup_json_ json_object *line = json_object_new_object();
        const StoreHead *head = store_head(store);
        bool fits = add(line, "dump", json_object_new_int(DUMP_FORMAT)) &&
                    add(line, "schema", json_object_new_int64(store_schema(store))) &&
                    add(line, "site", json_object_new_int(store_site(store))) &&
                    add(line, "epoch", json_object_new_int64(head->epoch)) &&
                    add(line, "sequence", json_object_new_uint64(head->sequence)) &&
                    add(line, "first", json_object_new_uint64(head->first)) &&
                    add(line, "hash", bytes_to_json(head->hash.bytes, DIGEST_SIZE)) &&
                    add(line, "time", time_to_json(head->time)) &&
                    add(line, "time_seen", time_to_json(head->time_seen)) &&
                    add(line, "published", json_object_new_uint64(head->published)) &&
                    add(line, "next", numbers_to_json(store, tables));

        return fits ? write_line(dump, line) : -ENOMEM;
}

static int write_record(Dump *dump, const Table *table, const void *record) {
        _cleanup_json_ json_object *line = json_object_new_object();

        if (!add(line, "table", json_object_new_string(table->name)) ||
            !add(line, "record", record_to_json(table->type, record)))
                return -ENOMEM;
        dump->counts.records++;
        return write_line(dump, line);
}

static int write_table(Dump *dump, Store *store, const Table *table) {
        Key position = {};
        int r;

        assert(table->type->size <= sizeof(RecordSpace));
        for (;;) {
                RecordSpace record = {};

                r = store_next(store, table, &position, &record);
                if (r < 0)
                        break;
                r = write_record(dump, table, &record);
                record_done(table->type, &record);
                if (r < 0)
                        return r;
        }
        dump->counts.incomplete = dump->counts.incomplete || r == -EBADMSG;
        return r == -ENOENT || r == -EBADMSG ? 0 : r;
}

static json_object *slice_to_json(Slice text) {
        return json_object_new_string_len(text.data ? text.data : "", (int)text.size);
}

static int write_journal_record(Dump *dump, Store *store, const JournalRecord *record) {
        _cleanup_json_ json_object *line = json_object_new_object();
        Slice stored;
        int r = store_journal_get_raw(store, record->sequence, &stored);

        if (r < 0)
                return r;
        if (!add(line, "journal", json_object_new_uint64(record->sequence)) ||
            !add(line, "time", time_to_json(record->time)) ||
            !add(line, "actor", slice_to_json(record->actor)) ||
            !add(line, "verb", slice_to_json(record->verb)) ||
            !add(line, "stored", bytes_to_json(stored.data, stored.size)))
                return -ENOMEM;
        dump->counts.journal++;
        return write_line(dump, line);
}

static int write_journal(Dump *dump, Store *store) {
        uint64_t sequence = 0;
        int r;

        for (;;) {
                JournalRecord record;

                r = store_journal_next(store, &sequence, &record);
                if (r == 0 && !store_journal_proves(store, sequence, &record))
                        r = -EBADMSG;
                if (r == 0)
                        r = write_journal_record(dump, store, &record);
                if (r == -EBADMSG) {
                        dump->counts.incomplete = true;
                        continue;
                }
                if (r < 0)
                        return r == -ENOENT ? 0 : r;
        }
}

static int write_end(Dump *dump) {
        _cleanup_json_ json_object *line = json_object_new_object();

        if (!add(line, "end", json_object_new_uint64(dump->counts.lines)) ||
            !add(line, "digest", bytes_to_json(dump->digest.bytes, DIGEST_SIZE)))
                return -ENOMEM;
        return write_line(dump, line);
}

int dump_write(Store *store, const Table *const *tables, FILE *file, DumpCounts *ret) {
        Dump dump = { .file = file };
        int r;

        r = write_head(&dump, store, tables);
        for (const Table *const *table = tables; r == 0 && *table; table++)
                r = write_table(&dump, store, *table);
        if (r == 0)
                r = write_journal(&dump, store);
        if (r == 0)
                r = write_end(&dump);
        if (r == 0 && fflush(file) != 0)
                r = -errno;
        store_release(store);
        if (r == 0)
                *ret = dump.counts;
        return r;
}

/* ---- reading ---- */

typedef struct Load {
        Store *store;
        const Table *const *tables;
        DumpCounts counts;
        Digest digest;
        StoreHead head;
        bool ended;
        Refusal refusal;
} Load;

static int refuse_line(Load *load, const char *what) {
        return refuse(&load->refusal, REFUSED_INVALID_VALUE, "%s", what);
}

static const Table *find_table(const Load *load, const char *name) {
        for (const Table *const *table = load->tables; name && *table; table++)
                if (STREQ((*table)->name, name))
                        return *table;
        return NULL;
}

static int read_count(Load *load, json_object *line, const char *name, uint64_t *ret) {
        json_object *value = json_object_object_get(line, name);

        if (!json_object_is_type(value, json_type_int))
                return refuse(&load->refusal, REFUSED_INVALID_VALUE, "%s: here belongs a number",
                              name);
        *ret = json_object_get_uint64(value);
        return 0;
}

static int read_time(Load *load, json_object *line, const char *name, int64_t *ret) {
        const char *text = json_object_get_string(json_object_object_get(line, name));

        if (text && value_read_time(text, ret) == 0)
                return 0;
        return refuse(&load->refusal, REFUSED_INVALID_VALUE,
                      "%s: here belongs a time such as \"2026-11-23T18:05:00Z\"", name);
}

static int read_digest(Load *load, json_object *line, const char *name, Digest *ret) {
        _cleanup_(buffer_done) Buffer bytes = {};
        int r = bytes_from_json(json_object_object_get(line, name), &bytes);

        if (r == -ENOMEM)
                return r;
        if (r < 0 || bytes.size != DIGEST_SIZE)
                return refuse(&load->refusal, REFUSED_INVALID_VALUE,
                              "%s: here belong 32 bytes in hexadecimal", name);
        memcpy(ret->bytes, bytes.data, DIGEST_SIZE);
        return 0;
}

static int read_numbers(Load *load, json_object *next) {
        char clean[NAME_MAX_BYTES];

        if (!json_object_is_type(next, json_type_object))
                return refuse_line(load, "next: here belongs an object of numbers");
        json_object_object_foreach(next, name, value) {
                const Table *table = find_table(load, name);

                if (!table || !table->numbered || !json_object_is_type(value, json_type_int) ||
                    json_object_get_uint64(value) == 0)
                        return refuse(&load->refusal, REFUSED_INVALID_VALUE,
                                      "next: %s is no table with numbers, or its number is none",
                                      text_escape(name, clean, sizeof(clean)));
                store_load_number(load->store, table, json_object_get_uint64(value));
        }
        return 0;
}

static int read_head(Load *load, json_object *line) {
        uint64_t format = 0, schema = 0, site = 0, epoch = 0;
        StoreHead *head = &load->head;
        int r = read_count(load, line, "dump", &format);

        if (r == 0)
                r = read_count(load, line, "schema", &schema);
        if (r == 0)
                r = read_count(load, line, "site", &site);
        if (r == 0 && (format != DUMP_FORMAT || schema != STORE_SCHEMA_VERSION))
                return refuse(&load->refusal, REFUSED_INVALID_VALUE,
                              "it has format %" PRIu64 " and schema %" PRIu64
                              "; this program reads %d and %d: load it with the program that "
                              "wrote it, then install this one",
                              format, schema, DUMP_FORMAT, STORE_SCHEMA_VERSION);
        if (r == 0 && site != store_site(load->store))
                return refuse(&load->refusal, REFUSED_INVALID_VALUE,
                              "it is of site %" PRIu64 ", the configuration says site %u", site,
                              store_site(load->store));
        if (r == 0)
                r = read_count(load, line, "epoch", &epoch);
        if (r == 0)
                r = read_count(load, line, "sequence", &head->sequence);
        if (r == 0)
                r = read_count(load, line, "first", &head->first);
        if (r == 0)
                r = read_count(load, line, "published", &head->published);
        if (r == 0)
                r = read_digest(load, line, "hash", &head->hash);
        if (r == 0)
                r = read_time(load, line, "time", &head->time);
        if (r == 0)
                r = read_time(load, line, "time_seen", &head->time_seen);
        if (r == 0 && epoch > EPOCH_MAX)
                return refuse_line(load, "epoch: there is no such one");
        head->epoch = (uint32_t)epoch;
        return r != 0 ? r : read_numbers(load, json_object_object_get(line, "next"));
}

static int tell_failure(Load *load, int r) {
        if (r == -EEXIST)
                return refuse_line(load, "there was one with this key before");
        if (r == -EBADMSG)
                return refuse_line(load, "there can be no such one");
        return r;
}

static int read_record(Load *load, json_object *line, const char *name) {
        const Table *table = find_table(load, name);
        RecordSpace record = {};
        char clean[NAME_MAX_BYTES];
        int r;

        if (!table)
                return refuse(&load->refusal, REFUSED_INVALID_VALUE,
                              "table: there is none named %s",
                              text_escape(name, clean, sizeof(clean)));
        r = record_from_json(table->type, json_object_object_get(line, "record"), &record,
                             &load->refusal);
        if (r == 0)
                r = tell_failure(load, store_load_record(load->store, table, &record));
        record_done(table->type, &record);
        load->counts.records++;
        return r;
}

static int read_journal_record(Load *load, json_object *line) {
        _cleanup_(buffer_done) Buffer stored = {};
        int r = bytes_from_json(json_object_object_get(line, "stored"), &stored);

        if (r == -EINVAL)
                return refuse_line(load, "stored: here belong bytes in hexadecimal");
        if (r == 0)
                r = store_load_journal(load->store, buffer_slice(&stored));
        load->counts.journal++;
        return tell_failure(load, r);
}

static int read_end(Load *load, json_object *line) {
        uint64_t lines = 0;
        Digest digest;
        int r = read_count(load, line, "end", &lines);

        if (r == 0)
                r = read_digest(load, line, "digest", &digest);
        if (r == 0 && (lines != load->counts.lines ||
                       memcmp(digest.bytes, load->digest.bytes, DIGEST_SIZE) != 0))
                return refuse_line(load, "the lines before are not those that were written: one "
                                         "has changed, or some are missing");
        load->ended = r == 0;
        return r;
}

static int read_object(Load *load, json_object *line) {
        const char *table = json_object_get_string(json_object_object_get(line, "table"));

        if (!json_object_is_type(line, json_type_object))
                return refuse_line(load, "here belongs an object of JSON");
        if (load->ended)
                return refuse_line(load, "there is something behind the last line");
        if (load->counts.lines == 0)
                return read_head(load, line);
        if (table)
                return read_record(load, line, table);
        if (json_object_object_get(line, "journal"))
                return read_journal_record(load, line);
        if (json_object_object_get(line, "end"))
                return read_end(load, line);
        return refuse_line(load, "here belongs a line with table, journal or end");
}

static int read_line(Load *load, json_tokener *tokener, const char *text, size_t size) {
        _cleanup_json_ json_object *line = NULL;
        int r;

        json_tokener_reset(tokener);
        line = size > 0 && text[size - 1] == '\n' ? json_tokener_parse_ex(tokener, text, (int)size)
                                                  : NULL;
        if (!line)
                return refuse_line(load, "this is no whole line of JSON");
        r = read_object(load, line);
        if (r == 0)
                add_line(&load->digest, &load->counts.lines, text, size - 1);
        return r;
}

static int read_lines(Load *load, FILE *file, json_tokener *tokener) {
        _cleanup_free_ char *text = malloc(DUMP_LINE_MAX + 2);
        int r = text ? 0 : -ENOMEM;

        while (r == 0 && fgets(text, DUMP_LINE_MAX + 2, file))
                r = read_line(load, tokener, text, strlen(text));
        if (r == 0 && ferror(file))
                return -EIO;
        if (r == 0 && !load->ended)
                return refuse_line(load, "the last line, which begins with \"end\", is missing: "
                                         "the file is cut short");
        return r;
}

int dump_read(Store *store, const Table *const *tables, FILE *file, DumpCounts *ret, Refusal *why) {
        Load load = { .store = store, .tables = tables };
        json_tokener *tokener = json_tokener_new();
        int r;

        if (!tokener)
                return -ENOMEM;
        json_tokener_set_flags(tokener, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
        r = read_lines(&load, file, tokener);
        json_tokener_free(tokener);
        if (r == 0)
                r = store_load_end(store, &load.head);
        if (r > 0)
                return refuse(why, r, "line %" PRIu64 ": %s", load.counts.lines + 1,
                              load.refusal.text);
        if (r == 0)
                *ret = load.counts;
        return r;
}
