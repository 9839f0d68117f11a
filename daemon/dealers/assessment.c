/* SPDX-License-Identifier: Apache-2.0 */

#include "dealers/assessment.h"

#include "aftersales/kinds.h"
#include "aftersales/limits.h"
#include "base/zone.h"

static const char *const item_name[] = {
        [ASSESSMENT_PLAN_LATE] = "plan_late",
        [ASSESSMENT_RETURN_LATE] = "return_late",
};
static const EnumNames item_names = { item_name, ELEMENTS(item_name) };

static const Field assessment_fields[] = {
        ENTRY_FIELDS,
        TEXT(16, Assessment, dealer, FIELD_CODE | FIELD_FILTER, CODE_MAX_BYTES,
             .doc = "whom it is held against"),
        TEXT(17, Assessment, subcentre, FIELD_CODE | FIELD_FILTER, CODE_MAX_BYTES,
             .doc = "that controls the dealer"),
        ENUM(18, Assessment, item, FIELD_FILTER, &item_names, .doc = "what has happened"),
        DATE(19, Assessment, day, 0, .doc = "day on which it was due"),
};

static const RecordType assessment_type = {
        .name = "assessment",
        .number = 33,
        .version = 1,
        .size = sizeof(Assessment),
        .fields = assessment_fields,
        .n_fields = ELEMENTS(assessment_fields),
};

static void keys_dealer(const void *record, Keys *keys) {
        key_text(keys_add(keys), ((const Assessment *)record)->dealer);
}
static const Index index_assessment_dealer = { .name = "assessment_by_dealer",
                                               .keys = keys_dealer };

static const char *assessment_fault(const void *record) {
        const Assessment *assessment = record;

        return assessment->dealer && assessment->item && assessment->day
                       ? NULL
                       : "an assessment has no dealer, item or day";
}

const Table assessment_table = {
        .number = 33,
        .name = "assessment",
        .type = &assessment_type,
        .key = entry_key,
        .numbered = true,
        .indices = (const Index *const[]){ &index_assessment_dealer, NULL },
        .fault = assessment_fault,
};

static bool may_see(const Actor *actor, const void *record) {
        const Assessment *assessment = record;

        return actor_in_scope(actor, assessment->subcentre, assessment->dealer);
}

static void prefix_dealer(const void *filter, Key *key) {
        key_text(key, ((const Assessment *)filter)->dealer);
}

static const ListPath paths[] = {
        { .field = "dealer", .index = &index_assessment_dealer, .prefix = prefix_dealer },
};

const Register assessment_register = {
        .name = "assessment",
        .letter = LETTER_ASSESSMENT,
        .table = &assessment_table,
        .read = PERMISSION_ASSESSMENT_READ,
        .paths = paths,
        .n_paths = ELEMENTS(paths),
        .made_by = "an assessment is made by what has happened, never by itself",
        .may_see = may_see,
        .doc = "what counts for or against dealers",
};

int assess(const Engine *engine, Change *change, const Case *c, AssessmentItem item,
           int64_t due_at) {
        int32_t day, second;
        Assessment assessment = {
                .entry = { .at = due_at,
                           .actor = (char[]){ "daemon" },
                           .cause = c->kind,
                           .cause_id = c->id },
                .dealer = c->dealer,
                .subcentre = c->subcentre,
                .item = (int)item,
        };

        if (!c->dealer)
                return 0;
        zone_local(engine_zone(engine), due_at / USEC_PER_SEC, &day, &second);
        assessment.day = day;
        return register_enter(&assessment_register, change, &assessment);
}
