/* SPDX-License-Identifier: Apache-2.0 */

#include "config/config.h"

#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <string.h>
#include <sys/stat.h>
#include <wchar.h>

#include "base/digest.h"
#include "base/text.h"
#include "base/zone.h"
#include "config/schema.h"

#define EXCERPT_BYTES_MAX 200 /* a longer line is not shown */

/* ---- messages ------------------------------------------------------------------------------ */

void config_errors_done(ConfigErrors *errors) {
        ConfigMessages *both[] = { &errors->errors, &errors->warnings };

        for (size_t i = 0; i < ELEMENTS(both); i++)
                for (size_t j = 0; j < both[i]->n; j++) {
                        free(both[i]->list[j].text);
                        free(both[i]->list[j].excerpt);
                }
        for (size_t i = 0; i < errors->n_sources; i++) {
                free(errors->sources[i].name);
                free(errors->sources[i].text);
        }
        free(errors->sources);
        *errors = (ConfigErrors){};
}

/* Of the line breaks that YAML knows those that source_check() lets pass. */
static bool is_line_break(uint32_t c) {
        return c == '\n' || c == 0x2028 || c == 0x2029;
}

/* The line of that number, NULL if there is none. */
static const char *line_find(const ConfigSource *source, int line, size_t *ret_size) {
        size_t start = 0, i, n;

        for (i = 0; i < source->size; i += n) {
                uint32_t c = 0;

                n = MAX(utf8_character(source->text + i, source->size - i, &c), (size_t)1);
                if (!is_line_break(c))
                        continue;
                if (line == 1)
                        break;
                line--;
                start = i + n;
        }
        *ret_size = i - start;
        return line == 1 ? source->text + start : NULL;
}

/* The line of a place and below it a caret; NULL if there is nothing to show, or no memory. */
static char *excerpt_format(const ConfigSource *source, ConfigPlace place) {
        char shown[EXCERPT_BYTES_MAX], *excerpt;
        size_t size, used = 0, position;
        const char *line = line_find(source, place.line, &size);
        int column = 1, indent = 0;

        if (!line || size == 0 || size > sizeof(shown))
                return NULL;
        for (size_t i = 0, n; i < size; i += n, column++) {
                uint32_t c = 0;
                bool harmless;

                n = MAX(utf8_character(line + i, size - i, &c), (size_t)1);
                harmless = text_check(line + i, n, false, &position) == TEXT_OK;
                memcpy(shown + used, harmless ? line + i : "?", harmless ? n : 1);
                used += harmless ? n : 1;
                if (column < place.column)
                        indent += harmless ? MAX(wcwidth((wchar_t)c), 0) : 1;
        }
        indent += MAX(place.column - column, 0);
        if (asprintf(&excerpt, "%.*s\n%*s^", (int)used, shown, indent, "") < 0)
                return NULL;
        return excerpt;
}

/* wcwidth() knows the width of a Chinese character only in a locale that has any. */
static char *excerpt_new(const ConfigSource *source, ConfigPlace place) {
        locale_t utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", NULL), before;
        char *excerpt;

        if (!utf8)
                return NULL;
        before = uselocale(utf8);
        excerpt = excerpt_format(source, place);
        uselocale(before);
        freelocale(utf8);
        return excerpt;
}

static bool place_before(ConfigPlace a, ConfigPlace b) {
        if (a.file != b.file)
                return a.file < b.file;
        return a.line != b.line ? a.line < b.line : a.column < b.column;
}

static _printf_(4, 0) char *message_text(const char *file, ConfigPlace place, const char *path,
                                         const char *format, va_list arguments) {
        _cleanup_free_ char *what = NULL;
        char *text, position[32] = "";

        if (vasprintf(&what, format, arguments) < 0) {
                what = NULL;
                return NULL;
        }
        if (place.line > 0)
                snprintf(position, sizeof(position), "%d:%d:", place.line, place.column);
        if (asprintf(&text, "%s:%s %s%s%s", file, position, path, *path ? ": " : "", what) < 0)
                return NULL;
        return text;
}

void config_message_add(ConfigErrors *errors, ConfigMessages *messages, ConfigPlace place,
                        const char *path, const char *format, va_list arguments) {
        static const ConfigSource unread = { .name = (char *)"configuration" };
        const ConfigSource *source = errors->n_sources > 0 ? &errors->sources[place.file] : &unread;
        _cleanup_free_ char *text = NULL;
        size_t at = messages->n;

        text = message_text(source->name, place, path, format, arguments);
        /* A holiday file that two calendars name is read twice, and its errors are told once. */
        for (size_t i = 0; text && i < messages->n; i++)
                if (STREQ(messages->list[i].text, text))
                        return;
        if (!text || messages->n == CONFIG_MESSAGES_MAX) {
                messages->n_more++;
                return;
        }
        while (at > 0 && place_before(place, messages->list[at - 1].place))
                at--;
        memmove(&messages->list[at + 1], &messages->list[at],
                (messages->n++ - at) * sizeof(messages->list[0]));
        messages->list[at] = (ConfigMessage){ place, TAKE_PTR(text), excerpt_new(source, place) };
}

