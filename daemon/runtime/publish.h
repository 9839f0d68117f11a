/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Whatever goes out hangs on the journal: after each commit its new records are read and what they
 * mean is logged and announced. How far this has got is kept in the store, so that a crash in
 * between repeats an announcement rather than lose it. */

#include "loop/engine.h"
#include "runtime/commit.h"

typedef struct Publisher Publisher;

/* One thing that happened: a case changed, or an escalation was raised. */
typedef struct Announcement {
        uint64_t sequence; /* of the journal record */
        const Kind *kind;
        const Case *item;             /* a case that changed, else NULL */
        const Escalation *escalation; /* one that was raised, else NULL */
} Announcement;

typedef struct PublisherOptions {
        const Engine *engine;
        Store *store;
        Committer *committer;
        /* Whether anybody listens; without, only escalations are looked at. */
        bool (*is_heard)(void *userdata);
        void (*announce)(void *userdata, const Announcement *announcement);
        void *userdata;
} PublisherOptions;

int publisher_new(const PublisherOptions *options, Publisher **ret);
Publisher *publisher_free(Publisher *publisher);
/* Everything that is committed and not announced yet. */
void publisher_run(Publisher *publisher);
