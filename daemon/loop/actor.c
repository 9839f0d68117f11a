/* SPDX-License-Identifier: Apache-2.0 */

#include "loop/actor.h"

#include <assert.h>
#include <string.h>

#include "base/macro.h"

static const char *const permission_names[] = {
#define X(symbol, name, meaning) [symbol] = name,
        PERMISSIONS(X)
#undef X
};

static_assert(_PERMISSION_MAX <= 8 * sizeof((Actor){}.permissions), "a bit for each");

const Actor daemon_actor = {
        .name = "daemon",
        .role = "daemon",
        .permissions = UINT64_MAX,
        .scope = SCOPE_HEADQUARTERS,
};

const char *permission_name(Permission permission) {
        return permission_names[permission];
}

Permission permission_from_name(const char *name) {
        for (Permission p = 0; p < _PERMISSION_MAX; p++)
                if (STREQ(permission_names[p], name))
                        return p;
        return _PERMISSION_MAX;
}

bool actor_in_scope(const Actor *actor, const char *subcentre, const char *dealer) {
        const char *unit = actor->scope == SCOPE_SUBCENTRE ? subcentre : dealer;

        return actor->scope == SCOPE_HEADQUARTERS || (unit && STREQ(unit, actor->unit));
}
