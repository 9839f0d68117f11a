/* SPDX-License-Identifier: Apache-2.0 */

/* Dump: all of the store as text, as of one moment, beside a running daemon or alone. */

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>

#include "app-internal.h"
#include "base/digest.h"
#include "base/file.h"
#include "transfer/dump.h"

#define DUMP_PATH_MAX 4096

static int fail(int status, const char *path, const char *text) {
        fprintf(stderr, "error: %s: %s\n", path, text);
        return status;
}

/* Though not all of the store may have been readable. */
static bool is_written(int status) {
        return status == EXIT_SUCCESS || status == EXIT_FAILURE;
}

/* What could not be read is not in it, which must not pass for all. */
static int tell(App *app, const DumpCounts *counts) {
        uint64_t damaged = store_damaged(app->store);

        fprintf(stderr, "%" PRIu64 " records, %" PRIu64 " changes of the journal\n",
                counts->records, counts->journal);
        if (damaged == 0 && !counts->incomplete)
                return EXIT_SUCCESS;
        fprintf(stderr,
                "warning: %" PRIu64 " pieces of damage were met, see above; what they hid is not "
                "in it: a backup may have it\n",
                damaged);
        return EXIT_FAILURE;
}

static int dump_to(App *app, FILE *file, const char *path) {
        DumpCounts counts = {};
        int r = dump_write(app->store, app_tables, file, &counts);

        if (r < 0)
                return fail(r == -ENOSPC || r == -EPIPE ? EX_CANTCREAT : EX_IOERR, path,
                            strerror(-r));
        return tell(app, &counts);
}

/* Locked by `fd` until it has its name. */
static int write_new(App *app, int fd, const char *new_path, const char *path) {
        FILE *file = fdopen(dup(fd), "w");
        int status, r;

        if (!file)
                return fail(EX_OSERR, new_path, strerror(errno));
        status = dump_to(app, file, new_path);
        fclose(file);
        if (!is_written(status))
                return status;
        r = fsync(fd) < 0 ? -errno : file_appear(new_path, path);
        return r < 0 ? fail(EX_CANTCREAT, path, strerror(-r)) : status;
}

/* It appears whole, readable by nobody else: it has all customers in it. */
static int dump_to_file(App *app, const char *path) {
        _cleanup_close_ int fd = -1;
        char new_path[DUMP_PATH_MAX];
        int status, r = file_begin(path, new_path, sizeof(new_path), &fd);

        if (r == -EEXIST)
                return fail(EX_CANTCREAT, path, "there is such a file already; name a new one");
        if (r == -EWOULDBLOCK)
                return fail(EX_TEMPFAIL, path, "another dump is being written to it");
        if (r < 0)
                return fail(EX_CANTCREAT, new_path, strerror(-r));
        status = write_new(app, fd, new_path, path);
        if (!is_written(status))
                unlink(new_path);
        return status;
}

int app_dump(const AppOptions *options) {
        _cleanup_(app_done) App app = { .options = options };
        int r;

        r = app_begin_beside(&app);
        if (r != 0)
                return fail(EX_CONFIG, options->config_path,
                            "it cannot be loaded; --check-config says why");
        if (app_open_store(&app, true) < 0)
                return fail(EX_NOINPUT, app.directory, "its store cannot be opened");
        return STREQ(options->file, "-") ? dump_to(&app, stdout, "standard output")
                                         : dump_to_file(&app, options->file);
}
