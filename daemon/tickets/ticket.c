/* SPDX-License-Identifier: Apache-2.0 */

#include "tickets/ticket.h"

#include "aftersales/kinds.h"
#include "aftersales/limits.h"
#include "base/digest.h"
#include "parts/core.h"
#include "tickets/rules.h"

NAMES(state_names, [TICKET_RECEIVED] = "received", [TICKET_DISPATCHED] = "dispatched",
      [TICKET_ACCEPTED] = "accepted", [TICKET_VISITED] = "visited",
      [TICKET_WAITING_PART] = "waiting_part", [TICKET_WAITING_CUSTOMER] = "waiting_customer",
      [TICKET_RESOLVED] = "resolved", [TICKET_FOLLOWED_UP] = "followed_up",
      [TICKET_CLOSED] = "closed", [TICKET_VOIDED] = "voided");
NAMES(type_names, TICKET_TYPE_NAMES);
NAMES(priority_names, TICKET_PRIORITY_NAMES);
NAMES(channel_names, [CHANNEL_PHONE] = "phone", [CHANNEL_DEALER] = "dealer",
      [CHANNEL_SHOP] = "shop", [CHANNEL_WEB] = "web", [CHANNEL_FAX] = "fax",
      [CHANNEL_IMPORT] = "import");
NAMES(result_names, NULL, "repaired", "installed", "answered", "exchanged", "refunded", "recycled",
      "cleaned", "no_fault_found", "not_repairable", "customer_declined", "other");
NAMES(outcome_names, [OUTCOME_SATISFIED] = "satisfied", [OUTCOME_DISSATISFIED] = "dissatisfied",
      [OUTCOME_UNREACHABLE] = "unreachable");
NAMES(reopen_names, NULL, "late_visit", "poor_service", "not_repaired", "other");
NAMES(void_names, [VOID_WRONG_NUMBER] = "wrong_number", [VOID_DUPLICATE] = "duplicate",
      [VOID_OTHER] = "other");
NAMES(warranty_names, [WARRANTY_UNKNOWN] = "unknown", [WARRANTY_IN] = "in", [WARRANTY_OUT] = "out");
NAMES(basis_names, [BASIS_SERIAL] = "serial", [BASIS_PURCHASE_DATE] = "purchase_date",
      [BASIS_OVERRIDE] = "override");
NAMES(part_basis_names, [PART_BASIS_UNIT] = "unit", [PART_BASIS_PART] = "part");
NAMES(decision_names, [DECISION_ACCEPT] = "accept", [DECISION_REOPEN] = "reopen");

enum { CLOCK_RESPONSE = 1, CLOCK_VISIT, CLOCK_RESOLVE, CLOCK_FOLLOWUP, CLOCK_WAITING };
NAMES(clock_names, [CLOCK_RESPONSE] = "response", [CLOCK_VISIT] = "visit",
      [CLOCK_RESOLVE] = "resolve", [CLOCK_FOLLOWUP] = "followup", [CLOCK_WAITING] = "waiting");

static const Field clock_fields[] = { CLOCK_FIELDS(&clock_names) };
static const RecordType ticket_clock_type = CLOCK_TYPE(clock_fields);

/* ---- fields ---- */

#define CREATE FIELD_SETTABLE
#define GIVEN  (FIELD_SETTABLE | FIELD_UPDATABLE)

static const Field ticket_part_fields[] = {
        COUNT(1, TicketPart, line, 0, .doc = "number of the line"),
        TEXT(2, TicketPart, part, FIELD_REQUIRED | CREATE | FIELD_CODE, CODE_MAX_BYTES,
             .doc = "part number"),
        COUNT(3, TicketPart, quantity, CREATE, .limit = MOVE_QUANTITY_MAX,
              .doc = "how many; 1 unless given"),
        TEXT(4, TicketPart, serial, CREATE | FIELD_CODE, CODE_MAX_BYTES,
             .doc = "serial number of the new part"),
        TEXT(5, TicketPart, old_serial, CREATE | FIELD_CODE, CODE_MAX_BYTES,
             .doc = "serial number of the part that was replaced"),
        TIME(6, TicketPart, used_at, 0, .doc = "when it was used"),
        ENUM(7, TicketPart, warranty, 0, &warranty_names, .doc = "in or out of warranty"),
        ENUM(8, TicketPart, warranty_basis, 0, &part_basis_names,
             .doc = "because of the unit, or of the part itself, which was new not long ago"),
        COUNT(9, TicketPart, core_quantity, 0, .doc = "how many cores of it must come back"),
        DATE(10, TicketPart, used_on, 0, .doc = "day on which it was used"),
};

