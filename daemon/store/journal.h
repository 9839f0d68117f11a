/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The journal: one record for each change, gapless within an epoch (see StoreHead), chained, with
 * the effects as resolved values, so that it is change feed, audit trail and replication stream at
 * once. Key: the sequence number, 8 bytes big-endian. Value:
 *
 *      format u8 = 1 | flags u8 = 0 | site u16 | epoch u32 | sequence u64 | time u64 |
 *      policy 8 bytes | actor slice | verb slice | request id slice |
 *      digest 32 bytes: SHA-256 of the effects |
 *      hash 32 bytes: SHA-256 of (the hash of the record before, everything above) |
 *      effects: { table u8 | key slice | value slice } ...
 *
 * Numbers are big-endian; a slice is a varint length and its bytes. A value is the stored form of a
 * record (record/codec.h), empty when the record was removed. Since the chain runs over the digest
 * and not over the effects, effects can be blanked later (erasing personal data) without breaking
 * it. The chain shows accidental change and reordering; it does not stop somebody who rewrites all
 * of it, which is why its head goes to syslog. */

#include "store/store.h"

#define JOURNAL_FORMAT     1
#define JOURNAL_RECORD_MAX (96 * 1024)

typedef struct JournalRecord {
        uint16_t site;
        uint32_t epoch;
        uint64_t sequence;
        int64_t time;
        Slice policy, actor, verb, request_id;
        Digest digest, hash;
        Slice head; /* what the hash covers, after the hash of the record before */
        Slice effects;
} JournalRecord;

typedef struct JournalEffect {
        uint8_t table;
        Slice key;
        Slice value; /* empty: removed */
} JournalEffect;

/* Slices of the result point into `stored`. 0 or -EBADMSG. */
int journal_decode(Slice stored, JournalRecord *ret);
/* Appends a record; fills in digest and hash of `record` from its effects and the hash before. */
void journal_encode(Buffer *buffer, JournalRecord *record, const Digest *before);
/* Walks the effects: 0, -ENOENT at the end, -EBADMSG. */
int journal_next_effect(Cursor *cursor, JournalEffect *ret);
/* Whether effects match the digest and the record follows the one before. */
bool journal_is_intact(const JournalRecord *record, const Digest *before);

/* Reads the record of a sequence number; its slices hold as long as the view. -ENOENT: not kept. */
int store_journal_get(Store *store, uint64_t sequence, JournalRecord *ret);
/* The record after *sequence (0: the oldest kept), whose slices hold likewise; moves *sequence,
 * past a damaged one (-EBADMSG) too. -ENOENT: that was the last. */
int store_journal_next(Store *store, uint64_t *sequence, JournalRecord *ret);
/* Whether what was read there is that record as it was written: what it has done, and, if the one
 * before it is kept, everything else too. */
bool store_journal_proves(Store *store, uint64_t sequence, const JournalRecord *record);
/* Applies another store's journal record to this one: the next in sequence, or the first of a later
 * epoch, journalled as it is. */
int store_replay(Store *store, Slice stored);
/* The stored form itself, to hand on. */
int store_journal_get_raw(Store *store, uint64_t sequence, Slice *ret);
