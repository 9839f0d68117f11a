/* SPDX-License-Identifier: Apache-2.0 */

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>

#include "aftersales/limits.h"
#include "aftersales/version.h"
#include "app.h"
#include "bus/bus.h"

#define DEFAULT_CONFIG "/etc/aftersalesd/aftersalesd.yaml"

static const char usage[] =
        "Usage: aftersalesd [OPTION]...\n"
        "Keeps after-sales cases in a closed loop and escalates what is late.\n"
        "\n"
        "  --config=FILE         configuration, " DEFAULT_CONFIG " unless given\n"
        "  --state=DIRECTORY     where the store is, instead of store.directory of the configuration\n"
        "                        ($STATE_DIRECTORY does the same)\n"
        "  --bus=ADDRESS         bus to serve on, the system bus unless given\n"
        "  --clock=real          the system's clock (as without)\n"
        "  --clock=manual[=TIME] a clock that stands still, at TIME like 2026-01-05T00:00:00Z, until it is\n"
        "                        set through org.aftersales1.Clock\n"
        "  --foreground          log to standard error instead of syslog (as on a terminal)\n"
        "  --check-config        check the configuration and exit: 0 good, 78 with errors\n"
        "  --check               prove the store, also beside a running daemon, and exit: 0 clean, 1 faults\n"
        "  --introspect          print the documented D-Bus interface and exit\n"
        "  --version, --help\n";

enum Mode {
        MODE_RUN,
        MODE_CHECK_CONFIG,
        MODE_CHECK,
        MODE_INTROSPECT,
        MODE_PREVIEW_POLICY, /* helpers of a daemon that runs, no business of a user */
        MODE_SIMULATE,
        MODE_EXPORT,
        MODE_TRY_IMPORT,
};

static int parse_clock(const char *text, WallClock *clock) {
        struct tm tm = {};
        const char *end;

        if (STREQ(text, "real")) {
                *clock = (WallClock){};
                return 0;
        }
        if (strncmp(text, "manual", 6) != 0 || (text[6] && text[6] != '='))
                return -EINVAL;
        clock->manual = true;
        if (!text[6]) {
                clock->now = (int64_t)time(NULL) * USEC_PER_SEC;
                return 0;
        }
        end = strptime(text + 7, "%Y-%m-%dT%H:%M:%SZ", &tm);
        if (!end || *end)
                return -EINVAL;
        clock->now = (int64_t)timegm(&tm) * USEC_PER_SEC;
        return 0;
}

/* 0 to go on, else the exit status plus one. */
static int parse_arguments(int argc, char *argv[], AppOptions *options, enum Mode *mode) {
        static const struct option long_options[] = {
                { "config", required_argument, NULL, 'c' },
                { "state", required_argument, NULL, 's' },
                { "bus", required_argument, NULL, 'b' },
                { "clock", required_argument, NULL, 'k' },
                { "foreground", no_argument, NULL, 'f' },
                { "check-config", no_argument, NULL, 'C' },
                { "check", no_argument, NULL, 'S' },
                { "introspect", no_argument, NULL, 'I' },
                { "preview-policy", no_argument, NULL, 'P' },
                { "simulate", no_argument, NULL, 'M' },
                { "export", no_argument, NULL, 'E' },
                { "try-import", no_argument, NULL, 'T' },
                { "version", no_argument, NULL, 'V' },
                { "help", no_argument, NULL, 'h' },
                {},
        };
        int c;

        while ((c = getopt_long(argc, argv, "", long_options, NULL)) >= 0)
                switch (c) {
                case 'c':
                        options->config_path = optarg;
                        break;
                case 's':
                        options->state = optarg;
                        options->unit_state = false;
                        break;
                case 'b':
                        options->bus_address = STREQ(optarg, "system") ? NULL : optarg;
                        break;
                case 'k':
                        if (parse_clock(optarg, &options->clock) < 0) {
                                fprintf(stderr,
                                        "aftersalesd: --clock=%s: must be real, manual or "
                                        "manual=2026-01-05T00:00:00Z\n",
                                        optarg);
                                return EX_USAGE + 1;
                        }
                        break;
                case 'f':
                        options->log_target = LOG_TO_STDERR;
                        break;
                case 'C':
                        *mode = MODE_CHECK_CONFIG;
                        break;
                case 'S':
                        *mode = MODE_CHECK;
                        break;
                case 'I':
                        *mode = MODE_INTROSPECT;
                        break;
                case 'P':
                        *mode = MODE_PREVIEW_POLICY;
                        break;
                case 'M':
                        *mode = MODE_SIMULATE;
                        break;
                case 'E':
                        *mode = MODE_EXPORT;
                        break;
                case 'T':
                        *mode = MODE_TRY_IMPORT;
                        break;
                case 'V':
                        puts("aftersalesd " AFTERSALES_VERSION);
                        return EXIT_SUCCESS + 1;
                case 'h':
                        fputs(usage, stdout);
                        return EXIT_SUCCESS + 1;
                default:
                        fputs("Try 'aftersalesd --help'.\n", stderr);
                        return EX_USAGE + 1;
                }
        if (optind < argc) {
                fprintf(stderr, "aftersalesd: '%s' is no option; try --help\n", argv[optind]);
                return EX_USAGE + 1;
        }
        return 0;
}

/* A unit with several state directories has them all in the variable, divided by colons; the
 * store's is the first. */
static char *state_from_environment(void) {
        const char *list = getenv("STATE_DIRECTORY");

        return list ? strndup(list, strcspn(list, ":")) : NULL;
}

int main(int argc, char *argv[]) {
        char program[4096] = "";
        _cleanup_free_ char *state = state_from_environment();
        AppOptions options = {
                .program = program,
                .config_path = DEFAULT_CONFIG,
                .state = state,
                .unit_state = state != NULL,
                .log_target = isatty(STDERR_FILENO) ? LOG_TO_STDERR : LOG_TO_SYSLOG,
        };
        enum Mode mode = MODE_RUN;
        int r = parse_arguments(argc, argv, &options, &mode);

        if (r > 0)
                return r - 1;
        if (readlink("/proc/self/exe", program, sizeof(program) - 1) < 0)
                snprintf(program, sizeof(program), "%s", argv[0]);
        switch (mode) {
        case MODE_CHECK_CONFIG:
                return app_check_config(&options);
        case MODE_CHECK:
                return app_check_store(&options);
        case MODE_PREVIEW_POLICY:
                return app_preview_policy(&options);
        case MODE_SIMULATE:
                return app_simulate(&options);
        case MODE_EXPORT:
                return app_export(&options);
        case MODE_TRY_IMPORT:
                return app_try_import(&options);
        case MODE_INTROSPECT:
                bus_print_introspection(stdout);
                return EXIT_SUCCESS;
        case MODE_RUN:
                break;
        }
        return app_run(&options);
}
