/* SPDX-License-Identifier: Apache-2.0 */

#include "parts/planning.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/text.h"
#include "base/zone.h"
#include "parts/stock.h"

#define HISTORY_MAX 600 /* months of a part's use that are looked at: the last ones */

static const PlanningPolicy *policy_of(const Engine *engine) {
        return &engine_policy(engine)->planning;
}

static bool is_headquarters(const PlanOf *plan) {
        return plan->unit.sort == PLACE_HEADQUARTERS;
}

static const PlanRule *rule_of(const Engine *engine, const PlanOf *plan) {
        return is_headquarters(plan) ? &policy_of(engine)->headquarters : &policy_of(engine)->units;
}

/* Under what its use is added up: that of headquarters is the company's. */
static const char *user_of(const PlanOf *plan) {
        return is_headquarters(plan) ? "" : plan->unit.unit;
}

/* ---- which ---- */

static int read_month(const char *text, int64_t *ret) {
        int year, month;
        size_t i = 0;

        for (; i < 7 && text[i]; i++)
                if (i == 4 ? text[i] != '-' : !isdigit((unsigned char)text[i]))
                        return -EINVAL;
        if (i != 7 || text[i] || sscanf(text, "%4d-%2d", &year, &month) != 2 ||
            year < CALENDAR_YEAR_MIN || year >= CALENDAR_YEAR_MAX || month < 1 || month > 12)
                return -EINVAL;
        *ret = days_from_civil(year, month, 1);
        return *ret > 0 ? 0 : -EINVAL;
}

int plan_find(Store *store, const char *unit, const char *month, PlanOf *ret, Refusal *refusal) {
        PlanOf plan = {};
        int r = place_of_unit(store, unit, false, &plan.unit);

        if (r == -ENOENT)
                return refuse(refusal, REFUSED_NOT_FOUND,
                              "unit: there is no headquarters, sub-centre or dealer %s", unit);
        if (r < 0)
                return r;
        if (read_month(month, &plan.month) < 0)
                return refuse(refusal, REFUSED_INVALID_VALUE, "month: no month such as 2026-11");
        *ret = plan;
        return 0;
}

/* ---- of one part ---- */

static void key_use(Key *key, const char *unit, uint32_t month, const char *part) {
        key_text(key, unit);
        key_u32(key, month);
        if (part)
                key_text(key, part);
}

static int add_use(Store *store, const PlanOf *plan, const char *part, int64_t months,
                   int64_t *ret) {
        uint32_t month = month_of_day(plan->month);
        int r = 0;

        *ret = 0;
        for (uint32_t back = 1; r == 0 && back <= months; back++) {
                int64_t use = 0;
                Key key = {};

                key_use(&key, user_of(plan), month - back, part);
                r = store_tally(store, &sum_use_month, &key, &use);
                *ret += use;
        }
        return r;
}

static int64_t season_of(const Engine *engine, const char *line, int64_t month) {
        const PlanningPolicy *policy = policy_of(engine);

        for (size_t i = 0; i < policy->n_seasons; i++)
                if (line && STREQ(policy->seasons[i].line, line))
                        return policy->seasons[i].percent[month_of_day(month) % 12];
        return 100;
}

static int count_there(Store *store, const PlanOf *plan, const char *part, PlanInput *input) {
        char transit[PLACE_SIZE];
        Key stock = stock_key(plan->unit.text, part, CONDITION_GOOD);
        Key way, order = {};
        int r = store_tally(store, &sum_place, &stock, &input->stock);

        place_format(PLACE_TRANSIT, plan->unit.unit, transit);
        way = stock_key(transit, part, CONDITION_GOOD);
        key_text(&order, plan->unit.unit);
        key_text(&order, part);
        if (r == 0)
                r = store_tally(store, &sum_place, &way, &input->in_transit);
        return r == 0 ? store_tally(store, &sum_on_order, &order, &input->on_order) : r;
}

