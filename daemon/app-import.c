/* SPDX-License-Identifier: Apache-2.0 */

/* The helper that tries an import: the very rows by the very rules, on an overlay over a snapshot,
 * which is gone with it. The order stands on standard input, a key and its value in each line; the
 * file is descriptor 3; how it goes is told on standard output as jobs want it. */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>

#include "app-internal.h"
#include "base/digest.h"
#include "base/text.h"
#include "loop/version.h"
#include "masters/registers.h"
#include "transfer/import.h"

#define FILE_FD      3
#define LINE_SIZE    512
#define COMMIT_EVERY 1000 /* rows */
#define PROBLEM_SIZE (2 * REFUSAL_TEXT_MAX)

typedef struct Trial {
        ImportOptions options;
        RowFormat format;
        RowEncoding encoding;
        int64_t now;
        bool settle;
        char name[2 * NAME_MAX_BYTES], role[NAME_MAX_BYTES + 1], unit[CODE_MAX_BYTES + 1];
        off_t at;
} Trial;

/* ---- the order ---- */

static void set_subject(Trial *trial, const char *name) {
        for (const Kind *const *kind = app_kinds; *kind; kind++)
                if (STREQ((*kind)->name, name))
                        trial->options.kind = *kind;
        for (const Register *const *reg = master_registers; *reg; reg++)
                if (STREQ((*reg)->name, name))
                        trial->options.reg = *reg;
}

static void set_line(Trial *trial, const char *key, const char *value) {
        Actor *actor = &trial->options.actor;

        if (STREQ(key, "what"))
                set_subject(trial, value);
        else if (STREQ(key, "format"))
                trial->format = (RowFormat)atoi(value);
        else if (STREQ(key, "encoding"))
                trial->encoding = (RowEncoding)atoi(value);
        else if (STREQ(key, "history"))
                trial->options.quiet = STREQ(value, "1");
        else if (STREQ(key, "settle"))
                trial->settle = STREQ(value, "1");
        else if (STREQ(key, "now"))
                trial->now = strtoll(value, NULL, 10);
        else if (STREQ(key, "permissions"))
                actor->permissions = strtoull(value, NULL, 10);
        else if (STREQ(key, "scope"))
                actor->scope = (ScopeKind)atoi(value);
        else if (STREQ(key, "actor"))
                snprintf(trial->name, sizeof(trial->name), "%s", value);
        else if (STREQ(key, "role"))
                snprintf(trial->role, sizeof(trial->role), "%s", value);
        else if (STREQ(key, "unit")) {
                snprintf(trial->unit, sizeof(trial->unit), "%s", value);
                actor->unit = trial->unit;
        }
}

static int read_order(Trial *trial) {
        char line[LINE_SIZE];

        while (fgets(line, sizeof(line), stdin)) {
                char *value = line;
                const char *key = strsep(&value, " ");

                if (!value)
                        continue;
                value[strcspn(value, "\n")] = '\0';
                set_line(trial, key, value);
        }
        trial->options.actor.name = trial->name;
        trial->options.actor.role = trial->role;
        return !trial->options.kind == !trial->options.reg ? -EINVAL : 0;
}

/* ---- what the session asks for ---- */

static int64_t read_file(void *userdata, void *buffer, size_t size) {
        Trial *trial = userdata;
        ssize_t n = pread(FILE_FD, buffer, size, trial->at);

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

        if (fstat(FILE_FD, &st) == 0)
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

        while ((r = import_next(session, app->engine, trial->now, trial->settle)) > 0) {
                if (import_counts(session)->rows % COMMIT_EVERY != 0)
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
        int r = row_reader_new(trial->format, trial->encoding, read_file, trial, &reader);

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
        _cleanup_(config_errors_done) ConfigErrors errors = {};
        _cleanup_(app_done) App app = { .options = options };
        Trial trial = { .options = { .problem = tell_problem } };
        int r;

        log_open(LOG_TO_STDERR, 0, LOG_WARNING);
        r = digest_init();
        if (r == 0)
                r = app_load_policy(&app, &errors);
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
        printf("failed %s\n", r == -EBADMSG
                                      ? "the file could not be read to its end: see its problems"
                                      : strerror(-r));
        return EXIT_FAILURE;
}
