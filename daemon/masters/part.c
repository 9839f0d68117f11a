/* SPDX-License-Identifier: Apache-2.0 */

#include "masters/part.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "aftersales/limits.h"
#include "masters/product.h"

#define GIVEN               (FIELD_SETTABLE | FIELD_UPDATABLE)
#define MODELS_MAX_BYTES    2000
#define WARRANTY_MONTHS_MAX 600
#define PACK_MAX            1000000

static const Field part_fields[] = {
        MASTER_FIELDS("part number"),
        TEXT(8, Part, name, FIELD_REQUIRED | GIVEN, 200, .doc = "its name"),
        TEXT(9, Part, line, FIELD_REQUIRED | GIVEN | FIELD_CODE | FIELD_FILTER, CODE_MAX_BYTES,
             .doc = "product line, whose season its demand follows"),
        TEXT(10, Part, models, GIVEN, MODELS_MAX_BYTES,
             .doc = "models that it fits, separated by blanks"),
        ENUM(11, Part, origin, GIVEN | FIELD_FILTER, &origin_names,
             .doc = "own: made by ourselves, oem: by a supplier"),
        TEXT(12, Part, supplier, GIVEN | FIELD_CODE | FIELD_FILTER, CODE_MAX_BYTES,
             .doc = "code of the supplier"),
        FLAG(13, Part, returnable, GIVEN | FIELD_FILTER,
             .doc = "the core must come back when it was replaced under warranty"),
        MONEY(14, Part, price, GIVEN, .doc = "price of one, in fen"),
        COUNT(15, Part, warranty_months, GIVEN, .limit = WARRANTY_MONTHS_MAX,
              .doc = "months of warranty on the part itself from its use"),
        COUNT(16, Part, pack, GIVEN, .limit = PACK_MAX,
              .doc = "it is ordered in multiples of so many; 1 unless given"),
        COUNT(17, Part, minimum, GIVEN, .limit = PACK_MAX,
              .doc = "no order has fewer of it; 1 unless given"),
        DATE(18, Part, discontinued_on, GIVEN, .doc = "from this day on none is planned"),
};

static const RecordType part_type = {
        .name = "part",
        .number = 5,
        .version = 1,
        .size = sizeof(Part),
        .fields = part_fields,
        .n_fields = ELEMENTS(part_fields),
};

static const Field supplier_fields[] = {
        MASTER_FIELDS("code of the supplier"),
        TEXT(8, Supplier, name, FIELD_REQUIRED | GIVEN, 200, .doc = "its name"),
        TEXT(9, Supplier, contact, GIVEN | FIELD_PERSONAL, 400, .doc = "whom to call there"),
};

static const RecordType supplier_type = {
        .name = "supplier",
        .number = 6,
        .version = 1,
        .size = sizeof(Supplier),
        .fields = supplier_fields,
        .n_fields = ELEMENTS(supplier_fields),
};

static void keys_supplier(const void *record, Keys *keys) {
        key_text(keys_add(keys), ((const Part *)record)->supplier);
}
const Index index_part_supplier = { .name = "part_by_supplier", .keys = keys_supplier };

const Table part_table = {
        .number = 5,
        .name = "part",
        .type = &part_type,
        .key = master_key,
        .indices = (const Index *const[]){ &index_part_supplier, NULL },
};

const Table supplier_table = {
        .number = 6,
        .name = "supplier",
        .type = &supplier_type,
        .key = master_key,
};

/* ---- checks ---- */

static int check_model(const RegisterStep *step, const char *model, size_t n) {
        char code[CODE_MAX_BYTES + 1] = "";
        Key key;

        memcpy(code, model, MIN(n, (size_t)CODE_MAX_BYTES));
        key = key_of_code(code);
        if (n <= CODE_MAX_BYTES && store_has(step->store, &product_table, &key))
                return 0;
        return refuse(step->refusal, REFUSED_INVALID_VALUE, "models: there is no product %.*s",
                      (int)n, model);
}

static int check_models(const RegisterStep *step, const char *models) {
        int r = 0;

        for (const char *p = models + strspn(models, " "); r == 0 && *p; p += strspn(p, " ")) {
                size_t n = strcspn(p, " ");

                r = check_model(step, p, n);
                p += n;
        }
        return r;
}

static int check_supplier(const RegisterStep *step, const char *supplier) {
        Key key = key_of_code(supplier);

        if (store_has(step->store, &supplier_table, &key))
                return 0;
        return refuse(step->refusal, REFUSED_INVALID_VALUE, "supplier: there is no supplier %s",
                      supplier);
}

static int part_check(const RegisterStep *step) {
        Part *part = step->record;
        int r = part->models ? check_models(step, part->models) : 0;

        if (r == 0 && part->supplier)
                r = check_supplier(step, part->supplier);
        if (r != 0)
                return r;
        if (part->origin == ORIGIN_OEM && !part->supplier)
                return refuse(step->refusal, REFUSED_MISSING_FIELD,
                              "supplier: a part that is not our own needs one");
        part->pack = MAX(part->pack, INT64_C(1));
        part->minimum = MAX(part->minimum, INT64_C(1));
        return 0;
}

static void prefix_supplier(const void *filter, Key *key) {
        key_text(key, ((const Part *)filter)->supplier);
}

static const ListPath part_paths[] = {
        { .field = "supplier", .index = &index_part_supplier, .prefix = prefix_supplier },
};

const Register part_register = {
        .name = "part",
        .table = &part_table,
        .paths = part_paths,
        .n_paths = ELEMENTS(part_paths),
        .read = PERMISSION_PART_READ,
        .write = PERMISSION_PART_WRITE,
        .check = part_check,
        .doc = "spare parts",
};

const Register supplier_register = {
        .name = "supplier",
        .table = &supplier_table,
        .read = PERMISSION_SUPPLIER_READ,
        .write = PERMISSION_SUPPLIER_WRITE,
        .doc = "suppliers of parts",
};

/* ---- finding ---- */

int part_get(Store *store, const char *code, Part *ret) {
        Key key = key_of_code(code);

        return store_get(store, &part_table, &key, ret);
}

int part_require(Store *store, const char *field, const char *code, Part *ret, Refusal *refusal) {
        int r = part_get(store, code, ret);

        if (r == -ENOENT)
                return refuse(refusal, REFUSED_INVALID_VALUE, "%s: there is no part %s", field,
                              code);
        return r;
}

void part_done(Part *part) {
        record_done(&part_type, part);
}

void supplier_done(Supplier *supplier) {
        record_done(&supplier_type, supplier);
}
