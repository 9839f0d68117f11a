/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* A kind of case, declared in one table: its states, its clocks, its transitions. The engine
 * refuses whatever the table does not allow. A business area adds a kind by adding such a table
 * with its guards and effects. */

#include "base/refusal.h"
#include "loop/actor.h"
#include "loop/case.h"
#include "loop/timing.h"
#include "store/store.h"

typedef struct Engine Engine;
typedef struct Kind Kind;
typedef struct Transition Transition;

/* What a call brings besides its fields. */
typedef struct Call {
        const Actor *actor;
        int64_t now;
        int64_t at;         /* when it happened, reported later; 0: now */
        bool quiet;         /* history is taken over: of what is past already nobody hears */
        const void *fields; /* a record of the kind's type with the values given */
        FieldMask given;
        const char *note;  /* or NULL */
        uint64_t revision; /* that the caller has seen; 0: not said */
        bool within;       /* brought about by a case, see step_create() */
} Call;

#define STATES_MAX 32
#define STATE(s)   (UINT32_C(1) << (s)) /* for sets of states, types and clocks */

/* What a guard or an effect sees and may change. */
typedef struct Step {
        const Engine *engine;
        Change *change;
        const Kind *kind;
        const Transition *transition; /* NULL: creation */
        const Actor *actor;
        int64_t now;            /* when it happens */
        int64_t told_at;        /* when it is told: later, for what is only reported */
        const Case *before;     /* as it was; NULL: creation */
        Case *item;             /* as it will be: the fields given are in place already */
        const FieldMask *given; /* which those are */
        const char *note;       /* or NULL */
        int64_t quiet_until;    /* of a quiet call: what lies before passes in silence; else 0 */
        bool within;            /* brought about by another case */
        int to;     /* the state it will enter: the table's, an effect may choose another */
        bool raise; /* reopened: one rung up the ladder, and somebody hears of it at once */
        Refusal *refusal;
} Step;

typedef enum StateClass {
        STATE_OPEN = 1,
        STATE_WAITING, /* open, and the ball is with somebody outside */
        STATE_ENDED,
} StateClass;

typedef struct StateDef {
        StateClass class;
        const char *doc;
} StateDef;

typedef struct ClockDef {
        uint32_t runs;       /* states in which it runs */
        uint32_t pauses;     /* states in which it pauses; in all others it is stopped */
        uint32_t runs_fixed; /* further states in which it runs if the case has such an instant */
        const char *doc;
        /* The deadline as an instant where the case has one (a promise), or 0 for the target. */
        int64_t (*fixed)(const Case *c);
        bool fixed_only; /* it always has one: the policy has no target for it */
} ClockDef;

struct Transition {
        const char *name; /* snake_case; the bus method is the same in CamelCase */
        uint32_t from;    /* states */
        int to;           /* state; 0: it stays where it is, unless the effect says otherwise */
        Permission permission;
        const char *takes; /* names of fields, separated by blanks */
        const char *needs; /* those of them that must be given */
        bool needs_note;
        bool internal; /* made by the daemon in the caller's name, never called by itself */
        int (*guard)(Step *step);  /* may only look: 0, > 0 refused, < 0 */
        int (*effect)(Step *step); /* changes step->item and its to and raise; likewise */
        const char *doc;
};

/* An index that answers List when a filter on this field is given. */
typedef struct ListPath {
        const char *field;
        const Index *index;
        /* The start of the keys to look at, from the record that holds the filter's values. */
        void (*prefix)(const void *filter, Key *key);
        bool urgent_first; /* the index lists open cases first, by their armed time */
} ListPath;

struct Kind {
        uint8_t number;   /* stable for ever */
        const char *name; /* "ticket" */
        char letter;      /* T17 */
        const Table *table;
        const RecordType *clock_type;
        const EnumNames *state_names, *type_names, *priority_names, *clock_names;
        const StateDef *states; /* by state */
        const ClockDef *clocks; /* by clock */
        const Transition *transitions;
        size_t n_transitions;
        const ListPath *paths; /* best first */
        size_t n_paths;
        int initial;      /* state */
        int default_type; /* 0: the type must be given */
        int default_priority;
        Permission read, create_permission;
        /* What brings such cases about where no caller creates them, with create_permission unused;
         * NULL: callers do. */
        const char *made_by;
        /* Completes and checks a new case; the engine has set state, priority and times. NULL:
         * nothing is to be added. */
        int (*create)(Step *step);
        /* The fields by which a caller knows a case besides its number, separated by blanks, and
         * the case that those of a call name: its id, 0; -ENOENT. A new case that is the same as
         * that is none. */
        const char *known_by;
        int (*find)(const Engine *engine, Store *store, const Call *call, uint64_t *ret);
        /* The deadline of a clock has passed, which happens once a cycle: what follows from that
         * besides the escalation. NULL: nothing. 0 or negative errno. */
        int (*overdue)(const Engine *engine, Change *change, const Case *c, int clock,
                       int64_t due_at, int64_t now);
        /* Whose turn it is in the state entered: a unit's code, kept in step->item->owner. */
        int (*assign_owner)(Step *step);
        const char *doc;
};

static inline StateClass state_class(const Kind *kind, int state) {
        return kind->states[state].class;
}

/* The transition of a name, or NULL. */
const Transition *kind_transition(const Kind *kind, const char *name);
/* Whether a blank-separated list of names has this one. */
bool names_have(const char *names, const char *name);
