/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* A file that a command writes. A regular one appears whole under its name, or not at all; it keeps
 * the mode of the one that it takes the place of, and a link to that stays. Whatever else has the
 * name, a terminal, a pipe or /dev/null, is written into. */

typedef struct OutFile {
        char *path;      /* of what is replaced in the end, links followed */
        char *temporary; /* written until then; NULL: it is written into */
        int fd;
} OutFile;

/* 0 or negative errno; out_file_done() in any case. */
int out_file_open(OutFile *file, const char *path);
/* It is whole. 0 or negative errno. */
int out_file_finish(OutFile *file);
/* What was not finished leaves nothing behind. */
void out_file_done(OutFile *file);
#define _cleanup_out_file_ _cleanup_(out_file_done)
