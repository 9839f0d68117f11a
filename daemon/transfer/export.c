/* SPDX-License-Identifier: Apache-2.0 */

#include "transfer/export.h"

#include <errno.h>
#include <iconv.h>
#include <string.h>

#include "base/text.h"
#include "transfer/value.h"
#include "transfer/writer.h"

#define WRITE_AT       (64 * 1024) /* bytes gathered before they are written */
#define PROGRESS_EVERY 1000        /* records */
#define NAME_SIZE      128

typedef struct Exporting {
        const ExportOptions *options;
        const RecordType *type;
        const Field *columns[EXPORT_COLUMNS_MAX];
        size_t n_columns;
        OutCell cells[EXPORT_COLUMNS_MAX];
        char numbers[EXPORT_COLUMNS_MAX][VALUE_SIZE];
        Buffer lists, out;
        bool converts;
        iconv_t convert; /* if it does; else UTF-8 as it is */
        bool personal;
        uint64_t rows;
} Exporting;

/* ---- columns ---- */

static bool is_exported(const Exporting *e, const Field *field) {
        return !(field->marks & FIELD_HIDDEN) &&
               (field->type != FIELD_LIST || field->limit > 0 || e->options->format == ROW_JSON);
}

static int add_column(Exporting *e, const char *name, Refusal *refusal) {
        const char *names[RECORD_FIELDS_MAX + 1] = {}, *nearest;
        const Field *field = record_field(e->type, name, NULL);
        char clean[NAME_SIZE];
        size_t n = 0;

        if (field && is_exported(e, field) && e->n_columns < EXPORT_COLUMNS_MAX) {
                e->columns[e->n_columns++] = field;
                return 0;
        }
        for (size_t i = 0; i < e->type->n_fields; i++)
                if (is_exported(e, &e->type->fields[i]))
                        names[n++] = e->type->fields[i].name;
        nearest = text_nearest(name, names);
        return refuse(refusal, REFUSED_UNKNOWN_FIELD, "columns: there is no column %s%s%s%s",
                      text_escape(name, clean, sizeof(clean)), nearest ? "; did you mean '" : "",
                      nearest ? nearest : "", nearest ? "'?" : "");
}

static int choose_columns(Exporting *e, Refusal *refusal) {
        _cleanup_free_ char *copy = NULL;
        char *rest, *name;
        int r = 0;

        if (!e->options->columns) {
                for (size_t i = 0; i < e->type->n_fields; i++)
                        if (is_exported(e, &e->type->fields[i]))
                                e->columns[e->n_columns++] = &e->type->fields[i];
                return 0;
        }
        copy = rest = strdup(e->options->columns);
        if (!copy)
                return -ENOMEM;
        while (r == 0 && (name = strsep(&rest, ",")))
                r = add_column(e, name, refusal);
        return r;
}

/* ---- one record ---- */

static bool is_bare(const Field *field) {
        return field->type == FIELD_ID || field->type == FIELD_MONEY ||
               field->type == FIELD_COUNT || field->type == FIELD_FLAG;
}

static const char *text_of(const Exporting *e, const Field *field, const void *record,
                           char number[static VALUE_SIZE]) {
        if ((field->marks & FIELD_PERSONAL) && !e->personal)
                return VALUE_MASKED;
        return value_text(field, record, number);
}

static void append_object(Exporting *e, Buffer *buffer, const RecordType *type, const void *record);

static void append_list(Exporting *e, Buffer *buffer, const Field *field, const void *record) {
        const List *list = field_at(field, record);

        buffer_put_u8(buffer, '[');
        for (size_t i = 0; i < list->n; i++) {
                if (i > 0)
                        buffer_put_u8(buffer, ',');
                append_object(e, buffer, field->items,
                              (const char *)list->items + i * field->items->size);
        }
        buffer_put_u8(buffer, ']');
}

static void append_object(Exporting *e, Buffer *buffer, const RecordType *type,
                          const void *record) {
        char number[VALUE_SIZE];
        bool first = true;

        buffer_put_u8(buffer, '{');
        for (size_t i = 0; i < type->n_fields; i++) {
                const Field *field = &type->fields[i];
                const char *text;

                if ((field->marks & FIELD_HIDDEN) || !field_is_set(field, record))
                        continue;
                if (!first)
                        buffer_put_u8(buffer, ',');
                first = false;
                json_append_text(buffer, field->name);
                buffer_put_u8(buffer, ':');
                if (field->type == FIELD_LIST) {
                        append_list(e, buffer, field, record);
                        continue;
                }
                text = text_of(e, field, record, number);
                if (is_bare(field))
                        buffer_put(buffer, text, strlen(text));
                else
                        json_append_text(buffer, text);
        }
        buffer_put_u8(buffer, '}');
}

/* The lists of a row stand in one buffer, each ended by a zero byte; it may move while it grows, so
 * they are told apart at the end. */
