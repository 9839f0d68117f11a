/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What the files of bus/ share. A method is one line of a table and one thin handler. */

#include <systemd/sd-bus.h>

#include "bus/bus.h"
#include "bus/fields.h"
#include "bus/identity.h"
#include "bus/turns.h"
#include "loop/listing.h"
#include "loop/register.h"
#include "loop/request.h"

#define CALLS_HELD_MAX     1024
#define SUBSCRIBERS_MAX    64
#define SUBSCRIBERS_OF_ONE 16 /* of a user */
#define SIMULATIONS_MAX    2  /* at once, each a process of its own, of different users */

typedef struct BusInterface BusInterface;

/* One call while it is handled. */
typedef struct BusCall {
        Bus *bus;
        const BusInterface *interface;
        sd_bus_message *m;
        sd_bus_message *reply; /* open for appending */
        const char *member;
        uid_t uid;
        Actor actor;
        char actor_name[NAME_MAX_BYTES * 2];
        int64_t now;
        Refusal refusal;
} BusCall;

/* The answer will be given later, by whoever keeps a reference to the message. */
#define BUS_ANSWERED_LATER (-EINPROGRESS)

enum {
        ANYBODY = _PERMISSION_MAX, /* who may send to us at all */
        MAY_READ,                  /* as the kind or register of the interface says */
        MAY_WRITE,
        MAY_CREATE,        /* likewise; not offered where no caller creates any */
        MAY_READ_ANYTHING, /* of any kind or register, or escalations */
};

typedef struct BusMethod {
        const char *member;
        const char *in, *in_names; /* signature; names separated by blanks */
        const char *out, *out_names;
        int permission; /* a Permission, or one of the below */
        /* Reads call->m, appends to call->reply. 0, > 0 refused, negative errno. */
        int (*handler)(BusCall *call);
        const char *doc;
} BusMethod;

typedef struct BusSignal {
        const char *member;
        const char *signature, *names;
        const char *doc;
} BusSignal;

struct BusInterface {
        const char *name;
        const BusMethod *methods; /* ended by an empty one */
        const BusSignal *signals; /* likewise, or NULL */
        const Kind *kind;         /* of an interface of cases: its transitions are methods too */
        const Register *reg;      /* of an interface of master data or entries */
        bool manual_clock;        /* only offered with a manual clock */
        const char *doc;
};

extern const BusInterface *const bus_interfaces[]; /* NULL-terminated */
/* The names of all kinds of case and, if they are wanted, sorts of master data: "ticket, report".
 */
void bus_list_names(bool registers, char *buffer, size_t size);

typedef struct Subscriber Subscriber;
typedef struct Backlog Backlog;
typedef struct Job Job;

/* An answer that waits for the commit of what it tells, with its call in case that fails. */
typedef struct HeldAnswer {
        sd_bus_message *call, *reply;
        const BusInterface *again; /* of a call that changed nothing: to handle it anew then */
        uint64_t batch;            /* that it waits for */
} HeldAnswer;

/* What sd-bus hands back with each call. */
typedef struct BusRegistration {
        Bus *bus;
        const BusInterface *interface;
        struct Vtable *vtable;
} BusRegistration;

#define INTERFACES_MAX 32

struct Bus {
        BusOptions options;
        sd_bus *bus;
        DueTimer *due;
        StatusLine *status;
        sd_bus_slot *time_source; /* a question that waits for its answer */
        Identities *identities;
        int64_t started_at;
        uint64_t calls;
        HeldAnswer held[CALLS_HELD_MAX];
        size_t n_held;
        BusRegistration registrations[INTERFACES_MAX];
        size_t n_registrations;
        Backlog *backlog;
        Turns *turns;
        struct Direct *direct; /* connections past the bus; NULL: there is no socket */
        Subscriber *subscribers;
        size_t n_subscribers;
        struct CheckJob *check;
        struct BackupList *backup_list; /* that a helper reads */
        struct Look *look;              /* at a policy, that a helper takes */
        struct Simulation *simulations[SIMULATIONS_MAX];
        bool reload_again; /* asked for by a signal in the meantime */
        Job *jobs;         /* the youngest first */
        uint64_t last_job;
};

/* Whether a method is there for anybody to call. */
bool bus_offers(const BusInterface *interface, const BusMethod *method);
/* The method of a name in an interface, or NULL; for a kind's transitions *ret_transition is set
 * instead. */
const BusMethod *bus_find_method(const BusInterface *interface, const char *member,
                                 const Transition **ret_transition);

/* Who has sent a message: a name on the bus, or that of a direct connection. */
const char *bus_sender(const Bus *bus, sd_bus_message *m);
/* A signal to that one alone. -ENOTCONN: its connection is gone. */
int bus_new_signal(Bus *bus, const char *name, const char *interface, const char *member,
                   sd_bus_message **ret);
/* Everything that is offered, on a connection. */
int bus_register_all(Bus *bus, sd_bus *connection);
/* One to which something could not be added is closed, never freed: libsystemd 252 aborts there. */
void bus_leave(sd_bus *connection);

/* Handles a call as soon as it is known who sent it and it is their turn, later in any case: this
 * may be called at the end of a batch. */
void bus_receive(Bus *bus, const BusInterface *interface, sd_bus_message *m);

