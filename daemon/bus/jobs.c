/* SPDX-License-Identifier: Apache-2.0 */

#include "bus/jobs.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "base/log.h"
#include "base/text.h"
#include "bus/areas.h"

/* Progress is signalled no more often than this. */
#define PROGRESS_EVERY 200000 /* microseconds */
#define WAITERS_MAX    16     /* of one job */
#define PROBLEM_SIZE   2000

typedef struct JobResult {
        char name[NAME_MAX_BYTES];
        char text[JOB_TEXT_SIZE]; /* "": a number */
        uint64_t number;
} JobResult;

/* A memory file that the work writes and the caller gets. Writing to one does not wait. */
typedef struct JobFile {
        int fd; /* -1: nothing was written */
        uint64_t size;
} JobFile;

struct Job {
        Bus *bus;
        Job *next; /* the one started before it */
        JobWork work;
        void *userdata;
        uint64_t id;
        JobState state;
        char *client;                        /* the connection that hears of it */
        char owner[NAME_MAX_BYTES];          /* "uid:1000" */
        char started_by[NAME_MAX_BYTES * 2]; /* with the person behind a program */
        int64_t started_at, ended_at;
        uint64_t done, total;
        int64_t signalled; /* when progress last was */
        JobResult results[JOB_RESULTS_MAX];
        size_t n_results;
        char error[JOB_TEXT_SIZE];
        uint64_t n_problems;
        JobFile problems; /* a line each */
        JobFile rejects;  /* what was not taken of the input, as it came */
        sd_bus_message *waiters[WAITERS_MAX];
        size_t n_waiters;
};

static const char *const state_names[] = {
        [JOB_RUNNING] = "running",
        [JOB_DONE] = "done",
        [JOB_FAILED] = "failed",
        [JOB_CANCELLED] = "cancelled",
};

/* ---- what a job tells ---- */

static int append_results(const Job *job, sd_bus_message *m) {
        int r = 0;

        for (size_t i = 0; r >= 0 && i < job->n_results; i++) {
                const JobResult *result = &job->results[i];

                r = *result->text
                            ? entry_append_text(m, result->name, result->text)
                            : entry_append_number(m, result->name, 't', (int64_t)result->number);
        }
        return r;
}

static int append_job(const Job *job, sd_bus_message *m) {
        int r = sd_bus_message_open_container(m, 'a', "{sv}");

        if (r >= 0)
                r = entry_append_number(m, "id", 't', (int64_t)job->id);
        if (r >= 0)
                r = entry_append_text(m, "work", job->work.name);
        if (r >= 0)
                r = entry_append_text(m, "state", state_names[job->state]);
        if (r >= 0)
                r = entry_append_text(m, "started_by", job->started_by);
        if (r >= 0)
                r = entry_append_number(m, "started_at", 'x', job->started_at);
        if (r >= 0 && job->ended_at)
                r = entry_append_number(m, "ended_at", 'x', job->ended_at);
        if (r >= 0)
                r = entry_append_number(m, "done", 't', (int64_t)job->done);
        if (r >= 0)
                r = entry_append_number(m, "total", 't', (int64_t)job->total);
        if (r >= 0)
                r = entry_append_number(m, "problems", 't', (int64_t)job->n_problems);
        if (r >= 0 && *job->error)
                r = entry_append_text(m, "error", job->error);
        if (r >= 0)
                r = append_results(job, m);
        return r < 0 ? r : sd_bus_message_close_container(m);
}

static void send_signal(Job *job, const char *member, const char *signature, ...) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        va_list arguments;
        int r;

        r = bus_new_signal(job->bus, job->client, AFTERSALES_JOBS, member, &m);
        va_start(arguments, signature);
        if (r >= 0)
                r = sd_bus_message_appendv(m, signature, arguments);
        va_end(arguments);
        if (r >= 0)
                r = sd_bus_send(NULL, m, NULL);
        if (r < 0)
                log_debug("a signal about job %" PRIu64 " could not be sent: %s", job->id,
                          strerror(-r));
}

void job_progress(Job *job, uint64_t done, uint64_t total) {
        int64_t now = boot_clock_now();

        job->done = done;
        job->total = total;
        if (now - job->signalled < PROGRESS_EVERY)
                return;
        job->signalled = now;
        send_signal(job, "Progress", "ttt", job->id, done, total);
}

