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
#include "store/backups.h"

#define DEFAULT_CONFIG "/etc/aftersalesd/aftersalesd.yaml"

static const char usage[] =
        "Usage: aftersalesd [OPTION]...\n"
        "Keeps after-sales cases in a closed loop and escalates what is late.\n"
        "\n"
        "  --config=FILE         configuration, " DEFAULT_CONFIG " unless given\n"
        "  --state=DIRECTORY     where the store is, instead of store.directory of the configuration\n"
        "                        ($STATE_DIRECTORY does the same)\n"
        "  --bus=ADDRESS         bus to serve on, the system bus unless given\n"
        "  --socket=PATH         also serve direct connections, past the bus, on this socket\n"
        "                        ($RUNTIME_DIRECTORY: on the socket bus there)\n"
        "  --clock=real          the system's clock (as without)\n"
        "  --clock=manual[=TIME] a clock that stands still, at TIME like 2026-01-05T00:00:00Z, until it is\n"
        "                        set through org.aftersales1.Clock\n"
        "  --foreground          log to standard error instead of syslog (as on a terminal)\n"
        "  --check-config        check the configuration with its drop-ins and exit: 0 good, 78 with errors\n"
        "  --cases               with --check-config: also against the open cases, beside a running daemon or\n"
        "                        alone, wherever the configuration is: 78 if it contradicts any\n"
        "  --show-config         print what the configuration says, defaults included, and exit\n"
        "  --origin              with --show-config: also the file and line of each value\n"
        "  --check               prove the store, also beside a running daemon, and exit: 0 clean, 1 faults\n"
        "  --backup=FILE         copy the store into a new file and prove the copy, also beside a running daemon\n"
        "                        (DIRECTORY/: there, named by the time; --keep=N: and remove older ones but N)\n"
        "  --restore=FILE        put such a copy where the store is to be, while no daemon is running\n"
        "  --dump=FILE|-         write all of the store as text (JSON lines), also beside a running daemon\n"
        "  --load=FILE           put a store with all that such a text has where it is to be, as --restore does\n"
        "  --force               with --restore, --load: in place of a store that is there, which is kept beside\n"
        "  --introspect          print the documented D-Bus interface and exit\n"
        "  --print-keys          print every key of the configuration with its meaning and exit\n"
        "  --version, --help\n";

