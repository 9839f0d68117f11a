/* SPDX-License-Identifier: Apache-2.0 */

/* Check reads the whole store, which takes as long as the store is large: a helper process does it
 * on a snapshot of its own, and the call is answered when it ends. */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "bus/areas.h"
#include "runtime/helper.h"

#define MORE_SIZE  100
#define OUTPUT_MAX (64 * 1024) /* of the helper; further faults are counted only */

typedef struct CheckJob {
        Bus *bus;
        sd_bus_message *m;
        Helper *helper;
        Buffer faults; /* each ended by a zero byte */
        uint64_t more; /* for which there was no room */
        uint64_t records;
} CheckJob;

static CheckJob *job_free(CheckJob *job) {
        if (!job)
                return NULL;
        helper_free(job->helper);
        sd_bus_message_unref(job->m);
        buffer_done(&job->faults);
        free(job);
        return NULL;
}

static int append_more(sd_bus_message *reply, uint64_t more) {
        char text[MORE_SIZE];

        snprintf(text, sizeof(text), "and %" PRIu64 " more, which aftersalesd --check tells", more);
        return sd_bus_message_append_basic(reply, 's', text);
}

static int append_result(const CheckJob *job, sd_bus_message *reply) {
        const char *faults = (const char *)job->faults.data; /* NULL without any */
        int r = sd_bus_message_append(reply, "t", job->records);

        if (r >= 0)
                r = sd_bus_message_open_container(reply, 'a', "s");
        for (size_t at = 0; r >= 0 && at < job->faults.size; at += strlen(faults + at) + 1)
                r = sd_bus_message_append_basic(reply, 's', faults + at);
        if (r >= 0 && job->more > 0)
                r = append_more(reply, job->more);
        return r < 0 ? r : sd_bus_message_close_container(reply);
}

static void answer(CheckJob *job, int status) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        bool done = status == EXIT_SUCCESS || status == EXIT_FAILURE;
        Refusal refusal;
        int r = job->faults.error;

        if (!done) {
                refuse(&refusal, REFUSED_INTERNAL,
                       "the check could not be run to its end; see the log");
                bus_answer_refusal(job->bus, job->m, &refusal);
                return;
        }
        if (r == 0)
                r = sd_bus_message_new_method_return(job->m, &reply);
        if (r >= 0)
                r = append_result(job, reply);
        bus_answer_made(job->bus, job->m, r, reply);
}

/* "records N" is the last line, every other one is a fault. */
static void on_line(void *userdata, const char *line) {
        CheckJob *job = userdata;

        if (sscanf(line, "records %" SCNu64, &job->records) == 1)
                return;
        if (job->faults.size >= OUTPUT_MAX)
                job->more++;
        else
                buffer_put(&job->faults, line, strlen(line) + 1);
}

static void on_end(void *userdata, int status) {
        CheckJob *job = userdata;
        Bus *bus = job->bus;

        answer(job, status);
        bus->check = job_free(job);
}

int bus_check(BusCall *call) {
        Bus *bus = call->bus;
        CheckJob *job;
        int r;

        if (bus->check)
                return refuse(&call->refusal, REFUSED_TRY_AGAIN, "a check is running already");
        job = calloc(1, sizeof(*job));
        if (!job)
                return -ENOMEM;
        *job = (CheckJob){ .bus = bus, .m = sd_bus_message_ref(call->m) };
        r = helper_start(
                &(HelperOptions){
                        .event = bus->options.event,
                        .program = bus->options.program,
                        .arguments = (const char *const[]){ "--check", "--config",
                                                            bus->options.config_path, "--state",
                                                            bus->options.state_directory, NULL },
                        .on_line = on_line,
                        .on_end = on_end,
                        .userdata = job },
                &job->helper);
        if (r < 0) {
                job_free(job);
                return r;
        }
        bus->check = job;
        return BUS_ANSWERED_LATER;
}

void check_done(Bus *bus) {
        bus->check = job_free(bus->check);
}
