/* SPDX-License-Identifier: Apache-2.0 */

#include "fields.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sysexits.h>

#include "aftersales/bus.h"
#include "aftersales/kinds.h"
#include "aftersales/limits.h"
#include "json.h"
#include "times.h"

static const char *const type_name[_FIELD_SCHEMA_MAX] = {
        [FIELD_ID] = "id",       [FIELD_TIME] = "time",   [FIELD_DATE] = "date",
        [FIELD_MONEY] = "money", [FIELD_COUNT] = "count", [FIELD_ENUM] = "enum",
        [FIELD_TEXT] = "text",   [FIELD_FLAG] = "flag",   [FIELD_LIST] = "list",
};

/* What calls take besides the fields of the record: any change, any list. */
static const Field other_fields[] = {
        FIELD(AFTERSALES_OPTION_REQUEST_ID, TEXT),
        FIELD(AFTERSALES_OPTION_REVISION, COUNT),
        FIELD(AFTERSALES_OPTION_NOTE, TEXT),
        FIELD(AFTERSALES_OPTION_BY, TEXT),
        FIELD(AFTERSALES_OPTION_AT, TIME),
        FIELD("ended", FLAG),
        FIELD("acknowledged", FLAG),
};

/* ---- schema ---- */

static FieldType type_of(const char *name) {
        for (int type = FIELD_ID; type < _FIELD_SCHEMA_MAX; type++)
                if (STREQ(type_name[type], name))
                        return type;
        return FIELD_ANY; /* of a newer daemon */
}

static bool flag(json_object *row, const char *key) {
        return json_object_get_boolean(json_object_object_get(row, key));
}

static int read_field(json_object *row, Field *ret) {
        json_object *name = json_object_object_get(row, "name");
        json_object *type = json_object_object_get(row, "type");

        if (!json_object_is_type(name, json_type_string) ||
            !json_object_is_type(type, json_type_string))
                return -EBADMSG;
        *ret = (Field){
                .name = json_object_get_string(name),
                .type = type_of(json_object_get_string(type)),
                .settable = flag(row, "settable"),
                .updatable = flag(row, "updatable"),
                .filter = flag(row, "filter"),
                .personal = flag(row, "personal"),
                .limit = json_object_get_int64(json_object_object_get(row, "limit")),
        };
        /* A number of its own kind on the bus, but nothing with a letter. */
        if (STREQ(ret->name, AFTERSALES_OPTION_REVISION))
                ret->type = FIELD_COUNT;
        return 0;
}

int schema_new(json_object *rows, char letter, Schema **ret) {
        Schema *schema = calloc(1, sizeof(Schema));
        int r = 0;

        if (!schema) {
                json_object_put(rows);
                return -ENOMEM;
        }
        schema->rows = rows;
        schema->letter = letter;
        if (!json_object_is_type(rows, json_type_array))
                r = -EBADMSG;
        else {
                schema->n_fields = json_object_array_length(rows);
                schema->fields = calloc(schema->n_fields + 1, sizeof(Field));
                if (!schema->fields)
                        r = -ENOMEM;
        }
        for (size_t i = 0; r == 0 && i < schema->n_fields; i++)
                r = read_field(json_object_array_get_idx(rows, i), &schema->fields[i]);
        if (r < 0) {
                schema_free(schema);
                return r;
        }
        *ret = schema;
        return 0;
}

Schema *schema_free(Schema *schema) {
        if (!schema)
                return NULL;
        json_object_put(schema->rows);
        free(schema->fields);
        free(schema);
        return NULL;
}

const Field *schema_find(const Schema *schema, const char *name) {
        for (size_t i = 0; i < schema->n_fields; i++)
                if (STREQ(schema->fields[i].name, name))
                        return &schema->fields[i];
        return NULL;
}

/* ---- numbers ---- */

/* A case number is the site (none: 0) above these bits and a number that the site counts. */
#define SITE_SHIFT 48
#define SITE_MAX   UINT16_MAX

/* Digits only, at most max. */
static int parse_digits(const char *text, size_t n, uint64_t max, uint64_t *ret) {
        uint64_t value = 0;

        if (n == 0)
                return -EINVAL;
        for (size_t i = 0; i < n; i++) {
                uint64_t digit = (uint64_t)(text[i] - '0');

                if (!isdigit((unsigned char)text[i]) || value > (max - digit) / 10)
                        return -EINVAL;
                value = 10 * value + digit;
        }
        *ret = value;
        return 0;
}

