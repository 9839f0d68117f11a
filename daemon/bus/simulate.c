/* SPDX-License-Identifier: Apache-2.0 */

/* What would escalate: a helper process computes it on a snapshot, and what it tells becomes the
 * answer row by row as it comes. */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "aftersales/limits.h"
#include "base/text.h"
#include "bus/areas.h"
#include "runtime/helper.h"

#define WORDS_MAX 12

typedef struct Filter {
        Record record;
        int kind;
        char *subcentre, *dealer, *recipient;
} Filter;

static const Field filter_fields[] = {
        ENUM(1, Filter, kind, FIELD_FILTER, &kind_names, .doc = "kind of case"),
        TEXT(2, Filter, subcentre, FIELD_FILTER | FIELD_CODE, CODE_MAX_BYTES,
             .doc = "sub-centre of the case"),
        TEXT(3, Filter, dealer, FIELD_FILTER | FIELD_CODE, CODE_MAX_BYTES,
             .doc = "dealer of the case"),
        TEXT(4, Filter, recipient, FIELD_FILTER | FIELD_CODE, CODE_MAX_BYTES,
             .doc = "who would hear of it"),
};
static const RecordType filter_type = {
        .name = "filter",
        .size = sizeof(Filter),
        .fields = filter_fields,
        .n_fields = ELEMENTS(filter_fields),
};

typedef enum Part { PART_ROWS, PART_TOTALS, PART_END } Part;

typedef struct Simulation {
        Bus *bus;
        uid_t uid; /* who has asked */
        sd_bus_message *m, *reply;
        Part part; /* of the answer that is being written */
        Helper *helper;
        char failure[NAME_MAX_BYTES];
        int error; /* the answer cannot be written: negative errno */
} Simulation;

static Simulation *simulation_free(Simulation *s) {
        if (!s)
                return NULL;
        helper_free(s->helper);
        sd_bus_message_unref(s->reply);
        sd_bus_message_unref(s->m);
        free(s);
        return NULL;
}

/* ---- the answer ----------------------------------------------------------------------------- */

static int append_row(Simulation *s, char *w[static WORDS_MAX]) {
        return fields_append(s->reply, &escalation_type,
                             &(Escalation){ .kind = (int)strtol(w[1], NULL, 10),
                                            .case_id = strtoull(w[2], NULL, 10),
                                            .clock = w[3],
                                            .cycle = strtoll(w[4], NULL, 10),
                                            .level = strtoll(w[5], NULL, 10),
                                            .cause = (int)strtol(w[6], NULL, 10),
                                            .role = (int)strtol(w[7], NULL, 10),
                                            .recipient = w[8],
                                            .due_at = strtoll(w[9], NULL, 10),
                                            .fired_at = strtoll(w[10], NULL, 10),
                                            .missed = strtoll(w[11], NULL, 10) },
                             true);
}

static int append_total(Simulation *s, char *w[static WORDS_MAX]) {
        return sd_bus_message_append(s->reply, "a{sv}", 4, "recipient", "s", w[1], "warning", "t",
                                     strtoull(w[2], NULL, 10), "rung", "t",
                                     strtoull(w[3], NULL, 10), "repeat", "t",
                                     strtoull(w[4], NULL, 10));
}

/* The parts come one after the other; one may be empty. */
static int go_to(Simulation *s, Part part) {
        int r = 0;

        for (; r >= 0 && s->part < part; s->part++) {
                r = rows_close(s->reply);
                if (r >= 0 && s->part + 1 < PART_END)
                        r = rows_open(s->reply);
        }
        return r;
}

static int take(Simulation *s, char *words[static WORDS_MAX]) {
        int r = 0;

        if (STREQ(words[0], "row"))
                return append_row(s, words);
        if (STREQ(words[0], "total")) {
                r = go_to(s, PART_TOTALS);
                return r < 0 ? r : append_total(s, words);
        }
        if (STREQ(words[0], "end")) {
                r = go_to(s, PART_END);
                return r < 0 ? r
                             : sd_bus_message_append(s->reply, "t", strtoull(words[1], NULL, 10));
        }
        if (STREQ(words[0], "failed"))
                snprintf(s->failure, sizeof(s->failure), "%s", words[1]);
        return 0;
}

static void on_line(void *userdata, const char *text) {
        Simulation *s = userdata;
        char line[HELPER_LINE_MAX], *words[WORDS_MAX];

        snprintf(line, sizeof(line), "%s", text);
        text_split(line, '\t', words, WORDS_MAX);
        if (s->error >= 0)
                s->error = MIN(take(s, words), 0);
}

static int judge(const Simulation *s, Refusal *refusal) {
        if (STREQ(s->failure, "changed"))
                return refuse(refusal, REFUSED_RULE,
                              "the configuration has been changed and is not the one in force: "
                              "reload it, or put it back");
        if (STREQ(s->failure, "limit"))
                return refuse(refusal, REFUSED_LIMIT,
                              "until: more than %d events until then; choose an earlier time or a "
                              "narrower filter",
                              SIMULATE_EVENTS_MAX);
        if (s->part != PART_END || s->error < 0)
                return refuse(refusal, REFUSED_TRY_AGAIN,
                              "the simulation was not finished; call again, see the log");
        return 0;
}

