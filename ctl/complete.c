/* SPDX-License-Identifier: Apache-2.0 */

#include "complete.h"

#include <string.h>

#include "aftersales/bus.h"
#include "aftersales/kinds.h"
#include "commands.h"
#include "json.h"
#include "verbs.h"

#define LINE_MAX_BYTES 4096
#define WORDS_MAX      64
#define TIMEOUT        (300 * 1000) /* microseconds that the daemon may take to answer */
#define OFFERED_MAX    50           /* codes and numbers */

typedef struct Completion {
        FILE *f;
        char line[LINE_MAX_BYTES];
        const char *words[WORDS_MAX]; /* without options, without the last one */
        size_t n_words;
        const char *last;
        const Noun *noun;
        const Command *command;
        Report report;
        Client client;
} Completion;

static bool begins(const char *text, const char *start) {
        return strncmp(text, start, strlen(start)) == 0;
}

/* prefix and text together are one word. */
static void offer(const Completion *c, const char *prefix, const char *text, const char *suffix) {
        size_t n = strlen(prefix);

        if (begins(c->last, prefix) ? begins(text, c->last + n) : false)
                fprintf(c->f, "%s%s%s\n", prefix, text, suffix);
}

/* ---- from the tables ---- */

static void offer_option(void *userdata, const char *name, bool argument) {
        offer(userdata, "--", name, argument ? "=" : "");
}

static void offer_noun(void *userdata, const Noun *noun) {
        offer(userdata, "", noun->name, "");
}

static void offer_verb(void *userdata, const Noun *noun, const char *verb) {
        const Completion *c = userdata;

        if (noun == c->noun)
                offer(c, "", verb, "");
}

/* Escalations are nobody's to bring in, or to take away. */
static void offer_record_noun(void *userdata, const Noun *noun) {
        if (noun->schema && noun->columns && noun->letter != LETTER_ESCALATION)
                offer(userdata, "", noun->name, "");
}

/* ---- from the daemon ---- */

static bool ask(Completion *c) {
        if (!c->client.bus && client_open(&c->client, &c->report, NULL) != 0)
                return false;
        c->client.timeout = TIMEOUT;
        c->client.quick = true;
        return true;
}

static const char *text_at(json_object *row, const char *key) {
        const char *text = json_object_get_string(json_object_object_get(row, key));

        return text ? text : "";
}

static bool flag_at(json_object *row, const char *key) {
        return json_object_get_boolean(json_object_object_get(row, key));
}

static json_object *rows_of(Completion *c, const char *method, const char *name) {
        json_object *rows = NULL;

        if (!name || !ask(c) ||
            client_get(&c->client, AFTERSALES_MANAGER, method, "aa{sv}", &rows, "s", name) != 0)
                return NULL;
        return rows;
}

static bool list_has(json_object *list, const char *text) {
        for (size_t i = 0; i < json_object_array_length(list); i++)
                if (STREQ(json_object_get_string(json_object_array_get_idx(list, i)), text))
                        return true;
        return false;
}

/* The verb as transitions are called: "follow_up" for follow-up. */
static bool same_verb(const char *a, const char *b) {
        for (; *a && (*a == *b || (*a == '-' && *b == '_')); a++)
                b++;
        return !*a && !*b;
}

/* Whether the command takes the field. */
static bool is_taken(const Completion *c, json_object *transitions, json_object *field) {
        const char *verb = c->command->verb ? c->command->verb : "";

        if (STREQ(verb, "list") || STREQ(c->noun->name, "export"))
                return flag_at(field, "filter");
        if (STREQ(verb, "new") || STREQ(verb, "submit"))
                return flag_at(field, "settable") && !flag_at(field, "personal");
        for (size_t i = 0; transitions && i < json_object_array_length(transitions); i++) {
                json_object *row = json_object_array_get_idx(transitions, i);

                if (same_verb(verb, text_at(row, "name")))
                        return list_has(json_object_object_get(row, "takes"),
                                        text_at(field, "name")) &&
                               !flag_at(field, "personal");
        }
        return STREQ(verb, "update") && flag_at(field, "updatable") && !flag_at(field, "personal");
}

