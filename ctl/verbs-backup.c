/* SPDX-License-Identifier: Apache-2.0 */

/* Backups. */

#include "verbs.h"

#include <inttypes.h>

#include "job.h"
#include "json.h"

static int write_made(Context *context, json_object *job) {
        if (context_is_json(context))
                return context_write_json(context, NULL, job);
        return output_line(&context->output,
                           "%s: %" PRIu64 " records in %" PRIu64 " bytes, up to change %" PRIu64
                           ", proved",
                           json_object_get_string(json_object_object_get(job, "name")),
                           json_object_get_uint64(json_object_object_get(job, "records")),
                           json_object_get_uint64(json_object_object_get(job, "bytes")),
                           json_object_get_uint64(json_object_object_get(job, "sequence")));
}

int verb_backup(Context *context) {
        _cleanup_json_ json_object *answer = NULL, *job = NULL;
        int exit_code, r;

        r = client_get(&context->client, context->noun->interface, "Create", "t", &answer, "");
        if (r == 0)
                r = job_follow(context, json_object_get_uint64(answer), &job);
        if (r != 0)
                return r;
        exit_code = job_exit_code(context, job);
        return exit_code != 0 ? exit_code : write_made(context, job);
}

int verb_backup_list(Context *context) {
        static const Field fields[] = {
                FIELD("name", TEXT),
                FIELD("time", TIME),
                FIELD("bytes", COUNT),
        };
        _cleanup_json_ json_object *rows = NULL;
        int r = client_get(&context->client, context->noun->interface, "List", "aa{sv}", &rows, "");

        return r != 0 ? r : context_write_rows(context, fields, ELEMENTS(fields), rows);
}
