/* SPDX-License-Identifier: Apache-2.0 */

/* Bare LMDB with the equivalent write set, default flags: each commit is durable. */

#include <endian.h>
#include <errno.h>
#include <lmdb.h>
#include <string.h>

#include "peer.h"

#define MAP_SIZE (UINT64_C(256) << 30)

enum { TICKETS, DUE, CUSTOMERS, STATES, EVENTS, DATABASES };
static const char *const names[DATABASES] = { "tickets", "due", "customers", "states", "events" };

typedef struct Record {
        int64_t created, due;
        uint64_t customer;
        uint32_t unit, state, revision, rung;
        char text[PEER_TEXT];
} Record;

typedef struct Event {
        int64_t time;
        uint32_t actor, verb;
        char text[PEER_EVENT_TEXT];
} Event;

/* Both parts big-endian, so that keys sort as numbers. */
typedef struct Pair {
        uint64_t first, second;
} Pair;

static MDB_env *env;
static MDB_txn *txn;
static MDB_dbi databases[DATABASES];

static int failed(const char *what, int r) {
        if (r == 0)
                return 0;
        fprintf(stderr, "peer-lmdb: %s: %s\n", what, mdb_strerror(r));
        return r > 0 ? -r : -EIO;
}

static Pair pair(uint64_t first, uint64_t second) {
        return (Pair){ htobe64(first), htobe64(second) };
}

static Pair state_key(const Record *record, uint64_t id) {
        return pair((uint64_t)record->unit << 8 | record->state, id);
}

int peer_open(const char *directory, int durable) {
        int r = mdb_env_create(&env);

        if (r == 0)
                r = mdb_env_set_mapsize(env, MAP_SIZE);
        if (r == 0)
                r = mdb_env_set_maxdbs(env, DATABASES);
        if (r == 0)
                r = mdb_env_open(env, directory, durable ? 0 : MDB_NOSYNC, 0600);
        if (r == 0)
                r = mdb_txn_begin(env, NULL, 0, &txn);
        for (int i = 0; r == 0 && i < DATABASES; i++)
                r = mdb_dbi_open(txn, names[i], MDB_CREATE, &databases[i]);
        return r == 0 ? peer_commit() : failed(directory, r);
}

int peer_begin(void) {
        return failed("begin", mdb_txn_begin(env, NULL, 0, &txn));
}

int peer_commit(void) {
        return failed("commit", mdb_txn_commit(txn));
}

int peer_close(void) {
        int r = mdb_env_sync(env, 1);

        mdb_env_close(env);
        return failed("sync", r);
}

int peer_last(uint64_t *ret) {
        MDB_cursor *cursor;
        MDB_val key, data;
        int r = mdb_txn_begin(env, NULL, MDB_RDONLY, &txn);

        if (r == 0)
                r = mdb_cursor_open(txn, databases[TICKETS], &cursor);
        if (r != 0)
                return failed("last", r);
        *ret = 0;
        r = mdb_cursor_get(cursor, &key, &data, MDB_LAST);
        if (r == 0)
                memcpy(ret, key.mv_data, sizeof(*ret));
        *ret = be64toh(*ret);
        mdb_cursor_close(cursor);
        mdb_txn_abort(txn);
        return r == MDB_NOTFOUND ? 0 : failed("last", r);
}

static int put(int database, const void *key, size_t key_size, const void *data, size_t size,
               unsigned flags) {
        MDB_val k = { key_size, (void *)key }, v = { size, (void *)data };

        return failed(names[database], mdb_put(txn, databases[database], &k, &v, flags));
}

static int put_pair(int database, Pair key, unsigned flags) {
        return put(database, &key, sizeof(key), "", 0, flags);
}

static int put_event(uint64_t id, uint32_t revision, int64_t time, unsigned flags) {
        Event event = { .time = time, .actor = 1, .verb = revision };
        Pair key = pair(id, revision);

        memset(event.text, 'e', sizeof(event.text));
        return put(EVENTS, &key, sizeof(key), &event, sizeof(event), flags);
}

static Record record_of(const PeerTicket *ticket) {
        Record record = { .created = ticket->created,
                          .due = ticket->due,
                          .customer = ticket->customer,
                          .unit = ticket->unit,
                          .state = ticket->state,
                          .revision = 1 };

        memcpy(record.text, ticket->text, sizeof(record.text));
        return record;
}

