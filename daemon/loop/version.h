/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Which policies have been in force, and since when: each start or reload with another
 * configuration, or other rules of its time zones, adds a version. Cases remember the one that
 * their clocks were computed by. */

#include "config/policy.h"
#include "record/record.h"
#include "store/store.h"

typedef struct PolicyVersion {
        Record record;
        int64_t number; /* 1, 2, ... */
        char *digest;   /* of the configuration and its holiday files, hexadecimal */
        char *timing;   /* digest of what it says about time: calendars with their zones, ladders,
                           targets */
        int64_t since;  /* when it came into force */
        char *by;       /* who brought it into force: "uid:0", or "daemon" at its start */
        /* The version since which time has been counted as by this one, and when that was: a change
         * of access alone moves no deadline. */
        int64_t timing_version, timing_since;
        int64_t recomputed_at; /* when every open case had been computed by it; 0: not yet */
} PolicyVersion;

extern const RecordType version_type;
extern const Table version_table;

#define POLICY_DIGEST_SIZE 65 /* in hexadecimal */
void policy_digest(const Policy *policy, char ret[static POLICY_DIGEST_SIZE]);
/* Two policies with the same one count time alike. 0, or as zone_load() or -ENOMEM. */
int policy_timing(const Policy *policy, char ret[static POLICY_DIGEST_SIZE]);

/* The newest one, to free with version_done(). -ENOENT: there is none. */
int version_newest(Store *store, PolicyVersion *ret);
/* The next one after *position (empty: the newest), ever older. -ENOENT at the end. */
int version_next(Store *store, Key *position, PolicyVersion *ret);
int version_get(Store *store, int64_t number, PolicyVersion *ret);
/* The version that this policy is, if it is the one in force already; else stages a new one.
 * any_open: whether there is a case to compute. */
int version_enter(Change *change, const Policy *policy, const char *by, int64_t now, bool any_open,
                  PolicyVersion *ret);
/* Stages that every open case is computed by it. */
int version_recomputed(Change *change, int64_t number, int64_t now);

static inline void version_done(PolicyVersion *version) {
        record_done(&version_type, version);
}
