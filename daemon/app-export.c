/* SPDX-License-Identifier: Apache-2.0 */

/* The helper that exports: the order stands on standard input, a key and its value in each line;
 * the file is descriptor 3; how it goes is told on standard output as jobs want it.
 *
 * The file may lie where a write waits for a program of its owner, and not even SIGKILL ends that
 * wait. So the process that has it does nothing but write to it what comes from another, which has
 * the snapshot and gives up in time. */

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <sysexits.h>

#include "app-order.h"
#include "transfer/export.h"
#include "transfer/value.h"

#define READER_WAITED (60 * 1000) /* milliseconds without a byte read: the reader has gone */
#define COPY_SIZE     (64 * 1024)

typedef struct Order {
        FileOrder file;
        ExportOptions options;
        char columns[TEXT_MAX_BYTES];
        int fd;       /* where it goes */
        void *filter; /* of the type that the order is about */
        Refusal refusal;
} Order;

static const RecordType *type_of(const Order *order) {
        return order->file.kind ? order->file.kind->table->type : order->file.reg->table->type;
}

/* ---- the order ---- */

/* What it is about stands before the filters. */
static int make_filter(Order *order) {
        if (order->filter)
                return 0;
        if (!order->file.kind && !order->file.reg)
                return -EINVAL;
        order->filter = calloc(1, type_of(order)->size);
        return order->filter ? 0 : -ENOMEM;
}

/* "filter NAME VALUE" */
static int set_filter(Order *order, char *text) {
        const char *name = strsep(&text, " ");
        const Field *field;
        size_t position;
        int r = make_filter(order);

        if (r < 0)
                return r;
        field = text ? record_field(type_of(order), name, &position) : NULL;
        if (!field)
                return -EINVAL;
        field_mask_set(&order->options.given, position);
        return value_read(field, text, order->filter, &order->refusal);
}

static int set_line(void *userdata, const char *key, char *value) {
        Order *order = userdata;

        if (STREQ(key, "filter"))
                return set_filter(order, value);
        if (STREQ(key, "mark"))
                order->options.mark = STREQ(value, "1");
        else if (STREQ(key, "columns")) {
                snprintf(order->columns, sizeof(order->columns), "%s", value);
                order->options.columns = order->columns;
        }
        return 0;
}

static int read_order(Order *order) {
        int r = file_order_read(&order->file, set_line, order);

        order->options.kind = order->file.kind;
        order->options.reg = order->file.reg;
        order->options.format = order->file.format;
        order->options.encoding = order->file.encoding;
        order->options.actor = &order->file.actor;
        order->options.filter = order->filter;
        return r;
}

/* ---- the file ---- */

/* The file is the caller's, perhaps a terminal: its flags are left alone. What is ready takes
 * PIPE_BUF bytes without waiting. Not for ever: a reader who has stopped reading would pin what the
 * snapshot sees. */
static int write_all(int fd, const void *data, size_t size) {
        const char *p = data;

        while (size > 0) {
                struct pollfd file = { .fd = fd, .events = POLLOUT };
                int ready = poll(&file, 1, READER_WAITED);
                ssize_t n;

                if (ready == 0)
                        return -ETIMEDOUT;
                n = ready > 0 ? write(fd, p, MIN(size, (size_t)PIPE_BUF)) : -1;
                if (n < 0 && errno != EINTR && errno != EAGAIN)
                        return -errno;
                if (n > 0) {
                        p += n;
                        size -= (size_t)n;
                }
        }
        return 0;
}

static int write_file(void *userdata, const void *data, size_t size) {
        return write_all(((Order *)userdata)->fd, data, size);
}

/* What comes through the pipe goes to the file. */
static int copy_to_file(int from) {
        char chunk[COPY_SIZE];
        ssize_t n;
        int r = 0;

        while (r == 0 && (n = read(from, chunk, sizeof(chunk))) != 0)
                if (n > 0)
                        r = write_all(ORDER_FILE_FD, chunk, (size_t)n);
                else if (errno != EINTR)
                        r = -errno;
        return r;
}

static void tell_progress(void *userdata _unused_, uint64_t done, uint64_t total) {
        printf("progress %" PRIu64 " %" PRIu64 "\n", done, total);
        fflush(stdout);
}

static void tell_failure(const Refusal *refusal, int r) {
        printf("failed %s\n", r > 0             ? refusal->text
                              : r == -ETIMEDOUT ? "nobody has read from the file for a minute"
                              : r == -EPIPE     ? "the file was closed by its reader"
                              : r == -EILSEQ
                                      ? "a text has characters that the encoding cannot express"
                                      : strerror(-r));
}

static int write_rows(const AppOptions *options, int fd) {
        _cleanup_(app_done) App app = { .options = options };
        Order order = { .fd = fd, .options = { .write = write_file, .progress = tell_progress } };
        uint64_t rows = 0;
        int r;

        order.options.userdata = &order;
        r = app_begin_beside(&app);
        if (r == 0)
                r = app_open_store(&app, true);
        if (r != 0)
                return EX_CONFIG;
        order.options.store = app.store;
        r = read_order(&order);
        if (r == 0)
                r = export_run(&order.options, &rows, &order.refusal);
        if (order.filter) {
                record_done(type_of(&order), order.filter);
                free(order.filter);
        }
        if (r == 0)
                printf("count rows %" PRIu64 "\n", rows);
        else if (r != -EPIPE) /* why the file was given up is told by who has it */
                tell_failure(&order.refusal, r);
        return r == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* Lasts no longer than who has started it. */
static int run_writer(const AppOptions *options, int ends[static 2], pid_t parent) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        close(ORDER_FILE_FD);
        close(ends[0]);
        return getppid() == parent ? write_rows(options, ends[1]) : EXIT_FAILURE;
}

int app_export(const AppOptions *options) {
        pid_t parent = getpid(), writer;
        int ends[2], status = 0, r;

        signal(SIGPIPE, SIG_IGN);
        if (pipe2(ends, O_CLOEXEC) < 0)
                return EX_OSERR;
        writer = fork();
        if (writer < 0)
                return EX_OSERR;
        if (writer == 0)
                return run_writer(options, ends, parent);
        close(ends[1]);
        r = copy_to_file(ends[0]);
        if (r < 0) {
                tell_failure(NULL, r);
                return EXIT_FAILURE;
        }
        while (waitpid(writer, &status, 0) < 0)
                if (errno != EINTR)
                        return EX_OSERR;
        return WIFEXITED(status) ? WEXITSTATUS(status) : EXIT_FAILURE;
}
