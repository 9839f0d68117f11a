/* SPDX-License-Identifier: Apache-2.0 */

#include "out-file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "macro.h"

#define MODE_BITS 0777

static int open_beside(OutFile *file, const struct stat *before) {
        if (asprintf(&file->temporary, "%s.XXXXXX", file->path) < 0) {
                file->temporary = NULL;
                return -ENOMEM;
        }
        file->fd = mkostemp(file->temporary, O_CLOEXEC);
        if (file->fd < 0) {
                int r = -errno;

                free(TAKE_PTR(file->temporary)); /* there is none */
                return r;
        }
        return before && fchmod(file->fd, before->st_mode & MODE_BITS) < 0 ? -errno : 0;
}

int out_file_open(OutFile *file, const char *path) {
        struct stat before;
        bool there = stat(path, &before) == 0;

        *file = (OutFile){ .fd = -1 };
        if (!there && errno != ENOENT)
                return -errno;
        if (there && !S_ISREG(before.st_mode)) {
                file->fd = open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY);
                return file->fd < 0 ? -errno : 0;
        }
        file->path = there ? realpath(path, NULL) : strdup(path);
        if (!file->path)
                return -errno;
        return open_beside(file, there ? &before : NULL);
}

int out_file_finish(OutFile *file) {
        if (!file->temporary)
                return 0;
        if (fsync(file->fd) < 0 || rename(file->temporary, file->path) < 0)
                return -errno;
        free(TAKE_PTR(file->temporary));
        return 0;
}

void out_file_done(OutFile *file) {
        if (file->fd >= 0)
                close(file->fd);
        if (file->temporary)
                unlink(file->temporary);
        free(file->temporary);
        free(file->path);
        *file = (OutFile){ .fd = -1 };
}
