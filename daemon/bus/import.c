/* SPDX-License-Identifier: Apache-2.0 */

/* An import goes on in the loop, a slice at a time between calls, and shares their commits. The
 * file is a sealed memory file: it can be read without waiting for anybody, and nobody changes it
 * meanwhile. */

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "aftersales/kinds.h"
#include "base/log.h"
#include "bus/transfer.h"
#include "dealers/report.h"
#include "runtime/background.h"
#include "transfer/import.h"
#include "transfer/writer.h"

#define ORDER_SIZE  1024
#define REASON_ROOM 40   /* for what stands before the reason of an end */
#define SLICE_TIME  8000 /* microseconds of work between calls */
#define SEALS       (F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK)

typedef struct ImportOrder {
        TransferSubject subject;
        int format, encoding;
        bool atomic, escalate, dry_run;
        uint64_t report;                 /* that the file is; 0: none */
        char dealer[CODE_MAX_BYTES + 1]; /* whose report */
        int fd;
} ImportOrder;

typedef struct Import {
        Bus *bus;
        Job *job;
        TransferActor actor;
        int fd;
        off_t at, size;
        bool atomic, cancelled;
        uint64_t report;
        RowFormat format;
        Buffer reject;     /* the last row that was refused */
        bool rejected;     /* one was already */
        uint64_t failures; /* of commits, when it began */
        ImportSession *session;
        Background *work;
} Import;

/* ---- what the session asks for ---- */

static int64_t read_file(void *userdata, void *buffer, size_t size) {
        Import *import = userdata;
        ssize_t n = pread(import->fd, buffer, size, import->at);

        if (n < 0)
                return -errno;
        import->at += n;
        return n;
}

static void tell_problem(void *userdata, const ImportProblem *problem) {
        Import *import = userdata;

        job_problem(import->job, &(JobProblem){ .line = problem->line,
                                                .column = problem->column,
                                                .field = problem->field,
                                                .error = bus_refusal_name(problem->code),
                                                .text = problem->text });
        if (problem->row) {
                buffer_reset(&import->reject);
                reject_append(&import->reject, import->format, problem->row, problem->parsed,
                              !import->rejected, problem->text);
                import->rejected = import->rejected || problem->row->n > 0;
                job_reject(import->job, buffer_slice(&import->reject));
        }
}

/* ---- the end ---- */

static void tell_counts(Import *import) {
        const ImportCounts *counts = import_counts(import->session);

        job_progress(import->job, (uint64_t)import->at, (uint64_t)import->size);
        job_count(import->job, "rows", counts->rows);
        for (int i = 0; i < _IMPORT_OUTCOME_MAX; i++)
                job_count(import->job, import_outcome_names[i], counts->outcomes[i]);
}

/* Whether all rows so far are durable, or may get so: 0, or why not. Other batches may have failed;
 * it is not known what was in them. */
static int check_commits(const Import *import) {
        CommitterCounts counts = committer_counts(import->bus->options.committer);

        return counts.failures == import->failures ? 0 : counts.error;
}

/* The rows are in; with the last of them the report is there. 0, > 0 refused, negative errno. */
static int deliver_report(Import *import, Refusal *refusal) {
        const BusOptions *options = &import->bus->options;
        const ImportCounts *counts = import_counts(import->session);
        Call call = { .actor = &import->actor.actor, .now = wall_clock_now(options->clock) };
        ReportCounts sums = { .rows = counts->rows,
                              .created = counts->outcomes[IMPORT_CREATED],
                              .moved = counts->outcomes[IMPORT_MOVED],
                              .unchanged = counts->outcomes[IMPORT_UNCHANGED],
                              .refused = counts->outcomes[IMPORT_REFUSED] };

        return report_deliver(options->engine, options->store, import->report, &call, &sums,
                              !due_health(import->bus->due).suspect, refusal);
}

/* What is open is this import alone. */
static void take_back(Import *import) {
        store_abort(import->bus->options.store);
        store_release(import->bus->options.store);
}

static const char *reason(int result) {
        switch (result) {
        case IMPORT_BROKEN:
                return "the file could not be read to its end: see its problems";
        case -EBADMSG:
                return "the store is damaged; aftersalesctl check says where";
        default:
                return strerror(-result);
        }
}

/* The result is told once the last rows are durable. 0 all rows were looked at, else why not. */
static void end_import(Import *import, int result, const char *why) {
        Refusal refusal = {};
        char text[JOB_TEXT_SIZE];

        if (result == 0)
                result = check_commits(import);
        if (result == 0 && import->report && !import->cancelled) {
                result = deliver_report(import, &refusal);
                if (result != 0 && import->atomic)
                        take_back(import);
        }
        committer_commit(import->bus->options.committer);
        tell_counts(import);
        if (result == 0)
                result = check_commits(import);
        if (import->cancelled)
                job_end(import->job, JOB_CANCELLED, NULL);
        else if (result == 0)
                job_end(import->job, JOB_DONE, NULL);
        else {
                if (result > 0)
                        snprintf(text, sizeof(text), "not taken as the report: %.*s",
                                 JOB_TEXT_SIZE - REASON_ROOM, refusal.text);
                else
                        snprintf(text, sizeof(text), "%s", why ? why : reason(result));
                job_end(import->job, JOB_FAILED, text);
        }
}

