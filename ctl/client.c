/* SPDX-License-Identifier: Apache-2.0 */

#include "client.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "aftersales/bus.h"
#include "aftersales/errors.h"
#include "aftersales/limits.h"
#include "json.h"

#define RETRY_PAUSE_SEC 2 /* the service manager starts the daemon again after one */

static const struct {
        const char *name;
        int exit_code;
} errors[] = {
#define X(code, name, exit_code, meaning) { AFTERSALES_ERROR_PREFIX name, exit_code },
        AFTERSALES_ERRORS(X)
#undef X
                { SD_BUS_ERROR_SERVICE_UNKNOWN, EX_UNAVAILABLE },
        { SD_BUS_ERROR_NAME_HAS_NO_OWNER, EX_UNAVAILABLE },
        { SD_BUS_ERROR_NO_SERVER, EX_UNAVAILABLE },
        { SD_BUS_ERROR_NO_REPLY, EX_TEMPFAIL },
        { "org.freedesktop.DBus.Error.TimedOut", EX_TEMPFAIL },
        { SD_BUS_ERROR_LIMITS_EXCEEDED, EX_TEMPFAIL },
        { SD_BUS_ERROR_ACCESS_DENIED, EX_NOPERM },
        { SD_BUS_ERROR_AUTH_FAILED, EX_NOPERM },
        { SD_BUS_ERROR_INTERACTIVE_AUTHORIZATION_REQUIRED, EX_NOPERM },
};

/* The bus, or systemd for it, could not start the daemon. */
#define SPAWN_PREFIX   "org.freedesktop.DBus.Error.Spawn."
#define SYSTEMD_PREFIX "org.freedesktop.systemd1."

int exit_code_of(const char *error_name) {
        for (size_t i = 0; i < ELEMENTS(errors); i++)
                if (STREQ(errors[i].name, error_name))
                        return errors[i].exit_code;
        if (strncmp(error_name, SPAWN_PREFIX, strlen(SPAWN_PREFIX)) == 0 ||
            strncmp(error_name, SYSTEMD_PREFIX, strlen(SYSTEMD_PREFIX)) == 0)
                return EX_UNAVAILABLE;
        return EXIT_FAILURE;
}

/* What failed here and not in the daemon: the way to it. */
static int report_errno(const Client *client, int error) {
        switch (error) {
        case EACCES:
        case EPERM:
                return report(client->report, EX_NOPERM, "no access to the bus: %s",
                              strerror(error));
        case ETIMEDOUT:
                return report(client->report, EX_TEMPFAIL,
                              "the daemon has not answered in time; a change may have been made");
        case ENOMEM:
                return -error;
        default:
                return report(client->report, EX_UNAVAILABLE, "no connection to the bus: %s",
                              strerror(error));
        }
}

/* The last part of "org.aftersales1.Error.InvalidState" */
static const char *short_name(const char *name) {
        const char *dot = strrchr(name, '.');

        return dot ? dot + 1 : name;
}

/* Whether the name is the library's own word for an errno, and not what somebody has answered. */
static bool is_local(const char *name) {
        return STREQ(name, SD_BUS_ERROR_DISCONNECTED) || STREQ(name, SD_BUS_ERROR_TIMEOUT) ||
               strncmp(name, "System.Error.", strlen("System.Error.")) == 0;
}

static int report_error(const Client *client, const sd_bus_error *error, int r) {
        int exit_code;

        if (!error->name || is_local(error->name))
                return report_errno(client, -r);
        /* The bus' own text tells its rules, not what to do. */
        if (STREQ(error->name, SD_BUS_ERROR_ACCESS_DENIED))
                return report(client->report, EX_NOPERM,
                              "the bus does not let you speak to the daemon; an administrator puts "
                              "you into the group aftersales (AccessDenied)");
        exit_code = exit_code_of(error->name);
        return report(client->report, exit_code, "%s%s (%s)",
                      exit_code == EX_UNAVAILABLE ? "aftersalesd is not running: " : "",
                      error->message ? error->message : "no reason given", short_name(error->name));
}

