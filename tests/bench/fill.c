/* SPDX-License-Identifier: Apache-2.0 */

/* Fills a store with open tickets, through the engine and the store as the daemon would, only with
 * larger batches:
 *
 *      fill CONFIG STATE N
 *
 * One sub-centre for each of ten provinces, ten dealers each; tickets a second apart, all types and
 * priorities. */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "aftersales/limits.h"
#include "aftersales/ticket.h"
#include "app.h"
#include "base/digest.h"
#include "loop/engine.h"
#include "masters/unit.h"
#include "tickets/ticket.h"

#define COMMIT_EVERY 8192
#define PROVINCES    10
#define DEALERS      10
#define APART        1000 /* microseconds: a million tickets come in within a quarter of an hour */
#define FIRST_TIME   (INT64_C(1767225600) * USEC_PER_SEC) /* 2026-01-01 */

static const Actor root = { .name = "uid:0/fill",
                            .role = "administrator",
                            .permissions = UINT64_MAX,
                            .scope = SCOPE_HEADQUARTERS };

typedef struct Filling {
        Policy *policy;
        Engine *engine;
        Store *store;
        Refusal refusal;
        int64_t now;
} Filling;

static void give(const RecordType *type, void *record, FieldMask *given, const char *name,
                 const char *text) {
        size_t position;
        const Field *field = record_field(type, name, &position);

        if (field->type == FIELD_ENUM)
                field_set_number(field, record, enum_value(field->names, text));
        else
                field_set_text(field, record, text);
        field_mask_set(given, position);
}

static int apply(Filling *f, Change *change, const char *verb, int r) {
        Origin origin = {
                .time = f->now, .actor = root.name, .verb = verb, .policy = f->policy->digest
        };

        if (r == 0)
                return change_apply(change, &origin);
        change_drop(change);
        if (r > 0)
                fprintf(stderr, "fill: %s\n", f->refusal.text);
        return r > 0 ? -EINVAL : r;
}

static int add_unit(Filling *f, const char *code, const char *kind, const char *parent,
                    const char *regions) {
        const RecordType *type = unit_table.type;
        Unit unit = {};
        Call call = { .actor = &root, .now = f->now, .fields = &unit };
        uint64_t revision;
        Change *change;
        int r;

        give(type, &unit, &call.given, "code", code);
        give(type, &unit, &call.given, "name", code);
        give(type, &unit, &call.given, "kind", kind);
        if (parent)
                give(type, &unit, &call.given, "parent", parent);
        if (regions)
                give(type, &unit, &call.given, "regions", regions);
        r = change_begin(f->store, &change);
        if (r == 0)
                r = apply(f, change, "fill",
                          register_create(&unit_register, f->engine, change, &call, &revision,
                                          &f->refusal));
        unit_done(&unit);
        return r;
}

static int add_units(Filling *f) {
        int r = add_unit(f, "HQ", "headquarters", NULL, NULL);

        if (r == 0)
                r = add_unit(f, "BIZ", "business", "HQ", NULL);
        if (r == 0)
                r = add_unit(f, "PRES", "president", "HQ", NULL);
        for (int i = 0; r == 0 && i < PROVINCES; i++) {
                char centre[16], region[16];

                snprintf(centre, sizeof(centre), "S%d", i);
                snprintf(region, sizeof(region), "%d", 11 + i);
                r = add_unit(f, centre, "subcentre", "HQ", region);
                for (int k = 0; r == 0 && k < DEALERS; k++) {
                        char dealer[40], area[16];

                        snprintf(dealer, sizeof(dealer), "D%d-%d", i, k);
                        snprintf(area, sizeof(area), "%d%02d", 11 + i, k + 1);
                        r = add_unit(f, dealer, "dealer", centre, area);
                }
        }
        return r;
}

static int add_ticket(Filling *f, uint64_t i) {
        const RecordType *type = ticket_table.type;
        const Kind *kind = &ticket_kind;
        Ticket ticket = {};
        Call call = { .actor = &root, .now = f->now, .fields = &ticket };
        char region[16], phone[32], reference[32];
        bool created;
        Head head = {};
        Change *change;
        int r;

        snprintf(region, sizeof(region), "%d%02d05", 11 + (int)(i % PROVINCES),
                 1 + (int)(i / PROVINCES % DEALERS));
        snprintf(phone, sizeof(phone), "000-%08" PRIu64, i * UINT64_C(2654435761) % 100000000);
        snprintf(reference, sizeof(reference), "F%08" PRIu64, i);
        give(type, &ticket, &call.given, "type", kind->type_names->names[1 + i % 8]);
        give(type, &ticket, &call.given, "priority", kind->priority_names->names[1 + i % 2]);
        give(type, &ticket, &call.given, "region", region);
        give(type, &ticket, &call.given, "phone", phone);
        give(type, &ticket, &call.given, "reference", reference);
        give(type, &ticket, &call.given, "customer_name", "用户");
        r = change_begin(f->store, &change);
        if (r == 0)
                r = apply(f, change, "fill",
                          engine_create(f->engine, change, kind, &call, &head, &created,
                                        &f->refusal));
        record_done(&head_type, &head);
        ticket_done(&ticket);
        return r;
}

static int fill(Filling *f, uint64_t n) {
        int r = add_units(f);

        for (uint64_t i = 0; r == 0 && i < n; i++) {
                f->now += APART;
                r = add_ticket(f, i);
                if (r == 0 && store_batch_changes(f->store) >= COMMIT_EVERY)
                        r = store_commit(f->store);
        }
        if (r == 0)
                r = store_commit(f->store);
        /* What was filled in is no news, and nothing of it is due yet. */
        store_note_time(f->store, f->now);
        store_note_published(f->store, store_head(f->store)->sequence);
        return r == 0 ? store_flush(f->store) : r;
}

int main(int argc, char *argv[]) {
        _cleanup_(config_errors_done) ConfigErrors errors = {};
        Filling f = { .now = FIRST_TIME };
        StoreOptions options = { .tables = app_tables };
        int r;

        if (argc != 4) {
                fprintf(stderr, "usage: fill CONFIG STATE N\n");
                return 64;
        }
        mkdir(argv[2], 0700);
        r = digest_init();
        if (r == 0)
                r = config_load(argv[1], &errors, &f.policy);
        if (r == 0)
                r = engine_new(f.policy, app_kinds, unit_find_recipient, &errors, &f.engine);
        if (r == 0) {
                options.directory = argv[2];
                options.map_size = (uint64_t)f.policy->map_size;
                options.journal_keep = f.policy->journal_keep * USEC_PER_SEC;
                r = store_open(&options, &f.store, &f.refusal);
        }
        /* As the daemon does at its start, which then has nothing to compute anew. */
        if (r == 0)
                r = engine_enter(f.engine, f.store, "daemon", f.now);
        if (r == 0)
                r = fill(&f, strtoull(argv[3], NULL, 10));
        if (r != 0)
                fprintf(stderr, "fill: %s\n",
                        r < 0 ? strerror(-r) : "the configuration is refused");
        store_free(f.store);
        engine_free(f.engine);
        policy_free(f.policy);
        return r == 0 ? 0 : 1;
}
