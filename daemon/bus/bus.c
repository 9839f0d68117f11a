/* SPDX-License-Identifier: Apache-2.0 */

#include "bus/bus.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "aftersales/bus.h"
#include "aftersales/limits.h"
#include "base/log.h"
#include "bus/direct.h"
#include "bus/jobs.h"
#include "bus/log-control.h"
#include "bus/vtable.h"

#define STOP_TIMEOUT (5 * USEC_PER_SEC)

/* ---- answers ---- */

static const char *const refusal_names[] = {
#define X(code, name, exit_code, meaning) [code] = AFTERSALES_ERROR_PREFIX name,
        AFTERSALES_ERRORS(X)
#undef X
};

const char *bus_refusal_name(int code) {
        return refusal_names[code] + strlen(AFTERSALES_ERROR_PREFIX);
}

void bus_cannot_answer(Bus *bus, int r) {
        log_at(LOG_CRIT, "a call has no answer (%s); ending, so that its caller hears of that",
               strerror(-r));
        sd_event_exit(bus->options.event, r);
}

static void send_now(Bus *bus, sd_bus_message *m) {
        int r = sd_bus_send(NULL, m, NULL);

        if (r == -ENOMEM)
                bus_cannot_answer(bus, r);
        else if (r < 0 && r != -ENOTCONN && r != -ECONNRESET) /* a direct connection is gone */
                log_warning("an answer could not be sent: %s", strerror(-r));
}

static int make_refusal(sd_bus_message *m, const Refusal *refusal, sd_bus_message **ret) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;

        assert(refusal->code > 0 && refusal->code < _REFUSED_MAX);
        sd_bus_error_set(&error, refusal_names[refusal->code], refusal->text);
        return sd_bus_message_new_method_error(m, ret, &error);
}

const char *bus_sender(const Bus *bus, sd_bus_message *m) {
        const Peer *peer = direct_find(bus->direct, m);

        return peer ? peer->name : sd_bus_message_get_sender(m);
}

int bus_new_signal(Bus *bus, const char *name, const char *interface, const char *member,
                   sd_bus_message **ret) {
        const Peer *peer = direct_find_name(bus->direct, name);
        int r;

        if (!peer && strncmp(name, DIRECT_PREFIX, strlen(DIRECT_PREFIX)) == 0)
                return -ENOTCONN;
        r = sd_bus_message_new_signal(peer ? peer->connection : bus->bus, ret, AFTERSALES_PATH,
                                      interface, member);
        return r < 0 || peer ? r : sd_bus_message_set_destination(*ret, name);
}

static void answer(Bus *bus, const BusInterface *again, sd_bus_message *m, sd_bus_message *reply) {
        if (!store_is_pending(bus->options.store)) {
                send_now(bus, reply);
                return;
        }
        assert(bus->n_held < CALLS_HELD_MAX);
        bus->held[bus->n_held++] = (HeldAnswer){ sd_bus_message_ref(m), sd_bus_message_ref(reply),
                                                 again, store_newest_batch(bus->options.store) };
        if (bus->n_held == CALLS_HELD_MAX)
                committer_commit(bus->options.committer);
}

void bus_answer(Bus *bus, sd_bus_message *m, sd_bus_message *reply) {
        answer(bus, NULL, m, reply);
}

void bus_answer_refusal(Bus *bus, sd_bus_message *m, const Refusal *refusal) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        int r = make_refusal(m, refusal, &reply);

        if (r >= 0)
                bus_answer(bus, m, reply);
        else
                bus_cannot_answer(bus, r);
}

void bus_answer_made(Bus *bus, sd_bus_message *m, int r, sd_bus_message *reply) {
        Refusal refusal;

        if (r >= 0) {
                bus_answer(bus, m, reply);
                return;
        }
        bus_failure(r, sd_bus_message_get_interface(m), sd_bus_message_get_member(m), &refusal);
        bus_answer_refusal(bus, m, &refusal);
}

