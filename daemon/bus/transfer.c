/* SPDX-License-Identifier: Apache-2.0 */

/* Files in and out. */

#include "bus/transfer.h"

#include <stdio.h>
#include <string.h>

#include "bus/areas.h"

int transfer_subject(const char *name, TransferSubject *ret, Refusal *refusal) {
        char names[REFUSAL_TEXT_MAX / 2] = "";

        for (size_t i = 0; bus_interfaces[i]; i++) {
                const Kind *kind = bus_interfaces[i]->kind;
                const Register *reg = bus_interfaces[i]->reg;

                if ((kind && STREQ(kind->name, name)) || (reg && STREQ(reg->name, name))) {
                        *ret = (TransferSubject){ kind, reg };
                        return 0;
                }
        }
        bus_list_names(true, names, sizeof(names));
        return refuse(refusal, REFUSED_NOT_FOUND, "what: there are no such records; there are %s",
                      names);
}

int transfer_choice(const char *key, const char *text, const char *const *names, int n, int *ret,
                    Refusal *refusal) {
        char choices[REFUSAL_TEXT_MAX / 2] = "";
        size_t used = 0;

        *ret = 1;
        if (!text)
                return 0;
        for (int i = 1; i < n; i++) {
                if (STREQ(names[i], text)) {
                        *ret = i;
                        return 0;
                }
                used += (size_t)snprintf(choices + used, sizeof(choices) - used, "%s%s",
                                         used ? " or " : "", names[i]);
        }
        return refuse(refusal, REFUSED_INVALID_VALUE, "%s: must be %s", key, choices);
}

void transfer_actor(const BusCall *call, TransferActor *ret) {
        const Actor *actor = &call->actor;

        ret->actor = *actor;
        snprintf(ret->name, sizeof(ret->name), "%s", actor->name);
        snprintf(ret->role, sizeof(ret->role), "%s", actor->role);
        snprintf(ret->unit, sizeof(ret->unit), "%s", actor->unit ? actor->unit : "");
        ret->actor.name = ret->name;
        ret->actor.role = ret->role;
        ret->actor.unit = actor->unit ? ret->unit : NULL;
}

static const BusMethod transfer_methods[] = {
        { "Import", "sha{sv}", "what file options", "t", "job", PERMISSION_DATA_IMPORT,
          transfer_import,
          "Imports the rows of a file as a job: what is the name of a kind of case or sort of master data; file is "
          "a memory file (memfd) sealed against writing, growing and shrinking. Options: format s (csv, json: JSON "
          "lines), encoding s (utf-8, gb18030), atomic b (all rows or none, at most 10000 and 16 MiB), dry_run b (only tell what would happen, "
          "rows of any number: every rule is tried, nothing is written), escalate b (rows "
          "with times of their own escalate what is past already; without it nobody hears of that), report t (with ticket: the "
          "number of the dealer's daily report that the file is; its rows are taken as that dealer's own, and at the end "
          "the report is there, unless every row was refused). Each row needs the permission that its call would "
          "need. Results: rows, created, updated, moved, unchanged, refused; see docs/import.md for the columns." },
        { "Export", "sa{sv}ha{sv}", "what filter file options", "t", "job", PERMISSION_DATA_EXPORT,
          transfer_export,
          "Writes the records within the caller's scope to a file as a job: those whose fields equal the filter's "
          "(fields that List can be filtered by), all of them without. file is anything that can be written to; a "
          "reader who does not read for a minute ends the job. Options: format s (csv, json: JSON lines), encoding s "
          "(utf-8, gb18030), mark b (a byte order mark before UTF-8), columns s (names separated by commas). The "
          "permission to read the records is needed besides; personal data is masked without personal.read. Result: "
          "rows." },
        {},
};

const BusInterface transfer_interface = {
        .name = AFTERSALES_TRANSFER,
        .methods = transfer_methods,
        .doc = "Files in and out.",
};
