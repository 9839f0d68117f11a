/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What the service manager hears of us: that we serve, that we end, that something takes longer,
 * and a line of live figures for "systemctl status". Nothing of it costs anything when no service
 * manager listens. */

#include <systemd/sd-event.h>

#include "loop/engine.h"
#include "runtime/commit.h"
#include "runtime/due.h"

void notify_stopping(void);
/* Starting or stopping goes on and may take until so many microseconds from now; to be said again
 * before they are over. For migrations: call it with NOTIFY_EXTEND after every bounded step. */
void notify_extend(uint64_t usec);
#define NOTIFY_EXTEND (60 * USEC_PER_SEC)

typedef struct StatusLine StatusLine;

/* The line follows the commits, at most once a STATUS_INTERVAL and only when it reads otherwise. */
#define STATUS_INTERVAL (1 * USEC_PER_SEC)
int status_line_new(sd_event *event, const Engine *engine, Store *store, DueTimer *due,
                    Committer *committer, StatusLine **ret);
StatusLine *status_line_free(StatusLine *line);
/* The line, and that we serve: from now on, or again after a reload. Said until it is heard, or the
 * next reload begins. */
void status_line_ready(StatusLine *line);
/* A reload has begun; status_line_ready() tells its end, and nothing else. */
void status_line_reloading(StatusLine *line);
/* Looks again, after anything that the committer does not see. */
void status_line_refresh(StatusLine *line);
