/* SPDX-License-Identifier: Apache-2.0 */

/* The table from which a policy is read, area by area with the little code that its values need. */

#include "config/keys.h"

#include <errno.h>
#include <string.h>
#include <syslog.h>

#include "aftersales/ticket.h"
#include "config/config-internal.h"
#include "config/policy.h"

/* ---- what several areas use ---------------------------------------------------------------- */

int keys_begin_named(Walker *w, void *element, const char *key) {
        char **name = element;

        static_assert(offsetof(CalendarSpec, name) == 0 && offsetof(LadderSpec, name) == 0 &&
                              offsetof(RoleSpec, name) == 0 && offsetof(TargetClock, clock) == 0,
                      "the name is the first member");
        if (scalar_check_name(w, key) > 0)
                return CONFIG_REFUSED;
        *name = strdup(key);
        return *name ? 0 : -ENOMEM;
}

const Schema any_text_schema = { .what = "a text", .scalar = scalar_text, .max = TEXT_MAX_BYTES };
const Schema flag_schema = { .what = "true or false", .scalar = scalar_bool };
const Schema date_schema = { .what = "a date such as 2026-10-01", .scalar = scalar_date };
const Schema zone_schema = {
        .what = "an IANA name such as Asia/Shanghai",
        .scalar = scalar_zone,
        .max = NAME_MAX_BYTES,
};

/* ---- ladders ------------------------------------------------------------------------------- */

static const char *const recipient_names[] = { RECIPIENT_NAMES };

static int check_ladder(Walker *w, void *target) {
        const LadderSpec *ladder = target;

        if (ladder->n_rungs == 0)
                return walker_refuse(w, "there are no rungs; write at least one");
        return 0;
}

static int scan_after(Walker *w, const Schema *s, const char *text, void *target) {
        int64_t *after = target;
        const WalkerStep *rung = &w->steps[w->n_steps - 2]; /* the last step is this key */
        int r;

        r = scalar_working(w, s, text, after);
        if (r == 0 && *after != 0 && rung->index == 0)
                return walker_refuse(w, "the first rung comes at the deadline; write after: 0s");
        return r;
}

static const Schema rung_schema = {
        .what = "the keys to and after",
        .keys = KEYS(
                KEY("to", offsetof(LadderRung, to),
                    IS(.what = "who hears of it, such as owner or subcentre", .scalar = scalar_enum,
                       .names = recipient_names, .n_names = ELEMENTS(recipient_names)),
                    REQUIRED, .doc = "Who hears of it."),
                KEY("after", offsetof(LadderRung, after), IS(WORKING_OF(scan_after, 0)), REQUIRED,
                    .doc = "Working time after the rung before it; 0s for the first, which comes "
                           "at the deadline.")),
};

static const Schema ladder_schema = {
        .what = "the keys warn_at, rungs and repeat",
        .check = check_ladder,
        .keys = KEYS(
                KEY("warn_at", offsetof(LadderSpec, warn_percent),
                    IS(.what = "a share of the time from 0% to 99%", .scalar = scalar_percent,
                       .min = 0, .max = 99),
                    .fallback = "80%",
                    .doc = "The owner is reminded when so much of the time is gone; 0%: never."),
                KEY("rungs", 0,
                    IS(.what = "a list of rungs such as {to: owner, after: 0s}",
                       .items = &rung_schema,
                       ARRAY(LADDER_RUNGS_MAX, LadderSpec, rungs, .fixed = true)),
                    REQUIRED, .doc = "Who hears of a missed deadline, one after the other."),
                KEY("repeat", offsetof(LadderSpec, repeat), IS(WORKING(1)), .fallback = "8h",
                    .doc = "Working time until the top rung is told again, and again.")),
};

/* ---- targets ------------------------------------------------------------------------------- */

static int scan_calendar(Walker *w, const Schema *s, const char *text, void *target) {
        return config_refer(w, s, text, target, CONFIG_CALENDAR);
}

static int scan_ladder(Walker *w, const Schema *s, const char *text, void *target) {
        return config_refer(w, s, text, target, CONFIG_LADDER);
}

static int begin_target_name(Walker *w, _unused_ void *element, const char *key) {
        return scalar_check_name(w, key);
}

/* The path to it is targets, kind, type, priority. */
static int begin_target(Walker *w, void *element, const char *key) {
        TargetSpec *target = element;

        if (scalar_check_name(w, key) > 0)
                return CONFIG_REFUSED;
        target->kind = strdup(w->steps[1].key);
        target->type = strdup(w->steps[2].key);
        target->priority = strdup(key);
        target->place = w->place;
        return target->kind && target->type && target->priority ? 0 : -ENOMEM;
}

