/* SPDX-License-Identifier: Apache-2.0 */

#include "loop/listing.h"

#include <errno.h>

#include "base/digest.h"
#include "loop/escalation.h"
#include "record/codec.h"

typedef struct Listing {
        const RecordType *type;
        const ListFilter *filter;
        const Kind *kind;    /* of cases */
        const Register *reg; /* of others */
        bool stop_at_ended;  /* the index has the ended cases last */
        ListRow row;
        void *userdata;
} Listing;

static bool entry_of_kind(void *userdata, const Key *entry) {
        const Listing *listing = userdata;

        return due_entry_kind(entry) == listing->kind->number;
}

static bool same_value(const Field *field, const void *a, const void *b) {
        const char *x, *y;

        if (field->type != FIELD_TEXT)
                return field_number(field, a) == field_number(field, b);
        x = field_text(field, a);
        y = field_text(field, b);
        return x && y ? STREQ(x, y) : x == y;
}

static bool matches(const Listing *listing, const void *record) {
        for (size_t i = 0; i < listing->type->n_fields; i++)
                if (field_mask_has(&listing->filter->given, i) &&
                    !same_value(&listing->type->fields[i], listing->filter->record, record))
                        return false;
        return true;
}

static ListVerdict want_case(void *userdata, const void *record) {
        const Listing *listing = userdata;
        const ListFilter *filter = listing->filter;
        const Case *c = record;

        if (!c->open && !filter->ended)
                return listing->stop_at_ended ? LIST_END : LIST_SKIP;
        if (c->rung < filter->rung ||
            (filter->actor && !actor_in_scope(filter->actor, c->subcentre, c->dealer)))
                return LIST_SKIP;
        return matches(listing, record) ? LIST_TAKE : LIST_SKIP;
}

static ListVerdict want_of_register(void *userdata, const void *record) {
        const Listing *listing = userdata;
        const Actor *actor = listing->filter->actor;

        if (actor && !register_shows(listing->reg, actor, record))
                return LIST_SKIP;
        return matches(listing, record) ? LIST_TAKE : LIST_SKIP;
}

static int hand_row(void *userdata, const void *record) {
        const Listing *listing = userdata;

        return listing->row(listing->userdata, record);
}

static const ListPath *find_path(const Listing *listing, const ListPath *paths, size_t n_paths) {
        for (size_t i = 0; i < n_paths; i++) {
                size_t position;

                if (record_field(listing->type, paths[i].field, &position) &&
                    field_mask_has(&listing->filter->given, position) &&
                    field_is_set(&listing->type->fields[position], listing->filter->record))
                        return &paths[i];
        }
        return NULL;
}

/* What a cursor belongs to: the stretch and everything that selects from it. */
static int query_identity(ListQuery *query, const ListFilter *filter) {
        _cleanup_(buffer_done) Buffer buffer = {};
        int r;

        buffer_put_u8(&buffer, query->table->number);
        if (query->index)
                buffer_put(&buffer, query->index->name, strlen(query->index->name));
        buffer_put_slice(&buffer, key_slice(&query->prefix));
        buffer_put_u8(&buffer, filter->ended);
        buffer_put_u64(&buffer, (uint64_t)filter->rung);
        if (filter->actor && filter->actor->unit)
                buffer_put(&buffer, filter->actor->unit, strlen(filter->actor->unit));
        r = record_encode_body(query->table->type, filter->record, &filter->given, &buffer);
        if (r == 0)
                query->identity = crc32c(0, buffer.data, buffer.size);
        return r;
}

static int run(Store *store, Listing *listing, ListQuery *query,
               char ret_cursor[static LIST_CURSOR_SIZE], Refusal *refusal) {
        int r = query_identity(query, listing->filter);

        query->row = hand_row;
        query->userdata = listing;
        return r < 0 ? r : store_list(store, query, ret_cursor, refusal);
}

static bool names(const Listing *listing, const char *field) {
        size_t position;

        return record_field(listing->type, field, &position) &&
               field_mask_has(&listing->filter->given, position);
}

/* The best stretch for cases: what is asked for, else what the caller may see at all, else what is
 * open. */
