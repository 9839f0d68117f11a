/* SPDX-License-Identifier: Apache-2.0 */

#include "masters/unit.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "aftersales/limits.h"

static const char *const unit_kind_name[] = {
        [UNIT_HEADQUARTERS] = "headquarters",
        [UNIT_TECHNICAL] = "technical",
        [UNIT_PARTS] = "parts",
        [UNIT_BUSINESS] = "business",
        [UNIT_GENERAL] = "general",
        [UNIT_PRESIDENT] = "president",
        [UNIT_SUBCENTRE] = "subcentre",
        [UNIT_DEALER] = "dealer",
};
static const EnumNames unit_kind_names = { unit_kind_name, ELEMENTS(unit_kind_name) };

static const char *const supply_name[] = {
        [SUPPLY_PLANNED] = "planned", [SUPPLY_EMERGENCY] = "emergency"
};
static const EnumNames supply_names = { supply_name, ELEMENTS(supply_name) };

#define GIVEN             (FIELD_SETTABLE | FIELD_UPDATABLE)
#define REGIONS_MAX_BYTES ((REGION_DIGITS_MAX + 1) * UNIT_REGIONS_MAX)

static const Field unit_fields[] = {
        MASTER_FIELDS("code of the unit"),
        TEXT(8, Unit, name, FIELD_REQUIRED | GIVEN, 200, .doc = "its name"),
        ENUM(9, Unit, kind, FIELD_REQUIRED | FIELD_SETTABLE | FIELD_FILTER, &unit_kind_names,
             .doc = "what it is in the organisation"),
        TEXT(10, Unit, parent, GIVEN | FIELD_CODE | FIELD_FILTER, CODE_MAX_BYTES,
             .doc = "code of the unit above it; a dealer's is its sub-centre"),
        TEXT(11, Unit, regions, GIVEN, REGIONS_MAX_BYTES,
             .doc = "region codes (GB/T 2260, town, village) or prefixes it serves, separated by "
                    "blanks"),
        TEXT(12, Unit, contact, GIVEN | FIELD_PERSONAL, 400, .doc = "whom to call there"),
        ENUM(13, Unit, supply, GIVEN | FIELD_FILTER, &supply_names,
             .doc = "how it gets its parts: planned or emergency"),
        COUNT(14, Unit, head_count, GIVEN, .limit = 100000, .doc = "people working there"),
        FLAG(15, Unit, active, GIVEN | FIELD_FILTER,
             .doc = "whether it takes cases; true unless given"),
};

static const RecordType unit_type = {
        .name = "unit",
        .number = 1,
        .version = 1,
        .size = sizeof(Unit),
        .fields = unit_fields,
        .n_fields = ELEMENTS(unit_fields),
};

/* ---- regions ---- */

#define COUNTY_DIGITS 6

static bool ends_in_zeros(const char *region, size_t n, size_t zeros) {
        for (size_t i = 1; i <= zeros; i++)
                if (region[n - i] != '0')
                        return false;
        return true;
}

/* Up to the county pairs of digits are levels, below it triples. */
void region_canonical(const char *region, char ret[static REGION_SIZE]) {
        size_t n = strnlen(region, REGION_DIGITS_MAX);

        while (n > COUNTY_DIGITS && n % 3 == 0 && ends_in_zeros(region, n, 3))
                n -= 3;
        while (n > 2 && n <= COUNTY_DIGITS && n % 2 == 0 && ends_in_zeros(region, n, 2))
                n -= 2;
        memcpy(ret, region, n);
        ret[n] = '\0';
}

/* As it was up to schema 3. */
static void canonical_in_pairs(const char *region, char ret[static REGION_SIZE]) {
        size_t n = strnlen(region, REGION_DIGITS_MAX);

        while (n > 2 && n % 2 == 0 && ends_in_zeros(region, n, 2))
                n -= 2;
        memcpy(ret, region, n);
        ret[n] = '\0';
}

int region_check(const char *field, const char *region, Refusal *refusal) {
        size_t n = strspn(region, "0123456789");

        if (region[n] || n < REGION_DIGITS_MIN || n > REGION_DIGITS_MAX)
                return refuse(refusal, REFUSED_INVALID_VALUE,
                              "%s: a region is a GB/T 2260 code of %d to %d digits, like 110105",
                              field, REGION_DIGITS_MIN, REGION_DIGITS_MAX);
        return 0;
}

