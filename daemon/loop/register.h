/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Master data: records under a code that people know (a unit's code, a model, a serial number),
 * created and changed, never deleted. A Register declares one sort of them, as a Kind declares
 * cases. */

#include "base/refusal.h"
#include "loop/actor.h"
#include "loop/engine.h"
#include "loop/kind.h"
#include "record/record.h"
#include "store/store.h"

/* Every such struct begins with a Master, its field table with MASTER_FIELDS; own tags from 8 on.
 */
typedef struct Master {
        Record record;
        char *code;
        uint64_t revision;
        int64_t created_at, changed_at;
} Master;

#define MASTER_FIELDS(code_doc_)                                                                   \
        TEXT(1, Master, code, FIELD_REQUIRED | FIELD_SETTABLE | FIELD_CODE, CODE_MAX_BYTES,        \
             .doc = (code_doc_)),                                                                  \
                ID(2, Master, revision, 0, .doc = "counts its changes"),                           \
                TIME(3, Master, created_at, 0, .doc = "when it was created"),                      \
                TIME(4, Master, changed_at, 0, .doc = "when it last changed")

#define HISTORY_KIND_OF_MASTER 128 /* plus the table's number */

/* What a check sees, and may complete. */
typedef struct MasterStep {
        const Engine *engine;
        Store *store;
        void *record;       /* as it will be: what the call gives is in place already */
        const void *before; /* as it was; NULL: a new one */
        const Call *call;
        Refusal *refusal;
} MasterStep;

typedef struct Register {
        const char *name; /* "unit" */
        const Table *table;
        Permission read, write;
        const ListPath *paths;
        size_t n_paths;
        /* Completes and checks a record before it is written. 0, > 0 refused, < 0. */
        int (*check)(const MasterStep *entry);
        const char *doc;
} Register;

void master_key(const void *record, Key *key);

/* 0 and the new revision, > 0 refused, < 0. */
int register_create(const Register *reg, const Engine *engine, Change *change, const Call *call,
                    uint64_t *ret_revision, Refusal *refusal);
int register_update(const Register *reg, const Engine *engine, Change *change, const char *code,
                    const Call *call, uint64_t *ret_revision, Refusal *refusal);
