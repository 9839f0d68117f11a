/* SPDX-License-Identifier: Apache-2.0 */

/* Any texts as the files of a configuration, as --check-config reads them: divided by form
 * feeds, the configuration file, a holiday file and drop-ins. What is wrong is told with its place,
 * which exists, in plain text; what is accepted is shown as a file that is read as the same. */

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "app-internal.h"
#include "base/text.h"
#include "config/source.h"
#include "fuzz.h"
#include "loop/version.h"

#define MAIN      "main.yaml"
#define HOLIDAYS  "holidays.json"
#define DROPINS   "conf.d"
#define FILES_MAX 5

static const char *const names[FILES_MAX] = {
        MAIN, HOLIDAYS, DROPINS "/a.yaml", DROPINS "/b.yaml", DROPINS "/c.yaml",
};

/* One directory for all inputs. */
static char directory[] = "/tmp/fuzz-config.XXXXXX", path[PATH_MAX];
static int at = -1;

static void clean_up(void) {
        for (size_t i = 0; i < FILES_MAX; i++)
                unlinkat(at, names[i], 0);
        unlinkat(at, DROPINS, AT_REMOVEDIR);
        rmdir(directory);
}

static void prepare(void) {
        if (at >= 0)
                return;
        assert(mkdtemp(directory));
        snprintf(path, sizeof(path), "%s/" MAIN, directory);
        at = open(directory, O_DIRECTORY | O_CLOEXEC);
        assert(at >= 0 && mkdirat(at, DROPINS, 0700) == 0);
        atexit(clean_up);
}

