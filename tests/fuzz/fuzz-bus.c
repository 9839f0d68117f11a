/* SPDX-License-Identifier: Apache-2.0 */

/* Any bytes as a program of calls, each from one of several callers: methods of the service with
 * arguments such as they take, and now and then with others. Every call gets one answer, of the
 * kind that is documented, and afterwards the store is sound. */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "aftersales/bus.h"
#include "aftersales/errors.h"
#include "bus/internal.h"
#include "bus/vtable.h"
#include "bytes.h"
#include "fuzz.h"
#include "inside.c"

#define PROGRAM_CALLS_MAX 48
#define PATIENCE          (5 * USEC_PER_SEC) /* for a helper process, too */
#define CURSORS           4
#define IDS               8

typedef struct Program {
        Inside inside;
        Bytes bytes;
        unsigned waiting;  /* calls without an answer */
        uint64_t ids[IDS]; /* that answers have told */
        size_t n_ids;
        char cursors[CURSORS][512]; /* likewise */
        size_t n_cursors;
} Program;

/* A call that waits for its answer. */
typedef struct Pending {
        Program *program;
        const BusMethod *method; /* NULL: something else */
        bool helped;             /* by a process that does not do what it is for */
        char what[128];
} Pending;

/* ---- values ---- */

static const char *const texts[] = {
        "HQ",         "BIZ",        "BJ",         "SH",
        "BJ1",        "BJ2",        "SH1",        "M1",
        "S1",         "F1",         "X9",         "1101",
        "31",         "110101",     "000-1",      "2026-11-23",
        "1970-01-01", "2024-02-29", "2026-11-24", "ticket",
        "report",     "unit",       "product",    "serial",
        "fault",      "escalation", "csv",        "json",
        "service",    "office",     "",           "\xe5\x8c\x97\xe4\xba\xac",
        "a\nb",       "\xff",       "T1",         "r-1",
};

static const char *take_word(Program *p, char *buffer, size_t size) {
        uint8_t choice = take_byte(&p->bytes);

        if (choice < ELEMENTS(texts) * 4)
                return texts[choice % ELEMENTS(texts)];
        if (choice < 200 && p->n_cursors > 0)
                return p->cursors[choice % MIN(p->n_cursors, (size_t)CURSORS)];
        take_text(&p->bytes, buffer, size);
        return buffer;
}

static uint64_t take_id(Program *p) {
        uint8_t choice = take_byte(&p->bytes);

        if (choice < 160 && p->n_ids > 0)
                return p->ids[choice % MIN(p->n_ids, (size_t)IDS)];
        return choice < 240 ? choice % 16 : take_number(&p->bytes);
}

/* Around now, mostly: whole hours of some weeks. */
static int64_t take_time(Program *p) {
        uint8_t choice = take_byte(&p->bytes);
        int8_t hours = (int8_t)take_byte(&p->bytes);

        if (choice >= 250)
                return (int64_t)take_number(&p->bytes);
        return p->inside.app.clock.now + hours * (1 + choice / 64) * 3600 * USEC_PER_SEC;
}

static int64_t take_amount(Program *p) {
        uint8_t choice = take_byte(&p->bytes);

        return choice < 250 ? choice % 100 : (int64_t)take_number(&p->bytes);
}

/* ---- arguments ---- */

static int put_text(sd_bus_message *m, const char *text) {
        int r = sd_bus_message_append_basic(m, 's', text);

        return r == -EINVAL ? sd_bus_message_append_basic(m, 's', "?") : r; /* no UTF-8 */
}

