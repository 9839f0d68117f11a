/* SPDX-License-Identifier: Apache-2.0 */

/* Another policy for a service that runs. A helper process reads the configuration first and looks,
 * on a snapshot of its own, what it would do to the open cases; only what has passed there comes
 * into force, whole. */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "aftersales/limits.h"
#include "base/log.h"
#include "base/text.h"
#include "bus/areas.h"
#include "loop/preview.h"
#include "runtime/helper.h"
#include "runtime/notify.h"

#define BY_SIZE       (NAME_MAX_BYTES * 2)
#define SAID_SIZE     (REFUSAL_TEXT_MAX - 200) /* of what is wrong; the rest is only counted */
#define WORDS_MAX     8
#define BY_THE_SIGNAL "daemon"

typedef struct MovedRow {
        char kind[NAME_MAX_BYTES], clock[NAME_MAX_BYTES];
        uint64_t case_id;
        int64_t before, after;
} MovedRow;

typedef struct Look {
        Bus *bus;
        sd_bus_message *m; /* NULL: the signal to reload */
        bool dry;          /* only looks */
        char by[BY_SIZE];
        Helper *helper;
        char digest[POLICY_DIGEST_SIZE]; /* of what it has read */
        char said[SAID_SIZE];            /* what is wrong, a line each */
        size_t n_said, n_wrong;
        uint64_t cases, moved, against;
        bool done; /* it has come to its end */
        MovedRow *rows;
        size_t n_rows, rows_max;
        id_t *ids; /* of the rules of access, ACCESS_RULES_MAX of them */
        size_t n_ids;
} Look;

static Look *look_free(Look *look) {
        if (!look)
                return NULL;
        helper_free(look->helper);
        sd_bus_message_unref(look->m);
        free(look->rows);
        free(look->ids);
        free(look);
        return NULL;
}

/* ---- what the helper says ------------------------------------------------------------------- */

static void take_wrong(Look *look, const char *text) {
        size_t used = strlen(look->said);

        look->n_wrong++;
        if (used + strlen(text) + 2 > sizeof(look->said))
                return;
        snprintf(look->said + used, sizeof(look->said) - used, "\n%s", text);
        look->n_said++;
}

static void take_moved(Look *look, char *words[static WORDS_MAX]) {
        MovedRow *row = &look->rows[look->n_rows];

        if (look->n_rows == look->rows_max)
                return;
        look->n_rows++;
        snprintf(row->kind, sizeof(row->kind), "%s", words[1]);
        row->case_id = strtoull(words[2], NULL, 10);
        snprintf(row->clock, sizeof(row->clock), "%s", words[3]);
        row->before = strtoll(words[4], NULL, 10);
        row->after = strtoll(words[5], NULL, 10);
}

static void on_line(void *userdata, const char *text) {
        Look *look = userdata;
        char line[HELPER_LINE_MAX], *words[WORDS_MAX];

        snprintf(line, sizeof(line), "%s", text);
        text_split(line, '\t', words, WORDS_MAX);
        if (STREQ(words[0], "wrong"))
                take_wrong(look, words[1]);
        else if (STREQ(words[0], "more"))
                look->n_wrong += strtoull(words[1], NULL, 10);
        else if (STREQ(words[0], "digest"))
                snprintf(look->digest, sizeof(look->digest), "%s", words[1]);
        else if (STREQ(words[0], "identity") && look->n_ids < ACCESS_RULES_MAX)
                look->ids[look->n_ids++] = (id_t)strtoul(words[1], NULL, 10);
        else if (STREQ(words[0], "moved"))
                take_moved(look, words);
        else if (STREQ(words[0], "end")) {
                look->cases = strtoull(words[1], NULL, 10);
                look->moved = strtoull(words[2], NULL, 10);
                look->against = strtoull(words[3], NULL, 10);
                look->done = true;
        }
}

/* ---- the end -------------------------------------------------------------------------------- */

/* 0, or why the configuration cannot come into force. */
static int judge(const Look *look, int status, Refusal *refusal) {
        char more[64] = "";

        if (look->n_wrong > look->n_said)
                snprintf(more, sizeof(more), "\nand %zu more", look->n_wrong - look->n_said);
        if (look->against > 0)
                return refuse(refusal, REFUSED_POLICY,
                              "the configuration contradicts %" PRIu64
                              " open cases; the one in force stays:%s%s",
                              look->against, look->said, more);
        if (look->n_wrong > 0)
                return refuse(refusal, REFUSED_POLICY,
                              "the configuration is rejected; the one in force stays:%s%s",
                              look->said, more);
        if (!look->done)
                return refuse(refusal, REFUSED_TRY_AGAIN,
                              "the look at the open cases was not finished (%s %d); nothing was "
                              "changed, see the log",
                              status < 0 ? "signal" : "status", status < 0 ? -status : status);
        return 0;
}

