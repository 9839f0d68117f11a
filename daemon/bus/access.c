/* SPDX-License-Identifier: Apache-2.0 */

#include "bus/access.h"

#include <errno.h>

#include "base/text.h"

struct Access {
        const Policy *policy;
        uint64_t *permissions; /* of each role, as in the policy */
};

static uint64_t resolve_role(const RoleSpec *role, ConfigErrors *errors) {
        static const char *const names[] = {
#define X(symbol, name, meaning) name,
                PERMISSIONS(X)
#undef X
                        NULL
        };
        uint64_t mask = 0;

        for (char **name = role->permissions; name && *name; name++) {
                Permission permission = permission_from_name(*name);
                const char *nearest = text_nearest(*name, names);

                if (permission < _PERMISSION_MAX)
                        mask |= UINT64_C(1) << permission;
                else
                        config_error_add(errors, role->place, "roles",
                                         "%s: there is no permission '%s'%s%s", role->name, *name,
                                         nearest ? "; did you mean " : "", nearest ? nearest : "");
        }
        return mask;
}

int access_new(const Policy *policy, ConfigErrors *errors, Access **ret) {
        Access *access = calloc(1, sizeof(*access));

        if (!access)
                return -ENOMEM;
        access->policy = policy;
        access->permissions = calloc(policy->n_roles + 1, sizeof(uint64_t));
        if (!access->permissions) {
                access_free(access);
                return -ENOMEM;
        }
        for (size_t i = 0; i < policy->n_roles; i++)
                access->permissions[i] = resolve_role(&policy->roles[i], errors);
        if (config_errors_any(errors)) {
                access_free(access);
                return CONFIG_REFUSED;
        }
        *ret = access;
        return 0;
}

Access *access_free(Access *access) {
        if (!access)
                return NULL;
        free(access->permissions);
        free(access);
        return NULL;
}

void access_swap(Access *a, Access *b) {
        Access kept = *a;

        *a = *b;
        *b = kept;
}

static bool has_group(const gid_t *gids, size_t n_gids, id_t gid) {
        for (size_t i = 0; i < n_gids; i++)
                if (gids[i] == gid)
                        return true;
        return false;
}

static const AccessRule *find_rule(const Policy *policy, uid_t uid, const gid_t *gids,
                                   size_t n_gids) {
        for (size_t i = 0; i < policy->n_access; i++)
                if (!policy->access[i].is_group && policy->access[i].id == uid)
                        return &policy->access[i];
        for (size_t i = 0; i < policy->n_access; i++)
                if (policy->access[i].is_group && policy->access[i].id != (id_t)-1 &&
                    has_group(gids, n_gids, policy->access[i].id))
                        return &policy->access[i];
        return NULL;
}

void access_find(const Access *access, uid_t uid, const gid_t *gids, size_t n_gids, Actor *ret) {
        const Policy *policy = access->policy;
        const AccessRule *rule;

        if (uid == 0) {
                *ret = (Actor){ .role = "administrator",
                                .permissions = UINT64_MAX,
                                .scope = SCOPE_HEADQUARTERS };
                return;
        }
        /* An impossible scope: whoever has no rule sees nothing. */
        *ret = (Actor){ .role = "none", .scope = SCOPE_DEALER, .unit = "" };
        rule = uid == (uid_t)-1 ? NULL : find_rule(policy, uid, gids, n_gids);
        for (size_t i = 0; rule && i < policy->n_roles; i++)
                if (STREQ(policy->roles[i].name, rule->role))
                        *ret = (Actor){ .role = rule->role,
                                        .permissions = access->permissions[i],
                                        .scope = rule->scope,
                                        .unit = rule->unit };
}
