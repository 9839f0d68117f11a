/* SPDX-License-Identifier: Apache-2.0 */

#include "parts/plan.h"

#include "base/macro.h"

static int64_t divide_up(int64_t a, int64_t b) {
        return a / b + (a % b > 0);
}

PlanResult plan_compute(const PlanInput *input) {
        int64_t there = input->stock + (input->net ? input->on_order + input->in_transit : 0);
        int64_t pack = MAX(input->pack, INT64_C(1));
        int64_t use = MAX(input->use, INT64_C(0)); /* more was given back than used */
        PlanResult result = {
                .wanted = divide_up(input->factor * use * input->season, input->months * 100),
        };

        if (input->discontinued)
                return result;
        result.need = MAX(result.wanted - there, INT64_C(0));
        if (result.need > 0)
                result.quantity = divide_up(MAX(result.need, input->minimum), pack) * pack;
        return result;
}