const RecordType ticket_part_type = {
        .name = "ticket_part",
        .size = sizeof(TicketPart),
        .fields = ticket_part_fields,
        .n_fields = ELEMENTS(ticket_part_fields),
};

static const Field ticket_fields[] = {
        CASE_FIELDS(&state_names, &type_names, FIELD_REQUIRED, &priority_names, &ticket_clock_type),
        ENUM(32, Ticket, channel, CREATE, &channel_names,
             .doc = "how it came in; phone unless given"),
        TEXT(33, Ticket, reference, CREATE | FIELD_FILTER, 64,
             .doc = "the caller's own: creating it again gives the same ticket"),
        TEXT(34, Ticket, customer_name, GIVEN | FIELD_PERSONAL, 200, .doc = "the customer"),
        TEXT(35, Ticket, phone, GIVEN | FIELD_PERSONAL | FIELD_FILTER, 40,
             .doc = "the customer's phone number"),
        TEXT(36, Ticket, address, GIVEN | FIELD_PERSONAL, 400, .doc = "where to go"),
        TEXT(37, Ticket, region, CREATE | FIELD_REQUIRED | FIELD_FILTER, REGION_DIGITS_MAX,
             .doc = "GB/T 2260 code of the place"),
        TEXT(38, Ticket, product, GIVEN | FIELD_CODE | FIELD_FILTER, CODE_MAX_BYTES,
             .doc = "model"),
        TEXT(39, Ticket, serial, GIVEN | FIELD_CODE | FIELD_FILTER, CODE_MAX_BYTES,
             .doc = "serial number"),
        DATE(40, Ticket, purchase_date, GIVEN, .doc = "when the customer bought it"),
        TEXT(41, Ticket, description, GIVEN | FIELD_PERSONAL | FIELD_MULTILINE, TEXT_MAX_BYTES,
             .doc = "what the customer says"),
        TEXT(42, Ticket, fault_code, GIVEN | FIELD_CODE | FIELD_FILTER, CODE_MAX_BYTES,
             .doc = "code of the fault"),
        TEXT(43, Ticket, technician, 0, 64, .doc = "who visits, as the dealer names them"),
        TIME(44, Ticket, appointment, CREATE | FIELD_TRACKED,
             .doc = "when the next visit is agreed; its deadline"),
        TIME(45, Ticket, promised_at, CREATE | FIELD_TRACKED,
             .doc = "what the customer was promised; the resolution's deadline"),
        COUNT(46, Ticket, visits, 0, .doc = "visits made"),
        TIME(47, Ticket, visited_at, 0, .doc = "the last visit"),
        TEXT(48, Ticket, parts_used, 0, 400, .doc = "parts used, as the dealer reports them"),
        ENUM(49, Ticket, result, 0, &result_names, .doc = "what came of it"),
        TIME(50, Ticket, resolved_at, 0, .doc = "when it was resolved"),
        TEXT(51, Ticket, resolved_by, 0, NAME_MAX_BYTES * 2, .doc = "who resolved it"),
        ENUM(52, Ticket, outcome, 0, &outcome_names,
             .doc = "what the customer said in the follow-up"),
        COUNT(53, Ticket, satisfaction, 0, .limit = 5, .doc = "1 (poor) to 5"),
        ENUM(54, Ticket, reopen_reason, 0, &reopen_names, .doc = "why it was reopened"),
        COUNT(55, Ticket, reopened, 0, .doc = "times it was reopened"),
        COUNT(56, Ticket, attempts, 0, .doc = "days on which the customer could not be reached"),
        DATE(57, Ticket, attempt_day, FIELD_HIDDEN, .doc = "the last of them"),
        TIME(58, Ticket, followed_up_at, 0, .doc = "the last follow-up"),
        TEXT(59, Ticket, followed_up_by, 0, NAME_MAX_BYTES * 2, .doc = "who made it"),
        TEXT(60, Ticket, wait_reason, FIELD_PERSONAL, 200, .doc = "what it waits for"),
        ENUM(61, Ticket, resume_state, FIELD_HIDDEN, &state_names, .doc = "state before waiting"),
        ENUM(62, Ticket, void_reason, 0, &void_names, .doc = "why it was voided"),
        ID(63, Ticket, duplicate_of, 0, .doc = "the ticket it repeats"),
        ENUM(64, Ticket, warranty, FIELD_TRACKED, &warranty_names, .doc = "in or out of warranty"),
        DATE(65, Ticket, warranty_until, 0, .doc = "last day of the warranty"),
        ENUM(66, Ticket, warranty_basis, 0, &basis_names,
             .doc = "what the warranty was found from"),
        ID(67, Ticket, repeat_of, FIELD_FILTER, .doc = "the earlier repair of the same unit"),
        TEXT(68, Ticket, repeat_dealer, 0, CODE_MAX_BYTES, .doc = "the dealer who did that one"),
        ENUM(69, Ticket, decision, 0, &decision_names,
             .doc = "on a customer who cannot be reached"),
        TIME(70, Ticket, closed_at, 0, .doc = "when it was closed or voided"),
        TEXT(71, Ticket, resolved_dealer, FIELD_CODE, CODE_MAX_BYTES,
             .doc = "the dealer who had it when it was resolved"),
        LIST(72, Ticket, parts, 0, &ticket_part_type, .limit = TICKET_PARTS_GIVEN_MAX,
             .doc = "parts that were used; each as part, quantity, serial, old_serial"),
};

