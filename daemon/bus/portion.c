/* SPDX-License-Identifier: Apache-2.0 */

/* What is told of one record, however much it is: histories and explanations. */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "aftersales/limits.h"
#include "base/digest.h"
#include "bus/internal.h"
#include "loop/explain.h"
#include "loop/history.h"

int portion_begin(BusCall *call, bool paged, Portion *ret) {
        int r = 0;

        *ret = (Portion){ .call = call, .paged = paged, .cursor = "" };
        if (paged)
                r = MIN(sd_bus_message_read(call->m, "su", &ret->cursor, &ret->limit), 0);
        if (r == 0 && paged)
                r = page_check_limit(call, ret->limit);
        return r == 0 ? rows_open(call->reply) : r;
}

static bool is_full(const Portion *portion) {
        if (portion->paged)
                return portion->rows >= portion->limit || portion->bytes >= PAGE_BYTES_MAX;
        return portion->bytes >= ANSWER_BYTES_MAX;
}

int portion_append(Portion *portion, const RecordType *type, const void *record, bool personal) {
        if (is_full(portion))
                return portion->paged ? PORTION_FULL
                                      : refuse(&portion->call->refusal, REFUSED_LIMIT,
                                               "it has more than fits in one answer (%d KiB): read "
                                               "it with %sPage",
                                               ANSWER_BYTES_MAX / 1024,
                                               sd_bus_message_get_member(portion->call->m));
        portion->rows++;
        portion->bytes += fields_bytes(type, record);
        return MIN(fields_append(portion->call->reply, type, record, personal), 0);
}

int portion_end(Portion *portion, const char *next) {
        int r = rows_close(portion->call->reply);

        if (r == 0 && portion->paged)
                r = MIN(sd_bus_message_append(portion->call->reply, "s", next), 0);
        return r;
}

int portion_refuse_cursor(Portion *portion) {
        return refuse(&portion->call->refusal, REFUSED_INVALID_CURSOR,
                      "this cursor was not given by %s for this record as it is now: begin with an "
                      "empty one",
                      sd_bus_message_get_member(portion->call->m));
}

/* ---- histories: the cursor is the last revision told ---- */

static int history_position(Portion *portion, const Key *prefix, Key *ret) {
        unsigned long long revision;
        char *end;

        *ret = (Key){};
        if (!*portion->cursor)
                return 0;
        errno = 0;
        revision = strtoull(portion->cursor, &end, 10);
        if (*portion->cursor < '1' || *portion->cursor > '9' || *end || errno)
                return portion_refuse_cursor(portion);
        *ret = *prefix;
        key_u64(ret, revision);
        return 0;
}

static int append_event(Portion *portion, const RecordType *type, Event *event) {
        bool personal = actor_may(&portion->call->actor, PERMISSION_PERSONAL_READ);

        if (!personal)
                history_mask(event, type);
        return portion_append(portion, &event_type, event, personal);
}

int history_answer(BusCall *call, const Key *prefix, const RecordType *type, bool paged) {
        char next[24] = "";
        uint64_t told = 0;
        Key position = {};
        Portion portion;
        Event event;
        int r;

        r = portion_begin(call, paged, &portion);
        if (r == 0)
                r = history_position(&portion, prefix, &position);
        while (r == 0 &&
               (r = history_next(call->bus->options.store, prefix, &position, &event)) == 0) {
                r = append_event(&portion, type, &event);
                if (r == 0)
                        told = event.revision;
                record_done(&event_type, &event);
        }
        if (r == PORTION_FULL)
                snprintf(next, sizeof(next), "%" PRIu64, told);
        return r == -ENOENT || r == PORTION_FULL ? portion_end(&portion, next) : r;
}

/* ---- explanations: the cursor names the row, and the instant that all pages speak of ---- */

typedef struct Explanation {
        Portion portion;
        uint32_t identity; /* of all that it is made of */
        int64_t now;
        uint64_t skip, told; /* rows of earlier pages, rows until now */
} Explanation;

/* A case that has changed in the meantime, or whose policy has, is explained anew. */
static uint32_t identity_of(const BusCall *call, const Case *c, int64_t now, uint64_t row) {
        const uint64_t parts[] = {
                (uint64_t)c->kind,
                c->id,
                c->revision,
                (uint64_t)c->armed_at,
                (uint64_t)engine_version(call->bus->options.engine)->number,
                (uint64_t)now,
                row,
        };
        uint8_t bytes[sizeof(parts)];

        for (size_t i = 0; i < ELEMENTS(parts); i++)
                store_be64(bytes + 8 * i, parts[i]);
        return crc32c(0, bytes, sizeof(bytes));
}

/* "1772413200000000-250-0badcafe" */
#define EXPLAIN_CURSOR      "%" PRId64 "-%" PRIu64 "-%08" PRIx32
#define EXPLAIN_CURSOR_SIZE 56

static int explain_position(Explanation *x, const Case *c) {
        char again[EXPLAIN_CURSOR_SIZE];
        const char *cursor = x->portion.cursor;
        int64_t now;
        uint64_t row;

        if (!*cursor)
                return 0;
        if (sscanf(cursor, "%" SCNd64 "-%" SCNu64, &now, &row) != 2)
                return portion_refuse_cursor(&x->portion);
        snprintf(again, sizeof(again), EXPLAIN_CURSOR, now, row,
                 identity_of(x->portion.call, c, now, row));
        if (!STREQ(again, cursor))
                return portion_refuse_cursor(&x->portion);
        x->now = now;
        x->skip = row;
        return 0;
}

static int append_explanation(void *userdata, const ExplainRow *row) {
        Explanation *x = userdata;
        int r = 0;

        if (x->told >= x->skip)
                r = portion_append(&x->portion, &explain_type, row, true);
        x->told += r == 0;
        return r;
}

int explain_answer(BusCall *call, Case *c, bool paged) {
        Explanation x = { .now = call->now };
        char next[EXPLAIN_CURSOR_SIZE] = "";
        const Case before = *c; /* explaining changes it */
        int r;

        r = portion_begin(call, paged, &x.portion);
        if (r == 0)
                r = explain_position(&x, c);
        if (r == 0)
                r = explain_case(call->bus->options.engine, call->bus->options.store,
                                 call->interface->kind, c, x.now, append_explanation, &x);
        if (r == PORTION_FULL)
                snprintf(next, sizeof(next), EXPLAIN_CURSOR, x.now, x.told,
                         identity_of(call, &before, x.now, x.told));
        return r == 0 || r == PORTION_FULL ? portion_end(&x.portion, next) : r;
}
