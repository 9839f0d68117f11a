/* SPDX-License-Identifier: Apache-2.0 */

/* The pings of the watchdog and the status line, as a service manager receives them. The due timer
 * under test has an event loop of its own, so that it can be made to stand still while the
 * watchdog's loop turns. */

#include "runtime/watchdog.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "aftersales/limits.h"
#include "base/log.h"
#include "base/macro.h"

#include "kv-memory.c"
#include "world.c"

#define PERIOD          300000  /* of the watchdog, microseconds */
#define ASKED_WITHIN    3000000 /* so long an unknown deadline stays unknown, microseconds */
#define BETWEEN_COMMITS 100000  /* likewise */

static const Periodic *const no_periodics[] = { NULL };

typedef struct Stage {
        World world;
        MemoryDisk *disk;
        WallClock clock;
        sd_event *event, *due_event;
        Committer *committer;
        DueTimer *due;
        StatusLine *status;
        Watchdog *watchdog;
        int socket;
} Stage;

static int listen_as_manager(void) {
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        char name[64];
        int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

        assert_true(fd >= 0);
        snprintf(name, sizeof(name), "@test-watchdog-%d", (int)getpid());
        memcpy(address.sun_path + 1, name + 1, strlen(name) - 1);
        assert_int_equal(bind(fd, (struct sockaddr *)&address,
                              (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(name))),
                         0);
        assert_int_equal(setenv("NOTIFY_SOCKET", name, 1), 0);
        return fd;
}

static void stage_open(Stage *stage) {
        int r;

        *stage = (Stage){ .clock = { .manual = true } };
        log_open(LOG_TO_STDERR, 0, -1);
        stage->socket = listen_as_manager();
        stage->disk = memory_disk_new();
        world_init(&stage->world, memory_disk_open(stage->disk), NULL);
        world_commit(&stage->world);
        stage->clock.now = stage->world.now;
        assert_true(sd_event_new(&stage->event) >= 0);
        assert_true(sd_event_new(&stage->due_event) >= 0);
        assert_int_equal(committer_new(stage->due_event, stage->world.store, &stage->committer), 0);
        assert_int_equal(due_new(stage->due_event, stage->world.engine, stage->world.store,
                                 &stage->clock, stage->committer, no_periodics, &stage->due),
                         0);
        r = status_line_new(stage->event, stage->world.engine, stage->world.store, stage->due,
                            stage->committer, &stage->status);
        assert_int_equal(r, 0);
        r = watchdog_new(stage->event, stage->world.store, stage->due, stage->status,
                         &stage->watchdog);
        assert_int_equal(r, 0);
}

static int set_up(void **state) {
        static Stage stage;
        char period[32];

        snprintf(period, sizeof(period), "%d", PERIOD);
        assert_int_equal(setenv("WATCHDOG_USEC", period, 1), 0);
        stage_open(&stage);
        *state = &stage;
        return 0;
}

static int set_up_without(void **state) {
        static Stage stage;

        unsetenv("WATCHDOG_USEC");
        stage_open(&stage);
        *state = &stage;
        return 0;
}

static int tear_down(void **state) {
        Stage *stage = *state;

        watchdog_free(stage->watchdog);
        status_line_free(stage->status);
        due_free(stage->due);
        committer_free(stage->committer);
        sd_event_unref(stage->due_event);
        sd_event_unref(stage->event);
        world_done(&stage->world);
        memory_disk_free(stage->disk);
        close(stage->socket);
        return 0;
}

/* Lets the watchdog's loop turn for so long. */
static void turn(Stage *stage, int64_t usec) {
        int64_t end = boot_clock_now() + usec;

        for (int64_t now = boot_clock_now(); now < end; now = boot_clock_now())
                assert_true(sd_event_run(stage->event, (uint64_t)(end - now)) >= 0);
}

/* Lets the due timer's loop do what it has ready. */
static void turn_due(Stage *stage) {
        while (sd_event_run(stage->due_event, 0) > 0)
                ;
}