/* ---- row by row ---- */

/* 1: there is more, 0: the end, negative errno. */
static int take_slice(Import *import) {
        const BusOptions *options = &import->bus->options;
        int64_t began = boot_clock_now();
        bool settle = !due_health(import->bus->due).suspect;
        int r = check_commits(import);

        if (r < 0)
                return r;
        do {
                r = import_next(import->session, options->engine, wall_clock_now(options->clock),
                                settle);
                if (r > 0)
                        r = MIN(committer_touch(options->committer), 0) ?: 1;
        } while (r > 0 && boot_clock_now() - began < SLICE_TIME);
        return r;
}

static void work_slice(void *userdata) {
        Import *import = userdata;
        int r = import->cancelled ? 0 : take_slice(import);

        if (r == 1) {
                tell_counts(import);
                background_wake(import->work);
        } else
                end_import(import, r, NULL);
}

/* ---- all or nothing ---- */

static bool is_refused(const Import *import) {
        return import_counts(import->session)->outcomes[IMPORT_REFUSED] > 0;
}

/* One transaction, in one go. All rows are looked at even after a refusal, so that all faults are
 * known. */
static void import_whole(Import *import) {
        const BusOptions *options = &import->bus->options;
        bool settle = !due_health(import->bus->due).suspect, too_many = false;
        int64_t now = wall_clock_now(options->clock);
        int r = 1;

        while (r > 0 && !too_many) {
                r = import_next(import->session, options->engine, now, settle);
                too_many = import_counts(import->session)->rows > IMPORT_ATOMIC_ROWS_MAX;
        }
        if (r < 0 || too_many || is_refused(import) || import->cancelled)
                store_abort(options->store);
        store_release(options->store);
        if (too_many)
                end_import(import, -E2BIG,
                           "the file has more rows than can be imported all or nothing (10000): "
                           "try it with dry_run, then import it without atomic");
        else if (r >= 0 && is_refused(import))
                end_import(import, -ECANCELED,
                           "rows were refused, so nothing was imported: see the problems");
        else
                end_import(import, r, NULL);
}

/* Whatever came before is committed first, so that nobody else is drawn into it. */
static void work_whole(void *userdata) {
        Import *import = userdata;
        int r = committer_commit(import->bus->options.committer);

        if (r < 0)
                end_import(import, r, NULL);
        else
                import_whole(import);
}

/* ---- as a job ---- */

static void cancel_import(void *userdata) {
        ((Import *)userdata)->cancelled = true;
}

static void free_import(void *userdata) {
        Import *import = userdata;

        background_free(import->work);
        import_free(import->session);
        buffer_done(&import->reject);
        if (import->fd >= 0)
                close(import->fd);
        free(import);
}

static int open_session(Import *import, const ImportOrder *order) {
        ImportOptions options = {
                .store = import->bus->options.store,
                .kind = order->subject.kind,
                .reg = order->subject.reg,
                .actor = import->actor.actor,
                .escalates = order->escalate,
                .problem = tell_problem,
                .userdata = import,
        };
        RowReader *reader;
        int r = row_reader_new((RowFormat)order->format, (RowEncoding)order->encoding, read_file,
                               import, &reader);

        if (r < 0)
                return r;
        r = import_new(&options, reader, &import->session);
        if (r < 0)
                row_reader_free(reader);
        return r;
}

static int schedule(Import *import) {
        int r = background_new(import->bus->options.event, PRIORITY_JOB,
                               import->atomic ? work_whole : work_slice, import, &import->work);

        if (r < 0)
                return r;
        import->failures = committer_counts(import->bus->options.committer).failures;
        background_wake(import->work);
        return 0;
}

static int check_file(const ImportOrder *order, Refusal *refusal) {
        int seals = fcntl(order->fd, F_GET_SEALS);
        struct stat st;

        if (seals < 0 || (seals & SEALS) != SEALS)
                return refuse(refusal, REFUSED_INVALID_VALUE,
                              "file: must be a memory file (memfd) with the seals write, grow and "
                              "shrink, so that it can be read without waiting for anybody");
        if (fstat(order->fd, &st) < 0)
                return -errno;
        if (st.st_size > IMPORT_BYTES_MAX)
                return refuse(refusal, REFUSED_LIMIT,
                              "file: larger than 4 GiB: import it in several parts");
        if (order->atomic && !order->dry_run && st.st_size > IMPORT_ATOMIC_BYTES_MAX)
                return refuse(refusal, REFUSED_LIMIT,
                              "file: larger than can be imported all or nothing (%d MiB): try it "
                              "with dry_run, then import it without atomic",
                              IMPORT_ATOMIC_BYTES_MAX >> 20);
        return 0;
}