void config_error_add(ConfigErrors *errors, int line, int column, const char *path,
                      const char *format, ...) {
        va_list arguments;

        va_start(arguments, format);
        config_message_add(errors, &errors->errors, (ConfigPlace){ 0, line, column }, path, format,
                           arguments);
        va_end(arguments);
}

/* ---- sources ------------------------------------------------------------------------------- */

/* Reads at most one byte more than allowed. 0 or -errno. */
static int source_read(ConfigSource *source, int fd) {
        char *text = malloc(CONFIG_BYTES_MAX + 1);

        if (!text)
                return -ENOMEM;
        source->text = text;
        while (source->size <= CONFIG_BYTES_MAX) {
                ssize_t n = read(fd, text + source->size, CONFIG_BYTES_MAX + 1 - source->size);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return -errno;
                if (n == 0)
                        break;
                source->size += (size_t)n;
        }
        if (source->size > CONFIG_BYTES_MAX)
                return -EFBIG;
        text = realloc(text, MAX(source->size, (size_t)1));
        source->text = text ?: source->text;
        return 0;
}

/* Adds a file to the sources and reads it. Opening does not wait for the other end of a pipe.
 * 0, -ENOMEM, -EFBIG (larger than CONFIG_BYTES_MAX), -EISDIR (no regular file), other -errno. */
static int source_add(ConfigErrors *errors, const char *path, size_t *ret) {
        _cleanup_close_ int fd = -1;
        ConfigSource *sources, *source;
        struct stat st;

        sources = realloc(errors->sources, (errors->n_sources + 1) * sizeof(*sources));
        if (!sources)
                return -ENOMEM;
        errors->sources = sources;
        source = &sources[errors->n_sources];
        *source = (ConfigSource){ .name = strdup(path) };
        if (!source->name)
                return -ENOMEM;
        *ret = errors->n_sources++;

        fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
        if (fd < 0 || fstat(fd, &st) < 0)
                return -errno;
        if (!S_ISREG(st.st_mode))
                return -EISDIR;
        return source_read(source, fd);
}

static char *path_join(const char *directory, const char *name) {
        char *path;

        return asprintf(&path, "%s%s", directory, name) < 0 ? NULL : path;
}

static const char *source_problem(int error) {
        switch (error) {
        case -EFBIG:
                return "it is larger than 1 MiB";
        case -EISDIR:
                return "it is not a regular file";
        default:
                return strerror(-error);
        }
}

/* What is wrong with the character of n bytes (0: none) at p, or NULL. */
static const char *character_problem(const char *p, size_t n, uint32_t c) {
        size_t position;

        if (n == 0)
                return "this is not UTF-8; save the file as UTF-8";
        if (c == 0xfeff)
                return "a byte order mark is not allowed; save the file as UTF-8 without one";
        if (c == '\r')
                return "a carriage return is not allowed; save the file with Unix line ends";
        if (c == 0xfffe || c == 0xffff || text_check(p, n, true, &position) != TEXT_OK)
                return "an invisible control character is not allowed; remove it";
        return NULL;
}

/* Notes an error of a file that is not about one of its keys. SCHEMA_REFUSED. */
static _printf_(3, 4) int source_refuse(ConfigErrors *errors, ConfigPlace place, const char *format,
                                        ...) {
        va_list arguments;

        va_start(arguments, format);
        config_message_add(errors, &errors->errors, place, "", format, arguments);
        va_end(arguments);
        return SCHEMA_REFUSED;
}

/* Refuses what is not text, and in the configuration file tabs. These become spaces, so that the
 * walk can go on behind them. 0, SCHEMA_REFUSED, -EBADMSG (noted, and cannot be walked). */
static int source_check(ConfigErrors *errors, size_t file) {
        ConfigSource *source = &errors->sources[file];
        ConfigPlace place = { file, 1, 1 };
        bool tabs_allowed = file > 0; /* JSON */
        int result = 0, tab_line = 0;

        for (size_t i = 0, n; i < source->size; i += n, place.column++) {
                const char *problem;
                uint32_t c = 0;

                n = utf8_character(source->text + i, source->size - i, &c);
                problem = character_problem(source->text + i, n, c);
                if (problem) {
                        source_refuse(errors, place, "%s", problem);
                        return -EBADMSG;
                }
                if (c == '\t' && !tabs_allowed) {
                        source->text[i] = ' ';
                        if (tab_line != place.line)
                                result = source_refuse(errors, place,
                                                       "a tab is not allowed; indent "
                                                       "and separate with spaces");
                        tab_line = place.line;
                }
                if (is_line_break(c)) {
                        place.line++;
                        place.column = 0;
                }
        }
        return result;
}

/* Reads a source along its schema. 0, SCHEMA_REFUSED, -EBADMSG (refused, and not to the end),
 * -ENOMEM. */