static int begin_clock(Walker *w, void *element, const char *key) {
        TargetClock *clock = element;

        clock->place = w->place;
        return keys_begin_named(w, element, key);
}

static const Schema target_schema = {
        .what = "clocks with their times, such as {response: 2h, resolve: 24h}",
        .keys = KEYS(
                KEY("calendar", offsetof(TargetSpec, calendar),
                    IS(NAME_OF("the name of a calendar", scan_calendar)),
                    .doc = "Whose working time counts; unless given, that of the type default."),
                KEY("ladder", offsetof(TargetSpec, ladder),
                    IS(NAME_OF("the name of a ladder", scan_ladder)),
                    .doc = "Who hears of a missed deadline; unless given, as for default.")),
        .others = &(const Schema){ WORKING(1) },
        ARRAY(TARGET_NAMES_MAX, TargetSpec, clocks, .begin = begin_clock,
              .value = offsetof(TargetClock, seconds)),
};
static const Schema target_type_schema = {
        .what = "priorities such as normal, each with its clocks",
        .others = &target_schema,
        ARRAY(TARGET_NAMES_MAX, Policy, targets, .begin = begin_target),
};
static const Schema target_kind_schema = {
        .what = "types such as default or repair, each with its priorities",
        .others = &target_type_schema,
        .array = { .max = TARGET_NAMES_MAX, .begin = begin_target_name },
};

/* ---- the whole ----------------------------------------------------------------------------- */

static const char *const level_names[] = {
        [LOG_ERR] = "err",   [LOG_WARNING] = "warning", [LOG_NOTICE] = "notice",
        [LOG_INFO] = "info", [LOG_DEBUG] = "debug",
};
static const char *const facility_names[] = {
        [LOG_FAC(LOG_USER)] = "user",     [LOG_FAC(LOG_DAEMON)] = "daemon",
        [LOG_FAC(LOG_LOCAL0)] = "local0", [LOG_FAC(LOG_LOCAL1)] = "local1",
        [LOG_FAC(LOG_LOCAL2)] = "local2", [LOG_FAC(LOG_LOCAL3)] = "local3",
        [LOG_FAC(LOG_LOCAL4)] = "local4", [LOG_FAC(LOG_LOCAL5)] = "local5",
        [LOG_FAC(LOG_LOCAL6)] = "local6", [LOG_FAC(LOG_LOCAL7)] = "local7",
};
static const char *const ticket_type_names[] = { TICKET_TYPE_NAMES };

static int scan_directory(Walker *w, const Schema *s, const char *text, void *target) {
        if (text[0] != '/')
                return schema_refuse_value(w, s, text, "is not an absolute path");
        return scalar_text(w, s, text, target);
}

static int scan_facility(Walker *w, const Schema *s, const char *text, void *target) {
        int facility, r;

        r = scalar_enum(w, s, text, &facility);
        if (r == 0)
                *(int *)target = facility << 3;
        return r;
}

