/* SPDX-License-Identifier: Apache-2.0 */

#include "worker-memory.h"

#include <errno.h>

#include "base/macro.h"

struct Worker {
        int (*work)(void *userdata); /* under way, else NULL */
        void *userdata;
};

Rng worker_chance = { 1 };
unsigned workers_busy;

int worker_new(Worker **ret) {
        *ret = calloc(1, sizeof(Worker));
        return *ret ? 0 : -ENOMEM;
}

int worker_begin(Worker *worker, int (*work)(void *userdata), void *userdata) {
        assert(!worker->work);
        *worker = (Worker){ work, userdata };
        workers_busy++;
        return 0;
}

int worker_end(Worker *worker, bool wait) {
        int (*work)(void *userdata) = worker->work;

        assert(work);
        if (!wait && !rng_one_in(&worker_chance, 3))
                return -EAGAIN;
        worker->work = NULL;
        workers_busy--;
        return work(worker->userdata);
}

/* The process ends: perhaps it was done before. */
Worker *worker_free(Worker *worker) {
        if (worker && worker->work) {
                if (rng_one_in(&worker_chance, 2))
                        worker->work(worker->userdata);
                workers_busy--;
        }
        free(worker);
        return NULL;
}

/* Nobody waits for it. */
int worker_fd(const Worker *worker _unused_) {
        return INT32_MAX;
}
