/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Who may do what: the policy's roles and access rules, resolved. */

#include "config/config.h"
#include "loop/actor.h"

#define GROUPS_MAX 256 /* of one caller; further ones are not looked at */

typedef struct Access Access;

/* 0, CONFIG_REFUSED (unknown permissions, see errors), -ENOMEM. The policy must outlive it. */
int access_new(const Policy *policy, ConfigErrors *errors, Access **ret);
Access *access_free(Access *access);
/* Each becomes what the other was. */
void access_swap(Access *a, Access *b);

/* What a uid with these groups is: root is administrator with the scope of headquarters; else the
 * first rule for the user, else the first for one of the groups; else nobody, without any
 * permission. Fills all but the name; its texts are the policy's, which may be another one after
 * this turn of the loop: who keeps an Actor longer copies them. */
void access_find(const Access *access, uid_t uid, const gid_t *gids, size_t n_gids, Actor *ret);
