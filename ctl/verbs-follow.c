/* SPDX-License-Identifier: Apache-2.0 */

/* What goes on until it is stopped: monitor, and lists that are watched. */

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sysexits.h>
#include <unistd.h>

#include "aftersales/bus.h"
#include "aftersales/kinds.h"
#include "aftersales/limits.h"
#include "follow.h"
#include "json.h"
#include "times.h"
#include "verbs.h"

/* After so long without a signal it is looked all the same: signals are hints. */
#define LOOK_ANYWAY (10 * USEC_PER_SEC)

static const char *text_at(json_object *row, const char *key) {
        json_object *value = json_object_object_get(row, key);

        return value ? json_object_get_string(value) : "";
}

static uint64_t number_at(json_object *row, const char *key) {
        return json_object_get_uint64(json_object_object_get(row, key));
}

/* ---- monitor ---- */

#define THING_SIZE (2 * NAME_MAX_BYTES)

/* "T17", "E5", "unit BJ-1" */
static void thing_of(json_object *row, char ret[static THING_SIZE]) {
        const char *what = text_at(row, "what");
        char letter = STREQ(what, "escalation") ? LETTER_ESCALATION : kind_letter(what);
        char number[ID_SIZE];

        if (json_object_object_get_ex(row, "id", NULL))
                snprintf(ret, THING_SIZE, "%s", id_show(number_at(row, "id"), letter, number));
        else
                snprintf(ret, THING_SIZE, "%s %s", what, text_at(row, "code"));
}

/* What has become of it. */
static void outcome_of(json_object *row, char ret[static THING_SIZE]) {
        char number[ID_SIZE];

        if (json_object_get_boolean(json_object_object_get(row, "removed")))
                snprintf(ret, THING_SIZE, "removed");
        else if (json_object_get_boolean(json_object_object_get(row, "left")))
                snprintf(ret, THING_SIZE, "has left your scope");
        else if (json_object_object_get_ex(row, "case_id", NULL) && number_at(row, "revision") == 1)
                snprintf(ret, THING_SIZE, "%s %" PRIu64 " for %s, to %s", text_at(row, "cause"),
                         number_at(row, "level"),
                         id_show(number_at(row, "case_id"), kind_letter(text_at(row, "kind")),
                                 number),
                         text_at(row, "recipient"));
        else if (json_object_object_get_ex(row, "case_id", NULL))
                snprintf(ret, THING_SIZE, "acknowledged");
        else
                snprintf(ret, THING_SIZE, "%s", text_at(row, "state"));
}

/* "2026-11-23 18:05:00  #412  T17  Tickets.Dispatch  BJ-1  uid:1000  dispatched" */
static int write_change(Context *context, json_object *row) {
        char time[TIME_SIZE], thing[THING_SIZE], outcome[THING_SIZE], sequence[ID_SIZE];
        const char *dealer = text_at(row, "dealer");

        thing_of(row, thing);
        outcome_of(row, outcome);
        snprintf(sequence, sizeof(sequence), "#%" PRIu64, number_at(row, "sequence"));
        return output_line(&context->output, "%s  %-7s %-12s %-22s %-8s %-10s %s",
                           time_show((int64_t)number_at(row, "time"), false, time), sequence, thing,
                           text_at(row, "verb"), *dealer ? dealer : text_at(row, "subcentre"),
                           text_at(row, "actor"), outcome);
}

/* A line each; after those of a page up to where everything was told, so that a program that was
 * interrupted knows from where to go on. */
static int write_json(Context *context, json_object *rows, uint64_t next) {
        for (size_t i = 0; i < json_object_array_length(rows); i++) {
                int r = json_print(context->output.to, json_object_array_get_idx(rows, i), false,
                                   "");

                if (r < 0)
                        return r;
                fputc('\n', context->output.to);
        }
        fprintf(context->output.to, "{\"next\":%" PRIu64 "}\n", next);
        return 0;
}

static int write_page(Context *context, json_object *rows, uint64_t next) {
        int r = 0;

        if (context_is_json(context))
                return write_json(context, rows, next);
        for (size_t i = 0; r == 0 && i < json_object_array_length(rows); i++)
                r = write_change(context, json_object_array_get_idx(rows, i));
        return r;
}

static int ask_page(Context *context, uint64_t since, uint32_t limit, json_object **ret,
                    uint64_t *ret_next) {
        _cleanup_message_ sd_bus_message *m = NULL;
        _cleanup_json_ json_object *values = NULL;
        int r = client_new_call(&context->client, AFTERSALES_MANAGER, "Changes", &m);

        if (r == 0)
                r = client_append(m, "tu", since, limit);
        if (r == 0)
                r = client_call(&context->client, m, "aa{sv}t", &values);
        if (r != 0)
                return r == -ENOTCONN ? -EAGAIN : r;
        *ret = json_object_get(json_object_array_get_idx(values, 0));
        *ret_next = json_object_get_uint64(json_object_array_get_idx(values, 1));
        return 0;
}