/* Splits the next word off, cut at one digit more than a region has; NULL at the end. */
static const char *next_region(const char *p, char ret[static REGION_SIZE + 1]) {
        size_t n, kept;

        p += strspn(p, " ");
        n = strcspn(p, " ");
        if (n == 0)
                return NULL;
        kept = MIN(n, (size_t)REGION_SIZE);
        memcpy(ret, p, kept);
        ret[kept] = '\0';
        return p + n;
}

static int check_regions(const char *regions, Refusal *refusal) {
        char region[REGION_SIZE + 1];
        size_t n = 0;

        for (const char *p = regions; p && (p = next_region(p, region));) {
                int r = region_check("regions", region, refusal);

                if (r != 0)
                        return r;
                if (++n > UNIT_REGIONS_MAX)
                        return refuse(refusal, REFUSED_LIMIT, "regions: at most %d prefixes",
                                      UNIT_REGIONS_MAX);
        }
        return 0;
}

/* ---- table ---- */

static void keys_of_regions(const Unit *unit, Keys *keys,
                            void (*shorten)(const char *region, char ret[static REGION_SIZE])) {
        char region[REGION_SIZE + 1], canonical[REGION_SIZE];

        if (!unit->active || !unit->regions)
                return;
        for (const char *p = unit->regions; (p = next_region(p, region)) && keys->n < KEYS_MAX;) {
                Key *key = keys_add(keys);

                shorten(region, canonical);
                key_u8(key, (uint8_t)unit->kind);
                key_text(key, canonical);
        }
}

static void keys_region(const void *record, Keys *keys) {
        keys_of_regions(record, keys, region_canonical);
}

static void keys_region_in_pairs(const void *record, Keys *keys) {
        keys_of_regions(record, keys, canonical_in_pairs);
}
const Index index_unit_region = { .name = "unit_by_region", .keys = keys_region };

static void keys_kind(const void *record, Keys *keys) {
        key_u8(keys_add(keys), (uint8_t)((const Unit *)record)->kind);
}
static const Index index_unit_kind = { .name = "unit_by_kind", .keys = keys_kind };

static void keys_parent(const void *record, Keys *keys) {
        const Unit *unit = record;

        if (unit->parent)
                key_text(keys_add(keys), unit->parent);
}
static const Index index_unit_parent = { .name = "unit_by_parent", .keys = keys_parent };

const Table unit_table = {
        .number = 1,
        .name = "unit",
        .type = &unit_type,
        .key = master_key,
        .indices = (const Index *const[]){ &index_unit_region, &index_unit_kind, &index_unit_parent,
                                           NULL },
        .former = (const Former[]){ { &index_unit_region, 3, keys_region_in_pairs }, {} },
};

static bool has_key(const FieldMask *given, const char *name) {
        size_t i;

        return record_field(&unit_type, name, &i) && field_mask_has(given, i);
}

static int check_parent(Store *store, const Unit *unit, Refusal *refusal) {
        Key key;
        Unit parent;
        int kind, r;

        if (unit->kind == UNIT_DEALER && !unit->parent)
                return refuse(
                        refusal, REFUSED_MISSING_FIELD,
                        "unit create needs the field parent: a dealer belongs to a sub-centre");
        if (!unit->parent)
                return 0;
        key = key_of_code(unit->parent);
        r = store_get(store, &unit_table, &key, &parent);
        if (r == -ENOENT)
                return refuse(refusal, REFUSED_INVALID_VALUE, "parent: there is no unit %s",
                              unit->parent);
        if (r < 0)
                return r;
        kind = parent.kind;
        unit_done(&parent);
        if (unit->kind == UNIT_DEALER && kind != UNIT_SUBCENTRE)
                return refuse(refusal, REFUSED_INVALID_VALUE,
                              "parent: %s is no sub-centre; a dealer belongs to a sub-centre",
                              unit->parent);
        return 0;
}

