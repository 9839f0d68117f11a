/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What imports and exports have in common. */

#include "bus/jobs.h"
#include "transfer/row.h"

/* What a file is about: one of the two is set. */
typedef struct TransferSubject {
        const Kind *kind;
        const Register *reg;
} TransferSubject;

/* 0 or REFUSED_NOT_FOUND with the names that there are. */
int transfer_subject(const char *name, TransferSubject *ret, Refusal *refusal);
/* The value of a name of the list, or a refusal; NULL: the first. */
int transfer_choice(const char *key, const char *text, const char *const *names, int n, int *ret,
                    Refusal *refusal);

/* The caller as somebody who outlives the call. */
typedef struct TransferActor {
        Actor actor;
        char name[NAME_MAX_BYTES * 2], role[NAME_MAX_BYTES + 1], unit[CODE_MAX_BYTES + 1];
} TransferActor;
void transfer_actor(const BusCall *call, TransferActor *ret);

int transfer_import(BusCall *call);
int transfer_export(BusCall *call);
