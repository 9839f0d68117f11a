/* SPDX-License-Identifier: Apache-2.0 */

#include "dealers/rules.h"

#include <errno.h>
#include <string.h>

#include "aftersales/limits.h"
#include "base/text.h"
#include "dealers/report.h"
#include "loop/engine.h"
#include "masters/unit.h"

static Report *report_of(Step *step) {
        return (Report *)step->item;
}

static const ReportPolicy *policy_of(const Step *step) {
        return &engine_policy(step->engine)->reports;
}

int64_t report_day(const Engine *engine, int64_t instant) {
        int32_t day, second;

        zone_local(engine_zone(engine), instant / USEC_PER_SEC, &day, &second);
        return day;
}

int64_t report_cutoff(const Engine *engine, int64_t day) {
        int64_t local = day * 86400 + engine_policy(engine)->reports.cutoff;

        return zone_instant(engine_zone(engine), local, ZONE_LAST) * USEC_PER_SEC;
}

/* ---- expecting ---- */

/* What a dealer reports is that dealer's own. */
static const char *dealer_of(const Case *c, const Actor *actor) {
        return c->dealer ? c->dealer : actor->scope == SCOPE_DEALER ? actor->unit : NULL;
}

int report_find(const Engine *engine, Store *store, const Call *call, uint64_t *ret) {
        const Report *report = call->fields;
        const char *dealer = dealer_of(&report->head, call->actor);
        Key prefix = {}, position = {}, key;
        int r;

        if (!dealer)
                return -ENOENT;
        key_u64(&prefix, (uint64_t)(report->day ? report->day : report_day(engine, call->now)));
        key_text(&prefix, dealer);
        r = store_index_next(store, &index_report_day, &prefix, &position, &key);
        if (r == 0)
                *ret = load_be64(key.bytes);
        return r;
}

/* When it came decides on the bonus, and an excuse on what is told: nobody comes later and says
 * that it was before. */
static int refuse_at(Step *step) {
        if (step->now >= step->told_at)
                return 0;
        return refuse(step->refusal, REFUSED_INVALID_VALUE,
                      "at: a report is there, or excused, when that is told; leave at out");
}

static int place(Step *step) {
        Case *c = step->item;
        const char *dealer = dealer_of(c, step->actor);
        Unit unit;
        int r;

        if (!dealer)
                return refuse(step->refusal, REFUSED_MISSING_FIELD,
                              "create needs the field dealer (whose report it is)");
        r = c->dealer ? 0 : text_set(&c->dealer, dealer);
        if (r == 0)
                r = unit_require(change_store(step->change), "dealer", c->dealer, UNIT_DEALER,
                                 &unit, step->refusal);
        if (r != 0)
                return r;
        if (c->subcentre && !STREQ(c->subcentre, unit.parent))
                r = refuse(step->refusal, REFUSED_INVALID_VALUE,
                           "subcentre: %s belongs to sub-centre %s; leave subcentre out", c->dealer,
                           unit.parent);
        else
                r = text_set(&c->subcentre, unit.parent);
        unit_done(&unit);
        return r;
}

static int check_day(Step *step) {
        Report *report = report_of(step);
        int64_t today = report_day(step->engine, step->now);
        char text[DATE_TEXT_SIZE];

        if (!report->day)
                report->day = today;
        if (report->day > today)
                return refuse(step->refusal, REFUSED_INVALID_VALUE,
                              "day: lies in the future; today is %s", date_format(today, text));
        if (report->day < today - REPORT_DAYS_BACK)
                return refuse(step->refusal, REFUSED_INVALID_VALUE,
                              "day: lies more than %d days back; today is %s", REPORT_DAYS_BACK,
                              date_format(today, text));
        return 0;
}

int report_create(Step *step) {
        Report *report = report_of(step);
        int r;

        if (!policy_of(step)->cutoff)
                return refuse(step->refusal, REFUSED_RULE,
                              "no reports are expected: the configuration has no reports.cutoff");
        r = refuse_at(step);
        if (r == 0)
                r = place(step);
        if (r == 0)
                r = check_day(step);
        if (r != 0)
                return r;
        report->due_at = report_cutoff(step->engine, report->day);
        /* Nobody waited for it until now: nobody hears of what would be past. */
        if (report->due_at < step->now)
                step->quiet_until = step->now;
        return 0;
}

int report_assign_owner(Step *step) {
        Case *c = step->item;

        return text_set(&c->owner, step->to == REPORT_EXPECTED ? c->dealer : c->subcentre);
}

/* ---- reporting ---- */

/* What comes first counts: nothing that comes later earns a bonus or loses it. */
static void come(Step *step) {
        Report *report = report_of(step);

        if (step->before->state != REPORT_EXPECTED)
                return;
        report->reported_at = step->now;
        if (step->now <= report->due_at)
                report->bonus = policy_of(step)->bonus;
}

int report_may_end(Step *step) {
        return refuse_at(step);
}

int report_nothing(Step *step) {
        report_of(step)->nothing = true;
        come(step);
        return 0;
}

int report_may_deliver(Step *step) {
        const Report *report = report_of(step);

        if (report->rows == 0)
                return refuse(step->refusal, REFUSED_RULE,
                              "the file has no rows: who has nothing to report says so (nothing)");
        if (report->refused == report->rows)
                return refuse(step->refusal, REFUSED_RULE,
                              "all rows of the file were refused: mend it and hand it in again");
        return 0;
}

int report_take_file(Step *step) {
        report_of(step)->nothing = false;
        come(step);
        return 0;
}