static int check_report(BusCall *call, ImportOrder *order) {
        if (!order->subject.kind || order->subject.kind->number != KIND_TICKET)
                return refuse(&call->refusal, REFUSED_INVALID_VALUE,
                              "report: only a file of tickets is a dealer's report");
        return report_check(call->bus->options.store, order->report, &call->actor, order->dealer,
                            &call->refusal);
}

static int read_order(BusCall *call, ImportOrder *ret) {
        static const RecordType nothing = { .name = "options" };
        const char *what, *format = NULL, *encoding = NULL;
        ExtraKey extra[] = { { "report", 't', &ret->report, false },
                             { "format", 's', &format, false },
                             { "encoding", 's', &encoding, false },
                             { "atomic", 'b', &ret->atomic, false },
                             { "escalate", 'b', &ret->escalate, false },
                             { "dry_run", 'b', &ret->dry_run, false },
                             {} };
        const ExtraKey *report = &extra[0];
        FieldMask given = {};
        Record none = {};
        int r = sd_bus_message_read(call->m, "sh", &what, &ret->fd);

        if (r < 0)
                return r;
        r = fields_read(call->m, &nothing, &none, &given, NULL, extra, &call->refusal);
        if (r == 0)
                r = transfer_subject(what, &ret->subject, &call->refusal);
        if (r == 0)
                r = transfer_choice("format", format, row_format_names, _ROW_FORMAT_MAX,
                                    &ret->format, &call->refusal);
        if (r == 0)
                r = transfer_choice("encoding", encoding, row_encoding_names, _ROW_ENCODING_MAX,
                                    &ret->encoding, &call->refusal);
        if (r == 0 && report->given)
                r = check_report(call, ret);
        return r != 0 ? r : check_file(ret, &call->refusal);
}

/* What is reported for a dealer is that dealer's own, whoever hands it in. */
static void narrow(TransferActor *actor, const char *dealer) {
        snprintf(actor->unit, sizeof(actor->unit), "%s", dealer);
        actor->actor.scope = SCOPE_DEALER;
        actor->actor.unit = actor->unit;
}

/* The very import, by a helper on something that is gone afterwards. */
static int try_import(BusCall *call, const ImportOrder *order) {
        TransferActor as;
        const Actor *actor = &as.actor;
        HelperOptions options = { .arguments = (const char *const[]){ "--try-import", NULL },
                                  .descriptors = { order->fd },
                                  .n_descriptors = 1 };
        char text[ORDER_SIZE];

        transfer_actor(call, &as);
        if (order->report)
                narrow(&as, order->dealer);
        snprintf(text, sizeof(text),
                 "what %s\nformat %d\nencoding %d\nescalate %d\nsettle %d\nnow %" PRId64
                 "\npermissions %" PRIu64 "\nscope %d\nactor %s\nrole %s\n%s%s\n",
                 order->subject.kind ? order->subject.kind->name : order->subject.reg->name,
                 order->format, order->encoding, order->escalate,
                 !due_health(call->bus->due).suspect, call->now, actor->permissions,
                 (int)actor->scope, actor->name, actor->role, actor->unit ? "unit " : "",
                 actor->unit ? actor->unit : "");
        options.input = (Slice){ text, strlen(text) };
        return job_new_helper(call, "dry_run", &options);
}

int transfer_import(BusCall *call) {
        ImportOrder order = {};
        struct stat st = {};
        Import *import;
        int r = read_order(call, &order);

        if (r != 0)
                return r;
        if (order.dry_run)
                return try_import(call, &order);
        import = calloc(1, sizeof(*import));
        if (!import)
                return -ENOMEM;
        *import = (Import){ .bus = call->bus,
                            .atomic = order.atomic,
                            .format = (RowFormat)order.format,
                            .report = order.report,
                            .fd = fcntl(order.fd, F_DUPFD_CLOEXEC, 0) };
        transfer_actor(call, &import->actor);
        if (order.report)
                narrow(&import->actor, order.dealer);
        r = import->fd < 0 || fstat(import->fd, &st) < 0 ? -errno : open_session(import, &order);
        import->size = st.st_size;
        if (r == 0)
                r = schedule(import);
        if (r == 0)
                r = job_new(call, &(JobWork){ "import", cancel_import, free_import }, import,
                            &import->job);
        if (r != 0)
                free_import(import);
        return r;
}
