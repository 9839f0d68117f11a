/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Whatever goes out hangs on the journal: after each commit its new records are read and what they
 * mean is logged and announced. How far this has got is kept in the store, so that a crash in
 * between repeats an announcement rather than lose it. */

#include "loop/engine.h"
#include "loop/feed.h"
#include "runtime/commit.h"

typedef struct Publisher Publisher;

typedef struct PublisherOptions {
        const Engine *engine;
        Store *store;
        Committer *committer;
        const Register *const *registers; /* all master data; NULL-terminated */
        /* Whether anybody listens; without, only escalations are looked at. */
        bool (*is_heard)(void *userdata);
        /* Each row of each change, and after the last one that this was all. */
        int (*announce)(void *userdata, const FeedRow *row);
        void (*announced)(void *userdata, uint64_t sequence);
        void *userdata;
} PublisherOptions;

int publisher_new(const PublisherOptions *options, Publisher **ret);
Publisher *publisher_free(Publisher *publisher);
/* Everything that is committed and not announced yet. */
void publisher_run(Publisher *publisher);
