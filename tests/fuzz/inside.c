/* SPDX-License-Identifier: Apache-2.0 */

#include "inside.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "../unit/kv-memory.c"
#include "aftersales/limits.h"
#include "bus/internal.h"
#include "masters/product.h"
#include "masters/unit.h"
#include "store/check.h"

#define SHIPPED   "conf/aftersalesd.yaml"
#define FIRST_UID 1000
#define HELPER    "/bin/true" /* what helpers have to say is not looked at here */

static const char rules[] = "access:\n"
                            "  - {user: fuzz-1, role: everything, scope: headquarters}\n"
                            "  - {user: fuzz-2, role: information_centre, scope: headquarters}\n"
                            "  - {user: fuzz-3, role: dealer, scope: {dealer: BJ1}}\n"
                            "  - {user: fuzz-4, role: subcentre, scope: {subcentre: BJ}}\n"
                            "  - {user: fuzz-5, role: business, scope: headquarters}\n"
                            "  - {user: fuzz-6, role: notifier, scope: headquarters}\n"
                            "roles:\n"
                            "  everything:\n";

/* ---- the configuration ---- */

static Policy *policy;
static Engine *engine;
static Access *access_rules;

static void need(bool good, const char *what) {
        if (good)
                return;
        fprintf(stderr, "cannot begin: %s: %s (run it where %s is)\n", what, strerror(errno),
                SHIPPED);
        abort();
}

static void copy_shipped(const char *path) {
        FILE *in = fopen(SHIPPED, "r"), *out = fopen(path, "w");
        int c;

        need(in && out, path);
        while ((c = fgetc(in)) != EOF)
                fputc(c, out);
        fclose(in);
        need(fclose(out) == 0, path);
}

static void write_rules(const char *path) {
        FILE *out = fopen(path, "w");

        need(out != NULL, path);
        fputs(rules, out);
        for (int p = 0; p < _PERMISSION_MAX; p++)
                fprintf(out, "    - %s\n", permission_name((Permission)p));
        need(fclose(out) == 0, path);
}

static void load(const char *path) {
        id_t ids[CALLERS - 2];
        ConfigIdentities identities = { .ids = ids, .n = ELEMENTS(ids) };
        _cleanup_(config_errors_done) ConfigErrors errors = { .identities = &identities };
        AppOptions options = { .config_path = path };
        App app = { .options = &options };
        int r;

        for (size_t i = 0; i < ELEMENTS(ids); i++)
                ids[i] = (id_t)(FIRST_UID + 1 + i);
        r = app_load_policy(&app, &errors);
        for (size_t i = 0; i < errors.errors.n; i++)
                fprintf(stderr, "%s\n", errors.errors.list[i].text);
        need(r == 0, path);
        policy = app.policy;
        engine = app.engine;
        access_rules = app.access;
        free(app.directory);
}

void inside_prepare(void) {
        char directory[] = "/tmp/fuzz-bus.XXXXXX", main_file[PATH_MAX], dropins[PATH_MAX],
             dropin[PATH_MAX + 16];
        sigset_t blocked;

        sigemptyset(&blocked);
        sigaddset(&blocked, SIGCHLD); /* helpers are waited for by the loop */
        need(sigprocmask(SIG_BLOCK, &blocked, NULL) == 0, "signals");
        log_open(LOG_TO_STDERR, 0, LOG_CRIT);
        need(mkdtemp(directory) != NULL, directory);
        snprintf(main_file, sizeof(main_file), "%s/aftersalesd.yaml", directory);
        snprintf(dropins, sizeof(dropins), "%s/conf.d", directory);
        snprintf(dropin, sizeof(dropin), "%s/10-fuzz.yaml", dropins);
        need(mkdir(dropins, 0700) == 0, dropins);
        copy_shipped(main_file);
        write_rules(dropin);
        load(main_file);
        need(unlink(dropin) == 0 && rmdir(dropins) == 0 && unlink(main_file) == 0 &&
                     rmdir(directory) == 0,
             directory);
}

/* ---- the store ---- */

static void add_master(Inside *inside, const Register *reg, const char *const *pairs) {
        union {
                max_align_t align;
                uint8_t bytes[2048];
        } record = {};
        Actor actor = { .name = "uid:0",
                        .role = "administrator",
                        .permissions = UINT64_MAX,
                        .scope = SCOPE_HEADQUARTERS };
        Call call = { .actor = &actor, .now = INSIDE_BEGIN, .fields = &record };
        Origin origin = { .time = INSIDE_BEGIN,
                          .actor = actor.name,
                          .verb = "create",
                          .policy = policy->digest };
        Refusal refusal = {};
        uint64_t revision;
        Change *change;
        int r;

        for (size_t i = 0; pairs[i]; i += 2) {
                size_t position;
                const Field *field = record_field(reg->table->type, pairs[i], &position);

                need(field != NULL, pairs[i]);
                field_mask_set(&call.given, position);
                if (field->type == FIELD_ENUM)
                        field_set_number(field, &record, enum_value(field->names, pairs[i + 1]));
                else
                        need(field_set_text(field, &record, pairs[i + 1]) == 0, pairs[i]);
        }
        need(change_begin(inside->app.store, &change) == 0, "change");
        r = register_create(reg, engine, change, &call, &revision, &refusal);
        need(r == 0, refusal.text);
        need(change_apply(change, &origin) == 0, "apply");
        record_done(reg->table->type, &record);
}

