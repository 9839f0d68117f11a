/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Records that are no cases. A Register declares one sort of them, as a Kind declares cases:
 *
 *      master data     under a code that people know (a unit's code, a model, a serial number),
 *                      created and changed, never deleted
 *      entries         under numbers of their own (a move of stock), made once: what was wrong is
 *                      put right by another entry. Their table is numbered.
 */

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

/* Every struct of an entry begins with an Entry, its field table with ENTRY_FIELDS; own tags from
 * 16 on. */
typedef struct Entry {
        Record record;
        uint64_t id;
        int64_t at;
        char *actor;
        char *reference;
        char *note;
        int cause; /* kind of the case that brought it about; 0: somebody made it */
        uint64_t cause_id;
} Entry;

#define ENTRY_FIELDS                                                                               \
        ID(1, Entry, id, 0, .doc = "number of the entry"),                                         \
                TIME(2, Entry, at, 0, .doc = "when it happened"),                                  \
                TEXT(3, Entry, actor, 0, NAME_MAX_BYTES * 2, .doc = "who made it"),                \
                TEXT(4, Entry, reference, FIELD_SETTABLE | FIELD_FILTER, 64,                       \
                     .doc = "the caller's own: making it again gives the same entry"),             \
                TEXT(5, Entry, note, FIELD_PERSONAL, TEXT_MAX_BYTES,                               \
                     .doc = "what the caller remarked"),                                           \
                ENUM(6, Entry, cause, FIELD_FILTER, &kind_names,                                   \
                     .doc = "kind of the case that brought it about"),                             \
                ID(7, Entry, cause_id, FIELD_FILTER, .doc = "number of that case")

/* What a check sees, and may complete. */
typedef struct RegisterStep {
        const Engine *engine;
        Store *store;
        void *record;       /* as it will be: what the call gives is in place already */
        const void *before; /* as it was; NULL: a new one, or an entry */
        const Call *call;
        Refusal *refusal;
} RegisterStep;

typedef struct Register {
        const char *name; /* "unit" */
        char letter;      /* of entries: M17 */
        const Table *table;
        Permission read, write;
        const ListPath *paths;
        size_t n_paths;
        /* What brings entries about where no caller makes them, with write unused; NULL: callers
         * do. */
        const char *made_by;
        /* Completes and checks a record before it is written. 0, > 0 refused, < 0. NULL: nothing
         * is to be added. */
        int (*check)(const RegisterStep *step);
        /* What a new entry brings about with cases, within its change; NULL: nothing. Likewise. */
        int (*made)(const RegisterStep *step, Change *change);
        /* Whether it is within the actor's scope; NULL: they are everybody's. */
        bool (*may_see)(const Actor *actor, const void *record);
        const Index *references; /* of entries: by the caller's own */
        const char *doc;
} Register;

static inline bool register_shows(const Register *reg, const Actor *actor, const void *record) {
        return !reg->may_see || reg->may_see(actor, record);
}

void master_key(const void *record, Key *key);

/* 0 and the new revision, > 0 refused, < 0. */
int register_create(const Register *reg, const Engine *engine, Change *change, const Call *call,
                    uint64_t *ret_revision, Refusal *refusal);
/* An entry, in a caller's name. *ret_created is false when its reference was in use already. 0, > 0
 * refused, < 0. */
int register_add(const Register *reg, const Engine *engine, Change *change, const Call *call,
                 uint64_t *ret_id, bool *ret_created, Refusal *refusal);
/* One that a case has brought about: gives it its number. 0 or negative errno. */
int register_enter(const Register *reg, Change *change, void *entry);
void entry_key(const void *record, Key *key);
void entry_keys_reference(const void *record, Keys *keys);
int register_update(const Register *reg, const Engine *engine, Change *change, const char *code,
                    const Call *call, uint64_t *ret_revision, Refusal *refusal);
