/* SPDX-License-Identifier: Apache-2.0 */

#include "app-internal.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sysexits.h>
#include <systemd/sd-event.h>

#include "aftersales/limits.h"
#include "base/digest.h"
#include "base/file.h"
#include "dealers/assessment.h"
#include "dealers/report.h"
#include "loop/history.h"
#include "loop/request.h"
#include "masters/part.h"
#include "masters/product.h"
#include "masters/unit.h"
#include "parts/check.h"
#include "parts/contract.h"
#include "parts/core.h"
#include "parts/move.h"
#include "parts/order.h"
#include "parts/planning.h"
#include "runtime/notify.h"
#include "store/check.h"
#include "tickets/ticket.h"

/* That a configuration may take, the users in it included. */
#define LOAD_SECONDS_MAX 60

/* Everything that is stored, and every kind of case: a further one is one line in each. */
const Table *const app_tables[] = {
        &unit_table,       &product_table,
        &serial_table,     &fault_table,
        &ticket_table,     &history_table,
        &escalation_table, &notification_table,
        &request_table,    &version_table,
        &periodic_table,   &report_table,
        &part_table,       &supplier_table,
        &move_table,       &core_table,
        &order_table,      &contract_table,
        &shipment_table,   &obligation_table,
        &assessment_table, NULL,
};
const Kind *const app_kinds[] = { &ticket_kind, &report_kind,     &core_kind,
                                  &order_kind,  &obligation_kind, NULL };
const Periodic *const app_periodics[] = { &report_duties, &plan_orders, NULL };

void app_done(App *app) {
        recompute_free(app->recompute);
        watchdog_free(app->watchdog);
        status_line_free(app->status);
        due_free(app->due);
        publisher_free(app->publisher);
        bus_free(app->bus);
        committer_free(app->committer);
        store_free(app->store);
        sd_event_unref(app->event);
        access_free(app->access);
        engine_free(app->engine);
        policy_free(app->policy);
        free(app->directory);
}

/* ---- configuration ---- */

static void print_messages(const ConfigMessages *messages, const char *severity) {
        for (size_t i = 0; i < messages->n; i++) {
                fprintf(stderr, "%s: %s\n", severity, messages->list[i].text);
                if (messages->list[i].excerpt)
                        fprintf(stderr, "%s\n", messages->list[i].excerpt);
        }
        if (messages->n_more > 0)
                fprintf(stderr, "%s: and %zu more\n", severity, messages->n_more);
}

void app_log_warnings(const ConfigMessages *messages) {
        for (size_t i = 0; i < messages->n; i++)
                log_warning("%s", messages->list[i].text);
}

/* A policy that takes the place of this one may be freed before the store is closed. */
static int keep_directory(App *app) {
        app->directory =
                strdup(app->options->state ? app->options->state : app->policy->state_directory);
        return app->directory ? 0 : -ENOMEM;
}

int app_load_policy(App *app, ConfigErrors *errors) {
        int r = digest_init();

        if (r == 0)
                r = config_load(app->options->config_path, errors, &app->policy);
        if (r == 0)
                r = keep_directory(app);
        if (r == 0)
                r = engine_new(app->policy, app_kinds, unit_find_recipient, errors, &app->engine);
        return r == 0 ? access_new(app->policy, errors, &app->access) : r;
}

static void on_alarm(int number _unused_) {
        static const char text[] = "error: the configuration could not be loaded in time: does a "
                                   "name service hang, or a disk?\n";

        _exit(write(STDERR_FILENO, text, strlen(text)) < 0 ? EX_OSERR : EX_TEMPFAIL);
}

int app_load_alone(App *app, ConfigErrors *errors) {
        int r;

        sigaction(SIGALRM, &(struct sigaction){ .sa_handler = on_alarm }, NULL);
        alarm(LOAD_SECONDS_MAX);
        r = app_load_policy(app, errors);
        alarm(0);
        return r;
}

int app_begin_beside(App *app) {
        _cleanup_(config_errors_done) ConfigErrors errors = {};

        log_open(LOG_TO_STDERR, 0, LOG_WARNING);
        return app_load_alone(app, &errors);
}

static int load_policy(App *app, ConfigErrors *errors) {
        int r = app_load_alone(app, errors);

        print_messages(&errors->errors, "error");
        if (r < 0)
                fprintf(stderr, "error: cannot load the configuration: %s\n", strerror(-r));
        return r;
}

static int check_config(App *app) {
        _cleanup_(config_errors_done) ConfigErrors errors = {};
        int r = load_policy(app, &errors);

        print_messages(&errors.warnings, "warning");
        return r == 0 ? EXIT_SUCCESS : EX_CONFIG;
}

int app_check_config(const AppOptions *options) {
        _cleanup_(app_done) App app = { .options = options, .clock = options->clock };
        int status = check_config(&app), r;

        if (status != EXIT_SUCCESS || !options->cases)
                return status;
        log_open(LOG_TO_STDERR, 0, LOG_INFO);
        r = app_check_cases(&app);
        return r == 0 ? EXIT_SUCCESS : r > 0 ? EX_CONFIG : EX_IOERR;
}

