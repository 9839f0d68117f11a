/* SPDX-License-Identifier: Apache-2.0 */

/* Who owes cores. */

#include "parts/owed.h"

#include "base/zone.h"
#include "bus/areas.h"

static int list_page(BusCall *call, const Page *page, RowSink *sink,
                     char next[static LIST_CURSOR_SIZE]) {
        int32_t today, second;
        OwedQuery query = {
                .actor = &call->actor,
                .filter = page->record,
                .cursor = page->cursor,
                .limit = page->limit,
                .row = row_append,
                .userdata = sink,
        };

        zone_local(engine_zone(call->bus->options.engine), call->now / USEC_PER_SEC, &today,
                   &second);
        query.today = today;
        return owed_list(call->bus->options.store, &query, next, &call->refusal);
}

static int list_owed(BusCall *call) {
        return page_answer(call, &owed_row_type, NULL, list_page);
}

static const BusMethod owed_methods[] = {
        { "List", "a{sv}su", "filter cursor limit", "aa{sv}s", "rows cursor", PERMISSION_CORE_READ,
          list_owed,
          "A page of what is owed, a row for each sub-centre, dealer and part: cores that are not accepted yet, and how long "
          "ago the parts were replaced. The filter may have subcentre, dealer and part. Begin with an empty cursor; an empty "
          "one comes back after the last page. limit is 1 to 1000; a page may have fewer rows with more to come." },
        {},
};

const BusInterface owed_interface = {
        .name = AFTERSALES_OWED,
        .methods = owed_methods,
        .doc = "Who owes how many cores, and for how long.",
};