/* How many messages with this text have come; the last one stays in the buffer. */
static unsigned received(Stage *stage, const char *text, char *ret_last, size_t size) {
        char message[512];
        unsigned n = 0;
        ssize_t k;

        while ((k = recv(stage->socket, message, sizeof(message) - 1, 0)) >= 0) {
                message[k] = '\0';
                if (!strstr(message, text))
                        continue;
                if (ret_last)
                        snprintf(ret_last, size, "%s", message);
                n++;
        }
        assert_int_equal(errno, EAGAIN);
        return n;
}

static unsigned pings(Stage *stage) {
        return received(stage, "WATCHDOG=1", NULL, 0);
}

/* Tickets whose first event is long past. */
static void make_late(Stage *stage, unsigned n) {
        uint64_t id;

        for (unsigned i = 0; i < n; i++) {
                int r = world_create(&stage->world, &id, "type", "consultation", "region", "110101",
                                     NULL);

                assert_int_equal(r, 0);
                if (i % 50 == 49)
                        world_commit(&stage->world);
        }
        if (store_has_batch(stage->world.store))
                world_commit(&stage->world);
        stage->clock.now += DAYS(1);
}

/* ---- pings ---------------------------------------------------------------------------------- */

static void test_pings(void **state) {
        Stage *stage = *state;
        unsigned n;

        turn(stage, 3 * PERIOD);
        n = pings(stage);
        assert_in_range(n, 3, 3 * WATCHDOG_TURNS + 1); /* fewer on a busy machine */
}

static void test_not_wanted(void **state) {
        Stage *stage = *state;

        /* Nothing is armed: the loop would sleep for ever. */
        assert_int_equal(sd_event_run(stage->event, PERIOD), 0);
        assert_int_equal(pings(stage), 0);
}

static void test_dead_store(void **state) {
        Stage *stage = *state;

        turn(stage, PERIOD);
        assert_true(pings(stage) > 0);
        memory_disk_fail(stage->disk, MEMORY_BEGIN, 1, -EIO);
        turn(stage, 3 * PERIOD);
        assert_int_equal(pings(stage), 0);
}

static void test_one_bad_read(void **state) {
        Stage *stage = *state;

        turn(stage, PERIOD / 10);
        pings(stage);
        memory_disk_fail(stage->disk, MEMORY_BEGIN, 1, -EINVAL);
        assert_true(sd_event_run(stage->event, PERIOD) > 0);
        assert_int_equal(pings(stage), 0);
        assert_true(sd_event_run(stage->event, PERIOD) > 0);
        assert_true(pings(stage) > 0);
}

/* Without a descriptor nobody hears it. */
static void say_unheard(Stage *stage) {
        struct rlimit usual, none;

        assert_int_equal(getrlimit(RLIMIT_NOFILE, &usual), 0);
        none = (struct rlimit){ .rlim_cur = 0, .rlim_max = usual.rlim_max };
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
        status_line_ready(stage->status);
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &usual), 0);
        assert_int_equal(received(stage, "READY=1", NULL, 0), 0);
}

/* That it serves is said again when nobody has heard it. */
static void test_ready_unheard(void **state) {
        Stage *stage = *state;

        say_unheard(stage);
        turn(stage, 2 * STATUS_INTERVAL);
        assert_int_equal(received(stage, "READY=1", NULL, 0), 1);
}

/* But not in the midst of a reload, whose end it would be taken for. */
static void test_reloading_after_unheard(void **state) {
        Stage *stage = *state;

        say_unheard(stage);
        status_line_reloading(stage->status);
        turn(stage, 2 * STATUS_INTERVAL);
        assert_int_equal(received(stage, "READY=1", NULL, 0), 0);
        status_line_ready(stage->status);
        assert_int_equal(received(stage, "READY=1", NULL, 0), 1);
}

/* What could not be read for once is asked again, and is not left lying until something else comes.
 */
