/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Where stock is, as one text: the sort of place and, where there are several, whose it is.
 *
 *      headquarters:HQ   subcentre:BJ   dealer:BJ-0103     a unit's own stock
 *      transit:BJ-0103                                     on its way to that unit
 *      supplier:S1       customer       count              where stock comes from or goes to: what
 * is counted there may be less than nothing scrap what is no more
 *
 * A caller may write the code of a unit alone. */

#include "loop/actor.h"
#include "masters/unit.h"

typedef enum PlaceSort {
        PLACE_HEADQUARTERS = 1,
        PLACE_SUBCENTRE,
        PLACE_DEALER,
        PLACE_TRANSIT,
        PLACE_SUPPLIER,
        PLACE_CUSTOMER,
        PLACE_COUNT, /* what was found too many, or missing */
        PLACE_SCRAP,
        _PLACE_SORT_MAX,
} PlaceSort;

#define PLACE_MAX_BYTES (CODE_MAX_BYTES + 16)
#define PLACE_SIZE      (PLACE_MAX_BYTES + 1)

extern const EnumNames place_sort_names;

/* The sort of a place, written as above, and whose it is ("": nobody's). 0 for none. */
PlaceSort place_split(const char *place, const char **ret_code);
/* Writes one. */
char *place_format(PlaceSort sort, const char *code, char ret[static PLACE_SIZE]);

/* A unit's own stock, or what is on its way there. */
static inline bool place_is_of_unit(PlaceSort sort) {
        return sort >= PLACE_HEADQUARTERS && sort <= PLACE_TRANSIT;
}
/* There can be no more of it than has come there. */
static inline bool place_is_bounded(PlaceSort sort) {
        return place_is_of_unit(sort) || sort == PLACE_SCRAP;
}

/* What is known of a place that exists. */
typedef struct Place {
        PlaceSort sort;
        char text[PLACE_SIZE];
        char unit[CODE_MAX_BYTES + 1];      /* "": none */
        char subcentre[CODE_MAX_BYTES + 1]; /* that controls the unit, perhaps itself; "": none */
} Place;

/* Looks up what a caller wrote. 0, refused with the field's name, < 0. */
int place_find(Store *store, const char *field, const char *text, Place *ret, Refusal *refusal);
/* That of a unit which is known to exist. 0, -ENOENT, negative errno. */
int place_of_unit(Store *store, const char *code, bool transit, Place *ret);
/* Whether it is within the actor's scope. */
bool place_in_scope(const Actor *actor, const Place *place);
