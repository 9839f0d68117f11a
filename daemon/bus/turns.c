/* SPDX-License-Identifier: Apache-2.0 */

#include "bus/turns.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "aftersales/limits.h"
#include "base/clock.h"
#include "base/macro.h"
#include "runtime/commit.h"

/* So many calls are read before one is done. */
#define READ_AT_ONCE 64
/* Calls are done for so long before more are read. Microseconds. */
#define DO_FOR 1000
/* Answers that the bus, or who calls past it, has not taken yet; with more, those to come would
 * wait behind them. */
#define UNSENT_MAX 4

typedef struct Turn {
        struct Turn *next;
        const void *subject;
        sd_bus_message *m;
} Turn;

/* Who has calls that wait. */
typedef struct User {
        struct User *next;
        uid_t uid;
        size_t n;
        Turn *first, **end;
        sd_bus *direct; /* past the bus: where the newest of them has come from; or NULL */
} User;

struct Turns {
        sd_bus *bus;
        TurnCome come;
        TurnLost lost;
        void *userdata;
        sd_event_source *work;  /* runs while calls are left that can be done */
        sd_event_source *again; /* after anything else: calls may have come, answers been taken */
        User *users, **end;     /* the first is next */
};

/* ---- what a call holds ---- */

static int weigh_value(sd_bus_message *m, char type, const char *contents, size_t *bytes);

/* Many that wait must not fill the memory. -EMSGSIZE: enough has been seen. */
static int weigh(sd_bus_message *m, size_t *bytes) {
        const char *contents;
        char type;
        int r;

        while ((r = sd_bus_message_peek_type(m, &type, &contents)) > 0) {
                r = weigh_value(m, type, contents, bytes);
                if (r < 0)
                        return r;
                if (*bytes > CALL_BYTES_MAX)
                        return -EMSGSIZE;
        }
        return r;
}

static int weigh_value(sd_bus_message *m, char type, const char *contents, size_t *bytes) {
        uint64_t number;
        const char *text;
        const void *array;
        size_t size;
        int r;

        *bytes += sizeof(uint64_t);
        switch (type) {
        case SD_BUS_TYPE_STRING:
        case SD_BUS_TYPE_OBJECT_PATH:
        case SD_BUS_TYPE_SIGNATURE:
                r = sd_bus_message_read_basic(m, type, &text);
                if (r > 0)
                        *bytes += strlen(text);
                return r;
        case SD_BUS_TYPE_ARRAY:
                if (contents[1] == '\0' && strchr("ynqiuxtd", contents[0])) {
                        r = sd_bus_message_read_array(m, contents[0], &array, &size);
                        if (r > 0)
                                *bytes += size;
                        return r;
                }
                break;
        case SD_BUS_TYPE_VARIANT:
        case SD_BUS_TYPE_STRUCT:
        case SD_BUS_TYPE_DICT_ENTRY:
                break;
        default:
                return sd_bus_message_read_basic(m, type, &number);
        }
        r = sd_bus_message_enter_container(m, type, contents);
        if (r >= 0)
                r = weigh(m, bytes);
        return r < 0 ? r : sd_bus_message_exit_container(m);
}

/* What comes past the bus nobody has looked at before: what cannot be read is found here, and not
 * where it would be held for damage of what is stored. */
static int examine(sd_bus_message *m) {
        size_t bytes = 0;
        int r = weigh(m, &bytes);

        sd_bus_message_rewind(m, true);
        if (r == 0 || r == -EMSGSIZE || r == -ENOMEM)
                return r;
        return -EBADMSG;
}

/* ---- in turn ---- */

static void append_user(Turns *turns, User *user) {
        user->next = NULL;
        *turns->end = user;
        turns->end = &user->next;
}

static User *find_user(Turns *turns, uid_t uid) {
        User *user = turns->users;

        while (user && user->uid != uid)
                user = user->next;
        if (user)
                return user;
        user = calloc(1, sizeof(*user));
        if (!user)
                return NULL;
        user->uid = uid;
        user->end = &user->first;
        append_user(turns, user);
        return user;
}

static bool has_room(sd_bus *connection) {
        uint64_t unsent = 0;

        return sd_bus_get_n_queued_write(connection, &unsent) < 0 || unsent <= UNSENT_MAX;
}

/* The first call of a user with room for its answer, or NULL. Whoever does not read on one
 * connection waits for that alone. */
static Turn **next_turn(User *user) {
        for (Turn **at = &user->first; *at; at = &(*at)->next)
                if (has_room(sd_bus_message_get_bus((*at)->m)))
                        return at;
        return NULL;
}

/* Takes the next call of that user, who stands behind all others then. */
static Turn *take_turn(Turns *turns, User **at) {
        User *user = *at;
        Turn **next = next_turn(user), *turn;

        *at = user->next;
        if (!*at)
                turns->end = at;
        if (!next) /* at the end of all */
                next = &user->first;
        turn = *next;
        assert(turn); /* else the user is none */
        *next = turn->next;
        if (!*next)
                user->end = next;
        if (--user->n > 0)
                append_user(turns, user);
        else {
                sd_bus_unref(user->direct);
                free(user);
        }
        return turn;
}

