/* SPDX-License-Identifier: Apache-2.0 */

/* The table from which a policy is read, area by area with the little code that its values need,
 * and the policy's end. */

#include "config/policy.h"

#include <ctype.h>
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <string.h>
#include <syslog.h>

#include "aftersales/ticket.h"
#include "base/zone.h"
#include "config/schema.h"

#define DIRECTORY_BYTES_MAX 1024
#define LOOKUP_BYTES_MAX    (16 * 1024 * 1024) /* of a group with all its members */
#define TARGET_NAMES_MAX    64 /* kinds, types of a kind, priorities of a type, clocks */
#define PERMISSIONS_MAX     256

#define MINUTE              60
#define HOUR                (60 * MINUTE)
#define DAY                 (24 * HOUR)
#define YEAR                (366 * DAY)
#define MIB                 (INT64_C(1) << 20)
#define TIB                 (INT64_C(1) << 40)

/* ---- what several areas use ---------------------------------------------------------------- */

static int scan_zone(Walker *w, const Schema *s, const char *text, void *target) {
        Zone *zone = NULL;
        int r;

        r = zone_load(text, &zone);
        zone_free(zone);
        if (r == -ENOENT || r == -EINVAL)
                return schema_refuse_value(w, s, text, "is no time zone of this machine");
        if (r == -EBADMSG)
                return schema_refuse_value(w, s, text, "has a damaged file on this machine");
        return r < 0 ? r : schema_text(w, s, text, target);
}

/* Fills the name with which calendars, ladders, roles and clocks begin. */
static int begin_named(Walker *w, void *element, const char *key) {
        char **name = element;

        static_assert(offsetof(CalendarSpec, name) == 0 && offsetof(LadderSpec, name) == 0 &&
                              offsetof(RoleSpec, name) == 0 && offsetof(TargetClock, clock) == 0,
                      "the name is the first member");
        if (schema_check_name(w, key) > 0)
                return SCHEMA_REFUSED;
        *name = strdup(key);
        return *name ? 0 : -ENOMEM;
}

static const Schema any_text_schema = { .what = "a text",
                                        .scalar = schema_text,
                                        .max = TEXT_MAX_BYTES };
static const Schema flag_schema = { .what = "true or false", .scalar = schema_bool };
static const Schema date_schema = { .what = "a date such as 2026-10-01", .scalar = schema_date };
static const Schema zone_schema = {
        .what = "an IANA name such as Asia/Shanghai",
        .scalar = scan_zone,
        .max = NAME_MAX_BYTES,
};

#define KEY(key_, offset_, ...)                                                                    \
        { .key = (key_), .offset = (offset_), __VA_ARGS__ }
#define KEYS(...)                                                                                  \
        (const SchemaKey[]) {                                                                      \
                __VA_ARGS__, {                                                                     \
                }                                                                                  \
        }
#define IS(...)                                                                                    \
        .schema = &(const Schema) {                                                                \
                __VA_ARGS__                                                                        \
        }
#define REQUIRED .required = true

