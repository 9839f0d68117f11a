/* SPDX-License-Identifier: Apache-2.0 */

#include "loop/version.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "aftersales/limits.h"
#include "base/zone.h"

static const Field version_fields[] = {
        COUNT(1, PolicyVersion, number, 0, .doc = "number of the policy"),
        TEXT(2, PolicyVersion, digest, 0, POLICY_DIGEST_SIZE,
             .doc = "SHA-256 of the configuration and its holiday files"),
        TEXT(3, PolicyVersion, timing, 0, POLICY_DIGEST_SIZE,
             .doc = "SHA-256 of what it says about time, its zones' rules included"),
        TIME(4, PolicyVersion, since, 0, .doc = "when it came into force"),
        TEXT(5, PolicyVersion, by, 0, NAME_MAX_BYTES, .doc = "who brought it into force"),
        COUNT(6, PolicyVersion, timing_version, 0,
              .doc = "the policy since which time has been counted like this"),
        TIME(7, PolicyVersion, timing_since, 0, .doc = "when that one came into force"),
        TIME(8, PolicyVersion, recomputed_at, 0,
             .doc = "when every open case had been computed by it"),
};

const RecordType version_type = {
        .name = "policy",
        .number = 105,
        .version = 1,
        .size = sizeof(PolicyVersion),
        .fields = version_fields,
        .n_fields = ELEMENTS(version_fields),
};

/* The newest comes first. */
static Key key_of_number(int64_t number) {
        return key_of_id(UINT64_MAX - (uint64_t)number);
}

static void version_key(const void *record, Key *key) {
        *key = key_of_number(((const PolicyVersion *)record)->number);
}

const Table version_table = {
        .number = 105,
        .name = "policy",
        .type = &version_type,
        .key = version_key,
};

/* ---- what a policy is --------------------------------------------------------------------- */

static void put_hex(const uint8_t bytes[static DIGEST_SIZE], char ret[static POLICY_DIGEST_SIZE]) {
        for (size_t i = 0; i < DIGEST_SIZE; i++)
                snprintf(ret + 2 * i, 3, "%02x", bytes[i]);
}

void policy_digest(const Policy *policy, char ret[static POLICY_DIGEST_SIZE]) {
        put_hex(policy->digest, ret);
}

static void put_text(Buffer *buffer, const char *text) {
        buffer_put_slice(buffer, (Slice){ text ? text : "", text ? strlen(text) : 0 });
}

static void put_number(Buffer *buffer, int64_t number) {
        buffer_put_u64(buffer, (uint64_t)number);
}

static void put_hours(Buffer *buffer, const DayHours *hours) {
        put_number(buffer, (int64_t)hours->n);
        for (size_t i = 0; i < hours->n; i++) {
                put_number(buffer, hours->stretches[i].from);
                put_number(buffer, hours->stretches[i].until);
        }
}

DEFINE_CLEANUP(Zone *, zone_free);

/* With what its zone says today: a later time zone database may count time otherwise. */
static int put_calendar(Buffer *buffer, const CalendarSpec *calendar) {
        _cleanup_(cleanup_zone_free) Zone *zone = NULL;
        int r = zone_load(calendar->zone, &zone);

        if (r < 0)
                return r;
        put_text(buffer, calendar->name);
        put_text(buffer, calendar->zone);
        zone_put(zone, buffer);
        for (size_t i = 0; i < ELEMENTS(calendar->week); i++)
                put_hours(buffer, &calendar->week[i]);
        put_number(buffer, (int64_t)calendar->n_days);
        for (size_t i = 0; i < calendar->n_days; i++) {
                put_number(buffer, calendar->days[i].day);
                put_hours(buffer, &calendar->days[i].hours);
        }
        return 0;
}

static void put_ladder(Buffer *buffer, const LadderSpec *ladder) {
        put_text(buffer, ladder->name);
        put_number(buffer, ladder->warn_percent);
        put_number(buffer, ladder->repeat);
        put_number(buffer, (int64_t)ladder->n_rungs);
        for (size_t i = 0; i < ladder->n_rungs; i++) {
                put_number(buffer, ladder->rungs[i].to);
                put_number(buffer, ladder->rungs[i].after);
        }
}

