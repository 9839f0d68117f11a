/* SPDX-License-Identifier: Apache-2.0 */

#include "base/worker.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>

#include "base/macro.h"

struct Worker {
        pthread_t thread;
        bool started;
        int fd;
        pthread_mutex_t lock; /* of what follows */
        pthread_cond_t turn;  /* the other one has gone on */
        enum { WORKER_IDLE, WORKER_BUSY, WORKER_DONE, WORKER_ENDS } state;
        int (*work)(void *userdata);
        void *userdata;
        int result;
};

/* The descriptor and the state change together. */
static void *run(void *userdata) {
        Worker *worker = userdata;

        pthread_mutex_lock(&worker->lock);
        for (;;) {
                int r;

                while (worker->state == WORKER_IDLE || worker->state == WORKER_DONE)
                        pthread_cond_wait(&worker->turn, &worker->lock);
                if (worker->state == WORKER_ENDS)
                        break;
                pthread_mutex_unlock(&worker->lock);
                r = worker->work(worker->userdata);
                pthread_mutex_lock(&worker->lock);
                worker->result = r;
                worker->state = WORKER_DONE;
                eventfd_write(worker->fd, 1);
                pthread_cond_signal(&worker->turn);
        }
        pthread_mutex_unlock(&worker->lock);
        return NULL;
}

/* Signals are the loop's. */
static int start(Worker *worker) {
        sigset_t all, before;
        int r;

        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &before);
        r = pthread_create(&worker->thread, NULL, run, worker);
        pthread_sigmask(SIG_SETMASK, &before, NULL);
        worker->started = r == 0;
        return r == 0 ? 0 : -ENOMEM;
}

int worker_begin(Worker *worker, int (*work)(void *userdata), void *userdata) {
        int r = worker->started ? 0 : start(worker);

        if (r < 0)
                return r;
        pthread_mutex_lock(&worker->lock);
        assert(worker->state == WORKER_IDLE);
        worker->work = work;
        worker->userdata = userdata;
        worker->state = WORKER_BUSY;
        pthread_cond_signal(&worker->turn);
        pthread_mutex_unlock(&worker->lock);
        return 0;
}

int worker_end(Worker *worker, bool wait) {
        eventfd_t n;
        int r;

        pthread_mutex_lock(&worker->lock);
        assert(worker->state == WORKER_BUSY || worker->state == WORKER_DONE);
        while (wait && worker->state == WORKER_BUSY)
                pthread_cond_wait(&worker->turn, &worker->lock);
        r = worker->state == WORKER_DONE ? worker->result : -EAGAIN;
        if (worker->state == WORKER_DONE) {
                eventfd_read(worker->fd, &n);
                worker->state = WORKER_IDLE;
        }
        pthread_mutex_unlock(&worker->lock);
        return r;
}

int worker_fd(const Worker *worker) {
        return worker->fd;
}

int worker_new(Worker **ret) {
        Worker *worker = calloc(1, sizeof(*worker));

        if (!worker)
                return -ENOMEM;
        worker->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        if (worker->fd < 0) {
                int r = -errno;

                free(worker);
                return r;
        }
        pthread_mutex_init(&worker->lock, NULL);
        pthread_cond_init(&worker->turn, NULL);
        *ret = worker;
        return 0;
}

Worker *worker_free(Worker *worker) {
        if (!worker)
                return NULL;
        if (worker->started) {
                pthread_mutex_lock(&worker->lock);
                while (worker->state == WORKER_BUSY)
                        pthread_cond_wait(&worker->turn, &worker->lock);
                worker->state = WORKER_ENDS;
                pthread_cond_signal(&worker->turn);
                pthread_mutex_unlock(&worker->lock);
                pthread_join(worker->thread, NULL);
        }
        pthread_cond_destroy(&worker->turn);
        pthread_mutex_destroy(&worker->lock);
        close(worker->fd);
        free(worker);
        return NULL;
}
