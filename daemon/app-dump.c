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

/* It appears whole, readable by nobody else: it has all customers in it. */
static int dump_to_file(App *app, const char *path) {
        char new_path[DUMP_PATH_MAX];
        FILE *file;
        int status, fd, r = 0;

        if (snprintf(new_path, sizeof(new_path), "%s.new", path) >= (int)sizeof(new_path))
                return fail(EX_CANTCREAT, path, strerror(ENAMETOOLONG));
        if (access(path, F_OK) == 0)
                return fail(EX_CANTCREAT, path, "there is such a file already; name a new one");
        fd = open(new_path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
        file = fd >= 0 ? fdopen(fd, "w") : NULL;
        if (!file) {
                r = -errno;
                if (fd >= 0)
                        close(fd);
                return fail(EX_CANTCREAT, new_path, strerror(-r));
        }
        status = fchmod(fd, 0600) < 0 ? fail(EX_CANTCREAT, new_path, strerror(errno))
                                      : dump_to(app, file, new_path);
        if (status == EXIT_SUCCESS || status == EXIT_FAILURE)
                r = fsync(fd) < 0 ? -errno : 0;
        fclose(file);
        if (status != EXIT_SUCCESS && status != EXIT_FAILURE) {
                unlink(new_path);
                return status;
        }
        if (r == 0)
                r = file_appear(new_path, path);
        return r < 0 ? fail(EX_CANTCREAT, path, strerror(-r)) : status;
}

int app_dump(const AppOptions *options) {
        _cleanup_(config_errors_done) ConfigErrors errors = {};
        _cleanup_(app_done) App app = { .options = options };
        int r;

        log_open(LOG_TO_STDERR, 0, LOG_WARNING);
        r = digest_init();
        if (r == 0)
                r = app_load_policy(&app, &errors);
        if (r != 0)
                return fail(EX_CONFIG, options->config_path,
                            "it cannot be loaded; --check-config says why");
        if (app_open_store(&app, true) < 0)
                return fail(EX_NOINPUT, app_state_directory(&app), "its store cannot be opened");
        return STREQ(options->file, "-") ? dump_to(&app, stdout, "standard output")
                                         : dump_to_file(&app, options->file);
}