/* Sends an answer, now or after the commit of what it may have seen. */
void bus_answer(Bus *bus, sd_bus_message *m, sd_bus_message *reply);
void bus_answer_refusal(Bus *bus, sd_bus_message *m, const Refusal *refusal);
/* Sends what was made as an answer; r < 0: it could not be made, and nothing was changed. */
void bus_answer_made(Bus *bus, sd_bus_message *m, int r, sd_bus_message *reply);
/* Nobody may wait for an answer that cannot be given: the process ends in good order, and by that
 * the bus tells all callers. What the call has changed may stay or not. */
void bus_cannot_answer(Bus *bus, int r);
/* Tells an unexpected failure as a refusal. */
int bus_failure(int r, const char *interface, const char *member, Refusal *refusal);

/* snake_case to CamelCase. */
#define MEMBER_SIZE 64
void member_from_name(const char *name, char ret[static MEMBER_SIZE]);

/* Methods that interfaces of cases, of master data and of entries have in common. */
extern const BusMethod case_methods[], master_methods[], entry_methods[];
extern const BusSignal case_signals[];
int bus_case_move(BusCall *call, const Transition *transition);

/* ---- changes ---- */

/* What a changing call reads from its dictionary. */
typedef struct Input {
        const RecordType *type;
        void *record;
        CallOptions options;
        Call call;
} Input;

/* Reads the a{sv} that comes next. 0, > 0 refused, negative errno; input_done() in any case. */
int input_read(BusCall *call, const RecordType *type, Input *input);
/* For what is no case: refuses a time of its own. 0 or > 0 refused. */
int input_refuse_at(BusCall *call, const Input *input);
void input_done(Input *input);

/* Does it, staged in the change, and fills the answer. 0, > 0 refused, negative errno. */
typedef int (*Act)(BusCall *call, Change *change, const Input *input, const void *subject,
                   Request *answer);

/* Runs a change: once for each request id, everything or nothing. `key` tells apart calls that
 * differ in what they are about (an id, a code). The answer is the caller's to free with
 * record_done(). */
int input_run(BusCall *call, const Input *input, const char *key, Act act, const void *subject,
              Request *ret_answer);

/* ---- answers of many rows ---- */

/* Appends each record as one row; personal fields masked as the caller's role asks for. */
typedef struct RowSink {
        BusCall *call;
        const RecordType *type;
        size_t bytes; /* of the rows so far, see fields_bytes() */
} RowSink;
/* 0, 1: with this row the page is full, negative errno. */
int row_append(void *sink, const void *record);
int rows_open(sd_bus_message *reply);
int rows_close(sd_bus_message *reply);

/* List: reads filter, cursor and limit, lets `list` hand the rows over, appends the next cursor.
 * ended_key names the flag that includes what is over and done with; NULL: there is none. */
typedef struct Page {
        void *record; /* with the filter's values */
        ListFilter filter;
        const char *cursor;
        uint32_t limit;
} Page;
typedef int (*ListPage)(BusCall *call, const Page *page, RowSink *sink,
                        char next[static LIST_CURSOR_SIZE]);
int page_answer(BusCall *call, const RecordType *type, const char *ended_key, ListPage list);

/* Whether lists may be filtered by these fields, by this caller. 0 or refused. */
int page_check_filter(BusCall *call, const RecordType *type, const FieldMask *given);

/* 1 to PAGE_ROWS_MAX. 0 or refused. */
int page_check_limit(BusCall *call, uint32_t limit);

/* What is told of one record, a history or an explanation: whole as long as that is not much, or in
 * pages. */
typedef struct Portion {
        BusCall *call;
        bool paged;
        const char *cursor; /* "" for the first page */
        uint32_t limit;
        size_t rows, bytes;
} Portion;
/* Reads cursor and limit, if paged. 0, > 0 refused, negative errno. */
int portion_begin(BusCall *call, bool paged, Portion *ret);
/* Appends a row. 0, PORTION_FULL if it has no room, > 0 refused, negative errno. */
int portion_append(Portion *portion, const RecordType *type, const void *record, bool personal);
#define PORTION_FULL 1000
/* Ends the rows and, if paged, appends the cursor of the next page: "" after the last one. */
int portion_end(Portion *portion, const char *next);
/* The cursor was not given for this. */
int portion_refuse_cursor(Portion *portion);

/* Answers with the events of one record; the type tells which of its fields are personal. */
int history_answer(BusCall *call, const Key *prefix, const RecordType *type, bool paged);
/* Explain of the case. */
int explain_answer(BusCall *call, Case *c, bool paged);

/* ---- callers who do not read ---- */

int backlog_new(sd_bus *bus, Backlog **ret);
Backlog *backlog_free(Backlog *backlog);
/* Something was sent to that name, or will be; NULL: whose it is, is not known. */
void backlog_note(Backlog *backlog, const char *name, const Credentials *credentials);
/* Whether so much waits for it to be read that it gets nothing more for now. */
bool backlog_is_deaf(Backlog *backlog, const char *name);

/* ---- subscribers ---- */

int bus_subscribe(BusCall *call);
int bus_unsubscribe(BusCall *call);
/* Whoever calls reads what it is sent. */
void subscriber_called(Bus *bus, const char *name);
void subscriber_gone(Bus *bus, const char *name);
void subscribers_access_changed(Bus *bus);
void subscribers_done(Bus *bus);
/* For the due timer: asks whether a time source keeps the clock right. */
void time_source_ask(void *bus);
void check_done(Bus *bus);
void backup_list_done(Bus *bus);
void policy_done(Bus *bus);
void simulations_done(Bus *bus);

/* Figures and warnings. */
int bus_status(BusCall *call);

/* A page of the change feed. */
int bus_changes(BusCall *call);

/* Runs the check in a helper process and answers when it ends. */
int bus_check(BusCall *call);