int client_open(Client *client, const Report *report_to, const char *host) {
        int r;

        *client = (Client){ .report = report_to };
        r = host ? sd_bus_open_system_remote(&client->bus, host) : sd_bus_open_system(&client->bus);
        return r < 0 ? report_errno(client, -r) : 0;
}

void client_done(Client *client) {
        client->bus = sd_bus_flush_close_unref(client->bus);
}

int client_new_call(Client *client, const char *interface, const char *method,
                    sd_bus_message **ret) {
        int r = sd_bus_message_new_method_call(client->bus, ret, AFTERSALES_BUS_NAME,
                                               AFTERSALES_PATH, interface, method);

        return r < 0 || !client->quick ? r : sd_bus_message_set_auto_start(*ret, false);
}

int client_append(sd_bus_message *m, const char *types, ...) {
        va_list arguments;
        int r;

        va_start(arguments, types);
        r = sd_bus_message_appendv(m, types, arguments);
        va_end(arguments);
        return r < 0 ? r : 0;
}

/* A reply will never come: the bus has seen the daemon leave. */
static bool went_away(const sd_bus_error *error) {
        return sd_bus_error_has_name(error, SD_BUS_ERROR_NO_REPLY);
}

/* Neither the daemon nor anybody else has answered: it may do so another time. */
static bool is_away(const sd_bus_error *error) {
        int exit_code = error->name ? exit_code_of(error->name) : EX_UNAVAILABLE;

        return !error->name || is_local(error->name) || exit_code == EX_UNAVAILABLE ||
               exit_code == EX_TEMPFAIL;
}

int client_call_message(Client *client, sd_bus_message *m, const char *signature,
                        sd_bus_message **ret) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        _cleanup_message_ sd_bus_message *reply = NULL;
        int r = sd_bus_call(client->bus, m, client->timeout, &error, &reply);

        if (r < 0 && client->follows && is_away(&error))
                return -EAGAIN;
        if (r < 0 && went_away(&error) && !client->quick) {
                sd_bus_error_free(&error);
                sleep(RETRY_PAUSE_SEC);
                r = sd_bus_call(client->bus, m, client->timeout, &error, &reply);
        }
        if (r < 0)
                return report_error(client, &error, r);
        if (!sd_bus_message_has_signature(reply, signature))
                return report(client->report, EXIT_FAILURE,
                              "the daemon has answered in an unknown form: %s instead of %s",
                              sd_bus_message_get_signature(reply, true), signature);
        *ret = TAKE_PTR(reply);
        return 0;
}

int client_call(Client *client, sd_bus_message *m, const char *signature, json_object **ret) {
        _cleanup_message_ sd_bus_message *reply = NULL;
        int r = client_call_message(client, m, signature, &reply);

        return r != 0 ? r : json_from_message(reply, ret);
}

int client_get(Client *client, const char *interface, const char *method, const char *signature,
               json_object **ret, const char *types, ...) {
        _cleanup_message_ sd_bus_message *m = NULL;
        _cleanup_json_ json_object *values = NULL;
        va_list arguments;
        int r = client_new_call(client, interface, method, &m);

        if (r < 0)
                return r;
        va_start(arguments, types);
        r = sd_bus_message_appendv(m, types, arguments);
        va_end(arguments);
        if (r < 0)
                return r;
        r = client_call(client, m, signature, &values);
        if (r != 0)
                return r;
        *ret = json_object_get(json_object_array_get_idx(values, 0));
        return 0;
}

int64_t client_now(void *userdata) {
        Client *client = userdata;
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        _cleanup_message_ sd_bus_message *reply = NULL;
        _cleanup_json_ json_object *values = NULL;
        struct timespec here;

        if (sd_bus_call_method(client->bus, AFTERSALES_BUS_NAME, AFTERSALES_PATH,
                               AFTERSALES_MANAGER, "Status", &error, &reply, NULL) >= 0 &&
            json_from_message(reply, &values) == 0) {
                json_object *status = json_object_array_get_idx(values, 0), *now;

                if (json_object_object_get_ex(status, "now", &now))
                        return json_object_get_int64(now);
        }
        clock_gettime(CLOCK_REALTIME, &here);
        return here.tv_sec * USEC_PER_SEC + here.tv_nsec / 1000;
}
