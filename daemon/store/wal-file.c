/* SPDX-License-Identifier: Apache-2.0 */

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "store/wal.h"

#define PIECE_SIZE (512 * 1024)
#define LOOKS_MAX  5

typedef struct WalFile {
        WalMedium medium;
        int fd; /* what is written to it is durable at once */
} WalFile;

static int file_read(WalMedium *medium, uint64_t at, void *buffer, size_t size) {
        const WalFile *file = (const WalFile *)medium;
        uint8_t *to = buffer;

        while (size > 0) {
                ssize_t n = pread(file->fd, to, size, (off_t)at);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n <= 0)
                        return n == 0 ? -ENODATA : -errno;
                to += n;
                at += (uint64_t)n;
                size -= (size_t)n;
        }
        return 0;
}

/* Without memory the kernel may have written a part, as when the medium fails. */
static int write_error(int error) {
        return error == EDQUOT || error == EFBIG ? -ENOSPC : error == ENOMEM ? -EIO : -error;
}

static int write_all(int fd, uint64_t at, const void *data, size_t size) {
        const uint8_t *from = data;

        while (size > 0) {
                ssize_t n = pwrite(fd, from, size, (off_t)at);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n <= 0)
                        return n == 0 ? -EIO : write_error(errno);
                from += n;
                at += (uint64_t)n;
                size -= (size_t)n;
        }
        return 0;
}

static int file_write(WalMedium *medium, uint64_t at, const void *data, size_t size) {
        return write_all(((const WalFile *)medium)->fd, at, data, size);
}

static WalMedium *free_file(WalMedium *medium) {
        close(((WalFile *)medium)->fd);
        free(medium);
        return NULL;
}

static const WalMediumOps file_ops = {
        .read = file_read,
        .write = file_write,
        .free = free_file,
};

/* Writes what a new file, or one whose making was cut short, lacks. */
static int fill_file(const char *directory) {
        static const uint8_t zeros[PIECE_SIZE];
        _cleanup_close_ int dir = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC), fd = -1;
        struct stat st;
        int r = 0;

        if (dir < 0)
                return -errno;
        fd = openat(dir, WAL_NAME, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (fd < 0 || fstat(fd, &st) < 0)
                return -errno;
        if (st.st_size >= WAL_SIZE)
                return 0;
        for (uint64_t at = (uint64_t)st.st_size; r == 0 && at < WAL_SIZE;) {
                size_t size = MIN(sizeof(zeros), (size_t)(WAL_SIZE - at));

                r = write_all(fd, at, zeros, size);
                at += size;
        }
        if (r == 0 && (fsync(fd) < 0 || fsync(dir) < 0))
                r = -errno;
        if (r < 0 && st.st_size == 0)
                unlinkat(dir, WAL_NAME, 0);
        return r;
}

static int open_file(const char *directory, int flags, WalMedium **ret) {
        _cleanup_close_ int dir = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC), fd = -1;
        WalFile *file;

        if (dir < 0)
                return -errno;
        fd = openat(dir, WAL_NAME, flags | O_CLOEXEC | O_NOFOLLOW);
        if (fd < 0)
                return -errno;
        file = malloc(sizeof(*file));
        if (!file)
                return -ENOMEM;
        *file = (WalFile){ .medium.ops = &file_ops, .fd = TAKE_FD(fd) };
        *ret = &file->medium;
        return 0;
}

int wal_file_open(const char *directory, WalMedium **ret) {
        int r = fill_file(directory);

        if (r < 0)
                return r;
        file_give_to_owner(directory, WAL_NAME);
        return open_file(directory, O_RDWR | O_DSYNC, ret);
}

/* ---- as it was at one moment ---- */

typedef struct WalFrozen {
        WalMedium medium;
        Buffer bytes;
} WalFrozen;

static int frozen_read(WalMedium *medium, uint64_t at, void *buffer, size_t size) {
        const Buffer *bytes = &((WalFrozen *)medium)->bytes;

        if (at > bytes->size || size > bytes->size - at)
                return -ENODATA;
        memcpy(buffer, bytes->data + at, size);
        return 0;
}

static int frozen_write(WalMedium *medium _unused_, uint64_t at _unused_, const void *data _unused_,
                        size_t size _unused_) {
        return -EROFS;
}

static WalMedium *free_frozen(WalMedium *medium) {
        buffer_done(&((WalFrozen *)medium)->bytes);
        free(medium);
        return NULL;
}

static const WalMediumOps frozen_ops = {
        .read = frozen_read,
        .write = frozen_write,
        .free = free_frozen,
};

/* All of it, as far as it goes. */
static int read_all(WalMedium *from, Buffer *to) {
        struct stat st;
        uint8_t *bytes;
        size_t size;

        if (fstat(((const WalFile *)from)->fd, &st) < 0)
                return -errno;
        size = MIN((size_t)st.st_size, (size_t)WAL_SIZE);
        buffer_reset(to);
        bytes = buffer_add(to, size);
        return bytes || size == 0 ? file_read(from, 0, bytes, size) : -ENOMEM;
}

/* What it has is in order unless a frame came while it was read: one may be torn and the one behind
 * it whole, or, if a checkpoint came too, the last of an area be missing and the first of the next
 * be there. But not time and again. */
static int look(WalMedium *from, WalFrozen *frozen) {
        int r = -EUCLEAN;

        for (int looks = 0; r == -EUCLEAN && looks < LOOKS_MAX; looks++) {
                uint64_t before = 0, after = 0;

                r = wal_newest(from, &before);
                if (r == 0 || r == -ENOENT)
                        r = read_all(from, &frozen->bytes);
                if (r == 0)
                        r = wal_prove(&frozen->medium);
                if (r == 0 && wal_newest(&frozen->medium, &after) == 0 && after != before)
                        r = -EUCLEAN;
        }
        return r == -EUCLEAN ? 0 : r;
}

int wal_file_freeze(const char *directory, WalMedium **ret) {
        WalMedium *from = NULL;
        WalFrozen *frozen;
        int r = open_file(directory, O_RDONLY, &from);

        if (!from)
                return r;
        frozen = calloc(1, sizeof(*frozen));
        if (frozen)
                frozen->medium.ops = &frozen_ops;
        r = frozen ? look(from, frozen) : -ENOMEM;
        free_file(from);
        if (r < 0 && frozen)
                free_frozen(&frozen->medium);
        if (r == 0)
                *ret = &frozen->medium;
        return r;
}
