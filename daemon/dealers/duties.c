/* SPDX-License-Identifier: Apache-2.0 */

/* The duty to report: opened at the beginning of each working day for every dealer with open
 * tickets. */

#include <errno.h>
#include <stdio.h>

#include "aftersales/kinds.h"
#include "aftersales/limits.h"
#include "base/log.h"
#include "dealers/report.h"
#include "masters/unit.h"

#define UNITS_PER_STEP 64  /* what they open fits into one journal record */
#define DAYS_AHEAD     400 /* without a working day in so many there is none */

/* ---- when ---- */

static int next_duties(const Engine *engine, int64_t after, int64_t *ret) {
        const ReportPolicy *policy = &engine_policy(engine)->reports;
        int64_t today = report_day(engine, after);

        if (!policy->cutoff)
                return -ENOENT;
        for (int64_t day = today; day <= today + DAYS_AHEAD; day++) {
                int64_t at =
                        zone_instant(engine_zone(engine), day * 86400, ZONE_FIRST) * USEC_PER_SEC;
                CalendarDay found;

                if (calendar_day(engine_calendar(engine, policy->calendar), (int32_t)day, &found) <
                    0)
                        return -ENOENT; /* behind the last year that there is */
                if (at <= after || found.hours.n == 0)
                        continue;
                *ret = at;
                return 0;
        }
        return -ENOENT;
}

/* ---- for whom ---- */

static int count_tickets(Store *store, const char *dealer, int64_t *ret) {
        Key key = {};

        key_u8(&key, KIND_TICKET);
        key_text(&key, dealer);
        return store_tally(store, &tally_dealer_open, &key, ret);
}

/* A dealer of whom none can be expected holds no other up. */
static int open_duty(const Engine *engine, Change *change, const char *dealer, int64_t day,
                     int64_t now) {
        Report fields = { .head.dealer = (char *)dealer, .day = day };
        Call call = { .actor = &daemon_actor, .now = now, .fields = &fields };
        Refusal refusal = {};
        Head head = {};
        bool created;
        size_t i;
        int r;

        if (record_field(report_table.type, "dealer", &i))
                field_mask_set(&call.given, i);
        if (record_field(report_table.type, "day", &i))
                field_mask_set(&call.given, i);
        r = engine_create(engine, change, &report_kind, &call, &head, &created, &refusal);
        record_done(&head_type, &head);
        if (r == REFUSED_STORAGE_FULL)
                return -EAGAIN;
        if (r > 0)
                log_warning("no report can be expected of dealer %s: %s", dealer, refusal.text);
        return MIN(r, 0);
}

static int look_at(const Engine *engine, Change *change, const Unit *unit, int64_t day,
                   int64_t now) {
        int64_t open = 0;
        int r;

        if (unit->kind != UNIT_DEALER || !unit->active)
                return 0;
        r = count_tickets(change_store(change), unit->master.code, &open);
        return r < 0 || open == 0 ? r : open_duty(engine, change, unit->master.code, day, now);
}

/* Whether the duties of a day can still be opened: who could not know of one could not meet it. */
static bool is_over(const Engine *engine, int64_t day, int64_t now) {
        char text[DATE_TEXT_SIZE];

        if (!engine_policy(engine)->reports.cutoff)
                return true;
        if (now < report_cutoff(engine, day))
                return false;
        log_notice("no reports are expected for %s any more: its cut-off is past",
                   date_format(day, text));
        return true;
}

static int open_duties(const Engine *engine, Change *change, int64_t at, int64_t now,
                       char position[static PERIODIC_POSITION_SIZE], bool *ret_done) {
        int64_t day = report_day(engine, at);
        Key key = key_of_code(position);
        int r = 0;

        if (is_over(engine, day, now)) {
                *ret_done = true;
                return 0;
        }
        for (unsigned n = 0; r == 0 && n < UNITS_PER_STEP; n++) {
                Unit unit;

                r = store_next(change_store(change), &unit_table, &key, &unit);
                if (r < 0)
                        break;
                snprintf(position, PERIODIC_POSITION_SIZE, "%s", unit.master.code);
                r = look_at(engine, change, &unit, day, now);
                unit_done(&unit);
        }
        *ret_done = r == -ENOENT;
        return r == -ENOENT ? 0 : r;
}

const Periodic report_duties = {
        .name = "report_duties",
        .next = next_duties,
        .step = open_duties,
};
