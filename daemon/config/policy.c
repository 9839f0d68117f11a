/* SPDX-License-Identifier: Apache-2.0 */

#include "config/policy.h"

#include <stdlib.h>

static void calendar_spec_done(CalendarSpec *spec) {
        for (size_t i = 0; i < spec->n_days; i++)
                free(spec->days[i].name);
        free(spec->name);
        free(spec->zone);
        free(spec->days);
        free(spec->years);
}

static void target_spec_done(TargetSpec *spec) {
        for (size_t i = 0; i < spec->n_clocks; i++)
                free(spec->clocks[i].clock);
        free(spec->kind);
        free(spec->type);
        free(spec->priority);
        free(spec->calendar);
        free(spec->ladder);
        free(spec->clocks);
}

static void role_spec_done(RoleSpec *spec) {
        for (size_t i = 0; i < spec->n_permissions; i++)
                free(spec->permissions[i]);
        free(spec->name);
        free(spec->permissions);
}

static void access_rule_done(AccessRule *rule) {
        free(rule->name);
        free(rule->role);
        free(rule->unit);
}

Policy *policy_free(Policy *policy) {
        if (!policy)
                return NULL;
        for (size_t i = 0; i < policy->n_calendars; i++)
                calendar_spec_done(&policy->calendars[i]);
        for (size_t i = 0; i < policy->n_ladders; i++)
                free(policy->ladders[i].name);
        for (size_t i = 0; i < policy->n_targets; i++)
                target_spec_done(&policy->targets[i]);
        for (size_t i = 0; i < policy->n_roles; i++)
                role_spec_done(&policy->roles[i]);
        for (size_t i = 0; i < policy->n_access; i++)
                access_rule_done(&policy->access[i]);
        for (size_t i = 0; i < policy->planning.n_seasons; i++)
                free(policy->planning.seasons[i].line);
        free(policy->planning.seasons);
        free(policy->calendars);
        free(policy->ladders);
        free(policy->targets);
        free(policy->roles);
        free(policy->access);
        free(policy->state_directory);
        free(policy->backup_directory);
        free(policy->reports.calendar);
        free(policy->zone);
        free(policy->shown[0]);
        free(policy->shown[1]);
        free(policy);
        return NULL;
}
