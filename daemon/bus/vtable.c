/* SPDX-License-Identifier: Apache-2.0 */

#include "bus/vtable.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

#define NAMES_SIZE 128

struct Vtable {
        sd_bus_vtable *entries;
        size_t n;
        char (*names)[NAMES_SIZE]; /* of the arguments of each entry, each ended by a zero byte */
        char (*members)[MEMBER_SIZE];
};

const BusMethod transition_method = {
        .in = "ta{sv}",
        .in_names = "id fields",
        .out = "a{sv}",
        .out_names = "head",
};

void member_from_name(const char *name, char ret[static MEMBER_SIZE]) {
        bool up = true;
        size_t n = 0;

        for (; *name && n + 1 < MEMBER_SIZE; name++) {
                if (*name == '_') {
                        up = true;
                        continue;
                }
                ret[n++] = up ? (char)toupper((unsigned char)*name) : *name;
                up = false;
        }
        ret[n] = '\0';
}

bool bus_offers(const BusInterface *interface, const BusMethod *method) {
        const char *made_by = interface->kind  ? interface->kind->made_by
                              : interface->reg ? interface->reg->made_by
                                               : NULL;

        return method->permission != MAY_CREATE || !made_by;
}

const BusMethod *bus_find_method(const BusInterface *interface, const char *member,
                                 const Transition **ret_transition) {
        char name[MEMBER_SIZE];

        *ret_transition = NULL;
        for (const BusMethod *method = interface->methods; method->member; method++)
                if (STREQ(method->member, member) && bus_offers(interface, method))
                        return method;
        for (size_t i = 0; interface->kind && i < interface->kind->n_transitions; i++) {
                member_from_name(interface->kind->transitions[i].name, name);
                if (STREQ(name, member) && !interface->kind->transitions[i].internal) {
                        *ret_transition = &interface->kind->transitions[i];
                        return &transition_method;
                }
        }
        return NULL;
}

/* "id fields" becomes "id\0fields\0". */
static size_t put_names(char *out, const char *names) {
        size_t n = names ? strlen(names) : 0;

        if (n == 0)
                return 0;
        assert(n + 1 < NAMES_SIZE / 2);
        for (size_t i = 0; i <= n; i++)
                out[i] = names[i] == ' ' ? '\0' : names[i];
        return n + 1;
}

static sd_bus_vtable *add_entry(Vtable *vtable, const char *member, const char *first_names,
                                const char *second_names) {
        size_t i = vtable->n++;
        size_t used = put_names(vtable->names[i], first_names);

        put_names(vtable->names[i] + used, second_names);
        memccpy(vtable->members[i], member, '\0', MEMBER_SIZE);
        return &vtable->entries[i];
}

/* Everything is open to everybody as far as sd-bus is concerned: permissions are ours to check, and
 * sd-bus' own check would ask the bus about each caller and wait. */
static void add_method(Vtable *vtable, const char *member, const BusMethod *method,
                       sd_bus_message_handler_t handler) {
        sd_bus_vtable *entry = add_entry(vtable, member, method->in_names, method->out_names);
        size_t i = (size_t)(entry - vtable->entries);

        entry->type = _SD_BUS_VTABLE_METHOD;
        entry->flags = SD_BUS_VTABLE_UNPRIVILEGED;
        entry->x.method.member = vtable->members[i];
        entry->x.method.signature = method->in;
        entry->x.method.result = method->out;
        entry->x.method.handler = handler;
        entry->x.method.names = vtable->names[i];
}

static void add_signal(Vtable *vtable, const BusSignal *signal) {
        sd_bus_vtable *entry = add_entry(vtable, signal->member, signal->names, NULL);
        size_t i = (size_t)(entry - vtable->entries);

        entry->type = _SD_BUS_VTABLE_SIGNAL;
        entry->x.signal.member = vtable->members[i];
        entry->x.signal.signature = signal->signature;
        entry->x.signal.names = vtable->names[i];
}

int vtable_new(const BusInterface *interface, sd_bus_message_handler_t handler, Vtable **ret) {
        static const sd_bus_vtable start = SD_BUS_VTABLE_START(0), end = SD_BUS_VTABLE_END;
        size_t n_transitions = interface->kind ? interface->kind->n_transitions : 0;
        size_t n = 2 + n_transitions; /* and the two ends */
        Vtable *vtable = calloc(1, sizeof(*vtable));

        if (!vtable)
                return -ENOMEM;
        for (const BusMethod *method = interface->methods; method->member; method++)
                n++;
        for (const BusSignal *signal = interface->signals; signal && signal->member; signal++)
                n++;
        vtable->entries = calloc(n, sizeof(*vtable->entries));
        vtable->names = calloc(n, sizeof(*vtable->names));
        vtable->members = calloc(n, sizeof(*vtable->members));
        if (!vtable->entries || !vtable->names || !vtable->members) {
                vtable_free(vtable);
                return -ENOMEM;
        }
        vtable->entries[vtable->n++] = start;
        for (const BusMethod *method = interface->methods; method->member; method++)
                if (bus_offers(interface, method))
                        add_method(vtable, method->member, method, handler);
        for (size_t i = 0; i < n_transitions; i++) {
                char member[MEMBER_SIZE];

                if (interface->kind->transitions[i].internal)
                        continue;
                member_from_name(interface->kind->transitions[i].name, member);
                add_method(vtable, member, &transition_method, handler);
        }
        for (const BusSignal *signal = interface->signals; signal && signal->member; signal++)
                add_signal(vtable, signal);
        vtable->entries[vtable->n] = end;
        *ret = vtable;
        return 0;
}

Vtable *vtable_free(Vtable *vtable) {
        if (!vtable)
                return NULL;
        free(vtable->entries);
        free(vtable->names);
        free(vtable->members);
        free(vtable);
        return NULL;
}

const sd_bus_vtable *vtable_entries(const Vtable *vtable) {
        return vtable->entries;
}