static const RecordType ticket_type = {
        .name = "ticket",
        .number = 16,
        .version = 1,
        .size = sizeof(Ticket),
        .fields = ticket_fields,
        .n_fields = ELEMENTS(ticket_fields),
};

/* ---- table ---- */

static void keys_serial(const void *record, Keys *keys) {
        const Ticket *ticket = record;

        if (ticket->serial)
                key_text(keys_add(keys), ticket->serial);
}
const Index index_ticket_serial = { .name = "ticket_by_serial", .keys = keys_serial };

/* The key is a digest: short, and the index is no directory of customers. */
Key ticket_phone_key(const char *phone) {
        Digest digest;
        Key key = {};

        digest_pieces(&digest, phone, strlen(phone), NULL, 0, NULL, 0);
        key_bytes(&key, digest.bytes, 8);
        return key;
}

static void keys_phone(const void *record, Keys *keys) {
        const Ticket *ticket = record;

        if (ticket->phone)
                *keys_add(keys) = ticket_phone_key(ticket->phone);
}
const Index index_ticket_phone = { .name = "ticket_by_phone", .keys = keys_phone };

static void keys_reference(const void *record, Keys *keys) {
        const Ticket *ticket = record;

        if (ticket->reference)
                key_text(keys_add(keys), ticket->reference);
}
const Index index_ticket_reference = { .name = "ticket_by_reference", .keys = keys_reference };

/* What must come back of each line; the cores take it away again. */
static void keys_core_duty(const void *record, Keys *keys) {
        const Ticket *ticket = record;
        const TicketPart *parts = ticket->parts.items;

        for (size_t i = 0; i < ticket->parts.n; i++) {
                Key *key = keys_add_amount(keys, parts[i].core_quantity);

                key_u64(key, ticket->head.id);
                key_u64(key, (uint64_t)parts[i].line);
        }
}
static const Index sum_ticket_duty = { .name = "core_duty", .keys = keys_core_duty, .sum = true };

/* A failure without a core to verify it by. */
static void keys_failure(const void *record, Keys *keys) {
        const Ticket *ticket = record;
        const TicketPart *parts = ticket->parts.items;

        for (size_t i = 0; i < ticket->parts.n && ticket->product; i++) {
                if (parts[i].warranty == WARRANTY_IN && parts[i].core_quantity == 0)
                        *keys_add_amount(keys, parts[i].quantity) =
                                failure_key(ticket->product, parts[i].part, parts[i].used_on);
        }
}
static const Index sum_ticket_failure = { .name = "failure", .keys = keys_failure, .sum = true };

