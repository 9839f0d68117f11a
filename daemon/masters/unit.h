/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Units: headquarters and its departments, sub-centres, dealers. */

#include "config/policy.h"
#include "loop/case.h"
#include "loop/register.h"

typedef enum UnitKind {
        UNIT_HEADQUARTERS = 1,
        UNIT_TECHNICAL,
        UNIT_PARTS,
        UNIT_BUSINESS,
        UNIT_GENERAL,
        UNIT_PRESIDENT,
        UNIT_SUBCENTRE,
        UNIT_DEALER,
        _UNIT_KIND_MAX,
} UnitKind;

typedef enum Supply { SUPPLY_PLANNED = 1, SUPPLY_EMERGENCY } Supply;

typedef struct Unit {
        Master master;
        char *name;
        int kind;
        char *parent;  /* code of the unit above */
        char *regions; /* prefixes of region codes it serves, separated by blanks */
        char *contact;
        int supply; /* planned or emergency supply of parts */
        int64_t head_count;
        bool active;
} Unit;

extern const Table unit_table;
extern const Index index_unit_region;
extern const Register unit_register;

/* Region codes are those of GB/T 2260 (2, 4 or 6 digits) and below the county those of statistics
 * (3 more for the town, 3 more for the village): a prefix stands for all below it. Levels of zeros
 * at the end say "all of it" and are dropped: 110000 is 11, 110105001000 is 110105001. Writes the
 * canonical form. */
#define REGION_SIZE (REGION_DIGITS_MAX + 1)
void region_canonical(const char *region, char ret[static REGION_SIZE]);
/* Whether a text is a region code; else a refusal that says what one is. */
int region_check(const char *field, const char *region, Refusal *refusal);

/* The active unit of that kind that serves the region by the longest prefix; of several equal ones
 * the first by code. Writes its code. 0, -ENOENT, negative errno. */
int unit_of_region(Store *store, UnitKind kind, const char *region,
                   char ret[static CODE_MAX_BYTES + 1]);
/* The active dealer of that sub-centre for the region: among those with the longest matching prefix
 * the one with the fewest open cases of a kind. */
int dealer_of_region(Store *store, const char *subcentre, const char *region, uint8_t case_kind,
                     char ret[static CODE_MAX_BYTES + 1]);

/* Reads a unit, which must be active and of that kind; 0, refused with the field's name, < 0. */
int unit_require(Store *store, const char *field, const char *code, UnitKind kind, Unit *ret,
                 Refusal *refusal);
void unit_done(Unit *unit);

/* The first active unit of a kind (the departments exist once). */
int unit_of_kind(Store *store, UnitKind kind, char ret[static CODE_MAX_BYTES + 1]);

/* Who hears of an escalation: the engine's FindUnit. Where a department does not exist,
 * headquarters hears of it, and where that does not, the sub-centre: somebody always does. */
int unit_find_recipient(Store *store, Recipient recipient, const Case *c,
                        char ret[static CODE_MAX_BYTES + 1]);
