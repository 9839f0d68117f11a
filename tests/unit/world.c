/* SPDX-License-Identifier: Apache-2.0 */

#include "world.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "aftersales/kinds.h"
#include "base/digest.h"
#include "dealers/report.h"
#include "loop/history.h"
#include "loop/periodic.h"
#include "loop/request.h"
#include "masters/product.h"
#include "masters/unit.h"
#include "transfer/value.h"

const Table *const world_tables[] = {
        &unit_table,    &product_table, &serial_table,     &fault_table,
        &ticket_table,  &history_table, &escalation_table, &notification_table,
        &request_table, &version_table, &periodic_table,   &report_table,
        NULL,
};
const Kind *const world_kinds[] = { &ticket_kind, &report_kind, NULL };

const char world_yaml[] =
        "site: 2\n"
        "zone: Asia/Shanghai\n"
        "calendars:\n"
        "  service:\n"
        "    week:\n"
        "      monday: [08:00-20:00]\n"
        "      tuesday: [08:00-20:00]\n"
        "      wednesday: [08:00-20:00]\n"
        "      thursday: [08:00-20:00]\n"
        "      friday: [08:00-20:00]\n"
        "      saturday: [08:00-20:00]\n"
        "      sunday: [08:00-20:00]\n"
        "  office:\n"
        "    week:\n"
        "      monday: [09:00-12:00, 13:00-18:00]\n"
        "      tuesday: [09:00-12:00, 13:00-18:00]\n"
        "      wednesday: [09:00-12:00, 13:00-18:00]\n"
        "      thursday: [09:00-12:00, 13:00-18:00]\n"
        "      friday: [09:00-12:00, 13:00-18:00]\n"
        "ladders:\n"
        "  slow:\n"
        "    warn_at: 80%\n"
        "    rungs:\n"
        "      - {to: owner, after: 0s}\n"
        "      - {to: subcentre, after: 2h}\n"
        "      - {to: business, after: 4h}\n"
        "      - {to: president, after: 8h}\n"
        "    repeat: 4h\n"
        "  fast:\n"
        "    warn_at: 50%\n"
        "    rungs:\n"
        "      - {to: owner, after: 0s}\n"
        "      - {to: general, after: 1h}\n"
        "    repeat: 2h\n"
        "targets:\n"
        "  ticket:\n"
        "    default:\n"
        "      normal: {calendar: service, ladder: slow, response: 2h, visit: 8h, resolve: 24h,\n"
        "               followup: 8h, waiting: 24h}\n"
        "      urgent: {calendar: always, ladder: fast, response: 1h, visit: 4h, resolve: 12h,\n"
        "               followup: 4h, waiting: 12h}\n"
        "      special: {calendar: office, ladder: fast, response: 1h, visit: 4h, resolve: 12h,\n"
        "                followup: 4h, waiting: 12h}\n"
        "    complaint:\n"
        "      normal: {ladder: fast, response: 30m}\n"
        "tickets:\n"
        "  visit_required: [installation, repair]\n"
        "  assign_dealer: true\n"
        "  followup_attempts: 2\n"
        "  repeat_within: 30d\n";

/* ---- building ------------------------------------------------------------------------------- */

int world_load(const char *yaml, ConfigErrors *errors, Policy **ret) {
        char path[] = "/tmp/test-policy-XXXXXX";
        _cleanup_close_ int fd = mkstemp(path);
        int r;

        assert_true(fd >= 0);
        assert_int_equal(write(fd, yaml, strlen(yaml)), strlen(yaml));
        r = config_load(path, errors, ret);
        assert_int_equal(unlink(path), 0);
        return r;
}

static void print_errors(const ConfigErrors *errors) {
        for (size_t i = 0; i < errors->errors.n; i++)
                print_error("%s\n", errors->errors.list[i].text);
}

static void open_store(World *world, Kv *kv) {
        Refusal why = {};

        world->options.kv = kv;
        if (store_open(&world->options, &world->store, &why) < 0)
                fail_msg("%s", why.text);
}

