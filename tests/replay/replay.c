/* SPDX-License-Identifier: Apache-2.0 */

/* Plays an event script (script.py describes it) on a daemon with a manual clock, as fast as one
 * connection goes, and writes down what came of it:
 *
 *         replay SCRIPT [RESULT]
 *
 * The bus is the system bus or $DBUS_SYSTEM_BUS_ADDRESS. Each line of RESULT is a kind, a blank and
 * a JSON object: the "refused" calls with their line of the script, then every "ticket", "core",
 * balance of "stock" and "escalation" as the daemon lists them; without it only the figures are
 * told. A refused call is a result; whatever else goes wrong ends the replay with exit status 1. */

#include <errno.h>
#include <inttypes.h>
#include <search.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-bus.h>
#include <time.h>

#include "aftersales/bus.h"
#include "aftersales/errors.h"
#include "aftersales/limits.h"
#include "base/macro.h"

#define INTERFACE_PREFIX "org.aftersales1."
#define CREATE           "Create"
#define CALL_TIMEOUT     (300 * USEC_PER_SEC)
#define PROGRESS_EVENTS  20000
#define NAME_SIZE        64
#define EXAMPLE_SIZE     200

DEFINE_CLEANUP(sd_bus_message *, sd_bus_message_unref);
DEFINE_CLEANUP(FILE *, fclose);

/* What a reference names. */
typedef struct Named {
        uint64_t id; /* 0: not known yet */
        bool refused;
        char interface[NAME_SIZE]; /* by which it is created */
        char reference[];
} Named;

typedef struct RefusalCount {
        uint64_t n;
        char name[NAME_SIZE];
        char example[EXAMPLE_SIZE];
} RefusalCount;

typedef struct Replay Replay;

/* A call that has no answer yet. */
typedef struct Pending {
        Replay *replay;
        Named *creates; /* or NULL */
        uint64_t line;
        struct Pending *next; /* of those that are free */
} Pending;

struct Replay {
        sd_bus *bus;
        FILE *result;
        void *named; /* tree of Named */
        Pending pending[CALLS_IN_FLIGHT], *free;
        unsigned in_flight;
        RefusalCount refusals[_REFUSED_MAX];
        uint64_t line, events, calls, n_refused, n_skipped;
        int64_t now;
        struct timespec began;
        int failure; /* of an answer */
};

/* Says what is wrong with the line that is played. */
static _printf_(3, 4) int fail(const Replay *replay, int error, const char *format, ...) {
        va_list arguments;

        fprintf(stderr, "replay: line %" PRIu64 ": ", replay->line);
        va_start(arguments, format);
        vfprintf(stderr, format, arguments);
        va_end(arguments);
        fputc('\n', stderr);
        return -error;
}

static int compare_named(const void *a, const void *b) {
        return strcmp(((const Named *)a)->reference, ((const Named *)b)->reference);
}

/* From the first time that the reference is met. */
static Named *named_get(Replay *replay, const char *reference) {
        size_t size = strlen(reference) + 1;
        Named *named = calloc(1, sizeof(*named) + size), **found;

        if (!named)
                return NULL;
        memcpy(named->reference, reference, size);
        found = tsearch(named, &replay->named, compare_named);
        if (!found || *found != named)
                free(named);
        return found ? *found : NULL;
}

/* ---- messages as JSON ---- */

static void write_string(FILE *file, const char *text) {
        putc('"', file);
        for (; *text; text++)
                if (*text == '"' || *text == '\\')
                        fprintf(file, "\\%c", *text);
                else if ((unsigned char)*text < ' ')
                        fprintf(file, "\\u%04x", (unsigned)*text);
                else
                        putc(*text, file);
        putc('"', file);
}

static int write_row(FILE *file, sd_bus_message *m);