static int append_rows(const Look *look, sd_bus_message *reply) {
        int r = rows_open(reply);

        for (size_t i = 0; r >= 0 && i < look->n_rows; i++) {
                MovedRow *row = &look->rows[i];

                r = fields_append(reply, &moved_type,
                                  &(MovedDeadline){ .kind = row->kind,
                                                    .case_id = row->case_id,
                                                    .clock = row->clock,
                                                    .before = row->before,
                                                    .after = row->after },
                                  true);
        }
        return r < 0 ? r : rows_close(reply);
}

static int append_reloaded(const Look *look, sd_bus_message *reply) {
        int r = sd_bus_message_open_container(reply, 'a', "{sv}");

        if (r >= 0)
                r = entry_append_number(reply, "policy", 'x',
                                        engine_version(look->bus->options.engine)->number);
        if (r >= 0)
                r = entry_append_text(reply, "digest", look->digest);
        if (r >= 0)
                r = entry_append_number(reply, "cases", 't', (int64_t)look->cases);
        if (r >= 0)
                r = entry_append_number(reply, "moved", 't', (int64_t)look->moved);
        return r < 0 ? r : sd_bus_message_close_container(reply);
}

static void answer(const Look *look, int r, const Refusal *refusal) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;

        if (!look->m)
                return;
        if (r > 0) {
                bus_answer_refusal(look->bus, look->m, refusal);
                return;
        }
        r = sd_bus_message_new_method_return(look->m, &reply);
        if (r >= 0 && look->dry)
                r = sd_bus_message_append(reply, "tt", look->cases, look->moved);
        if (r >= 0)
                r = look->dry ? append_rows(look, reply) : append_reloaded(look, reply);
        if (r >= 0 || look->dry)
                bus_answer_made(look->bus, look->m, r, reply);
        else /* it is in force, and a refusal would be a lie */
                bus_cannot_answer(look->bus, r);
}

/* Its text has a line for each thing that is wrong. */
static void say_refusal(const Look *look, const Refusal *refusal) {
        char text[REFUSAL_TEXT_MAX], *rest = text, *line;

        memcpy(text, refusal->text, sizeof(text));
        while ((line = strsep(&rest, "\n")))
                log_error("%s: reload refused: %s", look->by, line);
}

static void say(const Look *look, int r, const Refusal *refusal) {
        if (r > 0)
                say_refusal(look, refusal);
        else
                log_notice("%s: policy %" PRId64 " (%.8s) is in force; it moves deadlines of "
                           "%" PRIu64 " of %" PRIu64 " open cases looked at",
                           look->by, engine_version(look->bus->options.engine)->number,
                           look->digest, look->moved, look->cases);
}

static void on_end(void *userdata, int status) {
        Look *look = userdata;
        Bus *bus = look->bus;
        bool again = bus->reload_again;
        Refusal refusal;
        int r = judge(look, status, &refusal);

        if (!look->dry) {
                if (r == 0)
                        r = bus->options.reload(bus->options.reload_userdata,
                                                &(NewPolicy){ .digest = look->digest,
                                                              .by = look->by,
                                                              .ids = look->ids,
                                                              .n_ids = look->n_ids },
                                                &refusal);
                say(look, r, &refusal);
                status_line_ready(bus->status); /* or refused: the service goes on */
        }
        answer(look, r, &refusal);
        bus->reload_again = false;
        bus->look = look_free(look);
        if (again)
                bus_reload(bus);
}

/* ---- the beginning -------------------------------------------------------------------------- */

/* What the helper must know: the instant, how many rows are wanted, and what only a restart could
 * change. */
static int start_helper(Look *look) {
        const BusOptions *options = &look->bus->options;
        const Policy *policy = engine_policy(options->engine);
        _cleanup_free_ char *input = NULL;

        if (asprintf(&input,
                     "now %" PRId64 "\nlimit %zu\nsite %" PRId64 "\nmap_size %" PRId64
                     "\ndirectory %s\n",
                     wall_clock_now(options->clock), look->rows_max, policy->site, policy->map_size,
                     policy->state_directory) < 0)
                return -ENOMEM;
        return helper_start(
                &(HelperOptions){ .event = options->event,
                                  .program = options->program,
                                  .arguments =
                                          (const char *const[]){ "--preview-policy", "--config",
                                                                 options->config_path, "--state",
                                                                 options->state_directory, NULL },
                                  .input = { input, strlen(input) },
                                  .on_line = on_line,
                                  .on_end = on_end,
                                  .userdata = look },
                &look->helper);
}