static void plan_cases(Listing *listing, ListQuery *query, ListFilter *filter) {
        const Kind *kind = listing->kind;
        const ListPath *path = find_path(listing, kind->paths, kind->n_paths);
        const Actor *actor = filter->actor;

        if (filter->rung > 0 && !filter->ended) {
                query->index = &index_rung;
                key_u8(&query->prefix, kind->number);
        } else if (path) {
                query->index = path->index;
                path->prefix(filter->record, &query->prefix);
                listing->stop_at_ended = path->urgent_first;
                /* Who names a reference, a serial number or a state means ended ones as well. */
                if (!path->urgent_first || names(listing, "state"))
                        filter->ended = true;
        } else if (actor && actor->scope != SCOPE_HEADQUARTERS) {
                query->index = actor->scope == SCOPE_SUBCENTRE ? &index_subcentre : &index_dealer;
                key_u8(&query->prefix, kind->number);
                key_text(&query->prefix, actor->unit);
                listing->stop_at_ended = true;
        } else if (!filter->ended) {
                query->index = &index_due;
                query->ours = entry_of_kind;
        }
}

int list_cases(Store *store, const Kind *kind, const ListFilter *filter, const char *cursor,
               size_t limit, ListRow row, void *userdata, char ret_cursor[static LIST_CURSOR_SIZE],
               Refusal *refusal) {
        ListFilter planned = *filter;
        Listing listing = {
                .type = kind->table->type,
                .filter = &planned,
                .kind = kind,
                .row = row,
                .userdata = userdata,
        };
        ListQuery query = {
                .table = kind->table, .cursor = cursor, .limit = limit, .want = want_case
        };

        plan_cases(&listing, &query, &planned);
        return run(store, &listing, &query, ret_cursor, refusal);
}

int list_register(Store *store, const Register *reg, const ListFilter *filter, const char *cursor,
                  size_t limit, ListRow row, void *userdata,
                  char ret_cursor[static LIST_CURSOR_SIZE], Refusal *refusal) {
        Listing listing = { .type = reg->table->type,
                            .filter = filter,
                            .reg = reg,
                            .row = row,
                            .userdata = userdata };
        ListQuery query = {
                .table = reg->table, .cursor = cursor, .limit = limit, .want = want_of_register
        };
        const ListPath *path = find_path(&listing, reg->paths, reg->n_paths);

        if (path) {
                query.index = path->index;
                path->prefix(filter->record, &query.prefix);
        }
        return run(store, &listing, &query, ret_cursor, refusal);
}

static ListVerdict want_escalation(void *userdata, const void *record) {
        const Listing *listing = userdata;
        const Escalation *e = record;

        if ((e->acknowledged_at && !listing->filter->ended) ||
            !actor_in_scope(listing->filter->actor, e->subcentre, e->dealer))
                return LIST_SKIP;
        return matches(listing, record) ? LIST_TAKE : LIST_SKIP;
}

static void prefix_escalation_case(const void *filter, Key *key) {
        const Escalation *e = filter;

        key_u8(key, (uint8_t)e->kind);
        key_u64(key, e->case_id);
}

static void prefix_recipient(const void *filter, Key *key) {
        key_text(key, ((const Escalation *)filter)->recipient);
}

static const ListPath escalation_paths[] = {
        { .field = "case_id", .index = &index_escalation_case, .prefix = prefix_escalation_case },
        { .field = "recipient", .index = &index_escalation_recipient, .prefix = prefix_recipient },
};

int list_escalations(Store *store, const ListFilter *filter, const char *cursor, size_t limit,
                     ListRow row, void *userdata, char ret_cursor[static LIST_CURSOR_SIZE],
                     Refusal *refusal) {
        Listing listing = {
                .type = &escalation_type, .filter = filter, .row = row, .userdata = userdata
        };
        ListQuery query = { .table = &escalation_table,
                            .cursor = cursor,
                            .limit = limit,
                            .want = want_escalation };
        const ListPath *path = find_path(&listing, escalation_paths, ELEMENTS(escalation_paths));

        if (path) {
                query.index = path->index;
                path->prefix(filter->record, &query.prefix);
        } else if (!filter->ended)
                query.index = &index_escalation_open;
        return run(store, &listing, &query, ret_cursor, refusal);
}
