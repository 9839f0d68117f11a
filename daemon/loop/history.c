/* SPDX-License-Identifier: Apache-2.0 */

#include "loop/history.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "aftersales/limits.h"

#define VALUE_TEXT_SIZE 64

static const Field change_fields[] = {
        TEXT(1, FieldChange, field, 0, NAME_MAX_BYTES, .doc = "name of the field"),
        TEXT(2, FieldChange, before, 0, TEXT_MAX_BYTES, .doc = "what it was"),
        TEXT(3, FieldChange, after, 0, TEXT_MAX_BYTES, .doc = "what it became"),
};

static const RecordType change_type = {
        .name = "change",
        .size = sizeof(FieldChange),
        .fields = change_fields,
        .n_fields = ELEMENTS(change_fields),
};

static const Field event_fields[] = {
        COUNT(1, Event, kind, FIELD_HIDDEN, .doc = "kind of record"),
        ID(2, Event, id, FIELD_HIDDEN, .doc = "number of the case"),
        TEXT(3, Event, code, FIELD_HIDDEN, CODE_MAX_BYTES, .doc = "code of the master data"),
        ID(4, Event, revision, 0, .doc = "the revision that the change made"),
        TIME(5, Event, at, 0, .doc = "when"),
        TEXT(6, Event, actor, 0, NAME_MAX_BYTES, .doc = "who"),
        TEXT(7, Event, verb, 0, NAME_MAX_BYTES, .doc = "what was done"),
        TEXT(8, Event, from, 0, NAME_MAX_BYTES, .doc = "state before"),
        TEXT(9, Event, to, 0, NAME_MAX_BYTES, .doc = "state after"),
        TEXT(10, Event, note, FIELD_PERSONAL, TEXT_MAX_BYTES, .doc = "what the caller remarked"),
        LIST(11, Event, changes, 0, &change_type, .doc = "fields that the call has set"),
};

const RecordType event_type = {
        .name = "event",
        .number = 100,
        .version = 1,
        .size = sizeof(Event),
        .fields = event_fields,
        .n_fields = ELEMENTS(event_fields),
};

Key history_prefix(int64_t kind, uint64_t id, const char *code) {
        Key key = {};

        key_u8(&key, (uint8_t)kind);
        if (code)
                key_text(&key, code);
        else
                key_u64(&key, id);
        return key;
}

static void event_key(const void *record, Key *key) {
        const Event *event = record;

        *key = history_prefix(event->kind, event->id, event->code);
        key_u64(key, event->revision);
}

const Table history_table = {
        .number = 100,
        .name = "history",
        .type = &event_type,
        .key = event_key,
};

static const char *value_text(const Field *field, const void *record,
                              char buffer[static VALUE_TEXT_SIZE]) {
        int64_t value;

        if (field->type == FIELD_TEXT)
                return field_text(field, record);
        value = field_number(field, record);
        switch (field->type) {
        case FIELD_ENUM:
                return enum_name(field->names, (int)value);
        case FIELD_FLAG:
                return value ? "true" : "false";
        case FIELD_DATE:
                return date_format(value, buffer);
        case FIELD_TIME:
                return time_format(value, buffer);
        default:
                snprintf(buffer, VALUE_TEXT_SIZE, "%" PRId64, value);
                return buffer;
        }
}

static bool same_text(const char *a, const char *b) {
        return a && b ? STREQ(a, b) : a == b;
}

static int add_change(Event *event, const Field *field, const char *before, const char *after) {
        FieldChange *change;
        int r;

        if (same_text(before, after))
                return 0;
        change = list_add(&event->changes, &change_type);
        if (!change)
                return -ENOMEM;
        r = field_set_text(&change_fields[0], change, field->name);
        if (r == 0)
                r = field_set_text(&change_fields[1], change, before);
        if (r == 0)
                r = field_set_text(&change_fields[2], change, after);
        return r;
}

int history_add_changes(Event *event, const RecordType *type, const void *before, const void *after,
                        const FieldMask *mask) {
        for (size_t i = 0; i < type->n_fields; i++) {
                const Field *field = &type->fields[i];
                char old[VALUE_TEXT_SIZE], new[VALUE_TEXT_SIZE];
                int r;

                if (!(field_mask_has(mask, i) || (field->marks & FIELD_TRACKED)) ||
                    field->type == FIELD_LIST)
                        continue;
                r = add_change(event, field,
                               before && field_is_set(field, before)
                                       ? value_text(field, before, old)
                                       : NULL,
                               field_is_set(field, after) ? value_text(field, after, new) : NULL);
                if (r < 0)
                        return r;
        }
        return 0;
}

int history_next(Store *store, const Key *prefix, Key *position, Event *ret) {
        const Key *from = position->size > 0 ? position : prefix;
        Key at = *from;
        Event event;
        int r;

        r = store_next(store, &history_table, &at, &event);
        if (r < 0)
                return r;
        if (!slice_begins(key_slice(&at), key_slice(prefix))) {
                record_done(&event_type, &event);
                return -ENOENT;
        }
        *position = at;
        *ret = event;
        return 0;
}

/* In place: "***" for whatever there is, however long it was. */
static void mask_text(char *text) {
        if (text)
                snprintf(text, strlen(text) + 1, "***");
}

void history_mask(Event *event, const RecordType *type) {
        FieldChange *changes = event->changes.items;

        for (size_t i = 0; i < event->changes.n; i++) {
                const Field *field = record_field(type, changes[i].field, NULL);

                if (field && !(field->marks & FIELD_PERSONAL))
                        continue;
                mask_text(changes[i].before);
                mask_text(changes[i].after);
        }
}