int plan_part(const Engine *engine, Store *store, const PlanOf *plan, const Part *part,
              PlanInput *ret_input, PlanResult *ret) {
        const PlanRule *rule = rule_of(engine, plan);
        PlanInput input = {
                .months = rule->months,
                .factor = rule->factor,
                .season = season_of(engine, part->line, plan->month),
                .net = policy_of(engine)->net,
                .pack = part->pack,
                .minimum = part->minimum,
                .discontinued = part->discontinued_on && part->discontinued_on <= plan->month,
        };
        int r = add_use(store, plan, part->master.code, rule->months, &input.use);

        if (r == 0)
                r = count_there(store, plan, part->master.code, &input);
        if (r < 0)
                return r;
        *ret_input = input;
        *ret = plan_compute(&input);
        return 0;
}

/* The use of every month from the first one that has any, up to the one before the plan's. */
static int read_history(Store *store, const PlanOf *plan, const char *part, int64_t *use,
                        size_t *ret_n) {
        uint32_t last = month_of_day(plan->month), first = 0;
        Key prefix = {}, position = {};
        int64_t amount;
        int r;

        *ret_n = 0;
        key_text(&prefix, part);
        key_text(&prefix, user_of(plan));
        while ((r = store_tally_next(store, &sum_use_part, &prefix, &position, &amount)) == 0) {
                uint32_t month = load_be32(position.bytes + prefix.size);

                if (month >= last)
                        break;
                if (last - month > HISTORY_MAX)
                        continue;
                if (!first) {
                        first = month;
                        *ret_n = last - first;
                        memset(use, 0, *ret_n * sizeof(*use));
                }
                use[month - first] = MAX(amount, INT64_C(0));
        }
        return r == -ENOENT ? 0 : r;
}

int plan_forecast(const Engine *engine, Store *store, const PlanOf *plan, const Part *part,
                  Forecast *ret) {
        int64_t use[HISTORY_MAX];
        size_t n;
        int r = read_history(store, plan, part->master.code, use, &n);

        if (r == 0)
                forecast(use, n, (size_t)rule_of(engine, plan)->months, ret);
        return r;
}

/* ---- which parts ---- */

/* The first part after that one which was used in a month. */
static int next_used(Store *store, const PlanOf *plan, uint32_t month, const char *after,
                     char ret[static CODE_MAX_BYTES + 1]) {
        Key prefix = {}, position = {};
        int64_t amount;
        int r;

        key_use(&prefix, user_of(plan), month, NULL);
        if (*after)
                key_use(&position, user_of(plan), month, after);
        r = store_tally_next(store, &sum_use_month, &prefix, &position, &amount);
        if (r == 0)
                snprintf(ret, CODE_MAX_BYTES + 1, "%s", (const char *)position.bytes + prefix.size);
        return r;
}

static int next_of_supplier(Store *store, const char *supplier,
                            char part[static CODE_MAX_BYTES + 1]) {
        Key prefix = {}, position = {}, key;
        int r;

        key_text(&prefix, supplier);
        if (*part) {
                key_text(&position, supplier);
                key_bytes(&position, part, strlen(part));
        }
        r = store_index_next(store, &index_part_supplier, &prefix, &position, &key);
        if (r == 0)
                snprintf(part, CODE_MAX_BYTES + 1, "%.*s", (int)key.size, (const char *)key.bytes);
        return r;
}

int plan_next_part(const Engine *engine, Store *store, const PlanOf *plan, const char *supplier,
                   char part[static CODE_MAX_BYTES + 1]) {
        uint32_t month = month_of_day(plan->month);
        char nearest[CODE_MAX_BYTES + 1] = "", found[CODE_MAX_BYTES + 1];

        if (is_headquarters(plan))
                return next_of_supplier(store, supplier, part);
        for (uint32_t back = 1; back <= rule_of(engine, plan)->months; back++) {
                int r = next_used(store, plan, month - back, part, found);

                if (r < 0 && r != -ENOENT)
                        return r;
                if (r == 0 && (!*nearest || strcmp(found, nearest) < 0))
                        memcpy(nearest, found, sizeof(nearest));
        }
        if (!*nearest)
                return -ENOENT;
        memcpy(part, nearest, sizeof(nearest));
        return 0;
}