/* A value of any type, whatever is asked for. */
static int put_any(Program *p, sd_bus_message *m) {
        static const char *const types[] = { "y",  "b",  "n",     "q",    "i", "u",
                                             "x",  "t",  "d",     "s",    "o", "g",
                                             "as", "ax", "a{sv}", "(ss)", "v", "aaaas" };
        const char *type = types[take_below(&p->bytes, ELEMENTS(types))];
        uint64_t number = take_number(&p->bytes);
        char buffer[256];
        int r = sd_bus_message_open_container(m, 'v', type);

        if (r < 0)
                return r;
        if (STREQ(type, "b"))
                r = sd_bus_message_append(m, "b", (int)(number & 1));
        else if (STREQ(type, "s"))
                r = put_text(m, take_word(p, buffer, sizeof(buffer)));
        else if (STREQ(type, "o"))
                r = sd_bus_message_append(m, "o", "/a");
        else if (STREQ(type, "g"))
                r = sd_bus_message_append(m, "g", "a{sv}");
        else if (STREQ(type, "v"))
                r = sd_bus_message_append(m, "v", "v", "s", "deep");
        else if (STREQ(type, "(ss)"))
                r = sd_bus_message_append(m, "(ss)", "a", "b");
        else if (*type == 'a')
                r = sd_bus_message_append(m, type, 0);
        else
                r = sd_bus_message_append_basic(m, *type, &number);
        return r < 0 ? r : sd_bus_message_close_container(m);
}

static int put_field(Program *p, sd_bus_message *m, const Field *field) {
        char buffer[256];
        size_t n;

        switch (field->type) {
        case FIELD_ENUM:
                n = take_below(&p->bytes, (size_t)field->names->n);
                return sd_bus_message_append(m, "v", "s",
                                             field->names->names[n] ?: "no such thing");
        case FIELD_FLAG:
                return sd_bus_message_append(m, "v", "b", (int)(take_byte(&p->bytes) & 1));
        case FIELD_ID:
                return sd_bus_message_append(m, "v", "t", take_id(p));
        case FIELD_TIME:
                return sd_bus_message_append(m, "v", "x", take_time(p));
        case FIELD_MONEY:
        case FIELD_COUNT:
                return sd_bus_message_append(m, "v", "x", take_amount(p));
        case FIELD_TEXT:
        case FIELD_DATE:
        case FIELD_LIST:
                break;
        }
        if (sd_bus_message_open_container(m, 'v', "s") < 0)
                return -EINVAL;
        n = (size_t)put_text(m, take_word(p, buffer, sizeof(buffer)));
        return (int)n < 0 ? (int)n : sd_bus_message_close_container(m);
}

static int put_option(Program *p, sd_bus_message *m, const char *key) {
        char buffer[256];

        if (STREQ(key, AFTERSALES_OPTION_AT))
                return sd_bus_message_append(m, "v", "x", take_time(p));
        if (STREQ(key, AFTERSALES_OPTION_REVISION))
                return sd_bus_message_append(m, "v", "t", (uint64_t)take_byte(&p->bytes) % 8);
        if (take_byte(&p->bytes) < 128)
                return sd_bus_message_append(m, "v", "s", "r-1");
        if (sd_bus_message_open_container(m, 'v', "s") < 0 ||
            put_text(m, take_word(p, buffer, sizeof(buffer))) < 0)
                return -EINVAL;
        return sd_bus_message_close_container(m);
}

/* One entry of an a{sv}: a field of the type, or an option, or anything. */
static int put_entry(Program *p, sd_bus_message *m, const Field *field) {
        static const char *const options[] = {
                AFTERSALES_OPTION_REQUEST_ID,
                AFTERSALES_OPTION_NOTE,
                AFTERSALES_OPTION_BY,
                AFTERSALES_OPTION_REVISION,
                AFTERSALES_OPTION_AT,
                "format",
                "encoding",
                "atomic",
                "quiet",
                "include_ended",
                "until",
        };
        uint8_t how = take_byte(&p->bytes);
        const char *option = options[take_below(&p->bytes, ELEMENTS(options))];
        char key[256];
        int r = sd_bus_message_open_container(m, 'e', "sv");

        if (r < 0)
                return r;
        if (!field && how >= 250)
                r = put_text(m, take_word(p, key, sizeof(key)));
        else
                r = put_text(m, field ? field->name : option);
        if (r >= 0)
                r = how >= 240 ? put_any(p, m)
                    : field    ? put_field(p, m, field)
                               : put_option(p, m, option);
        return r < 0 ? r : sd_bus_message_close_container(m);
}