void world_init(World *world, Kv *kv, const char *directory) {
        _cleanup_(config_errors_done) ConfigErrors errors = {};
        int r;

        assert_int_equal(digest_init(), 0);
        *world = (World){
                .options = { .directory = directory,
                             .map_size = 256 * 1024 * 1024,
                             .site = WORLD_SITE,
                             .journal_keep = INT64_MAX / 4,
                             .tables = world_tables },
                .now = WORLD_BEGIN,
                .actor = { .name = "uid:1",
                           .role = "all",
                           .permissions = UINT64_MAX,
                           .scope = SCOPE_HEADQUARTERS },
        };
        r = world_load(world_yaml, &errors, &world->policy);
        if (r == 0)
                r = engine_new(world->policy, world_kinds, unit_find_recipient, &errors,
                               &world->engine);
        print_errors(&errors);
        assert_int_equal(r, 0);
        open_store(world, kv);
        world_found(world);
}

void world_done(World *world) {
        record_done(&head_type, &world->head);
        world->store = store_free(world->store);
        world->engine = engine_free(world->engine);
        world->policy = policy_free(world->policy);
}

void world_reopen(World *world, Kv *kv) {
        world->store = store_free(world->store);
        open_store(world, kv);
}

/* ---- fields --------------------------------------------------------------------------------- */

void world_set(World *world, const RecordType *type, void *record, FieldMask *given,
               const char *name, const char *value) {
        size_t position;
        const Field *field = record_field(type, name, &position);
        int64_t number;

        if (!field)
                fail_msg("there is no field %s", name);
        field_mask_set(given, position);
        if (field->type == FIELD_TEXT) {
                assert_int_equal(field_set_text(field, record, value), 0);
                return;
        }
        if (field->type == FIELD_LIST) {
                assert_int_equal(value_read(field, value, record, &world->refusal), 0);
                return;
        }
        if (field->type == FIELD_ENUM) {
                number = enum_value(field->names, value);
                assert_true(number > 0);
        } else if (field->type == FIELD_DATE)
                assert_int_equal(field_parse_date(field, value, &number, &world->refusal), 0);
        else
                number = strtoll(value, NULL, 10) * (*value == '+' ? USEC_PER_SEC : 1) +
                         (*value == '+' ? world->now : 0);
        field_set_number(field, record, number);
}

/* Fills a call from names and values in turn. */
static void read_arguments(World *world, const RecordType *type, void *record, Call *call,
                           va_list arguments) {
        const char *name;

        *call = (Call){ .actor = &world->actor, .now = world->now, .fields = record };
        while ((name = va_arg(arguments, const char *))) {
                const char *value = va_arg(arguments, const char *);

                if (STREQ(name, "note"))
                        call->note = value;
                else if (STREQ(name, "at"))
                        call->at = strtoll(value, NULL, 10);
                else if (STREQ(name, "quiet"))
                        call->quiet = STREQ(value, "true");
                else if (STREQ(name, "revision"))
                        call->revision = strtoull(value, NULL, 10);
                else
                        world_set(world, type, record, &call->given, name, value);
        }
}

/* ---- calls ---------------------------------------------------------------------------------- */

static int finish(World *world, Change *change, const char *verb, int r) {
        Origin origin = engine_origin(world->engine, world->now, verb);

        if (r != 0 || change_is_empty(change)) {
                change_drop(change);
                return r;
        }
        return change_apply(change, &origin);
}

int world_call(World *world, const Transition *transition, uint64_t id, const Call *given) {
        Call said = *given, *call = &said;
        Change *change;
        int r;

        if (world->punctual)
                said.at = 0;
        if (world->taken_over_at) {
                said.at = said.at ? said.at : said.now;
                said.now = world->taken_over_at;
                said.quiet = true;
        }

        record_done(&head_type, &world->head);
        world->refusal = (Refusal){};
        r = transition && !world->unsettled
                    ? engine_settle(world->engine, world->store, KIND_TICKET, id, call)
                    : 0;
        if (r == 0)
                r = change_begin(world->store, &change);
        if (r < 0)
                return r;
        r = transition ? engine_move(world->engine, change, &ticket_kind, transition, id, call,
                                     &world->head, &world->refusal)
                       : engine_create(world->engine, change, &ticket_kind, call, &world->head,
                                       &world->created, &world->refusal);
        assert_int_equal(r > 0 ? r : 0, world->refusal.code);
        return finish(world, change, transition ? transition->name : "create", r);
}

