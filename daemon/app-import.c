/* SPDX-License-Identifier: Apache-2.0 */

/* The helper that tries an import: the very rows by the very rules, on an overlay over a snapshot,
 * which is gone with it (app-order.h). How it goes is told on standard output as
 * jobs want it. */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>

#include "app-order.h"
#include "base/digest.h"
#include "base/text.h"
#include "loop/version.h"
#include "transfer/import.h"

#define COMMIT_EVERY 1000 /* rows, also blank ones */
#define PROBLEM_SIZE (2 * REFUSAL_TEXT_MAX)

typedef struct Trial {
        FileOrder order;
        ImportOptions options;
        int64_t now;
        bool settle;
        off_t at;
} Trial;

/* ---- the order ---- */

static int set_line(void *userdata, const char *key, char *value) {
        Trial *trial = userdata;

        if (STREQ(key, "escalate"))
                trial->options.escalates = STREQ(value, "1");
        else if (STREQ(key, "settle"))
                trial->settle = STREQ(value, "1");
        else if (STREQ(key, "now"))
                trial->now = strtoll(value, NULL, 10);
        return 0;
}

static int read_order(Trial *trial) {
        int r = file_order_read(&trial->order, set_line, trial);

        trial->options.kind = trial->order.kind;
        trial->options.reg = trial->order.reg;
        trial->options.actor = trial->order.actor;
        return r;
}

/* ---- what the session asks for ---- */

static int64_t read_file(void *userdata, void *buffer, size_t size) {
        Trial *trial = userdata;
        ssize_t n = pread(ORDER_FILE_FD, buffer, size, trial->at);

        if (n < 0)
                return -errno;
        trial->at += n;
        return n;
}

static void tell_problem(void *userdata _unused_, const ImportProblem *problem) {
        char clean[PROBLEM_SIZE];

        printf("problem %" PRIu64 "\t%u\t%s\t%s\t%s\n", problem->line, problem->column,
               problem->field ? problem->field : "", bus_refusal_name(problem->code),
               text_escape(problem->text, clean, sizeof(clean)));
}

static void tell_counts(const Trial *trial, const ImportSession *session) {
        const ImportCounts *counts = import_counts(session);
        struct stat st;

        if (fstat(ORDER_FILE_FD, &st) == 0)
                printf("progress %" PRId64 " %" PRId64 "\n", (int64_t)trial->at,
                       (int64_t)st.st_size);
        printf("count rows %" PRIu64 "\n", counts->rows);
        for (int i = 0; i < _IMPORT_OUTCOME_MAX; i++)
                printf("count %s %" PRIu64 "\n", import_outcome_names[i], counts->outcomes[i]);
        fflush(stdout);
}

/* ---- running ---- */

static int run_rows(App *app, Trial *trial, ImportSession *session) {
        int r;

        for (uint64_t n = 1; (r = import_next(session, app->engine, trial->now, trial->settle)) > 0;
             n++) {
                if (n % COMMIT_EVERY != 0)
                        continue;
                r = store_commit(app->store);
                if (r < 0)
                        break;
                tell_counts(trial, session);
        }
        tell_counts(trial, session);
        store_abort(app->store);
        return r;
}

/* Cases are stamped as the daemon would. */
static int take_version(App *app) {
        PolicyVersion version;
        int r = version_newest(app->store, &version);

        if (r == 0) {
                engine_set_version(app->engine, &version);
                version_done(&version);
        }
        store_release(app->store);
        return r == -ENOENT ? 0 : r;
}

static int run_trial(App *app, Trial *trial) {
        ImportSession *session;
        RowReader *reader;
        int r = row_reader_new(trial->order.format, trial->order.encoding, read_file, trial,
                               &reader);

        if (r < 0)
                return r;
        r = import_new(&trial->options, reader, &session);
        if (r < 0) {
                row_reader_free(reader);
                return r;
        }
        r = run_rows(app, trial, session);
        import_free(session);
        return r;
}

int app_try_import(const AppOptions *options) {
        _cleanup_(app_done) App app = { .options = options };
        Trial trial = { .options = { .problem = tell_problem } };
        int r;

        r = app_begin_beside(&app);
        if (r == 0)
                r = app_open_trial(&app);
        if (r == 0)
                r = take_version(&app);
        if (r != 0)
                return EX_CONFIG;
        trial.options.store = app.store;
        r = read_order(&trial);
        if (r == 0)
                r = run_trial(&app, &trial);
        if (r == 0)
                return EXIT_SUCCESS;
        printf("failed %s\n", r == IMPORT_BROKEN
                                      ? "the file could not be read to its end: see its problems"
                                      : strerror(-r));
        return EXIT_FAILURE;
}
