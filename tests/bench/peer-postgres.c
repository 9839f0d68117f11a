/* SPDX-License-Identifier: Apache-2.0 */

/* PostgreSQL with the equivalent tables and indices; lines of figures as those of peer.c:
 *
 *      peer-postgres fill CONNINFO N
 *      peer-postgres create CONNINFO N CLIENTS    one durable transaction each, one round trip,
 *                                                 prepared; each client has warmed up before
 *      peer-postgres storm CONNINFO PER           escalates all that is due, PER a transaction */

#include <errno.h>
#include <libpq-fe.h>
#include <pthread.h>
#include <string.h>

#include "peer.h"

#define CLIENTS_MAX 128
#define WARM_UP     200
#define COLUMNS     7

static const char schema[] =
        "CREATE TABLE ticket (id bigserial PRIMARY KEY, created bigint NOT NULL, due bigint NOT "
        "NULL, customer bigint NOT NULL, unit integer NOT NULL, state integer NOT NULL, revision "
        "integer NOT NULL DEFAULT 1, rung integer NOT NULL DEFAULT 0, rest text NOT NULL);"
        "CREATE TABLE event (ticket bigint, revision integer, time bigint NOT NULL, actor integer "
        "NOT NULL, verb integer NOT NULL, rest text NOT NULL, PRIMARY KEY (ticket, revision));";
static const char indices[] =
        "CREATE INDEX by_due ON ticket (due); CREATE INDEX by_customer ON ticket (customer);"
        "CREATE INDEX by_state ON ticket (unit, state);"
        "INSERT INTO event SELECT id, 1, created, 1, 1, repeat('e', 84) FROM ticket ORDER BY id;"
        "SELECT setval('ticket_id_seq', max(id)) FROM ticket; VACUUM ANALYZE; CHECKPOINT";
static const char create_text[] =
        "WITH t AS (INSERT INTO ticket (created, due, customer, unit, state, rest) VALUES ($2, $3, "
        "$4, $5, $6, $7) RETURNING id, created) "
        "INSERT INTO event SELECT id, 1, created, 1, 1, repeat('e', 84) FROM t "
        "WHERE $1::bigint IS NOT NULL RETURNING ticket";
static const char escalate_text[] =
        "WITH d AS (SELECT id FROM ticket WHERE due <= $1 ORDER BY due LIMIT $2 FOR UPDATE), "
        "u AS (UPDATE ticket t SET due = $3, rung = rung + 1, revision = revision + 1 FROM d "
        "WHERE t.id = d.id RETURNING t.id, t.revision) "
        "INSERT INTO event SELECT id, revision, $1, 1, 2, repeat('e', 84) FROM u";

typedef struct Client {
        const char *conninfo;
        pthread_barrier_t *start;
        uint64_t first, n;
        double *latencies;
        int result;
} Client;

/* Takes the result. */
static int check(PGconn *db, PGresult *result, ExecStatusType wanted) {
        int r = PQresultStatus(result) == wanted ? 0 : -EIO;

        if (r < 0)
                fprintf(stderr, "peer-postgres: %s", PQerrorMessage(db));
        PQclear(result);
        return r;
}

static int connect_to(const char *conninfo, PGconn **ret) {
        *ret = PQconnectdb(conninfo);
        if (PQstatus(*ret) == CONNECTION_OK)
                return 0;
        fprintf(stderr, "peer-postgres: %s", PQerrorMessage(*ret));
        return -ENOTCONN;
}

/* ---- filling ---- */

static int copy_tickets(PGconn *db, uint64_t n) {
        PeerTicket ticket;
        char line[512];
        int r = check(db,
                      PQexec(db, "COPY ticket (id, created, due, customer, unit, state, rest) "
                                 "FROM STDIN"),
                      PGRES_COPY_IN);

        for (uint64_t i = 1; r == 0 && i <= n; i++) {
                int size;

                peer_ticket(i, &ticket);
                size = snprintf(line, sizeof(line),
                                "%" PRIu64 "\t%" PRId64 "\t%" PRId64 "\t%" PRIu64 "\t%u\t%u\t%s\n",
                                i, ticket.created, ticket.due, ticket.customer, ticket.unit,
                                ticket.state, ticket.text);
                r = PQputCopyData(db, line, size) == 1 ? 0 : -EIO;
        }
        if (r == 0)
                r = PQputCopyEnd(db, NULL) == 1 ? 0 : -EIO;
        return r == 0 ? check(db, PQgetResult(db), PGRES_COMMAND_OK) : r;
}

static int fill(PGconn *db, uint64_t n) {
        char *text = strdup(indices), *rest = text, *statement;
        int r = text ? check(db, PQexec(db, schema), PGRES_COMMAND_OK) : -ENOMEM;

        if (r == 0) {
                r = copy_tickets(db, n);
                while (PQgetResult(db))
                        ;
        }
        /* One at a time: a vacuum stands alone. */
        while (r == 0 && (statement = strsep(&rest, ";"))) {
                PGresult *result = PQexec(db, statement);

                r = check(db, result, PQntuples(result) > 0 ? PGRES_TUPLES_OK : PGRES_COMMAND_OK);
        }
        free(text);
        return r;
}

/* ---- creating ---- */