int app_show_config(const AppOptions *options) {
        _cleanup_(app_done) App app = { .options = options };
        int status = check_config(&app);

        if (status == EXIT_SUCCESS)
                fputs(app.policy->shown[options->origin], stdout);
        return status == EXIT_SUCCESS && fflush(stdout) != 0 ? EX_IOERR : status;
}

/* ---- store ---- */

/* Whoever moves the store in the configuration of a unit must hear why it has not moved. */
static void say_directory(const App *app) {
        if (app->options->unit_state && !STREQ(app->options->state, app->policy->state_directory))
                log_warning("the store is in %s, as StateDirectory= of the unit says; "
                            "store.directory of the configuration (%s) is passed over",
                            app->options->state, app->policy->state_directory);
}

static StoreOptions store_options(const App *app) {
        return (StoreOptions){
                .directory = app->directory,
                .map_size = (uint64_t)app->policy->map_size,
                .site = (uint16_t)app->policy->site,
                .journal_keep = app->policy->journal_keep * USEC_PER_SEC,
                .tables = app_tables,
        };
}

static int open_as(App *app, const char *file, bool read_only, bool trial) {
        StoreOptions options = store_options(app);
        Refusal why = {};
        int r;

        options.file = file;
        options.read_only = read_only;
        options.old = !read_only;
        options.trial = trial;
        options.background = !read_only && !file;

        r = read_only || file ? 0 : file_make_directory(options.directory);
        if (r < 0) {
                log_error("cannot create the state directory %s: %s", options.directory,
                          strerror(-r));
                return r;
        }
        r = store_open(&options, &app->store, &why);
        if (r < 0)
                log_error("%s", why.text);
        return r;
}

int app_open_store(App *app, bool read_only) {
        return open_as(app, NULL, read_only, false);
}

int app_open_file(App *app, const char *file, bool read_only) {
        return open_as(app, file, read_only, false);
}

int app_open_new(App *app, const char *directory) {
        StoreOptions options = store_options(app);
        Refusal why = {};
        int r;

        options.directory = directory;
        r = store_open(&options, &app->store, &why);
        if (r < 0)
                log_error("%s", why.text);
        return r;
}

int app_retire_store(const App *app, const char *file, uint32_t *ret_epoch) {
        StoreOptions options = store_options(app);
        Refusal why = {};
        int r;

        options.old = true;
        r = store_retire(&options, file, ret_epoch, &why);
        if (r < 0)
                log_error("%s", why.text);
        return r;
}

int app_open_trial(App *app) {
        return open_as(app, NULL, true, true);
}

static void print_fault(void *userdata _unused_, const char *line) {
        puts(line);
}

