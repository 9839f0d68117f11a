/* SPDX-License-Identifier: Apache-2.0 */

#include "commands.h"

#include <string.h>
#include <sysexits.h>

#include "aftersales/bus.h"
#include "aftersales/kinds.h"
#include "verbs.h"

/* ---- the tables ---- */

typedef enum NounId {
        NOUN_STATUS,
        NOUN_CHECK,
        NOUN_MONITOR,
        NOUN_TICKET,
        NOUN_REPORT,
        NOUN_ESCALATION,
        NOUN_UNIT,
        NOUN_PRODUCT,
        NOUN_SERIAL,
        NOUN_FAULT,
        NOUN_PART,
        NOUN_SUPPLIER,
        NOUN_CORE,
        NOUN_ORDER,
        NOUN_PLAN,
        NOUN_CONTRACT,
        NOUN_SHIPMENT,
        NOUN_OBLIGATION,
        NOUN_ASSESSMENT,
        NOUN_OWED,
        NOUN_STOCK,
        NOUN_MOVE,
        NOUN_IMPORT,
        NOUN_EXPORT,
        NOUN_BACKUP,
        NOUN_RELOAD,
        NOUN_CONFIG,
        NOUN_SIMULATE,
        NOUN_CALENDAR,
        NOUN_CLOCK,
        NOUN_HELP,
} NounId;

static const Noun nouns[] = {
        [NOUN_STATUS] = { "status", AFTERSALES_MANAGER,
                          .doc = "how the daemon is: open tickets, delays, warnings" },
        [NOUN_CHECK] = { "check", AFTERSALES_MANAGER,
                         .doc = "have every record proved; ends with 1 if one is at fault" },
        [NOUN_MONITOR] = { "monitor", AFTERSALES_MANAGER,
                           .doc = "follow every change that is yours to see, without gaps, until "
                                  "stopped; --json: a line each" },
        [NOUN_TICKET] = { "ticket", AFTERSALES_TICKETS, "ticket", 'T',
                          "id,state,type,priority,owner,region,product,armed_at,rung,overdue",
                          "customer tickets" },
        [NOUN_REPORT] = { "report", AFTERSALES_REPORTS, "report", 'R',
                          "id,state,dealer,day,due_at,reported_at,nothing,rows,refused,bonus,"
                          "overdue",
                          "dealers' daily reports" },
        [NOUN_ESCALATION] = { "escalation", AFTERSALES_ESCALATIONS, "escalation", LETTER_ESCALATION,
                              "id,case_id,cause,clock,level,recipient,due_at,acknowledged_by",
                              "what was not done in time, and who has heard of it" },
        [NOUN_UNIT] = { "unit", AFTERSALES_UNITS, "unit", 0, "code,name,kind,parent,regions,active",
                        "departments, sub-centres and dealers" },
        [NOUN_PRODUCT] = { "product", AFTERSALES_PRODUCTS, "product", 0,
                           "code,name,line,origin,warranty_months", "models" },
        [NOUN_SERIAL] = { "serial", AFTERSALES_SERIALS, "serial", 0, "code,product,sold_on,sold_by",
                          "units sold" },
        [NOUN_FAULT] = { "fault", AFTERSALES_FAULTS, "fault", 0, "code,symptom,cause,part",
                         "fault codes" },
        [NOUN_PART] = { "part", AFTERSALES_PARTS, "part", 0,
                        "code,name,line,origin,supplier,returnable,price", "spare parts" },
        [NOUN_SUPPLIER] = { "supplier", AFTERSALES_SUPPLIERS, "supplier", 0, "code,name",
                            "suppliers of parts" },
        [NOUN_CORE] = { "core", AFTERSALES_CORES, "core", 'C',
                        "id,state,owner,part,quantity,ticket,dealer,used_at,armed_at,rung,overdue",
                        "old parts that must come back" },
        [NOUN_ORDER] = { "order", AFTERSALES_ORDERS, "order", 'O',
                         "id,state,type,unit,source,month,sheet,owner,armed_at,rung,overdue",
                         "orders of parts" },
        [NOUN_PLAN] = { "plan", AFTERSALES_PLANNING, "plan", 0, NULL, "monthly plans of parts" },
        [NOUN_CONTRACT] = { "contract", AFTERSALES_CONTRACTS, "contract", 0,
                            "code,supplier,product,rate,share,from,until",
                            "contracts with suppliers of finished goods" },
        [NOUN_SHIPMENT] = { "shipment", AFTERSALES_SHIPMENTS, "shipment", LETTER_SHIPMENT,
                            "id,at,contract,quantity,actor", "goods that suppliers have sent" },
        [NOUN_OBLIGATION] = { "obligation", AFTERSALES_OBLIGATIONS, "obligation", 'B',
                              "id,state,type,contract,item,quantity,delivered,owner,armed_at,rung,"
                              "overdue",
                              "what suppliers owe" },
        [NOUN_ASSESSMENT] = { "assessment", AFTERSALES_ASSESSMENTS, "assessment", LETTER_ASSESSMENT,
                              "id,day,dealer,item,cause,cause_id",
                              "what counts for and against dealers" },
        [NOUN_OWED] = { "owed", AFTERSALES_OWED, "owed", 0, NULL,
                        "who owes cores, and for how long" },
        [NOUN_STOCK] = { "stock", AFTERSALES_STOCK, "balance", 0, NULL, "what is where" },
        [NOUN_MOVE] = { "move", AFTERSALES_MOVES, "move", LETTER_MOVE,
                        "id,at,part,quantity,from,to,condition,becomes,reason,cause_id,actor",
                        "the stock ledger: moves of parts between places" },
        [NOUN_IMPORT] = { "import", AFTERSALES_TRANSFER,
                          .doc = "take in the rows of a file, or tell what is wrong with them" },
        [NOUN_EXPORT] = { "export", AFTERSALES_TRANSFER,
                          .doc = "write records to a file, which can be imported again" },
        [NOUN_BACKUP] = { "backup", AFTERSALES_BACKUPS,
                          .doc = "copy the whole store into a new file, proved" },
        [NOUN_RELOAD] = { "reload", AFTERSALES_POLICY,
                          .doc = "read the configuration again, and bring it into force whole or "
                                 "not at all" },
        [NOUN_CONFIG] = { "config", AFTERSALES_POLICY, .doc = "the configuration in force" },
        [NOUN_SIMULATE] = { "simulate", AFTERSALES_POLICY, "escalation", LETTER_ESCALATION, NULL,
                            "what would escalate to whom if nobody did anything" },
        [NOUN_CALENDAR] = { "calendar", AFTERSALES_CALENDARS, .doc = "working time" },
        [NOUN_CLOCK] = { "clock", AFTERSALES_MANAGER, .doc = "the clock that the daemon goes by" },
        [NOUN_HELP] = { "help", .doc = "this help, or that of a command" },
};

