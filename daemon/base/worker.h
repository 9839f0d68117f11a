/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* A thread that does one piece of work at a time beside the loop, where that would have to wait for
 * the disk. It knows nothing but what it is given, which nobody else changes meanwhile. */

#include <stdbool.h>

typedef struct Worker Worker;

/* The thread itself starts with the first piece of work. 0 or negative errno. */
int worker_new(Worker **ret);
/* Waits for what is under way. */
Worker *worker_free(Worker *worker);

/* Begins a piece of work; that before it must have ended. 0 or negative errno. */
int worker_begin(Worker *worker, int (*work)(void *userdata), void *userdata);
/* Ends it: what it has given, which is never -EAGAIN. -EAGAIN: it is still under way, unless one
 * waits. Only after worker_begin(), and once. */
int worker_end(Worker *worker, bool wait);
/* Readable while a piece of work is done that was not ended. */
int worker_fd(const Worker *worker);
