/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The few macros every file of aftersalesctl uses. */

#include <json-c/json.h>
#include <stdlib.h>
#include <systemd/sd-bus.h>
#include <unistd.h>

#define _cleanup_(f)      __attribute__((cleanup(f)))
#define _printf_(a, b)    __attribute__((format(printf, a, b)))
#define _cleanup_free_    _cleanup_(cleanup_free)
#define _cleanup_json_    _cleanup_(cleanup_json)
#define _cleanup_message_ _cleanup_(sd_bus_message_unrefp)

#define ELEMENTS(a)       (sizeof(a) / sizeof((a)[0]))
#define STREQ(a, b)       (__builtin_strcmp((a), (b)) == 0)

/* Hands a pointer over: the variable is NULL afterwards, so its clean-up does nothing. */
#define TAKE_PTR(p)                                                                                \
        ({                                                                                         \
                __typeof__(p) _p = (p);                                                            \
                (p) = NULL;                                                                        \
                _p;                                                                                \
        })

static inline void cleanup_free(void *p) {
        free(*(void **)p);
}

static inline void cleanup_json(json_object **p) {
        json_object_put(*p);
}

/* Hands a descriptor over: the variable is -1 afterwards. */
#define TAKE_FD(fd)                                                                                \
        ({                                                                                         \
                int _fd = (fd);                                                                    \
                (fd) = -1;                                                                         \
                _fd;                                                                               \
        })

#define _cleanup_close_ _cleanup_(cleanup_close)

static inline void cleanup_close(int *fd) {
        if (*fd >= 0)
                close(*fd);
}
