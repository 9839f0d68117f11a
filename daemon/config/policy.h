/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The policy: everything the configuration says, as plain data without behaviour. It is built
 * once by config_load() and never changed afterwards; a reload builds another one beside it. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "aftersales/limits.h"
#include "config/errors.h"

/* ---- time ---------------------------------------------------------------------------------- */

/* A stretch of local wall-clock time within one day, in seconds since local midnight:
 * 0 <= from < until <= 86400. */
typedef struct DayStretch {
        int32_t from;
        int32_t until;
} DayStretch;

/* The working hours of a day: ascending stretches that do not touch; none means a day off. */
typedef struct DayHours {
        size_t n;
        DayStretch stretches[CALENDAR_STRETCHES_MAX];
} DayHours;

/* A day that overrides the weekly pattern. */
typedef struct SpecialDay {
        int32_t day;    /* days since 1970-01-01 in the calendar's zone */
        DayHours hours; /* none: off; a make-up day has the calendar's make-up hours */
        char *name;     /* what explain calls it, e.g. "国庆节"; may be NULL */
        bool makeup;    /* a make-up working day */
        bool by_hand;   /* from the configuration file itself, not from a holiday file */
} SpecialDay;

/* The calendar that is always there: round the clock, in UTC. */
#define CALENDAR_ALWAYS "always"

typedef struct CalendarSpec {
        char *name;
        char *zone;       /* IANA name, e.g. Asia/Shanghai */
        DayHours week[7]; /* Monday first */
        DayHours makeup;  /* of make-up days; unless given, Monday's */
        SpecialDay *days; /* ascending by day, each day once */
        size_t n_days;
        size_t n_files;      /* holiday files it lists */
        int64_t file_year;   /* that the last of them says it is of */
        bool needs_holidays; /* lists holiday files or asks for it by expect_holidays: a coming
                              * year without data is warned of */
        int16_t *years;      /* ascending: those that at least one of its days lies in */
        size_t n_years;
} CalendarSpec;

/* ---- escalation ---------------------------------------------------------------------------- */

/* Who hears of a rung. The names are those of the configuration and of the bus. */
typedef enum Recipient {
        RECIPIENT_OWNER = 1, /* the unit whose turn it is */
        RECIPIENT_SUBCENTRE, /* the sub-centre of the case */
        RECIPIENT_BUSINESS,  /* the departments of headquarters */
        RECIPIENT_PARTS,
        RECIPIENT_TECHNICAL,
        RECIPIENT_GENERAL,
        RECIPIENT_PRESIDENT,
        _RECIPIENT_MAX,
} Recipient;

#define RECIPIENT_NAMES                                                                            \
        [RECIPIENT_OWNER] = "owner", [RECIPIENT_SUBCENTRE] = "subcentre",                          \
        [RECIPIENT_BUSINESS] = "business", [RECIPIENT_PARTS] = "parts",                            \
        [RECIPIENT_TECHNICAL] = "technical", [RECIPIENT_GENERAL] = "general",                      \
        [RECIPIENT_PRESIDENT] = "president"

typedef struct LadderRung {
        Recipient to;
        int64_t after; /* seconds of the clock's calendar after the rung before it; 0 for the first,
                        * which comes at the deadline */
} LadderRung;

typedef struct LadderSpec {
        char *name;
        int64_t warn_percent; /* the owner is reminded when this share of the time is gone; 0: never
                               */
        LadderRung rungs[LADDER_RUNGS_MAX];
        size_t n_rungs; /* at least one */
        int64_t repeat; /* seconds of the calendar between repetitions of the top rung */
} LadderSpec;

/* Targets of one kind of case for one class (type) and priority. Which kinds, classes, priorities
 * and clocks exist is the business of the case engine, which resolves these names at start. */
typedef struct TargetClock {
        char *clock;
        int64_t seconds;   /* of the calendar */
        ConfigPlace place; /* of its name */
} TargetClock;

typedef struct TargetSpec {
        char *kind;
        char *type; /* "default": every type that has no entry of its own */
        char *priority;
        char *calendar; /* NULL: as in the default type's entry of the same priority, which then
                         * has one */
        char *ladder;   /* likewise */
        TargetClock *clocks;
        size_t n_clocks;
        ConfigPlace place; /* of its priority */
} TargetSpec;

