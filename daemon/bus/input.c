/* SPDX-License-Identifier: Apache-2.0 */

/* What all changing calls have in common: their dictionary, who they act for, and the request id
 * that makes them happen once. */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "aftersales/limits.h"
#include "base/log.h"
#include "bus/internal.h"
#include "record/codec.h"

#define VERB_SIZE 128

/* The person behind a program becomes part of who acts. */
static int apply_by(BusCall *call, const char *by) {
        size_t used = strlen(call->actor_name);

        if (!by)
                return 0;
        if (!actor_may(&call->actor, PERMISSION_ACT_FOR))
                return refuse(&call->refusal, REFUSED_PERMISSION,
                              "by: your role (%s) does not have the permission %s",
                              call->actor.role, permission_name(PERMISSION_ACT_FOR));
        snprintf(call->actor_name + used, sizeof(call->actor_name) - used, "/%s", by);
        return 0;
}

int input_read(BusCall *call, const RecordType *type, Input *input) {
        int r;

        *input = (Input){ .type = type, .record = calloc(1, type->size) };
        if (!input->record)
                return -ENOMEM;
        r = fields_read(call->m, type, input->record, &input->call.given, &input->options, NULL,
                        &call->refusal);
        if (r == 0)
                r = apply_by(call, input->options.by);
        if (r != 0)
                return r;
        input->call.actor = &call->actor;
        input->call.now = call->now;
        input->call.at = input->options.at;
        input->call.fields = input->record;
        input->call.note = input->options.note;
        input->call.revision = input->options.revision;
        return 0;
}

int input_refuse_at(BusCall *call, const Input *input) {
        if (!input->options.at)
                return 0;
        return refuse(&call->refusal, REFUSED_INVALID_VALUE,
                      "at: only what happened to a case can be reported later; this holds from now "
                      "on, leave at out");
}

void input_done(Input *input) {
        if (input->record)
                record_done(input->type, input->record);
        free(input->record);
}

/* Everything that makes one call another. */
static int digest_input(const BusCall *call, const Input *input, const char *key,
                        char ret[static REQUEST_TOKEN_SIZE]) {
        _cleanup_(buffer_done) Buffer buffer = {};
        const char *texts[] = { call->interface->name, key, input->options.note };
        int r;

        for (size_t i = 0; i < ELEMENTS(texts); i++)
                buffer_put_slice(&buffer, (Slice){ texts[i], texts[i] ? strlen(texts[i]) : 0 });
        buffer_put_u64(&buffer, input->options.revision);
        buffer_put_u64(&buffer, (uint64_t)input->options.at);
        buffer_put(&buffer, input->call.given.bits, sizeof(input->call.given.bits));
        r = record_encode_body(input->type, input->record, &input->call.given, &buffer);
        if (r == 0)
                request_body(call->member, buffer_slice(&buffer), ret);
        return r;
}

static int apply(BusCall *call, Change *change, const Input *input) {
        const Policy *policy = engine_policy(call->bus->options.engine);
        char verb[VERB_SIZE];
        const char *interface = strrchr(call->interface->name, '.') + 1;
        Origin origin = {
                .time = call->now,
                .actor = call->actor_name,
                .verb = verb,
                .request_id = input->options.request_id,
                .policy = policy->digest,
        };

        snprintf(verb, sizeof(verb), "%s.%s", interface, call->member);
        if (!change_is_empty(change))
                return change_apply(change, &origin);
        change_drop(change);
        return 0;
}

static int store_answer(BusCall *call, Change *change, Request *answer, char *token, char *body) {
        const Policy *policy = engine_policy(call->bus->options.engine);
        int r;

        answer->token = token;
        answer->body = body;
        answer->at = call->now;
        r = request_put(change, answer, policy->request_keep * USEC_PER_SEC);
        answer->token = answer->body = NULL; /* borrowed */
        return r;
}

int input_run(BusCall *call, const Input *input, const char *key, Act act, const void *subject,
              Request *ret_answer) {
        Store *store = call->bus->options.store;
        const char *request_id = input->options.request_id;
        char token[REQUEST_TOKEN_SIZE], body[REQUEST_TOKEN_SIZE];
        Request answer = {};
        Change *change;
        int r;

        if (request_id) {
                request_token(call->actor_name, request_id, token);
                r = digest_input(call, input, key, body);
                if (r == 0)
                        r = request_find(store, token, body, ret_answer, &call->refusal);
                if (r != -ENOENT)
                        return r;
        }
        r = change_begin(store, &change);
        if (r < 0)
                return r;
        r = act(call, change, input, subject, &answer);
        if (r == 0 && request_id)
                r = store_answer(call, change, &answer, token, body);
        if (r == 0)
                r = apply(call, change, input);
        else
                change_drop(change);
        if (r == 0)
                *ret_answer = answer;
        else
                record_done(&request_type, &answer);
        return r;
}