static int source_walk(ConfigErrors *errors, size_t file, const Schema *schema, void *target,
                       void *context) {
        int result = source_check(errors, file), r;

        if (result < 0)
                return result;
        r = schema_walk(schema, target, errors, file, context);
        return r < 0 ? r : result | r;
}

/* SHA-256 over all sources, one after the other. */
static int sources_digest(const ConfigErrors *errors, uint8_t ret[static DIGEST_SIZE]) {
        _cleanup_free_ char *all = NULL;
        size_t size = 0, used = 0;
        Digest digest;
        int r;

        r = digest_init();
        if (r < 0)
                return r;
        for (size_t i = 0; i < errors->n_sources; i++)
                size += errors->sources[i].size;
        all = malloc(MAX(size, (size_t)1));
        if (!all)
                return -ENOMEM;
        for (size_t i = 0; i < errors->n_sources; i++) {
                memcpy(all + used, errors->sources[i].text, errors->sources[i].size);
                used += errors->sources[i].size;
        }
        digest_pieces(&digest, all, used, NULL, 0, NULL, 0);
        memcpy(ret, digest.bytes, sizeof(digest.bytes));
        return 0;
}

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
        char path[SCHEMA_PATH_SIZE];
        int r;

        r = schema_text(w, s, text, target);
        if (r != 0)
                return r;
        references =
                realloc(loading->references, (loading->n_references + 1) * sizeof(*references));
        if (!references)
                return -ENOMEM;
        loading->references = references;
        reference = &references[loading->n_references++];
        *reference =
                (Reference){ definition, w->place, strdup(text), strdup(schema_path(w, path)) };
        return reference->name && reference->path ? 0 : -ENOMEM;
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
        r = source_add(w->errors, path, &file);
        if (r == -ENOMEM)
                return r;
        if (r < 0)
                return schema_refuse(w, "'%s' cannot be read: %s; write %s", path,
                                     source_problem(r), s->what);
        r = source_walk(w->errors, file, of_file, target, w->context);
        return r == -EBADMSG ? SCHEMA_REFUSED : r;
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
                char advice[SCHEMA_ADVICE_SIZE];

                definition_names(loading->policy, reference->definition, names);
                if (is_listed(names, reference->name))
                        continue;
                config_error_add(loading->errors, reference->place.line, reference->place.column,
                                 reference->path, "there is no %s '%s'; %s",
                                 words[reference->definition], reference->name,
                                 names[0] ? schema_advise(reference->name, names, advice)
                                          : "define it");
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
                char path[SCHEMA_PATH_SIZE];

                if ((target->calendar || fallback->calendar) &&
                    (target->ladder || fallback->ladder))
                        continue;
                snprintf(path, sizeof(path), "targets.%s.%s.%s", target->kind, target->type,
                         target->priority);
                config_error_add(loading->errors, target->line, target->column, path,
                                 "no %s is given; write one here or for the type default",
                                 target->calendar || fallback->calendar ? "ladder" : "calendar");
        }
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
                config_error_add(loading->errors, policy->targets[TARGETS_MAX].line,
                                 policy->targets[TARGETS_MAX].column, "targets",
                                 "there are %zu targets; write at most %d", policy->n_targets,
                                 TARGETS_MAX);
        /* An entry that could not be read would make others look incomplete. */
        if (!config_errors_any(loading->errors))
                check_targets(loading);
        if (config_errors_any(loading->errors))
                return CONFIG_REFUSED;
        for (size_t i = 0; i < policy->n_calendars; i++) {
                r = complete_calendar(&policy->calendars[i], policy->zone);
                if (r < 0)
                        return r;
        }
        return sources_digest(loading->errors, policy->digest);
}

int config_load(const char *path, ConfigErrors *errors, Policy **ret) {
        _cleanup_(loading_done) Loading loading = { .errors = errors };
        const char *slash = strrchr(path, '/');
        size_t file;
        int r;

        assert(errors->n_sources == 0);
        loading.policy = calloc(1, sizeof(*loading.policy));
        loading.directory = strndup(path, slash ? (size_t)(slash + 1 - path) : 0);
        if (!loading.policy || !loading.directory)
                return -ENOMEM;
        r = source_add(errors, path, &file);
        if (r == -ENOMEM)
                return r;
        if (r < 0) {
                config_error_add(errors, 0, 0, "", "the file cannot be read: %s",
                                 source_problem(r));
                return CONFIG_REFUSED;
        }
        r = source_walk(errors, file, &policy_schema, loading.policy, &loading);
        if (r >= 0)
                r = loading_finish(&loading);
        if (r == 0)
                *ret = TAKE_PTR(loading.policy);
        return r == -EBADMSG ? CONFIG_REFUSED : r;
}

static void print_keys(const Schema *s, const char *path, FILE *file) {
        const Schema *element = s->others ?: s->items;
        char below[SCHEMA_PATH_SIZE];

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