static const Schema store_schema = {
        .what = "the keys directory and map_size",
        .keys = KEYS(
                KEY("directory", offsetof(Policy, state_directory),
                    IS(.what = "an absolute path such as /var/lib/aftersalesd",
                       .scalar = scan_directory, .max = DIRECTORY_MAX_BYTES),
                    .fallback = "/var/lib/aftersalesd", .doc = "Where the database lives."),
                KEY("map_size", offsetof(Policy, map_size),
                    IS(.what = "a size such as 512MiB or 64GiB", .scalar = scalar_size, .min = MIB,
                       .max = 16 * TIB),
                    .fallback = "64GiB",
                    .doc = "How large the database may become; address space, not disk space.")),
};
static const Schema log_schema = {
        .what = "the keys level and facility",
        .keys = KEYS(KEY("level", offsetof(Policy, log_level),
                         IS(.what = "a level such as info", .scalar = scalar_enum,
                            .names = level_names, .n_names = ELEMENTS(level_names)),
                         .fallback = "info", .doc = "What is less important is not logged."),
                     KEY("facility", offsetof(Policy, log_facility),
                         IS(.what = "a facility such as daemon", .scalar = scan_facility,
                            .names = facility_names, .n_names = ELEMENTS(facility_names)),
                         .fallback = "daemon", .doc = "The facility of syslog.")),
};
static const Schema backup_schema = {
        .what = "the keys directory and keep",
        .keys = KEYS(
                KEY("directory", offsetof(Policy, backup_directory),
                    IS(.what = "an absolute path such as /var/backups/aftersalesd",
                       .scalar = scan_directory, .max = DIRECTORY_MAX_BYTES),
                    .doc = "Where backups are made; backup in the store's directory if not given."),
                KEY("keep", offsetof(Policy, backup_keep), IS(INTEGER(1, 1000)), .fallback = "7",
                    .doc = "How many are kept; the oldest go when a new one is good.")),
};
static const Schema journal_schema = {
        .what = "the key keep",
        .keys = KEYS(KEY("keep", offsetof(Policy, journal_keep), IS(DURATION(HOUR, 10 * YEAR)),
                         .fallback = "30d", .doc = "How long the journal of changes is kept.")),
};
static const Schema requests_schema = {
        .what = "the key keep",
        .keys = KEYS(KEY("keep", offsetof(Policy, request_keep), IS(DURATION(MINUTE, YEAR)),
                         .fallback = "7d",
                         .doc = "How long a repeated request id gets its first answer again.")),
};
static const Schema escalation_schema = {
        .what = "the keys late_after, suspect_jump and holiday_warning",
        .keys = KEYS(
                KEY("late_after", offsetof(Policy, late_after), IS(DURATION(1, DAY)),
                    .fallback = "5m",
                    .doc = "Escalations fired later than this are told together in a summary."),
                KEY("suspect_jump", offsetof(Policy, suspect_jump), IS(DURATION(HOUR, 10 * YEAR)),
                    .fallback = "30d",
                    .doc = "A clock that jumps by more holds all escalations until accepted."),
                KEY("holiday_warning", offsetof(Policy, holiday_warning), IS(DURATION(0, YEAR)),
                    .fallback = "60d",
                    .doc = "How long before a year without holidays the warning begins.")),
};
static const Schema tickets_schema = {
        .what = "keys such as visit_required and assign_dealer",
        .keys = KEYS(
                KEY("visit_required", offsetof(Policy, tickets.visit_required),
                    IS(.what = "a list of ticket types such as [installation, repair]",
                       .items = &(const Schema){ .what = "a ticket type such as repair",
                                                 .scalar = scalar_bit,
                                                 .names = ticket_type_names,
                                                 .n_names = ELEMENTS(ticket_type_names) },
                       .array = { .max = SCHEMA_NAMES_MAX }),
                    .fallback = "[installation, repair, return_exchange, recycling, cleaning]",
                    .doc = "The types that cannot be resolved without a visit."),
                KEY("assign_dealer", offsetof(Policy, tickets.assign_dealer),
                    .schema = &flag_schema, .fallback = "true",
                    .doc = "A new ticket gets the region's dealer with the fewest open ones."),
                KEY("followup_attempts", offsetof(Policy, tickets.followup_attempts),
                    IS(INTEGER(1, 100)), .fallback = "3",
                    .doc = "Days on which a customer is not reached until the sub-centre decides."),
                KEY("repeat_within", offsetof(Policy, tickets.repeat_within),
                    IS(DURATION(0, 10 * YEAR)), .fallback = "30d",
                    .doc = "A repair so soon after another of the same unit is a repeat.")),
};

static int scan_cutoff(Walker *w, const Schema *s, const char *text, void *target) {
        ReportPolicy *reports = target;

        reports->place = w->place;
        return scalar_clock(w, s, text, &reports->cutoff);
}

static const Schema reports_schema = {
        .what = "the keys calendar, cutoff and bonus",
        .keys = KEYS(KEY("calendar", offsetof(Policy, reports.calendar),
                         IS(NAME_OF("the name of a calendar", scan_calendar)),
                         .doc = "On whose working days reports are expected."),
                     KEY("cutoff", offsetof(Policy, reports),
                         IS(.what = "a time of the day such as 18:00, from 00:01 to 24:00",
                            .scalar = scan_cutoff, .min = MINUTE, .max = DAY),
                         .doc = "Until when they must be there; unless given, none are expected."),
                     KEY("bonus", offsetof(Policy, reports.bonus), IS(INTEGER(0, 100000000)),
                         .fallback = "0",
                         .doc = "What a report in time earns the dealer, in fen.")),
};

/* A product line, as products and parts name it. */
static int begin_season(Walker *w, void *element, const char *key) {
        SeasonSpec *season = element;

        if (strlen(key) > CODE_MAX_BYTES)
                return walker_refuse(w, "this is no product line; write at most %d bytes",
                                     CODE_MAX_BYTES);
        season->line = strdup(key);
        return season->line ? 0 : -ENOMEM;
}