#define N(name) (1U << NOUN_##name)
#define MASTERS (N(UNIT) | N(PRODUCT) | N(SERIAL) | N(FAULT) | N(PART) | N(SUPPLIER) | N(CONTRACT))

#define ROWS    FOR_TABLES
#define LIST    (FOR_TABLES | FOR_LISTS | FOR_FIELDS)
#define WATCHED (LIST | FOR_WATCHING)
#define CHANGE  (FOR_FIELDS | FOR_CHANGES)

/* A transition of a ticket; the daemon knows what it needs. */
#define MOVE(verb, arguments, doc)                                                                 \
        { N(TICKET), verb, "ID" arguments, doc, verb_transition, CHANGE, 1, 1, false }

static const Command commands[] = {
        { N(STATUS), NULL, "", NULL, verb_status, 0, 0, 0, false },
        { N(CHECK), NULL, "", NULL, verb_check, 0, 0, 0, false },
        { N(MONITOR), NULL, "", NULL, verb_monitor, FOR_MONITOR, 0, 0, false },
        { N(HELP), NULL, "[NOUN [VERB]]", NULL, verb_help, 0, 0, 2, true },

        { N(TICKET), "new", "type=TYPE region=CODE [FIELD=VALUE...]",
          "take a ticket in and print its number; the same reference again gives the same ticket",
          verb_new, CHANGE, 0, 0, false },
        { N(TICKET), "list", "[FIELD=VALUE...]",
          "open tickets with these values, most urgent first; state=STATE or ended=true for "
          "others, rung=N for those at least so high",
          verb_list, WATCHED, 0, 0, false },
        { N(TICKET), "show", "ID", "all fields and clocks of a ticket", verb_show, ROWS, 1, 1,
          false },
        { N(TICKET), "history", "ID", "who changed what, and when", verb_history, ROWS, 1, 1,
          false },
        { N(TICKET), "explain", "ID",
          "how each deadline was counted: which times, which not, and why", verb_explain, ROWS, 1,
          1, false },
        MOVE("transfer", " subcentre=CODE --note=TEXT", "hand it to another sub-centre"),
        MOVE("dispatch", " [dealer=CODE]", "give it to this dealer, or to the least busy one"),
        MOVE("decline", " --note=TEXT", "the dealer cannot do it"),
        MOVE("accept", " [technician=NAME] [appointment=TIME]", "take it on"),
        MOVE("appoint", " appointment=TIME [technician=NAME]", "agree the time of the visit"),
        MOVE("promise", " promised_at=TIME", "promise the customer when it will be resolved"),
        MOVE("visit",
             " [technician=NAME] [parts=LIST] [parts_used=TEXT] [fault_code=CODE] [serial=CODE]",
             "a technician has been there"),
        MOVE("unuse", " parts=LIST --note=TEXT", "parts were not used after all"),
        MOVE("wait-part", " --ask",
             "it waits for a part; asks why, which may tell of the customer"),
        MOVE("wait-customer", " --ask", "it waits for the customer; asks why"),
        MOVE("resume", "", "the waiting is over"),
        MOVE("resolve",
             " result=RESULT [technician=NAME] [parts=LIST] [parts_used=TEXT] [fault_code=CODE] [serial=CODE]",
             "it is done"),
        MOVE("follow-up", " outcome=OUTCOME [satisfaction=1..5] [reopen_reason=REASON]",
             "the customer was asked: satisfied, dissatisfied or unreachable"),
        MOVE("decide", " decision=accept|reopen [reopen_reason=REASON] --note=TEXT",
             "decide about a customer who cannot be reached"),
        MOVE("close", "", "the customer is satisfied: close it"),
        MOVE("reopen", " reopen_reason=REASON", "the customer is back"),
        MOVE("void", " void_reason=REASON [duplicate_of=ID]", "it was no ticket"),
        MOVE("override-warranty", " warranty=in|out|unknown --note=TEXT",
             "decide about the warranty against the rule"),
        MOVE("update", " FIELD=VALUE...", "correct what is known about customer and product"),
        MOVE("comment", " --note=TEXT", "add a remark to its history"),

        { N(REPORT), "new", "dealer=CODE [day=DATE]",
          "expect a report, of today unless told; the same dealer and day again give the same one",
          verb_new, CHANGE, 0, 0, false },
        { N(REPORT), "list", "[FIELD=VALUE...]",
          "reports that are missing with these values, most urgent first; day=DATE for all of a "
          "day, state=STATE or ended=true for others",
          verb_list, WATCHED, 0, 0, false },
        { N(REPORT), "show", "ID", "all fields and clocks of a report", verb_show, ROWS, 1, 1,
          false },
        { N(REPORT), "history", "ID", "who changed what, and when", verb_history, ROWS, 1, 1,
          false },
        { N(REPORT), "explain", "ID", "when its reminder and its rungs are due, and why",
          verb_explain, ROWS, 1, 1, false },
        { N(REPORT), "submit", "FILE|- dealer=CODE [day=DATE]",
          "import a file of tickets as the dealer's report of the day, of today unless told",
          verb_submit, FOR_FIELDS | FOR_FILES | FOR_IMPORTS, 1, 1, false },
        { N(REPORT), "nothing", "ID", "the dealer has nothing to report", verb_transition, CHANGE,
          1, 1, false },
        { N(REPORT), "excuse", "ID --note=TEXT", "do without it, for this reason", verb_transition,
          CHANGE, 1, 1, false },

        { N(ESCALATION), "list", "[FIELD=VALUE...]",
          "escalations with these values, highest first; acknowledged=false for those nobody has "
          "taken",
          verb_list, WATCHED, 0, 0, false },
        { N(ESCALATION), "show", "ID", "all fields of an escalation", verb_show, ROWS, 1, 1,
          false },
        { N(ESCALATION), "ack", "ID", "take note of it; the clock goes on", verb_acknowledge,
          FOR_CHANGES, 1, 1, false },

        { MASTERS, "list", "[FIELD=VALUE...]", "those with these values", verb_list, LIST, 0, 0,
          false },
        { MASTERS, "show", "CODE", "all fields of one", verb_show, ROWS, 1, 1, false },
        { MASTERS, "new", "code=CODE FIELD=VALUE...", "add one", verb_new, CHANGE, 0, 0, false },
        { MASTERS, "update", "CODE FIELD=VALUE...", "change these fields", verb_update, CHANGE, 1,
          1, false },
        { MASTERS, "history", "CODE", "who changed what, and when", verb_history, ROWS, 1, 1,
          false },
        { N(CORE), "list", "[FIELD=VALUE...]",
          "cores that are owed with these values, most urgent first; state=STATE or ended=true for "
          "others",
          verb_list, WATCHED, 0, 0, false },
        { N(CORE), "show", "ID", "all fields and clocks of a core", verb_show, ROWS, 1, 1, false },
        { N(CORE), "history", "ID", "who changed what, and when", verb_history, ROWS, 1, 1, false },
        { N(CORE), "explain", "ID", "when its reminder and its rungs are due, and why",
          verb_explain, ROWS, 1, 1, false },
        { N(CORE), "ship", "ID [quantity=N] [waybill=TEXT]",
          "the dealer sends it back; those that are sent of several become a core of their own",
          verb_transition, CHANGE, 1, 1, false },
        { N(CORE), "receive", "ID [quantity=N]", "it has arrived", verb_transition, CHANGE, 1, 1,
          false },
        { N(CORE), "accept", "ID [quantity=N]", "it is the part", verb_transition, CHANGE, 1, 1,
          false },
        { N(CORE), "reject", "ID reject_reason=REASON [quantity=N]",
          "it is another one, damaged, or missing: it is owed again", verb_transition, CHANGE, 1, 1,
          false },
        { N(CORE), "charge", "ID charge=AMOUNT [quantity=N] --note=TEXT",
          "it does not come back, and is paid for", verb_transition, CHANGE, 1, 1, false },

        { N(OWED), "list", "[subcentre=CODE] [dealer=CODE] [part=CODE]",
          "cores that are not accepted yet, by sub-centre, dealer and part, and by age", verb_list,
          LIST, 0, 0, false },

        { N(STOCK), "show", "[place=PLACE] [part=CODE]",
          "balances of a place, of a part, or of your own unit; a place is the code of a unit, "
          "transit:CODE, supplier:CODE, customer, count or scrap",
          verb_list, LIST, 0, 0, false },
        { N(STOCK), "moves", "[FIELD=VALUE...]", "the moves with these values, as move list",
          verb_stock_moves, LIST, 0, 0, false },
        { N(STOCK), "check", "",
          "have every balance proved from the moves, with all else that there is; ends with 1 if "
          "something is at fault",
          verb_stock_check, 0, 0, 0, false },
        { N(STOCK), "totals", "",
          "all parts together: what has entered is what is somewhere, so that they add up to 0",
          verb_stock_totals, ROWS, 0, 0, false },

        { N(ORDER), "new",
          "[dealer=CODE|subcentre=CODE] [source=PLACE] lines=\"part=CODE quantity=N [credit=N]; "
          "...\" [reference=TEXT]",
          "draft an order and print its number", verb_new, CHANGE, 0, 0, false },
        { N(ORDER), "list", "[FIELD=VALUE...]",
          "orders that are under way with these values, most urgent first; state=STATE or "
          "ended=true for others",
          verb_list, WATCHED, 0, 0, false },
        { N(ORDER), "show", "ID", "all fields, lines and clocks of an order", verb_show, ROWS, 1, 1,
          false },
        { N(ORDER), "history", "ID", "who changed what, and when", verb_history, ROWS, 1, 1,
          false },
        { N(ORDER), "explain", "ID", "when its reminder and its rungs are due, and why",
          verb_explain, ROWS, 1, 1, false },
        { N(ORDER), "edit", "ID lines=LIST", "other lines in the place of those that it has",
          verb_transition, CHANGE, 1, 1, false },
        { N(ORDER), "submit", "ID", "hand it in", verb_transition, CHANGE, 1, 1, false },
        { N(ORDER), "approve", "ID [lines=\"part=CODE approved=N cut_reason=TEXT; ...\"]",
          "approve it, all that is asked for unless lines say less", verb_transition, CHANGE, 1, 1,
          false },
        { N(ORDER), "send-back", "ID --note=TEXT", "give it back to be changed", verb_transition,
          CHANGE, 1, 1, false },
        { N(ORDER), "ship", "ID [lines=\"part=CODE quantity=N; ...\"]",
          "send all that is left, or what lines say", verb_transition, CHANGE, 1, 1, false },
        { N(ORDER), "receive", "ID [lines=\"part=CODE quantity=N missing=N; ...\"]",
          "all that is on its way has arrived, or what lines say; what is missing is to be sent "
          "again",
          verb_transition, CHANGE, 1, 1, false },
        { N(ORDER), "close-short", "ID --note=TEXT", "what has not been sent will not be",
          verb_transition, CHANGE, 1, 1, false },
        { N(ORDER), "cancel", "ID --note=TEXT", "nothing comes of it", verb_transition, CHANGE, 1,
          1, false },

        { N(PLAN), "run", "UNIT MONTH",
          "make the plan of a unit and month (2026-11), sheet by sheet, and print its orders; a plan "
          "that there is stays as it is",
          verb_plan_run, 0, 2, 2, false },
        { N(PLAN), "show", "UNIT MONTH",
          "how the plan would come out now: what each quantity is computed from, and what other "
          "methods expect",
          verb_plan_show, ROWS, 2, 2, false },
        { N(PLAN), "explain", "UNIT MONTH PART", "one quantity, step by step", verb_plan_explain,
          ROWS, 3, 3, false },

        { N(CONTRACT), "account", "CODE",
          "what shipments oblige to, what has failed, what was claimed, what has come",
          verb_contract_account, ROWS, 1, 1, false },
        { N(CONTRACT), "claim", "CODE", "claim what has failed above what was declared",
          verb_contract_claim, 0, 1, 1, false },

        { N(SHIPMENT), "list", "[FIELD=VALUE...]", "those with these values", verb_list, LIST, 0, 0,
          false },
        { N(SHIPMENT), "show", "ID", "all fields of one", verb_show, ROWS, 1, 1, false },
        { N(SHIPMENT), "new", "contract=CODE quantity=N [reference=TEXT]",
          "record goods that have come; the supplier owes parts and units besides", verb_new,
          CHANGE, 0, 0, false },

        { N(OBLIGATION), "list", "[FIELD=VALUE...]",
          "what is owed with these values, most urgent first; state=STATE or ended=true for others",
          verb_list, WATCHED, 0, 0, false },
        { N(OBLIGATION), "show", "ID", "all fields and clocks of one", verb_show, ROWS, 1, 1,
          false },
        { N(OBLIGATION), "history", "ID", "who changed what, and when", verb_history, ROWS, 1, 1,
          false },
        { N(OBLIGATION), "explain", "ID", "when its reminder and its rungs are due, and why",
          verb_explain, ROWS, 1, 1, false },
        { N(OBLIGATION), "deliver", "ID [quantity=N]", "it has come, all that is left unless told",
          verb_transition, CHANGE, 1, 1, false },
        { N(OBLIGATION), "waive", "ID --note=TEXT", "the rest is not asked for any more",
          verb_transition, CHANGE, 1, 1, false },

        { N(ASSESSMENT), "list", "[FIELD=VALUE...]", "those with these values", verb_list, LIST, 0,
          0, false },
        { N(ASSESSMENT), "show", "ID", "all fields of one", verb_show, ROWS, 1, 1, false },

        { N(MOVE), "list", "[FIELD=VALUE...]", "moves with these values", verb_list, LIST, 0, 0,
          false },
        { N(MOVE), "show", "ID", "all fields of one", verb_show, ROWS, 1, 1, false },
        { N(MOVE), "new",
          "part=CODE quantity=N from=PLACE to=PLACE reason=REASON [FIELD=VALUE...] [--note=TEXT]",
          "move stock by hand: received from a supplier, transferred, graded, counted (with the "
          "reason as note), scrapped, sent back; the same reference again is the same move",
          verb_new, CHANGE, 0, 0, false },

        { MASTERS | N(STOCK) | N(OWED) | N(MOVE) | N(CORE) | N(ORDER) | N(SHIPMENT) |
                  N(OBLIGATION) | N(PLAN) | N(ASSESSMENT) | N(TICKET) | N(REPORT) | N(ESCALATION),
          "fields", "", "the fields: what they mean and where they can be given", verb_fields, ROWS,
          0, 0, false },

        { N(IMPORT), NULL,
          "ticket|report|unit|product|serial|fault|part|supplier|contract|core|order|move|... FILE|-",
          NULL, verb_import, FOR_FILES | FOR_IMPORTS | FOR_TRYING, 2, 2, false },

        { N(EXPORT), NULL,
          "ticket|report|unit|product|serial|fault|part|supplier|contract|core|order|move|... [FIELD=VALUE...]",
          NULL, verb_export, FOR_FIELDS | FOR_FILES | FOR_EXPORTS, 1, 1, false },

        { N(BACKUP), NULL, "", NULL, verb_backup, ROWS, 0, 0, false },
        { N(BACKUP), "list", "", "the backups that there are, the newest first", verb_backup_list,
          ROWS, 0, 0, false },
        { N(RELOAD), NULL, "", NULL, verb_reload, ROWS | FOR_TRYING, 0, 0, false },
        { N(CONFIG), "reload", "", "the same as reload", verb_reload, ROWS | FOR_TRYING, 0, 0,
          false },
        { N(CONFIG), "show", "", "what it says, defaults included, as YAML", verb_config_show,
          FOR_CONFIG, 0, 0, false },
        { N(CONFIG), "history", "", "the policies that have been in force, the newest first",
          verb_config_history, ROWS, 0, 0, false },
        { N(SIMULATE), NULL,
          "--until=TIME [kind=KIND] [subcentre=CODE] [dealer=CODE] [recipient=CODE]", NULL,
          verb_simulate, LIST | FOR_SIMULATE, 0, 0, false },

        { N(CALENDAR), "list", "", "calendars and their time zones", verb_calendar_list, ROWS, 0, 0,
          false },
        { N(CALENDAR), "show", "NAME [FROM [UNTIL]]",
          "working hours day by day: of this month, or from FROM to the end of that month or "
          "UNTIL; both are dates or months such as 2026-11",
          verb_calendar_show, ROWS, 1, 3, false },
        { N(CALENDAR), "check", "", "years without holidays; ends with 1 if there are any",
          verb_calendar_check, ROWS, 0, 0, false },

        { N(CLOCK), "accept", "",
          "the clock is right: escalation goes on after clock_suspect in status", verb_clock_accept,
          0, 0, 0, false },
};

