/* SPDX-License-Identifier: Apache-2.0 */

#include "parts/forecast.h"

#include <math.h>
#include <stdbool.h>

#include "base/macro.h"

/* What the methods know after the months so far. */
typedef struct Known {
        int64_t sum;     /* of the last months */
        double size;     /* of a demand, smoothed */
        double interval; /* between two, smoothed: Croston */
        double chance;   /* of one in a month: TSB */
        int64_t since;   /* months since the last one */
        bool any;
} Known;

static void learn(Known *known, int64_t use) {
        known->since++;
        if (use > 0 && !known->any) {
                known->size = (double)use;
                known->interval = (double)known->since;
                known->chance = 1.0 / (double)known->since;
                known->any = true;
                known->since = 0;
                return;
        }
        if (!known->any)
                return;
        known->chance += FORECAST_BETA * ((use > 0 ? 1.0 : 0.0) - known->chance);
        if (use == 0)
                return;
        known->size += FORECAST_ALPHA * ((double)use - known->size);
        known->interval += FORECAST_ALPHA * ((double)known->since - known->interval);
        known->since = 0;
}

static void look_ahead(const Known *known, size_t seen, size_t months, double *ret) {
        size_t of = MIN(seen, months);

        ret[FORECAST_AVERAGE] = of > 0 ? (double)known->sum / (double)of : 0.0;
        ret[FORECAST_CROSTON] = known->any ? known->size / known->interval : 0.0;
        ret[FORECAST_SBA] = (1.0 - FORECAST_ALPHA / 2.0) * ret[FORECAST_CROSTON];
        ret[FORECAST_TSB] = known->chance * known->size;
}

void forecast(const int64_t *use, size_t n, size_t months, Forecast *ret) {
        Known known = {};

        *ret = (Forecast){};
        for (size_t i = 0; i < n; i++) {
                if (i > 0) {
                        look_ahead(&known, i, months, ret->next);
                        for (int m = 0; m < _FORECAST_MAX; m++)
                                ret->error[m] += fabs((double)use[i] - ret->next[m]);
                }
                learn(&known, use[i]);
                known.sum += use[i] - (i >= months ? use[i - months] : 0);
        }
        look_ahead(&known, n, months, ret->next);
        for (int m = 0; m < _FORECAST_MAX && n > 1; m++)
                ret->error[m] /= (double)(n - 1);
}
