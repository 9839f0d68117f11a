/* SPDX-License-Identifier: Apache-2.0 */

/* The policy that a start brings into force, or would. What a reload would refuse because of the
 * open cases, a start refuses as well: served by it, those cases would have no deadline, or be
 * overdue for nobody, until somebody reads the log. What is in force already is served whatever
 * stands in the store. */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "aftersales/limits.h"
#include "app-internal.h"
#include "loop/preview.h"
#include "masters/unit.h"
#include "runtime/notify.h"

static int pass_over(void *userdata _unused_, const MovedDeadline *row _unused_) {
        return 0;
}

static int say_contradiction(void *userdata, const Kind *kind, uint64_t id, const char *why) {
        const Preview *preview = userdata;
        char number[CASE_NUMBER_SIZE];

        if (preview->n_contradictions == 1)
                log_error("the configuration contradicts open cases and is rejected:");
        if (preview->n_contradictions <= POLICY_CASES_NAMED)
                log_error("%s: %s", case_number(kind->letter, id, number), why);
        return 0;
}

static void say_goes_on(void *userdata _unused_) {
        notify_extend(NOTIFY_EXTEND);
}

/* With an engine of its own, which is good for nothing else afterwards. */
static int look_at_cases(App *app, Preview *preview) {
        _cleanup_(config_errors_done) ConfigErrors errors = {};
        Engine *engine = NULL;
        int r;

        notify_extend(NOTIFY_EXTEND);
        r = engine_new(app->policy, app_kinds, unit_find_recipient, &errors, &engine);
        if (r == 0)
                r = preview_cases(engine, app->store, wall_clock_now(&app->clock), preview);
        store_release(app->store);
        engine_free(engine);
        return r;
}

/* 0, CONFIG_REFUSED (it has been said why), negative errno. */
static int judge_cases(App *app, Preview *ret) {
        Preview preview = { .moved = pass_over,
                            .contradicts = say_contradiction,
                            .goes_on = say_goes_on };
        int r;

        preview.userdata = &preview;
        r = look_at_cases(app, &preview);
        *ret = preview;
        if (r < 0 || preview.n_contradictions == 0)
                return r;
        if (preview.n_contradictions > POLICY_CASES_NAMED)
                log_error("and %" PRIu64 " more", preview.n_contradictions - POLICY_CASES_NAMED);
        return CONFIG_REFUSED;
}

int app_check_cases(App *app) {
        Preview preview = {};
        int r = app_open_store(app, true);

        if (r == 0)
                r = judge_cases(app, &preview);
        if (r == 0)
                printf("%" PRIu64 " open cases looked at; %" PRIu64
                       " of them would get another deadline\n",
                       preview.cases, preview.n_moved);
        return r;
}

static int judge(App *app, const PolicyVersion *in_force) {
        Preview preview;
        int r = judge_cases(app, &preview);

        if (r > 0)
                log_error("give the configuration what these cases need and start again; policy "
                          "%" PRId64 " (%.8s) was the last in force",
                          in_force->number, in_force->digest);
        return r;
}

/* Likewise, of a policy that is not in force yet. */
static int judge_policy(App *app) {
        char timing[POLICY_DIGEST_SIZE];
        PolicyVersion in_force = {};
        int r = policy_timing(app->policy, timing);

        if (r < 0)
                return r;
        r = version_newest(app->store, &in_force);
        if (r < 0)
                return r == -ENOENT ? 0 : r;
        r = STREQ(in_force.timing, timing) ? 0 : judge(app, &in_force);
        version_done(&in_force);
        return r;
}

/* A store without room to note the policy is served all the same: its cases are computed by it as
 * soon as a later start can note it. */
int app_enter_policy(App *app) {
        int r = judge_policy(app);

        if (r == 0)
                r = engine_enter(app->engine, app->store, "daemon", wall_clock_now(&app->clock));
        if (r >= 0 || (r == -ENOSPC && !store_is_dead(app->store)))
                return MAX(r, 0);
        log_error("cannot bring the policy into force: %s", strerror(-r));
        return r;
}
