/* SPDX-License-Identifier: Apache-2.0 */

/* Drives a peer in this process; a line of figures for each, the latencies those of transactions:
 *
 *      peer-X fill DIRECTORY N            makes a base of N tickets
 *      peer-X create DIRECTORY N PER      N more of them, PER a durable transaction
 *      peer-X storm DIRECTORY N PER       escalates all that is due, N at most, PER a transaction
 *      peer-X load DIRECTORY N            N tickets in the fastest way, durable at the end */

#include <errno.h>
#include <string.h>

#include "peer.h"

#define FILL_PER 8192

typedef struct Run {
        uint64_t n;
        size_t per;
        double *latencies;
        size_t count;
} Run;

static int create(Run *run) {
        uint64_t last, end;
        int r = peer_last(&last);

        end = last + run->n;
        while (r == 0 && last < end) {
                double began = peer_now_ms();

                r = peer_begin();
                for (size_t i = 0; r == 0 && i < run->per && last < end; i++) {
                        PeerTicket ticket;

                        peer_ticket(++last, &ticket);
                        r = peer_create(&ticket);
                }
                if (r == 0)
                        r = peer_commit();
                run->latencies[run->count++] = peer_now_ms() - began;
        }
        return r;
}

/* Once round: what was escalated is due again only after the worst of times. */
static int storm(Run *run) {
        uint64_t done = 0, last;
        size_t n = 1;
        int r = peer_last(&last);

        while (r == 0 && n > 0 && done < run->n) {
                double began = peer_now_ms();

                n = 0;
                r = peer_begin();
                if (r == 0)
                        r = peer_escalate(PEER_FIRST_TIME + (int64_t)last * PEER_APART + PEER_WORST,
                                          run->per, &n);
                if (r == 0)
                        r = peer_commit();
                done += n;
                run->latencies[run->count++] = peer_now_ms() - began;
        }
        run->n = done;
        return r;
}

int main(int argc, char *argv[]) {
        const char *what = argc > 2 ? argv[1] : "";
        Run run = { .n = argc > 3 ? strtoull(argv[3], NULL, 10) : 0,
                    .per = argc > 4 ? strtoul(argv[4], NULL, 10) : FILL_PER };
        int filling = strcmp(what, "fill") == 0, loading = strcmp(what, "load") == 0, r;
        double began;

        if (run.n < 1 || run.per < 1) {
                fprintf(stderr, "usage: %s fill|create|storm|load DIRECTORY N [PER]\n", argv[0]);
                return 64;
        }
        /* One more: the storm looks once more than there is work. */
        run.latencies = calloc(run.n / run.per + 2, sizeof(double));
        if (!run.latencies)
                return 1;
        r = peer_open(argv[2], !filling && !loading);
        began = peer_now_ms();
        if (r == 0)
                r = loading                      ? peer_load(run.n)
                    : strcmp(what, "storm") == 0 ? storm(&run)
                                                 : create(&run);
        if (filling || loading) {
                int k = peer_close();

                r = r < 0 ? r : k;
        }
        if (r == 0)
                peer_print(run.n, began, run.latencies, run.count);
        else
                fprintf(stderr, "%s: %s\n", argv[0], strerror(-r));
        if (!filling && !loading)
                peer_close();
        free(run.latencies);
        return r == 0 ? 0 : 1;
}