static void write_file(const char *name, const void *text, size_t size) {
        int fd = openat(at, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

        assert(fd >= 0 && write(fd, text, size) == (ssize_t)size);
        close(fd);
}

static void write_files(const uint8_t *data, size_t size) {
        for (size_t i = 0; i < FILES_MAX; i++) {
                const uint8_t *end = size > 0 ? memchr(data, '\f', size) : NULL;
                size_t n = end ? (size_t)(end - data) : size;

                if (i == 0 || n > 0)
                        write_file(names[i], data, n);
                else
                        unlinkat(at, names[i], 0);
                data += n + (end != NULL);
                size -= n + (end != NULL);
        }
}

/* ---- what is wrong ---- */

static size_t count_characters(const char *line, size_t size) {
        size_t count = 0;

        for (size_t i = 0; i < size; count++) {
                uint32_t c;

                i += MAX(utf8_character(line + i, size - i, &c), (size_t)1);
        }
        return count;
}

/* A place is in its file or just behind its end. What is about the file as a whole or about what
 * is missing in it has none. */
static void check_place(const ConfigSource *source, ConfigPlace place, const char *text) {
        const char *line;
        size_t size;

        if (place.line == 0) {
                assert(strstr(text, "cannot be read: ") || strncmp(text, " targets: ", 10) == 0);
                return;
        }
        assert(place.line > 0 && place.column > 0);
        line = source_line(source, place.line, &size);
        if (line)
                assert((size_t)place.column <= count_characters(line, size) + 1);
        else
                assert(place.column == 1 && source_line(source, place.line - 1, &size));
}

static void check_message(const ConfigErrors *errors, const ConfigMessage *message) {
        const ConfigSource *source;
        char start[PATH_MAX + 32];
        size_t position;

        assert(message->place.file < errors->n_sources);
        source = &errors->sources[message->place.file];
        if (message->place.line > 0)
                snprintf(start, sizeof(start), "%s:%d:%d: ", source->name, message->place.line,
                         message->place.column);
        else
                snprintf(start, sizeof(start), "%s: ", source->name);
        assert(strncmp(message->text, start, strlen(start)) == 0);
        assert(strlen(message->text) > strlen(start));
        assert(text_check(message->text, strlen(message->text), false, &position) == TEXT_OK);
        if (message->excerpt)
                assert(text_check(message->excerpt, strlen(message->excerpt), true, &position) ==
                       TEXT_OK);
        check_place(source, message->place, message->text + strlen(source->name) + 1);
}

static void check_messages(const ConfigErrors *errors, const ConfigMessages *messages) {
        for (size_t i = 0; i < messages->n; i++)
                check_message(errors, &messages->list[i]);
        assert(messages->n_more == 0 || messages->n == CONFIG_MESSAGES_MAX);
}

/* ---- what is accepted ---- */

static bool same_text(const char *a, const char *b) {
        return a && b ? STREQ(a, b) : a == b;
}

static void check_same(const Policy *a, const Policy *b) {
        char timing[2][POLICY_DIGEST_SIZE];

        assert(policy_timing(a, timing[0]) == 0 && policy_timing(b, timing[1]) == 0);
        assert(STREQ(timing[0], timing[1]));
        assert(a->site == b->site && a->map_size == b->map_size);
        assert(same_text(a->state_directory, b->state_directory));
        assert(same_text(a->backup_directory, b->backup_directory));
        assert(same_text(a->zone, b->zone) && same_text(a->reports.calendar, b->reports.calendar));
        assert(a->backup_keep == b->backup_keep && a->journal_keep == b->journal_keep);
        assert(a->request_keep == b->request_keep);
        assert(a->log_level == b->log_level && a->log_facility == b->log_facility);
        assert(a->late_after == b->late_after && a->suspect_jump == b->suspect_jump);
        assert(a->holiday_warning == b->holiday_warning);
        assert(a->tickets.visit_required == b->tickets.visit_required);
        assert(a->tickets.assign_dealer == b->tickets.assign_dealer);
        assert(a->tickets.followup_attempts == b->tickets.followup_attempts);
        assert(a->tickets.repeat_within == b->tickets.repeat_within);
        assert(a->reports.cutoff == b->reports.cutoff && a->reports.bonus == b->reports.bonus);
        assert(a->n_roles == b->n_roles && a->n_access == b->n_access);
        for (size_t i = 0; i < a->n_roles; i++)
                assert(STREQ(a->roles[i].name, b->roles[i].name) &&
                       a->roles[i].n_permissions == b->roles[i].n_permissions);
        for (size_t i = 0; i < a->n_access; i++)
                assert(a->access[i].is_group == b->access[i].is_group &&
                       STREQ(a->access[i].name, b->access[i].name) &&
                       STREQ(a->access[i].role, b->access[i].role) &&
                       a->access[i].scope == b->access[i].scope &&
                       same_text(a->access[i].unit, b->access[i].unit));
        assert(STREQ(a->shown[0], b->shown[0])); /* shown[1] tells another file */
}

/* Names are not asked of the name service. Whether it is accepted. */
static bool load(App *app, const AppOptions *options) {
        ConfigIdentities identities = {};
        _cleanup_(config_errors_done) ConfigErrors errors = { .identities = &identities };
        int r;

        *app = (App){ .options = options };
        r = app_load_policy(app, &errors);
        assert(r == 0 || r == CONFIG_REFUSED);
        assert(config_errors_any(&errors) == (r == CONFIG_REFUSED));
        check_messages(&errors, &errors.errors);
        check_messages(&errors, &errors.warnings);
        return r == 0;
}

/* The holiday file stays. */
static void check_shown(const AppOptions *options, const Policy *policy) {
        for (size_t i = 2; i < FILES_MAX; i++)
                unlinkat(at, names[i], 0);
        for (size_t i = 0; i < ELEMENTS(policy->shown); i++) {
                _cleanup_(app_done) App again = {};

                write_file(MAIN, policy->shown[i], strlen(policy->shown[i]));
                assert(load(&again, options));
                check_same(policy, again.policy);
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        AppOptions options = { .config_path = path };
        _cleanup_(app_done) App app = {};

        prepare();
        write_files(data, size);
        if (load(&app, &options))
                check_shown(&options, app.policy);
        return 0;
}