/* An aa{sv} as an array. */
static int write_rows(FILE *file, sd_bus_message *m) {
        const char *separator = "";
        int r = sd_bus_message_enter_container(m, 'a', "a{sv}");

        putc('[', file);
        while (r >= 0 && (r = sd_bus_message_at_end(m, false)) == 0) {
                fputs(separator, file);
                separator = ",";
                r = write_row(file, m);
        }
        putc(']', file);
        return r < 0 ? r : sd_bus_message_exit_container(m);
}

static int write_value(FILE *file, sd_bus_message *m, char type) {
        union {
                const char *s;
                int64_t x;
                uint64_t t;
                int b;
        } value;
        int r;

        if (type == SD_BUS_TYPE_ARRAY)
                return write_rows(file, m);
        r = sd_bus_message_read_basic(m, type, &value);
        if (r < 0)
                return r;
        switch (type) {
        case SD_BUS_TYPE_STRING:
                write_string(file, value.s);
                return 0;
        case SD_BUS_TYPE_BOOLEAN:
                fputs(value.b ? "true" : "false", file);
                return 0;
        case SD_BUS_TYPE_INT64:
                fprintf(file, "%" PRId64, value.x);
                return 0;
        case SD_BUS_TYPE_UINT64:
                fprintf(file, "%" PRIu64, value.t);
                return 0;
        default:
                return -EBADMSG;
        }
}

static int write_entry(FILE *file, sd_bus_message *m) {
        const char *key, *contents;
        int r;

        r = sd_bus_message_read_basic(m, SD_BUS_TYPE_STRING, &key);
        if (r >= 0)
                r = sd_bus_message_peek_type(m, NULL, &contents);
        if (r >= 0)
                r = sd_bus_message_enter_container(m, SD_BUS_TYPE_VARIANT, contents);
        if (r < 0)
                return r;
        write_string(file, key);
        putc(':', file);
        r = write_value(file, m, *contents);
        return r < 0 ? r : sd_bus_message_exit_container(m);
}

/* An a{sv} as an object. */
static int write_row(FILE *file, sd_bus_message *m) {
        const char *separator = "";
        int r = sd_bus_message_enter_container(m, SD_BUS_TYPE_ARRAY, "{sv}");

        putc('{', file);
        while (r >= 0 &&
               (r = sd_bus_message_enter_container(m, SD_BUS_TYPE_DICT_ENTRY, "sv")) > 0) {
                fputs(separator, file);
                separator = ",";
                r = write_entry(file, m);
                if (r >= 0)
                        r = sd_bus_message_exit_container(m);
        }
        putc('}', file);
        return r < 0 ? r : sd_bus_message_exit_container(m);
}

/* ---- answers ---- */

static void note_refusal(Replay *replay, uint64_t line, const char *name, const char *text) {
        RefusalCount *count = replay->refusals;

        if (replay->result) {
                fprintf(replay->result, "refused {\"line\":%" PRIu64 ",\"error\":", line);
                write_string(replay->result, name);
                fputs(",\"text\":", replay->result);
                write_string(replay->result, text);
                fputs("}\n", replay->result);
        }
        while (count->n > 0 && !STREQ(count->name, name))
                count++; /* there is room for every name */
        if (count->n++ == 0) {
                snprintf(count->name, sizeof(count->name), "%s", name);
                snprintf(count->example, sizeof(count->example), "%s", text);
        }
        replay->n_refused++;
}

/* The name of a refusal without its prefix, or NULL: something else is wrong. */
static const char *refusal_name(const char *error) {
        static const char *const names[] = {
#define X(code, name, exit_code, meaning) AFTERSALES_ERROR_PREFIX name,
                AFTERSALES_ERRORS(X)
#undef X
        };

        for (size_t i = 0; i < ELEMENTS(names); i++)
                if (STREQ(names[i], error))
                        return error + strlen(AFTERSALES_ERROR_PREFIX);
        return NULL;
}

