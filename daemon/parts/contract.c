/* SPDX-License-Identifier: Apache-2.0 */

#include "parts/contract.h"

#include <errno.h>
#include <string.h>

#include "aftersales/kinds.h"
#include "aftersales/limits.h"
#include "base/text.h"
#include "loop/engine.h"
#include "masters/part.h"
#include "masters/product.h"
#include "masters/unit.h"
#include "parts/core.h"
#include "parts/obligation.h"

#define MILLION         INT64_C(1000000)
#define GIVEN           (FIELD_SETTABLE | FIELD_UPDATABLE)
#define PARTS_MAX_BYTES (CONTRACT_PARTS_MAX * (CODE_MAX_BYTES + 1))
#define SHIPMENT_MAX    10000000

/* ---- the contract ---- */

static const Field contract_fields[] = {
        MASTER_FIELDS("number of the contract"),
        TEXT(8, Contract, supplier, FIELD_REQUIRED | FIELD_SETTABLE | FIELD_CODE | FIELD_FILTER,
             CODE_MAX_BYTES, .doc = "code of the supplier"),
        TEXT(9, Contract, product, FIELD_REQUIRED | FIELD_SETTABLE | FIELD_CODE | FIELD_FILTER,
             CODE_MAX_BYTES, .doc = "model that is supplied"),
        TEXT(10, Contract, parts, FIELD_REQUIRED | GIVEN, PARTS_MAX_BYTES,
             .doc = "parts that are sent along, separated by blanks"),
        COUNT(11, Contract, rate, FIELD_REQUIRED | GIVEN, .limit = MILLION,
              .doc = "declared failures of each part per million units"),
        COUNT(12, Contract, share, GIVEN, .limit = MILLION,
              .doc = "units sent along for exchange and cannibalising, per million"),
        DATE(13, Contract, from, GIVEN, .doc = "its first day"),
        DATE(14, Contract, until, GIVEN, .doc = "its last day"),
};

static const RecordType contract_type = {
        .name = "contract",
        .number = 7,
        .version = 1,
        .size = sizeof(Contract),
        .fields = contract_fields,
        .n_fields = ELEMENTS(contract_fields),
};

static void keys_contract_product(const void *record, Keys *keys) {
        key_text(keys_add(keys), ((const Contract *)record)->product);
}
static const Index index_contract_product = { .name = "contract_by_product",
                                              .keys = keys_contract_product };

const Table contract_table = {
        .number = 7,
        .name = "contract",
        .type = &contract_type,
        .key = master_key,
        .indices = (const Index *const[]){ &index_contract_product, NULL },
};

void contract_done(Contract *contract) {
        record_done(&contract_type, contract);
}

static int contract_get(Store *store, const char *code, Contract *ret) {
        Key key = key_of_code(code);

        return store_get(store, &contract_table, &key, ret);
}

/* The next word of a list of codes; NULL at the end. */
static const char *next_code(const char *p, char ret[static CODE_MAX_BYTES + 1]) {
        size_t n;

        p += strspn(p, " ");
        n = strcspn(p, " ");
        if (n == 0)
                return NULL;
        snprintf(ret, CODE_MAX_BYTES + 1, "%.*s", (int)n, p);
        return p + n;
}

static int check_parts(const RegisterStep *step, const char *parts) {
        char code[CODE_MAX_BYTES + 1];
        size_t n = 0;
        int r = 0;

        for (const char *p = parts; r == 0 && (p = next_code(p, code));) {
                Part part;

                if (names_have(p, code))
                        return refuse(step->refusal, REFUSED_INVALID_VALUE,
                                      "parts: %s is named twice", code);
                if (++n > CONTRACT_PARTS_MAX)
                        return refuse(step->refusal, REFUSED_LIMIT, "parts: at most %d are allowed",
                                      CONTRACT_PARTS_MAX);
                r = part_require(step->store, "parts", code, &part, step->refusal);
                if (r == 0)
                        part_done(&part);
        }
        return r;
}

static bool overlaps(const Contract *a, const Contract *b) {
        return (!a->until || !b->from || b->from <= a->until) &&
               (!b->until || !a->from || a->from <= b->until);
}

/* A failure is held against one contract. */
static int check_alone(const RegisterStep *step, const Contract *contract) {
        Key prefix = {}, position = {}, key;
        int r;

        key_text(&prefix, contract->product);
        while ((r = store_index_next(step->store, &index_contract_product, &prefix, &position,
                                     &key)) == 0) {
                Contract other;
                bool both;

                r = store_get(step->store, &contract_table, &key, &other);
                if (r < 0)
                        return r;
                both = !STREQ(other.master.code, contract->master.code) &&
                       overlaps(contract, &other);
                if (both)
                        r = refuse(step->refusal, REFUSED_RULE,
                                   "product: contract %s is about %s at the same time; end that "
                                   "one first",
                                   other.master.code, other.product);
                contract_done(&other);
                if (both)
                        return r;
        }
        return r == -ENOENT ? 0 : r;
}

