/* SPDX-License-Identifier: Apache-2.0 */

/* Jobs whose work a helper process does. */

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "bus/jobs.h"

#define ARGUMENTS_MAX 24

typedef struct HelperJob {
        Job *job;
        Helper *helper;
        bool cancelled;
        char failure[JOB_TEXT_SIZE];
} HelperJob;

static void take_problem(Job *job, char *text) {
        char *words[5];

        text_split(text, '\t', words, ELEMENTS(words));
        job_problem(job, &(JobProblem){ .line = strtoull(words[0], NULL, 10),
                                        .column = strtoull(words[1], NULL, 10),
                                        .field = words[2],
                                        .error = words[3],
                                        .text = words[4] });
}

/* What has two words. */
static void take_result(Job *job, const char *what, char *text) {
        char *words[2];

        text_split(text, ' ', words, ELEMENTS(words));
        if (STREQ(what, "progress"))
                job_progress(job, strtoull(words[0], NULL, 10), strtoull(words[1], NULL, 10));
        else if (STREQ(what, "count"))
                job_count(job, words[0], strtoull(words[1], NULL, 10));
        else if (STREQ(what, "text"))
                job_text(job, words[0], words[1]);
}

static void on_line(void *userdata, const char *text) {
        HelperJob *work = userdata;
        char line[HELPER_LINE_MAX], *words[2];

        snprintf(line, sizeof(line), "%s", text);
        text_split(line, ' ', words, ELEMENTS(words));
        if (STREQ(words[0], "failed"))
                snprintf(work->failure, sizeof(work->failure), "%s", words[1]);
        else if (STREQ(words[0], "problem"))
                take_problem(work->job, words[1]);
        else
                take_result(work->job, words[0], words[1]);
}

static void on_end(void *userdata, int status) {
        HelperJob *work = userdata;
        char failure[JOB_TEXT_SIZE];

        snprintf(failure, sizeof(failure), "%s", work->failure);
        if (work->cancelled && status != 0)
                job_end(work->job, JOB_CANCELLED, NULL);
        else if (status == 0)
                job_end(work->job, JOB_DONE, NULL);
        else {
                if (!*failure)
                        snprintf(failure, sizeof(failure), "the helper process ended with %s %d",
                                 status < 0 ? "signal" : "status", status < 0 ? -status : status);
                job_end(work->job, JOB_FAILED, failure);
        }
}

static void cancel_work(void *userdata) {
        HelperJob *work = userdata;

        work->cancelled = true;
        helper_stop(work->helper);
}

static void free_work(void *userdata) {
        HelperJob *work = userdata;

        helper_free(work->helper);
        free(work);
}

static int start_helper(HelperJob *work, const BusOptions *bus, const HelperOptions *given) {
        const char *arguments[ARGUMENTS_MAX + 5] = { "--config", bus->config_path, "--state",
                                                     bus->state_directory };
        HelperOptions options = *given;

        for (size_t n = 0; given->arguments[n]; n++) {
                assert(n < ARGUMENTS_MAX);
                arguments[n + 4] = given->arguments[n];
        }
        options.event = bus->event;
        options.program = bus->program;
        options.arguments = arguments;
        options.on_line = on_line;
        options.on_end = on_end;
        options.userdata = work;
        return helper_start(&options, &work->helper);
}

int job_new_helper(BusCall *call, const char *name, const HelperOptions *options) {
        HelperJob *work = calloc(1, sizeof(*work));
        int r;

        if (!work)
                return -ENOMEM;
        r = job_new(call, &(JobWork){ name, cancel_work, free_work }, work, &work->job);
        if (r != 0) {
                free_work(work);
                return r;
        }
        r = start_helper(work, &call->bus->options, options);
        if (r < 0)
                job_abandon(work->job);
        return r;
}