/* The fields that must be given mostly are; others as the bytes say. */
static int put_fields(Program *p, sd_bus_message *m, const RecordType *type, const char *needs) {
        uint8_t how = take_byte(&p->bytes);
        size_t n = how % 8;
        int r = sd_bus_message_open_container(m, 'a', "{sv}");

        for (size_t i = 0; r >= 0 && type && how < 224 && i < type->n_fields; i++) {
                const Field *field = &type->fields[i];

                if (needs ? names_have(needs, field->name) : (field->marks & FIELD_REQUIRED) != 0)
                        r = put_entry(p, m, field);
        }
        for (; r >= 0 && n > 0; n--) {
                size_t i = take_below(&p->bytes, type ? type->n_fields + 8 : 1);

                r = put_entry(p, m, type && i < type->n_fields ? &type->fields[i] : NULL);
        }
        return r < 0 ? r : sd_bus_message_close_container(m);
}

/* A file with any bytes. */
static int put_file(Program *p, sd_bus_message *m) {
        _cleanup_close_ int fd = memfd_create("file", MFD_CLOEXEC);
        char text[256];
        size_t n = take_text(&p->bytes, text, sizeof(text));

        if (fd < 0 || write(fd, text, n) != (ssize_t)n || lseek(fd, 0, SEEK_SET) < 0)
                return -EIO;
        return sd_bus_message_append(m, "h", fd);
}

static int put_ids(Program *p, sd_bus_message *m) {
        uint64_t ids[4];
        size_t n = take_below(&p->bytes, ELEMENTS(ids) + 1);

        for (size_t i = 0; i < n; i++)
                ids[i] = take_id(p);
        return sd_bus_message_append_array(m, 't', ids, n * sizeof(*ids));
}

/* The clock goes on by days, not by centuries: how long that takes is another question. */
static int64_t take_instant(Program *p) {
        int16_t hours = (int16_t)(take_byte(&p->bytes) << 8 | take_byte(&p->bytes));

        return p->inside.app.clock.now + hours % (24 * 40) * 3600 * USEC_PER_SEC;
}

static int put_argument(Program *p, sd_bus_message *m, const BusInterface *interface,
                        const Transition *transition, char type) {
        char buffer[256];

        switch (type) {
        case 's':
                return put_text(m, take_word(p, buffer, sizeof(buffer)));
        case 't':
                return sd_bus_message_append(m, "t", take_id(p));
        case 'u':
                return sd_bus_message_append(m, "u", (uint32_t)take_amount(p));
        case 'x':
                return sd_bus_message_append(m, "x", take_instant(p));
        case 'b':
                return sd_bus_message_append(m, "b", (int)(take_byte(&p->bytes) & 1));
        case 'h':
                return put_file(p, m);
        default:
                return put_fields(p, m,
                                  interface->kind  ? interface->kind->table->type
                                  : interface->reg ? interface->reg->table->type
                                                   : &escalation_type,
                                  transition ? transition->needs ?: "" : NULL);
        }
}

static int put_arguments(Program *p, sd_bus_message *m, const BusInterface *interface,
                         const Transition *transition, const char *signature) {
        int r = 0;

        for (const char *s = signature; r >= 0 && *s; s++) {
                if (strncmp(s, "a{sv}", 5) == 0) {
                        r = put_argument(p, m, interface, transition, 'a');
                        s += 4;
                } else if (strncmp(s, "at", 2) == 0) {
                        r = put_ids(p, m);
                        s++;
                } else
                        r = put_argument(p, m, interface, transition, *s);
        }
        return r;
}

/* ---- answers ---- */

static void complain(const Pending *pending, const char *what, const char *more) {
        fprintf(stderr, "%s: %s: %s\n", pending->what, what, more ?: "");
        abort();
}

/* Such as sd-bus gives itself for what is no call of ours. */
static bool is_standard(const char *name) {
        return STREQ(name, SD_BUS_ERROR_UNKNOWN_METHOD) ||
               STREQ(name, SD_BUS_ERROR_UNKNOWN_INTERFACE) ||
               STREQ(name, SD_BUS_ERROR_UNKNOWN_OBJECT) ||
               STREQ(name, SD_BUS_ERROR_UNKNOWN_PROPERTY) ||
               STREQ(name, SD_BUS_ERROR_INVALID_ARGS) ||
               STREQ(name, SD_BUS_ERROR_PROPERTY_READ_ONLY) ||
               STREQ(name, SD_BUS_ERROR_ACCESS_DENIED);
}