int world_create(World *world, uint64_t *ret_id, ...) {
        Ticket fields = {};
        va_list arguments;
        Call call;
        int r;

        va_start(arguments, ret_id);
        read_arguments(world, ticket_table.type, &fields, &call, arguments);
        va_end(arguments);
        r = world_call(world, NULL, 0, &call);
        if (r == 0)
                *ret_id = world->head.id;
        ticket_done(&fields);
        return r;
}

int world_move(World *world, const char *transition, uint64_t id, ...) {
        const Transition *t = kind_transition(&ticket_kind, transition);
        Ticket fields = {};
        va_list arguments;
        Call call;
        int r;

        assert_non_null(t);
        va_start(arguments, id);
        read_arguments(world, ticket_table.type, &fields, &call, arguments);
        va_end(arguments);
        r = world_call(world, t, id, &call);
        ticket_done(&fields);
        return r;
}

void world_unit(World *world, const char *code, const char *kind, const char *parent,
                const char *regions) {
        const char *fields[] = { "code", code,     "name", code,      "kind",
                                 kind,   "parent", parent, "regions", regions };
        Unit unit = {};
        Call call = { .actor = &world->actor, .now = world->now, .fields = &unit };
        uint64_t revision;
        Change *change;
        int r;

        for (size_t i = 0; i < ELEMENTS(fields); i += 2)
                if (fields[i + 1])
                        world_set(world, unit_table.type, &unit, &call.given, fields[i],
                                  fields[i + 1]);
        assert_int_equal(change_begin(world->store, &change), 0);
        r = register_create(&unit_register, world->engine, change, &call, &revision,
                            &world->refusal);
        if (r > 0)
                print_error("%s\n", world->refusal.text);
        assert_int_equal(finish(world, change, "unit", r), 0);
        unit_done(&unit);
}

void world_found(World *world) {
        world_unit(world, "HQ", "headquarters", NULL, NULL);
        world_unit(world, "BIZ", "business", "HQ", NULL);
        world_unit(world, "PRES", "president", "HQ", NULL);
        world_unit(world, "BJ", "subcentre", "HQ", "11");
        world_unit(world, "SH", "subcentre", "HQ", "31");
        world_unit(world, "BJ1", "dealer", "BJ", "1101");
        world_unit(world, "BJ2", "dealer", "BJ", "1101 1102");
        world_unit(world, "SH1", "dealer", "SH", "31");
}

unsigned world_pass(World *world, int64_t until) {
        unsigned n = 0;

        for (;;) {
                Key position = {};
                DueCase due;
                int r = engine_next_due(world->store, &position, &due);

                assert_true(r == 0 || r == -ENOENT);
                if (r < 0 || due.at >= until)
                        break;
                world->now = MAX(world->now, due.at + 1);
                r = engine_fire(world->engine, world->store, due.kind, due.id, world->now);
                assert_true(r >= 0);
                n += r == 0;
        }
        world->now = MAX(world->now, until);
        return n;
}

void world_commit(World *world) {
        assert_int_equal(store_commit(world->store), 0);
}

/* ---- looking -------------------------------------------------------------------------------- */

Ticket world_ticket(World *world, uint64_t id) {
        Key key = key_of_id(id);
        Ticket ticket;

        assert_int_equal(store_get(world->store, &ticket_table, &key, &ticket), 0);
        return ticket;
}

bool world_escalation(World *world, Key *position, Escalation *ret) {
        int r = store_next(world->store, &escalation_table, position, ret);

        assert_true(r == 0 || r == -ENOENT);
        return r == 0;
}

static void report_line(void *userdata, const char *line) {
        fprintf(userdata, "%s\n", line);
}

char *world_check(World *world) {
        uint64_t records, faults;
        char *text = NULL;
        size_t size;
        FILE *stream = open_memstream(&text, &size);

        assert_non_null(stream);
        assert_int_equal(store_check(world->store, report_line, stream, &records, &faults), 0);
        assert_int_equal(engine_check(world_kinds, world->store, report_line, stream, &faults), 0);
        store_release(world->store);
        assert_int_equal(fclose(stream), 0);
        assert_int_equal(faults > 0, size > 0);
        return text;
}
