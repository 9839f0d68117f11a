/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What aftersalesctl can do: one table, from which the arguments are checked, the handlers called
 * and the help is written. */

#include "aftersales/limits.h"
#include "client.h"
#include "options.h"
#include "output.h"

/* A kind of record, or a part of the daemon. */
typedef struct Noun {
        const char *name;
        const char *interface;
        const char *schema;  /* what Manager.Schema calls it; NULL: it is no record */
        char letter;         /* before its numbers; 0: it has codes */
        const char *columns; /* of its list, unless told */
        const char *doc;
} Noun;

typedef struct Command Command;

/* What a handler works with. */
typedef struct Context {
        const Noun *noun;
        const Command *command;
        const Options *options;
        char **arguments; /* ID, CODE and the like, terminated by NULL */
        size_t n_arguments;
        char **words; /* FIELD=VALUE */
        size_t n_words;
        char title[NAME_MAX_BYTES]; /* "ticket dispatch" */
        Report report;
        Client client;
        Output output;
} Context;

/* 0, an exit code (what was wrong has been reported) or negative errno. */
typedef int (*Handler)(Context *context);

struct Command {
        unsigned nouns;        /* bits of NounId */
        const char *verb;      /* NULL: the noun alone is the command */
        const char *arguments; /* for the help */
        const char *doc;       /* NULL: the noun's */
        Handler handler;
        unsigned groups; /* of options it takes */
        size_t min, max; /* arguments before the words */
        bool local;      /* needs no daemon */
};

const Noun *noun_find(const char *name);
/* verb: NULL for a noun that is a command by itself; hyphens and underscores in it are the same. */
const Command *command_find(const Noun *noun, const char *verb);

/* Hands over every noun, and every verb of every noun that has verbs. */
void nouns_each(void (*found)(void *userdata, const Noun *noun), void *userdata);
void verbs_each(void (*found)(void *userdata, const Noun *noun, const char *verb), void *userdata);

/* Report that there is no such thing, with what may have been meant. EX_USAGE. */
int noun_report(const Report *report, const char *name);
int verb_report(const Report *report, const Noun *noun, const char *verb);

/* Writes the help: of all, of a noun, of a command. */
void help_write(FILE *f, const Noun *noun, const Command *command);
