/* SPDX-License-Identifier: Apache-2.0 */

#include "runtime/helper.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "runtime/background.h"
#include "runtime/commit.h"

#define ARGUMENTS_MAX 32
#define CHUNK         (16 * 1024) /* read at once; the loop goes on in between */
/* Descriptors meant for the helper are moved up here first, so that none is overwritten by another.
 */
#define DESCRIPTORS_ABOVE 64

struct Helper {
        HelperOptions options;
        pid_t pid; /* 0: gone */
        int fd;
        Background *reading;
        sd_event_source *io, *child;
        char line[HELPER_LINE_MAX];
        size_t n_line;
        bool silent; /* all that it has said was heard */
        int status;
};

/* ---- its output ---- */

static void take_output(Helper *helper, const char *data, size_t size) {
        for (size_t i = 0; i < size; i++) {
                if (data[i] != '\n') {
                        if (helper->n_line < sizeof(helper->line) - 1)
                                helper->line[helper->n_line++] = data[i];
                        continue;
                }
                helper->line[helper->n_line] = '\0';
                helper->n_line = 0;
                helper->options.on_line(helper->options.userdata, helper->line);
        }
}

static void finish_if_over(Helper *helper) {
        if (helper->silent && helper->pid == 0)
                helper->options.on_end(helper->options.userdata, helper->status);
}

/* All that a helper has said is in the pipe once it has ended: who else holds the other end, such
 * as a process of its own that is stuck, is not waited for. */
static void read_output(void *userdata) {
        Helper *helper = userdata;
        char chunk[CHUNK];
        ssize_t n = read(helper->fd, chunk, sizeof(chunk));
        bool more = n > 0 || (n < 0 && (errno == EINTR || (errno == EAGAIN && helper->pid > 0)));

        if (n > 0)
                take_output(helper, chunk, (size_t)n);
        sd_event_source_set_enabled(helper->io,
                                    more && helper->pid > 0 ? SD_EVENT_ONESHOT : SD_EVENT_OFF);
        if (more && helper->pid == 0)
                background_wake(helper->reading);
        helper->silent = !more;
        finish_if_over(helper);
}

static int on_output(sd_event_source *source _unused_, int fd _unused_, uint32_t events _unused_,
                     void *userdata) {
        Helper *helper = userdata;

        background_wake(helper->reading);
        return 0;
}

static int on_child(sd_event_source *source _unused_, const siginfo_t *info, void *userdata) {
        Helper *helper = userdata;

        helper->pid = 0;
        helper->status = info->si_code == CLD_EXITED ? info->si_status : -info->si_status;
        if (!helper->silent)
                background_wake(helper->reading);
        finish_if_over(helper);
        return 0;
}

/* ---- starting it ---- */

static int make_input(Slice input) {
        _cleanup_close_ int fd = memfd_create("input", MFD_CLOEXEC);

        if (fd < 0)
                return -errno;
        for (size_t done = 0; done < input.size;) {
                ssize_t n =
                        pwrite(fd, (const char *)input.data + done, input.size - done, (off_t)done);

                if (n < 0)
                        return -errno;
                done += (size_t)n;
        }
        return TAKE_FD(fd);
}

typedef struct Descriptors {
        int moved[STDERR_FILENO + 1 + HELPER_DESCRIPTORS_MAX]; /* by what they become; -1: none */
} Descriptors;

static void descriptors_done(Descriptors *descriptors) {
        for (size_t i = 0; i < ELEMENTS(descriptors->moved); i++)
                if (descriptors->moved[i] >= 0)
                        close(descriptors->moved[i]);
}

static int move_up(Descriptors *descriptors, size_t target, int fd) {
        descriptors->moved[target] = fcntl(fd, F_DUPFD_CLOEXEC, DESCRIPTORS_ABOVE);
        return descriptors->moved[target] < 0 ? -errno : 0;
}

static int gather_descriptors(Descriptors *descriptors, const HelperOptions *options, int output) {
        _cleanup_close_ int input = make_input(options->input);
        int r = MIN(input, 0);

        if (r == 0)
                r = move_up(descriptors, STDIN_FILENO, input);
        if (r == 0)
                r = move_up(descriptors, STDOUT_FILENO, output);
        for (size_t i = 0; r == 0 && i < options->n_descriptors; i++)
                r = move_up(descriptors, STDERR_FILENO + 1 + i, options->descriptors[i]);
        return r;
}