int bus_failure(int r, const char *interface, const char *member, Refusal *refusal) {
        if (r == -ENOSPC || r == -EDQUOT)
                return refuse(
                        refusal, REFUSED_STORAGE_FULL,
                        "there is no room to store this; nothing was changed: free disk space or "
                        "raise store.map_size, then call again");
        if (r == -ENOMEM)
                return refuse(refusal, REFUSED_TRY_AGAIN,
                              "out of memory; nothing was changed, call again");
        if (r == -E2BIG)
                return refuse(refusal, REFUSED_LIMIT,
                              "the record would be larger than the store takes");
        if (r == -EBADMSG) /* which record it is, the store has logged */
                return refuse(refusal, REFUSED_DAMAGED,
                              "what is stored about this is damaged; nothing was changed and "
                              "everything else goes on: the log names the record, 'aftersalesctl "
                              "check' tells all damage, a backup has it whole");
        log_error("%s.%s failed: %s", interface, member, strerror(-r));
        return refuse(refusal, REFUSED_INTERNAL,
                      "a fault of the daemon (%s); nothing was changed, see its log", strerror(-r));
}

/* ---- calls ---- */

static int needed_permission(const BusCall *call, const BusMethod *method,
                             const Transition *transition) {
        const Kind *kind = call->interface->kind;
        const Register *reg = call->interface->reg;

        if (transition)
                return (int)transition->permission;
        if (method->permission == MAY_READ)
                return (int)(kind ? kind->read : reg->read);
        if (method->permission == MAY_WRITE)
                return (int)reg->write;
        if (method->permission == MAY_CREATE)
                return (int)(kind ? kind->create_permission : reg->write);
        return method->permission;
}

static int check_reader(BusCall *call) {
        if (actor_may(&call->actor, PERMISSION_ESCALATION_READ))
                return 0;
        for (size_t i = 0; bus_interfaces[i]; i++)
                if ((bus_interfaces[i]->kind &&
                     actor_may(&call->actor, bus_interfaces[i]->kind->read)) ||
                    (bus_interfaces[i]->reg &&
                     actor_may(&call->actor, bus_interfaces[i]->reg->read)))
                        return 0;
        return refuse(&call->refusal, REFUSED_PERMISSION,
                      "your role (%s) may read nothing; an administrator gives permissions under "
                      "roles and access of the configuration",
                      call->actor.role);
}

static int check_permission(BusCall *call, const BusMethod *method, const Transition *transition) {
        int permission = needed_permission(call, method, transition);

        if (permission == MAY_READ_ANYTHING)
                return check_reader(call);
        if (permission == ANYBODY || actor_may(&call->actor, (Permission)permission))
                return 0;
        return refuse(
                &call->refusal, REFUSED_PERMISSION,
                "your role (%s) does not have the permission %s; an administrator gives it under "
                "roles and access of the configuration",
                call->actor.role, permission_name((Permission)permission));
}

static int run_method(BusCall *call, const BusMethod *method, const Transition *transition) {
        int r;

        r = check_permission(call, method, transition);
        if (r != 0)
                return r;
        r = sd_bus_message_new_method_return(call->m, &call->reply);
        if (r < 0)
                return r;
        return transition ? bus_case_move(call, transition) : method->handler(call);
}

/* Of each call one line, for whoever sets the level to debug: who and what, never with which
 * values.
 */
static void log_call(const BusCall *call, int r) {
        log_debug("%s (%s) calls %s.%s: %s", call->actor_name, call->actor.role,
                  call->interface->name, call->member,
                  r > 0   ? refusal_names[call->refusal.code]
                  : r < 0 ? "the answer comes later"
                          : "done");
}

/* The refusal takes the place of what was to be the answer. */
static int put_refusal(BusCall *call) {
        int r;

        call->reply = sd_bus_message_unref(call->reply);
        r = make_refusal(call->m, &call->refusal, &call->reply);
        if (r < 0)
                bus_cannot_answer(call->bus, r);
        return MIN(r, 0);
}