static int take_error(Pending *pending, const sd_bus_error *error) {
        const char *name = refusal_name(error->name);

        if (!name) {
                fprintf(stderr, "replay: line %" PRIu64 ": %s: %s\n", pending->line, error->name,
                        error->message);
                return -EIO;
        }
        note_refusal(pending->replay, pending->line, name, error->message);
        if (pending->creates && !pending->creates->id)
                pending->creates->refused = true;
        return 0;
}

/* The answer to a creation: the same reference has the same id for ever. */
static int take_id(Pending *pending, sd_bus_message *m) {
        Named *named = pending->creates;
        uint64_t id;
        int created, r;

        r = sd_bus_message_read(m, "tb", &id, &created);
        if (r < 0)
                return r;
        if (named->id && named->id != id) {
                fprintf(stderr,
                        "replay: line %" PRIu64 ": %s has two ids, %" PRIu64 " and %" PRIu64 "\n",
                        pending->line, named->reference, named->id, id);
                return -EIO;
        }
        named->id = id;
        return 0;
}

static int on_answer(sd_bus_message *m, void *userdata, _unused_ sd_bus_error *ret_error) {
        Pending *pending = userdata;
        Replay *replay = pending->replay;
        int r = 0;

        if (sd_bus_message_is_method_error(m, NULL))
                r = take_error(pending, sd_bus_message_get_error(m));
        else if (pending->creates)
                r = take_id(pending, m);
        if (r < 0 && replay->failure == 0)
                replay->failure = r;
        pending->next = replay->free;
        replay->free = pending;
        replay->in_flight--;
        return 0;
}

/* Takes an answer in, or waits for one. */
static int pump(Replay *replay) {
        int r = sd_bus_process(replay->bus, NULL);

        if (r == 0)
                r = sd_bus_wait(replay->bus, UINT64_MAX);
        return r < 0 ? r : replay->failure;
}

static int await_all(Replay *replay) {
        int r = 0;

        while (r >= 0 && replay->in_flight > 0)
                r = pump(replay);
        return r;
}

/* With its id, which the answer to its creation may still have to bring; 0: that was refused. */
static int await_id(Replay *replay, const char *reference, const Named **ret) {
        Named *named = named_get(replay, reference);
        int r = named ? 0 : -ENOMEM;

        while (r >= 0 && !named->id && !named->refused) {
                if (replay->in_flight == 0)
                        return fail(replay, EINVAL, "%s was never created", reference);
                r = pump(replay);
        }
        *ret = named;
        return r;
}

/* ---- calls ---- */

static int call_new(Replay *replay, const char *interface, const char *method,
                    sd_bus_message **ret) {
        char name[NAME_SIZE];

        snprintf(name, sizeof(name), INTERFACE_PREFIX "%s", interface);
        return sd_bus_message_new_method_call(replay->bus, ret, AFTERSALES_BUS_NAME,
                                              AFTERSALES_PATH, name, method);
}

/* Sends it behind those in flight. */
static int call_send(Replay *replay, sd_bus_message *m, Named *creates) {
        Pending *pending;
        int r = 0;

        while (r >= 0 && !replay->free)
                r = pump(replay);
        if (r < 0)
                return r;
        pending = replay->free;
        pending->creates = creates;
        pending->line = replay->line;
        r = sd_bus_call_async(replay->bus, NULL, m, on_answer, pending, CALL_TIMEOUT);
        if (r < 0)
                return r;
        replay->free = pending->next;
        replay->in_flight++;
        replay->calls++;
        return 0;
}

/* Lets time pass. Nobody needs the answer: what is sent behind it is handled behind it, and in the
 * end check_clock() asks. */
static int advance(Replay *replay, int64_t until) {
        _cleanup_(cleanup_sd_bus_message_unref) sd_bus_message *m = NULL;
        int r;

        if (until == replay->now)
                return 0;
        r = call_new(replay, "Clock", "Advance", &m);
        if (r >= 0)
                r = sd_bus_message_append(m, "x", until);
        if (r >= 0)
                r = sd_bus_message_set_expect_reply(m, false);
        if (r >= 0)
                r = sd_bus_send(replay->bus, m, NULL);
        if (r < 0)
                return r;
        replay->now = until;
        replay->calls++;
        return 0;
}

