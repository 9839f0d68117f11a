/* SPDX-License-Identifier: Apache-2.0 */

/* Load for the figures, over the bus in DBUS_SYSTEM_BUS_ADDRESS, or past it over the socket whose
 * path is in LOAD_SOCKET; one line of figures each:
 *
 *      load create N WINDOW    N tickets, WINDOW calls in flight
 *      load get N WINDOW       N times a ticket, likewise
 *      load echo N WINDOW      the same creates to the program echo, which stores nothing
 *      load echo-get N WINDOW  the same gets to it
 *      load reads ROUNDS       each kind of reading call, one at a time
 *      load wait 1             until nothing is late any more
 *      load storm TICKETS      likewise, and a Get of one of so many tickets and a Create, one at a
 *                              time */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-bus.h>
#include <time.h>

#include "aftersales/bus.h"

#define _cleanup_(f) __attribute__((cleanup(f)))

#define ECHO_NAME    "org.aftersales1.Echo"
#define CALLS_MAX    1000000
#define EXAMPLE      UINT64_C(500) /* the ticket that is read */
#define WAIT_USEC    20000

typedef struct Load {
        sd_bus *bus;
        const char *destination;
        size_t answered, refused, in_flight;
        double *latencies; /* milliseconds */
} Load;

typedef struct Pending {
        Load *load;
        double sent;
} Pending;

static double now_ms(void) {
        struct timespec ts;

        clock_gettime(CLOCK_MONOTONIC, &ts);
        return (double)ts.tv_sec * 1e3 + (double)ts.tv_nsec / 1e6;
}

static int compare(const void *a, const void *b) {
        double x = *(const double *)a, y = *(const double *)b;

        return (x > y) - (x < y);
}

static double percentile(double *sorted, size_t n, double share) {
        return n ? sorted[(size_t)((double)(n - 1) * share)] : 0;
}

static int on_answer(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        Pending *pending = userdata;
        Load *load = pending->load;

        (void)error;
        load->latencies[load->answered++] = now_ms() - pending->sent;
        load->refused += sd_bus_message_is_method_error(m, NULL) > 0;
        load->in_flight--;
        free(pending);
        return 0;
}

static int send_create(Load *load, unsigned run, size_t i) {
        static const char *const types[] = { "repair", "installation", "complaint",
                                             "consultation" };
        char region[16], reference[64], phone[32];
        Pending *pending = malloc(sizeof(*pending));

        if (!pending)
                return -ENOMEM;
        *pending = (Pending){ load, now_ms() };
        snprintf(region, sizeof(region), "%d%02d05", 11 + (int)(i % 10), 1 + (int)(i / 10 % 10));
        snprintf(reference, sizeof(reference), "L%u-%zu", run, i);
        snprintf(phone, sizeof(phone), "000-%08u", (unsigned)(i * 2654435761U % 100000000U));
        load->in_flight++;
        return sd_bus_call_method_async(
                load->bus, NULL, load->destination, AFTERSALES_PATH, AFTERSALES_TICKETS, "Create",
                on_answer, pending, "a{sv}", 7, "type", "s", types[i % 4], "region", "s", region,
                "reference", "s", reference, "phone", "s", phone, "customer_name", "s", "用户",
                "priority", "s", "normal", "description", "s", "不制冷");
}

static int send_get(Load *load, unsigned run, size_t i) {
        Pending *pending = malloc(sizeof(*pending));

        (void)run;
        (void)i;
        if (!pending)
                return -ENOMEM;
        *pending = (Pending){ load, now_ms() };
        load->in_flight++;
        return sd_bus_call_method_async(load->bus, NULL, load->destination, AFTERSALES_PATH,
                                        AFTERSALES_TICKETS, "Get", on_answer, pending, "t",
                                        EXAMPLE);
}

static int run_calls(Load *load, int (*send)(Load *, unsigned, size_t), size_t n, size_t window) {
        double began = now_ms(), seconds;
        unsigned run = (unsigned)getpid();
        size_t sent = 0;
        int r;

        while (load->answered < n) {
                while (sent < n && load->in_flight < window) {
                        r = send(load, run, sent++);
                        if (r < 0)
                                return r;
                }
                r = sd_bus_process(load->bus, NULL);
                if (r < 0)
                        return r;
                if (r == 0 && (r = sd_bus_wait(load->bus, UINT64_MAX)) < 0)
                        return r;
        }
        seconds = (now_ms() - began) / 1e3;
        qsort(load->latencies, n, sizeof(double), compare);
        printf("calls %zu window %zu refused %zu seconds %.3f rate %.0f p50_ms %.3f p99_ms %.3f "
               "worst_ms %.3f\n",
               n, window, load->refused, seconds, (double)n / seconds,
               percentile(load->latencies, n, 0.5), percentile(load->latencies, n, 0.99),
               percentile(load->latencies, n, 1));
        return load->refused > 0 ? -EIO : 0;
}