static void add_company(Inside *inside) {
        static const struct {
                const Register *reg;
                const char *pairs[11];
        } masters[] = {
                { &unit_register, { "code", "HQ", "name", "HQ", "kind", "headquarters" } },
                { &unit_register,
                  { "code", "BIZ", "name", "BIZ", "kind", "business", "parent", "HQ" } },
                { &unit_register,
                  { "code", "BJ", "name", "BJ", "kind", "subcentre", "parent", "HQ", "regions",
                    "11" } },
                { &unit_register,
                  { "code", "SH", "name", "SH", "kind", "subcentre", "parent", "HQ", "regions",
                    "31" } },
                { &unit_register,
                  { "code", "BJ1", "name", "BJ1", "kind", "dealer", "parent", "BJ", "regions",
                    "1101" } },
                { &unit_register,
                  { "code", "BJ2", "name", "BJ2", "kind", "dealer", "parent", "BJ", "regions",
                    "1101 1102" } },
                { &unit_register,
                  { "code", "SH1", "name", "SH1", "kind", "dealer", "parent", "SH", "regions",
                    "31" } },
                { &product_register, { "code", "M1", "name", "M1", "line", "L1" } },
                { &serial_register, { "code", "S1", "product", "M1", "sold_by", "BJ1" } },
                { &fault_register, { "code", "F1", "symptom", "noise" } },
        };

        for (size_t i = 0; i < ELEMENTS(masters); i++)
                add_master(inside, masters[i].reg, masters[i].pairs);
        need(store_commit(inside->app.store) == 0, "commit");
}

static MemoryDisk *disk;

static void open_store(Inside *inside) {
        StoreOptions options = { .map_size = (uint64_t)policy->map_size,
                                 .site = (uint16_t)policy->site,
                                 .journal_keep = policy->journal_keep * USEC_PER_SEC,
                                 .tables = app_tables };
        Refusal why = {};
        int r;

        disk = memory_disk_new();
        need(disk != NULL, "memory");
        options.kv = memory_disk_open(disk);
        r = store_open(&options, &inside->app.store, &why);
        need(r == 0, why.text);
        need(engine_enter(engine, inside->app.store, "daemon", INSIDE_BEGIN) == 0, "policy");
        add_company(inside);
}

/* ---- the bus ---- */

static int tell_credentials(sd_bus_message *m) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        const char *name = "";
        unsigned caller = 0;
        int r = sd_bus_message_read(m, "s", &name);

        if (r < 0 || sscanf(name, ":1.%u", &caller) != 1)
                return sd_bus_reply_method_errorf(m, SD_BUS_ERROR_NAME_HAS_NO_OWNER, "gone");
        r = sd_bus_message_new_method_return(m, &reply);
        if (r >= 0)
                r = sd_bus_message_append(reply, "a{sv}", 1, "UnixUserID", "u",
                                          caller == 0 ? 0 : FIRST_UID + caller);
        return r < 0 ? r : sd_bus_send(NULL, reply, NULL);
}

/* What the daemon asks of the bus and of others; signals to callers go nowhere. */
static int on_message(sd_bus_message *m, void *userdata, sd_bus_error *error _unused_) {
        Inside *inside = userdata;
        uint8_t type;

        if (sd_bus_message_get_type(m, &type) < 0)
                return 0;
        if (type == SD_BUS_MESSAGE_METHOD_RETURN || type == SD_BUS_MESSAGE_METHOD_ERROR)
                inside->uncalled++;
        if (type != SD_BUS_MESSAGE_METHOD_CALL)
                return 1;
        if (sd_bus_message_is_method_call(m, NULL, "Hello"))
                return sd_bus_reply_method_return(m, "s", ":1.100");
        if (sd_bus_message_is_method_call(m, NULL, "GetConnectionCredentials"))
                return tell_credentials(m);
        if (sd_bus_message_is_method_call(m, NULL, "AddMatch") ||
            sd_bus_message_is_method_call(m, NULL, "RemoveMatch"))
                return sd_bus_reply_method_return(m, "");
        if (sd_bus_message_is_method_call(m, NULL, "GetNameOwner")) {
                const char *name = "";

                sd_bus_message_read(m, "s", &name);
                return sd_bus_reply_method_return(m, "s", name);
        }
        return sd_bus_reply_method_errorf(m, SD_BUS_ERROR_UNKNOWN_METHOD, "not here");
}

