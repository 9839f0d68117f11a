/* SPDX-License-Identifier: Apache-2.0 */

#include "dealers/report.h"

#include "aftersales/kinds.h"
#include "aftersales/limits.h"
#include "dealers/rules.h"

enum { TYPE_DAILY = 1 };
enum { PRIORITY_NORMAL = 1 };
enum { CLOCK_REPORT = 1 };

NAMES(state_names, [REPORT_EXPECTED] = "expected", [REPORT_REPORTED] = "reported",
      [REPORT_EXCUSED] = "excused");
NAMES(type_names, [TYPE_DAILY] = "daily");
NAMES(priority_names, [PRIORITY_NORMAL] = "normal");
NAMES(clock_names, [CLOCK_REPORT] = "report");

static const Field clock_fields[] = { CLOCK_FIELDS(&clock_names) };
static const RecordType report_clock_type = CLOCK_TYPE(clock_fields);

/* ---- fields ---- */

static const Field report_fields[] = {
        CASE_FIELDS(&state_names, &type_names, 0, &priority_names, &report_clock_type),
        DATE(32, Report, day, FIELD_SETTABLE | FIELD_FILTER,
             .doc = "the day that is reported; today unless given"),
        TIME(33, Report, due_at, 0, .doc = "until when it must be there"),
        FLAG(34, Report, nothing, 0, .doc = "there was nothing to report"),
        TIME(35, Report, reported_at, 0, .doc = "when it came first"),
        COUNT(36, Report, rows, 0, .doc = "rows of the last file"),
        COUNT(37, Report, created, 0, .doc = "of these, tickets taken in"),
        COUNT(38, Report, moved, 0, .doc = "of these, what has happened to tickets"),
        COUNT(39, Report, unchanged, 0, .doc = "of these, known already"),
        COUNT(40, Report, refused, 0, .doc = "of these, refused"),
        MONEY(41, Report, bonus, FIELD_TRACKED,
              .doc = "what it earned the dealer for being in time"),
};

static const RecordType report_type = {
        .name = "report",
        .number = 17,
        .version = 1,
        .size = sizeof(Report),
        .fields = report_fields,
        .n_fields = ELEMENTS(report_fields),
};

/* ---- table ---- */

static void keys_day(const void *record, Keys *keys) {
        const Report *report = record;
        Key *key = keys_add(keys);

        key_u64(key, (uint64_t)report->day);
        key_text(key, report->head.dealer);
}
const Index index_report_day = { .name = "report_by_day", .keys = keys_day };

static const char *report_fault(const void *record) {
        const Report *report = record;

        if (!report->head.dealer || !report->day || !report->due_at)
                return "a report has no dealer, day or deadline";
        if ((report->reported_at != 0) != (report->head.state == REPORT_REPORTED))
                return "a report is there without having come, or the other way round";
        if (report->bonus && report->reported_at > report->due_at)
                return "a late report has a bonus";
        return case_fault(record);
}

const Table report_table = {
        .number = 17,
        .name = "report",
        .type = &report_type,
        .key = case_key,
        .numbered = true,
        .indices = (const Index *const[]){ CASE_INDICES, &index_report_day, NULL },
        .tallies = (const Index *const[]){ CASE_TALLIES, NULL },
        .former = (const Former[]){ CASE_FORMER, {} },
        .fault = report_fault,
};

void report_done(Report *report) {
        record_done(&report_type, report);
}

/* ---- states, clocks, transitions ---- */

static const StateDef states[] = {
        [REPORT_EXPECTED] = { STATE_OPEN, "the dealer owes it" },
        [REPORT_REPORTED] = { STATE_ENDED, "the dealer has reported" },
        [REPORT_EXCUSED] = { STATE_ENDED, "it was not asked for after all" },
};

#define S(name) STATE(REPORT_##name)

static int64_t fixed_cutoff(const Case *c) {
        return ((const Report *)c)->due_at;
}

static const ClockDef clocks[] = {
        [CLOCK_REPORT] = { .runs = S(EXPECTED),
                           .fixed = fixed_cutoff,
                           .fixed_only = true,
                           .doc = "until the dealer has reported; the cut-off" },
};

static const Transition transitions[] = {
        { .name = "nothing",
          .from = S(EXPECTED),
          .to = REPORT_REPORTED,
          .permission = PERMISSION_REPORT_SUBMIT,
          .guard = report_may_end,
          .effect = report_nothing,
          .doc = "The dealer has nothing to report on that day." },
        { .name = "excuse",
          .from = S(EXPECTED),
          .to = REPORT_EXCUSED,
          .permission = PERMISSION_REPORT_EXCUSE,
          .needs_note = true,
          .guard = report_may_end,
          .doc = "The sub-centre or the business department does without it, on record." },
        /* The same file again, or a second one, changes the counts and nothing else. */
        { .name = "deliver",
          .from = S(EXPECTED) | S(REPORTED),
          .to = REPORT_REPORTED,
          .permission = PERMISSION_REPORT_SUBMIT,
          .takes = "rows created moved unchanged refused",
          .internal = true,
          .guard = report_may_deliver,
          .effect = report_take_file,
          .doc = "A file was imported for it (Transfer.Import with the option report)." },
};

static void prefix_day(const void *filter, Key *key) {
        key_u64(key, (uint64_t)((const Report *)filter)->day);
}

static const ListPath paths[] = {
        { .field = "day", .index = &index_report_day, .prefix = prefix_day },
        CASE_PATHS,
};

const Kind report_kind = {
        .number = KIND_REPORT,
        .name = "report",
        .letter = 'R',
        .table = &report_table,
        .clock_type = &report_clock_type,
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
        .initial = REPORT_EXPECTED,
        .default_type = TYPE_DAILY,
        .default_priority = PRIORITY_NORMAL,
        .read = PERMISSION_REPORT_READ,
        .create_permission = PERMISSION_REPORT_SUBMIT,
        .create = report_create,
        .known_by = "dealer day",
        .find = report_find,
        .assign_owner = report_assign_owner,
        .doc = "dealers' daily reports",
};