static void test_deadline_unknown(void **state) {
        Stage *stage = *state;
        uint64_t turns;

        turn_due(stage);
        make_late(stage, 1);
        turns = due_health(stage->due).turns;
        store_release(stage->world.store);
        memory_disk_fail(stage->disk, MEMORY_BEGIN, 1, -ENOMEM);
        due_rearm(stage->due);
        while (due_health(stage->due).turns == turns)
                assert_true(sd_event_run(stage->due_event, ASKED_WITHIN) > 0);
}

/* However often something else is committed meanwhile, which looks at what is due each time. */
static void test_tried_again_under_load(void **state) {
        Stage *stage = *state;
        int64_t end;

        turn_due(stage);
        make_late(stage, 1);
        memory_disk_fail(stage->disk, MEMORY_WRITE, 1, -ENOSPC);
        due_accept_clock(stage->due);
        turn_due(stage);
        memory_disk_fail(stage->disk, MEMORY_WRITE, 0, 0);
        assert_true(due_health(stage->due).lag > 0);
        end = boot_clock_now() + ASKED_WITHIN;
        while (due_health(stage->due).lag > 0) {
                assert_true(boot_clock_now() < end);
                due_rearm(stage->due);
                sd_event_run(stage->due_event, BETWEEN_COMMITS);
        }
}

static void test_standstill(void **state) {
        Stage *stage = *state;

        turn_due(stage);
        make_late(stage, 1);
        turn(stage, PERIOD);
        assert_true(pings(stage) > 0); /* a little late is not left lying */
        turn(stage, PERIOD);
        pings(stage);
        turn(stage, 2 * PERIOD);
        assert_int_equal(pings(stage), 0);

        due_rearm(stage->due);
        turn_due(stage);
        turn(stage, PERIOD);
        assert_true(pings(stage) > 0);
}

static void test_long_catching_up(void **state) {
        Stage *stage = *state;

        turn_due(stage);
        make_late(stage, 1000);
        due_rearm(stage->due);
        for (int i = 0; i < 8; i++) {
                turn(stage, PERIOD / 2);
                assert_true(pings(stage) > 0);
                assert_true(due_health(stage->due).lag > 0);
                assert_true(sd_event_run(stage->due_event, 0) > 0);
        }
}

static void test_full_disk(void **state) {
        Stage *stage = *state;

        turn_due(stage);
        make_late(stage, 1);
        for (int i = 0; i < 8; i++) {
                memory_disk_fail(stage->disk, MEMORY_WRITE, 1, -ENOSPC);
                due_accept_clock(stage->due); /* a slice now, not after a second */
                turn_due(stage);
                memory_disk_fail(stage->disk, MEMORY_WRITE, 0, 0);
                turn(stage, PERIOD / 2);
                assert_true(pings(stage) > 0);
        }
        assert_true(due_health(stage->due).lag > 0);
}

static void test_failure_without_reason(void **state) {
        Stage *stage = *state;

        turn_due(stage);
        make_late(stage, 1);
        for (int i = 0; i < 6; i++) {
                memory_disk_fail(stage->disk, MEMORY_WRITE, 1, -EPERM);
                due_accept_clock(stage->due);
                turn_due(stage);
                memory_disk_fail(stage->disk, MEMORY_WRITE, 0, 0);
                if (i == 4)
                        pings(stage);
                turn(stage, PERIOD / 2);
        }
        assert_int_equal(pings(stage), 0);
}

static void test_suspected_clock(void **state) {
        Stage *stage = *state;

        turn_due(stage);
        make_late(stage, 1);
        stage->clock.unsynchronised = true;
        due_jump(stage->due, stage->clock.now + DAYS(365));
        assert_true(due_health(stage->due).suspect);
        turn(stage, 3 * PERIOD);
        pings(stage);
        turn(stage, PERIOD);
        assert_true(pings(stage) > 0);
}