static int contract_check(const RegisterStep *step) {
        const Contract *contract = step->record;
        Key supplier = key_of_code(contract->supplier), product = key_of_code(contract->product);

        if (!store_has(step->store, &supplier_table, &supplier))
                return refuse(step->refusal, REFUSED_INVALID_VALUE,
                              "supplier: there is no supplier %s", contract->supplier);
        if (!store_has(step->store, &product_table, &product))
                return refuse(step->refusal, REFUSED_INVALID_VALUE,
                              "product: there is no product %s", contract->product);
        if (contract->from && contract->until && contract->until < contract->from)
                return refuse(step->refusal, REFUSED_INVALID_VALUE, "until: lies before from");
        if (contract->parts) {
                int r = check_parts(step, contract->parts);

                if (r != 0)
                        return r;
        }
        return check_alone(step, contract);
}

static void prefix_product(const void *filter, Key *key) {
        key_text(key, ((const Contract *)filter)->product);
}

static const ListPath contract_paths[] = {
        { .field = "product", .index = &index_contract_product, .prefix = prefix_product },
};

const Register contract_register = {
        .name = "contract",
        .table = &contract_table,
        .read = PERMISSION_CONTRACT_READ,
        .write = PERMISSION_CONTRACT_WRITE,
        .paths = contract_paths,
        .n_paths = ELEMENTS(contract_paths),
        .check = contract_check,
        .doc = "what suppliers of goods owe besides them",
};

/* ---- shipments ---- */

static const Field shipment_fields[] = {
        ENTRY_FIELDS,
        TEXT(16, Shipment, contract, FIELD_REQUIRED | FIELD_SETTABLE | FIELD_CODE | FIELD_FILTER,
             CODE_MAX_BYTES, .doc = "number of the contract"),
        COUNT(17, Shipment, quantity, FIELD_REQUIRED | FIELD_SETTABLE, .limit = SHIPMENT_MAX,
              .doc = "units of the goods"),
};

static const RecordType shipment_type = {
        .name = "shipment",
        .number = 34,
        .version = 1,
        .size = sizeof(Shipment),
        .fields = shipment_fields,
        .n_fields = ELEMENTS(shipment_fields),
};

static void keys_shipment_contract(const void *record, Keys *keys) {
        key_text(keys_add(keys), ((const Shipment *)record)->contract);
}
static const Index index_shipment_contract = { .name = "shipment_by_contract",
                                               .keys = keys_shipment_contract };

static const Index index_shipment_reference = { .name = "shipment_by_reference",
                                                .keys = entry_keys_reference };

static void keys_units(const void *record, Keys *keys) {
        const Shipment *shipment = record;

        key_text(keys_add_amount(keys, shipment->quantity), shipment->contract);
}
static const Index sum_units = { .name = "units_shipped", .keys = keys_units, .sum = true };

static const char *shipment_fault(const void *record) {
        const Shipment *shipment = record;

        return shipment->contract && shipment->quantity > 0
                       ? NULL
                       : "a shipment has no contract or quantity";
}

const Table shipment_table = {
        .number = 34,
        .name = "shipment",
        .type = &shipment_type,
        .key = entry_key,
        .numbered = true,
        .indices =
                (const Index *const[]){ &index_shipment_contract, &index_shipment_reference, NULL },
        .tallies = (const Index *const[]){ &sum_units, NULL },
        .fault = shipment_fault,
};

static int shipment_check(const RegisterStep *step) {
        const Shipment *shipment = step->record;
        Key key = key_of_code(shipment->contract);

        if (!store_has(step->store, &contract_table, &key))
                return refuse(step->refusal, REFUSED_INVALID_VALUE,
                              "contract: there is no contract %s", shipment->contract);
        if (shipment->quantity == 0)
                return refuse(step->refusal, REFUSED_INVALID_VALUE, "quantity: must not be 0");
        return 0;
}

static int64_t per_million(int64_t units, int64_t rate) {
        return units * rate / MILLION + (units * rate % MILLION > 0);
}

typedef struct Maker {
        const Engine *engine;
        Change *change;
        const Actor *actor;
        int64_t now;
        const Contract *contract;
        Refusal *refusal;
} Maker;

