/* SPDX-License-Identifier: Apache-2.0 */

/* Check reads the whole store, which takes as long as the store is large: a helper process does it
 * on a snapshot of its own, and the call is answered when it ends. */

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "base/log.h"
#include "bus/areas.h"

#define OUTPUT_MAX (64 * 1024) /* of the helper; further faults are counted only */

typedef struct CheckJob {
        Bus *bus;
        sd_bus_message *m;
        pid_t pid;
        int fd;
        sd_event_source *io, *child;
        Buffer output;
        bool ended; /* the output has come to its end */
        int status; /* of the helper; -1: still running */
} CheckJob;

static CheckJob *job_free(CheckJob *job) {
        if (!job)
                return NULL;
        sd_event_source_disable_unref(job->io);
        sd_event_source_disable_unref(job->child);
        if (job->fd >= 0)
                close(job->fd);
        sd_bus_message_unref(job->m);
        buffer_done(&job->output);
        free(job);
        return NULL;
}

/* "records N" is the last line, every other one is a fault. */
static int append_result(sd_bus_message *reply, char *text) {
        uint64_t records = 0;
        char *rest = text, *line;
        int r;

        for (char *p = text; (p = strstr(p, "records ")); p++)
                if (p == text || p[-1] == '\n')
                        records = strtoull(p + strlen("records "), NULL, 10);
        r = sd_bus_message_append(reply, "t", records);
        if (r >= 0)
                r = sd_bus_message_open_container(reply, 'a', "s");
        while (r >= 0 && (line = strsep(&rest, "\n")))
                if (*line && strncmp(line, "records ", 8) != 0)
                        r = sd_bus_message_append_basic(reply, 's', line);
        return r < 0 ? r : sd_bus_message_close_container(reply);
}

static void answer(CheckJob *job) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        bool done = WIFEXITED(job->status) && WEXITSTATUS(job->status) <= 1;
        Refusal refusal;
        int r = -EIO;

        buffer_put_u8(&job->output, '\0');
        if (done && job->output.error == 0)
                r = sd_bus_message_new_method_return(job->m, &reply);
        if (r >= 0)
                r = append_result(reply, (char *)job->output.data);
        if (r >= 0)
                bus_answer(job->bus, job->m, reply);
        else {
                refuse(&refusal, REFUSED_INTERNAL,
                       "the check could not be run to its end; see the log");
                bus_answer_refusal(job->bus, job->m, &refusal);
        }
}

static void finish_if_over(CheckJob *job) {
        Bus *bus = job->bus;

        if (!job->ended || job->status == -1)
                return;
        answer(job);
        bus->check = job_free(job);
}

static int on_output(sd_event_source *source, int fd, uint32_t events _unused_, void *userdata) {
        CheckJob *job = userdata;
        char chunk[4096];
        ssize_t n = read(fd, chunk, sizeof(chunk));

        if (n < 0 && (errno == EAGAIN || errno == EINTR))
                return 0;
        if (n > 0) {
                if (job->output.size < OUTPUT_MAX)
                        buffer_put(&job->output, chunk, (size_t)n);
                return 0;
        }
        sd_event_source_set_enabled(source, SD_EVENT_OFF);
        job->ended = true;
        finish_if_over(job);
        return 0;
}

static int on_child(sd_event_source *source _unused_, const siginfo_t *info, void *userdata) {
        CheckJob *job = userdata;

        job->status = info->si_code == CLD_EXITED ? info->si_status << 8 : info->si_status;
        finish_if_over(job);
        return 0;
}

static int spawn_helper(CheckJob *job) {
        const BusOptions *options = &job->bus->options;
        char *arguments[] = { (char *)options->program,
                              (char *)"--check",
                              (char *)"--config",
                              (char *)options->config_path,
                              (char *)"--state",
                              (char *)options->state_directory,
                              NULL };
        char *environment[] = { NULL };
        posix_spawn_file_actions_t actions;
        posix_spawnattr_t attributes;
        sigset_t none;
        int pipes[2], r;

        if (pipe2(pipes, O_CLOEXEC) < 0)
                return -errno;
        sigemptyset(&none);
        posix_spawn_file_actions_init(&actions);
        posix_spawn_file_actions_adddup2(&actions, pipes[1], STDOUT_FILENO);
        posix_spawn_file_actions_addclosefrom_np(&actions, STDERR_FILENO + 1);
        posix_spawnattr_init(&attributes);
        posix_spawnattr_setsigmask(&attributes, &none);
        posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
        r = -posix_spawn(&job->pid, options->program, &actions, &attributes, arguments,
                         environment);
        posix_spawnattr_destroy(&attributes);
        posix_spawn_file_actions_destroy(&actions);
        close(pipes[1]);
        if (r < 0) {
                close(pipes[0]);
                return r;
        }
        job->fd = pipes[0];
        return fcntl(job->fd, F_SETFL, O_NONBLOCK) < 0 ? -errno : 0;
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
        *job = (CheckJob){ .bus = bus, .m = sd_bus_message_ref(call->m), .fd = -1, .status = -1 };
        r = spawn_helper(job);
        if (r >= 0)
                r = sd_event_add_io(bus->options.event, &job->io, job->fd, EPOLLIN, on_output, job);
        if (r >= 0)
                r = sd_event_add_child(bus->options.event, &job->child, job->pid, WEXITED, on_child,
                                       job);
        if (r < 0) {
                job_free(job);
                return r;
        }
        bus->check = job;
        return BUS_ANSWERED_LATER;
}

void check_done(Bus *bus) {
        if (!bus->check)
                return;
        kill(bus->check->pid, SIGTERM);
        bus->check = job_free(bus->check);
}
