/* SPDX-License-Identifier: Apache-2.0 */

#include "parts/place.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "masters/part.h"

static const char *const sort_name[] = {
        [PLACE_HEADQUARTERS] = "headquarters",
        [PLACE_SUBCENTRE] = "subcentre",
        [PLACE_DEALER] = "dealer",
        [PLACE_TRANSIT] = "transit",
        [PLACE_SUPPLIER] = "supplier",
        [PLACE_CUSTOMER] = "customer",
        [PLACE_COUNT] = "count",
        [PLACE_SCRAP] = "scrap",
};
const EnumNames place_sort_names = { sort_name, ELEMENTS(sort_name) };

static bool has_code(PlaceSort sort) {
        return place_is_of_unit(sort) || sort == PLACE_SUPPLIER;
}

PlaceSort place_split(const char *place, const char **ret_code) {
        size_t n = strcspn(place, ":");

        for (int sort = 1; sort < _PLACE_SORT_MAX; sort++) {
                if (strlen(sort_name[sort]) != n || strncmp(sort_name[sort], place, n) != 0 ||
                    has_code(sort) != (place[n] == ':'))
                        continue;
                *ret_code = place[n] ? place + n + 1 : "";
                return sort;
        }
        return 0;
}

char *place_format(PlaceSort sort, const char *code, char ret[static PLACE_SIZE]) {
        snprintf(ret, PLACE_SIZE, "%s%s%s", sort_name[sort], has_code(sort) ? ":" : "",
                 has_code(sort) ? code : "");
        return ret;
}

static PlaceSort sort_of_unit(int kind) {
        switch (kind) {
        case UNIT_SUBCENTRE:
                return PLACE_SUBCENTRE;
        case UNIT_DEALER:
                return PLACE_DEALER;
        case UNIT_HEADQUARTERS:
                return PLACE_HEADQUARTERS;
        default:
                return 0; /* the departments have none of their own */
        }
}

static void set_unit(const Unit *unit, PlaceSort sort, Place *ret) {
        const char *subcentre = unit->kind == UNIT_SUBCENTRE ? unit->master.code
                                : unit->kind == UNIT_DEALER  ? unit->parent
                                                             : NULL;

        *ret = (Place){ .sort = sort };
        place_format(sort, unit->master.code, ret->text);
        snprintf(ret->unit, sizeof(ret->unit), "%s", unit->master.code);
        snprintf(ret->subcentre, sizeof(ret->subcentre), "%s", subcentre ? subcentre : "");
}

int place_of_unit(Store *store, const char *code, bool transit, Place *ret) {
        Key key = key_of_code(code);
        PlaceSort sort;
        Unit unit;
        int r = store_get(store, &unit_table, &key, &unit);

        if (r < 0)
                return r;
        sort = sort_of_unit(unit.kind);
        if (sort)
                set_unit(&unit, transit ? PLACE_TRANSIT : sort, ret);
        unit_done(&unit);
        return sort ? 0 : -ENOENT;
}

static int refuse_form(const char *field, Refusal *refusal) {
        return refuse(refusal, REFUSED_INVALID_VALUE,
                      "%s: no place: write the code of a unit with stock (headquarters, sub-centre "
                      "or dealer), supplier:CODE, customer, count or scrap",
                      field);
}

static int find_supplier(Store *store, const char *field, const char *code, Place *ret,
                         Refusal *refusal) {
        Key key = key_of_code(code);

        if (!store_has(store, &supplier_table, &key))
                return refuse(refusal, REFUSED_INVALID_VALUE, "%s: there is no supplier %s", field,
                              code);
        *ret = (Place){ .sort = PLACE_SUPPLIER };
        place_format(PLACE_SUPPLIER, code, ret->text);
        return 0;
}

int place_find(Store *store, const char *field, const char *text, Place *ret, Refusal *refusal) {
        const char *code = text;
        PlaceSort sort = place_split(text, &code);
        int r;

        if (strlen(code) > CODE_MAX_BYTES || (sort && has_code(sort) && !*code))
                return refuse_form(field, refusal);
        if (sort && !has_code(sort)) {
                *ret = (Place){ .sort = sort };
                place_format(sort, "", ret->text);
                return 0;
        }
        if (sort == PLACE_SUPPLIER)
                return find_supplier(store, field, code, ret, refusal);
        r = place_of_unit(store, code, sort == PLACE_TRANSIT, ret);
        if (r == -ENOENT || (r == 0 && sort && ret->sort != sort))
                return refuse_form(field, refusal);
        return r;
}

bool place_in_scope(const Actor *actor, const Place *place) {
        if (!place_is_of_unit(place->sort))
                return actor->scope == SCOPE_HEADQUARTERS;
        return actor_in_scope(actor, place->subcentre, place->unit);
}