/* ---- as it would come out ---- */

static const Field plan_row_fields[] = {
        TEXT(1, PlanRow, part, 0, CODE_MAX_BYTES, .doc = "part number"),
        COUNT(2, PlanRow, use, 0, .doc = "used in the months looked at"),
        COUNT(3, PlanRow, months, 0, .doc = "how many months these are"),
        COUNT(4, PlanRow, factor, 0, .doc = "for how many months it shall last"),
        COUNT(5, PlanRow, season, 0, .doc = "percent of the average in the month planned for"),
        COUNT(6, PlanRow, wanted, 0,
              .doc = "factor × use / months × season, rounded up: what will be used"),
        COUNT(7, PlanRow, stock, 0, .doc = "what is there"),
        COUNT(8, PlanRow, on_order, 0, .doc = "what is ordered and not sent yet"),
        COUNT(9, PlanRow, in_transit, 0, .doc = "what is on its way"),
        FLAG(10, PlanRow, net, 0, .doc = "what is ordered or on its way counts as there"),
        COUNT(11, PlanRow, need, 0, .doc = "wanted less what is there"),
        COUNT(12, PlanRow, pack, 0, .doc = "ordered in multiples of so many"),
        COUNT(13, PlanRow, minimum, 0, .doc = "no order has fewer"),
        COUNT(14, PlanRow, quantity, 0, .doc = "what the plan orders"),
        FLAG(15, PlanRow, discontinued, 0, .doc = "none is planned any more"),
        COUNT(16, PlanRow, average, 0, .doc = "of the months looked at, in thousandths a month"),
        COUNT(17, PlanRow, croston, 0, .doc = "by Croston's method, in thousandths a month"),
        COUNT(18, PlanRow, sba, 0, .doc = "by that of Syntetos and Boylan, likewise"),
        COUNT(19, PlanRow, tsb, 0, .doc = "by that of Teunter, Syntetos and Babai, likewise"),
        COUNT(20, PlanRow, average_error, 0,
              .doc = "how far each was off in the months there are, on the average"),
        COUNT(21, PlanRow, croston_error, 0, .doc = "likewise"),
        COUNT(22, PlanRow, sba_error, 0, .doc = "likewise"),
        COUNT(23, PlanRow, tsb_error, 0, .doc = "likewise"),
};

const RecordType plan_row_type = {
        .name = "plan",
        .size = sizeof(PlanRow),
        .fields = plan_row_fields,
        .n_fields = ELEMENTS(plan_row_fields),
};

static int64_t thousandths(double value) {
        return (int64_t)(value * 1000 + 0.5);
}

static void fill_row(const PlanInput *input, const PlanResult *result, const Forecast *forecast,
                     PlanRow *ret) {
        const double *next = forecast->next, *error = forecast->error;

        *ret = (PlanRow){
                .use = input->use,
                .months = input->months,
                .factor = input->factor,
                .season = input->season,
                .wanted = result->wanted,
                .stock = input->stock,
                .on_order = input->on_order,
                .in_transit = input->in_transit,
                .net = input->net,
                .need = result->need,
                .pack = input->pack,
                .minimum = input->minimum,
                .quantity = result->quantity,
                .discontinued = input->discontinued,
                .average = thousandths(next[FORECAST_AVERAGE]),
                .croston = thousandths(next[FORECAST_CROSTON]),
                .sba = thousandths(next[FORECAST_SBA]),
                .tsb = thousandths(next[FORECAST_TSB]),
                .average_error = thousandths(error[FORECAST_AVERAGE]),
                .croston_error = thousandths(error[FORECAST_CROSTON]),
                .sba_error = thousandths(error[FORECAST_SBA]),
                .tsb_error = thousandths(error[FORECAST_TSB]),
        };
}

