/* SPDX-License-Identifier: Apache-2.0 */

/* What every sort of entries offers on the bus. */

#include <errno.h>

#include "bus/internal.h"

static int act_add(BusCall *call, Change *change, const Input *input, const void *subject _unused_,
                   Request *answer) {
        return register_add(call->interface->reg, call->bus->options.engine, change, &input->call,
                            &answer->id, &answer->created, &call->refusal);
}

static int entry_create(BusCall *call) {
        Request answer = {};
        Input input;
        int r;

        r = input_read(call, call->interface->reg->table->type, &input);
        if (r == 0)
                r = input_run(call, &input, NULL, act_add, NULL, &answer);
        if (r == 0)
                r = MIN(sd_bus_message_append(call->reply, "tb", answer.id, (int)answer.created),
                        0);
        record_done(&request_type, &answer);
        input_done(&input);
        return r;
}

static int append_seen(BusCall *call, const void *entry) {
        const Register *reg = call->interface->reg;

        if (register_shows(reg, &call->actor, entry))
                return MIN(row_append(&(RowSink){ .call = call, .type = reg->table->type }, entry),
                           0);
        return refuse(&call->refusal, REFUSED_SCOPE, "it is outside of your scope (%s)",
                      call->actor.unit);
}

static int entry_get(BusCall *call) {
        const Register *reg = call->interface->reg;
        _cleanup_free_ Entry *entry = calloc(1, reg->table->type->size);
        char number[CASE_NUMBER_SIZE];
        uint64_t id;
        Key key;
        int r;

        if (!entry)
                return -ENOMEM;
        r = sd_bus_message_read(call->m, "t", &id);
        if (r < 0)
                return r;
        key = key_of_id(id);
        r = store_get(call->bus->options.store, reg->table, &key, entry);
        if (r == -ENOENT)
                return refuse(&call->refusal, REFUSED_NOT_FOUND, "there is no %s %s", reg->name,
                              case_number(reg->letter, id, number));
        if (r == 0)
                r = append_seen(call, entry);
        record_done(reg->table->type, entry);
        return r;
}

static int list_page(BusCall *call, const Page *page, RowSink *sink,
                     char next[static LIST_CURSOR_SIZE]) {
        return list_register(call->bus->options.store, call->interface->reg, &page->filter,
                             page->cursor, page->limit, row_append, sink, next, &call->refusal);
}

static int entry_list(BusCall *call) {
        return page_answer(call, call->interface->reg->table->type, NULL, list_page);
}

const BusMethod entry_methods[] = {
        { "Create", "a{sv}", "fields", "tb", "id created", MAY_CREATE, entry_create,
          "Makes an entry. The same reference again gives the same entry, and created is false. An entry is never "
          "changed: what was wrong is put right by another one." },
        { "Get", "t", "id", "a{sv}", "record", MAY_READ, entry_get,
          "Everything that an entry says." },
        { "List", "a{sv}su", "filter cursor limit", "aa{sv}s", "rows cursor", MAY_READ, entry_list,
          "A page of entries within the caller's scope, in the order in which they were made unless an index gives "
          "another. Begin with an empty cursor; an empty one comes back after the last page. limit is 1 to 1000; a "
          "page also ends at about 64 KiB." },
        {},
};