static void offer_values(const Completion *c, json_object *field) {
        json_object *values = json_object_object_get(field, "values");
        char prefix[NAME_MAX_BYTES + 2];

        snprintf(prefix, sizeof(prefix), "%s=", text_at(field, "name"));
        if (!begins(c->last, prefix))
                return;
        if (STREQ(text_at(field, "type"), "flag")) {
                offer(c, prefix, "true", "");
                offer(c, prefix, "false", "");
        }
        for (size_t i = 0; values && i < json_object_array_length(values); i++)
                offer(c, prefix, json_object_get_string(json_object_array_get_idx(values, i)), "");
}

static void offer_fields(Completion *c, const Noun *noun) {
        _cleanup_json_ json_object *fields = rows_of(c, "Schema", noun->schema);
        _cleanup_json_ json_object *transitions = NULL;

        if (!fields)
                return;
        if (noun->letter)
                transitions = rows_of(c, "Transitions", noun->schema);
        for (size_t i = 0; i < json_object_array_length(fields); i++) {
                json_object *field = json_object_array_get_idx(fields, i);

                if (!is_taken(c, transitions, field))
                        continue;
                if (strchr(c->last, '='))
                        offer_values(c, field);
                else
                        offer(c, "", text_at(field, "name"), "=");
        }
}

/* The first records of its list: codes, or numbers of the most urgent cases. */
static void offer_records(Completion *c) {
        _cleanup_message_ sd_bus_message *m = NULL;
        _cleanup_json_ json_object *values = NULL;
        json_object *rows;

        if (!c->noun->schema || !ask(c) ||
            client_new_call(&c->client, c->noun->interface, "List", &m) != 0 ||
            client_append(m, "a{sv}su", 0, "", OFFERED_MAX) != 0 ||
            client_call(&c->client, m, "aa{sv}s", &values) != 0)
                return;
        rows = json_object_array_get_idx(values, 0);
        for (size_t i = 0; i < json_object_array_length(rows); i++) {
                json_object *row = json_object_array_get_idx(rows, i);
                char number[ID_SIZE];

                offer(c, "",
                      c->noun->letter
                              ? id_show(json_object_get_uint64(json_object_object_get(row, "id")),
                                        c->noun->letter, number)
                              : text_at(row, "code"),
                      "");
        }
}

/* ---- the line ---- */

static void split(Completion *c, const char *line) {
        char *rest = c->line, *word;

        snprintf(c->line, sizeof(c->line), "%s", line);
        c->last = "";
        strsep(&rest, " "); /* the program */
        while ((word = strsep(&rest, " "))) {
                if (!rest)
                        c->last = word;
                else if (*word && *word != '-' && c->n_words < WORDS_MAX)
                        c->words[c->n_words++] = word;
        }
}

static void offer_arguments(Completion *c, size_t first) {
        size_t n = c->n_words - first;

        if (STREQ(c->noun->name, "import") || STREQ(c->noun->name, "export")) {
                if (n == 0)
                        nouns_each(offer_record_noun, c);
                else if (STREQ(c->noun->name, "export") && noun_find(c->words[first]))
                        offer_fields(c, noun_find(c->words[first]));
                return;
        }
        if (n < c->command->min && c->command->groups & FOR_FILES)
                return; /* files are the shell's to offer */
        if (n < c->command->min && !strchr(c->last, '='))
                offer_records(c);
        else if (c->command->groups & FOR_FIELDS)
                offer_fields(c, c->noun);
}

/* A noun that is a command by itself, without anything behind it, may have verbs too. */
static bool takes_verb(const Command *command) {
        return !command || (command->max == 0 && !(command->groups & FOR_FIELDS));
}

void complete_write(FILE *f, const char *line) {
        Completion c = { .f = f, .report.to = stderr }; /* which the shell throws away */
        size_t used = 1;

        split(&c, line);
        c.noun = c.n_words > 0 ? noun_find(c.words[0]) : NULL;
        if (c.noun && c.n_words > 1)
                c.command = command_find(c.noun, c.words[1]);
        if (c.command)
                used = 2;
        else if (c.noun)
                c.command = command_find(c.noun, NULL);
        if (*c.last == '-')
                options_each(c.command ? c.command->groups | FOR_ALL : FOR_ALL, offer_option, &c);
        else if (c.n_words == 0)
                nouns_each(offer_noun, &c);
        else if (c.noun && c.n_words == 1 && takes_verb(c.command))
                verbs_each(offer_verb, &c);
        else if (c.noun && c.command)
                offer_arguments(&c, used);
        client_done(&c.client);
}
