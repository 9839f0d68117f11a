/* SPDX-License-Identifier: Apache-2.0 */

#include "config/config.h"

#include <errno.h>
#include <string.h>

#include "base/zone.h"
#include "config/config-internal.h"
#include "config/dropins.h"
#include "config/keys.h"
#include "config/show.h"
#include "config/source.h"
#include "config/tree.h"

/* ---- the load ------------------------------------------------------------------------------ */

/* A name of what may be defined further down, to be looked up at the end. */
typedef struct Reference {
        ConfigDefinition definition;
        ConfigPlace place;
        char *name;
        char *path;
} Reference;

typedef struct Loading {
        ConfigErrors *errors;
        Policy *policy;
        char *directory; /* of the configuration file: empty or with a slash at the end */
        Reference *references;
        size_t n_references;
} Loading;

static void loading_done(Loading *loading) {
        for (size_t i = 0; i < loading->n_references; i++) {
                free(loading->references[i].name);
                free(loading->references[i].path);
        }
        free(loading->references);
        free(loading->directory);
        policy_free(loading->policy);
}

int config_refer(Walker *w, const Schema *s, const char *text, void *target,
                 ConfigDefinition definition) {
        Loading *loading = w->context;
        Reference *references, *reference;
        char path[WALKER_PATH_SIZE];
        int r;

        r = scalar_text(w, s, text, target);
        if (r != 0)
                return r;
        references =
                realloc(loading->references, (loading->n_references + 1) * sizeof(*references));
        if (!references)
                return -ENOMEM;
        loading->references = references;
        reference = &references[loading->n_references++];
        *reference =
                (Reference){ definition, w->place, strdup(text), strdup(walker_path(w, path)) };
        return reference->name && reference->path ? 0 : -ENOMEM;
}

static char *path_join(const char *directory, const char *name) {
        char *path;

        return asprintf(&path, "%s%s", directory, name) < 0 ? NULL : path;
}

/* Checks a source and reads it along its schema. 0, CONFIG_REFUSED, -ENOMEM. */
static int walk_included(const Walker *w, size_t file, const Schema *schema, void *target) {
        _cleanup_(cleanup_tree_free) Tree *tree = NULL;
        int result = source_check(w->errors, file, true), r = 0;
        size_t n_events = 0;

        if (result == -EBADMSG)
                return CONFIG_REFUSED;
        r = tree_read(w->errors, file, &n_events, &tree);
        if (r == -EBADMSG)
                result = CONFIG_REFUSED;
        else if (r < 0)
                return r;
        r = tree ? schema_walk(schema, target, w->errors, tree, w->context) : 0;
        return r < 0 ? r : result | r;
}

int config_include(Walker *w, const Schema *s, const char *name, const Schema *of_file,
                   void *target) {
        const Loading *loading = w->context;
        _cleanup_free_ char *path = NULL;
        size_t file;
        int r;

        path = path_join(name[0] == '/' ? "" : loading->directory, name);
        if (!path)
                return -ENOMEM;
        r = source_add(w->errors, path, true, &file);
        if (r == -ENOMEM)
                return r;
        if (r < 0)
                return walker_refuse(w, "'%s' cannot be read: %s; write %s", path,
                                     source_problem(r), s->what);
        return walk_included(w, file, of_file, target);
}

/* ---- what the whole must fulfil ------------------------------------------------------------- */

#define NAMES_MAX (CALENDARS_MAX + 1) /* with the built-in one */
static_assert(NAMES_MAX >= LADDERS_MAX && NAMES_MAX >= ROLES_MAX, "all names have room");

/* Lists the names of what is defined, ended by NULL. */
static void definition_names(const Policy *policy, ConfigDefinition definition,
                             const char *names[static NAMES_MAX + 1]) {
        size_t n = definition == CONFIG_CALENDAR ? policy->n_calendars
                   : definition == CONFIG_LADDER ? policy->n_ladders
                                                 : policy->n_roles;

        for (size_t i = 0; i < n; i++) {
                *names = definition == CONFIG_CALENDAR ? policy->calendars[i].name
                         : definition == CONFIG_LADDER ? policy->ladders[i].name
                                                       : policy->roles[i].name;
                if (*names) /* not refused for its name */
                        names++;
        }
        *names = NULL;
}

