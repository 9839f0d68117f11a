/* SPDX-License-Identifier: Apache-2.0 */

/* Files in and out. */

#include "verbs.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/mman.h>
#include <sysexits.h>

#include "aftersales/bus.h"
#include "aftersales/limits.h"
#include "job.h"
#include "json.h"
#include "out-file.h"

#define CHUNK (64 * 1024)

/* ---- files ---- */

static int copy_all(int from, int to, uint64_t limit) {
        char chunk[CHUNK];
        uint64_t sum = 0;
        ssize_t n;

        while ((n = read(from, chunk, sizeof(chunk))) > 0) {
                for (ssize_t done = 0; done < n;) {
                        ssize_t written = write(to, chunk + done, (size_t)(n - done));

                        if (written < 0)
                                return -errno;
                        done += written;
                }
                sum += (uint64_t)n;
                if (sum > limit)
                        return -EFBIG;
        }
        return n < 0 ? -errno : 0;
}

/* The file, or standard input for "-", as the daemon takes it: in memory and sealed. */
static int load_file(Context *context, const char *path, int *ret) {
        bool is_stdin = STREQ(path, "-");
        _cleanup_close_ int from = is_stdin ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0)
                                            : open(path, O_RDONLY | O_CLOEXEC),
                            fd = memfd_create("import", MFD_CLOEXEC | MFD_ALLOW_SEALING);
        int r;

        if (from < 0)
                return report(&context->report, EX_NOINPUT, "%s cannot be read: %s", path,
                              strerror(errno));
        if (fd < 0)
                return -errno;
        r = copy_all(from, fd, IMPORT_BYTES_MAX);
        if (r == -EFBIG)
                return report(&context->report, EX_DATAERR,
                              "%s is larger than 4 GiB: import it in several parts", path);
        if (r < 0)
                return report(&context->report, EX_NOINPUT, "%s cannot be read: %s", path,
                              strerror(-r));
        if (fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK) < 0)
                return -errno;
        *ret = TAKE_FD(fd);
        return 0;
}

static int cannot_write(Context *context, const char *path, int r) {
        return report(&context->report, EX_CANTCREAT, "%s cannot be written: %s", path,
                      strerror(-r));
}

static int save_file(Context *context, int from, const char *path) {
        _cleanup_out_file_ OutFile file;
        int r = out_file_open(&file, path);

        if (r == 0)
                r = lseek(from, 0, SEEK_SET) < 0 ? -errno : copy_all(from, file.fd, UINT64_MAX);
        if (r == 0)
                r = out_file_finish(&file);
        return r < 0 ? cannot_write(context, path, r) : 0;
}

static const char *form_of(const Context *context, const char *path) {
        const char *format = context->options->value[OPTION_FORMAT];
        const char *dot = strrchr(path, '.');

        if (format)
                return format;
        return dot && (STREQ(dot, ".json") || STREQ(dot, ".jsonl") || STREQ(dot, ".ndjson"))
                       ? "json"
                       : "csv";
}

/* ---- import ---- */

/* What is imported from where. */
typedef struct Source {
        const char *what, *path;
        uint64_t report; /* the dealer's report that it is; 0: none */
        int fd;
} Source;

static int append_flag(sd_bus_message *m, const Context *context, OptionId id) {
        if (!context->options->value[id])
                return 0;
        return sd_bus_message_append(m, "{sv}", option_name(id), "b", 1);
}

static int append_options(const Context *context, const Source *source, sd_bus_message *m) {
        const char *encoding = context->options->value[OPTION_ENCODING];
        int r = sd_bus_message_open_container(m, 'a', "{sv}");

        if (r >= 0)
                r = sd_bus_message_append(m, "{sv}", "format", "s", form_of(context, source->path));
        if (r >= 0 && encoding)
                r = sd_bus_message_append(m, "{sv}", "encoding", "s", encoding);
        if (r >= 0)
                r = append_flag(m, context, OPTION_ATOMIC);
        if (r >= 0)
                r = append_flag(m, context, OPTION_ESCALATE);
        if (r >= 0 && context->options->value[OPTION_DRY_RUN])
                r = sd_bus_message_append(m, "{sv}", "dry_run", "b", 1);
        if (r >= 0 && source->report)
                r = sd_bus_message_append(m, "{sv}", "report", "t", source->report);
        if (r >= 0)
                r = sd_bus_message_close_container(m);
        return r < 0 ? r : 0;
}

