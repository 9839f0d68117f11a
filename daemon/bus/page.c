/* SPDX-License-Identifier: Apache-2.0 */

/* Answers of many rows. */

#include <errno.h>

#include "aftersales/limits.h"
#include "bus/internal.h"

int row_append(void *userdata, const void *record) {
        RowSink *sink = userdata;
        int r = fields_append(sink->call->reply, sink->type, record,
                              actor_may(&sink->call->actor, PERMISSION_PERSONAL_READ));

        sink->bytes += fields_bytes(sink->type, record);
        return r < 0 ? r : sink->bytes >= PAGE_BYTES_MAX;
}

int page_check_limit(BusCall *call, uint32_t limit) {
        if (limit >= 1 && limit <= PAGE_ROWS_MAX)
                return 0;
        return refuse(&call->refusal, REFUSED_INVALID_VALUE,
                      "limit: 1 to %d rows a page are allowed", PAGE_ROWS_MAX);
}

int page_check_filter(BusCall *call, const RecordType *type, const FieldMask *given) {
        for (size_t i = 0; i < type->n_fields; i++) {
                const Field *field = &type->fields[i];

                if (!field_mask_has(given, i))
                        continue;
                if (!(field->marks & FIELD_FILTER))
                        return refuse(&call->refusal, REFUSED_UNKNOWN_FIELD,
                                      "lists cannot be filtered by %s", field->name);
                if ((field->marks & FIELD_PERSONAL) &&
                    !actor_may(&call->actor, PERMISSION_PERSONAL_READ))
                        return refuse(&call->refusal, REFUSED_PERMISSION,
                                      "%s: your role (%s) does not see personal data", field->name,
                                      call->actor.role);
        }
        return 0;
}

int rows_open(sd_bus_message *reply) {
        int r = sd_bus_message_open_container(reply, 'a', "a{sv}");

        return MIN(r, 0);
}

int rows_close(sd_bus_message *reply) {
        int r = sd_bus_message_close_container(reply);

        return MIN(r, 0);
}

int page_answer(BusCall *call, const RecordType *type, const char *ended_key, ListPage list) {
        _cleanup_free_ void *record = calloc(1, type->size);
        Page page = { .record = record, .filter = { .record = record, .actor = &call->actor } };
        ExtraKey extra[] = { { ended_key, 'b', &page.filter.ended, false },
                             { call->interface->kind ? "rung" : NULL, 'x', &page.filter.rung,
                               false },
                             {} };
        RowSink sink = { .call = call, .type = type };
        char next[LIST_CURSOR_SIZE];
        int r;

        if (!record)
                return -ENOMEM;
        r = fields_read(call->m, type, record, &page.filter.given, NULL, extra, &call->refusal);
        if (r == 0)
                r = page_check_filter(call, type, &page.filter.given);
        if (r == 0 && page.filter.rung < 0)
                r = refuse(&call->refusal, REFUSED_INVALID_VALUE, "rung: must not be negative");
        if (r == 0)
                r = MIN(sd_bus_message_read(call->m, "su", &page.cursor, &page.limit), 0);
        if (r == 0)
                r = page_check_limit(call, page.limit);
        if (r == 0)
                r = rows_open(call->reply);
        if (r == 0)
                r = list(call, &page, &sink, next);
        if (r == 0)
                r = rows_close(call->reply);
        if (r == 0)
                r = MIN(sd_bus_message_append(call->reply, "s", next), 0);
        record_done(type, record);
        return r;
}