static int create_one(PGconn *db, uint64_t id) {
        char numbers[COLUMNS - 1][24];
        const char *values[COLUMNS];
        PeerTicket ticket;

        peer_ticket(id, &ticket);
        snprintf(numbers[0], sizeof(numbers[0]), "%" PRIu64, id);
        snprintf(numbers[1], sizeof(numbers[1]), "%" PRId64, ticket.created);
        snprintf(numbers[2], sizeof(numbers[2]), "%" PRId64, ticket.due);
        snprintf(numbers[3], sizeof(numbers[3]), "%" PRIu64, ticket.customer);
        snprintf(numbers[4], sizeof(numbers[4]), "%u", ticket.unit);
        snprintf(numbers[5], sizeof(numbers[5]), "%u", ticket.state);
        for (int i = 0; i < COLUMNS - 1; i++)
                values[i] = numbers[i];
        values[COLUMNS - 1] = ticket.text;
        return check(db, PQexecPrepared(db, "create", COLUMNS, values, NULL, NULL, 0),
                     PGRES_TUPLES_OK);
}

static void *run_client(void *userdata) {
        Client *client = userdata;
        PGconn *db = NULL;
        int r = connect_to(client->conninfo, &db);

        if (r == 0)
                r = check(db, PQprepare(db, "create", create_text, COLUMNS, NULL),
                          PGRES_COMMAND_OK);
        for (uint64_t i = 0; r == 0 && i < WARM_UP; i++)
                r = create_one(db, client->first + i);
        pthread_barrier_wait(client->start);
        for (uint64_t i = 0; r == 0 && i < client->n; i++) {
                double began = peer_now_ms();

                r = create_one(db, client->first + WARM_UP + i);
                client->latencies[i] = peer_now_ms() - began;
        }
        PQfinish(db);
        client->result = r;
        return NULL;
}

static int create(const char *conninfo, uint64_t last, uint64_t n, unsigned clients) {
        pthread_t threads[CLIENTS_MAX];
        Client all[CLIENTS_MAX];
        pthread_barrier_t start;
        uint64_t each = n / clients;
        double *latencies = calloc(n, sizeof(double)), began;
        int r = 0;

        if (!latencies || pthread_barrier_init(&start, NULL, clients + 1) != 0)
                return -ENOMEM;
        for (unsigned i = 0; i < clients; i++) {
                all[i] = (Client){ conninfo,
                                   &start,
                                   last + 1 + i * (each + WARM_UP),
                                   each,
                                   latencies + i * each,
                                   0 };
                /* The others would wait for it for ever. */
                if (pthread_create(&threads[i], NULL, run_client, &all[i]) != 0)
                        abort();
        }
        pthread_barrier_wait(&start);
        began = peer_now_ms();
        for (unsigned i = 0; i < clients; i++) {
                pthread_join(threads[i], NULL);
                r = r < 0 ? r : all[i].result;
        }
        if (r == 0)
                peer_print(each * clients, began, latencies, each * clients);
        pthread_barrier_destroy(&start);
        free(latencies);
        return r;
}

/* ---- storm ---- */

static int storm(PGconn *db, uint64_t last, uint64_t per) {
        int64_t now = PEER_FIRST_TIME + (int64_t)last * PEER_APART + PEER_WORST;
        char now_text[24], per_text[24], later[24];
        const char *values[] = { now_text, per_text, later };
        double began, *latencies = calloc(last / per + 2, sizeof(double));
        uint64_t n = 1, done = 0;
        size_t count = 0;
        int r = latencies ? check(db, PQprepare(db, "escalate", escalate_text, 3, NULL),
                                  PGRES_COMMAND_OK)
                          : -ENOMEM;

        snprintf(now_text, sizeof(now_text), "%" PRId64, now);
        snprintf(per_text, sizeof(per_text), "%" PRIu64, per);
        snprintf(later, sizeof(later), "%" PRId64, now + 24 * PEER_HOUR);
        began = peer_now_ms();
        while (r == 0 && n > 0) {
                double start = peer_now_ms();
                PGresult *result = PQexecPrepared(db, "escalate", 3, values, NULL, NULL, 0);

                n = strtoull(PQcmdTuples(result), NULL, 10);
                done += n;
                r = check(db, result, PGRES_COMMAND_OK);
                latencies[count++] = peer_now_ms() - start;
        }
        if (r == 0)
                peer_print(done, began, latencies, count);
        free(latencies);
        return r;
}

static int find_last(PGconn *db, uint64_t *ret) {
        PGresult *result = PQexec(db, "SELECT coalesce(max(id), 0) FROM ticket");

        *ret = PQntuples(result) == 1 ? strtoull(PQgetvalue(result, 0, 0), NULL, 10) : 0;
        return check(db, result, PGRES_TUPLES_OK);
}

int main(int argc, char *argv[]) {
        const char *what = argc > 3 ? argv[1] : "";
        uint64_t n = argc > 3 ? strtoull(argv[3], NULL, 10) : 0, last;
        unsigned clients = argc > 4 ? (unsigned)strtoul(argv[4], NULL, 10) : 1;
        PGconn *db = NULL;
        int r;

        if (n < 1 || clients < 1 || clients > CLIENTS_MAX) {
                fprintf(stderr, "usage: peer-postgres fill|create|storm CONNINFO N [CLIENTS]\n");
                return 64;
        }
        r = connect_to(argv[2], &db);
        if (r == 0 && strcmp(what, "fill") == 0) {
                r = fill(db, n);
        } else if (r == 0) {
                r = find_last(db, &last);
                if (r == 0)
                        r = strcmp(what, "storm") == 0 ? storm(db, last, n)
                                                       : create(argv[2], last, n, clients);
        }
        PQfinish(db);
        return r == 0 ? 0 : 1;
}