/* ---- finding ---- */

const Noun *noun_find(const char *name) {
        for (size_t i = 0; i < ELEMENTS(nouns); i++)
                if (STREQ(nouns[i].name, name))
                        return &nouns[i];
        return NULL;
}

void nouns_each(void (*found)(void *userdata, const Noun *noun), void *userdata) {
        for (size_t i = 0; i < ELEMENTS(nouns); i++)
                found(userdata, &nouns[i]);
}

static bool belongs(const Command *command, const Noun *noun) {
        return command->nouns >> (noun - nouns) & 1;
}

static bool same_verb(const char *a, const char *b) {
        for (; *a && (*a == *b || (*a == '-' && *b == '_')); a++)
                b++;
        return !*a && !*b;
}

void verbs_each(void (*found)(void *userdata, const Noun *noun, const char *verb), void *userdata) {
        for (size_t i = 0; i < ELEMENTS(nouns); i++)
                for (size_t k = 0; k < ELEMENTS(commands); k++)
                        if (commands[k].verb && belongs(&commands[k], &nouns[i]))
                                found(userdata, &nouns[i], commands[k].verb);
}

const Command *command_find(const Noun *noun, const char *verb) {
        for (size_t i = 0; i < ELEMENTS(commands); i++)
                if (belongs(&commands[i], noun) &&
                    (commands[i].verb ? verb && same_verb(commands[i].verb, verb) : !verb))
                        return &commands[i];
        return NULL;
}

