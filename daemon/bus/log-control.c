/* SPDX-License-Identifier: Apache-2.0 */

#include "bus/log-control.h"

#include <string.h>

#include "base/log.h"
#include "base/text.h"

#define LOG_CONTROL_PATH      "/org/freedesktop/LogControl1"
#define LOG_CONTROL_INTERFACE "org.freedesktop.LogControl1"

static const char *const level_names[] = {
        [LOG_EMERG] = "emerg", [LOG_ALERT] = "alert",     [LOG_CRIT] = "crit",
        [LOG_ERR] = "err",     [LOG_WARNING] = "warning", [LOG_NOTICE] = "notice",
        [LOG_INFO] = "info",   [LOG_DEBUG] = "debug",     NULL,
};

/* ---- reading: everybody who may send to us ---- */

static int get_level(sd_bus *bus _unused_, const char *path _unused_,
                     const char *interface _unused_, const char *property _unused_,
                     sd_bus_message *reply, void *userdata _unused_, sd_bus_error *error _unused_) {
        return sd_bus_message_append(reply, "s", level_names[log_get_level()]);
}

static int get_target(sd_bus *bus _unused_, const char *path _unused_,
                      const char *interface _unused_, const char *property _unused_,
                      sd_bus_message *reply, void *userdata _unused_,
                      sd_bus_error *error _unused_) {
        return sd_bus_message_append(reply, "s",
                                     log_get_target() == LOG_TO_SYSLOG ? "syslog" : "console");
}

static int get_identifier(sd_bus *bus _unused_, const char *path _unused_,
                          const char *interface _unused_, const char *property _unused_,
                          sd_bus_message *reply, void *userdata _unused_,
                          sd_bus_error *error _unused_) {
        return sd_bus_message_append(reply, "s", LOG_IDENTIFIER);
}

/* Never called: on_call() takes every Set before sd-bus does. */
static int set_level(sd_bus *bus _unused_, const char *path _unused_,
                     const char *interface _unused_, const char *property _unused_,
                     sd_bus_message *value _unused_, void *userdata _unused_, sd_bus_error *error) {
        return sd_bus_error_set(error, SD_BUS_ERROR_ACCESS_DENIED, "the log level is not set here");
}

static const sd_bus_vtable vtable[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_WRITABLE_PROPERTY("LogLevel", "s", get_level, set_level, 0,
                                 SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_PROPERTY("LogTarget", "s", get_target, 0, 0),
        SD_BUS_PROPERTY("SyslogIdentifier", "s", get_identifier, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_VTABLE_END,
};

/* ---- setting: whoever has the permission ---- */

static int set_level_by(BusCall *call, const char *name) {
        const char *nearest = text_nearest(name, level_names);

        for (int level = LOG_EMERG; level <= LOG_DEBUG; level++)
                if (STREQ(level_names[level], name)) {
                        log_at(LOG_NOTICE, "%s sets the log level from %s to %s", call->actor.name,
                               level_names[log_get_level()], name);
                        log_set_level(level);
                        return 0;
                }
        return refuse(&call->refusal, REFUSED_INVALID_VALUE,
                      "LogLevel: must be emerg, alert, crit, err, warning, notice, info or "
                      "debug%s%s",
                      nearest ? "; did you mean " : "", nearest ? nearest : "");
}

static int set_property(BusCall *call) {
        const char *interface, *property, *type, *value;
        int r;

        r = sd_bus_message_read(call->m, "ss", &interface, &property);
        if (r < 0)
                return r;
        if (!STREQ(interface, LOG_CONTROL_INTERFACE) || !STREQ(property, "LogLevel"))
                return refuse(&call->refusal, REFUSED_INVALID_VALUE,
                              "only LogLevel of " LOG_CONTROL_INTERFACE
                              " can be set here; where the log goes is decided at the start");
        r = sd_bus_message_peek_type(call->m, NULL, &type);
        if (r < 0)
                return r;
        if (!type || !STREQ(type, "s"))
                return refuse(&call->refusal, REFUSED_INVALID_VALUE, "LogLevel: must be a string");
        r = sd_bus_message_read(call->m, "v", "s", &value);
        return r < 0 ? r : set_level_by(call, value);
}

static const BusMethod methods[] = {
        { "Set", "ssv", "interface property value", "", "", PERMISSION_ADMIN_LOG, set_property,
          "As of org.freedesktop.DBus.Properties." },
        {},
};
static const BusInterface properties = { .name = "org.freedesktop.DBus.Properties",
                                         .methods = methods };

/* sd-bus would ask the bus who calls and wait for the answer; and a property's setter cannot answer
 * later. So Set goes the way of all our own methods; all else is left to the table above. */
static int on_call(sd_bus_message *m, void *userdata, sd_bus_error *error _unused_) {
        if (!sd_bus_message_is_method_call(m, properties.name, "Set") ||
            !sd_bus_message_has_signature(m, "ssv"))
                return 0;
        bus_receive(userdata, &properties, m);
        return 1;
}

int log_control_register(Bus *bus, sd_bus *connection) {
        int r = sd_bus_add_object(connection, NULL, LOG_CONTROL_PATH, on_call, bus);

        return r < 0 ? r
                     : sd_bus_add_object_vtable(connection, NULL, LOG_CONTROL_PATH,
                                                LOG_CONTROL_INTERFACE, vtable, NULL);
}