static void check_error(const Pending *pending, const sd_bus_error *error) {
        const char *name = error->name;

        if (!error->message || !*error->message)
                complain(pending, "an error without a text", name);
        if (!pending->method) {
                if (!is_standard(name) &&
                    strncmp(name, AFTERSALES_ERROR_PREFIX, strlen(AFTERSALES_ERROR_PREFIX)) != 0)
                        complain(pending, "an error that is not documented", name);
                return;
        }
        for (int code = 1; code < _REFUSED_MAX; code++)
                if (strncmp(name, AFTERSALES_ERROR_PREFIX, strlen(AFTERSALES_ERROR_PREFIX)) == 0 &&
                    STREQ(name + strlen(AFTERSALES_ERROR_PREFIX), bus_refusal_name(code))) {
                        if (code == REFUSED_DAMAGED ||
                            (code == REFUSED_INTERNAL && !pending->helped))
                                complain(pending, name, error->message);
                        return;
                }
        complain(pending, "an error that is not documented", name);
}

/* What later calls can name. */
static void learn(Program *p, const BusMethod *method, sd_bus_message *m) {
        const char *cursor;
        uint64_t id;

        if (*method->out == 't' && sd_bus_message_read_basic(m, 't', &id) > 0)
                p->ids[p->n_ids++ % IDS] = id;
        else if (STREQ(method->out, "aa{sv}s") && sd_bus_message_skip(m, "aa{sv}") >= 0 &&
                 sd_bus_message_read_basic(m, 's', &cursor) > 0 && *cursor)
                snprintf(p->cursors[p->n_cursors++ % CURSORS], sizeof(p->cursors[0]), "%s", cursor);
}

static int on_answer(sd_bus_message *m, void *userdata, sd_bus_error *error _unused_) {
        Pending *pending = userdata;

        if (sd_bus_message_is_method_error(m, NULL))
                check_error(pending, sd_bus_message_get_error(m));
        else if (pending->method) {
                if (!STREQ(sd_bus_message_get_signature(m, true), pending->method->out))
                        complain(pending, "answers with another signature",
                                 sd_bus_message_get_signature(m, true));
                learn(pending->program, pending->method, m);
        }
        pending->program->waiting--;
        free(pending);
        return 1;
}

/* ---- calls ---- */

static void send_call(Program *p, sd_bus_message *m, Pending *pending, uint8_t caller) {
        char sender[16];

        snprintf(sender, sizeof(sender), ":1.%u", caller % CALLERS);
        if (sd_bus_message_set_sender(m, sender) < 0) {
                free(pending);
                return;
        }
        if (caller >= 248) { /* who wants no answer gets none */
                sd_bus_message_set_expect_reply(m, false);
                sd_bus_send(p->inside.far, m, NULL);
                free(pending);
        } else if (sd_bus_call_async(p->inside.far, NULL, m, on_answer, pending, UINT64_MAX) < 0)
                free(pending);
        else
                p->waiting++;
}

static Pending *new_pending(Program *p, const BusMethod *method, const char *interface,
                            const char *member) {
        Pending *pending = calloc(1, sizeof(*pending));

        need(pending != NULL, "memory");
        *pending = (Pending){ .program = p, .method = method };
        pending->helped =
                STREQ(interface, AFTERSALES_POLICY) || STREQ(interface, AFTERSALES_BACKUPS) ||
                STREQ(interface, AFTERSALES_TRANSFER) || STREQ(interface, AFTERSALES_JOBS) ||
                (STREQ(interface, AFTERSALES_MANAGER) && STREQ(member, "Check"));
        snprintf(pending->what, sizeof(pending->what), "%s.%s", interface, member);
        return pending;
}

/* The method of a number among those of an interface and its transitions. */
static const BusMethod *pick_method(const BusInterface *interface, size_t choice,
                                    char member[static MEMBER_SIZE],
                                    const Transition **ret_transition) {
        size_t n = 0, n_transitions = interface->kind ? interface->kind->n_transitions : 0;

        *ret_transition = NULL;
        while (interface->methods[n].member)
                n++;
        choice %= n + n_transitions;
        if (choice < n)
                snprintf(member, MEMBER_SIZE, "%s", interface->methods[choice].member);
        else
                member_from_name(interface->kind->transitions[choice - n].name, member);
        return bus_find_method(interface, member, ret_transition);
}