int plan_row(const Engine *engine, Store *store, const PlanOf *plan, const char *code,
             PlanRow *ret) {
        PlanInput input;
        PlanResult result;
        Forecast known = {};
        Part part = {};
        int r = part_get(store, code, &part);

        if (r < 0)
                return r;
        r = plan_part(engine, store, plan, &part, &input, &result);
        if (r == 0)
                r = plan_forecast(engine, store, plan, &part, &known);
        if (r == 0) {
                fill_row(&input, &result, &known, ret);
                ret->part = (char *)code;
        }
        part_done(&part);
        return r;
}

int plan_next_row(const Engine *engine, Store *store, const PlanOf *plan,
                  char code[static CODE_MAX_BYTES + 1]) {
        Key key = key_of_code(code);
        Part part = {};
        int r;

        if (!is_headquarters(plan))
                return plan_next_part(engine, store, plan, "", code);
        r = store_next(store, &part_table, &key, &part);
        if (r < 0)
                return r;
        snprintf(code, CODE_MAX_BYTES + 1, "%s", part.master.code);
        part_done(&part);
        return 0;
}

/* ---- sheets ---- */

/* Where a plan stands: its last sheet, and how far that has looked. */
typedef struct Standing {
        uint64_t order; /* 0: there is none yet */
        int64_t sheet;
        bool complete;
        char supplier[CODE_MAX_BYTES + 1]; /* of headquarters */
        char part[CODE_MAX_BYTES + 1];
} Standing;

static int read_sheet(Store *store, const Key *key, Standing *standing) {
        const char *supplier = "";
        Order order;
        int r = store_get(store, &order_table, key, &order);

        if (r < 0)
                return r;
        place_split(order.source, &supplier);
        *standing = (Standing){ .order = order.head.id,
                                .sheet = order.sheet,
                                .complete = order.complete };
        snprintf(standing->supplier, sizeof(standing->supplier), "%s", supplier);
        snprintf(standing->part, sizeof(standing->part), "%s",
                 order.planned_until ? order.planned_until : "");
        order_done(&order);
        return 0;
}

static int find_standing(Store *store, const PlanOf *plan, Standing *ret) {
        Key prefix = {}, position = {}, key, last = {};
        int r;

        *ret = (Standing){};
        key_text(&prefix, plan->unit.unit);
        key_u64(&prefix, (uint64_t)plan->month);
        while ((r = store_index_next(store, &index_order_plan, &prefix, &position, &key)) == 0)
                last = key;
        if (r != -ENOENT || last.size == 0)
                return r == -ENOENT ? 0 : r;
        return read_sheet(store, &last, ret);
}

/* A sheet while it is made. */
typedef struct Sheet {
        const Engine *engine;
        Store *store;
        const PlanOf *plan;
        Standing standing;
        Order order;
} Sheet;

static int add_line(Sheet *sheet, const PlanInput *input, int64_t quantity) {
        OrderLine *line = list_add(&sheet->order.lines, &order_line_type);

        if (!line)
                return -ENOMEM;
        line->quantity = quantity;
        line->use = input->use;
        line->months = input->months;
        line->factor = input->factor;
        line->season = input->season;
        line->stock = input->stock;
        line->on_order = input->on_order;
        line->in_transit = input->in_transit;
        return text_set(&line->part, sheet->standing.part);
}

/* Of headquarters: goes on to the next supplier. 0, -ENOENT, negative errno. */
static int next_supplier(const Sheet *sheet, Standing *standing) {
        Key position = key_of_code(standing->supplier);
        Supplier supplier;
        int r;

        if (!is_headquarters(sheet->plan))
                return -ENOENT;
        r = store_next(sheet->store, &supplier_table, &position, &supplier);
        if (r < 0)
                return r;
        snprintf(standing->supplier, sizeof(standing->supplier), "%s", supplier.master.code);
        standing->part[0] = '\0';
        supplier_done(&supplier);
        return 0;
}