/* Whose identity is known. */
static void handle_call(Bus *bus, const BusInterface *interface, sd_bus_message *m,
                        const Actor *actor, uid_t uid) {
        BusCall call = {
                .bus = bus,
                .interface = interface,
                .m = m,
                .member = sd_bus_message_get_member(m),
                .uid = uid,
                .actor = *actor,
                .now = wall_clock_now(bus->options.clock),
        };
        uint64_t sequence = store_head(bus->options.store)->sequence;
        bool failed, changed;
        const Transition *transition;
        const BusMethod *method = bus_find_method(interface, call.member, &transition);
        int r;

        bus->calls++;
        subscriber_called(bus, bus_sender(bus, m));
        snprintf(call.actor_name, sizeof(call.actor_name), "uid:%" PRIu32, (uint32_t)uid);
        call.actor.name = call.actor_name;
        r = run_method(&call, method, transition);
        failed = r < 0 && r != BUS_ANSWERED_LATER;
        changed = store_head(bus->options.store)->sequence != sequence;
        if (failed &&
            changed) /* all that is missing is the answer, but without it nothing counts */
                store_spoil(bus->options.store, -ENOMEM);
        if (failed)
                r = bus_failure(r, interface->name, call.member, &call.refusal);
        log_call(&call, r);
        if (r > 0)
                r = put_refusal(&call);
        if (r == 0)
                answer(bus, failed || changed ? NULL : interface, m, call.reply);
        sd_bus_message_unref(call.reply);
        /* A failure spoils the batch: those to come must not be drawn into it. */
        if (failed)
                committer_commit(bus->options.committer);
        else
                committer_touch(bus->options.committer);
}

/* A question whose answer nobody wants. The bus limits calls that wait for an answer, but not
 * these: to work on them would be to keep all others waiting. */
static bool is_idle_question(const BusInterface *interface, sd_bus_message *m) {
        const Transition *transition;
        const BusMethod *method =
                bus_find_method(interface, sd_bus_message_get_member(m), &transition);

        return sd_bus_message_get_expect_reply(m) == 0 && method &&
               (method->permission == MAY_READ || method->permission == MAY_READ_ANYTHING ||
                method->permission == PERMISSION_STATUS_READ ||
                method->permission == PERMISSION_ESCALATION_READ);
}

static void refuse_call(Bus *bus, const BusInterface *interface, sd_bus_message *m, int r,
                        const char *busy) {
        Refusal refusal;

        if (r == -EBUSY)
                refuse(&refusal, REFUSED_TRY_AGAIN, "%s; call again", busy);
        else if (r == -EMSGSIZE)
                refuse(&refusal, REFUSED_LIMIT, "a call may hold at most %d bytes", CALL_BYTES_MAX);
        else if (r == -EBADMSG)
                refuse(&refusal, REFUSED_INVALID_VALUE,
                       "the call is malformed: it does not hold what its signature says");
        else
                bus_failure(r, interface->name, sd_bus_message_get_member(m), &refusal);
        bus_answer_refusal(bus, m, &refusal);
}

/* Whoever calls past the bus is known by their connection, as long as that is there. */
static int find_peer(Bus *bus, sd_bus_message *m, Actor *ret_actor, uid_t *ret_uid) {
        const Peer *peer = direct_find(bus->direct, m);

        if (!peer || direct_drop_deaf(bus->direct, peer))
                return -ENOTCONN;
        *ret_actor = peer->actor;
        *ret_uid = peer->credentials.uid;
        return 0;
}

/* Whether the call is to be done, and for whom: else nobody wants its answer, it was refused, or it
 * comes again once it is known who calls. */
static bool find_caller(Bus *bus, const BusInterface *interface, sd_bus_message *m,
                        Actor *ret_actor, uid_t *ret_uid) {
        int r;

        if (sd_bus_message_get_bus(m) != bus->bus)
                return find_peer(bus, m, ret_actor, ret_uid) == 0;
        if (backlog_is_deaf(bus->backlog, sd_bus_message_get_sender(m)))
                return false;
        r = identities_find(bus->identities, m, interface, ret_actor, ret_uid);
        if (r < 0)
                refuse_call(bus, interface, m, r, "too many callers at once");
        return r == 0;
}

void bus_receive(Bus *bus, const BusInterface *interface, sd_bus_message *m) {
        Actor actor;
        uid_t uid;
        int r;

        if (is_idle_question(interface, m) || !find_caller(bus, interface, m, &actor, &uid))
                return;
        r = turns_take(bus->turns, uid, interface, m);
        if (r < 0)
                refuse_call(bus, interface, m, r, "too many calls of yours wait");
}