/* TYPE:NAME=VALUE */
static int append_field(Replay *replay, sd_bus_message *m, char *field) {
        char *name = field + 2, *value = strchr(field, '=');
        const Named *named;
        int r;

        if (field[0] == '\0' || field[1] != ':' || !value)
                return fail(replay, EINVAL, "'%s' is no field", field);
        *value++ = '\0';
        switch (field[0]) {
        case 's':
                return sd_bus_message_append(m, "{sv}", name, "s", value);
        case 'x':
                return sd_bus_message_append(m, "{sv}", name, "x",
                                             (int64_t)strtoll(value, NULL, 10));
        case 'b':
                return sd_bus_message_append(m, "{sv}", name, "b", STREQ(value, "true"));
        case 'r':
                r = await_id(replay, value, &named);
                return r < 0 ? r : sd_bus_message_append(m, "{sv}", name, "t", named->id);
        default:
                return fail(replay, EINVAL, "there is no type '%c'", field[0]);
        }
}

static int append_fields(Replay *replay, sd_bus_message *m, char *fields) {
        char *field;
        int r = sd_bus_message_open_container(m, SD_BUS_TYPE_ARRAY, "{sv}");

        while (r >= 0 && (field = strsep(&fields, "\t")))
                r = append_field(replay, m, field);
        return r < 0 ? r : sd_bus_message_close_container(m);
}

/* The first case that an interface lists for a ticket; 0: there is none. */
static int find_case(Replay *replay, const char *interface, uint64_t ticket, uint64_t *ret) {
        _cleanup_(cleanup_sd_bus_message_unref) sd_bus_message *m = NULL, *answer = NULL;
        int r;

        *ret = 0;
        r = call_new(replay, interface, "List", &m);
        if (r >= 0)
                r = sd_bus_message_append(m, "a{sv}su", 2, "ticket", "t", ticket, "ended", "b",
                                          true, "", 1);
        if (r >= 0)
                r = sd_bus_call(replay->bus, m, CALL_TIMEOUT, NULL, &answer);
        if (r >= 0)
                r = sd_bus_message_enter_container(answer, SD_BUS_TYPE_ARRAY, "a{sv}");
        if (r > 0)
                r = sd_bus_message_enter_container(answer, SD_BUS_TYPE_ARRAY, "{sv}");
        if (r <= 0)
                return r;
        while ((r = sd_bus_message_enter_container(answer, SD_BUS_TYPE_DICT_ENTRY, "sv")) > 0) {
                const char *name;

                r = sd_bus_message_read(answer, "s", &name);
                if (r >= 0 && STREQ(name, "id"))
                        return MIN(sd_bus_message_read(answer, "v", "t", ret), 0);
                if (r >= 0)
                        r = sd_bus_message_skip(answer, "v");
                if (r >= 0)
                        r = sd_bus_message_exit_container(answer);
                if (r < 0)
                        break;
        }
        return r < 0 ? r : -EBADMSG;
}

/* A call about what there is already, or about a case of another kind which names that; what was
 * refused cannot have any. */
static int play_case(Replay *replay, sd_bus_message *m, const char *interface,
                     const char *reference, char *fields) {
        const Named *named;
        uint64_t id = 0;
        int r = await_id(replay, reference, &named);

        if (r >= 0)
                id = named->id;
        if (id != 0 && !STREQ(interface, named->interface))
                r = find_case(replay, interface, id, &id);
        if (r < 0)
                return r;
        if (id == 0) {
                replay->n_skipped++;
                return 0;
        }
        r = sd_bus_message_append(m, "t", id);
        if (r >= 0)
                r = append_fields(replay, m, fields);
        return r < 0 ? r : call_send(replay, m, NULL);
}