static int listen_at(const char *name) {
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + strlen(name));
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

        memcpy(address.sun_path + 1, name, strlen(name));
        need(fd >= 0 && bind(fd, (struct sockaddr *)&address, size) == 0 && listen(fd, 1) == 0,
             name);
        return fd;
}

static void play_bus(Inside *inside, int fd) {
        sd_id128_t id =
                SD_ID128_MAKE(0a, 0b, 0c, 0d, 0e, 0f, 01, 02, 03, 04, 05, 06, 07, 08, 09, 00);

        need(fd >= 0, "accept");
        need(sd_bus_new(&inside->far) >= 0 && sd_bus_set_fd(inside->far, fd, fd) >= 0 &&
                     sd_bus_set_server(inside->far, true, id) >= 0 &&
                     sd_bus_negotiate_fds(inside->far, true) >= 0 &&
                     sd_bus_add_filter(inside->far, NULL, on_message, inside) >= 0 &&
                     sd_bus_start(inside->far) >= 0 &&
                     sd_bus_attach_event(inside->far, inside->app.event, PRIORITY_SIGNAL) >= 0,
             "bus");
}

static void connect_bus(Inside *inside) {
        char name[64], address[128];
        App *app = &inside->app;
        int listener;
        BusOptions options = {
                .event = app->event,
                .address = address,
                .engine = engine,
                .access = access_rules,
                .store = app->store,
                .committer = app->committer,
                .clock = &app->clock,
                .program = HELPER,
                .config_path = "/nowhere/aftersalesd.yaml",
                .state_directory = "/nowhere",
                .reload = app_reload,
                .reload_userdata = app,
        };

        snprintf(name, sizeof(name), "aftersales-fuzz-%d", (int)getpid());
        snprintf(address, sizeof(address), "unix:abstract=%s", name);
        listener = listen_at(name);
        need(bus_new(&options, &app->bus) == 0, "bus_new");
        play_bus(inside, accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK));
        close(listener);
}

/* ---- all of it ---- */

static void start_runtime(App *app) {
        PublisherOptions options = {
                .engine = engine,
                .store = app->store,
                .committer = app->committer,
                .registers = bus_registers,
                .is_heard = bus_is_heard,
                .announce = bus_announce,
                .announced = bus_announced,
                .userdata = app->bus,
        };

        need(publisher_new(&options, &app->publisher) == 0, "publisher");
        need(due_new(app->event, engine, app->store, &app->clock, app->committer, app_periodics,
                     &app->due) == 0,
             "due");
        need(status_line_new(app->event, engine, app->store, app->due, app->committer,
                             &app->status) == 0,
             "status line");
        need(recompute_new(app->event, engine, app->store, &app->clock, app->committer, app->due,
                           &app->recompute) == 0,
             "recompute");
        bus_set_runtime(app->bus, app->due, app->status);
        publisher_run(app->publisher);
        recompute_begin(app->recompute);
}

bool inside_turn(Inside *inside, uint64_t usec) {
        int r = sd_event_run(inside->app.event, usec);

        if (r < 0)
                errno = -r;
        need(r >= 0, "loop");
        return r > 0;
}

void inside_begin(Inside *inside) {
        App *app = &inside->app;

        *inside = (Inside){ .app.clock = { .manual = true, .now = INSIDE_BEGIN } };
        app->options = &inside->options;
        app->policy = policy;
        app->engine = engine;
        app->access = access_rules;
        need(sd_event_new(&app->event) >= 0, "event");
        open_store(inside);
        need(committer_new(app->event, app->store, &app->committer) == 0, "committer");
        connect_bus(inside);
        start_runtime(app);
        /* Without bus_start(): it would wait for its name, and nobody else is here to give it. */
        need(sd_bus_attach_event(app->bus->bus, app->event, PRIORITY_BUS) >= 0, "attach");
        while (sd_bus_is_ready(app->bus->bus) == 0)
                inside_turn(inside, UINT64_MAX);
}

void inside_end(Inside *inside) {
        App *app = &inside->app;

        /* First the bus, so that nobody waits for it to read. */
        sd_bus_close_unref(inside->far);
        app->policy = NULL; /* these are for all inputs */
        app->engine = NULL;
        app->access = NULL;
        app_done(app);
        disk = memory_disk_free(disk);
}

static void print_fault(void *userdata _unused_, const char *line) {
        fprintf(stderr, "fault: %s\n", line);
}

void inside_check(Inside *inside) {
        App *app = &inside->app;
        uint64_t records = 0, faults = 0;

        need(committer_commit(app->committer) == 0, "commit");
        need(store_check(app->store, print_fault, NULL, &records, &faults) == 0, "check");
        need(engine_check(app_kinds, app->store, print_fault, NULL, &faults) == 0, "engine check");
        need(faults == 0 && store_damaged(app->store) == 0, "the store is sound");
        store_release(app->store);
}