static void call_method(Program *p, uint8_t caller) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        const BusInterface *interface;
        const Transition *transition;
        const BusMethod *method;
        char member[MEMBER_SIZE];
        size_t n = 0;

        while (bus_interfaces[n])
                n++;
        interface = bus_interfaces[take_below(&p->bytes, n)];
        method = pick_method(interface, take_byte(&p->bytes), member, &transition);
        if (!method || /* one that is internal */
            sd_bus_message_new_method_call(p->inside.far, &m, AFTERSALES_BUS_NAME, AFTERSALES_PATH,
                                           interface->name, member) < 0)
                return;
        if (put_arguments(p, m, interface, transition, method->in) < 0)
                abort();
        send_call(p, m, new_pending(p, method, interface->name, member), caller);
}

/* What no method takes: other arguments, members, interfaces and objects. */
static void call_anything(Program *p, uint8_t caller) {
        static const char *const interfaces[] = { AFTERSALES_TICKETS,
                                                  AFTERSALES_MANAGER,
                                                  "org.freedesktop.DBus.Properties",
                                                  "org.freedesktop.DBus.Introspectable",
                                                  "org.freedesktop.LogControl1",
                                                  "org.freedesktop.DBus.Peer" };
        static const char *const members[] = { "Create",     "Get",    "Set",  "GetAll",
                                               "Introspect", "Status", "List", "Nothing" };
        static const char *const paths[] = { AFTERSALES_PATH, "/", "/org/freedesktop/LogControl1" };
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        const char *interface = interfaces[take_below(&p->bytes, ELEMENTS(interfaces))];
        const char *member = members[take_below(&p->bytes, ELEMENTS(members))];
        const char *path = paths[take_below(&p->bytes, ELEMENTS(paths))];
        size_t n = take_below(&p->bytes, 4);
        char buffer[256];
        int r = sd_bus_message_new_method_call(p->inside.far, &m, AFTERSALES_BUS_NAME, path,
                                               interface, member);

        for (; r >= 0 && n > 0; n--)
                r = take_byte(&p->bytes) < 160 ? put_text(m, take_word(p, buffer, sizeof(buffer)))
                                               : put_any(p, m);
        if (r < 0)
                abort();
        send_call(p, m, new_pending(p, NULL, interface, member), caller);
}

/* A caller has gone away. */
static void lose_caller(Program *p, uint8_t caller) {
        char name[16];

        snprintf(name, sizeof(name), ":1.%u", caller % CALLERS);
        sd_bus_emit_signal(p->inside.far, "/org/freedesktop/DBus", "org.freedesktop.DBus",
                           "NameOwnerChanged", "sss", name, name, "");
}

static void wait_for_answers(Program *p) {
        int64_t since = boot_clock_now();

        while (p->waiting > 0) {
                inside_turn(&p->inside, 100000);
                if (boot_clock_now() - since > PATIENCE) {
                        fprintf(stderr, "%u calls have no answer\n", p->waiting);
                        abort();
                }
        }
}

static void run(Program *p) {
        for (unsigned n = 0; n < PROGRAM_CALLS_MAX && p->bytes.left > 0; n++) {
                uint8_t what = take_byte(&p->bytes), caller = take_byte(&p->bytes);

                if (what < 224)
                        call_method(p, caller);
                else if (what < 248)
                        call_anything(p, caller);
                else
                        lose_caller(p, caller);
                if (what & 1)
                        wait_for_answers(p);
        }
        wait_for_answers(p);
        while (inside_turn(&p->inside, 0))
                ;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        static bool prepared;
        Program program = { .bytes = { data, size } };

        if (!prepared)
                inside_prepare();
        prepared = true;
        inside_begin(&program.inside);
        run(&program);
        inside_check(&program.inside);
        need(program.inside.uncalled == 0, "no answer without a question");
        inside_end(&program.inside);
        return 0;
}
