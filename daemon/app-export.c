/* SPDX-License-Identifier: Apache-2.0 */

/* The helper that exports: the order stands on standard input, a key and its value in each line;
 * the file is descriptor 3; how it goes is told on standard output as jobs want it. */

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "app-internal.h"
#include "masters/registers.h"
#include "transfer/export.h"
#include "transfer/value.h"

#define FILE_FD       3
#define LINE_SIZE     (TEXT_MAX_BYTES + NAME_MAX_BYTES + 16)
#define READER_WAITED (60 * 1000) /* milliseconds without a byte read: the reader has gone */

typedef struct Order {
        ExportOptions options;
        Actor actor;
        char unit[CODE_MAX_BYTES + 1];
        char columns[TEXT_MAX_BYTES];
        void *filter;
        Refusal refusal;
} Order;

static const RecordType *type_of(const Order *order) {
        return order->options.kind ? order->options.kind->table->type
                                   : order->options.reg->table->type;
}

/* ---- the order ---- */

static int set_subject(Order *order, const char *name) {
        for (const Kind *const *kind = app_kinds; *kind; kind++)
                if (STREQ((*kind)->name, name))
                        order->options.kind = *kind;
        for (const Register *const *reg = master_registers; *reg; reg++)
                if (STREQ((*reg)->name, name))
                        order->options.reg = *reg;
        if (!order->options.kind && !order->options.reg)
                return -EINVAL;
        order->filter = calloc(1, type_of(order)->size);
        order->options.filter = order->filter;
        return order->filter ? 0 : -ENOMEM;
}

/* "filter NAME VALUE" */
static int set_filter(Order *order, char *text) {
        const char *name = strsep(&text, " ");
        const Field *field;
        size_t position;

        if (!order->filter || !text)
                return -EINVAL;
        field = record_field(type_of(order), name, &position);
        if (!field)
                return -EINVAL;
        field_mask_set(&order->options.given, position);
        return value_read(field, text, order->filter, &order->refusal);
}

static int set_line(Order *order, const char *key, char *value) {
        if (STREQ(key, "what"))
                return set_subject(order, value);
        if (STREQ(key, "filter"))
                return set_filter(order, value);
        if (STREQ(key, "format"))
                order->options.format = (RowFormat)atoi(value);
        else if (STREQ(key, "encoding"))
                order->options.encoding = (RowEncoding)atoi(value);
        else if (STREQ(key, "mark"))
                order->options.mark = STREQ(value, "1");
        else if (STREQ(key, "permissions"))
                order->actor.permissions = strtoull(value, NULL, 10);
        else if (STREQ(key, "scope"))
                order->actor.scope = (ScopeKind)atoi(value);
        else if (STREQ(key, "unit")) {
                snprintf(order->unit, sizeof(order->unit), "%s", value);
                order->actor.unit = order->unit;
        } else if (STREQ(key, "columns")) {
                snprintf(order->columns, sizeof(order->columns), "%s", value);
                order->options.columns = order->columns;
        }
        return 0;
}

static int read_order(Order *order) {
        char line[LINE_SIZE];
        int r = 0;

        while (r == 0 && fgets(line, sizeof(line), stdin)) {
                char *value = line;
                const char *key = strsep(&value, " ");

                if (!value)
                        continue;
                value[strcspn(value, "\n")] = '\0';
                r = set_line(order, key, value);
        }
        order->options.actor = &order->actor;
        return r == 0 && !order->filter ? -EINVAL : r;
}

/* ---- the file ---- */

/* The file is the caller's, perhaps a terminal: its flags are left alone. What is ready takes
 * PIPE_BUF bytes without waiting. Not for ever: a reader who has stopped reading would pin what the
 * snapshot sees. */
static int write_file(void *userdata _unused_, const void *data, size_t size) {
        const char *p = data;

        while (size > 0) {
                struct pollfd file = { .fd = FILE_FD, .events = POLLOUT };
                int ready = poll(&file, 1, READER_WAITED);
                ssize_t n;

                if (ready == 0)
                        return -ETIMEDOUT;
                n = ready > 0 ? write(FILE_FD, p, MIN(size, (size_t)PIPE_BUF)) : -1;
                if (n < 0 && errno != EINTR && errno != EAGAIN)
                        return -errno;
                if (n > 0) {
                        p += n;
                        size -= (size_t)n;
                }
        }
        return 0;
}

static void tell_progress(void *userdata _unused_, uint64_t done, uint64_t total) {
        printf("progress %" PRIu64 " %" PRIu64 "\n", done, total);
        fflush(stdout);
}

static void tell_failure(const Order *order, int r) {
        printf("failed %s\n", r > 0             ? order->refusal.text
                              : r == -ETIMEDOUT ? "nobody has read from the file for a minute"
                              : r == -EPIPE     ? "the file was closed by its reader"
                              : r == -EILSEQ
                                      ? "a text has characters that the encoding cannot express"
                                      : strerror(-r));
}

int app_export(const AppOptions *options) {
        _cleanup_(config_errors_done) ConfigErrors errors = {};
        _cleanup_(app_done) App app = { .options = options };
        Order order = { .options = { .write = write_file, .progress = tell_progress } };
        uint64_t rows = 0;
        int r;

        log_open(LOG_TO_STDERR, 0, LOG_WARNING);
        signal(SIGPIPE, SIG_IGN);
        r = app_load_policy(&app, &errors);
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
        if (r != 0) {
                tell_failure(&order, r);
                return EXIT_FAILURE;
        }
        printf("count rows %" PRIu64 "\n", rows);
        return EXIT_SUCCESS;
}