/* Their permissions may have changed while it waited, and they may have ceased to read. */
static void do_call(void *userdata, const void *subject, sd_bus_message *m) {
        Bus *bus = userdata;
        Actor actor;
        uid_t uid;

        if (find_caller(bus, subject, m, &actor, &uid))
                handle_call(bus, subject, m, &actor, uid);
}

static void lose_connection(void *userdata, sd_bus *connection, int r) {
        Bus *bus = userdata;

        if (connection == bus->bus)
                bus_cannot_answer(bus, r);
        else
                direct_hang_up(bus->direct, connection);
}

/* Each call has an answer that weighs on the bus, also those that sd-bus answers by itself and that
 * never come to a handler. */
static int on_any(sd_bus_message *m, void *userdata, sd_bus_error *error _unused_) {
        Bus *bus = userdata;
        const char *name = sd_bus_message_get_sender(m);

        if (!name || !sd_bus_message_is_method_call(m, NULL, NULL))
                return 0;
        if (backlog_is_deaf(bus->backlog, name))
                return 1;
        backlog_note(bus->backlog, name, identities_credentials(bus->identities, name));
        return 0;
}

static void on_identified(void *userdata, sd_bus_message *m, const void *subject) {
        bus_receive(userdata, subject, m);
}

static int on_call(sd_bus_message *m, void *userdata, sd_bus_error *error _unused_) {
        const BusRegistration *registration = userdata;

        bus_receive(registration->bus, registration->interface, m);
        return 1;
}

/* ---- the end of a batch ---- */

/* What was held back was never true: each of the callers hears that nothing has happened. */
static void answer_failed_commit(Bus *bus, sd_bus_message *m, int result) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        Refusal refusal;
        int r;

        if (result == -ENOSPC || result == -EDQUOT)
                bus_failure(result, "", "", &refusal);
        else
                refuse(&refusal, REFUSED_TRY_AGAIN,
                       "the change could not be made durable (%s); nothing was changed, call again",
                       strerror(-result));
        r = make_refusal(m, &refusal, &reply);
        if (r >= 0)
                send_now(bus, reply);
        else
                bus_cannot_answer(bus, r);
}

static void drop_held(HeldAnswer *held) {
        sd_bus_message_unref(held->call);
        sd_bus_message_unref(held->reply);
}

/* What the next batch has to answer goes on waiting. */
static void answer_committed(Bus *bus) {
        uint64_t ended = store_ended_batch(bus->options.store);
        size_t n = 0;

        for (; n < bus->n_held && bus->held[n].batch <= ended; n++) {
                send_now(bus, bus->held[n].reply);
                drop_held(&bus->held[n]);
        }
        bus->n_held -= n;
        memmove(bus->held, bus->held + n, bus->n_held * sizeof(*bus->held));
}

/* The calls that changed nothing are handled anew, without what they have seen of the others: a
 * full disk refuses changes and nothing else. With a batch the next has failed too. */
static void answer_failed(Bus *bus, int result) {
        bool full = result == -ENOSPC || result == -EDQUOT;
        size_t n = bus->n_held;

        bus->n_held = 0;
        for (size_t i = 0; i < n; i++) {
                HeldAnswer held = bus->held[i]; /* what is held anew takes the places from 0 on */

                if (full && held.again && sd_bus_message_rewind(held.call, true) >= 0)
                        bus_receive(bus, held.again, held.call);
                else
                        answer_failed_commit(bus, held.call, result);
                drop_held(&held);
        }
}

static void on_commit(void *userdata, int result) {
        if (result == 0)
                answer_committed(userdata);
        else
                answer_failed(userdata, result);
}

/* ---- as an object ---- */

static int add_registration(Bus *bus, const BusInterface *interface) {
        BusRegistration *registration = &bus->registrations[bus->n_registrations];
        int r;

        assert(bus->n_registrations < INTERFACES_MAX);
        *registration = (BusRegistration){ .bus = bus, .interface = interface };
        r = vtable_new(interface, on_call, &registration->vtable);
        if (r == 0)
                bus->n_registrations++;
        return r;
}

