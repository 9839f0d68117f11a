/* SPDX-License-Identifier: Apache-2.0 */

/* aftersalesctl: the daemon's D-Bus interface for people at a terminal and for scripts. */

#include <errno.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "aftersales/version.h"
#include "complete.h"
#include "verbs.h"

/* What the shell's completion calls. */
#define COMPLETE_WORD "__complete"

/* ---- how to write ---- */

static int choose_format(const Context *context, OutputFormat *ret) {
        const char *json = context->options->value[OPTION_JSON];

        if (!json || STREQ(json, "off"))
                *ret = OUTPUT_PEOPLE;
        else if (STREQ(json, "pretty"))
                *ret = OUTPUT_JSON_PRETTY;
        else if (STREQ(json, "short"))
                *ret = OUTPUT_JSON;
        else if (!*json)
                *ret = isatty(STDOUT_FILENO) ? OUTPUT_JSON_PRETTY : OUTPUT_JSON;
        else
                return report(&context->report, EX_USAGE,
                              "--json: '%s' is not possible; write pretty, short or off", json);
        return 0;
}

static int choose_colour(const Context *context, bool *ret) {
        const char *color = context->options->value[OPTION_COLOR];
        const char *no_color = getenv("NO_COLOR"), *term = getenv("TERM");

        if (!color || STREQ(color, "auto"))
                *ret = isatty(STDOUT_FILENO) && !(no_color && *no_color) && term &&
                       !STREQ(term, "dumb");
        else if (STREQ(color, "always") || STREQ(color, "never"))
                *ret = STREQ(color, "always");
        else
                return report(&context->report, EX_USAGE,
                              "--color: '%s' is not possible; write auto, always or never", color);
        return 0;
}

static int prepare_output(Context *context) {
        Output *output = &context->output;
        int r = choose_format(context, &output->format);

        output->to = stdout;
        output->letter = context->noun->letter;
        output->legend = !context->options->value[OPTION_NO_LEGEND];
        return r != 0 ? r : choose_colour(context, &output->colour);
}

/* ---- what to do ---- */

/* Arguments come before the FIELD=VALUE words. */
static int split_arguments(Context *context, char **rest) {
        const Command *command = context->command;
        size_t files =
                command->groups & FOR_FILES ? command->min : 0; /* whose names may have one */

        context->arguments = rest;
        while (context->n_arguments < command->max && rest[context->n_arguments] &&
               (context->n_arguments < files || !strchr(rest[context->n_arguments], '=')))
                context->n_arguments++;
        context->words = rest + context->n_arguments;
        while (context->words[context->n_words])
                context->n_words++;
        if (context->n_arguments < command->min)
                return report(&context->report, EX_USAGE, "something is missing; write %s %s",
                              context->report.command, command->arguments);
        if (context->n_words > 0 && !(command->groups & FOR_FIELDS))
                return report(&context->report, EX_USAGE, "'%s' is too much; write %s%s%s",
                              context->words[0], context->report.command,
                              *command->arguments ? " " : "", command->arguments);
        for (size_t i = 0; i < context->n_arguments; i++)
                if (!text_is_utf8(context->arguments[i]))
                        return report(&context->report, EX_DATAERR,
                                      "argument %zu is not valid UTF-8", i + 1);
        return 0;
}

static int run(Context *context) {
        int r;

        if (!context->command->local) {
                r = client_open(&context->client, &context->report,
                                context->options->value[OPTION_HOST]);
                if (r != 0)
                        return r;
        }
        r = context->command->handler(context);
        client_done(&context->client);
        return r;
}

static int execute(Context *context, const Command *command, char **rest) {
        int r;

        context->command = command;
        snprintf(context->title, sizeof(context->title), "%s%s%s", context->noun->name,
                 command->verb ? " " : "", command->verb ? command->verb : "");
        context->report.command = context->title;
        r = options_check(&context->report, context->options, command->groups);
        if (r == 0)
                r = split_arguments(context, rest);
        if (r == 0)
                r = prepare_output(context);
        return r != 0 ? r : run(context);
}

/* The noun and the verb stand in front of the arguments. */
static int dispatch(Context *context, char **rest) {
        const Command *command;

        if (!*rest)
                return report(&context->report, EX_USAGE,
                              "what is to be done? See aftersalesctl help");
        context->noun = noun_find(*rest);
        if (!context->noun)
                return noun_report(&context->report, *rest);
        rest++;
        command = *rest ? command_find(context->noun, *rest) : NULL;
        if (command)
                rest++;
        else
                command = command_find(context->noun, NULL);
        if (!command && *rest)
                return verb_report(&context->report, context->noun, *rest);
        if (context->options->value[OPTION_HELP]) {
                help_write(stdout, context->noun, command);
                return 0;
        }
        if (!command)
                return report(&context->report, EX_USAGE,
                              "%s: what is to be done? See aftersalesctl help %s",
                              context->noun->name, context->noun->name);
        return execute(context, command, rest);
}

int main(int argc, char **argv) {
        Options options = {};
        Context context = { .options = &options, .report.to = stderr };
        int rest = argc, r;

        text_use_locale();
        if (argc == 3 && STREQ(argv[1], COMPLETE_WORD)) {
                complete_write(stdout, argv[2]);
                return 0;
        }
        r = options_parse(&context.report, argc, argv, &options, &rest);
        if (r == 0 && options.value[OPTION_VERSION])
                printf("aftersalesctl %s\n", AFTERSALES_VERSION);
        else if (r == 0 && options.value[OPTION_HELP] && rest == argc)
                help_write(stdout, NULL, NULL);
        else if (r == 0)
                r = dispatch(&context, argv + rest);
        if (r < 0)
                r = report(&context.report, EXIT_FAILURE, "%s", strerror(-r));
        if (fflush(stdout) != 0 || ferror(stdout))
                r = report(&context.report, EXIT_FAILURE, "cannot write: %s", strerror(errno));
        return r;
}
