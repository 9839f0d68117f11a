/* SPDX-License-Identifier: Apache-2.0 */

/* Backups are made by a helper, which also removes old ones once a new one is proved. */

#include "store/backups.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/text.h"
#include "bus/areas.h"
#include "bus/fields.h"
#include "bus/jobs.h"
#include "config/policy.h"
#include "runtime/helper.h"

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
        int r = directory_of(call->bus, directory, sizeof(directory));

        if (r < 0)
                return r;
        /* A slash at the end: into the directory, under a name that says when. */
        snprintf(backup, sizeof(backup), "--backup=%s/", directory);
        snprintf(keep, sizeof(keep), "--keep=%lld",
                 (long long)engine_policy(call->bus->options.engine)->backup_keep);
        return job_new_helper(
                call, "backup",
                &(HelperOptions){ .arguments = (const char *const[]){ backup, keep, NULL } });
}

/* ---- the list ----
 * The directory may lie on a disk of another machine, and that may be away: a helper reads it, and
 * whoever asks in the meantime is answered with the same. */

#define WAITING_MAX 16
#define WORDS_MAX   4

typedef struct BackupList {
        Bus *bus;
        Helper *helper;
        sd_bus_message *waiting[WAITING_MAX];
        size_t n_waiting;
        Backup *rows; /* BACKUPS_MAX of them */
        size_t n_rows;
        char directory[BACKUP_PATH_MAX];
        char problem[128];
} BackupList;

static BackupList *list_free(BackupList *list) {
        if (!list)
                return NULL;
        helper_free(list->helper);
        for (size_t i = 0; i < list->n_waiting; i++)
                sd_bus_message_unref(list->waiting[i]);
        free(list->rows);
        free(list);
        return NULL;
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

static void answer(const BackupList *list, sd_bus_message *m) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        Refusal refusal;
        int r;

        if (*list->problem) {
                refuse(&refusal, REFUSED_INTERNAL, "the directory of backups %s cannot be read: %s",
                       list->directory, list->problem);
                bus_answer_refusal(list->bus, m, &refusal);
                return;
        }
        r = sd_bus_message_new_method_return(m, &reply);
        if (r >= 0)
                r = rows_open(reply);
        for (size_t i = 0; r >= 0 && i < list->n_rows; i++)
                r = append_backup(reply, &list->rows[i]);
        if (r >= 0)
                r = rows_close(reply);
        bus_answer_made(list->bus, m, r, reply);
}

static void on_line(void *userdata, const char *text) {
        BackupList *list = userdata;
        char line[HELPER_LINE_MAX], *words[WORDS_MAX];

        snprintf(line, sizeof(line), "%s", text);
        text_split(line, '\t', words, WORDS_MAX);
        if (STREQ(words[0], "failed"))
                snprintf(list->problem, sizeof(list->problem), "%s", words[1]);
        else if (STREQ(words[0], "backup") && list->n_rows < BACKUPS_MAX) {
                Backup *row = &list->rows[list->n_rows++];

                snprintf(row->name, sizeof(row->name), "%s", words[1]);
                row->time = strtoll(words[2], NULL, 10);
                row->bytes = strtoull(words[3], NULL, 10);
        }
}

static void on_end(void *userdata, int status) {
        BackupList *list = userdata;
        Bus *bus = list->bus;

        if (status != EXIT_SUCCESS && !*list->problem)
                snprintf(list->problem, sizeof(list->problem), "the helper has ended with %d",
                         status);
        for (size_t i = 0; i < list->n_waiting; i++)
                answer(list, list->waiting[i]);
        bus->backup_list = list_free(list);
}

static int start_list(Bus *bus, BackupList **ret) {
        BackupList *list = calloc(1, sizeof(*list));
        char argument[BACKUP_PATH_MAX + 32];
        int r;

        if (!list)
                return -ENOMEM;
        list->bus = bus;
        list->rows = calloc(BACKUPS_MAX, sizeof(Backup));
        r = list->rows ? directory_of(bus, list->directory, sizeof(list->directory)) : -ENOMEM;
        if (r == 0) {
                snprintf(argument, sizeof(argument), "--list-backups=%s", list->directory);
                r = helper_start(
                        &(HelperOptions){ .event = bus->options.event,
                                          .program = bus->options.program,
                                          .arguments = (const char *const[]){ argument, NULL },
                                          .on_line = on_line,
                                          .on_end = on_end,
                                          .userdata = list },
                        &list->helper);
        }
        if (r < 0)
                list_free(list);
        else
                *ret = list;
        return MIN(r, 0);
}

static int list_backups(BusCall *call) {
        Bus *bus = call->bus;
        int r = bus->backup_list ? 0 : start_list(bus, &bus->backup_list);

        if (r < 0)
                return r;
        if (bus->backup_list->n_waiting == WAITING_MAX)
                return refuse(&call->refusal, REFUSED_TRY_AGAIN,
                              "the directory of backups %s is being read, and has not answered yet",
                              bus->backup_list->directory);
        bus->backup_list->waiting[bus->backup_list->n_waiting++] = sd_bus_message_ref(call->m);
        return BUS_ANSWERED_LATER;
}

void backup_list_done(Bus *bus) {
        bus->backup_list = list_free(bus->backup_list);
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
