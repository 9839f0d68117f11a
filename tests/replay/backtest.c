/* SPDX-License-Identifier: Apache-2.0 */

/* Planning month by month over the demand of many parts, by the formula and by each method:
 *
 *      backtest FILE FIRST MONTHS FACTOR
 *
 * FILE is a CSV file, a part a row, its months from column FIRST on (0 is
 * the first column). An empty cell says that the part is not sold any more, not that none was used.
 * Each month is planned from the months before it; what is ordered is there at its beginning, and
 * what is short comes by an emergency order. Prints a row for each method: demand, what was there
 * of it, planned orders and what they had, emergency orders, and the stock at the end of all
 * months. */

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/macro.h"
#include "parts/forecast.h"
#include "parts/plan.h"

#define MONTHS_MAX 200

typedef struct Tally {
        int64_t demand, filled, orders, ordered, emergencies, stock;
} Tally;

/* What a method wants to have at the beginning of a month. */
static int64_t wanted(int method, const int64_t *use, size_t n, size_t months, int64_t factor) {
        PlanInput input = { .months = (int64_t)months, .factor = factor, .season = 100 };
        Forecast known;

        if (method != FORECAST_AVERAGE) {
                forecast(use, n, months, &known);
                return (int64_t)ceil((double)factor * known.next[method]);
        }
        for (size_t i = n - months; i < n; i++)
                input.use += use[i];
        return plan_compute(&input).wanted;
}

static void live(int method, const int64_t *use, size_t n, size_t months, int64_t factor,
                 Tally *tally) {
        int64_t stock = 0;

        for (size_t i = months; i < n; i++) {
                int64_t quantity = MAX(wanted(method, use, i, months, factor) - stock, INT64_C(0));
                int64_t filled;

                stock += quantity;
                filled = MIN(stock, use[i]);
                stock -= filled;
                tally->demand += use[i];
                tally->filled += filled;
                tally->orders += quantity > 0;
                tally->ordered += quantity;
                tally->emergencies += filled < use[i];
                tally->stock += stock;
        }
}

/* The next cell; one in quotation marks (which it has none of) may have commas. NULL at the end. */
static char *next_cell(char **rest) {
        char *cell = *rest, *end;

        if (!cell)
                return NULL;
        end = *cell == '"' ? strchr(cell + 1, '"') : cell;
        if (end)
                end += strcspn(end, ",\r\n");
        *rest = end && *end == ',' ? end + 1 : NULL;
        if (end)
                *end = '\0';
        return cell;
}

/* The months of a row up to the first empty cell behind one that is not. */
static size_t read_row(char *line, size_t first, int64_t *use) {
        size_t column = 0, n = 0;
        char *rest = line, *cell;

        while ((cell = next_cell(&rest))) {
                if (column++ < first)
                        continue;
                if (!*cell && n > 0)
                        break;
                if (*cell && n < MONTHS_MAX)
                        use[n++] = llround(strtod(cell, NULL));
        }
        return n;
}

int main(int argc, char **argv) {
        static const char *const names[] = { "average", "croston", "sba", "tsb" };
        Tally tallies[_FORECAST_MAX] = {};
        size_t first, months, size = 0, parts = 0;
        char *line = NULL;
        int64_t factor;
        FILE *file;

        if (argc != 5 || !(file = fopen(argv[1], "re"))) {
                fprintf(stderr, "backtest FILE FIRST MONTHS FACTOR\n");
                return EXIT_FAILURE;
        }
        first = strtoul(argv[2], NULL, 10);
        months = strtoul(argv[3], NULL, 10);
        factor = strtoll(argv[4], NULL, 10);
        if (getline(&line, &size, file) < 0)
                return EXIT_FAILURE;
        while (getline(&line, &size, file) > 0) {
                int64_t use[MONTHS_MAX];
                size_t n = read_row(line, first, use);

                parts++;
                for (int method = 0; method < _FORECAST_MAX; method++)
                        live(method, use, n, months, factor, &tallies[method]);
        }
        for (int method = 0; method < _FORECAST_MAX; method++) {
                const Tally *t = &tallies[method];

                printf("%s %zu %" PRId64 " %" PRId64 " %" PRId64 " %" PRId64 " %" PRId64 " %" PRId64
                       "\n",
                       names[method], parts, t->demand, t->filled, t->orders, t->ordered,
                       t->emergencies, t->stock);
        }
        free(line);
        fclose(file);
        return EXIT_SUCCESS;
}