static int start_import(Context *context, const Source *source, uint64_t *ret_job) {
        _cleanup_message_ sd_bus_message *m = NULL;
        _cleanup_json_ json_object *values = NULL;
        int r = client_new_call(&context->client, AFTERSALES_TRANSFER, "Import", &m);

        if (r == 0)
                r = client_append(m, "sh", source->what, source->fd);
        if (r == -EOPNOTSUPP)
                return report(&context->report, EX_USAGE,
                              "files cannot be handed over to another machine: copy the file there "
                              "and import it there");
        if (r == 0)
                r = append_options(context, source, m);
        if (r == 0)
                r = client_call(&context->client, m, "t", &values);
        if (r == 0)
                *ret_job = json_object_get_uint64(json_object_array_get_idx(values, 0));
        return r;
}

static int write_counts(Context *context, json_object *job) {
        static const char *const names[] = { "created", "updated", "moved", "unchanged",
                                             "refused" };
        char text[200];
        int n = snprintf(text, sizeof(text), "%" PRIu64 " rows",
                         json_object_get_uint64(json_object_object_get(job, "rows")));

        for (size_t i = 0; i < ELEMENTS(names); i++) {
                uint64_t count = json_object_get_uint64(json_object_object_get(job, names[i]));

                if (count > 0)
                        n += snprintf(text + n, sizeof(text) - (size_t)n, "%s %" PRIu64 " %s",
                                      n < 15 && !strchr(text, ':') ? ":" : ",", count, names[i]);
        }
        return output_line(&context->output, "%s", text);
}

static int save_rejects(Context *context, uint64_t job) {
        const char *path = context->options->value[OPTION_REJECTS];
        _cleanup_close_ int fd = -1;
        int r;

        if (!path)
                return 0;
        r = job_file(context, job, "Rejects", &fd);
        return r != 0 ? r : save_file(context, fd, path);
}

static int tell_import(Context *context, const Source *source, uint64_t id, json_object *job) {
        const char *name = STREQ(source->path, "-") ? "stdin" : source->path;
        uint64_t refused = json_object_get_uint64(json_object_object_get(job, "refused"));
        int r = 0, exit_code;

        if (refused > 0) {
                r = job_write_problems(context, id, name);
                if (r == 0)
                        r = save_rejects(context, id);
        }
        if (r == 0)
                r = context_is_json(context) ? context_write_json(context, NULL, job)
                                             : write_counts(context, job);
        exit_code = job_exit_code(context, job);
        return r != 0 ? r : refused > 0 ? EX_DATAERR : exit_code;
}

static int import_source(Context *context, const Source *source) {
        _cleanup_json_ json_object *job = NULL;
        uint64_t id = 0;
        int r = start_import(context, source, &id);

        if (r == 0)
                r = job_follow(context, id, &job);
        return r != 0 ? r : tell_import(context, source, id, job);
}

int verb_import(Context *context) {
        Source source = { .what = context->arguments[0], .path = context->arguments[1] };
        _cleanup_close_ int fd = -1;
        int r = load_file(context, source.path, &fd);

        source.fd = fd;
        return r != 0 ? r : import_source(context, &source);
}

/* ---- a dealer's daily report ---- */