/* All there is after *since, which moves on. */
static int tell_all(Context *context, Follower *follower, uint64_t *since) {
        while (!follower->ended) {
                _cleanup_json_ json_object *rows = NULL;
                uint64_t next;
                int r = ask_page(context, *since, PAGE_ROWS_MAX, &rows, &next);

                if (r == 0 && json_object_array_length(rows) > 0)
                        r = write_page(context, rows, next);
                if (r != 0)
                        return r;
                follower_flush(follower, context->output.to);
                if (ferror(context->output.to))
                        follower->ended = true; /* main() says so */
                if (next == *since)
                        break;
                *since = next;
                follower_wait(follower, 0);
        }
        return 0;
}

/* Where to begin: as told, or with what comes from now on. */
static int begin_at(Context *context, uint64_t *ret) {
        const char *text = context->options->value[OPTION_SINCE];
        _cleanup_json_ json_object *rows = NULL;
        int r;

        if (text)
                return number_parse(text, UINT64_MAX, ret) == 0
                               ? 0
                               : report(&context->report, EX_USAGE,
                                        "--since: '%s' is no number of a change", text);
        r = ask_page(context, 0, 0, &rows, ret);
        if (r == 0 && context_is_json(context))
                r = write_json(context, rows, *ret);
        return r;
}

static int monitor(Context *context, Follower *follower) {
        uint64_t since = 0;
        int r;

        while ((r = begin_at(context, &since)) == -EAGAIN && !follower->ended) {
                r = follower_return(follower);
                if (r != 0)
                        return r;
        }
        while (r == 0 && !follower->ended) {
                r = tell_all(context, follower, &since);
                if (r == 0)
                        r = follower_wait(follower, LOOK_ANYWAY);
                if (r == -EAGAIN)
                        r = follower_return(follower);
        }
        if (r == 0 && !context_is_json(context))
                report(&context->report, 0,
                       "told up to change %" PRIu64 "; go on with --since=%" PRIu64, since, since);
        return r;
}

int verb_monitor(Context *context) {
        Follower follower;
        int r = follower_open(&follower, context);

        if (r == 0)
                r = monitor(context, &follower);
        follower_done(&follower);
        return r;
}

/* ---- watched lists ---- */

#define CLEAR "\033[H\033[2J\033[3J"

typedef struct Watch {
        Context *context;
        Follower follower;
        const Columns *columns;
        json_object *filter;
        uint64_t limit;
        uint64_t pause; /* between two looks */
        char *shown;    /* the rows last drawn, as text */
} Watch;

/* A terminal shows what fits on it, unless told. */
static uint64_t fitting_rows(const Context *context, uint64_t limit) {
        struct winsize size = {};

        if (context->options->value[OPTION_LIMIT] || context_is_json(context) ||
            ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) < 0 || size.ws_row < 5)
                return limit;
        return size.ws_row - 4U; /* title, headings, the line with the cursor */
}

static int draw(Watch *watch, json_object *rows) {
        Output *output = &watch->context->output;
        char now[TIME_SIZE];
        int r;

        output->n_pages = output->n_rows = 0;
        memset(output->widths, 0, sizeof(output->widths));
        if (output->format == OUTPUT_PEOPLE) {
                fputs(isatty(STDOUT_FILENO) ? CLEAR : watch->shown ? "\n" : "", output->to);
                r = output_line(output, "%s, %zu %s",
                                time_show(client_now(&watch->context->client), false, now),
                                json_object_array_length(rows), "shown");
                if (r != 0)
                        return r;
        }
        r = output_rows(output, watch->columns, rows);
        if (r == 0)
                r = output_end(output);
        follower_flush(&watch->follower, output->to);
        if (ferror(output->to))
                watch->follower.ended = true;
        return r;
}

/* Draws the list if it is another than before. */
static int look(Watch *watch) {
        _cleanup_json_ json_object *rows = NULL;
        const char *text;
        int r = list_rows(watch->context, watch->filter, fitting_rows(watch->context, watch->limit),
                          &rows);

        if (r != 0)
                return r == -ENOTCONN ? -EAGAIN : r;
        text = json_object_to_json_string_ext(rows, JSON_C_TO_STRING_PLAIN);
        if (!text)
                return -ENOMEM;
        if (watch->shown && STREQ(watch->shown, text))
                return 0;
        r = draw(watch, rows);
        if (r == 0) {
                free(watch->shown);
                watch->shown = strdup(text);
        }
        return r == 0 && !watch->shown ? -ENOMEM : r;
}

static int watch_pause(const Context *context, uint64_t *ret) {
        const char *text = context->options->value[OPTION_WATCH];
        uint64_t seconds = 1;

        if (*text && (number_parse(text, 86400, &seconds) < 0 || seconds == 0))
                return report(&context->report, EX_USAGE,
                              "--watch: '%s' is no number of seconds, at least 1", text);
        *ret = seconds * USEC_PER_SEC;
        return 0;
}

int watch_list(Context *context, const Columns *columns, json_object *filter, uint64_t limit) {
        Watch watch = { .context = context, .columns = columns, .filter = filter, .limit = limit };
        int r = watch_pause(context, &watch.pause);

        if (r != 0)
                return r;
        r = follower_open(&watch.follower, context);
        while (r == 0 && !watch.follower.ended) {
                r = look(&watch);
                if (r == 0)
                        follower_pause(&watch.follower, watch.pause);
                if (r == 0)
                        r = follower_wait(&watch.follower, LOOK_ANYWAY);
                if (r == -EAGAIN)
                        r = follower_return(&watch.follower);
        }
        follower_done(&watch.follower);
        free(watch.shown);
        return r;
}