int bus_register_all(Bus *bus, sd_bus *connection) {
        int r = 0;

        for (size_t i = 0; r >= 0 && i < bus->n_registrations; i++)
                r = sd_bus_add_object_vtable(
                        connection, NULL, AFTERSALES_PATH, bus->registrations[i].interface->name,
                        vtable_entries(bus->registrations[i].vtable), &bus->registrations[i]);
        return r < 0 ? r : log_control_register(bus, connection);
}

void bus_leave(sd_bus *connection) {
        sd_bus_ref(connection);
}

static int connect_bus(Bus *bus) {
        int r;

        if (!bus->options.address)
                return sd_bus_open_system(&bus->bus);
        r = sd_bus_new(&bus->bus);
        if (r >= 0)
                r = sd_bus_set_address(bus->bus, bus->options.address);
        if (r >= 0)
                r = sd_bus_set_bus_client(bus->bus, true);
        return r < 0 ? r : sd_bus_start(bus->bus);
}

int bus_new(const BusOptions *options, Bus **ret) {
        Bus *bus = calloc(1, sizeof(*bus));
        int r;

        if (!bus)
                return -ENOMEM;
        bus->options = *options;
        bus->started_at = wall_clock_now(options->clock);
        r = connect_bus(bus);
        if (r >= 0)
                r = sd_bus_set_exit_on_disconnect(bus->bus, true);
        if (r >= 0) /* the last batch ends after the loop, and has answers */
                r = sd_bus_set_close_on_exit(bus->bus, false);
        if (r >= 0)
                r = backlog_new(bus->bus, &bus->backlog);
        if (r >= 0)
                r = sd_bus_add_filter(bus->bus, NULL, on_any, bus);
        if (r >= 0)
                r = turns_new(bus->bus, options->event, do_call, lose_connection, bus, &bus->turns);
        for (size_t i = 0; r >= 0 && bus_interfaces[i]; i++)
                if (!bus_interfaces[i]->manual_clock || options->clock->manual)
                        r = add_registration(bus, bus_interfaces[i]);
        if (r >= 0) {
                r = bus_register_all(bus, bus->bus);
                if (r < 0)
                        bus_leave(bus->bus);
        }
        if (r >= 0)
                r = identities_new(bus->bus, options->access, on_identified, bus, &bus->identities);
        if (r < 0) {
                bus_free(bus);
                return r;
        }
        committer_watch(options->committer, on_commit, bus);
        *ret = bus;
        return 0;
}

void bus_set_runtime(Bus *bus, DueTimer *due, StatusLine *status) {
        bus->due = due;
        bus->status = status;
        due_set_time_source(due, time_source_ask, bus);
}

int bus_start(Bus *bus) {
        int r = sd_bus_request_name(bus->bus, AFTERSALES_BUS_NAME, 0);

        if (r >= 0 && bus->options.socket) {
                r = direct_new(bus, bus->options.socket, &bus->direct);
                if (r < 0)
                        log_error("cannot listen at %s: %s", bus->options.socket, strerror(-r));
        }
        return r < 0 ? r : sd_bus_attach_event(bus->bus, bus->options.event, PRIORITY_BUS);
}

/* A bus that still has calls for somebody who is gone may drop what it has not read from him. */
void bus_stop(Bus *bus) {
        int r = sd_bus_set_method_call_timeout(bus->bus, STOP_TIMEOUT);

        if (r >= 0)
                r = sd_bus_release_name(bus->bus, AFTERSALES_BUS_NAME);
        if (r < 0)
                log_debug("the bus did not let go of the name: %s", strerror(-r));
}

void bus_access_changed(Bus *bus) {
        identities_access_changed(bus->identities);
        direct_access_changed(bus->direct);
        subscribers_access_changed(bus);
}

Bus *bus_free(Bus *bus) {
        if (!bus)
                return NULL;
        check_done(bus);
        backup_list_done(bus);
        policy_done(bus);
        simulations_done(bus);
        jobs_done(bus);
        direct_free(bus->direct);
        subscribers_done(bus);
        backlog_free(bus->backlog);
        turns_free(bus->turns);
        sd_bus_slot_unref(bus->time_source);
        identities_free(bus->identities);
        sd_bus_flush_close_unref(bus->bus);
        for (size_t i = 0; i < bus->n_registrations; i++)
                vtable_free(bus->registrations[i].vtable);
        free(bus);
        return NULL;
}
