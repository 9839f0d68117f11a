/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Long work of the daemon, from here: its progress on the terminal, its end, its files. */

#include "commands.h"

/* Waits until the job has ended, as the daemon tells it then. On a terminal (standard error) a bar
 * shows how far it is. SIGINT and SIGTERM cancel the job. 0, an exit code, negative errno; how the
 * job has ended is in its state. */
int job_follow(Context *context, uint64_t job, json_object **ret);

/* Calls a method that answers with a file. The descriptor is the caller's. */
int job_file(Context *context, uint64_t job, const char *method, int *ret_fd);

/* Writes what a job told for each thing that was wrong, as NAME:LINE:COLUMN: text, to standard
 * error; those beyond PROBLEMS_SHOWN are counted. */
int job_write_problems(Context *context, uint64_t job, const char *name);

/* The exit code for how a job has ended, which is reported if that was not well. */
int job_exit_code(const Context *context, json_object *job);