static int check_season(Walker *w, void *target) {
        const SeasonSpec *season = target;

        if (season->n_percent == ELEMENTS(season->percent))
                return 0;
        return walker_refuse(w, "there are %zu months; write one number for each of twelve",
                             season->n_percent);
}

static const Schema season_schema = {
        .what = "twelve percentages, January first",
        .items = &(const Schema){ INTEGER(0, 10000) },
        ARRAY(12, SeasonSpec, percent, .fixed = true),
        .check = check_season,
};

#define PLAN_RULE(member, months_, factor_)                                                        \
        {                                                                                          \
                .what = "the keys months and factor",                                              \
                .keys = KEYS(KEY("months", offsetof(Policy, planning.member.months),               \
                                 IS(INTEGER(1, 12)), .fallback = months_,                          \
                                 .doc = "Of so many months before the use is looked at."),         \
                             KEY("factor", offsetof(Policy, planning.member.factor),               \
                                 IS(INTEGER(1, 12)), .fallback = factor_,                          \
                                 .doc = "For so many months it shall last.")),                     \
        }

static const Schema units_rule_schema = PLAN_RULE(units, "2", "1");
static const Schema headquarters_rule_schema = PLAN_RULE(headquarters, "3", "3");

static const Schema planning_schema = {
        .what = "keys such as submit_day and season",
        .keys = KEYS(
                KEY("submit_day", offsetof(Policy, planning.submit_day), IS(INTEGER(0, 28)),
                    .fallback = "0",
                    .doc = "Day of the month by whose end plans must be submitted; 0: there are "
                           "none."),
                KEY("net_on_order", offsetof(Policy, planning.net), .schema = &flag_schema,
                    .fallback = "true",
                    .doc = "What is ordered or on its way counts as if it were there."),
                KEY("units", 0, .schema = &units_rule_schema,
                    .doc = "Plans of sub-centres and larger dealers."),
                KEY("headquarters", 0, .schema = &headquarters_rule_schema,
                    .doc = "The requisition of headquarters."),
                KEY("season", 0,
                    IS(.what = "product lines with their percentages", .others = &season_schema,
                       .array = { .max = SEASONS_MAX,
                                  .size = sizeof(SeasonSpec),
                                  .array = offsetof(Policy, planning.seasons),
                                  .n = offsetof(Policy, planning.n_seasons),
                                  .begin = begin_season }),
                    .doc = "How demand goes with the months, by product line.")),
};

const Schema policy_schema = {
        .what = "keys such as calendars, ladders and targets with their values",
        .keys = KEYS(
                KEY("site", offsetof(Policy, site), IS(INTEGER(0, 65535)), .fallback = "0",
                    .doc = "The number of this installation, part of every id; never change it."),
                KEY("zone", offsetof(Policy, zone), .schema = &zone_schema,
                    .fallback = "Asia/Shanghai",
                    .doc = "Where days, months and years are cut, and of calendars without one."),
                KEY("store", 0, .schema = &store_schema, .doc = "The database."),
                KEY("backup", 0, .schema = &backup_schema, .doc = "Copies of the database."),
                KEY("journal", 0, .schema = &journal_schema, .doc = "The journal of all changes."),
                KEY("requests", 0, .schema = &requests_schema,
                    .doc = "Requests that may be repeated."),
                KEY("log", 0, .schema = &log_schema, .doc = "Messages to syslog."),
                KEY("escalation", 0, .schema = &escalation_schema, .doc = "All escalations."),
                KEY("calendars", 0, .schema = &calendars_schema,
                    .doc = "Working time; the calendar always, round the clock, is built in."),
                KEY("ladders", 0,
                    IS(.what = "names of ladders with their keys", .others = &ladder_schema,
                       ARRAY(LADDERS_MAX, Policy, ladders, .begin = keys_begin_named)),
                    .doc = "Who hears of what is late, and when."),
                KEY("targets", 0,
                    IS(.what = "kinds of cases such as ticket with their types",
                       .others = &target_kind_schema,
                       .array = { .max = TARGET_NAMES_MAX, .begin = begin_target_name }),
                    .doc = "How long what may take: by kind, type and priority."),
                KEY("tickets", 0, .schema = &tickets_schema, .doc = "Rules of tickets."),
                KEY("reports", 0, .schema = &reports_schema, .doc = "Dealers' daily reports."),
                KEY("planning", 0, .schema = &planning_schema, .doc = "Monthly plans of parts."),
                KEY("roles", 0, .schema = &roles_schema, .doc = "Names for sets of permissions."),
                KEY("access", 0, .schema = &access_schema,
                    .doc = "Who has which role, and over which cases.")),
};
