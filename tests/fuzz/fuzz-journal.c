/* SPDX-License-Identifier: Apache-2.0 */

/* Any bytes as a journal record, and as frames of the write-ahead log. */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "store/journal.h"
#include "store/wal.h"

typedef struct Bytes {
        WalMedium medium;
        const uint8_t *data;
        size_t size;
} Bytes;

static int bytes_read(WalMedium *medium, uint64_t at, void *buffer, size_t size) {
        const Bytes *bytes = (const Bytes *)medium;

        if (at > bytes->size || size > bytes->size - at)
                return -ENODATA;
        memcpy(buffer, bytes->data + at, size);
        return 0;
}

static WalMedium *bytes_free(WalMedium *medium) {
        return medium;
}

static const WalMediumOps bytes_ops = { .read = bytes_read, .free = bytes_free };

static int visit(void *userdata, const WalFrame *frame) {
        *(size_t *)userdata += frame->records.size;
        return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        Bytes bytes = { .medium.ops = &bytes_ops, .data = data, .size = size };
        JournalRecord record;
        uint64_t newest = 0;
        size_t sum = 0;
        Wal *wal;

        if (journal_decode((Slice){ data, size }, &record) == 0) {
                Cursor cursor = cursor_over(record.effects);
                JournalEffect effect;

                while (journal_next_effect(&cursor, &effect) == 0)
                        assert(effect.key.size > 0);
                journal_is_intact(&record, NULL);
        }
        if (wal_new(&bytes.medium, false, &wal) < 0)
                return 0;
        wal_newest(&bytes.medium, &newest);
        wal_read(wal, newest, visit, &sum);
        wal_prove(&bytes.medium);
        assert(sum <= size);
        wal_free(wal);
        return 0;
}