const Table ticket_table = {
        .number = 16,
        .name = "ticket",
        .type = &ticket_type,
        .key = case_key,
        .numbered = true,
        .indices = (const Index *const[]){ CASE_INDICES, &index_ticket_serial, &index_ticket_phone,
                                           &index_ticket_reference, NULL },
        .tallies =
                (const Index *const[]){ CASE_TALLIES, &sum_ticket_duty, &sum_ticket_failure, NULL },
        .former = (const Former[]){ CASE_FORMER, {} },
        .fault = case_fault,
};

void ticket_done(Ticket *ticket) {
        record_done(&ticket_type, ticket);
}

/* ---- states, clocks, transitions ---- */

static const StateDef states[] = {
        [TICKET_RECEIVED] = { STATE_OPEN, "taken in, not given to a dealer yet" },
        [TICKET_DISPATCHED] = { STATE_OPEN, "given to a dealer, who has not accepted yet" },
        [TICKET_ACCEPTED] = { STATE_OPEN, "the dealer will visit" },
        [TICKET_VISITED] = { STATE_OPEN, "a visit was made, the result is not known yet" },
        [TICKET_WAITING_PART] = { STATE_WAITING, "waits for a part" },
        [TICKET_WAITING_CUSTOMER] = { STATE_WAITING, "waits for the customer" },
        [TICKET_RESOLVED] = { STATE_OPEN,
                              "done by the dealer's word, the customer is to be asked" },
        [TICKET_FOLLOWED_UP] = { STATE_OPEN, "the customer is satisfied" },
        [TICKET_CLOSED] = { STATE_ENDED, "the loop is closed" },
        [TICKET_VOIDED] = { STATE_ENDED, "was no ticket: wrong number, duplicate" },
};

#define S(name) STATE(TICKET_##name)
#define WAITING (S(WAITING_PART) | S(WAITING_CUSTOMER))
#define WORK    (S(RECEIVED) | S(DISPATCHED) | S(ACCEPTED) | S(VISITED) | WAITING)
#define ALL     (WORK | S(RESOLVED) | S(FOLLOWED_UP) | S(CLOSED) | S(VOIDED))

/* One before the last visit is none any more: older programs kept it. */
static int64_t fixed_appointment(const Case *c) {
        const Ticket *ticket = (const Ticket *)c;

        return ticket->appointment > ticket->visited_at ? ticket->appointment : 0;
}

static int64_t fixed_promise(const Case *c) {
        return ((const Ticket *)c)->promised_at;
}

static const ClockDef clocks[] = {
        [CLOCK_RESPONSE] = { .runs = S(RECEIVED) | S(DISPATCHED),
                             .pauses = WAITING,
                             .doc = "until a dealer accepts" },
        [CLOCK_VISIT] = { .runs = S(ACCEPTED),
                          .pauses = WAITING,
                          .runs_fixed = S(VISITED),
                          .fixed = fixed_appointment,
                          .doc = "until the visit; the appointment where there is one" },
        [CLOCK_RESOLVE] = { .runs = S(RECEIVED) | S(DISPATCHED) | S(ACCEPTED) | S(VISITED),
                            .pauses = WAITING,
                            .fixed = fixed_promise,
                            .doc = "from receipt to result; the promise where there is one" },
        [CLOCK_FOLLOWUP] = { .runs = S(RESOLVED) | S(FOLLOWED_UP),
                             .doc = "until the customer was asked and the ticket is closed" },
        [CLOCK_WAITING] = { .runs = WAITING, .doc = "how long it may wait" },
};

