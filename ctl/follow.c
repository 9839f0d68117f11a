/* SPDX-License-Identifier: Apache-2.0 */

#include "follow.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio_ext.h>
#include <string.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include "aftersales/bus.h"

#define CALL_TIMEOUT (10 * USEC_PER_SEC)
#define PAUSE_MIN    (USEC_PER_SEC / 5)
#define PAUSE_MAX    (5 * USEC_PER_SEC)

static uint64_t monotonic_now(void) {
        struct timespec now;

        clock_gettime(CLOCK_MONOTONIC, &now);
        return (uint64_t)(now.tv_sec * USEC_PER_SEC + now.tv_nsec / 1000);
}

/* ---- signals ---- */

static int on_signal(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        Follower *follower = userdata;

        (void)m;
        (void)error;
        follower->woken = true;
        return 0;
}

static int on_owner(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        Follower *follower = userdata;

        (void)m;
        (void)error;
        follower->moved = true;
        return 0;
}

static int subscribe(Follower *follower) {
        _cleanup_message_ sd_bus_message *m = NULL;
        _cleanup_json_ json_object *nothing = NULL;
        sd_bus *bus = follower->client->bus;
        int r;

        r = sd_bus_match_signal(bus, NULL, AFTERSALES_BUS_NAME, AFTERSALES_PATH, NULL, NULL,
                                on_signal, follower);
        if (r >= 0)
                r = sd_bus_add_match(bus, NULL,
                                     "type='signal',sender='org.freedesktop.DBus',"
                                     "member='NameOwnerChanged',arg0='" AFTERSALES_BUS_NAME "'",
                                     on_owner, follower);
        if (r < 0)
                return -EAGAIN;
        r = client_new_call(follower->client, AFTERSALES_MANAGER, "Subscribe", &m);
        if (r == 0)
                r = client_call(follower->client, m, "", &nothing);
        follower->woken = true;
        follower->moved = false;
        return r;
}

static int open_signals(Follower *follower) {
        sigset_t set;

        sigemptyset(&set);
        sigaddset(&set, SIGINT);
        sigaddset(&set, SIGTERM);
        if (sigprocmask(SIG_BLOCK, &set, NULL) < 0 || signal(SIGPIPE, SIG_IGN) == SIG_ERR)
                return -errno;
        follower->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
        return follower->signals < 0 ? -errno : 0;
}

int follower_open(Follower *follower, Context *context) {
        int r;

        *follower = (Follower){
                .client = &context->client,
                .host = context->options->value[OPTION_HOST],
                .signals = -1,
                .pause = PAUSE_MIN,
        };
        r = open_signals(follower);
        if (r == 0)
                r = subscribe(follower);
        if (r == -EAGAIN)
                r = report(&context->report, EXIT_FAILURE, "no connection to the bus");
        context->client.follows = true;
        context->client.timeout = CALL_TIMEOUT;
        return r;
}

void follower_done(Follower *follower) {
        if (follower->signals >= 0)
                close(follower->signals);
        follower->signals = -1;
}

/* ---- waiting ---- */

/* Whoever ends the command, or the end of whoever reads what it writes. */
static void await(Follower *follower, struct pollfd *bus, uint64_t usec) {
        struct pollfd fds[] = {
                { .fd = follower->signals, .events = POLLIN },
                { .fd = STDOUT_FILENO }, /* says when nobody reads it any more */
                { .fd = -1 },
        };
        struct timespec timeout = { (time_t)(usec / USEC_PER_SEC),
                                    (long)(usec % USEC_PER_SEC * 1000) };

        if (bus)
                fds[2] = *bus;
        if (ppoll(fds, ELEMENTS(fds), &timeout, NULL) < 0)
                return;
        if (fds[0].revents || fds[1].revents & (POLLERR | POLLHUP))
                follower->ended = true;
}

void follower_pause(Follower *follower, uint64_t usec) {
        uint64_t until = monotonic_now() + usec, now;

        while (!follower->ended && (now = monotonic_now()) < until)
                await(follower, NULL, until - now);
}

static int wait_bus(Follower *follower, uint64_t until) {
        sd_bus *bus = follower->client->bus;
        uint64_t now = monotonic_now(), due = UINT64_MAX;
        struct pollfd fd = { .fd = sd_bus_get_fd(bus) };
        int events = sd_bus_get_events(bus);

        if (fd.fd < 0 || events < 0 || sd_bus_get_timeout(bus, &due) < 0)
                return -EAGAIN;
        fd.events = (short)events;
        if (due > until)
                due = until;
        await(follower, &fd, due > now ? due - now : 0);
        return 0;
}

int follower_wait(Follower *follower, uint64_t usec) {
        uint64_t until = monotonic_now() + usec;
        int r;

        while (!follower->ended) {
                while ((r = sd_bus_process(follower->client->bus, NULL)) > 0)
                        ;
                if (r < 0 || follower->moved)
                        return -EAGAIN;
                if (follower->woken || monotonic_now() >= until)
                        break;
                r = wait_bus(follower, until);
                if (r < 0)
                        return r;
        }
        follower->woken = false;
        return 0;
}

/* ---- coming back ---- */

static int reopen(Follower *follower) {
        Client *client = follower->client;
        int r;

        client->bus = sd_bus_close_unref(client->bus);
        r = follower->host ? sd_bus_open_system_remote(&client->bus, follower->host)
                           : sd_bus_open_system(&client->bus);
        return r < 0 ? -EAGAIN : subscribe(follower);
}

int follower_return(Follower *follower) {
        while (!follower->ended) {
                int r = reopen(follower);

                if (r != -EAGAIN) {
                        if (r == 0 && follower->waiting)
                                report(follower->client->report, 0, "the daemon is there again");
                        follower->waiting = false;
                        follower->pause = PAUSE_MIN;
                        return r;
                }
                if (!follower->waiting)
                        report(follower->client->report, 0,
                               "the daemon is away; waiting for it to come back");
                follower->waiting = true;
                follower_pause(follower, follower->pause);
                follower->pause = follower->pause * 2 > PAUSE_MAX ? PAUSE_MAX : follower->pause * 2;
        }
        return 0;
}

void follower_flush(Follower *follower, FILE *f) {
        if (fflush(f) == 0 || errno != EPIPE)
                return;
        /* An end like any other: nothing is left to be written. */
        __fpurge(f);
        clearerr(f);
        follower->ended = true;
}
