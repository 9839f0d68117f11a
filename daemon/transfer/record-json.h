/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Whole records as objects of JSON and back, exactly: see transfer/dump.h. */

#include <json-c/json.h>

#include "record/record.h"

/* NULL without memory. */
json_object *record_to_json(const RecordType *type, const void *record);
/* Into an empty record. 0, REFUSED_INVALID_VALUE, -ENOMEM; the record is to be freed in any case.
 */
int record_from_json(const RecordType *type, json_object *object, void *record, Refusal *refusal);

/* Bytes in hexadecimal. */
json_object *bytes_to_json(const void *data, size_t size);
/* 0, -EINVAL, -ENOMEM. */
int bytes_from_json(json_object *value, Buffer *ret);