static bool is_listed(const char *const *names, const char *name) {
        for (; *names; names++)
                if (STREQ(*names, name))
                        return true;
        return false;
}

static void check_references(const Loading *loading) {
        static const char *const words[] = {
                [CONFIG_CALENDAR] = "calendar",
                [CONFIG_LADDER] = "ladder",
                [CONFIG_ROLE] = "role",
        };

        for (size_t i = 0; i < loading->n_references; i++) {
                const Reference *reference = &loading->references[i];
                const char *names[NAMES_MAX + 1];
                char advice[CONFIG_ADVICE_SIZE];

                definition_names(loading->policy, reference->definition, names);
                if (is_listed(names, reference->name))
                        continue;
                config_error_add(
                        loading->errors, reference->place, reference->path,
                        "there is no %s '%s'; %s", words[reference->definition], reference->name,
                        names[0] ? config_advise(reference->name, names, advice) : "define it");
        }
}

/* The target whose calendar and ladder hold where one does not name its own; perhaps itself. */
static const TargetSpec *target_default(const Policy *policy, const TargetSpec *target) {
        for (size_t i = 0; i < policy->n_targets; i++) {
                const TargetSpec *other = &policy->targets[i];

                if (STREQ(other->kind, target->kind) && STREQ(other->type, "default") &&
                    STREQ(other->priority, target->priority))
                        return other;
        }
        return target;
}

static void check_targets(const Loading *loading) {
        const Policy *policy = loading->policy;

        for (size_t i = 0; i < policy->n_targets; i++) {
                const TargetSpec *target = &policy->targets[i];
                const TargetSpec *fallback = target_default(policy, target);
                char path[WALKER_PATH_SIZE];

                if ((target->calendar || fallback->calendar) &&
                    (target->ladder || fallback->ladder))
                        continue;
                snprintf(path, sizeof(path), "targets.%s.%s.%s", target->kind, target->type,
                         target->priority);
                config_error_add(loading->errors, target->place, path,
                                 "no %s is given; write one here or for the type default",
                                 target->calendar || fallback->calendar ? "ladder" : "calendar");
        }
}

/* Reports that are expected need to know on which days, and who hears of those that are missing. */
static void check_reports(const Loading *loading) {
        const Policy *policy = loading->policy;
        const ReportPolicy *reports = &policy->reports;

        if (!reports->cutoff)
                return;
        if (!reports->calendar)
                config_error_add(loading->errors, reports->place, "reports.cutoff",
                                 "no calendar is given; write reports.calendar");
        for (size_t i = 0; i < policy->n_targets; i++)
                if (STREQ(policy->targets[i].kind, "report"))
                        return;
        config_error_add(loading->errors, reports->place, "reports.cutoff",
                         "nobody would hear of a missing report; write targets.report.default."
                         "normal with calendar and ladder");
}

static int add_calendar_always(Policy *policy) {
        CalendarSpec *calendars, *always;

        calendars = realloc(policy->calendars, (policy->n_calendars + 1) * sizeof(*calendars));
        if (!calendars)
                return -ENOMEM;
        policy->calendars = calendars;
        always = &calendars[policy->n_calendars++];
        *always = (CalendarSpec){ .name = strdup(CALENDAR_ALWAYS), .zone = strdup("UTC") };
        for (size_t i = 0; i < ELEMENTS(always->week); i++)
                always->week[i] = (DayHours){ 1, { { 0, 86400 } } };
        return always->name && always->zone ? 0 : -ENOMEM;
}

/* Orders the days and leaves one of each: that written by hand, else that read last. */
static void calendar_arrange_days(CalendarSpec *calendar) {
        SpecialDay *days = calendar->days;
        size_t n = 0;

        for (size_t i = 0; i < calendar->n_days; i++) {
                SpecialDay day = days[i];
                size_t at = n;

                while (at > 0 && days[at - 1].day > day.day)
                        at--;
                if (at == 0 || days[at - 1].day < day.day) {
                        memmove(&days[at + 1], &days[at], (n++ - at) * sizeof(day));
                        days[at] = day;
                } else if (days[at - 1].by_hand && !day.by_hand) {
                        free(day.name);
                } else {
                        free(days[at - 1].name);
                        days[at - 1] = day;
                }
        }
        calendar->n_days = n;
}