/* The way up from a unit's new parent ends at a unit that has none, and does not come by itself. */
static int check_circle(Store *store, const Unit *unit, Refusal *refusal) {
        char code[CODE_MAX_BYTES + 1];
        int r = 0;

        snprintf(code, sizeof(code), "%s", unit->parent);
        for (unsigned i = 0; r == 0 && code[0] && i < UNIT_DEPTH_MAX; i++) {
                Unit above = {};
                Key key = key_of_code(code);

                if (STREQ(code, unit->master.code))
                        return refuse(refusal, REFUSED_INVALID_VALUE,
                                      "parent: %s would be above itself; name a unit that is not "
                                      "below it",
                                      unit->master.code);
                r = store_get(store, &unit_table, &key, &above);
                if (r == 0)
                        snprintf(code, sizeof(code), "%s", above.parent ? above.parent : "");
                unit_done(&above);
        }
        if (r < 0)
                return r == -ENOENT ? 0 : r;
        if (code[0])
                return refuse(refusal, REFUSED_LIMIT,
                              "parent: %s has %d or more units above it; at most %d are allowed",
                              unit->parent, UNIT_DEPTH_MAX, UNIT_DEPTH_MAX);
        return 0;
}

static int unit_check(const RegisterStep *step) {
        const FieldMask *given = &step->call->given;
        Unit *unit = step->record;
        int r;

        if (!step->before && !has_key(given, "active"))
                unit->active = true;
        r = check_regions(unit->regions, step->refusal);
        if (r == 0 && unit->parent && has_key(given, "parent"))
                r = check_circle(step->store, unit, step->refusal);
        return r != 0 ? r : check_parent(step->store, unit, step->refusal);
}

static void prefix_parent(const void *filter, Key *key) {
        key_text(key, ((const Unit *)filter)->parent);
}

static void prefix_kind(const void *filter, Key *key) {
        key_u8(key, (uint8_t)((const Unit *)filter)->kind);
}

static const ListPath unit_paths[] = {
        { .field = "parent", .index = &index_unit_parent, .prefix = prefix_parent },
        { .field = "kind", .index = &index_unit_kind, .prefix = prefix_kind },
};

const Register unit_register = {
        .name = "unit",
        .table = &unit_table,
        .read = PERMISSION_UNIT_READ,
        .write = PERMISSION_UNIT_WRITE,
        .paths = unit_paths,
        .n_paths = ELEMENTS(unit_paths),
        .check = unit_check,
        .doc = "headquarters, its departments, sub-centres and dealers",
};

/* ---- finding ---- */

void unit_done(Unit *unit) {
        record_done(&unit_type, unit);
}

static void copy_code(const Key *key, char ret[static CODE_MAX_BYTES + 1]) {
        size_t n = MIN(key->size, (size_t)CODE_MAX_BYTES);

        memcpy(ret, key->bytes, n);
        ret[n] = '\0';
}

static Key region_prefix(UnitKind kind, const char *region, size_t digits) {
        char part[REGION_SIZE];
        Key key = {};

        memcpy(part, region, digits);
        part[digits] = '\0';
        key_u8(&key, (uint8_t)kind);
        key_text(&key, part);
        return key;
}

int unit_of_region(Store *store, UnitKind kind, const char *region,
                   char ret[static CODE_MAX_BYTES + 1]) {
        char canonical[REGION_SIZE];

        region_canonical(region, canonical);
        for (size_t digits = strlen(canonical); digits >= REGION_DIGITS_MIN; digits--) {
                Key prefix = region_prefix(kind, canonical, digits), position = {}, key;
                int r = store_index_next(store, &index_unit_region, &prefix, &position, &key);

                if (r == 0) {
                        copy_code(&key, ret);
                        return 0;
                }
                if (r != -ENOENT)
                        return r;
        }
        return -ENOENT;
}

static int dealer_is_of(Store *store, const Key *key, const char *subcentre) {
        Unit unit;
        int r = store_get(store, &unit_table, key, &unit);

        if (r < 0)
                return r;
        r = unit.parent && STREQ(unit.parent, subcentre);
        unit_done(&unit);
        return r;
}