int noun_report(const Report *report_to, const char *name) {
        Nearest nearest = { .text = name };
        char hint[NEAREST_HINT_SIZE];

        for (size_t i = 0; i < ELEMENTS(nouns); i++)
                nearest_offer(&nearest, nouns[i].name);
        return report(report_to, EX_USAGE, "there is no '%s'%s", name,
                      nearest.best ? nearest_hint(&nearest, "", hint) : "; see aftersalesctl help");
}

int verb_report(const Report *report_to, const Noun *noun, const char *verb) {
        Nearest nearest = { .text = verb };
        char hint[NEAREST_HINT_SIZE];

        for (size_t i = 0; i < ELEMENTS(commands); i++)
                if (commands[i].verb && belongs(&commands[i], noun))
                        nearest_offer(&nearest, commands[i].verb);
        return report(report_to, EX_USAGE, "%s: there is no '%s'%s; see aftersalesctl help %s",
                      noun->name, verb, nearest_hint(&nearest, "", hint), noun->name);
}

/* ---- help ---- */

#define HELP_INDENT 14
#define HELP_WIDTH  80

static void write_verbs(FILE *f, const Noun *noun) {
        size_t column = 0;

        for (size_t i = 0; i < ELEMENTS(commands); i++) {
                const char *verb = commands[i].verb;

                if (!verb || !belongs(&commands[i], noun))
                        continue;
                if (column == 0 || column + strlen(verb) + 1 > HELP_WIDTH) {
                        fprintf(f, "%s%*s", column > 0 ? "\n" : "", HELP_INDENT, "");
                        column = HELP_INDENT;
                }
                column += (size_t)fprintf(f, " %s", verb);
        }
        if (column > 0)
                fputc('\n', f);
}