static int play_call(Replay *replay, const char *reference, char *name, char *fields) {
        _cleanup_(cleanup_sd_bus_message_unref) sd_bus_message *m = NULL;
        const char *interface = strsep(&name, "."), *method = name;
        Named *creates = NULL;
        int r;

        if (!method)
                return fail(replay, EINVAL, "'%s' names no method", interface);
        r = call_new(replay, interface, method, &m);
        if (r < 0)
                return r;
        if (!STREQ(reference, "-")) {
                if (!STREQ(method, CREATE))
                        return play_case(replay, m, interface, reference, fields);
                creates = named_get(replay, reference);
                if (!creates)
                        return -ENOMEM;
                snprintf(creates->interface, sizeof(creates->interface), "%s", interface);
        }
        r = append_fields(replay, m, fields);
        return r < 0 ? r : call_send(replay, m, creates);
}

static int play_line(Replay *replay, char *line) {
        char *at = strsep(&line, "\t"), *reference = strsep(&line, "\t");
        char *name = strsep(&line, "\t");
        int r;

        if (!name)
                return fail(replay, EINVAL, "has fewer than three columns");
        r = advance(replay, strtoll(at, NULL, 10));
        if (r < 0 || STREQ(name, "-"))
                return r;
        replay->events++;
        return play_call(replay, reference, name, line);
}

/* ---- all of it ---- */

static double elapsed(const Replay *replay) {
        struct timespec now;

        clock_gettime(CLOCK_MONOTONIC, &now);
        return (double)(now.tv_sec - replay->began.tv_sec) +
               (double)(now.tv_nsec - replay->began.tv_nsec) / 1e9;
}

static void print_progress(const Replay *replay) {
        time_t now = (time_t)(replay->now / USEC_PER_SEC);
        double seconds = elapsed(replay);
        struct tm tm;
        char day[16];

        strftime(day, sizeof(day), "%F", gmtime_r(&now, &tm));
        printf("%s  %7" PRIu64 " events %8" PRIu64 " calls %6.1f s %7.0f calls/s\n", day,
               replay->events, replay->calls, seconds, (double)replay->calls / seconds);
        fflush(stdout);
}

static void print_totals(const Replay *replay) {
        print_progress(replay);
        printf("%" PRIu64 " calls were refused, %" PRIu64
               " left out: what they are about is not there\n",
               replay->n_refused, replay->n_skipped);
        for (const RefusalCount *count = replay->refusals; count->n > 0; count++)
                printf("  %-14s %5" PRIu64 "  e.g. \"%s\"\n", count->name, count->n,
                       count->example);
        fflush(stdout);
}

/* Whether all the time has passed. */
static int check_clock(Replay *replay) {
        _cleanup_(cleanup_sd_bus_message_unref) sd_bus_message *m = NULL, *answer = NULL;
        int64_t now;
        int r;

        r = call_new(replay, "Clock", "Get", &m);
        if (r >= 0)
                r = sd_bus_call(replay->bus, m, CALL_TIMEOUT, NULL, &answer);
        if (r >= 0)
                r = sd_bus_message_read(answer, "x", &now);
        if (r >= 0 && now != replay->now)
                return fail(replay, EIO, "the daemon's clock shows %" PRId64 ", not %" PRId64, now,
                            replay->now);
        return r;
}

static int play(Replay *replay, FILE *script) {
        _cleanup_free_ char *line = NULL;
        size_t size = 0;
        int r = 0;

        clock_gettime(CLOCK_MONOTONIC, &replay->began);
        while (r >= 0 && getline(&line, &size, script) >= 0) {
                line[strcspn(line, "\n")] = '\0';
                replay->line++;
                r = play_line(replay, line);
                if (r >= 0 && replay->events % PROGRESS_EVENTS == 0)
                        print_progress(replay);
        }
        if (r >= 0)
                r = await_all(replay);
        if (r >= 0)
                r = check_clock(replay);
        if (r >= 0 && ferror(script))
                r = -EIO;
        if (r >= 0)
                print_totals(replay);
        return r;
}