static int start_look(Bus *bus, sd_bus_message *m, const char *by, bool dry, size_t rows_max) {
        Look *look = calloc(1, sizeof(*look));
        int r;

        if (!look)
                return -ENOMEM;
        *look = (Look){ .bus = bus,
                        .m = sd_bus_message_ref(m),
                        .dry = dry,
                        .rows = calloc(rows_max + 1, sizeof(MovedRow)),
                        .ids = calloc(ACCESS_RULES_MAX, sizeof(id_t)),
                        .rows_max = rows_max };
        snprintf(look->by, sizeof(look->by), "%s", by);
        r = look->rows && look->ids ? start_helper(look) : -ENOMEM;
        if (r < 0) {
                look_free(look);
                return r;
        }
        bus->look = look;
        if (!dry)
                status_line_reloading(bus->status);
        return 0;
}

static int start_look_for(BusCall *call, bool dry, size_t rows_max) {
        int r;

        if (call->bus->look)
                return refuse(&call->refusal, REFUSED_TRY_AGAIN,
                              "the configuration is being looked at already; call again");
        r = start_look(call->bus, call->m, call->actor_name, dry, rows_max);
        return r < 0 ? r : BUS_ANSWERED_LATER;
}

void bus_reload(Bus *bus) {
        int r;

        if (bus->look) {
                bus->reload_again = true;
                return;
        }
        r = start_look(bus, NULL, BY_THE_SIGNAL, false, 0);
        if (r < 0)
                log_error("the configuration cannot be reloaded: %s", strerror(-r));
}

void policy_done(Bus *bus) {
        bus->look = look_free(bus->look);
}

/* ---- methods -------------------------------------------------------------------------------- */

static int policy_reload(BusCall *call) {
        return start_look_for(call, false, 0);
}

static int policy_preview(BusCall *call) {
        uint32_t limit;
        int r = sd_bus_message_read(call->m, "u", &limit);

        if (r < 0)
                return r;
        if (limit > PAGE_ROWS_MAX)
                return refuse(&call->refusal, REFUSED_INVALID_VALUE,
                              "limit: there can be at most %d rows", PAGE_ROWS_MAX);
        return start_look_for(call, true, limit);
}

static int policy_list(BusCall *call) {
        Key position = {};
        int r = rows_open(call->reply), n = 0, next = 0;

        while (r >= 0 && n++ < PAGE_ROWS_MAX) {
                PolicyVersion version;

                next = version_next(call->bus->options.store, &position, &version);
                if (next < 0)
                        break;
                r = fields_append(call->reply, &version_type, &version, true);
                version_done(&version);
        }
        if (r < 0 || (next < 0 && next != -ENOENT))
                return MIN(r, next);
        return rows_close(call->reply);
}

/* As it was when it came into force, whatever the files say now. */
static int policy_show(BusCall *call) {
        const Policy *policy = engine_policy(call->bus->options.engine);
        int origin, r = sd_bus_message_read(call->m, "b", &origin);

        if (r >= 0)
                r = sd_bus_message_append(call->reply, "s", policy->shown[origin != 0]);
        return MIN(r, 0);
}

static const BusMethod policy_methods[] = {
        { "Reload", "", "", "a{sv}", "reloaded", PERMISSION_ADMIN_RELOAD, policy_reload,
          "Reads the configuration again and brings it into force, whole or not at all: one that cannot be used, or "
          "that contradicts open cases, is refused with what is wrong and where. Answers policy (its number), digest, "
          "cases (open ones looked at; none when time is counted as before) and moved (those with another deadline, "
          "which are computed anew in the background)." },
        { "Preview", "u", "limit", "ttaa{sv}", "cases moved rows", PERMISSION_ADMIN_RELOAD,
          policy_preview,
          "What Reload would do, and nothing is changed: how many open cases there are, how many of them would get "
          "another deadline, and of these the first rows: kind, case_id, clock, before, after. Refused as Reload "
          "would be." },
        { "Show", "b", "origin", "s", "yaml", PERMISSION_STATUS_READ, policy_show,
          "What the policy in force says, as YAML with every key and its value, defaults included; with origin each "
          "value is followed by the file and line where it stood when the policy came into force, or by 'default'." },
        { "List", "", "", "aa{sv}", "policies", PERMISSION_STATUS_READ, policy_list,
          "The policies that have been in force, the newest first: number, digest, timing (digest of what it says "
          "about time), since, by, timing_version and timing_since (the policy since which time has been counted "
          "like this), recomputed_at (when every open case had been computed by it)." },
        { "Simulate", "xa{sv}u", "until filter limit", "aa{sv}aa{sv}t", "rows totals events",
          PERMISSION_ESCALATION_READ, policy_simulate,
          "What would escalate to whom until then if nobody did anything, by the policy in force; nothing is changed. "
          "The filter may name kind, subcentre, dealer, recipient. The first rows in the order of time, as "
          "escalations are told (without id); totals by recipient: recipient, warning, rung, repeat; the number of "
          "all events." },
        {},
};

const BusInterface policy_interface = {
        .name = AFTERSALES_POLICY,
        .methods = policy_methods,
        .doc = "The policy, which the configuration says: what is in force, what another one would do.",
};