static int look_at(const Sheet *sheet, Standing *standing, PlanInput *ret_input, PlanResult *ret) {
        Part part = {};
        int r = plan_next_part(sheet->engine, sheet->store, sheet->plan, standing->supplier,
                               standing->part);

        if (r == 0)
                r = part_get(sheet->store, standing->part, &part);
        if (r < 0)
                return r;
        r = plan_part(sheet->engine, sheet->store, sheet->plan, &part, ret_input, ret);
        part_done(&part);
        return r;
}

/* Moves on to the next part of which some are needed. 0, -ENOENT, negative errno. */
static int advance(const Sheet *sheet, Standing *standing, PlanInput *ret_input, PlanResult *ret) {
        int r;

        do {
                r = look_at(sheet, standing, ret_input, ret);
                if (r == -ENOENT) {
                        r = next_supplier(sheet, standing);
                        ret->quantity = 0;
                }
        } while (r == 0 && ret->quantity == 0);
        return r;
}

/* Lines of one supplier up to the end of the sheet, and whether nothing is left for another one. */
static int fill(Sheet *sheet) {
        Standing ahead = sheet->standing;
        PlanInput input;
        PlanResult result;
        int r;

        while ((r = advance(sheet, &ahead, &input, &result)) == 0) {
                bool other = sheet->order.lines.n > 0 &&
                             !STREQ(ahead.supplier, sheet->standing.supplier);

                if (other || sheet->order.lines.n == ORDER_LINES_MAX)
                        return 0;
                sheet->standing = ahead;
                r = add_line(sheet, &input, result.quantity);
                if (r < 0)
                        return r;
        }
        sheet->order.complete = r == -ENOENT;
        return r == -ENOENT ? 0 : r;
}

/* The end of the day of the month by which plans must be there. */
static int64_t submit_by(const Engine *engine, int64_t month) {
        int64_t local = (month + policy_of(engine)->submit_day) * 86400;

        return zone_instant(engine_zone(engine), local, ZONE_FIRST) * USEC_PER_SEC;
}

static int fill_head(Sheet *sheet) {
        const Place *unit = &sheet->plan->unit;
        Order *order = &sheet->order;
        char source[PLACE_SIZE] = "";
        int r;

        order->head.type = ORDER_PLANNED;
        order->month = sheet->plan->month;
        order->sheet = sheet->standing.sheet + 1;
        order->submit_by = submit_by(sheet->engine, sheet->plan->month);
        r = text_set(&order->planned_until, sheet->standing.part);
        if (r == 0)
                r = text_set(&order->unit, unit->unit);
        if (r == 0)
                r = text_set(&order->head.subcentre,
                             *unit->subcentre ? unit->subcentre : unit->unit);
        if (r == 0 && unit->sort == PLACE_DEALER)
                r = text_set(&order->head.dealer, unit->unit);
        if (is_headquarters(sheet->plan) && *sheet->standing.supplier)
                place_format(PLACE_SUPPLIER, sheet->standing.supplier, source);
        return r == 0 ? text_set(&order->source, source) : r;
}

static int create(Sheet *sheet, Change *change, const Actor *actor, int64_t now, uint64_t *ret,
                  Refusal *refusal) {
        static const char given[] = "type month sheet submit_by planned_until complete unit "
                                    "subcentre dealer source lines";
        Actor anywhere = *actor;
        Call call = { .actor = &anywhere, .now = now, .fields = &sheet->order, .within = true };
        Head head = {};
        bool created;
        int r;

        anywhere.scope = SCOPE_HEADQUARTERS;
        call.given = fields_named(order_table.type, given);
        r = engine_create(sheet->engine, change, &order_kind, &call, &head, &created, refusal);
        if (r == 0)
                *ret = head.id;
        record_done(&head_type, &head);
        return r;
}

