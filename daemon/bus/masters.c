/* SPDX-License-Identifier: Apache-2.0 */

/* What every sort of master data offers on the bus. */

#include <errno.h>
#include <string.h>

#include "aftersales/limits.h"
#include "bus/internal.h"
#include "loop/history.h"

static int act_master_create(BusCall *call, Change *change, const Input *input,
                             const void *subject _unused_, Request *answer) {
        return register_create(call->interface->reg, call->bus->options.engine, change,
                               &input->call, &answer->revision, &call->refusal);
}

static int master_create(BusCall *call) {
        Request answer = {};
        Input input;
        int r;

        r = input_read(call, call->interface->reg->table->type, &input);
        if (r == 0)
                r = input_refuse_at(call, &input);
        if (r == 0)
                r = input_run(call, &input, NULL, act_master_create, NULL, &answer);
        if (r == 0)
                r = MIN(sd_bus_message_append(call->reply, "st", ((Master *)input.record)->code,
                                              answer.revision),
                        0);
        record_done(&request_type, &answer);
        input_done(&input);
        return r;
}

static int act_master_update(BusCall *call, Change *change, const Input *input, const void *subject,
                             Request *answer) {
        return register_update(call->interface->reg, call->bus->options.engine, change, subject,
                               &input->call, &answer->revision, &call->refusal);
}

static int code_read(BusCall *call, const char **ret) {
        int r = sd_bus_message_read(call->m, "s", ret);

        if (r < 0)
                return r;
        if (!**ret || strlen(*ret) > CODE_MAX_BYTES)
                return refuse(&call->refusal, REFUSED_INVALID_VALUE,
                              "code: 1 to %d bytes are allowed", CODE_MAX_BYTES);
        return 0;
}

static int master_update(BusCall *call) {
        Request answer = {};
        const char *code;
        Input input = {};
        int r;

        r = code_read(call, &code);
        if (r == 0)
                r = input_read(call, call->interface->reg->table->type, &input);
        if (r == 0)
                r = input_refuse_at(call, &input);
        if (r == 0)
                r = input_run(call, &input, code, act_master_update, code, &answer);
        if (r == 0)
                r = MIN(sd_bus_message_append(call->reply, "t", answer.revision), 0);
        record_done(&request_type, &answer);
        input_done(&input);
        return r;
}

static int master_get(BusCall *call) {
        const Register *reg = call->interface->reg;
        _cleanup_free_ void *record = calloc(1, reg->table->type->size);
        const char *code;
        Key key;
        int r;

        if (!record)
                return -ENOMEM;
        r = code_read(call, &code);
        if (r != 0)
                return r;
        key = key_of_code(code);
        r = store_get(call->bus->options.store, reg->table, &key, record);
        if (r == -ENOENT)
                return refuse(&call->refusal, REFUSED_NOT_FOUND, "there is no %s %s", reg->name,
                              code);
        if (r == 0)
                r = row_append(&(RowSink){ .call = call, .type = reg->table->type }, record);
        record_done(reg->table->type, record);
        return MIN(r, 0);
}

static int list_page(BusCall *call, const Page *page, RowSink *sink,
                     char next[static LIST_CURSOR_SIZE]) {
        return list_register(call->bus->options.store, call->interface->reg, &page->filter,
                             page->cursor, page->limit, row_append, sink, next, &call->refusal);
}

static int master_list(BusCall *call) {
        return page_answer(call, call->interface->reg->table->type, NULL, list_page);
}

static int read_history(BusCall *call, bool paged) {
        const Register *reg = call->interface->reg;
        const char *code;
        Key key, prefix;
        int r;

        r = code_read(call, &code);
        if (r != 0)
                return r;
        key = key_of_code(code);
        if (!store_has(call->bus->options.store, reg->table, &key))
                return refuse(&call->refusal, REFUSED_NOT_FOUND, "there is no %s %s", reg->name,
                              code);
        prefix = history_prefix(HISTORY_KIND_OF_MASTER + reg->table->number, 0, code);
        return history_answer(call, &prefix, reg->table->type, paged);
}

static int master_history(BusCall *call) {
        return read_history(call, false);
}

static int master_history_page(BusCall *call) {
        return read_history(call, true);
}

const BusMethod master_methods[] = {
        { "Create", "a{sv}", "fields", "st", "code revision", MAY_WRITE, master_create,
          "Creates a record under a code that is not in use." },
        { "Update", "sa{sv}", "code fields", "t", "revision", MAY_WRITE, master_update,
          "Changes the fields given; an empty text clears one." },
        { "Get", "s", "code", "a{sv}", "record", MAY_READ, master_get,
          "Everything that is known under a code." },
        { "List", "a{sv}su", "filter cursor limit", "aa{sv}s", "rows cursor", MAY_READ, master_list,
          "A page of records in the order of their codes. Begin with an empty cursor; an empty one comes back "
          "after the last page. limit is 1 to 1000; a page also ends at about 64 KiB." },
        { "History", "s", "code", "aa{sv}", "events", MAY_READ, master_history,
          "Every change that somebody made, oldest first. All of them, up to 256 KiB; LimitReached if there are "
          "more." },
        { "HistoryPage", "ssu", "code cursor limit", "aa{sv}s", "events cursor", MAY_READ,
          master_history_page,
          "The same in pages. Begin with an empty cursor; an empty one comes back with the last page. limit is 1 "
          "to 1000; a page also ends at about 64 KiB." },
        {},
};
