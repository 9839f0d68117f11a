/* SPDX-License-Identifier: Apache-2.0 */

#include "parts/check.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "aftersales/limits.h"
#include "parts/core.h"
#include "parts/move.h"
#include "parts/order.h"

#define LINE_SIZE 300

typedef struct Checking {
        ReportFault report;
        void *userdata;
        uint64_t faults;
} Checking;

/* Looks at what a sum has under a key. */
typedef void (*Look)(Checking *check, const Key *key, int64_t amount);

static void tell(Checking *check, const char *line) {
        check->report(check->userdata, line);
        check->faults++;
}

/* A place that is bounded has never less than nothing. */
static void look_at_balance(Checking *check, const Key *key, int64_t amount) {
        const char *place = (const char *)key->bytes, *part = place + strlen(place) + 1, *code;
        char line[LINE_SIZE];

        if (amount >= 0 || !place_is_bounded(place_split(place, &code)))
                return;
        snprintf(line, sizeof(line), "stock: %s has %" PRId64 " of part %s", place, amount, part);
        tell(check, line);
}

/* Nothing is drawn, or sent, twice. */
static void look_at_unit(Checking *check, const char *what, const Key *key, int64_t amount) {
        const char *unit = (const char *)key->bytes, *part = unit + strlen(unit) + 1;
        char line[LINE_SIZE];

        if (amount >= 0)
                return;
        snprintf(line, sizeof(line), "%s: %s has %" PRId64 " of part %s", what, unit, amount, part);
        tell(check, line);
}

static void look_at_credit(Checking *check, const Key *key, int64_t amount) {
        look_at_unit(check, "credit for cores", key, amount);
}

static void look_at_order(Checking *check, const Key *key, int64_t amount) {
        look_at_unit(check, "on order", key, amount);
}

/* What tickets ask back and the cores there are for it are the same. */
static void look_at_duty(Checking *check, const Key *key, int64_t amount) {
        char line[LINE_SIZE];

        snprintf(line, sizeof(line),
                 "ticket %" PRIu64 ", line %" PRIu64 " of its parts: %" PRId64
                 " must come back for which there is no core",
                 load_be64(key->bytes), load_be64(key->bytes + 8), amount);
        tell(check, line);
}

static int look_at_sum(Store *store, const Index *sum, Look look, Checking *check) {
        Key position = {};
        int64_t amount = 0;
        int r;

        while ((r = store_tally_next(store, sum, &(const Key){}, &position, &amount)) == 0)
                look(check, &position, amount);
        return r == -ENOENT || r == -EBADMSG ? 0 : r; /* damage, which the store tells */
}

int parts_check(Store *store, ReportFault report, void *userdata, uint64_t *ret_faults) {
        static const struct {
                const Index *sum;
                Look look;
        } sums[] = {
                { &sum_place, look_at_balance },
                { &sum_credit, look_at_credit },
                { &sum_on_order, look_at_order },
                { &sum_core_duty, look_at_duty },
        };
        Checking check = { .report = report, .userdata = userdata };
        int r = 0;

        for (size_t i = 0; r == 0 && i < ELEMENTS(sums); i++)
                r = look_at_sum(store, sums[i].sum, sums[i].look, &check);
        *ret_faults += check.faults;
        return r;
}