/* ---- tickets ------------------------------------------------------------------------------- */

typedef struct TicketPolicy {
        uint32_t visit_required;   /* bit mask over TicketType: 1 << type */
        bool assign_dealer;        /* a new ticket gets the dealer with the fewest open ones */
        int64_t followup_attempts; /* unreachable on so many different days: sub-centre decides */
        int64_t repeat_within;     /* seconds: a repair this soon after another is a repeat */
} TicketPolicy;

/* ---- reports ------------------------------------------------------------------------------- */

/* Of dealers, each day. */
typedef struct ReportPolicy {
        char *calendar;    /* on whose working days they are expected */
        int64_t cutoff;    /* seconds since local midnight; 0: none are expected */
        int64_t bonus;     /* fen for one that comes in time */
        ConfigPlace place; /* of the cut-off */
} ReportPolicy;

/* ---- planning of parts --------------------------------------------------------------------- */

#define SEASONS_MAX 64

/* How demand for the parts of a product line goes with the months of a year. */
typedef struct SeasonSpec {
        char *line;
        int64_t percent[12]; /* January first; 100: as on the average */
        size_t n_percent;
} SeasonSpec;

/* The use of so many months decides, and it shall last for so many. */
typedef struct PlanRule {
        int64_t months, factor;
} PlanRule;

typedef struct PlanningPolicy {
        int64_t submit_day; /* of the month, on which plans must be there; 0: none are made */
        bool net;           /* what is ordered or on its way counts as there */
        PlanRule units, headquarters;
        SeasonSpec *seasons;
        size_t n_seasons;
} PlanningPolicy;

/* ---- access -------------------------------------------------------------------------------- */

typedef struct RoleSpec {
        char *name;
        char **permissions; /* names of the permission table, NULL-terminated; NULL if none */
        size_t n_permissions;
        ConfigPlace place; /* of its name */
} RoleSpec;

typedef enum ScopeKind {
        SCOPE_HEADQUARTERS = 1, /* sees every case */
        SCOPE_SUBCENTRE,        /* sees the cases of one sub-centre */
        SCOPE_DEALER,           /* sees the cases of one dealer */
        _SCOPE_MAX,
} ScopeKind;

typedef struct AccessRule {
        bool is_group; /* else a user */
        char *name;    /* user or group name */
        id_t id;       /* its uid or gid; (id_t)-1 when this machine does not know the name */
        char *role;
        ScopeKind scope;
        char *unit; /* the unit's code for SCOPE_SUBCENTRE and SCOPE_DEALER */
} AccessRule;

/* ---- all of it ----------------------------------------------------------------------------- */

typedef struct Policy {
        uint8_t digest[32];      /* SHA-256 over the configuration file, its drop-ins and then
                                  * its holiday files in order: the policy version */
        char *shown[2];          /* the whole as YAML: without and with where each value stands */
        int64_t site;            /* 0..65535, the upper 16 bits of every id */
        char *state_directory;   /* where the store lives */
        int64_t map_size;        /* bytes */
        char *backup_directory;  /* or NULL: backup in that of the store */
        int64_t backup_keep;     /* how many */
        int64_t journal_keep;    /* seconds */
        int64_t request_keep;    /* seconds an answer to a request id is remembered */
        char *zone;              /* in which dates are cut: months, days of attempts, sales */
        int log_level;           /* syslog level, LOG_ERR..LOG_DEBUG */
        int log_facility;        /* syslog facility, e.g. LOG_DAEMON */
        int64_t late_after;      /* seconds: an escalation fired later than this is caught up
                                  * in a summary instead of announced one by one */
        int64_t suspect_jump;    /* seconds: see clock-suspect */
        int64_t holiday_warning; /* seconds before a year without holiday data to warn */
        CalendarSpec *calendars; /* the last one is CALENDAR_ALWAYS */
        size_t n_calendars;
        LadderSpec *ladders;
        size_t n_ladders;
        TargetSpec *targets;
        size_t n_targets;
        TicketPolicy tickets;
        ReportPolicy reports;
        PlanningPolicy planning;
        RoleSpec *roles;
        size_t n_roles;
        AccessRule *access;
        size_t n_access;
} Policy;

/* Frees the policy and everything it holds; accepts NULL and half-built ones. */
Policy *policy_free(Policy *policy);
