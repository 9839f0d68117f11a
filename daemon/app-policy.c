/* SPDX-License-Identifier: Apache-2.0 */

/* The helpers that look ahead beside a daemon that runs, each on a snapshot of its own: what
 * another policy would do, and what would escalate. What they are to look at stands on standard
 * input, a key and its value in each line; what they find goes to standard output, in lines of
 * words divided by tabs. */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "aftersales/limits.h"
#include "app-internal.h"
#include "base/digest.h"
#include "loop/preview.h"
#include "loop/simulate.h"

#define LINE_SIZE    (DIRECTORY_MAX_BYTES + 64)
#define MESSAGES_MAX 10 /* of the configuration that are told; the rest is counted */

/* What a look is about. */
typedef struct Question {
        int64_t now, until;
        size_t limit;
        int64_t site, map_size; /* of the daemon that runs, and its directory */
        char directory[DIRECTORY_MAX_BYTES + 1];
        char kind[NAME_MAX_BYTES], subcentre[CODE_MAX_BYTES + 1], dealer[CODE_MAX_BYTES + 1],
                recipient[CODE_MAX_BYTES + 1];
} Question;

static void read_question(Question *q) {
        const struct {
                const char *key;
                char *text;
                size_t size;
                int64_t *number;
        } keys[] = {
                { "now", NULL, 0, &q->now },
                { "until", NULL, 0, &q->until },
                { "site", NULL, 0, &q->site },
                { "map_size", NULL, 0, &q->map_size },
                { "directory", q->directory, sizeof(q->directory), NULL },
                { "kind", q->kind, sizeof(q->kind), NULL },
                { "subcentre", q->subcentre, sizeof(q->subcentre), NULL },
                { "dealer", q->dealer, sizeof(q->dealer), NULL },
                { "recipient", q->recipient, sizeof(q->recipient), NULL },
        };
        char line[LINE_SIZE];

        while (fgets(line, sizeof(line), stdin)) {
                char *value = line, *key = strsep(&value, " ");

                if (!value)
                        continue;
                value[strcspn(value, "\n")] = '\0';
                if (STREQ(key, "limit"))
                        q->limit = strtoull(value, NULL, 10);
                for (size_t i = 0; i < ELEMENTS(keys); i++) {
                        if (!STREQ(key, keys[i].key))
                                continue;
                        if (keys[i].number)
                                *keys[i].number = strtoll(value, NULL, 10);
                        else
                                snprintf(keys[i].text, keys[i].size, "%s", value);
                }
        }
}

/* ---- another policy ------------------------------------------------------------------------- */

typedef struct Looking {
        const Question *question;
        size_t rows;
        uint64_t named;
} Looking;

static void tell_messages(const ConfigMessages *messages) {
        size_t n = MIN(messages->n, (size_t)MESSAGES_MAX);

        for (size_t i = 0; i < n; i++)
                printf("wrong\t%s\n", messages->list[i].text);
        if (messages->n + messages->n_more > n)
                printf("more\t%zu\n", messages->n + messages->n_more - n);
}

/* What only a restart can change. */
static bool tell_fixed(const Policy *policy, const Question *q, bool elsewhere) {
        const struct {
                const char *key;
                bool changed;
        } keys[] = {
                { "site", policy->site != q->site },
                { "store.directory", !elsewhere && !STREQ(policy->state_directory, q->directory) },
                { "store.map_size", policy->map_size != q->map_size },
        };
        bool any = false;

        for (size_t i = 0; i < ELEMENTS(keys); i++) {
                if (!keys[i].changed)
                        continue;
                printf("wrong\t%s: takes effect with a restart only; put it back to reload, or "
                       "restart the service\n",
                       keys[i].key);
                any = true;
        }
        return any;
}

static int tell_moved(void *userdata, const MovedDeadline *row) {
        Looking *looking = userdata;

        if (looking->rows++ < looking->question->limit)
                printf("moved\t%s\t%" PRIu64 "\t%s\t%" PRId64 "\t%" PRId64 "\n", row->kind,
                       row->case_id, row->clock, row->before, row->after);
        return 0;
}

static int tell_contradiction(void *userdata, const Kind *kind, uint64_t id, const char *why) {
        Looking *looking = userdata;
        char number[CASE_NUMBER_SIZE];

        if (looking->named++ < POLICY_CASES_NAMED)
                printf("wrong\t%s: %s\n", case_number(kind->letter, id, number), why);
        return 0;
}

/* Whether it counts time as the policy in force does, and every case was computed by that: then
 * there is nothing to look at. */
static int is_alike(App *app, bool *ret) {
        char timing[POLICY_DIGEST_SIZE];
        PolicyVersion version = {};
        int r = policy_timing(app->policy, timing);

        *ret = false;
        if (r < 0)
                return r;
        r = version_newest(app->store, &version);
        if (r < 0)
                return r == -ENOENT ? 0 : r;
        *ret = STREQ(version.timing, timing) && version.recomputed_at;
        version_done(&version);
        return 0;
}

