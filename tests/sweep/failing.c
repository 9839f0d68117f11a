/* SPDX-License-Identifier: Apache-2.0 */

/* Preloaded into the daemon: lets the allocation fail that the test names. What the test wants, and
 * what became of it, stands in a file that both map ($SWEEP_CONTROL), so that it can be armed at
 * any moment of a running daemon. Counting begins with main: the loader and the constructors of
 * libraries are not ours. strdup, asprintf, getline and the like come here through malloc. */

#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define FRAMES 24

/* tests/sweep/sweep.py knows this layout. */
struct Control {
        _Atomic uint64_t
                fail_at; /* the allocation that fails, from 1; 0: none, and none is counted */
        _Atomic uint64_t sticky; /* all later ones fail, too */
        _Atomic uint64_t seen;
        _Atomic uint64_t failed;
        _Atomic uint64_t trace; /* where the first one failed is told on standard error */
};

extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t n, size_t size);
extern void *__libc_realloc(void *p, size_t size);
extern void *__libc_memalign(size_t alignment, size_t size);

static struct Control *control;

__attribute__((constructor)) static void map_control(void) {
        const char *path = getenv("SWEEP_CONTROL");
        void *frames[FRAMES], *p;
        int fd;

        backtrace(frames, FRAMES); /* loads what it needs now: later nothing may be allocated */
        fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
        if (fd < 0)
                return;
        p = mmap(NULL, sizeof(*control), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        close(fd);
        if (p == MAP_FAILED)
                abort();
        control = p;
}

static void tell_place(void) {
        void *frames[FRAMES];

        backtrace_symbols_fd(frames, backtrace(frames, FRAMES), STDERR_FILENO);
}

static bool fails(void) {
        uint64_t at, seen;

        if (!control || (at = control->fail_at) == 0)
                return false;
        seen = ++control->seen;
        if (seen != at && !(seen > at && control->sticky))
                return false;
        if (control->failed++ == 0 && control->trace)
                tell_place();
        errno = ENOMEM;
        return true;
}

void *malloc(size_t size) {
        return fails() ? NULL : __libc_malloc(size);
}

void *calloc(size_t n, size_t size) {
        return fails() ? NULL : __libc_calloc(n, size);
}

/* What only gets smaller never fails in any C library; but nothing promises it. */
void *realloc(void *p, size_t size) {
        return fails() ? NULL : __libc_realloc(p, size);
}

void *reallocarray(void *p, size_t n, size_t size) {
        size_t bytes;

        if (__builtin_mul_overflow(n, size, &bytes)) {
                errno = ENOMEM;
                return NULL;
        }
        return realloc(p, bytes);
}

extern void *memalign(size_t alignment, size_t size); /* <malloc.h> is for glibc alone */

void *memalign(size_t alignment, size_t size) {
        return fails() ? NULL : __libc_memalign(alignment, size);
}

void *aligned_alloc(size_t alignment, size_t size) {
        return memalign(alignment, size);
}

int posix_memalign(void **ret, size_t alignment, size_t size) {
        void *p = memalign(alignment, size);

        if (!p)
                return ENOMEM;
        *ret = p;
        return 0;
}
