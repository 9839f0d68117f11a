/* SPDX-License-Identifier: Apache-2.0 */

/* The store of an older program, at the start of this one: kept beside as it was, then brought to
 * the present schema before anybody is served. */

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "app-internal.h"
#include "base/file.h"
#include "masters/unit.h"
#include "runtime/notify.h"
#include "store/migrate.h"
#include "tickets/ticket.h"

#define MIGRATE_PATH_MAX 4096

/* Schema 1 had no `late`: what was overdue then stays so. */
static int carry_late(Change *change, const Kind *kind, Key *position) {
        Store *store = change_store(change);
        const Table *table = kind->table;
        _cleanup_free_ Case *c = calloc(1, table->type->size);
        int r = c ? 0 : -ENOMEM;

        for (unsigned n = 0; r == 0 && n < MIGRATION_PIECE; n++) {
                r = store_next(store, table, position, c);
                if (r < 0)
                        break;
                if (c->overdue && !c->late) {
                        c->late = true;
                        r = change_put(change, table, c);
                }
                record_done(table->type, c);
        }
        return r;
}

/* There was one kind of case. */
static int carry_late_tickets(Change *change, Key *position) {
        return carry_late(change, app_kinds[0], position);
}

/* Schema 2 had no `resolved_dealer`: whoever has the ticket is the best that is known. */
static int carry_resolved_dealer(Change *change, Key *position) {
        int r = 0;

        for (unsigned n = 0; r == 0 && n < MIGRATION_PIECE; n++) {
                Ticket ticket;

                r = store_next(change_store(change), &ticket_table, position, &ticket);
                if (r < 0)
                        break;
                if (ticket.resolved_at && ticket.head.dealer && !ticket.resolved_dealer) {
                        ticket.resolved_dealer = strdup(ticket.head.dealer);
                        r = ticket.resolved_dealer ? change_put(change, &ticket_table, &ticket)
                                                   : -ENOMEM;
                }
                ticket_done(&ticket);
        }
        return r;
}

/* Up to schema 3 the codes of towns and villages were cut in pairs. */
static int carry_regions(Change *change, Key *position) {
        return store_rederive(change, &unit_table, &index_unit_region, position);
}

/* Up to schema 4 what stands on a rung was counted as overdue. The position begins with which kind.
 */
static int recount_overdue(Change *change, Key *position) {
        uint8_t kind = position->size > 0 ? position->bytes[0] : 0;
        Key at = {};
        int r;

        if (position->size > 0)
                key_bytes(&at, position->bytes + 1, position->size - 1);
        r = store_rederive(change, app_kinds[kind]->table, &tally_overdue, &at);
        if (r == -ENOENT && app_kinds[kind + 1]) {
                kind++;
                at = (Key){};
                r = 0;
        }
        *position = (Key){};
        key_u8(position, kind);
        key_bytes(position, at.bytes, at.size);
        return r;
}

/* Schema 6 has the tables of parts besides: nothing is there to be carried. But who only looks at a
 * store finds them, and an older program knows that it does not know them all. */
static int carry_nothing(Change *change _unused_, Key *position _unused_) {
        return -ENOENT;
}

static const Migration migrations[] = {
        { 1, "migrate.late", carry_late_tickets },
        { 2, "migrate.resolved_dealer", carry_resolved_dealer },
        { 3, "migrate.regions", carry_regions },
        { 4, "migrate.overdue", recount_overdue },
        { 5, "migrate.parts", carry_nothing },
        {},
};

/* ---- the copy ---- */

static int open_and_copy(App *app, const char *path) {
        _cleanup_close_ int fd =
                open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
        int r = fd < 0 ? -errno : app_open_store(app, false);

        if (r == 0)
                r = store_copy(app->store, fd);
        app->store = store_free(app->store);
        return r;
}

/* The answer is why not. */
static int copy_apart(App *app, const char *path, void *answer) {
        *(int *)answer = open_and_copy(app, path);
        return 0;
}

static int write_copy(App *app, const char *path) {
        int answer = 0;

        return app_run_apart(app, copy_apart, path, &answer, sizeof(answer)) == 0 ? answer : -EIO;
}

static int name_copy(const App *app, char *ret, char *ret_new, size_t size) {
        char store[MIGRATE_PATH_MAX], new_store[MIGRATE_PATH_MAX], stamp[32];
        time_t now = time(NULL);
        struct tm tm;
        int r = kv_lmdb_paths(app->directory, store, new_store, sizeof(store));

        gmtime_r(&now, &tm);
        strftime(stamp, sizeof(stamp), "%Y%m%dT%H%M%SZ", &tm);
        if (r < 0 || snprintf(ret, size, "%s.schema-%" PRIu32 "-%s", store,
                              store_schema(app->store), stamp) >= (int)size)
                return -ENAMETOOLONG;
        return snprintf(ret_new, size, "%s.schema.new", store) < (int)size ? 0 : -ENAMETOOLONG;
}

/* Copied and proved in processes of their own, for which the store must not be open in this one. */
static int keep_copy(App *app) {
        char path[MIGRATE_PATH_MAX], new_path[MIGRATE_PATH_MAX];
        StoreFacts facts;
        Refusal why = {};
        int r = name_copy(app, path, new_path, sizeof(path));

        app->store = store_free(app->store);
        if (r == 0)
                r = write_copy(app, new_path);
        if (r < 0) {
                log_error("cannot copy the store before its schema changes: %s; make room and "
                          "start again",
                          strerror(-r));
                return r;
        }
        if (app_prove_file(app, new_path, &facts, &why) != 0) {
                log_error("the store is damaged, so its schema is not changed: %s; restore a "
                          "backup with --restore, then start again",
                          why.text);
                unlink(new_path);
                return -EBADMSG;
        }
        r = file_appear(new_path, path);
        if (r < 0 && r != -EEXIST) {
                log_error("cannot keep a copy of the store: %s", strerror(-r));
                return r;
        }
        log_notice("the store as it was is kept as %s", path);
        return app_open_store(app, false);
}

static void tell_piece(void *userdata _unused_, const Migration *migration _unused_) {
        notify_extend(NOTIFY_EXTEND);
}

int app_migrate(App *app) {
        int r = 0;

        if (store_schema(app->store) == STORE_SCHEMA_VERSION)
                return 0;
        notify_extend(NOTIFY_EXTEND);
        if (!store_is_migrating(app->store))
                r = keep_copy(app);
        if (r < 0)
                return r;
        r = store_migrate(app->store, migrations, wall_clock_now(&app->clock), tell_piece, NULL);
        if (r < 0)
                log_error("the schema of the store could not be changed: %s; the next start goes "
                          "on with it",
                          strerror(-r));
        else
                log_notice("the store has schema %d now", STORE_SCHEMA_VERSION);
        return r;
}
