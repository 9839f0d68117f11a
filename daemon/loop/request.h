/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Answers to calls that carried a request id, stored with what the call wrote: the same call again
 * gets the same answer instead of doing it twice. */

#include "base/digest.h"
#include "loop/engine.h"

typedef struct Request {
        Record record;
        char *token; /* hexadecimal: digest of who called and the id */
        char *body;  /* hexadecimal: digest of what was called */
        int64_t at;
        bool created; /* the answer */
        uint64_t id;
        char *code;
        char *state;
        uint64_t revision;
        int64_t armed_at;
        int64_t rung;
} Request;

extern const RecordType request_type;
extern const Table request_table;

#define REQUEST_TOKEN_SIZE (DIGEST_SIZE + 1) /* half of a digest in hexadecimal */
void request_token(const char *actor, const char *request_id, char ret[static REQUEST_TOKEN_SIZE]);
void request_body(const char *member, Slice arguments, char ret[static REQUEST_TOKEN_SIZE]);

/* The stored answer: 0, -ENOENT, REFUSED_REQUEST_ID when it was another call. */
int request_find(Store *store, const char *token, const char *body, Request *ret, Refusal *refusal);
/* Stores an answer; forgets a few that are older than `keep` microseconds. */
int request_put(Change *change, const Request *request, int64_t keep);