static JobResult *find_result(Job *job, const char *name) {
        for (size_t i = 0; i < job->n_results; i++)
                if (STREQ(job->results[i].name, name))
                        return &job->results[i];
        if (job->n_results == JOB_RESULTS_MAX)
                return NULL;
        snprintf(job->results[job->n_results].name, NAME_MAX_BYTES, "%s", name);
        return &job->results[job->n_results++];
}

void job_count(Job *job, const char *name, uint64_t value) {
        JobResult *result = find_result(job, name);

        if (result)
                result->number = value;
}

static void copy_text(char ret[static JOB_TEXT_SIZE], const char *text) {
        snprintf(ret, JOB_TEXT_SIZE, "%s", text);
        text_mend(ret);
}

void job_text(Job *job, const char *name, const char *value) {
        JobResult *result = find_result(job, name);

        if (result)
                copy_text(result->text, value);
}

static void file_append(JobFile *file, Slice text) {
        if (file->fd < 0)
                file->fd = memfd_create("job", MFD_CLOEXEC | MFD_ALLOW_SEALING);
        if (file->fd < 0 || file->size + text.size > JOB_FILE_BYTES_MAX)
                return;
        if (pwrite(file->fd, text.data, text.size, (off_t)file->size) == (ssize_t)text.size)
                file->size += text.size;
}

static void file_seal(const JobFile *file) {
        if (file->fd >= 0)
                fcntl(file->fd, F_ADD_SEALS,
                      F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL);
}

static void file_close(const JobFile *file) {
        if (file->fd >= 0)
                close(file->fd);
}

void job_reject(Job *job, Slice text) {
        file_append(&job->rejects, text);
}

void job_problem(Job *job, const JobProblem *problem) {
        char line[PROBLEM_SIZE], clean[PROBLEM_SIZE];
        int n;

        job->n_problems++;
        text_escape(problem->text, clean, sizeof(clean));
        n = snprintf(line, sizeof(line), "%" PRIu64 "\t%" PRIu64 "\t%s\t%s\t%s\n", problem->line,
                     problem->column, problem->field ? problem->field : "", problem->error, clean);
        if (n >= (int)sizeof(line)) {
                n = sizeof(line) - 1;
                line[n - 1] = '\n';
        }
        file_append(&job->problems, (Slice){ line, (size_t)n });
}

/* ---- the end ---- */

static void answer_waiter(const Job *job, sd_bus_message *m) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        int r = sd_bus_message_new_method_return(m, &reply);

        if (r >= 0)
                r = append_job(job, reply);
        bus_answer_made(job->bus, m, r, reply);
        sd_bus_message_unref(m);
}

static void free_work(Job *job) {
        void *userdata = TAKE_PTR(job->userdata);

        if (userdata)
                job->work.free(userdata);
}

static Job *job_free(Job *job) {
        if (!job)
                return NULL;
        free_work(job);
        for (size_t i = 0; i < job->n_waiters; i++)
                sd_bus_message_unref(job->waiters[i]);
        file_close(&job->problems);
        file_close(&job->rejects);
        free(job->client);
        free(job);
        return NULL;
}

typedef struct Kept {
        uint64_t n, bytes;
} Kept;

/* What is kept of those that have ended, of one owner or (NULL) of all. */
static Kept count_kept(const Bus *bus, const char *owner) {
        Kept kept = {};

        for (const Job *job = bus->jobs; job; job = job->next)
                if (job->state != JOB_RUNNING && (!owner || STREQ(job->owner, owner))) {
                        kept.n++;
                        kept.bytes += job->problems.size + job->rejects.size;
                }
        return kept;
}

/* The one that goes next, of whoever has most: nobody is forgotten for what others do. */
static Job **find_surplus(Bus *bus) {
        Kept all = count_kept(bus, NULL);
        bool many = all.n > JOBS_KEPT_MAX;
        Job **found = NULL;
        uint64_t most = 0;

        if (!many && all.bytes <= JOBS_KEPT_BYTES_MAX)
                return NULL;
        for (Job **job = &bus->jobs; *job; job = &(*job)->next) {
                Kept own = count_kept(bus, (*job)->owner);
                uint64_t size = many ? own.n : own.bytes;

                if ((*job)->state == JOB_RUNNING || size < most)
                        continue;
                if (!found || size > most || (*job)->ended_at <= (*found)->ended_at)
                        found = job;
                most = size;
        }
        return found;
}

static void forget_old(Bus *bus) {
        Job **job;

        while ((job = find_surplus(bus))) {
                Job *this = *job;

                *job = this->next;
                job_free(this);
        }
}

