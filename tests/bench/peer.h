/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What the peers of the figures share: tickets that are the same for all of them, and what a
 * database has to do to be driven by peer.c. Each stores the equivalent write set of a ticket and
 * no more: the record of about 300 bytes, the indices by due time, by customer (random) and by unit
 * and state, an event of 100 bytes. */

#include <inttypes.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define PEER_TEXT       220 /* bytes of a record that no index looks at */
#define PEER_EVENT_TEXT 84  /* likewise of an event */
#define PEER_UNITS      100
#define PEER_STATES     10
#define PEER_USEC       INT64_C(1000000)
#define PEER_FIRST_TIME (INT64_C(1767225600) * PEER_USEC)
#define PEER_APART      1000 /* microseconds between two tickets, as tests/bench/fill.c has it */
#define PEER_HOUR       (3600 * PEER_USEC)
#define PEER_WORST      (12 * PEER_HOUR) /* everything is due by then */

typedef struct PeerTicket {
        uint64_t id, customer;
        int64_t created, due;
        uint32_t unit, state;
        char text[PEER_TEXT + 1];
} PeerTicket;

static inline double peer_now_ms(void) {
        struct timespec ts;

        clock_gettime(CLOCK_MONOTONIC, &ts);
        return (double)ts.tv_sec * 1e3 + (double)ts.tv_nsec / 1e6;
}

/* Due times as in the daemon's store: in order of arrival within each of a few targets. */
static inline void peer_ticket(uint64_t id, PeerTicket *ret) {
        static const char letters[] = "abcdefghijklmnopqrstuvwxyz";
        static const int hours[] = { 1, 2, 4, 8 };
        int64_t created = PEER_FIRST_TIME + (int64_t)id * PEER_APART;

        *ret = (PeerTicket){
                .id = id,
                .customer = id * UINT64_C(2654435761) % 100000000,
                .created = created,
                .due = created + hours[id % 4] * PEER_HOUR,
                .unit = (uint32_t)(id % PEER_UNITS),
        };
        for (size_t i = 0; i < PEER_TEXT; i++)
                ret->text[i] = letters[(id + i * i) % 26];
}

static inline int peer_compare(const void *a, const void *b) {
        double x = *(const double *)a, y = *(const double *)b;

        return (x > y) - (x < y);
}

static inline double peer_percentile(const double *sorted, size_t n, double share) {
        return n ? sorted[(size_t)((double)(n - 1) * share)] : 0;
}

/* One line of figures, as the load program prints them. Sorts the latencies. */
static inline void peer_print(uint64_t n, double began_ms, double *latencies, size_t count) {
        double seconds = (peer_now_ms() - began_ms) / 1e3;

        qsort(latencies, count, sizeof(double), peer_compare);
        printf("calls %" PRIu64 " seconds %.3f rate %.1f p50_ms %.3f p99_ms %.3f\n", n, seconds,
               (double)n / seconds, peer_percentile(latencies, count, 0.5),
               peer_percentile(latencies, count, 0.99));
}

/* ---- what a peer does; 0 or a negative errno, after having said what was wrong ---- */

/* durable false: while it is filled, which ends with peer_close(). */
int peer_open(const char *directory, int durable);
int peer_last(uint64_t *ret); /* the newest ticket, 0 for none */
int peer_begin(void);
int peer_create(const PeerTicket *ticket);
/* The first `limit` tickets that are due by now each get an event, a higher rung and a due time
 * a day later, within the transaction. */
int peer_escalate(int64_t now, size_t limit, size_t *ret);
int peer_commit(void);
/* As fast as it can be filled with tickets 1..n, or -ENOSYS. */
int peer_load(uint64_t n);
int peer_close(void);
