/* SPDX-License-Identifier: Apache-2.0 */

#include "app-order.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "bus/bus.h"

#define LINE_SIZE (TEXT_MAX_BYTES + NAME_MAX_BYTES + 16)

static void set_subject(FileOrder *order, const char *name) {
        for (const Kind *const *kind = app_kinds; *kind; kind++)
                if (STREQ((*kind)->name, name))
                        order->kind = *kind;
        for (const Register *const *reg = bus_registers; *reg; reg++)
                if (STREQ((*reg)->name, name))
                        order->reg = *reg;
}

static void copy(char *to, size_t size, const char *value) {
        snprintf(to, size, "%s", value);
}

/* Whether the line is one of those that all orders have. */
static bool take_line(FileOrder *order, const char *key, const char *value) {
        if (STREQ(key, "what"))
                set_subject(order, value);
        else if (STREQ(key, "format"))
                order->format = (RowFormat)atoi(value);
        else if (STREQ(key, "encoding"))
                order->encoding = (RowEncoding)atoi(value);
        else if (STREQ(key, "permissions"))
                order->actor.permissions = strtoull(value, NULL, 10);
        else if (STREQ(key, "scope"))
                order->actor.scope = (ScopeKind)atoi(value);
        else if (STREQ(key, "actor"))
                copy(order->name, sizeof(order->name), value);
        else if (STREQ(key, "role"))
                copy(order->role, sizeof(order->role), value);
        else if (STREQ(key, "unit")) {
                copy(order->unit, sizeof(order->unit), value);
                order->actor.unit = order->unit;
        } else
                return false;
        return true;
}

int file_order_read(FileOrder *order, int (*other)(void *userdata, const char *key, char *value),
                    void *userdata) {
        char line[LINE_SIZE];
        int r = 0;

        while (r == 0 && fgets(line, sizeof(line), stdin)) {
                char *value = line;
                const char *key = strsep(&value, " ");

                if (!value)
                        continue;
                value[strcspn(value, "\n")] = '\0';
                if (!take_line(order, key, value))
                        r = other(userdata, key, value);
        }
        order->actor.name = order->name;
        order->actor.role = order->role;
        return r == 0 && !order->kind == !order->reg ? -EINVAL : r;
}