void job_end(Job *job, JobState state, const char *text) {
        assert(job->state == JOB_RUNNING && state != JOB_RUNNING);
        job->state = state;
        job->ended_at = wall_clock_now(job->bus->options.clock);
        if (text)
                copy_text(job->error, text);
        file_seal(&job->problems);
        file_seal(&job->rejects);
        log_info("job %" PRIu64 " (%s, %s) is over: %s%s%s%s", job->id, job->work.name, job->owner,
                 state_names[state], *job->error ? " (" : "", job->error, *job->error ? ")" : "");
        free_work(job);
        send_signal(job, "Ended", "ts", job->id, state_names[state]);
        for (size_t i = 0; i < job->n_waiters; i++)
                answer_waiter(job, job->waiters[i]);
        job->n_waiters = 0;
        forget_old(job->bus);
}

/* ---- the beginning ---- */

static void owner_of(const BusCall *call, char owner[static NAME_MAX_BYTES]) {
        snprintf(owner, NAME_MAX_BYTES, "%.*s", (int)strcspn(call->actor_name, "/"),
                 call->actor_name);
}

static int check_room(const BusCall *call, const char *owner, Refusal *refusal) {
        size_t running = 0, own = 0;

        for (const Job *job = call->bus->jobs; job; job = job->next) {
                if (job->state != JOB_RUNNING)
                        continue;
                running++;
                own += STREQ(job->owner, owner);
        }
        if (running < JOBS_RUNNING_MAX && own < JOBS_RUNNING_OF_ONE)
                return 0;
        return refuse(refusal, REFUSED_TRY_AGAIN,
                      "%zu jobs are running, %zu of them yours, and there can be %d and %d: wait "
                      "for one to end or cancel one",
                      running, own, JOBS_RUNNING_MAX, JOBS_RUNNING_OF_ONE);
}

/* A number that no job of an earlier start has, or whoever followed that one would get this one as
 * its answer: the instant in milliseconds, by the real clock. */
static uint64_t next_id(const Bus *bus) {
        uint64_t now = (uint64_t)wall_clock_now(&(WallClock){}) / 1000;

        return MAX(bus->last_job + 1, now);
}

int job_new(BusCall *call, const JobWork *work, void *userdata, Job **ret) {
        char owner[NAME_MAX_BYTES];
        Job *job;
        int r;

        owner_of(call, owner);
        r = check_room(call, owner, &call->refusal);
        if (r != 0)
                return r;
        job = calloc(1, sizeof(*job));
        if (!job)
                return -ENOMEM;
        *job = (Job){
                .bus = call->bus,
                .next = call->bus->jobs,
                .work = *work,
                .id = next_id(call->bus),
                .state = JOB_RUNNING,
                .client = strdup(bus_sender(call->bus, call->m)),
                .started_at = call->now,
                .problems = { .fd = -1 },
                .rejects = { .fd = -1 },
        };
        r = job->client ? MIN(sd_bus_message_append(call->reply, "t", job->id), 0) : -ENOMEM;
        if (r < 0) {
                job_free(job);
                return r;
        }
        call->bus->last_job = job->id;
        snprintf(job->owner, sizeof(job->owner), "%s", owner);
        snprintf(job->started_by, sizeof(job->started_by), "%s", call->actor_name);
        job->userdata = userdata;
        call->bus->jobs = job;
        *ret = job;
        return 0;
}

void job_abandon(Job *job) {
        Bus *bus = job->bus;

        assert(bus->jobs == job);
        bus->jobs = job->next;
        job_free(job);
}

/* ---- methods ---- */

static bool may_see(const BusCall *call, const Job *job) {
        char owner[NAME_MAX_BYTES];

        owner_of(call, owner);
        return STREQ(job->owner, owner) || actor_may(&call->actor, PERMISSION_ADMIN_JOB);
}

/* *ret is NULL unless it gives 0. */
static int read_job(BusCall *call, Job **ret) {
        Job *job = call->bus->jobs;
        uint64_t id;
        int r = sd_bus_message_read(call->m, "t", &id);

        *ret = NULL;
        if (r < 0)
                return r;
        while (job && !(job->id == id && may_see(call, job)))
                job = job->next;
        if (!job)
                return refuse(&call->refusal, REFUSED_NOT_FOUND,
                              "there is no job %" PRIu64 " of yours; jobs are forgotten when the "
                              "daemon restarts: start the work again",
                              id);
        *ret = job;
        return 0;
}

static int jobs_list(BusCall *call) {
        int r = rows_open(call->reply);

        for (const Job *job = call->bus->jobs; r >= 0 && job; job = job->next)
                if (may_see(call, job))
                        r = append_job(job, call->reply);
        return r < 0 ? r : rows_close(call->reply);
}

