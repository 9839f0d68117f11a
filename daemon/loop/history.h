/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The history of a case or of a piece of master data: one event for each change that somebody made,
 * kept for ever. Key: kind u8 | id u64 or code text | revision u64. */

#include "record/record.h"
#include "store/store.h"

typedef struct FieldChange {
        Record record;
        char *field;
        char *before; /* as people read it; NULL: not given before */
        char *after;
} FieldChange;

typedef struct Event {
        Record record;
        int64_t kind;      /* number of the kind, or of the table of master data plus 128 */
        uint64_t id;       /* of a case */
        char *code;        /* of master data */
        uint64_t revision; /* that the change made */
        int64_t at;
        char *actor;
        char *verb;      /* the transition, "create" or "update" */
        char *from, *to; /* states of a case */
        char *note;
        List changes; /* of FieldChange: the fields that the call has set */
} Event;

extern const RecordType event_type;
extern const Table history_table;

/* Adds a FieldChange for each field of mask, or that is tracked, that differs. `before` may be
 * NULL. 0 or -ENOMEM. */
int history_add_changes(Event *event, const RecordType *type, const void *before, const void *after,
                        const FieldMask *mask);

/* The start of the keys of one case's events, or of one code's. */
Key history_prefix(int64_t kind, uint64_t id, const char *code);
/* The next event after *position (empty: the first). -ENOENT at the end. */
int history_next(Store *store, const Key *prefix, Key *position, Event *ret);
/* Replaces what changes of personal fields say. */
void history_mask(Event *event, const RecordType *type);