static int calendar_list_years(CalendarSpec *calendar) {
        int year = 0, month, day;

        calendar->years = calloc(calendar->n_days + 1, sizeof(calendar->years[0]));
        if (!calendar->years)
                return -ENOMEM;
        for (size_t i = 0; i < calendar->n_days; i++) {
                int before = year;

                civil_from_days(calendar->days[i].day, &year, &month, &day);
                if (year != before)
                        calendar->years[calendar->n_years++] = (int16_t)year;
        }
        return 0;
}

/* Draws the conclusions from what is written. */
static int complete_calendar(CalendarSpec *calendar, const char *zone) {
        if (!calendar->zone)
                calendar->zone = strdup(zone);
        if (!calendar->zone)
                return -ENOMEM;
        if (calendar->makeup.n == 0)
                calendar->makeup = calendar->week[0];
        if (calendar->n_files > 0)
                calendar->needs_holidays = true;
        calendar_arrange_days(calendar);
        for (size_t i = 0; i < calendar->n_days; i++)
                if (calendar->days[i].makeup)
                        calendar->days[i].hours = calendar->makeup;
        return calendar_list_years(calendar);
}

/* Holds the policy's parts against each other and completes it. */
static int loading_finish(const Loading *loading) {
        Policy *policy = loading->policy;
        int r;

        r = add_calendar_always(policy);
        if (r < 0)
                return r;
        check_references(loading);
        if (policy->n_targets > TARGETS_MAX)
                config_error_add(loading->errors, policy->targets[TARGETS_MAX].place, "targets",
                                 "there are %zu targets; write at most %d", policy->n_targets,
                                 TARGETS_MAX);
        /* An entry that could not be read would make others look incomplete. */
        if (!config_errors_any(loading->errors))
                check_targets(loading);
        if (!config_errors_any(loading->errors))
                check_reports(loading);
        if (config_errors_any(loading->errors))
                return CONFIG_REFUSED;
        for (size_t i = 0; i < policy->n_calendars; i++) {
                r = complete_calendar(&policy->calendars[i], policy->zone);
                if (r < 0)
                        return r;
        }
        return sources_digest(loading->errors, policy->digest);
}

static int show(const Loading *loading, const Tree *tree) {
        int r = 0;

        for (size_t i = 0; r == 0 && i < ELEMENTS(loading->policy->shown); i++)
                r = show_config(&policy_schema, tree, loading->errors, i > 0,
                                &loading->policy->shown[i]);
        return r;
}

int config_load(const char *path, ConfigErrors *errors, Policy **ret) {
        _cleanup_(loading_done) Loading loading = { .errors = errors };
        _cleanup_(cleanup_tree_free) Tree *tree = NULL;
        const char *slash = strrchr(path, '/');
        bool whole;
        int r;

        assert(errors->n_sources == 0);
        loading.policy = calloc(1, sizeof(*loading.policy));
        loading.directory = strndup(path, slash ? (size_t)(slash + 1 - path) : 0);
        if (!loading.policy || !loading.directory)
                return -ENOMEM;
        r = dropins_read(errors, path, loading.directory, &tree);
        if (r < 0 && r != -EBADMSG)
                return r;
        whole = r == 0;
        r = tree ? schema_walk(&policy_schema, loading.policy, errors, tree, &loading) : 0;
        if (r < 0)
                return r;
        if (!whole)
                return CONFIG_REFUSED;
        r = loading_finish(&loading);
        if (r == 0)
                r = show(&loading, tree);
        if (r == 0)
                *ret = TAKE_PTR(loading.policy);
        return r;
}

static void print_keys(const Schema *s, const char *path, FILE *file) {
        const Schema *element = s->others ?: s->items;
        char below[WALKER_PATH_SIZE];

        for (const SchemaKey *k = s->keys; k && k->key; k++) {
                snprintf(below, sizeof(below), "%s%s%s", path, *path ? "." : "", k->key);
                fprintf(file, "%s: %s%s%s%s\n        %s\n", below, k->schema->what,
                        k->required ? "; required" : "", k->fallback ? "; default " : "",
                        k->fallback ?: "", k->doc);
                print_keys(k->schema, below, file);
        }
        if (element) {
                snprintf(below, sizeof(below), "%s%s", path, s->others ? ".<name>" : "[]");
                print_keys(element, below, file);
        }
}

void config_print_keys(FILE *file) {
        print_keys(&policy_schema, "", file);
}