static void write_command(FILE *f, const Noun *noun, const Command *command) {
        fprintf(f, "aftersalesctl %s%s%s%s%s\n      %s\n", noun->name, command->verb ? " " : "",
                command->verb ? command->verb : "", *command->arguments ? " " : "",
                command->arguments, command->doc ? command->doc : noun->doc);
}

static void write_all(FILE *f) {
        fputs("aftersalesctl [OPTION...] COMMAND [ARGUMENT...] [FIELD=VALUE...]\n\n", f);
        for (size_t i = 0; i < ELEMENTS(nouns); i++) {
                fprintf(f, "  %-*s %s\n", HELP_INDENT - 2, nouns[i].name, nouns[i].doc);
                write_verbs(f, &nouns[i]);
        }
}

static void write_fields(FILE *f, const Noun *noun) {
        fprintf(f,
                "\nFields (see aftersalesctl %s fields):\n"
                "  times   2026-11-23 18:05, 18:05, tomorrow 9:00, now, +2h, -30min,\n"
                "          2026-11-23T18:05:00Z, 2026-11-23T18:05:00+08:00\n"
                "  dates   2026-11-23, today, tomorrow, yesterday\n"
                "  flags   true, false, yes, no\n"
                "  money   12 or 12.50\n"
                "  cases   T17, T3.17 (of site 3)\n"
                "  Personal data does not go into arguments: use --stdin or --ask.\n",
                noun->name);
}

