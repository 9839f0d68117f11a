/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Plans of a unit and month: the orders, sheet by sheet, that plan.h comes to for every part. What
 * is planned follows from the months before alone. A plan that is complete stays as it is. */

#include "loop/periodic.h"
#include "masters/part.h"
#include "parts/forecast.h"
#include "parts/order.h"
#include "parts/place.h"
#include "parts/plan.h"

typedef struct PlanOf {
        Place unit;    /* dealer, sub-centre or headquarters */
        int64_t month; /* first day */
} PlanOf;

/* The plan that a caller names, month as 2026-11. 0, refused, < 0. */
int plan_find(Store *store, const char *unit, const char *month, PlanOf *ret, Refusal *refusal);

/* What is known of a part for the plan, and what comes of it. 0 or negative errno. */
int plan_part(const Engine *engine, Store *store, const PlanOf *plan, const Part *part,
              PlanInput *ret_input, PlanResult *ret);
/* As the methods see it from all months before, and how far they were off. */
int plan_forecast(const Engine *engine, Store *store, const PlanOf *plan, const Part *part,
                  Forecast *ret);

/* The next part after that one ("": the first) of which anything was used in the months looked at;
 * for headquarters of a supplier any of its parts. 0, -ENOENT, negative errno. */
int plan_next_part(const Engine *engine, Store *store, const PlanOf *plan, const char *supplier,
                   char part[static CODE_MAX_BYTES + 1]);

/* Makes the next sheet, if there is one to make. *ret: the number of the last sheet's order, and
 * whether the plan is complete with it. 0, > 0 refused, < 0. */
int plan_make_sheet(const Engine *engine, Change *change, const PlanOf *plan, const Actor *actor,
                    int64_t now, uint64_t *ret, bool *ret_complete, Refusal *refusal);

/* A part of a plan as it would come out now: numbers of parts, and the methods' in thousandths. */
typedef struct PlanRow {
        Record record;
        char *part;
        int64_t use, months, factor, season, wanted;
        int64_t stock, on_order, in_transit;
        bool net;
        int64_t need, pack, minimum, quantity;
        bool discontinued;
        int64_t average, croston, sba, tsb;
        int64_t average_error, croston_error, sba_error, tsb_error;
} PlanRow;

extern const RecordType plan_row_type;

/* 0, -ENOENT: there is no such part, negative errno. The row borrows the part's code. */
int plan_row(const Engine *engine, Store *store, const PlanOf *plan, const char *part,
             PlanRow *ret);
/* The parts that a list of the plan has: those used, of headquarters all there are; as
 * plan_next_part(). */
int plan_next_row(const Engine *engine, Store *store, const PlanOf *plan,
                  char part[static CODE_MAX_BYTES + 1]);

/* At the beginning of each month plans are made for all units whose supply is planned. */
extern const Periodic plan_orders;
