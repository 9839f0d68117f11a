/* SPDX-License-Identifier: Apache-2.0 */

/* Reads a configuration file as the daemon does and says what is wrong with it.
 *
 *         config-check FILE     exit status 0: in order, 1: refused, 2: could not be tried
 *         config-check --keys   lists every key a file can have */

#include <stdio.h>
#include <string.h>

#include "config/config.h"

static void print(const char *severity, const ConfigMessages *messages) {
        for (size_t i = 0; i < messages->n; i++) {
                const ConfigMessage *message = &messages->list[i];

                fprintf(stderr, "%s%s\n%s%s", severity, message->text, message->excerpt ?: "",
                        message->excerpt ? "\n" : "");
        }
        if (messages->n_more > 0)
                fprintf(stderr, "%sand %zu more\n", severity, messages->n_more);
}

int main(int argc, char **argv) {
        ConfigErrors errors = {};
        Policy *policy = NULL;
        int r;

        if (argc != 2) {
                fprintf(stderr, "usage: config-check FILE | --keys\n");
                return 2;
        }
        if (STREQ(argv[1], "--keys")) {
                config_print_keys(stdout);
                return 0;
        }
        r = config_load(argv[1], &errors, &policy);
        if (r < 0)
                fprintf(stderr, "config-check: %s\n", strerror(-r));
        print("", &errors.errors);
        print("warning: ", &errors.warnings);
        config_errors_done(&errors);
        policy_free(policy);
        return r < 0 ? 2 : r;
}
