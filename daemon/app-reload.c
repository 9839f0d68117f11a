/* SPDX-License-Identifier: Apache-2.0 */

/* Another policy for a daemon that runs: built beside the one in force, noted in the store, and
 * then swapped in one go. Everybody holds the same engine and the same access, whose insides
 * change; what the bus has concluded from the old access about those connected is drawn anew. */

#include <errno.h>
#include <string.h>

#include "aftersales/limits.h"
#include "app-internal.h"
#include "base/log.h"
#include "runtime/notify.h"

/* Another one than the preview has looked at, or none that can be used any more. */
static int refuse_changed(Refusal *refusal) {
        return refuse(refusal, REFUSED_TRY_AGAIN,
                      "the configuration was changed while it was being read; reload it again");
}

static int load(App *next, const NewPolicy *policy, ConfigErrors *errors, Refusal *refusal) {
        ConfigIdentities identities = { .ids = policy->ids, .n = policy->n_ids };
        char found[POLICY_DIGEST_SIZE];
        int r;

        errors->identities = &identities;
        r = app_load_policy(next, errors);
        errors->identities = NULL;
        if (r < 0)
                return refuse(refusal, REFUSED_TRY_AGAIN, "the configuration cannot be read: %s",
                              strerror(-r));
        if (r > 0)
                return refuse_changed(refusal);
        policy_digest(next->policy, found);
        return STREQ(found, policy->digest) ? 0 : refuse_changed(refusal);
}

static void take_effect(App *app, const App *before, const ConfigErrors *errors) {
        const Policy *old = before->policy, *new = app->policy;

        if (old->log_level != new->log_level || old->log_facility != new->log_facility)
                log_open(app->options->log_target, new->log_facility, new->log_level);
        store_set_journal_keep(app->store, new->journal_keep *USEC_PER_SEC);
        app_log_warnings(&errors->warnings);
        engine_missing_years(app->engine, wall_clock_now(&app->clock), app_warn_missing_year, NULL);
        bus_access_changed(app->bus);
        recompute_begin(app->recompute);
        due_replan(app->due);
        status_line_refresh(app->status);
}

static void swap(App *app, App *next) {
        Policy *policy = app->policy;

        engine_swap(app->engine, next->engine);
        access_swap(app->access, next->access);
        app->policy = next->policy;
        next->policy = policy;
}

/* Looking up users and groups may take as long as the machine's name services take: the preview has
 * done that, beside the loop. */
int app_reload(void *userdata, const NewPolicy *policy, Refusal *refusal) {
        App *app = userdata;
        _cleanup_(config_errors_done) ConfigErrors errors = {};
        _cleanup_(app_done) App next = { .options = app->options };
        int r;

        r = load(&next, policy, &errors, refusal);
        if (r != 0)
                return r;
        committer_commit(app->committer);
        r = engine_enter(next.engine, app->store, policy->by, wall_clock_now(&app->clock));
        if (r < 0)
                return refuse(
                        refusal,
                        r == -ENOSPC || r == -EDQUOT ? REFUSED_STORAGE_FULL : REFUSED_TRY_AGAIN,
                        "the policy cannot be noted in the store (%s); the one in force stays",
                        strerror(-r));
        swap(app, &next);
        take_effect(app, &next, &errors);
        return 0;
}
