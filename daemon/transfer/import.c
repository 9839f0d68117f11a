/* SPDX-License-Identifier: Apache-2.0 */

#include "transfer/import.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "aftersales/limits.h"
#include "base/text.h"
#include "transfer/import-internal.h"
#include "transfer/value.h"

#define VERB_SIZE 128
/* 2000-01-01: seconds and milliseconds since 1970, taken for microseconds, lie before. */
#define AT_FIRST (INT64_C(946684800) * USEC_PER_SEC)

const char *const import_outcome_names[_IMPORT_OUTCOME_MAX] = {
        [IMPORT_CREATED] = "created",     [IMPORT_UPDATED] = "updated", [IMPORT_MOVED] = "moved",
        [IMPORT_UNCHANGED] = "unchanged", [IMPORT_REFUSED] = "refused",
};

static const RecordType *type_of(const ImportSession *session) {
        const Kind *kind = session->options.kind;

        return kind ? kind->table->type : session->options.reg->table->type;
}

/* ---- problems ---- */

/* A refusal that begins with the name of a column is about that column. */
static const RowCell *cell_at_fault(const Row *row, const char *text) {
        size_t n = strcspn(text, ":");

        for (size_t i = 0; i < row->n; i++)
                if (strlen(row->cells[i].name) == n && strncmp(row->cells[i].name, text, n) == 0)
                        return &row->cells[i];
        return NULL;
}

static void tell_refusal(ImportSession *session, const Row *row, const Refusal *refusal) {
        const RowCell *cell = cell_at_fault(row, refusal->text);
        ImportProblem problem = {
                .line = row->line,
                .column = cell ? cell->column : 0,
                .field = cell ? cell->name : NULL,
                .code = refusal->code,
                .text = refusal->text,
                .row = row,
                .parsed = true,
        };

        session->counts.outcomes[IMPORT_REFUSED]++;
        session->options.problem(session->options.userdata, &problem);
}

static void tell_fault(ImportSession *session, const Row *row, const RowFault *fault) {
        ImportProblem problem = {
                .line = fault->line,
                .column = fault->column,
                .code = REFUSED_INVALID_VALUE,
                .text = fault->text,
                .row = fault->fatal ? NULL : row,
        };

        session->counts.outcomes[IMPORT_REFUSED]++;
        session->options.problem(session->options.userdata, &problem);
}

/* ---- reading a row ---- */

static int refuse_column(const ImportSession *session, const char *name, Refusal *refusal) {
        const RecordType *type = type_of(session);
        const char *names[RECORD_FIELDS_MAX + 1] = {}, *nearest;
        char clean[NAME_MAX_BYTES];
        size_t n = 0;

        for (size_t i = 0; i < type->n_fields; i++)
                if (!(type->fields[i].marks & FIELD_HIDDEN))
                        names[n++] = type->fields[i].name;
        nearest = text_nearest(name, names);
        return refuse(refusal, REFUSED_UNKNOWN_FIELD, "%s: there is no such field of a %s%s%s%s",
                      text_escape(name, clean, sizeof(clean)), type->name,
                      nearest ? "; did you mean '" : "", nearest ? nearest : "",
                      nearest ? "'?" : "");
}

/* The place of a column that is no field, or NULL. */
static const char **special_place(ImportRow *row, const char *name) {
        const Register *reg = row->session->options.reg;
        bool of_case = !reg, of_entry = reg && reg->table->numbered;
        const struct {
                const char *name;
                const char **place;
                bool there;
        } specials[] = {
                { "verb", &row->verb, of_case },
                { "id", &row->id, of_case },
                { "at", &row->at, of_case || of_entry },
                { "note", &row->note, true },
                { "by", &row->by, true },
        };

        for (size_t i = 0; i < ELEMENTS(specials); i++)
                if (STREQ(specials[i].name, name) && specials[i].there)
                        return specials[i].place;
        return NULL;
}

static int read_cell(ImportRow *row, const RowCell *cell) {
        const RecordType *type = type_of(row->session);
        const char **special = special_place(row, cell->name);
        const char *text = cell->text;
        const Field *field;
        size_t position;

        if (STREQ(cell->name, "error"))
                return 0;
        if (special) {
                *special = text;
                return 0;
        }
        field = record_field(type, cell->name, &position);
        if (!field || (field->marks & FIELD_HIDDEN))
                return refuse_column(row->session, cell->name, &row->refusal);
        if (!text)
                return 0;
        if (STREQ(cell->name, "reference"))
                row->reference = text;
        /* What an export tells of a record of a register besides. */
        if (row->session->options.reg && !(field->marks & (FIELD_SETTABLE | FIELD_UPDATABLE)))
                return 0;
        field_mask_set(&row->call.given, position);
        return value_read(field, text, row->fields, &row->refusal);
}

