/* SPDX-License-Identifier: Apache-2.0 */

/* Backup: a copy of the store as of one moment, compact, proved whole before it has its name. How
 * it goes is told on standard output as jobs want it. */

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sysexits.h>

#include "app-internal.h"
#include "base/digest.h"
#include "base/file.h"
#include "parts/check.h"
#include "store/backups.h"
#include "store/check.h"

#define BACKUP_PATH_MAX 4096

/* ---- proving a file ---- */

/* What the process beside tells of the file. */
typedef struct Verdict {
        StoreFacts facts;
        uint64_t faults;
        char text[REFUSAL_TEXT_MAX];
} Verdict;

static void tell_fault(void *userdata _unused_, const char *line) {
        printf("problem 0\t0\t\tInternal\t%s\n", line);
}

static int read_file(App *app, const char *file, bool prove, Verdict *verdict) {
        StoreFacts *facts = &verdict->facts;
        KvStats stats = {};
        int r = app_open_file(app, file, !prove); /* to write: takes what an older program made */

        if (r < 0)
                return r;
        r = store_stats(app->store, &stats);
        facts->bytes = stats.bytes_file;
        facts->sequence = store_head(app->store)->sequence;
        facts->epoch = store_head(app->store)->epoch;
        if (r == 0 && prove)
                r = store_check(app->store, tell_fault, NULL, &facts->records, &verdict->faults);
        if (r == 0 && prove)
                r = engine_check(app_kinds, app->store, tell_fault, NULL, &verdict->faults);
        if (r == 0 && prove)
                r = parts_check(app->store, tell_fault, NULL, &verdict->faults);
        return r;
}

static int prove_file(App *app, const char *file, void *verdict) {
        return read_file(app, file, true, verdict);
}

static int read_head(App *app, const char *file, void *verdict) {
        return read_file(app, file, false, verdict);
}

int app_prove_file(App *app, const char *file, StoreFacts *ret, Refusal *why) {
        Verdict verdict = {};
        int r = app_run_apart(app, prove_file, file, &verdict, sizeof(verdict));

        if (r < 0)
                return refuse(why, REFUSED_INTERNAL,
                              "it is so damaged that reading it was ended by "
                              "signal %d",
                              -r);
        if (r > 0)
                return refuse(why, REFUSED_INTERNAL,
                              "it cannot be read to its end; why was logged");
        if (verdict.faults > 0)
                return refuse(why, REFUSED_INTERNAL, "%" PRIu64 " faults were found in it",
                              verdict.faults);
        *ret = verdict.facts;
        return 0;
}

bool app_read_facts(App *app, const char *file, StoreFacts *ret) {
        Verdict verdict = {};

        if (app_run_apart(app, read_head, file, &verdict, sizeof(verdict)) != 0)
                return false;
        *ret = verdict.facts;
        return true;
}

/* ---- the copy ---- */

static int fail(int status, const char *path, const char *text) {
        printf("failed %s: %s\n", path, text);
        return status;
}

static int copy_and_prove(App *app, int fd, const char *new_path, StoreFacts *facts) {
        Refusal why = {};
        int r = store_copy(app->store, fd);

        app->store = store_free(app->store); /* lets go of what the copy has seen */
        if (r < 0)
                return fail(r == -ENOSPC ? EX_CANTCREAT : EX_IOERR, new_path, strerror(-r));
        if (app_prove_file(app, new_path, facts, &why) == 0)
                return 0;
        printf("failed the copy is not good: %s; nothing was kept. If --check finds faults in the "
               "store too, restore an earlier backup\n",
               why.text);
        return EX_DATAERR;
}

static int back_up(App *app, const char *path) {
        _cleanup_close_ int fd = -1;
        char new_path[BACKUP_PATH_MAX];
        StoreFacts facts = {};
        int r = file_begin(path, new_path, sizeof(new_path), &fd);

        if (r == -EEXIST)
                return fail(EX_CANTCREAT, path, "there is such a file already; name a new one");
        if (r == -EWOULDBLOCK)
                return fail(EX_TEMPFAIL, path, "another backup is being written to it");
        if (r < 0)
                return fail(EX_CANTCREAT, new_path, strerror(-r));
        r = copy_and_prove(app, fd, new_path, &facts);
        if (r == 0) {
                r = file_appear(new_path, path);
                r = r < 0 ? fail(EX_CANTCREAT, path, strerror(-r)) : 0;
        }
        if (r != 0) {
                unlink(new_path);
                return r;
        }
        printf("count records %" PRIu64 "\ncount bytes %" PRIu64 "\ncount sequence %" PRIu64 "\n",
               facts.records, facts.bytes, facts.sequence);
        return EXIT_SUCCESS;
}

/* Under a name of its own. Older ones go only now that this one is known to be good. */
static int back_up_into(App *app, const char *directory) {
        char path[BACKUP_PATH_MAX], bare[BACKUP_PATH_MAX];
        int r = file_directory(directory, bare, sizeof(bare));

        if (r == 0)
                r = backups_new_path(bare, path, sizeof(path));
        if (r < 0)
                return fail(EX_CANTCREAT, directory, strerror(-r));
        r = back_up(app, path);
        if (r != 0)
                return r;
        printf("text name %s\n", strrchr(path, '/') + 1);
        r = app->options->keep > 0 ? backups_prune(bare, path, app->options->keep) : 0;
        return r < 0 ? fail(EX_CANTCREAT, directory, strerror(-r)) : EXIT_SUCCESS;
}

int app_backup(const AppOptions *options) {
        _cleanup_(app_done) App app = { .options = options };
        size_t length;
        int r;

        r = app_begin_beside(&app);
        if (r != 0) {
                puts("failed the configuration cannot be loaded; --check-config says why");
                return EX_CONFIG;
        }
        r = app_open_store(&app, true);
        if (r < 0) {
                puts("failed the store cannot be opened; the log says why");
                return EX_NOINPUT;
        }
        length = strlen(options->file);
        return length > 0 && options->file[length - 1] == '/' ? back_up_into(&app, options->file)
                                                              : back_up(&app, options->file);
}

/* What a tab divides goes to standard output: the names have none. */
int app_list_backups(const AppOptions *options) {
        _cleanup_free_ Backup *list = NULL;
        size_t n = 0;
        int r = backups_list(options->file, &list, &n);

        if (r < 0)
                printf("failed\t%s\n", strerror(-r));
        for (size_t i = 0; i < n; i++)
                printf("backup\t%s\t%" PRId64 "\t%" PRIu64 "\n", list[i].name, list[i].time,
                       list[i].bytes);
        return EXIT_SUCCESS;
}
