/* SPDX-License-Identifier: Apache-2.0 */

/* Restore and load: a backup, or what a dump has, takes the place of the store while no daemon has
 * it. It is proved where it will be before anything is replaced. */

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <time.h>

#include "app-internal.h"
#include "base/digest.h"
#include "base/file.h"
#include "store/kv.h"
#include "transfer/dump.h"

#define RESTORE_PATH_MAX 4096

typedef struct Restore {
        App *app;
        const char *directory, *file;
        bool load; /* the file is a dump */
        char path[RESTORE_PATH_MAX], new_path[RESTORE_PATH_MAX], keep[RESTORE_PATH_MAX];
        bool replaces;
        uint32_t epoch; /* of the store that is there, if it can be read */
        StoreFacts facts;
} Restore;

static int fail(int status, const char *path, const char *text) {
        fprintf(stderr, "error: %s: %s; nothing was changed\n", path, text);
        return status;
}

/* ---- the copy ---- */

static int copy_file(const Restore *restore) {
        _cleanup_close_ int from = open(restore->file, O_RDONLY | O_CLOEXEC), to = -1;
        struct stat st;
        int r;

        if (from < 0 || fstat(from, &st) < 0)
                return fail(EX_NOINPUT, restore->file, strerror(errno));
        if (!S_ISREG(st.st_mode))
                return fail(EX_NOINPUT, restore->file, "this is no file; name a backup");
        if (unlink(restore->new_path) < 0 && errno != ENOENT)
                return fail(EX_CANTCREAT, restore->new_path, strerror(errno));
        to = open(restore->new_path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        if (to < 0)
                return fail(EX_CANTCREAT, restore->new_path, strerror(errno));
        r = file_copy(from, to);
        if (r == 0 && fsync(to) < 0)
                r = -errno;
        return r < 0 ? fail(EX_CANTCREAT, restore->new_path, strerror(-r)) : 0;
}

static int prove_copy(Restore *restore) {
        Refusal why = {};

        if (app_prove_file(restore->app, restore->new_path, &restore->facts, &why) == 0)
                return 0;
        fprintf(stderr, "error: %s is no good %s: %s; nothing was changed. Take an earlier one\n",
                restore->file, restore->load ? "dump" : "backup", why.text);
        return EX_DATAERR;
}

/* What was given out after the backup was made is not given out again. */
static int begin_epoch(const Restore *restore) {
        App *app = restore->app;
        int r = app_open_file(app, restore->new_path, false);

        if (r == 0)
                r = store_begin_epoch(app->store, restore->epoch);
        app->store = store_free(app->store);
        return r < 0 ? fail(EX_IOERR, restore->new_path, strerror(-r)) : 0;
}

/* ---- what a dump has ---- */

/* A directory beside, for a new store that appears whole. */
static int name_new(const Restore *restore, char *ret, size_t size, const char *file) {
        return snprintf(ret, size, "%s/load.new%s", restore->directory, file) < (int)size
                       ? 0
                       : fail(EX_CANTCREAT, restore->directory, strerror(ENAMETOOLONG));
}

static void remove_new(const Restore *restore) {
        static const char *const files[] = {
                "/state.mdb",
                "/state.mdb-lock",
                "/state.mdb.new",
                "/state.mdb.new-lock",
                "/state.wal",
                "/state.lock",
                "",
        };
        char path[RESTORE_PATH_MAX];

        for (size_t i = 0; i < ELEMENTS(files); i++)
                if (name_new(restore, path, sizeof(path), files[i]) == 0)
                        remove(path);
}

static int read_dump(Restore *restore, Store *store) {
        FILE *file = fopen(restore->file, "re");
        DumpCounts counts = {};
        Refusal why = {};
        int r;

        if (!file)
                return fail(EX_NOINPUT, restore->file, strerror(errno));
        r = dump_read(store, app_tables, file, &counts, &why);
        fclose(file);
        if (r > 0)
                return fail(EX_DATAERR, restore->file, why.text);
        if (r < 0)
                return fail(EX_CANTCREAT, restore->directory, strerror(-r));
        return 0;
}

static int fill_new(Restore *restore) {
        char directory[RESTORE_PATH_MAX], made[RESTORE_PATH_MAX];
        int r = name_new(restore, directory, sizeof(directory), "");

        if (r == 0)
                r = name_new(restore, made, sizeof(made), "/state.mdb");
        if (r != 0)
                return r;
        if (mkdir(directory, 0700) < 0)
                return fail(EX_CANTCREAT, directory, strerror(errno));
        if (app_open_new(restore->app, directory) < 0)
                return fail(EX_CANTCREAT, directory, "no store can be made there");
        r = read_dump(restore, restore->app->store);
        restore->app->store = store_free(restore->app->store);
        if (r == 0 && rename(made, restore->new_path) < 0)
                r = fail(EX_CANTCREAT, restore->new_path, strerror(errno));
        return r;
}

static int load_file(Restore *restore) {
        int r;

        remove_new(restore); /* of one that was cut short */
        r = fill_new(restore);
        remove_new(restore);
        return r;
}

/* ---- in place of the store ---- */

/* A store may be gone and its log not: what that has must never come into the new one. */
static int look_at_log(Restore *restore, const char *store) {
        if (app_retire_store(restore->app, store, &restore->epoch) == 0)
                return 0;
        return fail(EX_IOERR, restore->path,
                    "what its write-ahead log has cannot be brought into it; remove or rename "
                    "state.wal to go on without that");
}

/* Whether there is a store, which of its numbers were given out, and where it is kept. */
static int look_at_old(Restore *restore) {
        struct stat st;
        time_t now = time(NULL);
        StoreFacts facts = {};
        bool readable;
        struct tm tm;
        char stamp[32];
        int r;

        if (lstat(restore->path, &st) < 0)
                return errno == ENOENT ? look_at_log(restore, NULL)
                                       : fail(EX_IOERR, restore->path, strerror(errno));
        restore->replaces = true;
        if (!restore->app->options->force)
                return fail(EX_CANTCREAT, restore->path,
                            "there is a store already; with --force it is kept beside and the "
                            "backup takes its place");
        gmtime_r(&now, &tm);
        strftime(stamp, sizeof(stamp), "%Y%m%dT%H%M%SZ", &tm);
        if (snprintf(restore->keep, sizeof(restore->keep), "%s.before-%s", restore->path, stamp) >=
            (int)sizeof(restore->keep))
                return fail(EX_CANTCREAT, restore->path, strerror(ENAMETOOLONG));
        readable = app_read_facts(restore->app, restore->path, &facts);
        r = look_at_log(restore, readable ? restore->path : NULL);
        if (r != 0)
                return r;
        restore->epoch = MAX(facts.epoch, restore->epoch);
        if (!readable)
                fprintf(stderr,
                        "warning: %s cannot be read; if it was itself restored from this backup, "
                        "readers of the change feed must start anew\n",
                        restore->path);
        return 0;
}

static int replace(const Restore *restore) {
        int r = kv_lmdb_replace(restore->directory, restore->replaces ? restore->keep : NULL);

        if (r < 0)
                return fail(EX_CANTCREAT, restore->path, strerror(-r));
        if (restore->replaces)
                printf("text kept %s\n", restore->keep);
        printf("count records %" PRIu64 "\ncount sequence %" PRIu64 "\n", restore->facts.records,
               restore->facts.sequence);
        return EXIT_SUCCESS;
}

static int restore_locked(Restore *restore) {
        int r = look_at_old(restore);

        if (r != 0)
                return r;
        r = restore->load ? load_file(restore) : copy_file(restore);
        if (r == 0)
                r = prove_copy(restore);
        if (r == 0)
                r = begin_epoch(restore);
        if (r == 0)
                r = replace(restore);
        if (r != 0)
                unlink(restore->new_path);
        return r;
}

static int restore_into(Restore *restore) {
        _cleanup_close_ int lock = -1;
        Refusal why = {};
        int r;

        if (kv_lmdb_paths(restore->directory, restore->path, restore->new_path,
                          sizeof(restore->path)) < 0)
                return fail(EX_CANTCREAT, restore->directory, strerror(ENAMETOOLONG));
        r = file_make_directory(restore->directory);
        if (r < 0)
                return fail(EX_CANTCREAT, restore->directory, strerror(-r));
        if (kv_lmdb_lock(restore->directory, &lock, &why) < 0) {
                fprintf(stderr, "error: %s; stop it first. Nothing was changed\n", why.text);
                return EX_TEMPFAIL;
        }
        return restore_locked(restore);
}

static int put_in_place(const AppOptions *options, bool load) {
        _cleanup_(app_done) App app = { .options = options };
        int r;

        r = app_begin_beside(&app);
        if (r != 0) {
                fprintf(stderr,
                        "error: the configuration cannot be loaded; --check-config says why\n");
                return EX_CONFIG;
        }
        return restore_into(&(Restore){
                .app = &app, .directory = app.directory, .file = options->file, .load = load });
}

int app_restore(const AppOptions *options) {
        return put_in_place(options, false);
}

int app_load(const AppOptions *options) {
        return put_in_place(options, true);
}
