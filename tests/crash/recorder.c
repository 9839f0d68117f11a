/* SPDX-License-Identifier: Apache-2.0 */

/* Preloaded into a program and all that it starts: writes down what they do to the files below one
 * directory ($CRASH_DIRECTORY) into $CRASH_LOG, for tests/crash/disk.c to work out what a power
 * cut at each moment can leave behind. See tests/crash/log.h.
 *
 * Not seen: writes through mappings, of which there are none but to lock files, and what the C
 * library writes by itself: of a stream, the file is put down whole whenever that is flushed. */

#include <dirent.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "log.h"

#define PIECE (64 * 1024)

#define REAL(name)                                                                                 \
        static __typeof__(name) *real;                                                             \
        if (!real)                                                                                 \
        real = (__typeof__(name) *)dlsym(RTLD_NEXT, #name)

/* ---- the log ---- */

static void note_tree(const char *path);

static const char *root(void) {
        static char path[PATH_MAX];

        if (!*path && (!getenv("CRASH_DIRECTORY") || !realpath(getenv("CRASH_DIRECTORY"), path)))
                return NULL;
        return path;
}

static int log_fd = -1;

static void put_data(CrashEntry entry, const void *data) {
        REAL(writev);
        const struct iovec pieces[] = { { &entry, sizeof(entry) },
                                        { (void *)data,
                                          entry.op == CRASH_WRITE ? entry.size : 0 } };

        /* In one piece: there may be a thread beside, or another process. */
        if (log_fd >= 0 && real(log_fd, pieces, 2) < 0)
                abort();
}

static void put(CrashEntry entry) {
        put_data(entry, NULL);
}

/* Whoever comes first puts down what is there. */
__attribute__((constructor)) static void begin(void) {
        const char *path = getenv("CRASH_LOG");
        struct stat st;
        int new_fd;

        if (!path || !root() || stat(root(), &st) < 0)
                return;
        new_fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        if (new_fd >= 0)
                close(new_fd);
        log_fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
        if (new_fd < 0)
                return;
        put((CrashEntry){ .op = CRASH_ROOT, .file = st.st_ino });
        note_tree(root());
        put((CrashEntry){ .op = CRASH_BEGIN });
}

void crash_mark(uint64_t n) {
        put((CrashEntry){ .op = CRASH_MARK, .at = n });
}

/* ---- what it is about ---- */

static bool is_below_root(const char *path) {
        size_t length = root() ? strlen(root()) : 0;

        return length > 0 && strncmp(path, root(), length) == 0 &&
               (path[length] == '/' || path[length] == '\0');
}

/* False: it is elsewhere. */
static bool find_file(int fd, uint64_t *ret) {
        char link[64], path[PATH_MAX] = "";
        struct stat st;

        if (log_fd < 0)
                return false;
        snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
        if (readlink(link, path, sizeof(path) - 1) < 0 || !is_below_root(path) ||
            fstat(fd, &st) < 0)
                return false;
        *ret = st.st_ino;
        return true;
}

static bool find_place(int at, const char *path, uint64_t *ret_directory, char *ret_name) {
        char full[PATH_MAX], directory[PATH_MAX], *slash;
        struct stat st;

        if (log_fd < 0)
                return false;
        if (*path == '/')
                snprintf(full, sizeof(full), "%s", path);
        else if (at == AT_FDCWD)
                snprintf(full, sizeof(full), "./%s", path);
        else
                snprintf(full, sizeof(full), "/proc/self/fd/%d/%s", at, path);
        slash = strrchr(full, '/');
        *slash = '\0';
        if (!realpath(*full ? full : "/", directory) || !is_below_root(directory) ||
            stat(directory, &st) < 0)
                return false;
        if (strlen(slash + 1) >= CRASH_NAME_SIZE)
                abort();
        *ret_directory = st.st_ino;
        strcpy(ret_name, slash + 1);
        return true;
}

static uint64_t file_at(int at, const char *path) {
        struct stat st;

        return fstatat(at, path, &st, AT_SYMLINK_NOFOLLOW) == 0 ? st.st_ino : 0;
}

static void note_name(CrashOp op, int at, const char *path) {
        CrashEntry entry = { .op = op };

        if (!find_place(at, path, &entry.directory, entry.name))
                return;
        entry.file = op == CRASH_UNLINK ? 0 : file_at(at, path);
        put(entry);
}

/* ---- contents ---- */

static void wrote(int fd, uint64_t at, const void *data, ssize_t size) {
        CrashEntry entry = { .op = CRASH_WRITE, .at = at, .size = (uint64_t)size };

        if (size <= 0 || !find_file(fd, &entry.file))
                return;
        put_data(entry, data);
        entry.op = CRASH_DSYNC;
        if (fcntl(fd, F_GETFL) & O_DSYNC)
                put(entry);
}

static void wrote_all(int fd) {
        static char data[PIECE];
        off_t at = 0;

        for (ssize_t n; (n = pread(fd, data, sizeof(data), at)) > 0; at += n)
                wrote(fd, (uint64_t)at, data, n);
}

static void note_tree(const char *path) {
        DIR *dir = opendir(path);

        if (!dir)
                abort();
        for (struct dirent *each; (each = readdir(dir));) {
                char full[PATH_MAX];
                struct stat st;
                int fd;

                if (*each->d_name == '.')
                        continue;
                snprintf(full, sizeof(full), "%s/%s", path, each->d_name);
                if (lstat(full, &st) < 0)
                        abort();
                note_name(S_ISDIR(st.st_mode) ? CRASH_MKDIR : CRASH_CREATE, AT_FDCWD, full);
                if (S_ISDIR(st.st_mode)) {
                        note_tree(full);
                        continue;
                }
                fd = open(full, O_RDONLY | O_CLOEXEC);
                wrote_all(fd);
                close(fd);
        }
        closedir(dir);
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

int fflush(FILE *file) {
        REAL(fflush);
        uint64_t inode;
        int r = real(file);

        if (r == 0 && file && fileno(file) >= 0 && find_file(fileno(file), &inode))
                wrote_all(fileno(file));
        return r;
}

static void synced(int fd) {
        CrashEntry entry = { .op = CRASH_SYNC };

        if (find_file(fd, &entry.file))
                put(entry);
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
        CrashEntry entry = { .op = CRASH_TRUNCATE, .at = (uint64_t)size };
        int r = real(fd, size);

        if (r == 0 && find_file(fd, &entry.file))
                put(entry);
        return r;
}

/* ---- names ---- */

static int note_open(int fd, int at, const char *path, int flags, bool was_there) {
        CrashEntry entry = { .op = CRASH_TRUNCATE };

        if (fd < 0)
                return fd;
        if (flags & O_CREAT && !was_there)
                note_name(CRASH_CREATE, at, path);
        else if (flags & O_TRUNC && find_file(fd, &entry.file))
                put(entry);
        return fd;
}

static mode_t mode_of(int flags, va_list more) {
        return flags & O_CREAT ? va_arg(more, mode_t) : 0;
}

int openat(int at, const char *path, int flags, ...) {
        REAL(openat);
        bool was_there = file_at(at, path) != 0;
        va_list more;
        mode_t mode;

        va_start(more, flags);
        mode = mode_of(flags, more);
        va_end(more);
        return note_open(real(at, path, flags, mode), at, path, flags, was_there);
}

int open(const char *path, int flags, ...) {
        va_list more;
        mode_t mode;

        va_start(more, flags);
        mode = mode_of(flags, more);
        va_end(more);
        return openat(AT_FDCWD, path, flags, mode);
}

int mkdir(const char *path, mode_t mode) {
        REAL(mkdir);
        int r = real(path, mode);

        if (r == 0)
                note_name(CRASH_MKDIR, AT_FDCWD, path);
        return r;
}

int link(const char *from, const char *to) {
        REAL(link);
        int r = real(from, to);

        if (r == 0)
                note_name(CRASH_LINK, AT_FDCWD, to);
        return r;
}

static void renamed(const char *from, const char *to) {
        CrashEntry entry = { .op = CRASH_RENAME };
        bool is_from = find_place(AT_FDCWD, from, &entry.from_directory, entry.from);

        if (find_place(AT_FDCWD, to, &entry.directory, entry.name) != is_from)
                abort(); /* out of or into what is looked at */
        if (is_from)
                put(entry);
}

int rename(const char *from, const char *to) {
        REAL(rename);
        int r = real(from, to);

        if (r == 0)
                renamed(from, to);
        return r;
}

int renameat2(int from_at, const char *from, int to_at, const char *to, unsigned flags) {
        REAL(renameat2);
        int r = real(from_at, from, to_at, to, flags);

        if (r == 0)
                renamed(from, to);
        return r;
}

int unlink(const char *path) {
        REAL(unlink);
        int r = real(path);

        if (r == 0)
                note_name(CRASH_UNLINK, AT_FDCWD, path);
        return r;
}

int unlinkat(int at, const char *path, int flags) {
        REAL(unlinkat);
        int r = real(at, path, flags);

        if (r == 0)
                note_name(CRASH_UNLINK, at, path);
        return r;
}

int remove(const char *path) {
        REAL(remove);
        int r = real(path);

        if (r == 0)
                note_name(CRASH_UNLINK, AT_FDCWD, path);
        return r;
}