/* The least busy dealer of the sub-centre among those listed under a prefix. */
static int least_busy(Store *store, const char *subcentre, const Key *prefix, uint8_t case_kind,
                      char ret[static CODE_MAX_BYTES + 1]) {
        int64_t fewest = INT64_MAX;
        Key position = {}, key;
        int r;

        while ((r = store_index_next(store, &index_unit_region, prefix, &position, &key)) == 0) {
                char code[CODE_MAX_BYTES + 1];
                Key tally = {};
                int64_t open;

                r = dealer_is_of(store, &key, subcentre);
                if (r == 0 || r == -EBADMSG) /* damage, which the store tells */
                        continue;
                if (r < 0)
                        return r;
                copy_code(&key, code);
                key_u8(&tally, case_kind);
                key_text(&tally, code);
                r = store_tally(store, &tally_dealer_open, &tally, &open);
                if (r < 0)
                        return r;
                if (open < fewest) {
                        fewest = open;
                        memcpy(ret, code, sizeof(code));
                }
        }
        return r != -ENOENT ? r : fewest == INT64_MAX ? -ENOENT : 0;
}

int dealer_of_region(Store *store, const char *subcentre, const char *region, uint8_t case_kind,
                     char ret[static CODE_MAX_BYTES + 1]) {
        char canonical[REGION_SIZE];

        region_canonical(region, canonical);
        for (size_t digits = strlen(canonical); digits >= REGION_DIGITS_MIN; digits--) {
                Key prefix = region_prefix(UNIT_DEALER, canonical, digits);
                int r = least_busy(store, subcentre, &prefix, case_kind, ret);

                if (r != -ENOENT)
                        return r;
        }
        return -ENOENT;
}

int unit_require(Store *store, const char *field, const char *code, UnitKind kind, Unit *ret,
                 Refusal *refusal) {
        Key key = key_of_code(code);
        Unit unit;
        int r = store_get(store, &unit_table, &key, &unit);

        if (r == -ENOENT)
                return refuse(refusal, REFUSED_INVALID_VALUE, "%s: there is no unit %s", field,
                              code);
        if (r < 0)
                return r;
        if (unit.kind != (int)kind)
                r = refuse(refusal, REFUSED_INVALID_VALUE, "%s: %s is a %s, not a %s", field, code,
                           enum_name(&unit_kind_names, unit.kind),
                           enum_name(&unit_kind_names, (int)kind));
        else if (!unit.active)
                r = refuse(refusal, REFUSED_INVALID_VALUE, "%s: %s is not active", field, code);
        if (r != 0) {
                unit_done(&unit);
                return r;
        }
        *ret = unit;
        return 0;
}

int unit_of_kind(Store *store, UnitKind kind, char ret[static CODE_MAX_BYTES + 1]) {
        Key prefix = {}, position = {}, key;
        int r;

        key_u8(&prefix, (uint8_t)kind);
        while ((r = store_index_next(store, &index_unit_kind, &prefix, &position, &key)) == 0) {
                Unit unit;
                bool active;

                r = store_get(store, &unit_table, &key, &unit);
                if (r == -EBADMSG) /* the store tells; somebody must hear nevertheless */
                        continue;
                if (r < 0)
                        return r;
                active = unit.active;
                unit_done(&unit);
                if (active) {
                        copy_code(&key, ret);
                        return 0;
                }
        }
        return r;
}

static UnitKind recipient_kind(Recipient recipient) {
        switch (recipient) {
        case RECIPIENT_BUSINESS:
                return UNIT_BUSINESS;
        case RECIPIENT_PARTS:
                return UNIT_PARTS;
        case RECIPIENT_TECHNICAL:
                return UNIT_TECHNICAL;
        case RECIPIENT_GENERAL:
                return UNIT_GENERAL;
        case RECIPIENT_PRESIDENT:
                return UNIT_PRESIDENT;
        case RECIPIENT_OWNER:
        case RECIPIENT_SUBCENTRE:
        case _RECIPIENT_MAX:
                break;
        }
        assert(false);
        return UNIT_HEADQUARTERS;
}

int unit_find_recipient(Store *store, Recipient recipient, const Case *c,
                        char ret[static CODE_MAX_BYTES + 1]) {
        const char *code = recipient == RECIPIENT_OWNER ? c->owner : c->subcentre;
        int r;

        if (recipient != RECIPIENT_OWNER && recipient != RECIPIENT_SUBCENTRE) {
                r = unit_of_kind(store, recipient_kind(recipient), ret);
                if (r == -ENOENT)
                        r = unit_of_kind(store, UNIT_HEADQUARTERS, ret);
                if (r != -ENOENT)
                        return r;
        }
        snprintf(ret, CODE_MAX_BYTES + 1, "%s", code);
        return 0;
}