int number_parse(const char *text, uint64_t max, uint64_t *ret) {
        return parse_digits(text, strlen(text), max, ret);
}

int id_parse(const char *text, char letter, uint64_t *ret) {
        uint64_t site = 0, number;
        size_t n;
        int r;

        if (isdigit((unsigned char)*text))
                return number_parse(text, UINT64_MAX, ret);
        if (!letter || toupper((unsigned char)*text) != letter)
                return -EINVAL;
        text++;
        n = strcspn(text, ".");
        if (text[n]) {
                r = parse_digits(text, n, SITE_MAX, &site);
                if (r < 0)
                        return r;
                text += n + 1;
        }
        r = number_parse(text, (UINT64_C(1) << SITE_SHIFT) - 1, &number);
        if (r < 0)
                return r;
        *ret = site << SITE_SHIFT | number;
        return 0;
}

char kind_letter(const char *kind) {
#define X(symbol, number, name, letter)                                                            \
        if (STREQ(kind, name))                                                                     \
                return letter;
        AFTERSALES_KINDS(X)
#undef X
        return '\0';
}

char *id_show(uint64_t id, char letter, char buffer[static ID_SIZE]) {
        uint64_t site = id >> SITE_SHIFT;
        uint64_t number = id & ((UINT64_C(1) << SITE_SHIFT) - 1);

        if (site > 0)
                snprintf(buffer, ID_SIZE, "%c%" PRIu64 ".%" PRIu64, letter, site, number);
        else
                snprintf(buffer, ID_SIZE, "%c%" PRIu64, letter, number);
        return buffer;
}

/* "12", "12.5", "12.50" in the currency; on the bus in its hundredths. */
static int parse_money(const char *text, int64_t *ret) {
        size_t n = strcspn(text, ".");
        uint64_t whole, cents = 0;
        int r = parse_digits(text, n, INT64_MAX / 100 - 1, &whole);

        if (r == 0 && text[n]) {
                size_t digits = strlen(text + n + 1);

                r = digits > 2 ? -EINVAL : number_parse(text + n + 1, 99, &cents);
                if (digits == 1)
                        cents *= 10;
        }
        if (r == 0)
                *ret = (int64_t)(whole * 100 + cents);
        return r;
}

static int parse_flag(const char *text, bool *ret) {
        bool yes = STREQ(text, "true") || STREQ(text, "yes");

        if (!yes && !STREQ(text, "false") && !STREQ(text, "no"))
                return -EINVAL;
        *ret = yes;
        return 0;
}

/* ---- values ---- */

/* The case that an escalation is about can be of any kind. */
static char id_letter(const Input *input, const Field *field, const char *text) {
        int letter = toupper((unsigned char)*text);

        if (!STREQ(field->name, "case_id"))
                return input->schema->letter;
#define X(symbol, number, name, letter_)                                                           \
        if (letter == (letter_))                                                                   \
                return (letter_);
        AFTERSALES_KINDS(X)
#undef X
        return '\0';
}

/* A time with a date needs no clock to be understood. */
static int64_t now_for(const Input *input, const char *text) {
        return strcspn(text, "-") == strlen("2026") ? 0 : input->now(input->userdata);
}

/* What would be right. */
static const char *field_forms(const Field *field) {
        switch (field->type) {
        case FIELD_ID:
                return "write a number such as T17, T3.17 (of site 3) or 17";
        case FIELD_TIME:
                return TIME_FORMS;
        case FIELD_DATE:
                return DATE_FORMS;
        case FIELD_MONEY:
                return "write an amount such as 12 or 12.50";
        case FIELD_COUNT:
                return "write a whole number such as 3";
        case FIELD_FLAG:
                return "write true or false, yes or no";
        case FIELD_ANY:
        case FIELD_ENUM:
        case FIELD_TEXT:
                return "write a text";
        case FIELD_LIST:
                if (field->limit == 0)
                        return "this field cannot be given";
                return "write items as name=value, divided by semicolons, such as \"part=P-1 "
                       "quantity=2; part=P-7\"";
        default:
                return "this field cannot be given";
        }
}