static void put_target(Buffer *buffer, const TargetSpec *target) {
        put_text(buffer, target->kind);
        put_text(buffer, target->type);
        put_text(buffer, target->priority);
        put_text(buffer, target->calendar);
        put_text(buffer, target->ladder);
        put_number(buffer, (int64_t)target->n_clocks);
        for (size_t i = 0; i < target->n_clocks; i++) {
                put_text(buffer, target->clocks[i].clock);
                put_number(buffer, target->clocks[i].seconds);
        }
}

int policy_timing(const Policy *policy, char ret[static POLICY_DIGEST_SIZE]) {
        _cleanup_(buffer_done) Buffer buffer = {};
        Digest digest;
        int r = 0;

        for (size_t i = 0; r == 0 && i < policy->n_calendars; i++)
                r = put_calendar(&buffer, &policy->calendars[i]);
        if (r < 0)
                return r;
        for (size_t i = 0; i < policy->n_ladders; i++)
                put_ladder(&buffer, &policy->ladders[i]);
        for (size_t i = 0; i < policy->n_targets; i++)
                put_target(&buffer, &policy->targets[i]);
        if (buffer.error < 0)
                return buffer.error;
        digest_pieces(&digest, buffer.data, buffer.size, NULL, 0, NULL, 0);
        put_hex(digest.bytes, ret);
        return 0;
}

/* ---- what has been in force ----------------------------------------------------------------- */

int version_next(Store *store, Key *position, PolicyVersion *ret) {
        return store_next(store, &version_table, position, ret);
}

int version_newest(Store *store, PolicyVersion *ret) {
        Key position = {};

        return version_next(store, &position, ret);
}

int version_get(Store *store, int64_t number, PolicyVersion *ret) {
        Key key = key_of_number(number);

        return store_get(store, &version_table, &key, ret);
}

static int set_texts(PolicyVersion *version, const char *digest, const char *timing,
                     const char *by) {
        version->digest = strdup(digest);
        version->timing = strdup(timing);
        version->by = strdup(by);
        return version->digest && version->timing && version->by ? 0 : -ENOMEM;
}

/* One that counts time as the one before need not be computed by anew. */
static int put_version(Change *change, const Policy *policy, const PolicyVersion *before,
                       const char *by, int64_t now, bool any_open, PolicyVersion *ret) {
        char digest[POLICY_DIGEST_SIZE], timing[POLICY_DIGEST_SIZE];
        PolicyVersion version = {
                .number = before ? before->number + 1 : 1,
                .since = now,
                .timing_since = now,
                .recomputed_at = any_open ? 0 : now,
        };
        int r = policy_timing(policy, timing);

        if (r < 0)
                return r;
        policy_digest(policy, digest);
        version.timing_version = version.number;
        if (before && STREQ(before->timing, timing)) {
                version.timing_version = before->timing_version;
                version.timing_since = before->timing_since;
                if (before->recomputed_at)
                        version.recomputed_at = now;
        }
        r = set_texts(&version, digest, timing, by);
        if (r == 0)
                r = change_put(change, &version_table, &version);
        if (r < 0)
                version_done(&version);
        else
                *ret = version;
        return r;
}

int version_enter(Change *change, const Policy *policy, const char *by, int64_t now, bool any_open,
                  PolicyVersion *ret) {
        char digest[POLICY_DIGEST_SIZE], timing[POLICY_DIGEST_SIZE];
        PolicyVersion newest;
        int r = version_newest(change_store(change), &newest);

        if (r == -ENOENT)
                return put_version(change, policy, NULL, by, now, any_open, ret);
        if (r < 0)
                return r;
        policy_digest(policy, digest);
        r = policy_timing(policy, timing);
        if (r == 0 && STREQ(newest.digest, digest) && STREQ(newest.timing, timing)) {
                *ret = newest;
                return 0;
        }
        if (r == 0)
                r = put_version(change, policy, &newest, by, now, any_open, ret);
        version_done(&newest);
        return r;
}

int version_recomputed(Change *change, int64_t number, int64_t now) {
        Key key = key_of_number(number);
        PolicyVersion version;
        int r = change_get(change, &version_table, &key, &version);

        if (r < 0)
                return r;
        version.recomputed_at = now;
        r = change_put(change, &version_table, &version);
        version_done(&version);
        return r;
}
