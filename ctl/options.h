/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The options of the command line, once: parsing and help come from this table. */

#include "text.h"

/* Which commands take an option. */
typedef enum OptionGroup {
        FOR_ALL = 1 << 0,
        FOR_TABLES = 1 << 1, /* commands that show rows */
        FOR_LISTS = 1 << 2,  /* of which there may be many */
        FOR_FIELDS = 1 << 3, /* commands with FIELD=VALUE words */
        FOR_CHANGES = 1 << 4,
        FOR_WATCHING = 1 << 5, /* lists that can be watched */
        FOR_MONITOR = 1 << 6,
        FOR_TRYING = 1 << 7, /* what can be tried without doing it */
        FOR_SIMULATE = 1 << 8,
        FOR_FILES = 1 << 9, /* files in or out */
        FOR_IMPORTS = 1 << 10,
        FOR_EXPORTS = 1 << 11,
        FOR_CONFIG = 1 << 12,
} OptionGroup;

/* X(symbol, name, letter, argument, group, meaning). argument: as in help, "[=" an optional one,
 * NULL none. The options of a change have the names that they have on the bus, with hyphens. */
#define OPTIONS(X)                                                                                  \
        X(OPTION_HOST, "host", 'H', "=[USER@]HOST", FOR_ALL,                                        \
          "talk to the daemon there, through ssh")                                                  \
        X(OPTION_JSON, "json", 0, "[=pretty|short|off]", FOR_ALL,                                   \
          "answer as JSON; pretty on a terminal unless told")                                       \
        X(OPTION_COLOR, "color", 0, "=auto|always|never", FOR_ALL,                                  \
          "what is overdue or waiting in colour; auto: on a terminal, without NO_COLOR")            \
        X(OPTION_HELP, "help", 'h', NULL, FOR_ALL, "this help, or that of a command")               \
        X(OPTION_VERSION, "version", 0, NULL, FOR_ALL, "version of this program")                   \
        X(OPTION_COLUMNS, "columns", 0, "=A,B,...", FOR_TABLES | FOR_EXPORTS,                       \
          "show these fields only; the names are those in JSON")                                    \
        X(OPTION_NO_LEGEND, "no-legend", 0, NULL, FOR_TABLES, "no headings over tables")            \
        X(OPTION_LIMIT, "limit", 0, "=N", FOR_LISTS, "at most N rows (1000 unless told), 0: all")   \
        X(OPTION_WATCH, "watch", 0, "[=SECONDS]", FOR_WATCHING,                                     \
          "show the list again whenever it has changed, at most every so many seconds (1)")         \
        X(OPTION_SINCE, "since", 0, "=SEQUENCE", FOR_MONITOR,                                       \
          "begin after this change; 0: with the oldest kept. Without: with what comes from now on") \
        X(OPTION_DRY_RUN, "dry-run", 0, NULL, FOR_TRYING, "only say what it would do")              \
        X(OPTION_UNTIL, "until", 0, "=TIME", FOR_SIMULATE, "as far as that time")                   \
        X(OPTION_SUMMARY, "summary", 0, NULL, FOR_SIMULATE,                                         \
          "only count them, by recipient and cause")                                                \
        X(OPTION_ORIGIN, "origin", 0, NULL, FOR_CONFIG, "with the file and line of each value")     \
        X(OPTION_FORMAT, "format", 0, "=csv|json", FOR_FILES,                                       \
          "form of the file: CSV, or JSON lines; unless told, what its name ends with says")        \
        X(OPTION_ENCODING, "encoding", 0, "=utf-8|gb18030", FOR_FILES, "of its text")               \
        X(OPTION_OUTPUT, "output", 'o', "=FILE", FOR_EXPORTS,                                       \
          "write to this file instead of standard output")                                          \
        X(OPTION_MARK, "mark", 0, NULL, FOR_EXPORTS,                                                \
          "begin with a byte order mark, for spreadsheets")                                         \
        X(OPTION_ATOMIC, "atomic", 0, NULL, FOR_IMPORTS, "all rows or none")                        \
        X(OPTION_ESCALATE, "escalate", 0, NULL, FOR_IMPORTS,                                        \
          "rows with times of their own escalate what is past already")                             \
        X(OPTION_REJECTS, "rejects", 0, "=FILE", FOR_IMPORTS,                                       \
          "where to put rows that are refused, to be mended and imported again")                    \
        X(OPTION_STDIN, "stdin", 0, NULL, FOR_FIELDS,                                               \
          "more fields as a JSON object on standard input; the way to give personal data")          \
        X(OPTION_ASK, "ask", 0, NULL, FOR_FIELDS, "ask for personal data on the terminal")          \
        X(OPTION_NOTE, "note", 0, "=TEXT", FOR_CHANGES, "a remark for the history")                 \
        X(OPTION_REVISION, "revision", 0, "=N", FOR_CHANGES,                                        \
          "refuse if the record has changed since this revision")                                   \
        X(OPTION_BY, "by", 0, "=PERSON", FOR_CHANGES, "the person for whom this is done")           \
        X(OPTION_AT, "at", 0, "=TIME", FOR_CHANGES, "when it happened, if it is reported later")    \
        X(OPTION_REQUEST_ID, "request-id", 0, "=ID", FOR_CHANGES,                                   \
          "name of this request: repeated with it, it is done only once")                           \
        X(OPTION_QUIET, "quiet", 'q', NULL, FOR_CHANGES,                                            \
          "print nothing but the number of a new ticket or the code of a new record")

typedef enum OptionId {
#define X(symbol, name, letter, argument, group, meaning) symbol,
        OPTIONS(X)
#undef X
                _OPTION_MAX,
} OptionId;

typedef struct Options {
        const char *value[_OPTION_MAX]; /* NULL: not given; "" for those without argument */
} Options;

/* Reads the options and moves what else there is to the end of argv, from *ret_rest on. 0, an
 * exit code or -ENOMEM. */
int options_parse(const Report *report, int argc, char **argv, Options *ret, int *ret_rest);

/* Refuses the first option given that a command of these groups does not take. 0 or an exit code.
 */
int options_check(const Report *report, const Options *options, unsigned groups);

/* "request-id" */
const char *option_name(OptionId id);

/* Hands over each option of these groups, and whether it takes an argument. */
void options_each(unsigned groups, void (*found)(void *userdata, const char *name, bool argument),
                  void *userdata);

/* Writes a line for each option of these groups. */
void options_help(FILE *f, unsigned groups);
