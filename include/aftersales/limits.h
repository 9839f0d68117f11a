/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Every bound a user can meet. Times are seconds unless the name says otherwise. */

#define NAME_MAX_BYTES          64      /* names in the configuration */
#define MOVE_QUANTITY_MAX       1000000 /* parts in one move of stock */
#define CODE_MAX_BYTES          32      /* codes of units, models, serial numbers, faults */
#define TEXT_MAX_BYTES          2000    /* the longest text field */
#define REQUEST_ID_MAX_BYTES    64
#define REGION_DIGITS_MIN       2
#define REGION_DIGITS_MAX       12
#define UNIT_DEPTH_MAX          32 /* units above one */
#define UNIT_REGIONS_MAX        64

#define CALENDAR_STRETCHES_MAX  8    /* working stretches in a day */
#define CALENDAR_DAYS_MAX       4096 /* special days of a calendar */
#define CALENDAR_YEAR_MIN       1970
#define CALENDAR_YEAR_MAX       2170
#define CALENDARS_MAX           64
#define HOLIDAY_FILES_MAX       256 /* of a calendar */

#define LADDER_RUNGS_MAX        8
#define LADDERS_MAX             64
#define TARGETS_MAX             1024
#define TARGET_NAMES_MAX        64 /* kinds, types of a kind, priorities of a type, clocks */
#define ROLES_MAX               64
#define PERMISSIONS_MAX         256 /* of a role */
#define ACCESS_RULES_MAX        4096
#define GROUP_BYTES_MAX         (16 * 1024 * 1024) /* of a group with all its members */

#define CONFIG_BYTES_MAX        (1024 * 1024)
#define CONFIG_DEPTH_MAX        16
#define CONFIG_EVENTS_MAX       200000 /* of a configuration with its drop-ins */
#define CONFIG_DROPINS_MAX      64
#define CONFIG_MESSAGES_MAX     100  /* kept of each severity; more are only counted */
#define DIRECTORY_MAX_BYTES     1024 /* the path of the state directory */

#define PAGE_ROWS_MAX           1000    /* rows of one List page */
#define PAGE_SCAN_MAX           10000   /* records looked at for one List page */
#define PAGE_BYTES_MAX          65536   /* a page ends with the row or change that reaches it */
#define ANSWER_BYTES_MAX        262144  /* of a history or an explanation that is told whole */
#define CHANGES_SCAN_MAX        2000    /* changes looked at for one page of Changes */
#define NOTIFICATIONS_TAKE_MAX  100     /* that one Take hands out */
#define LEASE_MAX               3600    /* seconds for which it does */
#define LAPSED_LOOKED_AT        10000   /* notifications whose lease is over, for one Take */
#define SIGNALS_AHEAD_MAX       4096    /* that a subscriber gets without calling anything */
#define EXPLAIN_STRETCHES_MAX   1000    /* of one clock that Explain tells; its first ones */
#define CASE_STRETCHES_MAX      64      /* times that one case can wait */
#define REPEATS_LOOKED_AT       100     /* newest earlier tickets of a unit, for a repair */
#define REPORT_DAYS_BACK        7       /* for so old a day a report can still be begun */
#define SIMULATE_ROWS_MAX       10000   /* rows of one Simulate; all are counted */
#define SIMULATE_EVENTS_MAX     5000000 /* events that one Simulate counts */
#define POLICY_CASES_NAMED      10      /* contradicting ones that a refused reload names */
#define CALLS_IN_FLIGHT         64      /* what our own programs keep; a bus allows 128 */
#define CALLS_WAITING_MAX       1024    /* of one user, until it is their turn */
#define CALL_BYTES_MAX          16384   /* of a call; none that is meant well needs as many */
#define IMPORT_BYTES_MAX        (INT64_C(4) << 30) /* of the file of one import */
#define IMPORT_ATOMIC_ROWS_MAX  10000      /* of an import that is all or nothing, which is */
#define IMPORT_ATOMIC_BYTES_MAX (16 << 20) /* done in one go */

#define USEC_PER_SEC            INT64_C(1000000)