/* The report that the words name, whether it was expected or not. */
static int find_report(Context *context, uint64_t *ret) {
        _cleanup_schema_ Schema *schema = NULL;
        _cleanup_input_ Input input = {};
        _cleanup_json_ json_object *values = NULL;
        int r = context_schema(context, &schema);

        if (r == 0)
                r = input_begin(context, schema, &input);
        if (r == 0)
                r = context_change(context, "Create", false, input.fields, "tb", &values);
        if (r == 0)
                *ret = json_object_get_uint64(json_object_array_get_idx(values, 0));
        return r;
}

int verb_submit(Context *context) {
        Source source = { .what = "ticket", .path = context->arguments[0] };
        _cleanup_close_ int fd = -1;
        int r = load_file(context, source.path, &fd);

        if (r == 0)
                r = find_report(context, &source.report);
        source.fd = fd;
        return r != 0 ? r : import_source(context, &source);
}

/* ---- export ---- */

static int append_export_options(const Context *context, sd_bus_message *m) {
        static const OptionId texts[] = { OPTION_ENCODING, OPTION_COLUMNS };
        const char *path = context->options->value[OPTION_OUTPUT];
        int r = sd_bus_message_open_container(m, 'a', "{sv}");

        if (r >= 0)
                r = sd_bus_message_append(m, "{sv}", "format", "s",
                                          form_of(context, path ? path : ""));
        for (size_t i = 0; r >= 0 && i < ELEMENTS(texts); i++)
                if (context->options->value[texts[i]])
                        r = sd_bus_message_append(m, "{sv}", option_name(texts[i]), "s",
                                                  context->options->value[texts[i]]);
        if (r >= 0)
                r = append_flag(m, context, OPTION_MARK);
        if (r >= 0)
                r = sd_bus_message_close_container(m);
        return r < 0 ? r : 0;
}

static int start_export(Context *context, json_object *filter, int fd, uint64_t *ret_job) {
        _cleanup_message_ sd_bus_message *m = NULL;
        _cleanup_json_ json_object *values = NULL;
        int r = client_new_call(&context->client, AFTERSALES_TRANSFER, "Export", &m);

        if (r == 0)
                r = client_append(m, "s", context->arguments[0]);
        if (r == 0)
                r = json_to_message(m, filter);
        if (r == 0)
                r = client_append(m, "h", fd);
        if (r == -EOPNOTSUPP)
                return report(&context->report, EX_USAGE,
                              "files cannot be handed over to another machine: export there");
        if (r == 0)
                r = append_export_options(context, m);
        if (r == 0)
                r = client_call(&context->client, m, "t", &values);
        if (r == 0)
                *ret_job = json_object_get_uint64(json_object_array_get_idx(values, 0));
        return r;
}

static int export_to(Context *context, int fd) {
        _cleanup_schema_ Schema *schema = NULL;
        _cleanup_input_ Input input = {};
        _cleanup_json_ json_object *job = NULL;
        uint64_t id = 0;
        int r = context_schema(context, &schema);

        if (r == 0)
                r = input_begin(context, schema, &input);
        if (r == 0)
                r = start_export(context, input.fields, fd, &id);
        if (r == 0)
                r = job_follow(context, id, &job);
        return r != 0 ? r : job_exit_code(context, job);
}

static int export_to_file(Context *context, const char *path) {
        _cleanup_out_file_ OutFile file;
        int r = out_file_open(&file, path);

        if (r < 0)
                return cannot_write(context, path, r);
        r = export_to(context, file.fd);
        if (r != 0)
                return r;
        r = out_file_finish(&file);
        return r < 0 ? cannot_write(context, path, r) : 0;
}

int verb_export(Context *context) {
        const char *path = context->options->value[OPTION_OUTPUT];
        const Noun *noun = noun_find(context->arguments[0]);

        if (!noun || !noun->schema)
                return report(
                        &context->report, EX_USAGE,
                        "there are no records '%s'; write ticket, report, unit, product, serial, "
                        "fault, part, supplier or move",
                        context->arguments[0]);
        context->noun = noun; /* whose fields the words are */
        return path ? export_to_file(context, path) : export_to(context, STDOUT_FILENO);
}
