/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What the files of rules share. */

#include <errno.h>
#include <string.h>

#include "aftersales/limits.h"
#include "base/text.h"
#include "base/zone.h"
#include "loop/engine.h"
#include "tickets/rules.h"
#include "tickets/ticket.h"

static inline Ticket *ticket_of(Step *step) {
        return (Ticket *)step->item;
}

static inline Store *store_of(Step *step) {
        return change_store(step->change);
}

static inline const TicketPolicy *policy_of(const Step *step) {
        return &engine_policy(step->engine)->tickets;
}

static inline bool is_given(const Step *step, const char *name) {
        size_t i;

        return record_field(ticket_table.type, name, &i) && field_mask_has(step->given, i);
}

/* Of the step, in the zone of the configuration. */
static inline int64_t local_day(const Step *step) {
        int32_t day, second;

        zone_local(engine_zone(step->engine), step->now / USEC_PER_SEC, &day, &second);
        return day;
}