static void on_end(void *userdata, int status _unused_) {
        Simulation *s = userdata;
        Bus *bus = s->bus;
        Refusal refusal;

        if (judge(s, &refusal) == 0)
                bus_answer(bus, s->m, s->reply);
        else
                bus_answer_refusal(bus, s->m, &refusal);
        for (size_t i = 0; i < SIMULATIONS_MAX; i++)
                if (bus->simulations[i] == s)
                        bus->simulations[i] = NULL;
        simulation_free(s);
}

/* ---- the beginning -------------------------------------------------------------------------- */

static int put_code(FILE *input, const char *key, const char *code) {
        return !code || fprintf(input, "%s %s\n", key, code) > 0 ? 0 : -ENOMEM;
}

/* The caller's scope goes before the filter, which can only narrow it. */
static int put_scope(FILE *input, BusCall *call, const Filter *filter) {
        const Actor *actor = &call->actor;
        const char *subcentre = filter->subcentre, *dealer = filter->dealer;
        const char **own = actor->scope == SCOPE_SUBCENTRE ? &subcentre : &dealer;
        int r;

        if (actor->scope != SCOPE_HEADQUARTERS) {
                if (*own && !STREQ(*own, actor->unit))
                        return refuse(&call->refusal, REFUSED_SCOPE,
                                      "filter: %s is outside of your scope (%s)", *own,
                                      actor->unit);
                *own = actor->unit;
        }
        r = put_code(input, "subcentre", subcentre);
        if (r == 0)
                r = put_code(input, "dealer", dealer);
        return r;
}

static int write_question(BusCall *call, const Filter *filter, int64_t until, uint32_t limit,
                          char **ret) {
        size_t size;
        FILE *input = open_memstream(ret, &size);
        int r = 0;

        if (!input)
                return -ENOMEM;
        if (fprintf(input, "now %" PRId64 "\nuntil %" PRId64 "\nlimit %" PRIu32 "\n", call->now,
                    until, limit) < 0)
                r = -ENOMEM;
        if (r == 0)
                r = put_scope(input, call, filter);
        if (r == 0)
                r = put_code(input, "kind",
                             filter->kind ? enum_name(&kind_names, filter->kind) : NULL);
        if (r == 0)
                r = put_code(input, "recipient", filter->recipient);
        /* Without memory for its last step glibc says that all is well, and there is no text. */
        return fclose(input) == 0 && *ret ? r : -ENOMEM;
}

static int start_helper(Simulation *s, const char *input) {
        const BusOptions *options = &s->bus->options;

        return helper_start(
                &(HelperOptions){ .event = options->event,
                                  .program = options->program,
                                  .arguments =
                                          (const char *const[]){ "--simulate", "--config",
                                                                 options->config_path, "--state",
                                                                 options->state_directory, NULL },
                                  .input = { input, strlen(input) },
                                  .on_line = on_line,
                                  .on_end = on_end,
                                  .userdata = s },
                &s->helper);
}

static int start(BusCall *call, const char *input) {
        Simulation *s, **place = NULL;
        int r;

        for (size_t i = 0; i < SIMULATIONS_MAX; i++) {
                s = call->bus->simulations[i];
                if (s && s->uid == call->uid)
                        return refuse(&call->refusal, REFUSED_TRY_AGAIN,
                                      "a simulation of yours is running already; call again");
                if (!s)
                        place = &call->bus->simulations[i];
        }
        if (!place)
                return refuse(&call->refusal, REFUSED_TRY_AGAIN,
                              "%d simulations are running already; call again", SIMULATIONS_MAX);
        s = calloc(1, sizeof(*s));
        if (!s)
                return -ENOMEM;
        *s = (Simulation){ .bus = call->bus,
                           .uid = call->uid,
                           .m = sd_bus_message_ref(call->m),
                           .reply = sd_bus_message_ref(call->reply) };
        r = rows_open(s->reply);
        if (r >= 0)
                r = start_helper(s, input);
        if (r < 0) {
                simulation_free(s);
                return r;
        }
        *place = s;
        return BUS_ANSWERED_LATER;
}

static int read_call(BusCall *call, Filter *filter, int64_t *ret_until, uint32_t *ret_limit) {
        static const Field field = { .name = "until", .type = FIELD_TIME };
        FieldMask given = {};
        int r;

        r = sd_bus_message_read(call->m, "x", ret_until);
        if (r >= 0)
                r = field_check_number(&field, *ret_until, &call->refusal);
        if (r == 0)
                r = fields_read(call->m, &filter_type, filter, &given, NULL, NULL, &call->refusal);
        if (r == 0)
                r = MIN(sd_bus_message_read(call->m, "u", ret_limit), 0);
        if (r != 0)
                return r;
        if (*ret_limit > SIMULATE_ROWS_MAX)
                return refuse(&call->refusal, REFUSED_INVALID_VALUE,
                              "limit: there can be at most %d rows", SIMULATE_ROWS_MAX);
        if (*ret_until < call->now)
                return refuse(&call->refusal, REFUSED_INVALID_VALUE, "until: lies in the past");
        return 0;
}

int policy_simulate(BusCall *call) {
        _cleanup_free_ char *input = NULL;
        Filter filter = {};
        uint32_t limit;
        int64_t until;
        int r;

        r = read_call(call, &filter, &until, &limit);
        if (r == 0)
                r = write_question(call, &filter, until, limit, &input);
        if (r == 0)
                r = start(call, input);
        record_done(&filter_type, &filter);
        return r;
}

void simulations_done(Bus *bus) {
        for (size_t i = 0; i < SIMULATIONS_MAX; i++)
                bus->simulations[i] = simulation_free(bus->simulations[i]);
}
