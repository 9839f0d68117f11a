/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Records as D-Bus dictionaries, by their field tables. */

#include <systemd/sd-bus.h>

#include "loop/kind.h"

/* What a dictionary brings besides fields; see aftersales/bus.h. Texts point into the message. */
typedef struct CallOptions {
        const char *request_id;
        const char *note;
        const char *by;
        uint64_t revision;
        int64_t at;
} CallOptions;

/* A further key that a dictionary may have. */
typedef struct ExtraKey {
        const char *name;
        char type;   /* 'b', 'x', 't' or 's' */
        void *value; /* bool *, int64_t *, uint64_t *, const char ** */
        bool given;  /* filled by fields_read() */
} ExtraKey;

/* Reads the a{sv} that comes next. Fields of the type go into the (empty) record and the mask;
 * options (unless NULL) and extra keys (ended by a NULL name, or NULL) where they belong. Values
 * are checked by the field table. 0, > 0 refused, negative errno; the record is the caller's to
 * free in any case. */
int fields_read(sd_bus_message *m, const RecordType *type, void *record, FieldMask *given,
                CallOptions *options, ExtraKey *extra, Refusal *refusal);

/* Appends the record as a{sv}; personal fields are masked unless `personal`. */
int fields_append(sd_bus_message *m, const RecordType *type, const void *record, bool personal);
/* How many bytes of a message that takes, about. */
size_t fields_bytes(const RecordType *type, const void *record);
/* Single entries of an a{sv} that is open. */
int entry_append_text(sd_bus_message *m, const char *key, const char *value);
int entry_append_number(sd_bus_message *m, const char *key, char type, int64_t value);
