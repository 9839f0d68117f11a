/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Files that appear whole and stay. */

#include <stdbool.h>
#include <stddef.h>

/* Makes durable which names are in a directory. 0 or negative errno. */
int file_sync_directory(const char *directory);
/* A directory for nobody else, with its name durable; also 0 when there is one already. Negative
 * errno. */
int file_make_directory(const char *directory);
/* What root creates in a directory of somebody else the latter must be able to open; a failure is
 * logged. */
void file_give_to_owner(const char *directory, const char *name);
/* The directory that a file is in, or is to be in. -ENAMETOOLONG. */
int file_directory(const char *path, char *ret, size_t size);
/* Begins a file that is to appear at `path`, under a name of its own beside it, readable by nobody
 * else and locked: -EWOULDBLOCK when another process is writing it, -EEXIST when it is there,
 * -EPERM when somebody else has made what has the name beside it. */
int file_begin(const char *path, char *ret_new_path, size_t size, int *ret);
/* Gives a file that is complete its name for good; -EEXIST when there is one of that name. */
int file_appear(const char *new_path, const char *path);
/* All of a file, from its beginning, to the end of another. 0 or negative errno. */
int file_copy(int from, int to);