static int parse_value(const Input *input, const Field *field, const char *text,
                       json_object **ret) {
        char date[DATE_SIZE];
        uint64_t number;
        int64_t value;
        bool yes;
        int r;

        switch (field->type) {
        case FIELD_ANY:
        case FIELD_ENUM:
        case FIELD_TEXT:
                *ret = json_object_new_string(text);
                return 0;
        case FIELD_LIST: /* for the daemon to read */
                *ret = field->limit > 0 ? json_object_new_string(text) : NULL;
                return *ret ? 0 : -EINVAL;
        case FIELD_ID:
                r = id_parse(text, id_letter(input, field, text), &number);
                *ret = r == 0 ? json_object_new_uint64(number) : NULL;
                return r;
        case FIELD_COUNT:
                r = number_parse(text, INT64_MAX, &number);
                *ret = r == 0 ? json_object_new_uint64(number) : NULL;
                return r;
        case FIELD_TIME:
                r = time_parse(text, now_for(input, text), &value);
                *ret = r == 0 ? json_object_new_int64(value) : NULL;
                return r;
        case FIELD_MONEY:
                r = parse_money(text, &value);
                *ret = r == 0 ? json_object_new_int64(value) : NULL;
                return r;
        case FIELD_DATE:
                r = date_parse(text, now_for(input, text), date);
                *ret = r == 0 ? json_object_new_string(date) : NULL;
                return r;
        case FIELD_FLAG:
                r = parse_flag(text, &yes);
                *ret = r == 0 ? json_object_new_boolean(yes) : NULL;
                return r;
        default:
                return -EINVAL;
        }
}

static const Field *find_field(const Input *input, const char *name) {
        const Field *field = schema_find(input->schema, name);

        for (size_t i = 0; !field && i < ELEMENTS(other_fields); i++)
                if (STREQ(other_fields[i].name, name))
                        field = &other_fields[i];
        return field;
}

static int report_field(const Input *input, const char *name) {
        Nearest nearest = { .text = name };
        char hint[NEAREST_HINT_SIZE];

        for (size_t i = 0; i < input->schema->n_fields; i++)
                nearest_offer(&nearest, input->schema->fields[i].name);
        return report(input->report, EX_DATAERR, "there is no field '%s'%s", name,
                      nearest_hint(&nearest, "", hint));
}

static int put_value(Input *input, const Field *field, json_object *value) {
        if (json_object_object_get_ex(input->fields, field->name, NULL)) {
                json_object_put(value);
                return report(input->report, EX_DATAERR, "%s is given twice", field->name);
        }
        return json_put(input->fields, field->name, value);
}

static int add_text(Input *input, const Field *field, const char *text) {
        json_object *value = NULL;
        int r;

        if (!text_is_utf8(text))
                return report(input->report, EX_DATAERR, "%s is not valid UTF-8", field->name);
        r = parse_value(input, field, text, &value);
        if (r == -ENOENT)
                return report(input->report, EX_DATAERR,
                              "%s: there is no '%s' here, the clocks skip that time", field->name,
                              text);
        if (r == -EINVAL && field->personal)
                return report(input->report, EX_DATAERR, "%s: %s", field->name, field_forms(field));
        if (r == -EINVAL)
                return report(input->report, EX_DATAERR, "%s: '%s' is not possible; %s",
                              field->name, text, field_forms(field));
        return put_value(input, field, value);
}

int input_add(Input *input, const char *name, const char *text) {
        const Field *field = find_field(input, name);

        return field ? add_text(input, field, text) : report_field(input, name);
}

int input_add_word(Input *input, const char *word) {
        _cleanup_free_ char *name = NULL;
        const char *value = strchr(word, '=');
        const Field *field;

        if (!value)
                return report(input->report, EX_USAGE, "'%s' is no field; write FIELD=VALUE", word);
        name = strndup(word, (size_t)(value - word));
        if (!name)
                return -ENOMEM;
        field = find_field(input, name);
        if (!field)
                return report_field(input, name);
        if (field->personal)
                return report(input->report, EX_USAGE,
                              "%s is personal data, and every user of this machine can read the "
                              "arguments of a command; give it on standard input, as in "
                              "{\"%s\": \"...\"} with --stdin, or be asked for it with --ask",
                              name, name);
        return add_text(input, field, value + 1);
}

