/* SPDX-License-Identifier: Apache-2.0 */

/* Backups are made by a helper, which also removes old ones once a new one is proved. */

#include "store/backups.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "bus/areas.h"
#include "bus/fields.h"
#include "bus/jobs.h"
#include "config/policy.h"

#define BACKUP_PATH_MAX 4096

static int directory_of(const Bus *bus, char *ret, size_t size) {
        const Policy *policy = engine_policy(bus->options.engine);
        int n = policy->backup_directory
                        ? snprintf(ret, size, "%s", policy->backup_directory)
                        : snprintf(ret, size, "%s/backup", bus->options.state_directory);

        return n < (int)size ? 0 : -ENAMETOOLONG;
}

static int backups_create(BusCall *call) {
        char directory[BACKUP_PATH_MAX], backup[BACKUP_PATH_MAX + 16], keep[32];
        Job *job;
        int r = directory_of(call->bus, directory, sizeof(directory));

        if (r < 0)
                return r;
        /* A slash at the end: into the directory, under a name that says when. */
        snprintf(backup, sizeof(backup), "--backup=%s/", directory);
        snprintf(keep, sizeof(keep), "--keep=%lld",
                 (long long)engine_policy(call->bus->options.engine)->backup_keep);
        r = job_new_helper(
                call, "backup",
                &(HelperOptions){ .arguments = (const char *const[]){ backup, keep, NULL } }, &job);
        return r != 0 ? r : job_answer(call, job);
}

static int append_backup(sd_bus_message *m, const Backup *backup) {
        int r = sd_bus_message_open_container(m, 'a', "{sv}");

        if (r >= 0)
                r = entry_append_text(m, "name", backup->name);
        if (r >= 0)
                r = entry_append_number(m, "time", 'x', backup->time);
        if (r >= 0)
                r = entry_append_number(m, "bytes", 't', (int64_t)backup->bytes);
        return r < 0 ? r : sd_bus_message_close_container(m);
}

static int list_backups(BusCall *call) {
        _cleanup_free_ Backup *list = NULL;
        char directory[BACKUP_PATH_MAX];
        size_t n = 0;
        int r = directory_of(call->bus, directory, sizeof(directory));

        if (r < 0)
                return r;
        r = backups_list(directory, &list, &n);
        if (r < 0)
                return refuse(&call->refusal, REFUSED_INTERNAL,
                              "the directory of backups %s cannot be read: %s", directory,
                              strerror(-r));
        r = rows_open(call->reply);
        for (size_t i = 0; r >= 0 && i < n; i++)
                r = append_backup(call->reply, &list[i]);
        return r < 0 ? r : rows_close(call->reply);
}

static const BusMethod backups_methods[] = {
        { "Create", "", "", "t", "job", PERMISSION_ADMIN_BACKUP, backups_create,
          "Copies the store into a new file in the directory of backups, beside the work that goes on, and proves the "
          "copy; then the oldest ones go, as the configuration says. Answers with the number of the job, whose "
          "results are name, records, bytes and sequence (of the newest change in it)." },
        { "List", "", "", "aa{sv}", "backups", PERMISSION_ADMIN_BACKUP, list_backups,
          "The backups in the directory of backups, the newest first: name, time (when it was begun), bytes." },
        {},
};

const BusInterface backups_interface = {
        .name = AFTERSALES_BACKUPS,
        .methods = backups_methods,
        .doc = "Copies of the store. They are put back by the option restore of aftersalesd, while no daemon is running.",
};
