/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* A case: anything tracked in a closed loop. The struct of every kind of case begins with a Case,
 * the field table of every kind with CASE_FIELDS; only the engine writes these members. */

#include <stdint.h>

#include "record/record.h"
#include "store/store.h"

/* A time during which a clock did not run. */
typedef struct Pause {
        Record record;
        int64_t since;
        int64_t until; /* 0: still */
        char *reason;
} Pause;

/* One clock of a case. It runs from started_at to stopped_at but for its pauses; what it has run is
 * the working time in there. Its events, in order: the warning, the rungs of the ladder, the
 * repetitions of the top rung. */
typedef struct Clock {
        Record record;
        int clock;     /* which, in the kind's table */
        int64_t cycle; /* 1, 2, ... each time it starts anew */
        int64_t started_at;
        int64_t stopped_at; /* 0: not stopped */
        int64_t target;     /* working seconds allowed; 0 with a fixed deadline */
        int64_t fixed_at;   /* a deadline given as an instant: promised time, appointment */
        int64_t deadline;   /* the last instant that is in time; 0 while paused */
        int64_t level;      /* events that have happened */
        int64_t next_at;    /* when the next one does; 0 while paused or stopped */
        bool paused;
        int64_t quiet; /* levels right below `level` that have passed without telling anybody */
        int64_t told;  /* levels that had happened in an earlier cycle over the same times; 0: none
                        */
        int64_t last_at; /* when the last one that somebody was told of was due; 0: none */
        List pauses;
} Clock;

extern const RecordType pause_type;
extern const EnumNames kind_names;

/* The fields of a clock; each kind makes a RecordType of them with the names of its clocks. */
#define CLOCK_FIELDS(names_)                                                                       \
        ENUM(1, Clock, clock, 0, names_, .doc = "which clock"),                                    \
                COUNT(2, Clock, cycle, 0, .doc = "how often it has been started"),                 \
                TIME(3, Clock, started_at, 0, .doc = "when this cycle began"),                     \
                TIME(4, Clock, stopped_at, 0, .doc = "when it stopped"),                           \
                COUNT(5, Clock, target, 0,                                                         \
                      .doc = "working seconds allowed; absent with fixed_at"),                     \
                TIME(6, Clock, fixed_at, 0,                                                        \
                     .doc = "deadline given as an instant: promise, appointment"),                 \
                TIME(7, Clock, deadline, 0,                                                        \
                     .doc = "the last instant in time; absent while paused"),                      \
                COUNT(8, Clock, level, 0, .doc = "warnings and rungs that have happened"),         \
                TIME(9, Clock, next_at, 0, .doc = "when the next one does"),                       \
                FLAG(10, Clock, paused, 0, .doc = "whether it is paused now"),                     \
                LIST(11, Clock, pauses, 0, &pause_type,                                            \
                     .doc = "times during which it did not run"),                                  \
                COUNT(12, Clock, quiet, 0,                                                         \
                      .doc = "of the levels the last ones, that nobody was told of"),              \
                COUNT(13, Clock, told, 0,                                                          \
                      .doc = "levels that had happened before its times were changed"),            \
                TIME(14, Clock, last_at, 0,                                                        \
                     .doc = "when the last one that somebody was told of was due")
#define CLOCK_TYPE(fields_)                                                                        \
        {                                                                                          \
                .name = "clock", .size = sizeof(Clock), .fields = (fields_),                       \
                .n_fields = ELEMENTS(fields_)                                                      \
        }

#define CASE_CLOCKS_MAX 8

typedef struct Case {
        Record record;
        uint64_t id;
        int kind;        /* number of the Kind */
        int state;       /* in the kind's table of states */
        int type;        /* in the kind's names of types */
        int priority;    /* in the kind's names of priorities */
        char *owner;     /* the unit whose turn it is */
        char *subcentre; /* the one sub-centre that controls it */
        char *dealer;    /* the dealer it belongs to, if any */
        int64_t created_at;
        int64_t changed_at;
        uint64_t revision; /* counts changes, from 1 */
        int64_t armed_at;  /* the earliest next event of its clocks; 0 only once ended */
        int64_t rung;      /* how high it stands on the ladder: 0 in time, 1 the first rung, ... */
        int64_t lift;      /* rungs skipped at the bottom since it was reopened */
        bool open;         /* not in a final state */
        bool overdue;      /* late, or a clock that runs is past its deadline */
        bool late;         /* somebody was told of a rung, or a clock ended late: it stays so */
        int64_t policy;    /* number of the policy that its clocks were last computed by */
        bool taken_over;   /* all that is known of it is history that was taken over in silence */
        List clocks;
} Case;

/* Tags 1..31 are the engine's; a kind's own fields begin at 32. The type's marks: FIELD_REQUIRED
 * unless the kind has a default type. */