static const Transition transitions[] = {
        { .name = "transfer",
          .from = S(RECEIVED) | S(DISPATCHED) | S(ACCEPTED),
          .to = TICKET_RECEIVED,
          .permission = PERMISSION_TICKET_DISPATCH,
          .takes = "subcentre",
          .needs = "subcentre",
          .needs_note = true,
          .effect = ticket_transfer,
          .doc = "Hands the ticket to another sub-centre, which finds a dealer anew." },
        { .name = "dispatch",
          .from = S(RECEIVED) | S(DISPATCHED) | S(ACCEPTED) | S(VISITED),
          .to = TICKET_DISPATCHED,
          .permission = PERMISSION_TICKET_DISPATCH,
          .takes = "dealer",
          .effect = ticket_dispatch,
          .doc = "Gives the ticket to a dealer of its sub-centre: the one named, else the active dealer "
                 "of the region with the fewest open tickets. A special customer's stays with the "
                 "sub-centre itself." },
        { .name = "decline",
          .from = S(DISPATCHED) | S(ACCEPTED),
          .to = TICKET_RECEIVED,
          .permission = PERMISSION_TICKET_WORK,
          .needs_note = true,
          .effect = ticket_decline,
          .doc = "The dealer cannot do it; the sub-centre finds another one." },
        { .name = "accept",
          .from = S(RECEIVED) | S(DISPATCHED),
          .to = TICKET_ACCEPTED,
          .permission = PERMISSION_TICKET_WORK,
          .takes = "technician appointment",
          .guard = ticket_may_accept,
          .doc = "The dealer, or for a special customer the sub-centre, takes the ticket on." },
        { .name = "appoint",
          .from = S(ACCEPTED) | S(VISITED) | WAITING,
          .permission = PERMISSION_TICKET_WORK,
          .takes = "appointment technician",
          .needs = "appointment",
          .guard = ticket_may_appoint,
          .doc = "Agrees the time of the visit with the customer: the deadline of the visit." },
        { .name = "promise",
          .from = WORK,
          .permission = PERMISSION_TICKET_PROMISE,
          .takes = "promised_at",
          .needs = "promised_at",
          .guard = ticket_may_promise,
          .doc = "Promises the customer a time by which it is resolved. A promise is a deadline that "
                 "no waiting moves." },
        { .name = "visit",
          .from = S(ACCEPTED) | S(VISITED),
          .to = TICKET_VISITED,
          .permission = PERMISSION_TICKET_WORK,
          .takes = "technician parts parts_used fault_code serial",
          .effect = ticket_visit,
          .doc = "A technician has been with the customer." },
        { .name = "unuse",
          .from = S(VISITED) | S(WAITING_PART) | S(WAITING_CUSTOMER) | S(RESOLVED),
          .permission = PERMISSION_TICKET_WORK,
          .takes = "parts",
          .needs = "parts",
          .needs_note = true,
          .effect = ticket_unuse,
          .doc = "Parts were not used after all (part, quantity, serial): they are in stock again, and no core is owed "
                 "for them." },
        { .name = "wait_part",
          .from = S(ACCEPTED) | S(VISITED),
          .to = TICKET_WAITING_PART,
          .permission = PERMISSION_TICKET_WORK,
          .takes = "wait_reason",
          .needs = "wait_reason",
          .effect = ticket_wait,
          .doc = "Nothing can be done until a part is there." },
        { .name = "wait_customer",
          .from = S(RECEIVED) | S(DISPATCHED) | S(ACCEPTED) | S(VISITED),
          .to = TICKET_WAITING_CUSTOMER,
          .permission = PERMISSION_TICKET_WORK,
          .takes = "wait_reason",
          .needs = "wait_reason",
          .effect = ticket_wait,
          .doc = "Nothing can be done until the customer can." },
        { .name = "resume",
          .from = WAITING,
          .permission = PERMISSION_TICKET_WORK,
          .effect = ticket_resume,
          .doc = "The waiting is over; the ticket goes on where it was." },
        { .name = "resolve",
          .from = S(RECEIVED) | S(DISPATCHED) | S(ACCEPTED) | S(VISITED),
          .to = TICKET_RESOLVED,
          .permission = PERMISSION_TICKET_WORK,
          .takes = "result technician parts parts_used fault_code serial",
          .needs = "result",
          .guard = ticket_may_resolve,
          .effect = ticket_resolve,
          .doc = "It is done. Types that need a visit must have been visited." },
        { .name = "follow_up",
          .from = S(RESOLVED),
          .permission = PERMISSION_TICKET_FOLLOWUP,
          .takes = "outcome satisfaction reopen_reason",
          .needs = "outcome",
          .guard = ticket_may_follow_up,
          .effect = ticket_follow_up,
          .doc = "Somebody else than the repairer has asked the customer. Satisfied: it can be closed. "
                 "Dissatisfied, with the reason: it is open again, one rung up the ladder. Unreachable: "
                 "counted once a day." },
        { .name = "decide",
          .from = S(RESOLVED),
          .permission = PERMISSION_TICKET_DECIDE,
          .takes = "decision reopen_reason",
          .needs = "decision",
          .needs_note = true,
          .guard = ticket_may_decide,
          .effect = ticket_decide,
          .doc = "The sub-centre decides, on record, about a customer who could not be reached on "
                 "enough days." },
        { .name = "close",
          .from = S(FOLLOWED_UP),
          .to = TICKET_CLOSED,
          .permission = PERMISSION_TICKET_FOLLOWUP,
          .effect = ticket_close,
          .doc = "Closes the loop." },
        { .name = "reopen",
          .from = S(RESOLVED) | S(FOLLOWED_UP) | S(CLOSED),
          .permission = PERMISSION_TICKET_FOLLOWUP,
          .takes = "reopen_reason",
          .needs = "reopen_reason",
          .effect = ticket_reopen,
          .doc = "The customer is back with the same problem: open again, one rung up the ladder." },
        { .name = "void",
          .from = WORK,
          .to = TICKET_VOIDED,
          .permission = PERMISSION_TICKET_VOID,
          .takes = "void_reason duplicate_of",
          .needs = "void_reason",
          .guard = ticket_may_void,
          .effect = ticket_void,
          .doc = "It was no ticket: a wrong number, or it repeats another one, which is not voided itself. "
                 "Any other reason is told in a note." },
        { .name = "override_warranty",
          .from = WORK | S(RESOLVED),
          .permission = PERMISSION_TICKET_WARRANTY,
          .takes = "warranty",
          .needs = "warranty",
          .needs_note = true,
          .guard = ticket_may_override,
          .effect = ticket_override,
          .doc = "Decides on the warranty against what was computed, on record." },
        { .name = "update",
          .from = WORK | S(RESOLVED) | S(FOLLOWED_UP),
          .permission = PERMISSION_TICKET_UPDATE,
          .takes =
                  "type priority customer_name phone address product serial purchase_date description "
                  "fault_code",
          .effect = ticket_update,
          .doc = "Corrects what is known. Another type or priority means other deadlines, counted from "
                 "the beginning. Who becomes a special customer goes back to the sub-centre." },
        { .name = "comment",
          .from = ALL,
          .permission = PERMISSION_TICKET_UPDATE,
          .needs_note = true,
          .doc = "Adds a remark to the history." },
};

