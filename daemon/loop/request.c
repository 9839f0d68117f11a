/* SPDX-License-Identifier: Apache-2.0 */

#include "loop/request.h"

#include <errno.h>
#include <stdio.h>

#include "aftersales/limits.h"

/* For each answer stored so many old ones go: they become fewer, and no call takes long. */
#define FORGET_PER_PUT 2

static const Field request_fields[] = {
        TEXT(1, Request, token, 0, REQUEST_TOKEN_SIZE, .doc = "digest of caller and request id"),
        TEXT(2, Request, body, 0, REQUEST_TOKEN_SIZE, .doc = "digest of the call"),
        TIME(3, Request, at, 0, .doc = "when it was answered"),
        FLAG(4, Request, created, 0, .doc = "of the answer"),
        ID(5, Request, id, 0, .doc = "of the answer"),
        TEXT(6, Request, code, 0, CODE_MAX_BYTES, .doc = "of the answer"),
        TEXT(7, Request, state, 0, NAME_MAX_BYTES, .doc = "of the answer"),
        ID(8, Request, revision, 0, .doc = "of the answer"),
        TIME(9, Request, armed_at, 0, .doc = "of the answer"),
        COUNT(10, Request, rung, 0, .doc = "of the answer"),
};

const RecordType request_type = {
        .name = "request",
        .number = 104,
        .version = 1,
        .size = sizeof(Request),
        .fields = request_fields,
        .n_fields = ELEMENTS(request_fields),
};

static void request_key(const void *record, Key *key) {
        const Request *request = record;

        key_bytes(key, request->token, strlen(request->token));
}

static void keys_age(const void *record, Keys *keys) {
        key_u64(keys_add(keys), (uint64_t)((const Request *)record)->at);
}
static const Index index_request_age = { .name = "request_by_age", .keys = keys_age };

const Table request_table = {
        .number = 104,
        .name = "request",
        .type = &request_type,
        .key = request_key,
        .indices = (const Index *const[]){ &index_request_age, NULL },
};

static void half_hex(const Digest *digest, char ret[static REQUEST_TOKEN_SIZE]) {
        for (size_t i = 0; i < DIGEST_SIZE / 2; i++)
                snprintf(ret + 2 * i, 3, "%02x", digest->bytes[i]);
}

void request_token(const char *actor, const char *request_id, char ret[static REQUEST_TOKEN_SIZE]) {
        Digest digest;

        digest_pieces(&digest, actor, strlen(actor) + 1, request_id, strlen(request_id), NULL, 0);
        half_hex(&digest, ret);
}

void request_body(const char *member, Slice arguments, char ret[static REQUEST_TOKEN_SIZE]) {
        Digest digest;

        digest_pieces(&digest, member, strlen(member) + 1, arguments.data, arguments.size, NULL, 0);
        half_hex(&digest, ret);
}

int request_find(Store *store, const char *token, const char *body, Request *ret,
                 Refusal *refusal) {
        Key key = key_of_code(token);
        Request request;
        int r = store_get(store, &request_table, &key, &request);

        if (r < 0)
                return r;
        if (!STREQ(request.body, body)) {
                record_done(&request_type, &request);
                return refuse(
                        refusal, REFUSED_REQUEST_ID,
                        "this request_id was used for another call: take a new one for each call, "
                        "the same one only to repeat it");
        }
        *ret = request;
        return 0;
}

int request_put(Change *change, const Request *request, int64_t keep) {
        int64_t horizon = store_credible_time(change_store(change), request->at) - keep;
        Key prefix = {}, position = {}, key;

        for (unsigned forgotten = 0; forgotten < FORGET_PER_PUT;) {
                Request old;
                int r = store_index_next(change_store(change), &index_request_age, &prefix,
                                         &position, &key);

                if (r == -ENOENT)
                        break;
                if (r < 0)
                        return r;
                if ((int64_t)load_be64(position.bytes) >= horizon)
                        break;
                r = change_get(change, &request_table, &key, &old);
                if (r == -EBADMSG)
                        continue; /* damaged: stays, for check to tell of it */
                if (r < 0)
                        return r;
                record_done(&request_type, &old);
                r = change_remove(change, &request_table, &key);
                if (r < 0)
                        return r;
                forgotten++;
        }
        return change_put(change, &request_table, request);
}