static int make_obligation(const Maker *maker, ObligationType type, Obligation *obligation) {
        static const char given[] = "type subcentre contract supplier item quantity shipment units "
                                    "rate failures";
        char headquarters[CODE_MAX_BYTES + 1];
        Actor anywhere = *maker->actor;
        Call call = { .actor = &anywhere, .now = maker->now, .fields = obligation, .within = true };
        Head head = {};
        bool created;
        int r = unit_of_kind(change_store(maker->change), UNIT_HEADQUARTERS, headquarters);

        if (r == -ENOENT)
                return refuse(maker->refusal, REFUSED_RULE,
                              "there is no active headquarters to which anything could be owed");
        if (r < 0)
                return r;
        anywhere.scope = SCOPE_HEADQUARTERS;
        obligation->head.type = (int)type;
        obligation->head.subcentre = headquarters;
        obligation->contract = maker->contract->master.code;
        obligation->supplier = maker->contract->supplier;
        call.given = fields_named(obligation_table.type, given);
        r = engine_create(maker->engine, maker->change, &obligation_kind, &call, &head, &created,
                          maker->refusal);
        record_done(&head_type, &head);
        return r;
}

/* ceil(units × rate) of each part, ceil(units × share) units. */
static int oblige(const Maker *maker, const Shipment *shipment) {
        const Contract *contract = maker->contract;
        int64_t parts = per_million(shipment->quantity, contract->rate);
        int64_t units = per_million(shipment->quantity, contract->share);
        char code[CODE_MAX_BYTES + 1];
        int r = 0;

        for (const char *p = contract->parts; r == 0 && parts > 0 && (p = next_code(p, code));) {
                Obligation obligation = { .item = code,
                                          .quantity = parts,
                                          .shipment = shipment->entry.id,
                                          .units = shipment->quantity,
                                          .rate = contract->rate };

                r = make_obligation(maker, OBLIGATION_PARTS, &obligation);
        }
        if (r == 0 && units > 0) {
                Obligation obligation = { .item = contract->product,
                                          .quantity = units,
                                          .shipment = shipment->entry.id,
                                          .units = shipment->quantity,
                                          .rate = contract->share };

                r = make_obligation(maker, OBLIGATION_UNITS, &obligation);
        }
        return r;
}

static int shipment_made(const RegisterStep *step, Change *change) {
        const Shipment *shipment = step->record;
        Contract contract;
        Maker maker = { .engine = step->engine,
                        .change = change,
                        .actor = step->call->actor,
                        .now = step->call->now,
                        .contract = &contract,
                        .refusal = step->refusal };
        int r = contract_get(step->store, shipment->contract, &contract);

        if (r < 0)
                return r;
        r = oblige(&maker, shipment);
        contract_done(&contract);
        return r;
}

static bool may_see(const Actor *actor, const void *record _unused_) {
        return actor->scope == SCOPE_HEADQUARTERS;
}

static void prefix_contract(const void *filter, Key *key) {
        key_text(key, ((const Shipment *)filter)->contract);
}

static const ListPath shipment_paths[] = {
        { .field = "contract", .index = &index_shipment_contract, .prefix = prefix_contract },
};

const Register shipment_register = {
        .name = "shipment",
        .letter = LETTER_SHIPMENT,
        .table = &shipment_table,
        .read = PERMISSION_CONTRACT_READ,
        .write = PERMISSION_CONTRACT_SHIP,
        .paths = shipment_paths,
        .n_paths = ELEMENTS(shipment_paths),
        .check = shipment_check,
        .made = shipment_made,
        .may_see = may_see,
        .references = &index_shipment_reference,
        .doc = "goods that suppliers have sent",
};

/* ---- the account ---- */

static const Field account_row_fields[] = {
        TEXT(1, AccountRow, contract, 0, CODE_MAX_BYTES, .doc = "number of the contract"),
        TEXT(2, AccountRow, supplier, 0, CODE_MAX_BYTES, .doc = "code of the supplier"),
        TEXT(3, AccountRow, product, 0, CODE_MAX_BYTES, .doc = "model that is supplied"),
        TEXT(4, AccountRow, item, 0, CODE_MAX_BYTES, .doc = "part number, or the model of units"),
        COUNT(5, AccountRow, units, 0, .doc = "units shipped in all"),
        COUNT(6, AccountRow, rate, 0, .doc = "declared per million units"),
        COUNT(7, AccountRow, declared, 0, .doc = "units × rate / 1,000,000, rounded up"),
        COUNT(8, AccountRow, obliged, 0,
              .doc = "what the shipments oblige to: rounded up for each of them"),
        COUNT(9, AccountRow, claimed, 0, .doc = "what was claimed above it"),
        COUNT(10, AccountRow, delivered, 0, .doc = "of both, what has come"),
        COUNT(11, AccountRow, failures, 0,
              .doc = "that have failed in the contract's days, verified and in warranty"),
        COUNT(12, AccountRow, excess, 0,
              .doc = "failures above declared and not claimed yet, free of charge"),
};

