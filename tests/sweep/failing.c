/* SPDX-License-Identifier: Apache-2.0 */

/* Preloaded into the daemon: lets the allocation fail that the test names, or the system call. What
 * the test wants, and what became of it, stands in a file that both map ($SWEEP_CONTROL), so that
 * it can be armed at any moment of a running daemon. Counting begins with main: the loader and the
 * constructors of libraries are not ours. strdup, asprintf, getline and the like come here through
 * malloc; calls that the C library makes for itself do not come here. */

#include <dlfcn.h>
#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <unistd.h>

#define FRAMES 24

/* tests/sweep/sweep.py knows this layout. */
struct Control {
        _Atomic uint64_t fail_at; /* which one fails, from 1; 0: none, and none is counted */
        _Atomic uint64_t sticky;  /* all later ones fail, too */
        _Atomic uint64_t seen;
        _Atomic uint64_t failed;
        _Atomic uint64_t trace; /* where the first one failed is told on standard error */
        _Atomic uint64_t error; /* of the system calls that fail so; 0: allocations fail */
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

static bool is_its_turn(int error) {
        uint64_t at = control->fail_at, seen;

        if (at == 0)
                return false;
        seen = ++control->seen;
        if (seen != at && !(seen > at && control->sticky))
                return false;
        if (control->failed++ == 0 && control->trace)
                tell_place();
        errno = error;
        return true;
}

/* ---- allocations ---- */

static bool fails(void) {
        return control && control->error == 0 && is_its_turn(ENOMEM);
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

/* ---- system calls ---- */

#define E(error) (UINT64_C(1) << (error))
/* What a call may fail with, of what is swept. */
#define NAMES   (E(EIO) | E(ENOMEM) | E(EACCES))
#define OPENS   (NAMES | E(EMFILE) | E(ENOSPC))
#define CHANGES (NAMES | E(ENOSPC))
#define READS   (E(EIO) | E(ENOMEM))
#define WRITES  (E(EIO) | E(ENOSPC))
#define MAKES   (E(EMFILE) | E(ENOMEM))
#define MEMORY  E(ENOMEM)

static bool call_fails(uint64_t errors) {
        uint64_t error = control ? control->error : 0;

        return error != 0 && (errors & E(error)) && is_its_turn((int)error);
}

/* Pipes, sockets and the like have no medium that fails. */
static bool file_fails(int fd, uint64_t errors) {
        struct stat st;

        return control && control->error != 0 && control->fail_at != 0 &&
               syscall(SYS_fstat, fd, &st) == 0 && S_ISREG(st.st_mode) && call_fails(errors);
}

#define CALL_IF(fails, failure, type, name, parameters, ...)                                       \
        type name parameters {                                                                     \
                static type(*real) parameters;                                                     \
                                                                                                   \
                if (!real)                                                                         \
                        real = (typeof(real))dlsym(RTLD_NEXT, #name);                              \
                return (fails) ? (failure) : real(__VA_ARGS__);                                    \
        }
#define CALL(errors, name, parameters, ...)                                                        \
        CALL_IF(call_fails(errors), -1, int, name, parameters, __VA_ARGS__)
#define FILE_CALL(errors, type, name, parameters, ...)                                             \
        CALL_IF(file_fails(fd, errors), -1, type, name, parameters, __VA_ARGS__)

#define OPEN(name)                                                                                 \
        int name(const char *path, int flags, ...) {                                               \
                static int (*real)(const char *, int, ...);                                        \
                va_list arguments;                                                                 \
                mode_t mode;                                                                       \
                                                                                                   \
                va_start(arguments, flags);                                                        \
                mode = va_arg(arguments, mode_t);                                                  \
                va_end(arguments);                                                                 \
                if (!real)                                                                         \
                        real = (typeof(real))dlsym(RTLD_NEXT, #name);                              \
                return call_fails(OPENS) ? -1 : real(path, flags, mode);                           \
        }
#define OPEN_AT(name)                                                                              \
        int name(int dir, const char *path, int flags, ...) {                                      \
                static int (*real)(int, const char *, int, ...);                                   \
                va_list arguments;                                                                 \
                mode_t mode;                                                                       \
                                                                                                   \
                va_start(arguments, flags);                                                        \
                mode = va_arg(arguments, mode_t);                                                  \
                va_end(arguments);                                                                 \
                if (!real)                                                                         \
                        real = (typeof(real))dlsym(RTLD_NEXT, #name);                              \
                return call_fails(OPENS) ? -1 : real(dir, path, flags, mode);                      \
        }

extern int __open_2(const char *path, int flags);
extern int __open64_2(const char *path, int flags);
extern int __openat_2(int dir, const char *path, int flags);
extern int __openat64_2(int dir, const char *path, int flags);
extern int __fxstat(int version, int fd, struct stat *ret);

OPEN(open)
OPEN(open64)
OPEN_AT(openat)
OPEN_AT(openat64)
CALL(OPENS, __open_2, (const char *path, int flags), path, flags)
CALL(OPENS, __open64_2, (const char *path, int flags), path, flags)
CALL(OPENS, __openat_2, (int dir, const char *path, int flags), dir, path, flags)
CALL(OPENS, __openat64_2, (int dir, const char *path, int flags), dir, path, flags)
CALL_IF(call_fails(OPENS), NULL, FILE *, fopen, (const char *path, const char *mode), path, mode)
CALL_IF(call_fails(OPENS), NULL, FILE *, fopen64, (const char *path, const char *mode), path, mode)

CALL(NAMES, stat, (const char *path, struct stat *ret), path, ret)
CALL(NAMES, stat64, (const char *path, struct stat64 *ret), path, ret)
CALL(NAMES, lstat, (const char *path, struct stat *ret), path, ret)
CALL(NAMES, access, (const char *path, int how), path, how)
CALL(NAMES, fstatat, (int dir, const char *path, struct stat *ret, int flags), dir, path, ret,
     flags)
CALL(CHANGES, mkdir, (const char *path, mode_t mode), path, mode)
CALL(CHANGES, rename, (const char *from, const char *to), from, to)
CALL(CHANGES, renameat2, (int dir, const char *from, int to_dir, const char *to, unsigned flags),
     dir, from, to_dir, to, flags)
CALL(CHANGES, link, (const char *from, const char *to), from, to)
CALL(NAMES, unlink, (const char *path), path)
CALL(NAMES, unlinkat, (int dir, const char *path, int flags), dir, path, flags)

FILE_CALL(READS, int, fstat, (int fd, struct stat *ret), fd, ret)
FILE_CALL(READS, int, fstat64, (int fd, struct stat64 *ret), fd, ret)
FILE_CALL(READS, int, __fxstat, (int version, int fd, struct stat *ret), version, fd, ret)
FILE_CALL(READS, ssize_t, read, (int fd, void *to, size_t size), fd, to, size)
FILE_CALL(READS, ssize_t, pread, (int fd, void *to, size_t size, off_t at), fd, to, size, at)
FILE_CALL(WRITES, ssize_t, write, (int fd, const void *data, size_t size), fd, data, size)
FILE_CALL(WRITES, ssize_t, pwrite, (int fd, const void *data, size_t size, off_t at), fd, data,
          size, at)
FILE_CALL(WRITES, ssize_t, writev, (int fd, const struct iovec *pieces, int n), fd, pieces, n)
FILE_CALL(WRITES, int, fsync, (int fd), fd)
FILE_CALL(WRITES, int, fdatasync, (int fd), fd)
FILE_CALL(WRITES, int, ftruncate, (int fd, off_t size), fd, size)
CALL_IF(call_fails(MEMORY), MAP_FAILED, void *, mmap,
        (void *near, size_t size, int protection, int flags, int fd, off_t at), near, size,
        protection, flags, fd, at)

CALL(MAKES, eventfd, (unsigned value, int flags), value, flags)
CALL(MAKES, timerfd_create, (clockid_t clock, int flags), clock, flags)
CALL(MAKES, signalfd, (int fd, const sigset_t *signals, int flags), fd, signals, flags)
CALL(MAKES, epoll_create1, (int flags), flags)
CALL(MEMORY | E(ENOSPC), epoll_ctl, (int epoll, int how, int fd, struct epoll_event *event), epoll,
     how, fd, event)
CALL(MAKES, memfd_create, (const char *name, unsigned flags), name, flags)
CALL(MAKES, pipe2, (int fds[2], int flags), fds, flags)
CALL(MAKES, dup, (int fd), fd)
CALL(MAKES | E(EACCES), socket, (int family, int type, int protocol), family, type, protocol)
CALL(MAKES, socketpair, (int family, int type, int protocol, int fds[2]), family, type, protocol,
     fds)
CALL(MAKES, accept4, (int fd, __SOCKADDR_ARG from, socklen_t *size, int flags), fd, from, size,
     flags)
CALL(E(EACCES), connect, (int fd, __CONST_SOCKADDR_ARG to, socklen_t size), fd, to, size)
CALL(NAMES | E(ENOSPC), bind, (int fd, __CONST_SOCKADDR_ARG at, socklen_t size), fd, at, size)
CALL_IF(call_fails(MEMORY), -1, ssize_t, sendmsg, (int fd, const struct msghdr *m, int flags), fd,
        m, flags)
CALL_IF(call_fails(MEMORY), -1, ssize_t, recvmsg, (int fd, struct msghdr *m, int flags), fd, m,
        flags)