/* ---- reading ---- */

static int read_once(Load *load, const char *what) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        const char *tickets = AFTERSALES_TICKETS, *path = AFTERSALES_PATH,
                   *name = load->destination;
        sd_bus *bus = load->bus;
        int r = -EINVAL;

        if (strcmp(what, "status") == 0)
                r = sd_bus_call_method(bus, name, path, AFTERSALES_MANAGER, "Status", &error,
                                       &reply, "");
        else if (strcmp(what, "get") == 0)
                r = sd_bus_call_method(bus, name, path, tickets, "Get", &error, &reply, "t",
                                       EXAMPLE);
        else if (strcmp(what, "history") == 0)
                r = sd_bus_call_method(bus, name, path, tickets, "History", &error, &reply, "t",
                                       EXAMPLE);
        else if (strcmp(what, "list open") == 0)
                r = sd_bus_call_method(bus, name, path, tickets, "List", &error, &reply, "a{sv}su",
                                       0, "", 50);
        else if (strcmp(what, "list everything") == 0)
                r = sd_bus_call_method(bus, name, path, tickets, "List", &error, &reply, "a{sv}su",
                                       1, "ended", "b", 1, "", 50);
        else if (strcmp(what, "list by state") == 0)
                r = sd_bus_call_method(bus, name, path, tickets, "List", &error, &reply, "a{sv}su",
                                       1, "state", "s", "received", "", 50);
        else if (strcmp(what, "list by sub-centre") == 0)
                r = sd_bus_call_method(bus, name, path, tickets, "List", &error, &reply, "a{sv}su",
                                       1, "subcentre", "s", "S3", "", 50);
        else if (strcmp(what, "list by dealer") == 0)
                r = sd_bus_call_method(bus, name, path, tickets, "List", &error, &reply, "a{sv}su",
                                       1, "dealer", "s", "D3-3", "", 10);
        else if (strcmp(what, "list by reference") == 0)
                r = sd_bus_call_method(bus, name, path, tickets, "List", &error, &reply, "a{sv}su",
                                       1, "reference", "s", "F00000500", "", 50);
        else if (strcmp(what, "list worst") == 0)
                r = sd_bus_call_method(bus, name, path, tickets, "List", &error, &reply, "a{sv}su",
                                       1, "rung", "x", INT64_C(1), "", 50);
        else if (strcmp(what, "escalations") == 0)
                r = sd_bus_call_method(bus, name, path, AFTERSALES_ESCALATIONS, "List", &error,
                                       &reply, "a{sv}su", 0, "", 50);
        if (r < 0)
                fprintf(stderr, "load: %s: %s\n", what,
                        error.message ? error.message : strerror(-r));
        return r;
}

static int run_reads(Load *load, size_t rounds) {
        static const char *const calls[] = { "status",
                                             "get",
                                             "history",
                                             "list open",
                                             "list everything",
                                             "list by state",
                                             "list by sub-centre",
                                             "list by dealer",
                                             "list by reference",
                                             "list worst",
                                             "escalations" };

        for (size_t c = 0; c < sizeof(calls) / sizeof(*calls); c++) {
                for (size_t i = 0; i < rounds; i++) {
                        double began = now_ms();
                        int r = read_once(load, calls[c]);

                        if (r < 0)
                                return r;
                        load->latencies[i] = now_ms() - began;
                }
                qsort(load->latencies, rounds, sizeof(double), compare);
                printf("%s: p50_ms %.3f p99_ms %.3f\n", calls[c],
                       percentile(load->latencies, rounds, 0.5),
                       percentile(load->latencies, rounds, 0.99));
        }
        return 0;
}

/* ---- beside a storm ---- */

static int read_lag(sd_bus *bus, int64_t *ret) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        int r;

        r = sd_bus_call_method(bus, AFTERSALES_BUS_NAME, AFTERSALES_PATH, AFTERSALES_MANAGER,
                               "Status", NULL, &reply, "");
        if (r >= 0)
                r = sd_bus_message_enter_container(reply, 'a', "{sv}");
        while (r >= 0 && (r = sd_bus_message_enter_container(reply, 'e', "sv")) > 0) {
                const char *key;

                r = sd_bus_message_read(reply, "s", &key);
                if (r >= 0 && strcmp(key, "lag") == 0)
                        return sd_bus_message_read(reply, "v", "x", ret);
                if (r >= 0)
                        r = sd_bus_message_skip(reply, "v");
                if (r >= 0)
                        r = sd_bus_message_exit_container(reply);
        }
        return r < 0 ? r : -ENODATA;
}

