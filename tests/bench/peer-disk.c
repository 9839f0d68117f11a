/* SPDX-License-Identifier: Apache-2.0 */

/* What a barrier costs on the file system of a directory: 4 KiB at a time over a file that was
 * written before.
 *
 *      peer-disk fdatasync|dsync DIRECTORY N */

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "peer.h"

#define PAGE      4096
#define FILE_SIZE (4 * 1024 * 1024)

static int probe(int fd, int sync, size_t n, double *latencies) {
        static char page[PAGE];

        for (size_t i = 0; i < n; i++) {
                double began = peer_now_ms();

                memset(page, (int)i, sizeof(page));
                if (pwrite(fd, page, PAGE, (off_t)(i * PAGE % FILE_SIZE)) != PAGE ||
                    (sync && fdatasync(fd) < 0))
                        return -errno;
                latencies[i] = peer_now_ms() - began;
        }
        return 0;
}

static int probe_file(const char *directory, int dsync, size_t n) {
        static char zeros[FILE_SIZE];
        char path[4096];
        double *latencies = calloc(n, sizeof(double)), began;
        int fd, r = latencies ? 0 : -ENOMEM;

        snprintf(path, sizeof(path), "%s/probe", directory);
        fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        if (fd < 0 || pwrite(fd, zeros, sizeof(zeros), 0) != sizeof(zeros) || fsync(fd) < 0)
                r = -errno;
        if (r == 0 && dsync) {
                close(fd);
                fd = open(path, O_RDWR | O_DSYNC | O_CLOEXEC);
                r = fd < 0 ? -errno : 0;
        }
        began = peer_now_ms();
        if (r == 0)
                r = probe(fd, !dsync, n, latencies);
        if (r == 0)
                peer_print(n, began, latencies, n);
        else
                fprintf(stderr, "peer-disk: %s: %s\n", path, strerror(-r));
        if (fd >= 0)
                close(fd);
        unlink(path);
        free(latencies);
        return r;
}

int main(int argc, char *argv[]) {
        size_t n = argc == 4 ? strtoul(argv[3], NULL, 10) : 0;

        if (n < 1) {
                fprintf(stderr, "usage: peer-disk fdatasync|dsync DIRECTORY N\n");
                return 64;
        }
        return probe_file(argv[2], strcmp(argv[1], "dsync") == 0, n) == 0 ? 0 : 1;
}
