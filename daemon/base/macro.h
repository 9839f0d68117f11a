/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The few macros every file uses: scope-bound clean-up, ownership hand-over, sizes. */

#include <assert.h>
#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>

#define _cleanup_(f)    __attribute__((cleanup(f)))
#define _printf_(a, b)  __attribute__((format(printf, a, b)))
#define _unused_        __attribute__((unused))
#define _warn_unused_   __attribute__((warn_unused_result))
#define _cleanup_free_  _cleanup_(cleanup_free)
#define _cleanup_close_ _cleanup_(cleanup_close)

#define ELEMENTS(a)     (sizeof(a) / sizeof((a)[0]))
#define STREQ(a, b)     (__builtin_strcmp((a), (b)) == 0)

#define MIN(a, b)                                                                                  \
        ({                                                                                         \
                __typeof__(a) _a = (a);                                                            \
                __typeof__(b) _b = (b);                                                            \
                _a < _b ? _a : _b;                                                                 \
        })
#define MAX(a, b)                                                                                  \
        ({                                                                                         \
                __typeof__(a) _a = (a);                                                            \
                __typeof__(b) _b = (b);                                                            \
                _a > _b ? _a : _b;                                                                 \
        })

/* Hands a pointer over: the variable is NULL afterwards, so its clean-up does nothing. */
#define TAKE_PTR(p)                                                                                \
        ({                                                                                         \
                __typeof__(p) _p = (p);                                                            \
                (p) = NULL;                                                                        \
                _p;                                                                                \
        })
#define TAKE_FD(fd)                                                                                \
        ({                                                                                         \
                int _fd = (fd);                                                                    \
                (fd) = -1;                                                                         \
                _fd;                                                                               \
        })

/* Defines cleanup_TYPE-style helpers: func must accept NULL. */
#define DEFINE_CLEANUP(type, func)                                                                 \
        static inline void cleanup_##func(type *p) {                                               \
                if (*p)                                                                            \
                        func(*p);                                                                  \
        }                                                                                          \
        struct _semicolon_##func

static inline void cleanup_free(void *p) {
        free(*(void **)p);
}

static inline void cleanup_close(int *fd) {
        if (*fd >= 0)
                close(*fd);
}