/* One page of a list into the result; the cursor of the next one, "" after the last. */
static int write_page(Replay *replay, const char *interface, const char *kind, bool ended,
                      char **cursor) {
        _cleanup_(cleanup_sd_bus_message_unref) sd_bus_message *m = NULL, *answer = NULL;
        sd_bus_error error = SD_BUS_ERROR_NULL;
        const char *next;
        int r;

        r = call_new(replay, interface, "List", &m);
        if (r >= 0)
                r = ended ? sd_bus_message_append(m, "a{sv}su", 1, "ended", "b", true, *cursor,
                                                  PAGE_ROWS_MAX)
                          : sd_bus_message_append(m, "a{sv}su", 0, *cursor, PAGE_ROWS_MAX);
        if (r >= 0)
                r = sd_bus_call(replay->bus, m, CALL_TIMEOUT, &error, &answer);
        if (r < 0 && error.message)
                fprintf(stderr, "replay: %s.List: %s\n", interface, error.message);
        sd_bus_error_free(&error);
        if (r >= 0)
                r = sd_bus_message_enter_container(answer, SD_BUS_TYPE_ARRAY, "a{sv}");
        while (r >= 0 && (r = sd_bus_message_at_end(answer, false)) == 0) {
                fprintf(replay->result, "%s ", kind);
                r = write_row(replay->result, answer);
                putc('\n', replay->result);
        }
        if (r >= 0)
                r = sd_bus_message_exit_container(answer);
        if (r >= 0)
                r = sd_bus_message_read(answer, "s", &next);
        if (r < 0)
                return r;
        free(*cursor);
        *cursor = strdup(next);
        return *cursor ? 0 : -ENOMEM;
}

static int write_list(Replay *replay, const char *interface, const char *kind, bool ended) {
        _cleanup_free_ char *cursor = strdup("");
        int r = cursor ? 0 : -ENOMEM;

        do {
                if (r >= 0)
                        r = write_page(replay, interface, kind, ended, &cursor);
        } while (r >= 0 && *cursor);
        return r;
}

static int write_result(Replay *replay) {
        int r = write_list(replay, "Tickets", "ticket", true);

        if (r >= 0)
                r = write_list(replay, "Cores", "core", true);
        if (r >= 0)
                r = write_list(replay, "Stock", "stock", false);
        if (r >= 0)
                r = write_list(replay, "Escalations", "escalation", false);
        return r;
}

/* result_path: or NULL. */
static int run(Replay *replay, const char *script_path, const char *result_path) {
        _cleanup_(cleanup_fclose) FILE *script = fopen(script_path, "re");
        int r;

        if (!script || (result_path && !(replay->result = fopen(result_path, "we"))))
                return -errno;
        r = sd_bus_open_system(&replay->bus);
        if (r >= 0)
                r = play(replay, script);
        if (r >= 0 && replay->result)
                r = write_result(replay);
        if (replay->result && fclose(replay->result) != 0 && r >= 0)
                r = -errno;
        return r;
}

int main(int argc, char **argv) {
        Replay replay = {};
        int r;

        if (argc < 2 || argc > 3) {
                fprintf(stderr, "usage: replay SCRIPT [RESULT]\n");
                return EXIT_FAILURE;
        }
        for (size_t i = 0; i < ELEMENTS(replay.pending); i++) {
                replay.pending[i] = (Pending){ .replay = &replay, .next = replay.free };
                replay.free = &replay.pending[i];
        }
        r = run(&replay, argv[1], argv[2]);
        sd_bus_close_unref(replay.bus);
        tdestroy(replay.named, free);
        if (r < 0)
                fprintf(stderr, "replay: %s\n", strerror(-r));
        return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