static int look_at_cases(App *app, const Question *q) {
        Looking looking = { .question = q };
        Preview preview = { .moved = tell_moved,
                            .contradicts = tell_contradiction,
                            .userdata = &looking };
        bool alike;
        int r = app_open_store(app, true);

        if (r == 0)
                r = is_alike(app, &alike);
        if (r == 0 && !alike)
                r = preview_cases(app->engine, app->store, q->now, &preview);
        if (r < 0)
                return r;
        if (looking.named > POLICY_CASES_NAMED)
                printf("more\t%" PRIu64 "\n", looking.named - POLICY_CASES_NAMED);
        printf("end\t%" PRIu64 "\t%" PRIu64 "\t%" PRIu64 "\n", preview.cases, preview.n_moved,
               preview.n_contradictions);
        return 0;
}

int app_preview_policy(const AppOptions *options) {
        _cleanup_(config_errors_done) ConfigErrors errors = {};
        _cleanup_(app_done) App app = { .options = options };
        char digest[POLICY_DIGEST_SIZE];
        Question q = {};
        int r;

        log_open(options->log_target, LOG_DAEMON, LOG_INFO);
        read_question(&q);
        r = app_load_alone(&app, &errors);
        if (r > 0) {
                tell_messages(&errors.errors);
                return EXIT_SUCCESS;
        }
        if (r < 0)
                return EX_OSERR;
        policy_digest(app.policy, digest);
        printf("digest\t%s\n", digest);
        for (size_t i = 0; i < app.policy->n_access; i++)
                printf("identity\t%" PRIu32 "\n", (uint32_t)app.policy->access[i].id);
        if (tell_fixed(app.policy, &q, options->state && !STREQ(options->state, q.directory)))
                return EXIT_SUCCESS;
        return look_at_cases(&app, &q) < 0 ? EX_IOERR : EXIT_SUCCESS;
}

/* ---- the future ----------------------------------------------------------------------------- */

/* Whether this configuration is what is in force: another one would foretell something else. */
static int check_in_force(App *app) {
        char digest[POLICY_DIGEST_SIZE];
        PolicyVersion version = {};
        int r = version_newest(app->store, &version);

        if (r < 0)
                return r;
        policy_digest(app->policy, digest);
        r = STREQ(version.digest, digest) ? 0 : -ESTALE;
        if (r == 0)
                engine_set_version(app->engine, &version);
        version_done(&version);
        return r;
}

static const char *given(const char *text) {
        return *text ? text : NULL;
}

static void tell_future(const Simulated *s) {
        for (size_t i = 0; i < s->n_rows; i++) {
                const SimulatedEvent *e = &s->rows[i];

                printf("row\t%d\t%" PRIu64 "\t%s\t%" PRId64 "\t%" PRId64 "\t%d\t%d\t%s\t%" PRId64
                       "\t%" PRId64 "\t%" PRId64 "\n",
                       e->kind->number, e->case_id, e->clock, e->cycle, e->level, e->cause, e->role,
                       e->recipient, e->due_at, e->fired_at, e->missed);
        }
        for (size_t i = 0; i < s->n_totals; i++)
                printf("total\t%s\t%" PRIu64 "\t%" PRIu64 "\t%" PRIu64 "\n", s->totals[i].recipient,
                       s->totals[i].n[CAUSE_WARNING], s->totals[i].n[CAUSE_RUNG],
                       s->totals[i].n[CAUSE_REPEAT]);
        printf("end\t%" PRIu64 "\n", s->events);
}

static int foretell(App *app, const Question *q, Simulated *ret) {
        SimulateOptions options = {
                .now = q->now,
                .until = q->until,
                .kind = given(q->kind),
                .subcentre = given(q->subcentre),
                .dealer = given(q->dealer),
                .recipient = given(q->recipient),
                .rows_max = q->limit,
                .events_max = SIMULATE_EVENTS_MAX,
        };
        int r = app_open_store(app, true);

        if (r == 0)
                r = check_in_force(app);
        return r == 0 ? simulate_cases(app->engine, app->store, &options, ret) : r;
}

int app_simulate(const AppOptions *options) {
        _cleanup_(config_errors_done) ConfigErrors errors = {};
        _cleanup_(simulated_done) Simulated simulated = {};
        _cleanup_(app_done) App app = { .options = options };
        Question q = {};
        int r;

        log_open(options->log_target, LOG_DAEMON, LOG_INFO);
        read_question(&q);
        r = app_load_alone(&app, &errors);
        if (r == 0)
                r = foretell(&app, &q, &simulated);
        if (r > 0 || r == -ESTALE)
                puts("failed\tchanged");
        else if (r == -E2BIG)
                puts("failed\tlimit");
        else if (r < 0)
                return EX_IOERR;
        else
                tell_future(&simulated);
        return EXIT_SUCCESS;
}