/* ---- standard input ---- */

static bool is_number(const Field *field) {
        return field->type == FIELD_ID || field->type == FIELD_TIME || field->type == FIELD_MONEY ||
               field->type == FIELD_COUNT;
}

static int add_json_value(Input *input, const char *name, json_object *value) {
        json_type type = json_object_get_type(value);
        const Field *field = find_field(input, name);

        if (!field)
                return report_field(input, name);
        if (type == json_type_string) {
                const char *text = json_object_get_string(value);

                if (strlen(text) != (size_t)json_object_get_string_len(value))
                        return report(input->report, EX_DATAERR, "%s has a zero byte in it", name);
                return add_text(input, field, text);
        }
        if ((type == json_type_int && is_number(field)) ||
            (type == json_type_boolean && field->type == FIELD_FLAG))
                return put_value(input, field, json_object_get(value));
        return report(input->report, EX_DATAERR, "%s: its JSON type %s is not possible; %s", name,
                      json_type_to_name(type), field_forms(field));
}

/* Reads at most INPUT_BYTES_MAX. */
static int read_all(Input *input, FILE *from, char **ret, size_t *ret_size) {
        _cleanup_free_ char *text = malloc(INPUT_BYTES_MAX + 1);
        size_t n;

        if (!text)
                return -ENOMEM;
        n = fread(text, 1, INPUT_BYTES_MAX + 1, from);
        if (ferror(from))
                return -EIO;
        if (n > INPUT_BYTES_MAX)
                return report(input->report, EX_DATAERR, "standard input has more than %d bytes",
                              INPUT_BYTES_MAX);
        *ret = TAKE_PTR(text);
        *ret_size = n;
        return 0;
}

static int parse_object(Input *input, const char *text, size_t size, json_object **ret) {
        json_tokener *tokener = json_tokener_new();
        _cleanup_json_ json_object *object = NULL;
        enum json_tokener_error error;
        size_t end;

        if (!tokener)
                return -ENOMEM;
        json_tokener_set_flags(tokener, JSON_TOKENER_STRICT | JSON_TOKENER_ALLOW_TRAILING_CHARS |
                                                JSON_TOKENER_VALIDATE_UTF8);
        object = json_tokener_parse_ex(tokener, text, (int)size);
        error = json_tokener_get_error(tokener);
        end = json_tokener_get_parse_end(tokener);
        json_tokener_free(tokener);
        if (error == json_tokener_success)
                while (end < size && isspace((unsigned char)text[end]))
                        end++;
        if (error == json_tokener_success && end < size)
                return report(input->report, EX_DATAERR,
                              "standard input goes on after its JSON object, at byte %zu", end);
        if (error == json_tokener_continue)
                return report(input->report, EX_DATAERR,
                              "standard input ends before its JSON object does");
        if (error != json_tokener_success)
                return report(input->report, EX_DATAERR, "standard input, at byte %zu: %s", end,
                              json_tokener_error_desc(error));
        if (!json_object_is_type(object, json_type_object))
                return report(input->report, EX_DATAERR,
                              "standard input must be a JSON object such as {\"phone\": \"...\"}");
        *ret = TAKE_PTR(object);
        return 0;
}

int input_add_json(Input *input, FILE *from) {
        _cleanup_json_ json_object *object = NULL;
        _cleanup_free_ char *text = NULL;
        size_t size = 0;
        int r = read_all(input, from, &text, &size);

        if (r == 0)
                r = parse_object(input, text, size, &object);
        if (r != 0)
                return r;
        json_object_object_foreach(object, name, value) {
                r = add_json_value(input, name, value);
                if (r != 0)
                        return r;
        }
        return 0;
}

int input_ask(Input *input, const Field *field, FILE *from, FILE *to) {
        _cleanup_free_ char *line = NULL;
        size_t size = 0;
        ssize_t n;

        fprintf(to, "%s: ", field->name);
        fflush(to);
        n = getline(&line, &size, from);
        if (n < 0)
                return ferror(from) ? -EIO
                                    : report(input->report, EX_NOINPUT,
                                             "no answer for %s, so nothing was done", field->name);
        if (line[n - 1] == '\n')
                line[n - 1] = '\0';
        return *line ? input_add(input, field->name, line) : 0;
}