static void write_exit_codes(FILE *f) {
        fputs("\nJSON has the form {\"version\":1,\"rows\":[...]}: fields and numbers are those of\n"
              "the bus, times microseconds since 1970 UTC, money hundredths.\n"
              "\nExit codes:\n"
              "   0  done\n"
              "   1  it failed, or a check has found something\n"
              "   4  no such record\n"
              "   5  the state of the record does not allow it, or it has changed since\n"
              "  64  wrong usage\n"
              "  65  a field or value that is not possible\n"
              "  66  no answer to a question\n"
              "  69  the daemon or the bus cannot be reached\n"
              "  75  try again later\n"
              "  77  not permitted\n"
              "  78  the configuration is wrong\n",
              f);
}

void help_write(FILE *f, const Noun *noun, const Command *command) {
        unsigned groups = FOR_ALL;

        if (!noun)
                write_all(f);
        for (size_t i = 0; noun && i < ELEMENTS(commands); i++)
                if (belongs(&commands[i], noun) && (!command || command == &commands[i])) {
                        write_command(f, noun, &commands[i]);
                        groups |= commands[i].groups;
                }
        fputs("\nOptions:\n", f);
        options_help(f, noun ? groups : FOR_ALL);
        if (groups & FOR_FIELDS)
                write_fields(f, noun);
        if (!noun)
                write_exit_codes(f);
}
