/* SPDX-License-Identifier: Apache-2.0 */

#include "masters/product.h"

#include <errno.h>

#include "aftersales/limits.h"
#include "base/zone.h"

#define GIVEN               (FIELD_SETTABLE | FIELD_UPDATABLE)
#define WARRANTY_MONTHS_MAX 600

static const char *const origin_name[] = { [ORIGIN_OWN] = "own", [ORIGIN_OEM] = "oem" };
const EnumNames origin_names = { origin_name, ELEMENTS(origin_name) };

static const Field product_fields[] = {
        MASTER_FIELDS("model"),
        TEXT(8, Product, name, FIELD_REQUIRED | GIVEN, 200, .doc = "its name"),
        TEXT(9, Product, line, FIELD_REQUIRED | GIVEN | FIELD_CODE | FIELD_FILTER, CODE_MAX_BYTES,
             .doc = "product line"),
        ENUM(10, Product, origin, GIVEN | FIELD_FILTER, &origin_names,
             .doc = "own: made by ourselves, oem: by a supplier"),
        COUNT(11, Product, warranty_months, GIVEN, .limit = WARRANTY_MONTHS_MAX,
              .doc = "months of warranty from the sale"),
        TEXT(12, Product, fee_class, GIVEN | FIELD_CODE, CODE_MAX_BYTES,
             .doc = "class in the schedule of repair fees"),
};

static const RecordType product_type = {
        .name = "product",
        .number = 2,
        .version = 1,
        .size = sizeof(Product),
        .fields = product_fields,
        .n_fields = ELEMENTS(product_fields),
};

static const Field serial_fields[] = {
        MASTER_FIELDS("serial number"),
        TEXT(8, Serial, product, FIELD_REQUIRED | GIVEN | FIELD_CODE | FIELD_FILTER, CODE_MAX_BYTES,
             .doc = "model"),
        DATE(9, Serial, sold_on, GIVEN, .doc = "day of the sale; the warranty begins"),
        TEXT(10, Serial, sold_by, GIVEN | FIELD_CODE | FIELD_FILTER, CODE_MAX_BYTES,
             .doc = "code of the unit or shop that sold it"),
};

static const RecordType serial_type = {
        .name = "serial",
        .number = 3,
        .version = 1,
        .size = sizeof(Serial),
        .fields = serial_fields,
        .n_fields = ELEMENTS(serial_fields),
};

static const Field fault_fields[] = {
        MASTER_FIELDS("fault code"),
        TEXT(8, Fault, symptom, FIELD_REQUIRED | GIVEN, 400, .doc = "what the customer notices"),
        TEXT(9, Fault, cause, GIVEN, 400, .doc = "what is behind it"),
        TEXT(10, Fault, part, GIVEN | FIELD_CODE | FIELD_FILTER, CODE_MAX_BYTES,
             .doc = "number of the part that fails"),
};

static const RecordType fault_type = {
        .name = "fault",
        .number = 4,
        .version = 1,
        .size = sizeof(Fault),
        .fields = fault_fields,
        .n_fields = ELEMENTS(fault_fields),
};

const Table product_table = {
        .number = 2,
        .name = "product",
        .type = &product_type,
        .key = master_key,
};

static void keys_serial_product(const void *record, Keys *keys) {
        key_text(keys_add(keys), ((const Serial *)record)->product);
}
static const Index index_serial_product = { .name = "serial_by_product",
                                            .keys = keys_serial_product };

const Table serial_table = {
        .number = 3,
        .name = "serial",
        .type = &serial_type,
        .key = master_key,
        .indices = (const Index *const[]){ &index_serial_product, NULL },
};

const Table fault_table = {
        .number = 4,
        .name = "fault",
        .type = &fault_type,
        .key = master_key,
};

/* Whoever has stored such a day in former times can still change the rest. */
static bool is_sold_in_future(const RegisterStep *step) {
        const Serial *serial = step->record, *before = step->before;
        int32_t day, second;

        zone_local(engine_zone(step->engine), step->call->now / USEC_PER_SEC, &day, &second);
        return serial->sold_on > day && !(before && before->sold_on == serial->sold_on);
}

static int serial_check(const RegisterStep *step) {
        const Serial *serial = step->record;
        Key key = key_of_code(serial->product);

        if (!store_has(step->store, &product_table, &key))
                return refuse(step->refusal, REFUSED_INVALID_VALUE,
                              "product: there is no product %s", serial->product);
        if (is_sold_in_future(step))
                return refuse(step->refusal, REFUSED_INVALID_VALUE,
                              "sold_on: lies in the future; give the day on which it was sold");
        return 0;
}

const Register product_register = {
        .name = "product",
        .table = &product_table,
        .read = PERMISSION_PRODUCT_READ,
        .write = PERMISSION_PRODUCT_WRITE,
        .doc = "models that are sold",
};

static void prefix_product(const void *filter, Key *key) {
        key_text(key, ((const Serial *)filter)->product);
}

static const ListPath serial_paths[] = {
        { .field = "product", .index = &index_serial_product, .prefix = prefix_product },
};

const Register serial_register = {
        .name = "serial",
        .table = &serial_table,
        .read = PERMISSION_SERIAL_READ,
        .write = PERMISSION_SERIAL_WRITE,
        .paths = serial_paths,
        .n_paths = ELEMENTS(serial_paths),
        .check = serial_check,
        .doc = "serial numbers that are known",
};

const Register fault_register = {
        .name = "fault",
        .table = &fault_table,
        .read = PERMISSION_FAULT_READ,
        .write = PERMISSION_FAULT_WRITE,
        .doc = "codes of faults",
};

int product_get(Store *store, const char *code, Product *ret) {
        Key key = key_of_code(code);

        return store_get(store, &product_table, &key, ret);
}

void product_done(Product *product) {
        record_done(&product_type, product);
}

int serial_get(Store *store, const char *code, Serial *ret) {
        Key key = key_of_code(code);

        return store_get(store, &serial_table, &key, ret);
}

void serial_done(Serial *serial) {
        record_done(&serial_type, serial);
}
