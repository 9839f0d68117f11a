/* SPDX-License-Identifier: Apache-2.0 */

#include "config/dropins.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "config/keys.h"
#include "config/source.h"

#define DROPIN_DIRECTORY "conf.d"
#define DROPIN_SUFFIX    ".yaml"
#define SHOWN_NAME_SIZE  256

typedef struct Reading {
        ConfigErrors *errors;
        size_t n_events; /* of all files */
        Tree *tree;      /* of those read so far; NULL: none was a map */
        bool ended;      /* one could not be read to its end */
} Reading;

/* Notes an error that is about a file as a whole. */
static void refuse_file(ConfigErrors *errors, size_t file, const char *problem) {
        config_error_add(errors, (ConfigPlace){ .file = file }, "", "the file cannot be read: %s",
                         problem);
}

/* What is no map cannot be merged: it is held against the schema alone, which says so. */
static int take_tree(Reading *reading, Tree *tree) {
        int r;

        if (tree->type != TREE_MAP) {
                r = schema_walk(&policy_schema, NULL, reading->errors, tree, NULL);
                tree_free(tree);
                reading->ended = true;
                return MIN(r, 0);
        }
        if (reading->tree)
                return tree_merge(reading->tree, tree);
        reading->tree = tree;
        return 0;
}

static int read_file(Reading *reading, const char *path, bool follow) {
        Tree *tree = NULL;
        size_t file;
        int r = source_add(reading->errors, path, follow, &file);

        if (r == -ENOMEM)
                return r;
        if (r < 0) {
                refuse_file(reading->errors, file, source_problem(r));
                reading->ended = true;
                return 0;
        }
        r = source_check(reading->errors, file, false);
        if (r >= 0)
                r = tree_read(reading->errors, file, &reading->n_events, &tree);
        if (r == -ENOMEM) {
                tree_free(tree);
                return r;
        }
        if (r < 0)
                reading->ended = true;
        return tree ? take_tree(reading, tree) : 0;
}

/* ---- the directory -------------------------------------------------------------------------- */

typedef struct Names {
        char *list[CONFIG_DROPINS_MAX];
        size_t n;
} Names;

static void names_done(Names *names) {
        for (size_t i = 0; i < names->n; i++)
                free(names->list[i]);
}

static bool is_hidden(const char *name) {
        return name[0] == '.';
}

static bool is_dropin(const char *name) {
        size_t n = strlen(name), suffix = strlen(DROPIN_SUFFIX);

        return !is_hidden(name) && n > suffix && STREQ(name + n - suffix, DROPIN_SUFFIX);
}

static void warn_passed_over(ConfigErrors *errors, const char *format, ...) {
        va_list arguments;

        va_start(arguments, format);
        config_message_add(errors, &errors->warnings, config_nowhere, "", format, arguments);
        va_end(arguments);
}

/* A file that is there and not read is most likely meant to be. */
static void pass_over(ConfigErrors *errors, const char *directory, const char *name) {
        char clean[SHOWN_NAME_SIZE];

        if (!is_hidden(name))
                warn_passed_over(errors,
                                 "%s/%s is not read: only files whose names end in " DROPIN_SUFFIX
                                 " are; rename or remove it",
                                 directory, text_escape(name, clean, sizeof(clean)));
}

static int names_add(Names *names, const char *name, const char **problem) {
        size_t at = names->n, position;
        char *copy;

        if (text_check(name, strlen(name), false, &position) != TEXT_OK) {
                *problem = "the name of a file in it is no plain text; rename that file";
                return 0;
        }
        if (names->n == CONFIG_DROPINS_MAX) {
                *problem = "it has too many files; write at most 64";
                return 0;
        }
        copy = strdup(name);
        if (!copy)
                return -ENOMEM;
        for (; at > 0 && strcmp(names->list[at - 1], copy) > 0; at--)
                names->list[at] = names->list[at - 1];
        names->list[at] = copy;
        names->n++;
        return 0;
}

static int names_read(ConfigErrors *errors, Names *names, const char *path, DIR *directory,
                      const char **problem) {
        const struct dirent *entry;
        int r = 0;

        static_assert(CONFIG_DROPINS_MAX == 64, "a message tells how many");
        for (errno = 0; r == 0 && !*problem && (entry = readdir(directory)); errno = 0)
                if (is_dropin(entry->d_name))
                        r = names_add(names, entry->d_name, problem);
                else
                        pass_over(errors, path, entry->d_name);
        if (r == 0 && !*problem && errno != 0)
                *problem = strerror(errno);
        return r;
}

/* Opening a directory that is none says so; one that is not there has nothing to say. */
static int read_directory(Reading *reading, const char *path) {
        _cleanup_(names_done) Names names = {};
        const char *problem = NULL;
        DIR *directory = opendir(path);
        int r = 0;

        if (!directory && errno == ENOENT)
                return 0;
        if (directory)
                r = names_read(reading->errors, &names, path, directory, &problem);
        else
                problem = strerror(errno);
        if (directory)
                closedir(directory);
        if (r < 0)
                return r;
        if (problem) {
                config_error_add(reading->errors, config_nowhere, "",
                                 "the directory %s beside it cannot be read: %s", path, problem);
                reading->ended = true;
                return 0;
        }
        for (size_t i = 0; r == 0 && i < names.n; i++) {
                _cleanup_free_ char *file = NULL;

                if (asprintf(&file, "%s/%s", path, names.list[i]) < 0) {
                        file = NULL;
                        return -ENOMEM;
                }
                r = read_file(reading, file, false);
        }
        return r;
}

int dropins_read(ConfigErrors *errors, const char *path, const char *directory, Tree **ret) {
        _cleanup_free_ char *dropins = NULL;
        Reading reading = { .errors = errors };
        int r;

        *ret = NULL;
        if (asprintf(&dropins, "%s" DROPIN_DIRECTORY, directory) < 0) {
                dropins = NULL;
                return -ENOMEM;
        }
        r = read_file(&reading, path, true);
        if (r == 0)
                r = read_directory(&reading, dropins);
        *ret = reading.tree;
        return r == 0 && reading.ended ? -EBADMSG : r;
}
