/* SPDX-License-Identifier: Apache-2.0 */

/* What must hold between records: that each event of each clock was raised once and in order. */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "aftersales/kinds.h"
#include "loop/engine.h"

#define LINE_SIZE 200
#define SEEN_MAX  64 /* cycles of clocks of one case that are followed at once */

typedef struct Seen {
        char clock[NAME_MAX_BYTES];
        int64_t cycle, level;
} Seen;

typedef struct CaseCheck {
        const Kind *kind;
        const Case *c;
        ReportFault report;
        void *userdata;
        uint64_t *faults;
        Seen seen[SEEN_MAX]; /* the last level of each cycle */
        size_t n;
} CaseCheck;

static void fault(CaseCheck *check, const Escalation *e, const char *what) {
        char line[LINE_SIZE], number[CASE_NUMBER_SIZE], escalation[CASE_NUMBER_SIZE];

        snprintf(line, sizeof(line), "%s: %s: %s %s",
                 case_number(check->kind->letter, check->c->id, number),
                 case_number(LETTER_ESCALATION, e->id, escalation), e->clock, what);
        ++*check->faults;
        check->report(check->userdata, line);
}

/* Levels of a cycle must rise by one, but for those that passed in silence and for repetitions that
 * one stands for. */
static void check_escalation(CaseCheck *check, const Escalation *e) {
        for (size_t i = 0; i < check->n; i++) {
                Seen *seen = &check->seen[i];

                if (!STREQ(seen->clock, e->clock) || seen->cycle != e->cycle)
                        continue;
                if (e->level <= seen->level)
                        fault(check, e, "a level was raised twice or out of order");
                else if (e->level != seen->level + 1 + e->quiet)
                        fault(check, e, "a level was left out");
                seen->level = e->level + e->missed;
                return;
        }
        if (e->level - e->quiet > 1)
                fault(check, e, "the first levels are missing");
        if (check->n == SEEN_MAX)
                memmove(check->seen, check->seen + 1, --check->n * sizeof(Seen));
        check->seen[check->n] = (Seen){ .cycle = e->cycle, .level = e->level + e->missed };
        snprintf(check->seen[check->n++].clock, NAME_MAX_BYTES, "%s", e->clock);
}

static void check_clocks(CaseCheck *check) {
        const Clock *clocks = check->c->clocks.items;

        for (size_t i = 0; i < check->c->clocks.n; i++) {
                const char *name = enum_name(check->kind->clock_names, clocks[i].clock);
                int64_t level = -1;

                for (size_t k = 0; k < check->n; k++)
                        if (STREQ(check->seen[k].clock, name) &&
                            check->seen[k].cycle == clocks[i].cycle)
                                level = check->seen[k].level;
                if (level >= 0 ? clocks[i].level != level + 1 + clocks[i].quiet
                               : clocks[i].level - clocks[i].quiet > 1)
                        fault(check, &(Escalation){ .clock = (char *)name },
                              "the clock's level is not that of its escalations");
        }
}

static int check_case(CaseCheck *check, Store *store) {
        Key prefix = {}, position = {}, key;
        int r;

        key_u8(&prefix, check->kind->number);
        key_u64(&prefix, check->c->id);
        check->n = 0;
        while ((r = store_index_next(store, &index_escalation_case, &prefix, &position, &key)) ==
               0) {
                Escalation e;

                r = store_get(store, &escalation_table, &key, &e);
                if (r == -EBADMSG || r == -ENOENT)
                        continue; /* told by the check of the store; the others are looked at */
                if (r < 0)
                        return r;
                check_escalation(check, &e);
                record_done(&escalation_type, &e);
        }
        check_clocks(check);
        return r == -ENOENT ? 0 : r;
}

static int check_kind(CaseCheck *check, Store *store) {
        const RecordType *type = check->kind->table->type;
        _cleanup_free_ Case *c = calloc(1, type->size);
        Key position = {};
        int r;

        if (!c)
                return -ENOMEM;
        check->c = c;
        while ((r = store_next(store, check->kind->table, &position, c)) == 0) {
                r = check_case(check, store);
                record_done(type, c);
                if (r < 0)
                        return r;
        }
        /* Damaged records are passed over, damaged order ends it: the check of the store tells. */
        return r == -ENOENT || r == -EBADMSG ? 0 : r;
}

int engine_check(const Kind *const *kinds, Store *store, ReportFault report, void *userdata,
                 uint64_t *ret_faults) {
        CaseCheck check = { .report = report, .userdata = userdata, .faults = ret_faults };
        int r = 0;

        for (; r == 0 && *kinds; kinds++) {
                check.kind = *kinds;
                r = check_kind(&check, store);
        }
        return r;
}