enum Mode {
        MODE_RUN,
        MODE_CHECK_CONFIG,
        MODE_SHOW_CONFIG,
        MODE_CHECK,
        MODE_BACKUP,
        MODE_RESTORE,
        MODE_DUMP,
        MODE_LOAD,
        MODE_INTROSPECT,
        MODE_PRINT_KEYS,
        MODE_PREVIEW_POLICY, /* helpers of a daemon that runs, no business of a user */
        MODE_SIMULATE,
        MODE_EXPORT,
        MODE_TRY_IMPORT,
        MODE_LIST_BACKUPS,
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

static int set_clock(const char *text, WallClock *clock) {
        if (parse_clock(text, clock) == 0)
                return 0;
        fprintf(stderr,
                "aftersalesd: --clock=%s: must be real, manual or manual=2026-01-05T00:00:00Z\n",
                text);
        return EX_USAGE + 1;
}

static int set_keep(const char *text, uint32_t *keep) {
        char *end;
        unsigned long n = strtoul(text, &end, 10);

        if (n < 1 || n > BACKUPS_MAX || *end) {
                fprintf(stderr, "aftersalesd: --keep=%s: must be a number from 1 to %d\n", text,
                        BACKUPS_MAX);
                return EX_USAGE + 1;
        }
        *keep = (uint32_t)n;
        return 0;
}

/* 0 to go on, else the exit status plus one. */
static int take_option(int c, AppOptions *options, int *mode) {
        switch (c) {
        case 0: /* a mode */
                return 0;
        case 'c':
                options->config_path = optarg;
                return 0;
        case 's':
                options->state = optarg;
                options->unit_state = false;
                return 0;
        case 'b':
                options->bus_address = STREQ(optarg, "system") ? NULL : optarg;
                return 0;
        case 'S':
                options->socket = optarg;
                return 0;
        case 'k':
                return set_clock(optarg, &options->clock);
        case 'f':
                options->log_target = LOG_TO_STDERR;
                return 0;
        case 'B':
        case 'R':
        case 'D':
        case 'L':
                *mode = c == 'B'   ? MODE_BACKUP
                        : c == 'R' ? MODE_RESTORE
                        : c == 'D' ? MODE_DUMP
                                   : MODE_LOAD;
                options->file = optarg;
                return 0;
        case 'l':
                *mode = MODE_LIST_BACKUPS;
                options->file = optarg;
                return 0;
        case 'K':
                return set_keep(optarg, &options->keep);
        case 'F':
                options->force = true;
                return 0;
        case 'C':
                options->cases = true;
                return 0;
        case 'o':
                options->origin = true;
                return 0;
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
}

/* Likewise. */
static int parse_arguments(int argc, char *argv[], AppOptions *options, int *mode) {
        const struct option long_options[] = {
                { "config", required_argument, NULL, 'c' },
                { "state", required_argument, NULL, 's' },
                { "bus", required_argument, NULL, 'b' },
                { "socket", required_argument, NULL, 'S' },
                { "clock", required_argument, NULL, 'k' },
                { "foreground", no_argument, NULL, 'f' },
                { "check-config", no_argument, mode, MODE_CHECK_CONFIG },
                { "show-config", no_argument, mode, MODE_SHOW_CONFIG },
                { "cases", no_argument, NULL, 'C' },
                { "origin", no_argument, NULL, 'o' },
                { "check", no_argument, mode, MODE_CHECK },
                { "backup", required_argument, NULL, 'B' },
                { "restore", required_argument, NULL, 'R' },
                { "dump", required_argument, NULL, 'D' },
                { "load", required_argument, NULL, 'L' },
                { "keep", required_argument, NULL, 'K' },
                { "force", no_argument, NULL, 'F' },
                { "introspect", no_argument, mode, MODE_INTROSPECT },
                { "print-keys", no_argument, mode, MODE_PRINT_KEYS },
                { "preview-policy", no_argument, mode, MODE_PREVIEW_POLICY },
                { "simulate", no_argument, mode, MODE_SIMULATE },
                { "export", no_argument, mode, MODE_EXPORT },
                { "try-import", no_argument, mode, MODE_TRY_IMPORT },
                { "list-backups", required_argument, NULL, 'l' },
                { "version", no_argument, NULL, 'V' },
                { "help", no_argument, NULL, 'h' },
                {},
        };
        int c, r = 0;

        while (r == 0 && (c = getopt_long(argc, argv, "", long_options, NULL)) >= 0)
                r = take_option(c, options, mode);
        if (r == 0 && optind < argc) {
                fprintf(stderr, "aftersalesd: '%s' is no option; try --help\n", argv[optind]);
                return EX_USAGE + 1;
        }
        return r;
}

/* A unit with several state directories has them all in the variable, divided by colons; the
 * store's is the first. */
static char *state_from_environment(void) {
        const char *list = getenv("STATE_DIRECTORY");

        return list ? strndup(list, strcspn(list, ":")) : NULL;
}

/* Likewise. */
static char *socket_from_environment(void) {
        const char *list = getenv("RUNTIME_DIRECTORY");
        char *path = NULL;

        return list && asprintf(&path, "%.*s/bus", (int)strcspn(list, ":"), list) >= 0 ? path
                                                                                       : NULL;
}

static int introspect(const AppOptions *options _unused_) {
        bus_print_introspection(stdout);
        return EXIT_SUCCESS;
}

static int print_keys(const AppOptions *options _unused_) {
        config_print_keys(stdout);
        return EXIT_SUCCESS;
}

static int (*const modes[])(const AppOptions *) = {
        [MODE_RUN] = app_run,
        [MODE_CHECK_CONFIG] = app_check_config,
        [MODE_SHOW_CONFIG] = app_show_config,
        [MODE_CHECK] = app_check_store,
        [MODE_BACKUP] = app_backup,
        [MODE_RESTORE] = app_restore,
        [MODE_DUMP] = app_dump,
        [MODE_LOAD] = app_load,
        [MODE_INTROSPECT] = introspect,
        [MODE_PRINT_KEYS] = print_keys,
        [MODE_PREVIEW_POLICY] = app_preview_policy,
        [MODE_SIMULATE] = app_simulate,
        [MODE_EXPORT] = app_export,
        [MODE_TRY_IMPORT] = app_try_import,
        [MODE_LIST_BACKUPS] = app_list_backups,
};

int main(int argc, char *argv[]) {
        char program[4096] = "";
        _cleanup_free_ char *state = state_from_environment(), *socket = socket_from_environment();
        AppOptions options = {
                .program = program,
                .config_path = DEFAULT_CONFIG,
                .state = state,
                .unit_state = state != NULL,
                .socket = socket,
                .log_target = isatty(STDERR_FILENO) ? LOG_TO_STDERR : LOG_TO_SYSLOG,
        };
        int mode = MODE_RUN;
        int r = parse_arguments(argc, argv, &options, &mode);

        if (r > 0)
                return r - 1;
        if (readlink("/proc/self/exe", program, sizeof(program) - 1) < 0)
                snprintf(program, sizeof(program), "%s", argv[0]);
        return modes[mode](&options);
}
