/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Group commit: whatever arrives while the loop is busy, or while the batch before is being
 * written, shares one transaction and one write. The committer decides when; whoever holds
 * something back until then (replies, announcements, timers) watches. */

#include <systemd/sd-event.h>

#include "base/clock.h"
#include "store/store.h"

/* A batch ends with the first of these, or as soon as nothing more is waiting to be handled. */
#define BATCH_CHANGES_MAX 64
#define BATCH_BYTES_MAX   (1024 * 1024)
#define BATCH_AGE_MAX     5000 /* microseconds */

/* Where the sources of the loop stand; smaller runs first. */
#define PRIORITY_SIGNAL (-100)
#define PRIORITY_HEALTH (-50) /* rare and short: watchdog, status line */
#define PRIORITY_LOGGED (-20) /* answers that others wait for */
#define PRIORITY_BUS    0
#define PRIORITY_COMMIT 10
#define PRIORITY_DUE    20
#define PRIORITY_HELPER 30
#define PRIORITY_JOB    40

typedef struct Committer Committer;

/* Called after every end of a batch: 0 it is durable (while the next may be open already), < 0
 * nothing of it happened, nor of any that came after it. It changes nothing in the store: whoever
 * commits finds no batch afterwards. */
typedef void (*CommitWatcher)(void *userdata, int result);

int committer_new(sd_event *event, Store *store, Committer **ret);
Committer *committer_free(Committer *committer);
/* In the order of these calls they are told. */
void committer_watch(Committer *committer, CommitWatcher watcher, void *userdata);

/* After anything that may have read or written: ends the view, or sees to it that the batch gets
 * committed. 0, or the negative errno of a commit that has ended meanwhile: what was applied since
 * the last call may have gone with it. */
int committer_touch(Committer *committer);
/* Ends the batch; it is written beside if that pays. As committer_touch(). */
int committer_end_batch(Committer *committer);
/* Commits at once, and waits for what is being written. 0 or negative errno; watchers know. */
int committer_commit(Committer *committer);

typedef struct CommitterCounts {
        uint64_t commits, changes, failures;
        int error; /* of the newest failure */
} CommitterCounts;
CommitterCounts committer_counts(const Committer *committer);
