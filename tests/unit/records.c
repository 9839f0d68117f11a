/* SPDX-License-Identifier: Apache-2.0 */

#include "records.h"

#include <stdarg.h>

#include <setjmp.h>
#include <string.h>

#include <cmocka.h>

#include "base/macro.h"
#include "dealers/report.h"
#include "loop/engine.h"
#include "loop/explain.h"
#include "loop/history.h"
#include "loop/periodic.h"
#include "loop/request.h"
#include "loop/version.h"
#include "masters/product.h"
#include "masters/unit.h"
#include "tickets/ticket.h"

#define TYPES_MAX    32
#define TEXT_AT_MOST 40

/* ---- every type there is -------------------------------------------------------------------- */

/* A type and those of its lists. */
static void add_type(const RecordType **types, size_t *n, const RecordType *type) {
        for (size_t i = 0; i < *n; i++)
                if (types[i] == type)
                        return;
        assert_true(*n + 1 < TYPES_MAX);
        types[(*n)++] = type;
        for (size_t i = 0; i < type->n_fields; i++)
                if (type->fields[i].type == FIELD_LIST)
                        add_type(types, n, type->fields[i].items);
}

const RecordType *const *all_types(size_t *ret_n) {
        static const RecordType *types[TYPES_MAX];
        const RecordType *const roots[] = {
                unit_table.type,    product_table.type, serial_table.type, fault_table.type,
                ticket_table.type,  history_table.type, &escalation_type,  &notification_type,
                request_table.type, &head_type,         &explain_type,     &version_type,
                &periodic_type,     report_table.type,
        };
        size_t n = 0;

        for (size_t i = 0; i < ELEMENTS(roots); i++)
                add_type(types, &n, roots[i]);
        types[n] = NULL;
        *ret_n = n;
        return types;
}

/* ---- one of every sort ---------------------------------------------------------------------- */

static const char *const colour_name[] = { NULL, "red", "green" };
static const EnumNames colour_names = { colour_name, ELEMENTS(colour_name) };
static const Field thing_fields[] = {
        ID(1, Thing, id, 0, .doc = "-"),
        TIME(2, Thing, time, 0, .doc = "-"),
        DATE(3, Thing, date, 0, .doc = "-"),
        MONEY(4, Thing, money, 0, .doc = "-"),
        COUNT(6, Thing, count, 0, .limit = 5, .doc = "-"),
        ENUM(7, Thing, colour, 0, &colour_names, .doc = "-"),
        TEXT(8, Thing, text, 0, 10, .doc = "-"),
        TEXT(9, Thing, code, FIELD_CODE, 6, .doc = "-"),
        TEXT(200, Thing, lines, FIELD_MULTILINE, 70000, .doc = "-"),
        FLAG(300, Thing, flag, 0, .doc = "-"),
        LIST(301, Thing, things, 0, &thing_type, .doc = "-"),
};

const RecordType thing_type = {
        .name = "thing",
        .number = 200,
        .version = 3,
        .size = sizeof(Thing),
        .fields = thing_fields,
        .n_fields = ELEMENTS(thing_fields),
};

/* ---- random records ------------------------------------------------------------------------- */

static void random_text(Rng *rng, const Field *field, void *record) {
        static const char *const characters[] = { "a", "Z", "0", "-", "\xc2\xa2", "空", "𠮷" };
        char text[TEXT_AT_MOST * 4 + 1] = "";
        int64_t limit = MIN(field->limit, (int64_t)TEXT_AT_MOST);
        size_t used = 0, n = (size_t)rng_between(rng, 1, limit);

        for (;;) {
                const char *c = characters[rng_below(rng, ELEMENTS(characters))];

                if (used > 0 && used + strlen(c) > n)
                        break;
                memcpy(text + used, c, strlen(c) + 1);
                used += strlen(c);
        }
        assert_int_equal(field_set_text(field, record, text), 0);
}

static int64_t random_number(Rng *rng, const Field *field) {
        int64_t bits = (int64_t)(rng_next(rng) >> (1 + rng_below(rng, 63)));

        switch (field->type) {
        case FIELD_FLAG:
                return 1;
        case FIELD_ENUM: /* now and then one that a newer program knows */
                return rng_one_in(rng, 8) ? INT32_MAX : rng_between(rng, 1, field->names->n - 1);
        default:
                return rng_one_in(rng, 2) ? bits : -bits;
        }
}

void random_record(Rng *rng, const RecordType *type, void *record) {
        memset(record, 0, type->size);
        for (size_t i = 0; i < type->n_fields; i++) {
                const Field *field = &type->fields[i];

                if (rng_one_in(rng, 4))
                        continue;
                if (field->type == FIELD_TEXT)
                        random_text(rng, field, record);
                else if (field->type != FIELD_LIST)
                        field_set_number(field, record, random_number(rng, field));
                else
                        for (uint64_t n = rng_below(rng, 4); n > 0; n--) {
                                void *item = list_add(field_at(field, record), field->items);

                                assert_non_null(item);
                                random_record(rng, field->items, item);
                        }
        }
}

static bool same_list(const Field *field, const void *a, const void *b) {
        const List *x = field_at(field, a), *y = field_at(field, b);

        if (x->n != y->n)
                return false;
        for (size_t i = 0; i < x->n; i++)
                if (!same_record(field->items, (char *)x->items + i * field->items->size,
                                 (char *)y->items + i * field->items->size))
                        return false;
        return true;
}

bool same_record(const RecordType *type, const void *a, const void *b) {
        const Record *x = a, *y = b;

        for (size_t i = 0; i < type->n_fields; i++) {
                const Field *field = &type->fields[i];
                const char *s, *t;
                bool same;

                if (field->type == FIELD_LIST)
                        same = same_list(field, a, b);
                else if (field->type == FIELD_TEXT) {
                        s = field_text(field, a);
                        t = field_text(field, b);
                        same = s && t ? STREQ(s, t) && s != t : s == t;
                } else
                        same = field_number(field, a) == field_number(field, b);
                if (!same)
                        return false;
        }
        return x->unknown_size == y->unknown_size &&
               (x->unknown_size == 0 || memcmp(x->unknown, y->unknown, x->unknown_size) == 0);
}
