/* SPDX-License-Identifier: Apache-2.0 */

#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/macro.h"

#define COPY_PIECE (64 * 1024)

int file_sync_directory(const char *directory) {
        _cleanup_close_ int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

        return fd < 0 || fsync(fd) < 0 ? -errno : 0;
}

int file_make_directory(const char *directory) {
        char parent[4096];

        if (snprintf(parent, sizeof(parent), "%s/..", directory) >= (int)sizeof(parent))
                return -ENAMETOOLONG;
        if (mkdir(directory, 0700) < 0)
                return errno == EEXIST ? 0 : -errno;
        return file_sync_directory(parent);
}

void file_give_to_owner(const char *directory, const char *name) {
        _cleanup_close_ int dir = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        struct stat st;

        if (geteuid() == 0 && dir >= 0 && fstat(dir, &st) == 0 &&
            fchownat(dir, name, st.st_uid, st.st_gid, AT_SYMLINK_NOFOLLOW) < 0 && errno != ENOENT)
                log_warning("cannot give %s/%s to the owner of the directory: %s", directory, name,
                            strerror(errno));
}

int file_directory(const char *path, char *ret, size_t size) {
        const char *slash = strrchr(path, '/');
        size_t length = slash == path ? 1 : slash ? (size_t)(slash - path) : 1;

        if (length >= size)
                return -ENAMETOOLONG;
        memcpy(ret, slash ? path : ".", length);
        ret[length] = '\0';
        return 0;
}

/* Whoever had the lock before may have given the file its name meanwhile. */
static bool has_name(int fd, const char *path) {
        struct stat file, name;

        return fstat(fd, &file) == 0 && lstat(path, &name) == 0 && file.st_dev == name.st_dev &&
               file.st_ino == name.st_ino;
}

/* One that was left behind is taken again, unless somebody else made it, who may have it open for
 * whatever is written. */
static int open_new(const char *new_path) {
        _cleanup_close_ int fd =
                open(new_path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
        struct stat st;

        if (fd < 0 && errno == EEXIST) {
                fd = open(new_path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
                if (fd >= 0 && (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) ||
                                st.st_uid != geteuid() || st.st_nlink != 1))
                        return -EPERM;
        }
        return fd < 0 ? -errno : TAKE_FD(fd);
}

int file_begin(const char *path, char *ret_new_path, size_t size, int *ret) {
        _cleanup_close_ int fd = -1;

        if (snprintf(ret_new_path, size, "%s.new", path) >= (int)size)
                return -ENAMETOOLONG;
        if (access(path, F_OK) == 0)
                return -EEXIST;
        fd = open_new(ret_new_path);
        if (fd < 0)
                return fd;
        if (flock(fd, LOCK_EX | LOCK_NB) < 0)
                return -errno;
        if (!has_name(fd, ret_new_path))
                return -EWOULDBLOCK;
        if (fchmod(fd, 0600) < 0 || ftruncate(fd, 0) < 0)
                return -errno;
        *ret = TAKE_FD(fd);
        return 0;
}

int file_appear(const char *new_path, const char *path) {
        char directory[4096];
        int r = file_directory(path, directory, sizeof(directory));

        if (r < 0)
                return r;
        if (renameat2(AT_FDCWD, new_path, AT_FDCWD, path, RENAME_NOREPLACE) < 0) {
                if (errno != EINVAL && errno != ENOSYS)
                        return -errno;
                /* A file system that cannot do it at once. */
                if (access(path, F_OK) == 0)
                        return -EEXIST;
                if (rename(new_path, path) < 0)
                        return -errno;
        }
        return file_sync_directory(directory);
}

static int write_all(int fd, const uint8_t *data, size_t size) {
        while (size > 0) {
                ssize_t n = write(fd, data, size);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return -errno;
                data += n;
                size -= (size_t)n;
        }
        return 0;
}

int file_copy(int from, int to) {
        _cleanup_free_ uint8_t *piece = malloc(COPY_PIECE);
        off_t at = 0;
        int r = 0;

        if (!piece)
                return -ENOMEM;
        while (r == 0) {
                ssize_t n = pread(from, piece, COPY_PIECE, at);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n <= 0)
                        return n < 0 ? -errno : 0;
                at += n;
                r = write_all(to, piece, (size_t)n);
        }
        return r;
}
