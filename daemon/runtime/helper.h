/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* A helper: this very program once more, as a process beside the loop, for work that takes as long
 * as the store is large. It looks at the store through a snapshot of its own, or at none; what it
 * has to say comes back line by line over its standard output. Nothing that it waits for (a disk, a
 * reader who does not read) keeps the loop waiting.
 *
 * It starts with an empty environment, no signals blocked, and no descriptors but standard input,
 * output and error and those given. */

#include <systemd/sd-event.h>

#include "base/buffer.h"

#define HELPER_LINE_MAX        4096 /* bytes; what is longer is cut */
#define HELPER_DESCRIPTORS_MAX 4

typedef struct Helper Helper;

typedef struct HelperOptions {
        sd_event *event;
        const char *program;          /* its path */
        const char *const *arguments; /* after its name, ended by NULL. Everybody can read them: no
                                       * personal data */
        Slice input;                  /* what it finds on standard input; may be empty */
        int descriptors[HELPER_DESCRIPTORS_MAX]; /* it has them as 3, 4, ...; they stay the caller's
                                                  */
        size_t n_descriptors;
        void (*on_line)(void *userdata, const char *line); /* without its end */
        /* The last that is heard of it: its exit status, or the negative number of the signal that
         * ended it. The helper may be freed in there. */
        void (*on_end)(void *userdata, int status);
        void *userdata;
} HelperOptions;

/* 0 or negative errno; the options need not outlive the call. */
int helper_start(const HelperOptions *options, Helper **ret);
/* Asks it to end; on_end tells when it has. */
void helper_stop(Helper *helper);
/* One that still runs is killed. */
Helper *helper_free(Helper *helper);
