/* SPDX-License-Identifier: Apache-2.0 */

#include "store/journal.h"

#include <errno.h>
#include <string.h>

static void digest_of_effects(Slice effects, Digest *ret) {
        digest_pieces(ret, effects.data, effects.size, NULL, 0, NULL, 0);
}

static void hash_of_head(Slice head, const Digest *before, Digest *ret) {
        digest_pieces(ret, before->bytes, DIGEST_SIZE, head.data, head.size, NULL, 0);
}

void journal_encode(Buffer *buffer, JournalRecord *record, const Digest *before) {
        size_t start = buffer->size;

        digest_of_effects(record->effects, &record->digest);
        buffer_put_u8(buffer, JOURNAL_FORMAT);
        buffer_put_u8(buffer, 0);
        buffer_put_u16(buffer, record->site);
        buffer_put_u32(buffer, record->epoch);
        buffer_put_u64(buffer, record->sequence);
        buffer_put_u64(buffer, (uint64_t)record->time);
        buffer_put(buffer, record->policy.data, 8);
        buffer_put_slice(buffer, record->actor);
        buffer_put_slice(buffer, record->verb);
        buffer_put_slice(buffer, record->request_id);
        buffer_put(buffer, record->digest.bytes, DIGEST_SIZE);
        if (buffer->error < 0)
                return;
        hash_of_head((Slice){ buffer->data + start, buffer->size - start }, before, &record->hash);
        buffer_put(buffer, record->hash.bytes, DIGEST_SIZE);
        buffer_put(buffer, record->effects.data, record->effects.size);
}

int journal_decode(Slice stored, JournalRecord *ret) {
        Cursor cursor = cursor_over(stored);
        JournalRecord record = {};
        uint8_t format = cursor_u8(&cursor);
        const uint8_t *digest, *hash, *policy;

        cursor_u8(&cursor);
        record.site = cursor_u16(&cursor);
        record.epoch = cursor_u32(&cursor);
        record.sequence = cursor_u64(&cursor);
        record.time = (int64_t)cursor_u64(&cursor);
        policy = cursor_take(&cursor, 8);
        record.policy = (Slice){ policy, 8 };
        record.actor = cursor_slice(&cursor);
        record.verb = cursor_slice(&cursor);
        record.request_id = cursor_slice(&cursor);
        digest = cursor_take(&cursor, DIGEST_SIZE);
        record.head = (Slice){ stored.data, (size_t)(cursor.p - (const uint8_t *)stored.data) };
        hash = cursor_take(&cursor, DIGEST_SIZE);
        if (cursor.failed || format != JOURNAL_FORMAT)
                return -EBADMSG;
        memcpy(record.digest.bytes, digest, DIGEST_SIZE);
        memcpy(record.hash.bytes, hash, DIGEST_SIZE);
        record.effects = (Slice){ cursor.p, cursor_left(&cursor) };
        *ret = record;
        return 0;
}

int journal_next_effect(Cursor *cursor, JournalEffect *ret) {
        JournalEffect effect;

        if (cursor_left(cursor) == 0)
                return -ENOENT;
        effect.table = cursor_u8(cursor);
        effect.key = cursor_slice(cursor);
        effect.value = cursor_slice(cursor);
        if (cursor->failed || effect.key.size == 0 || effect.key.size > KEY_MAX)
                return -EBADMSG;
        *ret = effect;
        return 0;
}

bool journal_is_intact(const JournalRecord *record, const Digest *before) {
        Digest digest, hash;

        digest_of_effects(record->effects, &digest);
        if (memcmp(digest.bytes, record->digest.bytes, DIGEST_SIZE) != 0)
                return false;
        if (!before)
                return true;
        hash_of_head(record->head, before, &hash);
        return memcmp(hash.bytes, record->hash.bytes, DIGEST_SIZE) == 0;
}
