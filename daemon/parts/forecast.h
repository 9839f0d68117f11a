/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What will be used in a month, as some methods see it from the months before. The plan goes by
 * the average; the others are a second opinion for parts of which most months have none.
 *
 *      average     of the last n months
 *      croston     J. D. Croston, Operational Research Quarterly 23 (1972): the size of a demand
 *                  and the interval between two, each smoothed when there is one; their quotient
 *      sba         A. A. Syntetos, J. E. Boylan, Int. J. of Forecasting 21 (2005): that times
 *                  1 - alpha / 2, which takes its bias away
 *      tsb         R. H. Teunter, A. A. Syntetos, M. Z. Babai, Eur. J. of Operational Research 214
 *                  (2011): the size when there is demand, and the probability of one every month
 */

#include <stddef.h>
#include <stdint.h>

typedef enum ForecastMethod {
        FORECAST_AVERAGE,
        FORECAST_CROSTON,
        FORECAST_SBA,
        FORECAST_TSB,
        _FORECAST_MAX,
} ForecastMethod;

#define FORECAST_ALPHA 0.1 /* smoothing of sizes and intervals */
#define FORECAST_BETA  0.1 /* of the probability */

typedef struct Forecast {
        double next[_FORECAST_MAX]; /* of the month after the last one */
        /* The mean of how far each was off, over all months that have one before them. */
        double error[_FORECAST_MAX];
} Forecast;

/* From the use of n months, the oldest first; months: of the average. */
void forecast(const int64_t *use, size_t n, size_t months, Forecast *ret);
