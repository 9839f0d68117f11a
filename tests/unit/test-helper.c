/* SPDX-License-Identifier: Apache-2.0 */

/* Helpers, played by a shell. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "runtime/helper.h"

#define TIME_LIMIT (20 * UINT64_C(1000000)) /* microseconds that anything may take */
#define HEARD_SIZE 20000
#define STILL_RUNS 1000 /* no status */

typedef struct Heard {
        sd_event *event;
        Helper *helper;
        char text[HEARD_SIZE]; /* its lines, each with an end */
        size_t n_lines;
        int status;
        bool free_at_end;
} Heard;

static void on_line(void *userdata, const char *line) {
        Heard *heard = userdata;
        size_t used = strlen(heard->text);

        snprintf(heard->text + used, sizeof(heard->text) - used, "%s\n", line);
        heard->n_lines++;
}

static void on_end(void *userdata, int status) {
        Heard *heard = userdata;

        heard->status = status;
        if (heard->free_at_end)
                heard->helper = helper_free(heard->helper);
        sd_event_exit(heard->event, 0);
}

static int on_time_out(sd_event_source *source _unused_, uint64_t usec _unused_, void *userdata) {
        sd_event_exit(userdata, -ETIME);
        return 0;
}

static void begin(Heard *heard, const char *script, const HelperOptions *more) {
        HelperOptions options = more ? *more : (HelperOptions){};

        *heard = (Heard){ .status = STILL_RUNS };
        assert_int_equal(sd_event_new(&heard->event), 0);
        options.event = heard->event;
        options.program = "/bin/sh";
        options.arguments = (const char *const[]){ "-c", script, NULL };
        options.on_line = on_line;
        options.on_end = on_end;
        options.userdata = heard;
        assert_int_equal(helper_start(&options, &heard->helper), 0);
}

static void listen_until_end(Heard *heard) {
        sd_event_source *limit;

        assert_true(sd_event_add_time_relative(heard->event, &limit, CLOCK_MONOTONIC, TIME_LIMIT, 0,
                                               on_time_out, heard->event) >= 0);
        assert_int_equal(sd_event_loop(heard->event), 0);
        sd_event_source_unref(limit);
}

static void end(Heard *heard) {
        helper_free(heard->helper);
        sd_event_unref(heard->event);
}

static void test_lines_and_status(void **state _unused_) {
        Heard heard;

        begin(&heard, "echo one; echo; printf 'two words\\nno end'; exit 3", NULL);
        listen_until_end(&heard);
        assert_string_equal(heard.text, "one\n\ntwo words\n");
        assert_int_equal(heard.status, 3);
        end(&heard);
}

static void test_long_line_is_cut(void **state _unused_) {
        Heard heard;

        begin(&heard, "head -c 9000 /dev/zero | tr '\\0' x; echo; echo next", NULL);
        listen_until_end(&heard);
        assert_int_equal(heard.n_lines, 2);
        assert_int_equal(strcspn(heard.text, "\n"), HELPER_LINE_MAX - 1);
        assert_string_equal(strchr(heard.text, '\n'), "\nnext\n");
        end(&heard);
}

static void test_input(void **state _unused_) {
        static char input[300000];
        HelperOptions options = { .input = { input, sizeof(input) } };
        Heard heard;

        memset(input, 'y', sizeof(input));
        begin(&heard, "wc -c", &options);
        listen_until_end(&heard);
        assert_string_equal(heard.text, "300000\n");
        end(&heard);
}

static void test_environment_and_descriptors(void **state _unused_) {
        _cleanup_close_ int a = memfd_create("a", 0), b = memfd_create("b", 0);
        HelperOptions options = { .descriptors = { a, b }, .n_descriptors = 2 };
        char text[8] = "";
        Heard heard;

        setenv("LEAKED", "1", 1);
        begin(&heard,
              "echo to-a >&3; echo to-b >&4; ls /proc/self/fd | tr '\\n' ' '; echo; "
              "echo \"[$LEAKED]\"",
              &options);
        listen_until_end(&heard);
        assert_int_equal(pread(a, text, sizeof(text) - 1, 0), 5);
        assert_string_equal(text, "to-a\n");
        assert_int_equal(pread(b, text, sizeof(text) - 1, 0), 5);
        assert_string_equal(text, "to-b\n");
        /* The fifth is the directory that ls reads. */
        assert_string_equal(heard.text, "0 1 2 3 4 5 \n[]\n");
        end(&heard);
}

static void test_stop(void **state _unused_) {
        Heard heard;

        begin(&heard, "exec sleep 600", NULL);
        helper_stop(heard.helper);
        listen_until_end(&heard);
        assert_int_equal(heard.status, -SIGTERM);
        helper_stop(heard.helper); /* of no effect any more */
        end(&heard);
}

/* Who else holds the other end of its output is not waited for; what it has said itself is heard,
 * in more than one piece. */
static void test_a_child_outlives_it(void **state _unused_) {
        Heard heard;
        long child;

        begin(&heard, "sleep 600 & echo $!; yes x | head -n 9000; exit 5", NULL);
        listen_until_end(&heard);
        child = strtol(heard.text, NULL, 10);
        assert_true(child > 1);
        assert_int_equal(kill((pid_t)child, SIGKILL), 0);
        assert_int_equal(heard.n_lines, 9001);
        assert_int_equal(heard.status, 5);
        end(&heard);
}

static void test_freed_at_its_end(void **state _unused_) {
        Heard heard;

        begin(&heard, "echo last", NULL);
        heard.free_at_end = true;
        listen_until_end(&heard);
        assert_string_equal(heard.text, "last\n");
        assert_null(heard.helper);
        end(&heard);
}

static void test_freed_while_it_runs(void **state _unused_) {
        Heard heard;

        begin(&heard, "trap '' TERM; exec sleep 600", NULL);
        heard.helper = helper_free(heard.helper); /* does not hang */
        assert_int_equal(heard.status, STILL_RUNS);
        end(&heard);
}

static void test_program_missing(void **state _unused_) {
        HelperOptions options = { .program = "/nowhere/aftersalesd",
                                  .arguments = (const char *const[]){ NULL } };
        Helper *helper = NULL;

        assert_int_equal(sd_event_new(&options.event), 0);
        assert_int_equal(helper_start(&options, &helper), -ENOENT);
        assert_null(helper);
        sd_event_unref(options.event);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_lines_and_status),
                cmocka_unit_test(test_long_line_is_cut),
                cmocka_unit_test(test_input),
                cmocka_unit_test(test_environment_and_descriptors),
                cmocka_unit_test(test_stop),
                cmocka_unit_test(test_a_child_outlives_it),
                cmocka_unit_test(test_freed_at_its_end),
                cmocka_unit_test(test_freed_while_it_runs),
                cmocka_unit_test(test_program_missing),
        };
        sigset_t child;

        sigemptyset(&child);
        sigaddset(&child, SIGCHLD); /* as the daemon does */
        sigprocmask(SIG_BLOCK, &child, NULL);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
