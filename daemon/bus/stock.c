/* SPDX-License-Identifier: Apache-2.0 */

/* What is where. */

#include "parts/stock.h"

#include "bus/areas.h"

static int list_page(BusCall *call, const Page *page, RowSink *sink,
                     char next[static LIST_CURSOR_SIZE]) {
        StockQuery query = {
                .actor = &call->actor,
                .filter = page->record,
                .cursor = page->cursor,
                .limit = page->limit,
                .row = row_append,
                .userdata = sink,
        };

        return stock_list(call->bus->options.store, &query, next, &call->refusal);
}

static int list_stock(BusCall *call) {
        return page_answer(call, &balance_type, NULL, list_page);
}

static int totals(BusCall *call) {
        RowSink sink = { .call = call, .type = &balance_type };
        int r;

        if (call->actor.scope != SCOPE_HEADQUARTERS)
                return refuse(&call->refusal, REFUSED_SCOPE,
                              "totals are those of the whole company; list the stock of %s instead",
                              call->actor.unit);
        r = rows_open(call->reply);
        if (r == 0)
                r = stock_totals(call->bus->options.store, row_append, &sink);
        return r == 0 ? rows_close(call->reply) : r;
}

static const BusMethod stock_methods[] = {
        { "List", "a{sv}su", "filter cursor limit", "aa{sv}s", "rows cursor", PERMISSION_STOCK_READ,
          list_stock,
          "A page of balances: place, part, condition, quantity. The filter may have place and part; without both it is "
          "the stock of the caller's own unit, or everything for headquarters. Only what is not 0 is told. Begin with an "
          "empty cursor; an empty one comes back after the last page. limit is 1 to 1000; a page may have fewer rows "
          "with more to come." },
        { "Totals", "", "", "aa{sv}", "rows", PERMISSION_STOCK_READ, totals,
          "All parts together by sort of place and condition. What has entered (supplier, customer, count: less than 0) is "
          "what is somewhere: the quantities add up to 0." },
        {},
};

const BusInterface stock_interface = {
        .name = AFTERSALES_STOCK,
        .methods = stock_methods,
        .doc = "What is where, as it follows from all moves of the stock ledger (Moves).",
};