int peer_create(const PeerTicket *ticket) {
        Record record = record_of(ticket);
        uint64_t id = htobe64(ticket->id);
        int r = put(TICKETS, &id, sizeof(id), &record, sizeof(record), 0);

        if (r == 0)
                r = put_pair(DUE, pair((uint64_t)ticket->due, ticket->id), 0);
        if (r == 0)
                r = put_pair(CUSTOMERS, pair(ticket->customer, ticket->id), 0);
        if (r == 0)
                r = put_pair(STATES, state_key(&record, ticket->id), 0);
        if (r == 0)
                r = put_event(ticket->id, 1, ticket->created, 0);
        return r;
}

/* ---- storm ---- */

static int escalate(uint64_t id, int64_t now) {
        uint64_t key = htobe64(id);
        MDB_val k = { sizeof(key), &key }, v;
        Pair due;
        Record record;
        int r = failed("get", mdb_get(txn, databases[TICKETS], &k, &v));

        if (r < 0)
                return r;
        memcpy(&record, v.mv_data, sizeof(record));
        due = pair((uint64_t)record.due, id);
        k = (MDB_val){ sizeof(due), &due };
        r = failed("due", mdb_del(txn, databases[DUE], &k, NULL));
        record.due = now + 24 * PEER_HOUR;
        record.rung++;
        record.revision++;
        if (r == 0)
                r = put_pair(DUE, pair((uint64_t)record.due, id), 0);
        if (r == 0)
                r = put(TICKETS, &key, sizeof(key), &record, sizeof(record), 0);
        if (r == 0)
                r = put_event(id, record.revision, now, 0);
        return r;
}

static int compare_ids(const void *a, const void *b) {
        uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

        return (x > y) - (x < y);
}

static int find_due(int64_t now, size_t limit, uint64_t *ids, size_t *ret) {
        MDB_cursor *cursor;
        MDB_val key, data;
        int r = mdb_cursor_open(txn, databases[DUE], &cursor);

        if (r != 0)
                return failed("due", r);
        *ret = 0;
        while (*ret < limit && (r = mdb_cursor_get(cursor, &key, &data, MDB_NEXT)) == 0) {
                const Pair *due = key.mv_data;

                if ((int64_t)be64toh(due->first) > now)
                        break;
                ids[(*ret)++] = be64toh(due->second);
        }
        mdb_cursor_close(cursor);
        return r == MDB_NOTFOUND ? 0 : failed("due", r);
}

int peer_escalate(int64_t now, size_t limit, size_t *ret) {
        uint64_t *ids = calloc(limit, sizeof(*ids));
        int r = ids ? find_due(now, limit, ids, ret) : -ENOMEM;

        /* In the order of their pages. */
        if (r == 0)
                qsort(ids, *ret, sizeof(*ids), compare_ids);
        for (size_t i = 0; r == 0 && i < *ret; i++)
                r = escalate(ids[i], now);
        free(ids);
        return r;
}

/* ---- everything appended in order: what a load can be at best ---- */

static int compare_pairs(const void *a, const void *b) {
        return memcmp(a, b, sizeof(Pair));
}

static int load_records(uint64_t n, Pair *sorted[DATABASES]) {
        PeerTicket ticket;
        int r = 0;

        for (uint64_t i = 1; r == 0 && i <= n; i++) {
                uint64_t id = htobe64(i);
                Record record;

                peer_ticket(i, &ticket);
                record = record_of(&ticket);
                sorted[DUE][i - 1] = pair((uint64_t)ticket.due, i);
                sorted[CUSTOMERS][i - 1] = pair(ticket.customer, i);
                sorted[STATES][i - 1] = state_key(&record, i);
                r = put(TICKETS, &id, sizeof(id), &record, sizeof(record), MDB_APPEND);
                if (r == 0)
                        r = put_event(i, 1, ticket.created, MDB_APPEND);
        }
        return r;
}

int peer_load(uint64_t n) {
        Pair *sorted[DATABASES] = {};
        int r = peer_begin();

        for (int d = DUE; d <= STATES; d++)
                if (!(sorted[d] = calloc(n, sizeof(Pair))))
                        return -ENOMEM;
        if (r == 0)
                r = load_records(n, sorted);
        for (int d = DUE; r == 0 && d <= STATES; d++) {
                qsort(sorted[d], n, sizeof(Pair), compare_pairs);
                for (uint64_t i = 0; r == 0 && i < n; i++)
                        r = put_pair(d, sorted[d][i], MDB_APPEND);
        }
        for (int d = DUE; d <= STATES; d++)
                free(sorted[d]);
        return r == 0 ? peer_commit() : r;
}