/* A machine that boots in another year, and knows no better. */
static void test_suspected_from_the_start(void **state) {
        Stage *stage = *state;
        int64_t seen = stage->world.now, limit = SECONDS(stage->world.policy->suspect_jump);
        WallClock clock = { .manual = true, .now = seen + DAYS(3650), .unsynchronised = true };

        wall_clock_begin(&clock, 0, limit); /* nothing to compare it with */
        assert_int_equal(wall_clock_now(&clock), seen + DAYS(3650));
        wall_clock_begin(&clock, seen, limit);
        assert_int_equal(wall_clock_now(&clock), seen);
        turn_due(stage);
        make_late(stage, 1);
        stage->clock = clock;
        due_rearm(stage->due);
        turn_due(stage);
        assert_true(due_health(stage->due).suspect);
        stage->clock.now = seen + DAYS(1);
        due_rearm(stage->due);
        turn_due(stage);
        assert_false(due_health(stage->due).suspect);
        assert_int_equal(due_health(stage->due).lag, 0);
        assert_int_equal(wall_clock_now(&stage->clock), seen + DAYS(1));
}

/* ---- the status line ------------------------------------------------------------------------ */

static void test_ready(void **state) {
        Stage *stage = *state;
        char last[512];

        status_line_ready(stage->status);
        assert_int_equal(received(stage, "READY=1", last, sizeof(last)), 1);
        assert_non_null(strstr(last, "STATUS=0 open, 0 overdue, policy "));
}

static void commit_one(Stage *stage) {
        uint64_t id;

        assert_int_equal(
                world_create(&stage->world, &id, "type", "consultation", "region", "110101", NULL),
                0);
        assert_int_equal(committer_commit(stage->committer), 0);
}

static void test_at_most_once_a_second(void **state) {
        Stage *stage = *state;
        char last[512];

        status_line_ready(stage->status);
        received(stage, "", NULL, 0);
        for (int i = 0; i < 20; i++) {
                commit_one(stage);
                turn(stage, STATUS_INTERVAL / 40);
        }
        assert_int_equal(received(stage, "STATUS=", NULL, 0), 0);
        turn(stage, STATUS_INTERVAL);
        assert_int_equal(received(stage, "STATUS=", last, sizeof(last)), 1);
        assert_non_null(strstr(last, "STATUS=20 open, 0 overdue, policy "));

        /* Nothing new: nothing is said, and nobody wakes up any more. */
        status_line_refresh(stage->status);
        turn(stage, STATUS_INTERVAL * 5 / 4);
        assert_int_equal(received(stage, "", NULL, 0), 0);
        assert_int_equal(sd_event_run(stage->event, 0), 0);
}

static void test_extend(void **state) {
        Stage *stage = *state;
        char last[512];

        notify_extend(NOTIFY_EXTEND);
        assert_int_equal(received(stage, "EXTEND_TIMEOUT_USEC=60000000", last, sizeof(last)), 1);
        notify_stopping();
        assert_int_equal(received(stage, "STOPPING=1", last, sizeof(last)), 1);
}

#define WITH(test)    cmocka_unit_test_setup_teardown(test, set_up, tear_down)
#define WITHOUT(test) cmocka_unit_test_setup_teardown(test, set_up_without, tear_down)

int main(void) {
        const struct CMUnitTest tests[] = {
                WITH(test_pings),
                WITHOUT(test_not_wanted),
                WITH(test_dead_store),
                WITH(test_one_bad_read),
                WITHOUT(test_ready_unheard),
                WITHOUT(test_reloading_after_unheard),
                WITH(test_deadline_unknown),
                WITH(test_tried_again_under_load),
                WITH(test_standstill),
                WITH(test_long_catching_up),
                WITH(test_full_disk),
                WITH(test_failure_without_reason),
                WITH(test_suspected_clock),
                WITH(test_suspected_from_the_start),
                WITHOUT(test_ready),
                WITHOUT(test_at_most_once_a_second),
                WITHOUT(test_extend),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
