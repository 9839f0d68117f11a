/* SPDX-License-Identifier: Apache-2.0 */

#include "job.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "aftersales/bus.h"
#include "json.h"

#define LOOK_EVERY     (100 * 1000 * 1000) /* nanoseconds */
#define BAR_WIDTH      40
#define PROBLEMS_SHOWN 20
#define LINE_SIZE      4096

static uint64_t number_at(json_object *object, const char *key) {
        return json_object_get_uint64(json_object_object_get(object, key));
}

static const char *text_at(json_object *object, const char *key) {
        const char *text = json_object_get_string(json_object_object_get(object, key));

        return text ? text : "";
}

/* ---- following ---- */

static void draw_bar(json_object *job) {
        uint64_t done = number_at(job, "done"), total = number_at(job, "total");
        int filled = total > 0 ? (int)(done * BAR_WIDTH / total) : 0;

        if (total > 0)
                fprintf(stderr, "\r[%.*s%*s] %3u %%", filled,
                        "========================================", BAR_WIDTH - filled, "",
                        (unsigned)(done * 100 / total));
        else
                fprintf(stderr, "\r%" PRIu64 " so far", done);
        fflush(stderr);
}

static void clear_bar(void) {
        fprintf(stderr, "\r%*s\r", BAR_WIDTH + 10, "");
}

/* Lets a little time pass; whether somebody wants it to end. */
static bool pause_or_signal(const sigset_t *signals) {
        const struct timespec pause = { .tv_nsec = LOOK_EVERY };

        return sigtimedwait(signals, NULL, &pause) > 0;
}

static int look(Context *context, uint64_t job, json_object **ret) {
        json_object_put(*ret);
        *ret = NULL;
        return client_get(&context->client, AFTERSALES_JOBS, "Get", "a{sv}", ret, "t", job);
}

static int cancel(Context *context, uint64_t job) {
        _cleanup_message_ sd_bus_message *m = NULL;
        _cleanup_json_ json_object *values = NULL;
        int r = client_new_call(&context->client, AFTERSALES_JOBS, "Cancel", &m);

        if (r == 0)
                r = client_append(m, "t", job);
        return r != 0 ? r : client_call(&context->client, m, "", &values);
}

int job_follow(Context *context, uint64_t job, json_object **ret) {
        bool bar = isatty(STDERR_FILENO);
        _cleanup_json_ json_object *state = NULL;
        sigset_t signals, before;
        int r;

        sigemptyset(&signals);
        sigaddset(&signals, SIGINT);
        sigaddset(&signals, SIGTERM);
        sigprocmask(SIG_BLOCK, &signals, &before);
        while ((r = look(context, job, &state)) == 0 && STREQ(text_at(state, "state"), "running")) {
                if (bar)
                        draw_bar(state);
                if (pause_or_signal(&signals)) {
                        r = cancel(context, job);
                        if (r != 0)
                                break;
                }
        }
        sigprocmask(SIG_SETMASK, &before, NULL);
        if (bar)
                clear_bar();
        if (r == 0)
                *ret = json_object_get(state);
        return r;
}

/* ---- its files ---- */

int job_file(Context *context, uint64_t job, const char *method, int *ret_fd) {
        _cleanup_message_ sd_bus_message *m = NULL, *reply = NULL;
        int fd, r = client_new_call(&context->client, AFTERSALES_JOBS, method, &m);

        if (r == 0)
                r = client_append(m, "t", job);
        if (r == 0)
                r = client_call_message(&context->client, m, "h", &reply);
        if (r != 0)
                return r;
        r = sd_bus_message_read(reply, "h", &fd);
        if (r < 0)
                return r;
        fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
        if (fd < 0)
                return -errno;
        *ret_fd = fd;
        return 0;
}

/* "LINE TAB COLUMN TAB FIELD TAB ERROR TAB TEXT" */
static void write_problem(const char *name, char *line) {
        char *rest = line;
        const char *number = strsep(&rest, "\t"), *column = strsep(&rest, "\t");
        _cleanup_free_ char *text = NULL;

        strsep(&rest, "\t"); /* the text names the field */
        strsep(&rest, "\t");
        text = text_safe(rest ? rest : "", false);
        fprintf(stderr, "%s:%s:%s%s %s\n", name, number ? number : "0",
                column && !STREQ(column, "0") ? column : "",
                column && !STREQ(column, "0") ? ":" : "", text ? text : "");
}

int job_write_problems(Context *context, uint64_t job, const char *name) {
        uint64_t n = 0;
        char line[LINE_SIZE];
        int fd = -1, r = job_file(context, job, "Problems", &fd);
        FILE *file;

        if (r != 0)
                return r;
        lseek(fd, 0, SEEK_SET);
        file = fdopen(fd, "r");
        if (!file) {
                close(fd);
                return -errno;
        }
        for (; fgets(line, sizeof(line), file); n++) {
                line[strcspn(line, "\n")] = '\0';
                if (n < PROBLEMS_SHOWN)
                        write_problem(name, line);
        }
        fclose(file);
        if (n > PROBLEMS_SHOWN)
                fprintf(stderr, "and %" PRIu64 " more\n", n - PROBLEMS_SHOWN);
        return 0;
}

int job_exit_code(const Context *context, json_object *job) {
        const char *state = text_at(job, "state"), *error = text_at(job, "error");

        if (STREQ(state, "done"))
                return 0;
        if (STREQ(state, "cancelled"))
                return report(&context->report, EXIT_FAILURE, "cancelled");
        return report(&context->report, EXIT_FAILURE, "%s",
                      *error ? error : "the work could not be done to its end");
}