/* The person behind a program becomes part of who acts. */
static int apply_by(ImportRow *row) {
        row->actor = row->session->options.actor;
        if (!row->by)
                return 0;
        if (!actor_may(&row->actor, PERMISSION_ACT_FOR))
                return refuse(&row->refusal, REFUSED_PERMISSION,
                              "by: your role (%s) does not have the permission %s", row->actor.role,
                              permission_name(PERMISSION_ACT_FOR));
        snprintf(row->actor_name, sizeof(row->actor_name), "%.*s/%.*s",
                 (int)strcspn(row->actor.name, "/"), row->actor.name, NAME_MAX_BYTES, row->by);
        row->actor.name = row->actor_name;
        return 0;
}

static int check_note(ImportRow *row) {
        static const Field note = { .name = "note",
                                    .type = FIELD_TEXT,
                                    .marks = FIELD_MULTILINE,
                                    .limit = TEXT_MAX_BYTES };
        static const Field by = { .name = "by", .type = FIELD_TEXT, .limit = NAME_MAX_BYTES };
        int r = row->note ? field_check_text(&note, row->note, &row->refusal) : 0;

        return r == 0 && row->by ? field_check_text(&by, row->by, &row->refusal) : r;
}

static int read_at(ImportRow *row) {
        if (!row->at)
                return 0;
        if (value_read_time(row->at, &row->call.at) < 0)
                return refuse(&row->refusal, REFUSED_INVALID_VALUE,
                              "at: no time such as 2026-11-23T18:05:00Z");
        if (row->call.at < AT_FIRST)
                return refuse(&row->refusal, REFUSED_INVALID_VALUE,
                              "at: lies before 2000; a number is microseconds since 1970");
        return 0;
}

static int read_row(ImportRow *row) {
        int r = 0;

        for (size_t i = 0; r == 0 && i < row->row->n; i++)
                r = read_cell(row, &row->row->cells[i]);
        if (r == 0)
                r = check_note(row);
        if (r == 0)
                r = apply_by(row);
        if (r == 0)
                r = read_at(row);
        row->call.actor = &row->actor;
        row->call.now = row->now;
        row->call.fields = row->fields;
        row->call.note = row->note;
        return r;
}

/* ---- working on it ---- */

int import_apply(ImportRow *row, Change *change, const char *verb) {
        const ImportOptions *options = &row->session->options;
        char full[VERB_SIZE];
        Origin origin = {
                .time = row->now,
                .actor = row->actor.name,
                .verb = full,
                .policy = engine_policy(row->engine)->digest,
        };

        snprintf(full, sizeof(full), "import.%s.%s",
                 options->kind ? options->kind->name : options->reg->name, verb);
        if (!change_is_empty(change))
                return change_apply(change, &origin);
        change_drop(change);
        return 0;
}

static int take_row(ImportSession *session, const Engine *engine, const Row *row, int64_t now,
                    bool settle) {
        ImportRow work = {
                .session = session, .engine = engine, .row = row, .now = now, .settle = settle
        };
        const RecordType *type = type_of(session);
        ImportOutcome outcome = IMPORT_REFUSED;
        int r;

        work.fields = calloc(1, type->size);
        if (!work.fields)
                return -ENOMEM;
        r = read_row(&work);
        if (r == 0)
                r = session->options.kind                   ? import_case(&work, &outcome)
                    : session->options.reg->table->numbered ? import_entry(&work, &outcome)
                                                            : import_master(&work, &outcome);
        record_done(type, work.fields);
        free(work.fields);
        if (r == -E2BIG)
                r = refuse(&work.refusal, REFUSED_LIMIT,
                           "the record would be larger than the store takes");
        if (r < 0)
                return r;
        if (r > 0)
                tell_refusal(session, row, &work.refusal);
        else
                session->counts.outcomes[outcome]++;
        return 0;
}

int import_next(ImportSession *session, const Engine *engine, int64_t now, bool settle) {
        const Row *row = NULL;
        RowFault fault = {};
        int r;

        if (session->ended)
                return 0;
        r = row_reader_next(session->reader, &row, &fault);
        if (r < 0)
                return r;
        session->ended = r == ROW_END || (r == ROW_FAULT && fault.fatal);
        if (r == ROW_END)
                return 0;
        if (r == ROW_NONE)
                return 1;
        session->counts.rows++;
        if (r == ROW_FAULT) {
                tell_fault(session, row, &fault);
                return fault.fatal ? IMPORT_BROKEN : 1;
        }
        r = take_row(session, engine, row, now, settle);
        return r < 0 ? r : 1;
}

/* ---- as an object ---- */

int import_new(const ImportOptions *options, RowReader *reader, ImportSession **ret) {
        ImportSession *session = calloc(1, sizeof(*session));

        if (!session)
                return -ENOMEM;
        assert(!options->kind != !options->reg);
        *session = (ImportSession){ .options = *options, .reader = reader };
        *ret = session;
        return 0;
}

ImportSession *import_free(ImportSession *session) {
        if (!session)
                return NULL;
        row_reader_free(session->reader);
        free(session);
        return NULL;
}

const ImportCounts *import_counts(const ImportSession *session) {
        return &session->counts;
}

uint64_t import_bytes(const ImportSession *session) {
        return row_reader_bytes(session->reader);
}
