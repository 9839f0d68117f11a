/* SPDX-License-Identifier: Apache-2.0 */

#include "options.h"

#include <errno.h>
#include <getopt.h>
#include <string.h>
#include <sysexits.h>

static const struct {
        const char *name;
        char letter;
        const char *argument;
        unsigned group;
        const char *meaning;
} options[_OPTION_MAX] = {
#define X(symbol, name, letter, argument, group, meaning)                                          \
        [symbol] = { name, letter, argument, group, meaning },
        OPTIONS(X)
#undef X
};

/* What getopt_long() returns for an option: above all letters. */
#define CODE_FIRST 256

static int has_argument(OptionId id) {
        if (!options[id].argument)
                return no_argument;
        return *options[id].argument == '[' ? optional_argument : required_argument;
}

/* What getopt_long() did not like about the word. */
static int report_unknown(const Report *to, const char *word) {
        _cleanup_free_ char *name = NULL;
        Nearest nearest = {};
        char hint[NEAREST_HINT_SIZE];

        if (optopt >= CODE_FIRST)
                return report(to, EX_USAGE, "--%s takes no value",
                              options[optopt - CODE_FIRST].name);
        if (optopt != 0)
                return report(to, EX_USAGE, "there is no option '-%c'", optopt);
        name = strndup(word + 2, strcspn(word + 2, "="));
        if (!name)
                return -ENOMEM;
        nearest.text = name;
        for (size_t i = 0; i < _OPTION_MAX; i++)
                nearest_offer(&nearest, options[i].name);
        return report(to, EX_USAGE, "there is no option '--%s'%s", name,
                      nearest_hint(&nearest, "--", hint));
}

static int id_of(int code) {
        for (int i = 0; i < _OPTION_MAX; i++)
                if (code == CODE_FIRST + i || (code == options[i].letter && code != 0))
                        return i;
        return -1;
}

int options_parse(const Report *report_to, int argc, char **argv, Options *ret, int *ret_rest) {
        struct option longs[_OPTION_MAX + 1] = {};
        char letters[2 * _OPTION_MAX + 2] = ":";
        size_t n = 1;
        int code;

        for (int i = 0; i < _OPTION_MAX; i++) {
                longs[i] =
                        (struct option){ options[i].name, has_argument(i), NULL, CODE_FIRST + i };
                if (!options[i].letter)
                        continue;
                letters[n++] = options[i].letter;
                if (has_argument(i) == required_argument)
                        letters[n++] = ':';
        }
        while ((code = getopt_long(argc, argv, letters, longs, NULL)) >= 0) {
                int id = id_of(code);

                if (code == ':')
                        return report(report_to, EX_USAGE, "%s needs a value", argv[optind - 1]);
                if (id < 0)
                        return report_unknown(report_to, argv[optind - 1]);
                ret->value[id] = optarg ? optarg : "";
        }
        *ret_rest = optind;
        return 0;
}

int options_check(const Report *report_to, const Options *given, unsigned groups) {
        for (size_t i = 0; i < _OPTION_MAX; i++)
                if (given->value[i] && !(options[i].group & (groups | FOR_ALL)))
                        return report(report_to, EX_USAGE, "--%s does not go with this command",
                                      options[i].name);
        return 0;
}

const char *option_name(OptionId id) {
        return options[id].name;
}

#define HELP_WIDTH 30

void options_each(unsigned groups, void (*found)(void *userdata, const char *name, bool argument),
                  void *userdata) {
        for (size_t i = 0; i < _OPTION_MAX; i++)
                if (options[i].group & groups)
                        found(userdata, options[i].name,
                              has_argument((OptionId)i) == required_argument);
}

void options_help(FILE *f, unsigned groups) {
        for (size_t i = 0; i < _OPTION_MAX; i++) {
                const char *argument = options[i].argument;
                char left[2 * HELP_WIDTH], letter[] = "-x, ";

                if (!(options[i].group & groups))
                        continue;
                letter[1] = options[i].letter;
                snprintf(left, sizeof(left), "%s--%s%s", options[i].letter ? letter : "",
                         options[i].name, argument ? argument : "");
                fprintf(f, "  %-*s %s\n", HELP_WIDTH, left, options[i].meaning);
        }
}