int plan_make_sheet(const Engine *engine, Change *change, const PlanOf *plan, const Actor *actor,
                    int64_t now, uint64_t *ret, bool *ret_complete, Refusal *refusal) {
        Sheet sheet = { .engine = engine, .store = change_store(change), .plan = plan };
        int r;

        if (policy_of(engine)->submit_day == 0)
                return refuse(refusal, REFUSED_RULE,
                              "no plans are made: the configuration has no planning.submit_day");
        r = find_standing(sheet.store, plan, &sheet.standing);
        if (r < 0)
                return r;
        if (sheet.standing.complete) {
                *ret = sheet.standing.order;
                *ret_complete = true;
                return 0;
        }
        r = fill(&sheet);
        if (r == 0)
                r = fill_head(&sheet);
        if (r == 0)
                r = create(&sheet, change, actor, now, ret, refusal);
        *ret_complete = sheet.order.complete;
        order_done(&sheet.order);
        return r;
}

/* ---- by itself ---- */

static int64_t month_at(const Engine *engine, int64_t instant) {
        int32_t day, second;
        int year, month, of_month;

        zone_local(engine_zone(engine), instant / USEC_PER_SEC, &day, &second);
        civil_from_days(day, &year, &month, &of_month);
        return days_from_civil(year, month, 1);
}

static int next_plans(const Engine *engine, int64_t after, int64_t *ret) {
        int64_t month = month_at(engine, after);
        int year, of_year, day;

        if (policy_of(engine)->submit_day == 0 || !engine_uses(engine, &order_kind))
                return -ENOENT;
        civil_from_days((int32_t)month, &year, &of_year, &day);
        month = days_from_civil(of_year == 12 ? year + 1 : year, of_year % 12 + 1, 1);
        *ret = zone_instant(engine_zone(engine), month * 86400, ZONE_FIRST) * USEC_PER_SEC;
        return 0;
}

static int make_one(const Engine *engine, Change *change, const char *unit, int64_t month,
                    int64_t now, bool *ret_complete) {
        PlanOf plan = { .month = month };
        Refusal refusal = {};
        uint64_t order;
        int r = place_of_unit(change_store(change), unit, false, &plan.unit);

        *ret_complete = true;
        if (r == -ENOENT) /* a department, which has no stock */
                return 0;
        if (r == 0)
                r = plan_make_sheet(engine, change, &plan, &daemon_actor, now, &order, ret_complete,
                                    &refusal);
        if (r == REFUSED_STORAGE_FULL)
                return -EAGAIN;
        if (r > 0) {
                log_warning("no plan can be made for %s: %s", unit, refusal.text);
                *ret_complete = true;
        }
        return MIN(r, 0);
}

/* The next unit whose supply is planned, after that one. 0, -ENOENT, negative errno. */
static int next_planned(Store *store, char code[static PERIODIC_POSITION_SIZE]) {
        Key key = key_of_code(code);
        bool planned;
        int r;

        do {
                Unit unit;

                r = store_next(store, &unit_table, &key, &unit);
                if (r < 0)
                        return r;
                snprintf(code, PERIODIC_POSITION_SIZE, "%s", unit.master.code);
                planned = unit.active && unit.supply == SUPPLY_PLANNED;
                unit_done(&unit);
        } while (!planned);
        return 0;
}

/* A step is a sheet. */
static int make_plans(const Engine *engine, Change *change, int64_t at, int64_t now,
                      char position[static PERIODIC_POSITION_SIZE], bool *ret_done) {
        char unit[PERIODIC_POSITION_SIZE];
        bool complete;
        int r;

        memcpy(unit, position, sizeof(unit));
        r = next_planned(change_store(change), unit);
        *ret_done = r == -ENOENT;
        if (r < 0)
                return r == -ENOENT ? 0 : r;
        r = make_one(engine, change, unit, month_at(engine, at), now, &complete);
        if (r == 0 && complete)
                memcpy(position, unit, sizeof(unit));
        return r;
}

const Periodic plan_orders = {
        .name = "plan_orders",
        .next = next_plans,
        .step = make_plans,
};
