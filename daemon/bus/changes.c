/* SPDX-License-Identifier: Apache-2.0 */

/* The change feed for programs that must miss nothing: pages of the journal, in the caller's scope.
 * A page is bounded in what it tells and in what it looks at, so that neither a long journal nor a
 * caller who sees little of it keeps the others waiting. */

#include <errno.h>
#include <inttypes.h>

#include "aftersales/limits.h"
#include "bus/internal.h"
#include "loop/feed.h"

typedef struct ChangesPage {
        BusCall *call;
        uint64_t since, next;
        uint32_t limit;
        size_t rows, bytes;
} ChangesPage;

#define WHAT_NOW                                                                                   \
        "read the lists anew and go on from the newest number, which Changes tells for limit 0"

/* Whether everything after that number is still there to be told. */
static int check_since(ChangesPage *page) {
        Store *store = page->call->bus->options.store;
        const StoreHead *head = store_head(store);
        Slice stored;
        int r;

        if (page->since == 0 || page->since == head->sequence)
                return 0;
        /* The last one removed: what came after it is what is kept. */
        if (sequence_epoch(page->since) == sequence_epoch(head->first) &&
            page->since + 1 == head->first)
                return 0;
        if (page->since < head->first)
                return refuse(&page->call->refusal, REFUSED_GONE,
                              "since: the changes after %" PRIu64
                              " are not kept any more, the oldest kept is %" PRIu64
                              " (journal.keep in the configuration): " WHAT_NOW,
                              page->since, head->first);
        r = page->since < head->sequence ? store_journal_get_raw(store, page->since, &stored)
                                         : -ENOENT;
        if (r == -ENOENT)
                return refuse(&page->call->refusal, REFUSED_GONE,
                              "since: there is no change %" PRIu64
                              "; it was lost when a backup was restored, or never was. Kept are "
                              "%" PRIu64 " to %" PRIu64 ": " WHAT_NOW,
                              page->since, head->first, head->sequence);
        return r;
}

static int append_row(void *userdata, const FeedRow *row) {
        ChangesPage *page = userdata;
        FeedSight sight = feed_sight(&page->call->actor, row);
        FeedRow told = *row;
        int r;

        if (sight == FEED_HIDDEN)
                return 0;
        if (sight == FEED_LEFT) {
                told.left = true;
                told.subcentre = told.dealer = NULL; /* whose it is now is not for the caller */
        }
        r = fields_append(page->call->reply, &feed_row_type, &told, true);
        page->bytes += fields_bytes(&feed_row_type, &told);
        page->rows++;
        return MIN(r, 0);
}

static bool is_full(const ChangesPage *page) {
        return page->rows >= page->limit || page->bytes >= PAGE_BYTES_MAX;
}

static int append_page(ChangesPage *page) {
        const BusOptions *options = &page->call->bus->options;
        Feed feed = {
                .kinds = engine_kinds(options->engine),
                .registers = bus_registers,
                .row = append_row,
                .userdata = page,
        };
        int r = 0;

        for (size_t scanned = 0; r == 0 && scanned < CHANGES_SCAN_MAX && !is_full(page);
             scanned++) {
                uint64_t sequence = page->next;
                JournalRecord record;

                r = store_journal_next(options->store, &sequence, &record);
                if (r == 0 && !store_journal_proves(options->store, sequence, &record))
                        r = -EBADMSG;
                if (r == -EBADMSG && scanned == 0)
                        return refuse(&page->call->refusal, REFUSED_GONE,
                                      "since: change %" PRIu64
                                      " is damaged and cannot be told; the ones after it can, "
                                      "with since %" PRIu64 ", but first read the lists anew",
                                      sequence, sequence);
                if (r == 0)
                        r = feed_record(&feed, &record);
                if (r == 0)
                        page->next = sequence;
        }
        /* A damaged one begins the next page, which says so. */
        return r == -ENOENT || r == -EBADMSG ? 0 : r;
}

int bus_changes(BusCall *call) {
        ChangesPage page = { .call = call };
        int r = MIN(sd_bus_message_read(call->m, "tu", &page.since, &page.limit), 0);

        page.next = page.limit > 0 ? page.since : store_head(call->bus->options.store)->sequence;
        if (r == 0 && page.limit > PAGE_ROWS_MAX)
                r = refuse(&call->refusal, REFUSED_INVALID_VALUE,
                           "limit: at most %d rows a page are allowed, 0 asks where the end is",
                           PAGE_ROWS_MAX);
        if (r == 0 && page.limit > 0)
                r = check_since(&page);
        if (r == 0)
                r = rows_open(call->reply);
        if (r == 0 && page.limit > 0)
                r = append_page(&page);
        if (r == 0)
                r = rows_close(call->reply);
        return r != 0 ? r : MIN(sd_bus_message_append(call->reply, "t", page.next), 0);
}
