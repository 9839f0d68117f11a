/* SPDX-License-Identifier: Apache-2.0 */

#include "store/backups.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>

#include "aftersales/limits.h"
#include "base/file.h"
#include "base/macro.h"

#define NAME_FORM "backup-%Y%m%dT%H%M%SZ.mdb"
#define NEW       ".new" /* behind the name of one that is being written */
/* Seconds after which one of somebody else was left behind. */
#define LEFT_AFTER (2 * 86400)

/* Also what stands behind the name; NULL: it is no name of ours. */
static const char *parse_name(const char *name, int64_t *ret_time) {
        struct tm tm = {};
        const char *end = strptime(name, NAME_FORM, &tm);

        if (!end || end - name >= BACKUP_NAME_SIZE)
                return NULL;
        *ret_time = (int64_t)timegm(&tm) * USEC_PER_SEC;
        return end;
}

static int newest_first(const void *a, const void *b) {
        return strcmp(((const Backup *)b)->name, ((const Backup *)a)->name);
}

static bool read_entry(int directory, const char *name, Backup *ret) {
        const char *end = parse_name(name, &ret->time);
        struct stat st;

        if (!end || *end || fstatat(directory, name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
            !S_ISREG(st.st_mode))
                return false;
        memcpy(ret->name, name, (size_t)(end - name) + 1);
        ret->bytes = (uint64_t)st.st_size;
        return true;
}

static void cleanup_directory(DIR **directory) {
        if (*directory)
                closedir(*directory);
}

int backups_list(const char *directory, Backup **ret, size_t *ret_n) {
        _cleanup_(cleanup_directory) DIR *files = opendir(directory);
        _cleanup_free_ Backup *list = calloc(BACKUPS_MAX, sizeof(Backup));
        const struct dirent *entry;
        size_t n = 0;

        if (!list)
                return -ENOMEM;
        if (!files && errno != ENOENT)
                return -errno;
        while (files && n < BACKUPS_MAX && (entry = readdir(files)))
                n += read_entry(dirfd(files), entry->d_name, &list[n]);
        qsort(list, n, sizeof(Backup), newest_first);
        *ret = TAKE_PTR(list);
        *ret_n = n;
        return 0;
}

static bool is_free(const char *path, size_t size) {
        char new_path[4096];

        return size < sizeof(new_path) - sizeof(NEW) && access(path, F_OK) < 0 &&
               snprintf(new_path, sizeof(new_path), "%s" NEW, path) > 0 &&
               access(new_path, F_OK) < 0;
}

int backups_new_path(const char *directory, char *ret, size_t size) {
        int r = file_make_directory(directory);

        if (r < 0)
                return r;
        for (int tries = 0; tries < 30; tries++) {
                const struct timespec pause = { .tv_nsec = 100 * 1000 * 1000 };
                time_t now = time(NULL);
                char name[BACKUP_NAME_SIZE];
                struct tm tm;

                gmtime_r(&now, &tm);
                strftime(name, sizeof(name), NAME_FORM, &tm);
                if (snprintf(ret, size, "%s/%s", directory, name) >= (int)size)
                        return -ENAMETOOLONG;
                if (is_free(ret, strlen(ret)))
                        return 0;
                nanosleep(&pause, NULL);
        }
        return -EEXIST;
}

/* Nobody writes and proves one for so long. */
static bool is_old(int directory, const char *name) {
        struct stat st;

        return fstatat(directory, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
               st.st_mtime < time(NULL) - LEFT_AFTER;
}

/* One that is being written is locked by its writer. */
static void remove_left(int directory, const char *name) {
        _cleanup_close_ int fd =
                openat(directory, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
        bool left = fd >= 0 ? flock(fd, LOCK_EX | LOCK_NB) == 0
                            : errno == EACCES && is_old(directory, name);

        if (left)
                unlinkat(directory, name, 0);
}

int backups_prune(const char *directory, const char *path, size_t keep) {
        _cleanup_(cleanup_directory) DIR *files = opendir(directory);
        _cleanup_free_ Backup *list = NULL;
        const char *slash = strrchr(path, '/'), *end;
        const struct dirent *entry;
        size_t n = 0, kept = 1;
        int64_t when;
        int r;

        if (!files)
                return -errno;
        while ((entry = readdir(files))) {
                end = parse_name(entry->d_name, &when);
                if (end && STREQ(end, NEW))
                        remove_left(dirfd(files), entry->d_name);
        }
        r = backups_list(directory, &list, &n);
        for (size_t i = 0; r == 0 && i < n; i++)
                if (!(slash && STREQ(list[i].name, slash + 1)) && ++kept > keep &&
                    unlinkat(dirfd(files), list[i].name, 0) < 0)
                        r = -errno;
        return r;
}