static void turn_free(Turn *turn) {
        sd_bus_message_unref(turn->m);
        free(turn);
}

/* Whose turn it is, or NULL: nobody waits but for what was sent to be taken. */
static User **whose_turn(Turns *turns) {
        for (User **at = &turns->users; *at; at = &(*at)->next)
                if (next_turn(*at))
                        return at;
        return NULL;
}

static void read_on(Turns *turns, sd_bus *connection, const User *user) {
        _cleanup_(sd_bus_unrefp) sd_bus *from = sd_bus_ref(connection);
        int r = 1;

        for (unsigned n = 0; n < READ_AT_ONCE && r > 0; n++) {
                if (user && user->n >= READ_AT_ONCE)
                        return;
                r = sd_bus_process(from, NULL);
        }
        if (r < 0 && r != -ECONNRESET) /* it was closed, and whoever minds knows */
                turns->lost(turns->userdata, from, r);
}

/* On the bus everybody is behind everybody: whatever has come, so that whoever waits can have a
 * turn. A connection of its own holds but one user's, who can wait there: only so much that there
 * is a call for each of their turns. */
static void read_all(Turns *turns) {
        read_on(turns, turns->bus, NULL);
        for (const User *user = turns->users; user; user = user->next)
                if (user->direct)
                        read_on(turns, user->direct, user);
}

static void do_calls(Turns *turns) {
        int64_t end = boot_clock_now() + DO_FOR;
        User **at;

        while ((at = whose_turn(turns))) {
                Turn *turn = take_turn(turns, at);

                turns->come(turns->userdata, turn->subject, turn->m);
                turn_free(turn);
                if (boot_clock_now() >= end)
                        break;
        }
}

static void work(Turns *turns) {
        if (whose_turn(turns)) {
                read_all(turns);
                do_calls(turns);
        }
        sd_event_source_set_enabled(turns->work,
                                    whose_turn(turns) ? SD_EVENT_ONESHOT : SD_EVENT_OFF);
}

static int on_work(sd_event_source *source _unused_, uint64_t usec _unused_, void *userdata) {
        work(userdata);
        return 0;
}

/* What has just come is done here; what that leaves comes after others have had their turn. */
void turns_look(Turns *turns) {
        int on;

        if (sd_event_source_get_enabled(turns->work, &on) >= 0 && on == SD_EVENT_OFF)
                work(turns);
}

static int on_again(sd_event_source *source _unused_, void *userdata) {
        turns_look(userdata);
        return 0;
}

/* One connection that is not read leaves half of the places to the user's others. */
static bool is_full(const Turns *turns, const User *user, sd_bus *connection) {
        size_t n = 0;

        if (connection == turns->bus || has_room(connection))
                return user->n == CALLS_WAITING_MAX;
        for (const Turn *turn = user->first; turn; turn = turn->next)
                n += sd_bus_message_get_bus(turn->m) == connection;
        return user->n == CALLS_WAITING_MAX || n >= CALLS_WAITING_MAX / 2;
}

int turns_take(Turns *turns, uid_t uid, const void *subject, sd_bus_message *m) {
        Turn *turn;
        User *user;
        int r = examine(m);

        if (r < 0)
                return r;
        turn = calloc(1, sizeof(*turn));
        if (!turn)
                return -ENOMEM;
        user = find_user(turns, uid);
        if (!user || is_full(turns, user, sd_bus_message_get_bus(m))) {
                free(turn);
                return user ? -EBUSY : -ENOMEM;
        }
        turn->subject = subject;
        turn->m = sd_bus_message_ref(m);
        *user->end = turn;
        user->end = &turn->next;
        user->n++;
        if (sd_bus_message_get_bus(m) != turns->bus) {
                sd_bus_unref(user->direct);
                user->direct = sd_bus_ref(sd_bus_message_get_bus(m));
        }
        return 0;
}

/* ---- as an object ---- */

int turns_new(sd_bus *bus, sd_event *event, TurnCome come, TurnLost lost, void *userdata,
              Turns **ret) {
        Turns *turns = calloc(1, sizeof(*turns));
        int r;

        if (!turns)
                return -ENOMEM;
        *turns = (Turns){
                .bus = bus, .come = come, .lost = lost, .userdata = userdata, .end = &turns->users
        };
        /* A timer whose time has always come: a deferred source would go before all other callers.
         */
        r = sd_event_add_time(event, &turns->work, CLOCK_MONOTONIC, 0, 1, on_work, turns);
        if (r >= 0)
                r = sd_event_source_set_priority(turns->work, PRIORITY_BUS);
        if (r >= 0)
                r = sd_event_source_set_enabled(turns->work, SD_EVENT_OFF);
        if (r >= 0)
                r = sd_event_add_post(event, &turns->again, on_again, turns);
        if (r < 0) {
                turns_free(turns);
                return r;
        }
        *ret = turns;
        return 0;
}

Turns *turns_free(Turns *turns) {
        if (!turns)
                return NULL;
        while (turns->users)
                turn_free(take_turn(turns, &turns->users));
        sd_event_source_disable_unref(turns->work);
        sd_event_source_disable_unref(turns->again);
        free(turns);
        return NULL;
}
