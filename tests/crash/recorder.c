/* SPDX-License-Identifier: Apache-2.0 */

/* Preloaded into a program that keeps a store: writes down what that does to the files of one
 * directory ($CRASH_DIRECTORY) into $CRASH_LOG, for tests/crash/crash.c to work out what a power
 * cut at each moment can leave behind. See tests/crash/log.h. */

#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "log.h"

#define REAL(name)                                                                                 \
        static __typeof__(name) *real;                                                             \
        if (!real)                                                                                 \
        real = (__typeof__(name) *)dlsym(RTLD_NEXT, #name)

static const char *directory(void) {
        static char path[PATH_MAX];

        if (!*path && (!getenv("CRASH_DIRECTORY") || !realpath(getenv("CRASH_DIRECTORY"), path)))
                return NULL;
        return path;
}

static int log_fd(void) {
        static int fd = -1;

        if (fd < 0 && getenv("CRASH_LOG"))
                fd = open(getenv("CRASH_LOG"), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
        return fd;
}

/* The name of a file within the directory; "" for itself. False: it is elsewhere. */
static bool name_of(int fd, char *ret) {
        char link[64], path[PATH_MAX] = "";
        const char *base = directory();
        size_t length = base ? strlen(base) : 0;

        snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
        if (!base || readlink(link, path, sizeof(path) - 1) < 0 || strncmp(path, base, length) != 0)
                return false;
        if (path[length] != '/' && path[length] != '\0')
                return false;
        snprintf(ret, CRASH_NAME_SIZE, "%s", path[length] == '/' ? path + length + 1 : "");
        return strlen(ret) + 1 < CRASH_NAME_SIZE && !strchr(ret, '/');
}

static bool name_of_path(const char *path, char *ret) {
        const char *base = directory();
        char full[PATH_MAX], *slash;

        snprintf(full, sizeof(full), "%s", path);
        slash = strrchr(full, '/');
        if (!base || !slash)
                return false;
        *slash = '\0';
        if (strcmp(full, base) != 0)
                return false;
        snprintf(ret, CRASH_NAME_SIZE, "%s", slash + 1);
        return true;
}

static void put(CrashOp op, const char *name, const char *other, uint64_t at, const void *data,
                size_t size) {
        REAL(writev);
        CrashEntry entry = { .op = op, .at = at, .size = size };
        const struct iovec pieces[] = { { &entry, sizeof(entry) }, { (void *)data, size } };

        snprintf(entry.name, sizeof(entry.name), "%s", name);
        snprintf(entry.other, sizeof(entry.other), "%s", other);
        if (log_fd() < 0)
                return;
        /* In one piece: there may be a thread beside. */
        if (real(log_fd(), pieces, op == CRASH_WRITE ? 2 : 1) < 0)
                abort();
}

void crash_mark(uint64_t n) {
        put(CRASH_MARK, "", "", n, NULL, 0);
}

static void wrote(int fd, uint64_t at, const void *data, ssize_t size) {
        char name[CRASH_NAME_SIZE];

        if (size <= 0 || fd == log_fd() || !name_of(fd, name))
                return;
        put(CRASH_WRITE, name, "", at, data, (size_t)size);
        if (fcntl(fd, F_GETFL) & O_DSYNC)
                put(CRASH_DSYNC, name, "", at, NULL, (size_t)size);
}

ssize_t pwrite(int fd, const void *data, size_t size, off_t at) {
        REAL(pwrite);
        ssize_t n = real(fd, data, size, at);

        wrote(fd, (uint64_t)at, data, n);
        return n;
}

ssize_t pwrite64(int fd, const void *data, size_t size, off_t at) {
        return pwrite(fd, data, size, at);
}

ssize_t write(int fd, const void *data, size_t size) {
        REAL(write);
        off_t at = lseek(fd, 0, SEEK_CUR);
        ssize_t n = real(fd, data, size);

        if (at >= 0)
                wrote(fd, (uint64_t)at, data, n);
        return n;
}

static void wrote_vector(int fd, uint64_t at, const struct iovec *vector, int count, ssize_t size) {
        for (int i = 0; i < count && size > 0; i++) {
                ssize_t part =
                        (ssize_t)vector[i].iov_len < size ? (ssize_t)vector[i].iov_len : size;

                wrote(fd, at, vector[i].iov_base, part);
                at += (uint64_t)part;
                size -= part;
        }
}

ssize_t writev(int fd, const struct iovec *vector, int count) {
        REAL(writev);
        off_t at = lseek(fd, 0, SEEK_CUR);
        ssize_t n = real(fd, vector, count);

        if (at >= 0)
                wrote_vector(fd, (uint64_t)at, vector, count, n);
        return n;
}

ssize_t pwritev(int fd, const struct iovec *vector, int count, off_t at) {
        REAL(pwritev);
        ssize_t n = real(fd, vector, count, at);

        wrote_vector(fd, (uint64_t)at, vector, count, n);
        return n;
}

static void synced(int fd) {
        char name[CRASH_NAME_SIZE];

        if (name_of(fd, name))
                put(CRASH_SYNC, name, "", 0, NULL, 0);
}

int fsync(int fd) {
        REAL(fsync);
        int r = real(fd);

        if (r == 0)
                synced(fd);
        return r;
}

int fdatasync(int fd) {
        REAL(fdatasync);
        int r = real(fd);

        if (r == 0)
                synced(fd);
        return r;
}

int ftruncate(int fd, off_t size) {
        REAL(ftruncate);
        char name[CRASH_NAME_SIZE];
        int r = real(fd, size);

        if (r == 0 && name_of(fd, name))
                put(CRASH_TRUNCATE, name, "", (uint64_t)size, NULL, 0);
        return r;
}

int rename(const char *from, const char *to) {
        REAL(rename);
        char name[CRASH_NAME_SIZE], other[CRASH_NAME_SIZE];
        int r = real(from, to);

        if (r == 0 && name_of_path(from, name) && name_of_path(to, other))
                put(CRASH_RENAME, name, other, 0, NULL, 0);
        return r;
}

int unlink(const char *path) {
        REAL(unlink);
        char name[CRASH_NAME_SIZE];
        int r = real(path);

        if (r == 0 && name_of_path(path, name))
                put(CRASH_UNLINK, name, "", 0, NULL, 0);
        return r;
}