/* The elements of an array with its count beside it. */
#define ARRAY(max_, Struct, member, ...)                                                           \
        .array = { .max = (max_),                                                                  \
                   .size = sizeof(*((Struct *)0)->member),                                         \
                   .array = offsetof(Struct, member),                                              \
                   .n = offsetof(Struct, n_##member),                                              \
                   __VA_ARGS__ }

#define NAME_OF(what_, scan) .what = (what_), .scalar = (scan), .max = NAME_MAX_BYTES
#define INTEGER(min_, max_)                                                                        \
        .what = "a whole number from " #min_ " to " #max_, .scalar = schema_integer,               \
        .min = (min_), .max = (max_)
#define DURATION(min_, max_)                                                                       \
        .what = "a duration such as 90s, 30m, 36h, 30d or 1h30m", .scalar = schema_duration,       \
        .min = (min_), .max = (max_)
#define WORKING(min_)                                                                              \
        .what = "working time such as 90s, 30m, 36h or 1h30m", .scalar = schema_working,           \
        .min = (min_), .max = YEAR

/* ---- calendars ----------------------------------------------------------------------------- */

static bool has_makeup_day(const CalendarSpec *calendar) {
        for (size_t i = 0; i < calendar->n_days; i++)
                if (calendar->days[i].makeup)
                        return true;
        return false;
}

static int check_calendar(Walker *w, void *target) {
        const CalendarSpec *calendar = target;
        size_t n = 0;

        for (size_t i = 0; i < ELEMENTS(calendar->week); i++)
                n += calendar->week[i].n;
        if (n == 0)
                return schema_refuse(w, "the week has no working time, so that nothing would ever "
                                        "fall due; write stretches under week");
        if (calendar->n_days > CALENDAR_DAYS_MAX)
                return schema_refuse(w, "there are %zu special days; write at most %d",
                                     calendar->n_days, CALENDAR_DAYS_MAX);
        if (has_makeup_day(calendar) && calendar->makeup.n == 0 && calendar->week[0].n == 0)
                return schema_refuse(w, "there are make-up days, but Mondays have no hours; write "
                                        "the make-up days' hours under makeup");
        return 0;
}

static int begin_calendar(Walker *w, void *element, const char *key) {
        if (STREQ(key, CALENDAR_ALWAYS))
                return schema_refuse(w, "this calendar is built in; choose another name");
        return begin_named(w, element, key);
}

static int begin_day(Walker *w, void *element, const char *key) {
        SpecialDay *day = element;

        day->by_hand = true;
        return schema_date(w, &date_schema, key, &day->day);
}

static int scan_day(Walker *w, const Schema *s, const char *text, void *target) {
        SpecialDay *day = target;

        day->makeup = STREQ(text, "working");
        if (!day->makeup && !STREQ(text, "off"))
                return schema_refuse_value(w, s, text, "is unknown");
        return 0;
}

/* "HH:MM" in seconds, or -1. */
static int32_t parse_clock(const char *text) {
        int hour, minute;

        if (!isdigit((unsigned char)text[0]) || !isdigit((unsigned char)text[1]) ||
            text[2] != ':' || !isdigit((unsigned char)text[3]) || !isdigit((unsigned char)text[4]))
                return -1;
        hour = (text[0] - '0') * 10 + text[1] - '0';
        minute = (text[3] - '0') * 10 + text[4] - '0';
        if (minute > 59 || hour > 24 || (hour == 24 && minute > 0))
                return -1;
        return hour * 3600 + minute * 60;
}

static int scan_stretch(Walker *w, const Schema *s, const char *text, void *target) {
        DayStretch *stretch = target;
        int32_t from, until;

        if (strlen(text) != 11 || text[5] != '-')
                return schema_refuse_value(w, s, text, "is not a stretch of time");
        from = parse_clock(text);
        until = parse_clock(text + 6);
        if (from < 0 || until < 0)
                return schema_refuse_value(w, s, text, "has a time that no clock shows");
        if (from >= until)
                return schema_refuse(w,
                                     "'%s' ends before it begins; write what is after midnight "
                                     "into the next day",
                                     text);
        if (w->steps[w->n_steps - 1].index > 0 && from <= stretch[-1].until)
                return schema_refuse(w,
                                     "'%s' does not begin after the stretch before it; write "
                                     "stretches in order and join those that touch",
                                     text);
        *stretch = (DayStretch){ from, until };
        return 0;
}

static const Schema stretch_schema = {
        .what = "a stretch of the day such as 08:30-12:00",
        .scalar = scan_stretch,
};

#define STRETCHES(Struct, hours)                                                                   \
        .items = &stretch_schema, .array = { .max = CALENDAR_STRETCHES_MAX,                        \
                                             .size = sizeof(DayStretch),                           \
                                             .fixed = true,                                        \
                                             .array = offsetof(Struct, hours stretches),           \
                                             .n = offsetof(Struct, hours n) }

static const Schema day_hours_schema = {
        .what = "a list of stretches such as [08:30-12:00, 13:30-18:00], or [] for a day off",
        STRETCHES(DayHours, ),
};

#define SPECIAL_DAY_WHAT "off, working or a list of stretches such as [09:00-12:00]"
static const Schema special_hours_schema = {
        .what = SPECIAL_DAY_WHAT,
        .scalar = scan_day,
        STRETCHES(SpecialDay, hours.),
};
static const Schema special_day_schema = {
        .what = SPECIAL_DAY_WHAT ", or one of these as hours beside a name",
        .scalar = scan_day,
        STRETCHES(SpecialDay, hours.),
        .keys = KEYS(KEY("hours", 0, .schema = &special_hours_schema, REQUIRED,
                         .doc = "What the day is."),
                     KEY("name", offsetof(SpecialDay, name), .schema = &any_text_schema,
                         .doc = "What an explanation calls the day, such as 国庆节.")),
};

#define WEEKDAY(name, number)                                                                      \
        KEY(name, number * sizeof(DayHours), .schema = &day_hours_schema,                          \
            .doc = "Its working hours; off unless given.")

static const Schema week_schema = {
        .what = "the days monday to sunday with their hours",
        .keys = KEYS(WEEKDAY("monday", 0), WEEKDAY("tuesday", 1), WEEKDAY("wednesday", 2),
                     WEEKDAY("thursday", 3), WEEKDAY("friday", 4), WEEKDAY("saturday", 5),
                     WEEKDAY("sunday", 6)),
};

/* A holiday file adds its days to those of the calendar. */

static int scan_off_day(Walker *w, const Schema *s, const char *text, void *target) {
        SpecialDay *day = target;
        bool off = false;
        int r = schema_bool(w, s, text, &off);

        day->makeup = !off;
        return r;
}

/* What we have no use for: the year, which the dates tell, and sources. */
static int scan_unused(_unused_ Walker *w, _unused_ const Schema *s, _unused_ const char *text,
                       _unused_ void *target) {
        return 0;
}

static const Schema unused_schema = { .what = "a number or a text", .scalar = scan_unused };
static const Schema json_day_schema = {
        .what = "the keys name, date and isOffDay",
        .keys = KEYS(
                KEY("name", offsetof(SpecialDay, name), .schema = &any_text_schema, REQUIRED),
                KEY("date", offsetof(SpecialDay, day), .schema = &date_schema, REQUIRED),
                KEY("isOffDay", 0, IS(.what = "true or false", .scalar = scan_off_day), REQUIRED)),
};
static const Schema holiday_file_schema = {
        .what = "the keys year and days",
        .keys = KEYS(KEY("$schema", 0, .schema = &unused_schema),
                     KEY("$id", 0, .schema = &unused_schema),
                     KEY("year", 0, .schema = &unused_schema, REQUIRED),
                     KEY("papers", 0,
                         IS(.what = "a list of texts", .items = &unused_schema,
                            .array = { .max = CALENDAR_DAYS_MAX })),
                     KEY("days", 0,
                         IS(.what = "a list of days", .items = &json_day_schema,
                            ARRAY(CALENDAR_DAYS_MAX, CalendarSpec, days, )),
                         REQUIRED)),
};

static int scan_holiday_file(Walker *w, const Schema *s, const char *text, void *target) {
        CalendarSpec *calendar = target;

        calendar->n_files++;
        return config_include(w, s, text, &holiday_file_schema, calendar);
}

static const Schema calendar_schema = {
        .what = "the keys of a calendar, such as week and days",
        .check = check_calendar,
        .keys = KEYS(
                KEY("zone", offsetof(CalendarSpec, zone), .schema = &zone_schema,
                    .doc = "The time zone of its hours; unless given, that of the whole file."),
                KEY("week", offsetof(CalendarSpec, week), .schema = &week_schema, REQUIRED,
                    .doc = "The ordinary working hours."),
                KEY("makeup", offsetof(CalendarSpec, makeup), .schema = &day_hours_schema,
                    .doc = "The hours of make-up days; unless given, Monday's."),
                KEY("holidays", 0,
                    IS(.what = "a list of files in the JSON form of holiday-cn",
                       .items = &(const Schema){ .what = "the path of a holiday file",
                                                 .scalar = scan_holiday_file },
                       .array = { .max = HOLIDAY_FILES_MAX }),
                    .doc = "Holiday files, relative to this file; for a day the last one holds."),
                KEY("days", 0,
                    IS(.what = "dates, each with off, working or a list of stretches",
                       .others = &special_day_schema,
                       ARRAY(CALENDAR_DAYS_MAX, CalendarSpec, days, .begin = begin_day)),
                    .doc = "Special days, which go before the holiday files."),
                KEY("expect_holidays", offsetof(CalendarSpec, needs_holidays),
                    .schema = &flag_schema, .fallback = "false",
                    .doc = "Warn of a coming year without special days; holiday files imply it.")),
};

/* ---- ladders ------------------------------------------------------------------------------- */

static const char *const recipient_names[] = { RECIPIENT_NAMES };

static int check_ladder(Walker *w, void *target) {
        const LadderSpec *ladder = target;

        if (ladder->n_rungs == 0)
                return schema_refuse(w, "there are no rungs; write at least one");
        return 0;
}

static const Schema rung_schema = {
        .what = "the keys to and after",
        .keys = KEYS(
                KEY("to", offsetof(LadderRung, to),
                    IS(.what = "who hears of it, such as owner or subcentre", .scalar = schema_enum,
                       .names = recipient_names, .n_names = ELEMENTS(recipient_names)),
                    REQUIRED, .doc = "Who hears of it."),
                KEY("after", offsetof(LadderRung, after), IS(WORKING(0)), REQUIRED,
                    .doc = "Working time after the rung before it; the first, after the deadline.")),
};

static const Schema ladder_schema = {
        .what = "the keys warn_at, rungs and repeat",
        .check = check_ladder,
        .keys = KEYS(
                KEY("warn_at", offsetof(LadderSpec, warn_percent),
                    IS(.what = "a share of the time from 0% to 99%", .scalar = schema_percent,
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
        return schema_check_name(w, key);
}

/* The path to it is targets, kind, type, priority. */
static int begin_target(Walker *w, void *element, const char *key) {
        TargetSpec *target = element;

        if (schema_check_name(w, key) > 0)
                return SCHEMA_REFUSED;
        target->kind = strdup(w->steps[1].key);
        target->type = strdup(w->steps[2].key);
        target->priority = strdup(key);
        target->line = w->place.line;
        target->column = w->place.column;
        return target->kind && target->type && target->priority ? 0 : -ENOMEM;
}

static int begin_clock(Walker *w, void *element, const char *key) {
        TargetClock *clock = element;

        clock->line = w->place.line;
        clock->column = w->place.column;
        return begin_named(w, element, key);
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

/* ---- access -------------------------------------------------------------------------------- */

static int scan_role(Walker *w, const Schema *s, const char *text, void *target) {
        return config_refer(w, s, text, target, CONFIG_ROLE);
}

static int scan_permission(Walker *w, const Schema *s, const char *text, void *target) {
        size_t position = w->steps[w->n_steps - 1].index;
        char **permission = target, **first = permission - position;

        if (text[strspn(text, "abcdefghijklmnopqrstuvwxyz_.")])
                return schema_refuse_value(w, s, text, "has other characters than a-z, _ and .");
        for (size_t i = 0; i < position; i++)
                if (first[i] && STREQ(first[i], text))
                        return schema_refuse_repeated(w, text);
        return schema_text(w, s, text, permission);
}

static const Schema role_schema = {
        .what = "a list of permissions such as [ticket.read, ticket.create]",
        .items = &(const Schema){ NAME_OF("a permission such as ticket.read", scan_permission) },
        ARRAY(PERMISSIONS_MAX, RoleSpec, permissions, ),
};

static int begin_access(_unused_ Walker *w, void *element, _unused_ const char *key) {
        AccessRule *rule = element;

        rule->id = (id_t)-1;
        return 0;
}

/* 0, whether or not there is such a name, or ERANGE (the buffer is too small). */
static int look_up(AccessRule *rule, char *buffer, size_t size) {
        struct group group, *found_group = NULL;
        struct passwd user, *found_user = NULL;
        int r;

        r = rule->is_group ? getgrnam_r(rule->name, &group, buffer, size, &found_group)
                           : getpwnam_r(rule->name, &user, buffer, size, &found_user);
        if (found_group)
                rule->id = found_group->gr_gid;
        if (found_user)
                rule->id = found_user->pw_uid;
        return r == ERANGE ? r : 0;
}

static int set_identity(Walker *w, const Schema *s, const char *text, AccessRule *rule,
                        bool is_group) {
        int r;

        if (rule->name)
                return schema_refuse(w, "the rule has a user and a group; write two rules");
        r = schema_text(w, s, text, &rule->name);
        if (r != 0)
                return r;
        rule->is_group = is_group;
        r = ERANGE;
        for (size_t size = 1024; r == ERANGE && size <= LOOKUP_BYTES_MAX; size *= 2) {
                _cleanup_free_ char *buffer = malloc(size);

                if (!buffer)
                        return -ENOMEM;
                r = look_up(rule, buffer, size);
        }
        if (rule->id == (id_t)-1)
                schema_warn(w,
                            "this machine knows no %s '%s'; create it and reload, or remove the "
                            "rule",
                            is_group ? "group" : "user", text);
        return 0;
}

static int scan_user(Walker *w, const Schema *s, const char *text, void *target) {
        return set_identity(w, s, text, target, false);
}

static int scan_group(Walker *w, const Schema *s, const char *text, void *target) {
        return set_identity(w, s, text, target, true);
}

static int set_scope(Walker *w, const Schema *s, const char *text, AccessRule *rule,
                     ScopeKind kind) {
        if (rule->unit)
                return schema_refuse(w, "the scope has two units; write two rules");
        rule->scope = kind;
        return schema_text(w, s, text, &rule->unit);
}

static int scan_subcentre(Walker *w, const Schema *s, const char *text, void *target) {
        return set_scope(w, s, text, target, SCOPE_SUBCENTRE);
}

static int scan_dealer(Walker *w, const Schema *s, const char *text, void *target) {
        return set_scope(w, s, text, target, SCOPE_DEALER);
}

static int scan_headquarters(Walker *w, const Schema *s, const char *text, void *target) {
        AccessRule *rule = target;

        if (!STREQ(text, "headquarters"))
                return schema_refuse_value(w, s, text, "is unknown");
        rule->scope = SCOPE_HEADQUARTERS;
        return 0;
}

static int check_scope(Walker *w, void *target) {
        const AccessRule *rule = target;

        return rule->unit ? 0
                          : schema_refuse(w, "the scope has no unit; write {subcentre: CODE}, "
                                             "{dealer: CODE} or headquarters");
}

static int check_access(Walker *w, void *target) {
        const AccessRule *rule = target;

        return rule->name ? 0
                          : schema_refuse(w, "the rule is for nobody; write user: NAME or "
                                             "group: NAME into it");
}

#define CODE_OF(what_, scan) .what = (what_), .scalar = (scan), .max = CODE_MAX_BYTES

static const Schema scope_schema = {
        .what = "headquarters, {subcentre: CODE} or {dealer: CODE}",
        .scalar = scan_headquarters,
        .check = check_scope,
        .keys = KEYS(KEY("subcentre", 0, IS(CODE_OF("the code of a sub-centre", scan_subcentre)),
                         .doc = "Sees the cases of this sub-centre."),
                     KEY("dealer", 0, IS(CODE_OF("the code of a dealer", scan_dealer)),
                         .doc = "Sees the cases of this dealer.")),
};
static const Schema access_rule_schema = {
        .what = "the keys user or group, role and scope",
        .check = check_access,
        .keys = KEYS(
                KEY("user", 0, IS(NAME_OF("the name of a user", scan_user)),
                    .doc = "Whom the rule is for: a user,"),
                KEY("group", 0, IS(NAME_OF("the name of a group", scan_group)),
                    .doc = "or a group with all its members."),
                KEY("role", offsetof(AccessRule, role),
                    IS(NAME_OF("the name of a role", scan_role)), REQUIRED,
                    .doc = "What they may do."),
                KEY("scope", 0, .schema = &scope_schema, REQUIRED, .doc = "Whose cases they see.")),
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
        return schema_text(w, s, text, target);
}

static int scan_facility(Walker *w, const Schema *s, const char *text, void *target) {
        int facility, r;

        r = schema_enum(w, s, text, &facility);
        if (r == 0)
                *(int *)target = facility << 3;
        return r;
}

static const Schema store_schema = {
        .what = "the keys directory and map_size",
        .keys = KEYS(
                KEY("directory", offsetof(Policy, state_directory),
                    IS(.what = "an absolute path such as /var/lib/aftersalesd",
                       .scalar = scan_directory, .max = DIRECTORY_BYTES_MAX),
                    .fallback = "/var/lib/aftersalesd", .doc = "Where the database lives."),
                KEY("map_size", offsetof(Policy, map_size),
                    IS(.what = "a size such as 512MiB or 64GiB", .scalar = schema_size, .min = MIB,
                       .max = 16 * TIB),
                    .fallback = "64GiB",
                    .doc = "How large the database may become; address space, not disk space.")),
};
static const Schema log_schema = {
        .what = "the keys level and facility",
        .keys = KEYS(KEY("level", offsetof(Policy, log_level),
                         IS(.what = "a level such as info", .scalar = schema_enum,
                            .names = level_names, .n_names = ELEMENTS(level_names)),
                         .fallback = "info", .doc = "What is less important is not logged."),
                     KEY("facility", offsetof(Policy, log_facility),
                         IS(.what = "a facility such as daemon", .scalar = scan_facility,
                            .names = facility_names, .n_names = ELEMENTS(facility_names)),
                         .fallback = "daemon", .doc = "The facility of syslog.")),
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
                                                 .scalar = schema_bit,
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

const Schema policy_schema = {
        .what = "keys such as calendars, ladders and targets with their values",
        .keys = KEYS(
                KEY("site", offsetof(Policy, site), IS(INTEGER(0, 65535)), .fallback = "0",
                    .doc = "The number of this installation, part of every id; never change it."),
                KEY("zone", offsetof(Policy, zone), .schema = &zone_schema,
                    .fallback = "Asia/Shanghai",
                    .doc = "Where days, months and years are cut, and of calendars without one."),
                KEY("store", 0, .schema = &store_schema, .doc = "The database."),
                KEY("journal", 0, .schema = &journal_schema, .doc = "The journal of all changes."),
                KEY("requests", 0, .schema = &requests_schema,
                    .doc = "Requests that may be repeated."),
                KEY("log", 0, .schema = &log_schema, .doc = "Messages to syslog."),
                KEY("escalation", 0, .schema = &escalation_schema, .doc = "All escalations."),
                KEY("calendars", 0,
                    IS(.what = "names of calendars with their keys", .others = &calendar_schema,
                       ARRAY(CALENDARS_MAX, Policy, calendars, .begin = begin_calendar)),
                    .doc = "Working time; the calendar always, round the clock, is built in."),
                KEY("ladders", 0,
                    IS(.what = "names of ladders with their keys", .others = &ladder_schema,
                       ARRAY(LADDERS_MAX, Policy, ladders, .begin = begin_named)),
                    .doc = "Who hears of what is late, and when."),
                KEY("targets", 0,
                    IS(.what = "kinds of cases such as ticket with their types",
                       .others = &target_kind_schema,
                       .array = { .max = TARGET_NAMES_MAX, .begin = begin_target_name }),
                    .doc = "How long what may take: by kind, type and priority."),
                KEY("tickets", 0, .schema = &tickets_schema, .doc = "Rules of tickets."),
                KEY("roles", 0,
                    IS(.what = "names of roles with their permissions", .others = &role_schema,
                       ARRAY(ROLES_MAX, Policy, roles, .begin = begin_named)),
                    .doc = "Names for sets of permissions."),
                KEY("access", 0,
                    IS(.what = "a list of rules such as {user: NAME, role: NAME, scope: "
                               "headquarters}",
                       .items = &access_rule_schema,
                       ARRAY(ACCESS_RULES_MAX, Policy, access, .begin = begin_access)),
                    .doc = "Who has which role, and over which cases.")),
};

/* ---- the end ------------------------------------------------------------------------------- */

static void calendar_spec_done(CalendarSpec *spec) {
        for (size_t i = 0; i < spec->n_days; i++)
                free(spec->days[i].name);
        free(spec->name);
        free(spec->zone);
        free(spec->days);
        free(spec->years);
}

static void target_spec_done(TargetSpec *spec) {
        for (size_t i = 0; i < spec->n_clocks; i++)
                free(spec->clocks[i].clock);
        free(spec->kind);
        free(spec->type);
        free(spec->priority);
        free(spec->calendar);
        free(spec->ladder);
        free(spec->clocks);
}

static void role_spec_done(RoleSpec *spec) {
        for (size_t i = 0; i < spec->n_permissions; i++)
                free(spec->permissions[i]);
        free(spec->name);
        free(spec->permissions);
}

static void access_rule_done(AccessRule *rule) {
        free(rule->name);
        free(rule->role);
        free(rule->unit);
}

Policy *policy_free(Policy *policy) {
        if (!policy)
                return NULL;
        for (size_t i = 0; i < policy->n_calendars; i++)
                calendar_spec_done(&policy->calendars[i]);
        for (size_t i = 0; i < policy->n_ladders; i++)
                free(policy->ladders[i].name);
        for (size_t i = 0; i < policy->n_targets; i++)
                target_spec_done(&policy->targets[i]);
        for (size_t i = 0; i < policy->n_roles; i++)
                role_spec_done(&policy->roles[i]);
        for (size_t i = 0; i < policy->n_access; i++)
                access_rule_done(&policy->access[i]);
        free(policy->calendars);
        free(policy->ladders);
        free(policy->targets);
        free(policy->roles);
        free(policy->access);
        free(policy->state_directory);
        free(policy->zone);
        free(policy);
        return NULL;
}
