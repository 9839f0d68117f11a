/* SPDX-License-Identifier: Apache-2.0 */

/* Work on a whole store that the daemon waits for, in a process of its own: LMDB may end a process
 * that follows a damaged page, and meanwhile this one can say that it goes on. */

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <sysexits.h>

#include "app-internal.h"
#include "runtime/notify.h"

#define SAY_EVERY 5000 /* milliseconds; far below NOTIFY_EXTEND, which is what each is good for */

_Static_assert(SAY_EVERY * 1000 < NOTIFY_EXTEND / 2, "said before it is over");

/* Until the child has answered or is gone: either way its end of the pipe has something. */
static void await_answer(int from) {
        struct pollfd answer = { .fd = from, .events = POLLIN };
        int n;

        do {
                notify_extend(NOTIFY_EXTEND);
                n = poll(&answer, 1, SAY_EVERY);
        } while (n == 0 || (n < 0 && errno == EINTR));
}

/* It ends with the process that waits for it: whoever cancels that is not kept waiting. */
static _Noreturn void work_apart(App *app, ApartWork work, const char *file, void *answer,
                                 size_t size, int to, pid_t parent) {
        int r;

        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != parent)
                _exit(EX_UNAVAILABLE);
        r = work(app, file, answer);
        fflush(stdout);
        _exit(r == 0 && write(to, answer, size) == (ssize_t)size ? EXIT_SUCCESS : EX_DATAERR);
}

int app_run_apart(App *app, ApartWork work, const char *file, void *ret, size_t size) {
        _cleanup_close_ int from = -1, to = -1;
        int ends[2], status = 0;
        pid_t parent = getpid(), child;

        assert(!app->store);
        if (pipe2(ends, O_CLOEXEC) < 0)
                return EX_OSERR;
        from = ends[0];
        to = ends[1];
        fflush(stdout);
        child = fork();
        if (child < 0)
                return EX_OSERR;
        if (child == 0)
                work_apart(app, work, file, ret, size, to, parent);
        close(TAKE_FD(to));
        await_answer(from);
        while (waitpid(child, &status, 0) < 0)
                if (errno != EINTR)
                        return EX_OSERR;
        if (WIFSIGNALED(status))
                return -WTERMSIG(status);
        if (WEXITSTATUS(status) != EXIT_SUCCESS)
                return WEXITSTATUS(status);
        return read(from, ret, size) == (ssize_t)size ? 0 : EX_OSERR;
}