static void fill_cells(Exporting *e, const void *record) {
        size_t starts[EXPORT_COLUMNS_MAX] = {};

        buffer_reset(&e->lists);
        for (size_t i = 0; i < e->n_columns; i++) {
                const Field *field = e->columns[i];
                OutCell *cell = &e->cells[i];

                *cell = (OutCell){ .name = field->name };
                if (field->type == FIELD_LIST) {
                        starts[i] = e->lists.size;
                        if (e->options->format == ROW_JSON)
                                append_list(e, &e->lists, field, record);
                        else
                                value_append_list(field, record, &e->lists);
                        buffer_put_u8(&e->lists, 0);
                } else if (field_is_set(field, record) || field->type == FIELD_FLAG) {
                        cell->text = text_of(e, field, record, e->numbers[i]);
                        cell->bare = is_bare(field);
                }
        }
        for (size_t i = 0; i < e->n_columns && e->lists.error == 0; i++)
                if (e->columns[i]->type == FIELD_LIST && field_is_set(e->columns[i], record)) {
                        e->cells[i].text = (const char *)e->lists.data + starts[i];
                        e->cells[i].bare = e->options->format == ROW_JSON;
                }
}

static bool equals(const Field *field, const void *a, const void *b) {
        char text_a[VALUE_SIZE], text_b[VALUE_SIZE];

        if (!field_is_set(field, a) || !field_is_set(field, b))
                return field_is_set(field, a) == field_is_set(field, b);
        return STREQ(value_text(field, a, text_a), value_text(field, b, text_b));
}

static bool is_wanted(const Exporting *e, const void *record) {
        const ExportOptions *options = e->options;
        const Case *c = record;

        if (options->kind ? !actor_in_scope(options->actor, c->subcentre, c->dealer)
                          : !register_shows(options->reg, options->actor, record))
                return false;
        for (size_t i = 0; i < e->type->n_fields; i++)
                if (field_mask_has(&options->given, i) &&
                    !equals(&e->type->fields[i], record, options->filter))
                        return false;
        return true;
}

/* ---- the file ---- */

/* What is gathered, in the encoding of the file. */
static int flush_out(Exporting *e) {
        char *data = (char *)e->out.data;
        size_t size = e->out.size;
        int r = e->out.error < 0 ? e->out.error : e->lists.error;

        if (r < 0 || size == 0)
                return r;
        if (!e->converts)
                r = e->options->write(e->options->userdata, data, size);
        while (e->converts && r == 0 && size > 0) {
                char chunk[4096], *to = chunk;
                size_t room = sizeof(chunk);

                if (iconv(e->convert, &data, &size, &to, &room) == (size_t)-1 && errno != E2BIG)
                        return -EILSEQ;
                r = e->options->write(e->options->userdata, chunk, sizeof(chunk) - room);
        }
        buffer_reset(&e->out);
        return r;
}

static int put_record(Exporting *e, const void *record) {
        if (!is_wanted(e, record))
                return 0;
        fill_cells(e, record);
        out_append(&e->out, e->options->format, e->cells, e->n_columns);
        e->rows++;
        return e->out.size >= WRITE_AT ? flush_out(e) : 0;
}

static int put_records(Exporting *e, const Table *table) {
        _cleanup_free_ void *record = calloc(1, e->type->size);
        uint64_t looked = 0, total = 0;
        Key position = {};
        int r;

        if (!record)
                return -ENOMEM;
        r = store_count(e->options->store, table, &total);
        if (r < 0)
                return r;
        while ((r = store_next(e->options->store, table, &position, record)) == 0) {
                r = put_record(e, record);
                record_done(e->type, record);
                if (r < 0)
                        return r;
                if (++looked % PROGRESS_EVERY == 0)
                        e->options->progress(e->options->userdata, looked, total);
        }
        if (r == -ENOENT)
                r = flush_out(e);
        e->options->progress(e->options->userdata, looked, total);
        return r;
}

static void put_names(Exporting *e) {
        static const char mark[] = "\xef\xbb\xbf";

        if (e->options->mark && !e->converts)
                buffer_put(&e->out, mark, strlen(mark));
        for (size_t i = 0; i < e->n_columns; i++)
                e->cells[i] = (OutCell){ .name = e->columns[i]->name };
        out_append_names(&e->out, e->options->format, e->cells, e->n_columns);
}

static void exporting_done(Exporting *e) {
        buffer_done(&e->lists);
        buffer_done(&e->out);
        if (e->converts)
                iconv_close(e->convert);
}

int export_run(const ExportOptions *options, uint64_t *ret_rows, Refusal *refusal) {
        const Table *table = options->kind ? options->kind->table : options->reg->table;
        _cleanup_(exporting_done) Exporting e = {
                .options = options,
                .type = table->type,
                .personal = actor_may(options->actor, PERMISSION_PERSONAL_READ),
        };
        int r = choose_columns(&e, refusal);

        if (r == 0 && options->encoding == ROW_GB18030) {
                e.convert = iconv_open("GB18030", "UTF-8");
                e.converts = (intptr_t)e.convert != -1;
                r = e.converts ? 0 : -EOPNOTSUPP;
        }
        if (r == 0) {
                put_names(&e);
                r = put_records(&e, table);
        }
        if (r == 0)
                *ret_rows = e.rows;
        return r;
}