static void prefix_reference(const void *filter, Key *key) {
        key_text(key, ((const Ticket *)filter)->reference);
}

static void prefix_serial(const void *filter, Key *key) {
        key_text(key, ((const Ticket *)filter)->serial);
}

static void prefix_phone(const void *filter, Key *key) {
        *key = ticket_phone_key(((const Ticket *)filter)->phone);
}

static const ListPath paths[] = {
        { .field = "reference", .index = &index_ticket_reference, .prefix = prefix_reference },
        { .field = "serial", .index = &index_ticket_serial, .prefix = prefix_serial },
        { .field = "phone", .index = &index_ticket_phone, .prefix = prefix_phone },
        CASE_PATHS,
};

const Kind ticket_kind = {
        .number = KIND_TICKET,
        .name = "ticket",
        .letter = 'T',
        .table = &ticket_table,
        .clock_type = &ticket_clock_type,
        .state_names = &state_names,
        .type_names = &type_names,
        .priority_names = &priority_names,
        .clock_names = &clock_names,
        .states = states,
        .clocks = clocks,
        .transitions = transitions,
        .n_transitions = ELEMENTS(transitions),
        .paths = paths,
        .n_paths = ELEMENTS(paths),
        .initial = TICKET_RECEIVED,
        .default_priority = TICKET_NORMAL,
        .read = PERMISSION_TICKET_READ,
        .create_permission = PERMISSION_TICKET_CREATE,
        .create = ticket_create,
        .known_by = "reference",
        .find = ticket_find,
        .assign_owner = ticket_assign_owner,
        .doc = "customer tickets",
};