/* None may be left out: a helper with other descriptors would read and write what it is not to. */
static int add_actions(posix_spawn_file_actions_t *actions, const Descriptors *descriptors,
                       size_t n_descriptors) {
        int r = 0;

        for (size_t i = 0; r == 0 && i < ELEMENTS(descriptors->moved); i++)
                if (descriptors->moved[i] >= 0)
                        r = posix_spawn_file_actions_adddup2(actions, descriptors->moved[i],
                                                             (int)i);
        if (r == 0)
                r = posix_spawn_file_actions_addclosefrom_np(actions, STDERR_FILENO + 1 +
                                                                              (int)n_descriptors);
        return -r;
}

static int spawn(Helper *helper, const Descriptors *descriptors) {
        const HelperOptions *options = &helper->options;
        const char *arguments[ARGUMENTS_MAX + 2] = { options->program };
        char *environment[] = { NULL };
        posix_spawn_file_actions_t actions;
        posix_spawnattr_t attributes;
        sigset_t none;
        size_t n = 0;
        int r;

        while (options->arguments[n]) {
                assert(n < ARGUMENTS_MAX);
                arguments[n + 1] = options->arguments[n];
                n++;
        }
        sigemptyset(&none);
        posix_spawn_file_actions_init(&actions);
        posix_spawnattr_init(&attributes);
        posix_spawnattr_setsigmask(&attributes, &none);
        posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
        r = add_actions(&actions, descriptors, options->n_descriptors);
        if (r == 0)
                r = -posix_spawn(&helper->pid, options->program, &actions, &attributes,
                                 (char *const *)arguments, environment);
        posix_spawnattr_destroy(&attributes);
        posix_spawn_file_actions_destroy(&actions);
        if (r < 0)
                helper->pid = 0;
        return r;
}

static int launch(Helper *helper) {
        _cleanup_(descriptors_done) Descriptors descriptors;
        int pipes[2], r;

        memset(&descriptors, -1, sizeof(descriptors));
        if (pipe2(pipes, O_CLOEXEC) < 0)
                return -errno;
        helper->fd = pipes[0];
        r = gather_descriptors(&descriptors, &helper->options, pipes[1]);
        close(pipes[1]);
        if (r == 0)
                r = spawn(helper, &descriptors);
        if (r == 0 && fcntl(helper->fd, F_SETFL, O_NONBLOCK) < 0)
                r = -errno;
        return r;
}

/* What it says is heard after calls were handled. */
static int watch(Helper *helper) {
        sd_event *event = helper->options.event;
        int r = sd_event_add_io(event, &helper->io, helper->fd, EPOLLIN, on_output, helper);

        if (r >= 0)
                r = sd_event_source_set_priority(helper->io, PRIORITY_HEALTH); /* wakes only */
        if (r >= 0)
                r = sd_event_source_set_enabled(helper->io, SD_EVENT_ONESHOT);
        if (r >= 0)
                r = background_new(event, PRIORITY_HELPER, read_output, helper, &helper->reading);
        if (r >= 0)
                r = sd_event_add_child(event, &helper->child, helper->pid, WEXITED, on_child,
                                       helper);
        return MIN(r, 0);
}

int helper_start(const HelperOptions *options, Helper **ret) {
        Helper *helper = calloc(1, sizeof(*helper));
        int r;

        if (!helper)
                return -ENOMEM;
        assert(options->n_descriptors <= HELPER_DESCRIPTORS_MAX);
        *helper = (Helper){ .options = *options, .fd = -1 };
        r = launch(helper);
        if (r == 0)
                r = watch(helper);
        if (r < 0) {
                helper_free(helper);
                return r;
        }
        *ret = helper;
        return 0;
}

void helper_stop(Helper *helper) {
        if (helper->pid > 0)
                kill(helper->pid, SIGTERM);
}

Helper *helper_free(Helper *helper) {
        if (!helper)
                return NULL;
        sd_event_source_disable_unref(helper->io);
        background_free(helper->reading);
        sd_event_source_disable_unref(helper->child);
        if (helper->pid > 0) {
                kill(helper->pid, SIGKILL);
                waitpid(helper->pid, NULL, WNOHANG); /* it may wait for a disk that is away */
        }
        if (helper->fd >= 0)
                close(helper->fd);
        free(helper);
        return NULL;
}
