/* SPDX-License-Identifier: Apache-2.0 */

/* The keys of the areas roles and access. */

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <string.h>

#include "config/config-internal.h"
#include "config/keys.h"
#include "config/policy.h"

static int scan_role(Walker *w, const Schema *s, const char *text, void *target) {
        return config_refer(w, s, text, target, CONFIG_ROLE);
}

static int scan_permission(Walker *w, const Schema *s, const char *text, void *target) {
        size_t position = w->steps[w->n_steps - 1].index;
        char **permission = target, **first = permission - position;

        if (text[strspn(text, "abcdefghijklmnopqrstuvwxyz_.")])
                return schema_refuse_value(w, s, text, "has other characters than a-z, _ and .");
        for (size_t i = 0; i < position; i++)
                if (first[i] && STREQ(first[i], text))
                        return scalar_refuse_repeated(w, text);
        return scalar_text(w, s, text, permission);
}

static int begin_role(Walker *w, void *element, const char *key) {
        RoleSpec *role = element;

        role->place = w->place;
        return keys_begin_named(w, element, key);
}

static const Schema role_schema = {
        .what = "a list of permissions such as [ticket.read, ticket.create]",
        .items = &(const Schema){ NAME_OF("a permission such as ticket.read", scan_permission) },
        ARRAY(PERMISSIONS_MAX, RoleSpec, permissions, ),
};

const Schema roles_schema = {
        .what = "names of roles with their permissions",
        .others = &role_schema,
        ARRAY(ROLES_MAX, Policy, roles, .begin = begin_role),
};

static int begin_access(_unused_ Walker *w, void *element, _unused_ const char *key) {
        AccessRule *rule = element;

        rule->id = (id_t)-1;
        return 0;
}

/* 0, whether or not there is such a name; ERANGE: the buffer is too small; other errno: nobody
 * knows. (For a name that there is not, databases tell ENOENT, ESRCH, EBADF and the like.) */
static int look_up(AccessRule *rule, char *buffer, size_t size) {
        struct group group, *found_group = NULL;
        struct passwd user, *found_user = NULL;
        int r;

        r = rule->is_group ? getgrnam_r(rule->name, &group, buffer, size, &found_group)
                           : getpwnam_r(rule->name, &user, buffer, size, &found_user);
        if (found_group)
                rule->id = found_group->gr_gid;
        if (found_user)
                rule->id = found_user->pw_uid;
        return r == ERANGE || r == ENOMEM || r == EIO || r == EMFILE || r == ENFILE ? r : 0;
}

/* As it was looked up before. */
static id_t take_identity(ConfigIdentities *identities) {
        return identities->next < identities->n ? identities->ids[identities->next++] : (id_t)-1;
}

static int ask_name_service(AccessRule *rule) {
        int r = ERANGE;

        for (size_t size = 1024; r == ERANGE && size <= GROUP_BYTES_MAX; size *= 2) {
                _cleanup_free_ char *buffer = malloc(size);

                if (!buffer)
                        return -ENOMEM;
                r = look_up(rule, buffer, size);
        }
        return r == ERANGE ? 0 : -r;
}

/* The first rule for somebody holds, and root needs none: another would be of no effect. */
static int check_identity(Walker *w, const AccessRule *rule) {
        size_t position = w->steps[w->n_steps - 2].index;
        const AccessRule *first = rule - position;

        for (size_t i = 0; i < position; i++)
                if (first[i].name && first[i].is_group == rule->is_group &&
                    (STREQ(first[i].name, rule->name) ||
                     (rule->id != (id_t)-1 && first[i].id == rule->id)))
                        return walker_refuse(w,
                                             "access[%zu] is a rule for this %s already; remove "
                                             "one of the two",
                                             i, rule->is_group ? "group" : "user");
        if (!rule->is_group && rule->id == 0)
                walker_warn(w, "root may do everything in any case; remove the rule");
        return 0;
}