#define CASE_FIELDS(states_, types_, type_marks_, priorities_, clock_type_)                        \
        ID(1, Case, id, 0, .doc = "number of the case"),                                           \
                ENUM(2, Case, kind, FIELD_HIDDEN, &kind_names, .doc = "kind of case"),             \
                ENUM(3, Case, state, FIELD_FILTER, states_, .doc = "where in the loop it stands"), \
                ENUM(4, Case, type,                                                                \
                     (type_marks_) | FIELD_SETTABLE | FIELD_UPDATABLE | FIELD_FILTER, types_,      \
                     .doc = "what it is about"),                                                   \
                ENUM(5, Case, priority, FIELD_SETTABLE | FIELD_UPDATABLE | FIELD_FILTER,           \
                     priorities_, .doc = "normal unless given"),                                   \
                TEXT(6, Case, owner, FIELD_FILTER | FIELD_CODE | FIELD_TRACKED, CODE_MAX_BYTES,    \
                     .doc = "code of the unit whose turn it is"),                                  \
                TEXT(7, Case, subcentre,                                                           \
                     FIELD_SETTABLE | FIELD_FILTER | FIELD_CODE | FIELD_TRACKED, CODE_MAX_BYTES,   \
                     .doc = "code of the sub-centre that controls it; found from the region"),     \
                TEXT(8, Case, dealer, FIELD_SETTABLE | FIELD_FILTER | FIELD_CODE | FIELD_TRACKED,  \
                     CODE_MAX_BYTES, .doc = "code of the dealer it belongs to"),                   \
                TIME(9, Case, created_at, 0, .doc = "when it was taken in"),                       \
                TIME(10, Case, changed_at, 0, .doc = "when it last changed"),                      \
                ID(11, Case, revision, 0, .doc = "counts its changes"),                            \
                TIME(12, Case, armed_at, 0, .doc = "when its next warning or escalation is due"),  \
                COUNT(13, Case, rung, 0, .doc = "how high it stands on the ladder; 0 in time"),    \
                COUNT(14, Case, lift, 0, .doc = "rungs it skips since it was reopened"),           \
                FLAG(15, Case, open, 0, .doc = "not in a final state"),                            \
                FLAG(16, Case, overdue, FIELD_FILTER,                                              \
                     .doc = "has run over a deadline, now or before"),                             \
                LIST(17, Case, clocks, 0, clock_type_, .doc = "its clocks"),                       \
                FLAG(18, Case, late, FIELD_HIDDEN, .doc = "was late in a way that stays"),         \
                COUNT(19, Case, policy, 0,                                                         \
                      .doc = "number of the policy that its clocks were computed by"),             \
                FLAG(20, Case, taken_over, FIELD_HIDDEN,                                           \
                     .doc = "all that is known of it was taken over in silence")

/* Indices and tallies that every kind declares. */
extern const Index index_due;         /* armed_at, kind: what is due, of all kinds */
extern const Index index_rung;        /* kind, highest rung first: open cases that have escalated */
extern const Index index_state;       /* kind, state, armed_at */
extern const Index index_subcentre;   /* kind, sub-centre, armed_at */
extern const Index index_dealer;      /* kind, dealer, armed_at */
extern const Index tally_state;       /* kind, state */
extern const Index tally_overdue;     /* kind: open and overdue, as a list with overdue=true */
extern const Index tally_unarmed;     /* open without an armed time: must stay 0 */
extern const Index tally_dealer_open; /* kind, dealer: its open cases */
extern const Index tally_subcentre_open; /* kind, sub-centre */

#define CASE_INDICES &index_due, &index_rung, &index_state, &index_subcentre, &index_dealer
#define CASE_TALLIES                                                                               \
        &tally_state, &tally_overdue, &tally_unarmed, &tally_dealer_open, &tally_subcentre_open

/* Up to schema 4 tally_overdue counted those on a rung. */
#define CASE_FORMER                                                                                \
        { &tally_overdue, 4, case_keys_on_a_rung }
void case_keys_on_a_rung(const void *record, Keys *keys);

/* Starts of their keys, and the list paths that every kind declares after its own (see kind.h). */
void case_prefix_dealer(const void *filter, Key *key);
void case_prefix_subcentre(const void *filter, Key *key);
void case_prefix_state(const void *filter, Key *key);
#define CASE_PATHS                                                                                 \
        { .field = "dealer",                                                                       \
          .index = &index_dealer,                                                                  \
          .prefix = case_prefix_dealer,                                                            \
          .urgent_first = true },                                                                  \
                { .field = "subcentre",                                                            \
                  .index = &index_subcentre,                                                       \
                  .prefix = case_prefix_subcentre,                                                 \
                  .urgent_first = true },                                                          \
        {                                                                                          \
                .field = "state", .index = &index_state, .prefix = case_prefix_state,              \
                .urgent_first = true                                                               \
        }

/* What an entry of index_due says: its instant and the kind of its case. */
int64_t due_entry_at(const Key *entry);
uint8_t due_entry_kind(const Key *entry);

/* The invariants of every case, for Table.fault. */
const char *case_fault(const void *record);
void case_key(const void *record, Key *key);

Clock *case_clock(const Case *c, int clock);

/* "T17", for site 3 "T3.17". */
#define CASE_NUMBER_SIZE 40
char *case_number(char letter, uint64_t id, char buffer[static CASE_NUMBER_SIZE]);