static int jobs_get(BusCall *call) {
        Job *job;
        int r = read_job(call, &job);

        return job ? MIN(append_job(job, call->reply), 0) : r;
}

static int jobs_wait(BusCall *call) {
        Job *job;
        int r = read_job(call, &job);

        if (!job)
                return r;
        if (job->state != JOB_RUNNING)
                return MIN(append_job(job, call->reply), 0);
        if (job->n_waiters == WAITERS_MAX)
                return refuse(&call->refusal, REFUSED_LIMIT, "%d calls wait for this job already",
                              WAITERS_MAX);
        job->waiters[job->n_waiters++] = sd_bus_message_ref(call->m);
        return BUS_ANSWERED_LATER;
}

static int jobs_cancel(BusCall *call) {
        Job *job;
        int r = read_job(call, &job);

        if (job && job->state == JOB_RUNNING)
                job->work.cancel(job->userdata);
        return r;
}

static int append_file(BusCall *call, const JobFile *file) {
        _cleanup_close_ int fd = file->fd >= 0 ? fcntl(file->fd, F_DUPFD_CLOEXEC, 0)
                                               : memfd_create("job", MFD_CLOEXEC);

        return fd < 0 ? -errno : MIN(sd_bus_message_append(call->reply, "h", fd), 0);
}

static int read_ended(BusCall *call, Job **ret) {
        int r = read_job(call, ret);

        if (*ret && (*ret)->state == JOB_RUNNING)
                r = refuse(&call->refusal, REFUSED_STATE,
                           "job %" PRIu64 " is running; this is told when it has ended",
                           (*ret)->id);
        return r;
}

static int jobs_problems(BusCall *call) {
        Job *job;
        int r = read_ended(call, &job);

        return r != 0 || !job ? r : append_file(call, &job->problems);
}

static int jobs_rejects(BusCall *call) {
        Job *job;
        int r = read_ended(call, &job);

        return r != 0 || !job ? r : append_file(call, &job->rejects);
}

static const BusMethod jobs_methods[] = {
        { "List", "", "", "aa{sv}", "jobs", ANYBODY, jobs_list,
          "The caller's jobs, the youngest first, as Get tells them; of all callers with the permission "
          "admin.job." },
        { "Get", "t", "id", "a{sv}", "job", ANYBODY, jobs_get,
          "How a job is: id, work (import, export, backup ...), state (running, done, failed, cancelled), "
          "started_by, started_at, ended_at, done and total (progress; total 0: not known), problems (how many "
          "were found), error (why it failed), and the results of the work, which differ from work to work." },
        { "Wait", "t", "id", "a{sv}", "job", ANYBODY, jobs_wait,
          "Answers when the job has ended, as Get does. Wants a client without a time limit for the answer." },
        { "Cancel", "t", "id", "", "", ANYBODY, jobs_cancel,
          "Asks a running job to end; what it has done so far stays unless its work is all or nothing. Of no effect "
          "on one that has ended." },
        { "Problems", "t", "id", "h", "file", ANYBODY, jobs_problems,
          "What was wrong with the input of a job that has ended, a line each: line, column (from 1; 0: the whole), "
          "field, error (a name after org.aftersales1.Error.) and text, separated by tabs." },
        { "Rejects", "t", "id", "h", "file", ANYBODY, jobs_rejects,
          "Of an import that has ended: the rows that were refused, as they came but in UTF-8, with a further column "
          "error. Mended, it can be imported as it is. Problems and rejects have at most 16 MiB: what is not told any "
          "more is told when the file is imported again." },
        {},
};

static const BusSignal jobs_signals[] = {
        { "Progress", "ttt", "id done total",
          "How far a job is; sent to the connection that started it, a few times a second." },
        { "Ended", "ts", "id state", "A job has ended; sent to the connection that started it." },
        {},
};

const BusInterface jobs_interface = {
        .name = AFTERSALES_JOBS,
        .methods = jobs_methods,
        .signals = jobs_signals,
        .doc = "Long work that goes on after the call that started it. Jobs are forgotten when the daemon ends; of those "
               "that are over 32 are kept, with 256 MiB of problems and rejects, and the oldest of the user who has "
               "most of that goes first.",
};

void jobs_done(Bus *bus) {
        while (bus->jobs) {
                Job *next = bus->jobs->next;

                job_free(bus->jobs);
                bus->jobs = next;
        }
}