static int set_identity(Walker *w, const Schema *s, const char *text, AccessRule *rule,
                        bool is_group) {
        int r;

        if (rule->name)
                return walker_refuse(w, "the rule has a user and a group; write two rules");
        r = scalar_text(w, s, text, &rule->name);
        if (r != 0)
                return r;
        rule->is_group = is_group;
        if (w->errors->identities)
                rule->id = take_identity(w->errors->identities);
        else
                r = ask_name_service(rule);
        if (r < 0)
                return r;
        if (rule->id == (id_t)-1)
                walker_warn(w,
                            "this machine knows no %s '%s'; create it and reload, or remove the "
                            "rule",
                            is_group ? "group" : "user", text);
        return check_identity(w, rule);
}

static int scan_user(Walker *w, const Schema *s, const char *text, void *target) {
        return set_identity(w, s, text, target, false);
}

static int scan_group(Walker *w, const Schema *s, const char *text, void *target) {
        return set_identity(w, s, text, target, true);
}

static int set_scope(Walker *w, const Schema *s, const char *text, AccessRule *rule,
                     ScopeKind kind) {
        if (rule->unit)
                return walker_refuse(w, "the scope has two units; write two rules");
        rule->scope = kind;
        return scalar_text(w, s, text, &rule->unit);
}

static int scan_subcentre(Walker *w, const Schema *s, const char *text, void *target) {
        return set_scope(w, s, text, target, SCOPE_SUBCENTRE);
}

static int scan_dealer(Walker *w, const Schema *s, const char *text, void *target) {
        return set_scope(w, s, text, target, SCOPE_DEALER);
}

static int scan_headquarters(Walker *w, const Schema *s, const char *text, void *target) {
        AccessRule *rule = target;

        if (!STREQ(text, "headquarters"))
                return schema_refuse_value(w, s, text, "is unknown");
        rule->scope = SCOPE_HEADQUARTERS;
        return 0;
}

static int check_scope(Walker *w, void *target) {
        const AccessRule *rule = target;

        return rule->unit ? 0
                          : walker_refuse(w, "the scope has no unit; write {subcentre: CODE}, "
                                             "{dealer: CODE} or headquarters");
}

static int check_access(Walker *w, void *target) {
        const AccessRule *rule = target;

        return rule->name ? 0
                          : walker_refuse(w, "the rule is for nobody; write user: NAME or "
                                             "group: NAME into it");
}

#define CODE_OF(what_, scan) .what = (what_), .scalar = (scan), .max = CODE_MAX_BYTES

static const Schema scope_schema = {
        .what = "headquarters, {subcentre: CODE} or {dealer: CODE}",
        .scalar = scan_headquarters,
        .check = check_scope,
        .keys = KEYS(KEY("subcentre", 0, IS(CODE_OF("the code of a sub-centre", scan_subcentre)),
                         .doc = "Sees the cases of this sub-centre."),
                     KEY("dealer", 0, IS(CODE_OF("the code of a dealer", scan_dealer)),
                         .doc = "Sees the cases of this dealer.")),
};
static const Schema access_rule_schema = {
        .what = "the keys user or group, role and scope",
        .check = check_access,
        .keys = KEYS(
                KEY("user", 0, IS(NAME_OF("the name of a user", scan_user)),
                    .doc = "Whom the rule is for: a user,"),
                KEY("group", 0, IS(NAME_OF("the name of a group", scan_group)),
                    .doc = "or a group with all its members."),
                KEY("role", offsetof(AccessRule, role),
                    IS(NAME_OF("the name of a role", scan_role)), REQUIRED,
                    .doc = "What they may do."),
                KEY("scope", 0, .schema = &scope_schema, REQUIRED, .doc = "Whose cases they see.")),
};

const Schema access_schema = {
        .what = "a list of rules such as {user: NAME, role: NAME, scope: headquarters}",
        .items = &access_rule_schema,
        ARRAY(ACCESS_RULES_MAX, Policy, access, .begin = begin_access),
};