int app_check_store(const AppOptions *options) {
        _cleanup_(config_errors_done) ConfigErrors errors = {};
        _cleanup_(app_done) App app = { .options = options };
        uint64_t records = 0, faults = 0;
        int r;

        log_open(LOG_TO_STDERR, 0, LOG_INFO);
        r = load_policy(&app, &errors);
        if (r != 0)
                return EX_CONFIG;
        r = app_open_store(&app, true);
        if (r == 0)
                r = store_check(app.store, print_fault, NULL, &records, &faults);
        if (r == 0)
                r = engine_check(app_kinds, app.store, print_fault, NULL, &faults);
        if (r == 0)
                r = parts_check(app.store, print_fault, NULL, &faults);
        if (r < 0) {
                log_error("the check could not be completed: %s", strerror(-r));
                return EX_IOERR;
        }
        printf("records %" PRIu64 "\n", records);
        return faults == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* ---- running ---- */

static int on_hangup(sd_event_source *source _unused_, const struct signalfd_siginfo *info _unused_,
                     void *userdata) {
        App *app = userdata;

        bus_reload(app->bus);
        return 0;
}

/* Signals end the loop, what is open then is committed before the bus closes; but one reloads. */
static int add_signals(App *app) {
        static const int signals[] = { SIGTERM, SIGINT };
        sigset_t blocked;

        sigemptyset(&blocked);
        for (size_t i = 0; i < ELEMENTS(signals); i++)
                sigaddset(&blocked, signals[i]);
        sigaddset(&blocked, SIGHUP);
        sigaddset(&blocked, SIGCHLD); /* helpers are waited for by the loop */
        if (sigprocmask(SIG_BLOCK, &blocked, NULL) < 0)
                return -errno;
        for (size_t i = 0; i < ELEMENTS(signals); i++) {
                int r = sd_event_add_signal(app->event, NULL, signals[i], NULL, NULL);

                if (r < 0)
                        return r;
        }
        return MIN(sd_event_add_signal(app->event, NULL, SIGHUP, on_hangup, app), 0);
}

static int start_loop(App *app) {
        int r = MIN(sd_event_default(&app->event), 0);

        if (r == 0)
                r = add_signals(app);
        if (r < 0)
                log_error("cannot set up the event loop: %s", strerror(-r));
        return r;
}

static int start_committer(App *app) {
        int r = committer_new(app->event, app->store, &app->committer);

        if (r < 0)
                log_error("cannot set up what commits: %s", strerror(-r));
        return r;
}

static int start_bus(App *app) {
        BusOptions options = {
                .event = app->event,
                .address = app->options->bus_address,
                .socket = app->options->socket,
                .engine = app->engine,
                .access = app->access,
                .store = app->store,
                .committer = app->committer,
                .clock = &app->clock,
                .program = app->options->program,
                .config_path = app->options->config_path,
                .state_directory = app->directory,
                .reload = app_reload,
                .reload_userdata = app,
        };
        int r = bus_new(&options, &app->bus);

        if (r < 0)
                log_error("cannot connect to the bus: %s", strerror(-r));
        return MIN(r, 0);
}

static int start_runtime(App *app) {
        PublisherOptions options = {
                .engine = app->engine,
                .store = app->store,
                .committer = app->committer,
                .registers = bus_registers,
                .is_heard = bus_is_heard,
                .announce = bus_announce,
                .announced = bus_announced,
                .userdata = app->bus,
        };
        int r = publisher_new(&options, &app->publisher);

        if (r == 0)
                r = due_new(app->event, app->engine, app->store, &app->clock, app->committer,
                            app_periodics, &app->due);
        if (r == 0)
                r = status_line_new(app->event, app->engine, app->store, app->due, app->committer,
                                    &app->status);
        if (r == 0)
                r = watchdog_new(app->event, app->store, app->due, app->status, &app->watchdog);
        if (r == 0)
                r = recompute_new(app->event, app->engine, app->store, &app->clock, app->committer,
                                  app->due, &app->recompute);
        if (r < 0) {
                log_error("cannot start: %s", strerror(-r));
                return r;
        }
        bus_set_runtime(app->bus, app->due, app->status);
        publisher_run(app->publisher);
        recompute_begin(app->recompute);
        return 0;
}

static int take_name(App *app) {
        int r = bus_start(app->bus);

        if (r == -EEXIST)
                log_error("the name on the bus is taken: another aftersalesd is running");
        else if (r < 0)
                log_error("cannot take the name on the bus: %s", strerror(-r));
        return MIN(r, 0);
}

/* Before anything is written with a time that nobody believes. */
static void begin_clock(App *app) {
        wall_clock_begin(&app->clock, store_head(app->store)->time_seen,
                         app->policy->suspect_jump * USEC_PER_SEC);
}

/* The parts, from the bottom up; each needs those before it. 0, CONFIG_REFUSED, negative errno. */
static int start(App *app) {
        int r;

        r = start_loop(app);
        if (r == 0)
                r = app_open_store(app, false);
        if (r == 0)
                begin_clock(app);
        if (r == 0)
                r = app_migrate(app);
        if (r == 0)
                r = app_enter_policy(app);
        if (r == 0)
                r = start_committer(app);
        if (r == 0)
                r = start_bus(app);
        if (r == 0)
                r = start_runtime(app);
        return r == 0 ? take_name(app) : r;
}

int app_warn_missing_year(void *userdata _unused_, const char *calendar, int year) {
        log_warning("calendar %s has no holiday data for %d: deadlines there ignore holidays",
                    calendar, year);
        return 0;
}

/* What was handled gets its answer; what is only noted is kept. */
static int finish(App *app) {
        int r = committer_commit(app->committer);

        bus_stop(app->bus);
        if (r < 0) /* it has said so */
                return r;
        r = store_flush(app->store);
        if (r < 0)
                log_error("the last checkpoint could not be made (%s): the next start brings what "
                          "it lacks from the write-ahead log",
                          strerror(-r));
        return r;
}

int app_run(const AppOptions *options) {
        _cleanup_(config_errors_done) ConfigErrors errors = {};
        _cleanup_(app_done) App app = { .options = options, .clock = options->clock };
        int r;

        prctl(PR_SET_DUMPABLE, 0); /* no core with customers in it */
        r = load_policy(&app, &errors);
        if (r != 0)
                return r < 0 ? EXIT_FAILURE : EX_CONFIG;
        log_open(options->log_target, app.policy->log_facility, app.policy->log_level);
        app_log_warnings(&errors.warnings);
        say_directory(&app);
        r = start(&app);
        if (r != 0)
                return r < 0 ? EXIT_FAILURE : EX_CONFIG;
        engine_missing_years(app.engine, wall_clock_now(&app.clock), app_warn_missing_year, NULL);
        log_info("serving");
        status_line_ready(app.status);
        r = sd_event_loop(app.event);
        notify_stopping();
        if (r > 0) /* sd-bus ends the loop so */
                log_error(
                        "the connection to the bus is lost; ending, so that a restart gets a new one");
        else if (r < 0)
                log_error("cannot go on (%s); ending in good order", strerror(-r));
        if (finish(&app) < 0 || r != 0)
                return EXIT_FAILURE;
        log_info("ended");
        return EXIT_SUCCESS;
}
