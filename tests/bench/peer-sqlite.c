/* SPDX-License-Identifier: Apache-2.0 */

/* SQLite with the equivalent tables and indices: WAL, synchronous=FULL, a cache of 256 MiB. */

#include <errno.h>
#include <limits.h>
#include <sqlite3.h>
#include <string.h>

#include "peer.h"

enum { BEGIN, COMMIT, TICKET, EVENT, DUE, ESCALATE, LAST, STATEMENTS };
static const char *const texts[STATEMENTS] = {
        [BEGIN] = "BEGIN IMMEDIATE",
        [COMMIT] = "COMMIT",
        [TICKET] = "INSERT INTO ticket VALUES (?1, ?2, ?3, ?4, ?5, ?6, 1, 0, ?7)",
        [EVENT] = "INSERT INTO event VALUES (?1, ?2, ?3, 1, ?2, ?4)",
        [DUE] = "SELECT id FROM ticket WHERE due <= ?1 ORDER BY due LIMIT ?2",
        [ESCALATE] = "UPDATE ticket SET due = ?2, rung = rung + 1, revision = revision + 1 "
                     "WHERE id = ?1 RETURNING revision",
        [LAST] = "SELECT max(id) FROM ticket",
};
static const char schema[] =
        "CREATE TABLE IF NOT EXISTS ticket (id INTEGER PRIMARY KEY, created INTEGER, due INTEGER, "
        "customer INTEGER, unit INTEGER, state INTEGER, revision INTEGER, rung INTEGER, "
        "rest TEXT);"
        "CREATE TABLE IF NOT EXISTS event (ticket INTEGER, revision INTEGER, time INTEGER, "
        "actor INTEGER, verb INTEGER, rest TEXT, PRIMARY KEY (ticket, revision)) WITHOUT ROWID;"
        "CREATE INDEX IF NOT EXISTS by_due ON ticket (due);"
        "CREATE INDEX IF NOT EXISTS by_customer ON ticket (customer);"
        "CREATE INDEX IF NOT EXISTS by_state ON ticket (unit, state);";
static const char durable_mode[] =
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA cache_size = -262144;";
static const char filling_mode[] =
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF; PRAGMA cache_size = -262144;";

static sqlite3 *db;
static sqlite3_stmt *statements[STATEMENTS];
static char event_text[PEER_EVENT_TEXT + 1];

static int failed(const char *what) {
        fprintf(stderr, "peer-sqlite: %s: %s\n", what, sqlite3_errmsg(db));
        return -EIO;
}

/* A statement that answers nothing, or one that answers one number. */
static int step(int which, int64_t *ret) {
        sqlite3_stmt *s = statements[which];
        int r = sqlite3_step(s);

        if (r == SQLITE_ROW && ret) {
                *ret = sqlite3_column_int64(s, 0);
                r = sqlite3_step(s);
        }
        sqlite3_reset(s);
        return r == SQLITE_DONE ? 0 : failed(texts[which]);
}

int peer_open(const char *directory, int durable) {
        char path[PATH_MAX];

        memset(event_text, 'e', PEER_EVENT_TEXT);
        snprintf(path, sizeof(path), "%s/peer.sqlite", directory);
        if (sqlite3_open(path, &db) != SQLITE_OK ||
            sqlite3_exec(db, durable ? durable_mode : filling_mode, NULL, NULL, NULL) !=
                    SQLITE_OK ||
            sqlite3_exec(db, schema, NULL, NULL, NULL) != SQLITE_OK)
                return failed(path);
        for (int i = 0; i < STATEMENTS; i++)
                if (sqlite3_prepare_v3(db, texts[i], -1, SQLITE_PREPARE_PERSISTENT, &statements[i],
                                       NULL) != SQLITE_OK)
                        return failed(texts[i]);
        return 0;
}

int peer_begin(void) {
        return step(BEGIN, NULL);
}

int peer_commit(void) {
        return step(COMMIT, NULL);
}

/* Its last connection writes the log back. */
int peer_close(void) {
        for (int i = 0; i < STATEMENTS; i++)
                sqlite3_finalize(statements[i]);
        return sqlite3_close(db) == SQLITE_OK ? 0 : failed("close");
}

int peer_last(uint64_t *ret) {
        int64_t last = 0;
        int r = step(LAST, &last);

        *ret = (uint64_t)last;
        return r;
}

static int put_event(int64_t ticket, int64_t revision, int64_t time) {
        sqlite3_stmt *s = statements[EVENT];

        sqlite3_bind_int64(s, 1, ticket);
        sqlite3_bind_int64(s, 2, revision);
        sqlite3_bind_int64(s, 3, time);
        sqlite3_bind_text(s, 4, event_text, PEER_EVENT_TEXT, SQLITE_STATIC);
        return step(EVENT, NULL);
}

int peer_create(const PeerTicket *ticket) {
        sqlite3_stmt *s = statements[TICKET];
        int r;

        sqlite3_bind_int64(s, 1, (int64_t)ticket->id);
        sqlite3_bind_int64(s, 2, ticket->created);
        sqlite3_bind_int64(s, 3, ticket->due);
        sqlite3_bind_int64(s, 4, (int64_t)ticket->customer);
        sqlite3_bind_int64(s, 5, ticket->unit);
        sqlite3_bind_int64(s, 6, ticket->state);
        sqlite3_bind_text(s, 7, ticket->text, PEER_TEXT, SQLITE_STATIC);
        r = step(TICKET, NULL);
        return r == 0 ? put_event((int64_t)ticket->id, 1, ticket->created) : r;
}

static int escalate(int64_t id, int64_t now) {
        int64_t revision;
        int r;

        sqlite3_bind_int64(statements[ESCALATE], 1, id);
        sqlite3_bind_int64(statements[ESCALATE], 2, now + 24 * PEER_HOUR);
        r = step(ESCALATE, &revision);
        return r == 0 ? put_event(id, revision, now) : r;
}

int peer_escalate(int64_t now, size_t limit, size_t *ret) {
        sqlite3_stmt *s = statements[DUE];
        int64_t *ids = calloc(limit, sizeof(*ids));
        int r = SQLITE_DONE;

        if (!ids)
                return -ENOMEM;
        *ret = 0;
        sqlite3_bind_int64(s, 1, now);
        sqlite3_bind_int64(s, 2, (int64_t)limit);
        while (*ret < limit && (r = sqlite3_step(s)) == SQLITE_ROW)
                ids[(*ret)++] = sqlite3_column_int64(s, 0);
        sqlite3_reset(s);
        r = r == SQLITE_DONE || r == SQLITE_ROW ? 0 : failed(texts[DUE]);
        for (size_t i = 0; r == 0 && i < *ret; i++)
                r = escalate(ids[i], now);
        free(ids);
        return r;
}

int peer_load(uint64_t n) {
        (void)n;
        return -ENOSYS;
}
