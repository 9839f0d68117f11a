/* SPDX-License-Identifier: Apache-2.0 */

/* An export is written by a helper on its own snapshot: however slow the file is, nobody else waits
 * for it. Its order goes to standard input, since filters can be personal data. */

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "bus/transfer.h"
#include "transfer/value.h"

#define LINE_SIZE (TEXT_MAX_BYTES + NAME_MAX_BYTES + 16)

static _printf_(2, 3) void put_line(Buffer *buffer, const char *format, ...) {
        char line[LINE_SIZE];
        va_list arguments;
        int n;

        va_start(arguments, format);
        n = vsnprintf(line, sizeof(line), format, arguments);
        va_end(arguments);
        buffer_put(buffer, line, (size_t)MIN(n, (int)sizeof(line) - 1));
}

static int put_filter(BusCall *call, Buffer *order, const RecordType *type) {
        _cleanup_free_ void *record = calloc(1, type->size);
        FieldMask given = {};
        char number[VALUE_SIZE];
        int r;

        if (!record)
                return -ENOMEM;
        r = fields_read(call->m, type, record, &given, NULL, NULL, &call->refusal);
        if (r == 0)
                r = page_check_filter(call, type, &given);
        for (size_t i = 0; r == 0 && i < type->n_fields; i++)
                if (field_mask_has(&given, i))
                        put_line(order, "filter %s %s\n", type->fields[i].name,
                                 value_text(&type->fields[i], record, number) ?: "");
        record_done(type, record);
        return r;
}

static int put_options(BusCall *call, Buffer *order) {
        static const RecordType nothing = { .name = "options" };
        const char *format = NULL, *encoding = NULL, *columns = NULL;
        bool mark = false;
        ExtraKey extra[] = { { "format", 's', &format, false },
                             { "encoding", 's', &encoding, false },
                             { "columns", 's', &columns, false },
                             { "mark", 'b', &mark, false },
                             {} };
        FieldMask given = {};
        int form, code, r;
        Record none = {};

        r = fields_read(call->m, &nothing, &none, &given, NULL, extra, &call->refusal);
        if (r == 0)
                r = transfer_choice("format", format, row_format_names, _ROW_FORMAT_MAX, &form,
                                    &call->refusal);
        if (r == 0)
                r = transfer_choice("encoding", encoding, row_encoding_names, _ROW_ENCODING_MAX,
                                    &code, &call->refusal);
        if (r == 0 && columns && (strlen(columns) >= TEXT_MAX_BYTES || strchr(columns, '\n')))
                r = refuse(&call->refusal, REFUSED_INVALID_VALUE,
                           "columns: names of fields, separated by commas");
        if (r != 0)
                return r;
        put_line(order, "format %d\nencoding %d\nmark %d\n", form, code, mark);
        if (columns)
                put_line(order, "columns %s\n", columns);
        return 0;
}

static void put_actor(const BusCall *call, Buffer *order) {
        put_line(order, "permissions %" PRIu64 "\nscope %d\n", call->actor.permissions,
                 (int)call->actor.scope);
        if (call->actor.unit)
                put_line(order, "unit %s\n", call->actor.unit);
}

static int check_readable(BusCall *call, const TransferSubject *subject) {
        Permission permission = subject->kind ? subject->kind->read : subject->reg->read;

        if (actor_may(&call->actor, permission))
                return 0;
        return refuse(&call->refusal, REFUSED_PERMISSION,
                      "your role (%s) does not have the permission %s", call->actor.role,
                      permission_name(permission));
}

static int read_order(BusCall *call, Buffer *order, int *ret_fd) {
        TransferSubject subject;
        const RecordType *type;
        const char *what;
        int r = sd_bus_message_read(call->m, "s", &what);

        if (r < 0)
                return r;
        r = transfer_subject(what, &subject, &call->refusal);
        if (r == 0)
                r = check_readable(call, &subject);
        if (r != 0)
                return r;
        type = subject.kind ? subject.kind->table->type : subject.reg->table->type;
        put_line(order, "what %s\n", what);
        put_actor(call, order);
        r = put_filter(call, order, type);
        if (r == 0)
                r = MIN(sd_bus_message_read(call->m, "h", ret_fd), 0);
        if (r == 0)
                r = put_options(call, order);
        return r == 0 ? order->error : r;
}

int transfer_export(BusCall *call) {
        _cleanup_(buffer_done) Buffer order = {};
        HelperOptions options = { .arguments = (const char *const[]){ "--export", NULL },
                                  .n_descriptors = 1 };
        int r = read_order(call, &order, &options.descriptors[0]);

        if (r != 0)
                return r;
        options.input = buffer_slice(&order);
        return job_new_helper(call, "export", &options);
}