static int create_one(sd_bus *bus) {
        return sd_bus_call_method(bus, AFTERSALES_BUS_NAME, AFTERSALES_PATH, AFTERSALES_TICKETS,
                                  "Create", NULL, NULL, "a{sv}", 2, "type", "s", "repair", "region",
                                  "s", "110105");
}

static int get_one(sd_bus *bus, uint64_t id) {
        return sd_bus_call_method(bus, AFTERSALES_BUS_NAME, AFTERSALES_PATH, AFTERSALES_TICKETS,
                                  "Get", NULL, NULL, "t", id);
}

static void print_latencies(const char *what, double *latencies, size_t n) {
        qsort(latencies, n, sizeof(double), compare);
        printf("%s calls %zu p50_ms %.3f p99_ms %.3f worst_ms %.3f\n", what, n,
               percentile(latencies, n, 0.5), percentile(latencies, n, 0.99),
               percentile(latencies, n, 1));
}

static int run_wait(Load *load) {
        double began = now_ms();
        int64_t lag = 1;
        int r;

        while ((r = read_lag(load->bus, &lag)) >= 0 && lag > 0)
                usleep(WAIT_USEC);
        if (r >= 0)
                printf("seconds %.3f\n", (now_ms() - began) / 1e3);
        return r;
}

static int run_beside_storm(Load *load, uint64_t tickets) {
        double began = now_ms(), *gets = load->latencies, *creates = gets + CALLS_MAX / 2;
        int64_t lag = 1;
        size_t n = 0;
        int r = 0;

        while (r >= 0 && lag > 0 && n < CALLS_MAX / 2) {
                double start = now_ms(), middle;

                r = get_one(load->bus, 1 + (uint64_t)n * 7919 % tickets);
                middle = now_ms();
                gets[n] = middle - start;
                if (r >= 0)
                        r = create_one(load->bus);
                creates[n++] = now_ms() - middle;
                if (r >= 0)
                        r = read_lag(load->bus, &lag);
        }
        if (r < 0)
                return r;
        printf("seconds %.3f\n", (now_ms() - began) / 1e3);
        print_latencies("get", gets, n);
        print_latencies("create", creates, n);
        return 0;
}

static int run(Load *load, const char *what, size_t n, size_t window) {
        if (strcmp(what, "reads") == 0)
                return run_reads(load, n);
        if (strcmp(what, "wait") == 0)
                return run_wait(load);
        if (strcmp(what, "storm") == 0)
                return run_beside_storm(load, n);
        if (strcmp(what, "get") == 0 || strcmp(what, "echo-get") == 0)
                return run_calls(load, send_get, n, window);
        return run_calls(load, send_create, n, window);
}

static int open_socket(const char *path, sd_bus **ret) {
        _cleanup_(sd_bus_unrefp) sd_bus *bus = NULL;
        char address[128];
        int r = sd_bus_new(&bus);

        snprintf(address, sizeof(address), "unix:path=%s", path);
        if (r >= 0)
                r = sd_bus_set_address(bus, address);
        if (r >= 0)
                r = sd_bus_start(bus);
        if (r < 0)
                return r;
        *ret = bus;
        bus = NULL;
        return 0;
}

int main(int argc, char *argv[]) {
        const char *what = argc > 1 ? argv[1] : "";
        size_t n = argc > 2 ? strtoul(argv[2], NULL, 10) : 0,
               window = argc > 3 ? strtoul(argv[3], NULL, 10) : 1;
        int echo = strncmp(what, "echo", 4) == 0;
        Load load = { .destination = echo ? ECHO_NAME : AFTERSALES_BUS_NAME };
        const char *path = getenv("LOAD_SOCKET");
        int r = path ? open_socket(path, &load.bus) : sd_bus_open_system(&load.bus);

        if (n < 1 || n > CALLS_MAX || window < 1 || window > 128)
                return 64;
        load.latencies = calloc(CALLS_MAX, sizeof(double));
        if (!load.latencies)
                return 1;
        if (r >= 0)
                r = run(&load, what, n, window);
        if (r < 0)
                fprintf(stderr, "load: %s\n", strerror(-r));
        sd_bus_flush_close_unref(load.bus);
        free(load.latencies);
        return r < 0;
}
