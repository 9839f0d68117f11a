/* SPDX-License-Identifier: Apache-2.0 */

/* The peer that stores nothing, over the bus in DBUS_SYSTEM_BUS_ADDRESS until that is gone: it
 * reads all of a Create and answers with a number, and answers a Get as the daemon did when it was
 * asked once, at the start. What remains is the cost of bus and messages. */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-bus.h>

#include "aftersales/bus.h"

#define _cleanup_(f) __attribute__((cleanup(f)))

#define ECHO_NAME    "org.aftersales1.Echo"
#define EXAMPLE      UINT64_C(500)
#define STEPS_MAX    1024

/* What puts a message together, so that it is taken apart only once. */
typedef struct Step {
        char type;      /* of a basic value, or of a container that is opened; 0: one is closed */
        char *contents; /* of a container */
        char *text;     /* of a basic value that is one */
        uint64_t value; /* of any other */
} Step;

typedef struct Reply {
        Step steps[STEPS_MAX];
        size_t n;
} Reply;

static int record_basic(sd_bus_message *m, Step *step) {
        const char *text;
        int r;

        if (!strchr("sog", step->type))
                return sd_bus_message_read_basic(m, step->type, &step->value);
        r = sd_bus_message_read_basic(m, step->type, &text);
        if (r < 0)
                return r;
        step->text = strdup(text);
        return step->text ? 1 : -ENOMEM;
}

static int record(sd_bus_message *m, Reply *reply) {
        const char *contents;
        char type;
        int r;

        while ((r = sd_bus_message_peek_type(m, &type, &contents)) > 0) {
                Step *step = &reply->steps[reply->n++];

                if (reply->n + 1 >= STEPS_MAX)
                        return -E2BIG;
                step->type = type;
                if (!contents) {
                        r = record_basic(m, step);
                } else {
                        step->contents = strdup(contents);
                        r = step->contents ? sd_bus_message_enter_container(m, type, step->contents)
                                           : -ENOMEM;
                        if (r >= 0)
                                r = record(m, reply);
                        if (r >= 0)
                                r = sd_bus_message_exit_container(m);
                        if (r >= 0)
                                reply->steps[reply->n++].type = 0;
                }
                if (r < 0)
                        return r;
        }
        return r;
}

static int take_step(sd_bus_message *m, const Step *step) {
        if (step->type == 0)
                return sd_bus_message_close_container(m);
        if (step->contents)
                return sd_bus_message_open_container(m, step->type, step->contents);
        return sd_bus_message_append_basic(m, step->type,
                                           step->text ? (void *)step->text : (void *)&step->value);
}

static int on_get(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *answer = NULL;
        const Reply *reply = userdata;
        uint64_t id;
        int r = sd_bus_message_read(m, "t", &id);

        (void)error;
        if (r >= 0)
                r = sd_bus_message_new_method_return(m, &answer);
        for (size_t i = 0; r >= 0 && i < reply->n; i++)
                r = take_step(answer, &reply->steps[i]);
        return r < 0 ? r : sd_bus_send(NULL, answer, NULL);
}

static int on_create(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        static uint64_t last;
        const char *key, *value;
        int r;

        (void)userdata;
        (void)error;
        r = sd_bus_message_enter_container(m, 'a', "{sv}");
        while (r >= 0 && (r = sd_bus_message_enter_container(m, 'e', "sv")) > 0) {
                r = sd_bus_message_read(m, "s", &key);
                if (r >= 0)
                        r = sd_bus_message_read(m, "v", "s", &value);
                if (r >= 0)
                        r = sd_bus_message_exit_container(m);
        }
        return r < 0 ? r : sd_bus_reply_method_return(m, "tb", ++last, 1);
}

static const sd_bus_vtable vtable[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_METHOD("Create", "a{sv}", "tb", on_create, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD("Get", "t", "a{sv}", on_get, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_VTABLE_END,
};

static int serve(sd_bus *bus, Reply *reply) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *example = NULL;
        int r = sd_bus_call_method(bus, AFTERSALES_BUS_NAME, AFTERSALES_PATH, AFTERSALES_TICKETS,
                                   "Get", NULL, &example, "t", EXAMPLE);

        if (r >= 0)
                r = record(example, reply);
        if (r >= 0)
                r = sd_bus_add_object_vtable(bus, NULL, AFTERSALES_PATH, AFTERSALES_TICKETS, vtable,
                                             reply);
        if (r >= 0)
                r = sd_bus_request_name(bus, ECHO_NAME, 0);
        while (r >= 0) {
                r = sd_bus_process(bus, NULL);
                if (r == 0)
                        r = sd_bus_wait(bus, UINT64_MAX);
        }
        return r;
}

int main(void) {
        static Reply reply;
        sd_bus *bus = NULL;
        int r = sd_bus_open_system(&bus);

        if (r >= 0)
                r = serve(bus, &reply);
        if (r != -ECONNRESET)
                fprintf(stderr, "echo: %s\n", strerror(-r));
        for (size_t i = 0; i < reply.n; i++) {
                free(reply.steps[i].contents);
                free(reply.steps[i].text);
        }
        sd_bus_flush_close_unref(bus);
        return r == -ECONNRESET ? 0 : 1;
}