const RecordType account_row_type = {
        .name = "account",
        .size = sizeof(AccountRow),
        .fields = account_row_fields,
        .n_fields = ELEMENTS(account_row_fields),
};

static int read_sums(Store *store, AccountRow *row) {
        struct {
                const Index *sum;
                int64_t *ret;
        } sums[] = {
                { &sum_obliged, &row->obliged },
                { &sum_claimed, &row->claimed },
                { &sum_delivered, &row->delivered },
        };
        Key key = {};
        int r = 0;

        key_text(&key, row->contract);
        key_text(&key, row->item);
        for (size_t i = 0; r == 0 && i < ELEMENTS(sums); i++)
                r = store_tally(store, sums[i].sum, &key, sums[i].ret);
        return r;
}

/* What has failed within the contract's days. */
static int count_failures(Store *store, const Contract *contract, const char *part, int64_t *ret) {
        Key prefix = {}, position = {};
        int64_t amount;
        int r;

        key_text(&prefix, contract->product);
        key_text(&prefix, part);
        if (contract->from)
                position = failure_key(contract->product, part, contract->from - 1);
        while ((r = store_tally_next(store, &sum_failure, &prefix, &position, &amount)) == 0) {
                if (contract->until && load_be32(position.bytes + prefix.size) > contract->until)
                        return 0;
                *ret += amount;
        }
        return r == -ENOENT ? 0 : r;
}

static int account_part(Store *store, const Contract *contract, const char *item, int64_t rate,
                        AccountRow *ret) {
        Key units = {};
        int r;

        *ret = (AccountRow){ .contract = contract->master.code,
                             .supplier = contract->supplier,
                             .product = contract->product,
                             .item = (char *)item,
                             .rate = rate };
        key_text(&units, contract->master.code);
        r = store_tally(store, &sum_units, &units, &ret->units);
        if (r == 0)
                r = count_failures(store, contract, item, &ret->failures);
        if (r == 0)
                r = read_sums(store, ret);
        ret->declared = per_million(ret->units, rate);
        ret->excess = ret->failures - ret->claimed - MAX(ret->declared, ret->obliged);
        ret->excess = MAX(ret->excess, INT64_C(0));
        return r;
}

typedef int (*OnRow)(void *userdata, const AccountRow *row);

static int each_part(Store *store, const Contract *contract, OnRow row, void *userdata) {
        char code[CODE_MAX_BYTES + 1];
        int r = 0;

        for (const char *p = contract->parts; r == 0 && (p = next_code(p, code));) {
                AccountRow found;

                r = account_part(store, contract, code, contract->rate, &found);
                if (r == 0)
                        r = row(userdata, &found);
        }
        return r;
}

int contract_account(Store *store, const char *code, OnRow row, void *userdata) {
        Contract contract;
        AccountRow units;
        int r = contract_get(store, code, &contract);

        if (r < 0)
                return r;
        r = each_part(store, &contract, row, userdata);
        if (r == 0)
                r = account_part(store, &contract, contract.product, contract.share, &units);
        units.excess = 0;
        if (r == 0)
                r = row(userdata, &units);
        contract_done(&contract);
        return r;
}

/* ---- claims ---- */

typedef struct Claiming {
        Maker maker;
        int64_t claims;
} Claiming;

static int claim_part(void *userdata, const AccountRow *row) {
        Claiming *claiming = userdata;
        Obligation obligation = { .item = row->item,
                                  .quantity = row->excess,
                                  .units = row->units,
                                  .rate = row->rate,
                                  .failures = row->failures };
        int r;

        if (row->excess == 0)
                return 0;
        r = make_obligation(&claiming->maker, OBLIGATION_REPLENISHMENT, &obligation);
        claiming->claims += r == 0;
        return r;
}

int contract_claim(const Engine *engine, Change *change, const char *code, const Actor *actor,
                   int64_t now, int64_t *ret_claims, Refusal *refusal) {
        Contract contract;
        Claiming claiming = { .maker = { engine, change, actor, now, &contract, refusal } };
        Store *store = change_store(change);
        int r = contract_get(store, code, &contract);

        if (r == -ENOENT)
                return refuse(refusal, REFUSED_NOT_FOUND, "there is no contract %s", code);
        if (r < 0)
                return r;
        r = each_part(store, &contract, claim_part, &claiming);
        *ret_claims = claiming.claims;
        contract_done(&contract);
        return r;
}
